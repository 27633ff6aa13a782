//! `dyn Trait`: values made of others, and calls through the table of methods.

use std::sync::Arc;

use vaisjit_syntax::{Name, Span, ast};

use super::call::Target;
use super::coerce::is_place;
use super::literal::replace;
use super::{Checker, Want};
use crate::codes;
use crate::hir::{Callee, Expr, ExprKind, MadeDyn, PatternKind, Stmt};
use crate::index::DefId;
use crate::infer::{Known, has_variables, walk};
use crate::interface::{FnSig, Interface};
use crate::lower::TypeScope;
use crate::program::DynMethod;
use crate::types::{Instance, ItemPath, Ty, TyKind, TyList};
use crate::world::World;

/// A method of a trait or of one of its supertraits.
struct TraitMethod {
    name: Name,
    id: DefId,
    /// The trait that declares it.
    of: ItemPath,
    sig: Arc<FnSig>,
}

/// A trait and all its supertraits, each once.
pub(crate) fn with_supertraits(world: &World<'_>, of_trait: ItemPath) -> Vec<ItemPath> {
    let mut found = vec![of_trait];
    let mut next = 0;
    while next < found.len() {
        if let Some(id) = world.find(found[next])
            && let Some(Interface::Trait(sig)) = world.interface(id)
        {
            found.extend(sig.supertraits.iter().copied().filter(|path| !found.contains(path)).collect::<Vec<_>>());
        }
        next += 1;
    }
    found
}

/// All methods of a trait and its supertraits, ordered by name; of two with one name the trait's own.
fn methods(world: &World<'_>, of_trait: ItemPath) -> Vec<TraitMethod> {
    let mut found: Vec<TraitMethod> = Vec::new();
    for of in with_supertraits(world, of_trait) {
        let Some(Interface::Trait(declared)) = world.find(of).and_then(|id| world.interface(id)) else { continue };
        for (name, _) in &declared.methods {
            let path = ItemPath::new(of.module, &format!("{}.{name}", of.name));
            let Some(id) = world.find(path) else { continue };
            let Some(Interface::Function(sig)) = world.interface(id) else { continue };
            if !found.iter().any(|known| known.name == *name) {
                found.push(TraitMethod { name: *name, id, of, sig });
            }
        }
    }
    found.sort_by_key(|method| method.name);
    found
}

/// What can be called through a `dyn` of a trait, in the order of its tables.
pub(crate) fn callable(world: &World<'_>, of_trait: ItemPath) -> Vec<DynMethod> {
    let all = methods(world, of_trait).into_iter().filter(|method| obstacle(&method.sig).is_none());
    let method = |method: TraitMethod| DynMethod {
        name: method.name,
        params: method.sig.params.iter().map(|param| param.ty).collect(),
        result: method.sig.result,
    };
    all.map(method).collect()
}

/// The `dyn`s that the running version makes, as far as they can still be, with what implements their methods now: there may
/// be values of them though no line of the program makes one any more.
pub(crate) fn of_running(world: &World<'_>) -> Vec<MadeDyn> {
    let running = world.input.running.iter().flat_map(|running| running.checked.dyns.keys());
    running.filter_map(|(of_trait, of)| made(world, *of_trait, *of)).collect()
}

fn made(world: &World<'_>, of_trait: ItemPath, of: Ty) -> Option<MadeDyn> {
    let id = world.find(of_trait)?;
    let mut is_known = matches!(world.interface(id), Some(Interface::Trait(_)));
    walk(of, &mut |part| is_known &= is_declared(world, part));
    if !is_known || !super::method::traits_of(world, of).contains(&of_trait) {
        return None;
    }
    let scope = TypeScope::new(id.module, world.item_id(id));
    let mut checker = Checker::new(world, scope, Ty::unit());
    let mut methods = checker.table_of(of, of_trait, Span::default());
    for method in &mut methods {
        let arguments: Vec<Ty> = method.arguments.iter().map(|ty| checker.table.resolve(*ty, true)).collect();
        method.arguments = TyList::new(&arguments);
    }
    let is_open = |method: &Instance| method.arguments.iter().any(|ty| has_variables(*ty));
    if methods.iter().any(is_open) {
        return None;
    }
    checker.diagnostics.is_empty().then_some(MadeDyn { of_trait, of, methods })
}

