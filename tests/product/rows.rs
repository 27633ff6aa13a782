//! Every row of the table of edits, and combinations of rows, on the real binary: values made by the first version are
//! looked at by the second.

use serde_json::Value;

use crate::counter::{Counter, FILE};
use crate::harness::{Project, Run, replaced};

/// A program that holds values of its types in a global, a `Vec`, a map, a box, a closure, a `dyn` and on `main`'s stack, and
/// shows them all in every line.
pub const WORLD: &str = r#"S Spot {
    x: i64,
    y: i64,
}

S Ball {
    height: i64,
    speed: i64,
    spots: [Spot; 2],
}

E Mood {
    Calm,
    Angry(i64),
    Sad { days: i64 },
}

W Shape {
    F area(&self) -> i64
}

S Square {
    side: i64,
}

X Square: Shape {
    F area(&self) -> i64 { self.side * self.side }
}

C FACTOR: i64 = 10

G count: i64 = 0
G level: i64 = 7
G mood: Mood = Angry(40)
G balls: Vec<Ball>
G named: HashMap<str, Ball>
G shape: dyn Shape = Square { side: 3 }
G tell: fn(i64) -> i64

F new_ball(height: i64) -> Ball {
    Ball { height: height, speed: height * 2, spots: [Spot { x: 1, y: 2 }, Spot { x: 3, y: 4 }] }
}

F first_of<T>(list: Vec<T>) -> T { list[0] }

F feeling() -> i64 {
    M mood {
        Calm => 0,
        Angry(n) => n,
        Sad { days } => days + 1000,
    }
}

F scaled(n: i64) -> i64 { n * FACTOR }

F line(ball: *Ball) -> str {
    format("{ball.height} {ball.speed} {ball.spots[1].x} {ball.spots[1].y}")
}

#[hot]
F step(n: i64, mine: *Ball) -> i64 {
    count += 1
    mine.height += 1
    first := first_of(balls)
    other := named["b"]
    println("one {n} {count} mine {line(mine)} first {line(&first)} named {line(&other)} mood {feeling()} area {shape.area()} tell {tell(1)} level {level} scaled {scaled(2)}.")
    0
}

F main() -> i64 {
    balls.push(new_ball(100))
    balls.push(new_ball(200))
    named.insert("b", new_ball(300))
    kept := new_ball(400)
    tell = |k| kept.height + k
    mine := new_ball(0)
    n := 0
    L n < 1000000 {
        step(n, &mine)
        n += 1
        usleep(2000)
    }
    0
}
"#;

/// A program with these replacements made.
pub fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| replaced(&text, from, to))
}

/// The program with a tag in its lines.
fn tagged(text: &str, tag: &str) -> String {
    replaced(text, "\"one ", &format!("\"{tag} "))
}

/// A running world.
pub struct World {
    /// Its process and files.
    pub counter: Counter,
}

impl World {
    /// Starts it.
    pub fn start() -> World {
        World { counter: Counter::of(WORLD, &[]) }
    }

    /// Saves a text with a tag of its own; the event, and the first line that the new version prints.
    pub fn save(&mut self, text: &str, tag: &str) -> (Value, String) {
        self.counter.project.save(FILE, &tagged(text, tag));
        let event = self.counter.run.event("reloaded");
        let start = format!("{tag} ");
        let line = self.counter.run.out.line("a line of the new version", |line| line.starts_with(&start));
        self.counter.is_continuous();
        (event, line)
    }

    /// Saves a text that must be refused, and takes it back.
    fn refused(&mut self, text: &str) -> Value {
        self.counter.project.save(FILE, text);
        let event = self.counter.run.event("refused");
        self.counter.still("one");
        self.counter.is_continuous();
        event
    }
}

/// Saves these edits; what the event says and what the new version prints.
fn row(edits: &[(&str, &str)]) -> (Value, String) {
    let mut world = World::start();
    world.save(&edited(WORLD, edits), "two")
}

/// The words of a line after `name`, up to the next name or the end.
pub fn part<'l>(line: &'l str, name: &str) -> &'l str {
    const NAMES: [&str; 8] = [" mine ", " first ", " named ", " mood ", " area ", " tell ", " level ", " scaled "];
    let after = &line[line.find(name).unwrap_or_else(|| panic!("{name} in {line}")) + name.len() + 1..];
    let end = NAMES.iter().filter_map(|name| after.find(name)).min();
    after[..end.unwrap_or(after.len())].trim_end_matches('.')
}

