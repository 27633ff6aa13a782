//! What is deferred in calls that a trap has ended.
//!
//! Functions with deferred blocks leave the address of their *cleanup* at the end of their block on the data stack. If
//! there are such blocks above the place a trap goes to, the signal handler makes the thread go on in [`super::landing`], below all
//! frames that are given up: what deferred blocks reach through pointers still lies there. It calls the cleanups, newest
//! block first, and then goes where the trap goes.
//!
//! Meanwhile the thread counts as running to commits: they would have to know what a block holds whose function is
//! neither running nor waiting. The frames given up are on no stack any more; the units of the cleanups are held.

use std::any::Any;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};

use vaisjit_abi::TrapCode;
use vaisjit_abi::context::{CLEANUP, FRAME_BLOCK_HEADER, FrameBlock};

use super::enter::{Trampoline, enter_active};
use super::registry::find;
use super::thread::ThreadRecord;
use super::traps::{self, RawTrap};
use super::unit::CodeUnit;
use super::world::{Shared, World, lock};

/// How much of the machine stack must be left for cleanups to be called; so much of the room for C functions is theirs
/// after a stack overflow. Chosen by feel.
pub(super) const ROOM: usize = 48 << 10;
/// How many traps of deferred blocks one trap tells of. Chosen by feel.
const MOST_TOLD: usize = 16;

/// Decides whether deferred blocks run after a trap; not if the program is about to end. What it gives is dropped when they
/// have run.
pub type CleanupHook = Box<dyn Fn(&RawTrap) -> Option<Box<dyn Any>> + Send + Sync>;

impl World {
    /// Sets who decides whether deferred blocks run after a trap; without anybody they do.
    pub fn on_cleanup(&self, hook: CleanupHook) {
        *lock(&self.shared().cleanups.hook) = Some(Arc::new(hook));
    }

    /// Where the way into cleanups is looked for.
    pub(crate) fn cleanup_entry(&self) -> Arc<OnceLock<Trampoline>> {
        self.shared().cleanups.entry.clone()
    }

    /// Does this thread run what is deferred in calls that have ended?
    pub(crate) fn cleans_here(&self) -> bool {
        self.record().is_ok_and(|record| record.cleaning.load(Ordering::Relaxed) > 0)
    }
}

/// What a world needs to call cleanups.
#[derive(Default)]
pub(super) struct Cleanups {
    hook: Mutex<Option<Arc<CleanupHook>>>,
    /// Enters functions without parameters and result; there is one as soon as there is a cleanup.
    entry: Arc<OnceLock<Trampoline>>,
}

/// Where a trap goes.
struct Boundary {
    /// The data stack below which nothing is given up.
    data_top: usize,
    /// From where a walk finds the frames that are left.
    exit_fp: usize,
}

impl Boundary {
    fn of(record: &ThreadRecord) -> Boundary {
        // SAFETY: the records of the innermost activation lie in frames of this thread that have not returned.
        unsafe {
            match record.guard().load(Ordering::Relaxed).as_ref() {
                Some(guard) => Boundary { data_top: guard.data_top, exit_fp: guard.frame_fp },
                None => {
                    let entry = &*record.entry().load(Ordering::Relaxed);
                    Boundary { data_top: entry.data_top, exit_fp: entry.trampoline_fp }
                }
            }
        }
    }
}

/// The blocks of a data stack between two addresses, lowest first, with their headers. What does not look like one ends
/// them.
///
/// # Safety
/// The bytes lie on the data stack of this thread or of a stopped one.
pub(super) unsafe fn blocks(from: usize, top: usize) -> impl Iterator<Item = (usize, FrameBlock)> {
    let mut at = from;
    std::iter::from_fn(move || {
        if at + FRAME_BLOCK_HEADER as usize > top {
            return None;
        }
        // SAFETY: by the promise above.
        let header = unsafe { (at as *const FrameBlock).read() };
        let (address, size) = (at, header.size as usize);
        at += size;
        (size >= FRAME_BLOCK_HEADER as usize && size.is_multiple_of(16) && at <= top).then_some((address, header))
    })
}

/// The cleanup of a block with its unit, if it has one that makes sense.
fn cleanup_of(address: usize, header: &FrameBlock) -> Option<(usize, Arc<CodeUnit>)> {
    if header.descriptor & CLEANUP == 0 || header.size < FRAME_BLOCK_HEADER + 8 {
        return None;
    }
    // SAFETY: the last word of a block on this thread's data stack.
    let code = unsafe { ((address + header.size as usize - 8) as *const usize).read() };
    let found = find(code).filter(|found| found.offset == 0)?;
    // SAFETY: the frame that left the block was on this thread's stack when it trapped, and the thread has met no
    // safepoint since.
    let unit = unsafe { found.share() };
    unit.is_cleanup(found.function).then_some((code, unit))
}

