//! Which field or variant of the running version goes on as which of a new one.
//!
//! Fields have numbers, variants their discriminants, which nothing else of a type ever gets. A rollback goes by these: every
//! part goes back to what it was. A new text has only names. In this order: by what it declares (`#[was("old")]`, if the running text did not say the same already); back
//! under a name that a part had before, if nothing else has that name now; by its own name. A declaration may be part of
//! a chain or a circle (`#[was("b")] a, #[was("a")] b`), and then all of it holds.

use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::history::{KnownField, KnownVariant};

/// What a field or variant was called. No part of a layout: any two compare equal.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// What the newest text declares.
    pub was: Option<Name>,
    /// The names it has had, oldest first.
    pub former: Vec<Name>,
    /// The number of a field, which it keeps under all names and types.
    pub number: u32,
}

/// The first number that no field of a type has had. No part of a layout: any two compare equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct NextNumber(pub u32);
impl PartialEq for NextNumber {
    fn eq(&self, _: &NextNumber) -> bool {
        true
    }
}
impl Eq for NextNumber {}
impl PartialEq for Lineage {
    fn eq(&self, _: &Lineage) -> bool {
        true
    }
}
impl Eq for Lineage {}

/// A part of the running version.
#[derive(Clone, Copy)]
pub(super) struct Old<'a> {
    pub name: Option<Name>,
    pub lineage: &'a Lineage,
    pub number: i64,
}

impl<'a> Old<'a> {
    pub fn field(field: &'a KnownField) -> Old<'a> {
        Old { name: Some(field.name), lineage: &field.lineage, number: i64::from(field.lineage.number) }
    }

    pub fn variant(variant: &'a KnownVariant) -> Old<'a> {
        Old { name: variant.name, lineage: &variant.lineage, number: variant.discriminant }
    }
}

/// A part of the new version.
#[derive(Clone, Copy)]
pub(super) struct New {
    pub name: Option<Name>,
    pub was: Option<Name>,
    /// Its number in the version that is gone back to.
    pub number: Option<i64>,
}

/// A field of the new version.
#[derive(Clone, Copy)]
pub struct NewField {
    /// Its name.
    pub name: Name,
    /// What it is declared to have been.
    pub was: Option<Name>,
    /// Its type.
    pub ty: Ty,
    /// Its number in the version that is gone back to.
    pub number: Option<u32>,
}

impl NewField {
    /// A field as its layout knows it.
    pub fn of(field: &KnownField) -> NewField {
        NewField { name: field.name, was: field.lineage.was, ty: field.ty, number: None }
    }
}

/// By new part: the index of the old one that goes on as it. `evolves` says that the parts are of one type.
pub(super) fn sources(old: &[Old<'_>], new: &[New], evolves: bool) -> Vec<Option<usize>> {
    let mut search = Search { old, new, evolves, found: vec![None; new.len()] };
    (0..new.len()).for_each(|part| search.found[part] = search.numbered(part));
    (0..new.len()).for_each(|start| search.follow(start, Search::declared));
    let fresh = |part: &usize| search.named(new[*part].name).is_none();
    let fresh: Vec<usize> = (0..new.len()).filter(fresh).collect();
    fresh.into_iter().for_each(|start| search.follow(start, Search::undone));
    (0..new.len()).for_each(|part| search.own(part));
    search.found
}

/// By new field: the index of the old one that goes on as it. One type's numbers tell, else names.
pub fn followed(old: &KnownVariant, new: &KnownVariant, evolves: bool) -> Vec<Option<usize>> {
    if !evolves {
        return field_sources(old, &new.fields.iter().map(NewField::of).collect::<Vec<_>>(), false);
    }
    let place = |field: &KnownField| old.fields.iter().position(|old| old.lineage.number == field.lineage.number);
    new.fields.iter().map(place).collect()
}

/// By new field: the index of the old one that goes on as it, by names. In the payload of a variant, names that have come may be
/// those that have gone: then the place says which.
pub(super) fn field_sources(old: &KnownVariant, new: &[NewField], evolves: bool) -> Vec<Option<usize>> {
    let known: Vec<Old<'_>> = old.fields.iter().map(Old::field).collect();
    let wanted: Vec<New> = new
        .iter()
        .map(|field| New { name: Some(field.name), was: field.was, number: field.number.map(i64::from) })
        .collect();
    let mut found = sources(&known, &wanted, evolves);
    if old.name.is_some() {
        Payload { old, new, found: &mut found }.match_left();
    }
    found
}

/// The parked field whose value a field gets that has kept its name and is now declared to have been that one.
pub fn revived<'a>(old: &'a KnownVariant, own: &KnownField, new: &NewField) -> Option<&'a KnownField> {
    let was = new.was.filter(|was| own.lineage.was != Some(*was) && !own.lineage.former.contains(was))?;
    if (own.name, own.ty) != (new.name, new.ty) || old.fields.iter().any(|field| field.name == was) {
        return None;
    }
    let fits = |parked: &KnownField| parked.ty == new.ty || are_numbers(parked.ty, new.ty);
    old.parked.iter().rev().find(|parked| parked.name == was).filter(|parked| fits(parked))
}

/// The parked number that comes back as a field without a source which has another type.
pub fn retyped<'a>(old: &'a KnownVariant, new: &NewField) -> Option<&'a KnownField> {
    let parked: Vec<&KnownField> = old.parked.iter().collect();
    unparked(&parked, new, &|parked| parked.ty != new.ty && are_numbers(parked.ty, new.ty))
}

