//! Locals that the old code has in parts, and that become something of another shape: a struct that becomes an `Option`
//! of it. They are put together first, as what they would be now if they had kept their types.

use rustc_hash::FxHashMap;
use vaisjit_codegen::layout::{Layouts, TypeLayouts};
use vaisjit_codegen::resume::{CarriedValue, CarryHome, CarryKey, LoopState, local_of};
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::fresh::{Fresh, Start, leads, part_path};
use super::transfer::whole_of;
use crate::live::FunctionMeta;

/// The types that the locals of a loop had in the old text.
pub(super) struct Before<'a> {
    /// By what the new text knows them by.
    pub locals: FxHashMap<CarryKey, Ty>,
    /// The layouts of the running version.
    pub layouts: &'a TypeLayouts,
}

/// A part of a new value that is made of one which has to be put together.
pub(super) struct Gathered {
    /// Which part of a local.
    pub key: CarryKey,
    /// Where it lies in the value that is wanted.
    pub at: u32,
    /// What is put together.
    pub from: Ty,
    /// What that becomes.
    pub to: Ty,
}

/// The parts of such a value as those of a local of its own.
pub(super) struct Own {
    pub state: LoopState,
    /// The numbers that they have among all values.
    pub numbers: Vec<usize>,
    pub want: CarriedValue,
}

impl<'a> Before<'a> {
    /// Of the loop of a function; `state` is what it hands over under the new names.
    pub fn new(meta: &FunctionMeta, state: &LoopState, layouts: &'a TypeLayouts) -> Before<'a> {
        let old = meta.frame.loops.iter().find(|old| old.number == state.number);
        let values = old.iter().flat_map(|old| &old.values).zip(&state.values);
        let ty = |old: &CarriedValue| Some(meta.body.locals[local_of(&meta.body, old.key)?].ty);
        let locals = values.filter_map(|(old, now)| Some((whole_of(now.key), ty(old)?))).collect();
        Before { locals, layouts }
    }

    /// The type of a field under one of these names.
    fn field(&self, ty: Ty, names: &[Name]) -> Option<Ty> {
        match ty.kind() {
            TyKind::Tuple(parts) => parts.get(names.first()?.parse::<usize>().ok()?).copied(),
            TyKind::Struct(..) => {
                let known = self.layouts.known(ty)?;
                let field = |name: &Name| known.fields().iter().find(|field| field.name == *name).map(|field| field.ty);
                names.iter().find_map(field)
            }
            _ => None,
        }
    }
}

impl Fresh<'_> {
    /// The type that a part of a local had.
    fn type_before(&self, key: CarryKey) -> Option<Ty> {
        let whole = *self.before.locals.get(&whole_of(key))?;
        let find = |ever: bool| self.steps(key, ever)?.iter().try_fold(whole, |ty, names| self.before.field(ty, names));
        if key.part.is_none() { Some(whole) } else { find(false).or_else(|| find(true)) }
    }

    /// Has the old code in parts what is to be of another shape?
    pub fn is_another(&self, key: CarryKey, ty: Ty) -> bool {
        let in_parts = self.have(key).is_none() && self.is_known(key);
        in_parts && self.type_before(key).is_some_and(|before| !self.goes_by_parts(before, ty))
    }

    /// Are they structs or tuples of which one becomes the other part by part?
    fn goes_by_parts(&self, before: Ty, ty: Ty) -> bool {
        match (before.kind(), ty.kind()) {
            (TyKind::Struct(one, _), TyKind::Struct(other, _)) => one == other || (self.can_become)(before, ty),
            (TyKind::Tuple(_), TyKind::Tuple(_)) => true,
            _ => before == ty,
        }
    }

    /// Does that become what is to be there?
    pub fn gathers(&self, key: CarryKey, ty: Ty) -> bool {
        self.is_another(key, ty) && self.type_before(key).is_some_and(|before| (self.can_become)(before, ty))
    }

    /// The parts of a value that are made so.
    pub fn gathered(&self, want: &CarriedValue) -> Vec<Gathered> {
        let mut found = Vec::new();
        self.gather(want.key, (want.ty, 0), &mut found);
        found
    }

    fn gather(&self, key: CarryKey, (ty, at): (Ty, u32), found: &mut Vec<Gathered>) {
        if self.have(key).is_some() || !self.is_known(key) {
            return;
        }
        if self.gathers(key, ty) {
            found.extend(self.type_before(key).map(|from| Gathered { key, at, from, to: ty }));
        } else if !self.is_another(key, ty) {
            for (index, name) in self.names(ty).into_iter().enumerate() {
                let key = CarryKey { part: Some(Name::new(&part_path(key, &name))), ..key };
                let (of, offset) =
                    (self.layouts.field_ty(ty, index as u32), self.layouts.field_offset(ty, index as u32));
                self.gather(key, (of, at + offset), found);
            }
        }
    }

    /// What is put together, as a local of its own.
    pub fn own(&self, part: &Gathered) -> Own {
        let key = CarryKey { name: Name::new(&part.key.to_string()), nth: 0, part: None };
        let depth = part.key.part.map_or(0, |part| part.split('.').count());
        let steps = [false, true].into_iter().filter_map(|ever| self.steps(part.key, ever)).collect::<Vec<_>>();
        let (mut values, mut numbers) = (Vec::new(), Vec::new());
        for (number, have) in self.state.values.iter().enumerate() {
            let Some(path) = have.key.part.filter(|_| whole_of(have.key) == whole_of(part.key)) else { continue };
            if depth > 0 && !steps.iter().any(|steps| leads(steps, path, false)) {
                continue;
            }
            let rest = path.split('.').skip(depth).collect::<Vec<&str>>().join(".");
            values.push(CarriedValue { key: CarryKey { part: Some(Name::new(&rest)), ..key }, ..have.clone() });
            numbers.push(number);
        }
        let state = LoopState { values, ..self.state.clone() };
        let want = CarriedValue { key, ty: part.from, home: CarryHome::Word(0), owned: true };
        Own { state, numbers, want }
    }

    /// Does something with what is put together.
    pub fn with_own<R>(&self, part: &Gathered, own: &Own, act: impl FnOnce(Fresh<'_>) -> R) -> R {
        let before = Before { locals: [(own.want.key, part.from)].into_iter().collect(), layouts: self.before.layouts };
        act(Fresh { state: &own.state, before: &before, only: Some(part.from), ..*self })
    }

    /// Shows what the parts of a value start with that the old code does not have, of what is put together too.
    pub fn starts(&self, want: &CarriedValue, see: &mut dyn FnMut(&Start<'_>)) -> Result<(), String> {
        self.of(want)?.iter().for_each(&mut *see);
        self.gathered(want).iter().try_for_each(|part| {
            let own = self.own(part);
            self.with_own(part, &own, |fresh| fresh.starts(&own.want, see))
        })
    }
}
