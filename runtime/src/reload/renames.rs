//! Which items of a new version are items of the running one under another name or in another module.
//!
//! [`find`] compares what two snapshots declare. An item that is gone and one that is new are the same if `#[was]` says
//! so; if the one had the other's name before; if they have the same kind and name, in different modules, and nothing else
//! has; if the new one came as a copy some saves before ([`doubles`]); or, for a struct, enum or trait, if no other of its module came or went and the fields or methods are the same. The running program is then *described* by the new names
//! ([`Described`]), and the preparation compares as if it had always had them.

mod described;
mod doubles;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::program::{FieldDef, VariantDef};
use vaisjit_semantics::{Checked, Instance, ItemPath, ModuleInput, Renames, Ty, TyKind, rename::owner};
use vaisjit_syntax::ast::{Item, ItemKind};
use vaisjit_syntax::{Module, Name, Place};

use crate::live::{Live, resolve};
use crate::report::{Edit, Outcome, Report};
use crate::workspace::Snapshot;

pub(crate) use described::{Described, Making};
pub(crate) use doubles::Double;
use doubles::{Doubles, Items, items};

/// What a save renames, and what there is to say about it.
#[derive(Default)]
pub(crate) struct Found {
    /// Old names to new ones.
    pub renames: Renames,
    edits: Vec<Edit>,
    notices: Vec<String>,
    /// Kinds and old names.
    gone: Vec<(&'static str, Name)>,
    /// What copies have left where those were whose values they have got.
    copies: FxHashSet<ItemPath>,
}

/// An item of the author's.
struct Declared<'a> {
    kind: &'static str,
    path: ItemPath,
    item: &'a Arc<Item>,
    place: Place,
}

impl Declared<'_> {
    /// The name that `#[was]` gives it.
    fn was(&self) -> Option<&str> {
        let was = self.item.attributes.iter().find(|attribute| attribute.name.name == "was")?;
        was.arguments.first().map(|(text, _)| text.trim_matches('"'))
    }

    /// What tells it from all others.
    fn key(&self) -> (&'static str, ItemPath) {
        (self.kind, self.path)
    }

    fn is_type(&self) -> bool {
        matches!(self.kind, "struct" | "enum")
    }
}

/// The items, but for most of those that another snapshot has just so.
fn declared<'a>(snapshot: &'a Snapshot, but: Option<&Snapshot>) -> Vec<Declared<'a>> {
    let known = but.into_iter().flat_map(|but| &but.input.modules);
    let known: FxHashMap<Name, &Arc<Module>> = known.map(|module| (module.name, &module.tree)).collect();
    let other = |module: &'a ModuleInput| match known.get(&module.name) {
        Some(known) if Arc::ptr_eq(known, &module.tree) => &[],
        Some(known) => module.tree.differing(known),
        None => &module.tree.items[..],
    };
    let own = snapshot.input.modules.iter().filter(|module| !module.name.starts_with("std/"));
    let items = own.flat_map(|module| other(module).iter().map(|item| (module.name, item)));
    let named = items.filter_map(|(module, parsed)| {
        let (kind, name) = match &parsed.item.kind {
            ItemKind::Struct(of) => ("struct", of.name.name),
            ItemKind::Enum(of) => ("enum", of.name.name),
            ItemKind::Trait(of) => ("trait", of.name.name),
            ItemKind::Global(of) => ("global", of.name.name),
            ItemKind::Function(of) if of.name.name != "main" => ("function", of.name.name),
            _ => return None,
        };
        let place = Place::item(parsed.id, parsed.item.head);
        Some(Declared { kind, path: ItemPath { module, name }, item: &parsed.item, place })
    });
    named.collect()
}

/// The path that `#[was]` gives a global.
pub(crate) fn was(snapshot: &Snapshot, global: ItemPath) -> Option<ItemPath> {
    let all = declared(snapshot, None);
    let found = all.iter().find(|item| item.kind == "global" && item.path == global)?;
    Some(ItemPath::new(global.module, found.was()?))
}

