//! Carrying live values over to the layouts of a new version.
//!
//! [`Migration::plan`] compares two histories of layouts while a reload is prepared. With the threads stopped,
//! [`Migration::try_out`] finds and counts all live values and prepares what needs memory or code; it may refuse, and then
//! nothing has changed. [`Trial::commit`] only stores.

mod aside;
mod boxes;
mod containers;
pub(crate) mod defaults;
pub(crate) mod dropped;
pub(crate) mod known;
mod moves;
pub(crate) mod notes;
mod offsets;
pub(crate) mod own;
pub(crate) mod plan;
mod remarks;
mod steps;
mod trial;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::layout::LayoutHistory;
use vaisjit_semantics::program::{EnumDef, FieldDef, Global, StructDef};
use vaisjit_semantics::{Checked, Instance, ItemPath, Ty, TyKind, hir};
use vaisjit_syntax::Name;

use crate::code::GlobalMemory;
use crate::heap::migrate::Conversion;
use crate::heap::{Heap, TypeRef};
use crate::live::Live;
use crate::reload::diff::name_of;
use crate::report::{Edit, Outcome, Report};
use aside::{Back, Keep};
use defaults::{Declarations, Declared, Wanted};
use known::Known;
use plan::{NoDefault, Planner};

pub(crate) use aside::{Aside, called};
pub(super) use offsets::leads_to;
pub(crate) use trial::waiting::Blocks;
pub(crate) use trial::{Denied, Going, Local, Settle, Trial, computing, failed, sees_old};

/// What has to be done to live values for a new version.
pub(crate) struct Migration {
    planner: Planner,
    /// Globals whose values change.
    pub globals: Vec<GlobalChange>,
    /// All globals, and their types in the running version and in the new one.
    roots: Vec<(ItemPath, Ty, Ty)>,
    /// Globals that the text has no more.
    removed: FxHashSet<ItemPath>,
    /// Values kept aside that come back or are given up, and of these those that are given up.
    gone: Vec<ItemPath>,
    dropped: Vec<(ItemPath, Ty)>,
    /// Records of the types of empty values that the trial makes.
    empties: FxHashMap<Ty, TypeRef>,
    /// The functions that compute parts of locals in registers.
    computed: Vec<Instance>,
}

/// A global whose value changes.
pub(crate) struct GlobalChange {
    /// Which.
    pub path: ItemPath,
    /// Its type in the running version.
    ty: Ty,
    /// How.
    conversion: usize,
    /// Its bytes after it, if they lie elsewhere.
    pub moves_to: Option<u32>,
    /// What is kept of it aside.
    keep: Option<Keep>,
    /// What comes back that was kept aside.
    back: Option<Back>,
}

/// Finds the bytes of a declared default that is made of literals.
pub(crate) type LiteralOf<'a> = dyn FnMut(&hir::Body) -> Option<Vec<u8>> + 'a;

impl Migration {
    /// No value changes, but frames that go on in new code want what these functions compute.
    pub fn of_frames((old, new): (Arc<LayoutHistory>, Arc<LayoutHistory>), computed: Vec<Instance>) -> Migration {
        let planner = Planner::new(Known::new(old), Known::new(new), Declarations::default());
        Migration { computed, ..Migration::by(planner) }
    }

    /// One that does nothing yet.
    fn by(planner: Planner) -> Migration {
        let (globals, roots, computed) = (Vec::new(), Vec::new(), Vec::new());
        let (gone, dropped, empties) = (Vec::new(), Vec::new(), FxHashMap::default());
        let removed = FxHashSet::default();
        Migration { planner, globals, roots, removed, gone, dropped, empties, computed }
    }

    /// Frames that go on in new code want what these functions compute, too.
    pub fn add_computed(&mut self, computed: Vec<Instance>) {
        self.computed.extend(computed);
    }

    /// Compares two versions. What cannot be carried over is refused in the report; `None` if no value changes.
    pub fn plan(
        live: &Live,
        checked: &Checked,
        (old, new): (Arc<LayoutHistory>, Arc<LayoutHistory>),
        literal: &mut LiteralOf<'_>,
        report: &mut Report,
    ) -> Option<Migration> {
        let retyped =
            |(path, global): (&ItemPath, &Global)| live.globals.get(path).is_some_and(|old| old.ty != global.ty);
        if old == new && !checked.globals.iter().any(retyped) {
            note_idle(report, &[]);
            return None;
        }
        let declarations = declarations(checked, literal);
        let (old, new) = (Known::new(old), Known::new(new));
        let mut planner = Planner::new(old, new, declarations);
        planner.set_writers(checked, &live.checked);
        let mut migration = Migration::by(planner);
        migration.plan_types(live, checked, report);
        migration.plan_globals(live, checked, literal, report);
        note_idle(report, &migration.planner.counted);
        report.notices.append(&mut migration.planner.remarks);
        report.hints.append(&mut migration.planner.hints);
        let nothing = migration.planner.is_idle() && migration.globals.is_empty();
        (!nothing).then_some(migration)
    }

