//! Prepare: from a checked snapshot to everything a commit needs, without touching anything that can be seen.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::layout::{self, LayoutHistory, Layouts, TypeLayouts};
use vaisjit_codegen::link::SlotKey;
use vaisjit_codegen::mir::Signature;
use vaisjit_semantics::program::{Function, FxIndexMap};
use vaisjit_semantics::{Checked, Instance, ItemPath, Ty, hir};
use vaisjit_syntax::{Diagnostic, Place};

use super::compile::{Compiled, Lowered, compile, lower};
use super::diff;
use super::guards::{guards, new_guards};
use super::items;
use super::left::Left;
use super::links::Links;
use super::migrate::Migration;
use super::renames::{Described, Double, Found, is_of_copy};
use super::replace::{self, Loops, Moves, Standing, Verdict};
use crate::code::{CodeAddress, GlobalMemory, Slot};
use crate::fault;
use crate::heap::TypeUpdate;
use crate::host::HostTable;
use crate::linkage::{Fresh, Lacking, Linkage, NewGuard, TableStore};
use crate::live::{FunctionMeta, Live, LiveFunction};
use crate::program::{constant, is_literal};
use crate::report::{Clock, Edit, Outcome, Report};
use crate::shapes::AllShapes;
use crate::workspace::Snapshot;

/// How a program is compiled; the same for all its versions.
pub(crate) struct Mode {
    /// With slots, polls and data stack.
    pub hot: bool,
    /// Its code can be stopped; a hot program's always can, but for measurements of what that costs.
    pub polled: bool,
    /// Calls that fail can be made again after a reload.
    pub pauses: bool,
}

impl Mode {
    /// The layouts of a program that runs in this mode, after those it has had.
    pub fn layouts(&self, checked: &Checked, history: &LayoutHistory) -> TypeLayouts {
        if self.hot { TypeLayouts::hot(checked, history) } else { TypeLayouts::new(checked) }
    }
}

/// Everything a commit needs.
pub(crate) struct Prepared {
    /// The new texts and trees.
    pub snapshot: Snapshot,
    /// What will happen to each edit.
    pub report: Report,
    /// Functions with new code.
    pub functions: Vec<(Instance, LiveFunction)>,
    /// Functions that are gone.
    pub removed: Vec<Instance>,
    /// Functions whose code stays, with their new bodies and places.
    pub refreshed: Vec<(Instance, Arc<hir::Body>, Arc<FunctionMeta>)>,
    /// The same for loops that run on in code of their own.
    pub replaced_places: Vec<replace::places::Moved>,
    /// Addresses to publish.
    pub stores: Vec<(Slot, CodeAddress)>,
    /// New globals; those of version 1 are initialised by running their initial values.
    pub globals: Vec<ItemPath>,
    /// Initial values of new globals in a reload.
    pub global_bytes: Vec<(ItemPath, Vec<u8>)>,
    /// The layouts of its types.
    pub layouts: Arc<TypeLayouts>,
    /// The layouts that the running program has had, once this version is live.
    pub history: Arc<LayoutHistory>,
    /// The structs and enums that lie otherwise than in the running version.
    pub moved: Arc<FxHashSet<Ty>>,
    /// New guard thunks, for their slots.
    pub guards: Vec<NewGuard>,
    /// What changes in the tables of methods of `dyn`s.
    pub tables: Vec<TableStore>,
    /// Tables that would lack a method: there must be no values with them.
    pub lacking: Vec<Lacking>,
    /// Functions whose signatures and closures whose captures change, and those that are gone, with their slots: values made
    /// of them keep their code.
    pub left_functions: Vec<(Instance, Slot)>,
    /// What of them, and of those of earlier versions, has values, once that has been counted; all if frames in old code may
    /// call them.
    pub still_left: Option<Vec<Arc<Left>>>,
    /// The slots of those among them whose code is not right any more, but that only values lead to which wait in what has been
    /// removed.
    pub emptied: Vec<Slot>,
    /// Removed globals with such values, which are given up.
    pub given_up: Vec<ItemPath>,
    /// What is done to live values.
    pub migration: Option<Migration>,
    /// New memory of globals that do not fit into theirs any more.
    pub moving: Vec<(ItemPath, GlobalMemory)>,
    /// Globals whose first value has to be computed in a reload, in order.
    pub computed: Vec<ItemPath>,
    /// Globals marked `#[reset]` whose initial value is another one.
    pub resets: Vec<ItemPath>,
    /// The initial values of these that are made of literals.
    pub literals: FxHashMap<ItemPath, Vec<u8>>,
    /// Functions that compute defaults of fields; only the trial calls them.
    pub defaults: Vec<(Instance, LiveFunction)>,
    /// Their addresses.
    pub default_stores: Vec<(Slot, CodeAddress)>,
    /// What the heap has to know otherwise of types.
    pub types: Vec<TypeUpdate>,
    /// The items that stand in two modules, once it is live.
    pub doubles: Vec<Double>,
    /// The links of the new version.
    pub links: Arc<Links>,
    /// Functions that are called through slots from now on because they have been edited.
    pub promoted: Vec<Instance>,
    /// Slots made for this reload; taken back if it is abandoned.
    pub new_slots: Vec<SlotKey>,
    /// What was added to the link table besides; taken back likewise.
    pub fresh: Fresh,
    /// Globals whose memory was made for this reload; taken back likewise.
    pub new_globals: Vec<ItemPath>,
    /// Is `main` among the functions with new code?
    pub changes_main: bool,
    /// How running loops go on.
    pub moves: Moves,
    /// Has code that is replaced loops that look up? Then it may be running by now.
    pub may_loop: bool,
    /// What keeps values from moving.
    pub pins: Pins,
    /// When a frame was found in the way first.
    pub blocked_since: Option<Instant>,
    /// The frames that were in the way last time, by their frame pointers, and how many times in a row they were there.
    pub in_the_way: Vec<((usize, Standing), u32)>,
    /// The running version under the names of this one, if items have other names.
    pub described: Option<Box<Described>>,
    /// Has a thread asked for it that is in the program itself?
    pub asked_inside: bool,
    /// Has it come in the middle of a turn that runs code of both versions?
    pub mixes_turns: bool,
    /// What the commit has taken out of the running version, to be given up once the threads go on: that may take long.
    pub left: Vec<Box<dyn Any + Send>>,
}

