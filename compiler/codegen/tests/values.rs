//! Scalars: every operator and conversion at every width, against what Rust makes of the same numbers.

mod common;

use common::*;
use vaisjit_codegen::isa::OptLevel;
use vaisjit_codegen::mir::{Body, Intrinsic, Rvalue};
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, CastKind, UnaryOp};
use vaisjit_semantics::types::IntKind;

const BINARY: [BinaryOp; 16] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::Rem,
    BinaryOp::BitAnd,
    BinaryOp::BitOr,
    BinaryOp::BitXor,
    BinaryOp::Shl,
    BinaryOp::Shr,
    BinaryOp::Eq,
    BinaryOp::Ne,
    BinaryOp::Lt,
    BinaryOp::Le,
    BinaryOp::Gt,
    BinaryOp::Ge,
];

fn is_comparison(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
}

/// Interesting numbers of a width, as sign-extended bits.
fn samples(kind: IntKind) -> Vec<i128> {
    let bits = kind.bits();
    let mut samples: Vec<i128> =
        vec![0, 1, 2, 3, 7, 10, 100, -1, -2, -3, -7, -100, 12345678901234567890123, 0x7fff_ffff_ffff];
    for edge in [bits - 1, bits, bits / 2, 31, 63] {
        let edge = 1i128.wrapping_shl(edge);
        samples.extend([edge, edge.wrapping_sub(1), edge.wrapping_add(1), edge.wrapping_neg()]);
    }
    let mut samples: Vec<i128> = samples.into_iter().map(|value| wrap(value, kind)).collect();
    samples.sort_unstable();
    samples.dedup();
    samples
}

/// The number cut to a width, as its type reads it.
fn wrap(value: i128, kind: IntKind) -> i128 {
    let unused = 128 - kind.bits();
    let shifted = value << unused;
    if kind.signed() { shifted >> unused } else { ((shifted as u128) >> unused) as i128 }
}

/// What the language says an operator does.
fn expected(op: BinaryOp, kind: IntKind, a: i128, b: i128) -> Option<i128> {
    let signed = kind.signed();
    let count = (b as u128 % u128::from(kind.bits())) as u32;
    let order = if signed { a.cmp(&b) } else { (a as u128).cmp(&(b as u128)) };
    Some(match op {
        BinaryOp::Add => wrap(a.wrapping_add(b), kind),
        BinaryOp::Sub => wrap(a.wrapping_sub(b), kind),
        BinaryOp::Mul => wrap(a.wrapping_mul(b), kind),
        BinaryOp::Div | BinaryOp::Rem if b == 0 => return None,
        BinaryOp::Div if signed => wrap(a.wrapping_div(b), kind),
        BinaryOp::Div => wrap((a as u128 / b as u128) as i128, kind),
        BinaryOp::Rem if signed => wrap(a.wrapping_rem(b), kind),
        BinaryOp::Rem => wrap((a as u128 % b as u128) as i128, kind),
        BinaryOp::BitAnd => a & b,
        BinaryOp::BitOr => a | b,
        BinaryOp::BitXor => wrap(a ^ b, kind),
        BinaryOp::Shl => wrap(a << count, kind),
        BinaryOp::Shr if signed => a >> count,
        BinaryOp::Shr => ((a as u128) >> count) as i128,
        BinaryOp::Eq => i128::from(a == b),
        BinaryOp::Ne => i128::from(a != b),
        BinaryOp::Lt => i128::from(order.is_lt()),
        BinaryOp::Le => i128::from(order.is_le()),
        BinaryOp::Gt => i128::from(order.is_gt()),
        BinaryOp::Ge => i128::from(order.is_ge()),
        BinaryOp::And | BinaryOp::Or => unreachable!(),
    })
}

fn binary_body(name: &str, op: BinaryOp, ty: Ty) -> Body {
    let result = if is_comparison(op) { Ty::bool() } else { ty };
    let mut f = FnBuilder::new(name, &[ty, ty], result);
    let to = f.result();
    f.binary(&to, op, c(&f.param(0)), c(&f.param(1)));
    f.ret();
    f.done()
}

