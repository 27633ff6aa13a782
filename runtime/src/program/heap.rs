//! What is left on a program's heap when it has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vaisjit_semantics::{ItemPath, Ty};

use super::{Program, ProgramInner};
use crate::code::{SafepointKind, Stopped};
use crate::engine::Error;
use crate::heap::HeapReport;
use crate::shapes::AllShapes;

impl Program {
    /// Looks for values that nobody gave up. To be called once, after `main` has returned and while no thread is in the
    /// program: all global variables give up their values and are zero afterwards; what still lives is told.
    ///
    /// What calls held that a trap has ended (`exit` is one too) is freed first, and with it whatever else nothing leads to.
    ///
    /// An error means that nothing can be told: a thread is in the program, or a call has ended with a trap and there are
    /// counted values in memory that is not the program's own (`malloc`).
    pub fn heap_check(&self) -> Result<HeapReport, Error> {
        let inner = &self.inner;
        if inner.world.is_active() {
            return Err(Error::Other("the program is running".to_owned()));
        }
        let unwound = inner.control.unwound.load(Ordering::SeqCst);
        if unwound && !inner.free_abandoned() {
            return Err(Error::Other("a call has ended without giving up its values".to_owned()));
        }
        let live = inner.live();
        let shapes = AllShapes::of(&live);
        let shape = |ty: Ty| shapes.get(ty);
        let linkage = inner.linkage();
        let globals: Vec<(ItemPath, Ty)> = live.globals.iter().map(|(path, global)| (*path, global.ty)).collect();
        for (path, ty) in globals {
            if let Some(memory) = linkage.global(path) {
                inner.world.heap().clear_global(memory.address(), ty, &shape).map_err(Error::Other)?;
            }
        }
        inner.world.heap().clear_attic();
        drop((live, linkage));
        if unwound {
            // What a global shared with such a call was counted once too often.
            inner.free_abandoned();
        }
        Ok(inner.world.heap().report())
    }
}

impl Program {
    /// For tests: stops the threads and looks whether all values are whole, gives what is wrong, a sentence each. Exact
    /// only while no thread is in the program, for what stacks hold is not looked at, and before the first trap.
    #[doc(hidden)]
    pub fn heap_verify(&self) -> Vec<String> {
        let inner = self.inner.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        let ticket = self.inner.world.run_at_safepoint(SafepointKind::Commit, move |stopped| {
            let _ = sender.send(inner.verify(stopped));
        });
        while ticket.wait(Duration::from_secs(1)).is_none() {}
        receiver.try_recv().unwrap_or_default()
    }
}

impl ProgramInner {
    fn verify(&self, stopped: &Stopped<'_>) -> Vec<String> {
        let (live, linkage) = (self.live(), self.linkage());
        let memory = self.world.heap().memory(stopped);
        let shapes = AllShapes::of(&live);
        let shape = |ty: Ty| shapes.get(ty);
        let (mut roots, mut wrong) = (Vec::new(), Vec::new());
        for (path, global) in &live.globals {
            let Some(place) = linkage.global(*path) else { continue };
            let (of, name) = (memory.record(global.ty, &shape), format!("global `{}`", path.name));
            match shapes.get(global.ty).layout.size as usize {
                size if size > place.size() => wrong.push(format!("{name} has {} bytes of {size}", place.size())),
                _ => roots.push((place.address(), of, name)),
            }
        }
        let exact = !stopped.is_active() && !self.control.unwound.load(Ordering::SeqCst);
        wrong.extend(memory.verify(&roots, exact));
        wrong
    }

    /// After a trap: frees what the call held, if there is much on the heap.
    pub fn after_trap(&self) {
        if !self.world.is_active() && self.world.heap().has_grown() && self.control.is_loaded() {
            self.free_abandoned();
        }
    }

    /// The same before a thread waits in a failed call for a new version; so that what the call held is in the way of no
    /// later save, even if there is little.
    pub fn before_wait(&self) {
        let heap = self.world.heap();
        if (heap.has_grown() || heap.is_soon_traced()) && self.control.is_loaded() {
            self.free_abandoned();
        }
    }

    /// May a failed call have left anything that can be found, as no thread of the program's own is going on?
    pub(super) fn has_abandoned(&self) -> bool {
        self.control.unwound.load(Ordering::SeqCst) && self.threads.have_ended()
    }

    /// The same while the threads are stopped: true if anything was freed.
    pub(super) fn free_abandoned_now(&self, stopped: &Stopped<'_>) -> bool {
        if !self.has_abandoned() {
            return false;
        }
        let heap = self.world.heap();
        let stacks = stopped.words_of_waiting(|word| heap.is_near(word));
        stacks.and_then(|stacks| heap.free_unreached(stacks)).is_some_and(|freed| freed > 0)
    }

    /// Frees what nothing leads to, at once if no thread is in the program but those that wait in failed calls. False if that
    /// cannot be done.
    pub(super) fn free_abandoned(&self) -> bool {
        if self.world.acts_here() || !self.threads.have_ended() {
            return false;
        }
        let heap = self.world.heap().clone();
        let freed = Arc::new(AtomicBool::new(false));
        let done = freed.clone();
        let ticket = self.world.run_at_safepoint(SafepointKind::Sweep, move |stopped| {
            let stacks = stopped.words_of_waiting(|word| heap.is_near(word));
            done.store(stacks.is_some_and(|stacks| heap.free_unreached(stacks).is_some()), Ordering::SeqCst);
        });
        // Another thread may have come in meanwhile: it is not waited for.
        if !ticket.cancel() {
            while ticket.wait(Duration::from_secs(1)).is_none() {}
        }
        freed.load(Ordering::SeqCst)
    }
}
