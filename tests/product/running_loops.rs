//! Edits of a running `main` and of other running loops, on the real binary: they go on in the new code with what they
//! hold.

use serde_json::Value;

use crate::counter::{Counter, FILE, TEXT, names};
use crate::harness::{Project, Run, replaced, until};

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

/// The seed's example, running, with what its lines say: frame, x, y.
struct Example {
    project: Project,
    run: Run,
    text: String,
}

const EXAMPLE: &str = "hot_reload_simple.vais";

impl Example {
    fn start() -> Example {
        let project = Project::example(EXAMPLE);
        let mut run = Run::hot(&project, EXAMPLE);
        run.out.line("a frame", |line| line.starts_with("Frame 2:"));
        let text = project.read(EXAMPLE);
        Example { project, run, text }
    }

    /// Saves with these replacements made.
    fn edit(&mut self, edits: &[(&str, &str)]) -> Value {
        for (from, to) in edits {
            assert!(self.text.contains(from), "`{from}` is to be replaced in\n{}", self.text);
            self.text = self.text.replace(from, to);
        }
        self.project.save(EXAMPLE, &self.text);
        let event = self.run.event("reloaded");
        assert_eq!(when(&event, "main"), "at_next_loop_head", "{event:#}");
        event
    }

    /// Frame, x and y of a line printed from now on that fits.
    fn frame(&mut self, what: &str, wanted: impl Fn(i64, i64) -> bool) -> (i64, i64, i64) {
        let line = self.run.out.line(what, |line| numbers(line).is_some_and(|(frame, x, _)| wanted(frame, x)));
        numbers(&line).unwrap_or_default()
    }

    /// No frame was lost or repeated, and `y` counted all of them.
    fn is_continuous(&self) {
        let text = self.run.out.text();
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        for (expected, (frame, _, y)) in (1..).zip(complete.lines().filter_map(numbers)) {
            assert_eq!((frame, y), (expected, 2 * expected));
        }
    }
}

/// `Frame 3: x=3, y=6`, and what may follow.
fn numbers(line: &str) -> Option<(i64, i64, i64)> {
    let (frame, rest) = line.strip_prefix("Frame ")?.split_once(": x=")?;
    let (x, rest) = rest.split_once(", y=")?;
    let y = rest.split([' ', '.']).next()?;
    Some((frame.parse().ok()?, x.parse().ok()?, y.parse().ok()?))
}

const CONDITION: (&str, &str) = ("state.frame < 1000", "state.frame < 5000");
const BODY: (&str, &str) =
    ("        game_update(&state)\n", "        game_update(&state)\n        state.x = state.x + 1000\n");
const LOCAL: (&str, &str) = ("    state := GameState", "    far := 5000\n    state := GameState");
const USES_LOCAL: (&str, &str) =
    ("        game_update(&state)\n", "        game_update(&state)\n        state.x = state.x + far\n");
const FIELDS: (&str, &str) =
    ("    frame: i64,\n    x: i64,\n    y: i64,\n", "    x: i64,\n    y: f64,\n    frame: i64,\n    lives: i64 = 3,\n");
const USES_FIELDS: [(&str, &str); 3] = [
    ("state.y + 2", "state.y + 2.0"),
    ("y=%d\\n\", state.frame, state.x, state.y)", "y=%.0f lives=%d\\n\", state.frame, state.x, state.y, state.lives)"),
    ("y: 0 }", "y: 0.0 }"),
];

