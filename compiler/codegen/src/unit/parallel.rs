//! Compiling many functions on several threads, for the first load of a program.

use std::sync::atomic::{AtomicUsize, Ordering};

use cranelift_codegen::isa::TargetIsa;
use rustc_hash::FxHashSet;
use vaisjit_semantics::Instance;

use super::{Compiler, MachineFunction, UnitInput, inline};
use crate::clif::{CompileError, Env};
use crate::layout::Layouts;
use crate::link::Linker;

/// Functions a thread takes at a time; chosen by feel.
const BATCH: usize = 8;

/// Compiles the functions of a unit on this many threads. The result, its order and the error that is reported do not
/// depend on the number.
pub fn compile_functions(
    input: &UnitInput<'_>,
    layouts: &(dyn Layouts + Sync),
    linker: &(dyn Linker + Sync),
    isa: &dyn TargetIsa,
    threads: usize,
) -> Result<Vec<MachineFunction>, CompileError> {
    let threads = threads.min(input.functions.len().div_ceil(BATCH));
    if threads <= 1 || inline::wanted(input, linker) {
        return Compiler::default().compile(input, layouts, linker, isa);
    }
    let unit: FxHashSet<Instance> = input.functions.iter().map(|body| body.instance).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let env = Env { layouts, linker, isa, unit: &unit, inlining: false };
        let mut compiler = Compiler::default();
        let mut done = Vec::new();
        loop {
            let start = next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(batch) = input.functions.get(start..(start + BATCH).min(input.functions.len())) else {
                return done;
            };
            for (index, body) in (start..).zip(batch) {
                done.push((index, compiler.function(body, index as u32, &env)));
            }
        }
    };
    let mut results: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut results = work();
        for other in others {
            match other.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
