//! Text to raw tokens, one at a time and from any item start; the only user of `logos`.
//!
//! The lexer knows characters only. Which capital letters are keywords, which newlines separate and what a `<` or a `?`
//! means is decided one step later, in `layout`, from the tokens around.

use logos::Logos;

/// Every kind of token. The first group is what the lexer makes; the second is made of the first by `layout`.
#[derive(Logos, Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[logos(skip(r"[ \t\r\x0C]+"))]
#[repr(u8)]
pub(crate) enum Kind {
    #[regex(r"[A-Za-z_][A-Za-z0-9_]*")]
    Name,
    #[regex(r"[0-9][0-9A-Za-z_]*")]
    Int,
    #[regex(r"[0-9][0-9_]*\.[0-9][0-9_]*([eE][+-]?[0-9][0-9_]*)?[A-Za-z0-9_]*")]
    Float,
    #[token("\"")]
    Str,
    #[token("true")]
    True,
    #[token("false")]
    False,
    #[token("as")]
    As,
    #[token("mut")]
    Mut,
    #[token("fn")]
    Fn,
    #[token("dyn")]
    Dyn,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("%")]
    Percent,
    #[token("&")]
    Amp,
    #[token("&&")]
    AmpAmp,
    #[token("|")]
    Pipe,
    #[token("||")]
    PipePipe,
    #[token("^")]
    Caret,
    #[token("!")]
    Bang,
    #[token("~")]
    Tilde,
    #[token("<<")]
    Shl,
    #[token("==")]
    EqEq,
    #[token("!=")]
    Ne,
    #[token("<")]
    Lt,
    #[token("<=")]
    Le,
    #[token(">")]
    Gt,
    /// A `>` with another one right behind it.
    GtJoint,
    #[token(">=")]
    Ge,
    #[token("=")]
    Eq,
    #[token("+=")]
    PlusEq,
    #[token("-=")]
    MinusEq,
    #[token("*=")]
    StarEq,
    #[token("/=")]
    SlashEq,
    #[token("%=")]
    PercentEq,
    #[token("&=")]
    AmpEq,
    #[token("|=")]
    PipeEq,
    #[token("^=")]
    CaretEq,
    #[token("<<=")]
    ShlEq,
    #[token(">>=")]
    ShrEq,
    #[token(":=")]
    ColonEq,
    #[token(":")]
    Colon,
    #[token("::")]
    PathSep,
    #[token("->")]
    Arrow,
    #[token("=>")]
    FatArrow,
    #[token("|>")]
    PipeGt,
    #[token(".")]
    Dot,
    #[token("..")]
    DotDot,
    #[token("..=")]
    DotDotEq,
    #[token("...")]
    Ellipsis,
    #[token("?")]
    Question,
    #[token("@")]
    At,
    #[token(",")]
    Comma,
    #[token(";")]
    Semi,
    #[token("(")]
    LParen,
    #[token(")")]
    RParen,
    #[token("[")]
    LBracket,
    #[token("]")]
    RBracket,
    #[token("{")]
    LBrace,
    #[token("}")]
    RBrace,
    /// `#[`, also `@[` before an item.
    AttrOpen,
    /// `/// text`
    #[token("///")]
    Doc,
    /// `// text`, a habit from C.
    #[token("//")]
    SlashComment,
    /// `'c'`, a habit from C.
    #[regex(r"'([^'\\\n]|\\[^\n])'")]
    CharLiteral,
    /// Characters that begin no token.
    #[regex(r"[^\x00-\x7F]+")]
    Unknown,
    /// A string without its closing quote; ends with the line.
    OpenStr,
    #[token("\n")]
    LineBreak,
    #[token("#")]
    Hash,

    // What `layout` makes.
    Eof,
    /// A newline that separates statements, fields or arms.
    Newline,
    /// `?` after an operand.
    Try,
    /// `<` that opens type arguments, and its `>`.
    GenericOpen,
    GenericClose,
    /// `{` of a struct literal.
    StructOpen,
    /// No text; stands before a `(` that opens a pattern of a binding.
    LetMark,
    Where,
    Move,
    // Item letters.
    KwF,
    KwS,
    KwE,
    KwW,
    KwX,
    KwN,
    KwU,
    KwG,
    KwC,
    KwT,
    // Letters in blocks.
    KwI,
    KwElse,
    KwLoop,
    KwWhile,
    KwFor,
    KwM,
    KwD,
    /// `R` alone, `R` with a value; likewise `B`.
    KwR,
    KwReturn,
    KwB,
    KwBreak,
    KwContinue,
}

