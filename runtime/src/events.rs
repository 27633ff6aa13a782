//! Events: what a program and its reloads tell the world.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use vaisjit_syntax::render::{self, Format};
use vaisjit_syntax::{Diagnostic, Sources};

use crate::report::{Edit, Location, Outcome, Report};
use crate::trap::Trap;

/// Diagnostics together with the texts they speak of.
#[derive(Clone)]
pub struct Diagnostics {
    /// The messages, in source order.
    pub list: Arc<[Diagnostic]>,
    /// The texts.
    pub sources: Arc<Sources>,
}

impl Diagnostics {
    /// As text for people or programs.
    pub fn render(&self, format: Format, color: bool) -> String {
        render::render(&self.list, &self.sources, format, color)
    }

    /// Is there an error among them?
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(Diagnostic::is_error)
    }

    /// Is there nothing to say?
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl std::fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render(Format::Short, false))
    }
}

/// Something that happened to a program.
#[derive(Clone, Debug)]
pub enum Event {
    /// Version 1 is loaded and its files are being watched.
    Ready {
        /// The program's files, the root first.
        files: Arc<[PathBuf]>,
        /// Are they watched?
        watching: bool,
        /// Remarks: polling instead of events, and why.
        notices: Vec<String>,
    },
    /// A new version is live.
    Reloaded {
        /// Its number.
        version: u64,
        /// What changed.
        report: Arc<Report>,
    },
    /// An earlier version is live again, under a new number.
    RolledBack {
        /// Its new number.
        version: u64,
        /// The number it had.
        to: u64,
        /// What changed.
        report: Arc<Report>,
    },
    /// A save changed nothing that runs.
    Unchanged {
        /// The running version.
        version: u64,
        /// What was found.
        report: Arc<Report>,
    },
    /// The new text has errors; the old version runs on.
    Rejected {
        /// The running version.
        version: u64,
        /// The files whose text changed.
        files: Vec<PathBuf>,
        /// What is wrong.
        diagnostics: Diagnostics,
    },
    /// The new text is fine but cannot be carried into the running program; the old version runs on.
    Refused {
        /// The running version.
        version: u64,
        /// Each edit, the refused ones with reason and way out.
        report: Arc<Report>,
    },
    /// A reload is ready and waits for the program to reach a place where it can be applied.
    Pending {
        /// The running version.
        version: u64,
        /// What will change.
        report: Arc<Report>,
        /// The function that is being waited for.
        waits_for: String,
        /// What ends the wait, and what the author can do.
        help: String,
    },
    /// Saves are held: nothing is applied until they are let go, or that has been done.
    Held {
        /// Are they?
        held: bool,
        /// The files that have been saved and not applied.
        files: Vec<PathBuf>,
    },
    /// The program failed. If the trap says that it is [paused](Trap::paused), the program waits for a reload.
    Trap(Arc<Trap>),
    /// A reload has come, and a call that had failed is made again.
    Resumed {
        /// The running version.
        version: u64,
        /// The function that is called.
        function: String,
        /// From the save to the call, in microseconds.
        total_us: u64,
    },
    /// A remark of the watcher's.
    Notice(String),
    /// The process ends: `main` has ended, or does not come to a safepoint soon enough after Ctrl-C, `q` or `exit`.
    Exit {
        /// Its exit status.
        status: i32,
    },
}

#[derive(Serialize)]
struct Entry<'a> {
    kind: &'a str,
    name: &'a str,
    change: &'a str,
    #[serde(flatten)]
    outcome: &'a Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: &'a Option<Location>,
}

impl Event {
    /// Its name in the events file.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Ready { .. } => "ready",
            Event::Reloaded { .. } => "reloaded",
            Event::RolledBack { .. } => "rolled_back",
            Event::Unchanged { .. } => "unchanged",
            Event::Rejected { .. } => "rejected",
            Event::Refused { .. } => "refused",
            Event::Pending { .. } => "pending",
            Event::Held { .. } => "held",
            Event::Trap(_) => "trap",
            Event::Resumed { .. } => "resumed",
            Event::Notice(_) => "notice",
            Event::Exit { .. } => "exit",
        }
    }

    /// One JSON object with all its facts.
    pub fn to_json(&self) -> Value {
        let mut value = match self {
            Event::Ready { files, watching, notices } => {
                json!({ "version": 1, "files": &**files, "watching": watching, "notices": notices })
            }
            Event::Reloaded { version, report }
            | Event::Unchanged { version, report }
            | Event::Refused { version, report } => report_json(*version, report),
            Event::RolledBack { version, to, report } => {
                let mut value = report_json(*version, report);
                value["to"] = json!(to);
                value
            }
            Event::Pending { version, report, waits_for, help } => {
                let mut value = report_json(*version, report);
                value["waits_for"] = json!(waits_for);
                value["help"] = json!(help);
                value
            }
            Event::Rejected { version, files, diagnostics } => {
                let lines = diagnostics.render(Format::Json, false);
                let list: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
                json!({ "version": version, "files": files, "diagnostics": list })
            }
            Event::Held { held, files } => json!({ "held": held, "files": files }),
            Event::Trap(trap) => trap.to_json(),
            Event::Resumed { version, function, total_us } => {
                json!({ "version": version, "function": function, "total_us": total_us })
            }
            Event::Notice(text) => json!({ "text": text }),
            Event::Exit { status } => json!({ "status": status }),
        };
        value["event"] = json!(self.name());
        value
    }
}

fn entries<'a>(edits: impl Iterator<Item = &'a Edit>) -> Vec<Entry<'a>> {
    let entry = |edit: &'a Edit| Entry {
        kind: edit.kind,
        name: &edit.name,
        change: edit.change,
        outcome: &edit.outcome,
        at: &edit.at,
    };
    edits.map(entry).collect()
}

fn report_json(version: u64, report: &Report) -> Value {
    let is_type = |edit: &&Edit| matches!(edit.kind, "struct" | "enum");
    let mut value = json!({
        "version": version,
        "files": report.files,
        "functions": entries(report.edits.iter().filter(|edit| !is_type(edit))),
        "types": entries(report.edits.iter().filter(is_type)),
        "items": entries(report.items.iter()),
        "notices": report.notices,
        "compiled": report.compiled,
    });
    if let (Value::Object(target), Ok(Value::Object(times))) = (&mut value, serde_json::to_value(report.times)) {
        target.extend(times);
    }
    value
}
