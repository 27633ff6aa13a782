//! Reloads through the library: what a host, its threads and its handlers of events may rely on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use vaisjit::{Engine, EngineBuilder, Error, Event, MemoryLoader, Outcome, Program, TrapCode, Update};

const DEADLINE: Duration = Duration::from_secs(60);

/// A program of one file in memory.
struct Memory {
    files: MemoryLoader,
    program: Program,
}

impl Memory {
    fn new(text: &str) -> Memory {
        Memory::with(Engine::builder(), text)
    }

    fn with(engine: EngineBuilder, text: &str) -> Memory {
        let files = MemoryLoader::default();
        files.set("main.vais", text);
        let engine = engine.build().expect("an engine");
        let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("a program");
        Memory { files, program }
    }

    fn save(&self, text: &str) -> Result<Update, Error> {
        self.files.set("main.vais", text);
        self.program.poll()
    }

    fn reload(&self, text: &str) {
        let update = self.save(text).expect("it can be carried over");
        assert!(update.is_reloaded(), "{update:?}");
    }

    fn call(&self, name: &str) -> i64 {
        self.program.function::<(), i64>(name).expect("the function").call(()).expect("no trap")
    }
}

/// Ends `main` of a program that loops, whatever happens in the test.
struct Running {
    program: Program,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(program: &Program) -> Running {
        let own = program.clone();
        let thread = std::thread::spawn(move || {
            let ended = own.run_main();
            assert!(ended.is_err_and(|trap| trap.code == TrapCode::Interrupted));
        });
        Running { program: program.clone(), thread: Some(thread) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.program.interrupt();
        let thread = self.thread.take().expect("it is joined once");
        let deadline = Instant::now() + DEADLINE;
        while !thread.is_finished() && Instant::now() < deadline {
            // It may not have been inside when it was interrupted.
            self.program.interrupt();
            std::thread::yield_now();
        }
        assert!(thread.is_finished(), "`main` cannot be stopped");
        let ended = thread.join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

fn refused(result: Result<Update, Error>) -> String {
    match result {
        Err(error @ Error::Refused(_)) => error.to_string(),
        other => panic!("it should have been refused: {other:?}"),
    }
}

#[test]
fn a_global_of_a_rejected_save_may_come_back_with_another_type() {
    let memory = Memory::new("F tick() -> i64 { 1 }");
    let with_unknown = "G list: i64 = 1\nN \"C\" { F no_such_function_anywhere() -> i64; }\nF tick() -> i64 { list + no_such_function_anywhere() }";
    assert!(matches!(memory.save(with_unknown), Err(Error::Rejected(_))));
    memory.reload("G list: [i64; 1000]\nF tick() -> i64 { L i:0..1000 { list[i] = i }\n list[999] + list[1] }");
    assert_eq!(memory.call("tick"), 1000);
}

#[test]
fn a_parked_global_follows_its_type_when_it_comes_back() {
    let memory = Memory::new("S Point { x: i64 }\nG p: Point\nF tick() -> i64 { p.x += 1\n p.x }");
    assert_eq!(memory.call("tick"), 1);
    memory.reload("F tick() -> i64 { 0 }");
    let wider =
        "S Point { x: i64, y: i64, z: i64, w: [i64; 100] }\nG p: Point\nF tick() -> i64 { p.x += 1\n p.x + p.w[99] }";
    memory.reload(wider);
    assert_eq!(memory.call("tick"), 2);
    memory.reload("S Point { x: i64 }\nG p: Point\nF tick() -> i64 { p.x += 1\n p.x }");
    assert_eq!(memory.call("tick"), 3);
}

/// What a call held that a trap has ended is found, though it lay in a global before that has moved since.
#[test]
fn a_global_that_has_moved_leaves_nothing_behind() {
    let rest = "G g: P
F fail(p: P) -> i64 {
    g.a += 1
    p.a / (p.a - p.a)
}
F make() -> i64 {
    g.v = [1, 2]
    0
}
F run() -> i64 = fail(g)
";
    let memory = Memory::new(&format!("S P {{ a: i64, v: Vec<i64> }}\n{rest}"));
    assert_eq!(memory.call("make"), 0);
    memory.reload(&format!("S P {{ a: i64, v: Vec<i64>, more: [i64; 9] }}\n{rest}"));
    let failed = memory.program.function::<(), i64>("run").expect("the function").call(());
    assert!(failed.is_err_and(|trap| trap.code == TrapCode::DivisionByZero));
    let left = memory.program.heap_check().expect("the heap is sound");
    assert!(left.is_empty(), "left: {:?}", left.values);
}

#[test]
fn code_that_runs_is_kept_through_changes_of_its_signature() {
    let text = |types: &str, by: &str| {
        format!(
            "G stop: i64\nG turns: i64\n#[hot] F work(by: {types}) -> i64 {{ L stop == 0 {{ turns += 1 }}\n turns + {by} }}\nF end() -> i64 {{ stop = 1\n turns }}\n"
        )
    };
    let memory = Memory::new(&text("i64", "1"));
    let work = memory.program.function::<(i64,), i64>("work").expect("the function");
    std::thread::scope(|scope| {
        let running = scope.spawn(|| work.call((1,)));
        let turns = memory.program.function::<(), i64>("end").expect("the function");
        drop(turns);
        for round in 0..6 {
            memory.reload(&text(["f64", "i64"][round % 2], &round.to_string()));
        }
        until("the loop ends", || {
            memory.call("end");
            running.is_finished()
        });
        assert!(running.join().expect("no panic").is_ok());
    });
}

#[test]
fn a_patch_that_is_turned_down_and_a_rollback_that_is_leave_nothing_behind() {
    let memory = Memory::new("F a() -> i64 { 1 }\nF b() -> i64 { 2 }");
    assert!(memory.program.patch("a", "F a() -> i64 { nonsense }").is_err());
    assert!(matches!(memory.program.poll(), Ok(Update::Unchanged(_))));
    memory.program.patch("a", "F a() -> i64 { 10 }").expect("patched");
    assert_eq!((memory.call("a"), memory.call("b")), (10, 2));
    memory.program.rollback(1).expect("rolled back");
    assert_eq!((memory.call("a"), memory.program.version()), (1, 3));
    assert!(memory.program.rollback(99).is_err());
}

#[test]
fn a_rollback_brings_back_files_that_are_gone() {
    let files = MemoryLoader::default();
    files.set("main.vais", "U other\nG n: i64 = 1\nF tick() -> i64 { n + value() }");
    files.set("other.vais", "F value() -> i64 { 10 }");
    let engine = Engine::builder().build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("a program");
    let tick = program.function::<(), i64>("tick").expect("the function");
    files.set("main.vais", "G n: i64 = 1\nG more: i64 = 5\nF tick() -> i64 { n + more }");
    assert!(program.poll().expect("carried over").is_reloaded());
    assert_eq!(tick.call(()).expect("no trap"), 6);
    // The file that version 1 imported is no part of the program any more, and even gone from the disk.
    files.remove(Path::new("other.vais"));
    assert!(program.rollback(1).expect("its texts are kept").is_reloaded());
    assert_eq!(tick.call(()).expect("no trap"), 11);
    assert!(matches!(program.poll(), Ok(Update::Unchanged(_))));
}

#[test]
fn a_refused_rollback_does_not_come_back_with_the_next_save() {
    let modes = |modes: &str| format!("E Mode {{ {modes} }}\nG mode: Mode = Idle\nF tick() -> i64 {{ 1 }}\n");
    let memory = Memory::new(&modes("Idle"));
    memory.reload(&format!("{}F use_it() -> i64 {{ mode = Busy\n 3 }}", modes("Idle, Busy")));
    memory.reload(&format!("{}F use_it() -> i64 {{ mode = Busy\n 7 }}", modes("Idle, Busy")));
    assert_eq!(memory.call("use_it"), 7);
    let why = refused(memory.program.rollback(1));
    assert!(why.contains("Busy") && why.contains("mode"), "{why}");
    assert!(matches!(memory.program.poll(), Ok(Update::Unchanged(_))));
    assert_eq!((memory.call("use_it"), memory.program.version()), (7, 3));
}

#[test]
fn what_is_reset_is_what_runs_not_what_was_turned_down() {
    let memory = Memory::new("G n: i64 = 5\nF tick() -> i64 { n += 1\n n }");
    assert_eq!(memory.call("tick"), 6);
    assert!(memory.save("G n: i64 = 500\nF tick() -> i64 { mistake }").is_err());
    memory.program.reset("n").expect("there is one");
    assert_eq!(memory.call("tick"), 6);
    assert!(memory.program.diagnostics().is_empty());
    assert!(memory.program.reset("other").is_err());
}

#[test]
fn a_mistake_is_told_of_once_for_each_save() {
    let told = Arc::new(AtomicUsize::new(0));
    let counter = told.clone();
    let engine = Engine::builder().on_event(move |event| {
        if matches!(event, Event::Rejected { .. }) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let memory = Memory::with(engine, "F tick() -> i64 { 1 }");
    assert!(memory.save("F tick() -> i64 { mistake }").is_err());
    for _ in 0..3 {
        assert!(memory.program.poll().is_err());
    }
    assert_eq!(told.load(Ordering::SeqCst), 1);
    assert!(memory.save("F tick() -> i64 { mistake + 1 }").is_err());
    assert_eq!(told.load(Ordering::SeqCst), 2);
}

#[test]
fn a_handler_that_panics_or_asks_back_harms_nobody() {
    let (sender, program_of) = channel::<Program>();
    let program_of = std::sync::Mutex::new((program_of, None::<Program>));
    let engine = Engine::builder().on_event(move |event| {
        let mut cell = program_of.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if cell.1.is_none() {
            cell.1 = cell.0.try_recv().ok();
        }
        let Some(program) = cell.1.take() else { return };
        assert!(!program.files().is_empty());
        let _ = program.diagnostics();
        let polled = program.poll();
        assert!(program.function::<(), i64>("tick").is_ok());
        drop(program);
        drop(cell);
        panic!("{} {polled:?}, on purpose", event.name());
    });
    let memory = Memory::with(engine, "F tick() -> i64 { 1 }");
    sender.send(memory.program.clone()).expect("the handler lives");
    memory.reload("F tick() -> i64 { 2 }");
    memory.reload("F tick() -> i64 { 3 }");
    assert_eq!(memory.call("tick"), 3);
}

#[test]
fn an_edit_of_main_and_its_start_never_miss_each_other() {
    let text = |step: usize| format!("G n: i64\nF main() -> i64 {{ n += 1\n {} }}", step % 100);
    let memory = Memory::new(&text(0));
    let newest = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let runner = scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                let before = newest.load(Ordering::SeqCst);
                let status = usize::from(memory.program.run_main().expect("no trap"));
                let after = newest.load(Ordering::SeqCst) + 1;
                assert!((before..=after).contains(&status), "{before} <= {status} <= {after}");
            }
        });
        for step in 1..90 {
            until("main is not running some time", || matches!(memory.save(&text(step)), Ok(Update::Reloaded { .. })));
            newest.store(step, Ordering::SeqCst);
        }
        stop.store(true, Ordering::SeqCst);
        runner.join().expect("no panic");
    });
}

