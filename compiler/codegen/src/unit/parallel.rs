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
    let unit: FxHashSet<Instance> = input.functions.iter().map(|body| body.instance).collect();
    if inline::wanted(input, linker, isa) {
        let env = Env { layouts, linker, isa, unit: &unit, inlining: true };
        return Compiler::default().add_cleanups(inline::compile(input, &env, threads)?, input, &env);
    }
    let made = on_threads(threads, input.functions.len(), |compiler, index| {
        let env = Env { layouts, linker, isa, unit: &unit, inlining: false };
        compiler.function(input.functions[index], index as u32, &env, input.keep(index))
    })?;
    Compiler::default().add_cleanups(made, input, &Env { layouts, linker, isa, unit: &unit, inlining: false })
}

/// Does `count` pieces of work; the results are in their order, and of several errors the first one counts.
pub(super) fn on_threads<T: Send>(
    threads: usize,
    count: usize,
    work: impl Fn(&mut Compiler, usize) -> Result<T, CompileError> + Sync,
) -> Result<Vec<T>, CompileError> {
    let threads = threads.min(count.div_ceil(BATCH)).max(1);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut compiler = Compiler::default();
        let mut done = Vec::new();
        loop {
            let start = next.fetch_add(BATCH, Ordering::Relaxed);
            if start >= count {
                return done;
            }
            let batch = start..(start + BATCH).min(count);
            done.extend(batch.map(|index| (index, work(&mut compiler, index))));
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
