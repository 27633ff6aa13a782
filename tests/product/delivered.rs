//! Every kind of edit that this version carries into the running program: the new behaviour appears, the data stays.

use serde_json::Value;

use crate::counter::{Counter, FILE, TEXT, names, tagged};
use crate::harness::{Project, Run, replaced};

/// A counter like `TEXT`, after an edit of it was saved and became live.
fn after(before: &str, edited: &str) -> (Counter, Value) {
    let mut counter = Counter::of(before, &[]);
    counter.project.save(FILE, edited);
    let event = counter.run.event("reloaded");
    assert_eq!(event["version"], 2, "{event:#}");
    (counter, event)
}

#[test]
fn the_body_of_a_hot_function() {
    let (mut counter, event) = after(TEXT, &tagged("two"));
    assert_eq!(names(&event, "functions"), ["step"]);
    assert_eq!(event["functions"][0]["change"], "changed");
    assert_eq!(event["functions"][0]["when"], "live_now");
    for time in ["watch_us", "parse_us", "check_us", "compile_us", "swap_us", "total_us"] {
        assert!(event[time].is_u64(), "{time} in {event:#}");
    }
    assert_eq!(event["files"][0], counter.project.path(FILE).to_string_lossy().as_ref());
    counter.sees("two");
    counter.is_continuous();
    let status = counter.run.err.line("the status line", |line| line.starts_with("reloaded v2"));
    assert!(status.contains("step") && status.contains(" ms ") && status.contains("game.vais:9"), "{status}");
}

#[test]
fn one_body_after_another() {
    let mut counter = Counter::start();
    for version in 2..12 {
        let event = counter.retag(&format!("tag{version}"));
        assert_eq!(event["version"], version);
    }
    counter.is_continuous();
}

#[test]
fn the_body_of_a_function_that_is_not_hot() {
    let before = TEXT.replace("#[hot]\n", "");
    let (mut counter, event) = after(&before, &replaced(&before, "\"one ", "\"two "));
    assert!(names(&event, "functions").contains(&"step"), "{event:#}");
    counter.sees("two");
    counter.project.edit(FILE, "\"two ", "\"three ");
    counter.run.event("reloaded");
    counter.sees("three");
    counter.is_continuous();
}

/// A callee that may have been inlined: what its callers show must change as well.
#[test]
fn the_body_of_a_small_function_two_calls_down() {
    let before = TEXT
        .replace("F doubled(n: i64) -> i64 { n * 2 }", "F inner() -> i64 { 1 }\nF middle() -> i64 { inner() }")
        .replace("total += POINTS", "total += middle()");
    let (mut counter, _) = after(&before, &replaced(&before, "{ 1 }", "{ 1000000 }"));
    counter.run.out.line("a step that counts more", |line| total(line) > 1_000_000);
    counter.is_continuous();
}

#[test]
fn a_constant() {
    let (mut counter, event) = after(TEXT, &replaced(TEXT, "POINTS: i64 = 1", "POINTS: i64 = 1000000"));
    counter.run.out.line("a step that counts more", |line| total(line) > 1_000_000);
    counter.is_continuous();
    assert!(names(&event, "functions").contains(&"step"), "{event:#}");
}

#[test]
fn a_constant_made_of_constants() {
    let before = replaced(TEXT, "C POINTS: i64 = 1", "C BASE: i64 = 1\nC POINTS: i64 = BASE * 1");
    let (mut counter, _) = after(&before, &replaced(&before, "BASE: i64 = 1", "BASE: i64 = 1000000"));
    counter.run.out.line("a step that counts more", |line| total(line) > 1_000_000);
}

#[test]
fn a_new_function() {
    let edited = replaced(TEXT, "#[hot]\nF step", "F tripled(n: i64) -> i64 { n * 3 }\n\n#[hot]\nF step")
        .replace("\"one {n}", "\"two {n} {tripled(14)}");
    let (mut counter, event) = after(TEXT, &edited);
    assert!(names(&event, "functions").contains(&"step"), "{event:#}");
    counter.run.out.line("the new function's value", |line| line.starts_with("two") && line.contains(" 42 "));
}

