//! The fence: everything about machine code in memory, threads that run it, and getting in and out of it alive.
//!
//! This folder holds the `unsafe` code of the runtime. What it offers outside is safe to use, under one assumption: code
//! that the compiler emitted keeps the contract of `vaisjit_abi`, and is called with the signature it has.

mod backing;
mod barrier;
mod beside;
pub mod closure;
mod enter;
mod globals;
mod guard;
mod held;
mod host_traps;
mod libcalls;
mod making;
mod meeting;
mod memory;
mod pause;
mod peer;
mod registry;
mod rendezvous;
mod replace;
mod rt;
mod safepoint;
mod slots;
mod stack;
mod stopped;
mod sweeping;
mod symbols;
mod sync;
mod thread;
mod traps;
mod unit;
mod waiting;
mod walk;
mod world;

#[cfg(any(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")), target_os = "macos"))]
mod arch;
mod cleanup;
#[cfg(any(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")), target_os = "macos"))]
mod landing;
#[cfg(any(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")), target_os = "macos"))]
mod signals;
#[cfg(not(any(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")), target_os = "macos")))]
mod signals {
    //! Nobody has ported traps to this system: one ends the process, as it would end a C program.
    pub(super) fn install() {}
    pub fn before_end(_: fn()) {}
}

#[cfg(test)]
mod tests;

pub use barrier::needs_fence;
pub(crate) use beside::{Beside, BesidePlace, Computed, Grown, WholeLocal};
pub use cleanup::CleanupHook;
pub use enter::{Callee, Trampoline};
pub use globals::GlobalMemory;
pub use guard::{Guard, PauseHook};
pub use host_traps::host_traps;
pub(crate) use making::Making;
pub use peer::{outlive_closed_pipes, own_user, peer_of};
pub(crate) use replace::{Conversion, Follower, Step, Transfer};
pub use rt::{CallbackTarget, guard, raise, stack_holds};
pub use safepoint::{Outcome, PATIENCE, SafepointKind, Ticket};
pub use signals::before_end;
pub use slots::{Slot, SlotTable};
pub use stopped::{DataBlock, StackWord, Stopped, StoppedFrame};
pub use symbols::{c_symbol, end_on_closed_pipe};
pub use thread::Repair;
pub use traps::{FaultReporter, NativeFault, RawFrame, RawTrap, set_fault_reporter};
pub use unit::{CodeAddress, CodeError, CodeModule, CodeUnit, NO_LOCATION, Resolver, UnitFunction, new_module};
pub use waiting::Waiting;
pub use world::{OrphanHook, World};
