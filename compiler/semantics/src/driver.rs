//! The check of a whole program: what must be checked again, and the result put together in source order.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_syntax::ast::Item;
use vaisjit_syntax::{Name, Place};

use crate::assemble;
use crate::bodies::check_instance;
use crate::check::is_library;
use crate::index::{DefId, DefKind, ModuleTable};
use crate::interface::{Entry, Interface};
use crate::program::{Checked, Input, ModuleInput};
use crate::state::{BodyEntry, State};
use crate::types::{Instance, ItemPath, Ty, TyList};
use crate::world::{Dep, World};

/// Checks a program. With the input and result of the check before, only bodies that an edit can have changed are
/// checked again; the result is the same as that of a fresh check.
pub fn check(input: &Input, previous: Option<(&Input, &Checked)>) -> Checked {
    check_with(input, previous, true)
}

/// As [`check`]; without `lints`, warnings that are shown only when asked for are not made, which keeps small edits small.
pub fn check_with(input: &Input, previous: Option<(&Input, &Checked)>, lints: bool) -> Checked {
    let previous = previous.filter(|(old, _)| {
        Arc::ptr_eq(&old.host, &input.host) && old.all_hot == input.all_hot && old.needs_main == input.needs_main
    });
    let before = previous.and_then(|(old, checked)| Some((old, checked, &**checked.state.as_ref()?)));
    let before = before.filter(|(_, _, state)| state.lints == lints);
    let tables: Vec<Arc<ModuleTable>> = input
        .modules
        .iter()
        .map(|module| {
            let old = before.and_then(|(old, _, state)| {
                let index = old.modules.iter().position(|other| other.name == module.name)?;
                Some((&old.modules[index], &state.tables[index]))
            });
            ModuleTable::build(module, old)
        })
        .collect();
    let Some((old, checked, state)) = before else {
        let world = World::new(input, tables, None, FxHashSet::default()).with_lints(lints);
        return run(world, None, &Changes::default());
    };
    let mut changes = Changes::find(input, &tables, old, state);
    changes.noisy = changes.points(&checked.diagnostics);
    changes.find_pointing(state);
    // Are the interfaces of the changed declarations as they were?
    let world = World::new(input, tables.clone(), Some(state), changes.paths.clone()).with_lints(lints);
    let moved = changes.compare(&world, state);
    if moved.is_empty() && changes.keys.is_empty() {
        return run(world, Some((old, checked, state)), &changes);
    }
    drop(world);
    changes.spread(state);
    let world = World::new(input, tables, Some(state), changes.paths.clone()).with_lints(lints);
    let moved = changes.compare(&world, state);
    changes.keys.extend(moved);
    run(world, Some((old, checked, state)), &changes)
}

/// What differs from the check before.
#[derive(Default)]
struct Changes {
    /// Declarations whose interface must be made again.
    paths: FxHashSet<ItemPath>,
    /// What readers must look at again.
    keys: FxHashSet<Dep>,
    /// The items that changed, by module.
    items: FxHashMap<u32, FxHashSet<u32>>,
    /// Items of the texts before that are no more: messages that point at them must be made again.
    gone: FxHashSet<vaisjit_syntax::ItemId>,
    /// Is there such a message?
    noisy: bool,
    /// Where each module was among the old ones, if its names are as they were.
    same: Vec<Option<usize>>,
}

impl Changes {
    fn find(input: &Input, tables: &[Arc<ModuleTable>], old: &Input, state: &State) -> Changes {
        let mut changes = Changes::default();
        for (number, (module, table)) in input.modules.iter().zip(tables).enumerate() {
            let Some(index) = old.modules.iter().position(|other| other.name == module.name) else {
                changes.same.push(None);
                changes.names_of(table, state);
                changes.items.insert(number as u32, (0..module.tree.items.len() as u32).collect());
                changes.paths.extend(table.defs.iter().map(|def| def.path));
                continue;
            };
            let (before, known) = (&old.modules[index], &state.tables[index]);
            if Arc::ptr_eq(table, known) {
                changes.same.push(Some(index));
                changes.pairwise(number as u32, module, before, table, state);
            } else {
                changes.same.push(None);
                changes.renamed(number as u32, module, before, table, known, state);
            }
        }
        for (index, module) in old.modules.iter().enumerate() {
            if !input.modules.iter().any(|other| other.name == module.name) {
                changes.gone.extend(module.tree.items.iter().map(|parsed| parsed.id));
                changes.names_of(&state.tables[index], state);
                changes.paths.extend(state.tables[index].defs.iter().map(|def| def.path));
            }
        }
        changes
    }

