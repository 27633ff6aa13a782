//! Calls: of functions of the program directly, through slots and through function values, of host and C functions
//! through exit thunks, of leaf functions straight.

use cranelift::prelude::*;
use cranelift_codegen::ir::{self, MemFlagsData};
use smallvec::SmallVec;
use vaisjit_abi::TrapCode as Trap;
use vaisjit_abi::heap::{CLOSURE_SLOT, CLOSURE_TAG};
use vaisjit_abi::slot::SLOT_GUARDED;
use vaisjit_semantics::{Instance, Ty, TyKind};
use vaisjit_syntax::Name;

use super::Translator;
use super::leaf;
use super::locals::Home;
use super::place::{Address, Base, Region, index_of};
use super::types::{abi_signature, abi_type, machine_type, signed, tail_signature};
use crate::layout::Layout;
use crate::link::{Import, Link, SlotKey, ThunkKey, ThunkTarget};
use crate::mir::{Call, Callee, Local, Operand, Place, PlaceBase, Signature};
use crate::thunks::{AbiSignature, AbiType};

type Values = SmallVec<[Value; 8]>;

/// How the code of a callee is found.
enum Target {
    Direct(ir::FuncRef),
    Address(Value, AbiSignature),
}

/// Where an aggregate result is written, and where it goes from there.
struct ResultPlace {
    at: Option<Address>,
    copy: bool,
}

impl Translator<'_, '_> {
    /// A call statement.
    pub(crate) fn call(&mut self, call: &Call) {
        match &call.callee {
            Callee::Function(instance, signature) => {
                let target = self.function_target(*instance, signature);
                self.call_generated(call, signature, target);
            }
            Callee::Value(operand, signature) => {
                let value = self.operand_value(operand);
                self.call_value(call, value, signature);
            }
            Callee::Slot(operand, signature) => {
                let slot = self.operand_value(operand);
                let code = self.code_in(slot);
                self.call_generated(call, signature, Target::Address(code, abi_signature(signature)));
            }
            Callee::Host(name) => self.call_host(call, *name),
            Callee::C(name, fixed) => self.call_c(call, *name, *fixed),
        }
    }

    fn function_target(&mut self, instance: Instance, signature: &Signature) -> Target {
        let abi = abi_signature(signature);
        match self.env.linker.link(self.body.instance, instance) {
            Link::Direct => {
                let near = self.env.unit.contains(&instance);
                let import = Import::Function(instance);
                Target::Direct(self.symbols.function(import, near, || tail_signature(&abi), self.b.func))
            }
            Link::Slot => {
                let slot = self.data_address(Import::Slot(SlotKey { instance, signature: signature.clone() }));
                // Neither `readonly` nor `can_move`: the loop around must see a new version.
                let word = self.slot_word();
                let code = self.b.ins().load(types::I64, MemFlagsData::trusted(), slot, word);
                Target::Address(code, abi)
            }
        }
    }

    /// Which word of a slot this function calls.
    fn slot_word(&self) -> i32 {
        if self.env.linker.guards(self.body.instance) { SLOT_GUARDED } else { 0 }
    }

    /// The code in the slot at an address that may be wrong.
    fn code_in(&mut self, slot: Value) -> Value {
        let word = self.slot_word();
        let code = self.b.ins().load(types::I64, MemFlagsData::new(), slot, word);
        self.trap_if_zero(code, Trap::NullPointer);
        code
    }

    fn call_generated(&mut self, call: &Call, signature: &Signature, target: Target) {
        let (arguments, result) = self.generated_arguments(call, signature);
        let inst = self.call_target(target, &arguments);
        self.finish_call(call, signature.result, result, inst);
    }

