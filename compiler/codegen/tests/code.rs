//! Control flow, calls, memory and the conventions with the runtime.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::*;
use smallvec::smallvec;
use vaisjit_abi::{CallContext, FrameBlock};
use vaisjit_codegen::isa::{OptLevel, isa};
use vaisjit_codegen::link::{Import, SlotKey};
use vaisjit_codegen::mir::*;
use vaisjit_codegen::unit::{Compiler, UnitInput, compile_functions};
use vaisjit_semantics::hir::{BinaryOp, CastKind};
use vaisjit_semantics::{ItemPath, Ty, TyKind};
use vaisjit_syntax::Name;

const LEVELS: [OptLevel; 2] = [OptLevel::None, OptLevel::Speed];
const SLOTS: TestLinker = TestLinker { hot: true, slots: true, inline: false, library: 0 };
const DIRECT: TestLinker = TestLinker { hot: false, slots: false, inline: false, library: 0 };
const INLINED: TestLinker = TestLinker { hot: false, slots: false, inline: true, library: 0 };

fn i64() -> Ty {
    Ty::i64()
}

fn local(place: &Place) -> Local {
    let PlaceBase::Local(local) = place.base else { panic!("{place:?} is no local") };
    local
}

/// Calls `step(i)` for `i` below `n` and adds the results up; polled.
fn looping(in_memory: bool) -> Body {
    let mut f = FnBuilder::new("looping", &[i64()], i64());
    let (n, result) = (f.param(0), f.result());
    let i = if in_memory { f.mem(i64()) } else { f.temp(i64()) };
    let (header, body, done) = (f.block(Some(0)), f.block(Some(0)), f.block(None));
    f.body.loops.push(LoopInfo::new(0, None, header, true));
    f.set(&i, int(0, i64()));
    f.set(&result, int(0, i64()));
    f.goto(header);
    f.at(header);
    let more = f.temp(Ty::bool());
    f.binary(&more, BinaryOp::Lt, c(&i), c(&n));
    f.branch(c(&more), body, done);
    f.at(body);
    let part = f.temp(i64());
    f.call_fn("step", &[i64()], &[c(&i)], &part);
    f.binary(&result, BinaryOp::Add, c(&result), c(&part));
    f.binary(&i, BinaryOp::Add, c(&i), int(1, i64()));
    f.push(StatementKind::Safepoint(Box::default()));
    f.goto(header);
    f.at(done);
    f.ret();
    f.done()
}

/// `name(x) = x * factor`
fn times(name: &str, factor: i128) -> Body {
    let mut f = FnBuilder::new(name, &[i64()], i64());
    let result = f.result();
    f.binary(&result, BinaryOp::Mul, c(&f.param(0)), int(factor, i64()));
    f.ret();
    f.done()
}

#[test]
fn recursion_direct_through_a_slot_and_inlined() {
    for opt in LEVELS {
        for linker in [DIRECT, SLOTS, INLINED] {
            let mut machine = Machine::new(&[fib()], linker, opt, &[]);
            assert_eq!(machine.call("fib", &[20]), 6765);
        }
    }
}

static TURNS: AtomicUsize = AtomicUsize::new(0);
static SWAP: AtomicUsize = AtomicUsize::new(0);
static CODE: AtomicUsize = AtomicUsize::new(0);

/// Publishes new code after three turns of the loop that polls.
extern "C" fn swap_later(context: &CallContext) -> usize {
    if TURNS.fetch_add(1, Ordering::Relaxed) == 2 {
        let slot = SWAP.load(Ordering::Relaxed) as *mut usize;
        // SAFETY: the test stored the address of a slot of the running machine.
        unsafe { slot.write(CODE.load(Ordering::Relaxed)) };
        context.poll.store(0, Ordering::Relaxed);
    }
    0
}

