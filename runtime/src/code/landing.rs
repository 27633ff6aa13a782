//! The way from a trap to the cleanups: the signal handler sends the thread here before it goes where the trap goes.

use std::sync::atomic::Ordering;

use super::arch::{self, Registers};
use super::cleanup;
use super::signals::resume_at;
use super::thread::{ThreadRecord, innermost};

/// What a leaf function may use below its stack pointer.
const BELOW: usize = 256;

/// Where the thread goes on after a trap on its way to `target`: here, if there is anything to be done before. Called by
/// the signal handler.
pub(super) fn detour(record: &ThreadRecord, registers: &Registers, target: Registers) -> Registers {
    let room = registers.sp > record.bounds.low + cleanup::ROOM && registers.sp <= record.bounds.high;
    if !room || !cleanup::is_needed(record) {
        return target;
    }
    let sp = arch::sp_of_call((registers.sp - BELOW) & !15);
    Registers { pc: land as *const () as usize, sp, fp: registers.fp, link: 0 }
}

/// Runs on the program's stack, below all frames that are given up.
unsafe extern "C" fn land() -> ! {
    // SAFETY: the handler has found this record, in an activation that has not ended.
    let record = unsafe { &*innermost() };
    cleanup::clean_up(record);
    // SAFETY: as above.
    let entry = unsafe { &*record.entry().load(Ordering::Relaxed) };
    let target = resume_at(record, entry, 0);
    // SAFETY: what the handler would have set; nothing is left on this stack that has to be dropped.
    unsafe { arch::go_on(&target) }
}
