//! `std/thread` from the host's side: values cross threads and none is lost, traps and `exit` stay where they belong,
//! and a program with threads can be dropped. Then the host's own threads, in a program that never looks up.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vaisjit::{Engine, EngineBuilder, Event, MemoryLoader, Program, Trap, TrapCode, Update};

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

/// A program whose `main` goes on until the test is over, which it asks `is_over()`.
struct Turning {
    program: Program,
    files: MemoryLoader,
    over: Arc<AtomicUsize>,
}

fn turning(text: String) -> Turning {
    let files = MemoryLoader::default();
    files.set("main.vais", text);
    let over = Arc::<AtomicUsize>::default();
    let ends = over.clone();
    let engine = Engine::builder().function("is_over", move || ends.load(Ordering::SeqCst) as i64);
    let engine = engine.build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).unwrap_or_else(|error| panic!("{error}"));
    Turning { program, files, over }
}

impl Turning {
    /// Runs `main` while the test does something; it returns this.
    fn run(&self, status: u8, test: impl FnOnce()) {
        std::thread::scope(|scope| {
            let main = scope.spawn(|| self.program.run_main());
            let ending = Ending(&self.over);
            test();
            drop(ending);
            assert_eq!(main.join().expect("no panic").expect("no trap"), status);
        });
    }

    /// Saves the program, and it is live.
    fn save(&self, text: String) {
        self.files.set("main.vais", text);
        let saved = self.program.poll().expect("no error");
        assert!(saved.is_reloaded(), "{saved:?}");
    }

    fn number(&self, function: &str) -> i64 {
        self.program.function::<(), i64>(function).expect("the function").call(()).expect("no trap")
    }
}

/// Ends `main` when it is dropped, also by a test that fails.
struct Ending<'a>(&'a AtomicUsize);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(1, Ordering::SeqCst);
    }
}

/// The messages change while a thread waits for one, and all come.
#[test]
fn a_thread_that_waits_at_a_channel_is_taken_over() {
    let text = |variants: &str, arms: &str, send: &str| {
        format!(
            "
U std/thread
E Msg {{ Work(i64), {variants}Stop }}
G jobs: Channel<Msg> = Channel.new()
G total: i64 = 0
F worker() -> i64 {{
    L {{
        M jobs.receive() {{
            Some(m) => {{ M m {{ Work(n) => {{ total += n }} {arms} Stop => {{ B }} }} }}
            None => {{ B }}
        }}
    }}
    total
}}
F main() -> i64 {{
    t := spawn(worker)
    L is_over() == 0 {{ sleep_ms(2) }}
    jobs.send(Stop)
    M t.join() {{ Ok(sum) => sum, Err(_) => 0 }}
}}
F send() {{ {send} }}
F sum() -> i64 = total
"
        )
    };
    let turning = turning(text("", "", "jobs.send(Work(1))"));
    let send = turning.program.function::<(), ()>("send").expect("the function");
    let send_until = |after: i64| {
        send.call(()).expect("no trap");
        until("the message has come", || turning.number("sum") == after);
    };
    turning.run(13, || {
        // The thread may not have begun yet.
        send.call(()).expect("no trap");
        turning.save(text("Pause, ", "Pause => { total += 10 }", "jobs.send(Pause)"));
        send_until(11);
        turning.save(text("Text(str), ", "Text(s) => { total += s.len() }", "jobs.send(Text(\"ab\"))"));
        send_until(13);
    });
}

/// A thread that nobody gives anything to do comes to its loop for a save that has to find it there.
#[test]
fn what_grows_in_a_thread_that_waits_is_taken_over() {
    let text = |fields: &str, zeros: &str| {
        format!(
            "
U std/thread
S Tally {{ n: i64, last: i64{fields} }}
G jobs: Channel<i64> = Channel.new()
G total: i64 = 0
F note(t: *Tally, job: i64) {{ t.n += 1 t.last = job total += t.n * 100 + t.last }}
F worker() -> i64 {{
    t := Tally {{ n: 0, last: 0{zeros} }}
    L {{ M jobs.receive() {{ Some(job) => note(&t, job), None => {{ R t.n }} }} }}
}}
F main() -> i64 {{
    t := spawn(worker)
    L is_over() == 0 {{ sleep_ms(2) }}
    jobs.close()
    M t.join() {{ Ok(sum) => sum, Err(_) => 0 }}
}}
F send() {{ jobs.send(5) }}
F sum() -> i64 = total
"
        )
    };
    let turning = turning(text("", ""));
    let send = turning.program.function::<(), ()>("send").expect("the function");
    let send_until = |after: i64| {
        send.call(()).expect("no trap");
        until("the job is done", || turning.number("sum") == after);
    };
    turning.run(2, || {
        send_until(105);
        turning.save(text(", a: i64, b: i64, c: str, d: i64, e: i64", ", a: 0, b: 0, c: \"\", d: 0, e: 0"));
        send_until(310);
    });
}