    /// Adds the interfaces whose messages point at items that are gone.
    fn find_pointing(&mut self, state: &State) {
        if !self.noisy {
            return;
        }
        let pointing = state.interfaces.iter().filter(|(_, entry)| self.points(&entry.diagnostics));
        let paths: Vec<ItemPath> = pointing.map(|(path, _)| *path).collect();
        self.paths.extend(paths);
    }

    /// Does a message point at an item that is gone?
    fn points(&self, diagnostics: &[vaisjit_syntax::Diagnostic]) -> bool {
        let gone = |place: &vaisjit_syntax::Place| match place.anchor {
            vaisjit_syntax::Anchor::Item(item) => self.gone.contains(&item),
            vaisjit_syntax::Anchor::File(_) => false,
        };
        diagnostics.iter().any(|d| gone(&d.primary.place) || d.labels.iter().any(|label| gone(&label.place)))
    }

    fn names_of(&mut self, table: &ModuleTable, state: &State) {
        let names = table.values.keys().chain(table.types.keys()).chain(table.variants.keys()).copied();
        self.keys.extend(names.chain(table.methods.keys().map(|(_, name)| *name)).map(Dep::Name));
        self.keys.insert(Dep::Impls);
        if let Some(def) = table.defs.first()
            && state.infers
        {
            self.keys.insert(Dep::Module(def.path.module));
        }
    }

    fn item(&mut self, module: u32, number: u32, table: &ModuleTable) {
        self.items.entry(module).or_default().insert(number);
        let range = table.by_item[number as usize].clone();
        for def in &table.defs[range.start as usize..range.end as usize] {
            self.paths.insert(def.path);
            if def.kind == DefKind::Impl {
                self.keys.insert(Dep::Impls);
            }
        }
    }

    fn pairwise(
        &mut self,
        number: u32,
        module: &ModuleInput,
        before: &ModuleInput,
        table: &ModuleTable,
        state: &State,
    ) {
        if Arc::ptr_eq(&module.tree, &before.tree) {
            return;
        }
        for (index, (a, b)) in module.tree.items.iter().zip(&before.tree.items).enumerate() {
            if !Arc::ptr_eq(&a.item, &b.item) || a.id != b.id {
                self.item(number, index as u32, table);
                self.gone.insert(b.id);
                if state.infers {
                    self.keys.insert(Dep::Module(module.name));
                }
            }
        }
    }