/// Does a value live on when its field gets another type?
pub fn lives_on(old: Ty, new: Ty) -> bool {
    let (old, new) = (unwrapped(old), unwrapped(new));
    match (old.kind(), new.kind()) {
        (TyKind::Array(a, _), TyKind::Array(b, _)) => lives_on(*a, *b),
        (TyKind::Tuple(a), TyKind::Tuple(b)) => a.iter().zip(b.iter()).all(|(a, b)| lives_on(*a, *b)),
        _ => old == new || are_numbers(old, new),
    }
}

/// What is in the boxes and options of a type.
fn unwrapped(ty: Ty) -> Ty {
    match *ty.kind() {
        TyKind::Box(of) => unwrapped(of),
        TyKind::Enum(path, arguments) if path.name.as_str() == "Option" => {
            arguments.first().map_or(ty, |of| unwrapped(*of))
        }
        _ => ty,
    }
}

fn are_numbers(old: Ty, new: Ty) -> bool {
    let number = |ty: Ty| matches!(ty.kind(), TyKind::Int(_) | TyKind::Float(_) | TyKind::Bool);
    number(old) && number(new)
}

/// The parked field that comes back as a field without a source: under its own name or under another.
pub fn unparked<'a>(
    parked: &[&'a KnownField],
    new: &NewField,
    fits: &dyn Fn(&KnownField) -> bool,
) -> Option<&'a KnownField> {
    let last = |is: &dyn Fn(&KnownField) -> bool| parked.iter().rev().find(|field| is(field) && fits(field)).copied();
    last(&|field| field.name == new.name)
        .or_else(|| last(&|field| new.was == Some(field.name)))
        .or_else(|| last(&|field| field.lineage.former.contains(&new.name)))
}

/// Do fields of a type get the values of parked ones that they are now declared to have been?
pub fn revives(old: &KnownVariant, new: &KnownVariant) -> bool {
    let own = |field: &&KnownField| old.fields.iter().find(|own| own.name == field.name);
    new.fields.iter().any(|field| own(&field).is_some_and(|own| revived(old, own, &NewField::of(field)).is_some()))
}

impl Lineage {
    /// That of a part which goes on from another.
    pub(super) fn following(was: Option<Name>, name: Option<Name>, from: Option<Old<'_>>) -> Lineage {
        let mut former: Vec<Name> = match from {
            Some(from) => from.lineage.former.iter().copied().chain(from.name).collect(),
            None => was.into_iter().collect(),
        };
        former.retain(|other| Some(*other) != name);
        let mut seen = Vec::new();
        former.reverse();
        former.retain(|other| {
            !seen.contains(other) && {
                seen.push(*other);
                true
            }
        });
        former.reverse();
        Lineage { was, former, number: 0 }
    }
}

struct Search<'a> {
    old: &'a [Old<'a>],
    new: &'a [New],
    evolves: bool,
    found: Vec<Option<usize>>,
}

