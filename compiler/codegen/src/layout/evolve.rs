//! How the layout of a struct or enum follows from its definition and from where its fields lie in the running program.
//!
//! In place: a field of the same name (or old name), type and size keeps its bytes, a parked one that comes back gets its
//! own again, a new or retyped one takes what is free, and bytes of parked fields, the oldest first, if nothing else is.
//! If that does not fit, everything is laid out anew in order of declaration, with spare room behind.

use std::sync::Arc;

use vaisjit_semantics::Ty;
use vaisjit_syntax::Name;

use super::history::{KnownField, KnownLayout, KnownVariant};
use super::lineage::{self, Lineage, New, NewField, NextNumber, Old};
use super::{Layout, MAX_SIZE};

/// Least bytes of spare room.
const SPARE: u64 = 16;
/// Spare room is at least one part in so many.
const SPARE_PART: u64 = 4;
/// Least alignment of a type with spare room, so that a small struct can get fields of a word in place.
const SPARE_ALIGN: u32 = 8;

/// A definition with the layouts of its fields' types.
pub(super) struct Wanted {
    /// One without a name for a struct.
    pub variants: Vec<WantedVariant>,
    /// What comes before the fields: the discriminant of an enum.
    pub header: Layout,
    /// Raw-exposed: no spare room.
    pub exposed: bool,
    /// Bytes of `#[reserve(N)]`.
    pub reserve: u32,
    /// The layout in the version that is gone back to, if it is one.
    pub back: Option<Arc<KnownLayout>>,
    /// The running version may have to come back: bytes of parked fields are taken only where there are very many.
    pub careful: bool,
    /// How many bytes of parked fields the type may have to keep them all where it has to grow in any case.
    pub most_parked: u32,
}

impl Wanted {
    /// What a variant was in the version that is gone back to.
    fn back(&self, name: Option<Name>) -> Option<&KnownVariant> {
        self.back.as_ref()?.variants.iter().find(|variant| variant.declared && variant.name == name)
    }
}

pub(super) struct WantedVariant {
    pub name: Option<Name>,
    pub was: Option<Name>,
    pub fields: Vec<WantedField>,
}

pub(super) struct WantedField {
    pub name: Name,
    pub was: Option<Name>,
    pub ty: Ty,
    pub layout: Layout,
}

/// The layout of a definition after the one before, if there was one; none if it gets too large. Variants keep the
/// numbers and the order of the layout before, new ones come behind.
pub(super) fn evolve(wanted: &Wanted, old: Option<&KnownLayout>) -> Option<KnownLayout> {
    let matched = match_variants(wanted, old);
    let keeps = old.is_some_and(|old| !old.exposed && !wanted.exposed && parked(old) < wanted.most_parked);
    let kept = old.and_then(|old| in_place(wanted, old, &matched, (old.layout.size, keeps && wanted.careful)));
    let grown = || old.filter(|_| keeps).and_then(|old| grown(wanted, old, &matched));
    kept.or_else(grown).or_else(|| anew(wanted, old, &matched))
}

/// Bytes of parked fields.
fn parked(old: &KnownLayout) -> u32 {
    old.variants.iter().flat_map(|variant| &variant.parked).map(|field| field.size).sum()
}

/// Everything stays at its offset, and what is new comes behind.
fn grown(wanted: &Wanted, old: &KnownLayout, matched: &[Option<usize>]) -> Option<KnownLayout> {
    let layout = in_place(wanted, old, matched, (MAX_SIZE, true))?;
    let fields = layout.variants.iter().flat_map(|variant| variant.fields.iter().chain(&variant.parked));
    let end = fields.map(|field| u64::from(field.offset) + u64::from(field.size)).max().unwrap_or(0);
    let room = SPARE.max(end / SPARE_PART).max(u64::from(wanted.reserve));
    let size = u32::try_from((end + room).next_multiple_of(u64::from(old.layout.align))).ok()?;
    (size <= MAX_SIZE).then_some(KnownLayout { layout: Layout { size, ..old.layout }, ..layout })
}