/// Does the program declare a type with so many parameters?
fn is_declared(world: &World<'_>, ty: Ty) -> bool {
    let (path, arguments) = match *ty.kind() {
        TyKind::Struct(path, arguments) | TyKind::Enum(path, arguments) => (path, arguments.len()),
        TyKind::Dyn(path) => return world.find(path).is_some(),
        _ => return true,
    };
    match world.find(path).and_then(|id| world.interface(id)) {
        Some(Interface::Struct(sig)) => sig.generics.len() == arguments,
        Some(Interface::Enum(sig)) => sig.generics.len() == arguments,
        _ => false,
    }
}

/// Why a method cannot be called through a table.
fn obstacle(sig: &FnSig) -> Option<&'static str> {
    let this = Ty::new(TyKind::Param(Name::new("Self")));
    let mut mentions = false;
    for ty in sig.params.iter().map(|param| param.ty).chain([sig.result]) {
        walk(ty, &mut |part| mentions |= part == this);
    }
    match () {
        () if sig.receiver.is_none() => Some("it takes no `self`"),
        () if sig.generics.len() > sig.outer => Some("it is generic"),
        () if mentions => Some("`Self` stands in its signature"),
        () => None,
    }
}

impl Checker<'_, '_> {
    /// The `dyn` made of a value; the value again when it cannot become one.
    pub fn make_dyn(&mut self, e: Expr, from: Ty, of_trait: ItemPath, to: Ty) -> Result<Expr, Expr> {
        let (value, target) = match *from.kind() {
            TyKind::Reference(inner) | TyKind::Pointer(inner) => {
                let inner = self.shallow(inner);
                if inner == to || matches!(inner.kind(), TyKind::Reference(_) | TyKind::Pointer(_) | TyKind::Box(_)) {
                    let span = e.span;
                    let e = Expr::new(ExprKind::Deref(e), inner, span);
                    return if inner == to { Ok(e) } else { self.make_dyn(e, inner, of_trait, to) };
                }
                (e, inner)
            }
            TyKind::Box(inner) => (unboxed(e, inner), inner),
            TyKind::Infer(_) => match self.table.known(from) {
                Known::Int => (e, Ty::i64()),
                Known::Float => (e, Ty::f64()),
                _ => return if self.table.unify(from, to) { Ok(e) } else { Err(e) },
            },
            _ => (e, from),
        };
        let target = self.shallow(target);
        self.table.unify(from, target);
        if let TyKind::Dyn(_) = target.kind() {
            return Err(value);
        }
        let resolved = self.table.resolve(target, true);
        if !super::method::traits_of(self.world, resolved).contains(&of_trait) {
            let diagnostic = self.not_implemented(resolved, of_trait, value.span);
            return Ok(self.fail(diagnostic, value.span));
        }
        let span = value.span;
        let methods = self.table_of(target, of_trait, span);
        Ok(Expr::new(ExprKind::MakeDyn { value, methods }, to, span))
    }

    /// The message for a type that does not implement a trait.
    pub fn not_implemented(&mut self, ty: Ty, of_trait: ItemPath, span: Span) -> vaisjit_syntax::Diagnostic {
        let name = of_trait.name;
        self.error(codes::BOUND, span, format!("`{ty}` does not implement the trait `{name}`"))
            .with_help(format!("implement it: `X {ty}: {name} {{ ... }}`"))
    }

    /// The instances behind a table, in its order.
    fn table_of(&mut self, ty: Ty, of_trait: ItemPath, span: Span) -> Vec<Instance> {
        let mut table = Vec::new();
        for method in methods(self.world, of_trait) {
            if obstacle(&method.sig).is_some() {
                continue;
            }
            match self.implementation(ty, &method) {
                Some((instance, sig)) => {
                    if sig.receiver == Some(ast::ReceiverKind::Value) && ty.is_scalar() {
                        let shown = self.show(ty);
                        let message =
                            format!("`{}` of `{shown}` takes `self` by value: no `dyn` can call it", method.name);
                        let diagnostic =
                            self.error(codes::MISMATCH, span, message).with_help("declare it with `&self`");
                        self.report(diagnostic);
                    }
                    table.push(instance);
                }
                // What is missing is said where the trait is implemented.
                None => table.push(Instance::plain(self.world.def(method.id).path)),
            }
        }
        table
    }

