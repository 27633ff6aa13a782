//! `std/thread`: threads that a program starts itself, and where they wait for each other.
//!
//! Everything here that blocks is a plain host function: a thread that waits counts as stopped, so that a reload need
//! not wait for it. It looks up now and then, and ends when the program is interrupted.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use vaisjit_abi::HostFlags;
use vaisjit_codegen::shape::shape;
use vaisjit_semantics::types::TyList;
use vaisjit_semantics::{Ty, TyKind};

use crate::code::closure::{FunctionValue, HostClosure, IntoHostClosure};
use crate::events::Event;
use crate::hot::{Ending, is_restart};
use crate::program::ProgramInner;
use crate::reload::guards::is_thread_start;
use crate::trap::TrapCode;

/// Room for the calls of a thread, in bytes: as much as `main` usually has. Memory is only taken for what is used.
const STACK: usize = 8 << 20;
/// How often who waits looks whether the program has been interrupted. Chosen by feel.
const LOOK: Duration = Duration::from_millis(50);
/// How often who waits for the end of all threads looks.
const LOOK_FOR_END: Duration = Duration::from_millis(1);

/// Why code that runs inside a reload cannot wait for a thread.
const STANDS: &str = "it waits for another thread, and all stand still until the reload is over";

/// The threads of one program.
#[derive(Default)]
pub(crate) struct Threads {
    last: AtomicI64,
    /// Those that have not been joined.
    known: Mutex<HashMap<i64, Arc<Spawned>>>,
    /// How many have not ended.
    going: AtomicUsize,
    /// Who waits, in order.
    parked: Mutex<Vec<Arc<Parked>>>,
    /// While a version is tried: the threads that it has started. They begin once it is live for good.
    held: Mutex<Option<Vec<Start>>>,
}

/// A thread that has been asked for.
struct Start {
    id: i64,
    thread: Arc<Spawned>,
    function: FunctionValue,
    argument: i64,
}

/// One thread.
#[derive(Default)]
struct Spawned {
    result: Mutex<Option<Result<i64, String>>>,
    ended: Condvar,
}

/// One thread that waits for a number to change.
struct Parked {
    address: i64,
    thread: std::thread::Thread,
    woken: AtomicBool,
}

