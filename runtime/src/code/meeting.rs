//! Whom a commit asks to stop, and how long those that have come stand still for the others. A thread that sleeps in C, or
//! whose turns are long, is waited for alone, and the others run on meanwhile: nobody stands longer than its own turns last,
//! but for those that have just shown that they come round.
//!
//! A commit may wait first for threads that stood in its way: it asks nobody else before these have come away from where they
//! stood. That may take for ever, so it asks nobody for a while after some have stood in vain, each time for longer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vaisjit_abi::context::AT_POLL;

use super::safepoint::SafepointKind;
use super::sync::Ordering;
use super::thread::ThreadRecord;
use super::waiting::Waiting;

/// How long threads stand still at least, and at most, for others that have not come yet. Chosen by feel.
pub(super) const SHORTEST_STAND: Duration = Duration::from_millis(4);
const LONGEST_STAND: Duration = Duration::from_secs(1);
/// Which part of its turn a thread stands at first.
const SHARE: u32 = 3;
/// How long it waits for a thread at one certain poll, or until the frame is gone, before any other place will do. Chosen by
/// feel.
const LONGEST_AIM: Duration = Duration::from_secs(5);
/// How many times as long as some stood in vain all run on then, at last, and how long at most. Chosen by feel.
const REST: u32 = 20;
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Where a thread is that a request asks.
pub(super) struct Seen {
    /// Address of its record.
    pub thread: usize,
    /// Is it where it may be?
    pub has_come: bool,
    /// How long it has stood still, if it does.
    pub stands: Option<Duration>,
}

/// The threads that a request brings together, by the addresses of their records.
pub(super) struct Meeting {
    made: Instant,
    /// Since when it asks the same threads.
    begun: Instant,
    /// Those that have stood in the way: before they have come nobody else is asked.
    first: Option<Vec<Waiting>>,
    /// These, once they have come, and how long they stand at least for others that may have to wake them first.
    patient: (Vec<usize>, Duration),
    /// If any, of these only these are asked.
    alone: Vec<usize>,
    turns: Vec<Turn>,
    /// How many times some have stood still in vain.
    rounds: u32,
    /// May it take for ever? And until when nobody is asked then.
    rests: bool,
    rest: Option<Instant>,
    /// Those that have not come round in time: they may be in the middle of a turn.
    late: Vec<usize>,
    /// Those whose turns the commit does not concern, as long as they wait where they did.
    excused: Vec<Waiting>,
}

/// What has been seen of a thread.
struct Turn {
    thread: usize,
    /// Since when it has run.
    since: Instant,
    /// How long it has run at most before it came.
    longest: Duration,
    /// Has it come since all are asked that are asked now?
    came: bool,
    stands: bool,
}

impl Turn {
    fn come(&mut self, at: Instant) {
        if !self.stands {
            self.longest = self.longest.max(at.saturating_duration_since(self.since));
            (self.came, self.stands) = (true, true);
        }
    }

    fn go_on(&mut self, now: Instant) {
        if std::mem::take(&mut self.stands) {
            self.since = now;
        }
    }

    /// Has it come, and may it soon come again? Not if its turn lasts longer than those before: perhaps it waits for another
    /// thread.
    fn comes_round(&self, now: Instant) -> bool {
        self.came && (self.stands || now.saturating_duration_since(self.since) <= (self.longest + SHORTEST_STAND) * 2)
    }

    /// How long it stands for others that may not come round. Not always the same at last: threads with turns of the same
    /// length, longer than that, would never come together.
    fn stand(&self, rounds: u32) -> Duration {
        let share = self.longest / SHARE * (2 + rounds.min(SHARE * 2)) / 2;
        share.min(self.longest).clamp(SHORTEST_STAND, LONGEST_STAND / (1 + rounds % 2))
    }
}

fn key(record: &ThreadRecord) -> usize {
    std::ptr::from_ref(record) as usize
}

impl Meeting {
    pub fn of(kind: &SafepointKind) -> Meeting {
        let rests = matches!(kind, SafepointKind::CommitAfter(..));
        let (first, patience) = match kind {
            SafepointKind::CommitAfter(threads, patience) => (Some(threads.clone()), *patience),
            _ => (None, Duration::ZERO),
        };
        let patient = (Vec::new(), patience);
        let now = Instant::now();
        let (alone, turns, late, excused) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (rounds, rest) = (0, None);
        Meeting { made: now, begun: now, first, patient, alone, turns, rounds, rests, rest, late, excused }
    }

    /// How long ago it was made.
    pub fn age(&self) -> Duration {
        self.made.elapsed()
    }

    pub fn asks(&self, record: &ThreadRecord) -> bool {
        let is_first = |first: &Vec<Waiting>| first.iter().any(|waiting| waiting.is_of(record));
        !self.rests()
            && self.first.as_ref().is_none_or(is_first)
            && (self.alone.is_empty() || self.alone.contains(&key(record)))
    }

    /// Does it ask nobody for a while if some have stood in vain?
    pub fn may_rest(&self) -> bool {
        self.rests
    }

    /// Is nobody asked for a while?
    pub fn rests(&self) -> bool {
        self.rest.is_some()
    }

    /// How long nobody is asked, if so.
    pub fn rest_left(&self) -> Option<Duration> {
        Some(self.rest?.saturating_duration_since(Instant::now()))
    }

    /// Does it still wait for those that have stood in the way?
    pub fn waits_for_first(&self) -> bool {
        self.first.is_some()
    }

