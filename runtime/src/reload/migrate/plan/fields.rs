//! The fields of structs and variants: which go on, which are parked, and which come back.

use vaisjit_codegen::layout::lineage::{self, NewField};
use vaisjit_codegen::layout::{KnownField, KnownVariant};
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::{NoDefault, Planner, Steps, Value, label, parked};
use crate::heap::migrate::{BatchKey, Op, References, Refusal, Scalar, Test, Waits};
use crate::reload::migrate::defaults::DeclaredPart;
use crate::reload::migrate::known::Known;
use crate::reload::migrate::notes::NoteKind;

/// The fields of a struct or variant on their way.
pub(in crate::reload::migrate) struct Fields<'a> {
    pub(super) value: Value<'a>,
    pub(in crate::reload::migrate) variant: Option<Name>,
    pub(in crate::reload::migrate) old: &'a KnownVariant,
    pub(in crate::reload::migrate) new: &'a KnownVariant,
}

impl Fields<'_> {
    /// The type, if it is the same before and after.
    pub(in crate::reload::migrate) fn evolving(&self) -> Option<Ty> {
        (self.value.old == self.value.new).then_some(self.value.new)
    }

    /// What people call the value, and its types before and after.
    pub(in crate::reload::migrate) fn retyped(&self) -> (&str, Ty, Ty) {
        (self.value.label, self.value.old, self.value.new)
    }
}
impl Planner {
    pub(super) fn fields(&mut self, fields: &Fields<'_>, ops: &mut Vec<Op>) -> Steps {
        let Fields { value, variant, old, new } = *fields;
        let evolves = value.old == value.new;
        let sources = lineage::followed(old, new, evolves);
        self.remark(fields, &sources);
        let mut goes_on = vec![false; old.fields.len()];
        for (field, source) in new.fields.iter().zip(sources) {
            let label = label(value, variant, field.name);
            let back = evolves.then(|| parked(old, field)).flatten();
            match source.map(|source| (source, &old.fields[source])) {
                Some((source, before)) if self.converts_inline(before.ty, field.ty) || back.is_none() => {
                    goes_on[source] = true;
                    self.kept(fields, before, field, &label, ops)?;
                    let revived = evolves.then(|| lineage::revived(old, before, &NewField::of(field))).flatten();
                    let revived = revived.filter(|revived| self.keeps_shape(revived));
                    revived.into_iter().for_each(|parked| self.revive(fields, (before, parked), field, &label, ops));
                }
                now => match back {
                    Some(before) => {
                        let now = now.map(|(_, now)| now);
                        self.gives_way(fields, (before, now), field, &label, ops);
                        self.back(fields, (before, now), field, &label, ops)?;
                    }
                    None => self.starts(fields, field, &label, ops)?,
                },
            }
        }
        // What has made place for a parked value is gone, too.
        let gone = old.fields.iter().zip(goes_on).filter(|(_, goes_on)| !goes_on);
        gone.for_each(|(field, _)| self.removed(fields, field, ops));
        old.parked.iter().for_each(|field| self.still_parked(fields, field, ops));
        if self.running.is_some() {
            new.parked.iter().filter(|field| !old.holds(field)).for_each(|field| never_there(value, field, ops));
        }
        Ok(())
    }

    /// Has what waits in a parked field the shape that its type has in the new version?
    fn keeps_shape(&self, field: &KnownField) -> bool {
        self.old.then(field).lies_alike(&self.new, field.ty)
    }

    /// A field that goes on from none: a number that was parked under another type, or else the default.
    fn starts(&mut self, fields: &Fields<'_>, field: &KnownField, label: &str, ops: &mut Vec<Op>) -> Steps {
        let value = fields.value;
        let parked = fields.evolving().and_then(|_| lineage::retyped(fields.old, &NewField::of(field)));
        let Some(parked) = parked else {
            if let Some(mut steps) = self.back_retyped(fields, None, field, label)? {
                ops.append(&mut steps);
                return Ok(());
            }
            let key = (value.new, fields.variant, field.name);
            return self.default_of(key, field.ty, value.to + field.offset, label, ops);
        };
        let (from, to) = (value.from + parked.offset, value.to + field.offset);
        self.retyped(Value { old: parked.ty, new: field.ty, from, to, label, ..value }, ops)
    }

