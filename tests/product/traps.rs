//! Failures at run time: reported with the source line and a backtrace, status 134, output before them not lost.

use serde_json::Value;

use crate::counter::{Counter, FILE};
use crate::harness::{Finished, Project, Run, run_to_end};

/// A trap in line 3 of `deep`, called by `main` in line 8.
fn in_deep(parameters: &str, line: &str, call: &str) -> Finished {
    let text = format!(
        "F deep({parameters}) -> i64 {{\n    n := 1\n    {line}\n}}\n\nF main() -> i64 {{\n    puts(\"begun\")\n    {call}\n}}\n"
    );
    let project = Project::new(&[("a.vais", &text)]);
    let events = project.events_path();
    let args = ["run", "--on-trap", "exit", "--color", "never", "--events", events.to_str().unwrap(), "a.vais"];
    let finished = run_to_end(&project, args);
    assert!(!finished.err.contains("panicked"), "{finished:?}");
    finished
}

fn trap_event(finished: &Finished) -> &Value {
    let trap = finished.events.iter().find(|event| event["event"] == "trap");
    trap.unwrap_or_else(|| panic!("no trap: {finished:?}"))
}

/// The report, the event and the status of a trap in line 3, column `column`.
fn traps(parameters: &str, line: &str, call: &str, code: &str, message: &str, column: u64) {
    let finished = in_deep(parameters, line, call);
    assert_eq!(finished.status, Some(134), "{finished:?}");
    assert_eq!(finished.out, "begun\n");
    let trap = trap_event(&finished);
    assert_eq!(trap["code"], code, "{trap:#}");
    assert_eq!((trap["line"].as_u64(), trap["column"].as_u64()), (Some(3), Some(column)), "{trap:#}");
    assert!(trap["file"].as_str().is_some_and(|file| file.ends_with("a.vais")), "{trap:#}");
    assert!(finished.err.contains(message), "no `{message}` in {}", finished.err);
    assert!(finished.err.contains(&format!("a.vais:3:{column}")), "{}", finished.err);
    assert!(finished.err.contains(line), "the source line is shown: {}", finished.err);
    let frames: Vec<&str> = finished.err.lines().filter(|line| line.ends_with("(v1)")).map(str::trim).collect();
    assert!(frames[0].starts_with("in deep at ") && frames[0].contains("a.vais:3"), "{frames:?}");
    assert!(frames[1].starts_with("by main at ") && frames[1].contains("a.vais:8"), "{frames:?}");
    let last = finished.events.last().unwrap();
    assert_eq!((last["event"].as_str(), last["status"].as_i64()), (Some("exit"), Some(134)));
}

#[test]
fn division_by_zero() {
    traps("d: i64", "n / d", "deep(0)", "DivisionByZero", "division by zero", 5);
}

#[test]
fn remainder_by_zero() {
    traps("d: i64", "n % d", "deep(0)", "DivisionByZero", "division by zero", 5);
}

#[test]
fn an_index_beyond_the_end() {
    traps("i: i64", "[1, 2, 3][i]", "deep(3)", "IndexOutOfBounds", "3", 5);
}

#[test]
fn a_negative_index() {
    traps("i: i64", "[1, 2, 3][i]", "deep(0 - 1)", "IndexOutOfBounds", "-1", 5);
}

#[test]
fn a_null_pointer_read() {
    traps("p: *i64", "n + *p", "deep(0 as *i64)", "NullPointer", "null pointer", 5);
}

#[test]
fn a_null_pointer_written() {
    let finished = in_deep("p: *i64", "*p = 1 R 0", "deep(0 as *i64)");
    assert_eq!(finished.status, Some(134), "{finished:?}");
    assert_eq!(trap_event(&finished)["code"], "NullPointer");
    assert_eq!(trap_event(&finished)["line"], 3);
}

#[test]
fn a_failed_assertion() {
    let finished = in_deep("n: i64", "assert(n == 2) R 0", "deep(1)");
    assert_eq!(finished.status, Some(134), "{finished:?}");
    assert_eq!(trap_event(&finished)["code"], "AssertFailed");
    assert_eq!(trap_event(&finished)["line"], 3);
}

#[test]
fn a_panic_with_a_message() {
    let finished = in_deep("n: i64", "panic(\"no fuel\")", "deep(1)");
    assert_eq!(finished.status, Some(134), "{finished:?}");
    assert!(finished.err.contains("no fuel"), "{finished:?}");
    assert_eq!(trap_event(&finished)["code"], "Panic");
}

#[test]
fn endless_recursion() {
    let finished = in_deep("k: i64", "deep(k + n) + 1", "deep(0)");
    assert_eq!(finished.status, Some(134), "{finished:?}");
    assert_eq!(trap_event(&finished)["code"], "StackOverflow");
    assert!(finished.err.lines().count() < 100, "a deep backtrace is cut: {}", finished.err.lines().count());
}

#[test]
fn a_wild_pointer_read() {
    traps("p: *i64", "n + *p", "deep(81985529216486895 as *i64)", "BadAddress", "invalid memory access", 5);
}

#[test]
fn a_missing_value_unwrapped() {
    traps("o: Option<i64>", "n + o!", "deep(None)", "UnwrapFailed", "unwrapped a value that is not there", 9);
}

#[test]
fn a_failure_in_a_deferred_block() {
    let finished = in_deep("d: i64", "D { n / d } n", "deep(0)");
    assert_eq!(finished.status, Some(134), "{finished:?}");
    assert_eq!((&trap_event(&finished)["code"], &trap_event(&finished)["line"]), (&"DivisionByZero".into(), &3.into()));
}

