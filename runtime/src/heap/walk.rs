//! Looking at typed values and making new ones while no thread of the program runs: for saving and loading its state.
//!
//! Nothing here trusts the program's memory: a handle is followed only if it leads to a live block of a known type, and
//! the elements behind it only as far as their block reaches. So a program that has spoilt its own values makes a walk
//! miss them, not fault.

use vaisjit_abi::heap::{DYN_DATA, DYN_TABLE, DYN_VALUE, HEADER_SIZE, VEC_CAPACITY, VEC_DATA, VEC_LENGTH};
use vaisjit_semantics::Ty;

use super::block::{Payload, Role, bytes, copy, load, store, zero};
use super::counts::{count_up, each_reference};
use super::map::{self, Map};
use super::types::{Form, TypeRef};
use super::vec::List;
use super::{Failure, Heap, SIZE_OFFSET, ShapeOf, WORD_OFFSET, lock};
use crate::code::Stopped;

/// The memory of a stopped program.
#[derive(Clone, Copy)]
pub(crate) struct Memory<'a> {
    pub(super) heap: &'a Heap,
}

/// What a counted block is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BlockKind {
    /// A `str`, `Vec`, `HashMap` or `Box`, as its type says.
    Value,
    /// A closure; the type is that of its captures.
    Closure,
    /// A cell of a `dyn`; the type is that of the value it owns, unit if it owns none.
    Cell,
}

/// A live counted block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Block {
    pub(crate) payload: usize,
    pub(crate) ty: Ty,
    pub(crate) kind: BlockKind,
}

/// How the entries of a map lie: offsets of key and value, and from one entry to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EntryLayout {
    pub(crate) key: usize,
    pub(crate) value: usize,
    pub(crate) stride: usize,
}

fn text(failure: Failure) -> String {
    failure.message
}

impl Heap {
    /// The memory of the program, to be looked at as long as its threads are stopped.
    pub(crate) fn memory<'a>(&'a self, _: &'a Stopped<'_>) -> Memory<'a> {
        Memory { heap: self }
    }
}

