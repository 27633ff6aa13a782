//! `--on-trap pause`: the failed call waits for the save that mends it, and is made again.

use serde_json::Value;

use crate::harness::{self, Project, Run};

const FILE: &str = "game.vais";

/// `main` keeps `n` and a struct, `step` fails when `n` is 3.
const STEPS: &str = r#"S P { a: [i64; 10], n: i64 }
G calls: i64 = 0

#[hot]
F step(n: i64, p: P) -> i64 {
    calls += 1
    q := &p
    q.n += 1
    BODY
    println("step {n} {p.n}")
    0
}

F main() -> i64 {
    n := 0
    p := P { a: [7; 10], n: 2 }
    L n < 6 {
        step(n, p)
        n += 1
        usleep(1000)
    }
    println("calls {calls}")
    0
}
"#;

/// A program that has been started with `--on-trap pause`.
struct Paused {
    project: Project,
    run: Run,
    text: String,
}

impl Paused {
    fn start(text: &str) -> Paused {
        let project = Project::new(&[(FILE, text)]);
        let run = Run::hot_with(&project, FILE, &["--on-trap", "pause"]);
        Paused { project, run, text: text.to_owned() }
    }

    /// Waits for a trap that the program survives.
    fn traps(&mut self, function: &str, code: &str) -> Value {
        let trap = self.run.event_after("trap", &["notice", "unchanged", "reloaded", "resumed", "pending"]);
        assert_eq!((trap["paused"].as_str(), trap["code"].as_str()), (Some(function), Some(code)), "{trap:#}");
        trap
    }

    /// Saves a text with one piece replaced.
    fn mend(&mut self, from: &str, to: &str) {
        self.text = harness::replaced(&self.text, from, to);
        self.project.save(FILE, &self.text);
    }

    fn resumes(&mut self, function: &str, version: u64) -> Value {
        let resumed = self.run.event("resumed");
        assert_eq!((resumed["function"].as_str(), resumed["version"].as_u64()), (Some(function), Some(version)));
        resumed
    }

    /// Waits for the end with this status; what was printed.
    fn ends(self, status: i32) -> String {
        let finished = self.run.finish();
        assert_eq!(finished.status, Some(status), "{finished:?}");
        assert!(!finished.err.contains("panicked"), "{finished:?}");
        finished.out
    }
}

/// What the callee did to its own copy of a struct is not seen by the second try; what it did to a global is.
#[test]
fn the_call_is_made_again_with_the_same_arguments() {
    let mut game = Paused::start(&STEPS.replace("BODY", "10 / (n - 3)"));
    game.traps("step", "DivisionByZero");
    game.mend("10 / (n - 3)", "0");
    let resumed = game.resumes("step", 2);
    assert!(resumed["total_us"].as_u64().is_some_and(|us| us > 0), "{resumed:#}");
    let lines: String = (0..6).map(|n| format!("step {n} 3\n")).collect();
    assert_eq!(game.ends(0), lines + "calls 7\n");
}

/// One mended program after the other: whatever the kind of trap, the same call is made again.
#[test]
fn every_kind_of_trap_can_be_mended() {
    let kinds = [
        ("z := 0 z = *(z as *i64)", "NullPointer"),
        ("z := 81985529216486895 z = *(z as *i64)", "BadAddress"),
        ("z := 0 z = n / z", "DivisionByZero"),
        ("z := [1, 2][n]", "IndexOutOfBounds"),
        ("z: Option<i64> = None y := z!", "UnwrapFailed"),
        ("panic(\"no fuel\")", "Panic"),
        ("assert(n == 0)", "AssertFailed"),
        ("deep(n)", "StackOverflow"),
        ("by_callback()", "DivisionByZero"),
        ("in_deferred(0)", "DivisionByZero"),
    ];
    let rest = "
F deep(n: i64) -> i64 { deep(n + 1) + 1 }
F compare(a: *i64, b: *i64) -> i64 { *a / (*b - *b) }
F by_callback() -> i64 {
    numbers := [3, 1, 2]
    qsort(&numbers as *i64, 3, 8, compare)
    0
}
F in_deferred(n: i64) -> i64 {
    D { 1 / n }
    n
}
";
    let in_step = |kind: &str| format!("I n == 3 {{ {kind} }}");
    let text = STEPS.replace("BODY", &in_step("KIND")).replace("n < 6", "n < 4") + rest;
    let text = format!("N {{ F qsort(base: *i64, n: i64, size: i64, f: fn(*i64, *i64) -> i64); }}\n{text}");
    let mut before = "KIND".to_owned();
    let mut game = Paused::start(&text.replace("KIND", kinds[0].0));
    game.text = text;
    for (number, (kind, code)) in kinds.iter().enumerate() {
        if number == 0 {
            game.text = game.text.replace("KIND", kind);
        } else {
            game.mend(&in_step(&before), &in_step(kind));
            game.resumes("step", number as u64 + 1);
        }
        game.traps("step", code);
        before = (*kind).to_owned();
    }
    game.mend(&in_step(&before), "0");
    game.resumes("step", kinds.len() as u64 + 1);
    let out = game.ends(0);
    assert_eq!(out.lines().last(), Some(&*format!("calls {}", 4 + kinds.len())), "{out}");
}