/// What one save has told of, another one that the thread cannot follow does not take back.
#[test]
fn a_thread_that_has_not_come_yet_to_where_a_save_takes_it_over() {
    let text = |id: &str, number: &str, tag: &str, (param, argument): (&str, &str)| {
        format!(
            "
U std/thread
S Req {{ id: {id}, body: str }}
G jobs: Channel<Req> = Channel.new()
G seen: str = \"\"
F worker({param}) -> i64 {{
    n := 0
    L {{
        M jobs.receive() {{
            Some(r) => {{ n += 1 seen = \"{{n}} {{r.id}} {{r.body}} {tag}\" }}
            None => {{ B }}
        }}
    }}
    n
}}
F main() -> i64 {{
    t := spawn(|| worker({argument}))
    L is_over() == 0 {{ sleep_ms(2) }}
    jobs.close()
    M t.join() {{ Ok(n) => n, Err(_) => 0 }}
}}
F send() {{ seen = \"\" jobs.send(Req {{ id: {number}, body: \"body\" }}) }}
F came() -> i64 = seen.len()
F is_right() -> i64 = seen == \"2 two body v2\" ? 1 : 0
"
        )
    };
    let turning = turning(text("i64", "1", "v1", ("", "")));
    let send = || {
        turning.program.function::<(), ()>("send").expect("the function").call(()).expect("no trap");
        until("the message", || turning.number("came") > 0);
    };
    turning.run(2, || {
        send();
        turning.save(text("str", "\"two\"", "v2", ("", "")));
        turning.save(text("str", "\"two\"", "v3", ("x: str", "\"x\"")));
        send();
        assert_eq!(turning.number("is_right"), 1);
    });
}

/// What the thread keeps in registers and words of its frame beside what goes on belongs to nobody any more, though it has
/// callers.
#[test]
fn structs_grow_that_a_thread_looks_at() {
    let text = |field: &str| {
        format!(
            "
U std/thread
S Conn {{ {field}id: i64, buf: Vec<str> }}
G seen: i64 = 0
F work() -> i64 {{
    hist: Vec<Conn> = []
    L is_over() == 0 {{
        I hist.len() < 3 {{ hist.push(Conn {{ id: hist.len(), buf: [\"w\"] }}) }}
        line := \"{{hist.len()}} {{hist[0].buf[0]}} {{hist[0].id}}\"
        seen += line.len()
        sleep_ms(10)
    }}
    hist.len()
}}
F main() -> i64 {{
    t := spawn(work)
    L is_over() == 0 {{ sleep_ms(2) }}
    I t.join() == Ok(3) {{ 0 }} E {{ 1 }}
}}
F count() -> i64 = seen
"
        )
    };
    let turning = turning(text(""));
    turning.run(0, || {
        until("all lines", || turning.number("count") > 20);
        turning.save(text("pad: [i64; 8] = [7; 8], "));
    });
}

/// A thread that cannot go on in the new version ends with `main`, and what it held does not count any more.
#[test]
fn a_restart_makes_way_for_a_save_that_a_thread_stands_in_the_way_of() {
    let text = |item: &str, captured: &str, build: &str| {
        format!(
            "
U std/thread
S Item {{ {item} }}
G items: Vec<Item> = []
G sum: i64 = 0
F main() -> i64 {{
    k := 5
    {captured}
    t := spawn(|| {{
        L is_over() == 0 {{ items.push(Item {{ {build} }}) sleep_ms(2) }}
        0
    }})
    L is_over() == 0 {{ sum += k sleep_ms(2) }}
    t.join()!
    0
}}
F count() -> i64 = items.len()
"
        )
    };
    let turning = turning(text("n: i64", "", "n: k"));
    let items = || turning.number("count");
    turning.run(0, || {
        until("the first items", || items() > 2);
        std::thread::scope(|scope| {
            let save = scope.spawn(|| turning.save(text("n: i64, s: str = \"s\"", "j := 6", "n: k + j")));
            until("the save", || {
                // It may only be prepared now, for a thread that has just started.
                let before = items();
                until("a few more items", || save.is_finished() || items() > before + 20);
                save.is_finished() || !turning.program.restart_main()
            });
        });
        let before = items();
        until("more items", || items() > before);
    });
}

/// A save waits for a thread that never comes to where it could be: meanwhile the others go on as ever, and it is named.
#[test]
fn a_program_runs_on_while_a_save_waits_for_one_of_its_threads() {
    const TURNS: usize = 200;
    let text = |field: &str, zeros: &str| {
        format!(
            "
U std/thread
S Pool {{ jobs: Channel<i64>, results: Channel<i64>{field} }}
X Pool {{
    F work(self) -> i64 {{
        L {{ M self.jobs.receive() {{ Some(job) => {{ self.results.send(job * 2) }} None => {{ B }} }} }}
        0
    }}
}}
F main() -> i64 {{
    pool := Pool {{ jobs: Channel.new(), results: Channel.new(){zeros} }}
    t := spawn(|| pool.work())
    L turn() == 0 {{
        L i: 0..10 {{ pool.jobs.send(i) }}
        sum := 0
        L i: 0..10 {{ sum += pool.results.receive().unwrap_or(0) }}
        assert(sum == 90)
        sleep_ms(3)
    }}
    pool.jobs.close()
    t.join()!
}}
"
        )
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("main.vais");
    std::fs::write(&path, text("", "")).expect("written");
    let [turns, over] = [(); 2].map(|()| Arc::<AtomicUsize>::default());
    let (counted, ends) = (turns.clone(), over.clone());
    let (sender, said) = std::sync::mpsc::channel();
    let sender = Mutex::new(sender);
    let turn = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        ends.load(Ordering::SeqCst) as i64
    };
    let engine = Engine::builder().function("turn", turn).on_event(move |event| {
        if let Event::Pending { waits_for, .. } = event {
            sender.lock().unwrap().send(waits_for.clone()).expect("the test hears it");
        }
    });
    let program = engine.build().expect("an engine").load_file(&path).expect("a program");
    let watching = program.watch().expect("watched");
    let some_turns = || {
        let (before, start) = (turns.load(Ordering::SeqCst), Instant::now());
        until("some turns", || turns.load(Ordering::SeqCst) > before + TURNS);
        start.elapsed()
    };
    std::thread::scope(|scope| {
        let main = scope.spawn(|| program.run_main());
        let ending = Ending(&over);
        let usual = some_turns();
        std::fs::write(&path, text(", big: [i64; 30]", ", big: [0; 30]")).expect("written");
        let waits_for = said.recv_timeout(DEADLINE).expect("it is pending");
        assert_eq!(waits_for, "`main.{0}`, which has no room for what a value grows to");
        let pending = some_turns();
        assert!(pending < usual * 8, "{TURNS} turns last {pending:?}, and {usual:?} before the save");
        drop(ending);
        assert_eq!(main.join().expect("no panic").expect("no trap"), 0);
    });
    drop(watching);
}

/// A program whose threads call `note`, and the traps that it tells of.
struct Noting {
    program: Program,
    files: MemoryLoader,
    notes: Arc<AtomicI64>,
    traps: Arc<AtomicUsize>,
}

fn noting(text: &str) -> Noting {
    let files = MemoryLoader::default();
    files.set("main.vais", text);
    let (notes, traps) = (Arc::<AtomicI64>::default(), Arc::<AtomicUsize>::default());
    let (noted, trapped) = (notes.clone(), traps.clone());
    let engine =
        Engine::builder().function("note", move |n: i64| noted.fetch_add(n, Ordering::SeqCst)).on_event(move |event| {
            if matches!(event, Event::Trap(_)) {
                trapped.fetch_add(1, Ordering::SeqCst);
            }
        });
    let engine = engine.build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).unwrap_or_else(|error| panic!("{error}"));
    Noting { program, files, notes, traps }
}

impl Noting {
    fn save(&self, text: &str) -> Result<Update, vaisjit::Error> {
        self.files.set("main.vais", text);
        self.program.poll()
    }
}

const SPAWNS: [&str; 3] = [
    "G t: Thread = spawn(|| note(1))",
    "F told() -> i64 { note(1) }\nG t: Thread = spawn(told)",
    "F begun(name: str) -> Thread { spawn(|| note(name.len() - 4)) }\nG t: Thread = begun(\"na\" + \"me\" + \"!\")",
];

#[test]
fn a_thread_of_a_version_that_is_refused_never_begins() {
    let traps = "F fail() -> i64 { v: Vec<i64> = Vec.new()  v[4] }\nG f: i64 = fail()";
    let objects = "F fail() -> i64 { v: Vec<i64> = Vec.new()  v[4] }\n#[after_reload] F after() { fail() }";
    for old in ["U std/vec", "U std/thread\nF other() -> i64 { spawn(|| 3).join()! }"] {
        for spawn in SPAWNS {
            let noting = noting(&format!("{old}\nF tick() -> i64 {{ 1 }}"));
            for fails in [traps, objects] {
                let refused = noting.save(&format!("U std/thread\n{spawn}\n{fails}\nF tick() -> i64 {{ 2 }}"));
                assert!(matches!(refused, Err(vaisjit::Error::Refused(_))), "{spawn}: {refused:?}");
                let report = noting.program.heap_check().expect("no thread is in the program");
                assert!(report.is_empty(), "{spawn}: leaked {report}");
            }
            let live = noting.save(&format!("U std/thread\n{spawn}\nF tick() -> i64 {{ 3 }}")).expect("it is applied");
            assert!(live.is_reloaded(), "{live:?}");
            until("the thread of the version that is live", || noting.notes.load(Ordering::SeqCst) > 0);
            assert_eq!(noting.notes.load(Ordering::SeqCst), 1, "{spawn}");
            assert_eq!(noting.traps.load(Ordering::SeqCst), 0, "{spawn}");
        }
    }
}

#[test]
fn a_thread_that_a_migration_starts_begins_once_its_version_is_live() {
    let old = "U std/thread\nS P { x: i64 }\nG p: P = P { x: 3 }\nF tick() -> i64 { p.x }";
    let new = "U std/thread\nS P { x: f64 }\n#[was(\"P\")] S Q { x: i64 }\n\
               F migrate(old: Q, new: *P) { new.x = old.x as f64  spawn(|| note(13)) }\n\
               G p: P = P { x: 3.0 }\nF tick() -> i64 { 10 + p.x as i64 }";
    let objects = "\n#[after_reload] F after() { v: Vec<i64> = Vec.new()  v[3] = 1 }";
    let noting = noting(old);
    let refused = noting.save(&format!("{new}{objects}")).expect_err("the hook objects").to_string();
    assert!(refused.contains("`after` of module `main` trapped"), "{refused}");
    assert!(noting.save(new).expect("it is applied").is_reloaded());
    until("the thread", || noting.notes.load(Ordering::SeqCst) > 0);
    assert_eq!(noting.notes.load(Ordering::SeqCst), 13);
    assert_eq!(noting.traps.load(Ordering::SeqCst), 0);
}

#[test]
fn what_waits_for_a_thread_inside_a_reload_fails_with_a_reason() {
    let noting = noting("U std/thread\nG m: Mutex = Mutex.new()\nF hold() { m.lock() }\nF tick() -> i64 { 1 }");
    noting.program.function::<(), ()>("hold").expect("the function").call(()).expect("no trap");
    let waits = [
        "G n: i64 = spawn(|| 6 * 7).join().unwrap_or(-1)",
        "F got() -> i64 { c: Channel<i64> = Channel.new()  c.receive().unwrap_or(-1) }\nG n: i64 = got()",
        "#[after_reload] F after() { spawn(|| 3).join()! }",
        "#[after_reload] F after() { m.with(|| 3) }",
    ];
    for wait in waits {
        let text =
            format!("U std/thread\nG m: Mutex = Mutex.new()\n{wait}\nF hold() {{ m.lock() }}\nF tick() -> i64 {{ 2 }}");
        let refused = noting.save(&text).expect_err("it cannot wait").to_string();
        assert!(refused.contains("waits for another thread, and all stand still"), "{wait}: {refused}");
    }
    assert_eq!(noting.traps.load(Ordering::SeqCst), 0);
}
