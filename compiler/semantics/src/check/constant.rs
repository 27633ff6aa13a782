//! Constant expressions: checked like any other, then evaluated.

use vaisjit_syntax::{Diagnostic, Name, ast};

use super::coerce::Why;
use super::literal::{round, wrap};
use super::{Binding, Checker};
use crate::codes;
use crate::hir::{BinaryOp, CastKind, Expr, ExprKind, UnaryOp};
use crate::lower::TypeScope;
use crate::types::{Ty, TyKind};
use crate::world::World;

/// Does a mistake reported elsewhere, such as a constant defined by itself, stand in the value?
fn is_wrong(value: &Expr) -> bool {
    let mut wrong = false;
    super::finish::each(&mut value.clone(), &mut |part| wrong |= part.ty == Ty::error());
    wrong
}

impl<'w, 'a> Checker<'w, 'a> {
    /// The value of a constant expression, and what is wrong with it.
    pub fn constant(
        world: &'w World<'a>,
        scope: &TypeScope,
        e: &ast::Expr,
        ty: Option<Ty>,
        consts: &[(Name, Expr)],
    ) -> (Expr, Vec<Diagnostic>) {
        let mut scope = scope.clone();
        scope.infer = false;
        let mut checker = Checker::new(world, scope, Ty::unit());
        for (name, value) in consts {
            checker.bind(*name, Binding::Const(value.clone()));
        }
        let value = match ty {
            Some(ty) => checker.check_to(e, ty, Why::Plain),
            None => checker.value(e),
        };
        let (mut value, _) = checker.finish_expr(value);
        if checker.diagnostics.iter().any(Diagnostic::is_error) {
            let wrong = Expr::new(ExprKind::Unit, ty.unwrap_or(Ty::error()), e.span);
            return (Expr { ty: Ty::error(), ..wrong }, checker.diagnostics);
        }
        match fold(&value) {
            Some(folded) => value = folded,
            None if value.ty != Ty::error() && !is_wrong(&value) => {
                let diagnostic = checker
                    .error(codes::NOT_CONSTANT, e.span, "this is not a constant expression")
                    .with_help("a constant is made of literals, operators and other constants; a value that must be computed is a global: `G`");
                checker.report(diagnostic);
                value = Expr { ty: Ty::error(), ..value };
            }
            None => {}
        }
        (value, checker.diagnostics)
    }

    /// The value of an array length.
    pub fn length(world: &'w World<'a>, scope: &TypeScope, e: &ast::Expr) -> (Option<u64>, Vec<Diagnostic>) {
        if let ast::ExprKind::Int(value, _) = &*e.kind
            && let Ok(value) = u64::try_from(*value)
        {
            return (Some(value), Vec::new());
        }
        let (value, mut diagnostics) = Checker::constant(world, scope, e, None, &scope.consts);
        match (&*value.kind, value.ty.kind()) {
            (ExprKind::Int(value), TyKind::Int(_)) if *value >= 0 => (u64::try_from(*value).ok(), diagnostics),
            (_, TyKind::Error) => (None, diagnostics),
            _ => {
                let place = vaisjit_syntax::Place::item(scope.item, e.span);
                diagnostics.push(Diagnostic::error(
                    codes::MISMATCH,
                    place,
                    "the length of an array must be a whole number that is not negative",
                ));
                (None, diagnostics)
            }
        }
    }
}

/// The value of an expression as a tree of literals; `None` when it is not constant.
pub(crate) fn fold(e: &Expr) -> Option<Expr> {
    stacker::maybe_grow(128 << 10, 2 << 20, || fold_form(e))
}