/// Words of which nobody knows the type, and which lead to values that have to move.
#[derive(Default)]
pub(crate) struct Pins {
    /// Who holds one, as the last trial has found.
    pub by: Option<String>,
    /// When the first trial found one.
    pub since: Option<Instant>,
}

/// Has the running code of a function loops that look up?
fn may_loop(live: &Live, instance: Instance) -> bool {
    live.functions.get(&instance).is_some_and(|live| live.meta.has_loops())
}

impl Prepared {
    /// Do frames of this code that have not come yet to where they go on in the code of an earlier version still do? Their
    /// own may not be right any more; that is, if the commit changes no values (`quiet`). Not if this is the code that
    /// runs from now on, or if they go on in newer code.
    pub fn leaves_next(&self, running: &replace::Running, place: (usize, usize), quiet: bool) -> bool {
        let runs = |function: &LiveFunction| (Arc::as_ptr(&function.code.unit) as usize, function.code.index) == place;
        match running.decided(place) {
            None => true,
            Some(goes) => quiet && !goes && !self.functions.iter().any(|(_, function)| runs(function)),
        }
    }

    /// Does code of the function that runs stay behind: has it new code, or is it gone?
    pub fn replaces(&self, instance: Instance) -> bool {
        self.moves.running.concerns(instance) || self.removed.binary_search(&instance).is_ok()
    }

    /// Does it change values that there are, or compute any?
    pub fn changes_values(&self) -> bool {
        let initial = !self.computed.is_empty() || !self.resets.is_empty();
        initial || !self.moving.is_empty() || !self.moved.is_empty() || self.migration.is_some()
    }

    /// Is it the body of exactly one function and nothing else, so that one store publishes it?
    pub fn is_single_body(&self) -> bool {
        self.stores.len() <= 1
            && self.functions.len() == 1
            && self.removed.is_empty()
            && self.globals.is_empty()
            && self.types.is_empty()
            && self.tables.is_empty()
            && self.lacking.is_empty()
            && self.moves.is_empty()
            && !self.may_loop
            && !self.changes_main
            && self.moved.is_empty()
            && self.migration.is_none()
            && self.resets.is_empty()
            && self.described.is_none()
    }

