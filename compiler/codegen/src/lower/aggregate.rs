//! Structs, tuples, variants and arrays, built field by field in their place.

use vaisjit_semantics::hir::{BinaryOp, Expr, ExprKind};
use vaisjit_semantics::{Ty, TyKind};

use super::{Lowerer, Result, scan};
use crate::layout::{constant, parked_bytes};
use crate::mir::{Local, Operand, Place, Projection, Rvalue, StatementKind};

/// Up to so many elements a repeated value is stored one by one; more take a loop. Chosen by feel.
const UNROLLED: u64 = 8;

impl<'a> Lowerer<'a> {
    pub(super) fn aggregate(&mut self, ty: Ty, parts: &'a [Expr], order: &[u32], dest: Option<&Place>) -> Result {
        debug_assert_eq!(parts.len(), order.len(), "every field of `{ty}` has its turn");
        let target =
            |field: u32| dest.map(|dest| dest.project(Projection::Field(field), self.layouts.field_ty(ty, field)));
        let parts = order.iter().map(|field| (&parts[*field as usize], target(*field))).collect();
        self.parts(parts)?;
        self.fill_parked(0, dest);
        Ok(())
    }

    /// Gives the parked fields of a new value their defaults.
    fn fill_parked(&mut self, variant: u32, dest: Option<&Place>) {
        if let Some(dest) = dest
            && let Some(bytes) = parked_bytes(dest.ty, variant, self.layouts)
        {
            self.b.push(StatementKind::FillParked(dest.clone(), bytes));
        }
    }

    pub(super) fn variant(&mut self, ty: Ty, variant: u32, payload: &'a [Expr], dest: Option<&Place>) -> Result {
        let target = |field: u32| dest.map(|dest| self.variant_field(dest, variant, field));
        let parts = (0..).zip(payload).map(|(field, value)| (value, target(field))).collect();
        self.parts(parts)?;
        if let Some(dest) = dest {
            let number = Operand::int(self.layouts.discriminant(ty, variant));
            self.b.assign(self.field(dest, 0), Rvalue::Use(number));
        }
        self.fill_parked(variant, dest);
        Ok(())
    }

    pub(super) fn variant_field(&self, place: &Place, variant: u32, field: u32) -> Place {
        let ty = self.layouts.variant_field_ty(place.ty, variant, field);
        place.project(Projection::VariantField(variant, field), ty)
    }

    pub(super) fn array(&mut self, ty: Ty, elements: &'a [Expr], dest: Option<&Place>) -> Result {
        let TyKind::Array(of, _) = *ty.kind() else { return self.unsupported(format!("a literal of `{ty}`")) };
        let target = |index: u64| dest.map(|dest| dest.project(Projection::ConstIndex(index), of));
        let parts = (0..).zip(elements).map(|(index, element)| (element, target(index))).collect();
        self.parts(parts)
    }

