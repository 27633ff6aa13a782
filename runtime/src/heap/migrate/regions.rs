//! Where the values of a type live: the blocks of the heap, walked by their headers.

use std::ops::Range;

use rustc_hash::FxHashSet;
use vaisjit_abi::heap::{CLOSURE_CAPTURES, DYN_DATA, DYN_VALUE, HEADER_SIZE, VEC_CAPACITY, VEC_DATA, VEC_LENGTH};
use vaisjit_semantics::Ty;

use crate::heap::block::{self, Payload, load};
use crate::heap::counts::count_up;
use crate::heap::types::{EntryPlaces, Form, MapLayout, Part, TypeRef};
use crate::heap::{Failure, Heap, SIZE_OFFSET, lock, map};

use super::References;
use super::attic::block_of;
use super::run::each_place;

/// Values of one type in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// Address of the first.
    pub at: usize,
    /// How many.
    pub count: usize,
    /// From one to the next.
    pub stride: usize,
    /// Which conversion.
    pub conversion: usize,
    /// What they are part of.
    pub role: Role,
    /// Where they go, if they do not stay.
    pub to: Option<usize>,
    /// From one to the next there.
    pub to_stride: usize,
    /// Do the references in them belong to somebody else?
    pub loan: bool,
}

/// What the values of a region are part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A global variable, by its number.
    Global(usize),
    /// A local of a running function, by its number.
    Local(usize),
    /// The elements of a `Vec` at this address, of this type.
    Elements(usize, Ty),
    /// Keys or values of a `HashMap` at this address, of this type.
    Entries(usize, Ty),
    /// A heap block at this address: a box, what a closure has captured, the value of a `dyn`.
    Block(usize, Ty),
}

impl Region {
    /// Values that stay where they are.
    pub(crate) fn new(at: usize, count: usize, stride: usize, conversion: usize, role: Role) -> Region {
        Region { at, count, stride, conversion, role, to: None, to_stride: stride, loan: false }
    }

    /// The addresses where its values start afterwards.
    pub(crate) fn after(&self) -> Range<usize> {
        let (at, stride) = self.to.map_or((self.at, self.stride), |to| (to, self.to_stride));
        at..at + (self.count * stride).max(1)
    }
}

/// What has to be done to values on the heap.
#[derive(Debug, Default)]
pub(crate) struct HeapPlan {
    /// The values.
    pub regions: Vec<Region>,
    /// Maps whose keys change.
    pub rehash: Vec<usize>,
    /// Maps whose entries get another size.
    pub maps: Vec<MapChange>,
}

/// A map whose entries get another size.
#[derive(Debug)]
pub(crate) struct MapChange {
    /// Where it lies.
    pub map: usize,
    /// Its type.
    pub ty: Ty,
    /// Types of keys and values.
    pub parts: (Ty, Ty),
    /// Their conversions.
    pub conversions: (Option<usize>, Option<usize>),
    /// Where its entries lie, and key and value in each.
    pub entries: usize,
    /// As it is now.
    pub places: EntryPlaces,
    /// Live entries next to each other: number of the first, and how many.
    pub rows: Vec<(usize, usize)>,
}

/// A conversion, and whether values stay where they are.
pub(crate) type ConversionIn = (usize, bool);

/// Finds the conversion of a type's values, if they change.
pub(crate) type ConversionOf<'a> = dyn FnMut(Ty) -> Option<ConversionIn> + 'a;

impl Heap {
    /// The values on the heap that change.
    pub(crate) fn changing(&self, conversion: &mut ConversionOf<'_>) -> HeapPlan {
        let blocks: Vec<Payload> = lock(&self.arena).blocks().map(|block| Payload(block + HEADER_SIZE)).collect();
        let mut plan = HeapPlan::default();
        for block in blocks {
            if let Some((of, role)) = block.type_and_role() {
                plan.block(self, block, of, role, conversion);
            }
        }
        plan
    }

    /// The payloads of the blocks that references lead to from these, but through the references at some places.
    pub(crate) fn reached(&self, mut open: Vec<usize>, but: &FxHashSet<usize>) -> FxHashSet<usize> {
        let mut seen = FxHashSet::default();
        while let Some(block) = open.pop() {
            if self.is_inside(block) && seen.insert(block) {
                self.referred(Payload(block), but, &mut open);
            }
        }
        seen
    }

