//! After any sequence of edits a program behaves as one that was started with the last source and carries the same data.
//!
//! Random programs get random edits, half of them while their `main` loops: of functions that call each other directly
//! through several levels and in circles, of the structs that these read, of methods, generic functions and traits, of
//! names and modules; and they go back to earlier texts. `SEED` chooses one sequence, `ROUNDS` how many are tried, from `FIRST` on.

#[path = "../../tests/generate/random.rs"]
mod random;
#[path = "reload_random/source.rs"]
mod source;
#[path = "reload_random/write.rs"]
mod write;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use random::Random;
use source::{FUNCTIONS, GLOBALS, Source};
use vaisjit::{Engine, Error, MemoryLoader, OptLevel, Program, Trap, TrapCode, Update};

const EDITS: usize = 30;
/// How long the sequences take together, unless `ROUNDS` says how many there are.
const TIME: Duration = Duration::from_secs(10);

/// A program and its files in memory.
struct Loaded {
    files: MemoryLoader,
    program: Program,
}

impl Loaded {
    fn new(source: &Source, opt_level: OptLevel, all_hot: bool) -> Loaded {
        let files = MemoryLoader::default();
        save(&files, source);
        let engine = Engine::builder().opt_level(opt_level).all_hot(all_hot).build().expect("an engine");
        let program = engine
            .load_with("main.vais", Arc::new(files.clone()))
            .unwrap_or_else(|error| panic!("{error}\n{}", shown(source)));
        Loaded { files, program }
    }

    fn call(&self, name: &str) -> i64 {
        let function = self.program.function::<(), i64>(name).expect("the function");
        function.call(()).unwrap_or_else(|trap| panic!("{name}: {}", trap.report()))
    }

    fn tell(&self, name: &str, value: i64) {
        let function = self.program.function::<(i64,), i64>(name).expect("the function");
        function.call((value,)).unwrap_or_else(|trap| panic!("{name}: {}", trap.report()));
    }
}

fn save(files: &MemoryLoader, source: &Source) {
    let texts = source.texts();
    let is_there = |file: &String| texts.iter().any(|(there, _)| there == file);
    let gone = (0..source.names).map(|number| format!("file{number}.vais")).filter(|file| !is_there(file));
    gone.for_each(|file| files.remove(Path::new(&file)));
    texts.into_iter().for_each(|(file, text)| files.set(file, text));
}

fn shown(source: &Source) -> String {
    source.texts().iter().map(|(file, text)| format!("=== {file}\n{text}")).collect()
}

/// The name that the function value in `held` goes by, as long as there has always been such a function.
struct Held {
    name: Option<usize>,
}

impl Held {
    /// What it names in the next version.
    fn follow(&mut self, before: &Source, after: &Source) {
        let find = |source: &Source, name| {
            source.functions.iter().filter(|of| of.is_value()).find(|of| of.name == name).cloned()
        };
        self.name = self.name.and_then(|name| {
            find(after, name)?;
            find(before, name).map(|of| of.name)
        });
    }
}

struct Sequence {
    seed: u64,
    random: Random,
    running: Loaded,
    /// The sources of the versions, with their numbers.
    versions: Vec<(u64, Source)>,
    held: Held,
}

impl Sequence {
    fn new(seed: u64) -> Sequence {
        let mut random = Random(seed);
        let source = Source::new(&mut random);
        let opt_level = if random.one_in(3) { OptLevel::None } else { OptLevel::Speed };
        let running = Loaded::new(&source, opt_level, random.one_in(6));
        Sequence { seed, random, running, versions: vec![(1, source)], held: Held { name: None } }
    }

    fn source(&self) -> &Source {
        &self.versions.last().expect("a version").1
    }

    /// Another text: edits, or one of the last versions.
    fn step(&mut self, step: usize) {
        let before = self.source().clone();
        if self.random.one_in(6) {
            return self.go_back(step, before);
        }
        let mut next = before.clone();
        for _ in 0..1 + self.random.below(3) {
            next.edit(&mut self.random);
        }
        save(&self.running.files, &next);
        let update = self.running.program.poll();
        self.done(step, update, before, next);
    }

