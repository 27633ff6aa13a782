//! What a program can run, and what that mentions.

use rustc_hash::FxHashSet;

use crate::hir::{Body, Callee, Expr, ExprKind, children};
use crate::infer::map_parts;
use crate::{Checked, Input, Instance, ItemPath, Ty, TyKind};

/// The items that a program which starts with `main`, or with what a host calls, can come to use: functions, globals, types
/// and traits.
pub fn reached(input: &Input, checked: &Checked) -> FxHashSet<ItemPath> {
    let mut search = Search { checked, items: FxHashSet::default(), types: FxHashSet::default(), open: Vec::new() };
    let root = input.modules.first().map(|module| module.name);
    let is_root = |instance: &Instance| !input.needs_main && Some(instance.path.module) == root;
    let starts = checked.functions.iter().filter(|(instance, of)| of.hook.is_some() || is_root(instance));
    search.open.extend(starts.map(|(instance, _)| *instance).chain(checked.main));
    let mut seen = FxHashSet::default();
    while let Some(instance) = search.open.pop() {
        if seen.insert(instance) {
            search.items.insert(instance.path);
            checked.functions.get(&instance).into_iter().for_each(|function| search.body(&function.body));
        }
    }
    search.items
}

/// What has been found.
struct Search<'a> {
    checked: &'a Checked,
    items: FxHashSet<ItemPath>,
    types: FxHashSet<Ty>,
    /// Functions to be looked at.
    open: Vec<Instance>,
}

impl Search<'_> {
    fn body(&mut self, body: &Body) {
        body.locals.iter().for_each(|(_, local)| self.ty(local.ty));
        for made in &body.dyns {
            self.items.insert(made.of_trait);
            self.ty(made.of);
            self.open.extend(&made.methods);
        }
        self.expr(&body.value);
    }

    fn expr(&mut self, e: &Expr) {
        stacker::maybe_grow(128 << 10, 2 << 20, || {
            self.ty(e.ty);
            match &*e.kind {
                ExprKind::Global(path) => self.global(*path),
                ExprKind::Function(Callee::Function(of)) | ExprKind::Call(Callee::Function(of), _) => {
                    self.open.push(*of);
                }
                ExprKind::Closure(body, _) => self.body(body),
                ExprKind::MakeDyn { methods, .. } => self.open.extend(methods),
                _ => {}
            }
            children(e, &mut |part| self.expr(part));
        });
    }

    fn global(&mut self, path: ItemPath) {
        let init = self.checked.globals.get(&path).and_then(|global| global.init.as_ref());
        if self.items.insert(path) {
            init.into_iter().for_each(|init| self.body(init));
        }
    }

    fn ty(&mut self, ty: Ty) {
        let mut queue = vec![ty];
        while let Some(ty) = queue.pop() {
            if !self.types.insert(ty) {
                continue;
            }
            map_parts(ty, &mut |part| {
                queue.push(part);
                part
            });
            if let TyKind::Struct(path, _) | TyKind::Enum(path, _) | TyKind::Dyn(path) = ty.kind() {
                self.items.insert(*path);
            }
            let checked = self.checked;
            let fields = checked.structs.get(&ty).into_iter().flat_map(|of| &of.fields);
            let variants = checked.enums.get(&ty).into_iter().flat_map(|of| &of.variants);
            for field in fields.chain(variants.flat_map(|of| &of.fields)) {
                queue.push(field.ty);
                field.default.iter().for_each(|default| self.body(default));
            }
        }
    }
}
