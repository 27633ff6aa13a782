//! The heap of a program: counted blocks in an arena of its own, and what is known of their types.
//!
//! Host functions work on it (`calls`); they run on the program's threads, with the thread counted as running. A wrong
//! address that the program passes faults inside them, and the fault becomes a trap of the program
//! (`code/signals.rs`): so nothing here touches the program's memory while it holds a lock, and nothing is left half done
//! that somebody else could see.

mod abandoned;
mod arena;
mod atomic;
mod block;
mod calls;
mod compare;
mod counts;
mod exchange;
mod functions;
mod map;
mod memory;
pub(crate) mod migrate;
mod own;
mod report;
mod runs;
#[cfg(test)]
mod tests;
mod types;
mod vec;
mod verify;
mod walk;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vaisjit_abi::TrapCode;
use vaisjit_abi::heap::{
    CLOSURE_CAPTURES, CLOSURE_SLOT, DYN_DATA, DYN_TABLE, DYN_VALUE, HEADER_SIZE, SHARED, Services,
};
use vaisjit_abi::string::LENGTH_OFFSET;
use vaisjit_codegen::layout::Layout;
use vaisjit_codegen::shape::{Shape, ShapeKind};
use vaisjit_semantics::{Renames, Ty};

use arena::Arena;
use block::{Payload, Role, bytes, copy, type_word, zero};
use types::Types;

pub(crate) use calls::functions;
pub(crate) use exchange::{Exchange, HeapNames};
pub(crate) use functions::Holder;
pub use report::HeapReport;
pub(crate) use types::{EntryPlaces, ShapeOf, TypeRef, TypeUpdate};
pub(crate) use walk::{Block, BlockKind, EntryLayout, Memory};

/// Offset of a block's size from its payload.
const SIZE_OFFSET: i32 = -24;
/// Offset of a block's own word from its payload.
const WORD_OFFSET: i32 = LENGTH_OFFSET;

/// The heap of a program.
#[repr(C)]
pub(crate) struct Heap {
    /// First, so that the address in a call context is the heap's.
    services: Services,
    arena: Mutex<Arena>,
    /// The addresses blocks can have: asked without the lock.
    start: AtomicUsize,
    end: AtomicUsize,
    /// Are counts changed by several threads?
    shared: AtomicBool,
    types: Mutex<Types>,
    text: TypeRef,
    unit: TypeRef,
    /// The program's global variables: start and size.
    globals: Mutex<BTreeMap<usize, usize>>,
    /// References that lay in fields a save has removed.
    attic: Mutex<migrate::Attic>,
    /// Has a counted value been put into memory that is not the program's own?
    foreign: AtomicBool,
    /// How many values are being made in memory of the host's.
    outside: AtomicUsize,
    /// How many bytes of blocks the last trace has left.
    traced: AtomicUsize,
}

/// Why a heap function failed: a trap of the program.
#[derive(Debug)]
pub(super) struct Failure {
    code: TrapCode,
    message: String,
}

impl Failure {
    #[cold]
    fn new(code: TrapCode, message: String) -> Failure {
        Failure { code, message }
    }

    #[cold]
    fn null(what: &str) -> Failure {
        Failure::new(TrapCode::NullPointer, format!("null where {what} is wanted"))
    }

