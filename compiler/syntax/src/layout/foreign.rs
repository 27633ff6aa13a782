//! Notation of other languages that is no word: operators, heads of functions, declarations of C, blocks by indentation.
//! Like the words in `habits`, each is reported once and taken for what was meant.

use super::problem::Problem;
use super::{FrameKind, HeadKind, Layout};
use crate::Span;
use crate::codes;
use crate::lexer::{Kind, Raw};

/// Functions here that are macros in Rust.
const MACROS: &[&str] = &["println", "print", "puts", "format", "assert", "panic", "vec"];

/// What another language's name of a type is called here.
pub fn foreign_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "int" | "long" | "integer" | "Int" | "int64" | "int64_t" | "ssize_t" | "i64_t" | "Integer" => "i64",
        "int32" | "int32_t" => "i32",
        "int16" | "int16_t" | "short" => "i16",
        "int8" | "int8_t" => "i8",
        "uint" | "uint64" | "uint64_t" | "size_t" => "u64",
        "uint32" | "uint32_t" => "u32",
        "uint16" | "uint16_t" => "u16",
        "char" | "byte" | "uint8" | "uint8_t" => "u8",
        "float" | "double" | "number" | "float64" | "Float" | "Double" => "f64",
        "float32" => "f32",
        "string" | "Str" => "str",
        "boolean" | "Bool" | "Boolean" => "bool",
        _ => return None,
    })
}

fn operator(span: Span, message: impl Into<String>) -> Problem {
    Problem::new(codes::FOREIGN_OPERATOR, span, message).text("no such operator")
}

