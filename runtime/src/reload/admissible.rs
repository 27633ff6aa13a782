//! May a commit that changes layouts happen now? Not while a frame that stays in old code would still do something with a
//! changed type that is only right with its old layout.
//!
//! Kept fields keep their offsets, and whole values are copied with their spare room; so old code may go on reading and
//! writing what was kept. It must not build values, copy values of another size, touch fields that have gone elsewhere,
//! or match a changed enum.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::clif::{self, frame::FrameLocal};
use vaisjit_codegen::layout::{KnownField, KnownLayout, KnownVariant, LayoutHistory, Layouts, TypeLayouts};
use vaisjit_codegen::lower;
use vaisjit_codegen::mir::live::{Addressed, is_live, is_live_within};
use vaisjit_codegen::mir::visit::{self, Access};
use vaisjit_codegen::mir::{
    Block, BlockId, Body, Callee, Local, LocalDecl, Operand, Place, PlaceBase, Projection, Rvalue, StatementKind,
};
use vaisjit_codegen::shape::is_counted;
use vaisjit_semantics::program::{EnumDef, FieldDef, VariantDef};
use vaisjit_semantics::{Checked, Instance, ItemPath, Ty, TyKind};
use vaisjit_syntax::Name;

use super::migrate::known::Known;
use super::prepare::body_of;
use super::unfinished::has_result;
use crate::live::{FunctionMeta, Past};

/// What a commit does to the types that old code may know.
pub(crate) struct Changes<'a> {
    types: FxHashMap<Ty, Change>,
    /// Globals that are of another type afterwards, or lie elsewhere.
    globals: FxHashSet<ItemPath>,
    /// Functions that keep code which does what the new types do not allow, and what that is.
    unfit: FxHashMap<Instance, String>,
    /// Containers that are made anew, of another type: who goes on with an old one is alone with it.
    rebuilt: FxHashSet<Ty>,
    before: &'a TypeLayouts,
    /// Sizes before and after, also of types that are gone.
    known: (Known, Known),
    checked: &'a Checked,
}

/// What becomes of a struct or enum.
struct Change {
    /// By number of the old field: does it lie where it did, with its type?
    kept: Vec<bool>,
    /// Must whoever builds a value know more than before?
    grows: bool,
    /// Must whoever copies one count more than before?
    counts: bool,
    /// Is it an enum?
    choice: bool,
}

