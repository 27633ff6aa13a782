//! Compiling a unit: bodies to machine code with symbolic imports, and the definition of that code in a module.
//!
//! The two halves are apart. Compiling knows no module, so many threads can do it and its result can be kept; defining
//! is cheap and gives the symbols of one module to code made earlier.

pub mod define;
pub mod dump;

mod inline;
mod parallel;

use std::sync::Arc;

use cranelift::prelude::FunctionBuilderContext;
use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{self, ExternalName, LibCall};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{Context, FinalizedRelocTarget};
use cranelift_module::{FuncId, Module};
use rustc_hash::FxHashSet;
use vaisjit_semantics::Instance;

use crate::clif::frame::FrameLayout;
use crate::clif::{CompileError, Env, Numbers, translate};
use crate::info::CodeInfo;
use crate::layout::Layouts;
use crate::link::{Import, Linker};
use crate::mir::Body;

pub use inline::InlinedLocation;
pub use parallel::compile_functions;

/// What is compiled together: its functions may call each other directly.
#[derive(Clone, Default)]
pub struct UnitInput<'a> {
    /// The bodies. The place of one in this list is the number of its frame layout.
    pub functions: Vec<&'a Body>,
    /// Bodies that may be inlined into those when the linker allows it; they are not compiled themselves. The bodies
    /// of `functions` need not be repeated.
    pub inline: Vec<&'a Body>,
    /// The block that a resumed body of `functions` takes over, by its place there; those behind the end have none.
    pub keep: Vec<Option<&'a FrameLayout>>,
}

impl<'a> UnitInput<'a> {
    /// The block that a function takes over.
    fn keep(&self, index: usize) -> Option<&'a FrameLayout> {
        self.keep.get(index).copied().flatten()
    }
}

/// A function as machine code that lies nowhere yet.
#[derive(Clone, Debug)]
pub struct MachineFunction {
    /// Which function.
    pub instance: Instance,
    /// The code.
    pub bytes: Vec<u8>,
    /// Its alignment.
    pub align: u64,
    /// Where addresses are written into it.
    pub relocations: Vec<Relocation>,
    /// What the relocations refer to.
    pub imports: Arc<[Import]>,
    /// Side tables.
    pub info: CodeInfo,
    /// Its block on the data stack.
    pub frame: FrameLayout,
    /// Places in inlined bodies: location numbers above those of the function's own table, in order.
    pub inlined: Vec<InlinedLocation>,
    /// The function of the unit whose cleanup it is.
    pub cleanup_of: Option<usize>,
}

/// A place in the code where an address is written.
#[derive(Clone, Debug)]
pub struct Relocation {
    /// Offset in the code.
    pub offset: u32,
    /// How it is written.
    pub kind: Reloc,
    /// What it is the address of.
    pub target: RelocationTarget,
    /// A number added to it.
    pub addend: i64,
}

/// What a relocation refers to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RelocationTarget {
    /// An import, by its index.
    Import(u32),
    /// An offset in the function itself.
    Own(u32),
    /// A function Cranelift calls on its own account.
    LibCall(LibCall),
}

/// What came of a unit.
#[derive(Clone, Debug, Default)]
pub struct CompiledUnit {
    /// The functions, in the order of the input, then their cleanups.
    pub functions: Vec<CompiledFunction>,
    /// What they refer to outside the unit, each once, in the order of first use.
    pub imports: Vec<Import>,
}

/// A function defined in a module.
#[derive(Clone, Debug)]
pub struct CompiledFunction {
    /// Which function.
    pub instance: Instance,
    /// Its id in the module.
    pub func_id: FuncId,
    /// Its symbol in the module.
    pub symbol: String,
    /// Side tables of its code.
    pub info: CodeInfo,
    /// Its block on the data stack.
    pub frame: FrameLayout,
    /// Places in inlined bodies: location numbers above those of the function's own table, in order.
    pub inlined: Vec<InlinedLocation>,
    /// The function of the unit whose cleanup it is.
    pub cleanup_of: Option<usize>,
}

/// Compiles a unit into a module.
pub fn compile_unit(
    input: &UnitInput<'_>,
    layouts: &dyn Layouts,
    linker: &dyn Linker,
    module: &mut dyn Module,
) -> Result<CompiledUnit, CompileError> {
    let functions = Compiler::default().compile(input, layouts, linker, module.isa())?;
    define::define(&functions, module)
}

/// The scratch memory of compilations.
pub struct Compiler {
    context: Context,
    scratch: FunctionBuilderContext,
}

