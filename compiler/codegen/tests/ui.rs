//! Runs `tests/ui/{run,trap,mir}/*.vais`: named cases (`--- name`), the source, then what is expected.
//!
//! `run` and `trap`: `#> ` before each line of output, `#= ` before the end: `status 3`, `trap IndexOutOfBounds at 4`,
//! with the text of a panic. A program that leaks counted values fails, unless one of its lines is `#~ leaks`. `mir`:
//! `#| ` before each line of the dump. `UPDATE=1` rewrites expectations.

mod source;

use std::path::Path;

use vaisjit_codegen::mir::interp::{Exit, Outcome};
use vaisjit_syntax::{Place, Sources};

/// Name and source of every case; the text before the first one.
fn cases(text: &str) -> (String, Vec<(String, String)>) {
    let mut head = String::new();
    let mut cases: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("--- ") {
            cases.push((name.trim().to_owned(), String::new()));
        } else if let Some((_, source)) = cases.last_mut() {
            if !["#>", "#=", "#|"].iter().any(|mark| line.starts_with(mark)) {
                source.push_str(line);
            }
        } else {
            head.push_str(line);
        }
    }
    (head, cases)
}

fn marked(mark: &str, text: &str) -> String {
    text.lines().map(|line| format!("{} {line}", mark).trim_end().to_owned() + "\n").collect()
}

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
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("the cases").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let wrong: Vec<String> = files.iter().flat_map(|file| check_file(file, made)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The cases of a file that are not as expected, rewritten if asked for.
fn check_file(file: &Path, made: fn(&str) -> String) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("a case file");
    let (head, cases) = cases(&text);
    let mut fresh = head;
    let mut wrong = Vec::new();
    for (name, source) in &cases {
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
