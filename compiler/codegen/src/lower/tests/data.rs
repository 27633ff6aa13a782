//! Structs, tuples, arrays, slices, pointers and globals: values are copied, and never half-written.

use vaisjit_abi::TrapCode;
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, Builtin, CastKind, ExprKind};

use super::build::*;
use super::{i64_ty, run, status, trap};

fn pair() -> Ty {
    tuple_ty(&[i64_ty(), i64_ty()])
}

fn two(left: vaisjit_semantics::hir::Expr, right: vaisjit_semantics::hir::Expr) -> vaisjit_semantics::hir::Expr {
    record(pair(), vec![left, right])
}

/// `x * 10 + y` of a pair.
fn digits(value: vaisjit_semantics::hir::Expr) -> vaisjit_semantics::hir::Expr {
    add(mul(part(value.clone(), 0), int(10)), part(value, 1))
}

#[test]
fn fields_are_swapped_not_smeared() {
    for taken in [false, true] {
        let make = Make::main(|f| {
            let (p, bind) = f.bind("p", two(int(1), int(2)));
            let mut statements = vec![bind];
            if taken {
                let (_, pointer) = f.bind("q", address(f.get(p)));
                statements.push(pointer);
            }
            statements.push(set(f.get(p), two(part(f.get(p), 1), part(f.get(p), 0))));
            block(statements, digits(f.get(p)))
        });
        assert_eq!(status(&make), 21);
    }
}

#[test]
fn a_result_may_overwrite_its_argument() {
    let mut make = Make::default();
    let turn = make.function("turn", &[pair()], pair(), |f, p| {
        let value = || f.get(p[0]);
        two(part(value(), 1), add(part(value(), 0), int(5)))
    });
    make.function("main", &[], i64_ty(), |f, _| {
        let (p, bind) = f.bind("p", two(int(1), int(2)));
        let again = || set(f.get(p), call(&turn, vec![f.get(p)], pair()));
        block(vec![bind, again(), again()], digits(f.get(p)))
    });
    assert_eq!(status(&make), 67);
}

#[test]
fn a_global_is_not_seen_half_written() {
    let mut make = Make::default();
    let g = make.global("g", pair(), Some(two(int(1), int(2))));
    let turned = make.function("turned", &[], pair(), |_, _| two(part(g.clone(), 1), part(g.clone(), 0)));
    make.function("main", &[], i64_ty(), |_, _| {
        let statements = vec![
            set(g.clone(), call(&turned, vec![], pair())),
            set_op(BinaryOp::Add, part(g.clone(), 0), int(3)),
            set(g.clone(), two(part(g.clone(), 1), part(g.clone(), 0))),
        ];
        block(statements, digits(g.clone()))
    });
    assert_eq!(status(&make), 15);
}

#[test]
fn arguments_are_copies() {
    let mut make = Make::default();
    let scribble = make.function("scribble", &[pair()], i64_ty(), |f, p| {
        block(vec![set(part(f.get(p[0]), 0), int(9))], digits(f.get(p[0])))
    });
    make.function("main", &[], i64_ty(), |f, _| {
        let (p, bind) = f.bind("p", two(int(1), int(2)));
        let (r, result) = f.bind("r", call(&scribble, vec![f.get(p)], i64_ty()));
        let (q, copy) = f.bind("q", f.get(p));
        let change = set(part(f.get(q), 1), int(7));
        block(vec![bind, result, copy, change], add(f.get(r), digits(f.get(p))))
    });
    assert_eq!(status(&make), 104);
}

#[test]
fn pointers_reach_into_values() {
    let mut make = Make::default();
    let node = make.structure("Node", &[i64_ty(), pair(), array_ty(i64_ty(), 3)]);
    let bump = make.function("bump", &[Ty::pointer(node)], Ty::unit(), |f, p| {
        let this = || deref(f.get(p[0]));
        let inner = part(field(this(), 1, pair()), 1);
        let element = at(field(this(), 2, array_ty(i64_ty(), 3)), int(2));
        run_all(vec![set_op(BinaryOp::Add, part(this(), 0), int(1)), set(inner, int(20)), set(element, int(30))])
    });
    make.function("main", &[], i64_ty(), |f, _| {
        let parts = vec![int(1), two(int(2), int(3)), repeat(int(4), 3)];
        let (n, bind) = f.bind("n", record(node, parts));
        let run = do_(call(&bump, vec![address(f.get(n))], Ty::unit()));
        let sum = add(
            add(part(f.get(n), 0), part(field(f.get(n), 1, pair()), 1)),
            add(
                at(field(f.get(n), 2, array_ty(i64_ty(), 3)), int(2)),
                at(field(f.get(n), 2, array_ty(i64_ty(), 3)), int(0)),
            ),
        );
        block(vec![bind, run], sum)
    });
    assert_eq!(status(&make), 56);
}

