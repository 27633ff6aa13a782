//! Counting references: one word inline, with calls only for counts that are shared and for the last reference; whatever
//! holds several through the runtime, which knows the type.

use cranelift::prelude::*;
use cranelift_codegen::ir::MemFlagsData;
use smallvec::SmallVec;
use vaisjit_abi::heap::{CLOSURE_TAG, COUNT_OFFSET};
use vaisjit_abi::string::IMMORTAL;
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::Translator;
use crate::host_calls::{HEAP_COUNT_DOWN, HEAP_COUNT_UP, HEAP_RELEASE, HEAP_RELEASE_CHECKED, HEAP_RETAIN};
use crate::info::warm;
use crate::link::{Import, ThunkTarget};
use crate::mir::Place;
use crate::thunks::{AbiSignature, AbiType};

/// More references or fewer.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    Retain,
    Release,
}

impl Translator<'_, '_> {
    /// One more reference to everything in a place.
    pub(crate) fn retain(&mut self, place: &Place) {
        self.count(place, Change::Retain, HEAP_RETAIN);
    }

    /// One reference less to everything in a place.
    pub(crate) fn release(&mut self, place: &Place, checked: bool) {
        if checked {
            return self.count_by_type(place, HEAP_RELEASE_CHECKED);
        }
        self.count(place, Change::Release, HEAP_RELEASE);
    }

    fn count(&mut self, place: &Place, change: Change, by_type: &str) {
        match place.ty.kind() {
            TyKind::Str | TyKind::Vec(_) | TyKind::HashMap(..) | TyKind::Box(_) | TyKind::Dyn(_) => {
                let payload = self.read(place);
                let done = self.b.create_block();
                self.count_payload(payload, change, done);
                self.go_on(done);
            }
            TyKind::Function(..) => {
                let value = self.read(place);
                let tag = self.b.ins().band_imm_u(value, CLOSURE_TAG);
                let (closure, done) = (self.b.create_block(), self.b.create_block());
                self.b.ins().brif(tag, closure, &[], done, &[]);
                self.go_on(closure);
                let payload = self.b.ins().iadd_imm_s(value, -CLOSURE_TAG);
                self.count_payload(payload, change, done);
                self.go_on(done);
            }
            _ => self.count_by_type(place, by_type),
        }
    }

    /// Calls a function of the runtime with the place's address and type.
    fn count_by_type(&mut self, place: &Place, function: &str) {
        if place.ty.is_unit() {
            return;
        }
        let address = self.address(place);
        let address = self.address_value(address);
        let ty: Ty = place.ty;
        let record = self.data_address(Import::Type(ty));
        self.call_heap(function, &[address, record]);
    }

    /// Counts a payload that may be null, and ends in `done`.
    fn count_payload(&mut self, payload: Value, change: Change, done: Block) {
        let [some, plain, other, call] = std::array::from_fn(|_| self.b.create_block());
        self.b.ins().brif(payload, some, &[], done, &[]);
        self.go_on(some);
        // It may be a wild address: it may fault.
        let count = self.b.ins().load(types::I64, MemFlagsData::new(), payload, COUNT_OFFSET);
        let (least, step) = if change == Change::Retain { (0, 1) } else { (1, -1) };
        let is_plain = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, count, least);
        self.b.ins().brif(is_plain, plain, &[], other, &[]);
        self.go_on(plain);
        let changed = self.b.ins().iadd_imm_s(count, step);
        self.b.ins().store(MemFlagsData::new(), changed, payload, COUNT_OFFSET);
        self.b.ins().jump(done, &[]);
        self.enter_cold(other);
        let is_immortal = self.b.ins().icmp_imm_s(IntCC::Equal, count, IMMORTAL);
        self.b.ins().brif(is_immortal, done, &[], call, &[]);
        self.enter_cold(call);
        self.call_heap(if change == Change::Retain { HEAP_COUNT_UP } else { HEAP_COUNT_DOWN }, &[payload]);
        self.b.ins().jump(done, &[]);
        self.b.set_srcloc(warm(self.b.srcloc()));
    }

    /// Calls a heap function that takes words and returns nothing.
    fn call_heap(&mut self, name: &str, arguments: &[Value]) {
        let abi = AbiSignature { params: SmallVec::from_elem(AbiType::I64, arguments.len()), result: None };
        let thunk = self.thunk(ThunkTarget::Host(Name::new(name)), abi);
        let mut all: SmallVec<[Value; 4]> = SmallVec::from_slice(&[self.ctx]);
        all.extend_from_slice(arguments);
        self.b.ins().call(thunk, &all);
    }

    /// Goes on in a block that gets no further predecessors.
    pub(crate) fn go_on(&mut self, block: Block) {
        self.b.switch_to_block(block);
        self.b.seal_block(block);
    }
}
