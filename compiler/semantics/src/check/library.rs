//! Operations that only the library's own modules may use.

use vaisjit_syntax::{Name, Span, ast};

use super::coerce::Why;
use super::{Checker, Want};
use crate::codes;
use crate::hir::{BinaryOp, Builtin, Callee, Expr, ExprKind, FormatPiece};
use crate::types::{Ty, TyKind};

/// The names of the operations.
const NAMES: &[&str] = &["type_of", "take_typed", "zero_typed", "less_typed", "clone_typed", "describe_typed"];

/// Is this the name of a module of the library?
pub fn is_library(module: Name) -> bool {
    module.starts_with("std/")
}

impl Checker<'_, '_> {
    /// Is this code of the library?
    pub fn in_library(&self) -> bool {
        is_library(self.world.input.modules[self.scope.module as usize].name)
    }

    /// Is this the name of an operation that may be used here?
    pub fn is_library_operation(&self, name: Name) -> bool {
        NAMES.contains(&name.as_str()) && self.in_library()
    }

    pub fn library_operation(
        &mut self,
        name: Name,
        types: &[Ty],
        arguments: &[ast::Expr],
        span: Span,
        want: Want,
    ) -> Expr {
        let mut values: Vec<Expr> = arguments.iter().map(|e| self.value(e)).collect();
        let expected = types.first().copied().or(want.hint());
        match (name.as_str(), values.len()) {
            ("type_of", 0) if !types.is_empty() => self.make(ExprKind::TypeInfo(types[0]), Ty::i64(), span),
            ("zero_typed", 0) => {
                let ty = expected.unwrap_or_else(|| self.fresh());
                self.make(ExprKind::Zero, ty, span)
            }
            ("take_typed", 1) => {
                let address = values.swap_remove(0);
                let pointee = self.shallow(address.ty).pointee();
                let ty = types.first().copied().or(pointee).or(want.hint()).unwrap_or_else(|| self.fresh());
                self.make(ExprKind::Call(Callee::Builtin(Builtin::Take), vec![address]), ty, span)
            }
            ("clone_typed", 1) => {
                let value = values.swap_remove(0);
                self.deep_copy(value, span)
            }
            ("describe_typed", 1) => self.describe(values.swap_remove(0), span),
            ("less_typed", 2) => {
                let right = values.swap_remove(1);
                self.less(values.swap_remove(0), right, span)
            }
            _ => {
                let diagnostic = self.error(codes::ARGUMENT_COUNT, span, format!("`{name}` is not called like this"));
                self.fail(diagnostic, span)
            }
        }
    }

    /// A copy that shares no `Vec` and no `HashMap`.
    fn deep_copy(&mut self, value: Expr, span: Span) -> Expr {
        let ty = self.table.resolve(value.ty, true);
        match *ty.kind() {
            TyKind::Vec(_) => self.library_call("std/vec", "Vec.clone", vec![value], span),
            TyKind::HashMap(..) => self.library_call("std/hashmap", "HashMap.clone", vec![value], span),
            TyKind::Box(inner) => {
                let held = self.make(ExprKind::Deref(value), inner, span);
                let copy = self.deep_copy(held, span);
                self.make(ExprKind::BoxNew(copy), ty, span)
            }
            _ => value,
        }
    }

    /// A text of a value that can be printed, else of its type.
    fn describe(&mut self, value: Expr, span: Span) -> Expr {
        let ty = self.table.resolve(value.ty, true);
        let known = self.diagnostics.len();
        let piece = match self.printable(value) {
            Some(value) if self.diagnostics.len() == known => FormatPiece::Value(value, Default::default()),
            _ => FormatPiece::Text(format!("a `{ty}`").into()),
        };
        self.diagnostics.truncate(known);
        self.text_value(vec![piece], span)
    }

    /// Is what the left pointer points at less? Of any type.
    fn less(&mut self, left: Expr, right: Expr, span: Span) -> Expr {
        let ty = self.shallow(left.ty).pointee().unwrap_or(Ty::error());
        let ty = self.table.resolve(ty, true);
        if matches!(ty.kind(), TyKind::Int(_) | TyKind::Float(_) | TyKind::Str | TyKind::Error) {
            let [left, right] = [left, right].map(|e| Expr::new(ExprKind::Deref(e), ty, span));
            return self.make(ExprKind::Binary(BinaryOp::Lt, left, right), Ty::bool(), span);
        }
        if !self.comparable(ty, &mut Vec::new()) {
            let diagnostic = self.error(codes::OPERANDS, span, format!("values of `{ty}` have no order"));
            return self.fail(diagnostic, span);
        }
        let mut arguments: Vec<Expr> =
            [left, right].map(|e| super::coerce::cast(crate::hir::CastKind::IntToInt, e, Ty::i64())).into();
        arguments.push(self.make(ExprKind::TypeInfo(ty), Ty::i64(), span));
        let compared = self.make(ExprKind::Call(Callee::Host(Name::new("heap_compare")), arguments), Ty::i64(), span);
        let zero = self.make(ExprKind::Int(0), Ty::i64(), span);
        self.make(ExprKind::Binary(BinaryOp::Lt, compared, zero), Ty::bool(), span)
    }

    /// The text at a C address.
    pub fn text_from_c(&mut self, address: &ast::Expr, span: Span) -> Expr {
        let address = self.address_value(address);
        let ty = self.shallow(address.ty);
        let address = match ty.pointee() {
            Some(_) => super::coerce::cast(crate::hir::CastKind::IntToInt, address, Ty::i64()),
            None => self.coerce(address, Ty::i64(), Why::Plain),
        };
        self.owned_text(address, span)
    }

    /// A `str` of the program's own, of the address of a C string.
    pub fn owned_text(&mut self, address: Expr, span: Span) -> Expr {
        self.make(ExprKind::Call(Callee::Host(Name::new("str_from_c")), vec![address]), Ty::str(), span)
    }
}
