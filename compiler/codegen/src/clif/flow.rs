//! Control flow: blocks in reverse postorder, terminators, and checks with cold ends.

use cranelift::frontend::Switch;
use cranelift::prelude::*;
use cranelift_codegen::ir;
use cranelift_codegen::ir::condcodes::CondCode;
use rustc_hash::FxHashSet;
use vaisjit_abi::TrapCode as Trap;

use super::named::may_fault;
use super::{TRAP_MESSAGE, Translator, trap_code};
use crate::mir::visit::terminator_operand;
use crate::mir::{BlockId, Operand, PlaceBase, Terminator};

/// A reachable block of the body.
#[derive(Clone, Copy)]
pub(crate) struct BlockState {
    block: ir::Block,
    /// Edges into it that are not translated yet.
    missing: u32,
    /// All of them.
    edges: u32,
    /// Number of the location of its first statement.
    first_location: u32,
}

fn number(block: BlockId) -> usize {
    block.into_raw().into_u32() as usize
}

impl Translator<'_, '_> {
    /// Translates the whole body.
    pub(crate) fn function(&mut self, descriptor: u32) {
        debug_assert!(self.frame.locals.is_empty() || self.frame.size >= 16);
        let order = self.reverse_postorder();
        let entry = self.b.create_block();
        self.b.append_block_params_for_function_params(entry);
        self.b.switch_to_block(entry);
        self.b.seal_block(entry);
        self.prologue(entry, descriptor);
        if let Some(first) = order.first() {
            let first = self.state(*first).block;
            self.b.ins().jump(first, &[]);
            self.b.seal_block(first);
        }
        for id in order {
            self.block(id);
        }
        self.label_values();
    }

    fn state(&self, id: BlockId) -> BlockState {
        // A block without a state would be one that the search from the entry has not seen.
        self.blocks[number(id)].expect("a block that an edge leads to")
    }

    /// Gives every reachable block its state and returns them so that most edges lead forward.
    fn reverse_postorder(&mut self) -> Vec<BlockId> {
        let mut locations = Vec::with_capacity(self.body.blocks.len());
        let mut location = 1 + self.body.cleans.unwrap_or(0);
        for (_, block) in self.body.blocks.iter() {
            locations.push(location);
            location += block.statements.len() as u32 + 1;
        }
        self.blocks = vec![None; self.body.blocks.len()];
        let mut order = Vec::with_capacity(self.body.blocks.len());
        let Some((entry, _)) = self.body.blocks.iter().next() else { return order };
        let mut stack = vec![(entry, 0)];
        self.enter(entry, &locations);
        while let Some((id, next)) = stack.pop() {
            let successor = successor(&self.body.blocks[id].terminator, next);
            let Some(successor) = successor else {
                order.push(id);
                continue;
            };
            stack.push((id, next + 1));
            if self.blocks[number(successor)].is_none() {
                self.enter(successor, &locations);
                stack.push((successor, 0));
            }
            if let Some(state) = &mut self.blocks[number(successor)] {
                state.missing += 1;
                state.edges += 1;
            }
        }
        order.reverse();
        order
    }

    fn enter(&mut self, id: BlockId, locations: &[u32]) {
        let block = self.b.create_block();
        self.blocks[number(id)] =
            Some(BlockState { block, missing: 0, edges: 0, first_location: locations[number(id)] });
    }

    fn block(&mut self, id: BlockId) {
        let state = self.state(id);
        let block = &self.body.blocks[id];
        self.b.switch_to_block(state.block);
        self.in_loop = block.in_loop;
        self.shown.enter(self.body, id);
        self.checks.enter(id);
        for (index, statement) in block.statements.iter().enumerate() {
            let location = state.first_location + index as u32;
            self.b.set_srcloc(ir::SourceLoc::new(location));
            self.note_values(location, may_fault(statement));
            self.statement(statement);
            self.shown.after(statement);
        }
        let location = state.first_location + block.statements.len() as u32;
        self.b.set_srcloc(ir::SourceLoc::new(location));
        if matches!(block.terminator, Terminator::Trap(..)) {
            self.b.set_cold_block(state.block);
        }
        let derefs =
            |operand: &Operand| matches!(operand, Operand::Copy(place) if matches!(place.base, PlaceBase::Deref(..)));
        self.note_values(location, terminator_operand(&block.terminator).is_some_and(derefs));
        self.terminator(&block.terminator);
        let mut next = 0;
        while let Some(to) = successor(&block.terminator, next) {
            self.edge_done(to);
            self.shown.leave(to);
            if self.state(to).edges == 1 {
                self.checks.leave(to);
            }
            next += 1;
        }
    }

    fn edge_done(&mut self, to: BlockId) {
        let Some(state) = &mut self.blocks[number(to)] else { return };
        state.missing -= 1;
        if state.missing == 0 {
            self.b.seal_block(state.block);
        }
    }

