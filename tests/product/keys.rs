//! The keys of a program that runs in a terminal: what each does, and when there are none.

use std::process::Command;

use serde_json::Value;

use crate::counter::names;
use crate::harness::{Project, Run, Terminal, run_to_end, until};

/// The file of the program.
pub const FILE: &str = "quiet.vais";

/// A program that says when `main` starts, and is quiet then.
pub const QUIET: &str = r#"G total: i64 = 0

#[hot]
F step(n: i64) -> i64 {
    total += 1
    0
}

F main() -> i64 {
    println("main starts with {total > 0}")
    L total >= 0 {
        step(total)
        usleep(1000)
    }
    0
}
"#;

/// The program with another number in `step`.
pub fn adding(number: i64) -> String {
    QUIET.replace("total += 1", &format!("total += {number}"))
}

/// A program that runs at a terminal.
pub struct Session {
    pub project: Project,
    pub terminal: Terminal,
    pub run: Run,
}

impl Session {
    /// Starts one and waits until its keys can be pressed.
    pub fn start(text: &str) -> Session {
        Session::start_with(text, &[])
    }

    /// The same with options.
    pub fn start_with(text: &str, options: &[&str]) -> Session {
        let session = Session::begin_with(text, options);
        until("single keys", || session.terminal.settings().gives_keys().then_some(()));
        session
    }

    /// Starts one.
    pub fn begin(text: &str) -> Session {
        Session::begin_with(text, &[])
    }

    fn begin_with(text: &str, options: &[&str]) -> Session {
        let project = Project::new(&[(FILE, text)]);
        let terminal = Terminal::open();
        let events = project.events_path();
        let events = events.to_string_lossy();
        let arguments = [&["run", "--color", "never", "--events", &events], options, &[FILE]].concat();
        let mut run = terminal.run(&project, &arguments);
        run.event("ready");
        Session { project, terminal, run }
    }

    /// Presses keys and waits for an event.
    pub fn press(&mut self, keys: &str, event: &str) -> Value {
        self.terminal.types(keys);
        self.run.event_after(event, &["ready", "notice", "reloaded", "unchanged", "held", "pending"])
    }

    /// Saves, and waits until it is live.
    pub fn saves(&mut self, text: &str) -> Value {
        self.project.save(FILE, text);
        self.run.event("reloaded")
    }

    /// Waits for a line.
    pub fn sees(&mut self, part: &str) -> String {
        self.terminal.screen.line(part, |line| line.contains(part))
    }
}

#[test]
fn b_goes_back_and_r_takes_the_file_again() {
    let mut session = Session::start(QUIET);
    for number in [2, 3] {
        session.saves(&adding(number));
    }
    let back = session.press("b", "rolled_back");
    assert_eq!((back["version"].as_i64(), back["to"].as_i64()), (Some(4), Some(2)), "{back:#}");
    assert_eq!((names(&back, "functions"), back["compiled"].as_i64()), (vec!["step"], Some(0)), "{back:#}");
    session.sees("rolled back to v2 as v4  step");
    let back = session.press("b", "rolled_back");
    assert_eq!(back["to"], 1, "{back:#}");
    session.press("b", "notice");
    session.sees("v5 is the oldest text that is kept");
    let again = session.press("r", "reloaded");
    assert_eq!((again["version"].as_i64(), again["compiled"].as_i64()), (Some(6), Some(0)), "{again:#}");
    let again = session.press("r", "unchanged");
    assert_eq!(again["version"], 6, "{again:#}");
    session.sees("unchanged v6");
}

#[test]
fn r_tells_of_mistakes_again() {
    let mut session = Session::start(QUIET);
    session.project.save(FILE, &QUIET.replace("total += 1", "totl += 1"));
    session.run.event_after("rejected", &["ready"]);
    session.press("r", "rejected");
}

#[test]
fn p_holds_saves() {
    let mut session = Session::start(QUIET);
    assert_eq!(session.press("p", "held")["held"], true);
    session.sees("held  save freely");
    for text in [adding(2), "nonsense".to_owned(), adding(3)] {
        session.project.save(FILE, &text);
        let held = session.press("", "held");
        assert!(held["files"][0].as_str().is_some_and(|file| file.ends_with(FILE)), "{held:#}");
    }
    session.sees("not applied");
    // Neither a restart nor `r` lets go of them.
    session.press("r", "held");
    session.terminal.types("R");
    session.sees("main starts with 1");
    assert!(session.run.events_so_far().iter().all(|event| event["event"] == "held"));
    assert_eq!(session.press("p", "held")["held"], false);
    let live = session.run.event("reloaded");
    assert_eq!((live["version"].as_i64(), names(&live, "functions")), (Some(2), vec!["step"]), "{live:#}");
}

#[test]
fn capital_r_restarts_main_with_the_globals_kept() {
    let mut session = Session::start(QUIET);
    session.sees("main starts with 0");
    session.saves(&adding(2));
    session.terminal.types("R");
    session.sees("restart main starts again");
    session.sees("main starts with 1");
}

