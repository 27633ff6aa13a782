//! Match: constants, ranges, variants, guards, alternatives and nested patterns.

use vaisjit_abi::TrapCode;
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, Expr, PatternKind};
use vaisjit_semantics::types::IntKind;

use super::build::*;
use super::{i64_ty, mir, run, status, trap};
use crate::mir::Terminator;

/// Prints what `arms` makes of each value.
fn table(ty: Ty, values: Vec<Expr>, arms: impl Fn(&mut Fun, Expr) -> Expr) -> String {
    let mut make = Make::default();
    let chosen = make.function("chosen", &[ty], i64_ty(), |f, p| {
        let value = f.get(p[0]);
        arms(f, value)
    });
    make.function("main", &[], i64_ty(), |_, _| {
        let lines = values.iter().map(|value| say(call(&chosen, vec![value.clone()], i64_ty()))).collect();
        block(lines, int(0))
    });
    run(&make).output
}

#[test]
fn constants_become_a_switch() {
    let arms = |_: &mut Fun, value: Expr| {
        let either = pattern(PatternKind::Or(vec![is(int(2)), is(int(3))]), i64_ty());
        let arms = vec![
            arm(is(int(-1)), int(10)),
            arm(either, int(20)),
            arm(is(int(7)), int(30)),
            arm(any(i64_ty()), int(40)),
        ];
        match_(value, arms, i64_ty())
    };
    assert_eq!(table(i64_ty(), [-1, 2, 3, 7, 0].map(int).to_vec(), arms), "10 20 20 30 40 ");
    let mut make = Make::default();
    make.function("chosen", &[i64_ty()], i64_ty(), |f, p| {
        let value = f.get(p[0]);
        arms(f, value)
    });
    let body = mir(&make, "chosen", true);
    assert!(
        matches!(&body.blocks.values().next().unwrap().terminator, Terminator::Switch { cases, .. } if cases.len() == 4)
    );
}

#[test]
fn narrow_types_switch_on_their_bits() {
    let byte = Ty::int(IntKind::I8);
    let arms = |_: &mut Fun, value: Expr| {
        let constants = [-1, -128, 127].map(|n| arm(is(typed(n, byte)), int(n as i64)));
        match_(value, constants.into_iter().chain([arm(any(byte), int(0))]).collect(), i64_ty())
    };
    let values = [-1, -128, 127, 5].map(|n| typed(n, byte)).to_vec();
    assert_eq!(table(byte, values, arms), "-1 -128 127 0 ");
}

#[test]
fn ranges_guards_and_names() {
    let arms = |f: &mut Fun, value: Expr| {
        let n = f.local("n", i64_ty());
        let range = |a: i64, b: i64, inclusive| PatternKind::Range(Some(int(a)), Some(int(b)), inclusive);
        let named = PatternKind::Bind(n, Some(Box::new(pattern(range(10, 20, false), i64_ty()))));
        let big = f.local("big", i64_ty());
        let arms = vec![
            arm(is(int(0)), int(1)),
            arm(pattern(range(1, 9, true), i64_ty()), int(2)),
            arm(pattern(named, i64_ty()), mul(f.get(n), int(2))),
            guarded(bound(big, i64_ty()), bin(BinaryOp::Gt, f.get(big), int(100)), f.get(big)),
            arm(pattern(PatternKind::Range(None, Some(int(0)), false), i64_ty()), int(3)),
            arm(any(i64_ty()), int(4)),
        ];
        match_(value, arms, i64_ty())
    };
    let values = [0, 1, 9, 10, 19, 20, 101, -5].map(int).to_vec();
    assert_eq!(table(i64_ty(), values, arms), "1 2 2 20 38 4 101 3 ");
}

#[test]
fn guards_fall_through_to_later_arms_of_a_switch() {
    let arms = |f: &mut Fun, value: Expr| {
        let x = f.local("x", i64_ty());
        let odd = |f: &Fun| eq(bin(BinaryOp::Rem, f.get(x), int(2)), int(1));
        let arms = vec![
            guarded(is(int(1)), boolean(false), int(10)),
            guarded(bound(x, i64_ty()), odd(f), int(20)),
            arm(is(int(2)), int(30)),
            arm(is(int(3)), int(40)),
            arm(is(int(1)), int(50)),
            arm(any(i64_ty()), int(60)),
        ];
        match_(value, arms, i64_ty())
    };
    assert_eq!(table(i64_ty(), [1, 2, 3, 4].map(int).to_vec(), arms), "20 30 20 60 ");
}