    #[cold]
    fn no(what: &str, address: i64) -> Failure {
        Failure::new(TrapCode::BadAddress, format!("there is no {what} at {address:#x}"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From the bytes of a value to those of another type, over zeros; the new one owns what it refers to.
pub(crate) type ConvertPart<'a> = &'a dyn Fn(&[u8], &mut [u8]);

impl Heap {
    /// An empty heap; address space is taken when the first block is.
    pub(crate) fn new() -> Heap {
        let mut types = Types::default();
        let shape = |ty: Ty| match ty == Ty::str() {
            true => Shape { layout: Layout { size: 8, align: 8 }, kind: ShapeKind::Str },
            false => Shape { layout: Layout { size: 0, align: 1 }, kind: ShapeKind::Unit },
        };
        let (text, unit) = (types.get(Ty::str(), &shape), types.get(Ty::unit(), &shape));
        Heap {
            services: Services { new_str: calls::new_str },
            arena: Mutex::new(Arena::new()),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            shared: AtomicBool::new(false),
            types: Mutex::new(types),
            text,
            unit,
            globals: Mutex::default(),
            attic: Mutex::default(),
            foreign: AtomicBool::new(false),
            outside: AtomicUsize::new(0),
            traced: AtomicUsize::new(0),
        }
    }

    /// What a call context holds.
    pub(crate) fn services(&self) -> *const Services {
        // Of the whole heap, not of its first field alone.
        std::ptr::from_ref(self).cast()
    }

    /// What is known of a type.
    pub(crate) fn type_record(&self, ty: Ty, shape: &ShapeOf<'_>) -> TypeRef {
        lock(&self.types).get(ty, shape)
    }

    /// The values of parked fields.
    pub(crate) fn attic(&self) -> MutexGuard<'_, migrate::Attic> {
        lock(&self.attic)
    }

    /// The address of what is known of a type.
    pub(crate) fn type_address(&self, ty: Ty, shape: &ShapeOf<'_>) -> usize {
        lock(&self.types).get(ty, shape).address()
    }

    /// What is known of a type.
    pub(crate) fn type_of(&self, ty: Ty, shape: &ShapeOf<'_>) -> TypeRef {
        lock(&self.types).get(ty, shape)
    }

    /// Gives up the references in a value of the program's. On a thread that runs the program, outside heap functions.
    pub(crate) fn give_up(&self, at: usize, of: TypeRef) {
        // A value that the program itself has spoilt counts nothing.
        let _ = self.release(at, of);
    }

    /// One more reference to everything in a value of the program's. As above.
    pub(crate) fn keep(&self, at: usize, of: TypeRef) {
        self.retain(at, of);
    }

    /// Puts a new empty `Vec` or `HashMap` of this type into a word that is zero; it stays zero without memory for it. What is
    /// `lent` is given up when no thread is in the program. As above.
    pub(crate) fn put_empty(&self, at: usize, of: TypeRef, lent: bool) {
        let made = match of.body().form {
            types::Form::Vec(_) => self.new_vec(of, 0),
            _ => self.new_map(of),
        };
        if let Ok(made) = made {
            Payload(at).set_word(0, made.0);
            if lent {
                self.attic().lend(made.0);
            }
        }
    }

    /// What a commit has to replace for another version of the program.
    pub(crate) fn type_updates(&self, shaped: &dyn Fn(Ty) -> bool, shape: &ShapeOf<'_>) -> Vec<TypeUpdate> {
        lock(&self.types).updates(shaped, shape)
    }

    /// The types that have got a record since the last time this was asked.
    pub(crate) fn take_new_types(&self) -> Vec<Ty> {
        lock(&self.types).take_new()
    }

    /// Its types, and the parked references, go by other names of items.
    pub(crate) fn enter_names(&self, names: &mut HeapNames, renames: &Renames) {
        lock(&self.types).enter_names(&mut names.types, renames);
        lock(&self.attic).enter_names(&mut names.batches, renames);
    }

    /// They go by their own again.
    pub(crate) fn leave_names(&self, names: &mut HeapNames) {
        lock(&self.types).leave_names(&mut names.types);
        lock(&self.attic).leave_names(&mut names.batches);
    }

    /// Forgets what is known of types that nothing live uses.
    pub(crate) fn forget_types(&self, types: &[Ty]) {
        lock(&self.types).forget(types);
    }

    /// Notes where a global variable lies.
    pub(crate) fn add_global(&self, address: usize, size: usize) {
        lock(&self.globals).insert(address, size);
    }

    /// Forgets a global variable.
    pub(crate) fn remove_global(&self, address: usize) {
        lock(&self.globals).remove(&address);
    }

    /// Are counts changed by several threads?
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Acquire)
    }

    /// Makes all counts such that several threads may change them. While no thread runs the program.
    pub(crate) fn share(&self) {
        let arena = lock(&self.arena);
        if self.shared.swap(true, Ordering::AcqRel) {
            return;
        }
        for block in arena.blocks() {
            let payload = Payload(block + HEADER_SIZE);
            if payload.count() > 0 {
                payload.set_count(SHARED + payload.count());
            }
        }
    }

    /// Does the same at any time if there is no block yet, and so no count that somebody may be changing.
    pub(crate) fn share_if_empty(&self) -> bool {
        let arena = lock(&self.arena);
        if arena.live() == 0 {
            self.shared.store(true, Ordering::Release);
        }
        arena.live() == 0
    }

    /// Can a block lie there?
    #[inline]
    pub(crate) fn is_near(&self, address: usize) -> bool {
        address >= self.start.load(Ordering::Relaxed) && address < self.end.load(Ordering::Relaxed)
    }

    /// Is an address inside a live block?
    fn is_inside(&self, address: usize) -> bool {
        self.is_near(address) && lock(&self.arena).find(address).is_some()
    }

    /// Is an address inside a global variable?
    fn is_global(&self, address: usize) -> bool {
        let globals = lock(&self.globals);
        globals.range(..=address).next_back().is_some_and(|(start, size)| address - start < *size)
    }

    /// A block with one reference; its payload may be anything.
    fn new_block(&self, type_word: usize, size: usize, word: usize) -> Result<Payload, Failure> {
        let full = size.checked_add(HEADER_SIZE).filter(|full| *full <= isize::MAX as usize);
        let Some(full) = full else { return Err(no_memory(size)) };
        let mut arena = lock(&self.arena);
        let Ok(block) = arena.alloc(full) else { return Err(no_memory(size)) };
        let payload = Payload(block + HEADER_SIZE);
        if block + full > self.end.load(Ordering::Relaxed) {
            let range = arena.range();
            self.start.store(range.start, Ordering::Relaxed);
            self.end.store(range.end, Ordering::Relaxed);
        }
        let one = if self.shared.load(Ordering::Relaxed) { SHARED + 1 } else { 1 };
        payload.set_word(SIZE_OFFSET, size);
        payload.set_count(one);
        payload.set_word(WORD_OFFSET, word);
        // Last: who looks at all blocks meanwhile passes over those without a type.
        payload.set_word(vaisjit_abi::heap::TYPE_OFFSET, type_word);
        Ok(payload)
    }

    /// Frees a block, whatever its count; `false` if there is none.
    fn free(&self, block: Payload) -> bool {
        let mut arena = lock(&self.arena);
        if arena.find(block.block()) != Some(block.block()) {
            return false;
        }
        block.set_word(vaisjit_abi::heap::TYPE_OFFSET, 0);
        arena.free(block.block())
    }

    /// Frees a block that belongs to another; 0 is none.
    fn free_buffer(&self, payload: usize) {
        if payload != 0 && self.is_near(payload) {
            self.free(Payload(payload));
        }
    }

    /// A new `str` of these pieces.
    fn new_text<'a>(&self, parts: impl Iterator<Item = &'a [u8]> + Clone) -> Result<usize, Failure> {
        let length = parts.clone().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        let text = self.new_text_of(length)?;
        let mut at = text.0;
        for part in parts {
            copy(at, part.as_ptr() as usize, part.len());
            at += part.len();
        }
        Ok(text.0)
    }

