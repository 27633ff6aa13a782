//! Operators and casts.

use vaisjit_syntax::{Diagnostic, Span, ast};

use super::coerce::{cast, widens};
use super::{Checker, Want};
use crate::codes;
use crate::hir::{BinaryOp, CastKind, Expr, ExprKind, FormatPiece, FormatTarget, UnaryOp};
use crate::infer::Known;
use crate::types::{IntKind, Ty, TyKind};

/// What kind of type an operand has.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Class {
    Int,
    Float,
    Bool,
    Str,
    Pointer,
    Unknown,
    Other,
}

/// What to do with an `Option` or a `Result` where its value is wanted.
const TAKE_OUT: &str = "take the value out with `!`, `?` or a match";

/// How deep the types of compared values may be nested.
const DEEPEST: usize = 50;

impl Checker<'_, '_> {
    fn class(&mut self, ty: Ty) -> Class {
        match ty.kind() {
            TyKind::Int(_) => Class::Int,
            TyKind::Float(_) => Class::Float,
            TyKind::Bool => Class::Bool,
            TyKind::Str => Class::Str,
            TyKind::Pointer(_) | TyKind::Reference(_) => Class::Pointer,
            TyKind::Infer(_) => match self.table.known(ty) {
                Known::Int => Class::Int,
                Known::Float => Class::Float,
                _ => Class::Unknown,
            },
            _ => Class::Other,
        }
    }

    pub fn unary(&mut self, op: ast::UnaryOp, operand: &ast::Expr, span: Span, want: Want) -> Expr {
        match (op, &*operand.kind) {
            (ast::UnaryOp::Negate, ast::ExprKind::Int(value, _)) => return self.integer(*value, true, span, want),
            (ast::UnaryOp::Negate, ast::ExprKind::Float(bits)) => {
                return self.float((-f64::from_bits(*bits)).to_bits(), span, want);
            }
            _ => {}
        }
        match op {
            ast::UnaryOp::Deref => self.dereference(operand, span),
            ast::UnaryOp::Not => {
                let value = self.condition(operand);
                self.make(ExprKind::Unary(UnaryOp::Not, value), Ty::bool(), span)
            }
            ast::UnaryOp::Negate | ast::UnaryOp::BitNot => {
                let value = self.check(operand, want);
                let value = self.must_have_value(value);
                let ty = self.shallow(value.ty);
                let class = self.class(ty);
                let fits = class == Class::Int || class == Class::Float && op == ast::UnaryOp::Negate;
                if !fits && class != Class::Unknown && !matches!(ty.kind(), TyKind::Error | TyKind::Never) {
                    let symbol = if op == ast::UnaryOp::Negate { "-" } else { "~" };
                    let shown = self.show(ty);
                    let message = format!("`{symbol}` does not work on `{shown}`");
                    let diagnostic = self.error(codes::OPERANDS, span, message);
                    return self.fail(diagnostic, span);
                }
                let op = if op == ast::UnaryOp::Negate { UnaryOp::Negate } else { UnaryOp::BitNot };
                let ty = value.ty;
                self.make(ExprKind::Unary(op, value), ty, span)
            }
        }
    }

