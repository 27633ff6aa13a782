//! Operations every program knows that are no functions of a library.

use std::sync::Arc;

use vaisjit_abi::TrapCode;
use vaisjit_syntax::{Name, Span, ast};

use super::coerce::{Why, cast};
use super::{Checker, Want};
use crate::codes;
use crate::hir::{BinaryOp, Builtin, Callee, CastKind, Expr, ExprKind, FormatPiece, FormatTarget, Stmt, UnaryOp};
use crate::infer::Known;
use crate::lower::plural;
use crate::types::{IntKind, Ty, TyKind};

/// The operations every program knows by name.
pub const NAMES: &[&str] = &[
    "print",
    "println",
    "puts",
    "format",
    "assert",
    "panic",
    "sizeof",
    "min",
    "max",
    "abs",
    "load_i8",
    "load_i16",
    "load_i32",
    "load_i64",
    "load_u8",
    "load_byte",
    "load_f32",
    "load_f64",
    "load_ptr",
    "store_i8",
    "store_i16",
    "store_i32",
    "store_i64",
    "store_u8",
    "store_byte",
    "store_f32",
    "store_f64",
    "store_ptr",
    "load_typed",
    "store_typed",
    "type_size",
    "swap",
    "str_to_ptr",
    "ptr_to_str",
];

/// Is this the name of an operation?
pub(crate) fn is_builtin(name: Name) -> bool {
    NAMES.contains(&name.as_str())
}

impl Checker<'_, '_> {
    pub fn builtin(
        &mut self,
        name: Name,
        at: Span,
        types: &[Ty],
        arguments: &[ast::Expr],
        span: Span,
        want: Want,
    ) -> Expr {
        let text = name.as_str();
        match text {
            "print" | "println" | "puts" | "format" | "panic" => self.printing(text, arguments, span),
            "assert" => self.assert(arguments, span),
            "sizeof" => self.size_of(types, arguments, span),
            "type_size" => self.type_size(span),
            "min" | "max" => self.extreme(text, arguments, span),
            "abs" => self.abs(arguments, span),
            "swap" => self.swap(arguments, span),
            "str_to_ptr" => {
                let Some([value]) = self.exactly(name, at, arguments, span) else { return self.wrong(span) };
                let value = self.check_to(value, Ty::str(), Why::Plain);
                cast(CastKind::IntToInt, value, Ty::i64())
            }
            "ptr_to_str" => match self.exactly(name, at, arguments, span) {
                Some([address]) => self.text_from_c(address, span),
                None => self.wrong(span),
            },
            _ if self.is_library_operation(name) => self.library_operation(name, types, arguments, span, want),
            _ if text.starts_with("load_") => self.load(name, at, arguments, span, want, types),
            _ => self.store(name, at, arguments, span),
        }
    }

