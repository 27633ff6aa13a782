//! Migrations that a program writes itself: `#[was("Player")] S PlayerV1 { .. }` declares an old shape, and a function
//! `F migrate(old: PlayerV1, new: *Player)` fills the new one.
//!
//! The trial makes two copies of each value: one in the old shape, and one that the ordinary rules have brought into the
//! new one. The function is called with both, and the commit puts the second where the value lies.

use std::ops::Range;

use rustc_hash::FxHashMap;
use vaisjit_codegen::layout::KnownLayout;
use vaisjit_semantics::program::StructDef;
use vaisjit_semantics::{Checked, Instance, Ty, TyKind};
use vaisjit_syntax::Name;

use super::Migration;
use super::plan::Planner;
use super::trial::{Denied, Trial, out_of_memory};
use crate::fault;
use crate::heap::migrate::rows::{Values, each_own};
use crate::heap::migrate::{Counted, Lookup, Op, References, Region, Stores, Test};
use crate::heap::{Heap, TypeRef};
use crate::reload::diff::name_of;
use crate::report::Report;

/// A function that migrates values of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Writer {
    /// The function.
    pub function: Instance,
    /// The type of its first parameter.
    pub old: Ty,
}

/// The migration of one type by a function of the program.
pub(crate) struct Own {
    ty: Ty,
    writer: Writer,
    /// From a live value to one in the declared old shape.
    old: Vec<Op>,
    old_size: usize,
    /// From a live value to one in the new shape, but for what is prepared for each.
    new: Vec<Op>,
    /// What is prepared for each.
    prepared: Vec<Op>,
    new_size: usize,
    /// Offset and size of each field in the new shape.
    fields: Vec<(u32, u32)>,
    references: (References, References),
    records: Option<(TypeRef, TypeRef)>,
}

/// Calls a migration with the addresses of the old and the new value.
pub(crate) type WriteOf<'a> = dyn FnMut(Instance, usize, usize) -> Result<(), String> + 'a;

/// The values of one type that a trial has made.
pub(crate) struct Written {
    number: usize,
    /// Where the live values are, and where they will be.
    places: Vec<(usize, usize)>,
    values: Option<Values>,
}

/// The functions that may migrate values of each type.
pub(super) fn writers(checked: &Checked) -> FxHashMap<Ty, Vec<Writer>> {
    let mut found: FxHashMap<Ty, Vec<Writer>> = FxHashMap::default();
    for (instance, function) in &checked.functions {
        let [old, new] = function.signature.params[..] else { continue };
        let (TyKind::Struct(path, _), TyKind::Pointer(to)) = (old.kind(), new.kind()) else { continue };
        let TyKind::Struct(target, _) = to.kind() else { continue };
        let was = checked.structs.get(&old).and_then(|definition| definition.was);
        let gives_nothing = matches!(function.signature.result.kind(), TyKind::Unit | TyKind::Never);
        if was == Some(target.name) && path.module == target.module && old != *to && gives_nothing {
            found.entry(*to).or_default().push(Writer { function: *instance, old });
        }
    }
    found
}

/// Does a running type have just the fields of a declaration?
fn fits(known: &KnownLayout, declared: &StructDef) -> bool {
    let has = |field: &vaisjit_semantics::program::FieldDef| {
        known.fields().iter().any(|other| other.name == field.name && other.ty == field.ty)
    };
    known.fields().len() == declared.fields.len() && declared.fields.iter().all(has)
}

/// Leaves out what touches anything but the copy; a parked value that comes back takes its default.
pub(super) fn pure(ops: Vec<Op>) -> Vec<Op> {
    let mut kept = Vec::new();
    for op in ops {
        match op {
            Op::Release { .. } | Op::Park { .. } | Op::Own { .. } | Op::Count { .. } | Op::GivesWay { .. } => {}
            Op::Unpark { to, otherwise, .. } => {
                leave_tickets(&mut kept, to);
                kept.extend(pure(otherwise));
            }
            Op::Reshape { references, ops, from, bytes, to, size, batch, otherwise }
                if references.is_empty() && !any(&ops, is_prepared) =>
            {
                kept.push(Op::Reshape { ops: pure(ops), references, from, bytes, to, size, batch, otherwise });
            }
            Op::Reshape { to, size, otherwise, .. } => {
                kept.push(Op::Zero { to, bytes: size });
                kept.extend(pure(otherwise));
            }
            Op::If { is: Test::Tickets(..), .. } => {}
            Op::Match { from, arms } => {
                let arms = arms.into_iter().map(|mut arm| {
                    arm.ops = pure(arm.ops);
                    arm
                });
                kept.push(Op::Match { from, arms: arms.collect() });
            }
            Op::Each { from, to, from_stride, to_stride, count, ops } => {
                kept.push(Op::Each { from, to, from_stride, to_stride, count, ops: pure(ops) });
            }
            Op::Wrap { to, queue, ops, references, .. } => {
                let ops = pure(ops);
                let (prepared, ops) = (split(&ops, true), split(&ops, false));
                kept.push(Op::Wrap { to, queue, copies: true, ops, prepared, references });
            }
            other => kept.push(other),
        }
    }
    kept
}

