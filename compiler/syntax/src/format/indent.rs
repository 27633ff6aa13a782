//! Lines with their indentation, and comments behind lines kept below each other.

use super::units::Unit;
use crate::lexer::Kind;

const STEP: &str = "    ";

/// An open bracket.
struct Frame {
    open: Kind,
    /// The indentation of what stands in it.
    inside: usize,
    /// The indentation of a line that begins with its end.
    outside: usize,
    /// Does what stands in it begin on the bracket's line?
    hanging: bool,
    /// The arms of a match.
    arms: bool,
    /// Before the `=>` of an arm.
    pattern: bool,
    /// A construct whose block is still to come: its indentation and keyword.
    head: Option<(usize, Kind)>,
}

/// A line of the result.
struct Line {
    text: String,
    /// A comment behind it, and the column it had in the source.
    comment: Option<(String, usize)>,
}

/// The text of the units.
pub(super) fn print(units: &[Unit<'_>], gaps: &[bool], line_end: &str) -> String {
    let outermost =
        Frame { open: Kind::Eof, inside: 0, outside: 0, hanging: false, arms: false, pattern: false, head: None };
    let mut printer = Printer {
        units,
        frames: vec![outermost],
        lines: Vec::new(),
        indent: 0,
        previous: None,
        after_attribute: false,
    };
    for (index, unit) in units.iter().enumerate() {
        printer.unit(index, unit, gaps[index]);
    }
    let mut out = String::new();
    align(&mut printer.lines);
    for line in &printer.lines {
        out.push_str(&line.text);
        out.push_str(line_end);
    }
    out
}

struct Printer<'u, 't> {
    units: &'u [Unit<'t>],
    frames: Vec<Frame>,
    lines: Vec<Line>,
    /// The indentation of the current line.
    indent: usize,
    /// The last token that is no comment.
    previous: Option<usize>,
    /// Was it the end of an attribute?
    after_attribute: bool,
}

impl Printer<'_, '_> {
    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the outermost frame stays")
    }

    fn unit(&mut self, index: usize, unit: &Unit<'_>, gap: bool) {
        if unit.fresh {
            let frame = self.frame();
            (frame.head, frame.pattern) = (None, true);
        }
        let starts_line = index == 0 || unit.breaks > 0;
        if starts_line {
            self.start_line(index, unit);
        }
        if unit.is_comment() && !starts_line {
            let line = self.lines.last_mut().expect("a line was started");
            line.comment = Some((unit.text.to_owned(), unit.column));
            return;
        }
        let line = self.lines.last_mut().expect("a line was started");
        if gap && !starts_line {
            line.text.push(' ');
        }
        line.text.push_str(unit.text);
        if !unit.is_comment() {
            self.follow(index, unit);
            self.previous = Some(index);
        }
    }

    fn start_line(&mut self, index: usize, unit: &Unit<'_>) {
        if unit.breaks > 1 && index > 0 {
            self.lines.push(Line { text: String::new(), comment: None });
        }
        self.indent = if unit.is_comment() { self.comment_indent(index) } else { self.indent_of(unit) };
        self.lines.push(Line { text: STEP.repeat(self.indent), comment: None });
    }

    /// A comment on a line of its own stands as what follows it does.
    fn comment_indent(&mut self, index: usize) -> usize {
        let next = self.units[index..].iter().find(|unit| !unit.is_comment());
        match next {
            Some(next) if !next.closes() => self.indent_of(next),
            Some(_) => self.frame().inside,
            None => 0,
        }
    }

    fn indent_of(&mut self, unit: &Unit<'_>) -> usize {
        let previous = self.previous.map(|index| &self.units[index]);
        let first = previous.is_none_or(Unit::opens);
        let previous = previous.map_or(Kind::Eof, |previous| previous.kind);
        let frame = self.frames.last().expect("the outermost frame stays");
        if unit.closes() {
            return frame.outside;
        }
        let listed = frame.open != Kind::Eof && previous == Kind::Comma && frame.head.is_none();
        let alternative = unit.kind == Kind::Pipe && frame.arms && frame.pattern;
        let pulled_up = matches!(unit.kind, Kind::KwElse | Kind::LBrace);
        if unit.fresh || first || listed || self.after_attribute || alternative || pulled_up || frame.hanging {
            return frame.inside;
        }
        frame.inside + if frame.head.is_some() { 2 } else { 1 }
    }

    /// Notes what a token begins and ends.
    fn follow(&mut self, index: usize, unit: &Unit<'_>) {
        use Kind::*;
        self.after_attribute = false;
        if unit.opens() {
            return self.open(index, unit);
        }
        if unit.closes() {
            let closed = if self.frames.len() > 1 { self.frames.pop() } else { None };
            self.after_attribute = closed.is_some_and(|frame| frame.open == AttrOpen);
            return;
        }
        let indent = self.indent;
        let frame = self.frame();
        match unit.kind {
            KwF | KwS | KwE | KwW | KwX | KwN | KwU | KwI | KwElse | KwM | KwLoop | KwWhile | KwFor | KwD => {
                frame.head = Some((indent, unit.kind));
            }
            FatArrow => (frame.pattern, frame.head) = (false, None),
            Comma if frame.arms => (frame.pattern, frame.head) = (true, None),
            _ => {}
        }
    }

    fn open(&mut self, index: usize, unit: &Unit<'_>) {
        let brace = unit.opens_brace();
        let head = if unit.kind == Kind::LBrace { self.frame().head.take() } else { None };
        let outside = head.map_or(self.indent, |(indent, _)| indent);
        let hanging = !brace && self.units.get(index + 1).is_some_and(|next| next.breaks == 0);
        let arms = head.is_some_and(|(_, keyword)| keyword == Kind::KwM);
        let frame = Frame { open: unit.kind, inside: outside + 1, outside, hanging, arms, pattern: true, head: None };
        self.frames.push(frame);
    }
}

/// Puts the comments behind lines where they belong: below each other if they were so, else one space behind.
fn align(lines: &mut [Line]) {
    let mut start = 0;
    while start < lines.len() {
        let column = |line: &Line| line.comment.as_ref().map(|comment| comment.1);
        let Some(wanted) = column(&lines[start]) else {
            start += 1;
            continue;
        };
        let length = lines[start..].iter().take_while(|line| column(line) == Some(wanted)).count();
        let group = &mut lines[start..start + length];
        let width = |line: &Line| line.text.rsplit('\n').next().unwrap_or("").chars().count();
        let widest = group.iter().map(width).max().unwrap_or(0);
        for line in group {
            let spaces = widest + 1 - width(line);
            if let Some((comment, _)) = line.comment.take() {
                line.text.push_str(&" ".repeat(spaces));
                line.text.push_str(&comment);
            }
        }
        start += length;
    }
}
