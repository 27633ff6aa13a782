//! Every operator and conversion on the edges of every type, against Rust's own results.

use vaisjit_abi::TrapCode;
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, CastKind, UnaryOp};
use vaisjit_semantics::types::IntKind;

use super::*;

/// Runs `$check` with every integer type.
macro_rules! each_int {
    ($check:ident) => {
        $check!(i8, I8);
        $check!(i16, I16);
        $check!(i32, I32);
        $check!(i64, I64);
        $check!(i128, I128);
        $check!(u8, U8);
        $check!(u16, U16);
        $check!(u32, U32);
        $check!(u64, U64);
        $check!(u128, U128);
    };
}

macro_rules! check_binary {
    ($ty:ident, $kind:ident) => {{
        let ty = Ty::int(IntKind::$kind);
        let bits = |value: $ty| bits_of(value as i128, ty);
        let edges = [<$ty>::MIN, <$ty>::MIN + 1, 0, 1, 2, 7, <$ty>::MAX / 2, <$ty>::MAX - 1, <$ty>::MAX, !0];
        for a in edges {
            for b in edges {
                let run = |op| binary(op, ty, bits(a), bits(b));
                assert_eq!(run(BinaryOp::Add), Ok(bits(a.wrapping_add(b))), "{a} + {b}");
                assert_eq!(run(BinaryOp::Sub), Ok(bits(a.wrapping_sub(b))), "{a} - {b}");
                assert_eq!(run(BinaryOp::Mul), Ok(bits(a.wrapping_mul(b))), "{a} * {b}");
                assert_eq!(run(BinaryOp::BitAnd), Ok(bits(a & b)), "{a} & {b}");
                assert_eq!(run(BinaryOp::BitOr), Ok(bits(a | b)), "{a} | {b}");
                assert_eq!(run(BinaryOp::BitXor), Ok(bits(a ^ b)), "{a} ^ {b}");
                assert_eq!(run(BinaryOp::Shl), Ok(bits(a.wrapping_shl(b as u32))), "{a} << {b}");
                assert_eq!(run(BinaryOp::Shr), Ok(bits(a.wrapping_shr(b as u32))), "{a} >> {b}");
                assert_eq!(run(BinaryOp::Lt), Ok(u128::from(a < b)), "{a} < {b}");
                assert_eq!(run(BinaryOp::Ge), Ok(u128::from(a >= b)), "{a} >= {b}");
                assert_eq!(run(BinaryOp::Eq), Ok(u128::from(a == b)), "{a} == {b}");
                let (quotient, rest) = match b {
                    0 => (Err(TrapCode::DivisionByZero), Err(TrapCode::DivisionByZero)),
                    _ => (Ok(bits(a.wrapping_div(b))), Ok(bits(a.wrapping_rem(b)))),
                };
                assert_eq!(run(BinaryOp::Div), quotient, "{a} / {b}");
                assert_eq!(run(BinaryOp::Rem), rest, "{a} % {b}");
                assert_eq!(intrinsic(Intrinsic::Min, ty, &[bits(a), bits(b)]), bits(a.min(b)), "min {a} {b}");
                assert_eq!(intrinsic(Intrinsic::Max, ty, &[bits(a), bits(b)]), bits(a.max(b)), "max {a} {b}");
            }
            assert_eq!(unary(UnaryOp::Negate, ty, bits(a)), bits(a.wrapping_neg()), "-{a}");
            assert_eq!(unary(UnaryOp::BitNot, ty, bits(a)), bits(!a), "~{a}");
        }
    }};
}

#[test]
fn integers_wrap_at_every_width() {
    each_int!(check_binary);
}

