//! Facts about HIR that lowering asks before it starts: which locals need memory, which are assigned, what an
//! expression may do.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use vaisjit_semantics::hir::{
    Body, Builtin, Callee, CastKind, Expr, ExprKind, LocalId, LoopId, Pattern, Stmt, children,
};
use vaisjit_semantics::{Ty, TyKind};

/// What a body does with its locals.
#[derive(Default)]
pub(super) struct Facts {
    addressed: FxHashSet<LocalId>,
    assigned: FxHashSet<LocalId>,
    deferred: FxHashSet<LocalId>,
    pub has_defer: bool,
}

impl Facts {
    pub fn of(body: &Body) -> Facts {
        let mut facts = Facts::default();
        facts.visit(&body.value);
        facts
    }

    /// Is the address of the local, or of a part of it, taken anywhere?
    pub fn address_taken(&self, local: LocalId) -> bool {
        self.addressed.contains(&local)
    }

    /// Is the local, or a part of it, assigned to after its declaration?
    pub fn assigned(&self, local: LocalId) -> bool {
        self.assigned.contains(&local)
    }

    /// Is the local named in a deferred block?
    pub fn deferred(&self, local: LocalId) -> bool {
        self.deferred.contains(&local)
    }

    fn visit(&mut self, expr: &Expr) {
        match &*expr.kind {
            ExprKind::AddressOf(place) | ExprKind::Cast(CastKind::ArrayToPointer | CastKind::ArrayToSlice, place) => {
                self.addressed.extend(root(place));
            }
            ExprKind::Assign(target, _) | ExprKind::AssignOp(_, target, _) => self.assigned.extend(root(target)),
            ExprKind::Block(statements, _) => {
                for statement in statements {
                    if let Stmt::Defer(body) = statement {
                        self.has_defer = true;
                        each_local(body, &mut |local| self.deferred.extend([local]));
                    }
                }
            }
            _ => {}
        }
        children(expr, &mut |child| self.visit(child));
    }
}

/// The local a place lies in; none behind a pointer.
pub fn root(place: &Expr) -> Option<LocalId> {
    match &*place.kind {
        ExprKind::Local(local) => Some(*local),
        ExprKind::Field(base, _) => root(base),
        ExprKind::Index(base, _) if matches!(base.ty.kind(), TyKind::Array(..)) => root(base),
        _ => None,
    }
}

/// The locals that a body assigns to after their declaration.
pub fn assigned(body: &Body) -> FxHashSet<LocalId> {
    Facts::of(body).assigned
}

/// Is it a place, not a value made on the spot?
pub(super) fn is_place(expr: &Expr) -> bool {
    match &*expr.kind {
        ExprKind::Local(_) | ExprKind::Global(_) | ExprKind::Deref(_) => true,
        ExprKind::Field(base, _) => is_place(base),
        ExprKind::Index(base, _) => !matches!(base.ty.kind(), TyKind::Array(..)) || is_place(base),
        _ => false,
    }
}

/// Can evaluating it change nothing that other expressions read, nor leave the expression?
pub(super) fn pure(expr: &Expr) -> bool {
    let calm = match &*expr.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Str(_)
        | ExprKind::Unit
        | ExprKind::Local(_)
        | ExprKind::Global(_)
        | ExprKind::Function(_)
        | ExprKind::Zero
        | ExprKind::TypeInfo(_)
        | ExprKind::Unary(..)
        | ExprKind::Binary(..)
        | ExprKind::And(..)
        | ExprKind::Or(..)
        | ExprKind::Cast(..)
        | ExprKind::AddressOf(_)
        | ExprKind::Deref(_)
        | ExprKind::Field(..)
        | ExprKind::Index(..)
        | ExprKind::Aggregate(..)
        | ExprKind::Variant(..)
        | ExprKind::Array(_)
        | ExprKind::Repeat(_) => true,
        ExprKind::Call(Callee::Builtin(builtin), _) => {
            !matches!(builtin, Builtin::Store | Builtin::Take | Builtin::MemCopy | Builtin::Swap)
        }
        _ => false,
    };
    calm && all_children(expr, pure)
}

fn each_local(expr: &Expr, f: &mut dyn FnMut(LocalId)) {
    if let ExprKind::Local(local) = *expr.kind {
        f(local);
    }
    children(expr, &mut |child| each_local(child, f));
}

/// May evaluating it leave the expression?
pub(super) fn leaves(expr: &Expr) -> bool {
    matches!(*expr.kind, ExprKind::Return(_) | ExprKind::Break(..) | ExprKind::Continue(_))
        || !all_children(expr, |child| !leaves(child))
}

/// May it release something that others hold a loan of? Printing and reading do not.
pub(super) fn may_free(expr: &Expr) -> bool {
    let frees = match &*expr.kind {
        ExprKind::Assign(target, _) | ExprKind::AssignOp(_, target, _) => !is_number(target.ty),
        ExprKind::Call(callee, _) => match callee {
            Callee::Builtin(builtin) => {
                matches!(builtin, Builtin::Store | Builtin::Take | Builtin::Swap | Builtin::MemCopy)
            }
            Callee::Function(_) | Callee::Host(_) | Callee::C(_) | Callee::Value(_) | Callee::Dyn(..) => true,
        },
        _ => false,
    };
    frees || !all_children(expr, |child| !may_free(child))
}

