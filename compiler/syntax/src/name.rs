//! Interned names. Our own few lines: the crate used before cleared 16 MiB on first use, a third of the time `hello` takes.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::{LazyLock, RwLock};

use rustc_hash::{FxBuildHasher, FxHashMap};

/// An interned identifier: one word, compared by address, ordered and hashed by text, so that no result depends on the
/// order in which names were first seen. Its text lives as long as the process.
#[derive(Clone, Copy)]
pub struct Name(&'static Interned);

struct Interned {
    text: &'static str,
    /// Hash of the text: names are looked up much more often than they are made.
    hash: u64,
}

impl Name {
    /// The name with this text.
    pub fn new(text: &str) -> Name {
        static NAMES: LazyLock<RwLock<FxHashMap<&'static str, Name>>> = LazyLock::new(Default::default);
        if let Some(known) = NAMES.read().unwrap_or_else(|e| e.into_inner()).get(text) {
            return *known;
        }
        let mut names = NAMES.write().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = names.get(text) {
            return *known;
        }
        let text: &'static str = Box::leak(text.into());
        let hash = FxBuildHasher.hash_one(text);
        let name = Name(Box::leak(Box::new(Interned { text, hash })));
        names.insert(text, name);
        name
    }

    /// Its text.
    pub fn as_str(self) -> &'static str {
        self.0.text
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Name {}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl std::ops::Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name::new(text)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.as_str())
    }
}
