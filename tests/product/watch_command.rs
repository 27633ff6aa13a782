//! `vaisjit watch`: checks on every save and runs a command after each success.

use crate::harness::{Project, Run, until};

const FILE: &str = "a.vais";
const GOOD: &str = "F main() -> i64 { 0 }\n";

/// The process ids that the command has written so far.
fn started(project: &Project) -> Vec<u32> {
    let log = std::fs::read_to_string(project.path("log")).unwrap_or_default();
    log.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter_map(|line| line.trim().parse().ok()).collect()
}

fn alive(process: u32) -> bool {
    // A process that has ended and not been waited for is a zombie, `Z`.
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

/// Starts a watch with a command that notes its process id and then sleeps; waits for its first start.
fn watch(text: &str) -> (Project, Run) {
    let project = Project::new(&[(FILE, text)]);
    let run = Run::with(&project, ["watch", FILE, "--exec", "sh", "--", "-c", "echo $$ >> log; exec sleep 600"]);
    (project, run)
}

fn wait_for_starts(project: &Project, count: usize) -> Vec<u32> {
    until(&format!("{count} starts of the command"), || Some(started(project)).filter(|all| all.len() >= count))
}

#[test]
fn the_command_runs_after_each_success_and_the_old_one_is_ended() {
    let (project, _run) = watch(GOOD);
    let first = wait_for_starts(&project, 1);
    assert!(alive(first[0]));
    project.save(FILE, "F main() -> i64 { 1 }\n");
    let second = wait_for_starts(&project, 2);
    until("the end of the first command", || (!alive(first[0])).then_some(()));
    assert!(alive(second[1]));
    end(&second);
}

#[test]
fn a_mistake_is_explained_and_runs_nothing() {
    let (project, mut run) = watch("F main() -> i64 { missing }\n");
    run.err.line("the mistake", |line| line.contains("E0201"));
    run.err.line("the status", |line| line.starts_with("rejected"));
    assert!(started(&project).is_empty());
    project.save(FILE, GOOD);
    let first = wait_for_starts(&project, 1);
    project.save(FILE, "F main() -> i64 { missing_again }\n");
    run.err.line("the second mistake", |line| line.contains("missing_again"));
    run.err.line("the status", |line| line.starts_with("rejected"));
    assert_eq!(started(&project).len(), 1);
    end(&first);
}

#[test]
fn a_command_that_does_not_exist_is_said_and_the_watch_goes_on() {
    let project = Project::new(&[(FILE, GOOD)]);
    let mut run = Run::with(&project, ["watch", FILE, "--exec", "./no-such-command"]);
    run.err.line("what is wrong", |line| line.contains("no-such-command"));
    project.save(FILE, "F main() -> i64 { 1 }\n");
    run.err.line("the next check", |line| line.starts_with("clean"));
    assert!(run.is_running());
}

#[test]
fn without_a_command_it_only_checks() {
    let project = Project::new(&[(FILE, GOOD), ("b.vais", "F two() -> i64 { 2 }\n")]);
    let mut run = Run::with(&project, ["watch", "--verbose", FILE]);
    run.err.line("the first check", |line| line.starts_with("clean"));
    project.save(FILE, "U b\nF main() -> i64 { two() }\n");
    run.err.line("the second check", |line| line.starts_with("clean"));
    project.save("b.vais", "F two() -> i64 { true + 1 }\n");
    run.err.line("a mistake in the import", |line| line.contains("b.vais:1:"));
}

#[test]
fn ctrl_c_ends_the_watch_and_its_command() {
    let (project, run) = watch(GOOD);
    let first = wait_for_starts(&project, 1);
    run.interrupt();
    let finished = run.finish();
    assert!(matches!(finished.status, None | Some(130)), "{finished:?}");
    until("the end of the command", || (!alive(first[0])).then_some(()));
}

fn end(processes: &[u32]) {
    let last = *processes.last().expect("one was started");
    // SAFETY: `kill` only takes numbers; the process is a `sleep` that this test caused.
    unsafe { libc::kill(last as i32, libc::SIGKILL) };
}
