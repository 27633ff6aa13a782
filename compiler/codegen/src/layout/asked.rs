//! Layouts that remember what was asked: what a function's MIR depends on.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use vaisjit_semantics::{ItemPath, Ty};

use super::{KnownField, Layout, Layouts};

/// Answers as other layouts do, and notes the types.
pub struct Asked<'a> {
    layouts: &'a dyn Layouts,
    types: RefCell<FxHashSet<Ty>>,
}

impl Asked<'_> {
    /// Nothing has been asked yet.
    pub fn new(layouts: &dyn Layouts) -> Asked<'_> {
        Asked { layouts, types: RefCell::default() }
    }

    /// The types something was asked about.
    pub fn types(self) -> FxHashSet<Ty> {
        self.types.into_inner()
    }

    fn note(&self, ty: Ty) -> &dyn Layouts {
        self.types.borrow_mut().insert(ty);
        self.layouts
    }
}

impl Layouts for Asked<'_> {
    fn layout(&self, ty: Ty) -> Layout {
        self.note(ty).layout(ty)
    }

    fn field_offset(&self, ty: Ty, field: u32) -> u32 {
        self.note(ty).field_offset(ty, field)
    }

    fn field_ty(&self, ty: Ty, field: u32) -> Ty {
        self.note(ty).field_ty(ty, field)
    }

    fn variant_field_offset(&self, ty: Ty, variant: u32, field: u32) -> u32 {
        self.note(ty).variant_field_offset(ty, variant, field)
    }

    fn variant_field_ty(&self, ty: Ty, variant: u32, field: u32) -> Ty {
        self.note(ty).variant_field_ty(ty, variant, field)
    }

    fn method_numbers(&self, of_trait: ItemPath) -> Arc<[u32]> {
        self.layouts.method_numbers(of_trait)
    }

    fn discriminant(&self, ty: Ty, variant: u32) -> i64 {
        self.note(ty).discriminant(ty, variant)
    }

    fn zero_discriminant(&self, ty: Ty) -> i64 {
        self.note(ty).zero_discriminant(ty)
    }

    fn evolves(&self, ty: Ty) -> bool {
        self.note(ty).evolves(ty)
    }

    fn roots(&self, ty: Ty) -> Vec<(u32, u32)> {
        self.note(ty).roots(ty)
    }

    fn parked(&self, ty: Ty, variant: u32) -> Vec<KnownField> {
        self.note(ty).parked(ty, variant)
    }
}