impl Layout<'_> {
    /// Notation of other languages at the next token. True if it has been dealt with.
    pub(super) fn foreign(&mut self, raw: Raw) -> bool {
        match raw.kind {
            Kind::Arrow => self.foreign_arrow(raw),
            Kind::FatArrow => self.foreign_fat_arrow(raw),
            Kind::EqEq | Kind::Ne => self.long_equals(raw),
            Kind::Lt => self.less_greater(raw),
            Kind::Star => self.power(raw),
            Kind::Eq => self.equals_for_another(raw),
            Kind::Colon => self.foreign_colon(raw),
            Kind::Bang => self.macro_bang(raw),
            _ => false,
        }
    }

    /// Is the next token right behind this one?
    fn joint(&mut self, raw: Raw, kind: Kind) -> bool {
        let next = self.peek(1);
        next.kind == kind && next.start == raw.end
    }

    /// Does the signature of a function stand before the next token, complete but for its result?
    fn after_parameters(&mut self) -> bool {
        let last = self.last();
        let frame = self.frame();
        let function = frame.heads.last().is_some_and(|head| head.kind == HeadKind::Function);
        last == Kind::RParen && function && !frame.code
    }

    /// `p->x`, and `->` in an arm.
    fn foreign_arrow(&mut self, raw: Raw) -> bool {
        let span = self.span_of(raw);
        if !self.frame().code {
            return false;
        }
        if self.frame().pattern && self.frame().kind == FrameKind::Match {
            self.report(
                Problem::new(codes::UNEXPECTED_TOKEN, span, "an arm is written `pattern => value`")
                    .text("write `=>`")
                    .suggest(span, "=>")
                    .family("arm"),
            );
            self.push(Kind::FatArrow);
            self.frame().pattern = false;
            return true;
        }
        let next = self.peek(1);
        if !self.last().ends_operand() || next.kind != Kind::Name || next.start != raw.end {
            return false;
        }
        self.report(
            operator(span, "a field of a pointer is written with `.`, like any other")
                .text("write `.`")
                .suggest(span, ".")
                .family("arrow"),
        );
        self.push(Kind::Dot);
        true
    }

    /// `=>` before a result type, and closures of JavaScript.
    fn foreign_fat_arrow(&mut self, raw: Raw) -> bool {
        let span = self.span_of(raw);
        if self.after_parameters() {
            self.report(
                Problem::new(codes::UNEXPECTED_TOKEN, span, "a result type stands behind `->`")
                    .text("write `->`")
                    .suggest(span, "->"),
            );
            self.push(Kind::Arrow);
            return true;
        }
        if !self.frame().code || self.frame().kind == FrameKind::Match {
            return false;
        }
        let Some((open, parameters)) = self.parameters_before() else { return false };
        let mut problem =
            operator(span, "a closure is written `|x| value`").text("belongs to another language").family("closure");
        if parameters == 0 {
            // `x => e`, or `() => e`
            let (kind, name) = self.chunk.tokens[open];
            let [start, end] = [Span { end: name.start, ..name }, Span { start: name.end, end: span.end }];
            if kind == Kind::Name {
                self.chunk.tokens.insert(open, (Kind::Pipe, start));
                self.chunk.tokens.push((Kind::Pipe, Span { start: name.end, end: name.end }));
                problem = problem.suggest(start, "|").suggest(end, "|");
            } else {
                self.chunk.tokens.truncate(open);
                self.chunk.tokens.push((Kind::PipePipe, name));
                problem = problem.suggest(name.to(span), "||");
            }
        } else {
            let close = self.chunk.tokens.len() - 1;
            let [first, last] = [open, close].map(|at| self.chunk.tokens[at].1);
            self.chunk.tokens[open].0 = Kind::Pipe;
            self.chunk.tokens[close].0 = Kind::Pipe;
            problem = problem.suggest(first, "|").suggest(last.to(span), "|");
        }
        self.report(problem);
        self.skip();
        true
    }

    /// Where the tokens before an arrow begin if they can be parameters, and how many tokens stand in parentheses.
    fn parameters_before(&self) -> Option<(usize, usize)> {
        let tokens = &self.chunk.tokens;
        let last = tokens.len().checked_sub(1)?;
        match tokens[last].0 {
            Kind::Name => Some((last, 0)),
            Kind::RParen => {
                let inner = tokens[..last].iter().rev().take_while(|(kind, _)| {
                    matches!(kind, Kind::Name | Kind::Comma | Kind::Colon | Kind::Star | Kind::Amp)
                });
                let count = inner.count();
                let open = last.checked_sub(count + 1)?;
                (tokens[open].0 == Kind::LParen).then_some((open, count))
            }
            _ => None,
        }
    }

    /// `===` and `!==`.
    fn long_equals(&mut self, raw: Raw) -> bool {
        if !self.joint(raw, Kind::Eq) {
            return false;
        }
        let next = self.peek(1);
        let (text, span) = (self.text_of(raw), self.span_of(raw).to(self.span_of(next)));
        self.report(
            operator(span, format!("there is no `{text}=` here; `{text}` compares"))
                .suggest(span, text)
                .family("equals"),
        );
        self.push(raw.kind);
        self.skip();
        true
    }

    /// `<>`
    fn less_greater(&mut self, raw: Raw) -> bool {
        if !self.joint(raw, Kind::Gt) || !self.frame().code || !self.last().ends_operand() {
            return false;
        }
        let next = self.peek(1);
        let after = self.peek(2).kind;
        if matches!(after, Kind::LParen | Kind::PathSep | Kind::Dot) || !after.starts_operand() {
            return false;
        }
        let span = self.span_of(raw).to(self.span_of(next));
        self.report(operator(span, "there is no `<>` here; `!=` compares").suggest(span, "!=").family("equals"));
        self.push(Kind::Ne);
        self.skip();
        true
    }

    /// `x ** 3`
    fn power(&mut self, raw: Raw) -> bool {
        let number = matches!(self.peek(2).kind, Kind::Int | Kind::Float);
        if !self.joint(raw, Kind::Star) || !number || !self.frame().code || !self.last().ends_operand() {
            return false;
        }
        let span = self.span_of(raw).to(self.span_of(self.raws[self.at + 1]));
        self.report(operator(span, "there is no `**` here").help("multiply, or call `pow` of `std/math`"));
        self.push(Kind::Star);
        self.skip();
        true
    }

    /// `=` for `==` in a condition, and for `:` in a struct literal.
    fn equals_for_another(&mut self, raw: Raw) -> bool {
        let span = self.span_of(raw);
        if self.pending_let.is_some() || !self.frame().code || self.frame().pattern || self.is_muted(span) {
            return false;
        }
        if self.frame().kind == FrameKind::Fields && self.last() == Kind::Name {
            self.report(
                Problem::new(codes::UNEXPECTED_TOKEN, span, "a field is given with `:`")
                    .text("write `:`")
                    .suggest(Span { start: self.end_of_last(), end: span.end }, ":")
                    .family("field"),
            );
            self.push(Kind::Colon);
            return true;
        }
        let condition = self.frame().heads.last().is_some_and(|head| {
            // An endless loop's block follows at once, and a `D` may assign.
            matches!(head.kind, HeadKind::If | HeadKind::Block)
        });
        if !condition {
            return false;
        }
        let keyword = self.chunk.tokens.iter().rev().map(|token| token.0).find(|kind| {
            matches!(kind, Kind::KwI | Kind::KwWhile | Kind::KwFor | Kind::KwD | Kind::KwM | Kind::Newline)
        });
        if !matches!(keyword, Some(Kind::KwI | Kind::KwWhile)) {
            return false;
        }
        self.report(
            operator(span, "`=` assigns; `==` compares").text("write `==`").suggest(span, "==").family("equals"),
        );
        self.push(Kind::EqEq);
        true
    }

    /// Where the last token ends.
    fn end_of_last(&self) -> u32 {
        self.chunk.tokens.last().map_or(0, |token| token.1.end)
    }

    /// `:` before a result type or in an arm, and blocks by indentation.
    fn foreign_colon(&mut self, raw: Raw) -> bool {
        let span = self.span_of(raw);
        let next = self.peek(1);
        if self.after_parameters() {
            if next.first {
                self.indented_block(raw);
            } else {
                let before = Span { start: self.end_of_last(), end: span.end };
                self.report(
                    Problem::new(codes::UNEXPECTED_TOKEN, span, "a result type stands behind `->`")
                        .text("write `->`")
                        .suggest(before, " ->"),
                );
                self.push(Kind::Arrow);
            }
            return true;
        }
        let (code, pattern) = (self.frame().code, self.frame().pattern);
        let head = self.frame().heads.last().map(|head| head.kind);
        if !code && next.first && head == Some(HeadKind::Function) {
            self.indented_block(raw);
            return true;
        }
        if code && pattern && self.frame().kind == FrameKind::Match {
            let before = Span { start: self.end_of_last(), end: span.end };
            self.report(
                Problem::new(codes::UNEXPECTED_TOKEN, span, "an arm is written `pattern => value`")
                    .text("write `=>`")
                    .suggest(before, " =>")
                    .family("arm"),
            );
            self.push(Kind::FatArrow);
            self.frame().pattern = false;
            return true;
        }
        if code && next.first && matches!(head, Some(HeadKind::If | HeadKind::Block)) {
            self.indented_block(raw);
            return true;
        }
        false
    }

    /// A block that indentation makes: it is left out.
    fn indented_block(&mut self, raw: Raw) {
        let span = self.span_of(raw);
        let item = !self.frame().code;
        self.report(
            Problem::new(codes::FOREIGN_WORD, span, "a block stands between `{` and `}`")
                .text("write `{` here, and `}` after the last line")
                .help("a block stands between `{` and `}`; indentation means nothing")
                .family(if item { "item" } else { "if" }),
        );
        let indent = self.column(raw.start);
        self.skip();
        loop {
            let next = self.peek(0);
            let otherwise = !item && matches!(self.text_of(next), "else" | "elif" | "E" | "EL");
            if next.kind == Kind::Eof || next.first && self.column(next.start) <= indent && !otherwise {
                break;
            }
            if next.first && next.kind == Kind::RBrace {
                break;
            }
            self.skip();
        }
        let end = self.chunk.end - self.base;
        self.chunk.muted.push(Span { start: span.start, end });
        if !item {
            self.frame().heads.pop();
            self.emit(Kind::LBrace, Span { start: end, end });
            self.emit(Kind::RBrace, Span { start: end, end });
        }
    }

    /// How far the line of an offset is indented, in bytes.
    fn column(&self, at: u32) -> usize {
        let at = at as usize;
        let line = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        self.text[line..].len() - self.text[line..].trim_start_matches([' ', '\t']).len()
    }

    /// `println!(...)`
    fn macro_bang(&mut self, raw: Raw) -> bool {
        let next = self.peek(1);
        let opens = matches!(next.kind, Kind::LParen | Kind::LBracket) && next.start == raw.end;
        let Some((Kind::Name, name)) = self.chunk.tokens.last().copied() else { return false };
        let name_end = (self.base + name.end) as usize;
        let name_text = &self.text[(self.base + name.start) as usize..name_end];
        if !opens || name_end as u32 != raw.start || !MACROS.contains(&name_text) {
            return false;
        }
        let span = self.span_of(raw);
        if name_text == "vec" && next.kind == Kind::LBracket {
            let whole = name.to(span);
            self.chunk.tokens.pop();
            self.report(
                operator(whole, "there is no `vec!` here; an array is written `[1, 2, 3]`")
                    .text("leave this out")
                    .suggest(whole, "")
                    .family("macro"),
            );
        } else {
            self.report(
                operator(span, format!("`{name_text}` is a function here, and called without `!`"))
                    .text("leave this out")
                    .suggest(span, "")
                    .family("macro"),
            );
        }
        self.skip();
        true
    }

    /// A result type right behind the parameters.
    pub(super) fn result_without_arrow(&mut self, raw: Raw) {
        if raw.first || !self.after_parameters() || self.text_of(raw) == "where" {
            return;
        }
        let span = self.span_of(raw);
        let before = Span { end: span.start, ..span };
        self.report(
            Problem::new(codes::UNEXPECTED_TOKEN, span, "a result type stands behind `->`")
                .text("write `->` before it")
                .suggest(before, "-> "),
        );
        self.emit(Kind::Arrow, before);
    }

    /// `int x` among the parameters.
    pub(super) fn type_before_name(&mut self, raw: Raw) -> bool {
        let next = self.peek(1);
        let start = matches!(self.last(), Kind::LParen | Kind::Comma);
        let depth = self.frames.len();
        let parameters = self.frame().kind == FrameKind::Round && depth > 1 && {
            let outer = &self.frames[depth - 2];
            !outer.code && outer.heads.last().is_some_and(|head| head.kind == HeadKind::Function)
        };
        let ends = matches!(self.peek(2).kind, Kind::Comma | Kind::RParen | Kind::Eq);
        if !start || !parameters || next.kind != Kind::Name || !ends {
            return false;
        }
        let [first, second] = [raw, next].map(|raw| (self.span_of(raw), self.text_of(raw)));
        let is_type = |text: &str| foreign_type(text).is_some() || crate::parser::is_primitive(text);
        // `x int`, as in Go, or `int x`.
        let go = is_type(second.1) && !is_type(first.1);
        let ((ty, written), (name, of)) = if go { (second, first) } else { (first, second) };
        let here = foreign_type(written).unwrap_or(written);
        self.report(
            Problem::new(codes::BAD_PARAMETER, ty.to(name), "a parameter is written `name: type`")
                .text(format!("write `{of}: {here}`"))
                .suggest(ty.to(name), format!("{of}: {here}"))
                .family("parameter"),
        );
        self.skip();
        self.skip();
        self.emit(Kind::Name, name);
        self.emit(Kind::Colon, Span { start: name.start, end: name.start });
        self.emit(Kind::Name, ty);
        true
    }

    /// `int x = 5`, `int x;`
    pub(super) fn declaration_of_c(&mut self, raw: Raw, text: &str) -> bool {
        let (next, after) = (self.peek(1), self.peek(2));
        let known = foreign_type(text).is_some() || crate::parser::is_primitive(text);
        let struct_name = text.len() > 1 && text.starts_with(|c: char| c.is_ascii_uppercase());
        if next.first || next.kind != Kind::Name || !self.at_statement() || !known && !struct_name {
            return false;
        }
        if after.kind == Kind::Eq {
            self.take_let(raw, "");
            return true;
        }
        if !known || !after.first && after.kind != Kind::Semi {
            return false;
        }
        let span = self.span_of(raw).to(self.span_of(next));
        self.report(
            Problem::new(codes::FOREIGN_WORD, span, "a variable is declared with its value: `name := value`")
                .text("needs a value"),
        );
        self.mute_line(span);
        self.skip();
        self.push(Kind::Name);
        let end = self.end_of_last();
        self.emit(Kind::ColonEq, Span { start: end, end });
        true
    }

    /// `++` and `--`.
    pub(super) fn sign(&mut self, raw: Raw) {
        let next = self.peek(1);
        let twice = next.kind == raw.kind && next.start == raw.end && !next.first;
        let after = self.peek(2);
        let ends = after.first || matches!(after.kind, Kind::RParen | Kind::RBrace | Kind::Semi);
        let step = twice && (raw.kind == Kind::Plus || ends);
        if !step || !self.last().ends_operand() && raw.kind == Kind::Minus {
            return self.push(raw.kind);
        }
        let sign = self.text_of(raw);
        let span = self.span_of(raw).to(self.span_of(next));
        let mut problem = operator(span, format!("there is no `{sign}{sign}` here"))
            .help(format!("write `x {sign}= 1`"))
            .family("step");
        if ends && self.only_a_place_before() {
            problem = problem.suggest(span, format!(" {sign}= 1"));
        } else if self.at_statement() && after.kind == Kind::Name {
            let behind = self.peek(3);
            if behind.first || matches!(behind.kind, Kind::RBrace | Kind::Semi) {
                let end = self.span_of(after).end;
                problem = problem.suggest(span, "").suggest(Span { start: end, end }, format!(" {sign}= 1"));
            }
        }
        // A loop of C has been reported as a whole.
        if !self.is_muted(span) {
            self.report(problem);
        }
        self.skip();
        self.skip();
    }

    /// Does nothing but a variable, field or element stand before the next token in its statement?
    fn only_a_place_before(&self) -> bool {
        let before = self.chunk.tokens.iter().rev().map(|token| token.0);
        let mut rest = before
            .skip_while(|kind| matches!(kind, Kind::Name | Kind::Dot | Kind::Int | Kind::LBracket | Kind::RBracket));
        matches!(rest.next(), Some(Kind::Newline | Kind::Semi | Kind::LBrace))
    }

    fn is_muted(&self, span: Span) -> bool {
        self.chunk.muted.iter().any(|range| range.start <= span.start && span.start <= range.end)
    }

    /// `I p == P { x: 1 } {`: true if the `{` opens a struct literal in the head of a construct, which is reported.
    pub(super) fn literal_in_head(&mut self, raw: Raw) -> bool {
        if !self.frame().code || self.frame().heads.is_empty() || self.last() != Kind::Name || !self.fields_follow(1) {
            return false;
        }
        let tokens = &self.chunk.tokens;
        let path = tokens.iter().rev().take_while(|(kind, _)| matches!(kind, Kind::Name | Kind::Dot | Kind::PathSep));
        let (last, first) = (tokens[tokens.len() - 1].1, tokens[tokens.len() - path.count()].1);
        let capital = self.text.as_bytes()[(self.base + last.start) as usize].is_ascii_uppercase();
        let Some(close) = self.matching_brace().filter(|_| capital) else { return false };
        let after = self.peek(close + 1);
        let goes_on = match after.kind {
            Kind::LBrace => true,
            kind => (kind == Kind::Dot || kind.is_binary()) && self.brace_on_line(close + 1),
        };
        if after.first || !goes_on {
            return false;
        }
        let end = self.span_of(self.raws[self.at + close]).end;
        let (open, shut) = (Span { end: first.start, ..first }, Span { start: end, end });
        let whole = Span { end: self.span_of(raw).end.max(end), ..first };
        self.report(
            Problem::new(codes::UNEXPECTED_TOKEN, whole, "a struct literal cannot stand bare in the head of a block")
                .text("needs parentheses")
                .suggest(open, "(")
                .suggest(shut, ")"),
        );
        true
    }

    /// The place of the `}` that closes the next token, on the same line.
    fn matching_brace(&mut self) -> Option<usize> {
        let mut depth = 0;
        for n in 0..200 {
            let next = self.peek(n);
            match next.kind {
                Kind::LBrace => depth += 1,
                Kind::RBrace => depth -= 1,
                Kind::Eof => return None,
                _ if next.first => return None,
                _ => {}
            }
            if depth == 0 {
                return Some(n);
            }
        }
        None
    }

    /// Does a `{` follow on the line, from the `n`th token on?
    fn brace_on_line(&mut self, n: usize) -> bool {
        (n..n + 100).map(|n| self.peek(n)).take_while(|raw| !raw.first).any(|raw| raw.kind == Kind::LBrace)
    }

    /// An item among statements, indented deeper than the function: it is reported and left out.
    pub(super) fn nested_item(&mut self) -> bool {
        let members = self.frames.iter().rposition(|frame| frame.kind == FrameKind::Members);
        let Some(open) = self.frames.get(members.unwrap_or(0) + 1).map(|frame| frame.open) else { return false };
        let raw = self.peek(0);
        let code = self.frames.last().is_some_and(|frame| frame.kind == FrameKind::Block);
        if !code || self.column(raw.start) <= self.column(self.base + open.start) {
            return false;
        }
        self.separator(Kind::Newline);
        let word = self.text_of(raw);
        let span = self.span_of(raw);
        let problem = Problem::new(codes::NOT_AN_ITEM, span, "an item cannot stand in a function");
        let what = match word {
            "F" => "functions",
            "S" => "structs",
            "E" | "EN" => "enums",
            "U" => "imports",
            _ => "items",
        };
        self.push(Kind::Unknown);
        self.skip_nested();
        let whole = Span { end: self.chunk.end - self.base, ..span };
        let source = &self.text[(self.base + whole.start) as usize..(self.base + whole.end) as usize];
        let start = self.chunk.tokens.first().map_or(0, |token| token.1.start);
        let problem = problem
            .text(format!("{what} stand outside of functions"))
            .suggest(Span { start, end: start }, format!("{source}\n"))
            .suggest(whole, "");
        self.report(problem);
        self.chunk.muted.push(whole);
        true
    }

    /// Skips an item up to the end of its braces, or of its line.
    pub(super) fn skip_nested(&mut self) {
        let mut depth = 0;
        loop {
            let next = self.peek(0);
            if next.kind == Kind::Eof || next.first && depth == 0 || depth == 0 && next.kind == Kind::RBrace {
                break;
            }
            match next.kind {
                Kind::LBrace => depth += 1,
                Kind::RBrace => depth -= 1,
                _ => {}
            }
            self.skip();
            if depth == 0 && next.kind == Kind::RBrace {
                break;
            }
        }
    }

    /// Skips the rest of the line, or up to the bracket that closes around.
    pub(super) fn drop_line(&mut self, span: Span) {
        self.mute_line(span);
        let mut depth = 0;
        loop {
            let next = self.peek(0);
            if next.kind == Kind::Eof || next.first && (depth == 0 || self.item_starts_for_sure()) {
                break;
            }
            match next.kind {
                Kind::LParen | Kind::LBracket | Kind::LBrace => depth += 1,
                Kind::RParen | Kind::RBracket | Kind::RBrace if depth == 0 => break,
                Kind::RParen | Kind::RBracket | Kind::RBrace => depth -= 1,
                Kind::Semi if depth == 0 => break,
                _ => {}
            }
            self.skip();
        }
        let end = self.chunk.end - self.base;
        self.chunk.muted.push(Span { start: span.start, end });
    }
}