#[test]
fn a_renamed_function() {
    let before = replaced(TEXT, "total += POINTS", "total += POINTS + doubled(0)");
    let edited = before.replace("doubled", "twice").replace("\"one", "\"two");
    let (mut counter, _) = after(&before, &edited);
    counter.sees("two");
    counter.is_continuous();
}

#[test]
fn a_removed_function() {
    let mut counter = Counter::start();
    counter.project.save(FILE, &replaced(&tagged("two"), "F doubled(n: i64) -> i64 { n * 2 }\n", ""));
    counter.run.event("reloaded");
    counter.sees("two");
}

#[test]
fn a_signature_with_its_caller() {
    let before = replaced(TEXT, "{n} {total}", "{n} {doubled(21)}");
    let edited =
        before.replace("F doubled(n: i64) -> i64 { n * 2 }", "F doubled(n: i64, by: f64) -> f64 { n as f64 * by }");
    let edited = replaced(&edited, "{doubled(21)}", "{doubled(21, 2.5)}");
    let (mut counter, event) = after(&before, &edited);
    counter.run.out.line("the new result", |line| line.contains(" 52.5"));
    let entries = event["functions"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["name"] == "doubled").unwrap();
    assert_eq!(entry["change"], "signature", "{event:#}");
    counter.is_continuous();
}

/// Nothing about `#[hot]` may matter to whether an edit is carried.
#[test]
fn the_attribute_itself() {
    let before = TEXT.replace("#[hot]\n", "");
    let mut counter = Counter::of(&before, &[]);
    counter.project.save(FILE, &tagged("two"));
    counter.run.event("reloaded");
    counter.sees("two");
    counter.project.save(FILE, &replaced(&before, "\"one ", "\"three "));
    counter.run.event("reloaded");
    counter.sees("three");
    counter.is_continuous();
}

#[test]
fn a_function_held_as_a_value() {
    let before = r#"F plain(n: i64) -> i64 { n + 1 }

#[hot]
F warm(n: i64) -> i64 { n + 10 }

F apply(f: fn(i64) -> i64, n: i64) -> i64 { f(n) }

F main() -> i64 {
    f := plain
    g := warm
    n := 0
    L n < 1000000 {
        println("one {n} {f(0)} {apply(g, 0)}")
        n += 1
        usleep(2000)
    }
    0
}
"#;
    let (mut counter, _) = after(before, &before.replace("n + 1 ", "n + 2 ").replace("n + 10 ", "n + 20 "));
    counter.run.out.line("both new values", |line| line.ends_with(" 2 20"));
    counter.is_continuous();
}

#[test]
fn a_value_held_by_main_never_meets_a_function_of_another_signature() {
    let before = r#"#[hot]
F warm(n: i64) -> i64 { n + 10 }

#[hot]
F show(n: i64, old: i64) -> i64 {
    println("one {n} {old} {warm(0)}")
    0
}

F main() -> i64 {
    g := warm
    n := 0
    L n < 1000000 {
        show(n, g(0))
        n += 1
        usleep(2000)
    }
    0
}
"#;
    let edited = before.replace("F warm(n: i64) -> i64 { n + 10 }", "F warm(n: i64, m: i64) -> i64 { n + m }");
    let edited = replaced(&edited, "{warm(0)}", "{warm(0, 77)}");
    let mut counter = Counter::of(before, &[]);
    counter.project.save(FILE, &edited);
    // `main` calls the value with one argument, so the save does not fit it, whatever the value holds.
    counter.run.event("rejected");
    counter.still("one");
    let held = "F old(n: i64) -> i64 { n }\n\nF main() -> i64 {\n    g := old";
    counter.project.save(FILE, &replaced(&edited, "F main() -> i64 {\n    g := warm", held));
    // Now it fits: the loop goes on in the new `main`, and what `g` holds stays the function of one argument.
    counter.run.event("reloaded");
    counter.run.out.line("the value held and the new function", |line| line.ends_with(" 10 77"));
    counter.still("one");
    counter.is_continuous();
}

