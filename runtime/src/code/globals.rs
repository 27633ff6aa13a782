//! The memory of global variables.

use std::cell::UnsafeCell;

/// Memory of one global: zeroed, aligned to 16 bytes, at one address as long as the program lives.
pub struct GlobalMemory {
    /// Written by generated code and by `write`, never borrowed.
    words: Box<[UnsafeCell<u128>]>,
    size: usize,
}

// SAFETY: Rust code only ever copies whole values through raw pointers, where the program's threads cannot run.
unsafe impl Sync for GlobalMemory {}

impl GlobalMemory {
    /// Room for a value of this many bytes.
    pub fn new(size: usize) -> GlobalMemory {
        // Zeroed by the system, page by page when it is used: large arrays cost nothing here.
        let words = Box::into_raw(vec![0u128; size.div_ceil(16).max(1)].into_boxed_slice());
        // SAFETY: the pointer comes from `into_raw`, and a cell has the layout of what is in it.
        GlobalMemory { words: unsafe { Box::from_raw(words as *mut [UnsafeCell<u128>]) }, size }
    }

    /// A copy of a value of this many bytes, in memory of its own.
    pub fn copy(&self, size: usize) -> GlobalMemory {
        let made = GlobalMemory::new(size);
        made.take(self);
        made
    }

    /// Takes over what another one holds, as far as it goes.
    pub fn take(&self, other: &GlobalMemory) {
        let length = self.size.min(other.size);
        // SAFETY: both have that many bytes, live as long as they are borrowed, and are two pieces of memory or the same.
        unsafe { std::ptr::copy(other.words[0].get().cast::<u8>(), self.words[0].get().cast::<u8>(), length) };
    }

    /// Bytes of its value.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Where it lies.
    pub fn address(&self) -> usize {
        self.words[0].get() as usize
    }

    /// Replaces the value. Generated code may be reading it: done by the program's own thread or while threads are
    /// stopped.
    pub fn write(&self, bytes: &[u8]) {
        let length = bytes.len().min(self.size);
        // SAFETY: the cells have `size` bytes, live as long as `self` and are never borrowed.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.words[0].get().cast::<u8>(), length) };
    }

    /// The same; gives the bytes that these replace.
    pub fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut before = vec![0; bytes.len().min(self.size)];
        // SAFETY: as in `write`.
        unsafe { std::ptr::copy_nonoverlapping(self.words[0].get().cast::<u8>(), before.as_mut_ptr(), before.len()) };
        self.write(bytes);
        before
    }
}
