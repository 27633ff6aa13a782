//! Errors of the grammar: what was found, and the set of what could have stood there; and their wording.

use chumsky::DefaultExpected;
use chumsky::error::Error;
use chumsky::label::LabelError;
use chumsky::util::MaybeRef;

use super::Input;
use crate::Span;
use crate::codes;
use crate::layout::problem::Problem;
use crate::lexer::Kind;

/// Names of groups of tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Label {
    Name,
    Expression,
    Statement,
    Pattern,
    Type,
    Block,
    Operator,
    Comma,
    StatementEnd,
    Item,
    Field,
    Arm,
}

const LABELS: [(Label, &str); 12] = [
    (Label::Item, "an item"),
    (Label::Statement, "a statement"),
    (Label::Expression, "an expression"),
    (Label::Type, "a type"),
    (Label::Pattern, "a pattern"),
    (Label::Arm, "an arm"),
    (Label::Field, "a field"),
    (Label::Name, "a name"),
    (Label::Block, "a block"),
    (Label::Operator, "an operator"),
    (Label::Comma, "a comma"),
    (Label::StatementEnd, "the end of the statement"),
];

/// An error of a rule.
#[derive(Clone, Default, Debug)]
pub(crate) struct Failure {
    span: Span,
    found: Option<Kind>,
    expected: u128,
    labels: u16,
    /// Set when a rule knows better what is wrong.
    problem: Option<Box<Problem>>,
}

impl Failure {
    /// An error with words of its own.
    pub fn of(problem: Problem) -> Failure {
        Failure { span: problem.span, problem: Some(Box::new(problem)), ..Failure::default() }
    }
}

impl<'t> Error<'t, Input<'t>> for Failure {
    fn merge(mut self, other: Failure) -> Failure {
        self.expected |= other.expected;
        self.labels |= other.labels;
        self.problem = self.problem.or(other.problem);
        self
    }
}

impl<'t> LabelError<'t, Input<'t>, DefaultExpected<'t, Kind>> for Failure {
    fn expected_found<E: IntoIterator<Item = DefaultExpected<'t, Kind>>>(
        expected: E,
        found: Option<MaybeRef<'t, Kind>>,
        span: Span,
    ) -> Failure {
        let mut set = 0;
        for expected in expected {
            match expected {
                DefaultExpected::Token(kind) => set |= kind.bit(),
                DefaultExpected::EndOfInput => set |= Kind::Eof.bit(),
                _ => {}
            }
        }
        Failure { span, found: found.map(|kind| *kind), expected: set, labels: 0, problem: None }
    }
}

impl<'t> LabelError<'t, Input<'t>, Label> for Failure {
    fn expected_found<E: IntoIterator<Item = Label>>(
        expected: E,
        found: Option<MaybeRef<'t, Kind>>,
        span: Span,
    ) -> Failure {
        let labels = expected.into_iter().fold(0, |set, label| set | 1 << label as u16);
        Failure { span, found: found.map(|kind| *kind), expected: 0, labels, problem: None }
    }

    fn label_with(&mut self, label: Label) {
        self.expected = 0;
        self.labels = 1 << label as u16;
    }
}

impl Failure {
    /// The words for it; `text` is the item's.
    pub fn problem(self, text: &str) -> Problem {
        if let Some(problem) = self.problem {
            return *problem;
        }
        let source = text.get(self.span.start as usize..self.span.end as usize).unwrap_or("");
        let found = found(self.found, source);
        let expected = self.expected();
        let message = match expected.as_slice() {
            [] => format!("{found} cannot stand here"),
            [one] => format!("expected {one}, found {found}"),
            [many @ .., last] => format!("expected {} or {last}, found {found}", many.join(", ")),
        };
        let mut problem = Problem::new(codes::UNEXPECTED_TOKEN, self.span, message).text("not expected here");
        problem.help = self.help();
        problem
    }

    /// What could have stood there, most general first, at most four.
    fn expected(&self) -> Vec<String> {
        let has = |label: Label| self.labels & 1 << label as u16 != 0;
        let mut all: Vec<String> = Vec::new();
        for (label, text) in LABELS {
            let covered = match label {
                Label::Expression | Label::Pattern | Label::Type => has(Label::Statement) || has(Label::Item),
                Label::Name => {
                    has(Label::Expression) || has(Label::Statement) || has(Label::Pattern) || has(Label::Type)
                }
                Label::Operator | Label::StatementEnd => self.expected != 0,
                _ => false,
            };
            if has(label) && !covered {
                all.push(text.to_string());
            }
        }
        // Both together stand for the calls and indices that may follow any operand.
        let postfix = Kind::LParen.bit() | Kind::LBracket.bit();
        let set = if self.expected & postfix == postfix { self.expected & !postfix } else { self.expected };
        for kind in TOKENS {
            if set & kind.0.bit() != 0 {
                all.push(kind.1.to_string());
            }
        }
        all.truncate(4);
        all
    }

    fn help(&self) -> Option<String> {
        let help = match self.found? {
            Kind::Eq => "`=` assigns and has no value; `==` compares, and `:=` makes a new variable",
            Kind::ColonEq => "`:=` makes a new variable and stands at the start of a statement, after a name",
            Kind::Newline if self.expected & Kind::LBrace.bit() != 0 => "a block `{ ... }` is missing",
            Kind::Plus => "a line that begins with `+` does not continue the one above; put the `+` at its end",
            Kind::FatArrow => "`=>` stands between a pattern and its value, in a match `M x { ... }`",
            _ => return None,
        };
        Some(help.to_string())
    }
}

fn found(kind: Option<Kind>, source: &str) -> String {
    match kind {
        None | Some(Kind::Eof) => "the end of the item".to_string(),
        Some(Kind::Newline) => "the end of the line".to_string(),
        Some(Kind::Str) => "a string".to_string(),
        Some(_) if source.is_empty() => "the end of the line".to_string(),
        Some(_) => format!("`{}`", source.lines().next().unwrap_or("")),
    }
}

/// How tokens are named; in the order in which they are told.
const TOKENS: &[(Kind, &str)] = &[
    (Kind::RParen, "`)`"),
    (Kind::RBracket, "`]`"),
    (Kind::RBrace, "`}`"),
    (Kind::Pipe, "`|`"),
    (Kind::GenericClose, "`>`"),
    (Kind::Gt, "`>`"),
    (Kind::LParen, "`(`"),
    (Kind::LBrace, "`{`"),
    (Kind::LBracket, "`[`"),
    (Kind::Comma, "`,`"),
    (Kind::Colon, "`:`"),
    (Kind::ColonEq, "`:=`"),
    (Kind::Eq, "`=`"),
    (Kind::FatArrow, "`=>`"),
    (Kind::Arrow, "`->`"),
    (Kind::KwF, "`F`"),
    (Kind::Name, "a name"),
    (Kind::Int, "a number"),
    (Kind::Str, "a string"),
    (Kind::Eof, "the end of the item"),
];
