//! The grammar, over the tokens that `layout` prepared, and its runner; with its children the only user of `chumsky`.
//!
//! The tokens are balanced and need no context, so every rule is decided by its first token, two at the most, and nothing
//! is parsed twice. Errors are sets of bits, cheap enough to make on every failed alternative.

mod expressions;
mod failure;
mod items;
mod patterns;
mod statements;
mod types;

use chumsky::input::{Input as _, MappedInput};
use chumsky::inspector::SimpleState;
use chumsky::prelude::*;
use rustc_hash::FxHashMap;

use crate::ast::{Attribute, Expr, Ident, Item, ItemKind, StrLiteral, StrPart};
use crate::codes;
use crate::layout::problem::Problem;
use crate::layout::{Chunk, MAX_PROBLEMS, Piece, StringToken, Token};
use crate::lexer::Kind;
use crate::{Name, Span};
pub(crate) use failure::Failure;
use failure::Label;
pub(crate) use types::is_primitive;

type Input<'t> = MappedInput<'t, Kind, Span, &'t [Token]>;
type Extra<'t> = extra::Full<Failure, SimpleState<Context<'t>>, ()>;
/// One concrete, erased type for every grammar rule: no generics, short symbol names.
type Rule<'t, T> = Boxed<'t, 't, Input<'t>, T, Extra<'t>>;
type Seen<'t, 'b> = chumsky::input::MapExtra<'t, 'b, Input<'t>, Extra<'t>>;

impl chumsky::span::Span for Span {
    type Context = ();
    type Offset = u32;
    fn new(_: (), range: std::ops::Range<u32>) -> Span {
        Span { start: range.start, end: range.end }
    }
    fn context(&self) {}
    fn start(&self) -> u32 {
        self.start
    }
    fn end(&self) -> u32 {
        self.end
    }
}

/// What rules need to know beyond the tokens.
#[derive(Default)]
pub(crate) struct Context<'t> {
    /// The text of the item.
    text: &'t str,
    /// String literals by where they start.
    strings: FxHashMap<u32, StrLiteral>,
}

/// The rules that others start from. Each is built once for a call of `parse`.
pub(crate) struct Grammar<'t> {
    item: Rule<'t, (Vec<Attribute>, ItemKind, Span)>,
    hole: Rule<'t, Expr>,
}

/// What became of one item.
pub(crate) struct Parsed {
    pub item: Item,
    pub problems: Vec<Problem>,
}

impl<'t> Grammar<'t> {
    /// Builds all rules.
    pub fn new() -> Grammar<'t> {
        let rules = expressions::rules();
        Grammar { item: items::item(&rules), hole: rules.expression.then_ignore(end()).boxed() }
    }

    /// Parses the tokens of one item; `text` is the item's.
    pub fn item(&self, chunk: &'t Chunk, text: &'t str) -> Parsed {
        let mut problems = chunk.problems.clone();
        let mut context = SimpleState(Context { text, strings: FxHashMap::default() });
        for string in &chunk.strings {
            let literal = self.string(string, &mut context);
            context.strings.insert(string.start, literal);
        }
        let (output, failures) =
            if chunk.junk { (None, Vec::new()) } else { run(&self.item, &chunk.tokens, &mut context) };
        let muted = |span: Span| chunk.muted.iter().any(|range| range.start <= span.start && span.start <= range.end);
        let failures = failures.into_iter().map(|failure| failure.problem(text));
        problems.extend(failures.filter(|problem| !muted(problem.span)));
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        if problems.iter().any(|problem| problem.code != codes::MISSING_BODY) {
            problems.retain(|problem| problem.code != codes::MISSING_BODY);
        }
        Problem::join_families(&mut problems);
        problems.dedup_by(|a, b| a.span.start == b.span.start && a.code == b.code);
        problems.truncate(MAX_PROBLEMS);
        let (attributes, kind, head) = output.unwrap_or((Vec::new(), ItemKind::Error, Span::new(0, 0)));
        let docs = crate::ast::Docs(chunk.docs.clone());
        Parsed { item: Item { kind, attributes, docs, head }, problems }
    }

    /// Parses the holes of a string literal.
    fn string(&self, token: &'t StringToken, context: &mut SimpleState<Context<'t>>) -> StrLiteral {
        let raw = token.raw.clone();
        let mut parts = Vec::new();
        let mut broken = token.broken.clone();
        for piece in &token.pieces {
            match piece {
                Piece::Text(text) => parts.push(StrPart::Text(text.clone())),
                Piece::Hole { tokens, spec, span } if tokens.is_empty() => {
                    parts.push(StrPart::Hole(None, spec.clone(), *span));
                }
                Piece::Hole { tokens, spec, span } => match run(&self.hole, tokens, context) {
                    (Some(expr), failures) if failures.is_empty() => {
                        parts.push(StrPart::Hole(Some(expr), spec.clone(), *span));
                    }
                    (_, failures) => {
                        let problem = failures.into_iter().next().map(|failure| failure.problem(context.text));
                        let (span, message) =
                            problem.map_or((*span, String::new()), |found| (found.span, found.message));
                        broken = Some((span, message));
                        break;
                    }
                },
            }
        }
        if broken.is_some() || parts.is_empty() {
            parts = vec![StrPart::Text(raw.clone())];
        }
        StrLiteral { raw, parts, broken }
    }
}

