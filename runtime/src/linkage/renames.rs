//! Other names for what is linked: addresses stay what they are.

use rustc_hash::FxHashSet;
use vaisjit_codegen::link::SlotKey;
use vaisjit_semantics::{ItemPath, Renames, Ty};

use super::Linkage;
use crate::heap::{Exchange, HeapNames};

/// What goes where when a program is linked under other names.
#[derive(Clone, Default)]
pub(crate) struct LinkNames {
    /// The slots of the functions there are: what has been left by others gives way to them.
    live: FxHashSet<SlotKey>,
    slots: Exchange<SlotKey>,
    globals: Exchange<ItemPath>,
    tables: Exchange<(ItemPath, Ty)>,
    heap: HeapNames,
}

impl LinkNames {
    /// With the slots of the functions there are.
    pub fn new(live: FxHashSet<SlotKey>) -> LinkNames {
        LinkNames { live, ..LinkNames::default() }
    }
}

impl Linkage {
    /// What belongs to an item is found under its new name from now on.
    pub fn enter_names(&mut self, names: &mut LinkNames, renames: &Renames) {
        let slot = |key: &SlotKey| key.renamed(renames);
        let live = |key: &SlotKey| names.live.contains(key);
        names.slots.enter(&mut self.by_key, slot, live, |_, _| ());
        names.slots.enter_beside(&mut self.guards);
        names.globals.enter(&mut self.globals, |path| renames.path(*path), |_| true, |_, _| ());
        let table = |(of_trait, of): &(ItemPath, Ty)| (renames.path(*of_trait), renames.ty(*of));
        let is_renamed = |(of_trait, _): &(ItemPath, Ty)| renames.path(*of_trait) != *of_trait;
        names.tables.enter(&mut self.tables, table, is_renamed, |_, _| ());
        self.heap.enter_names(&mut names.heap, renames);
    }

    /// It is found under its old name again.
    pub fn leave_names(&mut self, names: &mut LinkNames) {
        names.slots.leave(&mut self.by_key, |_, _| ());
        names.slots.leave_beside(&mut self.guards);
        names.globals.leave(&mut self.globals, |_, _| ());
        names.tables.leave(&mut self.tables, |_, _| ());
        self.heap.leave_names(&mut names.heap);
    }

    /// After a save that has renamed items: what lies under their old names was left by items that were gone before it. It
    /// is nothing for those that may get these names later; whoever still has its address goes on with it.
    pub fn leave_former(&mut self, renames: &Renames, is_live: &dyn Fn(&SlotKey) -> bool) {
        let stays = |key: &SlotKey| key.renamed(renames) == *key || is_live(key);
        self.by_key.retain(|key, _| stays(key));
        let left = self.guards.extract_if(|key, _| !stays(key));
        self.outgrown.extend(left.map(|(_, guarded)| guarded));
    }
}