    pub fn binary(&mut self, op: BinaryOp, at: Span, a: &ast::Expr, b: &ast::Expr, span: Span) -> Expr {
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            let (a, b) = (self.condition(a), self.condition(b));
            let kind = if op == BinaryOp::And { ExprKind::And(a, b) } else { ExprKind::Or(a, b) };
            return self.make(kind, Ty::bool(), span);
        }
        let left = self.value(a);
        let hint = self.shallow(left.ty);
        let wanted = matches!(hint.kind(), TyKind::Enum(..) | TyKind::Vec(_) | TyKind::HashMap(..));
        let right = self.check(b, if wanted { Want::Of(hint) } else { Want::Any });
        let right = self.must_have_value(right);
        // `v == [1, 2, 3]`
        let right = match (hint.kind(), self.shallow(right.ty).kind()) {
            (TyKind::Vec(_), TyKind::Array(..)) => self.coerce(right, hint, super::coerce::Why::Plain),
            _ => right,
        };
        self.operate(op, at, left, right, span)
    }

    /// An operator on two checked operands.
    pub fn operate(&mut self, op: BinaryOp, at: Span, left: Expr, right: Expr, span: Span) -> Expr {
        let (lt, rt) = (self.shallow(left.ty), self.shallow(right.ty));
        let absorbed = |ty: Ty| matches!(ty.kind(), TyKind::Error | TyKind::Never);
        if absorbed(lt) || absorbed(rt) {
            let ty = match (is_comparison(op), absorbed(lt), absorbed(rt)) {
                (true, ..) => Ty::bool(),
                (_, true, false) if !matches!(op, BinaryOp::Add) => rt,
                _ => Ty::error(),
            };
            let diverges = lt == Ty::never() || rt == Ty::never();
            return self.make(ExprKind::Binary(op, left, right), if diverges { Ty::error() } else { ty }, span);
        }
        let (lc, rc) = (self.class(lt), self.class(rt));
        if matches!(op, BinaryOp::Shl | BinaryOp::Shr) {
            return self.shift(op, at, left, right, span);
        }
        if is_comparison(op) && (lc == Class::Pointer || rc == Class::Pointer) {
            return self.compare_pointers(op, at, left, right, span);
        }
        if lc == Class::Pointer && rc == Class::Int && matches!(op, BinaryOp::Add | BinaryOp::Sub) {
            return self.move_pointer(op, left, right, span);
        }
        let whole = |ty: Ty| {
            is_handle(ty)
                || matches!(ty.kind(), TyKind::Enum(..) | TyKind::Tuple(_) | TyKind::Struct(..) | TyKind::Array(..))
        };
        if matches!(op, BinaryOp::Eq | BinaryOp::Ne) && whole(lt) && whole(rt) && self.table.unify(lt, rt) {
            return self.compare_variants(op, left, right, span);
        }
        let allowed = |class: Class| match class {
            Class::Unknown => true,
            Class::Int => true,
            Class::Float => !matches!(op, BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor),
            Class::Bool => {
                matches!(op, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor)
            }
            Class::Str => is_comparison(op) || op == BinaryOp::Add,
            Class::Pointer | Class::Other => false,
        };
        if !allowed(lc) || !allowed(rc) {
            return self.bad_operands(op, at, &left, &right, span);
        }
        let (left, right, ty) = match self.join(left, right) {
            Ok(joined) => joined,
            Err((left, right)) => return self.bad_operands(op, at, &left, &right, span),
        };
        let result = if is_comparison(op) { Ty::bool() } else { ty };
        self.make(ExprKind::Binary(op, left, right), result, span)
    }

    /// Two operands with one type; themselves again where there is none.
    pub fn join(&mut self, left: Expr, right: Expr) -> Result<(Expr, Expr, Ty), (Expr, Expr)> {
        let (lt, rt) = (self.shallow(left.ty), self.shallow(right.ty));
        if let (&TyKind::Int(a), &TyKind::Int(b)) = (lt.kind(), rt.kind())
            && a != b
        {
            if widens(a, b) {
                return Ok((cast(CastKind::IntToInt, left, rt), right, rt));
            }
            return if widens(b, a) { Ok((left, cast(CastKind::IntToInt, right, lt), lt)) } else { Err((left, right)) };
        }
        if self.table.unify(lt, rt) { Ok((left, right, lt)) } else { Err((left, right)) }
    }

    fn bad_operands(&mut self, op: BinaryOp, at: Span, a: &Expr, b: &Expr, span: Span) -> Expr {
        let (lt, rt) = (self.shallow(a.ty), self.shallow(b.ty));
        let (left, right) = (self.show(lt), self.show(rt));
        let message = format!("`{}` does not work on `{left}` and `{right}`", op.symbol());
        let diagnostic = self.error(codes::OPERANDS, at, message);
        let assigned = at.end - at.start > op.symbol().len() as u32;
        let diagnostic = self.with_converted(diagnostic, op, a, b, assigned);
        self.report(diagnostic);
        let ty = if is_comparison(op) { Ty::bool() } else { Ty::error() };
        let mut e = self.wrong(span);
        e.ty = ty;
        if is_comparison(op) {
            e.kind = Box::new(ExprKind::Bool(false));
        }
        e
    }

    /// Adds the conversion of one of two operands; the first cannot be converted if it is `assigned` to.
    fn with_converted(
        &mut self,
        diagnostic: Diagnostic,
        op: BinaryOp,
        a: &Expr,
        b: &Expr,
        assigned: bool,
    ) -> Diagnostic {
        let (lt, rt) = (self.shallow(a.ty), self.shallow(b.ty));
        let (lc, rc) = (self.class(lt), self.class(rt));
        let number = |class: Class| matches!(class, Class::Int | Class::Float);
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let arithmetic = matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem);
        let bits = matches!(op, BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor);
        match (lc, rc) {
            (Class::Int, Class::Float) if !bits && !assigned => self.with_cast(diagnostic, a, rt),
            (Class::Float, Class::Int) if !bits => self.with_cast(diagnostic, b, lt),
            _ if number(lc) && number(rc) && lt != rt => self.with_cast(diagnostic, b, lt),
            (Class::Str, _) if number(rc) && op == BinaryOp::Add => {
                self.with_cast(diagnostic, b, lt).with_help("or write \"{x}\"")
            }
            (_, Class::Str) if number(lc) && op == BinaryOp::Add && !assigned => self.with_cast(diagnostic, a, rt),
            (Class::Bool, Class::Int) if equality => self.with_truth(diagnostic, b),
            (Class::Int, Class::Bool) if equality => self.with_truth(diagnostic, a),
            (Class::Bool, Class::Int) if arithmetic && !assigned => self.with_cast(diagnostic, a, rt),
            (Class::Int, Class::Bool) if arithmetic => self.with_cast(diagnostic, b, lt),
            _ if arithmetic && self.is_outcome(lt) => self.with_behind(diagnostic.with_help(TAKE_OUT), a, "!"),
            _ if arithmetic && self.is_outcome(rt) => self.with_behind(diagnostic.with_help(TAKE_OUT), b, "!"),
            _ => diagnostic,
        }
    }

    fn is_outcome(&self, ty: Ty) -> bool {
        matches!(ty.kind(), TyKind::Enum(path, _) if path.name == "Option" || path.name == "Result")
    }

    /// `flag == 1`: `true` for the number.
    fn with_truth(&self, diagnostic: Diagnostic, number: &Expr) -> Diagnostic {
        let truth = match &*number.kind {
            ExprKind::Int(0) => "false",
            ExprKind::Int(1) => "true",
            _ => return diagnostic.with_help("make a number of the `bool` with `as i64`"),
        };
        diagnostic.with_help("a `bool` is `true` or `false`").with_suggestion(self.place(number.span), truth)
    }

    fn shift(&mut self, op: BinaryOp, at: Span, left: Expr, right: Expr, span: Span) -> Expr {
        let (lt, rt) = (self.shallow(left.ty), self.shallow(right.ty));
        let (lc, rc) = (self.class(lt), self.class(rt));
        if !matches!(lc, Class::Int | Class::Unknown) || !matches!(rc, Class::Int | Class::Unknown) {
            return self.bad_operands(op, at, &left, &right, span);
        }
        let right = match (rt.kind(), &*right.kind) {
            (TyKind::Infer(_), ExprKind::Int(_)) => Expr { ty: lt, ..right },
            _ if lt == rt => right,
            _ => cast(CastKind::IntToInt, right, lt),
        };
        self.make(ExprKind::Binary(op, left, right), lt, span)
    }

    fn compare_pointers(&mut self, op: BinaryOp, at: Span, left: Expr, right: Expr, span: Span) -> Expr {
        let (lt, rt) = (self.shallow(left.ty), self.shallow(right.ty));
        let literal = |e: &Expr| matches!(&*e.kind, ExprKind::Int(_));
        let fits = match (lt.pointee(), rt.pointee()) {
            (Some(a), Some(b)) => self.table.unify(a, b),
            (Some(_), None) => literal(&right) && self.class(rt) == Class::Int,
            _ => literal(&left) && self.class(lt) == Class::Int,
        };
        if !fits {
            return self.bad_operands(op, at, &left, &right, span);
        }
        let mut address = |e: Expr, ty: Ty| match ty.pointee() {
            Some(_) => cast(CastKind::IntToInt, e, Ty::i64()),
            None => {
                self.table.unify(ty, Ty::i64());
                e
            }
        };
        let (left, right) = (address(left, lt), address(right, rt));
        self.make(ExprKind::Binary(op, left, right), Ty::bool(), span)
    }

    /// `p + n`: the address of the n-th element.
    fn move_pointer(&mut self, op: BinaryOp, pointer: Expr, by: Expr, span: Span) -> Expr {
        let by = self.index_value(by);
        let by = match op {
            BinaryOp::Sub => self.make(ExprKind::Unary(UnaryOp::Negate, by), Ty::i64(), span),
            _ => by,
        };
        let ty = self.shallow(pointer.ty);
        let of = ty.pointee().unwrap_or(Ty::error());
        let place = self.make(ExprKind::Index(pointer, by), of, span);
        self.make(ExprKind::AddressOf(place), ty, span)
    }

    fn compare_variants(&mut self, op: BinaryOp, left: Expr, right: Expr, span: Span) -> Expr {
        if let (Some(a), Some(b)) = (self.variant_number(left.clone()), self.variant_number(right.clone())) {
            return self.make(ExprKind::Binary(op, a, b), Ty::bool(), span);
        }
        let ty = self.table.resolve(left.ty, true);
        if !self.comparable(ty, &mut Vec::new()) {
            return self.unsupported("comparing values of this type is", span);
        }
        self.make(ExprKind::Binary(op, left, right), Ty::bool(), span)
    }

    /// Can values of the type be compared? Not if they hold values of their own type, or of ever larger ones.
    pub(super) fn comparable(&mut self, ty: Ty, around: &mut Vec<Ty>) -> bool {
        let ty = self.table.resolve(ty, true);
        if let Some(outer) = around.iter().position(|other| *other == ty) {
            // Behind a handle the values end somewhere.
            return around[outer..].iter().any(|ty| is_handle(*ty));
        }
        if around.len() > DEEPEST {
            return false;
        }
        let parts: Vec<Ty> = match *ty.kind() {
            TyKind::Pointer(_) | TyKind::Reference(_) | TyKind::Error => return true,
            TyKind::Int(_) | TyKind::Float(_) | TyKind::Bool | TyKind::Str => return true,
            TyKind::Tuple(parts) => parts.to_vec(),
            TyKind::Array(of, _) | TyKind::Vec(of) | TyKind::Box(of) => vec![of],
            TyKind::HashMap(key, value) => vec![key, value],
            TyKind::Struct(path, _) => match self.struct_fields(path) {
                Some((sig, _)) => sig.fields.iter().map(|field| field.ty).collect(),
                None => return false,
            },
            TyKind::Enum(path, _) => match self.enum_sig(path) {
                Some((_, sig)) => sig.variants.iter().flat_map(|v| v.fields.iter().map(|field| field.ty)).collect(),
                None => return false,
            },
            _ => return false,
        };
        let map = self.argument_map(ty);
        around.push(ty);
        let all = parts.into_iter().all(|part| self.comparable(super::literal::replace(part, &map), around));
        around.pop();
        all
    }

    pub fn cast(&mut self, of: &ast::Expr, ty: &ast::Type, span: Span) -> Expr {
        let to = self.lower(ty);
        let hint = match to.kind() {
            TyKind::Int(_) | TyKind::Float(_) => Want::Any,
            _ => Want::Of(to),
        };
        let value = self.check(of, hint);
        let value = self.must_have_value(value);
        let from = self.shallow(value.ty);
        if let (ExprKind::Int(number), &TyKind::Int(kind), TyKind::Infer(_)) = (&*value.kind, to.kind(), from.kind()) {
            let number = *number;
            let beyond = number > i128::from(i64::MAX) && kind == IntKind::U64;
            if beyond || kind.bits() == 128 || number > i128::from(u64::MAX) {
                self.table.unify(from, to);
                return value;
            }
        }
        self.convert_explicitly(value, from, to, span)
    }

    fn convert_explicitly(&mut self, value: Expr, from: Ty, to: Ty, span: Span) -> Expr {
        if from == to || matches!(from.kind(), TyKind::Error | TyKind::Never) || to == Ty::error() {
            return if to == Ty::error() {
                Expr { ty: to, ..value }
            } else {
                Expr { ty: if from == to { from } else { to }, ..value }
            };
        }
        let (fc, tc) = (self.class(from), self.class(to));
        let made = |kind: CastKind, value: Expr| {
            let mut e = cast(kind, value, to);
            e.span = span;
            e
        };
        match (fc, tc) {
            (Class::Int | Class::Bool, Class::Int) => made(CastKind::IntToInt, value),
            (Class::Int | Class::Bool, Class::Float) => made(CastKind::IntToFloat, value),
            (Class::Float, Class::Int) => made(CastKind::FloatToInt, value),
            (Class::Float, Class::Float) => made(CastKind::FloatToFloat, value),
            (Class::Int | Class::Pointer, Class::Bool) => made(CastKind::ToBool, value),
            (Class::Pointer | Class::Str, Class::Int) => made(CastKind::IntToInt, value),
            (Class::Pointer, Class::Pointer) => made(CastKind::Pointer, value),
            (Class::Int, Class::Pointer) => {
                let address = match from.kind() {
                    TyKind::Int(IntKind::I64) => value,
                    TyKind::Infer(_) => {
                        self.table.unify(from, Ty::i64());
                        value
                    }
                    _ => cast(CastKind::IntToInt, value, Ty::i64()),
                };
                made(CastKind::Pointer, address)
            }
            (Class::Int | Class::Float | Class::Bool, Class::Str) => {
                let piece = FormatPiece::Value(value, ast::FormatSpec::default());
                self.make(ExprKind::Format(FormatTarget::Str, vec![piece]), Ty::str(), span)
            }
            (Class::Other, Class::Int) if matches!(from.kind(), TyKind::Function(..)) => {
                made(CastKind::IntToInt, value)
            }
            (Class::Other, Class::Int) if matches!(from.kind(), TyKind::Enum(..)) => match self.variant_number(value) {
                Some(number) => cast(CastKind::IntToInt, number, to),
                None => self.bad_cast(from, to, span),
            },
            (Class::Str, Class::Pointer) => made(CastKind::Pointer, value),
            (Class::Other, Class::Int) if is_handle(from) && self.in_library() => made(CastKind::IntToInt, value),
            (Class::Int, Class::Other) if is_handle(to) && self.in_library() => made(CastKind::Pointer, value),
            (Class::Str, Class::Str) => value,
            _ => {
                let known = self.diagnostics.len();
                let converted = self.coerce(value, to, super::coerce::Why::Plain);
                if self.diagnostics.len() == known {
                    return converted;
                }
                self.diagnostics.truncate(known);
                self.bad_cast(from, to, span)
            }
        }
    }

    fn bad_cast(&mut self, from: Ty, to: Ty, span: Span) -> Expr {
        let (from, shown) = (self.show(from), self.show(to));
        let mut diagnostic = self.error(codes::CAST, span, format!("`{from}` cannot be converted to `{shown}`"));
        if from == "str" && matches!(to.kind(), TyKind::Float(_)) {
            diagnostic = diagnostic.with_help("to read a number from a string, write `s.parse_f64()`");
        }
        let mut e = self.fail(diagnostic, span);
        e.ty = Ty::error();
        e
    }
}

/// Is a value of the type the address of a heap object with other values in it?
fn is_handle(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Vec(_) | TyKind::HashMap(..) | TyKind::Box(_))
}

/// Does the operator compare?
pub(crate) fn is_comparison(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
}
