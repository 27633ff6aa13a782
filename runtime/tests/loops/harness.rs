//! Plays programs that edit themselves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use vaisjit::{Engine, Event, MemoryLoader, Outcome, Program};

/// A program whose next texts are known.
pub struct Played {
    pub program: Program,
    told: Arc<Mutex<Vec<String>>>,
}

/// Each text is the one before with these replacements, `("from", "to")`.
pub type Edits<'a> = &'a [&'a [(&'a str, &'a str)]];

/// A struct in registers; edits itself in its third turn.
pub const LOCAL: &str = "
S State { frame: i64, x: i64 }
F run() -> i64 {
    state := State { frame: 0, x: 0 }
    L state.frame < 10 {
        state.frame += 1
        state.x += 2
        I state.frame == 3 {
            next_text()
            hot_reload()
        }
    }
    state.frame * 1000 + state.x
}
";

/// Puts a program in place; the `n`th call of its `next_text()` makes the `n`th edits.
pub fn program(text: &str, edits: Edits<'_>) -> Played {
    let mut texts = vec![text.to_owned()];
    for step in edits {
        let last = texts.last().expect("there is a first one");
        texts.push(step.iter().fold(last.clone(), |text, (from, to)| {
            assert!(text.contains(from), "`{from}` is to be replaced in\n{text}");
            text.replace(from, to)
        }));
    }
    texts_of(texts)
}

/// The same with whole texts.
pub fn texts_of(texts: Vec<String>) -> Played {
    let files = MemoryLoader::default();
    files.set("main.vais", &texts[0]);
    let told = Arc::<Mutex<Vec<String>>>::default();
    let (at, own, hears) = (Arc::new(AtomicUsize::new(0)), files.clone(), told.clone());
    let next = move || -> i64 {
        let at = at.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(text) = texts.get(at) {
            own.set("main.vais", text);
        }
        at as i64
    };
    let hear = move |event: &Event| hears.lock().unwrap().extend(tell(event));
    let engine = Engine::builder().function("next_text", next).on_event(hear).build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files)).unwrap_or_else(|error| panic!("{error}"));
    Played { program, told }
}

/// Runs `run` of a program whose texts are saved by another thread: each call of `save()` brings the next one, which is
/// taken over where the program looks up. Nothing may be left on the heap afterwards.
pub fn saved_meanwhile(texts: &[&str]) -> (i64, Vec<String>) {
    let files = MemoryLoader::default();
    files.set("main.vais", texts[0]);
    let told = Arc::<Mutex<Vec<String>>>::default();
    let hears = told.clone();
    let hear = move |event: &Event| hears.lock().unwrap().extend(tell(event));
    let (asks, asked) = std::sync::mpsc::channel::<()>();
    let save = move || -> i64 { i64::from(asks.send(()).is_ok()) };
    let engine = Engine::builder().function("save", save).on_event(hear).build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).unwrap_or_else(|error| panic!("{error}"));
    let result = std::thread::scope(|scope| {
        let (program, files) = (&program, &files);
        let reloads = scope.spawn(move || {
            for text in &texts[1..] {
                asked.recv_timeout(DEADLINE).expect("the program asks");
                files.set("main.vais", *text);
                if let Err(error) = program.poll() {
                    program.interrupt();
                    panic!("{error:?}");
                }
            }
        });
        let result = program.function::<(), i64>("run").expect("the function").call(());
        reloads.join().expect("all were taken over");
        result
    });
    let left = program.heap_check().expect("the heap is sound");
    assert!(left.is_empty(), "left: {:?}", left.values);
    (result.unwrap_or_else(|error| panic!("{error}\n{:?}", told.lock().unwrap())), told.lock().unwrap().clone())
}

/// How long something may take that is bound to happen.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);

fn tell(event: &Event) -> Vec<String> {
    let report = match event {
        Event::Reloaded { report, .. } | Event::Unchanged { report, .. } | Event::Refused { report, .. } => report,
        Event::Rejected { diagnostics, .. } => return vec![format!("rejected: {diagnostics:?}")],
        _ => return Vec::new(),
    };
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Refused { why, help } => {
            assert!(!help.is_empty());
            format!("refused: {why}")
        }
        other => other.to_string(),
    };
    let told = |edit: &&vaisjit::Edit| edit.kind == "function" || matches!(edit.outcome, Outcome::Refused { .. });
    let edits = report.edits.iter().filter(told);
    let edits = edits.map(|edit| format!("{} {}", edit.name, outcome(&edit.outcome)));
    edits.chain(report.notices.iter().cloned()).collect()
}

impl Played {
    /// Calls a function; nothing may be left on the heap afterwards.
    pub fn call(&self, name: &str) -> i64 {
        let result = self.program.function::<(), i64>(name).expect("the function").call(());
        result.unwrap_or_else(|error| panic!("{error}\n{:?}", self.told()))
    }

    /// Is all memory given back?
    pub fn assert_no_leaks(&self) {
        let left = self.program.heap_check().expect("the heap is sound");
        assert!(left.is_empty(), "left: {:?}", left.values);
    }

    /// What was told of the reloads, a line for each function and notice.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

/// Calls `run` of a program that edits itself.
pub fn run(text: &str, edits: Edits<'_>) -> (i64, Vec<String>) {
    let played = program(text, edits);
    let result = played.call("run");
    played.assert_no_leaks();
    (result, played.told())
}

/// The same, where the edited function is `run` and goes on at the loop.
pub fn goes_on(text: &str, edits: Edits<'_>) -> i64 {
    let (result, told) = run(text, edits);
    let moved = told.iter().filter(|line| *line == "run at the next loop head").count();
    assert_eq!(moved, edits.len(), "{told:#?}");
    result
}
