//! `D`: blocks that run when the function ends, the last one registered first.
//!
//! Every `D` counts how often it was reached; the function's one exit runs each block as often, the last `D` of the
//! source first. So the order among several `D`s of one loop is by `D`, then by turn.

use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, Expr};
use vaisjit_syntax::Name;

use super::visible::Origin;
use super::{Lowerer, Result};
use crate::mir::{Operand, Place, Rvalue, StatementKind, Terminator};

/// The name of the result where deferred blocks run.
const RESULT: &str = "{result}";

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
        for place in std::mem::take(&mut self.late).iter().rev() {
            self.release(place);
        }
        self.b.end(Terminator::Return);
        Ok(())
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
