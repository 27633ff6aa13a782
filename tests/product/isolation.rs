//! A run needs no tools and leaves no traces: with an empty `PATH` and read-only folders everything works, and no file
//! is created or written.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::counter::{FILE, TEXT, tagged};
use crate::harness::{Project, Run};

/// The folders a tool could write to, all of them read-only while a test runs.
const FOLDERS: [&str; 3] = ["program", "home", "tmp"];

fn read_only(project: &Project, on: bool) {
    for folder in FOLDERS {
        let mode = if on { 0o555 } else { 0o755 };
        fs::set_permissions(project.path(folder), Permissions::from_mode(mode)).expect("permissions set");
    }
}

fn list(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("an entry").path();
        into.insert(path.display().to_string());
        if path.is_dir() {
            list(&path, into);
        }
    }
}

fn files(project: &Project) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    list(&project.folder(), &mut all);
    all
}

fn set_up() -> Project {
    let project = Project::new(&[("program/game.vais", TEXT), ("home/empty", ""), ("tmp/empty", "")]);
    read_only(&project, true);
    project
}

#[test]
fn an_empty_path_and_read_only_folders() {
    let project = set_up();
    let before = files(&project);
    let program = project.path("program");
    let mut run = Run::prepared(&project, |command| {
        command.env_clear().env("PATH", "").env("HOME", project.path("home")).env("TMPDIR", project.path("tmp"));
        command.current_dir(&program).args(["run", "--events", "-", FILE]);
    });
    run.out.line("the first step", |line| line.starts_with("one "));
    // The file itself may be written, in place, as from another mount.
    project.write("program/game.vais", &tagged("two"));
    run.out.line("the reload", |line| line.contains("\"reloaded\""));
    run.out.line("the new code", |line| line.starts_with("two "));
    project.write("program/game.vais", &tagged("two").replace("POINTS\n", "POINTZ\n"));
    run.out.line("the mistake", |line| line.contains("\"rejected\""));
    run.out.line("the code goes on", |line| line.starts_with("two "));
    assert_eq!(files(&project), before, "no file may be created");
    run.interrupt();
    assert_eq!(run.wait().code(), Some(130));
    assert_eq!(files(&project), before, "no file may be created");
    read_only(&project, false);
}

/// Where `strace` is installed, it tells of every file that is opened for writing, wherever it lies.
#[test]
fn no_file_is_opened_for_writing() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        eprintln!("strace is not installed: nothing tested");
        return;
    }
    let project = Project::new(&[("game.vais", TEXT)]);
    let log = project.path("trace.txt");
    let mut command = std::process::Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=open,openat,creat,execve,memfd_create", "-o"]).arg(&log);
    command.arg(env!("CARGO_BIN_EXE_vaisjit")).args(["run", FILE]).current_dir(project.folder());
    let mut run = Run::foreign(&project, command);
    if run.out.line_or_end(|line| line.starts_with("one ")).is_none() {
        eprintln!("strace may not trace here: nothing tested\n{}", run.err.text());
        return;
    }
    project.save(FILE, &tagged("two"));
    run.out.line("the new code", |line| line.starts_with("two "));
    // Sent to `strace`, an interrupt would end the tracer first.
    signal_traced(&log);
    run.wait();
    let trace = fs::read_to_string(&log).expect("a trace");
    let executed = trace.lines().filter(|line| line.contains("execve(")).count();
    assert_eq!(executed, 1, "no other program may be started:\n{trace}");
    for line in trace.lines().filter(|line| !line.contains("= -1")) {
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "creat("].iter().any(|word| line.contains(word));
        assert!(!writes || line.contains("\"/dev/") || line.contains("\"/proc/"), "{line}");
    }
}

/// Ends the traced program: its process id starts each line of the trace, and the first line is its own.
fn signal_traced(log: &Path) {
    let trace = fs::read_to_string(log).expect("a trace");
    let id = trace.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a process id");
    // SAFETY: `kill` only takes numbers; the process is the one this test started.
    unsafe { libc::kill(id, libc::SIGINT) };
}
