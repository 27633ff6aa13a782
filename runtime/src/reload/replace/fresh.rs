//! What a local starts with where the old code has nothing for it: fields that are new, or cannot be converted.

use std::sync::Arc;

use vaisjit_codegen::layout::{KnownField, KnownLayout, LayoutHistory, Layouts, TypeLayouts, lineage};
use vaisjit_codegen::resume::{CarriedValue, CarryKey, LoopState, local_of};
use vaisjit_semantics::program::FieldDef;
use vaisjit_semantics::{Checked, Ty, TyKind, hir};
use vaisjit_syntax::Name;

use super::gathered::Before;
use super::transfer::{parts, whole_of};
use crate::heap::migrate::BatchKey;
use crate::live::Version;
use crate::program::is_literal;

/// What a part of a value starts with.
pub(super) struct Start<'a> {
    /// Where it lies in the value that is wanted.
    pub at: u32,
    /// Its type.
    pub ty: Ty,
    /// How it is made.
    pub kind: StartKind<'a>,
}

/// How such a part is made.
pub(super) enum StartKind<'a> {
    /// It is the zero value of its type.
    Zero,
    /// It is a new empty `Vec` or `HashMap`.
    Empty,
    /// It lies at this offset of what is declared for a field, which has this key.
    Declared { body: &'a hir::Body, from: u32, key: CarryKey },
}

/// What is declared for a field, and where in it a part lies.
#[derive(Clone, Copy)]
struct Declared<'a> {
    body: &'a hir::Body,
    from: u32,
    key: CarryKey,
}

/// A part of the old value that becomes a part of the new one.
pub(super) struct Piece<'a> {
    pub have: &'a CarriedValue,
    /// Where that lies in the new value.
    pub at: u32,
    /// Its type there.
    pub ty: Ty,
    /// The parked field that it is, or lies in.
    pub parked: Option<BatchKey>,
}

/// Looks at the locals of a loop that goes on in a new text.
#[derive(Clone, Copy)]
pub(super) struct Fresh<'a> {
    /// What the old code hands over, under the names of the new text.
    pub state: &'a LoopState,
    /// The function in the new text.
    pub body: &'a hir::Body,
    pub checked: &'a Checked,
    pub layouts: &'a TypeLayouts,
    /// The layouts of the running version.
    pub history: &'a LayoutHistory,
    /// Has a value of one type a meaning in another?
    pub can_become: &'a dyn Fn(Ty, Ty) -> bool,
    /// The versions that have been live since the loop's own, oldest first.
    pub missed: &'a [Version],
    /// The types that the locals had.
    pub before: &'a Before<'a>,
    /// The type of the only local there is, if that is none of the new text.
    pub only: Option<Ty>,
}

/// A part of a local on the way down from it.
#[derive(Clone, Copy)]
struct At {
    ty: Ty,
    /// Where it lies in the value that is wanted.
    at: u32,
}

