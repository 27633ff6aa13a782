//! Where the parts of a value lie in another type or layout, and which words of a value may lead elsewhere.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::layout::lineage;
use vaisjit_codegen::layout::{KnownField, KnownVariant};
use vaisjit_semantics::{Ty, TyKind};

use super::known::Known;
use super::known::option_of;
use super::plan::{Planner, follow_variant};
use crate::heap::migrate::moves::discriminant;
use crate::heap::migrate::{Word, WordPart};

/// A part of a value before a conversion that something points at.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// Where the value lies.
    pub at: usize,
    /// Bytes from the start of the value to the part.
    pub offset: usize,
    /// What the pointer says is there.
    pub pointee: Ty,
}

impl Planner {
    /// Where a part of a value of one type lies in the value of another that it becomes; none if it is gone.
    pub(super) fn offset_after(&self, (old, new): (Ty, Ty), part: Part) -> Option<usize> {
        let Part { at, offset, pointee } = part;
        if offset == 0 && old == pointee {
            return if old == new { Some(0) } else { self.taken_in(at, (old, new)) };
        }
        let found = self.inside(at, offset, (old, new), pointee);
        // What points at the start and says nothing of its type may mean the whole.
        found.or_else(|| (offset == 0 && !self.starts_with(old, pointee)).then_some(0))
    }

    /// Where a whole value lies in an option that takes it in.
    fn taken_in(&self, at: usize, (old, new): (Ty, Ty)) -> Option<usize> {
        let payload = option_of(&self.new, new)?.1;
        Some(payload.offset as usize + self.part((at, 0), (old, payload.ty), old)?)
    }

    /// Is a value of one type, or the part at its start, of the other?
    fn starts_with(&self, ty: Ty, wanted: Ty) -> bool {
        let first =
            |fields: &[KnownField]| fields.iter().any(|field| field.offset == 0 && self.starts_with(field.ty, wanted));
        ty == wanted
            || match *ty.kind() {
                TyKind::Struct(..) => self.old.get(ty).is_some_and(|known| first(known.fields())),
                TyKind::Tuple(parts) => parts.first().is_some_and(|part| self.starts_with(*part, wanted)),
                TyKind::Array(of, _) => self.starts_with(of, wanted),
                _ => false,
            }
    }

    /// Has a value of one type parts that the value of another that it becomes has not, or has as something else?
    pub(super) fn drops_part(&self, (old, new): (Ty, Ty)) -> bool {
        match (old.kind(), new.kind()) {
            (TyKind::Struct(..), TyKind::Struct(..)) if old == new => {
                let only = |known: &Known| known.get(old).and_then(|known| known.variants.first().cloned());
                let both = only(&self.old).zip(only(&self.new));
                both.is_some_and(|(before, after)| self.drops_fields(&before, &after))
            }
            (TyKind::Enum(..), TyKind::Enum(..)) if old == new => {
                let (Some(before), Some(after)) = (self.old.get(old), self.new.get(new)) else { return false };
                before.variants.iter().filter(|variant| variant.declared).any(|variant| {
                    follow_variant(variant, after, true).is_none_or(|after| self.drops_fields(variant, after))
                })
            }
            (TyKind::Tuple(a), TyKind::Tuple(b)) => {
                a.len() > b.len() || a.iter().zip(b.iter()).any(|(a, b)| self.drops_part((*a, *b)))
            }
            (TyKind::Array(a, n), TyKind::Array(b, m)) => n > m || self.drops_part((*a, *b)),
            _ => old != new,
        }
    }

    /// Is what lies at an offset of a value of one type, which stays where it lies, gone in the value of another that it
    /// becomes, or something else? What may mean the whole is not.
    pub(super) fn is_dropped(&self, at: usize, types: (Ty, Ty), offset: usize) -> bool {
        offset != 0 && self.drops_at(at, types, offset)
    }

    fn drops_at(&self, at: usize, (old, new): (Ty, Ty), offset: usize) -> bool {
        let field = |before: &KnownVariant, after: &KnownVariant| {
            let holds = |field: &KnownField| (field.offset..field.offset + field.size).contains(&(offset as u32));
            let Some(index) = before.fields.iter().position(holds) else { return false };
            let (field, sources) = (&before.fields[index], lineage::followed(before, after, true));
            let start = field.offset as usize;
            let found = sources.iter().position(|source| *source == Some(index)).map(|place| after.fields[place].ty);
            found.is_none_or(|found| self.drops_at(at + start, (field.ty, found), offset - start))
        };
        match (old.kind(), new.kind()) {
            (TyKind::Struct(..), TyKind::Struct(..)) if old == new => {
                let both = self.old.get(old).zip(self.new.get(new));
                let both = both.and_then(|(before, after)| before.variants.first().zip(after.variants.first()));
                both.is_some_and(|(before, after)| field(before, after))
            }
            (TyKind::Enum(..), TyKind::Enum(..)) if old == new => {
                let (Some(before), Some(after)) = (self.old.get(old), self.new.get(new)) else { return false };
                let number = discriminant(at);
                let mut variants = before.variants.iter();
                let variant = variants.find(|variant| variant.declared && variant.discriminant == number);
                variant.is_some_and(|variant| {
                    offset != 0 && follow_variant(variant, after, true).is_none_or(|after| field(variant, after))
                })
            }
            (TyKind::Tuple(a), TyKind::Tuple(b)) => {
                let starts = self.old.tuple(a.iter().copied()).1;
                let Some(index) = starts.iter().rposition(|start| *start as usize <= offset) else { return false };
                let start = starts[index] as usize;
                b.get(index).is_none_or(|new| self.drops_at(at + start, (a[index], *new), offset - start))
            }
            (TyKind::Array(a, _), TyKind::Array(b, length)) => {
                let size = (self.old.layout(*a).size as usize).max(1);
                let (index, inner) = (offset / size, offset % size);
                index as u64 >= *length || self.drops_at(at + index * size, (*a, *b), inner)
            }
            _ => old != new,
        }
    }