#[test]
fn a_slot_swapped_at_a_safepoint_is_seen_by_the_running_loop() {
    for opt in LEVELS {
        for in_memory in [false, true] {
            let hosts = [("safepoint", swap_later as *const () as usize)];
            let bodies = [looping(in_memory), times("step", 1), times("other", 100)];
            let mut machine = Machine::new(&bodies, SLOTS, opt, &hosts);
            let signature = Signature { params: smallvec![i64()], result: i64() };
            let slot = Import::Slot(SlotKey { instance: instance("step"), signature });
            TURNS.store(0, Ordering::Relaxed);
            SWAP.store(machine.data(&slot), Ordering::Relaxed);
            CODE.store(machine.code("other"), Ordering::Relaxed);
            machine.context.poll.store(1, Ordering::Relaxed);
            let top = machine.context.data_top;
            assert_eq!(machine.call("looping", &[6]), 1 + 2 + 300 + 400 + 500);
            assert_eq!(TURNS.load(Ordering::Relaxed), 3, "a poll that is not asked for costs no call");
            assert_eq!(machine.context.data_top, top);
        }
    }
}

static SEEN: AtomicUsize = AtomicUsize::new(0);

/// Reads the local at offset 16 of the innermost block on the data stack and adds ten to it.
extern "C" fn look_at_frame(context: &CallContext) -> usize {
    // SAFETY: the caller has one block of 32 bytes on the data stack.
    unsafe {
        let block = (context.data_top - 32) as *const FrameBlock;
        assert_eq!(((*block).descriptor, (*block).size), (0, 32));
        assert_ne!((*block).frame_fp, 0);
        let i = block.add(1) as *mut i64;
        SEEN.store(i.read() as usize, Ordering::Relaxed);
        *i += 10;
    }
    context.poll.store(0, Ordering::Relaxed);
    0
}

#[test]
fn the_runtime_reads_and_writes_the_locals_of_a_polled_loop() {
    for opt in LEVELS {
        let hosts = [("safepoint", look_at_frame as *const () as usize)];
        let mut machine = Machine::new(&[looping(true), times("step", 1)], SLOTS, opt, &hosts);
        let frame = &machine.unit.functions[0].frame;
        assert_eq!((frame.size, frame.locals.len(), frame.locals[0].offset), (32, 1, 16));
        machine.context.poll.store(1, Ordering::Relaxed);
        assert_eq!(machine.call("looping", &[14]), 11 + 12 + 13);
        assert_eq!(SEEN.load(Ordering::Relaxed), 1);
    }
}

/// `(a: i64, b: (i32, f64), c: u8)`
fn nested() -> (Ty, Ty) {
    let inner = tuple(&[Ty::int(vaisjit_semantics::types::IntKind::I32), Ty::f64()]);
    (tuple(&[i64(), inner, Ty::int(vaisjit_semantics::types::IntKind::U8)]), inner)
}

/// `make(a, b) -> (a, (7, b), 255)`
fn make() -> Body {
    let (outer, inner) = nested();
    let mut f = FnBuilder::new("make", &[i64(), Ty::f64()], outer);
    let (result, a, b) = (f.result(), f.param(0), f.param(1));
    let at = field(&result, 1, inner);
    f.set(&field(&result, 0, i64()), c(&a));
    f.set(
        &field(&at, 0, Ty::int(vaisjit_semantics::types::IntKind::I32)),
        int(7, Ty::int(vaisjit_semantics::types::IntKind::I32)),
    );
    f.set(&field(&at, 1, Ty::f64()), c(&b));
    f.set(
        &field(&result, 2, Ty::int(vaisjit_semantics::types::IntKind::U8)),
        int(255, Ty::int(vaisjit_semantics::types::IntKind::U8)),
    );
    f.ret();
    f.done()
}

/// `twice(v) -> v` with `a` doubled; changes its parameter in place, as a callee may.
fn twice() -> Body {
    let (outer, _) = nested();
    let mut f = FnBuilder::new("twice", &[outer], outer);
    let v = f.param(0);
    let a = field(&v, 0, i64());
    f.binary(&a, BinaryOp::Add, c(&a), c(&a));
    f.set(&f.result(), c(&v));
    f.ret();
    f.done()
}