/// The frames on both sides of C are told of.
#[test]
fn a_failure_in_a_callback_of_c() {
    let text = "N { F qsort(base: *i64, n: i64, size: i64, f: fn(*i64, *i64) -> i64); }\nF compare(a: *i64, b: *i64) -> i64 { *a / (*b - \
                *b) }\nF main() -> i64 {\n    numbers := [3, 1, 2]\n    qsort(&numbers as *i64, 3, 8, compare)\n    0\n}\n";
    let project = Project::new(&[("a.vais", text)]);
    let finished = run_to_end(&project, ["run", "a.vais"]);
    assert_eq!(finished.status, Some(134), "{finished:?}");
    assert!(finished.err.contains("in compare at a.vais:2 (v1)"), "{}", finished.err);
    assert!(finished.err.contains("by main at a.vais:5 (v1)"), "{}", finished.err);
}

/// Threads that fail, all at the same time and by all means, end alone.
#[test]
fn failures_of_several_threads_at_once() {
    let text = r#"U std/thread
F deep(n: i64) -> i64 { deep(n + 1) + 1 }
F fails(kind: i64) -> i64 {
    I kind % 4 == 0 { R deep(kind) }
    I kind % 4 == 1 { R *((kind - kind) as *i64) }
    I kind % 4 == 2 { R [1, 2][kind] }
    kind / (kind - kind)
}
F main() -> i64 {
    threads: Vec<Thread> = Vec.new()
    L i: 0..12 {
        kind := i + 4
        threads.push(spawn(|| { fails(kind) }))
    }
    failed := 0
    L i: 0..12 { M threads[i].join() { Ok(v) => { } Err(why) => { failed += 1 } } }
    println("{failed} failed")
    0
}
"#;
    let project = Project::new(&[("a.vais", text)]);
    let finished = run_to_end(&project, ["run", "a.vais"]);
    assert_eq!((finished.status, &*finished.out), (Some(0), "12 failed\n"), "{finished:?}");
    for message in ["out of stack", "null pointer", "division by zero", "is out of bounds of 2 elements"] {
        assert_eq!(finished.err.matches(message).count(), 3, "{message}: {}", finished.err);
    }
}

#[test]
fn traps_in_static_mode() {
    let text = "F deep(d: i64) -> i64 {\n    100 / d\n}\n\nF main() -> i64 {\n    puts(\"begun\")\n    deep(0)\n}\n";
    let project = Project::new(&[("a.vais", text)]);
    let finished = run_to_end(&project, ["run", "--static", "a.vais"]);
    assert_eq!(finished.status, Some(134), "{finished:?}");
    assert_eq!(finished.out, "begun\n");
    assert!(finished.err.contains("division by zero") && finished.err.contains("a.vais:2"), "{finished:?}");
}

#[test]
fn output_before_a_trap_is_not_lost() {
    let text = "F main() -> i64 {\n    zero := 0\n    printf(\"first\\n\")\n    print(\"no newline\")\n    printf(\" here\")\n    \
                1 / zero\n}\n";
    let project = Project::new(&[("a.vais", text)]);
    let finished = run_to_end(&project, ["run", "a.vais"]);
    assert_eq!(finished.status, Some(134), "{finished:?}");
    assert_eq!(finished.out, "first\nno newline here");
}

/// Division at the edge is no trap.
#[test]
fn the_smallest_number_by_minus_one() {
    let text = "F q(a: i64, b: i64) -> i64 { a / b }\nF r(a: i64, b: i64) -> i64 { a % b }\n\
                F main() -> i64 {\n    m := 0 - 9223372036854775807 - 1\n    println(\"{q(m, 0 - 1) == m} {r(m, 0 - 1)}\")\n    0\n}\n";
    let project = Project::new(&[("a.vais", text)]);
    let finished = run_to_end(&project, ["run", "a.vais"]);
    assert_eq!((finished.status, &*finished.out), (Some(0), "1 0\n"), "{finished:?}");
}

#[test]
fn a_trap_in_reloaded_code_names_its_version() {
    let mut counter = Counter::with(&["--on-trap", "exit"]);
    counter.project.edit(FILE, "    total += POINTS\n", "    total += POINTS / (total - total)\n");
    counter.run.event("reloaded");
    let trap = counter.run.event("trap");
    assert_eq!(trap["backtrace"][0]["version"], 2, "{trap:#}");
    assert_eq!(trap["backtrace"][0]["function"], "step");
    assert_eq!(trap["backtrace"][1]["version"], 1);
    assert_eq!(counter.run.wait().code(), Some(134));
}

#[test]
fn a_trap_while_a_global_is_initialised() {
    let text = "F bad(d: i64) -> i64 { 1 / d }\n\nG start: i64 = bad(0)\n\nF main() -> i64 { start }\n";
    let project = Project::new(&[("a.vais", text)]);
    let finished = run_to_end(&project, ["run", "a.vais"]);
    assert!(matches!(finished.status, Some(1 | 134)), "{finished:?}");
    assert!(finished.err.contains("division by zero"), "{finished:?}");
}

/// The default when standard error is no terminal is to end, not to wait for a save that nobody will make.
#[test]
fn without_a_terminal_a_trap_ends_the_program() {
    let project = Project::new(&[("a.vais", "F main() -> i64 {\n    z := 0\n    1 / z\n}\n")]);
    let mut run = Run::hot(&project, "a.vais");
    assert_eq!(run.wait().code(), Some(134));
}
