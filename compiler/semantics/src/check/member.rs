//! What stands behind a type or module: variants, constants, functions; and values of enums.

use std::sync::Arc;

use vaisjit_syntax::{Name, Span, ast};

use super::coerce::Why;
use super::literal::replace;
use super::{Checker, Want};
use crate::codes;
use crate::hir::{Arm, Expr, ExprKind, Pattern, PatternKind, Stmt};
use crate::index::{DefId, DefKind};
use crate::interface::{EnumSig, Interface};
use crate::lower::plural;
use crate::suggest::nearest;
use crate::types::{Ty, TyKind, TyList};
use crate::world::Value;

impl Checker<'_, '_> {
    /// The path an expression is, if it names a type or module and no value.
    pub fn type_path_of(&mut self, e: &ast::Expr) -> Option<ast::TypePath> {
        match &*e.kind {
            ast::ExprKind::Name(name) => {
                if self.binding(*name).is_some() {
                    return None;
                }
                let is_module = self.world.module_named(self.scope.module, *name).is_some();
                // An imported module wins over a C function that is known anyway: `random`, `time`.
                let is_value = match self.world.value(self.scope.module, *name) {
                    Some(Value::Def(id)) => !is_module || Some(id.module) != self.world.prelude,
                    _ => false,
                };
                let is_type = self.world.ty(self.scope.module, *name).is_some()
                    || self.scope.generics.contains_key(name)
                    || *name == "Self" && self.scope.self_ty.is_some()
                    || crate::lower::BUILTIN_TYPES.contains(&name.as_str());
                let ident = ast::Ident { name: *name, span: e.span };
                (!is_value && (is_type || is_module))
                    .then(|| ast::TypePath { segments: vec![ident], arguments: Vec::new() })
            }
            ast::ExprKind::Instance(ident, arguments) => {
                let known = self.world.ty(self.scope.module, ident.name).is_some()
                    || matches!(ident.name.as_str(), "Vec" | "HashMap" | "Box");
                known.then(|| ast::TypePath { segments: vec![*ident], arguments: arguments.clone() })
            }
            ast::ExprKind::Field(of, ident) => {
                let mut path = self.type_path_of(of)?;
                let module = self.module_of_path(&path)?;
                self.world.own_type(module, ident.name)?;
                path.segments.push(*ident);
                Some(path)
            }
            ast::ExprKind::Path(path, ident) => {
                let module = self.module_of_path(path)?;
                self.world.own_type(module, ident.name)?;
                let mut path = path.clone();
                path.segments.push(*ident);
                Some(path)
            }
            _ => None,
        }
    }

    /// The module a path names, if it names one and no type.
    pub fn module_of_path(&mut self, path: &ast::TypePath) -> Option<u32> {
        let last = path.segments.last()?;
        if path.segments.len() == 1 && self.world.ty(self.scope.module, last.name).is_some() {
            return None;
        }
        self.world.module_named(self.scope.module, last.name)
    }

    /// `a.b` where `a` is a type or module.
    pub fn member(&mut self, of: &ast::Expr, ident: ast::Ident, span: Span, want: Want) -> Option<Expr> {
        let path = self.type_path_of(of)?;
        Some(self.path(&path, ident, span, want))
    }

    /// `A::b`: a variant, a member of a module, a method as a value.
    pub fn path(&mut self, path: &ast::TypePath, ident: ast::Ident, span: Span, want: Want) -> Expr {
        if let Some(module) = self.module_of_path(path) {
            return match self.world.own_value(module, ident.name) {
                Some(Value::Def(id)) => self.definition(id, ident.name, span),
                Some(Value::Variant(id, number)) => self.variant_value(id, number, ident.name, span, want),
                None => self.not_in_module(module, ident, span),
            };
        }
        if let Some((id, number)) = self.variant_of(path, ident) {
            return self.variant_value(id, number, ident.name, span, want);
        }
        if let Some(value) = self.numeric_limit(path, ident, span) {
            return value;
        }
        let ty = self.lower_inferred(path, want);
        if ty == Ty::error() {
            return self.wrong(span);
        }
        if let Some(found) = self.find_method(ty, ident.name) {
            return self.method_value(found, ident.name, span);
        }
        self.no_member(ty, ident, span)
    }

