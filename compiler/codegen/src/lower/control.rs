//! Branches: conditions with short-circuits, if and else.

use vaisjit_semantics::hir::{Expr, ExprKind, UnaryOp};

use super::owned::ScopeKind;
use super::{Lowerer, Result};
use crate::mir::{BlockId, Place};

impl<'a> Lowerer<'a> {
    /// Goes to `yes` or `no` by a condition; the next thing must be a switch to a block.
    pub(super) fn branch_on(&mut self, condition: &'a Expr, yes: BlockId, no: BlockId) -> Result {
        let outer = std::mem::replace(&mut self.b.span, condition.span);
        match &*condition.kind {
            ExprKind::And(left, right) => {
                let next = self.b.block();
                self.branch_on(left, next, no)?;
                self.b.switch_to(next);
                self.branch_on(right, yes, no)?;
            }
            ExprKind::Or(left, right) => {
                let next = self.b.block();
                self.branch_on(left, yes, next)?;
                self.b.switch_to(next);
                self.branch_on(right, yes, no)?;
            }
            ExprKind::Unary(UnaryOp::Not, inner) => self.branch_on(inner, no, yes)?,
            ExprKind::Bool(value) => self.b.jump(if *value { yes } else { no }),
            _ => {
                self.enter_scope(ScopeKind::Branch);
                let condition = self.operand(condition)?;
                let condition = if self.owns() { self.b.stable(condition) } else { condition };
                self.leave_scope();
                self.b.branch(condition, yes, no);
            }
        }
        self.b.span = outer;
        Ok(())
    }

    pub(super) fn if_else(
        &mut self,
        condition: &'a Expr,
        then: &'a Expr,
        otherwise: Option<&'a Expr>,
        dest: Option<&Place>,
    ) -> Result {
        let (yes, join) = (self.b.block(), self.b.block());
        let no = if otherwise.is_some() { self.b.block() } else { join };
        self.branch_on(condition, yes, no)?;
        self.b.switch_to(yes);
        self.branch(then, dest)?;
        self.b.jump(join);
        if let Some(otherwise) = otherwise {
            self.b.switch_to(no);
            self.branch(otherwise, dest)?;
            self.b.jump(join);
        }
        self.b.switch_to(join);
        Ok(())
    }
}
