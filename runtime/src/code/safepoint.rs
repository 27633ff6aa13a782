//! Bringing all threads to a safepoint, to do something while none of them runs generated code.
//!
//! Nobody is interrupted: a request sets the poll byte of every thread, and the thread that arrives last runs it. A
//! thread inside the host counts as having arrived; when it comes back, the gate holds it while a request runs.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use vaisjit_abi::context::{AT_POLL, AT_SAFEPOINT, RUNNING, poll};

use super::barrier;
use super::pause;
use super::stopped::Stopped;
use super::thread::{ThreadRecord, token};
use super::traps::{RawFrame, frame_of};
use super::walk;
use super::world::{Shared, World, lock};

/// How long a commit waits for the outermost loops before inner ones are admitted too.
pub const PATIENCE: Duration = Duration::from_millis(250);
/// How many polls rely on a refusal before the stack is looked at again, or as many as it has frames if these are more: else
/// a deep recursion through loops would do nothing but look. Chosen by feel.
const REFUSALS: u32 = 64;

/// What a request asks of the threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SafepointKind {
    /// Every thread is outside all loops but the outermost one of its stack, or at an explicit safepoint; after
    /// [`PATIENCE`] anywhere a `Sweep` could run.
    Commit,
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

struct Request {
    number: u64,
    kind: SafepointKind,
    action: Action,
    since: Instant,
    relaxed: bool,
    result: Arc<Pending>,
}

#[derive(Default)]
struct Pending {
    outcome: Mutex<Option<Outcome>>,
    done: Condvar,
}

/// The state of a world's safepoints.
#[derive(Default)]
pub(super) struct Control {
    threads: Vec<Arc<ThreadRecord>>,
    requests: Vec<Request>,
    /// The thread that runs a request now.
    running: Option<usize>,
    next: u64,
    has_pacer: bool,
    closed: bool,
}

/// How far a thread is from running.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Running,
    /// Stopped while it cleans up after a trap: for sweeps only.
    CleaningUp,
    /// Stopped somewhere inside a loop.
    Inner,
    /// Stopped where a commit may happen.
    Outermost,
}

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
        control.requests.push(Request { number, kind, action, since: Instant::now(), relaxed: false, result });
        for record in &control.threads {
            record.poll().fetch_or(poll::STOP, Ordering::SeqCst);
        }
        self.new_epoch();
        barrier::heavy();
        control = self.run_ready(control);
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
        shared.finished(&mut control);
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
            let level = level(record);
            if !request.admits(level) && best.is_empty() {
                best = if level == Level::Running { lock(&record.blocked).clone() } else { frames(record) };
            }
        }
        best
    }
}

impl Request {
    fn admits(&self, level: Level) -> bool {
        let wanted = match (self.kind, self.relaxed) {
            (SafepointKind::Sweep, _) => Level::CleaningUp,
            (SafepointKind::Commit, true) => Level::Inner,
            (SafepointKind::Commit, false) => Level::Outermost,
        };
        level >= wanted
    }
}

impl Pending {
    fn set(&self, outcome: Outcome) {
        *lock(&self.outcome) = Some(outcome);
        self.done.notify_all();
    }
}

impl Control {
    pub(super) fn threads(&self) -> &[Arc<ThreadRecord>] {
        &self.threads
    }

    pub(super) fn add_thread(&mut self, record: Arc<ThreadRecord>) {
        if !self.requests.is_empty() || self.running.is_some() {
            record.poll().fetch_or(poll::STOP, Ordering::SeqCst);
        }
        self.threads.push(record);
    }

    pub(super) fn remove_thread(&mut self, record: &Arc<ThreadRecord>) {
        self.threads.retain(|other| !Arc::ptr_eq(other, record));
    }

    /// Is this thread in the middle of an action, with all others stopped?
    pub(super) fn runs_here(&self) -> bool {
        self.running == Some(token())
    }

    /// When the next request gets impatient.
    fn patience_left(&self) -> Option<Duration> {
        let strict = self.requests.iter().filter(|request| !request.relaxed);
        strict.map(|request| PATIENCE.saturating_sub(request.since.elapsed())).min()
    }

    /// A request that all threads have stopped for.
    fn ready(&self) -> Option<usize> {
        if self.requests.is_empty() {
            return None;
        }
        let level = self.threads.iter().map(|record| level(record)).min().unwrap_or(Level::Outermost);
        self.requests.iter().position(|request| request.admits(level))
    }
}

