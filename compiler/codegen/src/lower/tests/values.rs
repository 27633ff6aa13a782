//! Operators, conversions, order of evaluation, calls and output.

use vaisjit_abi::TrapCode;
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{self, BinaryOp, Builtin, CastKind, ExprKind, FormatPiece, UnaryOp};
use vaisjit_semantics::types::IntKind;
use vaisjit_syntax::Name;
use vaisjit_syntax::ast::FormatSpec;

use super::build::*;
use super::{i64_ty, mir, refusal, run, status, trap};
use crate::mir::dump::dump;

#[test]
fn arithmetic_and_calls() {
    let mut make = Make::default();
    let fib = hir::Callee::Function(vaisjit_semantics::Instance::plain(path("fib")));
    make.function("fib", &[i64_ty()], i64_ty(), |f, p| {
        let n = || f.get(p[0]);
        let less = |by| call(&fib, vec![bin(BinaryOp::Sub, n(), int(by))], i64_ty());
        if_(lt(n(), int(2)), n(), add(less(1), less(2)))
    });
    make.function("main", &[], i64_ty(), |_, _| call(&fib, vec![int(10)], i64_ty()));
    assert_eq!(status(&make), 55);
    let text = dump(&mir(&make, "fib", true));
    let expected = "\
fn m.fib(_1 p0: i64) -> i64 {
    let _2: bool
    let _3: i64
    let _4: i64
    let _5: i64
    let _6: i64
    bb0:
        _2 = lt _1, 2: i64
        branch _2 ? bb1 : bb2
    bb1:
        _0 = _1
        return
    bb2:
        _4 = sub _1, 1: i64
        call m.fib(_4) -> _3
        _6 = sub _1, 2: i64
        call m.fib(_6) -> _5
        _0 = add _3, _5
        return
}
";
    assert_eq!(
        text,
        expected.replace("        return\n    bb2", "        goto bb3\n    bb2").replace(
            "        _0 = add _3, _5\n        return\n",
            "        _0 = add _3, _5\n        goto bb3\n    bb3:\n        return\n"
        )
    );
}

#[test]
fn division_traps_on_zero_only() {
    let divide = |left: i64, right: i64| {
        Make::main(|f| {
            let (zero, bind) = f.bind("d", int(right));
            let quotient = bin(BinaryOp::Div, int(left), f.get(zero));
            block(vec![bind], bin(BinaryOp::BitAnd, quotient, int(127)))
        })
    };
    assert_eq!(trap(&divide(1, 0)), TrapCode::DivisionByZero);
    assert_eq!(status(&divide(i64::MIN, -1)), 0);
    assert_eq!(status(&divide(-7, 2)), 125);
}

#[test]
fn the_left_side_is_read_before_the_right_changes_it() {
    let make = Make::main(|f| {
        let (x, bind) = f.bind("x", int(1));
        let change = block(vec![set(f.get(x), int(10))], f.get(x));
        block(vec![bind], add(mul(f.get(x), int(2)), add(f.get(x), change)))
    });
    assert_eq!(status(&make), 13);
    let make = Make::main(|f| {
        let (x, bind) = f.bind("x", int(1));
        let change = block(vec![set(f.get(x), int(10))], int(5));
        block(vec![bind, set_op(BinaryOp::Add, f.get(x), change)], f.get(x))
    });
    assert_eq!(status(&make), 6);
}

#[test]
fn arguments_are_evaluated_in_order() {
    let mut make = Make::default();
    let pair =
        make.function("pair", &[i64_ty(), i64_ty()], i64_ty(), |f, p| add(mul(f.get(p[0]), int(10)), f.get(p[1])));
    make.function("main", &[], i64_ty(), |f, _| {
        let (x, bind) = f.bind("x", int(1));
        let change = block(vec![set(f.get(x), int(4))], f.get(x));
        block(vec![bind], call(&pair, vec![f.get(x), change], i64_ty()))
    });
    assert_eq!(status(&make), 14);
}