impl Kind {
    /// Its bit in a set of kinds.
    pub fn bit(self) -> u128 {
        1 << self as u8
    }

    /// Can an operand start with it?
    pub fn starts_operand(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Name | Int
                | Float
                | Str
                | OpenStr
                | CharLiteral
                | True
                | False
                | Minus
                | Star
                | Amp
                | AmpAmp
                | Bang
                | Tilde
                | Pipe
                | PipePipe
                | At
                | LParen
                | LBracket
                | LBrace
                | DotDot
                | DotDotEq
                | Fn
        )
    }

    /// Can an operand end with it?
    pub fn ends_operand(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Name | Int
                | Float
                | Str
                | True
                | False
                | RParen
                | RBracket
                | RBrace
                | Try
                | Bang
                | GenericClose
                | At
                | KwR
                | KwB
                | KwContinue
        )
    }

    /// Does a line that ends in it go on on the next one?
    pub fn continues_after(self) -> bool {
        use Kind::*;
        self.is_binary()
            || matches!(
                self,
                Eq | ColonEq
                    | Colon
                    | PathSep
                    | Arrow
                    | FatArrow
                    | Dot
                    | Question
                    | Comma
                    | LParen
                    | LBracket
                    | LBrace
                    | StructOpen
                    | GenericOpen
                    | AttrOpen
                    | Mut
                    | LetMark
                    | Where
            )
            || self.is_op_assign()
    }

    /// Does a line that begins with it continue the line above?
    pub fn continues_before(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Dot | PipeGt
                | AmpAmp
                | PipePipe
                | EqEq
                | Ne
                | Lt
                | Le
                | Gt
                | GtJoint
                | Ge
                | Slash
                | Percent
                | Caret
                | Question
                | Colon
                | Eq
                | Arrow
                | FatArrow
                | PathSep
                | Shl
        )
    }

    /// Is it an operator between two operands?
    pub fn is_binary(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Plus | Minus
                | Star
                | Slash
                | Percent
                | Amp
                | AmpAmp
                | Pipe
                | PipePipe
                | Caret
                | Shl
                | EqEq
                | Ne
                | Lt
                | Le
                | Gt
                | GtJoint
                | Ge
                | PipeGt
                | DotDot
                | DotDotEq
                | As
        )
    }

    /// May the tree be higher by one for it?
    pub fn deepens(self) -> bool {
        use Kind::*;
        self.is_binary()
            || matches!(
                self,
                Bang | Tilde
                    | Try
                    | Question
                    | Dot
                    | LParen
                    | LBracket
                    | PathSep
                    | GenericOpen
                    | Mut
                    | Dyn
                    | Fn
                    | Arrow
                    | At
                    | Move
                    | KwElse
                    | KwI
                    | KwM
                    | KwD
                    | KwReturn
                    | KwBreak
                    | KwLoop
                    | KwWhile
                    | KwFor
            )
    }

    /// `+=` and the like.
    pub fn is_op_assign(self) -> bool {
        use Kind::*;
        matches!(self, PlusEq | MinusEq | StarEq | SlashEq | PercentEq | AmpEq | PipeEq | CaretEq | ShlEq | ShrEq)
    }
}

/// The words that are keywords where one can stand: those that always are, those of heads and types, and the letters.
pub const KEYWORDS: &[&str] = &[
    "true", "false", "as", "mut", "fn", "dyn", "where", "move", "const", "self", "F", "S", "E", "EN", "W", "X", "N",
    "U", "C", "G", "T", "P", "I", "EL", "L", "LW", "LF", "M", "R", "B", "D",
];

/// One token of the lexer, in bytes of the whole text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw {
    pub kind: Kind,
    /// Is it the first token of its line?
    pub first: bool,
    pub start: u32,
    pub end: u32,
}

/// The lexer: raw tokens one at a time.
pub(crate) struct Lexer<'s> {
    text: &'s str,
    inner: logos::Lexer<'s, Kind>,
    base: usize,
    first: bool,
    /// The last token but comments, for the rules about `#[`.
    previous: Kind,
    in_attribute: u32,
}

