//! Machine code by content: what a save replaces is kept for some versions, so that an edit that is undone, in the
//! editor or by a rollback, compiles nothing.
//!
//! Code is the same if its functions have the same fingerprints and signatures and everything it was linked against
//! still lies where it did. Code that is kept is not in the hands of the sweep; it goes there when its time is over.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHasher};
use vaisjit_codegen::clif::frame::FrameLayout;
use vaisjit_codegen::link::{Import, ThunkTarget};
use vaisjit_codegen::mir::Signature;
use vaisjit_codegen::unit::{InlinedLocation, MachineFunction};
use vaisjit_semantics::{Instance, Renames};
use vaisjit_syntax::Name;

use super::compile::Lowered;
use super::prepare::Base;
use crate::code::CodeUnit;
use crate::heap::ShapeOf;
use crate::history::KEPT_VERSIONS;

/// What the code of a unit was made from.
pub(crate) struct Recipe {
    members: Box<[Member]>,
    /// What it refers to, and where that lay.
    imports: Box<[(Import, usize)]>,
    inlined: Box<[Arc<[InlinedLocation]>]>,
    frames: Box<[Arc<FrameLayout>]>,
    /// Hash of the members.
    key: u64,
}

#[derive(PartialEq, Eq, Hash)]
struct Member {
    instance: Instance,
    /// Unknown of one that has another name now and is not running.
    fingerprint: Option<u64>,
    signature: Signature,
}

impl Recipe {
    /// Notes what a unit of these functions was made from.
    pub fn new(
        group: &[Instance],
        lowered: &[&Lowered],
        imports: Vec<(Import, usize)>,
        machine: &[MachineFunction],
    ) -> Recipe {
        let members = members(group.iter().copied().zip(lowered.iter().copied()));
        let inlined = machine.iter().map(|function| Arc::from(&*function.inlined)).collect();
        let frames = machine.iter().map(|function| Arc::new(function.frame.clone())).collect();
        Recipe { key: key(&members), members, imports: imports.into(), inlined, frames }
    }

    /// The same with other names of items; `fingerprint` gives what functions have under their new names.
    pub fn renamed(
        self: &Arc<Recipe>,
        renames: &Renames,
        fingerprint: &dyn Fn(Instance) -> Option<u64>,
    ) -> Arc<Recipe> {
        let members: Box<[Member]> = self.members.iter().map(|member| member.renamed(renames, fingerprint)).collect();
        let imports = self.imports.iter().map(|(import, address)| (import.renamed(renames), *address)).collect();
        if members == self.members && imports == self.imports {
            return self.clone();
        }
        let frames = self.frames.iter().map(|frame| Arc::new(frame.renamed(renames))).collect();
        Arc::new(Recipe { key: key(&members), members, imports, inlined: self.inlined.clone(), frames })
    }

    /// The functions, in the order of the unit.
    pub fn members(&self) -> impl Iterator<Item = Instance> {
        self.members.iter().map(|member| member.instance)
    }

    /// The places in bodies inlined into a function of the unit.
    pub fn inlined(&self, index: usize) -> Arc<[InlinedLocation]> {
        self.inlined.get(index).cloned().unwrap_or_default()
    }

    /// The block on the data stack of a function of the unit.
    pub fn frame(&self, index: usize) -> Arc<FrameLayout> {
        self.frames.get(index).cloned().unwrap_or_default()
    }

    /// What it refers to.
    pub fn imports(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter().map(|(import, _)| import)
    }

    /// The C and host functions it calls.
    pub fn foreign(&self) -> impl Iterator<Item = Name> {
        self.imports.iter().filter_map(|(import, _)| match import {
            Import::Thunk(key) => match key.target {
                ThunkTarget::Host(name) | ThunkTarget::C(name, _) => Some(name),
            },
            Import::Leaf(name) => Some(*name),
            _ => None,
        })
    }
}

impl Member {
    fn renamed(&self, renames: &Renames, fingerprint: &dyn Fn(Instance) -> Option<u64>) -> Member {
        let instance = renames.instance(self.instance);
        Member { instance, fingerprint: fingerprint(instance), signature: self.signature.renamed(renames) }
    }
}

fn members<'l>(group: impl Iterator<Item = (Instance, &'l Lowered)>) -> Box<[Member]> {
    let member = |(instance, lowered): (Instance, &Lowered)| Member {
        instance,
        fingerprint: Some(lowered.fingerprint),
        signature: lowered.signature.clone(),
    };
    group.map(member).collect()
}

fn key(members: &[Member]) -> u64 {
    let mut hasher = FxHasher::default();
    members.hash(&mut hasher);
    hasher.finish()
}

/// A unit that no slot calls now.
#[derive(Clone)]
struct Kept {
    recipe: Arc<Recipe>,
    unit: Arc<CodeUnit>,
}

