//! Traps through the library: contained, told of in order, and the program callable afterwards; or waited out, and the
//! failed call made again.
//!
//! `SEED` chooses the faults of one run, `FAULTS` how many there are.

#[path = "../../tests/generate/random.rs"]
mod random;

#[path = "../../tests/alone.rs"]
mod alone;

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use alone::is_alone;
use random::Random;
use vaisjit::{Engine, EngineBuilder, Event, Function, MemoryLoader, Program, Trap, TrapCode};

const LOOPING: &str =
    "F step(n: i64) -> i64 { n }\nF main() -> i64 {\n    n := 0\n    L { step(n) usleep(100) }\n    0\n}\n";

/// The names of the events so far, and who waits for more.
#[derive(Default)]
struct Log {
    names: Mutex<Vec<&'static str>>,
    changed: Condvar,
}

impl Log {
    fn push(&self, name: &'static str) {
        self.names.lock().expect("no panic").push(name);
        self.changed.notify_all();
    }

    /// Waits for an event that should not come.
    fn gives_time_to(&self, name: &str) {
        let names = self.names.lock().expect("no panic");
        let absent = |names: &mut Vec<&str>| !names.contains(&name);
        drop(self.changed.wait_timeout_while(names, Duration::from_millis(300), absent));
    }
}

/// The thread that traps in a new version may be quicker than the one that tells of the version.
#[test]
fn a_trap_is_told_of_after_the_version_it_happened_in() {
    let log = Arc::<Log>::default();
    let own = log.clone();
    let handler = move |event: &Event| {
        if matches!(event, Event::Reloaded { .. }) {
            own.gives_time_to("trap");
        }
        own.push(event.name());
    };
    let files = MemoryLoader::default();
    files.set("main.vais", LOOPING);
    let engine = Engine::builder().on_event(handler).build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("a program");
    let own = program.clone();
    let main = std::thread::spawn(move || own.run_main());
    files.set("main.vais", LOOPING.replace("-> i64 { n", "-> i64 { 1 / n"));
    assert!(program.poll().expect("it can be carried over").is_reloaded());
    let trap = main.join().expect("no panic").expect_err("it traps");
    assert_eq!(trap.code, TrapCode::DivisionByZero);
    assert_eq!(*log.names.lock().expect("no panic"), ["reloaded", "trap"]);
}

/// `main` is started afresh from outside, with the globals kept; without a running `main` nothing happens.
#[test]
fn main_is_restarted_from_outside() {
    let text = "G starts: i64 = 0\nF main() -> i64 {\n    starts += 1\n    started(starts)\n    L starts < 3 { usleep(100) }\n    starts\n}\n";
    let (sender, starts) = std::sync::mpsc::channel();
    let engine = Engine::builder().function("started", move |n: i64| _ = sender.send(n)).build().expect("an engine");
    let program = engine.load_str(text).expect("a program");
    assert!(!program.restart_main());
    let own = program.clone();
    let main = std::thread::spawn(move || own.run_main());
    for n in 1..3 {
        assert_eq!(starts.recv_timeout(Duration::from_secs(60)), Ok(n));
        assert!(program.restart_main());
    }
    assert_eq!(main.join().expect("no panic").expect("no trap"), 3);
    assert!(!program.restart_main());
}

/// `fault(kind, n)` fails in one of many ways, at some depth; `answer` does not.
const FAULTS: &str = r#"
U std/thread
N { F qsort(base: *i64, n: i64, size: i64, f: fn(*i64, *i64) -> i64); }
S Big { a: [i64; 100], name: str }
G kept: Vec<i64> = [1, 2, 3]

#[hot]
F answer(n: i64) -> i64 { n * 2 + kept.len() }

