//! Compiling what a reload changes: HIR to MIR with its fingerprint, MIR to a fresh module for each group.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use vaisjit_codegen::clif::{self, CompileError, Location, leaf};
use vaisjit_codegen::layout::{Asked, TypeLayouts};
use vaisjit_codegen::link::{Import, SlotKey};
use vaisjit_codegen::mir::{self, Callee, PlaceBase, Signature, StatementKind};
use vaisjit_codegen::shape::shape;
use vaisjit_codegen::unit::define::define;
use vaisjit_codegen::unit::{Compiler, MachineFunction, UnitInput};
use vaisjit_semantics::{Checked, Instance, Ty, hir};
use vaisjit_syntax::{Diagnostic, Place};

use super::guards::guards;
use super::kept::{self, Recipe};
use super::links::{Links, Summary, UnitLinker, groups};
use super::prepare::{Base, body_of};
use super::replace::{Loops, Moves, Running};
use crate::code::{CodeAddress, CodeUnit, Slot, UnitFunction};
use crate::codes;
use crate::fault;
use crate::heap::ShapeOf;
use crate::host::HostTable;
use crate::live::{Code, FunctionMeta, LiveFunction};
use crate::workspace::Snapshot;

/// Groups a thread takes at a time; chosen by feel.
const BATCH: usize = 8;
/// From how many groups a further thread pays: starting one costs about as much as compiling a few functions.
const WORTH_A_THREAD: usize = 16;

/// A function as MIR, with what decides whether it has to be compiled.
pub(crate) struct Lowered {
    pub body: mir::Body,
    pub hir: Arc<hir::Body>,
    pub signature: Signature,
    pub summary: Summary,
    pub locations: Arc<[Location]>,
    /// Hash of the MIR alone.
    pub plain_fingerprint: u64,
    /// The same with layouts and links, once sealed.
    pub fingerprint: u64,
    /// The types whose layouts it depends on, sorted.
    pub types: Arc<[Ty]>,
    /// The functions it calls directly, once sealed.
    pub direct: Box<[Instance]>,
}

/// Lowers a body and looks at what it calls; the error is a diagnostic about something that cannot be compiled or does
/// not exist.
pub(crate) fn lower(
    body: &Arc<hir::Body>,
    program: &Checked,
    layouts: &TypeLayouts,
    hot: bool,
    host: &HostTable,
) -> Result<Lowered, Box<Diagnostic>> {
    let asked = Asked::new(layouts);
    let mir = vaisjit_codegen::lower::lower(body, program, &asked, hot)
        .map_err(|unsupported| codes::unsupported(Place::item(body.item.0, unsupported.span), &unsupported.what))?;
    let is_leaf = |callee: &Callee| is_leaf(callee, host);
    Ok(Lowered {
        hir: body.clone(),
        signature: mir.signature(),
        summary: Summary::of(&mir, &is_leaf),
        locations: clif::locations(&mir).into(),
        plain_fingerprint: mir.fingerprint(),
        fingerprint: 0,
        types: types_of(&mir, asked.types()),
        direct: Box::default(),
        body: mir,
    })
}

fn is_leaf(callee: &Callee, host: &HostTable) -> bool {
    match callee {
        Callee::Host(name) => host.get(*name).is_some_and(|entry| entry.flags.leaf || entry.flags.heap),
        Callee::C(name, None) => leaf::is_math(name).is_some(),
        _ => false,
    }
}

impl Lowered {
    /// A body that starts in the middle of a loop, of a function that is compiled anyway.
    pub fn resumed(body: mir::Body, whole: &Lowered, host: &HostTable) -> Lowered {
        Lowered {
            hir: whole.hir.clone(),
            signature: whole.signature.clone(),
            summary: Summary::of(&body, &|callee| is_leaf(callee, host)),
            locations: clif::locations(&body).into(),
            plain_fingerprint: body.fingerprint(),
            fingerprint: 0,
            types: Arc::default(),
            direct: Box::default(),
            body,
        }
    }

