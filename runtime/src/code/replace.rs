//! Loops that go on in other code: which code follows which, and how what a loop holds gets there.
//!
//! A commit leaves a table of followers and marks the threads whose stacks need one (`poll::STALE`). A marked thread looks
//! at each poll whether the frame that polls is one of those; if so, what it holds is brought to where the new code expects
//! it, and the frame goes on there. Frames further out follow at their own polls.

use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use vaisjit_abi::context::{FRAME_BLOCK_HEADER, FrameBlock, poll};
use vaisjit_codegen::resume::{BUFFER_BLOCK, BUFFER_RESULT, CarryHome, SPILL_RESULT};

use super::beside::{BesidePlace, Computed, Grown, WholeLocal};
use super::making::Making;
use super::registry::{Found, find};
use super::stopped::Stopped;
use super::thread::ThreadRecord;
use super::unit::CodeUnit;
use super::walk;
use super::world::{Shared, lock};
use crate::heap::TypeRef;
use crate::heap::migrate::{BatchKey, References};

/// A function of a unit: the unit's address and the function's index.
type Place = (usize, usize);

/// Code that follows other code at the poll of a loop.
pub(crate) struct Follower {
    /// The unit that is left.
    pub from: Weak<CodeUnit>,
    /// Which function of it.
    pub function: usize,
    /// Which loop, as an index of the body's loops.
    pub number: u32,
    /// The code that goes on, its first function; the follower keeps it alive.
    pub unit: Arc<CodeUnit>,
    /// What has to be done on the way.
    pub transfer: Transfer,
}

/// How the values of a loop get from one version of its function to another.
#[derive(Default, Clone)]
pub(crate) struct Transfer {
    /// In this order.
    pub steps: Vec<Step>,
    /// Where values lie in the old block that do not lie there in the new one: nothing may point at them.
    pub left: Vec<u32>,
    /// Bytes of the buffer that the new code reads.
    pub buffer: u32,
    /// Bytes of the old block on the data stack with its header, 0 for none.
    pub old_block: u32,
    /// Bytes of the new one; not less than the old one, unless it is 0.
    pub block: u32,
    /// Values that lie beside the block. Steps find them behind both blocks.
    pub beside: Vec<BesidePlace>,
    /// Those among them that are computed for each frame.
    pub computed: Vec<Computed>,
    /// Locals in parts that functions of the program migrate.
    pub whole: Vec<WholeLocal>,
    /// The steps where these have been put together.
    pub whole_steps: Vec<Step>,
}

impl Transfer {
    /// The first place behind both blocks.
    pub fn behind(&self) -> u32 {
        self.old_block.max(self.block)
    }
}

