//! Plays a case on a real program in a temporary folder. The only place that touches the library.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use vaisjit::{Arguments, Engine, Error, Outcome, Prepared, Program, Report, Returned, Update};

use crate::case::{Case, Step};

const ROOT: &str = "main.vais";

/// What is seen at each step that expects something.
pub fn play(case: &Case) -> Vec<(usize, String)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut program = None;
    let mut seen = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        match step {
            Step::File { name, text, .. } => write(&folder, name.as_deref().unwrap_or(ROOT), text.as_deref()),
            Step::Reload { .. } => {
                let program = program.get_or_insert_with(|| load(folder.path(), case));
                let seen_there = reload(program, case).replace(&format!("{}/", folder.path().display()), "");
                seen.push((index, seen_there));
            }
            Step::Call { function, arguments, .. } => {
                let program = program.get_or_insert_with(|| load(folder.path(), case));
                seen.push((index, call(program, function, arguments)));
            }
        }
        if starts_version_2(&case.steps, index) {
            program.get_or_insert_with(|| load(folder.path(), case));
        }
    }
    // Nothing may be left behind by what was converted; where a call has trapped, nothing can be told.
    let left = program.and_then(|program| program.heap_check().ok());
    assert!(left.as_ref().is_none_or(|left| left.is_empty()), "{}: {left:?} is left on the heap", case.name);
    seen
}

/// Is the next step the first file of the second version? Then the first one is loaded before.
fn starts_version_2(steps: &[Step], index: usize) -> bool {
    let version = |step: Option<&Step>| match step {
        Some(Step::File { version, .. }) => version.clone(),
        _ => String::new(),
    };
    version(steps.get(index)) == "v1" && version(steps.get(index + 1)) == "v2"
}

fn write(folder: &TempDir, name: &str, text: Option<&str>) {
    let path = folder.path().join(name);
    match text {
        Some(text) => fs::write(path, text).expect("written"),
        None => fs::remove_file(path).expect("removed"),
    }
}

fn load(folder: &Path, case: &Case) -> Program {
    let engine = Engine::builder().build().expect("an engine");
    engine.load_file(folder.join(ROOT)).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// Asks what a reload would do, and does it: both must say the same.
fn reload(program: &Program, case: &Case) -> String {
    let before = program.version();
    let asked = program.prepare();
    let planned = asked.as_ref().map_or(before, Prepared::version);
    let asked = match &asked {
        Ok(prepared) if prepared.version() == before => unchanged(prepared.report()),
        Ok(prepared) => edits(prepared.report(), false),
        Err(error) => turned_down(error),
    };
    assert_eq!(program.version(), before, "{}: a question has changed something", case.name);
    let (text, is_new) = match program.poll() {
        Ok(Update::Reloaded { report, .. }) => (edits(&report, false), true),
        Ok(Update::Unchanged(report)) => (unchanged(&report), false),
        Ok(Update::Rejected(_) | Update::Refused(_) | Update::Superseded) => ("another result".to_owned(), false),
        Err(error) => (turned_down(&error), false),
    };
    assert_eq!(program.version(), before + u64::from(is_new), "`{text}` must count");
    if !only_in_a_commit(&text) {
        let found = (&text, program.version());
        assert_eq!((&asked, planned), found, "{}: asked first, then saved", case.name);
    }
    assert_eq!(program.heap_verify(), Vec::<String>::new(), "`{text}` leaves the heap whole");
    text
}

/// Does this only show when code of the program runs or values lie in their new places, which a question does not do? What hooks
/// decline, what traps or takes too long in hooks, initial values, defaults and migrations, and keys that become the same.
fn only_in_a_commit(text: &str) -> bool {
    let signs = ["declined with", "trapped", "did not end within", "had the key of another one", " failed: "];
    signs.iter().any(|sign| text.contains(sign))
}

fn unchanged(report: &Report) -> String {
    if report.edits.is_empty() { "unchanged".to_owned() } else { format!("unchanged, {}", edits(report, false)) }
}

fn turned_down(error: &Error) -> String {
    match error {
        Error::Rejected(diagnostics) => {
            let codes: Vec<String> = diagnostics.list.iter().map(|found| found.code.to_string()).collect();
            format!("rejected {}", codes.join(" "))
        }
        Error::Refused(report) => edits(report, true),
        error => format!("failed: {error}"),
    }
}

/// The edits of a report: `changed tick, added global lives (initialised)`.
fn edits(report: &Report, refused: bool) -> String {
    let all = report.edits.iter().filter(|edit| !refused || matches!(edit.outcome, Outcome::Refused { .. }));
    let texts: Vec<String> = all
        .map(|edit| {
            let kind = if edit.kind == "function" { String::new() } else { format!("{} ", edit.kind) };
            let change = if refused { "refused" } else { edit.change };
            let outcome = match &edit.outcome {
                Outcome::LiveNow => String::new(),
                Outcome::AtNextCall => " (at the next call)".to_owned(),
                Outcome::NoCode => " (no code)".to_owned(),
                Outcome::KeptValue => " (kept)".to_owned(),
                Outcome::Initialised => " (initialised)".to_owned(),
                Outcome::Migrated { instances } => format!(" (migrated {instances})"),
                Outcome::AtNextLoopHead => " (at the next loop head)".to_owned(),
                Outcome::Pending { waits_for } => format!(" (waits for {waits_for})"),
                Outcome::HeldBack => " (held back)".to_owned(),
                Outcome::Refused { why, help } => {
                    assert!(!help.is_empty(), "a refusal needs a way out");
                    format!(": {why}")
                }
            };
            format!("{change} {kind}{}{outcome}", edit.name)
        })
        .collect();
    let notices = report.notices.iter().map(|notice| format!("; {notice}"));
    texts.join(", ") + &notices.collect::<String>()
}

/// Calls with whole numbers, unless the first argument has a point; a result is tried as each kind there is.
fn call(program: &Program, function: &str, arguments: &[String]) -> String {
    if arguments.iter().any(|argument| argument.contains('.')) {
        let float = |index: usize| arguments[index].parse::<f64>().expect("a number");
        return typed::<(f64,), f64>(program, function, (float(0),))
            .or_else(|_| typed::<(f64,), i64>(program, function, (float(0),)))
            .unwrap_or_else(|error| error.to_string());
    }
    let number = |index: usize| arguments[index].parse::<i64>().expect("a number");
    let result = match arguments.len() {
        0 => typed::<(), i64>(program, function, ()).or_else(|_| typed::<(), f64>(program, function, ())),
        1 => typed::<(i64,), i64>(program, function, (number(0),)),
        _ => typed::<(i64, i64), i64>(program, function, (number(0), number(1))),
    };
    result.unwrap_or_else(|error| error.to_string())
}

fn typed<A: Arguments, R: Returned + std::fmt::Debug>(
    program: &Program,
    function: &str,
    arguments: A,
) -> Result<String, Error> {
    let function = program.function::<A, R>(function)?;
    Ok(match function.call(arguments) {
        Ok(result) => format!("{result:?}"),
        Err(trap) => format!("trap {:?}", trap.code),
    })
}
