//! The standard library: host functions in Rust, and modules written in the language itself (`vais/`).
//!
//! The compiler never sees this crate: it gets the declarations of the host functions and the texts of the modules from
//! the runtime, as it gets an embedder's own functions.

pub mod docs;
pub mod shim;
pub mod text;

use vaisjit_abi::{HostFlags, HostFunction};

pub use shim::{TextAside, flush_stdout, forget_text, prepare_stdout, set_text_aside, time_of_day, write_to_stdout};

/// The modules written in the language, by name. `std/prelude` is imported by every module.
pub fn modules() -> &'static [(&'static str, &'static str)] {
    &[
        ("std/prelude", include_str!("../vais/prelude.vais")),
        ("std/vec", include_str!("../vais/vec.vais")),
        ("std/hashmap", include_str!("../vais/hashmap.vais")),
        ("std/string", include_str!("../vais/string.vais")),
        ("std/option", include_str!("../vais/option.vais")),
        ("std/result", include_str!("../vais/result.vais")),
        ("std/hot", include_str!("../vais/hot.vais")),
        ("std/io", include_str!("../vais/io.vais")),
        ("std/math", include_str!("../vais/math.vais")),
        ("std/random", include_str!("../vais/random.vais")),
        ("std/time", include_str!("../vais/time.vais")),
        ("std/env", include_str!("../vais/env.vais")),
        ("std/file", include_str!("../vais/file.vais")),
        ("std/thread", include_str!("../vais/thread.vais")),
        ("std/test", include_str!("../vais/test.vais")),
    ]
}

/// The host functions that need no program: output, text, and the world outside.
pub fn functions() -> Vec<HostFunction> {
    let with = |table: Vec<shim::Entry>, flags: HostFlags| {
        table.into_iter().map(move |(name, signature, address)| HostFunction {
            name: name.to_owned(),
            signature: signature.to_owned(),
            address,
            flags,
        })
    };
    let plain = HostFlags::default();
    with(shim::table(), plain).chain(with(shim::heap_table(), HostFlags { heap: true, ..plain })).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_unique() {
        let mut names: Vec<String> = super::functions().into_iter().map(|function| function.name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
