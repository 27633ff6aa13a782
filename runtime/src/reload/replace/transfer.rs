//! How what a loop holds gets into the code that follows: a list of steps on places in memory.

use std::sync::Arc;

use vaisjit_codegen::clif::frame::FrameLayout;
use vaisjit_codegen::layout::lineage;
use vaisjit_codegen::layout::{KnownField, KnownLayout, LayoutHistory, Layouts, TypeLayouts, constant};
use vaisjit_codegen::resume::{BUFFER_VALUES, CarriedValue, CarryHome, CarryKey, LoopState, local_of};
use vaisjit_codegen::shape::shape;
use vaisjit_semantics::{Ty, TyKind, hir};
use vaisjit_syntax::Name;

use crate::code::{Conversion, GrownLocal, Step, Transfer};
use crate::heap::TypeRef;
use crate::heap::migrate::Scalar;
use crate::linkage::Linkage;
use crate::reload::diff::retyped;
use crate::reload::prepare::Base;
use crate::workspace::Snapshot;

/// Can everything that the new code wants be had? If not, why.
pub(super) fn check(state: &LoopState, new: &FrameLayout) -> Result<(), String> {
    for want in &new.wanted {
        let Some(have) = state.values.iter().find(|have| have.key == want.key) else {
            if parts(state, want).next().is_some() || part_of(state, want).is_some() {
                continue;
            }
            return Err(format!("`{}` is new around the loop", want.key));
        };
        // What cannot be converted takes the default if it is a field.
        if have.ty != want.ty && want.key.part.is_none() && conversion(have.ty, want.ty).is_none() {
            let (old, new) = (have.ty, want.ty);
            let what = match want.key.name.starts_with('{') {
                true => "what the loop runs over, or a value without a name,".to_owned(),
                false => format!("`{}`", want.key),
            };
            return Err(format!("{what} {}, which cannot be converted", retyped(old, new)));
        }
    }
    Ok(())
}

/// How a number of one type becomes one of another.
fn conversion(from: Ty, to: Ty) -> Option<Arc<Conversion>> {
    let (from, to) = (Scalar::of(from)?, Scalar::of(to)?);
    Some(Arc::new(move |old: &[u8], new: &mut [u8]| {
        let mut bits = [0; 16];
        bits[..old.len()].copy_from_slice(old);
        let (bits, _) = from.convert(u128::from_le_bytes(bits), to);
        new.copy_from_slice(&bits.to_le_bytes()[..new.len()]);
    }))
}

/// Has a value of one type a meaning in another?
pub(super) fn can_become(from: Ty, to: Ty) -> bool {
    from == to || conversion(from, to).is_some()
}

/// What the old code has of the local in parts.
fn parts<'a>(state: &'a LoopState, want: &CarriedValue) -> impl Iterator<Item = (&'a CarriedValue, Name)> {
    let (name, nth) = (want.key.name, want.key.nth);
    let same = state.values.iter().filter(move |have| have.key.name == name && have.key.nth == nth);
    same.filter_map(|have| Some((have, have.key.part?)))
}

/// The whole value that the old code has where the new code wants a part of it.
fn part_of<'a>(state: &'a LoopState, want: &CarriedValue) -> Option<(&'a CarriedValue, Name)> {
    let part = want.key.part?;
    let whole = CarryKey { part: None, ..want.key };
    Some((state.values.iter().find(|have| have.key == whole)?, part))
}

/// The steps from what the old code hands over to what the new code wants.
pub(super) fn make(
    state: &LoopState,
    body: &hir::Body,
    (old, new): (&FrameLayout, &FrameLayout),
    base: &mut Base<'_>,
    snapshot: &Snapshot,
    layouts: &TypeLayouts,
) -> Result<Transfer, String> {
    let shape = |ty: Ty| shape(ty, &snapshot.checked, layouts);
    let (state, grown) = grown_homes(state, (old, new), layouts);
    let state = &state;
    let taken = vec![false; state.values.len()];
    let heap = base.linkage.heap().clone();
    let type_of = |ty: Ty| heap.type_of(ty, &shape);
    let (history, linkage) = (base.live.history.clone(), &mut *base.linkage);
    let mut maker =
        Maker { state, body, layouts, history, snapshot, linkage, type_of: &type_of, steps: Vec::new(), taken };
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
    let ends = new.wanted.iter().filter_map(|want| match want.home {
        CarryHome::Word(offset) => Some(offset + layouts.layout(want.ty).size),
        CarryHome::Block(_) => None,
    });
    Ok(Transfer {
        steps: maker.steps,
        buffer: ends.max().unwrap_or(BUFFER_VALUES).max(BUFFER_VALUES),
        old_block: old.size,
        block: new.size,
        grown,
    })
}

