//! How what a loop holds gets into the code that follows: a list of steps on places in memory.

use vaisjit_codegen::clif::frame::FrameLayout;
use vaisjit_codegen::layout::{Layouts, TypeLayouts};
use vaisjit_codegen::resume::{BUFFER_VALUES, CarriedValue, CarryHome, CarryKey, LoopState};
use vaisjit_codegen::shape::shape;
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::super::convert;
use crate::code::{Step, Transfer};
use crate::reload::prepare::Base;
use crate::workspace::Snapshot;

/// Can everything that the new code wants be had? If not, why.
pub(super) fn check(state: &LoopState, new: &FrameLayout) -> Result<(), String> {
    for want in &new.wanted {
        let Some(have) = state.values.iter().find(|have| have.key == want.key) else {
            if in_parts(state, want) || part_of(state, want).is_some() {
                continue;
            }
            return Err(format!("`{}` is new around the loop", want.key));
        };
        if have.ty != want.ty && convert::conversion(have.ty, want.ty).is_none() {
            let (name, old, new) = (want.key, have.ty, want.ty);
            return Err(format!("`{name}` was `{old}` and is now `{new}`, which cannot be converted"));
        }
    }
    Ok(())
}

/// Has the old code the value in parts?
fn in_parts(state: &LoopState, want: &CarriedValue) -> bool {
    want.key.part.is_none() && parts(state, want).next().is_some()
}

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
    old: &FrameLayout,
    new: &FrameLayout,
    base: &Base<'_>,
    snapshot: &Snapshot,
    layouts: &TypeLayouts,
) -> Result<Transfer, String> {
    let shape = |ty: Ty| shape(ty, &snapshot.checked, layouts);
    let type_of = |ty: Ty| base.linkage.heap().type_of(ty, &shape);
    let mut maker = Maker { state, layouts, snapshot, steps: Vec::new(), taken: vec![false; state.values.len()] };
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
    })
}

struct Maker<'a> {
    state: &'a LoopState,
    layouts: &'a TypeLayouts,
    snapshot: &'a Snapshot,
    steps: Vec<Step>,
    /// Which of the old values have found a place.
    taken: Vec<bool>,
}

impl Maker<'_> {
    fn take(&mut self, want: &CarriedValue) -> Result<(), String> {
        if let Some(index) = self.state.values.iter().position(|have| have.key == want.key) {
            self.taken[index] = true;
            let have = self.state.values[index].clone();
            return self.bring((have.home, have.ty), (want.home, want.ty));
        }
        if let Some((whole, part)) = part_of(self.state, want) {
            let Some((offset, ty)) = self.field(whole.ty, part) else { return Ok(()) };
            return self.bring((plus(whole.home, offset), ty), (want.home, want.ty));
        }
        let pieces: Vec<(CarriedValue, Name)> =
            parts(self.state, want).map(|(have, part)| (have.clone(), part)).collect();
        for (have, part) in pieces {
            if let Some((offset, ty)) = self.field(want.ty, part) {
                self.bring((have.home, have.ty), (plus(want.home, offset), ty))?;
            }
        }
        Ok(())
    }

    fn bring(&mut self, (from, have): (CarryHome, Ty), (to, want): (CarryHome, Ty)) -> Result<(), String> {
        let size = self.layouts.layout(want).size;
        if have == want {
            let stays = from == to && matches!(from, CarryHome::Block(_));
            self.steps.extend((!stays).then_some(Step::Copy { from, to, size }));
            return Ok(());
        }
        let by = convert::conversion(have, want)
            .ok_or_else(|| format!("a `{have}` cannot be made a `{want}`"))?;
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
