//! Who owns counted values: `str`, `Vec`, closures and what holds one.
//!
//! A *scope* is a part of the function whose locals and temporaries end with it: a block, a statement, a branch. Whatever
//! is registered in a scope has an owned value from its registration on, on every path through the scope, and is
//! released where the scope ends or is left.
//!
//! - [`Lowerer::lower`] into a place makes an owned value there; nobody has registered it yet.
//! - [`Lowerer::operand`] gives a loan: valid while what it was read from is not changed. A value made on the spot is
//!   registered in the innermost scope.
//! - A place is *steady* if nothing can change it while the function runs: its root is a local that is neither assigned to
//!   nor addressed. Loans of steady places need no counting, nor do names bound to them.

use vaisjit_semantics::hir::{Expr, ExprKind, LocalId, Pattern, PatternKind};
use vaisjit_semantics::{Ty, TyKind};

use super::{Lowerer, Result, scan, visible};
use crate::layout::holds_evolving;
use crate::mir::{Local, Operand, Place, PlaceBase, Rvalue, StatementKind};
use crate::shape;

/// Structs and tuples with up to so many counted parts are counted part by part. Chosen by feel.
pub(crate) const PARTS: usize = 8;

/// A part of the function with values that end with it.
pub(super) struct Scope {
    /// What is released, the last one first.
    owned: Vec<Place>,
    kind: ScopeKind,
    /// How many names were in scope before.
    names: usize,
}

impl Scope {
    /// The locals it releases.
    pub(super) fn locals(&self) -> impl Iterator<Item = Local> {
        self.owned.iter().filter_map(Place::as_local)
    }
}

/// What a scope is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeKind {
    /// A block of the source, where names and the texts behind addresses live.
    Block,
    /// A statement of a block: temporaries live here. It is left the way its block goes on.
    Statement,
    /// What runs only sometimes: a branch, an arm, a turn of a loop, a condition.
    Branch,
}

impl<'a> Lowerer<'a> {
    /// Does a value of the type hold counted references?
    pub(super) fn counted(&self, ty: Ty) -> bool {
        if let Some(known) = self.counted.borrow().get(&ty) {
            return *known;
        }
        let counted = shape::is_counted(ty, self.program);
        self.counted.borrow_mut().insert(ty, counted);
        counted
    }

    pub(super) fn enter_scope(&mut self, kind: ScopeKind) {
        self.scopes.push(Scope { owned: Vec::new(), kind, names: self.shown() });
    }

    /// Ends the innermost scope.
    pub(super) fn leave_scope(&mut self) {
        if let Some(scope) = self.scopes.pop() {
            scope.owned.iter().rev().for_each(|place| self.release(place));
            self.hide_after(&scope);
        }
    }

    /// Ends the innermost scope without releasing anything.
    pub(super) fn forget_scope(&mut self) {
        if let Some(scope) = self.scopes.pop() {
            self.hide_after(&scope);
        }
    }

    fn hide_after(&mut self, scope: &Scope) {
        if visible::ends_names(scope.kind) {
            self.hide_from(scope.names);
        }
    }

    /// Releases what the scopes from `depth` on own, because they are left here; they stay open for the code behind.
    pub(super) fn release_from(&mut self, depth: usize, but: Option<&Place>) {
        let places: Vec<Place> = self.scopes[depth..].iter().flat_map(|scope| scope.owned.iter().cloned()).collect();
        places.iter().rev().filter(|place| Some(*place) != but).for_each(|place| self.release(place));
    }

    /// Lowers something that runs only sometimes.
    pub(super) fn branch(&mut self, expr: &'a Expr, dest: Option<&Place>) -> Result {
        self.enter_scope(ScopeKind::Branch);
        let done = self.lower(expr, dest);
        self.leave_scope();
        done
    }

    /// Does the innermost scope own anything?
    pub(super) fn owns(&self) -> bool {
        self.scopes.last().is_some_and(|scope| !scope.owned.is_empty())
    }

    /// The place has an owned value that ends with the innermost scope.
    pub(super) fn own(&mut self, place: &Place) {
        if self.counted(place.ty)
            && let Some(scope) = self.scopes.last_mut()
        {
            scope.owned.push(place.clone());
        }
    }

    /// The place has an owned value that ends with the innermost block or branch: longer than the statement.
    pub(super) fn own_in_block(&mut self, place: &Place) {
        let counted = self.counted(place.ty);
        let lasting = self.scopes.iter_mut().rfind(|scope| scope.kind != ScopeKind::Statement);
        if let Some(scope) = lasting.filter(|_| counted) {
            scope.owned.push(place.clone());
        }
    }

    /// A local whose value a deferred block may see lives as long as the function. Zero until it is declared.
    pub(super) fn own_late(&mut self, place: &Place) {
        if self.counted(place.ty) && !self.late.contains(place) {
            self.b.push_at_entry(StatementKind::Zero(place.clone()));
            self.late.push(place.clone());
        }
    }

    /// What the local is given belongs to somebody else.
    pub(super) fn lend(&mut self, place: &Place) {
        if let Some(local) = place.as_local() {
            self.b.lend(local);
        }
    }

    /// Counts up everything in a place.
    pub(super) fn retain(&mut self, place: &Place) {
        self.each_counted(place, &mut |lowerer, part| lowerer.b.push(StatementKind::Retain(part)));
    }

