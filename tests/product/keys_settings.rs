//! However a program at a terminal ends or is stopped: the terminal's settings are what they were.

use crate::harness::{Terminal, replaced, until};
use crate::keys::{QUIET, Session};

/// Runs a program at a terminal until it ends by itself or by what `end` does; gives its status, `None` after a signal.
fn ends(text: &str, end: impl FnOnce(&mut Session)) -> Option<i32> {
    ends_with(text, &[], end)
}

/// The same with options.
fn ends_with(text: &str, options: &[&str], end: impl FnOnce(&mut Session)) -> Option<i32> {
    let fresh = Terminal::open().settings();
    let mut session = Session::start_with(text, options);
    session.sees("main starts");
    end(&mut session);
    let status = session.run.wait().code();
    assert_eq!(session.terminal.settings(), fresh);
    status
}

/// A program that does this when it is told to.
fn doing(what: &str) -> String {
    let c = "N \"C\" {\n    F abort()\n    F access(name: str, mode: i32) -> i32\n    F strlen(text: *i8) -> i64\n}\n";
    let does = format!("    total += 1\n    I access(\"go\", 0) == 0 {{ {what} }}\n    0");
    format!("{c}{}", replaced(QUIET, "    total += 1\n    0", &does))
}

/// Tells it to.
fn go(session: &mut Session) {
    session.project.write("go", "");
}

#[test]
fn after_the_program_has_ended() {
    assert_eq!(ends(&doing("total = 0 - 5"), go), Some(0));
    assert_eq!(ends(&doing("exit(7)"), go), Some(7));
}

#[test]
fn after_q() {
    assert_eq!(ends(QUIET, |session| session.terminal.types("q")), Some(0));
}

#[test]
fn after_a_trap() {
    assert_eq!(ends_with(&doing("n / (n - n)"), &["--on-trap", "exit"], go), Some(134));
}

/// At a terminal a trap waits for the save that mends it: the keys work meanwhile.
#[test]
fn after_a_trap_that_waits() {
    for (key, status) in [("q", 0), ("\u{3}", 130)] {
        let ended = ends(&doing("n / (n - n)"), |session| {
            go(session);
            session.run.event_after("trap", &["ready"]);
            session.terminal.types("R");
            session.sees("main starts with 1");
            session.run.event_after("trap", &["ready", "notice"]);
            session.terminal.types(key);
        });
        assert_eq!(ended, Some(status));
    }
}

#[test]
fn after_a_fault_in_c_code() {
    assert_eq!(ends(&doing("strlen(8 as *i8)"), go), Some(134));
}

#[test]
fn after_abort() {
    assert_eq!(ends(&doing("abort()"), go), None);
}

#[test]
fn after_ctrl_c() {
    assert_eq!(ends(QUIET, |session| session.terminal.types("\u{3}")), Some(130));
}

#[test]
fn after_sigterm() {
    assert_eq!(ends(QUIET, |session| session.run.signal(libc::SIGTERM)), Some(143));
}

#[test]
fn after_signals_that_nobody_answers() {
    assert_eq!(ends(QUIET, |session| session.terminal.types("\u{1c}")), None);
    assert_eq!(ends(QUIET, |session| session.run.signal(libc::SIGHUP)), None);
}

/// Every signal that would end the process does, and leaves the terminal in order before.
#[test]
fn after_every_other_deadly_signal() {
    use libc::{SIGABRT, SIGALRM, SIGPIPE, SIGPROF, SIGSYS, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ};
    for signal in [SIGABRT, SIGALRM, SIGPIPE, SIGPROF, SIGSYS, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ] {
        assert_eq!(ends(QUIET, |session| session.run.signal(signal)), None, "signal {signal}");
    }
}

/// Faults that somebody sends and the program did not make.
#[test]
fn after_a_fault_that_was_sent() {
    let named =
        [(libc::SIGSEGV, "SIGSEGV"), (libc::SIGBUS, "SIGBUS"), (libc::SIGILL, "SIGILL"), (libc::SIGFPE, "SIGFPE")];
    for (signal, name) in named {
        let ended = ends(QUIET, |session| {
            session.run.signal(signal);
            session.sees(&format!("vaisjit: the process was sent the signal {name}, which ends it"));
        });
        assert_eq!(ended, None, "{name}");
    }
}

/// The modes that the program has switched are switched back, too.
#[test]
fn the_screen_is_the_users_again_after_a_signal() {
    let text = QUIET.replace("    println(\"main", "    print(\"\\x1b[?1049h\\x1b[?25l\")\n    println(\"main");
    ends(&text, |session| {
        session.run.signal(libc::SIGUSR1);
        until("the cursor", || session.terminal.screen.text().contains("\u{1b}[?25h").then_some(()));
        assert!(session.terminal.screen.text().contains("\u{1b}[?1049l"));
    });
}

#[test]
fn after_ctrl_c_in_a_long_sleep() {
    let sleeping = QUIET.replace("usleep(1000)", "usleep(60000000)");
    assert_eq!(ends(&sleeping, |session| session.terminal.types("\u{3}")), Some(130));
}

/// Ctrl-Z gives the terminal back, `fg` takes it up again.
#[test]
fn while_it_is_stopped() {
    let fresh = Terminal::open().settings();
    let mut session = Session::start(QUIET);
    session.sees("main starts");
    for _ in 0..3 {
        session.terminal.types("\u{1a}");
        until("the stop", || is_stopped(session.run.id()).then_some(()));
        assert_eq!(session.terminal.settings(), fresh);
        session.run.signal(libc::SIGCONT);
        until("single keys", || session.terminal.settings().gives_keys().then_some(()));
    }
    session.terminal.types("q");
    assert_eq!(session.run.wait().code(), Some(0));
    assert_eq!(session.terminal.settings(), fresh);
}

fn is_stopped(process: u32) -> bool {
    if let Ok(state) = std::fs::read_to_string(format!("/proc/{process}/stat")) {
        return state.rsplit(") ").next().is_some_and(|state| state.starts_with('T'));
    }
    let state = std::process::Command::new("ps").args(["-o", "state=", "-p", &process.to_string()]).output();
    state.is_ok_and(|state| state.stdout.starts_with(b"T"))
}
