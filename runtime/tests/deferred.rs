//! What is deferred (`D`) in calls that a trap ends: run on the way out, innermost call first, each once.

#[path = "../../tests/alone.rs"]
mod alone;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alone::is_alone;
use vaisjit::{Engine, EngineBuilder, Event, MemoryLoader, Program, TrapCode};

const WAIT: Duration = Duration::from_secs(60);

/// A program with a host function `note`, whose arguments are kept, and one that replaces the program's text.
struct Noting {
    program: Program,
    files: MemoryLoader,
    notes: Arc<Mutex<Vec<i64>>>,
    events: Receiver<Event>,
}

impl Noting {
    fn new(engine: EngineBuilder, text: &str) -> Noting {
        let files = MemoryLoader::default();
        files.set("main.vais", text);
        let notes = Arc::<Mutex<Vec<i64>>>::default();
        let own = notes.clone();
        let (sender, events) = channel();
        let engine = engine
            .function("note", move |n: i64| own.lock().expect("no panic").push(n))
            .on_event(move |event| _ = sender.send(event.clone()));
        let program = engine.build().expect("an engine").load_with("main.vais", Arc::new(files.clone()));
        Noting { program: program.unwrap_or_else(|error| panic!("{error}\n{text}")), files, notes, events }
    }

    fn notes(&self) -> Vec<i64> {
        std::mem::take(&mut *self.notes.lock().expect("no panic"))
    }

    /// The codes of the traps that have been told of.
    fn traps(&self) -> Vec<TrapCode> {
        let code = |event| if let Event::Trap(trap) = event { Some(trap.code) } else { None };
        self.events.try_iter().filter_map(code).collect()
    }

    fn event(&self, name: &str) -> Event {
        loop {
            let event = self.events.recv_timeout(WAIT).unwrap_or_else(|_| panic!("no {name}"));
            if event.name() == name {
                return event;
            }
        }
    }

    /// Waits until `note` has been called with a number.
    fn until_noted(&self, number: i64) {
        let deadline = std::time::Instant::now() + WAIT;
        while !self.notes.lock().expect("no panic").contains(&number) {
            assert!(std::time::Instant::now() < deadline, "{number} is never noted");
            std::thread::yield_now();
        }
    }
}

fn modes() -> [EngineBuilder; 2] {
    [Engine::builder(), Engine::builder().static_mode(true)]
}

/// `fault(kind)` fails with deferred blocks on both sides of what fails.
const KINDS: &str = r#"
N { F qsort(base: *i64, n: i64, size: i64, f: fn(*i64, *i64) -> i64); }
G open: i64 = 0
F compare(a: *i64, b: *i64) -> i64 {
    D note(7)
    *a / (*b - *b)
}
F deep(n: i64) -> i64 {
    open += 1
    D open -= 1
    deep(n + 1) + 1
}
#[hot]
F one(kind: i64) -> i64 {
    name := "kind {kind}"
    D { note(2 + name.len()) }
    I kind == 0 { R *((kind - kind) as *i64) }
    I kind == 1 { R *((81985529216486895 + kind) as *i64) }
    I kind == 2 { R 1 / (kind - 2) }
    I kind == 3 { R [1, 2, 3][kind] }
    I kind == 4 { none: Option<i64> = None R none! }
    I kind == 5 { panic(name) }
    I kind == 6 { R deep(0) }
    I kind == 7 { R fails(kind) }
    I kind == 8 {
        numbers := [3, 1, 2]
        qsort(&numbers as *i64, 3, 8, compare)
    }
    I kind == 9 { v: Vec<i64> = [1, 2] R v[kind] }
    kind
}
F fault(kind: i64) -> i64 {
    open += 1
    D { open -= 1 note(1) }
    one(kind) + 1
}
F left() -> i64 { open }
"#;

#[test]
fn every_kind_of_trap_runs_what_is_deferred() {
    for engine in modes() {
        let fails = |_: i64| -> Result<i64, String> { Err("out of order".to_owned()) };
        let noting = Noting::new(engine.function("fails", fails), KINDS);
        let fault = noting.program.function::<(i64,), i64>("fault").expect("the function");
        let left = noting.program.function::<(), i64>("left").expect("the function");
        for kind in 0..10 {
            let trap = fault.call((kind,)).expect_err("a trap");
            assert!(trap.deferred.is_empty(), "{}", trap.report());
            let callback: &[i64] = if kind == 8 { &[7, 8, 1] } else { &[8, 1] };
            assert_eq!(noting.notes(), callback, "kind {kind}: {}", trap.report());
            assert_eq!(left.call(()).expect("no trap"), 0, "kind {kind}");
        }
        assert_eq!(fault.call((11,)).expect("no trap"), 12);
    }
}

