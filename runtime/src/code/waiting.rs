//! Threads that stand in the way of a commit: it asks the others only once they have come away from where they stood, so
//! that a program in which one thread waits for long runs on as if nothing was pending.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use vaisjit_abi::context::AT_POLL;

use super::safepoint::{PATIENCE, SafepointKind};
use super::sync::Ordering;
use super::thread::ThreadRecord;
use super::walk;

/// How long threads stand still for a commit before others have come, too: at first, the next time, and then. A thread that
/// waits for another one may do so for hours: for such nobody stands longer than at first. Chosen by feel.
const STANDS: [Duration; 3] = [Duration::from_millis(20), Duration::from_millis(80), PATIENCE];
/// How long once that has not been enough several times. Threads with turns of a second come together then.
const LONGEST_STAND: Duration = Duration::from_secs(1);
/// How many times that is.
const PATIENT: u32 = 7;
/// How long they go on after that before they stop again, at least.
const REST: Duration = Duration::from_millis(500);
/// A thread that has been in the host this many times when others stood may wait there for long.
const MANY_MISSED: u32 = 5;

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

/// Where a thread is that a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It stands still where it may.
    Come,
    /// It waits for another thread.
    Parked,
    /// It is in the host.
    InHost,
    Runs,
}

/// The threads that a request waits for before it asks all.
pub(super) struct First {
    /// Each with how many times it has been missed in the host since it came last.
    threads: Vec<(Waiting, u32)>,
    /// Since when some of them stand still.
    stand_since: Option<Instant>,
    /// Until when none of them is asked.
    rests_until: Option<Instant>,
    /// How many times some have stood still for others that did not come.
    rounds: u32,
}

impl First {
    pub fn of(kind: &SafepointKind) -> Option<First> {
        let SafepointKind::CommitAfter(threads) = kind else { return None };
        let threads = threads.iter().map(|waiting| (*waiting, 0)).collect();
        Some(First { threads, stand_since: None, rests_until: None, rounds: 0 })
    }

    fn find(&self, record: &ThreadRecord) -> Option<&Waiting> {
        let mut all = self.threads.iter().map(|(waiting, _)| waiting);
        all.find(|waiting| waiting.thread == std::ptr::from_ref(record) as usize)
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

    /// Looks at the clock: do some of them stand still for others that have not come yet? `seen` says where they are, by the
    /// addresses of their records. True if whom it asks has changed.
    pub fn look(&mut self, seen: &[(usize, Presence)]) -> bool {
        let now = Instant::now();
        if let Some(end) = self.rests_until {
            self.rests_until = Some(end).filter(|end| *end > now);
            return self.rests_until.is_none();
        }
        let is_there = |what: Presence| seen.iter().any(|(_, presence)| *presence == what);
        self.stand_since = is_there(Presence::Come).then(|| self.stand_since.unwrap_or(now));
        let longest = if is_there(Presence::Parked) { STANDS[0] } else { self.stand() };
        if self.stand_since.is_none_or(|since| now - since < longest) {
            return false;
        }
        let rest = REST.max(longest * self.share());
        (self.stand_since, self.rests_until) = (None, Some(now + rest));
        if !is_there(Presence::Parked) {
            self.note_missed(seen);
        }
        true
    }

    /// How long they stand for those who run or are in the host.
    fn stand(&self) -> Duration {
        match STANDS.get(self.rounds as usize) {
            Some(stand) => *stand,
            None if self.rounds < PATIENT || self.misses_many_times() => PATIENCE,
            None => LONGEST_STAND,
        }
    }

    /// How many times as long they go on afterwards. Not always the same: threads whose turns take the same time would come
    /// in the same order again.
    fn share(&self) -> u32 {
        if self.misses_many_times() { 16 } else { 3 + self.rounds % 3 }
    }

    fn misses_many_times(&self) -> bool {
        self.threads.iter().any(|(_, missed)| *missed >= MANY_MISSED)
    }

    fn note_missed(&mut self, seen: &[(usize, Presence)]) {
        self.rounds += 1;
        for (waiting, missed) in &mut self.threads {
            let is_missed = seen.contains(&(waiting.thread, Presence::InHost));
            *missed = if is_missed { *missed + 1 } else { 0 };
        }
    }
}
