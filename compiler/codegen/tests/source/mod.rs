//! From source text to MIR and to what the interpreter makes of it.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod earlier;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;
use vaisjit_abi::HostFlags;
use vaisjit_codegen::layout::TypeLayouts;
use vaisjit_codegen::lower::Options;
use vaisjit_codegen::mir::dump::dump;
use vaisjit_codegen::mir::interp::{Exit, Interp, Outcome, Program};
use vaisjit_semantics::program::HostDeclaration;
use vaisjit_semantics::{Checked, Input, ModuleInput};
use vaisjit_syntax::ast::ItemKind;
use vaisjit_syntax::{Diagnostic, FileId, Module, Name, SourceFile, Sources, parse};

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().find(|folder| folder.join("Cargo.lock").exists()).expect("the workspace").to_path_buf()
}

fn library(name: &str) -> Arc<Module> {
    let text = std::fs::read_to_string(root().join(format!("lang-std/vais/{name}.vais"))).expect("a library module");
    Arc::new(parse(&text))
}

/// The modules every program may import, the same in every input.
static LIBRARY: LazyLock<Vec<(&str, Arc<Module>)>> = LazyLock::new(|| {
    vec![
        ("std/hashmap", library("hashmap")),
        ("std/math", library("math")),
        ("std/option", library("option")),
        ("std/prelude", library("prelude")),
        ("std/result", library("result")),
        ("std/string", library("string")),
        ("std/vec", library("vec")),
    ]
});

/// Host functions of the runtime that programs here may call.
static HOST: LazyLock<Arc<FxHashMap<Name, HostDeclaration>>> = LazyLock::new(|| {
    let tree = parse("N \"host\" { F exit(status: i64) }");
    let mut table = FxHashMap::default();
    for item in &tree.items {
        if let ItemKind::Extern(declared) = &item.item.kind {
            for function in &declared.functions {
                let declaration = HostDeclaration { function: Arc::new(function.clone()), flags: HostFlags::default() };
                table.insert(function.name.name, declaration);
            }
        }
    }
    Arc::new(table)
});

/// Checks a program of one module; what there is to say of it, by the parser too.
pub fn checked(text: &str) -> (Checked, Sources, Vec<Diagnostic>) {
    let tree = Arc::new(parse(text));
    let modules: Vec<(&str, Arc<Module>)> =
        std::iter::once(("main", tree.clone())).chain(LIBRARY.iter().cloned()).collect();
    let input = Input {
        modules: modules.iter().enumerate().map(|(index, (name, tree))| module(index, name, tree)).collect(),
        host: HOST.clone(),
        all_hot: false,
        needs_main: true,
        running: None,
    };
    let checked = vaisjit_semantics::check(&input, None);
    let mut sources = Sources::default();
    sources.insert(FileId(0), SourceFile { path: "main.vais".into(), text: text.into(), module: tree.clone() });
    let parsed = tree.items.iter().flat_map(|item| item.diagnostics.iter().cloned());
    let diagnostics = parsed.chain(checked.diagnostics.iter().cloned()).collect();
    (checked, sources, diagnostics)
}

/// Checks a program of one module; its errors as `line:column text`.
pub fn check(text: &str) -> Result<(Checked, Sources), Vec<String>> {
    let (checked, sources, diagnostics) = checked(text);
    let errors: Vec<String> = diagnostics
        .into_iter()
        .filter(Diagnostic::is_error)
        .filter_map(|error| {
            // The library names host functions that only the runtime has; programs here do not call them.
            let position = sources.position(error.primary.place)?.1;
            Some(format!("{}:{} {} {}", position.line, position.column, error.code, error.message))
        })
        .collect();
    if errors.is_empty() { Ok((checked, sources)) } else { Err(errors) }
}

