//! Other names for items: what a description of a program says once its items are called otherwise.
//!
//! A running program is described by types, functions and trees that name items by path. When a save renames or moves an
//! item, the description gets the new names, and everything that compares versions finds the item again.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::hir::{Body, Callee, Expr, ExprKind, Pattern, PatternKind, children_mut};
use crate::infer::map_parts;
use crate::program::{DynMethod, EnumDef, FieldDef, Function, Global, Signature, StructDef};
use crate::{Checked, Instance, ItemPath, Ty, TyKind, TyList};

/// New paths of items by their old ones; no two get the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renames {
    items: FxHashMap<ItemPath, ItemPath>,
}

/// The item that a path belongs to: the end of `{init}` and the like, the start of `.method` and the like.
fn base(name: &str) -> (usize, usize) {
    let start = match name.strip_prefix('{') {
        Some(_) => name.find('}').map_or(0, |end| end + 1),
        None => 0,
    };
    let end = name[start..].find(['.', ':']).map_or(name.len(), |end| start + end);
    (start, end)
}

/// The item at the root of a path: of `{default}Ball.x` and `Ball:Shape.area` it is `Ball`.
pub fn owner(path: ItemPath) -> ItemPath {
    let name = path.name.as_str();
    let (start, end) = base(name);
    ItemPath::new(path.module, &name[start..end])
}

/// A path with the names of its item and of the trait in it replaced by those that `new` gives.
fn spelled(path: ItemPath, new: impl Fn(&str) -> Option<ItemPath>) -> ItemPath {
    let name = path.name.as_str();
    let (start, end) = base(name);
    let of_trait = name[end..].strip_prefix(':').map(|rest| &rest[..rest.find(['.', ':']).unwrap_or(rest.len())]);
    let found = new(&name[start..end]);
    let new_trait = of_trait.and_then(&new);
    if found.is_none() && new_trait.is_none() {
        return path;
    }
    let module = found.map_or(path.module, |new| new.module);
    let item = found.as_ref().map_or(&name[start..end], |new| new.name.as_str());
    let rest = match (of_trait, new_trait) {
        (Some(of), Some(new)) => format!(":{}{}", new.name, &name[end + 1 + of.len()..]),
        _ => name[end..].to_owned(),
    };
    ItemPath::new(module, &format!("{}{item}{rest}", &name[..start]))
}

impl Renames {
    /// Adds an item; false, and nothing done, if either path is in it.
    pub fn add(&mut self, old: ItemPath, new: ItemPath) -> bool {
        let free = !self.items.contains_key(&old) && !self.items.values().any(|known| *known == new);
        if free {
            self.items.insert(old, new);
        }
        free
    }

    /// Has nothing another name?
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All of them, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (ItemPath, ItemPath)> {
        self.items.iter().map(|(old, new)| (*old, *new))
    }

    /// The path of an item, or of what belongs to one: a method, a default, a closure.
    pub fn path(&self, path: ItemPath) -> ItemPath {
        let of_module = |name: &str| self.items.get(&ItemPath::new(path.module, name)).copied();
        self.items.get(&path).copied().unwrap_or_else(|| spelled(path, of_module))
    }

    /// The path of a method, or of a closure in one, whose implementation stands in another module than the type or the
    /// trait that has another name.
    pub fn elsewhere(&self, path: ItemPath) -> ItemPath {
        let of_any = |name: &str| {
            let found = self.items.iter().filter(|(old, _)| old.name.as_str() == name).min();
            found.map(|(_, new)| ItemPath { module: path.module, name: new.name })
        };
        spelled(path, of_any)
    }

    /// A type.
    pub fn ty(&self, ty: Ty) -> Ty {
        let mapped = map_parts(ty, &mut |part| self.ty(part));
        match *mapped.kind() {
            TyKind::Struct(path, arguments) => self.item(mapped, path, |path| TyKind::Struct(path, arguments)),
            TyKind::Enum(path, arguments) => self.item(mapped, path, |path| TyKind::Enum(path, arguments)),
            TyKind::Dyn(path) => self.item(mapped, path, TyKind::Dyn),
            _ => mapped,
        }
    }

    fn item(&self, ty: Ty, path: ItemPath, kind: impl Fn(ItemPath) -> TyKind) -> Ty {
        self.items.get(&path).map_or(ty, |new| Ty::new(kind(*new)))
    }

    /// A list of types.
    pub fn list(&self, list: TyList) -> TyList {
        let types: Vec<Ty> = list.iter().map(|ty| self.ty(*ty)).collect();
        TyList::new(&types)
    }

    /// A function with its type arguments.
    pub fn instance(&self, instance: Instance) -> Instance {
        Instance { path: self.path(instance.path), arguments: self.list(instance.arguments) }
    }

    /// A typed tree; the same `Arc` if nothing in it has another name.
    pub fn body(&self, body: &Arc<Body>) -> Arc<Body> {
        let mut new = (**body).clone();
        new.instance = self.instance(new.instance);
        new.locals.iter_mut().for_each(|(_, local)| local.ty = self.ty(local.ty));
        new.result = self.ty(new.result);
        self.expr(&mut new.value);
        new.exposed.iter_mut().for_each(|ty| *ty = self.ty(*ty));
        for made in &mut new.dyns {
            made.of_trait = self.path(made.of_trait);
            made.of = self.ty(made.of);
            made.methods.iter_mut().for_each(|method| *method = self.instance(*method));
        }
        if new == **body { body.clone() } else { Arc::new(new) }
    }

