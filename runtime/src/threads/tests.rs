//! Reloads while several threads of the host's run the program: none sees two versions in one call, no code is freed under a
//! thread, and none is left when all have gone.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::Scope;
use std::time::{Duration, Instant};

use crate::code::SafepointKind;
use crate::{Engine, EngineBuilder, MemoryLoader, Program, TrapCode, Update};

const DEADLINE: Duration = Duration::from_secs(60);
const THREADS: usize = 4;

fn reloads() -> i64 {
    std::env::var("RELOADS").ok().and_then(|number| number.parse().ok()).unwrap_or(500)
}

/// A version: two functions that say which it is, a struct whose layout follows it, and functions that fail or wait.
fn text(version: i64) -> String {
    let fields = ["", ", b: i64 = 2", ", b: f64 = 2.5, c: str = \"c\"", ", c: str = \"c\", d: [i64; 12] = [4; 12]"];
    let fields = fields[(version % 4) as usize];
    format!(
        r#"
C VERSION: i64 = {version}
S Item {{ a: i64{fields} }}
G items: Vec<Item>
G calls: i64
#[hot] F first() -> i64 = VERSION
#[hot] F second(n: i64) -> i64 = VERSION + n
#[hot] F third(item: *Item) -> i64 = item.a + VERSION
F fill() -> i64 {{ L i: 0..50 {{ items.push(Item {{ a: i }}) }}  items.len() }}
F outer(n: i64) -> i64 {{
    a := first()
    item := items[n % 50]
    b := second(n) - n
    c := third(&item) - n % 50
    I a == b && b == c {{ a }} E {{ 0 - 1 }}
}}
F looping(turns: i64) -> i64 {{
    total := 0
    L i: 0..turns {{ total += items[i % 50].a * 0 + 1 }}
    total
}}
F fails(n: i64) -> i64 {{ item := items[n % 50]  first() / (item.a - item.a) }}
F waits(n: i64) -> i64 {{ before := first()  block(n)  after := first()  after * 1000000 + before }}
"#
    )
}

struct Memory {
    files: MemoryLoader,
    program: Program,
    /// The version that was saved last, and the one that is surely live.
    saved: AtomicI64,
    live: AtomicI64,
}

impl Memory {
    fn plain() -> Memory {
        Memory::new(Engine::builder().function("block", |_: i64| ()))
    }

    fn new(builder: EngineBuilder) -> Memory {
        let files = MemoryLoader::default();
        files.set("main.vais", text(1));
        let engine = builder.build().expect("an engine");
        let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("a program");
        let memory = Memory { files, program, saved: AtomicI64::new(1), live: AtomicI64::new(1) };
        assert_eq!(memory.program.function::<(), i64>("fill").expect("a function").call(()).expect("no trap"), 50);
        memory
    }

    fn save(&self, version: i64) {
        self.saved.store(version, Ordering::SeqCst);
        self.files.set("main.vais", text(version));
        let update = self.program.poll();
        assert!(matches!(update, Ok(Update::Reloaded { .. })), "version {version}: {update:?}");
        self.live.store(version, Ordering::SeqCst);
    }

    /// One call that must see one version only, and none older than the one that was live before.
    fn outer(&self, n: i64) {
        let outer = self.program.function::<(i64,), i64>("outer").expect("a function");
        let before = self.live.load(Ordering::SeqCst);
        let seen = outer.call((n,)).unwrap_or_else(|trap| panic!("{}", trap.report()));
        let after = self.saved.load(Ordering::SeqCst);
        assert!((before..=after).contains(&seen), "saw {seen} between {before} and {after}");
    }

    /// How many pieces of code there are: that of functions, kept, and waiting to be freed.
    fn code(&self) -> (usize, usize) {
        let inner = &self.program.inner;
        inner.world.run_at_safepoint(SafepointKind::Sweep, |stopped| _ = stopped.sweep()).wait(DEADLINE);
        (inner.live().kept.len(), inner.world.retired())
    }
}

/// Calls something again and again until told to stop; how often.
fn again<'s, 'e>(scope: &'s Scope<'s, 'e>, stop: &'e AtomicBool, calls: &'e AtomicU64, call: impl Fn(i64) + Send + 's) {
    scope.spawn(move || {
        let mut n = 0;
        while !stop.load(Ordering::SeqCst) {
            n += 1;
            call(n);
            calls.fetch_add(1, Ordering::SeqCst);
        }
    });
}

/// Stops the others when it goes, also by a panic.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn no_call_sees_two_versions() {
    let memory = Memory::plain();
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        (0..THREADS).for_each(|_| again(scope, &stop, &calls, |n| memory.outer(n)));
        (2..=reloads()).for_each(|version| memory.save(version));
    });
    assert!(calls.load(Ordering::SeqCst) > 100, "hardly any calls");
    memory.outer(1);
    let (kept, retired) = memory.code();
    assert!(kept < 300 && retired == 0, "{kept} pieces of code are kept, {retired} wait to be freed");
}

