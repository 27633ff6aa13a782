//! `printf` and its relatives: their literal format is adapted to the types of the arguments.

use std::sync::Arc;

use vaisjit_syntax::{Name, Span, ast};

use super::coerce::cast;
use super::{Checker, Want};
use crate::codes;
use crate::hir::{CFunction, Callee, CastKind, Expr, ExprKind};
use crate::infer::Known;
use crate::interface::FnSig;
use crate::lower::plural;
use crate::types::{IntKind, Ty, TyKind};

/// A conversion of a format: `%-5ld`.
struct Conversion {
    /// Flags, width and precision.
    middle: String,
    letter: char,
    /// How many `*` there are.
    stars: usize,
}

impl Checker<'_, '_> {
    /// A call with at least as many arguments as there are parameters before the `...`, the last of which is the format.
    pub fn printf(&mut self, name: Name, sig: &FnSig, arguments: &[ast::Expr], span: Span) -> Expr {
        let callee = Callee::C(CFunction { symbol: name, fixed: Some(sig.params.len() as u32) });
        let (before, arguments) = arguments.split_at(sig.params.len() - 1);
        let check = |(e, param): (&ast::Expr, &crate::interface::ParamSig)| {
            let why = super::coerce::Why::Argument(name, param.name, None);
            if sig.addresses { self.address_argument(e, param.ty, why) } else { self.check_to(e, param.ty, why) }
        };
        let before: Vec<Expr> = before.iter().zip(&sig.params).map(check).collect();
        let Some((first, rest)) = arguments.split_first() else { return self.wrong(span) };
        let pointer = Ty::pointer(Ty::int(IntKind::I8));
        let format = self.check(first, Want::Any);
        let mut values: Vec<Expr> = rest
            .iter()
            .map(|e| {
                let value = self.value(e);
                self.promote_number(value)
            })
            .collect();
        let format = match &*format.kind {
            ExprKind::Str(text) => {
                let text = text.clone();
                let adapted = self.adapt(&text, &mut values, first.span, rest);
                let literal = self.make(ExprKind::Str(Arc::from(adapted)), Ty::str(), first.span);
                cast(CastKind::Pointer, literal, pointer)
            }
            _ => self.coerce(format, pointer, super::coerce::Why::Plain),
        };
        let mut all = before;
        all.push(format);
        for value in values {
            let value = self.promote(value);
            all.push(value);
        }
        self.make(ExprKind::Call(callee, all), sig.result, span)
    }

    /// An enum as its number, an array as the address of its first element.
    fn promote_number(&mut self, value: Expr) -> Expr {
        let ty = self.shallow(value.ty);
        match ty.kind() {
            TyKind::Enum(..) => self.variant_number(value.clone()).unwrap_or(value),
            TyKind::Array(of, _) => self.coerce(value, Ty::pointer(*of), super::coerce::Why::Plain),
            _ => value,
        }
    }

    fn adapt(&mut self, format: &str, values: &mut [Expr], at: Span, written: &[ast::Expr]) -> String {
        let mut out = String::with_capacity(format.len() + 8);
        let mut chars = format.chars().peekable();
        let mut next = 0;
        let mut wanted = 0;
        while let Some(c) = chars.next() {
            out.push(c);
            if c != '%' {
                continue;
            }
            if chars.peek() == Some(&'%') {
                out.push('%');
                chars.next();
                continue;
            }
            let Some(conversion) = read_conversion(&mut chars) else { continue };
            out.push_str(&conversion.middle);
            for _ in 0..conversion.stars {
                wanted += 1;
                if let Some(value) = values.get_mut(next) {
                    let width = std::mem::replace(value, self.wrong(at));
                    *value = self.star(width);
                    next += 1;
                }
            }
            wanted += 1;
            match values.get_mut(next) {
                Some(value) => {
                    let argument = std::mem::replace(value, self.wrong(at));
                    let (rest, literal) = (chars.clone(), self.span(at));
                    let letter_at = || letter_place(format, &rest.collect::<String>(), literal);
                    let (argument, letters) = self.fit(argument, conversion.letter, letter_at);
                    values[next] = argument;
                    out.push_str(&letters);
                    next += 1;
                }
                None => out.push(conversion.letter),
            }
        }
        if wanted != values.len() {
            let given = values.len();
            let verb = if given == 1 { "is" } else { "are" };
            let message = format!("this format takes {wanted} value{}, but {given} {verb} given", plural(wanted));
            let mut diagnostic = self.error(codes::PRINTF, at, message);
            if let Some(extra) = written.get(wanted) {
                diagnostic = diagnostic.with_label(self.place(extra.span), "there is no conversion for this");
            }
            self.report(diagnostic);
        }
        out
    }

    fn star(&mut self, width: Expr) -> Expr {
        let ty = self.shallow(width.ty);
        let int = Ty::int(IntKind::I32);
        match ty.kind() {
            TyKind::Infer(_) if matches!(self.table.known(ty), Known::Int) => {
                self.table.unify(ty, int);
                width
            }
            TyKind::Int(IntKind::I32) | TyKind::Error => width,
            TyKind::Int(_) => cast(CastKind::IntToInt, width, int),
            _ => {
                let shown = self.show(ty);
                let diagnostic = self.error(codes::PRINTF, width.span, format!("`*` takes an integer, not `{shown}`"));
                self.fail(diagnostic, width.span)
            }
        }
    }

