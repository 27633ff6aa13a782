//! Removes temporaries that only pass a value on: copies and constants go where they are used, results straight to
//! where they are wanted. Variables of the source keep their values: a reload may carry them over, a report show them.

use vaisjit_semantics::hir::BinaryOp;
use vaisjit_semantics::{Ty, TyKind};

use crate::mir::visit::{
    Access, address_locals_mut, block_places, operands_mut, place_locals, places_mut, statement_places,
    terminator_operand_mut,
};
use crate::mir::{Body, Local, Operand, Place, PlaceBase, Projection, Rvalue, Statement, StatementKind};

pub(super) fn run(body: &mut Body) {
    let counts = Counts::of(body);
    forward_results(body, &counts);
    Values::new(body, &counts).propagate(body);
    remove_dead(body);
}

/// How often each local is written and named otherwise.
struct Counts {
    defs: Vec<u32>,
    uses: Vec<u32>,
}

impl Counts {
    fn of(body: &Body) -> Counts {
        let mut counts = Counts { defs: vec![0; body.locals.len()], uses: vec![0; body.locals.len()] };
        for block in body.blocks.values() {
            block_places(block, &mut |place, access| counts.add(place, access));
        }
        counts
    }

    fn add(&mut self, place: &Place, access: Access) {
        match place.as_local() {
            Some(local) if access == Access::Write => self.defs[index(local)] += 1,
            _ => place_locals(place, &mut |local| self.uses[index(local)] += 1),
        }
    }
}

/// A local that nothing but this function's statements knows of.
fn is_temp(body: &Body, local: Local) -> bool {
    let declared = &body.locals[local];
    declared.name.is_none() && !declared.in_memory && index(local) > body.params as usize
}

/// `_5 = add _1, _2; x = _5` becomes `x = add _1, _2`.
fn forward_results(body: &mut Body, counts: &Counts) {
    let once = |local: Local| counts.defs[index(local)] == 1 && counts.uses[index(local)] == 1;
    let ids: Vec<_> = body.blocks.iter().map(|(id, _)| id).collect();
    for id in ids {
        let statements = std::mem::take(&mut body.blocks[id].statements);
        let mut made: Vec<Statement> = Vec::with_capacity(statements.len());
        for statement in statements {
            let passed_on = match &statement.kind {
                StatementKind::Assign(to, Rvalue::Use(Operand::Copy(from))) if to.ty == from.ty => {
                    from.as_local().filter(|local| is_temp(body, *local) && once(*local)).map(|local| (local, to))
                }
                _ => None,
            };
            let merged =
                passed_on.is_some_and(|(local, to)| made.last_mut().is_some_and(|before| retarget(before, local, to)));
            if !merged {
                made.push(statement);
            }
        }
        body.blocks[id].statements = made;
    }
}

/// Lets a statement that defines `local` define `to` instead.
fn retarget(statement: &mut Statement, local: Local, to: &Place) -> bool {
    let target = match &mut statement.kind {
        StatementKind::Assign(place, _) => Some(place),
        StatementKind::Call(call) => call.result.as_mut(),
        _ => None,
    };
    match target {
        Some(place) if place.as_local() == Some(local) => {
            *place = to.clone();
            true
        }
        _ => false,
    }
}

/// What temporaries are known to be.
struct Values {
    /// Holds wherever the temporary is used.
    always: Vec<Option<Operand>>,
    /// Holds in the current block while the source has this version.
    here: Vec<Option<(Local, u32)>>,
    /// Set when a local changes; never repeats.
    version: Vec<u32>,
    clock: u32,
    /// Start of the current block.
    epoch: u32,
    temps: Vec<bool>,
    single: Vec<bool>,
    memory: Vec<bool>,
    types: Vec<Ty>,
}

impl Values {
    fn new(body: &Body, counts: &Counts) -> Values {
        let locals = body.locals.len();
        let ids: Vec<Local> = body.locals.iter().map(|(local, _)| local).collect();
        Values {
            always: vec![None; locals],
            here: vec![None; locals],
            version: vec![0; locals],
            clock: 0,
            epoch: 0,
            temps: ids.iter().map(|local| is_temp(body, *local)).collect(),
            single: ids.iter().map(|local| Values::fixed(body, counts, *local)).collect(),
            memory: ids.iter().map(|local| body.locals[*local].in_memory).collect(),
            types: ids.iter().map(|local| body.locals[*local].ty).collect(),
        }
    }

    /// Has the local one value wherever it is used? Temporaries are always defined before they are used.
    fn fixed(body: &Body, counts: &Counts, local: Local) -> bool {
        let defs = counts.defs[index(local)];
        let param = (1..=body.params as usize).contains(&index(local));
        if param { defs == 0 } else { defs == 1 && is_temp(body, local) }
    }

    fn propagate(&mut self, body: &mut Body) {
        for block in body.blocks.values_mut() {
            self.clock += 1;
            self.epoch = self.clock;
            for statement in &mut block.statements {
                self.replace_in(statement);
                self.learn(statement);
            }
            if let Some(operand) = terminator_operand_mut(&mut block.terminator) {
                self.replace_operand(operand);
            }
        }
    }

    fn replace_in(&self, statement: &mut Statement) {
        operands_mut(statement, &mut |operand| self.replace_operand(operand));
        places_mut(statement, &mut |place, _| self.replace_address(place));
    }

