//! Exit thunks: how generated code calls host and C functions, and how a loop takes part in a safepoint.

use cranelift::prelude::*;
use cranelift_codegen::isa::CallConv;
use cranelift_module::{FuncId, Linkage, Module};
use target_lexicon::Architecture;
use vaisjit_abi::context::{AT_SAFEPOINT, IN_HEAP, IN_HOST, RUNNING, offsets, poll};
use vaisjit_abi::trap::PENDING;

use super::entry::call;
use super::variadic::variadic_jump;
use super::{AbiSignature, AbiType, GATE, SAFEPOINT, ThunkError, begin, c_convention, define, import, trusted};
use crate::info::CodeInfo;

/// What an exit thunk calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitKind {
    /// A host function: the call context is its first argument.
    Host {
        /// The call is an explicit safepoint.
        safepoint: bool,
    },
    /// A host function that works on the program's heap: the thread counts as running meanwhile, and waits for nobody.
    Heap,
    /// A closure of the host's: call context, environment (the address of the symbol [`ENVIRONMENT`]), arguments.
    Closure {
        /// The call is an explicit safepoint.
        safepoint: bool,
    },
    /// A C function.
    C,
    /// A C function with `...`; the signature holds the types of this call, already promoted.
    Variadic {
        /// How many parameters stand before the `...`.
        fixed: u32,
    },
}

/// The symbol whose address a closure's thunk passes as environment.
pub const ENVIRONMENT: &str = "environment";

/// An exit thunk to be made.
#[derive(Clone, Debug)]
pub struct ExitThunk<'a> {
    /// Its own symbol.
    pub name: &'a str,
    /// The symbol of the function it calls.
    pub target: &'a str,
    /// The types of the call.
    pub signature: &'a AbiSignature,
    /// The convention of the call.
    pub kind: ExitKind,
    /// Does a return need a memory fence of its own? Not where the runtime can make all threads fence.
    pub fence: bool,
}

/// Emits a function of the `tail` convention that does the call with the thread marked as being in the host.
pub fn exit_thunk(module: &mut dyn Module, thunk: &ExitThunk<'_>) -> Result<(FuncId, CodeInfo), ThunkError> {
    let own = thunk.signature.clif(CallConv::Tail, true);
    let target = target(module, thunk)?;
    if thunk.kind == ExitKind::Heap {
        return heap_thunk(module, thunk.name, own, target);
    }
    define(module, thunk.name, own, |builder, module| {
        let params = begin(builder);
        let ctx = params[0];
        keep_registers(builder, ctx);
        let state = match thunk.kind {
            ExitKind::Host { safepoint: true } | ExitKind::Closure { safepoint: true } => AT_SAFEPOINT,
            _ => IN_HOST,
        };
        record_exit(builder, ctx);
        set_state(builder, &*module, ctx, state, Fence::Release);
        let mut arguments = params.clone();
        match thunk.kind {
            ExitKind::Host { .. } | ExitKind::Heap => {}
            ExitKind::Closure { .. } => arguments.insert(1, environment(builder, module)?),
            ExitKind::C | ExitKind::Variadic { .. } => drop(arguments.remove(0)),
        }
        let target = module.declare_func_in_func(target, builder.func);
        let call = builder.ins().call(target, &arguments);
        let results = builder.inst_results(call).to_vec();
        set_state(builder, &*module, ctx, RUNNING, if thunk.fence { Fence::Full } else { Fence::None });
        pass_gate(builder, module, ctx, state)?;
        builder.ins().return_(&results);
        Ok(())
    })
}

