//! Slices of arrays, slices and what pointers point at.

use std::sync::Arc;

use vaisjit_abi::TrapCode;
use vaisjit_syntax::{Name, Span, ast};

use super::{Checker, bind_pattern};
use crate::codes;
use crate::hir::{BinaryOp, Builtin, Callee, CastKind, Expr, ExprKind, FormatPiece, FormatTarget, Stmt};
use crate::types::{IntKind, Ty, TyKind};

impl Checker<'_, '_> {
    /// `a[1..3]`: where its elements lie and how many there are, checked against the whole.
    pub(super) fn slice(
        &mut self,
        value: Expr,
        start: Option<&ast::Expr>,
        end: Option<&ast::Expr>,
        inclusive: bool,
        span: Span,
    ) -> Expr {
        let ty = self.shallow(value.ty);
        let value = match ty.pointee().map(|to| self.shallow(to)) {
            Some(to) if matches!(to.kind(), TyKind::Array(..) | TyKind::Slice(_) | TyKind::Str | TyKind::Vec(_)) => {
                self.follow(value)
            }
            _ => value,
        };
        let ty = self.shallow(value.ty);
        match *ty.kind() {
            TyKind::Array(of, _) => self.with_place(value, |this, place| {
                this.take_address(&place);
                let length = this.length_of(place.clone(), span);
                let first = super::coerce::cast(CastKind::ArrayToPointer, place, Ty::pointer(of));
                this.part(of, first, Some(length), (start, end, inclusive), span)
            }),
            TyKind::Slice(of) => self.with_place(value, |this, place| {
                let length = this.length_of(place.clone(), span);
                let first = super::coerce::cast(CastKind::Pointer, place, Ty::pointer(of));
                this.part(of, first, Some(length), (start, end, inclusive), span)
            }),
            TyKind::Pointer(of) if end.is_some() => self.part(of, value, None, (start, end, inclusive), span),
            TyKind::Error => self.wrong_parts(start, end, span),
            TyKind::Vec(of) if super::coerce::is_place(&value) => {
                let length = self.length_of(value.clone(), span);
                let first = self.elements(value, of, span);
                self.part(of, first, Some(length), (start, end, inclusive), span)
            }
            // Nobody else holds a temporary: its part must be a value of its own.
            TyKind::Vec(_) => self.copied_part("std/vec", "vec_part", value, (start, end, inclusive), span),
            TyKind::Str => self.copied_part("std/prelude", "str_part", value, (start, end, inclusive), span),
            _ => {
                let shown = self.show(ty);
                self.wrong_parts(start, end, span);
                let diagnostic = self
                    .error(codes::NOT_INDEXABLE, span, format!("`{shown}` has no parts to take a slice of"))
                    .with_text("only arrays and slices have");
                self.fail(diagnostic, span)
            }
        }
    }

    /// A part as a new value, made by a function of the library.
    fn copied_part(
        &mut self,
        module: &str,
        function: &str,
        value: Expr,
        (start, end, inclusive): (Option<&ast::Expr>, Option<&ast::Expr>, bool),
        span: Span,
    ) -> Expr {
        let mut statements = Vec::new();
        let value = self.keep("{whole}", value, &mut statements);
        let start = match start {
            Some(start) => self.end_of_range(start),
            None => self.number(0, span),
        };
        let end = match end {
            Some(end) => self.end_of_range(end),
            None => self.length_of(value.clone(), span),
        };
        let end = match inclusive {
            true => {
                let one = self.number(1, span);
                self.make(ExprKind::Binary(BinaryOp::Add, end, one), Ty::i64(), span)
            }
            false => end,
        };
        let part = self.library_call(module, function, vec![value, start, end], span);
        let ty = part.ty;
        self.make(ExprKind::Block(statements, Some(part)), ty, span)
    }

    fn wrong_parts(&mut self, start: Option<&ast::Expr>, end: Option<&ast::Expr>, span: Span) -> Expr {
        for e in start.into_iter().chain(end) {
            self.value(e);
        }
        self.wrong(span)
    }

