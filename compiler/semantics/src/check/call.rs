//! Calls of functions and function values.

use vaisjit_syntax::{Name, Span, ast};

use super::coerce::{Why, cast};
use super::literal::replace;
use super::name::Found;
use super::{Binding, Checker, Want};
use crate::codes;
use crate::hir::{Callee, CastKind, Expr, ExprKind};
use crate::index::DefId;
use crate::infer::{Known, has_variables};
use crate::interface::{FnSig, Interface};
use crate::lower::plural;
use crate::types::{FloatKind, Instance, Ty, TyKind, TyList};

/// Parameters of the prelude's functions that are numbers and never addresses.
const NUMBERS: &[&str] = &["n", "c", "count", "size", "usec", "seconds", "offset"];

/// A function about to be called.
pub(crate) struct Target<'s> {
    pub id: Option<DefId>,
    pub name: Name,
    pub sig: &'s FnSig,
    /// What is known of its generic parameters.
    pub known: Vec<(Name, Ty)>,
    /// The receiver, already checked.
    pub receiver: Option<Expr>,
}

impl Checker<'_, '_> {
    pub fn call(&mut self, callee: &ast::Expr, arguments: &[ast::Expr], span: Span, want: Want) -> Expr {
        match &*callee.kind {
            ast::ExprKind::Name(name) => self.call_name(*name, callee.span, &[], arguments, span, want),
            ast::ExprKind::Instance(ident, types) => {
                let types: Vec<Ty> = types.iter().map(|ty| self.lower(ty)).collect();
                self.call_name(ident.name, ident.span, &types, arguments, span, want)
            }
            ast::ExprKind::At => self.call_again(arguments, span, want),
            ast::ExprKind::Path(path, ident) => self.call_path(path, *ident, arguments, span, want),
            ast::ExprKind::Field(of, ident) => self.method_call(of, *ident, &[], arguments, span, want),
            _ => {
                let value = self.value(callee);
                self.call_value(value, arguments, span)
            }
        }
    }

    fn call_name(
        &mut self,
        name: Name,
        at: Span,
        types: &[Ty],
        arguments: &[ast::Expr],
        span: Span,
        want: Want,
    ) -> Expr {
        match self.resolve(name) {
            Some(Found::Builtin) => self.builtin(name, at, types, arguments, span, want),
            Some(Found::Def(id)) => {
                self.refuse_ambiguous(name, at);
                self.call_definition(id, name, at, types, arguments, span, want)
            }
            Some(Found::Variant(id, number)) => self.call_variant(id, number, arguments, span, want),
            Some(Found::Host) => match self.host_signature(name) {
                Some(sig) => {
                    let target = Target { id: None, name, sig: &sig, known: Vec::new(), receiver: None };
                    self.call_target(target, arguments, span, want)
                }
                None => self.wrong(span),
            },
            Some(Found::Binding(Binding::Local(_)) | Found::Binding(_) | Found::OwnField(_)) => {
                let value = self.name(name, at, Want::Any);
                self.call_value(value, arguments, span)
            }
            None => {
                self.arguments_alone(arguments);
                if !self.recovering && self.own_method(name) {
                    let diagnostic = self
                        .error(codes::UNKNOWN_NAME, at, format!("there is no function `{name}`, but a method"))
                        .with_help(format!("call it on the receiver: `@.{name}(...)`"));
                    return self.fail(diagnostic, span);
                }
                if let Some(id) = self.world.ty(self.scope.module, name).filter(|_| !self.recovering) {
                    let message = format!("`{name}` is a type, not a function");
                    let diagnostic = self.error(codes::NOT_A_VALUE, at, message);
                    let diagnostic = self.with_literal(diagnostic, id, at, arguments, span);
                    return self.fail(diagnostic, span);
                }
                self.unknown_name(name, at)
            }
        }
    }

    fn own_method(&mut self, name: Name) -> bool {
        let Some(ty) = self.scope.self_ty else { return false };
        let (head, module) = self.head_of(ty);
        !self.world.methods(module, head, name).is_empty()
    }

