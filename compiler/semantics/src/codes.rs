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
pub(crate) const BAD_ATTRIBUTE: Code = Code(512);
pub(crate) const BAD_HOOK: Code = Code(513);
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
        explanation: "A name is used that nothing declares: it is no local, parameter or field, no item of this module, \
            nothing that an import brings in, and nothing built in. Mostly it is misspelt; names are case-sensitive. \
            A new variable is declared with `name := value`.",
        wrong: "F main() -> i64 = coutn",
        right: "C count: i64 = 1\nF main() -> i64 = count",
    },
    CodeInfo {
        code: UNKNOWN_TYPE,
        title: "unknown type",
        explanation: "A type is named that is not declared, imported or built in. The numbers are called `i8` to `i128`, `u8` \
            to `u128`, `f32` and `f64`, a truth value `bool`, a text `str`, a pointer `*T`, and an array `[T; N]`.",
        wrong: "F main() { x: int = 1 }",
        right: "F main() { x: i64 = 1 }",
    },
    CodeInfo {
        code: DUPLICATE,
        title: "declared twice",
        explanation: "Two items, fields, variants, methods or parameters have the same name, so that nobody could tell which \
            is meant. Functions cannot be overloaded: give one of them another name. A local may be declared again; \
            it then hides the one before.",
        wrong: "F f() { }\nF f() { }",
        right: "F f() { }\nF g() { }",
    },
    CodeInfo {
        code: UNKNOWN_FIELD,
        title: "unknown field",
        explanation: "The struct has no field of this name, or the value is no struct at all. A method is called with \
            parentheses, `p.size()`; the parts of a tuple are `t.0`, `t.1`.",
        wrong: "S P { x: i64 }\nF f(p: P) -> i64 = p.y",
        right: "S P { x: i64 }\nF f(p: P) -> i64 = p.x",
    },
    CodeInfo {
        code: UNKNOWN_METHOD,
        title: "unknown method",
        explanation: "The type has no method of this name, neither its own, declared in `X Type { ... }`, nor one of a trait \
            that it implements. A function that takes no `self` is called on the type: `P.new()`.",
        wrong: "S P { x: i64 }\nF f(p: P) -> i64 = p.get()",
        right: "S P { x: i64 }\nX P { F get(&self) -> i64 = x }\nF f(p: P) -> i64 = p.get()",
    },
    CodeInfo {
        code: UNKNOWN_VARIANT,
        title: "unknown variant",
        explanation: "The enum has no variant of this name. In a pattern, a name that begins with a capital letter must be a \
            variant or a constant; one that begins with a small letter binds the value.",
        wrong: "E E1 { A, B }\nF f() -> E1 = E1.C1",
        right: "E E1 { A, B }\nF f() -> E1 = E1.B",
    },
    CodeInfo {
        code: UNKNOWN_TRAIT,
        title: "unknown trait",
        explanation: "A trait is implemented, or named as a supertrait, that is not declared or imported. As a bound of a type \
            parameter it is only a warning, and the bound is ignored.",
        wrong: "S P { x: i64 }\nX P: Shape { }",
        right: "W Shape { }\nS P { x: i64 }\nX P: Shape { }",
    },
    CodeInfo {
        code: UNKNOWN_MODULE,
        title: "unknown module",
        explanation: "An import names no file or folder beside the importing one and no part of the standard library. `U \
            physics` means the file physics.vais or the folder physics with a mod.vais in it.",
        wrong: "U nowhere\nF f() { }",
        right: "F f() { }",
    },
    CodeInfo {
        code: USED_BEFORE,
        title: "used before its declaration",
        explanation: "A local is used before it is declared, or outside of the block it is declared in; a variable that is \
            needed after a block is declared before it. Items may be used before they are declared.",
        wrong: "F f() -> i64 {\n    a := b\n    b := 1\n    a\n}",
        right: "F f() -> i64 {\n    b := 1\n    a := b\n    a\n}",
    },
    CodeInfo {
        code: UNKNOWN_ATTRIBUTE,
        title: "unknown attribute",
        explanation: "The attribute has no meaning here and is ignored. The known ones are hot, inline, test, repr, was, \
            reserve, reset, before_reload, after_reload, allow, derive and extern.",
        wrong: "#[hott]\nF f() { }",
        right: "#[hot]\nF f() { }",
    },
    CodeInfo {
        code: UNUSED,
        title: "unused variable",
        explanation: "The variable is never read, so that its value may have been meant to be used. A name that begins with \
            `_` says that this is intended. Shown with `--warn all`, and silenced by `#[allow(unused_variable)]`.",
        wrong: "F f() { x := 1 }",
        right: "F f() { _x := 1 }",
    },
    CodeInfo {
        code: NOT_A_VALUE,
        title: "not a value",
        explanation: "A type, a module or a built-in operation stands where a value is needed. A struct is made with its \
            fields, `P { x: 1 }`; of a module something in it is named, `physics.step`.",
        wrong: "F f() -> i64 = i64",
        right: "F f() -> i64 = 64",
    },
    CodeInfo {
        code: UNSUPPORTED,
        title: "not supported yet",
        explanation: "A part of the language that this version cannot check yet. The message names it; often the same can be \
            said in another way.",
        wrong: "F f() { _r := 0..3 }",
        right: "F f() { L _r: 0..3 {} }",
    },
    CodeInfo {
        code: MISMATCH,
        title: "mismatched types",
        explanation: "A value has another type than its place needs. Integers widen by themselves within their sign; \
            everything else needs `as`. A struct is passed to a pointer parameter with `&`, and the value in an \
            `Option` or `Result` is taken out with `!`, `?` or a match.",
        wrong: "F f() -> i64 = \"text\"",
        right: "F f() -> str = \"text\"",
    },
    CodeInfo {
        code: OPERANDS,
        title: "operator and operands do not fit",
        explanation: "The operator does not work on values of these types. Both sides of an arithmetic operator are numbers of \
            one kind: convert one with `as`. `+` also joins strings; a `bool` is no number.",
        wrong: "F f(a: i64, b: f64) -> f64 = a + b",
        right: "F f(a: i64, b: f64) -> f64 = a as f64 + b",
    },
    CodeInfo {
        code: CONDITION,
        title: "not a condition",
        explanation: "A condition is a `bool`, an integer or a pointer; the latter two hold when they are not zero. Everything \
            else must be compared with something.",
        wrong: "F f(s: str) { I s { } }",
        right: "F f(s: str) { I s != \"\" { } }",
    },
    CodeInfo {
        code: CAST,
        title: "no such conversion",
        explanation: "`as` converts between numbers, from `bool` to numbers, between pointers and integers, and from numbers \
            to `str`. Nothing else can be converted; take the value apart instead.",
        wrong: "F f(a: [i64; 2]) -> f64 = a as f64",
        right: "F f(a: [i64; 2]) -> f64 = a[0] as f64",
    },
    CodeInfo {
        code: NO_VALUE,
        title: "a value is needed",
        explanation: "Something without a value stands where one is needed: the call of a function without result, a loop with \
            a condition, or an `I` without `E`.",
        wrong: "F g() { }\nF f() { x := g() }",
        right: "F g() -> i64 = 1\nF f() { x := g() }",
    },
    CodeInfo {
        code: NOT_INDEXABLE,
        title: "cannot be indexed",
        explanation: "Only arrays, slices, `Vec`s and pointers have elements. The characters of a string are read with \
            `s.char_at(i)` and its bytes with `s.byte_at(i)`.",
        wrong: "F f(x: i64) -> i64 = x[0]",
        right: "F f(x: *i64) -> i64 = x[0]",
    },
    CodeInfo {
        code: NOT_POINTER,
        title: "not a pointer",
        explanation: "`*` before a value reads what a pointer points at, and this is no pointer. The address of a variable is \
            taken with `&x`; a field is read through a pointer without a `*`: `p.x`.",
        wrong: "F f(x: i64) -> i64 = *x",
        right: "F f(x: *i64) -> i64 = *x",
    },
    CodeInfo {
        code: BRANCHES,
        title: "branches of different types",
        explanation: "The value of a choice is used, but its branches have different types, so that the choice has none. Where \
            nobody uses the value, they may differ.",
        wrong: "F f(c: bool) { x := I c { 1 } E { \"one\" } }",
        right: "F f(c: bool) { x := I c { 1 } E { 2 } }",
    },
    CodeInfo {
        code: LITERAL_RANGE,
        title: "number out of range",
        explanation: "The number does not fit in the type that it must have here. Choose a larger type; numbers without \
            another hint are `i64`.",
        wrong: "F f() -> i8 = 300",
        right: "F f() -> i16 = 300",
    },
    CodeInfo {
        code: NOT_PRINTABLE,
        title: "cannot be printed",
        explanation: "Texts are made of numbers, strings, truth values and pointers. Of anything else print the parts, or \
            write a method that gives a string.",
        wrong: "S P { x: i64 }\nF f(p: P) { println(\"{p}\") }",
        right: "S P { x: i64 }\nF f(p: P) { println(\"{p.x}\") }",
    },
    CodeInfo {
        code: UNDETERMINED,
        title: "type not known",
        explanation: "Nothing says what type something has: neither its value nor its uses tell. Write the type where it is \
            declared, `x: Option<i64> = None`.",
        wrong: "F f() { x := None }",
        right: "F f() { x: Option<i64> = None }",
    },
    CodeInfo {
        code: NOT_CALLABLE,
        title: "cannot be called",
        explanation: "Only functions, closures and variables that hold one can be called. A `(` on the same line continues the \
            statement: the next one begins on a new line.",
        wrong: "F f(x: i64) -> i64 = x(1)",
        right: "F f(x: fn(i64) -> i64) -> i64 = x(1)",
    },
    CodeInfo {
        code: NOT_ITERABLE,
        title: "no loop over this",
        explanation: "A loop goes over a range of integers, an array, a slice or a `Vec`. To count, write a range: `L i: 0..n \
            { ... }`.",
        wrong: "F f(n: i64) { L i: n { } }",
        right: "F f(n: i64) { L i: 0..n { } }",
    },
    CodeInfo {
        code: NOT_A_PLACE,
        title: "cannot be assigned to",
        explanation: "Only variables, fields, elements and what pointers point at can be written. The result of a call or of \
            an operator is a value without a place of its own.",
        wrong: "F f() { 1 = 2 }",
        right: "F f() {\n    x := 1\n    x = 2\n}",
    },
    CodeInfo {
        code: TYPE_ARGUMENTS,
        title: "wrong type arguments",
        explanation: "A generic type or function takes another number of type arguments than are given. They may all be left \
            out where the values tell them.",
        wrong: "S Box1<T> { v: T }\nF f(b: Box1<i64, i64>) { }",
        right: "S Box1<T> { v: T }\nF f(b: Box1<i64>) { }",
    },
    CodeInfo {
        code: RECURSIVE_TYPE,
        title: "infinitely large type",
        explanation: "A struct that holds itself by value, directly or through others, would be infinitely large. Hold it by \
            pointer, `*Node`, with 0 for none.",
        wrong: "S Node { next: Node }",
        right: "S Node { next: *Node }",
    },
    CodeInfo {
        code: TRY,
        title: "`?` or `!` does not fit",
        explanation: "Both work on `Option` and `Result`: `!` takes the value out or stops the program, `?` hands `None` or \
            the error on to the caller, so it also needs a function that returns an `Option` or `Result`.",
        wrong: "F f(x: Option<i64>) -> i64 = x?",
        right: "F f(x: Option<i64>) -> i64 = x!",
    },
    CodeInfo {
        code: PATTERN,
        title: "pattern does not fit",
        explanation: "The pattern has another shape than the value: another number of parts, or a name that only some of its \
            alternatives bind. In a binding and in a loop it must match every value.",
        wrong: "F f(t: (i64, i64)) { (a, b, c) := t }",
        right: "F f(t: (i64, i64)) { (a, b) := t }",
    },
    CodeInfo {
        code: ARGUMENT_COUNT,
        title: "wrong number of arguments",
        explanation: "The call gives too few or too many arguments. Only parameters with a default, at the end, may be left \
            out; the message shows the declaration.",
        wrong: "F g(a: i64) { }\nF f() { g() }",
        right: "F g(a: i64) { }\nF f() { g(1) }",
    },
    CodeInfo {
        code: PARAMETER_TYPE,
        title: "parameter without type",
        explanation: "A parameter without a type gets it from its uses in the function and from the calls in the same module. \
            Here they do not determine it, or the calls disagree.",
        wrong: "F f(x) = 1",
        right: "F f(x: i64) = 1",
    },
    CodeInfo {
        code: MISSING_RESULT,
        title: "missing result",
        explanation: "A function that gives a value ends without one. Its last expression is its value, without a `;` behind \
            it; an `I` gives one only with its `E`. `R value` returns early.",
        wrong: "F f() -> i64 { }",
        right: "F f() -> i64 { 0 }",
    },
    CodeInfo {
        code: RECURSIVE_RESULT,
        title: "recursive function without result type",
        explanation: "The result type of `F f(...) = value` is inferred from the value. A function that calls itself, directly \
            or through others, must declare it: `-> i64`.",
        wrong: "F f(n: i64) = n < 1 ? 0 : f(n - 1)",
        right: "F f(n: i64) -> i64 = n < 1 ? 0 : f(n - 1)",
    },
    CodeInfo {
        code: PRINTF,
        title: "format and arguments do not fit",
        explanation: "The format of `printf` needs another number or kind of values. Write `%d` for integers, `%f` for floats, \
            `%s` for strings; the sizes follow from the types of the values.",
        wrong: "F f() { printf(\"%s\\n\", 1) }",
        right: "F f() { printf(\"%d\\n\", 1) }",
    },
    CodeInfo {
        code: MISSING_FIELD,
        title: "missing field",
        explanation: "A struct literal leaves out a field that has no default. Give it a value, or declare a default in the \
            struct: `y: f64 = 0.0`.",
        wrong: "S P { x: i64 }\nF f() -> P = P { }",
        right: "S P { x: i64 }\nF f() -> P = P { x: 1 }",
    },
    CodeInfo {
        code: REPEATED_FIELD,
        title: "field given twice",
        explanation: "A struct literal gives a field two values, and only one of them can be meant. Take one of them away.",
        wrong: "S P { x: i64 }\nF f() -> P = P { x: 1, x: 2 }",
        right: "S P { x: i64 }\nF f() -> P = P { x: 1 }",
    },
    CodeInfo {
        code: BOUND,
        title: "trait not implemented",
        explanation: "A generic function or type asks that its type argument implement a trait, and this one does not. \
            Implement it: `X Type: Trait { ... }`.",
        wrong: "W A1 { }\nF g<T: A1>(x: T) { }\nF f() { g(1) }",
        right: "W A1 { }\nX i64: A1 { }\nF g<T: A1>(x: T) { }\nF f() { g(1) }",
    },
    CodeInfo {
        code: TRAIT_IMPL,
        title: "implementation does not fit its trait",
        explanation: "An implementation must have all methods of its trait that have no default, with the same parameters and \
            results, and no others. Methods of the type's own go into `X Type { ... }`.",
        wrong: "W A1 { F a(&self) -> i64 }\nS P { x: i64 }\nX P: A1 { }",
        right: "W A1 { F a(&self) -> i64 }\nS P { x: i64 }\nX P: A1 { F a(&self) -> i64 = x }",
    },
    CodeInfo {
        code: FORMAT_ARGUMENTS,
        title: "text and arguments do not fit",
        explanation: "A text has more or fewer `{}` than there are arguments. Each `{}` takes the next argument; `{x}` shows \
            the value of an expression and takes none; `{{ }}` are braces.",
        wrong: "F f() { println(\"{} {}\", 1) }",
        right: "F f() { println(\"{} {}\", 1, 2) }",
    },
    CodeInfo {
        code: OUTSIDE_LOOP,
        title: "outside of a loop",
        explanation: "`B` leaves a loop and `C` goes on with its next round, so both need a loop around them. A function is \
            left with `R`.",
        wrong: "F f() { B }",
        right: "F f() { L { B } }",
    },
    CodeInfo {
        code: OUTSIDE_FUNCTION,
        title: "outside of a function",
        explanation: "`@(...)` calls the function around it, so it needs one; constants and globals have none.",
        wrong: "C X: i64 = @(1)",
        right: "C X: i64 = 1",
    },
    CodeInfo {
        code: ASSIGN_CONSTANT,
        title: "assignment to a constant",
        explanation: "A constant never changes, so nothing can be assigned to it. A value that does change is a global: `G \
            name: type = value`.",
        wrong: "C N: i64 = 1\nF f() { N = 2 }",
        right: "G n: i64 = 1\nF f() { n = 2 }",
    },
    CodeInfo {
        code: NOT_CONSTANT,
        title: "not a constant expression",
        explanation: "A constant, like the length of an array, is known before the program runs: it is made of literals, \
            operators and other constants. A value that must be computed is a global, `G`.",
        wrong: "F g() -> i64 = 1\nC N: i64 = g()",
        right: "C N: i64 = 1",
    },
    CodeInfo {
        code: NO_MAIN,
        title: "no `main`",
        explanation: "A program that is run starts in a function `main` of its first file, and there is none. Other files are \
            imported with `U`.",
        wrong: "F f() { }",
        right: "F main() { }",
    },
    CodeInfo {
        code: BAD_MAIN,
        title: "`main` of a wrong form",
        explanation: "`main` takes no parameters and gives a number or nothing; the number is the exit status. The arguments \
            of the program are read with `args`; `main(argc: i64, argv: **i8)`, as in C, works too.",
        wrong: "F main(x: i64) { }",
        right: "F main() { }",
    },
    CodeInfo {
        code: CIRCLE,
        title: "defined by itself",
        explanation: "A constant, type or global needs itself, directly or through others, so that it could never be made. One \
            of them must be written out.",
        wrong: "C A: i64 = B1\nC B1: i64 = A",
        right: "C A: i64 = B1\nC B1: i64 = 1",
    },
    CodeInfo {
        code: UNREACHABLE,
        title: "never reached",
        explanation: "The code comes after something that does not go on: `R`, `B`, `C`, or a loop that never ends. Shown with \
            `--warn all`, and silenced by `#[allow(unreachable_code)]`.",
        wrong: "F f() -> i64 {\n    R 1\n    puts(\"x\")\n    0\n}",
        right: "F f() -> i64 {\n    puts(\"x\")\n    R 1\n}",
    },
    CodeInfo {
        code: NOT_EXHAUSTIVE,
        title: "match not complete",
        explanation: "Some values match no arm. That is an error where the value of the match is used, and a warning \
            elsewhere. `_ => ...` matches everything else; with a guard an arm covers nothing for sure.",
        wrong: "F f(n: i64) -> i64 = M n { 0 => 1 }",
        right: "F f(n: i64) -> i64 = M n { 0 => 1, _ => 2 }",
    },
    CodeInfo {
        code: NO_SELF,
        title: "no `self` here",
        explanation: "`self` and `@.` mean the value a method is called on. A method takes it as its first parameter: `F \
            name(&self)`; a function outside of a type has none.",
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
        code: BAD_ATTRIBUTE,
        title: "attribute of a wrong form",
        explanation: "`#[was(\"old\")]` before a struct, enum, trait, global, field or variant says what it was called, so that a \
            reload carries its values over. The old name must be gone or belong to what says itself what it was, but for \
            a struct that declares an old shape for a migration. `#[before_reload]` and `#[after_reload]` mark functions that a reload calls. `#[reserve(N)]` before a struct or enum keeps N bytes \
            free in it for fields to come.",
        wrong: "S P { #[was(\"x\")] y: i64, x: i64 }",
        right: "S P { #[was(\"x\")] y: i64 }",
    },
    CodeInfo {
        code: BAD_HOOK,
        title: "reload hook of a wrong form",
        explanation: "A reload calls functions marked `#[before_reload]` and `#[after_reload]`: each stands on its own, \
            and takes nothing or the old and the new version number, both `i64`. `#[before_reload]` gives nothing or an \
            `i64`, and declines the reload with anything but 0; `#[after_reload]` gives nothing.",
        wrong: "#[before_reload]\nF ready(version: i64) -> i64 = version",
        right: "#[before_reload]\nF ready(old: i64, new: i64) -> i64 = 0",
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
