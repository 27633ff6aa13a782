//! The call context: the first, hidden argument of every generated function, one per thread that runs generated code.
//!
//! Generated code reads and writes the fields below by offset (`offsets`), the runtime by name. A test holds both
//! views together.

use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize};

use crate::heap::Services;

/// What generated code may know about the thread it runs on.
///
/// The runtime embeds it at the start of its own per-thread record, so `owner` and `self` are the same allocation.
#[repr(C)]
#[derive(Debug)]
pub struct CallContext {
    /// Lowest address the machine stack may reach; a prologue that would pass it traps with
    /// [`TrapCode::StackOverflow`](crate::TrapCode::StackOverflow). A red zone for C and host functions lies below it.
    pub stack_limit: usize,
    /// Not zero asks the thread to leave the fast path: the poll of a loop calls the safepoint thunk, an exit
    /// thunk calls the gate. Bits are [`poll`].
    pub poll: AtomicU8,
    /// [`RUNNING`], [`IN_HOST`], [`AT_SAFEPOINT`] or [`AT_POLL`]; written by exit thunks around each call of a host or C
    /// function. Only while it is `RUNNING` does the thread change this context or the frames below its last exit.
    pub state: AtomicU32,
    /// Top of the data stack, which grows upwards: where the next [`FrameBlock`] will lie.
    pub data_top: usize,
    /// End of the data stack; a prologue that would pass it traps with `StackOverflow`.
    pub data_end: usize,
    /// Frame pointer of the innermost exit thunk; means something while `state` is not `RUNNING` and `entry` is not
    /// null. From it a walk finds the generated frames below: `[fp]` is the caller's frame pointer, `[fp + 8]` the
    /// return address into it. While the thread is `RUNNING` in a heap function, it carries the mark [`IN_HEAP`].
    pub exit_fp: usize,
    /// Innermost entry record, null outside generated code.
    pub entry: *const EntryRecord,
    /// The runtime's record of this thread.
    pub owner: *mut c_void,
    /// What the standard library's functions may ask for.
    pub services: *const Services,
    /// Where code that starts in the middle of a loop finds its block, the address of its result and the values that the
    /// code before it handed over; means something only between a poll's answer and the start of that code. On the way
    /// from a poll to its thunk: the address of the poll's spill area.
    pub carried: *mut u64,
    /// Innermost guard of the innermost activation, null for none: where a trap goes before it ends the activation.
    pub guard: *const GuardRecord,
    /// Index and length of a failed check, on the way to its trap.
    pub failed_check: [i64; 2],
    /// Which of `shown` were stored on the way to a trap, a bit each; 0 but between those stores and the look at them.
    pub shown_mask: u64,
    /// What variables of the function that traps hold, for the report.
    pub shown: [u64; SHOWN],
}

/// How many variables of a function code can hand to the report of a trap; at most 31. Chosen by feel.
pub const SHOWN: usize = 16;

/// [`CallContext::state`]: generated code is running and will see a poll request at its next safepoint.
pub const RUNNING: u32 = 0;
/// [`CallContext::state`]: the thread is inside a host or C function, or outside generated code altogether. It counts
/// as stopped: before it touches the program's memory again it passes the gate in the exit thunk.
pub const IN_HOST: u32 = 1;
/// [`CallContext::state`]: as [`IN_HOST`], in a host function that is an explicit safepoint.
pub const AT_SAFEPOINT: u32 = 2;
/// [`CallContext::state`]: stopped at the poll of a loop, in the safepoint thunk.
pub const AT_POLL: u32 = 3;

/// Added to [`CallContext::exit_fp`] while a thread is in a heap function (`HostFlags::heap`).
pub const IN_HEAP: usize = 1;

/// Bits of [`CallContext::poll`].
pub mod poll {
    /// A commit is waiting for the threads to stop.
    pub const STOP: u8 = 1;
    /// A host function failed: the exit thunk that it returns to raises the trap stored in the thread's record.
    pub const TRAP: u8 = 2;
    /// A loop on this thread's stack runs code that has been replaced: its next poll moves it into the new code.
    pub const STALE: u8 = 4;
}

/// Byte offsets of [`CallContext`] fields, as generated code uses them.
pub mod offsets {
    use super::{CallContext, offset_of};

    /// Offset of `stack_limit`.
    pub const STACK_LIMIT: i32 = offset_of!(CallContext, stack_limit) as i32;
    /// Offset of `poll`.
    pub const POLL: i32 = offset_of!(CallContext, poll) as i32;
    /// Offset of `state`.
    pub const STATE: i32 = offset_of!(CallContext, state) as i32;
    /// Offset of `data_top`.
    pub const DATA_TOP: i32 = offset_of!(CallContext, data_top) as i32;
    /// Offset of `data_end`.
    pub const DATA_END: i32 = offset_of!(CallContext, data_end) as i32;
    /// Offset of `exit_fp`.
    pub const EXIT_FP: i32 = offset_of!(CallContext, exit_fp) as i32;
    /// Offset of `entry`.
    pub const ENTRY: i32 = offset_of!(CallContext, entry) as i32;
    /// Offset of `carried`.
    pub const CARRIED: i32 = offset_of!(CallContext, carried) as i32;
    /// Offset of `guard`.
    pub const GUARD: i32 = offset_of!(CallContext, guard) as i32;
    /// Offset of `failed_check`.
    pub const FAILED_CHECK: i32 = offset_of!(CallContext, failed_check) as i32;
    /// Offset of `shown_mask`.
    pub const SHOWN_MASK: i32 = offset_of!(CallContext, shown_mask) as i32;
    /// Offset of the first word of `shown`.
    pub const SHOWN: i32 = offset_of!(CallContext, shown) as i32;
}

