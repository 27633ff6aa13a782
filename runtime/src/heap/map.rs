//! `HashMap`: entries in the order they came, in a block of their own, and an index of hashes beside it.
//!
//! An entry is its hash (0: removed), its key and its value. The index has a power of two of 8-byte places: the upper half is
//! the upper half of the hash, so that most keys are told apart without looking at their entries; in the lower half 0 is
//! empty, the greatest number a removed entry, anything else an entry's number plus one. Entries are never moved but to a larger
//! block, or to drop removed ones, when the block is full.

use smallvec::SmallVec;
use vaisjit_abi::TrapCode;

use super::block::{Payload, Role, bytes, bytes_to_fill, copy, load, store, type_word, zero};
use super::counts::{Dead, each_reference};
use super::types::{Form, MapLayout, TypeRef};
use super::{ConvertPart, Failure, Heap};

/// Offsets in the payload.
const ENTRIES: i32 = 0;
const LENGTH: i32 = 8;
/// Entries in use, removed ones included.
const USED: i32 = 16;
const CAPACITY: i32 = 24;
const INDEX: i32 = 32;
/// Places of the index, less one.
const MASK: i32 = 40;
/// Size of the payload.
const SIZE: usize = 48;

/// The bit that makes a hash different from 0.
const LIVE: usize = 1 << 63;
const REMOVED: u32 = u32::MAX;
/// Size of a place of the index.
const PLACE: usize = 8;
const FIRST_CAPACITY: usize = 8;
const MOST: usize = 1 << 31;

/// A map during one call.
#[derive(Clone, Copy)]
pub(super) struct Map {
    at: Payload,
    of: TypeRef,
    layout: MapLayout,
}

/// Where a key was found.
struct Found {
    /// Its place in the index.
    place: usize,
    /// Its entry.
    entry: usize,
}

/// Visits the live entries of a map: addresses of key and value.
pub(super) fn each_entry(map: Payload, layout: &MapLayout, visit: &mut dyn FnMut(usize, usize)) {
    let entries = map.word(ENTRIES);
    let used = map.word(USED).min(map.word(CAPACITY));
    for entry in (0..used).map(|number| entries + number * layout.stride) {
        if load(entry) != 0 {
            visit(entry + layout.key_offset, entry + layout.value_offset);
        }
    }
}

/// How many bytes of the first of its blocks a map says it uses.
pub(super) fn reach(map: Payload, layout: &MapLayout) -> usize {
    map.word(USED).min(map.word(CAPACITY)).saturating_mul(layout.stride)
}

/// Where the entries of a map lie, and how many bytes those in use take.
pub(super) fn extent(map: Payload, layout: &MapLayout) -> (usize, usize) {
    (map.word(ENTRIES), map.word(USED).min(map.word(CAPACITY)).saturating_mul(layout.stride))
}

/// Rows of live entries: the number of the first, and how many.
pub(super) fn live_rows(map: Payload, layout: &MapLayout) -> Vec<(usize, usize)> {
    let entries = map.word(ENTRIES);
    let mut rows: Vec<(usize, usize)> = Vec::new();
    for number in 0..map.word(USED).min(map.word(CAPACITY)) {
        if load(entries + number * layout.stride) == 0 {
            continue;
        }
        match rows.last_mut() {
            Some((first, count)) if *first + *count == number => *count += 1,
            _ => rows.push((number, 1)),
        }
    }
    rows
}

/// How many entries a map has room for.
pub(super) fn capacity(map: Payload) -> usize {
    map.word(CAPACITY)
}

/// Lets the entries of a map lie elsewhere; gives the block they have left.
pub(super) fn set_entries(map: Payload, entries: usize) -> usize {
    let before = map.word(ENTRIES);
    map.set_word(ENTRIES, entries);
    before
}

