//! Registers of a signal context on macOS. Not tried on a machine yet.

use super::{Place, Registers};
use crate::code::stack::StackBounds;

/// # Safety
/// `context` is the third argument of a signal handler that is running.
pub(in crate::code) unsafe fn read(context: *mut libc::c_void) -> Registers {
    // SAFETY: by the promise above; the machine context is part of what the system made for the handler.
    let state = unsafe { &(*(*context.cast::<libc::ucontext_t>()).uc_mcontext).__ss };
    #[cfg(target_arch = "x86_64")]
    return Registers { pc: state.__rip as usize, sp: state.__rsp as usize, fp: state.__rbp as usize, link: 0 };
    #[cfg(target_arch = "aarch64")]
    Registers { pc: state.__pc as usize, sp: state.__sp as usize, fp: state.__fp as usize, link: state.__lr as usize }
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
    let state = unsafe { &mut (*(*context.cast::<libc::ucontext_t>()).uc_mcontext).__ss };
    #[cfg(target_arch = "x86_64")]
    {
        (state.__rip, state.__rsp, state.__rbp) = (to.pc as u64, to.sp as u64, to.fp as u64);
    }
    #[cfg(target_arch = "aarch64")]
    {
        (state.__pc, state.__sp, state.__fp) = (to.pc as u64, to.sp as u64, to.fp as u64);
    }
}

/// The return address of the innermost frame, if it is not behind the frame pointer.
pub(in crate::code) fn return_address(registers: &Registers, place: Place, bounds: StackBounds) -> Option<usize> {
    if cfg!(target_arch = "aarch64") {
        return matches!(place, Place::Called | Place::Function(0..8)).then_some(registers.link);
    }
    let at = match place {
        Place::Called | Place::Function(0) => registers.sp,
        Place::Function(1) => registers.sp + 8,
        Place::Function(_) => return None,
    };
    // SAFETY: the word lies in the thread's stack, above its stack pointer.
    bounds.holds_word(at).then(|| unsafe { (at as *const usize).read_volatile() })
}
