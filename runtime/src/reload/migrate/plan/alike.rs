//! What has to agree in two values of which one was made of the other.

use std::sync::Arc;

use vaisjit_codegen::layout::lineage;
use vaisjit_codegen::layout::{KnownField, KnownVariant};
use vaisjit_semantics::{Ty, TyKind};

use super::{Planner, follow_variant};
use crate::heap::migrate::{Alike, Scalar};
use crate::reload::migrate::containers::container;
use crate::reload::migrate::known::{option_of, same_word};

/// Where the two lie.
type Places = (u32, u32);

/// Containers in containers; more are not looked into.
const DEEPEST: usize = 4;

/// Containers that may still be looked into, and the parts that have been found.
type Parts<'a> = (usize, &'a mut Vec<Alike>);

impl Planner {
    /// Of values of two types of the running version. What is in only one of them does not count.
    pub(in crate::reload::migrate) fn alike(&self, first: Ty, second: Ty) -> Vec<Alike> {
        self.alike_within((first, second), DEEPEST)
    }

    /// The same of a value and what a field has, where what cannot be converted has taken its default.
    pub(super) fn alike_or_default(&self, first: Ty, now: &KnownField) -> Vec<Alike> {
        let second = now.ty;
        if !self.carries(first, second) {
            return vec![self.is_default(now)];
        }
        let mut alike = self.alike(first, second);
        if let ([Alike::Held { parts, .. }], Some((_, of)), Some((_, into))) =
            (&mut alike[..], container(first), container(second))
        {
            for (parts, (a, b)) in parts.iter_mut().zip(of.into_iter().zip(into)) {
                let is_zero = Scalar::of(b).is_some() || *b.kind() == TyKind::Str;
                if is_zero && !self.converts(a, b) {
                    parts.push(Alike::Zero { at: 0, bytes: self.old.layout(b).size });
                }
            }
        }
        alike
    }

    /// Has a field its default? Of those that are no constants nobody can tell.
    fn is_default(&self, now: &KnownField) -> Alike {
        let fill = now.fill.0.clone().filter(|fill| fill.len() == now.size as usize);
        let variants = self.old.get(now.ty).filter(|_| matches!(now.ty.kind(), TyKind::Enum(..)));
        let mut declared = variants.into_iter().flat_map(|known| &known.variants).filter(|variant| variant.declared);
        match (fill, declared.find(|variant| variant.fields.is_empty())) {
            (Some(bytes), _) => Alike::Bytes { at: 0, bytes },
            (None, Some(empty)) => Alike::Bytes { at: 0, bytes: Arc::from(empty.discriminant.to_le_bytes()) },
            (None, None) if container(now.ty).is_some() => Alike::Held { at: (0, 0), parts: Vec::new() },
            (None, None) => Alike::Zero { at: 0, bytes: now.size },
        }
    }

    fn alike_within(&self, types: (Ty, Ty), depth: usize) -> Vec<Alike> {
        let mut parts = Vec::new();
        match depth {
            0 => parts.push(Alike::Unknown),
            _ => self.alike_at(types, (0, 0), (depth, &mut parts)),
        }
        parts
    }

    fn alike_at(&self, (first, second): (Ty, Ty), at: Places, (depth, out): Parts<'_>) {
        match (first.kind(), second.kind()) {
            (TyKind::Struct(..), TyKind::Struct(..)) => {
                let known = self.old.get(first).zip(self.old.get(second));
                let known = known.and_then(|(a, b)| a.variants.first().zip(b.variants.first()));
                match known {
                    Some(both) => self.alike_fields(both, first == second, at, (depth, out)),
                    None => out.push(Alike::Unknown),
                }
            }
            (TyKind::Enum(a, _), TyKind::Enum(b, _)) if a == b => out.push(self.alike_enum((first, second), at, depth)),
            (TyKind::Tuple(a), TyKind::Tuple(b)) => {
                let (of, into) = (self.old.tuple(a.iter().copied()).1, self.old.tuple(b.iter().copied()).1);
                for (index, types) in a.iter().copied().zip(b.iter().copied()).enumerate() {
                    self.alike_at(types, (at.0 + of[index], at.1 + into[index]), (depth, out));
                }
            }
            (TyKind::Array(a, n), TyKind::Array(b, m)) => {
                let strides = (self.old.layout(*a).size, self.old.layout(*b).size);
                let mut parts = Vec::new();
                self.alike_at((*a, *b), (0, 0), (depth, &mut parts));
                out.push(Alike::Repeat { at, strides, count: (*n).min(*m) as u32, parts });
            }
            _ if first == second || same_word(first, second) => {
                out.push(Alike::Same { at, bytes: self.old.layout(first).size });
            }
            _ => self.alike_converted((first, second), at, (depth, out)),
        }
    }

    fn alike_fields(&self, (a, b): (&KnownVariant, &KnownVariant), same: bool, at: Places, (depth, out): Parts<'_>) {
        for (field, source) in b.fields.iter().zip(lineage::followed(a, b, same)) {
            if let Some(source) = source.map(|source| &a.fields[source]) {
                self.alike_at((source.ty, field.ty), (at.0 + source.offset, at.1 + field.offset), (depth, out));
            }
        }
    }

    fn alike_enum(&self, (first, second): (Ty, Ty), at: Places, depth: usize) -> Alike {
        let (Some(a), Some(b)) = (self.old.get(first), self.old.get(second)) else { return Alike::Unknown };
        let arm = |before: &KnownVariant| {
            let after = follow_variant(before, b, first == second)?;
            let mut parts = Vec::new();
            self.alike_fields((before, after), first == second, at, (depth, &mut parts));
            Some((before.discriminant, after.discriminant, parts))
        };
        let arms = a.variants.iter().filter(|variant| variant.declared).filter_map(arm).collect();
        Alike::Choice { at: (Some(at.0), Some(at.1)), arms }
    }

    /// Numbers, containers and options of other types. What there is no way for says nothing.
    fn alike_converted(&self, (first, second): (Ty, Ty), at: Places, (depth, out): Parts<'_>) {
        if let (Some(a), Some(b)) = (Scalar::of(first), Scalar::of(second)) {
            return out.push(Alike::Number { at, kinds: (a, b) });
        }
        if let (Some((kind, of)), Some((other, into))) = (container(first), container(second))
            && kind == other
            && self.carries(first, second)
        {
            let part = |(a, b): (&Ty, &Ty)| self.alike_within((*a, *b), depth - 1);
            return out.push(Alike::Held { at, parts: of.iter().zip(&into).map(part).collect() });
        }
        if let Some((some, inner)) = option_of(&self.old, second).filter(|(_, inner)| self.converts(first, inner.ty)) {
            let mut parts = Vec::new();
            self.alike_at((first, inner.ty), (at.0, at.1 + inner.offset), (depth, &mut parts));
            return out.push(Alike::Choice { at: (None, Some(at.1)), arms: vec![(0, some, parts)] });
        }
        if let Some((some, inner)) = option_of(&self.old, first).filter(|(_, inner)| self.converts(inner.ty, second)) {
            let mut parts = Vec::new();
            self.alike_at((inner.ty, second), (at.0 + inner.offset, at.1), (depth, &mut parts));
            let mut arms = vec![(some, 0, parts)];
            let zero = || vec![Alike::Zero { at: at.1, bytes: self.old.layout(second).size }];
            arms.extend(self.others(first, some).into_iter().map(|none| (none, 0, zero())));
            return out.push(Alike::Choice { at: (Some(at.0), None), arms });
        }
        if self.converts(first, second) {
            out.push(Alike::Unknown);
        }
    }
}
