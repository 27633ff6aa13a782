//! Items and their members.

use chumsky::prelude::*;

use super::expressions::Rules;
use super::{Failure, Label, Rule, Seen, name, separators, skip_until};
use crate::ast::*;
use crate::codes;
use crate::layout::problem::Problem;
use crate::lexer::Kind;
use crate::{Name, Span};

type Parts = (Vec<Attribute>, ItemKind, Span);

/// One item and nothing behind it.
///
/// ```text
/// item      = attribute* (function | struct | enum | trait | impl | extern | import | constant | global | alias)
/// attribute = ("#[" | "@[") name (string | "(" arguments ")" | "=" argument)? "]"
/// function  = "F" name generics? "(" parameters ")" ("->" type)? where? (block | "=" value)?
/// parameter = "self" | "&" "mut"? "self" | attribute* name (":" type)? ("=" expression)? | "..."
/// generics  = "<" name (":" type ("+" type)*)? ("," ...)* ">"
/// where     = "where" type ":" type ("+" type)* ("," ...)*
/// struct    = "S" name generics? where? "{" (field | function)* "}"
/// enum      = "E" name generics? where? "{" (variant | function)* "}"
/// trait     = "W" name generics? (":" type ("+" type)*)? where? "{" function* "}"
/// impl      = "X" generics? type (":" type)? where? "{" function* "}"
/// extern    = "N" string? "{" function* "}" | ("N" | "X") function
/// import    = "U" name (("/" | "." | "::") name)* (("." | "::") "{" names "}")?
/// constant  = "C" name (":" type)? "=" expression
/// global    = "G" name (":" type)? ("=" expression)?
/// alias     = "T" name generics? "=" type
/// ```
pub(super) fn item<'t>(rules: &Rules<'t>) -> Rule<'t, Parts> {
    let function = function(rules);
    let kind = choice((
        function.clone().map(|function| {
            let head = function.head;
            (ItemKind::Function(function), head)
        }),
        structure(rules, &function).map(|(item, head)| (ItemKind::Struct(item), head)),
        enumeration(rules, &function).map(|(item, head)| (ItemKind::Enum(item), head)),
        interface(rules, &function).map(|(item, head)| (ItemKind::Trait(item), head)),
        foreign(&function).map(|(item, head)| (ItemKind::Extern(item), head)),
        implementation(rules, &function).map(|(item, head)| (ItemKind::Impl(item), head)),
        import().map_with(|item, seen| (ItemKind::Import(item), seen.span())),
        constant(&rules.expression, &rules.types.any).map_with(|item, seen| (ItemKind::Const(item), seen.span())),
        global(&rules.expression, &rules.types.any).map_with(|item, seen| (ItemKind::Global(item), seen.span())),
        alias(rules).map_with(|item, seen| (ItemKind::Alias(item), seen.span())),
    ));
    let rest = any().repeated();
    attributes()
        .then(kind.labelled(Label::Item))
        .map_with(finish)
        .then_ignore(separators(Kind::Semi))
        .then_ignore(end().recover_with(via_parser(rest)))
        .boxed()
}

/// Tells C functions from functions without a body.
fn finish((attributes, (kind, head)): (Vec<Attribute>, (ItemKind, Span)), seen: &mut Seen) -> Parts {
    let ItemKind::Function(function) = kind else { return (attributes, kind, head) };
    if function.body.is_some() {
        return (attributes, ItemKind::Function(function), head);
    }
    if let Some(foreign) = attributes.iter().find(|attribute| attribute.name.name == "extern") {
        let abi = Name::new(foreign.arguments.first().map_or("C", |(abi, _)| abi));
        return (attributes, ItemKind::Extern(Extern { abi, functions: vec![function] }), head);
    }
    missing_body(&function, seen);
    (attributes, ItemKind::Function(function), head)
}

fn missing_body(function: &Function, seen: &mut Seen) {
    let message = format!("the function `{}` has no body", function.name.name);
    let problem = Problem::new(codes::MISSING_BODY, function.head, message)
        .text("`{ ... }` or `= value` must follow")
        .help("a function of C is declared with `N F name(...)`, or with `@[extern \"C\"]` on the line above");
    seen.emit(Failure::of(problem));
}

