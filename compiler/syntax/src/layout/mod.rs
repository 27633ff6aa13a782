//! Raw tokens to the token lists of single items: decides which newlines separate, which capital letters are keywords,
//! what `<`, `?` and `{` mean, and balances brackets, so that the grammar needs no lookahead and no context.
//!
//! Works from any item start with nothing else known, which is what makes incremental parsing simple.

mod brackets;
mod foreign;
mod habits;
mod letters;
mod lookahead;
pub(crate) mod problem;
mod text;

pub use foreign::foreign_type;
pub use habits::{LEFT_OUT_HELP, left_out_name};

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::Span;
use crate::ast::FormatSpec;
use crate::codes;
use crate::lexer::{Kind, Lexer, Raw};
use problem::Problem;

/// A token for the grammar; its text is what the span covers.
pub(crate) type Token = (Kind, Span);

/// The most open brackets; a constant chosen by feel, well above what people write and within any stack.
const MAX_NESTING: usize = 256;
/// The most operators between two separators, counted over all open brackets: they bound the height of the tree.
const MAX_OPERATORS: u32 = 1000;

/// The most problems told of one item; nobody reads more.
pub(crate) const MAX_PROBLEMS: usize = 50;

/// The tokens of one item.
#[derive(Default, Debug)]
pub(crate) struct Chunk {
    /// The bytes of the text it covers.
    pub start: u32,
    pub end: u32,
    /// What the grammar reads; spans are relative to `start`.
    pub tokens: Vec<Token>,
    /// Is it worth parsing, or only an error?
    pub junk: bool,
    /// The `///` lines before the item.
    pub docs: String,
    /// String literals, inner ones first.
    pub strings: Vec<StringToken>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Ranges in which the grammar's own errors would only repeat one of `problems`.
    pub muted: Vec<Span>,
}

impl Chunk {
    /// Is nothing wrong with it so far?
    pub fn is_clean(&self) -> bool {
        !self.junk && self.problems.is_empty() && self.muted.is_empty()
    }

    /// Hash of what the grammar reads, but for what the text alone says.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = FxHasher::default();
        self.tokens.iter().for_each(|(kind, span)| (*kind, span.start, span.end).hash(&mut hasher));
        (self.junk, &self.docs).hash(&mut hasher);
        hasher.finish()
    }
}

/// A string literal, cut at its brace groups.
#[derive(Debug)]
pub(crate) struct StringToken {
    /// Where its token starts.
    pub start: u32,
    pub raw: String,
    pub pieces: Vec<Piece>,
    pub broken: Option<(Span, String)>,
}

/// A part of a string literal.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(String),
    Hole { tokens: Vec<Token>, spec: FormatSpec, span: Span },
}

/// An open bracket and what stands in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FrameKind {
    /// No bracket: items.
    Top,
    /// Fields, variants and methods.
    Members,
    /// Statements.
    Block,
    /// Arms.
    Match,
    /// `name: value` or `name: pattern`.
    Fields,
    /// `( )`, `[ ]`, and the braces of an import: newlines are white space.
    Round,
    Square,
    Names,
}

#[derive(Debug)]
struct Frame {
    kind: FrameKind,
    /// The opening bracket.
    open: Span,
    /// Expressions and statements, or items and types?
    code: bool,
    /// Is a pattern expected or under way?
    pattern: bool,
    /// Does the block end the statement it belongs to?
    statement: bool,
    /// Is it the block of an `I`, after which an else may follow?
    then: bool,
    /// Is it the body of a top-level item?
    body: bool,
    /// Constructs whose block is still to come.
    heads: Vec<Head>,
    /// `?` tokens that become a ternary if a `:` follows: indices into the chunk's tokens.
    questions: Vec<usize>,
    /// Operators since the last separator.
    operators: u32,
    /// After the `->` of a closure.
    result_type: bool,
}

/// A construct whose block is still to come.
#[derive(Clone, Copy, Debug)]
struct Head {
    kind: HeadKind,
    /// Did it start a statement?
    statement: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum HeadKind {
    If,
    /// `E`, `L` and `D`: just a block.
    Block,
    Match,
    Function,
    Members,
    Import,
}

/// Cuts a text into the token lists of its items.
pub(crate) struct Layout<'s> {
    text: &'s str,
    lexer: Lexer<'s>,
    /// Tokens read ahead; `raws[at]` is the next one.
    raws: Vec<Raw>,
    at: usize,
    // State of the current item.
    base: u32,
    chunk: Chunk,
    frames: Vec<Frame>,
    operators: u32,
    /// The item is complete.
    done: bool,
    /// Only attributes and documentation so far.
    prefix: bool,
    /// The item's letter: its aliases have no value after `=`.
    alias: bool,
    /// The next name is a name whatever its letter.
    force_name: bool,
    /// The next token is the else of an `I` that started a statement or not.
    pending_else: Option<bool>,
    /// `let` was seen: the next `=` is a `:=`. How many brackets are open, and the number of tokens before.
    pending_let: Option<(usize, usize)>,
    /// A for loop was begun: `in` may stand for its colon.
    pending_in: bool,
    /// Something nests too deeply: where, what, and what to do.
    overflow: Option<(Span, &'static str, &'static str)>,
    /// How deep in string literals within string literals.
    string_depth: u32,
}