    /// A field that is now declared to have been one that is parked gets its value, but where there never was one.
    fn revive(
        &mut self,
        fields: &Fields<'_>,
        (own, parked): (&KnownField, &KnownField),
        field: &KnownField,
        label: &str,
        ops: &mut Vec<Op>,
    ) {
        let value = fields.value;
        let (at, to) = (value.from + parked.offset, value.to + field.offset);
        let references = self.references(parked.ty, true);
        let copy = Op::Copy { from: at, to, bytes: field.size };
        if references.is_empty() {
            let empty = parked.fill.0.clone().filter(|fill| fill.len() == parked.size as usize);
            let unless = empty.unwrap_or_else(|| vec![0; parked.size as usize].into());
            let step = match (Scalar::of(parked.ty), Scalar::of(field.ty)) {
                (Some(old), Some(new)) if parked.ty != field.ty => {
                    let types = Value { old: parked.ty, new: field.ty, label, ..value };
                    Op::Number { from: at, to, old, new, note: self.note(NoteKind::Saturated, types) }
                }
                _ => copy,
            };
            return ops.push(Op::If { at, is: Test::Other(unless), ops: vec![step] });
        }
        let batch = self.batch(fields, parked);
        self.forgotten.insert(batch);
        let unpark = Op::Unpark { from: at, to, references: references.clone(), batch, otherwise: Vec::new() };
        let release = Op::Release { from: value.from + own.offset, references: references.clone() };
        ops.push(Op::If { at, is: Test::Tickets(references, batch), ops: vec![release, copy, unpark] });
    }

    /// Does a value of one type become one of the other, in whatever way?
    fn converts_inline(&self, old: Ty, new: Ty) -> bool {
        let array = |ty: Ty| matches!(ty.kind(), TyKind::Array(..) | TyKind::Tuple(_));
        self.converts(old, new) || array(old) && array(new) || self.converts_option(old, new)
    }

    fn kept(
        &mut self,
        fields: &Fields<'_>,
        before: &KnownField,
        field: &KnownField,
        label: &str,
        ops: &mut Vec<Op>,
    ) -> Steps {
        let value = fields.value;
        let (from, to) = (value.from + before.offset, value.to + field.offset);
        let still = value.still && from == to;
        let (old, new) = (before.ty, field.ty);
        let start = ops.len();
        let declared = self.declarations.defaults.get(&(value.new, fields.variant, field.name)).cloned();
        let declared = declared.as_ref().map(|declared| DeclaredPart { declared, whole: new, from: 0 });
        self.value(Value { old, new, from, to, still, label, declared, of: None }, ops)?;
        // A value that became another's default may be parked, and so need not be given up.
        let is_parked = value.old == value.new && self.parked_as(fields, before).is_some();
        // As a whole: what is in its other parts may have gone into the new value.
        let whole = self.references(before.ty, false);
        let gives_up =
            |op: &Op| matches!(op, Op::Release { from: at, references } if *at == from && *references == whole);
        if !is_parked || !(whole.is_empty() || ops[start..].iter().any(gives_up)) {
            return Ok(());
        }
        let rest = ops.split_off(start);
        ops.extend(rest.into_iter().filter(|op| !gives_up(op)));
        carry(value, before, before.offset, ops);
        self.park(fields, (before.offset, before), ops);
        Ok(())
    }

    /// A value that is there, of a type that cannot be converted, gives way to one that has been waiting.
    fn gives_way(
        &mut self,
        fields: &Fields<'_>,
        (before, now): (&KnownField, Option<&KnownField>),
        field: &KnownField,
        label: &str,
        ops: &mut Vec<Op>,
    ) {
        let (Some(now), value) = (now, fields.value) else { return };
        let alike = self.alike_or_default(before.ty, now);
        let then = self.old.then(before);
        let references = References::of(&then.shape(before.ty), &|ty| then.shape(ty));
        let batch = self.batch(fields, before);
        let waiting = Waits { at: value.from + before.offset, bytes: before.size, references, batch, alike };
        let types = Value { old: now.ty, new: field.ty, label, of: None, ..value };
        let note = self.note(NoteKind::Back, types);
        ops.push(Op::GivesWay { from: value.from + now.offset, waiting: Box::new(waiting), note });
    }

