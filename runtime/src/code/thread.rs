//! What the runtime keeps per operating system thread and world: the call context generated code works with, the
//! thread's stacks, and the trap that is on its way.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use vaisjit_abi::context::{AT_POLL, CallContext, EntryRecord, GuardRecord, IN_HOST, SHOWN, poll};

use super::backing::Mapping;
use super::pause::Pause;
use super::rendezvous;
use super::replace::Stale;
use super::stack::{SignalStack, StackBounds, data_end, data_stack};
use super::traps::{RawFrame, RawTrap, TrapBuffer};
use super::world::{NO_STACK, Shared};

/// One thread in one world.
#[repr(C)]
pub(super) struct ThreadRecord {
    /// First, so that a context's address is its record's. Written by generated code on this thread; others only use
    /// its atomics, and the rest through [`ThreadRecord::word`] while the thread is stopped.
    context: UnsafeCell<CallContext>,
    pub(super) shared: Weak<Shared>,
    pub(super) bounds: StackBounds,
    /// Taken away when the world ends before the thread.
    data: Mutex<Option<Mapping>>,
    data_base: usize,
    /// Filled by this thread's signal handler, emptied by this thread once it has unwound.
    pub(super) caught: UnsafeCell<TrapBuffer>,
    /// A trap raised by a host function, on its way to the exit thunk. Only this thread touches it.
    pending: UnsafeCell<Option<Box<RawTrap>>>,
    /// A trap whose calls have been cleaned up, until it comes to where it goes. Only this thread touches it.
    pub(super) landed: UnsafeCell<Option<Box<RawTrap>>>,
    /// How many traps wait for what they have ended to be cleaned up.
    pub(super) cleaning: AtomicU32,
    /// The outermost activation must end with `Interrupted`.
    pub(super) interrupted: AtomicBool,
    /// The thread's last answer to a stop request was "not here".
    pub(super) declined: Declined,
    /// Why it declined: the frame everybody waits for, and the one that was running.
    pub(super) blocked: Mutex<Vec<RawFrame>>,
    /// Waits in the host for something that another thread of the program does.
    pub(super) parked: AtomicBool,
    /// The last commit did not wait for its outermost loop to come round.
    pub(super) relaxed: AtomicBool,
    /// How long it has stood still.
    pub(super) pause: Pause,
    /// At a poll: the frame pointer below which the registers of the callers are saved.
    pub(super) kept: AtomicUsize,
    /// Its frames that may go on in other code.
    pub(super) stale: Stale,
    /// What the poll that it stands at hands over.
    pub(super) spill: AtomicUsize,
    /// The version that it waits for in a failed call.
    pub(super) repair: Mutex<Option<Repair>>,
}

/// What a thread waits for in a failed call.
#[derive(Clone, Debug)]
pub struct Repair {
    /// Any version newer than this one.
    pub beyond: u64,
    /// The function that is called again.
    pub function: String,
}

/// A remembered refusal, valid for one epoch of requests while the frame lives. Only this thread touches it, but for `until`.
#[derive(Default)]
pub(super) struct Declined {
    pub(super) epoch: AtomicU64,
    /// Frame pointer of the outermost looping activation.
    pub(super) frame: AtomicUsize,
    /// That of the frame whose poll everybody waits for, or 0: it may be further in.
    pub(super) until: AtomicUsize,
    /// How many more polls may rely on it.
    pub(super) left: AtomicU32,
}

// SAFETY: the cells are used by the thread that owns the record, and the context's plain words by others only while
// that thread is stopped; everything else is atomic or locked.
unsafe impl Send for ThreadRecord {}
// SAFETY: as above.
unsafe impl Sync for ThreadRecord {}

impl ThreadRecord {
    fn new(shared: &Arc<Shared>) -> io::Result<Arc<ThreadRecord>> {
        let bounds = StackBounds::current()?;
        let data = data_stack()?;
        let context = CallContext {
            stack_limit: bounds.limit(),
            poll: AtomicU8::new(0),
            state: AtomicU32::new(IN_HOST),
            data_top: data.address(),
            data_end: data_end(&data),
            exit_fp: 0,
            entry: ptr::null(),
            owner: ptr::null_mut(),
            services: shared.heap.services(),
            carried: ptr::null_mut(),
            guard: ptr::null(),
            failed_check: [0; 2],
            shown_mask: 0,
            shown: [0; SHOWN],
        };
        let record = Arc::new(ThreadRecord {
            context: UnsafeCell::new(context),
            shared: Arc::downgrade(shared),
            bounds,
            data_base: data.address(),
            data: Mutex::new(Some(data)),
            caught: UnsafeCell::default(),
            pending: UnsafeCell::default(),
            landed: UnsafeCell::default(),
            cleaning: AtomicU32::new(0),
            interrupted: AtomicBool::new(false),
            kept: AtomicUsize::default(),
            declined: Declined::default(),
            blocked: Mutex::default(),
            parked: AtomicBool::new(false),
            relaxed: AtomicBool::new(false),
            pause: Pause::default(),
            stale: Stale::default(),
            spill: AtomicUsize::new(0),
            repair: Mutex::default(),
        });
        // SAFETY: nobody else knows the record yet.
        unsafe { (*record.context.get()).owner = Arc::as_ptr(&record).cast_mut().cast() };
        Ok(record)
    }

