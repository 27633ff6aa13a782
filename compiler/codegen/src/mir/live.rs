//! Liveness of locals: whose value is still wanted.

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::Instance;

use super::visit::{Access, place_locals, statement_places, successors, terminator_operand};
use super::{
    BlockId, Body, Callee, Local, Operand, Place, PlaceBase, Projection, Rvalue, Statement, StatementKind, TEMPORARY,
    Terminator,
};

/// Functions of the library that copy elements from an address and keep no address.
const COPIERS: (&str, [&str; 2]) = ("std/vec", ["vec_from_array", "vec_from_slice"]);

/// Does a function only make a `Vec` of the elements it is shown?
pub fn copies_elements(function: Instance) -> bool {
    let (module, names) = COPIERS;
    function.path.module == module && names.contains(&function.path.name.as_str())
}

/// The locals whose address is taken.
#[derive(Default)]
pub struct Addressed {
    /// Those whose address may be kept anywhere.
    kept: FxHashSet<Local>,
    /// Pointers that go nowhere but to who copies what is behind them, and the locals there.
    passing: Vec<(Local, Local)>,
}

impl Addressed {
    /// Of a body. Counting finds aggregates by their address too, but keeps none; nor does filling in parked fields.
    pub fn of(body: &Body) -> Addressed {
        let mut found = Addressed::default();
        let passes = passing(body);
        for statement in body.blocks.values().flat_map(|block| &block.statements) {
            match &statement.kind {
                StatementKind::Retain(_) | StatementKind::Release { .. } | StatementKind::FillParked(..) => continue,
                StatementKind::Assign(pointer, Rvalue::AddressOf(Place { base: PlaceBase::Local(of), .. }))
                    if let Some(pointer) = pointer.as_local().filter(|pointer| passes.contains(pointer)) =>
                {
                    found.passing.push((pointer, *of));
                    continue;
                }
                _ => {}
            }
            statement_places(statement, &mut |place, access| match place.base {
                PlaceBase::Local(local) if access == Access::Address => drop(found.kept.insert(local)),
                _ => {}
            });
        }
        found
    }

    /// May something hold the address of a local before or in a statement?
    pub fn may_hold(&self, body: &Body, at: (BlockId, usize), local: Local) -> bool {
        let passes = |(pointer, of): &(Local, Local)| *of == local && is_live(body, at, *pointer);
        self.kept.contains(&local) || self.passing.iter().any(passes)
    }

    /// May a local have a value before a statement (its block and its number there)? Not if nothing has been put there on
    /// any way to it, or the last that happened to it was its end: the bytes mean nothing then.
    pub fn may_have_value(&self, body: &Body, at: (BlockId, usize), local: Local) -> bool {
        self.may_have_part(body, at, local, &[])
    }

    /// The same for a part of a local.
    pub fn may_have_part(
        &self,
        body: &Body,
        (start, statement): (BlockId, usize),
        local: Local,
        part: &[Projection],
    ) -> bool {
        let shown = self.may_hold(body, (start, statement), local);
        let before = predecessors(body);
        let entry = body.blocks.iter().next().map(|(id, _)| id);
        let mut seen: FxHashSet<BlockId> = FxHashSet::default();
        let mut open = vec![(start, statement)];
        while let Some((id, count)) = open.pop() {
            let statements = &body.blocks[id].statements;
            match statements.iter().take(count).rposition(|statement| names(statement, local, part)) {
                Some(last) if ends(body, (id, last), local, shown) => continue,
                Some(_) => return true,
                None => {}
            }
            if Some(id) == entry && body.param_locals().any(|param| param == local) {
                return true;
            }
            for from in before.get(&id).into_iter().flatten().filter(|from| seen.insert(**from)) {
                open.push((*from, body.blocks[*from].statements.len()));
            }
        }
        false
    }
}

/// The parts of a local that a body writes one by one; none if it also writes it as a whole, or an element whose number is
/// not known.
pub fn parts_written(body: &Body, local: Local) -> Vec<Place> {
    let (mut parts, mut is_written_otherwise) = (Vec::<Place>::new(), false);
    for statement in body.blocks.values().flat_map(|block| &block.statements) {
        statement_places(statement, &mut |place, access| {
            if access == Access::Write && matches!(place.base, PlaceBase::Local(base) if base == local) {
                let unknown = place.projections.iter().any(|step| matches!(step, Projection::Index(_)));
                is_written_otherwise |= unknown || place.projections.is_empty();
                if !parts.contains(place) {
                    parts.push(place.clone());
                }
            }
        });
    }
    if is_written_otherwise { Vec::new() } else { parts }
}

/// Does a value end with a statement? What is made only to be copied from, or has no name and is only read once, does with
/// that, once nobody has its address: before it is used again it is made again, part by part perhaps.
fn ends(body: &Body, (block, index): (BlockId, usize), local: Local, shown: bool) -> bool {
    let statement = &body.blocks[block].statements[index];
    match &statement.kind {
        StatementKind::Release { .. } => true,
        StatementKind::Assign(_, Rvalue::AddressOf(_)) => {
            !shown && body.locals[local].name.is_some_and(|name| name == TEMPORARY)
        }
        StatementKind::Assign(..) | StatementKind::Call(_) => {
            let outside = body.param_locals().chain([body.local(Body::RESULT)]);
            let is_own = body.locals[local].name.is_none() && !outside.into_iter().any(|other| other == local);
            let is_read = || reads_it(statement, local) && !writes(statement, local) && readers(body, local) == 1;
            !shown && is_own && is_read() && is_made_again(body, (block, index), local)
        }
        _ => false,
    }
}

