//! Blocks: their headers, and what a block is besides the values in it.

use vaisjit_abi::heap::{COUNT_OFFSET, HEADER_SIZE, SHARED, TYPE_OFFSET};
use vaisjit_abi::string::IMMORTAL;

use super::types::TypeRef;

/// The part of a header's type word that is not the record's address.
const ROLE: usize = 15;

/// What a block is to the type it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(super) enum Role {
    /// A `str`, the header of a `Vec` or `HashMap`, the value of a `Box`.
    Own = 0,
    /// The elements of a `Vec`, the entries of a `HashMap`. Belongs to the header and is not counted.
    Buffer = 1,
    /// Where in its entries a `HashMap` finds a hash. Belongs to the header and is not counted.
    Index = 2,
    /// A closure that has captured a value of the type.
    Closure = 3,
    /// A cell of a `dyn` that owns a value of the type.
    Cell = 4,
}

impl Role {
    fn of(word: usize) -> Option<Role> {
        [Role::Own, Role::Buffer, Role::Index, Role::Closure, Role::Cell]
            .into_iter()
            .find(|role| *role as usize == word)
    }

    /// Does the block stand for itself, with a count of its own?
    pub(super) fn is_counted(self) -> bool {
        !matches!(self, Role::Buffer | Role::Index)
    }
}

/// The address of a payload.
///
/// The methods read and write memory at addresses that a program has given. A wrong one may fault, which the signal
/// handler turns into a trap: the heap's lock must not be held, and nothing half done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Payload(pub(super) usize);

impl Payload {
    /// The word at an offset.
    pub(super) fn word(self, offset: i32) -> usize {
        load(self.0.wrapping_add_signed(offset as isize))
    }

    /// Changes the word at an offset.
    pub(super) fn set_word(self, offset: i32, value: usize) {
        store(self.0.wrapping_add_signed(offset as isize), value);
    }

    pub(super) fn count(self) -> i64 {
        self.word(COUNT_OFFSET) as i64
    }

    pub(super) fn set_count(self, count: i64) {
        self.set_word(COUNT_OFFSET, count as usize);
    }

    /// The count as an atomic number; `None` if it cannot be one.
    pub(super) fn shared_count<'a>(self) -> Option<&'a std::sync::atomic::AtomicI64> {
        let address = self.0.wrapping_add_signed(COUNT_OFFSET as isize);
        if !address.is_multiple_of(8) {
            return None;
        }
        // SAFETY: aligned; readable and writable, or a fault that is a trap of the program.
        Some(unsafe { std::sync::atomic::AtomicI64::from_ptr(address as *mut i64) })
    }

    /// What the header says the block is; `None` if it is no block.
    pub(super) fn type_and_role(self) -> Option<(TypeRef, Role)> {
        let word = self.word(TYPE_OFFSET);
        // SAFETY: called in heap functions, on what a header says.
        let found = unsafe { TypeRef::at(word & !ROLE) }?;
        Some((found, Role::of(word & ROLE)?))
    }

    /// Start of its block.
    pub(super) fn block(self) -> usize {
        self.0.wrapping_sub(HEADER_SIZE)
    }
}

/// The type word of a header.
pub(super) fn type_word(of: TypeRef, role: Role) -> usize {
    of.address() | role as usize
}

/// The forms of a count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Count {
    /// A plain number of references.
    Plain(i64),
    Shared,
    Immortal,
    /// None: the block is free, or was never one.
    Wrong,
}

impl Count {
    pub(super) fn of(word: i64) -> Count {
        match word {
            IMMORTAL => Count::Immortal,
            1.. => Count::Plain(word),
            _ if word > SHARED && word < SHARED / 2 => Count::Shared,
            _ => Count::Wrong,
        }
    }
}

/// The word at an address of the program.
pub(super) fn load(address: usize) -> usize {
    // SAFETY: an address of the program: readable, or a fault that is a trap of the program.
    unsafe { (address as *const usize).read_unaligned() }
}

/// Changes the word at an address of the program.
pub(super) fn store(address: usize, value: usize) {
    // SAFETY: as above; what the program owns there is its own affair.
    unsafe { (address as *mut usize).write_unaligned(value) };
}

/// The number at an address of the program.
pub(super) fn get<T: Number>(address: usize) -> T {
    // SAFETY: as above; all bits are a number.
    unsafe { (address as *const T).read_unaligned() }
}

/// Changes the number at an address of the program.
pub(super) fn put<T: Number>(address: usize, value: T) {
    // SAFETY: as above.
    unsafe { (address as *mut T).write_unaligned(value) };
}

/// Numbers of the machine: any bits are one.
pub(super) trait Number: Copy {}
impl Number for i32 {}
impl Number for i64 {}
impl Number for f32 {}
impl Number for f64 {}

/// Copies bytes between places of the program that do not overlap.
pub(super) fn copy(to: usize, from: usize, bytes: usize) {
    // SAFETY: as above.
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) };
}

/// Sets bytes of the program to zero.
pub(super) fn zero(at: usize, bytes: usize) {
    // SAFETY: as above.
    unsafe { std::ptr::write_bytes(at as *mut u8, 0, bytes) };
}

/// Bytes that nobody else knows of yet.
pub(super) fn bytes_to_fill<'a>(at: usize, length: usize) -> &'a mut [u8] {
    if length == 0 {
        return &mut [];
    }
    // SAFETY: as above; they lie in a new block or in a buffer of the caller's.
    unsafe { std::slice::from_raw_parts_mut(at as *mut u8, length) }
}

/// Bytes of the program, unchanged while they are looked at.
pub(super) fn bytes<'a>(at: usize, length: usize) -> &'a [u8] {
    if length == 0 {
        return &[];
    }
    // SAFETY: as above; the program does not run meanwhile, or breaks its own promise.
    unsafe { std::slice::from_raw_parts(at as *const u8, length) }
}
