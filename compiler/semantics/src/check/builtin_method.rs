//! Methods of the types the language brings along: arrays, slices, `str`, `Option` and `Result`.

use vaisjit_abi::TrapCode;
use vaisjit_syntax::{Name, Span, ast};

use super::Checker;
use super::coerce::Why;
use crate::codes;
use crate::hir::{BinaryOp, Callee, Expr, ExprKind, Stmt};
use crate::lower::plural;
use crate::types::{ItemPath, Ty, TyKind, TyList};

impl Checker<'_, '_> {
    /// A method of a type that the program does not declare.
    pub fn builtin_method(
        &mut self,
        value: Expr,
        ty: Ty,
        method: ast::Ident,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Expr {
        let name = canonical(method.name);
        let name = name.as_str();
        let made = match *ty.kind() {
            TyKind::Array(..) | TyKind::Slice(_) | TyKind::Vec(_) => {
                self.sequence_method(value, name, method, arguments, span)
            }
            TyKind::Str => self.str_method(value, name, method, arguments, span),
            TyKind::Enum(path, _) if path.module == "std/prelude" => {
                self.outcome_method(value, name, method, arguments, span)
            }
            _ => Err(value),
        };
        let value = match made {
            Ok(made) => return made,
            Err(value) => value,
        };
        if name == "clone" && arguments.is_empty() && !matches!(ty.kind(), TyKind::Infer(_)) {
            // A copy: what is shared by copying stays shared.
            return self.copied(value, span);
        }
        self.arguments_alone(arguments);
        match ty.kind() {
            TyKind::Infer(_) if self.is_number(ty) => self.no_method(ty, method, span),
            TyKind::Infer(_) => self.undetermined(method.span, value.span),
            _ => self.no_method(ty, method, span),
        }
    }

    /// The arguments, checked to be of these types; `None` after a report.
    fn method_arguments(
        &mut self,
        method: ast::Ident,
        arguments: &[ast::Expr],
        types: &[Ty],
        span: Span,
    ) -> Option<Vec<Expr>> {
        if arguments.len() != types.len() {
            self.arguments_alone(arguments);
            let (wanted, given) = (types.len(), arguments.len());
            let verb = if given == 1 { "is" } else { "are" };
            let message =
                format!("`{}` takes {wanted} argument{}, but {given} {verb} given", method.name, plural(wanted));
            let diagnostic = self.error(codes::ARGUMENT_COUNT, span, message);
            self.report(diagnostic);
            return None;
        }
        let name = Name::new("value");
        let check = |(e, ty): (&ast::Expr, &Ty)| self.check_to(e, *ty, Why::Argument(method.name, name, None));
        Some(arguments.iter().zip(types).map(check).collect())
    }

    fn sequence_method(
        &mut self,
        value: Expr,
        name: &str,
        method: ast::Ident,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Result<Expr, Expr> {
        if let (TyKind::Vec(of), "set") = (self.follow_type(value.ty).kind(), name) {
            let of = *of;
            let value = self.follow(value);
            return Ok(self.set_element(value, of, method, arguments, span));
        }
        if !matches!(name, "len" | "is_empty") {
            return Err(value);
        }
        if self.method_arguments(method, arguments, &[], span).is_none() {
            return Ok(self.wrong(span));
        }
        let value = self.follow(value);
        let length = self.length_of(value, span);
        Ok(if name == "is_empty" { self.is_zero(length, span) } else { length })
    }

    /// `v.set(i, x)`: the same as `v[i] = x`.
    fn set_element(&mut self, vec: Expr, of: Ty, method: ast::Ident, arguments: &[ast::Expr], span: Span) -> Expr {
        let Some(mut values) = self.method_arguments(method, arguments, &[Ty::i64(), of], span) else {
            return self.wrong(span);
        };
        let value = values.swap_remove(1);
        let index = values.swap_remove(0);
        let mut statements = Vec::new();
        let vec = if super::coerce::is_place(&vec) { vec } else { self.keep("{vec}", vec, &mut statements) };
        let place = self.make(ExprKind::Index(vec, index), of, span);
        statements.push(Stmt::Expr(self.make(ExprKind::Assign(place, value), Ty::unit(), span)));
        self.make(ExprKind::Block(statements, None), Ty::unit(), span)
    }

    /// A copy of a value; of a `Box` another one.
    fn copied(&mut self, value: Expr, span: Span) -> Expr {
        let value = self.follow_pointers(value);
        match *value.ty.kind() {
            TyKind::Box(inner) => {
                let ty = value.ty;
                let held = self.make(ExprKind::Deref(value), inner, span);
                self.make(ExprKind::BoxNew(held), ty, span)
            }
            _ => value,
        }
    }

    fn is_zero(&mut self, value: Expr, span: Span) -> Expr {
        let zero = self.make(ExprKind::Int(0), Ty::i64(), span);
        self.make(ExprKind::Binary(BinaryOp::Eq, value, zero), Ty::bool(), span)
    }

    fn str_method(
        &mut self,
        value: Expr,
        name: &str,
        method: ast::Ident,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Result<Expr, Expr> {
        if matches!(name, "len" | "is_empty") {
            return self.sequence_method(value, name, method, arguments, span);
        }
        let wanted: &[Ty] = match name {
            "contains" | "starts_with" | "ends_with" | "index_of" => &[Ty::str()],
            "byte_at" | "char_at" => &[Ty::i64()],
            "clone" | "parse_i64" | "parse_f64" => &[],
            _ => return Err(value),
        };
        let value = self.follow(value);
        let Some(arguments) = self.method_arguments(method, arguments, wanted, span) else {
            return Ok(self.wrong(span));
        };
        let mut all = vec![value];
        all.extend(arguments);
        Ok(match name {
            "clone" => all.swap_remove(0),
            "contains" => self.host_call("str_contains", all, Ty::bool(), span),
            "starts_with" => self.host_call("str_starts_with", all, Ty::bool(), span),
            "ends_with" => self.host_call("str_ends_with", all, Ty::bool(), span),
            "index_of" => self.host_call("str_index_of", all, Ty::i64(), span),
            "byte_at" => self.element_of_text("str_byte_at", all, span),
            "char_at" => self.element_of_text("str_char_at", all, span),
            "parse_i64" => self.parsed("str_parse_i64", Ty::i64(), all, span),
            _ => self.parsed("str_parse_f64", Ty::f64(), all, span),
        })
    }

    fn host_call(&mut self, name: &str, arguments: Vec<Expr>, ty: Ty, span: Span) -> Expr {
        self.make(ExprKind::Call(Callee::Host(Name::new(name)), arguments), ty, span)
    }

    /// A host function's result, which is negative when the index is out of bounds: then a trap.
    pub(super) fn element_of_text(&mut self, name: &str, arguments: Vec<Expr>, span: Span) -> Expr {
        let found = self.host_call(name, arguments, Ty::i64(), span);
        let mut statements = Vec::new();
        let found = self.keep("{found}", found, &mut statements);
        let zero = self.make(ExprKind::Int(0), Ty::i64(), span);
        let outside = self.make(ExprKind::Binary(BinaryOp::Lt, found.clone(), zero), Ty::bool(), span);
        let trap = self.make(ExprKind::Trap(TrapCode::IndexOutOfBounds, None), Ty::never(), span);
        statements.push(Stmt::Expr(self.make(ExprKind::If(outside, trap, None), Ty::unit(), span)));
        self.make(ExprKind::Block(statements, Some(found)), Ty::i64(), span)
    }

    /// The number a text stands for as `Result<number, str>`.
    fn parsed(&mut self, name: &str, number: Ty, text: Vec<Expr>, span: Span) -> Expr {
        let ty = prelude_enum("Result", &[number, Ty::str()]);
        let mut statements = Vec::new();
        let text: Vec<Expr> = text.into_iter().map(|text| self.keep("{text}", text, &mut statements)).collect();
        let good = self.host_call(&format!("{name}_ok"), text.clone(), Ty::bool(), span);
        let value = self.host_call(name, text, number, span);
        let ok = self.make(ExprKind::Variant(0, vec![value]), ty, span);
        let why = self.make(ExprKind::Str("not a number".into()), Ty::str(), span);
        let err = self.make(ExprKind::Variant(1, vec![why]), ty, span);
        let choice = self.make(ExprKind::If(good, ok, Some(err)), ty, span);
        self.make(ExprKind::Block(statements, Some(choice)), ty, span)
    }

    /// What ends the program where it is written; the other methods are the library's.
    fn outcome_method(
        &mut self,
        value: Expr,
        name: &str,
        method: ast::Ident,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Result<Expr, Expr> {
        let value = self.follow(value);
        let ty = self.shallow(value.ty);
        let &TyKind::Enum(path, _) = ty.kind() else { return Err(value) };
        let wanted: &[Ty] = match (name, path.name == "Option") {
            ("unwrap", _) | ("unwrap_err", false) => &[],
            ("expect", _) | ("expect_err", false) => &[Ty::str()],
            _ => return Err(value),
        };
        let mut statements = Vec::new();
        let value = match wanted.is_empty() {
            true => value,
            false => self.keep("{outcome}", value, &mut statements),
        };
        let Some(arguments) = self.method_arguments(method, arguments, wanted, span) else {
            return Ok(self.wrong(span));
        };
        let message = arguments.into_iter().next().map(|argument| self.keep("{argument}", argument, &mut statements));
        let made = self.outcome_value(value, name, message, span);
        if statements.is_empty() {
            return Ok(made);
        }
        let result = made.ty;
        Ok(self.make(ExprKind::Block(statements, Some(made)), result, span))
    }

    fn outcome_value(&mut self, value: Expr, name: &str, message: Option<Expr>, span: Span) -> Expr {
        let Some((good, other, sig, ty)) = self.outcome(&value, name, span) else { return self.wrong(span) };
        let first =
            |this: &mut Self, payload: Vec<Expr>| payload.into_iter().next().unwrap_or_else(|| this.wrong(span));
        let trap = |this: &mut Self, _: Vec<Expr>| {
            this.make(ExprKind::Trap(TrapCode::UnwrapFailed, message), Ty::never(), span)
        };
        if !name.ends_with("_err") {
            return self.outcome_choice(value, good, other, &sig, ty, span, first, trap);
        }
        let mut result = ty;
        let error = |this: &mut Self, payload: Vec<Expr>| {
            let error = first(this, payload);
            result = error.ty;
            error
        };
        let mut made = self.outcome_choice(value, good, other, &sig, ty, span, trap, error);
        made.ty = result;
        made
    }
}

/// An `Option` or `Result` of the prelude.
fn prelude_enum(name: &str, arguments: &[Ty]) -> Ty {
    Ty::new(TyKind::Enum(ItemPath::new(Name::new("std/prelude"), name), TyList::new(arguments)))
}

/// The name a method goes by here: `startsWith` is `starts_with`, `to_string` is `to_str`.
pub(crate) fn canonical(name: Name) -> Name {
    canonical_method(name.as_str()).map_or(name, |known| Name::new(&known))
}

/// The name that a method of a built-in type goes by, if it is spelled in another way: `startsWith`, `to_string`.
pub fn canonical_method(name: &str) -> Option<String> {
    let snake = name.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| snake_case(name));
    let known = match snake.as_deref().unwrap_or(name) {
        "to_string" => "to_str",
        "length" | "size" => "len",
        "for_each" | "foreach" => "each",
        "push_back" | "add" => "push",
        "pop_back" => "pop",
        "to_uppercase" | "to_upper_case" | "upper" => "to_upper",
        "to_lowercase" | "to_lower_case" | "lower" => "to_lower",
        "trim_left" => "trim_start",
        "trim_right" => "trim_end",
        "parse_int" | "to_int" | "to_i64" | "parse" => "parse_i64",
        "parse_float" | "to_float" | "to_f64" => "parse_f64",
        "includes" => "contains",
        "has_key" => "contains_key",
        "put" => "set",
        "find_index" => "position",
        _ => return snake,
    };
    Some(known.to_owned())
}

/// `startsWith` as `starts_with`.
fn snake_case(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}
