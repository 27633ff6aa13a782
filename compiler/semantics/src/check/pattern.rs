//! Patterns.

use vaisjit_syntax::{Name, Span, ast};

use super::coerce::Why;
use super::literal::replace;
use super::{Binding, Checker, Want};
use crate::codes;
use crate::hir::{Expr, ExprKind, Pattern, PatternKind};
use crate::interface::Interface;
use crate::lower::plural;
use crate::types::{Ty, TyKind};
use crate::world::Value;

impl Checker<'_, '_> {
    fn pattern_of(&self, kind: PatternKind, ty: Ty, span: Span) -> Pattern {
        Pattern { kind, ty, span: self.span(span) }
    }

    /// A pattern that must match every value of the type.
    pub fn irrefutable(&mut self, pattern: &ast::Pattern, ty: Ty) -> Pattern {
        let checked = self.whole_pattern(pattern, ty);
        if !super::matching::matches_all(self, &checked) && !self.is_error(ty) {
            let diagnostic = self
                .error(codes::PATTERN, pattern.span, "this pattern does not match every value")
                .with_help("take the value apart with `M`");
            self.report(diagnostic);
        }
        checked
    }

    /// A whole pattern: no name may be bound twice in it.
    pub fn whole_pattern(&mut self, pattern: &ast::Pattern, ty: Ty) -> Pattern {
        let checked = self.pattern(pattern, ty);
        let mut bound = Vec::new();
        bound_locals(&checked, &mut bound);
        for (index, (local, span)) in bound.iter().enumerate() {
            let name = self.frame().locals[*local].name;
            let twin = bound[..index].iter().find(|(other, _)| {
                self.frames.last().is_some_and(|frame| {
                    other != local && frame.locals[*other].name == name && !name.starts_with(['_', '{'])
                })
            });
            if let Some((_, first)) = twin {
                let diagnostic = self
                    .error(codes::PATTERN, *span, format!("`{name}` is bound twice in this pattern"))
                    .with_label(self.place(*first), "first here");
                self.report(diagnostic);
            }
        }
        checked
    }

    /// A pattern for values of a type; its names are declared in the innermost scope.
    pub fn pattern(&mut self, pattern: &ast::Pattern, ty: Ty) -> Pattern {
        let span = pattern.span;
        let ty = self.shallow(ty);
        match &pattern.kind {
            ast::PatternKind::Wildcard => self.pattern_of(PatternKind::Wildcard, ty, span),
            ast::PatternKind::Name(name) => self.name_pattern(*name, ty, span),
            ast::PatternKind::At(ident, inner) => {
                let inner = self.pattern(inner, ty);
                let local = self.declare(ident.name, ty, ident.span);
                self.pattern_of(PatternKind::Bind(local, Some(Box::new(inner))), ty, span)
            }
            ast::PatternKind::Literal(e) => match self.pattern_constant(e, ty) {
                Some(value) => self.pattern_of(PatternKind::Constant(value), ty, span),
                None => self.pattern_of(PatternKind::Wildcard, Ty::error(), span),
            },
            ast::PatternKind::Range { start, end, inclusive } => {
                let start = start.as_ref().and_then(|e| self.pattern_constant(e, ty));
                let end = end.as_ref().and_then(|e| self.pattern_constant(e, ty));
                if matches!(ty.kind(), TyKind::Str | TyKind::Bool) {
                    let shown = self.show(ty);
                    let message = format!("a range in a pattern needs numbers, not `{shown}`");
                    let diagnostic = self.error(codes::PATTERN, span, message);
                    self.report(diagnostic);
                    return self.pattern_of(PatternKind::Wildcard, Ty::error(), span);
                }
                self.pattern_of(PatternKind::Range(start, end, *inclusive), ty, span)
            }
            ast::PatternKind::Path(path) => self.path_pattern(path, None, ty, span),
            ast::PatternKind::Tuple(Some(path), parts) => self.path_pattern(path, Some(parts), ty, span),
            ast::PatternKind::Tuple(None, parts) => self.tuple_pattern(parts, ty, span),
            ast::PatternKind::Struct(path, fields) => self.struct_pattern(path, fields, ty, span),
            ast::PatternKind::Or(parts) => self.or_pattern(parts, ty, span),
            ast::PatternKind::Error => {
                self.recovering = true;
                self.pattern_of(PatternKind::Wildcard, Ty::error(), span)
            }
        }
    }