#[test]
fn variants_bind_their_payload() {
    let mut make = Make::default();
    let pair = tuple_ty(&[i64_ty(), i64_ty()]);
    let inner = make.enumeration("Inner", &[&[], &[i64_ty()]]);
    let outer = make.enumeration("Outer", &[&[], &[inner, i64_ty()], &[pair], &[Ty::f64()]]);
    let chosen = make.function("chosen", &[outer], i64_ty(), |f, p| {
        let (x, y, z) = (f.local("x", i64_ty()), f.local("y", i64_ty()), f.local("z", i64_ty()));
        let some = pattern(PatternKind::Variant(1, vec![bound(x, i64_ty())]), inner);
        let nested = pattern(PatternKind::Variant(1, vec![some, is(int(5))]), outer);
        let other = pattern(PatternKind::Variant(1, vec![any(inner), bound(y, i64_ty())]), outer);
        let fields = pattern(PatternKind::Fields(vec![(1, bound(z, i64_ty()))]), pair);
        let arms = vec![
            arm(nested, f.get(x)),
            arm(other, mul(f.get(y), int(10))),
            arm(pattern(PatternKind::Variant(2, vec![fields]), outer), f.get(z)),
            arm(any(outer), int(77)),
        ];
        match_(f.get(p[0]), arms, i64_ty())
    });
    make.function("main", &[], i64_ty(), |_, _| {
        let some = |n| variant(inner, 1, vec![int(n)]);
        let values = [
            variant(outer, 1, vec![some(3), int(5)]),
            variant(outer, 1, vec![some(3), int(6)]),
            variant(outer, 1, vec![variant(inner, 0, vec![]), int(5)]),
            variant(outer, 2, vec![record(pair, vec![int(8), int(9)])]),
            variant(outer, 0, vec![]),
        ];
        block(values.into_iter().map(|v| say(call(&chosen, vec![v], i64_ty()))).collect(), int(0))
    });
    assert_eq!(run(&make).output, "3 60 50 9 77 ");
}

#[test]
fn texts_floats_and_bools() {
    let texts = |_: &mut Fun, value: Expr| {
        let arms = vec![arm(is(text("a")), int(1)), arm(is(text("b")), int(2)), arm(any(Ty::str()), int(3))];
        match_(value, arms, i64_ty())
    };
    assert_eq!(table(Ty::str(), vec![text("b"), text("a"), text("c")], texts), "2 1 3 ");
    let bools = |_: &mut Fun, value: Expr| {
        match_(value, vec![arm(is(boolean(true)), int(1)), arm(is(boolean(false)), int(0))], i64_ty())
    };
    assert_eq!(table(Ty::bool(), vec![boolean(true), boolean(false)], bools), "1 0 ");
    let floats = |_: &mut Fun, value: Expr| {
        match_(value, vec![arm(is(float(1.5)), int(1)), arm(any(Ty::f64()), int(0))], i64_ty())
    };
    assert_eq!(table(Ty::f64(), vec![float(1.5), float(2.0)], floats), "1 0 ");
}

#[test]
fn an_open_match_does_nothing_or_traps() {
    let silent = Make::main(|f| {
        let (x, bind) = f.bind("x", int(5));
        let matched = match_(f.get(x), vec![arm(is(int(1)), run_all(vec![say(int(1))]))], Ty::unit());
        block(vec![bind, do_(matched)], int(3))
    });
    assert_eq!(status(&silent), 3);
    let wanted = Make::main(|f| {
        let (x, bind) = f.bind("x", int(5));
        block(vec![bind], match_(f.get(x), vec![arm(is(int(1)), int(1))], i64_ty()))
    });
    assert_eq!(trap(&wanted), TrapCode::Unreachable);
}

#[test]
fn an_arm_may_change_what_was_matched() {
    let mut make = Make::default();
    let option = make.enumeration("Opt", &[&[], &[i64_ty()]]);
    make.function("main", &[], i64_ty(), |f, _| {
        let (o, bind) = f.bind("o", variant(option, 1, vec![int(40)]));
        let x = f.local("x", i64_ty());
        let some = pattern(PatternKind::Variant(1, vec![bound(x, i64_ty())]), option);
        let none = pattern(PatternKind::Variant(0, vec![]), option);
        let taken = block(vec![set(f.get(o), variant(option, 0, vec![]))], f.get(x));
        let first = match_(f.get(o), vec![arm(some, taken), arm(none.clone(), int(0))], i64_ty());
        let (a, keep) = f.bind("a", first);
        let second = match_(f.get(o), vec![arm(none, int(2)), arm(any(option), int(0))], i64_ty());
        block(vec![bind, keep], add(f.get(a), second))
    });
    assert_eq!(status(&make), 42);
}

#[test]
fn bindings_take_tuples_apart() {
    let pair = tuple_ty(&[i64_ty(), i64_ty()]);
    let make = Make::main(|f| {
        let (a, b) = (f.local("a", i64_ty()), f.local("b", i64_ty()));
        let names = |x, y| pattern(PatternKind::Fields(vec![(0, bound(x, i64_ty())), (1, bound(y, i64_ty()))]), pair);
        let first = vaisjit_semantics::hir::Stmt::Let(names(a, b), record(pair, vec![int(1), int(2)]));
        let swap = vaisjit_semantics::hir::Stmt::Let(names(a, b), record(pair, vec![f.get(b), f.get(a)]));
        block(vec![first, swap], add(mul(f.get(a), int(10)), f.get(b)))
    });
    assert_eq!(status(&make), 21);
}
