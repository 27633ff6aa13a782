//! Habits from other languages, and words of Vais that are left out here on purpose: each gets a diagnostic that says
//! what to write, and is then taken for what was meant, so that it causes no further errors.

use super::problem::Problem;
use super::{FrameKind, Layout};
use crate::Span;
use crate::codes;
use crate::lexer::{Kind, Raw};

/// Words that begin an item elsewhere: what they are called, and the letter here.
const ITEM_WORDS: &[(&str, &str, Kind)] = &[
    ("fn", "F", Kind::KwF),
    ("func", "F", Kind::KwF),
    ("function", "F", Kind::KwF),
    ("def", "F", Kind::KwF),
    ("struct", "S", Kind::KwS),
    ("class", "S", Kind::KwS),
    ("enum", "E", Kind::KwE),
    ("trait", "W", Kind::KwW),
    ("interface", "W", Kind::KwW),
    ("impl", "X", Kind::KwX),
    ("use", "U", Kind::KwU),
    ("import", "U", Kind::KwU),
    ("static", "G", Kind::KwG),
    ("global", "G", Kind::KwG),
    ("type", "T", Kind::KwT),
    ("extern", "N", Kind::KwN),
];

/// Words of Vais before an item that are left out here.
const LEFT_OUT_BEFORE_ITEMS: &[(&str, &str)] = &[
    ("A", "async functions"),
    ("async", "async functions"),
    ("pure", "effect words"),
    ("io", "effect words"),
    ("partial", "effect words"),
    ("linear", "linear types"),
    ("affine", "affine types"),
    ("comptime", "`comptime`"),
];

/// Words of Vais before an expression that are left out here.
const LEFT_OUT_IN_CODE: &[(&str, &str)] = &[
    ("spawn", "`spawn`"),
    ("await", "`await`"),
    ("async", "async blocks"),
    ("yield", "`yield`"),
    ("lazy", "`lazy`"),
    ("force", "`force`"),
    ("linear", "linear types"),
    ("affine", "affine types"),
    ("comptime", "`comptime`"),
];

/// What is said below every report of something left out.
pub const LEFT_OUT_HELP: &str = "of Vais this implementation leaves out macros, async, lazy evaluation, linear and dependent types, effect words, SIMD types, unions and `comptime`";

/// What a name that a program does not declare would be in Vais, if this implementation leaves it out.
pub fn left_out_name(name: &str) -> Option<&'static str> {
    if let Some((_, what)) = LEFT_OUT_IN_CODE.iter().find(|(word, _)| *word == name) {
        return Some(what);
    }
    let lower = name.to_ascii_lowercase();
    let lanes = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let scalar = |text: &str| text.starts_with(['i', 'u', 'f']) && lanes(&text[1..]);
    let (vector, rest) = match lower.strip_prefix("vec") {
        Some(rest) => (true, rest),
        None => (false, lower.as_str()),
    };
    let simd = if vector {
        rest.find(['i', 'u', 'f']).is_some_and(|at| lanes(&rest[..at]) && scalar(&rest[at..]))
    } else {
        rest.starts_with("simd_") || rest.split_once('x').is_some_and(|(of, count)| scalar(of) && lanes(count))
    };
    match name {
        _ if simd => Some("SIMD types"),
        "Linear" => Some("linear types"),
        "Affine" => Some("affine types"),
        "Lazy" => Some("`lazy`"),
        "Future" | "Promise" => Some("async functions"),
        _ => None,
    }
}

fn left_out(span: Span, what: &str) -> Problem {
    Problem::new(codes::LEFT_OUT, span, format!("this language has no {what}"))
        .text("left out on purpose")
        .help(LEFT_OUT_HELP)
}

fn habit(span: Span, found: &str, here: &str) -> Problem {
    Problem::new(codes::FOREIGN_WORD, span, format!("`{found}` is written `{here}` here"))
        .text(format!("write `{here}`"))
        .suggest(span, here)
        .family(family(found))
}

