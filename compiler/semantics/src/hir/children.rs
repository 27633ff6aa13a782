//! The direct parts of an expression with types.

use super::{Arm, Callee, Expr, ExprKind, FormatPiece, Pattern, Stmt};

/// One walk for both kinds of references: `$kind` is the borrowed kind, and what is matched in it is borrowed alike.
macro_rules! parts {
    ($kind:expr, $expr:ident, $pattern:ident) => {
        match $kind {
            ExprKind::Unary(_, a)
            | ExprKind::Cast(_, a)
            | ExprKind::AddressOf(a)
            | ExprKind::Deref(a)
            | ExprKind::Field(a, _)
            | ExprKind::Repeat(a)
            | ExprKind::BoxNew(a)
            | ExprKind::MakeDyn { value: a, .. }
            | ExprKind::Loop(_, a) => $expr(a),
            ExprKind::Function(Callee::Value(value)) => $expr(value),
            ExprKind::Binary(_, a, b)
            | ExprKind::And(a, b)
            | ExprKind::Or(a, b)
            | ExprKind::Index(a, b)
            | ExprKind::While(_, a, b)
            | ExprKind::Assign(a, b)
            | ExprKind::AssignOp(_, a, b) => [a, b].into_iter().for_each($expr),
            ExprKind::Call(callee, arguments) => {
                if let Callee::Value(value) = callee {
                    $expr(value);
                }
                arguments.into_iter().for_each($expr);
            }
            ExprKind::Aggregate(parts, _)
            | ExprKind::Variant(_, parts)
            | ExprKind::Array(parts)
            | ExprKind::Closure(_, parts) => parts.into_iter().for_each($expr),
            ExprKind::Format(_, pieces) => {
                for piece in pieces {
                    if let FormatPiece::Value(value, _) = piece {
                        $expr(value);
                    }
                }
            }
            ExprKind::Block(statements, value) => {
                for statement in statements {
                    match statement {
                        Stmt::Let(bound, value) => {
                            $pattern(bound);
                            $expr(value);
                        }
                        Stmt::Expr(value) | Stmt::Defer(value) => $expr(value),
                    }
                }
                value.into_iter().for_each($expr);
            }
            ExprKind::If(condition, then, otherwise) => {
                $expr(condition);
                $expr(then);
                otherwise.into_iter().for_each($expr);
            }
            ExprKind::ForRange { start, end, body, .. } => [start, end, body].into_iter().for_each($expr),
            ExprKind::ForEach { pattern: bound, over, body, .. } => {
                $pattern(bound);
                [over, body].into_iter().for_each($expr);
            }
            ExprKind::Match(subject, arms) => {
                $expr(subject);
                for Arm { pattern: bound, guard, body } in arms {
                    $pattern(bound);
                    guard.into_iter().for_each(&mut *$expr);
                    $expr(body);
                }
            }
            ExprKind::Break(_, value) | ExprKind::Return(value) | ExprKind::Trap(_, value) => {
                value.into_iter().for_each($expr)
            }
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
            | ExprKind::Continue(_) => {}
        }
    };
}

/// Calls `expr` with every direct part of an expression, in the order of the text; closures' bodies are no part of it,
/// nor patterns.
pub fn children<'a>(e: &'a Expr, expr: &mut dyn FnMut(&'a Expr)) {
    let pattern = |_: &'a Pattern| {};
    parts!(&*e.kind, expr, pattern)
}

/// Calls `expr` with every direct part of an expression, `pattern` with every pattern directly in it, to be changed.
pub(crate) fn children_mut(e: &mut Expr, expr: &mut dyn FnMut(&mut Expr), pattern: &mut dyn FnMut(&mut Pattern)) {
    parts!(&mut *e.kind, expr, pattern)
}
