//! Polls: what a loop hands over when it has to stop, and how a resumed body takes it over.

use cranelift::prelude::*;
use cranelift_codegen::ir::{self, MemFlagsData};
use vaisjit_abi::context::offsets;

use super::frame::carry::spill_end;
use super::place::{Address, Region};
use super::prologue::trusted;
use super::types::machine_type;
use super::{Translator, abi_signature, tail_signature};
use crate::layout::Layout;
use crate::link::Import;
use crate::mir::{Body, Carried, Place, Taken};
use crate::resume::{
    BUFFER_BLOCK, BUFFER_RESULT, CarryHome, SPILL_ANSWER, SPILL_CONTEXT, SPILL_LOOP, SPILL_RESULT, SPILL_VALUES,
};
use crate::thunks::{AbiSignature, safepoint_signature};

/// How a body is called: a resumed one with the call context only, and it returns as the code before it would.
pub(super) fn own_signature(body: &Body) -> AbiSignature {
    let signature = abi_signature(&body.signature());
    match (&body.resumed, body.cleans) {
        (_, Some(_)) => AbiSignature::default(),
        (Some(_), None) => only_result(signature),
        (None, None) => signature,
    }
}

fn only_result(signature: AbiSignature) -> AbiSignature {
    AbiSignature { params: Default::default(), ..signature }
}

impl Translator<'_, '_> {
    /// Polls: one byte load and a branch that is not taken. The load must happen each time: it is neither `readonly`
    /// nor `can_move`, and the call in the other branch keeps Cranelift from taking an older load's value.
    pub(crate) fn safepoint(&mut self, carried: &[Carried]) {
        // There is none where nothing polls.
        let Some((slot, own)) = self.spill else { return };
        let poll = self.b.ins().load(types::I8, MemFlagsData::trusted(), self.ctx, offsets::POLL);
        let (stop, go) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(poll, stop, &[], go, &[]);
        self.enter_cold(stop);
        self.spill((slot, own), carried);
        let thunk = self.symbols.function(Import::Safepoint, false, safepoint_signature, self.b.func);
        self.b.ins().call(thunk, &[]);
        let answer = self.b.ins().stack_load(types::I64, types::I64, slot, SPILL_ANSWER as i32);
        self.go_on_there(answer, slot, go);
        self.b.seal_block(go);
        self.leave_cold(go);
    }

    /// Goes on at an address, unless it is 0. The code there returns for this function.
    ///
    /// The call context is read from the spill area: were this block to pass the value that the loop has, it would decide in
    /// which register the loop keeps it.
    fn go_on_there(&mut self, answer: Value, slot: ir::StackSlot, go: ir::Block) {
        let there = self.b.create_block();
        self.b.ins().brif(answer, there, &[], go, &[]);
        self.enter_cold(there);
        let context = self.b.ins().stack_load(types::I64, types::I64, slot, SPILL_CONTEXT as i32);
        let signature = tail_signature(&AbiSignature { params: Default::default(), ..own_signature(self.body) });
        let signature = self.b.import_signature(signature);
        self.b.ins().return_call_indirect(signature, answer, &[context]);
    }

    /// Makes the spill area, which all polls share; its last word is its own address. To compute the address at a poll
    /// would be the same in every turn, so it would be kept in a register all through the loop.
    pub(crate) fn prepare_polls(&mut self) {
        if !self.env.linker.hot() || !self.body.loops.iter().any(|info| info.polled) {
            return;
        }
        let own = self.frame.loops.iter().map(spill_end).max().unwrap_or(SPILL_VALUES);
        let slot = self.stack_slot(Layout { size: own + 8, align: 16 });
        let address = self.b.ins().stack_addr(types::I64, slot, 0);
        self.b.ins().stack_store(types::I64, address, slot, own as i32);
        self.spill = Some((slot, own));
    }

    /// Stores the scalars in scope into the spill area, and its address into the context.
    fn spill(&mut self, (slot, own): (ir::StackSlot, u32), carried: &[Carried]) {
        let address = self.b.ins().stack_load(types::I64, types::I64, slot, own as i32);
        self.store(address, self.context(offsets::CARRIED));
        let result = self.result_address.unwrap_or_else(|| self.b.ins().iconst(types::I64, 0));
        self.b.ins().stack_store(types::I64, result, slot, SPILL_RESULT as i32);
        let number = self.b.ins().iconst(types::I64, i64::from(self.in_loop.unwrap_or(0)));
        self.b.ins().stack_store(types::I64, number, slot, SPILL_LOOP as i32);
        let state = self.frame.loops.iter().find(|state| Some(state.number) == self.in_loop);
        let homes: Vec<CarryHome> = state.iter().flat_map(|state| &state.values).map(|value| value.home).collect();
        for (carried, home) in carried.iter().zip(homes) {
            if let CarryHome::Word(offset) = home {
                let value = self.operand_value(&carried.value);
                self.b.ins().stack_store(types::I64, value, slot, offset as i32);
            }
        }
    }

    /// The prologue of a resumed body: the block of the code before it becomes its own; what is not taken over in it is
    /// zero.
    pub(crate) fn take_over(&mut self, descriptor: u32) {
        let buffer = self.load(types::I64, self.context(offsets::CARRIED));
        self.buffer = Some(buffer);
        if self.body.locals[self.body.local(Body::RESULT)].ty.is_aggregate() {
            self.result_address = Some(self.load(types::I64, trusted(buffer).plus(u64::from(BUFFER_RESULT))));
        }
        if self.frame.size == 0 {
            return;
        }
        let block = self.load(types::I64, trusted(buffer).plus(u64::from(BUFFER_BLOCK)));
        self.own_block(block, descriptor);
        self.name_cleanup();
        let taken = |offset| self.frame.wanted.iter().any(|value| value.home == CarryHome::Block(offset));
        let locals = self.frame.locals.iter().filter(|local| !taken(local.offset));
        let fresh: Vec<(u32, u32)> = locals.map(|local| (local.offset, local.size)).collect();
        for (offset, size) in fresh {
            let place = Address { region: Region::Any, ..trusted(block) };
            self.zero(place.plus(u64::from(offset)), u64::from(size));
        }
    }

    /// The prologue of a cleanup: it goes on in the block of the call that has ended.
    pub(crate) fn take_block(&mut self, descriptor: u32) {
        let block = self.load(types::I64, self.context(offsets::CARRIED));
        self.check_room(block);
        self.own_block(block, descriptor);
    }

    /// A local of a resumed body gets the value it had before; one in memory has it already.
    pub(crate) fn take_carried(&mut self, place: &Place, taken: &Taken) {
        let home = self.frame.wanted.iter().find(|value| value.key == taken.key).map(|value| value.home);
        match (home, self.buffer, machine_type(place.ty)) {
            (Some(CarryHome::Word(offset)), Some(buffer), Some(ty)) => {
                let value = self.load(ty, trusted(buffer).plus(u64::from(offset)));
                self.write(place, value);
            }
            (Some(CarryHome::Block(_)), ..) => {}
            _ => drop(self.bug(format_args!("{} is carried nowhere", taken.key))),
        }
    }
}