    /// What a function of the program is given, and where its result goes if that is an aggregate.
    fn generated_arguments(&mut self, call: &Call, signature: &Signature) -> (Values, ResultPlace) {
        let mut arguments = Values::from_slice(&[self.ctx]);
        let result = self.result_place(call, signature.result);
        if let Some(at) = result.at {
            arguments.push(self.address_value(at));
        }
        for (operand, ty) in call.arguments.iter().zip(&signature.params) {
            if !ty.is_unit() {
                arguments.push(self.argument(operand));
            }
        }
        (arguments, result)
    }

    /// Calls a function value: what is in its slot, or a closure, whose code gets its payload before the arguments.
    fn call_value(&mut self, call: &Call, value: Value, signature: &Signature) {
        let (arguments, result) = self.generated_arguments(call, signature);
        let [plain, closure, done] = std::array::from_fn(|_| self.b.create_block());
        let scalar = machine_type(signature.result).map(|ty| self.b.append_block_param(done, ty));
        let tag = self.b.ins().band_imm_u(value, CLOSURE_TAG);
        self.b.ins().brif(tag, closure, &[], plain, &[]);

        self.go_on(plain);
        let code = self.code_in(value);
        self.call_and_jump(Target::Address(code, abi_signature(signature)), &arguments, done);

        self.go_on(closure);
        let payload = self.b.ins().iadd_imm_s(value, -CLOSURE_TAG);
        let slot = self.b.ins().load(types::I64, MemFlagsData::new(), payload, CLOSURE_SLOT);
        let code = self.code_in(slot);
        let (mut abi, mut arguments) = (abi_signature(signature), arguments);
        let hidden = usize::from(result.at.is_some());
        abi.params.insert(hidden, AbiType::I64);
        arguments.insert(1 + hidden, payload);
        self.call_and_jump(Target::Address(code, abi), &arguments, done);

        self.go_on(done);
        self.keep_result(call, signature.result, result, scalar);
    }

    fn call_and_jump(&mut self, target: Target, arguments: &[Value], to: Block) {
        let inst = self.call_target(target, arguments);
        let results: SmallVec<[ir::BlockArg; 1]> =
            self.b.inst_results(inst).iter().map(|value| ir::BlockArg::from(*value)).collect();
        self.b.ins().jump(to, &results);
    }

    fn call_target(&mut self, target: Target, arguments: &[Value]) -> ir::Inst {
        match target {
            Target::Direct(function) => self.b.ins().call(function, arguments),
            Target::Address(code, abi) => {
                let signature = self.signature(abi);
                self.b.ins().call_indirect(signature, code, arguments)
            }
        }
    }

    fn signature(&mut self, abi: AbiSignature) -> ir::SigRef {
        if let Some(known) = self.signatures.get(&abi) {
            return *known;
        }
        let known = self.b.import_signature(tail_signature(&abi));
        self.signatures.insert(abi, known);
        known
    }

    /// A scalar, or the address of an aggregate.
    fn argument(&mut self, operand: &Operand) -> Value {
        match operand {
            Operand::Copy(place) if place.ty.is_aggregate() => {
                let address = self.address(place);
                self.address_value(address)
            }
            _ => self.operand_value(operand),
        }
    }

    /// Where the callee writes an aggregate: straight into a local that no pointer and no argument reaches, else into a
    /// temporary, since the callee may read what the place holds while it writes.
    fn result_place(&mut self, call: &Call, ty: Ty) -> ResultPlace {
        if !ty.is_aggregate() {
            return ResultPlace { at: None, copy: false };
        }
        if let Some(local) = call.result.as_ref().and_then(Place::as_local)
            && !self.locals.taken(local)
            && !call.arguments.iter().any(|argument| base_local(argument) == Some(local))
            && let Home::Memory(..) = self.homes[index_of(local)]
        {
            return ResultPlace { at: Some(self.home_address(local)), copy: false };
        }
        let base = Base::Slot(self.temporary(self.env.layouts.layout(ty)));
        let at = Address { base, offset: 0, region: Region::Shared, faults: false };
        ResultPlace { at: Some(at), copy: call.result.is_some() }
    }