    fn terminator(&mut self, terminator: &Terminator) {
        match terminator {
            Terminator::Goto(to) => {
                let to = self.state(*to).block;
                self.b.ins().jump(to, &[]);
            }
            Terminator::Branch { condition, then, otherwise } => {
                let condition = self.operand_value(condition);
                self.locate_branch(*then, *otherwise);
                let in_order = self.leaves(*then) || !self.leaves(*otherwise);
                let (then, otherwise) = (self.state(*then).block, self.state(*otherwise).block);
                if in_order {
                    self.b.ins().brif(condition, then, &[], otherwise, &[]);
                } else {
                    self.branch_away(condition, otherwise, then);
                }
            }
            Terminator::Switch { value, cases, default } => self.switch(value, cases, *default),
            Terminator::Return => self.return_(),
            Terminator::Trap(code, message) => self.trap(*code, message.as_ref()),
        }
    }

    /// Branches to `away` unless the condition holds.
    ///
    /// Cranelift puts the second block of a branch next and the first one, with what only it leads to, far behind. So the ways
    /// out of a loop and to traps are no part of the loop: neither where its code lies nor for the allocator of registers,
    /// which takes what lies between a loop's head and its end for as frequent as the loop.
    pub(super) fn branch_away(&mut self, unless: Value, away: ir::Block, next: ir::Block) {
        let condition = self.opposite(unless);
        self.b.ins().brif(condition, away, &[], next, &[]);
    }

    /// Zero becomes not zero. A comparison made in this block is made the other way round.
    fn opposite(&mut self, condition: Value) -> Value {
        let condition = self.b.func.dfg.resolve_aliases(condition);
        let made = self.b.func.dfg.value_def(condition).inst();
        let here = made.filter(|inst| self.b.func.layout.inst_block(*inst) == self.b.current_block());
        match here.map(|inst| self.b.func.dfg.insts[inst]) {
            Some(ir::InstructionData::IntCompare { cond, args: [a, b], .. }) => {
                self.b.ins().icmp(cond.complement(), a, b)
            }
            Some(ir::InstructionData::FloatCompare { cond, args: [a, b], .. }) => {
                self.b.ins().fcmp(cond.complement(), a, b)
            }
            _ => self.b.ins().icmp_imm_u(IntCC::Equal, condition, 0),
        }
    }

    /// Does this edge out of the current block lead out of its loop, at the latest with the block after the next?
    fn leaves(&self, to: BlockId) -> bool {
        let block = &self.body.blocks[to];
        let next = match &block.terminator {
            Terminator::Return | Terminator::Trap(..) => return self.in_loop.is_some(),
            Terminator::Goto(next) => self.body.blocks[*next].in_loop,
            _ => block.in_loop,
        };
        self.in_loop.is_some_and(|here| !self.is_within(block.in_loop, here) || !self.is_within(next, here))
    }

    /// Is a loop this one, or in it?
    fn is_within(&self, mut inner: Option<u32>, outer: u32) -> bool {
        while let Some(number) = inner.filter(|number| *number != outer) {
            inner = self.body.loops.get(number as usize).and_then(|info| info.parent);
        }
        inner.is_some()
    }

    /// Cranelift makes one trapping instruction of a branch to a block that only traps; it has the branch's location,
    /// which therefore must be the trap's.
    fn locate_branch(&mut self, then: BlockId, otherwise: BlockId) {
        let traps = |id: &BlockId| {
            let block = &self.body.blocks[*id];
            block.statements.is_empty() && matches!(block.terminator, Terminator::Trap(_, None))
        };
        if let Some(trap) = [then, otherwise].iter().find(|id| traps(id)) {
            self.b.set_srcloc(ir::SourceLoc::new(self.state(*trap).first_location));
        }
    }

    fn switch(&mut self, value: &Operand, cases: &[(u64, BlockId)], default: BlockId) {
        let value = self.operand_value(value);
        let largest = self.b.func.dfg.value_type(value).bounds(false).1;
        let mut seen = FxHashSet::default();
        let mut switch = Switch::new();
        for (case, to) in cases {
            if u128::from(*case) <= largest && seen.insert(*case) {
                switch.set_entry(u128::from(*case), self.state(*to).block);
            }
        }
        let default = self.state(default).block;
        switch.emit(&mut self.b, value, default);
    }

    /// Stops; a message is handed to the host first.
    fn trap(&mut self, code: Trap, message: Option<&Operand>) {
        self.show();
        if let Some(message) = message {
            let number = self.b.ins().iconst(types::I64, i64::from(code as u8));
            let message = self.operand_value(message);
            self.call_trap_function(TRAP_MESSAGE, &[number, message]);
        }
        self.b.ins().trap(trap_code(code));
    }
}

/// The `n`th edge out of a block.
fn successor(terminator: &Terminator, n: usize) -> Option<BlockId> {
    match terminator {
        Terminator::Goto(to) => (n == 0).then_some(*to),
        Terminator::Branch { then, otherwise, .. } => [*then, *otherwise].get(n).copied(),
        Terminator::Switch { default, .. } if n == 0 => Some(*default),
        Terminator::Switch { cases, .. } => cases.get(n - 1).map(|case| case.1),
        Terminator::Return | Terminator::Trap(..) => None,
    }
}
