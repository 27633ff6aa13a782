//! Values of retyped globals that are kept aside, and those that come back.

use vaisjit_semantics::{ItemPath, Ty};

use super::{Denied, Migration, Planner, Trial};
use crate::code::GlobalMemory;
use crate::fault;
use crate::heap::Heap;
use crate::heap::migrate::{Conversion, Counted, Lookup, Region, Role, Stores};
use crate::linkage::Linkage;
use crate::reload::migrate::GlobalChange;
use crate::reload::migrate::aside::{self, Keep};

/// A value that is kept aside from now on: a copy of that of its global, as the trial has found it.
pub(super) struct Kept {
    path: ItemPath,
    pub ty: Ty,
    /// In the running version's shape, and afterwards, if it does not stay where it lies.
    pub(super) copy: GlobalMemory,
    moved: Option<GlobalMemory>,
}

impl Kept {
    /// Where it lies after the commit.
    pub fn memory(&self) -> &GlobalMemory {
        self.moved.as_ref().unwrap_or(&self.copy)
    }

    /// The same.
    pub fn into_memory(self) -> (ItemPath, GlobalMemory) {
        (self.path, self.moved.unwrap_or(self.copy))
    }
}

/// Where a global lies after the commit.
pub(super) fn now(linkage: &Linkage, moving: &[(ItemPath, GlobalMemory)], path: ItemPath) -> Option<usize> {
    let moved = moving.iter().find(|(moved, _)| *moved == path).map(|(_, memory)| memory);
    moved.or_else(|| linkage.global(path)).map(GlobalMemory::address)
}

/// A value that comes over one that was kept aside.
pub(super) struct Merge {
    /// Its bytes as the trial has found them, and its type.
    copy: GlobalMemory,
    ty: Ty,
    /// Is it what the one that was kept aside had become? Then that comes back as it was.
    alike: bool,
    conversion: usize,
    /// The number of the region of its global.
    region: usize,
    /// Where the value lies that was kept aside, and where the global lies, after the other steps of the commit.
    places: (usize, usize),
}

impl Merge {
    /// Puts both together.
    pub fn apply(&self, planner: &Planner, stores: &mut Stores<'_>) {
        let Conversion { ops, to_size, .. } = &planner.conversions[self.conversion];
        if self.alike {
            stores.over(&[], self.copy.address(), self.places, *to_size);
            stores.released.extend(planner.references_before(self.ty).found(self.copy.address()));
        } else {
            stores.over(ops, self.copy.address(), self.places, *to_size);
        }
    }
}

impl Migration {
    /// Copies the values that are kept aside, and those that come over such. The copies own nothing before the commit.
    pub(super) fn find_kept(
        &self,
        linkage: &Linkage,
        moving: &[(ItemPath, GlobalMemory)],
        trial: &mut Trial,
    ) -> Result<(), Denied> {
        self.leave_impossible(linkage, trial);
        for (number, global) in self.globals.iter().enumerate() {
            let Some(memory) = linkage.global(global.path) else { continue };
            let copy = || memory.copy(self.planner.old.size(global.ty));
            if let Some(keep) = &global.keep {
                fault::point()?;
                self.find_new(keep, (number, copy()), linkage, trial);
            }
            if let Some(back) = &global.back {
                fault::point()?;
                let region = trial.regions.iter().position(|region| region.role == Role::Global(number));
                let places = now(linkage, moving, back.path).zip(now(linkage, moving, global.path));
                let is_alike =
                    |kept: &GlobalMemory| linkage.heap().are_alike(&back.alike, kept.address(), memory.address());
                let alike = linkage.global(back.path).is_some_and(is_alike);
                if back.loses && !alike {
                    trial.changed.push((global.path, back.ty));
                }
                let found = region.zip(places).map(|(region, places)| Merge {
                    copy: copy(),
                    ty: global.ty,
                    alike,
                    conversion: back.conversion,
                    region,
                    places,
                });
                trial.merges.extend(found);
            }
        }
        let dropped = self.dropped.iter().chain(&trial.lost);
        let dropped = dropped.filter_map(|(path, ty)| Some((linkage.global(*path)?.address(), *ty)));
        trial.dropped = dropped.collect();
        Ok(())
    }