fn attributes<'t>() -> Rule<'t, Vec<Attribute>> {
    let argument = skip_until(|kind| kind == Kind::Comma).map_with(|(), seen| (argument(seen), seen.span()));
    let list = argument.clone().separated_by(just(Kind::Comma)).allow_trailing().collect::<Vec<_>>();
    let list = list.delimited_by(just(Kind::LParen), just(Kind::RParen));
    let value = just(Kind::Eq).or_not().ignore_then(argument).map(|argument| vec![argument]);
    let arguments = choice((list, value)).or_not().map(Option::unwrap_or_default);
    let attribute = just(Kind::AttrOpen).ignore_then(name()).then(arguments).then_ignore(just(Kind::RBracket));
    let attribute = attribute.map_with(|(name, arguments), seen| Attribute { name, arguments, span: seen.span() });
    attribute.then_ignore(just(Kind::Newline).or_not()).repeated().collect().boxed()
}

/// The text of an argument; of a string what it says.
fn argument(seen: &mut Seen) -> String {
    let span = seen.span();
    match seen.state().strings.get(&span.start) {
        Some(string) => string.raw.clone(),
        None => super::text(seen).trim().to_string(),
    }
}

fn function<'t>(rules: &Rules<'t>) -> Rule<'t, Function> {
    let ty = &rules.types.any;
    let rest = skip_until(|kind| matches!(kind, Kind::LBrace | Kind::Eq | Kind::Where | Kind::Newline));
    let rest = none_of([Kind::LBrace, Kind::Eq]).rewind().ignore_then(rest).or_not();
    let rest = rest.map_with(|_, seen| Type { kind: TypeKind::Infer, span: seen.span() });
    let result = just(Kind::Arrow).ignore_then(ty.clone().recover_with(via_parser(rest))).or_not();
    let block = rules.block.clone().map(FunctionBody::Block);
    let value = just(Kind::Eq).ignore_then(rules.value.clone()).map(FunctionBody::Expr);
    let head = just(Kind::KwF).ignore_then(name()).then(generics(ty)).then(parameters(rules)).then(result);
    let head = head.then(bounds(ty)).map_with(|((((name, mut generics), params), result), bounds), seen| {
        generics.bounds = bounds;
        let Parameters { receiver, params, variadic } = params;
        let (span, attributes) = (seen.span(), Vec::new());
        Function { name, generics, receiver, params, variadic, result, body: None, attributes, span, head: span }
    });
    head.then(choice((block, value)).or_not())
        .map_with(|(function, body), seen| Function { body, span: seen.span(), ..function })
        .boxed()
}

#[derive(Default)]
struct Parameters {
    receiver: Option<Receiver>,
    params: Vec<Param>,
    variadic: bool,
}

enum Parameter {
    Receiver(Receiver),
    Plain(Param),
    Variadic(Span),
}

fn parameters<'t>(rules: &Rules<'t>) -> Rule<'t, Parameters> {
    let ty = just(Kind::Colon).ignore_then(rules.types.any.clone()).or_not();
    let reference = just(Kind::Amp).ignore_then(just(Kind::Mut).or_not()).then(name()).then(ty.clone());
    let reference = reference.map_with(|((mutable, name), ty), seen| {
        let kind = if mutable.is_some() { ReceiverKind::RefMut } else { ReceiverKind::Ref };
        if name.name != "self" {
            let problem = Problem::new(codes::BAD_PARAMETER, seen.span(), "a parameter is written `name: type`");
            seen.emit(Failure::of(
                problem.text("only `self` may stand after `&` here").help("the `&` belongs to the type: `name: &type`"),
            ));
            return Parameter::Plain(Param { name, ty: ty.map(referenced), default: None });
        }
        Parameter::Receiver(Receiver { kind, span: seen.span() })
    });
    let default = just(Kind::Eq).ignore_then(rules.expression.clone()).or_not();
    let plain = attributes().ignore_then(just(Kind::Mut).or_not()).ignore_then(name()).then(ty).then(default);
    let plain = plain.map(|((name, ty), default)| match (name.name.as_str(), &ty) {
        ("self", None) => Parameter::Receiver(Receiver { kind: ReceiverKind::Value, span: name.span }),
        _ => Parameter::Plain(Param { name, ty, default }),
    });
    let variadic = just(Kind::Ellipsis).map_with(|_, seen| Parameter::Variadic(seen.span()));
    let list = choice((reference, variadic, plain)).separated_by(just(Kind::Comma)).allow_trailing();
    let list = list.collect::<Vec<_>>().delimited_by(just(Kind::LParen), just(Kind::RParen));
    let skip = just(Kind::LParen).ignore_then(skip_until(|_| false).or_not()).then(just(Kind::RParen));
    list.map_with(sort_parameters).recover_with(via_parser(skip.map(|_| Parameters::default()))).boxed()
}

