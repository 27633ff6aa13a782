//! Brackets: what each opens, and mending those that do not match, so that the grammar sees only balanced ones.

use super::problem::Problem;
use super::{Frame, FrameKind, HeadKind, Layout, MAX_NESTING};
use crate::Span;
use crate::codes;
use crate::lexer::{Kind, Raw};

impl Layout<'_> {
    /// `(`, `[` or `#[`.
    pub(super) fn open(&mut self, raw: Raw) {
        let kind = if raw.kind == Kind::LParen { FrameKind::Round } else { FrameKind::Square };
        if raw.kind == Kind::LParen && self.at_statement() && self.is_destructuring() {
            let start = raw.start - self.base;
            self.emit(Kind::LetMark, Span { start, end: start });
        }
        let (code, pattern) = (self.frame().code, self.frame().pattern);
        let code = code && raw.kind != Kind::AttrOpen;
        let span = self.span_of(raw);
        self.push(raw.kind);
        // The `@` of `@[` belongs to the token.
        self.chunk.tokens.last_mut().expect("just pushed").1 = span;
        self.push_frame(Frame { pattern, ..Frame::new(kind, span, code) });
    }

    /// `{`: a struct literal, the block of a construct whose head stands before it, or a block of its own.
    pub(super) fn open_brace(&mut self, raw: Raw) {
        let span = self.span_of(raw);
        let at_statement = self.at_statement() || self.last() == Kind::KwElse && self.pending_else == Some(true);
        let frame = self.frames.last_mut().expect("the top frame is never popped");
        let top = frame.kind == FrameKind::Top;
        let result_type = std::mem::take(&mut frame.result_type);
        if frame.code && (frame.pattern || !result_type && frame.heads.is_empty() && self.is_struct_literal()) {
            self.push(Kind::StructOpen);
            let pattern = self.frame().pattern;
            return self.push_frame(Frame { pattern, ..Frame::new(FrameKind::Fields, span, true) });
        }
        if self.literal_in_head(raw) {
            self.push(Kind::StructOpen);
            return self.push_frame(Frame::new(FrameKind::Fields, span, true));
        }
        let frame = self.frames.last_mut().expect("the top frame is never popped");
        let head = frame.heads.pop();
        let code = frame.code;
        let statement = head.map_or(at_statement, |head| head.statement);
        let (kind, code) = match head.map(|head| head.kind) {
            Some(HeadKind::If | HeadKind::Block) => (FrameKind::Block, true),
            Some(HeadKind::Match) => (FrameKind::Match, true),
            Some(HeadKind::Function) => (FrameKind::Block, true),
            Some(HeadKind::Members) => (FrameKind::Members, false),
            Some(HeadKind::Import) => (FrameKind::Names, false),
            None if code || top => (FrameKind::Block, true),
            None => (FrameKind::Members, false),
        };
        self.push(Kind::LBrace);
        let body = top
            && matches!(head.map(|head| head.kind), Some(HeadKind::Function | HeadKind::Members | HeadKind::Import));
        let then = matches!(head.map(|head| head.kind), Some(HeadKind::If));
        let pattern = kind == FrameKind::Match;
        self.push_frame(Frame { statement, then, body, pattern, ..Frame::new(kind, span, code) });
    }

    fn push_frame(&mut self, frame: Frame) {
        let span = frame.open;
        self.frames.push(frame);
        if self.frames.len() > MAX_NESTING + 1 {
            self.overflow = Some((span, "brackets are nested too deeply here", "at most 256 may be open at a time"));
        }
    }

    /// Gives up on the item: reports once and skips to the next.
    pub(super) fn give_up(&mut self, span: Span, message: &str, help: &str) {
        self.chunk.problems.clear();
        self.report(Problem::new(codes::TOO_DEEP, span, message).text("this one is too much").help(help));
        self.chunk.junk = true;
        self.frames.truncate(1);
        self.frame().operators = 0;
        self.frame().heads.clear();
        self.frame().questions.clear();
        self.operators = 0;
        self.chunk.tokens.clear();
        self.pending_else = None;
        loop {
            let raw = self.peek(0);
            if raw.kind == Kind::Eof || raw.first && self.item_starts() {
                break;
            }
            self.skip();
            self.forget_read();
        }
        self.prefix = false;
        self.done = true;
    }

    /// Frees the tokens already taken.
    fn forget_read(&mut self) {
        if self.at > 1024 {
            self.raws.drain(..self.at);
            self.at = 0;
        }
    }

    /// `)`, `]` or `}`.
    pub(super) fn close(&mut self, raw: Raw) {
        let wanted = |frame: &Frame| closer_of(frame.kind) == raw.kind;
        let top = self.frames.len() - 1;
        let depth = (1..=top).rev().find(|depth| wanted(&self.frames[*depth]));
        // Another bracket still open inside is a forgotten one, unless a whole block stands between.
        let depth = depth.filter(|depth| {
            raw.kind == Kind::RBrace
                || !self.frames[depth + 1..].iter().any(|frame| closer_of(frame.kind) == Kind::RBrace)
        });
        let Some(depth) = depth else { return self.unmatched(raw) };
        if depth < top {
            let closer = self.span_of(raw);
            self.unclosed(depth + 1, closer, true);
        }
        self.close_frame(raw);
    }

    fn unmatched(&mut self, raw: Raw) {
        let span = self.span_of(raw);
        let text = self.text_of(raw);
        let inner = self.frames.last().expect("the top frame is never popped");
        let round = matches!(inner.kind, FrameKind::Round | FrameKind::Square);
        if round && self.frames.len() > 1 && raw.kind != Kind::RBrace {
            // `(n ]`
            let (closer, open) = (closer_text(inner.kind), inner.open);
            let bracket = self.opener_text(open);
            self.report(
                Problem::new(codes::UNMATCHED_BRACKET, span, format!("this `{text}` does not close the `{bracket}`"))
                    .text(format!("write `{closer}`"))
                    .label(open, "opened here")
                    .suggest(span, closer.to_string()),
            );
            let kind = closer_of(self.pop_frame().kind);
            return self.push(kind);
        }
        let top = self.frames.len() == 1;
        let known = self.chunk.problems.iter().any(|problem| problem.code == codes::UNMATCHED_BRACKET);
        self.mute_line(span);
        if !(top && known) {
            self.report(
                Problem::new(codes::UNMATCHED_BRACKET, span, format!("this `{text}` closes nothing"))
                    .text("no bracket is open here"),
            );
        }
        if top {
            self.chunk.junk = true;
            self.prefix = false;
        }
        self.skip();
    }

    /// Closes all brackets from a depth on, and says which one lacks its end.
    fn unclosed(&mut self, depth: usize, at: Span, mismatch: bool) {
        let frame = &self.frames[depth];
        let open = frame.open;
        let (bracket, closer) = (self.opener_text(open), closer_text(frame.kind));
        let mut problem = Problem::new(codes::UNCLOSED_BRACKET, open, format!("this `{bracket}` is never closed"))
            .text("opened here")
            .help(format!("a `{closer}` is missing"));
        if mismatch {
            problem = problem.label(at, format!("`{closer}` was expected before this"));
        }
        // A string without an end has probably swallowed the end of the bracket.
        let swallowed = |other: &Problem| other.code == codes::UNCLOSED_STRING && other.span.start > open.start;
        if !self.chunk.problems.iter().any(swallowed) {
            self.report(problem);
        }
        self.chunk.muted.push(Span { start: open.start, end: at.end });
        while self.frames.len() > depth {
            let end = self.chunk.tokens.last().map_or(0, |token| token.1.end);
            let frame = self.pop_frame();
            self.emit(closer_of(frame.kind), Span { start: end, end });
        }
    }

    /// Closes the brackets that an unclosed string has swallowed the ends of.
    pub(super) fn close_swallowed(&mut self, text: &str) {
        for character in text.chars() {
            let frame = self.frames.last().expect("the top frame is never popped");
            let fits =
                matches!(frame.kind, FrameKind::Round | FrameKind::Square) && closer_text(frame.kind) == character;
            if fits && self.frames.len() > 1 {
                let end = self.chunk.tokens.last().map_or(0, |token| token.1.end);
                let frame = self.pop_frame();
                self.emit(closer_of(frame.kind), Span { start: end, end });
            }
        }
    }

    fn opener_text(&self, open: Span) -> String {
        let start = (self.base + open.start) as usize;
        self.text.get(start..start + (open.end - open.start) as usize).unwrap_or("{").to_string()
    }

    fn pop_frame(&mut self) -> Frame {
        let frame = self.frames.pop().expect("only called above the top frame");
        self.operators -= frame.operators;
        frame
    }

    /// Closes the innermost bracket with the next token.
    fn close_frame(&mut self, raw: Raw) {
        let frame = self.pop_frame();
        self.push(raw.kind);
        if raw.kind != Kind::RBrace {
            return;
        }
        if frame.then && self.else_follows() {
            self.pending_else = Some(frame.statement);
            return;
        }
        if self.frames.len() == 1 && frame.body {
            if self.peek(0).kind == Kind::Semi {
                self.skip();
            }
            self.done = true;
            return;
        }
        let next = self.peek(0).kind;
        if frame.statement && !matches!(next, Kind::Dot | Kind::Question) {
            self.separator(Kind::Newline);
        }
    }

    /// At the end of the text, or of an item whose brackets are not all closed.
    pub(super) fn close_at_end(&mut self) {
        if self.frames.len() > 1 {
            let end = self.chunk.end.saturating_sub(self.base);
            self.unclosed(self.frames.len() - 1, Span { start: end, end }, false);
            if self.frames.len() > 1 {
                self.silently_close();
            }
        }
    }

    fn silently_close(&mut self) {
        while self.frames.len() > 1 {
            let end = self.chunk.tokens.last().map_or(0, |token| token.1.end);
            let frame = self.pop_frame();
            self.chunk.muted.push(Span { start: frame.open.start, end });
            self.chunk.tokens.push((closer_of(frame.kind), Span { start: end, end }));
        }
    }

    /// In the body of a function or the like, at the start of a line: does an item start here, so that the bracket
    /// around must have been forgotten?
    pub(super) fn lost_item(&mut self) -> bool {
        if !self.item_starts_for_sure() {
            return false;
        }
        if self.nested_item() {
            return false;
        }
        // A method goes on in the type or implementation around it.
        let members = self.frames.iter().rposition(|frame| frame.kind == FrameKind::Members);
        if let Some(depth) = members
            && self.function_starts()
        {
            let raw = self.peek(0);
            let at = self.span_of(raw);
            self.unclosed(depth + 1, at, false);
            self.separator(Kind::Newline);
            return false;
        }
        true
    }
}

/// The token that closes a bracket.
fn closer_of(kind: FrameKind) -> Kind {
    match kind {
        FrameKind::Round => Kind::RParen,
        FrameKind::Square => Kind::RBracket,
        _ => Kind::RBrace,
    }
}

fn closer_text(kind: FrameKind) -> char {
    match kind {
        FrameKind::Round => ')',
        FrameKind::Square => ']',
        _ => '}',
    }
}
