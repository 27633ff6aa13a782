//! What may be done while all threads of a world are stopped: look at their stacks, and free code none of them needs.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use vaisjit_abi::context::{AT_POLL, FrameBlock, IN_HEAP};

use super::cleanup;
use super::thread::ThreadRecord;
use super::unit::CodeUnit;
use super::walk;
use super::world::{Shared, lock};

/// All threads of a world, stopped; handed to the action of a safepoint request.
pub struct Stopped<'a> {
    shared: &'a Shared,
    threads: Vec<Arc<ThreadRecord>>,
    relaxed: bool,
    waited: Duration,
}

/// One activation of a generated function on a stopped thread.
#[derive(Clone, Copy, Debug)]
pub struct StoppedFrame<'a> {
    /// Which thread: an index, the same during one stop.
    pub thread: usize,
    /// The code it runs.
    pub unit: &'a CodeUnit,
    /// Which function of the unit.
    pub function: usize,
    /// Does its thread stand at its own poll?
    pub polls: bool,
    /// The call it waits in.
    pub srcloc: u32,
    /// Its frame pointer.
    pub frame_pointer: usize,
    /// Its block on the data stack.
    pub block: Option<DataBlock>,
}

/// A block on a data stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataBlock {
    /// Frame pointer of its activation.
    pub frame_pointer: usize,
    /// Number of its layout in its code version.
    pub descriptor: u32,
    /// Size with the header.
    pub size: u32,
    /// Where the block starts, header included.
    pub address: usize,
}

impl<'a> Stopped<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        threads: Vec<Arc<ThreadRecord>>,
        relaxed: bool,
        waited: Duration,
    ) -> Stopped<'a> {
        Stopped { shared, threads, relaxed, waited }
    }

    pub(super) fn shared(&self) -> &Shared {
        self.shared
    }

    pub(super) fn threads(&self) -> &[Arc<ThreadRecord>] {
        &self.threads
    }

    /// Were threads stopped inside inner loops, because the request had waited long?
    pub fn relaxed(&self) -> bool {
        self.relaxed
    }

    /// How long the request has waited for the threads.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Visits every generated frame of every thread, innermost first.
    pub fn walk(&self, mut visit: impl FnMut(&StoppedFrame<'_>)) {
        for (thread, record) in self.threads.iter().enumerate() {
            let blocks = blocks(record);
            let mut polls = record.state().load(Ordering::Acquire) == AT_POLL;
            walk::stopped_thread(record, |found, frame| {
                // SAFETY: the frame is on the stack of a stopped thread.
                let unit = unsafe { found.unit() };
                let srcloc = unit.location(found.function, found.offset);
                let frame_pointer = frame.frame_pointer;
                let block = blocks.iter().rev().find(|block| block.frame_pointer == frame_pointer).copied();
                let function = unit.stands_for(found.function);
                visit(&StoppedFrame { thread, unit, function, polls, srcloc, frame_pointer, block });
                polls = false;
                ControlFlow::Continue(())
            });
        }
    }

    /// Is a thread in the program, waiting somewhere?
    pub fn is_active(&self) -> bool {
        self.threads.iter().any(|record| record.is_active())
    }

    /// Every word of every stack that a running function may have put there, innermost first: whatever it holds on to
    /// while it waits lies in its frames, for calls keep nothing in registers.
    pub fn words(&self, mut visit: impl FnMut(usize)) {
        for record in self.threads.iter().filter(|record| record.is_active()) {
            let exit = record.exit_fp().load(Ordering::Acquire) & !IN_HEAP;
            let data = record.data_base()..record.data_top().load(Ordering::Acquire);
            let machine = exit.next_multiple_of(8)..record.bounds.high;
            for address in machine.step_by(8).filter(|at| record.bounds.holds_word(*at)).chain(data.step_by(8)) {
                // SAFETY: a word of a stack of a stopped thread, above its stack pointer; it is only looked at.
                visit(unsafe { (address as *const usize).read_volatile() });
            }
        }
    }

    /// Every block on every data stack, with the index of its thread, outermost first.
    pub fn blocks(&self) -> Vec<(usize, DataBlock)> {
        let numbered = self.threads.iter().enumerate();
        numbered.flat_map(|(thread, record)| blocks(record).into_iter().map(move |block| (thread, block))).collect()
    }

    /// Which of these units no stack reaches.
    pub fn quiescent(&self, units: &[Arc<CodeUnit>]) -> Vec<bool> {
        let reached = self.reached();
        units.iter().map(|unit| !reached.contains(&Arc::as_ptr(unit))).collect()
    }

    /// Frees the retired code that nothing reaches any more: no stack, and no other unit or trap. Returns how many units
    /// were freed and how many are left.
    pub fn sweep(&self) -> (usize, usize) {
        let reached = self.reached();
        lock(&self.shared.followers).keep(&|unit| reached.contains(&unit));
        let mut units = std::mem::take(&mut *lock(&self.shared.retired));
        let before = units.len();
        loop {
            let count = units.len();
            // A unit that another one calls directly has a second owner and waits for it. When the last share is in the
            // list, nobody can take another one: not from the registry either, as no stack holds an address in it.
            units.retain(|unit| reached.contains(&Arc::as_ptr(unit)) || Arc::strong_count(unit) > 1);
            if units.len() == count {
                break;
            }
        }
        let left = units.len();
        lock(&self.shared.retired).append(&mut units);
        (before - left, left)
    }

    fn reached(&self) -> HashSet<*const CodeUnit> {
        let mut reached = HashSet::new();
        self.walk(|frame| {
            reached.insert(std::ptr::from_ref(frame.unit));
        });
        reached
    }
}

/// The blocks on the data stack of a stopped thread.
fn blocks(record: &ThreadRecord) -> Vec<DataBlock> {
    let mut blocks = Vec::new();
    if !record.is_active() {
        return blocks;
    }
    let top = record.data_top().load(Ordering::Acquire);
    // SAFETY: the thread is stopped.
    for (address, header) in unsafe { cleanup::blocks(record.data_base(), top) } {
        let FrameBlock { frame_fp, descriptor, size } = header;
        blocks.push(DataBlock { frame_pointer: frame_fp, descriptor, size, address });
    }
    blocks
}