impl<'s> Lexer<'s> {
    /// A lexer of the text from an offset on, which must be the start of a token outside of strings and comments.
    pub fn new(text: &'s str, start: usize) -> Lexer<'s> {
        let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let first = start == 0 || text[line..start].chars().all(char::is_whitespace);
        let mut inner = Kind::lexer(&text[start..]);
        if start == 0 && text.starts_with('\u{feff}') {
            inner.bump('\u{feff}'.len_utf8());
        }
        Lexer { text, inner, base: start, first, previous: Kind::LineBreak, in_attribute: 0 }
    }

    /// The next token; `Eof` for ever at the end.
    pub fn next(&mut self) -> Raw {
        loop {
            let Some(token) = self.inner.next() else {
                let end = self.text.len() as u32;
                return Raw { kind: Kind::Eof, first: true, start: end, end };
            };
            let mut kind = token.unwrap_or(Kind::Unknown);
            match kind {
                Kind::LineBreak => {
                    self.first = true;
                    continue;
                }
                Kind::Hash if self.is_attribute() => {
                    self.inner.bump(1);
                    kind = Kind::AttrOpen;
                }
                Kind::Hash => {
                    self.skip_line();
                    continue;
                }
                Kind::Doc | Kind::SlashComment => self.skip_line(),
                Kind::Slash if self.inner.remainder().starts_with('*') && self.block_comment() => {
                    kind = Kind::SlashComment;
                }
                Kind::Str => kind = self.string(),
                Kind::Gt if self.inner.remainder().starts_with('>') => kind = Kind::GtJoint,
                Kind::Unknown if self.quoted() => kind = Kind::Str,
                Kind::Unknown => self.unknown(),
                _ => {}
            }
            let span = self.inner.span();
            let raw = Raw {
                kind,
                first: std::mem::take(&mut self.first),
                start: (self.base + span.start) as u32,
                end: (self.base + span.end) as u32,
            };
            self.previous = self.track_attribute(kind);
            // The token behind a comment of C may be the first of its line.
            self.first = kind == Kind::SlashComment && (raw.first || self.inner.slice().contains('\n'));
            return raw;
        }
    }

    /// Takes `/* ... */`, if it has an end.
    fn block_comment(&mut self) -> bool {
        let rest = self.inner.remainder();
        let end = rest[1..].find("*/").map(|end| end + 3);
        end.inspect(|end| self.inner.bump(*end)).is_some()
    }

    /// Takes a text between single quotes.
    fn quoted(&mut self) -> bool {
        let rest = self.inner.remainder();
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let end = line.find(['\'', '"']).filter(|end| line[*end..].starts_with('\''));
        let end = end.filter(|_| self.inner.slice().starts_with('\''));
        end.inspect(|end| self.inner.bump(end + 1)).is_some()
    }

    fn skip_line(&mut self) {
        let rest = self.inner.remainder();
        let mut length = rest.find('\n').unwrap_or(rest.len());
        if rest[..length].ends_with('\r') {
            length -= 1;
        }
        self.inner.bump(length);
    }

    /// After `#`: an attribute if `[` follows and the `#` is the first of its line, or follows an attribute, or stands
    /// where a parameter or field may and looks like one; else a comment.
    fn is_attribute(&self) -> bool {
        let rest = self.inner.remainder();
        is_attribute_name(rest)
            && (self.first
                || self.previous == Kind::AttrOpen && self.in_attribute == 0
                || matches!(self.previous, Kind::LParen | Kind::Comma | Kind::LBrace) && is_inline_attribute(rest))
    }

    /// What `previous` becomes: `AttrOpen` after the `]` of an attribute, so that another may follow on the line.
    fn track_attribute(&mut self, kind: Kind) -> Kind {
        match kind {
            Kind::AttrOpen => self.in_attribute = 1,
            Kind::LBracket | Kind::LParen | Kind::LBrace if self.in_attribute > 0 => self.in_attribute += 1,
            Kind::RBracket | Kind::RParen | Kind::RBrace if self.in_attribute > 0 => {
                self.in_attribute -= 1;
                if self.in_attribute == 0 {
                    return Kind::AttrOpen;
                }
            }
            _ => {}
        }
        kind
    }

    /// After the opening quote. Strings may span lines, so a forgotten quote would turn the file inside out: a string of
    /// several lines with text glued to its closing quote is taken for one that was not closed on its first line.
    fn string(&mut self) -> Kind {
        let rest = self.inner.remainder();
        let bytes = rest.as_bytes();
        let mut at = 0;
        let mut line_end = None;
        let mut group = BraceGroup::default();
        loop {
            match bytes.get(at) {
                Some(b'"') => match group.inner_string(rest, at) {
                    Some(end) => at = end,
                    None => break,
                },
                Some(b'\\') => at += 2,
                Some(b'\n') => {
                    line_end.get_or_insert(at);
                    group = BraceGroup::default();
                    at += 1;
                }
                Some(byte) => {
                    group.step(*byte);
                    at += 1;
                }
                None => return self.open_string(line_end.unwrap_or(rest.len())),
            }
        }
        match (line_end, bytes.get(at + 1)) {
            (Some(end), Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'{' | b'\\' | b'%')) => {
                self.open_string(end)
            }
            _ => {
                self.inner.bump(at + 1);
                Kind::Str
            }
        }
    }

