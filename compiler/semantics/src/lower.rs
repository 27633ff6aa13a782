//! Types as written to types.

use rustc_hash::FxHashMap;
use vaisjit_syntax::ast::{self, ItemKind, TypeKind};
use vaisjit_syntax::{Diagnostic, ItemId, Name, Place};

use crate::check::Checker;
use crate::codes;
use crate::hir;
use crate::index::{DefId, DefKind};
use crate::infer::substitute;
use crate::interface::{Interface, declared_generics};
use crate::suggest::nearest;
use crate::types::{FloatKind, IntKind, ItemPath, Ty, TyKind, TyList};
use crate::world::{Dep, World};

/// The types every program knows.
pub const BUILTIN_TYPES: &[&str] = &[
    "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "f32", "f64", "bool", "str", "Vec",
    "HashMap", "Box",
];

/// Where a type is read: which names mean what.
#[derive(Clone)]
pub(crate) struct TypeScope {
    pub module: u32,
    pub item: ItemId,
    pub generics: FxHashMap<Name, Ty>,
    pub self_ty: Option<Ty>,
    /// Constants of the enclosing function, for array lengths.
    pub consts: Vec<(Name, hir::Expr)>,
    /// What `_` means, if it may be written.
    pub infer: bool,
}

impl TypeScope {
    pub fn new(module: u32, item: ItemId) -> TypeScope {
        TypeScope { module, item, generics: FxHashMap::default(), self_ty: None, consts: Vec::new(), infer: false }
    }
}

/// The type of this name that every program knows.
pub(crate) fn builtin_type(name: &str) -> Option<Ty> {
    if let Some(kind) = IntKind::ALL.into_iter().find(|kind| kind.name() == name) {
        return Some(Ty::int(kind));
    }
    Some(match name {
        "f32" => Ty::new(TyKind::Float(FloatKind::F32)),
        "f64" => Ty::f64(),
        "bool" => Ty::bool(),
        "str" | "String" => Ty::str(),
        "usize" => Ty::int(IntKind::U64),
        "isize" => Ty::i64(),
        _ => return None,
    })
}

/// Reads a type; what is wrong with it goes to `out` and makes it `Ty::error()`.
pub(crate) fn lower_type(world: &World<'_>, scope: &TypeScope, ty: &ast::Type, out: &mut Vec<Diagnostic>) -> Ty {
    let lower = |ty: &ast::Type, out: &mut Vec<Diagnostic>| lower_type(world, scope, ty, out);
    match &ty.kind {
        TypeKind::Path(path) => lower_path(world, scope, ty, path, out),
        TypeKind::Pointer(to) => match lower(to, out) {
            // A `dyn` is an address itself.
            to if is_dyn(&ty.kind) => to,
            to => Ty::pointer(to),
        },
        TypeKind::Reference(to) => {
            let to = lower(to, out);
            match to.kind() {
                TyKind::Slice(_) | TyKind::Str => to,
                _ if is_dyn(&ty.kind) => to,
                _ => Ty::new(TyKind::Reference(to)),
            }
        }
        TypeKind::Array(of, length) => {
            let of = lower(of, out);
            let (length, diagnostics) = Checker::length(world, scope, length);
            out.extend(diagnostics);
            match length {
                Some(length) => Ty::new(TyKind::Array(of, length)),
                None => Ty::error(),
            }
        }
        TypeKind::Slice(of) => Ty::new(TyKind::Slice(lower(of, out))),
        TypeKind::Tuple(parts) if parts.is_empty() => Ty::unit(),
        TypeKind::Tuple(parts) => {
            let parts: Vec<Ty> = parts.iter().map(|part| lower(part, out)).collect();
            Ty::new(TyKind::Tuple(TyList::new(&parts)))
        }
        TypeKind::Function(params, result) => {
            let params: Vec<Ty> = params.iter().map(|param| lower(param, out)).collect();
            let result = result.as_ref().map_or(Ty::unit(), |result| lower(result, out));
            Ty::new(TyKind::Function(TyList::new(&params), result))
        }
        TypeKind::Dyn(of) => lower_dyn(world, scope, of, out),
        TypeKind::Infer => Ty::error(),
    }
}

/// Is a type written as a pointer to a `dyn`?
fn is_dyn(ty: &TypeKind) -> bool {
    match ty {
        TypeKind::Dyn(_) => true,
        TypeKind::Pointer(to) | TypeKind::Reference(to) => is_dyn(&to.kind),
        _ => false,
    }
}