impl Default for Compiler {
    fn default() -> Compiler {
        Compiler { context: Context::new(), scratch: FunctionBuilderContext::new() }
    }
}

impl Compiler {
    /// Compiles the functions of a unit, one after the other; their cleanups come behind them.
    pub fn compile(
        &mut self,
        input: &UnitInput<'_>,
        layouts: &dyn Layouts,
        linker: &dyn Linker,
        isa: &dyn TargetIsa,
    ) -> Result<Vec<MachineFunction>, CompileError> {
        let unit: FxHashSet<Instance> = input.functions.iter().map(|body| body.instance).collect();
        let env = Env { layouts, linker, isa, unit: &unit, inlining: false };
        if inline::wanted(input, linker, isa) {
            let made = inline::compile(input, &env, 1)?;
            return self.add_cleanups(made, input, &env);
        }
        let function = |(number, body): (u32, &&Body)| self.function(body, number, &env, input.keep(number as usize));
        let made = (0u32..).zip(&input.functions).map(function).collect::<Result<Vec<_>, _>>()?;
        self.add_cleanups(made, input, &env)
    }

    /// Compiles the cleanups of the functions that have one.
    fn add_cleanups(
        &mut self,
        mut made: Vec<MachineFunction>,
        input: &UnitInput<'_>,
        env: &Env<'_>,
    ) -> Result<Vec<MachineFunction>, CompileError> {
        let env = Env { inlining: false, ..*env };
        for (index, body) in input.functions.iter().enumerate() {
            let Some(cleanup) = &body.cleanup else { continue };
            let left = made[index].frame.clone();
            let cleanup = self.function(cleanup, made.len() as u32, &env, Some(&left))?;
            made.push(MachineFunction { cleanup_of: Some(index), ..cleanup });
        }
        Ok(made)
    }

    /// Compiles one function without inlining.
    fn function(
        &mut self,
        body: &Body,
        number: u32,
        env: &Env<'_>,
        keep: Option<&FrameLayout>,
    ) -> Result<MachineFunction, CompileError> {
        self.context.clear();
        let mut numbers = Numbers::default();
        let frame = translate(body, number, env, &mut numbers, &mut self.context.func, &mut self.scratch, keep)?;
        self.finish(body.instance, env.isa, numbers.into_iter().collect(), frame)
    }

    /// Makes machine code of the function in the context.
    fn finish(
        &mut self,
        instance: Instance,
        isa: &dyn TargetIsa,
        imports: Arc<[Import]>,
        frame: FrameLayout,
    ) -> Result<MachineFunction, CompileError> {
        if let Err(error) = self.context.compile(isa, &mut ControlPlane::default()) {
            let message = error_text(&error.inner);
            return Err(CompileError { function: Some(instance), message });
        }
        let info = CodeInfo::of(&self.context);
        let Some(code) = self.context.take_compiled_code() else {
            return Err(CompileError { function: Some(instance), message: "no code was made".into() });
        };
        let relocations = code.buffer.relocs().iter();
        Ok(MachineFunction {
            instance,
            align: u64::from(code.buffer.alignment),
            relocations: relocations
                .map(|reloc| Relocation {
                    offset: reloc.offset,
                    kind: reloc.kind,
                    target: target(&reloc.target, &self.context.func),
                    addend: reloc.addend,
                })
                .collect(),
            bytes: code.buffer.data().to_vec(),
            imports,
            info,
            frame,
            inlined: Vec::new(),
            cleanup_of: None,
        })
    }
}

fn target(target: &FinalizedRelocTarget, function: &ir::Function) -> RelocationTarget {
    match target {
        FinalizedRelocTarget::Func(offset) => RelocationTarget::Own(*offset),
        FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
            RelocationTarget::Import(function.params.user_named_funcs()[*name].index)
        }
        FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)) => RelocationTarget::LibCall(*call),
        FinalizedRelocTarget::ExternalName(ExternalName::KnownSymbol(_) | ExternalName::TestCase(_)) => {
            unreachable!("thread-local storage and test cases do not occur")
        }
    }
}

/// What Cranelift has against a function, for the author of the program.
fn error_text(error: &cranelift_codegen::CodegenError) -> String {
    use cranelift_codegen::CodegenError as E;
    match error {
        E::ImplLimitExceeded | E::CodeTooLarge => "the function is too large; split it".into(),
        E::Verifier(errors) => format!("a bug of the compiler: {errors}"),
        other => format!("a bug of the compiler: {other}"),
    }
}
