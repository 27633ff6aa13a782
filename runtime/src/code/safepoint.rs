//! Bringing all threads to a safepoint, to do something while none of them runs generated code.
//!
//! Nobody is interrupted: a request sets the poll byte of every thread, and the thread that arrives last runs it. A
//! thread inside the host counts as having arrived; when it comes back, the gate holds it while a request runs. The
//! protocol itself is in `rendezvous`.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use vaisjit_abi::context::{AT_POLL, AT_SAFEPOINT};

use super::meeting::{Meeting, SHORTEST_STAND, Seen};
use super::pause;
use super::rendezvous::{self, Admission, Level, Member, Party, Rendezvous, level};
use super::stopped::Stopped;
use super::thread::{ThreadRecord, token};
use super::traps::{RawFrame, frame_of};
use super::waiting::Waiting;
use super::walk;
use super::world::{Shared, World, lock};

/// How long a commit waits for the outermost loops before inner ones are admitted too.
pub const PATIENCE: Duration = Duration::from_millis(250);
/// How long it waits for a loop that did not come round for the last commit either. Chosen by feel.
const SHORT_PATIENCE: Duration = Duration::from_millis(10);
/// How many polls rely on a refusal before the stack is looked at again, or as many as it has frames if these are more: else
/// a deep recursion through loops would do nothing but look. Chosen by feel.
const REFUSALS: u32 = 64;

/// What a request asks of the threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SafepointKind {
    /// Every thread is outside all loops but the outermost one of its stack, or at an explicit safepoint; after
    /// [`PATIENCE`] those that have not come are anywhere a `Sweep` could run.
    Commit,
    /// The same, but a thread in the host does not count as having stopped, before [`PATIENCE`] is over.
    CommitAtPolls,
    /// A `Commit` for which nobody stops before these threads have come to the polls of their outermost loops, or have
    /// ended; after [`PATIENCE`] to any poll, or to another place in the host. The others get up to this long to come there
    /// too, as long as they come round.
    CommitAfter(Vec<Waiting>, Duration),
    /// Every thread is at some poll or in the host.
    Sweep,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The action has run.
    Done {
        /// It did not wait for outermost loops any more.
        relaxed: bool,
        /// How long it waited for the threads.
        waited: Duration,
        /// How long the thread that had to stop first stood still.
        paused: Duration,
    },
    /// It was cancelled, or the world has ended; the action will not run.
    Cancelled,
    /// The action panicked.
    Panicked(String),
}