/// The thunk of a heap function: the thread stays what it is, only a trap that the function raised is looked for. While
/// it is in there, the recorded frame pointer carries a mark, for the handler of faults.
fn heap_thunk(
    module: &mut dyn Module,
    name: &str,
    signature: cranelift_codegen::ir::Signature,
    target: FuncId,
) -> Result<(FuncId, CodeInfo), ThunkError> {
    define(module, name, signature, |builder, module| {
        let params = begin(builder);
        let ctx = params[0];
        let frame = builder.ins().get_frame_pointer(types::I64);
        let marked = builder.ins().iadd_imm_s(frame, IN_HEAP as i64);
        builder.ins().store(trusted(), marked, ctx, offsets::EXIT_FP);
        let target = module.declare_func_in_func(target, builder.func);
        let call = builder.ins().call(target, &params);
        let results = builder.inst_results(call).to_vec();
        let frame = builder.ins().get_frame_pointer(types::I64);
        builder.ins().store(trusted(), frame, ctx, offsets::EXIT_FP);
        let poll = builder.ins().load(types::I8, trusted(), ctx, offsets::POLL);
        let failed = builder.ins().band_imm_u(poll, i64::from(poll::TRAP));
        builder.ins().trapnz(failed, TrapCode::unwrap_user(PENDING));
        builder.ins().return_(&results);
        Ok(())
    })
}

/// How the cold path of a loop's poll calls the safepoint thunk. The thread's call context says where the spill area is. The
/// answer is left in the first word of that area: 0 to go on, or where to go on instead.
///
/// The convention keeps all registers, and none has to hold an argument: the poll of a loop must not be the reason why its
/// values are kept elsewhere.
pub fn safepoint_signature() -> Signature {
    Signature::new(CallConv::PreserveAll)
}

/// Emits the function of [`safepoint_signature`].
pub fn safepoint_thunk(module: &mut dyn Module, name: &str) -> Result<(FuncId, CodeInfo), ThunkError> {
    let keeping = keeping_thunk(module, &format!("{name}:keeping"))?;
    define(module, name, safepoint_signature(), |builder, module| {
        begin(builder);
        let frame = builder.ins().get_frame_pointer(types::I64);
        let keeping = module.declare_func_in_func(keeping, builder.func);
        let call = builder.ins().call(keeping, &[frame]);
        let failed = builder.inst_results(call)[0];
        builder.ins().trapnz(failed, TrapCode::unwrap_user(PENDING));
        builder.ins().return_(&[]);
        Ok(())
    })
}

/// What the safepoint thunk calls: saves the registers that callers of the polling function keep values in, and no others,
/// and tells [`SAFEPOINT`] below which frame pointer they lie.
fn keeping_thunk(module: &mut dyn Module, name: &str) -> Result<FuncId, ThunkError> {
    let mut own = Signature::new(CallConv::Tail);
    own.params.push(AbiParam::new(types::I64));
    own.returns.push(AbiParam::new(types::I8));
    let (id, _) = define(module, name, own, |builder, module| {
        let thunk = begin(builder)[0];
        keep_registers(builder, thunk);
        let frame = builder.ins().get_frame_pointer(types::I64);
        let safepoint = import(module, builder, SAFEPOINT, &[types::I64; 2], Some(AbiType::U8))?;
        let call = builder.ins().call(safepoint, &[thunk, frame]);
        let failed = builder.inst_results(call)[0];
        builder.ins().return_(&[failed]);
        Ok(())
    })?;
    Ok(id)
}

/// The function to call, behind the jump that variadic calls need.
fn target(module: &mut dyn Module, thunk: &ExitThunk<'_>) -> Result<FuncId, ThunkError> {
    let with_ctx = matches!(thunk.kind, ExitKind::Host { .. } | ExitKind::Heap | ExitKind::Closure { .. });
    let mut signature = thunk.signature.clif(c_convention(module), with_ctx);
    if matches!(thunk.kind, ExitKind::Closure { .. }) {
        signature.params.insert(1, AbiParam::new(types::I64));
    }
    let target = module.declare_function(thunk.target, Linkage::Import, &signature)?;
    match thunk.kind {
        ExitKind::Variadic { .. } => variadic_jump(module, &format!("{}:jump", thunk.name), target, &signature),
        _ => Ok(target),
    }
}