#[test]
fn the_first_example_with_its_loop_edited_piece_by_piece() {
    let mut example = Example::start();
    example.edit(&[CONDITION]);
    example.edit(&[BODY]);
    let (frame, ..) = example.frame("a frame of the new body", |_, x| x > 1000);
    let event = example.edit(&[LOCAL, ("state.x + 1000", "state.x + far")]);
    assert!(notices(&event).contains("`far` in the running `main` is new: it starts with `5000`"), "{event:#}");
    example.frame("a frame with the new local", |now, x| now > frame + 1 && x > 5000);
    let event = example.edit(&[FIELDS, USES_FIELDS[0], USES_FIELDS[1], USES_FIELDS[2]]);
    assert_eq!(names(&event, "types"), ["GameState"]);
    example.run.out.line("a line with the new field", |line| line.contains("lives=3"));
    // Under another name, and with another kind of loop.
    let event = example.edit(&[("state", "world")]);
    assert!(notices(&event).contains("`world` in the running `main` takes over the value of `state`"), "{event:#}");
    example.edit(&[("    L world.frame < 5000 {", "    L turn: 0..5000 {")]);
    example.edit(&[("L turn: 0..5000", "L now: 0..=6000")]);
    let (frame, ..) = example.frame("a frame of that loop", |_, _| true);
    example.frame("further frames", |now, _| now > frame + 3);
    example.is_continuous();
    // All undone in one save.
    example.text = Project::example(EXAMPLE).read(EXAMPLE);
    example.edit(&[]);
    example.run.out.line("a line without the field", |line| numbers(line).is_some() && !line.contains("lives"));
    example.is_continuous();
    example.edit(&[("state.frame < 1000", "state.frame < 10")]);
    assert_eq!(example.run.wait().code(), Some(0));
}

#[test]
fn the_first_example_with_all_of_it_edited_in_one_save() {
    let mut example = Example::start();
    let event = example.edit(&[CONDITION, LOCAL, USES_LOCAL, FIELDS, USES_FIELDS[0], USES_FIELDS[1], USES_FIELDS[2]]);
    assert_eq!(names(&event, "types"), ["GameState"]);
    example.run.out.line("a line of the new program", |line| line.contains("lives=3"));
    let (frame, ..) = example.frame("a frame with the new local", |_, x| x > 5000);
    example.frame("further frames", |now, _| now > frame + 3);
    example.is_continuous();
    example.text = Project::example(EXAMPLE).read(EXAMPLE);
    example.edit(&[]);
    example.run.out.line("a line without the field", |line| numbers(line).is_some() && !line.contains("lives"));
    example.is_continuous();
}

#[test]
fn thirty_saves_of_the_first_example_and_back() {
    let mut example = Example::start();
    for number in 1..=30 {
        let text = Project::example(EXAMPLE).read(EXAMPLE);
        let name = if number % 3 == 0 { "world" } else { "state" };
        let kind = ["L state.frame < 90000 {", "L i: 0..90000 {", "L {", "LW state.frame <= 80000 {"][number % 4];
        let locals: String = (0..number % 4).map(|n| format!("    v{n} := \"text {{state.x}} {n}\"\n")).collect();
        let body = format!("        state.x = state.x + {number} * 1000\n        usleep(1000)\n");
        let text = replaced(&text, "    L state.frame < 1000 {\n", &format!("{locals}    {kind}\n{body}"));
        example.text = text.replace("state", name);
        example.edit(&[]);
        let (frame, x, _) = example.frame("a frame", |_, _| true);
        example.frame("a further frame", |now, far| now > frame && far >= x + number as i64 * 1000);
    }
    example.is_continuous();
    example.text = replaced(&Project::example(EXAMPLE).read(EXAMPLE), "frame < 1000", "frame < 30");
    example.edit(&[]);
    assert_eq!(example.run.wait().code(), Some(0));
    example.is_continuous();
}

/// A commit that changes a layout waits for a frame that would still build a value of the old shape, names it, and
/// happens as soon as that has moved on.
#[test]
fn a_save_that_waits_for_a_frame_in_old_code() {
    let text = r#"
S P { x: i64, y: i64 }
N "C" { F access(path: str, mode: i32) -> i32; }
F sum(p: *P) -> i64 = p.x + p.y
F wait() { L access("go", 0) != 0 { usleep(2000) } }
F build(n: i64) -> i64 {
    println("building {n}")
    wait()
    p := P { x: n, y: 1 }
    sum(&p)
}
F main() -> i64 {
    n := 0
    L n < 100000 {
        println("built {build(n)}")
        n += 1
        usleep(2000)
    }
    0
}
"#;
    let project = Project::new(&[(FILE, text)]);
    let mut run = Run::hot(&project, FILE);
    run.out.line("a call", |line| line == "building 0");
    let text = replaced(text, "y: i64 }", "y: i64, z: i64 = 50 }");
    let text = replaced(&replaced(&text, "p.x + p.y", "p.x + p.y + p.z"), "y: 1 }", "y: 1, z: 1000 }");
    project.save(FILE, &text);
    let pending = run.event_after("pending", &["notice"]);
    assert!(pending.to_string().contains("build"), "{pending:#}");
    project.write("go", "");
    run.event("reloaded");
    let built = |line: &str| line.strip_prefix("built ").and_then(|sum| sum.parse::<i64>().ok());
    run.out.line("a value of the new shape", |line| built(line).is_some_and(|sum| sum > 1000));
    let text = run.out.text();
    let sums: Vec<i64> = text.lines().filter_map(built).collect();
    let old = sums.iter().filter(|sum| **sum < 1000).count() as i64;
    let expected = (0..).map(|n| if n < old { n + 1 } else { n + 1001 });
    assert!(sums.iter().copied().eq(expected.take(sums.len())), "{sums:?}");
}

