//! Operators: wrapping arithmetic of every width, divisions, shifts, comparisons and the intrinsics.

use cranelift::prelude::*;
use vaisjit_abi::TrapCode as Trap;
use vaisjit_semantics::hir::{BinaryOp, UnaryOp};
use vaisjit_semantics::{Ty, TyKind};

use super::Translator;
use super::types::{machine_type, signed};
use crate::mir::{Const, Intrinsic, Operand};
use crate::thunks::AbiType;

fn is_float(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Float(_))
}

impl Translator<'_, '_> {
    /// An operator on one operand.
    pub(crate) fn unary(&mut self, op: UnaryOp, operand: &Operand) -> Value {
        let ty = operand.ty();
        let value = self.operand_value(operand);
        match op {
            UnaryOp::Negate if is_float(ty) => self.b.ins().fneg(value),
            UnaryOp::Negate => self.b.ins().ineg(value),
            UnaryOp::Not => self.b.ins().bxor_imm_u(value, 1),
            UnaryOp::BitNot if *ty.kind() == TyKind::Bool => self.b.ins().bxor_imm_u(value, 1),
            UnaryOp::BitNot => self.b.ins().bnot(value),
        }
    }

    /// An operator on two operands of one type.
    pub(crate) fn binary(&mut self, op: BinaryOp, left: &Operand, right: &Operand) -> Value {
        let ty = left.ty();
        let a = self.operand_value(left);
        if matches!(op, BinaryOp::Div | BinaryOp::Rem) && !is_float(ty) {
            return self.divide(op == BinaryOp::Rem, ty, a, right);
        }
        let b = self.operand_value(right);
        if is_float(ty) { self.float_binary(op, ty, a, b) } else { self.int_binary(op, ty, a, b) }
    }

    fn int_binary(&mut self, op: BinaryOp, ty: Ty, a: Value, b: Value) -> Value {
        let signed = signed(ty);
        let ins = self.b.ins();
        match op {
            BinaryOp::Add => ins.iadd(a, b),
            BinaryOp::Sub => ins.isub(a, b),
            BinaryOp::Mul => ins.imul(a, b),
            BinaryOp::BitAnd => ins.band(a, b),
            BinaryOp::BitOr => ins.bor(a, b),
            BinaryOp::BitXor => ins.bxor(a, b),
            BinaryOp::Shl => ins.ishl(a, b),
            BinaryOp::Shr if signed => ins.sshr(a, b),
            BinaryOp::Shr => ins.ushr(a, b),
            _ => match int_condition(op, signed) {
                Some(condition) => ins.icmp(condition, a, b),
                None => self.bug(format_args!("the operator {op:?} on {ty}")),
            },
        }
    }

    fn float_binary(&mut self, op: BinaryOp, ty: Ty, a: Value, b: Value) -> Value {
        let ins = self.b.ins();
        match op {
            BinaryOp::Add => ins.fadd(a, b),
            BinaryOp::Sub => ins.fsub(a, b),
            BinaryOp::Mul => ins.fmul(a, b),
            BinaryOp::Div => ins.fdiv(a, b),
            BinaryOp::Rem if ty == Ty::f32() => {
                self.call_leaf_value("fmodf", &[AbiType::F32, AbiType::F32], AbiType::F32, &[a, b])
            }
            BinaryOp::Rem => self.call_leaf_value("fmod", &[AbiType::F64, AbiType::F64], AbiType::F64, &[a, b]),
            _ => match float_condition(op) {
                Some(condition) => ins.fcmp(condition, a, b),
                None => self.bug(format_args!("the operator {op:?} on {ty}")),
            },
        }
    }

    /// Division and remainder of integers: traps on zero, `MIN / -1` is `MIN` and its remainder 0.
    fn divide(&mut self, rem: bool, ty: Ty, a: Value, right: &Operand) -> Value {
        let b = self.operand_value(right);
        let known = match right {
            Operand::Const(Const::Int(value, _)) => Some(*value),
            _ => None,
        };
        if known.is_none_or(|value| value == 0) {
            self.trap_if_zero(b, Trap::DivisionByZero);
        }
        let signed = signed(ty);
        match machine_type(ty) {
            Some(types::I128) => self.divide_128(rem, signed, a, b),
            _ if !signed && rem => self.b.ins().urem(a, b),
            _ if !signed => self.b.ins().udiv(a, b),
            _ if known.is_some_and(|value| value != -1) => self.divide_signed(rem, a, b),
            _ => self.divide_guarded(rem, a, b),
        }
    }

    fn divide_signed(&mut self, rem: bool, a: Value, b: Value) -> Value {
        if rem { self.b.ins().srem(a, b) } else { self.b.ins().sdiv(a, b) }
    }

    /// A signed division whose divisor may be -1: divides by 1 instead and negates.
    fn divide_guarded(&mut self, rem: bool, a: Value, b: Value) -> Value {
        let ty = self.b.func.dfg.value_type(a);
        let minus = self.b.ins().icmp_imm_s(IntCC::Equal, b, -1);
        let one = self.b.ins().iconst(ty, 1);
        let safe = self.b.ins().select(minus, one, b);
        let quotient = self.divide_signed(rem, a, safe);
        if rem {
            return quotient;
        }
        let negated = self.b.ins().ineg(a);
        self.b.ins().select(minus, negated, quotient)
    }