/// Compares the running program with a new version of it. Gives the items that stand in two modules then, too.
pub(crate) fn find(live: &Live, snapshot: &Snapshot) -> (Option<Found>, Vec<Double>) {
    let running = live.snapshot.as_ref().filter(|_| !snapshot.has_errors() && !live.functions.is_empty());
    let Some(running) = running else { return (None, live.doubles.clone()) };
    let (before, after) = (declared(running, Some(snapshot)), declared(snapshot, Some(running)));
    let paths = |list: &[Declared<'_>]| list.iter().map(|item| item.path).collect::<FxHashSet<_>>();
    let (known, wanted) = (paths(&before), paths(&after));
    let come: Vec<_> = after.iter().filter(|item| !known.contains(&item.path)).map(Declared::key).collect();
    let doubles = Doubles::find(live, (running, snapshot), &come);
    let claims = claims(&before, &after);
    let gone: Vec<Declared<'_>> = before.into_iter().filter(|item| !wanted.contains(&item.path)).collect();
    let taken = taken(live);
    let kept: FxHashSet<ItemPath> = live.globals.keys().filter(|path| !known.contains(path)).copied().collect();
    let is_called = |item: &Declared<'_>, old: &Declared<'_>| {
        (old.kind, old.path.module) == (item.kind, item.path.module) && item.was() == Some(&*old.path.name)
    };
    // What is declared counts for more than a value that has been kept under the name.
    let takes_over = |item: &Declared<'_>| kept.contains(&item.path) && gone.iter().any(|old| is_called(item, old));
    let is_new = |item: &Declared<'_>| {
        !known.contains(&item.path) && (!taken.contains(&item.path) || item.kind == "global" && takes_over(item))
    };
    let new: Vec<Declared<'_>> = after.into_iter().filter(is_new).collect();
    let mut search = Search { gone, new, kept, snapshot, found: Found::default() };
    search.doubles(&doubles);
    if !search.gone.is_empty() && !search.new.is_empty() {
        search.pairs(live);
    }
    search.tell_of_idle(live, &claims);
    let mut found = search.found;
    follow_functions(live, &snapshot.checked, &mut found);
    let doubles = doubles.after(|path| found.renames.path(path));
    let found = Some(found).filter(|found| !found.renames.is_empty() || !found.notices.is_empty());
    (found, doubles)
}

/// The globals before which `#[was]` stands that the running text does not say, each with the one that it names.
fn claims(before: &[Declared<'_>], after: &[Declared<'_>]) -> Vec<(ItemPath, ItemPath)> {
    let globals = after.iter().filter(|item| item.kind == "global");
    let claimed = globals.filter_map(|item| {
        let was = item.was()?;
        let said = before.iter().any(|old| old.key() == item.key() && old.was() == Some(was));
        (!said).then(|| (item.path, ItemPath::new(item.path.module, was)))
    });
    claimed.collect()
}

/// Paths that the running program has a parked value or a layout under: they keep their own.
fn taken(live: &Live) -> FxHashSet<ItemPath> {
    let of = |ty: Ty| match ty.kind() {
        TyKind::Struct(path, _) | TyKind::Enum(path, _) => Some(*path),
        _ => None,
    };
    let types = live.history.iter().filter_map(|(ty, _)| of(ty));
    types.chain(live.globals.keys().copied()).collect()
}

/// What a report says of an item that is another one.
fn edit(item: &Declared<'_>, change: &'static str, snapshot: &Snapshot) -> Edit {
    let outcome = match item.kind {
        "global" => Outcome::KeptValue,
        "function" => Outcome::LiveNow,
        _ => Outcome::NoCode,
    };
    let at = resolve(item.place, &snapshot.sources).map(|resolved| resolved.at);
    Edit { kind: item.kind, name: item.path.name.to_string(), change, outcome, at }
}

struct Search<'a> {
    gone: Vec<Declared<'a>>,
    new: Vec<Declared<'a>>,
    /// The globals that are gone, but for their values.
    kept: FxHashSet<ItemPath>,
    snapshot: &'a Snapshot,
    found: Found,
}