/// `&T`
fn referenced(ty: Type) -> Type {
    let span = ty.span;
    Type { kind: TypeKind::Reference(Box::new(ty)), span }
}

/// The receiver comes first, the dots last.
fn sort_parameters(list: Vec<Parameter>, seen: &mut Seen) -> Parameters {
    let mut sorted = Parameters::default();
    let last = list.len().saturating_sub(1);
    for (index, parameter) in list.into_iter().enumerate() {
        let wrong = match parameter {
            Parameter::Plain(param) => {
                sorted.params.push(param);
                continue;
            }
            Parameter::Receiver(receiver) if index == 0 => {
                sorted.receiver = Some(receiver);
                continue;
            }
            Parameter::Variadic(_) if index == last => {
                sorted.variadic = true;
                continue;
            }
            Parameter::Receiver(receiver) => (receiver.span, "`self` must be the first parameter"),
            Parameter::Variadic(span) => (span, "`...` must be the last parameter"),
        };
        seen.emit(Failure::of(Problem::new(codes::BAD_PARAMETER, wrong.0, wrong.1).text("misplaced")));
    }
    sorted
}

fn generics<'t>(ty: &Rule<'t, Type>) -> Rule<'t, Generics> {
    let bounds = just(Kind::Colon).ignore_then(bound_list(ty)).or_not().map(Option::unwrap_or_default);
    let param = name().then(bounds).map(|(name, bounds)| GenericParam { name, bounds });
    let params = param.separated_by(just(Kind::Comma)).allow_trailing().collect::<Vec<_>>();
    params
        .delimited_by(just(Kind::GenericOpen), just(Kind::GenericClose))
        .or_not()
        .map(|params| Generics { params: params.unwrap_or_default(), bounds: Vec::new() })
        .boxed()
}

fn bound_list<'t>(ty: &Rule<'t, Type>) -> Rule<'t, Vec<Type>> {
    ty.clone().separated_by(just(Kind::Plus)).at_least(1).collect().boxed()
}

fn bounds<'t>(ty: &Rule<'t, Type>) -> Rule<'t, Vec<Bound>> {
    let bound = ty.clone().then_ignore(just(Kind::Colon)).then(bound_list(ty));
    let bound = bound.map(|(ty, bounds)| Bound { ty, bounds });
    let list = bound.separated_by(just(Kind::Comma)).at_least(1).allow_trailing().collect::<Vec<_>>();
    just(Kind::Where).ignore_then(list).or_not().map(Option::unwrap_or_default).boxed()
}

/// A field, variant or method in braces.
enum Member<T> {
    Other(T),
    Method(Box<Function>),
    Error,
}

/// `{ ... }` around members, which newlines or commas separate; nothing need stand after a method.
fn members<'t, T: 't>(
    other: Rule<'t, T>,
    function: &Rule<'t, Function>,
    bodies: bool,
) -> Rule<'t, (Vec<T>, Vec<Function>)> {
    let method = attributes().then(function.clone()).map_with(move |(attributes, function), seen| {
        if bodies && function.body.is_none() {
            missing_body(&function, seen);
        }
        Member::Method(Box::new(Function { attributes, ..function }))
    });
    let next = choice((just(Kind::Comma), just(Kind::Newline), just(Kind::Semi)));
    let stop = choice((next, just(Kind::KwF), just(Kind::RBrace))).rewind().labelled(Label::Comma);
    let member = choice((method, other.then_ignore(stop).map(Member::Other))).boxed();
    let skip =
        skip_until(|kind| matches!(kind, Kind::Newline | Kind::Comma | Kind::Semi | Kind::KwF)).map(|()| Member::Error);
    let member = member.recover_with(via_parser(skip)).then_ignore(next.repeated());
    next.repeated()
        .ignore_then(member.repeated().collect::<Vec<_>>())
        .delimited_by(just(Kind::LBrace), just(Kind::RBrace))
        .map(|members| {
            let (mut others, mut methods) = (Vec::new(), Vec::new());
            for member in members {
                match member {
                    Member::Other(other) => others.push(other),
                    Member::Method(method) => methods.push(*method),
                    Member::Error => {}
                }
            }
            (others, methods)
        })
        .boxed()
}