/// The values of a loop with places behind both blocks for those that have another size now: a migration puts them there
/// in their new shape.
fn grown_homes(
    state: &LoopState,
    (old, new): (&FrameLayout, &FrameLayout),
    layouts: &TypeLayouts,
) -> (LoopState, Vec<GrownLocal>) {
    let (mut state, mut grown) = (state.clone(), Vec::new());
    let mut end = old.size.max(new.size);
    for value in &mut state.values {
        let CarryHome::Block(offset) = value.home else { continue };
        let layout = layouts.layout(value.ty);
        let has_room = |local: &vaisjit_codegen::clif::frame::FrameLocal| {
            local.offset == offset && (local.ty != value.ty || local.size == layout.size)
        };
        if old.locals.iter().any(has_room) {
            continue;
        }
        let place = end.next_multiple_of(layout.align.max(1));
        end = place + layout.size;
        value.home = CarryHome::Block(place);
        grown.push(GrownLocal { offset, place, size: layout.size });
    }
    (state, grown)
}

struct Maker<'a> {
    state: &'a LoopState,
    body: &'a hir::Body,
    layouts: &'a TypeLayouts,
    /// The layouts of the running version.
    history: Arc<LayoutHistory>,
    snapshot: &'a Snapshot,
    linkage: &'a mut Linkage,
    type_of: &'a dyn Fn(Ty) -> TypeRef,
    steps: Vec<Step>,
    /// Which of the old values have found a place.
    taken: Vec<bool>,
}

