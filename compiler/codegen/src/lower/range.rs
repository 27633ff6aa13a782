//! Loops over a range of integers.
//!
//! ```text
//! exclusive                         inclusive                        exclusive, in strips
//!   at = start                        at = start                       at = start
//! header:                             at <= end ? header : exit      header:
//!   safepoint                       header:                            safepoint
//!   at < end ? turn : exit            safepoint                        at < end ? strip : exit
//! turn:                               i = at; body                   strip:
//!   i = at; body                    latch:                             stop = at + min(end - at, 1024)
//! latch:                              at == end ? exit : step          -> turn
//!   at += 1 -> header               step:                            turn:
//! exit:                               at += 1 -> header                i = at; body
//!                                   exit:                            latch:
//!                                                                      at += 1; at < stop ? turn : header
//!                                                                    exit:
//! ```
//!
//! When the body never assigns to `i`, `at` is `i` itself.

use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, CastKind, Expr, ExprKind, LocalId, LoopId};
use vaisjit_semantics::types::IntKind;
use vaisjit_syntax::Name;

use super::loops::{OpenLoop, SHORT};
use super::visible::Origin;
use super::{Lowerer, Result, scan};
use crate::mir::{Const, Intrinsic, Operand, Place, Rvalue, STRIP};

/// A loop over a range, its ends evaluated.
struct Range<'a> {
    id: LoopId,
    counter: LocalId,
    /// What counts.
    at: Place,
    end: Operand,
    body: &'a Expr,
    polled: bool,
    /// Is the start a constant that is not negative, so that a carried-over counter below it can be refused?
    from_zero: bool,
}

impl<'a> Lowerer<'a> {
    pub(super) fn for_range(&mut self, expr: &'a Expr) -> Result {
        let ExprKind::ForRange { id, local, start, end, inclusive, body } = &*expr.kind else { return Ok(()) };
        let ty = self.hir.locals[*local].ty;
        let shown = self.shown();
        let last = end;
        let (first, end) = self.operands(start, last)?;
        let (end, inclusive) = exclusive_end(end, *inclusive, ty);
        let bounds = constant_bounds(&first, &end, inclusive);
        let turns = bounds.map(|(first, last)| last.saturating_sub(first).saturating_add(1));
        let calls = scan::calls(body);
        let polled = calls || turns.is_none_or(|turns| turns > SHORT);
        let range = Range {
            id: *id,
            counter: *local,
            at: self.counter_place(*id, *local, start),
            end: self.fixed_end(*id, *local, last, end),
            body,
            polled,
            from_zero: first.as_int().is_some_and(|first| first >= 0),
        };
        self.b.assign(range.at.clone(), Rvalue::Use(first));
        let resumed = self.resumes_in(*id, body);
        let known = bounds.filter(|_| !inclusive && !resumed && range.at == self.local_place(*local));
        if let Some((first, last)) = known {
            self.ranges.push((*local, first, last));
        }
        let strips =
            polled && !calls && self.options.hot && ty.int_kind().is_some_and(|kind| matches!(kind.bits(), 32 | 64));
        match inclusive {
            true => self.inclusive(range)?,
            false if strips && !scan::loops(body) => self.strips(range)?,
            false => self.exclusive(range)?,
        }
        if known.is_some() {
            self.ranges.pop();
        }
        self.hide_from(shown);
        Ok(())
    }

    /// The loop variable itself unless the body may change it.
    fn counter_place(&mut self, id: LoopId, local: LocalId, start: &'a Expr) -> Place {
        let declared = &self.hir.locals[local];
        let name = Name::new(&format!("{{{}.at}}", declared.name));
        let counter = match self.unchanging(local) {
            true => self.local(local),
            false => self.b.declare(declared.ty, Some(name)),
        };
        self.show_state(id, name, counter, Origin::Value(start));
        Place::local(counter, declared.ty)
    }

    fn fixed_end(&mut self, id: LoopId, local: LocalId, from: &'a Expr, end: Operand) -> Operand {
        match end {
            Operand::Const(_) => end,
            Operand::Copy(_) => {
                let name = format!("{{{}.end}}", self.hir.locals[local].name);
                self.iterator_state(id, &name, end, Origin::Value(from))
            }
        }
    }

    fn exclusive(&mut self, range: Range<'a>) -> Result {
        let open = self.open_loop(range.id, range.polled, None);
        self.enter_header(&open);
        let turn = self.b.block();
        let more = self.in_range(&range);
        self.b.branch(more, turn, open.exit);
        self.b.switch_to(turn);
        self.turn(&range)?;
        self.b.goto(open.latch);
        self.step(&range);
        self.back_edge(&open);
        self.close_loop(open);
        Ok(())
    }

    fn inclusive(&mut self, range: Range<'a>) -> Result {
        let open = self.open_loop(range.id, range.polled, None);
        let any = self.compare(BinaryOp::Le, &range.at, &range.end);
        self.b.branch(any, open.header, open.exit);
        self.enter_only_if(range.id, open.exit, |lowerer| lowerer.compare(BinaryOp::Le, &range.at, &range.end));
        self.b.switch_to(open.header);
        self.head(&open);
        self.turn(&range)?;
        self.b.goto(open.latch);
        let step = self.b.block();
        // The end may have been computed anew, below the counter.
        let done = if self.resumes_in(range.id, range.body) { BinaryOp::Ge } else { BinaryOp::Eq };
        let last = self.compare(done, &range.at, &range.end);
        self.b.branch(last, open.exit, step);
        self.b.switch_to(step);
        self.step(&range);
        self.back_edge(&open);
        self.close_loop(open);
        Ok(())
    }

