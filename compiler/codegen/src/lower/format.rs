//! Output: every piece of a formatted text becomes a call of a host function.

use vaisjit_semantics::hir::{BinaryOp, CastKind, Expr, ExprKind, FormatPiece, FormatTarget};
use vaisjit_semantics::types::{FloatKind, IntKind};
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::ast::FormatSpec;

use super::{Lowerer, Result, scan};
use crate::host_calls as host;
use crate::mir::{Const, Operand, Rvalue};

impl<'a> Lowerer<'a> {
    /// Evaluates all values, then prints all pieces.
    pub(super) fn print(&mut self, pieces: &'a [FormatPiece]) -> Result {
        let pieces = flat(pieces);
        let values = self.values_of(&pieces)?;
        self.print_pieces(&pieces, values)
    }

    /// A text for the report of a trap. If it is made of values, it lies in a buffer of the thread until the next one.
    pub(super) fn message(&mut self, message: &'a Expr) -> Result<Operand> {
        let pieces = pieces_of(message);
        if let [Piece::Value(value, spec)] = &pieces[..]
            && is_plain(spec)
            && value.ty == Ty::str()
        {
            return self.operand(value);
        }
        let texts = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => Some(*text),
            Piece::Value(..) => None,
        });
        if let Some(text) = texts.collect::<Option<String>>() {
            return Ok(Operand::Const(Const::Str(text.into())));
        }
        let values = self.values_of(&pieces)?;
        self.host_call(host::TEXT_BEGIN, []);
        self.print_pieces(&pieces, values)?;
        Ok(self.host_value(host::TEXT_TAKE, [], Ty::str()))
    }

    pub(super) fn values_of(&mut self, pieces: &[Piece<'a>]) -> Result<Vec<Operand>> {
        let mut values = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            if let Piece::Value(value, _) = piece {
                let calm = pieces[index + 1..].iter().all(is_calm);
                values.push(if calm { self.operand(value)? } else { self.held_operand(value)? });
            }
        }
        Ok(values)
    }

    pub(super) fn print_pieces(&mut self, pieces: &[Piece<'a>], values: Vec<Operand>) -> Result {
        let mut values = values.into_iter();
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(more) => text.push_str(more),
                Piece::Value(value, spec) => {
                    self.print_text(&mut text);
                    let Some(operand) = values.next() else { continue };
                    self.print_value(value, operand, spec)?;
                }
            }
        }
        self.print_text(&mut text);
        Ok(())
    }

    fn print_text(&mut self, text: &mut String) {
        if !text.is_empty() {
            let text = Const::Str(std::mem::take(text).into());
            self.host_call(host::PRINT_STR, [Operand::Const(text)]);
        }
    }

    fn print_value(&mut self, value: &Expr, operand: Operand, spec: &FormatSpec) -> Result {
        let (plain, formatted, wide) = match value.ty.kind() {
            TyKind::Int(IntKind::I128) => (host::PRINT_I128, host::PRINT_I128_SPEC, value.ty),
            TyKind::Int(IntKind::U128) => (host::PRINT_U128, host::PRINT_U128_SPEC, value.ty),
            TyKind::Int(kind) if kind.signed() => (host::PRINT_I64, host::PRINT_I64_SPEC, Ty::i64()),
            TyKind::Int(_) => (host::PRINT_U64, host::PRINT_U64_SPEC, Ty::int(IntKind::U64)),
            TyKind::Bool => (host::PRINT_I64, host::PRINT_I64_SPEC, Ty::i64()),
            TyKind::Float(_) => (host::PRINT_F64, host::PRINT_F64_SPEC, Ty::f64()),
            TyKind::Str => (host::PRINT_STR, host::PRINT_STR_SPEC, value.ty),
            TyKind::Pointer(_) | TyKind::Reference(_) | TyKind::Function(..) => {
                (host::PRINT_PTR, host::PRINT_U64_SPEC, Ty::i64())
            }
            _ => return self.unsupported(format!("printing a `{}`", value.ty)),
        };
        let operand = self.widened(operand, wide);
        if *spec == FormatSpec::default() {
            self.host_call(plain, [operand]);
        } else {
            let (flags, sizes) = host::pack(spec);
            self.host_call(formatted, [operand, Operand::int(flags), Operand::int(sizes)]);
        }
        Ok(())
    }

    fn widened(&mut self, operand: Operand, to: Ty) -> Operand {
        let from = operand.ty();
        if from == to {
            return operand;
        }
        if let Some(value) = operand.as_int() {
            return Operand::Const(Const::Int(value, to));
        }
        let kind = match from.kind() {
            TyKind::Float(FloatKind::F32) => CastKind::FloatToFloat,
            TyKind::Int(_) | TyKind::Bool => CastKind::IntToInt,
            _ => CastKind::Pointer,
        };
        self.b.value(to, Rvalue::Cast(kind, operand, to))
    }
}

/// A piece of a text that is not made of pieces itself.
pub(super) enum Piece<'a> {
    Text(&'a str),
    Value(&'a Expr, &'a FormatSpec),
}

impl Piece<'_> {
    /// Is it a text as it is?
    pub(super) fn is_text(&self) -> bool {
        match self {
            Piece::Text(_) => true,
            Piece::Value(value, spec) => value.ty == Ty::str() && is_plain(spec),
        }
    }
}

static PLAIN: FormatSpec = FormatSpec {
    fill: None,
    align: None,
    sign: false,
    alternate: false,
    zero: false,
    width: None,
    precision: None,
    kind: None,
};

/// The pieces, with those of texts that are only made to be printed.
pub(super) fn flat(pieces: &[FormatPiece]) -> Vec<Piece<'_>> {
    let mut all = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            FormatPiece::Text(text) => all.push(Piece::Text(text)),
            FormatPiece::Value(value, spec) => flatten(value, spec, &mut all),
        }
    }
    all
}

fn flatten<'a>(value: &'a Expr, spec: &'a FormatSpec, all: &mut Vec<Piece<'a>>) {
    match &*value.kind {
        ExprKind::Str(text) if *spec == PLAIN => all.push(Piece::Text(text)),
        ExprKind::Format(FormatTarget::Str, pieces) if *spec == PLAIN => all.extend(flat(pieces)),
        ExprKind::Binary(BinaryOp::Add, left, right) if *spec == PLAIN && value.ty == Ty::str() => {
            flatten(left, spec, all);
            flatten(right, spec, all);
        }
        _ => all.push(Piece::Value(value, spec)),
    }
}

/// The pieces of a text.
pub(super) fn pieces_of(text: &Expr) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    flatten(text, &PLAIN, &mut pieces);
    pieces
}

pub(super) fn is_plain(spec: &FormatSpec) -> bool {
    *spec == PLAIN
}

fn is_calm(piece: &Piece) -> bool {
    match piece {
        Piece::Text(_) => true,
        Piece::Value(value, _) => scan::pure(value),
    }
}
