//! Values whose code is not right any more, but that only wait in what has been removed: they are given up.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use vaisjit_semantics::ItemPath;

use super::told::{denied, found, name};
use super::{Seat, Suspects, Values};
use crate::code::{Slot, Stopped};
use crate::program::ProgramInner;
use crate::reload::migrate::{Blocks, Denied, Local, Migration, Trial, called};
use crate::reload::prepare::Prepared;
use crate::shapes::AllShapes;

impl ProgramInner {
    /// There must be no values with code that the new types do not allow, but for those that only wait. Notes what has to be
    /// given up of these.
    pub(in crate::program) fn judge(
        &self,
        prepared: &mut Prepared,
        suspects: &Suspects,
        (trial, locals): (Option<&Trial>, &[Local]),
        stopped: &Stopped<'_>,
    ) -> Result<(), Denied> {
        if suspects.unfit.is_empty() {
            return Ok(());
        }
        let (blocks, removed) = self.what_waits(prepared, (trial, locals));
        let waits = |seat: &Seat| match *seat {
            Seat::Global(path, place) => removed.contains_key(&path) || blocks.leaves(place),
            Seat::Block(block, place) => blocks.waits(block) || blocks.leaves(place),
            Seat::Frame => false,
        };
        let mut values = Values::default();
        for (slot, _) in suspects.seats.iter().filter(|(_, seat)| !waits(seat)) {
            *values.functions.entry(*slot).or_default() += 1;
        }
        values.answers = self.answers(prepared, &|cell| !blocks.waits(cell), stopped);
        for (left, what, holder) in &suspects.unfit {
            if let Some(by) = found(left, &values, holder.clone()) {
                return Err(denied(left, what, by, prepared));
            }
        }
        prepared.emptied = suspects.unfit.iter().map(|(left, ..)| left.slot.clone()).collect();
        let behind_fields = blocks.behind_fields(self.world.heap());
        let mut fields_told = false;
        for (left, what, _) in &suspects.unfit {
            let (slot, of) = (left.slot.address(), name(left.instance));
            let code = format!("the old code of {of}, which {what} as it was");
            let parked = |seat: &Seat| matches!(seat, Seat::Global(_, at) | Seat::Block(_, at) if blocks.leaves(*at));
            let lead = self.lead(slot, suspects, stopped);
            for (path, behind) in &removed {
                let is_own = |seat: &Seat| matches!(seat, Seat::Global(of, _) if of == path);
                if !prepared.given_up.contains(path) && (lead.from(behind) || lead.seats.iter().any(|at| is_own(at))) {
                    let ty = self.live().globals.get(path).map(|global| global.ty);
                    let held = ty.map_or_else(String::new, |ty| called(*path, ty));
                    prepared
                        .report
                        .notices
                        .push(format!("what the removed `{held}` held is given up: it leads to {code}"));
                    prepared.given_up.push(*path);
                }
            }
            let in_attic = || self.world.heap().attic().slots().any(|known| known == slot);
            let is_parked = || lead.from(&behind_fields) || lead.seats.iter().any(|seat| parked(seat)) || in_attic();
            if !fields_told && is_parked() {
                prepared.report.notices.push(format!("values of removed fields are given up that lead to {code}"));
                fields_told = true;
            }
        }
        Ok(())
    }

    /// The values that lead to the code in a slot.
    fn lead<'s>(&self, slot: usize, suspects: &'s Suspects, stopped: &Stopped<'_>) -> Lead<'s> {
        let linkage = self.linkage();
        let tables = linkage.tables_with(slot);
        let cells = linkage.heap().memory(stopped).cells().filter(|(_, table)| tables.contains(table));
        let seats = suspects.seats.iter().filter(|(named, _)| *named == slot).map(|(_, seat)| seat);
        Lead { seats: seats.collect(), cells: cells.map(|(cell, _)| cell).collect() }
    }

    /// What of the heap only waits, and the removed globals with the blocks behind them.
    pub(in crate::program) fn what_waits(
        &self,
        prepared: &Prepared,
        (trial, locals): (Option<&Trial>, &[Local]),
    ) -> (Blocks, BTreeMap<ItemPath, FxHashSet<usize>>) {
        let (live, linkage) = (self.live(), self.linkage());
        let checked = &prepared.snapshot.checked;
        let (nothing, untried) = (Migration::of_nothing(&live, checked), Trial::default());
        let (migration, trial) = match (&prepared.migration, trial) {
            (Some(migration), Some(trial)) if migration.knows_globals() => (migration, trial),
            _ => (&nothing, &untried),
        };
        let removed = live.globals.keys().filter(|path| !checked.globals.contains_key(*path));
        let behind = removed.map(|path| (*path, migration.behind(&linkage, *path))).collect();
        (migration.blocks(&linkage, trial, locals), behind)
    }

    /// Gives up globals that are gone from the text, with the values that wait in them.
    pub(in crate::program) fn give_up_globals(&self, paths: &[ItemPath]) {
        let (mut live, mut linkage) = (self.live(), self.linkage());
        for path in paths.iter().filter(|path| !live.checked.globals.contains_key(*path)).copied().collect::<Vec<_>>() {
            let shapes = AllShapes::of(&live);
            if let (Some(memory), Some(global)) = (linkage.global(path), live.globals.get(&path)) {
                // What cannot be given up is left: memory, not the program, pays for it.
                let _ = self.world.heap().clear_global(memory.address(), global.ty, &|ty| shapes.get(ty));
            }
            linkage.leave_global(path);
            live.globals.remove(&path);
        }
    }

    /// Takes the code away from values that only wait. Once the commit cannot be taken back any more, while no thread runs the
    /// program.
    pub(in crate::program) fn empty_left(&self, prepared: &mut Prepared) {
        if prepared.emptied.is_empty() {
            return;
        }
        self.give_up_globals(&prepared.given_up);
        let (mut live, mut linkage) = (self.live(), self.linkage());
        let heap = self.world.heap();
        let slots: FxHashSet<usize> = prepared.emptied.iter().map(Slot::address).collect();
        let tables = slots.iter().flat_map(|slot| linkage.tables_with(*slot)).collect();
        heap.forget_left(&slots, &tables);
        for slot in prepared.emptied.drain(..) {
            slot.put_back(0);
            linkage.leave_tables(slot.address());
        }
        live.left.retain(|left| !slots.contains(&left.slot.address()));
    }
}

/// The values that lead to the code in a slot.
struct Lead<'s> {
    /// Function values.
    seats: Vec<&'s Seat>,
    /// Cells of `dyn`s.
    cells: Vec<usize>,
}

impl Lead<'_> {
    /// Is one of them in these blocks?
    fn from(&self, blocks: &FxHashSet<usize>) -> bool {
        let lies = |seat: &&Seat| matches!(seat, Seat::Block(block, _) if blocks.contains(block));
        self.seats.iter().any(lies) || self.cells.iter().any(|cell| blocks.contains(cell))
    }
}
