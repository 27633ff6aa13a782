//! Running the program's own code for defaults that a file of state has no values for, while its threads are stopped.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use vaisjit_codegen::layout::Layouts;
use vaisjit_codegen::shape::shape;
use vaisjit_semantics::{Instance, Ty};

use super::load::{Computed, Wanted};
use crate::program::{ProgramInner, trapped};
use crate::reload::compile::Compiled;
use crate::reload::links::Links;
use crate::reload::prepare::{Base, defaults};

impl ProgramInner {
    /// Computes the values that are wanted. The error says of which default it failed, and why.
    pub(super) fn compute_defaults(&self, wanted: &Wanted, computed: &mut Computed) -> Result<(), String> {
        let made = self.compile_defaults(wanted)?;
        made.stores.iter().for_each(|(slot, code)| slot.store(*code));
        let results = self.alone(|| {
            let each = |(instance, (ty, times)): (&Instance, &(Ty, u64))| {
                (0..*times).try_for_each(|_| self.compute_default(&made, *instance, *ty, computed))
            };
            wanted.iter().try_for_each(each)
        });
        let mut linkage = self.linkage();
        made.new_slots.iter().for_each(|key| linkage.forget_slot(key));
        results
    }

    /// Gives up values that nobody has taken.
    pub(super) fn give_up_computed(&self, computed: Computed, failed: bool) {
        let (checked, layouts) = {
            let live = self.live();
            (live.checked.clone(), live.layouts.clone())
        };
        let shape = |ty: Ty| shape(ty, &checked, &*layouts);
        for (ty, mut value) in computed.into_values(failed) {
            // What cannot be given up is left: memory, not the program, pays for it.
            let _ = self.world.heap().clear_global(value.as_mut_ptr() as usize, ty, &shape);
        }
    }

    fn compile_defaults(&self, wanted: &Wanted) -> Result<Compiled, String> {
        let (live, mut linkage) = (self.live(), self.linkage());
        let snapshot = live.snapshot.clone().ok_or("nothing is loaded")?;
        // They are called from here only, and call everything through slots.
        let (links, promoted) = (Arc::<Links>::default(), FxHashSet::default());
        let mut base = Base {
            mode: &self.mode,
            live: &live,
            linkage: &mut linkage,
            host: &self.host,
            links: &links,
            promoted: &promoted,
            version: self.version(),
            main_is_running: false,
            stacks: &|| None,
            found: None,
            cramped: None,
            cancelled: &|| false,
        };
        let made = defaults(&snapshot, &mut base, &wanted.keys().copied().collect());
        made.ok_or_else(|| "the defaults that have to be computed cannot be compiled".to_owned())
    }

    fn compute_default(
        &self,
        made: &Compiled,
        instance: Instance,
        ty: Ty,
        computed: &mut Computed,
    ) -> Result<(), String> {
        let name = || instance.path.name.trim_start_matches("{default}").to_owned();
        let failed = |why: String| format!("computing the default of `{}` failed: it {why}", name());
        let function = made.functions.iter().find(|(known, _)| *known == instance);
        let (_, function) = function.ok_or_else(|| failed("has no code".to_owned()))?;
        let entry = self.entry_of(function).map_err(|error| failed(error.to_string()))?;
        let size = self.live().layouts.layout(ty).size as usize;
        let value = self.compute(&entry, ty, size).map_err(|trap| failed(trapped(&trap)))?;
        computed.add(instance, ty, value);
        Ok(())
    }
}