    fn expr(&self, e: &mut Expr) {
        stacker::maybe_grow(128 << 10, 2 << 20, || {
            e.ty = self.ty(e.ty);
            match &mut *e.kind {
                ExprKind::Global(path) => *path = self.path(*path),
                ExprKind::Function(Callee::Function(instance)) | ExprKind::Call(Callee::Function(instance), _) => {
                    *instance = self.instance(*instance);
                }
                ExprKind::Function(Callee::Dyn(_, list)) | ExprKind::Call(Callee::Dyn(_, list), _) => {
                    *list = self.list(*list);
                }
                ExprKind::Closure(body, _) => *body = self.body(body),
                ExprKind::TypeInfo(ty) => *ty = self.ty(*ty),
                ExprKind::MakeDyn { methods, .. } => methods.iter_mut().for_each(|of| *of = self.instance(*of)),
                _ => {}
            }
            children_mut(e, &mut |part| self.expr(part), &mut |pattern| self.pattern(pattern));
        });
    }

    fn pattern(&self, pattern: &mut Pattern) {
        pattern.ty = self.ty(pattern.ty);
        match &mut pattern.kind {
            PatternKind::Wildcard => {}
            PatternKind::Bind(_, inner) => inner.iter_mut().for_each(|inner| self.pattern(inner)),
            PatternKind::Constant(e) => self.expr(e),
            PatternKind::Range(start, end, _) => start.iter_mut().chain(end).for_each(|e| self.expr(e)),
            PatternKind::Variant(_, parts) | PatternKind::Or(parts) => {
                parts.iter_mut().for_each(|part| self.pattern(part));
            }
            PatternKind::Fields(parts) => parts.iter_mut().for_each(|(_, part)| self.pattern(part)),
        }
    }

    fn fields(&self, fields: &mut [FieldDef]) {
        for field in fields {
            field.ty = self.ty(field.ty);
            field.default = field.default.as_ref().map(|body| self.body(body));
        }
    }

    /// A struct; the same `Arc` if nothing in it has another name.
    pub fn record(&self, definition: &Arc<StructDef>) -> Arc<StructDef> {
        let mut new = (**definition).clone();
        self.fields(&mut new.fields);
        if new == **definition { definition.clone() } else { Arc::new(new) }
    }

    /// An enum, likewise.
    pub fn enumeration(&self, definition: &Arc<EnumDef>) -> Arc<EnumDef> {
        let mut new = (**definition).clone();
        new.variants.iter_mut().for_each(|variant| self.fields(&mut variant.fields));
        if new == **definition { definition.clone() } else { Arc::new(new) }
    }

    /// A global.
    pub fn global(&self, global: &Global) -> Global {
        let init = global.init.as_ref().map(|body| self.body(body));
        Global { ty: self.ty(global.ty), init, ..global.clone() }
    }

    /// The methods of a trait.
    pub fn methods(&self, methods: &[DynMethod]) -> Arc<[DynMethod]> {
        let types = |types: &[Ty]| types.iter().map(|ty| self.ty(*ty)).collect();
        let method = |method: &DynMethod| DynMethod {
            name: method.name,
            params: types(&method.params),
            result: self.ty(method.result),
        };
        methods.iter().map(method).collect()
    }

    fn function(&self, function: &Function) -> Function {
        let Signature { names, params, result } = &*function.signature;
        let params = params.iter().map(|ty| self.ty(*ty)).collect();
        let signature = Signature { names: names.clone(), params, result: self.ty(*result) };
        let same = signature == *function.signature;
        let signature = if same { function.signature.clone() } else { Arc::new(signature) };
        Function { signature, body: self.body(&function.body), ..function.clone() }
    }

    /// A whole program.
    pub fn checked(&self, program: &Checked) -> Checked {
        let instances = |list: &[Instance]| list.iter().map(|instance| self.instance(*instance)).collect();
        Checked {
            functions: program.functions.iter().map(|(i, of)| (self.instance(*i), self.function(of))).collect(),
            structs: program.structs.iter().map(|(ty, of)| (self.ty(*ty), self.record(of))).collect(),
            enums: program.enums.iter().map(|(ty, of)| (self.ty(*ty), self.enumeration(of))).collect(),
            exposed: program.exposed.iter().map(|ty| self.ty(*ty)).collect(),
            dyn_methods: program.dyn_methods.iter().map(|(path, of)| (self.path(*path), self.methods(of))).collect(),
            dyns: program
                .dyns
                .iter()
                .map(|((path, ty), of)| ((self.path(*path), self.ty(*ty)), instances(of)))
                .collect(),
            globals: program.globals.iter().map(|(path, of)| (self.path(*path), self.global(of))).collect(),
            main: program.main.map(|main| self.instance(main)),
            ..program.clone()
        }
    }
}
