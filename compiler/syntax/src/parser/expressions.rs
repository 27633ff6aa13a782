//! Expressions.

use chumsky::prelude::*;

use super::patterns::{Patterns, boolean, number, patterns, string};
use super::types::{Types, types};
use super::{Label, Rule, Seen, any_name, name, separators, skip_until, statements, text};
use crate::Span;
use crate::ast::*;
use crate::codes;
use crate::layout::problem::Problem;
use crate::lexer::Kind;
use crate::parser::Failure;

/// The rules that items are made of.
pub(super) struct Rules<'t> {
    pub expression: Rule<'t, Expr>,
    /// An expression, or an assignment as a block of one statement.
    pub value: Rule<'t, Expr>,
    pub block: Rule<'t, Block>,
    pub types: Types<'t>,
}

/// All rules about expressions, and those about statements and types that they need.
///
/// ```text
/// expression = ternary ("|>" ternary)*
/// ternary    = binary ("?" expression ":" binary)*
/// binary     = operand (operator operand | ("as" type) | ".." operand? | "..=" operand?)*     by precedence
/// operand    = ("-" | "!" | "~" | "*" | "&" "mut"?)* postfix ("as" type)*
/// postfix    = atom ("(" values ")" | "." name arguments? ("(" values ")")? | "." number | "::" name arguments?
///            | "[" expression "]" | "?" | "!" | "{" fields "}")*
/// atom       = name arguments? | number | string | "true" | "false" | "@" | block | "(" values ")" | closure
///            | "[" values "]" | "[" expression ";" expression "]" | if | loop | match | "R" expression?
///            | "B" expression? | "C"
/// if         = "I" expression block ("E" "I" expression block)* ("E" block)?
/// loop       = "L" block | "L" expression block | "L" pattern ":" expression block
/// match      = "M" expression "{" (pattern ("I" expression)? "=>" value)* "}"
/// closure    = "move"? ("|" parameters "|" | "||") ("->" type)? value
/// value      = expression (assignment expression)?
/// ```
pub(super) fn rules<'t>() -> Rules<'t> {
    let mut kept = None;
    let expression = recursive(|expression| {
        let expression = expression.boxed();
        let types = types(expression.clone());
        let patterns = patterns(types.arguments.clone());
        let value = value(expression.clone());
        let block = statements::block(&expression, &value, &types, &patterns);
        let atom = atom(&expression, &value, &block, &types, &patterns);
        let operand = operand(postfix(atom, &expression, &types), &types);
        kept = Some((value, block, types));
        let ternary = ternary(binary(operand), expression);
        let pipe = just(Kind::PipeGt).ignore_then(ternary.clone()).repeated();
        ternary.foldl(pipe, |left: Expr, right: Expr| {
            let span = left.span.to(right.span);
            Expr::new(ExprKind::Pipe(left, right), span)
        })
    })
    .boxed();
    let (value, block, types) = kept.expect("the closure has run");
    Rules { expression, value, block, types }
}

/// An expression, or an assignment as a block of one statement, where a value is wanted but need not be used.
fn value<'t>(expression: Rule<'t, Expr>) -> Rule<'t, Expr> {
    let assignment = statements::assignment_operator().then(expression.clone()).or_not();
    expression
        .then(assignment)
        .map_with(|(target, assignment), seen| {
            let Some((op, value)) = assignment else { return target };
            let span = seen.span();
            let kind = StatementKind::Assign { target, op, value };
            let statements = vec![Statement { kind, span }];
            Expr::new(ExprKind::Block(Block { statements, ends_with_semicolon: false, span }), span)
        })
        .boxed()
}

/// `c ? a : b`; the right side of one may be another.
fn ternary<'t>(binary: Rule<'t, Expr>, expression: Rule<'t, Expr>) -> Rule<'t, Expr> {
    let branch = just(Kind::Question).ignore_then(expression).then_ignore(just(Kind::Colon)).then(binary.clone());
    binary
        .then(branch.repeated().collect::<Vec<_>>())
        .map(|(mut condition, branches)| {
            let mut conditions = Vec::new();
            for (yes, no) in branches {
                conditions.push((std::mem::replace(&mut condition, no), yes));
            }
            conditions.into_iter().rev().fold(condition, |no, (condition, yes)| {
                let span = condition.span.to(no.span);
                Expr::new(ExprKind::Ternary(condition, yes, no), span)
            })
        })
        .boxed()
}