/// A save with mistakes, and one that mends something else, leave the program where it was.
#[test]
fn it_waits_until_it_is_mended() {
    let mut game = Paused::start(&STEPS.replace("BODY", "10 / (n - 3)"));
    game.traps("step", "DivisionByZero");
    game.mend("10 / (n - 3)", "10 / (n - ");
    game.run.event("rejected");
    game.mend("10 / (n - ", "11 / (n - 3)");
    game.resumes("step", 2);
    let trap = game.traps("step", "DivisionByZero");
    assert_eq!(trap["backtrace"][0]["version"], 2, "{trap:#}");
    game.mend("11 / (n - 3)", "0");
    game.resumes("step", 3);
    assert!(game.ends(0).ends_with("calls 8\n"));
}

const OUTER: &str = "#[hot]\nF step(n: i64) -> i64 { 6 / (n - 2) }\nF turns() -> i64 {\n    n := 0\n    L n < 4 { println(\"{step(n)}\") n += 1 }\n    n\n}\nF main() -> i64 { turns() }\n";

/// The caller that waits has the old types: the new function cannot be called by it, and it says so.
#[test]
fn a_call_that_no_longer_fits_is_pending() {
    let mut game = Paused::start(OUTER);
    game.traps("step", "DivisionByZero");
    game.mend("n: i64) -> i64 { 6 / (n - 2) }", "n: i64, m: i64) -> i64 { m }");
    game.run.event("rejected");
    game.mend("step(n)}", "step(n, 9)}");
    let pending = game.run.event_after("pending", &["reloaded"]);
    assert!(pending["waits_for"].as_str().is_some_and(|what| what.contains("`step`")), "{pending:#}");
    game.mend("n: i64, m: i64) -> i64 { m }", "n: i64) -> i64 { 50 }");
    game.run.event("rejected");
    game.mend("step(n, 9)}", "step(n)}");
    game.resumes("step", 3);
    assert_eq!(game.ends(4), "-3\n-6\n50\n50\n");
}

#[test]
fn a_removed_function_is_pending() {
    let mut game = Paused::start(OUTER);
    game.traps("step", "DivisionByZero");
    game.project.save(FILE, "F turns() -> i64 { 7 }\nF main() -> i64 { turns() }\n");
    let pending = game.run.event_after("pending", &["reloaded"]);
    assert!(pending["waits_for"].as_str().is_some_and(|what| what.contains("`step`")), "{pending:#}");
    game.mend("6 / (n - 2)", "n");
    game.resumes("step", 3);
    assert_eq!(game.ends(4), "-3\n-6\n2\n3\n");
}

#[test]
fn main_starts_afresh_with_the_globals_kept() {
    let text = "G starts: i64 = 0\nF main() -> i64 {\n    starts += 1\n    println(\"start {starts}\")\n    [1, 2][starts + 1]\n}\n";
    let mut game = Paused::start(text);
    game.traps("main", "IndexOutOfBounds");
    game.mend("[1, 2][starts + 1]", "starts");
    game.resumes("main", 2);
    assert_eq!(game.ends(2), "start 1\nstart 2\n");
}

/// Also without `#[hot]`: what `main` calls is made again.
#[test]
fn a_function_that_main_calls_need_not_be_hot() {
    let text = "F inner(n: i64) -> i64 { 6 / (n - 2) }\nF outer(n: i64) -> i64 { inner(n) }\nF main() -> i64 {\n    n := 0\n    \
                L n < 4 { println(\"{n} {outer(n)}\") n += 1 }\n    n\n}\n";
    let mut game = Paused::start(text);
    game.traps("outer", "DivisionByZero");
    game.mend("6 / (n - 2)", "n");
    game.resumes("outer", 2);
    assert_eq!(game.ends(4), "0 -3\n1 -6\n2 2\n3 3\n");
}