/// Is there anything to be done in what a trap ends?
pub(super) fn is_needed(record: &ThreadRecord) -> bool {
    let boundary = Boundary::of(record);
    let top = record.data_top().load(Ordering::Relaxed);
    // SAFETY: the bytes lie on this thread's data stack.
    let mut left = unsafe { blocks(boundary.data_top, top) };
    left.any(|(_, header)| header.descriptor & CLEANUP != 0)
}

/// Runs what is deferred in the calls that the noted trap ends.
pub(super) fn clean_up(record: &ThreadRecord) {
    let boundary = Boundary::of(record);
    let mut trap = traps::take(record);
    let top = record.data_top().load(Ordering::Relaxed);
    // SAFETY: the bytes lie on this thread's data stack.
    let left = unsafe { blocks(boundary.data_top, top) };
    // Of a call whose variables a reload has moved out of its block, nobody but its follower knows where they are.
    let in_place = left.filter(|(_, header)| !record.stale.has_outgrown(header.frame_fp));
    let left: Vec<Left> = in_place.filter_map(|(address, header)| Left::of(address, &header)).collect();
    record.exit_fp().store(boundary.exit_fp, Ordering::Relaxed);
    if let Some(shared) = record.shared.upgrade()
        && let Some(entry) = shared.cleanups.entry.get()
        && let Some(running) = shared.runs_deferred(&trap)
    {
        let interrupt = Interrupt::put_off(&shared, record);
        record.cleaning.fetch_add(1, Ordering::Relaxed);
        for block in left.iter().rev() {
            if !block.clean(&shared, record, entry, &mut trap) {
                break;
            }
        }
        record.cleaning.fetch_sub(1, Ordering::Relaxed);
        interrupt.come_back(&shared, record);
        drop(running);
    }
    record.data_top().store(boundary.data_top, Ordering::Relaxed);
    record.put_back(trap);
}

impl Shared {
    fn runs_deferred(&self, trap: &RawTrap) -> Option<Box<dyn Any>> {
        let Some(hook) = lock(&self.cleanups.hook).clone() else { return Some(Box::new(())) };
        // A panic has been printed.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hook(trap))).ok().flatten()
    }
}

/// A block that a call has left with something to be done.
struct Left {
    address: usize,
    size: usize,
    code: usize,
    _unit: Arc<CodeUnit>,
}

impl Left {
    fn of(address: usize, header: &FrameBlock) -> Option<Left> {
        let (code, unit) = cleanup_of(address, header)?;
        Some(Left { address, size: header.size as usize, code, _unit: unit })
    }

    /// Runs what is deferred in the call; traps in it are added to `trap`. False if nothing more shall be run.
    fn clean(&self, shared: &Arc<Shared>, record: &ThreadRecord, entry: &Trampoline, trap: &mut RawTrap) -> bool {
        loop {
            let before = self.bytes().to_vec();
            record.data_top().store(self.address, Ordering::Relaxed);
            record.set_carried(self.address as *mut u64);
            let Err(another) = enter_active(shared, record, entry, &|| self.code, &[], &mut [0; 2]) else {
                return true;
            };
            let interrupted = another.code == TrapCode::Interrupted;
            if trap.deferred.len() < MOST_TOLD {
                trap.deferred.push(*another);
            }
            // A block counts what is left to be run before it runs it, so as long as it changes it comes further.
            if interrupted || self.bytes() == before {
                return !interrupted;
            }
        }
    }

    /// What lies in the block behind its header.
    fn bytes(&self) -> &[u8] {
        let header = FRAME_BLOCK_HEADER as usize;
        // SAFETY: the block lies on this thread's data stack, and no code runs while the bytes are looked at.
        unsafe { std::slice::from_raw_parts((self.address + header) as *const u8, self.size - header) }
    }
}

/// What asked the thread to stop, or lets it use the stack so far, while it cleans up.
struct Interrupt {
    interrupted: bool,
    limit: usize,
}

impl Interrupt {
    /// Lets generated code run again, a little deeper into the stack than usual.
    fn put_off(shared: &Shared, record: &ThreadRecord) -> Interrupt {
        let _control = shared.control();
        let interrupted = record.interrupted.load(Ordering::SeqCst);
        if interrupted {
            record.clear_interrupt();
        }
        let limit = record.stack_limit().load(Ordering::SeqCst);
        record.stack_limit().store(limit.min(record.bounds.low + ROOM / 2), Ordering::SeqCst);
        Interrupt { interrupted, limit }
    }

    fn come_back(self, shared: &Shared, record: &ThreadRecord) {
        let _control = shared.control();
        record.stack_limit().store(self.limit, Ordering::SeqCst);
        if self.interrupted || record.interrupted.load(Ordering::SeqCst) {
            record.interrupt();
        }
    }
}

impl ThreadRecord {
    /// A trap that has been taken is on its way again. On the record's own thread.
    fn put_back(&self, trap: Box<RawTrap>) {
        // SAFETY: only this thread touches the cell, and no reference to it outlives this statement.
        unsafe { *self.landed.get() = Some(trap) };
    }
}