    fn drops_fields(&self, before: &KnownVariant, after: &KnownVariant) -> bool {
        let sources = lineage::followed(before, after, true);
        let mut fields = before.fields.iter().enumerate();
        fields.any(|(index, field)| {
            let place = sources.iter().position(|source| *source == Some(index));
            place.is_none_or(|place| self.drops_part((field.ty, after.fields[place].ty)))
        })
    }

    fn inside(&self, at: usize, offset: usize, (old, new): (Ty, Ty), pointee: Ty) -> Option<usize> {
        match (old.kind(), new.kind()) {
            _ if offset == 0 && old == pointee && old == new => Some(0),
            (TyKind::Struct(..), TyKind::Struct(..)) => {
                let (before, after) = (self.old.get(old)?, self.new.get(new)?);
                self.field((at, offset), (before.variants.first()?, after.variants.first()?), (old, new), pointee)
            }
            (TyKind::Enum(..), TyKind::Enum(..)) if old == new => self.payload((at, offset), old, pointee),
            (TyKind::Tuple(a), TyKind::Tuple(b)) => {
                let starts = self.old.tuple(a.iter().copied()).1;
                let index = starts.iter().rposition(|start| *start as usize <= offset)?;
                let (from, to) = (*a.get(index)?, *b.get(index)?);
                let start = starts[index] as usize;
                let inner = self.part((at + start, offset - start), (from, to), pointee)?;
                Some(*self.new.tuple(b.iter().copied()).1.get(index)? as usize + inner)
            }
            (TyKind::Array(a, _), TyKind::Array(b, length)) => {
                let size = (self.old.layout(*a).size as usize).max(1);
                let index = offset / size;
                if index as u64 >= *length {
                    return None;
                }
                let inner = self.part((at + index * size, offset % size), (*a, *b), pointee)?;
                Some(index * self.new.layout(*b).size as usize + inner)
            }
            _ if old == new => Some(offset),
            (_, TyKind::Enum(..)) => {
                let payload = option_of(&self.new, new)?.1;
                Some(payload.offset as usize + self.part((at, offset), (old, payload.ty), pointee)?)
            }
            _ => None,
        }
    }

    /// A part of a part: what points at its start may mean all of it.
    fn part(&self, (at, offset): (usize, usize), types: (Ty, Ty), pointee: Ty) -> Option<usize> {
        self.offset_after(types, Part { at, offset, pointee })
    }

    fn payload(&self, (at, offset): (usize, usize), ty: Ty, pointee: Ty) -> Option<usize> {
        let (before, after) = (self.old.get(ty)?, self.new.get(ty)?);
        let number = discriminant(at);
        let old = before.variants.iter().find(|variant| variant.declared && variant.discriminant == number)?;
        let new = follow_variant(old, after, true)?;
        self.field((at, offset), (old, new), (ty, ty), pointee)
    }

    fn field(
        &self,
        (at, offset): (usize, usize),
        (before, after): (&KnownVariant, &KnownVariant),
        (old, new): (Ty, Ty),
        pointee: Ty,
    ) -> Option<usize> {
        let holds = |field: &&KnownField| (field.offset..field.offset + field.size).contains(&(offset as u32));
        let index = before.fields.iter().position(|field| holds(&field))?;
        let field = &before.fields[index];
        let sources = lineage::followed(before, after, old == new);
        let found = &after.fields[sources.iter().position(|source| *source == Some(index))?];
        let start = field.offset as usize;
        let inner = self.part((at + start, offset - start), (field.ty, found.ty), pointee)?;
        Some(found.offset as usize + inner)
    }
}

/// The words of values, by type, in one version.
pub(super) struct Words {
    known: Known,
    by_type: FxHashMap<Ty, Arc<[WordPart]>>,
}

impl Words {
    pub fn new(known: &Known) -> Words {
        Words { known: known.clone(), by_type: FxHashMap::default() }
    }

