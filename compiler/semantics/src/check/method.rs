//! Methods, and what can be named behind a type or module.

use std::sync::Arc;

use vaisjit_syntax::{Name, Span, ast};

use super::call::Target;
use super::literal::replace;
use super::{Checker, Want};
use crate::codes;
use crate::hir::{Expr, ExprKind};
use crate::index::{DefId, DefKind};
use crate::interface::{FnSig, Interface};
use crate::suggest::nearest;
use crate::types::{ItemPath, Ty, TyKind};
use crate::world::{Value, World};

/// What a method call or static call found.
pub(crate) struct Method {
    pub id: DefId,
    pub sig: Arc<FnSig>,
    /// What the generic parameters of its impl stand for.
    pub known: Vec<(Name, Ty)>,
}

impl Checker<'_, '_> {
    /// The name under which methods of a type are filed, and the module to look in first.
    pub fn head_of(&mut self, ty: Ty) -> (Name, u32) {
        let own = self.scope.module;
        match *ty.kind() {
            TyKind::Struct(path, _) | TyKind::Enum(path, _) => {
                (path.name, self.world.modules.get(&path.module).copied().unwrap_or(own))
            }
            TyKind::Vec(_) => (Name::new("Vec"), own),
            TyKind::HashMap(..) => (Name::new("HashMap"), own),
            TyKind::Box(_) => (Name::new("Box"), own),
            TyKind::Infer(_) => {
                let shown = self.show(ty);
                (Name::new(&shown), own)
            }
            _ => (Name::new(&ty.to_string()), own),
        }
    }

    /// The method of this name of a type: its own first, then those of its traits.
    pub fn find_method(&mut self, ty: Ty, name: Name) -> Option<Method> {
        let (head, module) = self.head_of(ty);
        let mut candidates = self.world.methods(module, head, name);
        candidates.sort_by_key(|id| self.world.def(*id).path.name.contains(':'));
        for id in candidates {
            let Some(Interface::Function(sig)) = self.world.interface(id) else { continue };
            let Some(self_ty) = sig.self_ty else { continue };
            if let Some(known) = self.match_impl(&sig, self_ty, ty) {
                return Some(Method { id, sig, known });
            }
        }
        self.default_method(ty, name)
    }

    pub(super) fn match_impl(&mut self, sig: &FnSig, self_ty: Ty, ty: Ty) -> Option<Vec<(Name, Ty)>> {
        let known: Vec<(Name, Ty)> = sig.generics[..sig.outer].iter().map(|g| (g.name, self.fresh())).collect();
        let target = replace(self_ty, &known);
        if !may_match(target, ty) {
            return None;
        }
        self.table.unify(target, ty).then_some(known)
    }

    fn default_method(&mut self, ty: Ty, name: Name) -> Option<Method> {
        let ty = self.table.resolve(ty, true);
        for of_trait in traits_of(self.world, ty) {
            self.world.reads(crate::world::Dep::Def(of_trait));
            let path = ItemPath::new(of_trait.module, &format!("{}.{name}", of_trait.name));
            let Some(id) = self.world.find(path) else { continue };
            let has_body = self.world.function(id).is_some_and(|function| function.body.is_some());
            let Some(Interface::Function(sig)) = self.world.interface(id) else { continue };
            if has_body {
                let mut known = vec![(Name::new("Self"), ty)];
                known.extend(sig.generics[1..sig.outer].iter().map(|g| g.name).zip(self.trait_arguments(of_trait, ty)));
                return Some(Method { id, sig, known });
            }
        }
        None
    }

    /// What the parameters of a trait stand for in its implementation by a type.
    fn trait_arguments(&mut self, of_trait: ItemPath, ty: Ty) -> Vec<Ty> {
        let impls: Vec<DefId> = self.world.impls().collect();
        let found = impls.into_iter().find_map(|id| match self.world.interface(id) {
            Some(Interface::Impl(sig)) if sig.of_trait == Some(of_trait) && may_match(sig.target, ty) => Some(sig),
            _ => None,
        });
        let Some(sig) = found else { return Vec::new() };
        let known: Vec<(Name, Ty)> = sig.generics.iter().map(|g| (g.name, self.fresh())).collect();
        self.table.unify(replace(sig.target, &known), ty);
        sig.trait_arguments.iter().map(|ty| replace(*ty, &known)).collect()
    }

