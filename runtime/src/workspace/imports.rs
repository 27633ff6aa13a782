//! What import items ask for, and where it may be found.

use std::path::PathBuf;
use std::sync::Arc;

use vaisjit_syntax::{Module, Name, ast::ItemKind};

/// The paths of a module's imports, in order.
pub fn requests(tree: &Module) -> Vec<Vec<Name>> {
    tree.items
        .iter()
        .filter_map(|parsed| match &parsed.item.kind {
            ItemKind::Import(import) => Some(import.path.iter().map(|part| part.name).collect()),
            _ => None,
        })
        .collect()
}

/// The files an import may mean, relative to the importing file's folder, with the module names they would get: the
/// file itself, the folder's `mod.vais`, and, as the last part may name an item, the same for the path without it.
pub fn candidates(path: &[Name], prefix: &str) -> Vec<(Name, PathBuf)> {
    let parts: Vec<&str> = path.iter().map(|part| part.as_str()).collect();
    let mut found = Vec::new();
    for length in (1..=parts.len()).rev() {
        let joined = parts[..length].join("/");
        let name = Name::new(&format!("{prefix}{joined}"));
        found.push((name, PathBuf::from(format!("{joined}.vais"))));
        found.push((name, PathBuf::from(format!("{joined}/mod.vais"))));
    }
    if found.is_empty() {
        found.push((Name::new(prefix), PathBuf::from(".vais")));
    }
    found
}

/// Why there is no such library module.
pub fn missing_library_module(path: &[Name], library: &Arc<[(Name, Arc<str>)]>) -> String {
    let asked: Vec<&str> = path.iter().map(|part| part.as_str()).collect();
    let have: Vec<&str> = library.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "std/prelude").collect();
    format!("there is no module `{}` in the standard library; it has {}", asked.join("/"), have.join(", "))
}
