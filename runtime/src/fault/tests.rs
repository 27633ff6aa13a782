//! Faults at every step of preparations and trials: whatever fails, everything is as it was, and the same reload goes
//! through afterwards with the result it has in a program where nothing has failed.

mod state;
mod versions;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::{Engine, Error, MemoryLoader, Program, Update};
use state::{sizes, state, texts};
use versions::{PROGRAM, VALUES};

/// Reloads of each test; `RELOADS=1000` for more.
const RELOADS: u64 = 30;
/// A reload fails at one of so many steps, and at others the next time; prime numbers. `STRIDE=1` for all.
const STRIDES: [u64; 2] = [5, 17];
/// How long `main` may take for one turn.
const DEADLINE: Duration = Duration::from_secs(120);
/// How often `main` looks up.
const LOOKS_UP: Duration = Duration::from_millis(1);

/// Lets `main` go on turn by turn.
#[derive(Default)]
struct Gate {
    turns: Mutex<Turns>,
    moved: Condvar,
}

#[derive(Default)]
struct Turns {
    /// `main` has come to the gate for the first time.
    started: bool,
    /// One turn may be made.
    granted: bool,
    /// `main` makes it.
    busy: bool,
}

impl Gate {
    /// Called by `main` again and again, so that it looks up: may it make a turn?
    fn pass(&self) -> i64 {
        let mut turns = self.turns.lock().expect("not poisoned");
        (turns.started, turns.busy) = (true, false);
        self.moved.notify_all();
        let (mut turns, _) =
            self.moved.wait_timeout_while(turns, LOOKS_UP, |turns| !turns.granted).expect("not poisoned");
        (turns.busy, turns.granted) = (turns.granted, false);
        i64::from(turns.busy)
    }

    /// Waits until `main` has come and has nothing to do.
    fn wait(&self) {
        let turns = self.turns.lock().expect("not poisoned");
        let moves = |turns: &mut Turns| !turns.started || turns.granted || turns.busy;
        let (_turns, waited) = self.moved.wait_timeout_while(turns, DEADLINE, moves).expect("not poisoned");
        assert!(!waited.timed_out(), "main does not come round");
    }

    fn open(&self) {
        self.turns.lock().expect("not poisoned").granted = true;
        self.moved.notify_all();
    }
}

/// A program that is reloaded, with its `main` running if it has one.
struct Subject {
    files: MemoryLoader,
    program: Program,
    gate: Arc<Gate>,
    main: Option<JoinHandle<u8>>,
}

impl Subject {
    fn new(text: &str, pauses: bool) -> Subject {
        let (files, gate) = (MemoryLoader::default(), Arc::<Gate>::default());
        files.set("main.vais", text);
        let at_gate = gate.clone();
        let engine = Engine::builder().pause_on_trap(pauses).function("pass", move || at_gate.pass());
        let engine = engine.build().expect("an engine");
        let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("the first version");
        let mut subject = Subject { files, program, gate, main: None };
        if text.contains("F main(") {
            let program = subject.program.clone();
            subject.main = Some(std::thread::spawn(move || program.run_main().expect("no trap")));
            subject.gate.wait();
        }
        subject
    }

    fn call(&self, name: &str, number: i64) -> i64 {
        let tick = self.program.function::<(i64,), i64>(name);
        tick.expect("a function").call((number,)).unwrap_or_else(|trap| panic!("{name}: {}", trap.report()))
    }

    fn look(&self) -> i64 {
        let look = self.program.function::<(), i64>("look").expect("a function");
        look.call(()).unwrap_or_else(|trap| panic!("look: {}", trap.report()))
    }

    /// One turn of `main`.
    fn turn(&self) {
        if self.main.is_some() {
            self.gate.open();
            self.gate.wait();
        }
    }

    fn end(mut self) {
        if let Some(main) = self.main.take() {
            self.program.function::<(), i64>("stop").expect("a function").call(()).expect("no trap");
            assert_eq!(main.join().expect("no panic"), 0);
        }
        let left = self.program.heap_check().expect("nobody is in the program");
        assert!(left.is_empty(), "{left} left on the heap");
    }
}

/// A way to a new version.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// A save.
    Poll,
    /// A preparation that is committed later.
    Prepare,
    /// Texts from memory.
    Texts,
    /// Back to a version that was.
    Rollback(u64),
}

impl Way {
    fn go(self, subject: &Subject, text: &str) -> Result<Update, Error> {
        subject.files.set("main.vais", text);
        match self {
            Way::Poll => subject.program.poll(),
            Way::Prepare => subject.program.prepare()?.commit(),
            Way::Texts => subject.program.prepare_texts(&[("main.vais", text)])?.commit(),
            Way::Rollback(to) => subject.program.rollback(to),
        }
    }
}

