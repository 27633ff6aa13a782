//! Random programs (`tests/generate`) that are recompiled all the time in the middle of their loops: every function that
//! loops goes on in code made of the same text, and the numbers must be those of an undisturbed run.
//!
//! `VAISJIT_SEED=n` repeats one seed; `VAISJIT_PROGRAMS=n` runs all seeds below `n` instead of as many as fit into the time.

#[path = "../../tests/generate/mod.rs"]
mod generate;

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use generate::{ARGUMENTS, Random, vais};
use vaisjit::{Edit, Engine, Event, MemoryLoader, Outcome, Program, TrapCode};

/// How long the programs take together, unless their number is given.
const TIME: Duration = Duration::from_secs(40);
/// At most so many reloads in a call, and in all calls of a program, so that none takes for ever.
const RELOADS: i64 = 6;
const ALL_RELOADS: i64 = 60;
/// Enough turns for every call.
const TURNS: i64 = 200_000;

/// A program whose loops ask in each turn whether to reload.
struct Disturbed {
    program: Program,
    told: Arc<Mutex<Vec<String>>>,
    /// How many reloads the call may still do.
    left: Arc<AtomicI64>,
    turns: Arc<AtomicI64>,
    reloads: Arc<AtomicI64>,
}

/// The text of a version: a constant that every function with a loop uses differs.
fn version(text: &str, number: i64) -> String {
    let mut all = format!("C VERSION: i64 = {number}\n");
    for line in text.lines() {
        let _ = writeln!(all, "{line}");
        if line.trim_start().starts_with("L ") && line.ends_with('{') {
            let _ = writeln!(all, "I disturb(VERSION) == 1 {{ hot_reload() }}");
        }
    }
    all
}

impl Disturbed {
    fn new(seed: u64, text: String) -> Disturbed {
        let files = MemoryLoader::default();
        files.set("main.vais", version(&text, 0));
        let told = Arc::<Mutex<Vec<String>>>::default();
        let (left, turns, reloads) =
            (Arc::<AtomicI64>::default(), Arc::<AtomicI64>::default(), Arc::<AtomicI64>::default());
        let random = AtomicU64::new(seed);
        let (own, may, seen, count) = (files.clone(), left.clone(), turns.clone(), reloads.clone());
        let disturb = move |_: i64| -> Result<i64, String> {
            if seen.fetch_add(1, Ordering::SeqCst) > TURNS {
                return Err("too many turns".to_owned());
            }
            let mut draw = Random(random.load(Ordering::SeqCst));
            let now = draw.one_in(3);
            random.store(draw.next(), Ordering::SeqCst);
            if !now || may.fetch_sub(1, Ordering::SeqCst) <= 0 {
                return Ok(0);
            }
            own.set("main.vais", version(&text, count.fetch_add(1, Ordering::SeqCst) + 1));
            Ok(1)
        };
        let hears = told.clone();
        let hear = move |event: &Event| match event {
            Event::Reloaded { report, .. } => {
                let edits = report.edits.iter().map(|edit| (edit, &edit.outcome));
                // Who has left all its loops has nothing to go on in.
                let past = |edit: &Edit| {
                    report.notices.contains(&format!(
                        "only what `{}` has already done changed: it takes effect at the next call",
                        edit.name
                    ))
                };
                let stays = edits.filter(|(edit, outcome)| matches!(outcome, Outcome::AtNextCall) && !past(edit));
                let mut told = hears.lock().unwrap();
                told.extend(stays.map(|(edit, _)| format!("{edit}; {:?}", report.notices)));
            }
            Event::Refused { report, .. } => hears.lock().unwrap().push(format!("refused: {report:?}")),
            Event::Rejected { diagnostics, .. } => hears.lock().unwrap().push(format!("rejected: {diagnostics:?}")),
            _ => {}
        };
        let engine = Engine::builder().function("disturb", disturb).on_event(hear).build().expect("an engine");
        let program = engine.load_with("main.vais", Arc::new(files)).unwrap_or_else(|error| panic!("{error}"));
        Disturbed { program, told, left, turns, reloads }
    }

    fn call(&self, entry: &str, arguments: (i64, i64), reloads: i64) -> Result<i64, TrapCode> {
        self.left.store(reloads, Ordering::SeqCst);
        self.turns.store(0, Ordering::SeqCst);
        let function = self.program.function::<(i64, i64), i64>(entry).expect("the entry");
        function.call(arguments).map_err(|trap| trap.code)
    }
}

/// Runs all entries of a program; how often it was reloaded.
fn check(seed: u64) -> Result<i64, String> {
    let program = generate::program(seed, false);
    let disturbed = Disturbed::new(seed, vais::text(&program));
    let mut trapped = false;
    for entry in program.entries() {
        for arguments in ARGUMENTS {
            if disturbed.reloads.load(Ordering::SeqCst) > ALL_RELOADS {
                break;
            }
            let expected = disturbed.call(&entry, arguments, 0);
            if expected == Err(TrapCode::HostFailure) {
                trapped = true;
                continue;
            }
            let seen = disturbed.call(&entry, arguments, RELOADS);
            trapped |= expected.is_err();
            if seen != expected {
                return Err(format!("{entry}{arguments:?} gives {seen:?} instead of {expected:?}"));
            }
        }
    }
    if let Some(problem) = disturbed.told.lock().unwrap().first() {
        return Err(format!("a loop did not go on in its new code: {problem}"));
    }
    if !trapped {
        let left = disturbed.program.heap_check().map_err(|error| error.to_string())?;
        if !left.is_empty() {
            return Err(format!("left on the heap: {:?}", left.values));
        }
    }
    Ok(disturbed.reloads.load(Ordering::SeqCst))
}

#[test]
fn loops_go_on_in_new_code_of_the_same_text() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match (number("VAISJIT_SEED"), number("VAISJIT_PROGRAMS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => 0..count,
        (None, None) => 0..u64::MAX,
    };
    let limited = seeds.end == u64::MAX;
    let started = Instant::now();
    let (mut programs, mut reloads) = (0, 0);
    for seed in seeds {
        if limited && started.elapsed() > TIME {
            break;
        }
        let result = std::panic::catch_unwind(|| check(seed)).unwrap_or_else(|_| Err("a panic".to_owned()));
        match result {
            Ok(count) => reloads += count,
            Err(problem) => {
                let text = vais::text(&generate::program(seed, false));
                panic!("{}\nVAISJIT_SEED={seed}: {problem}", version(&text, 0));
            }
        }
        programs += 1;
    }
    println!("{programs} programs, {reloads} reloads");
    assert!(reloads > 0);
}