/// Members that are methods only.
fn methods<'t>(function: &Rule<'t, Function>, bodies: bool) -> Rule<'t, Vec<Function>> {
    let nothing = just(Kind::KwF).rewind().filter(|_| false).ignored().boxed();
    members(nothing, function, bodies).map(|(_, methods)| methods).boxed()
}

fn field<'t>(rules: &Rules<'t>) -> Rule<'t, Field> {
    let ty = just(Kind::Colon).ignore_then(rules.types.any.clone());
    let default = just(Kind::Eq).ignore_then(rules.expression.clone()).or_not();
    let field = attributes().then(name()).then(ty).then(default);
    let field = field.map(|(((attributes, name), ty), default)| Field { name, ty, default, attributes });
    field.labelled(Label::Field).boxed()
}

fn structure<'t>(rules: &Rules<'t>, function: &Rule<'t, Function>) -> Rule<'t, (Struct, Span)> {
    head(Kind::KwS, rules)
        .then(members(field(rules), function, true))
        .map(|(((name, generics), head), (fields, methods))| (Struct { name, generics, fields, methods }, head))
        .boxed()
}

/// A letter, a name, generics and bounds.
fn head<'t>(letter: Kind, rules: &Rules<'t>) -> Rule<'t, ((Ident, Generics), Span)> {
    let head = just(letter).ignore_then(name()).then(generics(&rules.types.any)).then(bounds(&rules.types.any));
    head.map_with(|((name, mut generics), bounds), seen| {
        generics.bounds = bounds;
        ((name, generics), seen.span())
    })
    .boxed()
}

fn enumeration<'t>(rules: &Rules<'t>, function: &Rule<'t, Function>) -> Rule<'t, (Enum, Span)> {
    let tuple = rules.types.any.clone().separated_by(just(Kind::Comma)).allow_trailing().collect::<Vec<_>>();
    let tuple = tuple.delimited_by(just(Kind::LParen), just(Kind::RParen)).map(Payload::Tuple);
    let next = separators(Kind::Comma);
    let fields = next.clone().ignore_then(field(rules).then_ignore(next).repeated().collect::<Vec<_>>());
    let fields = fields.delimited_by(just(Kind::LBrace), just(Kind::RBrace)).map(Payload::Struct);
    let payload = choice((tuple, fields)).or_not().map(|payload| payload.unwrap_or(Payload::Unit));
    let variant = attributes().then(name()).then(payload);
    let variant = variant.map(|((attributes, name), payload)| Variant { name, payload, attributes });
    head(Kind::KwE, rules)
        .then(members(variant.labelled(Label::Field).boxed(), function, true))
        .map(|(((name, generics), head), (variants, methods))| (Enum { name, generics, variants, methods }, head))
        .boxed()
}

fn interface<'t>(rules: &Rules<'t>, function: &Rule<'t, Function>) -> Rule<'t, (Trait, Span)> {
    let ty = &rules.types.any;
    let supertraits = just(Kind::Colon).ignore_then(bound_list(ty)).or_not().map(Option::unwrap_or_default);
    let head = just(Kind::KwW).ignore_then(name()).then(generics(ty)).then(supertraits).then(bounds(ty));
    head.map_with(|(((name, mut generics), supertraits), bounds), seen| {
        generics.bounds = bounds;
        (name, generics, supertraits, seen.span())
    })
    .then(methods(function, false))
    .map(|((name, generics, supertraits, head), methods)| (Trait { name, generics, supertraits, methods }, head))
    .boxed()
}

fn implementation<'t>(rules: &Rules<'t>, function: &Rule<'t, Function>) -> Rule<'t, (Impl, Span)> {
    let ty = &rules.types.any;
    let ty_at = ty.clone().map_with(|ty, seen| (ty, seen.span()));
    let mark = choice((just(Kind::Colon).to(false), just(Kind::KwFor).to(true)));
    let other = mark.then(ty_at.clone()).or_not();
    let head = just(Kind::KwX).ignore_then(generics(ty)).then(ty_at).then(other).then(bounds(ty));
    head.map_with(|(((mut generics, first), other), bounds), seen| {
        generics.bounds = bounds;
        let (target, of_trait) = match other {
            None => (first.0, None),
            Some((false, (of_trait, _))) => (first.0, Some(of_trait)),
            // As in Rust, the trait stands first.
            Some((true, target)) => {
                trait_first(first.1, target.1, seen);
                (target.0, Some(first.0))
            }
        };
        (generics, target, of_trait, seen.span())
    })
    .then(methods(function, true))
    .map(|((generics, target, of_trait, head), methods)| (Impl { generics, target, of_trait, methods }, head))
    .boxed()
}

