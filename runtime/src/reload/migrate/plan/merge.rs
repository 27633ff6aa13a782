//! A value that comes over one of its new type that was kept aside: what it carries takes its place there, all else stays.

use vaisjit_codegen::layout::lineage;
use vaisjit_semantics::{Ty, TyKind};

use super::{NoDefault, Planner, Steps, Value};
use crate::heap::migrate::{Arm, Conversion, Op, Scalar};
use crate::reload::migrate::containers::container;
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
        !self.loses((old, new), &mut Loss { inside: false, numbers: true, open: Vec::new() })
    }

    /// Do elements and payloads lose more than digits when a value becomes one of another type? That comes back only if
    /// nothing of it has changed meanwhile.
    pub(in crate::reload::migrate) fn loses_inside(&self, old: Ty, new: Ty) -> bool {
        self.loses((old, new), &mut Loss { inside: true, numbers: false, open: Vec::new() })
    }

    fn loses(&self, (old, new): (Ty, Ty), loss: &mut Loss) -> bool {
        let fixed = !loss.inside;
        match (old.kind(), new.kind()) {
            _ if old == new || same_word(old, new) => false,
            (TyKind::Struct(..), TyKind::Struct(..)) => {
                // Of a type inside itself it is found out already.
                let is_open = loss.open.contains(&(old, new));
                loss.open.push((old, new));
                !is_open && self.loses_fields((old, new), loss)
            }
            (TyKind::Tuple(a), TyKind::Tuple(b)) => {
                let parts: Vec<(Ty, Ty)> = a.iter().copied().zip(b.iter().copied()).collect();
                fixed && parts.len() < a.iter().count() || parts.into_iter().any(|part| self.loses(part, loss))
            }
            (TyKind::Array(a, n), TyKind::Array(b, m)) => fixed && n > m || self.loses((*a, *b), loss),
            (TyKind::Enum(a, of), TyKind::Enum(b, into)) if a == b => {
                let parts: Vec<(Ty, Ty)> = of.iter().copied().zip(into.iter().copied()).collect();
                self.loses_held((old, new), parts, loss)
            }
            _ => self.loses_converted((old, new), loss),
        }
    }

    fn loses_fields(&self, (old, new): (Ty, Ty), loss: &mut Loss) -> bool {
        let known = self.old.get(old).zip(self.new.get(new));
        let Some((before, after)) = known.and_then(|(a, b)| a.variants.first().zip(b.variants.first())) else {
            return false;
        };
        let sources = lineage::followed(before, after, false);
        let all = (0..before.fields.len()).all(|index| sources.contains(&Some(index)));
        let pairs = after.fields.iter().zip(sources);
        let pairs = pairs.filter_map(|(field, source)| Some((before.fields[source?].ty, field.ty)));
        !loss.inside && !all || pairs.collect::<Vec<_>>().into_iter().any(|part| self.loses(part, loss))
    }

    /// Numbers, containers, options: of what they hold everything counts.
    fn loses_converted(&self, (old, new): (Ty, Ty), loss: &mut Loss) -> bool {
        if let (Some(old), Some(new)) = (Scalar::of(old), Scalar::of(new)) {
            return !loss.inside && loss.numbers && !old.fits_into(new);
        }
        if let (Some((_, of)), Some((_, into))) = (container(old), container(new)) {
            return self.loses_held((old, new), of.into_iter().zip(into).collect(), loss);
        }
        match (option_of(&self.old, old), option_of(&self.new, new)) {
            (None, Some((_, inner))) => self.loses_held((old, new), vec![(old, inner.ty)], loss),
            // `None` does not come back of itself.
            (Some((_, inner)), None) => !loss.inside || self.loses_held((old, new), vec![(inner.ty, new)], loss),
            _ => !loss.inside && !self.converts(old, new),
        }
    }

    fn loses_held(&self, (old, new): (Ty, Ty), parts: Vec<(Ty, Ty)>, loss: &mut Loss) -> bool {
        if !self.converts(old, new) {
            return !loss.inside;
        }
        let inside = std::mem::replace(&mut loss.inside, false);
        let found = parts.into_iter().any(|part| self.loses(part, loss));
        loss.inside = inside;
        found
    }
}

/// A look for what is lost.
struct Loss {
    /// Does only count what elements and payloads lose?
    inside: bool,
    /// Do numbers count?
    numbers: bool,
    /// The structs that are being looked at.
    open: Vec<(Ty, Ty)>,
}
