//! Which memory is the program's own: only there does a raw pointer lead to counted values.

use vaisjit_abi::CallContext;
use vaisjit_semantics::Ty;

use super::Heap;
use super::types::ShapeOf;
use crate::code::stack_holds;

impl Heap {
    /// Gives up the value of this type in memory of C's that belongs to the caller, and that memory. While no other thread
    /// runs the program.
    pub(crate) fn free_cell(&self, cell: usize, ty: Ty, shape: &ShapeOf<'_>) {
        // What cannot be given up is left.
        let _ = self.clear_global(cell, ty, shape);
        // SAFETY: by the rule above, and `malloc` has made it.
        unsafe { libc::free(cell as *mut libc::c_void) };
    }

    /// Is an address in a live block, on one of the calling thread's stacks, or in a global variable?
    ///
    /// # Safety
    /// `context` is that of the heap function that is going on.
    pub(super) unsafe fn owns(&self, context: *mut CallContext, address: usize) -> bool {
        if self.is_near(address) {
            return self.is_inside(address);
        }
        // SAFETY: by the promise above.
        let on_stack = unsafe { stack_holds(context, address) };
        on_stack || self.is_global(address)
    }
}