#[test]
fn a_restart_runs_the_main_that_was_refused() {
    let text = |end: &str, result: &str| {
        format!(
            "G go: i64\nG turns: i64\nF leave() -> i64 {{ go = 1\n 0 }}\nF turns_now() -> i64 {{ turns }}\nF main() -> {result} {{ L {{ turns += 1\n I go == 1 {{ {end} }} }}\n 0 }}"
        )
    };
    let memory = Memory::new(&text("hot_restart()", "i64"));
    std::thread::scope(|scope| {
        let main = scope.spawn(|| memory.program.run_main());
        until("main runs", || memory.call("turns_now") > 0);
        refused(memory.save(&text("R 42", "i32")));
        memory.call("leave");
        assert_eq!(main.join().expect("no panic").expect("no trap"), 42);
    });
}

/// Saves this, but does not wait for ever.
fn save_in_time(memory: &Memory, text: &str) -> Result<Update, Error> {
    memory.files.set("main.vais", text);
    let program = memory.program.clone();
    let saving = std::thread::spawn(move || program.poll());
    until("the save is applied or refused", || saving.is_finished());
    saving.join().expect("no panic")
}

#[test]
fn a_restart_that_is_asked_for_inside_a_reload_stands_in_the_way_of_no_later_one() {
    let text = |items: &str, step: i64| {
        format!(
            "G starts: i64\nG turns: i64\nG x: f64 = 1.0\n{items}\nF started() -> i64 {{ starts }}\nF turned() -> i64 {{ turns }}\nF main() -> i64 {{ starts += 1\n L {{ turns += {step} }}\n 0 }}"
        )
    };
    let own =
        text("S P { a: f64 }\n#[was(\"P\")]\nS Q { a: i64 }\nF migrate(old: Q, new: *P) { hot_restart() }\nG p: P", 1);
    let asks = [
        text("#[after_reload] F after() { hot_restart() }\nS P { a: i64 }\nG p: P", 1),
        text("F ask() -> i64 { hot_restart()\n 4 }\nG asked: i64 = ask()\nS P { a: i64 }\nG p: P", 1),
        text("F ask() -> i64 { hot_restart()\n 4 }\n#[reset]\nG asked: i64 = ask()\nS P { a: i64 }\nG p: P", 1),
        own,
    ];
    let plain = "S P { a: i64 }\nG p: P";
    for ask in asks {
        let memory = Memory::new(&text(plain, 1));
        let _main = Running::start(&memory.program);
        until("main runs", || memory.call("turned") > 0);
        match (save_in_time(&memory, &ask), ask.contains("after_reload")) {
            // `main` starts in the version that the hook has been told of.
            (Ok(update), true) => assert!(update.is_reloaded(), "{update:?}"),
            (result, _) => _ = refused(result),
        }
        until("main has started again", || memory.call("started") == 2);
        let turned = memory.call("turned");
        until("main runs on", || memory.call("turned") > turned);
        for step in [2, 3] {
            let update = save_in_time(&memory, &text(plain, step)).expect("nothing stands in the way");
            assert!(update.is_reloaded(), "{update:?}");
        }
        assert_eq!(memory.call("started"), 2, "once");
    }
}

