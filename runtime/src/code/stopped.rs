//! What may be done while all threads of a world are stopped: look at their stacks, and free code none of them needs.

use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use vaisjit_abi::context::{AT_POLL, FRAME_BLOCK_HEADER, FrameBlock, IN_HEAP};
use vaisjit_codegen::info::Saved;

use super::beside::Grown;
use super::cleanup;
use super::guard;
use super::rendezvous::{Level, level};
use super::thread::{Repair, ThreadRecord};
use super::unit::CodeUnit;
use super::waiting::Waiting;
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
    /// What that poll hands over; 0 if the frame is not at one.
    pub spill: usize,
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

    /// The threads that stand in the middle of a turn of their outermost loops.
    pub fn in_the_middle(&self) -> Vec<usize> {
        let numbered = self.threads.iter().enumerate();
        numbered.filter(|(_, record)| level(&***record) == Level::Inner).map(|(thread, _)| thread).collect()
    }

    /// How long the request has waited for the threads.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Visits every generated frame of every thread, innermost first.
    pub fn walk(&self, mut visit: impl FnMut(&StoppedFrame<'_>)) {
        for (thread, record) in self.threads.iter().enumerate() {
            // The innermost of a frame stays.
            let blocks: HashMap<usize, DataBlock> =
                blocks(record).into_iter().map(|block| (block.frame_pointer, block)).collect();
            let mut polls = record.state().load(Ordering::Acquire) == AT_POLL;
            walk::stopped_thread(record, |found, frame| {
                // SAFETY: the frame is on the stack of a stopped thread.
                let unit = unsafe { found.unit() };
                let srcloc = unit.location(found.function, found.offset);
                let frame_pointer = frame.frame_pointer;
                let block = blocks.get(&frame_pointer).copied();
                let function = unit.stands_for(found.function);
                let spill = if polls { record.spill.load(Ordering::Acquire) } else { 0 };
                visit(&StoppedFrame { thread, unit, function, polls, spill, srcloc, frame_pointer, block });
                polls = false;
                ControlFlow::Continue(())
            });
        }
    }

    /// What a thread waits for in a call that has failed, if it does.
    pub fn repair(&self, thread: usize) -> Option<Repair> {
        lock(&self.threads.get(thread)?.repair).clone()
    }

    /// A thread as one that a commit has to wait for.
    pub fn waiting(&self, thread: usize) -> Option<Waiting> {
        self.threads.get(thread).map(|record| Waiting::of(record))
    }

    /// The same, wanted at the poll of a frame.
    pub fn waiting_for(&self, thread: usize, frame_pointer: usize) -> Option<Waiting> {
        self.threads.get(thread).map(|record| Waiting::for_frame(record, frame_pointer))
    }

    /// Is a thread in the program, waiting somewhere?
    pub fn is_active(&self) -> bool {
        self.threads.iter().any(|record| record.is_active())
    }

    /// The words on the machine stacks that nobody knows the types of, and those of blocks on data stacks that are not
    /// `known`: where they lie, and the frame pointer they belong to (0 if the frame is not the program's). Words of the frames in `left`
    /// do not count: what these hold goes on elsewhere. What such a frame may have saved for its callers counts, but for
    /// the words given with it.
    pub fn words(&self, known: &HashSet<usize>, left: &HashMap<usize, Vec<usize>>, mut visit: impl FnMut(StackWord)) {
        for record in self.threads.iter().filter(|record| record.is_active()) {
            let exit = record.exit_fp().load(Ordering::Acquire) & !IN_HEAP;
            let saved = saved_registers(record, exit);
            let frames = frames(record, exit, saved.start);
            let machine = saved.chain(exit.next_multiple_of(8)..record.bounds.high);
            for address in machine.step_by(8).filter(|at| record.bounds.holds_word(*at)) {
                let after = frames.partition_point(|frame| frame.low <= address);
                let frame = after.checked_sub(1).map(|at| &frames[at]).filter(|frame| address < frame.high);
                let owner = frame.map_or(0, |frame| frame.pointer);
                // SAFETY: a word of a stack of a stopped thread, at or above its exit thunk's frame; it is only looked at.
                let word = unsafe { (address as *const usize).read_volatile() };
                let own =
                    |frame: &Words| left.get(&owner).is_some_and(|own| frame.owns(address) || own.contains(&word));
                if !frame.is_some_and(own) {
                    visit(StackWord { at: address, word, owner });
                }
            }
            for block in blocks(record).into_iter().filter(|block| !known.contains(&block.address)) {
                let words = block.address + FRAME_BLOCK_HEADER as usize..block.address + block.size as usize;
                for address in words.step_by(8) {
                    // SAFETY: a word of a block on the data stack of a stopped thread; it is only looked at.
                    let word = unsafe { (address as *const usize).read_volatile() };
                    visit(StackWord { at: address, word, owner: block.frame_pointer });
                }
            }
        }
    }

    /// All words of their stacks that are `wanted`, if every thread in the program waits in a failed call for a new version:
    /// the call was given up, so all that is still needed lies in the frames further out.
    pub fn words_of_waiting(&self, wanted: impl Fn(usize) -> bool) -> Option<Vec<usize>> {
        let mut words = Vec::new();
        for record in self.threads.iter().filter(|record| record.is_active()) {
            let low = guard::waits_at(record).filter(|low| record.bounds.holds_word(*low))?;
            if !record.stale.has_none_beside() {
                return None;
            }
            let machine = (low..record.bounds.high).step_by(8).filter(|at| record.bounds.holds_word(*at));
            let data = (record.data_base()..record.data_top().load(Ordering::Acquire)).step_by(8);
            // SAFETY: words of the stacks of a stopped thread, from the frame it waits in upwards; they are only looked at.
            let all = machine.chain(data).map(|at| unsafe { (at as *const usize).read_volatile() });
            words.extend(all.filter(|word| wanted(*word)));
        }
        Some(words)
    }

    /// Does an address lie on a stack of the program?
    pub fn is_on_stack(&self, address: usize) -> bool {
        self.threads.iter().any(|record| {
            (record.bounds.low..record.bounds.high).contains(&address)
                || (record.data_base()..record.data_end()).contains(&address)
        })
    }

    /// Where the block of a frame may grow to: the end of its thread's data stack.
    pub fn data_end(&self, thread: usize) -> usize {
        self.threads.get(thread).map_or(0, |record| record.data_end())
    }

    /// Takes over the locals that a frame's block has no room for, as its follower looks for them.
    pub(crate) fn set_grown(&self, thread: usize, frame_pointer: usize, grown: Option<Grown>) {
        if let Some(record) = self.threads.get(thread) {
            record.stale.set_grown(frame_pointer, grown);
        }
    }

    /// Where the locals of a frame lie now that its block has no room for, by their offsets in the block.
    pub fn grown(&self, frame: &StoppedFrame<'_>) -> Vec<(u32, usize)> {
        let of = (std::ptr::from_ref(frame.unit) as usize, frame.function);
        let record = self.threads.get(frame.thread);
        record.map_or_else(Vec::new, |record| record.stale.grown_places(frame.frame_pointer, of))
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
        let (mut reached, mut last) = (HashSet::new(), std::ptr::null());
        for record in &self.threads {
            walk::stopped_thread(record, |found, _| {
                // SAFETY: the frame is on the stack of a stopped thread.
                let unit = std::ptr::from_ref(unsafe { found.unit() });
                // A recursion is as deep as it is; it is the same unit again and again.
                if std::mem::replace(&mut last, unit) != unit {
                    reached.insert(unit);
                }
                ControlFlow::Continue(())
            });
        }
        reached
    }
}