F compare(a: *i64, b: *i64) -> i64 { *a / (*b - *b) }
F by_callback() -> i64 {
    numbers := [3, 1, 2]
    qsort(&numbers as *i64, 3, 8, compare)
    0
}
F in_deferred(n: i64) -> i64 {
    D { 1 / (n - n) }
    n
}
F deep(n: i64) -> i64 { deep(n + 1) + 1 }
F deep_loop(n: i64) -> i64 {
    sum := 0
    L i: 0..3 { sum += deep_loop(n + i) usleep(0) }
    sum
}
F in_thread(kind: i64) -> i64 {
    M spawn(|| { one(kind, 1) }).join() { Ok(v) => { v } Err(why) => { panic(why) } }
}
#[hot]
F one(kind: i64, n: i64) -> i64 {
    text := "fault {n}"
    big := Big { a: [n; 100], name: text }
    I kind == 0 { R *((n - n) as *i64) }
    I kind == 1 { R *((81985529216486895 + n) as *i64) }
    I kind == 2 { R n / (n - n) }
    I kind == 3 { R big.a[100 + n] }
    I kind == 4 { none: Option<i64> = None R none! }
    I kind == 5 { assert(n == 0 - 1) R 0 }
    I kind == 6 { R deep(n) }
    I kind == 7 { R deep_loop(n) }
    I kind == 8 { R by_callback() }
    I kind == 9 { R in_deferred(n) }
    I kind == 10 { R back(n) }
    I kind == 11 { panic(big.name) }
    I kind == 12 { R fails(n) }
    I kind == 13 { R in_thread(2) }
    I kind == 14 {
        words := [0, 0]
        f := &words as *fn(i64) -> i64
        R (*f)(n)
    }
    answer(n)
}
F fault(kind: i64, depth: i64) -> i64 {
    I depth > 0 { R fault(kind, depth - 1) + 1 }
    one(kind, depth + 1)
}
F fails_in_callback(n: i64) -> i64 { n / (n - n) }
"#;

/// What each kind of `FAULTS` is reported as.
const KINDS: [TrapCode; 15] = [
    TrapCode::NullPointer,
    TrapCode::BadAddress,
    TrapCode::DivisionByZero,
    TrapCode::IndexOutOfBounds,
    TrapCode::UnwrapFailed,
    TrapCode::AssertFailed,
    TrapCode::StackOverflow,
    TrapCode::StackOverflow,
    TrapCode::DivisionByZero,
    TrapCode::DivisionByZero,
    TrapCode::HostFailure,
    TrapCode::Panic,
    TrapCode::HostFailure,
    TrapCode::Panic,
    TrapCode::NullPointer,
];

/// A program of one file in memory, with the events it tells of.
struct Memory {
    files: MemoryLoader,
    program: Program,
    events: Receiver<Event>,
}

impl Memory {
    fn new(engine: EngineBuilder, text: &str) -> Memory {
        let files = MemoryLoader::default();
        files.set("main.vais", text);
        let (sender, events) = channel();
        let engine = engine.on_event(move |event| _ = sender.send(event.clone())).build().expect("an engine");
        let program = engine.load_with("main.vais", Arc::new(files.clone()));
        Memory { files, program: program.unwrap_or_else(|error| panic!("{error}\n{text}")), events }
    }

    fn save(&self, text: &str) {
        self.files.set("main.vais", text);
        let update = self.program.poll().expect("it can be carried over");
        assert!(update.is_reloaded(), "{update:?}");
    }

    fn event(&self) -> Event {
        self.events.recv_timeout(Duration::from_secs(60)).expect("an event")
    }

    /// Waits for a trap after which this function's call waits.
    fn pauses(&self, function: &str) -> Arc<Trap> {
        match self.event() {
            Event::Trap(trap) if trap.paused.as_deref() == Some(function) => trap,
            other => panic!("no trap in {function}: {other:?}"),
        }
    }

    /// Waits for a reload after which the call is made again.
    fn resumes(&self, wanted: &str) {
        assert_eq!(self.event().name(), "reloaded");
        match self.event() {
            Event::Resumed { function, .. } if function == wanted => {}
            other => panic!("{wanted} is not called again: {other:?}"),
        }
    }
}

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Resident memory in KiB; 0 where nobody tells.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The program of `FAULTS`, with a host function that fails and one that calls back.
fn faults() -> Memory {
    let back = Arc::new(Mutex::new(None::<Function<(i64,), i64>>));
    let own = back.clone();
    let call_back = move |n: i64| -> Result<i64, String> {
        let function = own.lock().expect("no panic").take().ok_or("it is being called back")?;
        let result = function.call((n,));
        *own.lock().expect("no panic") = Some(function);
        result.map_err(|trap| trap.message)
    };
    let fails = |_: i64| -> Result<i64, String> { Err("out of order".to_owned()) };
    let memory = Memory::new(Engine::builder().function("back", call_back).function("fails", fails), FAULTS);
    *back.lock().expect("no panic") = Some(memory.program.function("fails_in_callback").expect("the function"));
    memory
}

