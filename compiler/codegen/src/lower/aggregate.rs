//! Structs, tuples, variants and arrays, built field by field in their place.

use vaisjit_semantics::hir::{BinaryOp, Expr, ExprKind};
use vaisjit_semantics::{Ty, TyKind};

use super::{Lowerer, Result};
use crate::mir::{Operand, Place, Projection, Rvalue, StatementKind};

/// Up to so many elements a repeated value is stored one by one; more take a loop. Chosen by feel.
const UNROLLED: u64 = 8;

impl<'a> Lowerer<'a> {
    pub(super) fn aggregate(&mut self, ty: Ty, parts: &'a [Expr], order: &[u32], dest: Option<&Place>) -> Result {
        debug_assert_eq!(parts.len(), order.len(), "every field of `{ty}` has its turn");
        for field in order {
            let target = dest.map(|dest| dest.project(Projection::Field(*field), self.layouts.field_ty(ty, *field)));
            self.lower(&parts[*field as usize], target.as_ref())?;
        }
        Ok(())
    }

    pub(super) fn variant(&mut self, ty: Ty, variant: u32, payload: &'a [Expr], dest: Option<&Place>) -> Result {
        for (field, value) in payload.iter().enumerate() {
            let target = dest.map(|dest| self.variant_field(dest, variant, field as u32));
            self.lower(value, target.as_ref())?;
        }
        if let Some(dest) = dest {
            let number = Operand::int(self.layouts.discriminant(ty, variant));
            self.b.assign(self.field(dest, 0), Rvalue::Use(number));
        }
        Ok(())
    }

    pub(super) fn variant_field(&self, place: &Place, variant: u32, field: u32) -> Place {
        let ty = self.layouts.variant_field_ty(place.ty, variant, field);
        place.project(Projection::VariantField(variant, field), ty)
    }

    pub(super) fn array(&mut self, ty: Ty, elements: &'a [Expr], dest: Option<&Place>) -> Result {
        let TyKind::Array(of, _) = *ty.kind() else { return self.unsupported(format!("a literal of `{ty}`")) };
        for (index, element) in elements.iter().enumerate() {
            let target = dest.map(|dest| dest.project(Projection::ConstIndex(index as u64), of));
            self.lower(element, target.as_ref())?;
        }
        Ok(())
    }

    pub(super) fn repeat(&mut self, ty: Ty, value: &'a Expr, dest: Option<&Place>) -> Result {
        let TyKind::Array(of, length) = *ty.kind() else { return self.unsupported(format!("a literal of `{ty}`")) };
        let Some(dest) = dest else { return self.lower(value, None) };
        if is_zero(value) {
            self.b.push(StatementKind::Zero(dest.clone()));
            return Ok(());
        }
        let value = match of.is_aggregate() {
            true => {
                let temp = self.b.temp_place(of);
                self.lower(value, Some(&temp))?;
                Operand::Copy(temp)
            }
            false => {
                let value = self.operand(value)?;
                self.b.stable(value)
            }
        };
        if length <= UNROLLED {
            for index in 0..length {
                let element = dest.project(Projection::ConstIndex(index), of);
                self.b.assign(element, Rvalue::Use(value.clone()));
            }
            return Ok(());
        }
        self.fill(dest, of, length, value);
        Ok(())
    }

    fn fill(&mut self, dest: &Place, of: Ty, length: u64, value: Operand) {
        let index = self.b.temp(Ty::i64());
        let counter = Place::local(index, Ty::i64());
        self.b.assign(counter.clone(), Rvalue::Use(Operand::int(0)));
        let (turn, done) = (self.b.block(), self.b.block());
        self.b.goto(turn);
        self.b.assign(dest.project(Projection::Index(index), of), Rvalue::Use(value));
        let next = Rvalue::Binary(BinaryOp::Add, Operand::Copy(counter.clone()), Operand::int(1));
        self.b.assign(counter.clone(), next);
        let more = Rvalue::Binary(BinaryOp::Lt, Operand::Copy(counter), Operand::int(length as i64));
        let more = self.b.value(Ty::bool(), more);
        self.b.branch(more, turn, done);
        self.b.switch_to(done);
    }
}

/// Are all bytes of the value certainly zero?
fn is_zero(value: &Expr) -> bool {
    match &*value.kind {
        ExprKind::Int(0) | ExprKind::Float(0) | ExprKind::Bool(false) | ExprKind::Zero => true,
        ExprKind::Aggregate(parts, _) => parts.iter().all(is_zero),
        ExprKind::Repeat(inner) => is_zero(inner),
        ExprKind::Array(elements) => elements.iter().all(is_zero),
        _ => false,
    }
}
