//! Which calls can be made again after a trap: calls of hot functions from code that is not hot, all calls that `main`
//! makes of functions of the program's own files, and the call that a thread of `std/thread` is.
//!
//! The caller loads the guarded word of the slot, the callee has a guard thunk in it. Library functions have none: what
//! fails there is mended in its caller.

use rustc_hash::FxHashSet;
use vaisjit_codegen::layout::{Layouts, TypeLayouts};
use vaisjit_codegen::link::SlotKey;
use vaisjit_codegen::mir::Signature;
use vaisjit_semantics::{Checked, Instance};

use super::compile::Compiled;
use super::prepare::{Base, Mode};
use crate::linkage::NewGuard;
use crate::live::LiveFunction;

/// Does this function outlive the traps of what it calls?
pub(crate) fn guards(checked: &Checked, mode: &Mode, caller: Instance) -> bool {
    let is_hot = || checked.functions.get(&caller).is_some_and(|function| function.hot);
    mode.pauses && (checked.main == Some(caller) || is_thread_start(&caller) || !is_hot())
}

/// Is this what a thread calls its function through? Its call stands for that of the function.
pub(crate) fn is_thread_entry(instance: &Instance) -> bool {
    is_of_threads(instance, "call_spawned")
}

/// Is this what a thread begins with? Its argument is the cell that holds what the thread runs.
pub(crate) fn is_thread_start(instance: &Instance) -> bool {
    is_of_threads(instance, "run_spawned")
}

fn is_of_threads(instance: &Instance, name: &str) -> bool {
    instance.path.module == "std/thread" && instance.path.name == name
}

/// The guard thunks that a version needs and that do not exist yet.
pub(crate) fn new_guards(
    checked: &Checked,
    compiled: &Compiled,
    layouts: &TypeLayouts,
    base: &mut Base<'_>,
) -> Vec<NewGuard> {
    if !base.mode.pauses {
        return Vec::new();
    }
    let mut made = Vec::new();
    for instance in wanted(checked, compiled, base) {
        let Some(function) = function(instance, compiled, base) else { continue };
        let copies = aggregates(&function.signature, layouts);
        let key = SlotKey { instance, signature: function.signature.clone() };
        // A call without a guard goes on to the next one: nothing is lost but precision.
        made.extend(base.linkage.new_guard(key, copies).ok().flatten());
    }
    made
}

/// The functions that are called through guards, in a fixed order.
fn wanted(checked: &Checked, compiled: &Compiled, base: &Base<'_>) -> Vec<Instance> {
    let hot = checked.functions.iter().filter(|(_, function)| function.hot).map(|(instance, _)| *instance);
    let main = checked.main.and_then(|main| function(main, compiled, base));
    let called = main.iter().flat_map(|main| main.summary.callees.iter().copied());
    let own = hot.chain(called).filter(|instance| !is_library(instance));
    let threads = checked.functions.keys().copied().filter(is_thread_entry);
    let all: FxHashSet<Instance> = own.chain(threads).collect();
    let mut all: Vec<Instance> = all.into_iter().collect();
    all.sort_unstable();
    all
}

fn is_library(instance: &Instance) -> bool {
    instance.path.module.starts_with("std/")
}

/// The function in the new version.
fn function<'a>(instance: Instance, compiled: &'a Compiled, base: &'a Base<'_>) -> Option<&'a LiveFunction> {
    let new = compiled.functions.iter().find(|(known, _)| *known == instance).map(|(_, function)| function);
    new.or_else(|| base.live.functions.get(&instance))
}

/// The parameters that are passed by address, by their number in the ABI signature, with their sizes.
fn aggregates(signature: &Signature, layouts: &TypeLayouts) -> Box<[(usize, u32)]> {
    let first = usize::from(signature.result.is_aggregate());
    let passed = signature.params.iter().filter(|ty| !ty.is_unit());
    let numbered = passed.enumerate().filter(|(_, ty)| ty.is_aggregate());
    numbered.map(|(number, ty)| (first + number, layouts.layout(*ty).size)).collect()
}
