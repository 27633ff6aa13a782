//! Locals of running loops that get another type: numbers, texts into longer arrays, collections of what can be converted,
//! into an `Option` and out of it. As values of globals are converted, but on the program's own thread, one frame at a time.
//! What the old value has nothing for starts as the new value declared for the local does.

use vaisjit_codegen::layout::lineage::followed;
use vaisjit_codegen::layout::{KnownField, KnownLayout, TypeLayouts, constant};
use vaisjit_semantics::{Checked, Ty, TyKind, hir};
use vaisjit_syntax::Name;

use crate::code::Making;
use crate::heap::TypeRef;
use crate::heap::migrate::Scalar;
use crate::program::is_literal;
use crate::reload::migrate::known::{Known, option_of};

/// How deep types are looked into: some go on for ever.
const DEEPEST: usize = 16;

/// How the bytes of one type become those of another. What the new value refers to it owns.
pub(super) enum Conversion {
    /// A number.
    Number(Scalar, Scalar),
    /// So many bytes of the same type; what that is if they refer to anything.
    Same(usize, Option<TypeRef>),
    /// So many elements of this kind, each so many bytes after the one before, there and here, and what the others start with.
    Row { count: usize, strides: (usize, usize), of: Box<Conversion>, rest: Vec<(usize, Missing)> },
    /// Parts, each with where it lies there and here, and what has no counterpart there.
    Parts { parts: Vec<(usize, usize, Conversion)>, rest: Vec<(usize, Missing)> },
    /// The payloads of variants, by the numbers of these, and the size here.
    Choice { size: usize, variants: Vec<(i64, i64, Conversion)> },
    /// It becomes the payload of a variant.
    Wrapped { size: usize, number: i64, at: usize, of: Box<Conversion> },
    /// The payload of a variant; else it starts afresh.
    Unwrapped { number: i64, at: usize, of: Box<Conversion>, none: Missing },
    /// A new `Vec` of this type, and the sizes of an element there and here.
    List { of: Option<TypeRef>, sizes: (usize, usize), element: Box<Conversion> },
    /// It goes into a new `Box` of this type; the size of what is in it.
    Boxed { of: Option<TypeRef>, size: usize, value: Box<Conversion> },
    /// It comes out of a `Box`, where it has this size.
    Unboxed { size: usize, value: Box<Conversion> },
    /// A new `Box` of this type, and the sizes of the value there and here.
    OtherBox { of: Option<TypeRef>, sizes: (usize, usize), value: Box<Conversion> },
    /// A new `HashMap` of this type, the sizes of keys and values here.
    Map { of: Option<TypeRef>, sizes: (usize, usize), entry: Box<(Conversion, Conversion)> },
}

/// What a part starts with that the old value does not have, unless something is declared for it.
pub(super) enum Missing {
    Bytes(Vec<u8>),
    /// A new empty collection of this type.
    Empty(Option<TypeRef>),
    /// What its parts start with, each with where it lies; some are collections.
    Parts(Vec<(usize, Missing)>),
}

/// What is known of the types.
pub(super) struct Types<'a> {
    /// From the new version on, also of those that are gone.
    pub known: &'a Known,
    pub layouts: &'a TypeLayouts,
    /// The heap's record of a type whose values refer to something; nothing where none is to be made.
    pub record: &'a dyn Fn(Ty) -> Option<TypeRef>,
    /// What is declared for a field of a struct.
    pub declared: &'a dyn Fn(Ty, Name) -> Declared,
}

/// What a field starts with by its declaration.
pub(super) enum Declared {
    /// Nothing is declared.
    Nothing,
    /// A literal: its bytes, or none of them where only that is asked.
    Literal(Vec<u8>),
    /// Something that only the program could compute.
    Computed,
}

/// What is declared for a field, the literals as `bytes` makes them.
pub(super) fn declared(
    checked: &Checked,
    (ty, name): (Ty, Name),
    bytes: impl FnOnce(&hir::Expr) -> Option<Vec<u8>>,
) -> Declared {
    let fields = checked.structs.get(&ty).into_iter().flat_map(|known| &known.fields);
    match fields.filter(|field| field.name == name).find_map(|field| field.default.as_deref()) {
        None => Declared::Nothing,
        Some(body) if is_literal(&body.value) => bytes(&body.value).map_or(Declared::Computed, Declared::Literal),
        Some(_) => Declared::Computed,
    }
}