/// `use_all(a, b) = twice(copy of make(a, b)).a * 1000 + inner.0 + inner.1 as i64 + c`, `make(..).a` unchanged.
fn use_all(address_taken: bool) -> Body {
    let (outer, inner) = nested();
    let i32 = Ty::int(vaisjit_semantics::types::IntKind::I32);
    let u8 = Ty::int(vaisjit_semantics::types::IntKind::U8);
    let mut f = FnBuilder::new("use_all", &[i64(), Ty::f64()], i64());
    let (result, a, b) = (f.result(), f.param(0), f.param(1));
    let (made, copy, doubled) = (f.temp(outer), f.temp(outer), f.temp(outer));
    if address_taken {
        let pointer = f.temp(Ty::pointer(outer));
        f.assign(&pointer, Rvalue::AddressOf(made.clone()));
        f.set(&field(&deref(local(&pointer), outer), 0, i64()), int(5, i64()));
    }
    f.call_fn("make", &[i64(), Ty::f64()], &[c(&a), c(&b)], &made);
    f.set(&copy, c(&made));
    f.call_fn("twice", &[outer], &[c(&copy)], &doubled);
    let part = f.temp(i64());
    f.binary(&result, BinaryOp::Mul, c(&field(&doubled, 0, i64())), int(1000, i64()));
    for (place, kind) in [
        (field(&field(&doubled, 1, inner), 0, i32), CastKind::IntToInt),
        (field(&field(&doubled, 1, inner), 1, Ty::f64()), CastKind::FloatToInt),
        (field(&doubled, 2, u8), CastKind::IntToInt),
        (field(&made, 0, i64()), CastKind::IntToInt),
    ] {
        f.cast(&part, kind, c(&place));
        f.binary(&result, BinaryOp::Add, c(&result), c(&part));
    }
    f.ret();
    f.done()
}

#[test]
fn structs_are_passed_returned_and_copied() {
    for opt in LEVELS {
        for linker in [DIRECT, SLOTS, INLINED] {
            for taken in [false, true] {
                let mut machine = Machine::new(&[use_all(taken), make(), twice()], linker, opt, &[]);
                let seen = machine.call("use_all", &[21, u128::from(3.5f64.to_bits())]);
                assert_eq!(seen as i64, 42_000 + 7 + 3 + 255 + 21);
            }
        }
    }
}

/// Fills an array of this length through a checked index and sums it through a pointer, then copies it around.
fn arrays(length: u64) -> Body {
    let of = array(i64(), length);
    let mut f = FnBuilder::new("arrays", &[], i64());
    let result = f.result();
    let (a, b, i) = (f.mem(of), f.mem(of), f.temp(i64()));
    let pointer = f.temp(Ty::pointer(i64()));
    let (fill, next, sum, done) = (f.block(None), f.block(None), f.block(None), f.block(None));
    let more = f.temp(Ty::bool());
    let end = int(i128::from(length), i64());
    f.push(StatementKind::Zero(a.clone()));
    f.set(&i, int(0, i64()));
    f.set(&result, int(0, i64()));
    f.goto(fill);
    f.at(fill);
    f.push(StatementKind::CheckIndex { index: c(&i), length: end.clone() });
    let element = project(&a, Projection::Index(local(&i)), i64());
    f.binary(&element, BinaryOp::Add, c(&element), c(&i));
    f.binary(&i, BinaryOp::Add, c(&i), int(1, i64()));
    f.binary(&more, BinaryOp::Lt, c(&i), end.clone());
    f.branch(c(&more), fill, next);
    f.at(next);
    f.set(&b, c(&a));
    f.push(StatementKind::Zero(a.clone()));
    f.cast(&pointer, CastKind::ArrayToPointer, c(&b));
    f.set(&i, int(0, i64()));
    f.goto(sum);
    f.at(sum);
    let (offset, address, value) = (f.temp(i64()), f.temp(i64()), f.temp(i64()));
    f.binary(&offset, BinaryOp::Mul, c(&i), int(8, i64()));
    f.cast(&address, CastKind::Pointer, c(&pointer));
    f.binary(&address, BinaryOp::Add, c(&address), c(&offset));
    f.assign(&value, Rvalue::LoadAt(c(&address), i64()));
    f.binary(&result, BinaryOp::Add, c(&result), c(&value));
    f.binary(&result, BinaryOp::Add, c(&result), c(&project(&a, Projection::Index(local(&i)), i64())));
    f.binary(&i, BinaryOp::Add, c(&i), int(1, i64()));
    f.binary(&more, BinaryOp::Lt, c(&i), end);
    f.branch(c(&more), sum, done);
    f.at(done);
    f.ret();
    f.done()
}

