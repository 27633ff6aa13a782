//! Registers of a signal context on Linux, x86-64.

use super::{Place, Registers};
use crate::code::stack::StackBounds;

const PC: usize = libc::REG_RIP as usize;
const SP: usize = libc::REG_RSP as usize;
const FP: usize = libc::REG_RBP as usize;

/// # Safety
/// `context` is the third argument of a signal handler that is running.
pub(in crate::code) unsafe fn read(context: *mut libc::c_void) -> Registers {
    // SAFETY: by the promise above.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    Registers { pc: registers[PC] as usize, sp: registers[SP] as usize, fp: registers[FP] as usize, link: 0 }
}

/// The registers values are in, by their numbers in the machine's encoding: those for integers, the low words of those for
/// floats. False if they are not known.
///
/// # Safety
/// As for `read`.
pub(in crate::code) unsafe fn read_values(
    context: *mut libc::c_void,
    ints: &mut [u64; 16],
    floats: &mut [u64; 16],
) -> bool {
    use libc::{REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    use libc::{REG_RAX, REG_RBP, REG_RBX, REG_RCX, REG_RDI, REG_RDX, REG_RSI, REG_RSP};
    const ORDER: [libc::c_int; 16] = [
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11,
        REG_R12, REG_R13, REG_R14, REG_R15,
    ];
    // SAFETY: by the promise above; the state of the floating-point unit is part of the context, or null.
    let (registers, state) = unsafe {
        let machine = &(*context.cast::<libc::ucontext_t>()).uc_mcontext;
        (&machine.gregs, machine.fpregs.as_ref())
    };
    for (value, number) in ints.iter_mut().zip(ORDER) {
        *value = registers[number as usize] as u64;
    }
    let Some(state) = state else { return false };
    for (value, register) in floats.iter_mut().zip(&state._xmm) {
        *value = u64::from(register.element[0]) | u64::from(register.element[1]) << 32;
    }
    true
}

/// # Safety
/// As for `read`, and the thread may go on with these registers.
pub(in crate::code) unsafe fn write(context: *mut libc::c_void, to: &Registers) {
    // SAFETY: by the promise above.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    registers[PC] = to.pc as i64;
    registers[SP] = to.sp as i64;
    registers[FP] = to.fp as i64;
}

/// The return address of the innermost frame, if it is not behind the frame pointer.
pub(in crate::code) fn return_address(registers: &Registers, place: Place, bounds: StackBounds) -> Option<usize> {
    let at = match place {
        // The call has pushed it.
        Place::Called | Place::Function(0) => registers.sp,
        // `push rbp` is one byte long.
        Place::Function(1) => registers.sp + 8,
        Place::Function(_) => return None,
    };
    // SAFETY: the word lies in the thread's stack, above its stack pointer.
    bounds.holds_word(at).then(|| unsafe { (at as *const usize).read_volatile() })
}
