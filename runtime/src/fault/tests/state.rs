//! A hash of all that a reload may change.

use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustc_hash::FxHasher;

use crate::Program;
use crate::code::SafepointKind;
use crate::heap::Heap;

/// Blocks and globals with their contents, stacks, slots with what they call, tables, literals, layouts, the functions and
/// globals that are known, code that is kept or on the way out, the number of the version and its history; a hash of each.
pub fn state(program: &Program) -> Vec<(&'static str, u64)> {
    let inner = &program.inner;
    let heap = hash(|hasher| inner.world.heap().digest(hasher));
    let links = hash(|hasher| inner.linkage().digest(hasher));
    let stacks = hash(|hasher| stacks(program).hash(hasher));
    let retired = inner.world.retired();
    let live = inner.live();
    let functions = live.functions.iter().map(|(instance, function)| {
        let (slot, code) = (&function.slot, function.code.address().get());
        format!("{instance} {slot:?} {code:#x} {:x} {}", function.fingerprint, function.meta.version)
    });
    let functions = lines(functions);
    let layouts = lines(live.history.iter().map(|(ty, known)| format!("{ty} {known:?}")));
    let globals = lines(live.globals.iter().map(|(path, global)| format!("{path} {}", global.ty)));
    let units = lines(live.metas.iter().map(|(unit, metas)| format!("{unit:#x} {}", metas.len())));
    let closures = lines(live.closures.iter().map(|(owner, next)| format!("{owner} {next}")));
    let counts = hash(|hasher| (live.orphans.len(), live.retired.len(), live.kept.len(), retired).hash(hasher));
    drop(live);
    let entry =
        |entry: crate::HistoryEntry| format!("{} {:?} {:?} {:?}", entry.version, entry.at, entry.texts, entry.report);
    let history = lines(program.history().into_iter().map(entry));
    let version = inner.version();
    let code = [("functions", functions), ("units", units), ("closures", closures), ("counts", counts)];
    let data = [("heap", heap), ("links", links), ("stacks", stacks), ("layouts", layouts), ("globals", globals)];
    code.into_iter().chain(data).chain([("history", history), ("version", version)]).collect()
}

fn hash(add: impl FnOnce(&mut FxHasher)) -> u64 {
    let mut hasher = FxHasher::default();
    add(&mut hasher);
    hasher.finish()
}

/// A hash of lines in any order.
fn lines(lines: impl Iterator<Item = String>) -> u64 {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    hash(|hasher| lines.hash(hasher))
}

/// The texts that the next preparation starts from.
pub fn texts(program: &Program) -> Vec<(PathBuf, Arc<str>)> {
    program.inner.reloader().workspace.checkpoint().texts()
}

/// How much there is of what must not grow: slots, globals, literals, tables, globals that have moved, literals that are
/// not settled, functions, code that waits to be freed; and the types with a record.
pub fn sizes(program: &Program) -> (Vec<usize>, Vec<String>) {
    let inner = &program.inner;
    inner.world.run_at_safepoint(SafepointKind::Sweep, |stopped| _ = stopped.sweep()).wait(Duration::MAX);
    let mut sizes = inner.linkage().sizes().to_vec();
    let live = inner.live();
    sizes.extend([live.functions.len(), inner.world.retired()]);
    (sizes, inner.world.heap().types_known())
}

/// The blocks on the data stacks of threads that are in the program.
fn stacks(program: &Program) -> Vec<(usize, Vec<u8>)> {
    let found = Arc::<Mutex<Vec<_>>>::default();
    let blocks = found.clone();
    let ticket = program.inner.world.run_at_safepoint(SafepointKind::Commit, move |stopped| {
        let all = stopped.blocks().into_iter().map(|(_, block)| (block.address, Heap::bytes_of(&block)));
        blocks.lock().expect("not poisoned").extend(all);
    });
    ticket.wait(Duration::MAX);
    let found = found.lock().expect("not poisoned");
    found.clone()
}
