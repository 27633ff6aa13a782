//! Callbacks: C functions that stand for functions of the program, such as the comparator of `qsort`.

use cranelift::prelude::*;
use cranelift_module::{FuncId, Linkage, Module};

use super::{AbiSignature, CALLBACK, ThunkError, begin, c_convention, define, import, trusted};
use crate::info::CodeInfo;

/// Emits a C function of this signature that packs its arguments as a trampoline wants them, and calls
/// [`CALLBACK`] with the address of the data symbol `target`, which says what to enter and how. The runtime zeroes the
/// result if the function traps.
pub fn callback_thunk(
    module: &mut dyn Module,
    name: &str,
    signature: &AbiSignature,
    target: &str,
) -> Result<(FuncId, CodeInfo), ThunkError> {
    let own = signature.clif(c_convention(module), false);
    define(module, name, own, |builder, module| {
        let params = begin(builder);
        let arguments = stack_words(builder, signature.words());
        let result = stack_words(builder, 2);
        let arguments = builder.ins().stack_addr(types::I64, arguments, 0);
        let returned = builder.ins().stack_addr(types::I64, result, 0);
        let mut offset = 0;
        for (value, ty) in params.into_iter().zip(&signature.params) {
            builder.ins().store(trusted(), value, arguments, offset);
            offset += 8 * ty.words() as i32;
        }
        let data = module.declare_data(target, Linkage::Import, false, false)?;
        let data = module.declare_data_in_func(data, builder.func);
        let target = builder.ins().symbol_value(types::I64, data);
        let enter = import(module, builder, CALLBACK, &[types::I64; 3], None)?;
        builder.ins().call(enter, &[target, arguments, returned]);
        let value = signature.result.map(|ty| builder.ins().load(ty.clif(), trusted(), returned, 0));
        builder.ins().return_(value.as_slice());
        Ok(())
    })
}

fn stack_words(builder: &mut FunctionBuilder<'_>, words: usize) -> codegen::ir::StackSlot {
    let size = 8 * words.max(1) as u32;
    builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4))
}