    /// Counts down everything in a place, whose bytes mean nothing afterwards.
    pub(super) fn release(&mut self, place: &Place) {
        let checked = match place.base {
            PlaceBase::Deref(pointer, _) => self.b.body.locals[pointer].ty.pointee().is_some(),
            _ => false,
        };
        if checked && self.counted(place.ty) {
            return self.b.push(StatementKind::Release { place: place.clone(), checked });
        }
        // What the heap knows of the type is right for the value even if a reload has changed both.
        if self.options.hot && place.as_local().is_some() && holds_evolving(place.ty, self.layouts) {
            if self.counted(place.ty) {
                self.b.push(StatementKind::Release { place: place.clone(), checked });
            }
            return;
        }
        self.each_counted(place, &mut |lowerer, place| lowerer.b.push(StatementKind::Release { place, checked }));
    }

    /// Calls `f` with the parts of a place that are counted: single words where there are few.
    fn each_counted(&mut self, place: &Place, f: &mut dyn FnMut(&mut Self, Place)) {
        if !self.counted(place.ty) {
            return;
        }
        let mut words = Vec::new();
        if self.words(place, &mut words) && words.len() <= PARTS {
            words.into_iter().for_each(|word| f(self, word));
        } else {
            f(self, place.clone());
        }
    }

    /// The counted words of structs and tuples; false if there is anything else.
    fn words(&self, place: &Place, words: &mut Vec<Place>) -> bool {
        let fields = match *place.ty.kind() {
            _ if !self.counted(place.ty) => return true,
            TyKind::Struct(..) => self.program.structs.get(&place.ty).map_or(0, |def| def.fields.len()),
            TyKind::Tuple(parts) => parts.len(),
            _ if place.ty.is_scalar() => {
                words.push(place.clone());
                return true;
            }
            _ => return false,
        };
        (0..fields as u32).all(|field| self.words(&self.field(place, field), words))
    }

    /// Is the expression a place that nothing changes while the function runs?
    pub(super) fn steady(&self, expr: &Expr) -> bool {
        scan::root(expr).is_some_and(|local| self.unchanging(local))
    }

    /// Is the local neither assigned to nor addressed?
    pub(super) fn unchanging(&self, local: LocalId) -> bool {
        !self.facts.assigned(local) && !self.facts.address_taken(local)
    }

    /// A value in a temporary of its own that is released with the innermost scope.
    pub(super) fn owned_temp(&mut self, expr: &'a Expr) -> Result<Place> {
        let temp = self.b.temp_place(expr.ty);
        self.lower(expr, Some(&temp))?;
        self.own(&temp);
        Ok(temp)
    }

    /// The value of a scalar that stays valid whatever the program does until the innermost scope ends.
    pub(super) fn held_operand(&mut self, expr: &'a Expr) -> Result<Operand> {
        if !self.counted(expr.ty) || !scan::is_place(expr) || self.steady(expr) {
            let operand = self.operand(expr)?;
            return Ok(self.b.stable(operand));
        }
        Ok(Operand::Copy(self.owned_temp(expr)?))
    }

    /// A value of any type that is about to be moved somewhere: owned, registered nowhere.
    pub(super) fn moved_operand(&mut self, expr: &'a Expr) -> Result<Operand> {
        if expr.ty.is_scalar() && (!self.counted(expr.ty) || is_literal(expr)) {
            return self.operand(expr);
        }
        let temp = self.b.temp_place(expr.ty);
        self.lower(expr, Some(&temp))?;
        Ok(Operand::Copy(temp))
    }

    /// Puts an owned value into a place that holds one already.
    pub(super) fn replace(&mut self, place: Place, value: Operand) {
        self.release(&place);
        self.b.assign(place, Rvalue::Use(value));
    }

    /// A local that ends with one of the open scopes, read for the last time: the scope it belongs to.
    pub(super) fn owner_of(&self, expr: &Expr) -> Option<(usize, Place)> {
        let ExprKind::Local(local) = *expr.kind else { return None };
        let place = self.local_place(local);
        let scope = self.scopes.iter().rposition(|scope| scope.owned.contains(&place))?;
        Some((scope, place))
    }

    /// The innermost scope no longer owns the place: its value has been moved.
    pub(super) fn disown(&mut self, place: &Place) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.owned.retain(|owned| owned != place);
        }
    }

    /// The names a pattern has bound become owners of their values, unless they borrow from something steady.
    pub(super) fn own_names(&mut self, pattern: &'a Pattern, steady: bool) {
        match &pattern.kind {
            PatternKind::Bind(local, inner) => {
                let place = self.local_place(*local);
                if steady && self.unchanging(*local) {
                    self.lend(&place);
                } else if self.counted(place.ty) {
                    self.retain(&place);
                    self.own(&place);
                }
                inner.iter().for_each(|inner| self.own_names(inner, steady));
            }
            PatternKind::Variant(_, parts) => parts.iter().for_each(|part| self.own_names(part, steady)),
            PatternKind::Fields(fields) => fields.iter().for_each(|(_, part)| self.own_names(part, steady)),
            // Every alternative binds the same names.
            PatternKind::Or(alternatives) => {
                alternatives.first().into_iter().for_each(|one| self.own_names(one, steady))
            }
            PatternKind::Wildcard | PatternKind::Constant(_) | PatternKind::Range(..) => {}
        }
    }
}

/// Is it a value that is never freed: the text of a literal, a function?
pub(super) fn is_literal(expr: &Expr) -> bool {
    match &*expr.kind {
        ExprKind::Function(_) => true,
        ExprKind::Zero => !matches!(expr.ty.kind(), TyKind::Vec(_) | TyKind::HashMap(..)) && expr.ty.is_scalar(),
        ExprKind::Closure(body, _) => body.captures == 0,
        _ => super::constant_text(expr).is_some(),
    }
}