#[test]
fn threads_that_come_go_loop_and_fail_keep_their_code() {
    let memory = Memory::plain();
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let function = |name: &str| memory.program.function::<(i64,), i64>(name).expect("a function");
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        again(scope, &stop, &calls, |n| {
            std::thread::scope(|scope| _ = scope.spawn(|| memory.outer(n)));
        });
        again(scope, &stop, &calls, |n| {
            let trap = function("fails").call((n,)).expect_err("a division by zero");
            assert_eq!(trap.code, TrapCode::DivisionByZero);
        });
        again(scope, &stop, &calls, |n| {
            let turns = 20_000 + n % 7;
            assert_eq!(function("looping").call((turns,)).expect("no trap"), turns);
        });
        (2..=reloads() / 2).for_each(|version| memory.save(version));
    });
    memory.outer(1);
    let (kept, retired) = memory.code();
    assert!(kept < 300 && retired == 0, "{kept} pieces of code are kept, {retired} wait to be freed");
}

#[test]
fn a_thread_that_is_blocked_in_the_host_stops_no_reload() {
    let gate = Arc::<(Mutex<(i64, bool)>, Condvar)>::default();
    let blocks = gate.clone();
    let memory = Memory::new(Engine::builder().function("block", move |_: i64| {
        let mut state = blocks.0.lock().expect("not poisoned");
        state.0 += 1;
        blocks.1.notify_all();
        let _open = blocks.1.wait_timeout_while(state, DEADLINE, |state| !state.1).expect("not poisoned");
    }));
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let waits = memory.program.function::<(i64,), i64>("waits").expect("a function");
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        let blocked: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| waits.call((1,)).expect("no trap"))).collect();
        let come =
            gate.1.wait_timeout_while(gate.0.lock().expect("not poisoned"), DEADLINE, |state| state.0 < THREADS as i64);
        drop(come.expect("not poisoned"));
        again(scope, &stop, &calls, |n| memory.outer(n));
        let start = Instant::now();
        (2..=60).for_each(|version| memory.save(version));
        assert!(start.elapsed() < DEADLINE, "reloads wait for threads in the host");
        gate.0.lock().expect("not poisoned").1 = true;
        gate.1.notify_all();
        for thread in blocked {
            // It goes on in the frame it was in, whose calls reach the newest version.
            assert_eq!(thread.join().expect("no panic"), 60 * 1_000_000 + 1);
        }
    });
}

/// A program with a hook, in two versions.
fn hooked(hook: &str) -> (MemoryLoader, Program) {
    let text = |version: i64| {
        format!(
            r#"
U std/thread
S Item {{ a: i64{} }}
G items: Vec<Item>
G done: AtomicI64 = AtomicI64.new(0)
{hook}
F add() -> i64 {{ items.push(Item {{ a: {version} }})  done.load() }}
F tick() -> i64 {{ {version} }}
"#,
            [", b: str = \"b\"", ""][(version % 2) as usize]
        )
    };
    let files = MemoryLoader::default();
    files.set("main.vais", text(1));
    let program = Engine::builder().build().expect("an engine");
    let program = program.load_with("main.vais", Arc::new(files.clone())).unwrap_or_else(|error| panic!("{error}"));
    program.function::<(), i64>("add").expect("a function").call(()).expect("no trap");
    files.set("main.vais", text(2));
    (files, program)
}

fn call(program: &Program, name: &str) -> i64 {
    program.function::<(), i64>(name).expect("a function").call(()).expect("no trap")
}

fn until(what: &str, ready: impl Fn() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_hook_may_start_a_thread() {
    for hook in ["#[after_reload]", "#[before_reload]"] {
        let (_files, program) =
            hooked(&format!("{hook} F told() {{ spawn(|| {{ done.add(1)  items.push(Item {{ a: 7 }})  0 }}) }}"));
        let update = program.poll();
        assert!(matches!(update, Ok(Update::Reloaded { .. })), "{hook}: {update:?}");
        assert_eq!(call(&program, "tick"), 2);
        until("the thread", || call(&program, "add") == 1);
    }
}

#[test]
fn a_hook_that_waits_for_a_thread_is_given_up() {
    let hook = "#[after_reload] F told() { t := spawn(|| { done.add(1)  0 })  t.join()! }";
    let (files, program) = hooked(hook);
    let update = program.poll();
    assert!(matches!(update, Err(crate::Error::Refused(_))), "{update:?}");
    assert_eq!((call(&program, "tick"), program.version()), (1, 1));
    // The thread is one of a version that was taken back: it never begins.
    files.set("main.vais", "U std/thread\nG done: AtomicI64\nF tick() -> i64 { done.load() + 10 }\n");
    assert!(matches!(program.poll(), Ok(Update::Reloaded { .. })));
    assert_eq!(call(&program, "tick"), 10);
    assert!(program.inner.threads.have_ended());
}
