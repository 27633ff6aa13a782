//! Calls of variadic C functions, which Cranelift does not know.
//!
//! On x86-64 such a call differs from a plain one in one thing: `al` holds how many vector registers carry arguments.
//! A jump in front of the function sets it. On Linux's aarch64 nothing differs; on Apple's the variable arguments go to
//! the stack, which is not supported.

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir;
use cranelift_codegen::isa::CallConv;
use cranelift_module::{FuncId, Linkage, Module, ModuleReloc, ModuleRelocTarget};
use target_lexicon::Architecture;

use super::ThunkError;

/// The most vector registers a call of the System V convention uses; C only needs an upper bound.
const VECTOR_REGISTERS: u8 = 8;

/// What to call in place of the variadic function `target`.
pub(super) fn variadic_jump(
    module: &mut dyn Module,
    name: &str,
    target: FuncId,
    signature: &ir::Signature,
) -> Result<FuncId, ThunkError> {
    match (module.isa().triple().architecture, signature.call_conv) {
        (Architecture::X86_64, CallConv::SystemV) => jump(module, name, target, signature),
        (Architecture::Aarch64(_), CallConv::SystemV) => Ok(target),
        _ => Err(ThunkError::Unsupported("variadic C functions cannot be called on this machine yet".to_owned())),
    }
}

fn jump(module: &mut dyn Module, name: &str, target: FuncId, signature: &ir::Signature) -> Result<FuncId, ThunkError> {
    let id = module.declare_function(name, Linkage::Local, signature)?;
    let mut code = vec![0xb0, VECTOR_REGISTERS]; // mov al, 8
    code.extend([0x49, 0xbb]); // movabs r11, target
    let address = code.len() as u32;
    code.extend([0; 8]);
    code.extend([0x41, 0xff, 0xe3]); // jmp r11
    let name = ModuleRelocTarget::user(0, target.as_u32());
    let reloc = ModuleReloc { offset: address, kind: Reloc::Abs8, name, addend: 0 };
    module.define_function_bytes(id, 16, &code, &[reloc])?;
    Ok(id)
}
