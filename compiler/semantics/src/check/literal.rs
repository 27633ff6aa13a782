//! Literals of numbers, and struct literals.

use std::sync::Arc;

use vaisjit_syntax::{Name, Span, ast};

use super::coerce::Why;
use super::{Checker, Want};
use crate::codes;
use crate::hir::{Expr, ExprKind};
use crate::infer::{Known, substitute};
use crate::interface::{GenericSig, Interface, ParamSig, StructSig};
use crate::lower::plural;
use crate::suggest::nearest;
use crate::types::{FloatKind, IntKind, ItemPath, Ty, TyKind};

/// In how many defaults of fields another one may be needed. Chosen by feel; each takes some of the stack.
const MOST_DEFAULTS: u32 = 32;
/// The same for structs in structs.
const MOST_STRUCTS: u32 = 200;

impl Checker<'_, '_> {
    /// An integer literal: of the hinted integer type, else of any.
    pub fn integer(&mut self, value: u128, negative: bool, span: Span, want: Want) -> Expr {
        let hint = want.hint().map(|ty| self.shallow(ty));
        let ty = match hint.map(|ty| (ty, ty.kind())) {
            Some((ty, TyKind::Int(_))) => ty,
            Some((ty, TyKind::Infer(_))) if matches!(self.table.known(ty), Known::Int) => ty,
            _ => self.table.fresh(Known::Int),
        };
        let bits = if negative { (value as i128).wrapping_neg() } else { value as i128 };
        if value > i128::MAX as u128 && !negative {
            self.table.unify(ty, Ty::int(IntKind::U128));
        }
        self.make(ExprKind::Int(bits), ty, span)
    }

    /// A large decimal literal may not use the bit of the sign, as others may.
    pub fn note_decimal(&mut self, value: u128, decimal: bool, span: Span) {
        if decimal && value > i32::MAX as u128 {
            let span = self.span(span);
            self.decimals.insert((span.start, span.end));
        }
    }

    pub fn float(&mut self, bits: u64, span: Span, want: Want) -> Expr {
        let hint = want.hint().map(|ty| self.shallow(ty));
        let ty = match hint.map(|ty| (ty, ty.kind())) {
            Some((ty, TyKind::Float(_))) => ty,
            _ => self.table.fresh(Known::Float),
        };
        self.make(ExprKind::Float(bits), ty, span)
    }

    /// Reports an integer literal that its type cannot hold, else gives its normal form.
    pub fn fit_integer(&mut self, value: i128, kind: IntKind, span: Span) -> i128 {
        let bits = kind.bits();
        let fits = match (bits, kind.signed()) {
            (128, _) => true,
            (8 | 16, true) => (-(1 << (bits - 1))..1 << (bits - 1)).contains(&value),
            (_, true) if self.decimals.contains(&(span.start, span.end)) => (0..1 << (bits - 1)).contains(&value),
            // A literal may use all bits of the type.
            (_, true) => (-(1 << (bits - 1))..1 << bits).contains(&value),
            (_, false) => (0..1 << bits).contains(&value),
        };
        if !fits {
            let message = format!("the number {value} does not fit in `{}`", kind.name());
            let diagnostic = self.error(codes::LITERAL_RANGE, span, message);
            self.report(diagnostic);
        }
        wrap(value, kind)
    }

    /// `P { x: 1, y }`, also of a variant with named fields.
    pub fn struct_literal(&mut self, path: &ast::TypePath, fields: &[ast::FieldValue], span: Span, want: Want) -> Expr {
        if let Some((id, variant)) = self.variant_of_path(path, want) {
            return self.variant_literal(id, variant, fields, span, want);
        }
        let known = self.diagnostics.len();
        let ty = self.lower_inferred(path, want);
        let path = match *ty.kind() {
            TyKind::Struct(found, _) => found,
            TyKind::Error => {
                if self.diagnostics.len() == known {
                    self.recovering = true;
                }
                for field in fields {
                    self.check(&field.value, Want::Any);
                }
                return self.wrong(span);
            }
            _ => {
                let name = path.segments.last().map_or(Name::new("?"), |ident| ident.name);
                let diagnostic = self.error(codes::NOT_A_VALUE, span, format!("`{name}` is no struct"));
                return self.fail(diagnostic, span);
            }
        };
        let Some((sig, module)) = self.struct_fields(path) else { return self.wrong(span) };
        let arguments = self.argument_map(ty);
        self.check_generics(&sig.generics, &arguments, span);
        let (values, order) = self.field_values(path.name, &sig.fields, &arguments, module, fields, span);
        self.make(ExprKind::Aggregate(values, order), ty, span)
    }