    /// The blocks that the values in a block refer to.
    fn referred(&self, block: Payload, but: &FxHashSet<usize>, out: &mut Vec<usize>) {
        let Some((of, role)) = block.type_and_role() else { return };
        let mut add = |at: usize, of: TypeRef| blocks_at(at, &of.body().parts, but, out);
        match (role, &of.body().form) {
            (block::Role::Own, Form::Vec(element)) => {
                let (data, size) = (block.word(VEC_DATA), element.body().size);
                (0..self.elements_within(block, size)).for_each(|index| add(data + index * size, *element));
            }
            (block::Role::Own, Form::Map(layout)) if self.entries_within(block, layout) => {
                map::each_entry(block, layout, &mut |key, value| {
                    add(key, layout.key);
                    add(value, layout.value);
                });
            }
            (block::Role::Own, Form::Box(of)) => add(block.0, *of),
            (block::Role::Closure, _) => add(block.0 + CLOSURE_CAPTURES as usize, of),
            (block::Role::Cell, _) => add(block.0 + DYN_VALUE as usize, of),
            _ => {}
        }
    }

    /// How many elements a `Vec` has; none if the program has spoilt its header.
    pub(super) fn elements_within(&self, list: Payload, stride: usize) -> usize {
        let count = list.word(VEC_LENGTH).min(list.word(VEC_CAPACITY));
        if self.has_buffer(list.word(VEC_DATA), count.saturating_mul(stride)) { count } else { 0 }
    }

    /// Do the entries of a map lie where its header says?
    pub(super) fn entries_within(&self, map: Payload, layout: &MapLayout) -> bool {
        let (entries, bytes) = map::extent(map, layout);
        self.has_buffer(entries, bytes)
    }

    fn has_buffer(&self, data: usize, bytes: usize) -> bool {
        let buffer = Payload(data);
        self.is_near(data)
            && lock(&self.arena).find(buffer.block()) == Some(buffer.block())
            && buffer.word(SIZE_OFFSET) >= bytes
    }

    /// A block for the elements of the `Vec` at an address, for values of another size.
    pub(crate) fn new_elements(&self, list: usize, size: usize) -> Option<usize> {
        let list = Payload(list);
        let (of, _) = list.type_and_role()?;
        let bytes = list.word(VEC_CAPACITY).checked_mul(size)?;
        let block = self.new_block(block::type_word(of, block::Role::Buffer), bytes.max(1), 0);
        block.ok().map(|block| block.0)
    }

    /// A block for the entries of the map at an address, for entries of another size; all of them are removed ones.
    pub(crate) fn new_entries(&self, map: usize, stride: usize) -> Option<usize> {
        let map = Payload(map);
        let (of, _) = map.type_and_role()?;
        let bytes = map::capacity(map).checked_mul(stride)?;
        let block = self.new_block(block::type_word(of, block::Role::Buffer), bytes.max(1), 0).ok()?;
        block::zero(block.0, bytes);
        Some(block.0)
    }

    /// Lets a map have its entries elsewhere; gives the block they lay in.
    pub(crate) fn move_entries(&self, map: usize, to: usize) -> usize {
        map::set_entries(Payload(map), to)
    }

    /// Lets a `Vec` have its elements elsewhere; gives the block they lay in.
    pub(crate) fn move_elements(&self, list: usize, to: usize) -> usize {
        let list = Payload(list);
        let before = list.word(VEC_DATA);
        list.set_word(VEC_DATA, to);
        before
    }

    /// Frees a block that was made for elements and is not wanted.
    pub(crate) fn drop_elements(&self, block: usize) {
        self.free_buffer(block);
    }

    /// Gives up prepared values of this size.
    pub(crate) fn drop_values(&self, bytes: &[u8], size: u32, references: &References) {
        let mut words = Vec::new();
        let stride = (size as usize).max(1);
        for value in bytes.chunks_exact(stride) {
            references.blocks(value.as_ptr() as usize, &mut words);
        }
        self.release_all(words);
    }

    /// Notes that the value at `value` in a block has another size now.
    pub(crate) fn set_size(&self, block: usize, value: usize, size: usize) {
        Payload(block).set_word(SIZE_OFFSET, value - block + size);
    }

    /// How many bytes the value of a block may grow to where it lies.
    pub(crate) fn room_behind(&self, value: usize) -> usize {
        let arena = lock(&self.arena);
        let room = |block: usize| block + arena.room(block) - value;
        arena.find(value).map_or(0, room)
    }

    /// One more reference to each of these blocks.
    pub(crate) fn hold_all(&self, blocks: Vec<usize>) {
        blocks.into_iter().for_each(|block| count_up(Payload(block)));
    }

    /// Releases references, the last of which frees their blocks. After all values have been converted.
    pub(crate) fn release_all(&self, words: Vec<usize>) {
        for word in words {
            // What a program has spoilt is not made worse.
            let _ = self.count_down(Payload(word));
        }
    }

    /// Finds the keys of maps again after they have changed; gives how many entries were dropped because another one has
    /// the same key now.
    pub(crate) fn rehash_all(&self, maps: &[usize]) -> u64 {
        maps.iter().map(|map| self.rehash(Payload(*map)).unwrap_or(0)).sum()
    }

