//! Tables under other names of items, and back again.

use std::hash::Hash;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::{Renames, Ty};

use super::migrate::BatchKey;

/// Where the entries of a table go under other names: each key to one, and no two to the same, so that the way back is
/// exact whatever is added meanwhile. What lies where something comes, left by an item that is gone, goes to where nothing comes.
#[derive(Clone)]
pub(crate) struct Exchange<K> {
    there: FxHashMap<K, K>,
    back: FxHashMap<K, K>,
    /// The keys of the table when it was left under its own names: what is new under them since goes with the others.
    left: FxHashSet<K>,
}

impl<K> Default for Exchange<K> {
    fn default() -> Exchange<K> {
        Exchange { there: FxHashMap::default(), back: FxHashMap::default(), left: FxHashSet::default() }
    }
}

impl<K: Clone + Eq + Hash> Exchange<K> {
    /// Moves the entries to their new keys. Of two that would come to the same key the preferred one does.
    pub fn enter<V>(
        &mut self,
        table: &mut FxHashMap<K, V>,
        new: impl Fn(&K) -> K,
        preferred: impl Fn(&K) -> bool,
        told: impl FnMut(&K, &mut V),
    ) {
        let unknown = table.keys().filter(|key| !self.left.contains(*key));
        let pairs = unknown.map(|key| (key.clone(), new(key)));
        let mut pairs: Vec<(K, K)> = pairs.filter(|(old, new)| old != new).collect();
        pairs.sort_by_key(|(old, _)| !preferred(old));
        self.add(pairs);
        permute(table, &self.there, told);
    }

    /// Moves them back.
    pub fn leave<V>(&mut self, table: &mut FxHashMap<K, V>, told: impl FnMut(&K, &mut V)) {
        permute(table, &self.back, told);
        self.left = table.keys().cloned().collect();
    }

    /// Moves the entries of a table beside it, which has keys of the same.
    pub fn enter_beside<V>(&self, table: &mut FxHashMap<K, V>) {
        permute(table, &self.there, |_, _| ());
    }

    /// Moves them back.
    pub fn leave_beside<V>(&self, table: &mut FxHashMap<K, V>) {
        permute(table, &self.back, |_, _| ());
    }

    fn add(&mut self, pairs: Vec<(K, K)>) {
        for (old, new) in pairs {
            if !self.there.contains_key(&old) && !self.back.contains_key(&new) {
                self.back.insert(new.clone(), old.clone());
                self.there.insert(old, new);
            }
        }
        let ends: Vec<K> = self.back.keys().filter(|key| !self.there.contains_key(*key)).cloned().collect();
        for end in ends {
            let mut start = &end;
            while let Some(before) = self.back.get(start) {
                start = before;
            }
            let start = start.clone();
            self.there.insert(end.clone(), start.clone());
            self.back.insert(start, end);
        }
    }
}

fn permute<K: Clone + Eq + Hash, V>(
    table: &mut FxHashMap<K, V>,
    to: &FxHashMap<K, K>,
    mut told: impl FnMut(&K, &mut V),
) {
    let taken: Vec<(K, V)> = to.iter().filter_map(|(old, new)| Some((new.clone(), table.remove(old)?))).collect();
    table.extend(taken.into_iter().map(|(key, mut value)| {
        told(&key, &mut value);
        (key, value)
    }));
}

/// What the heap knows under other names.
#[derive(Clone, Default)]
pub(crate) struct HeapNames {
    pub(super) types: Exchange<Ty>,
    pub(super) batches: Exchange<BatchKey>,
}

/// A parked field under other names.
pub(super) fn renamed_batch(renames: &Renames, (ty, variant, field, of): &BatchKey) -> BatchKey {
    (renames.ty(*ty), *variant, *field, renames.ty(*of))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(names: &mut Exchange<u8>, table: &mut FxHashMap<u8, u8>, new: &[(u8, u8)]) {
        let to = |key: &u8| new.iter().find(|(old, _)| old == key).map_or(*key, |(_, new)| *new);
        names.enter(table, to, |key| *key == 1, |_, _| ());
    }

    #[test]
    fn what_is_added_under_the_other_names_has_its_key_again() {
        let mut names = Exchange::default();
        let mut table: FxHashMap<u8, u8> = [(1, 10)].into_iter().collect();
        let renames = [(1, 2), (3, 2)];
        entered(&mut names, &mut table, &renames);
        assert_eq!(table, [(2, 10)].into_iter().collect());
        // Two that are new: where the old one was, and one that would come to the same key as that.
        table.extend([(1, 11), (3, 13)]);
        names.leave(&mut table, |_, _| ());
        assert_eq!(table.get(&1), Some(&10));
        assert_eq!(table.len(), 3);
        entered(&mut names, &mut table, &renames);
        assert_eq!(table, [(1, 11), (2, 10), (3, 13)].into_iter().collect());
    }

    #[test]
    fn the_preferred_one_comes_and_what_lies_there_gives_way() {
        let mut names = Exchange::default();
        let before: FxHashMap<u8, u8> = [(1, 10), (2, 20), (3, 30)].into_iter().collect();
        let mut table = before.clone();
        entered(&mut names, &mut table, &[(3, 2), (1, 2)]);
        assert_eq!(table, [(1, 20), (2, 10), (3, 30)].into_iter().collect());
        names.leave(&mut table, |_, _| ());
        assert_eq!(table, before);
    }
}
