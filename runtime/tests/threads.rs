//! `std/thread` from the host's side: values cross threads and none is lost, traps and `exit` stay where they belong,
//! and a program with threads can be dropped. Then the host's own threads, in a program that never looks up.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vaisjit::{Engine, EngineBuilder, Event, MemoryLoader, Program, Trap, TrapCode, Update};

#[path = "threads/begun.rs"]
mod begun;
#[path = "threads/taken_over.rs"]
mod taken_over;

const DEADLINE: Duration = Duration::from_secs(120);

fn load(engine: EngineBuilder, text: &str) -> Program {
    let files = MemoryLoader::default();
    files.set("main.vais", text);
    let engine = engine.build().expect("an engine");
    engine.load_with("main.vais", Arc::new(files)).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn until(what: &str, ready: impl Fn() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs `main` in hot mode, in static mode, and in static mode with plain counts: it returns this, and leaks nothing.
fn gives(text: &str, status: u8) {
    for (static_mode, single) in [(false, false), (true, false), (true, true)] {
        let program = load(Engine::builder().static_mode(static_mode).single_threaded(single), text);
        assert_eq!(program.run_main().expect("no trap"), status, "static: {static_mode}, single: {single}");
        let report = program.heap_check().expect("nothing runs");
        assert!(report.is_empty(), "static: {static_mode}, single: {single}, leaked {report}");
    }
}

#[test]
fn strings_pass_through_channels() {
    gives(
        r#"
U std/thread
F main() -> i64 {
    there: Channel<str> = Channel.new()
    back: Channel<str> = Channel.new()
    workers: Vec<Thread> = Vec.new()
    L i: 0..3 {
        workers.push(spawn(|| {
            done := 0
            L {
                M there.receive() {
                    Some(text) => {
                        back.send(text + "!")
                        done += 1
                    }
                    None => { B }
                }
            }
            done
        }))
    }
    feeder := spawn(|| {
        L i: 0..1000 { there.send("text {i}") }
        there.close()
        0
    })
    letters := 0
    L i: 0..1000 { letters += back.receive()!.len() }
    done := 0
    L worker: workers { done += worker.join()! }
    feeder.join()!
    I done == 1000 && letters == 8890 && back.try_receive().is_none() { 42 } E { 1 }
}
"#,
        42,
    );
}

#[test]
fn counts_are_right_under_contention() {
    gives(
        r#"
U std/thread
S Row { name: str, next: Vec<str> }
G shown: str = ""
F main() -> i64 {
    name := "shared" + " name"
    rows: Vec<Row> = Vec.new()
    m := Mutex.new()
    turns := AtomicI64.new(0)
    adder := |x: i64| x + name.len()
    threads: Vec<Thread> = Vec.new()
    L i: 0..4 {
        threads.push(spawn(|| {
            total := 0
            L k: 0..3000 {
                same := name
                parts := [same, name, same + "{k}"]
                total += adder(parts[1].len()) - 22
                m.with(|| {
                    I rows.len() > 10 { rows.clear() }
                    rows.push(Row { name: parts[2], next: [same, parts[0]].to_vec() })
                    shown = rows[0].next[1]
                })
                turns.add(1)
            }
            total
        }))
    }
    total := 0
    L t: threads { total += t.join()! }
    I total == 0 && turns.load() == 12000 && shown == "shared name" { 42 } E { 1 }
}
"#,
        42,
    );
}

#[test]
fn mutexes_exclude_each_other() {
    gives(
        r#"
U std/thread
G count: i64 = 0
F main() -> i64 {
    m := Mutex.new()
    threads: Vec<Thread> = Vec.new()
    L i: 0..4 {
        threads.push(spawn(|| {
            L k: 0..2000 {
                m.lock()
                seen := count
                I k % 100 == 0 { yield_now() }
                count = seen + 1
                m.unlock()
            }
            0
        }))
    }
    L t: threads { t.join()! }
    I count == 8000 && m.try_lock() { 42 } E { 1 }
}
"#,
        42,
    );
}

#[test]
fn a_trap_ends_its_thread_only_and_is_told_of() {
    let told = Arc::new(Mutex::new(Vec::<Trap>::new()));
    let heard = told.clone();
    let engine = Engine::builder().on_event(move |event| {
        if let Event::Trap(trap) = event {
            heard.lock().expect("no panic").push(Trap::clone(trap));
        }
    });
    let program = load(
        engine,
        r#"
U std/thread
F fails(n: i64) -> i64 { 10 / n }
F main() -> i64 {
    unjoined := spawn(|| fails(0))
    L !unjoined.is_done() { sleep_ms(1) }
    t := spawn(|| fails(0))
    M t.join() {
        Ok(_) => 1
        Err(why) => { I why == "division by zero" { 42 } E { why.len() + 100 } }
    }
}
"#,
    );
    assert_eq!(program.run_main().expect("no trap in main"), 42);
    let told = told.lock().expect("no panic");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|trap| trap.code == TrapCode::DivisionByZero && trap.frames[0].function == "fails"));
}