    pub fn method_call(
        &mut self,
        receiver: &ast::Expr,
        method: ast::Ident,
        types: &[ast::Type],
        arguments: &[ast::Expr],
        span: Span,
        want: Want,
    ) -> Expr {
        let types: Vec<Ty> = types.iter().map(|ty| self.lower(ty)).collect();
        if let Some(found) = self.static_call(receiver, method, &types, arguments, span, want) {
            return found;
        }
        let value = match &*receiver.kind {
            ast::ExprKind::At => match self.receiver_value(receiver.span) {
                Some(this) => this,
                None => {
                    self.arguments_alone(arguments);
                    let diagnostic = self.error(codes::NO_SELF, receiver.span, "`@.` needs a method around it");
                    return self.fail(diagnostic, span);
                }
            },
            _ => self.value(receiver),
        };
        let (value, ty) = self.receiver_with(value, method.name);
        if ty == Ty::error() {
            if let Some(found) = self.call_of_bounds(receiver, method, arguments, span) {
                return found;
            }
            self.arguments_alone(arguments);
            return self.wrong(span);
        }
        if let TyKind::Dyn(of_trait) = *ty.kind() {
            let value = self.follow(value);
            return self.call_dyn(value, of_trait, method, arguments, span, want);
        }
        if let Some(found) = self.find_method(ty, method.name) {
            return self.call_method(value, found, method, types, arguments, span, want);
        }
        if let TyKind::Struct(path, _) = *ty.kind()
            && let Some((sig, _)) = self.struct_fields(path)
            && let Some(index) = sig.fields.iter().position(|field| field.name == method.name)
        {
            let field = self.field_of(value, index as u32, span);
            return self.call_value(field, arguments, span);
        }
        let canonical = super::builtin_method::canonical(method.name);
        let renamed = ast::Ident { name: canonical, ..method };
        if canonical != method.name
            && !matches!(ty.kind(), TyKind::Struct(..))
            && let Some(found) = self.find_method(ty, canonical)
            && super::is_library(self.world.def(found.id).path.module)
        {
            return self.call_method(value, found, renamed, types, arguments, span, want);
        }
        if let TyKind::Array(of, _) | TyKind::Slice(of) = *ty.kind()
            && super::collection::only_reads(canonical.as_str())
        {
            // Arrays and slices have the methods of a `Vec` that change nothing: those of a copy.
            let vec = Ty::new(TyKind::Vec(of));
            let value = self.follow(value);
            let copy = self.coerce(value, vec, super::Why::Plain);
            if let Some(found) = self.find_method(vec, canonical) {
                return self.call_method(copy, found, renamed, types, arguments, span, want);
            }
            return self.no_method(ty, method, span);
        }
        self.builtin_method(value, ty, method, arguments, span)
    }

    /// The receiver of a method and its type behind all pointers, and behind a `Box` that has no such method.
    fn receiver_with(&mut self, mut value: Expr, method: Name) -> (Expr, Ty) {
        loop {
            let mut ty = self.shallow(value.ty);
            while let Some(to) = ty.pointee() {
                ty = self.shallow(to);
            }
            match *ty.kind() {
                TyKind::Box(inner) if self.find_method(ty, method).is_none() => {
                    let boxed = self.follow_pointers(value);
                    let span = boxed.span;
                    value = Expr::new(ExprKind::Deref(boxed), inner, span);
                }
                _ => return (value, ty),
            }
        }
    }