    fn name_pattern(&mut self, name: Name, ty: Ty, span: Span) -> Pattern {
        if let TyKind::Enum(path, _) = *ty.kind()
            && let Some((id, sig)) = self.enum_sig(path)
            && let Some(number) = sig.variants.iter().position(|variant| variant.name == name)
        {
            self.world.variants(self.scope.module, name);
            let _ = id;
            return self.variant_pattern(number as u32, None, ty, span);
        }
        if let Some(Binding::Const(value)) = self.binding(name) {
            let value = self.placed(&value, span);
            return self.constant_pattern(value, ty, span);
        }
        match self.world.value(self.scope.module, name) {
            Some(Value::Variant(id, number)) => {
                let expr = self.variant_value(id, number, name, span, Want::Of(ty));
                if self.table.unify(expr.ty, ty) {
                    return self.variant_pattern(number, None, ty, span);
                }
                let (found, wanted) = (self.show(expr.ty), self.show(ty));
                let diagnostic = self.error(
                    codes::MISMATCH,
                    span,
                    format!("`{name}` is a variant of `{found}`, but a `{wanted}` is matched"),
                );
                self.report(diagnostic);
                self.pattern_of(PatternKind::Wildcard, Ty::error(), span)
            }
            Some(Value::Def(id)) if matches!(self.world.def(id).kind, crate::index::DefKind::Const) => {
                match self.world.interface(id) {
                    Some(Interface::Const(sig)) => {
                        let value = self.placed(&sig.value.clone(), span);
                        self.constant_pattern(value, ty, span)
                    }
                    _ => self.pattern_of(PatternKind::Wildcard, Ty::error(), span),
                }
            }
            _ if name.starts_with(char::is_uppercase) => {
                let what = match ty.kind() {
                    TyKind::Enum(path, _) => format!("`{}` has no variant `{name}`", path.name),
                    _ => format!("there is no variant or constant `{name}`"),
                };
                let mut diagnostic = self.error(codes::UNKNOWN_VARIANT, span, what);
                if let TyKind::Enum(path, _) = *ty.kind()
                    && let Some((_, sig)) = self.enum_sig(path)
                    && let Some(known) = crate::suggest::nearest(name, sig.variants.iter().map(|v| v.name))
                {
                    let place = self.place(span);
                    diagnostic =
                        diagnostic.with_help(format!("did you mean `{known}`?")).with_suggestion(place, known.as_str());
                }
                if ty != Ty::error() && !self.recovering {
                    self.report(diagnostic);
                }
                self.pattern_of(PatternKind::Wildcard, Ty::error(), span)
            }
            _ => {
                let local = self.declare(name, ty, span);
                self.pattern_of(PatternKind::Bind(local, None), ty, span)
            }
        }
    }

    fn constant_pattern(&mut self, value: Expr, ty: Ty, span: Span) -> Pattern {
        if let ExprKind::Variant(number, parts) = &*value.kind
            && parts.is_empty()
        {
            return self.variant_pattern(*number, None, ty, span);
        }
        let value = self.coerce(value, ty, Why::Plain);
        match super::constant::fold(&value) {
            Some(value) => self.pattern_of(PatternKind::Constant(value), ty, span),
            None => self.pattern_of(PatternKind::Wildcard, Ty::error(), span),
        }
    }

