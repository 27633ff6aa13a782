//! Items that stand in two files for a while: who moves something to another file may save the copy first.
//!
//! A copy is an item of the same kind and name as another one, in another module, that comes while that one is there. As long
//! as nothing the program can run mentions it, it has no values of its own. When the first one goes then, or comes back and is
//! used instead of the copy, or the copy is used instead of the first as soon as it comes, the two exchange what they have. A
//! copy that has another text is one only if it is used as soon as the first one is gone.

use std::cell::LazyCell;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::{ItemPath, reached};

use super::{Declared, declared};
use crate::history::KEPT_VERSIONS;
use crate::live::Live;
use crate::workspace::Snapshot;

/// An item and a copy of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Double {
    pub kind: &'static str,
    /// The one with the values.
    pub first: ItemPath,
    /// The copy.
    pub second: ItemPath,
    /// Had it the text of the first?
    same: bool,
    /// Can the program have used the copy, too? Then both have their own values.
    used: bool,
    /// How many versions ago it came, or was exchanged.
    age: usize,
}

/// What becomes of them in a new version.
#[derive(Default)]
pub(super) struct Doubles {
    all: Vec<Double>,
    /// Those that exchange what they have.
    pub exchanged: Vec<Double>,
    /// Globals whose first is gone, while the copy has a value of its own.
    pub apart: Vec<(ItemPath, ItemPath)>,
}

/// The items of a version by kind and path.
pub(super) type Items<'a> = FxHashMap<(&'static str, ItemPath), Declared<'a>>;

pub(super) fn items(snapshot: &Snapshot) -> Items<'_> {
    declared(snapshot, None).into_iter().map(|item| ((item.kind, item.path), item)).collect()
}

impl Doubles {
    /// Compares the running version with a new one. `new` is what only the new one declares.
    pub fn find(live: &Live, (running, snapshot): (&Snapshot, &Snapshot), new: &[(&'static str, ItemPath)]) -> Doubles {
        let mut found = Doubles { all: live.doubles.clone(), ..Doubles::default() };
        if found.all.is_empty() && new.is_empty() {
            return found;
        }
        let (before, after) = (items(running), items(snapshot));
        found.note_used(running, &before);
        found.add(live, (&before, &after), new);
        found.exchange(&after, snapshot, (new, live.doubles.len()));
        found
    }

    /// Notes which copies the running version uses.
    fn note_used(&mut self, running: &Snapshot, before: &Items<'_>) {
        let used = LazyCell::new(|| reached(&running.input, &running.checked));
        for double in self.all.iter_mut().filter(|double| before.contains_key(&(double.kind, double.second))) {
            double.used = double.used || used.contains(&double.second);
        }
    }

    /// Finds those that exchange what they have. So many of them were known before.
    fn exchange(&mut self, after: &Items<'_>, snapshot: &Snapshot, (new, known): (&[(&'static str, ItemPath)], usize)) {
        let is_new = |kind: &'static str, path: ItemPath| new.contains(&(kind, path));
        // Something that comes in this save, elsewhere, is nearer than a copy.
        let is_elsewhere = |double: &Double| {
            let alike =
                |(kind, path): &(&'static str, ItemPath)| *kind == double.kind && path.name == double.first.name;
            new.iter().any(|item| alike(item) && item.1 != double.second)
        };
        let use_now = LazyCell::new(|| reached(&snapshot.input, &snapshot.checked));
        let mut taken: FxHashSet<ItemPath> = FxHashSet::default();
        for (place, double) in self.all.iter().enumerate() {
            let Double { kind, first, second, .. } = *double;
            if !after.contains_key(&(kind, second)) {
                continue;
            }
            let wanted = match after.get(&(kind, first)) {
                None if is_elsewhere(double) => false,
                None if double.same => true,
                None => use_now.contains(&second),
                Some(_) if !is_new(kind, second) || place >= known && !double.same => false,
                Some(_) => use_now.contains(&second) && !use_now.contains(&first),
            };
            if !wanted || taken.contains(&first) || taken.contains(&second) {
                continue;
            }
            if double.used {
                let is_gone = double.same && kind == "global" && !after.contains_key(&(kind, first));
                self.apart.extend(is_gone.then_some((first, second)));
                continue;
            }
            taken.extend([first, second]);
            self.exchanged.push(double.clone());
        }
    }

    /// Adds the copies that come with the new version.
    fn add(&mut self, live: &Live, (before, after): (&Items<'_>, &Items<'_>), new: &[(&'static str, ItemPath)]) {
        let mut living: FxHashMap<(&'static str, &str), Vec<&Declared<'_>>> = FxHashMap::default();
        for item in before.values().filter(|item| after.contains_key(&(item.kind, item.path))) {
            living.entry((item.kind, item.path.name.as_str())).or_default().push(item);
        }
        for (kind, second) in new {
            let Some(copy) = after.get(&(*kind, *second)) else { continue };
            let alike = living.get(&(*kind, second.name.as_str())).into_iter().flatten();
            for (first, same) in alike.map(|first| (first.path, first.item == copy.item)) {
                let pair = [first, *second];
                if self.all.iter().any(|known| pair.contains(&known.first) && pair.contains(&known.second)) {
                    continue;
                }
                // A value that has been kept under its name is one of its own.
                let used = *kind == "global" && live.globals.contains_key(second);
                self.all.push(Double { kind, first, second: *second, same, used, age: 0 });
            }
        }
    }

    /// The items and their copies, once the new version is live under its names.
    pub fn after(mut self, renamed: impl Fn(ItemPath) -> ItemPath) -> Vec<Double> {
        for double in &mut self.all {
            if self.exchanged.contains(double) {
                // Under its name lies what the copy had.
                std::mem::swap(&mut double.first, &mut double.second);
                double.age = 0;
                continue;
            }
            (double.first, double.second) = (renamed(double.first), renamed(double.second));
            double.age += 1;
        }
        self.all.retain(|double| double.age <= KEPT_VERSIONS);
        self.all
    }
}