fn run<'t, T>(
    rule: &Rule<'t, T>,
    tokens: &'t [Token],
    context: &mut SimpleState<Context<'t>>,
) -> (Option<T>, Vec<Failure>) {
    let end = tokens.last().map_or(0, |token| token.1.end);
    rule.parse_with_state(tokens.split_token_span(Span { start: end, end }), context).into_output_errors()
}

/// The text under the tokens of a rule.
fn text<'t>(seen: &mut Seen<'t, '_>) -> &'t str {
    let span = seen.span();
    seen.state().text.get(span.start as usize..span.end as usize).unwrap_or("")
}

fn ident(seen: &mut Seen) -> Ident {
    Ident { name: Name::new(text(seen)), span: seen.span() }
}

/// A name.
fn name<'t>() -> Rule<'t, Ident> {
    just(Kind::Name).map_with(|_, seen| ident(seen)).labelled(Label::Name).boxed()
}

/// A name where no keyword can stand, so that all letters are names.
fn any_name<'t>() -> Rule<'t, Ident> {
    select! {
        Kind::Name => (), Kind::KwR => (), Kind::KwReturn => (), Kind::KwB => (), Kind::KwBreak => (),
        Kind::KwContinue => (), Kind::KwI => (), Kind::KwM => (), Kind::KwD => (), Kind::KwWhile => (),
    }
    .map_with(|(), seen| ident(seen))
    .labelled(Label::Name)
    .boxed()
}

/// A newline or `;`, or a newline or comma.
fn separators<'t>(mark: Kind) -> Rule<'t, bool> {
    choice((just(Kind::Newline).to(false), just(mark).to(true)))
        .repeated()
        .fold(false, |marked, mark| marked | mark)
        .labelled(if mark == Kind::Comma { Label::Comma } else { Label::StatementEnd })
        .boxed()
}

/// Skips balanced tokens, at least one, up to a token that `stops` outside of brackets, or the bracket that closes
/// around.
fn skip_until<'t>(stops: fn(Kind) -> bool) -> Rule<'t, ()> {
    custom(move |input| {
        let mut depth = 0usize;
        let mut taken = 0;
        while let Some(kind) = input.peek() {
            match kind {
                kind if depth == 0 && stops(kind) && taken > 0 => break,
                Kind::LParen | Kind::LBracket | Kind::LBrace | Kind::StructOpen | Kind::AttrOpen => depth += 1,
                Kind::RParen | Kind::RBracket | Kind::RBrace if depth == 0 => break,
                Kind::RParen | Kind::RBracket | Kind::RBrace => depth -= 1,
                _ => {}
            }
            input.skip();
            taken += 1;
        }
        if taken == 0 { Err(Failure::default()) } else { Ok(()) }
    })
    .boxed()
}
