//! Slots: each holds the address of the code a function runs now. Generated code loads it at every call, so slots never
//! move; function values of programs are their addresses. Beside it lies what guarded callers call: a guard thunk if the
//! function has one, else the same code.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vaisjit_abi::slot::SlotWords;

use super::unit::CodeAddress;

/// Slots are allocated in pieces of this many.
const CHUNK: usize = 1024;

type Chunk = Arc<[Cell]>;

/// What lies at a slot's address.
#[repr(C)]
#[derive(Default)]
struct Cell {
    words: SlotWords,
    /// Is the guarded word a guard thunk?
    has_guard: AtomicBool,
}

impl Cell {
    fn store(&self, code: usize) {
        self.words.code.store(code, Ordering::Release);
        if !self.has_guard.load(Ordering::Relaxed) {
            self.words.guarded.store(code, Ordering::Release);
        }
    }
}

/// The slots of a program.
#[derive(Clone, Default)]
pub struct SlotTable {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// By the address of the first slot.
    chunks: BTreeMap<usize, Chunk>,
    /// Slots nobody uses, by address; the lowest is taken first.
    free: Vec<Slot>,
}

/// One slot. It keeps its memory alive; it is given back only by [`SlotTable::free`].
#[derive(Clone)]
pub struct Slot {
    chunk: Chunk,
    index: usize,
}

impl SlotTable {
    /// A table without slots.
    pub fn new() -> SlotTable {
        SlotTable::default()
    }

    /// A new slot that calls `initial`; until it is published, a call through an empty slot is a trap.
    pub fn alloc(&self, initial: Option<CodeAddress>) -> Slot {
        let mut inner = self.inner();
        let slot = inner.free.pop().unwrap_or_else(|| inner.grow());
        slot.cell().store(initial.map_or(0, CodeAddress::get));
        slot
    }

    /// Gives a slot back for another function. Nothing may hold its address any more: no code, no function value.
    pub fn free(&self, slot: Slot) {
        slot.cell().has_guard.store(false, Ordering::Relaxed);
        slot.cell().store(0);
        self.inner().free.push(slot);
    }

    /// The slot at this address: `None` for a number that is no slot's address.
    pub fn at(&self, address: usize) -> Option<Slot> {
        let inner = self.inner();
        let (start, chunk) = inner.chunks.range(..=address).next_back()?;
        let (index, rest) = ((address - start) / size_of::<Cell>(), (address - start) % size_of::<Cell>());
        (rest == 0 && index < chunk.len()).then(|| Slot { chunk: chunk.clone(), index })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn grow(&mut self) -> Slot {
        let chunk: Chunk = (0..CHUNK).map(|_| Cell::default()).collect();
        self.chunks.insert(chunk.as_ptr() as usize, chunk.clone());
        self.free.extend((1..CHUNK).rev().map(|index| Slot { chunk: chunk.clone(), index }));
        Slot { chunk, index: 0 }
    }
}

impl Slot {
    /// Where it lies: what generated code loads from, and the function value.
    pub fn address(&self) -> usize {
        std::ptr::from_ref(self.cell()) as usize
    }

    /// Makes later calls run this code. The code has the slot's signature and outlives its place here.
    pub fn store(&self, code: CodeAddress) {
        self.cell().store(code.get());
    }

    /// Makes guarded callers run this guard thunk, which calls what is in the slot and lives as long as the slot.
    pub fn store_guard(&self, thunk: CodeAddress) {
        self.cell().has_guard.store(true, Ordering::Relaxed);
        self.cell().words.guarded.store(thunk.get(), Ordering::Release);
    }

    /// Puts back what [`Slot::load`] has given.
    pub fn put_back(&self, code: usize) {
        self.cell().store(code);
    }

    /// The code it calls now, 0 for none.
    pub fn load(&self) -> usize {
        self.cell().words.code.load(Ordering::Acquire)
    }

    /// What guarded callers call now.
    #[cfg(test)]
    pub(crate) fn load_guard(&self) -> usize {
        self.cell().words.guarded.load(Ordering::Acquire)
    }

    fn cell(&self) -> &Cell {
        &self.chunk[self.index]
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Slot) -> bool {
        self.address() == other.address()
    }
}

impl Eq for Slot {}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({:#x} -> {:#x})", self.address(), self.load())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_by_address_and_used_again() {
        let table = SlotTable::new();
        let slots: Vec<Slot> = (0..3000).map(|_| table.alloc(None)).collect();
        assert_eq!(table.at(slots[2999].address()), Some(slots[2999].clone()));
        assert_eq!(table.at(slots[7].address() + 1), None);
        assert_eq!(table.at(0), None);
        assert_eq!(table.at(usize::MAX), None);
        let address = slots[5].address();
        table.free(slots[5].clone());
        assert_eq!(table.alloc(None).address(), address);
    }
}
