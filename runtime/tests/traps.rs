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

/// `main` is started afresh from outside, with the globals kept; without a running `main` nothing happens.
#[test]
fn main_is_restarted_from_outside() {
    let text = "G starts: i64 = 0\nF main() -> i64 {\n    starts += 1\n    started(starts)\n    L starts < 3 { usleep(100) }\n    starts\n}\n";
    let (sender, starts) = std::sync::mpsc::channel();
    let engine = Engine::builder().function("started", move |n: i64| _ = sender.send(n)).build().expect("an engine");
    let program = engine.load_str(text).expect("a program");
    assert!(!program.restart_main());
    let own = program.clone();
    let main = std::thread::spawn(move || own.run_main());
    for n in 1..3 {
        assert_eq!(starts.recv_timeout(Duration::from_secs(20)), Ok(n));
        assert!(program.restart_main());
    }
    assert_eq!(main.join().expect("no panic").expect("no trap"), 3);
    assert!(!program.restart_main());
}