/// An operator between operands.
#[derive(Clone, Copy)]
enum Operator {
    Binary(BinaryOp),
    Range { inclusive: bool },
}

impl Operator {
    /// How tightly it binds.
    fn power(self) -> u8 {
        use BinaryOp::*;
        match self {
            Operator::Binary(Or) => 1,
            Operator::Binary(And) => 2,
            Operator::Binary(BitOr) => 3,
            Operator::Binary(BitXor) => 4,
            Operator::Binary(BitAnd) => 5,
            Operator::Binary(Eq | Ne) => 6,
            Operator::Range { .. } => 7,
            Operator::Binary(Lt | Le | Gt | Ge) => 8,
            Operator::Binary(Shl | Shr) => 9,
            Operator::Binary(Add | Sub) => 10,
            Operator::Binary(Mul | Div | Rem) => 11,
        }
    }
}

fn binary_operator<'t>() -> Rule<'t, BinaryOp> {
    let single = select! {
        Kind::Plus => BinaryOp::Add, Kind::Minus => BinaryOp::Sub, Kind::Star => BinaryOp::Mul,
        Kind::Slash => BinaryOp::Div, Kind::Percent => BinaryOp::Rem, Kind::Amp => BinaryOp::BitAnd,
        Kind::Pipe => BinaryOp::BitOr, Kind::Caret => BinaryOp::BitXor, Kind::Shl => BinaryOp::Shl,
        Kind::EqEq => BinaryOp::Eq, Kind::Ne => BinaryOp::Ne, Kind::Lt => BinaryOp::Lt, Kind::Le => BinaryOp::Le,
        Kind::Gt => BinaryOp::Gt, Kind::Ge => BinaryOp::Ge, Kind::AmpAmp => BinaryOp::And,
        Kind::PipePipe => BinaryOp::Or,
    };
    let shift = just(Kind::GtJoint).then(just(Kind::Gt)).to(BinaryOp::Shr);
    choice((single, shift)).labelled(Label::Operator).boxed()
}

type Step = (Operator, Span, Option<Expr>);

fn binary<'t>(operand: Rule<'t, Expr>) -> Rule<'t, Expr> {
    let spanned = |op: BinaryOp, seen: &mut Seen| (Operator::Binary(op), seen.span());
    let step = binary_operator().map_with(spanned).then(operand.clone());
    let step = step.map(|((op, span), right)| (op, span, Some(right)));
    let dots = choice((just(Kind::DotDot).to(false), just(Kind::DotDotEq).to(true)))
        .map_with(|inclusive, seen| (Operator::Range { inclusive }, seen.span()))
        .boxed();
    // A block cannot be the end of a range: in `L i: 0.. {` it is the loop's.
    let end = operand.clone().and_is(just(Kind::LBrace).not()).or_not();
    let range = dots.then(end).map(|((op, span), right)| (op, span, right)).boxed();
    let rest = choice((step, range.clone())).repeated().collect::<Vec<Step>>();
    let open = range.then(rest.clone()).map(|(first, rest)| climb(None, std::iter::once(first).chain(rest)));
    let closed = operand.then(rest).map(|(first, rest)| climb(Some(first), rest.into_iter()));
    choice((closed, open)).labelled(Label::Expression).boxed()
}

/// Makes a tree of a flat row of operands by the precedence of the operators between them.
fn climb(first: Option<Expr>, steps: impl Iterator<Item = Step>) -> Expr {
    let mut operands = vec![first];
    let mut operators: Vec<(Operator, Span)> = Vec::new();
    for (op, span, right) in steps {
        while operators.last().is_some_and(|top| top.0.power() >= op.power()) {
            reduce(&mut operands, &mut operators);
        }
        operators.push((op, span));
        operands.push(right);
    }
    while !operators.is_empty() {
        reduce(&mut operands, &mut operators);
    }
    operands.pop().flatten().unwrap_or_else(|| Expr::new(ExprKind::Error, Span::default()))
}