#[test]
fn arrays_small_and_large() {
    for opt in LEVELS {
        for length in [1, 3, 8, 9, 100, 2000] {
            let mut machine = Machine::new(&[arrays(length)], DIRECT, opt, &[]);
            assert_eq!(machine.call("arrays", &[]), u128::from(length * (length - 1) / 2), "{length}");
        }
    }
}

extern "C" fn host_mix(context: &CallContext, a: i8, b: u16, c: f32, d: f64, e: i64) -> f64 {
    assert!(context.data_end > context.data_top);
    f64::from(a) + f64::from(b) + f64::from(c) + d + e as f64
}

extern "C" fn leaf_mix(a: i8, b: u8, c: f32) -> i16 {
    i16::from(a) + i16::from(b) + c as i16
}

#[test]
fn host_leaf_and_math_functions() {
    use vaisjit_semantics::types::IntKind;
    let (i8, u8, u16, i16) = (Ty::int(IntKind::I8), Ty::int(IntKind::U8), Ty::int(IntKind::U16), Ty::int(IntKind::I16));
    let mut f = FnBuilder::new("host", &[i8, u16, Ty::f32(), Ty::f64(), i64()], Ty::f64());
    let arguments: Vec<Operand> = (0..5).map(|n| c(&f.param(n))).collect();
    f.call(Callee::Host(Name::new("mix")), &arguments, Some(&f.result()), Ty::f64());
    f.ret();
    let mut g = FnBuilder::new("leaf", &[i8, u8, Ty::f32()], i16);
    let arguments: Vec<Operand> = (0..3).map(|n| c(&g.param(n))).collect();
    g.call(Callee::Host(Name::new("leaf_mix")), &arguments, Some(&g.result()), i16);
    g.ret();
    let mut h = FnBuilder::new("math", &[Ty::f64(), Ty::f64()], Ty::f64());
    let root = h.temp(Ty::f64());
    h.call(Callee::C(Name::new("sqrt"), None), &[c(&h.param(0))], Some(&root), Ty::f64());
    h.call(Callee::C(Name::new("pow"), None), &[c(&root), c(&h.param(1))], Some(&h.result()), Ty::f64());
    h.ret();
    let hosts = [("mix", host_mix as *const () as usize), ("leaf_mix", leaf_mix as *const () as usize)];
    let bits = |value: f64| u128::from(value.to_bits());
    let short = |value: f32| u128::from(value.to_bits());
    for opt in LEVELS {
        let bodies = [f.body.clone(), g.body.clone(), h.body.clone()];
        let mut machine = Machine::new(&bodies, DIRECT, opt, &hosts);
        let seen = machine.call("host", &[(-3i8) as u128, 65535, short(1.5), bits(0.25), (-10i64) as u128]);
        assert_eq!(f64::from_bits(seen as u64), 65535.0 - 3.0 + 1.75 - 10.0);
        assert_eq!(machine.call("leaf", &[(-3i8) as u128, 200, short(5.9)]) as u16 as i16, 202);
        assert_eq!(f64::from_bits(machine.call("math", &[bits(9.0), bits(3.0)]) as u64), 27.0);
        let names: Vec<String> = machine.unit.imports.iter().map(Import::to_string).collect();
        assert!(names.contains(&"leaf:pow".into()) && !names.iter().any(|name| name.contains("sqrt")), "{names:?}");
    }
}

#[test]
fn variadic_arguments_are_promoted() {
    use vaisjit_semantics::types::IntKind;
    let types = [Ty::int(IntKind::I8), Ty::int(IntKind::U16), Ty::f32(), Ty::bool(), i64()];
    let mut f = FnBuilder::new("f", &types, Ty::unit());
    let mut arguments = vec![Operand::Const(Const::Str("%d".into()))];
    arguments.extend((0..5).map(|n| c(&f.param(n))));
    f.call(Callee::C(Name::new("printf"), Some(1)), &arguments, None, Ty::int(IntKind::I32));
    f.ret();
    let body = f.done();
    let input = UnitInput { functions: vec![&body], inline: vec![], keep: vec![] };
    let isa = isa(OptLevel::Speed).unwrap();
    let functions = Compiler::default().compile(&input, &TestLayouts, &DIRECT, &*isa).unwrap();
    let Some(Import::Thunk(key)) = functions[0].imports.iter().find(|i| matches!(i, Import::Thunk(_))) else {
        panic!()
    };
    use vaisjit_codegen::thunks::AbiType::*;
    assert_eq!(key.signature.params.to_vec(), [I64, I32, I32, F64, I32, I64]);
    assert_eq!(key.signature.result, Some(I32));
}

