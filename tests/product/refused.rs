//! Every kind of edit that this version cannot carry: it is refused by name with a reason and a way out, the old version
//! runs on, and the next good save works. No row of the table is ignored silently.

use crate::counter::{Counter, FILE};
use crate::harness::replaced;

/// A program with something of each kind that can be edited, all of it in use.
const KINDS: &str = r#"S Point {
    x: i64 = 0,
    y: i64 = 0,
}

S Unit {
    size: i64,
    place: Point,
}

G total: i64 = 0
G place: Point
G units: [Unit; 4]

#[hot]
F step(p: *Point, n: i64) -> i64 {
    total += 1
    p.x += 1
    place.y += 1
    units[1].size += 1
    println("one {n} {total} {p.x} {place.y} {units[1].size}")
    0
}

F main() -> i64 {
    here: *Point = &place
    n := 0
    L n < 1000000 {
        step(here, n)
        n += 1
        usleep(2000)
    }
    0
}
"#;

/// Saves an edit of `before`; `name` must be refused, in the list `list` of the event.
fn refuses_in(before: &str, from: &str, to: &str, list: &str, name: &str) {
    let mut counter = Counter::of(before, &[]);
    // The edit comes with another one that could be carried: all of a save or nothing.
    let edited = replaced(&replaced(before, from, to), "\"one ", "\"two ");
    counter.project.save(FILE, &edited);
    let event = counter.run.event("refused");
    assert_eq!(event["version"], 1, "{event:#}");
    let entries = event[list].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["name"] == name && entry["when"] == "refused");
    let entry = entry.unwrap_or_else(|| panic!("`{name}` must be refused: {event:#}"));
    for word in ["why", "help"] {
        assert!(entry[word].as_str().is_some_and(|text| text.len() > 10), "{word} in {entry:#}");
    }
    counter.run.err.line("the refusal", |line| line.contains(&format!("`{name}`")));
    counter.run.err.line("the way out", |line| line.trim_start().starts_with("help: "));
    counter.run.err.line("the status line", |line| line.starts_with("refused v1"));
    counter.still("one");
    // Taking the edit back and making a good one is all it needs.
    counter.project.save(FILE, &replaced(before, "\"one ", "\"three "));
    assert_eq!(counter.run.event("reloaded")["version"], 2);
    counter.sees("three");
    counter.is_continuous();
}

#[test]
fn a_field_without_a_default() {
    refuses_in(KINDS, "    y: i64 = 0,\n", "    y: i64 = 0,\n    act: fn(i64) -> i64,\n", "types", "Point");
}

#[test]
fn the_signature_of_main_while_it_runs() {
    refuses_in(KINDS, "F main() -> i64 {", "F main() -> i32 {", "functions", "main");
}

/// What a refusal says twice is not said again for a save of the same text, and the way back is silent.
#[test]
fn taking_a_refused_edit_back_is_unchanged() {
    let mut counter = Counter::of(KINDS, &[]);
    counter.project.save(FILE, &replaced(KINDS, "    y: i64 = 0,\n", "    y: i64 = 0,\n    act: fn(i64) -> i64,\n"));
    counter.run.event("refused");
    counter.project.save(FILE, KINDS);
    assert_eq!(counter.run.event("unchanged")["version"], 1);
    counter.still("one");
    counter.is_continuous();
}

/// Types nothing has an instance of may still be added and removed.
#[test]
fn a_new_struct_is_no_reason_to_refuse() {
    let mut counter = Counter::of(KINDS, &[]);
    let edited = replaced(KINDS, "#[hot]\nF step", "S Extra { a: i64, b: f64 = 2.5 }\n\n#[hot]\nF step");
    let edited = replaced(&edited, "println(\"one {n}", "e := Extra { a: 4 }\n    println(\"two {n} {e.a} {e.b}");
    counter.project.save(FILE, &edited);
    counter.run.event("reloaded");
    counter.run.out.line("the new struct", |line| line.starts_with("two ") && line.contains(" 4 2.5"));
}