    /// `P.area` as a value: a function whose first parameter is the receiver.
    fn method_value(&mut self, found: super::method::Method, name: Name, span: Span) -> Expr {
        let sig = &found.sig;
        if !sig.generics.is_empty() {
            return self.unsupported("a generic method as a value is", span);
        }
        let (Some(kind), Some(self_ty)) = (sig.receiver, sig.self_ty) else {
            return self.definition(found.id, name, span);
        };
        let receiver = match kind {
            ast::ReceiverKind::Value => self_ty,
            _ => Ty::new(TyKind::Reference(self_ty)),
        };
        let params: Vec<Ty> = std::iter::once(receiver).chain(sig.params.iter().map(|param| param.ty)).collect();
        let callee = self.callee(found.id, sig, TyList::EMPTY);
        let ty = Ty::new(TyKind::Function(TyList::new(&params), sig.result));
        self.make(ExprKind::Function(callee), ty, span)
    }

    /// `i64.MAX`, `i64::MIN`
    fn numeric_limit(&mut self, path: &ast::TypePath, ident: ast::Ident, span: Span) -> Option<Expr> {
        let ty = crate::lower::builtin_type(path.segments.last()?.name.as_str())?;
        let kind = ty.int_kind()?;
        let bits = kind.bits();
        let value = match (ident.name.as_str(), kind.signed()) {
            ("MAX", true) => i128::MAX >> (128 - bits),
            ("MIN", true) => i128::MIN >> (128 - bits),
            ("MAX", false) => (u128::MAX >> (128 - bits)) as i128,
            ("MIN", false) => 0,
            _ => return None,
        };
        Some(self.make(ExprKind::Int(value), ty, span))
    }

    fn no_member(&mut self, ty: Ty, ident: ast::Ident, span: Span) -> Expr {
        let TyKind::Enum(path, _) = *ty.kind() else { return self.no_method(ty, ident, span) };
        let message = format!("`{}` has no variant `{}`", path.name, ident.name);
        let mut diagnostic = self.error(codes::UNKNOWN_VARIANT, ident.span, message);
        if let Some((_, sig)) = self.enum_sig(path) {
            if let Some(known) = nearest(ident.name, sig.variants.iter().map(|v| v.name)) {
                let place = self.place(ident.span);
                diagnostic =
                    diagnostic.with_help(format!("did you mean `{known}`?")).with_suggestion(place, known.as_str());
            } else {
                let list: Vec<String> = sig.variants.iter().take(8).map(|v| format!("`{}`", v.name)).collect();
                diagnostic = diagnostic.with_help(format!("its variants are {}", list.join(", ")));
            }
        }
        self.fail(diagnostic, span)
    }

    pub fn enum_sig(&mut self, path: crate::types::ItemPath) -> Option<(DefId, Arc<EnumSig>)> {
        let id = self.world.find(path)?;
        match self.world.interface(id)? {
            Interface::Enum(sig) => Some((id, sig)),
            _ => None,
        }
    }

    /// The variant `ident` of the enum a path names.
    pub fn variant_of(&mut self, path: &ast::TypePath, ident: ast::Ident) -> Option<(DefId, u32)> {
        let last = path.segments.last()?;
        if path.segments.len() == 1 && last.name == "Self" {
            let TyKind::Enum(path, _) = *self.scope.self_ty?.kind() else { return None };
            let (id, sig) = self.enum_sig(path)?;
            return Some((id, sig.variants.iter().position(|v| v.name == ident.name)? as u32));
        }
        let mut id = crate::lower::find_type(self.world, &self.scope, path)?;
        if self.world.def(id).kind == DefKind::Alias {
            let Some(Interface::Alias(alias)) = self.world.interface(id) else { return None };
            let TyKind::Enum(path, _) = *alias.ty.kind() else { return None };
            id = self.world.find(path)?;
        }
        if self.world.def(id).kind != DefKind::Enum {
            return None;
        }
        let Some(Interface::Enum(sig)) = self.world.interface(id) else { return None };
        Some((id, sig.variants.iter().position(|v| v.name == ident.name)? as u32))
    }

