//! The texts of earlier versions, for rollbacks.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::workspace::Snapshot;

/// How many versions are kept.
pub const KEPT_VERSIONS: usize = 20;

/// The texts of the last versions.
#[derive(Default)]
pub(crate) struct History {
    versions: VecDeque<(u64, Texts)>,
}

/// All texts of a version; unchanged ones are shared with other versions.
pub(crate) type Texts = Vec<(PathBuf, Arc<str>)>;

impl History {
    /// Keeps the texts of a version that has become live.
    pub fn remember(&mut self, version: u64, snapshot: &Snapshot) {
        let own = snapshot.sources.iter().filter(|(_, file)| snapshot.files.contains(&file.path));
        let texts = own.map(|(_, file)| (file.path.clone(), file.text.clone())).collect();
        self.versions.retain(|(known, _)| *known != version);
        self.versions.push_back((version, texts));
        if self.versions.len() > KEPT_VERSIONS {
            self.versions.pop_front();
        }
    }

    /// The texts of a version, if it is still kept.
    pub fn texts(&self, version: u64) -> Option<&Texts> {
        self.versions.iter().find(|(known, _)| *known == version).map(|(_, texts)| texts)
    }

    /// The versions that are kept, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = u64> {
        self.versions.iter().map(|(version, _)| *version)
    }
}
