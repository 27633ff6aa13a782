//! How what a loop holds gets into the code that follows: a list of steps on places in memory.

use std::cell::RefCell;
use std::sync::Arc;

use vaisjit_codegen::clif::frame::{FrameLayout, FrameLocal};
use vaisjit_codegen::layout::{Layout, LayoutHistory, Layouts, TypeLayouts, constant};
use vaisjit_codegen::resume::{BUFFER_VALUES, CarriedValue, CarryHome, CarryKey, LoopState, local_of, starts};
use vaisjit_semantics::{Checked, Instance, Ty, TyKind, hir};
use vaisjit_syntax::Name;

use super::converted::{self, Types};
use super::fresh::{Fresh, Piece, Start, StartKind, unknown};
use super::gathered::{Before, Gathered};
use crate::code::{Beside, BesidePlace, Computed, Conversion, Making, Step, Transfer, WholeLocal};
use crate::heap::TypeRef;
use crate::heap::migrate::References;
use crate::linkage::Linkage;
use crate::live::FunctionMeta;
use crate::program::is_literal;
use crate::reload::diff::retyped;
use crate::reload::migrate::known::Known;
use crate::reload::prepare::Base;
use crate::shapes::AllShapes;
use crate::workspace::Snapshot;

/// Can everything that the new code wants be had? If not, why.
pub(super) fn check(fresh: &Fresh<'_>, new: &FrameLayout) -> Result<(), String> {
    let (state, can_become) = (fresh.state, fresh.can_become);
    for want in &new.wanted {
        let Some(have) = fresh.old(want.key).map(|index| &state.values[index]) else {
            if part_of(state, want).is_some() {
                continue;
            }
            if parts(state, want).next().is_some() {
                fresh.starts(want, &mut |_| {})?;
                continue;
            }
            return Err(format!("`{}` is new around the loop", want.key));
        };
        // What cannot be converted takes the default if it is a field.
        if have.ty != want.ty && want.key.part.is_none() && !can_become(have.ty, want.ty) {
            let (old, new) = (have.ty, want.ty);
            let what = match want.key.name.starts_with('{') {
                true => "what the loop runs over, or a value without a name,".to_owned(),
                false => format!("`{}`", want.key),
            };
            return Err(format!("{what} {}, which cannot be converted", retyped(old, new)));
        }
        if !can_become(have.ty, want.ty) {
            fresh.of(want)?;
        }
    }
    Ok(())
}

/// The functions that compute what the new code wants and the old one does not have.
pub(super) fn computed(fresh: &Fresh<'_>, new: &FrameLayout) -> Vec<Instance> {
    let mut found = Vec::new();
    for want in &new.wanted {
        let is_had = match fresh.old(want.key) {
            Some(index) => (fresh.can_become)(fresh.state.values[index].ty, want.ty),
            None => part_of(fresh.state, want).is_some(),
        };
        let mut see = |start: &Start<'_>| match start.kind {
            StartKind::Declared { body, .. } if !is_literal(&body.value) => found.push(body.instance),
            _ => {}
        };
        if !is_had {
            // What cannot be started with has been found before.
            let _ = fresh.starts(want, &mut see);
        }
    }
    found
}

/// Has a value of one type a meaning in another?
pub(super) fn can_become(known: &Known, (layouts, checked): (&TypeLayouts, &Checked), from: Ty, to: Ty) -> bool {
    from == to
        || asked(known, layouts, &|ty, name| converted::declared(checked, (ty, name), |_| Some(Vec::new())))
            .between(from, to)
            .is_some()
}

/// What is known of the types where nothing is made.
pub(super) fn asked<'a>(
    known: &'a Known,
    layouts: &'a TypeLayouts,
    declared: &'a dyn Fn(Ty, Name) -> converted::Declared,
) -> Types<'a> {
    Types { known, layouts, record: &|_| None, declared }
}

/// What the old code has of the local in parts.
pub(super) fn parts<'a>(state: &'a LoopState, want: &CarriedValue) -> impl Iterator<Item = (&'a CarriedValue, Name)> {
    let (name, nth) = (want.key.name, want.key.nth);
    let same = state.values.iter().filter(move |have| have.key.name == name && have.key.nth == nth);
    same.filter_map(|have| Some((have, have.key.part?)))
}