#[test]
fn function_values_and_globals() {
    let signature = Signature { params: smallvec![i64()], result: i64() };
    let ty = Ty::new(TyKind::Function(vaisjit_semantics::types::TyList::new(&[i64()]), i64()));
    let global = |ty| Place {
        base: PlaceBase::Global(ItemPath::new(Name::new("test"), "g"), tuple(&[i64(), ty])),
        projections: smallvec![Projection::Field(1)],
        ty,
    };
    let mut f = FnBuilder::new("f", &[i64()], i64());
    let value = f.temp(ty);
    f.set(&global(ty), Operand::Const(Const::Function(instance("step"), signature.clone())));
    f.set(&value, c(&global(ty)));
    f.call(Callee::Value(c(&value), signature), &[c(&f.param(0))], Some(&f.result()), i64());
    f.ret();
    for opt in LEVELS {
        let mut machine = Machine::new(&[f.body.clone(), times("step", 3)], DIRECT, opt, &[]);
        assert_eq!(machine.call("f", &[14]), 42);
    }
}

#[test]
fn switches_and_discriminants() {
    let parts = tuple(&[i64(), i64()]);
    let mut f = FnBuilder::new("f", &[i64()], i64());
    let (result, n) = (f.result(), f.param(0));
    let (value, tag) = (f.mem(parts), f.temp(i64()));
    f.set(&field(&value, 0, i64()), c(&n));
    f.assign(&tag, Rvalue::Discriminant(value));
    let cases: Vec<(u64, BlockId)> = [0, 1, 2, 3, 1000, u64::MAX].map(|case| (case, f.block(None))).into();
    let default = f.block(None);
    f.end(Terminator::Switch { value: c(&tag), cases: cases.clone(), default });
    for (index, (_, block)) in cases.iter().enumerate() {
        f.at(*block);
        f.set(&result, int(index as i128 + 10, i64()));
        f.ret();
    }
    f.at(default);
    f.set(&result, int(-1, i64()));
    f.ret();
    for opt in LEVELS {
        let mut machine = Machine::new(&[f.body.clone()], DIRECT, opt, &[]);
        let seen = [0, 1, 2, 3, 1000, u64::MAX, 4, 999].map(|n| machine.call("f", &[u128::from(n)]) as i64);
        assert_eq!(seen, [10, 11, 12, 13, 14, 15, -1, -1]);
    }
}

#[test]
fn copying_bytes_that_overlap() {
    let mut f = FnBuilder::new("f", &[i64(), i64(), i64()], Ty::unit());
    f.push(StatementKind::CopyBytes { to: c(&f.param(0)), from: c(&f.param(1)), bytes: c(&f.param(2)) });
    f.ret();
    for opt in LEVELS {
        let mut machine = Machine::new(&[f.body.clone()], DIRECT, opt, &[]);
        let mut bytes = *b"0123456789";
        let at = bytes.as_mut_ptr() as u128;
        machine.call("f", &[at + 2, at, 6]);
        machine.call("f", &[at, at + 9, 0]);
        machine.call("f", &[at, at + 9, (-5i64) as u64 as u128]);
        assert_eq!(&bytes, b"0101234589");
    }
}

#[test]
fn same_input_same_code_on_any_number_of_threads() {
    let mut bodies: Vec<Body> =
        vec![fib(), use_all(true), make(), twice(), arrays(100), looping(true), times("step", 3)];
    for n in 0..40 {
        bodies.push(times(&format!("f{n}"), n));
    }
    let input = UnitInput { functions: bodies.iter().collect(), inline: vec![], keep: vec![] };
    for opt in LEVELS {
        let isa = isa(opt).unwrap();
        for linker in [DIRECT, SLOTS, INLINED] {
            let one = compile_functions(&input, &TestLayouts, &linker, &*isa, 1).unwrap();
            for threads in [1, 2, 5] {
                let other = compile_functions(&input, &TestLayouts, &linker, &*isa, threads).unwrap();
                assert_eq!(format!("{one:?}"), format!("{other:?}"));
            }
        }
    }
}
