//! Every way generated code can fail: which trap, and at which place.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::*;
use vaisjit_abi::TrapCode;
use vaisjit_codegen::isa::OptLevel;
use vaisjit_codegen::mir::*;
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::BinaryOp;
use vaisjit_semantics::types::IntKind;

const HOT: TestLinker = TestLinker { hot: true, slots: true, inline: false, library: 0 };
const INLINED: TestLinker = TestLinker { hot: false, slots: false, inline: true, library: 0 };

fn machines(bodies: &[Body], test: impl Fn(&mut Machine)) {
    let hosts = [
        ("trap_message", trap::trap_message as *const () as usize),
        ("safepoint", trap::no_safepoint as *const () as usize),
    ];
    for opt in [OptLevel::None, OptLevel::Speed] {
        for linker in [TestLinker::default(), HOT] {
            test(&mut Machine::new(bodies, linker, opt, &hosts));
        }
    }
}

#[test]
fn division_by_zero_at_every_width() {
    for kind in IntKind::ALL {
        let ty = Ty::int(kind);
        let mut bodies = Vec::new();
        for op in [BinaryOp::Div, BinaryOp::Rem] {
            let mut f = FnBuilder::new(&format!("{op:?}"), &[ty, ty], ty);
            f.set(&f.result(), c(&f.param(0)));
            f.binary(&f.result(), op, c(&f.param(0)), c(&f.param(1)));
            f.ret();
            bodies.push(f.done());
        }
        machines(&bodies, |machine| {
            for op in ["Div", "Rem"] {
                let seen = machine.trap(op, &[5, 0]);
                assert_eq!((seen.code, seen.location), (TrapCode::DivisionByZero, 2), "{op} of {ty}");
            }
        });
    }
}

#[test]
fn null_and_wild_pointers() {
    let far = tuple(&[array(Ty::i64(), 1000), Ty::i64()]);
    let mut bodies = Vec::new();
    for (name, ty, index, of) in [("near", tuple(&[Ty::i64(), Ty::i64()]), 1, Ty::i64()), ("far", far, 1, Ty::i64())] {
        let mut f = FnBuilder::new(&format!("read_{name}"), &[Ty::pointer(ty)], of);
        f.set(&f.result(), c(&field(&deref(f.body.local(1), ty), index, of)));
        f.ret();
        bodies.push(f.done());
        let mut f = FnBuilder::new(&format!("write_{name}"), &[Ty::pointer(ty)], Ty::unit());
        f.set(&field(&deref(f.body.local(1), ty), index, of), int(1, of));
        f.ret();
        bodies.push(f.done());
    }
    let large = array(Ty::i64(), 300);
    let mut f = FnBuilder::new("copy", &[Ty::pointer(large)], Ty::i64());
    let local = f.temp(large);
    f.set(&local, c(&deref(f.body.local(1), large)));
    f.set(&f.result(), c(&project(&local, Projection::ConstIndex(5), Ty::i64())));
    f.ret();
    bodies.push(f.done());
    let mut f = FnBuilder::new("bytes", &[Ty::i64()], Ty::unit());
    f.push(StatementKind::CopyBytes { to: c(&f.param(0)), from: c(&f.param(0)), bytes: int(100, Ty::i64()) });
    f.ret();
    bodies.push(f.done());
    let mut f = FnBuilder::new("load_at", &[Ty::i64()], Ty::i64());
    f.assign(&f.result(), Rvalue::LoadAt(c(&f.param(0)), Ty::i64()));
    f.ret();
    bodies.push(f.done());
    let signature = Signature { params: Default::default(), result: Ty::unit() };
    let mut f = FnBuilder::new("call", &[Ty::i64()], Ty::unit());
    f.call(Callee::Value(c(&f.param(0)), signature), &[], None, Ty::unit());
    f.ret();
    bodies.push(f.done());
    machines(&bodies, |machine| {
        for name in ["read_near", "write_near", "read_far", "write_far", "copy", "bytes", "load_at", "call"] {
            let seen = machine.trap(name, &[0]);
            assert_eq!((seen.code, seen.location), (TrapCode::NullPointer, 1), "{name}");
            let seen = machine.trap(name, &[0x1234_5678_0000]);
            assert_eq!((seen.code, seen.location), (TrapCode::BadAddress, 1), "{name}");
        }
        let null_code = [0u128; 2];
        assert_eq!(machine.trap("call", &[null_code.as_ptr() as u128]).code, TrapCode::NullPointer);
    });
}

