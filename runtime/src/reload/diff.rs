//! What a save changed besides function bodies, and what that means for the running program.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::mir::Signature;
use vaisjit_semantics::hir::Body;
use vaisjit_semantics::program::{EnumDef, Global, StructDef, place_of};
use vaisjit_semantics::types::TyList;
use vaisjit_semantics::{Checked, ItemPath, Renames, Ty, TyKind};
use vaisjit_syntax::ast::{Item, ItemKind};
use vaisjit_syntax::{Anchor, Place};

use crate::live::{Live, resolve};
use crate::report::{Edit, Location, Outcome, Report};
use crate::workspace::Snapshot;

/// `main` is running and cannot be moved.
pub(crate) fn running_main(why: &str) -> Outcome {
    refused(
        format!("`main` is running and cannot go on in its new code: {why}"),
        "undo the edit, or start `main` again with the globals kept: `R` in the terminal, `hot_restart()` in the program; \
         every other function can be edited while it runs",
    )
}

fn refused(why: impl Into<String>, help: impl Into<String>) -> Outcome {
    Outcome::Refused { why: why.into(), help: help.into() }
}

/// Compares the structs and enums of the running program with the new ones.
pub(crate) fn types(live: &Live, snapshot: &Snapshot, report: &mut Report) {
    for (ty, new) in &snapshot.checked.structs {
        let shape = live.shapes.structs.get(ty);
        let before = shape.or_else(|| live.checked.structs.get(ty));
        if before.is_none_or(|old| Arc::ptr_eq(old, new) || old.fields == new.fields && same_names(old, new)) {
            continue;
        }
        let at = resolve(place_of(new.item, new.span), &snapshot.sources).map(|resolved| resolved.at);
        add(report, "struct", *ty, shape.is_some(), at);
    }
    for (ty, new) in &snapshot.checked.enums {
        let shape = live.shapes.enums.get(ty);
        let before = shape.or_else(|| live.checked.enums.get(ty));
        if before.is_none_or(|old| Arc::ptr_eq(old, new) || old.variants == new.variants) {
            continue;
        }
        let at = resolve(place_of(new.item, new.span), &snapshot.sources).map(|resolved| resolved.at);
        add(report, "enum", *ty, shape.is_some(), at);
    }
}

/// Are the same old names declared for the fields?
fn same_names(old: &StructDef, new: &StructDef) -> bool {
    let names = |of: &StructDef| of.fields.iter().map(|field| field.was).collect::<Vec<_>>();
    names(old) == names(new)
}

/// What people call a struct or enum: its name without type arguments.
pub(crate) fn name_of(ty: Ty) -> String {
    match ty.kind() {
        TyKind::Struct(path, _) | TyKind::Enum(path, _) => path.name.to_string(),
        _ => ty.to_string(),
    }
}

/// Two types, with what tells them apart if they are called the same.
pub(crate) fn told_apart(old: Ty, new: Ty) -> (String, String) {
    let kind = |ty: Ty| match ty.kind() {
        TyKind::Struct(..) => "the struct ",
        TyKind::Enum(..) => "the enum ",
        _ => "",
    };
    let (was, is) = match (old.to_string() == new.to_string(), kind(old) == kind(new)) {
        (false, _) => ("", ""),
        (true, false) => (kind(old), kind(new)),
        (true, true) => ("", "another "),
    };
    (format!("{was}`{old}`"), format!("{is}`{new}`"))
}

/// `was ... and is now ...`
pub(crate) fn retyped(old: Ty, new: Ty) -> String {
    let (old, new) = told_apart(old, new);
    format!("was {old} and is now {new}")
}

/// Adds an entry, one for all instances of a generic type.
fn add(report: &mut Report, kind: &'static str, ty: Ty, used: bool, at: Option<Location>) {
    // How many there are shows when the threads are stopped.
    let outcome = if used { Outcome::Migrated { instances: 0 } } else { Outcome::NoCode };
    let (name, change) = (name_of(ty), "changed");
    let same = |edit: &&mut Edit| edit.kind == kind && edit.change == change && edit.name == name && edit.at == at;
    match report.edits.iter_mut().find(same) {
        Some(known) if used => known.outcome = outcome,
        Some(_) => {}
        None => report.edits.push(Edit { kind, name, change, outcome, at }),
    }
}

/// The types that values of a program can have or have had: those of its globals and of its functions' variables, with
/// all that lies inside them, as they were when code used them first. They only ever grow, for nobody knows when the last
/// value is gone: a parked global, the frame of a function that has been replaced and C may hold one.
#[derive(Default)]
pub(crate) struct Shapes {
    seen: FxHashSet<Ty>,
    structs: FxHashMap<Ty, Arc<StructDef>>,
    enums: FxHashMap<Ty, Arc<EnumDef>>,
}

impl Shapes {
    /// All values have the shapes of this version now.
    pub fn follow(&mut self, checked: &Checked) {
        // What lies in a field that was added is new, too.
        let seen: Vec<Ty> = self.seen.drain().collect();
        seen.into_iter().for_each(|ty| self.add(ty, checked));
    }

    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> Shapes {
        Shapes {
            seen: self.seen.iter().map(|ty| renames.ty(*ty)).collect(),
            structs: self.structs.iter().map(|(ty, of)| (renames.ty(*ty), renames.record(of))).collect(),
            enums: self.enums.iter().map(|(ty, of)| (renames.ty(*ty), renames.enumeration(of))).collect(),
        }
    }

