//! The options of `run`.

use crate::counter::{Counter, FILE, TEXT, names, tagged};
use crate::harness::{Project, Run, replaced, run_to_end};

#[test]
fn static_mode_runs_the_same_and_reloads_nothing() {
    let project = Project::new(&[(FILE, TEXT)]);
    let events = project.events_path();
    let mut run = Run::with(&project, ["run", "--static", "--events", events.to_str().unwrap(), FILE]);
    run.out.line("the first step", |line| line == "one 0 1");
    project.save(FILE, &tagged("two"));
    for _ in 0..100 {
        let line = run.out.line("a step", |_| true);
        assert!(line.starts_with("one "), "{line}");
    }
    let reloads = run.events_so_far().into_iter().filter(|event| event["event"] != "ready").count();
    assert_eq!(reloads, 0);
}

#[test]
fn static_mode_gives_the_same_results() {
    let text = r#"#[hot]
F fib(n: i64) -> i64 { n < 2 ? n : fib(n - 1) + fib(n - 2) }

F main() -> i64 {
    println("{fib(20)}")
    fib(10)
}
"#;
    let project = Project::new(&[(FILE, text)]);
    for options in
        [&["run", FILE][..], &["run", "--static", FILE], &["run", "--opt", "none", FILE], &["run", "--all-hot", FILE]]
    {
        let finished = run_to_end(&project, options);
        assert_eq!((finished.status, &*finished.out), (Some(55), "6765\n"), "{options:?}: {finished:?}");
    }
}

#[test]
fn all_hot() {
    let before = TEXT.replace("#[hot]\n", "");
    let mut counter = Counter::of(&before, &["--all-hot"]);
    counter.project.save(FILE, &replaced(&before, "\"one ", "\"two "));
    let event = counter.run.event("reloaded");
    assert_eq!(names(&event, "functions"), ["step"]);
    counter.sees("two");
    counter.is_continuous();
}

#[test]
fn without_optimising() {
    for level in ["none", "speed"] {
        let mut counter = Counter::with(&["--opt", level]);
        counter.retag("two");
        counter.is_continuous();
    }
}

#[test]
fn quiet_says_nothing_about_good_saves() {
    let mut counter = Counter::with(&["--quiet"]);
    counter.retag("two");
    counter.project.save(FILE, &format!("{}# A comment.\n", tagged("two")));
    counter.run.event("unchanged");
    assert_eq!(counter.run.err.text(), "");
    counter.project.save(FILE, &tagged("two").replace("total += POINTS", "total += POINTZ"));
    counter.run.event("rejected");
    counter.run.err.line("the mistake, for that is not noise", |line| line.contains("POINTZ"));
}

#[test]
fn a_run_begins_with_one_line() {
    let mut counter = Counter::start();
    counter.run.err.line("the first line", |_| true);
    let text = counter.run.err.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("ready v1") && text.contains("1 file"), "{text}");
}

#[test]
fn verbose_says_more() {
    let mut counter = Counter::with(&["--verbose"]);
    counter.retag("two");
    counter.run.err.line("the status line", |line| line.starts_with("reloaded v2"));
    counter.run.err.line("each edit", |line| line.contains("step") && line.contains("live now"));
    counter.run.err.line("each file", |line| line.contains(FILE));
}

#[test]
fn colours_when_asked_for() {
    for (options, coloured) in [
        (&["--color", "always"][..], true),
        (&["--color", "never"], false),
        (&[], false),
        (&["--color", "auto"], false),
    ] {
        let mut counter = Counter::with(options);
        counter.retag("two");
        let line = counter.run.err.line("the status line", |line| line.contains("v2"));
        assert_eq!(line.contains('\u{1b}'), coloured, "{options:?}: {line:?}");
    }
}

#[test]
fn no_color_is_honoured() {
    let project = Project::new(&[("a.vais", "F main() -> i64 { missing }\n")]);
    let plain = |value: &str, option: &str| {
        let run = Run::prepared(&project, |command| {
            command.env("NO_COLOR", value).args(["run", "--color", option, "a.vais"]);
        });
        !run.finish().err.contains('\u{1b}')
    };
    assert!(plain("1", "auto"));
    assert!(!plain("1", "always"), "an option outweighs the environment");
}

#[test]
fn events_to_standard_output() {
    let project = Project::new(&[(FILE, TEXT)]);
    let mut run = Run::with(&project, ["run", "--quiet", "--events", "-", FILE]);
    let ready = run.out.line("ready", |line| line.starts_with('{'));
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("an object a line");
    assert_eq!((ready["event"].as_str(), ready["version"].as_u64()), (Some("ready"), Some(1)));
    assert_eq!(ready["files"].as_array().map(Vec::len), Some(1));
    run.out.line("a step", |line| line.starts_with("one "));
    project.save(FILE, &tagged("two"));
    run.out.line("the reload", |line| line.starts_with('{') && line.contains("\"reloaded\""));
    run.out.line("a step of the new code", |line| line.starts_with("two "));
}

#[test]
fn an_events_file_that_cannot_be_written_is_wrong_usage() {
    let project = Project::new(&[(FILE, TEXT)]);
    let finished = run_to_end(&project, ["run", "--events", "no/such/folder/events", FILE]);
    assert_eq!(finished.status, Some(2), "{finished:?}");
    assert!(finished.err.contains("no/such/folder/events"), "{finished:?}");
}

/// The debounce is the longest wait for a mistake to be mended, not a delay of good saves.
#[test]
fn a_long_debounce_delays_no_good_save() {
    // Far longer than a test waits for anything.
    let mut counter = Counter::with(&["--debounce", "3600000"]);
    counter.retag("two");
}

#[test]
fn warnings_when_asked_for() {
    let text = "F main() -> i64 {\n    unused := 3\n    0\n}\n";
    let project = Project::new(&[("a.vais", text)]);
    assert_eq!(run_to_end(&project, ["run", "--quiet", "a.vais"]).err, "");
    let all = run_to_end(&project, ["run", "--quiet", "--warn", "all", "a.vais"]);
    assert!(all.err.contains("unused"), "{all:?}");
    assert_eq!(all.status, Some(0));
}
