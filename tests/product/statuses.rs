//! Exit statuses: `main`'s value, the tool's own, and signals.

use crate::counter::Counter;
use crate::harness::{Project, Run, run_to_end, until};

fn status_of(text: &str) -> Option<i32> {
    let project = Project::new(&[("a.vais", text)]);
    let finished = run_to_end(&project, ["run", "a.vais"]);
    assert!(!finished.err.contains("panicked"), "{finished:?}");
    finished.status
}

#[test]
fn the_value_of_main() {
    for (text, status) in [
        ("F main() -> i64 { 0 }", 0),
        ("F main() -> i64 { 7 }", 7),
        ("F main() -> i64 = 42", 42),
        ("F main() -> i64 { 256 + 7 }", 7),
        ("F main() -> i64 { 0 - 1 }", 255),
        ("F main() -> i32 { R 300 }", 44),
        ("F main() -> u8 { 200 }", 200),
        ("F main() -> f64 { 3.7 }", 3),
        ("F main() { }", 0),
    ] {
        assert_eq!(status_of(text), Some(status), "{text}");
    }
}

#[test]
fn the_builtin_exit() {
    assert_eq!(status_of("F deep() { exit(5) }\nF main() -> i64 {\n    deep()\n    0\n}"), Some(5));
}

#[test]
fn a_file_alone_is_run() {
    let project = Project::new(&[("a.vais", "F main() -> i64 { 9 }")]);
    assert_eq!(run_to_end(&project, ["a.vais"]).status, Some(9));
}

#[test]
fn arguments_reach_the_program_and_not_the_tool() {
    let project = Project::new(&[("a.vais", "F main() -> i64 { 3 }")]);
    assert_eq!(run_to_end(&project, ["run", "a.vais", "--", "--static", "x"]).status, Some(3));
}

#[test]
fn main_takes_its_arguments_as_in_c() {
    let text = "F main(argc: i64, argv: **i8) -> i64 {\n    s := ptr_to_str(argv[argc - 1] as i64)\n    argc * 10 + s.len()\n}";
    let project = Project::new(&[("a.vais", text)]);
    assert_eq!(run_to_end(&project, ["run", "a.vais", "--", "x", "last"]).status, Some(34));
    assert_eq!(status_of("F main(x: i64 = 5) -> i64 = x"), Some(1));
}

#[test]
fn wrong_usage_is_two() {
    let project = Project::new(&[("a.vais", "F main() -> i64 { 0 }")]);
    for args in [
        &["run", "--no-such-option", "a.vais"][..],
        &["run"],
        &["run", "--opt", "huge", "a.vais"],
        &["run", "--quiet", "--verbose", "a.vais"],
        &["frobnicate"],
        &["check"],
        &[],
    ] {
        let finished = run_to_end(&project, args);
        assert_eq!(finished.status, Some(2), "{args:?}: {finished:?}");
        assert!(!finished.err.is_empty(), "{args:?}");
        assert!(finished.out.is_empty(), "{args:?}: {finished:?}");
    }
}

#[test]
fn help_and_version_are_success() {
    let project = Project::new(&[]);
    for args in [&["--help"][..], &["run", "--help"], &["help", "check"], &["--version"]] {
        let finished = run_to_end(&project, args);
        assert_eq!(finished.status, Some(0), "{args:?}: {finished:?}");
        assert!(finished.out.contains("vaisjit"), "{args:?}: {finished:?}");
    }
}

#[test]
fn ctrl_c_is_130_with_the_output_flushed() {
    let text = "N \"C\" { F mkdir(name: str, mode: i32) -> i32; }\nF main() -> i64 {\n    println(\"begun\")\n    \
                printf(\"without a newline\")\n    mkdir(\"printed\", 448)\n    n := 0\n    \
                L n >= 0 { n += 1\n usleep(1000) }\n    0\n}\n";
    let project = Project::new(&[("a.vais", text)]);
    let run = Run::hot(&project, "a.vais");
    until("what is printed", || project.path("printed").exists().then_some(()));
    run.interrupt();
    let finished = run.finish();
    assert_eq!(finished.status, Some(130), "{finished:?}");
    assert_eq!(finished.out, "begun\nwithout a newline");
    assert!(!finished.err.contains("panicked"), "{finished:?}");
    let last = finished.events.last().unwrap();
    assert_eq!((last["event"].as_str(), last["status"].as_i64()), (Some("exit"), Some(130)), "{finished:?}");
}

#[test]
fn ctrl_c_ends_a_loop_that_calls_nothing() {
    let text = "F main() -> i64 {\n    println(\"begun\")\n    n := 0\n    L n >= 0 { n = (n + 1) % 1000 }\n    0\n}\n";
    let project = Project::new(&[("a.vais", text)]);
    let mut run = Run::hot(&project, "a.vais");
    run.out.line("the first line", |line| line == "begun");
    run.interrupt();
    assert_eq!(run.finish().status, Some(130));
}

/// A program that sleeps in C must not have to wake up first. That it ends is told all the same, once.
#[test]
fn ctrl_c_ends_a_long_sleep() {
    let text = "F main() -> i64 {\n    println(\"begun\")\n    usleep(600000000)\n    0\n}\n";
    let project = Project::new(&[("a.vais", text)]);
    let mut run = Run::hot(&project, "a.vais");
    run.out.line("the first line", |line| line == "begun");
    run.interrupt();
    let finished = run.finish();
    assert_eq!(finished.status, Some(130));
    let ends = finished.events.iter().filter(|event| event["event"] == "exit").count();
    assert_eq!((ends, &finished.events.last().unwrap()["status"]), (1, &130.into()), "{finished:?}");
}

#[test]
fn ctrl_c_after_a_reload() {
    let mut counter = Counter::start();
    counter.retag("two");
    counter.run.interrupt();
    assert_eq!(counter.run.wait().code(), Some(130));
}

#[test]
fn ctrl_c_in_static_mode() {
    let text = "F main() -> i64 {\n    println(\"begun\")\n    n := 0\n    L n >= 0 { usleep(1000) }\n    0\n}\n";
    let project = Project::new(&[("a.vais", text)]);
    let mut run = Run::with(&project, ["run", "--static", "a.vais"]);
    run.out.line("the first line", |line| line == "begun");
    run.interrupt();
    let status = run.wait();
    use std::os::unix::process::ExitStatusExt;
    assert!(status.code() == Some(130) || status.signal() == Some(libc::SIGINT), "{status:?}");
}