/// The whole value that the old code has where the new code wants a part of it.
pub(super) fn part_of<'a>(state: &'a LoopState, want: &CarriedValue) -> Option<(&'a CarriedValue, Name)> {
    let part = want.key.part?;
    let whole = CarryKey { part: None, ..want.key };
    Some((state.values.iter().find(|have| have.key == whole)?, part))
}

/// What the steps of a transfer are made from.
pub(super) struct Between<'a> {
    /// The function whose loop it is.
    pub meta: &'a FunctionMeta,
    /// What the loop hands over, under the names of the new text.
    pub state: &'a LoopState,
    /// The function in the new text.
    pub body: &'a hir::Body,
    /// The frames of the old code and the new.
    pub frames: (&'a FrameLayout, &'a FrameLayout),
    /// Locals in parts that functions of the program migrate.
    pub whole: Vec<WholeLocal>,
    /// What is known of types from the new version on: the loop may hold values of types that are gone.
    pub history: &'a Arc<LayoutHistory>,
}

/// The steps from what the old code hands over to what the new code wants.
pub(super) fn make(
    between: &Between<'_>,
    base: &mut Base<'_>,
    snapshot: &Snapshot,
    layouts: &TypeLayouts,
) -> Result<Transfer, String> {
    let (old, new) = between.frames;
    let (state, beside, end) = grown_homes(between.state, (old, new), &Known::new(between.history.clone()));
    let mut transfer = Transfer { old_block: old.size, block: new.size, beside, ..Transfer::default() };
    let ends = new.wanted.iter().filter_map(|want| match want.home {
        CarryHome::Word(offset) => Some(offset + layouts.layout(want.ty).size),
        CarryHome::Block(_) => None,
    });
    transfer.buffer = ends.max().unwrap_or(BUFFER_VALUES).max(BUFFER_VALUES);
    let mut room = Room { end, transfer };
    room.transfer.steps = steps(&state, between, &mut room, base, snapshot, layouts)?;
    room.transfer.left = left(between.state, &room.transfer.beside, new);
    if !between.whole.is_empty() {
        let state = put_together(&state, &between.whole, &mut room, (base, layouts));
        room.transfer.whole_steps = steps(&state, between, &mut room, base, snapshot, layouts)?;
        room.transfer.whole = between.whole.clone();
    }
    Ok(room.transfer)
}

/// Where values of a loop lie in the old block that do not lie there in the new one. Those that lie beside are looked after.
fn left(state: &LoopState, beside: &[BesidePlace], new: &FrameLayout) -> Vec<u32> {
    let blocks = state.values.iter().filter_map(|have| match have.home {
        CarryHome::Block(offset) => Some((offset, have)),
        CarryHome::Word(_) => None,
    });
    let stays = |(offset, have): &(u32, &CarriedValue)| {
        let wanted = |want: &CarriedValue| (want.home, want.ty) == (have.home, have.ty) && want.key == have.key;
        beside.iter().any(|place| place.what == Beside::Local(*offset)) || new.wanted.iter().any(wanted)
    };
    blocks.filter(|value| !stays(value)).map(|(offset, _)| offset).collect()
}

/// A transfer that is being made, with the room behind its blocks.
struct Room {
    /// Where that ends.
    end: u32,
    transfer: Transfer,
}

impl Room {
    /// A place there.
    fn place(&mut self, what: Beside, layout: Layout) -> u32 {
        if let Some(at) = self.transfer.place(what) {
            return at;
        }
        let at = self.end.next_multiple_of(layout.align.max(1));
        self.end = at + layout.size.max(1);
        self.transfer.beside.push(BesidePlace { what, at, size: layout.size });
        at
    }
}