fn reduce(operands: &mut Vec<Option<Expr>>, operators: &mut Vec<(Operator, Span)>) {
    let (Some((op, at)), right, left) = (operators.pop(), operands.pop().flatten(), operands.pop().flatten()) else {
        return;
    };
    let start = left.as_ref().map_or(at, |left| left.span);
    let span = start.to(right.as_ref().map_or(at, |right| right.span));
    let missing = |side: Option<Expr>| side.unwrap_or_else(|| Expr::new(ExprKind::Error, at));
    let kind = match op {
        Operator::Range { inclusive } => ExprKind::Range { start: left, end: right, inclusive },
        Operator::Binary(op) => ExprKind::Binary(op, at, missing(left), missing(right)),
    };
    operands.push(Some(Expr::new(kind, span)));
}

/// An operator before an operand.
#[derive(Clone, Copy)]
enum Prefix {
    Unary(UnaryOp),
    Address,
    /// `&&`, an address of an address.
    AddressTwice,
}

fn operand<'t>(postfix: Rule<'t, Expr>, types: &Types<'t>) -> Rule<'t, Expr> {
    let unary = select! {
        Kind::Minus => Prefix::Unary(UnaryOp::Negate), Kind::Bang => Prefix::Unary(UnaryOp::Not),
        Kind::Tilde => Prefix::Unary(UnaryOp::BitNot), Kind::Star => Prefix::Unary(UnaryOp::Deref),
    };
    let address = choice((just(Kind::Amp).to(Prefix::Address), just(Kind::AmpAmp).to(Prefix::AddressTwice)));
    let address = address.then_ignore(just(Kind::Mut).or_not());
    let prefix = choice((unary, address)).map_with(|op, seen| (op, seen.span()));
    let unary = prefix.repeated().foldr(postfix, |(op, at): (Prefix, Span), operand: Expr| {
        let span = at.to(operand.span);
        let kind = match op {
            Prefix::Unary(op) => ExprKind::Unary(op, operand),
            Prefix::Address => ExprKind::AddressOf(operand),
            Prefix::AddressTwice => ExprKind::AddressOf(Expr::new(ExprKind::AddressOf(operand), span)),
        };
        Expr::new(kind, span)
    });
    let cast = just(Kind::As).ignore_then(types.cast.clone()).repeated();
    unary
        .foldl(cast, |value: Expr, ty: Type| {
            let span = value.span.to(ty.span);
            Expr::new(ExprKind::Cast(value, ty), span)
        })
        .boxed()
}

/// What may follow an atom.
enum Postfix {
    Call(Vec<Expr>),
    Method(Ident, Vec<Type>, Vec<Expr>),
    Field(Ident, Vec<Type>),
    TupleField(u32, Span),
    Member(Ident, Vec<Type>),
    Index(Expr),
    Struct(Vec<FieldValue>),
    Try,
    Unwrap,
}

fn postfix<'t>(atom: Rule<'t, Expr>, expression: &Rule<'t, Expr>, types: &Types<'t>) -> Rule<'t, Expr> {
    let arguments = arguments(expression.clone());
    let type_arguments = types.arguments.clone().or_not().map(Option::unwrap_or_default);
    let member = any_name().then(type_arguments.clone()).then(arguments.clone().or_not());
    let member = member.map(|((name, types), arguments)| match arguments {
        Some(arguments) => Postfix::Method(name, types, arguments),
        None => Postfix::Field(name, types),
    });
    let number = just(Kind::Int).map_with(|_, seen| {
        let index = text(seen).parse().unwrap_or(u32::MAX);
        Postfix::TupleField(index, seen.span())
    });
    let dot = just(Kind::Dot).ignore_then(choice((member, number)));
    let path = just(Kind::PathSep).ignore_then(any_name()).then(type_arguments);
    let index = expression.clone().delimited_by(just(Kind::LBracket), just(Kind::RBracket));
    let postfix = choice((
        dot,
        arguments.map(Postfix::Call),
        index.map(Postfix::Index),
        path.map(|(name, types)| Postfix::Member(name, types)),
        struct_fields(expression.clone()).map(Postfix::Struct),
        just(Kind::Try).map(|_| Postfix::Try),
        just(Kind::Bang).map(|_| Postfix::Unwrap),
    ));
    atom.foldl_with(postfix.boxed().repeated(), apply).boxed()
}