    /// Those of a type.
    pub fn of(&mut self, ty: Ty) -> Arc<[WordPart]> {
        if let Some(found) = self.by_type.get(&ty) {
            return found.clone();
        }
        let mut parts = Vec::new();
        collect(&self.known, ty, 0, &mut parts);
        let parts: Arc<[WordPart]> = parts.into();
        self.by_type.insert(ty, parts.clone());
        parts
    }
}

fn collect(known: &Known, ty: Ty, at: usize, out: &mut Vec<WordPart>) {
    let mut word = |kind: Word| out.push(WordPart::Word(at, kind));
    match *ty.kind() {
        TyKind::Vec(_) | TyKind::HashMap(..) | TyKind::Box(_) | TyKind::Dyn(_) => word(Word::Handle),
        TyKind::Function(..) => word(Word::Function),
        TyKind::Pointer(of) | TyKind::Reference(of) | TyKind::Slice(of) => word(Word::Pointer(of)),
        TyKind::Array(of, count) => {
            let mut parts = Vec::new();
            collect(known, of, 0, &mut parts);
            if !parts.is_empty() {
                let (stride, count) = (known.layout(of).size as usize, count as usize);
                out.push(WordPart::Repeat { offset: at, stride, count, parts });
            }
        }
        TyKind::Tuple(parts) => {
            let offsets = known.tuple(parts.iter().copied()).1;
            parts.iter().zip(offsets).for_each(|(part, offset)| collect(known, *part, at + offset as usize, out));
        }
        TyKind::Struct(..) => {
            let only = known.get(ty).and_then(|known| known.variants.first());
            only.into_iter().for_each(|only| collect_fields(known, only, at, out));
        }
        TyKind::Enum(..) => {
            let declared = known.get(ty).into_iter().flat_map(|known| &known.variants);
            let variants = declared.filter(|variant| variant.declared).filter_map(|variant| {
                let mut parts = Vec::new();
                collect_fields(known, variant, 0, &mut parts);
                (!parts.is_empty()).then_some((variant.discriminant, parts))
            });
            let variants: Vec<_> = variants.collect();
            if !variants.is_empty() {
                out.push(WordPart::Choice(at, variants));
            }
        }
        _ => {}
    }
}

/// The words of fields, and the pointers in parked ones: other references are in the attic.
fn collect_fields(known: &Known, variant: &KnownVariant, at: usize, out: &mut Vec<WordPart>) {
    variant.fields.iter().for_each(|field| collect(known, field.ty, at + field.offset as usize, out));
    for field in &variant.parked {
        let mut parts = Vec::new();
        collect(&known.then(field), field.ty, at + field.offset as usize, &mut parts);
        out.extend(parts.into_iter().filter_map(waiting));
    }
}

/// A word of what lies in a parked field.
fn waiting(part: WordPart) -> Option<WordPart> {
    let all = |parts: Vec<WordPart>| parts.into_iter().filter_map(waiting).collect::<Vec<_>>();
    match part {
        WordPart::Word(offset, Word::Pointer(of) | Word::Waiting(of)) => {
            Some(WordPart::Word(offset, Word::Waiting(of)))
        }
        WordPart::Word(..) => None,
        WordPart::Choice(offset, variants) => {
            let variants = variants.into_iter().map(|(number, parts)| (number, all(parts)));
            Some(WordPart::Choice(offset, variants.filter(|(_, parts)| !parts.is_empty()).collect()))
        }
        WordPart::Repeat { offset, stride, count, parts } => {
            let parts = all(parts);
            (!parts.is_empty()).then_some(WordPart::Repeat { offset, stride, count, parts })
        }
    }
}

/// Is there a word of this type at an offset of a value of another, in structs and tuples?
pub(super) fn lies_at(known: &Known, ty: Ty, offset: u32, word: Ty) -> bool {
    match *ty.kind() {
        TyKind::Struct(..) => {
            let fields = known.get(ty).into_iter().flat_map(|known| known.fields());
            let mut holds = fields.filter(|field| (field.offset..field.offset + field.size).contains(&offset));
            holds.any(|field| lies_at(known, field.ty, offset - field.offset, word))
        }
        TyKind::Tuple(parts) => {
            let starts = known.tuple(parts.iter().copied()).1;
            let index = starts.iter().rposition(|start| *start <= offset);
            index.is_some_and(|index| lies_at(known, parts[index], offset - starts[index], word))
        }
        _ => offset == 0 && ty == word,
    }
}

/// Does a value of one type lead to one of these?
pub(crate) fn leads_to(known: &Known, ty: Ty, wanted: &FxHashSet<Ty>) -> bool {
    let (mut open, mut seen) = (vec![ty], FxHashSet::default());
    while let Some(ty) = open.pop() {
        if wanted.contains(&ty) {
            return true;
        }
        if seen.insert(ty) {
            known.inside(ty, &mut open);
        }
    }
    false
}