    fn open_string(&mut self, length: usize) -> Kind {
        self.inner.bump(self.inner.remainder()[..length].trim_end().len());
        Kind::OpenStr
    }

    /// Takes a run of characters that begin no token as one.
    fn unknown(&mut self) {
        let rest = self.inner.remainder();
        if self.inner.slice().starts_with('“')
            && let Some(end) = rest[..rest.find('\n').unwrap_or(rest.len())].find('”')
        {
            return self.inner.bump(end + '”'.len_utf8());
        }
        let known = |c: char| c.is_ascii() && (!c.is_ascii_control() || c.is_whitespace()) && !"$`\\'".contains(c);
        let length = rest.find(known).unwrap_or(rest.len());
        self.inner.bump(length);
    }
}

/// Where in a brace group of a string the lexer is: an argument in it may be a string, `"{name.starts_with("A")}"`.
#[derive(Default)]
struct BraceGroup {
    /// Open braces.
    braces: u32,
    /// Open parentheses and brackets inside them.
    brackets: u32,
    /// Has there been a `?`, so that a `:` may be its other half?
    question: bool,
}

impl BraceGroup {
    /// Takes note of a byte.
    fn step(&mut self, byte: u8) {
        match byte {
            b'{' => self.braces += 1,
            b'}' => self.braces = self.braces.saturating_sub(1),
            b'(' | b'[' if self.braces > 0 => self.brackets += 1,
            b')' | b']' => self.brackets = self.brackets.saturating_sub(1),
            b'?' if self.braces > 0 => self.question = true,
            _ => {}
        }
        if self.braces == 0 {
            *self = BraceGroup::default();
        }
    }

    /// If the quote at `at` opens a string where an operand is due, and the group and the outer string go on behind it on
    /// the same line: the offset behind its closing quote.
    fn inner_string(&self, text: &str, at: usize) -> Option<usize> {
        let before = text[..at].trim_end_matches([' ', '\t']);
        let operator = ["==", "!=", "+", "?"].iter().any(|sign| before.ends_with(sign));
        let due = match self.brackets {
            0 => operator || self.question && before.ends_with(':'),
            _ => operator || before.ends_with(['(', '[', ',', '=', '<', '>', '|', '&', ':']),
        };
        if self.braces == 0 || !due {
            return None;
        }
        let line = text[at + 1..].split('\n').next()?;
        let mut skip = false;
        let closes = |byte: &u8| {
            let quote = *byte == b'"' && !skip;
            skip = *byte == b'\\' && !skip;
            quote
        };
        let end = line.as_bytes().iter().position(closes)?;
        let behind = &line[end + 1..];
        behind[behind.find('}')?..].contains('"').then_some(at + 1 + end + 1)
    }
}

/// `[name` and then `]`, `(` or `=`, or a space before one of them.
fn is_attribute_name(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix('[') else { return false };
    let rest = rest.trim_start_matches([' ', '\t']);
    let after = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    after.len() < rest.len() && after.trim_start_matches([' ', '\t']).starts_with([']', '(', '='])
}

/// `[name]` or `[name(...)]`, then a name or another attribute, all on one line.
fn is_inline_attribute(rest: &str) -> bool {
    let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
    let Some((attribute, after)) = line.split_once(']') else { return false };
    let name = attribute[1..].split('(').next().unwrap_or("");
    let is_word = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let after = after.trim_start();
    is_word(name)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && (is_word(after) || after.starts_with("#["))
}