    /// The function that implements a trait's method for a type.
    fn implementation(&mut self, ty: Ty, method: &TraitMethod) -> Option<(Instance, Arc<FnSig>)> {
        let (head, module) = self.head_of(ty);
        for id in self.world.methods(module, head, method.name) {
            if self.trait_of_method(id) != Some(method.of) {
                continue;
            }
            let Some(Interface::Function(sig)) = self.world.interface(id) else { continue };
            let Some(self_ty) = sig.self_ty else { continue };
            if let Some(known) = self.match_impl(&sig, self_ty, ty) {
                let arguments: Vec<Ty> = known.into_iter().map(|(_, ty)| ty).collect();
                let path = self.world.def(id).path;
                return Some((Instance { path, arguments: TyList::new(&arguments) }, sig));
            }
        }
        self.world.function(method.id)?.body.as_ref()?;
        let path = self.world.def(method.id).path;
        Some((Instance { path, arguments: TyList::new(&[ty]) }, method.sig.clone()))
    }

    /// The trait whose implementation a method stands in.
    fn trait_of_method(&mut self, id: DefId) -> Option<ItemPath> {
        let crate::index::DefKind::Method { owner } = self.world.def(id).kind else { return None };
        match self.world.interface(DefId { module: id.module, index: owner })? {
            Interface::Impl(sig) => sig.of_trait,
            _ => None,
        }
    }

    /// A method called on a `dyn`.
    pub fn call_dyn(
        &mut self,
        value: Expr,
        of_trait: ItemPath,
        method: ast::Ident,
        arguments: &[ast::Expr],
        span: Span,
        want: Want,
    ) -> Expr {
        let all = methods(self.world, of_trait);
        let Some(found) = all.iter().find(|known| known.name == method.name) else {
            self.arguments_alone(arguments);
            return self.no_dyn_method(&all, of_trait, method, span);
        };
        if let Some(why) = obstacle(&found.sig) {
            self.arguments_alone(arguments);
            let message = format!("`{}` cannot be called through `dyn {}`: {why}", method.name, of_trait.name);
            let diagnostic = self
                .error(codes::UNKNOWN_METHOD, method.span, message)
                .with_label(self.world.place(found.id), "declared here");
            return self.fail(diagnostic, span);
        }
        let callable = all.iter().filter(|known| obstacle(&known.sig).is_none());
        let index = callable.take_while(|known| known.name != method.name).count() as u32;
        let this = value.ty;
        let known = vec![(Name::new("Self"), this)];
        let types: Vec<Ty> = found.sig.params.iter().map(|param| replace(param.ty, &known)).collect();
        let target = Target { id: Some(found.id), name: method.name, sig: &found.sig, known, receiver: Some(value) };
        let mut call = self.call_target(target, arguments, span, want);
        if let ExprKind::Call(callee @ Callee::Function(_), _) = &mut *call.kind {
            *callee = Callee::Dyn(index, TyList::new(&types));
        }
        call
    }

    fn no_dyn_method(&mut self, all: &[TraitMethod], of_trait: ItemPath, method: ast::Ident, span: Span) -> Expr {
        let message = format!("the trait `{}` has no method `{}`", of_trait.name, method.name);
        let mut diagnostic = self.error(codes::UNKNOWN_METHOD, method.span, message);
        if let Some(known) = crate::suggest::nearest(method.name, all.iter().map(|known| known.name)) {
            let place = self.place(method.span);
            diagnostic =
                diagnostic.with_help(format!("did you mean `{known}`?")).with_suggestion(place, known.as_str());
        }
        self.fail(diagnostic, span)
    }
}

/// What lies in a `Box`: what it is just being made of, else a copy.
fn unboxed(e: Expr, inner: Ty) -> Expr {
    let span = e.span;
    match *e.kind {
        ExprKind::BoxNew(value) => value,
        kind => Expr::new(ExprKind::Deref(Expr { kind: Box::new(kind), ..e }), inner, span),
    }
}

/// `&temporary`: the temporary itself, which a `dyn` made of it then owns.
pub(crate) fn owned_temporary(e: Expr) -> Expr {
    let is_temporary = match &*e.kind {
        ExprKind::Block(statements, Some(value)) => match (&statements[..], &*value.kind) {
            ([Stmt::Let(pattern, _)], ExprKind::AddressOf(place)) => match (&pattern.kind, &*place.kind) {
                (PatternKind::Bind(bound, None), ExprKind::Local(used)) => bound == used && is_place(place),
                _ => false,
            },
            _ => false,
        },
        _ => false,
    };
    if !is_temporary {
        return e;
    }
    let Expr { kind, ty, span } = e;
    match *kind {
        ExprKind::Block(mut statements, value) => match statements.pop() {
            Some(Stmt::Let(_, made)) => made,
            other => Expr::new(ExprKind::Block(other.into_iter().collect(), value), ty, span),
        },
        kind => Expr::new(kind, ty, span),
    }
}
