//! The variables of the source whose values a trap report may show: scalars.
//!
//! Where code looks whether it has to trap, it stores what they hold on the way to the trap, in a block out of the way.
//! Where a memory access may fault there is no such way: there each variable is noted with the value that it is at that
//! place, and the report has those that the machine still holds.

use cranelift::prelude::*;
use cranelift_codegen::ir::{self, ValueLabel};
use rustc_hash::FxHashMap;
use vaisjit_abi::TrapCode;
use vaisjit_abi::context::{SHOWN, offsets};
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::locals::Home;
use super::place::index_of;
use super::types::machine_type;
use super::{Translator, trap_code};
use crate::info::{cold, warm};
use crate::mir::known::Known;
use crate::mir::visit::statement_places;
use crate::mir::{BlockId, Body, Local, PlaceBase, Rvalue, Statement, StatementKind, Terminator};

/// A variable whose value a report may show.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NamedValue {
    /// Its number in the body.
    pub local: u32,
    /// Its name in the source.
    pub name: Name,
    /// Its type.
    pub ty: Ty,
}

/// The variables of a body, parameters first.
pub(super) fn named(body: &Body) -> Vec<NamedValue> {
    let shown = body.locals.iter().filter(|(_, declared)| {
        let shows = matches!(declared.ty.kind(), TyKind::Int(_) | TyKind::Float(_) | TyKind::Bool | TyKind::Pointer(_));
        shows && machine_type(declared.ty).is_some_and(|ty| ty.bytes() <= 8)
    });
    let value = |(local, name): (Local, Name)| {
        (!name.starts_with('{')).then(|| NamedValue { local: index_of(local) as u32, name, ty: body.locals[local].ty })
    };
    shown.filter_map(|(local, declared)| value((local, declared.name?))).collect()
}

/// What a variable is at a place where memory may be faulty.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NamedAt {
    /// The number of the place.
    pub location: u32,
    /// Which one of the named variables.
    pub named: u32,
    /// What code tables know its value there by.
    pub label: u32,
}

/// The variables that have a value at the place that is being translated.
#[derive(Default)]
pub(super) struct Shown {
    known: Known,
    /// By their bits, which are their numbers among the named ones.
    locals: Vec<Local>,
    /// Does code store them on its way to a trap?
    stores: bool,
    now: u32,
    /// Those that have one at the end of all blocks that lead to a block which only traps, so far.
    before: FxHashMap<BlockId, u32>,
    /// Values at places where memory may be faulty: the number of the place, the bit.
    faults: Vec<(u32, u32, Value)>,
}

impl Shown {
    pub(super) fn of(body: &Body, named: &[NamedValue], stores: bool) -> Shown {
        let locals: Vec<Local> = named.iter().take(SHOWN).map(|named| body.local(named.local)).collect();
        // The report takes what a cleanup stores for the variables of its function.
        if locals.is_empty() || body.cleans.is_some() {
            return Shown::default();
        }
        Shown { known: Known::of(body, &locals), locals, stores, ..Shown::default() }
    }

    /// A block starts. A block that only traps wants nothing: it shows what was known before it.
    pub(super) fn enter(&mut self, body: &Body, block: BlockId) {
        self.now = self.known.at_start(block);
        if matches!(body.blocks[block].terminator, Terminator::Trap(..)) {
            self.now |= self.before.get(&block).copied().unwrap_or(0);
        }
    }

    pub(super) fn after(&mut self, statement: &Statement) {
        if !self.locals.is_empty() {
            self.now |= self.known.written(statement);
        }
    }

    /// An edge leads from the block that has been translated to another.
    pub(super) fn leave(&mut self, to: BlockId) {
        let now = self.now;
        self.before.entry(to).and_modify(|before| *before &= now).or_insert(now);
    }
}

impl Translator<'_, '_> {
    /// Stores what variables hold, on the way to a trap.
    pub(super) fn show(&mut self) {
        if !self.shown.stores || self.shown.now == 0 {
            return;
        }
        for (bit, local) in self.known_now() {
            let value = self.local_value(local);
            self.store(value, self.context(offsets::SHOWN + 8 * bit as i32));
        }
        let mask = self.b.ins().iconst(types::I64, i64::from(self.shown.now));
        self.store(mask, self.context(offsets::SHOWN_MASK));
    }

    fn known_now(&self) -> Vec<(u32, Local)> {
        let numbered = (0..).zip(self.shown.locals.iter().copied());
        numbered.filter(|(bit, _)| self.shown.now & 1 << bit != 0).collect()
    }

    /// Traps if a value is zero.
    pub(super) fn trap_if_zero(&mut self, value: Value, code: TrapCode) {
        if !self.shown.stores || self.shown.now == 0 {
            self.b.ins().trapz(value, trap_code(code));
            return;
        }
        let (good, bad) = (self.b.create_block(), self.b.create_block());
        self.branch_away(value, bad, good);
        self.b.seal_block(good);
        self.enter_cold(bad);
        self.show();
        self.b.ins().trap(trap_code(code));
        self.leave_cold(good);
    }

    /// Goes on in a block out of the way.
    pub(super) fn enter_cold(&mut self, block: ir::Block) {
        self.b.set_cold_block(block);
        self.go_on(block);
        self.b.set_srcloc(cold(self.b.srcloc()));
    }

    /// Goes on in a block that is not.
    pub(super) fn leave_cold(&mut self, block: ir::Block) {
        self.b.switch_to_block(block);
        self.b.set_srcloc(warm(self.b.srcloc()));
    }

    /// A statement or terminator is translated: notes what variables are, if it may fault.
    pub(super) fn note_values(&mut self, location: u32, may_fault: bool) {
        if !may_fault || self.shown.now == 0 {
            return;
        }
        for (bit, local) in self.known_now() {
            if let Home::Value(variable) = self.homes[index_of(local)] {
                let value = self.b.use_var(variable);
                self.shown.faults.push((location, bit, value));
            }
        }
    }

    /// Labels the values that were noted. At the end, when it is clear which of them are the same.
    pub(super) fn label_values(&mut self) {
        let mut labels: FxHashMap<Value, u32> = FxHashMap::default();
        for (location, named, value) in std::mem::take(&mut self.shown.faults) {
            let value = self.b.func.dfg.resolve_aliases(value);
            let next = labels.len() as u32;
            let label = *labels.entry(value).or_insert(next);
            if label == next {
                self.b.set_val_label(value, ValueLabel::from_u32(label));
            }
            self.frame.faults.push(NamedAt { location, named, label });
        }
    }
}

/// Does a statement touch memory whose address the program made?
pub(super) fn may_fault(statement: &Statement) -> bool {
    let mut found = matches!(
        statement.kind,
        StatementKind::CopyBytes { .. } | StatementKind::Assign(_, Rvalue::LoadAt(..)) | StatementKind::Call(_)
    );
    statement_places(statement, &mut |place, _| found |= matches!(place.base, PlaceBase::Deref(..)));
    found
}
