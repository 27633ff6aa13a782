//! Counted heap values: blocks with the header of `vaisjit_abi::heap` in simulated memory, and their counts.
//!
//! What compiled code must never do is a [`Stop::Bug`]: counting something that is no block, or one that has been
//! freed. Nothing here is fast.

mod calls;
mod maps;
mod values;

use std::fmt;

use rustc_hash::FxHashMap;
use vaisjit_abi::heap::{
    CLOSURE_CAPTURES, CLOSURE_SLOT, CLOSURE_TAG, COUNT_OFFSET, DYN_DATA, DYN_TABLE, DYN_VALUE, HEADER_SIZE,
    TYPE_OFFSET, VEC_CAPACITY, VEC_DATA, VEC_LENGTH, VEC_SIZE,
};
use vaisjit_abi::string::LENGTH_OFFSET;
use vaisjit_semantics::{Ty, TyKind};

use super::memory::Kind;
use super::{FUNCTIONS, Machine, Stop};
use crate::shape::ShapeKind;
use maps::Map;

/// What compiled code holds of a type is an address here; nothing can be read from it.
const TYPES: u64 = 1 << 61;
/// How much of a text a report shows.
const SHOWN: usize = 40;

type Done<T = ()> = Result<T, Stop>;

/// What a block holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BlockKind {
    Str,
    Vec(Ty),
    /// Elements of a `Vec`, or a key or value of a `HashMap`; never counted.
    Part(Ty),
    Map(Ty, Ty),
    Box(Ty),
    /// With the type of the value it owns.
    Dyn(Option<Ty>),
    /// With its captures, a tuple.
    Closure(Ty),
}

#[derive(Clone, Copy, Debug)]
struct Block {
    kind: BlockKind,
    live: bool,
}

/// All counted blocks.
#[derive(Default)]
pub struct Heap {
    /// By payload; one that has been freed stays until its address is used again.
    blocks: FxHashMap<u64, Block>,
    maps: FxHashMap<u64, Map>,
    types: Vec<Ty>,
}

impl fmt::Display for BlockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockKind::Str => f.write_str("str"),
            BlockKind::Vec(of) => write!(f, "Vec<{of}>"),
            BlockKind::Part(of) => write!(f, "memory for `{of}`"),
            BlockKind::Map(key, value) => write!(f, "HashMap<{key}, {value}>"),
            BlockKind::Box(of) => write!(f, "Box<{of}>"),
            BlockKind::Dyn(Some(of)) => write!(f, "dyn of `{of}`"),
            BlockKind::Dyn(None) => f.write_str("dyn of a pointer"),
            BlockKind::Closure(captures) => write!(f, "closure over {captures}"),
        }
    }
}

impl Heap {
    /// The constant that stands for a type.
    pub fn type_address(&mut self, ty: Ty) -> u64 {
        let known = self.types.iter().position(|known| *known == ty);
        let index = known.unwrap_or_else(|| {
            self.types.push(ty);
            self.types.len() - 1
        });
        TYPES + 16 * index as u64
    }

    /// The type that a constant stands for.
    fn type_of(&self, address: u64) -> Done<Ty> {
        let index = address.checked_sub(TYPES).filter(|offset| offset % 16 == 0).map(|offset| offset / 16);
        let known = index.and_then(|index| self.types.get(index as usize));
        known.copied().ok_or_else(|| Stop::Bug(format!("{address:#x} is no type")))
    }

    /// Number of live values.
    fn live(&self) -> usize {
        self.blocks.values().filter(|block| block.live && !matches!(block.kind, BlockKind::Part(_))).count()
    }
}

/// An address a little further.
fn at(address: u64, offset: i32) -> u64 {
    address.wrapping_add_signed(offset.into())
}

