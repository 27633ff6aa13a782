//! How the layout of a struct or enum follows from its definition and from where its fields lie in the running program.
//!
//! In place: a field of the same name (or old name), type and size keeps its bytes, a parked one that comes back gets its
//! own again, and a new or retyped one takes what is free. If nothing is, the type grows, so that no value of a removed
//! field is lost; if it has many of these already, bytes of those that earlier saves removed are taken, the oldest first.
//! Where values cannot move, bytes of those that this very save removes are taken, too. If that does not fit, everything is
//! laid out anew in order of declaration, with spare room behind.

use std::sync::Arc;

use vaisjit_semantics::Ty;
use vaisjit_syntax::Name;

use super::history::{KnownField, KnownLayout, KnownVariant, LayoutHistory, Then};
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
    pub keeping: Keeping,
    /// How many bytes of parked fields a type may have that grows in order to keep them all.
    pub most_parked: u32,
    /// Types whose values lie otherwise than before, with how they lay: what is parked of them stays as it is.
    pub then: Vec<(Ty, Arc<LayoutHistory>)>,
}

/// What is done to keep the values of fields that are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeping {
    /// Types grow for them.
    #[default]
    Values,
    /// They grow also for what numbers were before they were converted: the running version may have to come back, as it was.
    Everything,
    /// No type grows for them, as its values cannot move.
    WhatFits,
}

impl Wanted {
    /// The largest alignment of a field.
    fn align(&self) -> u32 {
        let fields = self.variants.iter().flat_map(|variant| &variant.fields);
        fields.map(|field| field.layout.align).max().unwrap_or(1)
    }

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
    let evolved = old.and_then(|old| Evolution { wanted, old, matched: &matched }.layout());
    evolved.or_else(|| anew(wanted, old, &matched))
}

/// Would it be smaller if it had not to keep the values of fields that are gone?
pub(super) fn grows_to_keep(wanted: &Wanted, old: Option<&KnownLayout>, new: &KnownLayout) -> bool {
    let Some(old) = old.filter(|old| wanted.keeping == Keeping::Values && new.layout.size > old.layout.size) else {
        return false;
    };
    let matched = match_variants(wanted, Some(old));
    Evolution { wanted, old, matched: &matched }.in_place(Forgets::All).is_some()
}

/// Bytes of which fields that are gone may be taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Forgets {
    Nothing,
    /// What this save converts: the value lives on in what it becomes.
    Converted,
    /// Of fields that earlier saves removed.
    Earlier,
    /// Of those that this save removes.
    All,
}

/// A definition with the layout that it follows.
struct Evolution<'a> {
    wanted: &'a Wanted,
    old: &'a KnownLayout,
    matched: &'a [Option<usize>],
}

impl Evolution<'_> {
    fn layout(&self) -> Option<KnownLayout> {
        let Evolution { wanted, old, .. } = *self;
        let grows = !old.exposed && !wanted.exposed;
        let parked = old.all_parked().map(|field| u64::from(field.size));
        let keeps = grows && parked.sum::<u64>() < u64::from(wanted.most_parked);
        let least = match wanted.keeping {
            Keeping::Everything => Forgets::Nothing,
            Keeping::Values | Keeping::WhatFits => Forgets::Converted,
        };
        if !grows || wanted.keeping == Keeping::WhatFits {
            return self.in_place(Forgets::All).or_else(|| self.grown(least).filter(|_| keeps));
        }
        let kept = self.in_place(least).or_else(|| self.grown(least).filter(|_| keeps));
        kept.or_else(|| self.in_place(Forgets::Earlier)).or_else(|| self.grown(Forgets::Earlier))
    }

    /// Everything stays at its offset, and there is room for the rest.
    fn in_place(&self, forgets: Forgets) -> Option<KnownLayout> {
        if self.wanted.align() > self.old.layout.align {
            return None;
        }
        self.within(Room { from: self.wanted.header.size, to: self.old.layout.size, forgets, prunes: false })
    }

    /// Everything stays at its offset, and what is new comes behind.
    fn grown(&self, forgets: Forgets) -> Option<KnownLayout> {
        let (wanted, old) = (self.wanted, self.old);
        let prunes = forgets >= Forgets::Earlier;
        let layout = self.within(Room { from: wanted.header.size, to: MAX_SIZE, forgets: Forgets::Nothing, prunes })?;
        let fields = layout.variants.iter().flat_map(|variant| variant.fields.iter().chain(&variant.parked));
        let end = fields.map(|field| u64::from(field.offset) + u64::from(field.size)).max().unwrap_or(0);
        let room = SPARE.max(end / SPARE_PART).max(u64::from(wanted.reserve));
        let align = wanted.align().max(old.layout.align);
        let size = (end + room).max(u64::from(old.layout.size)).next_multiple_of(u64::from(align));
        let size = u32::try_from(size).ok().filter(|size| *size <= MAX_SIZE)?;
        Some(KnownLayout { layout: Layout { size, align }, ..layout })
    }

    fn within(&self, room: Room) -> Option<KnownLayout> {
        let Evolution { wanted, old, matched } = *self;
        let mut next = old.next;
        let place = |variant: &WantedVariant, known: Option<&KnownVariant>| {
            room.place(&Followed::new(variant, known, wanted), &mut next)
        };
        let variants = merge(wanted, &old.variants, matched, place, KnownVariant::clone)?;
        Some(KnownLayout { layout: old.layout, exposed: old.exposed || wanted.exposed, variants, next })
    }
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

/// The bytes for fields.
struct Room {
    from: u32,
    to: u32,
    forgets: Forgets,
    /// Nothing is left of what earlier saves removed.
    prunes: bool,
}