/// The tickets of a parked value are nothing that a copy could own.
fn leave_tickets(ops: &mut [Op], at: u32) {
    for op in ops.iter_mut().rev() {
        if let Op::Copy { to, bytes, .. } = *op
            && to == at
        {
            *op = Op::Zero { to, bytes };
            return;
        }
    }
}

/// The steps that take a prepared value (or those that do not), with what leads to them.
pub(super) fn split(ops: &[Op], prepared: bool) -> Vec<Op> {
    let mut kept = Vec::new();
    for op in ops {
        match op {
            Op::Match { from, arms } => {
                let arms = arms.iter().map(|arm| {
                    let mut arm = arm.clone();
                    arm.ops = split(&arm.ops, prepared);
                    arm
                });
                kept.push(Op::Match { from: *from, arms: arms.collect() });
            }
            Op::Each { from, to, from_stride, to_stride, count, ops } => {
                let ops = split(ops, prepared);
                if !ops.is_empty() {
                    let (from, to, from_stride, to_stride) = (*from, *to, *from_stride, *to_stride);
                    kept.push(Op::Each { from, to, from_stride, to_stride, count: *count, ops });
                }
            }
            other if is_prepared(other) == prepared => kept.push(other.clone()),
            _ => {}
        }
    }
    kept
}

/// Does a step take a prepared value?
fn is_prepared(op: &Op) -> bool {
    matches!(op, Op::Next { .. } | Op::Wrap { .. })
}

fn any(ops: &[Op], found: fn(&Op) -> bool) -> bool {
    ops.iter().any(|op| {
        found(op)
            || match op {
                Op::Match { arms, .. } => arms.iter().any(|arm| any(&arm.ops, found)),
                Op::Each { ops, .. } => any(ops, found),
                _ => false,
            }
    })
}

impl Planner {
    /// The number of the program's own migration of a type whose layout changes, if it has one that fits.
    pub(super) fn own(&mut self, ty: Ty) -> Option<u32> {
        if self.writing {
            return self.writers.contains_key(&ty).then_some(u32::MAX);
        }
        if let Some(known) = self.own.iter().position(|own| own.ty == ty) {
            return Some(known as u32);
        }
        self.note_no_way_back(ty);
        let writer = self.writer(ty)?;
        self.writing = true;
        let made = self.make_own(ty, writer);
        self.writing = false;
        match made {
            Ok(own) => {
                self.own.push(own);
                Some(self.own.len() as u32 - 1)
            }
            Err(why) => {
                self.writers.remove(&ty);
                self.remarks.push(format!("`{}` was not called for `{ty}`: {why}", writer.function.path.name));
                None
            }
        }
    }

    /// Says of a type that the running version had a migration for, and the new one has none, what becomes of its values. Of
    /// one whose migration does not fit that is said when it is first looked for.
    fn note_no_way_back(&mut self, ty: Ty) {
        if self.written_before.remove(&ty) && !self.writers.contains_key(&ty) {
            self.remarks.push(format!(
                "no migration is declared for `{ty}` now: its values are carried over by the names of their fields"
            ));
        }
    }

    /// The function for the running shape of a type.
    fn writer(&mut self, ty: Ty) -> Option<Writer> {
        let all = self.writers.get(&ty)?.clone();
        let known = self.old.get(ty)?.clone();
        let fitting = |writer: &&Writer| self.shapes.get(&writer.old).is_some_and(|shape| fits(&known, shape));
        let found: Vec<Writer> = all.iter().filter(fitting).copied().collect();
        let named = found.iter().find(|writer| writer.function.path.name == "migrate");
        match (&found[..], named) {
            ([only], _) | (_, Some(only)) => {
                let others = all.iter().filter(|other| *other != only);
                let others: Vec<String> = others.map(|other| format!("`{}`", other.function.path.name)).collect();
                if !others.is_empty() {
                    let (function, shape, others) = (only.function.path.name, only.old, others.join(" and "));
                    self.remarks.push(format!(
                        "values of `{ty}` have the shape `{shape}`: `{function}` migrates them, and {others} not"
                    ));
                }
                return Some(*only);
            }
            ([], None) => {
                let shapes: Vec<String> = all.iter().map(|writer| format!("`{}`", writer.old)).collect();
                let shapes = shapes.join(" nor of ");
                self.remarks.push(format!(
                    "no migration was called for `{ty}`: its values did not have the fields of {shapes}"
                ));
            }
            _ => self.remarks.push(format!(
                "no migration was called for `{ty}`: several functions fit it; call one of them `migrate`"
            )),
        }
        self.writers.remove(&ty);
        None
    }