    /// Takes back all that was added to the link table for it. It must not become live any more.
    pub fn take_back(&self, linkage: &mut Linkage) {
        match &self.described {
            Some(described) => described.within(linkage, |linkage| self.take_back_added(linkage)),
            None => self.take_back_added(linkage),
        }
    }

    fn take_back_added(&self, linkage: &mut Linkage) {
        self.new_slots.iter().for_each(|key| linkage.forget_slot(key));
        self.new_globals.iter().for_each(|path| linkage.forget_global(*path));
        linkage.take_back(&self.fresh);
    }

    /// Does any running code change?
    pub fn changes_code(&self) -> bool {
        let code = self.functions.is_empty() && self.removed.is_empty();
        let values = self.migration.is_none() && self.resets.is_empty() && self.tables.is_empty();
        let names = self.described.is_none();
        !(code && values && names && self.globals.is_empty() && self.types.is_empty())
    }
}

/// What became of a snapshot.
pub(crate) enum Preparation {
    /// It can be committed.
    Ready(Box<Prepared>),
    /// It has mistakes.
    Rejected(Vec<Diagnostic>),
    /// It cannot be carried over; the report says why.
    Refused(Report),
    /// The same, perhaps only because types grow to keep values of fields that are gone.
    TooLarge(Report),
}

/// What a preparation starts from.
pub(crate) struct Base<'a> {
    pub mode: &'a Mode,
    pub live: &'a Live,
    pub linkage: &'a mut Linkage,
    pub host: &'a HostTable,
    /// Links of the running version.
    pub links: &'a Arc<Links>,
    /// Functions called through slots because they have been edited before.
    pub promoted: &'a FxHashSet<Instance>,
    /// The number the new version will get.
    pub version: u64,
    /// Is `main` being called now?
    pub main_is_running: bool,
    /// The frames on the stacks of the program; `None` if a thread does not stop soon.
    pub stacks: &'a dyn Fn() -> Option<Vec<Standing>>,
    /// What has another name than in the running version; `live` and `linkage` go by the new ones.
    pub found: Option<Found>,
    /// Why no type may grow only to keep values of fields that are gone, if it may not.
    pub cramped: Option<&'a str>,
    /// Has a newer save made this one pointless? Asked between functions.
    pub cancelled: &'a dyn Fn() -> bool,
}

/// The bodies that are compiled: the functions, and the initial values of globals that are not made of literals.
pub(crate) fn bodies(checked: &Checked) -> impl Iterator<Item = (Instance, &Arc<hir::Body>)> {
    let functions = checked.functions.iter().map(|(instance, function)| (*instance, &function.body));
    let inits = checked.globals.values().filter_map(|global| global.init.as_ref());
    functions.chain(inits.filter(|init| !is_literal(&init.value)).map(|init| (init.instance, init)))
}

/// A body and where it is declared.
pub(crate) fn body_of(checked: &Checked, instance: Instance) -> Option<(&Arc<hir::Body>, Place)> {
    if let Some(function) = checked.functions.get(&instance) {
        return Some((&function.body, function.head));
    }
    let global =
        checked.globals.values().find(|global| global.init.as_ref().is_some_and(|i| i.instance == instance))?;
    Some((global.init.as_ref()?, global.place))
}

/// Compares, compiles and plans. `None` means a newer save arrived meanwhile.
pub(crate) fn prepare(snapshot: Snapshot, base: &mut Base<'_>) -> Option<Preparation> {
    base.linkage.start_noting();
    let mut preparation = prepare_noted(snapshot, base);
    base.linkage.set_moving(std::iter::empty());
    let fresh = base.linkage.stop_noting();
    match &mut preparation {
        Some(Preparation::Ready(prepared)) => prepared.fresh = fresh,
        _ => base.linkage.take_back(&fresh),
    }
    preparation
}

