//! `D`: blocks that run when the function ends, the last one registered first.
//!
//! Every `D` counts how often it was reached; the function's one exit runs each block as often, the last `D` of the
//! source first. So the order among several `D`s of one loop is by `D`, then by turn.
//!
//! The *cleanup* of a function is the same body with another entry: it goes to that exit at once. The runtime calls it for
//! calls that a trap has ended. What it needs, the counters and the variables that deferred blocks name, is pinned: it
//! lies in the block on the data stack from the start.

use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, Expr};
use vaisjit_syntax::Name;

use super::visible::Origin;
use super::{Lowerer, Result};
use crate::mir::{BlockId, Body, Operand, Place, Rvalue, StatementKind, Terminator};

/// The name of the result where deferred blocks run.
const RESULT: &str = "{result}";
/// Has what deferred blocks name been given up?
const RELEASED: &str = "{released}";

pub(super) struct Deferred<'a> {
    body: &'a Expr,
    /// How often it is still to run: an `i64`.
    pending: Place,
    /// Can it be reached more than once?
    repeated: bool,
}

impl<'a> Lowerer<'a> {
    pub(super) fn defer(&mut self, body: &'a Expr) {
        let number = self.deferred_blocks.iter().position(|known| std::ptr::eq(*known, body)).unwrap_or_default();
        let name = Name::new(&format!("{{defer.{number}}}"));
        let counter = self.b.declare(Ty::i64(), Some(name));
        self.b.pin(counter);
        self.show(name, counter, Origin::Reached);
        self.show_always((name, None), counter);
        let pending = Place::local(counter, Ty::i64());
        self.b.push_at_entry(StatementKind::Assign(pending.clone(), Rvalue::Use(Operand::int(0))));
        let repeated = !self.loops.is_empty();
        let count = match repeated {
            true => Rvalue::Binary(BinaryOp::Add, Operand::Copy(pending.clone()), Operand::int(1)),
            false => Rvalue::Use(Operand::int(1)),
        };
        self.b.assign(pending.clone(), count);
        self.defers.push(Deferred { body, pending, repeated });
    }

    /// The exit of a function with deferred blocks.
    pub(super) fn run_defers(&mut self) -> Result {
        let Some(epilogue) = self.epilogue else { return Ok(()) };
        self.b.switch_to(epilogue);
        debug_assert!(self.scopes.is_empty(), "deferred blocks run when all else has ended");
        if let Some(result) = self.result_place().and_then(|place| place.as_local()) {
            self.show(RESULT.into(), result, Origin::Given);
        }
        while let Some(deferred) = self.defers.pop() {
            self.run_deferred(deferred)?;
        }
        self.epilogue = None;
        self.late_owners.extend(self.late.iter().filter_map(Place::as_local));
        self.release_late();
        self.b.end(Terminator::Return);
        Ok(())
    }

    /// Gives up what deferred blocks have named, once: should a trap come in between, the cleanup leaves the rest alone.
    fn release_late(&mut self) {
        let late = std::mem::take(&mut self.late);
        if late.is_empty() {
            return;
        }
        let local = self.b.declare(Ty::i64(), Some(RELEASED.into()));
        self.b.pin(local);
        let released = Place::local(local, Ty::i64());
        self.b.push_at_entry(StatementKind::Assign(released.clone(), Rvalue::Use(Operand::int(0))));
        let (first, done) = (self.b.block(), self.b.block());
        let equal = Rvalue::Binary(BinaryOp::Eq, Operand::Copy(released.clone()), Operand::int(0));
        let is_first = self.b.value(Ty::bool(), equal);
        self.b.branch(is_first, first, done);
        self.b.switch_to(first);
        self.b.assign(released, Rvalue::Use(Operand::int(1)));
        late.iter().rev().for_each(|place| self.release(place));
        self.b.jump(done);
        self.b.switch_to(done);
    }

    fn run_deferred(&mut self, deferred: Deferred<'a>) -> Result {
        let (test, run, done) = (self.b.block(), self.b.block(), self.b.block());
        self.b.goto(test);
        let pending = Operand::Copy(deferred.pending.clone());
        let more = self.b.value(Ty::bool(), Rvalue::Binary(BinaryOp::Gt, pending.clone(), Operand::int(0)));
        self.b.branch(more, run, done);
        self.b.switch_to(run);
        let fewer = Rvalue::Binary(BinaryOp::Sub, pending, Operand::int(1));
        self.b.assign(deferred.pending.clone(), fewer);
        // A return inside a deferred block ends that block.
        let again = if deferred.repeated { test } else { done };
        self.epilogue = Some(again);
        self.branch(deferred.body, None)?;
        self.b.jump(again);
        self.b.switch_to(done);
        Ok(())
    }
}

/// The cleanup of a body whose deferred blocks are run from `epilogue` on.
pub(super) fn cleanup(body: &Body, epilogue: BlockId) -> Body {
    let mut cleanup = Body { params: 0, resumed: None, cleans: Some(0), ..body.clone() };
    for (index, (_, block)) in cleanup.blocks.iter_mut().enumerate() {
        if index == 0 {
            block.statements.clear();
            block.terminator = Terminator::Goto(epilogue);
        }
        for statement in &mut block.statements {
            // Nobody makes a loop of it go on in other code.
            if let StatementKind::Safepoint(carried) = &mut statement.kind {
                *carried = Box::default();
            }
        }
    }
    cleanup
}