    /// The module declares other names than before, or in another order.
    fn renamed(
        &mut self,
        number: u32,
        module: &ModuleInput,
        before: &ModuleInput,
        table: &ModuleTable,
        known: &ModuleTable,
        state: &State,
    ) {
        let old: FxHashSet<(*const Item, vaisjit_syntax::ItemId)> =
            before.tree.items.iter().map(|parsed| (Arc::as_ptr(&parsed.item), parsed.id)).collect();
        let imports =
            known.imports.iter().map(|i| (&i.module, &i.names)).ne(table.imports.iter().map(|i| (&i.module, &i.names)));
        // Of what was declared twice, one body has stood for both.
        let twins: FxHashSet<ItemPath> = twins(known).chain(twins(table)).collect();
        let is_twin = |index: usize| {
            let range = table.by_item[index].clone();
            table.defs[range.start as usize..range.end as usize].iter().any(|def| twins.contains(&def.path))
        };
        for (index, parsed) in module.tree.items.iter().enumerate() {
            if imports || !old.contains(&(Arc::as_ptr(&parsed.item), parsed.id)) || is_twin(index) {
                self.item(number, index as u32, table);
            }
        }
        let new: FxHashSet<*const Item> = module.tree.items.iter().map(|parsed| Arc::as_ptr(&parsed.item)).collect();
        for (index, parsed) in before.tree.items.iter().enumerate() {
            if !new.contains(&Arc::as_ptr(&parsed.item)) {
                self.gone.insert(parsed.id);
                let range = known.by_item[index].clone();
                self.paths.extend(known.defs[range.start as usize..range.end as usize].iter().map(|def| def.path));
            }
        }
        if state.infers {
            self.keys.insert(Dep::Module(module.name));
        }
        let names = |table: &ModuleTable| -> FxHashMap<Name, Vec<ItemPath>> {
            let mut names: FxHashMap<Name, Vec<ItemPath>> = FxHashMap::default();
            let path = |index: u32| table.defs[index as usize].path;
            for (name, index) in table.values.iter().chain(&table.types) {
                names.entry(*name).or_default().push(path(*index));
            }
            for (name, owners) in &table.variants {
                names.entry(*name).or_default().extend(owners.iter().map(|(owner, _)| path(*owner)));
            }
            for ((_, name), methods) in &table.methods {
                names.entry(*name).or_default().extend(methods.iter().map(|method| path(*method)));
            }
            names.values_mut().for_each(|paths| paths.sort());
            names
        };
        let (before, after) = (names(known), names(table));
        for (name, paths) in &before {
            if after.get(name) != Some(paths) {
                self.keys.insert(Dep::Name(*name));
            }
        }
        self.keys.extend(after.keys().filter(|name| !before.contains_key(*name)).map(|name| Dep::Name(*name)));
        let impls = |table: &ModuleTable| -> Vec<ItemPath> {
            table.impls.iter().map(|i| table.defs[*i as usize].path).collect()
        };
        if impls(known) != impls(table) {
            self.keys.insert(Dep::Impls);
        }
    }

    /// The declarations whose interface is no longer what it was.
    fn compare(&self, world: &World<'_>, state: &State) -> FxHashSet<Dep> {
        let mut moved = FxHashSet::default();
        let mut paths: Vec<ItemPath> = self.paths.iter().copied().collect();
        paths.sort();
        for path in paths {
            let new = world.find(path).and_then(|id| world.entry(id));
            let old = state.interfaces.get(&path);
            let same = match (&new, old) {
                (Some(new), Some(old)) => same_interface(&new.interface, &old.interface),
                (None, None) => true,
                _ => false,
            };
            if !same {
                moved.insert(Dep::Def(path));
            }
        }
        moved
    }

    /// Adds every interface that depends on a changed one.
    fn spread(&mut self, state: &State) {
        loop {
            let count = self.paths.len();
            for (path, entry) in state.interfaces.iter() {
                let touched =
                    |dep: &Dep| self.keys.contains(dep) || matches!(dep, Dep::Def(path) if self.paths.contains(path));
                if !self.paths.contains(path) && entry.deps.iter().any(touched) {
                    self.paths.insert(*path);
                }
            }
            if self.paths.len() == count {
                return;
            }
        }
    }

    fn touches(&self, entry: &BodyEntry) -> bool {
        !self.keys.is_empty() && entry.deps.iter().any(|dep| self.keys.contains(dep))
            || self.noisy && self.points(&entry.diagnostics)
    }
}

/// The paths that a module declares twice.
fn twins(table: &ModuleTable) -> impl Iterator<Item = ItemPath> {
    table.duplicates.iter().map(|(later, _)| table.defs[*later as usize].path)
}

fn same_interface(a: &Interface, b: &Interface) -> bool {
    a == b
}

