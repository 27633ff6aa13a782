//! Patterns.

use chumsky::prelude::*;

use super::types::path;
use super::{Label, Rule, Seen, any_name, separators, text};
use crate::Span;
use crate::ast::{Expr, ExprKind, Ident, Pattern, PatternKind, StrLiteral, Type, TypePath, UnaryOp};
use crate::lexer::Kind;

/// The rules about patterns.
#[derive(Clone)]
pub(super) struct Patterns<'t> {
    /// With alternatives.
    pub any: Rule<'t, Pattern>,
    /// Without, where `|` means something else.
    pub single: Rule<'t, Pattern>,
}

/// All rules about patterns.
///
/// ```text
/// pattern = "|"? single ("|" single)*
/// single  = "_" | name "@" single | value (".." value? | "..=" value)? | ".." value | "..=" value
///         | path ("(" patterns ")" | "{" fields "}")? | "(" patterns ")"
/// value   = "-"? number | string | "true" | "false" | path
/// fields  = (name (":" pattern)? | "..") separated by commas or newlines
/// ```
pub(super) fn patterns<'t>(arguments: Rule<'t, Vec<Type>>) -> Patterns<'t> {
    let mut kept = None;
    let any = recursive(|pattern| {
        let pattern = pattern.boxed();
        let single = recursive(|single| single_pattern(single.boxed(), pattern, arguments)).boxed();
        kept = Some(single.clone());
        let leading = just(Kind::Pipe).or_not();
        let more = just(Kind::Pipe).ignore_then(single.clone()).repeated().collect::<Vec<_>>();
        leading.ignore_then(single).then(more).map_with(|(first, more), seen| {
            if more.is_empty() {
                return first;
            }
            let all = std::iter::once(first).chain(more).collect();
            Pattern { kind: PatternKind::Or(all), span: seen.span() }
        })
    })
    .boxed();
    Patterns { any, single: kept.expect("the closure has run") }
}

/// What may follow a path.
enum Tail {
    At(Pattern),
    Tuple(Vec<Pattern>),
    Struct(Vec<(Ident, Pattern)>),
    Range(bool, Option<Expr>),
    Nothing,
}

fn single_pattern<'t>(
    single: Rule<'t, Pattern>,
    pattern: Rule<'t, Pattern>,
    arguments: Rule<'t, Vec<Type>>,
) -> Rule<'t, Pattern> {
    let list = pattern.clone().separated_by(just(Kind::Comma)).allow_trailing().collect::<Vec<_>>();
    let list = list.delimited_by(just(Kind::LParen), just(Kind::RParen)).boxed();
    let path = path(arguments);
    let value = choice((literal(), path.clone().map_with(|path, seen| path_value(path, seen.span())))).boxed();
    let dots = choice((just(Kind::DotDotEq).to(true), just(Kind::DotDot).to(false)));
    let range = dots.then(value.clone().or_not()).boxed();
    let tail = choice((
        just(Kind::At).ignore_then(single).map(Tail::At),
        list.clone().map(Tail::Tuple),
        fields(pattern).map(Tail::Struct),
        range.clone().map(|(inclusive, end)| Tail::Range(inclusive, end)),
        empty().map(|()| Tail::Nothing),
    ));
    let named = path.map_with(|path, seen| (path, seen.span())).then(tail);
    let named = named.map(|((path, span), tail)| named_pattern(path, span, tail));
    let literal = literal().then(range.clone().or_not()).map(|(start, range)| match range {
        Some((inclusive, end)) => PatternKind::Range { start: Some(start), end, inclusive },
        None => PatternKind::Literal(start),
    });
    let open = range.map(|(inclusive, end)| PatternKind::Range { start: None, end, inclusive });
    let tuple = list.map(|mut patterns| match patterns.len() {
        1 => patterns.remove(0).kind,
        _ => PatternKind::Tuple(None, patterns),
    });
    choice((named, literal, tuple, open))
        .map_with(|kind, seen| Pattern { kind, span: seen.span() })
        .labelled(Label::Pattern)
        .boxed()
}