    /// The variant a path names: `Red`, `Color.Red`.
    pub fn variant_of_path(&mut self, path: &ast::TypePath, want: Want) -> Option<(DefId, u32)> {
        let (last, before) = path.segments.split_last()?;
        if before.is_empty() {
            let found = self.world.variants(self.scope.module, last.name);
            let chosen = self.choose_variant(&found, want.hint());
            // A type of that name is meant, unless the enum that is expected here has such a variant.
            if self.world.ty(self.scope.module, last.name).is_some() {
                return chosen.filter(|chosen| self.is_expected(chosen.0, want));
            }
            return chosen;
        }
        let owner = ast::TypePath { segments: before.to_vec(), arguments: Vec::new() };
        self.variant_of(&owner, *last)
    }

    fn is_expected(&mut self, of: DefId, want: Want) -> bool {
        let hint = want.hint().map(|hint| self.shallow(hint));
        matches!(hint.map(Ty::kind), Some(TyKind::Enum(path, _)) if self.world.def(of).path == *path)
    }

    /// Of several variants of one name the one of the expected enum, else the first.
    pub fn choose_variant(&mut self, found: &[(DefId, u32)], hint: Option<Ty>) -> Option<(DefId, u32)> {
        if let Some(hint) = hint
            && let TyKind::Enum(path, _) = *self.shallow(hint).kind()
            && let Some(fitting) = found.iter().find(|(id, _)| self.world.def(*id).path == path)
        {
            return Some(*fitting);
        }
        found.first().copied()
    }

    /// The enum type of a variant about to be made.
    fn variant_type(&mut self, id: DefId, sig: &EnumSig, want: Want) -> Ty {
        let path = self.world.def(id).path;
        if let Some(hint) = want.hint() {
            let hint = self.shallow(hint);
            if matches!(*hint.kind(), TyKind::Enum(other, _) if other == path) {
                return hint;
            }
        }
        let arguments: Vec<Ty> = sig.generics.iter().map(|_| self.fresh()).collect();
        Ty::new(TyKind::Enum(path, TyList::new(&arguments)))
    }

    /// The variant with this number, or another of the same name if that is what is expected.
    fn expected_variant(&mut self, id: DefId, number: u32, want: Want) -> Option<(DefId, u32, Arc<EnumSig>)> {
        let Some(Interface::Enum(sig)) = self.world.interface(id) else { return None };
        let name = sig.variants.get(number as usize)?.name;
        let Some(hint) = want.hint() else { return Some((id, number, sig)) };
        let TyKind::Enum(path, _) = *self.shallow(hint).kind() else { return Some((id, number, sig)) };
        if path == self.world.def(id).path {
            return Some((id, number, sig));
        }
        let twins = self.world.variants(self.scope.module, name);
        match twins.into_iter().find(|(other, _)| self.world.def(*other).path == path) {
            Some((other, number)) => match self.world.interface(other) {
                Some(Interface::Enum(sig)) => Some((other, number, sig)),
                _ => None,
            },
            None => Some((id, number, sig)),
        }
    }

    /// A variant named without payload.
    pub fn variant_value(&mut self, id: DefId, number: u32, name: Name, span: Span, want: Want) -> Expr {
        let Some((id, number, sig)) = self.expected_variant(id, number, want) else { return self.wrong(span) };
        let count = sig.variants[number as usize].fields.len();
        if count > 0 {
            let message = format!("the variant `{name}` needs its payload of {count} value{}", plural(count));
            let diagnostic =
                self.error(codes::ARGUMENT_COUNT, span, message).with_label(self.world.place(id), "declared here");
            return self.fail(diagnostic, span);
        }
        let ty = self.variant_type(id, &sig, want);
        self.make(ExprKind::Variant(number, Vec::new()), ty, span)
    }

    /// `Rgb(1, 2, 3)`
    pub fn call_variant(&mut self, id: DefId, number: u32, arguments: &[ast::Expr], span: Span, want: Want) -> Expr {
        let Some((id, number, sig)) = self.expected_variant(id, number, want) else {
            self.arguments_alone(arguments);
            return self.wrong(span);
        };
        let variant = &sig.variants[number as usize];
        if variant.fields.len() != arguments.len() {
            self.arguments_alone(arguments);
            let count = variant.fields.len();
            let message = format!(
                "the variant `{}` takes {count} value{}, but {} {} given",
                variant.name,
                plural(count),
                arguments.len(),
                if arguments.len() == 1 { "is" } else { "are" }
            );
            let (at, spans) = self.surplus(arguments, count, span);
            let diagnostic =
                self.error(codes::ARGUMENT_COUNT, at, message).with_label(self.world.place(id), "declared here");
            let diagnostic = self.without_arguments(diagnostic, &spans, count);
            let mut e = self.fail(diagnostic, span);
            e.ty = self.variant_type(id, &sig, want);
            return e;
        }
        let ty = self.variant_type(id, &sig, want);
        let map = self.argument_map(ty);
        self.check_generics(&sig.generics, &map, span);
        let values = variant
            .fields
            .iter()
            .zip(arguments)
            .map(|(field, e)| {
                let ty = replace(field.ty, &map);
                let value = self.check(e, Want::Of(ty));
                let value = self.must_have_value(value);
                self.coerce(value, ty, Why::Argument(variant.name, field.name, None))
            })
            .collect();
        self.make(ExprKind::Variant(number, values), ty, span)
    }