impl Memory<'_> {
    /// What is known of a type.
    pub(crate) fn record(&self, ty: Ty, shape: &ShapeOf<'_>) -> TypeRef {
        lock(&self.heap.types).get(ty, shape)
    }

    /// Bytes of a global, of a block, or of the caller's own.
    pub(crate) fn bytes(&self, at: usize, length: usize) -> &[u8] {
        bytes(at, length)
    }

    /// The word at an address of the same kinds.
    pub(crate) fn word(&self, at: usize) -> usize {
        load(at)
    }

    /// Changes bytes there.
    pub(crate) fn write(&self, at: usize, value: &[u8]) {
        copy(at, value.as_ptr() as usize, value.len());
    }

    /// Swaps the bytes of two places that do not overlap.
    pub(crate) fn swap(&self, left: usize, right: usize, length: usize) {
        let kept = bytes(left, length).to_vec();
        copy(left, right, length);
        copy(right, kept.as_ptr() as usize, length);
    }

    /// The counted block that a handle leads to.
    pub(crate) fn block(&self, handle: usize) -> Option<Block> {
        let payload = Payload(handle);
        if !self.is_block(handle) {
            return None;
        }
        let (of, role) = payload.type_and_role()?;
        let kind = match role {
            Role::Own => BlockKind::Value,
            Role::Closure => BlockKind::Closure,
            Role::Cell => BlockKind::Cell,
            Role::Buffer | Role::Index => return None,
        };
        Some(Block { payload: handle, ty: of.ty(), kind })
    }

    /// The cells of `dyn`s, and the tables of methods that they refer to.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        self.counted(Role::Cell).map(|cell| (cell.0, cell.word(DYN_TABLE)))
    }

    fn counted(&self, wanted: Role) -> impl Iterator<Item = Payload> + use<> {
        let blocks: Vec<Payload> = lock(&self.heap.arena).blocks().map(|block| Payload(block + HEADER_SIZE)).collect();
        blocks.into_iter().filter(move |block| block.type_and_role().is_some_and(|(_, role)| role == wanted))
    }

    /// Does an address lie in a live block?
    pub(crate) fn holds(&self, address: usize) -> bool {
        self.heap.is_inside(address)
    }

    fn is_block(&self, payload: usize) -> bool {
        let block = payload.wrapping_sub(HEADER_SIZE);
        self.heap.is_near(payload) && lock(&self.heap.arena).find(block) == Some(block)
    }

    /// How many bytes lie behind a payload; 0 if there is no block.
    fn size(&self, payload: usize) -> usize {
        if payload != 0 && self.is_block(payload) { Payload(payload).word(SIZE_OFFSET) } else { 0 }
    }

    /// Can there be handles in a value?
    pub(crate) fn has_references(&self, of: TypeRef) -> bool {
        !of.body().parts.is_empty()
    }

    /// Visits the handles in a value.
    pub(crate) fn references(&self, at: usize, of: TypeRef, visit: &mut dyn FnMut(usize)) {
        each_reference(at, &of.body().parts, &mut |payload| visit(payload.0));
    }

    /// The bytes of a `str` on the heap.
    pub(crate) fn text(&self, handle: usize) -> Option<&[u8]> {
        let block = self.block(handle)?;
        let length = Payload(handle).word(WORD_OFFSET);
        (block.ty == Ty::str() && length < self.size(handle)).then(|| bytes(handle, length))
    }

    /// The bytes of a literal, at an address known to be one's.
    pub(crate) fn literal(&self, at: usize) -> &[u8] {
        bytes(at, Payload(at).word(WORD_OFFSET))
    }

    /// Where the elements of a `Vec` lie, and how many there are.
    pub(crate) fn elements(&self, list: Block, element: TypeRef) -> (usize, usize) {
        let (data, length) = (Payload(list.payload).word(VEC_DATA), Payload(list.payload).word(VEC_LENGTH));
        let size = element.body().size;
        match length.checked_mul(size) {
            Some(0) => (data, length.min(isize::MAX as usize)),
            Some(bytes) if bytes <= self.size(data) => (data, length),
            _ => (data, 0),
        }
    }

    /// How the entries of a type `HashMap<K, V>` lie.
    pub(crate) fn entry_layout(&self, of: TypeRef) -> Option<EntryLayout> {
        let Form::Map(layout) = &of.body().form else { return None };
        Some(EntryLayout { key: layout.key_offset, value: layout.value_offset, stride: layout.stride })
    }

    /// Where the entries of a map lie, and how many bytes they take.
    pub(crate) fn entries_at(&self, map: Block, of: TypeRef) -> (usize, usize) {
        let Form::Map(layout) = &of.body().form else { return (0, 0) };
        let entries = map::buffers(Payload(map.payload))[0];
        let bytes = map::reach(Payload(map.payload), layout);
        (entries, if bytes <= self.size(entries) { bytes } else { 0 })
    }

    /// Visits the entries of a map in their order: addresses of key and value.
    pub(crate) fn entries(&self, map: Block, of: TypeRef, visit: &mut dyn FnMut(usize, usize)) {
        if let (Form::Map(layout), (_, 1..)) = (&of.body().form, self.entries_at(map, of)) {
            map::each_entry(Payload(map.payload), layout, visit);
        }
    }

    /// The table of a cell, the address of the value, and whether the cell owns it.
    pub(crate) fn cell(&self, cell: Block) -> (usize, usize, bool) {
        let data = Payload(cell.payload).word(DYN_DATA);
        (Payload(cell.payload).word(DYN_TABLE), data, data == cell.payload.wrapping_add(DYN_VALUE as usize))
    }

    /// A new `str`.
    pub(crate) fn new_text(&self, text_: &[u8]) -> Result<usize, String> {
        self.heap.new_text(std::iter::once(text_)).map_err(text)
    }

    /// A new `Vec` of so many elements, all zero, and where they lie.
    pub(crate) fn new_vec(&self, of: TypeRef, length: usize) -> Result<(usize, usize), String> {
        let made = self.heap.new_vec(of, length as i64).map_err(text)?;
        let data = made.word(VEC_DATA);
        if let Some(element) = List::new(made, of).map(List::element) {
            zero(data, if data == 0 { 0 } else { length * element.body().size });
        }
        made.set_word(VEC_LENGTH, length.min(made.word(VEC_CAPACITY)));
        Ok((made.0, data))
    }

    /// A new empty `HashMap`.
    pub(crate) fn new_map(&self, of: TypeRef) -> Result<usize, String> {
        self.heap.new_map(of).map(|made| made.0).map_err(text)
    }

    /// Adds an entry, with new references to what is in key and value; `true` if the key was there.
    pub(crate) fn insert(&self, map: usize, key: usize, value: usize) -> Result<bool, String> {
        Map::at(map as i64).and_then(|map| self.heap.map_insert(map, key, value)).map_err(text)
    }

    /// A new `Box` with a value that is all zero.
    pub(crate) fn new_box(&self, of: TypeRef) -> Result<usize, String> {
        self.heap.new_box(of).map(|made| made.0).map_err(text)
    }

    /// A new cell with a table, and where its value lies: all zero, or none (0) without a type.
    pub(crate) fn new_cell(&self, table: usize, of: Option<TypeRef>) -> Result<(usize, usize), String> {
        let made = self.heap.new_cell(table as i64, 0, of).map_err(text)?;
        Ok((made.0, made.word(DYN_DATA)))
    }

    /// Sets where the value of a cell lies that does not own it.
    pub(crate) fn point_cell(&self, cell: usize, at: usize) {
        store(cell + DYN_DATA as usize, at);
    }

    /// One more reference to a block.
    pub(crate) fn retain(&self, payload: usize) {
        count_up(Payload(payload));
    }

    /// Gives up everything in a value.
    pub(crate) fn release(&self, at: usize, of: TypeRef) -> Result<(), String> {
        self.heap.release(at, of).map_err(text)
    }

    /// Frees a block that nothing has seen, and what belongs to it, whatever its count; what it refers to stays.
    pub(crate) fn discard(&self, payload: usize) {
        let block = Payload(payload);
        match block.type_and_role().map(|(of, role)| (role, &of.body().form)) {
            Some((Role::Own, Form::Vec(_))) => self.heap.free_buffer(block.word(VEC_DATA)),
            Some((Role::Own, Form::Map(_))) => {
                map::buffers(block).into_iter().for_each(|buffer| self.heap.free_buffer(buffer));
            }
            _ => {}
        }
        self.heap.free(block);
    }
}