/// Each thread waits in its own call, `main` runs on, and one save mends them all.
#[test]
fn several_threads_wait_at_once() {
    let text = r#"U std/thread
#[hot]
F work(n: i64) -> i64 { 100 / (n % 7 - 5) }
F runner(id: i64) -> i64 {
    sum := 0
    L n: 0..20 { sum += work(n) }
    id
}
F main() -> i64 {
    threads: Vec<Thread> = Vec.new()
    L i: 0..4 {
        id := i
        threads.push(spawn(|| { runner(id) }))
    }
    sum := 0
    L i: 0..4 { M threads[i].join() { Ok(id) => { sum += id } Err(why) => { println(why) } } }
    sum
}
"#;
    let mut game = Paused::start(text);
    for _ in 0..4 {
        game.traps("work", "DivisionByZero");
    }
    game.mend("100 / (n % 7 - 5)", "1");
    for _ in 0..4 {
        game.resumes("work", 2);
    }
    assert_eq!(game.ends(6), "");
}

#[test]
fn signals_end_a_program_that_waits() {
    for (signal, status) in [(libc::SIGINT, 130), (libc::SIGTERM, 143)] {
        for text in [
            STEPS.replace("BODY", "10 / (n - 3)"),
            "F main() -> i64 { [1][main_index()] }\nF main_index() -> i64 { 5 }\n".into(),
        ] {
            let mut game = Paused::start(&text);
            let name = if text.starts_with('S') { "step" } else { "main" };
            let code = if text.starts_with('S') { "DivisionByZero" } else { "IndexOutOfBounds" };
            game.traps(name, code);
            game.run.signal(signal);
            game.ends(status);
        }
    }
}

/// A thread of the program's ends it while `main` waits.
#[test]
fn exit_in_a_thread_ends_a_program_that_waits() {
    let text = "U std/thread\nN \"C\" { F access(name: str, mode: i32) -> i32; }\n#[hot]\nF step(n: i64) -> i64 { 1 / n }\nF main() -> i64 {\n    \
                spawn(|| {\n        L access(\"go\", 0) != 0 { usleep(1000) }\n        exit(7)\n        0\n    })\n    step(0)\n}\n";
    let mut game = Paused::start(text);
    game.traps("step", "DivisionByZero");
    game.project.write("go", "");
    game.ends(7);
}

/// A program that chooses the moment of its reloads cannot do so while it waits.
#[test]
fn a_manual_program_is_mended_too() {
    let text = STEPS
        .replace("BODY", "10 / (n - 3)")
        .replace("    n := 0\n    p", "    hot_init(\"game.vais\")\n    n := 0\n    p");
    let mut game = Paused::start(&text);
    game.traps("step", "DivisionByZero");
    game.mend("10 / (n - 3)", "0");
    game.resumes("step", 2);
    assert!(game.ends(0).ends_with("calls 7\n"));
}

/// The default where somebody sits at a terminal.
#[test]
fn on_a_terminal_a_trap_pauses() {
    let text = STEPS.replace("BODY", "10 / (n - 3)");
    let project = Project::new(&[(FILE, &text)]);
    let (mut screen, terminal) = harness::terminal();
    let mut run = Run::prepared(&project, |command| {
        command.args(["run", "--events"]).arg(project.events_path()).arg(FILE);
        let end = || terminal.try_clone().expect("a descriptor");
        command.stdin(end()).stderr(end());
    });
    drop(terminal);
    screen.line("the way out", |line| line.contains("paused") && line.contains("step"));
    project.save(FILE, &text.replace("10 / (n - 3)", "0"));
    run.event_after("resumed", &["ready", "trap", "reloaded"]);
    assert_eq!(run.wait().code(), Some(0));
}

#[test]
fn static_mode_cannot_wait_for_a_save() {
    let project = Project::new(&[(FILE, "F main() -> i64 { 0 }\n")]);
    let finished = harness::run_to_end(&project, ["run", "--static", "--on-trap", "pause", FILE]);
    assert_eq!(finished.status, Some(2), "{finished:?}");
    assert!(finished.err.contains("static mode"), "{finished:?}");
}

/// The calls around the mended one run code that a later save has replaced: what fails there is made again at once, in the
/// newest code.
#[test]
fn old_code_that_fails_is_made_again_in_the_newest() {
    let text = "F walk(n: i64) -> i64 {\n    I n == 0 { R 1 / n }\n    r := walk(n - 1)\n    assert(n != 2, \"two\")\n    \
                r + 1\n}\nF main() -> i64 {\n    n := 0\n    L n == 0 {\n        n = walk(3)\n        usleep(1000)\n    }\n    n\n}\n";
    let mut game = Paused::start(text);
    game.traps("walk", "DivisionByZero");
    game.mend("R 1 / n", "R 2 / n");
    game.resumes("walk", 2);
    game.traps("walk", "DivisionByZero");
    game.text = game.text.replace("    assert(n != 2, \"two\")\n", "");
    game.mend("R 2 / n", "R 0");
    game.resumes("walk", 3);
    game.traps("walk", "AssertFailed");
    game.resumes("walk", 3);
    game.ends(3);
}