/// A word on a stack that nobody knows the type of.
#[derive(Clone, Copy)]
pub struct StackWord {
    /// Where it lies.
    pub at: usize,
    /// What it is.
    pub word: usize,
    /// The frame pointer of the frame it belongs to; 0 if that is not the program's.
    pub owner: usize,
}

/// Bytes below the frame pointer of a thunk in which it saves registers of its callers: five or ten, and what aligns them.
const SAVED_REGISTERS: usize = if cfg!(target_arch = "x86_64") { 6 * 8 } else { 10 * 8 };
/// How many registers a callee has to save that may hold addresses.
const CALLEE_SAVED: u32 = if cfg!(target_arch = "x86_64") { 5 } else { 10 };
/// Their numbers, in the order in which a thunk saves them; nothing where that is not known.
const SAVED_ORDER: &[u32] = if cfg!(target_arch = "x86_64") { &[3, 12, 13, 14, 15] } else { &[] };

/// The words of a frame.
struct Words {
    low: usize,
    /// Where its own words start, behind the registers that an exit thunk has saved.
    low_own: usize,
    high: usize,
    /// Its frame pointer.
    pointer: usize,
    /// Has it callers among the program's functions, for which it may have saved registers?
    is_called: bool,
    /// What it has saved.
    saved: Saved,
}

impl Words {
    /// Has it saved what its callers keep in a register, as the thunk has saved that one at this place? Then it uses it for
    /// its own.
    fn has_saved(&self, place: usize) -> bool {
        let register = SAVED_ORDER.get(place).is_some_and(|number| self.saved.registers & (1 << number) != 0);
        register || self.saved.registers.count_ones() >= CALLEE_SAVED
    }

    /// Is the word there none that is kept for a caller?
    fn owns(&self, address: usize) -> bool {
        let is_behind = address >= self.low_own || self.has_saved((address - self.low) / 8);
        !self.is_called || is_behind && address + (self.saved.bytes as usize) < self.pointer
    }
}

/// Where the thunk that a thread has left the program by has saved the registers of its callers. At a poll that is not the
/// safepoint thunk itself: what that saves is the polling function's own, which has handed over what it still needs.
fn saved_registers(record: &ThreadRecord, exit: usize) -> Range<usize> {
    let polls = record.state().load(Ordering::Acquire) == AT_POLL;
    let end = if polls { record.kept.load(Ordering::Acquire) } else { exit };
    end.saturating_sub(SAVED_REGISTERS).next_multiple_of(8)..end
}

/// The frames of a thread, innermost first. The registers that its exit thunk has saved are the innermost frame's.
fn frames(record: &ThreadRecord, exit: usize, saved: usize) -> Vec<Words> {
    let mut frames: Vec<Words> = Vec::new();
    walk::stopped_thread(record, |found, frame| {
        let follows = frames.last().is_some_and(|inner| inner.high + 16 == frame.low);
        if let Some(inner) = frames.last_mut().filter(|_| follows) {
            inner.is_called = true;
        }
        let (low, pointer) = (frame.low, frame.frame_pointer);
        // SAFETY: the frame is on the stack of a stopped thread.
        let saved = unsafe { found.unit() }.info(found.function).saved;
        frames.push(Words { low, low_own: low, high: pointer, pointer, is_called: false, saved });
        ControlFlow::Continue(())
    });
    if let Some(first) = frames.first_mut().filter(|first| first.low == exit + 16) {
        first.low = saved;
    }
    frames
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
