//! Puts blocks, statements and temporaries into a body.

use la_arena::Arena;
use vaisjit_abi::TrapCode;
use vaisjit_semantics::{Ty, hir};
use vaisjit_syntax::{Name, Span};

use crate::mir::{
    Block, BlockId, Body, Const, Local, LocalDecl, Operand, Place, Rvalue, Statement, StatementKind, Terminator,
};

pub(super) struct Builder {
    pub body: Body,
    /// The block being filled.
    pub current: BlockId,
    /// The innermost loop, as an index of `Body::loops`.
    pub in_loop: Option<u32>,
    /// Where the next statement comes from.
    pub span: Span,
    /// Statements put at the start of the entry block at the end.
    at_entry: Vec<Statement>,
}

impl Builder {
    pub fn new(hir: &hir::Body) -> Builder {
        let mut body = Body {
            instance: hir.instance,
            item: hir.item,
            locals: Arena::new(),
            params: 0,
            blocks: Arena::new(),
            loops: Vec::new(),
            resumed: None,
            cleanup: None,
            cleans: None,
        };
        let result = if hir.result.is_unit() { Ty::unit() } else { hir.result };
        body.locals.alloc(LocalDecl {
            ty: result,
            name: None,
            in_memory: result.is_aggregate(),
            pinned: None,
            loan: false,
        });
        let span = hir.value.span;
        let current = body.blocks.alloc(open_block(None, span));
        Builder { body, current, in_loop: None, span, at_entry: Vec::new() }
    }

    pub fn finish(mut self) -> Body {
        let entry = self.body.blocks.iter().next().map(|(id, _)| id);
        if let Some(entry) = entry {
            self.body.blocks[entry].statements.splice(0..0, self.at_entry);
        }
        self.body
    }

    /// A new block of the innermost loop.
    pub fn block(&mut self) -> BlockId {
        self.body.blocks.alloc(open_block(self.in_loop, self.span))
    }

    /// Fills this block from now on.
    pub fn switch_to(&mut self, block: BlockId) {
        self.current = block;
    }

    /// Ends the current block; what follows before [`Builder::switch_to`] cannot be reached.
    pub fn end(&mut self, terminator: Terminator) {
        let block = &mut self.body.blocks[self.current];
        block.terminator = terminator;
        block.terminator_span = self.span;
        let unreachable = self.block();
        self.switch_to(unreachable);
    }

    /// Ends the current block and fills the target.
    pub fn goto(&mut self, target: BlockId) {
        self.jump(target);
        self.switch_to(target);
    }

    /// Ends the current block; the next thing must be [`Builder::switch_to`].
    pub fn jump(&mut self, target: BlockId) {
        self.close(Terminator::Goto(target));
    }

    /// Ends the current block on a condition; the next thing must be [`Builder::switch_to`].
    pub fn branch(&mut self, condition: Operand, then: BlockId, otherwise: BlockId) {
        self.close(Terminator::Branch { condition, then, otherwise });
    }

    /// Ends the current block; the next thing must be [`Builder::switch_to`].
    pub fn close(&mut self, terminator: Terminator) {
        let block = &mut self.body.blocks[self.current];
        block.terminator = terminator;
        block.terminator_span = self.span;
    }

    pub fn push(&mut self, kind: StatementKind) {
        let statement = Statement { kind, span: self.span };
        self.body.blocks[self.current].statements.push(statement);
    }

    pub fn push_at_entry(&mut self, kind: StatementKind) {
        self.at_entry.push(Statement { kind, span: self.span });
    }

    /// Drops what was put at the start of the entry block for some locals.
    pub fn forget_at_entry(&mut self, of: impl Fn(Local) -> bool) {
        self.at_entry.retain(|statement| match &statement.kind {
            StatementKind::Assign(place, _) | StatementKind::Zero(place) => !place.as_local().is_some_and(&of),
            _ => true,
        });
    }

    pub fn assign(&mut self, place: Place, value: Rvalue) {
        if !place.ty.is_unit() {
            self.push(StatementKind::Assign(place, value));
        }
    }

    /// A new temporary without a value.
    pub fn temp(&mut self, ty: Ty) -> Local {
        self.declare(ty, None)
    }

    pub fn declare(&mut self, ty: Ty, name: Option<Name>) -> Local {
        self.body.locals.alloc(LocalDecl { ty, name, in_memory: ty.is_aggregate(), pinned: None, loan: false })
    }

    /// The local stays in memory, where the cleanup of a call that a trap ends finds it.
    pub fn pin(&mut self, local: Local) {
        let declared = &mut self.body.locals[local];
        declared.in_memory = true;
        declared.pinned = Some(u32::from(local.into_raw()));
    }

    /// What the local is given belongs to somebody else.
    pub fn lend(&mut self, local: Local) {
        self.body.locals[local].loan = true;
    }

    pub fn temp_place(&mut self, ty: Ty) -> Place {
        Place::local(self.temp(ty), ty)
    }

    /// A new temporary with a value.
    pub fn value(&mut self, ty: Ty, value: Rvalue) -> Operand {
        let place = self.temp_place(ty);
        self.assign(place.clone(), value);
        Operand::Copy(place)
    }

    /// A scalar local that is not in memory and holds the operand's value.
    pub fn scalar_local(&mut self, operand: Operand) -> Local {
        if let Operand::Copy(place) = &operand
            && let Some(local) = place.as_local()
            && !self.body.locals[local].in_memory
        {
            return local;
        }
        let local = self.temp(operand.ty());
        self.assign(Place::local(local, operand.ty()), Rvalue::Use(operand));
        local
    }

    /// The same value in a form that no later statement changes.
    pub fn stable(&mut self, operand: Operand) -> Operand {
        match &operand {
            Operand::Const(_) => return operand,
            Operand::Copy(place) => {
                if let Some(local) = place.as_local()
                    && self.is_temp(local)
                {
                    return operand;
                }
            }
        }
        self.value(operand.ty(), Rvalue::Use(operand))
    }

    /// The same local if no later statement changes it, or a copy.
    pub fn stable_local(&mut self, local: Local) -> Local {
        if self.is_temp(local) {
            return local;
        }
        let ty = self.body.locals[local].ty;
        let copy = self.temp(ty);
        self.assign(Place::local(copy, ty), Rvalue::Use(Operand::local(local, ty)));
        copy
    }

    fn is_temp(&self, local: Local) -> bool {
        let declared = &self.body.locals[local];
        declared.name.is_none() && !declared.in_memory && local != self.body.local(Body::RESULT)
    }

    pub fn bool(value: bool) -> Operand {
        Operand::Const(Const::Int(i128::from(value), Ty::bool()))
    }
}

fn open_block(in_loop: Option<u32>, span: Span) -> Block {
    let terminator = Terminator::Trap(TrapCode::Unreachable, None);
    Block { statements: Vec::new(), terminator, terminator_span: span, in_loop }
}
