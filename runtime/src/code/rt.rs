//! What thunks call: the gate behind every host call, the safepoint of loops, the way in for callbacks.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use vaisjit_abi::TrapCode;
use vaisjit_abi::context::{AT_POLL, CallContext, poll};
use vaisjit_codegen::resume::{SPILL_ANSWER, SPILL_CONTEXT, SPILL_LOOP};
use vaisjit_codegen::thunks::{CALLBACK, GATE, SAFEPOINT, TRAPPED};

use super::enter::{Callee, Trampoline};
use super::guard as guards;
use super::rendezvous::{Member, Party};
use super::slots::Slot;
use super::thread::{ThreadRecord, innermost};
use super::traps::RawTrap;
use super::world::{Handle, World};

/// The address of a symbol of the fence.
pub(super) fn symbol(name: &str) -> Option<usize> {
    match name {
        GATE => Some(gate as *const () as usize),
        SAFEPOINT => Some(safepoint as *const () as usize),
        CALLBACK => Some(callback as *const () as usize),
        TRAPPED => Some(guards::trapped as *const () as usize),
        _ => None,
    }
}

/// Called by exit thunks that find the poll byte set; not 0 lets them trap.
unsafe extern "C" fn gate(context: *mut CallContext, state: u32) -> u8 {
    // SAFETY: thunks pass the context of their thread, which is running.
    let record = unsafe { ThreadRecord::of(context) };
    if let Some(shared) = record.shared.upgrade() {
        shared.stop_if_asked(record, state);
    }
    u8::from(record.poll().load(Ordering::Relaxed) & poll::TRAP != 0)
}

/// Called by the thunk of loops whose poll byte is set, with its frame pointer; below `kept` lie the registers that the
/// loop's callers keep values in. Not 0 lets the thunk trap. Else the first word of the loop's spill area tells the loop the
/// code that it goes on in, or 0 to go on where it is.
unsafe extern "C" fn safepoint(thunk: usize, kept: usize) -> u8 {
    // SAFETY: generated code runs in the innermost activation of its thread, whose record lives as long.
    let record = unsafe { &*innermost() };
    record.exit_fp().store(thunk, Ordering::Relaxed);
    record.kept.store(kept, Ordering::Release);
    let spill = record.carried().cast::<u8>();
    // SAFETY: the loop has put the address of its spill area, whose first two words these are, into the context; it waits
    // for the answer.
    unsafe {
        let number = spill.add(SPILL_LOOP as usize).cast::<u64>().read();
        let Some(answer) = answer(record, spill.cast(), number) else { return 1 };
        spill.add(SPILL_ANSWER as usize).cast::<usize>().write(answer);
        spill.add(SPILL_CONTEXT as usize).cast::<*mut CallContext>().write(record.context());
    }
    0
}

/// Where a loop goes on that has polled, 0 for where it is; `None` if it ends in a trap.
///
/// # Safety
/// The spill area is that of the record's thread, which is at a poll.
unsafe fn answer(record: &ThreadRecord, spill: *const u64, number: u64) -> Option<usize> {
    let Some(shared) = record.shared.upgrade() else { return Some(0) };
    let stops = |bits: u8| bits & poll::STOP != 0 && bits & poll::TRAP == 0;
    if stops(record.poll().load(Ordering::Relaxed)) && !record.still_declines() {
        record.spill.store(spill as usize, Ordering::Release);
        shared.arrive(record, AT_POLL);
    }
    match record.poll().load(Ordering::Relaxed) {
        bits if bits & poll::TRAP != 0 => None,
        bits if bits & poll::STALE != 0 => Some(shared.next_code(record, spill, number as u32)),
        _ => Some(0),
    }
}

/// What a C function pointer made of a function of the program enters.
///
/// A callback thunk refers to it by address; whoever keeps the thunk keeps this too.
pub struct CallbackTarget {
    world: Weak<Handle>,
    number: u64,
    trampoline: Trampoline,
    slot: Slot,
}

impl CallbackTarget {
    /// Enters what is in `slot` by `trampoline`, which has the slot's signature.
    pub fn new(world: &World, trampoline: Trampoline, slot: Slot) -> Arc<CallbackTarget> {
        let (world, number) = world.downgrade();
        Arc::new(CallbackTarget { world, number, trampoline, slot })
    }

    /// What the data symbol that the thunk was made with resolves to.
    pub fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }
}

/// Called by callback thunks.
///
/// A trap cannot unwind through C: it waits until C returns to generated code, and until then every callback returns
/// zero at once. Where there is no generated code to return to, the world's hook hears of it.
unsafe extern "C" fn callback(target: *const CallbackTarget, args: *const u64, ret: *mut [u64; 2]) {
    // SAFETY: thunks pass the target they were made with, which lives as long as they do, and their own stack slots.
    let (target, args, ret) = unsafe {
        let target = &*target;
        let words = target.trampoline.words();
        let args: &[u64] = if words == 0 { &[] } else { std::slice::from_raw_parts(args, words) };
        (target, args, &mut *ret)
    };
    *ret = [0; 2];
    let Some(world) = World::upgrade(&target.world, target.number) else { return };
    if let Err(trap) = world.enter(&target.trampoline, Callee::Slot(&target.slot), args, ret) {
        *ret = [0; 2];
        world.keep_for_later(trap);
    }
}

/// Makes the host call that is going on fail: the trap is raised when it returns to its exit thunk.
///
/// # Safety
/// `context` is the one the host function was called with, in a call that has not returned, and this is its thread.
pub unsafe fn raise(context: *mut CallContext, code: TrapCode, message: String) {
    // SAFETY: by the promise above.
    let record = unsafe { ThreadRecord::of(context) };
    record.set_pending(Box::new(RawTrap::new(code, Some(message))));
}

/// Does an address lie on one of the stacks of the thread that a host function was called on?
///
/// # Safety
/// As for [`raise`].
pub unsafe fn stack_holds(context: *mut CallContext, address: usize) -> bool {
    // SAFETY: by the promise above.
    unsafe { ThreadRecord::of(context) }.holds(address)
}

/// Runs the body of a host function so that a panic becomes a trap of the program.
///
/// # Safety
/// As for [`raise`].
pub unsafe fn guard<T: Default>(context: *mut CallContext, body: impl FnOnce() -> T) -> T {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(panic) => {
            let message = format!("a host function panicked: {}", super::closure::panic_text(&*panic));
            // SAFETY: by the promise above.
            unsafe { raise(context, TrapCode::HostFailure, message) };
            T::default()
        }
    }
}
