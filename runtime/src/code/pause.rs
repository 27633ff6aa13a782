//! How long threads stand still.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::world::World;

/// How long a thread has stood still. Written by its own thread.
#[derive(Default)]
pub(super) struct Pause {
    /// Since when it stands still, in nanoseconds of the process's clock; 0 if it does not.
    since: AtomicU64,
    /// How long it has, until somebody asked.
    total: AtomicU64,
}

/// Nanoseconds on a clock of the process's own, never 0.
pub(super) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1
}

impl Pause {
    /// The thread has stopped then.
    pub(super) fn begin(&self, since: u64) {
        self.since.store(since, Ordering::Relaxed);
    }

    /// It goes on.
    pub(super) fn end(&self) {
        let since = self.since.swap(0, Ordering::Relaxed);
        self.add(now().saturating_sub(since));
    }

    /// Since when it stands still at a place of its own, if it does.
    pub(super) fn since(&self) -> Option<u64> {
        Some(self.since.load(Ordering::Relaxed)).filter(|since| *since != 0)
    }

    fn add(&self, nanoseconds: u64) {
        self.total.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl World {
    /// How long the current thread has stood still since this was asked last.
    pub(crate) fn take_pause(&self) -> Duration {
        let total = self.record().map_or(0, |record| record.pause.total.swap(0, Ordering::Relaxed));
        Duration::from_nanos(total)
    }

    /// The current thread has stood still for a reload that it did itself.
    pub(crate) fn add_pause(&self, pause: Duration) {
        if let Ok(record) = self.record() {
            record.pause.add(pause.as_nanos() as u64);
        }
    }
}