    /// Asks for the bounds of a type's parameters, once the arguments are known.
    pub fn check_generics(&mut self, generics: &[GenericSig], map: &[(Name, Ty)], span: Span) {
        for generic in generics {
            let of = replace(Ty::new(TyKind::Param(generic.name)), map);
            let at = self.span(span);
            self.bounds.extend(generic.bounds.iter().map(|bound| (of, *bound, at)));
        }
    }

    /// Asks for the bounds of all generic types in a written type.
    pub fn check_written(&mut self, ty: Ty, span: Span) {
        let mut found = Vec::new();
        crate::infer::walk(ty, &mut |part| match part.kind() {
            TyKind::Struct(_, arguments) | TyKind::Enum(_, arguments) if !arguments.is_empty() => found.push(part),
            _ => {}
        });
        for part in found {
            let map = self.argument_map(part);
            let generics = match *part.kind() {
                TyKind::Struct(path, _) => self.struct_fields(path).map(|(sig, _)| sig.generics.clone()),
                TyKind::Enum(path, _) => self.enum_sig(path).map(|(_, sig)| sig.generics.clone()),
                _ => None,
            };
            self.check_generics(&generics.unwrap_or_default(), &map, span);
        }
    }

    /// The values of a literal's fields in declaration order, and the order in which they are evaluated.
    pub fn field_values(
        &mut self,
        owner: Name,
        sigs: &[ParamSig],
        arguments: &[(Name, Ty)],
        module: u32,
        fields: &[ast::FieldValue],
        span: Span,
    ) -> (Vec<Expr>, Vec<u32>) {
        let mut values: Vec<Option<Expr>> = sigs.iter().map(|_| None).collect();
        let mut order = Vec::with_capacity(sigs.len());
        let mut misnamed = false;
        for field in fields {
            let Some(index) = sigs.iter().position(|sig| sig.name == field.name.name) else {
                self.check(&field.value, Want::Any);
                misnamed = true;
                let names = sigs.iter().map(|sig| sig.name);
                let diagnostic = self.unknown_field(owner, field.name, names);
                self.report(diagnostic);
                continue;
            };
            let ty = replace(sigs[index].ty, arguments);
            let value = self.check_to(&field.value, ty, Why::Field(field.name.name));
            if values[index].replace(value).is_some() {
                let message = format!("the field `{}` is given twice", field.name.name);
                let diagnostic = self.error(codes::REPEATED_FIELD, field.name.span, message);
                self.report(diagnostic);
            } else {
                order.push(index as u32);
            }
        }
        let mut missing = Vec::new();
        for (index, sig) in sigs.iter().enumerate() {
            if values[index].is_some() {
                continue;
            }
            let ty = replace(sig.ty, arguments);
            match &sig.default {
                Some(default) => {
                    let value = self.foreign(default, ty, module, span);
                    if value.ty == Ty::error() && ty != sig.ty && !self.recovering {
                        let shown = self.show(ty);
                        let message = format!("the default of the field `{}` does not fit `{shown}`", sig.name);
                        let diagnostic =
                            self.error(codes::MISMATCH, span, message).with_help("give the field a value here");
                        self.report(diagnostic);
                    }
                    values[index] = Some(value);
                }
                None => missing.push(sig.name),
            }
            order.push(index as u32);
        }
        if !missing.is_empty() && !self.recovering && !misnamed {
            let list: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("`{owner}` needs the field{} {}", plural(missing.len()), list.join(", "));
            let diagnostic = self.error(codes::MISSING_FIELD, span, message);
            self.report(diagnostic);
        }
        let values = values.into_iter().map(|value| value.unwrap_or_else(|| self.wrong(span))).collect();
        (values, order)
    }

    pub fn unknown_field(
        &mut self,
        owner: Name,
        ident: ast::Ident,
        names: impl Iterator<Item = Name> + Clone,
    ) -> vaisjit_syntax::Diagnostic {
        let message = format!("`{owner}` has no field `{}`", ident.name);
        let diagnostic = self.error(codes::UNKNOWN_FIELD, ident.span, message);
        if let Some(known) = nearest(ident.name, names.clone()) {
            let place = self.place(ident.span);
            return diagnostic.with_help(format!("did you mean `{known}`?")).with_suggestion(place, known.as_str());
        }
        let list: Vec<String> = names.take(8).map(|name| format!("`{name}`")).collect();
        if list.is_empty() { diagnostic } else { diagnostic.with_help(format!("its fields are {}", list.join(", "))) }
    }

