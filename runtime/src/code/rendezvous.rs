//! The protocol by which threads come to stand still: who sets which byte, who reads what then, and who waits for whom.
//!
//! It knows neither stacks nor code, only what [`Member`] and [`Party`] say: tests/loom compiles this very file against
//! loom and tries all orders in which threads can take its steps.

use std::sync::{Arc, PoisonError};

use vaisjit_abi::context::{AT_SAFEPOINT, RUNNING, poll};

use super::barrier;
use super::sync::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Condvar, Mutex, MutexGuard, Ordering, lock_soon};

/// How far a thread is from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Running,
    /// Stopped while it cleans up after a trap: for sweeps only.
    CleaningUp,
    /// Stopped somewhere inside a loop.
    Inner,
    /// Stopped where a commit may happen.
    Outermost,
    /// Stopped at the poll of its outermost loop, or in no function of the program.
    AtPoll,
}

/// A thread of a world.
pub(super) trait Member {
    /// The poll byte: what others want of the thread.
    fn poll(&self) -> &AtomicU8;
    /// Where the thread is, as it announces it itself.
    fn state(&self) -> &AtomicU32;
    /// How far the thread, which has announced this state and is not running, is from running.
    fn stopped_level(&self, state: u32) -> Level;
    /// Is the thread's last refusal still right? Asked on the thread itself.
    fn still_declines(&self) -> bool;
    /// Nothing that waits admits the thread where it is. On the thread itself.
    fn decline(&self, epoch: u64);
    /// Who waits for this thread does not matter any more.
    fn forget_blocked(&self);
    /// What time it is for [`Member::stand_still`].
    fn now(&self) -> u64;
    /// The thread has stopped then; on the thread itself, as is [`Member::go_on`].
    fn stand_still(&self, since: u64);
    /// It stands there until somebody lets it go on.
    fn is_held(&self);
    /// It goes on.
    fn go_on(&self);
}

/// What is run while the threads stand still.
pub(super) trait Admission<M> {
    /// May it run while a thread that it asks is there?
    fn admits(&self, member: &M, level: Level) -> bool;
    /// Does it ask this thread to stop by now?
    fn asks(&self, member: &M) -> bool;
    /// Does it ask nobody for a while, and is not run either?
    fn rests(&self) -> bool;
    /// All threads that it asks have stopped: does it ask more of them from now on?
    fn widen(&mut self, members: &[Arc<M>]) -> bool;
}

/// What the members of a rendezvous agree on, under its lock.
pub(super) struct Control<M, R> {
    pub(super) threads: Vec<Arc<M>>,
    pub(super) requests: Vec<R>,
    /// The thread that runs a request now.
    pub(super) running: Option<usize>,
    /// Number of the next request.
    pub(super) next: u64,
    pub(super) has_pacer: bool,
    pub(super) closed: bool,
}

/// Where the threads of a world meet.
pub(super) struct Rendezvous<M, R> {
    control: Mutex<Control<M, R>>,
    /// Signalled when requests come, go or are run, for threads that wait in safepoints.
    pub(super) changed: Condvar,
    /// Changes whenever a refusal that a thread remembers may be wrong.
    pub(super) epoch: AtomicU64,
}

impl<M, R> Rendezvous<M, R> {
    /// One that nobody has come to.
    pub(super) fn new() -> Rendezvous<M, R> {
        let (threads, requests) = (Vec::new(), Vec::new());
        let control = Control { threads, requests, running: None, next: 0, has_pacer: false, closed: false };
        Rendezvous { control: Mutex::new(control), changed: Condvar::new(), epoch: AtomicU64::new(1) }
    }

    pub(super) fn control(&self) -> MutexGuard<'_, Control<M, R>> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for a thread that has come to a safepoint: whoever makes a request is about to let go.
    fn control_soon(&self) -> MutexGuard<'_, Control<M, R>> {
        lock_soon(&self.control)
    }

    pub(super) fn wait<'a>(&self, control: MutexGuard<'a, Control<M, R>>) -> MutexGuard<'a, Control<M, R>> {
        self.changed.wait(control).unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn new_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

impl<M: Member, R: Admission<M>> Control<M, R> {
    /// A thread comes that has not been in the world before. It is in the host.
    pub(super) fn add_thread(&mut self, member: Arc<M>) {
        if self.is_asked(&*member) || self.running.is_some() {
            member.poll().fetch_or(poll::STOP, Ordering::SeqCst);
        }
        self.threads.push(member);
    }

    pub(super) fn remove_thread(&mut self, member: &Arc<M>) {
        self.threads.retain(|other| !Arc::ptr_eq(other, member));
    }

    /// Is there a request that asks a thread to stop?
    fn is_asked(&self, member: &M) -> bool {
        self.requests.iter().any(|request| request.asks(member))
    }

    /// Have all threads stopped that this request asks?
    fn is_ready(&self, request: &R) -> bool {
        let has_stopped = |member: &M| !request.asks(member) || request.admits(member, level(member));
        self.running.is_none() && !request.rests() && self.threads.iter().all(|member| has_stopped(member))
    }
}

/// Where a thread is that is asked to stop. It cannot go away from there while the control is locked and its poll byte is
/// set, unless it is running.
pub(super) fn level(member: &impl Member) -> Level {
    let state = member.state().load(Ordering::Acquire);
    let is_asked = || member.poll().load(Ordering::Acquire) & poll::STOP != 0;
    debug_assert!(state == RUNNING || is_asked(), "nobody has asked it to stop");
    level_in(member, state)
}

/// The same of a thread that has announced this state, or does so itself.
fn level_in(member: &impl Member, state: u32) -> Level {
    if state == RUNNING { Level::Running } else { member.stopped_level(state) }
}

