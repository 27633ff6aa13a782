//! How long a program stands still: for the edit of a body, for a loop that goes on in new code, for live values that
//! change, and from the save that mends a failed call until it runs again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use vaisjit::{Engine, EngineBuilder, Event, MemoryLoader, Program, Update};

use crate::{percentile, programs, sorted};

const FILE: &str = "bench.vais";
const DEADLINE: Duration = Duration::from_secs(60);

/// What fills a global with values of `P`.
const MIGRATED: &str = "
G all: Vec<P>
F fill(n: i64) {
    L i: 0..n { all.push(P { }) }
}
";

/// What calls `step` as long as the host wants it.
const MENDED: &str = "
G by: i64 = 0
F main() -> i64 {
    L running() { step(7 + by) }
    0
}
";

/// One figure, in microseconds, with what it is to be.
#[derive(Serialize)]
pub struct Pause {
    pub what: String,
    pub times: usize,
    pub p50: f64,
    pub p99: f64,
    pub longest: f64,
    pub goal: f64,
}

impl Pause {
    fn new(what: impl Into<String>, goal: f64, all: Vec<f64>) -> Pause {
        let all = sorted(all);
        let part = |part| percentile(&all, part);
        Pause { what: what.into(), times: all.len(), p50: part(0.5), p99: part(0.99), longest: part(1.0), goal }
    }
}

/// All of them.
pub fn measure(edits: usize) -> Vec<Pause> {
    let mut all = Vec::new();
    for lines in [50, 10_000] {
        all.push(Pause::new(format!("body of a function, {lines} lines"), 50.0, running(lines, edits, 0)));
        all.push(Pause::new(format!("body of the running `main`, {lines} lines"), 50.0, running(lines, edits, 1)));
    }
    for (what, field) in [
        ("1,000,000 structs in a `Vec`: a field added", "a: i64 = 1, b: f64 = 0.5, c: i64 = 2"),
        ("1,000,000 structs in a `Vec`: a field retyped", "a: f64 = 1.0, b: f64 = 0.5"),
    ] {
        all.push(Pause::new(what, 12_000.0, (0..edits.div_ceil(10)).map(|_| migrated(field)).collect()));
    }
    all.push(Pause::new("mended save to running again", 5_000.0, mended(edits.div_ceil(4))));
    all
}

/// Edits a program with a running `main`: the function that it calls, or `main` itself.
fn running(lines: usize, edits: usize, main: usize) -> Vec<f64> {
    let (files, running) = (MemoryLoader::default(), Arc::new(AtomicBool::new(true)));
    let text = |version: usize| {
        let text = programs::text(lines, if main == 0 { version as i64 } else { 0 }, 0);
        text.replace("turns & 1023", &format!("turns & {}", if main == 0 { 1023 } else { version }))
    };
    files.set(FILE, text(1));
    let goes_on = running.clone();
    let engine =
        Engine::builder().function("stamp", |_: i64| ()).function("running", move || goes_on.load(Ordering::Relaxed));
    let program = load(engine, &files);
    let here = program.clone();
    let runner = std::thread::spawn(move || here.run_main().map_err(|trap| trap.report()));
    let mut all = Vec::new();
    for version in 2..edits + 2 {
        files.set(FILE, text(version));
        match program.poll().unwrap_or_else(|error| panic!("{error}")) {
            Update::Reloaded { report, .. } => all.push(report.times.pause_us as f64),
            other => panic!("{other:?}"),
        }
    }
    running.store(false, Ordering::Relaxed);
    runner.join().expect("no panic").expect("no trap");
    all
}

fn load(engine: EngineBuilder, files: &MemoryLoader) -> Program {
    let engine = engine.build().expect("an engine");
    engine.load_with(FILE, Arc::new(files.clone())).unwrap_or_else(|error| panic!("{error}"))
}

/// Edits the struct of a million live values, once.
fn migrated(fields: &str) -> f64 {
    let text = |fields: &str| format!("S P {{ {fields} }}\n{MIGRATED}");
    let files = MemoryLoader::default();
    files.set(FILE, text("a: i64 = 1, b: f64 = 0.5"));
    let program = load(Engine::builder(), &files);
    let fill = program.function::<(i64,), ()>("fill").unwrap_or_else(|error| panic!("{error}"));
    fill.call((1_000_000,)).expect("no trap");
    files.set(FILE, text(fields));
    match program.poll().unwrap_or_else(|error| panic!("{error}")) {
        Update::Reloaded { report, .. } => report.times.pause_us as f64,
        other => panic!("{other:?}"),
    }
}

/// A call that fails in each other version, of a program whose files are watched.
fn mended(times: usize) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(FILE);
    let text = |fails: bool, round: usize| {
        let body = if fails { "n / by".to_owned() } else { format!("n + {round}") };
        format!("#[hot]\nF step(n: i64) -> i64 {{ {body} }}\n{MENDED}")
    };
    let save = |text: String| {
        let temporary = path.with_extension("tmp");
        std::fs::write(&temporary, text).expect("written");
        std::fs::rename(&temporary, &path).expect("renamed");
    };
    save(text(false, 0));
    let (running, (sender, events)) = (Arc::new(AtomicBool::new(true)), channel());
    let (goes_on, sender) = (running.clone(), Mutex::new(sender));
    let engine = Engine::builder().pause_on_trap(true).function("running", move || goes_on.load(Ordering::Relaxed));
    let engine = engine.on_event(move |event| tell(event, &sender)).build().expect("an engine");
    let program = engine.load_file(&path).unwrap_or_else(|error| panic!("{error}"));
    let watching = program.watch().expect("the files can be watched");
    let runner = std::thread::spawn(move || program.run_main().map_err(|trap| trap.report()));
    let round = |round| {
        save(text(true, round));
        next(&events, None);
        save(text(false, round + 1));
        next(&events, Some(())).unwrap_or(f64::NAN)
    };
    let all = (0..times).map(round).collect();
    running.store(false, Ordering::Relaxed);
    runner.join().expect("no panic").expect("no trap");
    drop(watching);
    all
}

/// A trap (nothing), or from the save to the repeated call.
fn tell(event: &Event, sender: &Mutex<Sender<Option<f64>>>) {
    let told = match event {
        Event::Trap(_) => None,
        Event::Resumed { total_us, .. } => Some(*total_us as f64),
        _ => return,
    };
    // Nobody listens any more when the measurement is over.
    let _ = sender.lock().expect("no panic").send(told);
}

/// Waits for a trap, or for the call after one.
fn next(events: &Receiver<Option<f64>>, resumed: Option<()>) -> Option<f64> {
    loop {
        let told = events.recv_timeout(DEADLINE).expect("the save is heard of");
        if told.is_some() == resumed.is_some() {
            return told;
        }
    }
}
