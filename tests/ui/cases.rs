//! The format of `tests/ui/{run,trap,mir}/*.vais`, shared by everybody who runs them: named cases (`--- name`), each the
//! source and then what is expected, in lines that start with `#>`, `#=` or `#|`.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::{Path, PathBuf};

/// A program and what is expected of it.
pub struct Case {
    /// Its name in the file.
    pub name: String,
    /// Its text.
    pub source: String,
    /// The lines of expectations, as they are.
    pub expected: String,
}

/// The text before the first case, and the cases.
pub fn cases(text: &str) -> (String, Vec<Case>) {
    let mut head = String::new();
    let mut cases: Vec<Case> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("--- ") {
            cases.push(Case { name: name.trim().to_owned(), source: String::new(), expected: String::new() });
        } else if let Some(case) = cases.last_mut() {
            let expects = ["#>", "#=", "#|"].iter().any(|mark| line.starts_with(mark));
            if expects { &mut case.expected } else { &mut case.source }.push_str(line);
        } else {
            head.push_str(line);
        }
    }
    (head, cases)
}

/// The case files of a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder of the cases").flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// A text with a mark before each line.
pub fn marked(mark: &str, text: &str) -> String {
    text.lines().map(|line| format!("{mark} {line}").trim_end().to_owned() + "\n").collect()
}
