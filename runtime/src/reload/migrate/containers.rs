//! `Vec`, `HashMap` and `Box` whose elements get another type.

use vaisjit_semantics::{Ty, TyKind};

use super::known::{Known, option_of, same_word};
use super::own::{pure, split};
use super::plan::{NoDefault, Planner};
use crate::heap::EntryPlaces;
use crate::heap::migrate::{Container, Element, Op, Rebuild, Scalar};

/// A container: what it is, and the types of what is in it.
pub(super) fn container(ty: Ty) -> Option<(Container, Vec<Ty>)> {
    match *ty.kind() {
        TyKind::Vec(of) => Some((Container::Vec, vec![of])),
        TyKind::Box(of) => Some((Container::Box, vec![of])),
        TyKind::HashMap(key, value) => Some((Container::Map, vec![key, value])),
        _ => None,
    }
}

impl Planner {
    /// Do values of one type become values of the other, and not just its default?
    pub(super) fn converts(&self, old: Ty, new: Ty) -> bool {
        let all = |a: &[Ty], b: &[Ty]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.converts(*a, *b));
        if old == new || same_word(old, new) || Scalar::of(old).is_some() && Scalar::of(new).is_some() {
            return true;
        }
        match (old.kind(), new.kind()) {
            (TyKind::Struct(..), TyKind::Struct(..)) => true,
            (TyKind::Tuple(a), TyKind::Tuple(b)) => {
                a.iter().zip(b.iter()).all(|(a, b)| self.converts(*a, *b)) && !a.is_empty()
            }
            (TyKind::Array(a, _), TyKind::Array(b, _)) => self.converts(*a, *b),
            (TyKind::Enum(a, of), TyKind::Enum(b, into)) if a == b => {
                let (of, into): (Vec<Ty>, Vec<Ty>) = (of.iter().copied().collect(), into.iter().copied().collect());
                all(&of, &into)
            }
            _ => match (container(old), container(new)) {
                (Some((a, of)), Some((b, into))) if a == b => all(&of, &into),
                _ => self.converts_option(old, new) || self.converts_box(old, new),
            },
        }
    }

    /// Do the payloads of an enum with other type arguments come over, perhaps with defaults inside?
    pub(super) fn payloads_carry(&self, old: Ty, new: Ty) -> bool {
        let (TyKind::Enum(_, of), TyKind::Enum(_, into)) = (old.kind(), new.kind()) else { return false };
        of.len() == into.len() && of.iter().zip(into.iter()).all(|(old, new)| self.carries(*old, *new))
    }

    /// Into an `Option` and out of it.
    pub(super) fn converts_option(&self, old: Ty, new: Ty) -> bool {
        option_of(&self.new, new).is_some_and(|(_, inner)| self.converts(old, inner.ty))
            || option_of(&self.old, old).is_some_and(|(_, inner)| self.converts(inner.ty, new))
    }

    /// The step that makes a container of another type anew, if the types are such.
    pub(super) fn rebuild(
        &mut self,
        (old, new): (Ty, Ty),
        (from, to): (u32, u32),
        label: &str,
    ) -> Result<Option<Op>, NoDefault> {
        let (Some((kind, before)), Some((other, after))) = (container(old), container(new)) else { return Ok(None) };
        if kind != other || !self.carries(old, new) {
            return Ok(None);
        }
        self.place_of((old, new), label);
        if let Some(known) = self.rebuilds.iter().position(|known| known.types == (old, new)) {
            return Ok(Some(Op::Rebuild { from, to, rebuild: known as u32 }));
        }
        let rebuild = self.in_running(|planner| planner.rebuilt((old, new), (kind, &before, &after), label))?;
        Ok(Some(Op::Rebuild { from, to, rebuild }))
    }

    /// How the container is made anew; by number.
    fn rebuilt(
        &mut self,
        types: (Ty, Ty),
        (container, before, after): (Container, &[Ty], &[Ty]),
        label: &str,
    ) -> Result<u32, NoDefault> {
        let (places, strides) = rows((&self.old, &self.new), container, (before, after));
        let (number, elements) = (self.rebuilds.len(), Vec::new());
        self.rebuilds.push(Rebuild { types, container, record: None, elements, strides });
        for ((a, b), offsets) in before.iter().zip(after).zip(places) {
            let ops = pure(self.element_steps((*a, *b), types, label)?);
            let references = self.references_after(*b);
            let element = Element { prepared: split(&ops, true), ops: split(&ops, false), references, offsets };
            self.rebuilds[number].elements.push(element);
        }
        Ok(number as u32)
    }
}

/// Where elements lie in a row, and the bytes from one row to the next, before and after.
type Rows = (Vec<(usize, usize)>, (usize, usize));

fn rows((old, new): (&Known, &Known), kind: Container, (before, after): (&[Ty], &[Ty])) -> Rows {
    match (kind, before, after) {
        (Container::Map, [k, v], [key, value]) => {
            let a = EntryPlaces::of(old.layout(*k), old.layout(*v));
            let b = EntryPlaces::of(new.layout(*key), new.layout(*value));
            (vec![(a.key_offset, b.key_offset), (a.value_offset, b.value_offset)], (a.stride, b.stride))
        }
        _ => {
            let size = |known: &Known, types: &[Ty]| types.first().map_or(0, |ty| known.layout(*ty).size as usize);
            (vec![(0, 0)], (size(old, before), size(new, after)))
        }
    }
}