fn fold_form(e: &Expr) -> Option<Expr> {
    let with = |kind: ExprKind| Some(Expr::new(kind, e.ty, e.span));
    let all = |parts: &[Expr]| parts.iter().map(fold).collect::<Option<Vec<Expr>>>();
    match &*e.kind {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Str(_) | ExprKind::Function(_) => {
            Some(e.clone())
        }
        ExprKind::Array(parts) => with(ExprKind::Array(all(parts)?)),
        ExprKind::Aggregate(parts, order) => with(ExprKind::Aggregate(all(parts)?, order.clone())),
        ExprKind::Variant(number, parts) => with(ExprKind::Variant(*number, all(parts)?)),
        ExprKind::Repeat(value) => with(ExprKind::Repeat(fold(value)?)),
        ExprKind::Block(statements, Some(value)) if statements.is_empty() => fold(value),
        ExprKind::Unary(op, value) => with(unary(*op, &fold(value)?)?),
        ExprKind::Binary(op, a, b) => with(binary(*op, &fold(a)?, &fold(b)?)?),
        ExprKind::And(a, b) => match *fold(a)?.kind {
            ExprKind::Bool(true) => fold(b),
            kind => with(kind),
        },
        ExprKind::Or(a, b) => match *fold(a)?.kind {
            ExprKind::Bool(false) => fold(b),
            kind => with(kind),
        },
        ExprKind::Cast(kind, value) => with(convert(*kind, &fold(value)?, e.ty)?),
        ExprKind::If(condition, a, Some(b)) => match *fold(condition)?.kind {
            ExprKind::Bool(true) => fold(a),
            ExprKind::Bool(false) => fold(b),
            _ => None,
        },
        ExprKind::Call(crate::hir::Callee::Builtin(which), arguments) => with(builtin(*which, &all(arguments)?)?),
        _ => None,
    }
}

fn builtin(which: crate::hir::Builtin, arguments: &[Expr]) -> Option<ExprKind> {
    use crate::hir::Builtin;
    let kind = arguments.first()?.ty.int_kind()?;
    let value = |index: usize| match &*arguments.get(index)?.kind {
        ExprKind::Int(value) => Some(*value),
        _ => None,
    };
    Some(ExprKind::Int(match which {
        Builtin::Min => value(0)?.min(value(1)?),
        Builtin::Max => value(0)?.max(value(1)?),
        Builtin::Abs => wrap(value(0)?.wrapping_abs(), kind),
        _ => return None,
    }))
}

fn unary(op: UnaryOp, value: &Expr) -> Option<ExprKind> {
    Some(match (op, &*value.kind) {
        (UnaryOp::Negate, ExprKind::Int(v)) => ExprKind::Int(wrap(v.wrapping_neg(), value.ty.int_kind()?)),
        (UnaryOp::BitNot, ExprKind::Int(v)) => ExprKind::Int(wrap(!v, value.ty.int_kind()?)),
        (UnaryOp::Negate, ExprKind::Float(bits)) => ExprKind::Float((-f64::from_bits(*bits)).to_bits()),
        (UnaryOp::Not, ExprKind::Bool(v)) => ExprKind::Bool(!v),
        _ => return None,
    })
}

fn binary(op: BinaryOp, a: &Expr, b: &Expr) -> Option<ExprKind> {
    match (&*a.kind, &*b.kind) {
        (ExprKind::Int(x), ExprKind::Int(y)) => integers(op, *x, *y, a.ty),
        (ExprKind::Float(x), ExprKind::Float(y)) => floats(op, f64::from_bits(*x), f64::from_bits(*y), a.ty),
        (ExprKind::Bool(x), ExprKind::Bool(y)) => Some(ExprKind::Bool(match op {
            BinaryOp::Eq => x == y,
            BinaryOp::Ne | BinaryOp::BitXor => x != y,
            BinaryOp::BitAnd => *x && *y,
            BinaryOp::BitOr => *x || *y,
            _ => return None,
        })),
        (ExprKind::Str(x), ExprKind::Str(y)) => Some(match op {
            BinaryOp::Add => ExprKind::Str(format!("{x}{y}").into()),
            BinaryOp::Eq => ExprKind::Bool(x == y),
            BinaryOp::Ne => ExprKind::Bool(x != y),
            _ => return None,
        }),
        _ => None,
    }
}