#[test]
fn a_scalar_with_an_address_lives_in_memory() {
    let make = Make::main(|f| {
        let (x, bind) = f.bind("x", int(1));
        let (p, pointer) = f.bind("p", address(f.get(x)));
        let through = set(deref(f.get(p)), int(40));
        let (pp, pointer2) = f.bind("pp", address(f.get(p)));
        let twice = set_op(BinaryOp::Add, deref(deref(f.get(pp))), int(2));
        block(vec![bind, pointer, through, pointer2, twice], f.get(x))
    });
    assert_eq!(status(&make), 42);
}

#[test]
fn indices_are_checked() {
    let read = |index: i64| {
        Make::main(|f| {
            let (a, bind) = f.bind("a", array(vec![int(10), int(20), int(30)]));
            let (i, bind_i) = f.bind("i", int(index));
            block(vec![bind, bind_i], at(f.get(a), f.get(i)))
        })
    };
    assert_eq!(status(&read(2)), 30);
    assert_eq!(trap(&read(3)), TrapCode::IndexOutOfBounds);
    assert_eq!(trap(&read(-1)), TrapCode::IndexOutOfBounds);
    let constant = Make::main(|f| {
        let (a, bind) = f.bind("a", array(vec![int(10)]));
        block(vec![bind], at(f.get(a), int(1)))
    });
    assert_eq!(trap(&constant), TrapCode::IndexOutOfBounds);
}

#[test]
fn the_target_of_an_assignment_is_found_first() {
    let make = Make::main(|f| {
        let (a, bind) = f.bind("a", repeat(int(0), 3));
        let (i, bind_i) = f.bind("i", int(0));
        let value = block(vec![set(f.get(i), int(2))], int(7));
        let store = set(at(f.get(a), f.get(i)), value);
        let sum = add(mul(at(f.get(a), int(0)), int(10)), at(f.get(a), f.get(i)));
        block(vec![bind, bind_i, store], sum)
    });
    assert_eq!(status(&make), 70);
}

#[test]
fn arrays_of_arrays_are_values() {
    let row = array_ty(i64_ty(), 2);
    let make = Make::main(|f| {
        let rows = array(vec![array(vec![int(1), int(2)]), array(vec![int(3), int(4)])]);
        let (m, bind) = f.bind("m", rows);
        let (i, bind_i) = f.bind("i", int(1));
        let (t, keep) = f.bind("t", at(f.get(m), int(0)));
        let swap = vec![set(at(f.get(m), int(0)), at(f.get(m), f.get(i))), set(at(f.get(m), f.get(i)), f.get(t))];
        let own = set(at(f.get(m), int(0)), at(f.get(m), int(0)));
        let element = |r: i64, c: i64| at(at(f.get(m), int(r)), int(c));
        let digits =
            add(mul(element(0, 0), int(60)), add(mul(element(0, 1), int(10)), mul(element(1, 0), element(1, 1))));
        let mut statements = vec![bind, bind_i, keep];
        statements.extend(swap);
        statements.push(own);
        block(statements, digits)
    });
    assert_eq!(status(&make), 222);
    assert_eq!(row, array_ty(i64_ty(), 2));
}

#[test]
fn repeated_values_fill_arrays() {
    let make = Make::main(|f| {
        let (a, bind) = f.bind("a", repeat(two(int(1), int(2)), 100));
        let (z, zeros) = f.bind("z", repeat(int(0), 1000));
        let (sum, bind_sum) = f.bind("sum", int(0));
        let turns = f.range(int(0), int(100), false, |f, i| {
            run_all(vec![set_op(BinaryOp::Add, f.get(sum), add(part(at(f.get(a), i.clone()), 1), at(f.get(z), i)))])
        });
        block(vec![bind, zeros, bind_sum, turns], f.get(sum))
    });
    assert_eq!(status(&make), 200);
}

#[test]
fn slices_know_their_length() {
    let make = |index: i64| {
        Make::main(|f| {
            let (a, bind) = f.bind("a", array(vec![int(1), int(2), int(3)]));
            let (s, slice) = f.bind("s", cast(CastKind::ArrayToSlice, f.get(a), slice_ty(i64_ty())));
            let store = set(at(f.get(s), int(1)), int(50));
            let length = builtin(Builtin::Length, vec![f.get(s)], i64_ty());
            let (sum, bind_sum) = f.bind("sum", int(0));
            let x = f.local("x", i64_ty());
            let id = f.loop_id();
            let body = run_all(vec![set_op(BinaryOp::Add, f.get(sum), f.get(x))]);
            let each = ExprKind::ForEach { id, pattern: bound(x, i64_ty()), over: f.get(s), body };
            let last = at(f.get(s), int(index));
            let total = add(add(f.get(sum), length), add(last, at(f.get(a), int(1))));
            block(vec![bind, slice, store, bind_sum, do_(unit(each))], total)
        })
    };
    assert_eq!(status(&make(0)), 54 + 3 + 1 + 50);
    assert_eq!(trap(&make(3)), TrapCode::IndexOutOfBounds);
}

