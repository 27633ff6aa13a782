//! One check's view of the whole program: name look-up across modules and the cache of interfaces, with a record of
//! who looked at what.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_syntax::ast::{self, Item, ItemKind};
use vaisjit_syntax::{ItemId, Name, ParsedItem, Place, Span};

use crate::index::{Def, DefId, DefKind, ModuleTable};
use crate::interface::{Entry, Interface};
use crate::program::Input;
use crate::state::{BodyEntry, State};
use crate::types::{Instance, ItemPath};

/// Something a result depends on besides its own item.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Dep {
    /// What this name stands for, in any module.
    Name(Name),
    /// The interface of this declaration.
    Def(ItemPath),
    /// Which types implement which traits.
    Impls,
    /// The bodies of a module, for parameters inferred from call sites.
    Module(Name),
}

/// What a name of the value world stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Def(DefId),
    /// A variant of an enum.
    Variant(DefId, u32),
}

enum Slot {
    Busy,
    Done(Arc<Entry>),
}

/// The program being checked.
pub(crate) struct World<'a> {
    /// Are warnings made that only `--warn all` shows?
    pub lints: bool,
    pub input: &'a Input,
    pub tables: Vec<Arc<ModuleTable>>,
    pub modules: FxHashMap<Name, u32>,
    pub prelude: Option<u32>,
    kept: Option<&'a State>,
    stale: FxHashSet<ItemPath>,
    fresh: RefCell<FxHashMap<ItemPath, Slot>>,
    readers: RefCell<Vec<FxHashSet<Dep>>>,
    /// Bodies checked on the way to a signature.
    pub early: RefCell<FxHashMap<Instance, Arc<BodyEntry>>>,
    pub bodies_checked: std::cell::Cell<usize>,
}