#[test]
fn exit_in_a_thread_ends_main() {
    for body in ["t.join()!", "L { sleep_ms(1) }", "c: Channel<str> = Channel.new()\n    c.receive()\n    0"] {
        let text = format!(
            "U std/thread\nF main() -> i64 {{\n    t := spawn(|| {{\n        sleep_ms(5)\n        exit(7)\n        0\n    \
             }})\n    {body}\n}}\n"
        );
        let traps = Arc::new(AtomicUsize::new(0));
        let seen = traps.clone();
        let engine = Engine::builder().on_event(move |event| {
            seen.fetch_add(matches!(event, Event::Trap(_)).into(), Ordering::SeqCst);
        });
        assert_eq!(load(engine, &text).run_main().expect("no trap"), 7, "{text}");
        assert_eq!(traps.load(Ordering::SeqCst), 0, "{text}");
    }
}

#[test]
fn a_program_lives_on_while_its_threads_do() {
    let turns = Arc::new(AtomicI64::new(0));
    let (counted, alive) = (turns.clone(), Arc::downgrade(&turns));
    let engine = Engine::builder().function("turn", move || counted.fetch_add(1, Ordering::SeqCst));
    let program = load(
        engine,
        r#"
U std/thread
F main() -> i64 {
    name := "a" + "b"
    t := spawn(|| {
        total := 0
        L turn() < 1000000000 {
            same := name + "c"
            total += same.len()
            sleep_ms(1)
        }
        total
    })
    t.id
}
"#,
    );
    assert_eq!(program.run_main().expect("no trap"), 1);
    let wait = || {
        let before = turns.load(Ordering::SeqCst);
        until("the thread's turns", || turns.load(Ordering::SeqCst) > before + 3);
    };
    wait();
    assert!(program.heap_check().is_err(), "a thread is in the program");
    drop(program);
    wait();
    turns.store(2_000_000_000, Ordering::SeqCst);
    drop(turns);
    until("the program's end", || alive.strong_count() == 0);
}

#[test]
fn interrupts_reach_threads_that_wait() {
    let program = load(
        Engine::builder(),
        r#"
U std/thread
F main() -> i64 {
    m := Mutex.new()
    m.lock()
    t := spawn(|| {
        m.lock()
        0
    })
    t.join()!
}
"#,
    );
    let runs = program.clone();
    let main = std::thread::spawn(move || runs.run_main());
    std::thread::sleep(Duration::from_millis(30));
    program.interrupt();
    let start = Instant::now();
    while !main.is_finished() {
        assert!(start.elapsed() < DEADLINE, "main waits on");
        program.interrupt();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(main.join().expect("no panic").expect_err("interrupted").code, TrapCode::Interrupted);
}

/// Only in static mode: a loop has no safepoint there, and the heap is not empty.
#[test]
fn a_second_thread_of_the_hosts_does_not_wait_for_an_endless_loop() {
    let program = load(
        Engine::builder().static_mode(true),
        r#"
U std/thread
G names: Vec<str> = Vec.new()
G stop: AtomicI64
F start() {
    stop = AtomicI64.new(0)
    names.push("a" + "b")
}
F spin() -> i64 {
    turns := 0
    L stop.load() == 0 { turns += names[0].len() }
    turns
}
F end() -> i64 {
    stop.store(1)
    name := names[0]
    name.len()
}
"#,
    );
    program.function::<(), ()>("start").expect("the function").call(()).expect("no trap");
    let spin = program.function::<(), i64>("spin").expect("the function");
    let first = std::thread::spawn(move || spin.call(()));
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(program.function::<(), i64>("end").expect("the function").call(()).expect("no trap"), 2);
    first.join().expect("no panic").expect("no trap");
}

/// A program of which a thread waits in the host until the test lets it go on.
struct Sleeping {
    program: Program,
    files: MemoryLoader,
    /// How many times the thread has come to where it waits.
    naps: Arc<AtomicUsize>,
    /// How many times it may go on.
    woken: Arc<AtomicUsize>,
    /// What `tell` was called with.
    told: Arc<Mutex<Vec<i64>>>,
    ends: Arc<AtomicUsize>,
}

/// `main` is busy meanwhile; `body` is a turn of the thread that calls `nap()`.
fn sleeping(functions: &str, body: &str) -> Sleeping {
    let files = MemoryLoader::default();
    files.set("main.vais", text(functions, body));
    let [naps, woken, ends] = [(); 3].map(|()| Arc::<AtomicUsize>::default());
    let told = Arc::<Mutex<Vec<i64>>>::default();
    let (at, may, over, over_too) = (naps.clone(), woken.clone(), ends.clone(), ends.clone());
    let nap = move || -> i64 {
        let number = at.fetch_add(1, Ordering::SeqCst);
        until("the end of the nap", || may.load(Ordering::SeqCst) > number || over.load(Ordering::SeqCst) > 0);
        0
    };
    let tells = told.clone();
    let tell = move |value: i64| -> i64 {
        tells.lock().unwrap().push(value);
        0
    };
    let is_over = move || -> i64 { over_too.load(Ordering::SeqCst) as i64 };
    let engine = Engine::builder().function("nap", nap).function("tell", tell).function("is_over", is_over);
    let engine = engine.build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).unwrap_or_else(|error| panic!("{error}"));
    Sleeping { program, files, naps, woken, told, ends }
}