    /// An expression of another item, such as a default, checked here as if written at `span`.
    pub fn foreign(&mut self, e: &ast::Expr, ty: Ty, module: u32, span: Span) -> Expr {
        self.endless |= self.defaults >= MOST_DEFAULTS;
        if self.endless {
            return self.wrong(span);
        }
        self.defaults += 1;
        let checked = self.foreign_inside(e, ty, module, span);
        self.defaults -= 1;
        if self.defaults + self.structs == 0 && std::mem::take(&mut self.endless) {
            let message = format!("a default in `{}` needs itself, and so has no end", self.show(ty));
            let diagnostic = self
                .error(codes::RECURSIVE_TYPE, span, message)
                .with_help("give the field a value here, or leave it empty: `None`, `[]`");
            self.report(diagnostic);
            return self.wrong(span);
        }
        checked
    }

    fn foreign_inside(&mut self, e: &ast::Expr, ty: Ty, module: u32, span: Span) -> Expr {
        let at = self.at.replace(self.at.unwrap_or(span));
        let home = std::mem::replace(&mut self.scope.module, module);
        let scopes = std::mem::replace(&mut self.frame().scopes, vec![Vec::new()]);
        let receiver = self.receiver.take();
        let known = self.diagnostics.len();
        let checked = self.check_to(e, ty, Why::Plain);
        // What is wrong with it is said where it stands.
        let checked = if self.diagnostics.len() > known { self.wrong(span) } else { checked };
        self.diagnostics.truncate(known);
        self.receiver = receiver;
        self.frame().scopes = scopes;
        self.scope.module = home;
        self.at = at;
        checked
    }

    /// The value of a global declared without one, if it is not all zero.
    pub fn default_value(&mut self, ty: Ty, span: Span) -> Option<Expr> {
        let path = match *ty.kind() {
            TyKind::Struct(path, _) => path,
            TyKind::Tuple(parts) => return self.default_tuple(ty, parts.iter().copied(), span),
            TyKind::Array(of, length) => return self.default_array(ty, (of, length), span),
            // Empty collections are no zeros.
            _ => return ty.holds_collection().then(|| self.make(ExprKind::Zero, ty, span)),
        };
        // What has no end is reported where it is declared.
        self.endless |= self.structs >= MOST_STRUCTS;
        if self.endless {
            return None;
        }
        self.structs += 1;
        let made = self.default_struct(ty, path, span);
        self.structs -= 1;
        self.endless &= self.defaults + self.structs > 0;
        made
    }

    fn default_struct(&mut self, ty: Ty, path: ItemPath, span: Span) -> Option<Expr> {
        let (sig, module) = self.struct_fields(path)?;
        let map = self.argument_map(ty);
        let mut any = false;
        let values: Vec<Expr> = sig
            .fields
            .iter()
            .map(|field| {
                let ty = replace(field.ty, &map);
                let made = match &field.default {
                    Some(default) => Some(self.foreign(default, ty, module, span)),
                    None => self.default_value(ty, span),
                };
                any |= made.is_some();
                made.unwrap_or_else(|| self.make(ExprKind::Zero, ty, span))
            })
            .collect();
        let order = (0..values.len() as u32).collect();
        any.then(|| self.make(ExprKind::Aggregate(values, order), ty, span))
    }

    fn default_tuple(&mut self, ty: Ty, parts: impl Iterator<Item = Ty>, span: Span) -> Option<Expr> {
        let made: Vec<(Ty, Option<Expr>)> = parts.map(|part| (part, self.default_value(part, span))).collect();
        if made.iter().all(|(_, value)| value.is_none()) {
            return None;
        }
        let zero = |(part, value): (Ty, Option<Expr>)| value.unwrap_or_else(|| self.make(ExprKind::Zero, part, span));
        let values: Vec<Expr> = made.into_iter().map(zero).collect();
        let order = (0..values.len() as u32).collect();
        Some(self.make(ExprKind::Aggregate(values, order), ty, span))
    }

    /// Every element has collections of its own.
    fn default_array(&mut self, ty: Ty, (of, length): (Ty, u64), span: Span) -> Option<Expr> {
        if length == 0 {
            return None;
        }
        let element = self.default_value(of, span)?;
        let kind = if makes_collection(&element) && length <= MOST_COLLECTIONS {
            ExprKind::Array((0..length).map(|_| element.clone()).collect())
        } else {
            ExprKind::Repeat(element)
        };
        Some(self.make(kind, ty, span))
    }

