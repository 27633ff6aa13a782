//! Tokens whose text matters: comments, numbers, characters and string literals.

use super::problem::Problem;
use super::{Chunk, Layout, Piece, StringToken};
use crate::Span;
use crate::codes;
use crate::lexer::{Kind, Raw};
use crate::literal::{self, Group};

/// The most string literals within the holes of string literals.
const MAX_STRING_DEPTH: u32 = 4;

impl Layout<'_> {
    /// `/// text`: documentation of the item if it stands before one, else a comment.
    pub(super) fn doc(&mut self, raw: Raw) {
        if self.prefix && self.frames.len() == 1 {
            let text = &self.text_of(raw)[3..];
            if !self.chunk.docs.is_empty() {
                self.chunk.docs.push('\n');
            }
            self.chunk.docs.push_str(text.strip_prefix(' ').unwrap_or(text));
        }
        self.skip();
    }

    pub(super) fn slash_comment(&mut self, raw: Raw) {
        let span = self.span_of(raw);
        let slashes = Span { start: span.start, end: span.start + 2 };
        let text = self.text_of(raw);
        let message = format!("a comment starts with `#` here, not with `{}`", &text[..2]);
        let problem = Problem::new(codes::SLASH_COMMENT, slashes, message).text("write `#`").family("comment");
        let problem = if text.starts_with("//") {
            problem.suggest(slashes, "#")
        } else {
            problem.suggest(span, self.mended_comment(raw))
        };
        self.report(problem);
        self.skip();
    }

    /// What to put for `/* ... */`: its lines with `#`, or nothing where code follows on its last line.
    fn mended_comment(&self, raw: Raw) -> String {
        let rest = &self.text[raw.end as usize..];
        if !rest[..rest.find('\n').unwrap_or(rest.len())].trim().is_empty() {
            return String::new();
        }
        let text = self.text_of(raw);
        let mut lines: Vec<String> = Vec::new();
        for line in text[2..text.len() - 2].lines() {
            let bare = line.trim_start();
            let indent = &line[..line.len() - bare.len()];
            let indent = if lines.is_empty() { "" } else { indent };
            let bare = bare.trim_start_matches('*').trim();
            lines.push(if bare.is_empty() { format!("{indent}#") } else { format!("{indent}# {bare}") });
        }
        lines.join("\n")
    }

    pub(super) fn unknown(&mut self, raw: Raw) {
        let (text, span) = (self.text_of(raw), self.span_of(raw));
        let first = text.chars().next().unwrap_or(' ');
        let shown =
            if first.is_control() { first.escape_unicode().to_string() } else { text.chars().take(20).collect() };
        let mut problem = Problem::new(codes::UNKNOWN_CHARACTER, span, format!("`{shown}` means nothing here"))
            .text("not part of the language");
        problem.help = match first {
            '“' | '”' | '„' | '‘' | '’' => Some("strings stand between plain quotes: \"...\"".to_string()),
            '–' | '—' | '−' => Some("a minus is a plain `-`".to_string()),
            '\'' => Some("strings stand between double quotes; there are no character literals".to_string()),
            first if first.is_alphabetic() => Some("names are made of the letters a to z, digits and `_`".to_string()),
            _ => None,
        };
        self.report(problem);
        self.mute_line(span);
        self.skip();
    }

    /// Errors of the grammar on the line of a bad token would only repeat it.
    pub(super) fn mute_line(&mut self, span: Span) {
        if self.chunk.muted.last().is_some_and(|muted| muted.start <= span.start && span.start < muted.end) {
            return;
        }
        let at = (self.base + span.start) as usize;
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1).max(self.base as usize);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline + 1);
        self.chunk.muted.push(Span::new(start - self.base as usize, end - self.base as usize));
    }

    pub(super) fn char_literal(&mut self, raw: Raw) {
        let span = self.span_of(raw);
        let inner = self.text_of(raw).trim_matches('\'');
        let value = if inner.starts_with('\\') { None } else { inner.chars().next() };
        let mut problem = Problem::new(codes::CHARACTER_LITERAL, span, "there are no character literals")
            .text("a string stands between double quotes")
            .help("write a string, or the character's number");
        if let Some(value) = value {
            let number = value as u32;
            problem =
                problem.help(format!("write `{number}`, its number, or a string")).suggest(span, number.to_string());
        }
        self.report(problem);
        self.push(Kind::Int);
    }

    /// After a `.`, `0.1` is two fields of tuples.
    pub(super) fn number(&mut self, raw: Raw) {
        let text = self.text_of(raw);
        if raw.kind == Kind::Float
            && self.last() == Kind::Dot
            && let Some(point) =
                text.find('.').filter(|_| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
        {
            let middle = raw.start + point as u32;
            let span = |start: u32, end: u32| Span { start: start - self.base, end: end - self.base };
            let parts = [span(raw.start, middle), span(middle, middle + 1), span(middle + 1, raw.end)];
            self.skip();
            for (kind, span) in [Kind::Int, Kind::Dot, Kind::Int].into_iter().zip(parts) {
                self.emit(kind, span);
            }
            return;
        }
        let wrong = match raw.kind {
            Kind::Int => literal::int(text).err(),
            _ => literal::float(text).err(),
        };
        if let Some(wrong) = wrong {
            let span = self.span_of(raw);
            let mut problem = Problem::new(codes::BAD_NUMBER, span, wrong.message).text(wrong.text);
            problem.help = wrong.help;
            self.report(problem);
        }
        self.push(raw.kind);
    }

    pub(super) fn string(&mut self, raw: Raw) {
        let span = self.span_of(raw);
        let text = self.text_of(raw);
        let closed = raw.kind == Kind::Str;
        let inner = &text[1..text.len() - usize::from(closed && text.len() > 1)];
        if !closed {
            let quote = Span { start: span.start, end: span.start + 1 };
            self.report(
                Problem::new(codes::UNCLOSED_STRING, quote, "this string is never closed")
                    .text("opened here")
                    .help("a `\"` is missing, probably at the end of the line"),
            );
            self.mute_line(span);
            self.chunk.muted.push(span);
        }
        if text.starts_with('\'') {
            self.single_quotes(span);
        }
        let unescaped = literal::unescape(inner, span.start + 1);
        for wrong in &unescaped.wrong {
            let problem = Problem::new(codes::BAD_ESCAPE, wrong.span, wrong.message.clone())
                .text("not an escape")
                .help("the escapes are \\n \\t \\r \\\\ \\\" \\0 \\xHH \\u{...} \\{ \\}");
            self.report(problem);
        }
        let (pieces, broken) = match literal::groups(&unescaped) {
            Ok(groups) => self.pieces(groups),
            Err(broken) => (Vec::new(), Some(broken)),
        };
        let string = StringToken { start: span.start, raw: unescaped.plain(), pieces, broken };
        self.chunk.strings.push(string);
        self.push(Kind::Str);
        if !closed {
            self.close_swallowed(text);
        }
    }

    /// `'text'`
    fn single_quotes(&mut self, span: Span) {
        let message = "a string stands between double quotes";
        let quotes = [(span.start, span.start + 1), (span.end - 1, span.end)].map(|(start, end)| Span { start, end });
        let problem = Problem::new(codes::CHARACTER_LITERAL, span, message).text("write `\"`").family("quotes");
        self.report(problem.suggest(quotes[0], "\"").suggest(quotes[1], "\""));
    }

    fn pieces(&mut self, groups: Vec<Group>) -> (Vec<Piece>, Option<(Span, String)>) {
        let mut pieces = Vec::new();
        for group in groups {
            match group {
                Group::Text(text) => pieces.push(Piece::Text(text)),
                Group::Hole { code, map, spec, span } => match self.hole(&code, &map) {
                    Ok(tokens) => pieces.push(Piece::Hole { tokens, spec, span }),
                    Err(message) => return (Vec::new(), Some((span, message))),
                },
            }
        }
        (pieces, None)
    }

    /// The tokens of a hole; `map` gives the place in the item of each of its bytes.
    fn hole(&mut self, code: &str, map: &literal::Map) -> Result<Vec<super::Token>, String> {
        if code.trim().is_empty() {
            return Ok(Vec::new());
        }
        if self.string_depth >= MAX_STRING_DEPTH {
            return Err("strings within strings are nested too deeply".to_string());
        }
        let Chunk { mut tokens, strings, problems, junk, .. } = Layout::of_expression(code, self.string_depth + 1);
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem.message);
        }
        if junk || tokens.is_empty() {
            return Err("this is not an expression".to_string());
        }
        for token in &mut tokens {
            token.1 = map.span(token.1);
        }
        for mut string in strings {
            string.start = map.offset(string.start);
            for piece in &mut string.pieces {
                if let Piece::Hole { tokens, span, .. } = piece {
                    *span = map.span(*span);
                    tokens.iter_mut().for_each(|token| token.1 = map.span(token.1));
                }
            }
            if let Some((span, _)) = &mut string.broken {
                *span = map.span(*span);
            }
            self.chunk.strings.push(string);
        }
        Ok(tokens)
    }
}
