//! Entry trampolines: how the host calls generated code.

use cranelift::prelude::*;
use cranelift_codegen::ir::{BlockArg, BlockCall, ExceptionTableData, ExceptionTableItem};
use cranelift_codegen::isa::CallConv;
use cranelift_module::{FuncId, Module};
use vaisjit_abi::context::ENTRY_TRAMPOLINE_FP;

use super::{AbiSignature, ThunkError, begin, c_convention, define, trusted};
use crate::info::CodeInfo;

/// Emits `extern "C" fn(ctx, *mut EntryRecord, code, args: *const u64, ret: *mut u64) -> u64`.
///
/// It calls the function of this signature at `code`. `args` holds one 8-byte word per parameter, narrow values in its
/// low bytes, and two words (low half first) for an `i128`; `ret` has room for the result in the same form and is not
/// touched by a function without one. The trampoline returns 0, or 1 when a trap unwound to it.
pub fn entry_trampoline(
    module: &mut dyn Module,
    name: &str,
    signature: &AbiSignature,
) -> Result<(FuncId, CodeInfo), ThunkError> {
    let mut own = cranelift_codegen::ir::Signature::new(c_convention(module));
    own.params.extend([AbiParam::new(types::I64); 5]);
    own.returns.push(AbiParam::new(types::I64));
    define(module, name, own, |builder, _| {
        body(builder, signature);
        Ok(())
    })
}

fn body(builder: &mut FunctionBuilder<'_>, signature: &AbiSignature) {
    let [ctx, record, code, args, ret] = begin(builder)[..] else { unreachable!("a trampoline has five parameters") };
    let frame = builder.ins().get_frame_pointer(types::I64);
    builder.ins().store(trusted(), frame, record, ENTRY_TRAMPOLINE_FP);
    let mut values = vec![ctx];
    let mut offset = 0;
    for ty in &signature.params {
        values.push(builder.ins().load(ty.clif(), trusted(), args, offset));
        offset += 8 * ty.words() as i32;
    }
    let returned = builder.create_block();
    let trapped = builder.create_block();
    let result = signature.result.map(|ty| builder.append_block_param(returned, ty.clif()));
    call(builder, signature, code, &values, returned, trapped);

    builder.switch_to_block(returned);
    if let Some(result) = result {
        builder.ins().store(trusted(), result, ret, 0);
    }
    leave(builder, 0);
    builder.switch_to_block(trapped);
    leave(builder, 1);
}

/// Calls `code`, which has this signature; a trap goes on in `trapped`.
pub(super) fn call(
    builder: &mut FunctionBuilder<'_>,
    signature: &AbiSignature,
    code: Value,
    values: &[Value],
    returned: Block,
    trapped: Block,
) {
    let signature_ref = builder.import_signature(signature.clif(CallConv::Tail, true));
    let results = signature.result.map(|_| BlockArg::TryCallRet(0));
    let lists = &mut builder.func.dfg.value_lists;
    let normal = BlockCall::new(returned, results, lists);
    let handler = BlockCall::new(trapped, [], lists);
    let table = ExceptionTableData::new(signature_ref, normal, [ExceptionTableItem::Default(handler)]);
    let table = builder.func.dfg.exception_tables.push(table);
    builder.ins().try_call_indirect(code, values, table);
}

fn leave(builder: &mut FunctionBuilder<'_>, status: i64) {
    let status = builder.ins().iconst(types::I64, status);
    builder.ins().return_(&[status]);
}