    /// A value that is kept aside from now on, unless it cannot be of its type in the new version.
    fn find_new(&self, keep: &Keep, (number, copy): (usize, GlobalMemory), linkage: &Linkage, trial: &mut Trial) {
        let mut kept = Kept { path: keep.path, ty: keep.global.ty, copy, moved: None };
        if let Some(conversion) = keep.conversion {
            let Conversion { from_size, to_size, in_place, .. } = self.planner.conversions[conversion];
            kept.moved = (!in_place).then(|| GlobalMemory::new(to_size));
            let mut region = Region::new(kept.copy.address(), 1, from_size, conversion, Role::Global(number));
            region.to = kept.moved.as_ref().map(GlobalMemory::address);
            if self.is_impossible(linkage, &region) {
                return trial.lost.push((keep.path, keep.global.ty));
            }
            trial.regions.push(region);
        }
        trial.kept.push(kept);
    }

    /// Leaves values that were kept aside and cannot be of their type any more: nobody could give them another value.
    fn leave_impossible(&self, linkage: &Linkage, trial: &mut Trial) {
        let mut regions = std::mem::take(&mut trial.regions);
        regions.retain(|region| {
            let Role::Global(number) = region.role else { return true };
            let GlobalChange { path, ty, .. } = self.globals[number];
            let is_kept = aside::of_global(path).is_some() && !self.gone.contains(&path);
            let leaves = is_kept && self.is_impossible(linkage, region);
            trial.lost.extend(leaves.then_some((path, ty)));
            !leaves
        });
        trial.regions = regions;
    }

    /// What a report says of them.
    pub fn tell_lost(&self, trial: &Trial) -> Vec<String> {
        let lost = |(path, ty): &(ItemPath, Ty)| {
            let of = aside::of_global(*path).map_or(path.name, |(of, _)| of.name);
            format!("the value that `{of}` had as `{ty}` is given up: it cannot follow the edit of its type")
        };
        let changed = |(path, ty): &(ItemPath, Ty)| {
            let of = path.name;
            format!("`{of}` is not any more what its `{ty}` had become: its elements are made of what they are now")
        };
        trial.lost.iter().map(lost).chain(trial.changed.iter().map(changed)).collect()
    }

    /// Does a value hold what must not be, such as a removed variant of an enum that has no default?
    fn is_impossible(&self, linkage: &Linkage, region: &Region) -> bool {
        let heap = linkage.heap();
        let attic = heap.attic();
        let lookup = Lookup { attic: &attic, batches: &self.planner.batches, heap };
        let mut counted = Counted::default();
        counted.region(&self.planner.conversions[region.conversion], region, 0, &lookup);
        counted.found.iter().any(|(_, found)| !found.may_wait)
    }

    /// Counts what the values that come over others change and need.
    pub(super) fn count_merges(&self, trial: &Trial, counted: &mut Counted, lookup: &Lookup<'_>) {
        for merge in trial.merges.iter().filter(|merge| !merge.alike) {
            let conversion = &self.planner.conversions[merge.conversion];
            let role = trial.regions[merge.region].role;
            let region = Region::new(merge.copy.address(), 1, conversion.from_size, merge.conversion, role);
            counted.region(conversion, &region, merge.region, lookup);
        }
    }
}

impl Planner {
    /// From now on the copies own what they refer to.
    pub(super) fn hold_kept(&self, heap: &Heap, kept: &[Kept]) {
        for kept in kept {
            heap.hold_all(self.references_before(kept.ty).found(kept.copy.address()));
        }
    }
}