fn at_both_levels(bodies: &[Body], test: impl Fn(&mut Machine)) {
    for opt in [OptLevel::None, OptLevel::Speed] {
        test(&mut Machine::new(bodies, TestLinker::default(), opt, &[]));
    }
}

#[test]
fn integers_wrap_compare_and_divide_at_every_width() {
    for kind in IntKind::ALL {
        let ty = Ty::int(kind);
        let bodies: Vec<Body> = BINARY.map(|op| binary_body(&format!("{op:?}"), op, ty)).into();
        at_both_levels(&bodies, |machine| {
            for op in BINARY {
                let result = if is_comparison(op) { IntKind::U8 } else { kind };
                for a in samples(kind) {
                    for b in samples(kind) {
                        let Some(expected) = expected(op, kind, a, b) else { continue };
                        let seen = wrap(machine.call(&format!("{op:?}"), &[a as u128, b as u128]) as i128, result);
                        assert_eq!(seen, expected, "{a} {op:?} {b} of {ty}");
                    }
                }
            }
        });
    }
}

#[test]
fn divisions_by_constants_are_the_same() {
    for kind in IntKind::ALL {
        let ty = Ty::int(kind);
        let divisors: Vec<i128> = samples(kind).into_iter().filter(|value| *value != 0).collect();
        let mut bodies = Vec::new();
        for (index, divisor) in divisors.iter().enumerate() {
            for op in [BinaryOp::Div, BinaryOp::Rem] {
                let mut f = FnBuilder::new(&format!("{op:?}{index}"), &[ty], ty);
                let to = f.result();
                f.binary(&to, op, c(&f.param(0)), int(*divisor, ty));
                f.ret();
                bodies.push(f.done());
            }
        }
        at_both_levels(&bodies, |machine| {
            for (index, divisor) in divisors.iter().enumerate() {
                for op in [BinaryOp::Div, BinaryOp::Rem] {
                    for a in samples(kind) {
                        let seen = wrap(machine.call(&format!("{op:?}{index}"), &[a as u128]) as i128, kind);
                        assert_eq!(Some(seen), expected(op, kind, a, *divisor), "{a} {op:?} {divisor} of {ty}");
                    }
                }
            }
        });
    }
}

#[test]
fn one_operand_and_extremes() {
    for kind in IntKind::ALL {
        let ty = Ty::int(kind);
        let mut bodies = Vec::new();
        for (name, op) in [("neg", UnaryOp::Negate), ("not", UnaryOp::BitNot)] {
            let mut f = FnBuilder::new(name, &[ty], ty);
            let to = f.result();
            f.unary(&to, op, c(&f.param(0)));
            f.ret();
            bodies.push(f.done());
        }
        for (name, which) in [("min", Intrinsic::Min), ("max", Intrinsic::Max), ("abs", Intrinsic::Abs)] {
            let count = if name == "abs" { 1 } else { 2 };
            let mut f = FnBuilder::new(name, &vec![ty; count], ty);
            let operands = (0..count).map(|n| c(&f.param(n as u32))).collect();
            f.assign(&f.result(), Rvalue::Intrinsic(which, operands));
            f.ret();
            bodies.push(f.done());
        }
        at_both_levels(&bodies, |machine| {
            let mut check = |name: &str, arguments: &[i128], expected: i128| {
                let bits: Vec<u128> = arguments.iter().map(|value| *value as u128).collect();
                assert_eq!(wrap(machine.call(name, &bits) as i128, kind), expected, "{name}{arguments:?} of {ty}");
            };
            for a in samples(kind) {
                check("neg", &[a], wrap(a.wrapping_neg(), kind));
                check("not", &[a], wrap(!a, kind));
                check("abs", &[a], if kind.signed() { wrap(a.wrapping_abs(), kind) } else { a });
                for b in samples(kind) {
                    let (low, high) = if kind.signed() {
                        (a.min(b), a.max(b))
                    } else {
                        ((a as u128).min(b as u128) as i128, (a as u128).max(b as u128) as i128)
                    };
                    check("min", &[a, b], low);
                    check("max", &[a, b], high);
                }
            }
        });
    }
}