    fn divide_128(&mut self, rem: bool, signed: bool, a: Value, b: Value) -> Value {
        let name = match (signed, rem) {
            (true, false) => "i128_div",
            (true, true) => "i128_rem",
            (false, false) => "u128_div",
            (false, true) => "u128_rem",
        };
        let (a, b) = (self.halves(a), self.halves(b));
        let arguments = [a.0, a.1, b.0, b.1];
        let results = self.call_leaf_results(name, &[AbiType::I64; 4], &[AbiType::I64; 2], &arguments);
        self.b.ins().iconcat(results[0], results[1])
    }

    /// Low and high half of 128 bits.
    pub(crate) fn halves(&mut self, value: Value) -> (Value, Value) {
        self.b.ins().isplit(value)
    }

    /// An operation of the machine.
    pub(crate) fn intrinsic(&mut self, which: Intrinsic, operands: &[Operand]) -> Value {
        let Some(first) = operands.first() else {
            return self.bug(format_args!("{which:?} without an operand"));
        };
        let ty = first.ty();
        let a = self.operand_value(first);
        let float = is_float(ty);
        match (which, operands.get(1)) {
            (Intrinsic::Min | Intrinsic::Max, Some(second)) => {
                let b = self.operand_value(second);
                if float { self.float_extreme(which, a, b) } else { self.int_extreme(which, ty, a, b) }
            }
            (Intrinsic::Abs, None) if float => self.b.ins().fabs(a),
            (Intrinsic::Abs, None) if signed(ty) => self.b.ins().iabs(a),
            (Intrinsic::Sqrt, None) if float => self.b.ins().sqrt(a),
            (Intrinsic::Floor, None) if float => self.b.ins().floor(a),
            (Intrinsic::Ceil, None) if float => self.b.ins().ceil(a),
            (Intrinsic::Trunc, None) if float => self.b.ins().trunc(a),
            (Intrinsic::Abs | Intrinsic::Floor | Intrinsic::Ceil | Intrinsic::Trunc, None) => a,
            _ => self.bug(format_args!("{which:?} of {ty}")),
        }
    }

    fn int_extreme(&mut self, which: Intrinsic, ty: Ty, a: Value, b: Value) -> Value {
        let op = if which == Intrinsic::Min { BinaryOp::Lt } else { BinaryOp::Gt };
        let first = self.int_binary(op, ty, a, b);
        if self.b.func.dfg.value_type(a) == types::I128 {
            return self.choose(first, a, b);
        }
        self.b.ins().select(first, a, b)
    }

    /// A `select` by a branch: of 128 bits, Cranelift makes minimum and maximum instructions of a `select` between
    /// compared values and then has no code for them.
    fn choose(&mut self, condition: Value, a: Value, b: Value) -> Value {
        let done = self.b.create_block();
        let value = self.b.append_block_param(done, self.b.func.dfg.value_type(a));
        self.b.ins().brif(condition, done, &[a.into()], done, &[b.into()]);
        self.b.seal_block(done);
        self.b.switch_to_block(done);
        value
    }

    /// The smaller or larger of two floats as a comparison decides: if it is false, also for a NaN, the second.
    fn float_extreme(&mut self, which: Intrinsic, a: Value, b: Value) -> Value {
        let condition = if which == Intrinsic::Min { FloatCC::LessThan } else { FloatCC::GreaterThan };
        let first = self.b.ins().fcmp(condition, a, b);
        self.b.ins().select(first, a, b)
    }
}

fn int_condition(op: BinaryOp, signed: bool) -> Option<IntCC> {
    Some(match (op, signed) {
        (BinaryOp::Eq, _) => IntCC::Equal,
        (BinaryOp::Ne, _) => IntCC::NotEqual,
        (BinaryOp::Lt, true) => IntCC::SignedLessThan,
        (BinaryOp::Le, true) => IntCC::SignedLessThanOrEqual,
        (BinaryOp::Gt, true) => IntCC::SignedGreaterThan,
        (BinaryOp::Ge, true) => IntCC::SignedGreaterThanOrEqual,
        (BinaryOp::Lt, false) => IntCC::UnsignedLessThan,
        (BinaryOp::Le, false) => IntCC::UnsignedLessThanOrEqual,
        (BinaryOp::Gt, false) => IntCC::UnsignedGreaterThan,
        (BinaryOp::Ge, false) => IntCC::UnsignedGreaterThanOrEqual,
        _ => return None,
    })
}

fn float_condition(op: BinaryOp) -> Option<FloatCC> {
    Some(match op {
        BinaryOp::Eq => FloatCC::Equal,
        BinaryOp::Ne => FloatCC::NotEqual,
        BinaryOp::Lt => FloatCC::LessThan,
        BinaryOp::Le => FloatCC::LessThanOrEqual,
        BinaryOp::Gt => FloatCC::GreaterThan,
        BinaryOp::Ge => FloatCC::GreaterThanOrEqual,
        _ => return None,
    })
}
