//! The MIR that comes out: what the passes make of it.

use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, Builtin};

use super::build::*;
use super::{Options, i64_ty, mir, status};
use crate::layout::TypeLayouts;
use crate::lower::lower_with;
use crate::mir::dump::dump;
use crate::mir::{Body, StatementKind};

fn count(body: &Body, wanted: impl Fn(&StatementKind) -> bool) -> usize {
    body.blocks.values().flat_map(|block| &block.statements).filter(|statement| wanted(&statement.kind)).count()
}

fn checks(body: &Body) -> usize {
    count(body, |kind| matches!(kind, StatementKind::CheckIndex { .. }))
}

/// `L i: start..end { sum += a[i] }` over an array of ten.
fn walk(start: i64, end: i64, assigned: bool) -> Make {
    Make::main(|f| {
        let (a, bind) = f.bind("a", repeat(int(1), 10));
        let (sum, bind_sum) = f.bind("sum", int(0));
        let turns = f.range(int(start), int(end), false, |f, i| {
            let mut statements = vec![set_op(BinaryOp::Add, f.get(sum), at(f.get(a), i.clone()))];
            if assigned {
                statements.push(set(i, int(0)));
            }
            run_all(statements)
        });
        block(vec![bind, bind_sum, turns], f.get(sum))
    })
}

#[test]
fn checks_that_the_range_proves_are_left_out() {
    assert_eq!(checks(&mir(&walk(0, 10, false), "main", true)), 0);
    assert_eq!(checks(&mir(&walk(2, 5, false), "main", true)), 0);
    assert_eq!(checks(&mir(&walk(0, 11, false), "main", true)), 1);
    assert_eq!(checks(&mir(&walk(-1, 10, false), "main", true)), 1);
    assert_eq!(checks(&mir(&walk(0, 10, true), "main", true)), 1);
    assert_eq!(status(&walk(0, 10, true)), 10);
}

#[test]
fn structs_nobody_points_at_become_scalars() {
    let point = |make: &mut Make| make.structure("P", &[i64_ty(), Ty::f64()]);
    let mut make = Make::default();
    let ty = point(&mut make);
    let inner = tuple_ty(&[ty, i64_ty()]);
    make.function("main", &[], i64_ty(), |f, _| {
        let (p, bind) = f.bind("p", record(ty, vec![int(3), float(0.5)]));
        let (t, outer) = f.bind("t", record(inner, vec![f.get(p), int(4)]));
        let change = set_op(BinaryOp::Add, part(field(f.get(t), 0, ty), 0), int(10));
        let (q, copy) = f.bind("q", field(f.get(t), 0, ty));
        block(vec![bind, outer, change, copy], add(mul(part(f.get(q), 0), part(f.get(p), 0)), part(f.get(t), 1)))
    });
    assert_eq!(status(&make), 43);
    let body = mir(&make, "main", true);
    assert!(body.locals.values().all(|local| !local.in_memory), "{}", dump(&body));
    let names: Vec<&str> = body.locals.values().filter_map(|local| Some(local.name?.as_str())).collect();
    assert!(names.contains(&"p.f0") && names.contains(&"t.0.f1"), "{names:?}");
}

#[test]
fn structs_with_an_address_stay_whole() {
    let pair = tuple_ty(&[i64_ty(), i64_ty()]);
    let make = Make::main(|f| {
        let (p, bind) = f.bind("p", record(pair, vec![int(3), int(4)]));
        let (q, pointer) = f.bind("q", address(part(f.get(p), 1)));
        block(vec![bind, pointer, set(deref(f.get(q)), int(9))], part(f.get(p), 1))
    });
    assert_eq!(status(&make), 9);
    assert!(mir(&make, "main", true).locals.values().any(|local| local.in_memory));
}

#[test]
fn aggregate_parameters_are_read_once() {
    let pair = tuple_ty(&[i64_ty(), i64_ty()]);
    let mut make = Make::default();
    let sum = make.function("sum", &[pair, i64_ty()], i64_ty(), |f, p| {
        let (total, bind) = f.bind("total", int(0));
        let end = f.get(p[1]);
        let turns = f.range(int(0), end, false, |f, _| {
            run_all(vec![set_op(BinaryOp::Add, f.get(total), add(part(f.get(p[0]), 0), part(f.get(p[0]), 1)))])
        });
        block(vec![bind, turns], f.get(total))
    });
    make.function("main", &[], i64_ty(), |_, _| call(&sum, vec![record(pair, vec![int(2), int(3)]), int(7)], i64_ty()));
    assert_eq!(status(&make), 35);
    let text = dump(&mir(&make, "sum", false));
    assert_eq!(text.matches("_1.").count(), 2, "{text}");
}