/// Words that come together, or again and again.
fn family(word: &str) -> &'static str {
    match word {
        "if" | "else" | "elif" | "unless" => "if",
        "for" | "in" => "for",
        "and" | "or" | "not" => "logic",
        "while" | "do" => "while",
        "loop" => "loop",
        "match" | "switch" | "case" => "match",
        "return" => "return",
        "break" | "continue" => "break",
        "defer" => "defer",
        _ => "item",
    }
}

/// What to say about something that is no item.
pub(super) fn not_an_item(word: &str, span: Span) -> Problem {
    if matches!(word, "F" | "S" | "E" | "EN" | "W" | "X" | "U" | "G" | "C" | "T") {
        return Problem::new(codes::NOT_AN_ITEM, span, format!("a name must follow this `{word}`"))
            .text("begins an item, but has no name on this line");
    }
    Problem::new(codes::NOT_AN_ITEM, span, format!("expected an item, found `{}`", word.lines().next().unwrap_or("")))
        .text("no item begins like this")
        .help("at the top of a file stand items: `F` functions, `S` structs, `E` enums, `W` traits, `X` methods, `C` constants, `G` globals, `T` aliases, `U` imports; statements go into `F main() { ... }`")
}

impl Layout<'_> {
    /// An item by a word of another language, if the word `n` places ahead is one.
    pub(super) fn item_habit(&mut self, n: usize) -> Option<(&'static str, Kind)> {
        let raw = self.peek(n);
        let next = self.peek(n + 1);
        let text = self.text_of(raw);
        if next.first || !matches!(next.kind, Kind::Name | Kind::Str | Kind::Lt | Kind::Fn | Kind::Bang) {
            return None;
        }
        if text == "macro" || text == "O" && self.peek(n + 2).kind == Kind::LBrace || text == "union" {
            return Some(("", Kind::Unknown));
        }
        // More words in a row than anyone writes.
        if n > 70 {
            return None;
        }
        if text == "pub" || LEFT_OUT_BEFORE_ITEMS.iter().any(|(word, _)| *word == text) {
            let item = self.peek(n + 1).kind == Kind::Fn
                || self.item_letter(n + 1).is_some()
                || self.item_habit(n + 1).is_some();
            return item.then_some(("", Kind::Unknown));
        }
        let (_, letter, kind) = ITEM_WORDS.iter().find(|(word, ..)| *word == text)?;
        let fits = match kind {
            Kind::KwN => true,
            Kind::KwX => next.kind == Kind::Name || next.kind == Kind::Lt,
            _ => next.kind == Kind::Name,
        };
        fits.then_some((*letter, *kind))
    }

    /// Where an item or member may start. True if the word has been dealt with.
    pub(super) fn habit_of_items(&mut self, raw: Raw, members: bool) -> bool {
        if members && self.text_of(raw) == "pub" && self.peek(1).kind == Kind::Name && self.peek(2).kind == Kind::Colon
        {
            self.unwanted(raw, "all fields can be used: there is no `pub`", "pub");
            return true;
        }
        let Some((letter, kind)) = self.item_habit(0) else { return false };
        let (text, span) = (self.text_of(raw), self.span_of(raw));
        if members
            && !matches!(text, "fn" | "func" | "function" | "def" | "pub" | "async" | "pure" | "io" | "A" | "partial")
        {
            return false;
        }
        if members && self.item_letter(0).is_some() {
            return false;
        }
        match text {
            "macro" => {
                self.leave_out_item(left_out(span, "macros"));
            }
            "union" | "O" => {
                self.leave_out_item(left_out(span, "unions"));
            }
            "pub" => {
                self.unwanted(raw, "everything can be imported: there is no `pub`", "item");
            }
            _ => match LEFT_OUT_BEFORE_ITEMS.iter().find(|(word, _)| *word == text) {
                Some((_, what)) => {
                    let family = if what.starts_with("async") { "async" } else { "" };
                    self.report(left_out(span, what).family(family));
                    self.skip();
                }
                None => {
                    self.report(habit(span, text, letter));
                    self.begin_item(kind);
                }
            },
        }
        true
    }

    /// Skips an item up to the end of its first braces, or of its line.
    fn leave_out_item(&mut self, problem: Problem) {
        self.report(problem);
        self.chunk.junk = true;
        self.push(Kind::Name);
        self.skip_nested();
        (self.prefix, self.done) = (false, true);
    }

    /// `fn` is a keyword of types, so it does not arrive as a word.
    pub(super) fn fn_word(&mut self, raw: Raw) -> bool {
        let at_item = matches!(self.frame().kind, FrameKind::Top | FrameKind::Members) && !self.frame().code;
        if !at_item || self.peek(1).kind != Kind::Name || matches!(self.last(), Kind::Arrow | Kind::Colon) {
            return false;
        }
        let span = self.span_of(raw);
        self.report(habit(span, "fn", "F"));
        self.begin_item(Kind::KwF);
        true
    }

    /// Where expressions and statements stand. True if the word has been dealt with.
    pub(super) fn habit_of_code(&mut self, raw: Raw, text: &str) -> bool {
        let next = self.peek(1);
        let span = self.span_of(raw);
        let statement = self.at_statement();
        let ends = next.first || matches!(next.kind, Kind::RBrace | Kind::Semi | Kind::Comma);
        // A name can be followed by an operator, but hardly by another operand.
        let operand = !next.first
            && (next.kind.starts_operand() && !next.kind.is_binary() && next.kind != Kind::LBracket
                || next.kind == Kind::Mut)
            && (next.kind != Kind::LParen || next.start > raw.end)
            && next.kind != Kind::Bang;
        let here = match text {
            "if" if operand || next.kind == Kind::LParen => "I",
            "while" if self.other_word(raw, text, operand, statement) => return true,
            "while" if operand || next.kind == Kind::LParen => "L",
            "for" if operand || next.kind == Kind::LParen => "L",
            "loop" if next.kind == Kind::LBrace => "L",
            "match" | "switch" if operand || next.kind == Kind::LParen && text == "switch" => "M",
            "return"
                if operand
                    || ends
                    || matches!(next.kind, Kind::Minus | Kind::Star | Kind::Amp | Kind::Bang | Kind::LBracket) =>
            {
                "R"
            }
            "break" if ends || operand => "B",
            "continue" if ends => "C",
            "defer" if operand => "D",
            "else" | "elif" if statement && (next.kind == Kind::LBrace || operand) => "E",
            "let" | "var" | "mut" | "auto" | "val" if operand && statement => ":=",
            _ if self.logic_word(raw, text, operand) || self.other_word(raw, text, operand, statement) => return true,
            _ => {
                let Some((_, what)) = LEFT_OUT_IN_CODE.iter().find(|(word, _)| *word == text && operand) else {
                    return false;
                };
                self.report(left_out(span, what));
                self.skip();
                return true;
            }
        };
        self.take_habit(raw, text, here, statement);
        true
    }

    /// `and`, `or` and `not`. True if the word has been dealt with.
    fn logic_word(&mut self, raw: Raw, text: &str, operand: bool) -> bool {
        let after = self.last().ends_operand();
        let next = self.peek(1);
        let follows = operand || next.kind == Kind::LParen || matches!(next.kind, Kind::Bang | Kind::Minus);
        let (kind, here) = match text {
            "and" if after => (Kind::AmpAmp, "&&"),
            "or" if after => (Kind::PipePipe, "||"),
            "not" if next.start > raw.end => (Kind::Bang, "!"),
            _ => return false,
        };
        if next.first || !follows {
            return false;
        }
        let mut problem = habit(self.span_of(raw), text, here);
        if kind == Kind::Bang {
            // The operator stands right before its operand.
            problem.suggestions[0].0.end = self.span_of(next).start;
        }
        self.report(problem);
        self.push(kind);
        true
    }

    /// Words for which there is nothing here. True if the word has been dealt with.
    fn other_word(&mut self, raw: Raw, text: &str, operand: bool, statement: bool) -> bool {
        let span = self.span_of(raw);
        let block = self.peek(1).kind == Kind::LBrace;
        let word = |message: &str| Problem::new(codes::FOREIGN_WORD, span, message);
        match text {
            "new" if operand => self.unwanted(raw, "a struct is made without `new`", "new"),
            "let" if operand && !self.frame().heads.is_empty() => {
                let problem = word("there is no `let` in a condition").text("no condition");
                self.report(problem.help("write a match: `M value { Some(x) => ..., _ => ... }`").family("if"));
                self.push(Kind::Unknown);
                self.mute_line(span);
            }
            "unless" if operand && statement => {
                self.report(word("there is no `unless` here").text("write `I` and the opposite").family("if"));
                self.head_word(Kind::KwI, super::HeadKind::If, statement);
            }
            "do" if block && statement => {
                let help = "a loop that ends after its body is written `L { ... I !condition { B } }`";
                self.report(word("there is no `do` here").text("no such loop").help(help).family("while"));
                self.head_word(Kind::KwLoop, super::HeadKind::Block, statement);
            }
            "while" if !self.block_follows_on_line() && self.last() == Kind::Newline => {
                let known = self.chunk.problems.iter().any(|problem| problem.message.contains("`do`"));
                if known {
                    self.skip();
                    self.drop_line(span);
                }
                return known;
            }
            "try" | "catch" | "except" | "finally" | "throw" | "raise" if statement && (operand || block) => {
                let help = "a function that can fail gives a `Result`; `?` hands an error on, and `M` looks at it";
                self.report(word("there are no exceptions here").text("no such thing").help(help).family("try"));
                self.push(Kind::Unknown);
                self.drop_line(span);
            }
            "lambda" if operand || self.peek(1).kind == Kind::Colon => {
                self.report(word("a closure is written `|x| value`").text("belongs to another language"));
                self.push(Kind::Unknown);
                self.drop_line(span);
            }
            _ => return self.declaration_of_c(raw, text),
        }
        true
    }

    fn take_habit(&mut self, raw: Raw, text: &str, here: &str, statement: bool) {
        let span = self.span_of(raw);
        if here == ":=" {
            return self.take_let(raw, text);
        }
        if here == "E" {
            self.report(
                Problem::new(codes::STRAY_ELSE, span, format!("this `{text}` has no `I` before it"))
                    .text("belongs to nothing"),
            );
            return self.skip();
        }
        self.report(habit(span, text, here));
        match here {
            "I" => self.head_word(Kind::KwI, super::HeadKind::If, statement),
            "M" => self.head_word(Kind::KwM, super::HeadKind::Match, statement),
            "L" => {
                if text == "for" && self.peek(1).kind == Kind::LParen && !self.for_follows() {
                    return self.loop_of_c(span);
                }
                self.loop_word(text, statement);
            }
            "D" => self.defer(),
            "C" => self.push(Kind::KwContinue),
            _ => {
                let next = self.peek(1);
                let ends = next.first || matches!(next.kind, Kind::RBrace | Kind::Semi | Kind::Comma);
                self.push(match (here, ends) {
                    ("R", true) => Kind::KwR,
                    ("R", false) => Kind::KwReturn,
                    (_, true) => Kind::KwB,
                    (_, false) => Kind::KwBreak,
                });
            }
        }
    }

    /// `for (i = 0; i < n; i++)`: one error is enough.
    fn loop_of_c(&mut self, span: Span) {
        if let Some(problem) = self.chunk.problems.last_mut() {
            problem.message = "a loop that counts is written `L i: 0..n { ... }`".to_string();
            problem.text = "belongs to another language".to_string();
            problem.suggestions.clear();
        }
        self.mute_line(span);
        self.push(Kind::Unknown);
    }

    fn head_word(&mut self, keyword: Kind, kind: super::HeadKind, statement: bool) {
        self.push(keyword);
        self.frame().heads.push(super::Head { kind, statement });
    }

    /// Reports a word that is just left out, and drops it.
    fn unwanted(&mut self, raw: Raw, message: &str, family: &'static str) {
        let (span, next) = (self.span_of(raw), self.peek(1));
        let whole = Span { end: span.end.max(self.span_of(next).start), ..span };
        let problem = Problem::new(codes::FOREIGN_WORD, span, message).text("leave this out");
        self.report(problem.suggest(whole, "").family(family));
        self.skip();
    }

    /// The `=` of a `let`.
    pub(super) fn equals_of_let(&mut self, raw: Raw) {
        let Some((_, start)) = self.pending_let.take() else { return };
        let typed = self.chunk.tokens[start..].iter().any(|(kind, _)| *kind == Kind::Colon);
        let span = self.span_of(raw);
        let of_let = self.chunk.problems.iter_mut().rev().find(|problem| problem.family == "let");
        if let (false, Some(problem)) = (typed, of_let) {
            problem.suggestions.push((span, ":=".to_string()));
        }
        self.push(Kind::ColonEq);
    }

    /// A `let` whose line ends before its `=`: its error is enough.
    pub(super) fn let_without_value(&mut self) {
        self.pending_let = None;
        if let Some(problem) = self.chunk.problems.iter_mut().rev().find(|problem| problem.family == "let") {
            problem.suggestions.clear();
            let span = problem.span;
            if self.last() != Kind::ColonEq
                && !self.chunk.tokens.iter().rev().take(8).any(|(kind, _)| *kind == Kind::ColonEq)
            {
                self.mute_line(span);
            }
        }
    }

    /// `let x = 1`, `let mut x = 1`: the words go, and the `=` is read as `:=`. Without text it is a type's name.
    pub(super) fn take_let(&mut self, raw: Raw, text: &str) {
        let mut span = self.span_of(raw);
        self.skip();
        while self.peek(0).kind == Kind::Mut {
            let more = self.peek(0);
            span = span.to(self.span_of(more));
            self.skip();
        }
        let message = match text {
            "" => "a variable is declared `name := value`".to_string(),
            _ => format!("there is no `{text}` here; a binding is written `name := value`"),
        };
        let next = self.peek(0);
        let whole = Span { end: self.span_of(next).start, ..span };
        let problem = Problem::new(codes::FOREIGN_WORD, span, message).text("leave this out, and write `:=`");
        self.report(problem.suggest(whole, "").family("let"));
        if self.peek(0).kind == Kind::LParen {
            let start = self.peek(0).start - self.base;
            self.emit(Kind::LetMark, Span { start, end: start });
        }
        self.pending_let = Some((self.frames.len(), self.chunk.tokens.len()));
    }

    /// `else => e` and `case x:` in a match. True if the word has been dealt with.
    pub(super) fn pattern_habit(&mut self, text: &str) -> bool {
        let (raw, next) = (self.peek(0), self.peek(1));
        let span = self.span_of(raw);
        match text {
            "else" if next.kind == Kind::FatArrow => {
                let problem =
                    Problem::new(codes::FOREIGN_WORD, span, "the arm for all other values is written `_ => value`");
                self.report(problem.text("write `_`").suggest(span, "_").family("match"));
                false
            }
            "case" if matches!(next.kind, Kind::Name | Kind::Int | Kind::Str | Kind::True | Kind::False) => {
                self.unwanted(raw, "an arm is written `pattern => value`, without `case`", "arm");
                true
            }
            _ => false,
        }
    }

    /// `X Trait for Type`: true at the `for`.
    pub(super) fn trait_for_type(&mut self, raw: Raw) -> bool {
        self.text_of(raw) == "for"
            && matches!(self.last(), Kind::Name | Kind::GenericClose)
            && self.peek(1).kind == Kind::Name
            && self.frame().heads.last().is_some_and(|head| head.kind == super::HeadKind::Members)
    }

    /// `in` for the colon of a for loop.
    pub(super) fn habit_of_in(&mut self, raw: Raw) {
        let span = self.span_of(raw);
        let end = self.chunk.tokens.last().map_or(0, |token| token.1.end);
        let mut problem = habit(span, "in", ":");
        problem.suggestions = vec![(Span { start: end, end: span.end }, ":".to_string())];
        self.report(problem);
        self.push(Kind::Colon);
    }

    /// An attribute among statements.
    pub(super) fn stray_attribute(&mut self, raw: Raw) {
        let mut span = self.span_of(raw);
        let mut depth = 0;
        loop {
            let next = self.peek(0);
            match next.kind {
                Kind::AttrOpen | Kind::LBracket => depth += 1,
                Kind::RBracket => depth -= 1,
                _ => {}
            }
            if next.kind == Kind::Eof || next.first && next.start != raw.start {
                break;
            }
            span = span.to(self.span_of(next));
            self.skip();
            if depth == 0 {
                break;
            }
        }
        self.report(
            Problem::new(codes::MISPLACED_ATTRIBUTE, span, "an attribute cannot stand before a statement")
                .text("no item, field or parameter follows")
                .help("a comment starts with `# `, with a space"),
        );
    }

    /// `else` for `E`, also `else if` and `elif`.
    pub(super) fn habit_of_else(&mut self, raw: Raw) {
        let span = self.span_of(raw);
        match self.text_of(raw) {
            "else" => self.report(habit(span, "else", "E")),
            "elif" => self.report(habit(span, "elif", "E I")),
            "if" => self.report(habit(span, "if", "I")),
            _ => {}
        }
    }

    /// An `E` that follows no `I`. True if it has been dealt with.
    pub(super) fn stray_else(&mut self, raw: Raw) -> bool {
        let next = self.peek(1);
        let is_else = next.kind == Kind::LBrace && !self.fields_follow(2) || self.is_letter_at(1, "I") && !next.first;
        if is_else {
            let span = self.span_of(raw);
            let text = self.text_of(raw);
            self.report(
                Problem::new(codes::STRAY_ELSE, span, format!("this `{text}` has no `I` before it"))
                    .text("belongs to nothing"),
            );
            self.skip();
        }
        is_else
    }

    /// `.await` and `.Y`: true if it has been dealt with.
    pub(super) fn left_out_member(&mut self, raw: Raw) -> bool {
        let text = self.text_of(raw);
        let call = self.peek(1).kind == Kind::LParen;
        if matches!(text, "await" | "Y") && !call && self.peek(1).kind != Kind::Eq {
            let span = self.span_of(raw);
            self.report(left_out(span, "async functions").text("waiting is left out on purpose").family("async"));
            self.chunk.tokens.pop();
            self.skip();
            return true;
        }
        false
    }

    /// `linear T` and `affine T` where a type is wanted: true if it has been reported.
    pub(super) fn left_out_type(&mut self, raw: Raw) -> bool {
        let what = match self.text_of(raw) {
            "linear" => "linear types",
            "affine" => "affine types",
            _ => return false,
        };
        let typed = matches!(self.last(), Kind::Colon | Kind::Arrow) && self.peek(1).kind == Kind::Name;
        if typed {
            let span = self.span_of(raw);
            self.report(left_out(span, what));
        }
        typed
    }

    /// `{x: i64 | x > 0}` where a type is wanted: true if it has been dealt with.
    pub(super) fn dependent_type(&mut self, raw: Raw) -> bool {
        let typed = (matches!(self.last(), Kind::Colon | Kind::Arrow) || self.alias && self.last() == Kind::Eq)
            && self.peek(1).kind == Kind::Name
            && self.peek(2).kind == Kind::Colon;
        if !typed || self.frame().code && self.last() == Kind::Arrow {
            return false;
        }
        let mut depth = 0;
        let mut bar = false;
        let mut length = 0;
        for n in 0..100 {
            match self.peek(n).kind {
                Kind::LBrace => depth += 1,
                Kind::RBrace => depth -= 1,
                Kind::Pipe if depth == 1 => bar = true,
                Kind::Eof => return false,
                _ => {}
            }
            if depth == 0 {
                length = n + 1;
                break;
            }
        }
        if length == 0 || !bar {
            return false;
        }
        let end = self.peek(length - 1);
        let span = self.span_of(raw).to(self.span_of(end));
        self.report(left_out(span, "dependent types"));
        // The grammar sees the type the condition is about.
        self.skip();
        self.skip();
        self.skip();
        let mut taken = 3;
        while self.peek(0).kind != Kind::Pipe && taken < length {
            let kind = self.peek(0).kind;
            self.push(kind);
            taken += 1;
        }
        for _ in taken..length {
            self.skip();
        }
        true
    }
}