/// The same call is not made again and again when it goes on calling old code; a save of the running version makes it
/// again once more.
#[test]
fn old_code_that_fails_again_waits() {
    let text = "F make() -> fn(i64) -> i64 {\n    k := 0\n    |n: i64| { n / k }\n}\n#[hot]\nF step(f: fn(i64) -> i64) -> i64 { f(5) }\n\
                F main() -> i64 {\n    f := make()\n    step(f)\n}\n";
    let mut game = Paused::start(text);
    game.traps("step", "DivisionByZero");
    game.mend("|n: i64| { n / k }", "j := 1\n    |n: i64| { n / (k + j) }");
    for _ in 0..2 {
        game.resumes("step", 2);
        game.traps("step", "DivisionByZero");
    }
    game.mend("F main()", "# Nothing new.\nF main()");
    game.resumes("step", 2);
    game.traps("step", "DivisionByZero");
    game.mend("{ f(5) }", "{ 7 }");
    game.resumes("step", 3);
    game.ends(7);
}

/// A save that could only be applied behind a call that waits for a save is refused, and the next one counts.
#[test]
fn a_layout_that_the_failed_call_is_in_the_way_of_is_refused() {
    let text = "S P { a: i64 }\nG g: P\nF f(k: i64) -> i64 { 10 / (k - 3) }\nF main() -> i64 {\n    L k: 0..6 {\n        f(k)\n        \
                g.a += 1000\n        usleep(1000)\n    }\n    g.a as i64 / 1000\n}\n";
    let mut game = Paused::start(text);
    game.traps("f", "DivisionByZero");
    let before = game.text.clone();
    game.text = game.text.replace("a: i64", "a: f64").replace("+= 1000", "+= 1000.0");
    game.mend("10 / (k - 3)", "10");
    let refused = game.run.event("refused").to_string();
    assert!(
        refused.contains("waits in the failed call of `f`") && refused.contains("mend `f` alone first"),
        "{refused}"
    );
    game.text = before;
    game.mend("10 / (k - 3)", "10");
    game.resumes("f", 2);
    game.ends(6);
}

/// A thread waits in the call of its own function, be it hot or not, a closure or not; exactly that call is made again.
#[test]
fn a_thread_waits_in_the_call_of_its_function() {
    let text = r#"U std/thread
G calls: AtomicI64
F inner(k: i64) -> i64 { calls.add(1)  10 / (k - k) }
F work() -> i64 { inner(1) }
F main() -> i64 {
    calls = AtomicI64.new(0)
    k := 2
    a := spawn(work)
    b := spawn(|| inner(k))
    sum := a.join()! + b.join()!
    println("{sum} {calls.load()}")
    0
}
"#;
    for options in [&["--on-trap", "pause"][..], &["--on-trap", "pause", "--all-hot"]] {
        let project = Project::new(&[(FILE, text)]);
        let run = Run::hot_with(&project, FILE, options);
        let mut game = Paused { project, run, text: text.to_owned() };
        let mut names: Vec<_> = (0..2)
            .map(|_| game.run.event_after("trap", &["notice"])["paused"].as_str().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        if options.len() == 2 {
            assert_eq!(names, ["main.{0}", "work"]);
        }
        game.mend("10 / (k - k)", "k * 10");
        assert_eq!(game.ends(0), "30 4\n");
    }
}

/// The frames of what keeps a call for its repetition are no calls of the program's.
#[test]
fn calls_that_are_left_out_are_counted_once() {
    let text = "F down(n: i64) -> i64 { deep(n - 1) }\n#[hot]\nF deep(n: i64) -> i64 {\n    I n == 0 { R 1 / n }\n    down(n) + 1\n}\n\
                F main() -> i64 { deep(1000) }\n";
    let mut game = Paused::start(text);
    game.run.err.line("the count", |line| line == "  ... and 1988 more calls");
    game.run.interrupt();
    game.ends(130);
}

/// A rollback of the program's own to what runs already mends nothing.
#[test]
fn a_rollback_to_what_runs_is_no_mending() {
    let text = "U std/hot\nG file: i64\nN \"C\" { F access(name: str, mode: i32) -> i32; }\n\
                F main() -> i64 {\n    done := false\n    L {\n        I !done && access(\"go\", 0) == 0 { done = true  hot_rollback(1) }\n        usleep(1000)\n    }\n    0\n}\n";
    let mut game = Paused::start(text);
    game.project.save(FILE, "F main() -> i64 { x }\n");
    game.run.event("rejected");
    game.project.save("go", "");
    let notice = game.run.event("notice");
    assert_eq!(notice["text"], "rollback to v1: that is what runs already, as v1", "{notice:#}");
    game.project.save(FILE, text);
    game.run.err.line("the mending", |line| line.starts_with("mended, unchanged v1"));
}