    /// The constant a literal or name in a pattern stands for.
    fn pattern_constant(&mut self, e: &ast::Expr, ty: Ty) -> Option<Expr> {
        let value = self.check(e, Want::Of(ty));
        let value = self.must_have_value(value);
        let value = self.coerce(value, ty, Why::Plain);
        if self.is_error(value.ty) {
            return None;
        }
        // Literals without a type yet stay as they are: the end of the check gives them one.
        if let ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Str(_) | ExprKind::Bool(_) = &*value.kind {
            return Some(value);
        }
        let folded = super::constant::fold(&value);
        if folded.is_none() {
            let diagnostic = self.error(codes::NOT_CONSTANT, e.span, "a pattern needs constants");
            self.report(diagnostic);
        }
        folded
    }

    fn path_pattern(&mut self, path: &ast::TypePath, parts: Option<&[ast::Pattern]>, ty: Ty, span: Span) -> Pattern {
        let found = self.variant_of_path(path, Want::Of(ty));
        let Some((id, number)) = found else {
            return self.unknown_variant(path, parts, ty, span);
        };
        let enum_path = self.world.def(id).path;
        match *ty.kind() {
            TyKind::Enum(other, _) if other == enum_path => self.variant_pattern(number, parts, ty, span),
            TyKind::Infer(_) => {
                let Some((_, sig)) = self.enum_sig(enum_path) else {
                    return self.pattern_of(PatternKind::Wildcard, Ty::error(), span);
                };
                let arguments: Vec<Ty> = sig.generics.iter().map(|_| self.fresh()).collect();
                let made = Ty::new(TyKind::Enum(enum_path, crate::types::TyList::new(&arguments)));
                self.table.unify(ty, made);
                self.variant_pattern(number, parts, made, span)
            }
            _ => {
                self.bind_error_parts(parts);
                if ty != Ty::error() {
                    let shown = self.show(ty);
                    let message = format!("this is a pattern for `{}`, but a `{shown}` is matched", enum_path.name);
                    let diagnostic = self.error(codes::MISMATCH, span, message);
                    self.report(diagnostic);
                }
                self.pattern_of(PatternKind::Wildcard, Ty::error(), span)
            }
        }
    }

    fn bind_error_parts(&mut self, parts: Option<&[ast::Pattern]>) {
        for part in parts.unwrap_or_default() {
            self.pattern(part, Ty::error());
        }
    }

    fn unknown_variant(&mut self, path: &ast::TypePath, parts: Option<&[ast::Pattern]>, ty: Ty, span: Span) -> Pattern {
        self.bind_error_parts(parts);
        let wrong = self.pattern_of(PatternKind::Wildcard, Ty::error(), span);
        let Some(last) = path.segments.last() else { return wrong };
        // A constant of a module or type: `physics.LIMIT`.
        if path.segments.len() > 1 && parts.is_none() {
            let owner =
                ast::TypePath { segments: path.segments[..path.segments.len() - 1].to_vec(), arguments: Vec::new() };
            if self.module_of_path(&owner).is_some() {
                let value = self.path(&owner, *last, span, Want::Of(ty));
                return self.constant_pattern(value, ty, span);
            }
        }
        if ty == Ty::error() || self.recovering {
            return wrong;
        }
        let owner = match ty.kind() {
            TyKind::Enum(path, _) => format!("`{}` has no variant `{}`", path.name, last.name),
            _ => format!("there is no variant `{}`", last.name),
        };
        let mut diagnostic = self.error(codes::UNKNOWN_VARIANT, last.span, owner);
        if let TyKind::Enum(path, _) = *ty.kind()
            && let Some((_, sig)) = self.enum_sig(path)
            && let Some(known) = crate::suggest::nearest(last.name, sig.variants.iter().map(|v| v.name))
        {
            let place = self.place(last.span);
            diagnostic =
                diagnostic.with_help(format!("did you mean `{known}`?")).with_suggestion(place, known.as_str());
        }
        self.report(diagnostic);
        wrong
    }