fn is_number(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Int(_) | TyKind::Float(_) | TyKind::Bool)
}

/// Does the place lie in a `Vec`, whose elements move when it grows?
pub(super) fn in_vec(place: &Expr) -> bool {
    match &*place.kind {
        ExprKind::Index(base, _) => matches!(base.ty.kind(), TyKind::Vec(_)) || in_vec(base),
        ExprKind::Field(base, _) => in_vec(base),
        _ => false,
    }
}

/// Does it name this local?
pub(super) fn mentions(expr: &Expr, local: LocalId) -> bool {
    matches!(*expr.kind, ExprKind::Local(found) if found == local)
        || !all_children(expr, |child| !mentions(child, local))
}

/// May it read memory that others see: a global, something behind a pointer, a local whose address is taken?
pub(super) fn reads_memory(expr: &Expr, facts: &Facts) -> bool {
    let reads = match &*expr.kind {
        ExprKind::Global(_) | ExprKind::Deref(_) => true,
        ExprKind::Local(local) => facts.address_taken(*local),
        ExprKind::Index(base, _) => !matches!(base.ty.kind(), TyKind::Array(..)),
        ExprKind::Call(Callee::Builtin(builtin), _) => {
            matches!(builtin, Builtin::Load | Builtin::Take | Builtin::Store | Builtin::MemCopy | Builtin::Swap)
        }
        ExprKind::Call(..) => true,
        _ => false,
    };
    reads || !all_children(expr, |child| !reads_memory(child, facts))
}

/// Does it call something that may take long?
pub(super) fn calls(expr: &Expr) -> bool {
    let calls = match &*expr.kind {
        ExprKind::Call(callee, _) => !matches!(callee, Callee::Builtin(_)),
        ExprKind::Format(..) => true,
        ExprKind::Binary(_, left, _) => left.ty == Ty::str(),
        _ => false,
    };
    calls || !all_children(expr, |child| !self::calls(child))
}

/// Does it contain a loop of the source?
pub(super) fn loops(expr: &Expr) -> bool {
    let looping = matches!(
        *expr.kind,
        ExprKind::Loop(..) | ExprKind::While(..) | ExprKind::ForRange { .. } | ExprKind::ForEach { .. }
    );
    looping || !all_children(expr, |child| !self::loops(child))
}

/// Does it contain this loop?
pub(super) fn has_loop(expr: &Expr, wanted: LoopId) -> bool {
    let own = match &*expr.kind {
        ExprKind::Loop(id, _) | ExprKind::While(id, ..) => *id == wanted,
        ExprKind::ForRange { id, .. } | ExprKind::ForEach { id, .. } => *id == wanted,
        _ => false,
    };
    own || !all_children(expr, |child| !has_loop(child, wanted))
}

/// The bodies of the closures made in a body, outer ones first: they are functions to compile, too.
pub fn closures(body: &Body) -> Vec<Arc<Body>> {
    let mut found = Vec::new();
    collect_closures(&body.value, &mut found);
    found
}

fn collect_closures(expr: &Expr, found: &mut Vec<Arc<Body>>) {
    if let ExprKind::Closure(body, _) = &*expr.kind {
        found.push(body.clone());
        collect_closures(&body.value, found);
    }
    children(expr, &mut |child| collect_closures(child, found));
}

/// The deferred blocks of a body, in the order of the source.
pub fn defers(body: &Body) -> Vec<&Expr> {
    let mut found = Vec::new();
    collect_defers(&body.value, &mut found);
    found
}

fn collect_defers<'a>(expr: &'a Expr, found: &mut Vec<&'a Expr>) {
    if let ExprKind::Block(statements, _) = &*expr.kind {
        let deferred = statements.iter().filter_map(|statement| match statement {
            Stmt::Defer(body) => Some(body),
            Stmt::Let(..) | Stmt::Expr(_) => None,
        });
        found.extend(deferred);
    }
    children(expr, &mut |child| collect_defers(child, found));
}

fn all_children(expr: &Expr, holds: impl Fn(&Expr) -> bool) -> bool {
    let mut all = true;
    children(expr, &mut |child| all = all && holds(child));
    all
}

/// Does the pattern match every value?
pub(super) fn irrefutable(pattern: &Pattern) -> bool {
    use vaisjit_semantics::hir::PatternKind;
    match &pattern.kind {
        PatternKind::Wildcard | PatternKind::Bind(_, None) => true,
        PatternKind::Bind(_, Some(inner)) => irrefutable(inner),
        PatternKind::Fields(fields) => fields.iter().all(|(_, field)| irrefutable(field)),
        PatternKind::Or(alternatives) => alternatives.iter().any(irrefutable),
        PatternKind::Range(None, None, _) => true,
        PatternKind::Constant(_) | PatternKind::Range(..) | PatternKind::Variant(..) => false,
    }
}
