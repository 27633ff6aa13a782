//! The last versions of a program: what each was made from and what it changed, for rollbacks and for people.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::report::Report;
use crate::workspace::Checkpoint;

/// How many versions are kept.
pub const KEPT_VERSIONS: usize = 20;

/// Where a version came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// It is the first one.
    Loaded,
    /// A file was saved.
    Saved,
    /// A function was replaced from memory: [`Program::patch`](crate::Program::patch).
    Patched,
    /// An earlier version was asked for: [`Program::rollback`](crate::Program::rollback).
    RolledBack {
        /// That version's number.
        to: u64,
    },
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::Loaded => f.write_str("loaded"),
            Cause::Saved => f.write_str("saved"),
            Cause::Patched => f.write_str("patched"),
            Cause::RolledBack { to } => write!(f, "back to v{to}"),
        }
    }
}

/// One of the last [`KEPT_VERSIONS`] versions of a program.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// Its number.
    pub version: u64,
    /// When it became live.
    pub at: SystemTime,
    /// Where it came from.
    pub cause: Cause,
    /// What it changed: the files whose text was another, and each edit.
    pub report: Arc<Report>,
    /// All its texts by file, the standard library's left out. White space and comments are those of the last save that
    /// changed nothing else.
    pub texts: Vec<(PathBuf, Arc<str>)>,
}

/// The last versions, oldest first.
#[derive(Default)]
pub(crate) struct History {
    versions: VecDeque<Version>,
}

struct Version {
    number: u64,
    at: SystemTime,
    cause: Cause,
    report: Arc<Report>,
    state: Arc<Checkpoint>,
}

impl History {
    /// Keeps a version that has become live. Of one that is kept already only the texts are replaced.
    pub fn remember(&mut self, number: u64, cause: Cause, report: &Arc<Report>, state: Checkpoint) {
        let state = Arc::new(state);
        if let Some(known) = self.versions.back_mut().filter(|known| known.number == number) {
            known.state = state;
            return;
        }
        self.versions.push_back(Version { number, at: SystemTime::now(), cause, report: report.clone(), state });
        if self.versions.len() > KEPT_VERSIONS {
            self.versions.pop_front();
        }
    }

    /// What the workspace held at a version; the error names those that are kept.
    pub fn state(&self, number: u64) -> Result<Arc<Checkpoint>, String> {
        let found = self.find(number).map(|version| version.state.clone());
        found.ok_or_else(|| {
            let kept: Vec<String> = self.versions.iter().map(|version| version.number.to_string()).collect();
            format!("version {number} is not kept; there are {}", kept.join(", "))
        })
    }

    /// The version whose texts came before those of this one: that of a version rolled back to is the one before it,
    /// so asking again and again leads to the oldest.
    pub fn before(&self, number: u64) -> Option<u64> {
        let mut origin = number;
        while let Some(Cause::RolledBack { to }) = self.find(origin).map(|version| version.cause) {
            origin = to;
        }
        let older = self.versions.iter().rev().find(|version| version.number < origin)?;
        Some(older.number)
    }

    /// All of them for people, oldest first.
    pub fn entries(&self) -> Vec<HistoryEntry> {
        let entry = |version: &Version| HistoryEntry {
            version: version.number,
            at: version.at,
            cause: version.cause,
            report: version.report.clone(),
            texts: version.state.texts(),
        };
        self.versions.iter().map(entry).collect()
    }

    fn find(&self, number: u64) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }
}
