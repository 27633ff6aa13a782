//! Loops but those over a range: endless, while, over an array or slice; break and continue.

use vaisjit_semantics::hir::{BinaryOp, CastKind, Expr, LoopId, Pattern};
use vaisjit_semantics::types::IntKind;
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::owned::ScopeKind;
use super::visible::Origin;
use super::{LoopFrame, Lowerer, Result, scan};
use crate::mir::visit::address_locals_mut;
use crate::mir::{BlockId, Local, LoopInfo, Operand, Place, PlaceBase, Projection, Rvalue};
use crate::resume;

/// Call-free loops of at most so many turns carry no safepoint.
pub(super) const SHORT: i128 = 64;

/// The blocks of a loop that is open.
pub(super) struct OpenLoop {
    pub header: BlockId,
    /// Where `C` goes: ends in the back-edge.
    pub latch: BlockId,
    /// Where `B` goes.
    pub exit: BlockId,
    pub polled: bool,
    outer: Option<u32>,
}

impl<'a> Lowerer<'a> {
    /// Opens a loop: `header` and what is made from now on belongs to it.
    pub(super) fn open_loop(&mut self, id: LoopId, polled: bool, result: Option<&Place>) -> OpenLoop {
        let polled = polled && self.options.hot;
        let exit = self.b.block();
        let outer = self.b.in_loop;
        let index = self.b.body.loops.len() as u32;
        self.b.in_loop = Some(index);
        let (header, latch) = (self.b.block(), self.b.block());
        self.b.body.loops.push(LoopInfo { id, parent: outer, header, polled });
        self.loops.push(LoopFrame {
            id,
            break_to: exit,
            continue_to: latch,
            result: result.cloned(),
            scopes: self.scopes.len(),
        });
        self.meet_loop(id, header);
        OpenLoop { header, latch, exit, polled, outer }
    }

    /// Goes on at the loop's header, and polls there: what is handed over has its place for the turn already, and nothing
    /// is computed for the poll only.
    pub(super) fn enter_header(&mut self, open: &OpenLoop) {
        self.b.goto(open.header);
        self.head(open);
    }

    /// The start of the header.
    pub(super) fn head(&mut self, open: &OpenLoop) {
        if open.polled {
            self.poll();
        }
    }

    /// The way back to the header, from the current block.
    pub(super) fn back_edge(&mut self, open: &OpenLoop) {
        self.b.jump(open.header);
    }

    /// Closes the loop and goes on behind it.
    pub(super) fn close_loop(&mut self, open: OpenLoop) {
        self.loops.pop();
        self.b.in_loop = open.outer;
        self.b.switch_to(open.exit);
    }

    pub(super) fn endless(&mut self, id: LoopId, body: &'a Expr, dest: Option<&Place>) -> Result {
        let open = self.open_loop(id, true, dest);
        self.enter_header(&open);
        self.branch(body, None)?;
        self.b.goto(open.latch);
        self.back_edge(&open);
        self.close_loop(open);
        Ok(())
    }

    pub(super) fn while_loop(&mut self, id: LoopId, condition: &'a Expr, body: &'a Expr) -> Result {
        let open = self.open_loop(id, true, None);
        self.enter_header(&open);
        let turn = self.b.block();
        self.branch_on(condition, turn, open.exit)?;
        self.b.switch_to(turn);
        self.branch(body, None)?;
        self.b.goto(open.latch);
        self.back_edge(&open);
        self.close_loop(open);
        Ok(())
    }

    pub(super) fn for_each(&mut self, id: LoopId, pattern: &'a Pattern, over: &'a Expr, body: &'a Expr) -> Result {
        if let TyKind::Vec(of) = *over.ty.kind() {
            return self.for_each_of_vec(id, (pattern, of), over, body);
        }
        let label = resume::label(pattern, self.hir);
        let shown = self.shown();
        let place = self.place(over)?;
        let place = self.kept_place(id, place, &label);
        let (length, short) = match *over.ty.kind() {
            TyKind::Array(_, length) => (Operand::int(length as i64), i128::from(length) <= SHORT),
            TyKind::Slice(_) => (Operand::Copy(self.field(&place, 1)), false),
            _ => return self.unsupported(format!("a loop over `{}`", over.ty)),
        };
        let length = match length {
            Operand::Const(_) => length,
            length => self.iterator_state(id, &format!("{{{label}.end}}"), length, Origin::Given),
        };
        let source = self.element_source(id, over, place, &label);
        let at = self.iterator_state(id, &format!("{{{label}.at}}"), Operand::int(0), Origin::Zero);
        let guarded = self.resumes_in(id, body);
        let open = self.open_loop(id, !short || scan::calls(body), None);
        self.enter_header(&open);
        let turn = self.b.block();
        let more = self.has_more(&at, length, guarded);
        self.b.branch(more, turn, open.exit);
        self.b.switch_to(turn);
        let index = self.b.scalar_local(at.clone());
        let element = self.element_at(source, index);
        self.turn_with(pattern, &element, self.steady(over) || !scan::may_free(body), body)?;
        self.b.goto(open.latch);
        let next = Rvalue::Binary(BinaryOp::Add, at, Operand::int(1));
        self.b.assign(Place::local(index, Ty::i64()), next);
        self.back_edge(&open);
        self.close_loop(open);
        self.hide_from(shown);
        Ok(())
    }

