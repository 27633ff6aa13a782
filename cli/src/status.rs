//! What the command says about reloads: the status line, diagnostics, traps, and the events file.

mod screen;
mod text;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use vaisjit::{Event, Report};

use crate::args::{Color, ColorOption};
use crate::keys::Session;
pub use text::{Paint, Text, names};

use screen::{Screen, Shown};

impl ColorOption {
    /// Are colours wanted on standard error?
    pub fn on_stderr(&self) -> bool {
        self.wanted(io::stderr().is_terminal())
    }

    /// Are colours wanted on standard output?
    pub fn on_stdout(&self) -> bool {
        self.wanted(io::stdout().is_terminal())
    }

    fn wanted(&self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// Says things on standard error; a closed one is nobody's mistake.
pub fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{text}");
}

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volume {
    /// Mistakes and traps only.
    Quiet,
    /// One line a reload.
    Normal,
    /// All that is known.
    Verbose,
}

/// Receives the events of a running program.
pub struct Status {
    volume: Volume,
    color: bool,
    events: Option<Mutex<EventsFile>>,
    shown: Mutex<Display>,
    session: OnceLock<Session>,
    /// Will there be keys?
    keys: AtomicBool,
}

#[derive(Default)]
struct Display {
    screen: Screen,
    /// Has the newest text been turned down, and been told of?
    failed: bool,
}

enum EventsFile {
    Stdout,
    File(File),
}

impl Status {
    /// Says as much as `volume` allows; `events` is where JSON goes, `-` for standard output.
    pub fn new(volume: Volume, color: bool, events: Option<&Path>) -> io::Result<Status> {
        let events = match events {
            None => None,
            Some(path) if path == Path::new("-") => Some(Mutex::new(EventsFile::Stdout)),
            Some(path) => Some(Mutex::new(EventsFile::File(File::create(path)?))),
        };
        Ok(Status {
            volume,
            color,
            events,
            shown: Mutex::default(),
            session: OnceLock::new(),
            keys: AtomicBool::new(false),
        })
    }

    /// From now on the user can press keys, until the program reads the input itself.
    pub fn attach(&self, session: Session) {
        // There is one only.
        let _ = self.session.set(session);
    }

    /// Says beforehand whether there will be keys.
    pub fn has_keys(&self, keys: bool) {
        self.keys.store(keys, Ordering::Relaxed);
    }

    /// Leaves the terminal as it was found.
    pub fn end_keys(&self) {
        self.session.get().into_iter().for_each(Session::end);
    }

    /// Whose the terminal is; `None` if the user cannot press keys.
    fn turn(&self) -> Option<u64> {
        self.session.get().and_then(Session::turn)
    }

    fn display(&self) -> MutexGuard<'_, Display> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what the user has asked for by a key.
    pub fn tell(&self, write: impl FnOnce(&mut Text)) {
        let mut display = self.display();
        let mut text = Text { volume: self.volume, color: self.color, text: String::new() };
        write(&mut text);
        let _ = display.screen.show(&text.text, Shown::Other, false, self.turn());
    }

    /// Says what happened.
    pub fn event(&self, event: &Event) {
        let mut display = self.display();
        display.screen.look(self.turn());
        display.screen.wrote_elsewhere(self.write_json(event));
        let live = matches!(event, Event::Reloaded { .. } | Event::RolledBack { .. });
        let closes = live && self.session.get().is_some_and(Session::closes);
        let failed = display.failed;
        loop {
            let mut text = Text { volume: self.volume, color: self.color, text: String::new() };
            let (shown, replaces) = display.tell(event, self.keys.load(Ordering::Relaxed), &mut text);
            if closes {
                text.remark("note", Paint::Yellow, "the program reads standard input from now on: no keys any more");
            }
            if text.text.is_empty() || display.screen.show(&text.text, shown, replaces, self.turn()) {
                return;
            }
            // The program has written a line just now: once more, with nothing to take off.
            display.failed = failed;
        }
    }

