//! A running `vaisjit`: its output, its events, its end.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use super::pty::Terminal;
use super::stream::Stream;
use super::{Project, until};

/// A running program; killed when dropped.
pub struct Run {
    child: Child,
    /// Standard output.
    pub out: Stream,
    /// Standard error.
    pub err: Stream,
    events: Events,
}

/// What is left of a run.
#[derive(Debug)]
pub struct Finished {
    /// The exit status, absent when a signal ended it.
    pub status: Option<i32>,
    /// All of standard output.
    pub out: String,
    /// All of standard error.
    pub err: String,
    /// All events.
    pub events: Vec<Value>,
}

/// The command under test, without anything of the tests' own environment that could change what it prints.
fn vaisjit() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vaisjit"));
    command.env_remove("NO_COLOR").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Makes a process start with every signal at its default: whoever runs the tests may ignore some (`nohup` does, and
/// programs in Python), and what is ignored is inherited.
fn answer_signals(command: &mut Command) {
    // SAFETY: between fork and exec only system calls are made, for signals that the system has; the two that cannot be
    // set are refused without effect.
    unsafe {
        command.pre_exec(|| {
            (1..32).for_each(|signal| _ = libc::signal(signal, libc::SIG_DFL));
            Ok(())
        });
    }
}

/// Runs `vaisjit` with these arguments in the project's folder until it ends.
pub fn run_to_end<A: AsRef<OsStr>>(project: &Project, args: impl IntoIterator<Item = A>) -> Finished {
    Run::start(project, vaisjit().current_dir(project.folder()).args(args)).finish()
}

impl Run {
    /// `vaisjit run --events .. FILE`, up to the `ready` event.
    pub fn hot(project: &Project, file: &str) -> Run {
        Run::hot_with(project, file, &[])
    }

    /// The same with further options.
    pub fn hot_with(project: &Project, file: &str, options: &[&str]) -> Run {
        Run::hot_at(project, project.path(file).as_os_str(), options)
    }

    /// The same for a path that may lie outside the project's folder.
    pub fn hot_at(project: &Project, file: &OsStr, options: &[&str]) -> Run {
        let mut command = vaisjit();
        command.arg("run").arg("--events").arg(project.events_path()).args(options).arg(file);
        command.current_dir(project.folder());
        let mut run = Run::start(project, &mut command);
        run.event("ready");
        run
    }

    /// Any command line.
    pub fn with<A: AsRef<OsStr>>(project: &Project, args: impl IntoIterator<Item = A>) -> Run {
        Run::start(project, vaisjit().current_dir(project.folder()).args(args))
    }

    /// Any command line, after `prepare` has set up the process.
    pub fn prepared(project: &Project, prepare: impl FnOnce(&mut Command)) -> Run {
        let mut command = vaisjit();
        command.current_dir(project.folder());
        prepare(&mut command);
        Run::start(project, &mut command)
    }

    /// Another program, which starts the binary itself.
    pub fn foreign(project: &Project, mut command: Command) -> Run {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Run::start(project, &mut command)
    }

    /// Another program, which sits at a terminal.
    pub fn seated(project: &Project, mut command: Command, terminal: &Terminal) -> Run {
        terminal.sit(&mut command);
        Run::start(project, command.current_dir(project.folder()))
    }

    fn start(project: &Project, command: &mut Command) -> Run {
        answer_signals(command);
        let mut child = command.spawn().expect("the binary starts");
        let out = Stream::new("standard output", child.stdout.take());
        let err = Stream::new("standard error", child.stderr.take());
        Run { child, out, err, events: Events { path: project.events_path(), read: 0 } }
    }

    /// Waits for the next event of this name; those before it are skipped, except that a failure nobody asked for
    /// fails the test at once.
    pub fn event(&mut self, name: &str) -> Value {
        self.event_after(name, &["notice", "pending", "ready", "unchanged", "reloaded"])
    }

    /// Waits for the next event of this name; before it only those in `others` may come.
    pub fn event_after(&mut self, name: &str, others: &[&str]) -> Value {
        let mut skipped = Vec::new();
        let found = until(&format!("the event `{name}`"), || {
            while let Some(event) = self.events.next() {
                if event["event"] == name {
                    return Some(Some(event));
                }
                let unasked = !others.contains(&event["event"].as_str().unwrap_or_default());
                skipped.push(event);
                if unasked {
                    return Some(None);
                }
            }
            let ended = !self.is_running();
            (ended && self.events.at_end()).then_some(None)
        });
        found.unwrap_or_else(|| panic!("no event `{name}`, but {skipped:#?}\nstandard error: {}", self.err.text()))
    }

    /// All events that have come since the last one that was waited for.
    pub fn events_so_far(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.events.next()).collect()
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(libc::SIGINT);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: `kill` only takes numbers, and the child has not been waited for, so its id is still its own.
        assert_eq!(unsafe { libc::kill(self.id() as i32, signal) }, 0);
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end and returns the status.
    pub fn wait(&mut self) -> ExitStatus {
        until("the program's end", || self.child.try_wait().expect("the child can be asked"))
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Finished {
        let status = self.wait().code();
        Finished { status, out: self.out.all(), err: self.err.all(), events: self.events.all() }
    }

    /// Is it still running?
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child can be asked").is_none()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "standard error of the program:\n{}", self.err.text());
        }
    }
}

/// The events file, read as it grows.
struct Events {
    path: std::path::PathBuf,
    read: usize,
}

impl Events {
    fn next(&mut self) -> Option<Value> {
        let bytes = std::fs::read(&self.path).ok()?;
        let rest = bytes.get(self.read..)?;
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        let event = serde_json::from_slice(&rest[..length]).expect("each line is one JSON object");
        self.read += length + 1;
        Some(event)
    }

    fn at_end(&self) -> bool {
        std::fs::read(&self.path).map_or(true, |bytes| bytes.len() <= self.read)
    }

    fn all(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("each line is one JSON object")).collect()
    }
}
