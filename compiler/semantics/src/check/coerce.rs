//! Conversions the language makes by itself, and the messages when there is none.

use vaisjit_syntax::{Diagnostic, Name, Place, ast};

use super::{Checker, Pending, Want};
use crate::codes;
use crate::hir::{CastKind, Expr, ExprKind, Stmt};
use crate::infer::Known;
use crate::types::{IntKind, Ty, TyKind};

/// Why a value must have a type, for messages.
#[derive(Clone, Copy)]
pub(crate) enum Why {
    Plain,
    /// Function, parameter, where it is declared.
    Argument(Name, Name, Option<Place>),
    Result,
    Field(Name),
    Binding(Name),
    Element,
    Assigned,
}

impl Why {
    fn describe(self) -> Option<String> {
        Some(match self {
            Why::Plain | Why::Assigned => return None,
            Why::Argument(function, param, _) => format!("for the parameter `{param}` of `{function}`"),
            Why::Result => "as the result of this function".into(),
            Why::Field(name) => format!("for the field `{name}`"),
            Why::Binding(name) => format!("for `{name}`"),
            Why::Element => "as an element of this array".into(),
        })
    }
}

/// Does an integer of one kind fit in another, by itself?
pub(crate) fn widens(from: IntKind, to: IntKind) -> bool {
    from.signed() == to.signed() && from.bits() <= to.bits()
}

impl Checker<'_, '_> {
    /// Checks an expression that must have a type.
    pub fn check_to(&mut self, e: &ast::Expr, to: Ty, why: Why) -> Expr {
        let checked = self.check(e, Want::Of(to));
        self.coerce(checked, to, why)
    }

    /// Checks an expression that must have a value, of any type.
    pub fn value(&mut self, e: &ast::Expr) -> Expr {
        let checked = self.check(e, Want::Any);
        self.must_have_value(checked)
    }

    pub fn must_have_value(&mut self, e: Expr) -> Expr {
        if self.shallow(e.ty).kind() == &TyKind::Unit {
            let diagnostic = self.no_value(&e);
            return self.fail(diagnostic, e.span);
        }
        e
    }

    fn no_value(&self, e: &Expr) -> Diagnostic {
        let what = match &*e.kind {
            ExprKind::Call(..) => "this call gives no value",
            ExprKind::If(_, _, None) => "an `I` without `E` gives no value",
            ExprKind::While(..) | ExprKind::ForRange { .. } | ExprKind::ForEach { .. } => "this loop gives no value",
            ExprKind::Block(..) => "this block gives no value",
            ExprKind::Format(..) => "this prints, and gives no value",
            _ => "this has no value",
        };
        self.error(codes::NO_VALUE, e.span, format!("{what}, but one is needed here"))
    }

    /// Converts a value to a type, if the language does so by itself.
    pub fn coerce(&mut self, e: Expr, to: Ty, why: Why) -> Expr {
        if e.ty == to {
            return e;
        }
        let (from, to) = (self.shallow(e.ty), self.shallow(to));
        if from == to || matches!(from.kind(), TyKind::Error | TyKind::Never) {
            return e;
        }
        if to == Ty::error() {
            return Expr { ty: Ty::error(), ..e };
        }
        let e = if matches!(to.kind(), TyKind::Dyn(_)) { super::dynamic::owned_temporary(e) } else { e };
        let from = self.shallow(e.ty);
        // The value of a block converts inside of it.
        if let ExprKind::Block(_, Some(_)) = &*e.kind {
            let span = e.span;
            let ExprKind::Block(statements, Some(value)) = *e.kind else { return self.wrong(span) };
            let value = self.coerce(value, to, why);
            let ty = value.ty;
            return Expr::new(ExprKind::Block(statements, Some(value)), ty, span);
        }
        match self.convert(e, from, to) {
            Ok(converted) => converted,
            Err(e) => {
                let diagnostic = self.mismatch(&e, from, to, why);
                self.fail(diagnostic, e.span)
            }
        }
    }

