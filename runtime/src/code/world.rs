//! A world: the threads that run one program, and what they have to agree on.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use vaisjit_abi::context::poll;

use super::cleanup::Cleanups;
use super::guard::PauseHook;
use super::rendezvous::Rendezvous;
use super::replace::Followers;
use super::safepoint::{Control, Request};
use super::sweeping::Sweeping;
use super::thread::{self, Repair, ThreadRecord};
use super::traps::RawTrap;
use super::unit::CodeUnit;
use super::waiting::Waiting;
use super::{barrier, signals};
use crate::heap::Heap;

/// Told of traps in callbacks on threads that have no generated code to return to.
pub type OrphanHook = Box<dyn Fn(&RawTrap) + Send + Sync>;

/// A stack limit that no stack pointer satisfies; adding the size of a frame to it does not overflow.
pub(super) const NO_STACK: usize = usize::MAX / 2;

/// The threads of one program. Clones are the same world; it ends with the last of them.
#[derive(Clone)]
pub struct World {
    number: u64,
    handle: Arc<Handle>,
}

/// Ends the world when dropped.
pub(super) struct Handle {
    shared: Arc<Shared>,
}

/// What the threads of a world share.
pub(super) struct Shared {
    pub(super) rendezvous: Rendezvous<ThreadRecord, Request>,
    /// Signalled when there is something to do for the pacer.
    pub(super) pace: Condvar,
    /// Code that has been taken out of use, until no stack reaches it.
    pub(super) retired: Mutex<Vec<Arc<CodeUnit>>>,
    /// Which code follows replaced code that still runs.
    pub(super) followers: Mutex<Followers>,
    /// The program's heap; as long as its counts are plain, only the thread in `solo` is active.
    pub(super) heap: Arc<Heap>,
    /// The record of the active thread, 0 for none.
    pub(super) solo: AtomicUsize,
    orphans: Mutex<Option<Arc<OrphanHook>>>,
    pub(super) pause: Mutex<Option<Arc<PauseHook>>>,
    pub(super) cleanups: Cleanups,
    pub(super) sweeping: Sweeping,
}

impl World {
    /// A world without threads.
    pub fn new() -> World {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        signals::install();
        barrier::needs_fence();
        let shared = Arc::new(Shared {
            rendezvous: Rendezvous::new(),
            pace: Condvar::new(),
            retired: Mutex::default(),
            followers: Mutex::default(),
            heap: Arc::new(Heap::new()),
            solo: AtomicUsize::new(0),
            orphans: Mutex::default(),
            pause: Mutex::default(),
            cleanups: Cleanups::default(),
            sweeping: Sweeping::default(),
        });
        World { number: NEXT.fetch_add(1, Ordering::Relaxed), handle: Arc::new(Handle { shared }) }
    }

    /// The heap of its program.
    pub(crate) fn heap(&self) -> &Arc<Heap> {
        &self.handle.shared.heap
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    pub(super) fn record(&self) -> io::Result<&ThreadRecord> {
        thread::record(&self.handle.shared, self.number)
    }

    pub(super) fn downgrade(&self) -> (Weak<Handle>, u64) {
        (Arc::downgrade(&self.handle), self.number)
    }

    pub(super) fn upgrade(handle: &Weak<Handle>, number: u64) -> Option<World> {
        Some(World { number, handle: handle.upgrade()? })
    }

    /// Sets who hears of traps in callbacks that no generated code is waiting for; otherwise they go to standard error.
    pub fn on_orphan_trap(&self, hook: OrphanHook) {
        *lock(&self.shared().orphans) = Some(Arc::new(hook));
    }

    /// Sets who decides what becomes of traps in guarded calls; without anybody they end the activation.
    pub fn on_guarded_trap(&self, hook: PauseHook) {
        *lock(&self.shared().pause) = Some(Arc::new(hook));
    }

    /// Is this thread in the middle of a safepoint's action, with all others stopped?
    pub fn acts_here(&self) -> bool {
        self.shared().control().runs_here()
    }

    /// Takes code out of use: no slot and no new code refers to it any more. A sweep frees it once no stack does.
    pub fn retire(&self, unit: Arc<CodeUnit>) {
        let mut retired = lock(&self.shared().retired);
        if !retired.iter().any(|known| Arc::ptr_eq(known, &unit)) {
            retired.push(unit);
        }
    }

    /// How many retired units have not been freed yet.
    pub fn retired(&self) -> usize {
        lock(&self.shared().retired).len()
    }

    /// Makes every activation that is running end with [`Interrupted`](vaisjit_abi::TrapCode::Interrupted) at its next
    /// loop turn, call or return from the host. Nested activations all end, the outermost last.
    pub fn interrupt(&self) {
        let control = self.shared().control();
        for record in control.threads.iter().filter(|record| record.is_active()) {
            record.interrupt();
        }
        drop(control);
        self.shared().rendezvous.changed.notify_all();
    }

    /// Runs something that enters generated code on this thread; what takes longer than `limit` is interrupted, and so is
    /// what it then runs because it was, after as long again.
    pub(crate) fn within<R>(&self, limit: Duration, work: impl FnOnce() -> R) -> R {
        let Ok(record) = self.record() else { return work() };
        let threads = self.shared().control().threads.to_vec();
        let own = threads.into_iter().find(|other| std::ptr::eq(&**other, record));
        let done = Arc::new((Mutex::new(false), Condvar::new()));
        let watched = done.clone();
        let watchdog = std::thread::spawn(move || {
            let mut late = false;
            loop {
                let waited = watched.1.wait_timeout_while(lock(&watched.0), limit, |done| !*done);
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    return late;
                }
                late = true;
                if let Some(own) = &own {
                    own.interrupt();
                }
            }
        });
        let result = work();
        *lock(&done.0) = true;
        done.1.notify_all();
        if watchdog.join().unwrap_or(true) {
            record.take_pending();
            record.clear_interrupt();
        }
        result
    }

