//! Builds small functions as the compiler would, and calls them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cranelift::prelude::*;
use cranelift_codegen::ir::{self, UserFuncName};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_module::{FuncId, Linkage, Module};
use vaisjit_abi::context::offsets;
use vaisjit_codegen::info::CodeInfo;
use vaisjit_codegen::isa::{OptLevel, isa};
use vaisjit_codegen::resume::{SPILL_LOOP, SPILL_VALUES};
use vaisjit_codegen::thunks::{
    AbiSignature, AbiType, ExitKind, ExitThunk, entry_trampoline, exit_thunk, safepoint_signature, safepoint_thunk,
};

use crate::code::*;

/// How long a test waits for something that has to happen. Far above what is usual, as test machines can be very busy.
pub(super) const DEADLINE: Duration = Duration::from_secs(120);

/// `(i64, ...) -> i64` with this many parameters.
pub(super) fn i64s(params: usize) -> AbiSignature {
    AbiSignature::new(vec![AbiType::I64; params], Some(AbiType::I64))
}

/// Waits until `done`, without sleeping.
pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "{what} did not happen");
        std::thread::yield_now();
    }
}

/// A world with its trampolines and thunks.
pub(super) struct Kit {
    pub(super) world: World,
    pub(super) slots: SlotTable,
    isa: OwnedTargetIsa,
    symbols: Arc<Mutex<HashMap<String, usize>>>,
    units: Mutex<Vec<Arc<CodeUnit>>>,
}

impl Kit {
    pub(super) fn new() -> Kit {
        let kit = Kit {
            world: World::new(),
            slots: SlotTable::new(),
            isa: isa(OptLevel::Speed).unwrap(),
            symbols: Arc::default(),
            units: Mutex::default(),
        };
        let mut module = kit.module();
        let (id, info) = safepoint_thunk(&mut *module.code, "safepoint").unwrap();
        module.functions.push(UnitFunction::straight(id, "safepoint", info));
        let unit = module.finish();
        kit.symbol("safepoint", unit.address(0).get());
        kit.units.lock().unwrap().push(unit);
        kit
    }

    pub(super) fn symbol(&self, name: &str, address: usize) {
        self.symbols.lock().unwrap().insert(name.to_owned(), address);
    }

    pub(super) fn module(&self) -> Building {
        let symbols = self.symbols.clone();
        let resolver = Box::new(move |name: &str| symbols.lock().unwrap().get(name).copied());
        Building { code: new_module(self.isa.clone(), resolver).unwrap(), functions: Vec::new() }
    }

    pub(super) fn trampoline(&self, signature: &AbiSignature) -> Trampoline {
        let mut module = self.module();
        let (id, info) = entry_trampoline(&mut *module.code, "enter", signature).unwrap();
        module.functions.push(UnitFunction::straight(id, "enter", info));
        Trampoline::new(&module.finish(), 0, signature).unwrap()
    }

    /// Makes a C or host function callable by generated code as `name`.
    pub(super) fn exit(&self, name: &str, target: usize, signature: &AbiSignature, kind: ExitKind) {
        self.symbol(&format!("target:{name}"), target);
        let mut module = self.module();
        let thunk = ExitThunk { name, target: &format!("target:{name}"), signature, kind, fence: needs_fence() };
        let (id, info) = exit_thunk(&mut *module.code, &thunk).unwrap();
        module.functions.push(UnitFunction::straight(id, name, info));
        let unit = module.finish();
        self.symbol(name, unit.address(0).get());
        self.units.lock().unwrap().push(unit);
    }

    /// One function in a unit of its own.
    pub(super) fn function(
        &self,
        name: &str,
        signature: &AbiSignature,
        body: impl FnOnce(&mut Body<'_, '_>),
    ) -> Arc<CodeUnit> {
        let mut module = self.module();
        module.function(name, signature, &[false, true], body);
        module.finish()
    }

    /// One function of `(i64, ...) -> i64` in a unit of its own.
    pub(super) fn simple(&self, name: &str, params: usize, body: impl FnOnce(&mut Body<'_, '_>)) -> Arc<CodeUnit> {
        self.function(name, &i64s(params), body)
    }

    /// Enters the first function of a unit.
    pub(super) fn call(&self, unit: &Arc<CodeUnit>, args: &[i64]) -> Result<i64, Box<RawTrap>> {
        let trampoline = self.trampoline(&i64s(args.len()));
        let words: Vec<u64> = args.iter().map(|arg| *arg as u64).collect();
        let mut ret = [0; 2];
        self.world.enter(&trampoline, Callee::Unit(unit, 0), &words, &mut ret)?;
        Ok(ret[0] as i64)
    }
}

/// A module with what is known about its functions.
pub(super) struct Building {
    pub(super) code: CodeModule,
    pub(super) functions: Vec<UnitFunction>,
}

impl Building {
    pub(super) fn finish(self) -> Arc<CodeUnit> {
        self.code.finish(self.functions, Vec::new(), None).unwrap()
    }