    /// `Named { id: 1 }`
    pub fn variant_literal(
        &mut self,
        id: DefId,
        number: u32,
        fields: &[ast::FieldValue],
        span: Span,
        want: Want,
    ) -> Expr {
        let Some((id, number, sig)) = self.expected_variant(id, number, want) else { return self.wrong(span) };
        let ty = self.variant_type(id, &sig, want);
        let map = self.argument_map(ty);
        let variant = &sig.variants[number as usize];
        let (values, order) = self.field_values(variant.name, &variant.fields, &map, id.module, fields, span);
        if order.windows(2).all(|pair| pair[0] < pair[1]) {
            return self.make(ExprKind::Variant(number, values), ty, span);
        }
        // Evaluate in the order written.
        let mut values: Vec<Option<Expr>> = values.into_iter().map(Some).collect();
        let mut statements = Vec::new();
        for index in order {
            if let Some(value) = values[index as usize].take() {
                let local = self.hidden(Name::new("{field}"), value.ty, span);
                self.frame().exempt.insert(local);
                let at = value.span;
                statements.push(Stmt::Let(super::bind_pattern(local, value.ty, at), value));
                values[index as usize] = Some(self.local(local, at));
            }
        }
        let values = values.into_iter().flatten().collect();
        let made = self.make(ExprKind::Variant(number, values), ty, span);
        self.make(ExprKind::Block(statements, Some(made)), ty, span)
    }

    /// The number of an enum value's variant as `i64`, when no variant has a payload.
    pub fn variant_number(&mut self, value: Expr) -> Option<Expr> {
        let ty = self.shallow(value.ty);
        let TyKind::Enum(path, _) = *ty.kind() else { return None };
        let (_, sig) = self.enum_sig(path)?;
        if sig.variants.iter().any(|v| !v.fields.is_empty()) {
            return None;
        }
        let span = value.span;
        if let ExprKind::Variant(number, _) = &*value.kind {
            return Some(Expr::new(ExprKind::Int(i128::from(*number)), Ty::i64(), span));
        }
        let arms = (0..sig.variants.len() as u32)
            .map(|number| Arm {
                pattern: Pattern { kind: PatternKind::Variant(number, Vec::new()), ty, span },
                guard: None,
                body: Expr::new(ExprKind::Int(i128::from(number)), Ty::i64(), span),
            })
            .collect();
        Some(Expr::new(ExprKind::Match(value, arms), Ty::i64(), span))
    }

    /// `e?`: the payload, or the function returns what is not there.
    pub fn try_operator(&mut self, of: &ast::Expr, span: Span) -> Expr {
        let value = self.value(of);
        let Some((good, other, sig, ty)) = self.outcome(&value, "?", span) else { return self.wrong(span) };
        let result = self.frame().result;
        let result = self.shallow(result);
        let back = match (ty.kind(), result.kind()) {
            (_, TyKind::Error) => result,
            (&TyKind::Enum(a, x), &TyKind::Enum(b, y)) if a == b => {
                let agrees = x.len() < 2 || self.table.unify(x[1], y[1]);
                if !agrees {
                    let (x, y) = (self.show(x[1]), self.show(y[1]));
                    let diagnostic = self.error(
                        codes::TRY,
                        span,
                        format!("`?` gives an error of type `{x}`, but the function's is `{y}`"),
                    );
                    return self.fail(diagnostic, span);
                }
                result
            }
            (_, TyKind::Infer(_)) => {
                self.table.unify(result, ty);
                result
            }
            _ => {
                let (shown, wanted) = (self.show(ty), self.show(result));
                let diagnostic = self
                    .error(
                        codes::TRY,
                        span,
                        format!("`?` on a `{shown}` needs a function that returns one too, not `{wanted}`"),
                    )
                    .with_help("use `!` to stop the program instead, or a match");
                return self.fail(diagnostic, span);
            }
        };
        self.outcome_match(value, good, other, &sig, ty, span, |this, payload| {
            let lost = this.make(ExprKind::Variant(other, payload), back, span);
            this.make(ExprKind::Return(Some(lost)), Ty::never(), span)
        })
    }

