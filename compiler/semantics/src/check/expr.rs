//! Expressions: one function per form, most in files of their own.

use vaisjit_syntax::{Span, ast};

use super::coerce::Why;
use super::{Checker, Want};
use crate::codes;
use crate::hir::{Expr, ExprKind};
use crate::types::{Ty, TyKind, TyList};

impl Checker<'_, '_> {
    /// Checks an expression.
    pub fn check(&mut self, e: &ast::Expr, want: Want) -> Expr {
        stacker::maybe_grow(256 << 10, 4 << 20, || self.check_form(e, want))
    }

    fn check_form(&mut self, e: &ast::Expr, want: Want) -> Expr {
        let span = e.span;
        match &*e.kind {
            ast::ExprKind::Int(value, decimal) => {
                self.note_decimal(*value, *decimal, span);
                self.integer(*value, false, span, want)
            }
            ast::ExprKind::Float(bits) => self.float(*bits, span, want),
            ast::ExprKind::Bool(value) => self.make(ExprKind::Bool(*value), Ty::bool(), span),
            ast::ExprKind::Str(literal) => self.string(literal, span),
            ast::ExprKind::Name(name) => self.name(*name, span, want),
            ast::ExprKind::Path(path, ident) => self.path(path, *ident, span, want),
            ast::ExprKind::At => self.at_alone(span),
            ast::ExprKind::Unary(op, operand) => self.unary(*op, operand, span, want),
            ast::ExprKind::AddressOf(of) => self.address(of, span, want),
            ast::ExprKind::Binary(op, at, a, b) => self.binary(*op, *at, a, b, span),
            ast::ExprKind::Pipe(value, target) => self.pipe(value, target, span, want),
            ast::ExprKind::Ternary(c, a, b) => self.ternary(c, a, b, span, want),
            ast::ExprKind::Call(callee, arguments) => self.call(callee, arguments, span, want),
            ast::ExprKind::MethodCall { receiver, method, type_arguments, arguments } => {
                self.method_call(receiver, *method, type_arguments, arguments, span, want)
            }
            ast::ExprKind::Instance(ident, types) => self.generic_value(*ident, types, span, want),
            ast::ExprKind::Field(of, ident) => self.field(of, *ident, span, want),
            ast::ExprKind::TupleField(of, index, at) => self.tuple_field(of, *index, *at, span),
            ast::ExprKind::Index(of, index) => self.index(of, index, span),
            ast::ExprKind::Range { .. } => self.unsupported("a range outside of a loop or an index is", span),
            ast::ExprKind::Cast(of, ty) => self.cast(of, ty, span),
            ast::ExprKind::Try(of) => self.try_operator(of, span),
            ast::ExprKind::Unwrap(of) => self.unwrap(of, span),
            ast::ExprKind::Struct(path, fields) => self.struct_literal(path, fields, span, want),
            ast::ExprKind::Array(elements) => self.array(elements, span, want),
            ast::ExprKind::Repeat(value, count) => self.repeat(value, count, span, want),
            ast::ExprKind::Tuple(parts) => self.tuple(parts, span, want),
            ast::ExprKind::Closure { params, result, body } => self.closure(params, result.as_ref(), body, span, want),
            ast::ExprKind::Block(block) => self.block(block, want),
            ast::ExprKind::If { condition, then, otherwise } => {
                self.if_expr(condition, then, otherwise.as_ref(), span, want)
            }
            ast::ExprKind::Loop(kind, body) => self.loop_expr(kind, body, span, want),
            ast::ExprKind::Match(subject, arms) => self.match_expr(subject, arms, span, want),
            ast::ExprKind::Break(value) => self.break_expr(value.as_ref(), span),
            ast::ExprKind::Continue => self.continue_expr(span),
            ast::ExprKind::Return(value) => self.return_expr(value.as_ref(), span),
            ast::ExprKind::Error => {
                self.recovering = true;
                self.wrong(span)
            }
        }
    }

    pub fn make(&self, kind: ExprKind, ty: Ty, span: Span) -> Expr {
        Expr::new(kind, ty, self.span(span))
    }