thread_local! {
    /// What the last `join` of this thread found.
    static JOINED: RefCell<Result<i64, String>> = const { RefCell::new(Ok(0)) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The host functions of `std/thread` for one program; without a program they can only be declared.
pub(crate) fn functions(program: &Weak<ProgramInner>) -> Vec<(&'static str, HostClosure, HostFlags)> {
    let with = |program: &Weak<ProgramInner>| {
        let program = program.clone();
        move || program.upgrade().ok_or_else(|| "the program is being dropped".to_owned())
    };
    let (spawn, join, is_done) = (with(program), with(program), with(program));
    let (park, wake) = (with(program), with(program));
    let all = [
        (
            "thread_spawn",
            (move |f: FunctionValue, argument: i64| spawn().and_then(|p| p.spawn(f, argument))).into_host_closure(),
        ),
        ("thread_join", (move |id: i64| join().and_then(|p| p.join(id))).into_host_closure()),
        ("thread_result", (|| JOINED.with_borrow(|last| *last.as_ref().unwrap_or(&0))).into_host_closure()),
        (
            "thread_error",
            (|| JOINED.with_borrow(|last| last.as_ref().err().cloned().unwrap_or_default())).into_host_closure(),
        ),
        ("thread_is_done", (move |id: i64| is_done().map(|p| p.threads.is_done(id))).into_host_closure()),
        ("thread_park", (move |at: i64, expected: i64| park().and_then(|p| p.park(at, expected))).into_host_closure()),
        ("thread_wake", (move |at: i64, most: i64| wake().map(|p| p.threads.wake(at, most))).into_host_closure()),
        ("thread_yield", std::thread::yield_now.into_host_closure()),
        (
            "thread_cores",
            (|| std::thread::available_parallelism().map_or(1, |cores| cores.get() as i64)).into_host_closure(),
        ),
    ];
    all.into_iter().map(|(name, closure)| (name, closure, HostFlags::default())).collect()
}

impl Spawned {
    fn finish(&self, result: Result<i64, String>) {
        *lock(&self.result) = Some(result);
        self.ended.notify_all();
    }
}

impl Threads {
    fn find(&self, id: i64) -> Option<Arc<Spawned>> {
        lock(&self.known).get(&id).cloned()
    }

    fn is_done(&self, id: i64) -> bool {
        self.find(id).is_none_or(|thread| lock(&thread.result).is_some())
    }

    /// Wakes the first that wait there, all if `most` is negative.
    fn wake(&self, address: i64, most: i64) {
        let mut left = usize::try_from(most).unwrap_or(usize::MAX);
        lock(&self.parked).retain(|parked| {
            if left == 0 || parked.address != address {
                return true;
            }
            left -= 1;
            parked.woken.store(true, Ordering::Release);
            parked.thread.unpark();
            false
        });
    }
}

impl Threads {
    /// Have all threads of the program's ended? One that has not may be on its way into it, with a value that only its
    /// cell holds.
    pub fn have_ended(&self) -> bool {
        self.going.load(Ordering::SeqCst) == 0
    }

    /// Waits until they have, but not longer than this.
    pub fn wait_for_all(&self, longest: Duration) {
        let since = Instant::now();
        while !self.have_ended() && since.elapsed() < longest {
            std::thread::sleep(LOOK_FOR_END);
        }
    }
}

impl ProgramInner {
    /// Calls a function of the program in a thread of its own. The thread keeps the program alive.
    fn spawn(self: &Arc<Self>, function: FunctionValue, argument: i64) -> Result<i64, String> {
        // Here the calling thread is stopped; it would not be when the new one enters.
        self.world.expect_threads();
        let id = self.threads.last.fetch_add(1, Ordering::Relaxed) + 1;
        let thread = Arc::<Spawned>::default();
        lock(&self.threads.known).insert(id, thread.clone());
        self.threads.going.fetch_add(1, Ordering::SeqCst);
        let start = Start { id, thread, function, argument };
        if self.world.acts_here()
            && let Some(held) = lock(&self.threads.held).as_mut()
        {
            held.push(start);
            return Ok(id);
        }
        self.start(start).inspect_err(|_| _ = lock(&self.threads.known).remove(&id))?;
        Ok(id)
    }

    fn start(self: &Arc<Self>, start: Start) -> Result<(), String> {
        let Start { id, thread, function, argument } = start;
        let program = self.clone();
        let run = move || {
            thread.finish(program.run_thread(function, argument));
            program.threads.going.fetch_sub(1, Ordering::SeqCst);
        };
        let started = std::thread::Builder::new().name(format!("vais-{id}")).stack_size(STACK).spawn(run);
        started.map(|_| ()).map_err(|error| {
            self.threads.going.fetch_sub(1, Ordering::SeqCst);
            format!("a thread cannot be started: {error}")
        })
    }

    /// From now on the threads that code of a version starts which is being tried wait for what becomes of it.
    pub fn hold_threads(&self) {
        lock(&self.threads.held).get_or_insert_default();
    }

    /// It is decided: those that have not been forgotten begin.
    pub fn start_held(self: &Arc<Self>) {
        let held = lock(&self.threads.held).take();
        for start in held.unwrap_or_default() {
            let thread = start.thread.clone();
            if let Err(why) = self.start(start) {
                self.tell(&Event::Notice(why.clone()));
                thread.finish(Err(why));
            }
        }
    }

    /// The version is not to be live: the threads that it has started never begin, and what they would have run is given
    /// up. While its types and its functions are there.
    pub fn forget_held(&self) {
        let forgotten = lock(&self.threads.held).as_mut().map(std::mem::take).unwrap_or_default();
        if forgotten.is_empty() {
            return;
        }
        let (checked, layouts) = {
            let live = self.live();
            (live.checked.clone(), live.layouts.clone())
        };
        // What a thread runs is a function without parameters, which looks the same in all versions.
        let function_of = Ty::new(TyKind::Function(TyList::new(&[]), Ty::i64()));
        let shape = |ty: Ty| shape(ty, &checked, &*layouts);
        for Start { id, function, argument, .. } in forgotten {
            lock(&self.threads.known).remove(&id);
            self.threads.going.fetch_sub(1, Ordering::SeqCst);
            let instance = self.linkage().instance_at(function.0);
            if instance.is_some_and(|instance| is_thread_start(&instance)) {
                self.world.heap().free_cell(argument as usize, function_of, &shape);
            }
        }
    }

    /// A wait for other threads leads nowhere while all of them stand still.
    fn may_wait(&self) -> Result<(), String> {
        match self.world.acts_here() {
            true => Err(STANDS.to_owned()),
            false => Ok(()),
        }
    }

    /// The thread's value, or the message of its trap, which is reported too.
    fn run_thread(self: &Arc<Self>, function: FunctionValue, argument: i64) -> Result<i64, String> {
        let trap = match self.call_value(function, argument) {
            Ok(value) => return Ok(value),
            Err(trap) => trap,
        };
        match self.control.ending() {
            // The end has been asked for by somebody else: it is not this thread's business to interrupt the others.
            _ if trap.code == TrapCode::Interrupted => {}
            Some(ending) => self.end_from_thread(ending),
            // `main` has come to its end by itself, and is about to start again or has.
            None if is_restart(&trap) => {}
            None => {
                self.tell_trap(&trap);
                let text = "the trap has ended its thread, the others run on; `join` gives its message as an `Err`";
                self.tell(&Event::Notice(text.to_owned()));
            }
        }
        Err(trap.message)
    }

    /// `exit` or `hot_restart` was called in this thread: `main` has to return.
    fn end_from_thread(self: &Arc<Self>, ending: Ending) {
        if !self.main_is_running() {
            return;
        }
        self.interrupt();
        if let Ending::Exit(status) = ending {
            crate::signals::end_soon(self, status);
        }
    }

    /// Waits for a thread; `thread_result` or `thread_error` tells what became of it.
    fn join(&self, id: i64) -> Result<bool, String> {
        if !self.threads.is_done(id) {
            self.may_wait()?;
        }
        let result = match self.threads.find(id) {
            Some(thread) => self.world.parked(|| self.wait_for(&thread)),
            None => Some(Err("the thread has been joined already".to_owned())),
        };
        // An interrupt is on its way.
        let Some(result) = result else { return Ok(false) };
        lock(&self.threads.known).remove(&id);
        let worked = result.is_ok();
        JOINED.set(result);
        Ok(worked)
    }

    fn wait_for(&self, thread: &Spawned) -> Option<Result<i64, String>> {
        let mut result = lock(&thread.result);
        while result.is_none() && !self.world.is_interrupted_here() {
            result = thread.ended.wait_timeout(result, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        result.clone()
    }

    /// Waits until somebody calls `wake` for the address, unless the number there is not the expected one. May return before:
    /// who waits looks again, in a loop, where a reload can find the thread and take it over.
    fn park(&self, address: i64, expected: i64) -> Result<(), String> {
        let number = || self.world.heap().atomic(address).ok_or("there is no atomic number to wait for");
        let parked = Arc::new(Parked { address, thread: std::thread::current(), woken: AtomicBool::new(false) });
        {
            // Who changes the number calls `wake` afterwards, and finds this thread on the list.
            let mut list = lock(&self.threads.parked);
            if number()? != expected {
                return Ok(());
            }
            self.may_wait()?;
            list.push(parked.clone());
        }
        self.world.parked(|| self.wait_until_woken(&parked));
        Ok(())
    }

    fn wait_until_woken(&self, parked: &Arc<Parked>) {
        while !parked.woken.load(Ordering::Acquire) && !self.world.is_interrupted_here() {
            std::thread::park_timeout(LOOK);
            if self.world.wants_poll_here() {
                break;
            }
        }
        lock(&self.threads.parked).retain(|other| !Arc::ptr_eq(other, parked));
    }
}