/// One activation of generated code by the host; lives on the host's stack while the call lasts.
///
/// Records are chained through `previous`, innermost first, and each remembers the exit it was entered under, so that a
/// walk crosses host and C frames without reading them.
#[repr(C)]
#[derive(Debug)]
pub struct EntryRecord {
    /// The entry this one is nested in.
    pub previous: *const EntryRecord,
    /// [`CallContext::exit_fp`] at the moment of entry; restored on the way out.
    pub exit_fp: usize,
    /// [`CallContext::data_top`] at the moment of entry; restored when a trap unwinds to here.
    pub data_top: usize,
    /// Frame pointer of the entry trampoline, stored by the trampoline itself: where a walk of this activation ends.
    pub trampoline_fp: usize,
    /// Where the trampoline goes on after a trap.
    pub handler_pc: usize,
    /// What the stack pointer is there, counted down from `trampoline_fp`.
    pub handler_frame: usize,
}

/// Byte offset of [`EntryRecord::trampoline_fp`].
pub const ENTRY_TRAMPOLINE_FP: i32 = offset_of!(EntryRecord, trampoline_fp) as i32;

/// One call through a guard thunk; lies in the thunk's frame while the call lasts.
#[repr(C)]
#[derive(Debug)]
pub struct GuardRecord {
    /// The guard this one is nested in, in the same activation.
    pub previous: *const GuardRecord,
    /// Whose thunk it is.
    pub target: *const GuardTarget,
    /// Frame pointer of the thunk.
    pub frame_fp: usize,
    /// [`CallContext::data_top`] at the moment of the call; restored after a trap.
    pub data_top: usize,
}

/// Where a guard thunk goes on after a trap. Starts a larger record of the runtime's.
#[repr(C)]
#[derive(Debug, Default)]
pub struct GuardTarget {
    /// The code that goes on.
    pub handler_pc: AtomicUsize,
    /// What the stack pointer is there, counted down from [`GuardRecord::frame_fp`].
    pub handler_frame: AtomicUsize,
}

/// Byte offsets of [`GuardRecord`] fields, and its size.
pub mod guard_offsets {
    use super::{GuardRecord, offset_of};

    /// Offset of `previous`.
    pub const PREVIOUS: i32 = offset_of!(GuardRecord, previous) as i32;
    /// Offset of `target`.
    pub const TARGET: i32 = offset_of!(GuardRecord, target) as i32;
    /// Offset of `frame_fp`.
    pub const FRAME_FP: i32 = offset_of!(GuardRecord, frame_fp) as i32;
    /// Offset of `data_top`.
    pub const DATA_TOP: i32 = offset_of!(GuardRecord, data_top) as i32;
    /// Size of the record.
    pub const SIZE: u32 = size_of::<GuardRecord>() as u32;
}

/// Header of a block on the data stack: the typed memory of one activation of a function with a safepoint loop.
///
/// ```text
/// data_top before ->  +-----------------+
///                     | frame_fp        |  the activation it belongs to
///                     | descriptor,size |  which function, which locals (a `FrameLayout` id); 4 bytes each
///                     +-----------------+
///                     | locals ...      |  zeroed on entry
///                     | (cleanup)       |  8 bytes, if `descriptor` has the bit [`CLEANUP`]: the code that runs what is
///                     |                 |  deferred when a trap has ended the activation
/// data_top after  ->  +-----------------+
/// ```
#[repr(C)]
#[derive(Debug)]
pub struct FrameBlock {
    /// Frame pointer of the activation.
    pub frame_fp: usize,
    /// Number of the frame layout in the code version that made the block.
    pub descriptor: u32,
    /// Size of the block with this header, a multiple of 16: the next block starts there.
    pub size: u32,
}

impl FrameBlock {
    /// Descriptor and size as the one word that generated code stores behind `frame_fp`.
    pub const fn header_word(descriptor: u32, size: u32) -> u64 {
        descriptor as u64 | (size as u64) << 32
    }
}

/// Added to [`FrameBlock::descriptor`] if the last word of the block is the address of a cleanup, `tail fn(ctx)`. It goes on
/// in the block, whose address it finds in [`CallContext::carried`], and may be called again after a trap in it.
pub const CLEANUP: u32 = 1 << 31;

/// Size of [`FrameBlock`], also the offset of the first local. Blocks are aligned to 16 bytes.
pub const FRAME_BLOCK_HEADER: u32 = size_of::<FrameBlock>() as u32;

#[cfg(test)]
mod tests {
    use super::*;

    /// The offsets are part of the contract with code that is already compiled: a moved field must be noticed.
    #[test]
    fn both_sides_agree_on_the_offsets() {
        let seen = [
            offsets::STACK_LIMIT,
            offsets::POLL,
            offsets::STATE,
            offsets::DATA_TOP,
            offsets::DATA_END,
            offsets::EXIT_FP,
            offsets::ENTRY,
            offsets::CARRIED,
            offsets::GUARD,
            offsets::FAILED_CHECK,
            offsets::SHOWN_MASK,
            offsets::SHOWN,
        ];
        assert_eq!(seen, [0, 8, 12, 16, 24, 32, 40, 64, 72, 80, 96, 104]);
        assert_eq!(ENTRY_TRAMPOLINE_FP, 24);
        assert_eq!(FRAME_BLOCK_HEADER, 16);
    }
}