    /// The arguments, if there are just as many as needed.
    fn exactly<'e, const N: usize>(
        &mut self,
        name: Name,
        at: Span,
        arguments: &'e [ast::Expr],
        span: Span,
    ) -> Option<&'e [ast::Expr; N]> {
        let _ = at;
        match arguments.try_into() {
            Ok(exact) => Some(exact),
            Err(_) => {
                self.arguments_alone(arguments);
                self.wrong_count(name, N, arguments.len(), span);
                None
            }
        }
    }

    fn wrong_count(&mut self, name: Name, wanted: usize, given: usize, span: Span) {
        let verb = if given == 1 { "is" } else { "are" };
        let message = format!("`{name}` takes {wanted} argument{}, but {given} {verb} given", plural(wanted));
        let diagnostic = self.error(codes::ARGUMENT_COUNT, span, message);
        self.report(diagnostic);
    }

    fn printing(&mut self, name: &str, arguments: &[ast::Expr], span: Span) -> Expr {
        let newline = matches!(name, "println" | "puts");
        let mut pieces = match arguments.split_first() {
            None if name == "println" => Vec::new(),
            None => {
                self.wrong_count(Name::new(name), 1, 0, span);
                return self.wrong(span);
            }
            Some((first, rest)) => match &*first.kind {
                ast::ExprKind::Str(literal) => self.pieces(literal, rest, first.span),
                _ => self.plain_pieces(name, arguments),
            },
        };
        if newline {
            pieces.push(FormatPiece::Text(Arc::from("\n")));
        }
        let pieces = join_texts(pieces);
        match name {
            "format" => self.make(ExprKind::Format(FormatTarget::Str, pieces), Ty::str(), span),
            "panic" => {
                let message = self.text_value(pieces, span);
                self.make(ExprKind::Trap(TrapCode::Panic, Some(message)), Ty::never(), span)
            }
            "puts" => {
                let print = self.make(ExprKind::Format(FormatTarget::Stdout, pieces), Ty::unit(), span);
                let zero = self.make(ExprKind::Int(0), Ty::int(IntKind::I32), span);
                self.make(ExprKind::Block(vec![Stmt::Expr(print)], Some(zero)), Ty::int(IntKind::I32), span)
            }
            _ => self.make(ExprKind::Format(FormatTarget::Stdout, pieces), Ty::unit(), span),
        }
    }

    fn plain_pieces(&mut self, name: &str, arguments: &[ast::Expr]) -> Vec<FormatPiece> {
        if arguments.len() > 1 {
            let span = arguments[0].span.to(arguments[arguments.len() - 1].span);
            self.arguments_alone(arguments);
            let message = format!("the first argument of `{name}` must be a string literal when there are more");
            let diagnostic = self.error(codes::FORMAT_ARGUMENTS, span, message);
            self.report(diagnostic);
            return Vec::new();
        }
        let value = self.value(&arguments[0]);
        self.printable(value).into_iter().map(|value| FormatPiece::Value(value, ast::FormatSpec::default())).collect()
    }

    /// A text as one `str`.
    pub fn text_value(&mut self, pieces: Vec<FormatPiece>, span: Span) -> Expr {
        match &pieces[..] {
            [] => self.make(ExprKind::Str(Arc::from("")), Ty::str(), span),
            [FormatPiece::Text(text)] => self.make(ExprKind::Str(text.clone()), Ty::str(), span),
            _ => self.make(ExprKind::Format(FormatTarget::Str, pieces), Ty::str(), span),
        }
    }

    fn assert(&mut self, arguments: &[ast::Expr], span: Span) -> Expr {
        let Some((first, rest)) = arguments.split_first() else {
            self.wrong_count(Name::new("assert"), 1, 0, span);
            return self.wrong(span);
        };
        let condition = self.condition(first);
        let message = match rest.split_first() {
            None => None,
            Some((text, more)) => match &*text.kind {
                ast::ExprKind::Str(literal) => {
                    let pieces = self.pieces(literal, more, text.span);
                    Some(self.text_value(pieces, text.span))
                }
                _ => Some(self.check_to(text, Ty::str(), Why::Plain)),
            },
        };
        let at = condition.span;
        let failed = self.make(ExprKind::Unary(UnaryOp::Not, condition), Ty::bool(), at);
        let trap = self.make(ExprKind::Trap(TrapCode::AssertFailed, message), Ty::never(), span);
        self.make(ExprKind::If(failed, trap, None), Ty::unit(), span)
    }

    fn size_of(&mut self, types: &[Ty], arguments: &[ast::Expr], span: Span) -> Expr {
        if let [ty] = types {
            return self.size(*ty, span);
        }
        let [argument] = arguments else {
            self.wrong_count(Name::new("sizeof"), 1, arguments.len(), span);
            return self.wrong(span);
        };
        match self.type_of_argument(argument) {
            Some(ty) => self.size(ty, span),
            None => {
                let value = self.value(argument);
                self.size(value.ty, span)
            }
        }
    }

    /// The type an argument names, as in `sizeof(P)`.
    fn type_of_argument(&mut self, e: &ast::Expr) -> Option<Ty> {
        if let ast::ExprKind::Name(name) = &*e.kind
            && self.binding(*name).is_none()
        {
            if let Some(ty) = self.scope.generics.get(name) {
                return Some(*ty);
            }
            if let Some(ty) = crate::lower::builtin_type(name.as_str()) {
                return Some(ty);
            }
        }
        match &*e.kind {
            ast::ExprKind::Unary(ast::UnaryOp::Deref, inner) => self.type_of_argument(inner).map(Ty::pointer),
            ast::ExprKind::AddressOf(inner) => self.type_of_argument(inner).map(|ty| Ty::new(TyKind::Reference(ty))),
            ast::ExprKind::Tuple(parts) => {
                let parts: Option<Vec<Ty>> = parts.iter().map(|part| self.type_of_argument(part)).collect();
                Some(Ty::new(TyKind::Tuple(crate::types::TyList::new(&parts?))))
            }
            ast::ExprKind::Instance(ident, types) => {
                self.world.ty(self.scope.module, ident.name)?;
                let path = ast::TypePath { segments: vec![*ident], arguments: types.clone() };
                Some(self.lower_inferred(&path, Want::Any))
            }
            ast::ExprKind::Repeat(of, count) => {
                let of = self.type_of_argument(of)?;
                let (length, diagnostics) = Checker::length(self.world, &self.scope_with_consts(), count);
                self.diagnostics.extend(diagnostics);
                Some(Ty::new(TyKind::Array(of, length?)))
            }
            _ => {
                let path = self.type_path_of(e)?;
                if self.module_of_path(&path).is_some() {
                    return None;
                }
                Some(self.lower_inferred(&path, Want::Any))
            }
        }
    }

    /// The size of a type in bytes: the distance of two neighbours, wherever they are.
    fn size(&mut self, ty: Ty, span: Span) -> Expr {
        const SOMEWHERE: i128 = 1 << 30;
        let base = self.make(ExprKind::Int(SOMEWHERE), Ty::i64(), span);
        let one = self.make(ExprKind::Int(1), Ty::i64(), span);
        let pointer = cast(CastKind::Pointer, base.clone(), Ty::pointer(ty));
        let next = self.make(ExprKind::Index(pointer, one), ty, span);
        let address = self.make(ExprKind::AddressOf(next), Ty::pointer(ty), span);
        let address = cast(CastKind::IntToInt, address, Ty::i64());
        self.make(ExprKind::Binary(crate::hir::BinaryOp::Sub, address, base), Ty::i64(), span)
    }

    fn type_size(&mut self, span: Span) -> Expr {
        let ty = self.scope.generics.get(&Name::new("T")).copied();
        let first = self.scope.generics.values().next().copied();
        match ty.or(first) {
            Some(ty) => self.size(ty, span),
            None => {
                let diagnostic = self.error(codes::UNDETERMINED, span, "`type_size()` needs a generic type around it");
                self.fail(diagnostic, span)
            }
        }
    }

    fn extreme(&mut self, name: &str, arguments: &[ast::Expr], span: Span) -> Expr {
        let [a, b] = arguments else {
            self.arguments_alone(arguments);
            self.wrong_count(Name::new(name), 2, arguments.len(), span);
            return self.wrong(span);
        };
        let (a, b) = (self.value(a), self.value(b));
        let (lt, rt) = (self.shallow(a.ty), self.shallow(b.ty));
        if lt == Ty::error() || rt == Ty::error() {
            return self.wrong(span);
        }
        if lt == Ty::str() && rt == Ty::str() {
            return self.extreme_text(name, a, b, span);
        }
        let joined = if self.is_number(lt) && self.is_number(rt) { self.join(a, b).ok() } else { None };
        match joined {
            Some((a, b, ty)) => {
                let which = if name == "min" { Builtin::Min } else { Builtin::Max };
                self.make(ExprKind::Call(Callee::Builtin(which), vec![a, b]), ty, span)
            }
            None => {
                let (left, right) = (self.show(lt), self.show(rt));
                let diagnostic =
                    self.error(codes::OPERANDS, span, format!("`{name}` does not work on `{left}` and `{right}`"));
                self.fail(diagnostic, span)
            }
        }
    }

    /// The smaller or larger of two texts.
    fn extreme_text(&mut self, name: &str, a: Expr, b: Expr, span: Span) -> Expr {
        let mut statements = Vec::new();
        let [a, b] = [a, b].map(|value| {
            let local = self.hidden(Name::new("{text}"), Ty::str(), span);
            self.frame().exempt.insert(local);
            statements.push(Stmt::Let(super::bind_pattern(local, Ty::str(), self.span(span)), value));
            self.local(local, span)
        });
        let op = if name == "min" { BinaryOp::Lt } else { BinaryOp::Gt };
        let condition = self.make(ExprKind::Binary(op, b.clone(), a.clone()), Ty::bool(), span);
        let chosen = self.make(ExprKind::If(condition, b, Some(a)), Ty::str(), span);
        self.make(ExprKind::Block(statements, Some(chosen)), Ty::str(), span)
    }

    pub fn is_number(&mut self, ty: Ty) -> bool {
        match ty.kind() {
            TyKind::Int(_) | TyKind::Float(_) => true,
            TyKind::Infer(_) => matches!(self.table.known(ty), Known::Int | Known::Float),
            _ => false,
        }
    }

    fn abs(&mut self, arguments: &[ast::Expr], span: Span) -> Expr {
        let [a] = arguments else {
            self.arguments_alone(arguments);
            self.wrong_count(Name::new("abs"), 1, arguments.len(), span);
            return self.wrong(span);
        };
        let value = self.value(a);
        let ty = self.shallow(value.ty);
        if ty == Ty::error() {
            return value;
        }
        if !self.is_number(ty) {
            let shown = self.show(ty);
            let diagnostic = self.error(codes::OPERANDS, span, format!("`abs` does not work on `{shown}`"));
            return self.fail(diagnostic, span);
        }
        self.make(ExprKind::Call(Callee::Builtin(Builtin::Abs), vec![value]), ty, span)
    }

    fn swap(&mut self, arguments: &[ast::Expr], span: Span) -> Expr {
        let [p, i, j] = arguments else {
            self.arguments_alone(arguments);
            self.wrong_count(Name::new("swap"), 3, arguments.len(), span);
            return self.wrong(span);
        };
        let pointer = self.value(p);
        let pointer = match *self.shallow(pointer.ty).kind() {
            TyKind::Array(of, _) => self.coerce(pointer, Ty::pointer(of), Why::Plain),
            TyKind::Pointer(_) | TyKind::Error => pointer,
            TyKind::Reference(to) => {
                let to = self.shallow(to);
                let element = match *to.kind() {
                    TyKind::Array(of, _) => of,
                    _ => to,
                };
                self.coerce(pointer, Ty::pointer(element), Why::Plain)
            }
            _ => {
                let address = self.coerce(pointer, Ty::i64(), Why::Plain);
                cast(CastKind::Pointer, address, Ty::pointer(Ty::i64()))
            }
        };
        let (i, j) = (self.value(i), self.value(j));
        let (i, j) = (self.index_value(i), self.index_value(j));
        self.make(ExprKind::Call(Callee::Builtin(Builtin::Swap), vec![pointer, i, j]), Ty::unit(), span)
    }

    /// An address: a pointer, or an integer.
    pub fn address_value(&mut self, e: &ast::Expr) -> Expr {
        let value = self.value(e);
        let ty = self.shallow(value.ty);
        match *ty.kind() {
            TyKind::Pointer(_) | TyKind::Reference(_) => value,
            TyKind::Array(of, _) => self.coerce(value, Ty::pointer(of), Why::Plain),
            TyKind::Str => cast(CastKind::IntToInt, value, Ty::i64()),
            _ => self.coerce(value, Ty::i64(), Why::Plain),
        }
    }

    fn load(&mut self, name: Name, at: Span, arguments: &[ast::Expr], span: Span, want: Want, types: &[Ty]) -> Expr {
        let Some([address]) = self.exactly(name, at, arguments, span) else { return self.wrong(span) };
        let address = self.address_value(address);
        let stored = element_type(name.as_str());
        let ty = match stored {
            Some(ty) => ty,
            None => match (types.first(), want.hint(), self.scope.generics.get(&Name::new("T"))) {
                (Some(ty), ..) => *ty,
                (_, Some(ty), _) => ty,
                (_, _, Some(ty)) => *ty,
                _ => self.fresh(),
            },
        };
        let loaded = self.make(ExprKind::Call(Callee::Builtin(Builtin::Load), vec![address]), ty, span);
        // A byte is a number from 0 to 255 to programs.
        if name == "load_byte" { cast(CastKind::IntToInt, loaded, Ty::i64()) } else { loaded }
    }

    fn store(&mut self, name: Name, at: Span, arguments: &[ast::Expr], span: Span) -> Expr {
        let Some([address, value]) = self.exactly(name, at, arguments, span) else { return self.wrong(span) };
        let address = self.address_value(address);
        let value = match element_type(name.as_str()) {
            None => self.value(value),
            Some(ty) => {
                let value = self.value(value);
                let from = self.shallow(value.ty);
                match (from.kind(), ty.kind()) {
                    (TyKind::Int(_) | TyKind::Infer(_), TyKind::Int(kind))
                        if kind.bits() < 64 && self.is_number(from) =>
                    {
                        if from == ty {
                            value
                        } else {
                            cast(CastKind::IntToInt, value, ty)
                        }
                    }
                    (TyKind::Pointer(_), TyKind::Int(_)) => cast(CastKind::IntToInt, value, ty),
                    _ => self.coerce(value, ty, Why::Plain),
                }
            }
        };
        self.make(ExprKind::Call(Callee::Builtin(Builtin::Store), vec![address, value]), Ty::unit(), span)
    }
}

/// The type of what `load_...` reads and `store_...` writes; `None` for the typed forms.
fn element_type(name: &str) -> Option<Ty> {
    let (_, suffix) = name.split_once('_')?;
    match suffix {
        "byte" => Some(Ty::int(IntKind::U8)),
        "ptr" => Some(Ty::i64()),
        "typed" => None,
        other => crate::lower::builtin_type(other),
    }
}

/// Neighbouring texts as one.
pub(crate) fn join_texts(pieces: Vec<FormatPiece>) -> Vec<FormatPiece> {
    let mut joined: Vec<FormatPiece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (joined.last_mut(), &piece) {
            (Some(FormatPiece::Text(before)), FormatPiece::Text(text)) => {
                *before = Arc::from(format!("{before}{text}"))
            }
            _ => joined.push(piece),
        }
    }
    joined
}
