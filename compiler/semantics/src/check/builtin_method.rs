//! Methods of the types the language brings along: arrays, slices, `str`, `Option` and `Result`.

use vaisjit_abi::TrapCode;
use vaisjit_syntax::{Name, Span, ast};

use super::Checker;
use super::coerce::Why;
use crate::codes;
use crate::hir::{BinaryOp, Callee, Expr, ExprKind, Stmt};
use crate::lower::plural;
use crate::types::{ItemPath, Ty, TyKind, TyList};

/// Methods of `str` that need memory of the program's own.
const LATER_STR_METHODS: &[&str] = &["substring", "trim", "split", "replace", "to_upper", "to_lower", "repeat"];

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
        let name = snake_case(method.name);
        let made = match *ty.kind() {
            TyKind::Array(..) | TyKind::Slice(_) => self.sequence_method(value, &name, method, arguments, span),
            TyKind::Str => self.str_method(value, &name, method, arguments, span),
            TyKind::Enum(path, _) if path.module == "std/prelude" => {
                self.outcome_method(value, &name, method, arguments, span)
            }
            _ => Err(value),
        };
        let value = match made {
            Ok(made) => return made,
            Err(value) => value,
        };
        self.arguments_alone(arguments);
        match ty.kind() {
            TyKind::Infer(_) if self.is_number(ty) => self.no_method(ty, method, span),
            TyKind::Infer(_) => self.undetermined(method.span, value.span),
            TyKind::Vec(_) | TyKind::HashMap(..) => {
                let shown = self.show(ty);
                self.unsupported(&format!("the method `{}` of `{shown}` is", method.name), method.span)
            }
            TyKind::Str if LATER_STR_METHODS.contains(&name.as_str()) => {
                self.unsupported(&format!("the method `{}` of `str` is", method.name), method.span)
            }
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
        if !matches!(name, "len" | "length" | "is_empty") {
            return Err(value);
        }
        if self.method_arguments(method, arguments, &[], span).is_none() {
            return Ok(self.wrong(span));
        }
        let value = self.follow(value);
        let length = self.length_of(value, span);
        Ok(if name == "is_empty" { self.is_zero(length, span) } else { length })
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
        if matches!(name, "len" | "length" | "is_empty") {
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
    fn element_of_text(&mut self, name: &str, arguments: Vec<Expr>, span: Span) -> Expr {
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
        let &TyKind::Enum(path, parts) = ty.kind() else { return Err(value) };
        let option = path.name == "Option";
        let payload = parts.first().copied().unwrap_or_else(Ty::error);
        let wanted: Vec<Ty> = match (name, option) {
            ("is_some" | "is_none", true) | ("is_ok" | "is_err" | "unwrap_err", false) | ("unwrap", _) => Vec::new(),
            ("unwrap_or", _) => vec![payload],
            ("expect", _) => vec![Ty::str()],
            ("ok_or", true) => vec![self.fresh()],
            ("map", _) => {
                let result = self.fresh();
                vec![Ty::new(TyKind::Function(TyList::new(&[payload]), result))]
            }
            ("and_then", _) => {
                let kind = match option {
                    true => prelude_enum("Option", &[self.fresh()]),
                    false => prelude_enum("Result", &[self.fresh(), parts[1]]),
                };
                vec![Ty::new(TyKind::Function(TyList::new(&[payload]), kind))]
            }
            _ => return Err(value),
        };
        let mut statements = Vec::new();
        let value = match wanted.is_empty() {
            true => value,
            false => self.keep("{outcome}", value, &mut statements),
        };
        let Some(arguments) = self.method_arguments(method, arguments, &wanted, span) else {
            return Ok(self.wrong(span));
        };
        let argument = arguments.into_iter().next().map(|argument| self.keep("{argument}", argument, &mut statements));
        let made = self.outcome_value(value, name, argument, ty, span);
        if statements.is_empty() {
            return Ok(made);
        }
        let result = made.ty;
        Ok(self.make(ExprKind::Block(statements, Some(made)), result, span))
    }

    fn outcome_value(&mut self, value: Expr, name: &str, argument: Option<Expr>, ty: Ty, span: Span) -> Expr {
        let Some((good, other, sig, ty)) = self.outcome(&value, name, span).map(|(g, o, s, _)| (g, o, s, ty)) else {
            return self.wrong(span);
        };
        let given = argument.unwrap_or_else(|| self.wrong(span));
        let trap = |this: &mut Self, message: Option<Expr>| {
            this.make(ExprKind::Trap(TrapCode::UnwrapFailed, message), Ty::never(), span)
        };
        let (of_good, given_again) = (given.clone(), given);
        let kept = |this: &mut Self, mut payload: Vec<Expr>| {
            let yes = |this: &mut Self, value| this.make(ExprKind::Bool(value), Ty::bool(), span);
            match name {
                "is_some" | "is_ok" => yes(this, true),
                "is_none" | "is_err" => yes(this, false),
                "ok_or" => {
                    let ty = prelude_enum("Result", &[payload[0].ty, of_good.ty]);
                    this.make(ExprKind::Variant(0, payload), ty, span)
                }
                "map" | "and_then" => {
                    let TyKind::Function(_, result) = *this.shallow(of_good.ty).kind() else { return this.wrong(span) };
                    let called = this.make(ExprKind::Call(Callee::Value(Box::new(of_good)), payload), result, span);
                    if name == "and_then" {
                        return called;
                    }
                    let TyKind::Enum(path, parts) = *ty.kind() else { return this.wrong(span) };
                    let mut parts = parts.to_vec();
                    parts[0] = result;
                    let ty = Ty::new(TyKind::Enum(path, TyList::new(&parts)));
                    this.make(ExprKind::Variant(good, vec![called]), ty, span)
                }
                "unwrap_err" => trap(this, None),
                _ => payload.swap_remove(0),
            }
        };
        let mut result = None;
        let lost = |this: &mut Self, mut payload: Vec<Expr>| match name {
            "is_some" | "is_ok" => this.make(ExprKind::Bool(false), Ty::bool(), span),
            "is_none" | "is_err" => this.make(ExprKind::Bool(true), Ty::bool(), span),
            "unwrap_or" => given_again,
            "expect" => trap(this, Some(given_again)),
            "unwrap_err" => {
                let error = payload.swap_remove(0);
                result = Some(error.ty);
                error
            }
            "ok_or" => {
                let TyKind::Enum(_, parts) = *ty.kind() else { return this.wrong(span) };
                let ty = prelude_enum("Result", &[parts[0], given_again.ty]);
                this.make(ExprKind::Variant(1, vec![given_again]), ty, span)
            }
            "map" | "and_then" => {
                let TyKind::Function(_, made) = *this.shallow(given_again.ty).kind() else { return this.wrong(span) };
                let TyKind::Enum(path, parts) = *ty.kind() else { return this.wrong(span) };
                let mut parts = parts.to_vec();
                parts[0] = made;
                let ty = if name == "map" { Ty::new(TyKind::Enum(path, TyList::new(&parts))) } else { made };
                this.make(ExprKind::Variant(other, payload), ty, span)
            }
            _ => trap(this, None),
        };
        let made = self.outcome_choice(value, good, other, &sig, ty, span, kept, lost);
        match result {
            Some(result) => Expr { ty: result, ..made },
            None => made,
        }
    }
}

/// An `Option` or `Result` of the prelude.
fn prelude_enum(name: &str, arguments: &[Ty]) -> Ty {
    Ty::new(TyKind::Enum(ItemPath::new(Name::new("std/prelude"), name), TyList::new(arguments)))
}

/// `startsWith` as `starts_with`.
fn snake_case(name: Name) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}
