//! Values: every expression either goes into a place or becomes an operand.

use vaisjit_abi::TrapCode;
use vaisjit_semantics::hir::{
    BinaryOp, Callee, CastKind, Expr, ExprKind, FormatTarget, LocalId, Pattern, PatternKind, Stmt, UnaryOp,
};
use vaisjit_semantics::{Ty, TyKind};

use super::builder::Builder;
use super::owned::ScopeKind;
use super::visible::Origin;
use super::{Lowerer, Result, constant_text, scan};
use crate::mir::live::copies_elements;
use crate::mir::{Const, Operand, Place, Rvalue, TEMPORARY, Terminator};

impl<'a> Lowerer<'a> {
    /// Evaluates an expression into a place of its type, or for its effect. The place must stay the same place
    /// whatever the expression does, and must not be read by it.
    pub(super) fn lower(&mut self, expr: &'a Expr, dest: Option<&Place>) -> Result {
        let outer = std::mem::replace(&mut self.b.span, expr.span);
        let dest = dest.filter(|_| !expr.ty.is_unit());
        let done = self.lower_kind(expr, dest);
        self.b.span = outer;
        done
    }

    fn lower_kind(&mut self, expr: &'a Expr, dest: Option<&Place>) -> Result {
        match &*expr.kind {
            ExprKind::Block(statements, value) => match (&statements[..], value) {
                ([Stmt::Let(pattern, made)], Some(used)) if let Some(local) = self.temporary(pattern, used) => {
                    self.with_temporary(local, made, used, dest)
                }
                _ => self.block(statements, value.as_ref(), dest),
            },
            ExprKind::If(condition, then, otherwise) => self.if_else(condition, then, otherwise.as_ref(), dest),
            ExprKind::Loop(id, body) => self.endless(*id, body, dest),
            ExprKind::While(id, condition, body) => self.while_loop(*id, condition, body),
            ExprKind::ForRange { .. } => self.for_range(expr),
            ExprKind::ForEach { id, pattern, over, body } => self.for_each(*id, pattern, over, body),
            ExprKind::Match(value, arms) => self.match_on(value, arms, expr.ty, dest),
            ExprKind::Break(id, value) => self.break_out(*id, value.as_ref()),
            ExprKind::Continue(id) => self.continue_with(*id),
            ExprKind::Return(value) => self.return_from(value.as_ref()),
            ExprKind::Assign(target, value) => self.assign(target, value),
            ExprKind::AssignOp(op, target, value) => self.assign_op(*op, target, value),
            ExprKind::Trap(code, message) => self.trap(*code, message.as_ref()),
            ExprKind::Format(FormatTarget::Stdout, pieces) => self.print(pieces),
            ExprKind::Call(callee, arguments) => self.call(callee, arguments, expr.ty, dest),
            ExprKind::And(..) | ExprKind::Or(..) => self.condition_value(expr, dest),
            ExprKind::Aggregate(parts, order) => self.aggregate(expr.ty, parts, order, dest),
            ExprKind::Variant(variant, payload) => self.variant(expr.ty, *variant, payload, dest),
            ExprKind::Array(elements) => self.array(expr.ty, elements, dest),
            ExprKind::Repeat(value) => self.repeat(expr.ty, value, dest),
            ExprKind::Zero if self.is_made(expr) => {
                dest.into_iter().for_each(|dest| self.zero_value(dest));
                Ok(())
            }
            ExprKind::Format(FormatTarget::Str, pieces) if constant_text(expr).is_none() => self.text(pieces, dest),
            ExprKind::Binary(BinaryOp::Add, ..) if self.is_made(expr) => self.joined(expr, dest),
            ExprKind::BoxNew(value) => self.box_new(value, expr.ty, dest),
            ExprKind::MakeDyn { value, methods } => self.make_dyn(value, methods, dest),
            ExprKind::Closure(body, captures) => match dest {
                Some(dest) => self.closure(body, captures, dest),
                None => Ok(()),
            },
            ExprKind::Cast(CastKind::ArrayToSlice, array) => self.array_to_slice(array, dest),
            ExprKind::Unit | ExprKind::Zero if expr.ty.is_unit() => Ok(()),
            _ => self.simple(expr, dest),
        }
    }

