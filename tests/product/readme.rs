//! The README keeps its promises: two commands on its first screen, and an edit that can be made. Its programs
//! are looked at with those of the book.

use crate::harness::{Project, run_to_end};

fn readme() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    std::fs::read_to_string(path).expect("there is a README")
}

/// The code blocks of one language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_first_screen_has_two_commands_and_an_edit() {
    let text = readme();
    let first_screen = text.split("\n## ").next().unwrap();
    assert!(first_screen.lines().count() <= 45, "{} lines", first_screen.lines().count());
    let commands = ["cargo run --release -- run examples/hot_reload_simple.vais\n", "cargo test --workspace\n"];
    assert_eq!(blocks(first_screen, "sh"), commands);
    let edit = blocks(first_screen, "vais,fragment");
    assert_eq!(edit.len(), 2);
    let project = Project::example("hot_reload_simple.vais");
    assert!(project.read("hot_reload_simple.vais").contains(edit[0]), "the line to change must be there as it is");
    project.edit("hot_reload_simple.vais", edit[0], edit[1]);
    assert_eq!(run_to_end(&project, ["check", "hot_reload_simple.vais"]).status, Some(0));
}