#[test]
fn integers_convert_to_each_other() {
    for from in IntKind::ALL {
        let bodies: Vec<Body> = IntKind::ALL
            .map(|to| {
                let mut f = FnBuilder::new(to.name(), &[Ty::int(from)], Ty::int(to));
                let result = f.result();
                f.cast(&result, CastKind::IntToInt, c(&f.param(0)));
                f.ret();
                f.done()
            })
            .into();
        at_both_levels(&bodies, |machine| {
            for to in IntKind::ALL {
                for a in samples(from) {
                    let seen = wrap(machine.call(to.name(), &[a as u128]) as i128, to);
                    assert_eq!(seen, wrap(a, to), "{a} as {} from {}", to.name(), from.name());
                }
            }
        });
    }
}

const FLOATS: [f64; 30] = [
    0.0,
    -0.0,
    0.5,
    -0.5,
    0.99,
    1.0,
    -1.0,
    1.5,
    127.0,
    127.9,
    128.0,
    -128.9,
    -129.0,
    255.0,
    255.9,
    256.0,
    32767.5,
    65535.9,
    65536.0,
    2147483647.5,
    4294967295.5,
    4294967296.0,
    9.3e18,
    -9.3e18,
    1.9e19,
    1e38,
    4e38,
    -2e38,
    f64::INFINITY,
    f64::NAN,
];

macro_rules! float_to_int {
    ($float:expr, $kind:expr) => {
        match $kind {
            IntKind::I8 => $float as i8 as i128,
            IntKind::I16 => $float as i16 as i128,
            IntKind::I32 => $float as i32 as i128,
            IntKind::I64 => $float as i64 as i128,
            IntKind::I128 => $float as i128,
            IntKind::U8 => $float as u8 as i128,
            IntKind::U16 => $float as u16 as i128,
            IntKind::U32 => $float as u32 as i128,
            IntKind::U64 => $float as u64 as i128,
            IntKind::U128 => $float as u128 as i128,
        }
    };
}

fn float_bits(value: f64, ty: Ty) -> u128 {
    if ty == Ty::f32() { u128::from((value as f32).to_bits()) } else { u128::from(value.to_bits()) }
}

#[test]
fn floats_truncate_and_saturate_and_integers_become_floats() {
    for float in [Ty::f32(), Ty::f64()] {
        for kind in IntKind::ALL {
            let mut to_int = FnBuilder::new("to_int", &[float], Ty::int(kind));
            let result = to_int.result();
            to_int.cast(&result, CastKind::FloatToInt, c(&to_int.param(0)));
            to_int.ret();
            let mut to_float = FnBuilder::new("to_float", &[Ty::int(kind)], float);
            let result = to_float.result();
            to_float.cast(&result, CastKind::IntToFloat, c(&to_float.param(0)));
            to_float.ret();
            at_both_levels(&[to_int.done(), to_float.done()], |machine| {
                for value in FLOATS {
                    let expected =
                        if float == Ty::f32() { float_to_int!(value as f32, kind) } else { float_to_int!(value, kind) };
                    let seen = wrap(machine.call("to_int", &[float_bits(value, float)]) as i128, kind);
                    assert_eq!(seen, expected, "{value} as {} from {float}", kind.name());
                }
                for value in samples(kind) {
                    let unsigned = kind == IntKind::U128;
                    let seen = machine.call("to_float", &[value as u128]);
                    let expected = if float == Ty::f32() {
                        u128::from((if unsigned { value as u128 as f32 } else { value as f32 }).to_bits())
                    } else {
                        u128::from((if unsigned { value as u128 as f64 } else { value as f64 }).to_bits())
                    };
                    assert_eq!(seen, expected, "{value} of {} as {float}", kind.name());
                }
            });
        }
    }
}