fn run<'a>(world: World<'a>, before: Option<(&'a Input, &'a Checked, &'a State)>, changes: &Changes) -> Checked {
    let state = before.map(|(_, _, state)| state);
    let mut bodies: Vec<Arc<Vec<Option<Arc<BodyEntry>>>>> = Vec::with_capacity(world.tables.len());
    let mut redone: Vec<(DefId, Option<Arc<BodyEntry>>)> = Vec::new();
    for module in 0..world.tables.len() as u32 {
        let kept =
            state.zip(changes.same.get(module as usize).copied().flatten()).map(|(state, index)| &state.bodies[index]);
        let by_path: FxHashMap<ItemPath, &Arc<BodyEntry>> = match (kept, before) {
            (None, Some((old, _, state))) => old_bodies(old, state, &world.input.modules[module as usize]),
            _ => FxHashMap::default(),
        };
        let none = FxHashSet::default();
        let changed = changes.items.get(&module).unwrap_or(&none);
        if let Some(kept) = kept
            && changed.is_empty()
            && changes.keys.is_empty()
            && !changes.noisy
        {
            bodies.push(kept.clone());
            continue;
        }
        let table = world.tables[module as usize].clone();
        let mut list = Vec::with_capacity(table.defs.len());
        if let (Some(kept), true) = (kept, changes.keys.is_empty() && !changes.noisy) {
            list.extend(kept.iter().cloned());
            let mut items: Vec<u32> = changed.iter().copied().collect();
            items.sort_unstable();
            for item in items {
                for index in table.by_item[item as usize].clone() {
                    let id = DefId { module, index };
                    let old = std::mem::replace(&mut list[index as usize], plain_body(&world, id));
                    redone.push((id, old));
                }
            }
            bodies.push(Arc::new(list));
            continue;
        }
        for (index, def) in table.defs.iter().enumerate() {
            let known = match kept {
                Some(kept) => kept[index].as_ref(),
                None => by_path.get(&def.path).copied(),
            };
            let fits = known.filter(|entry| !changed.contains(&def.item) && !changes.touches(entry));
            list.push(match fits {
                Some(entry) => Some(entry.clone()),
                None => plain_body(&world, DefId { module, index: index as u32 }),
            });
        }
        bodies.push(Arc::new(list));
    }
    let small =
        changes.keys.is_empty() && !changes.noisy && changes.same.iter().all(Option::is_some) && before.is_some();
    if small
        && let Some((old, checked, state)) = before
        && let Some(done) = assemble::patched(&world, old, checked, state, &bodies, &redone)
    {
        return keep(world, Some(state), bodies, state.instances.clone(), done, changes);
    }
    let (instances, asked) = instances(&world, state, &bodies, changes);
    let old = before.map(|(_, checked, _)| checked);
    let done = assemble::whole(&world, old, &bodies, &instances, &asked);
    keep(world, state, bodies, Arc::new(instances), done, changes)
}

fn old_bodies<'s>(old: &Input, state: &'s State, module: &ModuleInput) -> FxHashMap<ItemPath, &'s Arc<BodyEntry>> {
    let Some(index) = old.modules.iter().position(|other| other.name == module.name) else {
        return FxHashMap::default();
    };
    let defs = state.tables[index].defs.iter().zip(state.bodies[index].iter());
    defs.filter_map(|(def, body)| Some((def.path, body.as_ref()?))).collect()
}

/// The body of a declaration that has one; of a generic one just what there is to say about it.
fn plain_body(world: &World<'_>, id: DefId) -> Option<Arc<BodyEntry>> {
    if !matches!(world.def(id).kind, DefKind::Function | DefKind::Method { .. } | DefKind::TraitMethod { .. }) {
        return None;
    }
    // The library's functions are checked when they are used, like instances.
    if is_library(world.input.modules[id.module as usize].name) {
        return None;
    }
    world.function(id)?.body.as_ref()?;
    match world.interface(id)? {
        Interface::Function(sig) if sig.generics.is_empty() => {
            check_instance(world, id, Instance::plain(world.def(id).path))
        }
        // What is wrong whatever the type arguments are: said even when nobody calls it.
        Interface::Function(sig) => {
            let unknown = vec![Ty::error(); sig.generics.len()];
            check_instance(world, id, Instance { path: world.def(id).path, arguments: TyList::new(&unknown) })
        }
        _ => None,
    }
}