    /// Makes parts in their places, in order. If one may leave (`?`, `R`), counted parts before it wait where they are
    /// released then.
    fn parts(&mut self, parts: Vec<(&'a Expr, Option<Place>)>) -> Result {
        let last_leaving = parts.iter().rposition(|(part, _)| scan::leaves(part)).unwrap_or(0);
        let mut waiting = Vec::new();
        for (index, (part, target)) in parts.into_iter().enumerate() {
            match target {
                Some(target) if index < last_leaving && self.counted(part.ty) => {
                    waiting.push((self.owned_temp(part)?, target));
                }
                target => self.lower(part, target.as_ref())?,
            }
        }
        for (temp, target) in waiting {
            self.b.assign(target.clone(), Rvalue::Use(Operand::Copy(temp)));
            self.retain(&target);
        }
        Ok(())
    }

    pub(super) fn repeat(&mut self, ty: Ty, value: &'a Expr, dest: Option<&Place>) -> Result {
        let TyKind::Array(of, length) = *ty.kind() else { return self.unsupported(format!("a literal of `{ty}`")) };
        let Some(dest) = dest else { return self.lower(value, None) };
        if self.is_zero(value) {
            self.b.push(StatementKind::Zero(dest.clone()));
            return Ok(());
        }
        let value = match of.is_aggregate() {
            true => Operand::Copy(self.owned_temp(value)?),
            false => {
                let value = self.operand(value)?;
                self.b.stable(value)
            }
        };
        if length <= UNROLLED {
            for index in 0..length {
                let element = dest.project(Projection::ConstIndex(index), of);
                self.b.assign(element.clone(), Rvalue::Use(value.clone()));
                self.retain(&element);
            }
            return Ok(());
        }
        self.fill(dest, of, length, value);
        Ok(())
    }

    /// Are all bytes of the value certainly zero?
    fn is_zero(&self, value: &Expr) -> bool {
        match &*value.kind {
            ExprKind::Int(0) | ExprKind::Float(0) | ExprKind::Bool(false) => true,
            ExprKind::Zero => !self.counted(value.ty) && !self.is_beyond_zero(value.ty),
            ExprKind::Aggregate(..) if self.is_beyond_zero(value.ty) => false,
            ExprKind::Aggregate(parts, _) | ExprKind::Array(parts) => parts.iter().all(|part| self.is_zero(part)),
            ExprKind::Repeat(inner) => self.is_zero(inner),
            _ => false,
        }
    }

    /// Are there bytes in a zero value of the type that are not zero? In an enum whose zero value has another number
    /// than 0, and in what has parked fields.
    fn is_beyond_zero(&self, ty: Ty) -> bool {
        constant::is_beyond_zero(ty, self.layouts)
    }

    /// Writes what is not zero into a place that has been set to zero.
    pub(super) fn beyond_zero(&mut self, place: &Place) {
        if !self.is_beyond_zero(place.ty) {
            return;
        }
        let fields = match *place.ty.kind() {
            TyKind::Enum(..) => {
                let number = Operand::int(self.layouts.zero_discriminant(place.ty));
                self.b.assign(self.field(place, 0), Rvalue::Use(number));
                0
            }
            TyKind::Struct(..) => {
                self.fill_parked(0, Some(place));
                self.program.structs.get(&place.ty).map_or(0, |def| def.fields.len())
            }
            TyKind::Tuple(parts) => parts.len(),
            TyKind::Array(of, length) if length > 0 => {
                let index = |index| Projection::Index(index);
                self.each_element(length, |lowerer, at| lowerer.beyond_zero(&place.project(index(at), of)));
                0
            }
            _ => 0,
        };
        for field in 0..fields as u32 {
            self.beyond_zero(&self.field(place, field));
        }
    }

    fn fill(&mut self, dest: &Place, of: Ty, length: u64, value: Operand) {
        self.each_element(length, |lowerer, index| {
            let element = dest.project(Projection::Index(index), of);
            lowerer.b.assign(element.clone(), Rvalue::Use(value));
            lowerer.retain(&element);
        });
    }

    /// A loop over the indices of an array that is not empty.
    fn each_element(&mut self, length: u64, turn_body: impl FnOnce(&mut Self, Local)) {
        let index = self.b.temp(Ty::i64());
        let counter = Place::local(index, Ty::i64());
        self.b.assign(counter.clone(), Rvalue::Use(Operand::int(0)));
        let (turn, done) = (self.b.block(), self.b.block());
        self.b.goto(turn);
        turn_body(self, index);
        let next = Rvalue::Binary(BinaryOp::Add, Operand::Copy(counter.clone()), Operand::int(1));
        self.b.assign(counter.clone(), next);
        let more = Rvalue::Binary(BinaryOp::Lt, Operand::Copy(counter), Operand::int(length as i64));
        let more = self.b.value(Ty::bool(), more);
        self.b.branch(more, turn, done);
        self.b.switch_to(done);
    }
}