/// From the bytes of a value to those of another type, which owns what it refers to.
pub(crate) type Conversion = dyn Fn(&Making<'_>, &[u8], &mut [u8]) + Send + Sync;

/// One value on its way. `from` is a place the old code left, a `Word` in its spill area; `to` one where the new code looks,
/// a `Word` in the buffer.
#[derive(Clone)]
pub(crate) enum Step {
    /// The bytes as they are.
    Copy { from: CarryHome, to: CarryHome, size: u32 },
    /// Other bytes made of them. What they refer to belongs to the attic if the new code only borrows it (`lent`).
    Convert { from: (CarryHome, u32), to: (CarryHome, u32), by: Arc<Conversion>, lent: Option<References> },
    /// By way of a value of so many bytes that is only there meanwhile: the first steps put it together, as in the buffer;
    /// the others find it, and nothing else, as in the spill area.
    Through { size: u32, make: Vec<Step>, then: Vec<Step> },
    /// These bytes.
    Set { to: CarryHome, bytes: Box<[u8]> },
    /// A new empty `Vec` or `HashMap`; `lent` if the new code only borrows it.
    Empty { to: CarryHome, of: TypeRef, lent: bool },
    /// The new code gives up references that the old code only borrowed.
    Retain { from: CarryHome, of: TypeRef },
    /// The references in a value that has been brought to the place of a parked field go to the attic; `lent` if the old
    /// code only borrowed them.
    Park { at: CarryHome, references: References, batch: BatchKey, lent: bool },
    /// Nobody takes it over: its references are given up.
    Release { from: CarryHome, of: TypeRef },
}

impl Step {
    /// Does it take over what lies there?
    pub fn takes(&self, home: CarryHome) -> bool {
        match self {
            Step::Copy { from, .. } | Step::Convert { from: (from, _), .. } => *from == home,
            Step::Through { make, .. } => make.iter().any(|step| step.takes(home)),
            _ => false,
        }
    }
}

/// The followers of a world.
#[derive(Default)]
pub(super) struct Followers {
    by_place: HashMap<Place, Vec<Arc<Follower>>>,
}

/// The frames of a thread that may go on in other code. Changed by its own thread, or while that is stopped.
#[derive(Default)]
pub(super) struct Stale {
    /// Their frame pointers, outermost first.
    frames: Mutex<Vec<usize>>,
    /// The innermost of them; 0 for none.
    innermost: AtomicUsize,
    /// The loop without a follower that polled last: the innermost frame, if it is that one's, and its number. It need not
    /// look again.
    refused: (AtomicUsize, AtomicU32),
    /// What the new code reads at its start.
    buffer: Mutex<Vec<u128>>,
    /// What lies beside blocks, by frame pointer.
    grown: Mutex<HashMap<usize, Grown>>,
}

impl Followers {
    fn find(&self, place: Place, number: u32) -> Option<&Arc<Follower>> {
        self.by_place.get(&place)?.iter().find(|follower| follower.number == number)
    }

    fn insert(&mut self, follower: Follower) {
        let list = self.by_place.entry((follower.from.as_ptr() as usize, follower.function)).or_default();
        list.retain(|known| known.number != follower.number);
        list.push(Arc::new(follower));
    }

    /// Forgets the followers of code that no stack reaches any more.
    pub(super) fn keep(&mut self, reached: &dyn Fn(*const CodeUnit) -> bool) {
        self.by_place.retain(|(unit, _), _| reached(*unit as *const CodeUnit));
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.by_place.clear();
    }
}

impl Stale {
    /// Is a frame further in than all that may go on elsewhere?
    fn is_inside(&self, frame: usize) -> bool {
        frame < self.innermost.load(Ordering::Relaxed)
    }

    fn set(&self, frames: Vec<usize>) {
        self.refused.0.store(0, Ordering::Relaxed);
        self.innermost.store(frames.last().copied().unwrap_or(0), Ordering::Relaxed);
        *lock(&self.frames) = frames;
    }

    /// Forgets frames up to this one and says whether it was among them.
    fn take(&self, frame: usize) -> bool {
        let mut frames = lock(&self.frames);
        let mut found = false;
        while let Some(last) = frames.last().copied().filter(|last| *last <= frame) {
            found |= last == frame;
            frames.pop();
        }
        self.innermost.store(frames.last().copied().unwrap_or(0), Ordering::Relaxed);
        found
    }

    /// Has this loop of the innermost frame been found to have no follower?
    fn is_refused(&self, frame: usize, number: u32) -> bool {
        let (refused, of) = (self.refused.0.load(Ordering::Relaxed), self.refused.1.load(Ordering::Relaxed));
        refused == frame && of == number && self.innermost.load(Ordering::Relaxed) == frame
    }

    /// Another loop of the frame may have a follower.
    fn put_back(&self, frame: usize, number: u32) {
        self.refused.1.store(number, Ordering::Relaxed);
        self.refused.0.store(frame, Ordering::Relaxed);
        lock(&self.frames).push(frame);
        self.innermost.store(frame, Ordering::Relaxed);
    }

    pub(super) fn set_grown(&self, frame: usize, grown: Option<Grown>) {
        match grown {
            Some(grown) => _ = lock(&self.grown).insert(frame, grown),
            None => _ = lock(&self.grown).remove(&frame),
        }
    }

    /// Do locals of a frame lie elsewhere than in its block?
    pub(super) fn has_outgrown(&self, frame: usize) -> bool {
        lock(&self.grown).get(&frame).is_some_and(Grown::has_locals)
    }

    /// Does nothing lie beside blocks?
    pub(super) fn has_none_beside(&self) -> bool {
        lock(&self.grown).is_empty()
    }

    pub(super) fn grown_places(&self, frame: usize, of: Place) -> Vec<(u32, usize)> {
        lock(&self.grown).get(&frame).map_or_else(Vec::new, |grown| grown.locals(of).collect())
    }

    fn is_empty(&self) -> bool {
        self.innermost.load(Ordering::Relaxed) == 0
    }
}

impl Stopped<'_> {
    /// Takes followers into use, in the place of older ones of the same loops; no frame goes on from one of `gone` any
    /// more. Every frame that has a follower goes on there at its next poll.
    pub(crate) fn follow(&self, new: Vec<Follower>, gone: &[(usize, usize)]) {
        let mut followers = lock(&self.shared().followers);
        gone.iter().for_each(|place| _ = followers.by_place.remove(place));
        new.into_iter().for_each(|follower| followers.insert(follower));
        for record in self.threads() {
            let mut stale = Vec::new();
            walk::stopped_thread(record, |found, frame| {
                if followers.by_place.contains_key(&place_of(found)) {
                    stale.push(frame.frame_pointer);
                }
                std::ops::ControlFlow::Continue(())
            });
            stale.reverse();
            match stale.is_empty() {
                true => record.poll().fetch_and(!poll::STALE, Ordering::SeqCst),
                false => record.poll().fetch_or(poll::STALE, Ordering::SeqCst),
            };
            record.stale.set(stale);
        }
    }

    /// The code that frames of a function of a unit go on in from their next polls, with the numbers of the loops.
    pub(crate) fn next_code(&self, place: Place) -> Vec<(u32, Arc<CodeUnit>)> {
        let followers = lock(&self.shared().followers);
        let of = followers.by_place.get(&place);
        of.into_iter().flatten().map(|follower| (follower.number, follower.unit.clone())).collect()
    }
}