type Found = Option<Conversion>;

impl Types<'_> {
    /// How values of one type become those of another; `None` if they have no meaning there.
    pub fn between(&self, from: Ty, to: Ty) -> Found {
        self.at(from, to, DEEPEST)
    }

    fn at(&self, from: Ty, to: Ty, deep: usize) -> Found {
        let deep = deep.checked_sub(1)?;
        if from == to {
            return Some(Conversion::Same(self.size(to), (self.record)(to)));
        }
        if let (Some(from), Some(to)) = (Scalar::of(from), Scalar::of(to)) {
            return Some(Conversion::Number(from, to));
        }
        let found = match (from.kind(), to.kind()) {
            (TyKind::Array(a, n), TyKind::Array(b, m)) => self.row((*a, *n), (*b, *m), deep),
            (TyKind::Tuple(a), TyKind::Tuple(b)) => {
                let (a, b): (Vec<Ty>, Vec<Ty>) = (a.iter().copied().collect(), b.iter().copied().collect());
                self.tuple(&a, &b, deep)
            }
            (TyKind::Struct(a, _), TyKind::Struct(b, _)) if a == b => {
                self.instances(from, to, deep).or_else(|| self.by_names(from, to, deep))
            }
            (TyKind::Struct(..), TyKind::Struct(..)) => self.by_names(from, to, deep),
            (TyKind::Enum(a, _), TyKind::Enum(b, _)) if a == b => self.instances(from, to, deep),
            (TyKind::Vec(a), TyKind::Vec(b)) => self.at(*a, *b, deep).map(|element| Conversion::List {
                of: (self.record)(to),
                sizes: (self.size(*a), self.size(*b)),
                element: Box::new(element),
            }),
            (TyKind::HashMap(a, x), TyKind::HashMap(b, y)) => {
                let entry = self.at(*a, *b, deep).zip(self.at(*x, *y, deep));
                let sizes = (self.size(*b), self.size(*y));
                entry.map(|entry| Conversion::Map { of: (self.record)(to), sizes, entry: Box::new(entry) })
            }
            (TyKind::Box(a), TyKind::Box(b)) => self.at(*a, *b, deep).map(|value| Conversion::OtherBox {
                of: (self.record)(to),
                sizes: (self.size(*a), self.size(*b)),
                value: Box::new(value),
            }),
            _ => None,
        };
        let wraps = || self.wrapped(from, to, deep).or_else(|| self.unwrapped(from, to, deep));
        found.or_else(wraps).or_else(|| self.boxed(from, to, deep))
    }

    /// Into a `Box`, or out of one.
    fn boxed(&self, from: Ty, to: Ty, deep: usize) -> Found {
        match (from.kind(), to.kind()) {
            (_, TyKind::Box(of)) => self.at(from, *of, deep).map(|value| Conversion::Boxed {
                of: (self.record)(to),
                size: self.size(*of),
                value: Box::new(value),
            }),
            (TyKind::Box(of), _) => {
                let value = self.at(*of, to, deep)?;
                Some(Conversion::Unboxed { size: self.size(*of), value: Box::new(value) })
            }
            _ => None,
        }
    }

    fn size(&self, ty: Ty) -> usize {
        self.known.size(ty)
    }

    fn row(&self, (a, n): (Ty, u64), (b, m): (Ty, u64), deep: usize) -> Found {
        let of = Box::new(self.at(a, b, deep)?);
        let strides = (self.size(a), self.size(b));
        let count = usize::try_from(n.min(m)).ok()?;
        let mut rest = Vec::new();
        for index in count..usize::try_from(m).ok()? {
            rest.push((index * strides.1, self.missing(b)?));
        }
        Some(Conversion::Row { count, strides, of, rest })
    }

    fn tuple(&self, a: &[Ty], b: &[Ty], deep: usize) -> Found {
        let (before, after) = (self.known.tuple(a.iter().copied()).1, self.known.tuple(b.iter().copied()).1);
        let (mut parts, mut rest) = (Vec::new(), Vec::new());
        for (index, to) in b.iter().enumerate() {
            match a.get(index) {
                Some(from) => {
                    parts.push((before[index] as usize, after[index] as usize, self.at(*from, *to, deep)?));
                }
                None => rest.push((after[index] as usize, self.missing(*to)?)),
            }
        }
        Some(Conversion::Parts { parts, rest })
    }

    /// Two structs of other names, or of which not all goes on: their fields by their names, at least one of which goes on.
    fn by_names(&self, from: Ty, to: Ty, deep: usize) -> Found {
        let (old, new) = (self.of(from)?, self.of(to)?);
        let (mut parts, mut rest) = (Vec::new(), Vec::new());
        for (field, source) in new.fields().iter().zip(self.sources(&old, &new, deep)) {
            match source {
                Some((offset, part)) => parts.push((offset, field.offset as usize, part)),
                None => rest.push((field.offset as usize, self.start_of(to, field)?)),
            }
        }
        (!parts.is_empty()).then_some(Conversion::Parts { parts, rest })
    }

    /// By field of a struct: where what it is made of lies in one of another name, and how.
    fn sources(&self, old: &KnownLayout, new: &KnownLayout, deep: usize) -> Vec<Option<(usize, Conversion)>> {
        let Some((old, new)) = old.variants.first().zip(new.variants.first()) else { return Vec::new() };
        let found = followed(old, new, false).into_iter().zip(&new.fields);
        let source = |(source, field): (Option<usize>, &KnownField)| {
            let source = &old.fields[source?];
            Some((source.offset as usize, self.at(source.ty, field.ty, deep)?))
        };
        found.map(source).collect()
    }

    /// The fields of a struct of which nothing goes on in another one, and those of that one that start from nothing, as only
    /// the program could compute what is declared for them.
    pub fn differing(&self, from: Ty, to: Ty) -> (Vec<Name>, Vec<Name>) {
        let (Some(old), Some(new)) = (self.of(from), self.of(to)) else { return Default::default() };
        let sources = self.sources(&old, &new, DEEPEST);
        let kept = |field: &KnownField| sources.iter().flatten().any(|(offset, _)| *offset == field.offset as usize);
        let dropped = old.fields().iter().filter(|field| field.size > 0 && !kept(field)).map(|field| field.name);
        let computed = |field: &KnownField| matches!((self.declared)(to, field.name), Declared::Computed);
        let started = new.fields().iter().zip(&sources).filter(|(field, source)| source.is_none() && computed(field));
        (dropped.collect(), started.map(|(field, _)| field.name).collect())
    }

    /// What a field of a struct starts with.
    fn start_of(&self, of: Ty, field: &KnownField) -> Option<Missing> {
        match (&field.fill.0, (self.declared)(of, field.name)) {
            (_, Declared::Literal(bytes)) => Some(Missing::Bytes(bytes)),
            (Some(fill), _) => Some(Missing::Bytes(fill.to_vec())),
            (None, Declared::Computed | Declared::Nothing) => self.missing(field.ty),
        }
    }

    /// Two instances of a generic type.
    fn instances(&self, from: Ty, to: Ty, deep: usize) -> Found {
        let (old, new) = (self.of(from)?, self.of(to)?);
        let fields = |before: &[KnownField], after: &[KnownField]| {
            let same = before.len() == after.len() && before.iter().zip(after).all(|(a, b)| a.name == b.name);
            let pairs = before.iter().zip(after);
            let part = |(a, b): (&KnownField, &KnownField)| {
                Some((a.offset as usize, b.offset as usize, self.at(a.ty, b.ty, deep)?))
            };
            let parts = same.then(|| pairs.map(part).collect::<Option<Vec<_>>>()).flatten()?;
            Some(Conversion::Parts { parts, rest: Vec::new() })
        };
        if matches!(to.kind(), TyKind::Struct(..)) {
            return fields(old.fields(), new.fields());
        }
        let declared = old.variants.iter().filter(|variant| variant.declared);
        let variants = declared.map(|before| {
            let after = new.variants.iter().find(|after| after.declared && after.name == before.name)?;
            Some((before.discriminant, after.discriminant, fields(&before.fields, &after.fields)?))
        });
        let size = self.size(to);
        variants.collect::<Option<Vec<_>>>().map(|variants| Conversion::Choice { size, variants })
    }

    fn of(&self, ty: Ty) -> Option<KnownLayout> {
        self.known.get(ty).map(|known| KnownLayout::clone(known)).or_else(|| self.layouts.known(ty))
    }

    fn wrapped(&self, from: Ty, to: Ty, deep: usize) -> Found {
        let (number, inner) = option_of(self.known, to)?;
        let of = Box::new(self.at(from, inner.ty, deep)?);
        Some(Conversion::Wrapped { size: self.size(to), number, at: inner.offset as usize, of })
    }

    fn unwrapped(&self, from: Ty, to: Ty, deep: usize) -> Found {
        let (number, inner) = option_of(self.known, from)?;
        let of = Box::new(self.at(inner.ty, to, deep)?);
        Some(Conversion::Unwrapped { number, at: inner.offset as usize, of, none: self.missing(to)? })
    }

    /// What a value of a type starts with; `None` if nothing is known.
    fn missing(&self, ty: Ty) -> Option<Missing> {
        match ty.kind() {
            TyKind::Vec(_) | TyKind::HashMap(..) => Some(Missing::Empty((self.record)(ty))),
            _ if self.has_zero(ty) => {
                let mut bytes = constant::zero(ty, self.layouts)?;
                self.fill(ty, &mut bytes);
                Some(Missing::Bytes(bytes))
            }
            TyKind::Tuple(parts) => {
                let places = self.known.tuple(parts.iter().copied()).1;
                let parts = parts.iter().zip(places).map(|(part, at)| Some((at as usize, self.missing(*part)?)));
                parts.collect::<Option<_>>().map(Missing::Parts)
            }
            TyKind::Struct(..) => {
                let known = self.of(ty)?;
                let fields = known.fields().iter();
                let parts = fields.map(|field| Some((field.offset as usize, self.start_of(ty, field)?)));
                parts.collect::<Option<_>>().map(Missing::Parts)
            }
            _ => None,
        }
    }

    /// Puts in what is declared for the fields of structs, where that is a constant.
    fn fill(&self, ty: Ty, bytes: &mut [u8]) {
        match *ty.kind() {
            TyKind::Array(of, _) => {
                bytes.chunks_mut(self.size(of).max(1)).for_each(|bytes| self.fill(of, bytes));
            }
            TyKind::Tuple(parts) => {
                let places = self.known.tuple(parts.iter().copied()).1;
                parts.iter().zip(places).for_each(|(part, at)| self.fill(*part, &mut bytes[at as usize..]));
            }
            TyKind::Struct(..) => {
                for field in self.of(ty).iter().flat_map(|known| known.fields()) {
                    let bytes = &mut bytes[field.offset as usize..(field.offset + field.size) as usize];
                    match (&field.fill.0, (self.declared)(ty, field.name)) {
                        (_, Declared::Literal(fill)) => bytes[..fill.len()].copy_from_slice(&fill),
                        (Some(fill), _) => bytes[..fill.len()].copy_from_slice(fill),
                        _ => self.fill(field.ty, bytes),
                    }
                }
            }
            _ => {}
        }
    }

    /// Is there nothing in it that cannot be all zero, or that nothing is known of?
    fn has_zero(&self, ty: Ty) -> bool {
        match *ty.kind() {
            TyKind::Array(of, _) => self.has_zero(of),
            TyKind::Tuple(parts) => parts.iter().all(|part| self.has_zero(*part)),
            TyKind::Struct(..) => {
                let starts = |field: &KnownField| match (self.declared)(ty, field.name) {
                    Declared::Literal(_) => true,
                    Declared::Computed | Declared::Nothing => field.fill.0.is_some() || self.has_zero(field.ty),
                };
                self.of(ty).is_some_and(|known| known.fields().iter().all(starts))
            }
            TyKind::Enum(..) => true,
            _ => Scalar::of(ty).is_some() || ty == Ty::str() || matches!(ty.kind(), TyKind::Pointer(_)),
        }
    }
}

