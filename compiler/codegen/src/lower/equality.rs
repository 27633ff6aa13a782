//! Comparisons that are more than one instruction: of structs, tuples, enums, small arrays, and of strings.

use vaisjit_semantics::hir::{BinaryOp, Expr};
use vaisjit_semantics::{Ty, TyKind};

use super::builder::Builder;
use super::{Lowerer, Result, scan};
use crate::host_calls;
use crate::mir::{BlockId, Operand, Place, Projection, Rvalue, Terminator};

/// Arrays up to this length are compared element by element. Chosen by feel.
const UNROLLED: u64 = 64;

impl<'a> Lowerer<'a> {
    pub(super) fn aggregate_comparison(&mut self, op: BinaryOp, left: &'a Expr, right: &'a Expr) -> Result<Rvalue> {
        let negated = match op {
            BinaryOp::Eq => false,
            BinaryOp::Ne => true,
            _ => return self.unsupported(format!("`{}` of `{}`", op.symbol(), left.ty)),
        };
        let mut first = self.place(left)?;
        if !scan::pure(right) {
            let copy = self.b.temp_place(left.ty);
            self.b.assign(copy.clone(), Rvalue::Use(Operand::Copy(first)));
            self.retain(&copy);
            self.own(&copy);
            first = copy;
        }
        let second = self.place(right)?;
        let result = self.b.temp_place(Ty::bool());
        let (differ, join) = (self.b.block(), self.b.block());
        self.require_equal(&first, &second, differ)?;
        self.b.assign(result.clone(), Rvalue::Use(Builder::bool(!negated)));
        self.b.jump(join);
        self.b.switch_to(differ);
        self.b.assign(result.clone(), Rvalue::Use(Builder::bool(negated)));
        self.b.goto(join);
        Ok(Rvalue::Use(Operand::Copy(result)))
    }

    /// Goes on if two places hold equal values, to `differ` otherwise.
    fn require_equal(&mut self, left: &Place, right: &Place, differ: BlockId) -> Result {
        match *left.ty.kind() {
            TyKind::Unit | TyKind::Never => Ok(()),
            TyKind::Struct(..) => {
                let fields = self.program.structs.get(&left.ty).map_or(0, |def| def.fields.len());
                self.require_equal_fields(left, right, fields as u32, differ)
            }
            TyKind::Tuple(parts) => self.require_equal_fields(left, right, parts.len() as u32, differ),
            TyKind::Array(of, length) if length <= UNROLLED => {
                for index in 0..length {
                    let element = |place: &Place| place.project(Projection::ConstIndex(index), of);
                    self.require_equal(&element(left), &element(right), differ)?;
                }
                Ok(())
            }
            TyKind::Enum(..) => self.require_equal_variants(left, right, differ),
            _ if left.ty.is_scalar() => self.require_equal_scalars(left, right, differ),
            TyKind::Array(..) => {
                let equal = self.heap_equal(left, right);
                self.go_on_if(equal, differ);
                Ok(())
            }
            _ => self.unsupported(format!("a comparison of `{}`", left.ty)),
        }
    }

    fn require_equal_fields(&mut self, left: &Place, right: &Place, fields: u32, differ: BlockId) -> Result {
        for field in 0..fields {
            let (left, right) = (self.field(left, field), self.field(right, field));
            self.require_equal(&left, &right, differ)?;
        }
        Ok(())
    }

    fn require_equal_scalars(&mut self, left: &Place, right: &Place, differ: BlockId) -> Result {
        let (first, second) = (Operand::Copy(left.clone()), Operand::Copy(right.clone()));
        let equal = match left.ty.kind() {
            TyKind::Str => self.str_operator(BinaryOp::Eq, first, second)?,
            TyKind::Vec(_) | TyKind::HashMap(..) | TyKind::Box(_) => Rvalue::Use(self.heap_equal(left, right)),
            _ => Rvalue::Binary(BinaryOp::Eq, first, second),
        };
        let equal = self.b.value(Ty::bool(), equal);
        self.go_on_if(equal, differ);
        Ok(())
    }

    fn go_on_if(&mut self, condition: Operand, otherwise: BlockId) {
        let go_on = self.b.block();
        self.b.branch(condition, go_on, otherwise);
        self.b.switch_to(go_on);
    }

    /// `==` and `!=` of two `Vec`s, `HashMap`s or boxes.
    pub(super) fn handles_equal(&mut self, op: BinaryOp, left: Operand, right: Operand) -> Result<Rvalue> {
        let ty = left.ty();
        let place = |lowerer: &mut Self, operand: Operand| {
            let place = lowerer.b.temp_place(ty);
            lowerer.b.assign(place.clone(), Rvalue::Use(operand));
            place
        };
        let (first, second) = (place(self, left), place(self, right));
        let equal = self.heap_equal(&first, &second);
        match op {
            BinaryOp::Eq => Ok(Rvalue::Use(equal)),
            BinaryOp::Ne => Ok(Rvalue::Unary(vaisjit_semantics::hir::UnaryOp::Not, equal)),
            _ => self.unsupported(format!("`{}` of `{ty}`", op.symbol())),
        }
    }

    fn require_equal_variants(&mut self, left: &Place, right: &Place, differ: BlockId) -> Result {
        let Some(definition) = self.program.enums.get(&left.ty).cloned() else { return Ok(()) };
        let (first, second) = (self.field(left, 0), self.field(right, 0));
        self.require_equal_scalars(&first, &second, differ)?;
        if definition.variants.iter().all(|variant| variant.fields.is_empty()) {
            return Ok(());
        }
        let (switch, equal) = (self.b.current, self.b.block());
        let mut cases = Vec::new();
        for (index, variant) in definition.variants.iter().enumerate().filter(|(_, v)| !v.fields.is_empty()) {
            let case = self.b.block();
            self.b.switch_to(case);
            for field in 0..variant.fields.len() as u32 {
                let part = |place: &Place| self.variant_field(place, index as u32, field);
                let (left, right) = (part(left), part(right));
                self.require_equal(&left, &right, differ)?;
            }
            self.b.jump(equal);
            cases.push((self.layouts.discriminant(left.ty, index as u32) as u64, case));
        }
        self.b.switch_to(switch);
        self.b.close(Terminator::Switch { value: Operand::Copy(first), cases, default: equal });
        self.b.switch_to(equal);
        Ok(())
    }

    /// An operator on two strings.
    pub(super) fn str_operator(&mut self, op: BinaryOp, left: Operand, right: Operand) -> Result<Rvalue> {
        let arguments = [left, right];
        match op {
            BinaryOp::Eq => Ok(Rvalue::Use(self.host_value(host_calls::STR_EQ, arguments, Ty::bool()))),
            BinaryOp::Ne => {
                let equal = self.host_value(host_calls::STR_EQ, arguments, Ty::bool());
                Ok(Rvalue::Unary(vaisjit_semantics::hir::UnaryOp::Not, equal))
            }
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                let order = self.host_value(host_calls::STR_CMP, arguments, Ty::i64());
                Ok(Rvalue::Binary(op, order, Operand::int(0)))
            }
            _ => self.unsupported(format!("`{}` of texts", op.symbol())),
        }
    }
}
