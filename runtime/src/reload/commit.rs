//! Commit: stores only; cannot fail.

use std::sync::Arc;

use super::prepare::Prepared;
use crate::code::CodeUnit;
use crate::live::{Code, FunctionMeta, Live, LiveFunction};

impl Live {
    /// Makes a prepared version the live one. Returns the code that was replaced.
    pub(crate) fn apply(&mut self, prepared: &mut Prepared) -> Vec<Arc<CodeUnit>> {
        self.forget_freed();
        for (slot, address) in &prepared.stores {
            slot.store(*address);
        }
        let mut retired = Vec::new();
        for (instance, function) in prepared.functions.drain(..) {
            self.set_meta(&function.code, function.meta.clone());
            let signature = function.signature.clone();
            match self.functions.insert(instance, function) {
                Some(old) if old.signature == signature => self.retire(&old.code, &old.meta, &mut retired),
                Some(old) => self.orphan(old),
                None => {}
            }
        }
        for instance in prepared.removed.drain(..) {
            if let Some(old) = self.functions.remove(&instance) {
                self.orphan(old);
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
        for (path, global) in &prepared.snapshot.checked.globals {
            self.globals.insert(*path, global.clone());
        }
        self.checked = prepared.snapshot.checked.clone();
        self.sources = prepared.snapshot.sources.clone();
        retired
    }

    /// Keeps a function that nothing calls by name any more: a function value may still hold its slot.
    fn orphan(&mut self, function: LiveFunction) {
        self.freeze(&function.code, &function.meta);
        self.orphans.retain(|other| other.slot != function.slot);
        self.orphans.push(function);
    }

    fn retire(&mut self, code: &Code, meta: &Arc<FunctionMeta>, retired: &mut Vec<Arc<CodeUnit>>) {
        self.freeze(code, meta);
        if !retired.iter().any(|unit| Arc::ptr_eq(unit, &code.unit)) {
            self.retired.push((Live::unit_key(&code.unit), Arc::downgrade(&code.unit)));
            retired.push(code.unit.clone());
        }
    }

    /// Keeps the text of a function whose code may still be running while its source is gone.
    fn freeze(&mut self, code: &Code, meta: &FunctionMeta) {
        if let Some(frozen) = meta.freeze(&self.sources) {
            self.set_meta(code, Arc::new(frozen));
        }
    }

    /// Forgets what is known of code that has been freed.
    fn forget_freed(&mut self) {
        let metas = &mut self.metas;
        self.retired.retain(|(key, unit)| {
            let alive = unit.strong_count() > 0;
            if !alive {
                metas.remove(key);
            }
            alive
        });
    }
}