    pub(super) fn function(
        &mut self,
        name: &str,
        signature: &AbiSignature,
        looping: &[bool],
        body: impl FnOnce(&mut Body<'_, '_>),
    ) -> FuncId {
        let clif = signature.clif(CallConv::Tail, true);
        let id = self.code.declare_function(name, Linkage::Export, &clif).unwrap();
        let mut context = self.code.make_context();
        context.func.signature = clif;
        context.func.name = UserFuncName::user(0, id.as_u32());
        let mut scratch = FunctionBuilderContext::new();
        let mut b = FunctionBuilder::new(&mut context.func, &mut scratch);
        let block = b.create_block();
        b.append_block_params_for_function_params(block);
        b.switch_to_block(block);
        limit_stack(&mut b);
        let mut params = b.block_params(block).to_vec();
        let ctx = params.remove(0);
        b.set_srcloc(ir::SourceLoc::new(0));
        let mut built = Body { b, ctx, params, module: &mut self.code };
        body(&mut built);
        let mut b = built.b;
        b.seal_all_blocks();
        b.finalize(self.code.isa().frontend_config());
        self.code.define_function(id, &mut context).unwrap();
        let info = CodeInfo::of(&context);
        self.functions.push(UnitFunction {
            id,
            name: name.to_owned(),
            info,
            looping: looping.into(),
            nested: Box::default(),
            cleanup_of: None,
        });
        id
    }
}

fn limit_stack(b: &mut FunctionBuilder<'_>) {
    let flags = b.func.dfg.mem_flags.insert_unchecked(MemFlagsData::trusted());
    let base = b.create_global_value(GlobalValueData::VMContext);
    let offset = offsets::STACK_LIMIT.into();
    let limit = b.create_global_value(GlobalValueData::Load { base, offset, global_type: types::I64, flags });
    b.func.stack_limit = Some(limit);
}

/// A function being built.
pub(super) struct Body<'a, 'b> {
    pub(super) b: FunctionBuilder<'b>,
    pub(super) ctx: Value,
    pub(super) params: Vec<Value>,
    module: &'a mut CodeModule,
}

impl Body<'_, '_> {
    pub(super) fn ret(&mut self, value: Value) {
        self.b.ins().return_(&[value]);
    }

    pub(super) fn number(&mut self, value: i64) -> Value {
        self.b.ins().iconst(types::I64, value)
    }

    /// Calls a function by symbol: an exit thunk, or a function of another unit.
    pub(super) fn call(&mut self, name: &str, signature: &AbiSignature, args: &[Value]) -> Option<Value> {
        let clif = signature.clif(CallConv::Tail, true);
        let id = self.module.declare_function(name, Linkage::Import, &clif).unwrap();
        let callee = self.module.declare_func_in_func(id, self.b.func);
        let mut all = vec![self.ctx];
        all.extend(args);
        let call = self.b.ins().call(callee, &all);
        self.b.inst_results(call).first().copied()
    }

    /// Calls what is in a slot.
    pub(super) fn call_slot(&mut self, slot: &Slot, signature: &AbiSignature, args: &[Value]) -> Option<Value> {
        let address = self.number(slot.address() as i64);
        let code = self.b.ins().load(types::I64, MemFlagsData::trusted(), address, 0);
        self.call_code(code, signature, args)
    }

    pub(super) fn call_code(&mut self, code: Value, signature: &AbiSignature, args: &[Value]) -> Option<Value> {
        let clif = self.b.import_signature(signature.clif(CallConv::Tail, true));
        let mut all = vec![self.ctx];
        all.extend(args);
        let call = self.b.ins().call_indirect(clif, code, &all);
        self.b.inst_results(call).first().copied()
    }

    /// A loop with a poll at its back-edge that runs until `body` gives zero.
    pub(super) fn polled_loop(&mut self, body: impl FnOnce(&mut Self) -> Value) {
        let head = self.b.create_block();
        let stop = self.b.create_block();
        let after = self.b.create_block();
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        self.b.set_srcloc(ir::SourceLoc::new(1));
        let go_on = body(self);
        let poll = self.b.ins().load(types::I8, MemFlagsData::trusted(), self.ctx, offsets::POLL);
        let back = self.b.create_block();
        self.b.ins().brif(poll, stop, &[], back, &[]);
        self.b.switch_to_block(stop);
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, SPILL_VALUES, 3));
        let spill = self.b.ins().stack_addr(types::I64, slot, 0);
        let number = self.number(0);
        self.b.ins().store(MemFlagsData::trusted(), number, spill, SPILL_LOOP as i32);
        self.b.ins().store(MemFlagsData::trusted(), spill, self.ctx, offsets::CARRIED);
        let id = self.module.declare_function("safepoint", Linkage::Import, &safepoint_signature()).unwrap();
        let thunk = self.module.declare_func_in_func(id, self.b.func);
        self.b.ins().call(thunk, &[]);
        self.b.ins().jump(back, &[]);
        self.b.switch_to_block(back);
        self.b.ins().brif(go_on, head, &[], after, &[]);
        self.b.switch_to_block(after);
        self.b.set_srcloc(ir::SourceLoc::new(0));
    }

    /// A loop without a poll, until an `i64` that the test owns is not zero.
    pub(super) fn wait_without_poll(&mut self, address: usize) {
        let (head, after) = (self.b.create_block(), self.b.create_block());
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        let go = self.read(address);
        self.b.ins().brif(go, after, &[], head, &[]);
        self.b.switch_to_block(after);
    }

    /// Reads an `i64` the test owns.
    pub(super) fn read(&mut self, address: usize) -> Value {
        let address = self.number(address as i64);
        self.b.ins().load(types::I64, MemFlagsData::trusted(), address, 0)
    }

    /// Writes an `i64` the test owns.
    pub(super) fn write(&mut self, address: usize, value: Value) {
        let address = self.number(address as i64);
        self.b.ins().store(MemFlagsData::trusted(), value, address, 0);
    }
}
