//! The names a module declares: one table per module, kept while an edit changes no declared name.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use vaisjit_syntax::ast::{self, Item, ItemKind};
use vaisjit_syntax::{Module, Name};

use crate::program::ModuleInput;
use crate::types::ItemPath;

/// A declaration: its module among the input's and its number in the module's table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct DefId {
    pub module: u32,
    pub index: u32,
}

/// What a declaration declares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DefKind {
    Function,
    /// A method; `owner` is the declaration of the struct, enum or impl it stands in.
    Method {
        owner: u32,
    },
    TraitMethod {
        owner: u32,
    },
    C,
    Host,
    Struct,
    Enum,
    Trait,
    Alias,
    Const,
    Global,
    Impl,
}

/// A declaration of a module.
#[derive(Clone, Debug)]
pub(crate) struct Def {
    pub path: ItemPath,
    /// Which item of the module.
    pub item: u32,
    /// Which function inside the item, for methods and extern blocks.
    pub sub: u32,
    pub kind: DefKind,
}

/// An import item.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ImportEntry {
    pub item: u32,
    pub module: Option<Name>,
    pub names: Option<Vec<Name>>,
}

/// The declarations of one module.
#[derive(Debug, Default)]
pub(crate) struct ModuleTable {
    pub defs: Vec<Def>,
    /// The declarations of each item: a range of `defs`.
    pub by_item: Vec<std::ops::Range<u32>>,
    pub values: FxHashMap<Name, u32>,
    pub types: FxHashMap<Name, u32>,
    /// Enum and number of each variant of this name.
    pub variants: FxHashMap<Name, SmallVec<[(u32, u32); 1]>>,
    /// Methods by the last name of the type they are written for, and their own.
    pub methods: FxHashMap<(Name, Name), SmallVec<[u32; 1]>>,
    pub impls: Vec<u32>,
    pub imports: Vec<ImportEntry>,
    /// Declarations whose name is taken, with the one that took it.
    pub duplicates: Vec<(u32, u32)>,
}

impl ModuleTable {
    /// The table of a module; the one before, if every item declares the same names in the same order.
    pub fn build(module: &ModuleInput, before: Option<(&ModuleInput, &Arc<ModuleTable>)>) -> Arc<ModuleTable> {
        if let Some((old, table)) = before {
            if old.imports == module.imports && same_names(&old.tree, &module.tree) {
                return table.clone();
            }
        }
        let mut builder = Builder { module: module.name, table: ModuleTable::default() };
        let mut imports = module.imports.iter();
        for (number, parsed) in module.tree.items.iter().enumerate() {
            let first = builder.table.defs.len() as u32;
            if let ItemKind::Import(import) = &parsed.item.kind {
                let target = imports.next().and_then(|found| found.as_ref().ok()).copied();
                let names = import.names.as_ref().map(|names| names.iter().map(|ident| ident.name).collect());
                builder.table.imports.push(ImportEntry { item: number as u32, module: target, names });
            } else {
                builder.item(number as u32, &parsed.item);
            }
            let last = builder.table.defs.len() as u32;
            builder.table.by_item.push(first..last);
        }
        Arc::new(builder.table)
    }
}

fn same_names(old: &Arc<Module>, new: &Arc<Module>) -> bool {
    Arc::ptr_eq(old, new)
        || old.items.len() == new.items.len()
            && old
                .items
                .iter()
                .zip(&new.items)
                .all(|(a, b)| Arc::ptr_eq(&a.item, &b.item) || declares_same(&a.item, &b.item))
}

/// Do two items declare the same names, in the same order?
fn declares_same(a: &Item, b: &Item) -> bool {
    fn names(functions: &[ast::Function]) -> impl Iterator<Item = Name> + '_ {
        functions.iter().map(|function| function.name.name)
    }
    match (&a.kind, &b.kind) {
        (ItemKind::Function(f), ItemKind::Function(g)) => f.name == g.name && f.body.is_some() == g.body.is_some(),
        (ItemKind::Struct(s), ItemKind::Struct(t)) => s.name == t.name && names(&s.methods).eq(names(&t.methods)),
        (ItemKind::Enum(s), ItemKind::Enum(t)) => {
            s.name == t.name
                && names(&s.methods).eq(names(&t.methods))
                && s.variants.iter().map(|v| v.name.name).eq(t.variants.iter().map(|v| v.name.name))
        }
        (ItemKind::Trait(s), ItemKind::Trait(t)) => {
            s.name == t.name
                && s.supertraits == t.supertraits
                && names(&s.methods).eq(names(&t.methods))
                && s.methods.iter().map(|m| m.body.is_some()).eq(t.methods.iter().map(|m| m.body.is_some()))
        }
        (ItemKind::Impl(s), ItemKind::Impl(t)) => {
            s.generics == t.generics
                && s.target == t.target
                && s.of_trait == t.of_trait
                && names(&s.methods).eq(names(&t.methods))
        }
        (ItemKind::Extern(s), ItemKind::Extern(t)) => s.abi == t.abi && names(&s.functions).eq(names(&t.functions)),
        (ItemKind::Import(s), ItemKind::Import(t)) => s == t,
        (ItemKind::Const(s), ItemKind::Const(t)) => s.name == t.name,
        (ItemKind::Global(s), ItemKind::Global(t)) => s.name == t.name,
        (ItemKind::Alias(s), ItemKind::Alias(t)) => s.name == t.name,
        (ItemKind::Error, ItemKind::Error) => true,
        _ => false,
    }
}

