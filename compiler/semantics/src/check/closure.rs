//! Closures.

use std::sync::Arc;

use vaisjit_syntax::{Name, Span, ast};

use super::coerce::Why;
use super::{Checker, Frame, Want};
use crate::codes;
use crate::hir::{self, BodyItem, Expr, ExprKind};
use crate::infer::Known;
use crate::types::{Instance, ItemPath, Ty, TyKind, TyList};

impl Checker<'_, '_> {
    /// `|x| e`: a body of its own whose first parameters are the captured values.
    pub fn closure(
        &mut self,
        params: &[(ast::Pattern, Option<ast::Type>)],
        result: Option<&ast::Type>,
        body: &ast::Expr,
        span: Span,
        want: Want,
    ) -> Expr {
        let hint = want.hint().map(|ty| self.shallow(ty));
        let expected = match hint.map(Ty::kind) {
            Some(TyKind::Function(types, result)) if types.len() == params.len() => Some((*types, *result)),
            _ => None,
        };
        let mut types = Vec::with_capacity(params.len());
        for (index, (_, ty)) in params.iter().enumerate() {
            types.push(match ty {
                Some(ty) => self.lower(ty),
                None => expected.map_or_else(|| self.fresh(), |(types, _)| types[index]),
            });
        }
        let result = match (result, expected) {
            (Some(ty), _) => self.lower(ty),
            (None, Some((_, result))) => result,
            (None, None) => self.fresh(),
        };
        self.frames.push(Frame::new(result));
        let mut locals = Vec::with_capacity(params.len());
        let mut patterns = Vec::new();
        for ((pattern, _), ty) in params.iter().zip(&types) {
            let local = match &pattern.kind {
                ast::PatternKind::Name(name) => self.declare(*name, *ty, pattern.span),
                _ => {
                    let local = self.hidden(Name::new("{parameter}"), *ty, pattern.span);
                    let value = self.local(local, pattern.span);
                    let bound = self.irrefutable(pattern, *ty);
                    patterns.push(hir::Stmt::Let(bound, value));
                    local
                }
            };
            self.frame().exempt.insert(local);
            locals.push(local);
        }
        let value = self.closure_value(body, result);
        let value = match patterns.is_empty() {
            true => value,
            false => {
                let ty = value.ty;
                self.make(ExprKind::Block(patterns, Some(value)), ty, span)
            }
        };
        let frame = self.frames.pop().expect("the closure's frame");
        let (outer, mut all): (Vec<_>, Vec<_>) = frame.captures.iter().copied().unzip();
        all.extend(locals);
        let captured = outer.into_iter().map(|local| self.local(local, span)).collect();
        let owner = self.path.unwrap_or(ItemPath::new(Name::new("?"), "?"));
        let path = ItemPath::new(owner.module, &format!("{}.{{{}}}", owner.name, self.closures));
        self.closures += 1;
        let arguments = self.instance.map_or(TyList::EMPTY, |instance| instance.arguments);
        let body = hir::Body {
            instance: Instance { path, arguments },
            item: BodyItem(self.scope.item),
            params: all,
            captures: frame.captures.len() as u32,
            locals: frame.locals,
            result,
            value,
            // The body around says it.
            exposed: Vec::new(),
            dyns: Vec::new(),
        };
        let ty = Ty::new(TyKind::Function(TyList::new(&types), result));
        self.make(ExprKind::Closure(Arc::new(body), captured), ty, span)
    }

    fn closure_value(&mut self, body: &ast::Expr, result: Ty) -> Expr {
        let wanted = self.shallow(result);
        if wanted == Ty::unit() {
            return self.check(body, Want::Nothing);
        }
        let value = self.check(body, Want::Of(wanted));
        let known = self.shallow(result);
        if let (TyKind::Infer(_), Known::Nothing) = (known.kind(), self.table.known(known)) {
            match self.shallow(value.ty) {
                ty if ty == Ty::never() => self.table.unify(known, Ty::unit()),
                ty => self.table.unify(known, ty),
            };
            return value;
        }
        if self.shallow(value.ty) == Ty::unit() && self.shallow(result) != Ty::unit() {
            let shown = self.show(result);
            let diagnostic =
                self.error(codes::MISSING_RESULT, value.span, format!("this closure must give a `{shown}`"));
            return self.fail(diagnostic, value.span);
        }
        self.coerce(value, result, Why::Result)
    }
}
