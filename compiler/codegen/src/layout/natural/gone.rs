//! Layouts of types that a program does not name any more. There may be values of them: in a removed global, in a parked
//! field, in what a closure has captured. Where they hold values of types that have changed, they change with these.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vaisjit_semantics::{Ty, TyKind};

use super::{KnownField, KnownLayout, LayoutHistory, MAX_SIZE, Packer, TypeLayouts};
use crate::layout::evolve::{self, Keeping, Wanted, WantedField, WantedVariant};
use crate::layout::{Layout, Layouts};

/// Lays out the types that only the history before knows; parts that nobody knows of keep them as they are.
pub(super) fn follow(layouts: &TypeLayouts, before: &LayoutHistory, history: &mut LayoutHistory) {
    let mut gone = Gone { layouts, before, made: FxHashMap::default() };
    for (ty, known) in before.iter().filter(|(ty, _)| !layouts.defines(*ty)) {
        if let Some(now) = gone.known(ty).filter(|now| **now != **known) {
            history.insert(ty, now);
        }
    }
}

struct Gone<'a> {
    layouts: &'a TypeLayouts,
    before: &'a LayoutHistory,
    /// None while they are being made, for a type that contains itself.
    made: FxHashMap<Ty, Option<Arc<KnownLayout>>>,
}

impl Gone<'_> {
    fn known(&mut self, ty: Ty) -> Option<Arc<KnownLayout>> {
        if let Some(made) = self.made.get(&ty) {
            return made.clone();
        }
        self.made.insert(ty, None);
        let made = self.make(ty);
        self.made.insert(ty, made.clone());
        made
    }

    fn make(&mut self, ty: Ty) -> Option<Arc<KnownLayout>> {
        let before = self.before.get(ty)?.clone();
        let mut variants = Vec::with_capacity(before.variants.len());
        for variant in before.variants.iter().filter(|variant| variant.declared) {
            let fields = variant.fields.iter().map(|field| self.wanted(field)).collect::<Option<_>>()?;
            variants.push(WantedVariant { name: variant.name, was: variant.lineage.was, fields });
        }
        let is_enum = matches!(ty.kind(), TyKind::Enum(..));
        let header = if is_enum { Layout { size: 8, align: 8 } } else { Layout { size: 0, align: 1 } };
        let evolves = self.layouts.evolves(ty);
        let wanted = Wanted {
            variants,
            header,
            exposed: !evolves || before.exposed,
            reserve: 0,
            back: None,
            keeping: Keeping::default(),
            most_parked: 0,
            then: self.layouts.then(ty, &mut Vec::new()),
        };
        evolve::evolve(&wanted, evolves.then_some(&*before)).map(Arc::new)
    }

    fn wanted(&mut self, field: &KnownField) -> Option<WantedField> {
        let layout = self.layout(field.ty)?;
        Some(WantedField { name: field.name, was: field.lineage.was, ty: field.ty, layout })
    }

    fn layout(&mut self, ty: Ty) -> Option<Layout> {
        match *ty.kind() {
            TyKind::Struct(..) | TyKind::Enum(..) if !self.layouts.defines(ty) => Some(self.known(ty)?.layout),
            TyKind::Array(of, length) => {
                let of = self.layout(of)?;
                let size = length.checked_mul(u64::from(of.size)).filter(|size| *size <= u64::from(MAX_SIZE))?;
                Some(Layout { size: size as u32, ..of })
            }
            TyKind::Tuple(parts) => {
                let mut packer = Packer::default();
                for part in parts.iter() {
                    packer.add(ty, self.layout(*part)?).ok()?;
                }
                packer.finish(ty).ok()
            }
            _ => self.layouts.try_layout(ty).ok(),
        }
    }
}
