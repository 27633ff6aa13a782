//! Which memory is the program's own: only there does a raw pointer lead to counted values.

use vaisjit_abi::CallContext;

use super::Heap;
use crate::code::stack_holds;

impl Heap {
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