    /// Forms that are one right-hand side.
    fn simple(&mut self, expr: &'a Expr, dest: Option<&Place>) -> Result {
        if scan::is_place(expr) || matches!(*expr.kind, ExprKind::Field(..) | ExprKind::Index(..)) {
            let place = self.place(expr)?;
            if let Some(dest) = dest {
                self.b.assign(dest.clone(), Rvalue::Use(Operand::Copy(place)));
                self.retain(dest);
            }
            return Ok(());
        }
        if expr.ty.is_aggregate() {
            return self.unsupported(format!("this way to make a value of type `{}`", expr.ty));
        }
        let value = self.rvalue(expr)?;
        match dest {
            Some(dest) => self.b.assign(dest.clone(), value),
            None if matches!(value, Rvalue::Use(_)) || expr.ty.is_unit() => {}
            None => drop(self.b.value(expr.ty, value)),
        }
        Ok(())
    }

    fn rvalue(&mut self, expr: &'a Expr) -> Result<Rvalue> {
        match &*expr.kind {
            ExprKind::Unary(op, inner) => self.unary(*op, inner, expr.ty),
            ExprKind::Binary(..) if expr.ty == Ty::str() => Ok(Rvalue::Use(self.operand(expr)?)),
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right),
            ExprKind::Cast(kind, inner) => self.cast(*kind, inner, expr.ty),
            ExprKind::AddressOf(place) => Ok(Rvalue::AddressOf(self.place(place)?)),
            _ => Ok(Rvalue::Use(self.operand(expr)?)),
        }
    }

    /// The value of a scalar expression. It is valid until something it reads is changed; see [`Builder::stable`].
    pub(super) fn operand(&mut self, expr: &'a Expr) -> Result<Operand> {
        let outer = std::mem::replace(&mut self.b.span, expr.span);
        let operand = self.operand_kind(expr);
        self.b.span = outer;
        operand
    }

    fn operand_kind(&mut self, expr: &'a Expr) -> Result<Operand> {
        let constant = |constant| Ok(Operand::Const(constant));
        match &*expr.kind {
            _ if expr.ty.is_unit() => {
                self.lower(expr, None)?;
                constant(Const::Int(0, expr.ty))
            }
            ExprKind::Int(value) => constant(Const::Int(*value, expr.ty)),
            ExprKind::Float(bits) => constant(Const::Float(*bits, expr.ty)),
            ExprKind::Bool(value) => Ok(Builder::bool(*value)),
            ExprKind::Str(text) => constant(Const::Str(text.clone())),
            ExprKind::Zero if expr.ty.is_scalar() && !self.is_made(expr) => constant(zero(expr.ty)),
            ExprKind::Function(callee) => self.function_value(callee, expr.ty),
            ExprKind::TypeInfo(ty) => constant(Const::Type(*ty)),
            ExprKind::Closure(body, _) if body.captures == 0 => {
                constant(Const::Function(body.instance, super::body_signature(body)))
            }
            ExprKind::Binary(BinaryOp::Add, ..) if expr.ty == Ty::str() && constant_text(expr).is_some() => {
                constant(Const::Str(constant_text(expr).unwrap_or_default()))
            }
            ExprKind::Format(FormatTarget::Str, _) if constant_text(expr).is_some() => {
                constant(Const::Str(constant_text(expr).unwrap_or_default()))
            }
            ExprKind::Field(..) | ExprKind::Index(..) if expr.ty.is_scalar() && !scan::is_place(expr) => {
                self.part(expr)
            }
            ExprKind::Local(_)
            | ExprKind::Global(_)
            | ExprKind::Deref(_)
            | ExprKind::Field(..)
            | ExprKind::Index(..) => Ok(Operand::Copy(self.place(expr)?)),
            _ => Ok(Operand::Copy(self.owned_temp(expr)?)),
        }
    }

    /// A scalar in a value made on the spot, of which nothing else is needed: the rest ends here.
    fn part(&mut self, expr: &'a Expr) -> Result<Operand> {
        self.enter_scope(ScopeKind::Statement);
        let inside = Operand::Copy(self.place(expr)?);
        if !self.owns() {
            self.forget_scope();
            return Ok(inside);
        }
        let kept = self.b.temp_place(expr.ty);
        self.b.assign(kept.clone(), Rvalue::Use(inside));
        self.retain(&kept);
        self.leave_scope();
        self.own(&kept);
        Ok(Operand::Copy(kept))
    }

    /// Is it a text or collection that is made at run time?
    fn is_made(&self, expr: &Expr) -> bool {
        match &*expr.kind {
            ExprKind::Zero => expr.ty.is_aggregate() || matches!(expr.ty.kind(), TyKind::Vec(_) | TyKind::HashMap(..)),
            _ => expr.ty == Ty::str() && constant_text(expr).is_none(),
        }
    }

    /// Two operands, the left one evaluated first.
    pub(super) fn operands(&mut self, left: &'a Expr, right: &'a Expr) -> Result<(Operand, Operand)> {
        let first = if scan::pure(right) { self.operand(left)? } else { self.held_operand(left)? };
        Ok((first, self.operand(right)?))
    }

    fn unary(&mut self, op: UnaryOp, inner: &'a Expr, ty: Ty) -> Result<Rvalue> {
        let operand = self.operand(inner)?;
        if let (UnaryOp::Negate, Operand::Const(Const::Float(bits, _))) = (op, &operand) {
            return Ok(Rvalue::Use(Operand::Const(Const::Float((-f64::from_bits(*bits)).to_bits(), ty))));
        }
        Ok(Rvalue::Unary(op, operand))
    }

    /// `a + b + c + ...` nests to the left as long as the author likes: walked in a loop, not by recursion.
    fn binary(&mut self, op: BinaryOp, left: &'a Expr, right: &'a Expr) -> Result<Rvalue> {
        let mut chain = vec![(op, right, self.b.span)];
        let mut innermost = left;
        while let ExprKind::Binary(op, left, right) = &*innermost.kind
            && !left.ty.is_aggregate()
            && innermost.ty != Ty::str()
        {
            chain.push((*op, right, innermost.span));
            innermost = left;
        }
        let outer = self.b.span;
        let mut value: Option<Rvalue> = None;
        for (op, right, span) in chain.into_iter().rev() {
            self.b.span = span;
            value = Some(match value {
                None if innermost.ty.is_aggregate() => self.aggregate_comparison(op, innermost, right)?,
                None => {
                    let (first, second) = self.operands(innermost, right)?;
                    self.operator(op, first, second)?
                }
                Some(value) => self.chained(value, op, right)?,
            });
        }
        self.b.span = outer;
        value.map_or_else(|| self.unsupported("an operator without operands"), Ok)
    }

    /// One more operator behind a value.
    fn chained(&mut self, value: Rvalue, op: BinaryOp, right: &'a Expr) -> Result<Rvalue> {
        let ty = match &value {
            Rvalue::Binary(BinaryOp::Eq | BinaryOp::Ne, ..) => Ty::bool(),
            Rvalue::Binary(BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge, ..) => Ty::bool(),
            Rvalue::Binary(_, first, _) => first.ty(),
            Rvalue::Use(operand) | Rvalue::Unary(_, operand) => operand.ty(),
            _ => right.ty,
        };
        let first = self.b.value(ty, value);
        let second = self.operand(right)?;
        self.operator(op, first, second)
    }

    fn operator(&mut self, op: BinaryOp, first: Operand, second: Operand) -> Result<Rvalue> {
        if first.ty() == Ty::str() {
            return self.str_operator(op, first, second);
        }
        if matches!(first.ty().kind(), TyKind::Vec(_) | TyKind::HashMap(..) | TyKind::Box(_)) {
            return self.handles_equal(op, first, second);
        }
        Ok(Rvalue::Binary(op, first, second))
    }

    fn cast(&mut self, kind: CastKind, inner: &'a Expr, ty: Ty) -> Result<Rvalue> {
        if kind == CastKind::ArrayToPointer {
            return Ok(Rvalue::AddressOf(self.place(inner)?));
        }
        if inner.ty.is_aggregate() {
            return self.aggregate_cast(inner, ty);
        }
        let operand = self.cast_operand(inner, ty)?;
        if let (CastKind::IntToInt, Operand::Const(Const::Int(value, _)), Some(to)) = (kind, &operand, ty.int_kind()) {
            let value = crate::mir::interp::arith::wrap(*value, to);
            return Ok(Rvalue::Use(Operand::Const(Const::Int(value, ty))));
        }
        Ok(Rvalue::Cast(kind, operand, ty))
    }

    /// What is converted. A text that is made on the spot lives on to the end of the block if all that is kept of it is
    /// its address.
    fn cast_operand(&mut self, inner: &'a Expr, ty: Ty) -> Result<Operand> {
        if self.counted(inner.ty) && !self.counted(ty) && !scan::is_place(inner) && constant_text(inner).is_none() {
            let temp = self.b.temp_place(inner.ty);
            self.lower(inner, Some(&temp))?;
            self.own_in_block(&temp);
            return Ok(Operand::Copy(temp));
        }
        self.operand(inner)
    }

    /// A slice, where an address or its bits are wanted.
    fn aggregate_cast(&mut self, inner: &'a Expr, ty: Ty) -> Result<Rvalue> {
        if !matches!(inner.ty.kind(), vaisjit_semantics::TyKind::Slice(_)) {
            return self.unsupported(format!("a conversion of `{}`", inner.ty));
        }
        let place = self.place(inner)?;
        let address = self.field(&place, 0);
        Ok(Rvalue::Cast(CastKind::Pointer, Operand::Copy(address), ty))
    }

    fn array_to_slice(&mut self, array: &'a Expr, dest: Option<&Place>) -> Result {
        let place = self.place(array)?;
        let length = match *array.ty.kind() {
            vaisjit_semantics::TyKind::Array(_, length) => length as i64,
            _ => return self.unsupported(format!("a slice of `{}`", array.ty)),
        };
        if let Some(dest) = dest {
            self.b.assign(self.field(dest, 0), Rvalue::AddressOf(place));
            self.b.assign(self.field(dest, 1), Rvalue::Use(Operand::int(length)));
        }
        Ok(())
    }

    /// The local of a block that is there to take its address: its value is needed for longer than the block.
    fn temporary(&self, pattern: &Pattern, used: &Expr) -> Option<LocalId> {
        let PatternKind::Bind(local, None) = pattern.kind else { return None };
        let hidden = self.hir.locals[local].name == TEMPORARY && self.counted(pattern.ty);
        ((hidden || is_address(used, local)) && !self.facts.deferred(local)).then_some(local)
    }

    /// `&f()` and `f().method()`: the value lives on to the end of the block or branch around, for its address may be
    /// kept.
    ///
    /// What a call of the library's only copies elements from ends with the call.
    fn with_temporary(&mut self, local: LocalId, made: &'a Expr, used: &'a Expr, dest: Option<&Place>) -> Result {
        let place = self.local_place(local);
        self.in_statement(made, Some(&place))?;
        if is_copied(used) {
            let shown = self.shown();
            self.enter_scope(ScopeKind::Statement);
            self.own(&place);
            self.show_local(local, Origin::Given);
            self.lower(used, dest)?;
            self.leave_scope();
            self.hide_from(shown);
            return Ok(());
        }
        self.own_in_block(&place);
        self.show_local(local, Origin::Given);
        self.lower(used, dest)
    }

    fn block(&mut self, statements: &'a [Stmt], value: Option<&'a Expr>, dest: Option<&Place>) -> Result {
        self.enter_scope(ScopeKind::Block);
        self.mark(false);
        for statement in statements {
            self.mark(true);
            match statement {
                Stmt::Let(pattern, value) => self.let_pattern(pattern, value)?,
                Stmt::Expr(expr) => {
                    self.enter_scope(ScopeKind::Statement);
                    self.lower(expr, None)?;
                    self.leave_scope();
                }
                Stmt::Defer(expr) => self.defer(expr),
            }
            self.marks.pop();
        }
        if let Some(value) = value {
            self.mark(true);
            self.last(value, dest)?;
            self.marks.pop();
        }
        self.marks.pop();
        self.leave_scope();
        Ok(())
    }

    /// The value of a block: a variable that ends with the block is moved out of it.
    fn last(&mut self, value: &'a Expr, dest: Option<&Place>) -> Result {
        if let (Some(dest), Some((scope, place))) = (dest, self.owner_of(value))
            && scope + 1 == self.scopes.len()
        {
            self.b.assign(dest.clone(), Rvalue::Use(Operand::Copy(place.clone())));
            self.disown(&place);
            return Ok(());
        }
        self.lower(value, dest)
    }

    fn assign(&mut self, target: &'a Expr, value: &'a Expr) -> Result {
        if value.ty.is_unit() {
            return self.lower(value, None);
        }
        if self.counted(value.ty) || scan::in_vec(target) && !scan::pure(value) {
            // The value first: making it may move the target or need what the target holds.
            let made = self.moved_operand(value)?;
            let place = self.place(target)?;
            self.replace(place, made);
            return Ok(());
        }
        let place = self.place(target)?;
        let place = if scan::pure(value) { place } else { self.stable_place(place) };
        if value.ty.is_scalar() {
            let value = self.rvalue_operand(value)?;
            self.b.assign(place, value);
            return Ok(());
        }
        if scan::is_place(value) || self.writable_early(target, value) {
            return self.lower(value, Some(&place));
        }
        let temp = self.b.temp_place(value.ty);
        self.lower(value, Some(&temp))?;
        self.b.assign(place, Rvalue::Use(Operand::Copy(temp)));
        Ok(())
    }

    /// A scalar as a right-hand side: an operator needs no temporary.
    fn rvalue_operand(&mut self, value: &'a Expr) -> Result<Rvalue> {
        match &*value.kind {
            ExprKind::Unary(..) | ExprKind::Binary(..) | ExprKind::Cast(..) | ExprKind::AddressOf(_) => {
                let outer = std::mem::replace(&mut self.b.span, value.span);
                let made = self.rvalue(value);
                self.b.span = outer;
                made
            }
            _ => Ok(Rvalue::Use(self.operand(value)?)),
        }
    }

    /// May parts of the target be written while the value is still being made?
    fn writable_early(&self, target: &Expr, value: &Expr) -> bool {
        match scan::root(target) {
            Some(local) if !self.facts.address_taken(local) => !scan::mentions(value, local),
            _ => !scan::reads_memory(value, &self.facts) && scan::pure(value),
        }
    }

    fn assign_op(&mut self, op: BinaryOp, target: &'a Expr, value: &'a Expr) -> Result {
        if target.ty == Ty::str() {
            return self.join_to(op, target, value);
        }
        if scan::in_vec(target) && !scan::pure(value) {
            let value = self.operand(value)?;
            let value = self.b.stable(value);
            let place = self.place(target)?;
            self.b.assign(place.clone(), Rvalue::Binary(op, Operand::Copy(place), value));
            return Ok(());
        }
        let place = self.place(target)?;
        let mut old = Operand::Copy(place.clone());
        let mut place = place;
        if !scan::pure(value) {
            place = self.stable_place(place);
            old = self.b.stable(Operand::Copy(place.clone()));
        }
        let value = self.operand(value)?;
        self.b.assign(place, Rvalue::Binary(op, old, value));
        Ok(())
    }

    /// `text += e`
    fn join_to(&mut self, op: BinaryOp, target: &'a Expr, value: &'a Expr) -> Result {
        if op != BinaryOp::Add {
            return self.unsupported(format!("`{}` of texts", op.symbol()));
        }
        let added = self.held_operand(value)?;
        let place = self.place(target)?;
        let made = self.b.temp_place(Ty::str());
        self.joined_into(Operand::Copy(place.clone()), added, &made);
        self.replace(place, Operand::Copy(made));
        Ok(())
    }

    fn return_from(&mut self, value: Option<&'a Expr>) -> Result {
        if let Some(value) = value {
            let result = self.result_place();
            if let (Some(result), Some((_, place))) = (&result, self.owner_of(value)) {
                self.b.assign(result.clone(), Rvalue::Use(Operand::Copy(place.clone())));
                self.release_from(0, Some(&place));
                self.leave();
                return Ok(());
            }
            self.lower(value, result.as_ref())?;
        }
        self.release_from(0, None);
        self.leave();
        Ok(())
    }

    fn trap(&mut self, code: TrapCode, message: Option<&'a Expr>) -> Result {
        let message = match message {
            Some(message) => Some(self.message(message)?),
            None => None,
        };
        self.b.end(Terminator::Trap(code, message));
        Ok(())
    }

    pub(super) fn condition_value(&mut self, expr: &'a Expr, dest: Option<&Place>) -> Result {
        let (yes, no, join) = (self.b.block(), self.b.block(), self.b.block());
        self.branch_on(expr, yes, no)?;
        for (block, value) in [(yes, true), (no, false)] {
            self.b.switch_to(block);
            if let Some(dest) = dest {
                self.b.assign(dest.clone(), Rvalue::Use(Builder::bool(value)));
            }
            self.b.jump(join);
        }
        self.b.switch_to(join);
        Ok(())
    }
}

/// The zero of a scalar type.
pub(super) fn zero(ty: Ty) -> Const {
    match ty.kind() {
        vaisjit_semantics::TyKind::Float(_) => Const::Float(0, ty),
        vaisjit_semantics::TyKind::Str => Const::Str("".into()),
        _ => Const::Int(0, ty),
    }
}

/// Does it make a `Vec` of the elements behind an address that nothing keeps?
fn is_copied(used: &Expr) -> bool {
    matches!(&*used.kind, ExprKind::Call(Callee::Function(instance), _) if copies_elements(*instance))
}

/// Is this the address of a local, converted perhaps?
fn is_address(expr: &Expr, of: LocalId) -> bool {
    match &*expr.kind {
        ExprKind::AddressOf(place) => matches!(&*place.kind, ExprKind::Local(local) if *local == of),
        ExprKind::Cast(CastKind::Pointer | CastKind::ArrayToPointer | CastKind::ArrayToSlice, inner) => {
            is_address(inner, of) || matches!(&*inner.kind, ExprKind::Local(local) if *local == of)
        }
        _ => false,
    }
}