/// A map with so many entries that are all live and still to be written; gives it and the first entry. Its keys have to
/// be found before it is used.
pub(super) fn with_entries(
    of: (usize, usize),
    new: &dyn Fn(Role, usize) -> Option<Payload>,
) -> Option<(Payload, usize)> {
    let (count, stride) = of;
    let made = new(Role::Own, SIZE)?;
    if count == 0 {
        return Some((made, 0));
    }
    let places = (count.max(FIRST_CAPACITY) * 2).next_power_of_two();
    let (entries, index) = (new(Role::Buffer, count.checked_mul(stride)?)?, new(Role::Index, places * PLACE)?);
    made.set_word(ENTRIES, entries.0);
    made.set_word(INDEX, index.0);
    made.set_word(MASK, places - 1);
    [LENGTH, USED, CAPACITY].into_iter().for_each(|offset| made.set_word(offset, count));
    (0..count).for_each(|number| store(entries.0 + number * stride, LIVE));
    Some((made, entries.0))
}

/// The blocks a map owns.
pub(super) fn buffers(map: Payload) -> [usize; 2] {
    [map.word(ENTRIES), map.word(INDEX)]
}

/// How many bytes the index of a map takes.
pub(super) fn index_bytes(map: Payload) -> usize {
    if map.word(INDEX) == 0 { 0 } else { (map.word(MASK) + 1).saturating_mul(PLACE) }
}

/// Number of live entries.
pub(super) fn length(map: Payload) -> usize {
    map.word(LENGTH)
}

impl Map {
    /// The map at an address the program gave.
    pub(super) fn at(address: i64) -> Result<Map, Failure> {
        let at = Payload(address as usize);
        if address == 0 {
            return Err(Failure::null("a HashMap"));
        }
        match at.type_and_role() {
            Some((of, Role::Own)) => match of.body().form {
                Form::Map(layout) => Ok(Map { at, of, layout }),
                _ => Err(Failure::no("HashMap", address)),
            },
            _ => Err(Failure::no("HashMap", address)),
        }
    }

    /// The type of its values.
    pub(super) fn value(self) -> TypeRef {
        self.layout.value
    }

    pub(super) fn length(self) -> usize {
        length(self.at)
    }

    /// The address of a key's value.
    pub(super) fn find(self, key: usize) -> Result<Option<usize>, Failure> {
        Ok(self.search(key, self.layout.key.hash(key)?)?.map(|found| self.value_of(found.entry)))
    }

    /// The number of the first live entry from `from` on.
    pub(super) fn next(self, from: i64) -> Option<usize> {
        let used = self.at.word(USED).min(self.at.word(CAPACITY));
        (usize::try_from(from).unwrap_or(0)..used).find(|number| load(self.entry(*number)) != 0)
    }

    /// The address of a live entry.
    pub(super) fn live_entry(self, number: i64) -> Result<usize, Failure> {
        let used = self.at.word(USED).min(self.at.word(CAPACITY));
        let number = usize::try_from(number).ok().filter(|number| *number < used);
        let entry = number.map(|number| self.entry(number)).filter(|entry| load(*entry) != 0);
        entry.ok_or_else(|| Failure::new(TrapCode::IndexOutOfBounds, "the HashMap has no entry there".to_owned()))
    }

    pub(super) fn key_of(self, entry: usize) -> usize {
        entry + self.layout.key_offset
    }

    pub(super) fn value_of(self, entry: usize) -> usize {
        entry + self.layout.value_offset
    }

    fn entry(self, number: usize) -> usize {
        self.at.word(ENTRIES) + number * self.layout.stride
    }

