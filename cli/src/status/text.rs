//! The sentences about reloads.

use vaisjit::render::Format;
use vaisjit::{Diagnostics, Edit, Outcome, Report, Times, Trap};

use super::Volume;

/// How many names a line shows.
const NAMES: usize = 6;

/// The text for one event, in the making.
pub struct Text {
    pub volume: Volume,
    pub color: bool,
    pub text: String,
}

#[derive(Clone, Copy)]
pub enum Paint {
    Green,
    Yellow,
    Red,
    Dim,
}

impl Text {
    /// A line of any kind.
    pub fn say(&mut self, text: &str) {
        self.text += text;
        self.text.push('\n');
    }

    /// A line with a coloured word at its head.
    pub fn line(&mut self, head: &str, paint: Paint, text: &str) {
        let head = self.painted(paint, head);
        self.say(&format!("{head} {text}"));
    }

    /// The same, unless only mistakes are wanted.
    pub fn remark(&mut self, head: &str, paint: Paint, text: &str) {
        if self.volume > Volume::Quiet {
            self.line(head, paint, text);
        }
    }

    pub fn painted(&self, paint: Paint, text: &str) -> String {
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

    /// `head` is what happened, `version` what came of it.
    pub fn reloaded(&mut self, head: &str, version: &str, report: &Report) {
        if self.volume == Volume::Quiet {
            return;
        }
        let mut text = format!("{version}  {}  {}", names(report), times(&report.times));
        if self.volume == Volume::Verbose {
            text += &pause(&report.times);
        }
        if let Some(at) = report.all_edits().find_map(|edit| edit.at.as_ref()) {
            text += &format!("  {at}");
        }
        self.line(head, Paint::Green, &text);
        self.edits(report);
    }

    /// A rollback, in one short line: it parses, checks and compiles nothing.
    pub fn rolled_back(&mut self, version: u64, to: u64, report: &Report) {
        if self.volume == Volume::Quiet {
            return;
        }
        let took = report.times.total_us as f64 / 1000.0;
        self.line("rolled back", Paint::Green, &format!("to v{to} as v{version}  {}  {took:.2} ms", names(report)));
        self.edits(report);
    }

    pub fn rejected(&mut self, version: u64, diagnostics: &Diagnostics) {
        self.say(diagnostics.render(Format::Human, self.color).trim_end());
        self.line("rejected", Paint::Red, &format!("v{version} runs on; save again when it is mended"));
    }

    pub fn refused(&mut self, version: u64, report: &Report) {
        for edit in report.refusals() {
            let Outcome::Refused { why, help } = &edit.outcome else { continue };
            let at = edit.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
            self.say(&format!("{at}{} `{}` {}: {why}", edit.kind, edit.name, edit.change));
            self.say(&format!("  help: {help}"));
        }
        self.line("refused", Paint::Red, &format!("v{version} runs on"));
        if self.volume > Volume::Quiet {
            self.edits(report);
        }
    }

    /// The report of a trap, and what happens next if the program waits. Do keys work?
    pub fn trapped(&mut self, trap: &Trap, keys: bool) {
        let report = self.painted(Paint::Red, &trap.report());
        self.say(&report);
        let Some(function) = &trap.paused else { return };
        let then = match function.as_str() {
            "main" => "main starts again, with the globals kept".to_owned(),
            function if keys => format!("the call of {function} is made again; R restarts main instead"),
            function => format!("the call of {function} is made again"),
        };
        self.line("paused", Paint::Yellow, &format!("mend it and save: {then}; Ctrl-C ends the program"));
    }

    pub fn edits(&mut self, report: &Report) {
        // Refusals have been told at length.
        let told = |edit: &&Edit| !matches!(edit.outcome, Outcome::Refused { .. });
        for edit in report.all_edits().filter(told) {
            if self.volume == Volume::Verbose || edit.outcome.is_noteworthy() {
                self.say(&format!("  {edit}"));
            }
        }
        for notice in &report.notices {
            self.say(&format!("  {notice}"));
        }
        if self.volume == Volume::Verbose {
            for file in &report.files {
                self.say(&format!("  from {}", file.display()));
            }
        }
    }
}

/// What was edited, the first few by name; items without code only if there is nothing else.
pub fn names(report: &Report) -> String {
    let edits = if report.edits.is_empty() { &report.items } else { &report.edits };
    let mut all: Vec<&str> = Vec::new();
    for (index, edit) in edits.iter().enumerate() {
        // What was renamed and changed besides has two entries.
        let named = edits[..index].iter().any(|other| other.kind == edit.kind && other.name == edit.name);
        all.extend((!named).then_some(&*edit.name));
    }
    let names = &all[..all.len().min(NAMES)];
    match all.len().saturating_sub(NAMES) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn times(times: &Times) -> String {
    let ms = |us: u64| format!("{:.1}", us as f64 / 1000.0);
    let swap = times.swap_us as f64 / 1000.0;
    let (parse, check, compile) = (ms(times.parse_us), ms(times.check_us), ms(times.compile_us));
    format!("{} ms  (parse {parse}, check {check}, compile {compile}, swap {swap:.2})", ms(times.total_us))
}

/// How long the program stood still, if it did.
fn pause(times: &Times) -> String {
    match times.pause_us {
        0 => String::new(),
        pause => format!("  stood still {:.2} ms", pause as f64 / 1000.0),
    }
}