/// By wanted variant: its index among the known ones. Those that are gone come back under a name they had.
fn match_variants(wanted: &Wanted, old: Option<&KnownLayout>) -> Vec<Option<usize>> {
    let known = old.map_or(&[][..], |old| &old.variants);
    let (declared, gone): (Vec<usize>, Vec<usize>) = (0..known.len()).partition(|index| known[*index].declared);
    let part = |index: &usize| Old::variant(&known[*index]);
    let new = |variant: &WantedVariant| New {
        name: variant.name,
        was: variant.was,
        number: wanted.back(variant.name).map(|back| back.discriminant),
    };
    let new: Vec<New> = wanted.variants.iter().map(new).collect();
    let live = lineage::sources(&declared.iter().map(part).collect::<Vec<_>>(), &new, true);
    let rest = lineage::sources(&gone.iter().map(part).collect::<Vec<_>>(), &new, false);
    let either = |(live, rest): (Option<usize>, Option<usize>)| {
        live.map(|live| declared[live]).or_else(|| rest.map(|rest| gone[rest]))
    };
    live.into_iter().zip(rest).map(either).collect()
}

/// The known variants with new fields for those that are wanted, and new variants behind.
fn merge(
    wanted: &Wanted,
    old: &[KnownVariant],
    matched: &[Option<usize>],
    mut make: impl FnMut(&WantedVariant, Option<&KnownVariant>) -> Option<(Vec<KnownField>, Vec<KnownField>)>,
    gone: impl Fn(&KnownVariant) -> KnownVariant,
) -> Option<Vec<KnownVariant>> {
    let mut variants: Vec<KnownVariant> =
        old.iter().map(|variant| KnownVariant { declared: false, ..gone(variant) }).collect();
    let mut next = old.iter().map(|variant| variant.discriminant + 1).max().unwrap_or(0);
    for (variant, known) in wanted.variants.iter().zip(matched) {
        let (fields, parked) = make(variant, known.map(|index| &old[index]))?;
        let discriminant = known.map_or(next, |index| old[index].discriminant);
        let before = known.map(|index| Old::variant(&old[index]));
        let lineage = Lineage::following(variant.was, variant.name, before);
        let made = KnownVariant { name: variant.name, discriminant, lineage, declared: true, fields, parked };
        match known {
            Some(index) => variants[*index] = made,
            None => {
                next += 1;
                variants.push(made);
            }
        }
    }
    Some(variants)
}

fn in_place(
    wanted: &Wanted,
    old: &KnownLayout,
    matched: &[Option<usize>],
    (size, careful): (u32, bool),
) -> Option<KnownLayout> {
    let mut fields = wanted.variants.iter().flat_map(|variant| &variant.fields);
    if fields.any(|field| field.layout.align > old.layout.align) {
        return None;
    }
    let mut next = old.next;
    let place = |variant: &WantedVariant, known: Option<&KnownVariant>| {
        let followed = Followed::new(&variant.fields, known, wanted.back(variant.name));
        Room { from: wanted.header.size, to: size, careful }.place(&followed, &mut next)
    };
    let variants = merge(wanted, &old.variants, matched, place, KnownVariant::clone)?;
    Some(KnownLayout { layout: old.layout, exposed: old.exposed || wanted.exposed, variants, next })
}

/// The bytes for fields.
struct Room {
    from: u32,
    to: u32,
    /// Not over parked fields.
    careful: bool,
}

impl Room {
    /// The fields in declaration order, and the parked ones.
    fn place(&self, followed: &Followed<'_>, next: &mut NextNumber) -> Option<(Vec<KnownField>, Vec<KnownField>)> {
        let (mut placed, mut parked) = followed.keep();
        for (index, field) in followed.wanted.iter().enumerate() {
            if placed[index].is_none() {
                let offset = self.find(field.layout, &placed, &parked)?;
                let new = KnownField::new(field.name, field.ty, offset, field.layout.size);
                parked.retain(|other| !other.overlaps(&new));
                placed[index] = Some(new);
            }
        }
        let mut placed: Vec<KnownField> = placed.into_iter().flatten().collect();
        followed.inherit(&mut placed, next);
        Some((placed, parked))
    }

