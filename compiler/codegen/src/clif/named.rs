//! The variables of the source whose values a trap report may show: scalars.
//!
//! Where code looks whether it has to trap, it stores what they hold on the way to the trap, in a block out of the way
//! ([`Shown`]). Where a memory access faults there is no such way: there the report has those that get one value only, so
//! that wherever the machine still holds it, it is the right one.

use cranelift::prelude::*;
use cranelift_codegen::ir::ValueLabel;
use rustc_hash::FxHashMap;
use vaisjit_abi::TrapCode;
use vaisjit_abi::context::{SHOWN, offsets};
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::place::index_of;
use super::types::machine_type;
use super::{Translator, trap_code};
use crate::mir::known::Known;
use crate::mir::visit::{Access, block_places};
use crate::mir::{BlockId, Body, Local, Statement, Terminator};

/// A variable whose value may be found in the machine.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NamedValue {
    /// What code tables know it by.
    pub label: u32,
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
        (!name.starts_with('{')).then(|| NamedValue { label: index_of(local) as u32, name, ty: body.locals[local].ty })
    };
    shown.filter_map(|(local, declared)| value((local, declared.name?))).collect()
}

/// Which locals get one value only and hold it in registers.
pub(super) fn written_once(body: &Body) -> Vec<bool> {
    let mut written = vec![0u32; body.locals.len()];
    written[1..=body.params as usize].fill(1);
    for block in body.blocks.values() {
        block_places(block, &mut |place, access| {
            if let (Some(local), Access::Write) = (place.as_local(), access) {
                written[index_of(local)] += 1;
            }
        });
    }
    body.locals.iter().map(|(local, declared)| written[index_of(local)] == 1 && !declared.in_memory).collect()
}

/// The variables that code stores on its way to a trap.
#[derive(Default)]
pub(super) struct Shown {
    known: Known,
    /// By their bits, which are their numbers among the named ones.
    locals: Vec<Local>,
    /// Those that have a value at the place that is being translated.
    now: u32,
    /// Those that have one at the end of all blocks that lead to a block which only traps, so far.
    before: FxHashMap<BlockId, u32>,
}

impl Shown {
    pub(super) fn of(body: &Body, named: &[NamedValue]) -> Shown {
        let locals: Vec<Local> = named.iter().take(SHOWN).map(|named| body.local(named.label)).collect();
        // The report takes what a cleanup stores for the variables of its function.
        if locals.is_empty() || body.cleans.is_some() {
            return Shown::default();
        }
        Shown { known: Known::of(body, &locals), locals, now: 0, before: FxHashMap::default() }
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
        let shown: Vec<(usize, Local)> = (self.shown.locals.iter().copied().enumerate())
            .filter(|(bit, _)| self.shown.now & 1 << bit != 0)
            .collect();
        if shown.is_empty() {
            return;
        }
        for (bit, local) in shown {
            let value = self.local_value(local);
            self.store(value, self.context(offsets::SHOWN + 8 * bit as i32));
        }
        let mask = self.b.ins().iconst(types::I64, i64::from(self.shown.now));
        self.store(mask, self.context(offsets::SHOWN_MASK));
    }

    /// Traps if a value is zero.
    pub(super) fn trap_if_zero(&mut self, value: Value, code: TrapCode) {
        if self.shown.now == 0 {
            self.b.ins().trapz(value, trap_code(code));
            return;
        }
        let (good, bad) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(bad);
        self.b.ins().brif(value, good, &[], bad, &[]);
        self.b.seal_block(good);
        self.b.seal_block(bad);
        self.b.switch_to_block(bad);
        self.show();
        self.b.ins().trap(trap_code(code));
        self.b.switch_to_block(good);
    }

    /// A local in registers gets a value.
    pub(super) fn label(&mut self, local: Local, value: Value) {
        if self.once[index_of(local)] && self.frame.named.iter().any(|named| named.label == index_of(local) as u32) {
            self.b.set_val_label(value, ValueLabel::from_u32(index_of(local) as u32));
        }
    }
}
