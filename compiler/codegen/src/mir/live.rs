//! Liveness of locals: whose value is still wanted.

use rustc_hash::FxHashSet;

use super::visit::{Access, place_locals, statement_places, successors, terminator_operand};
use super::{BlockId, Body, Local, Operand, PlaceBase, Statement, StatementKind, Terminator};

/// The locals whose address is taken somewhere. Counting finds aggregates by their address too, but keeps none.
pub fn addressed(body: &Body) -> FxHashSet<Local> {
    let mut found = FxHashSet::default();
    for statement in body.blocks.values().flat_map(|block| &block.statements) {
        if matches!(statement.kind, StatementKind::Retain(_) | StatementKind::Release { .. }) {
            continue;
        }
        statement_places(statement, &mut |place, access| match place.base {
            PlaceBase::Local(local) if access == Access::Address => drop(found.insert(local)),
            _ => {}
        });
    }
    found
}

/// Is the value that a local has before a statement (its block and its number there) read later, by that statement or
/// another one? Addresses that were taken before are not followed: see [`addressed`].
pub fn is_live(body: &Body, (start, statement): (BlockId, usize), local: Local) -> bool {
    let mut seen: FxHashSet<BlockId> = FxHashSet::default();
    let mut open = vec![(start, statement)];
    while let Some((id, skipped)) = open.pop() {
        let block = &body.blocks[id];
        let first = block.statements.iter().skip(skipped).find_map(|statement| use_of(statement, local));
        let read = first.unwrap_or_else(|| match &block.terminator {
            Terminator::Return => local == body.local(Body::RESULT),
            terminator => terminator_operand(terminator).is_some_and(|operand| reads(operand, local)),
        });
        if read {
            return true;
        }
        if first.is_none() {
            successors(&block.terminator, &mut |to| {
                if seen.insert(to) {
                    open.push((to, 0));
                }
            });
        }
    }
    false
}

/// Does the statement read the local (true), or write all of it first (false)?
fn use_of(statement: &Statement, local: Local) -> Option<bool> {
    let mut first = None;
    statement_places(statement, &mut |place, access| {
        let whole = place.as_local() == Some(local);
        let partly = access == Access::Write && matches!(place.base, PlaceBase::Local(base) if base == local);
        if whole && access == Access::Write {
            first.get_or_insert(false);
        } else if !partly {
            place_locals(place, &mut |named| {
                if named == local {
                    first.get_or_insert(true);
                }
            });
        }
    });
    match &statement.kind {
        StatementKind::Zero(place) if place.as_local() == Some(local) => Some(false),
        _ => first,
    }
}

fn reads(operand: &Operand, local: Local) -> bool {
    let mut found = false;
    if let Operand::Copy(place) = operand {
        place_locals(place, &mut |named| found |= named == local);
    }
    found
}
