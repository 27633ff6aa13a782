//! Diagnostics of the engine: what only linking can tell.

use vaisjit_syntax::codes::CodeInfo;
use vaisjit_syntax::{Code, Diagnostic, Name, Place};

/// A called C function that the dynamic linker does not find.
pub const UNKNOWN_C_FUNCTION: Code = Code(601);
/// A called host function that the host has not registered.
pub const UNKNOWN_HOST_FUNCTION: Code = Code(602);
/// Something the back end cannot compile yet.
pub const UNSUPPORTED: Code = Code(603);
/// A function that is too large.
pub const CANNOT_COMPILE: Code = Code(604);

/// The codes of this crate.
pub static CODES: &[CodeInfo] = &[
    CodeInfo {
        code: UNKNOWN_C_FUNCTION,
        title: "unknown C function",
        explanation: "The program calls a function that it declares as a C function, but neither the process nor a C \
                      library loaded in it has a function of that name. Look at the spelling; names are case-sensitive.",
        wrong: "N \"C\" { F no_such_function(x: i64) -> i64; }\nF main() -> i64 { no_such_function(1) }",
        right: "N \"C\" { F labs(x: i64) -> i64; }\nF main() -> i64 { labs(1) }",
    },
    CodeInfo {
        code: UNKNOWN_HOST_FUNCTION,
        title: "unknown host function",
        explanation: "The program calls a function that it declares as a function of its host, but the host has not \
                      registered one of that name with its engine.",
        wrong: "N \"host\" { F spawn_enemy(x: f64) -> i64; }\nF main() -> i64 { spawn_enemy(1.0) }",
        right: "F spawn_enemy(x: f64) -> i64 { x as i64 }\nF main() -> i64 { spawn_enemy(1.0) }",
    },
    CodeInfo {
        code: UNSUPPORTED,
        title: "not supported yet",
        explanation: "The program is correct, but uses something that this version cannot make machine code for. The \
                      message names it.",
        wrong: "N \"C\" { F labs(n: i64) -> i64 }\nF main() -> i64 {\n    f := labs\n    f(-1)\n}",
        right: "N \"C\" { F labs(n: i64) -> i64 }\nF main() -> i64 {\n    f := |n: i64| labs(n)\n    f(-1)\n}",
    },
    CodeInfo {
        code: CANNOT_COMPILE,
        title: "a function cannot be compiled",
        explanation: "The function is beyond a limit of the code generator, mostly because it is very long or its \
                      variables are very large. Split it, or keep large data in globals.",
        wrong: "F main() -> i64 {\n    cells := [0; 200000000]\n    cells[5]\n}",
        right: "G cells: [i64; 1000000]\nF main() -> i64 {\n    cells[5]\n}",
    },
];

/// A called C function that does not exist.
pub(crate) fn unknown_c_function(place: Place, name: Name) -> Diagnostic {
    Diagnostic::error(UNKNOWN_C_FUNCTION, place, format!("there is no C function `{name}`"))
        .with_text("called here")
        .with_help("C functions are looked up in the process and the C library by their exact name")
}

/// A called host function that does not exist.
pub(crate) fn unknown_host_function(place: Place, name: Name) -> Diagnostic {
    Diagnostic::error(UNKNOWN_HOST_FUNCTION, place, format!("the host has no function `{name}`"))
        .with_text("called here")
        .with_help("the embedding program registers functions with `Engine::builder().function(..)`")
}

/// Something that cannot be compiled yet.
pub(crate) fn unsupported(place: Place, what: &str) -> Diagnostic {
    Diagnostic::error(UNSUPPORTED, place, format!("{what} cannot be compiled yet"))
}

/// A function beyond the code generator's limits.
pub(crate) fn cannot_compile(place: Place, message: &str) -> Diagnostic {
    Diagnostic::error(CANNOT_COMPILE, place, message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::CODES;
    use crate::{Engine, Error};

    #[test]
    fn every_wrong_example_gives_its_code_and_every_right_one_is_accepted() {
        let engine = Engine::builder().build().unwrap();
        for info in CODES {
            let found: Vec<_> = match engine.load_str(info.wrong) {
                Err(Error::Rejected(found)) => found.list.iter().map(|found| found.code).collect(),
                other => panic!("{}: {:?}", info.code, other.err()),
            };
            assert_eq!(found, [info.code], "{}", info.wrong);
            assert!(engine.load_str(info.right).is_ok(), "{}: {}", info.code, info.right);
        }
    }
}
