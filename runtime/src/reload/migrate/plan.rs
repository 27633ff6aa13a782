//! From two histories of layouts to the steps that turn values of one into values of the other.

mod alike;
mod fields;
mod merge;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::layout::lineage::{self, NewField};
use vaisjit_codegen::layout::{KnownField, KnownLayout, KnownVariant};
use vaisjit_semantics::program::StructDef;
use vaisjit_semantics::{Checked, Ty, TyKind};
use vaisjit_syntax::Name;

pub(super) use self::fields::Fields;
use super::defaults::{Declarations, Declared, DeclaredPart, Defaults, FieldKey, Wanted, zero};
use super::known::{Known, option_of, same_word};
use super::notes::{Note, NoteKind};
use super::own::{Own, Writer};
use super::steps::{is_dynamic, lift, overlaps, shifts};
use crate::heap::migrate::{Arm, BatchKey, Conversion, Op, Rebuild, References, Refusal, Scalar};

/// A value that would have to start with a default, of a type that has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoDefault {
    /// The field or variable.
    pub label: String,
    /// The type without a default.
    pub ty: Ty,
}

/// Makes conversions, and remembers what they have in common.
pub(crate) struct Planner {
    /// How values lie before: in the running version, or when what comes back was parked.
    pub(super) old: Known,
    /// The running version, if that is not what `old` is.
    running: Option<Known>,
    pub(super) new: Known,
    pub(super) declarations: Declarations,
    /// The conversions by number.
    pub(super) conversions: Vec<Conversion>,
    by_types: FxHashMap<(Ty, Ty), Option<usize>>,
    /// What the trial prepares.
    pub(super) queues: Vec<Wanted>,
    /// Parked fields by number.
    pub(super) batches: Vec<BatchKey>,
    /// Those whose values nobody can ask for afterwards.
    pub(super) forgotten: FxHashSet<u32>,
    /// What some values may lack, and has no default, by number.
    pub(super) lacking: Vec<NoDefault>,
    /// Changed types by number.
    pub(super) counted: Vec<Ty>,
    /// What a report tells of, by number.
    pub(super) notes: Vec<Note>,
    /// Types that functions of the program migrate, by number.
    pub(super) own: Vec<Own>,
    /// The functions that may.
    pub(super) writers: FxHashMap<Ty, Vec<Writer>>,
    /// Types that functions of the running version migrate.
    pub(super) written_before: FxHashSet<Ty>,
    /// The shapes they declare.
    pub(super) shapes: FxHashMap<Ty, Arc<StructDef>>,
    /// Are steps for one of them being made?
    pub(super) writing: bool,
    /// Is a value kept aside that what is being made steps for would lose?
    pub(super) keeping: bool,
    /// Does the value that steps are made for come over one that was kept aside?
    merging: bool,
    /// The type that steps are being made for, until its fields are reached.
    outermost: Option<Ty>,
    /// Containers whose elements get another type, by number.
    pub(super) rebuilds: Vec<Rebuild>,
    /// What holds such containers, as people call it.
    pub(super) holders: FxHashMap<(Ty, Ty), Vec<String>>,
    /// What there is to say about them.
    pub(super) remarks: Vec<String>,
    /// Those among them that say what may have been meant.
    pub(super) hints: Vec<String>,
}

/// A value on its way: its types, its place before and after.
#[derive(Clone, Copy)]
struct Value<'a> {
    old: Ty,
    new: Ty,
    from: u32,
    to: u32,
    /// Does it lie at the same address afterwards?
    still: bool,
    /// How people call it.
    label: &'a str,
    /// What is declared for it, if its old value cannot be had.
    declared: Option<DeclaredPart<'a>>,
    /// The types of the collection whose element it is, if it is one.
    of: Option<(Ty, Ty)>,
}

type Steps = Result<(), NoDefault>;

