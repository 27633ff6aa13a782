//! The book and the README keep their promises: every program on their pages does what the page says, every chapter is
//! in the table of contents, every link leads somewhere. `UPDATE=1` rewrites the output below the programs.

mod links;
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{Finished, Project, Run, run_to_end};
use page::{Kind, Program, programs, with_outputs};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace exists")
}

/// The README and all pages of the book.
fn pages() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the book's folder can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn its_programs_do_what_it_says() {
    let update = std::env::var_os("UPDATE").is_some();
    let pages: Vec<(PathBuf, String)> =
        pages().into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("a page"))).collect();
    let jobs: Vec<(usize, Program)> =
        pages.iter().enumerate().flat_map(|(i, (_, text))| programs(text).into_iter().map(move |p| (i, p))).collect();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let outputs = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |n| n.get()).max(2) {
            scope.spawn(|| {
                while let Some((page, program)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let path = pages[*page].0.strip_prefix(root()).expect("a page of this project");
                    let place = format!("{}:{}", path.display(), program.line);
                    match tried(program) {
                        Err(why) => failures.lock().unwrap().push(format!("{place}: {why}")),
                        Ok(Some(output)) if output != program.expected() => {
                            let expected = program.expected();
                            let why = format!("{place}: expected\n{expected}\nbut it printed\n{output}");
                            outputs.lock().unwrap().push((*page, program.line, output));
                            if !update {
                                failures.lock().unwrap().push(why);
                            }
                        }
                        Ok(_) => {}
                    }
                }
            });
        }
    });
    let outputs = outputs.into_inner().unwrap();
    for (index, (path, text)) in pages.iter().enumerate().filter(|_| update) {
        let of_page = outputs.iter().filter(|(page, ..)| *page == index);
        let new = with_outputs(text, of_page.map(|(_, line, output)| (*line, output.as_str())));
        if new != *text {
            fs::write(path, new).expect("the page can be written");
        }
    }
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(failures.is_empty(), "{} of {} programs:\n\n{}", failures.len(), jobs.len(), failures.join("\n\n"));
}

/// Runs one program: what its output block should say, or why the program is not what its page calls it.
fn tried(program: &Program) -> Result<Option<String>, String> {
    let mut files: Vec<(&str, &str)> = program.files.iter().map(|(name, text)| (&**name, &**text)).collect();
    files.push(("main.vais", &program.text));
    let project = Project::new(&files);
    let check = || run_to_end(&project, ["check", "--format", "short", "main.vais"]);
    let mode: &[&str] = if program.kind == Kind::Live { &[] } else { &["--static"] };
    let run = || {
        let arguments = |command: &mut Command| {
            command.env("VAISJIT_LEAK_CHECK", "1").args(["run", "--quiet", "main.vais"]).args(mode);
        };
        Run::prepared(&project, arguments).finish()
    };
    match &program.kind {
        Kind::Ignored => Ok(None),
        Kind::Fragment => {
            let as_body = Project::new(&[("main.vais", &format!("F fragment() {{\n{}\n}}", program.text))]);
            let as_body = run_to_end(&as_body, ["check", "--format", "short", "main.vais"]);
            let mistakes = syntax_errors(&as_body).and_then(|_| syntax_errors(&check()));
            mistakes.map_or(Ok(None), |found| Err(format!("not a part of a program:\n{found}")))
        }
        Kind::Tests => {
            let finished = run_to_end(&project, ["test", "main.vais"]);
            if finished.status != Some(0) {
                return Err(format!("{}{}", finished.out, finished.err));
            }
            Ok(program.has_output().then(|| shown(&finished, "")))
        }
        Kind::Checked => expect_silence(&check()).map(|()| None),
        Kind::Warned(codes) | Kind::Refused(codes) => {
            let refused = matches!(program.kind, Kind::Refused(_));
            let mut found = check();
            if refused && found.status == Some(0) {
                // Some things are noticed only when machine code is made.
                found = run();
            }
            let given: BTreeSet<&str> = found.out.lines().chain(found.err.lines()).filter_map(code).collect();
            let wanted: BTreeSet<&str> = codes.iter().map(String::as_str).collect();
            if given != wanted || (found.status == Some(1)) != refused {
                return Err(format!("expected {wanted:?}, found\n{}{}", found.out, found.err));
            }
            if !refused {
                return Ok(Some(shown(&run(), "")));
            }
            let text = if program.in_full { run().err } else { found.out };
            Ok((program.in_full || program.has_output()).then(|| without_trailing_spaces(&[text.trim_end()])))
        }
        Kind::Trap => {
            let finished = run();
            if finished.status != Some(134) || !finished.err.starts_with("trap: ") {
                return Err(format!("no trap, but {finished:#?}"));
            }
            let first = finished.err.lines().next().unwrap_or_default();
            Ok(Some(shown(&finished, if program.in_full { finished.err.trim_end() } else { first })))
        }
        Kind::Run | Kind::Live => {
            let finished = run();
            if program.kind == Kind::Run || finished.out.is_empty() || finished.err.contains("leaked") {
                expect_silence(&finished)?;
            }
            finished.status.ok_or("a signal ended it")?;
            Ok(Some(shown(&finished, "")))
        }
    }
}

/// Fails when anything was said about the program.
fn expect_silence(finished: &Finished) -> Result<(), String> {
    if finished.err.is_empty() && !finished.out.lines().any(|line| code(line).is_some()) {
        return Ok(());
    }
    Err(format!("{}{}", finished.out, finished.err))
}

/// The lines about mistakes of spelling and grammar, if there are any.
fn syntax_errors(finished: &Finished) -> Option<String> {
    let lines = finished.out.lines().filter(|line| code(line).is_some_and(|code| code < "E0200"));
    let lines: Vec<&str> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The code of a line `file:line:column: error[CODE]: text` or `[CODE] Error: text`.
fn code(line: &str) -> Option<&str> {
    if let Some((code, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] Error: ")) {
        return Some(code);
    }
    line.split_once(": error[").or_else(|| line.split_once(": warning["))?.1.split(']').next()
}

/// Standard output, what is shown of standard error, and the status if it is not 0.
fn shown(finished: &Finished, report: &str) -> String {
    let mut lines = vec![finished.out.trim_end_matches('\n').to_owned(), report.to_owned()];
    lines.retain(|line| !line.is_empty());
    lines.extend(finished.status.filter(|status| *status != 0).map(|status| format!("exit {status}")));
    without_trailing_spaces(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Spaces at the ends of lines would not survive in an editor.
fn without_trailing_spaces(texts: &[&str]) -> String {
    texts.iter().flat_map(|text| text.lines()).map(str::trim_end).collect::<Vec<_>>().join("\n")
}