    /// To the text of one of the last versions, by a save or by a rollback.
    fn go_back(&mut self, step: usize, before: Source) {
        let back = 1 + self.random.below(3).min(self.versions.len() - 1);
        let (number, mut next) = self.versions[self.versions.len() - back].clone();
        next.names = before.names;
        let rolled_back = self.random.one_in(2).then(|| self.running.program.rollback(number));
        save(&self.running.files, &next);
        let update = self.running.program.poll();
        let is_same = matches!(update, Ok(Update::Unchanged(_)));
        let place = format!("seed {}, edit {step}", self.seed);
        assert!(is_same || !rolled_back.as_ref().is_some_and(Result::is_ok), "{place}: {update:?}");
        self.done(step, rolled_back.unwrap_or(update), before, next);
    }

    fn done(&mut self, step: usize, update: Result<Update, Error>, before: Source, next: Source) {
        let place = format!("seed {}, edit {step}", self.seed);
        match update {
            Ok(Update::Reloaded { version, .. }) => {
                self.held.follow(&before, &next);
                self.versions.push((version, next));
            }
            Ok(Update::Unchanged(_)) => {
                self.held.follow(&before, &next);
                self.versions.last_mut().expect("a version").1 = next;
            }
            // A variant may have a value.
            Err(Error::Refused(_)) => {
                save(&self.running.files, &before);
                let update = self.running.program.poll();
                assert!(matches!(update, Ok(Update::Unchanged(_))), "{place}: {update:?}");
            }
            other => panic!("{place}: {other:?}\n{}", shown(&next)),
        }
        self.compare(&place);
    }

    /// Does it behave as a program that is started with the same source and data?
    fn compare(&mut self, place: &str) {
        let source = self.source().clone();
        let fresh = Loaded::new(&source, OptLevel::None, false);
        let running = &self.running;
        for global in (0..GLOBALS).filter(|global| source.globals[*global].is_some()) {
            if self.random.one_in(2) {
                running.tell(&format!("the_set{global}"), self.random.below(500) as i64);
            }
            fresh.tell(&format!("the_set{global}"), running.call(&format!("the_get{global}")));
        }
        for leaf in source.leaves() {
            if self.random.one_in(3) {
                running.tell(&format!("the_write_{}", leaf.name), self.random.below(500) as i64);
            }
            fresh.tell(&format!("the_write_{}", leaf.name), running.call(&format!("the_read_{}", leaf.name)));
        }
        let variant = source.variants.get(self.random.below(8)).map_or(0, |(name, _)| *name as i64);
        [running, &fresh].iter().for_each(|of| of.tell("the_set_e", variant));
        let values: Vec<usize> = source.functions.iter().filter(|of| of.is_value()).map(|of| of.name).collect();
        if (self.held.name.is_none() || self.random.one_in(4)) && !values.is_empty() {
            let name = *self.random.pick(&values);
            self.held.name = Some(name);
            running.tell("the_hold", name as i64);
        }
        let mut names: Vec<String> = vec!["all".into(), "the_ask".into(), "the_match_e".into()];
        if let Some(name) = self.held.name {
            fresh.tell("the_hold", name as i64);
            names.push("the_call_held".into());
        }
        let functions = (0..FUNCTIONS).filter(|index| source.functions[*index].exists);
        names.extend(functions.map(|index| format!("the_{index}")));
        for name in names.iter().rev() {
            let (is, should) = (running.call(name), fresh.call(name));
            assert_eq!(is, should, "{place}: {name}");
        }
    }

    fn run(mut self) {
        let main = self.running.program.clone();
        let main = self.random.one_in(2).then(|| std::thread::spawn(move || main.run_main()));
        (0..EDITS).for_each(|step| self.step(step));
        if let Some(main) = main {
            let ended = ended(&self.running.program, main);
            assert!(ended.is_err_and(|trap| trap.code == TrapCode::Interrupted), "seed {}", self.seed);
        }
        let wrong = self.running.program.heap_verify();
        assert!(wrong.is_empty(), "seed {}: {}", self.seed, wrong.join("\n"));
    }
}

fn ended<T>(program: &Program, main: std::thread::JoinHandle<Result<T, Trap>>) -> Result<T, Trap> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !main.is_finished() && Instant::now() < deadline {
        program.interrupt();
        std::thread::yield_now();
    }
    main.join().expect("no panic")
}

#[test]
fn edited_programs_behave_as_started_ones() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SEED") {
        return Sequence::new(seed).run();
    }
    let (started, rounds) = (Instant::now(), number("ROUNDS"));
    let first = number("FIRST").unwrap_or(1);
    let mut seed = first;
    while rounds.map_or(started.elapsed() < TIME, |rounds| seed < first + rounds) {
        println!("seed {seed}");
        Sequence::new(seed).run();
        seed += 1;
    }
}
