//! The cases of `tests/ui/run` and `tests/ui/trap`, which the interpreter runs elsewhere, compiled: the same output, the
//! same end, and nothing left on the heap.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Case {
    name: String,
    source: String,
    output: String,
    end: String,
}

/// The cases of a folder of `tests/ui`.
fn cases(folder: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ui").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("the cases").flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().flat_map(|file| cases_of(file)).collect()
}

fn cases_of(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).expect("a case file");
    let mut cases: Vec<Case> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("--- ") {
            let name = format!("{}: {}", file.display(), name.trim());
            cases.push(Case { name, source: String::new(), output: String::new(), end: String::new() });
        } else if let Some(case) = cases.last_mut() {
            match line.get(..2) {
                Some("#>") => case.output += line[2..].strip_prefix(' ').unwrap_or(&line[2..]),
                Some("#=") => case.end = line[2..].trim().to_owned(),
                _ => case.source += line,
            }
        }
    }
    cases
}

/// What is wrong with a case.
fn run(case: &Case, folder: &Path, static_mode: bool) -> Option<String> {
    let file = folder.join("case.vais");
    std::fs::write(&file, &case.source).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_vaisjit"));
    command.arg("run").args(static_mode.then_some("--static")).arg(&file);
    let leaks = case.source.contains("#~ leaks");
    let output = command.env("VAISJIT_LEAK_CHECK", if leaks { "0" } else { "1" }).output().expect("the binary starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    let status = output.status.code();
    let ended = match case.end.strip_prefix("status ") {
        Some(wanted) => status.map(|status| status.to_string()).as_deref() == Some(wanted) && !err.contains("leaked"),
        None => {
            let line = case.end.split(" at ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("?");
            status == Some(134) && err.contains(&format!("case.vais:{line}:"))
        }
    };
    let same = lines(&out) == lines(&case.output);
    let mode = if static_mode { "static" } else { "hot" };
    let wrong = || format!("{} ({mode}): wanted {}\n{}\n{status:?}\n{out}\n{err}", case.name, case.end, case.output);
    (!ended || !same).then(wrong)
}

fn all(folder: &str) {
    let cases = cases(folder);
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let folder = tempfile::tempdir().expect("a folder");
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for static_mode in [false, true] {
                        wrong.lock().expect("no panic").extend(run(case, folder.path(), static_mode));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), cases.len() * 2, wrong.join("\n"));
}

#[test]
fn compiled_programs_end_as_interpreted_ones_and_leak_nothing() {
    all("run");
}

#[test]
fn compiled_programs_trap_as_interpreted_ones() {
    all("trap");
}