impl<'a> World<'a> {
    pub fn new(
        input: &'a Input,
        tables: Vec<Arc<ModuleTable>>,
        kept: Option<&'a State>,
        stale: FxHashSet<ItemPath>,
    ) -> World<'a> {
        let modules: FxHashMap<Name, u32> =
            input.modules.iter().enumerate().map(|(i, module)| (module.name, i as u32)).collect();
        let prelude = modules.get(&Name::new("std/prelude")).copied();
        World {
            lints: true,
            input,
            tables,
            modules,
            prelude,
            kept,
            stale,
            fresh: RefCell::default(),
            readers: RefCell::default(),
            early: RefCell::default(),
            bodies_checked: std::cell::Cell::new(0),
        }
    }

    /// With or without the warnings that only `--warn all` shows.
    pub fn with_lints(mut self, lints: bool) -> World<'a> {
        self.lints = lints;
        self
    }

    /// Notes that what is being made depends on this.
    pub fn reads(&self, dep: Dep) {
        if let Some(reader) = self.readers.borrow_mut().last_mut() {
            reader.insert(dep);
        }
    }

    /// Runs `make` and returns what it read.
    pub fn recorded<T>(&self, make: impl FnOnce() -> T) -> (T, Box<[Dep]>) {
        self.readers.borrow_mut().push(FxHashSet::default());
        let made = make();
        let deps = self.readers.borrow_mut().pop().unwrap_or_default();
        (made, deps.into_iter().collect())
    }

    pub fn def(&self, id: DefId) -> &Def {
        &self.tables[id.module as usize].defs[id.index as usize]
    }

    pub fn parsed(&self, id: DefId) -> &'a ParsedItem {
        &self.input.modules[id.module as usize].tree.items[self.def(id).item as usize]
    }

    pub fn item(&self, id: DefId) -> &'a Item {
        &self.parsed(id).item
    }

    /// Did parts of the item not parse?
    pub fn has_syntax_errors(&self, id: DefId) -> bool {
        self.parsed(id).diagnostics.iter().any(vaisjit_syntax::Diagnostic::is_error)
    }

    pub fn item_id(&self, id: DefId) -> ItemId {
        self.parsed(id).id
    }

    /// The tree of a function, method or C function.
    pub fn function(&self, id: DefId) -> Option<&'a ast::Function> {
        let sub = self.def(id).sub as usize;
        match &self.item(id).kind {
            ItemKind::Function(function) => Some(function),
            ItemKind::Struct(def) => def.methods.get(sub),
            ItemKind::Enum(def) => def.methods.get(sub),
            ItemKind::Impl(def) => def.methods.get(sub),
            ItemKind::Trait(def) => def.methods.get(sub),
            ItemKind::Extern(block) => block.functions.get(sub),
            _ => None,
        }
    }

    /// Where a declaration's name stands.
    pub fn place(&self, id: DefId) -> Place {
        let item = self.item(id);
        let span = match &item.kind {
            ItemKind::Const(def) => def.name.span,
            ItemKind::Global(def) => def.name.span,
            ItemKind::Alias(def) => def.name.span,
            ItemKind::Struct(def) if self.def(id).kind == DefKind::Struct => def.name.span,
            ItemKind::Enum(def) if self.def(id).kind == DefKind::Enum => def.name.span,
            ItemKind::Trait(def) if self.def(id).kind == DefKind::Trait => def.name.span,
            ItemKind::Impl(def) if self.def(id).kind == DefKind::Impl => def.target.span,
            _ => self.function(id).map_or(item.head, |function| function.name.span),
        };
        Place::item(self.item_id(id), span)
    }

    /// Where a function's signature stands.
    pub fn head(&self, id: DefId) -> Place {
        let span = self.function(id).map_or(Span::default(), |function| function.head);
        Place::item(self.item_id(id), span)
    }

    /// The declaration with this path.
    pub fn find(&self, path: ItemPath) -> Option<DefId> {
        let module = *self.modules.get(&path.module)?;
        let table = &self.tables[module as usize];
        let index = match table.types.get(&path.name).or(table.values.get(&path.name)) {
            Some(index) => *index,
            None => table.defs.iter().position(|def| def.path == path)? as u32,
        };
        Some(DefId { module, index })
    }

    /// The interface of a declaration, made on first use; `None` when it needs itself.
    pub fn interface(&self, id: DefId) -> Option<Interface> {
        let path = self.def(id).path;
        self.reads(Dep::Def(path));
        self.entry(id).map(|entry| entry.interface.clone())
    }

    /// The cache entry behind [`World::interface`].
    pub fn entry(&self, id: DefId) -> Option<Arc<Entry>> {
        let path = self.def(id).path;
        match self.fresh.borrow().get(&path) {
            Some(Slot::Done(entry)) => return Some(entry.clone()),
            Some(Slot::Busy) => return None,
            None => {}
        }
        if !self.stale.contains(&path)
            && let Some(entry) = self.kept.and_then(|kept| kept.interfaces.get(&path))
        {
            return Some(entry.clone());
        }
        self.fresh.borrow_mut().insert(path, Slot::Busy);
        let ((interface, diagnostics), deps) =
            self.recorded(|| stacker::maybe_grow(256 << 10, 4 << 20, || crate::interface::make(self, id)));
        let entry = Arc::new(Entry { interface, diagnostics, deps });
        self.fresh.borrow_mut().insert(path, Slot::Done(entry.clone()));
        Some(entry)
    }

    /// Is this interface being made right now?
    pub fn is_busy(&self, id: DefId) -> bool {
        matches!(self.fresh.borrow().get(&self.def(id).path), Some(Slot::Busy))
    }

    /// The interfaces made in this check.
    pub fn into_fresh(self) -> FxHashMap<ItemPath, Arc<Entry>> {
        let done = |(path, slot)| match slot {
            Slot::Done(entry) => Some((path, entry)),
            Slot::Busy => None,
        };
        self.fresh.into_inner().into_iter().filter_map(done).collect()
    }

    /// What a bare name of the value world means in a module.
    pub fn value(&self, module: u32, name: Name) -> Option<Value> {
        self.reads(Dep::Name(name));
        self.in_scope(module, name, &|module| self.own_value(module, name))
    }

    /// All variants a bare name can mean in a module.
    pub fn variants(&self, module: u32, name: Name) -> Vec<(DefId, u32)> {
        self.reads(Dep::Name(name));
        let mut found = Vec::new();
        let mut collect = |module: u32| {
            let own = self.tables[module as usize].variants.get(&name);
            for (index, number) in own.into_iter().flatten() {
                let entry = (DefId { module, index: *index }, *number);
                if !found.contains(&entry) {
                    found.push(entry);
                }
            }
        };
        collect(module);
        for import in &self.tables[module as usize].imports {
            if let Some(from) = import.module.and_then(|from| self.modules.get(&from)) {
                collect(*from);
            }
        }
        self.prelude.into_iter().for_each(collect);
        found
    }

    /// What a bare name of the type world means in a module.
    pub fn ty(&self, module: u32, name: Name) -> Option<DefId> {
        self.reads(Dep::Name(name));
        self.in_scope(module, name, &|module| self.own_type(module, name))
    }

    /// A value a module declares itself.
    pub fn own_value(&self, module: u32, name: Name) -> Option<Value> {
        self.reads(Dep::Name(name));
        let table = &self.tables[module as usize];
        match table.values.get(&name) {
            Some(index) => Some(Value::Def(DefId { module, index: *index })),
            None => {
                let (index, variant) = *table.variants.get(&name)?.first()?;
                Some(Value::Variant(DefId { module, index }, variant))
            }
        }
    }

    /// A type or trait a module declares itself.
    pub fn own_type(&self, module: u32, name: Name) -> Option<DefId> {
        self.reads(Dep::Name(name));
        let index = *self.tables[module as usize].types.get(&name)?;
        Some(DefId { module, index })
    }

    fn in_scope<T>(&self, module: u32, name: Name, own: &dyn Fn(u32) -> Option<T>) -> Option<T> {
        if let Some(found) = own(module) {
            return Some(found);
        }
        for rank in self.imported(module, name) {
            if let Some(found) = rank.into_iter().find_map(own) {
                return Some(found);
            }
        }
        self.prelude.and_then(own)
    }

    /// The modules a name may come from: those it is imported from by name, the program's others, the library's.
    fn imported(&self, module: u32, name: Name) -> [Vec<u32>; 3] {
        let mut ranks = [Vec::new(), Vec::new(), Vec::new()];
        for import in &self.tables[module as usize].imports {
            let Some((target, from)) = import.module.and_then(|from| Some((from, *self.modules.get(&from)?))) else {
                continue;
            };
            let rank = match &import.names {
                Some(names) if names.contains(&name) => 0,
                Some(_) => continue,
                None if target.starts_with("std/") => 2,
                None => 1,
            };
            if !ranks[rank].contains(&from) {
                ranks[rank].push(from);
            }
        }
        ranks
    }

    /// Two modules that both give a module this name, neither more than the other.
    pub fn ambiguous(&self, module: u32, name: Name) -> Option<(Name, Name)> {
        let table = &self.tables[module as usize];
        if table.imports.len() < 2 || table.values.contains_key(&name) || table.types.contains_key(&name) {
            return None;
        }
        let gives = |module: &u32| {
            let table = &self.tables[*module as usize];
            table.values.contains_key(&name) || table.types.contains_key(&name)
        };
        let rank = self.imported(module, name).into_iter().find(|rank| rank.iter().any(gives))?;
        let mut from =
            rank.iter().filter(|module| gives(module)).map(|module| self.input.modules[*module as usize].name);
        Some((from.next()?, from.next()?))
    }

    /// The module an import makes known under this name.
    pub fn module_named(&self, module: u32, name: Name) -> Option<u32> {
        let table = &self.tables[module as usize];
        let named = |import: &&crate::index::ImportEntry| {
            import.module.is_some_and(|target| target.rsplit('/').next() == Some(name.as_str()) || target == name)
        };
        let import = table.imports.iter().find(named)?;
        self.modules.get(&import.module?).copied()
    }

    /// Did an import of the module fail, so that an unknown name may have come from there?
    pub fn has_failed_import(&self, module: u32, name: Name) -> bool {
        let mut imports = self.tables[module as usize].imports.iter();
        imports.any(|import| {
            import.module.is_none() && import.names.as_ref().is_none_or(|names| names.contains(&name))
                || self.is_failed_alias(module, import, name)
        })
    }

    fn is_failed_alias(&self, module: u32, import: &crate::index::ImportEntry, name: Name) -> bool {
        let item = &self.input.modules[module as usize].tree.items[import.item as usize].item;
        match &item.kind {
            ItemKind::Import(tree) => {
                import.module.is_none() && tree.path.last().is_some_and(|segment| segment.name == name)
            }
            _ => false,
        }
    }

    /// Has the parser reported a mistake of this code in the item?
    pub fn has_syntax_error(&self, scope: &crate::lower::TypeScope, code: vaisjit_syntax::Code) -> bool {
        let items = &self.input.modules[scope.module as usize].tree.items;
        let item = items.iter().find(|parsed| parsed.id == scope.item);
        item.is_some_and(|parsed| parsed.diagnostics.iter().any(|found| found.code == code))
    }

    /// The names by which a module's imports are known in it.
    pub fn module_names(&self, module: u32) -> Vec<Name> {
        let imports = self.tables[module as usize].imports.iter().filter_map(|import| import.module);
        imports.filter_map(|name| name.rsplit('/').next().map(Name::new)).collect()
    }

    /// Every name a bare value could have in a module, for suggestions.
    pub fn value_names(&self, module: u32) -> Vec<Name> {
        let mut names = Vec::new();
        for module in self.visible(module) {
            let table = &self.tables[module as usize];
            names.extend(table.values.keys().chain(table.variants.keys()).chain(table.types.keys()).copied());
        }
        names.extend(self.input.host.keys().copied());
        names
    }

    /// Every name a type could have in a module, for suggestions.
    pub fn type_names(&self, module: u32) -> Vec<Name> {
        let visible = self.visible(module);
        let own = visible.iter().flat_map(|module| self.tables[*module as usize].types.keys().copied());
        own.chain(crate::lower::BUILTIN_TYPES.iter().map(|name| Name::new(name))).collect()
    }

    /// Every trait a module knows, for suggestions.
    pub fn trait_names(&self, module: u32) -> Vec<Name> {
        let mut names = Vec::new();
        for module in self.visible(module) {
            let table = &self.tables[module as usize];
            let is_trait = |index: &u32| table.defs[*index as usize].kind == crate::index::DefKind::Trait;
            names.extend(table.types.iter().filter(|(_, index)| is_trait(index)).map(|(name, _)| *name));
        }
        names
    }

    fn visible(&self, module: u32) -> Vec<u32> {
        let imports = self.tables[module as usize].imports.iter();
        let imported = imports.filter_map(|import| self.modules.get(&import.module?).copied());
        std::iter::once(module).chain(imported).chain(self.prelude).collect()
    }

    /// The methods of this name written for types called `head`, in all modules, the module's own first.
    pub fn methods(&self, first: u32, head: Name, name: Name) -> Vec<DefId> {
        self.reads(Dep::Name(name));
        let mut found = Vec::new();
        let others = (0..self.tables.len() as u32).filter(|other| *other != first);
        for module in std::iter::once(first).chain(others) {
            let known = self.tables[module as usize].methods.get(&(head, name));
            found.extend(known.into_iter().flatten().map(|index| DefId { module, index: *index }));
        }
        found
    }

    /// Every impl of the program.
    pub fn impls(&self) -> impl Iterator<Item = DefId> + '_ {
        self.reads(Dep::Impls);
        let all = self.tables.iter().enumerate();
        all.flat_map(|(module, table)| {
            table.impls.iter().map(move |index| DefId { module: module as u32, index: *index })
        })
    }
}
