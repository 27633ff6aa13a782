//! Blocks and statements.

use chumsky::prelude::*;

use super::patterns::Patterns;
use super::types::Types;
use super::{Label, Rule, items, name, separators, skip_until};
use crate::Span;
use crate::ast::*;
use crate::lexer::Kind;

/// Blocks.
///
/// ```text
/// block     = "{" (statement separator*)* "}"           separator = newline | ";"
/// statement = pattern (":" type)? (":=" "mut"? | "=") expression | "D" value | "G" global | "C" constant
///           | expression (assignment expression)?
/// assignment = "=" | "+=" | "-=" | "*=" | "/=" | "%=" | "&=" | "|=" | "^=" | "<<=" | ">>="
/// ```
pub(super) fn block<'t>(
    expression: &Rule<'t, Expr>,
    value: &Rule<'t, Expr>,
    types: &Types<'t>,
    patterns: &Patterns<'t>,
) -> Rule<'t, Block> {
    let skip = skip_until(|kind| matches!(kind, Kind::Newline | Kind::Semi));
    let skip = skip.map_with(|(), seen| Statement { kind: StatementKind::Error, span: seen.span() });
    let statement = statement(expression, value, types, patterns).recover_with(via_parser(skip));
    let statements = statement.then(separators(Kind::Semi)).repeated().collect::<Vec<_>>();
    separators(Kind::Semi)
        .ignore_then(statements)
        .delimited_by(just(Kind::LBrace), just(Kind::RBrace))
        .map_with(|statements, seen| {
            let ends_with_semicolon = statements.last().is_some_and(|(_, semicolon)| *semicolon);
            let statements = statements.into_iter().map(|(statement, _)| statement).collect();
            Block { statements, ends_with_semicolon, span: seen.span() }
        })
        .boxed()
}

fn statement<'t>(
    expression: &Rule<'t, Expr>,
    value: &Rule<'t, Expr>,
    types: &Types<'t>,
    patterns: &Patterns<'t>,
) -> Rule<'t, Statement> {
    let defer = just(Kind::KwD).ignore_then(value.clone()).map(StatementKind::Defer);
    let global = items::global(expression, &types.any).map(StatementKind::Global);
    let constant = items::constant(expression, &types.any).map(StatementKind::Const);
    choice((
        named_let(expression, types),
        plain(expression),
        unpacking_let(expression, types, patterns),
        defer,
        global,
        constant,
    ))
    .map_with(|kind, seen| Statement { kind, span: seen.span() })
    .labelled(Label::Statement)
    .boxed()
}

/// `x := e`, `x: T = e`, `x: T := e`
fn named_let<'t>(expression: &Rule<'t, Expr>, types: &Types<'t>) -> Rule<'t, StatementKind> {
    let target = name().then(choice((just(Kind::ColonEq), just(Kind::Colon))).rewind()).map(|(name, _)| {
        let kind = if name.name == "_" { PatternKind::Wildcard } else { PatternKind::Name(name.name) };
        Pattern { kind, span: name.span }
    });
    target
        .then(type_and_value(expression, types))
        .map(|(pattern, (ty, mutable, value))| StatementKind::Let { pattern, ty, mutable, value })
        .boxed()
}

/// `(a, b) := pair`
fn unpacking_let<'t>(
    expression: &Rule<'t, Expr>,
    types: &Types<'t>,
    patterns: &Patterns<'t>,
) -> Rule<'t, StatementKind> {
    just(Kind::LetMark)
        .ignore_then(patterns.single.clone())
        .then(type_and_value(expression, types))
        .map(|(pattern, (ty, mutable, value))| StatementKind::Let { pattern, ty, mutable, value })
        .boxed()
}

/// `: T = e`, `:= mut e`
fn type_and_value<'t>(expression: &Rule<'t, Expr>, types: &Types<'t>) -> Rule<'t, (Option<Type>, bool, Expr)> {
    let mutable = just(Kind::Mut).or_not().map(|mutable| mutable.is_some());
    let declared = just(Kind::Colon).ignore_then(types.any.clone());
    let declared = declared.map(Some).then_ignore(choice((just(Kind::Eq), just(Kind::ColonEq))));
    let inferred = just(Kind::ColonEq).to(None);
    // Even without a value the name is bound, so that its uses are no further errors.
    let rest = skip_until(|kind| matches!(kind, Kind::Newline | Kind::Semi)).or_not();
    let rest = rest.map_with(|_, seen| (None, false, Expr::new(ExprKind::Error, seen.span())));
    choice((inferred, declared))
        .then(mutable)
        .then(expression.clone())
        .map(|((ty, mutable), value)| (ty, mutable, value))
        .recover_with(via_parser(rest))
        .boxed()
}

/// An expression, or an assignment to one.
fn plain<'t>(expression: &Rule<'t, Expr>) -> Rule<'t, StatementKind> {
    let assignment = assignment_operator().then(expression.clone()).or_not();
    expression
        .clone()
        .then(assignment)
        .map(|(target, assignment)| match assignment {
            Some((op, value)) => StatementKind::Assign { target, op, value },
            None => StatementKind::Expr(target),
        })
        .boxed()
}

/// `=`, or an operator with `=`.
pub(super) fn assignment_operator<'t>() -> Rule<'t, Option<(BinaryOp, Span)>> {
    let op = select! {
        Kind::Eq => None,
        Kind::PlusEq => Some(BinaryOp::Add), Kind::MinusEq => Some(BinaryOp::Sub), Kind::StarEq => Some(BinaryOp::Mul),
        Kind::SlashEq => Some(BinaryOp::Div), Kind::PercentEq => Some(BinaryOp::Rem),
        Kind::AmpEq => Some(BinaryOp::BitAnd), Kind::PipeEq => Some(BinaryOp::BitOr),
        Kind::CaretEq => Some(BinaryOp::BitXor), Kind::ShlEq => Some(BinaryOp::Shl), Kind::ShrEq => Some(BinaryOp::Shr),
    };
    op.map_with(|op, seen| op.map(|op| (op, seen.span()))).labelled(Label::Operator).boxed()
}
