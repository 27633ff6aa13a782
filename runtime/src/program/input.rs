//! Whether a program can read standard input: told by the names of the C and host functions that its code is linked
//! against.

use rustc_hash::FxHashSet;
use vaisjit_codegen::link::Import;
use vaisjit_semantics::Instance;

use super::Program;
use crate::live::Live;

/// Host and C functions that read from standard input, or could: from a file that may be it, through the terminal, or in
/// a process of their own. Sorted.
const READERS: [&str; 75] = [
    "__fgets_chk",
    "__isoc23_fscanf",
    "__isoc23_scanf",
    "__isoc99_fscanf",
    "__isoc99_scanf",
    "__read_chk",
    "aio_read",
    "dlopen",
    "dlsym",
    "epoll_pwait",
    "epoll_wait",
    "execl",
    "execle",
    "execlp",
    "execv",
    "execve",
    "execvp",
    "execvpe",
    "fdopen",
    "fgetc",
    "fgetc_unlocked",
    "fgets",
    "fgets_unlocked",
    "fgetwc",
    "fgetws",
    "fork",
    "forkpty",
    "fread",
    "fread_unlocked",
    "fscanf",
    "fwscanf",
    "getc",
    "getc_unlocked",
    "getchar",
    "getchar_unlocked",
    "getdelim",
    "getline",
    "getpass",
    "gets",
    "getw",
    "getwc",
    "getwchar",
    "io_read_line",
    "ioctl",
    "mmap",
    "openpty",
    "poll",
    "popen",
    "posix_spawn",
    "posix_spawnp",
    "ppoll",
    "pread",
    "preadv",
    "pselect",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmsg",
    "scanf",
    "select",
    "sendfile",
    "splice",
    "syscall",
    "system",
    "tcflush",
    "tcgetattr",
    "tcsetattr",
    "tcsetpgrp",
    "vfork",
    "vfscanf",
    "vfwscanf",
    "vscanf",
    "vwscanf",
    "wscanf",
];

impl Program {
    /// Can code of the running version read standard input? Told by what it is linked against: true if any of its own
    /// functions, or one of the library that they lead to, calls a C or host function that reads from it, or that could:
    /// from any file, through a process, or by setting up the terminal. A C function called through an address found at
    /// run time is not seen.
    pub fn may_read_input(&self) -> bool {
        self.inner.live().may_read_input()
    }
}

impl Live {
    fn may_read_input(&self) -> bool {
        let own = |instance: &&Instance| !instance.path.module.starts_with("std/");
        let mut queue: Vec<Instance> = self.functions.keys().filter(own).copied().collect();
        let mut seen: FxHashSet<Instance> = queue.iter().copied().collect();
        while let Some(instance) = queue.pop() {
            let Some(function) = self.functions.get(&instance) else { continue };
            if function.recipe.foreign().any(|name| READERS.binary_search(&name.as_str()).is_ok()) {
                return true;
            }
            let called = function.recipe.imports().flat_map(functions_of).filter(|called| seen.insert(*called));
            queue.extend(called);
            // What is compiled in one unit calls each other without imports.
            queue.extend(function.recipe.members().filter(|member| seen.insert(*member)));
        }
        false
    }
}

/// The functions that an import leads to.
fn functions_of(import: &Import) -> Vec<Instance> {
    match import {
        Import::Slot(key) => vec![key.instance],
        Import::Function(instance) => vec![*instance],
        Import::Table(table) => table.keys().map(|key| key.instance).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::READERS;
    use crate::Engine;

    #[test]
    fn the_names_are_sorted() {
        assert!(READERS.is_sorted());
    }

    #[test]
    fn what_is_called_decides() {
        let may_read = |text: &str| {
            let program = Engine::builder().build().unwrap().load_str(text).unwrap_or_else(|error| panic!("{error}"));
            program.may_read_input()
        };
        let (reads, quiet) = ("io.read_line().is_some()", "true");
        let text =
            |called: &str| format!("U std/io\nF far() -> bool {{ {called} }}\nF near() -> bool {{ f := far\n f() }}");
        assert!(may_read(&text(reads)) && !may_read(&text(quiet)));
        let declared = "N \"C\" { F getchar() -> i32; }\nF f() -> i64";
        assert!(may_read(&format!("{declared} {{ getchar() as i64 }}")) && !may_read(&format!("{declared} {{ 1 }}")));
    }
}
