//! Trial and commit of a migration, while all threads of the program are stopped.

use std::sync::Arc;

use vaisjit_codegen::clif::frame::FrameLayout;
use vaisjit_semantics::{Instance, ItemPath, Ty};

use super::Migration;
use super::defaults::Wanted;
use super::own::{self, Written};
use crate::code::GlobalMemory;
use crate::fault;
use crate::heap::Heap;
use crate::heap::migrate::{Counted, Lookup, Queue, Region, Role, Stores};
use crate::linkage::Linkage;

/// A block on a data stack that belongs to a running function.
pub(crate) struct Local {
    /// Where the block starts.
    pub address: usize,
    /// What lies in it.
    pub frame: Arc<FrameLayout>,
    /// The function.
    pub function: String,
}

/// Why a reload cannot be, and what the author can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    /// The type or variable at fault.
    pub name: String,
    /// Why, in a sentence.
    pub why: String,
    /// The way out.
    pub help: String,
}

/// Everything that the commit of a migration needs.
#[derive(Default)]
pub(crate) struct Trial {
    pub(super) regions: Vec<Region>,
    rehash: Vec<usize>,
    pub(super) queues: Vec<Queue>,
    counts: Vec<u64>,
    locals: Vec<String>,
    /// Values that functions of the program migrate.
    pub(super) written: Vec<Written>,
}

/// Calls a function without parameters that gives a value of this type.
pub(crate) type CallOf<'a> = dyn FnMut(Instance, Ty) -> Result<Vec<u8>, String> + 'a;

impl Migration {
    /// Finds and counts all values that change, and prepares what needs memory. Changes nothing that can be seen; what it
    /// has made is given back by [`Migration::undo`].
    pub fn try_out(
        &mut self,
        linkage: &Linkage,
        moving: &[(ItemPath, GlobalMemory)],
        locals: &[Local],
    ) -> Result<Trial, (Trial, Denied)> {
        let mut trial = Trial::default();
        let heap = linkage.heap().clone();
        match self.steps(linkage, &heap, moving, locals, &mut trial) {
            Ok(()) => Ok(trial),
            Err(denied) => Err((trial, denied)),
        }
    }

    fn steps(
        &mut self,
        linkage: &Linkage,
        heap: &Heap,
        moving: &[(ItemPath, GlobalMemory)],
        locals: &[Local],
        trial: &mut Trial,
    ) -> Result<(), Denied> {
        fault::point()?;
        self.find_globals(linkage, moving, trial);
        self.find_locals(locals, trial);
        let planner = &mut self.planner;
        let mut conversion = |ty: Ty| planner.conversion(ty, ty, &ty.to_string()).ok().flatten();
        let found = heap.changing(&mut conversion);
        trial.regions.extend(found.regions);
        trial.rehash = found.rehash;
        fault::point()?;
        let mut counted = Counted::default();
        {
            let attic = heap.attic();
            let lookup = Lookup { attic: &attic, batches: &self.planner.batches };
            for (number, region) in trial.regions.iter().enumerate() {
                counted.region(&self.planner.conversions[region.conversion], region, number, &lookup);
            }
            self.find_own(trial, &mut counted, &lookup);
        }
        if let Some((region, found)) = &counted.found {
            return Err(self.removed_variant(trial, *region, found));
        }
        trial.counts = std::mem::take(&mut counted.counts);
        fault::point()?;
        self.make_room(heap, trial)?;
        self.place_own(trial);
        fault::point()?;
        self.make_empties(heap, &counted.wanted, trial)
    }

    fn find_globals(&self, linkage: &Linkage, moving: &[(ItemPath, GlobalMemory)], trial: &mut Trial) {
        for (number, global) in self.globals.iter().enumerate() {
            let size = self.planner.conversions[global.conversion].from_size;
            let Some(memory) = linkage.global(global.path) else { continue };
            let mut region = Region::new(memory.address(), 1, size, global.conversion, Role::Global(number));
            let new = moving.iter().find(|(path, _)| *path == global.path);
            region.to = new.map(|(_, memory)| memory.address());
            trial.regions.push(region);
        }
    }