/// What deferred blocks name is theirs: it is released after them, so nothing of it is left.
#[test]
fn counted_variables_of_deferred_blocks_do_not_leak() {
    let text = "F f(n: i64, v: Vec<str>) -> i64 {\n    text := \"made {n}\"\n    list := [text, \"b\"]\n    words: Vec<str> = [text]\n    D note(list[0].len() + v.len() + words.len())\n    \
                L i: 0..3 { part := \"turn {i}\"  D note(part.len()) }\n    n / (n - n)\n}\nF run(n: i64) -> i64 {\n    v: Vec<str> = [\"a {n}\"]\n    D note(v.len())\n    f(n, v)\n}\n";
    for engine in modes() {
        let noting = Noting::new(engine, text);
        let run = noting.program.function::<(i64,), i64>("run").expect("the function");
        for _ in 0..10 {
            assert_eq!(run.call((5,)).expect_err("a trap").code, TrapCode::DivisionByZero);
            assert_eq!(noting.notes(), [6, 6, 6, 8, 1]);
        }
        assert!(noting.program.heap_check().expect("nothing runs").is_empty());
    }
}

/// A trap in a deferred block is told of with the trap that made it run; the rest runs all the same.
#[test]
fn traps_in_deferred_blocks_are_told_of() {
    let text = "F bad(n: i64) -> i64 { n / (n - n) }\nF run(n: i64) -> i64 {\n    D note(1)\n    L i: 0..3 { D { note(2) bad(n) } }\n    D { v: Vec<i64> = [] note(3) note(v[n]) }\n    panic(\"out\")\n}\n";
    for engine in modes() {
        let noting = Noting::new(engine, text);
        let trap = noting.program.function::<(i64,), i64>("run").expect("it").call((5,)).expect_err("a trap");
        assert_eq!(trap.code, TrapCode::Panic);
        assert_eq!(noting.notes(), [3, 2, 2, 2, 1]);
        let codes: Vec<TrapCode> = trap.deferred.iter().map(|trap| trap.code).collect();
        assert_eq!(codes[0], TrapCode::IndexOutOfBounds);
        assert_eq!(codes[1..], [TrapCode::DivisionByZero; 3]);
        assert_eq!(trap.deferred[1].frames[0].function, "bad");
        assert_eq!(trap.deferred[1].frames[1].function, "run");
        assert!(trap.report().contains("and in a deferred block, trap: "), "{}", trap.report());
    }
}

#[test]
fn an_interrupt_runs_what_is_deferred() {
    let text = "F run(n: i64) -> i64 {\n    D { sum := 0  L i: 0..5000 { sum += i }  note(sum) }\n    note(1)\n    L { n += 1 }\n    n\n}\n";
    let noting = Noting::new(Engine::builder(), text);
    let run = noting.program.function::<(i64,), i64>("run").expect("the function");
    let call = std::thread::spawn(move || run.call((0,)));
    noting.until_noted(1);
    noting.program.interrupt();
    assert_eq!(call.join().expect("no panic").expect_err("interrupted").code, TrapCode::Interrupted);
    assert_eq!(noting.notes(), [1, 12_497_500]);
}

/// A deferred block that does not end is ended by another interrupt, and nothing else is run.
#[test]
fn a_second_interrupt_ends_deferred_blocks() {
    let text =
        "F run(n: i64) -> i64 {\n    D note(9)\n    D { note(2)  L { n += 1 } }\n    note(1)\n    n / (n - n)\n}\n";
    let noting = Noting::new(Engine::builder(), text);
    let run = noting.program.function::<(i64,), i64>("run").expect("the function");
    let call = std::thread::spawn(move || run.call((0,)));
    noting.until_noted(2);
    noting.program.interrupt();
    let trap = call.join().expect("no panic").expect_err("a trap");
    assert_eq!((trap.code, trap.deferred[0].code), (TrapCode::DivisionByZero, TrapCode::Interrupted));
    assert_eq!(noting.notes(), [1, 2]);
}

