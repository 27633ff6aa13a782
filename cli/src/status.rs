//! What the command says about reloads: the status line, diagnostics, traps, and the events file.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Mutex;

use vaisjit::render::Format;
use vaisjit::{Edit, Event, Outcome, Report};

use crate::args::{Color, ColorOption};

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
        Ok(Status { volume, color, events })
    }

    /// Says what happened.
    pub fn event(&self, event: &Event) {
        self.write_json(event);
        match event {
            Event::Ready { files, watching, notices } => {
                if self.volume > Volume::Quiet && *watching {
                    self.line("ready", Paint::Green, &ready_text(files.len()));
                    notices.iter().for_each(|notice| self.line("note", Paint::Yellow, notice));
                }
            }
            Event::Reloaded { version, report } => self.reloaded(*version, report),
            Event::Unchanged { version, report } => {
                if self.volume > Volume::Quiet {
                    let names = names(report);
                    let names = if names.is_empty() { names } else { names + "  " };
                    self.line("unchanged", Paint::Dim, &format!("v{version}  {names}nothing that runs has changed"));
                    self.edits(report);
                }
            }
            Event::Rejected { version, diagnostics, .. } => {
                say(diagnostics.render(Format::Human, self.color).trim_end());
                self.line("rejected", Paint::Red, &format!("v{version} runs on; save again when it is mended"));
            }
            Event::Refused { version, report } => self.refused(*version, report),
            Event::Pending { waits_for, report, .. } => {
                if self.volume > Volume::Quiet {
                    self.line("pending", Paint::Yellow, &format!("compiled; waits for {waits_for}"));
                    self.edits(report);
                }
            }
            Event::Trap(trap) => say(&self.painted(Paint::Red, &trap.report())),
            Event::Notice(text) => {
                if self.volume > Volume::Quiet {
                    self.line("note", Paint::Yellow, text);
                }
            }
            Event::RolledBack { version, report, .. } => self.reloaded(*version, report),
            Event::Held { .. } | Event::Exit { .. } => {}
        }
    }

    fn write_json(&self, event: &Event) {
        let Some(events) = &self.events else { return };
        let line = format!("{}\n", event.to_json());
        // Whoever stops reading the events does not want them.
        let _ = match &mut *events.lock().unwrap_or_else(|e| e.into_inner()) {
            EventsFile::Stdout => vaisjit::write_to_stdout(&line),
            EventsFile::File(file) => file.write_all(line.as_bytes()),
        };
    }

    fn reloaded(&self, version: u64, report: &Report) {
        if self.volume == Volume::Quiet {
            return;
        }
        let times = &report.times;
        let ms = |us: u64| format!("{:.1}", us as f64 / 1000.0);
        let ms2 = |us: u64| format!("{:.2}", us as f64 / 1000.0);
        let mut text = format!("v{version}  {}", names(report));
        text += &format!(
            "  {} ms  (parse {}, check {}, compile {}, swap {})",
            ms(times.total_us),
            ms(times.parse_us),
            ms(times.check_us),
            ms(times.compile_us),
            ms2(times.swap_us)
        );
        if self.volume == Volume::Verbose && times.pause_us > 0 {
            text += &format!("  stood still {} ms", ms2(times.pause_us));
        }
        if let Some(at) = report.all_edits().find_map(|edit| edit.at.as_ref()) {
            text += &format!("  {at}");
        }
        self.line("reloaded", Paint::Green, &text);
        self.edits(report);
    }

    fn refused(&self, version: u64, report: &Report) {
        for edit in report.refusals() {
            let Outcome::Refused { why, help } = &edit.outcome else { continue };
            let at = edit.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
            say(&format!("{at}{} `{}` {}: {why}", edit.kind, edit.name, edit.change));
            say(&format!("  help: {help}"));
        }
        self.line("refused", Paint::Red, &format!("v{version} runs on"));
        if self.volume > Volume::Quiet {
            self.edits(report);
        }
    }

    fn edits(&self, report: &Report) {
        // Refusals have been told at length.
        let told = |edit: &&Edit| !matches!(edit.outcome, Outcome::Refused { .. });
        for edit in report.all_edits().filter(told) {
            if self.volume == Volume::Verbose || edit.outcome.is_noteworthy() {
                say(&format!("  {edit}"));
            }
        }
        for notice in &report.notices {
            say(&format!("  {notice}"));
        }
        if self.volume == Volume::Verbose {
            for file in &report.files {
                say(&format!("  from {}", file.display()));
            }
        }
    }

    fn line(&self, head: &str, paint: Paint, text: &str) {
        say(&format!("{} {text}", self.painted(paint, head)));
    }

    fn painted(&self, paint: Paint, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Green => 32,
            Paint::Yellow => 33,
            Paint::Red => 31,
            Paint::Dim => 2,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// What was edited, the first few by name; items without code only if there is nothing else.
fn names(report: &Report) -> String {
    const MOST: usize = 6;
    let edits = if report.edits.is_empty() { &report.items } else { &report.edits };
    let names: Vec<&str> = edits.iter().take(MOST).map(|edit| &*edit.name).collect();
    match edits.len().saturating_sub(MOST) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn ready_text(files: usize) -> String {
    let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    format!("v1  watching {files}; save one and it is live")
}

#[derive(Clone, Copy)]
enum Paint {
    Green,
    Yellow,
    Red,
    Dim,
}