    /// `e!`: the payload, or a trap.
    pub fn unwrap(&mut self, of: &ast::Expr, span: Span) -> Expr {
        let value = self.value(of);
        let Some((good, other, sig, ty)) = self.outcome(&value, "!", span) else { return self.wrong(span) };
        self.outcome_match(value, good, other, &sig, ty, span, |this, _| {
            this.make(ExprKind::Trap(vaisjit_abi::TrapCode::UnwrapFailed, None), Ty::never(), span)
        })
    }

    /// The variants of an `Option` or `Result`: the good one's number, the other's.
    pub(super) fn outcome(&mut self, value: &Expr, symbol: &str, span: Span) -> Option<(u32, u32, Arc<EnumSig>, Ty)> {
        let ty = self.shallow(value.ty);
        if let TyKind::Enum(path, _) = *ty.kind()
            && let Some((_, sig)) = self.enum_sig(path)
        {
            let number = |names: &[&str]| sig.variants.iter().position(|v| names.contains(&v.name.as_str()));
            if let (Some(good), Some(other), 2) =
                (number(&["Some", "Ok"]), number(&["None", "Err"]), sig.variants.len())
            {
                return Some((good as u32, other as u32, sig.clone(), ty));
            }
        }
        if ty != Ty::error() {
            let shown = self.show(ty);
            let diagnostic = self.error(
                codes::TRY,
                span,
                format!("`{symbol}` needs an `Option` or a `Result`, and this is `{shown}`"),
            );
            self.report(diagnostic);
        }
        None
    }

    #[expect(clippy::too_many_arguments, reason = "the two variants and what to do with them")]
    fn outcome_match(
        &mut self,
        value: Expr,
        good: u32,
        other: u32,
        sig: &EnumSig,
        ty: Ty,
        span: Span,
        lost: impl FnOnce(&mut Self, Vec<Expr>) -> Expr,
    ) -> Expr {
        let kept = |this: &mut Self, payload: Vec<Expr>| {
            payload.into_iter().next().unwrap_or_else(|| this.make(ExprKind::Unit, Ty::unit(), span))
        };
        self.outcome_choice(value, good, other, sig, ty, span, kept, lost)
    }

    /// A match on the two variants of an `Option` or `Result`; the value has the type of what `kept` makes.
    #[expect(clippy::too_many_arguments, reason = "the two variants and what to do with them")]
    pub(super) fn outcome_choice(
        &mut self,
        value: Expr,
        good: u32,
        other: u32,
        sig: &EnumSig,
        ty: Ty,
        span: Span,
        kept: impl FnOnce(&mut Self, Vec<Expr>) -> Expr,
        lost: impl FnOnce(&mut Self, Vec<Expr>) -> Expr,
    ) -> Expr {
        let map = self.argument_map(ty);
        let bind = |this: &mut Self, number: u32| {
            let fields = &sig.variants[number as usize].fields;
            let mut patterns = Vec::new();
            let mut values = Vec::new();
            for field in fields {
                let ty = replace(field.ty, &map);
                let local = this.hidden(Name::new("{payload}"), ty, span);
                this.frame().exempt.insert(local);
                let at = this.span(span);
                patterns.push(super::bind_pattern(local, ty, at));
                values.push(this.local(local, span));
            }
            let at = this.span(span);
            (Pattern { kind: PatternKind::Variant(number, patterns), ty, span: at }, values)
        };
        let (good_pattern, payload) = bind(self, good);
        let (other_pattern, rest) = bind(self, other);
        let value_of = kept(self, payload);
        let result = value_of.ty;
        let lost = lost(self, rest);
        let arms = vec![
            Arm { pattern: good_pattern, guard: None, body: value_of },
            Arm { pattern: other_pattern, guard: None, body: lost },
        ];
        self.make(ExprKind::Match(value, arms), result, span)
    }
}
