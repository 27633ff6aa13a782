//! The end of a body's check: every type resolved, literals fitted, instances and generic types collected.

use rustc_hash::FxHashSet;
use vaisjit_syntax::Diagnostic;

use super::Checker;
use crate::codes;
use crate::hir::{Callee, CastKind, Expr, ExprKind, Pattern, PatternKind, children_mut};
use crate::infer::{has_variables, walk};
use crate::types::{Instance, Ty, TyKind, TyList};

/// Calls `visit` for an expression and all expressions in it, closures' bodies excluded.
pub(crate) fn each(e: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    visit(e);
    children_mut(e, &mut |child| each(child, visit), &mut |_| {});
}

/// Are two expressions the same, whatever functions lie behind the `dyn`s they make?
pub(crate) fn same_but_tables(a: &Expr, b: &Expr) -> bool {
    let bare = |e: &Expr| {
        let mut e = e.clone();
        each(&mut e, &mut |part| {
            if let ExprKind::MakeDyn { methods, .. } = &mut *part.kind {
                methods.clear();
            }
        });
        e
    };
    a == b || bare(a) == bare(b)
}

impl Checker<'_, '_> {
    /// Resolves everything in a checked expression and the locals; gives the generic types it uses, too.
    pub fn finish_expr(&mut self, mut e: Expr) -> (Expr, Vec<Ty>) {
        self.settle();
        self.check_bounds();
        let mut types = FxHashSet::default();
        self.resolve_expr(&mut e, &mut types);
        self.resolve_locals(&mut types);
        let mut types: Vec<Ty> = types.into_iter().collect();
        types.sort();
        (e, types)
    }

    fn resolve_locals(&mut self, types: &mut FxHashSet<Ty>) {
        let depth = self.frames.len() - 1;
        let mut locals = std::mem::take(&mut self.frames[depth].locals);
        self.resolve_arena(&mut locals, types);
        self.frames[depth].locals = locals;
    }

    fn resolve_arena(&mut self, locals: &mut la_arena::Arena<crate::hir::Local>, types: &mut FxHashSet<Ty>) {
        for (_, local) in locals.iter_mut() {
            local.ty = self.resolve_type(local.ty, types);
            if has_variables(local.ty) {
                let diagnostic = self
                    .error(codes::UNDETERMINED, local.span, format!("nothing says what type `{}` has", local.name))
                    .with_help(format!("write it: `{}: i64 = ...`", local.name));
                if !local.name.starts_with('{')
                    && !self.is_sketch()
                    && !self.diagnostics.iter().any(Diagnostic::is_error)
                {
                    self.report(diagnostic);
                }
                local.ty = Ty::error();
            }
        }
    }

    fn resolve_type(&mut self, ty: Ty, types: &mut FxHashSet<Ty>) -> Ty {
        if matches!(
            ty.kind(),
            TyKind::Int(_) | TyKind::Float(_) | TyKind::Bool | TyKind::Str | TyKind::Unit | TyKind::Never
        ) {
            return ty;
        }
        let ty = self.table.resolve(ty, true);
        walk(ty, &mut |part| {
            if let TyKind::Struct(_, arguments) | TyKind::Enum(_, arguments) = part.kind()
                && !arguments.is_empty()
            {
                types.insert(part);
            }
        });
        ty
    }

    fn resolve_expr(&mut self, e: &mut Expr, types: &mut FxHashSet<Ty>) {
        stacker::maybe_grow(128 << 10, 4 << 20, || self.resolve_node(e, types));
    }

    fn resolve_node(&mut self, e: &mut Expr, types: &mut FxHashSet<Ty>) {
        e.ty = self.resolve_type(e.ty, types);
        let this = std::cell::RefCell::new((&mut *self, &mut *types));
        children_mut(
            e,
            &mut |child| {
                let (checker, types) = &mut *this.borrow_mut();
                checker.resolve_expr(child, types);
            },
            &mut |pattern| {
                let (checker, types) = &mut *this.borrow_mut();
                checker.resolve_pattern(pattern, types);
            },
        );
        let (ty, span) = (e.ty, e.span);
        self.note_exposed(e);
        match &mut *e.kind {
            ExprKind::Int(value) => {
                if let TyKind::Int(kind) = *ty.kind() {
                    *value = self.fit_integer(*value, kind, span);
                }
            }
            ExprKind::Float(bits) => {
                if let TyKind::Float(kind) = *ty.kind() {
                    *bits = super::literal::round(*bits, kind);
                }
            }
            ExprKind::Cast(CastKind::IntToInt, inner) if inner.ty == ty => {
                let inner = std::mem::replace(inner, Expr::new(ExprKind::Unit, Ty::unit(), span));
                *e = inner;
            }
            ExprKind::Call(Callee::Function(instance), _) | ExprKind::Function(Callee::Function(instance)) => {
                self.resolve_instance(instance, span, types);
            }
            ExprKind::Call(Callee::Dyn(_, list), _) => {
                let resolved: Vec<Ty> = list.iter().map(|ty| self.resolve_type(*ty, types)).collect();
                *list = TyList::new(&resolved);
            }
            ExprKind::TypeInfo(of) => *of = self.resolve_type(*of, types),
            ExprKind::MakeDyn { value, methods } => {
                methods.iter_mut().for_each(|instance| self.resolve_instance(instance, span, types));
                let made = crate::hir::made_dyn(ty, value.ty, methods);
                self.dyns.extend(made.filter(|made| !self.dyns.contains(made)));
            }
            ExprKind::Match(subject, _) if has_variables(subject.ty) => {
                let at = subject.span;
                if !self.is_sketch() && !self.diagnostics.iter().any(Diagnostic::is_error) {
                    let diagnostic = self
                        .error(codes::UNDETERMINED, at, "nothing says what type the matched value has")
                        .with_help("bind it first, with its type: `x: Option<i64> = ...`");
                    self.report(diagnostic);
                }
            }
            ExprKind::Closure(body, _) => {
                if let Some(body) = std::sync::Arc::get_mut(body) {
                    body.result = self.resolve_type(body.result, types);
                    self.resolve_expr(&mut body.value, types);
                    let mut locals = std::mem::take(&mut body.locals);
                    self.resolve_arena(&mut locals, types);
                    body.locals = locals;
                }
                self.closure_bodies.push(body.clone());
            }
            _ => {}
        }
    }