fn prepare_noted(snapshot: Snapshot, base: &mut Base<'_>) -> Option<Preparation> {
    let clock = Clock::start();
    let mut report = Report::default();
    report.times.parse_us = snapshot.times.parse_us;
    report.times.check_us = snapshot.times.check_us;
    if snapshot.has_errors() {
        return Some(Preparation::Rejected(snapshot.diagnostics.to_vec()));
    }
    let copies = base.found.as_ref().map_or_else(Vec::new, Found::copies);
    let gone = base.found.as_ref().map_or_else(Vec::new, |found| found.tell(&mut report));
    let back = base.live.layouts_of(&snapshot.checked);
    let layouts = base.mode.layouts(&snapshot.checked, &base.live.history).back_to(back);
    let layouts = Arc::new(if base.cramped.is_some() { layouts.keeping_what_fits() } else { layouts });
    let moved = Arc::new(layouts.moved(&base.live.layouts));
    diff::types(base.live, &snapshot, &mut report);
    let diff::Globals { new: globals, resets } = diff::globals(base.live, &snapshot, &mut report);
    let first = base.live.functions.is_empty();
    let history = Arc::new(layouts.history(&base.live.history));
    let migration = if first { None } else { migration(&snapshot, base, (&layouts, &history), &mut report) };
    report.notices.extend(base.cramped.map(|why| format!("no type grows to keep what removed fields held: {why}")));
    let moving: Vec<(ItemPath, GlobalMemory)> = migration.iter().flat_map(Migration::new_memory).collect();
    base.linkage.set_moving(moving.iter().map(|(path, memory)| (*path, memory.address())));
    let moves = migration.as_ref().is_some_and(Migration::moves_values);
    let mut plan = match Plan::new(&snapshot, base, &layouts, (&moved, moves)) {
        Ok(plan) => plan,
        Err(diagnostics) => return Some(Preparation::Rejected(diagnostics)),
    };
    let mut loops = replace::plan(&plan.changed, &snapshot, base, (&layouts, &history), &plan.links, !moved.is_empty());
    plan.report(&snapshot, base, &loops, &mut report);
    report.edits.retain(|edit| !is_of_copy(edit, &copies));
    report.notices.extend(loops.take_notices());
    loops.wholes = migration.iter().flat_map(Migration::wholes).collect();
    let migration = with_frames(migration, loops.computed(&snapshot, &layouts, base.live), base.live, &history);
    let wanted: FxHashSet<Instance> = migration.iter().flat_map(Migration::computed).collect();
    if let Err(found) = plan.add_defaults(&snapshot, base, &layouts, &wanted) {
        return Some(Preparation::Rejected(vec![*found]));
    }
    if let Some(running) = &base.live.snapshot {
        items::report(running, &snapshot, &gone, &mut report);
    }
    let is_refused = report.refusals().next().is_some();
    if fault::strikes(&mut report) || is_refused {
        report.hold_back();
        let grows = is_refused && layouts.grow_to_keep();
        return Some(if grows { Preparation::TooLarge(report) } else { Preparation::Refused(report) });
    }
    let mut global_bytes = Vec::new();
    let mut new_globals = Vec::new();
    let mut computed = Vec::new();
    for path in &globals {
        let global = &snapshot.checked.globals[path];
        if base.linkage.global_or_new(*path, layouts.layout(global.ty).size).1 {
            new_globals.push(*path);
        }
        if first {
            continue;
        }
        let bytes = match &global.init {
            Some(init) => constant(&init.value, &layouts, base.linkage),
            None => layout::constant::zero(global.ty, &*layouts),
        };
        match bytes {
            Some(bytes) => global_bytes.push((*path, bytes)),
            None if global.init.is_some() => computed.push(*path),
            None => {}
        }
    }
    let literal = |path: &ItemPath| {
        let init = snapshot.checked.globals.get(path)?.init.as_ref()?;
        Some((*path, constant(&init.value, &layouts, base.linkage)?))
    };
    let literals = resets.iter().filter_map(literal).collect();
    if fault::strikes(&mut report) {
        new_globals.iter().for_each(|path| base.linkage.forget_global(*path));
        return Some(Preparation::Refused(report));
    }
    let compiled = match compile(&plan.changed, loops, &plan.links, &layouts, base, &snapshot) {
        Ok(Some(compiled)) => compiled,
        failed => {
            // The next save may give these names other types.
            new_globals.iter().for_each(|path| base.linkage.forget_global(*path));
            return failed.err().map(Preparation::Rejected);
        }
    };
    if fault::strikes(&mut report) {
        new_globals.iter().for_each(|path| base.linkage.forget_global(*path));
        return Some(Preparation::Refused(report));
    }
    let shapes = AllShapes::new(&snapshot.checked, &layouts, &history);
    let types = base.linkage.heap().type_updates(&|ty| shapes.has(ty), &|ty| shapes.get(ty));
    report.compiled = compiled.made;
    let guards = new_guards(&snapshot.checked, &compiled, &layouts, base);
    if fault::strikes(&mut report) {
        compiled.new_slots.iter().for_each(|key| base.linkage.forget_slot(key));
        new_globals.iter().for_each(|path| base.linkage.forget_global(*path));
        return Some(Preparation::Refused(report));
    }
    report.times.compile_us = clock.micros();
    let mut prepared = plan.finish(snapshot, report, compiled, (globals, global_bytes), base);
    let (defaults, functions) = std::mem::take(&mut prepared.functions).into_iter().partition(|(instance, _)| {
        wanted.contains(instance) && body_of(&prepared.snapshot.checked, *instance).is_none()
    });
    (prepared.defaults, prepared.functions) = (defaults, functions);
    (prepared.default_stores, prepared.stores) = std::mem::take(&mut prepared.stores)
        .into_iter()
        .partition(|(slot, _)| prepared.defaults.iter().any(|(_, function)| function.slot == *slot));
    (prepared.migration, prepared.moving) = (migration, moving);
    (prepared.computed, prepared.resets, prepared.literals) = (computed, resets, literals);
    let texts = prepared.refreshed.iter().map(|(instance, body, _)| (*instance, body.clone())).collect();
    prepared.replaced_places = replace::places::moved(&texts, base.live, &prepared.snapshot.checked, &layouts);
    prepared.history = history;
    (prepared.layouts, prepared.moved) = (layouts, moved);
    prepared.new_globals = new_globals;
    prepared.types = types;
    if prepared.changes_code() {
        prepared.report.definitions_count();
    }
    prepared.guards = guards;
    if !first {
        (prepared.tables, prepared.lacking) = base.linkage.table_stores(&prepared.snapshot.checked, &*prepared.layouts);
    }
    Some(Preparation::Ready(Box::new(prepared)))
}

