//! Guard thunks: a call that can be made again after a trap.
//!
//! A guard thunk stands in the guarded word of a slot and has the slot's signature. It keeps the arguments, calls what
//! is in the slot, and is where a trap of that call goes: the runtime then says whether the call is made again, with
//! whatever is in the slot by then, or the trap goes on.

use cranelift::prelude::*;
use cranelift_codegen::ir::{GlobalValueData, StackSlot};
use cranelift_codegen::isa::CallConv;
use cranelift_module::{FuncId, Linkage, Module};
use vaisjit_abi::context::{guard_offsets, offsets};
use vaisjit_abi::trap::PENDING;

use super::entry::call;
use super::{AbiSignature, AbiType, TRAPPED, ThunkError, begin, define, import, trusted};
use crate::info::CodeInfo;

/// The most bytes of aggregates a guard thunk keeps: calls with more have none. Chosen by feel.
const MOST_BYTES: u32 = 16 << 10;

/// A guard thunk to be made.
#[derive(Clone, Debug)]
pub struct GuardThunk<'a> {
    /// Its own symbol.
    pub name: &'a str,
    /// The types of the call.
    pub signature: &'a AbiSignature,
    /// Parameters (by their number in `signature`) that are addresses of aggregates, with the sizes of those: the
    /// callee may change what it is given, so each try gets a copy.
    pub copies: &'a [(usize, u32)],
    /// The data symbol of the slot.
    pub slot: &'a str,
    /// The data symbol of the `GuardTarget`.
    pub target: &'a str,
}

impl GuardThunk<'_> {
    /// Are the arguments few enough to be kept?
    pub fn fits(copies: &[(usize, u32)]) -> bool {
        copies.iter().map(|(_, size)| u64::from(*size)).sum::<u64>() <= u64::from(MOST_BYTES)
    }
}

/// Emits the thunk, a function of the `tail` convention.
pub fn guard_thunk(module: &mut dyn Module, thunk: &GuardThunk<'_>) -> Result<(FuncId, CodeInfo), ThunkError> {
    let own = thunk.signature.clif(CallConv::Tail, true);
    define(module, thunk.name, own, |builder, module| {
        let params = begin(builder);
        if !thunk.copies.is_empty() {
            check_stack(builder);
        }
        let ctx = params[0];
        let record = push_record(builder, module, ctx, thunk.target)?;
        let slot = data(builder, module, thunk.slot)?;
        let copies: Vec<StackSlot> = thunk.copies.iter().map(|(_, size)| stack(builder, *size)).collect();
        let [again, returned, trapped, unwind] = std::array::from_fn(|_| builder.create_block());
        let result = thunk.signature.result.map(|ty| builder.append_block_param(returned, ty.clif()));
        builder.ins().jump(again, &[]);

        builder.switch_to_block(again);
        let mut arguments = params.clone();
        for ((param, size), copy) in thunk.copies.iter().zip(&copies) {
            let to = builder.ins().stack_addr(types::I64, *copy, 0);
            copy_bytes(builder, module, to, params[1 + param], *size);
            arguments[1 + param] = to;
        }
        let code = builder.ins().load(types::I64, trusted(), slot, 0);
        call(builder, thunk.signature, code, &arguments, returned, trapped);

        builder.switch_to_block(returned);
        pop_record(builder, ctx, record);
        builder.ins().return_(result.as_slice());

        builder.set_cold_block(trapped);
        builder.switch_to_block(trapped);
        let ask = import(module, builder, TRAPPED, &[types::I64; 2], Some(AbiType::U8))?;
        let at = builder.ins().stack_addr(types::I64, record, 0);
        let asked = builder.ins().call(ask, &[ctx, at]);
        let repeat = builder.inst_results(asked)[0];
        builder.ins().brif(repeat, again, &[], unwind, &[]);

        builder.switch_to_block(unwind);
        builder.ins().trap(TrapCode::unwrap_user(PENDING));
        Ok(())
    })
}

/// The copies take stack, so the limit is looked at as in a function of the program.
fn check_stack(builder: &mut FunctionBuilder<'_>) {
    let flags = builder.func.dfg.mem_flags.insert_unchecked(trusted());
    let base = builder.create_global_value(GlobalValueData::VMContext);
    let offset = offsets::STACK_LIMIT.into();
    let limit = builder.create_global_value(GlobalValueData::Load { base, offset, global_type: types::I64, flags });
    builder.func.stack_limit = Some(limit);
}

fn stack(builder: &mut FunctionBuilder<'_>, size: u32) -> StackSlot {
    builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size.max(1), 4))
}

fn data(builder: &mut FunctionBuilder<'_>, module: &mut dyn Module, symbol: &str) -> Result<Value, ThunkError> {
    let data = module.declare_data(symbol, Linkage::Import, false, false)?;
    let data = module.declare_data_in_func(data, builder.func);
    Ok(builder.ins().symbol_value(types::I64, data))
}

/// Puts a `GuardRecord` on the chain.
fn push_record(
    builder: &mut FunctionBuilder<'_>,
    module: &mut dyn Module,
    ctx: Value,
    target: &str,
) -> Result<StackSlot, ThunkError> {
    let record = stack(builder, guard_offsets::SIZE);
    let target = data(builder, module, target)?;
    let at = builder.ins().stack_addr(types::I64, record, 0);
    let previous = builder.ins().load(types::I64, trusted(), ctx, offsets::GUARD);
    let frame = builder.ins().get_frame_pointer(types::I64);
    let top = builder.ins().load(types::I64, trusted(), ctx, offsets::DATA_TOP);
    builder.ins().store(trusted(), previous, at, guard_offsets::PREVIOUS);
    builder.ins().store(trusted(), target, at, guard_offsets::TARGET);
    builder.ins().store(trusted(), frame, at, guard_offsets::FRAME_FP);
    builder.ins().store(trusted(), top, at, guard_offsets::DATA_TOP);
    builder.ins().store(trusted(), at, ctx, offsets::GUARD);
    Ok(record)
}

fn pop_record(builder: &mut FunctionBuilder<'_>, ctx: Value, record: StackSlot) {
    let previous = builder.ins().stack_load(types::I64, types::I64, record, guard_offsets::PREVIOUS);
    builder.ins().store(trusted(), previous, ctx, offsets::GUARD);
}

fn copy_bytes(builder: &mut FunctionBuilder<'_>, module: &dyn Module, to: Value, from: Value, size: u32) {
    let size = builder.ins().iconst(types::I64, i64::from(size));
    builder.call_memcpy(module.isa().frontend_config(), to, from, size);
}