/// C gets an address that goes on working: the next comparison runs the new code.
#[test]
fn a_function_that_c_calls_back() {
    let before = r#"X F qsort(base: *i64, count: i64, size: i64, compare: fn(*i64, *i64) -> i32)

G list: [i64; 4]

F order(a: *i64, b: *i64) -> i32 { (*a - *b) as i32 }

F main() -> i64 {
    n := 0
    L n < 1000000 {
        list = [3, 1, 4, 2]
        qsort(&list[0], 4, 8, order)
        println("one {n} {list[0]}")
        n += 1
        usleep(2000)
    }
    0
}
"#;
    let (mut counter, _) = after(before, &replaced(before, "*a - *b", "*b - *a"));
    counter.run.out.line("the other order", |line| line.ends_with(" 4"));
    counter.is_continuous();
}

#[test]
fn an_imported_file() {
    let project = Project::example("multi");
    let mut run = Run::hot(&project, "main.vais");
    run.out.line("the first tick", |line| line.starts_with("tick 0: height "));
    project.edit("draw.vais", "\"tick {tick}: height", "\"{tick} ticks, height");
    let event = run.event("reloaded");
    assert_eq!(names(&event, "functions"), ["draw"]);
    assert_eq!(event["files"].as_array().map(Vec::len), Some(1), "{event:#}");
    run.out.line("the new text", |line| line.contains(" ticks, height "));
}

#[test]
fn an_import_of_a_file_that_is_new() {
    let mut counter = Counter::start();
    counter.project.write("extra.vais", "F bonus() -> i64 { 1000000 }\n");
    let edited = format!("U extra\n{}", replaced(TEXT, "total += POINTS", "total += bonus()"));
    counter.project.save(FILE, &edited);
    counter.run.event("reloaded");
    counter.run.out.line("the bonus", |line| total(line) > 1_000_000);
    // The new file is watched from now on.
    counter.project.save("extra.vais", "F bonus() -> i64 { 0 - 1000000000 }\n");
    counter.run.event("reloaded");
    counter.run.out.line("the malus", |line| total(line) < 0);
    counter.is_continuous();
}

/// The import is saved before the file it names: the second save mends it.
#[test]
fn an_import_of_a_file_that_comes_later() {
    let mut counter = Counter::start();
    let edited = format!("U extra\n{}", replaced(TEXT, "total += POINTS", "total += bonus()"));
    counter.project.save(FILE, &edited);
    counter.run.event("rejected");
    counter.still("one");
    counter.project.save("extra.vais", "F bonus() -> i64 { 1000000 }\n");
    counter.run.event("reloaded");
    counter.run.out.line("the bonus", |line| total(line) > 1_000_000);
}

#[test]
fn an_import_that_goes() {
    let project = Project::new(&[
        (FILE, &format!("U extra\n{}", replaced(TEXT, "total += POINTS", "total += bonus()"))),
        ("extra.vais", "F bonus() -> i64 { 5 }\n"),
    ]);
    let mut run = Run::hot(&project, FILE);
    run.out.line("a step", |line| line.starts_with("one "));
    project.save(FILE, &tagged("two"));
    run.event("reloaded");
    run.out.line("the new code", |line| line.starts_with("two "));
    std::fs::remove_file(project.path("extra.vais")).unwrap();
    project.save(FILE, &tagged("three"));
    run.event("reloaded");
    run.out.line("newer code", |line| line.starts_with("three "));
}

