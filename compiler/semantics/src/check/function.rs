//! A whole function: parameters, body, result.

use vaisjit_syntax::{Name, ast};

use super::coerce::Why;
use super::{Checker, Want};
use crate::codes;
use crate::hir::{Expr, ExprKind, LocalId, Stmt};
use crate::types::{Ty, TyKind};

impl Checker<'_, '_> {
    /// Declares the receiver and the parameters.
    pub fn parameters(&mut self, tree: &ast::Function, types: &[Ty]) -> Vec<LocalId> {
        let mut locals = Vec::new();
        if let (Some(receiver), Some(this)) = (&tree.receiver, self.scope.self_ty) {
            let ty = match receiver.kind {
                ast::ReceiverKind::Value => this,
                _ => Ty::new(TyKind::Reference(this)),
            };
            let local = self.declare(Name::new("self"), ty, receiver.span);
            self.receiver = Some(local);
            locals.push(local);
        }
        for (param, ty) in tree.params.iter().zip(types) {
            locals.push(self.declare(param.name.name, *ty, param.name.span));
        }
        for local in &locals {
            self.frame().exempt.insert(*local);
        }
        locals
    }

    /// Checks the body; its result is the frame's.
    pub fn body(&mut self, tree: &ast::Function) -> Expr {
        let result = self.frame().result;
        match &tree.body {
            Some(ast::FunctionBody::Block(block)) if result == Ty::unit() => self.block(block, Want::Nothing),
            Some(ast::FunctionBody::Block(block)) => {
                let value = self.block(block, Want::Of(result));
                self.result_of_block(tree, block, value, result)
            }
            Some(ast::FunctionBody::Expr(e)) => self.result_of_expr(tree, e, result),
            None => self.wrong(tree.span),
        }
    }

    fn result_of_block(&mut self, tree: &ast::Function, block: &ast::Block, value: Expr, result: Ty) -> Expr {
        if self.shallow(value.ty) != Ty::unit() {
            return self.coerce(value, result, Why::Result);
        }
        if result == Ty::error() || self.recovering {
            return value;
        }
        let end = block.span.end.max(1);
        let brace = vaisjit_syntax::Span { start: end - 1, end };
        let shown = self.show(result);
        let message = format!("`{}` must give a `{shown}`, but its body ends without a value", tree.name.name);
        let mut diagnostic = self
            .error(codes::MISSING_RESULT, brace, message)
            .with_label(self.place(tree.head), "the result is declared here");
        if let Some(last) = block.statements.last() {
            if block.ends_with_semicolon && matches!(last.kind, ast::StatementKind::Expr(_)) {
                diagnostic = diagnostic.with_help("the `;` drops the value: take it away");
            } else if let ast::StatementKind::Expr(e) = &last.kind
                && matches!(&*e.kind, ast::ExprKind::If { otherwise: None, .. })
            {
                diagnostic = diagnostic.with_help("the last `I` has no `E`: give the value for that case, too");
            }
        }
        self.report(diagnostic);
        value
    }

    fn result_of_expr(&mut self, tree: &ast::Function, e: &ast::Expr, result: Ty) -> Expr {
        if result == Ty::unit() {
            let value = self.check(e, Want::Nothing);
            let ty = self.shallow(value.ty);
            if ty == Ty::unit() || ty == Ty::never() {
                return value;
            }
            let span = value.span;
            return self.make(ExprKind::Block(vec![Stmt::Expr(value)], None), Ty::unit(), span);
        }
        let value = self.check(e, Want::Of(result));
        let known = self.shallow(result);
        if matches!(known.kind(), TyKind::Infer(_)) {
            let ty = self.shallow(value.ty);
            self.table.unify(known, ty);
            return value;
        }
        if self.shallow(value.ty) == Ty::unit() {
            let shown = self.show(result);
            let message = format!("`{}` must give a `{shown}`, but this has no value", tree.name.name);
            let diagnostic = self.error(codes::MISSING_RESULT, e.span, message);
            return self.fail(diagnostic, e.span);
        }
        self.coerce(value, result, Why::Result)
    }

    /// `Vec.new()` and the like.
    pub fn builtin_static(
        &mut self,
        ty: Ty,
        method: ast::Ident,
        arguments: &[ast::Expr],
        span: vaisjit_syntax::Span,
        want: Want,
    ) -> Expr {
        let made = match *ty.kind() {
            TyKind::Box(of) if method.name == "new" => self.box_new(of, arguments, span, want),
            // `Box<dyn Shape>.new(circle)`
            TyKind::Dyn(_) if method.name == "new" && arguments.len() == 1 => {
                Some(self.check_to(&arguments[0], ty, Why::Plain))
            }
            _ => None,
        };
        if let Some(made) = made {
            return made;
        }
        self.arguments_alone(arguments);
        match ty.kind() {
            TyKind::Enum(path, _) => {
                let message = format!("`{}` has no variant or method `{}`", path.name, method.name);
                let names: Vec<Name> = match self.enum_sig(*path) {
                    Some((_, sig)) => sig.variants.iter().map(|variant| variant.name).collect(),
                    None => Vec::new(),
                };
                let diagnostic = self.error(codes::UNKNOWN_VARIANT, method.span, message);
                let diagnostic = self.with_nearest(diagnostic, method.name, method.span, names);
                self.fail(diagnostic, span)
            }
            _ => self.no_method(ty, method, span),
        }
    }
}