fn environment(builder: &mut FunctionBuilder<'_>, module: &mut dyn Module) -> Result<Value, ThunkError> {
    let data = module.declare_data(ENVIRONMENT, Linkage::Import, false, false)?;
    let address = module.declare_data_in_func(data, builder.func);
    Ok(builder.ins().symbol_value(types::I64, address))
}

/// Makes the thunk save all registers that its callers may keep values in, right below its frame pointer: a reload that
/// moves values looks there for what leads to them. A call that never happens, and that would leave no register as it was,
/// makes the compiler do it; `some` is never zero.
fn keep_registers(builder: &mut FunctionBuilder<'_>, some: Value) {
    let (never, go_on, end) = (builder.create_block(), builder.create_block(), builder.create_block());
    builder.set_cold_block(never);
    builder.set_cold_block(end);
    builder.ins().brif(some, go_on, &[], never, &[]);
    builder.switch_to_block(never);
    call(builder, &AbiSignature::new([], None), some, &[some], end, end);
    builder.switch_to_block(end);
    builder.ins().trap(TrapCode::unwrap_user(PENDING));
    builder.switch_to_block(go_on);
}

fn record_exit(builder: &mut FunctionBuilder<'_>, ctx: Value) {
    let frame = builder.ins().get_frame_pointer(types::I64);
    builder.ins().store(trusted(), frame, ctx, offsets::EXIT_FP);
}

#[derive(Clone, Copy, PartialEq)]
enum Fence {
    /// The store may be seen late: whoever must see it makes this thread fence.
    None,
    /// What was written before is seen before.
    Release,
    /// What is read afterwards is read afterwards.
    Full,
}

fn set_state(builder: &mut FunctionBuilder<'_>, module: &dyn Module, ctx: Value, state: u32, fence: Fence) {
    let value = builder.ins().iconst(types::I32, i64::from(state));
    let total_store_order = has_total_store_order(module);
    if fence == Fence::Full || (fence == Fence::Release && !total_store_order) {
        let address = builder.ins().iadd_imm_s(ctx, i64::from(offsets::STATE));
        builder.ins().atomic_store(trusted(), value, address);
    } else {
        builder.ins().store(trusted(), value, ctx, offsets::STATE);
    }
    if fence == Fence::Full && !total_store_order {
        builder.ins().fence();
    }
}

/// Are loads and stores seen in the order they are made in, but for a load after a store?
fn has_total_store_order(module: &dyn Module) -> bool {
    matches!(module.isa().triple().architecture, Architecture::X86_64)
}

/// Loads the poll byte after the return from the host: what is read later is read later. A whole request may have come
/// and gone in the meantime, and what it has changed must be seen.
fn load_poll(builder: &mut FunctionBuilder<'_>, module: &dyn Module, ctx: Value) -> Value {
    if has_total_store_order(module) {
        return builder.ins().load(types::I8, trusted(), ctx, offsets::POLL);
    }
    let address = builder.ins().iadd_imm_s(ctx, i64::from(offsets::POLL));
    builder.ins().atomic_load(types::I8, trusted(), address)
}

/// Waits or traps if somebody asked for it.
fn pass_gate(
    builder: &mut FunctionBuilder<'_>,
    module: &mut dyn Module,
    ctx: Value,
    state: u32,
) -> Result<(), ThunkError> {
    let gate = import(module, builder, GATE, &[types::I64, types::I32], Some(AbiType::U8))?;
    let stop = builder.create_block();
    let go = builder.create_block();
    builder.set_cold_block(stop);
    let poll = load_poll(builder, &*module, ctx);
    builder.ins().brif(poll, stop, &[], go, &[]);
    builder.switch_to_block(stop);
    let state = builder.ins().iconst(types::I32, i64::from(state));
    let call = builder.ins().call(gate, &[ctx, state]);
    let failed = builder.inst_results(call)[0];
    builder.ins().trapnz(failed, TrapCode::unwrap_user(PENDING));
    builder.ins().jump(go, &[]);
    builder.switch_to_block(go);
    Ok(())
}