/// Fails `count` times in ways that chance chooses, and looks after each whether the program still works.
fn suffer(program: &Program, random: &mut Random, count: u64) {
    let fault = program.function::<(i64, i64), i64>("fault").expect("the function");
    let answer = program.function::<(i64,), i64>("answer").expect("the function");
    for number in 0..count {
        let (kind, depth) = (random.below(KINDS.len()), random.below(8) as i64);
        let trap = fault.call((kind as i64, depth)).expect_err("a trap");
        assert_eq!(trap.code, KINDS[kind], "fault {number} of kind {kind}: {}", trap.report());
        let innermost = trap.frames.last().expect("frames");
        assert!(trap.omitted > 0 || innermost.function == "fault", "{}", trap.report());
        assert!(answer.call((number as i64,)).expect("no trap") >= 2 * number as i64);
    }
}

/// Faults of all kinds on several threads at once, while the program is being reloaded.
#[test]
fn a_thousand_faults_end_nothing_but_their_calls() {
    if !is_alone("a_thousand_faults_end_nothing_but_their_calls") {
        return;
    }
    let seed = setting("SEED").unwrap_or(20);
    let each = setting("FAULTS").unwrap_or(1000) / 4;
    println!("SEED={seed}");
    let memory = faults();
    suffer(&memory.program, &mut Random(seed), each);
    let before = resident();
    let threads: Vec<_> = (1..4)
        .map(|number| {
            let program = memory.program.clone();
            std::thread::spawn(move || suffer(&program, &mut Random(seed + number), each))
        })
        .collect();
    let mut reloads = 0;
    while threads.iter().any(|thread| !thread.is_finished()) {
        reloads += 1;
        memory.save(&FAULTS.replace("n * 2 +", &format!("n * 2 + {reloads} +")));
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    println!("{reloads} reloads, {} KiB more than after {each} faults", resident() - before);
    assert!(resident() - before < 64 << 10, "memory grows");
}

/// Each fault is waited out, mended, and followed by another one a call later.
#[test]
fn a_program_that_is_mended_again_and_again_goes_on() {
    let seed = setting("SEED").unwrap_or(20);
    println!("SEED={seed}");
    let rounds = setting("FAULTS").map_or(100, |count| count / 10) as i64;
    let ways = ["n / (n - n)", "[1, 2][n + 2]", "*((n - n) as *i64)", "panic(\"out\")", "deep(n)", "fails(n)"];
    let mut random = Random(seed);
    let mut text = |mended: i64| {
        format!(
            "F deep(n: i64) -> i64 {{ deep(n + 1) + 1 }}\nS P {{ a: [i64; 8], s: str }}\n#[hot]\nF one(n: i64, p: P) -> i64 {{\n    \
             p.a[3] += 1\n    q := &p.a[4]\n    *q += 1\n    I n >= {mended} {{ R {} }}\n    p.a[3] + p.a[4]\n}}\nF run(most: i64) -> i64 {{\n    sum := 0\n    \
             L n: 0..most {{ sum += one(n, P {{ a: [n; 8], s: \"run {{n}}\" }}) }}\n    sum\n}}\n",
            random.pick(&ways)
        )
    };
    let fails = |_: i64| -> Result<i64, String> { Err("out of order".to_owned()) };
    let memory = Memory::new(Engine::builder().pause_on_trap(true).function("fails", fails), &text(0));
    let run = memory.program.function::<(i64,), i64>("run").expect("the function");
    let running = std::thread::spawn(move || run.call((rounds,)));
    for mended in 1..=rounds {
        memory.pauses("one");
        memory.save(&text(mended));
        memory.resumes("one");
    }
    let sum = running.join().expect("no panic").expect("mended");
    assert_eq!(sum, (0..rounds).map(|n| 2 * (n + 1)).sum::<i64>());
    assert!(memory.events.try_recv().is_err(), "nothing is told twice");
}

const FAILING: &str = "F direct(n: i64) -> i64 { 12 / n }\n#[hot]\nF inner(n: i64) -> i64 { 12 / n }\nF guarded(n: i64) -> i64 { inner(n) }\nF main() -> i64 { guarded(0) }\n";

/// Calls by the host wait as well, where no call of the program's is in between.
#[test]
fn a_call_of_the_host_is_made_again() {
    let memory = Memory::new(Engine::builder().pause_on_trap(true), FAILING);
    for (name, waits) in [("direct", "direct"), ("guarded", "inner")] {
        memory.files.set("main.vais", FAILING);
        let _ = memory.program.poll();
        let function = memory.program.function::<(i64,), i64>(name).expect("the function");
        while memory.events.try_recv().is_ok() {}
        let call = std::thread::spawn(move || function.call((0,)));
        assert_eq!(memory.pauses(waits).code, TrapCode::DivisionByZero);
        memory.save(&FAILING.replace("12 / n", "n + 4"));
        memory.resumes(waits);
        assert_eq!(call.join().expect("no panic").expect("mended"), 4);
    }
}

#[test]
fn an_interrupt_ends_the_wait() {
    let memory = Memory::new(Engine::builder().pause_on_trap(true), FAILING);
    for (name, waits) in [("direct", "direct"), ("guarded", "inner")] {
        let function = memory.program.function::<(i64,), i64>(name).expect("the function");
        let call = std::thread::spawn(move || function.call((0,)));
        memory.pauses(waits);
        memory.program.interrupt();
        assert!(call.join().expect("no panic").is_err());
    }
    assert!(memory.events.try_recv().is_err(), "nothing more is told");
}

/// Whether `main` itself waits or what it calls: it can be started afresh.
#[test]
fn main_is_restarted_where_it_waits() {
    let memory = Memory::new(Engine::builder().pause_on_trap(true), FAILING);
    let program = memory.program.clone();
    let main = std::thread::spawn(move || program.run_main());
    memory.pauses("inner");
    assert!(memory.program.restart_main());
    memory.pauses("inner");
    memory.save(&FAILING.replace("12 / n", "n"));
    memory.resumes("inner");
    assert_eq!(main.join().expect("no panic").expect("mended"), 0);
    memory.save("F main() -> i64 { [1][main_index()] }\nF main_index() -> i64 { 1 }\n");
    assert_eq!(memory.event().name(), "reloaded");
    let program = memory.program.clone();
    let main = std::thread::spawn(move || program.run_main());
    memory.pauses("main");
    assert!(memory.program.restart_main());
    memory.pauses("main");
    memory.save("F main() -> i64 { 9 }\n");
    memory.resumes("main");
    assert_eq!(main.join().expect("no panic").expect("mended"), 9);
}

/// A guard at the very end of the stack would leave no room for a reload: one further up takes the call.
#[test]
fn recursion_through_guards_is_mended() {
    let text = "#[hot]\nF down(n: i64) -> i64 { around(n) + 1 }\nF around(n: i64) -> i64 { down(n + 1) }\nF main() -> i64 { down(0) % 7 }\n";
    let memory = Memory::new(Engine::builder().pause_on_trap(true), text);
    let program = memory.program.clone();
    let main = std::thread::spawn(move || program.run_main());
    assert_eq!(memory.pauses("down").code, TrapCode::StackOverflow);
    memory.save(&text.replace("around(n) + 1", "0"));
    memory.resumes("down");
    assert!(main.join().expect("no panic").is_ok());
}

/// The function that fails has been mended while it ran: its call is made again at once.
#[test]
fn a_reload_that_came_before_the_trap_counts() {
    let (started, has_started) = channel();
    let (go, may_go) = channel::<()>();
    let may_go = Mutex::new(may_go);
    let wait = move || {
        let _ = started.send(());
        let _ = may_go.lock().expect("no panic").recv_timeout(Duration::from_secs(60));
    };
    let text = "#[hot]\nF step(n: i64) -> i64 {\n    wait()\n    12 / n\n}\nF run() -> i64 { step(0) }\n";
    let memory = Memory::new(Engine::builder().pause_on_trap(true).function("wait", wait), text);
    let run = memory.program.function::<(), i64>("run").expect("the function");
    let call = std::thread::spawn(move || run.call(()));
    has_started.recv_timeout(Duration::from_secs(60)).expect("it runs");
    memory.save(&text.replace("    wait()\n    12 / n", "    n + 5"));
    go.send(()).expect("it waits");
    assert_eq!(memory.event().name(), "reloaded");
    memory.pauses("step");
    assert_eq!(memory.event().name(), "resumed");
    assert_eq!(call.join().expect("no panic").expect("mended"), 5);
}

/// What failed calls held is freed while `main` waits, and what the frames that are left hold stays.
#[test]
fn what_failed_calls_held_is_freed_while_main_waits() {
    let rounds = setting("FAULTS").map_or(60, |count| count / 10) as i64;
    let text = |mended: i64| {
        format!(
            "N \"host\" {{ F heap_live() -> i64 }}\nG most: i64\nF words(n: i64) -> Vec<str> {{ [\"one {{n}}\", \"two {{n}}\"] }}\n\
             #[hot]\nF one(n: i64, given: Vec<str>, own: str) -> i64 {{\n    large: Vec<i64> = [n; 65536]\n    s := \"held {{n}}\"\n    \
             I n >= {mended} {{ R large[65536 + s.len()] }}\n    large[7] + given[1].len() + own.len()\n}}\n\
             F around(n: i64, kept: Vec<str>) -> i64 {{\n    mine := [words(n), words(n + 1)]\n    \
             sum := kept.len() + one(n, words(n), \"own {{n}}\") + mine[1][0].len()\n    assert(mine[0][1] == \"two {{n}}\")\n    sum\n}}\n\
             F main() -> i64 {{\n    first := words(-1)\n    sum := 0\n    by: HashMap<str, Vec<str>> = HashMap.new()\n    \
             L n: 0..{rounds} {{\n        by[\"k{{n % 5}}\"] = words(n)\n        sum += around(n, by[\"k{{n % 5}}\"])\n        \
             I heap_live() > most {{ most = heap_live() }}\n        assert(first[0] == \"one -1\" && by[\"k{{n % 5}}\"][1] == \"two {{n}}\")\n    }}\n    \
             assert(by.len() == 5)\n    I most < 150 {{ 7 }} E {{ most }}\n}}\n"
        )
    };
    let memory = Memory::new(Engine::builder().pause_on_trap(true), &text(0));
    let program = memory.program.clone();
    let main = std::thread::spawn(move || program.run_main());
    for mended in 1..=rounds {
        memory.pauses("one");
        memory.save(&text(mended));
        memory.resumes("one");
        let wrong = memory.program.heap_verify();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    assert_eq!(main.join().expect("no panic").expect("mended"), 7);
    assert!(memory.program.heap_check().expect("main is over").is_empty());
}

/// A value that is made for a global lies in the host's memory until it is whole.
#[test]
fn what_a_reset_has_made_so_far_stays_while_it_waits() {
    let text = |mended: i64| {
        format!(
            "S P {{ a: Vec<str>, b: i64, c: str }}\nG n: i64\n#[hot]\nF one() -> i64 {{\n    n += 1\n    large := Vec<i64>.with_capacity(524288)\n    \
             I n > {mended} {{ R large[n] }}\n    n\n}}\nF texts() -> Vec<str> {{ [\"x{{n}}\", \"y{{n}}\"] }}\n\
             F make() -> P {{ P {{ a: texts(), b: one(), c: \"z{{n}}\" }} }}\nG p: P = make()\n\
             F main() -> i64 {{\n    n = 10\n    hot_reset(\"p\")\n    more := texts()\n    assert(more.len() == 2)\n    \
             I p.a[0] == \"x10\" && p.a[1] == \"y10\" && p.b == 13 && p.c == \"z13\" {{ 7 }} E {{ 8 }}\n}}\n"
        )
    };
    let memory = Memory::new(Engine::builder().pause_on_trap(true), &text(1));
    let program = memory.program.clone();
    let main = std::thread::spawn(move || program.run_main());
    for mended in [2, 20] {
        memory.pauses("one");
        memory.save(&text(mended));
        memory.resumes("one");
    }
    assert_eq!(main.join().expect("no panic").expect("mended"), 7);
}

/// What a failed call held keeps no variant alive that a later save removes, nor a function value the old code of a closure.
#[test]
fn what_failed_calls_held_is_in_the_way_of_no_save() {
    let text = "E K { A, Old(str), Z(i64) }\nS Item { k: K }\nS Acc { list: Vec<i64> }\n\
                F item(n: i64) -> Item { Item { k: Old(\"b{n}\") } }\n\
                F first(n: i64) -> i64 {\n    mine: Vec<Item> = [item(n)]\n    mine.len() + 12 / n\n}\n\
                F second(a: *Acc, n: i64) -> i64 { a.list.map(|one: i64| one / n).len() }\n\
                F main() -> i64 {\n    a := Acc { list: [1, 2] }\n    first(0) + second(&a, 0)\n}\n";
    let memory = Memory::new(Engine::builder().pause_on_trap(true), text);
    let program = memory.program.clone();
    let main = std::thread::spawn(move || program.run_main());
    assert_eq!(memory.pauses("first").code, TrapCode::DivisionByZero);
    let text = text.replace("12 / n", "12 / (n + 1)");
    memory.save(&text);
    memory.resumes("first");
    assert_eq!(memory.pauses("second").code, TrapCode::DivisionByZero);
    let text = text.replace("Old(str), ", "").replace("Old(\"b{n}\")", "Z(n)");
    let text = text.replace("Vec<i64>", "Vec<f64>").replace("|one: i64| one / n", "|one: f64| one * 2.0");
    memory.save(&text.replace("[1, 2]", "[1.0, 2.0]"));
    memory.resumes("second");
    assert_eq!(main.join().expect("no panic").expect("mended"), 15);
}