macro_rules! check_casts {
    ($ty:ident, $kind:ident) => {{
        let ty = Ty::int(IntKind::$kind);
        for a in [<$ty>::MIN, <$ty>::MAX, 0, 1, <$ty>::MAX / 2 + 1] {
            let bits = bits_of(a as i128, ty);
            let int = |kind| cast(CastKind::IntToInt, ty, Ty::int(kind), bits);
            assert_eq!(int(IntKind::I8) as u8, a as u8, "{a} as i8");
            assert_eq!(int(IntKind::U32) as u32, a as u32, "{a} as u32");
            assert_eq!(int(IntKind::I64) as u64, a as u64, "{a} as i64");
            assert_eq!(int(IntKind::I128), a as u128, "{a} as i128");
            assert_eq!(cast(CastKind::IntToFloat, ty, Ty::f64(), bits) as u64, (a as f64).to_bits(), "{a} as f64");
            assert_eq!(cast(CastKind::IntToFloat, ty, Ty::f32(), bits) as u32, (a as f32).to_bits(), "{a} as f32");
            assert_eq!(cast(CastKind::ToBool, ty, Ty::bool(), bits), u128::from(a != 0), "{a} as bool");
        }
        let floats = [0.0, -0.9, 1.9, -1e300, 1e300, f64::NAN, f64::INFINITY, 127.5, -128.9, 4e9, 1.8e19, 9.3e18];
        for x in floats {
            let made = cast(CastKind::FloatToInt, Ty::f64(), ty, u128::from(x.to_bits()));
            assert_eq!(int_of(made, ty), x as $ty as i128, "{x} as {ty}");
            let single = x as f32;
            let made = cast(CastKind::FloatToInt, Ty::f32(), ty, u128::from(single.to_bits()));
            assert_eq!(int_of(made, ty), single as $ty as i128, "{single} as {ty}");
        }
    }};
}

#[test]
fn casts_extend_truncate_and_saturate() {
    each_int!(check_casts);
}

#[test]
fn absolute_values_wrap() {
    let byte = Ty::int(IntKind::I8);
    let abs = |value: i128| int_of(intrinsic(Intrinsic::Abs, byte, &[bits_of(value, byte)]), byte);
    assert_eq!([abs(-5), abs(5), abs(-128)], [5, 5, -128]);
}

#[test]
fn floats_follow_ieee() {
    let bits = |x: f64| u128::from(x.to_bits());
    let run = |op, a, b| binary(op, Ty::f64(), bits(a), bits(b)).unwrap();
    assert_eq!(run(BinaryOp::Div, 1.0, 0.0), bits(f64::INFINITY));
    assert_eq!(run(BinaryOp::Rem, -7.5, 2.0), bits(-1.5));
    assert_eq!(run(BinaryOp::Ne, f64::NAN, f64::NAN), 1);
    assert_eq!(run(BinaryOp::Eq, f64::NAN, f64::NAN), 0);
    assert_eq!(run(BinaryOp::Lt, f64::NAN, 1.0), 0);
    assert_eq!(run(BinaryOp::Eq, 0.0, -0.0), 1);
    assert_eq!(unary(UnaryOp::Negate, Ty::f64(), bits(0.0)), bits(-0.0));
    let single = |x: f32| u128::from(x.to_bits());
    let sum = binary(BinaryOp::Add, Ty::f32(), single(0.1), single(0.2)).unwrap();
    assert_eq!(sum, single(0.1 + 0.2));
}

#[test]
fn of_a_number_and_a_nan_the_number_is_chosen() {
    let bits = |x: f64| u128::from(x.to_bits());
    for op in [Intrinsic::Min, Intrinsic::Max] {
        assert_eq!(intrinsic(op, Ty::f64(), &[bits(f64::NAN), bits(1.0)]), bits(1.0));
        assert_eq!(intrinsic(op, Ty::f64(), &[bits(1.0), bits(f64::NAN)]), bits(1.0));
    }
}

#[test]
fn constants_are_kept_in_range() {
    assert_eq!(wrap(200, IntKind::I8), -56);
    assert_eq!(wrap(-1, IntKind::U16), 65_535);
    assert_eq!(wrap(-1, IntKind::U128), -1);
}