    /// Gives how many bytes went into a file.
    fn write_json(&self, event: &Event) -> usize {
        let Some(events) = &self.events else { return 0 };
        let line = format!("{}\n", event.to_json());
        // Whoever stops reading the events does not want them.
        match &mut *events.lock().unwrap_or_else(|e| e.into_inner()) {
            EventsFile::Stdout => {
                let _ = vaisjit::write_to_stdout(&line);
                0
            }
            EventsFile::File(file) => file.write_all(line.as_bytes()).map_or(0, |()| line.len()),
        }
    }
}

impl Display {
    /// Writes the text for an event; gives what it is, and whether it takes the place of what was shown last.
    fn tell(&mut self, event: &Event, keys: bool, text: &mut Text) -> (Shown, bool) {
        // Mistakes go when they are mended or newer ones come.
        let failure_goes = self.screen.last() == Some(&Shown::Failure);
        match event {
            Event::Ready { files, watching, notices } => {
                if *watching {
                    text.remark("ready", Paint::Green, &ready_text(files.len(), keys));
                    notices.iter().for_each(|notice| text.remark("note", Paint::Yellow, notice));
                }
            }
            Event::Reloaded { version, report } => {
                let mended = std::mem::take(&mut self.failed);
                let (head, saves) = self.reload_line(mended, report);
                let several = if saves > 1 { format!(" ({saves} saves)") } else { String::new() };
                text.reloaded(head, &format!("v{version}{several}"), report);
                let shown = Shown::Reloaded { head, names: names(report), saves };
                return (shown, failure_goes || saves > 1);
            }
            Event::RolledBack { version, to, report } => {
                self.failed = false;
                text.rolled_back(*version, *to, report);
                return (Shown::Other, failure_goes);
            }
            Event::Unchanged { version, report } => {
                let mended = std::mem::take(&mut self.failed);
                let head = if mended { "mended, unchanged" } else { "unchanged" };
                let names = names(report);
                let names = if names.is_empty() { names } else { names + "  " };
                text.remark(head, Paint::Dim, &format!("v{version}  {names}nothing that runs has changed"));
                if text.volume > Volume::Quiet {
                    text.edits(report);
                }
                return (Shown::Other, failure_goes);
            }
            Event::Rejected { version, diagnostics, .. } => {
                self.failed = true;
                text.rejected(*version, diagnostics);
                return (Shown::Failure, failure_goes);
            }
            Event::Refused { version, report } => {
                self.failed = true;
                text.refused(*version, report);
                return (Shown::Failure, failure_goes);
            }
            Event::Pending { waits_for, report, help, .. } => {
                // A call that has failed and no longer fits waits without a save.
                let ways =
                    if keys && !report.edits.is_empty() { "; b withdraws the save, R restarts main" } else { "" };
                text.remark("pending", Paint::Yellow, &format!("compiled; waits for {waits_for}{ways}"));
                if text.volume > Volume::Quiet {
                    text.say(&format!("  help: {help}"));
                    text.edits(report);
                }
            }
            Event::Held { held, files } => {
                let head = if *held { "held" } else { "let go" };
                text.remark(head, Paint::Yellow, &held_text(*held, files));
            }
            Event::Trap(trap) => text.trapped(trap, keys),
            Event::Resumed { version, function, total_us } => {
                let ms = *total_us as f64 / 1000.0;
                text.remark("resumed", Paint::Green, &format!("v{version} {function}  {ms:.1} ms"));
            }
            Event::Notice(notice) => text.remark("note", Paint::Yellow, notice),
            Event::Exit { .. } => {}
        }
        (Shown::Other, false)
    }

    /// The head of the line for a reload, and of how many saves it tells, those of the line it replaces included.
    fn reload_line(&self, mended: bool, report: &Report) -> (&'static str, usize) {
        match self.screen.just_reloaded() {
            Some(Shown::Reloaded { head, names: before, saves }) if *before == names(report) => (head, saves + 1),
            _ if mended => ("mended, reloaded", 1),
            _ => ("reloaded", 1),
        }
    }
}

fn ready_text(files: usize, keys: bool) -> String {
    let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    let keys = if keys { "; ? shows the keys" } else { "" };
    format!("v1  watching {files}; save one and it is live{keys}")
}

fn held_text(held: bool, files: &[PathBuf]) -> String {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    match (held, files.is_empty()) {
        (false, _) => " every save is live again".to_owned(),
        (true, true) => " save freely: nothing is applied until p is pressed again".to_owned(),
        (true, false) => format!(" not applied: {}; p applies the newest", files.join(", ")),
    }
}