    /// Does it mean something else than what runs? A function whose text is the same may get new code because others
    /// or the layouts of types have changed; or because it mentions what has another name, in a save that `renames`.
    pub fn is_edited(&self, live: &LiveFunction, renames: bool) -> bool {
        let is_same = Arc::ptr_eq(&live.body, &self.hir) || renames && live.body == self.hir;
        live.plain_fingerprint != self.plain_fingerprint && !is_same
    }

    /// Fixes what the code depends on besides the body: layouts of its types and how it calls others.
    pub fn seal(&mut self, instance: Instance, links: &Links, layouts: &TypeLayouts, guards: bool) {
        let mut hasher = FxHasher::default();
        (self.plain_fingerprint, guards).hash(&mut hasher);
        for ty in self.types.iter() {
            layouts.layout_fingerprint(*ty).hash(&mut hasher);
        }
        let direct = self.summary.callees.iter().copied().filter(|callee| links.is_direct(instance, *callee));
        self.direct = direct.collect();
        self.direct.hash(&mut hasher);
        self.fingerprint = hasher.finish();
    }
}

/// The types whose layouts a body depends on: those that lowering asked about and those of its locals and places. What
/// pointers point at has no part in it as long as it is not touched.
fn types_of(body: &mir::Body, mut types: FxHashSet<Ty>) -> Arc<[Ty]> {
    types.extend(body.locals.values().map(|local| local.ty));
    for (_, block) in body.blocks.iter() {
        mir::visit::block_places(block, &mut |place, _| {
            types.insert(place.ty);
            if let PlaceBase::Deref(_, ty) | PlaceBase::Global(_, ty) = &place.base {
                types.insert(*ty);
            }
        });
    }
    let mut types: Vec<Ty> = types.into_iter().collect();
    types.sort_unstable();
    types.into()
}

/// New code, not yet published.
#[derive(Default)]
pub(crate) struct Compiled {
    pub functions: Vec<(Instance, LiveFunction)>,
    pub stores: Vec<(Slot, CodeAddress)>,
    pub new_slots: Vec<SlotKey>,
    /// How running loops go on.
    pub moves: Moves,
    /// How many functions had to be compiled; the code of the others was kept from an earlier version.
    pub made: usize,
}