impl<'s> Layout<'s> {
    /// Items of the text from an offset on, which must be the start of an item.
    pub fn new(text: &'s str, start: usize) -> Layout<'s> {
        Layout {
            text,
            lexer: Lexer::new(text, start),
            raws: Vec::new(),
            at: 0,
            base: 0,
            chunk: Chunk::default(),
            frames: Vec::new(),
            operators: 0,
            done: false,
            prefix: true,
            alias: false,
            force_name: false,
            pending_else: None,
            pending_let: None,
            pending_in: false,
            overflow: None,
            string_depth: 0,
        }
    }

    /// The tokens of an expression that stands alone, as in the holes of strings.
    fn of_expression(text: &'s str, string_depth: u32) -> Chunk {
        let mut layout = Layout::new(text, 0);
        (layout.string_depth, layout.prefix) = (string_depth, false);
        layout.frames.push(Frame::new(FrameKind::Round, Span::default(), true));
        while layout.peek(0).kind != Kind::Eof {
            layout.step();
        }
        layout.close_at_end();
        layout.chunk
    }

    /// The next item; `None` at the end of the text.
    pub fn next_chunk(&mut self) -> Option<Chunk> {
        self.raws.drain(..self.at);
        self.at = 0;
        let first = self.peek(0);
        if first.kind == Kind::Eof {
            return None;
        }
        self.base = first.start;
        self.chunk = Chunk { start: first.start, end: first.start, ..Chunk::default() };
        self.frames.clear();
        self.frames.push(Frame::new(FrameKind::Top, Span::default(), false));
        (self.operators, self.done, self.prefix, self.alias) = (0, false, true, false);
        (self.force_name, self.pending_else, self.pending_let, self.pending_in) = (false, None, None, false);
        while !self.at_boundary() {
            self.step();
        }
        self.close_at_end();
        self.finish();
        Some(std::mem::take(&mut self.chunk))
    }

    /// Does another item start here?
    fn at_boundary(&mut self) -> bool {
        let raw = self.peek(0);
        if raw.kind == Kind::Eof || self.done {
            return true;
        }
        if raw.start == self.base {
            return false;
        }
        if self.prefix {
            // An attribute whose bracket is never closed.
            return raw.first && self.frames.len() > 1 && self.function_starts();
        }
        match self.frames.len() {
            1 if self.chunk.junk => self.item_starts(),
            1 if raw.first => self.newline_ends_item() || self.item_starts(),
            1 if self.function_starts() => !matches!(self.last(), Kind::KwX | Kind::KwN | Kind::AttrOpen),
            1 => self.item_follows(),
            _ => {
                raw.first
                    && self.frames.last().is_some_and(|frame| frame.kind != FrameKind::Members)
                    && self.lost_item()
            }
        }
    }

    fn finish(&mut self) {
        let chunk = &mut self.chunk;
        if self.prefix {
            if let (Some(first), Some(last), true) =
                (chunk.tokens.first(), chunk.tokens.last(), chunk.problems.is_empty())
            {
                let problem =
                    Problem::new(codes::MISPLACED_ATTRIBUTE, first.1.to(last.1), "no item follows this attribute");
                chunk.problems.push(problem.text("belongs to nothing"));
            }
            chunk.junk = true;
        }
        if chunk.junk && chunk.problems.is_empty() && !chunk.tokens.is_empty() {
            let span = chunk.tokens[0].1;
            let word = &self.text[(chunk.start + span.start) as usize..(chunk.start + span.end) as usize];
            chunk.problems.push(habits::not_an_item(word, span));
        }
        if chunk.junk {
            chunk.tokens.clear();
            chunk.strings.clear();
        }
    }

    /// The token `n` places ahead.
    fn peek(&mut self, n: usize) -> Raw {
        while self.raws.len() <= self.at + n {
            let raw = self.lexer.next();
            self.raws.push(raw);
        }
        self.raws[self.at + n]
    }

    /// The text of a token.
    fn text_of(&self, raw: Raw) -> &'s str {
        &self.text[raw.start as usize..raw.end as usize]
    }

    fn span_of(&self, raw: Raw) -> Span {
        Span { start: raw.start - self.base, end: raw.end - self.base }
    }