/// What an event says of an item: when, and the whole entry for messages.
pub fn entry<'e>(event: &'e Value, list: &str, name: &str) -> &'e Value {
    let entry = event[list].as_array().unwrap().iter().find(|entry| entry["name"] == name);
    entry.unwrap_or_else(|| panic!("`{name}` must be told of in `{list}`: {event:#}"))
}

/// The notices of an event.
pub fn notices(event: &Value) -> String {
    event["notices"].to_string()
}

const BALL: &str = "    height: i64,\n    speed: i64,\n";
const LINE: &str = "format(\"{ball.height} {ball.speed} ";

#[test]
fn a_field_added_with_a_default() {
    let (event, line) = row(&[
        (BALL, "    height: i64,\n    mass: i64 = 5,\n    speed: i64,\n"),
        (LINE, "format(\"{ball.mass} {ball.speed} "),
    ]);
    assert_eq!(entry(&event, "types", "Ball")["when"], "migrated");
    // Two in the `Vec`, one in the map, one on the stack and one in the closure.
    assert!(entry(&event, "types", "Ball")["instances"].as_u64().is_some_and(|count| count >= 5), "{event:#}");
    assert_eq!(part(&line, "first"), "5 200 3 4");
    assert_eq!(part(&line, "named"), "5 600 3 4");
    assert!(part(&line, "mine").starts_with("5 "), "{line}");
}

#[test]
fn a_field_removed_comes_back_with_its_values() {
    let mut world = World::start();
    let gone = edited(
        WORLD,
        &[
            (BALL, "    height: i64,\n"),
            (LINE, "format(\"{ball.height} none "),
            ("height: height, speed: height * 2,", "height: height,"),
        ],
    );
    let (event, line) = world.save(&gone, "two");
    assert_eq!(entry(&event, "types", "Ball")["when"], "migrated");
    assert_eq!(part(&line, "named"), "300 none 3 4");
    let (_, line) = world.save(WORLD, "three");
    assert_eq!(part(&line, "named"), "300 600 3 4");
    assert_eq!(part(&line, "first"), "100 200 3 4");
}

#[test]
fn fields_reordered() {
    let (event, line) = row(&[(BALL, "    speed: i64,\n    height: i64,\n")]);
    assert!(event["functions"].as_array().is_some(), "{event:#}");
    assert_eq!(part(&line, "named"), "300 600 3 4");
}

#[test]
fn a_field_renamed() {
    let (_, line) = row(&[
        (BALL, "    height: i64,\n    #[was(\"speed\")] pace: i64,\n"),
        (LINE, "format(\"{ball.height} {ball.pace} "),
        ("speed: height * 2", "pace: height * 2"),
    ]);
    assert_eq!(part(&line, "named"), "300 600 3 4");
}

#[test]
fn a_field_retyped_saturates_and_is_counted() {
    let (event, line) =
        row(&[(BALL, "    height: i64,\n    speed: i8,\n"), ("speed: height * 2", "speed: (height * 2) as i8")]);
    assert_eq!(part(&line, "named"), "300 127 3 4");
    assert!(notices(&event).contains("5 values of `i64` did not fit into `i8`"), "{event:#}");
}

#[test]
fn a_field_renamed_and_retyped_in_the_same_save() {
    let (_, line) = row(&[
        (BALL, "    height: i64,\n    #[was(\"speed\")] pace: f64,\n"),
        (LINE, "format(\"{ball.height} {ball.pace:.1} "),
        ("speed: height * 2", "pace: (height * 2) as f64"),
    ]);
    assert_eq!(part(&line, "named"), "300 600.0 3 4");
    assert_eq!(part(&line, "first"), "100 200.0 3 4");
}

#[test]
fn a_struct_inside_an_array_inside_another_on_the_stack_of_a_main_that_changes() {
    let (event, line) = row(&[
        ("    x: i64,\n    y: i64,\n", "    z: i64 = 9,\n    y: i64,\n    x: i32,\n"),
        (BALL, "    height: i64,\n    mass: i64 = 5,\n    speed: i64,\n"),
        ("Spot { x: 1, y: 2 }, Spot { x: 3, y: 4 }", "Spot { x: 1 as i32, y: 2 }, Spot { x: 3 as i32, y: 4 }"),
        ("{ball.spots[1].y}\")", "{ball.spots[1].y} {ball.spots[1].z} {ball.mass}\")"),
        ("        n += 1\n", "        n += 1\n        mine.speed += 1\n"),
    ]);
    assert_eq!(entry(&event, "functions", "main")["when"], "at_next_loop_head");
    assert_eq!(part(&line, "named"), "300 600 3 4 9 5");
    assert!(part(&line, "mine").ends_with(" 3 4 9 5"), "{line}");
}