    fn make_own(&mut self, ty: Ty, writer: Writer) -> Result<Own, String> {
        let nested = |op: &Op| matches!(op, Op::Own { number: u32::MAX, .. });
        let steps = |planner: &mut Planner, to: Ty| {
            planner.copy_steps(ty, to, &to.to_string()).map_err(|missing| format!("`{}` has no default", missing.label))
        };
        let (old, new) = (steps(self, writer.old)?, steps(self, ty)?);
        if any(&old, nested) || any(&new, nested) {
            return Err(
                "a type inside it is migrated by a function in the same save; save the two one after the other"
                    .to_owned(),
            );
        }
        let (old, new) = (pure(old), pure(new));
        if any(&new, |op| matches!(op, Op::Rebuild { .. } | Op::Unwrap { .. })) {
            let why =
                "a container in it gets elements of another type in the same save; save the two one after the other";
            return Err(why.to_owned());
        }
        if any(&old, |op| {
            matches!(op, Op::Next { .. } | Op::Refuse { .. } | Op::Rebuild { .. } | Op::Wrap { .. } | Op::Unwrap { .. })
        }) {
            return Err("a type inside it changes in the same save; save the two one after the other".to_owned());
        }
        let layout = |known: &super::known::Known, ty: Ty| known.layout(ty).size as usize;
        let old_size = layout(&self.new, writer.old);
        let fields = self.new.get(ty).into_iter().flat_map(|known| known.fields());
        let fields = fields.map(|field| (field.offset, field.size)).collect();
        Ok(Own {
            ty,
            writer,
            old,
            old_size,
            prepared: split(&new, true),
            new: split(&new, false),
            new_size: layout(&self.new, ty),
            fields,
            references: (self.references_after(writer.old), self.references_after(ty)),
            records: None,
        })
    }
}

impl Migration {
    /// Are values migrated by functions of the program?
    pub fn has_own(&self) -> bool {
        !self.planner.own.is_empty()
    }

    /// The functions that are going to be called.
    pub fn functions(&self) -> impl Iterator<Item = Instance> {
        self.planner.own.iter().map(|own| own.writer.function)
    }

    /// The types whose values have to be whole to be migrated: by functions of the program, each with the function's name, or
    /// as fields become more than other numbers.
    pub fn wholes(&self) -> Vec<(Ty, Option<Name>)> {
        let own = self.planner.own.iter().map(|own| (own.ty, Some(own.writer.function.path.name)));
        let reshaped = self.planner.counted.iter().filter(|ty| self.planner.reshapes(**ty)).map(|ty| (*ty, None));
        own.chain(reshaped).collect()
    }

    /// Makes sure that the heap has records of what they are shown.
    pub(super) fn add_own_records(&mut self, heap: &Heap) {
        let new = self.planner.new.clone();
        let record = |ty: Ty| heap.type_record(Ty::new(TyKind::Vec(ty)), &|ty| new.shape(ty));
        for own in &mut self.planner.own {
            own.records = Some((record(own.writer.old), record(own.ty)));
        }
    }

    /// Finds the values that functions of the program migrate, and what has to be prepared for them.
    pub(super) fn find_own(&self, trial: &mut Trial, counted: &mut Counted, lookup: &Lookup<'_>) {
        if !self.has_own() {
            return;
        }
        let mut written: Vec<Written> = Vec::new();
        written.extend((0..self.planner.own.len()).map(|number| Written { number, places: Vec::new(), values: None }));
        self.each_place(trial, &mut |number, from, to| written[number as usize].places.push((from, to)));
        for one in &written {
            let own = &self.planner.own[one.number];
            for (from, _) in &one.places {
                counted.steps(&own.prepared, *from, lookup);
            }
        }
        trial.written = written;
    }

    /// Once it is known where the values go.
    pub(super) fn place_own(&self, trial: &mut Trial) {
        let mut written = std::mem::take(&mut trial.written);
        written.iter_mut().for_each(|one| one.places.clear());
        self.each_place(trial, &mut |number, from, to| {
            if let Some(one) = written.get_mut(number as usize) {
                one.places.push((from, to));
            }
        });
        trial.written = written;
    }

