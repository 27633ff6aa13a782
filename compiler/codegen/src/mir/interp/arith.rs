//! Arithmetic on bits: what every operator and conversion of MIR means, for every type. Values are the bits of their
//! type, zero-extended to 128.

use vaisjit_abi::TrapCode;
use vaisjit_semantics::hir::{BinaryOp, CastKind, UnaryOp};
use vaisjit_semantics::types::{FloatKind, IntKind};
use vaisjit_semantics::{Ty, TyKind};

use crate::mir::Intrinsic;

/// The value reduced to a type's range: sign-extended for signed types, zero-extended for unsigned ones.
pub fn wrap(value: i128, kind: IntKind) -> i128 {
    let unused = 128 - kind.bits();
    match kind.signed() {
        true => value << unused >> unused,
        false => ((value as u128) << unused >> unused) as i128,
    }
}

/// The integer type whose operations a scalar type has; `bool` is unsigned, addresses are `u64`.
fn kind_of(ty: Ty) -> IntKind {
    match ty.kind() {
        TyKind::Int(kind) => *kind,
        TyKind::Bool => IntKind::U8,
        _ => IntKind::U64,
    }
}

/// The bits of an integer.
pub fn bits_of(value: i128, ty: Ty) -> u128 {
    mask(value as u128, kind_of(ty))
}

/// The integer of bits.
pub fn int_of(bits: u128, ty: Ty) -> i128 {
    wrap(bits as i128, kind_of(ty))
}

fn mask(bits: u128, kind: IntKind) -> u128 {
    bits & (u128::MAX >> (128 - kind.bits()))
}

/// The bits of a float of a type.
pub fn float_bits(value: f64, ty: Ty) -> u128 {
    match ty.kind() {
        TyKind::Float(FloatKind::F32) => u128::from((value as f32).to_bits()),
        _ => u128::from(value.to_bits()),
    }
}

/// The float of bits.
pub fn float_of(bits: u128, ty: Ty) -> f64 {
    match ty.kind() {
        TyKind::Float(FloatKind::F32) => f64::from(f32::from_bits(bits as u32)),
        _ => f64::from_bits(bits as u64),
    }
}

/// An operator on two operands of a type.
pub fn binary(op: BinaryOp, ty: Ty, left: u128, right: u128) -> Result<u128, TrapCode> {
    match ty.kind() {
        TyKind::Float(FloatKind::F32) => Ok(binary_f32(op, f32::from_bits(left as u32), f32::from_bits(right as u32))),
        TyKind::Float(FloatKind::F64) => Ok(binary_f64(op, f64::from_bits(left as u64), f64::from_bits(right as u64))),
        _ => {
            let kind = kind_of(ty);
            let bits = match kind.signed() {
                true => binary_signed(op, kind, wrap(left as i128, kind), wrap(right as i128, kind))? as u128,
                false => binary_unsigned(op, kind, left, right)?,
            };
            Ok(if is_comparison(op) { bits } else { mask(bits, kind) })
        }
    }
}

fn is_comparison(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
}

fn binary_signed(op: BinaryOp, kind: IntKind, left: i128, right: i128) -> Result<i128, TrapCode> {
    let count = (right & i128::from(kind.bits() - 1)) as u32;
    Ok(match op {
        BinaryOp::Add => left.wrapping_add(right),
        BinaryOp::Sub => left.wrapping_sub(right),
        BinaryOp::Mul => left.wrapping_mul(right),
        BinaryOp::Div | BinaryOp::Rem if right == 0 => return Err(TrapCode::DivisionByZero),
        BinaryOp::Div => left.wrapping_div(right),
        BinaryOp::Rem => left.wrapping_rem(right),
        BinaryOp::Shl => left << count,
        BinaryOp::Shr => left >> count,
        BinaryOp::BitAnd | BinaryOp::And => left & right,
        BinaryOp::BitOr | BinaryOp::Or => left | right,
        BinaryOp::BitXor => left ^ right,
        _ => i128::from(compare(op, &left, &right)),
    })
}

fn binary_unsigned(op: BinaryOp, kind: IntKind, left: u128, right: u128) -> Result<u128, TrapCode> {
    let count = (right & u128::from(kind.bits() - 1)) as u32;
    Ok(match op {
        BinaryOp::Add => left.wrapping_add(right),
        BinaryOp::Sub => left.wrapping_sub(right),
        BinaryOp::Mul => left.wrapping_mul(right),
        BinaryOp::Div | BinaryOp::Rem if right == 0 => return Err(TrapCode::DivisionByZero),
        BinaryOp::Div => left / right,
        BinaryOp::Rem => left % right,
        BinaryOp::Shl => left << count,
        BinaryOp::Shr => left >> count,
        BinaryOp::BitAnd | BinaryOp::And => left & right,
        BinaryOp::BitOr | BinaryOp::Or => left | right,
        BinaryOp::BitXor => left ^ right,
        _ => u128::from(compare(op, &left, &right)),
    })
}