#[test]
fn a_restart_of_main_runs_what_is_deferred_and_exit_does_not() {
    let text = "U std/hot\nG runs: i64 = 0\nF end(n: i64) {\n    D note(n)\n    I n == 1 { hot_restart() }\n    exit(3)\n}\nF main() -> i64 {\n    D note(0 - runs)\n    runs += 1\n    end(runs)\n    0\n}\n";
    for engine in modes() {
        let noting = Noting::new(engine, text);
        assert_eq!(noting.program.run_main().expect("a status"), 3);
        assert_eq!(noting.notes(), [1, -1]);
    }
}

/// A restart that a deferred block asks for is none of the traps that are told of; what failed before it is.
#[test]
fn a_deferred_block_may_restart_main() {
    let text = "U std/hot\nG runs: i64 = 0\nF end(n: i64) -> i64 {\n    D note(n)\n    D { I n < 3 { hot_restart() } }\n    I n == 1 { hot_restart() }\n    I n == 2 { R n / (n - n) }\n    exit(3)\n}\nF main() -> i64 {\n    D note(0 - runs)\n    runs += 1\n    end(runs)\n}\n";
    for engine in modes() {
        let noting = Noting::new(engine, text);
        assert_eq!(noting.program.run_main().expect("a status"), 3);
        assert_eq!(noting.notes(), [1, -1, 2, -2]);
        assert_eq!(noting.traps(), [TrapCode::DivisionByZero]);
    }
}

#[test]
fn what_is_deferred_in_a_thread_runs() {
    let text = "U std/thread\nF work(n: i64) -> i64 {\n    D note(n)\n    n / (n - n)\n}\nF run() -> i64 {\n    D note(1)\n    t := spawn(|| { work(7) })\n    M t.join() { Ok(v) => { v } Err(why) => { note(2)  panic(why) } }\n}\n";
    let noting = Noting::new(Engine::builder(), text);
    assert!(noting.program.function::<(), i64>("run").expect("the function").call(()).is_err());
    assert_eq!(noting.notes(), [7, 2, 1]);
}

/// Threads that a deferred block makes, and reloads it asks for, hang nothing.
#[test]
fn deferred_blocks_may_do_what_needs_a_stop() {
    let text = "U std/thread\nU std/hot\nF run(n: i64) -> i64 {\n    D { note(hot_reload()) note(hot_check()) }\n    D { t := spawn(|| { 40 })  M t.join() { Ok(v) => { note(v) } Err(_) => {} } }\n    n / (n - n)\n}\n";
    let noting = Noting::new(Engine::builder(), text);
    let run = noting.program.function::<(i64,), i64>("run").expect("the function");
    noting.files.set("main.vais", text.replace("note(v)", "note(v + 1)"));
    assert!(run.call((1,)).is_err());
    assert_eq!(noting.notes(), [40, -1, 0]);
    assert!(noting.program.poll().expect("it can be carried over").is_reloaded());
    noting.files.set("main.vais", text.replace("note(v)", "note(v + 2)"));
    assert!(run.call((1,)).is_err());
    assert_eq!(noting.notes(), [41, -1, 1]);
}

/// A call that is made again after a trap has run what it had deferred before.
#[test]
fn a_call_is_repeated_after_what_it_has_deferred() {
    let text = "G open: i64 = 0\nF deeper(n: i64) -> i64 {\n    D note(n)\n    12 / n\n}\n#[hot]\nF step(n: i64) -> i64 {\n    open += 1\n    D { note(10 + open)  open -= 1 }\n    deeper(n)\n}\nF main() -> i64 {\n    D note(99)\n    step(0) + open\n}\n";
    let noting = Noting::new(Engine::builder().pause_on_trap(true), text);
    let program = noting.program.clone();
    let main = std::thread::spawn(move || program.run_main());
    for round in 0..3 {
        let Event::Trap(trap) = noting.event("trap") else { panic!("no trap") };
        assert_eq!(trap.paused.as_deref(), Some("step"));
        assert_eq!(noting.notes(), [0, 11], "round {round}");
        let body = if round < 2 { format!("12 / n + {round}") } else { "n + 4".to_owned() };
        noting.files.set("main.vais", text.replace("12 / n", &body));
        assert!(noting.program.poll().expect("it can be carried over").is_reloaded());
    }
    assert_eq!(main.join().expect("no panic").expect("mended"), 4);
    assert_eq!(noting.notes(), [0, 11, 99]);
}