#[test]
fn float_operators() {
    let ty = Ty::f64();
    let ops = [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Rem];
    let comparisons = [BinaryOp::Eq, BinaryOp::Ne, BinaryOp::Lt, BinaryOp::Le, BinaryOp::Gt, BinaryOp::Ge];
    let mut bodies: Vec<Body> =
        ops.iter().chain(&comparisons).map(|op| binary_body(&format!("{op:?}"), *op, ty)).collect();
    for (name, which) in [("min", Intrinsic::Min), ("max", Intrinsic::Max)] {
        let mut f = FnBuilder::new(name, &[ty, ty], ty);
        let operands = (0..2).map(|n| c(&f.param(n))).collect();
        f.assign(&f.result(), Rvalue::Intrinsic(which, operands));
        f.ret();
        bodies.push(f.done());
    }
    let same = |a: f64, b: f64| a.is_nan() && b.is_nan() || a.to_bits() == b.to_bits();
    at_both_levels(&bodies, |machine| {
        for a in FLOATS {
            for b in FLOATS {
                let bits = [u128::from(a.to_bits()), u128::from(b.to_bits())];
                let results = [a + b, a - b, a * b, a / b, a % b];
                for (op, expected) in ops.iter().zip(results) {
                    let seen = f64::from_bits(machine.call(&format!("{op:?}"), &bits) as u64);
                    assert!(same(seen, expected), "{a} {op:?} {b}: {seen}, not {expected}");
                }
                let truths = [a == b, a != b, a < b, a <= b, a > b, a >= b];
                for (op, expected) in comparisons.iter().zip(truths) {
                    assert_eq!(machine.call(&format!("{op:?}"), &bits) as u8 != 0, expected, "{a} {op:?} {b}");
                }
                for (name, expected) in [("min", if a < b { a } else { b }), ("max", if a > b { a } else { b })] {
                    let seen = f64::from_bits(machine.call(name, &bits) as u64);
                    assert!(same(seen, expected), "{name}({a}, {b}): {seen}, not {expected}");
                }
            }
        }
    });
}

#[test]
fn float_functions() {
    for ty in [Ty::f32(), Ty::f64()] {
        let functions = [
            ("sqrt", Intrinsic::Sqrt),
            ("floor", Intrinsic::Floor),
            ("ceil", Intrinsic::Ceil),
            ("trunc", Intrinsic::Trunc),
            ("abs", Intrinsic::Abs),
        ];
        let bodies: Vec<Body> = functions
            .map(|(name, which)| {
                let mut f = FnBuilder::new(name, &[ty], ty);
                let operand = c(&f.param(0));
                f.assign(&f.result(), Rvalue::Intrinsic(which, [operand].into_iter().collect()));
                f.ret();
                f.done()
            })
            .into();
        at_both_levels(&bodies, |machine| {
            for value in FLOATS {
                for (name, _) in functions {
                    let apply = |value: f64| match name {
                        "sqrt" => value.sqrt(),
                        "floor" => value.floor(),
                        "ceil" => value.ceil(),
                        "trunc" => value.trunc(),
                        _ => value.abs(),
                    };
                    let bits = machine.call(name, &[float_bits(value, ty)]);
                    let (seen, expected) = if ty == Ty::f32() {
                        let rounded = f64::from(value as f32);
                        (f64::from(f32::from_bits(bits as u32)), f64::from(apply(rounded) as f32))
                    } else {
                        (f64::from_bits(bits as u64), apply(value))
                    };
                    let same = seen.is_nan() && expected.is_nan() || seen.to_bits() == expected.to_bits();
                    assert!(same, "{name}({value}) of {ty}: {seen}, not {expected}");
                }
            }
        });
    }
}