    /// A stack slot for a result on its way; one of each size is enough.
    fn temporary(&mut self, layout: Layout) -> ir::StackSlot {
        if let Some(known) = self.temporaries.get(&layout) {
            return *known;
        }
        let slot = self.stack_slot(layout);
        self.temporaries.insert(layout, slot);
        slot
    }

    fn finish_call(&mut self, call: &Call, ty: Ty, result: ResultPlace, inst: ir::Inst) {
        let value = self.b.inst_results(inst).first().copied();
        self.keep_result(call, ty, result, value);
    }

    fn keep_result(&mut self, call: &Call, ty: Ty, result: ResultPlace, value: Option<Value>) {
        let Some(place) = &call.result else { return };
        if let (Some(from), true) = (result.at, result.copy) {
            let to = self.address(place);
            return self.copy(to, from, self.size(ty));
        }
        if let Some(value) = value
            && machine_type(ty).is_some()
        {
            self.write(place, value);
        }
    }

    fn call_host(&mut self, call: &Call, name: Name) {
        if self.env.linker.leaf(name) {
            return self.call_leaf_by_operands(call, name);
        }
        let (types, arguments) = self.foreign_arguments(call, None);
        self.call_thunk(call, ThunkTarget::Host(name), types, &arguments);
    }

    fn call_c(&mut self, call: &Call, name: Name, fixed: Option<u32>) {
        if self.call_float_instruction(call, name) {
            return;
        }
        if fixed.is_none() && is_math_call(call, name) {
            return self.call_leaf_by_operands(call, name);
        }
        let (types, arguments) = self.foreign_arguments(call, fixed);
        self.call_thunk(call, ThunkTarget::C(name, fixed), types, &arguments);
    }

    /// C functions that are one instruction.
    fn call_float_instruction(&mut self, call: &Call, name: Name) -> bool {
        let [operand] = call.arguments.as_slice() else { return false };
        let ty = operand.ty();
        let base = match name.strip_suffix('f') {
            Some(base) if ty == Ty::f32() => base,
            _ if ty == Ty::f64() => name.as_str(),
            _ => return false,
        };
        if ty != call.result_ty || !matches!(base, "sqrt" | "fabs" | "floor" | "ceil" | "trunc") {
            return false;
        }
        let value = self.operand_value(operand);
        let result = match base {
            "sqrt" => self.b.ins().sqrt(value),
            "fabs" => self.b.ins().fabs(value),
            "floor" => self.b.ins().floor(value),
            "ceil" => self.b.ins().ceil(value),
            _ => self.b.ins().trunc(value),
        };
        if let Some(place) = &call.result {
            self.write(place, result);
        }
        true
    }

    /// The arguments of a host or C function; those behind the fixed parameters of a variadic one are promoted.
    fn foreign_arguments(&mut self, call: &Call, fixed: Option<u32>) -> (SmallVec<[AbiType; 6]>, Values) {
        let (mut types, mut values) = (SmallVec::new(), Values::new());
        for (index, operand) in call.arguments.iter().enumerate() {
            let ty = operand.ty();
            let Some(abi) = abi_type(ty) else { continue };
            let value = self.argument(operand);
            let (abi, value) = match fixed {
                Some(fixed) if index >= fixed as usize => self.promote(ty, abi, value),
                _ => (abi, value),
            };
            types.push(abi);
            values.push(value);
        }
        (types, values)
    }

    fn promote(&mut self, ty: Ty, abi: AbiType, value: Value) -> (AbiType, Value) {
        match abi {
            AbiType::F32 => (AbiType::F64, self.float_to_float(value, types::F64)),
            AbiType::I8 | AbiType::U8 | AbiType::I16 | AbiType::U16 => {
                (AbiType::I32, self.resize(value, signed(ty), types::I32))
            }
            _ => (abi, value),
        }
    }