    /// Every struct and enum of the new version, so that what cannot be is refused before threads are stopped.
    fn plan_types(&mut self, live: &Live, checked: &Checked, report: &mut Report) {
        let types: Vec<Ty> = checked.structs.keys().chain(checked.enums.keys()).copied().collect();
        for ty in types {
            if self.planner.old.get(ty).is_none() || !live.shapes.has(ty) {
                continue;
            }
            match self.planner.conversion(ty, ty, &ty.to_string()) {
                Err(missing) => refuse(report, checked, ("struct", &name_of(ty)), &missing),
                Ok(Some(conversion)) => self.keep_exposed(ty, conversion, report),
                Ok(None) => {}
            }
        }
    }

    /// Of a raw-exposed type there may be values that nobody knows of: they cannot move.
    fn keep_exposed(&self, ty: Ty, conversion: usize, report: &mut Report) {
        let Conversion { from_size, to_size, in_place, shifts, .. } = self.planner.conversions[conversion];
        let exposed = self.planner.old.get(ty).is_some_and(|known| known.exposed);
        if !exposed || in_place && !shifts {
            return;
        }
        let why = format!(
            "`{ty}` has {from_size} bytes and would need {to_size}, and there may be values of it in memory that vaisjit does not know: it is named in `sizeof`, in a cast to a pointer, or in the signature of a C or host function"
        );
        let help = format!("reserve room in it with `#[reserve({to_size})]` and restart, or undo the edit");
        let outcome = Outcome::Refused { why, help };
        let name = name_of(ty);
        if let Some(edit) = report.edits.iter_mut().find(|edit| edit.name == name && edit.kind != "function") {
            edit.outcome = outcome;
        }
    }

    fn plan_globals(&mut self, live: &Live, checked: &Checked, literal: &mut LiteralOf<'_>, report: &mut Report) {
        let mut paths: Vec<ItemPath> = live.globals.keys().copied().collect();
        paths.sort_unstable();
        let kept = aside::kept(live);
        for path in paths {
            let old = &live.globals[&path];
            let new = checked.globals.get(&path).map_or(old.ty, |global| global.ty);
            self.roots.push((path, old.ty, new));
            self.removed.extend((!checked.globals.contains_key(&path)).then_some(path));
            let label = aside::called(path, old.ty);
            let declared = checked.globals.get(&path).and_then(|global| initial(global, literal));
            let known = kept.get(&path).map_or(&[][..], |list| list);
            match self.change((path, old), new, (&label, declared.as_ref()), known) {
                Ok(change) => self.globals.extend(change),
                Err(missing) => refuse(report, checked, ("global", &label), &missing),
            }
        }
        self.leave_dropped();
    }

    /// Makes sure that the heap has records of what the trial makes.
    pub fn add_records(&mut self, heap: &Heap) {
        self.add_own_records(heap);
        let new = &self.planner.new;
        for rebuild in &mut self.planner.rebuilds {
            rebuild.record = Some(heap.type_record(rebuild.types.1, &|ty| new.shape(ty)));
        }
        for wanted in &self.planner.queues {
            if let Wanted::Empty(ty) = wanted {
                self.empties.insert(*ty, heap.type_record(*ty, &|ty| new.shape(ty)));
            }
        }
    }

    /// May values, or parts of them, lie elsewhere afterwards, or be gone?
    pub fn moves_values(&self) -> bool {
        let conversions = &self.planner.conversions;
        conversions.iter().any(|of| !of.in_place || of.shifts || self.planner.drops_part(of.types))
    }

    /// The types of containers of which others are made, of another type.
    pub fn rebuilt(&self) -> impl Iterator<Item = Ty> {
        self.planner.rebuilds.iter().map(|rebuild| rebuild.types.0)
    }

    /// New memory for the globals that do not fit into theirs.
    pub fn new_memory(&self) -> impl Iterator<Item = (ItemPath, GlobalMemory)> {
        let memory = |global: &GlobalChange| Some((global.path, GlobalMemory::new(global.moves_to? as usize)));
        self.globals.iter().filter_map(memory)
    }

    /// Does a global change, or do values lead from it to some that do?
    pub fn concerns(&self, path: ItemPath, ty: Ty) -> bool {
        let (mut open, mut seen) = (vec![ty], FxHashSet::default());
        let mut found = self.globals.iter().any(|global| global.path == path);
        while let Some(ty) = open.pop().filter(|_| !found) {
            if seen.insert(ty) {
                found = self.planner.counted.contains(&ty);
                self.planner.old.inside(ty, &mut open);
            }
        }
        found
    }

    /// The functions that compute defaults.
    pub fn computed(&self) -> Vec<Instance> {
        let instance = |wanted: &Wanted| match wanted {
            Wanted::Computed(instance, _) => Some(*instance),
            Wanted::Empty(_) => None,
        };
        self.planner.queues.iter().filter_map(instance).chain(self.computed.iter().copied()).collect()
    }
}

