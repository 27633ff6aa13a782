//! Which items a save edited that no entry of the report names yet: constants, aliases, traits, imports and what else has
//! no code of its own, and functions and types whose edit changes nothing that runs. So that no edit is passed over.

use std::path::Path;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_syntax::ast::{Item, ItemKind};
use vaisjit_syntax::{Name, ParsedItem, SourceFile};

use crate::report::{Edit, Location, Outcome, Report};
use crate::workspace::Snapshot;

/// Adds them to a report that is complete otherwise, but for items that go by another name now. Whether code changes is not known yet: all count as without.
pub(crate) fn report(old: &Snapshot, new: &Snapshot, renamed: &[(&'static str, Name)], report: &mut Report) {
    let mut found = Vec::new();
    for (path, file) in own_files(new) {
        match own_files(old).find(|(known, _)| *known == path) {
            Some((_, before)) if Arc::ptr_eq(&before.module, &file.module) => {}
            Some((_, before)) => compare(before, file, &mut found),
            None => found.push(whole_file(path, "added")),
        }
    }
    let is_gone = |path: &Path| !own_files(new).any(|(kept, _)| kept == path);
    found.extend(own_files(old).filter(|(path, _)| is_gone(path)).map(|(path, _)| whole_file(path, "removed")));
    let is_renamed = |edit: &Edit| {
        edit.change == "removed" && renamed.iter().any(|(kind, name)| *kind == edit.kind && *name == *edit.name)
    };
    found.retain(|edit| !is_named(report, edit) && !is_renamed(edit));
    report.items = found;
}

fn own_files(snapshot: &Snapshot) -> impl Iterator<Item = (&Path, &SourceFile)> {
    let files = snapshot.sources.iter().map(|(_, file)| (&*file.path, file));
    files.filter(|(path, _)| snapshot.files.iter().any(|own| own == path))
}

fn whole_file(path: &Path, change: &'static str) -> Edit {
    let at = (change == "added").then(|| Location { file: path.to_path_buf(), line: 1, column: 1 });
    edit("file", path.display().to_string(), change, at)
}

fn edit(kind: &'static str, name: String, change: &'static str, at: Option<Location>) -> Edit {
    Edit { kind, name, change, outcome: Outcome::NoCode, at }
}

/// The items that only one of two texts of a file has, by kind and name.
fn compare(old: &SourceFile, new: &SourceFile, found: &mut Vec<Edit>) {
    let only = |one: &SourceFile, other: &SourceFile| -> Vec<(&'static str, String, ParsedItem)> {
        let shared: FxHashSet<*const Item> =
            other.module.differing(&one.module).iter().map(|parsed| Arc::as_ptr(&parsed.item)).collect();
        let own =
            one.module.differing(&other.module).iter().filter(|parsed| !shared.contains(&Arc::as_ptr(&parsed.item)));
        own.filter_map(|parsed| named(one, parsed).map(|(kind, name)| (kind, name, parsed.clone()))).collect()
    };
    let mut before: FxHashMap<(&'static str, String), Vec<Arc<Item>>> = FxHashMap::default();
    for (kind, name, parsed) in only(old, new) {
        before.entry((kind, name)).or_default().push(parsed.item);
    }
    for (kind, name, parsed) in only(new, old) {
        let change = match before.get_mut(&(kind, name.clone())).and_then(Vec::pop) {
            // Its spaces and comments only, or its place in the file.
            Some(item) if item == parsed.item => continue,
            Some(_) => "changed",
            None => "added",
        };
        found.push(edit(kind, name, change, Some(place(new, &parsed))));
    }
    let mut removed: Vec<(&'static str, String)> =
        before.into_iter().flat_map(|(key, left)| left.into_iter().map(move |_| key.clone())).collect();
    removed.sort_unstable();
    found.extend(removed.into_iter().map(|(kind, name)| edit(kind, name, "removed", None)));
}

fn place(file: &SourceFile, parsed: &ParsedItem) -> Location {
    let at = parsed.start as usize + parsed.item.head.start as usize;
    let position = vaisjit_syntax::source::position_in(&file.text, at);
    Location { file: file.path.clone(), line: position.line, column: position.column }
}

/// What people call an item.
fn named(file: &SourceFile, parsed: &ParsedItem) -> Option<(&'static str, String)> {
    let head = || {
        let (start, span) = (parsed.start as usize, parsed.item.head);
        let text = file.text.get(start + span.start as usize..start + span.end as usize).unwrap_or_default();
        text.get(1..).unwrap_or_default().trim().to_owned()
    };
    Some(match &parsed.item.kind {
        ItemKind::Function(function) => ("function", function.name.name.to_string()),
        ItemKind::Struct(item) => ("struct", item.name.name.to_string()),
        ItemKind::Enum(item) => ("enum", item.name.name.to_string()),
        ItemKind::Trait(item) => ("trait", item.name.name.to_string()),
        ItemKind::Const(item) => ("constant", item.name.name.to_string()),
        ItemKind::Global(item) => ("global", item.name.name.to_string()),
        ItemKind::Alias(item) => ("alias", item.name.name.to_string()),
        ItemKind::Impl(_) => ("impl", head()),
        ItemKind::Import(_) => ("import", head()),
        ItemKind::Extern(item) => {
            let names: Vec<&str> = item.functions.iter().map(|function| function.name.name.as_str()).collect();
            ("extern", names.join(", "))
        }
        ItemKind::Error => return None,
    })
}

/// Has an entry said what becomes of it?
fn is_named(report: &Report, edit: &Edit) -> bool {
    report.edits.iter().any(|known| match edit.kind {
        // Its methods are functions: `Point.sum`, `Point:Named.tag`.
        "impl" => {
            let target = edit.name.split([':', ' ', '<']).next().unwrap_or_default();
            known.kind == "function"
                && known.name.strip_prefix(target).is_some_and(|rest| rest.starts_with(['.', ':', '<']))
        }
        kind => known.kind == kind && known.name == edit.name,
    })
}