impl<'a> Changes<'a> {
    /// From the types that old code goes by to those of a new version.
    pub fn since(
        past: &'a Past,
        (history, layouts, checked): (&Arc<LayoutHistory>, &TypeLayouts, &Checked),
        globals: &FxHashSet<ItemPath>,
    ) -> Changes<'a> {
        let moved = layouts.moved(&past.layouts);
        Changes::new((&past.history, history), &moved, &past.layouts, (&past.checked, checked), globals.clone())
    }

    /// Between two versions, of which the types are `checked` and `new`; `moved` are those that lie otherwise now, and so are
    /// `globals`, or they have another type.
    pub fn new(
        histories: (&Arc<LayoutHistory>, &Arc<LayoutHistory>),
        moved: &FxHashSet<Ty>,
        before: &'a TypeLayouts,
        (checked, new_types): (&'a Checked, &Checked),
        globals: FxHashSet<ItemPath>,
    ) -> Changes<'a> {
        let change = |ty: &Ty| {
            let (old, new) = (histories.0.get(*ty)?, histories.1.get(*ty)?);
            let declared = new_types.structs.get(ty).map_or(&[][..], |definition| &definition.fields);
            let change = Change::of(*ty, old, new, declared);
            let adds = |before: &[KnownField], now: &[FieldDef]| {
                let is_new = |now: &&FieldDef| !before.iter().any(|old| old.name == now.name && old.ty == now.ty);
                now.iter().filter(is_new).any(|now| is_counted(now.ty, new_types))
            };
            let variant_adds = |now: &VariantDef| {
                let is_it =
                    |known: &&KnownVariant| known.name.is_some_and(|name| name == now.name || now.was == Some(name));
                adds(old.variants.iter().find(is_it).map_or(&[], |known| &known.fields), &now.fields)
            };
            let counts = match new_types.enums.get(ty) {
                Some(definition) => definition.variants.iter().any(variant_adds),
                None => adds(old.fields(), declared),
            };
            Some((*ty, Change { counts, ..change }))
        };
        let known = (Known::new(histories.0.clone()), Known::new(histories.1.clone()));
        Changes {
            types: moved.iter().filter_map(change).collect(),
            globals,
            unfit: FxHashMap::default(),
            rebuilt: FxHashSet::default(),
            before,
            known,
            checked,
        }
    }

    /// Is there nothing to fear?
    pub fn is_empty(&self) -> bool {
        self.types.is_empty() && self.globals.is_empty() && self.rebuilt.is_empty()
    }

    /// What a frame would do on its way from the call it waits in to its end, or to a poll where it goes on in new code
    /// (`goes` tells of which loops); or what is deferred in it, should a trap end it before.
    ///
    /// Nor may it have to do with a local that lies elsewhere after the commit: `grown` are the offsets of those in its block.
    pub fn objection(
        &self,
        meta: &FunctionMeta,
        srcloc: u32,
        goes: &dyn Fn(u32) -> bool,
        (grown, is_innermost): (&[u32], bool),
    ) -> Option<String> {
        match mir_of(meta, self.checked, self.before) {
            Some(body) => {
                let grown = grown_locals(meta, &body, grown);
                let held = || match is_innermost && is_given_nothing(&body, srcloc) {
                    true => None,
                    false => held_by_address(&body, srcloc, &grown).map(|name| outgrows(&name)),
                };
                let walk = |body, goes, grown| Walk { changes: self, body, goes, grown, seen: FxHashSet::default() };
                let cleanup = body.cleanup.as_deref().filter(|_| !goes_at_once(&body, srcloc, goes));
                let deferred = || cleanup.and_then(|cleanup| walk(cleanup, &|_| false, &[]).all());
                let types = self.types.keys().chain(&self.rebuilt).copied();
                let begun = has_result(&body, srcloc, &self.known.0, types);
                let begun = || begun.then(|| "has a part of its result already".to_owned());
                held().or_else(|| walk(&body, goes, &grown).from(srcloc)).or_else(deferred).or_else(begun)
            }
            None => Some("runs code of an older version".to_owned()),
        }
    }

    /// What the code of a function would do whenever it is called.
    pub fn objection_to_all(&self, meta: &FunctionMeta) -> Option<String> {
        let Some(body) = mir_of(meta, self.checked, self.before) else {
            return Some("runs code of an older version".to_owned());
        };
        let walk = |body| Walk { changes: self, body, goes: &|_| false, grown: &[], seen: FxHashSet::default() };
        walk(&body).all().or_else(|| walk(body.cleanup.as_deref()?).all())
    }

    /// The same where frames may call these functions, which would do that.
    pub fn and_calls(self, unfit: FxHashMap<Instance, String>) -> Changes<'a> {
        Changes { unfit, ..self }
    }

    /// The same where containers of these types are made anew.
    pub fn and_rebuilt(self, rebuilt: FxHashSet<Ty>) -> Changes<'a> {
        Changes { rebuilt, ..self }
    }

    /// A local of a frame that stays in old code and holds a value that will not fit into its place.
    /// Those at the offsets `but` are looked after.
    pub fn too_large(&self, meta: &FunctionMeta, srcloc: u32, but: &[u32]) -> Option<String> {
        let grows = |local: &&FrameLocal| {
            let larger = self.known.1.layout(local.ty).size > local.size && self.resized(local.ty);
            larger && !but.contains(&local.offset)
        };
        let mut large = meta.frame.locals.iter().filter(grows).peekable();
        large.peek()?;
        let live = live_locals(meta, srcloc, self.checked, self.before);
        let found = large.find(|local| live.as_ref().is_none_or(|live| live.contains(&local.local)))?;
        let name = shown(found.name);
        Some(format!("has no room for what {name} grows to"))
    }

    /// Has a value of the type another size?
    fn resized(&self, ty: Ty) -> bool {
        match *ty.kind() {
            TyKind::Struct(..) | TyKind::Enum(..) | TyKind::Tuple(_) => {
                self.known.0.layout(ty).size != self.known.1.layout(ty).size
            }
            TyKind::Array(of, _) | TyKind::Vec(of) => self.resized(of),
            TyKind::HashMap(key, value) => self.resized(key) || self.resized(value),
            _ => false,
        }
    }

    /// A container that is made anew, at or inside a value of this type or behind it.
    fn rebuilt(&self, ty: Ty) -> Option<Ty> {
        let (mut open, mut seen) = (vec![ty], FxHashSet::default());
        while let Some(ty) = open.pop().filter(|_| !self.rebuilt.is_empty()) {
            match *ty.kind() {
                _ if self.rebuilt.contains(&ty) => return Some(ty),
                _ if !seen.insert(ty) => {}
                TyKind::Tuple(parts) => open.extend(parts.iter()),
                TyKind::Array(of, _) | TyKind::Pointer(of) | TyKind::Reference(of) => open.push(of),
                TyKind::Struct(..) => {
                    let fields = self.checked.structs.get(&ty).map(|definition| &definition.fields);
                    open.extend(fields.into_iter().flatten().map(|field| field.ty));
                }
                _ => {}
            }
        }
        None
    }

    /// A type that grows, at or inside a value of this type.
    fn growing(&self, ty: Ty) -> Option<Ty> {
        self.inside(ty, &|change| change.grows)
    }

    /// A type of which more is counted, at or inside a value of this type.
    fn counting(&self, ty: Ty) -> Option<Ty> {
        if self.types.get(&ty).is_some_and(|change| change.counts) {
            return Some(ty);
        }
        let within = |field: &FieldDef| self.counting(field.ty);
        match *ty.kind() {
            TyKind::Tuple(parts) => parts.iter().find_map(|part| self.counting(*part)),
            TyKind::Array(of, _) => self.counting(of),
            TyKind::Struct(..) => self.checked.structs.get(&ty)?.fields.iter().find_map(within),
            TyKind::Enum(..) => {
                let variants = &self.checked.enums.get(&ty)?.variants;
                variants.iter().flat_map(|variant| &variant.fields).find_map(within)
            }
            _ => None,
        }
    }

    /// A type of which this is so, at or inside a value of this type.
    fn inside(&self, ty: Ty, is: &dyn Fn(&Change) -> bool) -> Option<Ty> {
        if self.types.get(&ty).is_some_and(is) {
            return Some(ty);
        }
        match *ty.kind() {
            TyKind::Tuple(parts) => parts.iter().find_map(|part| self.inside(*part, is)),
            TyKind::Array(of, _) => self.inside(of, is),
            TyKind::Struct(..) => {
                let fields = self.checked.structs.get(&ty).map(|definition| &definition.fields);
                fields.into_iter().flatten().find_map(|field| self.inside(field.ty, is))
            }
            _ => None,
        }
    }
}

