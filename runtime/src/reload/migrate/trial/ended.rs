//! Copies of somebody else's values, in frames, that have ended with those.

use vaisjit_codegen::clif::frame::FrameLocal;

use super::{Local, Migration};
use crate::heap::Heap;

impl Migration {
    /// Does a copy of somebody else's value lead to what is there no more? Then it is one that has ended: its frame will not
    /// read it again.
    pub(super) fn has_ended(&self, heap: &Heap, local: &Local, variable: &FrameLocal) -> bool {
        if !variable.loan || self.planner.references_before(variable.ty).is_empty() {
            return false;
        }
        let of = heap.type_of(variable.ty, &|ty| self.planner.old.shape(ty));
        local.place(variable).is_some_and(|at| !heap.is_whole(at, of))
    }
}
