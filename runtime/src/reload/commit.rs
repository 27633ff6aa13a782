//! Commit: stores only; cannot fail.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use vaisjit_semantics::program::Global;
use vaisjit_semantics::{Checked, Instance, ItemPath};

use super::kept::Recipe;
use super::prepare::Prepared;
use crate::code::CodeUnit;
use crate::heap::TypeUpdate;
use crate::linkage::{NewGuard, TableStore};
use crate::live::{Code, FunctionMeta, LineCounter, Live, LiveFunction};
use crate::report::Edit;

impl Live {
    /// Makes a prepared version the live one, under this number. Returns code that nobody can ask for any more.
    pub(crate) fn apply(&mut self, prepared: &mut Prepared, version: u64) -> Vec<Arc<CodeUnit>> {
        let freed = self.forget_freed();
        if !self.lines.is_of(&self.sources) {
            self.lines = LineCounter::default();
        }
        self.freeze_retired(prepared);
        for (slot, address) in &prepared.stores {
            slot.store(*address);
        }
        prepared.guards.iter().for_each(NewGuard::publish);
        prepared.tables.iter().for_each(TableStore::publish);
        prepared.types.drain(..).for_each(TypeUpdate::apply);
        let (mut retired, mut replaced) = (Vec::new(), Vec::new());
        prepared.functions.iter().for_each(|(_, function)| self.revive(function));
        for (instance, function) in prepared.functions.drain(..) {
            self.note_closure(instance);
            self.set_meta(&function.code, function.meta.clone());
            self.shapes.add_function(&function.body, &function.signature, &prepared.snapshot.checked);
            self.retire_orphans(&function, &mut retired);
            let slot = function.slot.clone();
            match self.functions.insert(instance, function) {
                // Nobody comes to it any more: its slot leads to the new code.
                Some(old) if old.slot == slot => {
                    self.retire(&old, &mut retired);
                    replaced.push(old);
                }
                Some(old) => self.orphan(old, &mut retired),
                None => {}
            }
        }
        for instance in prepared.removed.drain(..) {
            if let Some(old) = self.functions.remove(&instance) {
                self.orphan(old, &mut retired);
            }
        }
        for (instance, body, meta) in prepared.refreshed.drain(..) {
            if let Some(function) = self.functions.get_mut(&instance) {
                function.body = body;
                function.meta = meta.clone();
                let code = function.code.clone();
                self.set_meta(&code, meta);
            }
        }
        for (unit, index, meta) in prepared.replaced_places.drain(..) {
            if let Some(known) = self.metas.get_mut(&unit).and_then(|metas| metas.get_mut(index)) {
                *known = meta;
            }
        }
        for (path, global) in new_globals(&self.checked, &prepared.snapshot.checked) {
            self.shapes.add(global.ty, &prepared.snapshot.checked);
            self.globals.insert(*path, global.clone());
        }
        prepared.migration.iter().for_each(|migration| migration.note_kept(&mut self.globals));
        // A field can get another name where it lies.
        let is_type = |edit: &Edit| matches!(edit.kind, "struct" | "enum");
        if !prepared.moved.is_empty() || prepared.report.edits.iter().any(is_type) {
            self.shapes.follow(&prepared.snapshot.checked);
        }
        std::mem::swap(&mut self.doubles, &mut prepared.doubles);
        let snapshot = prepared.snapshot.clone();
        let before = (
            std::mem::replace(&mut self.layouts, prepared.layouts.clone()),
            std::mem::replace(&mut self.history, prepared.history.clone()),
            std::mem::replace(&mut self.checked, snapshot.checked.clone()),
            std::mem::replace(&mut self.sources, snapshot.sources.clone()),
            self.snapshot.replace(snapshot),
        );
        let forgotten = self.note_layouts(version);
        let lines = std::mem::take(&mut self.lines);
        prepared.left.push(Box::new((before, forgotten, freed, replaced, lines)));
        for (recipe, unit) in retired {
            self.kept.keep(version, recipe, unit);
        }
        self.kept.expired(version)
    }

    /// Code that was kept, or that a removed function has left, is asked for again.
    fn revive(&mut self, function: &LiveFunction) {
        self.kept.revive(&function.recipe, &function.code.unit);
        self.retired.remove(&Live::unit_key(&function.code.unit));
    }

