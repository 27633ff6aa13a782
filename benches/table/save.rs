//! Save to live: from `rename()` until the first instruction of the new code has run.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;
use vaisjit::{Engine, Event};

use crate::{percentile, programs, sorted};

const FILE: &str = "bench.vais";
const DEADLINE: Duration = Duration::from_secs(60);

/// What is edited in how large a program.
#[derive(Clone, Copy)]
pub struct Case {
    lines: usize,
    hot: bool,
}

/// The sizes that peers have been measured with, and an edit of a function that is not hot.
pub fn cases() -> Vec<Case> {
    [(50, true), (10_000, true), (100_000, true), (10_000, false)].map(|(lines, hot)| Case { lines, hot }).into()
}

/// The figures of one size; times in microseconds.
#[derive(Serialize)]
pub struct Saves {
    pub lines: usize,
    pub hot: bool,
    pub edits: usize,
    pub p50: f64,
    pub p95: f64,
    /// The medians of the stages, as the events report them: watch, parse, check, compile, swap.
    pub stages: [f64; 5],
    /// All of them, sorted.
    pub all: Vec<f64>,
}

/// What the program's thread and the reload thread tell the one that saves.
struct Signals {
    stamps: Receiver<(i64, Instant)>,
    stages: Receiver<[f64; 5]>,
}

/// Edits a running program so many times.
pub fn measure(case: Case, edits: usize) -> Saves {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(FILE);
    std::fs::write(&path, text(case, 1)).expect("written");
    let running = Arc::new(AtomicBool::new(true));
    let (engine, signals) = engine(running.clone());
    let program = engine.load_file(&path).unwrap_or_else(|error| panic!("{error}"));
    let watching = program.watch().expect("the files can be watched");
    let runner = std::thread::spawn(move || program.run_main().map_err(|trap| trap.report()));
    signals.stamps.recv_timeout(DEADLINE).expect("the program runs");
    // Some rounds first, so that nothing is measured that happens once.
    let rounds = (0..edits + 3).map(|round| edit(case, &path, round as i64 + 2, &signals)).skip(3);
    let (total, stages): (Vec<f64>, Vec<[f64; 5]>) = rounds.unzip();
    running.store(false, Ordering::Relaxed);
    runner.join().expect("no panic").expect("no trap");
    drop(watching);
    summary(case, total, &stages)
}

fn text(case: Case, version: i64) -> String {
    if case.hot { programs::text(case.lines, version, 0) } else { programs::text(case.lines, 0, version) }
}

fn engine(running: Arc<AtomicBool>) -> (Engine, Signals) {
    let (stamp, stamps) = channel();
    let (stage, stages) = channel();
    let (stamp, last) = (Mutex::new(stamp), AtomicI64::new(0));
    let stage = Mutex::new(stage);
    let engine = Engine::builder()
        .function("stamp", move |version: i64| note(version, &last, &stamp))
        .function("running", move || running.load(Ordering::Relaxed))
        .on_event(move |event| tell(event, &stage))
        .build()
        .expect("an engine");
    (engine, Signals { stamps, stages })
}

/// The first instruction of new code: mostly just one comparison, as this is called in a tight loop.
fn note(version: i64, last: &AtomicI64, stamp: &Mutex<Sender<(i64, Instant)>>) {
    if last.load(Ordering::Relaxed) != version {
        let now = Instant::now();
        last.store(version, Ordering::Relaxed);
        // Nobody listens any more when the measurement is over.
        let _ = stamp.lock().expect("no panic").send((version, now));
    }
}

fn tell(event: &Event, stage: &Mutex<Sender<[f64; 5]>>) {
    match event {
        Event::Reloaded { report, .. } => {
            let times = report.times;
            let parts = [times.watch_us, times.parse_us, times.check_us, times.compile_us, times.swap_us];
            let _ = stage.lock().expect("no panic").send(parts.map(|micros| micros as f64));
        }
        Event::Rejected { diagnostics, .. } => panic!("{diagnostics:?}"),
        Event::Refused { report, .. } => panic!("{report:?}"),
        _ => {}
    }
}

fn edit(case: Case, path: &Path, version: i64, signals: &Signals) -> (f64, [f64; 5]) {
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, text(case, version)).expect("written");
    // The clock is read before: the watcher wakes up inside rename(), and on few processors it may well run, and the
    // whole reload be over, before this thread goes on. So the figures hold the few microseconds of rename() itself.
    let saved = Instant::now();
    std::fs::rename(&temporary, path).expect("renamed");
    let at = loop {
        let (seen, at) = signals.stamps.recv_timeout(DEADLINE).expect("the new code runs");
        if seen == version {
            break at;
        }
    };
    let stages = signals.stages.recv_timeout(DEADLINE).expect("the reload is reported");
    // An editor's user saves with pauses; a pause also lets the program come to rest.
    std::thread::sleep(Duration::from_millis(20));
    (at.saturating_duration_since(saved).as_secs_f64() * 1e6, stages)
}

fn summary(case: Case, total: Vec<f64>, stages: &[[f64; 5]]) -> Saves {
    let all = sorted(total);
    let stage = |index: usize| percentile(&sorted(stages.iter().map(|parts| parts[index]).collect()), 0.5);
    Saves {
        lines: case.lines,
        hot: case.hot,
        edits: all.len(),
        p50: percentile(&all, 0.5),
        p95: percentile(&all, 0.95),
        stages: std::array::from_fn(stage),
        all,
    }
}
