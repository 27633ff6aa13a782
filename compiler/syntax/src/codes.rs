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
pub static CODES: &[CodeInfo] = &[
    CodeInfo {
        code: UNKNOWN_CHARACTER,
        title: "unknown character",
        explanation: "The text has a character that begins nothing in this language. Outside of strings and comments \
            only letters from a to z, digits, `_`, white space and the usual operators have a meaning; typographic \
            quotes and dashes often come from copying a program out of a document.",
        wrong: "F main() {\n    price := 5 $\n}\n",
        right: "F main() {\n    price := 5\n}\n",
    },
    CodeInfo {
        code: UNCLOSED_STRING,
        title: "unclosed string",
        explanation: "A string begins with `\"` but has no end. Strings may span lines, so the end is looked for in the \
            whole file; where none is found, or where the next quote clearly begins another string, the rest of the \
            line is taken for the string.",
        wrong: "F main() {\n    println(\"hello)\n}\n",
        right: "F main() {\n    println(\"hello\")\n}\n",
    },
    CodeInfo {
        code: BAD_ESCAPE,
        title: "unknown escape in a string",
        explanation: "In a string a backslash begins an escape: \\n \\t \\r \\\\ \\\" \\0, \\xHH for a character by two \
            hexadecimal digits, \\u{...} for any character by its number, and \\{ \\} for braces that are not \
            interpolated. For a plain backslash write two.",
        wrong: "F main() {\n    path := \"C:\\games\"\n}\n",
        right: "F main() {\n    path := \"C:\\\\games\"\n}\n",
    },
    CodeInfo {
        code: BAD_NUMBER,
        title: "malformed number",
        explanation: "Something that begins with a digit is not a number. Integers are written 42, 1_000_000, 0xff, 0b1010 \
            or 0o17; floats have a digit on both sides of the point, as in 3.14 or 1.0e10. There are no type \
            suffixes: give the variable its type, or convert with `as`. Names cannot start with a digit.",
        wrong: "F main() {\n    big := 1e10\n}\n",
        right: "F main() {\n    big := 1.0e10\n}\n",
    },
    CodeInfo {
        code: SLASH_COMMENT,
        title: "comment with slashes",
        explanation: "A comment starts with `#` and goes to the end of the line. Three slashes, `///`, begin documentation \
            of the item below; two have no meaning, and neither have `/*` and `*/`.",
        wrong: "// starts the game\nF main() { }\n",
        right: "# starts the game\nF main() { }\n",
    },
    CodeInfo {
        code: TOO_DEEP,
        title: "nested too deeply",
        explanation: "At most 256 brackets may be open at a time, and an expression may have at most about 1000 operators. \
            Programs written by hand never come near; a generated one should use an array, a loop or helper functions.",
        wrong: TOO_DEEP_EXAMPLE,
        right: "F main() {\n    x := (((1)))\n}\n",
    },
    CodeInfo {
        code: CHARACTER_LITERAL,
        title: "character literal",
        explanation: "There is no type of characters and hence no literal for them. A single character is a string of \
            length 1, or the number that stands for it. Strings stand between double quotes only.",
        wrong: "F main() {\n    putchar('A')\n}\n",
        right: "F main() {\n    putchar(65)\n}\n",
    },
    CodeInfo {
        code: UNEXPECTED_TOKEN,
        title: "syntax error",
        explanation: "The program does not follow the grammar at the marked place. The message lists what could stand there; \
            often something is missing just before it. A statement ends with its line, unless the line ends in an \
            operator, a comma or an opening bracket, or the next one begins with an operator that cannot start a \
            statement.",
        wrong: "F main() {\n    x := (1 + ) * 2\n}\n",
        right: "F main() {\n    x := (1 + 3) * 2\n}\n",
    },
    CodeInfo {
        code: UNCLOSED_BRACKET,
        title: "unclosed bracket",
        explanation: "A bracket is opened but not closed before the item ends, before another item begins, or before a \
            closing bracket of another kind.",
        wrong: "F main() {\n    println(\"hi\"\n}\n",
        right: "F main() {\n    println(\"hi\")\n}\n",
    },
    CodeInfo {
        code: UNMATCHED_BRACKET,
        title: "closing bracket without an opening one",
        explanation: "A bracket is closed that was never opened. When it is a `}`, an earlier one has probably closed the \
            function too soon.",
        wrong: "F main() {\n    println(\"hi\"))\n}\n",
        right: "F main() {\n    println(\"hi\")\n}\n",
    },
    CodeInfo {
        code: FOREIGN_WORD,
        title: "keyword of another language",
        explanation: "Keywords are single capital letters here: `F` function, `S` struct, `E` enum and else, `W` trait, `X` \
            methods, `I` if, `L` loop, `M` match, `R` return, `B` break, `C` continue and constant, `D` defer, `U` \
            import, `G` global, `T` alias. A binding needs no keyword: `name := value`.",
        wrong: "F main() {\n    let x = 1\n}\n",
        right: "F main() {\n    x := 1\n}\n",
    },
    CodeInfo {
        code: LEFT_OUT,
        title: "left out on purpose",
        explanation: "Vais has this, but this implementation leaves it out: macros, async functions and `.await`, `spawn`, \
            `yield`, `lazy` and `force`, linear, affine and dependent types, the effect words `pure`, `io` and \
            `partial`, SIMD types, unions and `comptime`.",
        wrong: "A F load() -> i64 { 1 }\n",
        right: "F load() -> i64 { 1 }\n",
    },
    CodeInfo {
        code: NOT_AN_ITEM,
        title: "not an item",
        explanation: "At the top of a file stand only items: functions, types, implementations, constants, globals and \
            imports. Statements belong into a function; a program starts in `main`. Items cannot stand in a function, but for \
            `C` and `G`.",
        wrong: "println(\"hi\")\n",
        right: "F main() {\n    println(\"hi\")\n}\n",
    },
    CodeInfo {
        code: MISPLACED_ATTRIBUTE,
        title: "misplaced attribute",
        explanation: "An attribute stands before an item, a field, a variant, a method or a parameter, and says something \
            about it. Before a statement or at the end of a file it says nothing about anything. A comment that starts \
            with a bracket needs a space: `# [...]`.",
        wrong: "F main() {\n    #[hot]\n    x := 1\n}\n",
        right: "#[hot]\nF main() {\n    x := 1\n}\n",
    },
    CodeInfo {
        code: STRAY_ELSE,
        title: "else without if",
        explanation: "An `E` follows the `}` of an `I`, on the same line or on the next. Here another statement stands \
            between, or none is before it.",
        wrong: "F main() {\n    x := 1\n    E { println(\"no\") }\n}\n",
        right: "F main() {\n    x := 1\n    I x == 2 { println(\"yes\") }\n    E { println(\"no\") }\n}\n",
    },
    CodeInfo {
        code: MISSING_BODY,
        title: "function without a body",
        explanation: "A function needs a block or `= value` after its signature. Only required methods of a trait and \
            functions of C have none; a function of C is declared with `N F`, `X F`, or `@[extern \"C\"]` on the line \
            above.",
        wrong: "F answer() -> i64\n",
        right: "F answer() -> i64 = 42\n",
    },
    CodeInfo {
        code: FOREIGN_BODY,
        title: "function of C with a body",
        explanation: "`N` and `X F` declare functions that are defined elsewhere, so they have no body. Leave the body out, or \
            the `N` or `X` to define the function here.",
        wrong: "N F answer() -> i64 { 42 }\n",
        right: "N F answer() -> i64\n",
    },
    CodeInfo {
        code: BAD_PARAMETER,
        title: "bad parameter",
        explanation: "Parameters are written `name: type`, with `= default` if they may be left out. `self`, `&self` or \
            `&mut self` comes first and only in methods; `...` comes last and only in functions of C.",
        wrong: "F grow(&x: i64) { }\n",
        right: "F grow(x: &i64) { }\n",
    },
    CodeInfo {
        code: FOREIGN_OPERATOR,
        title: "operator of another language",
        explanation: "Some operators of other languages are written otherwise here: `x += 1` for `x++`, `x -= 1` for `x--`, \
            `p.x` for `p->x`, `==` for `===`, `!=` for `<>`, `|x| e` for `(x) => e`, and `println(...)` for \
            `println!(...)`. A condition compares with `==`; `=` assigns.",
        wrong: "F main() {\n    x := 1\n    x++\n}\n",
        right: "F main() {\n    x := 1\n    x += 1\n}\n",
    },
];

/// More brackets than may be open at a time.
const TOO_DEEP_EXAMPLE: &str = "F main() {\n    x := (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((\
    ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((\
    ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1\n}\n";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn codes(text: &str) -> Vec<Code> {
        parse(text).items.iter().flat_map(|item| item.diagnostics.iter().map(|found| found.code)).collect()
    }

    #[test]
    fn examples_earn_their_codes_once() {
        for info in CODES {
            assert_eq!(codes(info.wrong), [info.code], "the failing example of {}", info.code);
            assert_eq!(codes(info.right), [], "the mended example of {}", info.code);
        }
    }

    #[test]
    fn codes_are_sorted_and_found() {
        assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
        assert!(CODES.iter().all(|info| info.code.info().is_some_and(|found| found.title == info.title)));
        assert!(Code(9999).info().is_none());
    }
}
