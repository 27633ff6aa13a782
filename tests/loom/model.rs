//! A world of threads that do what generated code does: enter, poll, call the host. What they touch while they run is in
//! cells, so that loom sees when something else touches it at the same time.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::atomic::AtomicUsize;
use loom::thread;
use vaisjit_abi::context::{AT_POLL, IN_HOST, poll};

use crate::rendezvous::{Admission, Control, Level, Member, Party, Rendezvous, announce, interrupt};
use crate::sync::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, MutexGuard, Ordering};

/// Memory that only the protocol protects.
pub struct Memory<T>(UnsafeCell<T>);

// SAFETY: as for `get` and `set`.
unsafe impl<T: Send> Sync for Memory<T> {}

impl<T: Copy> Memory<T> {
    fn new(value: T) -> Memory<T> {
        Memory(UnsafeCell::new(value))
    }

    pub fn get(&self) -> T {
        // SAFETY: loom ends the test if somebody may write at the same time.
        self.0.with(|value| unsafe { *value })
    }

    pub fn set(&self, new: T) {
        // SAFETY: loom ends the test if somebody may read or write at the same time.
        self.0.with_mut(|value| unsafe { *value = new });
    }
}

/// What a walk over a thread's stack shows.
#[derive(Clone, Copy, Default)]
pub struct Stack {
    /// Is its innermost frame in an inner loop?
    pub is_inner: bool,
    /// The unit of code it is in.
    pub unit: Option<usize>,
}

/// One thread.
pub struct Thread {
    poll: AtomicU8,
    state: AtomicU32,
    interrupted: AtomicBool,
    /// Changed by the thread while it runs, read while it is stopped.
    pub stack: Memory<Stack>,
    /// The epoch of its last refusal.
    declined: AtomicU64,
}

type Act = Box<dyn FnOnce(&World, &[Arc<Thread>]) + Send>;

/// A request.
pub struct Request {
    is_commit: bool,
    /// The only thread that is asked at first.
    awaited: Option<Arc<Thread>>,
    act: Act,
    done: Arc<AtomicBool>,
}

/// Threads, two slots and the units of code that these lead to.
pub struct World {
    rendezvous: Rendezvous<Thread, Request>,
    pub slots: [AtomicUsize; 2],
    /// Is the unit's code there? Running it reads this.
    pub units: [Memory<bool>; 2],
}

loom::thread_local! {
    static TOKEN: u64 = 0;
}

/// Tries a model, with at most so many switches away from a thread that could go on.
pub fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// A request's end, for the one who made it.
pub struct Ticket(Arc<AtomicBool>);

impl Ticket {
    pub fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl World {
    pub fn new() -> Arc<World> {
        let slots = [AtomicUsize::new(0), AtomicUsize::new(0)];
        let units = [Memory::new(true), Memory::new(true)];
        Arc::new(World { rendezvous: Rendezvous::new(), slots, units })
    }

    /// A thread's record, made when it comes for the first time.
    pub fn join(&self) -> Arc<Thread> {
        let (poll, state) = (AtomicU8::new(0), AtomicU32::new(IN_HOST));
        let stack = Memory::new(Stack::default());
        let thread =
            Arc::new(Thread { poll, state, interrupted: AtomicBool::new(false), stack, declined: AtomicU64::new(0) });
        self.rendezvous.control().add_thread(thread.clone());
        thread
    }

    /// A thread ends.
    pub fn part(&self, thread: &Arc<Thread>) {
        self.rendezvous.control().remove_thread(thread);
    }

    /// A request for a commit.
    pub fn commit(&self, act: impl FnOnce(&World, &[Arc<Thread>]) + Send + 'static) -> Ticket {
        self.request(true, None, Box::new(act))
    }

    /// A request that any poll serves.
    pub fn sweep(&self, act: impl FnOnce(&World, &[Arc<Thread>]) + Send + 'static) -> Ticket {
        self.request(false, None, Box::new(act))
    }

    /// A request for a commit that asks the others only once this thread has stopped.
    pub fn commit_after(
        &self,
        thread: &Arc<Thread>,
        act: impl FnOnce(&World, &[Arc<Thread>]) + Send + 'static,
    ) -> Ticket {
        self.request(true, Some(thread.clone()), Box::new(act))
    }

    fn request(&self, is_commit: bool, awaited: Option<Arc<Thread>>, act: Act) -> Ticket {
        let done = Arc::new(AtomicBool::new(false));
        let request = Request { is_commit, awaited, act, done: done.clone() };
        drop(self.submit(self.control(), request));
        Ticket(done)
    }

    /// The pacer: looks until the request is done, as a thread that goes into the host does not report.
    pub fn pace(&self, ticket: &Ticket) {
        while !ticket.is_done() {
            self.look();
            thread::yield_now();
        }
    }

    fn look(&self) {
        drop(self.run_ready(self.control()));
    }

    fn control(&self) -> MutexGuard<'_, Control<Thread, Request>> {
        self.rendezvous.control()
    }