#[test]
fn short_circuits() {
    let make = Make::main(|f| {
        let (n, bind) = f.bind("n", int(0));
        let touch = |f: &Fun| block(vec![set_op(BinaryOp::Add, f.get(n), int(1))], boolean(true));
        let and = expr(ExprKind::And(boolean(false), touch(f)), Ty::bool());
        let or = expr(ExprKind::Or(boolean(true), touch(f)), Ty::bool());
        let both = expr(ExprKind::And(touch(f), expr(ExprKind::Unary(UnaryOp::Not, and), Ty::bool())), Ty::bool());
        let (a, bind_a) = f.bind("a", both);
        let (b, bind_b) = f.bind("b", or);
        let sum = |f: &Fun, x| if_(f.get(x), int(10), int(0));
        block(vec![bind, bind_a, bind_b], add(f.get(n), add(sum(f, a), sum(f, b))))
    });
    assert_eq!(status(&make), 21);
}

#[test]
fn casts() {
    let make = Make::main(|f| {
        let (x, bind) = f.bind("x", float(-1e30));
        let (b, bind_b) = f.bind("b", boolean(true));
        let saturated = cast(CastKind::FloatToInt, f.get(x), Ty::int(IntKind::I8));
        let wide = cast(CastKind::IntToInt, saturated, i64_ty());
        let one = cast(CastKind::IntToInt, f.get(b), i64_ty());
        let back = cast(CastKind::FloatToInt, cast(CastKind::IntToFloat, int(7), Ty::f64()), i64_ty());
        block(vec![bind, bind_b], add(add(wide, int(128)), add(one, back)))
    });
    assert_eq!(status(&make), 8);
}

#[test]
fn prints_every_kind() {
    let spec = FormatSpec { width: Some(6), precision: Some(2), ..FormatSpec::default() };
    let make = Make::main(|f| {
        let (x, bind) = f.bind("x", float(1.005));
        let (u, bind_u) = f.bind("u", typed(255, Ty::int(IntKind::U8)));
        let (s, bind_s) = f.bind("s", typed(-1, Ty::int(IntKind::I128)));
        let pieces = vec![
            plain("a"),
            plain("b "),
            shown(f.get(x)),
            plain("|"),
            FormatPiece::Value(f.get(x), spec.clone()),
            plain("|"),
            shown(f.get(u)),
            plain(" "),
            shown(f.get(s)),
            plain(" "),
            shown(boolean(true)),
            plain(" "),
            shown(text("txt")),
            shown(typed(-3, Ty::int(IntKind::I16))),
        ];
        block(vec![bind, bind_u, bind_s, print(pieces)], int(0))
    });
    assert_eq!(run(&make).output, "ab 1.005000|  1.00|255 -1 1 txt-3");
}

#[test]
fn values_are_evaluated_before_anything_is_printed() {
    let mut make = Make::default();
    let noisy = make.function("noisy", &[], i64_ty(), |_, _| block(vec![print(vec![plain("first ")])], int(2)));
    make.function("main", &[], i64_ty(), |_, _| {
        block(vec![print(vec![plain("then "), shown(call(&noisy, vec![], i64_ty()))])], int(0))
    });
    assert_eq!(run(&make).output, "first then 2");
}

#[test]
fn calls_of_c_and_of_values() {
    let mut make = Make::default();
    let twice = make.function("twice", &[i64_ty()], i64_ty(), |f, p| mul(f.get(p[0]), int(2)));
    make.function("main", &[], i64_ty(), |f, _| {
        let ty =
            Ty::new(vaisjit_semantics::TyKind::Function(vaisjit_semantics::types::TyList::new(&[i64_ty()]), i64_ty()));
        let (g, bind) = f.bind("g", expr(ExprKind::Function(twice), ty));
        let through = expr(ExprKind::Call(hir::Callee::Value(Box::new(f.get(g))), vec![int(21)]), i64_ty());
        let format = cast(CastKind::Pointer, text("%ld %s\n"), Ty::pointer(Ty::int(IntKind::I8)));
        let printf = c_call("printf", Some(1), vec![format, int(5), text("five")], Ty::int(IntKind::I32));
        block(vec![bind, do_(printf)], through)
    });
    let outcome = run(&make);
    assert_eq!(outcome.output, "5 five\n");
    assert_eq!(outcome.exit, crate::mir::interp::Exit::Status(42));
}

