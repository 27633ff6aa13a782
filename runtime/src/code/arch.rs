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

pub(super) use machine::{read, return_address, write};

/// Where a thread was, and where it shall go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    pub(super) pc: usize,
    pub(super) sp: usize,
    pub(super) fp: usize,
    /// Return address of a leaf function, where the machine has a register for it.
    pub(super) link: usize,
}

/// What the program counter points at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Nothing executable: the target of a call that went wrong.
    Called,
    /// A generated function, this far from its start.
    Function(u32),
}
