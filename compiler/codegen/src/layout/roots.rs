//! Which bytes of a value a reload goes by before it knows whether the value means anything.

use vaisjit_semantics::{Ty, TyKind};

use super::{KnownField, Layouts, TypeLayouts};

/// An array with more such words than this is taken as a whole. Chosen by feel.
const MOST_WORDS: u64 = 16;

/// Discriminants and counted references, from and how many bytes.
pub(super) fn of(layouts: &TypeLayouts, ty: Ty) -> Vec<(u32, u32)> {
    let size = layouts.layout(ty).size;
    match *ty.kind() {
        TyKind::Str | TyKind::Function(..) | TyKind::Vec(_) | TyKind::HashMap(..) | TyKind::Box(_) | TyKind::Dyn(_) => {
            vec![(0, size)]
        }
        TyKind::Tuple(parts) => {
            let field = |(number, part): (u32, &Ty)| moved(of(layouts, *part), layouts.field_offset(ty, number));
            (0..).zip(parts.iter()).flat_map(field).collect()
        }
        TyKind::Struct(..) | TyKind::Enum(..) => nominal(layouts, ty, size),
        TyKind::Array(element, length) => array(layouts, element, length, size),
        _ => Vec::new(),
    }
}

fn array(layouts: &TypeLayouts, element: Ty, length: u64, size: u32) -> Vec<(u32, u32)> {
    let (one, stride) = (of(layouts, element), layouts.layout(element).size);
    match length.saturating_mul(one.len() as u64) {
        0 => Vec::new(),
        words if words > MOST_WORDS => vec![(0, size)],
        _ => (0..length as u32).flat_map(|index| moved(one.clone(), index * stride)).collect(),
    }
}

/// Of an enum whose payloads hold nothing of the kind only the discriminant, else all of it.
fn nominal(layouts: &TypeLayouts, ty: Ty, size: u32) -> Vec<(u32, u32)> {
    let Some(known) = layouts.known(ty) else { return vec![(0, size)] };
    let fields = known.variants.iter().flat_map(|variant| variant.fields.iter().chain(&variant.parked));
    let of_field = |field: &KnownField| match layouts.try_layout(field.ty) {
        Ok(_) if field.then.0.is_none() => moved(of(layouts, field.ty), field.offset),
        // A parked field of a type that is gone or lies otherwise now.
        _ => vec![(field.offset, field.size)],
    };
    let mut inside: Vec<(u32, u32)> = fields.flat_map(of_field).collect();
    if matches!(ty.kind(), TyKind::Enum(..)) {
        inside = vec![(0, if inside.is_empty() { 8 } else { size })];
    }
    inside
}

fn moved(ranges: Vec<(u32, u32)>, by: u32) -> Vec<(u32, u32)> {
    ranges.into_iter().map(|(from, bytes)| (from + by, bytes)).collect()
}
