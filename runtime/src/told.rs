//! Which version has been told of last. What happens in a version (a trap, the end) is told after the version itself,
//! though the program's thread may be quicker than the one that tells of the reload.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The longest wait; only a bug of ours, or a handler of events that does not return, can use it up.
const LONGEST: Duration = Duration::from_secs(2);

/// The newest version that everybody has been told of.
#[derive(Default)]
pub(crate) struct Told {
    newest: Mutex<u64>,
    changed: Condvar,
}

impl Told {
    /// Everybody knows of this version now.
    pub fn set(&self, version: u64) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = version.max(*newest);
        self.changed.notify_all();
    }

    /// Waits until this version has been told of.
    pub fn wait_for(&self, version: u64) {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(newest, LONGEST, |newest| *newest < version));
    }
}