    /// What a field starts with that comes back, in a value in which nothing has waited for it: what it is now, if that can be
    /// converted in part, and if the old value is left to be parked. Or else nothing.
    fn instead_of_parked(
        &mut self,
        fields: &Fields<'_>,
        now: &KnownField,
        field: &KnownField,
        label: &str,
    ) -> Option<Vec<Op>> {
        let (value, mut ops) = (fields.value, Vec::new());
        let (from, to) = (value.from + now.offset, value.to + field.offset);
        let declared = self.declarations.defaults.get(&(value.new, fields.variant, field.name)).cloned();
        let declared = declared.as_ref().map(|declared| DeclaredPart { declared, whole: field.ty, from: 0 });
        let types = Value { old: now.ty, new: field.ty, from, to, still: false, label, declared, of: None };
        self.value(types, &mut ops).ok()?;
        let whole = self.references(now.ty, false);
        let before = ops.len();
        ops.retain(|op| !matches!(op, Op::Release { references, .. } if *references == whole));
        (whole.is_empty() || ops.len() < before).then_some(ops)
    }

    /// A field that comes back: its value has been waiting.
    fn back(
        &mut self,
        fields: &Fields<'_>,
        (before, now): (&KnownField, Option<&KnownField>),
        field: &KnownField,
        label: &str,
        ops: &mut Vec<Op>,
    ) -> Steps {
        let value = fields.value;
        let (from, to) = (value.from + before.offset, value.to + field.offset);
        let then = self.old.then(before);
        let references = References::of(&then.shape(before.ty), &|ty| then.shape(ty));
        let mut otherwise = Vec::new();
        if !references.is_empty() {
            if let Some(steps) = now.and_then(|now| self.instead_of_parked(fields, now, field, label)) {
                otherwise = steps;
            } else if let Some(steps) = self.back_retyped(fields, Some(before), field, label)? {
                otherwise = steps;
            } else {
                otherwise = self.default_or_none(fields, field, label);
            }
            let batch = self.batch(fields, before);
            self.forgotten.insert(batch);
        }
        if !self.keeps_shape(before) {
            return self.reshape(fields, (before, then), field, label, (references, otherwise), ops);
        }
        carry(value, before, field.offset, ops);
        if !references.is_empty() {
            let batch = self.batch(fields, before);
            ops.push(Op::Unpark { from, to, references, batch, otherwise });
        }
        Ok(())
    }

    /// What a field starts with that comes back and went away under another type, which its value had got in between.
    fn back_retyped(
        &mut self,
        fields: &Fields<'_>,
        but: Option<&KnownField>,
        field: &KnownField,
        label: &str,
    ) -> Result<Option<Vec<Op>>, NoDefault> {
        if fields.evolving().is_none() {
            return Ok(None);
        }
        let others = fields.old.parked.iter().filter(|parked| but.is_none_or(|but| !std::ptr::eq(*parked, but)));
        let others: Vec<&KnownField> = others.filter(|parked| parked.ty != field.ty).collect();
        let converts = |parked: &KnownField| self.converts_inline(parked.ty, field.ty);
        let Some(before) = lineage::unparked(&others, &NewField::of(field), &converts) else { return Ok(None) };
        let then = self.old.then(before);
        let references = References::of(&then.shape(before.ty), &|ty| then.shape(ty));
        let (mut otherwise, mut ops) = (Vec::new(), Vec::new());
        if !references.is_empty() {
            otherwise = self.default_or_none(fields, field, label);
            let batch = self.batch(fields, before);
            self.forgotten.insert(batch);
        }
        self.reshape(fields, (before, then), field, label, (references, otherwise), &mut ops)?;
        Ok(Some(ops))
    }

    /// The default of a field; if it has none, there must be no value that would have to start with it.
    fn default_or_none(&mut self, fields: &Fields<'_>, field: &KnownField, label: &str) -> Vec<Op> {
        let (value, mut ops) = (fields.value, Vec::new());
        let key = (value.new, fields.variant, field.name);
        match self.default_of(key, field.ty, value.to + field.offset, label, &mut ops) {
            Ok(()) => ops,
            Err(missing) => vec![self.lacks(missing, Refusal::Lacks)],
        }
    }

