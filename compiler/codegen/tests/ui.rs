//! Runs `tests/ui/{run,trap,mir}/*.vais`: named cases (`--- name`), the source, then what is expected.
//!
//! `run` and `trap`: `#> ` before each line of output, `#= ` before the end: `status 3`, `trap IndexOutOfBounds at 4`,
//! with the text of a panic. A program that leaks counted values fails, unless one of its lines is `#~ leaks`. `mir`:
//! `#| ` before each line of the dump. `UPDATE=1` rewrites expectations.

#[path = "../../../tests/ui/cases.rs"]
mod cases;
mod source;

use std::path::Path;

use cases::{Case, cases, marked};
use vaisjit_codegen::mir::interp::{Exit, Outcome};
use vaisjit_syntax::{Place, Sources};

fn ended(outcome: &Outcome, sources: &Sources) -> String {
    match &outcome.exit {
        Exit::Status(status) => format!("status {status}"),
        Exit::Trap(trap) => {
            let place = sources.position(Place::item(trap.item.0, trap.span));
            let line = place.map_or("?".to_owned(), |(_, position)| position.line.to_string());
            let message = trap.message.as_ref().map_or(String::new(), |message| format!(" {message:?}"));
            format!("trap {:?} at {line}{message}", trap.code)
        }
        other => format!("{other:?}"),
    }
}

fn executed(source: &str) -> String {
    match source::run(source) {
        Ok((outcome, sources)) => marked("#>", &outcome.output) + &marked("#=", &ended(&outcome, &sources)),
        Err(error) => marked("#= failed:", &error),
    }
}

fn dumped(source: &str) -> String {
    match source::mir(source, true) {
        Ok(dump) => marked("#|", &dump),
        Err(error) => marked("#| failed:", &error),
    }
}

fn check_folder(folder: &str, made: fn(&str) -> String) {
    let folder = source::root().join("tests/ui").join(folder);
    let wrong: Vec<String> = cases::files(&folder).iter().flat_map(|file| check_file(file, made)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The cases of a file that are not as expected, rewritten if asked for.
fn check_file(file: &Path, made: fn(&str) -> String) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("a case file");
    let (head, cases) = cases(&text);
    let mut fresh = head;
    let mut wrong = Vec::new();
    for Case { name, source, .. } in &cases {
        let case = format!("--- {name}\n{source}{}", made(source));
        if !text.contains(&case) {
            wrong.push(format!("{}:\n{case}", file.display()));
        }
        fresh.push_str(&case);
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, fresh).expect("the file can be written");
        return Vec::new();
    }
    wrong
}

#[test]
fn programs_do_what_they_should() {
    check_folder("run", executed);
}

#[test]
fn failing_programs_say_where() {
    check_folder("trap", executed);
}

#[test]
fn programs_become_this_mir() {
    check_folder("mir", dumped);
}