#[test]
fn a_restart_that_a_host_asks_for_ends_main_or_nothing() {
    let text = |step: i64| {
        format!(
            "G starts: i64\nG turns: i64\nF ask() -> i64 {{ hot_restart() }}\nF started() -> i64 {{ starts }}\nF turned() -> i64 {{ turns }}\nF add() {{ turns += {step} }}\nF main() -> i64 {{ starts += 1\n L {{ turns += {step}\n add() }}\n 0 }}"
        )
    };
    let memory = Memory::new(&text(1));
    let ask = memory.program.function::<(), i64>("ask").expect("the function");
    ask.call(()).expect_err("there is no `main` to start again");
    assert!(save_in_time(&memory, &text(2)).expect("nothing stands in the way").is_reloaded());
    let _main = Running::start(&memory.program);
    until("main runs", || memory.call("turned") > 0);
    ask.call(()).expect_err("the call ends");
    until("main has started again", || memory.call("started") == 2);
    assert!(save_in_time(&memory, &text(3)).expect("nothing stands in the way").is_reloaded());
}

#[test]
fn nobody_sees_two_versions_in_one_call() {
    let text = |n: usize| {
        format!(
            "#[hot] F a() -> i64 {{ {n} }}\n#[hot] F b() -> i64 {{ {n} }}\nF mixed() -> i64 {{ x := a()\n y := b()\n I x == y {{ 0 }} E {{ 1 }} }}\nF main() -> i64 {{ L {{ a() }}\n 0 }}"
        )
    };
    let memory = Memory::new(&text(0));
    let stop = AtomicBool::new(false);
    let _main = Running::start(&memory.program);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mixed = memory.program.function::<(), i64>("mixed").expect("the function");
                    let mut calls = 0u64;
                    while !stop.load(Ordering::SeqCst) {
                        assert_eq!(mixed.call(()).expect("no trap"), 0);
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        for n in 1..=200 {
            memory.reload(&text(n));
        }
        stop.store(true, Ordering::SeqCst);
        assert!(callers.into_iter().all(|caller| caller.join().expect("no mix") > 0));
    });
}