impl Machine<'_> {
    /// A block with one reference; its payload is zero.
    fn new_block(&mut self, kind: BlockKind, payload: u64) -> Done<u64> {
        let size = payload.saturating_add(HEADER_SIZE as u64);
        let Some(start) = self.memory.allocate_block(size) else {
            return Err(Stop::Trap(vaisjit_abi::TrapCode::HostFailure, Some("out of memory".to_owned())));
        };
        let block = start + HEADER_SIZE as u64;
        self.memory.store(at(block, COUNT_OFFSET), 8, 1)?;
        self.memory.store(at(block, TYPE_OFFSET), 8, TYPES.into())?;
        self.heap.blocks.insert(block, Block { kind, live: true });
        Ok(block)
    }

    fn free_block(&mut self, block: u64) {
        if let Some(known) = self.heap.blocks.get_mut(&block) {
            known.live = false;
            self.memory.release(block - HEADER_SIZE as u64);
        }
    }

    /// A new `str` of these bytes, owned by the caller.
    pub fn new_str(&mut self, bytes: &[u8]) -> Done<u64> {
        let block = self.new_block(BlockKind::Str, bytes.len() as u64 + 1)?;
        self.memory.store(at(block, LENGTH_OFFSET), 8, bytes.len() as u128)?;
        self.memory.write(block, bytes.len() as u64)?.copy_from_slice(bytes);
        Ok(block)
    }

    /// Does the memory at an address belong to the program: is it a stack, a global, a heap block?
    pub fn is_own(&self, address: u64) -> bool {
        matches!(self.memory.kind_of(address), Some(Kind::Local | Kind::Static | Kind::Block))
    }

    /// One more reference to what a counted scalar holds.
    pub fn retain_bits(&mut self, bits: u64, ty: Ty) -> Done {
        reference(bits, ty).map_or(Ok(()), |block| self.count_up(block))
    }

    /// One reference less to what a counted scalar holds.
    pub fn release_bits(&mut self, bits: u64, ty: Ty) -> Done {
        reference(bits, ty).map_or(Ok(()), |block| self.count_down(block))
    }

    /// One more reference to everything counted in a value.
    pub fn retain_at(&mut self, address: u64, ty: Ty) -> Done {
        let mut blocks = Vec::new();
        self.references(address, ty, &mut blocks)?;
        blocks.into_iter().try_for_each(|block| self.count_up(block))
    }

    /// One reference less to everything counted in a value.
    pub fn release_at(&mut self, address: u64, ty: Ty) -> Done {
        let mut blocks = Vec::new();
        self.references(address, ty, &mut blocks)?;
        blocks.into_iter().try_for_each(|block| self.count_down(block))
    }

    /// The blocks that a value refers to, one time for each reference.
    fn references(&mut self, address: u64, ty: Ty, found: &mut Vec<u64>) -> Done {
        let shape = self.shape(ty);
        match &shape.kind {
            ShapeKind::Str
            | ShapeKind::Function
            | ShapeKind::Vec(_)
            | ShapeKind::HashMap(..)
            | ShapeKind::Box(_)
            | ShapeKind::Dyn => {
                let bits = self.memory.load(address, 8)? as u64;
                found.extend(reference(bits, ty));
                Ok(())
            }
            ShapeKind::Array(of, length) if crate::shape::is_counted(*of, self.types) => {
                self.element_references(address, *of, *length, found)
            }
            ShapeKind::Record(parts) => {
                parts.iter().try_for_each(|part| self.references(address + u64::from(part.offset), part.ty, found))
            }
            ShapeKind::Enum(variants) => {
                let discriminant = self.memory.load(address, 8)? as i64;
                let Some(variant) = variants.iter().find(|variant| variant.discriminant == discriminant) else {
                    return Err(Stop::Bug(format!("a {ty} with the discriminant {discriminant:#x}")));
                };
                let part = |part: &crate::shape::Part| (address + u64::from(part.offset), part.ty);
                variant.parts.iter().map(part).try_for_each(|(address, ty)| self.references(address, ty, found))
            }
            _ => Ok(()),
        }
    }

    fn element_references(&mut self, address: u64, of: Ty, length: u64, found: &mut Vec<u64>) -> Done {
        let size = u64::from(self.shape(of).layout.size);
        (0..length).try_for_each(|index| self.references(address + index * size, of, found))
    }

    /// The live block of a payload; nothing for a literal.
    fn counted(&self, block: u64, doing: &str) -> Done<Option<BlockKind>> {
        match self.heap.blocks.get(&block) {
            Some(Block { kind: BlockKind::Part(of), .. }) => {
                Err(Stop::Bug(format!("{doing} of {block:#x}, memory for `{of}`")))
            }
            Some(Block { kind, live: true }) => Ok(Some(*kind)),
            Some(Block { kind, live: false }) => Err(Stop::Bug(format!("{doing} of a freed {kind}"))),
            None if self.memory.kind_of(block) == Some(Kind::Literal) => Ok(None),
            None => Err(Stop::Bug(format!("{doing} of {block:#x}, which is no heap value"))),
        }
    }

    fn change_count(&mut self, block: u64, kind: BlockKind, by: i64) -> Done<i64> {
        let before = self.memory.load(at(block, COUNT_OFFSET), 8)? as i64;
        if before < 1 {
            return Err(Stop::Bug(format!("a {kind} with the count {before}")));
        }
        self.memory.store(at(block, COUNT_OFFSET), 8, u128::from((before + by) as u64))?;
        Ok(before + by)
    }

    fn count_up(&mut self, block: u64) -> Done {
        match self.counted(block, "retain")? {
            Some(kind) => self.change_count(block, kind, 1).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Counts down, and frees what nobody refers to any more.
    fn count_down(&mut self, block: u64) -> Done {
        let mut pending = vec![block];
        while let Some(block) = pending.pop() {
            let Some(kind) = self.counted(block, "release")? else { continue };
            if self.change_count(block, kind, -1)? == 0 {
                self.take_apart(block, kind, &mut pending)?;
                self.free_block(block);
            }
        }
        Ok(())
    }

    /// What a block refers to; frees its parts.
    fn take_apart(&mut self, block: u64, kind: BlockKind, found: &mut Vec<u64>) -> Done {
        match kind {
            BlockKind::Str | BlockKind::Part(_) | BlockKind::Dyn(None) => Ok(()),
            BlockKind::Vec(of) => {
                let (data, length) = (self.word(block, VEC_DATA)?, self.word(block, VEC_LENGTH)?);
                self.element_references(data, of, length, found)?;
                self.free_block(data);
                Ok(())
            }
            BlockKind::Map(key, value) => self.take_map_apart(block, key, value, found),
            BlockKind::Box(of) => self.references(block, of, found),
            BlockKind::Dyn(Some(of)) => self.references(at(block, DYN_VALUE), of, found),
            BlockKind::Closure(captures) => self.references(at(block, CLOSURE_CAPTURES), captures, found),
        }
    }

    fn word(&self, block: u64, offset: i32) -> Done<u64> {
        Ok(self.memory.load(at(block, offset), 8)? as u64)
    }

    fn set_word(&mut self, block: u64, offset: i32, value: u64) -> Done {
        Ok(self.memory.store(at(block, offset), 8, value.into())?)
    }

    fn new_vec(&mut self, ty: Ty, capacity: u64) -> Done<u64> {
        let TyKind::Vec(of) = *ty.kind() else { return Err(Stop::Bug(format!("a new Vec of type {ty}"))) };
        let block = self.new_block(BlockKind::Vec(of), VEC_SIZE as u64)?;
        self.set_capacity(block, of, capacity)?;
        Ok(block)
    }

    /// Moves the elements of a `Vec` to new memory, which has exactly this room.
    fn set_capacity(&mut self, block: u64, of: Ty, capacity: u64) -> Done {
        let size = u64::from(self.shape(of).layout.size);
        let (data, length) = (self.word(block, VEC_DATA)?, self.word(block, VEC_LENGTH)?);
        let fresh = match capacity {
            0 => 0,
            _ => self.new_block(BlockKind::Part(of), size.saturating_mul(capacity))?,
        };
        self.memory.copy(fresh, data, size * length)?;
        self.free_block(data);
        self.set_word(block, VEC_DATA, fresh)?;
        self.set_word(block, VEC_CAPACITY, capacity)
    }

    fn new_box(&mut self, ty: Ty) -> Done<u64> {
        let TyKind::Box(of) = *ty.kind() else { return Err(Stop::Bug(format!("a new Box of type {ty}"))) };
        let size = self.shape(of).layout.size;
        self.new_block(BlockKind::Box(of), size.into())
    }

    fn new_closure(&mut self, captures: Ty, slot: u64) -> Done<u64> {
        let size = CLOSURE_CAPTURES as u64 + u64::from(self.shape(captures).layout.size);
        let block = self.new_block(BlockKind::Closure(captures), size)?;
        self.set_word(block, CLOSURE_SLOT, slot)?;
        Ok(block)
    }

    fn new_dyn(&mut self, table: u64, data: u64, ty: Option<Ty>) -> Done<u64> {
        let size = DYN_VALUE as u64 + ty.map_or(0, |ty| self.shape(ty).layout.size.into());
        let block = self.new_block(BlockKind::Dyn(ty), size)?;
        self.set_word(block, DYN_TABLE, table)?;
        let data = if ty.is_some() { at(block, DYN_VALUE) } else { data };
        self.set_word(block, DYN_DATA, data)?;
        Ok(block)
    }

    /// The values that are still there, oldest first as far as addresses tell.
    pub fn leaked(&self) -> Vec<String> {
        let live = self.heap.blocks.iter().filter(|(_, block)| block.live);
        let counted = live.filter(|(_, block)| !matches!(block.kind, BlockKind::Part(_)));
        let mut blocks: Vec<(u64, BlockKind)> = counted.map(|(address, block)| (*address, block.kind)).collect();
        blocks.sort_unstable_by_key(|(address, _)| *address);
        blocks.into_iter().map(|(block, kind)| self.described(block, kind)).collect()
    }

    fn described(&self, block: u64, kind: BlockKind) -> String {
        let count = self.word(block, COUNT_OFFSET).map_or(0, |count| count as i64);
        match (kind, self.text(block)) {
            (BlockKind::Str, Ok(text)) => {
                let text: String = String::from_utf8_lossy(&text).chars().take(SHOWN).collect();
                format!("str {text:?}, count {count}")
            }
            _ => format!("{kind}, count {count}"),
        }
    }
}

/// The block that a counted scalar refers to.
fn reference(bits: u64, ty: Ty) -> Option<u64> {
    match ty.kind() {
        TyKind::Str | TyKind::Vec(_) | TyKind::HashMap(..) | TyKind::Box(_) | TyKind::Dyn(_) => {
            (bits != 0).then_some(bits)
        }
        TyKind::Function(..) if bits & CLOSURE_TAG as u64 != 0 => Some(bits - CLOSURE_TAG as u64),
        // An even function value is a slot; anything but that is worth a complaint.
        TyKind::Function(..) => (bits != 0 && bits < FUNCTIONS).then_some(bits),
        _ => None,
    }
}