/// Where a thread is. It cannot go away from there while the control is locked and its poll byte is set, unless it is
/// running.
fn level(record: &ThreadRecord) -> Level {
    match record.state().load(Ordering::Acquire) {
        RUNNING => Level::Running,
        _ if !record.is_active() => Level::Outermost,
        _ if record.cleaning.load(Ordering::Acquire) > 0 => Level::CleaningUp,
        AT_SAFEPOINT => Level::Outermost,
        state => {
            let mut own_loop = state == AT_POLL;
            let mut inner = false;
            walk::stopped_thread(record, |found, _| {
                inner = !std::mem::take(&mut own_loop) && walk::is_looping(found);
                if inner { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
            });
            if inner { Level::Inner } else { Level::Outermost }
        }
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
    pub(super) fn new_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// A thread has come to a place where it may be stopped. Returns when it may go on; its state is `RUNNING` then.
    #[cold]
    pub(super) fn arrive(&self, record: &ThreadRecord, state: u32) {
        let mut control = self.control();
        if control.running == Some(token()) {
            return;
        }
        if control.running.is_none() && state != AT_SAFEPOINT && record.still_declines() {
            return;
        }
        record.pause.begin();
        record.state().store(state, Ordering::Release);
        loop {
            control = self.run_ready(control);
            if control.running.is_none() {
                let trapping = record.poll().load(Ordering::Relaxed) & poll::TRAP != 0;
                let level = level(record);
                if trapping || !control.requests.iter().any(|request| request.admits(level)) {
                    break;
                }
            }
            control = self.changed.wait(control).unwrap_or_else(PoisonError::into_inner);
        }
        if !control.requests.is_empty() {
            record.decline(self.epoch.load(Ordering::SeqCst));
        }
        record.state().store(RUNNING, Ordering::Relaxed);
        record.pause.end();
    }

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

    /// Runs all requests that every thread has stopped for.
    fn run_ready<'a>(&'a self, mut control: MutexGuard<'a, Control>) -> MutexGuard<'a, Control> {
        while control.running.is_none()
            && let Some(index) = control.ready()
        {
            let request = control.requests.remove(index);
            control.running = Some(token());
            // Notes of who waits for whom would keep code alive.
            control.threads.iter().for_each(|record| lock(&record.blocked).clear());
            let stopped = Stopped::new(self, control.threads.clone(), request.relaxed, request.since.elapsed());
            drop(control);
            let started = pause::now();
            let action = std::panic::AssertUnwindSafe(|| (request.action)(&stopped));
            let outcome = match std::panic::catch_unwind(action) {
                Ok(()) => {
                    let first =
                        stopped.threads().iter().filter_map(|record| record.pause.since()).fold(started, u64::min);
                    let paused = Duration::from_nanos(pause::now() - first);
                    Outcome::Done { relaxed: stopped.relaxed(), waited: stopped.waited(), paused }
                }
                Err(panic) => Outcome::Panicked(super::closure::panic_text(&*panic).to_owned()),
            };
            drop(stopped);
            control = self.control();
            control.running = None;
            self.finished(&mut control);
            request.result.set(outcome);
        }
        control
    }

    /// A request has gone.
    fn finished(&self, control: &mut Control) {
        self.new_epoch();
        for record in &control.threads {
            if control.requests.is_empty() {
                record.poll().fetch_and(!poll::STOP, Ordering::SeqCst);
            }
        }
        self.changed.notify_all();
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
        self.changed.notify_all();
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
        while !control.closed {
            if control.requests.is_empty() {
                control = self.pace.wait(control).unwrap_or_else(PoisonError::into_inner);
                pause = SHORTEST;
                continue;
            }
            let patience = control.patience_left().unwrap_or(LONGEST).max(SHORTEST);
            let woken = self.pace.wait_timeout(control, pause.min(patience)).unwrap_or_else(PoisonError::into_inner);
            control = woken.0;
            pause = if woken.1.timed_out() { (pause * 2).min(LONGEST) } else { SHORTEST };
            self.relax(&mut control, PATIENCE);
            control = self.run_ready(control);
        }
    }

    fn relax(&self, control: &mut Control, patience: Duration) {
        let mut changed = false;
        for request in control.requests.iter_mut().filter(|request| !request.relaxed) {
            request.relaxed = request.since.elapsed() >= patience;
            changed |= request.relaxed;
        }
        if changed {
            self.new_epoch();
            self.changed.notify_all();
        }
    }
}

impl ThreadRecord {
    /// Is the thread still above the frame that made it refuse last time? On the record's own thread, in an exit or
    /// safepoint thunk.
    pub(super) fn still_declines(&self) -> bool {
        let declined = &self.declined;
        let frame = declined.frame.load(Ordering::Relaxed);
        let left = declined.left.load(Ordering::Relaxed);
        if left == 0 || frame == 0 || !self.is_active() {
            return false;
        }
        declined.left.store(left - 1, Ordering::Relaxed);
        let current = self.shared.upgrade().map_or(0, |shared| shared.epoch.load(Ordering::SeqCst));
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
        self.declined.frame.store(outermost, Ordering::Relaxed);
        self.declined.epoch.store(epoch, Ordering::Relaxed);
        self.declined.left.store(REFUSALS.max(depth), Ordering::Relaxed);
        *lock(&self.blocked) = frames;
    }
}
