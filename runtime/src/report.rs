//! What a reload did: the facts behind the status line, the events and `prepare().report()`.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

/// Measures a stretch of time.
pub(crate) struct Clock(Instant);

impl Clock {
    /// Starts now.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Started then.
    pub fn since(start: Instant) -> Clock {
        Clock(start)
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.0
    }

    /// Microseconds since the start.
    pub fn micros(&self) -> u64 {
        self.0.elapsed().as_micros() as u64
    }
}

/// Where the time of a reload went, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// From the file system's event until the new text was read.
    pub watch_us: u64,
    /// Lexing and parsing what changed.
    pub parse_us: u64,
    /// Names and types of what changed.
    pub check_us: u64,
    /// MIR and machine code of what changed.
    pub compile_us: u64,
    /// From the end of the compilation until the new version was live, waiting for a safepoint included.
    pub swap_us: u64,
    /// How long a thread of the program stood still for it at most.
    pub pause_us: u64,
    /// All of it.
    pub total_us: u64,
}

/// What happens to one edited thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "when")]
pub enum Outcome {
    /// The next call runs the new code.
    LiveNow,
    /// A call is running now and ends with the old code; the next call runs the new.
    AtNextCall,
    /// A loop is running now and goes on in the new code when it comes round.
    AtNextLoopHead,
    /// Values in memory were brought into the new shape.
    Migrated {
        /// How many.
        instances: u64,
    },
    /// It is ready, and live as soon as the program comes to a place where it can be applied.
    Pending {
        /// What is being waited for: a function, or a call of the host's.
        waits_for: String,
    },
    /// Nothing that runs depends on it (a comment, an unused type).
    NoCode,
    /// The value in memory stays.
    KeptValue,
    /// A new global was set to its initial value.
    Initialised,
    /// It could be carried over, but not alone: another edit of the save was refused.
    HeldBack,
    /// It cannot be carried over.
    Refused {
        /// Why, in a sentence.
        why: String,
        /// What the author can do.
        help: String,
    },
}

impl Outcome {
    /// Is it more, or less, than people expect of a save that is simply live?
    pub fn is_noteworthy(&self) -> bool {
        !matches!(self, Outcome::LiveNow | Outcome::NoCode | Outcome::Initialised)
    }
}

/// As the status line says it.
impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::LiveNow => f.write_str("live now"),
            Outcome::AtNextCall => f.write_str("at the next call"),
            Outcome::AtNextLoopHead => f.write_str("at the next loop head"),
            Outcome::Migrated { instances: 1 } => f.write_str("migrated 1 instance"),
            Outcome::Migrated { instances } => write!(f, "migrated {instances} instances"),
            Outcome::Pending { waits_for } => write!(f, "pending: waits for {waits_for}"),
            Outcome::NoCode => f.write_str("no code"),
            Outcome::KeptValue => f.write_str("the value in memory stays"),
            Outcome::Initialised => f.write_str("initialised"),
            Outcome::HeldBack => f.write_str("held back, for another edit of the save is refused"),
            Outcome::Refused { why, .. } => write!(f, "refused: {why}"),
        }
    }
}

/// One edited item and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// `function`, `struct`, `enum`, `global`, `hook` (a function that stands in the way); in [`Report::items`] also `constant`, `alias`, `trait`, `impl`, `import`,
    /// `extern`, `file`.
    pub kind: &'static str,
    /// Its name as the author knows it.
    pub name: String,
    /// `changed`, `added`, `removed`, `signature`; of a hook `called`.
    pub change: &'static str,
    /// What happens to it.
    pub outcome: Outcome,
    /// Where it stands.
    pub at: Option<Location>,
}

/// As the status line says it: what was edited, how, and what happens to it.
impl std::fmt::Display for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}: {}", self.kind, self.name, self.change, self.outcome)
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Location {
    /// Is it in a module of the standard library?
    pub fn is_library(&self) -> bool {
        let module = self.file.with_extension("");
        module.starts_with("std") && vaisjit_std::modules().iter().any(|(name, _)| module == std::path::Path::new(name))
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// All that is to say about a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The files whose text changed.
    pub files: Vec<PathBuf>,
    /// Each edited item.
    pub edits: Vec<Edit>,
    /// The edited items that `edits` does not name: those without code of their own (constants, aliases, traits,
    /// imports, files), and those whose edit changes no code.
    pub items: Vec<Edit>,
    /// Further remarks, a sentence each.
    pub notices: Vec<String>,
    /// Those among them that say what the author may have meant. The others tell what the commit does.
    #[serde(skip)]
    pub(crate) hints: Vec<String>,
    /// How many functions were compiled. The code of others that changed was still there from an earlier version.
    pub compiled: usize,
    /// Where the time went.
    pub times: Times,
}

impl Report {
    /// As it is shown when nothing is committed: without what the commit would have done, but for the edits.
    pub(crate) fn refused(mut self) -> Report {
        let hints = std::mem::take(&mut self.hints);
        self.notices.retain(|notice| hints.contains(notice));
        self
    }

    /// The edits that cannot be carried over.
    pub fn refusals(&self) -> impl Iterator<Item = &Edit> {
        self.edits.iter().filter(|edit| matches!(edit.outcome, Outcome::Refused { .. }))
    }

    /// Code changes, so it is the new definitions that count. Of an implementation methods whose code changes are named
    /// themselves.
    pub(crate) fn definitions_count(&mut self) {
        let has_no_code = |edit: &&mut Edit| !matches!(edit.kind, "function" | "struct" | "enum" | "global" | "impl");
        self.items.iter_mut().filter(has_no_code).for_each(|edit| edit.outcome = Outcome::LiveNow);
    }

    /// All edits, those with code first.
    pub fn all_edits(&self) -> impl Iterator<Item = &Edit> {
        self.edits.iter().chain(&self.items)
    }

    /// Says something once.
    pub(crate) fn note(&mut self, notice: String) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// What would be live waits for something.
    pub(crate) fn wait_for(&mut self, what: &str) {
        let all = self.edits.iter_mut().chain(&mut self.items);
        let is_done =
            |outcome: &Outcome| matches!(outcome, Outcome::LiveNow | Outcome::Initialised | Outcome::Migrated { .. });
        for edit in all.filter(|edit| is_done(&edit.outcome)) {
            edit.outcome = Outcome::Pending { waits_for: what.to_owned() };
        }
    }

    /// What it waits for, if it does.
    pub(crate) fn waits_for(&self) -> Option<&str> {
        self.edits.iter().find_map(|edit| match &edit.outcome {
            Outcome::Pending { waits_for } => Some(&**waits_for),
            _ => None,
        })
    }

    /// Nothing of a save is live whose edits cannot all be.
    pub(crate) fn hold_back(&mut self) {
        for edit in &mut self.edits {
            if !matches!(edit.outcome, Outcome::Refused { .. } | Outcome::NoCode) {
                edit.outcome = Outcome::HeldBack;
            }
        }
    }

    /// Names of the functions with new code.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.edits.iter().filter(|edit| edit.kind == "function" && edit.change != "removed").map(|edit| &*edit.name)
    }
}
