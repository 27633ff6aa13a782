//! The bytes of values made of literals.

use std::sync::Arc;

use vaisjit_semantics::hir::{Expr, ExprKind};
use vaisjit_semantics::types::FloatKind;
use vaisjit_semantics::{Ty, TyKind};

use super::{Layouts, parked_bytes};

/// The bytes of a value made of literals only; `text` gives the word that stands for a `str`, or none if there must be
/// no text in it.
pub fn bytes(expr: &Expr, layouts: &dyn Layouts, text: &mut dyn FnMut(&Arc<str>) -> Option<usize>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; layouts.layout(expr.ty).size as usize];
    write(expr, layouts, text, &mut bytes)?;
    Some(bytes)
}

/// The bytes of a type's zero value; none if there is no constant one.
pub fn zero(ty: Ty, layouts: &dyn Layouts) -> Option<Vec<u8>> {
    let mut bytes = vec![0; layouts.layout(ty).size as usize];
    beyond_zero(ty, layouts, &mut bytes)?;
    Some(bytes)
}

/// Are there bytes in a zero value of the type that are not zero? In an enum whose zero value has another number than
/// 0, and in what has parked fields.
pub fn is_beyond_zero(ty: Ty, layouts: &dyn Layouts) -> bool {
    match *ty.kind() {
        TyKind::Enum(..) => layouts.zero_discriminant(ty) != 0,
        TyKind::Array(of, length) => length > 0 && is_beyond_zero(of, layouts),
        TyKind::Struct(..) if !layouts.parked(ty, 0).is_empty() => true,
        _ => fields(ty, layouts).any(|(_, field)| is_beyond_zero(field, layouts)),
    }
}

/// The fields of a struct or tuple with their offsets.
fn fields(ty: Ty, layouts: &dyn Layouts) -> impl Iterator<Item = (usize, Ty)> + '_ {
    let is_record = matches!(ty.kind(), TyKind::Struct(..) | TyKind::Tuple(_));
    let field = move |number| {
        let found = Some(layouts.field_ty(ty, number)).filter(|found| is_record && *found != Ty::error());
        found.map(|found| (layouts.field_offset(ty, number) as usize, found))
    };
    (0..).map_while(field)
}

fn beyond_zero(ty: Ty, layouts: &dyn Layouts, bytes: &mut [u8]) -> Option<()> {
    if !is_beyond_zero(ty, layouts) {
        return Some(());
    }
    match *ty.kind() {
        TyKind::Enum(..) => put(bytes, &layouts.zero_discriminant(ty).to_le_bytes()),
        TyKind::Array(of, _) => {
            let size = layouts.layout(of).size as usize;
            bytes.chunks_mut(size.max(1)).try_for_each(|bytes| beyond_zero(of, layouts, bytes))?;
        }
        _ => {
            fill_parked(ty, layouts, bytes)?;
            for (offset, field) in fields(ty, layouts) {
                let size = layouts.layout(field).size as usize;
                beyond_zero(field, layouts, bytes.get_mut(offset..offset + size)?)?;
            }
        }
    }
    Some(())
}

fn fill_parked(ty: Ty, layouts: &dyn Layouts, bytes: &mut [u8]) -> Option<()> {
    for (offset, fill) in parked_bytes(ty, 0, layouts).iter().flat_map(|parked| parked.iter()) {
        bytes.get_mut(*offset as usize..*offset as usize + fill.len())?.copy_from_slice(fill);
    }
    Some(())
}

fn write(
    expr: &Expr,
    layouts: &dyn Layouts,
    text: &mut dyn FnMut(&Arc<str>) -> Option<usize>,
    bytes: &mut [u8],
) -> Option<()> {
    match &*expr.kind {
        ExprKind::Int(value) => put(bytes, &value.to_le_bytes()),
        ExprKind::Bool(value) => put(bytes, &[u8::from(*value)]),
        ExprKind::Float(bits) => match expr.ty.kind() {
            TyKind::Float(FloatKind::F32) => put(bytes, &(f64::from_bits(*bits) as f32).to_bits().to_le_bytes()),
            _ => put(bytes, &bits.to_le_bytes()),
        },
        ExprKind::Str(value) => put(bytes, &text(value)?.to_le_bytes()),
        ExprKind::Zero if expr.ty.holds_collection() => return None,
        ExprKind::Zero => beyond_zero(expr.ty, layouts, bytes)?,
        ExprKind::Unit => {}
        ExprKind::Aggregate(fields, _) => {
            fill_parked(expr.ty, layouts, bytes)?;
            for (number, field) in fields.iter().enumerate() {
                let offset = layouts.field_offset(expr.ty, number as u32) as usize;
                let size = layouts.layout(field.ty).size as usize;
                write(field, layouts, text, bytes.get_mut(offset..offset + size)?)?;
            }
        }
        ExprKind::Array(elements) => {
            let size = layouts.layout(elements.first()?.ty).size as usize;
            for (element, bytes) in elements.iter().zip(bytes.chunks_mut(size.max(1))) {
                write(element, layouts, text, bytes)?;
            }
        }
        ExprKind::Repeat(element) => {
            let size = layouts.layout(element.ty).size as usize;
            let mut one = vec![0; size];
            write(element, layouts, text, &mut one)?;
            bytes.chunks_mut(size.max(1)).for_each(|bytes| bytes.copy_from_slice(&one[..bytes.len()]));
        }
        ExprKind::Block(statements, Some(value)) if statements.is_empty() => write(value, layouts, text, bytes)?,
        _ => return None,
    }
    Some(())
}

fn put(bytes: &mut [u8], value: &[u8]) {
    let length = bytes.len().min(value.len());
    bytes[..length].copy_from_slice(&value[..length]);
}