    fn call_thunk(&mut self, call: &Call, target: ThunkTarget, types: SmallVec<[AbiType; 6]>, arguments: &[Value]) {
        let result = self.result_place(call, call.result_ty);
        let mut abi =
            AbiSignature { params: types, result: machine_type(call.result_ty).and_then(|_| abi_type(call.result_ty)) };
        let mut all = Values::from_slice(&[self.ctx]);
        if let Some(at) = result.at {
            abi.params.insert(0, AbiType::I64);
            all.push(self.address_value(at));
        }
        all.extend_from_slice(arguments);
        let thunk = self.thunk(target, abi);
        let inst = self.b.ins().call(thunk, &all);
        self.finish_call(call, call.result_ty, result, inst);
    }

    pub(crate) fn thunk(&mut self, target: ThunkTarget, abi: AbiSignature) -> ir::FuncRef {
        let import = Import::Thunk(ThunkKey { target, signature: abi.clone() });
        self.symbols.function(import, false, || tail_signature(&abi), self.b.func)
    }

    /// Calls a host function of the compiler's own that does not return.
    pub(crate) fn call_trap_function(&mut self, name: &str, arguments: &[Value]) {
        let abi = AbiSignature { params: SmallVec::from_elem(AbiType::I64, arguments.len()), result: None };
        let thunk = self.thunk(ThunkTarget::Host(Name::new(name)), abi);
        self.b.ins().call(thunk, &[&[self.ctx], arguments].concat());
    }

    fn call_leaf_by_operands(&mut self, call: &Call, name: Name) {
        let (types, arguments) = self.foreign_arguments(call, None);
        let result: SmallVec<[AbiType; 1]> =
            machine_type(call.result_ty).and_then(|_| abi_type(call.result_ty)).into_iter().collect();
        let results = self.call_leaf_results(&name, &types, &result, &arguments);
        if let (Some(place), Some(&value)) = (&call.result, results.first()) {
            self.write(place, value);
        }
    }

    /// Calls a leaf function without a result.
    pub(crate) fn call_leaf(&mut self, name: &str, params: &[AbiType], arguments: &[Value]) {
        self.call_leaf_results(name, params, &[], arguments);
    }

    /// Calls a leaf function with one result.
    pub(crate) fn call_leaf_value(
        &mut self,
        name: &str,
        params: &[AbiType],
        result: AbiType,
        arguments: &[Value],
    ) -> Value {
        self.call_leaf_results(name, params, &[result], arguments)[0]
    }

    /// Calls a leaf function; two results are the halves of 128 bits.
    pub(crate) fn call_leaf_results(
        &mut self,
        name: &str,
        params: &[AbiType],
        results: &[AbiType],
        arguments: &[Value],
    ) -> SmallVec<[Value; 2]> {
        let convention = self.env.isa.default_call_conv();
        let abi = AbiSignature { params: SmallVec::from_slice(params), result: results.first().copied() };
        let import = Import::Leaf(Name::new(name));
        let signature = || {
            let mut signature = abi.clif(convention, false);
            signature.returns.extend(results.iter().skip(1).map(|_| AbiParam::new(types::I64)));
            signature
        };
        let function = self.symbols.function(import, false, signature, self.b.func);
        let inst = self.b.ins().call(function, arguments);
        SmallVec::from_slice(self.b.inst_results(inst))
    }
}

fn base_local(operand: &Operand) -> Option<Local> {
    match operand {
        Operand::Copy(Place { base: PlaceBase::Local(local), .. }) => Some(*local),
        _ => None,
    }
}

/// Is this a C math function called with its true types?
fn is_math_call(call: &Call, name: Name) -> bool {
    let Some(math) = leaf::is_math(&name) else { return false };
    let of = |ty: Ty| match ty.kind() {
        TyKind::Float(_) => (ty == Ty::f64()) == math.double,
        _ => false,
    };
    call.arguments.len() == math.parameters && of(call.result_ty) && call.arguments.iter().all(|a| of(a.ty()))
}