impl Change {
    fn of(ty: Ty, old: &KnownLayout, new: &KnownLayout, declared: &[FieldDef]) -> Change {
        let choice = matches!(ty.kind(), TyKind::Enum(..));
        let fields = old.fields();
        let goes_on =
            |field: &KnownField| declared.iter().any(|now| now.name == field.name || now.was == Some(field.name));
        let kept = fields.iter().map(|field| stays(field, new, goes_on(field))).collect();
        let grows = new.fields().iter().any(|field| !fields.iter().any(|known| same_place(known, field)));
        Change { kept, grows: grows && !choice, counts: false, choice }
    }
}

fn same_place(one: &KnownField, other: &KnownField) -> bool {
    one.ty == other.ty && one.offset == other.offset && one.size == other.size
}

/// Do the bytes of an old field still hold its value? The parked bytes of one that goes on as another field, of another
/// type, do not: who changes the one does not change the other.
fn stays(field: &KnownField, new: &KnownLayout, goes_on: bool) -> bool {
    let plain =
        !goes_on && matches!(field.ty.kind(), TyKind::Int(_) | TyKind::Float(_) | TyKind::Bool | TyKind::Pointer(_));
    let parked = new.variants.first().map_or(&[][..], |only| &only.parked);
    new.fields().iter().any(|now| same_place(field, now)) || plain && parked.iter().any(|now| same_place(field, now))
}