    fn variant_pattern(&mut self, number: u32, parts: Option<&[ast::Pattern]>, ty: Ty, span: Span) -> Pattern {
        let TyKind::Enum(path, _) = *ty.kind() else {
            return self.pattern_of(PatternKind::Wildcard, Ty::error(), span);
        };
        let Some((_, sig)) = self.enum_sig(path) else {
            return self.pattern_of(PatternKind::Wildcard, Ty::error(), span);
        };
        let variant = &sig.variants[number as usize];
        let given = parts.map_or(0, <[_]>::len);
        if given != variant.fields.len() && (parts.is_some() || !variant.fields.is_empty()) {
            self.bind_error_parts(parts);
            let count = variant.fields.len();
            let message = format!(
                "the variant `{}` has {count} value{}, but the pattern has {given}",
                variant.name,
                plural(count)
            );
            let diagnostic = self.error(codes::PATTERN, span, message);
            self.report(diagnostic);
            return self.pattern_of(PatternKind::Wildcard, Ty::error(), span);
        }
        let map = self.argument_map(ty);
        let parts = parts.unwrap_or_default();
        let inner =
            variant.fields.iter().zip(parts).map(|(field, part)| self.pattern(part, replace(field.ty, &map))).collect();
        self.pattern_of(PatternKind::Variant(number, inner), ty, span)
    }

    fn tuple_pattern(&mut self, parts: &[ast::Pattern], ty: Ty, span: Span) -> Pattern {
        let types = match *ty.kind() {
            TyKind::Tuple(types) if types.len() == parts.len() => types,
            TyKind::Infer(_) => {
                let fresh: Vec<Ty> = parts.iter().map(|_| self.fresh()).collect();
                let types = crate::types::TyList::new(&fresh);
                self.table.unify(ty, Ty::new(TyKind::Tuple(types)));
                types
            }
            _ => {
                self.bind_error_parts(Some(parts));
                if ty != Ty::error() {
                    let shown = self.show(ty);
                    let count = parts.len();
                    let diagnostic = self.error(
                        codes::PATTERN,
                        span,
                        format!("this pattern is for a tuple of {count} values, not for `{shown}`"),
                    );
                    self.report(diagnostic);
                }
                return self.pattern_of(PatternKind::Wildcard, Ty::error(), span);
            }
        };
        let inner = parts.iter().enumerate().map(|(i, part)| (i as u32, self.pattern(part, types[i]))).collect();
        self.pattern_of(PatternKind::Fields(inner), ty, span)
    }

    fn struct_pattern(
        &mut self,
        path: &ast::TypePath,
        fields: &[(ast::Ident, ast::Pattern)],
        ty: Ty,
        span: Span,
    ) -> Pattern {
        if let Some((id, number)) = self.variant_of_path(path, Want::Of(ty)) {
            let enum_path = self.world.def(id).path;
            let Some((_, sig)) = self.enum_sig(enum_path) else {
                return self.pattern_of(PatternKind::Wildcard, Ty::error(), span);
            };
            if !matches!(*ty.kind(), TyKind::Enum(other, _) if other == enum_path) {
                return self.path_pattern(path, Some(&[]), ty, span);
            }
            let map = self.argument_map(ty);
            let variant = &sig.variants[number as usize];
            let inner = self.field_patterns(variant.name, &variant.fields, &map, fields);
            let mut parts: Vec<Pattern> = variant
                .fields
                .iter()
                .map(|field| self.pattern_of(PatternKind::Wildcard, replace(field.ty, &map), span))
                .collect();
            for (index, pattern) in inner {
                parts[index as usize] = pattern;
            }
            return self.pattern_of(PatternKind::Variant(number, parts), ty, span);
        }
        let named = self.lower_inferred(path, Want::Of(ty));
        let TyKind::Struct(struct_path, _) = *named.kind() else {
            fields.iter().for_each(|(_, part)| {
                self.pattern(part, Ty::error());
            });
            return self.pattern_of(PatternKind::Wildcard, Ty::error(), span);
        };
        if !self.table.unify(named, ty) {
            let shown = self.show(ty);
            let diagnostic = self.error(
                codes::MISMATCH,
                span,
                format!("this is a pattern for `{}`, but a `{shown}` is matched", struct_path.name),
            );
            self.report(diagnostic);
        }
        let Some((sig, _)) = self.struct_fields(struct_path) else {
            return self.pattern_of(PatternKind::Wildcard, Ty::error(), span);
        };
        let map = self.argument_map(named);
        let inner = self.field_patterns(struct_path.name, &sig.fields, &map, fields);
        self.pattern_of(PatternKind::Fields(inner), named, span)
    }

