//! Loops, breaks, returns and deferred blocks.

use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, ExprKind, Stmt};
use vaisjit_semantics::types::IntKind;

use super::build::*;
use super::{i64_ty, mir, run, safepoints, status};
use crate::mir::StatementKind;

fn sum_of(start: i64, end: i64, inclusive: bool) -> Make {
    Make::main(|f| {
        let (sum, bind) = f.bind("sum", int(0));
        let (n, bind_end) = f.bind("n", int(end));
        let end = f.get(n);
        let total = f.range(int(start), end, inclusive, |f, i| run_all(vec![set_op(BinaryOp::Add, f.get(sum), i)]));
        block(vec![bind, bind_end, total], bin(BinaryOp::Rem, f.get(sum), int(251)))
    })
}

#[test]
fn ranges_count() {
    assert_eq!(status(&sum_of(0, 10, false)), 45);
    assert_eq!(status(&sum_of(0, 10, true)), 55);
    assert_eq!(status(&sum_of(5, 5, false)), 0);
    assert_eq!(status(&sum_of(5, 5, true)), 5);
    assert_eq!(status(&sum_of(6, 5, true)), 0);
    assert_eq!(status(&sum_of(0, 5000, false)), (0..5000i64).sum::<i64>() as i32 % 251);
}

#[test]
fn a_range_may_end_at_the_last_value() {
    for constant in [false, true] {
        let make = Make::main(|f| {
            let (count, bind) = f.bind("count", int(0));
            let (last, bind_last) = f.bind("last", int(i64::MAX));
            let end = if constant { int(i64::MAX) } else { f.get(last) };
            let turns = f
                .range(int(i64::MAX - 2), end, true, |f, _| run_all(vec![set_op(BinaryOp::Add, f.get(count), int(1))]));
            block(vec![bind, bind_last, turns], f.get(count))
        });
        assert_eq!(status(&make), 3);
    }
    let byte = Ty::int(IntKind::U8);
    let make = Make::main(|f| {
        let (count, bind) = f.bind("count", int(0));
        let turns = f.range(typed(0, byte), typed(255, byte), true, |f, _| {
            run_all(vec![set_op(BinaryOp::Add, f.get(count), int(1))])
        });
        block(vec![bind, turns], bin(BinaryOp::Sub, f.get(count), int(56)))
    });
    assert_eq!(status(&make), 200);
}

#[test]
fn the_body_has_its_own_copy_of_the_counter() {
    let make = Make::main(|f| {
        let (sum, bind) = f.bind("sum", int(0));
        let turns = f.range(int(0), int(5), false, |f, i| {
            run_all(vec![set_op(BinaryOp::Mul, i.clone(), int(2)), set_op(BinaryOp::Add, f.get(sum), i)])
        });
        block(vec![bind, turns], f.get(sum))
    });
    assert_eq!(status(&make), 20);
}

#[test]
fn the_ends_are_evaluated_once() {
    let make = Make::main(|f| {
        let (n, bind) = f.bind("n", int(3));
        let (turns, bind_turns) = f.bind("turns", int(0));
        let end = f.get(n);
        let over = f.range(int(0), end, false, |f, _| {
            run_all(vec![set_op(BinaryOp::Add, f.get(n), int(10)), set_op(BinaryOp::Add, f.get(turns), int(1))])
        });
        block(vec![bind, bind_turns, over], add(mul(f.get(turns), int(10)), bin(BinaryOp::Sub, f.get(n), int(33))))
    });
    assert_eq!(status(&make), 30);
}

#[test]
fn break_and_continue() {
    let make = Make::main(|f| {
        let (sum, bind) = f.bind("sum", int(0));
        let (i, bind_i) = f.bind("i", int(0));
        let looped = f.while_(lt(f.get(i), int(100)), |f, id| {
            let odd = eq(bin(BinaryOp::Rem, f.get(i), int(2)), int(1));
            run_all(vec![
                set_op(BinaryOp::Add, f.get(i), int(1)),
                when(odd, never(ExprKind::Continue(id))),
                when(bin(BinaryOp::Gt, f.get(i), int(10)), never(ExprKind::Break(id, None))),
                set_op(BinaryOp::Add, f.get(sum), f.get(i)),
            ])
        });
        block(vec![bind, bind_i, looped], f.get(sum))
    });
    assert_eq!(status(&make), 30);
}

#[test]
fn a_loop_has_the_value_of_its_break() {
    let make = Make::main(|f| {
        let (i, bind) = f.bind("i", int(0));
        let id = f.loop_id();
        let done = never(ExprKind::Break(id, Some(mul(f.get(i), int(3)))));
        let body = run_all(vec![set_op(BinaryOp::Add, f.get(i), int(1)), when(eq(f.get(i), int(7)), done)]);
        block(vec![bind], add(expr(ExprKind::Loop(id, body), i64_ty()), int(1)))
    });
    assert_eq!(status(&make), 22);
}

