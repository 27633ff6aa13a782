//! What is left on a program's heap when it has ended.

use std::sync::atomic::Ordering;

use vaisjit_codegen::shape::shape;
use vaisjit_semantics::{ItemPath, Ty};

use super::Program;
use crate::engine::Error;
use crate::heap::HeapReport;

impl Program {
    /// Looks for values that nobody gave up. To be called once, after `main` has returned and while no thread is in the
    /// program: all global variables give up their values and are zero afterwards; what still lives is told.
    ///
    /// An error means that nothing can be told: a thread is in the program, or a call has ended with a trap (`exit` is
    /// one too), which gives up nothing.
    pub fn heap_check(&self) -> Result<HeapReport, Error> {
        let inner = &self.inner;
        if inner.world.is_active() {
            return Err(Error::Other("the program is running".to_owned()));
        }
        if inner.control.unwound.load(Ordering::SeqCst) {
            return Err(Error::Other("a call has ended without giving up its values".to_owned()));
        }
        let live = inner.live();
        let shape = |ty: Ty| shape(ty, &live.checked, &*live.layouts);
        let linkage = inner.linkage();
        let globals: Vec<(ItemPath, Ty)> = live.globals.iter().map(|(path, global)| (*path, global.ty)).collect();
        for (path, ty) in globals {
            if let Some(memory) = linkage.global(path) {
                inner.world.heap().clear_global(memory.address(), ty, &shape).map_err(Error::Other)?;
            }
        }
        inner.world.heap().clear_attic();
        Ok(inner.world.heap().report())
    }
}