#[test]
fn fresh_aggregates_are_passed_without_a_copy() {
    let pair = tuple_ty(&[i64_ty(), i64_ty()]);
    let mut make = Make::default();
    let first = make.function("first", &[pair], i64_ty(), |f, p| part(f.get(p[0]), 0));
    make.function("main", &[], i64_ty(), |_, _| call(&first, vec![record(pair, vec![int(2), int(3)])], i64_ty()));
    let expected = "\
fn m.main() -> i64 {
    let _1: (i64, i64)
    bb0:
        _1.0 = 2: i64
        _1.1 = 3: i64
        call m.first(_1) -> _0
        return
}
";
    assert_eq!(dump(&mir(&make, "main", true)), expected);
}

#[test]
fn temporaries_that_pass_values_on_disappear() {
    let make = Make::main(|f| {
        let (x, bind) = f.bind("x", c_call("labs", None, vec![int(-5)], i64_ty()));
        let (y, bind_y) = f.bind("y", builtin(Builtin::Max, vec![f.get(x), int(3)], i64_ty()));
        block(vec![bind, bind_y, set(f.get(x), c_call("labs", None, vec![f.get(y)], i64_ty()))], f.get(x))
    });
    let expected = "\
fn m.main() -> i64 {
    let _1 x: i64
    let _2 y: i64
    bb0:
        call c:labs(-5: i64) -> _1
        _2 = max _1, 3: i64
        call c:labs(_2) -> _1
        _0 = _1
        return
}
";
    assert_eq!(dump(&mir(&make, "main", true)), expected);
}

#[test]
fn a_strip_is_polled_once() {
    let make = Make::main(|f| {
        let (sum, bind) = f.bind("sum", int(0));
        let (n, bind_n) = f.bind("n", int(5000));
        let end = f.get(n);
        let turns = f.range(int(0), end, false, |f, i| run_all(vec![set_op(BinaryOp::Add, f.get(sum), i)]));
        block(vec![bind, bind_n, turns], int(0))
    });
    let expected = "\
fn m.main() -> i64 {
    let _1 sum: i64
    let _2 n: i64
    let _3 i: i64
    let _4 {i.end}: i64
    let _5: bool
    let _6: i64
    let _7: u64
    let _8: u64
    let _9: i64
    let _10: i64
    let _11: bool
    loop 0: bb1, polled
    bb0:
        _1 = 0: i64
        _2 = 5000: i64
        _4 = _2
        _3 = 0: i64
        goto bb1
    bb1:  ; loop 0
        safepoint [sum = _1, n = _2, {i.at} = _3, {i.end} = _4]
        _5 = lt _3, _4
        branch _5 ? bb2 : bb4
    bb2:  ; loop 0
        _6 = sub _4, _3
        _7 = int _6 as u64
        _8 = min _7, 1024: u64
        _9 = int _8 as i64
        _10 = add _3, _9
        goto bb3
    bb3:  ; loop 0
        _1 = add _1, _3
        _3 = add _3, 1: i64
        _11 = lt _3, _10
        branch _11 ? bb3 : bb1
    bb4:
        _0 = 0: i64
        return
}
";
    assert_eq!(dump(&mir(&make, "main", true)), expected);
}

#[test]
fn fingerprints_ignore_where_things_stand() {
    let make = walk(0, 10, false);
    let layouts = TypeLayouts::new(&make.program);
    let mut moved = (*make.program.functions[0].body).clone();
    moved.value.span = vaisjit_syntax::Span::new(100, 200);
    let lower = |body: &vaisjit_semantics::hir::Body| {
        lower_with(body, &make.program, &layouts, Options::all(true)).unwrap().fingerprint()
    };
    assert_eq!(lower(&make.program.functions[0].body), lower(&moved));
    assert_ne!(lower(&moved), lower(&walk(0, 9, false).program.functions[0].body));
}