    /// Does it ask all that it brings together?
    pub fn is_wide(&self) -> bool {
        self.alone.is_empty()
    }

    /// Is a thread wanted at the poll of a certain frame?
    pub fn aims_at(&self, record: &ThreadRecord) -> bool {
        self.first.iter().flatten().any(|waiting| waiting.is_of(record) && waiting.has_frame())
    }

    /// Is a thread that has stopped where it is wanted: at a poll, at that of the frame that stood in the way if there is one,
    /// or somewhere else than where it stood?
    pub fn has_moved(&self, record: &ThreadRecord) -> bool {
        let first = self.first.iter().flatten().find(|waiting| waiting.is_of(record));
        let in_the_way = first.filter(|_| self.age() < LONGEST_AIM).and_then(|waiting| waiting.stays_in(record));
        record.declined.until.store(in_the_way.unwrap_or(0), Ordering::Relaxed);
        let polls = record.state().load(Ordering::Acquire) == AT_POLL;
        in_the_way.is_none() && (polls || !first.is_some_and(|waiting| waiting.is_still(record)))
    }

    /// Has the thread not come round in time?
    pub fn is_late(&self, record: &ThreadRecord) -> bool {
        self.late.contains(&key(record))
    }

    /// Does the thread wait in the host where the commit does not concern its turn?
    pub fn excuses(&self, record: &ThreadRecord) -> bool {
        self.excused.iter().any(|waiting| waiting.is_still(record))
    }

    pub fn excuse(&mut self, waiting: &[Waiting]) {
        Waiting::join(&mut self.excused, waiting);
    }

    /// All that it asks have stopped: are there more that it has to ask now? `middle` tells who has stopped in the middle of
    /// a turn.
    pub fn widen(&mut self, threads: &[Arc<ThreadRecord>], middle: &dyn Fn(&ThreadRecord) -> bool) -> bool {
        if self.is_wide() && self.first.is_none() {
            return false;
        }
        let now = Instant::now();
        let asked: Vec<&Arc<ThreadRecord>> = threads.iter().filter(|record| self.asks(record)).collect();
        let (late, came): (Vec<_>, Vec<_>) = asked.into_iter().partition(|record| middle(record));
        if self.first.is_some() {
            self.patient.0.extend(came.iter().chain(&late).map(|record| key(record)));
        }
        came.into_iter().for_each(|record| self.turn(key(record)).come(now));
        if !std::mem::take(&mut self.alone).is_empty() {
            return true;
        }
        self.first = None;
        self.late.extend(late.into_iter().map(|record| key(record)));
        self.turns.iter_mut().for_each(|turn| turn.came = false);
        (self.begun, self.rounds) = (now, 0);
        true
    }

    /// These have not come in time.
    pub fn be_late(&mut self, late: impl Iterator<Item = usize>) {
        self.late.extend(late);
        self.alone.clear();
    }

    /// Nobody looks after it: it asks all.
    pub fn hurry(&mut self) {
        (self.first, self.rests) = (None, false);
    }

    fn turn(&mut self, thread: usize) -> &mut Turn {
        let place = self.turns.iter().position(|turn| turn.thread == thread).unwrap_or(self.turns.len());
        if place == self.turns.len() {
            let (since, longest) = (self.begun, Duration::ZERO);
            self.turns.push(Turn { thread, since, longest, came: false, stands: false });
        }
        &mut self.turns[place]
    }

    /// Looks at the clock: have some stood still for long enough? Then they go on, and the others are waited for alone. True
    /// if whom it asks has changed.
    pub fn look(&mut self, seen: &[Seen]) -> bool {
        let (now, rounds) = (Instant::now(), self.rounds);
        if let Some(end) = self.rest {
            return now >= end && self.end_rest(now);
        }
        let (mut tired, mut awaited, mut holds_on) = (Vec::new(), false, false);
        let waits_for_first = self.waits_for_first();
        for seen in seen {
            let is_patient = self.patient.0.contains(&seen.thread);
            let patience = if is_patient { self.patient.1 } else { Duration::ZERO };
            let turn = self.turn(seen.thread);
            match seen.stands.filter(|_| seen.has_come) {
                Some(stands) => {
                    turn.come(now.checked_sub(stands).unwrap_or(now));
                    let is_tired = stands >= turn.stand(rounds).max(patience);
                    tired.extend(is_tired.then_some(seen.thread));
                    holds_on |= is_patient && !is_tired;
                }
                None => turn.go_on(now),
            }
            awaited |= !seen.has_come && (waits_for_first || !turn.comes_round(now));
        }
        if tired.is_empty() || !awaited {
            return false;
        }
        self.rounds += 1;
        // As long as one waits that has been brought to where it is wanted, only those that are tired go on.
        if self.rests && !holds_on {
            let stood = seen.iter().filter(|seen| tired.contains(&seen.thread)).filter_map(|seen| seen.stands).max();
            let rest = stood.unwrap_or_default() * self.rounds.min(REST);
            self.rest = Some(now + rest.min(LONGEST_REST));
        }
        tired.iter().for_each(|thread| self.turn(*thread).go_on(now));
        self.alone = seen.iter().map(|seen| seen.thread).filter(|thread| !tired.contains(thread)).collect();
        true
    }

    /// What they did meanwhile was no turn that somebody waited for.
    fn end_rest(&mut self, now: Instant) -> bool {
        self.rest = None;
        self.turns.iter_mut().for_each(|turn| (turn.since, turn.stands) = (now, false));
        true
    }
}
