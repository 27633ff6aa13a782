//! `vaisjit check`: three formats, several files, exit statuses.

use serde_json::Value;

use crate::harness::{Project, run_to_end};

const BROKEN: &str = "F main() -> i64 {\n    a := missing_one\n    missing_two\n}\n";

#[test]
fn a_clean_file_says_nothing() {
    let project = Project::new(&[("a.vais", "F main() -> i64 { 0 }\n")]);
    for format in ["human", "short", "json"] {
        let finished = run_to_end(&project, ["check", "--format", format, "a.vais"]);
        assert_eq!((finished.status, &*finished.out, &*finished.err), (Some(0), "", ""), "{format}");
    }
}

#[test]
fn a_library_file_needs_no_main() {
    let project = Project::new(&[("a.vais", "F helper(n: i64) -> i64 { n + 1 }\n")]);
    assert_eq!(run_to_end(&project, ["check", "a.vais"]).status, Some(0));
}

#[test]
fn short_is_one_line_each() {
    let project = Project::new(&[("a.vais", BROKEN)]);
    let finished = run_to_end(&project, ["check", "--format", "short", "a.vais"]);
    assert_eq!(finished.status, Some(1));
    let lines: Vec<&str> = finished.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", finished.out);
    assert!(lines[0].starts_with("a.vais:2:10: error[E0201]: "), "{}", lines[0]);
    assert!(lines[1].starts_with("a.vais:3:5: error[E0201]: "), "{}", lines[1]);
}

#[test]
fn json_is_one_object_a_line() {
    let project = Project::new(&[("a.vais", BROKEN)]);
    let finished = run_to_end(&project, ["check", "--format", "json", "a.vais"]);
    assert_eq!(finished.status, Some(1));
    let objects: Vec<Value> =
        finished.out.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert_eq!(objects.len(), 2, "{}", finished.out);
    let first = &objects[0];
    assert_eq!(first["code"], "E0201");
    assert_eq!((first["line"].as_u64(), first["column"].as_u64()), (Some(2), Some(10)), "{first:#}");
    assert!(first["file"].as_str().is_some_and(|file| file.ends_with("a.vais")), "{first:#}");
    assert!(first["message"].as_str().is_some_and(|text| text.contains("missing_one")), "{first:#}");
}

#[test]
fn human_shows_the_source_and_marks_it() {
    let project = Project::new(&[("a.vais", BROKEN)]);
    let finished = run_to_end(&project, ["check", "--color", "never", "a.vais"]);
    assert_eq!(finished.status, Some(1));
    for part in ["E0201", "a.vais:2:10", "a := missing_one", "missing_two"] {
        assert!(finished.out.contains(part), "no `{part}` in:\n{}", finished.out);
    }
    assert!(!finished.out.contains('\u{1b}'));
    let coloured = run_to_end(&project, ["check", "--color", "always", "a.vais"]);
    assert!(coloured.out.contains('\u{1b}'));
}

#[test]
fn all_files_are_checked_though_one_is_broken() {
    let project = Project::new(&[
        ("a.vais", BROKEN),
        ("b.vais", "F main() -> i64 { 0 }\n"),
        ("c.vais", "F main() -> i64 { missing_three }\n"),
    ]);
    let finished = run_to_end(&project, ["check", "--format", "short", "a.vais", "gone.vais", "b.vais", "c.vais"]);
    assert_eq!(finished.status, Some(1));
    assert!(finished.out.contains("missing_two") && finished.out.contains("missing_three"), "{}", finished.out);
    assert!(finished.err.contains("gone.vais"), "{}", finished.err);
}

#[test]
fn a_mistake_in_an_import_is_shown_once() {
    let project = Project::new(&[
        ("a.vais", "U shared\nF main() -> i64 { value() }\n"),
        ("shared.vais", "F value() -> i64 { missing }\n"),
    ]);
    let finished = run_to_end(&project, ["check", "--format", "short", "a.vais"]);
    assert_eq!(finished.status, Some(1));
    assert_eq!(finished.out.matches("missing").count(), 1, "{}", finished.out);
    assert!(finished.out.contains("shared.vais:1:20: error[E0201]"), "{}", finished.out);
}

/// The examples, and with them the seed's programs, give no diagnostic at all.
#[test]
fn the_examples_are_clean() {
    for example in ["hot_reload_simple", "hot_reload_game", "hot_loop", "hot_reload_advanced"] {
        let name = format!("{example}.vais");
        let finished = run_to_end(&Project::example(&name), ["check", &name]);
        assert_eq!((finished.status, &*finished.out, &*finished.err), (Some(0), "", ""), "{example}");
    }
    let finished = run_to_end(&Project::example("multi"), ["check", "main.vais", "physics.vais", "draw.vais"]);
    assert_eq!((finished.status, &*finished.out, &*finished.err), (Some(0), "", ""));
}
