//! Looking ahead: does an item start here, is this `<` a list of types, is this `(` a pattern? Never past the end of
//! the line or a fixed number of tokens, so that no input makes it slow.

use super::letters::is_item_letter;
use super::{FrameKind, Layout};
use crate::lexer::{Kind, Raw};

/// The most tokens of a pattern looked at.
const MAX_LOOKAHEAD: usize = 200;
/// The most types of a list of types looked at.
const MAX_TYPES: usize = 50;

impl Layout<'_> {
    /// Does an item start at the next token, at a place where one may?
    pub(super) fn item_starts(&mut self) -> bool {
        let raw = self.peek(0);
        match raw.kind {
            Kind::AttrOpen | Kind::Doc => raw.first,
            Kind::At => raw.first && self.peek(1).kind == Kind::LBracket,
            Kind::Name => self.item_letter(0).is_some() || self.item_habit(0).is_some(),
            _ => false,
        }
    }

    /// On the same line, behind a whole value or type: the letter of a constant, global or alias.
    pub(super) fn item_follows(&mut self) -> bool {
        use Kind::*;
        let complete = matches!(self.last(), Name | Int | Float | Str | True | False)
            || matches!(self.last(), RParen | RBracket | RBrace | GenericClose);
        complete && matches!(self.item_letter(0), Some(KwC | KwG | KwT))
    }

    /// `F name (` or `F name <`: nothing else looks like that.
    pub(super) fn function_starts(&mut self) -> bool {
        self.function_at(0) || self.is_letter_at(0, "P") && !self.peek(1).first && self.function_at(1)
    }

    fn function_at(&mut self, n: usize) -> bool {
        self.is_letter_at(n, "F")
            && self.peek(n + 1).kind == Kind::Name
            && !self.peek(n + 1).first
            && matches!(self.peek(n + 2).kind, Kind::LParen | Kind::Lt)
    }

    pub(super) fn is_letter_at(&mut self, n: usize, letter: &str) -> bool {
        let raw = self.peek(n);
        raw.kind == Kind::Name && self.text_of(raw) == letter
    }

    /// Where statements stand: an item that no statement looks like.
    pub(super) fn item_starts_for_sure(&mut self) -> bool {
        if self.peek(0).kind == Kind::AttrOpen {
            return self.attribute_then_item();
        }
        if self.function_starts() {
            return true;
        }
        let (next, after) = (self.peek(1), self.peek(2));
        if self.peek(0).kind != Kind::Name || next.first {
            return false;
        }
        let named = next.kind == Kind::Name && !after.first;
        let raw = self.peek(0);
        match self.text_of(raw) {
            "S" | "EN" | "W" => named && matches!(after.kind, Kind::LBrace | Kind::Lt | Kind::Colon),
            "E" => named && self.text_of(next) != "I" && matches!(after.kind, Kind::LBrace | Kind::Lt),
            "X" => named && matches!(after.kind, Kind::LBrace | Kind::Lt | Kind::Colon | Kind::Name),
            "N" => next.kind == Kind::Str && after.kind == Kind::LBrace,
            "U" => next.kind == Kind::Name,
            _ => false,
        }
    }

    fn attribute_then_item(&mut self) -> bool {
        let mut depth = 0;
        for n in 0..64 {
            match self.peek(n).kind {
                Kind::AttrOpen | Kind::LBracket => depth += 1,
                Kind::RBracket => depth -= 1,
                Kind::Eof => return false,
                _ => {}
            }
            let next = self.peek(n + 1);
            if depth == 0 && next.kind != Kind::AttrOpen {
                return next.kind == Kind::Name && self.item_letter(n + 1).is_some_and(is_item_letter);
            }
        }
        false
    }

    /// After the `}` of an `I`: is the next token its else?
    pub(super) fn else_follows(&mut self) -> bool {
        let raw = self.peek(0);
        if raw.kind != Kind::Name {
            return false;
        }
        let next = self.peek(1);
        let head = next.kind == Kind::LBrace || next.kind == Kind::Name && matches!(self.text_of(next), "I" | "if");
        match self.text_of(raw) {
            "E" | "EL" => head,
            "else" => head,
            "elif" => next.kind.starts_operand(),
            _ => false,
        }
    }

    /// A `{` right after a name: do its contents look like those of a struct literal?
    pub(super) fn is_struct_literal(&mut self) -> bool {
        matches!(self.last(), Kind::Name | Kind::GenericClose) && (self.fields_follow(1) || self.field_is_assigned())
    }

    /// `P { x = 1 }`, a habit.
    fn field_is_assigned(&mut self) -> bool {
        let Some((_, span)) = self.chunk.tokens.last().copied() else { return false };
        let capital = self.text.as_bytes()[(self.base + span.start) as usize].is_ascii_uppercase();
        capital && self.peek(1).kind == Kind::Name && self.peek(2).kind == Kind::Eq
    }

    /// `}`, `name :`, `name ,` or `name }`, from the `n`th token on.
    pub(super) fn fields_follow(&mut self, n: usize) -> bool {
        match self.peek(n).kind {
            Kind::RBrace => true,
            Kind::Name => matches!(self.peek(n + 1).kind, Kind::Colon | Kind::Comma | Kind::RBrace),
            _ => false,
        }
    }

    /// A `(` at the start of a statement: does `:=` follow its `)`?
    pub(super) fn is_destructuring(&mut self) -> bool {
        self.matching_parenthesis(0).is_some_and(|n| self.peek(n + 1).kind == Kind::ColonEq)
    }

    /// A letter and a `(`: does a block follow the `)`?
    pub(super) fn block_follows_parenthesis(&mut self) -> bool {
        self.matching_parenthesis(1).is_some_and(|n| self.peek(n + 1).kind == Kind::LBrace && !self.peek(n + 1).first)
    }

    /// Does the line have a block outside of brackets?
    pub(super) fn block_follows_on_line(&mut self) -> bool {
        let mut depth = 0;
        for n in 1..MAX_LOOKAHEAD {
            let raw = self.peek(n);
            match raw.kind {
                _ if raw.first => return false,
                Kind::LBrace if depth == 0 => return true,
                Kind::LParen | Kind::LBracket | Kind::LBrace => depth += 1,
                Kind::RParen | Kind::RBracket | Kind::RBrace => depth -= 1,
                Kind::Semi | Kind::Eof => return false,
                _ => {}
            }
            if depth < 0 {
                return false;
            }
        }
        false
    }

    /// The place of the `)` that closes the `(` `n` places ahead.
    pub(super) fn matching_parenthesis(&mut self, n: usize) -> Option<usize> {
        let mut depth = 0;
        for n in n..n + MAX_LOOKAHEAD {
            match self.peek(n).kind {
                Kind::LParen => depth += 1,
                Kind::RParen => depth -= 1,
                Kind::LBrace | Kind::Semi | Kind::Eof => return None,
                _ => {}
            }
            if depth == 0 {
                return Some(n);
            }
        }
        None
    }

    /// `<`: opens type arguments if it follows a name, a list of types closes, and what follows fits.
    pub(super) fn less(&mut self, raw: Raw) {
        if !self.frame().code {
            return self.push(Kind::GenericOpen);
        }
        if self.last() == Kind::PathSep {
            // `Vec::<i64>::new`, as in Rust.
            self.chunk.tokens.pop();
        }
        let generic = self.last() == Kind::Name && {
            let mut scan = Scan { next: 1, fuel: MAX_TYPES };
            scan.types(self, Kind::Gt) && self.may_follow_types(scan.next, raw)
        };
        if !generic {
            return self.push(Kind::Lt);
        }
        let mut scan = Scan { next: 1, fuel: MAX_TYPES };
        scan.types(self, Kind::Gt);
        self.push(Kind::GenericOpen);
        for _ in 1..scan.next {
            match self.peek(0).kind {
                Kind::Lt => self.push(Kind::GenericOpen),
                Kind::Gt | Kind::GtJoint => self.push(Kind::GenericClose),
                kind => self.push(kind),
            }
        }
    }

    /// After `name<...>`: `( . :: {`; after `as` or in a type whatever starts no operand.
    fn may_follow_types(&mut self, n: usize, raw: Raw) -> bool {
        let next = self.peek(n);
        if matches!(next.kind, Kind::LParen | Kind::Dot | Kind::PathSep) && !next.first {
            return true;
        }
        if next.kind == Kind::LBrace {
            return self.frame().result_type || self.frame().heads.is_empty() && self.fields_follow(n + 1);
        }
        if next.kind == Kind::RParen && self.in_sizeof() {
            return true;
        }
        let tokens = &self.chunk.tokens;
        let before = tokens
            .iter()
            .rev()
            .skip(1)
            .map(|token| token.0)
            .find(|kind| !matches!(kind, Kind::Star | Kind::Amp | Kind::LBracket | Kind::Mut));
        let in_type = matches!(before, Some(Kind::As | Kind::Colon | Kind::Arrow));
        let primitive = tokens.last().is_some_and(|(_, span)| {
            crate::parser::is_primitive(&self.text[(self.base + span.start) as usize..(self.base + span.end) as usize])
        });
        debug_assert!(raw.kind == Kind::Lt);
        in_type && !primitive && (!next.kind.starts_operand() || next.first)
    }

    /// Does the last name stand behind `sizeof(`, perhaps as what a pointer points at?
    fn in_sizeof(&self) -> bool {
        let mut before = self.chunk.tokens.iter().rev().skip(1).skip_while(|token| token.0 == Kind::Star);
        let (round, name) = (before.next(), before.next());
        round.is_some_and(|token| token.0 == Kind::LParen)
            && name.is_some_and(|(kind, span)| {
                *kind == Kind::Name
                    && &self.text[(self.base + span.start) as usize..(self.base + span.end) as usize] == "sizeof"
            })
    }

    /// After `L`: does the head of a for loop follow, with its colon?
    pub(super) fn for_follows(&mut self) -> bool {
        let next = self.peek(1);
        let after = match next.kind {
            Kind::Name => 2,
            Kind::LParen => match self.matching_parenthesis(1) {
                Some(n) => n + 1,
                None => return false,
            },
            _ => return false,
        };
        self.peek(after).kind == Kind::Colon || self.is_letter_at(after, "in")
    }

    /// Does a list of types, or of bounds after `where`, in the head of an item go on behind the next comma?
    pub(super) fn in_head_list(&mut self) -> bool {
        let frame = self.frame();
        let item = matches!(frame.kind, FrameKind::Top | FrameKind::Members);
        if frame.code || frame.heads.is_empty() || !item {
            return false;
        }
        let mut open = 0;
        for (kind, _) in self.chunk.tokens.iter().rev().take(MAX_LOOKAHEAD) {
            match kind {
                Kind::Where => return true,
                Kind::GenericOpen => open += 1,
                Kind::GenericClose => open -= 1,
                kind if is_item_letter(*kind) => break,
                _ => {}
            }
        }
        open > 0
    }

    /// Are newlines only white space here?
    pub(super) fn in_round(&mut self) -> bool {
        matches!(self.frame().kind, FrameKind::Round | FrameKind::Square | FrameKind::Names)
    }
}