#[test]
fn watchings_and_programs_can_be_dropped_at_any_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("main.vais");
    for round in 0..40 {
        std::fs::write(&path, format!("F tick() -> i64 {{ {round} }}")).expect("written");
        let program = Engine::builder().build().expect("an engine").load_file(&path).expect("a program");
        let first = program.watch().expect("watched");
        let second = program.watch().expect("watched");
        let events = second.events();
        std::fs::write(&path, format!("F tick() -> i64 {{ {round} + 1000 }}\nF more() -> i64 {{ tick() }}"))
            .expect("written");
        drop(first);
        if round % 2 == 0 {
            let reloaded = |event: &Event| matches!(event, Event::Reloaded { .. });
            assert!(events.into_iter().any(|event| reloaded(&event)), "the other watching goes on");
            drop(program);
            drop(second);
        } else {
            drop(second);
            assert!(events.into_iter().count() < 10);
            drop(program);
        }
    }
}

/// A cell for the program that a host function asks.
#[derive(Clone, Default)]
struct Asked(Arc<std::sync::Mutex<Option<Program>>>);

impl Asked {
    fn get(&self) -> Option<Program> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn set(&self, program: Option<Program>) {
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = program;
    }
}

#[test]
fn a_host_function_may_reload_while_the_watcher_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("main.vais");
    let text = |n: usize| {
        format!(
            "F main() -> i64 {{ L {{ L i:0..3 {{ poll_now() }}\n a()\n b() }}\n 0 }}\nF a() -> i64 {{ {n} }}\nF b() -> i64 {{ {n} }}\nF sum() -> i64 {{ a() + b() }}"
        )
    };
    std::fs::write(&path, text(0)).expect("written");
    let asked = Asked::default();
    let in_host = asked.clone();
    let engine = Engine::builder()
        .function("poll_now", move || -> i64 {
            let Some(program) = in_host.get() else { return 0 };
            let _ = (program.files(), program.reset("nothing"));
            i64::from(program.poll().is_ok_and(|update| update.is_reloaded()))
        })
        .build()
        .expect("an engine");
    let program = engine.load_file(&path).expect("a program");
    asked.set(Some(program.clone()));
    let watching = program.watch().expect("watched");
    let running = Running::start(&program);
    let sum = program.function::<(), i64>("sum").expect("the function");
    for n in 1..20 {
        std::fs::write(&path, text(n)).expect("written");
        until("it is live", || sum.call(()).expect("no trap") == 2 * n as i64);
    }
    drop(running);
    drop(watching);
    asked.set(None);
}