    /// A new `str` of this many bytes, which are still to be written.
    fn new_text_of(&self, length: usize) -> Result<Payload, Failure> {
        let size = length.checked_add(1).ok_or_else(|| no_memory(length))?;
        let text = self.new_block(type_word(self.text, Role::Own), size, length)?;
        zero(text.0 + length, 1);
        Ok(text)
    }

    /// A `Box` whose value is all zero.
    fn new_box(&self, of: TypeRef) -> Result<Payload, Failure> {
        let types::Form::Box(value) = of.body().form else { return Err(Failure::no("Box type", of.address() as i64)) };
        self.new_box_of(of, value.body().size)
    }

    /// A `Box` for a value of this size, which is all zero.
    fn new_box_of(&self, of: TypeRef, size: usize) -> Result<Payload, Failure> {
        let payload = self.new_block(type_word(of, Role::Own), size, 0)?;
        zero(payload.0, size);
        Ok(payload)
    }

    /// A closure whose captures are all zero.
    fn new_closure(&self, captures: TypeRef, slot: i64) -> Result<Payload, Failure> {
        let size = CLOSURE_CAPTURES as usize + captures.body().size;
        let payload = self.new_block(type_word(captures, Role::Closure), size, 0)?;
        zero(payload.0, size);
        payload.set_word(CLOSURE_SLOT, slot as usize);
        Ok(payload)
    }

    /// A cell of a `dyn`: of the value at `data`, or with a value of its own that is all zero.
    fn new_cell(&self, table: i64, data: i64, of: Option<TypeRef>) -> Result<Payload, Failure> {
        let value = of.unwrap_or(self.unit);
        let size = DYN_VALUE as usize + value.body().size;
        let payload = self.new_block(type_word(value, Role::Cell), size, 0)?;
        zero(payload.0, size);
        payload.set_word(DYN_TABLE, table as usize);
        let data = if of.is_some() { payload.0 + DYN_VALUE as usize } else { data as usize };
        payload.set_word(DYN_DATA, data);
        Ok(payload)
    }

    /// Gives up all values in a global variable and sets it to zero. While no thread runs the program.
    pub(crate) fn clear_global(&self, address: usize, ty: Ty, shape: &ShapeOf<'_>) -> Result<(), String> {
        let of = lock(&self.types).get(ty, shape);
        let size = of.body().size;
        // A copy, so that a value that leads back to the global finds it empty.
        let value = bytes(address, size).to_vec();
        zero(address, size);
        self.release(value.as_ptr() as usize, of).map_err(|failure| failure.message)
    }
}

#[cold]
fn no_memory(size: usize) -> Failure {
    Failure::new(TrapCode::HostFailure, format!("out of memory: {size} more bytes are not to be had"))
}
