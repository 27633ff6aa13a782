//! Values that go into a `Box` or come out of one, and what a container does with elements that cannot be converted.

use vaisjit_codegen::layout::Layout;
use vaisjit_semantics::{Ty, TyKind};

use super::defaults::{Defaults, Wanted, queue};
use super::own::{pure, split};
use super::plan::{NoDefault, Planner};
use crate::heap::migrate::{Container, Element, Op, Rebuild};

/// The type of what is in a `Box`.
pub(super) fn boxed(ty: Ty) -> Option<Ty> {
    if let TyKind::Box(of) = *ty.kind() { Some(of) } else { None }
}

impl Planner {
    /// Does a value go into a `Box`, or come out of one?
    pub(super) fn converts_box(&self, old: Ty, new: Ty) -> bool {
        match (boxed(old), boxed(new)) {
            (None, Some(inner)) => self.converts(old, inner),
            (Some(inner), None) => self.converts(inner, new),
            _ => false,
        }
    }

    /// Does a value of one type become one of the other, perhaps with defaults for elements of it that cannot?
    pub(super) fn carries(&self, old: Ty, new: Ty) -> bool {
        let element = |old: Ty, new: Ty| self.carries(old, new) || self.has_default(new);
        self.converts(old, new)
            || match (old.kind(), new.kind()) {
                (TyKind::Vec(a), TyKind::Vec(b)) => element(*a, *b),
                (TyKind::HashMap(key, a), TyKind::HashMap(other, b)) => self.converts(*key, *other) && element(*a, *b),
                _ => false,
            }
    }

    /// Has a type a value that a field can start with?
    fn has_default(&self, ty: Ty) -> bool {
        let (mut queues, mut ops) = (Vec::new(), Vec::new());
        let mut defaults = Defaults { new: &self.new, declarations: &self.declarations, queues: &mut queues };
        defaults.value(ty, 0, &mut ops).is_ok()
    }

    /// The steps of a value that goes into a `Box`, or comes out of one; none if it does not.
    pub(super) fn box_steps(
        &mut self,
        (old, new): (Ty, Ty),
        places: (u32, u32),
        label: &str,
    ) -> Result<Option<Vec<Op>>, NoDefault> {
        if !self.converts_box(old, new) {
            return Ok(None);
        }
        match boxed(new) {
            Some(inner) => self.wrap((old, inner, new), places, label).map(Some),
            None => self.unwrap((old, new), places, label).map(Some),
        }
    }

    fn wrap(
        &mut self,
        (old, inner, new): (Ty, Ty, Ty),
        (from, to): (u32, u32),
        label: &str,
    ) -> Result<Vec<Op>, NoDefault> {
        let mut ops = self.steps_from(old, inner, from, label)?;
        let queue = queue(&mut self.queues, Wanted::Empty(new));
        let references = self.references_after(inner);
        // What is only given up stays a step of the whole value.
        let (mut steps, rest): (Vec<Op>, Vec<Op>) = ops.drain(..).partition(|op| matches!(op, Op::Release { .. }));
        steps.push(Op::Wrap { to, queue, copies: false, ops: rest, prepared: Vec::new(), references });
        Ok(steps)
    }

    /// The `Box` is made anew like any other container, for others may hold it, and what is in the new one is taken out.
    fn unwrap(&mut self, (old, new): (Ty, Ty), (from, to): (u32, u32), label: &str) -> Result<Vec<Op>, NoDefault> {
        let Some(inner) = boxed(old) else { return Ok(Vec::new()) };
        let types = (old, Ty::new(TyKind::Box(new)));
        let rebuild = match self.rebuilds.iter().position(|known| known.types == types) {
            Some(known) => known,
            None => self.in_running(|planner| planner.unboxed(types, (inner, new), label))?,
        };
        let release = Op::Release { from, references: self.references_before(old) };
        let (bytes, references) = (self.new.layout(new).size, self.references_after(new));
        Ok(vec![release, Op::Unwrap { from, to, bytes, rebuild: rebuild as u32, references }])
    }
    /// How the `Box` is made anew; by number.
    fn unboxed(&mut self, types: (Ty, Ty), (inner, new): (Ty, Ty), label: &str) -> Result<usize, NoDefault> {
        let size = |layout: Layout| layout.size as usize;
        let strides = (size(self.old.layout(inner)), size(self.new.layout(new)));
        let (number, elements) = (self.rebuilds.len(), Vec::new());
        self.rebuilds.push(Rebuild { types, container: Container::Box, record: None, elements, strides });
        let ops = pure(self.copy_steps(inner, new, label)?);
        let references = self.references_after(new);
        let (prepared, ops) = (split(&ops, true), split(&ops, false));
        self.rebuilds[number].elements.push(Element { ops, prepared, references, offsets: (0, 0) });
        Ok(number)
    }
}