    fn at_alone(&mut self, span: Span) -> Expr {
        match self.receiver_value(span) {
            Some(this) => this,
            None => {
                let diagnostic = self
                    .error(codes::OUTSIDE_FUNCTION, span, "`@` alone means `self`, and there is none here")
                    .with_help("`@(...)` calls the enclosing function");
                self.fail(diagnostic, span)
            }
        }
    }

    fn array(&mut self, elements: &[ast::Expr], span: Span, want: Want) -> Expr {
        let hint = want.hint().map(|ty| self.shallow(ty));
        let element = match hint.map(Ty::kind) {
            Some(TyKind::Array(of, _) | TyKind::Slice(of) | TyKind::Pointer(of) | TyKind::Vec(of)) => Some(*of),
            _ => None,
        };
        let mut checked: Vec<Expr> = Vec::with_capacity(elements.len());
        let of = element.unwrap_or_else(|| self.fresh());
        for e in elements {
            let value = self.check(e, Want::Of(of));
            let value = self.must_have_value(value);
            checked.push(self.coerce(value, of, Why::Element));
        }
        let ty = Ty::new(TyKind::Array(of, elements.len() as u64));
        self.make(ExprKind::Array(checked), ty, span)
    }

    fn repeat(&mut self, value: &ast::Expr, count: &ast::Expr, span: Span, want: Want) -> Expr {
        let hint = want.hint().map(|ty| self.shallow(ty));
        let element = match hint.map(Ty::kind) {
            Some(TyKind::Array(of, _) | TyKind::Slice(of) | TyKind::Pointer(of) | TyKind::Vec(of)) => Some(*of),
            _ => None,
        };
        let value = match element {
            Some(of) => self.check_to(value, of, Why::Element),
            None => self.value(value),
        };
        let (length, diagnostics) = Checker::length(self.world, &self.scope_with_consts(), count);
        if let ast::ExprKind::Name(name) = &*count.kind
            && let Some(super::Binding::Local(_)) = self.binding(*name)
        {
            let message = format!("the length of an array is constant, and `{name}` is a variable");
            let diagnostic = self.error(crate::codes::NOT_CONSTANT, count.span, message);
            return self.fail(diagnostic, span);
        }
        self.diagnostics.extend(diagnostics);
        let of = element.unwrap_or(value.ty);
        match length {
            Some(length) => self.make(ExprKind::Repeat(value), Ty::new(TyKind::Array(of, length)), span),
            None => self.wrong(span),
        }
    }

    fn tuple(&mut self, parts: &[ast::Expr], span: Span, want: Want) -> Expr {
        if parts.is_empty() {
            return self.make(ExprKind::Unit, Ty::unit(), span);
        }
        let hint = want.hint().map(|ty| self.shallow(ty));
        let hints = match hint.map(Ty::kind) {
            Some(TyKind::Tuple(types)) if types.len() == parts.len() => Some(*types),
            _ => None,
        };
        let checked: Vec<Expr> = parts
            .iter()
            .enumerate()
            .map(|(i, part)| match hints {
                Some(types) => self.check_to(part, types[i], Why::Plain),
                None => self.value(part),
            })
            .collect();
        let types: Vec<Ty> = checked.iter().enumerate().map(|(i, e)| hints.map_or(e.ty, |types| types[i])).collect();
        let order = (0..checked.len() as u32).collect();
        self.make(ExprKind::Aggregate(checked, order), Ty::new(TyKind::Tuple(TyList::new(&types))), span)
    }

    fn pipe(&mut self, value: &ast::Expr, target: &ast::Expr, span: Span, want: Want) -> Expr {
        let mut first = vec![value.clone()];
        match &*target.kind {
            ast::ExprKind::Call(callee, arguments) => {
                first.extend(arguments.iter().cloned());
                self.call(callee, &first, span, want)
            }
            ast::ExprKind::MethodCall { receiver, method, type_arguments, arguments } => {
                first.extend(arguments.iter().cloned());
                self.method_call(receiver, *method, type_arguments, &first, span, want)
            }
            ast::ExprKind::Field(receiver, method) => self.method_call(receiver, *method, &[], &first, span, want),
            _ => self.call(target, &first, span, want),
        }
    }
}
