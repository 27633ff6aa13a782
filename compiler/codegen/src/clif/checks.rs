//! Index checks, each made once.

use cranelift::prelude::*;
use cranelift_codegen::ir;
use rustc_hash::FxHashMap;
use vaisjit_abi::context::offsets;
use vaisjit_abi::trap::FAILED_CHECK;

use super::Translator;
use crate::mir::{BlockId, Const, Operand};

/// How many checks are remembered; chosen by feel.
const REMEMBERED: usize = 16;

/// What an index has been compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Const(i128),
    Value(Value),
}

/// The checks that have been passed on all ways to the place that is being translated. Values never change, so a check of
/// the same ones cannot fail.
#[derive(Default)]
pub(super) struct Checks {
    passed: Vec<(Value, Length)>,
    /// Those at the start of blocks that one edge leads to.
    at_start: FxHashMap<BlockId, Vec<(Value, Length)>>,
}

impl Checks {
    /// A block starts.
    pub(super) fn enter(&mut self, block: BlockId) {
        self.passed = self.at_start.remove(&block).unwrap_or_default();
    }

    /// The only edge to a block leads there from the block that has been translated.
    pub(super) fn leave(&mut self, to: BlockId) {
        if !self.passed.is_empty() {
            self.at_start.insert(to, self.passed.clone());
        }
    }

    /// Notes a check; has it been passed before?
    fn is_passed(&mut self, check: (Value, Length)) -> bool {
        let known = self.passed.contains(&check);
        if !known {
            if self.passed.len() == REMEMBERED {
                self.passed.remove(0);
            }
            self.passed.push(check);
        }
        known
    }
}

impl Translator<'_, '_> {
    /// Goes on if `0 <= index < length`; else both numbers are left in the call context, in a block out of the way. No call
    /// tells of them: its arguments would decide in which registers loops keep their values.
    pub(super) fn check_index(&mut self, index: &Operand, length: &Operand) {
        let (index, value) = (self.operand_value(index), self.operand_value(length));
        let length = match length {
            Operand::Const(Const::Int(number, _)) => Length::Const(*number),
            _ => Length::Value(value),
        };
        if self.checks.is_passed((index, length)) {
            return;
        }
        let inside = self.b.ins().icmp(IntCC::UnsignedLessThan, index, value);
        let (good, bad) = (self.b.create_block(), self.b.create_block());
        self.branch_away(inside, bad, good);
        self.b.seal_block(good);
        self.enter_cold(bad);
        self.show();
        for (at, value) in (0..).zip([index, value]) {
            self.store(value, self.context(offsets::FAILED_CHECK + 8 * at));
        }
        self.b.ins().trap(ir::TrapCode::unwrap_user(FAILED_CHECK));
        self.leave_cold(good);
    }
}