impl Maker<'_> {
    fn take(&mut self, want: &CarriedValue) -> Result<(), String> {
        let same = || self.state.values.iter().position(|have| have.key == want.key);
        let is_part = want.key.part.is_some();
        let found = self.renamed(want, false).or_else(same);
        if let Some(index) = found.or_else(|| is_part.then(|| self.renamed(want, true)).flatten()) {
            let have = self.state.values[index].clone();
            if !can_become(have.ty, want.ty) {
                return self.set_default(want, &[]);
            }
            self.taken[index] = true;
            return self.bring((have.home, have.ty), (want.home, want.ty));
        }
        if let Some((whole, part)) = part_of(self.state, want) {
            self.mark(&whole.key);
            let Some((offset, ty)) = self.field(whole.ty, part) else { return Ok(()) };
            return self.bring((plus(whole.home, offset), ty), (want.home, want.ty));
        }
        let pieces = if want.key.part.is_none() { self.pieces(want) } else { Vec::new() };
        let ranges: Vec<(u32, u32)> =
            pieces.iter().map(|(_, offset, ty)| (*offset, *offset + self.layouts.layout(*ty).size)).collect();
        self.set_default(want, &ranges)?;
        for (have, offset, ty) in pieces {
            self.mark(&have.key);
            self.bring((have.home, have.ty), (plus(want.home, offset), ty))?;
        }
        Ok(())
    }

    /// The number of the old value that a part goes on from, if its field or one around it is known by another name: as
    /// the versions compare, or (in code that is older than the running version) as it has ever been called.
    fn renamed(&self, want: &CarriedValue, ever: bool) -> Option<usize> {
        let path = want.key.part?;
        let mut ty = self.whole_type(want);
        let mut names = Vec::new();
        for name in path.as_str().split('.') {
            names.push(if ever { self.ever(ty, name) } else { vec![self.before(ty, name)?] });
            ty = self.field(ty, Name::new(name))?.1;
        }
        let fits = |part: Name| {
            let mut old = part.as_str().split('.');
            let same = |names: &Vec<Name>| old.next().is_some_and(|old| names.iter().any(|name| name.as_str() == old));
            names.iter().all(same) && old.next().is_none()
        };
        let is_old = |have: &CarriedValue| {
            have.key.part.is_some_and(fits) && CarryKey { part: want.key.part, ..have.key } == want.key
        };
        self.state.values.iter().position(is_old)
    }

    /// What a field is called in the running version; nothing if it is new.
    fn before(&self, ty: Ty, name: &str) -> Option<Name> {
        let Some((old, new)) = self.versions(ty) else { return Some(Name::new(name)) };
        let sources = lineage::followed(old.variants.first()?, new.variants.first()?, true);
        let place = new.fields().iter().position(|field| field.name.as_str() == name)?;
        Some(old.fields()[sources[place]?].name)
    }

    /// The layouts of a type in both versions.
    fn versions(&self, ty: Ty) -> Option<(Arc<KnownLayout>, KnownLayout)> {
        self.layouts.evolves(ty).then_some(())?;
        Some((self.history.get(ty)?.clone(), self.layouts.known(ty)?))
    }

    /// Where what a path of the old code leads to lies now, and its type.
    fn after(&self, ty: Ty, path: &str) -> Option<(u32, Ty)> {
        path.split('.').try_fold((0, ty), |(offset, ty), name| {
            let index = self.index_after(ty, name)?;
            Some((offset + self.layouts.field_offset(ty, index), self.layouts.field_ty(ty, index)))
        })
    }

    /// The number of the field that goes on from one of the old code.
    fn index_after(&self, ty: Ty, name: &str) -> Option<u32> {
        let Some((old, new)) = self.versions(ty) else { return self.index(ty, name) };
        let is_known = old.fields().iter().any(|field| field.name.as_str() == name);
        let goes_on = |field: &KnownField| match is_known {
            true => self.before(ty, field.name.as_str()).is_some_and(|before| before.as_str() == name),
            false => self.ever(ty, field.name.as_str()).iter().any(|ever| ever.as_str() == name),
        };
        Some(new.fields().iter().position(goes_on)? as u32)
    }

    /// All names that a field has had.
    fn ever(&self, ty: Ty, name: &str) -> Vec<Name> {
        let known = self.layouts.known(ty);
        let field = known.iter().flat_map(|known| known.fields()).find(|field| field.name.as_str() == name);
        field.map_or_else(Vec::new, |field| field.lineage.former.clone()).into_iter().chain([Name::new(name)]).collect()
    }

    /// The parts of the old value that become parts of the new one, with where those lie in it and their types.
    fn pieces(&self, want: &CarriedValue) -> Vec<(CarriedValue, u32, Ty)> {
        let found = parts(self.state, want).filter_map(|(have, part)| {
            let (offset, ty) = self.after(want.ty, part.as_str()).or_else(|| self.parked(want.ty, part))?;
            can_become(have.ty, ty).then(|| (have.clone(), offset, ty))
        });
        // A name of its own goes before the one that a field had.
        let mut found: Vec<(CarriedValue, u32, Ty)> = found.collect();
        let is_named = |have: &CarriedValue| have.key.part.is_some_and(|part| self.is_named(want.ty, part));
        found.sort_by_key(|(have, offset, _)| (*offset, !is_named(have)));
        found.dedup_by_key(|(_, offset, _)| *offset);
        found
    }

    /// Where a number lies that the new text has no field for: it is there if the field comes back.
    fn parked(&self, ty: Ty, path: Name) -> Option<(u32, Ty)> {
        let (above, name) = path.as_str().rsplit_once('.').map_or((None, path.as_str()), |(a, b)| (Some(a), b));
        let (start, of) = above.map_or(Some((0, ty)), |above| self.after(ty, above))?;
        let parked = self.layouts.parked(of, 0);
        let field = parked.iter().find(|field| field.name.as_str() == name && Scalar::of(field.ty).is_some())?;
        Some((start + field.offset, field.ty))
    }

    /// Do the fields of this path have these names now?
    fn is_named(&self, ty: Ty, path: Name) -> bool {
        let mut ty = ty;
        path.as_str().split('.').all(|name| {
            let exists = self
                .snapshot
                .checked
                .structs
                .get(&ty)
                .is_none_or(|definition| definition.fields.iter().any(|field| field.name.as_str() == name));
            ty = self.field(ty, Name::new(name)).map_or(ty, |(_, ty)| ty);
            exists
        })
    }

    /// A value, or a part of it, is taken over.
    fn mark(&mut self, key: &CarryKey) {
        for (have, taken) in self.state.values.iter().zip(&mut self.taken) {
            *taken |= have.key == *key;
        }
    }

    /// What no part of the old value becomes is what a new value has there. The others lie in these ranges of it.
    fn set_default(&mut self, want: &CarriedValue, others: &[(u32, u32)]) -> Result<(), String> {
        let whole = want.key.part.map_or(want.ty, |_| self.whole_type(want));
        let bytes = self.default_bytes(whole);
        let at = match want.key.part {
            None => Some((0, want.ty)),
            Some(part) => self.field(whole, part),
        };
        let unknown = || format!("`{}` is new, and no value of it is known", want.key);
        let (bytes, (offset, _)) = bytes.zip(at).ok_or_else(unknown)?;
        let size = self.layouts.layout(want.ty).size;
        let bytes = bytes.get(offset as usize..(offset + size) as usize).ok_or_else(unknown)?;
        self.steps.push(Step::Set { to: want.home, bytes: bytes.into() });
        let mut collections = Vec::new();
        self.collections(want.ty, 0, &mut collections);
        collections.retain(|(at, _)| !others.iter().any(|(start, end)| (start..end).contains(&at)));
        for (at, ty) in collections {
            self.steps.push(Step::Empty { to: plus(want.home, at), of: (self.type_of)(ty) });
        }
        Ok(())
    }

    /// Every `Vec` and `HashMap` in a value of a type, and where it lies. What an enum may hold is not there at first.
    fn collections(&self, ty: Ty, at: u32, found: &mut Vec<(u32, Ty)>) {
        match *ty.kind() {
            TyKind::Vec(_) | TyKind::HashMap(..) => found.push((at, ty)),
            TyKind::Array(of, length) => {
                let size = self.layouts.layout(of).size;
                (0..length as u32).for_each(|index| self.collections(of, at + index * size, found));
            }
            TyKind::Struct(..) | TyKind::Tuple(_) => {
                let count = match ty.kind() {
                    TyKind::Tuple(parts) => parts.len(),
                    _ => self.snapshot.checked.structs.get(&ty).map_or(0, |definition| definition.fields.len()),
                };
                for index in 0..count as u32 {
                    let of = self.layouts.field_ty(ty, index);
                    self.collections(of, at + self.layouts.field_offset(ty, index), found);
                }
            }
            _ => {}
        }
    }

    /// The type of the local that a part belongs to.
    fn whole_type(&self, want: &CarriedValue) -> Ty {
        local_of(self.body, want.key).map_or(want.ty, |local| self.body.locals[local].ty)
    }

    /// A value of which only the declared defaults of fields are known.
    fn default_bytes(&mut self, ty: Ty) -> Option<Vec<u8>> {
        let mut bytes = constant::zero(ty, self.layouts)?;
        let definition = self.snapshot.checked.structs.get(&ty).cloned();
        for (index, field) in definition.iter().flat_map(|definition| &definition.fields).enumerate() {
            let value = match &field.default {
                Some(body) => crate::program::constant(&body.value, self.layouts, self.linkage),
                None => self.default_bytes(field.ty),
            }?;
            let offset = self.layouts.field_offset(ty, index as u32) as usize;
            bytes.get_mut(offset..offset + value.len())?.copy_from_slice(&value);
        }
        Some(bytes)
    }

    fn bring(&mut self, (from, have): (CarryHome, Ty), (to, want): (CarryHome, Ty)) -> Result<(), String> {
        let size = self.layouts.layout(want).size;
        if have == want {
            let stays = from == to && matches!(from, CarryHome::Block(_));
            self.steps.extend((!stays).then_some(Step::Copy { from, to, size }));
            return Ok(());
        }
        let by = conversion(have, want).ok_or_else(|| format!("a `{have}` cannot be made a `{want}`"))?;
        self.steps.push(Step::Convert { from: (from, self.layouts.layout(have).size), to: (to, size), by });
        Ok(())
    }

    /// Where what a path of fields leads to lies, and its type.
    fn field(&self, ty: Ty, path: Name) -> Option<(u32, Ty)> {
        path.as_str().split('.').try_fold((0, ty), |(offset, ty), name| {
            let index = self.index(ty, name)?;
            Some((offset + self.layouts.field_offset(ty, index), self.layouts.field_ty(ty, index)))
        })
    }

    /// The number of a field.
    fn index(&self, ty: Ty, name: &str) -> Option<u32> {
        match ty.kind() {
            TyKind::Struct(..) => {
                let definition = self.snapshot.checked.structs.get(&ty)?;
                Some(definition.fields.iter().position(|field| field.name.as_str() == name)? as u32)
            }
            TyKind::Tuple(parts) => name.parse().ok().filter(|index| (*index as usize) < parts.len()),
            _ => None,
        }
    }
}

fn plus(home: CarryHome, offset: u32) -> CarryHome {
    match home {
        CarryHome::Word(at) => CarryHome::Word(at + offset),
        CarryHome::Block(at) => CarryHome::Block(at + offset),
    }
}