/// Compiles functions group by group, callees first. `Ok(None)` means a newer save arrived meanwhile.
pub(crate) fn compile(
    changed: &[(Instance, Lowered)],
    loops: Loops,
    links: &Links,
    layouts: &TypeLayouts,
    base: &mut Base<'_>,
    snapshot: &Snapshot,
) -> Result<Option<Compiled>, Vec<Diagnostic>> {
    let bodies: FxHashMap<Instance, &Lowered> = changed.iter().map(|(instance, body)| (*instance, body)).collect();
    let unknown: Vec<Diagnostic> = changed.iter().flat_map(|(_, body)| unknown_functions(body, base)).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let order: Vec<Instance> = changed.iter().map(|(instance, _)| *instance).collect();
    let groups = match base.mode.hot {
        true => groups(&order, &|instance| bodies[&instance].direct.to_vec()),
        // Nothing is ever replaced: one unit, in which everything can be inlined.
        false => vec![order],
    };
    let members = |group: &[Instance]| -> Vec<&Lowered> { group.iter().map(|instance| bodies[instance]).collect() };
    let guards = |caller: Instance| guards(&snapshot.checked, base.mode, caller);
    let linker = UnitLinker { links, hot: base.mode.polled, inlines: !base.mode.hot, host: base.host, guards: &guards };
    let isa = base.linkage.isa().clone();
    let translate = |compiler: &mut Compiler, group: &Vec<Instance>| {
        let functions = members(group).iter().map(|member| &member.body).collect();
        compiler.compile(&UnitInput { functions, ..UnitInput::default() }, layouts, &linker, &*isa)
    };
    let shape = |ty: Ty| shape(ty, &snapshot.checked, layouts);
    let mut work = Work { compiled: Compiled::default(), done: FxHashMap::default() };
    let groups = kept::take_over(groups, &bodies, base, &shape, &mut |recipe, unit, base| {
        work.reuse(recipe, unit, &bodies, base);
    });
    let Some(machine) = in_parallel(&groups, &translate, base.cancelled) else {
        work.abandon(base);
        return Ok(None);
    };
    for (group, machine) in groups.iter().zip(machine) {
        let made = fault::plain().and_then(|()| machine.map_err(|error| error.to_string()));
        if let Err(message) = made.and_then(|machine| work.unit(group, &members(group), &machine, base, &shape)) {
            work.abandon(base);
            let item = Place::item(bodies[&group[0]].hir.item.0, vaisjit_syntax::Span::default());
            let head = body_of(&snapshot.checked, group[0]).map_or(item, |(_, head)| head);
            return Err(vec![codes::cannot_compile(head, &message)]);
        }
    }
    let main = snapshot.checked.main.and_then(|main| Some((bodies.get(&main)?, base.live.functions.get(&main)?)));
    let renames = base.found.is_some();
    let edits_main = main.is_some_and(|(new, old)| new.is_edited(old, renames) || old.signature != new.signature);
    let changes_slot = main.is_some_and(|(new, old)| old.signature != new.signature);
    let running = Running::new(changed.iter().map(|(instance, _)| *instance), edits_main, changes_slot);
    match loops.link(running, &mut work, base, snapshot, layouts) {
        Ok(moves) => work.compiled.moves = moves,
        Err(message) => {
            work.abandon(base);
            let head = order_head(changed, snapshot);
            return Err(vec![codes::cannot_compile(head, &message)]);
        }
    }
    Ok(Some(work.compiled))
}

/// Where the first function stands.
fn order_head(changed: &[(Instance, Lowered)], snapshot: &Snapshot) -> Place {
    let first = changed.first().and_then(|(instance, _)| body_of(&snapshot.checked, *instance));
    first.map(|(_, head)| head).unwrap_or_else(|| Place::item(changed[0].1.hir.item.0, vaisjit_syntax::Span::default()))
}

/// What compiling a group gives.
type Machine = Result<Vec<MachineFunction>, CompileError>;

/// Compiles groups, on all processors if there are many. `None` means that it was cancelled. The result does not depend
/// on the number of threads.
fn in_parallel(
    groups: &[Vec<Instance>],
    translate: &(dyn Fn(&mut Compiler, &Vec<Instance>) -> Machine + Sync),
    cancelled: &dyn Fn() -> bool,
) -> Option<Vec<Machine>> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = processors.min(groups.len() / WORTH_A_THREAD);
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let work = |cancelled: &dyn Fn() -> bool| {
        let mut compiler = Compiler::default();
        let mut made = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            if cancelled() {
                stop.store(true, Ordering::Relaxed);
                break;
            }
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(batch) = groups.get(first..groups.len().min(first + BATCH)).filter(|batch| !batch.is_empty())
            else {
                break;
            };
            made.extend((first..).zip(batch.iter().map(|group| translate(&mut compiler, group))));
        }
        made
    };
    let mut all = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(|| work(&|| false))).collect();
        let mut all = if threads <= 1 { one_by_one(groups, translate, cancelled, &stop) } else { work(cancelled) };
        for helper in helpers {
            match helper.join() {
                Ok(made) => all.extend(made),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(number, _)| *number);
    (!stop.load(Ordering::Relaxed)).then(|| all.into_iter().map(|(_, machine)| machine).collect())
}

fn one_by_one(
    groups: &[Vec<Instance>],
    translate: &(dyn Fn(&mut Compiler, &Vec<Instance>) -> Machine + Sync),
    cancelled: &dyn Fn() -> bool,
    stop: &AtomicBool,
) -> Vec<(usize, Machine)> {
    let mut compiler = Compiler::default();
    let mut made = Vec::with_capacity(groups.len());
    for (number, group) in groups.iter().enumerate() {
        if cancelled() {
            stop.store(true, Ordering::Relaxed);
            break;
        }
        made.push((number, translate(&mut compiler, group)));
    }
    made
}

