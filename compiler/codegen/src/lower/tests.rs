//! Lowers hand-made HIR in every mode and lets the interpreter run it: all modes must agree with what is expected.

mod build;
mod control;
mod data;
mod patterns;
mod shapes;
mod values;

use vaisjit_abi::TrapCode;
use vaisjit_semantics::{Instance, Ty};

use super::{Options, lower_with};
use crate::layout::TypeLayouts;
use crate::mir::interp::{Exit, Interp, Outcome, Program};
use crate::mir::{Body, dump};
use build::Make;

/// Every combination of modes that may differ.
fn modes() -> Vec<Options> {
    let mut modes = Vec::new();
    for hot in [false, true] {
        modes.push(Options::plain(hot));
        modes.push(Options::all(hot));
        for single in 0..3 {
            let mut options = Options::plain(hot);
            options.passes.scalars = single == 0;
            options.passes.propagate = single == 1;
            options.passes.blocks = single == 2;
            modes.push(options);
        }
    }
    modes
}

/// Runs `main` in every mode.
fn run(make: &Make) -> Outcome {
    let layouts = TypeLayouts::new(&make.program);
    let mut first: Option<Outcome> = None;
    for options in modes() {
        let program = Program::lower(&make.program, &layouts, options).expect("supported");
        let outcome = Interp::new(&program, &layouts).with_limit(5_000_000).run_main();
        if let Exit::Bug(text) = &outcome.exit {
            panic!("{options:?}: {text}\n{}", dumps(&program));
        }
        match &first {
            Some(first) => assert_eq!(
                (&first.output, &first.exit),
                (&outcome.output, &outcome.exit),
                "{options:?}\n{}",
                dumps(&program)
            ),
            None => first = Some(outcome),
        }
    }
    first.expect("a mode")
}

fn dumps(program: &Program) -> String {
    program.functions.values().map(|body| dump::dump(body)).collect()
}

/// The status of `main`, which must not trap.
fn status(make: &Make) -> i32 {
    match run(make).exit {
        Exit::Status(status) => status,
        other => panic!("{other:?}"),
    }
}

/// The trap of `main`.
fn trap(make: &Make) -> TrapCode {
    match run(make).exit {
        Exit::Trap(trap) => trap.code,
        other => panic!("{other:?}"),
    }
}

/// The MIR of a function with everything on.
fn mir(make: &Make, name: &str, hot: bool) -> Body {
    let layouts = TypeLayouts::new(&make.program);
    let function = &make.program.functions[&Instance::plain(build::path(name))];
    lower_with(&function.body, &make.program, &layouts, Options::all(hot)).expect("supported")
}

/// What lowering has against `main`.
fn refusal(make: &Make) -> String {
    let layouts = TypeLayouts::new(&make.program);
    let function = &make.program.functions[&Instance::plain(build::path("main"))];
    match lower_with(&function.body, &make.program, &layouts, Options::all(true)) {
        Err(unsupported) => unsupported.what,
        Ok(body) => panic!("compiled:\n{}", dump::dump(&body)),
    }
}

/// How many safepoints a run of hot `main` passes.
fn safepoints(make: &Make) -> u64 {
    let layouts = TypeLayouts::new(&make.program);
    let program = Program::lower(&make.program, &layouts, Options::all(true)).expect("supported");
    Interp::new(&program, &layouts).run_main().safepoints
}

fn i64_ty() -> Ty {
    Ty::i64()
}
