//! Calls of the library in which a thread waits for another one. The loop it waits in stands in the function that calls: there
//! a save finds it, as it finds any loop that runs, and the call itself comes when it need not wait any more.

use vaisjit_syntax::Span;

use super::Checker;
use super::library::is_library;
use crate::hir::{Expr, ExprKind, Stmt, UnaryOp};
use crate::index::DefId;
use crate::types::Ty;

/// Their module, and the method.
const MODULE: &str = "std/thread";
const METHOD: &str = "Channel.receive";
/// Tells whether it would not wait; and waits.
const READY: &str = "Channel.is_ready";
const WAIT: &str = "Channel.wait";

impl Checker<'_, '_> {
    /// Is it a method that may wait, called outside of the library?
    pub(super) fn may_wait(&self, id: DefId) -> bool {
        let path = self.world.def(id).path;
        let own = self.world.input.modules[self.scope.module as usize].name;
        path.module == MODULE && path.name == METHOD && !is_library(own)
    }

    /// Waits until a call with this receiver need not, then makes the call.
    pub(super) fn after_waiting(
        &mut self,
        receiver: Expr,
        span: Span,
        call: impl FnOnce(&mut Self, Expr) -> Expr,
    ) -> Expr {
        let mut statements = Vec::new();
        let receiver = match is_read_again(&receiver) {
            true => receiver,
            false => self.keep("{receiver}", receiver, &mut statements),
        };
        let ready = self.library_call(MODULE, READY, vec![receiver.clone()], span);
        let not_ready = self.make(ExprKind::Unary(UnaryOp::Not, ready), Ty::bool(), span);
        // Last in a turn, so that nothing of it comes behind: a save finds the thread before the next look.
        let wait = Stmt::Expr(self.library_call(MODULE, WAIT, vec![receiver.clone()], span));
        let body = self.make(ExprKind::Block(vec![wait], None), Ty::unit(), span);
        let id = self.loop_without_body();
        statements.push(Stmt::Expr(self.make(ExprKind::While(id, not_ready, body), Ty::unit(), span)));
        let value = call(self, receiver);
        let ty = value.ty;
        self.make(ExprKind::Block(statements, Some(value)), ty, span)
    }
}

/// May a place be read twice, to the same effect?
fn is_read_again(place: &Expr) -> bool {
    match &*place.kind {
        ExprKind::Local(_) | ExprKind::Global(_) => true,
        ExprKind::Field(of, _) | ExprKind::Deref(of) => is_read_again(of),
        _ => false,
    }
}