/// A version that lets its own hook fail has been live for a moment: values have been migrated there and back.
fn was_live(update: &Result<Update, Error>) -> bool {
    matches!(update, Err(Error::Refused(report)) if report.refusals().any(|edit| edit.name == "after" || edit.name == "again"))
}

/// Reloads with faults, beside a twin without any.
struct Trial {
    subject: Subject,
    twin: Subject,
    /// How often each step has failed.
    struck: BTreeMap<(String, u32), u64>,
    faults: u64,
    stride: u64,
}

impl Trial {
    fn new(versions: &[&str], pauses: bool, stride: u64) -> Trial {
        let subject = || Subject::new(versions[0], pauses);
        Trial { subject: subject(), twin: subject(), struck: BTreeMap::new(), faults: 0, stride }
    }

    /// One reload: fails at every step, then goes through.
    fn reload(&mut self, turn: u64, way: Way, text: &str) {
        for number in [turn, turn + 1000] {
            let ticked = [&self.subject, &self.twin].map(|subject| subject.call("tick", number as i64));
            assert_eq!(ticked[0], ticked[1], "turn {turn}");
        }
        let stride = setting("STRIDE", self.stride);
        for step in (1 + turn % stride..).step_by(stride as usize) {
            let text = format!("{text}# {turn} {step}\n");
            let (before, held) = (state(&self.subject.program), texts(&self.subject.program));
            let looked = self.subject.look();
            super::inject(step);
            let update = way.go(&self.subject, &text);
            let place = super::struck();
            if super::inject(0) > 0 {
                assert!(matches!(update, Ok(Update::Reloaded { .. })), "turn {turn}, {way:?}: {update:?}");
                let twin = way.go(&self.twin, &text);
                assert!(matches!(twin, Ok(Update::Reloaded { .. })), "turn {turn}, {way:?}: {twin:?}");
                break;
            }
            let place = place.expect("a fault was injected");
            let what = format!("turn {turn}, {way:?}, step {step}, {place}: {update:?}");
            self.faults += 1;
            *self.struck.entry((place.file().to_owned(), place.line())).or_default() += 1;
            assert!(matches!(update, Err(Error::Refused(_) | Error::Rejected(_))), "{what}");
            if way != Way::Poll {
                assert!(texts(&self.subject.program) == held, "{what}: other texts");
            }
            if !was_live(&update) {
                assert_eq!(state(&self.subject.program), before, "{what}");
            }
            assert_eq!(self.subject.look(), looked, "{what}");
        }
        self.same(turn);
    }

    /// The subject and its twin agree.
    fn same(&self, turn: u64) {
        let both = [&self.subject, &self.twin];
        assert_eq!(both[0].look(), both[1].look(), "turn {turn}");
        both.iter().for_each(|subject| subject.turn());
        assert_eq!(both[0].look(), both[1].look(), "turn {turn}, after a turn of main");
        assert_eq!(sizes(&both[0].program), sizes(&both[1].program), "turn {turn}");
    }

    fn end(self) {
        for ((file, line), times) in &self.struck {
            println!("{times:6} {file}:{line}");
        }
        println!("{} faults at {} places", self.faults, self.struck.len());
        self.subject.end();
        self.twin.end();
    }
}

/// What the environment asks for.
fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(otherwise)
}

/// Reloads through all versions, again and again.
fn through(versions: &[&str], pauses: bool, stride: u64) -> (u64, usize) {
    let mut trial = Trial::new(versions, pauses, stride);
    let mut at = 0;
    for turn in 1..=setting("RELOADS", RELOADS) {
        let version = trial.subject.program.version();
        let way = match turn % 11 {
            3 => Way::Prepare,
            6 => Way::Texts,
            9 => Way::Rollback(version - 1),
            _ => Way::Poll,
        };
        at = if way == Way::Rollback(version - 1) { at } else { (at + 1) % versions.len() };
        trial.reload(turn, way, versions[at]);
    }
    let found = (trial.faults, trial.struck.len());
    trial.end();
    found
}

#[test]
fn a_fault_while_values_change_changes_nothing() {
    let renamed = versions::renamed_values();
    let all: Vec<&str> = VALUES.into_iter().chain([&*renamed]).collect();
    let (faults, places) = through(&all, false, STRIDES[0]);
    assert!(faults > 100 && places >= 12, "only {faults} faults at {places} places");
}

#[test]
fn a_fault_in_a_running_program_changes_nothing() {
    let renamed = versions::renamed_program();
    let all: Vec<&str> = PROGRAM.into_iter().chain([&*renamed]).collect();
    let (faults, places) = through(&all, true, STRIDES[1]);
    assert!(faults > 100 && places >= 12, "only {faults} faults at {places} places");
}