#[test]
fn loops_over_arrays_take_elements_apart() {
    let make = Make::main(|f| {
        let (a, bind) = f.bind("a", array(vec![two(int(1), int(2)), two(int(3), int(4))]));
        let (x, y) = (f.local("x", i64_ty()), f.local("y", i64_ty()));
        let id = f.loop_id();
        let fields = vec![(0, bound(x, i64_ty())), (1, bound(y, i64_ty()))];
        let pattern = pattern(vaisjit_semantics::hir::PatternKind::Fields(fields), pair());
        let body = run_all(vec![say(add(mul(f.get(x), int(10)), f.get(y)))]);
        block(vec![bind, do_(unit(ExprKind::ForEach { id, pattern, over: f.get(a), body }))], int(0))
    });
    assert_eq!(run(&make).output, "12 34 ");
}

#[test]
fn pointers_index_without_checks() {
    let make = Make::main(|f| {
        let (a, bind) = f.bind("a", array(vec![int(1), int(2), int(3)]));
        let first = cast(CastKind::ArrayToPointer, f.get(a), Ty::pointer(i64_ty()));
        let (p, pointer) = f.bind("p", first);
        let (i, bind_i) = f.bind("i", int(2));
        let store = set(at(f.get(p), f.get(i)), int(30));
        block(vec![bind, pointer, bind_i, store], add(at(f.get(p), int(1)), at(f.get(a), int(2))))
    });
    assert_eq!(status(&make), 32);
    let outside = Make::main(|f| {
        let (a, bind) = f.bind("a", array(vec![int(1)]));
        let (p, pointer) = f.bind("p", cast(CastKind::ArrayToPointer, f.get(a), Ty::pointer(i64_ty())));
        block(vec![bind, pointer], at(f.get(p), int(1)))
    });
    assert_eq!(trap(&outside), TrapCode::BadAddress);
}

#[test]
fn aggregates_are_compared_by_value() {
    let mut make = Make::default();
    let shape = make.enumeration("Shape", &[&[], &[i64_ty()], &[pair(), Ty::f64()]]);
    make.function("main", &[], i64_ty(), |f, _| {
        let big = |x| variant(shape, 2, vec![two(int(x), int(2)), float(0.5)]);
        let (a, bind) = f.bind("a", big(1));
        let yes = |e, n| if_(e, int(n), int(0));
        let terms = [
            yes(eq(f.get(a), big(1)), 1),
            yes(bin(BinaryOp::Ne, f.get(a), big(3)), 2),
            yes(bin(BinaryOp::Ne, f.get(a), variant(shape, 0, vec![])), 4),
            yes(eq(variant(shape, 0, vec![]), variant(shape, 0, vec![])), 8),
            yes(eq(variant(shape, 1, vec![int(3)]), variant(shape, 1, vec![int(4)])), 16),
            yes(eq(array(vec![int(1), int(2)]), array(vec![int(1), int(2)])), 32),
        ];
        block(vec![bind], terms.into_iter().reduce(add).unwrap())
    });
    assert_eq!(status(&make), 47);
}

#[test]
fn results_go_through_branches_and_blocks() {
    let make = Make::main(|f| {
        let (c, bind) = f.bind("c", boolean(true));
        let (p, choose) = f.bind("p", if_(f.get(c), two(int(1), int(2)), two(int(3), int(4))));
        let again = set(f.get(p), if_(f.get(c), block(vec![], two(part(f.get(p), 1), part(f.get(p), 0))), f.get(p)));
        let direct = part(if_(f.get(c), two(int(5), int(6)), f.get(p)), 1);
        block(vec![bind, choose, again], add(digits(f.get(p)), direct))
    });
    assert_eq!(status(&make), 27);
}

#[test]
fn zero_values() {
    let make = Make::main(|f| {
        let (p, bind) = f.bind("p", expr(ExprKind::Zero, pair()));
        let (n, number) = f.bind("n", expr(ExprKind::Zero, i64_ty()));
        let (s, empty) = f.bind("s", expr(ExprKind::Zero, Ty::str()));
        let length = builtin(Builtin::Length, vec![f.get(s)], i64_ty());
        block(vec![bind, number, empty], add(add(digits(f.get(p)), f.get(n)), length))
    });
    assert_eq!(status(&make), 0);
}

#[test]
fn fields_are_evaluated_in_the_order_of_the_literal() {
    let make = Make::main(|f| {
        let step = |n: i64| block(vec![say(int(n))], int(n));
        let literal = expr(ExprKind::Aggregate(vec![step(1), step(2)], vec![1, 0]), pair());
        let (p, bind) = f.bind("p", literal);
        block(vec![bind], digits(f.get(p)))
    });
    let outcome = run(&make);
    assert_eq!(outcome.output, "2 1 ");
}
