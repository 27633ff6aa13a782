//! Makes inputs from texts, for all tests of this crate.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use vaisjit_semantics::program::HostDeclaration;
use vaisjit_semantics::{Checked, Input, ModuleInput};
use vaisjit_syntax::ast::ItemKind;
use vaisjit_syntax::{Diagnostic, FileId, Module, Name, SourceFile, Sources, parse};

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The trees of the library's modules, the same in every input.
pub fn library() -> &'static [(Name, Arc<Module>)] {
    static TREES: LazyLock<Vec<(Name, Arc<Module>)>> = LazyLock::new(|| {
        let folder = std::fs::read_dir(root().join("lang-std/vais")).expect("the library is there");
        let mut files: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let parsed = |path: PathBuf| {
            let name = format!("std/{}", path.file_stem().expect("a name").to_string_lossy());
            let module = parse(&std::fs::read_to_string(&path).expect("a readable module"));
            for item in &module.items {
                assert!(item.diagnostics.is_empty(), "{name} parses: {:?}", item.diagnostics);
            }
            (Name::new(&name), Arc::new(module))
        };
        files.into_iter().map(parsed).collect()
    });
    &TREES
}

/// The tree of the prelude.
pub fn prelude() -> Arc<Module> {
    library().iter().find(|(name, _)| *name == "std/prelude").expect("a prelude").1.clone()
}

/// The input of a program of named modules, the root first.
pub fn input(modules: &[(&str, Arc<Module>)]) -> Input {
    let mut list: Vec<ModuleInput> = modules
        .iter()
        .enumerate()
        .map(|(index, (name, tree))| ModuleInput {
            name: Name::new(name),
            file: FileId(index as u32),
            tree: tree.clone(),
            imports: imports(tree, modules),
        })
        .collect();
    for (index, (name, tree)) in library().iter().enumerate() {
        let imports = imports(tree, &[]);
        list.push(ModuleInput { name: *name, file: FileId(1000 + index as u32), tree: tree.clone(), imports });
    }
    static HOST: LazyLock<Arc<rustc_hash::FxHashMap<Name, HostDeclaration>>> = LazyLock::new(host);
    Input { modules: list, host: HOST.clone(), all_hot: false, needs_main: false, running: None }
}

/// The host function that the prelude itself calls.
fn host() -> Arc<rustc_hash::FxHashMap<Name, HostDeclaration>> {
    let module = parse("N \"host\" { F hot_turn() -> i64 }");
    let ItemKind::Extern(block) = &module.items[0].item.kind else { panic!("a block of host functions") };
    let declaration = HostDeclaration { function: Arc::new(block.functions[0].clone()), flags: Default::default() };
    Arc::new([(Name::new("hot_turn"), declaration)].into_iter().collect())
}

fn imports(tree: &Module, modules: &[(&str, Arc<Module>)]) -> Vec<Result<Name, String>> {
    let mut found = Vec::new();
    for item in &tree.items {
        if let ItemKind::Import(import) = &item.item.kind {
            let path: Vec<&str> = import.path.iter().map(|ident| ident.name.as_str()).collect();
            let path = path.join("/");
            let known = modules.iter().any(|(name, _)| *name == path)
                || library().iter().any(|(name, _)| *name == path.as_str());
            found.push(if known { Ok(Name::new(&path)) } else { Err(format!("there is no module `{path}`")) });
        }
    }
    found
}

/// Checks one text alone.
pub fn check(text: &str) -> (Checked, Sources) {
    let tree = Arc::new(parse(text));
    let checked = vaisjit_semantics::check(&input(&[("main", tree.clone())]), None);
    let mut sources = Sources::default();
    sources.insert(FileId(0), SourceFile { path: "main.vais".into(), text: text.into(), module: tree });
    (checked, sources)
}

/// The parser's diagnostics of a text.
pub fn syntax_errors(text: &str) -> Vec<Diagnostic> {
    parse(text).items.iter().flat_map(|item| item.diagnostics.iter().cloned()).collect()
}

/// `E0301 error 3:5 text` for every diagnostic.
pub fn shown(checked: &Checked, sources: &Sources) -> Vec<String> {
    let position = |diagnostic: &Diagnostic| match sources.position(diagnostic.primary.place) {
        Some((_, position)) => format!("{}:{}", position.line, position.column),
        None => "?".into(),
    };
    checked.diagnostics.iter().map(|d| format!("{} {:?} {} {}", d.code, d.severity, position(d), d.message)).collect()
}