fn lower_dyn(world: &World<'_>, scope: &TypeScope, of: &ast::Type, out: &mut Vec<Diagnostic>) -> Ty {
    let place = Place::item(scope.item, of.span);
    let TypeKind::Path(path) = &of.kind else {
        out.push(Diagnostic::error(codes::UNKNOWN_TRAIT, place, "`dyn` needs the name of a trait"));
        return Ty::error();
    };
    let Some(id) = find_type(world, scope, path) else {
        let name = path.segments.last().map_or(Name::new("?"), |ident| ident.name);
        if !world.has_failed_import(scope.module, name) {
            let traits = world.type_names(scope.module);
            let mut diagnostic = Diagnostic::error(codes::UNKNOWN_TRAIT, place, format!("there is no trait `{name}`"));
            if let Some(known) = nearest(name, traits) {
                diagnostic =
                    diagnostic.with_help(format!("did you mean `{known}`?")).with_suggestion(place, known.as_str());
            }
            out.push(diagnostic);
        }
        return Ty::error();
    };
    let def = world.def(id);
    world.reads(Dep::Def(def.path));
    if def.kind != DefKind::Trait {
        let message = format!("`{}` is a type, not a trait", def.path.name);
        out.push(Diagnostic::error(codes::UNKNOWN_TRAIT, place, message).with_label(world.place(id), "declared here"));
        return Ty::error();
    }
    Ty::new(TyKind::Dyn(def.path))
}

fn lower_path(
    world: &World<'_>,
    scope: &TypeScope,
    ty: &ast::Type,
    path: &ast::TypePath,
    out: &mut Vec<Diagnostic>,
) -> Ty {
    let Some(last) = path.segments.last() else { return Ty::error() };
    let arguments: Vec<Ty> = path.arguments.iter().map(|argument| lower_type(world, scope, argument, out)).collect();
    if path.segments.len() == 1 {
        if let Some(known) = scope.generics.get(&last.name) {
            return *known;
        }
        if last.name == "Self"
            && let Some(this) = scope.self_ty
        {
            return this;
        }
    }
    let Some(id) = find_type(world, scope, path) else {
        if path.segments.len() == 1
            && let Some(known) = known_type(scope, last, &arguments, out)
        {
            return known;
        }
        unknown_type(world, scope, path, out);
        return Ty::error();
    };
    if path.segments.len() == 1
        && let Some((one, other)) = world.ambiguous(scope.module, last.name)
    {
        let message = format!("`{}` comes from both `{one}` and `{other}`", last.name);
        let diagnostic = Diagnostic::error(codes::DUPLICATE, Place::item(scope.item, last.span), message);
        out.push(diagnostic.with_help(format!("say which is meant: `{one}.{}`", last.name)));
    }
    let def = world.def(id);
    world.reads(Dep::Def(def.path));
    let params = declared_generics(world, id).unwrap_or_default();
    if params.len() != arguments.len() && !matches!(def.kind, DefKind::Trait) {
        if scope.infer && arguments.is_empty() {
            // The caller fills the arguments in.
            let holes: Vec<Ty> = params.iter().map(|_| Ty::error()).collect();
            if let (DefKind::Alias, Some(Interface::Alias(alias))) = (def.kind, world.interface(id)) {
                return substitute(alias.ty, &|name| alias.params.contains(&name).then_some(Ty::error()));
            }
            return nominal(def.kind, def.path, &holes);
        }
        let place = Place::item(scope.item, ty.span);
        let (wanted, given) = (params.len(), arguments.len());
        let message = format!("`{}` takes {wanted} type argument{}, not {given}", last.name, plural(wanted));
        out.push(Diagnostic::error(codes::TYPE_ARGUMENTS, place, message).with_label(world.place(id), "declared here"));
        return Ty::error();
    }
    match def.kind {
        DefKind::Struct | DefKind::Enum => nominal(def.kind, def.path, &arguments),
        DefKind::Alias => match world.interface(id) {
            Some(Interface::Alias(alias)) => substitute(alias.ty, &|name| {
                let index = alias.params.iter().position(|param| *param == name)?;
                Some(arguments[index])
            }),
            Some(_) => Ty::error(),
            None => {
                let place = Place::item(scope.item, ty.span);
                out.push(Diagnostic::error(
                    codes::CIRCLE,
                    place,
                    format!("the type `{}` is defined by itself", last.name),
                ));
                Ty::error()
            }
        },
        _ => {
            let place = Place::item(scope.item, ty.span);
            let message = format!("`{}` is a trait, not a type", last.name);
            out.push(Diagnostic::error(codes::UNKNOWN_TYPE, place, message));
            Ty::error()
        }
    }
}

fn nominal(kind: DefKind, path: ItemPath, arguments: &[Ty]) -> Ty {
    let arguments = TyList::new(arguments);
    match kind {
        DefKind::Struct => Ty::new(TyKind::Struct(path, arguments)),
        _ => Ty::new(TyKind::Enum(path, arguments)),
    }
}

fn known_type(scope: &TypeScope, ident: &ast::Ident, arguments: &[Ty], out: &mut Vec<Diagnostic>) -> Option<Ty> {
    let wanted = match ident.name.as_str() {
        "Vec" | "Box" => 1,
        "HashMap" => 2,
        name => {
            let known = builtin_type(name)?;
            if !arguments.is_empty() {
                let place = Place::item(scope.item, ident.span);
                let message = format!("`{name}` takes no type arguments");
                out.push(Diagnostic::error(codes::TYPE_ARGUMENTS, place, message));
            }
            return Some(known);
        }
    };
    if scope.infer && arguments.is_empty() {
        // The caller fills the arguments in.
        return Some(built_in(ident.name, &[Ty::error(); 2][..wanted]));
    }
    if arguments.len() != wanted {
        let place = Place::item(scope.item, ident.span);
        let message =
            format!("`{}` takes {wanted} type argument{}, not {}", ident.name, plural(wanted), arguments.len());
        out.push(Diagnostic::error(codes::TYPE_ARGUMENTS, place, message));
        return Some(Ty::error());
    }
    Some(built_in(ident.name, arguments))
}