    /// The length of an array, slice or `str`.
    pub(super) fn length_of(&mut self, value: Expr, span: Span) -> Expr {
        self.make(ExprKind::Call(Callee::Builtin(Builtin::Length), vec![value]), Ty::i64(), span)
    }

    fn part(
        &mut self,
        of: Ty,
        first: Expr,
        length: Option<Expr>,
        (start, end, inclusive): (Option<&ast::Expr>, Option<&ast::Expr>, bool),
        span: Span,
    ) -> Expr {
        let mut statements = Vec::new();
        let pointer = first.ty;
        let first = self.keep("{first}", first, &mut statements);
        let length = length.map(|length| self.keep("{length}", length, &mut statements));
        let start = match start {
            Some(start) => self.end_of_range(start),
            None => self.number(0, span),
        };
        let start = self.keep("{start}", start, &mut statements);
        let end = match (end, &length) {
            (Some(end), _) => self.end_of_range(end),
            (None, Some(length)) => length.clone(),
            (None, None) => self.number(0, span),
        };
        let end = match inclusive {
            true => {
                let one = self.number(1, span);
                self.make(ExprKind::Binary(BinaryOp::Add, end, one), Ty::i64(), span)
            }
            false => end,
        };
        let end = self.keep("{end}", end, &mut statements);
        if let Some(length) = length {
            statements.push(Stmt::Expr(self.bounds_check(&start, &end, &length, span)));
        }
        let element = self.make(ExprKind::Index(first, start.clone()), of, span);
        let address = self.make(ExprKind::AddressOf(element), pointer, span);
        let count = self.make(ExprKind::Binary(BinaryOp::Sub, end, start), Ty::i64(), span);
        let slice = Ty::new(TyKind::Slice(of));
        let made = self.make(ExprKind::Aggregate(vec![address, count], vec![0, 1]), slice, span);
        self.make(ExprKind::Block(statements, Some(made)), slice, span)
    }

    fn end_of_range(&mut self, e: &ast::Expr) -> Expr {
        let value = self.value(e);
        self.index_value(value)
    }

    fn number(&mut self, value: i128, span: Span) -> Expr {
        self.make(ExprKind::Int(value), Ty::i64(), span)
    }

    /// Binds a value to a hidden local and gives the local.
    pub(super) fn keep(&mut self, name: &str, value: Expr, statements: &mut Vec<Stmt>) -> Expr {
        let (ty, span) = (value.ty, value.span);
        let local = self.hidden(Name::new(name), ty, span);
        self.frame().exempt.insert(local);
        statements.push(Stmt::Let(bind_pattern(local, ty, span), value));
        self.local(local, span)
    }

    /// Traps unless `0 <= start <= end <= length`.
    fn bounds_check(&mut self, start: &Expr, end: &Expr, length: &Expr, span: Span) -> Expr {
        let unsigned = |e: &Expr| super::coerce::cast(CastKind::IntToInt, e.clone(), Ty::int(IntKind::U64));
        let above = |this: &Self, a: &Expr, b: &Expr| {
            this.make(ExprKind::Binary(BinaryOp::Gt, unsigned(a), unsigned(b)), Ty::bool(), span)
        };
        let (early, late) = (above(self, start, end), above(self, end, length));
        let outside = self.make(ExprKind::Or(early, late), Ty::bool(), span);
        let value = |e: &Expr| FormatPiece::Value(e.clone(), ast::FormatSpec::default());
        let text = |text: &str| FormatPiece::Text(Arc::from(text));
        let pieces = vec![value(start), text(".."), value(end), text(" of "), value(length), text(" elements")];
        let message = self.make(ExprKind::Format(FormatTarget::Str, pieces), Ty::str(), span);
        let trap = self.make(ExprKind::Trap(TrapCode::IndexOutOfBounds, Some(message)), Ty::never(), span);
        self.make(ExprKind::If(outside, trap, None), Ty::unit(), span)
    }
}