/// The bodies of all generic instances that are called; and for each where in the program it is first asked for, of
/// the library's functions with the one that the program itself calls.
fn instances(
    world: &World<'_>,
    state: Option<&State>,
    bodies: &[Arc<Vec<Option<Arc<BodyEntry>>>>],
    changes: &Changes,
) -> (FxHashMap<Instance, Arc<BodyEntry>>, assemble::Asked) {
    let mut found = FxHashMap::default();
    let mut asked = FxHashMap::default();
    let plain = bodies.iter().flat_map(|list| list.iter().flatten());
    let mut first: Vec<(Instance, Place)> = plain.flat_map(|entry| entry.requests.iter().copied()).collect();
    first.extend(assemble::requests_of_values(world));
    first.extend(assemble::requests_of_running(world));
    let mut wanted: Vec<(Instance, Place, Instance)> = first.into_iter().map(|(i, place)| (i, place, i)).collect();
    while let Some((instance, place, called)) = wanted.pop() {
        if found.contains_key(&instance) || found.len() > 20_000 || depth(instance) > assemble::MOST_NESTED {
            continue;
        }
        let known = state.and_then(|state| state.instances.get(&instance));
        let known = known.filter(|entry| !changes.paths.contains(&instance.path) && !changes.touches(entry));
        let entry = match known {
            Some(entry) => entry.clone(),
            None => match world.find(instance.path).and_then(|id| check_instance(world, id, instance)) {
                Some(entry) => entry,
                None => continue,
            },
        };
        let inner = is_library(instance.path.module);
        let ask = |(other, at): &(Instance, Place)| match inner {
            true => (*other, place, called),
            false => (*other, *at, *other),
        };
        wanted.extend(entry.requests.iter().map(ask));
        found.insert(instance, entry);
        asked.insert(instance, (place, called));
    }
    (found, asked)
}

/// How deeply the type arguments of an instance are nested.
fn depth(instance: Instance) -> usize {
    instance.arguments.iter().map(|ty| ty.nesting()).max().unwrap_or(0)
}

fn keep(
    world: World<'_>,
    before: Option<&State>,
    bodies: Vec<Arc<Vec<Option<Arc<BodyEntry>>>>>,
    instances: Arc<FxHashMap<Instance, Arc<BodyEntry>>>,
    mut done: Checked,
    changes: &Changes,
) -> Checked {
    done.bodies_checked = world.bodies_checked.get();
    let lints = world.lints;
    let tables = world.tables.clone();
    let fresh = world.into_fresh();
    let interfaces = merge(before, &tables, fresh, changes);
    let infers = match before {
        Some(state) if changes.keys.is_empty() => {
            state.infers || infers(changes.paths.iter().filter_map(|path| interfaces.get(path)))
        }
        _ => infers(interfaces.values()),
    };
    done.state = Some(Arc::new(State { lints, tables, interfaces, bodies, instances, infers }));
    done
}

fn infers<'e>(mut entries: impl Iterator<Item = &'e Arc<Entry>>) -> bool {
    entries.any(|entry| entry.deps.iter().any(|dep| matches!(dep, Dep::Module(_))))
}

fn merge(
    before: Option<&State>,
    tables: &[Arc<ModuleTable>],
    fresh: FxHashMap<ItemPath, Arc<Entry>>,
    changes: &Changes,
) -> Arc<FxHashMap<ItemPath, Arc<Entry>>> {
    let Some(state) = before else { return Arc::new(fresh) };
    if fresh.is_empty() {
        return state.interfaces.clone();
    }
    let mut merged: FxHashMap<ItemPath, Arc<Entry>> = (*state.interfaces).clone();
    if !changes.keys.is_empty() {
        let alive: FxHashSet<ItemPath> =
            tables.iter().flat_map(|table| table.defs.iter().map(|def| def.path)).collect();
        merged.retain(|path, _| alive.contains(path) && !changes.paths.contains(path));
    }
    merged.extend(fresh);
    Arc::new(merged)
}
