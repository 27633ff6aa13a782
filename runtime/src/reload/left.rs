//! Functions whose slot no new code takes, because they are gone or take something else now. Function values may still call
//! them, and so may frames that stay as they are: then what their code does has to be right with the types of the new version.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::{Instance, ItemPath};

use super::admissible::{Changes, calls_one_of};
use super::prepare::Prepared;
use crate::code::Slot;
use crate::live::{FunctionMeta, Live};

/// Such a function.
pub(crate) struct Left {
    /// Which.
    pub instance: Instance,
    /// What values name it by.
    pub slot: Slot,
    /// Its code and that of the functions it calls without a slot, with the types they go by.
    metas: Vec<Arc<FunctionMeta>>,
}

impl Left {
    /// A function of the running version.
    fn of(live: &Live, (instance, slot): &(Instance, Slot)) -> Left {
        let past = live.present();
        let (mut open, mut seen, mut metas) = (vec![*instance], FxHashSet::default(), Vec::new());
        while let Some(next) = open.pop() {
            let Some(function) = live.functions.get(&next).filter(|_| seen.insert(next)) else { continue };
            metas.push(Arc::new(FunctionMeta { past: Some(past.clone()), ..(*function.meta).clone() }));
            open.extend(function.direct.iter().copied());
        }
        Left { instance: *instance, slot: slot.clone(), metas }
    }

    /// What its code would do that the types of a prepared version do not allow.
    fn objection(&self, prepared: &Prepared, globals: &FxHashSet<ItemPath>) -> Option<String> {
        let new = (&prepared.history, &*prepared.layouts, &*prepared.snapshot.checked);
        self.metas.iter().find_map(|meta| Changes::since(meta.past.as_ref()?, new, globals).objection_to_all(meta))
    }
}

/// The globals that are of another type in the new version, or lie elsewhere.
pub(crate) fn changed_globals(prepared: &Prepared, live: &Live) -> FxHashSet<ItemPath> {
    let now = &prepared.snapshot.checked.globals;
    let retyped = live.globals.iter().filter(|(path, old)| now.get(*path).is_some_and(|new| new.ty != old.ty));
    retyped.map(|(path, _)| *path).chain(prepared.moving.iter().map(|(path, _)| *path)).collect()
}

/// The functions that a prepared version leaves so, and those that earlier ones have left.
pub(crate) fn all_left(prepared: &Prepared, live: &Live) -> Vec<Arc<Left>> {
    // One that has come back takes new code again.
    let is_back = |left: &&Arc<Left>| {
        let new = prepared.functions.iter().find(|(instance, _)| *instance == left.instance);
        let function = new.map(|(_, function)| function).or_else(|| live.functions.get(&left.instance));
        function.is_some_and(|function| function.slot.address() == left.slot.address())
    };
    let now = prepared.left_functions.iter().map(|function| Arc::new(Left::of(live, function)));
    live.left.iter().filter(|left| !is_back(left)).cloned().chain(now).collect()
}

/// Those of them whose code would do something that the types of the new version do not allow, and what.
pub(crate) fn unfit(prepared: &Prepared, live: &Live) -> Vec<(Arc<Left>, String)> {
    let globals = changed_globals(prepared, live);
    if prepared.moved.is_empty() && globals.is_empty() {
        return Vec::new();
    }
    let all = all_left(prepared, live);
    let objects = |left: &Arc<Left>| Some((left.clone(), left.objection(prepared, &globals)?));
    let mut found: Vec<(Arc<Left>, String)> = all.iter().filter_map(objects).collect();
    // One that calls such a one by its slot is no better.
    let mut known = found.len() + 1;
    while known != found.len() {
        known = found.len();
        let names: FxHashMap<Instance, String> =
            found.iter().map(|(left, what)| (left.instance, what.clone())).collect();
        for left in &all {
            let is_known = found.iter().any(|(known, _)| known.slot.address() == left.slot.address());
            let called = || left.metas.iter().find_map(|meta| calls(meta, &names));
            if let Some(what) = (!is_known).then(called).flatten() {
                found.push((left.clone(), what));
            }
        }
    }
    found
}

/// What a function would do by calling one of these.
fn calls(meta: &FunctionMeta, names: &FxHashMap<Instance, String>) -> Option<String> {
    let past = meta.past.as_ref()?;
    calls_one_of(meta, past, names)
}