#[test]
fn the_last_owner_of_a_program_may_be_a_handler() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("main.vais");
    std::fs::write(&path, "F tick() -> i64 { 1 }").expect("written");
    let held = Asked::default();
    let (in_handler, gone) = (held.clone(), Arc::new(AtomicBool::new(false)));
    let dropped = gone.clone();
    let engine = Engine::builder().on_event(move |event| {
        if matches!(event, Event::Reloaded { .. }) {
            in_handler.set(None);
            dropped.store(true, Ordering::SeqCst);
        }
    });
    let program = engine.build().expect("an engine").load_file(&path).expect("a program");
    let watching = program.watch().expect("watched");
    held.set(Some(program));
    std::fs::write(&path, "F tick() -> i64 { 2 }").expect("written");
    until("it is dropped", || gone.load(Ordering::SeqCst));
    drop(watching);
}

#[test]
fn a_reload_that_has_to_wait_says_so_and_can_be_asked_about() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("main.vais");
    let text = |n: usize| {
        format!(
            "G runs: i64\nF begun() -> i64 {{ runs }}\nF main() -> i64 {{ runs = 1\n L {{ busy(60) + other() }}\n 0 }}\nF busy(n: i64) -> i64 {{ I n < 2 {{ R {n} }}\n busy(n - 1) + busy(n - 2) }}\nF other() -> i64 {{ {n} }}"
        )
    };
    std::fs::write(&path, text(0)).expect("written");
    let (asked, (sender, said)) = (Asked::default(), channel());
    let (in_handler, sender) = (asked.clone(), std::sync::Mutex::new(sender));
    let engine = Engine::builder().on_event(move |event| {
        if let (Event::Pending { waits_for, .. }, Some(program)) = (event, in_handler.get()) {
            let polled = program.poll().is_err() && program.patch("other", "F other() -> i64 { 1 }").is_err();
            let rolled = program.rollback(1).is_err() && program.reset("nothing").is_err();
            let sender = sender.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let _ = sender.send((waits_for.clone(), polled && rolled && !program.files().is_empty()));
        }
    });
    let program = engine.build().expect("an engine").load_file(&path).expect("a program");
    asked.set(Some(program.clone()));
    let watching = program.watch().expect("watched");
    let running = Running::start(&program);
    let begun = program.function::<(), i64>("begun").expect("the function");
    until("`main` runs", || begun.call(()).expect("no trap") == 1);
    std::fs::write(&path, text(1)).expect("written");
    let (waits_for, refused) = said.recv_timeout(DEADLINE).expect("it is pending");
    assert!(refused, "what is asked from inside a reload is an error, and no deadlock");
    assert!(!waits_for.is_empty());
    drop(running);
    until("the end of `main` lets it through", || program.version() == 2);
    drop(watching);
    asked.set(None);
}