#[test]
fn h_lists_the_versions_and_the_question_mark_the_keys() {
    let mut session = Session::start(QUIET);
    session.saves(&adding(2));
    session.press("b", "rolled_back");
    session.terminal.types("h");
    let head = session.sees("version");
    assert_eq!(head.split_whitespace().collect::<Vec<_>>(), ["version", "when", "what", "changed", "files"]);
    for (version, what) in [("v1", "loaded"), ("v2", "saved"), ("v3*", "back to v1")] {
        let line = session.terminal.screen.line("a version", |_| true);
        assert!(line.trim_start().starts_with(version) && line.contains(what) && line.contains(FILE), "{line}");
        let time = line.split_whitespace().nth(1).unwrap_or_default();
        assert!(time.len() == 8 && time.matches(':').count() == 2, "{line}");
        assert!(version == "v1" || line.contains("  step  "), "{line}");
    }
    session.terminal.types("?");
    let help = run_to_end(&session.project, ["run", "--help"]).out;
    let listed: Vec<&str> = help.lines().skip_while(|line| !line.starts_with("Keys")).skip(1).take(7).collect();
    assert!(listed[0].starts_with("  r  reload now") && listed[6].starts_with("  ?  show"), "{help}");
    listed.iter().for_each(|line| _ = session.sees(line));
}

#[test]
fn q_quits_also_what_comes_to_no_safepoint() {
    for sleep in ["usleep(1000)", "usleep(60000000)"] {
        let mut session = Session::start(&QUIET.replace("usleep(1000)", sleep));
        session.sees("main starts");
        session.terminal.types("q");
        assert_eq!(session.run.wait().code(), Some(0));
    }
}

const READER: &str =
    "U std/io\nF main() -> i64 {\n    line := io.read_line()!\n    println(\"read {line}\")\n    0\n}\n";

/// Alt with a letter, arrows, pasted text: the letters in them are no keys.
#[test]
fn sequences_are_no_keys() {
    let mut session = Session::start(QUIET);
    session.terminal.types("\u{1b}q\u{1b}[1;3q\u{1b}Oq\u{1b}[200~quit, R, q\n\u{1b}[201~\u{1b}[<0;1;1M?");
    session.sees("show the history");
    assert!(session.run.is_running());
    session.terminal.types("q");
    assert_eq!(session.run.wait().code(), Some(0));
}

#[test]
fn a_program_that_reads_has_its_input_to_itself() {
    for text in [READER, "F main() -> i64 {\n    first := getchar()\n    println(\"read {first}\")\n    0\n}\n"] {
        let mut session = Session::begin(text);
        assert!(!session.terminal.settings().gives_keys());
        session.terminal.types("q5\n");
        session.sees("q5");
        session.sees(if text == READER { "read q5" } else { "read 113" });
        assert_eq!(session.run.wait().code(), Some(0));
    }
}

/// Importing a module that could read is not reading.
#[test]
fn a_program_that_only_imports_has_keys() {
    Session::start(&format!("U std/io\n{QUIET}"));
}

#[test]
fn a_version_that_reads_takes_the_keys() {
    let mut session = Session::start(QUIET);
    let settings = Terminal::open().settings();
    let reading = adding(2)
        .replace("    0\n}\n\nF main", "    first := getchar()\n    println(\"read {first}\")\n    0\n}\n\nF main");
    session.project.save(FILE, &reading);
    session.sees("the program reads standard input from now on: no keys any more");
    assert_eq!(session.terminal.settings(), settings);
    session.terminal.types("qb\n");
    session.sees("read 113");
    session.sees("read 98");
    assert!(session.run.is_running());
}

#[test]
fn a_pager_keeps_the_terminal() {
    let project = Project::new(&[(FILE, "F main() -> i64 {\n    usleep(60000000)\n    0\n}\n")]);
    let terminal = Terminal::open();
    let events = project.events_path();
    let mut run = terminal.run_with(&project, |command| {
        command.args(["run", "--events", &events.to_string_lossy(), FILE]).stdout(std::process::Stdio::piped());
    });
    run.event("ready");
    assert!(!terminal.settings().gives_keys());
}

/// A shell with job control sends it to the background, where it is not stopped, and back.
#[test]
fn in_the_background_keys_are_the_shells() {
    let project = Project::new(&[(FILE, QUIET)]);
    let mut terminal = Terminal::open();
    let mut shell = Command::new("sh");
    shell.arg("-i").env("PS1", "next> ").env("ENV", "");
    let mut run = Run::seated(&project, shell, &terminal);
    let events = project.events_path();
    terminal.types(&format!(
        "'{}' run --color never --events '{}' {FILE} &\n",
        env!("CARGO_BIN_EXE_vaisjit"),
        events.display()
    ));
    run.event("ready");
    terminal.types("echo shell reads $((40 + 2))\n");
    terminal.screen.line("the shell's answer", |line| line.contains("shell reads 42"));
    project.save(FILE, &adding(2));
    run.event("reloaded");
    terminal.types("fg\n");
    until("single keys", || terminal.settings().gives_keys().then_some(()));
    terminal.types("b");
    run.event_after("rolled_back", &["notice"]);
    let prompts = |terminal: &Terminal| terminal.screen.text().matches("next> ").count();
    let before = prompts(&terminal);
    terminal.types("q");
    until("the shell", || (prompts(&terminal) > before).then_some(()));
    terminal.types("echo it ended with $?\nexit\n");
    terminal.screen.line("the status", |line| line.contains("it ended with 0"));
}