    fn field_patterns(
        &mut self,
        owner: Name,
        sigs: &[crate::interface::ParamSig],
        map: &[(Name, Ty)],
        fields: &[(ast::Ident, ast::Pattern)],
    ) -> Vec<(u32, Pattern)> {
        let mut inner = Vec::new();
        for (ident, part) in fields {
            match sigs.iter().position(|sig| sig.name == ident.name) {
                Some(index) => inner.push((index as u32, self.pattern(part, replace(sigs[index].ty, map)))),
                None => {
                    let diagnostic = self.unknown_field(owner, *ident, sigs.iter().map(|sig| sig.name));
                    self.report(diagnostic);
                    self.pattern(part, Ty::error());
                }
            }
        }
        inner
    }

    /// Alternatives: names bound in the first are the same locals in the others.
    fn or_pattern(&mut self, parts: &[ast::Pattern], ty: Ty, span: Span) -> Pattern {
        let mut inner: Vec<Pattern> = Vec::with_capacity(parts.len());
        let before = self.frame().scopes.last().map_or(0, Vec::len);
        let mut first: Vec<(Name, Binding)> = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let mut checked = self.pattern(part, ty);
            let scope = self.frame().scopes.last_mut().expect("a frame has a scope");
            if index == 0 {
                first = scope[before..].to_vec();
            } else {
                let own = scope.split_off(before + first.len());
                let lacking = first.iter().find(|(name, _)| !own.iter().any(|(other, _)| other == name));
                if let Some((name, _)) = lacking {
                    let message = format!("`{name}` is not bound in every alternative");
                    let diagnostic = self.error(codes::PATTERN, part.span, message);
                    self.report(diagnostic);
                }
                for (name, binding) in own {
                    let twin = first.iter().find(|(other, _)| *other == name);
                    if let (Some((_, Binding::Local(to))), Binding::Local(from)) = (twin, binding) {
                        rename(&mut checked, from, *to);
                        self.frame().exempt.insert(from);
                    } else {
                        let diagnostic = self.error(
                            codes::PATTERN,
                            part.span,
                            format!("`{name}` is not bound in every alternative"),
                        );
                        self.report(diagnostic);
                    }
                }
            }
            inner.push(checked);
        }
        self.pattern_of(PatternKind::Or(inner), ty, span)
    }
}

/// The locals a pattern binds; of alternatives those of the first.
fn bound_locals(pattern: &Pattern, out: &mut Vec<(crate::hir::LocalId, Span)>) {
    match &pattern.kind {
        PatternKind::Bind(local, inner) => {
            out.push((*local, pattern.span));
            inner.iter().for_each(|inner| bound_locals(inner, out));
        }
        PatternKind::Or(parts) => parts.iter().take(1).for_each(|part| bound_locals(part, out)),
        PatternKind::Variant(_, parts) => parts.iter().for_each(|part| bound_locals(part, out)),
        PatternKind::Fields(parts) => parts.iter().for_each(|(_, part)| bound_locals(part, out)),
        PatternKind::Wildcard | PatternKind::Constant(_) | PatternKind::Range(..) => {}
    }
}

fn rename(pattern: &mut Pattern, from: crate::hir::LocalId, to: crate::hir::LocalId) {
    match &mut pattern.kind {
        PatternKind::Bind(local, inner) => {
            if *local == from {
                *local = to;
            }
            inner.iter_mut().for_each(|inner| rename(inner, from, to));
        }
        PatternKind::Variant(_, parts) | PatternKind::Or(parts) => {
            parts.iter_mut().for_each(|part| rename(part, from, to))
        }
        PatternKind::Fields(parts) => parts.iter_mut().for_each(|(_, part)| rename(part, from, to)),
        PatternKind::Wildcard | PatternKind::Constant(_) | PatternKind::Range(..) => {}
    }
}
