//! Threads that stand in the way of a commit, or that it need not wait for, and where they are.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;

use super::thread::ThreadRecord;
use super::walk;

/// A thread, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Address of its record.
    thread: usize,
    place: u64,
}

impl Waiting {
    /// Adds threads to those that are known; of each the newest place counts.
    pub fn join(before: &mut Vec<Waiting>, now: &[Waiting]) {
        before.retain(|known| now.iter().all(|waiting| waiting.thread != known.thread));
        before.extend(now);
    }

    /// Is it this thread?
    pub(super) fn is_of(&self, record: &ThreadRecord) -> bool {
        self.thread == std::ptr::from_ref(record) as usize
    }

    /// Is it this thread, where it was? It is stopped.
    pub(super) fn is_still(&self, record: &ThreadRecord) -> bool {
        self.is_of(record) && self.place == place(record)
    }

    /// A thread as it stands. It is stopped.
    pub(super) fn of(record: &ThreadRecord) -> Waiting {
        Waiting { thread: std::ptr::from_ref(record) as usize, place: place(record) }
    }
}

/// A number for the calls that a stopped thread is in.
fn place(record: &ThreadRecord) -> u64 {
    let mut hasher = DefaultHasher::new();
    walk::stopped_thread(record, |_, frame| {
        (frame.pc, frame.frame_pointer).hash(&mut hasher);
        ControlFlow::Continue(())
    });
    hasher.finish()
}