/// Compiles functions that compute defaults of fields of the running version, beside its code. `None` if one cannot be.
pub(crate) fn defaults(snapshot: &Snapshot, base: &mut Base<'_>, wanted: &FxHashSet<Instance>) -> Option<Compiled> {
    let layouts = base.live.layouts.clone();
    let (changed, refreshed, removed, promoted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut plan = Plan { changed, refreshed, removed, promoted, links: base.links.clone() };
    plan.add_defaults(snapshot, base, &layouts, wanted).ok()?;
    compile(&plan.changed, Loops::default(), &plan.links, &layouts, base, snapshot).ok()?
}

/// What is to be done to live values.
fn migration(
    snapshot: &Snapshot,
    base: &mut Base<'_>,
    (layouts, history): (&Arc<TypeLayouts>, &Arc<LayoutHistory>),
    report: &mut Report,
) -> Option<Migration> {
    let linkage = &mut *base.linkage;
    let mut literal = |body: &hir::Body| {
        if is_literal(&body.value) { constant(&body.value, layouts, linkage) } else { None }
    };
    let histories = (base.live.history.clone(), history.clone());
    let mut migration = Migration::plan(base.live, &snapshot.checked, histories, &mut literal, report)?;
    migration.add_records(base.linkage.heap());
    Some(migration)
}

/// The migration with what loops want computed that go on in new code.
fn with_frames(
    migration: Option<Migration>,
    computed: Vec<Instance>,
    live: &Live,
    history: &Arc<LayoutHistory>,
) -> Option<Migration> {
    match migration {
        Some(mut migration) => {
            migration.add_computed(computed);
            Some(migration)
        }
        None if computed.is_empty() => None,
        None => Some(Migration::of_frames((live.history.clone(), history.clone()), computed)),
    }
}

/// Tells which types lie otherwise than in the running version, or hold something that does.
struct Touched<'a> {
    layouts: &'a TypeLayouts,
    before: &'a TypeLayouts,
    moved: &'a FxHashSet<Ty>,
    known: FxHashMap<Ty, bool>,
}

impl Touched<'_> {
    fn is(&mut self, ty: Ty) -> bool {
        let (layouts, before) = (self.layouts, self.before);
        let otherwise = |ty: Ty| layouts.layout_fingerprint(ty) != before.layout_fingerprint(ty);
        !self.moved.is_empty() && *self.known.entry(ty).or_insert_with(|| otherwise(ty))
    }
}

/// Is it no function of the author's: an initial value, or an instance of the library's that is needed now?
fn is_hidden(instance: &Instance) -> bool {
    instance.path.name.starts_with('{') || instance.path.module.starts_with("std/")
}