    /// The record a context belongs to.
    ///
    /// # Safety
    /// `context` is what generated code passes on this thread, and its activation lasts as long as `'a`.
    pub(super) unsafe fn of<'a>(context: *mut CallContext) -> &'a ThreadRecord {
        // SAFETY: contexts are the first fields of records, which live as long as activations use them.
        unsafe { &*context.cast::<ThreadRecord>() }
    }

    /// What the code that has just trapped on this thread stored for the report, with the numbers.
    pub(super) fn take_shown(&self) -> Vec<(usize, u64)> {
        // SAFETY: the record's own context, which only this thread uses; no reference outlives this function.
        let context = unsafe { &mut *self.context.get() };
        let mask = std::mem::take(&mut context.shown_mask);
        (0..SHOWN).filter(|bit| mask & 1 << bit != 0).map(|bit| (bit, context.shown[bit])).collect()
    }

    /// Index and length of the check by which the code on this thread has just trapped.
    pub(super) fn failed_check(&self) -> [i64; 2] {
        // SAFETY: as in `take_shown`.
        unsafe { (*self.context.get()).failed_check }
    }

    pub(super) fn context(&self) -> *mut CallContext {
        self.context.get()
    }

    pub(super) fn poll(&self) -> &AtomicU8 {
        // SAFETY: the context lives as long as the record; the field is atomic.
        unsafe { &(*self.context.get()).poll }
    }

    pub(super) fn state(&self) -> &AtomicU32 {
        // SAFETY: as in `poll`.
        unsafe { &(*self.context.get()).state }
    }

    /// A word of the context as an atomic.
    fn word(&self, field: impl FnOnce(*mut CallContext) -> *mut usize) -> &AtomicUsize {
        // SAFETY: the field is an aligned word of the context, which lives as long as the record.
        unsafe { AtomicUsize::from_ptr(field(self.context.get())) }
    }

    pub(super) fn stack_limit(&self) -> &AtomicUsize {
        // SAFETY: only the field's address is taken.
        self.word(|context| unsafe { &raw mut (*context).stack_limit })
    }

    pub(super) fn exit_fp(&self) -> &AtomicUsize {
        // SAFETY: only the field's address is taken.
        self.word(|context| unsafe { &raw mut (*context).exit_fp })
    }

    pub(super) fn data_top(&self) -> &AtomicUsize {
        // SAFETY: only the field's address is taken.
        self.word(|context| unsafe { &raw mut (*context).data_top })
    }

    /// Where the data stack ends.
    pub(super) fn data_end(&self) -> usize {
        // SAFETY: only the field's address is taken.
        self.word(|context| unsafe { &raw mut (*context).data_end }).load(Ordering::Relaxed)
    }

    /// Where the loop that polls has its spill area. On the record's own thread.
    pub(super) fn carried(&self) -> *mut u64 {
        // SAFETY: as in `set_carried`.
        unsafe { (*self.context.get()).carried }
    }

    /// What code that takes over a loop reads. On the record's own thread.
    pub(super) fn set_carried(&self, buffer: *mut u64) {
        // SAFETY: the field is a word of the context, which only this thread uses.
        unsafe { (*self.context.get()).carried = buffer };
    }

    pub(super) fn entry(&self) -> &AtomicPtr<EntryRecord> {
        // SAFETY: the field is an aligned pointer of the context, which lives as long as the record.
        unsafe { AtomicPtr::from_ptr((&raw mut (*self.context.get()).entry).cast()) }
    }

    pub(super) fn guard(&self) -> &AtomicPtr<GuardRecord> {
        // SAFETY: the field is an aligned pointer of the context, which lives as long as the record.
        unsafe { AtomicPtr::from_ptr((&raw mut (*self.context.get()).guard).cast()) }
    }

    /// Is generated code on this thread's stack?
    pub(super) fn is_active(&self) -> bool {
        !self.entry().load(Ordering::Acquire).is_null()
    }

    /// Does it stand at a poll of a loop for which the last commit did not wait until one around it came round?
    pub(super) fn is_known_to_turn(&self) -> bool {
        self.relaxed.load(Ordering::Relaxed) && self.state().load(Ordering::Acquire) == AT_POLL
    }