    /// The conversion from one shallow type to another; the value again when there is none.
    fn convert(&mut self, e: Expr, from: Ty, to: Ty) -> Result<Expr, Expr> {
        match (from.kind(), to.kind()) {
            (&TyKind::Int(a), &TyKind::Int(b)) if widens(a, b) => Ok(cast(CastKind::IntToInt, e, to)),
            (&TyKind::Int(a), TyKind::Infer(_)) if matches!(self.table.known(to), Known::Int) => {
                if !widens(a, IntKind::I64) {
                    self.table.unify(from, to);
                    return Ok(e);
                }
                // The variable may become wider later on: decide then.
                self.pending.push(Pending { from, to, span: e.span });
                Ok(cast(CastKind::IntToInt, e, to))
            }
            (&TyKind::Reference(a), &TyKind::Pointer(b)) | (&TyKind::Pointer(a), &TyKind::Pointer(b)) => {
                if self.points_to_first(a, b) {
                    return Ok(cast(CastKind::Pointer, e, to));
                }
                if self.same_pointee(a, b) {
                    return Ok(cast(CastKind::Pointer, e, to));
                }
                match *self.shallow(a).kind() {
                    TyKind::Array(of, _) if self.table.unify(of, b) => Ok(cast(CastKind::Pointer, e, to)),
                    TyKind::Box(inner) if self.table.unify(inner, b) => self.pointer_into_box(e, a, inner, to),
                    _ => Err(e),
                }
            }
            (&TyKind::Reference(a), &TyKind::Reference(b)) => {
                if self.table.unify(a, b) {
                    return Ok(e);
                }
                match *self.shallow(a).kind() {
                    TyKind::Box(inner) if self.table.unify(inner, b) => self.pointer_into_box(e, a, inner, to),
                    _ => Err(e),
                }
            }
            (&TyKind::Box(inner), &TyKind::Pointer(b) | &TyKind::Reference(b)) if self.table.unify(inner, b) => {
                self.address_in_box(e, inner, to)
            }
            (&TyKind::Array(of, length), &TyKind::Vec(b)) if self.table.unify(of, b) => {
                Ok(self.vec_of_array(e, of, length, to))
            }
            (&TyKind::Slice(of), &TyKind::Vec(b)) if self.table.unify(of, b) => Ok(self.vec_of_slice(e, to)),
            (&TyKind::Vec(of), &TyKind::Slice(b)) if self.table.unify(of, b) => Ok(self.slice_of_vec(e, of, to)),
            (_, &TyKind::Dyn(of_trait)) => self.make_dyn(e, from, of_trait, to),
            (&TyKind::Array(of, _), &TyKind::Pointer(b)) if self.table.unify(of, b) => {
                Ok(self.with_place(e, |this, place| {
                    this.take_address(&place);
                    cast(CastKind::ArrayToPointer, place, to)
                }))
            }
            (&TyKind::Array(of, _), &TyKind::Slice(b)) if self.table.unify(of, b) => {
                Ok(self.with_place(e, |this, place| {
                    this.take_address(&place);
                    cast(CastKind::ArrayToSlice, place, to)
                }))
            }
            (&TyKind::Reference(inner) | &TyKind::Pointer(inner), &TyKind::Slice(b)) => {
                match *self.shallow(inner).kind() {
                    TyKind::Array(of, _) if self.table.unify(of, b) => {
                        let span = e.span;
                        let place = Expr::new(ExprKind::Deref(e), inner, span);
                        Ok(cast(CastKind::ArrayToSlice, place, to))
                    }
                    TyKind::Vec(of) if self.table.unify(of, b) => {
                        let span = e.span;
                        let place = Expr::new(ExprKind::Deref(e), inner, span);
                        Ok(self.slice_of_vec(place, of, to))
                    }
                    _ => Err(e),
                }
            }
            // A handle is a reference already.
            (&TyKind::Reference(inner), TyKind::Str | TyKind::Vec(_) | TyKind::HashMap(..))
                if self.table.unify(inner, to) =>
            {
                let span = e.span;
                Ok(Expr::new(ExprKind::Deref(e), to, span))
            }
            (TyKind::Str, &TyKind::Pointer(b)) => {
                let b = self.shallow(b);
                match b.kind() {
                    TyKind::Int(IntKind::I8 | IntKind::U8) => Ok(cast(CastKind::Pointer, e, to)),
                    _ => Err(e),
                }
            }
            _ if self.table.unify(from, to) => Ok(e),
            _ => Err(e),
        }
    }