/// The MIR that code was made from, if it can still be had.
pub(crate) fn mir_of<'a>(meta: &'a FunctionMeta, checked: &Checked, layouts: &TypeLayouts) -> Option<Cow<'a, Body>> {
    let body = match &meta.resumed {
        Some(body) => Cow::Borrowed(&**body),
        None if meta.past.is_some() => {
            let past = meta.past.as_ref()?;
            Cow::Owned(lower::lower(&meta.body, &past.checked, &*past.layouts, true).ok()?)
        }
        None => {
            // A body of an older version may name what is not there any more.
            let (running, _) = body_of(checked, meta.instance)?;
            let body = Arc::ptr_eq(running, &meta.body).then_some(&meta.body)?;
            Cow::Owned(lower::lower(body, checked, layouts, true).ok()?)
        }
    };
    let places = clif::locations(&body);
    let same = places.len() == meta.locations.len()
        && places.iter().zip(&*meta.locations).all(|(one, other)| one.in_loop == other.in_loop);
    same.then_some(body)
}

/// The locals in a function's block on the data stack that hold values while it waits at a call or poll: what has been
/// moved away or not been made yet does not count. `None` if that cannot be told.
pub(crate) fn live_locals(
    meta: &FunctionMeta,
    srcloc: u32,
    checked: &Checked,
    layouts: &TypeLayouts,
) -> Option<FxHashSet<u32>> {
    let body = mir_of(meta, checked, layouts)?;
    let at = place(&body, srcloc)?;
    let addressed = Addressed::of(&body);
    let numbers = meta.frame.locals.iter().map(|local| local.local);
    let holds = |number: &u32| {
        let local = body.local(*number);
        // A trap may end the frame anywhere, and what is deferred needs them.
        let deferred = body.locals[local].pinned.is_some();
        let pointed_at = || addressed.may_hold(&body, at, local) && !is_left_behind(&body, at.0, local);
        let is_wanted = || match is_hidden_whole(&body, local) {
            true => is_live_within(&body, at, local),
            false => is_live(&body, at, local),
        };
        deferred || addressed.may_have_value(&body, at, local) && (pointed_at() || is_wanted())
    };
    Some(numbers.filter(holds).collect())
}

/// The types of the words that a function keeps beyond the call it waits in and that may be addresses; `None` if that cannot
/// be told. The registers they lie in may be saved anywhere further in.
pub(crate) fn kept_words(
    meta: &FunctionMeta,
    srcloc: u32,
    checked: &Checked,
    layouts: &TypeLayouts,
) -> Option<Vec<Ty>> {
    let body = mir_of(meta, checked, layouts)?;
    let at = place(&body, srcloc)?;
    let in_block = |local: Local| meta.frame.locals.iter().any(|known| body.local(known.local) == local);
    let wholes = body.locals.iter().filter(|(local, declared)| declared.ty.is_aggregate() && !in_block(*local));
    if wholes.into_iter().any(|(_, declared)| has_pointer(declared.ty, checked)) {
        return None;
    }
    let scalars = body.locals.iter().filter(|(_, declared)| declared.ty.is_scalar());
    let may_lead =
        |ty: Ty| !matches!(ty.kind(), TyKind::Float(_) | TyKind::Bool | TyKind::Str | TyKind::Unit | TyKind::Never);
    let kept = scalars.filter(|(local, declared)| may_lead(declared.ty) && is_live_within(&body, at, *local));
    // Integers with a name are the program's own: nobody can see through those.
    let is_own = |declared: &LocalDecl| matches!(declared.ty.kind(), TyKind::Int(_)) && declared.name.is_some();
    let types: Vec<Ty> =
        kept.map(|(_, declared)| declared).filter(|declared| !is_own(declared)).map(|declared| declared.ty).collect();
    (!types.iter().any(|ty| matches!(ty.kind(), TyKind::Int(kind) if kind.bits() >= 64))).then_some(types)
}