impl Planner {
    pub fn new(old: Known, new: Known, declarations: Declarations) -> Planner {
        Planner {
            old,
            running: None,
            new,
            declarations,
            conversions: Vec::new(),
            by_types: FxHashMap::default(),
            queues: Vec::new(),
            batches: Vec::new(),
            forgotten: FxHashSet::default(),
            lacking: Vec::new(),
            counted: Vec::new(),
            notes: Vec::new(),
            own: Vec::new(),
            writers: FxHashMap::default(),
            written_before: FxHashSet::default(),
            shapes: FxHashMap::default(),
            writing: false,
            keeping: false,
            merging: false,
            outermost: None,
            rebuilds: Vec::new(),
            holders: FxHashMap::default(),
            remarks: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// The functions of the program that may migrate values.
    pub fn set_writers(&mut self, checked: &Checked, running: &Checked) {
        self.written_before = super::own::writers(running).into_keys().collect();
        self.writers = super::own::writers(checked);
        let old = self.writers.values().flatten().map(|writer| writer.old);
        self.shapes = old.filter_map(|ty| Some((ty, checked.structs.get(&ty)?.clone()))).collect();
    }

    /// The steps that make a copy of a value, elsewhere and of another type or layout.
    pub(super) fn copy_steps(&mut self, old: Ty, new: Ty, label: &str) -> Result<Vec<Op>, NoDefault> {
        self.outermost = Some(old);
        let made = self.steps_of(Value { old, new, from: 0, to: 0, still: false, label, declared: None, of: None });
        self.outermost = None;
        made
    }

    /// The same for an element of a collection.
    pub(super) fn element_steps(
        &mut self,
        (old, new): (Ty, Ty),
        of: (Ty, Ty),
        label: &str,
    ) -> Result<Vec<Op>, NoDefault> {
        self.outermost = Some(old);
        let made = self.steps_of(Value { old, new, from: 0, to: 0, still: false, label, declared: None, of: Some(of) });
        self.outermost = None;
        made
    }

    /// The steps from a part of a value to another place.
    pub(super) fn steps_from(&mut self, old: Ty, new: Ty, from: u32, label: &str) -> Result<Vec<Op>, NoDefault> {
        self.steps_of(Value { old, new, from, to: 0, still: false, label, declared: None, of: None })
    }

    fn steps_of(&mut self, value: Value<'_>) -> Result<Vec<Op>, NoDefault> {
        let mut ops = Vec::new();
        self.value(value, &mut ops).map(|()| ops)
    }

    /// Remembers what holds containers that are made anew.
    pub(super) fn place_of(&mut self, types: (Ty, Ty), label: &str) {
        let known = self.holders.entry(types).or_default();
        if !known.iter().any(|other| other == label) {
            known.push(label.to_owned());
        }
    }

    /// The conversion of values of one type into values of another (or the same, laid out otherwise); none if there is
    /// nothing to do. `label` is how people call the value.
    pub fn conversion(&mut self, old: Ty, new: Ty, label: &str) -> Result<Option<usize>, NoDefault> {
        if let Some(known) = self.by_types.get(&(old, new)) {
            return Ok(*known);
        }
        let found = self.make(old, new, label, None)?;
        self.by_types.insert((old, new), found);
        Ok(found)
    }

    /// The conversion of one variable, which has a default of its own.
    pub fn variable(
        &mut self,
        (old, new): (Ty, Ty),
        label: &str,
        declared: Option<&Declared>,
    ) -> Result<Option<usize>, NoDefault> {
        if old == new { self.conversion(old, new, label) } else { self.make(old, new, label, declared) }
    }

    fn make(&mut self, old: Ty, new: Ty, label: &str, declared: Option<&Declared>) -> Result<Option<usize>, NoDefault> {
        let in_place = self.stays(old, new);
        let mut ops = Vec::new();
        let declared = declared.map(|declared| DeclaredPart { declared, whole: new, from: 0 });
        self.value(Value { old, new, from: 0, to: 0, still: in_place, label, declared, of: None }, &mut ops)?;
        // What is only given up comes first: nothing has been overwritten then.
        ops.sort_by_key(|op| !matches!(op, Op::Release { .. }));
        let nothing = in_place && ops.is_empty();
        Ok((!nothing).then(|| self.push((old, new), in_place, ops)))
    }

    /// Can a value of one type lie where one of the other has been?
    fn stays(&self, old: Ty, new: Ty) -> bool {
        let (before, after) = (self.old.layout(old), self.new.layout(new));
        before.size == after.size && before.align >= after.align
    }

    /// Adds a conversion of these steps.
    fn push(&mut self, types: (Ty, Ty), in_place: bool, mut ops: Vec<Op>) -> usize {
        let (from_size, to_size) = (self.old.size(types.0), self.new.size(types.1));
        let mut counts = Vec::new();
        lift(&mut ops, 1, &mut counts);
        let copied = in_place && overlaps(&ops);
        let dynamic = ops.iter().any(is_dynamic);
        let shifts = from_size == to_size && ops.iter().any(shifts);
        self.conversions.push(Conversion { types, from_size, to_size, in_place, copied, ops, counts, dynamic, shifts });
        self.conversions.len() - 1
    }

    /// The parked fields whose values nobody can ask for afterwards; what waits in another field may have some of them inside.
    pub(super) fn forgettable(&self) -> impl Iterator<Item = u32> {
        self.forgotten.iter().copied().filter(|batch| !self.new.holds_waiting(&self.batches[*batch as usize]))
    }

    /// Makes steps for a value that lies as it did in an older version.
    fn since<T>(&mut self, then: Known, make: impl FnOnce(&mut Planner) -> T) -> T {
        let before = std::mem::replace(&mut self.old, then);
        let running = self.running.clone().unwrap_or_else(|| before.clone());
        let outer = self.running.replace(running);
        let made = make(self);
        (self.old, self.running) = (before, outer);
        made
    }

    /// Makes steps for values behind a reference, which all lie as in the running version.
    pub(super) fn in_running<T>(&mut self, make: impl FnOnce(&mut Planner) -> T) -> T {
        let Some(running) = self.running.take() else { return make(self) };
        let then = std::mem::replace(&mut self.old, running);
        let made = make(self);
        self.running = Some(std::mem::replace(&mut self.old, then));
        made
    }

    /// Are steps for a migration of the program's own being made?
    pub(super) fn is_writing(&self) -> bool {
        self.writing
    }

    /// A conversion that does nothing, of values of this size.
    pub(super) fn identity(&mut self, size: usize) -> usize {
        let same = Conversion {
            types: (Ty::unit(), Ty::unit()),
            shifts: false,
            from_size: size,
            to_size: size,
            in_place: true,
            copied: false,
            ops: Vec::new(),
            counts: Vec::new(),
            dynamic: false,
        };
        self.conversions.push(same);
        self.conversions.len() - 1
    }

    /// Does no conversion do anything?
    pub(super) fn is_idle(&self) -> bool {
        self.conversions.is_empty()
    }

    /// The size after a conversion that cannot be done in place.
    pub(super) fn moves_to(&self, conversion: usize) -> Option<u32> {
        let conversion = &self.conversions[conversion];
        (!conversion.in_place).then_some(conversion.to_size as u32)
    }

    /// The references in values of a type in the running version.
    pub(super) fn references_before(&self, ty: Ty) -> References {
        self.references(ty, false)
    }

    /// The references in values of a type in the new version.
    pub(super) fn references_after(&self, ty: Ty) -> References {
        self.references(ty, true)
    }

    fn value(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Steps {
        if self.merging {
            return self.merged(value, ops);
        }
        let Value { old, new, from, to, still, .. } = value;
        match (old.kind(), new.kind()) {
            (TyKind::Struct(..), TyKind::Struct(..)) => self.record(value, ops),
            (TyKind::Enum(a, _), TyKind::Enum(b, _)) if old == new || a == b && self.payloads_carry(old, new) => {
                self.enumeration(value, ops)
            }
            (TyKind::Tuple(a), TyKind::Tuple(b)) => {
                let a: Vec<Ty> = a.iter().copied().collect();
                let b: Vec<Ty> = b.iter().copied().collect();
                self.tuple(value, &a, &b, ops)
            }
            (TyKind::Array(a, n), TyKind::Array(b, m)) if !self.starts_anew(value, *a, *b) => {
                self.array(value, (*a, *n), (*b, *m), ops)
            }
            _ if old == new || same_word(old, new) => {
                let bytes = self.new.layout(new).size;
                if !still && bytes > 0 {
                    ops.push(Op::Copy { from, to, bytes });
                }
                Ok(())
            }
            _ => self.retyped(value, ops),
        }
    }

    /// Another type: numbers by value, into an `Option` and out of it, else the default.
    fn retyped(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Steps {
        let Value { old, new, from, to, .. } = value;
        if let (Some(kind), Some(into)) = (Scalar::of(old), Scalar::of(new)) {
            let note = self.note(NoteKind::Saturated, value);
            ops.push(Op::Number { from, to, old: kind, new: into, note });
            return Ok(());
        }
        if self.carried_over(value, ops)? {
            return Ok(());
        }
        self.give_up(old, from, ops);
        let note = self.note(NoteKind::Default, value);
        ops.push(Op::Note { note });
        self.default_or(value, ops)
    }

    /// Into a collection of others, a box or an `Option`, and out of it; false if there is no way.
    fn carried_over(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Result<bool, NoDefault> {
        let Value { old, new, from, to, .. } = value;
        // What is in a box may be an option, too: that is not the one which comes or goes.
        let is_of = |known: &Known, option: Ty, ty: Ty| option_of(known, option).is_some_and(|(_, of)| of.ty == ty);
        if is_of(&self.new, new, old) || is_of(&self.old, old, new) {
            return self.option_steps(value, ops);
        }
        if let Some(step) = self.rebuild((old, new), (from, to), value.label)? {
            self.give_up(old, from, ops);
            ops.push(step);
            return Ok(true);
        }
        if let Some(mut steps) = self.box_steps((old, new), (from, to), value.label)? {
            ops.append(&mut steps);
            return Ok(true);
        }
        self.option_steps(value, ops)
    }

    /// Into an `Option`, and out of it; false if there is no way.
    fn option_steps(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Result<bool, NoDefault> {
        let Value { old, new, from, to, .. } = value;
        if let Some((some, inner)) = option_of(&self.new, new)
            && self.converts(old, inner.ty)
        {
            zero(to, self.new.layout(new).size, ops);
            ops.push(Op::Fill { to, bytes: Arc::from(some.to_le_bytes()) });
            self.value(Value { new: inner.ty, to: to + inner.offset, still: false, declared: None, ..value }, ops)?;
            return Ok(true);
        }
        if let Some((some, inner)) = option_of(&self.old, old)
            && self.converts(inner.ty, new)
        {
            let inside = Value { old: inner.ty, from: from + inner.offset, still: false, ..value };
            let mut with = Vec::new();
            self.value(inside, &mut with)?;
            let mut arms = vec![Arm { discriminant: some, ops: with }];
            let note = self.note(NoteKind::None, value);
            for none in self.others(old, some) {
                let mut ops = vec![Op::Note { note }];
                if let Err(missing) = self.default_or(value, &mut ops) {
                    ops = vec![self.lacks(missing, Refusal::None)];
                }
                arms.push(Arm { discriminant: none, ops });
            }
            ops.push(Op::Match { from, arms });
            return Ok(true);
        }
        Ok(false)
    }

    /// The default of a value: the declared one, else that of its type.
    fn default_or(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Steps {
        if self.merging {
            return Ok(());
        }
        let bytes = self.new.layout(value.new).size;
        let mut defaults = Defaults { new: &self.new, declarations: &self.declarations, queues: &mut self.queues };
        if let Some(step) = value.declared.and_then(|of| defaults.part_of(&of, bytes, value.to)) {
            ops.push(step);
            return Ok(());
        }
        defaults.value(value.new, value.to, ops).map_err(|ty| NoDefault { label: value.label.to_owned(), ty })
    }

    fn others(&self, ty: Ty, than: i64) -> Vec<i64> {
        let known = self.old.get(ty);
        let all = known.into_iter().flat_map(|known| &known.variants).map(|variant| variant.discriminant);
        all.filter(|other| *other != than).collect()
    }

    fn record(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Steps {
        let (Some(old), Some(new)) = (self.old.get(value.old).cloned(), self.new.get(value.new).cloned()) else {
            return self.unknown(value, ops);
        };
        let (Some(before), Some(after)) = (old.variants.first(), new.variants.first()) else { return Ok(()) };
        self.count(value, &old, &new, ops);
        let is_copy = self.outermost.take() == Some(value.old);
        self.fields(&Fields { value, variant: None, old: before, new: after }, ops)?;
        if value.old != value.new || is_copy || !differs(&old, &new) {
            return Ok(());
        }
        if self.running.is_some() && self.writers.contains_key(&value.old) {
            self.remark_not_written(value.old, value.label);
        } else if self.running.is_none()
            && let Some(number) = self.own(value.old)
        {
            ops.push(Op::Own { from: value.from, to: value.to, number });
        }
        Ok(())
    }

    /// A type that only one of the versions knows: it has no values, or cannot be told anything of.
    fn unknown(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Steps {
        let bytes = self.new.layout(value.new).size.min(self.old.layout(value.old).size);
        if !value.still && bytes > 0 {
            ops.push(Op::Copy { from: value.from, to: value.to, bytes });
        }
        Ok(())
    }

    fn count(&mut self, value: Value<'_>, old: &KnownLayout, new: &KnownLayout, ops: &mut Vec<Op>) {
        if self.running.is_some() || value.old == value.new && !differs(old, new) {
            return;
        }
        let known = self.counted.iter().position(|ty| *ty == value.new);
        let number = known.unwrap_or_else(|| {
            self.counted.push(value.new);
            self.counted.len() - 1
        });
        ops.push(Op::Count { number: number as u32 });
    }

    /// Does a field of a struct go on with another type, not from number to number?
    pub(super) fn reshapes(&self, ty: Ty) -> bool {
        let first = |known: &Known| known.get(ty).and_then(|known| known.variants.first()).cloned();
        let (Some(old), Some(new)) = (first(&self.old), first(&self.new)) else { return false };
        let number = |ty: Ty| Scalar::of(ty).is_some();
        let changes = |(field, source): (&KnownField, Option<usize>)| {
            let before = source.map(|source| old.fields[source].ty);
            before.is_some_and(|before| before != field.ty && !(number(before) && number(field.ty)))
        };
        old.name.is_none() && new.fields.iter().zip(lineage::followed(&old, &new, true)).any(changes)
    }

    fn enumeration(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Steps {
        let (Some(old), Some(new)) = (self.old.get(value.old).cloned(), self.new.get(value.new).cloned()) else {
            return self.unknown(value, ops);
        };
        self.count(value, &old, &new, ops);
        if !value.still {
            ops.push(Op::Copy { from: value.from, to: value.to, bytes: 8 });
        }
        let mut arms = Vec::new();
        for before in old.variants.iter().filter(|variant| variant.declared) {
            let arm = self.variant(value, before, &new)?;
            if !arm.is_empty() {
                arms.push(Arm { discriminant: before.discriminant, ops: arm });
            }
        }
        if !arms.is_empty() {
            ops.push(Op::Match { from: value.from, arms });
        }
        Ok(())
    }

    fn variant(&mut self, value: Value<'_>, before: &KnownVariant, new: &KnownLayout) -> Result<Vec<Op>, NoDefault> {
        let mut ops = Vec::new();
        let Some(name) = before.name else { return Ok(ops) };
        let after = follow_variant(before, new, value.old == value.new);
        let Some(after) = after else {
            let waiting = self.instead(value, before, name);
            return Ok(vec![Op::Refuse { why: Refusal::Variant(value.old, name), waiting }]);
        };
        if after.discriminant != before.discriminant {
            ops.push(Op::Fill { to: value.to, bytes: Arc::from(after.discriminant.to_le_bytes()) });
        }
        self.fields(&Fields { value, variant: after.name, old: before, new: after }, &mut ops)?;
        Ok(ops)
    }

    /// What becomes of a value of a removed variant that only waits in what has been removed; nothing if the type has no
    /// default.
    fn instead(&mut self, value: Value<'_>, variant: &KnownVariant, name: Name) -> Vec<Op> {
        let mut ops = Vec::new();
        for field in &variant.fields {
            self.give_up(field.ty, value.from + field.offset, &mut ops);
        }
        let mut defaults = Defaults { new: &self.new, declarations: &self.declarations, queues: &mut self.queues };
        if defaults.value(value.new, value.to, &mut ops).is_err() {
            return Vec::new();
        }
        let note = self.note(NoteKind::Waiting(name), value);
        ops.push(Op::Note { note });
        ops
    }

    fn tuple(&mut self, value: Value<'_>, old: &[Ty], new: &[Ty], ops: &mut Vec<Op>) -> Steps {
        let before = self.old.tuple(old.iter().copied()).1;
        let after = self.new.tuple(new.iter().copied()).1;
        for (number, ty) in new.iter().enumerate() {
            let to = value.to + after[number];
            let declared = value.declared.map(|of| DeclaredPart { from: of.from + after[number], ..of });
            match old.get(number) {
                Some(part) => {
                    let from = value.from + before[number];
                    let still = value.still && from == to;
                    let label = &format!("{}.{number}", value.label);
                    self.value(Value { old: *part, new: *ty, from, to, still, declared, label, ..value }, ops)?;
                }
                None => self.default_or(Value { new: *ty, to, declared, ..value }, ops)?,
            }
        }
        for (part, offset) in old.iter().zip(before).skip(new.len()) {
            self.give_up(*part, value.from + offset, ops);
        }
        Ok(())
    }

    /// Does an array take its declared default as a whole, as none of its elements can be converted?
    fn starts_anew(&self, value: Value<'_>, old: Ty, new: Ty) -> bool {
        let parts = matches!((old.kind(), new.kind()), (TyKind::Tuple(_), TyKind::Tuple(_)));
        let nested = matches!((old.kind(), new.kind()), (TyKind::Array(..), TyKind::Array(..)));
        value.declared.is_some() && !parts && !nested && !self.carries(old, new)
    }

    fn array(&mut self, value: Value<'_>, (a, n): (Ty, u64), (b, m): (Ty, u64), ops: &mut Vec<Op>) -> Steps {
        let (from_stride, to_stride) = (self.old.layout(a).size, self.new.layout(b).size);
        let still = value.still && value.from == value.to && from_stride == to_stride;
        let (n, m) = (n as u32, m as u32);
        let kept = n.min(m);
        let mut each = Vec::new();
        let of = Some((value.old, value.new));
        let nested = matches!(b.kind(), TyKind::Array(..)).then(|| format!("{}[]", value.label));
        let label = nested.as_deref().unwrap_or(value.label);
        self.value(Value { old: a, new: b, from: 0, to: 0, still, declared: None, of, label }, &mut each)?;
        let whole =
            matches!(each[..], [Op::Copy { from: 0, to: 0, bytes }] if bytes == from_stride && bytes == to_stride);
        if whole {
            ops.push(Op::Copy { from: value.from, to: value.to, bytes: from_stride * kept });
        } else if !each.is_empty() && kept > 0 {
            let (from, to) = (value.from, value.to);
            ops.push(Op::Each { from, to, from_stride, to_stride, count: kept, ops: each });
        }
        if m > n && !self.merging {
            let note = self.note(NoteKind::Longer(n), value);
            ops.push(Op::Note { note });
            let to = value.to + n * to_stride;
            let mut defaults = Defaults { new: &self.new, declarations: &self.declarations, queues: &mut self.queues };
            let rest = value.declared.map(|of| DeclaredPart { from: of.from + n * to_stride, ..of });
            if let Some(step) = rest.and_then(|of| defaults.part_of(&of, (m - n) * to_stride, to)) {
                ops.push(step);
                return Ok(());
            }
            let mut rest = Vec::new();
            self.default(b, 0, value.label, &mut rest)?;
            ops.push(Op::Each { from: value.from, to, from_stride: 0, to_stride, count: m - n, ops: rest });
        } else if n > m {
            let note = self.note(NoteKind::Cut(n - m), value);
            ops.push(Op::Note { note });
            let mut rest = Vec::new();
            self.give_up(a, 0, &mut rest);
            if !rest.is_empty() {
                let from = value.from + m * from_stride;
                ops.push(Op::Each { from, to: value.to, from_stride, to_stride: 0, count: n - m, ops: rest });
            }
        }
        Ok(())
    }

    fn give_up(&mut self, ty: Ty, from: u32, ops: &mut Vec<Op>) {
        let references = self.references(ty, false);
        if !references.is_empty() {
            ops.push(Op::Release { from, references });
        }
    }

    fn references(&self, ty: Ty, after: bool) -> References {
        let known = if after { &self.new } else { &self.old };
        References::of(&known.shape(ty), &|ty| known.shape(ty))
    }

    fn default(&mut self, ty: Ty, to: u32, label: &str, ops: &mut Vec<Op>) -> Steps {
        let mut defaults = Defaults { new: &self.new, declarations: &self.declarations, queues: &mut self.queues };
        defaults.value(ty, to, ops).map_err(|ty| NoDefault { label: label.to_owned(), ty })
    }

    fn default_of(&mut self, key: FieldKey, ty: Ty, to: u32, label: &str, ops: &mut Vec<Op>) -> Steps {
        if self.merging {
            return Ok(());
        }
        let mut defaults = Defaults { new: &self.new, declarations: &self.declarations, queues: &mut self.queues };
        defaults.field(key, ty, to, ops).map_err(|ty| NoDefault { label: label.to_owned(), ty })
    }

    fn note(&mut self, kind: NoteKind, value: Value<'_>) -> u32 {
        let Value { old, new, of, .. } = value;
        let note = Note { kind, label: value.label.to_owned(), old, new, of, aside: self.keeping };
        let known = self.notes.iter().position(|other| *other == note);
        known.unwrap_or_else(|| {
            self.notes.push(note);
            self.notes.len() - 1
        }) as u32
    }
}

fn label(value: Value<'_>, variant: Option<Name>, field: Name) -> String {
    match variant {
        Some(variant) => format!("{}.{variant}", value.new),
        None => format!("{}.{field}", value.new),
    }
}

/// The variant that values of another one get; one type's numbers tell.
pub(super) fn follow_variant<'a>(old: &KnownVariant, new: &'a KnownLayout, evolves: bool) -> Option<&'a KnownVariant> {
    let declared = || new.variants.iter().filter(|variant| variant.declared);
    if evolves {
        return declared().find(|variant| variant.discriminant == old.discriminant);
    }
    let was = |variant: &&KnownVariant| variant.lineage.was == old.name;
    declared().find(|variant| variant.name == old.name).or_else(|| declared().find(was))
}

/// The parked field that has come back as this one, where it lay if it can be.
pub(super) fn parked<'a>(old: &'a KnownVariant, field: &KnownField) -> Option<&'a KnownField> {
    let all: Vec<&KnownField> = old.parked.iter().collect();
    let fits = |other: &KnownField| other.ty == field.ty;
    let here = |other: &KnownField| fits(other) && (other.offset, other.size) == (field.offset, field.size);
    let find = |fits: &dyn Fn(&KnownField) -> bool| lineage::unparked(&all, &NewField::of(field), fits);
    find(&here).or_else(|| find(&fits))
}

/// Are values laid out otherwise? The order of declarations does not count.
fn differs(old: &KnownLayout, new: &KnownLayout) -> bool {
    let same_fields = |a: &[KnownField], b: &[KnownField]| a.len() == b.len() && a.iter().all(|one| b.contains(one));
    let same = |a: &KnownVariant, b: &KnownVariant| {
        let fields = same_fields(&a.fields, &b.fields) && !lineage::revives(a, b);
        a.discriminant == b.discriminant && a.declared == b.declared && fields
    };
    let same = |a: &KnownVariant, b: &KnownVariant| same(a, b) && a.parked.iter().all(|one| b.holds(one));
    let found = |a: &KnownVariant| new.variants.iter().any(|b| a.name == b.name && same(a, b));
    old.layout != new.layout || old.variants.len() != new.variants.len() || !old.variants.iter().all(found)
}
