//! After any sequence of edits a program has the data that a program started with the last text gets when it is given
//! the data of the running one by name, and its code finds them there.
//!
//! `SEED` chooses one sequence, `ROUNDS` how many are tried, `EDITS` how long they are. A sequence that fails is made shorter
//! before it is shown.

#[path = "../../tests/generate/random.rs"]
mod random;
#[path = "reload_data/source.rs"]
mod source;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use random::Random;
use source::Source;
use vaisjit::{Edit, Engine, Error, MemoryLoader, Outcome, Program, Report, Update};

/// How long the sequences take together, unless `ROUNDS` says how many there are.
const TIME: Duration = Duration::from_secs(20);
/// How long one edit may take before it counts as stuck.
const STUCK: Duration = Duration::from_secs(60);

/// A program and its file in memory.
struct Loaded {
    files: MemoryLoader,
    program: Program,
}

impl Loaded {
    fn new(text: &str) -> Loaded {
        let files = MemoryLoader::default();
        files.set("main.vais", text);
        let engine = Engine::builder().on_event(|_: &vaisjit::Event| ()).build().expect("an engine");
        let program =
            engine.load_with("main.vais", Arc::new(files.clone())).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Loaded { files, program }
    }

    fn call(&self, name: &str) -> i64 {
        let function = self.program.function::<(), i64>(name).expect("the function");
        function.call(()).unwrap_or_else(|trap| panic!("{name}: {}", trap.report()))
    }

    fn fill(&self, name: &str, k: i64) {
        let function = self.program.function::<(i64,), i64>(name).expect("the function");
        function.call((k,)).unwrap_or_else(|trap| panic!("{name}: {}", trap.report()));
    }

    /// The data, by name.
    fn data(&self, path: &Path) -> String {
        self.program.save_state(path).unwrap_or_else(|error| panic!("save: {error}"));
        std::fs::read_to_string(path).expect("a file")
    }

    fn leaks_nothing(&self, place: &str) {
        let report = self.program.heap_check().unwrap_or_else(|error| panic!("{place}: {error}"));
        assert!(report.is_empty(), "{place}: leaked {report}");
    }
}

/// Ends the process if one edit takes too long: nothing may wait for ever.
struct Watchdog(std::sync::mpsc::Sender<String>);