    fn pointer_into_box(&mut self, e: Expr, boxed: Ty, inner: Ty, to: Ty) -> Result<Expr, Expr> {
        let span = e.span;
        let place = Expr::new(ExprKind::Deref(e), boxed, span);
        self.address_in_box(place, inner, to)
    }

    /// Do two pointees agree? Pointers in them may be of either kind.
    fn same_pointee(&mut self, a: Ty, b: Ty) -> bool {
        if self.table.unify(a, b) {
            return true;
        }
        match (self.shallow(a).kind(), self.shallow(b).kind()) {
            (&TyKind::Reference(x) | &TyKind::Pointer(x), &TyKind::Pointer(y)) => self.same_pointee(x, y),
            _ => false,
        }
    }

    fn mismatch(&mut self, e: &Expr, from: Ty, to: Ty, why: Why) -> Diagnostic {
        if from == Ty::unit() {
            return self.no_value(e);
        }
        let (shown_from, shown_to) = (self.show(from), self.show(to));
        let reason = why.describe().map_or(String::new(), |reason| format!(" {reason}"));
        let message = format!("expected `{shown_to}`{reason}, found `{shown_from}`");
        let at = super::block::last_value(e);
        let mut diagnostic = self.error(codes::MISMATCH, at, message).with_text(format!("this is `{shown_from}`"));
        if let Why::Argument(function, _, Some(place)) = why {
            diagnostic = diagnostic.with_label(place, format!("`{function}` is declared here"));
        }
        self.with_hint(diagnostic, e, from, to)
    }

    /// Adds what would mend a mismatch.
    fn with_hint(&mut self, diagnostic: Diagnostic, e: &Expr, from: Ty, to: Ty) -> Diagnostic {
        let number = |this: &mut Self, ty: Ty| {
            matches!(ty.kind(), TyKind::Int(_) | TyKind::Float(_))
                || matches!(ty.kind(), TyKind::Infer(_)) && !matches!(this.table.known(ty), Known::Nothing)
        };
        if let Some(pointee) = to.pointee()
            && self.table.unify(from, pointee)
        {
            return self.with_address(diagnostic, e);
        }
        if let Some(pointee) = super::place::inside(from)
            && self.table.unify(pointee, to)
        {
            return self.with_load(diagnostic, e);
        }
        if number(self, from) && number(self, to) || from == Ty::bool() && number(self, to) {
            return self.with_cast(diagnostic, e, to);
        }
        if to == Ty::bool() && matches!(from.kind(), TyKind::Int(_) | TyKind::Infer(_)) && number(self, from) {
            return self.with_behind(diagnostic.with_help("compare it: `x != 0`"), e, " != 0");
        }
        if to == Ty::str() && number(self, from) {
            return self.with_cast(diagnostic, e, to);
        }
        if let TyKind::Enum(path, arguments) = to.kind()
            && let (Some(payload), "Option" | "Result") = (arguments.first(), path.name.as_str())
            && self.table.unify(*payload, from)
        {
            return self.with_variant(diagnostic, e, if path.name == "Option" { "Some" } else { "Ok" });
        }
        match from.kind() {
            TyKind::Enum(path, arguments) if path.name == "Result" || path.name == "Option" => {
                match arguments.first().map(|payload| self.table.unify(*payload, to)) {
                    Some(true) => {
                        let diagnostic = diagnostic.with_help("take the value out with `!`, `?` or a match");
                        self.with_behind(diagnostic, e, "!")
                    }
                    _ => diagnostic,
                }
            }
            _ => diagnostic,
        }
    }

    /// `&array` where a `*T` is wanted and nothing is known of `T`: as in C, its first element is meant.
    fn points_to_first(&mut self, from: Ty, to: Ty) -> bool {
        let (from, to) = (self.shallow(from), self.shallow(to));
        let open = matches!(to.kind(), TyKind::Infer(_)) && matches!(self.table.known(to), Known::Nothing);
        match *from.kind() {
            TyKind::Array(of, _) => open && self.table.unify(of, to),
            _ => false,
        }
    }