#[test]
fn comments_and_white_space_swap_nothing() {
    let mut counter = Counter::start();
    for text in [
        TEXT.replace("# Counts.", "# Counts, and says so."),
        TEXT.replace("    total += POINTS", "\n\n    # More points.\n    total  +=   POINTS"),
        TEXT.replace("n * 2", "n*2"),
        format!("{TEXT}\n\n\n"),
    ] {
        counter.project.save(FILE, &text);
        let event = counter.run.event_after("unchanged", &["notice"]);
        assert_eq!(event["version"], 1);
        assert!(names(&event, "functions").is_empty(), "{event:#}");
    }
    counter.still("one");
    counter.is_continuous();
}

#[test]
fn a_save_of_the_same_text_is_nothing() {
    let mut counter = Counter::start();
    counter.project.save(FILE, TEXT);
    counter.retag("two");
    let events = counter.run.events_so_far();
    assert!(events.is_empty(), "{events:#?}");
}

/// Line numbers follow an edit above, also where nothing was compiled.
#[test]
fn a_trap_after_lines_were_inserted_names_the_new_line() {
    let fails = "    total += POINTS\n    I access(\"go\", 0) == 0 { total /= total - total }\n";
    let c = "N \"C\" { F access(name: str, mode: i32) -> i32; }\n";
    let before = format!("{}{c}", replaced(TEXT, "    total += POINTS\n", fails));
    let mut counter = Counter::of(&before, &["--on-trap", "exit"]);
    counter.project.save(FILE, &format!("# One.\n# Two.\n# Three.\n{before}"));
    counter.run.event_after("unchanged", &[]);
    counter.project.write("go", "");
    let trap = counter.run.event("trap");
    assert_eq!(trap["line"], 14, "{trap:#}");
}

#[test]
fn a_global_keeps_its_value_when_its_initial_value_is_edited() {
    let mut counter = Counter::start();
    counter.project.save(FILE, &replaced(&tagged("two"), "total: i64 = 0", "total: i64 = 5000000"));
    let event = counter.run.event("reloaded");
    counter.sees("two");
    let line = counter.run.out.line("a line", |_| true);
    assert!(total(&line) < 5_000_000, "{line}");
    assert!(event.to_string().contains("total"), "the report must name it: {event:#}");
}

/// Nothing is swapped, but the author must be told why nothing happens.
#[test]
fn an_edit_of_nothing_but_an_initial_value_is_named() {
    let mut counter = Counter::start();
    counter.project.save(FILE, &replaced(TEXT, "total: i64 = 0", "total: i64 = 5000000"));
    let event = counter.run.event_after("unchanged", &["reloaded"]);
    assert!(names(&event, "functions").contains(&"total"), "the report must name it: {event:#}");
    counter
        .run
        .err
        .line("the same for people", |line| line.contains("total") && line.contains("value in memory stays"));
}

#[test]
fn a_new_global_is_initialised() {
    let edited = replaced(&tagged("two"), "G total: i64 = 0\n", "G total: i64 = 0\nG extra: i64 = 4711\n")
        .replace("{total}\"", "{extra}\"");
    let (mut counter, _) = after(TEXT, &edited);
    counter.run.out.line("its value", |line| line.starts_with("two ") && line.ends_with(" 4711"));
}

#[test]
fn a_function_that_is_running_a_loop_gets_its_new_code_at_the_next_call() {
    let before = r#"#[hot]
F round(start: i64) -> i64 {
    n := start
    L n < start + 50 {
        println("one {n}")
        n += 1
        usleep(2000)
    }
    n
}

F main() -> i64 {
    n := 0
    L n < 1000000 { n = round(n) }
    0
}
"#;
    let (mut counter, event) = after(before, &before.replace("\"one ", "\"two "));
    assert_eq!(event["functions"][0]["name"], "round");
    counter.sees("two");
    counter.is_continuous();
}

fn total(line: &str) -> i64 {
    line.split(' ').nth(2).and_then(|word| word.parse().ok()).unwrap_or(0)
}
