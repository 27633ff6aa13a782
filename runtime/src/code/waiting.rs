//! Threads that stand in the way of a commit: it asks the others only once they have come away from where they stood, so
//! that a program in which one thread waits for long runs on as if nothing was pending.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use vaisjit_abi::context::AT_POLL;

use super::safepoint::SafepointKind;
use super::sync::Ordering;
use super::thread::ThreadRecord;
use super::walk;

/// How long a thread may stand still for a commit that cannot be before another thread has come, too. Chosen by feel.
const LONGEST_STAND: Duration = Duration::from_millis(20);
/// How long it goes on after that before it stops again.
const REST: Duration = Duration::from_millis(500);

/// A thread that stood in the way, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Address of its record.
    thread: usize,
    place: u64,
}

impl Waiting {
    /// Adds threads to those that have stood in the way before.
    pub fn join(before: &mut Vec<Waiting>, now: &[Waiting]) {
        before.retain(|known| now.iter().all(|waiting| waiting.thread != known.thread));
        before.extend(now);
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

/// The threads that a request waits for before it asks all.
pub(super) struct First {
    threads: Vec<Waiting>,
    /// Since when some of them stand still.
    stand_since: Option<Instant>,
    /// Until when none of them is asked.
    rests_until: Option<Instant>,
}

impl First {
    pub fn of(kind: &SafepointKind) -> Option<First> {
        let SafepointKind::CommitAfter(threads) = kind else { return None };
        Some(First { threads: threads.clone(), stand_since: None, rests_until: None })
    }

    fn find(&self, record: &ThreadRecord) -> Option<&Waiting> {
        self.threads.iter().find(|waiting| waiting.thread == std::ptr::from_ref(record) as usize)
    }

    pub fn asks(&self, record: &ThreadRecord) -> bool {
        !self.rests() && self.find(record).is_some()
    }

    pub fn rests(&self) -> bool {
        self.rests_until.is_some()
    }

    /// Is a thread that has stopped at a poll, or somewhere else than where it stood in the way?
    pub fn has_moved(&self, record: &ThreadRecord) -> bool {
        let polls = record.state().load(Ordering::Acquire) == AT_POLL;
        polls || self.find(record).is_none_or(|waiting| waiting.place != place(record))
    }

    /// Looks at the clock: do others of them stand still, who had not come yet? True if whom it asks has changed.
    pub fn look(&mut self, stands: bool) -> bool {
        let now = Instant::now();
        if let Some(end) = self.rests_until {
            self.rests_until = Some(end).filter(|end| *end > now);
            return self.rests_until.is_none();
        }
        self.stand_since = stands.then(|| self.stand_since.unwrap_or(now));
        if self.stand_since.is_none_or(|since| now - since < LONGEST_STAND) {
            return false;
        }
        (self.stand_since, self.rests_until) = (None, Some(now + REST));
        true
    }
}
