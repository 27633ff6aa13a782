//! Slots: what a call of a replaceable function loads its code from.

use std::mem::offset_of;
use std::sync::atomic::AtomicUsize;

/// The words of a slot that generated code reads.
#[repr(C)]
#[derive(Debug, Default)]
pub struct SlotWords {
    /// The newest code of the function.
    pub code: AtomicUsize,
    /// What callers that shall outlive a trap of the function call: a guard thunk, or the same code.
    pub guarded: AtomicUsize,
}

/// Byte offset of [`SlotWords::guarded`].
pub const SLOT_GUARDED: i32 = offset_of!(SlotWords, guarded) as i32;

#[cfg(test)]
mod tests {
    use super::*;

    /// A slot's address is the address of its code word: function values and tables rely on it.
    #[test]
    fn the_code_comes_first() {
        assert_eq!((offset_of!(SlotWords, code), SLOT_GUARDED), (0, 8));
    }
}
