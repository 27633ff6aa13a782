//! What a check keeps for the next one.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vaisjit_syntax::{Diagnostic, Place};

use crate::hir;
use crate::index::ModuleTable;
use crate::interface::Entry;
use crate::program::{Global, Signature};
use crate::types::{Instance, ItemPath, Ty};
use crate::world::Dep;

/// Everything a check knows, shared by the checks that follow.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Were the warnings made that only `--warn all` shows?
    pub lints: bool,
    pub tables: Vec<Arc<ModuleTable>>,
    pub interfaces: Arc<FxHashMap<ItemPath, Arc<Entry>>>,
    /// The plain functions and initial values of each module, by declaration.
    pub bodies: Vec<Arc<Vec<Option<Arc<BodyEntry>>>>>,
    /// The bodies of generic functions, by instance.
    pub instances: Arc<FxHashMap<Instance, Arc<BodyEntry>>>,
    /// Does any interface depend on calls of it?
    pub infers: bool,
}

/// A checked body.
#[derive(Debug)]
pub(crate) struct BodyEntry {
    /// Absent when there were errors.
    pub body: Option<Arc<hir::Body>>,
    /// The bodies of the closures made in it.
    pub closures: Vec<Arc<hir::Body>>,
    pub signature: Arc<Signature>,
    pub head: Place,
    pub hot: bool,
    pub inline: bool,
    pub test: bool,
    pub hook: Option<crate::program::Hook>,
    pub diagnostics: Vec<Diagnostic>,
    pub deps: Box<[Dep]>,
    /// Generic instances it calls, with where it first does.
    pub requests: Vec<(Instance, Place)>,
    /// Generic struct and enum instances in its types.
    pub types: Vec<Ty>,
    /// Globals declared inside.
    pub globals: Vec<(ItemPath, Global)>,
}
