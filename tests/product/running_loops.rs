//! Edits of a running `main` and of other running loops, on the real binary: they go on in the new code with what they
//! hold.

use serde_json::Value;

use crate::counter::{Counter, FILE, TEXT, names};
use crate::harness::{Project, Run, replaced};

/// What the event says of a function.
fn when<'a>(event: &'a Value, function: &str) -> &'a str {
    let entry = event["functions"].as_array().unwrap().iter().find(|entry| entry["name"] == function);
    entry.unwrap_or_else(|| panic!("`{function}` must be in {event:#}"))["when"].as_str().unwrap()
}

fn notices(event: &Value) -> String {
    event["notices"].to_string()
}

/// Saves a text; what the event says.
fn saves(counter: &mut Counter, text: &str) -> Value {
    counter.project.save(FILE, text);
    counter.run.event("reloaded")
}

#[test]
fn the_loop_that_main_is_running() {
    let mut counter = Counter::start();
    let edited = replaced(TEXT, "        step(n)\n", "        step(n)\n        total -= POINTS\n");
    let event = saves(&mut counter, &edited);
    assert_eq!(when(&event, "main"), "at_next_loop_head");
    assert_eq!(names(&event, "functions"), ["main"]);
    // Every step now leaves the total as it was.
    let total = |line: &str| line.split(' ').nth(2).and_then(|word| word.parse::<i64>().ok());
    counter.run.out.skip();
    counter.run.out.line("the end of a line", |_| true);
    let first = total(&counter.run.out.line("a line", |_| true));
    for _ in 0..5 {
        assert_eq!(total(&counter.run.out.line("a further line", |_| true)), first);
    }
    counter.is_continuous();
}

#[test]
fn the_condition_of_the_loop_that_main_is_running() {
    let mut counter = Counter::start();
    let event = saves(&mut counter, &replaced(TEXT, "L n < 1000000", "L n < 5"));
    assert_eq!(when(&event, "main"), "at_next_loop_head");
    assert_eq!(counter.run.wait().code(), Some(0));
    counter.is_continuous();
}

#[test]
fn a_line_before_the_loop_that_main_is_running() {
    let mut counter = Counter::start();
    let event = saves(&mut counter, &replaced(TEXT, "    n := 0\n", "    n := 100\n"));
    assert_eq!(when(&event, "main"), "at_next_call");
    assert!(notices(&event).contains("only what `main` does before its running loop changed"), "{event:#}");
    counter.still("one");
    counter.is_continuous();
}

#[test]
fn a_kept_local_is_named() {
    let mut counter = Counter::start();
    let edited = replaced(TEXT, "    n := 0\n", "    n := 100\n");
    let event = saves(&mut counter, &replaced(&edited, "step(n)\n", "step(n)\n        total += 0\n"));
    assert_eq!(when(&event, "main"), "at_next_loop_head");
    assert!(notices(&event).contains("`n` in the running `main` keeps its value"), "{event:#}");
    counter.still("one");
    counter.is_continuous();
}

#[test]
fn a_callee_whose_signature_the_running_main_uses() {
    let mut counter = Counter::start();
    let edited = replaced(TEXT, "F step(n: i64) -> i64 {", "F step(n: i64, tag: str) -> i64 {");
    let edited = replaced(&edited, "println(\"one {n}", "println(\"{tag} {n}");
    let event = saves(&mut counter, &replaced(&edited, "step(n)\n", "step(n, \"two\")\n"));
    assert_eq!(when(&event, "main"), "at_next_loop_head");
    counter.sees("two");
    counter.is_continuous();
}

#[test]
fn twenty_edits_of_main_one_after_the_other() {
    let mut counter = Counter::start();
    for number in 0..20 {
        let extra = format!("    extra{number} := \"text {{n}}\"\n    L n < 1000000");
        let edited = replaced(TEXT, "    L n < 1000000", &extra);
        let edited = replaced(&edited, "step(n)\n", &format!("step(n)\n        total += extra{number}.len() * 0\n"));
        let edited = replaced(&edited, "\"one ", &format!("\"tag{number} "));
        let event = saves(&mut counter, &edited);
        assert_eq!(when(&event, "main"), "at_next_loop_head");
        counter.sees(&format!("tag{number}"));
    }
    counter.is_continuous();
}

/// The seed's example, unchanged, with its condition, its body and its locals edited while it runs.
#[test]
fn the_first_example_with_its_loop_edited() {
    let project = Project::example("hot_reload_simple.vais");
    let file = "hot_reload_simple.vais";
    let mut run = Run::hot(&project, file);
    run.out.line("a frame", |line| line.starts_with("Frame 2:"));
    let edit = |from: &str, to: &str, run: &mut Run| {
        project.edit(file, from, to);
        let event = run.event("reloaded");
        assert_eq!(when(&event, "main"), "at_next_loop_head");
        event
    };
    edit("        game_update(&state)\n", "        game_update(&state)\n        state.x = state.x + 1000\n", &mut run);
    let line = run.out.line("a frame of the new body", |line| line.contains("x=1"));
    let frame = |line: &str| line.trim_start_matches("Frame ").split(':').next().unwrap().parse::<i64>().unwrap();
    let seen = frame(&line);
    edit("    state := GameState", "    far := 5000\n    state := GameState", &mut run);
    edit("state.x + 1000", "state.x + far", &mut run);
    let line = run.out.line("a frame with the new local", |line| line.contains("x=") && frame(line) > seen + 1);
    let now = frame(&line);
    assert!(line.contains(&format!("y={}", now * 2)), "all frames were counted: {line}");
    edit("state.frame < 1000", "state.frame < 10", &mut run);
    assert_eq!(run.wait().code(), Some(0));
}
