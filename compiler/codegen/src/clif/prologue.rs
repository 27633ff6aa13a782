//! The two ends of a function: where the locals live, the block on the data stack, and the return.

use cranelift::prelude::*;
use cranelift_codegen::ir::{self, GlobalValueData, MemFlagsData};
use vaisjit_abi::context::{CLEANUP, FRAME_BLOCK_HEADER, offsets};
use vaisjit_abi::{FrameBlock, TrapCode as Trap};

use super::Translator;
use super::locals::Home;
use super::place::{Address, Base, Region, index_of};
use super::tail_signature;
use super::trap_code;
use super::types::machine_type;
use crate::link::Import;
use crate::mir::{Body, Local};
use crate::thunks::AbiSignature;

impl Translator<'_, '_> {
    /// Sets up the function at the start of its first block.
    pub(crate) fn prologue(&mut self, entry: ir::Block, descriptor: u32) {
        let params = self.b.block_params(entry).to_vec();
        self.ctx = params[0];
        self.check_stack();
        self.prepare_polls();
        let mut params = params.into_iter().skip(1);
        if self.body.cleans.is_some() {
            self.take_block(descriptor);
        } else if self.body.resumed.is_some() {
            self.take_over(descriptor);
        } else {
            if self.frame.size > 0 {
                self.push_frame(descriptor);
            }
            let result_ty = self.body.locals[self.body.local(Body::RESULT)].ty;
            self.result_address = if result_ty.is_aggregate() { params.next() } else { None };
        }
        for (local, decl) in self.body.locals.iter() {
            let incoming = if self.is_parameter(local) && !decl.ty.is_unit() { params.next() } else { None };
            self.declare(local, incoming);
        }
    }

    /// The limit of the machine stack is the first word of the call context; Cranelift compares with it where the
    /// function uses the stack at all.
    fn check_stack(&mut self) {
        let flags = self.b.func.dfg.mem_flags.insert_unchecked(MemFlagsData::trusted());
        let base = self.b.create_global_value(GlobalValueData::VMContext);
        let limit = self.b.create_global_value(GlobalValueData::Load {
            base,
            offset: offsets::STACK_LIMIT.into(),
            global_type: types::I64,
            flags,
        });
        self.b.func.stack_limit = Some(limit);
    }

    /// Decides where a local lives; a parameter gets the incoming value.
    fn declare(&mut self, local: Local, incoming: Option<Value>) {
        let decl = &self.body.locals[local];
        let home = self.home(local, incoming);
        self.homes.push(home);
        match (home, incoming) {
            (Home::Value(variable), Some(value)) => {
                self.b.def_var(variable, value);
            }
            (Home::Memory(..), Some(value)) if machine_type(decl.ty).is_some() => {
                let to = self.home_address(local);
                self.store(value, to);
            }
            (Home::Memory(..), Some(from)) if self.frame.offset(local).is_some() => {
                let to = self.home_address(local);
                self.copy(to, trusted(from), self.size(decl.ty));
            }
            _ => {}
        }
    }

    fn home(&mut self, local: Local, incoming: Option<Value>) -> Home {
        let decl = &self.body.locals[local];
        match machine_type(decl.ty) {
            Some(ty) if !decl.in_memory => return Home::Value(self.b.declare_var(ty)),
            None if decl.ty.is_unit() => return Home::Absent,
            _ => {}
        }
        if let Some(base) = self.frame_base
            && let Some(at) = self.frame.locals.iter().find(|at| at.local as usize == index_of(local))
        {
            return Home::Memory(Base::Value(base), at.offset as i32);
        }
        let is_result = index_of(local) == Body::RESULT as usize;
        let given = if is_result { self.result_address } else { incoming };
        match given {
            Some(address) if decl.ty.is_aggregate() => Home::Memory(Base::Value(address), 0),
            _ => self.memory_home(decl.ty),
        }
    }

    /// Pushes the block on the data stack, with its header. In a function with a polled loop it is all zero; else only
    /// what a reload goes by is, for such functions are called often.
    fn push_frame(&mut self, descriptor: u32) {
        let top = self.load(types::I64, self.context(offsets::DATA_TOP));
        self.check_room(top);
        let header = u64::from(FRAME_BLOCK_HEADER);
        // Without a region: the bytes belong to the regions of the locals.
        let block = Address { region: Region::Any, ..trusted(top) };
        if self.body.loops.iter().any(|info| info.polled) {
            self.zero(block.plus(header), u64::from(self.frame.size) - header);
        } else {
            for local in self.frame.locals.clone() {
                for (from, bytes) in self.env.layouts.roots(local.ty) {
                    self.zero(block.plus(u64::from(local.offset + from)), u64::from(bytes));
                }
            }
        }
        self.own_block(top, descriptor);
        self.name_cleanup();
    }

    /// Traps if the data stack has no room for the block there.
    pub(crate) fn check_room(&mut self, block: Value) {
        let end = self.load(types::I64, self.context(offsets::DATA_END));
        let room = self.b.ins().isub(end, block);
        let needed = self.b.ins().iconst(types::I64, i64::from(self.frame.size));
        let full = self.b.ins().icmp(IntCC::UnsignedLessThan, room, needed);
        self.b.ins().trapnz(full, trap_code(Trap::StackOverflow));
    }

    /// Writes behind the locals what cleans up should a trap end this call.
    pub(crate) fn name_cleanup(&mut self) {
        if let (Some(base), true) = (self.frame_base, self.frame.cleanup) {
            let signature = || tail_signature(&AbiSignature::default());
            // Code refers to code of its own unit by distance: it does not run where it is written.
            let cleanup = self.symbols.function(Import::Cleanup(self.body.instance), true, signature, self.b.func);
            let code = self.b.ins().func_addr(types::I64, cleanup);
            self.store(code, trusted(base).plus(u64::from(self.frame.size - 8)));
        }
    }

    /// Writes the header of the block and the end of the data stack behind it.
    pub(crate) fn own_block(&mut self, block: Value, descriptor: u32) {
        let frame_pointer = self.b.ins().get_frame_pointer(types::I64);
        let flag = if self.frame.cleanup { CLEANUP } else { 0 };
        let word = FrameBlock::header_word(descriptor | flag, self.frame.size);
        let word = self.b.ins().iconst(types::I64, word as i64);
        self.store(frame_pointer, trusted(block));
        self.store(word, trusted(block).plus(8));
        let above = self.b.ins().iadd_imm_s(block, i64::from(self.frame.size));
        self.store(above, self.context(offsets::DATA_TOP));
        self.frame_base = Some(block);
    }

    /// A field of the call context.
    pub(crate) fn context(&self, offset: i32) -> Address {
        Address { base: Base::Value(self.ctx), offset: i64::from(offset), region: Region::Context, faults: false }
    }

    /// Returns, after giving the data stack back.
    pub(crate) fn return_(&mut self) {
        let local = self.body.local(Body::RESULT);
        let ty = self.body.locals[local].ty;
        let result = machine_type(ty).filter(|_| self.body.cleans.is_none()).map(|_| self.local_value(local));
        if let Some(base) = self.frame_base {
            if let Some(to) = self.result_address.filter(|_| self.frame.offset(local).is_some()) {
                let from = self.home_address(local);
                self.copy(trusted(to), from, self.size(ty));
            }
            self.store(base, self.context(offsets::DATA_TOP));
        }
        self.b.ins().return_(result.as_slice());
    }
}

/// Memory that a caller or the runtime vouches for.
pub(crate) fn trusted(address: Value) -> Address {
    Address { faults: false, ..Address::pointer(address) }
}