    /// Has the activation on the current thread been interrupted, so that what it waits for does not matter any more?
    pub(crate) fn is_interrupted_here(&self) -> bool {
        self.record().is_ok_and(|record| record.interrupted.load(Ordering::SeqCst))
    }

    /// Does a commit wait for the current thread, or a loop on its stack for a poll where it goes on in other code?
    pub(crate) fn wants_poll_here(&self) -> bool {
        self.record().is_ok_and(|record| record.poll().load(Ordering::SeqCst) & (poll::STOP | poll::STALE) != 0)
    }

    /// Is generated code of this world on any thread's stack?
    pub fn is_active(&self) -> bool {
        self.shared().control().threads.iter().any(|record| record.is_active())
    }

    /// Is generated code of this world on the current thread's stack?
    pub fn is_active_here(&self) -> bool {
        self.record().is_ok_and(ThreadRecord::is_active)
    }

    /// Is the current thread one of these?
    pub(crate) fn is_one_of(&self, waiting: &[Waiting]) -> bool {
        self.record().is_ok_and(|record| waiting.iter().any(|waiting| waiting.is_of(record)))
    }

    /// Waits for something that another thread of the program does: if all others stand still it will not be done, so
    /// that nobody needs to wait until a loop of this thread comes round.
    pub(crate) fn parked<R>(&self, wait: impl FnOnce() -> R) -> R {
        let Ok(record) = self.record() else { return wait() };
        record.parked.store(true, Ordering::Release);
        let result = wait();
        record.parked.store(false, Ordering::Release);
        result
    }

    /// From now on the current thread waits for this; gives what it has waited for until now.
    pub fn set_repair(&self, repair: Option<Repair>) -> Option<Repair> {
        let record = self.record().ok()?;
        std::mem::replace(&mut *lock(&record.repair), repair)
    }

    /// A trap that came out of a callback.
    pub(super) fn keep_for_later(&self, trap: Box<RawTrap>) {
        match self.record() {
            Ok(record) if record.is_active() => record.set_pending(trap),
            _ => self.shared().orphan(&trap),
        }
    }
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        self.rendezvous.control()
    }

    pub(super) fn remove_thread(&self, record: &Arc<ThreadRecord>) {
        self.control().remove_thread(record);
    }

    pub(super) fn add_thread(&self, record: Arc<ThreadRecord>) {
        self.control().add_thread(record);
    }

    /// Clears an interrupt that came too late for the activation it was meant for.
    pub(super) fn forget_interrupt(&self, record: &ThreadRecord) {
        let _control = self.control();
        record.take_pending();
        record.clear_interrupt();
    }

    fn orphan(&self, trap: &RawTrap) {
        let hook = lock(&self.orphans).clone();
        match hook {
            Some(hook) => hook(trap),
            None => eprintln!("vaisjit: trap in a callback on a thread of the host's: {trap}"),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
