//! The diagnostic codes of this crate: E02xx names, E03xx types, E04xx calls and signatures, E05xx items and flow.

use vaisjit_syntax::Code;
use vaisjit_syntax::codes::CodeInfo;

pub(crate) const UNKNOWN_NAME: Code = Code(201);
pub(crate) const UNKNOWN_TYPE: Code = Code(202);
pub(crate) const DUPLICATE: Code = Code(203);
pub(crate) const UNKNOWN_FIELD: Code = Code(204);
pub(crate) const UNKNOWN_METHOD: Code = Code(205);
pub(crate) const UNKNOWN_VARIANT: Code = Code(206);
pub(crate) const UNKNOWN_TRAIT: Code = Code(207);
pub(crate) const UNKNOWN_MODULE: Code = Code(208);
pub(crate) const USED_BEFORE: Code = Code(209);
pub(crate) const UNKNOWN_ATTRIBUTE: Code = Code(211);
pub(crate) const UNUSED: Code = Code(212);
pub(crate) const NOT_A_VALUE: Code = Code(213);
pub(crate) const UNSUPPORTED: Code = Code(299);
pub(crate) const MISMATCH: Code = Code(301);
pub(crate) const OPERANDS: Code = Code(302);
pub(crate) const CONDITION: Code = Code(303);
pub(crate) const CAST: Code = Code(304);
pub(crate) const NO_VALUE: Code = Code(305);
pub(crate) const NOT_INDEXABLE: Code = Code(306);
pub(crate) const NOT_POINTER: Code = Code(307);
pub(crate) const BRANCHES: Code = Code(308);
pub(crate) const LITERAL_RANGE: Code = Code(309);
pub(crate) const NOT_PRINTABLE: Code = Code(310);
pub(crate) const UNDETERMINED: Code = Code(311);
pub(crate) const NOT_CALLABLE: Code = Code(312);
pub(crate) const NOT_ITERABLE: Code = Code(313);
pub(crate) const NOT_A_PLACE: Code = Code(314);
pub(crate) const TYPE_ARGUMENTS: Code = Code(315);
pub(crate) const RECURSIVE_TYPE: Code = Code(316);
pub(crate) const TRY: Code = Code(317);
pub(crate) const PATTERN: Code = Code(318);
pub(crate) const ARGUMENT_COUNT: Code = Code(401);
pub(crate) const PARAMETER_TYPE: Code = Code(402);
pub(crate) const MISSING_RESULT: Code = Code(403);
pub(crate) const RECURSIVE_RESULT: Code = Code(404);
pub(crate) const PRINTF: Code = Code(405);
pub(crate) const MISSING_FIELD: Code = Code(406);
pub(crate) const REPEATED_FIELD: Code = Code(407);
pub(crate) const BOUND: Code = Code(408);
pub(crate) const TRAIT_IMPL: Code = Code(409);
pub(crate) const FORMAT_ARGUMENTS: Code = Code(410);
pub(crate) const OUTSIDE_LOOP: Code = Code(501);
pub(crate) const OUTSIDE_FUNCTION: Code = Code(502);
pub(crate) const ASSIGN_CONSTANT: Code = Code(503);
pub(crate) const NOT_CONSTANT: Code = Code(504);
pub(crate) const NO_MAIN: Code = Code(505);
pub(crate) const BAD_MAIN: Code = Code(506);
pub(crate) const CIRCLE: Code = Code(507);
pub(crate) const UNREACHABLE: Code = Code(508);
pub(crate) const NOT_EXHAUSTIVE: Code = Code(509);
pub(crate) const NO_SELF: Code = Code(510);
pub(crate) const BAD_TEST: Code = Code(511);
pub(crate) const UNUSED_VALUE: Code = Code(520);
pub(crate) const INTEGER_CONDITION: Code = Code(521);
pub(crate) const UNUSED_IMPORT: Code = Code(522);

/// Names of warnings in `#[allow(...)]`, besides their codes.
pub(crate) const WARNINGS: &[(&str, Code)] = &[
    ("unused_variable", UNUSED),
    ("unused_variables", UNUSED),
    ("unreachable", UNREACHABLE),
    ("unreachable_code", UNREACHABLE),
    ("unused_value", UNUSED_VALUE),
    ("unused_result", UNUSED_VALUE),
    ("unused_must_use", UNUSED_VALUE),
    ("integer_condition", INTEGER_CONDITION),
    ("unused_import", UNUSED_IMPORT),
    ("unused_imports", UNUSED_IMPORT),
    ("not_exhaustive", NOT_EXHAUSTIVE),
    ("non_exhaustive", NOT_EXHAUSTIVE),
    ("unknown_trait", UNKNOWN_TRAIT),
    ("unknown_attribute", UNKNOWN_ATTRIBUTE),
];