    /// The fields of a struct and the module it is declared in.
    pub fn struct_fields(&mut self, path: ItemPath) -> Option<(Arc<StructSig>, u32)> {
        let id = self.world.find(path)?;
        match self.world.interface(id)? {
            Interface::Struct(sig) => Some((sig, id.module)),
            _ => None,
        }
    }

    /// What the generic parameters of a struct or enum type stand for.
    pub fn argument_map(&mut self, ty: Ty) -> Vec<(Name, Ty)> {
        let (path, arguments) = match *ty.kind() {
            TyKind::Struct(path, arguments) | TyKind::Enum(path, arguments) => (path, arguments),
            _ => return Vec::new(),
        };
        if arguments.is_empty() {
            return Vec::new();
        }
        let names = self.world.find(path).and_then(|id| crate::interface::declared_generics(self.world, id));
        names.unwrap_or_default().into_iter().zip(arguments.iter().copied()).collect()
    }

    /// The type a path names; generic arguments left out are found from the expected type or become variables.
    pub fn lower_inferred(&mut self, path: &ast::TypePath, want: Want) -> Ty {
        self.scope.infer = true;
        let span = path.segments.first().map_or(Span::default(), |ident| ident.span);
        let ty = self.lower(&ast::Type { kind: ast::TypeKind::Path(path.clone()), span });
        self.scope.infer = false;
        self.fill_arguments(ty, path.arguments.is_empty(), want)
    }

    /// Gives a generic type named without arguments fresh ones.
    pub fn fill_arguments(&mut self, ty: Ty, bare: bool, want: Want) -> Ty {
        let arguments: Vec<Ty> = match *ty.kind() {
            TyKind::Struct(_, arguments) | TyKind::Enum(_, arguments) => arguments.to_vec(),
            TyKind::Vec(of) | TyKind::Box(of) => vec![of],
            TyKind::HashMap(key, value) => vec![key, value],
            _ => return ty,
        };
        let holes = bare && arguments.iter().any(|ty| has_holes(*ty));
        if !holes {
            return ty;
        }
        let hint = want.hint().map(|ty| self.shallow(ty));
        let same = match (hint.map(Ty::kind), ty.kind()) {
            (Some(TyKind::Struct(other, _)), TyKind::Struct(path, _))
            | (Some(TyKind::Enum(other, _)), TyKind::Enum(path, _)) => other == path,
            (Some(TyKind::Vec(_)), TyKind::Vec(_)) | (Some(TyKind::HashMap(..)), TyKind::HashMap(..)) => true,
            _ => false,
        };
        if let (true, Some(hint)) = (same, hint) {
            return hint;
        }
        crate::infer::map_parts(ty, &mut |part| self.without_holes(part))
    }
}

impl Checker<'_, '_> {
    /// The type with a variable for every part that was left out.
    fn without_holes(&mut self, ty: Ty) -> Ty {
        if ty == Ty::error() {
            return self.fresh();
        }
        crate::infer::map_parts(ty, &mut |part| self.without_holes(part))
    }
}

/// Is a part of the type unknown?
pub(super) fn has_holes(ty: Ty) -> bool {
    let mut found = false;
    crate::infer::walk(ty, &mut |part| found |= part == Ty::error());
    found
}

/// A declared type with its generic parameters replaced.
pub(crate) fn replace(ty: Ty, arguments: &[(Name, Ty)]) -> Ty {
    if arguments.is_empty() {
        return ty;
    }
    substitute(ty, &|name| arguments.iter().find(|(param, _)| *param == name).map(|(_, ty)| *ty))
}

/// An integer cut to the bits of its type.
pub(crate) fn wrap(value: i128, kind: IntKind) -> i128 {
    let unused = 128 - kind.bits();
    if kind.signed() { value << unused >> unused } else { ((value as u128) << unused >> unused) as i128 }
}

/// A float rounded to its type.
pub(crate) fn round(bits: u64, kind: FloatKind) -> u64 {
    match kind {
        FloatKind::F64 => bits,
        FloatKind::F32 => f64::from(f64::from_bits(bits) as f32).to_bits(),
    }
}

/// Longer arrays share their empty collections, for the code that makes them grows with the array. Chosen by feel.
const MOST_COLLECTIONS: u64 = 1024;

/// Is an empty collection among the parts of a default value?
fn makes_collection(value: &Expr) -> bool {
    match &*value.kind {
        ExprKind::Zero => value.ty.holds_collection(),
        ExprKind::Aggregate(parts, _) | ExprKind::Array(parts) => parts.iter().any(makes_collection),
        ExprKind::Repeat(element) => makes_collection(element),
        _ => false,
    }
}
