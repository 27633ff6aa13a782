//! What the locals of a body are to its machine code: which have an address that somebody else may know.

use cranelift::prelude::Variable;
use vaisjit_semantics::hir::CastKind;

use super::place::{Base, Region, index_of};
use crate::mir::{Body, Call, Local, Operand, Place, PlaceBase, Rvalue, StatementKind};

/// Where a local is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Home {
    /// A scalar in registers.
    Value(Variable),
    /// Memory.
    Memory(Base, i32),
    /// Unit: nowhere.
    Absent,
}

/// Facts about the locals of a body.
pub(crate) struct Locals {
    /// Its address is taken by the body itself.
    taken: Vec<bool>,
    /// Inlined code may reach it under another name.
    shared: Vec<bool>,
}

impl Locals {
    /// Looks through a body. With `inlining`, what is passed by address is known to the callee.
    pub(crate) fn of(body: &Body, inlining: bool) -> Locals {
        let mut locals = Locals { taken: vec![false; body.locals.len()], shared: vec![false; body.locals.len()] };
        if inlining {
            locals.shared[..=body.params as usize].fill(true);
        }
        for (_, block) in body.blocks.iter() {
            for statement in &block.statements {
                match &statement.kind {
                    StatementKind::Assign(_, Rvalue::AddressOf(place)) => locals.take(place),
                    StatementKind::Assign(
                        _,
                        Rvalue::Cast(CastKind::ArrayToPointer | CastKind::ArrayToSlice, Operand::Copy(place), _),
                    ) => locals.take(place),
                    StatementKind::Call(call) if inlining => locals.share_call(call),
                    _ => {}
                }
            }
        }
        locals
    }

    fn take(&mut self, place: &Place) {
        if let PlaceBase::Local(local) = place.base {
            self.taken[index_of(local)] = true;
        }
    }

    fn share(&mut self, place: &Place) {
        if let PlaceBase::Local(local) = place.base {
            self.shared[index_of(local)] = true;
        }
    }

    fn share_call(&mut self, call: &Call) {
        for argument in &call.arguments {
            if let Operand::Copy(place) = argument
                && place.ty.is_aggregate()
            {
                self.share(place);
            }
        }
        if let Some(place) = &call.result
            && place.ty.is_aggregate()
        {
            self.share(place);
        }
    }

    /// May a pointer hold its address?
    pub(crate) fn taken(&self, local: Local) -> bool {
        self.taken[index_of(local)]
    }

    /// The alias region of a local in memory.
    pub(crate) fn region(&self, local: Local) -> Region {
        let index = index_of(local);
        if self.taken[index] || self.shared[index] { Region::Shared } else { Region::Private(index as u32) }
    }
}
