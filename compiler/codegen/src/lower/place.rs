//! Places: locals, globals, what pointers point at, fields and elements.

use vaisjit_semantics::hir::{Expr, ExprKind};
use vaisjit_semantics::{Ty, TyKind};

use super::{Lowerer, Result, scan};
use crate::mir::visit::address_locals_mut;
use crate::mir::{Operand, Place, PlaceBase, Projection, StatementKind};

impl<'a> Lowerer<'a> {
    /// The place of an expression; a value made on the spot gets a temporary.
    pub(super) fn place(&mut self, expr: &'a Expr) -> Result<Place> {
        let outer = std::mem::replace(&mut self.b.span, expr.span);
        let place = self.place_kind(expr);
        self.b.span = outer;
        place
    }

    fn place_kind(&mut self, expr: &'a Expr) -> Result<Place> {
        match &*expr.kind {
            ExprKind::Local(local) => Ok(self.local_place(*local)),
            ExprKind::Global(path) => Ok(Place::global(*path, expr.ty)),
            ExprKind::Deref(pointer) => {
                let pointer = self.operand(pointer)?;
                let local = self.b.scalar_local(pointer);
                Ok(Place::deref(local, expr.ty))
            }
            ExprKind::Field(base, field) => {
                let base = self.place(base)?;
                Ok(base.project(Projection::Field(*field), expr.ty))
            }
            ExprKind::Index(base, index) => self.element(base, index, expr.ty),
            _ => self.owned_temp(expr),
        }
    }

    fn element(&mut self, base: &'a Expr, index: &'a Expr, ty: Ty) -> Result<Place> {
        match *base.ty.kind() {
            TyKind::Array(_, length) => {
                let place = self.place(base)?;
                let place = if scan::pure(index) { place } else { self.stable_place(place) };
                self.array_element(place, index, length, ty)
            }
            TyKind::Slice(_) => {
                let place = self.place(base)?;
                let place = if scan::pure(index) { place } else { self.stable_place(place) };
                let pointer = Operand::Copy(self.field(&place, 0));
                let pointer = self.b.stable(pointer);
                let pointer = self.b.scalar_local(pointer);
                let length = Operand::Copy(self.field(&place, 1));
                let length = if scan::pure(index) { length } else { self.b.stable(length) };
                let index = self.operand(index)?;
                self.b.push(StatementKind::CheckIndex { index: index.clone(), length });
                Ok(self.behind(pointer, index, ty))
            }
            TyKind::Pointer(_) | TyKind::Reference(_) => {
                let pointer = self.operand(base)?;
                let pointer = if scan::pure(index) { pointer } else { self.b.stable(pointer) };
                let pointer = self.b.scalar_local(pointer);
                let index = self.operand(index)?;
                Ok(self.behind(pointer, index, ty))
            }
            TyKind::Vec(_) => {
                let vec = if scan::pure(index) { self.operand(base)? } else { self.held_operand(base)? };
                let index = self.operand(index)?;
                Ok(self.checked_element(vec, index, ty))
            }
            _ => self.unsupported(format!("an element of `{}`", base.ty)),
        }
    }

    fn array_element(&mut self, place: Place, index: &'a Expr, length: u64, ty: Ty) -> Result<Place> {
        let known = self.known_range(index);
        let index = self.operand(index)?;
        if let Some(value) = index.as_int()
            && let Ok(value) = u64::try_from(value)
            && value < length
        {
            return Ok(place.project(Projection::ConstIndex(value), ty));
        }
        let fits = known.is_some_and(|(first, last)| first >= 0 && last < i128::from(length));
        if !fits {
            let length = Operand::int(length as i64);
            self.b.push(StatementKind::CheckIndex { index: index.clone(), length });
        }
        let index = self.b.scalar_local(index);
        Ok(place.project(Projection::Index(index), ty))
    }

    /// The element of a type behind a pointer.
    pub(super) fn behind(&mut self, pointer: crate::mir::Local, index: Operand, ty: Ty) -> Place {
        let elements = Ty::new(TyKind::Array(ty, 0));
        let step = match index.as_int().and_then(|value| u64::try_from(value).ok()) {
            Some(0) => return Place::deref(pointer, ty),
            Some(value) if value < 1 << 24 => Projection::ConstIndex(value),
            _ => Projection::Index(self.b.scalar_local(index)),
        };
        Place::deref(pointer, elements).project(step, ty)
    }

    /// Between which values an index certainly lies.
    fn known_range(&self, index: &Expr) -> Option<(i128, i128)> {
        let ExprKind::Local(local) = *index.kind else { return None };
        let found = self.ranges.iter().find(|(counter, ..)| *counter == local)?;
        self.options.range_checks.then_some((found.1, found.2))
    }

    /// A field of a struct, tuple or slice place, or the discriminant of an enum place (0).
    pub(super) fn field(&self, place: &Place, field: u32) -> Place {
        place.project(Projection::Field(field), self.layouts.field_ty(place.ty, field))
    }

    /// The same place, found without variables that later statements may change.
    pub(super) fn stable_place(&mut self, mut place: Place) -> Place {
        let b = &mut self.b;
        address_locals_mut(&mut place, &mut |local| *local = b.stable_local(*local));
        place
    }

    /// A place nobody else can see: writing it in parts is safe.
    pub(super) fn is_private(&self, place: &Place) -> bool {
        matches!(place.base, PlaceBase::Local(local) if !self.exposed.contains(&local))
    }
}