impl Search<'_> {
    fn named(&self, name: Option<Name>) -> Option<usize> {
        self.old.iter().position(|old| old.name == name)
    }

    /// The old part with the number of one that is gone back to.
    fn numbered(&self, part: usize) -> Option<usize> {
        let number = self.new[part].number?;
        self.old.iter().position(|old| old.number == number)
    }

    /// The old part that a new one is declared to have been, unless the running text says so too.
    fn declared(&self, part: usize) -> Option<usize> {
        let New { name, was, .. } = self.new[part];
        let from = self.named(Some(was?))?;
        let is_news = |own: usize| self.evolves && self.old[own].lineage.was != was;
        self.named(name).is_none_or(is_news).then_some(from)
    }

    /// The old part that once had the name of a new one, the one that had it last.
    fn undone(&self, part: usize) -> Option<usize> {
        let name = self.new[part].name?;
        let since = |old: &Old<'_>| old.lineage.former.iter().rev().position(|former| *former == name);
        let is_wanted = |old: usize| self.new.iter().any(|new| new.name == self.old[old].name);
        let had = (0..self.old.len()).filter_map(|old| Some((since(&self.old[old])?, is_wanted(old), old)));
        had.min().map(|(.., old)| old)
    }

    /// Takes what a claim leads to, if every old part on the way has lost its name or goes on with the next claim.
    fn follow(&mut self, start: usize, claim: impl Fn(&Self, usize) -> Option<usize>) {
        let (mut pairs, mut at): (Vec<(usize, usize)>, usize) = (Vec::new(), start);
        loop {
            let Some(from) = claim(self, at) else { return };
            let taken = self.found[at].is_some() || self.found.contains(&Some(from));
            if taken || pairs.iter().any(|(_, other)| *other == from) {
                return;
            }
            pairs.push((at, from));
            // What has the old name now goes on from something else.
            let next = self.new.iter().position(|new| new.name == self.old[from].name);
            match next.filter(|next| *next != start && self.found[*next].is_none()) {
                Some(next) => at = next,
                None => break,
            }
        }
        pairs.into_iter().for_each(|(part, from)| self.found[part] = Some(from));
    }

    fn own(&mut self, part: usize) {
        let own = self.named(self.new[part].name).filter(|own| !self.found.contains(&Some(*own)));
        self.found[part] = self.found[part].or(own);
    }
}

/// The payload of a variant.
struct Payload<'a> {
    old: &'a KnownVariant,
    new: &'a [NewField],
    found: &'a mut Vec<Option<usize>>,
}

impl Payload<'_> {
    /// Finds sources for what has come under another name.
    fn match_left(&mut self) {
        let positional = |name: Name| name.starts_with(|first: char| first.is_ascii_digit());
        let before = self.old.fields.first().map(|field| positional(field.name));
        let after = self.new.first().map(|field| positional(field.name));
        let (gone, come) = self.left();
        let same =
            gone.len() == come.len() && gone.iter().zip(&come).all(|(a, b)| self.old.fields[*a].ty == self.new[*b].ty);
        if before == Some(true) && after == Some(true) {
            self.match_moved();
        } else if same {
            gone.iter().zip(&come).for_each(|(from, part)| self.found[*part] = Some(*from));
        } else if before.is_some() && after.is_some() && before != after {
            self.in_order(&gone, &come).into_iter().for_each(|(part, from)| self.found[part] = Some(from));
            let (gone, come) = self.left();
            come.into_iter().filter(|part| gone.contains(part)).for_each(|part| self.found[part] = Some(part));
        }
    }

    /// What has no names has moved to other places, if that explains all types that the places have now.
    fn match_moved(&mut self) {
        let (old, new) = (&self.old.fields, self.new);
        let fits = |(part, from): (usize, &Option<usize>)| {
            from.is_none_or(|from| old[from].ty == new[part].ty || are_numbers(old[from].ty, new[part].ty))
        };
        let goes_back = new.iter().any(|field| field.number.is_some());
        if goes_back || self.found.iter().enumerate().all(fits) {
            return;
        }
        let all = |length: usize| (0..length).collect::<Vec<usize>>();
        let pairs = self.in_order(&all(old.len()), &all(new.len()));
        if pairs.len() == old.len().min(new.len()) {
            self.found.fill(None);
            pairs.into_iter().for_each(|(part, from)| self.found[part] = Some(from));
        }
    }

    /// The old fields that nothing goes on from, and the new ones that go on from nothing.
    fn left(&self) -> (Vec<usize>, Vec<usize>) {
        let gone = (0..self.old.fields.len()).filter(|old| !self.found.contains(&Some(*old)));
        let is_parked =
            |new: &NewField| self.old.parked.iter().any(|field| field.name == new.name && field.ty == new.ty);
        let come = (0..self.new.len()).filter(|part| self.found[*part].is_none() && !is_parked(&self.new[*part]));
        (gone.collect(), come.collect())
    }

    /// New fields with the old ones of the same type, in this order.
    fn in_order(&self, gone: &[usize], come: &[usize]) -> Vec<(usize, usize)> {
        let mut gone = gone.to_vec();
        let pairs = come.iter().filter_map(|part| {
            let found = gone.iter().position(|from| self.old.fields[*from].ty == self.new[*part].ty)?;
            Some((*part, gone.remove(found)))
        });
        pairs.collect()
    }
}