    fn each_place(&self, trial: &Trial, visit: &mut dyn FnMut(u32, usize, usize)) {
        for region in &trial.regions {
            let ops = &self.planner.conversions[region.conversion].ops;
            if !any(ops, |op| matches!(op, Op::Own { .. })) {
                continue;
            }
            let (to, stride) = region.to.map_or((region.at, region.stride), |to| (to, region.to_stride));
            for index in 0..region.count {
                each_own(ops, (region.at + index * region.stride, to + index * stride), visit);
            }
        }
    }

    /// Makes the copies and calls the functions. Code of the new version runs.
    pub fn write(&self, heap: &Heap, trial: &mut Trial, call: &mut WriteOf<'_>) -> Result<(), Denied> {
        for number in 0..trial.written.len() {
            self.build_new(heap, trial, number)?;
            let written = &trial.written[number];
            let own = &self.planner.own[written.number];
            let (Some(values), Some((old, _))) = (&written.values, own.records) else { continue };
            let size = (own.old_size, 1);
            let shown = Values::new(heap, old, size, own.references.0.clone()).ok_or_else(|| out_of_memory(own.ty))?;
            let called = self.call_each(heap, own, (written, values, &shown), call);
            shown.forget(heap);
            called?;
        }
        Ok(())
    }

    /// Values in the new shape, each owning what it refers to.
    fn build_new(&self, heap: &Heap, trial: &mut Trial, number: usize) -> Result<(), Denied> {
        let places = trial.written[number].places.clone();
        let own = &self.planner.own[trial.written[number].number];
        let (Some((_, record)), false) = (own.records, places.is_empty()) else { return Ok(()) };
        fault::point()?;
        let size = (own.new_size, places.len());
        let values = Values::new(heap, record, size, own.references.1.clone());
        let values = values.ok_or_else(|| out_of_memory(own.ty))?;
        let mut attic = heap.attic();
        let mut stores = Stores::new(&mut attic, &self.planner.batches, std::mem::take(&mut trial.queues));
        for (index, (from, _)) in places.iter().enumerate() {
            stores.one(&own.new, *from, values.at(index));
            values.retain(index);
            stores.one(&own.prepared, *from, values.at(index));
        }
        trial.queues = std::mem::take(&mut stores.queues);
        trial.written[number].values = Some(values);
        Ok(())
    }

    fn call_each(
        &self,
        heap: &Heap,
        own: &Own,
        (written, values, shown): (&Written, &Values, &Values),
        call: &mut WriteOf<'_>,
    ) -> Result<(), Denied> {
        let function = own.writer.function;
        for (index, (from, _)) in written.places.iter().enumerate() {
            fault::point()?;
            let lent = {
                let mut attic = heap.attic();
                let mut stores = Stores::new(&mut attic, &self.planner.batches, Vec::new());
                stores.one(&own.old, *from, shown.at(0));
                shown.retain(0)
            };
            let called = call(function, shown.at(0), values.at(index));
            heap.release_all(lent);
            called.map_err(|why| Denied {
                pinned_by: None,
                name: name_of(own.ty),
                why: format!("`{}` {why}, after {index} of {} instances", function.path.name, written.places.len()),
                help: "mend it and save again".to_owned(),
            })?;
        }
        Ok(())
    }

    /// What a report says of them.
    pub fn note_own(&self, trial: &Trial, report: &mut Report) {
        for written in trial.written.iter().filter(|written| !written.places.is_empty()) {
            let own = &self.planner.own[written.number];
            let instances = match written.places.len() {
                1 => "1 instance".to_owned(),
                many => format!("{many} instances"),
            };
            report.notices.push(format!("`{}`: migrated {instances} by `{}`", own.ty, own.writer.function.path.name));
        }
    }

    /// Gives back what was made.
    pub(super) fn undo_own(heap: &Heap, written: Vec<Written>) {
        written.into_iter().filter_map(|one| one.values).for_each(|values| values.discard(heap));
    }
}

/// Puts the values that functions have filled where the live ones lie, which the ordinary rules have converted.
pub(super) fn install(
    planner: &Planner,
    heap: &Heap,
    (written, regions): (Vec<Written>, &[Region]),
    released: &mut Vec<usize>,
) {
    let lent: Vec<Range<usize>> = regions.iter().filter(|region| region.loan).map(Region::after).collect();
    let mut lend = Vec::new();
    for one in written {
        let fields = &planner.own[one.number].fields;
        let Some(values) = one.values else { continue };
        for (index, (_, to)) in one.places.iter().enumerate() {
            let loan = lent.iter().any(|range| range.contains(to));
            values.install(index, (*to, loan), fields, if loan { &mut lend } else { released });
        }
        values.forget(heap);
    }
    let mut attic = heap.attic();
    lend.into_iter().for_each(|block| attic.lend(block));
}
