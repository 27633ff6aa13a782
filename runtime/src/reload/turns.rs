//! Would a turn of an outermost loop run code of both versions, if a commit came in the middle of it? Only if something that
//! changes has run in it already, and something that changes is still to run.

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::mir::visit::successors;
use vaisjit_codegen::mir::{BlockId, Body, Callee, StatementKind};
use vaisjit_semantics::Instance;

use super::admissible::{mir_of, place};
use super::prepare::Prepared;
use super::replace::Standing;
use crate::live::{FunctionMeta, Live};

/// A frame of a stopped thread, and whether the thread stands at its poll.
pub(crate) type TurnFrame = (Standing, bool);

/// What a commit changes, as far as turns are concerned.
pub(crate) struct Turns<'a> {
    live: &'a Live,
    changed: FxHashSet<Instance>,
    /// Of functions, whether a call of them runs something that changes.
    reach: FxHashMap<Instance, bool>,
}

/// What a part of a body does.
#[derive(Default)]
struct Part {
    calls: Vec<Instance>,
    /// It calls function values: nobody knows which.
    calls_values: bool,
    /// It comes to a poll that does not end the turn.
    polls: bool,
}

impl<'a> Turns<'a> {
    /// `None` if what runs has other names in the new version.
    pub fn new(prepared: &Prepared, live: &'a Live) -> Option<Turns<'a>> {
        if prepared.described.is_some() {
            return None;
        }
        let new = prepared.functions.iter().map(|(instance, _)| *instance);
        let changed = new.chain(prepared.removed.iter().copied()).collect();
        Some(Turns { live, changed, reach: FxHashMap::default() })
    }

    /// May a commit come while a thread stands there in the host, in the middle of a turn, as if it did not stand there? Its
    /// frames stay as they are, and its turn does not mix versions.
    pub fn excuses(&mut self, frames: &[TurnFrame]) -> bool {
        let stays = |(frame, _): &TurnFrame| {
            let is_old = self.live.retired.contains_key(&frame.unit);
            !is_old && frame.meta(self.live).is_some_and(|meta| !self.changed.contains(&meta.instance))
        };
        frames.iter().all(stays) && !self.mixes(frames)
    }

    /// Would the turn that a thread with these frames (innermost first) is in run code of both versions?
    pub fn mixes(&mut self, frames: &[TurnFrame]) -> bool {
        let looping = |(frame, _): &TurnFrame| frame.meta(self.live).is_some_and(|meta| frame.in_loop(meta).is_some());
        let Some(outermost) = frames.iter().rposition(looping) else { return false };
        let (mut before, mut after) = (false, false);
        for (number, (frame, polls)) in frames[..=outermost].iter().enumerate() {
            let Some(parts) = self.parts(frame, *polls, number == outermost) else { return true };
            let changes = frame.meta(self.live).is_none_or(|meta| self.changed.contains(&meta.instance));
            before |= changes || self.changes(&parts.0);
            after |= changes && parts.1.polls || self.changes(&parts.1);
        }
        before && after
    }

    /// What a frame has done in the turn, and what it will do in it.
    fn parts(&self, frame: &Standing, polls: bool, is_outermost: bool) -> Option<(Part, Part)> {
        let meta = frame.meta(self.live)?;
        let body = mir_of(meta, &self.live.checked, &self.live.layouts)?;
        let at = place(&body, frame.srcloc)?;
        let end = if is_outermost { outermost_loop(&body, frame, meta) } else { None };
        let (before, mut after) = (part(&body, at, end, false), part(&body, at, end, true));
        after.polls |= polls;
        Some((before, after))
    }

    fn changes(&mut self, part: &Part) -> bool {
        part.calls_values && !self.changed.is_empty() || part.calls.iter().any(|callee| self.reaches(*callee))
    }

    /// Does a call of a function run something that changes?
    fn reaches(&mut self, callee: Instance) -> bool {
        if let Some(known) = self.reach.get(&callee) {
            return *known;
        }
        let (mut open, mut seen) = (vec![callee], FxHashSet::default());
        let mut found = false;
        while let Some(next) = open.pop().filter(|_| !found) {
            if !seen.insert(next) {
                continue;
            }
            found = match self.live.functions.get(&next) {
                Some(function) => {
                    open.extend(function.summary.callees.iter().copied());
                    self.changed.contains(&next) || function.summary.calls_values
                }
                None => true,
            };
        }
        self.reach.insert(callee, found);
        found
    }
}

/// The outermost polled loop that a frame is in.
fn outermost_loop(body: &Body, frame: &Standing, meta: &FunctionMeta) -> Option<u32> {
    let parent = |at: &u32| body.loops.get(*at as usize)?.parent;
    let around = std::iter::successors(frame.in_loop(meta), parent);
    around.filter(|at| body.loops.get(*at as usize).is_some_and(|info| info.polled)).last()
}

/// What a body does from a place on, or has done before it, up to the poll of a loop.
fn part(body: &Body, (block, index): (BlockId, usize), end: Option<u32>, onwards: bool) -> Part {
    let mut ways: FxHashMap<BlockId, Vec<BlockId>> = FxHashMap::default();
    for (id, block) in body.blocks.iter() {
        successors(&block.terminator, &mut |to| {
            let (from, to) = if onwards { (id, to) } else { (to, id) };
            ways.entry(from).or_default().push(to);
        });
    }
    let mut part = Part::default();
    let count = body.blocks[block].statements.len();
    let mut open = vec![(block, if onwards { (index + 1).min(count)..count } else { 0..index.min(count) })];
    let mut seen = FxHashSet::default();
    while let Some((id, range)) = open.pop() {
        if part.takes_all(body, id, range, end, onwards) {
            let next = ways.get(&id).into_iter().flatten().filter(|next| seen.insert(**next));
            open.extend(next.map(|next| (*next, 0..body.blocks[*next].statements.len())));
        }
    }
    part
}

impl Part {
    /// Takes in statements of a block; false if the turn ends, or begins, at one of them.
    fn takes_all(
        &mut self,
        body: &Body,
        id: BlockId,
        range: std::ops::Range<usize>,
        end: Option<u32>,
        onwards: bool,
    ) -> bool {
        let block = &body.blocks[id];
        let in_order = range.clone().map(|index| if onwards { index } else { range.start + range.end - 1 - index });
        for statement in in_order.map(|index| &block.statements[index].kind) {
            match statement {
                StatementKind::Safepoint(_) if end.is_some() && block.in_loop == end => return false,
                StatementKind::Safepoint(_) => self.polls = true,
                StatementKind::Call(call) => match &call.callee {
                    Callee::Function(instance, _) => self.calls.push(*instance),
                    Callee::Value(..) | Callee::Slot(..) => self.calls_values = true,
                    Callee::Host(_) | Callee::C(..) => {}
                },
                _ => {}
            }
        }
        true
    }
}