#[test]
fn checks_and_messages_reach_the_host() {
    let mut f = FnBuilder::new("index", &[Ty::i64(), Ty::i64()], Ty::unit());
    f.push(StatementKind::CheckIndex { index: c(&f.param(0)), length: c(&f.param(1)) });
    f.ret();
    let mut g = FnBuilder::new("panic", &[], Ty::unit());
    g.end(Terminator::Trap(TrapCode::Panic, Some(Operand::Const(Const::Str("enough".into())))));
    let mut h = FnBuilder::new("unwrap", &[], Ty::unit());
    h.end(Terminator::Trap(TrapCode::UnwrapFailed, None));
    machines(&[f.done(), g.done(), h.done()], |machine| {
        for (index, length) in [(-1i64, 3i64), (3, 3), (i64::MIN, 0), (0, 0)] {
            let seen = machine.trap("index", &[index as u64 as u128, length as u64 as u128]);
            assert_eq!((seen.code, seen.details), (TrapCode::IndexOutOfBounds, [index, length]));
        }
        machine.call("index", &[2, 3]);
        let seen = machine.trap("panic", &[]);
        assert_eq!((seen.code, seen.details[0]), (TrapCode::Panic, 6));
        let seen = machine.trap("unwrap", &[]);
        assert_eq!((seen.code, seen.location), (TrapCode::UnwrapFailed, 1));
    });
}

/// Calls itself without end; with a polled loop around it and a local in memory if `looping`.
fn endless(looping: bool) -> Body {
    let mut f = FnBuilder::new("endless", &[Ty::i64()], Ty::i64());
    let (result, n) = (f.result(), f.param(0));
    let kept = f.mem(array(Ty::i64(), 16));
    f.set(&project(&kept, Projection::ConstIndex(3), Ty::i64()), c(&n));
    let header = f.block(looping.then_some(0));
    if looping {
        f.body.loops.push(LoopInfo::new(0, None, header, true));
    }
    f.goto(header);
    f.at(header);
    f.call_fn("endless", &[Ty::i64()], &[c(&n)], &result);
    f.binary(&result, BinaryOp::Add, c(&result), c(&project(&kept, Projection::ConstIndex(3), Ty::i64())));
    if looping {
        f.push(StatementKind::Safepoint(Box::default()));
        f.goto(header);
    } else {
        f.ret();
    }
    f.done()
}

#[test]
fn both_stacks_overflow_with_a_trap() {
    for looping in [false, true] {
        machines(&[endless(looping)], |machine| {
            assert_eq!(machine.trap("endless", &[1]).code, TrapCode::StackOverflow);
            machine.context.data_end = machine.context.data_top + 100;
            assert_eq!(machine.trap("endless", &[1]).code, TrapCode::StackOverflow);
        });
    }
    let mut f = FnBuilder::new("huge", &[Ty::i64()], Ty::i64());
    let huge = f.mem(array(Ty::i64(), 100_000_000));
    let index = f.body.local(1);
    f.set(&project(&huge, Projection::Index(index), Ty::i64()), c(&f.param(0)));
    f.set(&f.result(), c(&project(&huge, Projection::Index(index), Ty::i64())));
    f.ret();
    machines(&[f.done()], |machine| assert_eq!(machine.trap("huge", &[1]).code, TrapCode::StackOverflow));
}

