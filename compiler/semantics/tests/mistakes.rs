//! Runs `tests/ui/mistakes/*.vais`: programs with one mistake each (`--- name`), which must give exactly one error.
//!
//! `#~ E0201 5 `coutn`: text` behind a line is the error, with the column and the text of the tokens it marks. `#+ line`
//! below it is the line after the suggested edits; the program with all of them applied must have no error and no
//! warning. `--- name (3)` are three mistakes, `--- name (left out)` one that no edit mends, `+++ name` begins another
//! module. `UPDATE=1` rewrites the expectations.

mod support;

use std::ops::Range;
use std::sync::Arc;

use vaisjit_syntax::{Diagnostic, FileId, Severity, SourceFile, Sources, parse};

/// A module of a case: its name and its text without expectations.
type Text = (String, String);

struct Case {
    name: String,
    /// As it stands in the file.
    written: String,
    modules: Vec<Text>,
}

fn cases(text: &str) -> (String, Vec<Case>) {
    let mut head = String::new();
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("--- ") {
            let modules = vec![("main".to_string(), String::new())];
            cases.push(Case { name: name.trim().into(), written: String::new(), modules });
        } else if let Some(case) = cases.last_mut() {
            case.written.push_str(&format!("{line}\n"));
            if let Some(name) = line.strip_prefix("+++ ") {
                case.modules.push((name.trim().into(), String::new()));
            } else if !line.starts_with("#+") {
                let bare = line.split("#~").next().unwrap_or("").trim_end();
                case.modules.last_mut().expect("a case has a module").1.push_str(&format!("{bare}\n"));
            }
        } else {
            head.push_str(&format!("{line}\n"));
        }
    }
    (head, cases)
}

/// What is shown of a program without `--warn all`.
fn check(modules: &[Text]) -> (Vec<Diagnostic>, Sources) {
    let trees: Vec<_> = modules.iter().map(|(name, text)| (&name[..], Arc::new(parse(text)))).collect();
    let checked = vaisjit_semantics::check(&support::input(&trees), None);
    let mut sources = Sources::default();
    for (index, ((name, text), (_, tree))) in modules.iter().zip(&trees).enumerate() {
        let file = SourceFile { path: name.into(), text: text.as_str().into(), module: tree.clone() };
        sources.insert(FileId(index as u32), file);
    }
    let parsed = trees.iter().flat_map(|(_, tree)| tree.items.iter().flat_map(|item| item.diagnostics.iter().cloned()));
    let all = parsed.chain(checked.diagnostics.iter().cloned());
    (all.filter(|found| found.severity != Severity::Lint).collect(), sources)
}

/// The modules after the suggested edits.
fn mended(modules: &[Text], found: &[Diagnostic], sources: &Sources) -> Vec<Text> {
    let mut edits: Vec<(FileId, Range<usize>, &str)> = Vec::new();
    for suggestion in found.iter().flat_map(|diagnostic| &diagnostic.suggestions) {
        let (file, range) = sources.resolve(suggestion.place).expect("a suggestion is about the program");
        edits.push((file, range, &suggestion.replacement));
    }
    edits.sort_by_key(|(file, range, _)| (*file, range.start, range.end));
    let mut modules = modules.to_vec();
    for (file, range, replacement) in edits.into_iter().rev() {
        modules[file.0 as usize].1.replace_range(range, replacement);
    }
    modules
}

/// The note about an error, and where it goes: module and line.
fn note(diagnostic: &Diagnostic, sources: &Sources) -> (usize, usize, String) {
    let place = diagnostic.primary.place;
    let (file, range) = sources.resolve(place).expect("an error is in the program");
    let (_, position) = sources.position(place).expect("an error is in the program");
    let marked = &sources.get(file).expect("a module").text[range];
    let first = marked.lines().next().unwrap_or("");
    let dots = if marked.lines().count() > 1 { " ..." } else { "" };
    let severity = if diagnostic.is_error() { "" } else { "warning " };
    let note = format!(
        "#~ {severity}{} {} `{first}{dots}`: {}",
        diagnostic.code,
        position.column,
        diagnostic.message.replace('\n', " ")
    );
    (file.0 as usize, position.line as usize - 1, note)
}

/// The case as it should stand in the file.
fn annotated(case: &Case, found: &[Diagnostic], sources: &Sources, mended: &[Text]) -> String {
    let notes: Vec<_> = found.iter().map(|diagnostic| note(diagnostic, sources)).collect();
    let mut out = String::new();
    for (index, ((name, text), (_, after))) in case.modules.iter().zip(mended).enumerate() {
        if index > 0 {
            out.push_str(&format!("+++ {name}\n"));
        }
        let same_length = text.lines().count() == after.lines().count();
        for (number, line) in text.lines().enumerate() {
            out.push_str(line);
            for (_, _, note) in notes.iter().filter(|(file, at, _)| (*file, *at) == (index, number)) {
                out.push_str(&format!(" {note}"));
            }
            out.push('\n');
            let after = after.lines().nth(number).filter(|after| same_length && *after != line);
            out.push_str(&after.map_or(String::new(), |after| format!("#+ {after}\n")));
        }
        if !same_length {
            after.lines().for_each(|line| out.push_str(&format!("#+ {line}\n")));
        }
    }
    out
}

/// What is wrong with the answer to a case.
fn faults(case: &Case, found: &[Diagnostic], mended: &[Text]) -> Option<String> {
    let wanted = match case.name.rsplit_once(" (").map(|(_, count)| count.trim_end_matches(')')) {
        Some(count) => count.parse().unwrap_or(1),
        None => 1,
    };
    let errors = found.len();
    if errors != wanted {
        return Some(format!("{errors} errors, not {wanted}"));
    }
    let unmendable = found.iter().any(|diagnostic| diagnostic.suggestions.is_empty());
    if unmendable || case.name.ends_with("(left out)") {
        return None;
    }
    let (rest, sources) = check(mended);
    let rest: Vec<String> = rest.iter().map(|diagnostic| note(diagnostic, &sources).2).collect();
    (!rest.is_empty()).then(|| format!("mended, it still has {}", rest.join("; ")))
}

#[test]
fn one_mistake_gives_one_error_and_its_edits_mend_it() {
    let update = std::env::var_os("UPDATE").is_some();
    let folder = support::root().join("tests/ui/mistakes");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("the cases").flatten().map(|e| e.path()).collect();
    files.sort();
    let (mut failures, mut count) = (Vec::new(), 0);
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let (mut updated, cases) = cases(&text);
        count += cases.len();
        for case in &cases {
            let (found, sources) = check(&case.modules);
            let mended = mended(&case.modules, &found, &sources);
            let shown = annotated(case, &found, &sources, &mended);
            let fault = faults(case, &found, &mended)
                .or_else(|| (shown.trim_end() != case.written.trim_end()).then(|| "other than expected".to_string()))
                .filter(|fault| !update || !fault.starts_with("other"));
            if let Some(fault) = fault {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                failures.push(format!("{name}: {}: {fault}\n{shown}", case.name));
            }
            updated.push_str(&format!("--- {}\n{shown}", case.name));
        }
        if update {
            std::fs::write(&path, updated).expect("a writable file");
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count >= 200, "only {count} cases");
}