    fn search(self, key: usize, hash: usize) -> Result<Option<Found>, Failure> {
        let (index, mask) = (self.at.word(INDEX), self.at.word(MASK));
        if index == 0 {
            return Ok(None);
        }
        for step in 0..=mask {
            let place = index + (hash.wrapping_add(step) & mask) * PLACE;
            match load_place(place) {
                (0, _) => return Ok(None),
                (number, upper) if number == REMOVED || upper != (hash >> 32) as u32 => {}
                (number, _) => {
                    let entry = self.entry(number as usize - 1);
                    if load(entry) == hash | LIVE && self.layout.key.same_key(self.key_of(entry), key)? {
                        return Ok(Some(Found { place, entry }));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Notes in the index where a new entry is.
    fn note(self, hash: usize, number: usize) {
        let (index, mask) = (self.at.word(INDEX), self.at.word(MASK));
        for step in 0..=mask {
            let place = index + (hash.wrapping_add(step) & mask) * PLACE;
            if matches!(load_place(place), (0 | REMOVED, _)) {
                return store_place(place, number as u32 + 1, (hash >> 32) as u32);
            }
        }
    }
}

/// Number and upper half of the hash.
fn load_place(place: usize) -> (u32, u32) {
    // SAFETY: a place of the index, aligned as its block is, unless the program has spoilt its map: then it may fault,
    // which is a trap.
    let word = unsafe { (place as *const u64).read_unaligned() };
    (word as u32, (word >> 32) as u32)
}

fn store_place(place: usize, number: u32, upper: u32) {
    // SAFETY: as above.
    unsafe { (place as *mut u64).write_unaligned(u64::from(number) | u64::from(upper) << 32) };
}

impl Heap {
    /// An empty map of a type `HashMap<K, V>`.
    pub(super) fn new_map(&self, of: TypeRef) -> Result<Payload, Failure> {
        let Form::Map(_) = of.body().form else { return Err(Failure::no("HashMap type", of.address() as i64)) };
        let map = self.new_block(type_word(of, Role::Own), SIZE, 0)?;
        zero(map.0, SIZE);
        Ok(map)
    }

    /// Sets a key's value, with new references to both; `true` if the key was there.
    pub(super) fn map_insert(&self, map: Map, key: usize, value: usize) -> Result<bool, Failure> {
        let layout = &map.layout;
        let hash = layout.key.hash(key)?;
        if let Some(found) = map.search(key, hash)? {
            let place = map.value_of(found.entry);
            self.retain(value, layout.value);
            let mut old: SmallVec<[u8; 64]> = SmallVec::from_elem(0, layout.value_size);
            let old = old.as_mut_ptr() as usize;
            copy(old, place, layout.value_size);
            copy(place, value, layout.value_size);
            self.release(old, layout.value)?;
            return Ok(true);
        }
        let mut before = [0; 2];
        if map.at.word(USED) == map.at.word(CAPACITY) {
            before = self.map_grow(map)?;
        }
        let number = map.at.word(USED);
        let entry = map.entry(number);
        copy(map.key_of(entry), key, layout.key_size);
        copy(map.value_of(entry), value, layout.value_size);
        self.retain(map.key_of(entry), layout.key);
        self.retain(map.value_of(entry), layout.value);
        store(entry, hash | LIVE);
        map.note(hash, number);
        map.at.set_word(USED, number + 1);
        map.at.set_word(LENGTH, map.length() + 1);
        // Only now: the key or the value may lie in them.
        before.into_iter().for_each(|buffer| self.free_buffer(buffer));
        Ok(false)
    }

    /// Puts a new `HashMap` into the word `at`, with the entries of the one in the word `from`, converted; `sizes` are those
    /// of a key and a value here. Of entries with the same key the last one stays. As [`Heap::put_empty`].
    pub(crate) fn put_map(
        &self,
        (from, at): (usize, usize),
        of: TypeRef,
        sizes: (usize, usize),
        (key, value): (ConvertPart<'_>, ConvertPart<'_>),
    ) -> Option<usize> {
        let old = Payload(Payload(from).word(0));
        let made = self.new_map(of).ok()?;
        Payload(at).set_word(0, made.0);
        let map = Map::at(made.0 as i64).ok()?;
        let mut room = vec![0u128; sizes.0.div_ceil(16) + sizes.1.div_ceil(16)];
        let (new_key, new_value) =
            (room.as_mut_ptr() as usize, room.as_mut_ptr() as usize + sizes.0.next_multiple_of(16));
        let Ok(known) = Map::at(old.0 as i64) else { return Some(made.0) };
        each_entry(old, &known.layout, &mut |old_key, old_value| {
            zero(new_key, sizes.0);
            zero(new_value, sizes.1);
            key(bytes(old_key, known.layout.key_size), bytes_to_fill(new_key, sizes.0));
            value(bytes(old_value, known.layout.value_size), bytes_to_fill(new_value, sizes.1));
            // What cannot be put in is left out: there is no memory for it, or it cannot be looked for.
            let _ = self.map_insert(map, new_key, new_value);
            self.give_up(new_key, map.layout.key);
            self.give_up(new_value, map.layout.value);
        });
        Some(made.0)
    }

    /// Removes a key; `false` if it was not there.
    pub(super) fn map_remove(&self, map: Map, key: usize) -> Result<bool, Failure> {
        let Some(found) = map.search(key, map.layout.key.hash(key)?)? else { return Ok(false) };
        store_place(found.place, REMOVED, 0);
        store(found.entry, 0);
        map.at.set_word(LENGTH, map.length() - 1);
        self.release(map.key_of(found.entry), map.layout.key)?;
        self.release(map.value_of(found.entry), map.layout.value)?;
        Ok(true)
    }

    /// Removes everything.
    pub(super) fn map_clear(&self, map: Map) -> Result<(), Failure> {
        let (mut dead, mut wrong) = (Dead::new(), None);
        each_entry(map.at, &map.layout, &mut |key, value| {
            each_reference(key, &map.layout.key.body().parts, &mut |block| self.less(block, &mut dead, &mut wrong));
            each_reference(value, &map.layout.value.body().parts, &mut |block| self.less(block, &mut dead, &mut wrong));
        });
        let index = map.at.word(INDEX);
        if index != 0 {
            zero(index, (map.at.word(MASK) + 1) * PLACE);
        }
        map.at.set_word(USED, 0);
        map.at.set_word(LENGTH, 0);
        self.bury(dead, wrong)
    }

    /// Finds every entry's key again after the keys have changed; of entries with the same key the first one stays.
    /// Returns how many were dropped.
    pub(super) fn rehash(&self, at: Payload) -> Result<u64, Failure> {
        let map = Map::at(at.0 as i64)?;
        let index = map.at.word(INDEX);
        if index == 0 {
            return Ok(0);
        }
        zero(index, (map.at.word(MASK) + 1) * PLACE);
        let mut dropped = 0;
        for number in 0..map.at.word(USED).min(map.at.word(CAPACITY)) {
            let entry = map.entry(number);
            if load(entry) == 0 {
                continue;
            }
            let hash = map.layout.key.hash(map.key_of(entry))?;
            if map.search(map.key_of(entry), hash)?.is_some() {
                store(entry, 0);
                map.at.set_word(LENGTH, map.length().saturating_sub(1));
                self.release(map.key_of(entry), map.layout.key)?;
                self.release(map.value_of(entry), map.layout.value)?;
                dropped += 1;
                continue;
            }
            store(entry, hash | LIVE);
            map.note(hash, number);
        }
        Ok(dropped)
    }

    /// Moves the live entries to a block with room for more; returns the blocks they have left.
    fn map_grow(&self, map: Map) -> Result<[usize; 2], Failure> {
        let (length, capacity) = (map.length(), map.at.word(CAPACITY));
        let wanted = if length > capacity / 2 { capacity * 2 } else { capacity }.max(FIRST_CAPACITY);
        if wanted > MOST {
            return Err(Failure::new(TrapCode::HostFailure, "a HashMap cannot grow any further".to_owned()));
        }
        let places = (wanted * 2).next_power_of_two();
        let entries = self.new_block(type_word(map.of, Role::Buffer), wanted * map.layout.stride, 0)?;
        let index = match self.new_block(type_word(map.of, Role::Index), places * PLACE, 0) {
            Ok(index) => index,
            Err(failure) => {
                self.free(entries);
                return Err(failure);
            }
        };
        zero(index.0, places * PLACE);
        let before = buffers(map.at);
        let used = map.at.word(USED).min(capacity);
        map.at.set_word(INDEX, index.0);
        map.at.set_word(MASK, places - 1);
        map.at.set_word(ENTRIES, entries.0);
        map.at.set_word(CAPACITY, wanted);
        let mut moved = 0;
        for entry in (0..used).map(|number| before[0] + number * map.layout.stride) {
            let hash = load(entry);
            if hash != 0 {
                copy(map.entry(moved), entry, map.layout.stride);
                map.note(hash & !LIVE, moved);
                moved += 1;
            }
        }
        map.at.set_word(USED, moved);
        Ok(before)
    }
}