#[test]
fn a_trap_in_an_inlined_body_knows_both_places() {
    let div = |name: &str| {
        let mut f = FnBuilder::new(name, &[Ty::i64(), Ty::i64()], Ty::i64());
        f.set(&f.result(), c(&f.param(0)));
        f.binary(&f.result(), BinaryOp::Div, c(&f.result()), c(&f.param(1)));
        f.ret();
        f.done()
    };
    let through = |name: &str, callee: &str, padding: usize| {
        let mut f = FnBuilder::new(name, &[Ty::i64(), Ty::i64()], Ty::i64());
        let part = f.temp(Ty::i64());
        for _ in 0..padding {
            f.set(&part, int(1, Ty::i64()));
        }
        f.call_fn(callee, &[Ty::i64(), Ty::i64()], &[c(&f.param(0)), c(&f.param(1))], &part);
        f.binary(&f.result(), BinaryOp::Add, c(&part), int(1, Ty::i64()));
        f.ret();
        f.done()
    };
    let bodies = [through("outer", "middle", 3), through("middle", "div", 2), div("div")];
    for opt in [OptLevel::Speed] {
        for library in [0, 1, 2] {
            let linker = TestLinker { library, ..INLINED };
            let mut machine = Machine::new(&bodies, linker, opt, &[]);
            assert_eq!(machine.call("outer", &[84, 2]), 44);
            let seen = machine.trap("outer", &[1, 0]);
            assert_eq!(seen.code, TrapCode::DivisionByZero);
            let outer = &machine.unit.functions[0];
            let own = vaisjit_codegen::clif::locations(&bodies[0]).len() as u32;
            let inner = outer.inlined[(seen.location - own - 1) as usize];
            assert_eq!((inner.instance, inner.location), (instance("div"), 2));
            let middle = outer.inlined[(inner.call - own - 1) as usize];
            assert_eq!((middle.instance, middle.location, middle.call), (instance("middle"), 3, 4));
            assert!(!machine.unit.imports.iter().any(|import| import.to_string().starts_with("code:")));
        }
    }
}

/// Checks an index more than once, changes it, and checks it in and behind the arms of a branch.
fn checked_often() -> Body {
    let mut f = FnBuilder::new("often", &[Ty::i64(), Ty::i64()], Ty::i64());
    let (i, n, small) = (f.param(0), f.param(1), f.temp(Ty::bool()));
    let check = |f: &mut FnBuilder, length| f.push(StatementKind::CheckIndex { index: c(&i), length });
    let (first, second, behind) = (f.block(None), f.block(None), f.block(None));
    for length in [c(&n), c(&n), int(8, Ty::i64()), int(8, Ty::i64())] {
        check(&mut f, length);
    }
    f.binary(&i, BinaryOp::Add, c(&i), int(1, Ty::i64()));
    check(&mut f, c(&n));
    f.binary(&small, BinaryOp::Lt, c(&i), int(4, Ty::i64()));
    f.branch(c(&small), first, second);
    f.at(first);
    check(&mut f, c(&n));
    f.goto(behind);
    f.at(second);
    check(&mut f, int(8, Ty::i64()));
    f.goto(behind);
    f.at(behind);
    check(&mut f, int(6, Ty::i64()));
    f.set(&f.result(), c(&i));
    f.ret();
    f.done()
}

#[test]
fn a_check_that_has_been_passed_is_not_made_again() {
    machines(&[checked_often()], |machine| {
        let traps = machine.tables()[0].1.info.traps.clone();
        let checks = traps.iter().filter(|(_, code)| *code == vaisjit_abi::trap::FAILED_CHECK);
        assert_eq!(checks.count(), 5, "{traps:?}");
        assert_eq!(machine.call("often", &[2, 9]), 3);
        for (arguments, details) in
            [([9, 9], [9, 9]), ([8, 9], [8, 8]), ([3, 4], [4, 4]), ([7, 9], [8, 8]), ([6, 9], [7, 6])]
        {
            let seen = machine.trap("often", &arguments);
            assert_eq!((seen.code, seen.details), (TrapCode::IndexOutOfBounds, details), "{arguments:?}");
        }
    });
}
