//! Keys and questions while a save waits for the program: nobody waits behind it.

use crate::harness::{replaced, run_to_end};
use crate::keys::{FILE, Session};

/// `main` is in a long C call, and has to come round before a field can be added.
const SLEEPS: &str = r#"S P { a: i64 }
G p: P
G turns: i64

N "C" { F usleep(us: u32) -> i32; }

F main() -> i64 {
    println("main starts")
    L {
        q := P { a: turns }
        usleep(600000000)
        p = q
        turns += 1
    }
    0
}
"#;

const ADDED: &str = "S P { a: i64, b: i64 = 5 }";

/// A session in which a save is pending.
fn pending() -> Session {
    let mut session = Session::start(SLEEPS);
    session.sees("main starts");
    session.project.save(FILE, &replaced(SLEEPS, "S P { a: i64 }", ADDED));
    session.run.event_after("pending", &["ready", "notice"]);
    session
}

#[test]
fn b_withdraws_it_and_r_takes_it_up_again() {
    let mut session = pending();
    session.sees("b withdraws the save");
    session.terminal.types("b");
    session.sees("what was pending is withdrawn; v1 runs on, and r takes it up again");
    session.press("r", "pending");
    session.terminal.types("r");
    session.run.event("pending");
}

#[test]
fn p_holds_it_and_lets_it_go() {
    let mut session = pending();
    session.press("p", "held");
    session.sees("what was pending is held, too");
    session.press("p", "held");
    session.run.event("pending");
}

#[test]
fn h_and_q_work() {
    let mut session = pending();
    session.terminal.types("h");
    session.sees("v1*");
    session.terminal.types("q");
    assert_eq!(session.run.wait().code(), Some(0));
}

#[test]
fn what_ends_the_program_does_not_bring_it_in() {
    let mut session = pending();
    session.run.interrupt();
    assert_eq!(session.run.wait().code(), Some(130));
    let events = session.run.events_so_far();
    assert!(events.iter().all(|event| event["event"] != "reloaded"), "{events:#?}");
}

/// The question is answered, and the save is pending as before.
#[test]
fn a_question_is_answered() {
    let session = pending();
    let process = session.run.id().to_string();
    let ask = |name: &str, text: &str| {
        session.project.write("draft", text);
        run_to_end(&session.project, ["check", "--against", &process, "--text", "draft", name])
    };
    let wrong = ask(FILE, "F main() -> i64 { x }\n");
    assert!(wrong.out.contains("would be rejected"), "{wrong:?}");
    let same = ask(FILE, &replaced(SLEEPS, "S P { a: i64 }", ADDED));
    assert!(same.out.contains("pending"), "{same:?}");
    let other = ask(FILE, &replaced(SLEEPS, "turns += 1", "turns += 2"));
    assert_eq!(other.status, Some(0), "{other:?}");
    let mut session = session;
    session.terminal.types("b");
    session.sees("what was pending is withdrawn");
}