/// Is there a pointer or a reference in the values of a type themselves?
fn has_pointer(ty: Ty, checked: &Checked) -> bool {
    let has = |field: &FieldDef| has_pointer(field.ty, checked);
    match *ty.kind() {
        TyKind::Pointer(_) | TyKind::Reference(_) | TyKind::Slice(_) => true,
        TyKind::Tuple(parts) => parts.iter().any(|part| has_pointer(*part, checked)),
        TyKind::Array(of, _) => has_pointer(of, checked),
        TyKind::Struct(..) => checked.structs.get(&ty).is_none_or(|def| def.fields.iter().any(has)),
        TyKind::Enum(..) => {
            let fields = |def: &Arc<EnumDef>| def.variants.iter().flat_map(|variant| &variant.fields).any(has);
            checked.enums.get(&ty).is_none_or(fields)
        }
        _ => false,
    }
}

/// Is it a value without a name that is no scalar? A trap report shows the others' values while a call is going on.
fn is_hidden_whole(body: &Body, local: Local) -> bool {
    let declared = &body.locals[local];
    declared.ty.is_aggregate() && declared.name.is_none_or(|name| name.starts_with('{'))
}

/// The locals in a function's block that are released by what the heap knows of their types. The parts that a later version
/// adds to the others are released by nobody.
#[derive(Default)]
pub(crate) struct ReleasedWhole {
    /// By the code itself.
    pub here: FxHashSet<u32>,
    /// By somebody to whom it gives them.
    pub elsewhere: FxHashSet<u32>,
}

impl ReleasedWhole {
    /// Those of a function.
    pub fn of(meta: &FunctionMeta, checked: &Checked, layouts: &TypeLayouts) -> ReleasedWhole {
        let number = |local: Local| u32::from(local.into_raw());
        mir_of(meta, checked, layouts).map_or_else(ReleasedWhole::default, |body| ReleasedWhole {
            here: whole_releases(&body).map(number).collect(),
            elsewhere: given_away(&body).map(number).collect(),
        })
    }
}

/// The locals that a body releases as wholes.
fn whole_releases(body: &Body) -> impl Iterator<Item = Local> {
    let statements = body.blocks.values().flat_map(|block| &block.statements);
    statements.filter_map(|statement| match &statement.kind {
        StatementKind::Release { place, .. } => place.as_local(),
        _ => None,
    })
}

/// The locals that a body moves somewhere else as wholes: they are copied, and nothing is counted for it.
fn given_away(body: &Body) -> impl Iterator<Item = Local> {
    let statements = || body.blocks.values().flat_map(|block| &block.statements);
    let base = |place: &Place| match place.base {
        PlaceBase::Local(local) => Some(local),
        _ => None,
    };
    let retained: FxHashSet<Local> = statements()
        .filter_map(|statement| match &statement.kind {
            StatementKind::Retain(place) => base(place),
            _ => None,
        })
        .collect();
    statements().filter_map(move |statement| {
        let StatementKind::Assign(to, Rvalue::Use(Operand::Copy(from))) = &statement.kind else { return None };
        let keeps = base(to).is_some_and(|to| body.locals[to].loan || retained.contains(&to));
        from.as_local().filter(|from| !keeps && !retained.contains(from))
    })
}

/// Is a block in a loop that has nothing to do with a local and does not hand it over? Then it was for a statement above
/// the loop only, and no address of it has been kept.
fn is_left_behind(body: &Body, block: BlockId, local: Local) -> bool {
    let mut number = body.blocks[block].in_loop;
    while let Some(at) = number {
        let inside = body.blocks.values().filter(|block| is_in_loop(body, block, at));
        let (mut polls, mut named) = (false, false);
        for statement in inside.flat_map(|block| &block.statements) {
            polls |= matches!(statement.kind, StatementKind::Safepoint(_));
            visit::statement_places(statement, &mut |place, _| {
                named |= matches!(place.base, PlaceBase::Local(base) if base == local);
            });
        }
        if polls && !named {
            return true;
        }
        number = body.loops.get(at as usize).and_then(|info| info.parent);
    }
    false
}

fn is_in_loop(body: &Body, block: &Block, number: u32) -> bool {
    let parent = |at: &u32| body.loops.get(*at as usize).and_then(|info| info.parent);
    std::iter::successors(block.in_loop, parent).any(|at| at == number)
}