    /// Does an address lie on one of the thread's stacks?
    pub(super) fn holds(&self, address: usize) -> bool {
        let data = self.data_base..self.data_top().load(Ordering::Relaxed);
        (self.bounds.low..self.bounds.high).contains(&address) || data.contains(&address)
    }

    /// Start of the data stack.
    pub(super) fn data_base(&self) -> usize {
        self.data_base
    }

    /// Gives the data stack back; the world has ended.
    pub(super) fn release(&self) {
        self.data.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Leaves a trap for the exit thunk; the first one counts. On the record's own thread.
    pub(super) fn set_pending(&self, trap: Box<RawTrap>) {
        // SAFETY: only this thread touches the cell, and no reference to it outlives this statement.
        unsafe { (*self.pending.get()).get_or_insert(trap) };
        self.poll().fetch_or(poll::TRAP, Ordering::SeqCst);
    }

    /// Takes the trap left for the exit thunk. On the record's own thread.
    pub(super) fn take_pending(&self) -> Option<Box<RawTrap>> {
        // SAFETY: as in `set_pending`.
        let pending = unsafe { (*self.pending.get()).take() };
        rendezvous::trap_is_taken(self.poll(), &self.interrupted);
        pending
    }

    /// Makes what runs on the thread end at its next poll or call.
    pub(super) fn interrupt(&self) {
        let stop_calls = || self.stack_limit().store(NO_STACK, Ordering::SeqCst);
        rendezvous::interrupt(self.poll(), &self.interrupted, stop_calls);
    }

    /// Forgets an interrupt that has done its work.
    pub(super) fn clear_interrupt(&self) {
        self.interrupted.store(false, Ordering::SeqCst);
        self.stack_limit().store(self.bounds.limit(), Ordering::SeqCst);
        self.poll().fetch_and(!poll::TRAP, Ordering::SeqCst);
    }
}

thread_local! {
    /// The record of the innermost activation on this thread, of whichever world: what signal handlers look at.
    static INNERMOST: Cell<*const ThreadRecord> = const { Cell::new(ptr::null()) };
    /// The record used last, with its world's number.
    static LAST: Cell<(u64, *const ThreadRecord)> = const { Cell::new((0, ptr::null())) };
    /// All records of this thread.
    static OWN: RefCell<Own> = const { RefCell::new(Own { records: Vec::new(), _signals: None }) };
}

struct Own {
    records: Vec<(u64, Arc<ThreadRecord>)>,
    _signals: Option<SignalStack>,
}

impl Drop for Own {
    fn drop(&mut self) {
        LAST.set((0, ptr::null()));
        for (_, record) in self.records.drain(..) {
            if let Some(shared) = record.shared.upgrade() {
                shared.remove_thread(&record);
            }
        }
    }
}

/// Makes a record the innermost; gives the one it covers.
pub(super) fn set_innermost(record: *const ThreadRecord) -> *const ThreadRecord {
    INNERMOST.replace(record)
}

/// The innermost record, null outside generated code.
pub(super) fn innermost() -> *const ThreadRecord {
    INNERMOST.get()
}

/// A number no other living thread has.
pub(super) fn token() -> usize {
    INNERMOST.with(|cell| ptr::from_ref(cell) as usize)
}

/// This thread's record in a world, made if this is the first time.
///
/// It stays valid while the world is alive, on this thread.
pub(super) fn record(shared: &Arc<Shared>, world: u64) -> io::Result<&ThreadRecord> {
    let (number, last) = LAST.get();
    if number == world {
        // SAFETY: a record is only removed from `OWN` when its world has ended, and `shared` keeps it going.
        return Ok(unsafe { &*last });
    }
    let record = OWN
        .try_with(|own| own.borrow_mut().record(shared, world))
        .map_err(|_| io::Error::other("the thread is ending"))??;
    LAST.set((world, record));
    // SAFETY: as above.
    Ok(unsafe { &*record })
}

impl Own {
    fn record(&mut self, shared: &Arc<Shared>, world: u64) -> io::Result<*const ThreadRecord> {
        if let Some((_, record)) = self.records.iter().find(|(number, _)| *number == world) {
            return Ok(Arc::as_ptr(record));
        }
        self.records.retain(|(_, record)| record.shared.strong_count() > 0);
        if self._signals.is_none() {
            self._signals = Some(SignalStack::install()?);
        }
        let record = ThreadRecord::new(shared)?;
        shared.add_thread(record.clone());
        self.records.push((world, record));
        Ok(self.records.last().map_or(ptr::null(), |(_, record)| Arc::as_ptr(record)))
    }
}
