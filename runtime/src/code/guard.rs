//! Guards: what a trap in a call through a guard thunk meets before it ends the activation.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vaisjit_abi::context::{AT_SAFEPOINT, CallContext, GuardRecord, GuardTarget, poll};

use super::rendezvous::{self, Party};
use super::slots::Slot;
use super::thread::ThreadRecord;
use super::traps::{self, RawTrap};
use super::unit::{CodeError, CodeUnit};
use super::world::lock;

/// Decides, with the thread stopped as at an explicit safepoint, whether the guarded call is made again. The number is
/// where on the thread's stack that call was made: calls further out have higher ones. May wait as long as it likes, and
/// must come back when the world is interrupted.
pub type PauseHook = Box<dyn Fn(&RawTrap, &Guard, usize) -> bool + Send + Sync>;

/// What a guard thunk of a slot refers to. It never goes away before the slot does.
#[repr(C)]
pub struct Guard {
    /// First, so that its address is the guard's.
    target: GuardTarget,
    slot: Slot,
    outgrown: AtomicBool,
}

impl Guard {
    /// For calls through this slot; to be [linked](Guard::link) with the thunk before that is called.
    pub fn new(slot: Slot) -> Arc<Guard> {
        Arc::new(Guard { target: GuardTarget::default(), slot, outgrown: AtomicBool::new(false) })
    }

    /// The slot that is called.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The sizes of what the thunk keeps are no longer those of the function's arguments: it must not repeat a call.
    pub fn outgrow(&self) {
        self.outgrown.store(true, Ordering::SeqCst);
    }

    /// Must it not repeat a call?
    pub fn is_outgrown(&self) -> bool {
        self.outgrown.load(Ordering::SeqCst)
    }

    /// What the data symbol that the thunk was made with resolves to.
    pub fn address(&self) -> usize {
        ptr::from_ref(self) as usize
    }

    /// Tells where the thunk, this function of the unit, goes on after a trap.
    pub fn link(&self, unit: &Arc<CodeUnit>, function: usize) -> Result<(), CodeError> {
        let [handler] = unit.info(function).handlers[..] else {
            return Err(CodeError::Inconsistent(format!("{} is no guard thunk", unit.name(function))));
        };
        let pc = unit.address(function).get() + handler.handler_offset as usize;
        self.target.handler_pc.store(pc, Ordering::Relaxed);
        self.target.handler_frame.store(handler.frame_offset as usize, Ordering::Relaxed);
        Ok(())
    }
}

/// Called by guard thunks after a trap; not 0 repeats the call, 0 makes the trap go on.
pub(super) unsafe extern "C" fn trapped(context: *mut CallContext, guard: *mut GuardRecord) -> u8 {
    // SAFETY: thunks pass the context of their thread, which is running, and the record in their own frame, which is
    // the innermost guard; its target starts a `Guard`, which lives as long as the program.
    let (record, guard, target) = unsafe { (ThreadRecord::of(context), &*guard, &*(*guard).target.cast::<Guard>()) };
    let mut trap = traps::take(record);
    record.data_top().store(guard.data_top, Ordering::Relaxed);
    record.exit_fp().store(guard.frame_fp, Ordering::Relaxed);
    if pauses(record, &trap, target, guard.frame_fp) && comes_back(record) {
        return 1;
    }
    trap.complete = true;
    record.guard().store(ptr::null_mut(), Ordering::Relaxed);
    record.set_pending(trap);
    0
}

/// Where the frame of the guard thunk starts in which a thread waits for a new version; `None` if it does anything else.
/// While it is stopped.
pub(super) fn waits_at(record: &ThreadRecord) -> Option<usize> {
    let waits = record.state().load(Ordering::Acquire) == AT_SAFEPOINT && lock(&record.repair).is_some();
    let guard = record.guard().load(Ordering::Acquire);
    if !waits || guard.is_null() {
        return None;
    }
    // SAFETY: the innermost guard of a stopped thread lies on its stack, and its target lives as long as the program.
    let (frame, size) = unsafe { ((*guard).frame_fp, (*(*guard).target).handler_frame.load(Ordering::Relaxed)) };
    // Nothing has been called since, and no cleanup runs.
    let is_innermost = frame == record.exit_fp().load(Ordering::Acquire);
    (is_innermost && record.cleaning.load(Ordering::Acquire) == 0).then(|| frame.saturating_sub(size))
}

/// Asks the world's hook, with the thread counted as stopped.
fn pauses(record: &ThreadRecord, trap: &RawTrap, guard: &Guard, place: usize) -> bool {
    let Some(shared) = record.shared.upgrade() else { return false };
    let Some(hook) = lock(&shared.pause).clone() else { return false };
    record.state().store(AT_SAFEPOINT, Ordering::Release);
    // A panic has been printed; the trap goes on.
    let repeat = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hook(trap, guard, place))).unwrap_or(false);
    rendezvous::announce(record);
    shared.stop_if_asked(record, AT_SAFEPOINT);
    repeat
}

/// Is nothing on its way that ends the activation anyway?
fn comes_back(record: &ThreadRecord) -> bool {
    record.poll().load(Ordering::Relaxed) & poll::TRAP == 0
}