/// `X Trait for Type`
fn trait_first(of_trait: Span, target: Span, seen: &mut Seen) {
    let source = seen.state().text;
    let text = |span: Span| source.get(span.start as usize..span.end as usize).unwrap_or("");
    let mended = format!("{}: {}", text(target), text(of_trait));
    let span = of_trait.to(target);
    let problem = Problem::new(codes::UNEXPECTED_TOKEN, span, "the type stands first: `X Type: Trait`");
    seen.emit(Failure::of(problem.text("write it the other way round").suggest(span, mended).family("item")));
}

/// Functions of C.
fn foreign<'t>(function: &Rule<'t, Function>) -> Rule<'t, (Extern, Span)> {
    let abi = just(Kind::Str).map_with(|_, seen| Name::new(&argument(seen)));
    let abi = abi.or_not().map(|abi| abi.unwrap_or_else(|| Name::new("C"))).boxed();
    let one = function.clone().map(|function| vec![function]);
    let block = just(Kind::KwN).ignore_then(abi).then(choice((methods(function, false), one.clone())));
    let short = just(Kind::KwX).then(just(Kind::KwF).rewind()).to(Name::new("C")).then(one);
    choice((block, short))
        .map_with(|(abi, functions), seen| {
            for function in functions.iter().filter(|function| function.body.is_some()) {
                let problem = Problem::new(codes::FOREIGN_BODY, function.head, "a function of C has no body here");
                seen.emit(Failure::of(
                    problem.text("declared as defined elsewhere").help("leave out the body, or the `N` or `X`"),
                ));
            }
            let head = functions.first().map_or(seen.span(), |function| function.head);
            (Extern { abi, functions }, Span { start: seen.span().start, end: head.end })
        })
        .boxed()
}

fn import<'t>() -> Rule<'t, Import> {
    let mark = choice((just(Kind::Slash), just(Kind::Dot), just(Kind::PathSep)));
    let list = name().separated_by(just(Kind::Comma)).allow_trailing().collect::<Vec<_>>();
    let list = mark.ignore_then(list.delimited_by(just(Kind::LBrace), just(Kind::RBrace)));
    let path = name().map(|name| vec![name]).foldl(mark.ignore_then(name()).repeated(), |mut path, name| {
        path.push(name);
        path
    });
    just(Kind::KwU).ignore_then(path).then(list.or_not()).map(|(path, names)| Import { path, names }).boxed()
}

pub(super) fn constant<'t>(expression: &Rule<'t, Expr>, ty: &Rule<'t, Type>) -> Rule<'t, Const> {
    let ty = just(Kind::Colon).ignore_then(ty.clone()).or_not();
    let mark = choice((just(Kind::Eq), just(Kind::ColonEq)));
    just(Kind::KwC)
        .ignore_then(name())
        .then(ty)
        .then(mark.ignore_then(expression.clone()))
        .map(|((name, ty), value)| Const { name, ty, value })
        .boxed()
}

pub(super) fn global<'t>(expression: &Rule<'t, Expr>, ty: &Rule<'t, Type>) -> Rule<'t, Global> {
    let ty = just(Kind::Colon).ignore_then(ty.clone()).or_not();
    let mark = choice((just(Kind::Eq), just(Kind::ColonEq)));
    just(Kind::KwG)
        .ignore_then(name())
        .then(ty)
        .then(mark.ignore_then(expression.clone()).or_not())
        .map(|((name, ty), value)| Global { name, ty, value })
        .boxed()
}

fn alias<'t>(rules: &Rules<'t>) -> Rule<'t, Alias> {
    let ty = &rules.types.any;
    let head = just(Kind::KwT).ignore_then(name()).then(generics(ty)).then_ignore(just(Kind::Eq));
    head.then(ty.clone()).map(|((name, generics), ty)| Alias { name, generics, ty }).boxed()
}