    /// Checks arguments whose call is wrong anyway, for the mistakes in them.
    pub fn arguments_alone(&mut self, arguments: &[ast::Expr]) {
        for argument in arguments {
            self.check(argument, Want::Any);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a call as written")]
    pub fn call_definition(
        &mut self,
        id: DefId,
        name: Name,
        at: Span,
        types: &[Ty],
        arguments: &[ast::Expr],
        span: Span,
        want: Want,
    ) -> Expr {
        if self.probe_call(id, arguments) {
            let ty = self.fresh();
            return self.make(ExprKind::Unit, ty, span);
        }
        match self.world.interface(id) {
            Some(Interface::Function(sig)) => {
                let own = &sig.generics[sig.outer.min(sig.generics.len())..];
                if !types.is_empty() && types.len() != own.len() {
                    let message =
                        format!("`{name}` takes {} type argument{}, not {}", own.len(), plural(own.len()), types.len());
                    let diagnostic = self
                        .error(codes::TYPE_ARGUMENTS, at, message)
                        .with_label(self.world.place(id), "declared here");
                    self.report(diagnostic);
                }
                let known = own.iter().map(|g| g.name).zip(types.iter().copied()).collect();
                if super::printf::has_format(name, &sig) && arguments.len() >= sig.params.len() {
                    return self.printf(name, &sig, arguments, span);
                }
                let target = Target { id: Some(id), name, sig: &sig, known, receiver: None };
                self.call_target(target, arguments, span, want)
            }
            Some(Interface::Error) => {
                self.arguments_alone(arguments);
                self.wrong(span)
            }
            Some(_) => {
                let value = self.definition(id, name, at);
                self.call_value(value, arguments, span)
            }
            None => {
                self.arguments_alone(arguments);
                let diagnostic = self.recursive_result(id, name, at);
                self.fail(diagnostic, span)
            }
        }
    }

    /// `@(...)`
    fn call_again(&mut self, arguments: &[ast::Expr], span: Span, want: Want) -> Expr {
        let (Some(instance), Some(tree)) = (self.instance, self.tree) else {
            self.arguments_alone(arguments);
            let diagnostic =
                self.error(codes::OUTSIDE_FUNCTION, span, "`@` calls the enclosing function, and there is none here");
            return self.fail(diagnostic, span);
        };
        let Some(id) = self.world.find(instance.path) else { return self.wrong(span) };
        let name = tree.name.name;
        if self.probe_call(id, arguments) {
            let ty = self.fresh();
            return self.make(ExprKind::Unit, ty, span);
        }
        let Some(Interface::Function(sig)) = self.world.interface(id) else {
            self.arguments_alone(arguments);
            let diagnostic = self.recursive_result(id, name, span);
            return self.fail(diagnostic, span);
        };
        let known = sig.generics.iter().map(|g| g.name).zip(instance.arguments.iter().copied()).collect();
        let receiver = match sig.receiver {
            Some(_) => self.receiver_value(span),
            None => None,
        };
        let target = Target { id: Some(id), name, sig: &sig, known, receiver };
        self.call_target(target, arguments, span, want)
    }

    /// The call of a function whose signature is known.
    pub fn call_target(&mut self, target: Target<'_>, arguments: &[ast::Expr], span: Span, want: Want) -> Expr {
        let sig = target.sig;
        let mut map = target.known;
        for generic in &sig.generics {
            if !map.iter().any(|(name, _)| *name == generic.name) {
                let fresh = self.fresh();
                map.push((generic.name, fresh));
            }
        }
        if !map.is_empty()
            && let Want::Of(ty) = want
            && !has_variables(ty)
        {
            // What is expected may say what the arguments alone do not.
            let result = replace(sig.result, &map);
            if matches!(sig.result.kind(), TyKind::Struct(..) | TyKind::Enum(..) | TyKind::Vec(_) | TyKind::HashMap(..))
            {
                self.table.unify(result, ty);
            }
        }
        let declared = target.id.map(|id| self.world.head(id));
        let required = sig.params.iter().take_while(|param| param.default.is_none()).count();
        let count = arguments.len();
        if count < required || count > sig.params.len() && !sig.variadic {
            self.arguments_alone(arguments);
            let at_least = if required < sig.params.len() || sig.variadic { "at least " } else { "" };
            let wanted = if count < required { required } else { sig.params.len() };
            let at_least = if count < required { at_least } else { "" };
            let at_most = if count > required && required < sig.params.len() { "at most " } else { at_least };
            let message = format!(
                "`{}` takes {at_most}{wanted} argument{}, but {count} {} given",
                target.name,
                plural(wanted),
                if count == 1 { "is" } else { "are" }
            );
            let (at, spans) = self.surplus(arguments, sig.params.len(), span);
            let mut diagnostic = self.error(codes::ARGUMENT_COUNT, at, message);
            if let Some(place) = declared {
                diagnostic = diagnostic.with_label(place, "declared here");
            }
            diagnostic = diagnostic.with_help(self.declaration_of(target.name, sig));
            if count > sig.params.len() {
                diagnostic = self.without_arguments(diagnostic, &spans, sig.params.len());
            }
            if count < required {
                let missing: Vec<String> = sig.params[count..required]
                    .iter()
                    .map(|param| format!("`{}: {}`", param.name, replace(param.ty, &map)))
                    .collect();
                diagnostic = diagnostic.with_help(format!("missing: {}", missing.join(", ")));
            }
            self.report(diagnostic);
            let mut e = self.wrong(span);
            let result = replace(sig.result, &map);
            e.ty = if matches!(result.kind(), TyKind::Param(_)) { Ty::error() } else { result };
            return e;
        }
        let reported = self.diagnostics.len();
        let mut values: Vec<Expr> = target.receiver.into_iter().collect();
        let module = target.id.map_or(self.scope.module, |id| id.module);
        let library = super::is_library(self.world.input.modules[module as usize].name);
        for (index, param) in sig.params.iter().enumerate() {
            let ty = replace(param.ty, &map);
            let why = Why::Argument(target.name, param.name, declared);
            let value = match (arguments.get(index), &param.default) {
                (Some(argument), _) if sig.addresses => self.address_argument(argument, ty, why),
                (Some(argument), _) if library => self.library_argument(argument, ty, why),
                (Some(argument), _) => self.check_to(argument, ty, why),
                (None, Some(default)) => self.foreign(default, ty, module, span),
                (None, None) => self.wrong(span),
            };
            values.push(value);
        }
        for argument in arguments.iter().skip(sig.params.len()) {
            let value = self.value(argument);
            let value = self.promote(value);
            values.push(value);
        }
        self.one_mismatch(reported, target.name, sig);
        self.finish_call(target.id, sig, &map, values, target.name, span)
    }

    /// An argument of one of the library's functions: a reference to a value does where the value is wanted.
    fn library_argument(&mut self, argument: &ast::Expr, ty: Ty, why: Why) -> Expr {
        let value = self.check(argument, Want::Of(ty));
        if let TyKind::Reference(inner) = *self.shallow(value.ty).kind()
            && let (inner, wanted) = (self.shallow(inner), self.shallow(ty))
            && !matches!(wanted.kind(), TyKind::Infer(_) | TyKind::Reference(_) | TyKind::Pointer(_))
            && self.table.unify(inner, wanted)
        {
            let span = value.span;
            return Expr::new(ExprKind::Deref(value), inner, span);
        }
        self.coerce(value, ty, why)
    }

    /// Of several arguments of wrong types only the first is an error: most often they stand in a wrong order.
    fn one_mismatch(&mut self, reported: usize, name: Name, sig: &FnSig) {
        let of_call = format!("of `{name}`, found");
        let wrong =
            |found: &vaisjit_syntax::Diagnostic| found.code == codes::MISMATCH && found.message.contains(&of_call);
        if self.diagnostics[reported..].iter().filter(|found| wrong(found)).count() < 2 {
            return;
        }
        let help = self.declaration_of(name, sig);
        let (mut first, mut others) = (None, Vec::new());
        for found in self.diagnostics.split_off(reported) {
            match (wrong(&found), first) {
                (true, None) => {
                    first = Some(self.diagnostics.len());
                    self.diagnostics.push(found);
                }
                (true, Some(_)) => others.push(found.primary),
                (false, _) => self.diagnostics.push(found),
            }
        }
        let Some(first) = first.and_then(|first| self.diagnostics.get_mut(first)) else { return };
        first.labels.extend(others);
        first.suggestions.clear();
        first.help = vec![help];
    }

    /// An argument of one of the C library's functions: addresses are plain integers there.
    pub fn address_argument(&mut self, argument: &ast::Expr, ty: Ty, why: Why) -> Expr {
        let value = self.check(argument, Want::Of(ty));
        let value = self.must_have_value(value);
        let from = self.shallow(value.ty);
        if let Why::Argument(_, param, _) = why
            && ty == Ty::i64()
            && NUMBERS.contains(&param.as_str())
            && !matches!(from.kind(), TyKind::Int(_))
        {
            return self.coerce(value, ty, why);
        }
        match (from.kind(), ty.kind()) {
            // Nobody has seen a declaration that says how wide C's integers are.
            (TyKind::Int(_), TyKind::Int(_)) => cast(CastKind::IntToInt, value, ty),
            (TyKind::Pointer(_) | TyKind::Reference(_) | TyKind::Str, _) if ty == Ty::i64() => {
                cast(CastKind::IntToInt, value, ty)
            }
            (TyKind::Array(of, _), _) if ty == Ty::i64() => {
                let pointer = Ty::pointer(*of);
                let value = self.coerce(value, pointer, why);
                cast(CastKind::IntToInt, value, ty)
            }
            (TyKind::Int(_) | TyKind::Infer(_), TyKind::Pointer(_)) => {
                let value = self.coerce(value, Ty::i64(), why);
                cast(CastKind::Pointer, value, ty)
            }
            (TyKind::Pointer(_) | TyKind::Reference(_), TyKind::Pointer(_)) => cast(CastKind::Pointer, value, ty),
            _ => self.coerce(value, ty, why),
        }
    }

    /// An argument of a variadic function, as C promotes it.
    pub fn promote(&mut self, value: Expr) -> Expr {
        let ty = self.shallow(value.ty);
        match *ty.kind() {
            TyKind::Int(kind) if kind.bits() < 32 => {
                cast(CastKind::IntToInt, value, Ty::int(crate::types::IntKind::I32))
            }
            TyKind::Bool => cast(CastKind::IntToInt, value, Ty::int(crate::types::IntKind::I32)),
            TyKind::Float(FloatKind::F32) => cast(CastKind::FloatToFloat, value, Ty::f64()),
            TyKind::Str => cast(CastKind::Pointer, value, Ty::pointer(Ty::int(crate::types::IntKind::I8))),
            TyKind::Array(of, _) => self.coerce(value, Ty::pointer(of), Why::Plain),
            TyKind::Int(_) | TyKind::Float(_) | TyKind::Pointer(_) | TyKind::Reference(_) | TyKind::Function(..) => {
                value
            }
            TyKind::Infer(_) if !matches!(self.table.known(ty), Known::Nothing) => value,
            TyKind::Error | TyKind::Never => value,
            _ => {
                let shown = self.show(ty);
                let diagnostic = self.error(
                    codes::MISMATCH,
                    value.span,
                    format!("`{shown}` cannot be passed to a variadic C function"),
                );
                self.fail(diagnostic, value.span)
            }
        }
    }

    /// The call itself, once the arguments are there.
    pub fn finish_call(
        &mut self,
        id: Option<DefId>,
        sig: &FnSig,
        map: &[(Name, Ty)],
        values: Vec<Expr>,
        name: Name,
        span: Span,
    ) -> Expr {
        let arguments: Vec<Ty> = sig.generics.iter().map(|g| replace(Ty::new(TyKind::Param(g.name)), map)).collect();
        for (generic, ty) in sig.generics.iter().zip(&arguments) {
            for bound in &generic.bounds {
                let span = self.span(span);
                self.bounds.push((*ty, *bound, span));
            }
        }
        let callee = match id {
            Some(id) => self.callee(id, sig, TyList::new(&arguments)),
            None => Callee::Host(name),
        };
        let mut result = replace(sig.result, map);
        if let (TyKind::Param(_), Callee::Function(instance)) = (sig.result.kind(), &callee)
            && sig.result == Ty::new(TyKind::Param(Name::new("{result}")))
        {
            result = self.result_of_instance(id, *instance, name, span);
        }
        let ends = match &callee {
            Callee::C(function) => matches!(function.symbol.as_str(), "exit" | "abort" | "_exit"),
            Callee::Host(name) => matches!(name.as_str(), "exit" | "hot_restart"),
            _ => false,
        };
        if ends {
            let call = self.make(ExprKind::Call(callee, values), result, span);
            let end = self.make(ExprKind::Trap(vaisjit_abi::TrapCode::Unreachable, None), Ty::never(), span);
            return self.make(ExprKind::Block(vec![crate::hir::Stmt::Expr(call)], Some(end)), Ty::never(), span);
        }
        if let (Callee::C(_), TyKind::Str) = (&callee, result.kind()) {
            // C's text becomes one of the program's own.
            let call = self.make(ExprKind::Call(callee, values), Ty::i64(), span);
            return self.owned_text(call, span);
        }
        self.make(ExprKind::Call(callee, values), result, span)
    }

    fn result_of_instance(&mut self, id: Option<DefId>, instance: Instance, name: Name, span: Span) -> Ty {
        let Some(id) = id else { return Ty::error() };
        let arguments: Vec<Ty> = instance.arguments.iter().map(|ty| self.table.resolve(*ty, true)).collect();
        if arguments.iter().any(|ty| has_variables(*ty)) {
            return self.undetermined(span, span).ty;
        }
        let instance = Instance { path: instance.path, arguments: TyList::new(&arguments) };
        match crate::bodies::instance_result(self.world, id, instance) {
            Some(ty) => ty,
            None => {
                let diagnostic = self.recursive_result(id, name, span);
                self.fail(diagnostic, span).ty
            }
        }
    }

    /// The call of a function value.
    pub fn call_value(&mut self, callee: Expr, arguments: &[ast::Expr], span: Span) -> Expr {
        let ty = self.shallow(callee.ty);
        let ty = match super::place::inside(ty) {
            Some(to) if matches!(self.shallow(to).kind(), TyKind::Function(..)) => self.shallow(to),
            _ => ty,
        };
        let callee = if ty == self.shallow(callee.ty) { callee } else { self.follow(callee) };
        match *ty.kind() {
            TyKind::Function(params, result) => {
                if params.len() != arguments.len() {
                    self.arguments_alone(arguments);
                    let shown = self.show(ty);
                    let message = format!(
                        "this `{shown}` takes {} argument{}, but {} {} given",
                        params.len(),
                        plural(params.len()),
                        arguments.len(),
                        if arguments.len() == 1 { "is" } else { "are" }
                    );
                    let (at, spans) = self.surplus(arguments, params.len(), span);
                    let diagnostic = self.error(codes::ARGUMENT_COUNT, at, message);
                    let diagnostic = self.without_arguments(diagnostic, &spans, params.len());
                    let mut e = self.fail(diagnostic, span);
                    e.ty = result;
                    return e;
                }
                let values = params.iter().zip(arguments).map(|(ty, e)| self.check_to(e, *ty, Why::Plain)).collect();
                let callee = match *callee.kind {
                    ExprKind::Function(known) => known,
                    kind => Callee::Value(Box::new(Expr { kind: Box::new(kind), ..callee })),
                };
                self.make(ExprKind::Call(callee, values), result, span)
            }
            TyKind::Error => {
                self.arguments_alone(arguments);
                self.wrong(span)
            }
            TyKind::Infer(_) if matches!(self.table.known(ty), Known::Nothing) => {
                let values: Vec<Expr> = arguments.iter().map(|e| self.value(e)).collect();
                let params: Vec<Ty> = values.iter().map(|e| e.ty).collect();
                let result = self.fresh();
                self.table.unify(ty, Ty::new(TyKind::Function(TyList::new(&params), result)));
                self.make(ExprKind::Call(Callee::Value(Box::new(callee)), values), result, span)
            }
            _ => {
                let shown = self.show(ty);
                let mut diagnostic =
                    self.error(codes::NOT_CALLABLE, callee.span, format!("this is `{shown}` and cannot be called"));
                if matches!(&*callee.kind, ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Str(_)) {
                    // Surely the next statement, on the same line.
                    diagnostic = diagnostic.with_help("a `(` on the same line continues a statement: begin a new line");
                    self.recovering = true;
                }
                self.report(diagnostic);
                self.arguments_alone(arguments);
                self.wrong(span)
            }
        }
    }

    /// When only the calls of one function matter: notes the arguments of this one.
    fn probe_call(&mut self, id: DefId, arguments: &[ast::Expr]) -> bool {
        let path = self.world.def(id).path;
        if self.probe.as_ref().is_none_or(|(wanted, _)| *wanted != path) {
            return false;
        }
        let values: Vec<Expr> = arguments.iter().map(|e| self.value(e)).collect();
        if let Some((_, calls)) = &mut self.probe {
            calls.push((values.iter().map(|e| e.ty).collect(), values.iter().map(|e| e.span).collect()));
        }
        true
    }
}