/// Is a local always written, if only in part, before it comes to a statement that has read it once more?
fn is_made_again(body: &Body, (block, index): (BlockId, usize), local: Local) -> bool {
    let mut seen: FxHashSet<BlockId> = FxHashSet::default();
    let mut open = vec![(block, index + 1)];
    while let Some((id, skipped)) = open.pop() {
        let rest = &body.blocks[id].statements[skipped..];
        let rest = if id == block && skipped == 0 { &rest[..index] } else { rest };
        if rest.iter().any(|statement| writes(statement, local)) {
            continue;
        }
        if id == block && skipped == 0 {
            return false;
        }
        successors(&body.blocks[id].terminator, &mut |to| {
            if seen.insert(to) {
                open.push((to, 0));
            }
        });
    }
    true
}

/// Does a statement read a local or take its address?
fn reads_it(statement: &Statement, local: Local) -> bool {
    let mut found = false;
    statement_places(statement, &mut |place, access| {
        let written = access == Access::Write && matches!(place.base, PlaceBase::Local(base) if base == local);
        place_locals(place, &mut |named| found |= named == local && !written);
    });
    found
}

/// Does a statement write a local or a part of it?
fn writes(statement: &Statement, local: Local) -> bool {
    let mut found = false;
    statement_places(statement, &mut |place, access| {
        found |= access == Access::Write && matches!(place.base, PlaceBase::Local(base) if base == local);
    });
    found
}

/// How many statements and terminators read a local or take its address. What is counted while it is made is not.
fn readers(body: &Body, local: Local) -> usize {
    let is_use =
        |statement: &&Statement| !matches!(statement.kind, StatementKind::Retain(_) | StatementKind::FillParked(..));
    let statements = body.blocks.values().flat_map(|block| &block.statements).filter(is_use);
    let operands = body.blocks.values().filter_map(|block| terminator_operand(&block.terminator));
    statements.filter(|statement| reads_it(statement, local)).count()
        + operands.filter(|operand| reads(operand, local)).count()
}

/// The scalars that are only written as wholes, and read only as arguments of those that copy what is there.
fn passing(body: &Body) -> FxHashSet<Local> {
    let (mut copied, mut other) = (FxHashSet::default(), FxHashSet::default());
    for block in body.blocks.values() {
        for statement in &block.statements {
            let copier = matches!(&statement.kind, StatementKind::Call(call)
                if matches!(&call.callee, Callee::Function(instance, _) if copies_elements(*instance)));
            statement_places(statement, &mut |place, access| match (place.as_local(), access) {
                (Some(_), Access::Write) => {}
                (Some(local), Access::Read) if copier => drop(copied.insert(local)),
                _ => place_locals(place, &mut |local| {
                    other.insert(local);
                }),
            });
        }
        if let Some(Operand::Copy(place)) = terminator_operand(&block.terminator) {
            place_locals(place, &mut |local| {
                other.insert(local);
            });
        }
    }
    other.insert(body.local(Body::RESULT));
    copied.retain(|local| !other.contains(local) && !body.locals[*local].in_memory);
    copied
}

/// Does a statement name a place in a local that has to do with a part of it? What fills in parked fields only prepares one.
fn names(statement: &Statement, local: Local, part: &[Projection]) -> bool {
    if !part.is_empty() && matches!(statement.kind, StatementKind::FillParked(..)) {
        return false;
    }
    let mut found = false;
    statement_places(statement, &mut |place, _| {
        let is_there = matches!(place.base, PlaceBase::Local(base) if base == local);
        found |= is_there && place.projections.iter().zip(part).all(|(one, other)| may_be_same(one, other));
    });
    found
}

/// May two steps from the same place lead to the same one?
fn may_be_same(one: &Projection, other: &Projection) -> bool {
    one == other || matches!(one, Projection::Index(_)) || matches!(other, Projection::Index(_))
}

/// The blocks from which control may go to each.
pub fn predecessors(body: &Body) -> FxHashMap<BlockId, Vec<BlockId>> {
    let mut found: FxHashMap<BlockId, Vec<BlockId>> = FxHashMap::default();
    for (id, block) in body.blocks.iter() {
        successors(&block.terminator, &mut |to| found.entry(to).or_default().push(id));
    }
    found
}

/// The same as [`is_live`] for a statement that a frame waits in: of what that is given the scalars have been read.
pub fn is_live_within(body: &Body, (block, index): (BlockId, usize), local: Local) -> bool {
    let statement = body.blocks[block].statements.get(index);
    let Some(Statement { kind: StatementKind::Call(call), .. }) = statement else {
        return is_live(body, (block, index), local);
    };
    let is_given = |operand: &Operand| !operand.ty().is_scalar() && reads(operand, local);
    let written = call.result.as_ref().and_then(Place::as_local) == Some(local);
    call.arguments.iter().any(is_given) || !written && is_live(body, (block, index + 1), local)
}

/// Is the value that a local has before a statement (its block and its number there) read later, by that statement or
/// another one? Addresses that were taken before are not followed: see [`Addressed`].
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
