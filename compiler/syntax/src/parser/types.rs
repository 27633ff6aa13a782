//! Types.

use chumsky::prelude::*;

use super::{Label, Rule, any_name};
use crate::ast::{Expr, Type, TypeKind, TypePath};
use crate::lexer::Kind;

/// Is it a type that takes no arguments?
pub(crate) fn is_primitive(text: &str) -> bool {
    matches!(
        text,
        "i8" | "i16" | "i32" | "i64" | "i128" | "u8" | "u16" | "u32" | "u64" | "u128" | "f32" | "f64" | "bool" | "str"
    )
}

/// The rules about types.
pub(super) struct Types<'t> {
    /// A type where nothing but a type can stand.
    pub any: Rule<'t, Type>,
    /// A type after `as`, where `<` compares unless `layout` has found out otherwise.
    pub cast: Rule<'t, Type>,
    /// `<A, B>` in an expression or a pattern.
    pub arguments: Rule<'t, Vec<Type>>,
}

/// All rules about types.
///
/// ```text
/// type  = "*" type | "&" "mut"? type | "[" type (";" expression)? "]" | "(" types ")"
///       | "fn" "(" types ")" ("->" type)? | "dyn" type | "_" | path
/// path  = name (("." | "::") name)* arguments?
/// arguments = "<" types ">"
/// types = (type ("," type)* ","?)?
/// ```
pub(super) fn types<'t>(expression: Rule<'t, Expr>) -> Types<'t> {
    let any = recursive(|ty| {
        let ty = ty.boxed();
        one(ty.clone(), expression.clone(), arguments(ty, true))
    })
    .boxed();
    let arguments = arguments(any.clone(), false);
    let cast = recursive(|ty| one(ty.boxed(), expression, arguments.clone())).boxed();
    Types { any, cast, arguments }
}

fn one<'t>(ty: Rule<'t, Type>, expression: Rule<'t, Expr>, arguments: Rule<'t, Vec<Type>>) -> Rule<'t, Type> {
    let list = ty.clone().separated_by(just(Kind::Comma)).allow_trailing().collect::<Vec<_>>().boxed();
    let list = list.delimited_by(just(Kind::LParen), just(Kind::RParen)).boxed();
    let pointer = just(Kind::Star).then(just(Kind::Mut).or_not()).ignore_then(ty.clone());
    let pointer = pointer.map(|ty| TypeKind::Pointer(Box::new(ty)));
    let reference = just(Kind::Amp).then(just(Kind::Mut).or_not()).ignore_then(ty.clone());
    let reference = reference.map(|ty| TypeKind::Reference(Box::new(ty)));
    let double = just(Kind::AmpAmp).then(just(Kind::Mut).or_not()).ignore_then(ty.clone()).map(|ty| {
        let span = ty.span;
        TypeKind::Reference(Box::new(Type { kind: TypeKind::Reference(Box::new(ty)), span }))
    });
    let array = ty.clone().then(just(Kind::Semi).ignore_then(expression).or_not());
    let array = array.delimited_by(just(Kind::LBracket), just(Kind::RBracket)).map(|(ty, length)| match length {
        Some(length) => TypeKind::Array(Box::new(ty), Box::new(length)),
        None => TypeKind::Slice(Box::new(ty)),
    });
    let tuple = list.clone().map(|mut types: Vec<Type>| match types.len() {
        1 => types.remove(0).kind,
        _ => TypeKind::Tuple(types),
    });
    let function = just(Kind::Fn).ignore_then(list).then(just(Kind::Arrow).ignore_then(ty.clone()).or_not());
    let function = function.map(|(params, result)| TypeKind::Function(params, result.map(Box::new)));
    let object = just(Kind::Dyn).ignore_then(ty).map(|ty| TypeKind::Dyn(Box::new(ty)));
    let path = path(arguments).map(|path| match path.segments.as_slice() {
        [one] if one.name == "_" => TypeKind::Infer,
        _ => TypeKind::Path(path),
    });
    choice((path, pointer, reference, array, tuple, function, object, double))
        .map_with(|kind, seen| Type { kind, span: seen.span() })
        .labelled(Label::Type)
        .boxed()
}

/// A name, maybe qualified and with arguments.
pub(super) fn path<'t>(arguments: Rule<'t, Vec<Type>>) -> Rule<'t, TypePath> {
    let more = choice((just(Kind::Dot), just(Kind::PathSep))).ignore_then(any_name());
    any_name()
        .map(|name| vec![name])
        .foldl(more.repeated(), |mut names, name| {
            names.push(name);
            names
        })
        .then(arguments.or_not())
        .map(|(segments, arguments)| TypePath { segments, arguments: arguments.unwrap_or_default() })
        .boxed()
}

fn arguments<'t>(ty: Rule<'t, Type>, plain: bool) -> Rule<'t, Vec<Type>> {
    let list = ty.separated_by(just(Kind::Comma)).allow_trailing().collect::<Vec<_>>();
    let sure = just(Kind::GenericOpen);
    let close = choice((just(Kind::GenericClose), just(Kind::Gt), just(Kind::GtJoint)));
    if plain {
        list.delimited_by(choice((sure, just(Kind::Lt))), close).boxed()
    } else {
        list.delimited_by(sure, close).boxed()
    }
}
