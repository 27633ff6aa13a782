//! The bytes of values made of literals.

use std::sync::Arc;

use vaisjit_semantics::TyKind;
use vaisjit_semantics::hir::{Expr, ExprKind};
use vaisjit_semantics::types::FloatKind;

use super::Layouts;

/// The bytes of a value made of literals only; `text` gives the word that stands for a `str`, or none if there must be
/// no text in it.
pub fn bytes(expr: &Expr, layouts: &dyn Layouts, text: &mut dyn FnMut(&Arc<str>) -> Option<usize>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; layouts.layout(expr.ty).size as usize];
    write(expr, layouts, text, &mut bytes)?;
    Some(bytes)
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
        ExprKind::Zero | ExprKind::Unit => {}
        ExprKind::Aggregate(fields, _) => {
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
