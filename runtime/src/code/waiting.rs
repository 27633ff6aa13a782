//! Threads that stand in the way of a commit, or that it need not wait for, and where they are.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;

use vaisjit_abi::context::AT_POLL;

use super::sync::Ordering;
use super::thread::ThreadRecord;
use super::walk;

/// A thread, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Address of its record.
    thread: usize,
    place: u64,
    /// The frame pointer of the frame at whose poll it is wanted; 0 for any.
    frame: usize,
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
        Waiting { thread: std::ptr::from_ref(record) as usize, place: place(record), frame: 0 }
    }

    /// The same, wanted at the poll of this frame.
    pub(super) fn for_frame(record: &ThreadRecord, frame: usize) -> Waiting {
        Waiting { frame, ..Waiting::of(record) }
    }

    /// Is it wanted at the poll of a certain frame?
    pub(super) fn has_frame(&self) -> bool {
        self.frame != 0
    }

    /// The frame that keeps the thread, which is stopped, from where it is wanted: that frame has not come to its poll, and is
    /// still there.
    pub(super) fn stays_in(&self, record: &ThreadRecord) -> Option<usize> {
        let mut polls = record.state().load(Ordering::Acquire) == AT_POLL;
        let mut stays = None;
        walk::stopped_thread(record, |_, frame| {
            if frame.frame_pointer == self.frame {
                stays = Some(self.frame).filter(|_| !polls);
                return ControlFlow::Break(());
            }
            polls = false;
            ControlFlow::Continue(())
        });
        stays
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
