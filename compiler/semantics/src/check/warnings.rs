//! Warnings about what is allowed but probably not meant; most are shown with `--warn all` only.

use vaisjit_syntax::{Code, Diagnostic, Severity, Span, ast};

use super::Checker;
use crate::codes;
use crate::hir::{Callee, Expr, ExprKind};
use crate::types::TyKind;

impl Checker<'_, '_> {
    /// Reports what `--warn all` shows.
    pub fn lint(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        if !self.world.lints || self.at.is_some() {
            return;
        }
        let diagnostic = Diagnostic::warning(code, self.place(span), message);
        let diagnostic = if help.is_empty() { diagnostic } else { diagnostic.with_help(help) };
        self.report(Diagnostic { severity: Severity::Lint, ..diagnostic });
    }

    /// A value that nothing uses.
    pub fn dropped(&mut self, written: &ast::Expr, value: &Expr) {
        if let ast::ExprKind::Binary(ast::BinaryOp::Eq, at, place, _) = &*written.kind
            && is_place(place)
            && self.at.is_none()
        {
            let diagnostic =
                Diagnostic::warning(codes::UNUSED_VALUE, self.place(*at), "this compares, and nothing uses the answer");
            let diagnostic = diagnostic.with_help("`=` assigns").with_suggestion(self.place(*at), "=");
            return self.report(diagnostic);
        }
        let ty = self.shallow(value.ty);
        let call = matches!(&*value.kind, ExprKind::Call(..));
        if let (true, TyKind::Enum(path, _)) = (call, ty.kind())
            && path.name == "Result"
            && path.module == "std/prelude"
        {
            let diagnostic = Diagnostic::warning(
                codes::UNUSED_VALUE,
                self.place(written.span),
                "nothing looks at this `Result`, so an error would go unnoticed",
            );
            let help = "hand the error on with `?`, stop with `!`, or use a match; `_ := ...` ignores it";
            return self.report(diagnostic.with_help(help));
        }
        let text = matches!(&*value.kind, ExprKind::Call(Callee::Host(name), _) if name.starts_with("str_"));
        if text || is_pure(written) && !matches!(ty.kind(), TyKind::Error | TyKind::Unit | TyKind::Never) {
            self.lint(codes::UNUSED_VALUE, written.span, "nothing uses this value", "");
        }
    }
}

/// A variable, field or element.
fn is_place(e: &ast::Expr) -> bool {
    match &*e.kind {
        ast::ExprKind::Name(_) => true,
        ast::ExprKind::Field(of, _) | ast::ExprKind::Index(of, _) => is_place(of),
        _ => false,
    }
}

/// Does evaluating do nothing but give a value?
fn is_pure(e: &ast::Expr) -> bool {
    use ast::ExprKind::*;
    match &*e.kind {
        Int(..) | Float(_) | Bool(_) | Name(_) => true,
        Unary(_, of) | Cast(of, _) | Field(of, _) | AddressOf(of) => is_pure(of),
        Binary(_, _, a, b) | Index(a, b) => is_pure(a) && is_pure(b),
        _ => false,
    }
}