impl Search<'_> {
    /// All ways to pair what is gone with what is new.
    fn pairs(&mut self, live: &Live) {
        self.declared();
        self.formerly(live);
        self.moved();
        self.alike_traits(live);
        self.alike(live);
        self.alike_traits(live);
        self.tell_of_left(live);
        self.tell_of_likely(live);
    }

    /// What was copied elsewhere before, and goes on as the copy.
    fn doubles(&mut self, doubles: &Doubles) {
        let after = if doubles.exchanged.is_empty() { Items::default() } else { items(self.snapshot) };
        for double in &doubles.exchanged {
            let Some(after) = after.get(&(double.kind, double.second)) else { continue };
            self.found.renames.add(double.first, double.second);
            self.found.renames.add(double.second, double.first);
            self.found.copies.insert(double.first);
            self.found.gone.push((after.kind, after.path.name));
            self.found.edits.push(edit(after, "moved", self.snapshot));
            let free = |item: &Declared<'_>| item.path != double.first && item.path != double.second;
            self.gone.retain(free);
            self.new.retain(free);
        }
        for (first, second) in &doubles.apart {
            let (name, module, from) = (first.name, second.module, first.module);
            self.found.notices.push(format!(
                "global `{name}` of module `{module}` has been used and keeps its own value; the value of `{name}` in `{from}` is kept aside"
            ));
        }
    }

    /// What `#[was]` says, in the new text, or in the old one that is gone back from.
    fn declared(&mut self) {
        let mut pairs = Vec::new();
        for (place, new) in self.new.iter().enumerate() {
            let was = |old: &&Declared<'_>| old.kind == new.kind && new.was() == Some(&*old.path.name);
            let back = |old: &&Declared<'_>| old.kind == new.kind && old.was() == Some(&*new.path.name);
            let found = self.only(new, was).or_else(|| self.only(new, back));
            pairs.extend(found.map(|old| (old, place)));
        }
        self.take(pairs, "renamed");
    }

    /// What has been called so before, some renames ago.
    fn formerly(&mut self, live: &Live) {
        let mut pairs = Vec::new();
        for (place, new) in self.new.iter().enumerate() {
            let was = |old: &&Declared<'_>| old.kind == new.kind && live.history.was_called(old.path, new.path);
            pairs.extend(self.only(new, was).map(|old| (old, place)));
        }
        self.take(pairs, "renamed");
    }

    /// The one that is gone, in the module of the new one if there is one there.
    fn only(&self, new: &Declared<'_>, fits: impl Fn(&&Declared<'_>) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.gone.len()).filter(|place| fits(&&self.gone[*place])).collect();
        let near = all.iter().find(|place| self.gone[**place].path.module == new.path.module);
        near.or(all.first().filter(|_| all.len() == 1)).copied()
    }

    /// The same kind and name elsewhere.
    fn moved(&mut self) {
        let same = |a: &Declared<'_>, b: &Declared<'_>| a.kind == b.kind && a.path.name == b.path.name;
        let mut pairs = Vec::new();
        for (place, new) in self.new.iter().enumerate() {
            let old: Vec<usize> = (0..self.gone.len()).filter(|old| same(&self.gone[*old], new)).collect();
            let unique = self.new.iter().filter(|other| same(other, new)).count() == 1;
            if let ([old], true) = (&old[..], unique) {
                pairs.push((*old, place));
            }
        }
        self.take(pairs, "moved");
    }

    /// Structs and enums of one module that look the same but for their names.
    fn alike(&mut self, live: &Live) {
        let mut pairs = Vec::new();
        for (place, new) in self.new.iter().enumerate().filter(|(_, new)| new.is_type()) {
            let Some(old) = self.only_beside(new) else { continue };
            let renames = self.with(old, new);
            let enough = parts(new.item) > 1 || self.in_global(live, &renames);
            if enough && is_alike(live, &self.snapshot.checked, self.gone[old].path, &renames) {
                pairs.push((old, place));
            }
        }
        self.take_alike(pairs);
    }

    /// Traits of one module with the same methods for `dyn`s.
    fn alike_traits(&mut self, live: &Live) {
        let mut pairs = Vec::new();
        for (place, new) in self.new.iter().enumerate().filter(|(_, new)| new.kind == "trait") {
            let Some(old) = self.only_beside(new) else { continue };
            let before = live.checked.dyn_methods.get(&self.gone[old].path);
            let before = before.map(|methods| self.with(old, new).methods(methods));
            if before.is_some() && before.as_ref() == self.snapshot.checked.dyn_methods.get(&new.path) {
                pairs.push((old, place));
            }
        }
        self.take_alike(pairs);
    }

    /// The one of a kind that is gone from a module, if this is the one that is new.
    fn only_beside(&self, new: &Declared<'_>) -> Option<usize> {
        let beside = |item: &Declared<'_>| item.kind == new.kind && item.path.module == new.path.module;
        let old: Vec<usize> = (0..self.gone.len()).filter(|old| beside(&self.gone[*old])).collect();
        let alone = self.new.iter().filter(|item| beside(item)).count() == 1;
        old.first().copied().filter(|_| old.len() == 1 && alone)
    }

    fn with(&self, old: usize, new: &Declared<'_>) -> Renames {
        let mut renames = self.found.renames.clone();
        renames.add(self.gone[old].path, new.path);
        renames
    }

    /// Takes what nobody has declared, and says so.
    fn take_alike(&mut self, pairs: Vec<(usize, usize)>) {
        for (old, new) in &pairs {
            let (old, new) = (self.gone[*old].path.name, self.new[*new].path.name);
            self.found.notices.push(format!("`{new}` is taken for the renamed `{old}`: its values are kept"));
        }
        self.take(pairs, "renamed");
    }

    /// Has a global a type that is renamed by this, and the new one in the new version?
    fn in_global(&self, live: &Live, renames: &Renames) -> bool {
        let globals = &self.snapshot.checked.globals;
        live.globals.iter().any(|(path, global)| {
            let after = renames.ty(global.ty);
            after != global.ty && globals.get(path).is_some_and(|global| global.ty == after)
        })
    }

    /// Takes pairs out of what is gone and new.
    fn take(&mut self, pairs: Vec<(usize, usize)>, change: &'static str) {
        let (mut olds, mut news) = (FxHashSet::default(), FxHashSet::default());
        for (old, new) in pairs {
            let (before, after) = (&self.gone[old], &self.new[new]);
            if !self.found.renames.add(before.path, after.path) {
                continue;
            }
            if self.kept.contains(&after.path) {
                self.found.renames.add(after.path, before.path);
            }
            self.found.gone.push((before.kind, before.path.name));
            olds.insert(old);
            news.insert(new);
            let edit = edit(after, change, self.snapshot);
            self.found.edits.push(edit);
        }
        let mut place = 0..;
        self.gone.retain(|_| !place.next().is_some_and(|place| olds.contains(&place)));
        let mut place = 0..;
        self.new.retain(|_| !place.next().is_some_and(|place| news.contains(&place)));
    }

    /// New globals of the type of one that is gone: they may be the same, if only one of each is.
    fn tell_of_likely(&mut self, live: &Live) {
        let globals = &self.snapshot.checked.globals;
        let is_global = |item: &&Declared<'_>| item.kind == "global";
        let was = |item: &Declared<'_>| Some((item.path, live.globals.get(&item.path)?.ty));
        let is = |item: &Declared<'_>| Some((item.path, globals.get(&item.path)?.ty));
        let gone: Vec<(ItemPath, Ty)> = self.gone.iter().filter(is_global).filter_map(was).collect();
        let new: Vec<(ItemPath, Ty)> = self.new.iter().filter(is_global).filter_map(is).collect();
        for (path, ty) in &new {
            let alike = |list: &[(ItemPath, Ty)]| -> Vec<ItemPath> {
                let of = list.iter().filter(|(other, found)| other.module == path.module && found == ty);
                of.map(|(other, _)| *other).collect()
            };
            if let ([old], [_]) = (&alike(&gone)[..], &alike(&new)[..]) {
                self.found.notices.push(format!(
                    "global `{0}` is new and starts with its initial value; if it is `{1}` under another name, undo that, and rename it with `#[was(\"{1}\")]` before it: the value of `{1}` is kept aside",
                    path.name, old.name
                ));
            }
        }
    }

    /// Globals that `#[was]` gives no value, for another one still has it.
    fn tell_of_idle(&mut self, live: &Live, claims: &[(ItemPath, ItemPath)]) {
        let declared = &self.snapshot.checked.globals;
        for (path, was) in claims.iter().filter(|(path, was)| self.found.renames.path(*was) != *path) {
            let keeps =
                if live.globals.contains_key(path) { "keeps its value" } else { "starts with its initial value" };
            let why = match (declared.contains_key(was), live.globals.contains_key(was)) {
                (true, _) => "is declared, too, and keeps its own",
                (false, true) => "had gone before, and its value is kept aside",
                (false, false) => continue,
            };
            self.found.notices.push(format!(
                "`#[was(\"{0}\")]` does nothing for global `{1}`, which {keeps}: `{0}` {why}",
                was.name, path.name
            ));
        }
    }

    /// New globals of a name that is gone elsewhere, where it is not clear which is which.
    fn tell_of_left(&mut self, live: &Live) {
        for new in self.new.iter().filter(|new| new.kind == "global") {
            let same = |old: &&Declared<'_>| old.kind == "global" && old.path.name == new.path.name;
            let kept = |old: &&Declared<'_>| live.globals.contains_key(&old.path);
            for old in self.gone.iter().filter(same).filter(kept) {
                let (name, module, from) = (new.path.name, new.path.module, old.path.module);
                self.found.notices.push(format!(
                    "global `{name}` of module `{module}` is new and starts with its initial value; the value of `{name}` in `{from}` is kept aside"
                ));
            }
        }
    }
}