    /// Interrupts a thread, wherever it is.
    pub fn interrupt(&self, thread: &Thread) {
        let control = self.control();
        interrupt(&thread.poll, &thread.interrupted, || ());
        drop(control);
        self.rendezvous.changed.notify_all();
    }

    /// The way into generated code and out of it.
    pub fn enter(&self, thread: &Thread, body: impl FnOnce()) {
        let state = thread.state.load(Ordering::Relaxed);
        if announce(thread) != 0 {
            self.stop_if_asked(thread, state);
        }
        let outer = thread.stack.get();
        body();
        thread.stack.set(outer);
        thread.state.store(state, Ordering::Release);
        if thread.poll.load(Ordering::Relaxed) != 0 && self.control().running != Some(Self::token()) {
            self.look();
        }
    }

    /// The poll of a loop.
    pub fn poll(&self, thread: &Thread) {
        if thread.poll.load(Ordering::Relaxed) & poll::STOP != 0 && !thread.still_declines() {
            self.arrive(thread, AT_POLL);
        }
    }

    /// An exit thunk.
    pub fn host_call(&self, thread: &Thread, body: impl FnOnce()) {
        thread.state.store(IN_HOST, Ordering::Release);
        body();
        if announce(thread) != 0 {
            self.stop_if_asked(thread, IN_HOST);
        }
    }
}

impl Party for World {
    type Member = Thread;
    type Request = Request;

    fn rendezvous(&self) -> &Rendezvous<Thread, Request> {
        &self.rendezvous
    }

    fn token() -> usize {
        TOKEN.with(|token| std::ptr::from_ref(token) as usize)
    }

    fn run(&self, request: Request, threads: &[Arc<Thread>]) -> Box<dyn FnOnce()> {
        (request.act)(self, threads);
        Box::new(move || request.done.store(true, Ordering::Release))
    }
}

impl Admission<Thread> for Request {
    fn admits(&self, _: &Thread, level: Level) -> bool {
        level >= if self.is_commit { Level::Outermost } else { Level::CleaningUp }
    }

    fn asks(&self, thread: &Thread) -> bool {
        self.awaited.as_ref().is_none_or(|awaited| std::ptr::eq(&**awaited, thread))
    }

    fn rests(&self) -> bool {
        false
    }

    fn widen(&mut self, _: &[Arc<Thread>]) -> bool {
        self.awaited.take().is_some()
    }
}

impl Member for Thread {
    fn poll(&self) -> &AtomicU8 {
        &self.poll
    }

    fn state(&self) -> &AtomicU32 {
        &self.state
    }

    fn stopped_level(&self, _: u32) -> Level {
        if self.stack.get().is_inner { Level::Inner } else { Level::Outermost }
    }

    fn still_declines(&self) -> bool {
        self.stack.get().is_inner && self.declined.load(Ordering::Relaxed) != 0
    }

    fn decline(&self, epoch: u64) {
        self.declined.store(epoch, Ordering::Relaxed);
    }

    fn forget_blocked(&self) {}

    fn now(&self) -> u64 {
        0
    }

    fn stand_still(&self, _: u64) {}

    fn is_held(&self) {}

    fn go_on(&self) {}
}
