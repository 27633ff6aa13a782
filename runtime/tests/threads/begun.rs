//! Threads that are started while a save is being tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use vaisjit::{Engine, Event, MemoryLoader, Program, Update};

use super::until;

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

/// A thread that is stopped while it makes a text may run a hook of the program's, which makes others.
#[test]
fn a_text_that_is_being_made_is_whole_after_a_reload() {
    const RELOADS: usize = 200;
    let text = |version: usize| {
        format!(
            "
G note: str
G notes: [str; 2] = [\"{{version()}}!\", \"{{version() + 1}}!\"]
F version() -> i64 = {version}
#[after_reload]
F told(before: i64, now: i64) {{
    note = \"from {{before}} to {{now}}\"
    notes[0] = \"<{{now}}>\"
}}
F make(n: i64) -> str = \"{{n}},{{n}},{{n}},{{n}},{{n}},{{n}},{{n}},{{n}},{{n}},{{n}},{{n}},{{n}}\"
F is_right(n: i64) -> bool = make(n) == \"1,1,1,1,1,1,1,1,1,1,1,1\"
"
        )
    };
    let files = MemoryLoader::default();
    files.set("main.vais", text(1));
    let engine = Engine::builder().build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).unwrap_or_else(|error| panic!("{error}"));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let making = scope.spawn(|| {
            let is_right = program.function::<(i64,), bool>("is_right").expect("the function");
            while !is_over.load(Ordering::SeqCst) {
                assert!(is_right.call((1,)).expect("no trap"), "a text is torn");
            }
        });
        for version in 2..RELOADS {
            files.set("main.vais", text(version));
            let saved = program.poll();
            if saved.as_ref().is_ok_and(|update| !update.is_reloaded()) || saved.is_err() || making.is_finished() {
                break;
            }
        }
        is_over.store(true, Ordering::SeqCst);
        making.join().expect("all texts are right");
    });
    assert_eq!(program.version(), RELOADS as u64 - 1);
}
