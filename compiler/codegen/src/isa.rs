//! The machine that code is generated for: the one we run on, with the settings generated code relies on.
//!
//! Frame pointers are what stack walks follow; everything else here is speed of compiling or of the code.

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};

/// How hard the code generator tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OptLevel {
    /// Compile fast: no optimiser, one pass of register allocation.
    None,
    /// Make fast code.
    #[default]
    Speed,
}

/// The host's instruction set. Building it takes some microseconds, so callers keep it.
pub fn isa(opt: OptLevel) -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    for (name, value) in settings_for(opt) {
        flags.set(name, value).map_err(|error| format!("setting {name}={value}: {error}"))?;
    }
    let builder = cranelift::native::builder().map_err(|error| format!("this machine is not supported: {error}"))?;
    builder.finish(settings::Flags::new(flags)).map_err(|error| error.to_string())
}

fn settings_for(opt: OptLevel) -> [(&'static str, &'static str); 9] {
    let (level, allocator) = match opt {
        OptLevel::None => ("none", "single_pass"),
        OptLevel::Speed => ("speed", "backtracking"),
    };
    [
        ("opt_level", level),
        ("regalloc_algorithm", allocator),
        ("preserve_frame_pointers", "true"),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
        ("unwind_info", "true"),
        ("enable_llvm_abi_extensions", "true"),
        ("enable_probestack", "false"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_supported_at_both_levels() {
        for opt in [OptLevel::None, OptLevel::Speed] {
            let isa = isa(opt).unwrap();
            assert!(isa.flags().preserve_frame_pointers());
            assert!(!isa.flags().is_pic());
        }
    }
}