fn binary_f64(op: BinaryOp, left: f64, right: f64) -> u128 {
    let value = match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Rem => left % right,
        _ => return u128::from(compare(op, &left, &right)),
    };
    u128::from(value.to_bits())
}

fn binary_f32(op: BinaryOp, left: f32, right: f32) -> u128 {
    let value = match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Rem => left % right,
        _ => return u128::from(compare(op, &left, &right)),
    };
    u128::from(value.to_bits())
}

fn compare<T: PartialOrd>(op: BinaryOp, left: &T, right: &T) -> bool {
    match op {
        BinaryOp::Eq => left == right,
        BinaryOp::Ne => left != right,
        BinaryOp::Lt => left < right,
        BinaryOp::Le => left <= right,
        BinaryOp::Gt => left > right,
        BinaryOp::Ge => left >= right,
        _ => false,
    }
}

/// An operator on one operand.
pub fn unary(op: UnaryOp, ty: Ty, operand: u128) -> u128 {
    match (op, ty.kind()) {
        (UnaryOp::Negate, TyKind::Float(FloatKind::F32)) => u128::from((-f32::from_bits(operand as u32)).to_bits()),
        (UnaryOp::Negate, TyKind::Float(FloatKind::F64)) => u128::from((-f64::from_bits(operand as u64)).to_bits()),
        (UnaryOp::Negate, _) => mask(operand.wrapping_neg(), kind_of(ty)),
        (UnaryOp::Not, TyKind::Bool) | (UnaryOp::BitNot, TyKind::Bool) => operand ^ 1,
        (UnaryOp::Not | UnaryOp::BitNot, _) => mask(!operand, kind_of(ty)),
    }
}

/// A conversion.
pub fn cast(kind: CastKind, from: Ty, to: Ty, value: u128) -> u128 {
    match kind {
        CastKind::IntToInt | CastKind::Pointer => bits_of(int_of(value, from), to),
        CastKind::IntToFloat => int_to_float(value, from, to),
        CastKind::FloatToInt => float_to_int(float_of(value, from), kind_of(to)),
        CastKind::FloatToFloat => float_bits(float_of(value, from), to),
        CastKind::ToBool => u128::from(value != 0),
        CastKind::ArrayToPointer | CastKind::ArrayToSlice => value,
    }
}

fn int_to_float(value: u128, from: Ty, to: Ty) -> u128 {
    let single = matches!(to.kind(), TyKind::Float(FloatKind::F32));
    match (kind_of(from).signed(), single) {
        (true, true) => u128::from((int_of(value, from) as f32).to_bits()),
        (true, false) => u128::from((int_of(value, from) as f64).to_bits()),
        (false, true) => u128::from((value as f32).to_bits()),
        (false, false) => u128::from((value as f64).to_bits()),
    }
}

fn float_to_int(value: f64, to: IntKind) -> u128 {
    if !to.signed() {
        return (value as u128).min(u128::MAX >> (128 - to.bits()));
    }
    let (least, most) = (i128::MIN >> (128 - to.bits()), i128::MAX >> (128 - to.bits()));
    mask((value as i128).clamp(least, most) as u128, to)
}

/// An operation of the machine.
pub fn intrinsic(op: Intrinsic, ty: Ty, operands: &[u128]) -> u128 {
    let first = operands.first().copied().unwrap_or(0);
    let second = operands.get(1).copied().unwrap_or(0);
    match ty.kind() {
        TyKind::Float(_) => {
            let value = float_intrinsic(op, float_of(first, ty), float_of(second, ty));
            float_bits(value, ty)
        }
        _ => int_intrinsic(op, ty, first, second),
    }
}

/// Of a number and a NaN the number is smaller and larger, of equals the second.
fn float_intrinsic(op: Intrinsic, first: f64, second: f64) -> f64 {
    let extreme = |first_wins: bool| if first_wins || second.is_nan() { first } else { second };
    match op {
        Intrinsic::Min => extreme(first < second),
        Intrinsic::Max => extreme(first > second),
        Intrinsic::Abs => first.abs(),
        Intrinsic::Sqrt => first.sqrt(),
        Intrinsic::Floor => first.floor(),
        Intrinsic::Ceil => first.ceil(),
        Intrinsic::Trunc => first.trunc(),
    }
}

fn int_intrinsic(op: Intrinsic, ty: Ty, first: u128, second: u128) -> u128 {
    let kind = kind_of(ty);
    let less = match kind.signed() {
        true => int_of(first, ty) < int_of(second, ty),
        false => first < second,
    };
    match op {
        Intrinsic::Min => {
            if less {
                first
            } else {
                second
            }
        }
        Intrinsic::Max => {
            if less {
                second
            } else {
                first
            }
        }
        Intrinsic::Abs if kind.signed() => bits_of(int_of(first, ty).wrapping_abs(), ty),
        _ => first,
    }
}

#[cfg(test)]
mod tests;