fn place_of(found: Found) -> Place {
    (found.unit_address(), found.function)
}

impl ThreadRecord {
    /// The thread has left its outermost activation.
    pub(super) fn forget_stale(&self) {
        self.stale.set(Vec::new());
        lock(&self.stale.grown).clear();
        self.poll().fetch_and(!poll::STALE, Ordering::SeqCst);
    }
}

impl Shared {
    /// At the poll of a loop, in the safepoint thunk of this thread, whose frame has been recorded: where the frame that
    /// polls goes on, 0 for where it is. `spill` is what the poll handed over.
    pub(super) fn next_code(&self, record: &ThreadRecord, spill: *const u64, number: u32) -> usize {
        let exit = record.exit_fp().load(Ordering::Relaxed);
        if !record.bounds.holds_word(exit) || !record.bounds.holds_word(exit + 8) {
            return 0;
        }
        // SAFETY: the frame of the thunk is on this thread's stack: its caller's frame pointer and the return address.
        let (frame, back) = unsafe { ((exit as *const usize).read(), (exit as *const usize).add(1).read()) };
        if record.stale.is_inside(frame) || record.stale.is_refused(frame, number) {
            return 0;
        }
        let stale = record.stale.take(frame);
        let entry = if stale { self.follow_now(record, (frame, back), spill, number) } else { None };
        if record.stale.is_empty() {
            record.poll().fetch_and(!poll::STALE, Ordering::SeqCst);
        }
        entry.unwrap_or(0)
    }

    fn follow_now(
        &self,
        record: &ThreadRecord,
        (frame, back): (usize, usize),
        spill: *const u64,
        number: u32,
    ) -> Option<usize> {
        let place = place_of(find(back.wrapping_sub(1))?);
        let follower = {
            let followers = lock(&self.followers);
            let known = followers.by_place.contains_key(&place);
            let Some(follower) = followers.find(place, number) else {
                if known {
                    record.stale.put_back(frame, number);
                }
                return None;
            };
            follower.clone()
        };
        // SAFETY: the thread runs this at the poll that the follower was made for, so the spill area and the block are
        // as the old code's tables say, and the new code reads what the steps write.
        unsafe { self.carry(record, frame, spill, &follower.transfer) }.then(|| follower.unit.address(0).get())
    }