fn apply(value: Expr, postfix: Postfix, seen: &mut Seen) -> Expr {
    let span = seen.span();
    let kind = match postfix {
        Postfix::Call(arguments) => ExprKind::Call(value, arguments),
        Postfix::Method(name, types, arguments) => match *value.kind {
            ExprKind::Instance(owner, owner_types) => {
                let path = TypePath { segments: vec![owner], arguments: owner_types };
                let callee = Expr::new(ExprKind::Path(path, name), value.span.to(name.span));
                ExprKind::Call(callee, arguments)
            }
            _ => ExprKind::MethodCall { receiver: value, method: name, type_arguments: types, arguments },
        },
        Postfix::Field(name, types) => member(value, name, types, true),
        Postfix::Member(name, types) => member(value, name, types, false),
        Postfix::TupleField(index, at) => ExprKind::TupleField(value, index, at),
        Postfix::Index(index) => ExprKind::Index(value, index),
        Postfix::Try => ExprKind::Try(value),
        Postfix::Unwrap => ExprKind::Unwrap(value),
        Postfix::Struct(fields) => match type_path(&value) {
            Some(path) => ExprKind::Struct(path, fields),
            None => {
                let problem = Problem::new(codes::UNEXPECTED_TOKEN, value.span, "this is not the name of a struct");
                seen.emit(Failure::of(problem.text("a struct's name is wanted before `{`")));
                ExprKind::Error
            }
        },
    };
    Expr::new(kind, span)
}

/// `a.b` and `a::b`: a field, unless type arguments or `::` say that `a` is a type or module.
fn member(value: Expr, name: Ident, types: Vec<Type>, dot: bool) -> ExprKind {
    let is_path = matches!(*value.kind, ExprKind::Instance(..) | ExprKind::Path(..));
    if dot && !is_path && types.is_empty() {
        return ExprKind::Field(value, name);
    }
    match type_path(&value) {
        Some(mut path) if !(dot && matches!(*value.kind, ExprKind::Path(..))) => {
            path.arguments.extend(types);
            ExprKind::Path(path, name)
        }
        _ => ExprKind::Field(value, name),
    }
}

/// An expression read as the name of a type.
fn type_path(value: &Expr) -> Option<TypePath> {
    Some(match &*value.kind {
        ExprKind::Name(name) => {
            TypePath { segments: vec![Ident { name: *name, span: value.span }], arguments: Vec::new() }
        }
        ExprKind::Instance(name, arguments) => TypePath { segments: vec![*name], arguments: arguments.clone() },
        ExprKind::Path(path, name) => {
            let mut path = path.clone();
            path.segments.push(*name);
            path
        }
        ExprKind::Field(owner, name) => {
            let mut path = type_path(owner)?;
            path.segments.push(*name);
            path
        }
        _ => return None,
    })
}

fn arguments<'t>(expression: Rule<'t, Expr>) -> Rule<'t, Vec<Expr>> {
    let list = expression.separated_by(just(Kind::Comma)).allow_trailing().collect::<Vec<_>>();
    list.delimited_by(just(Kind::LParen), just(Kind::RParen)).boxed()
}

