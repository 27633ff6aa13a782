//! Slots: one word each, holding the address of the code a function runs now. Generated code loads them at every call,
//! so they never move; function values of programs are their addresses.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::unit::CodeAddress;

/// Slots are allocated in pieces of this many.
const CHUNK: usize = 1024;

type Chunk = Arc<[AtomicUsize]>;

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
        slot.cell().store(initial.map_or(0, CodeAddress::get), Ordering::Release);
        slot
    }

    /// Gives a slot back for another function. Nothing may hold its address any more: no code, no function value.
    pub fn free(&self, slot: Slot) {
        slot.cell().store(0, Ordering::Release);
        self.inner().free.push(slot);
    }

    /// The slot at this address: `None` for a number that is no slot's address.
    pub fn at(&self, address: usize) -> Option<Slot> {
        let inner = self.inner();
        let (start, chunk) = inner.chunks.range(..=address).next_back()?;
        let (index, rest) = ((address - start) / size_of::<usize>(), (address - start) % size_of::<usize>());
        (rest == 0 && index < chunk.len()).then(|| Slot { chunk: chunk.clone(), index })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn grow(&mut self) -> Slot {
        let chunk: Chunk = (0..CHUNK).map(|_| AtomicUsize::new(0)).collect();
        self.chunks.insert(chunk.as_ptr() as usize, chunk.clone());
        self.free.extend((1..CHUNK).rev().map(|index| Slot { chunk: chunk.clone(), index }));
        Slot { chunk, index: 0 }
    }
}

impl Slot {
    /// Where it lies: what generated code loads from, and the function value.
    pub fn address(&self) -> usize {
        self.cell().as_ptr() as usize
    }

    /// Makes later calls run this code. The code has the slot's signature and outlives its place here.
    pub fn store(&self, code: CodeAddress) {
        self.cell().store(code.get(), Ordering::Release);
    }

    /// Puts back what [`Slot::load`] has given.
    pub fn put_back(&self, code: usize) {
        self.cell().store(code, Ordering::Release);
    }

    /// The code it calls now, 0 for none.
    pub fn load(&self) -> usize {
        self.cell().load(Ordering::Acquire)
    }

    fn cell(&self) -> &AtomicUsize {
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
