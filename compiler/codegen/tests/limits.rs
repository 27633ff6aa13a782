//! What is too large is an error, not a panic; and what is merely large works.

mod common;

use common::*;
use vaisjit_codegen::clif::CompileError;
use vaisjit_codegen::isa::{OptLevel, isa};
use vaisjit_codegen::mir::*;
use vaisjit_codegen::unit::dump::{Stage, dump};
use vaisjit_codegen::unit::{Compiler, MachineFunction, UnitInput};
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::BinaryOp;

fn compile(body: &Body, opt: OptLevel, hot: bool) -> Result<Vec<MachineFunction>, CompileError> {
    let input = UnitInput { functions: vec![body], inline: vec![], keep: vec![] };
    let linker = TestLinker { hot, ..TestLinker::default() };
    Compiler::default().compile(&input, &TestLayouts, &linker, &*isa(opt).unwrap())
}

/// A function with one array on its stack; in hot mode on the data stack.
fn with_array(length: u64) -> Body {
    let mut f = FnBuilder::new("with_array", &[Ty::i64()], Ty::i64());
    let of = f.mem(array(Ty::i64(), length));
    let header = f.block(Some(0));
    let done = f.block(None);
    f.body.loops.push(LoopInfo::new(0, None, header, true));
    let more = f.temp(Ty::bool());
    f.goto(header);
    f.at(header);
    let index = f.body.local(1);
    f.set(&project(&of, Projection::Index(index), Ty::i64()), int(1, Ty::i64()));
    f.binary(&more, BinaryOp::Lt, c(&f.param(0)), int(5, Ty::i64()));
    f.push(StatementKind::Safepoint(Box::default()));
    f.branch(c(&more), header, done);
    f.at(done);
    f.set(&f.result(), c(&project(&of, Projection::ConstIndex(length - 1), Ty::i64())));
    f.ret();
    f.done()
}

#[test]
fn frames_of_any_size() {
    for opt in [OptLevel::None, OptLevel::Speed] {
        for hot in [false, true] {
            for length in [1 << 20, (1 << 27) - 16, 1 << 27, 1 << 28, (1 << 29) - 1] {
                match compile(&with_array(length), opt, hot) {
                    Ok(_) => assert!(length < 1 << 27, "{opt:?} {hot} {length}"),
                    Err(error) => assert!(length >= 1 << 27, "{opt:?} {hot} {length}: {error}"),
                }
            }
        }
    }
}

/// This many statements in a row, each needing the one before.
fn long(statements: usize) -> Body {
    let mut f = FnBuilder::new("long", &[Ty::i64()], Ty::i64());
    let result = f.result();
    f.set(&result, c(&f.param(0)));
    for n in 0..statements {
        let op = if n % 3 == 0 { BinaryOp::Mul } else { BinaryOp::Add };
        f.binary(&result, op, c(&result), c(&f.param(0)));
    }
    f.ret();
    f.done()
}

#[test]
fn long_functions() {
    let mut machine = Machine::new(&[long(20_000)], TestLinker::default(), OptLevel::Speed, &[]);
    machine.call("long", &[3]);
}

#[test]
#[ignore = "takes its time"]
fn endless_functions() {
    for opt in [OptLevel::None, OptLevel::Speed] {
        for statements in [200_000, 1_000_000, 5_000_000] {
            let start = std::time::Instant::now();
            let result = compile(&long(statements), opt, false).map(|functions| functions[0].bytes.len());
            println!("{opt:?} {statements}: {result:?} {:?}", start.elapsed());
        }
    }
}

/// A switch with this many cases.
fn wide(cases: u64) -> Body {
    let mut f = FnBuilder::new("wide", &[Ty::i64()], Ty::i64());
    let blocks: Vec<(u64, BlockId)> = (0..cases).map(|case| (case * (1 + case % 2), f.block(None))).collect();
    let default = f.block(None);
    f.end(Terminator::Switch { value: c(&f.param(0)), cases: blocks.clone(), default });
    for (case, block) in blocks {
        f.at(block);
        f.set(&f.result(), int(i128::from(case) + 1, Ty::i64()));
        f.ret();
    }
    f.at(default);
    f.set(&f.result(), int(-1, Ty::i64()));
    f.ret();
    f.done()
}

#[test]
fn wide_switches() {
    let mut machine = Machine::new(&[wide(3000)], TestLinker::default(), OptLevel::Speed, &[]);
    assert_eq!(machine.call("wide", &[2998]), 2999);
    assert_eq!(machine.call("wide", &[5998]), 5999);
    assert_eq!(machine.call("wide", &[2999]) as i64, -1);
}

#[test]
fn dumps_name_what_they_refer_to() {
    let isa = isa(OptLevel::Speed).unwrap();
    let body = with_array(4);
    let linker = TestLinker { hot: true, ..TestLinker::default() };
    let text = |stage| dump(stage, &body, &UnitInput::default(), &TestLayouts, &linker, &*isa).unwrap();
    let (clif, asm) = (text(Stage::Clif), text(Stage::Asm));
    assert!(clif.starts_with("; test.with_array\nfunction ") && clif.contains("= rt:safepoint_thunk"), "{clif}");
    assert!(asm.contains("ret") && asm.contains("rt:safepoint_thunk"), "{asm}");
    assert!(text(Stage::Optimized).contains("function "));
}

/// `while result < n { check result < n; result = result * n }`, the block behind the loop first or last.
fn products(behind_first: bool) -> Body {
    let mut f = FnBuilder::new("products", &[Ty::i64()], Ty::i64());
    let (result, n, more) = (f.result(), f.param(0), f.temp(Ty::bool()));
    let early = behind_first.then(|| f.block(None));
    let (header, turn) = (f.block(Some(0)), f.block(Some(0)));
    let behind = early.unwrap_or_else(|| f.block(None));
    f.body.loops.push(LoopInfo::new(0, None, header, true));
    f.set(&result, int(1, Ty::i64()));
    f.goto(header);
    f.at(header);
    f.push(StatementKind::Safepoint(Box::default()));
    f.binary(&more, BinaryOp::Lt, c(&result), c(&n));
    f.branch(c(&more), turn, behind);
    f.at(turn);
    f.push(StatementKind::CheckIndex { index: c(&result), length: c(&n) });
    f.binary(&result, BinaryOp::Mul, c(&result), c(&n));
    f.goto(header);
    f.at(behind);
    f.ret();
    f.done()
}

#[test]
fn ways_out_of_a_loop_lie_behind_it() {
    let isa = isa(OptLevel::Speed).unwrap();
    for behind_first in [false, true] {
        for hot in [false, true] {
            let linker = TestLinker { hot, ..TestLinker::default() };
            let body = products(behind_first);
            let asm = dump(Stage::Asm, &body, &UnitInput::default(), &TestLayouts, &linker, &*isa).unwrap();
            let at = |text| asm.find(text).unwrap_or_else(|| panic!("no {text}: {asm}"));
            assert!(at("imul") < at("retq") && at("retq") < at("ud2"), "{asm}");
            let mut machine = Machine::new(&[body], linker, OptLevel::Speed, &[]);
            assert_eq!(machine.call("products", &[7]), 7);
        }
    }
}
