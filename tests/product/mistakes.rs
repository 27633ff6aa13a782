//! Broken saves: nothing changes, the mistake is explained at once and again, and mending it is enough.

use crate::counter::{Counter, FILE, TEXT, tagged};
use crate::harness::replaced;

/// Saves a broken text and checks that it is explained at this line.
fn explains(broken: &str, line: u64) {
    let mut counter = Counter::start();
    counter.project.save(FILE, broken);
    let event = counter.run.event("rejected");
    assert_eq!(event["version"], 1);
    let diagnostics = event["diagnostics"].as_array().unwrap();
    let found = diagnostics.iter().find(|diagnostic| diagnostic["line"] == line);
    let found = found.unwrap_or_else(|| panic!("no diagnostic in line {line}: {event:#}"));
    assert!(found["code"].as_str().is_some_and(|code| code.starts_with('E')), "{found:#}");
    assert!(found["column"].as_u64() >= Some(1), "{found:#}");
    assert!(found["file"].as_str().is_some_and(|file| file.ends_with(FILE)), "{found:#}");
    let code = found["code"].as_str().unwrap().to_owned();
    counter.run.err.line("the diagnostic", |text| text.contains(&code));
    counter.run.err.line("the status line", |text| text.starts_with("rejected v1"));
    counter.still("one");
    counter.retag("two");
    counter.is_continuous();
}

#[test]
fn a_mistake_of_syntax() {
    explains(&replaced(TEXT, "total += POINTS", "total += "), 11);
}

#[test]
fn an_unclosed_brace() {
    explains(&replaced(TEXT, "    0\n}\n\nF main", "    0\n\nF main"), 9);
}

#[test]
fn an_unknown_name() {
    explains(&replaced(TEXT, "total += POINTS", "total += POINTZ"), 10);
}

#[test]
fn a_wrong_type() {
    explains(&replaced(TEXT, "total += POINTS", "total += 1.5"), 10);
}

/// Only the callee is edited: its caller is what no longer fits.
#[test]
fn a_signature_that_a_caller_does_not_follow() {
    explains(&replaced(TEXT, "F step(n: i64)", "F step(n: i64, m: i64)"), 18);
}

#[test]
fn a_removed_function_that_is_still_called() {
    let broken = replaced(TEXT, "F step(", "F stop(");
    explains(&broken, 18);
}

#[test]
fn an_empty_file_does_not_end_the_program() {
    let mut counter = Counter::start();
    counter.project.write(FILE, "");
    counter.run.event("rejected");
    counter.still("one");
    counter.retag("two");
}

#[test]
fn a_binary_file_does_not_end_the_program() {
    let mut counter = Counter::start();
    std::fs::write(counter.project.path(FILE), [0x7f, b'E', b'L', b'F', 0, 255, 254, 0]).unwrap();
    counter.run.err.line("what is wrong", |line| line.contains(FILE) && line.contains("UTF-8"));
    counter.still("one");
    counter.retag("two");
}

#[test]
fn a_deleted_file_does_not_end_the_program() {
    let mut counter = Counter::start();
    std::fs::remove_file(counter.project.path(FILE)).unwrap();
    counter.run.err.line("what is missing", |line| line.contains(FILE) && !line.starts_with("ready"));
    counter.still("one");
    counter.project.write(FILE, &tagged("two"));
    counter.run.event_after("reloaded", &["rejected", "notice"]);
    counter.sees("two");
    counter.is_continuous();
}

#[test]
fn the_mistakes_are_shown_again_when_the_next_save_still_has_them() {
    let mut counter = Counter::start();
    let broken = replaced(TEXT, "total += POINTS", "total += POINTZ");
    counter.project.save(FILE, &broken);
    counter.run.event("rejected");
    counter.run.err.line("the first time", |line| line.contains("POINTZ"));
    counter.run.err.line("its end", |line| line.starts_with("rejected"));
    counter.project.save(FILE, &format!("{broken}# Saved again.\n"));
    counter.run.event("rejected");
    counter.run.err.line("the second time", |line| line.contains("POINTZ"));
}

#[test]
fn several_mistakes_are_shown_in_one_go() {
    let mut counter = Counter::start();
    let broken = replaced(TEXT, "total += POINTS", "total += POINTZ");
    let broken = replaced(&broken, "F doubled(n: i64) -> i64 { n * 2 }", "F doubled(n: i64) -> i64 { n * \"two\" }");
    counter.project.save(FILE, &replaced(&broken, "usleep(2000)", "uslip(2000)"));
    let event = counter.run.event("rejected");
    let lines: Vec<u64> =
        event["diagnostics"].as_array().unwrap().iter().filter_map(|found| found["line"].as_u64()).collect();
    for line in [6, 10, 20] {
        assert!(lines.contains(&line), "line {line} in {lines:?}");
    }
}

#[test]
fn a_mistake_taken_back_is_unchanged() {
    let mut counter = Counter::start();
    counter.project.save(FILE, &replaced(TEXT, "total += POINTS", "total += POINTZ"));
    counter.run.event("rejected");
    counter.project.save(FILE, TEXT);
    counter.run.event("unchanged");
    counter.still("one");
    counter.is_continuous();
}