fn steps(
    state: &LoopState,
    between: &Between<'_>,
    room: &mut Room,
    base: &mut Base<'_>,
    snapshot: &Snapshot,
    layouts: &TypeLayouts,
) -> Result<Vec<Step>, String> {
    let shapes = AllShapes::new(&snapshot.checked, layouts, between.history);
    let shape = |ty: Ty| shapes.get(ty);
    let new = between.frames.1;
    let taken = vec![false; state.values.len()];
    let heap = base.linkage.heap().clone();
    let type_of = |ty: Ty| heap.type_of(ty, &shape);
    let missed = base.live.since(between.meta);
    let (history, linkage) = (&*base.live.history, &mut *base.linkage);
    let known = Known::new(between.history.clone());
    let can_become = |from: Ty, to: Ty| can_become(&known, (layouts, &snapshot.checked), from, to);
    let before = Before::new(between.meta, between.state, &base.live.layouts);
    let fresh = Fresh {
        state,
        body: between.body,
        checked: &snapshot.checked,
        layouts,
        history,
        can_become: &can_become,
        missed,
        before: &before,
        only: None,
    };
    let (shapes, type_of, known) = (&shapes, &type_of, &known);
    let mut maker = Maker { fresh, known, shapes, linkage, type_of, steps: Vec::new(), taken, room };
    new.wanted.iter().try_for_each(|want| maker.take(want))?;
    for (have, taken) in state.values.iter().zip(&maker.taken) {
        if have.owned && !taken {
            maker.steps.push(Step::Release { from: have.home, of: type_of(have.ty) });
        }
    }
    for want in new.wanted.iter().filter(|want| want.owned) {
        let borrowed = state.values.iter().find(|have| have.key == want.key && !have.owned && have.ty == want.ty);
        let retain = |have: &CarriedValue| Step::Retain { from: have.home, of: type_of(have.ty) };
        maker.steps.splice(0..0, borrowed.map(retain));
    }
    Ok(maker.steps)
}

/// The values of a loop with places behind both blocks for those that have another size now, or may not lie where they do: a
/// migration puts them there in their new shape.
fn grown_homes(
    state: &LoopState,
    (old, new): (&FrameLayout, &FrameLayout),
    layouts: &Known,
) -> (LoopState, Vec<BesidePlace>, u32) {
    let (mut state, mut beside) = (state.clone(), Vec::new());
    let mut end = old.size.max(new.size);
    for value in &mut state.values {
        let CarryHome::Block(offset) = value.home else { continue };
        let layout = layouts.layout(value.ty);
        let is_it = |local: &&FrameLocal| local.offset == offset && local.ty == value.ty;
        let mut own = old.locals.iter().filter(is_it).peekable();
        let fits = |size: u32| size == layout.size && offset.is_multiple_of(layout.align.max(1));
        if own.peek().is_none() || own.any(|local| fits(local.size)) {
            continue;
        }
        let place = end.next_multiple_of(layout.align.max(1));
        end = place + layout.size;
        value.home = CarryHome::Block(place);
        beside.push(BesidePlace { what: Beside::Local(offset), at: place, size: layout.size });
    }
    (state, beside, end)
}

/// The values of a loop where locals in parts have been put together and migrated. The parts are still there, and owned.
fn put_together(
    state: &LoopState,
    whole: &[WholeLocal],
    room: &mut Room,
    (base, layouts): (&Base<'_>, &TypeLayouts),
) -> LoopState {
    let mut state = state.clone();
    for local in whole {
        room.place(Beside::Parts(local.key), base.live.layouts.layout(local.ty));
        let at = room.place(Beside::Whole(local.key), layouts.layout(local.ty));
        let is_part = |value: &&mut CarriedValue| value.key.part.is_some() && whole_of(value.key) == local.key;
        state.values.iter_mut().filter(is_part).for_each(|part| part.key.name = "{parts}".into());
        state.values.push(CarriedValue { key: local.key, ty: local.ty, home: CarryHome::Block(at), owned: false });
    }
    state
}

/// The key of the local that a part belongs to.
pub(super) fn whole_of(key: CarryKey) -> CarryKey {
    CarryKey { part: None, ..key }
}

struct Maker<'a> {
    fresh: Fresh<'a>,
    known: &'a Known,
    shapes: &'a AllShapes<'a>,
    linkage: &'a mut Linkage,
    type_of: &'a dyn Fn(Ty) -> TypeRef,
    steps: Vec<Step>,
    /// Which of the old values have found a place.
    taken: Vec<bool>,
    room: &'a mut Room,
}

