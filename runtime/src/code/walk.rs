//! Walks over stacks by frame pointers, through generated frames only.
//!
//! Entry records chain the activations, so frames of the host and of C are never read. Every frame pointer is checked
//! against the stack's bounds, and must lead upwards: a program can overwrite its own stack.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use super::registry::{Found, find};
use super::stack::StackBounds;
use super::thread::ThreadRecord;

/// A frame that is found on a stack.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// An address inside the instruction that is being executed: the call, if it is not the innermost frame.
    pub(super) pc: usize,
    pub(super) frame_pointer: usize,
    /// Where its words start: behind the return address into it.
    pub(super) low: usize,
}

/// Visits the frames of one activation, innermost first: those above the frame `frame_pointer` (whose own program
/// counter the caller knows) up to, and without, the trampoline's.
///
/// Reads only words inside `bounds`, which must be mapped from `frame_pointer` upwards. May run in a signal handler.
pub(super) fn callers(
    bounds: StackBounds,
    mut frame_pointer: usize,
    trampoline: usize,
    mut visit: impl FnMut(Frame) -> ControlFlow<()>,
) -> ControlFlow<()> {
    while frame_pointer < trampoline && bounds.holds_word(frame_pointer) && bounds.holds_word(frame_pointer + 8) {
        // SAFETY: both words lie inside the stack, above the stack pointer; they are only looked at.
        let (parent, return_address) = unsafe {
            let frame = frame_pointer as *const usize;
            (frame.read_volatile(), frame.add(1).read_volatile())
        };
        if parent <= frame_pointer || parent >= trampoline {
            break;
        }
        visit(Frame { pc: return_address.wrapping_sub(1), frame_pointer: parent, low: frame_pointer + 16 })?;
        frame_pointer = parent;
    }
    ControlFlow::Continue(())
}

/// Visits all generated frames of a thread that is stopped in the host, innermost first.
pub(super) fn stopped_thread(record: &ThreadRecord, mut visit: impl FnMut(Found, Frame) -> ControlFlow<()>) {
    let mut entry = record.entry().load(Ordering::Acquire).cast_const();
    let mut exit = record.exit_fp().load(Ordering::Acquire);
    while !entry.is_null() {
        // SAFETY: entry records live on the stack of the stopped thread, in host frames that have not returned.
        let (trampoline, outer_exit, previous) =
            unsafe { ((*entry).trampoline_fp, (*entry).exit_fp, (*entry).previous) };
        let walked = callers(record.bounds, exit, trampoline, |frame| match find(frame.pc) {
            Some(found) => visit(found, frame),
            None => ControlFlow::Continue(()),
        });
        if walked.is_break() {
            return;
        }
        (entry, exit) = (previous, outer_exit);
    }
}

/// Does this place lie in a loop with a safepoint?
pub(super) fn is_looping(found: Found) -> bool {
    // SAFETY: the place was found on a stack, by the thread itself or while it is stopped.
    let unit = unsafe { found.unit() };
    unit.is_looping(found.function, unit.location(found.function, found.offset))
}

/// Does this place lie in a loop with a safepoint inside another one?
pub(super) fn is_nested(found: Found) -> bool {
    // SAFETY: as in `is_looping`.
    let unit = unsafe { found.unit() };
    unit.is_nested(found.function, unit.location(found.function, found.offset))
}
