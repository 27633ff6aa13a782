//! Counted heap values: how their blocks look in memory.
//!
//! `str`, `Vec`, `HashMap`, `Box`, `dyn Trait` and capturing closures are one word each: the address of a block's
//! payload. Every block starts with the same header, 16 bytes of which are also those of a string literal:
//!
//! ```text
//!          -32       -24       -16      -8        0
//!           | type    | size    | count | word    | payload ...
//!                                                 ^ the value
//! str              bytes and a zero                          word: length in bytes
//! Vec<T>           VEC_DATA, VEC_LENGTH, VEC_CAPACITY        the elements lie in a block of their own
//! HashMap<K, V>    the runtime's own
//! Box<T>           a T
//! dyn Trait        DYN_TABLE, DYN_DATA, then the value if the cell owns it
//! closure          CLOSURE_SLOT, then at CLOSURE_CAPTURES a tuple of the captured values
//! ```
//!
//! A *function value* is the address of a slot, or the address of a closure's payload with [`CLOSURE_TAG`] set: its
//! code takes the payload's address as first argument. A null `str` is the empty text; any other null is a null
//! pointer.
//!
//! Counts: a positive one is plain and changed without a lock; [`IMMORTAL`](crate::string::IMMORTAL) is never changed;
//! any other negative count is [`SHARED`] plus the number of references, changed atomically: the runtime turns all
//! counts into such ones before a second thread enters the program.

/// Bytes before a block's payload.
pub const HEADER_SIZE: usize = 32;
/// Offset of the block's type from the payload: an address of the runtime's, 0 in a free block.
pub const TYPE_OFFSET: i32 = -32;
/// Offset of the count (an `i64`).
pub const COUNT_OFFSET: i32 = -16;
/// What is added to a count that several threads change. Negative, far from [`IMMORTAL`](crate::string::IMMORTAL).
pub const SHARED: i64 = -(1 << 62);

/// Offset in a `Vec`'s payload of the address of its elements.
pub const VEC_DATA: i32 = 0;
/// Offset in a `Vec`'s payload of its length, an `i64`.
pub const VEC_LENGTH: i32 = 8;
/// Offset in a `Vec`'s payload of the number of elements there is room for, an `i64`.
pub const VEC_CAPACITY: i32 = 16;
/// Size of a `Vec`'s payload.
pub const VEC_SIZE: usize = 24;

/// Offset in a `dyn` cell of the address of its table: slot addresses, one for each method.
pub const DYN_TABLE: i32 = 0;
/// Offset in a `dyn` cell of the address of the value: behind it in the cell, or anywhere.
pub const DYN_DATA: i32 = 8;
/// Offset in a `dyn` cell of the value it owns.
pub const DYN_VALUE: i32 = 16;

/// Bit of a function value that is a closure.
pub const CLOSURE_TAG: i64 = 1;
/// Offset in a closure of the address of its function's slot.
pub const CLOSURE_SLOT: i32 = 0;
/// Offset in a closure of what it captured.
pub const CLOSURE_CAPTURES: i32 = 16;

/// What the standard library's functions may ask of the program they are called from.
#[repr(C)]
#[derive(Debug)]
pub struct Services {
    /// A new `str` of these bytes, owned by the caller.
    pub new_str: unsafe extern "C" fn(ctx: *mut crate::CallContext, bytes: *const u8, length: usize) -> *const i8,
}
