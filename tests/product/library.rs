//! The standard library says the truth about itself: every example in its documentation runs and holds, and the
//! reference pages in `docs/src/std` are those of the texts (`UPDATE=1` writes them).

use std::path::Path;

use vaisjit_std::docs;

use crate::harness::{Project, Run};

#[test]
fn every_example_of_the_library_holds() {
    for (module, source) in vaisjit_std::modules() {
        let examples = docs::entries(source).iter().map(|entry| entry.examples.len()).sum::<usize>();
        if examples == 0 {
            continue;
        }
        let program = docs::program(&[(module, source)]);
        let project = Project::new(&[("docs.vais", &program)]);
        let path = project.path("docs.vais");
        let run = Run::prepared(&project, |command| {
            command.args(["run", "--static"]).arg(path).env("VAISJIT_LEAK_CHECK", "1");
        });
        let finished = run.finish();
        assert_eq!(finished.status, Some(0), "{module}: {}\n{program}", finished.err);
        assert_eq!(errors(&finished.err), "", "{module}");
    }
}

/// What the program did not write itself.
fn errors(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("careful")).collect()
}

#[test]
fn the_reference_pages_are_those_of_the_texts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/std");
    for (module, source) in vaisjit_std::modules() {
        let name = module.trim_start_matches("std/");
        let path = folder.join(format!("{name}.md"));
        let page = docs::page(module, source);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&folder).expect("the folder can be made");
            std::fs::write(&path, &page).expect("the page can be written");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, page, "docs/src/std/{name}.md: run this test with UPDATE=1");
    }
}
