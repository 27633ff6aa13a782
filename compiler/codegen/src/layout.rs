//! Sizes, alignments and offsets of types.
//!
//! [`Layouts`] is what lowering and code generation ask; [`TypeLayouts`] answers for a checked program: with natural C
//! layouts, or in hot mode with layouts that follow what the running program has had.

mod asked;
pub mod constant;
mod evolve;
mod history;
pub mod lineage;
mod methods;
mod natural;
mod roots;

use std::sync::Arc;

use vaisjit_semantics::{ItemPath, Ty, TyKind};

use crate::mir::ParkedBytes;

pub use asked::Asked;
pub use history::{Fill, KnownField, KnownLayout, KnownVariant, LayoutHistory};
pub use methods::MethodNumbers;
pub use natural::{LayoutError, LayoutProblem, MAX_SIZE, TypeLayouts};

/// Size and alignment in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Layout {
    /// Bytes of a value, a multiple of the alignment.
    pub size: u32,
    /// A power of two.
    pub align: u32,
}

/// Does a value of the type hold, inline, one of a type that evolves?
pub fn holds_evolving(ty: Ty, layouts: &dyn Layouts) -> bool {
    match *ty.kind() {
        TyKind::Struct(_, arguments) | TyKind::Enum(_, arguments) => {
            layouts.evolves(ty) || arguments.iter().any(|part| holds_evolving(*part, layouts))
        }
        TyKind::Tuple(parts) => parts.iter().any(|part| holds_evolving(*part, layouts)),
        TyKind::Array(of, _) => holds_evolving(of, layouts),
        _ => false,
    }
}

/// What fills the parked fields of a new struct (variant 0) or variant; none if it has none.
pub fn parked_bytes(ty: Ty, variant: u32, layouts: &dyn Layouts) -> Option<Arc<[ParkedBytes]>> {
    if !layouts.evolves(ty) {
        return None;
    }
    let fill = |field: &KnownField| {
        let bytes = field.fill.0.clone().filter(|bytes| bytes.len() == field.size as usize);
        (field.offset, bytes.unwrap_or_else(|| vec![0; field.size as usize].into()))
    };
    let parked = layouts.parked(ty, variant);
    (!parked.is_empty()).then(|| parked.iter().map(fill).collect())
}

/// Answers questions about layouts; a program version has one.
pub trait Layouts {
    /// Size and alignment of a type.
    fn layout(&self, ty: Ty) -> Layout;
    /// Offset of a field of a struct, tuple or slice. Field 0 of an enum is its discriminant.
    fn field_offset(&self, ty: Ty, field: u32) -> u32;
    /// Type of a field of a struct, tuple or slice; `i64` for field 0 of an enum.
    fn field_ty(&self, ty: Ty, field: u32) -> Ty;
    /// Offset of a field of a variant.
    fn variant_field_offset(&self, ty: Ty, variant: u32, field: u32) -> u32;
    /// Type of a field of a variant.
    fn variant_field_ty(&self, ty: Ty, variant: u32, field: u32) -> Ty;
    /// The number stored for a variant in the `i64` at offset 0.
    fn discriminant(&self, ty: Ty, variant: u32) -> i64;
    /// The number of the variant that a value of an enum has before it gets one: the first without payload, else the first.
    fn zero_discriminant(&self, ty: Ty) -> i64 {
        self.discriminant(ty, 0)
    }
    /// Where each method that can be called through a `dyn` of the trait is in its tables.
    fn method_numbers(&self, _: ItemPath) -> Arc<[u32]> {
        Arc::default()
    }
    /// May a reload change the layout of values of this struct or enum while they are alive?
    fn evolves(&self, _: Ty) -> bool {
        false
    }
    /// The bytes of a value, from and how many, that must not be garbage while a reload may look at it: discriminants and
    /// counted references.
    fn roots(&self, ty: Ty) -> Vec<(u32, u32)> {
        vec![(0, self.layout(ty).size)]
    }
    /// The parked fields of a struct (variant 0), or of a variant of an enum, oldest first.
    fn parked(&self, _: Ty, _: u32) -> Vec<KnownField> {
        Vec::new()
    }
}