/// Finds the functions of the running version fast that are asked for in the order of the text.
struct Running<'a> {
    functions: &'a FxIndexMap<Instance, Function>,
    next: usize,
}

impl Running<'_> {
    /// Is this a function of the running version, with this very body?
    fn has(&mut self, instance: Instance, body: &Arc<hir::Body>) -> bool {
        let expected = self.functions.get_index(self.next).filter(|(known, _)| **known == instance);
        let at = expected.map(|_| self.next).or_else(|| self.functions.get_index_of(&instance));
        let Some(at) = at else { return false };
        self.next = at + 1;
        Arc::ptr_eq(&self.functions[at].body, body)
    }
}

/// Which functions get new code.
struct Plan {
    changed: Vec<(Instance, Lowered)>,
    refreshed: Vec<(Instance, Arc<hir::Body>, Lowered)>,
    removed: Vec<Instance>,
    links: Arc<Links>,
    promoted: Vec<Instance>,
}

impl Plan {
    fn new(
        snapshot: &Snapshot,
        base: &Base<'_>,
        layouts: &TypeLayouts,
        (moved, moves): (&FxHashSet<Ty>, bool),
    ) -> Result<Plan, Vec<Diagnostic>> {
        // A running loop that goes on in new code hands over all words that may lead to a value which moves.
        let forced = |live: &LiveFunction| moves && base.mode.hot && live.meta.has_loops();
        let mut touched = Touched { layouts, before: &base.live.layouts, moved, known: FxHashMap::default() };
        let mut lowered = Vec::new();
        let mut diagnostics = Vec::new();
        let mut met = 0;
        // As long as no type lies otherwise, a body that is the same needs no further look.
        let mut running = Running { functions: &base.live.checked.functions, next: 0 };
        let looks_closer = !moved.is_empty() || moves;
        for (instance, body) in bodies(&snapshot.checked) {
            if !looks_closer && running.has(instance, body) {
                debug_assert!(base.live.functions.get(&instance).is_some_and(|live| Arc::ptr_eq(&live.body, body)));
                met += 1;
                continue;
            }
            if let Some(live) = base.live.functions.get(&instance) {
                met += 1;
                let same = Arc::ptr_eq(&live.body, body) && !forced(live);
                if same && !live.types.iter().any(|ty| touched.is(*ty)) {
                    continue;
                }
            }
            match lower(body, &snapshot.checked, layouts, base.mode.polled, base.host) {
                Ok(body) => lowered.push((instance, body)),
                Err(found) => diagnostics.push(*found),
            }
        }
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        let mut removed = Vec::new();
        if met < base.live.functions.len() {
            let new: FxHashSet<Instance> = bodies(&snapshot.checked).map(|(instance, _)| instance).collect();
            removed.extend(base.live.functions.keys().filter(|instance| !new.contains(*instance)));
            removed.sort_unstable();
        }
        let mut plan = Plan {
            changed: Vec::new(),
            refreshed: Vec::new(),
            removed,
            links: base.links.clone(),
            promoted: Vec::new(),
        };
        plan.choose_links(snapshot, base, &lowered);
        for (instance, mut body) in lowered {
            body.seal(instance, &plan.links, layouts, guards(&snapshot.checked, base.mode, instance));
            match base.live.functions.get(&instance) {
                Some(live)
                    if live.fingerprint == body.fingerprint && live.signature == body.signature && !forced(live) =>
                {
                    plan.refreshed.push((instance, body.hir.clone(), body));
                }
                _ => plan.changed.push((instance, body)),
            }
        }
        plan.add_dependents(snapshot, base, layouts).map_err(|found| vec![*found])?;
        Ok(plan)
    }

