//! Inlining.

use vaisjit_semantics::Instance;

use super::{Compiler, MachineFunction, UnitInput};
use crate::clif::{CompileError, Env};
use crate::link::Linker;

/// A place in an inlined body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InlinedLocation {
    /// The function whose body was inlined.
    pub instance: Instance,
    /// Number of the location in that function's table.
    pub location: u32,
    /// Number of the call's location, in the caller's table or above it.
    pub call: u32,
}

pub(crate) fn wanted(_input: &UnitInput<'_>, _linker: &dyn Linker) -> bool {
    false
}

pub(crate) fn compile(
    _compiler: &mut Compiler,
    _input: &UnitInput<'_>,
    _env: &Env<'_>,
) -> Result<Vec<MachineFunction>, CompileError> {
    Ok(Vec::new())
}