/// `{ name: value, name }`
fn struct_fields<'t>(expression: Rule<'t, Expr>) -> Rule<'t, Vec<FieldValue>> {
    let field = any_name().then(just(Kind::Colon).ignore_then(expression).or_not()).map(|(name, value)| {
        let shorthand = || Expr::new(ExprKind::Name(name.name), name.span);
        FieldValue { name, value: value.unwrap_or_else(shorthand) }
    });
    let fields = field.labelled(Label::Field).separated_by(separator()).allow_trailing().collect::<Vec<_>>();
    separators(Kind::Comma).ignore_then(fields).delimited_by(just(Kind::StructOpen), just(Kind::RBrace)).boxed()
}

/// One or more commas and newlines.
fn separator<'t>() -> Rule<'t, ()> {
    choice((just(Kind::Comma), just(Kind::Newline))).repeated().at_least(1).labelled(Label::Comma).boxed()
}

fn atom<'t>(
    expression: &Rule<'t, Expr>,
    value: &Rule<'t, Expr>,
    block: &Rule<'t, Block>,
    types: &Types<'t>,
    patterns: &Patterns<'t>,
) -> Rule<'t, Expr> {
    let named = name().then(types.arguments.clone().or_not()).map(|(name, arguments)| match arguments {
        Some(arguments) => ExprKind::Instance(name, arguments),
        None => ExprKind::Name(name.name),
    });
    let kind = choice((
        named,
        tuple(expression.clone()),
        just(Kind::At).to(ExprKind::At),
        array(expression.clone()),
        block.clone().map(ExprKind::Block),
        leave(expression),
        conditional(expression, block),
        looping(expression, block, patterns),
        matching(expression, value, patterns),
        closure(value, types, patterns),
    ));
    let kind = kind.map_with(|kind, seen| Expr::new(kind, seen.span()));
    choice((number(), string(), boolean(), kind)).labelled(Label::Expression).boxed()
}

/// `(a, b)`, `(a,)`, `()`; a lone expression in parentheses is itself.
fn tuple<'t>(expression: Rule<'t, Expr>) -> Rule<'t, ExprKind> {
    let more = just(Kind::Comma).ignore_then(expression.clone()).repeated().collect::<Vec<_>>();
    let trailing = just(Kind::Comma).or_not().map(|comma| comma.is_some());
    let inner = expression.then(more).then(trailing).or_not();
    inner
        .delimited_by(just(Kind::LParen), just(Kind::RParen))
        .map(|inner| match inner {
            None => ExprKind::Tuple(Vec::new()),
            Some(((first, more), false)) if more.is_empty() => *first.kind,
            Some(((first, more), _)) => ExprKind::Tuple(std::iter::once(first).chain(more).collect()),
        })
        .boxed()
}

/// `[a, b]`, `[a; n]`
fn array<'t>(expression: Rule<'t, Expr>) -> Rule<'t, ExprKind> {
    let more = just(Kind::Comma).ignore_then(expression.clone()).repeated().collect::<Vec<_>>();
    let list = more.then_ignore(just(Kind::Comma).or_not()).map(Err);
    let tail = choice((just(Kind::Semi).ignore_then(expression.clone()).map(Ok), list));
    expression
        .then(tail)
        .or_not()
        .delimited_by(just(Kind::LBracket), just(Kind::RBracket))
        .map(|inner| match inner {
            None => ExprKind::Array(Vec::new()),
            Some((value, Ok(length))) => ExprKind::Repeat(value, length),
            Some((first, Err(more))) => ExprKind::Array(std::iter::once(first).chain(more).collect()),
        })
        .boxed()
}

fn leave<'t>(expression: &Rule<'t, Expr>) -> Rule<'t, ExprKind> {
    choice((
        just(Kind::KwReturn).ignore_then(expression.clone()).map(|value| ExprKind::Return(Some(value))),
        just(Kind::KwR).map(|_| ExprKind::Return(None)),
        just(Kind::KwBreak).ignore_then(expression.clone()).map(|value| ExprKind::Break(Some(value))),
        just(Kind::KwB).to(ExprKind::Break(None)),
        just(Kind::KwContinue).to(ExprKind::Continue),
    ))
    .boxed()
}