/// A recogniser of types over raw tokens.
struct Scan {
    next: usize,
    fuel: usize,
}

impl Scan {
    fn peek(&mut self, layout: &mut Layout) -> Kind {
        let raw = layout.peek(self.next);
        if raw.first { Kind::Eof } else { raw.kind }
    }

    fn bump(&mut self) {
        self.next += 1;
    }

    fn eat(&mut self, layout: &mut Layout, kind: Kind) -> bool {
        let found = self.peek(layout);
        let hit = found == kind || kind == Kind::Gt && found == Kind::GtJoint;
        if hit {
            self.bump();
        }
        hit
    }

    /// Types up to and with a closing token.
    fn types(&mut self, layout: &mut Layout, close: Kind) -> bool {
        loop {
            if self.eat(layout, close) {
                return true;
            }
            if !self.one(layout) {
                return false;
            }
            if !self.eat(layout, Kind::Comma) {
                return self.eat(layout, close);
            }
        }
    }

    fn one(&mut self, layout: &mut Layout) -> bool {
        if self.fuel == 0 {
            return false;
        }
        self.fuel -= 1;
        match self.peek(layout) {
            Kind::Star | Kind::Amp | Kind::AmpAmp | Kind::Mut | Kind::Dyn => {
                self.bump();
                self.one(layout)
            }
            Kind::LParen => {
                self.bump();
                self.types(layout, Kind::RParen)
            }
            Kind::LBracket => {
                self.bump();
                self.one(layout) && {
                    if self.eat(layout, Kind::Semi) {
                        self.bump();
                    }
                    self.eat(layout, Kind::RBracket)
                }
            }
            Kind::Fn => {
                self.bump();
                self.eat(layout, Kind::LParen)
                    && self.types(layout, Kind::RParen)
                    && (!self.eat(layout, Kind::Arrow) || self.one(layout))
            }
            Kind::Name => {
                self.bump();
                while matches!(self.peek(layout), Kind::Dot | Kind::PathSep) {
                    self.bump();
                    if !self.eat(layout, Kind::Name) {
                        return false;
                    }
                }
                !self.eat(layout, Kind::Lt) || self.types(layout, Kind::Gt)
            }
            _ => false,
        }
    }
}