    /// The last token given to the grammar.
    fn last(&self) -> Kind {
        self.chunk.tokens.last().map_or(Kind::Newline, |token| token.0)
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the top frame is never popped")
    }

    fn report(&mut self, problem: Problem) {
        if self.chunk.problems.len() < MAX_PROBLEMS {
            self.chunk.problems.push(problem);
        }
    }

    /// Takes the next token as it is, or as another kind.
    fn push(&mut self, kind: Kind) {
        let raw = self.peek(0);
        self.at += 1;
        let span = self.span_of(raw);
        self.emit(kind, span);
        self.chunk.end = raw.end;
    }

    fn emit(&mut self, kind: Kind, span: Span) {
        if kind.deepens() {
            self.operators += 1;
            self.frame().operators += 1;
            if self.operators > MAX_OPERATORS {
                self.overflow = Some((span, "this expression has too many operators", "give parts of it names"));
            }
        }
        self.chunk.tokens.push((kind, span));
    }

    /// Drops the next token.
    fn skip(&mut self) {
        let raw = self.peek(0);
        self.at += 1;
        self.chunk.end = raw.end;
    }

    /// Takes one token, with the newline before it.
    fn step(&mut self) {
        let raw = self.peek(0);
        if raw.first {
            self.newline(raw);
        }
        match raw.kind {
            Kind::Doc => self.doc(raw),
            Kind::SlashComment => self.slash_comment(raw),
            Kind::Unknown => self.unknown(raw),
            Kind::CharLiteral => self.char_literal(raw),
            Kind::Int | Kind::Float => self.number(raw),
            Kind::Str | Kind::OpenStr => self.string(raw),
            Kind::Name => self.name(raw),
            Kind::AttrOpen if self.frame().code => self.stray_attribute(raw),
            Kind::LParen | Kind::LBracket | Kind::AttrOpen => self.open(raw),
            Kind::At if self.prefix && self.peek(1).kind == Kind::LBracket => {
                self.skip();
                let bracket = self.peek(0);
                self.open(Raw { kind: Kind::AttrOpen, start: raw.start, ..bracket });
            }
            Kind::Fn if self.fn_word(raw) => {}
            Kind::Mut if self.at_statement() => self.take_let(raw, "mut"),
            Kind::LBrace if self.dependent_type(raw) => {}
            Kind::LBrace => self.open_brace(raw),
            Kind::RParen | Kind::RBracket | Kind::RBrace => self.close(raw),
            _ if self.foreign(raw) => {}
            Kind::Lt => self.less(raw),
            Kind::Gt | Kind::GtJoint if !self.frame().code => self.push(Kind::GenericClose),
            Kind::Question => self.question(raw),
            Kind::Plus | Kind::Minus => self.sign(raw),
            _ => self.punctuation(raw),
        }
        self.note_start();
        if let Some((span, message, help)) = self.overflow.take() {
            self.give_up(span, message, help);
        }
    }

    /// Leaves the prefix of attributes once anything else has been taken.
    fn note_start(&mut self) {
        if self.prefix && self.frames.len() == 1 {
            let Some((kind, _)) = self.chunk.tokens.last() else { return };
            if *kind != Kind::RBracket {
                self.prefix = false;
                self.chunk.junk |= !letters::is_item_letter(*kind);
            }
        }
    }

    /// Decides whether the newline before a token separates, and clears what a separator ends.
    fn newline(&mut self, raw: Raw) {
        if self.prefix || !self.newline_separates(raw) {
            return;
        }
        self.separator(Kind::Newline);
    }

    fn newline_separates(&mut self, raw: Raw) -> bool {
        let last = self.last();
        let frame = self.frames.last().expect("the top frame is never popped");
        if matches!(frame.kind, FrameKind::Round | FrameKind::Square | FrameKind::Names) {
            return false;
        }
        if self.pending_else.is_some() || last == Kind::Newline {
            return false;
        }
        if last.continues_after() {
            return frame.code && self.operand_missing(raw);
        }
        if raw.kind == Kind::LBrace && (!frame.heads.is_empty() || last == Kind::KwElse) {
            return false;
        }
        if frame.pattern && matches!(raw.kind, Kind::Pipe) {
            return false;
        }
        let code = frame.code;
        let continues = raw.kind.continues_before() && !(self.is_closed_statement() && raw.kind != Kind::Dot);
        !continues && (code || raw.kind != Kind::Name || self.text_of(raw) != "where")
    }

    /// The line above ends in an operator: is it clear that no operand follows?
    fn operand_missing(&mut self, raw: Raw) -> bool {
        let last = self.last();
        let wants = last.is_binary() && last != Kind::DotDot
            || last.is_op_assign()
            || matches!(last, Kind::Eq | Kind::ColonEq | Kind::FatArrow);
        wants && (raw.kind == Kind::RBrace || matches!(self.peek(1).kind, Kind::ColonEq | Kind::FatArrow))
    }

