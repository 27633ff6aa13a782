//! Removes blocks that cannot be reached, skips empty ones, and joins chains.

use la_arena::{Arena, Idx, RawIdx};

use crate::mir::visit::{successors, successors_mut};
use crate::mir::{Block, BlockId, Body, Terminator};

/// Keeps what the entry reaches, every block after those it is reached from but for back-edges; loops without a header
/// go, too.
pub(super) fn remove_unreachable(body: &mut Body) {
    let order = order(body);
    if order.len() == body.blocks.len() && order.iter().enumerate().all(|(new, old)| *old == id(new)) {
        return;
    }
    let mut renamed: Vec<Option<BlockId>> = vec![None; body.blocks.len()];
    for (new, old) in order.iter().enumerate() {
        renamed[index(*old)] = Some(id(new));
    }
    keep_loops(body, &renamed);
    let mut blocks: Vec<Option<Block>> = std::mem::take(&mut body.blocks).into_iter().map(|(_, b)| Some(b)).collect();
    body.blocks = Arena::with_capacity(order.len());
    for old in order {
        if let Some(mut block) = blocks[index(old)].take() {
            successors_mut(&mut block.terminator, &mut |target| rename(target, &renamed));
            body.blocks.alloc(block);
        }
    }
}

fn rename(target: &mut BlockId, renamed: &[Option<BlockId>]) {
    if let Some(new) = renamed[index(*target)] {
        *target = new;
    }
}

/// Loops whose header is gone disappear; their blocks, if any are left, belong to the loop around.
fn keep_loops(body: &mut Body, renamed: &[Option<BlockId>]) {
    let mut numbers: Vec<Option<u32>> = Vec::with_capacity(body.loops.len());
    let mut kept = Vec::with_capacity(body.loops.len());
    for info in &body.loops {
        let parent = info.parent.and_then(|parent| numbers[parent as usize]);
        match renamed[index(info.header)] {
            Some(header) => {
                numbers.push(Some(kept.len() as u32));
                kept.push(crate::mir::LoopInfo { parent, header, ..info.clone() });
            }
            None => numbers.push(parent),
        }
    }
    body.loops = kept;
    for block in body.blocks.values_mut() {
        block.in_loop = block.in_loop.and_then(|index| numbers[index as usize]);
    }
}

/// The reachable blocks in reverse postorder.
fn order(body: &Body) -> Vec<BlockId> {
    let mut seen = vec![false; body.blocks.len()];
    let mut order = Vec::with_capacity(body.blocks.len());
    // A block is pushed a second time, below its successors, to be listed after them.
    let mut open = vec![(id(0), false)];
    while let Some((block, listed)) = open.pop() {
        if listed {
            order.push(block);
        } else if !std::mem::replace(&mut seen[index(block)], true) {
            open.push((block, true));
            successors(&body.blocks[block].terminator, &mut |target| {
                if !seen[index(target)] {
                    open.push((target, false));
                }
            });
        }
    }
    order.reverse();
    order
}

/// Branches on constants are decided, empty blocks skipped and blocks with one way in joined to where it comes from.
pub(super) fn join(body: &mut Body) {
    decide(body);
    skip_empty(body);
    remove_unreachable(body);
    let ways_in = count_ways_in(body);
    let headers = headers(body);
    let ids: Vec<BlockId> = body.blocks.iter().map(|(id, _)| id).collect();
    for block in ids {
        while let Terminator::Goto(target) = body.blocks[block].terminator {
            let joins = target != block
                && ways_in[index(target)] == 1
                && body.blocks[target].in_loop == body.blocks[block].in_loop
                && !headers[index(target)];
            if !joins {
                break;
            }
            let hollow = hollow(&body.blocks[target]);
            let taken = std::mem::replace(&mut body.blocks[target], hollow);
            let into = &mut body.blocks[block];
            into.statements.extend(taken.statements);
            into.terminator = taken.terminator;
            into.terminator_span = taken.terminator_span;
        }
    }
    remove_unreachable(body);
}

/// What stays in the place of a block that has been joined to another; nothing reaches it.
fn hollow(block: &Block) -> Block {
    Block {
        statements: Vec::new(),
        terminator: Terminator::Return,
        terminator_span: block.terminator_span,
        in_loop: block.in_loop,
    }
}

/// By block: is it the header of a loop?
fn headers(body: &Body) -> Vec<bool> {
    let mut headers = vec![false; body.blocks.len()];
    body.loops.iter().for_each(|info| headers[index(info.header)] = true);
    headers
}

/// Is there a branch on a constant?
pub(super) fn decides_any(body: &Body) -> bool {
    body.blocks.values().any(|block| decided(&block.terminator).is_some())
}

fn decide(body: &mut Body) {
    for block in body.blocks.values_mut() {
        if let Some(target) = decided(&block.terminator) {
            block.terminator = Terminator::Goto(target);
        }
    }
}

fn decided(terminator: &Terminator) -> Option<BlockId> {
    match terminator {
        Terminator::Branch { condition, then, otherwise } => match condition.as_int() {
            Some(value) => Some(if value == 0 { *otherwise } else { *then }),
            None => (then == otherwise).then_some(*then),
        },
        _ => None,
    }
}

/// Jumps to empty blocks go where those go. Headers stay: a safepoint is told by the loop it is in.
fn skip_empty(body: &mut Body) {
    let mut direct: Vec<BlockId> = body.blocks.iter().map(|(id, _)| id).collect();
    let headers = headers(body);
    for (from, block) in body.blocks.iter() {
        if let Terminator::Goto(target) = block.terminator
            && block.statements.is_empty()
            && index(from) != 0
            && !headers[index(from)]
        {
            direct[index(from)] = target;
        }
    }
    for block in 0..direct.len() {
        direct[block] = follow(&direct, id(block));
    }
    for block in body.blocks.values_mut() {
        successors_mut(&mut block.terminator, &mut |target| *target = direct[index(*target)]);
    }
}

/// The end of a chain of empty blocks; a ring of them stays as it is.
fn follow(direct: &[BlockId], start: BlockId) -> BlockId {
    let mut at = start;
    for _ in 0..64 {
        let next = direct[index(at)];
        if next == at {
            return at;
        }
        at = next;
    }
    start
}

fn count_ways_in(body: &Body) -> Vec<u32> {
    let mut ways = vec![0; body.blocks.len()];
    ways[0] = 1;
    for block in body.blocks.values() {
        successors(&block.terminator, &mut |target| ways[index(target)] += 1);
    }
    ways
}

fn id(index: usize) -> BlockId {
    Idx::from_raw(RawIdx::from_u32(index as u32))
}

fn index(block: BlockId) -> usize {
    u32::from(block.into_raw()) as usize
}
