//! Values that calls held which a trap has ended: found by tracing, when no thread is in the program, or all that are wait
//! in failed calls for a new version.
//!
//! Then all that the program can still reach is reached from its global variables, the attic and the stacks of those that
//! wait. Every word there and in every block that is reached is taken for an address, wherever in a block it points: so raw pointers keep what they
//! point at, and nothing depends on what the program may have spoilt. What is not reached is freed as it lies; a value that
//! stays and was shared with one that is freed keeps a count too many, and goes with a later trace.
//!
//! Memory of somebody else's (`malloc`) is not seen. The program cannot put a counted value there without asking whether
//! the memory is its own (`Release { checked }`): once one has been put elsewhere, nothing is traced any more.

use std::sync::atomic::Ordering;

use vaisjit_abi::heap::{HEADER_SIZE, TYPE_OFFSET};

use super::arena::Arena;
use super::block::{Payload, load};
use super::{Heap, lock};

/// So many bytes are not worth a trace. Chosen by feel.
const FEW: usize = 1 << 20;

/// So many are traced in less time than anybody notices who has just been told of a trap. Chosen by feel.
const SOON: usize = 16 << 20;

impl Heap {
    /// A counted value is being put into memory that is not the program's own.
    pub(super) fn note_foreign(&self) {
        self.foreign.store(true, Ordering::Relaxed);
    }

    /// Makes a value in memory of the host's and puts it where it is known: nothing is freed as unreached meanwhile.
    pub(crate) fn making_outside<R>(&self, work: impl FnOnce() -> R) -> R {
        self.outside.fetch_add(1, Ordering::SeqCst);
        let result = work();
        self.outside.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// Is it twice as large as the last trace has left it?
    pub(crate) fn has_grown(&self) -> bool {
        lock(&self.arena).size() > 2 * self.traced.load(Ordering::Relaxed).max(FEW)
    }

    /// Is it so small that a trace takes hardly any time?
    pub(crate) fn is_soon_traced(&self) -> bool {
        lock(&self.arena).size() <= SOON
    }

    /// Frees what nothing leads to, these words of stacks included, and gives how many blocks that were. `None` if it cannot
    /// be told. While no thread runs the program.
    pub(crate) fn free_unreached(&self, stacks: Vec<usize>) -> Option<usize> {
        if self.foreign.load(Ordering::Relaxed) || self.outside.load(Ordering::SeqCst) > 0 {
            return None;
        }
        let mut roots = stacks;
        roots.extend(lock(&self.attic).words());
        for (start, size) in lock(&self.globals).iter() {
            roots.extend(words(*start, *size));
        }
        let mut arena = lock(&self.arena);
        let mut trace = Trace::of(&arena);
        trace.reach(&arena, roots);
        let mut freed = 0;
        for block in trace.left() {
            Payload(block + HEADER_SIZE).set_word(TYPE_OFFSET, 0);
            arena.free(block);
            freed += 1;
        }
        self.traced.store(arena.size(), Ordering::Relaxed);
        Some(freed)
    }
}

/// The words of memory that is known to be there.
fn words(start: usize, size: usize) -> impl Iterator<Item = usize> {
    (start.next_multiple_of(8)..start + size - size % 8).step_by(8).filter(move |at| at + 8 <= start + size).map(load)
}

/// Which blocks have been reached.
struct Trace {
    /// By address.
    blocks: Vec<usize>,
    reached: Vec<bool>,
}

impl Trace {
    fn of(arena: &Arena) -> Trace {
        let mut blocks: Vec<usize> = arena.blocks().collect();
        blocks.sort_unstable();
        Trace { reached: vec![false; blocks.len()], blocks }
    }

    fn reach(&mut self, arena: &Arena, mut open: Vec<usize>) {
        while let Some(word) = open.pop() {
            let Some(block) = arena.find(word) else { continue };
            let Ok(number) = self.blocks.binary_search(&block) else { continue };
            if !std::mem::replace(&mut self.reached[number], true) {
                let range = arena.range();
                open.extend(words(block, arena.room(block)).filter(|word| range.contains(word)));
            }
        }
    }

    fn left(self) -> impl Iterator<Item = usize> {
        self.blocks.into_iter().zip(self.reached).filter(|(_, reached)| !reached).map(|(block, _)| block)
    }
}