    /// Where a field fits: beside all others, else over the oldest parked ones.
    fn find(&self, layout: Layout, placed: &[Option<KnownField>], parked: &[KnownField]) -> Option<u32> {
        let most = if self.careful { 0 } else { parked.len() };
        (0..=most).find_map(|forgotten| {
            let taken: Vec<&KnownField> = placed.iter().flatten().chain(&parked[forgotten..]).collect();
            self.gap(layout, &taken)
        })
    }

    /// The first gap that is wide enough.
    fn gap(&self, layout: Layout, taken: &[&KnownField]) -> Option<u32> {
        let ends = taken.iter().map(|field| field.offset + field.size);
        let mut starts: Vec<u32> =
            ends.chain([self.from]).map(|end| end.next_multiple_of(layout.align.max(1))).collect();
        starts.sort_unstable();
        let free = |start: u32| {
            let end = u64::from(start) + u64::from(layout.size);
            let meets = |field: &&KnownField| {
                u64::from(field.offset) < end && start < field.offset + field.size && field.size > 0
            };
            start >= self.from && end <= u64::from(self.to) && !taken.iter().any(meets)
        };
        starts.into_iter().find(|start| free(*start))
    }
}

/// Fields with what goes on as them.
struct Followed<'a> {
    wanted: &'a [WantedField],
    old: Option<&'a KnownVariant>,
    /// By wanted field: the index of the known one that goes on as it.
    sources: Vec<Option<usize>>,
}

impl WantedField {
    fn as_new(&self) -> NewField {
        NewField { name: self.name, was: self.was, ty: self.ty, number: None }
    }

    fn fits(&self, known: &KnownField) -> bool {
        let same = known.ty == self.ty && known.size == self.layout.size;
        same && known.offset.is_multiple_of(self.layout.align.max(1))
    }
}