    fn find_locals(&mut self, locals: &[Local], trial: &mut Trial) {
        for local in locals {
            for variable in &local.frame.locals {
                let ty = variable.ty;
                let Ok(Some(conversion)) = self.planner.conversion(ty, ty, &ty.to_string()) else { continue };
                let name = variable.name.map_or_else(|| "a value".to_owned(), |name| format!("`{name}`"));
                trial.locals.push(format!("local {name} of `{}`", local.function));
                let role = Role::Local(trial.locals.len() - 1);
                let size = self.planner.conversions[conversion].from_size;
                trial.regions.push(Region::new(local.address + variable.offset as usize, 1, size, conversion, role));
            }
        }
    }

    /// New memory for what has another size now.
    fn make_room(&self, heap: &Heap, trial: &mut Trial) -> Result<(), Denied> {
        for number in 0..trial.regions.len() {
            let region = &trial.regions[number];
            let conversion = &self.planner.conversions[region.conversion];
            if conversion.in_place || region.count == 0 {
                continue;
            }
            match region.role {
                Role::Global(_) => {}
                Role::Elements(list, ty) => {
                    let made = heap.new_elements(list, conversion.to_size).ok_or_else(|| out_of_memory(ty))?;
                    let region = &mut trial.regions[number];
                    (region.to, region.to_stride) = (Some(made), conversion.to_size);
                }
                Role::Block(_, ty) if heap.room_behind(region.at) < conversion.to_size => {
                    return Err(self.grows(trial, number, ty, heap.room_behind(region.at)));
                }
                Role::Block(..) => {}
                Role::Entries(_, ty) => return Err(self.grows(trial, number, ty, conversion.from_size)),
                Role::Local(_) => {
                    return Err(self.grows(trial, number, Ty::unit(), conversion.from_size));
                }
            }
        }
        Ok(())
    }

    fn make_empties(&self, heap: &Heap, wanted: &[u64], trial: &mut Trial) -> Result<(), Denied> {
        trial.queues.resize_with(self.planner.queues.len(), Queue::default);
        for (number, queue) in self.planner.queues.iter().enumerate() {
            let Wanted::Empty(ty) = queue else { continue };
            let Some(record) = self.empties.get(ty) else { continue };
            for _ in 0..wanted.get(number).copied().unwrap_or(0) {
                let made = heap.new_empty(*record).ok_or_else(|| out_of_memory(*ty))?;
                trial.queues[number].bytes.extend(made.to_le_bytes());
            }
        }
        trial.wanted(wanted);
        Ok(())
    }

    /// Computes the defaults that are no constants, one for each value. Code of the new version runs.
    pub fn compute(&self, trial: &mut Trial, call: &mut CallOf<'_>) -> Result<(), Denied> {
        for (number, queue) in self.planner.queues.iter().enumerate() {
            let Wanted::Computed(instance, ty) = queue else { continue };
            for _ in 0..trial.queues[number].missing {
                fault::point()?;
                let bytes = call(*instance, *ty).map_err(|why| failed(&instance.path.name, &why))?;
                trial.queues[number].bytes.extend(bytes);
            }
        }
        Ok(())
    }

    /// Gives back what a trial has made.
    pub fn undo(&self, heap: &Heap, trial: Trial) {
        for region in &trial.regions {
            if let (Role::Elements(..), Some(to)) = (region.role, region.to) {
                heap.drop_elements(to);
            }
        }
        Migration::undo_own(heap, trial.written);
        for (wanted, queue) in self.planner.queues.iter().zip(&trial.queues) {
            let (Wanted::Empty(ty) | Wanted::Computed(_, ty)) = wanted;
            heap.drop_values(queue.rest(), self.planner.new.layout(*ty).size, &self.planner.references_after(*ty));
        }
    }

    /// What the author is told of a value that must not be there.
    fn removed_variant(&self, trial: &Trial, region: usize, found: &crate::heap::migrate::Found) -> Denied {
        let holder = self.holder(trial, region, found.index);
        let ty = found.enumeration;
        Denied {
            name: ty.to_string(),
            why: format!("variant `{}` was removed, and {holder} holds a value of it", found.variant),
            help: format!(
                "give {holder} another value first, or keep the variant, or name the one it becomes: `#[was(\"{}\")]`",
                found.variant
            ),
        }
    }

