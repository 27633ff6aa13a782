//! The variables of the source whose values a trap report may show: scalars in registers that get one value only, so that
//! wherever the machine still holds it, it is the right one.

use cranelift::prelude::*;
use cranelift_codegen::ir::ValueLabel;
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::Translator;
use super::place::index_of;
use crate::mir::visit::{Access, block_places};
use crate::mir::{Body, Local};

/// A variable whose value may be found in the machine.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NamedValue {
    /// What code tables know it by.
    pub label: u32,
    /// Its name in the source.
    pub name: Name,
    /// Its type.
    pub ty: Ty,
}

/// The variables of a body that get one value only, parameters first.
pub(super) fn named(body: &Body) -> Vec<NamedValue> {
    let mut written = vec![0u32; body.locals.len()];
    written[1..=body.params as usize].fill(1);
    for block in body.blocks.values() {
        block_places(block, &mut |place, access| {
            if let (Some(local), Access::Write) = (place.as_local(), access) {
                written[index_of(local)] += 1;
            }
        });
    }
    let shown = body.locals.iter().filter(|(local, declared)| {
        let shows = matches!(declared.ty.kind(), TyKind::Int(_) | TyKind::Float(_) | TyKind::Bool | TyKind::Pointer(_));
        written[index_of(*local)] == 1 && !declared.in_memory && shows
    });
    let value = |(local, name): (Local, Name)| {
        (!name.starts_with('{')).then(|| NamedValue { label: index_of(local) as u32, name, ty: body.locals[local].ty })
    };
    shown.filter_map(|(local, declared)| value((local, declared.name?))).collect()
}

impl Translator<'_, '_> {
    /// A local in registers gets a value.
    pub(super) fn label(&mut self, local: Local, value: Value) {
        let label = index_of(local) as u32;
        if self.frame.named.iter().any(|named| named.label == label) {
            self.b.set_val_label(value, ValueLabel::from_u32(label));
        }
    }
}
