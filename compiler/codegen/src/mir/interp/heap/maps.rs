//! `HashMap`s: entries in the order of insertion, found by hash; each key and value is an allocation of its own.

use rustc_hash::FxHashMap;
use vaisjit_semantics::{Ty, TyKind};

use super::{BlockKind, Done};
use crate::mir::interp::{Machine, Stop};

/// Bytes of a payload; what is in it is nobody's business.
const MAP_SIZE: u64 = 8;

/// The addresses of a key and its value.
type Entry = (u64, u64);

/// What a `HashMap` holds.
#[derive(Clone, Default, Debug)]
pub(super) struct Map {
    /// Removed ones leave a hole.
    entries: Vec<Option<Entry>>,
    found: FxHashMap<u64, Vec<usize>>,
}

impl Map {
    fn len(&self) -> usize {
        self.entries.iter().flatten().count()
    }

    /// The entries.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().flatten().copied()
    }
}

impl Machine<'_> {
    pub(super) fn new_map(&mut self, ty: Ty) -> Done<u64> {
        let TyKind::HashMap(key, value) = *ty.kind() else {
            return Err(Stop::Bug(format!("a new HashMap of type {ty}")));
        };
        let block = self.new_block(BlockKind::Map(key, value), MAP_SIZE)?;
        self.heap.maps.insert(block, Map::default());
        Ok(block)
    }

    /// The types of a live map.
    fn map_types(&self, map: u64) -> Done<(Ty, Ty)> {
        if map == 0 {
            return Err(vaisjit_abi::TrapCode::NullPointer.into());
        }
        match self.counted(map, "use")? {
            Some(BlockKind::Map(key, value)) => Ok((key, value)),
            _ => Err(Stop::Bug(format!("{map:#x} is no HashMap"))),
        }
    }

    pub(super) fn map(&self, map: u64) -> Done<&Map> {
        self.map_types(map)?;
        self.heap.maps.get(&map).ok_or_else(|| Stop::Bug("a HashMap without entries".to_owned()))
    }

    fn map_mut(&mut self, map: u64) -> &mut Map {
        self.heap.maps.entry(map).or_default()
    }

    pub(super) fn map_len(&self, map: u64) -> Done<u64> {
        Ok(self.map(map)?.len() as u64)
    }

    /// Where among the entries a key is, and its hash.
    fn position(&mut self, map: u64, key: u64) -> Done<(u64, Option<usize>)> {
        let (ty, _) = self.map_types(map)?;
        let hash = self.hash_at(key, ty)?;
        let candidates = self.map(map)?.found.get(&hash).cloned().unwrap_or_default();
        for index in candidates {
            if let Some((known, _)) = self.map(map)?.entries[index]
                && self.equal_at(known, key, ty)?
            {
                return Ok((hash, Some(index)));
            }
        }
        Ok((hash, None))
    }

    /// The entry of a key.
    pub(super) fn map_entry(&mut self, map: u64, key: u64) -> Done<Option<Entry>> {
        let (_, position) = self.position(map, key)?;
        Ok(position.and_then(|index| self.map_mut(map).entries[index]))
    }

    /// Was the key there?
    pub(super) fn map_insert(&mut self, map: u64, key: u64, value: u64) -> Done<bool> {
        let (key_ty, value_ty) = self.map_types(map)?;
        let (hash, position) = self.position(map, key)?;
        let value = self.copied(value, value_ty)?;
        if let Some((index, (known, old))) = position.and_then(|index| Some((index, self.map_mut(map).entries[index]?)))
        {
            self.map_mut(map).entries[index] = Some((known, value));
            self.dropped(old, value_ty)?;
            return Ok(true);
        }
        let key = self.copied(key, key_ty)?;
        let entries = self.map_mut(map);
        entries.found.entry(hash).or_default().push(entries.entries.len());
        entries.entries.push(Some((key, value)));
        Ok(false)
    }

    /// Was the key there?
    pub(super) fn map_remove(&mut self, map: u64, key: u64) -> Done<bool> {
        let (key_ty, value_ty) = self.map_types(map)?;
        let (hash, position) = self.position(map, key)?;
        let Some(index) = position else { return Ok(false) };
        let entries = self.map_mut(map);
        entries.found.entry(hash).or_default().retain(|known| *known != index);
        if let Some((key, value)) = entries.entries[index].take() {
            self.dropped(key, key_ty)?;
            self.dropped(value, value_ty)?;
        }
        Ok(true)
    }

    pub(super) fn map_clear(&mut self, map: u64) -> Done {
        let (key_ty, value_ty) = self.map_types(map)?;
        for (key, value) in std::mem::take(self.map_mut(map)).entries() {
            self.dropped(key, key_ty)?;
            self.dropped(value, value_ty)?;
        }
        Ok(())
    }

    /// The first entry at or after an index.
    pub(super) fn map_next(&self, map: u64, from: i64) -> Done<i64> {
        let entries = &self.map(map)?.entries;
        let from = from.max(0) as usize;
        let found = entries.iter().skip(from).position(Option::is_some);
        Ok(found.map_or(-1, |found| (from + found) as i64))
    }

    /// The entry at an index that [`Machine::map_next`] has given.
    pub(super) fn map_at(&self, map: u64, index: u64) -> Done<Entry> {
        let entry = self.map(map)?.entries.get(index as usize).copied().flatten();
        entry.ok_or_else(|| Stop::Bug(format!("entry {index} of a HashMap, which is not there")))
    }

    pub(super) fn take_map_apart(&mut self, map: u64, key_ty: Ty, value_ty: Ty, found: &mut Vec<u64>) -> Done {
        for (key, value) in self.heap.maps.remove(&map).unwrap_or_default().entries() {
            self.references(key, key_ty, found)?;
            self.references(value, value_ty, found)?;
            self.free_block(key);
            self.free_block(value);
        }
        Ok(())
    }

    /// A copy of a value in memory of its own.
    fn copied(&mut self, from: u64, ty: Ty) -> Done<u64> {
        let size = u64::from(self.shape(ty).layout.size);
        let to = self.new_block(BlockKind::Part(ty), size)?;
        self.memory.copy(to, from, size)?;
        self.retain_at(to, ty)?;
        Ok(to)
    }

    fn dropped(&mut self, part: u64, ty: Ty) -> Done {
        self.release_at(part, ty)?;
        self.free_block(part);
        Ok(())
    }
}