    /// Does beforehand what a commit of this version would have to do while threads stand still.
    pub(crate) fn get_ready(&mut self, prepared: &Prepared) {
        let new = prepared.functions.iter().map(|(instance, _)| instance).chain(&prepared.removed);
        let replaced = new.filter_map(|instance| self.functions.get(instance));
        self.lines = LineCounter::ahead(&self.sources, replaced);
    }

    /// Keeps a function that nothing calls by name any more: a function value may still hold its slot.
    fn orphan(&mut self, function: LiveFunction, retired: &mut Vec<Retired>) {
        self.freeze(&function.code, &function.meta);
        self.retire_orphans(&function, retired);
        self.orphans.push(function);
    }

    /// Retires what a slot called that calls other code now. It may be running still, so it is not just dropped.
    fn retire_orphans(&mut self, by: &LiveFunction, retired: &mut Vec<Retired>) {
        let (gone, kept) = std::mem::take(&mut self.orphans).into_iter().partition(|orphan| orphan.slot == by.slot);
        self.orphans = kept;
        let gone: Vec<LiveFunction> = gone;
        let replaced = gone.iter().filter(|orphan| !Arc::ptr_eq(&orphan.code.unit, &by.code.unit));
        replaced.for_each(|orphan| self.hand_over(orphan, retired));
    }

    fn retire(&mut self, old: &LiveFunction, retired: &mut Vec<Retired>) {
        self.freeze(&old.code, &old.meta);
        self.hand_over(old, retired);
    }

    fn hand_over(&mut self, old: &LiveFunction, retired: &mut Vec<Retired>) {
        let unit = &old.code.unit;
        if self.retired.insert(Live::unit_key(unit), Arc::downgrade(unit)).is_none() {
            retired.push((old.recipe.clone(), unit.clone()));
        }
    }

    /// Keeps the text of a function whose code may still be running while its source is gone.
    fn freeze(&mut self, code: &Code, meta: &FunctionMeta) {
        if let Some(frozen) = meta.freeze(&self.sources, &mut self.lines) {
            self.set_meta(code, Arc::new(frozen));
        }
    }

    /// Keeps the texts of loops that run on in code which is in no slot, where the sources forget them.
    fn freeze_retired(&mut self, prepared: &Prepared) {
        let new = prepared.functions.iter().map(|(instance, _)| instance).chain(&prepared.removed);
        let new: FxHashSet<Instance> = new.chain(prepared.refreshed.iter().map(|(i, ..)| i)).copied().collect();
        for key in self.retired.keys() {
            for meta in self.metas.get_mut(key).into_iter().flatten().filter(|meta| new.contains(&meta.instance)) {
                if let Some(frozen) = meta.freeze(&self.sources, &mut self.lines) {
                    *meta = Arc::new(frozen);
                }
            }
        }
    }

    /// Takes out what is known of code that has been freed.
    fn forget_freed(&mut self) -> Vec<Vec<Arc<FunctionMeta>>> {
        let (metas, mut freed) = (&mut self.metas, Vec::new());
        self.retired.retain(|key, unit| {
            let alive = unit.strong_count() > 0;
            if !alive {
                freed.extend(metas.remove(key));
            }
            alive
        });
        freed
    }
}

/// The globals that the running version has not just so, and perhaps some more: they mostly stay in their order.
fn new_globals<'c>(running: &'c Checked, new: &'c Checked) -> impl Iterator<Item = (&'c ItemPath, &'c Global)> {
    let is_same = |(place, (path, global)): &(usize, (&ItemPath, &Global))| {
        running.globals.get_index(*place).is_some_and(|(known, before)| known == *path && is_shared(before, global))
    };
    new.globals.iter().enumerate().filter(move |new| !is_same(new)).map(|(_, new)| new)
}

/// Is it one declaration, at the same place?
fn is_shared(old: &Global, new: &Global) -> bool {
    let same_init = match (&old.init, &new.init) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        (old, new) => old.is_none() && new.is_none(),
    };
    let range = |global: &Global| (global.place.anchor, global.place.span.start, global.place.span.end);
    same_init && (old.ty, old.reset, range(old)) == (new.ty, new.reset, range(new))
}

/// Code that has been replaced, and what it was made from.
type Retired = (Arc<Recipe>, Arc<CodeUnit>);