impl Found {
    /// The names under which copies have left what they had: their removal is none.
    pub fn copies(&self) -> Vec<Name> {
        self.copies.iter().map(|path| path.name).collect()
    }

    /// Adds what there is to say to a report; gives kinds and old names.
    pub fn tell(&self, report: &mut Report) -> Vec<(&'static str, Name)> {
        report.edits.extend(self.edits.iter().cloned());
        report.notices.extend(self.notices.iter().cloned());
        self.gone.clone()
    }
}

/// Does an entry tell that something of an item is gone, or back, which is only what a copy of it has left?
pub(crate) fn is_of_copy(edit: &Edit, copies: &[Name]) -> bool {
    let name = edit.name.split(['.', ':', '<']).next().unwrap_or_default();
    matches!(edit.change, "removed" | "added") && copies.iter().any(|copy| *copy == *name)
}

/// How many fields or variants.
fn parts(item: &Item) -> usize {
    match &item.kind {
        ItemKind::Struct(of) => of.fields.len(),
        ItemKind::Enum(of) => of.variants.len(),
        _ => 0,
    }
}

/// Has the new type the fields or variants of the old one, in all the instances that the running program has?
fn is_alike(live: &Live, checked: &Checked, old: ItemPath, renames: &Renames) -> bool {
    let is_of = |ty: &Ty| matches!(ty.kind(), TyKind::Struct(path, _) | TyKind::Enum(path, _) if *path == old);
    let structs = live.checked.structs.iter().filter(|(ty, _)| is_of(ty));
    let enums = live.checked.enums.iter().filter(|(ty, _)| is_of(ty));
    let records = structs.map(|(ty, of)| {
        let new = checked.structs.get(&renames.ty(*ty));
        new.is_some_and(|new| are_alike(&renames.record(of).fields, &new.fields))
    });
    let enumerations = enums.map(|(ty, of)| {
        let new = checked.enums.get(&renames.ty(*ty));
        let alike = |(old, new): (&VariantDef, &VariantDef)| {
            is_called((old.name, old.was), (new.name, new.was)) && are_alike(&old.fields, &new.fields)
        };
        let old = &renames.enumeration(of).variants;
        new.is_some_and(|new| old.len() == new.variants.len() && old.iter().zip(&new.variants).all(alike))
    });
    let all: Vec<bool> = records.chain(enumerations).collect();
    !all.is_empty() && all.iter().all(|same| *same)
}