    /// An empty `Vec` or `HashMap` of a type, or a `Box` of zeros for a value of this size: what is known of its type may
    /// still be that of the running version.
    pub(crate) fn new_empty(&self, of: TypeRef, inside: usize) -> Option<usize> {
        let made: Result<Payload, Failure> = match of.body().form {
            Form::Vec(_) => self.new_vec(of, 0),
            Form::Map(_) => self.new_map(of),
            Form::Box(_) => self.new_box_of(of, inside),
            _ => return None,
        };
        made.ok().map(|made| made.0)
    }

    /// Gives up every value in the attic.
    pub(crate) fn clear_attic(&self) {
        let words = lock(&self.attic).clear();
        self.release_all(words.into_iter().map(|block| block.0).collect());
    }
}

impl References {
    /// The blocks that a value refers to, but through the references at some places.
    pub(crate) fn found_but(&self, at: usize, but: &FxHashSet<usize>) -> Vec<usize> {
        let mut blocks = Vec::new();
        blocks_at(at, &self.0, but, &mut blocks);
        blocks
    }
}

/// Collects the blocks that the parts of a value refer to, but through the references at some places.
fn blocks_at(at: usize, parts: &[Part], but: &FxHashSet<usize>, out: &mut Vec<usize>) {
    each_place(at, parts, &mut |place, is_function| {
        let block = block_of(load(place), is_function).filter(|_| !but.contains(&place));
        out.extend(block.map(|block| block.0));
    });
}

impl HeapPlan {
    fn block(
        &mut self,
        heap: &Heap,
        block: Payload,
        of: TypeRef,
        role: block::Role,
        conversion: &mut ConversionOf<'_>,
    ) {
        match (role, &of.body().form) {
            (block::Role::Own, Form::Vec(element)) => {
                let stride = element.body().size;
                if let Some((found, _)) = conversion(element.ty()) {
                    let count = heap.elements_within(block, stride);
                    let role = Role::Elements(block.0, of.ty());
                    self.regions.push(Region::new(block.word(VEC_DATA), count, stride, found, role));
                }
            }
            (block::Role::Own, Form::Map(layout)) if heap.entries_within(block, layout) => {
                self.map(block, of, layout, conversion);
            }
            (block::Role::Own, Form::Box(value)) => self.value(block, 0, *value, conversion),
            (block::Role::Closure, _) => self.value(block, CLOSURE_CAPTURES as usize, of, conversion),
            (block::Role::Cell, _) if block.word(DYN_DATA) == block.0 + DYN_VALUE as usize => {
                self.value(block, DYN_VALUE as usize, of, conversion);
            }
            _ => {}
        }
    }

    fn value(&mut self, block: Payload, offset: usize, of: TypeRef, conversion: &mut ConversionOf<'_>) {
        if let Some((found, _)) = conversion(of.ty()) {
            let role = Role::Block(block.0, of.ty());
            self.regions.push(Region::new(block.0 + offset, 1, of.body().size, found, role));
        }
    }

    fn map(&mut self, block: Payload, of: TypeRef, layout: &MapLayout, conversion: &mut ConversionOf<'_>) {
        let (keys, values) = (conversion(layout.key.ty()), conversion(layout.value.ty()));
        if keys.is_none() && values.is_none() {
            return;
        }
        if keys.is_some() {
            self.rehash.push(block.0);
        }
        let moves = |found: Option<ConversionIn>| found.is_some_and(|(_, in_place)| !in_place);
        let conversions = (keys.map(|found| found.0), values.map(|found| found.0));
        if moves(keys) || moves(values) {
            let MapLayout { key, value, key_offset, value_offset, stride, .. } = *layout;
            return self.maps.push(MapChange {
                map: block.0,
                ty: of.ty(),
                parts: (key.ty(), value.ty()),
                conversions,
                entries: map::extent(block, layout).0,
                places: EntryPlaces { key_offset, value_offset, stride },
                rows: map::live_rows(block, layout),
            });
        }
        let (keys, values) = conversions;
        let role = Role::Entries(block.0, of.ty());
        // Live entries next to each other are one row.
        map::each_entry(block, layout, &mut |key, value| {
            for (at, found) in [(key, keys), (value, values)] {
                let Some(found) = found else { continue };
                let follows = |region: &&mut Region| {
                    region.conversion == found && region.role == role && region.at + region.count * region.stride == at
                };
                let last = self.regions.len().saturating_sub(2);
                match self.regions[last..].iter_mut().find(follows) {
                    Some(region) => region.count += 1,
                    None => self.regions.push(Region::new(at, 1, layout.stride, found, role)),
                }
            }
        });
    }
}