    /// Is the element at this index there? A counter carried over from another kind of loop may be negative.
    fn has_more(&mut self, at: &Operand, length: Operand, guarded: bool) -> Operand {
        let unsigned = Ty::int(IntKind::U64);
        let [at, length] = [at.clone(), length].map(|operand| match guarded {
            true => self.b.value(unsigned, Rvalue::Cast(CastKind::IntToInt, operand, unsigned)),
            false => operand,
        });
        self.b.value(Ty::bool(), Rvalue::Binary(BinaryOp::Lt, at, length))
    }

    /// A turn of a loop over elements.
    fn turn_with(&mut self, pattern: &'a Pattern, element: &Place, steady: bool, body: &'a Expr) -> Result {
        self.enter_scope(ScopeKind::Branch);
        self.bind(pattern, element)?;
        self.own_names(pattern, steady);
        self.show_pattern(pattern, Origin::Given);
        self.lower(body, None)?;
        self.leave_scope();
        Ok(())
    }

    /// Length and elements are looked up every turn: the body may change the `Vec`.
    fn for_each_of_vec(&mut self, id: LoopId, each: (&'a Pattern, Ty), over: &'a Expr, body: &'a Expr) -> Result {
        let (pattern, of) = each;
        let label = resume::label(pattern, self.hir);
        self.enter_scope(ScopeKind::Branch);
        let vec = self.held_operand(over)?;
        let vec = self.iterator_state(id, &format!("{{{label}.of}}"), vec, Origin::Given);
        let at = self.iterator_state(id, &format!("{{{label}.at}}"), Operand::int(0), Origin::Zero);
        let guarded = self.resumes_in(id, body);
        let open = self.open_loop(id, true, None);
        self.enter_header(&open);
        let turn = self.b.block();
        let length = self.vec_length(vec.clone());
        let more = self.has_more(&at, length, guarded);
        self.b.branch(more, turn, open.exit);
        self.b.switch_to(turn);
        let element = self.vec_element(vec, at.clone(), of);
        self.turn_with(pattern, &element, !scan::may_free(body), body)?;
        self.b.goto(open.latch);
        let index = self.b.scalar_local(at.clone());
        self.b.assign(Place::local(index, Ty::i64()), Rvalue::Binary(BinaryOp::Add, at, Operand::int(1)));
        self.back_edge(&open);
        self.close_loop(open);
        self.leave_scope();
        Ok(())
    }

    /// A hidden local that outlives a turn.
    pub(super) fn iterator_state(&mut self, id: LoopId, name: &str, value: Operand, from: Origin<'a>) -> Operand {
        let ty = value.ty();
        let local = self.b.declare(ty, Some(Name::new(name)));
        self.b.assign(Place::local(local, ty), Rvalue::Use(value));
        self.show_state(id, Name::new(name), local, from);
        Operand::local(local, ty)
    }

    /// The same place, found through hidden locals that no statement of the body changes.
    fn kept_place(&mut self, id: LoopId, mut place: Place, label: &str) -> Place {
        let mut number = 0;
        address_locals_mut(&mut place, &mut |local| {
            let operand = Operand::local(*local, self.b.body.locals[*local].ty);
            let kept = self.iterator_state(id, &format!("{{{label}.in.{number}}}"), operand, Origin::Given);
            *local = self.b.scalar_local(kept);
            number += 1;
        });
        if let PlaceBase::Local(local) = place.base
            && self.b.body.locals[local].name.is_none()
        {
            self.show_state(id, Name::new(&format!("{{{label}.of}}")), local, Origin::Given);
        }
        place
    }

    fn element_source(&mut self, id: LoopId, over: &Expr, place: Place, label: &str) -> Source {
        match *over.ty.kind() {
            TyKind::Slice(of) => {
                let pointer = Operand::Copy(self.field(&place, 0));
                let pointer = self.iterator_state(id, &format!("{{{label}.of}}"), pointer, Origin::Given);
                Source::Slice(self.b.scalar_local(pointer), of)
            }
            TyKind::Array(of, _) => Source::Array(place, of),
            _ => Source::Array(place, Ty::error()),
        }
    }

    fn element_at(&mut self, source: Source, index: Local) -> Place {
        match source {
            Source::Array(place, of) => place.project(Projection::Index(index), of),
            Source::Slice(pointer, of) => self.behind(pointer, Operand::local(index, Ty::i64()), of),
        }
    }

    pub(super) fn break_out(&mut self, id: LoopId, value: Option<&'a Expr>) -> Result {
        let Some(frame) = self.loops.iter().rfind(|frame| frame.id == id) else {
            return self.unsupported("a break out of a deferred block");
        };
        let (to, result, scopes) = (frame.break_to, frame.result.clone(), frame.scopes);
        if let Some(value) = value {
            self.lower(value, result.as_ref())?;
        }
        self.release_from(scopes, None);
        self.b.end(crate::mir::Terminator::Goto(to));
        Ok(())
    }

    pub(super) fn continue_with(&mut self, id: LoopId) -> Result {
        let Some(frame) = self.loops.iter().rfind(|frame| frame.id == id) else {
            return self.unsupported("a continue out of a deferred block");
        };
        let (to, scopes) = (frame.continue_to, frame.scopes);
        self.release_from(scopes, None);
        self.b.end(crate::mir::Terminator::Goto(to));
        Ok(())
    }
}

/// What a loop takes its elements from.
enum Source {
    Array(Place, Ty),
    Slice(Local, Ty),
}