/// A newer save takes back one that waits for a frame in old code.
#[test]
fn a_newer_save_supersedes_one_that_waits_for_old_code() {
    let text = "S P { x: i64 }\nF sum(p: *P) -> i64 = p.x\nF build() -> i64 {\n    println(\"building\")\n    usleep(600000000)\n    \
                p := P { x: 1 }\n    sum(&p)\n}\nF main() -> i64 { build() }\n";
    let project = Project::new(&[(FILE, text)]);
    let mut run = Run::hot(&project, FILE);
    run.out.line("a call", |line| line == "building");
    project.save(FILE, &replaced(text, "x: i64 }", "x: i64, z: i64 = 50 }"));
    run.event_after("pending", &["notice"]);
    project.save(FILE, &replaced(text, "= p.x", "= p.x * 2"));
    run.event("reloaded");
    run.signal(libc::SIGKILL);
}

/// The address of a value that has to move lies in a register of a call that is over soon: the save waits for that.
#[test]
fn a_pin_that_goes_away_is_waited_for() {
    // For a second, which on a busy machine may be over before the test has let go.
    assert!((0..30).any(|_| is_carried_once_it_lets_go()), "it is never waited for");
}

fn is_carried_once_it_lets_go() -> bool {
    let (mut run, project) = pinned_by("wait()");
    let pinned = "which holds the address of a value that has to move";
    let mut goes = false;
    let mut decides = |event: &Value| match event["event"].as_str().unwrap_or_default() {
        "pending" if event["waits_for"].as_str().is_some_and(|what| what.contains(pinned)) => {
            project.write("go", "");
            goes = true;
            None
        }
        "reloaded" => Some(true).inspect(|_| assert!(goes, "it was pinned")),
        "refused" => Some(false),
        _ => None,
    };
    let carried = until("what becomes of the save", || run.events_so_far().iter().find_map(&mut decides));
    if carried {
        run.out.line("the value as it was, in its new place", |line| line == "got 41");
    }
    run.signal(libc::SIGKILL);
    carried
}

/// One that stays is the reason of a refusal after a while.
#[test]
fn a_pin_that_stays_refuses_the_save() {
    let (mut run, _project) = pinned_by("usleep(600000000)");
    let refused = run.event_after("refused", &["notice", "pending"]);
    assert!(refused.to_string().contains("it cannot move: the running `work` holds its address"), "{refused:#}");
    run.signal(libc::SIGKILL);
}

/// A program in which `work` holds an address while it does this, and a save that has to move what lies there.
fn pinned_by(what: &str) -> (Run, Project) {
    let text = format!(
        "S P {{ x: i64 }}\nN {{ F access(path: str, mode: i32) -> i32; }}\nG all: Vec<P>\nF look(p: *P) -> i64 = p.x\n\
         #[hot]\nF add() -> i64 = 0\nF wait() {{ L access(\"go\", 0) != 0 {{ usleep(2000) }} }}\n\
         F work(p: *P) -> i64 {{\n    println(\"working\")\n    {what}\n    look(p)\n}}\n\
         F main() -> i64 {{\n    all.push(P {{ x: 1 }})\n    L {{\n        n := work(&all[0])\n        \
         println(\"got {{n + add()}}\")\n        usleep(2000)\n    }}\n    0\n}}\n"
    );
    let project = Project::new(&[(FILE, &text)]);
    let mut run = Run::hot(&project, FILE);
    run.out.line("a call", |line| line == "working");
    let more = "x: i64, more: [i64; 40] = [1; 40] }";
    project.save(
        FILE,
        &replaced(&replaced(&text, "x: i64 }", more), "add() -> i64 = 0", "add() -> i64 = all[0].more[7] * 40"),
    );
    (run, project)
}