/// A loop that goes on in new code has its deferred blocks, old and new ones, when the new code fails.
#[test]
fn what_a_loop_has_deferred_runs_in_its_new_code() {
    let text = "U std/hot\nF step(n: i64) -> i64 { n }\nF main() -> i64 {\n    name := \"main\"\n    D note(100 + name.len())\n    n := 0\n    L n < 10 {\n        D note(n)\n        n += 1\n        I n == 3 { next() hot_reload() }\n    }\n    1\n}\n";
    let files = Arc::new(Mutex::new(None::<MemoryLoader>));
    let (own, other) =
        (files.clone(), text.replace("        n += 1\n", "        n += 1\n        I n == 5 { n = n / (n - 5) }\n"));
    let next = move || own.lock().expect("no panic").as_ref().expect("files").set("main.vais", other.clone());
    let noting = Noting::new(Engine::builder().function("next", next), text);
    *files.lock().expect("no panic") = Some(noting.files.clone());
    let trap = noting.program.run_main().expect_err("a trap");
    assert_eq!((trap.code, trap.frames[0].version), (TrapCode::DivisionByZero, 2));
    assert_eq!(noting.notes(), [5, 5, 5, 5, 5, 104]);
    assert!(noting.program.heap_check().expect("nothing runs").is_empty());
}

/// A struct that a deferred block names is carried over although nothing else of an endless loop needs it.
#[test]
fn a_deferred_struct_gets_its_new_fields() {
    let text = "U std/hot\nS P { x: i64, name: str }\nF step(n: i64) -> i64 { 7 / n }\nF main() -> i64 {\n    p := P { x: 4, name: \"n\" + \"ame\" }\n    D note(p.x * 100 + p.name.len())\n    n := 0\n    L {\n        n += 1\n        \
                I n == 3 { next() hot_reload() }\n        I n > 5 { step(n - n) }\n    }\n    0\n}\n";
    let files = Arc::new(Mutex::new(None::<MemoryLoader>));
    let other = text.replace("{ x: i64, name", "{ added: i64 = 3, more: str = \"abc\", x: i64, name");
    let other = other.replace("p.x * 100", "p.added * 1000 + p.more.len() * 10 + p.x * 100");
    let own = files.clone();
    let next = move || own.lock().expect("no panic").as_ref().expect("files").set("main.vais", other.clone());
    let noting = Noting::new(Engine::builder().function("next", next), text);
    *files.lock().expect("no panic") = Some(noting.files.clone());
    let trap = noting.program.run_main().expect_err("a trap");
    assert_eq!((trap.code, trap.frames[1].version), (TrapCode::DivisionByZero, 2), "{}", trap.report());
    assert_eq!(noting.notes(), [3434]);
    assert!(noting.program.heap_check().expect("nothing runs").is_empty());
}

/// Locals, temporaries and captured values of calls that have ended, whether they lie in registers, on a stack or in
/// blocks on a data stack; what globals and pointers in globals lead to stays.
const HOLDING: &str = r#"
S Node { name: str, next: Vec<Node> }
G kept: Vec<str> = []
G shared: str = ""
G behind: *str = 0 as *str
G cells: Vec<Box<str>> = []
F tree(n: i64) -> Node {
    node := Node { name: "node {n}", next: [] }
    L i: 0..n { node.next.push(tree(i)) }
    node
}
F deepest(n: i64, node: Node, text: str) -> i64 {
    words := [text, "word {n}", node.name]
    f := || { words[0].len() / (n - n) }
    L i: 0..3 {
        part := "{i} of {text}"
        I i == 2 { R f() + part.len() }
    }
    0
}
#[hot]
F fault(n: i64) -> i64 {
    I kept.len() == 0 {
        kept.push("kept {n}")
        shared = "shared {n}"
        cells.push(Box.new("boxed {n}"))
        behind = &*cells[0]
    }
    node := tree(3)
    map: HashMap<str, Vec<i64>> = HashMap.new()
    map.insert("key {n}", [1, n, 3])
    long := shared.repeat(10000)
    text := shared + " and more {long.len()}"
    deepest(n, node, text + "{n}") + map.len() + shared.len()
}
F look() -> i64 {
    assert(*behind == *cells[0])
    kept[0].len() + shared.len() + (*behind).len()
}
"#;