#[test]
fn early_returns() {
    let mut make = Make::default();
    let sign = make.function("sign", &[i64_ty()], i64_ty(), |f, p| {
        let negative = when(lt(f.get(p[0]), int(0)), ret(int(1)));
        let zero = when(eq(f.get(p[0]), int(0)), ret(int(2)));
        block(vec![negative, zero], int(3))
    });
    make.function("main", &[], i64_ty(), |_, _| {
        let of = |n| call(&sign, vec![int(n)], i64_ty());
        add(mul(of(-5), int(100)), add(mul(of(0), int(10)), of(9)))
    });
    assert_eq!(status(&make), 123);
}

#[test]
fn defers_run_last_in_first_out_after_the_result() {
    let mut make = Make::default();
    let g = make.global("g", i64_ty(), Some(int(5)));
    let work = make.function("work", &[i64_ty()], i64_ty(), |f, p| {
        let say = |n| Stmt::Defer(run_all(vec![say(int(n))]));
        let conditional = when(bin(BinaryOp::Gt, f.get(p[0]), int(1)), run_all(vec![say(2)]));
        let early = when(bin(BinaryOp::Gt, f.get(p[0]), int(2)), ret(int(9)));
        let change = Stmt::Defer(run_all(vec![set(g.clone(), int(70))]));
        block(vec![say(1), conditional, early, change, say(3)], g.clone())
    });
    make.function("main", &[], i64_ty(), |f, _| {
        let mut statements = Vec::new();
        for n in 1..=3 {
            let (r, bind) = f.bind("r", call(&work, vec![int(n)], i64_ty()));
            statements.extend([bind, say(f.get(r)), print(vec![plain("; ")])]);
        }
        block(statements, int(0))
    });
    assert_eq!(run(&make).output, "3 1 5 ; 3 2 1 70 ; 2 1 9 ; ");
}

#[test]
fn a_defer_in_a_loop_runs_as_often_as_it_was_reached() {
    let make = Make::main(|f| {
        let (n, bind) = f.bind("n", int(0));
        let turns = f.range(int(0), int(3), false, |f, _| {
            let defer = Stmt::Defer(run_all(vec![set_op(BinaryOp::Add, f.get(n), int(1)), say(f.get(n))]));
            run_all(vec![defer])
        });
        block(vec![bind, turns], f.get(n))
    });
    assert_eq!(run(&make).output, "1 2 3 ");
    assert_eq!(status(&make), 0);
}

#[test]
fn safepoints_stand_in_loops_that_may_be_long() {
    // Before each strip of 1,024 turns, and once before the loop ends.
    assert_eq!(safepoints(&sum_of(0, 3000, false)), 4);
    let short = Make::main(|f| {
        let (sum, bind) = f.bind("sum", int(0));
        let turns = f.range(int(0), int(64), false, |f, i| run_all(vec![set_op(BinaryOp::Add, f.get(sum), i)]));
        block(vec![bind, turns], int(0))
    });
    assert_eq!(safepoints(&short), 0);
    let calling = Make::main(|f| {
        let turns = f.range(int(0), int(4), false, |_, i| run_all(vec![say(i)]));
        block(vec![turns], int(0))
    });
    assert_eq!(safepoints(&calling), 5);
    let cold = mir(&calling, "main", false);
    let polls = cold.blocks.values().flat_map(|block| &block.statements);
    assert_eq!(polls.filter(|statement| matches!(statement.kind, StatementKind::Safepoint(_))).count(), 0);
}

#[test]
fn loops_are_listed_from_the_outside_in() {
    let make = Make::main(|f| {
        let (sum, bind) = f.bind("sum", int(0));
        let turns = f.range(int(0), int(100), false, |f, _| {
            let (n, bind_n) = f.bind("n", int(5));
            let count = set_op(BinaryOp::Sub, f.get(n), int(1));
            let inner = f.while_(bin(BinaryOp::Gt, f.get(n), int(0)), |f, _| {
                run_all(vec![count, set_op(BinaryOp::Add, f.get(sum), int(1))])
            });
            run_all(vec![bind_n, inner])
        });
        block(vec![bind, turns], bin(BinaryOp::Sub, f.get(sum), int(400)))
    });
    assert_eq!(status(&make), 100);
    let body = mir(&make, "main", true);
    assert_eq!(
        body.loops.iter().map(|info| (info.parent, info.polled)).collect::<Vec<_>>(),
        [(None, true), (Some(0), true)]
    );
}