/// `Vec`, `Box` or `HashMap` of these types.
fn built_in(name: Name, arguments: &[Ty]) -> Ty {
    match (name.as_str(), arguments) {
        ("Vec", [of]) => Ty::new(TyKind::Vec(*of)),
        ("HashMap", [key, value]) => Ty::new(TyKind::HashMap(*key, *value)),
        // A `dyn` lies on the heap already.
        (_, [of]) if matches!(of.kind(), TyKind::Dyn(_)) => *of,
        (_, [of]) => Ty::new(TyKind::Box(*of)),
        _ => Ty::error(),
    }
}

/// `s` unless there is one.
pub(crate) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// The declaration a type path names.
pub(crate) fn find_type(world: &World<'_>, scope: &TypeScope, path: &ast::TypePath) -> Option<DefId> {
    let last = path.segments.last()?;
    match path.segments.len() {
        1 => world.ty(scope.module, last.name),
        n => world.own_type(world.module_named(scope.module, path.segments[n - 2].name)?, last.name),
    }
}

fn unknown_type(world: &World<'_>, scope: &TypeScope, path: &ast::TypePath, out: &mut Vec<Diagnostic>) {
    let Some(last) = path.segments.last() else { return };
    if world.has_failed_import(scope.module, path.segments[0].name) {
        return;
    }
    let message = format!("there is no type `{}`", last.name);
    let place = Place::item(scope.item, last.span);
    if let Some(first) = out.iter_mut().find(|known| known.message == message) {
        // Once more in the same declaration: what mends the first mends this one, too.
        if let Some(suggestion) = first.suggestions.first().cloned() {
            first.suggestions.push(vaisjit_syntax::Suggestion { place, ..suggestion });
        }
        return;
    }
    if let Some(what) = vaisjit_syntax::left_out_name(last.name.as_str()) {
        let message = format!("this language has no {what}");
        let left_out = Diagnostic::error(vaisjit_syntax::codes::LEFT_OUT, place, message.clone());
        if !out.iter().any(|known| known.message == message) {
            out.push(left_out.with_text("left out on purpose").with_help(vaisjit_syntax::LEFT_OUT_HELP));
        }
        return;
    }
    let foreign = vaisjit_syntax::foreign_type(last.name.as_str());
    // `int x` has been reported with the type's name in it.
    if foreign.is_some() && world.has_syntax_error(scope, vaisjit_syntax::codes::BAD_PARAMETER) {
        return;
    }
    let mut diagnostic = Diagnostic::error(codes::UNKNOWN_TYPE, place, message);
    if let Some(known) = foreign {
        diagnostic = diagnostic.with_help(format!("it is called `{known}` here")).with_suggestion(place, known);
    } else if last.name == "void" {
        diagnostic = diagnostic.with_help("a function without a result has no `->`").with_suggestion(place, "()");
    } else if let Some(known) = nearest(last.name, world.type_names(scope.module)) {
        diagnostic = diagnostic.with_help(format!("did you mean `{known}`?")).with_suggestion(place, known.as_str());
    }
    out.push(diagnostic);
}

/// Does a value of the written type hold a value of the struct or enum `wanted`, directly or in a part?
pub(crate) fn holds(
    world: &World<'_>,
    module: u32,
    ty: &ast::Type,
    wanted: ItemPath,
    seen: &mut Vec<ItemPath>,
) -> bool {
    match &ty.kind {
        TypeKind::Array(of, _) => holds(world, module, of, wanted, seen),
        TypeKind::Tuple(parts) => parts.iter().any(|part| holds(world, module, part, wanted, seen)),
        TypeKind::Path(path) => {
            let scope = TypeScope::new(module, ItemId::fresh());
            let Some(id) = find_type(world, &scope, path) else { return false };
            let found = world.def(id).path;
            if found == wanted {
                return true;
            }
            if path
                .arguments
                .iter()
                .any(|argument| found.name == "Option" && holds(world, module, argument, wanted, seen))
            {
                return true;
            }
            if seen.contains(&found) {
                return false;
            }
            seen.push(found);
            world.reads(Dep::Def(found));
            let mut inner = |ty: &ast::Type| holds(world, id.module, ty, wanted, seen);
            match &world.item(id).kind {
                ItemKind::Struct(def) => def.fields.iter().any(|field| inner(&field.ty)),
                ItemKind::Enum(def) => def.variants.iter().any(|variant| match &variant.payload {
                    ast::Payload::Unit => false,
                    ast::Payload::Tuple(types) => types.iter().any(&mut inner),
                    ast::Payload::Struct(fields) => fields.iter().any(|field| inner(&field.ty)),
                }),
                ItemKind::Alias(def) => inner(&def.ty),
                _ => false,
            }
        }
        _ => false,
    }
}