/// Calls of C functions that do not exist.
fn unknown_functions(lowered: &Lowered, base: &mut Base<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for block in lowered.body.with_cleanup().flat_map(|body| body.blocks.values()) {
        for statement in &block.statements {
            let StatementKind::Call(call) = &statement.kind else { continue };
            let place = Place::item(lowered.hir.item.0, statement.span);
            match &call.callee {
                Callee::C(name, _) if base.linkage.c_function(*name).is_none() => {
                    found.push(codes::unknown_c_function(place, *name));
                }
                Callee::Host(name) if base.host.get(*name).is_none() => {
                    found.push(codes::unknown_host_function(place, *name));
                }
                _ => {}
            }
        }
    }
    found
}

/// What a unit refers to, and where that lies.
type Imports = Vec<(Import, usize)>;

/// The state of a compilation.
pub(super) struct Work {
    compiled: Compiled,
    done: FxHashMap<Instance, Code>,
}

impl Work {
    fn unit(
        &mut self,
        group: &[Instance],
        members: &[&Lowered],
        machine: &[MachineFunction],
        base: &mut Base<'_>,
        shape: &ShapeOf<'_>,
    ) -> Result<(), String> {
        let (made, imports) = self.make(members, machine, base, shape)?;
        self.compiled.made += group.len();
        let recipe = Arc::new(Recipe::new(group, members, imports, machine));
        for (index, (instance, member)) in group.iter().zip(members).enumerate() {
            let code = Code { unit: made.clone(), index };
            self.publish(*instance, member, code, &recipe, base);
        }
        Ok(())
    }

    /// A unit of a body that starts in the middle of a loop.
    pub fn resumed(
        &mut self,
        lowered: &Lowered,
        machine: &[MachineFunction],
        base: &mut Base<'_>,
        snapshot: &Snapshot,
        layouts: &TypeLayouts,
    ) -> Result<(Code, Arc<FunctionMeta>), String> {
        let shape = |ty: Ty| shape(ty, &snapshot.checked, layouts);
        let (unit, _) = self.make(&[lowered], machine, base, &shape)?;
        let meta = FunctionMeta {
            instance: machine[0].instance,
            body: lowered.hir.clone(),
            frame: Arc::new(machine[0].frame.clone()),
            resumed: Some(Arc::new(lowered.body.clone())),
            version: base.version,
            locations: lowered.locations.clone(),
            inlined: Arc::default(),
            item: lowered.hir.item,
            frozen: None,
            past: None,
        };
        Ok((Code { unit, index: 0 }, Arc::new(meta)))
    }

    /// The code that was made of a function, or is taken over from an earlier version.
    pub fn code(&self, instance: Instance) -> Option<&Code> {
        self.done.get(&instance)
    }

    /// Links machine code; also what it refers to.
    fn make(
        &mut self,
        members: &[&Lowered],
        machine: &[MachineFunction],
        base: &mut Base<'_>,
        shape: &ShapeOf<'_>,
    ) -> Result<(Arc<CodeUnit>, Imports), String> {
        let (mut module, symbols) = base.linkage.module()?;
        let unit = define(machine, &mut *module).map_err(|error| error.to_string())?;
        let mut needs: Vec<Arc<CodeUnit>> = Vec::new();
        let mut imports = Vec::with_capacity(unit.imports.len());
        for import in &unit.imports {
            fault::plain()?;
            self.note_slot(import, base);
            let address = self.link(import, base, &mut needs, shape)?;
            symbols.lock().unwrap_or_else(|e| e.into_inner()).insert(import.to_string(), address);
            imports.push((import.clone(), address));
        }
        if unit.functions.iter().any(|function| function.cleanup_of.is_some()) {
            base.linkage.expect_cleanups()?;
        }
        fault::plain()?;
        let functions = unit.functions.iter().enumerate().map(|(index, function)| UnitFunction {
            id: function.func_id,
            name: function.instance.to_string(),
            info: function.info.clone(),
            looping: marked(&members[function.cleanup_of.unwrap_or(index)].locations, |at| at.in_loop.is_some()),
            nested: marked(&members[function.cleanup_of.unwrap_or(index)].locations, |at| at.nested),
            cleanup_of: function.cleanup_of,
        });
        let made = module.finish(functions.collect(), needs, None).map_err(|error| error.to_string())?;
        Ok((made, imports))
    }

