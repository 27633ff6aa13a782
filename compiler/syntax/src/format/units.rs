//! What the formatter moves around: the tokens of a text, comments included, with what the layout found out about them.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::layout::Layout;
use crate::lexer::{Kind, Lexer, Raw};

/// A token or a comment.
#[derive(Clone, Debug)]
pub(super) struct Unit<'t> {
    /// What the layout made of it; comments are `Hash` or `Doc`.
    pub kind: Kind,
    pub text: &'t str,
    /// Line breaks before it: 0, 1, or 2 for a blank line.
    pub breaks: u8,
    /// Does a statement, an item or the like start here?
    pub fresh: bool,
    /// Does an item of the file start here?
    pub item: bool,
    /// The column of a comment in the source, in characters.
    pub column: usize,
}

impl Unit<'_> {
    pub fn is_comment(&self) -> bool {
        matches!(self.kind, Kind::Hash | Kind::Doc)
    }

    pub fn opens(&self) -> bool {
        use Kind::*;
        matches!(self.kind, LParen | LBracket | AttrOpen | LBrace | StructOpen)
    }

    pub fn opens_brace(&self) -> bool {
        matches!(self.kind, Kind::LBrace | Kind::StructOpen)
    }

    pub fn closes(&self) -> bool {
        matches!(self.kind, Kind::RParen | Kind::RBracket | Kind::RBrace)
    }
}

/// What the layout says about the tokens of a text, by where they start.
#[derive(Default)]
struct Meanings {
    /// Kind and end.
    kinds: FxHashMap<u32, (Kind, u32)>,
    fresh: FxHashSet<u32>,
    items: FxHashSet<u32>,
}

impl Meanings {
    fn of(text: &str) -> Meanings {
        let mut meanings = Meanings::default();
        let mut layout = Layout::new(text, 0);
        while let Some(chunk) = layout.next_chunk() {
            meanings.items.insert(chunk.start);
            let mut fresh = true;
            for (kind, span) in &chunk.tokens {
                if *kind == Kind::Newline {
                    fresh = true;
                } else if span.start < span.end {
                    let start = chunk.start + span.start;
                    meanings.kinds.insert(start, (*kind, chunk.start + span.end));
                    if std::mem::take(&mut fresh) {
                        meanings.fresh.insert(start);
                    }
                }
            }
        }
        meanings
    }
}

/// The tokens and comments of a text without mistakes.
pub(super) fn collect(text: &str) -> Vec<Unit<'_>> {
    let meanings = Meanings::of(text);
    let mut lexer = Lexer::new(text, 0);
    let mut units = Vec::new();
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    loop {
        let raw = lexer.next();
        if (raw.start as usize) < at {
            // The `[` of a `@[`.
            continue;
        }
        let breaks = comments(text, at, raw.start as usize, &mut units);
        if raw.kind == Kind::Eof {
            return units;
        }
        let unit = token(text, raw, &meanings, breaks);
        at = raw.start as usize + unit.text.len();
        units.push(unit);
    }
}

fn token<'t>(text: &'t str, raw: Raw, meanings: &Meanings, breaks: u8) -> Unit<'t> {
    let known = meanings.kinds.get(&raw.start);
    let (kind, end) = match known {
        // Half of a number such as the `0.1` of `t.0.1`.
        Some((kind, end)) => (*kind, (*end).max(raw.end)),
        None => (raw.kind, raw.end),
    };
    // What the layout leaves out stands before what it belongs to, as the `P` of an item.
    let fresh = meanings.fresh.contains(&raw.start) || known.is_none() && kind == Kind::Name;
    Unit {
        kind,
        text: &text[raw.start as usize..end as usize],
        breaks,
        fresh,
        item: meanings.items.contains(&raw.start),
        column: if raw.kind == Kind::Doc { column(text, raw.start as usize) } else { 0 },
    }
}

fn column(text: &str, at: usize) -> usize {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    text[line..at].chars().count()
}

/// Takes the comments between two tokens, and returns the line breaks after the last of them.
fn comments<'t>(text: &'t str, mut at: usize, end: usize, units: &mut Vec<Unit<'t>>) -> u8 {
    while let Some(offset) = text[at..end].find('#') {
        let start = at + offset;
        let stop = text[start..end].find('\n').map_or(end, |newline| start + newline);
        units.push(Unit {
            kind: Kind::Hash,
            text: text[start..stop].trim_end(),
            breaks: breaks(&text[at..start]),
            fresh: false,
            item: false,
            column: column(text, start),
        });
        at = stop;
    }
    breaks(&text[at..end])
}

fn breaks(white_space: &str) -> u8 {
    white_space.bytes().filter(|byte| *byte == b'\n').count().min(2) as u8
}

/// Decides where lines end.
pub(super) fn arrange(units: &mut [Unit<'_>]) {
    for index in 0..units.len() {
        units[index].breaks = breaks_before(units, index);
    }
    let mut open = Vec::new();
    for index in 0..units.len() {
        if units[index].opens() {
            open.push(Brackets { at: index, several_lines: false });
        } else if units[index].closes()
            && let Some(brackets) = open.pop()
        {
            brackets.close(units, index);
        } else if let Some(brackets) = open.last_mut() {
            let after_comma = units[index - 1].kind == Kind::Comma;
            let starts = units[index].fresh || after_comma || units[index].is_comment();
            brackets.several_lines |= starts && units[index].breaks > 0;
        }
    }
}

fn breaks_before(units: &[Unit<'_>], index: usize) -> u8 {
    let unit = &units[index];
    let Some(before) = index.checked_sub(1).map(|index| &units[index]) else { return 0 };
    if before.is_comment() {
        return if unit.closes() { 1 } else { unit.breaks.max(1) };
    }
    if before.opens() || unit.closes() {
        return unit.breaks.min(1);
    }
    let pulled_up = match unit.kind {
        Kind::KwElse => before.kind == Kind::RBrace,
        Kind::LBrace => !unit.fresh && !matches!(before.kind, Kind::Comma | Kind::Semi),
        _ => false,
    };
    match pulled_up {
        true => 0,
        false if unit.item => unit.breaks.max(1),
        false => unit.breaks,
    }
}

struct Brackets {
    at: usize,
    /// Does something directly inside start a line?
    several_lines: bool,
}

impl Brackets {
    /// Braces around several lines stand at the ends of lines.
    fn close(self, units: &mut [Unit<'_>], close: usize) {
        let first = self.at + 1;
        if !units[self.at].opens_brace() || first == close {
            if first == close {
                units[close].breaks = 0;
            }
            return;
        }
        if self.several_lines || units[first].breaks > 0 || units[close].breaks > 0 {
            units[close].breaks = 1;
            // A comment behind the brace stays there.
            if !units[first].is_comment() {
                units[first].breaks = 1;
            }
        }
    }
}