    /// At top level: does the newline before the next token end the item?
    fn newline_ends_item(&mut self) -> bool {
        let raw = self.peek(0);
        self.newline_separates(raw)
    }

    fn is_closed_statement(&self) -> bool {
        self.last() == Kind::Newline
    }

    /// A newline, `;` or comma: what stood before it is complete.
    fn separator(&mut self, kind: Kind) {
        let end = self.chunk.tokens.last().map_or(0, |token| token.1.end);
        if kind == Kind::Newline && self.last() != Kind::Newline {
            self.emit(Kind::Newline, Span { start: end, end });
        }
        self.pending_in = false;
        if self.pending_let.is_some_and(|(depth, _)| self.frames.len() <= depth) {
            self.let_without_value();
        }
        let frame = self.frames.last_mut().expect("the top frame is never popped");
        self.operators -= frame.operators;
        frame.operators = 0;
        frame.heads.clear();
        frame.questions.clear();
        frame.result_type = false;
        match frame.kind {
            FrameKind::Top if !self.chunk.junk => {
                frame.code = false;
                self.done = kind != Kind::Comma;
            }
            FrameKind::Members => frame.code = false,
            FrameKind::Match => frame.pattern = kind != Kind::Semi,
            _ => {}
        }
    }

    fn punctuation(&mut self, raw: Raw) {
        match raw.kind {
            Kind::Comma if self.in_head_list() => return self.push(Kind::Comma),
            Kind::Comma => {
                self.second_comma(raw);
                self.push(Kind::Comma);
                let parameters = matches!(self.frame().kind, FrameKind::Round) && !self.in_code_outside();
                self.separator(Kind::Comma);
                if parameters {
                    self.frame().code = false;
                }
                return;
            }
            Kind::Semi => {
                self.push(Kind::Semi);
                return self.separator(Kind::Semi);
            }
            Kind::Colon if self.frame().questions.last().is_some() => {
                let question = self.frame().questions.pop().expect("just seen");
                self.chunk.tokens[question].0 = Kind::Question;
            }
            Kind::Eq if self.pending_let.is_some_and(|(depth, _)| depth == self.frames.len()) => {
                return self.equals_of_let(raw);
            }
            Kind::Eq if !self.frame().code && !self.alias => {
                self.frame().code = true;
                self.frame().heads.clear();
            }
            Kind::FatArrow => {
                self.frame().questions.clear();
                self.frame().pattern = false;
            }
            Kind::ColonEq => self.frame().questions.clear(),
            Kind::Arrow if self.frame().code => self.frame().result_type = true,
            _ => {}
        }
        self.push(raw.kind);
    }

    /// Nothing stands between two commas of fields, variants or arms.
    fn second_comma(&mut self, raw: Raw) {
        let before = self.chunk.tokens.iter().rev().map(|token| token.0).find(|kind| *kind != Kind::Newline);
        let braces = !matches!(self.frame().kind, FrameKind::Round | FrameKind::Square | FrameKind::Top);
        if braces && before == Some(Kind::Comma) {
            let problem = Problem::new(codes::UNEXPECTED_TOKEN, self.span_of(raw), "nothing stands between two commas");
            self.report(problem.text("one too many"));
        }
    }

    /// Is the bracket around the innermost one a place of expressions?
    fn in_code_outside(&self) -> bool {
        let depth = self.frames.len();
        depth < 2 || self.frames[depth - 2].code
    }

    /// `?` is a ternary if an operand follows on the line and, later, a `:`; see the `Colon` case above.
    fn question(&mut self, _: Raw) {
        let next = self.peek(1);
        let starts = next.kind.starts_operand() && !next.first;
        self.push(Kind::Try);
        if starts {
            let index = self.chunk.tokens.len() - 1;
            self.frame().questions.push(index);
        }
    }

    /// Does the next token start a statement or an arm's value?
    fn at_statement(&mut self) -> bool {
        let last = self.last();
        match self.frame().kind {
            FrameKind::Block => matches!(last, Kind::LBrace | Kind::Newline | Kind::Semi) || last.ends_operand(),
            FrameKind::Match => last == Kind::FatArrow,
            _ => false,
        }
    }
}

impl Frame {
    fn new(kind: FrameKind, open: Span, code: bool) -> Frame {
        Frame {
            kind,
            open,
            code,
            pattern: false,
            statement: false,
            then: false,
            body: false,
            heads: Vec::new(),
            questions: Vec::new(),
            operators: 0,
            result_type: false,
        }
    }
}