    /// There must be no value that would have to start with a default, of a type that has none.
    pub(super) fn lacks(&mut self, field: NoDefault, why: fn(u32) -> Refusal) -> Op {
        self.lacking.push(field);
        Op::Refuse { why: why(self.lacking.len() as u32 - 1), waiting: Vec::new() }
    }

    /// The same, of a type that has changed since.
    fn reshape(
        &mut self,
        fields: &Fields<'_>,
        (before, then): (&KnownField, Known),
        field: &KnownField,
        label: &str,
        (references, otherwise): (References, Vec<Op>),
        ops: &mut Vec<Op>,
    ) -> Steps {
        let (from, to) = (fields.value.from + before.offset, fields.value.to + field.offset);
        let (bytes, size) = (before.size, field.size);
        let value =
            Value { old: before.ty, new: field.ty, from: 0, to: 0, still: false, label, declared: None, of: None };
        let mut steps = Vec::new();
        self.since(then, |planner| planner.value(value, &mut steps))?;
        let batch = self.batch(fields, before);
        ops.push(Op::Reshape { from, bytes, to, size, references, batch, ops: steps, otherwise });
        Ok(())
    }

    /// The parked field that a field of the old value becomes, if what it holds can wait there as it is.
    fn parked_as<'a>(&self, fields: &Fields<'a>, field: &KnownField) -> Option<&'a KnownField> {
        let parked = fields.new.parked.iter().find(|other| *other == field)?;
        self.old.then(field).lies_alike(&self.new.then(parked), field.ty).then_some(parked)
    }

    fn removed(&mut self, fields: &Fields<'_>, field: &KnownField, ops: &mut Vec<Op>) {
        let value = fields.value;
        match self.parked_as(fields, field).filter(|_| value.old == value.new) {
            Some(parked) => {
                carry(value, field, parked.offset, ops);
                self.park(fields, (field.offset, parked), ops);
            }
            None => {
                self.remark_lost(fields, field);
                self.give_up(field.ty, value.from + field.offset, ops);
            }
        }
    }

    /// References of what was a field in the old value, at an offset, go to the attic.
    fn park(&mut self, fields: &Fields<'_>, (from, field): (u32, &KnownField), ops: &mut Vec<Op>) {
        let references = self.references(field.ty, false);
        if !references.is_empty() {
            let batch = self.batch(fields, field);
            let (from, at) = (fields.value.from + from, fields.value.to + field.offset);
            ops.push(Op::Park { from, at, references, batch });
        }
    }

    /// A field that was parked before: it stays so, has come back, or its bytes belong to another one.
    fn still_parked(&mut self, fields: &Fields<'_>, field: &KnownField, ops: &mut Vec<Op>) {
        let value = fields.value;
        if value.old != value.new {
            return;
        }
        // There may be an older one of the same name and type.
        match self.parked_as(fields, field) {
            Some(parked) => carry(value, field, parked.offset, ops),
            None => {
                let batch = self.batch(fields, field);
                self.forgotten.insert(batch);
                self.remark_forgotten(fields, field);
            }
        }
    }

    fn batch(&mut self, fields: &Fields<'_>, field: &KnownField) -> u32 {
        // Variants may be renamed, but keep their numbers.
        let variant = fields.variant.map(|_| Name::new(&fields.old.discriminant.to_string()));
        let key: BatchKey = (fields.value.new, variant, field.name, field.ty);
        let known = self.batches.iter().position(|other| *other == key);
        known.unwrap_or_else(|| {
            self.batches.push(key);
            self.batches.len() - 1
        }) as u32
    }
}

/// What fills a parked field of a value that comes from before there was one.
fn never_there(value: Value<'_>, field: &KnownField, ops: &mut Vec<Op>) {
    if let Some(bytes) = field.fill.0.clone().filter(|bytes| bytes.len() == field.size as usize) {
        ops.push(Op::Fill { to: value.to + field.offset, bytes });
    }
}

/// Brings the bytes of a field to an offset in the new value, unless they lie there.
fn carry(value: Value<'_>, field: &KnownField, offset: u32, ops: &mut Vec<Op>) {
    let (from, to) = (value.from + field.offset, value.to + offset);
    if !(value.still && from == to) && field.size > 0 {
        ops.push(Op::Copy { from, to, bytes: field.size });
    }
}
