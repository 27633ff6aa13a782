//! The table of contents is complete, and relative links lead to files and headings that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{pages, root};

/// The targets of the links on a page, without those in code.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect();
        found.extend(prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())));
    }
    found
}

/// The anchors of a page's headings, as mdBook and GitHub make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        }
        if !in_block && line.starts_with('#') {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
    }
    found
}

fn anchors_of(path: &Path) -> BTreeSet<String> {
    anchors(&fs::read_to_string(path).expect("the page can be read"))
}

#[test]
fn the_table_of_contents_lists_every_chapter() {
    let source = root().join("docs/src");
    let summary = fs::read_to_string(source.join("SUMMARY.md")).expect("there is a SUMMARY.md");
    let listed = links(&summary);
    let unique: BTreeSet<_> = listed.iter().map(|link| link.trim_start_matches("./").to_owned()).collect();
    assert_eq!(unique.len(), listed.len(), "a chapter is listed twice");
    let there: BTreeSet<String> = pages()
        .iter()
        .filter_map(|path| path.strip_prefix(&source).ok())
        .map(|path| path.to_string_lossy().replace('\\', "/"))
        .filter(|path| path != "SUMMARY.md")
        .collect();
    assert_eq!(unique, there, "left: what SUMMARY.md lists; right: the files");
}

#[test]
fn relative_links_lead_somewhere() {
    let book = root().join("docs/src");
    let mut broken = Vec::new();
    for path in pages() {
        let text = fs::read_to_string(&path).expect("the page can be read");
        for link in links(&text).into_iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(file) };
            let page = target.extension().is_some_and(|ending| ending == "md");
            // Made into pages, the book has nothing outside of its folder.
            let leaves =
                path.starts_with(&book) && !target.canonicalize().is_ok_and(|target| target.starts_with(&book));
            if leaves || !target.exists() || (!anchor.is_empty() && page && !anchors_of(&target).contains(anchor)) {
                broken.push(format!("{}: {link}", path.strip_prefix(root()).expect("a page").display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}