/// `hot_restart` while a save waits for the running `main`: what starts is the save.
#[test]
fn a_restart_takes_a_save_that_waits() {
    let text = "S P { x: i64 }\nN { F access(path: *u8, mode: i32) -> i32; }\nG starts: i64\n\
                F show(p: P) { println(\"made {p.x}\") }\n\
                F hold() {\n    L access(\"go\\0\" as *u8, 0) != 0 { usleep(2000) }\n    hot_restart()\n}\n\
                F step() {\n    I starts < 2 { hold() }\n    show(P { x: 1 })\n}\n\
                F main() -> i64 {\n    starts += 1\n    println(\"start {starts}\")\n    step()\n    0\n}\n";
    let text = format!("U std/hot\n{text}");
    let project = Project::new(&[(FILE, &text)]);
    let mut run = Run::hot(&project, FILE);
    run.out.line("a start", |line| line == "start 1");
    let new = replaced(&replaced(&text, "x: i64 }", "x: i64, y: i64 = 6 }"), "made {p.x}", "made {p.x + p.y}");
    project.save(FILE, &new);
    run.event_after("pending", &["notice"]);
    project.write("go", "");
    run.out.line("the second start", |line| line == "start 2");
    run.out.line("a value of the new shape", |line| line == "made 7");
    assert_eq!(run.finish().status, Some(0));
}

/// A turn of the outermost loop runs code of one version, also where the save comes while an inner loop is running.
#[test]
fn a_turn_with_an_inner_loop_is_of_one_version() {
    let text = |digit: usize| {
        format!(
            "F main() -> i64 {{\n    s := \"\"\n    L {{\n        s = \"\"\n        L x: 0..6 {{\n            s = \"{{s}}{digit}\"\n            usleep(2000)\n        }}\n        println(s)\n    }}\n    0\n}}\n"
        )
    };
    let project = Project::new(&[("a.vais", &text(0))]);
    let mut run = Run::hot(&project, "a.vais");
    let mut relaxed = 0;
    for digit in 1..8 {
        run.out.line("a turn of the version before", |line| line == (digit - 1).to_string().repeat(6));
        project.save("a.vais", &text(digit));
        let event = run.event("reloaded");
        relaxed += usize::from(notices(&event).contains("no outermost loop came round"));
    }
    run.out.line("a turn of the last version", |line| line == "777777");
    let mixed = |line: &&str| line.len() == 6 && line.bytes().any(|digit| digit != line.as_bytes()[0]);
    let text = run.out.text();
    assert!(text.lines().filter(mixed).count() <= relaxed, "{text}");
}

/// A loop around one that never ends does not come round, so nobody waits for it.
#[test]
fn an_endless_loop_inside_another_one_is_edited_at_once() {
    let text = |digit: usize| {
        format!(
            "F main() -> i64 {{\n    L {{\n        println(\"begun\")\n        L {{\n            println(\"{digit}\")\n            usleep(2000)\n        }}\n    }}\n}}\n"
        )
    };
    let project = Project::new(&[("a.vais", &text(0))]);
    let mut run = Run::hot(&project, "a.vais");
    for digit in 1..5 {
        run.out.line("a turn of the version before", |line| line == (digit - 1).to_string());
        project.save("a.vais", &text(digit));
        let event = run.event("reloaded");
        assert!(!notices(&event).contains("no outermost loop came round"), "{event}");
    }
    run.out.line("a turn of the last version", |line| line == "4");
    assert_eq!(run.out.text().matches("begun").count(), 1);
}