fn text(functions: &str, body: &str) -> String {
    format!(
        "
U std/thread
{functions}
F sleeper() -> i64 {{
    L is_over() == 0 {{ {body} }}
    0
}}
F main() -> i64 {{
    t := spawn(sleeper)
    L is_over() == 0 {{ a() }}
    t.join()!
    0
}}
"
    )
}

impl Sleeping {
    /// Runs `main` while the test does something.
    fn run(&self, test: impl FnOnce()) {
        std::thread::scope(|scope| {
            let main = scope.spawn(|| self.program.run_main());
            until("the nap", || self.naps.load(Ordering::SeqCst) > 0);
            test();
            self.ends.store(1, Ordering::SeqCst);
            main.join().expect("no panic").expect("no trap");
        });
    }

    /// Saves the program with other functions; the notices of the reload.
    fn save(&self, functions: &str, body: &str) -> Vec<String> {
        self.files.set("main.vais", text(functions, body));
        match self.program.poll() {
            Ok(Update::Reloaded { report, .. }) => report.notices.clone(),
            other => panic!("{other:?}"),
        }
    }
}

const OLD: &str = "F a() -> i64 = 1\nF b() -> i64 = 1";
const NEW: &str = "F a() -> i64 = 2\nF b() -> i64 = 2";

/// What the save changes runs in the sleeper's turn not at all, or only before or only behind the nap.
#[test]
fn a_turn_that_sleeps_and_is_not_concerned_is_of_one_version() {
    for body in ["nap()", "a() b() nap()", "nap() tell(a() * 10 + b())"] {
        let sleeping = sleeping(OLD, body);
        sleeping.run(|| {
            assert_eq!(sleeping.save(NEW, body), [""; 0], "{body}");
            assert_eq!(sleeping.naps.load(Ordering::SeqCst), 1, "it sleeps still");
            sleeping.woken.store(1, Ordering::SeqCst);
            until("the next nap", || sleeping.naps.load(Ordering::SeqCst) > 1);
        });
        assert!(sleeping.told.lock().unwrap().iter().all(|told| *told == 22));
    }
}

#[test]
fn a_turn_that_sleeps_between_two_versions_is_told_of() {
    let body = "x := a() nap() tell(x * 10 + b())";
    let sleeping = sleeping(OLD, body);
    sleeping.run(|| {
        let notices = sleeping.save(NEW, body);
        assert!(notices.iter().any(|notice| notice.contains("both versions")), "{notices:?}");
        sleeping.woken.store(1, Ordering::SeqCst);
        until("the next nap", || sleeping.naps.load(Ordering::SeqCst) > 1);
    });
    assert_eq!(sleeping.told.lock().unwrap()[0], 12);
}

/// Both threads are in the host most of the time: their turns are of one version all the same, unless a report says otherwise.
#[test]
fn turns_with_naps_are_of_one_version() {
    let body = "x := a() sleep_ms(3) tell(x - b())";
    let sleeping = sleeping(OLD, &format!("nap() {body}"));
    sleeping.woken.store(usize::MAX, Ordering::SeqCst);
    let mut mixed = 0;
    sleeping.run(|| {
        for version in 2..12 {
            let functions = format!("F a() -> i64 = {version}\nF b() -> i64 = {version}");
            let notices = sleeping.save(&functions, &format!("nap() {body}"));
            mixed += notices.iter().filter(|notice| notice.contains("both versions")).count();
        }
    });
    let told = sleeping.told.lock().unwrap();
    assert!(told.iter().filter(|told| **told != 0).count() <= mixed, "{mixed} are told of: {told:?}");
}
