//! Traps through the library: contained, told of in order, and the program callable afterwards.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use vaisjit::{Engine, Event, MemoryLoader, TrapCode};

const LOOPING: &str =
    "F step(n: i64) -> i64 { n }\nF main() -> i64 {\n    n := 0\n    L { step(n) usleep(100) }\n    0\n}\n";

/// The names of the events so far, and who waits for more.
#[derive(Default)]
struct Log {
    names: Mutex<Vec<&'static str>>,
    changed: Condvar,
}

impl Log {
    fn push(&self, name: &'static str) {
        self.names.lock().expect("no panic").push(name);
        self.changed.notify_all();
    }

    /// Waits for an event that should not come.
    fn gives_time_to(&self, name: &str) {
        let names = self.names.lock().expect("no panic");
        let absent = |names: &mut Vec<&str>| !names.contains(&name);
        drop(self.changed.wait_timeout_while(names, Duration::from_millis(300), absent));
    }
}

/// The thread that traps in a new version may be quicker than the one that tells of the version.
#[test]
fn a_trap_is_told_of_after_the_version_it_happened_in() {
    let log = Arc::<Log>::default();
    let own = log.clone();
    let handler = move |event: &Event| {
        if matches!(event, Event::Reloaded { .. }) {
            own.gives_time_to("trap");
        }
        own.push(event.name());
    };
    let files = MemoryLoader::default();
    files.set("main.vais", LOOPING);
    let engine = Engine::builder().on_event(handler).build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("a program");
    let own = program.clone();
    let main = std::thread::spawn(move || own.run_main());
    files.set("main.vais", &LOOPING.replace("{ n }", "{ 1 / n }"));
    assert!(program.poll().expect("it can be carried over").is_reloaded());
    let trap = main.join().expect("no panic").expect_err("it traps");
    assert_eq!(trap.code, TrapCode::DivisionByZero);
    assert_eq!(*log.names.lock().expect("no panic"), ["reloaded", "trap"]);
}
