//! Every example starts, does what it promises, and takes an edit while it runs.

use crate::harness::{self, Project, Run};

#[test]
fn the_simple_example() {
    let project = Project::example("hot_reload_simple.vais");
    let mut run = Run::hot(&project, "hot_reload_simple.vais");
    run.out.line("the greeting", |line| line == "Hot Reload Example - Try modifying game_update!");
    run.out.line("a frame", |line| line == "Frame 3: x=3, y=6");
    // The edit that the README proposes.
    project.edit("hot_reload_simple.vais", "\"Frame %d: x=%d, y=%d\\n\"", "\"Frame %d is at (%d, %d)\\n\"");
    run.event("reloaded");
    let line = run.out.line("the line the README promises", |line| line.contains(" is at "));
    let frame: i64 = line.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(line, format!("Frame {frame} is at ({frame}, {})", 2 * frame));
    project.edit("hot_reload_simple.vais", "state.x = state.x + 1", "state.x = state.x - 1000");
    run.event("reloaded");
    run.out.line("the way back", |line| line.contains(" is at (-"));
    assert_eq!(run.err.text().lines().filter(|line| line.contains("warning") || line.contains("rror")).count(), 0);
}

#[test]
fn the_simple_example_ends_by_itself_with_status_0() {
    let project = Project::example("hot_reload_simple.vais");
    // Sixteen milliseconds a frame for a thousand frames: too long for a test.
    project.edit("hot_reload_simple.vais", "usleep(16666)", "usleep(1)");
    let finished = Run::hot(&project, "hot_reload_simple.vais").finish();
    assert_eq!(finished.status, Some(0));
    assert_eq!(finished.out.lines().last(), Some("Frame 1000: x=1000, y=2000"));
    assert_eq!(finished.out.lines().count(), 1002);
}

#[test]
fn the_game() {
    let project = Project::example("hot_reload_game.vais");
    let mut run = Run::hot(&project, "hot_reload_game.vais");
    run.out.line("a frame", |line| line == "Position: (0, 0) Score: 0");
    project.edit("hot_reload_game.vais", "(10.0 * dt)", "(4000.0 * dt)");
    run.event("reloaded");
    run.out.line("a score", |line| line.ends_with("Score: 30"));
    project.edit("hot_reload_game.vais", "Position: (%d, %d) Score", "%d/%d, points");
    run.event("reloaded");
    let line = run.out.line("the new format", |line| line.contains(", points: "));
    let points: i64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(points >= 30, "the score is kept: {line}");
}

#[test]
fn the_loop_with_a_function_value() {
    let project = Project::example("hot_loop.vais");
    let mut run = Run::hot(&project, "hot_loop.vais");
    run.err.line("the missing file is named", |line| line.contains("game.vais"));
    project.edit("hot_loop.vais", "# Game logic", "puts(\"a new line\")\n    usleep(10000)");
    run.event("reloaded");
    run.out.line("the new logic", |line| line == "a new line");
    project.edit("hot_loop.vais", "    0\n}\nF main", "    1\n}\nF main");
    assert_eq!(run.finish().status, Some(0));
}

#[test]
fn the_particles() {
    let project = Project::example("hot_reload_advanced.vais");
    let mut run = Run::hot(&project, "hot_reload_advanced.vais");
    run.out.line("a status line", |line| line.contains("frame 30 ") && line.contains("particles 200"));
    run.out.line("coloured particles", |line| line.contains("\u{1b}[38;5;") && line.contains('*'));
    project.edit("hot_reload_advanced.vais", "Ctrl-C ends", "edited");
    run.event("reloaded");
    run.out.line("the new status line", |line| line.contains("version 2") && line.contains("edited"));
    project.edit("hot_reload_advanced.vais", "GRAVITY: f64 = 22.0", "GRAVITY: f64 = 0.0");
    run.event("reloaded");
    run.out.line("the third version", |line| line.contains("version 3"));
    run.interrupt();
    let finished = run.finish();
    assert_eq!(finished.status, Some(130));
    assert!(finished.out.starts_with("\u{1b}[?1049h\u{1b}[?25l"), "the alternate screen, no cursor");
    let frames: Vec<&str> = finished.out.split("\u{1b}[H").collect();
    for frame in &frames[1..frames.len() - 1] {
        assert_eq!(frame.lines().count(), 23, "a frame leaves the last line of the terminal free: {frame:?}");
    }
}

/// On a terminal the cursor and the screen of before come back.
#[test]
fn the_particles_on_a_terminal() {
    let project = Project::example("hot_reload_advanced.vais");
    let (mut screen, terminal) = harness::terminal();
    let mut run = Run::prepared(&project, |command| {
        command.args(["run", "--quiet", "hot_reload_advanced.vais"]).stdout(terminal);
    });
    screen.line("a status line", |line| line.contains("frame 10 "));
    run.interrupt();
    assert_eq!(run.wait().code(), Some(130));
    let text = screen.all();
    let last_frame = text.rfind("\u{1b}[H");
    for undone in ["\u{1b}[?25h", "\u{1b}[?1049l"] {
        assert!(text.rfind(undone) > last_frame, "{undone:?} must be the last word: {:?}", &text[text.len() - 99..]);
    }
}

#[test]
fn the_program_of_three_files() {
    let project = Project::example("multi");
    let mut run = Run::hot(&project, "main.vais");
    let first = run.out.line("the first tick", |_| true);
    assert_eq!(first, "tick 0: height 19.98, speed -0.49");
    project.edit("physics.vais", "GRAVITY: f64 = 9.81", "GRAVITY: f64 = -9.81");
    let event = run.event("reloaded");
    assert!(event["files"][0].as_str().is_some_and(|file| file.ends_with("physics.vais")), "{event:#}");
    project.edit("draw.vais", "tick {tick}:", "after {tick}:");
    run.event("reloaded");
    run.out.line("it rises", |line| line.starts_with("after ") && !line.contains("speed -"));
}
