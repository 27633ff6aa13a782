//! Shapes of all types that there may be values of: those of the running version, and those that only earlier ones name.

use std::sync::Arc;

use vaisjit_codegen::layout::{LayoutHistory, TypeLayouts};
use vaisjit_codegen::shape::{Shape, ShapeKind, shape};
use vaisjit_semantics::{Checked, Ty, TyKind};

use crate::live::Live;
use crate::reload::migrate::known::Known;

/// What a version and its history know of types.
pub(crate) struct AllShapes<'a> {
    program: &'a Checked,
    layouts: &'a TypeLayouts,
    known: Known,
}

impl<'a> AllShapes<'a> {
    pub fn new(program: &'a Checked, layouts: &'a TypeLayouts, history: &Arc<LayoutHistory>) -> AllShapes<'a> {
        AllShapes { program, layouts, known: Known::new(history.clone()) }
    }

    /// Those of the running version.
    pub fn of(live: &'a Live) -> AllShapes<'a> {
        AllShapes::new(&live.checked, &live.layouts, &live.history)
    }

    /// The shape of a type.
    pub fn get(&self, ty: Ty) -> Shape {
        if lies(ty, &|ty| self.in_program(ty)) { shape(ty, self.program, self.layouts) } else { self.known.shape(ty) }
    }

    /// Does a value of the type hold references to counted heap objects?
    pub fn is_counted(&self, ty: Ty) -> bool {
        match self.get(ty).kind {
            ShapeKind::Array(of, length) => length > 0 && self.is_counted(of),
            ShapeKind::Record(parts) => parts.iter().any(|part| self.is_counted(part.ty)),
            ShapeKind::Enum(variants) => {
                variants.iter().flat_map(|variant| &variant.parts).any(|part| self.is_counted(part.ty))
            }
            ShapeKind::Str
            | ShapeKind::Function
            | ShapeKind::Vec(_)
            | ShapeKind::HashMap(..)
            | ShapeKind::Box(_)
            | ShapeKind::Dyn => true,
            ShapeKind::Unit
            | ShapeKind::Int(_)
            | ShapeKind::Float(_)
            | ShapeKind::Bool
            | ShapeKind::Pointer
            | ShapeKind::Slice(_) => false,
        }
    }

    /// Is it known what values of the type, or entries of a map, are made of?
    pub fn has(&self, ty: Ty) -> bool {
        let parts = |ty: Ty| self.in_program(ty).or_else(|| self.in_history(ty));
        match *ty.kind() {
            TyKind::HashMap(key, value) => lies(key, &parts) && lies(value, &parts),
            _ => lies(ty, &parts),
        }
    }

    fn in_program(&self, ty: Ty) -> Option<Vec<Ty>> {
        let fields = self.program.structs.get(&ty).map(|known| known.fields.iter().map(|field| field.ty).collect());
        let variants = || self.program.enums.get(&ty).map(|known| known.variants.iter());
        fields.or_else(|| Some(variants()?.flat_map(|variant| &variant.fields).map(|field| field.ty).collect()))
    }

    fn in_history(&self, ty: Ty) -> Option<Vec<Ty>> {
        let declared = self.known.get(ty)?.variants.iter().filter(|variant| variant.declared);
        Some(declared.flat_map(|variant| &variant.fields).map(|field| field.ty).collect())
    }
}

/// Are the parts known of all structs and enums that lie in a value? What lies behind a handle does not count: a type may
/// hold a map of values of its own.
fn lies(ty: Ty, parts: &dyn Fn(Ty) -> Option<Vec<Ty>>) -> bool {
    match *ty.kind() {
        TyKind::Struct(..) | TyKind::Enum(..) => {
            parts(ty).is_some_and(|inside| inside.into_iter().all(|ty| lies(ty, parts)))
        }
        TyKind::Tuple(inside) => inside.iter().all(|part| lies(*part, parts)),
        TyKind::Array(of, _) => lies(of, parts),
        _ => true,
    }
}
