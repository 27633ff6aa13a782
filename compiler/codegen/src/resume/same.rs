//! Is what comes from the head of a running loop on the same in two versions?

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use vaisjit_semantics::hir::LoopId;
use vaisjit_syntax::Name;

use super::CarryKey;
use crate::mir::{Body, LoopInfo, Rvalue, StatementKind};

/// A hash of what a resumed body means. How many loops, or locals of the same names, the function has besides has no part
/// in it.
pub fn fingerprint_from_head(body: &Body) -> u64 {
    let mut body = body.clone();
    let at = body.resumed.take().and_then(|resumed| body.loops.iter().position(|info| info.id == resumed.at));
    let used = used_loops(&body);
    let place = |number: u32| used.iter().position(|used| *used == number).map(|place| place as u32);
    body.loops = used
        .iter()
        .filter_map(|number| body.loops.get(*number as usize))
        .map(|info| LoopInfo { id: LoopId(0), parent: info.parent.and_then(place), ..info.clone() })
        .collect();
    let mut keys = Keys::default();
    for block in body.blocks.values_mut() {
        block.in_loop = block.in_loop.and_then(place);
        for statement in &mut block.statements {
            match &mut statement.kind {
                StatementKind::Safepoint(carried) => carried.iter_mut().for_each(|one| keys.renumber(&mut one.key)),
                StatementKind::Assign(_, Rvalue::Carried(taken)) => keys.renumber(&mut taken.key),
                _ => {}
            }
        }
    }
    let mut hasher = FxHasher::default();
    (body.fingerprint(), at.and_then(|at| place(at as u32))).hash(&mut hasher);
    hasher.finish()
}

/// The loops that blocks are in, with those around them, in order.
fn used_loops(body: &Body) -> Vec<u32> {
    let mut used = Vec::new();
    for block in body.blocks.values() {
        let mut at = block.in_loop;
        while let Some(number) = at.filter(|number| !used.contains(number)) {
            used.push(number);
            at = body.loops.get(number as usize).and_then(|info| info.parent);
        }
    }
    used.sort_unstable();
    used
}

/// Keys by the order they come in.
#[derive(Default)]
struct Keys {
    known: FxHashMap<(Name, u32), u32>,
    counts: FxHashMap<Name, u32>,
}

impl Keys {
    fn renumber(&mut self, key: &mut CarryKey) {
        let count = self.counts.entry(key.name).or_default();
        key.nth = *self.known.entry((key.name, key.nth)).or_insert_with(|| std::mem::replace(count, *count + 1));
    }
}