    /// A method of something whose type is a parameter, in a body read without knowing it: what its bounds, or for
    /// `self` in a trait the trait, say of it. `None` when they say nothing.
    fn call_of_bounds(
        &mut self,
        receiver: &ast::Expr,
        method: ast::Ident,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Option<Expr> {
        let mut above = self.bounds_of(receiver)?;
        let mut next = 0;
        while let Some(path) = above.get(next).copied() {
            next += 1;
            let id = self.world.find(path)?;
            let Some(Interface::Trait(sig)) = self.world.interface(id) else { return None };
            if sig.methods.iter().any(|(name, _)| *name == method.name) {
                let path = ItemPath::new(path.module, &format!("{}.{}", path.name, method.name));
                return self.call_unknown(self.world.find(path)?, method.name, arguments, span);
            }
            above.extend(sig.supertraits.iter().filter(|path| !above.contains(path)).copied().collect::<Vec<_>>());
        }
        self.arguments_alone(arguments);
        let message = match &above[..] {
            [only] => format!("the trait `{}` has no method `{}`", only.name, method.name),
            _ => format!("no trait of this value has a method `{}`", method.name),
        };
        let diagnostic = self.error(codes::UNKNOWN_METHOD, method.span, message);
        let mut names = Vec::new();
        for path in above {
            if let Some(Interface::Trait(sig)) = self.world.find(path).and_then(|id| self.world.interface(id)) {
                names.extend(sig.methods.iter().map(|(name, _)| *name));
            }
        }
        let diagnostic = self.with_nearest(diagnostic, method.name, method.span, names);
        Some(self.fail(diagnostic, span))
    }

    /// The traits the type of a parameter or of `self` is known to have, in a body read without knowing the type.
    fn bounds_of(&mut self, receiver: &ast::Expr) -> Option<Vec<ItemPath>> {
        if !self.is_sketch() {
            return None;
        }
        let id = self.world.find(self.path?)?;
        let name = match &*receiver.kind {
            ast::ExprKind::At => Name::new("self"),
            ast::ExprKind::Name(name) => *name,
            _ => return None,
        };
        if name == "self" {
            let DefKind::TraitMethod { owner } = self.world.def(id).kind else { return None };
            return Some(vec![self.world.def(DefId { module: id.module, index: owner }).path]);
        }
        let param = self.tree?.params.iter().find(|param| param.name.name == name)?;
        let Some(super::Binding::Local(local)) = self.binding(name) else { return None };
        if self.frame().locals[local].span != param.name.span {
            return None;
        }
        let mut ty = param.ty.as_ref()?;
        while let ast::TypeKind::Pointer(to) | ast::TypeKind::Reference(to) = &ty.kind {
            ty = to;
        }
        let ast::TypeKind::Path(path) = &ty.kind else { return None };
        let Some(Interface::Function(sig)) = self.world.interface(id) else { return None };
        let generic =
            sig.generics.iter().find(|generic| path.segments.len() == 1 && generic.name == path.segments[0].name)?;
        let known = !generic.bounds.is_empty() && generic.bounds.len() == generic.written;
        known.then(|| generic.bounds.clone())
    }

    /// A call of a trait's method by a type that is not known: its arguments and its result.
    fn call_unknown(&mut self, id: DefId, name: Name, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let Some(Interface::Function(sig)) = self.world.interface(id) else { return None };
        let known = sig.generics.iter().map(|generic| (generic.name, Ty::error())).collect();
        sig.receiver?;
        let receiver = Some(self.wrong(span));
        Some(self.call_target(Target { id: Some(id), name, sig: &sig, known, receiver }, arguments, span, Want::Any))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a call as written")]
    fn call_method(
        &mut self,
        value: Expr,
        found: Method,
        method: ast::Ident,
        types: Vec<Ty>,
        arguments: &[ast::Expr],
        span: Span,
        want: Want,
    ) -> Expr {
        let mut known = found.known;
        let own = &found.sig.generics[found.sig.outer..];
        known.extend(own.iter().map(|g| g.name).zip(types));
        let by_value = match found.sig.receiver {
            None => {
                self.arguments_alone(arguments);
                let message = format!("`{}` takes no `self`: it is called on the type", method.name);
                let shown = self.follow(value).ty;
                let shown = self.show(shown);
                let diagnostic = self
                    .error(codes::UNKNOWN_METHOD, method.span, message)
                    .with_help(format!("write `{shown}.{}(...)`", method.name));
                return self.fail(diagnostic, span);
            }
            Some(kind) => kind == ast::ReceiverKind::Value,
        };
        let value = self.follow_pointers(value);
        let sig = found.sig.clone();
        let target = |receiver: Expr, known: Vec<(Name, Ty)>| Target {
            id: Some(found.id),
            name: method.name,
            sig: &sig,
            known,
            receiver: Some(receiver),
        };
        if by_value && self.may_wait(found.id) {
            return self.after_waiting(value, span, |this, value| {
                this.call_target(target(value, known), arguments, span, want)
            });
        }
        if by_value {
            return self.call_target(target(value, known), arguments, span, want);
        }
        let reference = Ty::new(TyKind::Reference(value.ty));
        self.with_place(value, |this, place| {
            let receiver = match *place.kind {
                ExprKind::Deref(pointer) => {
                    if matches!(pointer.ty.kind(), TyKind::Reference(_)) {
                        pointer
                    } else {
                        super::coerce::cast(crate::hir::CastKind::Pointer, pointer, reference)
                    }
                }
                kind => this.address_of(Expr { kind: Box::new(kind), ..place }, reference),
            };
            this.call_target(target(receiver, known), arguments, span, want)
        })
    }

    /// A call of a member of a type or module: `P.new()`, `physics.step()`.
    fn static_call(
        &mut self,
        receiver: &ast::Expr,
        method: ast::Ident,
        types: &[Ty],
        arguments: &[ast::Expr],
        span: Span,
        want: Want,
    ) -> Option<Expr> {
        let path = self.type_path_of(receiver)?;
        Some(self.call_member(&path, method, types, arguments, span, want))
    }

    pub fn call_path(
        &mut self,
        path: &ast::TypePath,
        ident: ast::Ident,
        arguments: &[ast::Expr],
        span: Span,
        want: Want,
    ) -> Expr {
        self.call_member(path, ident, &[], arguments, span, want)
    }

    fn call_member(
        &mut self,
        path: &ast::TypePath,
        method: ast::Ident,
        types: &[Ty],
        arguments: &[ast::Expr],
        span: Span,
        want: Want,
    ) -> Expr {
        if let Some(module) = self.module_of_path(path) {
            return match self.world.own_value(module, method.name) {
                Some(Value::Def(id)) => {
                    self.call_definition(id, method.name, method.span, types, arguments, span, want)
                }
                Some(Value::Variant(id, number)) => self.call_variant(id, number, arguments, span, want),
                None => {
                    self.arguments_alone(arguments);
                    self.not_in_module(module, method, span)
                }
            };
        }
        if let Some((id, number)) = self.variant_of(path, method) {
            return self.call_variant(id, number, arguments, span, want);
        }
        let known = self.diagnostics.len();
        let ty = self.lower_inferred(path, want);
        if ty == Ty::error() {
            self.arguments_alone(arguments);
            let _ = known;
            return self.wrong(span);
        }
        match self.find_method(ty, method.name) {
            Some(found) => {
                let mut known = found.known;
                known.extend(found.sig.generics[found.sig.outer..].iter().map(|g| g.name).zip(types.iter().copied()));
                let sig = found.sig.clone();
                if sig.receiver.is_some() {
                    // `P.step(&p)`: the receiver is the first argument.
                    let Some((first, rest)) = arguments.split_first() else {
                        let diagnostic =
                            self.error(codes::ARGUMENT_COUNT, span, format!("`{}` needs a receiver", method.name));
                        return self.fail(diagnostic, span);
                    };
                    let value = self.value(first);
                    let found = Method { id: found.id, sig, known };
                    return self.call_method(value, found, method, Vec::new(), rest, span, want);
                }
                let target = Target { id: Some(found.id), name: method.name, sig: &sig, known, receiver: None };
                self.call_target(target, arguments, span, want)
            }
            None => {
                let canonical = super::builtin_method::canonical(method.name);
                let renamed = self.find_method(ty, canonical).filter(|found| {
                    canonical != method.name && super::is_library(self.world.def(found.id).path.module)
                });
                match renamed {
                    Some(_) => {
                        let method = ast::Ident { name: canonical, ..method };
                        self.call_member(path, method, types, arguments, span, want)
                    }
                    None => self.builtin_static(ty, method, arguments, span, want),
                }
            }
        }
    }

    /// Reports a method a type does not have.
    pub fn no_method(&mut self, ty: Ty, method: ast::Ident, span: Span) -> Expr {
        let (head, _) = self.head_of(ty);
        let shown = self.show(ty);
        let message = format!("`{shown}` has no method `{}`", method.name);
        let diagnostic = self.error(codes::UNKNOWN_METHOD, method.span, message);
        if self.recovering || self.is_lost_method(head, method.name) || self.is_lacking(ty, method.name) {
            return self.wrong(span);
        }
        let names = self.method_names(ty, head);
        let diagnostic = self.with_nearest(diagnostic, method.name, method.span, names);
        self.fail(diagnostic, span)
    }

    /// Does an implementation for the type lack the method, which is reported there?
    fn is_lacking(&mut self, ty: Ty, name: Name) -> bool {
        traits_of(self.world, ty).into_iter().any(|path| {
            let found = self.world.find(path).and_then(|id| self.world.interface(id));
            matches!(found, Some(Interface::Trait(sig)) if sig.methods.iter().any(|(method, _)| *method == name))
        })
    }

    /// Is the method written for a type whose name is a misspelling of this one's?
    fn is_lost_method(&mut self, head: Name, name: Name) -> bool {
        let own = self.scope.module;
        let owners =
            self.world.tables.iter().flat_map(|table| table.methods.keys().filter(|(_, other)| *other == name));
        let mut owners = owners.map(|(owner, _)| *owner);
        owners.any(|owner| nearest(owner, [head]).is_some() && self.world.ty(own, owner).is_none())
    }

    /// Reports a name a module does not declare.
    pub fn not_in_module(&mut self, module: u32, ident: ast::Ident, span: Span) -> Expr {
        let name = self.world.input.modules[module as usize].name;
        let message = format!("the module `{name}` has no `{}`", ident.name);
        let mut diagnostic = self.error(codes::UNKNOWN_NAME, ident.span, message);
        let table = &self.world.tables[module as usize];
        if let Some(known) = nearest(ident.name, table.values.keys().chain(table.types.keys()).copied()) {
            let place = self.place(ident.span);
            diagnostic =
                diagnostic.with_help(format!("did you mean `{known}`?")).with_suggestion(place, known.as_str());
        }
        self.fail(diagnostic, span)
    }
}

/// Could two types become equal?
pub(crate) fn may_match(a: Ty, b: Ty) -> bool {
    match (a.kind(), b.kind()) {
        (TyKind::Infer(_) | TyKind::Param(_) | TyKind::Error, _) | (_, TyKind::Infer(_) | TyKind::Error) => true,
        (&TyKind::Struct(p, x), &TyKind::Struct(q, y)) | (&TyKind::Enum(p, x), &TyKind::Enum(q, y)) => {
            p == q && x.len() == y.len() && x.iter().zip(y.iter()).all(|(a, b)| may_match(*a, *b))
        }
        (&TyKind::Vec(x), &TyKind::Vec(y))
        | (&TyKind::Box(x), &TyKind::Box(y))
        | (&TyKind::Pointer(x), &TyKind::Pointer(y))
        | (&TyKind::Reference(x), &TyKind::Reference(y))
        | (&TyKind::Slice(x), &TyKind::Slice(y)) => may_match(x, y),
        (&TyKind::Array(x, n), &TyKind::Array(y, m)) => n == m && may_match(x, y),
        (&TyKind::HashMap(k, v), &TyKind::HashMap(l, w)) => may_match(k, l) && may_match(v, w),
        _ => a == b,
    }
}

/// The traits a type implements, supertraits' own impls apart.
pub(crate) fn traits_of(world: &World<'_>, ty: Ty) -> Vec<ItemPath> {
    let mut found = match *ty.kind() {
        TyKind::Dyn(of_trait) => super::dynamic::with_supertraits(world, of_trait),
        _ => Vec::new(),
    };
    for id in world.impls() {
        debug_assert!(world.def(id).kind == DefKind::Impl);
        if let Some(Interface::Impl(sig)) = world.interface(id)
            && let Some(of_trait) = sig.of_trait
            && may_match(sig.target, ty)
            && !found.contains(&of_trait)
        {
            found.push(of_trait);
        }
    }
    found
}
