//! Other names for what is linked: addresses stay what they are.

use rustc_hash::FxHashMap;
use vaisjit_codegen::link::SlotKey;
use vaisjit_semantics::Renames;

use super::Linkage;
use crate::heap::changed_keys;

/// Moves the entries of a table to their new keys.
fn rename<K: Clone + Eq + std::hash::Hash, V>(table: &mut FxHashMap<K, V>, new: impl Fn(&K) -> K) {
    for (old, new) in changed_keys(table, new) {
        let value = table.remove(&old);
        table.extend(value.map(|value| (new, value)));
    }
}

impl Linkage {
    /// What belongs to an item is found under its new name from now on, and under its old one no more.
    pub fn rename(&mut self, renames: &Renames) {
        let slot = |key: &SlotKey| key.renamed(renames);
        rename(&mut self.by_key, slot);
        rename(&mut self.guards, slot);
        rename(&mut self.globals, |path| renames.path(*path));
        rename(&mut self.tables, |(of_trait, of)| (renames.path(*of_trait), renames.ty(*of)));
        self.heap.rename(renames);
    }
}
