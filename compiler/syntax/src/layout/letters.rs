//! Capital letters: keyword or name? See the rules for the parser in the language reference.

use super::{FrameKind, Head, HeadKind, Layout};
use crate::lexer::{Kind, Raw};

/// Is it one of the letters that begin an item?
pub(super) fn is_item_letter(kind: Kind) -> bool {
    use Kind::*;
    matches!(kind, KwF | KwS | KwE | KwW | KwX | KwN | KwU | KwG | KwC | KwT)
}

impl Layout<'_> {
    /// A word: keyword, habit from another language, or name.
    pub(super) fn name(&mut self, raw: Raw) {
        if std::mem::take(&mut self.force_name) {
            return self.push(Kind::Name);
        }
        if let Some(statement) = self.pending_else.take() {
            return self.otherwise(raw, statement);
        }
        if self.is_member(raw) {
            return;
        }
        let frame = self.frames.last().expect("the top frame is never popped");
        if !frame.code || frame.kind == FrameKind::Members {
            if matches!(frame.kind, FrameKind::Top | FrameKind::Members) && self.at_item() {
                return self.item_word(raw);
            }
            if !self.frame().code {
                if self.left_out_type(raw) {
                    return self.skip();
                }
                if self.type_before_name(raw) {
                    return;
                }
                if self.trait_for_type(raw) {
                    return self.push(Kind::KwFor);
                }
                self.result_without_arrow(raw);
                let is_where = self.text_of(raw) == "where" && !self.in_round();
                return self.push(if is_where { Kind::Where } else { Kind::Name });
            }
        }
        self.code_word(raw);
    }

    /// After `.` or `::` any word is a member's name. True if it has been taken.
    fn is_member(&mut self, raw: Raw) -> bool {
        if !matches!(self.last(), Kind::Dot | Kind::PathSep) {
            return false;
        }
        if self.last() != Kind::Dot || !self.left_out_member(raw) {
            self.push(Kind::Name);
        }
        true
    }

    /// May an item or member start at the next token?
    fn at_item(&mut self) -> bool {
        use Kind::*;
        let last = self.last();
        if self.chunk.tokens.is_empty() || self.prefix {
            return true;
        }
        matches!(last, LBrace | Newline | Semi | Comma | KwX | KwN | RBracket | RBrace) || self.function_starts()
    }

    fn item_word(&mut self, raw: Raw) {
        let members = self.frame().kind == FrameKind::Members;
        if self.is_letter_at(0, "P")
            && !self.peek(1).first
            && (self.modifies_item(1) || members && self.peek(1).kind == Kind::Name)
        {
            return self.skip();
        }
        let mut letter = self.item_letter(0);
        if members && letter != Some(Kind::KwF) {
            letter = None;
        }
        if self.habit_of_items(raw, members) {
            return;
        }
        let Some(kind) = letter else {
            return self.push(Kind::Name);
        };
        self.begin_item(kind);
    }

    /// Takes an item letter and prepares for what follows it.
    pub(super) fn begin_item(&mut self, kind: Kind) {
        self.push(kind);
        self.frame().code = false;
        let head = match kind {
            Kind::KwF => Some(HeadKind::Function),
            Kind::KwS | Kind::KwE | Kind::KwW | Kind::KwX | Kind::KwN => Some(HeadKind::Members),
            Kind::KwU => Some(HeadKind::Import),
            _ => None,
        };
        if self.frame().kind == FrameKind::Top {
            self.alias = kind == Kind::KwT;
        }
        self.frame().heads.clear();
        if let Some(kind) = head {
            self.frame().heads.push(Head { kind, statement: false });
        }
        let next = self.peek(0);
        let nested =
            matches!(kind, Kind::KwX | Kind::KwN) && self.is_letter_at(0, "F") && self.item_letter(0).is_some();
        self.force_name = next.kind == Kind::Name && !nested;
    }

    fn modifies_item(&mut self, n: usize) -> bool {
        self.item_letter(n).is_some() || self.item_habit(n).is_some()
    }

    /// The item letter `n` places ahead, if it is one.
    pub(super) fn item_letter(&mut self, n: usize) -> Option<Kind> {
        let raw = self.peek(n);
        if raw.kind != Kind::Name {
            return None;
        }
        let (next, after) = (self.peek(n + 1), self.peek(n + 2));
        if next.first {
            return None;
        }
        let name = next.kind == Kind::Name;
        match self.text_of(raw) {
            "F" if name => Some(Kind::KwF),
            "S" if name => Some(Kind::KwS),
            "E" | "EN" if name => Some(Kind::KwE),
            "W" if name => Some(Kind::KwW),
            "X" if name || next.kind == Kind::Lt => Some(Kind::KwX),
            "N" if matches!(next.kind, Kind::Str | Kind::LBrace) || self.is_letter_at(n + 1, "F") => Some(Kind::KwN),
            "U" if name => Some(Kind::KwU),
            "G" if name => Some(Kind::KwG),
            "C" if name && matches!(after.kind, Kind::Colon | Kind::Eq | Kind::ColonEq) => Some(Kind::KwC),
            "const" if name => Some(Kind::KwC),
            "T" if name && matches!(after.kind, Kind::Eq | Kind::Lt) => Some(Kind::KwT),
            "P" if !self.is_letter_at(n + 1, "P") => self.item_letter(n + 1),
            _ => None,
        }
    }

    fn code_word(&mut self, raw: Raw) {
        let text = self.text_of(raw);
        if self.frame().pattern {
            return self.pattern_word(text);
        }
        if text.len() > 2 || !text.as_bytes()[0].is_ascii_uppercase() {
            return self.long_word(raw, text);
        }
        let statement = self.at_statement();
        let in_type = match self.last() {
            Kind::As => true,
            Kind::Colon => self.peek(1).kind == Kind::Pipe,
            _ => false,
        };
        if in_type {
            return self.push(Kind::Name);
        }
        match text {
            "I" if self.is_keyword(statement) => self.head(Kind::KwI, HeadKind::If, statement),
            "M" if self.is_keyword(statement) => self.head(Kind::KwM, HeadKind::Match, statement),
            "L" | "LW" | "LF" if self.is_keyword(statement) => self.loop_word(text, statement),
            "D" if statement && self.is_keyword(true) => self.defer(),
            "E" | "EL" if statement && self.stray_else(raw) => {}
            "R" => self.leave(Kind::KwR, Kind::KwReturn, statement),
            "B" => self.leave(Kind::KwB, Kind::KwBreak, statement),
            "C" if self.item_letter(0) == Some(Kind::KwC) && statement => self.local_item(Kind::KwC),
            "C" if self.stands_alone(statement) => self.push(Kind::KwContinue),
            "G" if self.item_letter(0).is_some() && statement => self.local_item(Kind::KwG),
            _ => self.push(Kind::Name),
        }
    }

    /// In a pattern all words are names, until the guard.
    fn pattern_word(&mut self, text: &str) {
        let guard = matches!(text, "I" | "if") && self.last().ends_operand() && self.frame().kind == FrameKind::Match;
        if guard {
            self.push(Kind::KwI);
            self.frame().pattern = false;
            return;
        }
        if !self.pattern_habit(text) {
            self.push(Kind::Name);
        }
    }

    fn long_word(&mut self, raw: Raw, text: &str) {
        match text {
            "const" if self.item_letter(0).is_some() && self.at_statement() => return self.local_item(Kind::KwC),
            "in" if std::mem::take(&mut self.pending_in) => return self.habit_of_in(raw),
            "move" if matches!(self.peek(1).kind, Kind::Pipe | Kind::PipePipe) => return self.push(Kind::Move),
            _ => {}
        }
        if !self.habit_of_code(raw, text) {
            self.push(Kind::Name);
        }
    }

    /// `C N = 1` or `G n = 0` in a block.
    fn local_item(&mut self, kind: Kind) {
        self.push(kind);
        self.force_name = true;
    }

    fn head(&mut self, keyword: Kind, kind: HeadKind, statement: bool) {
        self.push(keyword);
        self.frame().heads.push(Head { kind, statement });
    }

    /// `L`, `LW`, `LF`: endless, while or for, by what follows.
    pub(super) fn loop_word(&mut self, text: &str, statement: bool) {
        let next = self.peek(1).kind;
        let keyword = match text {
            "L" | "loop" if next == Kind::LBrace => Kind::KwLoop,
            "LF" | "for" => Kind::KwFor,
            "L" if self.for_follows() => Kind::KwFor,
            _ => Kind::KwWhile,
        };
        self.head(keyword, HeadKind::Block, statement);
        self.force_name = keyword == Kind::KwFor && self.peek(0).kind == Kind::Name;
        self.pending_in = keyword == Kind::KwFor;
    }

    pub(super) fn defer(&mut self) {
        self.push(Kind::KwD);
        if self.peek(0).kind == Kind::LBrace {
            self.frame().heads.push(Head { kind: HeadKind::Block, statement: true });
        }
    }

    /// `E` or `EL` after the `}` of an `I`.
    fn otherwise(&mut self, raw: Raw, statement: bool) {
        self.habit_of_else(raw);
        let elif = self.text_of(raw) == "elif";
        self.push(Kind::KwElse);
        let next = self.peek(0);
        if elif {
            let at = self.span_of(next).start;
            self.emit(Kind::KwI, crate::Span { start: at, end: at });
            self.frame().heads.push(Head { kind: HeadKind::If, statement });
        } else if next.kind == Kind::Name {
            self.habit_of_else(next);
            self.head(Kind::KwI, HeadKind::If, statement);
        } else {
            self.frame().heads.push(Head { kind: HeadKind::Block, statement });
        }
    }

    /// `R` and `B`: with a value, without, or a name.
    fn leave(&mut self, alone: Kind, with_value: Kind, statement: bool) {
        let next = self.peek(1);
        if self.stands_alone(statement) {
            self.push(alone);
        } else if !next.first && self.is_keyword(statement) {
            self.push(with_value);
        } else {
            self.push(Kind::Name);
        }
    }

    /// Does a `R`, `B` or `C` mean itself, without an operand? Whether a variable has that name is the checker's to know.
    fn stands_alone(&mut self, statement: bool) -> bool {
        let next = self.peek(1);
        let ends = matches!(next.kind, Kind::RBrace | Kind::Semi | Kind::Eof)
            || next.first && !next.kind.continues_before() && !self.in_round();
        let arm = self.last() == Kind::FatArrow && next.kind == Kind::Comma;
        let is_else = next.kind == Kind::Name && matches!(self.text_of(next), "E" | "EL");
        (ends || arm || is_else) && (statement || !self.last().is_binary())
    }

    /// Is the letter a keyword, going by what follows it?
    fn is_keyword(&mut self, statement: bool) -> bool {
        let (this, next) = (self.peek(0), self.peek(1));
        let joint = this.end == next.start;
        let spaced = !joint && next.end < self.peek(2).start;
        let last = self.last();
        if !statement
            && (last.is_binary() || matches!(last, Kind::Try | Kind::Question))
            && !self.chunk.tokens.is_empty()
        {
            // `x + M { ... }` needs parentheses; `x + M * 2` is the common case.
            if next.kind != Kind::Name && !matches!(last, Kind::Try | Kind::Question) {
                return false;
            }
        }
        match next.kind {
            Kind::LBrace if matches!(self.text_of(this), "L" | "D" | "LW" | "LF") => true,
            Kind::LBrace if !self.frame().heads.is_empty() && !statement => false,
            Kind::LBrace => statement && self.text_of(this) == "R" || !self.fields_follow(2),
            _ if next.first => false,
            // `I(x) {` can only be a habit from C; `M(x)` alone is a call.
            Kind::LParen if joint => statement && self.block_follows_parenthesis(),
            Kind::LBracket => !joint,
            Kind::Minus | Kind::Star | Kind::Amp | Kind::Pipe | Kind::PipePipe if !statement && spaced => false,
            Kind::Minus | Kind::Star | Kind::Amp | Kind::Pipe
                if spaced && matches!(self.text_of(this), "I" | "L" | "M") =>
            {
                self.block_follows_on_line()
            }
            Kind::AmpAmp => false,
            Kind::DotDot | Kind::DotDotEq | Kind::True | Kind::False => next.kind.starts_operand() && !joint,
            kind => kind.starts_operand(),
        }
    }
}
