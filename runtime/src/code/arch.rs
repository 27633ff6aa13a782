//! The few registers traps deal with, one file per machine and system.

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
#[path = "arch/linux_aarch64.rs"]
mod machine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "arch/linux_x86_64.rs"]
mod machine;
#[cfg(target_os = "macos")]
#[path = "arch/macos.rs"]
mod machine;

pub(super) use machine::{read, read_values, return_address, write};

/// Where a thread was, and where it shall go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    pub(super) pc: usize,
    pub(super) sp: usize,
    pub(super) fp: usize,
    /// Return address of a leaf function, where the machine has a register for it.
    pub(super) link: usize,
}

/// The stack pointer at the first instruction of a function that is called with this one, a multiple of 16.
pub(super) fn sp_of_call(sp: usize) -> usize {
    // On x86-64 the call has pushed its return address.
    if cfg!(target_arch = "x86_64") { sp - 8 } else { sp }
}

/// Goes on with these registers; all others mean nothing there.
///
/// # Safety
/// The thread may go on with these registers, and no frame between has anything that must be dropped.
pub(super) unsafe fn go_on(to: &Registers) -> ! {
    // SAFETY: by the promise above.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!(
            "mov rsp, {sp}", "mov rbp, {fp}", "jmp {pc}",
            sp = in(reg) to.sp, fp = in(reg) to.fp, pc = in(reg) to.pc, options(noreturn)
        );
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!(
            "mov sp, {sp}", "mov x29, {fp}", "br {pc}",
            sp = in(reg) to.sp, fp = in(reg) to.fp, pc = in(reg) to.pc, options(noreturn)
        );
    }
}

/// What the program counter points at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Nothing executable: the target of a call that went wrong.
    Called,
    /// A generated function, this far from its start.
    Function(u32),
}
