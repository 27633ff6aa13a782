//! Which tokens of a line have a space between them.

use super::units::Unit;
use crate::lexer::{Kind, Lexer};

/// What a token wants on one of its sides. `Never` wins over `Always`, that over `Tight`, and that over `Space`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Never,
    Always,
    Tight,
    Space,
}
use Wish::{Always, Never, Space, Tight};

/// What is known inside a bracket.
#[derive(Clone, Copy)]
struct Frame {
    open: Kind,
    /// A list of names of an import.
    import: bool,
    /// The arms of a match.
    arms: bool,
    /// Before the `=>` of an arm.
    pattern: bool,
    /// Ternaries without their `:` so far.
    questions: u32,
    /// Between the bars of a closure.
    closure: bool,
    /// The last keyword that wants a block.
    head: Kind,
}

impl Frame {
    fn new(open: Kind) -> Frame {
        let (import, arms, pattern, questions, closure) = (false, false, true, 0, false);
        Frame { open, import, arms, pattern, questions, closure, head: Kind::Eof }
    }

    /// Something new starts.
    fn start(&mut self) {
        (self.questions, self.closure, self.pattern, self.head) = (0, false, true, Kind::Eof);
    }
}

/// Whether there is a space before each unit, if it stands on the line of the one before.
pub(super) fn gaps(units: &[Unit<'_>]) -> Vec<bool> {
    let mut spacer = Spacer { frames: vec![Frame::new(Kind::Eof)], operand: false };
    let mut gaps = Vec::with_capacity(units.len());
    let mut after = Space;
    let mut previous: Option<&Unit> = None;
    for unit in units {
        if unit.is_comment() {
            gaps.push(true);
            continue;
        }
        let (before, next_after) = spacer.wishes(unit, previous);
        let gap = wanted(after, before) || previous.is_some_and(|previous| !may_touch(previous, unit));
        let empty = unit.kind == Kind::RBrace && previous.is_some_and(Unit::opens_brace);
        gaps.push(gap && !empty);
        after = next_after;
        previous = Some(unit);
    }
    gaps
}

fn wanted(after: Wish, before: Wish) -> bool {
    let wishes = [after, before];
    !wishes.contains(&Never) && (wishes.contains(&Always) || !wishes.contains(&Tight))
}

/// Are two tokens still these two without a space between them?
fn may_touch(first: &Unit<'_>, second: &Unit<'_>) -> bool {
    let end = first.text.chars().next_back().unwrap_or(' ');
    let start = second.text.chars().next().unwrap_or(' ');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let sign = |c: char| "+-*/%&|^!~<>=:.?@#".contains(c);
    if !(word(end) && word(start) || sign(end) && sign(start)) {
        return true;
    }
    if end == start && "+-".contains(end) {
        return false;
    }
    let joined = format!("{}{}", first.text, second.text);
    Lexer::new(&joined, 0).next().end as usize == first.text.len()
}

struct Spacer {
    frames: Vec<Frame>,
    /// Has an operand just ended?
    operand: bool,
}

impl Spacer {
    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the outermost frame stays")
    }

    /// What a token wants before and after it.
    fn wishes(&mut self, unit: &Unit<'_>, previous: Option<&Unit<'_>>) -> (Wish, Wish) {
        if unit.fresh {
            self.frame().start();
            self.operand = false;
        }
        let (before, after) = if unit.opens() {
            self.open(unit.kind, previous)
        } else if unit.closes() {
            self.close(unit.kind)
        } else {
            self.plain(unit)
        };
        (if unit.fresh && before != Never { Always } else { before }, after)
    }

    fn open(&mut self, kind: Kind, previous: Option<&Unit<'_>>) -> (Wish, Wish) {
        let operand = std::mem::take(&mut self.operand);
        let head = std::mem::replace(&mut self.frame().head, Kind::Eof);
        let mut frame = Frame::new(kind);
        frame.import = kind == Kind::LBrace && head == Kind::KwU;
        frame.arms = kind == Kind::LBrace && head == Kind::KwM;
        if !matches!(kind, Kind::LBrace | Kind::StructOpen) {
            self.frame().head = head;
        }
        self.frames.push(frame);
        let in_path = previous.is_some_and(|previous| matches!(previous.kind, Kind::Dot | Kind::PathSep));
        match kind {
            Kind::LParen | Kind::LBracket => (if operand { Tight } else { Space }, Never),
            Kind::AttrOpen => (Space, Never),
            _ if frame.import => (if in_path { Never } else { Space }, Never),
            _ => (Always, Always),
        }
    }

    fn close(&mut self, kind: Kind) -> (Wish, Wish) {
        let frame = if self.frames.len() > 1 { self.frames.pop() } else { None };
        self.operand = frame.is_none_or(|frame| frame.open != Kind::AttrOpen);
        match kind {
            Kind::RBrace if frame.is_none_or(|frame| !frame.import) => (Always, Space),
            _ => (Never, Space),
        }
    }

    fn plain(&mut self, unit: &Unit<'_>) -> (Wish, Wish) {
        use Kind::*;
        let operand = std::mem::replace(&mut self.operand, ends_operand(unit.kind));
        match unit.kind {
            Comma | Semi => {
                self.frame().pattern = true;
                (Never, Always)
            }
            Dot | PathSep => (Tight, Tight),
            DotDot | DotDotEq => (Tight, Tight),
            Slash if self.frame().head == KwU => (Tight, Tight),
            Colon => self.colon(),
            Question => {
                self.frame().questions += 1;
                (Always, Always)
            }
            Try => (Never, Space),
            Bang if operand => {
                self.operand = true;
                (Never, Space)
            }
            Bang | Tilde => (Space, Never),
            Pipe | PipePipe => self.bar(unit.kind, operand),
            Minus | Star | Amp | AmpAmp | Plus if !operand => (Space, Never),
            At => {
                self.operand = !operand;
                if operand { (Always, Always) } else { (Space, Space) }
            }
            GtJoint => (Always, Never),
            GenericOpen => (Never, Never),
            GenericClose => (Never, Space),
            Fn => (Space, Never),
            FatArrow => {
                let frame = self.frame();
                (frame.pattern, frame.head) = (false, Eof);
                (Always, Always)
            }
            kind if kind.is_binary() || kind.is_op_assign() => (Always, Always),
            Eq | ColonEq | Arrow => (Always, Always),
            KwReturn | KwBreak | Mut => (Space, Always),
            KwI | KwElse | KwLoop | KwWhile | KwFor | KwM | KwD => {
                self.frame().head = unit.kind;
                (Space, Always)
            }
            KwU | KwF | KwS | KwE | KwW | KwX | KwN => {
                self.frame().head = unit.kind;
                (Space, Space)
            }
            _ => (Space, Space),
        }
    }

    fn colon(&mut self) -> (Wish, Wish) {
        let frame = self.frame();
        if frame.questions > 0 {
            frame.questions -= 1;
            return (Always, Always);
        }
        (Tight, Always)
    }

    /// `|` and `||`: operators, or around the parameters of a closure.
    fn bar(&mut self, kind: Kind, operand: bool) -> (Wish, Wish) {
        let frame = self.frame();
        if kind == Kind::Pipe && frame.closure {
            frame.closure = false;
            return (Never, Always);
        }
        if operand || frame.arms && frame.pattern {
            return (Always, Always);
        }
        frame.closure = kind == Kind::Pipe;
        (Space, if frame.closure { Never } else { Always })
    }
}

fn ends_operand(kind: Kind) -> bool {
    kind != Kind::Bang && kind.ends_operand()
}
