//! A program and its files in memory.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vaisjit::{Engine, MemoryLoader, OptLevel, Program, StateReport, Trap};

use crate::write::Texts;

/// How long one edit may take before it counts as stuck.
pub const STUCK: Duration = Duration::from_secs(60);

/// A program and its files in memory.
pub struct Loaded {
    files: MemoryLoader,
    pub program: Program,
}

impl Loaded {
    pub fn new(texts: &Texts, opt_level: OptLevel) -> Loaded {
        let files = MemoryLoader::default();
        texts.iter().for_each(|(name, text)| files.set(name, text));
        let builder = Engine::builder().opt_level(opt_level);
        let engine = builder.on_event(|_: &vaisjit::Event| ()).build().expect("an engine");
        let program = engine
            .load_with("main.vais", Arc::new(files.clone()))
            .unwrap_or_else(|error| panic!("{error}\n{}", shown(texts)));
        Loaded { files, program }
    }

    /// Writes these files; others go.
    pub fn save(&self, texts: &Texts, before: &Texts) {
        texts.iter().for_each(|(name, text)| self.save_one(name, text));
        before
            .iter()
            .filter(|(old, _)| texts.iter().all(|(name, _)| name != old))
            .for_each(|(old, _)| self.files.remove(Path::new(old)));
    }

    pub fn save_one(&self, name: &str, text: &str) {
        self.files.set(name, text);
    }

    pub fn try_call(&self, name: &str) -> Result<i64, Trap> {
        self.program.function::<(), i64>(name).expect("the function").call(())
    }

    pub fn call(&self, name: &str) -> i64 {
        self.try_call(name).unwrap_or_else(|trap| panic!("{name}: {}", trap.report()))
    }

    pub fn fill(&self, name: &str, k: i64) {
        let function = self.program.function::<(i64,), i64>(name).expect("the function");
        function.call((k,)).unwrap_or_else(|trap| panic!("{name}: {}", trap.report()));
    }

    /// The data, by name.
    pub fn data(&self, path: &Path) -> String {
        self.program.save_state(path).unwrap_or_else(|error| panic!("save: {error}"));
        std::fs::read_to_string(path).expect("a file")
    }

    /// Takes data over.
    pub fn take(&self, path: &Path, data: &str) -> StateReport {
        std::fs::write(path, data).expect("a file");
        self.program.load_state(path).unwrap_or_else(|error| panic!("load: {error}\n{data}"))
    }

    pub fn leaks_nothing(&self, place: &str) {
        let report = self.program.heap_check().unwrap_or_else(|error| panic!("{place}: {error}"));
        assert!(report.is_empty(), "{place}: leaked {report}");
    }

    /// Every word of the data leads to a whole value, and all of them are counted right.
    pub fn is_whole(&self) {
        let wrong = self.program.heap_verify();
        assert!(wrong.is_empty(), "the heap is not whole:\n{}", wrong.join("\n"));
    }

    /// Waits until the loop of `main` has come round.
    pub fn has_turned(&self) {
        self.call("turn");
        let deadline = Instant::now() + STUCK;
        while self.call("has_turned") == 0 {
            assert!(Instant::now() < deadline, "`main` does not turn");
            std::thread::yield_now();
        }
    }
}

/// Texts to be read by somebody.
pub fn shown(texts: &Texts) -> String {
    texts.iter().map(|(name, text)| format!("=== {name}\n{text}")).collect()
}

/// The first lines that differ.
pub fn difference(running: &str, fresh: &str) -> String {
    let lines = running.lines().zip(fresh.lines());
    let differ: Vec<String> =
        lines.filter(|(a, b)| a != b).take(4).map(|(a, b)| format!("running {a}\nfresh   {b}")).collect();
    format!("{}\n({} and {} lines)", differ.join("\n"), running.lines().count(), fresh.lines().count())
}
