//! Is what comes behind a call the same in two versions of a function?

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use vaisjit_semantics::{Checked, Ty, TyKind};

use crate::layout::Layouts;
use crate::mir::visit::{address_locals_mut, places_mut, successors_mut, terminator_operand_mut};
use crate::mir::{Block, BlockId, Body, Call, Local, Operand, Place, PlaceBase, Projection, StatementKind, Terminator};

/// A version of a function.
#[derive(Clone, Copy)]
pub struct Version<'a> {
    /// Its code.
    pub body: &'a Body,
    /// The program it is of.
    pub program: &'a Checked,
    /// The layouts it was made for.
    pub layouts: &'a dyn Layouts,
}

/// Does the new version have a call behind which everything is as behind the one at `at` (block and statement) in the
/// old? What has been computed before, arguments included, has no part in it; fields are known by their names.
pub fn rest_is_same(old: Version<'_>, at: (BlockId, usize), new: Version<'_>) -> bool {
    let Some(StatementKind::Call(call)) = old.body.blocks[at.0].statements.get(at.1).map(|it| &it.kind) else {
        return false;
    };
    let wanted = old.rest(at, call);
    let calls = new.body.blocks.iter().flat_map(|(id, block)| {
        block.statements.iter().enumerate().filter_map(move |(index, statement)| match &statement.kind {
            StatementKind::Call(call) => Some(((id, index), call)),
            _ => None,
        })
    });
    let no_cleanup = old.body.cleanup.is_none() && new.body.cleanup.is_none();
    let mut alike = calls.filter(|(_, other)| other.callee == call.callee);
    no_cleanup && alike.any(|(at, call)| new.rest(at, call) == wanted)
}

impl Version<'_> {
    fn rest(&self, (start, index): (BlockId, usize), call: &Call) -> u64 {
        let mut rest = Rest { of: *self, locals: FxHashMap::default(), blocks: vec![], hasher: FxHasher::default() };
        rest.call(call);
        rest.block(&self.body.blocks[start], index + 1);
        let mut next = 0;
        while let Some(id) = rest.blocks.get(next).copied() {
            rest.block(&self.body.blocks[id], 0);
            next += 1;
        }
        rest.hasher.finish()
    }
}

/// Locals and blocks by the order they come in.
struct Rest<'a> {
    of: Version<'a>,
    locals: FxHashMap<Local, u32>,
    blocks: Vec<BlockId>,
    hasher: FxHasher,
}

impl Rest<'_> {
    fn call(&mut self, call: &Call) {
        let result = call.result.clone().map(|mut place| {
            self.place(&mut place);
            place
        });
        (result, call.result_ty).hash(&mut self.hasher);
    }

    fn block(&mut self, block: &Block, from: usize) {
        let mut block = block.clone();
        for statement in block.statements.iter_mut().skip(from) {
            // What a poll hands over is of no account for code that stays as it is, and that counts what it knows of.
            match &statement.kind {
                StatementKind::Safepoint(_) => {
                    1u8.hash(&mut self.hasher);
                    continue;
                }
                StatementKind::Retain(_) | StatementKind::Release { .. } => continue,
                _ => {}
            }
            places_mut(statement, &mut |place, _| self.place(place));
            statement.kind.hash(&mut self.hasher);
        }
        if let Some(Operand::Copy(place)) = terminator_operand_mut(&mut block.terminator) {
            self.place(place);
        }
        let mut blocks = std::mem::take(&mut self.blocks);
        let mut order = Vec::new();
        successors_mut(&mut block.terminator, &mut |to| {
            let place = blocks.iter().position(|known| known == to).unwrap_or_else(|| {
                blocks.push(*to);
                blocks.len() - 1
            });
            order.push(place);
            *to = *blocks.first().unwrap_or(to);
        });
        self.blocks = blocks;
        order.hash(&mut self.hasher);
        match &block.terminator {
            Terminator::Goto(_) => 0u8.hash(&mut self.hasher),
            Terminator::Branch { condition, .. } => (1u8, condition).hash(&mut self.hasher),
            Terminator::Switch { value, cases, .. } => {
                let cases: Vec<u64> = cases.iter().map(|(case, _)| *case).collect();
                (2u8, value, cases).hash(&mut self.hasher);
            }
            Terminator::Return => 3u8.hash(&mut self.hasher),
            Terminator::Trap(code, message) => (4u8, code, message).hash(&mut self.hasher),
        }
    }

    fn place(&mut self, place: &mut Place) {
        let mut ty = match &place.base {
            PlaceBase::Local(local) => self.of.body.locals[*local].ty,
            PlaceBase::Global(_, ty) | PlaceBase::Deref(_, ty) => *ty,
        };
        for step in &mut place.projections {
            let known = match step {
                Projection::Field(field) => Some((self.of.layouts.field_ty(ty, *field), self.name(ty, *field))),
                Projection::VariantField(variant, field) => {
                    Some((self.of.layouts.variant_field_ty(ty, *variant, *field), None))
                }
                Projection::Index(_) | Projection::ConstIndex(_) => match ty.kind() {
                    TyKind::Array(of, _) | TyKind::Slice(of) => Some((*of, None)),
                    _ => None,
                },
            };
            let Some((of, name)) = known else { break };
            if let (Projection::Field(field), Some(name)) = (&mut *step, name) {
                *field = name;
            }
            ty = of;
        }
        if let PlaceBase::Local(local) = &mut place.base {
            self.local(local);
        }
        address_locals_mut(place, &mut |local| self.local(local));
    }

    /// Its number, and what it is where it is met first.
    fn local(&mut self, local: &mut Local) {
        let count = self.locals.len() as u32;
        let result = self.of.body.local(Body::RESULT);
        let number = *self.locals.entry(*local).or_insert(count);
        if number == count {
            let known = &self.of.body.locals[*local];
            (known.ty, known.name, known.in_memory, known.loan, *local == result).hash(&mut self.hasher);
        }
        *local = Local::from_raw(number.into());
    }

    /// A number for the name of a struct's field.
    fn name(&self, ty: Ty, field: u32) -> Option<u32> {
        let definition = self.of.program.structs.get(&ty)?;
        let mut hasher = FxHasher::default();
        definition.fields.get(field as usize)?.name.hash(&mut hasher);
        Some(hasher.finish() as u32)
    }
}
