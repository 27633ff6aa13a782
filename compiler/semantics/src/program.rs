//! What goes into a check and what comes out of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use vaisjit_abi::HostFlags;
use vaisjit_syntax::{Diagnostic, FileId, ItemId, Module, Name, Place, Span, ast};

use crate::hir;
use crate::{Instance, ItemPath, Ty};

/// An `IndexMap` with the fast hasher.
pub type FxIndexMap<K, V> = IndexMap<K, V, FxBuildHasher>;

/// Everything a check depends on.
#[derive(Clone, Debug)]
pub struct Input {
    /// All modules: the root first, the prelude and the standard library's last.
    pub modules: Vec<ModuleInput>,
    /// Host functions by name, with their parsed declarations.
    pub host: Arc<FxHashMap<Name, HostDeclaration>>,
    /// Treat every function as `#[hot]`.
    pub all_hot: bool,
    /// Must there be a `main`?
    pub needs_main: bool,
    /// The version that is running, if one is.
    pub running: Option<Running>,
}

/// What is running: its closures keep their numbers ([`crate::owner_and_number`]).
#[derive(Clone, Debug)]
pub struct Running {
    /// The program.
    pub checked: Arc<Checked>,
    /// For functions with closures, the first number that none of these has had yet in any version.
    pub closures: Arc<FxHashMap<Instance, u32>>,
    /// The closures that earlier versions had, of which there may be values still: one that comes back is the same again.
    pub gone: Arc<[Arc<hir::Body>]>,
}

/// A module and what its imports mean.
#[derive(Clone, Debug)]
pub struct ModuleInput {
    /// Its name: `game`, `ui/menu`, `std/math`; `std/prelude` is imported by every module.
    pub name: Name,
    /// The file it stands in.
    pub file: FileId,
    /// Its tree.
    pub tree: Arc<Module>,
    /// What each import item of the tree, in order, names: a module of this input, or why there is none.
    pub imports: Vec<Result<Name, String>>,
}

/// A host function as the checker sees it.
#[derive(Clone, Debug)]
pub struct HostDeclaration {
    /// Parsed from the signature text.
    pub function: Arc<ast::Function>,
    /// Its properties.
    pub flags: HostFlags,
}

/// A checked program.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Every concrete function, in source order, instances after the function they come from. Functions with errors
    /// are left out.
    pub functions: FxIndexMap<Instance, Function>,
    /// Every struct instance in use.
    pub structs: FxIndexMap<Ty, Arc<StructDef>>,
    /// Every enum instance in use.
    pub enums: FxIndexMap<Ty, Arc<EnumDef>>,
    /// The struct and enum types that memory may hold of which nobody knows: named in `sizeof`, in a cast from a number
    /// or another pointer, in a call of C or of the host, or `#[repr(C)]`; with all that lies inside them.
    pub exposed: FxHashSet<Ty>,
    /// What can be called through a `dyn` of each trait, in the order of its tables.
    pub dyn_methods: FxIndexMap<ItemPath, Arc<[DynMethod]>>,
    /// The `dyn`s that the program makes: the functions in the table of each pair of a trait and a type behind it.
    pub dyns: FxIndexMap<(ItemPath, Ty), Vec<Instance>>,
    /// Every global, in the order of initialisation.
    pub globals: FxIndexMap<ItemPath, Global>,
    /// `main` of the root module.
    pub main: Option<Instance>,
    /// What there is to say, in source order.
    pub diagnostics: Vec<Diagnostic>,
    /// How many bodies were checked, for reports and tests of incrementality.
    pub bodies_checked: usize,
    /// What the next check may reuse.
    pub(crate) state: Option<Arc<crate::state::State>>,
}

/// A method that can be called through a `dyn`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DynMethod {
    /// Its name.
    pub name: Name,
    /// The types of its parameters, the receiver left out.
    pub params: Arc<[Ty]>,
    /// The type of its result.
    pub result: Ty,
}

