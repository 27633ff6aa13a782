//! Machine code into a module.

use cranelift_codegen::ir;
use cranelift_module::{DataId, FuncId, Linkage, Module, ModuleError, ModuleReloc, ModuleRelocTarget};
use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};
use vaisjit_semantics::Instance;

use super::{CompiledFunction, CompiledUnit, MachineFunction, Relocation, RelocationTarget};
use crate::clif::{CompileError, tail_signature};
use crate::link::Import;
use crate::thunks::safepoint_signature;

/// Defines functions in a module. Those that call each other directly belong into one call.
pub fn define(functions: &[MachineFunction], module: &mut dyn Module) -> Result<CompiledUnit, CompileError> {
    let mut names = Names { ids: FxHashMap::default(), imports: IndexSet::default() };
    let mut own = Vec::with_capacity(functions.len());
    for function in functions {
        let import = match function.cleanup_of {
            Some(_) => Import::Cleanup(function.instance),
            None => Import::Function(function.instance),
        };
        let symbol = import.to_string();
        let signature = plain(module);
        let id =
            declare(module, &symbol, Linkage::Export, &signature).map_err(|error| failed(function.instance, error))?;
        names.ids.insert(import, Id::Function(id));
        own.push((symbol, id));
    }
    let mut unit = CompiledUnit::default();
    for (function, (symbol, id)) in functions.iter().zip(own) {
        names.define(function, id, module).map_err(|error| failed(function.instance, error))?;
        unit.functions.push(CompiledFunction {
            instance: function.instance,
            func_id: id,
            symbol,
            info: function.info.clone(),
            frame: function.frame.clone(),
            inlined: function.inlined.clone(),
            cleanup_of: function.cleanup_of,
        });
    }
    unit.imports = names.imports.into_iter().collect();
    Ok(unit)
}

fn failed(instance: Instance, message: String) -> CompileError {
    CompileError { function: Some(instance), message }
}

fn text(error: ModuleError) -> String {
    error.to_string()
}

#[derive(Clone, Copy)]
enum Id {
    Function(FuncId),
    Data(DataId),
}

/// What the imports are in one module.
struct Names {
    ids: FxHashMap<Import, Id>,
    imports: IndexSet<Import, FxBuildHasher>,
}

impl Names {
    fn define(&mut self, function: &MachineFunction, id: FuncId, module: &mut dyn Module) -> Result<(), String> {
        let mut relocations = Vec::with_capacity(function.relocations.len());
        for relocation in &function.relocations {
            relocations.push(self.relocation(relocation, function, id, module)?);
        }
        module.define_function_bytes(id, function.align, &function.bytes, &relocations).map_err(text)
    }

    fn relocation(
        &mut self,
        relocation: &Relocation,
        function: &MachineFunction,
        own: FuncId,
        module: &mut dyn Module,
    ) -> Result<ModuleReloc, String> {
        let name = match relocation.target {
            RelocationTarget::Own(offset) => ModuleRelocTarget::FunctionOffset(own, offset),
            RelocationTarget::LibCall(call) => ModuleRelocTarget::LibCall(call),
            RelocationTarget::Import(index) => match self.id(&function.imports[index as usize], module)? {
                Id::Function(id) => id.into(),
                Id::Data(id) => id.into(),
            },
        };
        let Relocation { offset, kind, addend, .. } = *relocation;
        Ok(ModuleReloc { offset, kind, name, addend })
    }

    fn id(&mut self, import: &Import, module: &mut dyn Module) -> Result<Id, String> {
        if let Some(known) = self.ids.get(import) {
            return Ok(*known);
        }
        let symbol = import.to_string();
        let id = match import {
            Import::Slot(_) | Import::Global(_) | Import::Str(_) | Import::Type(_) | Import::Table(_) => {
                Id::Data(module.declare_data(&symbol, Linkage::Import, true, false).map_err(text)?)
            }
            Import::Function(_) | Import::Cleanup(_) | Import::Leaf(_) => {
                let signature = plain(module);
                Id::Function(declare(module, &symbol, Linkage::Import, &signature)?)
            }
            Import::Thunk(key) => {
                Id::Function(declare(module, &symbol, Linkage::Import, &tail_signature(&key.signature))?)
            }
            Import::Safepoint => Id::Function(declare(module, &symbol, Linkage::Import, &safepoint_signature())?),
        };
        self.ids.insert(import.clone(), id);
        self.imports.insert(import.clone());
        Ok(id)
    }
}

/// Calls of functions are compiled already, so the module need not know their signatures.
fn plain(module: &dyn Module) -> ir::Signature {
    ir::Signature::new(module.isa().default_call_conv())
}

fn declare(
    module: &mut dyn Module,
    symbol: &str,
    linkage: Linkage,
    signature: &ir::Signature,
) -> Result<FuncId, String> {
    if let Some(cranelift_module::FuncOrDataId::Func(known)) = module.get_name(symbol)
        && linkage == Linkage::Import
    {
        return Ok(known);
    }
    module.declare_function(symbol, linkage, signature).map_err(text)
}
