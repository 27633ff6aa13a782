//! What the author is told when the values in memory are in the way of an edit.

use rustc_hash::FxHashSet;
use vaisjit_semantics::{ItemPath, Ty};

use super::{Denied, Migration, Trial};
use crate::heap::migrate::{Found, Refusal, Role};
use crate::linkage::Linkage;
use crate::reload::diff::name_of;
use crate::reload::migrate::aside::called;
use crate::reload::migrate::known::Known;
use crate::reload::migrate::plan::{NoDefault, Planner};
use crate::reload::migrate::without_default;

impl Migration {
    /// What the author is told of a value that must not be there.
    pub(super) fn must_not_be(&self, linkage: &Linkage, trial: &Trial, region: usize, found: &Found) -> Denied {
        let wanted = match found.why {
            Refusal::Variant(ty, _) => ty,
            Refusal::Lacks(_) | Refusal::None(_) => Ty::unit(),
        };
        let (holder, is_removed) = self.holder_of(linkage, trial, (region, wanted), found);
        let (name, why, help) = match found.why {
            Refusal::Variant(ty, variant) => (
                name_of(ty),
                format!("variant `{variant}` was removed, and {holder} holds a value of it"),
                if is_removed {
                    format!("bring the global back and give it another value first, or keep `{variant}`")
                } else {
                    format!(
                        "give {holder} another value first, or keep the variant, or name the one it becomes: `#[was(\"{variant}\")]`"
                    )
                },
            ),
            Refusal::Lacks(number) => {
                let NoDefault { label, ty } = &self.planner.lacking[number as usize];
                let owner = label.rsplit_once('.').map_or(&**label, |(owner, _)| owner).to_owned();
                let what = without_default(*ty);
                let why = format!(
                    "{holder} was made while `{label}` was gone, which would have to start with a value of type `{ty}`, and {what} has none"
                );
                (owner, why, format!("declare a default for the field, or make it an `Option<{ty}>`"))
            }
            Refusal::None(number) => {
                let NoDefault { label, ty } = &self.planner.lacking[number as usize];
                let owner = label.rsplit_once('.').map_or(&**label, |(owner, _)| owner).to_owned();
                let what = without_default(*ty);
                let place = match trial.regions.get(region) {
                    Some(_) if *label == owner => holder,
                    Some(_) => format!("`{label}` of {holder}"),
                    None => format!("`{label}`, or an element of it,"),
                };
                let why =
                    format!("{place} is `None`, and would have to start with a value of type `{ty}`: {what} has none");
                (owner, why, "give it a value first, declare a default, or let it be an `Option` as it is".to_owned())
            }
        };
        Denied { pinned_by: None, name, why, help }
    }

    /// Who holds it, as people call it, and whether that is a global that has been removed.
    fn holder_of(&self, linkage: &Linkage, trial: &Trial, (region, ty): (usize, Ty), found: &Found) -> (String, bool) {
        let Some(region_of) = trial.regions.get(region) else {
            return (format!("an element of a collection that is made anew, of type `{ty}`,"), false);
        };
        match region_of.role {
            Role::Global(number) => {
                let global = &self.globals[number];
                let mut path = called(global.path, global.ty);
                self.planner.old.path_to(global.ty, found.address - region_of.at, ty, &mut path);
                self.perhaps_removed(format!("global `{path}`"), global.path)
            }
            Role::Elements(block, _) | Role::Entries(block, _) | Role::Block(block, _) => {
                let holder = self.holder(trial, region, found.index);
                match self.root_of(linkage, block) {
                    Some((path, root)) => self.perhaps_removed(format!("{holder} reached from global `{root}`"), path),
                    None => (holder, false),
                }
            }
            Role::Local(_) => (self.holder(trial, region, found.index), false),
        }
    }

    fn perhaps_removed(&self, holder: String, global: ItemPath) -> (String, bool) {
        match self.removed.contains(&global) {
            true => (format!("{holder}, whose value is kept,"), true),
            false => (holder, false),
        }
    }

    /// A global that leads to a block of the heap.
    fn root_of(&self, linkage: &Linkage, block: usize) -> Option<(ItemPath, String)> {
        let heap = linkage.heap();
        let none = FxHashSet::default();
        let leads = |(path, ty, _): &&(ItemPath, Ty, Ty)| {
            let references = self.planner.references_before(*ty);
            let first = linkage.global(*path).map(|memory| references.found(memory.address()));
            first.is_some_and(|first| heap.reached(first, &none).contains(&block))
        };
        self.roots.iter().find(leads).map(|(path, ty, _)| (*path, called(*path, *ty)))
    }

    /// How people call the value at an index of a region.
    fn holder(&self, trial: &Trial, region: usize, index: usize) -> String {
        match trial.regions[region].role {
            Role::Global(number) => {
                let global = &self.globals[number];
                format!("global `{}`", called(global.path, global.ty))
            }
            Role::Local(number) => trial.locals[number].clone(),
            Role::Elements(_, ty) => format!("element {index} of a `{ty}`"),
            Role::Entries(_, ty) => format!("a `{ty}`"),
            Role::Block(_, ty) => format!("a `{ty}` on the heap"),
        }
    }

