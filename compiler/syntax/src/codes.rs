//! The registry of diagnostic codes: what each means, with an example that earns it and its mended form.
//!
//! This crate owns E00xx (lexer) and E01xx (parser); other crates register theirs in tables of the same type, and
//! [`find`] looks through all tables it is given.

use crate::Code;

/// What a diagnostic code means.
#[derive(Clone, Copy, Debug)]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// A few words.
    pub title: &'static str,
    /// A few sentences.
    pub explanation: &'static str,
    /// A program that earns exactly this code.
    pub wrong: &'static str,
    /// The program mended.
    pub right: &'static str,
}

/// A character that begins no token.
pub const UNKNOWN_CHARACTER: Code = Code(1);
/// A string without its closing quote.
pub const UNCLOSED_STRING: Code = Code(2);
/// A `\` before something that is no escape.
pub const BAD_ESCAPE: Code = Code(3);
/// Digits that make no number.
pub const BAD_NUMBER: Code = Code(4);
/// `//` for `#`.
pub const SLASH_COMMENT: Code = Code(5);
/// Too many open brackets or operators.
pub const TOO_DEEP: Code = Code(6);
/// `'c'`.
pub const CHARACTER_LITERAL: Code = Code(7);
/// A token the grammar has no place for.
pub const UNEXPECTED_TOKEN: Code = Code(101);
/// A bracket without its end.
pub const UNCLOSED_BRACKET: Code = Code(102);
/// A closing bracket without its start.
pub const UNMATCHED_BRACKET: Code = Code(103);
/// A keyword of another language.
pub const FOREIGN_WORD: Code = Code(104);
/// A part of Vais that is left out here.
pub const LEFT_OUT: Code = Code(105);
/// Something between items that is none.
pub const NOT_AN_ITEM: Code = Code(106);
/// An attribute where none can stand.
pub const MISPLACED_ATTRIBUTE: Code = Code(107);
/// An `E` without its `I`.
pub const STRAY_ELSE: Code = Code(108);
/// A function without a body.
pub const MISSING_BODY: Code = Code(109);
/// A function of C with a body.
pub const FOREIGN_BODY: Code = Code(110);
/// A parameter of a wrong form or in a wrong place.
pub const BAD_PARAMETER: Code = Code(111);
/// `++` and `--`.
pub const FOREIGN_OPERATOR: Code = Code(112);

/// All codes of this crate, in order.
pub static CODES: &[CodeInfo] = &[];

/// The entry of a code in one of several tables.
pub fn find(tables: &[&'static [CodeInfo]], code: Code) -> Option<&'static CodeInfo> {
    tables.iter().flat_map(|table| table.iter()).find(|info| info.code == code)
}

impl Code {
    /// The entry of a code of this crate.
    pub fn info(self) -> Option<&'static CodeInfo> {
        find(&[CODES], self)
    }
}