#[test]
fn watching_can_end_while_a_reload_compiles() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("main.vais");
    let text = |n: usize| -> String {
        (0..200).map(|f| format!("F f{f}(x: i64) -> i64 {{ L i:0..9 {{ x += i * {n} }}\n x }}\n")).collect()
    };
    for round in 0..4u64 {
        std::fs::write(&path, text(round as usize)).expect("written");
        let program = Engine::builder().build().expect("an engine").load_file(&path).expect("a program");
        let watching = program.watch().expect("watched");
        std::fs::write(&path, text(100)).expect("written");
        // Any moment will do: before, in, or after the compilation.
        std::thread::park_timeout(Duration::from_millis(20 * round));
        drop(watching);
    }
}

#[test]
fn memory_stays_flat() {
    let rounds: usize = std::env::var("RELOADS").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
    let text = |n: usize| {
        let types = ["i64", "f64"][n % 2];
        format!(
            "#[hot] F hot() -> i64 {{ {n} }}\nF small() -> i64 {{ {n} * 2 }}\nF caller() -> i64 {{ small() + 1 }}\nF flips(x: {types}) -> i64 {{ x as i64 + {n} }}\nF tick() -> i64 {{ hot() + caller() + flips({n} as {types}) }}"
        )
    };
    let memory = Memory::new(&text(0));
    let mut settled = 0;
    for n in 1..=rounds {
        memory.reload(&text(n));
        let n = n as i64;
        assert_eq!(memory.call("tick"), n + 2 * n + 1 + 2 * n);
        if n == 50 {
            settled = resident();
        }
        if n % 1000 == 0 {
            println!("{n} reloads: {} KiB more than after 50", resident() as i64 - settled as i64);
        }
    }
    println!("{rounds} reloads: {} KiB more than after 50", resident() as i64 - settled as i64);
}

/// Resident memory in KiB; 0 where nobody tells.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What a refusal advises is written into the text as it stands, and works.
#[test]
fn the_advice_of_a_refusal_works_as_it_is_written() {
    let rest = "E Full { A(i64) }\nF twice(x: i64) -> i64 = x * 2\nF pair() -> [Box<i64>; 2] = [Box.new(1), Box.new(2)]\n\
                G held: T = made()\nF go() -> i64 { 1 }\n";
    let structs = "S T { a: i64 }\nF made() -> T { T { a: 1 } }\n";
    let enums = "E T { V { a: i64 }, P(i64) }\nF made() -> T { T.V { a: 1 } }\n";
    // The version before, the declaration that is edited, what it becomes, and a default for it if there can be one.
    let cases = [
        (structs, "a: i64 }", "a: i64, b: Box<i64> }", "Box.new(7)"),
        (structs, "a: i64 }", "a: i64, b: fn(i64) -> i64 }", "twice"),
        (structs, "a: i64 }", "a: i64, b: Full }", "Full.A(3)"),
        (structs, "a: i64 }", "a: i64, b: [Box<i64>; 2] }", "pair()"),
        (enums, "V { a: i64 }", "V { a: i64, b: Box<i64> }", "Box.new(7)"),
        (enums, "P(i64)", "P(i64, Box<i64>)", ""),
    ];
    for (types, from, to, default) in cases {
        let (old, new) = (format!("{types}{rest}"), format!("{}{rest}", types.replacen(from, to, 1)));
        let made = new.replace("T { a: 1 }", "made_later()").replace("T.V { a: 1 }", "made_later()");
        let new = format!("{made}F made_later() -> T {{ L true {{ }}  held }}\n");
        let memory = Memory::new(&old);
        let Err(Error::Refused(report)) = memory.save(&new) else { panic!("{to} is not refused") };
        let refusals: Vec<_> = report.refusals().collect();
        let Outcome::Refused { help, .. } = &refusals[0].outcome else { panic!("{refusals:?}") };
        let advised: Vec<&str> = help.split('`').skip(1).step_by(2).collect();
        let option = advised.last().and_then(|text| text.strip_prefix("Option<")?.strip_suffix('>'));
        let ty = option.unwrap_or_else(|| panic!("{help}"));
        assert_eq!(advised.len(), if default.is_empty() { 1 } else { 2 }, "{help}");
        for advice in &advised {
            let text = match advice.strip_suffix(" = ...") {
                Some(declared) => new.replacen(declared, &format!("{declared} = {default}"), 1),
                None => new.replacen(&to[from.len() - 2..], &to[from.len() - 2..].replacen(ty, advice, 1), 1),
            };
            assert_ne!(text, new, "{help}");
            let memory = Memory::new(&old);
            assert!(
                memory.save(&text).is_ok_and(|update| update.is_reloaded()),
                "{help}\n{text}\n{:?}",
                memory.save(&text)
            );
            assert_eq!(memory.call("go"), 1);
        }
    }
}