impl<'a> Fresh<'a> {
    /// What the parts of a value start with that the old code does not have.
    pub fn of(&self, want: &CarriedValue) -> Result<Vec<Start<'a>>, String> {
        let mut found = Vec::new();
        if self.gathers(want.key, want.ty) {
            return Ok(found);
        }
        let made = match want.key.part {
            None => {
                found.push(Start { at: 0, ty: want.ty, kind: StartKind::Zero });
                self.missing(want.key, At { ty: want.ty, at: 0 }, None, &mut found)
            }
            Some(part) => self.part(want, part, &mut found),
        };
        made.ok_or_else(|| unknown(want)).map(|()| found)
    }

    /// A part of a local: what is declared for the outermost field on the way to it that is new.
    fn part(&self, want: &CarriedValue, part: Name, found: &mut Vec<Start<'a>>) -> Option<()> {
        let steps: Vec<&str> = part.as_str().split('.').collect();
        let (mut ty, mut declared) = (self.whole_type(want), None);
        for depth in 0..steps.len() {
            let (index, path) = (self.index(ty, steps[depth])?, steps[..=depth].join("."));
            let part = CarryKey { part: Some(Name::new(&path)), ..want.key };
            let of = self.layouts.field_ty(ty, index);
            declared = self.declared(part, (ty, index), declared);
            if let Some(Declared { body, from, key }) = declared
                && (depth + 1 == steps.len() || !self.is_known(part))
            {
                let rest = steps[depth + 1..].join(".");
                let inside = if rest.is_empty() { 0 } else { self.field(of, Name::new(&rest))?.0 };
                found.push(Start { at: 0, ty: want.ty, kind: StartKind::Declared { body, from: from + inside, key } });
                return Some(());
            }
            ty = of;
        }
        self.start(want.key, At { ty, at: 0 }, found)
    }

    /// The fields of a value that the old code has in parts: those that it lacks.
    fn missing(
        &self,
        key: CarryKey,
        At { ty, at }: At,
        above: Option<Declared<'a>>,
        found: &mut Vec<Start<'a>>,
    ) -> Option<()> {
        for (index, name) in self.names(ty).into_iter().enumerate() {
            let index = index as u32;
            let key = CarryKey { part: Some(Name::new(&part_path(key, &name))), ..key };
            let of = self.layouts.field_ty(ty, index);
            let inside = At { ty: of, at: at + self.layouts.field_offset(ty, index) };
            let declared = self.declared(key, (ty, index), above);
            match self.have(key) {
                Some(have) if (self.can_become)(have.ty, of) => {}
                None if self.gathers(key, of) => {}
                None if self.is_known(key) && !self.is_another(key, of) => {
                    self.missing(key, inside, declared, found)?;
                }
                _ => self.field_start(key, declared, inside, found)?,
            }
        }
        Some(())
    }

    /// What a new field starts with.
    fn field_start(
        &self,
        key: CarryKey,
        declared: Option<Declared<'a>>,
        at: At,
        found: &mut Vec<Start<'a>>,
    ) -> Option<()> {
        match declared {
            Some(Declared { body, from, key }) => {
                found.push(Start { at: at.at, ty: at.ty, kind: StartKind::Declared { body, from, key } });
                Some(())
            }
            None => self.start(key, at, found),
        }
    }

    /// What a value of a type starts with; `None` if nothing is known.
    fn start(&self, key: CarryKey, At { ty, at }: At, found: &mut Vec<Start<'a>>) -> Option<()> {
        let kind = match ty.kind() {
            TyKind::Vec(_) | TyKind::HashMap(..) => StartKind::Empty,
            TyKind::Function(..) | TyKind::Dyn(_) | TyKind::Reference(_) | TyKind::Box(_) => return None,
            _ => StartKind::Zero,
        };
        found.push(Start { at, ty, kind });
        match *ty.kind() {
            TyKind::Array(of, length) => {
                let size = self.layouts.layout(of).size;
                let mut one = Vec::new();
                self.start(key, At { ty: of, at: 0 }, &mut one)?;
                if one.iter().all(|start| matches!(start.kind, StartKind::Zero)) {
                    return Some(());
                }
                for index in 0..length as u32 {
                    let key = CarryKey { part: Some(Name::new(&part_path(key, &index.to_string()))), ..key };
                    self.start(key, At { ty: of, at: at + index * size }, found)?;
                }
                Some(())
            }
            _ => {
                for (index, name) in self.names(ty).into_iter().enumerate() {
                    let index = index as u32;
                    let key = CarryKey { part: Some(Name::new(&part_path(key, &name))), ..key };
                    let at = at + self.layouts.field_offset(ty, index);
                    let declared = self.declared(key, (ty, index), None);
                    self.field_start(key, declared, At { ty: self.layouts.field_ty(ty, index), at }, found)?;
                }
                Some(())
            }
        }
    }

    /// The names of the fields of a struct, the numbers of those of a tuple.
    pub(super) fn names(&self, ty: Ty) -> Vec<String> {
        match ty.kind() {
            TyKind::Struct(..) => {
                let fields = self.checked.structs.get(&ty).map(|definition| &definition.fields);
                fields.into_iter().flatten().map(|field| field.name.to_string()).collect()
            }
            TyKind::Tuple(parts) => (0..parts.len()).map(|index| index.to_string()).collect(),
            _ => Vec::new(),
        }
    }

    /// What is declared for a part: for the field that it is, or for the one whose tuple it lies in.
    fn declared(&self, key: CarryKey, (ty, index): (Ty, u32), above: Option<Declared<'a>>) -> Option<Declared<'a>> {
        if matches!(ty.kind(), TyKind::Tuple(_)) {
            return above.map(|of| Declared { from: of.from + self.layouts.field_offset(ty, index), ..of });
        }
        let field = self.checked.structs.get(&ty)?.fields.get(index as usize)?;
        let body = self.declared_first(ty, field).or(field.default.as_deref());
        Some(Declared { body: body?, from: 0, key })
    }

    /// The literal default that a field had in the first version with it that the loop could not follow: all other values
    /// have got that.
    fn declared_first(&self, ty: Ty, field: &FieldDef) -> Option<&'a hir::Body> {
        let fields = |checked: &'a Checked| checked.structs.get(&ty).map(|known| &known.fields);
        let same = |known: &&FieldDef| known.name == field.name && known.ty == field.ty;
        let first = self.missed.iter().find_map(|(_, checked, _)| fields(checked)?.iter().find(same))?;
        first.default.as_deref().filter(|body| is_literal(&body.value))
    }

    /// The old value of a part.
    pub(super) fn have(&self, key: CarryKey) -> Option<&'a CarriedValue> {
        Some(&self.state.values[self.old(key)?])
    }

    /// The number of the old value that a local or a part goes on from. Its field or one around it may be known by another
    /// name: as the versions compare, or (in code that is older than the running version) as it has ever been called.
    pub fn old(&self, key: CarryKey) -> Option<usize> {
        let same = || self.state.values.iter().position(|have| have.key == key);
        self.renamed(key, false).or_else(same).or_else(|| self.renamed(key, true))
    }

    fn renamed(&self, key: CarryKey, ever: bool) -> Option<usize> {
        let steps = self.steps(key, ever)?;
        let is_old = |have: &CarriedValue| {
            whole_of(have.key) == whole_of(key) && have.key.part.is_some_and(|part| leads(&steps, part, true))
        };
        self.state.values.iter().position(is_old)
    }

    /// Has the old code this part of a local, or something in it?
    pub(super) fn is_known(&self, key: CarryKey) -> bool {
        if key.part.is_none() {
            return self.state.values.iter().any(|have| whole_of(have.key) == key);
        }
        let has = |steps: Vec<Vec<Name>>| {
            let mut all = self.state.values.iter().filter(|have| whole_of(have.key) == whole_of(key));
            all.any(|have| have.key.part.is_some_and(|part| leads(&steps, part, false)))
        };
        [false, true].into_iter().any(|ever| self.steps(key, ever).is_some_and(has))
    }

    /// The names that the fields on the way to a part have in the old code; nothing if one of them is new.
    pub(super) fn steps(&self, key: CarryKey, ever: bool) -> Option<Vec<Vec<Name>>> {
        let mut ty = self.type_of(key)?;
        let mut names = Vec::new();
        for name in key.part?.as_str().split('.') {
            names.push(if ever { self.ever(ty, name) } else { vec![self.before(ty, name)?] });
            ty = self.field(ty, Name::new(name))?.1;
        }
        Some(names)
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

    /// The parts of the old value that become parts of the new one, or of a parked field of it.
    pub fn pieces(&self, want: &CarriedValue) -> Vec<Piece<'a>> {
        let found = parts(self.state, want).filter_map(|(have, part)| {
            let goes_on = self.after(want.ty, part.as_str()).map(|(at, ty)| Piece { have, at, ty, parked: None });
            goes_on.or_else(|| self.parked(want.ty, have, part)).filter(|piece| (self.can_become)(have.ty, piece.ty))
        });
        // A name of its own goes before the one that a field had.
        let mut found: Vec<Piece<'a>> = found.collect();
        let is_named = |have: &CarriedValue| have.key.part.is_some_and(|part| self.is_named(want.ty, part));
        found.sort_by_key(|piece| (piece.at, !is_named(piece.have)));
        found.dedup_by_key(|piece| piece.at);
        found
    }

    /// Where a value lies that the new text has no field for: it is there if the field comes back.
    fn parked(&self, ty: Ty, have: &'a CarriedValue, path: Name) -> Option<Piece<'a>> {
        let (mut at, mut of) = (0, ty);
        let mut steps = path.as_str().split('.');
        while let Some(step) = steps.next() {
            if let Some((offset, ty)) = self.field(of, Name::new(step)) {
                (at, of) = (at + offset, ty);
                continue;
            }
            let parked = self.layouts.parked(of, 0);
            let field = parked.iter().find(|field| field.name.as_str() == step && field.then.0.is_none())?;
            let rest = steps.collect::<Vec<&str>>().join(".");
            let inside = if rest.is_empty() { Some((0, field.ty)) } else { self.field(field.ty, Name::new(&rest)) };
            let (offset, ty) = inside?;
            let parked = Some((of, None, field.name, field.ty));
            return Some(Piece { have, at: at + field.offset + offset, ty, parked });
        }
        None
    }

    /// Do the fields of this path have these names now?
    fn is_named(&self, ty: Ty, path: Name) -> bool {
        let mut ty = ty;
        path.as_str().split('.').all(|name| {
            let exists = self
                .checked
                .structs
                .get(&ty)
                .is_none_or(|definition| definition.fields.iter().any(|field| field.name.as_str() == name));
            ty = self.field(ty, Name::new(name)).map_or(ty, |(_, ty)| ty);
            exists
        })
    }

    /// The type of the local that a part belongs to.
    fn whole_type(&self, want: &CarriedValue) -> Ty {
        self.type_of(want.key).unwrap_or(want.ty)
    }

    pub(super) fn type_of(&self, key: CarryKey) -> Option<Ty> {
        if self.only.is_some() {
            return self.only;
        }
        local_of(self.body, key).map(|local| self.body.locals[local].ty)
    }

    /// Where what a path of fields leads to lies, and its type.
    pub fn field(&self, ty: Ty, path: Name) -> Option<(u32, Ty)> {
        path.as_str().split('.').try_fold((0, ty), |(offset, ty), name| {
            let index = self.index(ty, name)?;
            Some((offset + self.layouts.field_offset(ty, index), self.layouts.field_ty(ty, index)))
        })
    }

    /// The number of a field.
    fn index(&self, ty: Ty, name: &str) -> Option<u32> {
        match ty.kind() {
            TyKind::Struct(..) => {
                let definition = self.checked.structs.get(&ty)?;
                Some(definition.fields.iter().position(|field| field.name.as_str() == name)? as u32)
            }
            TyKind::Tuple(parts) => name.parse().ok().filter(|index| (*index as usize) < parts.len()),
            _ => None,
        }
    }
}

/// Why a value cannot be had.
pub(super) fn unknown(want: &CarriedValue) -> String {
    format!("`{}` is new, and there is no value for it to start with: declare a default", want.key)
}

/// Does a path of the old code lead to a part or, unless it is to be `all` of the way, into it?
pub(super) fn leads(steps: &[Vec<Name>], part: Name, all: bool) -> bool {
    let mut old = part.as_str().split('.');
    let same = |names: &Vec<Name>| old.next().is_some_and(|old| names.iter().any(|name| name.as_str() == old));
    steps.iter().all(same) && (!all || old.next().is_none())
}

pub(super) fn part_path(key: CarryKey, name: &str) -> String {
    key.part.map_or_else(|| name.to_owned(), |above| format!("{above}.{name}"))
}
