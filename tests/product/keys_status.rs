//! The status line at a terminal: it tidies up behind itself, but never takes off what somebody else has written.

use crate::counter::{Counter, FILE as COUNTER, TEXT, tagged};
use crate::harness::{replaced, shown};
use crate::keys::{FILE, QUIET, Session, adding};

/// What is shown from the first line with this beginning on.
fn shown_from(session: &Session, start: &str) -> Vec<String> {
    let lines = shown(&session.terminal.screen.text());
    let first = lines.iter().position(|line| line.starts_with(start)).unwrap_or(lines.len());
    lines[first..].iter().filter(|line| !line.is_empty()).cloned().collect()
}

/// Only Linux tells whether something else was written.
#[cfg(target_os = "linux")]
#[test]
fn saves_in_quick_succession_share_a_line() {
    let mut session = Session::start(QUIET);
    session.sees("main starts");
    // A busy computer may take longer than a second between two of them, but not every time.
    let saves = |line: &String| line.split(" (").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    for version in 2..100 {
        session.saves(&adding(version));
        session.sees(&format!("v{version} "));
        let lines = shown_from(&session, "reloaded");
        let told: usize = lines.iter().map(|line| saves(line).unwrap_or(1)).sum();
        assert_eq!(told, version as usize - 1, "{lines:#?}");
        if lines.last().and_then(saves).is_some_and(|saves| saves >= 3) {
            return;
        }
    }
    panic!("none share a line: {:#?}", shown_from(&session, "reloaded"));
}

#[cfg(target_os = "linux")]
#[test]
fn diagnostics_go_when_they_are_mended() {
    let mut session = Session::start(QUIET);
    session.sees("main starts");
    for wrong in ["totl += 1", "totl += 2"] {
        session.project.save(FILE, &replaced(QUIET, "total += 1", wrong));
        session.run.event_after("rejected", &["ready"]);
    }
    session.sees("rejected v1");
    session.sees("rejected v1");
    let before = shown_from(&session, "ready");
    let has = |part: &str| before.iter().any(|line| line.contains(part));
    assert!(has("totl += 2") && !has("totl += 1"), "the first is gone: {before:#?}");
    session.saves(&adding(2));
    session.sees("mended, reloaded v2");
    let lines = shown_from(&session, "ready");
    assert!(lines.iter().all(|line| !line.contains("totl") && !line.contains("rejected")), "{lines:#?}");
}

#[test]
fn a_program_that_writes_keeps_its_lines() {
    let mut session = Session::start(&replaced(QUIET, "total += 1", "total += 1\n    println(\"line {total}\")"));
    session.sees("line 5");
    let text = session.project.read(FILE);
    for number in 2..5 {
        session.saves(&replaced(&text, "total += 1", &format!("total += {number}")));
    }
    session.sees("v4 ");
    let written = session.terminal.screen.text();
    assert!(!written.contains("\u{1b}[1A"), "{written}");
}

/// Nothing is taken off where there is no terminal, but it is said that all is well again.
#[test]
fn mended_is_said_everywhere() {
    let mut counter = Counter::start();
    counter.project.save(COUNTER, &replaced(TEXT, "total += POINTS", "totl += POINTS"));
    counter.run.event_after("rejected", &["ready"]);
    counter.project.save(COUNTER, &tagged("two"));
    counter.run.event("reloaded");
    counter.run.err.line("the status", |line| line.starts_with("mended, reloaded v2"));
    counter.retag("three");
    counter.run.err.line("the status", |line| line.starts_with("reloaded v3"));
    assert!(!counter.run.err.text().contains("\u{1b}["));
}