/// A thread announces that it runs from now on; gives what is wanted of it, which it has to look at first.
pub(super) fn announce(member: &impl Member) -> u8 {
    member.state().store(RUNNING, Ordering::Relaxed);
    barrier::light();
    // Acquire: a whole request may have come and gone while the thread was in the host. What it has changed is seen.
    member.poll().load(Ordering::Acquire)
}

/// A thread is to end what it runs with a trap, at its next poll; `stop_calls` makes its next call trap.
pub(super) fn interrupt(poll: &AtomicU8, interrupted: &AtomicBool, stop_calls: impl FnOnce()) {
    interrupted.store(true, Ordering::SeqCst);
    stop_calls();
    poll.fetch_or(poll::TRAP, Ordering::SeqCst);
}

/// A trap that was to be raised at a poll has been. An interrupt that comes meanwhile is one more. On the thread itself.
pub(super) fn trap_is_taken(poll: &AtomicU8, interrupted: &AtomicBool) {
    poll.fetch_and(!poll::TRAP, Ordering::SeqCst);
    if interrupted.load(Ordering::SeqCst) {
        poll.fetch_or(poll::TRAP, Ordering::SeqCst);
    }
}

/// What the members of a party agree on, locked.
type Locked<'a, P> = MutexGuard<'a, Control<<P as Party>::Member, <P as Party>::Request>>;

/// A world, as far as its threads meet.
pub(super) trait Party {
    type Member: Member;
    type Request: Admission<Self::Member>;

    fn rendezvous(&self) -> &Rendezvous<Self::Member, Self::Request>;

    /// A number no other living thread has.
    fn token() -> usize;

    /// Runs a request, all threads standing still. What it gives is called once they may go on.
    fn run(&self, request: Self::Request, threads: &[Arc<Self::Member>]) -> Box<dyn FnOnce()>;

    /// Makes a request, the control being locked: runs it now if no thread runs, or else leaves it to the thread that
    /// stops last. It runs no other: who makes a request may hold what another one waits for.
    fn submit<'a>(&'a self, mut control: Locked<'a, Self>, request: Self::Request) -> Locked<'a, Self> {
        let own = control.requests.len();
        control.requests.push(request);
        self.ask(&control);
        let mut has_run = false;
        while !has_run && control.is_ready(&control.requests[own]) {
            (control, has_run) = self.serve(control, own);
        }
        control
    }

    /// Sets the poll bytes of all threads that a request asks.
    fn ask(&self, control: &Control<Self::Member, Self::Request>) {
        for member in control.threads.iter().filter(|member| control.is_asked(member)) {
            member.poll().fetch_or(poll::STOP, Ordering::SeqCst);
        }
        self.rendezvous().new_epoch();
        barrier::heavy();
    }

    /// A thread that has announced that it runs, coming from this state, waits if it is wanted.
    fn stop_if_asked(&self, member: &Self::Member, state: u32) {
        if member.poll().load(Ordering::Acquire) & poll::STOP != 0 {
            self.arrive(member, state);
        }
    }

    /// A thread has come to a place where it may be stopped. Returns when it may go on; its state is `RUNNING` then.
    #[cold]
    fn arrive(&self, member: &Self::Member, state: u32) {
        let meeting = self.rendezvous();
        let since = member.now();
        let mut control = meeting.control_soon();
        if control.running == Some(Self::token()) {
            return;
        }
        if control.running.is_none() && state != AT_SAFEPOINT && member.still_declines() {
            return;
        }
        member.stand_still(since);
        member.state().store(state, Ordering::Release);
        loop {
            control = self.run_ready(control);
            if control.running.is_none() {
                let trapping = member.poll().load(Ordering::Relaxed) & poll::TRAP != 0;
                // What is deferred in a call that has trapped is run by a thread that counts as running: nobody can hold it.
                let level = level_in(member, state);
                let holds = |request: &Self::Request| request.asks(member) && request.admits(member, level);
                if trapping || !control.requests.iter().any(holds) {
                    break;
                }
            }
            member.is_held();
            control = meeting.wait(control);
        }
        if control.is_asked(member) {
            member.decline(meeting.epoch.load(Ordering::SeqCst));
        }
        member.state().store(RUNNING, Ordering::Relaxed);
        member.go_on();
    }

    /// Runs all requests that every thread has stopped for.
    fn run_ready<'a>(&'a self, mut control: Locked<'a, Self>) -> Locked<'a, Self> {
        while let Some(index) = control.requests.iter().position(|request| control.is_ready(request)) {
            control = self.serve(control, index).0;
        }
        control
    }

    /// All threads have stopped that a request asks: it asks more of them, or is run. True if it has been.
    fn serve<'a>(&'a self, mut control: Locked<'a, Self>, index: usize) -> (Locked<'a, Self>, bool) {
        let threads = control.threads.clone();
        if control.requests[index].widen(&threads) {
            self.ask(&control);
            return (control, false);
        }
        let request = control.requests.remove(index);
        control.running = Some(Self::token());
        // Notes of who waits for whom would keep code alive.
        control.threads.iter().for_each(|member| member.forget_blocked());
        drop(control);
        let tell = self.run(request, &threads);
        drop(threads);
        control = self.rendezvous().control();
        control.running = None;
        self.finished(&control);
        tell();
        (control, true)
    }

    /// A request has gone, or asks for less.
    fn finished(&self, control: &Control<Self::Member, Self::Request>) {
        self.rendezvous().new_epoch();
        // While one runs nobody is let go.
        let is_free = |member: &&Arc<Self::Member>| control.running.is_none() && !control.is_asked(member);
        for member in control.threads.iter().filter(is_free) {
            member.poll().fetch_and(!poll::STOP, Ordering::SeqCst);
        }
        self.rendezvous().changed.notify_all();
    }
}