fn integers(op: BinaryOp, x: i128, y: i128, ty: Ty) -> Option<ExprKind> {
    let kind = ty.int_kind()?;
    let unsigned = kind.bits() == 128 && !kind.signed();
    let order = if unsigned { (x as u128).cmp(&(y as u128)) } else { x.cmp(&y) };
    let compared = match op {
        BinaryOp::Eq => Some(order.is_eq()),
        BinaryOp::Ne => Some(order.is_ne()),
        BinaryOp::Lt => Some(order.is_lt()),
        BinaryOp::Le => Some(order.is_le()),
        BinaryOp::Gt => Some(order.is_gt()),
        BinaryOp::Ge => Some(order.is_ge()),
        _ => None,
    };
    if let Some(compared) = compared {
        return Some(ExprKind::Bool(compared));
    }
    let count = (y as u32) & (kind.bits() - 1);
    let value = match op {
        BinaryOp::Add => x.wrapping_add(y),
        BinaryOp::Sub => x.wrapping_sub(y),
        BinaryOp::Mul => x.wrapping_mul(y),
        BinaryOp::Div | BinaryOp::Rem if y == 0 => return None,
        BinaryOp::Div if unsigned => ((x as u128) / (y as u128)) as i128,
        BinaryOp::Rem if unsigned => ((x as u128) % (y as u128)) as i128,
        BinaryOp::Div => x.wrapping_div(y),
        BinaryOp::Rem => x.wrapping_rem(y),
        BinaryOp::BitAnd => x & y,
        BinaryOp::BitOr => x | y,
        BinaryOp::BitXor => x ^ y,
        BinaryOp::Shl => x.wrapping_shl(count),
        BinaryOp::Shr if unsigned => ((x as u128) >> count) as i128,
        BinaryOp::Shr => x >> count,
        _ => return None,
    };
    Some(ExprKind::Int(wrap(value, kind)))
}

fn floats(op: BinaryOp, x: f64, y: f64, ty: Ty) -> Option<ExprKind> {
    let TyKind::Float(kind) = *ty.kind() else { return None };
    let value = match op {
        BinaryOp::Add => x + y,
        BinaryOp::Sub => x - y,
        BinaryOp::Mul => x * y,
        BinaryOp::Div => x / y,
        BinaryOp::Rem => x % y,
        BinaryOp::Eq => return Some(ExprKind::Bool(x == y)),
        BinaryOp::Ne => return Some(ExprKind::Bool(x != y)),
        BinaryOp::Lt => return Some(ExprKind::Bool(x < y)),
        BinaryOp::Le => return Some(ExprKind::Bool(x <= y)),
        BinaryOp::Gt => return Some(ExprKind::Bool(x > y)),
        BinaryOp::Ge => return Some(ExprKind::Bool(x >= y)),
        _ => return None,
    };
    Some(ExprKind::Float(round(value.to_bits(), kind)))
}

fn convert(cast: CastKind, value: &Expr, to: Ty) -> Option<ExprKind> {
    Some(match (cast, &*value.kind, to.kind()) {
        (CastKind::IntToInt, ExprKind::Int(v), TyKind::Int(kind)) => ExprKind::Int(wrap(*v, *kind)),
        (CastKind::IntToInt, ExprKind::Bool(v), _) => ExprKind::Int(i128::from(*v)),
        (CastKind::IntToFloat, ExprKind::Int(v), TyKind::Float(kind)) => {
            let unsigned = value.ty.int_kind().is_some_and(|kind| !kind.signed());
            let float = if unsigned { *v as u128 as f64 } else { *v as f64 };
            ExprKind::Float(round(float.to_bits(), *kind))
        }
        (CastKind::IntToFloat, ExprKind::Bool(v), _) => ExprKind::Float(f64::from(u8::from(*v)).to_bits()),
        (CastKind::FloatToInt, ExprKind::Float(bits), TyKind::Int(kind)) => {
            let (value, bits) = (f64::from_bits(*bits), kind.bits());
            ExprKind::Int(match kind.signed() {
                true if bits == 128 => value as i128,
                true => (value as i128).clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
                false if bits == 128 => value as u128 as i128,
                false => (value as i128).clamp(0, (1 << bits) - 1),
            })
        }
        (CastKind::FloatToFloat, ExprKind::Float(bits), TyKind::Float(kind)) => ExprKind::Float(round(*bits, *kind)),
        (CastKind::ToBool, ExprKind::Int(v), _) => ExprKind::Bool(*v != 0),
        (CastKind::Pointer, ExprKind::Int(_) | ExprKind::Str(_), _) => ExprKind::Cast(cast, value.clone()),
        _ => return None,
    })
}
