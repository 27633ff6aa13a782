//! Host functions of one program: the standard library's, the embedder's and those of `std/hot` and `std/thread`,
//! with their declarations.

use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;
use vaisjit_abi::HostFlags;
use vaisjit_semantics::program::HostDeclaration;
use vaisjit_syntax::Name;
use vaisjit_syntax::ast::{Function, ItemKind};

use crate::code::closure::HostClosure;
use crate::engine::{Engine, Error};
use crate::program::ProgramInner;

/// How a host function is reached.
#[derive(Clone)]
pub(crate) enum HostTarget {
    /// An `extern "C"` function that takes the call context first (none if it is a leaf).
    Native(usize),
    /// A closure: call context, environment, arguments.
    Closure(HostClosure),
}

/// One host function.
#[derive(Clone)]
pub(crate) struct HostEntry {
    pub target: HostTarget,
    pub flags: HostFlags,
}

/// All host functions of a program.
pub(crate) struct HostTable {
    entries: FxHashMap<Name, HostEntry>,
    declarations: Arc<FxHashMap<Name, HostDeclaration>>,
}

impl HostTable {
    /// The functions of an engine; those of `std/hot` and `std/thread` act on `program`.
    pub fn new(engine: &Engine, program: Option<Weak<ProgramInner>>) -> Result<HostTable, Error> {
        let mut entries = FxHashMap::default();
        let mut declarations = FxHashMap::default();
        let mut add = |name: &str, signature: &str, target: HostTarget, flags: HostFlags| {
            let function = declaration(name, signature)?;
            let name = Name::new(name);
            declarations.insert(name, HostDeclaration { function, flags });
            entries.insert(name, HostEntry { target, flags });
            Ok::<(), Error>(())
        };
        for function in vaisjit_std::functions() {
            add(&function.name, &function.signature, HostTarget::Native(function.address), function.flags)?;
        }
        for (name, signature, address) in crate::heap::functions() {
            add(name, signature, HostTarget::Native(address), HostFlags { heap: true, ..HostFlags::default() })?;
        }
        for (name, signature, address) in crate::code::host_traps() {
            add(name, signature, HostTarget::Native(address), HostFlags::default())?;
        }
        let program = program.unwrap_or_default();
        for (name, closure, flags) in
            crate::hot::functions(&program).into_iter().chain(crate::threads::functions(&program))
        {
            add(name, &closure.signature.clone(), HostTarget::Closure(closure), flags)?;
        }
        for (name, closure) in engine.functions.iter() {
            add(name, &closure.signature, HostTarget::Closure(closure.clone()), HostFlags::default())?;
        }
        Ok(HostTable { entries, declarations: Arc::new(declarations) })
    }

    /// No functions.
    pub fn empty() -> HostTable {
        HostTable { entries: FxHashMap::default(), declarations: Arc::default() }
    }

    /// The function of this name.
    pub fn get(&self, name: Name) -> Option<&HostEntry> {
        self.entries.get(&name)
    }

    /// The declarations for the checker.
    pub fn declarations(&self) -> Arc<FxHashMap<Name, HostDeclaration>> {
        self.declarations.clone()
    }
}

/// The standard library's texts.
pub(crate) fn library() -> Arc<[(Name, Arc<str>)]> {
    vaisjit_std::modules().iter().map(|(name, text)| (Name::new(name), Arc::from(*text))).collect()
}

/// Parses a signature such as `(x: f64, y: f64) -> i64`.
fn declaration(name: &str, signature: &str) -> Result<Arc<Function>, Error> {
    let wrong = || Error::Other(format!("the host function `{name}` cannot be declared as `{signature}`"));
    let module = vaisjit_syntax::parse(&format!("N \"host\" {{ F {name}{signature} }}"));
    let item = module.items.first().filter(|item| item.diagnostics.is_empty()).ok_or_else(wrong)?;
    match &item.item.kind {
        ItemKind::Extern(block) => block.functions.first().cloned().map(Arc::new).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}