    /// Chooses links anew if a function is edited that other functions may call directly.
    fn choose_links(&mut self, snapshot: &Snapshot, base: &Base<'_>, lowered: &[(Instance, Lowered)]) {
        if !base.mode.hot {
            self.links = Arc::new(Links::direct());
            return;
        }
        let is_hot = |instance: Instance| snapshot.checked.functions.get(&instance).is_some_and(|f| f.hot);
        let was_slotted = |instance: Instance| is_hot(instance) || base.promoted.contains(&instance);
        let first = base.live.functions.is_empty();
        let is_edited = |instance: &Instance, body: &Lowered| {
            base.live.functions.get(instance).is_some_and(|live| body.is_edited(live, base.found.is_some()))
        };
        // One that is hot from now on may have had direct callers.
        let settled = |(instance, body): &(Instance, Lowered)| {
            was_slotted(*instance) && !(base.links.has_direct_callers(*instance) && is_edited(instance, body))
        };
        if !first && self.removed.is_empty() && lowered.iter().all(settled) {
            return;
        }
        for (instance, body) in lowered {
            if is_edited(instance, body) && !was_slotted(*instance) {
                self.promoted.push(*instance);
            }
        }
        let new: FxHashMap<Instance, &Lowered> = lowered.iter().map(|(instance, body)| (*instance, body)).collect();
        let all = bodies(&snapshot.checked).filter_map(|(instance, _)| match new.get(&instance) {
            Some(body) => Some((instance, &body.summary)),
            None => Some((instance, &base.live.functions.get(&instance)?.summary)),
        });
        let promoted: FxHashSet<Instance> = self.promoted.iter().copied().collect();
        self.links = Arc::new(Links::choose(all, &|instance| was_slotted(instance) || promoted.contains(&instance)));
    }

    /// Functions whose text stays but whose direct calls change: they are compiled again in the same commit.
    fn add_dependents(
        &mut self,
        snapshot: &Snapshot,
        base: &Base<'_>,
        layouts: &TypeLayouts,
    ) -> Result<(), Box<Diagnostic>> {
        let planned: FxHashSet<Instance> = self.changed.iter().map(|(instance, _)| *instance).collect();
        let same_links = Arc::ptr_eq(&self.links, base.links);
        if same_links && !planned.iter().any(|instance| self.links.has_direct_callers(*instance)) {
            return Ok(());
        }
        let mut again = self.calling_directly(planned, base);
        again.sort_unstable();
        for instance in again {
            self.refreshed.retain(|(refreshed, ..)| *refreshed != instance);
            let Some((body, _)) = body_of(&snapshot.checked, instance) else { continue };
            let mut lowered = lower(body, &snapshot.checked, layouts, base.mode.polled, base.host)?;
            lowered.seal(instance, &self.links, layouts, guards(&snapshot.checked, base.mode, instance));
            self.changed.push((instance, lowered));
        }
        Ok(())
    }

    /// The functions of the running version that are left as they are and call others directly which get new code, or
    /// which are called through slots now; those that call these directly, and so on.
    fn calling_directly(&self, planned: FxHashSet<Instance>, base: &Base<'_>) -> Vec<Instance> {
        let is_left = |instance: &Instance| !planned.contains(instance) && !self.removed.contains(instance);
        let left = || base.live.functions.iter().filter(|(instance, _)| is_left(instance));
        let mut callers: FxHashMap<Instance, Vec<Instance>> = FxHashMap::default();
        let mut again: FxHashSet<Instance> = FxHashSet::default();
        let mut open: Vec<Instance> = planned.iter().copied().collect();
        for (caller, live) in left() {
            for callee in &live.direct {
                callers.entry(*callee).or_default().push(*caller);
                if !self.links.is_direct(*caller, *callee) && again.insert(*caller) {
                    open.push(*caller);
                }
            }
        }
        while let Some(callee) = open.pop() {
            let found = callers.remove(&callee).unwrap_or_default();
            open.extend(found.into_iter().filter(|caller| again.insert(*caller)));
        }
        again.into_iter().collect()
    }

    /// The functions that compute defaults of fields.
    fn add_defaults(
        &mut self,
        snapshot: &Snapshot,
        base: &Base<'_>,
        layouts: &TypeLayouts,
        wanted: &FxHashSet<Instance>,
    ) -> Result<(), Box<Diagnostic>> {
        let structs = snapshot.checked.structs.values().flat_map(|definition| &definition.fields);
        let variants = snapshot.checked.enums.values().flat_map(|definition| &definition.variants);
        let fields = structs.chain(variants.flat_map(|variant| &variant.fields));
        let mut seen = FxHashSet::default();
        for body in fields.filter_map(|field| field.default.as_ref()) {
            if wanted.contains(&body.instance) && seen.insert(body.instance) {
                let mut lowered = lower(body, &snapshot.checked, layouts, base.mode.polled, base.host)?;
                lowered.seal(body.instance, &self.links, layouts, guards(&snapshot.checked, base.mode, body.instance));
                self.changed.push((body.instance, lowered));
            }
        }
        Ok(())
    }