    /// The argument for a conversion, and the conversion's letters for its type; `at` is where its letter stands.
    fn fit(&mut self, value: Expr, letter: char, at: impl FnOnce() -> Option<Span>) -> (Expr, String) {
        let mut value = value;
        let mut ty = self.shallow(value.ty);
        if matches!(ty.kind(), TyKind::Error | TyKind::Never) {
            return (value, letter.to_string());
        }
        if let (TyKind::Infer(_), Known::Int) = (ty.kind(), self.table.known(ty)) {
            self.table.unify(ty, Ty::i64());
            ty = Ty::i64();
        }
        let fits = match letter {
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
                if let TyKind::Bool = ty.kind() {
                    return (value, letter.to_string());
                }
                if let TyKind::Int(kind) = *ty.kind() {
                    if kind.bits() == 128 {
                        false
                    } else {
                        let unsigned = !kind.signed() && matches!(letter, 'd' | 'i');
                        let letter = if unsigned && kind.bits() >= 32 { 'u' } else { letter };
                        let long = if kind.bits() == 64 { "l" } else { "" };
                        return (value, format!("{long}{letter}"));
                    }
                } else {
                    false
                }
            }
            'f' | 'F' | 'e' | 'E' | 'g' | 'G' | 'a' | 'A' => self.is_float(ty),
            'c' => match ty.kind() {
                TyKind::Int(_) => {
                    if ty != Ty::int(IntKind::I32) {
                        value = cast(CastKind::IntToInt, value, Ty::int(IntKind::I32));
                    }
                    true
                }
                _ => false,
            },
            's' => match ty.kind() {
                TyKind::Str => true,
                TyKind::Pointer(to) | TyKind::Reference(to) => {
                    matches!(self.shallow(*to).kind(), TyKind::Int(IntKind::I8 | IntKind::U8) | TyKind::Infer(_))
                }
                // Strings kept as plain addresses.
                TyKind::Int(IntKind::I64) => !matches!(&*value.kind, ExprKind::Int(_)),
                _ => false,
            },
            'p' => matches!(
                ty.kind(),
                TyKind::Pointer(_) | TyKind::Reference(_) | TyKind::Str | TyKind::Int(_) | TyKind::Function(..)
            ),
            _ => true,
        };
        if fits {
            return (value, letter.to_string());
        }
        let shown = self.show(ty);
        let mut diagnostic = self.error(codes::PRINTF, value.span, format!("`%{letter}` does not print a `{shown}`"));
        let better = match ty.kind() {
            TyKind::Int(kind) if kind.bits() < 128 => Some('d'),
            _ if self.is_float(ty) => Some('f'),
            TyKind::Str => Some('s'),
            _ => None,
        };
        if let Some(better) = better {
            diagnostic = diagnostic.with_help(format!("write `%{better}`"));
            if let Some(at) = at() {
                diagnostic = diagnostic.with_suggestion(self.place(at), better.to_string());
            }
        }
        let span = value.span;
        (self.fail(diagnostic, span), letter.to_string())
    }

    fn is_float(&mut self, ty: Ty) -> bool {
        matches!(ty.kind(), TyKind::Float(_))
            || matches!(ty.kind(), TyKind::Infer(_)) && matches!(self.table.known(ty), Known::Float)
    }
}

/// Where the letter before the rest of a format stands in the literal at a span; `None` if its escapes are unusual.
fn letter_place(format: &str, rest: &str, literal: Span) -> Option<Span> {
    let length = |text: &str| -> usize {
        let escaped = |c: char| matches!(c, '\n' | '\t' | '\r' | '\\' | '"' | '\0');
        text.chars().map(|c| if escaped(c) { 2 } else { c.len_utf8() }).sum()
    };
    let whole = (literal.end - literal.start) as usize;
    if length(format) + 2 != whole {
        return None;
    }
    let end = literal.end as usize - 1 - length(rest);
    Some(Span::new(end - 1, end))
}

/// Is it one of C's functions whose last parameter before the `...` is a format for output?
pub(super) fn has_format(name: Name, sig: &FnSig) -> bool {
    let known = matches!(name.as_str(), "printf" | "sprintf" | "snprintf" | "fprintf" | "dprintf");
    known && sig.abi == crate::interface::Abi::C && sig.variadic && !sig.params.is_empty()
}

/// Reads what follows a `%`, dropping the length letters.
fn read_conversion(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Conversion> {
    let mut middle = String::new();
    let mut stars = 0;
    while let Some(c) = chars.peek().copied() {
        if !matches!(c, '-' | '+' | ' ' | '#' | '0'..='9' | '.' | '*' | '\'') {
            break;
        }
        stars += usize::from(c == '*');
        middle.push(c);
        chars.next();
    }
    while chars.peek().is_some_and(|c| matches!(c, 'h' | 'l' | 'q' | 'j' | 'z' | 't' | 'L')) {
        chars.next();
    }
    let letter = chars.next()?;
    Some(Conversion { middle, letter, stars })
}