#[test]
fn texts_compare_by_content() {
    let make = Make::main(|f| {
        let (a, bind) = f.bind("a", text("abc"));
        let yes = |e, n| if_(e, int(n), int(0));
        let terms = [
            yes(eq(f.get(a), text("abc")), 1),
            yes(bin(BinaryOp::Ne, f.get(a), text("abd")), 2),
            yes(lt(f.get(a), text("abd")), 4),
            yes(bin(BinaryOp::Ge, f.get(a), text("ab")), 8),
            builtin(Builtin::Length, vec![f.get(a)], i64_ty()),
        ];
        block(vec![bind], terms.into_iter().reduce(add).unwrap())
    });
    assert_eq!(status(&make), 18);
}

#[test]
fn intrinsics_and_raw_memory() {
    let make = Make::main(|f| {
        let malloc = c_call("malloc", None, vec![int(32)], i64_ty());
        let (p, bind) = f.bind("p", malloc);
        let word = |n: i64, f: &Fun| add(f.get(p), int(8 * n));
        let store = |n, v, f: &Fun| do_(builtin(Builtin::Store, vec![word(n, f), int(v)], Ty::unit()));
        let load = |n, f: &Fun| builtin(Builtin::Load, vec![word(n, f)], i64_ty());
        let typed = cast(CastKind::Pointer, f.get(p), Ty::pointer(i64_ty()));
        let swap = do_(builtin(Builtin::Swap, vec![typed, int(0), int(1)], Ty::unit()));
        let copy = do_(builtin(Builtin::MemCopy, vec![word(2, f), word(0, f), int(16)], Ty::unit()));
        let least = builtin(Builtin::Min, vec![load(2, f), load(3, f)], i64_ty());
        let most = builtin(Builtin::Max, vec![load(2, f), int(9)], i64_ty());
        let free = do_(c_call("free", None, vec![f.get(p)], Ty::unit()));
        let (r, result) = f.bind("r", add(mul(load(2, f), int(100)), add(mul(least, int(10)), most)));
        block(
            vec![bind, store(0, 1, f), store(1, 2, f), swap, copy, result, free],
            bin(BinaryOp::Rem, f.get(r), int(256)),
        )
    });
    assert_eq!(status(&make), 219);
}

#[test]
fn a_bad_address_traps() {
    let load = |address: i64| Make::main(|_| builtin(Builtin::Load, vec![int(address)], i64_ty()));
    assert_eq!(trap(&load(0)), TrapCode::NullPointer);
    assert_eq!(trap(&load(0x7000_0000_0000)), TrapCode::BadAddress);
}

#[test]
fn traps_carry_their_text() {
    let make = Make::main(|_| never(ExprKind::Trap(TrapCode::Panic, Some(text("no way")))));
    match run(&make).exit {
        crate::mir::interp::Exit::Trap(trap) => assert_eq!(trap.message.as_deref(), Some("no way")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn endless_recursion_is_a_stack_overflow() {
    let mut make = Make::default();
    let down = hir::Callee::Function(vaisjit_semantics::Instance::plain(path("down")));
    make.function("down", &[i64_ty()], i64_ty(), |f, p| add(call(&down, vec![f.get(p[0])], i64_ty()), int(1)));
    make.function("main", &[], i64_ty(), |_, _| call(&down, vec![int(1)], i64_ty()));
    assert_eq!(trap(&make), TrapCode::StackOverflow);
}

#[test]
fn what_is_missing_is_refused() {
    let vec = Ty::new(vaisjit_semantics::TyKind::Vec(i64_ty()));
    let host = expr(ExprKind::Function(hir::Callee::Host(Name::new("f"))), vec);
    assert_eq!(refusal(&Make::main(|_| block(vec![do_(host)], int(0)))), "the host function `f` as a value");
}