    fn replace_operand(&self, operand: &mut Operand) {
        if let Operand::Copy(place) = operand {
            match place.as_local().and_then(|local| self.known(local)) {
                Some(value) if value.ty() == place.ty => *operand = value,
                _ => self.replace_address(place),
            }
        }
    }

    fn replace_address(&self, place: &mut Place) {
        let mut ty = match place.base {
            PlaceBase::Deref(_, ty) => Some(ty),
            _ => None,
        };
        for step in &mut place.projections {
            if let Projection::Index(local) = step
                && let Some(value) = self.known(*local)
                && let Some(value) = value.as_int().and_then(|value| u64::try_from(value).ok())
                && ty.take().is_some_and(|ty| matches!(ty.kind(), TyKind::Array(_, 0)))
                && value < 1 << 24
            {
                *step = Projection::ConstIndex(value);
            }
            ty = None;
        }
        address_locals_mut(place, &mut |local| {
            if let Some(Operand::Copy(source)) = self.known(*local)
                && let Some(source) = source.as_local()
            {
                *local = source;
            }
        });
    }

    fn known(&self, local: Local) -> Option<Operand> {
        if let Some(value) = &self.always[index(local)] {
            return Some(value.clone());
        }
        let (source, version) = self.here[index(local)]?;
        let current = version >= self.epoch && self.version[index(source)] <= version;
        current.then(|| Operand::local(source, self.types[index(source)]))
    }

    fn learn(&mut self, statement: &Statement) {
        self.clock += 1;
        let clock = self.clock;
        statement_places(statement, &mut |place, access| {
            if let (Some(local), Access::Write) = (place.as_local(), access) {
                self.version[index(local)] = clock;
                self.here[index(local)] = None;
            }
        });
        let StatementKind::Assign(to, Rvalue::Use(value)) = &statement.kind else { return };
        let Some(to) = to.as_local().filter(|local| self.temps[index(*local)]) else { return };
        match value {
            Operand::Const(_) if self.single[index(to)] => self.always[index(to)] = Some(value.clone()),
            Operand::Const(_) => {}
            Operand::Copy(place) => {
                let Some(source) = place.as_local().filter(|local| !self.memory[index(*local)]) else { return };
                match self.single[index(to)] && self.single[index(source)] {
                    true => self.always[index(to)] = Some(value.clone()),
                    false => self.here[index(to)] = Some((source, clock)),
                }
            }
        }
    }
}

/// Assignments to temporaries that nobody reads go, last ones first.
fn remove_dead(body: &mut Body) {
    let mut uses = Counts::of(body).uses;
    let ids: Vec<_> = body.blocks.iter().map(|(id, _)| id).collect();
    for id in ids.into_iter().rev() {
        let statements = std::mem::take(&mut body.blocks[id].statements);
        let mut kept = Vec::with_capacity(statements.len());
        for statement in statements.into_iter().rev() {
            let dead = match &statement.kind {
                StatementKind::Assign(to, value) => to
                    .as_local()
                    .is_some_and(|local| is_temp(body, local) && uses[index(local)] == 0 && is_harmless(value)),
                _ => false,
            };
            if dead {
                statement_places(&statement, &mut |place, access| {
                    if access != Access::Write {
                        place_locals(place, &mut |local| uses[index(local)] -= 1);
                    }
                });
            } else {
                kept.push(statement);
            }
        }
        kept.reverse();
        body.blocks[id].statements = kept;
    }
}

/// Can computing it neither trap nor be seen?
fn is_harmless(value: &Rvalue) -> bool {
    let mut harmless = match value {
        Rvalue::Binary(BinaryOp::Div | BinaryOp::Rem, _, divisor) => {
            divisor.as_int().is_some_and(|divisor| divisor != 0)
        }
        Rvalue::LoadAt(..) => false,
        _ => true,
    };
    crate::mir::visit::rvalue_places(value, &mut |place, access| {
        harmless &= access == Access::Address || !matches!(place.base, PlaceBase::Deref(..));
    });
    harmless
}

/// Drops locals that nothing names, parameters and variables that have a value excepted.
pub(super) fn drop_unused_locals(body: &mut Body) {
    let mut used = vec![false; body.locals.len()];
    used[..=body.params as usize].fill(true);
    for block in body.blocks.values() {
        block_places(block, &mut |place, _| place_locals(place, &mut |local| used[index(local)] = true));
    }
    if used.iter().all(|used| *used) {
        return;
    }
    let locals = std::mem::take(&mut body.locals);
    let renamed: Vec<Option<Local>> =
        locals.into_iter().map(|(old, declared)| used[index(old)].then(|| body.locals.alloc(declared))).collect();
    let rename = |local: &mut Local| {
        if let Some(new) = renamed[index(*local)] {
            *local = new;
        }
    };
    let rename_place = |place: &mut Place| {
        if let PlaceBase::Local(local) = &mut place.base {
            rename(local);
        }
        address_locals_mut(place, &mut |local| rename(local));
    };
    for block in body.blocks.values_mut() {
        for statement in &mut block.statements {
            places_mut(statement, &mut |place, _| rename_place(place));
        }
        if let Some(Operand::Copy(place)) = terminator_operand_mut(&mut block.terminator) {
            rename_place(place);
        }
    }
}

fn index(local: Local) -> usize {
    u32::from(local.into_raw()) as usize
}