/// The code of the last [`KEPT_VERSIONS`] versions that is not running.
#[derive(Default)]
pub(crate) struct KeptCode {
    units: FxHashMap<u64, Vec<Kept>>,
    /// Since which version each is kept, oldest first; those that have been taken out again are skipped.
    order: VecDeque<(u64, u64, usize)>,
}

#[cfg(test)]
impl KeptCode {
    /// How many units there are.
    pub fn len(&self) -> usize {
        self.units.values().map(Vec::len).sum()
    }
}

impl KeptCode {
    /// Keeps a unit that this version replaces.
    pub fn keep(&mut self, version: u64, recipe: Arc<Recipe>, unit: Arc<CodeUnit>) {
        let key = recipe.key;
        self.order.push_back((version, key, Arc::as_ptr(&unit) as usize));
        self.units.entry(key).or_default().push(Kept { recipe, unit });
    }

    /// Takes a unit out that runs again.
    pub fn revive(&mut self, recipe: &Recipe, unit: &Arc<CodeUnit>) {
        let key = recipe.key;
        if self.take(key, Arc::as_ptr(unit) as usize).is_some() {
            self.order.retain(|(_, _, address)| *address != Arc::as_ptr(unit) as usize);
        }
    }

    /// Gives up what no version can ask for any more that is kept in this one.
    pub fn expired(&mut self, version: u64) -> Vec<Arc<CodeUnit>> {
        let mut expired = Vec::new();
        while let Some((since, key, address)) = self.order.front().copied() {
            if since + KEPT_VERSIONS as u64 > version {
                break;
            }
            self.order.pop_front();
            expired.extend(self.take(key, address));
        }
        expired
    }

    fn take(&mut self, key: u64, address: usize) -> Option<Arc<CodeUnit>> {
        let same = self.units.get_mut(&key)?;
        let index = same.iter().position(|kept| Arc::as_ptr(&kept.unit) as usize == address)?;
        let kept = same.swap_remove(index);
        if same.is_empty() {
            self.units.remove(&key);
        }
        Some(kept.unit)
    }

    /// All code that may fit these functions.
    fn find(&self, wanted: &[Member]) -> impl Iterator<Item = &Kept> {
        let same = self.units.get(&key(wanted)).into_iter().flatten();
        same.filter(|kept| *kept.recipe.members == *wanted)
    }
}

/// Takes code over: what it was made from, the code, and what the preparation is made against.
type Reuse<'r> = dyn FnMut(&Arc<Recipe>, &Arc<CodeUnit>, &mut Base<'_>) + 'r;

/// Takes out of `groups` those whose code is still there, and hands each to `reuse`, callees first.
pub(crate) fn take_over(
    groups: Vec<Vec<Instance>>,
    bodies: &FxHashMap<Instance, &Lowered>,
    base: &mut Base<'_>,
    shape: &ShapeOf<'_>,
    reuse: &mut Reuse<'_>,
) -> Vec<Vec<Instance>> {
    let live = base.live;
    if live.functions.is_empty() {
        return groups;
    }
    let mut found: FxHashMap<Instance, (Arc<CodeUnit>, usize)> = FxHashMap::default();
    let mut left = Vec::new();
    for group in groups {
        let wanted = members(group.iter().map(|instance| (*instance, bodies[instance])));
        // Functions that the save compiles anew lie nowhere yet.
        let address = |instance: &Instance| match (found.get(instance), bodies.contains_key(instance)) {
            (Some((unit, index)), _) => Some(unit.address(*index).get()),
            (None, true) => None,
            (None, false) => live.functions.get(instance).map(|function| function.code.address().get()),
        };
        let fits = |kept: &Kept| kept.recipe.imports.iter().all(|import| lies_there(import, base, shape, &address));
        let orphans =
            live.orphans.iter().map(|orphan| Kept { recipe: orphan.recipe.clone(), unit: orphan.code.unit.clone() });
        let mut orphans = orphans.filter(|kept| *kept.recipe.members == *wanted);
        let same = live.kept.find(&wanted).find(|kept| fits(kept)).cloned().or_else(|| orphans.find(|kept| fits(kept)));
        let Some(kept) = same else {
            left.push(group);
            continue;
        };
        found.extend(group.iter().enumerate().map(|(index, instance)| (*instance, (kept.unit.clone(), index))));
        reuse(&kept.recipe, &kept.unit, base);
    }
    left
}

/// Is what an import stands for where it was? What is made once for the whole program is.
fn lies_there(
    (import, address): &(Import, usize),
    base: &Base<'_>,
    shape: &ShapeOf<'_>,
    code: &dyn Fn(&Instance) -> Option<usize>,
) -> bool {
    let now = match import {
        Import::Function(instance) => code(instance),
        Import::Type(ty) => Some(base.linkage.heap().type_address(*ty, shape)),
        Import::Str(_) | Import::Thunk(_) | Import::Leaf(_) | Import::Safepoint => return true,
        other => base.linkage.address(other),
    };
    now == Some(*address)
}