    /// Makes the operand of `use_it` a place: what is none is bound to a hidden local first.
    pub fn with_place(&mut self, e: Expr, use_it: impl FnOnce(&mut Self, Expr) -> Expr) -> Expr {
        if is_place(&e) {
            return use_it(self, e);
        }
        let span = e.span;
        let ty = e.ty;
        let local = self.hidden(Name::new("{temporary}"), ty, span);
        self.frame().exempt.insert(local);
        let place = self.local(local, span);
        let used = use_it(self, place);
        let pattern = super::bind_pattern(local, ty, span);
        let result = used.ty;
        Expr::new(ExprKind::Block(vec![Stmt::Let(pattern, e)], Some(used)), result, span)
    }

    /// Notes that the address of a place is taken.
    pub fn take_address(&mut self, place: &Expr) {
        let mut place = place;
        loop {
            match &*place.kind {
                ExprKind::Field(of, _) => place = of,
                ExprKind::Index(of, _) if matches!(self.shallow(of.ty).kind(), TyKind::Array(..)) => place = of,
                ExprKind::Local(local) => {
                    let local = *local;
                    self.frame().locals[local].address_taken = true;
                    return;
                }
                _ => return,
            }
        }
    }

    /// `&place`, of a pointer type.
    pub fn address_of(&mut self, place: Expr, ty: Ty) -> Expr {
        self.take_address(&place);
        let span = place.span;
        Expr::new(ExprKind::AddressOf(place), ty, span)
    }

    /// A condition: a `bool`, or a number that is not zero.
    pub fn condition(&mut self, e: &ast::Expr) -> Expr {
        let checked = self.value(e);
        self.as_condition(checked)
    }

    pub fn as_condition(&mut self, e: Expr) -> Expr {
        let ty = self.shallow(e.ty);
        match ty.kind() {
            TyKind::Bool | TyKind::Error | TyKind::Never => e,
            TyKind::Int(_) => self.integer_condition(e),
            TyKind::Pointer(_) | TyKind::Reference(_) => cast(CastKind::ToBool, e, Ty::bool()),
            TyKind::Infer(_) => match self.table.known(ty) {
                Known::Int => self.integer_condition(e),
                Known::Nothing => {
                    self.table.unify(ty, Ty::bool());
                    e
                }
                _ => self.no_condition(e, ty),
            },
            _ => self.no_condition(e, ty),
        }
    }

    fn integer_condition(&mut self, e: Expr) -> Expr {
        let help = "write `x != 0`";
        self.lint(codes::INTEGER_CONDITION, e.span, "a number is used as a condition", help);
        cast(CastKind::ToBool, e, Ty::bool())
    }

    fn no_condition(&mut self, e: Expr, ty: Ty) -> Expr {
        let shown = self.show(ty);
        let mut diagnostic = self
            .error(codes::CONDITION, e.span, format!("a condition must be a `bool` or an integer, not `{shown}`"))
            .with_text(format!("this is `{shown}`"));
        match ty.kind() {
            TyKind::Str => {
                diagnostic = diagnostic.with_help("to ask whether it is empty, write `s.is_empty()`");
                diagnostic = self.with_behind(diagnostic, &e, " != \"\"");
            }
            TyKind::Float(_) | TyKind::Infer(_) => {
                diagnostic = self.with_behind(diagnostic.with_help("compare it: `x != 0.0`"), &e, " != 0.0");
            }
            _ => {}
        }
        self.fail(diagnostic, e.span)
    }
}

/// A conversion to a type.
pub(crate) fn cast(kind: CastKind, e: Expr, to: Ty) -> Expr {
    let span = e.span;
    Expr::new(ExprKind::Cast(kind, e), to, span)
}

/// Does an expression name storage?
pub(crate) fn is_place(e: &Expr) -> bool {
    match &*e.kind {
        ExprKind::Local(_) | ExprKind::Global(_) | ExprKind::Deref(_) => true,
        ExprKind::Field(of, _) => is_place(of),
        ExprKind::Index(of, _) => is_place(of) || !matches!(of.ty.kind(), TyKind::Array(..)),
        _ => false,
    }
}