    /// How people call the value at an index of a region.
    fn holder(&self, trial: &Trial, region: usize, index: usize) -> String {
        match trial.regions[region].role {
            Role::Global(number) => format!("global `{}`", self.globals[number].path.name),
            Role::Local(number) => trial.locals[number].clone(),
            Role::Elements(_, ty) => format!("element {index} of a `{ty}`"),
            Role::Entries(_, ty) => format!("a `{ty}`"),
            Role::Block(_, ty) => format!("a `{ty}` on the heap"),
        }
    }

    fn grows(&self, trial: &Trial, region: usize, ty: Ty, room: usize) -> Denied {
        let conversion = &self.planner.conversions[trial.regions[region].conversion];
        let name = self.planner.counted.first().copied().unwrap_or(ty).to_string();
        let holder = self.holder(trial, region, 0);
        Denied {
            why: format!(
                "{holder} has {} bytes and would need {}, of which there is room for {room} where it lies",
                conversion.from_size, conversion.to_size
            ),
            help: format!(
                "reserve room in the type with `#[reserve({})]` and restart, or undo the edit",
                conversion.to_size
            ),
            name,
        }
    }
}

pub(super) fn out_of_memory(ty: Ty) -> Denied {
    Denied {
        name: ty.to_string(),
        why: "there is no memory to bring its values into their new shape".to_owned(),
        help: "undo the edit, or restart with the new version".to_owned(),
    }
}

/// What the author is told of code that failed in a trial.
pub(crate) fn failed(name: &str, why: &str) -> Denied {
    let name = name.trim_start_matches("{init}").to_owned();
    Denied {
        why: format!("computing its first value failed: {why}"),
        help: "mend it, or give it a literal value and set it from a function".to_owned(),
        name,
    }
}

impl Trial {
    fn wanted(&mut self, wanted: &[u64]) {
        for (queue, wanted) in self.queues.iter_mut().zip(wanted) {
            queue.missing = *wanted;
        }
    }

    /// How many values of changed types there are, by type.
    pub fn instances(&self, migration: &Migration) -> Vec<(Ty, u64)> {
        let counted = migration.planner.counted.iter().copied();
        counted.zip(self.counts.iter().copied().chain(std::iter::repeat(0))).collect()
    }

    /// Stores the new values; the first half, before the heap knows the new types.
    pub fn commit(mut self, migration: &mut Migration, heap: &Heap) -> Settle {
        let planner = &migration.planner;
        let mut attic = heap.attic();
        let mut stores = Stores::new(&mut attic, &planner.batches, std::mem::take(&mut self.queues));
        for region in &self.regions {
            stores.region(&planner.conversions[region.conversion], region);
        }
        planner.forgotten.iter().for_each(|batch| stores.forget(*batch));
        let (mut released, notes) = (std::mem::take(&mut stores.released), std::mem::take(&mut stores.notes));
        drop(attic);
        own::install(planner, heap, std::mem::take(&mut self.written), &mut released);
        for region in &self.regions {
            match (region.role, region.to) {
                (Role::Elements(list, _), Some(to)) => heap.move_elements(list, to),
                (Role::Block(block, _), _) => {
                    heap.set_size(block, region.at, planner.conversions[region.conversion].to_size)
                }
                _ => {}
            }
        }
        let notes = planner.notes.iter().zip(notes).filter_map(|(note, times)| note.text(times));
        Settle { released, rehash: self.rehash, notes: notes.collect() }
    }
}

/// The second half of a commit.
pub(crate) struct Settle {
    released: Vec<usize>,
    rehash: Vec<usize>,
    notes: Vec<String>,
}

impl Settle {
    /// Once the heap knows the new types. Gives what a report tells of.
    pub fn finish(mut self, heap: &Heap) -> Vec<String> {
        let dropped = heap.rehash_all(&self.rehash);
        if dropped > 0 {
            self.notes
                .push(format!("{dropped} entries of a `HashMap` had the key of another one afterwards and are gone"));
        }
        heap.release_all(self.released);
        self.notes
    }
}