/// Function values that only a running loop holds are counted, those that the loop gives up in the same save are not.
#[test]
fn function_values_of_running_loops_are_counted() {
    let text = |items: &str, above: &str, shown: &str| {
        format!(
            "G n: i64\n{items}F main() -> i64 {{\n    base := 5\n{above}    L n < 100000 {{\n        n += 1\n        println(\"{shown}\")\n        usleep(2000)\n    }}\n    0\n}}\n"
        )
    };
    let first = text("", "    f := |x: i64| x * 0 + base\n", "closure {f(n)}");
    let project = Project::new(&[("a.vais", &first)]);
    let mut run = Run::hot(&project, "a.vais");
    run.out.line("the first version", |line| line == "closure 5");
    let mut save = |items: &str, above: &str, shown: &str, seen: &str| {
        project.save("a.vais", &text(items, above, shown));
        let event = run.event("reloaded");
        run.out.line("the new version", |line| line == seen);
        notices(&event)
    };
    let said = save("", "", "none {base}", "none 5");
    assert!(said.contains("`f` in the running `main` is gone") && !said.contains("old code"), "{said}");
    save("F plus(x: i64) -> i64 = x * 0 + 1\n", "    f := plus\n", "plus {f(n)}", "plus 1");
    let changed = "F plus(x: i64, y: i64) -> i64 = x * 0 + y\n";
    let said = save(changed, "    f := |x: i64| plus(x, 7)\n", "kept {f(n)}", "kept 1");
    assert!(said.contains("1 function value of `plus` keeps its old code: its signature changed"), "{said}");
}

/// A frame that has not come to the head of its loop may hold one where nobody can count.
#[test]
fn function_values_in_old_frames_are_named() {
    let text = |named: &str, body: &str| {
        format!(
            "G n: i64\nF {named}(x: i64) -> i64 = {body}\nF inner() {{ L i: 0..100000 {{ println(\"turn {{i}}\")  usleep(2000) }} }}\nF run(f: fn(i64) -> i64) -> i64 {{\n    t := 0\n    L n < 100 {{\n        n += 1\n        t = f(n)\n        inner()\n    }}\n    t + f(n)\n}}\nF main() -> i64 {{ run({named}) }}\n"
        )
    };
    let project = Project::new(&[("a.vais", &text("plus", "x + 1"))]);
    let mut run = Run::hot(&project, "a.vais");
    run.out.line("a turn", |line| line == "turn 3");
    project.save("a.vais", &text("times", "x * 2 + n"));
    let event = run.event("reloaded");
    let said = notices(&event);
    assert!(
        said.contains("`run` is running and may hold `plus`, with its old code: it is gone from the text"),
        "{said}"
    );
}

/// `main` is nearly always inside C in the inner loop when the save comes; its outer loop is still there.
#[test]
fn the_inner_loop_that_main_is_running_goes_and_comes() {
    let text = |inside: &str, tag: &str| {
        format!(
            "F slow(n: i64) -> i64 {{\n    usleep(2000)\n    n + 1\n}}\nF main() -> i64 {{\n    n := 0\n    L n < 1000000 {{\n        \
             {inside}\n        println(\"{tag} {{n}}\")\n    }}\n    0\n}}\n"
        )
    };
    let inner = "L y: 0..5 {\n            usleep(2000)\n            n += 1\n        }";
    let project = Project::new(&[("a.vais", &text(inner, "one"))]);
    let mut run = Run::hot(&project, "a.vais");
    run.out.line("the first line", |line| line.starts_with("one"));
    for (inside, tag) in
        [("n = slow(n)", "two"), (inner, "three"), (&*format!("{inner}\n        {inner}"), "four"), (inner, "five")]
    {
        project.save("a.vais", &text(inside, tag));
        let event = run.event("reloaded");
        assert_eq!(when(&event, "main"), "at_next_loop_head", "{event:#}");
        run.out.line("the new text", |line| line.starts_with(tag));
    }
    run.interrupt();
    let number = |line: &str| line.split(' ').nth(1).and_then(|word| word.parse::<i64>().ok());
    let finished = run.finish();
    let numbers: Vec<i64> = finished.out.lines().filter_map(number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] <= 15), "{numbers:?}");
}