fn conditional<'t>(expression: &Rule<'t, Expr>, block: &Rule<'t, Block>) -> Rule<'t, ExprKind> {
    let branch = just(Kind::KwI).map_with(|_, seen| seen.span()).then(expression.clone()).then(block.clone());
    let branch = branch.map(|((at, condition), then)| (at, condition, then)).boxed();
    let more = just(Kind::KwElse).ignore_then(branch.clone()).repeated().collect::<Vec<_>>();
    let last = just(Kind::KwElse).ignore_then(block.clone()).or_not();
    branch
        .then(more)
        .then(last)
        .map(|((first, more), last)| {
            let mut otherwise = last.map(|block| Expr::new(ExprKind::Block(block.clone()), block.span));
            for (at, condition, then) in more.into_iter().rev() {
                let span = at.to(otherwise.as_ref().map_or(then.span, |otherwise| otherwise.span));
                otherwise = Some(Expr::new(ExprKind::If { condition, then, otherwise }, span));
            }
            let (_, condition, then) = first;
            ExprKind::If { condition, then, otherwise }
        })
        .boxed()
}

fn looping<'t>(expression: &Rule<'t, Expr>, block: &Rule<'t, Block>, patterns: &Patterns<'t>) -> Rule<'t, ExprKind> {
    let endless = just(Kind::KwLoop).to(LoopKind::Infinite);
    let conditional = just(Kind::KwWhile).ignore_then(expression.clone()).map(LoopKind::While);
    let each = just(Kind::KwFor).ignore_then(patterns.single.clone()).then_ignore(just(Kind::Colon));
    let each = each.then(expression.clone()).map(|(pattern, values)| LoopKind::For(pattern, values));
    choice((endless, conditional, each)).then(block.clone()).map(|(kind, block)| ExprKind::Loop(kind, block)).boxed()
}

fn matching<'t>(expression: &Rule<'t, Expr>, value: &Rule<'t, Expr>, patterns: &Patterns<'t>) -> Rule<'t, ExprKind> {
    let guard = just(Kind::KwI).ignore_then(expression.clone()).or_not();
    let arm = patterns.any.clone().then(guard).then_ignore(just(Kind::FatArrow)).then(value.clone());
    let arm = arm.map_with(|((pattern, guard), body), seen| Arm { pattern, guard, body, span: seen.span() });
    let arm = arm.then_ignore(choice((separator(), just(Kind::RBrace).rewind().ignored())));
    let skip = skip_until(|kind| matches!(kind, Kind::Newline | Kind::Comma)).then(separators(Kind::Comma));
    let skip = skip.map_with(|_, seen| {
        let span = seen.span();
        let pattern = Pattern { kind: PatternKind::Error, span };
        Arm { pattern, guard: None, body: Expr::new(ExprKind::Error, span), span }
    });
    let arm = arm.labelled(Label::Arm).recover_with(via_parser(skip));
    let arms = separators(Kind::Comma).ignore_then(arm.repeated().collect::<Vec<_>>());
    let arms = arms.delimited_by(just(Kind::LBrace), just(Kind::RBrace));
    just(Kind::KwM).ignore_then(expression.clone()).then(arms).map(|(value, arms)| ExprKind::Match(value, arms)).boxed()
}

fn closure<'t>(value: &Rule<'t, Expr>, types: &Types<'t>, patterns: &Patterns<'t>) -> Rule<'t, ExprKind> {
    let ty = just(Kind::Colon).ignore_then(types.any.clone()).or_not();
    let param = patterns.single.clone().then(ty);
    let params = param.separated_by(just(Kind::Comma)).allow_trailing().collect::<Vec<_>>();
    let params = params.delimited_by(just(Kind::Pipe), just(Kind::Pipe));
    let params = choice((just(Kind::PipePipe).to(Vec::new()), params));
    let result = just(Kind::Arrow).ignore_then(types.any.clone()).or_not();
    just(Kind::Move)
        .or_not()
        .ignore_then(params)
        .then(result)
        .then(value.clone())
        .map(|((params, result), body)| ExprKind::Closure { params, result, body })
        .boxed()
}
