//! Items that a save renames or moves to another file, on the real binary: their values stay.

use crate::harness::{Project, Run, replaced};
use crate::rows::{WORLD, World, edited, entry, notices, part};

/// How often `main` has gone round, and what its local has counted.
fn rounds(line: &str) -> (i64, i64) {
    let count = line.split(' ').nth(2).and_then(|word| word.parse().ok()).expect("the count");
    let mine = part(line, "mine").split(' ').next().and_then(|word| word.parse().ok()).expect("the local's height");
    (count, mine)
}

fn assert_kept(line: &str) {
    assert_eq!(part(line, "first"), "100 200 3 4");
    assert_eq!(part(line, "named"), "300 600 3 4");
    assert_eq!(part(line, "tell"), "401");
    let (count, mine) = rounds(line);
    assert!(count == mine && count > 0, "{line}");
}

#[test]
fn a_struct_with_another_name_and_back() {
    let mut world = World::start();
    let (event, line) = world.save(&WORLD.replace("Ball", "Orb"), "two");
    assert_eq!(entry(&event, "types", "Orb")["change"], "renamed", "{event:#}");
    assert!(notices(&event).contains("`Orb` is taken for the renamed `Ball`"), "{event:#}");
    assert_kept(&line);
    let (_, line) = world.save(WORLD, "three");
    assert_kept(&line);
}

#[test]
fn a_declared_rename_with_other_edits_and_a_rollback() {
    let mut world = World::start();
    let renamed = edited(
        &WORLD.replace("Ball", "Orb").replace("Square", "Quad").replace("mood", "temper"),
        &[
            ("S Orb {\n", "#[was(\"Ball\")]\nS Orb {\n"),
            ("S Quad {", "#[was(\"Square\")]\nS Quad {"),
            ("G temper: Mood", "#[was(\"mood\")]\nG temper: Mood"),
            (" temper {feeling()}", " mood {feeling()}"),
            ("    count += 1\n", "    count += 1\n    I n % 50 == 49 { hot_rollback(1) }\n"),
        ],
    );
    let (event, line) = world.save(&renamed, "two");
    assert_eq!(entry(&event, "types", "Orb")["change"], "renamed", "{event:#}");
    assert_kept(&line);
    assert_eq!((part(&line, "mood"), part(&line, "area")), ("40", "9"));
    let event = world.counter.run.event("rolled_back");
    assert_eq!(event["version"], 3, "{event:#}");
    world.counter.run.out.skip();
    let line = world.counter.run.out.line("the first version's line", |line| line.starts_with("one "));
    assert_kept(&line);
    world.counter.is_continuous();
}

/// What moves to a file of its own.
const THINGS: [&str; 4] = [
    "S Ball {\n    height: i64,\n    speed: i64,\n    spots: [Spot; 2],\n}\n",
    "S Spot {\n    x: i64,\n    y: i64,\n}\n",
    "G balls: Vec<Ball>\n",
    "F line(ball: *Ball) -> str {\n    format(\"{ball.height} {ball.speed} {ball.spots[1].x} {ball.spots[1].y}\")\n}\n",
];

#[test]
fn structs_a_global_and_a_function_move_to_another_file() {
    let mut world = World::start();
    world.counter.project.save("things.vais", &THINGS.concat());
    let rest = THINGS.iter().fold(WORLD.to_owned(), |text, thing| replaced(&text, thing, ""));
    let (event, line) = world.save(&format!("U things\n{rest}"), "two");
    assert_eq!(entry(&event, "functions", "balls")["change"], "moved", "{event:#}");
    assert_kept(&line);
    let (_, line) = world.save(WORLD, "three");
    assert_kept(&line);
}

#[test]
fn a_function_in_a_running_loop_moves_to_another_file() {
    let run = "F run() -> i64 {\n    n := 0\n    state := State { steps: 0, other: 7 }\n    L n < 1000000 {\n        n += 1\n        state.steps += 1\n        println(\"one {n} {state.steps} {state.other}\")\n        usleep(2000)\n    }\n    0\n}\n";
    let state = "S State { steps: i64, other: i64 }\n";
    let main = "F main() -> i64 { run() }\n";
    let project = Project::new(&[("game.vais", &format!("{state}{run}{main}"))]);
    let mut process = Run::hot(&project, "game.vais");
    process.out.line("a line", |line| line.starts_with("one "));
    project.save("loop.vais", &format!("{state}{}", replaced(run, "\"one ", "\"two ")));
    project.save("game.vais", &format!("U loop\n{main}"));
    let event = process.event("reloaded");
    let line = process.out.line("a line of the moved loop", |line| line.starts_with("two "));
    let words: Vec<&str> = line.split(' ').collect();
    assert!(words[1] == words[2] && words[3] == "7", "{line} {event:#}");
}