/// A type whose values stay as they are.
fn note_idle(report: &mut Report, changed: &[Ty]) {
    for edit in &mut report.edits {
        let idle = edit.outcome == Outcome::Migrated { instances: 0 } && matches!(edit.kind, "struct" | "enum");
        if idle && !changed.iter().any(|ty| name_of(*ty) == edit.name) {
            edit.outcome = Outcome::NoCode;
        }
    }
}

/// Says of an edit that it cannot be, for want of a default.
fn refuse(report: &mut Report, checked: &Checked, (kind, name): (&'static str, &str), missing: &NoDefault) {
    let NoDefault { label, ty } = missing;
    let why =
        format!("`{label}` would have to start with a value of type `{ty}`, and {} has none", without_default(*ty));
    let help = way_out(checked, label, *ty);
    let outcome = Outcome::Refused { why, help };
    if report.edits.iter().any(|edit| edit.outcome == outcome) {
        return;
    }
    match report.edits.iter_mut().find(|edit| edit.name == name && edit.kind != "function") {
        Some(edit) => edit.outcome = outcome,
        None => {
            let edit = Edit { kind, name: name.to_owned(), change: "changed", outcome, at: None };
            report.edits.push(edit);
        }
    }
}

/// How what a label stands for gets a default that it has not: `ty` is the type in it that has none.
/// What a type is that has no default.
fn without_default(ty: Ty) -> &'static str {
    match ty.kind() {
        TyKind::Function(..) => "a function value",
        TyKind::Dyn(_) => "a `dyn` value",
        TyKind::Reference(_) => "a reference",
        TyKind::Box(_) => "a box",
        TyKind::Enum(..) => "an enum without a variant that has no payload",
        _ => "a type without a default value",
    }
}

fn way_out(checked: &Checked, label: &str, ty: Ty) -> String {
    let field =
        |owner: &Ty, field: &FieldDef| (label == format!("{owner}.{}", field.name)).then_some((field.name, field.ty));
    let fields = checked.structs.iter().flat_map(|(owner, of)| of.fields.iter().map(move |one| (owner, one)));
    let payloads = checked.enums.iter().flat_map(|(owner, of)| of.variants.iter().map(move |one| (owner, one)));
    let globals = || checked.globals.iter().find(|(path, _)| path.name == *label).map(|(path, of)| (path.name, of.ty));
    let found = fields.into_iter().find_map(|(owner, one)| field(owner, one)).or_else(globals);
    if let Some((name, of)) = found {
        return format!("declare a default, as in `{name}: {of} = ...`, or make it an `Option<{of}>`");
    }
    let variant = payloads.into_iter().find(|(owner, variant)| label == format!("{owner}.{}", variant.name));
    let inside = variant.and_then(|(_, variant)| {
        let same = variant.fields.iter().find(|field| field.ty == ty);
        same.or(variant.fields.first())
    });
    match inside {
        Some(field) if field.name.starts_with(|first: char| first.is_ascii_digit()) => {
            format!("make it an `Option<{}>`", field.ty)
        }
        Some(FieldDef { name, ty, .. }) => {
            format!("declare a default, as in `{name}: {ty} = ...`, or make it an `Option<{ty}>`")
        }
        None => format!("make it an `Option<{ty}>`"),
    }
}

/// The initial value of a global, which it starts with again if its old one cannot be had.
fn initial(global: &Global, literal: &mut LiteralOf<'_>) -> Option<Declared> {
    let init = global.init.as_ref()?;
    Some(literal(init).map_or(Declared::Computed(init.instance), |bytes| Declared::Bytes(bytes.into())))
}

fn declarations(checked: &Checked, literal: &mut LiteralOf<'_>) -> Declarations {
    let mut found = Declarations::default();
    for (ty, definition) in &checked.structs {
        let StructDef { fields, .. } = &**definition;
        fields.iter().for_each(|field| found.add((*ty, None), field, literal));
    }
    for (ty, definition) in &checked.enums {
        let EnumDef { variants, .. } = &**definition;
        let empty = variants.iter().find(|variant| variant.fields.is_empty());
        found.empty.extend(empty.map(|variant| (*ty, variant.name)));
        for variant in variants {
            variant.fields.iter().for_each(|field| found.add((*ty, Some(variant.name)), field, literal));
        }
    }
    found
}

impl Declarations {
    fn add(&mut self, (ty, variant): (Ty, Option<Name>), field: &FieldDef, literal: &mut LiteralOf<'_>) {
        let key = (ty, variant, field.name);
        if let Some(default) = &field.default {
            let declared = match literal(default) {
                Some(bytes) => Declared::Bytes(bytes.into()),
                None => Declared::Computed(default.instance),
            };
            self.defaults.insert(key, declared);
        }
    }
}