    fn resolve_instance(&mut self, instance: &mut Instance, span: vaisjit_syntax::Span, types: &mut FxHashSet<Ty>) {
        if instance.arguments.is_empty() && !super::is_library(instance.path.module) {
            return;
        }
        let arguments: Vec<Ty> = instance.arguments.iter().map(|ty| self.resolve_type(*ty, types)).collect();
        if arguments.iter().any(|ty| has_variables(*ty)) {
            if !self.is_sketch() && !self.diagnostics.iter().any(Diagnostic::is_error) {
                let name = instance.path.name;
                let diagnostic = self
                    .error(codes::UNDETERMINED, span, format!("nothing says what the type arguments of `{name}` are"))
                    .with_help(match name.split_once('.') {
                        Some((owner, method)) => format!("write them: `{owner}<i64>.{method}(...)`"),
                        None => format!("write them: `{name}<i64>(...)`"),
                    });
                self.report(diagnostic);
            }
            return;
        }
        instance.arguments = TyList::new(&arguments);
        if arguments.iter().any(|ty| super::literal::has_holes(*ty) || self.unmet.contains(ty)) {
            return;
        }
        if !self.requests.iter().any(|(known, _)| known == instance) {
            let place = self.place(span);
            self.requests.push((*instance, place));
        }
    }

    fn resolve_pattern(&mut self, pattern: &mut Pattern, types: &mut FxHashSet<Ty>) {
        pattern.ty = self.resolve_type(pattern.ty, types);
        match &mut pattern.kind {
            PatternKind::Wildcard => {}
            PatternKind::Bind(_, inner) => inner.iter_mut().for_each(|inner| self.resolve_pattern(inner, types)),
            PatternKind::Constant(e) => self.resolve_expr(e, types),
            PatternKind::Range(start, end, _) => {
                start.iter_mut().chain(end).for_each(|e| self.resolve_expr(e, types));
            }
            PatternKind::Variant(_, parts) | PatternKind::Or(parts) => {
                parts.iter_mut().for_each(|part| self.resolve_pattern(part, types));
            }
            PatternKind::Fields(parts) => parts.iter_mut().for_each(|(_, part)| self.resolve_pattern(part, types)),
        }
    }

    /// Is this a generic body whose type arguments are unknown?
    pub fn is_sketch(&self) -> bool {
        self.instance.is_some_and(|instance| instance.arguments.contains(&Ty::error()))
    }

    fn check_bounds(&mut self) {
        let mut last = None;
        for (ty, bound, span) in std::mem::take(&mut self.bounds) {
            let ty = self.table.resolve(ty, true);
            if has_variables(ty) || ty == Ty::error() || last == Some((ty, span.start, span.end)) {
                continue;
            }
            if !super::method::traits_of(self.world, ty).contains(&bound) {
                let diagnostic = self.not_implemented(ty, bound, span);
                self.report(diagnostic);
                self.unmet.push(ty);
                last = Some((ty, span.start, span.end));
            }
        }
    }

    /// Notes locals that nothing reads.
    pub fn unused_locals(&mut self) {
        let frame = &self.frames[0];
        let mut unused = Vec::new();
        for (id, local) in frame.locals.iter() {
            let named = !local.name.starts_with('_') && !local.name.starts_with('{');
            if named && !frame.used.contains(&id) && !frame.exempt.contains(&id) {
                unused.push((local.name, local.span));
            }
        }
        for (name, span) in unused {
            let help = format!("if that is intended, call it `_{name}`");
            self.lint(codes::UNUSED, span, format!("`{name}` is never read"), &help);
        }
    }
}