/// What each code means, in the order of their numbers.
pub const TABLE: &[CodeInfo] = &[
    CodeInfo {
        code: UNKNOWN_NAME,
        title: "unknown name",
        explanation: "A name is used that nothing declares: no local, no item of this module, nothing imported and nothing built in.",
        wrong: "F main() -> i64 = coutn",
        right: "C count: i64 = 1\nF main() -> i64 = count",
    },
    CodeInfo {
        code: UNKNOWN_TYPE,
        title: "unknown type",
        explanation: "A type is named that is not declared, imported or built in.",
        wrong: "F main() { x: int = 1 }",
        right: "F main() { x: i64 = 1 }",
    },
    CodeInfo {
        code: DUPLICATE,
        title: "declared twice",
        explanation: "Two items, fields, variants or parameters have the same name.",
        wrong: "F f() { }\nF f() { }",
        right: "F f() { }\nF g() { }",
    },
    CodeInfo {
        code: UNKNOWN_FIELD,
        title: "unknown field",
        explanation: "The struct has no field of this name, or the value is no struct.",
        wrong: "S P { x: i64 }\nF f(p: P) -> i64 = p.y",
        right: "S P { x: i64 }\nF f(p: P) -> i64 = p.x",
    },
    CodeInfo {
        code: UNKNOWN_METHOD,
        title: "unknown method",
        explanation: "The type has no method of this name.",
        wrong: "S P { x: i64 }\nF f(p: P) -> i64 = p.get()",
        right: "S P { x: i64 }\nX P { F get(&self) -> i64 = x }\nF f(p: P) -> i64 = p.get()",
    },
    CodeInfo {
        code: UNKNOWN_VARIANT,
        title: "unknown variant",
        explanation: "The enum has no variant of this name.",
        wrong: "E E1 { A, B }\nF f() -> E1 = E1.C1",
        right: "E E1 { A, B }\nF f() -> E1 = E1.B",
    },
    CodeInfo {
        code: UNKNOWN_TRAIT,
        title: "unknown trait",
        explanation: "A trait is implemented or asked for that is not declared. As a bound it is only a warning.",
        wrong: "S P { x: i64 }\nX P: Shape { }",
        right: "W Shape { }\nS P { x: i64 }\nX P: Shape { }",
    },
    CodeInfo {
        code: UNKNOWN_MODULE,
        title: "unknown module",
        explanation: "An import names no file, folder or part of the standard library.",
        wrong: "U nowhere\nF f() { }",
        right: "F f() { }",
    },
    CodeInfo {
        code: USED_BEFORE,
        title: "used before its declaration",
        explanation: "A local is used before it is declared, or outside of the block it is declared in. Items may be used before they are declared.",
        wrong: "F f() -> i64 {\n    a := b\n    b := 1\n    a\n}",
        right: "F f() -> i64 {\n    b := 1\n    a := b\n    a\n}",
    },
    CodeInfo {
        code: UNKNOWN_ATTRIBUTE,
        title: "unknown attribute",
        explanation: "The attribute has no meaning and is ignored.",
        wrong: "#[hott]\nF f() { }",
        right: "#[hot]\nF f() { }",
    },
    CodeInfo {
        code: UNUSED,
        title: "unused variable",
        explanation: "The variable is never read. Shown with `--warn all`.",
        wrong: "F f() { x := 1 }",
        right: "F f() { _x := 1 }",
    },
    CodeInfo {
        code: NOT_A_VALUE,
        title: "not a value",
        explanation: "A type, module or built-in operation stands where a value is needed.",
        wrong: "F f() -> i64 = i64",
        right: "F f() -> i64 = 64",
    },
    CodeInfo {
        code: UNSUPPORTED,
        title: "not supported yet",
        explanation: "A part of the language that this version cannot check yet.",
        wrong: "F f() { _r := 0..3 }",
        right: "F f() { L _r: 0..3 {} }",
    },
    CodeInfo {
        code: MISMATCH,
        title: "mismatched types",
        explanation: "A value has another type than its place needs. Integers widen by themselves within their sign; everything else needs `as`.",
        wrong: "F f() -> i64 = \"text\"",
        right: "F f() -> str = \"text\"",
    },
    CodeInfo {
        code: OPERANDS,
        title: "operator and operands do not fit",
        explanation: "The operator does not work on values of these types.",
        wrong: "F f(a: i64, b: f64) -> f64 = a + b",
        right: "F f(a: i64, b: f64) -> f64 = a as f64 + b",
    },
    CodeInfo {
        code: CONDITION,
        title: "not a condition",
        explanation: "A condition is a `bool` or an integer, which holds when it is not zero.",
        wrong: "F f(s: str) { I s { } }",
        right: "F f(s: str) { I s != \"\" { } }",
    },
    CodeInfo {
        code: CAST,
        title: "no such conversion",
        explanation: "`as` converts between numbers, and between pointers and integers.",
        wrong: "F f(a: [i64; 2]) -> f64 = a as f64",
        right: "F f(a: [i64; 2]) -> f64 = a[0] as f64",
    },
    CodeInfo {
        code: NO_VALUE,
        title: "a value is needed",
        explanation: "Something without a value stands where one is needed.",
        wrong: "F g() { }\nF f() { x := g() }",
        right: "F g() -> i64 = 1\nF f() { x := g() }",
    },
    CodeInfo {
        code: NOT_INDEXABLE,
        title: "cannot be indexed",
        explanation: "Only arrays, slices, `Vec`s and pointers have elements.",
        wrong: "F f(x: i64) -> i64 = x[0]",
        right: "F f(x: *i64) -> i64 = x[0]",
    },
    CodeInfo {
        code: NOT_POINTER,
        title: "not a pointer",
        explanation: "`*` reads what a pointer points at.",
        wrong: "F f(x: i64) -> i64 = *x",
        right: "F f(x: *i64) -> i64 = *x",
    },
    CodeInfo {
        code: BRANCHES,
        title: "branches of different types",
        explanation: "The value of a choice is used, but its branches have different types.",
        wrong: "F f(c: bool) { x := I c { 1 } E { \"one\" } }",
        right: "F f(c: bool) { x := I c { 1 } E { 2 } }",
    },
    CodeInfo {
        code: LITERAL_RANGE,
        title: "number out of range",
        explanation: "The number does not fit in its type.",
        wrong: "F f() -> i8 = 300",
        right: "F f() -> i16 = 300",
    },
    CodeInfo {
        code: NOT_PRINTABLE,
        title: "cannot be printed",
        explanation: "Texts are made of numbers, strings, bools and pointers.",
        wrong: "S P { x: i64 }\nF f(p: P) { println(\"{p}\") }",
        right: "S P { x: i64 }\nF f(p: P) { println(\"{p.x}\") }",
    },
    CodeInfo {
        code: UNDETERMINED,
        title: "type not known",
        explanation: "Nothing says what type something has.",
        wrong: "F f() { x := None }",
        right: "F f() { x: Option<i64> = None }",
    },
    CodeInfo {
        code: NOT_CALLABLE,
        title: "cannot be called",
        explanation: "The value is no function.",
        wrong: "F f(x: i64) -> i64 = x(1)",
        right: "F f(x: fn(i64) -> i64) -> i64 = x(1)",
    },
    CodeInfo {
        code: NOT_ITERABLE,
        title: "no loop over this",
        explanation: "A loop goes over ranges, arrays, slices and `Vec`s.",
        wrong: "F f(n: i64) { L i: n { } }",
        right: "F f(n: i64) { L i: 0..n { } }",
    },
    CodeInfo {
        code: NOT_A_PLACE,
        title: "cannot be assigned to",
        explanation: "Only variables, fields, elements and what pointers point at can be written.",
        wrong: "F f() { 1 = 2 }",
        right: "F f() {\n    x := 1\n    x = 2\n}",
    },
    CodeInfo {
        code: TYPE_ARGUMENTS,
        title: "wrong type arguments",
        explanation: "A generic type or function takes another number of type arguments.",
        wrong: "S Box1<T> { v: T }\nF f(b: Box1<i64, i64>) { }",
        right: "S Box1<T> { v: T }\nF f(b: Box1<i64>) { }",
    },
    CodeInfo {
        code: RECURSIVE_TYPE,
        title: "infinitely large type",
        explanation: "A struct that holds itself by value would have no end. Hold it by pointer.",
        wrong: "S Node { next: Node }",
        right: "S Node { next: *Node }",
    },
    CodeInfo {
        code: TRY,
        title: "`?` or `!` does not fit",
        explanation: "Both work on `Option` and `Result`; `?` also needs a function that returns one.",
        wrong: "F f(x: Option<i64>) -> i64 = x?",
        right: "F f(x: Option<i64>) -> i64 = x!",
    },
    CodeInfo {
        code: PATTERN,
        title: "pattern does not fit",
        explanation: "The pattern has another shape than the value, or does not match every value where it must.",
        wrong: "F f(t: (i64, i64)) { (a, b, c) := t }",
        right: "F f(t: (i64, i64)) { (a, b) := t }",
    },
    CodeInfo {
        code: ARGUMENT_COUNT,
        title: "wrong number of arguments",
        explanation: "The call gives too few or too many arguments.",
        wrong: "F g(a: i64) { }\nF f() { g() }",
        right: "F g(a: i64) { }\nF f() { g(1) }",
    },
    CodeInfo {
        code: PARAMETER_TYPE,
        title: "parameter without type",
        explanation: "Neither its uses nor the calls in this module determine the type of a parameter, or the calls disagree.",
        wrong: "F f(x) = 1",
        right: "F f(x: i64) = 1",
    },
    CodeInfo {
        code: MISSING_RESULT,
        title: "missing result",
        explanation: "A function that gives a value ends without one.",
        wrong: "F f() -> i64 { }",
        right: "F f() -> i64 { 0 }",
    },
    CodeInfo {
        code: RECURSIVE_RESULT,
        title: "recursive function without result type",
        explanation: "The result of a function that calls itself cannot be inferred from itself.",
        wrong: "F f(n: i64) = n < 1 ? 0 : f(n - 1)",
        right: "F f(n: i64) -> i64 = n < 1 ? 0 : f(n - 1)",
    },
    CodeInfo {
        code: PRINTF,
        title: "format and arguments do not fit",
        explanation: "The format of `printf` needs another number or kind of values.",
        wrong: "F f() { printf(\"%s\\n\", 1) }",
        right: "F f() { printf(\"%d\\n\", 1) }",
    },
    CodeInfo {
        code: MISSING_FIELD,
        title: "missing field",
        explanation: "A struct literal leaves out a field that has no default.",
        wrong: "S P { x: i64 }\nF f() -> P = P { }",
        right: "S P { x: i64 }\nF f() -> P = P { x: 1 }",
    },
    CodeInfo {
        code: REPEATED_FIELD,
        title: "field given twice",
        explanation: "A struct literal gives a field two values.",
        wrong: "S P { x: i64 }\nF f() -> P = P { x: 1, x: 2 }",
        right: "S P { x: i64 }\nF f() -> P = P { x: 1 }",
    },
    CodeInfo {
        code: BOUND,
        title: "trait not implemented",
        explanation: "A type argument does not implement a trait that is asked of it.",
        wrong: "W A1 { }\nF g<T: A1>(x: T) { }\nF f() { g(1) }",
        right: "W A1 { }\nX i64: A1 { }\nF g<T: A1>(x: T) { }\nF f() { g(1) }",
    },
    CodeInfo {
        code: TRAIT_IMPL,
        title: "implementation does not fit its trait",
        explanation: "A method is missing, unknown, or of another signature.",
        wrong: "W A1 { F a(&self) -> i64 }\nS P { x: i64 }\nX P: A1 { }",
        right: "W A1 { F a(&self) -> i64 }\nS P { x: i64 }\nX P: A1 { F a(&self) -> i64 = x }",
    },
    CodeInfo {
        code: FORMAT_ARGUMENTS,
        title: "text and arguments do not fit",
        explanation: "A text has more or fewer `{}` than there are arguments.",
        wrong: "F f() { println(\"{} {}\", 1) }",
        right: "F f() { println(\"{} {}\", 1, 2) }",
    },
    CodeInfo {
        code: OUTSIDE_LOOP,
        title: "outside of a loop",
        explanation: "`B` and `C` need a loop around them.",
        wrong: "F f() { B }",
        right: "F f() { L { B } }",
    },
    CodeInfo {
        code: OUTSIDE_FUNCTION,
        title: "outside of a function",
        explanation: "`@` calls the function around it.",
        wrong: "C X: i64 = @(1)",
        right: "C X: i64 = 1",
    },
    CodeInfo {
        code: ASSIGN_CONSTANT,
        title: "assignment to a constant",
        explanation: "A constant never changes. A value that does is a global.",
        wrong: "C N: i64 = 1\nF f() { N = 2 }",
        right: "G n: i64 = 1\nF f() { n = 2 }",
    },
    CodeInfo {
        code: NOT_CONSTANT,
        title: "not a constant expression",
        explanation: "A constant is made of literals, operators and other constants.",
        wrong: "F g() -> i64 = 1\nC N: i64 = g()",
        right: "C N: i64 = 1",
    },
    CodeInfo {
        code: NO_MAIN,
        title: "no `main`",
        explanation: "A program starts in a function `main` of its first module.",
        wrong: "F f() { }",
        right: "F main() { }",
    },
    CodeInfo {
        code: BAD_MAIN,
        title: "`main` of a wrong form",
        explanation: "`main` takes no parameters and gives a number or nothing.",
        wrong: "F main(x: i64) { }",
        right: "F main() { }",
    },
    CodeInfo {
        code: CIRCLE,
        title: "defined by itself",
        explanation: "A constant, type or global needs itself.",
        wrong: "C A: i64 = B1\nC B1: i64 = A",
        right: "C A: i64 = B1\nC B1: i64 = 1",
    },
    CodeInfo {
        code: UNREACHABLE,
        title: "never reached",
        explanation: "The code comes after something that does not go on. Shown with `--warn all`.",
        wrong: "F f() -> i64 {\n    R 1\n    puts(\"x\")\n    0\n}",
        right: "F f() -> i64 {\n    puts(\"x\")\n    R 1\n}",
    },
    CodeInfo {
        code: NOT_EXHAUSTIVE,
        title: "match not complete",
        explanation: "Some values match no arm. That is an error where the value of the match is used, and a warning elsewhere.",
        wrong: "F f(n: i64) -> i64 = M n { 0 => 1 }",
        right: "F f(n: i64) -> i64 = M n { 0 => 1, _ => 2 }",
    },
    CodeInfo {
        code: NO_SELF,
        title: "no `self` here",
        explanation: "`self` and `@.` need a method that takes `self`.",
        wrong: "F f() -> i64 = self.x",
        right: "S P { x: i64 }\nX P { F f(&self) -> i64 = self.x }",
    },
    CodeInfo {
        code: BAD_TEST,
        title: "test of a wrong form",
        explanation: "A function marked `#[test]` is run by `vaisjit test`: it stands on its own, takes no parameters, and gives nothing, a `bool` (`false` fails) or an integer (anything but 0 fails).",
        wrong: "#[test]\nF adds(n: i64) { assert(n + 1 > n) }",
        right: "#[test]\nF adds() { assert(1 + 1 == 2) }",
    },
    CodeInfo {
        code: UNUSED_VALUE,
        title: "value not used",
        explanation: "A statement computes a value that nothing uses. A comparison where an assignment was meant and a \
            `Result` nobody looks at are shown always, others with `--warn all`. To ignore a value on purpose, write \
            `_ := value`, or `#[allow(unused_value)]` before the function.",
        wrong: "F f(x: i64) -> i64 {\n    x == 1\n    x\n}",
        right: "F f(x: i64) -> i64 {\n    x = 1\n    x\n}",
    },
    CodeInfo {
        code: INTEGER_CONDITION,
        title: "number as a condition",
        explanation: "A number is used as a condition; it holds when the number is not zero. That is allowed, but a \
            comparison says more. Shown with `--warn all`, and silenced by `#[allow(integer_condition)]`.",
        wrong: "F f(n: i64) -> i64 { I n { 1 } E { 2 } }",
        right: "F f(n: i64) -> i64 { I n != 0 { 1 } E { 2 } }",
    },
    CodeInfo {
        code: UNUSED_IMPORT,
        title: "unused import",
        explanation: "Nothing in the module uses what the import brings in. Shown with `--warn all`, and silenced by \
            `#[allow(unused_import)]` before the import.",
        wrong: "U std/math\nF f() -> i64 = 1",
        right: "U std/math\nF f() -> f64 = sqrt(4.0)",
    },
];