#[test]
fn what_failed_calls_held_is_freed() {
    if !is_alone("what_failed_calls_held_is_freed") {
        return;
    }
    for engine in modes() {
        let noting = Noting::new(engine, HOLDING);
        let fault = noting.program.function::<(i64,), i64>("fault").expect("the function");
        let look = noting.program.function::<(), i64>("look").expect("the function");
        let before = resident();
        for _ in 0..4000 {
            assert_eq!(fault.call((5,)).expect_err("a trap").code, TrapCode::DivisionByZero);
            assert_eq!(look.call(()).expect("no trap"), 6 + 8 + 7);
        }
        // 300 MB and more would be left.
        assert!(resident() - before < 64 << 10, "{} KiB more", resident() - before);
        assert!(noting.program.heap_check().expect("nothing runs").is_empty());
    }
}

/// Resident memory in KiB; 0 where nobody tells.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Counted values behind `malloc` are not seen, so nothing is freed once there have been any.
#[test]
fn values_in_foreign_memory_stay() {
    let text = "N { F malloc(n: i64) -> i64 }\nG cell: *str = 0 as *str\nF put(n: i64) {\n    cell = malloc(8) as *str\n    *cell = \"put {n}\"\n}\nF get() -> i64 { (*cell).len() }\nF fault(n: i64) -> i64 {\n    words: Vec<str> = []\n    L i: 0..2000 { words.push(\"{i}\") }\n    n / (n - n)\n}\n";
    for engine in modes() {
        let noting = Noting::new(engine, text);
        noting.program.function::<(i64,), ()>("put").expect("the function").call((7,)).expect("no trap");
        let fault = noting.program.function::<(i64,), i64>("fault").expect("the function");
        let get = noting.program.function::<(), i64>("get").expect("the function");
        for _ in 0..3 {
            assert!(fault.call((1,)).is_err());
            assert_eq!(get.call(()).expect("no trap"), 5);
        }
        assert!(noting.program.heap_check().is_err());
    }
}

/// Faults on several threads while versions come and go.
#[test]
fn a_thousand_faults_leave_nothing_open() {
    let text = "G open: i64 = 0\nF at(n: i64) -> i64 {\n    text := \"{n}\"\n    D note(text.len())\n    I n == 0 { R n / n }\n    L i: 0..2 { D note(i) }\n    at(n - 1) + 1\n}\nF run(n: i64) -> i64 {\n    D note(-1)\n    at(n)\n}\n";
    let calls = Arc::new(AtomicU64::new(0));
    let noting = Noting::new(Engine::builder(), text);
    let threads: Vec<_> = (0..3)
        .map(|number| {
            let (program, calls) = (noting.program.clone(), calls.clone());
            std::thread::spawn(move || {
                let run = program.function::<(i64,), i64>("run").expect("the function");
                for round in 0..334 {
                    let trap = run.call(((round + number) % 5,)).expect_err("a trap");
                    assert_eq!(trap.code, TrapCode::DivisionByZero, "{}", trap.report());
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let mut reloads = 0;
    while threads.iter().any(|thread| !thread.is_finished()) {
        reloads += 1;
        noting.files.set("main.vais", text.replace("+ 1\n}\nF run", &format!("+ {reloads}\n}}\nF run")));
        let _ = noting.program.poll().expect("it can be carried over");
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let notes = noting.notes();
    assert_eq!(notes.iter().filter(|note| **note == -1).count() as u64, calls.load(Ordering::SeqCst));
    assert!(noting.program.heap_check().expect("nothing runs").is_empty());
}

#[test]
fn a_trap_whose_deferred_block_does_not_end_is_told_of() {
    let text = "F bad(k: i64) -> i64 {\n    D {\n        note(1)\n        L k == 3 { usleep(1000) }\n    }\n    [1, 1, 1][k]\n}\n";
    let noting = Noting::new(Engine::builder(), text);
    let program = noting.program.clone();
    let call = std::thread::spawn(move || program.function::<(i64,), i64>("bad").expect("it").call((3,)));
    let Event::Notice(text) = noting.event("notice") else { unreachable!() };
    assert!(text.starts_with("trap: ") && text.contains("main.vais:6"), "{text}");
    assert!(text.ends_with("has been running since"), "{text}");
    assert_eq!(noting.notes(), [1]);
    let deadline = std::time::Instant::now() + WAIT;
    while !call.is_finished() && std::time::Instant::now() < deadline {
        noting.program.interrupt();
        std::thread::yield_now();
    }
    assert!(call.join().expect("no panic").is_err());
}
