//! Runs `tests/ui/check/*.vais`: named cases (`--- name`) with the expected messages beside their lines
//! (`#~ E0301 text`). `+++ name` begins another module of the case. `UPDATE=1` rewrites the expectations.

mod support;

use std::sync::Arc;

use vaisjit_syntax::{FileId, Severity, SourceFile, Sources, parse};

/// A case's modules: name and text.
type Case = (String, Vec<(String, String)>);

fn cases(text: &str) -> (String, Vec<Case>) {
    let mut head = String::new();
    let mut cases: Vec<Case> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("--- ") {
            cases.push((name.trim().into(), vec![("main".into(), String::new())]));
        } else if let (Some(name), Some((_, modules))) = (line.strip_prefix("+++ "), cases.last_mut()) {
            modules.push((name.trim().into(), String::new()));
        } else if let Some((_, modules)) = cases.last_mut() {
            modules.last_mut().expect("a case has a module").1.push_str(line);
        } else {
            head.push_str(line);
        }
    }
    (head, cases)
}

/// The text without expectations.
fn bare(text: &str) -> String {
    let strip = |line: &str| line.split("#~").next().unwrap_or("").trim_end().to_string();
    let lines: Vec<String> = text.lines().map(strip).collect();
    lines.join("\n") + "\n"
}

/// The case with what the checker says beside each line.
fn annotated(case: &Case) -> String {
    let with_lints = case.0.ends_with("(all)");
    let trees: Vec<(String, String, Arc<vaisjit_syntax::Module>)> = case
        .1
        .iter()
        .map(|(name, text)| {
            let text = bare(text);
            let tree = Arc::new(parse(&text));
            (name.clone(), text, tree)
        })
        .collect();
    let modules: Vec<(&str, Arc<vaisjit_syntax::Module>)> =
        trees.iter().map(|(name, _, tree)| (&name[..], tree.clone())).collect();
    let input = support::input(&modules);
    let checked = vaisjit_semantics::check(&input, None);
    let mut sources = Sources::default();
    for (index, (name, text, tree)) in trees.iter().enumerate() {
        let file = SourceFile { path: name.into(), text: text.as_str().into(), module: tree.clone() };
        sources.insert(FileId(index as u32), file);
    }
    let parsed =
        trees.iter().flat_map(|(_, _, tree)| tree.items.iter().flat_map(|item| item.diagnostics.iter().cloned()));
    let mut notes: Vec<(FileId, u32, String)> = Vec::new();
    for diagnostic in parsed.chain(checked.diagnostics.iter().cloned()) {
        let severity = match diagnostic.severity {
            Severity::Error => "",
            Severity::Warning => "warning ",
            Severity::Lint if with_lints => "lint ",
            Severity::Lint => continue,
        };
        let (file, position) = sources.position(diagnostic.primary.place).expect("every place is in the case");
        notes.push((file, position.line, format!("#~ {severity}{} {}", diagnostic.code, diagnostic.message)));
    }
    let mut out = format!("--- {}\n", case.0);
    for (index, (name, text, _)) in trees.iter().enumerate() {
        if index > 0 {
            out.push_str(&format!("+++ {name}\n"));
        }
        for (number, line) in text.lines().enumerate() {
            out.push_str(line);
            for (file, at, note) in &notes {
                if file.0 == index as u32 && *at == number as u32 + 1 {
                    out.push_str(&format!(" {note}"));
                }
            }
            out.push('\n');
        }
    }
    out
}

#[test]
fn every_case_says_what_it_should() {
    let folder = support::root().join("tests/ui/check");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the cases are there").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut failures = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let (head, cases) = cases(&text);
        let mut updated = head;
        for case in &cases {
            let found = annotated(case);
            let mut wanted = format!("--- {}\n", case.0);
            for (index, (name, text)) in case.1.iter().enumerate() {
                if index > 0 {
                    wanted.push_str(&format!("+++ {name}\n"));
                }
                wanted.push_str(text);
            }
            let same = found.lines().map(str::trim_end).eq(wanted.lines().map(str::trim_end));
            if !same {
                let (mut expected, mut got) = (String::new(), String::new());
                for (a, b) in wanted.lines().zip(found.lines()).filter(|(a, b)| a.trim_end() != b.trim_end()) {
                    expected.push_str(&format!("  - {a}\n"));
                    got.push_str(&format!("  + {b}\n"));
                }
                failures.push(format!("{} {}\n{expected}{got}", path.display(), case.0));
            }
            updated.push_str(&found);
        }
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, updated).expect("a writable file");
        }
    }
    assert!(failures.is_empty() || std::env::var_os("UPDATE").is_some(), "{}", failures.join("\n"));
}
