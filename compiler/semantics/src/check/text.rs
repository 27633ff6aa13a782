//! String literals and the text they make with the values in their braces.

use std::sync::Arc;

use vaisjit_syntax::{Span, ast};

use super::{Checker, Want};
use crate::codes;
use crate::hir::{Expr, ExprKind, FormatPiece};
use crate::infer::Known;
use crate::types::{Ty, TyKind};
use crate::walk::{self, Node};

impl Checker<'_, '_> {
    /// A literal that is no first argument of a printing function: interpolated if all its names are known.
    pub fn string(&mut self, literal: &ast::StrLiteral, span: Span) -> Expr {
        let holes = literal.parts.iter().any(|part| matches!(part, ast::StrPart::Hole(..)));
        if holes && literal.broken.is_none() && self.all_known(literal) {
            let pieces = self.pieces(literal, &[], span);
            return self.text_value(pieces, span);
        }
        self.make(ExprKind::Str(Arc::from(&literal.raw[..])), Ty::str(), span)
    }

    fn all_known(&mut self, literal: &ast::StrLiteral) -> bool {
        literal.parts.iter().all(|part| match part {
            ast::StrPart::Text(_) => true,
            ast::StrPart::Hole(None, ..) => false,
            ast::StrPart::Hole(Some(e), ..) => self.names_known(e),
        })
    }

    /// Does every name in an expression stand for something? A literal alone does not count as an expression.
    fn names_known(&mut self, e: &ast::Expr) -> bool {
        let mut names = Vec::new();
        let mut own = Vec::new();
        walk::expr(e, &mut |node| match node {
            Node::Expr(e) => match &*e.kind {
                ast::ExprKind::Name(name) => names.push(*name),
                ast::ExprKind::Instance(ident, _) => names.push(ident.name),
                _ => {}
            },
            Node::Pattern(ast::Pattern { kind: ast::PatternKind::Name(name), .. }) => own.push(*name),
            _ => {}
        });
        if names.is_empty() {
            return !matches!(&*e.kind, ast::ExprKind::Int(..) | ast::ExprKind::Float(_) | ast::ExprKind::Str(_));
        }
        names.into_iter().all(|name| {
            own.contains(&name)
                || self.resolve(name).is_some()
                || self.world.ty(self.scope.module, name).is_some()
                || self.world.module_named(self.scope.module, name).is_some()
                || name == "self" && self.receiver.is_some()
        })
    }

    /// The pieces of a literal, `{}` taking the arguments in order.
    pub fn pieces(&mut self, literal: &ast::StrLiteral, arguments: &[ast::Expr], span: Span) -> Vec<FormatPiece> {
        if let Some((at, problem)) = &literal.broken {
            let diagnostic = self.error(codes::FORMAT_ARGUMENTS, *at, problem.clone());
            self.report(diagnostic.with_help("braces that are text are written twice: `{{` and `}}`"));
            self.arguments_alone(arguments);
            return Vec::new();
        }
        let mut pieces = Vec::with_capacity(literal.parts.len());
        let mut rest = arguments.iter();
        for part in &literal.parts {
            match part {
                ast::StrPart::Text(text) => pieces.push(FormatPiece::Text(Arc::from(&text[..]))),
                ast::StrPart::Hole(e, spec, at) => {
                    let Some(e) = e.as_ref().or_else(|| rest.next()) else {
                        let diagnostic = self.error(codes::FORMAT_ARGUMENTS, *at, "this `{}` has no argument");
                        self.report(diagnostic);
                        continue;
                    };
                    let value = self.check(e, Want::Any);
                    let value = self.must_have_value(value);
                    if let Some(value) = self.printable(value) {
                        pieces.push(FormatPiece::Value(value, spec.clone()));
                    }
                }
            }
        }
        let unused: Vec<&ast::Expr> = rest.collect();
        if let Some(first) = unused.first() {
            let at = unused.iter().fold(first.span, |span, e| span.to(e.span));
            let count = unused.len();
            for e in unused {
                self.check(e, Want::Any);
            }
            let message =
                format!("the text has no `{{}}` for {}", if count == 1 { "this argument" } else { "these arguments" });
            let diagnostic = self.error(codes::FORMAT_ARGUMENTS, at, message).with_label(self.place(span), "the text");
            self.report(diagnostic);
        }
        super::builtin::join_texts(pieces)
    }

    /// The value, if it can be part of a text.
    pub fn printable(&mut self, value: Expr) -> Option<Expr> {
        let mut value = value;
        let ty = self.shallow(value.ty);
        if let TyKind::Reference(to) | TyKind::Box(to) = *ty.kind()
            && let to = self.shallow(to)
            && (to.is_scalar() || self.is_number(to))
        {
            value = self.follow(value);
        }
        let ty = self.shallow(value.ty);
        match ty.kind() {
            TyKind::Int(_)
            | TyKind::Float(_)
            | TyKind::Bool
            | TyKind::Str
            | TyKind::Pointer(_)
            | TyKind::Reference(_) => Some(value),
            TyKind::Infer(_) if !matches!(self.table.known(ty), Known::Nothing) => Some(value),
            TyKind::Infer(_) => Some(value),
            TyKind::Error | TyKind::Never => None,
            TyKind::Enum(..) if self.variant_number(value.clone()).is_some() => self.variant_number(value),
            _ => {
                let shown = self.show(ty);
                let diagnostic = self
                    .error(codes::NOT_PRINTABLE, value.span, format!("a `{shown}` cannot be printed"))
                    .with_help("print its parts one by one");
                self.report(diagnostic);
                None
            }
        }
    }
}
