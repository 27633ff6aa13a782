//! The end of loading: pointers are set, maps are filled, and the globals take over what has been built.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::TyKind;

use super::super::json::Damaged;
use super::super::regions::Target;
use super::super::types::{Form, Id};
use super::{Fixup, Goal, Loader, PendingMap, StateReport};

impl Loader<'_, '_, '_> {
    /// Sets the pointers.
    pub(super) fn point(&mut self) -> Result<(), Damaged> {
        let mut globals: FxHashMap<String, usize> = FxHashMap::default();
        for (number, region) in self.regions.list.iter().enumerate() {
            globals.extend(region.name.clone().map(|name| (name, number)));
        }
        let mut objects: FxHashMap<usize, usize> = FxHashMap::default();
        for ((object, _), (_, region)) in &self.built {
            let first = objects.entry(*object).or_insert(*region);
            *first = (*first).min(*region);
        }
        for fixup in std::mem::take(&mut self.fixups) {
            let found = match &fixup.to {
                Goal::Global(name) => match globals.get(&**name) {
                    Some(region) => self.target(*region, &fixup),
                    None => Err(format!("the program has no global `{name}`")),
                },
                Goal::Object(object) => match objects.get(object) {
                    Some(region) => self.target(*region, &fixup),
                    None => Err("no global variable holds what it points to".to_owned()),
                },
            };
            let (region, at) = fixup.place;
            match found {
                Ok(target) => self.set(&fixup, target),
                Err(why) => {
                    let name = self.regions.name(region, at, None, &self.types);
                    self.notices.of(&name, &format!("becomes null: {why}"));
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, fixup: &Fixup<'_>, target: usize) {
        let memory = self.view.memory;
        match (fixup.cell, fixup.length) {
            (Some(cell), _) => memory.point_cell(cell, target),
            (None, length) => {
                memory.write(fixup.place.1, &target.to_le_bytes());
                if let Some(length) = length {
                    memory.write(fixup.place.1 + 8, &length.to_le_bytes());
                }
            }
        }
    }

    /// The address a pointer gets, in the globals themselves where they are meant.
    fn target(&self, region: usize, fixup: &Fixup<'_>) -> Result<usize, String> {
        let Some(Target { at, ty, end }) = self.regions.follow(region, &fixup.path, &self.types) else {
            return Err(format!("there is no `{}` any more in what it points to", fixup.path));
        };
        let is_byte = matches!(fixup.pointee.kind(), TyKind::Int(kind) if kind.bits() == 8);
        if ty != fixup.pointee && !is_byte && !fixup.pointee.is_unit() {
            let names = &self.view.names;
            return Err(format!("it points to a `{}` now, not to a `{}`", names.ty(ty), names.ty(fixup.pointee)));
        }
        if let Some(length) = fixup.length {
            let size = self.types.size(ty);
            let fits = length.checked_mul(size).is_some_and(|bytes| bytes <= end - at);
            if ty != fixup.pointee || !fits {
                return Err("there are fewer elements than it had".to_owned());
            }
        }
        let staged = self.staged.iter().find(|staged| staged.region == region);
        Ok(staged.map_or(at, |staged| staged.at + (at - staged.address())))
    }

    /// Gives the maps their entries. A map that others have in their keys comes before them.
    pub(super) fn fill_maps(&mut self) -> Result<(), Damaged> {
        let mut maps = std::mem::take(&mut self.maps);
        let mut ranks: FxHashMap<Id, usize> = FxHashMap::default();
        for map in &maps {
            ranks.entry(map.of).or_insert_with(|| self.maps_in_keys(map.of));
        }
        maps.sort_by_key(|map| ranks[&map.of]);
        maps.iter().try_for_each(|map| self.fill_map(map))?;
        self.maps = maps;
        Ok(())
    }

    fn fill_map(&mut self, map: &PendingMap) -> Result<(), Damaged> {
        let node = self.types.node(map.of);
        let Form::Map { entry, .. } = &node.form else { return Ok(()) };
        let memory = self.view.memory;
        let base = map.entries.as_ptr() as usize;
        for (number, wanted) in map.wanted.iter().enumerate() {
            let at = base + number * entry.stride;
            if *wanted && memory.insert(map.payload, at + entry.key, at + entry.value)? {
                if self.saturated == 0 {
                    return Err(Damaged("a HashMap has the same key twice".to_owned()));
                }
                let name = self.regions.name(map.region, at + entry.key, None, &self.types);
                self.notices.of(&name, "is the key of two entries: the later one stays");
            }
        }
        Ok(())
    }

    /// How many types of maps the keys of a type of map can hold.
    fn maps_in_keys(&self, of: Id) -> usize {
        let Form::Map { key, .. } = self.types.node(of).form else { return 0 };
        let (mut seen, mut queue, mut maps) = (FxHashSet::default(), vec![key], 0);
        while let Some(next) = queue.pop() {
            if !seen.insert(next) {
                continue;
            }
            match &self.types.node(next).form {
                Form::Map { key, value, .. } => {
                    maps += 1;
                    queue.extend([*key, *value]);
                }
                Form::Vec(of) | Form::Box(of) | Form::Array(of, _) => queue.push(*of),
                Form::Record { fields, .. } => queue.extend(fields.iter().map(|field| field.of)),
                Form::Enum(variants) => {
                    queue.extend(variants.iter().flat_map(|variant| &variant.fields).map(|field| field.of));
                }
                _ => {}
            }
        }
        maps
    }

    /// The globals take over their new values. Nothing here can fail.
    pub(super) fn commit(mut self) -> StateReport {
        let memory = self.view.memory;
        for map in std::mem::take(&mut self.maps) {
            self.give_up_entries(&map);
        }
        for (new, old, bytes) in &self.kept {
            memory.swap(*new, *old, *bytes);
        }
        for staged in &self.staged {
            memory.swap(staged.at, staged.address(), staged.node.size);
        }
        // Only now: an old value may lead back to a global, which is to have its new one.
        let old: Vec<(usize, Rc<_>)> =
            self.staged.iter().map(|staged| (staged.address(), staged.node.clone())).collect();
        for (at, node) in old {
            self.give_up(at, &node);
        }
        StateReport {
            globals: self.staged.len(),
            objects: self.built.len(),
            saturated: self.saturated,
            notices: self.notices.finish(),
        }
    }

    /// A map has references of its own to what its entries hold.
    fn give_up_entries(&mut self, map: &PendingMap) {
        let Form::Map { key, value, entry } = self.types.node(map.of).form else { return };
        let (key, value) = (self.types.node(key), self.types.node(value));
        for number in 0..map.wanted.len() {
            let at = map.entries.as_ptr() as usize + number * entry.stride;
            self.give_up(at + entry.key, &key);
            self.give_up(at + entry.value, &value);
        }
    }

    fn give_up(&mut self, at: usize, node: &super::Node) {
        if let Err(why) = self.view.memory.release(at, node.record) {
            self.notices.once(why);
        }
    }
}