fn module(index: usize, name: &str, tree: &Arc<Module>) -> ModuleInput {
    let imports = tree.items.iter().filter_map(|item| match &item.item.kind {
        ItemKind::Import(import) => {
            let path: Vec<&str> = import.path.iter().map(|ident| ident.name.as_str()).collect();
            Some(Ok(Name::new(&path.join("/"))))
        }
        _ => None,
    });
    ModuleInput { name: Name::new(name), file: FileId(index as u32), tree: tree.clone(), imports: imports.collect() }
}

/// Runs a program, optimised or not, hot or not: all must agree.
pub fn run(text: &str) -> Result<(Outcome, Sources), String> {
    let (checked, sources) = check(text).map_err(|errors| errors.join("\n"))?;
    let (natural, edited) = (TypeLayouts::new(&checked), earlier::layouts(&checked));
    let mut first: Option<Outcome> = None;
    let all = [Options::all(true), Options::all(false), Options::plain(true), Options::plain(false)];
    let edited = [Options::all(true), Options::plain(true)].map(|options| (options, &edited));
    for (options, layouts) in all.map(|options| (options, &natural)).into_iter().chain(edited) {
        let program = Program::lower(&checked, layouts, options).map_err(|error| error.to_string())?;
        let outcome = Interp::new(&program, layouts).run_main();
        if options.hot {
            resumed_alike(&checked, layouts, options, program.clone(), &outcome)?;
        }
        if let Exit::Bug(bug) = &outcome.exit {
            return Err(format!("{options:?}: {bug}"));
        }
        if !outcome.leaked.is_empty() && !may_leak(text) {
            return Err(format!("{options:?}: leaked {}", outcome.leaked.join("; ")));
        }
        match &first {
            Some(first) if (&first.output, end(&first.exit)) != (&outcome.output, end(&outcome.exit)) => {
                return Err(format!("{options:?}: {outcome:?} instead of {first:?}"));
            }
            Some(_) => {}
            None => first = Some(outcome),
        }
    }
    first.map(|outcome| (outcome, sources)).ok_or_else(|| "no mode".to_owned())
}

/// A program whose loops go on in other code at their polls does the same.
fn resumed_alike(
    checked: &Checked,
    layouts: &TypeLayouts,
    options: Options,
    mut program: Program,
    undisturbed: &Outcome,
) -> Result<(), String> {
    let refused = program.resume_everywhere(checked, layouts, options);
    if std::env::var_os("VAISJIT_REFUSED").is_some() {
        refused.iter().for_each(|(instance, cannot)| println!("{instance}: {}", cannot.why));
    }
    let outcome = Interp::new(&program, layouts).run_main();
    let seen = |outcome: &Outcome| (outcome.output.clone(), end(&outcome.exit), outcome.leaked.clone());
    if seen(&outcome) == seen(undisturbed) {
        return Ok(());
    }
    Err(format!("{options:?}, resumed at polls: {outcome:?} instead of {undisturbed:?}"))
}

/// Does a program say that it leaks on purpose?
fn may_leak(text: &str) -> bool {
    text.lines().any(|line| line.trim_end() == "#~ leaks")
}

/// An end without its place.
fn end(exit: &Exit) -> String {
    match exit {
        Exit::Trap(trap) => format!("trap {:?} {:?}", trap.code, trap.message),
        other => format!("{other:?}"),
    }
}

/// The MIR of the program's own functions, everything on.
pub fn mir(text: &str, hot: bool) -> Result<String, String> {
    let (checked, _) = check(text).map_err(|errors| errors.join("\n"))?;
    let layouts = TypeLayouts::new(&checked);
    let mut dumps = String::new();
    for (instance, function) in &checked.functions {
        if instance.path.module.as_str() == "main" {
            let body = vaisjit_codegen::lower::lower(&function.body, &checked, &layouts, hot);
            dumps.push_str(&body.map(|body| dump(&body)).unwrap_or_else(|error| format!("{error}\n")));
        }
    }
    Ok(dumps)
}
