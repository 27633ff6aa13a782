//! A function's CLIF and machine code as text, for people.

use cranelift::prelude::FunctionBuilderContext;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::TargetIsa;
use rustc_hash::FxHashSet;
use vaisjit_semantics::Instance;

use super::{UnitInput, error_text};
use crate::clif::{CompileError, Env, Numbers, translate};
use crate::layout::Layouts;
use crate::link::{Import, Linker};
use crate::mir::Body;

/// Which text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// CLIF as translated, before any optimisation.
    Clif,
    /// CLIF as the code generator sees it after optimisation.
    Optimized,
    /// The instructions of the machine.
    Asm,
}

/// The text of one function of a unit. Its external names are explained below it.
pub fn dump(
    stage: Stage,
    body: &Body,
    input: &UnitInput<'_>,
    layouts: &dyn Layouts,
    linker: &dyn Linker,
    isa: &dyn TargetIsa,
) -> Result<String, CompileError> {
    let unit: FxHashSet<Instance> = input.functions.iter().map(|body| body.instance).collect();
    let env = Env { layouts, linker, isa, unit: &unit, inlining: false };
    let fail = |message| CompileError { function: Some(body.instance), message };
    let mut context = Context::new();
    let mut numbers = Numbers::default();
    translate(body, 0, &env, &mut numbers, &mut context.func, &mut FunctionBuilderContext::new(), None)?;
    let mut control = ControlPlane::default();
    let text = match stage {
        Stage::Clif => context.func.display().to_string(),
        Stage::Optimized => {
            context.optimize(isa, &mut control).map_err(|error| fail(error_text(&error)))?;
            context.func.display().to_string()
        }
        Stage::Asm => {
            context.set_disasm(true);
            let code = context.compile(isa, &mut control).map_err(|error| fail(error_text(&error.inner)))?;
            code.vcode.clone().unwrap_or_default()
        }
    };
    Ok(format!("; {}\n{text}{}", body.instance, legend(&numbers)))
}

fn legend(imports: &Numbers) -> String {
    let mut text = String::new();
    for (index, import) in imports.iter().enumerate() {
        let namespace = match import {
            Import::Slot(_) | Import::Global(_) | Import::Str(_) => 1,
            _ => 0,
        };
        text += &format!("; u{namespace}:{index} = {}\n", import.to_string().escape_debug());
    }
    text
}