#[test]
fn a_variant_added_and_reordered() {
    let (_, line) = row(&[
        ("    Calm,\n    Angry(i64),\n", "    Happy(str),\n    Angry(i64),\n    Calm,\n"),
        ("        Calm => 0,\n", "        Calm => 0,\n        Happy(why) => why.len(),\n"),
    ]);
    assert_eq!(part(&line, "mood"), "40");
}

#[test]
fn a_payload_added() {
    let (_, line) = row(&[
        ("Angry(i64)", "Angry(i64, i64)"),
        ("Angry(n) => n", "Angry(n, m) => n + m + 1"),
        ("Angry(40)", "Angry(40, 0)"),
    ]);
    assert_eq!(part(&line, "mood"), "41");
}

#[test]
fn a_variant_renamed() {
    let (_, line) = row(&[
        ("    Angry(i64)", "    #[was(\"Angry\")] Cross(i64)"),
        ("Angry(n) => n", "Cross(n) => n + 2"),
        ("Angry(40)", "Cross(40)"),
    ]);
    assert_eq!(part(&line, "mood"), "42");
}

#[test]
fn a_variant_removed_that_no_value_has() {
    let (_, line) = row(&[("    Sad { days: i64 },\n", ""), ("        Sad { days } => days + 1000,\n", "")]);
    assert_eq!(part(&line, "mood"), "40");
}

#[test]
fn a_variant_removed_that_a_global_has() {
    let mut world = World::start();
    let text = edited(WORLD, &[("    Angry(i64),\n", ""), ("        Angry(n) => n,\n", ""), ("Angry(40)", "Calm")]);
    let event = world.refused(&text);
    let entry = entry(&event, "types", "Mood");
    assert_eq!(entry["when"], "refused");
    assert!(entry["why"].as_str().is_some_and(|why| why.contains("`mood`")), "{event:#}");
}

#[test]
fn a_global_removed_comes_back_with_its_value() {
    let mut world = World::start();
    let (_, line) = world.save(&edited(WORLD, &[("    count += 1\n", "    count += 1\n    level += 1\n")]), "two");
    assert!(part(&line, "level").parse::<i64>().unwrap() > 7);
    let gone = edited(WORLD, &[("G level: i64 = 7\n", ""), ("{level}", "none")]);
    let (_, line) = world.save(&gone, "three");
    assert_eq!(part(&line, "level"), "none");
    let (_, line) = world.save(WORLD, "four");
    assert!(part(&line, "level").parse::<i64>().unwrap() > 7, "parked with its value: {line}");
}

#[test]
fn a_global_that_is_computed_when_it_comes() {
    let (_, line) = row(&[
        ("G level: i64 = 7\n", "G level: i64 = 7\nG sum: i64 = scaled(balls.len()) + 1\n"),
        ("{level}", "{sum}"),
    ]);
    assert_eq!(part(&line, "level"), "21");
}

#[test]
fn a_global_that_is_to_be_reset() {
    let mut world = World::start();
    let text = edited(WORLD, &[("G level: i64 = 7", "#[reset]\nG level: i64 = 70")]);
    let (_, line) = world.save(&text, "two");
    assert_eq!(part(&line, "level"), "70");
}

#[test]
fn a_constant() {
    let (_, line) = row(&[("FACTOR: i64 = 10", "FACTOR: i64 = 11")]);
    assert_eq!(part(&line, "scaled"), "22");
}

#[test]
fn a_generic_function_and_its_instances() {
    let (_, line) = row(&[("-> T { list[0] }", "-> T { list[list.len() - 1] }")]);
    assert_eq!(part(&line, "first"), "200 400 3 4");
}

#[test]
fn a_trait_method_behind_dyn() {
    let (_, line) = row(&[("{ self.side * self.side }", "{ self.side * 100 }")]);
    assert_eq!(part(&line, "area"), "300");
}