fn named_pattern(mut path: TypePath, span: Span, tail: Tail) -> PatternKind {
    let single = path.segments.len() == 1 && path.arguments.is_empty();
    match tail {
        Tail::At(pattern) => PatternKind::At(path.segments.remove(0), Box::new(pattern)),
        Tail::Tuple(patterns) => PatternKind::Tuple(Some(path), patterns),
        Tail::Struct(fields) => PatternKind::Struct(path, fields),
        Tail::Range(inclusive, end) => PatternKind::Range { start: Some(path_value(path, span)), end, inclusive },
        Tail::Nothing if single && path.segments[0].name == "_" => PatternKind::Wildcard,
        Tail::Nothing if single => PatternKind::Name(path.segments[0].name),
        Tail::Nothing => PatternKind::Path(path),
    }
}

/// A constant or variant as the end of a range.
fn path_value(mut path: TypePath, span: Span) -> Expr {
    let Some(last) = path.segments.pop() else { return Expr::new(ExprKind::Error, span) };
    if path.segments.is_empty() {
        return Expr::new(ExprKind::Name(last.name), span);
    }
    Expr::new(ExprKind::Path(path, last), span)
}

/// `{ x, y: pattern, .. }`
fn fields<'t>(pattern: Rule<'t, Pattern>) -> Rule<'t, Vec<(Ident, Pattern)>> {
    let field = any_name().then(just(Kind::Colon).ignore_then(pattern).or_not()).map(|(name, pattern)| {
        let shorthand = Pattern { kind: PatternKind::Name(name.name), span: name.span };
        Some((name, pattern.unwrap_or(shorthand)))
    });
    let field = choice((field, just(Kind::DotDot).to(None)));
    let fields = field.then_ignore(separators(Kind::Comma)).repeated().collect::<Vec<_>>();
    separators(Kind::Comma)
        .ignore_then(fields)
        .delimited_by(choice((just(Kind::StructOpen), just(Kind::LBrace))), just(Kind::RBrace))
        .map(|fields| fields.into_iter().flatten().collect())
        .boxed()
}

/// A number, string or boolean; numbers may be negative.
fn literal<'t>() -> Rule<'t, Expr> {
    let number = number();
    let negative = just(Kind::Minus)
        .ignore_then(number.clone())
        .map_with(|number, seen| Expr::new(ExprKind::Unary(UnaryOp::Negate, number), seen.span()));
    choice((number, negative, string(), boolean())).boxed()
}

pub(super) fn number<'t>() -> Rule<'t, Expr> {
    let int = just(Kind::Int).map_with(|_, seen| {
        let text = text(seen);
        let character = text.strip_prefix('\'').and_then(|text| text.chars().next());
        let value = crate::literal::int(text).unwrap_or(character.map_or(0, |c| c as u128));
        let decimal = !text.contains(['x', 'X', 'b', 'B', 'o', 'O']);
        Expr::new(ExprKind::Int(value, decimal), seen.span())
    });
    let float = just(Kind::Float).map_with(|_, seen| {
        let value = crate::literal::float(text(seen)).unwrap_or_default();
        Expr::new(ExprKind::Float(value.to_bits()), seen.span())
    });
    choice((int, float)).boxed()
}

pub(super) fn string<'t>() -> Rule<'t, Expr> {
    let string = just(Kind::Str).map_with(|_, seen: &mut Seen| {
        let start = seen.span().start;
        let missing = || StrLiteral { raw: String::new(), parts: Vec::new(), broken: None };
        let literal = seen.state().strings.get(&start).cloned().unwrap_or_else(missing);
        Expr::new(ExprKind::Str(literal), seen.span())
    });
    string.boxed()
}

pub(super) fn boolean<'t>() -> Rule<'t, Expr> {
    let boolean = choice((just(Kind::True).to(true), just(Kind::False).to(false)));
    boolean.map_with(|value, seen| Expr::new(ExprKind::Bool(value), seen.span())).boxed()
}