impl Room {
    /// The fields in declaration order, and the parked ones.
    fn place(&self, followed: &Followed<'_>, next: &mut NextNumber) -> Option<(Vec<KnownField>, Vec<KnownField>)> {
        let (mut placed, mut left) = followed.keep();
        left.retain(|left| !self.prunes || left.worth != Forgets::Earlier);
        for (index, field) in followed.wanted.iter().enumerate() {
            if placed[index].is_none() {
                let offset = self.find(field.layout, &placed, &left)?;
                let new = KnownField::new(field.name, field.ty, offset, field.layout.size);
                left.retain(|other| !other.field.overlaps(&new));
                placed[index] = Some(new);
            }
        }
        let mut placed: Vec<KnownField> = placed.into_iter().flatten().collect();
        followed.inherit(&mut placed, next);
        Some((placed, left.into_iter().map(|left| followed.waiting(left.field)).collect()))
    }

    /// Where a field fits: beside all others, else over those of least worth, the oldest first.
    fn find(&self, layout: Layout, placed: &[Option<KnownField>], left: &[Left<'_>]) -> Option<u32> {
        let mut by_worth: Vec<&Left> = left.iter().collect();
        by_worth.sort_by_key(|left| left.worth);
        let most = by_worth.iter().filter(|left| left.worth <= self.forgets).count();
        (0..=most).find_map(|forgotten| {
            let left = by_worth[forgotten..].iter().map(|left| left.field);
            let taken: Vec<&KnownField> = placed.iter().flatten().chain(left).collect();
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

/// A field of the layout before that is none any more, and what may take its bytes.
struct Left<'a> {
    field: &'a KnownField,
    worth: Forgets,
}

/// Fields with what goes on as them.
struct Followed<'a> {
    wanted: &'a [WantedField],
    old: Option<&'a KnownVariant>,
    /// By wanted field: the index of the known one that goes on as it.
    sources: Vec<Option<usize>>,
    then: &'a [(Ty, Arc<LayoutHistory>)],
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
    fn new(variant: &'a WantedVariant, old: Option<&'a KnownVariant>, whole: &'a Wanted) -> Followed<'a> {
        let (wanted, then, back) = (&*variant.fields, &*whole.then, whole.back(variant.name));
        let number = |name: Name| Some(back?.fields.iter().find(|field| field.name == name)?.lineage.number);
        let new = |field: &WantedField| NewField { number: number(field.name), ..field.as_new() };
        let new: Vec<NewField> = wanted.iter().map(new).collect();
        let sources = old.map_or_else(|| vec![None; new.len()], |old| lineage::field_sources(old, &new, true));
        Followed { wanted, old, sources, then }
    }

    /// The fields that keep their bytes or get them again, and the parked ones that are left, oldest first. What is there
    /// goes before what is parked.
    fn keep(&self) -> (Vec<Option<KnownField>>, Vec<Left<'a>>) {
        let Some(old) = self.old else { return (self.wanted.iter().map(|_| None).collect(), Vec::new()) };
        let mut left: Vec<&KnownField> = old.parked.iter().chain(&old.fields).collect();
        // What only needs more room takes its value along.
        left.retain(|known| !self.heirs(known).any(|field| field.ty == known.ty && !field.fits(known)));
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
                let fits = |known: &KnownField| known.ty == field.ty && (renames || known.name == field.name);
                if let Some(found) = lineage::unparked(&left, &field.as_new(), &fits) {
                    left.retain(|other| !std::ptr::eq(*other, found));
                    // What needs more room than when it was parked gets it elsewhere.
                    let placed = KnownField { name: field.name, then: Then::default(), ..found.clone() };
                    *place = field.fits(found).then_some(placed);
                }
            }
        }
        let judged = |field: &'a KnownField| Left { field, worth: self.worth(field) };
        (placed, left.into_iter().map(judged).collect())
    }

    /// A field that is parked from now on, or still is.
    fn waiting(&self, field: &KnownField) -> KnownField {
        let mut waiting = field.clone();
        let then = || self.then.iter().find(|(ty, _)| *ty == field.ty).map(|(_, then)| then.clone());
        waiting.then.0 = waiting.then.0.or_else(then);
        waiting
    }

    /// The wanted fields that a known one goes on as.
    fn heirs(&self, known: &'a KnownField) -> impl Iterator<Item = &'a WantedField> {
        let place = self.old.and_then(|old| old.fields.iter().position(|field| std::ptr::eq(field, known)));
        let (wanted, sources) = (self.wanted, &self.sources);
        wanted
            .iter()
            .zip(sources)
            .filter(move |(_, source)| place.is_some() && **source == place)
            .map(|(field, _)| field)
    }

    fn worth(&self, left: &'a KnownField) -> Forgets {
        if self.old.is_some_and(|old| old.parked.iter().any(|field| std::ptr::eq(field, left))) {
            return Forgets::Earlier;
        }
        let is_converted = self.heirs(left).any(|field| lineage::lives_on(left.ty, field.ty));
        if is_converted { Forgets::Converted } else { Forgets::All }
    }

    /// Notes what the fields were called, and gives new ones a number. A name that has come anew belongs to nothing that
    /// had it before.
    fn inherit(&self, placed: &mut [KnownField], next: &mut NextNumber) {
        let mut anew = Vec::new();
        for ((field, place), source) in self.wanted.iter().zip(placed.iter_mut()).zip(&self.sources) {
            let called = |known: &KnownField| {
                known.name == field.name || field.was == Some(known.name) || known.lineage.former.contains(&field.name)
            };
            let there = |known: &KnownField| known.offset == place.offset || known.size != place.size;
            let same = |known: &&KnownField| known.ty == place.ty && there(known) && called(known);
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
        Followed::new(variant, known, wanted).inherit(&mut fields, &mut next);
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
