//! Edits of types and globals while `main` runs and holds values of them: they are carried over, and counted.

use crate::counter::{Counter, FILE, names};
use crate::harness::replaced;

/// A program with values on its stack and in globals.
const KINDS: &str = r#"S Point {
    x: i64 = 0,
    y: i64 = 0,
}

S Unit {
    size: i64,
    place: Point,
}

G total: i64 = 0
G mood: i64 = 1
G place: Point
G units: [Unit; 4]

#[hot]
F step(p: *Point, n: i64) -> i64 {
    total += 1
    p.x += 1
    place.y += 1
    units[1].size += 1
    mood += 1
    println("one {n} {total} {p.x} {place.y} {units[1].size}")
    0
}

F main() -> i64 {
    here := Point {}
    n := 0
    L n < 1000000 {
        step(&here, n)
        n += 1
        usleep(2000)
    }
    0
}
"#;

/// Saves an edit; `name` must be told of as migrated, in the list `list` of the event, and the program go on with all that
/// it knew.
fn carries(from: &str, to: &str, list: &str, name: &str) {
    let mut counter = Counter::of(KINDS, &[]);
    counter.project.save(FILE, &replaced(&replaced(KINDS, from, to), "\"one ", "\"two "));
    let event = counter.run.event("reloaded");
    let entries = event[list].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["name"] == name);
    let entry = entry.unwrap_or_else(|| panic!("`{name}` must be told of: {event:#}"));
    assert_eq!(entry["when"], "migrated", "{event:#}");
    assert!(entry["instances"].as_u64().is_some_and(|count| count > 0), "{event:#}");
    counter.sees("two");
    counter.is_continuous();
}

#[test]
fn a_field_added() {
    carries("    y: i64 = 0,\n", "    y: i64 = 0,\n    z: i64 = 0,\n", "types", "Point");
}

#[test]
fn a_field_retyped() {
    carries("    y: i64 = 0,\n", "    y: i32 = 0,\n", "types", "Point");
}

#[test]
fn a_field_of_a_nested_struct() {
    carries("    size: i64,\n", "    colour: i64,\n    size: i64,\n", "types", "Unit");
}

#[test]
fn a_global_retyped() {
    carries("G mood: i64 = 1", "G mood: i32 = 1", "functions", "mood");
}

#[test]
fn an_array_global_that_grows() {
    carries("units: [Unit; 4]", "units: [Unit; 5]", "functions", "units");
}

#[test]
fn a_global_that_gets_another_type_and_its_old_one_back() {
    let with = |declared: &str, step: &str, tag: &str| {
        let text = replaced(KINDS, "G mood: i64 = 1", declared);
        replaced(&replaced(&text, "    mood += 1\n", step), "\"one {n} {total}", tag)
    };
    let text = with(
        "G mood: str = \"calm\"",
        "    mood = mood + \"!\"\n    I mood.len() > 40 { mood = \"calm\" }\n",
        "\"one {n} {mood}",
    );
    let mut counter = Counter::of(&text, &[]);
    counter.run.out.line("a mood that grows", |line| line.contains("calm!!"));
    let number = with("G mood: i64 = 1", "    mood += 1\n", "\"two {n} {mood}");
    counter.project.save(FILE, &number);
    let event = counter.run.event("reloaded");
    assert!(names(&event, "functions").contains(&"mood"), "{event:#}");
    counter.sees("two");
    let back = with("G mood: str = \"other\"", "", "\"three {n} {mood}");
    counter.project.save(FILE, &back);
    counter.run.event("reloaded");
    counter.run.out.line("the mood from before", |line| line.starts_with("three ") && line.contains(" calm!!"));
    counter.is_continuous();
}