#[test]
fn a_struct_behind_dyn_and_one_in_a_closure() {
    let (_, line) = row(&[
        ("    side: i64,\n", "    border: i64 = 2,\n    side: i64,\n"),
        ("{ self.side * self.side }", "{ self.side * self.side + self.border }"),
        (BALL, "    height: i64,\n    mass: i64 = 5,\n    speed: i64,\n"),
        ("|k| kept.height + k", "|k| kept.mass + k"),
    ]);
    assert_eq!(part(&line, "area"), "11");
    assert_eq!(part(&line, "tell"), "6");
}

#[test]
fn a_method_added_to_a_trait() {
    let (_, line) = row(&[
        ("    F area(&self) -> i64\n", "    F edges(&self) -> i64 = 4\n    F area(&self) -> i64\n"),
        ("{shape.area()}", "{shape.edges()} {shape.area()}"),
    ]);
    assert_eq!(part(&line, "area"), "4 9");
}

#[test]
fn the_signature_of_a_method_behind_dyn() {
    let (_, line) = row(&[
        ("    F area(&self) -> i64\n", "    F area(&self, by: i64) -> i64\n"),
        ("    F area(&self) -> i64 { self.side * self.side }", "    F area(&self, by: i64) -> i64 { self.side * by }"),
        ("{shape.area()}", "{shape.area(20)}"),
    ]);
    assert_eq!(part(&line, "area"), "60");
}

#[test]
fn a_rollback_brings_code_and_dropped_values_back() {
    let mut world = World::start();
    let gone = edited(
        WORLD,
        &[
            (BALL, "    height: i64,\n"),
            (LINE, "format(\"{ball.height} none "),
            ("height: height, speed: height * 2,", "height: height,"),
            ("    count += 1\n", "    count += 1\n    I n % 50 == 49 { hot_rollback(1) }\n"),
        ],
    );
    world.save(&gone, "two");
    let event = world.counter.run.event("rolled_back");
    assert_eq!(event["version"], 3, "{event:#}");
    world.counter.run.out.skip();
    let line = world.counter.run.out.line("the first version's line", |line| line.starts_with("one "));
    assert_eq!(part(&line, "named"), "300 600 3 4");
    world.counter.is_continuous();
}

/// A signature, and its callers in two other files, saved one after the other: until the last is saved nothing changes.
#[test]
fn a_signature_and_its_callers_in_three_files() {
    let files = [
        (
            "game.vais",
            "U left\nU right\nG n: i64 = 0\nF main() -> i64 {\n    L n < 1000000 {\n        println(\"one {n} {left_side(n)} {right_side(n)}\")\n        n += 1\n        usleep(2000)\n    }\n    0\n}\n",
        ),
        ("base.vais", "F base(k: i64) -> i64 { k * 2 }\n"),
        ("left.vais", "U base\nF left_side(k: i64) -> i64 { base(k) - k }\n"),
        ("right.vais", "U base\nF right_side(k: i64) -> i64 { base(k) + k }\n"),
    ];
    let project = Project::new(&files);
    let mut run = Run::hot(&project, "game.vais");
    run.out.line("a line", |line| line.starts_with("one "));
    project.save("base.vais", "F base(k: i64, by: i64) -> i64 { k * by }\n");
    let event = run.event("rejected");
    assert_eq!(event["diagnostics"].as_array().map(Vec::len), Some(2), "{event:#}");
    project.save("left.vais", "U base\nF left_side(k: i64) -> i64 { base(k, 10) }\n");
    assert_eq!(run.event("rejected")["diagnostics"].as_array().map(Vec::len), Some(1));
    project.save("right.vais", "U base\nF right_side(k: i64) -> i64 { base(k, 100) }\n");
    let event = run.event("reloaded");
    assert_eq!(event["version"], 2, "{event:#}");
    run.out.skip();
    run.out.line("the end of a line", |_| true);
    let line = run.out.line("a line of the new version", |_| true);
    let words: Vec<i64> = line.split(' ').skip(1).map(|word| word.parse().unwrap()).collect();
    assert_eq!((words[1], words[2]), (words[0] * 10, words[0] * 100), "{line}");
}

#[test]
fn closures_whose_captures_change_are_counted() {
    let (event, line) = row(&[(
        "    kept := new_ball(400)\n    tell = |k| kept.height + k\n",
        "    kept := new_ball(400)\n    more := 5\n    tell = |k| kept.height + k + more\n",
    )]);
    assert_eq!(part(&line, "tell"), "401", "the one that was made before keeps its code");
    assert!(notices(&event).contains("1 closure made in `main` keeps its old code"), "{event:#}");
}