    /// One entry per edited function.
    fn report(&self, snapshot: &Snapshot, base: &Base<'_>, loops: &Loops, report: &mut Report) {
        for (instance, lowered) in &self.changed {
            let live = base.live.functions.get(instance);
            let is_main = snapshot.checked.main == Some(*instance);
            let change = match live {
                None => "added",
                Some(live) if live.signature != lowered.signature => "signature",
                Some(live) if !lowered.is_edited(live, base.found.is_some()) => "relinked",
                Some(_) => "changed",
            };
            // Of code that only goes on otherwise there is nothing to tell whose text is as it was.
            let head = |checked: &Checked| checked.functions.get(instance).map(|function| function.head);
            let is_same_text = head(&base.live.checked).is_some_and(|old| head(&snapshot.checked) == Some(old));
            let is_untold = is_same_text && loops.verdict(*instance) == Some(Verdict::Same);
            if is_hidden(instance) || change == "relinked" || is_untold {
                continue;
            }
            let outcome = loops.outcome(*instance, is_main, &mut report.notices).unwrap_or(Outcome::LiveNow);
            let at = body_of(&snapshot.checked, *instance)
                .and_then(|(_, head)| crate::live::resolve(head, &snapshot.sources))
                .map(|resolved| resolved.at);
            report.edits.push(Edit { kind: "function", name: instance.path.name.to_string(), change, outcome, at });
        }
        for instance in self.removed.iter().filter(|instance| !is_hidden(instance)) {
            let name = instance.path.name.to_string();
            let outcome = Outcome::LiveNow;
            report.edits.push(Edit { kind: "function", name, change: "removed", outcome, at: None });
        }
    }

    fn finish(
        self,
        snapshot: Snapshot,
        report: Report,
        compiled: Compiled,
        (globals, global_bytes): (Vec<ItemPath>, Vec<(ItemPath, Vec<u8>)>),
        base: &mut Base<'_>,
    ) -> Prepared {
        let refreshed = self
            .refreshed
            .into_iter()
            .filter_map(|(instance, body, lowered)| {
                let old = &base.live.functions.get(&instance)?.meta;
                let meta = FunctionMeta {
                    body: body.clone(),
                    locations: lowered.locations,
                    item: body.item,
                    frozen: None,
                    ..(**old).clone()
                };
                Some((instance, body, Arc::new(meta)))
            })
            .collect();
        let main = snapshot.checked.main;
        let left = |instance: &Instance, signature: Option<&Signature>| {
            let live = base.live.functions.get(instance)?;
            let changed = signature.is_none_or(|signature| live.signature != *signature);
            changed.then(|| (*instance, live.slot.clone()))
        };
        let changed = compiled.functions.iter().filter_map(|(instance, new)| left(instance, Some(&new.signature)));
        let left_functions = changed.chain(self.removed.iter().filter_map(|instance| left(instance, None))).collect();
        Prepared {
            changes_main: compiled.functions.iter().any(|(instance, _)| main == Some(*instance)),
            may_loop: compiled.functions.iter().any(|(instance, _)| may_loop(base.live, *instance)),
            moves: compiled.moves,
            snapshot,
            report,
            functions: compiled.functions,
            removed: self.removed,
            refreshed,
            replaced_places: Vec::new(),
            stores: compiled.stores,
            globals,
            global_bytes,
            layouts: Arc::default(),
            history: Arc::default(),
            moved: Arc::default(),
            guards: Vec::new(),
            tables: Vec::new(),
            left_functions,
            still_left: None,
            emptied: Vec::new(),
            given_up: Vec::new(),
            lacking: Vec::new(),
            migration: None,
            moving: Vec::new(),
            computed: Vec::new(),
            resets: Vec::new(),
            literals: FxHashMap::default(),
            defaults: Vec::new(),
            default_stores: Vec::new(),
            types: Vec::new(),
            doubles: Vec::new(),
            links: self.links,
            promoted: self.promoted,
            new_slots: compiled.new_slots,
            fresh: Fresh::default(),
            new_globals: Vec::new(),
            pins: Pins::default(),
            blocked_since: None,
            in_the_way: Vec::new(),
            described: None,
            mixes_turns: false,
            asked_inside: false,
            left: Vec::new(),
        }
    }
}