/// The locals that lie at these offsets of a function's block.
fn grown_locals(meta: &FunctionMeta, body: &Body, offsets: &[u32]) -> Vec<Local> {
    let locals = meta.frame.locals.iter().filter(|local| local.size > 0 && offsets.contains(&local.offset));
    locals.map(|local| body.local(local.local)).collect()
}

/// Does the function that a frame waits for know no address?
fn is_given_nothing(body: &Body, srcloc: u32) -> bool {
    let Some((block, index)) = place(body, srcloc) else { return false };
    match body.blocks[block].statements.get(index).map(|it| &it.kind) {
        Some(StatementKind::Call(call)) => {
            call.arguments.is_empty() && call.result.as_ref().is_none_or(|result| result.ty.is_scalar())
        }
        _ => false,
    }
}

/// One of these locals whose address something may hold while a frame waits.
fn held_by_address(body: &Body, srcloc: u32, locals: &[Local]) -> Option<String> {
    if locals.is_empty() {
        return None;
    }
    let (addressed, at) = (Addressed::of(body), place(body, srcloc)?);
    let held = |local: &&Local| addressed.may_have_value(body, at, **local) && addressed.may_hold(body, at, **local);
    locals.iter().find(held).map(|local| name_of(body, *local))
}

fn name_of(body: &Body, local: Local) -> String {
    shown(body.locals[local].name)
}

/// How people call a local.
fn shown(name: Option<Name>) -> String {
    let name = name.filter(|name| !name.starts_with('{'));
    name.map_or_else(|| "a value".to_owned(), |name| format!("`{name}`"))
}

fn outgrows(name: &str) -> String {
    format!("is not at the head of its loop, and {name} in it outgrows its room")
}

/// Does the frame stand at the poll of a loop that goes on in new code?
fn goes_at_once(body: &Body, srcloc: u32, goes: &dyn Fn(u32) -> bool) -> bool {
    place(body, srcloc).is_some_and(|(id, index)| {
        let block = &body.blocks[id];
        let polls = matches!(block.statements.get(index).map(|it| &it.kind), Some(StatementKind::Safepoint(_)));
        polls && block.in_loop.is_some_and(goes)
    })
}

/// Block and statement of a location number.
pub(crate) fn place(body: &Body, srcloc: u32) -> Option<(BlockId, usize)> {
    let mut first = 1;
    for (id, block) in body.blocks.iter() {
        let count = block.statements.len() as u32 + 1;
        if (first..first + count).contains(&srcloc) {
            return Some((id, (srcloc - first) as usize));
        }
        first += count;
    }
    None
}

/// Is it one word, behind which the elements lie?
fn is_handle(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Vec(_) | TyKind::HashMap(..))
}

/// Does a statement leave alone what is behind the words it handles? A callee is new code: only functions that are never
/// on a stack while threads are stopped are called without a slot.
fn passes_on(statement: &StatementKind) -> bool {
    match statement {
        StatementKind::Assign(_, Rvalue::Use(_)) | StatementKind::Retain(_) | StatementKind::Release { .. } => true,
        StatementKind::Safepoint(_) => true,
        StatementKind::Call(call) => matches!(call.callee, Callee::Function(..)),
        _ => false,
    }
}

/// Does it release a whole local? The heap does that, by what it knows of the type then.
fn is_release_by_type(statement: &StatementKind) -> bool {
    matches!(statement, StatementKind::Release { place, .. } if place.as_local().is_some() && place.ty.is_aggregate())
}

/// Does a statement do more with what it handles than to keep it, to give it up or to put it somewhere else?
fn uses(statement: &StatementKind) -> bool {
    !passes_on(statement) || matches!(statement, StatementKind::Call(_))
}

/// What a statement does that calls one of these functions.
fn called(statement: &StatementKind, unfit: &FxHashMap<Instance, String>) -> Option<String> {
    let StatementKind::Call(call) = statement else { return None };
    let Callee::Function(instance, _) = &call.callee else { return None };
    unfit.get(instance).map(|what| format!("would call `{}`, which {what}", instance.path.name))
}

