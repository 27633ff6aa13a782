//! Which variables have a value at a place of a body: what a trap report may show there.

use rustc_hash::FxHashMap;

use super::visit::{Access, place_locals, statement_places, successors, terminator_operand};
use super::{Block, BlockId, Body, Local, Operand, PlaceBase, Statement};

/// Variables of a body, each a bit of a word.
#[derive(Default)]
pub struct Known {
    bits: FxHashMap<Local, u32>,
    /// What is known where a block starts, by its number.
    starts: Vec<u32>,
}

/// How a block changes what is wanted before it: what it reads first, and what it writes.
#[derive(Clone, Copy, Default)]
struct Effect {
    reads: u32,
    writes: u32,
}

impl Known {
    /// Looks for variables, no more than 32, each a bit in this order: those in registers whose value is still wanted, and
    /// those in memory that have one in any case.
    pub fn of(body: &Body, locals: &[Local]) -> Known {
        let bits = locals.iter().enumerate().map(|(bit, local)| (*local, 1 << bit)).collect();
        let mut known = Known { bits, starts: vec![0; body.blocks.len()] };
        let in_memory = locals.iter().filter(|local| body.locals[**local].in_memory);
        let in_memory = in_memory.fold(0, |mask, local| mask | known.bit(*local));
        let effects: Vec<Effect> = body.blocks.values().map(|block| known.effect(block)).collect();
        let wanted = wanted(body, &effects);
        let given = if in_memory == 0 { Vec::new() } else { given(body, &effects, known.parameters(body)) };
        for (number, start) in known.starts.iter_mut().enumerate() {
            *start = wanted[number] & !in_memory | given.get(number).map_or(0, |given| given & in_memory);
        }
        known
    }

    /// What is known where a block starts.
    pub fn at_start(&self, block: BlockId) -> u32 {
        self.starts.get(number(block)).copied().unwrap_or(0)
    }

    /// What a statement gives a value.
    pub fn written(&self, statement: &Statement) -> u32 {
        let mut mask = 0;
        statement_places(statement, &mut |place, access| {
            if let (Some(local), Access::Write) = (place.as_local(), access) {
                mask |= self.bit(local);
            }
        });
        mask
    }

    fn bit(&self, local: Local) -> u32 {
        self.bits.get(&local).copied().unwrap_or(0)
    }

    fn parameters(&self, body: &Body) -> u32 {
        (1..=body.params).fold(0, |mask, number| mask | self.bit(body.local(number)))
    }

    fn effect(&self, block: &Block) -> Effect {
        let mut effect = Effect::default();
        for statement in &block.statements {
            statement_places(statement, &mut |place, access| {
                let whole = access == Access::Write && place.as_local().is_some();
                let partly = access == Access::Write && matches!(place.base, PlaceBase::Local(_));
                if !partly {
                    place_locals(place, &mut |local| effect.reads |= self.bit(local) & !effect.writes);
                } else if !whole {
                    place.address_locals().for_each(|local| effect.reads |= self.bit(local) & !effect.writes);
                }
            });
            effect.writes |= self.written(statement);
        }
        if let Some(Operand::Copy(place)) = terminator_operand(&block.terminator) {
            place_locals(place, &mut |local| effect.reads |= self.bit(local) & !effect.writes);
        }
        effect
    }
}

fn number(block: BlockId) -> usize {
    block.into_raw().into_u32() as usize
}

/// What is read after the start of each block before it is written.
fn wanted(body: &Body, effects: &[Effect]) -> Vec<u32> {
    let mut wanted: Vec<u32> = effects.iter().map(|effect| effect.reads).collect();
    let mut changed = true;
    while changed {
        changed = false;
        for (id, block) in body.blocks.iter().rev() {
            let mut after = 0;
            successors(&block.terminator, &mut |to| after |= wanted[number(to)]);
            let effect = effects[number(id)];
            let now = effect.reads | after & !effect.writes;
            changed |= now != wanted[number(id)];
            wanted[number(id)] = now;
        }
    }
    wanted
}

/// What has been written on every way to the start of each block.
fn given(body: &Body, effects: &[Effect], parameters: u32) -> Vec<u32> {
    let mut given = vec![u32::MAX; effects.len()];
    if let Some((entry, _)) = body.blocks.iter().next() {
        given[number(entry)] = parameters;
    }
    let mut changed = true;
    while changed {
        changed = false;
        for (id, block) in body.blocks.iter() {
            let after = given[number(id)] | effects[number(id)].writes;
            successors(&block.terminator, &mut |to| {
                let now = given[number(to)] & after;
                changed |= now != given[number(to)];
                given[number(to)] = now;
            });
        }
    }
    given
}
