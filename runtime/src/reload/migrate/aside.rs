//! Values that globals had as other types: they are kept aside, whole, and come back with the type.
//!
//! A value kept aside is a global of its own without a declaration, like one that a save has removed: it lies in
//! [`Live::globals`] under the path of its global and a number, and so is migrated, renamed and looked at like all others.

use rustc_hash::FxHashMap;
use vaisjit_semantics::program::Global;
use vaisjit_semantics::{ItemPath, Ty};

use super::defaults::Declared;
use super::plan::{NoDefault, Planner};
use super::{GlobalChange, Migration};
use crate::code::GlobalMemory;
use crate::heap::migrate::Alike;
use crate::live::Live;

/// Values that are kept for one global, each of another type. The oldest makes room for a new one.
const MOST_KEPT: usize = 4;

/// Bytes of the largest value that is kept: more would take the program's thread too long, and memory.
const LARGEST_KEPT: u32 = 64 << 20;

/// Stands between the name of a global and the number of a value that is kept for it. No name of an item holds it.
const MARK: &str = ": ";

/// A value that a save keeps aside.
pub(super) struct Keep {
    /// Where it will be found, and as what.
    pub path: ItemPath,
    pub global: Global,
    /// How it follows edits of its type in the same save.
    pub conversion: Option<usize>,
}

/// A value that comes back.
pub(super) struct Back {
    /// Where it is.
    pub path: ItemPath,
    /// How the present value comes over it.
    pub conversion: usize,
    /// Its type, and when the present value is what it had become.
    pub ty: Ty,
    pub alike: Vec<Alike>,
    /// Is something lost if it is not?
    pub loses: bool,
}

/// What a commit does to the values that are kept aside.
#[derive(Default)]
pub(crate) struct Aside {
    /// New ones with their memory.
    pub kept: Vec<(ItemPath, GlobalMemory)>,
    /// Those that have come back or are given up.
    pub gone: Vec<ItemPath>,
}

/// What people call a global, or a value that is kept aside for one.
pub(crate) fn called(path: ItemPath, ty: Ty) -> String {
    match path.name.split_once(MARK) {
        Some((name, _)) => format!("{name}{MARK}{ty}"),
        None => path.name.to_string(),
    }
}

/// The global that a value is kept aside for, and its number.
pub(super) fn of_global(path: ItemPath) -> Option<(ItemPath, u64)> {
    let (name, number) = path.name.split_once(MARK)?;
    Some((ItemPath::new(path.module, name), number.parse().ok()?))
}

/// The values that are kept aside, by global, the oldest first: number, path and type.
pub(super) type Kept = FxHashMap<ItemPath, Vec<(u64, ItemPath, Ty)>>;

/// Those of the running version.
pub(super) fn kept(live: &Live) -> Kept {
    let mut found = Kept::default();
    for (path, global) in &live.globals {
        if let Some((of, number)) = of_global(*path) {
            found.entry(of).or_default().push((number, *path, global.ty));
        }
    }
    found.values_mut().for_each(|list| list.sort_unstable_by_key(|(number, ..)| *number));
    found
}

impl Migration {
    /// What becomes of a global. If it gets another type, what it has is kept aside unless that would be all there again,
    /// and what it had when it was of the new type comes back.
    pub(super) fn change(
        &mut self,
        (path, old): (ItemPath, &Global),
        new: Ty,
        (label, declared): (&str, Option<&Declared>),
        known: &[(u64, ItemPath, Ty)],
    ) -> Result<Option<GlobalChange>, NoDefault> {
        let retyped = old.ty != new;
        let back = known.iter().find(|(.., ty)| retyped && *ty == new).map(|(_, path, _)| *path);
        self.planner.keeping = retyped && self.planner.must_keep(old.ty, new);
        let made = match back {
            Some(_) => self.planner.merge((old.ty, new), label).map(Some),
            None => self.planner.variable((old.ty, new), label, declared).map(|made| made.map(|made| (made, 0))),
        };
        let keeps = std::mem::take(&mut self.planner.keeping);
        let Some((conversion, over)) = made? else { return Ok(None) };
        let keep = keeps.then(|| self.keep((path, old), known));
        if keeps {
            self.make_place(known.iter().filter(|(.., ty)| *ty != new));
        }
        self.gone.extend(back);
        let moves_to = self.planner.moves_to(conversion);
        let back = back.map(|path| {
            let (alike, loses) = (self.planner.alike(new, old.ty), self.planner.loses_inside(new, old.ty));
            Back { path, conversion: over, ty: new, alike, loses }
        });
        Ok(Some(GlobalChange { path, ty: old.ty, conversion, moves_to, keep, back }))
    }

    fn keep(&mut self, (path, old): (ItemPath, &Global), known: &[(u64, ItemPath, Ty)]) -> Keep {
        let number = known.last().map_or(0, |(number, ..)| number + 1);
        let path = ItemPath::new(path.module, &format!("{}{MARK}{number}", path.name));
        // What it cannot be is refused for its type.
        let conversion = self.planner.conversion(old.ty, old.ty, &called(path, old.ty)).unwrap_or(None);
        Keep { path, global: Global { init: None, reset: false, ..old.clone() }, conversion }
    }

    /// Gives up the oldest of the values that are kept aside for a global, if there are too many.
    fn make_place<'k>(&mut self, mut known: impl Iterator<Item = &'k (u64, ItemPath, Ty)> + Clone) {
        let many = known.clone().count() >= MOST_KEPT;
        let Some((_, path, ty)) = known.next().filter(|_| many) else { return };
        let of = path.name.split_once(MARK).map_or("", |(name, _)| name);
        self.planner.remarks.push(format!(
            "`{of}` has been of {MOST_KEPT} other types since it was `{ty}`: the value that it had then is given up"
        ));
        self.gone.push(*path);
        self.dropped.push((*path, *ty));
    }

    /// What is given up does not follow edits of its type.
    pub(super) fn leave_dropped(&mut self) {
        let dropped = |path: ItemPath| self.dropped.iter().any(|(other, _)| *other == path);
        self.globals.retain(|change| !dropped(change.path));
        self.roots.retain(|(path, ..)| !dropped(*path));
    }

    /// Enters what is kept aside, and takes out what is not any more.
    pub fn note_kept(&self, globals: &mut FxHashMap<ItemPath, Global>) {
        let kept = self.globals.iter().filter_map(|change| change.keep.as_ref());
        globals.extend(kept.map(|keep| (keep.path, keep.global.clone())));
        self.gone.iter().for_each(|path| _ = globals.remove(path));
    }
}

impl Planner {
    /// Would a value of a type not be all there again that becomes one of another type, and then of its own again?
    pub(super) fn must_keep(&self, old: Ty, new: Ty) -> bool {
        let size = self.old.layout(old).size;
        (1..=LARGEST_KEPT).contains(&size) && !self.returns(old, new)
    }
}

#[cfg(test)]
mod tests {
    use vaisjit_syntax::Name;

    use super::*;

    #[test]
    fn names_tell_for_which_global_a_value_is_kept() {
        let path = |name: &str| ItemPath { module: Name::new("m"), name: Name::new(name) };
        assert_eq!(of_global(path("update.counter: 12")), Some((path("update.counter"), 12)));
        assert_eq!(of_global(path("Ball:Shape.area")), None);
        assert_eq!(called(path("d: 3"), Ty::i64()), "d: i64");
        assert_eq!(called(path("d"), Ty::i64()), "d");
    }
}