/// What a function would do by calling one of these.
pub(crate) fn calls_one_of(meta: &FunctionMeta, past: &Past, unfit: &FxHashMap<Instance, String>) -> Option<String> {
    let body = mir_of(meta, &past.checked, &past.layouts)?;
    let statements = body.blocks.values().flat_map(|block| &block.statements);
    statements.into_iter().find_map(|statement| called(&statement.kind, unfit))
}

/// A walk over what a frame may still do.
struct Walk<'a> {
    changes: &'a Changes<'a>,
    body: &'a Body,
    goes: &'a dyn Fn(u32) -> bool,
    /// Locals that lie elsewhere after the commit.
    grown: &'a [Local],
    seen: FxHashSet<BlockId>,
}

impl Walk<'_> {
    fn from(self, srcloc: u32) -> Option<String> {
        let (block, index) = place(self.body, srcloc)?;
        let mut open = Vec::new();
        let first = self.block(block, Some(index), &mut open);
        if first.is_some() {
            return first;
        }
        self.on(open)
    }

    /// What the whole body would do.
    fn all(self) -> Option<String> {
        let entry = self.body.blocks.iter().next().map(|(id, _)| id);
        self.on(entry.into_iter().collect())
    }

    fn on(mut self, mut open: Vec<BlockId>) -> Option<String> {
        while let Some(next) = open.pop() {
            if self.seen.insert(next) {
                let found = self.block(next, None, &mut open);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// Looks at a block, from the call at `waits_in` on; the arguments of that are evaluated already.
    fn block(&self, id: BlockId, waits_in: Option<usize>, open: &mut Vec<BlockId>) -> Option<String> {
        let block = &self.body.blocks[id];
        let builds = self.builds(block, waits_in.unwrap_or(0));
        if builds.is_some() {
            return builds;
        }
        for (index, statement) in block.statements.iter().enumerate().skip(waits_in.unwrap_or(0)) {
            if let (StatementKind::Safepoint(_), Some(number)) = (&statement.kind, block.in_loop)
                && (self.goes)(number)
            {
                return None;
            }
            let mut found = self.matches(&statement.kind).or_else(|| self.gives_away(&statement.kind));
            let by_type = is_release_by_type(&statement.kind);
            if waits_in != Some(index) {
                found = found.or_else(|| called(&statement.kind, &self.changes.unfit));
            }
            let (passes_on, uses) = (passes_on(&statement.kind), uses(&statement.kind));
            visit::statement_places(statement, &mut |place, access| {
                found = found.take().or_else(|| self.grown(place));
                if !by_type && (waits_in != Some(index) || access == Access::Write) {
                    found = found.take().or_else(|| self.touches(place, access, passes_on));
                    found = found.take().or_else(|| if uses { self.is_alone_with(place) } else { None });
                }
            });
            if found.is_some() {
                return found;
            }
        }
        visit::successors(&block.terminator, &mut |next| open.push(next));
        None
    }

    /// Is it in a local that lies elsewhere after the commit?
    fn grown(&self, place: &Place) -> Option<String> {
        let PlaceBase::Local(local) = place.base else { return None };
        self.grown.contains(&local).then(|| outgrows(&name_of(self.body, local)))
    }

    /// Does it use a container of which the others have a new one then?
    fn is_alone_with(&self, place: &Place) -> Option<String> {
        let ty = self.changes.rebuilt(place.ty)?;
        Some(format!("would go on with the old `{ty}`, of which a new one is made"))
    }

    /// Does it copy a value, with parts that it does not know of and so does not count, to where all parts are counted down?
    fn gives_away(&self, statement: &StatementKind) -> Option<String> {
        let StatementKind::Assign(to, Rvalue::Use(Operand::Copy(_))) = statement else { return None };
        let ty = self.changes.counting(to.ty)?;
        let kept = |local: Local| {
            local != self.body.local(Body::RESULT) && !whole_releases(self.body).any(|released| released == local)
        };
        let stays = matches!(to.base, PlaceBase::Local(local) if kept(local));
        (!stays).then(|| format!("would copy a `{ty}`"))
    }

    /// Does it ask which variant a value of a changed enum is?
    fn matches(&self, statement: &StatementKind) -> Option<String> {
        let StatementKind::Assign(_, Rvalue::Discriminant(place)) = statement else { return None };
        let changed = self.changes.types.get(&place.ty).is_some_and(|change| change.choice);
        changed.then(|| format!("would match a `{}`", place.ty))
    }

    /// Does a block write all fields of a value of a type that grows? Copies too are written field by field where one
    /// side has been taken apart.
    fn builds(&self, block: &Block, from: usize) -> Option<String> {
        let mut written: FxHashMap<(&PlaceBase, &[Projection]), FxHashSet<u32>> = FxHashMap::default();
        for statement in block.statements.iter().skip(from) {
            let place = match &statement.kind {
                StatementKind::Zero(place) => {
                    if let Some(ty) = self.changes.growing(place.ty) {
                        return Some(format!("would build a `{ty}`"));
                    }
                    continue;
                }
                StatementKind::Assign(place, _) => place,
                StatementKind::Call(call) => match &call.result {
                    Some(place) => place,
                    None => continue,
                },
                _ => continue,
            };
            for (depth, ty) in self.prefixes(place) {
                let (Some(Projection::Field(field)), Some(change)) =
                    (place.projections.get(depth), self.changes.types.get(&ty).filter(|change| change.grows))
                else {
                    continue;
                };
                let fields = written.entry((&place.base, &place.projections[..depth])).or_default();
                fields.insert(*field);
                if fields.len() == change.kept.len() {
                    return Some(format!("would build a `{ty}`"));
                }
            }
        }
        None
    }

    /// The types on the way to a place, by the number of steps.
    fn prefixes(&self, place: &Place) -> Vec<(usize, Ty)> {
        let mut ty = self.base_ty(&place.base);
        let mut found = vec![(0, ty)];
        for (step, depth) in place.projections.iter().zip(1..) {
            let Some(next) = self.step(ty, step) else { break };
            ty = next;
            found.push((depth, ty));
        }
        found
    }

    fn base_ty(&self, base: &PlaceBase) -> Ty {
        match base {
            PlaceBase::Local(local) => self.body.locals[*local].ty,
            PlaceBase::Global(_, ty) | PlaceBase::Deref(_, ty) => *ty,
        }
    }

    /// The type one step into a type.
    fn step(&self, ty: Ty, step: &Projection) -> Option<Ty> {
        match (step, ty.kind()) {
            (Projection::Field(field), _) => Some(self.changes.before.field_ty(ty, *field)),
            (Projection::VariantField(variant, field), _) => {
                Some(self.changes.before.variant_field_ty(ty, *variant, *field))
            }
            (Projection::Index(_) | Projection::ConstIndex(_), TyKind::Array(of, _) | TyKind::Slice(of)) => Some(*of),
            _ => None,
        }
    }

    /// Does something with a place that the new layouts do not allow.
    fn touches(&self, place: &Place, access: Access, passes_on: bool) -> Option<String> {
        if let PlaceBase::Global(path, _) = place.base
            && self.changes.globals.contains(&path)
        {
            return Some(format!("would use the global `{}`", path.name));
        }
        let mut ty = self.base_ty(&place.base);
        for step in &place.projections {
            if let Some(change) = self.changes.types.get(&ty) {
                match step {
                    _ if change.choice => return Some(format!("would look into a `{ty}`")),
                    Projection::Field(field) if !change.kept.get(*field as usize).copied().unwrap_or(false) => {
                        return Some(format!("would use {} of a `{ty}`", self.field_name(ty, *field)));
                    }
                    _ => {}
                }
            }
            let of = self.step(ty, step)?;
            let elements = matches!(step, Projection::Index(_) | Projection::ConstIndex(_));
            if elements && self.changes.resized(of) {
                return Some(format!("would look for elements of type `{of}`"));
            }
            ty = of;
        }
        let looks_inside = access != Access::Address && !(passes_on && is_handle(place.ty));
        let whole = looks_inside && self.changes.resized(place.ty);
        whole.then(|| format!("would use a whole `{}`", place.ty))
    }

    fn field_name(&self, ty: Ty, field: u32) -> String {
        let definition = self.changes.checked.structs.get(&ty);
        let name = definition.and_then(|definition| definition.fields.get(field as usize)).map(|field| field.name);
        name.map_or_else(|| "a field".to_owned(), |name| format!("the field `{name}`"))
    }
}
