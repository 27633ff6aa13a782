//! What a save changed besides function bodies, and what that means for the running program.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::mir::Signature;
use vaisjit_semantics::hir::Body;
use vaisjit_semantics::program::{EnumDef, FieldDef, Global, StructDef, place_of};
use vaisjit_semantics::types::TyList;
use vaisjit_semantics::{Checked, ItemPath, Ty, TyKind};

use crate::live::{Live, resolve};
use crate::program::is_literal;
use crate::report::{Edit, Location, Outcome, Report};
use crate::workspace::Snapshot;

/// The way out of what cannot be carried over.
const RESTART: &str = "undo the edit to go on, or end the program and start it again";

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
        let Some(old) = before.filter(|old| !Arc::ptr_eq(old, new) && old.fields != new.fields) else { continue };
        let at = resolve(place_of(new.item, new.span), &snapshot.sources).map(|resolved| resolved.at);
        report.edits.push(edit("struct", *ty, shape.is_some(), struct_change(old, new), at));
    }
    for (ty, new) in &snapshot.checked.enums {
        let shape = live.shapes.enums.get(ty);
        let before = shape.or_else(|| live.checked.enums.get(ty));
        let Some(old) = before.filter(|old| !Arc::ptr_eq(old, new) && old.variants != new.variants) else { continue };
        let at = resolve(place_of(new.item, new.span), &snapshot.sources).map(|resolved| resolved.at);
        report.edits.push(edit("enum", *ty, shape.is_some(), enum_change(old, new), at));
    }
}

fn edit(kind: &'static str, ty: Ty, used: bool, change: String, at: Option<Location>) -> Edit {
    let outcome = if used {
        refused(
            format!("{change}, and the running program has values of the old shape, which this version cannot convert"),
            RESTART,
        )
    } else {
        Outcome::NoCode
    };
    Edit { kind, name: ty.to_string(), change: "changed", outcome, at }
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
        TyKind::Pointer(of) | TyKind::Reference(of) | TyKind::Array(of, _) | TyKind::Slice(of) | TyKind::Vec(of) => {
            queue.push(*of);
        }
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

fn struct_change(old: &StructDef, new: &StructDef) -> String {
    fields_change(&old.fields, &new.fields).unwrap_or_else(|| "its layout changed".to_owned())
}

fn fields_change(old: &[FieldDef], new: &[FieldDef]) -> Option<String> {
    let find = |fields: &[FieldDef], field: &FieldDef| fields.iter().find(|other| other.name == field.name).cloned();
    let mut changes = Vec::new();
    for field in new {
        match find(old, field) {
            None => changes.push(format!("field `{}` was added", field.name)),
            Some(before) if before.ty != field.ty => {
                changes.push(format!("field `{}` was `{}` and is now `{}`", field.name, before.ty, field.ty));
            }
            Some(_) => {}
        }
    }
    for field in old.iter().filter(|field| find(new, field).is_none()) {
        changes.push(format!("field `{}` was removed", field.name));
    }
    if changes.is_empty() && old != new {
        changes.push("its fields changed their order".to_owned());
    }
    (!changes.is_empty()).then(|| changes.join(", "))
}

fn enum_change(old: &EnumDef, new: &EnumDef) -> String {
    let mut changes = Vec::new();
    for variant in &new.variants {
        match old.variants.iter().find(|other| other.name == variant.name) {
            None => changes.push(format!("variant `{}` was added", variant.name)),
            Some(before) if before.fields != variant.fields => {
                changes.push(format!("the payload of variant `{}` changed", variant.name));
            }
            Some(_) => {}
        }
    }
    for variant in old.variants.iter().filter(|old| !new.variants.iter().any(|other| other.name == old.name)) {
        changes.push(format!("variant `{}` was removed", variant.name));
    }
    if changes.is_empty() { "its variants changed their order".to_owned() } else { changes.join(", ") }
}

/// Compares the globals; returns those that are new and have to be initialised.
pub(crate) fn globals(live: &Live, snapshot: &Snapshot, report: &mut Report) -> Vec<ItemPath> {
    let mut new = Vec::new();
    for (path, global) in &snapshot.checked.globals {
        let at = || resolve(global.place, &snapshot.sources).map(|resolved| resolved.at);
        let edit = |change, outcome| Edit { kind: "global", name: path.name.to_string(), change, outcome, at: at() };
        match live.globals.get(path) {
            None => {
                new.push(*path);
                let literal = global.init.as_ref().is_none_or(|init| is_literal(&init.value));
                if !live.functions.is_empty() {
                    report.edits.push(edit("added", if literal { Outcome::Initialised } else { needs_code() }));
                }
            }
            Some(old) if old.ty != global.ty => report.edits.push(edit("changed", retyped(old, global))),
            Some(_) if !live.checked.globals.contains_key(path) => report.edits.push(edit("added", Outcome::KeptValue)),
            Some(old) if !same_init(old, global) => report.edits.push(edit("changed", Outcome::KeptValue)),
            Some(_) => {}
        }
    }
    for path in live.checked.globals.keys().filter(|path| !snapshot.checked.globals.contains_key(*path)) {
        let name = path.name.to_string();
        report.edits.push(Edit { kind: "global", name, change: "removed", outcome: Outcome::KeptValue, at: None });
    }
    new
}

fn needs_code() -> Outcome {
    refused(
        "its initial value has to be computed, and this version can only give new variables values made of literals",
        "give it a literal value and set it from a function",
    )
}

fn retyped(old: &Global, new: &Global) -> Outcome {
    refused(
        format!("it was `{}` and is now `{}`, and this version cannot convert its value", old.ty, new.ty),
        "give the new variable another name, or undo the edit",
    )
}

fn same_init(old: &Global, new: &Global) -> bool {
    match (&old.init, &new.init) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old.value == new.value,
        (old, new) => old.is_none() && new.is_none(),
    }
}
