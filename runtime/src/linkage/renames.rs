//! Other names for what is linked: addresses stay what they are.

use vaisjit_codegen::link::SlotKey;
use vaisjit_semantics::Renames;

use super::Linkage;
use crate::heap::rename_keys;

impl Linkage {
    /// What belongs to an item is found under its new name from now on. Under its old one is what was left under the new one.
    pub fn rename(&mut self, renames: &Renames) {
        let slot = |key: &SlotKey| key.renamed(renames);
        rename_keys(&mut self.by_key, slot, |_, _| ());
        rename_keys(&mut self.guards, slot, |_, _| ());
        rename_keys(&mut self.globals, |path| renames.path(*path), |_, _| ());
        rename_keys(&mut self.tables, |(of_trait, of)| (renames.path(*of_trait), renames.ty(*of)), |_, _| ());
        self.heap.rename(renames);
    }
    /// After a save that has renamed items: what lies under their old names was left by items that were gone before it. It
    /// is nothing for those that may get these names later; whoever still has its address goes on with it.
    pub fn leave_former(&mut self, renames: &Renames) {
        self.by_key.retain(|key, _| key.renamed(renames) == *key);
        let left = self.guards.extract_if(|key, _| key.renamed(renames) != *key);
        self.outgrown.extend(left.map(|(_, guarded)| guarded));
    }
}
