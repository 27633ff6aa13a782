//! Which version has been told of last. What happens in a version (a trap, the end) is told after the version itself,
//! though the program's thread may be quicker than the one that tells of the reload; and who waits for a new version
//! goes on after it has been told of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest wait for what is being told; only a bug of ours, or a handler of events that does not return, can use it
/// up.
const LONGEST: Duration = Duration::from_secs(2);
/// How often who waits for a new version looks whether there is still a reason to. Chosen by feel.
const LOOK: Duration = Duration::from_millis(50);

/// A version that everybody has been told of.
#[derive(Clone, Copy)]
pub(crate) struct Repaired {
    /// Its number.
    pub version: u64,
    /// When it was saved, or asked for.
    pub saved: Instant,
}

/// The newest of them.
#[derive(Default)]
pub(crate) struct Told {
    newest: Mutex<Option<Repaired>>,
    /// How many saves have been told of that were the running version.
    unchanged: AtomicU64,
    changed: Condvar,
}

impl Told {
    /// Everybody knows of this version now.
    pub fn set(&self, version: u64, saved: Instant) {
        let mut newest = self.newest();
        if newest.is_none_or(|newest| newest.version < version) {
            *newest = Some(Repaired { version, saved });
        }
        self.changed.notify_all();
    }

    /// Everybody knows that what was saved is the running version.
    pub fn note_unchanged(&self) {
        self.unchanged.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// How many such saves there were.
    pub fn unchanged(&self) -> u64 {
        self.unchanged.load(Ordering::SeqCst)
    }

    /// Waits until this version has been told of.
    pub fn wait_for(&self, version: u64) {
        drop(self.changed.wait_timeout_while(self.newest(), LONGEST, |newest| is_older(newest, version)));
    }

    /// Waits for a version newer than this one, or until the one there is will do; `None` when there is no reason to wait
    /// any more.
    pub fn wait_beyond(
        &self,
        version: u64,
        will_do: impl Fn() -> bool,
        gives_up: impl Fn() -> bool,
    ) -> Option<Repaired> {
        let mut newest = self.newest();
        loop {
            if gives_up() {
                return None;
            }
            match *newest {
                Some(newest) if newest.version > version => return Some(newest),
                Some(newest) if will_do() => return Some(Repaired { saved: Instant::now(), ..newest }),
                _ => newest = self.changed.wait_timeout(newest, LOOK).unwrap_or_else(PoisonError::into_inner).0,
            }
        }
    }

    /// Makes everybody who waits look at once.
    pub fn wake(&self) {
        drop(self.newest());
        self.changed.notify_all();
    }

    fn newest(&self) -> MutexGuard<'_, Option<Repaired>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_older(newest: &Option<Repaired>, version: u64) -> bool {
    newest.is_none_or(|newest| newest.version < version)
}