    fn strips(&mut self, range: Range<'a>) -> Result {
        let open = self.open_loop(range.id, true, None);
        self.enter_header(&open);
        let (strip, turn) = (self.b.block(), self.b.block());
        let more = self.in_range(&range);
        self.b.branch(more, strip, open.exit);
        self.b.switch_to(strip);
        let stop = self.strip_end(&range);
        self.b.goto(turn);
        self.turn(&range)?;
        self.close_strip(&range, &open, stop, turn);
        self.close_loop(open);
        Ok(())
    }

    fn close_strip(&mut self, range: &Range<'a>, open: &OpenLoop, stop: Operand, turn: crate::mir::BlockId) {
        self.b.goto(open.latch);
        self.step(range);
        let more = self.compare(BinaryOp::Lt, &range.at, &stop);
        self.b.branch(more, turn, open.header);
    }

    /// `at + min(end - at, STRIP)`; the difference, taken without sign, cannot overflow.
    fn strip_end(&mut self, range: &Range<'a>) -> Operand {
        let ty = range.at.ty;
        let unsigned =
            Ty::int(if ty.int_kind().is_some_and(|kind| kind.bits() == 32) { IntKind::U32 } else { IntKind::U64 });
        let at = Operand::Copy(range.at.clone());
        let left = self.b.value(ty, Rvalue::Binary(BinaryOp::Sub, range.end.clone(), at.clone()));
        let left = self.b.value(unsigned, Rvalue::Cast(CastKind::IntToInt, left, unsigned));
        let strip = Operand::Const(Const::Int(i128::from(STRIP), unsigned));
        let turns = self.b.value(unsigned, Rvalue::Intrinsic(Intrinsic::Min, [left, strip].into_iter().collect()));
        let turns = self.b.value(ty, Rvalue::Cast(CastKind::IntToInt, turns, ty));
        self.b.value(ty, Rvalue::Binary(BinaryOp::Add, at, turns))
    }

    /// `at < end`. In hot mode a counter carried over from another version may lie below a start of 0 or more, where
    /// index checks have been left out: compared without sign it ends the loop.
    fn in_range(&mut self, range: &Range<'a>) -> Operand {
        let signed = range.at.ty.int_kind().is_some_and(IntKind::signed);
        let guarded = self.options.hot && range.from_zero && signed;
        match range.end.as_int() {
            Some(end) if guarded && end >= 0 => {
                let unsigned = Ty::int(unsigned(range.at.ty));
                let at = Rvalue::Cast(CastKind::IntToInt, Operand::Copy(range.at.clone()), unsigned);
                let at = self.b.value(unsigned, at);
                let end = Operand::Const(Const::Int(end, unsigned));
                self.b.value(Ty::bool(), Rvalue::Binary(BinaryOp::Lt, at, end))
            }
            _ => self.compare(BinaryOp::Lt, &range.at, &range.end),
        }
    }

    fn turn(&mut self, range: &Range<'a>) -> Result {
        let own = self.local_place(range.counter);
        if own != range.at {
            self.b.assign(own, Rvalue::Use(Operand::Copy(range.at.clone())));
        }
        let shown = self.shown();
        if let Some(counter) = range.at.as_local() {
            self.show_local(range.counter, Origin::Counter(counter));
        }
        let done = self.branch(range.body, None);
        self.hide_from(shown);
        done
    }

    fn step(&mut self, range: &Range<'a>) {
        let one = Operand::Const(Const::Int(1, range.at.ty));
        let next = Rvalue::Binary(BinaryOp::Add, Operand::Copy(range.at.clone()), one);
        self.b.assign(range.at.clone(), next);
    }

    fn compare(&mut self, op: BinaryOp, at: &Place, end: &Operand) -> Operand {
        self.b.value(Ty::bool(), Rvalue::Binary(op, Operand::Copy(at.clone()), end.clone()))
    }
}

fn unsigned(ty: Ty) -> IntKind {
    match ty.int_kind().map_or(64, IntKind::bits) {
        8 => IntKind::U8,
        16 => IntKind::U16,
        32 => IntKind::U32,
        128 => IntKind::U128,
        _ => IntKind::U64,
    }
}

/// A constant inclusive end that is not the last value of its type becomes an exclusive one.
fn exclusive_end(end: Operand, inclusive: bool, ty: Ty) -> (Operand, bool) {
    match end.as_int() {
        Some(value) if inclusive => {
            let next = value.wrapping_add(1);
            let fits =
                ty.int_kind().is_some_and(|kind| crate::mir::interp::arith::wrap(next, kind) == next) && next > value;
            if fits { (Operand::Const(Const::Int(next, ty)), false) } else { (end, true) }
        }
        _ => (end, inclusive),
    }
}

/// First and last value, if both are known.
fn constant_bounds(first: &Operand, end: &Operand, inclusive: bool) -> Option<(i128, i128)> {
    let (first, end) = (first.as_int()?, end.as_int()?);
    Some((first, if inclusive { end } else { end.checked_sub(1)? }))
}
