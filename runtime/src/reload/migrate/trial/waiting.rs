//! Values that only wait: in what a save removes or an earlier one has removed, and in what only that leads to.

use rustc_hash::FxHashSet;

use super::{Local, Migration, Trial};
use crate::heap::Heap;
use crate::heap::migrate::{Found, Region, Role};
use crate::linkage::Linkage;

/// The blocks of the heap that the program can come to after the save, and those that wait.
struct Blocks {
    used: FxHashSet<usize>,
    waiting: FxHashSet<usize>,
}

impl Migration {
    /// The first of the values that must not be there which does not only wait.
    pub(super) fn in_use<'f>(
        &self,
        linkage: &Linkage,
        trial: &Trial,
        locals: &[Local],
        found: &'f [(usize, Found)],
    ) -> Option<&'f (usize, Found)> {
        let certain = found.iter().find(|(_, found)| !found.may_wait);
        if certain.is_some() || found.is_empty() {
            return certain;
        }
        let blocks = self.blocks(linkage, trial, locals);
        let waits = |region: &Region| match region.role {
            Role::Global(number) => {
                let is_kept = trial.kept.iter().any(|kept| kept.copy.address() == region.at);
                is_kept || self.removed.contains(&self.globals[number].path)
            }
            Role::Local(_) => false,
            Role::Elements(block, _) | Role::Entries(block, _) | Role::Block(block, _) => {
                blocks.waiting.contains(&block) && !blocks.used.contains(&block)
            }
        };
        found.iter().find(|(region, _)| !trial.regions.get(*region).is_some_and(waits))
    }

    fn blocks(&self, linkage: &Linkage, trial: &Trial, locals: &[Local]) -> Blocks {
        let heap: &Heap = linkage.heap();
        let (mut leaving, mut left) = (FxHashSet::default(), Vec::new());
        for region in &trial.regions {
            self.planner.conversions[region.conversion].leaving(region, &mut |place, block| {
                leaving.insert(place);
                left.extend(block);
            });
        }
        let (mut used, mut waiting) = (Vec::new(), left);
        for (path, ty, _) in &self.roots {
            let Some(memory) = linkage.global(*path) else { continue };
            let first = self.planner.references_before(*ty).found_but(memory.address(), &leaving);
            if self.removed.contains(path) { &mut waiting } else { &mut used }.extend(first);
        }
        for local in locals {
            for variable in local.frame.locals.iter().filter(|variable| local.holds(variable)) {
                let Some(at) = local.place(variable) else { continue };
                used.extend(self.planner.references_before(variable.ty).found_but(at, &leaving));
            }
        }
        for kept in &trial.kept {
            waiting.extend(self.planner.references_before(kept.ty).found(kept.copy.address()));
        }
        waiting.extend(heap.attic().counted());
        Blocks { used: heap.reached(used, &leaving), waiting: heap.reached(waiting, &FxHashSet::default()) }
    }
}
