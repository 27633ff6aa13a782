//! What a field starts with that its value cannot be taken from: the declared default, else the value of its type that means
//! nothing: 0, `""`, empty, `None`, an enum's first variant without payload.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vaisjit_codegen::layout::{KnownLayout, KnownVariant};
use vaisjit_semantics::{Instance, Ty, TyKind};
use vaisjit_syntax::Name;

use super::known::Known;
use crate::heap::migrate::{Op, PartOf, References};

/// A declared default.
#[derive(Clone, Debug)]
pub(crate) enum Declared {
    /// It is made of literals: its bytes in the new layout.
    Bytes(Arc<[u8]>),
    /// It has to be computed by this function without parameters.
    Computed(Instance),
}

/// A part of a declared default.
#[derive(Clone, Copy)]
pub(super) struct DeclaredPart<'a> {
    pub declared: &'a Declared,
    /// The type it is declared for.
    pub whole: Ty,
    /// Where the part lies in a value of that.
    pub from: u32,
}

/// A field: its type, its variant in an enum, its name.
pub(crate) type FieldKey = (Ty, Option<Name>, Name);

/// What the new version says of fields besides their types.
#[derive(Default)]
pub(crate) struct Declarations {
    /// Declared defaults.
    pub defaults: FxHashMap<FieldKey, Declared>,
    /// The first variant without payload of each enum, as declared: the layout keeps the order of the first version.
    pub empty: FxHashMap<Ty, Name>,
}

/// A value that the trial has to prepare, one for each instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// An empty `Vec` or `HashMap` of this type, or a `Box` of zeros.
    Empty(Ty),
    /// What this function gives, of this type.
    Computed(Instance, Ty),
}

impl Wanted {
    /// The type of the value.
    pub fn ty(&self) -> Ty {
        let (Wanted::Empty(ty) | Wanted::Computed(_, ty)) = self;
        *ty
    }
}

/// Makes the steps that give a value its default.
pub(super) struct Defaults<'a> {
    pub new: &'a Known,
    pub declarations: &'a Declarations,
    pub queues: &'a mut Vec<Wanted>,
}

impl Defaults<'_> {
    /// The default of a field.
    pub fn field(&mut self, key: FieldKey, ty: Ty, to: u32, ops: &mut Vec<Op>) -> Result<(), Ty> {
        self.declared(self.declarations.defaults.get(&key).cloned().as_ref(), ty, to, ops)
    }

    /// What is declared, else the default of the type.
    pub fn declared(&mut self, declared: Option<&Declared>, ty: Ty, to: u32, ops: &mut Vec<Op>) -> Result<(), Ty> {
        match declared {
            Some(Declared::Bytes(bytes)) => ops.push(Op::Fill { to, bytes: bytes.clone() }),
            Some(Declared::Computed(instance)) => self.next(Wanted::Computed(*instance, ty), ty, to, ops),
            None => return self.value(ty, to, ops),
        }
        Ok(())
    }

    /// The default of a type; an error names the type that has none.
    pub fn value(&mut self, ty: Ty, to: u32, ops: &mut Vec<Op>) -> Result<(), Ty> {
        let bytes = self.new.layout(ty).size;
        match *ty.kind() {
            TyKind::Int(_) | TyKind::Float(_) | TyKind::Bool | TyKind::Str | TyKind::Pointer(_) | TyKind::Slice(_) => {
                zero(to, bytes, ops);
            }
            TyKind::Unit | TyKind::Never => {}
            TyKind::Vec(_) | TyKind::HashMap(..) => self.next(Wanted::Empty(ty), ty, to, ops),
            TyKind::Array(of, count) => {
                let mut element = Vec::new();
                self.value(of, 0, &mut element)?;
                let stride = self.new.layout(of).size;
                if element.iter().all(|op| matches!(op, Op::Zero { .. })) {
                    zero(to, bytes, ops);
                } else {
                    let count = u32::try_from(count).unwrap_or(u32::MAX);
                    ops.push(Op::Each { from: 0, to, from_stride: 0, to_stride: stride, count, ops: element });
                }
            }
            TyKind::Tuple(parts) => {
                let offsets = self.new.tuple(parts.iter().copied()).1;
                for (part, offset) in parts.iter().zip(offsets) {
                    self.value(*part, to + offset, ops)?;
                }
            }
            TyKind::Struct(..) => {
                let known = self.new.get(ty).cloned().ok_or(ty)?;
                zero(to, bytes, ops);
                for field in known.fields() {
                    self.field((ty, None, field.name), field.ty, to + field.offset, ops)?;
                }
            }
            TyKind::Enum(..) => {
                let known = self.new.get(ty).cloned();
                let name = self.declarations.empty.get(&ty).copied();
                let discriminant = known.as_ref().and_then(|known| first_empty(known, name)).ok_or(ty)?;
                zero(to, bytes, ops);
                ops.push(Op::Fill { to, bytes: Arc::from(discriminant.to_le_bytes()) });
            }
            _ => return Err(ty),
        }
        Ok(())
    }

    fn next(&mut self, wanted: Wanted, ty: Ty, to: u32, ops: &mut Vec<Op>) {
        let queue = queue(self.queues, wanted);
        ops.push(Op::Next { to, bytes: self.new.layout(ty).size, queue, part: None });
    }

    /// A part of what is declared: so many bytes from an offset on.
    pub fn part_of(&mut self, of: &DeclaredPart<'_>, bytes: u32, to: u32) -> Option<Op> {
        let (start, end) = (of.from, of.from + bytes);
        match of.declared {
            Declared::Computed(instance) if bytes == self.new.layout(of.whole).size => {
                let queue = queue(self.queues, Wanted::Computed(*instance, of.whole));
                Some(Op::Next { to, bytes, queue, part: None })
            }
            Declared::Bytes(all) => Some(Op::Fill { to, bytes: all.get(start as usize..end as usize)?.into() }),
            Declared::Computed(instance) => {
                let shape = |ty: Ty| self.new.shape(ty);
                let references = References::of(&shape(of.whole), &shape).split((start, end));
                let queue = queue(self.queues, Wanted::Computed(*instance, of.whole));
                let part = Some(PartOf { from: start, size: self.new.layout(of.whole).size, references });
                Some(Op::Next { to, bytes, queue, part })
            }
        }
    }
}

/// The number of the queue of such values.
pub(super) fn queue(queues: &mut Vec<Wanted>, wanted: Wanted) -> u32 {
    let known = queues.iter().position(|queue| *queue == wanted);
    let found = known.unwrap_or_else(|| {
        queues.push(wanted);
        queues.len() - 1
    });
    found as u32
}

/// The number of the variant with this name; of an enum of the library, its first variant without payload.
fn first_empty(known: &KnownLayout, name: Option<Name>) -> Option<i64> {
    let mut declared = known.variants.iter().filter(|variant| variant.declared);
    let wanted = |variant: &&KnownVariant| variant.fields.is_empty() && (name.is_none() || variant.name == name);
    declared.find(wanted).map(|variant| variant.discriminant)
}

pub(super) fn zero(to: u32, bytes: u32, ops: &mut Vec<Op>) {
    match bytes {
        0 => {}
        8 => ops.push(Op::Fill { to, bytes: Arc::from([0; 8]) }),
        _ => ops.push(Op::Zero { to, bytes }),
    }
}