impl Maker<'_> {
    fn take(&mut self, want: &CarriedValue) -> Result<(), String> {
        let state = self.fresh.state;
        if let Some(index) = self.fresh.old(want.key) {
            let have = state.values[index].clone();
            if !(self.fresh.can_become)(have.ty, want.ty) {
                return self.start(want);
            }
            self.taken[index] = true;
            return self.bring((have.home, have.ty, have.owned), (want.home, want.ty, want.owned), Some(want));
        }
        if let Some((whole, part)) = part_of(state, want) {
            if let Some(becomes) = self.fresh.type_of(want.key).filter(|becomes| *becomes != whole.ty)
                && (self.fresh.can_become)(whole.ty, becomes)
            {
                return self.taken_out(whole, (part, becomes), want);
            }
            self.mark(&whole.key);
            let Some((offset, ty)) = self.fresh.field(whole.ty, part) else { return Ok(()) };
            let from = plus(whole.home, offset);
            if want.owned && !whole.owned && ty == want.ty {
                self.steps.push(Step::Retain { from, of: (self.type_of)(ty) });
            }
            return self.bring((from, ty, whole.owned), (want.home, want.ty, want.owned), Some(want));
        }
        if let Some(bytes) = self.grown_part(want) {
            self.steps.push(Step::Set { to: want.home, bytes: bytes.into() });
            return Ok(());
        }
        self.start(want)?;
        for part in self.fresh.gathered(want) {
            self.gather(&part, want)?;
        }
        let pieces = if want.key.part.is_none() { self.fresh.pieces(want) } else { Vec::new() };
        pieces.into_iter().try_for_each(|piece| self.piece(&piece, (want.home, want.owned)))
    }

    /// What the old code has in parts is put together and converted.
    fn gather(&mut self, part: &Gathered, want: &CarriedValue) -> Result<(), String> {
        let mut own = self.fresh.own(part);
        let borrowed: Vec<bool> = own.state.values.iter().map(|have| !have.owned).collect();
        own.state.values.iter_mut().for_each(|have| have.owned = true);
        let make = self.fresh.with_own(part, &own, |fresh| {
            let mut maker = Maker {
                fresh,
                known: self.known,
                shapes: self.shapes,
                linkage: &mut *self.linkage,
                type_of: self.type_of,
                steps: Vec::new(),
                taken: vec![false; own.state.values.len()],
                room: &mut *self.room,
            };
            maker.take(&own.want).map(|()| (maker.steps, maker.taken))
        });
        let (mut make, taken) = make?;
        for (at, have) in own.state.values.iter().enumerate().filter(|(at, _)| taken[*at]) {
            self.taken[own.numbers[at]] = true;
            if borrowed[at] && self.shapes.is_counted(have.ty) {
                make.insert(0, Step::Retain { from: have.home, of: (self.type_of)(have.ty) });
            }
        }
        let to = plus(want.home, part.at);
        let by = self.conversion((part.from, part.to), Some(want).filter(|want| part.to == want.ty))?;
        self.through((part.from, make), (0, part.to, by), (to, want.owned));
        Ok(())
    }

    /// A part of what a whole value becomes.
    fn taken_out(
        &mut self,
        whole: &CarriedValue,
        (part, becomes): (Name, Ty),
        want: &CarriedValue,
    ) -> Result<(), String> {
        let found = self.fresh.field(becomes, part).filter(|(_, ty)| *ty == want.ty);
        let (at, ty) = found.ok_or_else(|| unknown(want))?;
        let size = |ty: Ty| self.shapes.get(ty).layout.size;
        let (from, to) = ((whole.home, size(whole.ty)), (CarryHome::Word(0), size(becomes)));
        let by =
            self.conversion((whole.ty, becomes), Some(&CarriedValue { key: whole.key, ty: becomes, ..want.clone() }))?;
        let make = vec![Step::Convert { from, to, by, lent: None }];
        let by = self.conversion((ty, ty), None)?;
        self.through((becomes, make), (at, ty, by), (want.home, want.owned));
        Ok(())
    }

    /// A value is made, something is made of what lies at a place in it, and it is given up.
    fn through(
        &mut self,
        (of, make): (Ty, Vec<Step>),
        (at, to_ty, by): (u32, Ty, Arc<Conversion>),
        (to, is_owned): (CarryHome, bool),
    ) {
        let size = |ty: Ty| self.shapes.get(ty).layout.size;
        let references = {
            let shape = |ty: Ty| self.shapes.get(ty);
            References::of(&shape(to_ty), &shape)
        };
        let lent = Some(references).filter(|references| !is_owned && !references.is_empty());
        let from = (CarryHome::Word(at), size(of) - at);
        let mut then = vec![Step::Convert { from, to: (to, size(to_ty)), by, lent }];
        if self.shapes.is_counted(of) {
            then.push(Step::Release { from: CarryHome::Word(0), of: (self.type_of)(of) });
        }
        self.steps.push(Step::Through { size: size(of), make, then });
    }

    /// A part of the old value gets to its place in the new one; what counts and has none any more goes to the attic.
    fn piece(&mut self, piece: &Piece<'_>, (home, owned): (CarryHome, bool)) -> Result<(), String> {
        let Piece { have, at, ty, parked } = *piece;
        let to = plus(home, at);
        let counts = have.ty == ty && self.shapes.is_counted(ty);
        self.mark(&have.key);
        self.bring((have.home, have.ty, have.owned), (to, ty, owned), None)?;
        if let Some(batch) = parked.filter(|_| counts) {
            let shape = |ty: Ty| self.shapes.get(ty);
            let references = References::of(&shape(ty), &shape);
            self.steps.push(Step::Park { at: to, references, batch, lent: !have.owned });
        }
        Ok(())
    }

    /// What a tuple that has grown has at a place that the old one did not have.
    fn grown_part(&mut self, want: &CarriedValue) -> Option<Vec<u8>> {
        let local = local_of(self.fresh.body, want.key)?;
        let is_tuple = matches!(self.fresh.body.locals[local].ty.kind(), TyKind::Tuple(_));
        let is_new = want.key.part.is_some() && parts(self.fresh.state, want).next().is_some();
        (is_tuple && is_new).then(|| self.declared_bytes(want)).flatten()
    }

    /// A value, or a part of it, is taken over.
    fn mark(&mut self, key: &CarryKey) {
        for (have, taken) in self.fresh.state.values.iter().zip(&mut self.taken) {
            *taken |= have.key == *key;
        }
    }

    /// What no part of the old value becomes is what a new value has there.
    fn start(&mut self, want: &CarriedValue) -> Result<(), String> {
        for start in self.fresh.of(want)? {
            let to = plus(want.home, start.at);
            match start.kind {
                StartKind::Zero => {
                    let bytes = constant::zero(start.ty, self.fresh.layouts).ok_or_else(|| unknown(want))?;
                    self.steps.push(Step::Set { to, bytes: bytes.into() });
                }
                StartKind::Empty => {
                    let (of, lent) = ((self.type_of)(start.ty), !want.owned);
                    self.steps.push(Step::Empty { to, of, lent });
                }
                StartKind::Declared { body, from, key } => self.declared((body, from, key), (start.ty, to), want)?,
            }
        }
        Ok(())
    }

    /// A part of what is declared for a field.
    fn declared(
        &mut self,
        (body, from, key): (&hir::Body, u32, CarryKey),
        (ty, to): (Ty, CarryHome),
        want: &CarriedValue,
    ) -> Result<(), String> {
        let size = self.fresh.layouts.layout(ty).size;
        let literal = is_literal(&body.value);
        let bytes =
            if literal { crate::program::constant(&body.value, self.fresh.layouts, self.linkage) } else { None };
        if let Some(bytes) = bytes {
            let part = bytes.get(from as usize..(from + size) as usize).ok_or_else(|| unknown(want))?;
            self.steps.push(Step::Set { to, bytes: part.into() });
            return Ok(());
        }
        let of = body.value.ty;
        let at = self.room.place(Beside::Computed(key), self.fresh.layouts.layout(of));
        let computed = Computed { key, by: body.instance, ty: of };
        if !self.room.transfer.computed.contains(&computed) {
            self.room.transfer.computed.push(computed);
        }
        let from = CarryHome::Block(at + from);
        if want.owned {
            self.steps.push(Step::Retain { from, of: (self.type_of)(ty) });
        }
        self.steps.push(Step::Copy { from, to, size });
        Ok(())
    }

    /// The value at a place becomes that at another one. Of another type it is made anew; what the old one has nothing for
    /// is as it is declared in the new text. With the places go the types, and whether the code owns what they refer to.
    fn bring(
        &mut self,
        (from, have, was_owned): (CarryHome, Ty, bool),
        (to, want, is_owned): (CarryHome, Ty, bool),
        declared: Option<&CarriedValue>,
    ) -> Result<(), String> {
        let size = self.shapes.get(want).layout.size;
        if have == want {
            let stays = from == to && matches!(from, CarryHome::Block(_));
            self.steps.extend((!stays).then_some(Step::Copy { from, to, size }));
            return Ok(());
        }
        let by = self.conversion((have, want), declared)?;
        let shape = |ty: Ty| self.shapes.get(ty);
        let references = References::of(&shape(want), &shape);
        let lent = Some(references).filter(|references| !is_owned && !references.is_empty());
        let release = was_owned && self.shapes.is_counted(have);
        let size_before = self.shapes.get(have).layout.size;
        self.steps.push(Step::Convert { from: (from, size_before), to: (to, size), by, lent });
        self.steps.extend(release.then(|| Step::Release { from, of: (self.type_of)(have) }));
        Ok(())
    }

    fn conversion(
        &mut self,
        (have, want): (Ty, Ty),
        declared: Option<&CarriedValue>,
    ) -> Result<Arc<Conversion>, String> {
        let shapes = self.shapes;
        let record = |ty: Ty| shapes.is_counted(ty).then(|| (self.type_of)(ty));
        let (checked, layouts, linkage) = (self.fresh.checked, self.fresh.layouts, RefCell::new(&mut *self.linkage));
        let constant = |value: &hir::Expr| crate::program::constant(value, layouts, &mut linkage.borrow_mut());
        let declared_for = |ty: Ty, name: Name| converted::declared(checked, (ty, name), constant);
        let types = Types { known: self.known, layouts, record: &record, declared: &declared_for };
        let made = types.between(have, want).ok_or_else(|| format!("a `{have}` cannot be made a `{want}`"))?;
        let first = declared.and_then(|want| self.declared_bytes(want));
        Ok(Arc::new(move |making: &Making<'_>, old: &[u8], new: &mut [u8]| {
            if let Some(first) = &first {
                new.copy_from_slice(first);
            }
            made.write(making, old, new, first.is_some());
        }))
    }

    /// What a local, or a part of one, starts with in the new text, if that is a literal.
    fn declared_bytes(&mut self, want: &CarriedValue) -> Option<Vec<u8>> {
        let body = self.fresh.body;
        let whole = local_of(body, want.key)?;
        let start = starts(body).remove(&whole).filter(|start| is_literal(start))?;
        let bytes = crate::program::constant(start, self.fresh.layouts, self.linkage)?;
        let (at, ty) = want.key.part.map_or(Some((0, start.ty)), |part| self.fresh.field(start.ty, part))?;
        let bytes = bytes.get(at as usize..(at + self.fresh.layouts.layout(ty).size) as usize)?;
        (ty == want.ty).then(|| bytes.to_vec())
    }
}

fn plus(home: CarryHome, offset: u32) -> CarryHome {
    match home {
        CarryHome::Word(at) => CarryHome::Word(at + offset),
        CarryHome::Block(at) => CarryHome::Block(at + offset),
    }
}