    /// Brings what a loop holds to where the new code expects it. False, and nothing done, if there is no room.
    ///
    /// # Safety
    /// This thread is at the poll of the frame, and the transfer was made for its loop.
    unsafe fn carry(&self, record: &ThreadRecord, frame: usize, spill: *const u64, transfer: &Transfer) -> bool {
        let top = record.data_top().load(Ordering::Relaxed);
        let base = top - transfer.old_block as usize;
        // SAFETY: the block of a frame that polls is the topmost one of its thread's data stack.
        if transfer.old_block > 0 && unsafe { (*(base as *const FrameBlock)).frame_fp } != frame {
            return false;
        }
        let end = base + transfer.block as usize;
        if end > record.data_end() {
            return false;
        }
        let grown = lock(&record.stale.grown).remove(&frame).unwrap_or_default();
        let Some(beside) = transfer.places_in(&grown) else { return false };
        let mut buffer = lock(&record.stale.buffer);
        buffer.clear();
        buffer.resize((transfer.buffer as usize).div_ceil(16).max(1), 0);
        let (spill, buffer_at) = (spill as usize, buffer.as_mut_ptr() as usize);
        let (beside, making) = (&beside[..], &Making::new(&self.heap));
        let places = Places { spill, buffer: buffer_at, block: base, behind: transfer.behind(), beside, making };
        if end > top {
            // SAFETY: the bytes lie on this thread's data stack, above everything in use.
            unsafe { ptr::write_bytes(top as *mut u8, 0, end - top) };
        }
        for step in if grown.together { &transfer.whole_steps } else { &transfer.steps } {
            // SAFETY: by this function's own promise.
            unsafe { self.step(step, &places) };
        }
        // SAFETY: the result's address stands first in the spill area; the buffer has room for its head, and a block
        // for its header.
        unsafe {
            let result = (places.spill + SPILL_RESULT as usize) as *const usize;
            ((places.buffer + BUFFER_BLOCK as usize) as *mut usize).write(if transfer.block > 0 { base } else { 0 });
            ((places.buffer + BUFFER_RESULT as usize) as *mut usize).write(result.read());
            if transfer.block > 0 {
                (base as *mut FrameBlock).write(FrameBlock { frame_fp: frame, descriptor: 0, size: transfer.block });
            }
        }
        debug_assert!(transfer.block == 0 || transfer.block >= FRAME_BLOCK_HEADER);
        record.data_top().store(end, Ordering::Relaxed);
        record.set_carried(buffer.as_mut_ptr().cast());
        true
    }

    /// # Safety
    /// The places are those of a poll that the step was made for.
    unsafe fn step(&self, step: &Step, places: &Places<'_>) {
        // SAFETY: by the promise above the values lie where the step says; source and target do not overlap, as a value
        // that stays in the block where it is needs no step.
        unsafe {
            match step {
                Step::Copy { from, to, size } => {
                    ptr::copy(places.from(*from) as *const u8, places.to(*to) as *mut u8, *size as usize);
                }
                Step::Convert { from: (from, have), to: (to, want), by, lent } => {
                    let old = std::slice::from_raw_parts(places.from(*from) as *const u8, *have as usize);
                    let mut room = vec![0u128; (*want as usize).div_ceil(16)];
                    let new = std::slice::from_raw_parts_mut(room.as_mut_ptr().cast::<u8>(), *want as usize);
                    by(places.making, old, new);
                    lent.iter().for_each(|references| self.heap.attic().lend_all(new.as_ptr() as usize, references));
                    ptr::copy(new.as_ptr(), places.to(*to) as *mut u8, new.len());
                }
                Step::Through { size, make, then } => {
                    let mut room = vec![0u128; (*size as usize).div_ceil(16).max(1)];
                    let at = room.as_mut_ptr() as usize;
                    make.iter().for_each(|step| self.step(step, &Places { buffer: at, ..*places }));
                    then.iter().for_each(|step| self.step(step, &Places { spill: at, ..*places }));
                }
                Step::Set { to, bytes } => ptr::copy(bytes.as_ptr(), places.to(*to) as *mut u8, bytes.len()),
                Step::Empty { to, of, lent } => self.heap.put_empty(places.to(*to), *of, *lent),
                Step::Retain { from, of } => self.heap.keep(places.from(*from), *of),
                Step::Park { at, references, batch, lent } => {
                    self.heap.attic().park_all(places.to(*at), references, *batch, *lent);
                }
                Step::Release { from, of } => self.heap.give_up(places.from(*from), *of),
            }
        }
    }
}

/// Where the values of a loop lie on their way.
struct Places<'a> {
    spill: usize,
    buffer: usize,
    block: usize,
    /// The first place behind the blocks.
    behind: u32,
    /// What steps look for there, and where it lies.
    beside: &'a [(BesidePlace, usize)],
    /// What values of another type are made with.
    making: &'a Making<'a>,
}

impl Places<'_> {
    fn from(&self, home: CarryHome) -> usize {
        match home {
            CarryHome::Word(offset) => self.spill + offset as usize,
            CarryHome::Block(offset) if offset >= self.behind => {
                let holds =
                    |(place, _): &&(BesidePlace, usize)| (place.at..place.at + place.size.max(1)).contains(&offset);
                // Every step that looks there was made together with its place.
                let found = self.beside.iter().find(holds);
                found.map_or(0, |(place, at)| at + (offset - place.at) as usize)
            }
            CarryHome::Block(offset) => self.block + offset as usize,
        }
    }

    fn to(&self, home: CarryHome) -> usize {
        match home {
            CarryHome::Word(offset) => self.buffer + offset as usize,
            CarryHome::Block(offset) => self.block + offset as usize,
        }
    }
}
