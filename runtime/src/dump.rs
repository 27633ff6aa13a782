//! What the compiler made of a program, stage by stage, as text for people.

use std::path::Path;
use std::sync::Arc;

use vaisjit_codegen::isa;
use vaisjit_codegen::layout::LayoutHistory;
use vaisjit_codegen::mir;
use vaisjit_codegen::unit::UnitInput;
use vaisjit_codegen::unit::dump::{self as machine, Stage};
use vaisjit_semantics::{Checked, Instance, hir};
use vaisjit_syntax::dump;

use crate::engine::{Engine, Error};
use crate::events::Diagnostics;
use crate::host::HostTable;
use crate::reload::compile::{Lowered, lower};
use crate::reload::links::{Links, UnitLinker};
use crate::reload::prepare::{Mode, bodies};
use crate::workspace::{DiskLoader, Snapshot};

/// A stage of the compiler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DumpStage {
    /// The tokens of the root file, as the grammar sees them.
    Tokens,
    /// The tree of the root file.
    Ast,
    /// The typed tree.
    Hir,
    /// The flow graph.
    Mir,
    /// The code generator's input, before its optimisations.
    Clif,
    /// The instructions of the machine.
    Asm,
}

impl Engine {
    /// What the compiler makes of a program at a stage, as text: all of its own functions, or those of this name (`f`,
    /// `Type.method` or `module.f`; every instance of a generic one). Tokens and trees are shown of texts with
    /// mistakes, too.
    pub fn dump(&self, path: impl AsRef<Path>, stage: DumpStage, function: Option<&str>) -> Result<String, Error> {
        let mut workspace = self.open(path.as_ref(), Arc::new(DiskLoader))?;
        let snapshot = workspace.snapshot();
        let text = match stage {
            DumpStage::Tokens => Ok(tokens(&snapshot)),
            DumpStage::Ast => Ok(tree(&snapshot, function)),
            _ if snapshot.has_errors() => Err(Error::Rejected(self.diagnostics(&snapshot))),
            DumpStage::Hir => Ok(chosen(&snapshot.checked, function).map(|(_, body)| typed(body)).collect()),
            _ => self.lowered(&snapshot, stage, function),
        }?;
        match function {
            Some(name) if text.is_empty() => Err(Error::Other(format!("there is no function `{name}` to show"))),
            _ => Ok(text),
        }
    }

    fn lowered(&self, snapshot: &Snapshot, stage: DumpStage, function: Option<&str>) -> Result<String, Error> {
        let host = HostTable::new(self, None)?;
        let hot = !self.options.static_mode;
        let polled = hot && self.options.safepoints;
        let layouts = Mode { hot, polled, pauses: false }.layouts(&snapshot.checked, &LayoutHistory::default());
        let mut all = Vec::new();
        let mut mistakes = Vec::new();
        for (instance, body) in bodies(&snapshot.checked) {
            match lower(body, &snapshot.checked, &layouts, polled, &host) {
                Ok(lowered) => all.push((instance, lowered)),
                Err(found) => mistakes.push(*found),
            }
        }
        if !mistakes.is_empty() {
            let diagnostics = Diagnostics { list: mistakes.into(), sources: snapshot.sources.clone() };
            return Err(Error::Rejected(diagnostics));
        }
        let links = links(&snapshot.checked, &all, hot);
        let linker = UnitLinker { links: &links, hot: polled, inlines: !hot, host: &host, guards: &|_| false };
        let isa = isa::isa(self.options.opt_level).map_err(Error::Other)?;
        let mut text = String::new();
        for (_, lowered) in all.iter().filter(|(instance, _)| is_chosen(*instance, function)) {
            text += &match stage {
                DumpStage::Mir => mir::dump::dump(&lowered.body),
                _ => {
                    let stage = if stage == DumpStage::Asm { Stage::Asm } else { Stage::Clif };
                    let input = UnitInput { functions: vec![&lowered.body], inline: Vec::new(), keep: vec![] };
                    machine::dump(stage, &lowered.body, &input, &layouts, &linker, &*isa)
                        .map_err(|error| Error::Other(error.to_string()))?
                }
            };
            text.push('\n');
        }
        Ok(text)
    }
}

/// How a first version is linked.
fn links(checked: &Checked, all: &[(Instance, Lowered)], hot: bool) -> Links {
    if !hot {
        return Links::direct();
    }
    let summaries = all.iter().map(|(instance, lowered)| (*instance, &lowered.summary));
    Links::choose(summaries, &|instance| checked.functions.get(&instance).is_some_and(|function| function.hot))
}

fn tokens(snapshot: &Snapshot) -> String {
    let root = snapshot.sources.get(snapshot.input.modules[0].file);
    root.map(|file| dump::dump_tokens(&file.text)).unwrap_or_default()
}

fn tree(snapshot: &Snapshot, function: Option<&str>) -> String {
    let tree = &snapshot.input.modules[0].tree;
    match function {
        Some(name) => dump::dump_named(tree, name.rsplit('.').next().unwrap_or(name)),
        None => dump::dump(tree),
    }
}

fn typed(body: &hir::Body) -> String {
    vaisjit_semantics::dump::dump_body(body) + "\n"
}

fn chosen<'c>(checked: &'c Checked, function: Option<&'c str>) -> impl Iterator<Item = (Instance, &'c Arc<hir::Body>)> {
    bodies(checked).filter(move |(instance, _)| is_chosen(*instance, function))
}

/// Is it the function of this name, a closure in it, or, without a name, one that is not the library's?
fn is_chosen(instance: Instance, function: Option<&str>) -> bool {
    let path = instance.path;
    let name = path.name.as_str();
    let whole = path.to_string();
    match function {
        None => !path.module.starts_with("std/"),
        Some(wanted) => {
            let method = name.rsplit('.').next().unwrap_or(name);
            name == wanted || whole == wanted || method == wanted || name.starts_with(&format!("{wanted}."))
        }
    }
}
