//! Registers of a signal context on Linux, aarch64. Not tried on a machine yet.

use super::{Place, Registers};
use crate::code::stack::StackBounds;

/// # Safety
/// `context` is the third argument of a signal handler that is running.
pub(in crate::code) unsafe fn read(context: *mut libc::c_void) -> Registers {
    // SAFETY: by the promise above.
    let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    Registers {
        pc: machine.pc as usize,
        sp: machine.sp as usize,
        fp: machine.regs[29] as usize,
        link: machine.regs[30] as usize,
    }
}

/// Nobody has written this yet: false.
///
/// # Safety
/// As for `read`.
pub(in crate::code) unsafe fn read_values(_: *mut libc::c_void, _: &mut [u64; 16], _: &mut [u64; 16]) -> bool {
    false
}

/// # Safety
/// As for `read`, and the thread may go on with these registers.
pub(in crate::code) unsafe fn write(context: *mut libc::c_void, to: &Registers) {
    // SAFETY: by the promise above.
    let machine = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext };
    machine.pc = to.pc as u64;
    machine.sp = to.sp as u64;
    machine.regs[29] = to.fp as u64;
}

/// The return address of the innermost frame, if it is not behind the frame pointer.
pub(in crate::code) fn return_address(registers: &Registers, place: Place, _: StackBounds) -> Option<usize> {
    match place {
        // `stp x29, x30, [sp, #-16]!` and `mov x29, sp` come first.
        Place::Called | Place::Function(0..8) => Some(registers.link),
        Place::Function(_) => None,
    }
}
