//! The way into generated code.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use vaisjit_abi::TrapCode;
use vaisjit_abi::context::{CallContext, EntryRecord, poll};
use vaisjit_codegen::thunks::AbiSignature;

use super::rendezvous::{self, Party};
use super::safepoint::SafepointKind;
use super::slots::Slot;
use super::thread::{self, ThreadRecord};
use super::traps::{self, RawTrap};
use super::unit::{CodeError, CodeUnit};
use super::world::{Shared, World};

type EntryFunction = unsafe extern "C" fn(*mut CallContext, *mut EntryRecord, usize, *const u64, *mut u64) -> u64;

/// An entry trampoline that is ready to be used; keeps its code alive.
#[derive(Clone)]
pub struct Trampoline {
    entry: EntryFunction,
    handler_pc: usize,
    handler_frame: usize,
    words: usize,
    _unit: Arc<CodeUnit>,
}

impl Trampoline {
    /// The trampoline that `entry_trampoline` emitted for `signature` as this function of the unit.
    pub fn new(unit: &Arc<CodeUnit>, function: usize, signature: &AbiSignature) -> Result<Trampoline, CodeError> {
        let [handler] = unit.info(function).handlers[..] else {
            return Err(CodeError::Inconsistent(format!("{} is no entry trampoline", unit.name(function))));
        };
        let address = unit.address(function).get();
        Ok(Trampoline {
            // SAFETY: only trampolines catch traps, so this is the code of one, and this is their type.
            entry: unsafe { std::mem::transmute::<usize, EntryFunction>(address) },
            handler_pc: address + handler.handler_offset as usize,
            handler_frame: handler.frame_offset as usize,
            words: signature.words(),
            _unit: unit.clone(),
        })
    }

    /// How many words of arguments it reads.
    pub fn words(&self) -> usize {
        self.words
    }
}

/// What to call. Its address is read after the entry has been announced, so that a commit cannot free it in between.
#[derive(Clone, Copy)]
pub enum Callee<'a> {
    /// Whatever is in the slot.
    Slot(&'a Slot),
    /// This function of this unit.
    Unit(&'a Arc<CodeUnit>, usize),
}

impl Callee<'_> {
    fn address(&self) -> usize {
        match self {
            Callee::Slot(slot) => slot.load(),
            Callee::Unit(unit, function) => unit.address(*function).get(),
        }
    }
}

impl World {
    /// Calls generated code on this thread. May be nested: generated code calls a host function, which calls this.
    ///
    /// `args` and `ret` are as the trampoline's documentation says; `callee` has the trampoline's signature. After a
    /// trap `ret` is as it was, and the world can be entered again.
    pub fn enter(
        &self,
        trampoline: &Trampoline,
        callee: Callee<'_>,
        args: &[u64],
        ret: &mut [u64; 2],
    ) -> Result<(), Box<RawTrap>> {
        assert!(args.len() >= trampoline.words, "a trampoline is given all its arguments");
        let record = self.record().map_err(|error| failure(error.to_string()))?;
        let outermost = !record.is_active();
        if outermost {
            self.begin(record);
        }
        let result = enter_active(self.shared(), record, trampoline, &|| callee.address(), args, ret);
        if outermost {
            self.end(record);
        }
        result
    }

    /// A thread becomes active. The first that does while another one is makes the heap's counts shared ones, which takes
    /// a safepoint; until then this thread counts as being in the host.
    fn begin(&self, record: &ThreadRecord) {
        let shared = self.shared();
        let own = ptr::from_ref(record) as usize;
        let taken = shared.solo.compare_exchange(0, own, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_err() && !shared.heap.is_shared() {
            self.share_heap();
        }
    }

    /// Another thread is going to enter. To be called by a host function of the program's, or outside of it.
    pub(crate) fn expect_threads(&self) {
        if !self.shared().heap.is_shared() {
            self.share_heap();
        }
    }

    #[cold]
    fn share_heap(&self) {
        let heap = self.shared().heap.clone();
        if heap.share_if_empty() {
            return;
        }
        if self.shared().control().runs_here() {
            return heap.share();
        }
        let ticket = self.run_at_safepoint(SafepointKind::Sweep, move |_| heap.share());
        while ticket.wait(Duration::from_secs(1)).is_none() {}
    }

    fn end(&self, record: &ThreadRecord) {
        let own = ptr::from_ref(record) as usize;
        let _ = self.shared().solo.compare_exchange(own, 0, Ordering::Release, Ordering::Relaxed);
    }
}

/// Calls generated code at an address, which is asked for once the entry has been announced.
pub(super) fn enter_active(
    shared: &Shared,
    record: &ThreadRecord,
    trampoline: &Trampoline,
    address: &dyn Fn() -> usize,
    args: &[u64],
    ret: &mut [u64; 2],
) -> Result<(), Box<RawTrap>> {
    let state = record.state().load(Ordering::Relaxed);
    if rendezvous::announce(record) != 0 {
        pass_gate(shared, record, state)?;
    }
    let previous = record.entry().load(Ordering::Relaxed);
    let mut entry = EntryRecord {
        previous,
        exit_fp: record.exit_fp().load(Ordering::Relaxed),
        data_top: record.data_top().load(Ordering::Relaxed),
        trampoline_fp: 0,
        handler_pc: trampoline.handler_pc,
        handler_frame: trampoline.handler_frame,
    };
    record.entry().store(&mut entry, Ordering::Relaxed);
    // Guards belong to one activation: a trap never passes the frames of a host.
    let guard = record.guard().swap(ptr::null_mut(), Ordering::Relaxed);
    let covered = thread::set_innermost(record);
    // SAFETY: the trampoline's code is alive, the context and the entry record are this thread's, the arguments
    // are as many as the trampoline reads, and the callee has its signature by the caller's promise.
    let status = unsafe {
        let entry = &raw mut entry;
        (trampoline.entry)(record.context(), entry, address(), args.as_ptr(), ret.as_mut_ptr())
    };
    let result = if status == 0 {
        Ok(())
    } else {
        record.data_top().store(entry.data_top, Ordering::Relaxed);
        Err(traps::take(record))
    };
    thread::set_innermost(covered);
    record.exit_fp().store(entry.exit_fp, Ordering::Relaxed);
    record.entry().store(previous, Ordering::Relaxed);
    record.guard().store(guard, Ordering::Relaxed);
    record.state().store(state, Ordering::Release);
    if record.poll().load(Ordering::Relaxed) != 0 && ptr::eq(previous, ptr::null()) {
        shared.left(record);
    }
    result
}

/// Somebody wants something of a thread that is about to enter.
#[cold]
fn pass_gate(shared: &Shared, record: &ThreadRecord, state: u32) -> Result<(), Box<RawTrap>> {
    shared.stop_if_asked(record, state);
    if record.poll().load(Ordering::Relaxed) & poll::TRAP == 0 {
        return Ok(());
    }
    if !record.is_active() {
        // Meant for an activation that has ended in the meantime.
        shared.forget_interrupt(record);
        return Ok(());
    }
    // The activation below is going to end with a trap: nothing new starts on top of it.
    record.state().store(state, Ordering::Release);
    Err(Box::new(RawTrap::new(TrapCode::Interrupted, None)))
}

fn failure(message: String) -> Box<RawTrap> {
    Box::new(RawTrap::new(TrapCode::HostFailure, Some(message)))
}
