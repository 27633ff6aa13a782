//! Runs the cases in `tests/ui/lex` and `tests/ui/parse`.
//!
//! A file holds many cases: `--- name`, a program, and, where the tree matters, `=== tree` and its dump. An error is
//! expected at the end of its line: `#~ E0101 part of the message`; a `#~` is removed before the program is parsed.
//! `UPDATE=1` rewrites what is expected.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use vaisjit_syntax::source::position_in;
use vaisjit_syntax::{Module, dump, parse};

struct Case {
    name: String,
    /// The program without the expectations.
    text: String,
    /// Line, and what is expected there.
    errors: Vec<(u32, String)>,
    tree: Option<String>,
}

/// What comes before the first case, and the cases.
fn cases(text: &str) -> (String, Vec<Case>) {
    let mut parts = text.split("\n--- ");
    let preamble = parts.next().unwrap_or("").to_string();
    (preamble, parts.map(case).collect())
}

fn case(part: &str) -> Case {
    let (name, body) = part.split_once('\n').unwrap_or((part, ""));
    let (program, tree) = match body.split_once("=== tree\n") {
        Some((program, tree)) => (program, Some(tree.trim_end().to_string())),
        None => (body, None),
    };
    let (mut text, mut errors) = (String::new(), Vec::new());
    for (index, line) in program.trim_end().lines().enumerate() {
        let mut expected = line.split("#~");
        text.push_str(expected.next().unwrap_or("").trim_end_matches(' '));
        text.push('\n');
        errors.extend(expected.map(|error| (index as u32 + 1, error.trim().to_string())));
    }
    Case { name: name.trim().to_string(), text, errors, tree }
}

/// Line, and code and message, of all diagnostics.
fn found(module: &Module, text: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for item in &module.items {
        for diagnostic in item.diagnostics.iter() {
            let at = item.start as usize + diagnostic.primary.place.span.start as usize;
            found.push((position_in(text, at).line, format!("{} {}", diagnostic.code, diagnostic.message)));
        }
    }
    found.sort();
    found
}

/// Is every diagnostic expected, and every expected one there?
fn agree(expected: &[(u32, String)], found: &[(u32, String)]) -> bool {
    let matches = |(line, text): &(u32, String), (at, message): &(u32, String)| {
        let (code, part) = text.split_once(' ').unwrap_or((text, ""));
        line == at && message.starts_with(code) && message.contains(part.trim())
    };
    expected.len() == found.len()
        && expected.iter().all(|expected| found.iter().any(|found| matches(expected, found)))
        && found.iter().all(|found| expected.iter().any(|expected| matches(expected, found)))
}

fn write_case(out: &mut String, case: &Case, found: &[(u32, String)], tree: &str) {
    let _ = writeln!(out, "\n--- {}", case.name);
    for (index, line) in case.text.lines().enumerate() {
        out.push_str(line);
        for (_, message) in found.iter().filter(|(at, _)| *at == index as u32 + 1) {
            let _ = write!(out, " #~ {message}");
        }
        out.push('\n');
    }
    if case.tree.is_some() {
        let _ = write!(out, "=== tree\n{tree}");
    }
}

fn run(path: &Path, failures: &mut String) {
    let update = std::env::var_os("UPDATE").is_some();
    let text = std::fs::read_to_string(path).expect("a readable file");
    let (preamble, cases) = cases(&text);
    let mut rewritten = format!("{}\n", preamble.trim_end());
    for case in &cases {
        let module = parse(&case.text);
        let (found, tree) = (found(&module, &case.text), dump(&module));
        if !agree(&case.errors, &found) && !update {
            let _ = writeln!(
                failures,
                "{}: {}: expected {:#?}, found {:#?}",
                path.display(),
                case.name,
                case.errors,
                found
            );
        }
        if case.tree.as_ref().is_some_and(|expected| expected != tree.trim_end()) && !update {
            let _ = writeln!(failures, "{}: {}: the tree is now\n{tree}", path.display(), case.name);
        }
        write_case(&mut rewritten, case, &found, &tree);
    }
    if update {
        std::fs::write(path, rewritten).expect("a writable file");
    }
}

#[test]
fn ui() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/ui");
    let mut failures = String::new();
    let mut files = 0;
    for folder in ["lex", "parse"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("the folder of cases") {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_some_and(|extension| extension == "vais") {
                run(&path, &mut failures);
                files += 1;
            }
        }
    }
    assert!(files > 0);
    assert!(failures.is_empty(), "{failures}");
}