    /// What the author is told of a value that would lose a part at which somebody points.
    pub(super) fn loses_part(&self, linkage: &Linkage, trial: &Trial, region: usize, who: &str) -> Denied {
        let (name, holder) = match trial.regions.get(region) {
            Some(found) => {
                let (old, _) = self.planner.conversions[found.conversion].types;
                (name_of(old), self.holder(trial, region, 0))
            }
            None => self.container(linkage, trial, region - trial.regions.len()),
        };
        Denied {
            pinned_by: None,
            name,
            why: format!("{who} points at a part of {holder} that would be gone, or of another type"),
            help: "let it point at something else first (0 will do for a pointer), or keep that part".to_owned(),
        }
    }

    /// What a container that is made anew is called, in a report and in a sentence.
    fn container(&self, linkage: &Linkage, trial: &Trial, number: usize) -> (String, String) {
        let Some((handle, rebuild, _)) = trial.rebuilt.before().nth(number) else { return Default::default() };
        let (old, _) = self.planner.rebuilds[rebuild as usize].types;
        match self.root_of(linkage, handle) {
            Some((path, root)) => (path.name.to_string(), format!("a `{old}` reached from global `{root}`")),
            None => (name_of(old), format!("a `{old}`")),
        }
    }

    pub(super) fn grows(&self, trial: &Trial, region: usize, room: usize) -> Denied {
        let conversion = &self.planner.conversions[trial.regions[region].conversion];
        let grown = self.grown_in(conversion.types.1);
        let name = name_of(grown.unwrap_or(conversion.types.1));
        let room_for = grown.map_or(conversion.to_size, |grown| self.planner.new.size(grown));
        let holder = self.holder(trial, region, 0);
        let rest = match trial.main_runs {
            true => {
                "undo the edit, or start `main` again with the globals kept: `R` in the terminal, `hot_restart()` in the \
                 program"
            }
            false => "or undo the edit",
        };
        let why = match (conversion.from_size, conversion.to_size) {
            (has, needs) if has == needs => {
                let align = |known: &Known, ty: Ty| known.layout(ty).align;
                let (old, new) = conversion.types;
                let (before, align) = (align(&self.planner.old, old), align(&self.planner.new, new));
                match before == align {
                    true => format!("{holder} would have to be put together anew in another place"),
                    false => {
                        format!("{holder} would have to lie at a multiple of {align}, and cannot be brought to one")
                    }
                }
            }
            (has, needs) => {
                format!(
                    "{holder} has {has} bytes and would need {needs}, of which there is room for {room} where it lies"
                )
            }
        };
        Denied {
            pinned_by: None,
            why,
            help: format!("reserve room in the type with `#[reserve({room_for})]` and restart, {rest}"),
            name,
        }
    }

    /// The type that makes values of this one larger: itself, or the innermost one inside that has grown.
    fn grown_in(&self, ty: Ty) -> Option<Ty> {
        let Planner { old, new, counted, .. } = &self.planner;
        let has_grown = |of: &Ty| new.holds(ty, *of) && new.size(*of) > old.size(*of);
        let grown: Vec<Ty> = counted.iter().copied().filter(has_grown).collect();
        let is_innermost = |of: &Ty| !grown.iter().any(|inner| inner != of && new.holds(*of, *inner));
        grown.iter().copied().find(is_innermost)
    }
}

/// There is no room for the new values.
pub(crate) fn out_of_memory(ty: Ty) -> Denied {
    Denied {
        pinned_by: None,
        name: name_of(ty),
        why: "there is no memory to bring its values into their new shape".to_owned(),
        help: "undo the edit, or restart with the new version".to_owned(),
    }
}

/// Code that computes a value in a trial, for people.
pub(crate) fn computing(name: &str) -> String {
    match name.strip_prefix("{default}") {
        Some(field) => format!("the code of the default of `{field}`"),
        None => format!("the code of the first value of `{}`", name.trim_start_matches("{init}")),
    }
}

/// What the author is told of code that failed in a trial.
pub(crate) fn failed(name: &str, why: &str) -> Denied {
    let help = "mend it, or give it a literal value and set it from a function".to_owned();
    match name.strip_prefix("{default}") {
        Some(field) => {
            let ty = field.rsplit_once('.').map_or(field, |(ty, _)| ty);
            Denied {
                name: ty.to_owned(),
                why: format!("computing the default of `{field}` failed: {why}"),
                help,
                pinned_by: None,
            }
        }
        None => {
            let name = name.trim_start_matches("{init}").to_owned();
            Denied { name, why: format!("computing its first value failed: {why}"), help, pinned_by: None }
        }
    }
}

/// What the author is told of code in a trial that could meet values in their old shape.
pub(crate) fn sees_old(name: &str, global: &str) -> Denied {
    let why = format!("it uses global `{global}`, whose values change in the same save");
    if name.starts_with('{') {
        let help = "save the change of the values first, and then this".to_owned();
        return Denied { help, ..failed(name, &why) };
    }
    let help = "let the migration look at nothing but its two arguments".to_owned();
    Denied { name: name.to_owned(), why: format!("as a migration {why}"), help, pinned_by: None }
}