    /// Takes over code that an earlier version has left.
    fn reuse(
        &mut self,
        recipe: &Arc<Recipe>,
        unit: &Arc<CodeUnit>,
        bodies: &FxHashMap<Instance, &Lowered>,
        base: &mut Base<'_>,
    ) {
        for (index, instance) in recipe.members().enumerate() {
            let code = Code { unit: unit.clone(), index };
            self.publish(instance, bodies[&instance], code, recipe, base);
        }
    }

    fn note_slot(&mut self, import: &Import, base: &mut Base<'_>) {
        let keys: Vec<&SlotKey> = match import {
            Import::Slot(key) => vec![key],
            Import::Table(table) => table.keys().collect(),
            _ => return,
        };
        let new = keys.into_iter().filter(|key| base.linkage.slot(key).is_none());
        self.compiled.new_slots.extend(new.cloned());
    }

    fn link(
        &self,
        import: &Import,
        base: &mut Base<'_>,
        needs: &mut Vec<Arc<CodeUnit>>,
        shape: &ShapeOf<'_>,
    ) -> Result<usize, String> {
        if let Import::Type(ty) = import {
            return Ok(base.linkage.heap().type_address(*ty, shape));
        }
        if let Import::Function(instance) = import {
            let live = base.live.functions.get(instance).map(|live| &live.code);
            let code = self.done.get(instance).or(live).ok_or_else(|| format!("`{instance}` has no code"))?;
            needs.push(code.unit.clone());
            return Ok(code.address().get());
        }
        base.linkage.resolve(import, base.host, &|_| None)
    }

    fn publish(
        &mut self,
        instance: Instance,
        lowered: &Lowered,
        code: Code,
        recipe: &Arc<Recipe>,
        base: &mut Base<'_>,
    ) {
        let key = SlotKey { instance, signature: lowered.signature.clone() };
        let (slot, new) = base.linkage.slot_or_new(&key);
        if new {
            self.compiled.new_slots.push(key);
        }
        self.compiled.stores.push((slot.clone(), code.address()));
        self.done.insert(instance, code.clone());
        let meta = FunctionMeta {
            instance,
            body: lowered.hir.clone(),
            frame: recipe.frame(code.index),
            resumed: None,
            version: base.version,
            locations: lowered.locations.clone(),
            inlined: recipe.inlined(code.index),
            item: lowered.hir.item,
            frozen: None,
            past: None,
        };
        let function = LiveFunction {
            body: lowered.hir.clone(),
            fingerprint: lowered.fingerprint,
            plain_fingerprint: lowered.plain_fingerprint,
            types: lowered.types.clone(),
            signature: lowered.signature.clone(),
            summary: lowered.summary.clone(),
            direct: lowered.direct.clone(),
            code,
            recipe: recipe.clone(),
            slot,
            meta: Arc::new(meta),
        };
        self.compiled.functions.push((instance, function));
    }

    fn abandon(&self, base: &mut Base<'_>) {
        for key in &self.compiled.new_slots {
            base.linkage.forget_slot(key);
        }
    }
}

/// For each source location number whether something is true of it.
fn marked(locations: &[Location], is: impl Fn(&Location) -> bool) -> Box<[bool]> {
    std::iter::once(false).chain(locations.iter().map(is)).collect()
}
