//! May an expression be evaluated once more, in the middle of the function's life, without being noticed?

use vaisjit_semantics::Checked;
use vaisjit_semantics::TyKind;
use vaisjit_semantics::hir::{BinaryOp, Builtin, Callee, Expr, ExprKind, FormatTarget, Stmt, children};

use crate::mir::live::copies_elements;

/// How deep calls of pure functions are followed.
const DEPTH: u32 = 4;
/// Host functions that only make something new, or look at texts, and never fail.
const MAKERS: [&str; 17] = [
    "heap_vec_new",
    "heap_map_new",
    "str_eq",
    "str_cmp",
    "str_contains",
    "str_starts_with",
    "str_ends_with",
    "str_index_of",
    "str_last_index_of",
    "str_len",
    "str_char_count",
    "str_trim",
    "str_to_upper",
    "str_to_lower",
    "str_from_i64",
    "str_from_f64",
    "str_reverse",
];

/// What stands in the way of evaluating it again; none if nothing does.
pub(super) fn obstacle(expr: &Expr, program: &Checked) -> Option<&'static str> {
    search(expr, program, DEPTH)
}

fn search(expr: &Expr, program: &Checked, depth: u32) -> Option<&'static str> {
    own_obstacle(expr, program, depth).or_else(|| {
        let mut found = None;
        children(expr, &mut |child| found = found.or_else(|| search(child, program, depth)));
        found
    })
}

fn own_obstacle(expr: &Expr, program: &Checked, depth: u32) -> Option<&'static str> {
    match &*expr.kind {
        ExprKind::Loop(..) | ExprKind::While(..) | ExprKind::ForRange { .. } | ExprKind::ForEach { .. } => {
            Some("by a loop")
        }
        ExprKind::Assign(..) | ExprKind::AssignOp(..) => Some("with an assignment"),
        ExprKind::Break(..) | ExprKind::Continue(_) | ExprKind::Trap(..) => Some("by code that may leave it"),
        ExprKind::Return(_) if depth == DEPTH => Some("by code that may leave it"),
        ExprKind::Deref(_) => Some("from what a pointer points at"),
        ExprKind::Index(base, index) if !inside(base, index) => Some("with an index"),
        ExprKind::Format(FormatTarget::Stdout, _) => Some("with output"),
        ExprKind::Binary(BinaryOp::Div | BinaryOp::Rem, left, right) if left.ty.int_kind().is_some() => {
            (!matches!(*right.kind, ExprKind::Int(divisor) if divisor != 0)).then_some("by a division")
        }
        ExprKind::Block(statements, _) => {
            statements.iter().any(|statement| matches!(statement, Stmt::Defer(_))).then_some("with a `D`")
        }
        ExprKind::Call(callee, _) => (!is_pure(callee, program, depth)).then_some("by a call"),
        _ => None,
    }
}

/// Is the index certainly inside the array?
fn inside(base: &Expr, index: &Expr) -> bool {
    match (base.ty.kind(), &*index.kind) {
        (TyKind::Array(_, length), ExprKind::Int(index)) => (0..i128::from(*length)).contains(index),
        _ => false,
    }
}

fn is_pure(callee: &Callee, program: &Checked, depth: u32) -> bool {
    match callee {
        Callee::Builtin(builtin) => {
            !matches!(builtin, Builtin::Load | Builtin::Store | Builtin::Take | Builtin::MemCopy | Builtin::Swap)
        }
        Callee::Host(name) => MAKERS.contains(&name.as_str()),
        Callee::C(function) => crate::clif::leaf::is_math(function.symbol.as_str()).is_some(),
        Callee::Function(instance) => {
            // They only make something new, though how they do it does not look so.
            let is_maker = copies_elements(*instance);
            let looks_pure = || {
                program
                    .functions
                    .get(instance)
                    .is_some_and(|function| search(&function.body.value, program, depth - 1).is_none())
            };
            is_maker || depth > 0 && looks_pure()
        }
        Callee::Value(_) | Callee::Dyn(..) => false,
    }
}