    /// Can there be values of a type?
    pub fn has(&self, ty: Ty) -> bool {
        self.seen.contains(&ty)
    }

    /// Adds the types of a function's variables.
    pub fn add_function(&mut self, body: &Body, signature: &Signature, checked: &Checked) {
        body.locals.iter().for_each(|(_, local)| self.add(local.ty, checked));
        self.add(signature.result, checked);
    }

    /// Adds a type and all that lies inside it.
    pub fn add(&mut self, ty: Ty, checked: &Checked) {
        let mut queue = vec![ty];
        while let Some(ty) = queue.pop() {
            if self.seen.insert(ty) {
                self.structs.extend(checked.structs.get(&ty).map(|def| (ty, def.clone())));
                self.enums.extend(checked.enums.get(&ty).map(|def| (ty, def.clone())));
                inside(ty, checked, &mut queue);
            }
        }
    }
}

/// The types that a value of a type contains or points at.
fn inside(ty: Ty, checked: &Checked, queue: &mut Vec<Ty>) {
    let list = |list: &TyList, queue: &mut Vec<Ty>| queue.extend(list.iter());
    match ty.kind() {
        TyKind::Pointer(of)
        | TyKind::Reference(of)
        | TyKind::Array(of, _)
        | TyKind::Slice(of)
        | TyKind::Vec(of)
        | TyKind::Box(of) => queue.push(*of),
        TyKind::HashMap(key, value) => queue.extend([*key, *value]),
        TyKind::Tuple(parts) => list(parts, queue),
        TyKind::Function(params, result) => {
            list(params, queue);
            queue.push(*result);
        }
        TyKind::Struct(..) => {
            let fields = checked.structs.get(&ty).map(|def| &def.fields);
            queue.extend(fields.into_iter().flatten().map(|field| field.ty));
        }
        TyKind::Enum(..) => {
            let variants = checked.enums.get(&ty).map(|def| &def.variants);
            queue.extend(variants.into_iter().flatten().flat_map(|variant| &variant.fields).map(|field| field.ty));
        }
        _ => {}
    }
}

/// Globals that get their initial value.
#[derive(Default)]
pub(crate) struct Globals {
    /// New ones.
    pub new: Vec<ItemPath>,
    /// Those marked `#[reset]` whose initial value is another one.
    pub resets: Vec<ItemPath>,
}

/// Compares the globals; returns those that have to be initialised.
pub(crate) fn globals(live: &Live, snapshot: &Snapshot, report: &mut Report) -> Globals {
    let mut found = Globals::default();
    for (path, global) in &snapshot.checked.globals {
        let at = || resolve(global.place, &snapshot.sources).map(|resolved| resolved.at);
        let edit = |change, outcome| Edit { kind: "global", name: path.name.to_string(), change, outcome, at: at() };
        match live.globals.get(path) {
            None => {
                found.new.push(*path);
                if !live.functions.is_empty() {
                    report.edits.push(edit("added", Outcome::Initialised));
                }
            }
            Some(old) if old.ty != global.ty => {
                report.edits.push(edit("changed", Outcome::Migrated { instances: 1 }));
            }
            Some(_) if !live.checked.globals.contains_key(path) => report.edits.push(edit("added", Outcome::KeptValue)),
            Some(old) if same_init(old, global) || same_text((live, old), (snapshot, global)) => {}
            Some(_) if global.reset => {
                found.resets.push(*path);
                report.edits.push(edit("changed", Outcome::Initialised));
            }
            Some(_) => report.edits.push(edit("changed", Outcome::KeptValue)),
        }
    }
    for path in live.checked.globals.keys().filter(|path| !snapshot.checked.globals.contains_key(*path)) {
        let name = path.name.to_string();
        report.edits.push(Edit { kind: "global", name, change: "removed", outcome: Outcome::KeptValue, at: None });
    }
    found
}

/// Is a global declared by the same text as in the running version, with the same constants? Then its initial value is
/// another one only because fields of its type have come with defaults.
fn same_text((live, old): (&Live, &Global), (snapshot, new): (&Snapshot, &Global)) -> bool {
    let Some(running) = &live.snapshot else { return false };
    let item = |snapshot: &Snapshot, place: Place| match place.anchor {
        Anchor::Item(id) => {
            snapshot.sources.iter().find_map(|(_, file)| file.module.get(id).map(|found| found.item.clone()))
        }
        Anchor::File(_) => None,
    };
    let before = item(running, old.place);
    before.is_some() && before == item(snapshot, new.place) && constants(running) == constants(snapshot)
}

fn constants(snapshot: &Snapshot) -> Vec<&Item> {
    let modules = snapshot.input.modules.iter().filter(|module| !module.name.starts_with("std/"));
    let items = modules.flat_map(|module| &module.tree.items).map(|parsed| &*parsed.item);
    items.filter(|item| matches!(item.kind, ItemKind::Const(_))).collect()
}

fn same_init(old: &Global, new: &Global) -> bool {
    // The default of the type stands for a value that is not written, at the name.
    let written =
        |global: &Global| global.init.as_ref().is_some_and(|init| init.value.span.start != global.place.span.start);
    if !written(old) && !written(new) {
        return true;
    }
    match (&old.init, &new.init) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old.value.is_same_but_tables(&new.value),
        (old, new) => old.is_none() && new.is_none(),
    }
}