impl Conversion {
    /// Writes what the old value has over a new one, which is zero, or has been `declared`.
    pub fn write(&self, making: &Making<'_>, old: &[u8], new: &mut [u8], declared: bool) {
        match self {
            Conversion::Number(from, to) => {
                let mut bits = [0; 16];
                bits[..from.size()].copy_from_slice(&old[..from.size()]);
                let (bits, _) = from.convert(u128::from_le_bytes(bits), *to);
                new[..to.size()].copy_from_slice(&bits.to_le_bytes()[..to.size()]);
            }
            Conversion::Same(size, of) => {
                new[..*size].copy_from_slice(&old[..*size]);
                of.iter().for_each(|of| making.keep(new, *of));
            }
            Conversion::Row { count, strides: (there, here), of, rest } => {
                (0..*count)
                    .for_each(|index| of.write(making, &old[index * there..], &mut new[index * here..], declared));
                start(rest, making, new, declared);
            }
            Conversion::Parts { parts, rest } => {
                for (there, here, part) in parts {
                    part.write(making, &old[*there..], &mut new[*here..], declared);
                }
                start(rest, making, new, declared);
            }
            Conversion::Choice { size, variants } => {
                let number = number(old);
                if let Some((_, to, payload)) = variants.iter().find(|(from, ..)| *from == number) {
                    let declared = declared_as(*to, &mut new[..*size], declared);
                    payload.write(making, old, new, declared);
                }
            }
            Conversion::Wrapped { size, number, at, of } => {
                let declared = declared_as(*number, &mut new[..*size], declared);
                of.write(making, old, &mut new[*at..], declared);
            }
            Conversion::Unwrapped { number: some, at, of, none } => match number(old) == *some {
                true => of.write(making, &old[*at..], new, declared),
                false => none.write(making, new, declared),
            },
            Conversion::List { of, sizes, element } => {
                let element = |old: &[u8], new: &mut [u8]| element.write(making, old, new, false);
                of.iter().for_each(|of| making.list((old, new), *of, *sizes, &element));
            }
            Conversion::Boxed { of, size, value } => {
                let inside = |new: &mut [u8]| value.write(making, old, new, false);
                of.iter().for_each(|of| making.put_in(new, *of, *size, &inside));
            }
            Conversion::Unboxed { size, value } => {
                making.look_into(old, *size, &mut |old| value.write(making, old, new, false));
            }
            Conversion::OtherBox { of, sizes, value } => {
                let inside = |old: &[u8], new: &mut [u8]| value.write(making, old, new, false);
                of.iter().for_each(|of| making.other_box((old, new), *of, *sizes, &inside));
            }
            Conversion::Map { of, sizes, entry } => {
                let key = |old: &[u8], new: &mut [u8]| entry.0.write(making, old, new, false);
                let value = |old: &[u8], new: &mut [u8]| entry.1.write(making, old, new, false);
                of.iter().for_each(|of| making.map((old, new), *of, *sizes, (&key, &value)));
            }
        }
    }
}

/// The number of a value's variant.
fn number(value: &[u8]) -> i64 {
    value.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes))
}

/// Makes it a value of this variant. Is what has been declared for it one, too?
fn declared_as(variant: i64, new: &mut [u8], declared: bool) -> bool {
    let is_it = declared && number(new) == variant;
    if !is_it {
        new[8..].fill(0);
        new[..8].copy_from_slice(&variant.to_le_bytes());
    }
    is_it
}

fn start(rest: &[(usize, Missing)], making: &Making<'_>, new: &mut [u8], declared: bool) {
    rest.iter().for_each(|(at, missing)| missing.write(making, &mut new[*at..], declared));
}

impl Missing {
    fn write(&self, making: &Making<'_>, new: &mut [u8], declared: bool) {
        match self {
            _ if declared => {}
            Missing::Bytes(bytes) => new[..bytes.len()].copy_from_slice(bytes),
            Missing::Empty(of) => of.iter().for_each(|of| making.empty(new, *of)),
            Missing::Parts(parts) => start(parts, making, new, declared),
        }
    }
}
