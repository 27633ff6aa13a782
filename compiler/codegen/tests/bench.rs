//! Measurements, printed and not asserted: `cargo test --release -p vaisjit-codegen --test bench -- --ignored --nocapture`.

mod common;

use std::time::{Duration, Instant};

use common::*;
use cranelift_codegen::isa::TargetIsa;
use cranelift_jit::{JITBuilder, JITModule};
use vaisjit_codegen::isa::{OptLevel, isa};
use vaisjit_codegen::mir::*;
use vaisjit_codegen::unit::{UnitInput, compile_functions, define::define};
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::BinaryOp;

const DIRECT: TestLinker = TestLinker { hot: false, slots: false, inline: false, library: 0 };
const SLOTS: TestLinker = TestLinker { hot: true, slots: true, inline: false, library: 0 };
const INLINED: TestLinker = TestLinker { hot: false, slots: false, inline: true, library: 0 };

fn best<T>(turns: usize, mut work: impl FnMut() -> T) -> Duration {
    (0..turns)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

/// A function as programs have them: fields behind a pointer, a polled loop, a check, two calls.
fn typical(number: usize) -> Body {
    let state = tuple(&[Ty::i64(), Ty::f64(), Ty::f64(), array(Ty::i64(), 8)]);
    let mut f = FnBuilder::new(&format!("f{number}"), &[Ty::pointer(state), Ty::i64()], Ty::i64());
    let (result, n) = (f.result(), f.param(1));
    let at = deref(f.body.local(1), state);
    let (count, x, y) = (field(&at, 0, Ty::i64()), field(&at, 1, Ty::f64()), field(&at, 2, Ty::f64()));
    let (i, more, t) = (f.temp(Ty::i64()), f.temp(Ty::bool()), f.temp(Ty::f64()));
    f.body.loops.push(LoopInfo::new(0, None, f.body.blocks.iter().next().unwrap().0, true));
    let (header, body, odd, next, done) =
        (f.block(Some(0)), f.block(Some(0)), f.block(Some(0)), f.block(Some(0)), f.block(None));
    f.body.loops[0].header = header;
    f.set(&result, int(number as i128, Ty::i64()));
    f.set(&i, int(0, Ty::i64()));
    f.goto(header);
    f.at(header);
    f.binary(&more, BinaryOp::Lt, c(&i), c(&n));
    f.branch(c(&more), body, done);
    f.at(body);
    f.binary(&t, BinaryOp::Mul, c(&x), c(&y));
    f.binary(&x, BinaryOp::Add, c(&x), c(&t));
    f.binary(&count, BinaryOp::Add, c(&count), int(1, Ty::i64()));
    f.push(StatementKind::CheckIndex { index: c(&i), length: int(8, Ty::i64()) });
    let PlaceBase::Local(index) = i.base else { unreachable!() };
    let cell = project(&field(&at, 3, array(Ty::i64(), 8)), Projection::Index(index), Ty::i64());
    f.binary(&cell, BinaryOp::Add, c(&cell), c(&count));
    f.binary(&more, BinaryOp::Gt, c(&cell), c(&result));
    f.branch(c(&more), odd, next);
    f.at(odd);
    let part = f.temp(Ty::i64());
    let callee = format!("f{}", number.saturating_sub(1));
    f.call_fn(&callee, &[Ty::pointer(state), Ty::i64()], &[c(&f.param(0)), c(&i)], &part);
    f.binary(&result, BinaryOp::Add, c(&result), c(&part));
    f.call(Callee::Host("tick".into()), &[c(&result)], Some(&part), Ty::i64());
    f.binary(&result, BinaryOp::BitXor, c(&result), c(&part));
    f.goto(next);
    f.at(next);
    f.binary(&i, BinaryOp::Add, c(&i), int(1, Ty::i64()));
    f.push(StatementKind::Safepoint(Box::default()));
    f.goto(header);
    f.at(done);
    f.binary(&result, BinaryOp::Mul, c(&result), int(3, Ty::i64()));
    f.ret();
    f.done()
}

#[test]
#[ignore = "a measurement"]
fn cost_of_compiling() {
    let bodies: Vec<Body> = (0..1000).map(typical).collect();
    let statements: usize = bodies[0].blocks.iter().map(|(_, block)| block.statements.len()).sum();
    let input = UnitInput { functions: bodies.iter().collect(), inline: vec![], keep: vec![] };
    println!("1000 functions of {statements} statements");
    for opt in [OptLevel::None, OptLevel::Speed] {
        let isa = isa(opt).unwrap();
        for (name, linker) in [("hot", SLOTS), ("direct", DIRECT), ("inlined", INLINED)] {
            for threads in [1, 2] {
                let compile = || compile_functions(&input, &TestLayouts, &linker, &*isa, threads).unwrap();
                let time = best(3, compile);
                let each = time.as_secs_f64() * 1e6 / 1000.0;
                println!(
                    "{opt:?} {name} {threads} threads: {time:?}, {each:.1} us a function, {:.2} us a statement",
                    each / statements as f64
                );
            }
        }
        cost_of_translating(&input, &*isa, opt);
        let functions = compile_functions(&input, &TestLayouts, &SLOTS, &*isa, 2).unwrap();
        let bytes: usize = functions.iter().map(|function| function.bytes.len()).sum();
        let time = best(3, || {
            let mut module =
                JITModule::new(JITBuilder::with_isa(isa.clone(), cranelift_module::default_libcall_names()));
            define(&functions, &mut module).unwrap();
            // SAFETY: nothing of the module is used.
            unsafe { module.free_memory() };
        });
        println!("{opt:?} defining 1000 functions, {bytes} bytes: {time:?}");
    }
}

fn cost_of_translating(input: &UnitInput<'_>, isa: &dyn TargetIsa, opt: OptLevel) {
    use vaisjit_codegen::unit::dump::{Stage, dump};
    let time = best(2, || {
        for body in &input.functions {
            std::hint::black_box(dump(Stage::Clif, body, &UnitInput::default(), &TestLayouts, &SLOTS, isa).unwrap());
        }
    });
    println!("{opt:?} translating and printing 1000 functions: {time:?}");
}

#[test]
#[ignore = "a measurement"]
fn speed_of_calls() {
    for opt in [OptLevel::None, OptLevel::Speed] {
        for (name, linker) in [("direct", DIRECT), ("slot", SLOTS), ("inlined", INLINED)] {
            let mut machine = Machine::new(&[fib()], linker, opt, &[]);
            let time = best(5, || assert_eq!(machine.call("fib", &[38]), 39_088_169));
            println!("fib(38) {opt:?} {name}: {time:?}");
        }
    }
    let source = "long fib(long n){return n<2?n:fib(n-1)+fib(n-2);} \
                  int main(int c,char**v){return fib(38)!=39088169;}";
    let folder = std::env::temp_dir().join(format!("vaisjit-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("fib.c"), source).unwrap();
    for level in ["-O1", "-O2"] {
        let built = std::process::Command::new("gcc").args([level, "-o", "fib", "fib.c"]).current_dir(&folder).status();
        if built.is_ok_and(|status| status.success()) {
            let time = best(3, || std::process::Command::new(folder.join("fib")).status().unwrap());
            println!("fib(38) gcc {level}: {time:?}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
#[ignore = "prints the code of a function"]
fn code_of_a_function() {
    use vaisjit_codegen::unit::dump::{Stage, dump};
    let isa = isa(OptLevel::Speed).unwrap();
    for stage in [Stage::Clif, Stage::Asm] {
        println!("{}", dump(stage, &typical(7), &UnitInput::default(), &TestLayouts, &SLOTS, &*isa).unwrap());
    }
}