impl Watchdog {
    fn start() -> Watchdog {
        let (sender, receiver) = std::sync::mpsc::channel::<String>();
        std::thread::spawn(move || {
            let mut last = String::new();
            loop {
                match receiver.recv_timeout(STUCK) {
                    Ok(place) => last = place,
                    Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                        eprintln!("stuck: {last}");
                        std::process::exit(101);
                    }
                    Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Watchdog(sender)
    }
}

/// One sequence: the edits with these numbers.
struct Sequence {
    seed: u64,
    running: Loaded,
    source: Source,
    text: String,
    /// The text that was saved last.
    tried: String,
    folder: tempfile::TempDir,
    told: Vec<String>,
}

impl Sequence {
    fn start(seed: u64) -> Sequence {
        let source = Source::new(&mut Random(seed));
        let text = source.text();
        let running = Loaded::new(&text);
        let folder = tempfile::tempdir().expect("a folder");
        Sequence { seed, running, source, text, tried: String::new(), folder, told: Vec::new() }
    }

    fn data(&self) -> String {
        self.running.data(&self.folder.path().join("running.json"))
    }

    /// One edit and all that has to hold afterwards.
    fn step(&mut self, step: usize) {
        let mut random = Random(self.seed.wrapping_mul(1 << 20).wrapping_add(step as u64));
        for name in self.source.fillers() {
            if random.one_in(4) {
                self.running.fill(&name, random.below(1000) as i64);
            }
        }
        let before = self.data();
        match random.below(10) {
            0 => self.mistake(&mut random, &before),
            _ => self.edit(&mut random, &before),
        }
    }

    /// A text with an error: nothing changes.
    fn mistake(&mut self, random: &mut Random, before: &str) {
        let mistakes = ["F broken( {\n", "F broken() -> i64 { \"text\" }\n", "F broken() -> i64 { unknown }\n"];
        let text = format!("{}{}", self.text, random.pick(&mistakes));
        self.told.push("mistake".to_owned());
        self.running.files.set("main.vais", text);
        let update = self.running.program.poll();
        assert!(matches!(update, Err(Error::Rejected(_))), "{update:?}");
        assert_eq!(self.data(), before, "after a mistake");
        self.running.files.set("main.vais", self.text.clone());
        let update = self.running.program.poll();
        assert!(matches!(update, Ok(Update::Unchanged(_))), "{update:?}");
    }

    fn edit(&mut self, random: &mut Random, before: &str) {
        let (mut next, mut refusable, mut told) = (self.source.clone(), false, Vec::new());
        next.settle();
        for _ in 0..1 + random.below(3) {
            let (what, may_be_refused) = next.edit(random);
            refusable |= may_be_refused;
            told.push(what);
        }
        let mut other = Random(self.seed.wrapping_mul(3).wrapping_add(self.told.len() as u64));
        if other.one_in(4) {
            told.push(next.rename_type(other.below(source::STRUCTS + source::ENUMS), self.told.len() + 1));
        }
        self.told.push(told.join("; "));
        let text = next.text();
        let number = self.running.program.version();
        self.tried = text.clone();
        self.running.files.set("main.vais", text.clone());
        let update = match random.one_in(3) {
            true => self.running.program.prepare().and_then(|prepared| prepared.commit()),
            false => self.running.program.poll(),
        };
        match update {
            Ok(Update::Reloaded { version, .. }) => {
                assert_eq!(version, number + 1);
                self.source = next;
                self.compare(before, &text);
                let back = random.one_in(4);
                let old = std::mem::replace(&mut self.text, text);
                if back && told.iter().all(|what| what.contains("removed") && !refusable) {
                    self.undo(&old, before);
                }
            }
            Ok(Update::Unchanged(_)) => {
                (self.source, self.text) = (next, text);
                assert_eq!(self.data(), before, "unchanged");
            }
            Err(Error::Refused(report)) if refusable || lacks_room(&report) => {
                assert_eq!(self.data(), before, "refused");
                self.running.files.set("main.vais", self.text.clone());
                let update = self.running.program.poll();
                assert!(matches!(update, Ok(Update::Unchanged(_))), "{update:?}");
            }
            other => panic!("{other:#?}\n{before}"),
        }
    }

    /// What was removed by the last edit comes back with its values, and goes again.
    fn undo(&mut self, old: &str, before: &str) {
        self.told.push("and back".to_owned());
        let without = self.data();
        for (text, data) in [(old, before), (&*self.text, &*without)] {
            self.running.files.set("main.vais", text);
            let update = self.running.program.poll();
            assert!(matches!(update, Ok(Update::Reloaded { .. })), "{update:?}");
            assert_eq!(self.data(), data, "what was removed comes back");
        }
    }

    /// Is it as one that was started with this text and got the data from before?
    fn compare(&self, before: &str, text: &str) {
        let path = self.folder.path().join("fresh.json");
        std::fs::write(&path, before).expect("a file");
        let fresh = Loaded::new(text);
        let loaded = fresh.program.load_state(&path).unwrap_or_else(|error| panic!("load: {error}\n{before}"));
        let expected = fresh.data(&path);
        let data = self.data();
        assert!(data == expected, "{}\n{before}\n{:?}", difference(&data, &expected), loaded.notices);
        for name in ["look", "all"] {
            assert_eq!(self.running.call(name), fresh.call(name), "{name}\n{data}");
        }
        fresh.leaks_nothing("fresh");
    }
}

/// Is it refused because a value that cannot move needs more room?
fn lacks_room(report: &Report) -> bool {
    let lacks =
        |edit: &Edit| matches!(&edit.outcome, Outcome::Refused { why, .. } if why.contains("there is room for"));
    report.refusals().next().is_some() && report.refusals().all(lacks)
}

/// The first lines that differ.
fn difference(running: &str, fresh: &str) -> String {
    let lines = running.lines().zip(fresh.lines());
    let differ: Vec<String> =
        lines.filter(|(a, b)| a != b).take(4).map(|(a, b)| format!("running {a}\nfresh   {b}")).collect();
    format!("{}\n({} and {} lines)", differ.join("\n"), running.lines().count(), fresh.lines().count())
}

/// Runs the edits with these numbers; after an error, how many had been begun, and what was told.
fn run(seed: u64, steps: &[usize], watchdog: &Watchdog) -> Result<(), (usize, String)> {
    let mut begun = 0;
    let mut told = String::new();
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let mut sequence = Sequence::start(seed);
        let main = sequence.running.program.clone();
        let main = (seed.is_multiple_of(2)).then(|| std::thread::spawn(move || main.run_main()));
        let deadline = Instant::now() + STUCK;
        while main.is_some() && sequence.running.call("has_turned") == 0 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        for step in steps {
            begun += 1;
            let _ =
                watchdog.0.send(format!("seed {seed}, step {step}: {}\n{}", sequence.told.join("\n"), sequence.text));
            let result = std::panic::catch_unwind(AssertUnwindSafe(|| sequence.step(*step)));
            told = sequence.told.join("\n");
            if let Err(panic) = result {
                told = format!("{told}\n{}\n-----\n{}", sequence.text, sequence.tried);
                std::panic::resume_unwind(panic);
            }
        }
        sequence.running.call("end");
        if let Some(main) = main {
            assert_eq!(main.join().expect("no panic").expect("no trap"), 0);
        }
        sequence.running.leaks_nothing("at the end");
    }));
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        (begun, format!("{text}\nedits:\n{told}"))
    })
}

/// Leaves out what is not needed for a failure, and shows it.
fn shrink(seed: u64, mut steps: Vec<usize>, (begun, mut told): (usize, String), watchdog: &Watchdog) -> ! {
    steps.truncate(begun);
    let deadline = Instant::now() + 3 * TIME;
    let mut index = 0;
    while index + 1 < steps.len() && Instant::now() < deadline {
        let mut fewer = steps.clone();
        fewer.remove(index);
        match run(seed, &fewer, watchdog) {
            Err((begun, text)) => {
                steps = fewer;
                steps.truncate(begun);
                told = text;
            }
            Ok(()) => index += 1,
        }
    }
    panic!("SEED={seed}, edits {steps:?}: {told}")
}

/// Resident memory in KiB; 0 where it cannot be read.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4
}

#[test]
fn edited_programs_keep_their_data_like_restarted_ones() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (started, rounds, watchdog) = (Instant::now(), number("ROUNDS"), Watchdog::start());
    let steps: Vec<usize> = (0..number("EDITS").unwrap_or(30) as usize).collect();
    let (mut seed, only) = (number("SEED").unwrap_or(1), number("SEED").is_some() && rounds.is_none());
    let mut done = 0;
    while done == 0 || (!only && rounds.map_or(started.elapsed() < TIME, |rounds| done < rounds)) {
        if let Err(failure) = run(seed, &steps, &watchdog) {
            shrink(seed, steps, failure, &watchdog);
        }
        println!("seed {seed}: {} edits, {} KiB", steps.len(), resident());
        (seed, done) = (seed + 1, done + 1);
    }
}