/// A checked function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its types.
    pub signature: Arc<Signature>,
    /// Its body; the same `Arc` as in the check before if nothing it depends on changed.
    pub body: Arc<hir::Body>,
    /// Is it marked `#[hot]` (or are all)?
    pub hot: bool,
    /// `#[inline]`
    pub inline: bool,
    /// `#[test]`
    pub test: bool,
    /// `#[before_reload]` or `#[after_reload]`
    pub hook: Option<Hook>,
    /// Where its signature stands, for reports.
    pub head: Place,
}

/// When a reload calls a function of the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    /// `#[before_reload]`: the running version's, before anything changes; it may decline.
    Before,
    /// `#[after_reload]`: the new version's, right after it has become live.
    After,
}

impl Hook {
    /// The attribute that marks it.
    pub fn attribute(self) -> &'static str {
        match self {
            Hook::Before => "before_reload",
            Hook::After => "after_reload",
        }
    }

    /// What an attribute marks.
    pub(crate) fn of(attribute: &str) -> Option<Hook> {
        [Hook::Before, Hook::After].into_iter().find(|hook| hook.attribute() == attribute)
    }
}

/// The types of a function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Signature {
    /// Parameter names, for reports and embedders.
    pub names: Vec<Name>,
    /// Parameter types, the receiver's first.
    pub params: Vec<Ty>,
    /// Result type.
    pub result: Ty,
}

/// A concrete struct.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StructDef {
    /// The fields in declaration order.
    pub fields: Vec<FieldDef>,
    /// `#[repr(C)]`
    pub repr_c: bool,
    /// `#[was("old")]`: its name before.
    pub was: Option<Name>,
    /// `#[reserve(N)]`: bytes of room for fields to come, 0 without one.
    pub reserve: u32,
    /// Where it is declared.
    pub item: hir::BodyItem,
    /// Its name there.
    pub span: Span,
}

/// A field. Two are equal if they have the same name and type: the rest says how values come to it.
#[derive(Clone, Debug)]
pub struct FieldDef {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Ty,
    /// `#[was("old")]`: its name before.
    pub was: Option<Name>,
    /// Its declared default as a function without parameters; the same `Arc` as in the check before if it did not change.
    pub default: Option<Arc<hir::Body>>,
}

impl FieldDef {
    /// A field without history and default.
    pub fn new(name: Name, ty: Ty) -> FieldDef {
        FieldDef { name, ty, was: None, default: None }
    }
}

impl PartialEq for FieldDef {
    fn eq(&self, other: &FieldDef) -> bool {
        (self.name, self.ty) == (other.name, other.ty)
    }
}
impl Eq for FieldDef {}
impl Hash for FieldDef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, self.ty).hash(state);
    }
}

/// A concrete enum.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EnumDef {
    /// The variants in declaration order.
    pub variants: Vec<VariantDef>,
    /// `#[was("old")]`: its name before.
    pub was: Option<Name>,
    /// `#[reserve(N)]`: bytes of room for payload to come, 0 without one.
    pub reserve: u32,
    /// Where it is declared.
    pub item: hir::BodyItem,
    /// Its name there.
    pub span: Span,
}

/// A variant.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VariantDef {
    /// Its name.
    pub name: Name,
    /// `#[was("old")]`: its name before.
    pub was: Option<Name>,
    /// Its payload, in order.
    pub fields: Vec<FieldDef>,
}

/// A global variable.
#[derive(Clone, Debug)]
pub struct Global {
    /// Its type.
    pub ty: Ty,
    /// Its initial value as a function without parameters; absent: all zero.
    pub init: Option<Arc<hir::Body>>,
    /// `#[reset]`
    pub reset: bool,
    /// Where it is declared.
    pub place: Place,
}

impl Checked {
    /// Is there an error among the diagnostics?
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The function whose item this is, for reports.
    pub fn function(&self, path: ItemPath) -> Option<&Function> {
        self.functions.get(&Instance::plain(path))
    }
}

/// The item that declares a struct or enum, for diagnostics.
pub fn place_of(item: hir::BodyItem, span: Span) -> Place {
    let id: ItemId = item.0;
    Place::item(id, span)
}