type Action = Box<dyn FnOnce(&Stopped<'_>) + Send>;

/// A request that waits for the threads.
pub(super) struct Request {
    number: u64,
    kind: SafepointKind,
    action: Action,
    /// Since when it waits for those that it asks.
    since: Instant,
    relaxed: bool,
    /// It has waited for [`SHORT_PATIENCE`].
    hurried: bool,
    /// Whom it asks.
    meeting: Meeting,
    result: Arc<Pending>,
}

#[derive(Default)]
struct Pending {
    outcome: Mutex<Option<Outcome>>,
    done: Condvar,
}

/// The state of a world's safepoints.
pub(super) type Control = rendezvous::Control<ThreadRecord, Request>;

/// A request that has been made; dropping it changes nothing.
#[derive(Clone)]
pub struct Ticket {
    shared: Weak<Shared>,
    number: u64,
    result: Arc<Pending>,
}

impl World {
    /// Runs `action` once no thread runs generated code: at once on this thread if that is so now, otherwise on the
    /// thread that arrives last.
    ///
    /// Inside the action this thread may enter generated code; all others wait.
    pub fn run_at_safepoint(&self, kind: SafepointKind, action: impl FnOnce(&Stopped<'_>) + Send + 'static) -> Ticket {
        self.shared().request(kind, action)
    }
}

impl Shared {
    /// See [`World::run_at_safepoint`].
    pub(super) fn request(
        self: &Arc<Self>,
        kind: SafepointKind,
        action: impl FnOnce(&Stopped<'_>) + Send + 'static,
    ) -> Ticket {
        let mut control = self.control();
        let result = Arc::<Pending>::default();
        let number = control.next;
        control.next += 1;
        let ticket = Ticket { shared: Arc::downgrade(self), number, result: result.clone() };
        let action = Box::new(action);
        let (since, meeting) = (Instant::now(), Meeting::of(&kind));
        let request = Request { number, kind, action, since, relaxed: false, hurried: false, meeting, result };
        control = self.submit(control, request);
        if !control.requests.is_empty() {
            self.start_pacer(&mut control);
        }
        drop(control);
        self.pace.notify_one();
        ticket
    }
}

impl Ticket {
    /// What became of the request, if anything has by `timeout`.
    pub fn wait(&self, timeout: Duration) -> Option<Outcome> {
        let outcome = lock(&self.result.outcome);
        let waited = self.result.done.wait_timeout_while(outcome, timeout, |outcome| outcome.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// What became of the request so far.
    pub fn outcome(&self) -> Option<Outcome> {
        lock(&self.result.outcome).clone()
    }

    /// Withdraws the request; `false` if it runs or has run.
    pub fn cancel(&self) -> bool {
        let Some(shared) = self.shared.upgrade() else { return false };
        let mut control = shared.control();
        let Some(index) = control.requests.iter().position(|request| request.number == self.number) else {
            return false;
        };
        let request = control.requests.remove(index);
        shared.finished(&control);
        drop(control);
        request.result.set(Outcome::Cancelled);
        true
    }

    /// The stack of a thread the request waits for, innermost frame first; of a thread that has refused at a poll only
    /// the frame that polled and the frame everybody waits for. Empty if nothing is known, or nobody is waited for.
    pub fn blocked_on(&self) -> Vec<RawFrame> {
        let Some(shared) = self.shared.upgrade() else { return Vec::new() };
        let control = shared.control();
        let Some(request) = control.requests.iter().find(|request| request.number == self.number) else {
            return Vec::new();
        };
        let mut best = Vec::new();
        for record in &control.threads {
            if let Some(level) = request.waits_for(record)
                && best.is_empty()
            {
                best = if level == Level::Running { lock(&record.blocked).clone() } else { frames(record) };
            }
        }
        best
    }
}

impl Ticket {
    /// The threads that it waits for and that are inside the host, in the middle of a turn of their outermost loops, with
    /// their stacks, innermost frame first.
    pub fn sleepers(&self) -> Vec<(Waiting, Vec<RawFrame>)> {
        let Some(shared) = self.shared.upgrade() else { return Vec::new() };
        let control = shared.control();
        let Some(request) = control.requests.iter().find(|request| request.number == self.number) else {
            return Vec::new();
        };
        let is_sleeper = |record: &&Arc<ThreadRecord>| {
            let is_inner = request.waits_for(record) == Some(Level::Inner);
            is_inner && record.state().load(Ordering::Acquire) != AT_POLL
        };
        control.threads.iter().filter(is_sleeper).map(|record| (Waiting::of(record), frames(record))).collect()
    }

    /// These need not come round, as long as they wait where they did.
    pub fn excuse(&self, waiting: &[Waiting]) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut control = shared.control();
        let Some(request) = control.requests.iter_mut().find(|request| request.number == self.number) else { return };
        request.meeting.excuse(waiting);
        drop(shared.run_ready(control));
    }
}

impl Admission<ThreadRecord> for Request {
    fn admits(&self, record: &ThreadRecord, level: Level) -> bool {
        if self.meeting.waits_for_first() {
            let known = self.hurried && self.meeting.aims_at(record) && record.is_known_to_turn();
            let anywhere = (self.relaxed || known) && level >= Level::Inner;
            return level == Level::AtPoll || anywhere && self.meeting.has_moved(record);
        }
        let wanted = match (&self.kind, self.relaxed) {
            (SafepointKind::Sweep, _) => Level::CleaningUp,
            (_, false) if self.meeting.is_late(record) => Level::Inner,
            (SafepointKind::CommitAtPolls, false) => Level::AtPoll,
            (_, true) => Level::Inner,
            (_, false) if self.hurried && record.is_known_to_turn() => Level::Inner,
            (_, false) => Level::Outermost,
        };
        level >= wanted || level == Level::Inner && self.meeting.excuses(record)
    }

    fn asks(&self, record: &ThreadRecord) -> bool {
        self.meeting.asks(record)
    }

    fn rests(&self) -> bool {
        self.meeting.rests()
    }

    fn widen(&mut self, threads: &[Arc<ThreadRecord>]) -> bool {
        let is_wider = self.meeting.widen(threads, &|record| level(record) < Level::Outermost);
        // The patience with those that it waits for first is not renewed.
        if is_wider && !self.meeting.waits_for_first() {
            self.since = Instant::now();
            self.relaxed = false;
        }
        is_wider
    }
}

impl Request {
    /// How far a thread is that it asks and that is not where it may be.
    fn waits_for(&self, record: &ThreadRecord) -> Option<Level> {
        // Whom it does not ask may be on its way back from the host.
        let level = self.asks(record).then(|| level(record))?;
        Some(level).filter(|level| !self.admits(record, *level))
    }

    /// Where the threads are that it asks.
    fn seen(&self, threads: &[Arc<ThreadRecord>]) -> Vec<Seen> {
        let now = pause::now();
        let stands =
            |record: &ThreadRecord| record.pause.since().map(|since| Duration::from_nanos(now - since.min(now)));
        let asked = threads.iter().filter(|record| self.asks(record));
        let see = |record: &Arc<ThreadRecord>| {
            let thread = Arc::as_ptr(record) as usize;
            Seen { thread, has_come: self.admits(record, level(&**record)), stands: stands(record) }
        };
        asked.map(see).collect()
    }

    /// Does it bring all threads together?
    fn meets(&self) -> bool {
        self.kind != SafepointKind::Sweep && !self.meeting.waits_for_first()
    }

    /// Who has not come by now need not come round.
    fn lose_patience(&mut self, threads: &[Arc<ThreadRecord>]) {
        let seen = self.seen(threads);
        let absent = seen.iter().filter(|seen| !seen.has_come);
        self.meeting.be_late(absent.map(|seen| seen.thread));
        self.since = Instant::now();
    }
}

impl Pending {
    fn set(&self, outcome: Outcome) {
        *lock(&self.outcome) = Some(outcome);
        self.done.notify_all();
    }
}

impl Control {
    /// Is this thread in the middle of an action, with all others stopped?
    pub(super) fn runs_here(&self) -> bool {
        self.running == Some(token())
    }

    /// May threads stand still for others soon, or do they for a request that may wait for ever?
    fn may_stand(&self) -> bool {
        let is_new = |request: &Request| request.meeting.is_wide() && request.since.elapsed() < PATIENCE * 2;
        let may_stand = |request: &&Request| {
            let asked = || self.threads.iter().filter(|record| request.asks(record));
            let stand = || request.meeting.may_rest() && asked().any(|record| record.pause.since().is_some());
            asked().count() > 1 && (is_new(request) || stand())
        };
        self.requests.iter().any(|request| may_stand(&request))
    }

    /// When the next request asks again.
    fn rest_left(&self) -> Option<Duration> {
        self.requests.iter().filter_map(|request| request.meeting.rest_left()).min()
    }

    /// When the next request gets impatient.
    fn patience_left(&self) -> Option<Duration> {
        let strict = self.requests.iter().filter(|request| !request.relaxed && !request.meeting.rests());
        let patience = |request: &Request| if request.hurried { PATIENCE } else { SHORT_PATIENCE };
        strict.map(|request| patience(request).saturating_sub(request.since.elapsed())).min()
    }
}

fn frames(record: &ThreadRecord) -> Vec<RawFrame> {
    let mut frames = Vec::new();
    walk::stopped_thread(record, |found, _| {
        frames.push(frame_of(found));
        std::ops::ControlFlow::Continue(())
    });
    frames
}

impl Shared {
    /// A thread has left its outermost activation with its poll byte set.
    #[cold]
    pub(super) fn left(&self, record: &ThreadRecord) {
        record.forget_stale();
        let control = self.control();
        if record.interrupted.load(Ordering::SeqCst) {
            record.take_pending();
            record.clear_interrupt();
        }
        if control.running != Some(token()) {
            drop(self.run_ready(control));
        }
    }

    /// Ends everything; nobody is inside the world any more.
    pub(super) fn close(&self) {
        let mut control = self.control();
        control.closed = true;
        let requests = std::mem::take(&mut control.requests);
        let threads = std::mem::take(&mut control.threads);
        drop(control);
        for request in requests {
            request.result.set(Outcome::Cancelled);
        }
        for record in threads {
            record.release();
        }
        lock(&self.followers).clear();
        let retired = std::mem::take(&mut *lock(&self.retired));
        drop(retired);
        self.rendezvous.changed.notify_all();
        self.pace.notify_all();
    }

    /// Makes sure somebody looks after requests that wait.
    fn start_pacer(self: &Arc<Self>, control: &mut Control) {
        if control.has_pacer {
            return;
        }
        let shared = self.clone();
        let started = std::thread::Builder::new().name("vaisjit-pacer".to_owned()).spawn(move || shared.pace());
        control.has_pacer = started.is_ok();
        if started.is_err() {
            // Nobody could do it later.
            control.requests.iter_mut().for_each(|request| request.meeting.hurry());
            self.ask(control);
            self.relax(control, Duration::ZERO);
        }
    }

    /// Looks whether threads have gone into the host, where they do not report; and lowers the demands of requests that
    /// have waited long.
    fn pace(&self) {
        const SHORTEST: Duration = Duration::from_millis(1);
        const LONGEST: Duration = Duration::from_millis(50);
        let mut pause = SHORTEST;
        let mut control = self.control();
        let mut newest = control.next;
        while !control.closed {
            if control.requests.is_empty() {
                control = self.pace.wait(control).unwrap_or_else(PoisonError::into_inner);
                pause = SHORTEST;
                continue;
            }
            let patience = control.patience_left().into_iter().chain(control.rest_left()).min();
            let patience = patience.unwrap_or(LONGEST).max(SHORTEST);
            let longest = if control.may_stand() { SHORTEST_STAND } else { LONGEST };
            let woken = self
                .pace
                .wait_timeout(control, pause.min(patience).min(longest))
                .unwrap_or_else(PoisonError::into_inner);
            control = woken.0;
            let is_new = std::mem::replace(&mut newest, control.next) != control.next;
            pause = if is_new { SHORTEST } else { (pause * 2).min(LONGEST) };
            self.relax(&mut control, PATIENCE);
            self.let_rest(&mut control);
            control = self.run_ready(control);
        }
    }

    /// Those who have stopped for others that do not come go on for a while.
    fn let_rest(&self, control: &mut Control) {
        let threads = control.threads.clone();
        let mut changed = false;
        for request in control.requests.iter_mut().filter(|request| request.kind != SafepointKind::Sweep) {
            let seen = request.seen(&threads);
            changed |= request.meeting.look(&seen);
        }
        if changed {
            self.ask(control);
            self.finished(control);
        }
    }

    fn relax(&self, control: &mut Control, patience: Duration) {
        let threads = control.threads.clone();
        let (mut changed, mut asks_more) = (false, false);
        for request in control.requests.iter_mut().filter(|request| !request.relaxed && !request.meeting.rests()) {
            let hurried = std::mem::replace(&mut request.hurried, request.since.elapsed() >= SHORT_PATIENCE);
            changed |= request.hurried != hurried;
            if request.since.elapsed() < patience {
                continue;
            }
            changed = true;
            if request.meets() && !patience.is_zero() {
                asks_more |= !request.meeting.is_wide();
                request.lose_patience(&threads);
            } else {
                request.relaxed = true;
            }
        }
        if asks_more {
            self.ask(control);
        }
        if changed {
            self.rendezvous.new_epoch();
            self.rendezvous.changed.notify_all();
        }
    }
}

/// Was it admitted inside a loop? Remembers of whom, for the next time.
fn note_relaxed(request: &Request, threads: &[Arc<ThreadRecord>]) -> bool {
    if request.kind == SafepointKind::Sweep {
        return false;
    }
    for record in threads {
        let hurried = request.hurried && record.is_known_to_turn();
        let has_waited = request.relaxed || request.meeting.is_late(record) || hurried;
        let relaxed = has_waited && level(&**record) == Level::Inner && !request.meeting.excuses(record);
        record.relaxed.store(relaxed, Ordering::Relaxed);
    }
    threads.iter().any(|record| record.relaxed.load(Ordering::Relaxed))
}

impl Party for Shared {
    type Member = ThreadRecord;
    type Request = Request;

    fn rendezvous(&self) -> &Rendezvous<ThreadRecord, Request> {
        &self.rendezvous
    }

    fn token() -> usize {
        token()
    }

    fn run(&self, request: Request, threads: &[Arc<ThreadRecord>]) -> Box<dyn FnOnce()> {
        let relaxed = note_relaxed(&request, threads);
        let stopped = Stopped::new(self, threads.to_vec(), relaxed, request.meeting.age());
        let started = pause::now();
        let action = std::panic::AssertUnwindSafe(|| (request.action)(&stopped));
        let outcome = match std::panic::catch_unwind(action) {
            Ok(()) => {
                let first = threads.iter().filter_map(|record| record.pause.since()).fold(started, u64::min);
                let paused = Duration::from_nanos(pause::now() - first);
                Outcome::Done { relaxed: stopped.relaxed(), waited: stopped.waited(), paused }
            }
            Err(panic) => Outcome::Panicked(super::closure::panic_text(&*panic).to_owned()),
        };
        Box::new(move || request.result.set(outcome))
    }
}

impl Member for ThreadRecord {
    fn poll(&self) -> &AtomicU8 {
        self.poll()
    }

    fn state(&self) -> &AtomicU32 {
        self.state()
    }

    fn stopped_level(&self, state: u32) -> Level {
        if !self.is_active() {
            return Level::AtPoll;
        }
        if self.cleaning.load(Ordering::Acquire) > 0 {
            return Level::CleaningUp;
        }
        if state == AT_SAFEPOINT || self.parked.load(Ordering::Acquire) {
            return Level::Outermost;
        }
        let polls = state == AT_POLL;
        let (mut own_loop, mut inner) = (polls, false);
        walk::stopped_thread(self, |found, _| {
            inner = if std::mem::take(&mut own_loop) { walk::is_nested(found) } else { walk::is_looping(found) };
            if inner { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
        });
        match (inner, polls) {
            (true, _) => Level::Inner,
            (false, true) => Level::AtPoll,
            (false, false) => Level::Outermost,
        }
    }

    /// Is the thread still above the frame that made it refuse last time? On the record's own thread, in an exit or
    /// safepoint thunk.
    fn still_declines(&self) -> bool {
        let declined = &self.declined;
        let frame = declined.frame.load(Ordering::Relaxed);
        let left = declined.left.load(Ordering::Relaxed);
        if left == 0 || frame == 0 || !self.is_active() {
            return false;
        }
        declined.left.store(left - 1, Ordering::Relaxed);
        let current = self.shared.upgrade().map_or(0, |shared| shared.rendezvous.epoch.load(Ordering::SeqCst));
        let exit = self.exit_fp().load(Ordering::Relaxed);
        if declined.epoch.load(Ordering::Relaxed) != current || !self.bounds.holds_word(exit) {
            return false;
        }
        // SAFETY: the frame of the thunk is on this thread's stack; its first word is its caller's frame pointer.
        let caller = unsafe { (exit as *const usize).read() };
        caller < frame
    }

    /// Remembers that no request admits the thread where it is, and why.
    fn decline(&self, epoch: u64) {
        let mut frames = Vec::new();
        let (mut outermost, mut depth) = (0, 0);
        walk::stopped_thread(self, |found, frame| {
            depth += 1;
            if frames.is_empty() || walk::is_looping(found) {
                frames.truncate(1);
                frames.push(frame_of(found));
                outermost = frame.frame_pointer;
            }
            std::ops::ControlFlow::Continue(())
        });
        let until = self.declined.until.swap(0, Ordering::Relaxed);
        let frame = if until == 0 { outermost } else { until.min(outermost) };
        self.declined.frame.store(frame, Ordering::Relaxed);
        self.declined.epoch.store(epoch, Ordering::Relaxed);
        // At the next poll it may be admitted where it is not on its way back from the host.
        let may_change = self.relaxed.load(Ordering::Relaxed) && self.state().load(Ordering::Relaxed) != AT_POLL;
        self.declined.left.store(if may_change { 0 } else { REFUSALS.max(depth) }, Ordering::Relaxed);
        *lock(&self.blocked) = frames;
    }
    fn forget_blocked(&self) {
        lock(&self.blocked).clear();
    }

    fn now(&self) -> u64 {
        pause::now()
    }

    fn stand_still(&self, since: u64) {
        self.pause.begin(since);
    }

    /// Somebody has to look how long.
    fn is_held(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.pace.notify_one();
        }
    }

    fn go_on(&self) {
        self.pause.end();
    }
}
