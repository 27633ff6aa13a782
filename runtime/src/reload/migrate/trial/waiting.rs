//! Values that only wait: in what a save removes or an earlier one has removed, and in what only that leads to.

use rustc_hash::FxHashSet;

use vaisjit_semantics::{Checked, ItemPath};

use super::{Local, Migration, Trial, spilled};
use crate::heap::Heap;
use crate::heap::migrate::{Found, Region, Role};
use crate::linkage::Linkage;
use crate::live::Live;

/// The blocks of the heap that the program can come to after the save, and those that wait.
pub(crate) struct Blocks {
    used: FxHashSet<usize>,
    waiting: FxHashSet<usize>,
    /// Where the references lie that the save takes out of values.
    leaving: FxHashSet<usize>,
    /// What these and removed fields refer to.
    parked: Vec<usize>,
}

impl Blocks {
    /// Does a block only wait?
    pub fn waits(&self, block: usize) -> bool {
        self.waiting.contains(&block) && !self.used.contains(&block)
    }

    /// The blocks that removed fields lead to.
    pub fn behind_fields(&self, heap: &Heap) -> FxHashSet<usize> {
        heap.reached(self.parked.clone(), &FxHashSet::default())
    }

    /// Does the reference at an address leave the value it lies in?
    pub fn leaves(&self, place: usize) -> bool {
        self.leaving.contains(&place)
    }
}

impl Migration {
    /// One that changes no value: it knows what waits.
    pub fn of_nothing(live: &Live, checked: &Checked) -> Migration {
        let mut nothing = Migration::of_frames((live.history.clone(), live.history.clone()), Vec::new());
        nothing.roots = live.globals.iter().map(|(path, global)| (*path, global.ty, global.ty)).collect();
        let removed = live.globals.keys().filter(|path| !checked.globals.contains_key(*path));
        nothing.removed = removed.copied().collect();
        nothing
    }

    /// Does it know the globals? One that is for frames only does not.
    pub fn knows_globals(&self) -> bool {
        !self.roots.is_empty()
    }

    /// The blocks that what a global has leads to.
    pub fn behind(&self, linkage: &Linkage, path: ItemPath) -> FxHashSet<usize> {
        let ty = self.roots.iter().find(|(known, ..)| *known == path).map(|(_, ty, _)| *ty);
        let first =
            linkage.global(path).zip(ty).map(|(memory, ty)| self.planner.references_before(ty).found(memory.address()));
        linkage.heap().reached(first.unwrap_or_default(), &FxHashSet::default())
    }

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
            Role::Global(_) => self.is_kept(trial, region),
            Role::Local(_) => false,
            Role::Elements(block, _) | Role::Entries(block, _) | Role::Block(block, _) => blocks.waits(block),
        };
        found.iter().find(|(region, _)| !trial.regions.get(*region).is_some_and(waits))
    }

    /// Is it the value of a global that has been removed, or one that is kept aside?
    pub(super) fn is_kept(&self, trial: &Trial, region: &Region) -> bool {
        let Role::Global(number) = region.role else { return false };
        let is_aside = trial.kept.iter().any(|kept| kept.copy.address() == region.at);
        is_aside || self.removed.contains(&self.globals[number].path)
    }

    /// The blocks that the program can come to after the save, and those that wait.
    pub(crate) fn blocks(&self, linkage: &Linkage, trial: &Trial, locals: &[Local]) -> Blocks {
        let heap: &Heap = linkage.heap();
        let (mut leaving, mut left) = (FxHashSet::default(), Vec::new());
        for region in &trial.regions {
            self.planner.conversions[region.conversion].leaving(region, &mut |place, block| {
                leaving.insert(place);
                left.extend(block);
            });
        }
        left.extend(heap.attic().counted());
        let (mut used, mut waiting) = (Vec::new(), left.clone());
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
            let given_up = |home| local.going.as_ref().is_some_and(|going| going.gives_up(home));
            for (at, _, ty) in spilled(local).filter(|(_, home, _)| !given_up(*home)) {
                used.extend(self.planner.references_before(ty).found_but(at, &leaving));
            }
        }
        for kept in &trial.kept {
            waiting.extend(self.planner.references_before(kept.ty).found(kept.copy.address()));
        }
        let (used, waiting) = (heap.reached(used, &leaving), heap.reached(waiting, &FxHashSet::default()));
        Blocks { used, waiting, leaving, parked: left }
    }
}
