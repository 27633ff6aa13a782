//! A value that comes over one of its new type that was kept aside: what it carries takes its place there, all else stays.

use vaisjit_codegen::layout::lineage;
use vaisjit_semantics::{Ty, TyKind};

use super::{NoDefault, Planner, Steps, Value};
use crate::heap::migrate::{Arm, Conversion, Op, Scalar};
use crate::reload::migrate::known::{option_of, same_word};
use crate::reload::migrate::notes::NoteKind;

impl Planner {
    /// The conversions of a variable whose value comes over one that was kept aside: of where it lies, which does nothing but
    /// tell whether the value moves, and of the value.
    pub(in crate::reload::migrate) fn merge(
        &mut self,
        (old, new): (Ty, Ty),
        label: &str,
    ) -> Result<(usize, usize), NoDefault> {
        let mut ops = Vec::new();
        self.merging = true;
        let value = Value { old, new, from: 0, to: 0, still: false, label, declared: None, of: None };
        let made = self.value(value, &mut ops);
        self.merging = false;
        made?;
        let stays = self.stays(old, new);
        let over = self.push((old, new), false, ops);
        let Conversion { from_size, to_size, .. } = self.conversions[over];
        let shifts = stays && self.conversions[over].ops.iter().any(super::shifts);
        let place = self.identity(from_size);
        let types = (old, new);
        let known = &mut self.conversions[place];
        (known.types, known.to_size, known.in_place, known.shifts) = (types, to_size, stays, shifts);
        Ok((place, over))
    }

    /// The steps of a part of such a value.
    pub(super) fn merged(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Steps {
        let Value { old, new, from, to, .. } = value;
        match (old.kind(), new.kind()) {
            _ if old == new || same_word(old, new) => self.carried(value, ops),
            (TyKind::Struct(..), TyKind::Struct(..)) => self.record(value, ops),
            (TyKind::Tuple(a), TyKind::Tuple(b)) => {
                let (a, b): (Vec<Ty>, Vec<Ty>) = (a.iter().copied().collect(), b.iter().copied().collect());
                self.tuple(value, &a, &b, ops)
            }
            (TyKind::Array(a, n), TyKind::Array(b, m)) => self.array(value, (*a, *n), (*b, *m), ops),
            _ => {
                if let (Some(old), Some(new)) = (Scalar::of(old), Scalar::of(new)) {
                    let note = self.note(NoteKind::Saturated, value);
                    ops.push(Op::Changed { from, to, old, new, note });
                    return Ok(());
                }
                if option_of(&self.old, old).is_some() && option_of(&self.new, new).is_none() {
                    return self.taken_out(value, ops);
                }
                if self.converts(old, new) {
                    return self.carried(value, ops);
                }
                self.give_up(old, from, ops);
                Ok(())
            }
        }
    }

    /// What is in an `Option`; without it the value that was kept aside stays.
    fn taken_out(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Steps {
        let Some((some, inner)) = option_of(&self.old, value.old) else { return Ok(()) };
        let mut with = Vec::new();
        let from = value.from + inner.offset;
        self.merged(Value { old: inner.ty, from, ..value }, &mut with)?;
        ops.push(Op::Match { from: value.from, arms: vec![Arm { discriminant: some, ops: with }] });
        Ok(())
    }

    /// A part that takes the place of the one that was kept aside.
    fn carried(&mut self, value: Value<'_>, ops: &mut Vec<Op>) -> Steps {
        let references = self.references_after(value.new);
        if !references.is_empty() {
            ops.push(Op::Drop { to: value.to, references });
        }
        self.merging = false;
        let made = self.value(value, ops);
        self.merging = true;
        made
    }

    /// Is a value of a type all there again that becomes one of another type, and then of its own again?
    pub(in crate::reload::migrate) fn returns(&self, old: Ty, new: Ty) -> bool {
        let part = |(old, new): (Ty, Ty)| self.returns(old, new);
        match (old.kind(), new.kind()) {
            _ if old == new => true,
            (TyKind::Struct(..), TyKind::Struct(..)) => {
                let (Some(known), Some(after)) = (self.old.get(old), self.new.get(new)) else { return true };
                let (Some(before), Some(after)) = (known.variants.first(), after.variants.first()) else { return true };
                let sources = lineage::followed(before, after, false);
                let goes_on = |(index, field): (usize, &super::KnownField)| {
                    let place = sources.iter().position(|source| *source == Some(index));
                    place.is_some_and(|place| part((field.ty, after.fields[place].ty)))
                };
                before.fields.iter().enumerate().all(goes_on)
            }
            (TyKind::Tuple(a), TyKind::Tuple(b)) => {
                let (a, b): (Vec<Ty>, Vec<Ty>) = (a.iter().copied().collect(), b.iter().copied().collect());
                a.len() <= b.len() && a.into_iter().zip(b).all(part)
            }
            (TyKind::Array(a, n), TyKind::Array(b, m)) => n <= m && part((*a, *b)),
            _ => match (Scalar::of(old), Scalar::of(new)) {
                (Some(old), Some(new)) => old.fits_into(new),
                _ => self.converts(old, new),
            },
        }
    }
}