/// The last name of a type as written: what its methods are filed under.
pub(crate) fn head_name(ty: &ast::Type) -> Name {
    match &ty.kind {
        ast::TypeKind::Path(path) => path.segments.last().map_or(Name::new("?"), |ident| ident.name),
        ast::TypeKind::Reference(to) | ast::TypeKind::Pointer(to) => head_name(to),
        _ => Name::new("?"),
    }
}

struct Builder {
    module: Name,
    table: ModuleTable,
}

impl Builder {
    fn item(&mut self, number: u32, item: &Item) {
        match &item.kind {
            ItemKind::Function(function) => {
                let kind = if function.body.is_none() { DefKind::C } else { DefKind::Function };
                self.value(function.name.name, number, 0, kind);
            }
            ItemKind::Extern(block) => {
                let kind = if block.abi == "host" { DefKind::Host } else { DefKind::C };
                for (sub, function) in block.functions.iter().enumerate() {
                    self.value(function.name.name, number, sub as u32, kind);
                }
            }
            ItemKind::Struct(def) => {
                let owner = self.ty(def.name.name, number, DefKind::Struct);
                self.methods(owner, number, def.name.name, def.name.name.as_str(), &def.methods);
            }
            ItemKind::Enum(def) => {
                let owner = self.ty(def.name.name, number, DefKind::Enum);
                for (index, variant) in def.variants.iter().enumerate() {
                    self.table.variants.entry(variant.name.name).or_default().push((owner, index as u32));
                }
                self.methods(owner, number, def.name.name, def.name.name.as_str(), &def.methods);
            }
            ItemKind::Trait(def) => {
                let owner = self.ty(def.name.name, number, DefKind::Trait);
                for (sub, method) in def.methods.iter().enumerate() {
                    let name = format!("{}.{}", def.name.name, method.name.name);
                    self.push(&name, number, sub as u32, DefKind::TraitMethod { owner });
                }
            }
            ItemKind::Impl(def) => self.implementation(number, def),
            ItemKind::Const(def) => self.value(def.name.name, number, 0, DefKind::Const),
            ItemKind::Global(def) => self.value(def.name.name, number, 0, DefKind::Global),
            ItemKind::Alias(def) => {
                self.ty(def.name.name, number, DefKind::Alias);
            }
            ItemKind::Import(_) | ItemKind::Error => {}
        }
    }

    fn implementation(&mut self, number: u32, def: &ast::Impl) {
        let target = head_name(&def.target);
        let prefix = match &def.of_trait {
            Some(of) => format!("{target}:{}", head_name(of)),
            None => target.to_string(),
        };
        let owner = self.push(&format!("{{impl}}{prefix}"), number, 0, DefKind::Impl);
        self.table.impls.push(owner);
        self.methods(owner, number, target, &prefix, &def.methods);
    }

    fn methods(&mut self, owner: u32, number: u32, target: Name, prefix: &str, methods: &[ast::Function]) {
        for (sub, method) in methods.iter().enumerate() {
            let name = method.name.name;
            let def = self.push(&format!("{prefix}.{name}"), number, sub as u32, DefKind::Method { owner });
            let known = self.table.methods.entry((target, name)).or_default();
            let twin = known
                .iter()
                .copied()
                .find(|other| self.table.defs[*other as usize].path == self.table.defs[def as usize].path);
            known.push(def);
            if let Some(twin) = twin {
                self.table.duplicates.push((def, twin));
            }
        }
    }

    fn push(&mut self, name: &str, item: u32, sub: u32, kind: DefKind) -> u32 {
        let index = self.table.defs.len() as u32;
        self.table.defs.push(Def { path: ItemPath::new(self.module, name), item, sub, kind });
        index
    }

    fn value(&mut self, name: Name, item: u32, sub: u32, kind: DefKind) {
        let index = self.push(name.as_str(), item, sub, kind);
        match self.table.values.get(&name).or(self.table.types.get(&name)) {
            Some(first) => self.table.duplicates.push((index, *first)),
            None => {
                self.table.values.insert(name, index);
            }
        }
    }

    fn ty(&mut self, name: Name, item: u32, kind: DefKind) -> u32 {
        let index = self.push(name.as_str(), item, 0, kind);
        match self.table.types.get(&name).or(self.table.values.get(&name)) {
            Some(first) => self.table.duplicates.push((index, *first)),
            None => {
                self.table.types.insert(name, index);
            }
        }
        index
    }
}
