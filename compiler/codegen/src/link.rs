//! What compiled code is linked against: imports with symbols made of names, never of addresses, so that compilation is
//! a function of the program's text.

use std::fmt;
use std::sync::Arc;

use vaisjit_semantics::{Instance, ItemPath, Renames, Ty};
use vaisjit_syntax::Name;

use crate::mir::Signature;

/// How a function of the program is reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Link {
    /// Through the slot of its instance and signature.
    Slot,
    /// Straight: the symbol of its code, or the function itself when it is compiled in the same unit.
    Direct,
}

/// Decides how functions are reached.
pub trait Linker {
    /// How `caller` calls `callee`.
    fn link(&self, caller: Instance, callee: Instance) -> Link;
    /// Is this a hot program: are loops polled and locals of looping functions kept on the data stack?
    fn hot(&self) -> bool;
    /// May a direct call of `callee` be replaced by its body in `caller`? The answer may depend on who depends on whom:
    /// an inlined callee is a part of its caller.
    fn may_inline(&self, _caller: Instance, _callee: Instance) -> bool {
        false
    }
    /// Do the calls that `caller` makes through slots load the guarded word: shall it outlive the traps of what it calls?
    fn guards(&self, _caller: Instance) -> bool {
        false
    }
    /// Does this host function work on the heap (see `HostFlags`)?
    fn heap(&self, _host: Name) -> bool {
        false
    }
    /// Is this host function a leaf (see `HostFlags`)?
    fn leaf(&self, _host: Name) -> bool {
        false
    }
}

/// The identity of a slot: a function and the types it is called with. A changed signature is another slot.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SlotKey {
    /// The function.
    pub instance: Instance,
    /// The types.
    pub signature: Signature,
}

impl SlotKey {
    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> SlotKey {
        SlotKey { instance: renames.instance(self.instance), signature: self.signature.renamed(renames) }
    }
}

impl fmt::Display for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.instance)?;
        for (index, param) in self.signature.params.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{param}")?;
        }
        write!(f, ") -> {}", self.signature.result)
    }
}

/// The table of methods of the `dyn`s that are made of values of one type. There is one for each trait and type, and it
/// stays where it is: a reload changes what is in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DynTable {
    /// The trait.
    pub of_trait: ItemPath,
    /// The type of the values.
    pub of: Ty,
    /// The number of each method and the slot behind it.
    pub entries: Box<[(u32, SlotKey)]>,
}

impl DynTable {
    /// What tells it from other tables.
    pub fn identity(&self) -> (ItemPath, Ty) {
        (self.of_trait, self.of)
    }

    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> DynTable {
        DynTable {
            of_trait: renames.path(self.of_trait),
            of: renames.ty(self.of),
            entries: self.entries.iter().map(|(number, key)| (*number, key.renamed(renames))).collect(),
        }
    }

    /// The functions in it.
    pub fn keys(&self) -> impl Iterator<Item = &SlotKey> {
        self.entries.iter().map(|(_, key)| key)
    }
}

/// Something outside a unit that its code refers to. Its symbol is its `Display` text.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Import {
    /// Data: the slot of a function, one pointer to code.
    Slot(SlotKey),
    /// Code of a function in another unit, called directly.
    Function(Instance),
    /// Code: the cleanup of a function of the same unit.
    Cleanup(Instance),
    /// Data: a global variable.
    Global(ItemPath),
    /// Data: the first byte of a literal in the program's string pool.
    Str(Arc<str>),
    /// Data: what the runtime knows of a type.
    Type(Ty),
    /// Data: the table of methods of a `dyn`.
    Table(Arc<DynTable>),
    /// Code: an exit thunk for a C or host function called with these ABI types.
    Thunk(ThunkKey),
    /// Code: a leaf host function or a plain C math function, called without a thunk.
    Leaf(Name),
    /// Code: the safepoint thunk.
    Safepoint,
}

impl Import {
    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> Import {
        match self {
            Import::Slot(key) => Import::Slot(key.renamed(renames)),
            Import::Function(instance) => Import::Function(renames.instance(*instance)),
            Import::Cleanup(instance) => Import::Cleanup(renames.instance(*instance)),
            Import::Global(path) => Import::Global(renames.path(*path)),
            Import::Type(ty) => Import::Type(renames.ty(*ty)),
            Import::Table(table) => Import::Table(Arc::new(table.renamed(renames))),
            Import::Str(_) | Import::Thunk(_) | Import::Leaf(_) | Import::Safepoint => self.clone(),
        }
    }
}

/// Which exit thunk.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ThunkKey {
    /// What it calls.
    pub target: ThunkTarget,
    /// The ABI types, as text (`AbiSignature`'s `Display`): part of the symbol.
    pub signature: crate::thunks::AbiSignature,
}

/// What an exit thunk calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ThunkTarget {
    /// A host function; it gets the call context first.
    Host(Name),
    /// A C function; for a variadic one the number of fixed parameters.
    C(Name, Option<u32>),
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Import::Slot(key) => write!(f, "slot:{key}"),
            Import::Function(instance) => write!(f, "code:{instance}"),
            Import::Cleanup(instance) => write!(f, "cleanup:{instance}"),
            Import::Global(path) => write!(f, "global:{path}"),
            Import::Str(text) => write!(f, "str:{text}"),
            Import::Type(ty) => write!(f, "type:{}", ty.qualified()),
            Import::Table(table) => write!(f, "table:{}:{}", table.of_trait, table.of.qualified()),
            Import::Thunk(key) => write!(f, "thunk:{key}"),
            Import::Leaf(name) => write!(f, "leaf:{name}"),
            Import::Safepoint => f.write_str("rt:safepoint_thunk"),
        }
    }
}

impl fmt::Display for ThunkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.target {
            ThunkTarget::Host(name) => write!(f, "host:{name}{}", self.signature),
            ThunkTarget::C(name, None) => write!(f, "c:{name}{}", self.signature),
            ThunkTarget::C(name, Some(fixed)) => write!(f, "c:{name}{}...{fixed}", self.signature),
        }
    }
}