/// Have fields the same types and, but for what is declared, the same names?
fn are_alike(old: &[FieldDef], new: &[FieldDef]) -> bool {
    let alike =
        |(old, new): (&FieldDef, &FieldDef)| old.ty == new.ty && is_called((old.name, old.was), (new.name, new.was));
    old.len() == new.len() && old.iter().zip(new).all(alike)
}

/// Is it the same name, or does one of them declare the other for its old name?
fn is_called((old, old_was): (Name, Option<Name>), (new, was): (Name, Option<Name>)) -> bool {
    old == new || was == Some(old) || old_was == Some(new)
}

/// Methods and closures lie where their `X` stands, which need not be where their type is.
fn follow_functions(live: &Live, checked: &Checked, found: &mut Found) {
    let Found { renames, copies, .. } = found;
    if renames.is_empty() {
        return;
    }
    let new: FxHashSet<ItemPath> = checked.functions.keys().map(|instance| instance.path).collect();
    let mut old: Vec<ItemPath> = live.functions.keys().map(|instance: &Instance| instance.path).collect();
    old.sort_unstable();
    old.dedup();
    for path in old.into_iter().filter(|path| owner(*path).name != path.name) {
        let thought = renames.path(path);
        if new.contains(&thought) || copies.contains(&owner(thought)) {
            continue;
        }
        let module = |module: Name| ItemPath { module, ..thought };
        let candidates = [path, module(path.module), renames.elsewhere(path)];
        if let Some(found) = candidates.into_iter().find(|candidate| new.contains(candidate)) {
            renames.add(path, found);
        }
    }
}