impl<'a> Followed<'a> {
    fn new(wanted: &'a [WantedField], old: Option<&'a KnownVariant>, back: Option<&KnownVariant>) -> Followed<'a> {
        let number = |name: Name| Some(back?.fields.iter().find(|field| field.name == name)?.lineage.number);
        let new = |field: &WantedField| NewField { number: number(field.name), ..field.as_new() };
        let new: Vec<NewField> = wanted.iter().map(new).collect();
        let sources = old.map_or_else(|| vec![None; new.len()], |old| lineage::field_sources(old, &new, true));
        Followed { wanted, old, sources }
    }

    /// The fields that keep their bytes or get them again, and the parked ones that are left, oldest first. What is there
    /// goes before what is parked.
    fn keep(&self) -> (Vec<Option<KnownField>>, Vec<KnownField>) {
        let Some(old) = self.old else { return (self.wanted.iter().map(|_| None).collect(), Vec::new()) };
        let mut left: Vec<&KnownField> = old.parked.iter().chain(&old.fields).collect();
        let mut placed: Vec<Option<KnownField>> = self.wanted.iter().map(|_| None).collect();
        for ((field, place), source) in self.wanted.iter().zip(&mut placed).zip(&self.sources) {
            let source = source.map(|source| &old.fields[source]);
            let Some(found) = source.filter(|found| field.fits(found)) else { continue };
            left.retain(|other| !std::ptr::eq(*other, found));
            let revived = lineage::revived(old, found, &field.as_new());
            left.retain(|other| !revived.is_some_and(|revived| std::ptr::eq(*other, revived)));
            *place = Some(KnownField { name: field.name, ..found.clone() });
        }
        // Its own name goes before all that it was called.
        for renames in [false, true] {
            for ((field, place), source) in self.wanted.iter().zip(&mut placed).zip(&self.sources) {
                if place.is_some() || renames && source.is_some() {
                    continue;
                }
                let fits = |known: &KnownField| field.fits(known) && (renames || known.name == field.name);
                if let Some(found) = lineage::unparked(&left, &field.as_new(), &fits) {
                    left.retain(|other| !std::ptr::eq(*other, found));
                    *place = Some(KnownField { name: field.name, ..found.clone() });
                }
            }
        }
        (placed, left.into_iter().cloned().collect())
    }

    /// Notes what the fields were called, and gives new ones a number. A name that has come anew belongs to nothing that
    /// had it before.
    fn inherit(&self, placed: &mut [KnownField], next: &mut NextNumber) {
        let mut anew = Vec::new();
        for ((field, place), source) in self.wanted.iter().zip(placed.iter_mut()).zip(&self.sources) {
            let called = |known: &KnownField| {
                known.name == field.name || field.was == Some(known.name) || known.lineage.former.contains(&field.name)
            };
            let same = |known: &&KnownField| (known.ty, known.offset) == (place.ty, place.offset) && called(known);
            let parked = || self.old.and_then(|old| old.parked.iter().find(same));
            let retyped = || self.old.and_then(|old| lineage::retyped(old, &field.as_new()));
            let from = source.and_then(|source| self.old?.fields.get(source)).or_else(parked).or_else(retyped);
            place.lineage = Lineage::following(field.was, Some(field.name), from.map(Old::field));
            // What came from a parked field under another type may still be there.
            let live =
                |number: u32| self.old.is_some_and(|old| old.fields.iter().any(|of| of.lineage.number == number));
            let number = from.map(|from| from.lineage.number).filter(|number| source.is_some() || !live(*number));
            place.lineage.number = number.unwrap_or(next.0);
            next.0 += u32::from(number.is_none());
            let revived = self.old.zip(from).and_then(|(old, from)| lineage::revived(old, from, &field.as_new()));
            place.lineage.former.extend(revived.map(|revived| revived.name));
            anew.extend(from.is_none_or(|from| source.is_none() && from.name == field.name).then_some(field.name));
        }
        for place in placed {
            place.lineage.former.retain(|name| !anew.contains(name));
        }
    }
}

fn anew(wanted: &Wanted, old: Option<&KnownLayout>, matched: &[Option<usize>]) -> Option<KnownLayout> {
    let exposed = wanted.exposed || old.is_some_and(|old| old.exposed);
    let mut next = old.map_or(NextNumber(0), |old| old.next);
    let (mut end, mut align) = (u64::from(wanted.header.size), wanted.header.align);
    let mut pack = |variant: &WantedVariant, known: Option<&KnownVariant>| {
        let mut at = u64::from(wanted.header.size);
        let mut fields = Vec::with_capacity(variant.fields.len());
        for field in &variant.fields {
            at = at.next_multiple_of(u64::from(field.layout.align.max(1)));
            let offset = u32::try_from(at).ok()?;
            fields.push(KnownField::new(field.name, field.ty, offset, field.layout.size));
            at += u64::from(field.layout.size);
            align = align.max(field.layout.align);
        }
        end = end.max(at);
        Followed::new(&variant.fields, known, wanted.back(variant.name)).inherit(&mut fields, &mut next);
        Some((fields, Vec::new()))
    };
    // Nobody knows any more where the payload of a removed variant lay: only its number stays.
    let gone = |variant: &KnownVariant| KnownVariant { fields: Vec::new(), parked: Vec::new(), ..variant.clone() };
    let variants = merge(wanted, old.map_or(&[], |old| &old.variants), matched, &mut pack, gone)?;
    let mut room = u64::from(wanted.reserve);
    if !exposed {
        align = align.max(SPARE_ALIGN);
        room = room.max(SPARE).max(end / SPARE_PART);
    }
    let size = (end + room).next_multiple_of(u64::from(align));
    let layout = Layout { size: u32::try_from(size).ok().filter(|size| *size <= MAX_SIZE)?, align };
    Some(KnownLayout { layout, exposed, variants, next })
}

#[cfg(test)]
mod tests;
