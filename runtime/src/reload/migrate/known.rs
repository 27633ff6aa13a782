//! What a history of layouts says of any type: sizes, and what values are made of.

use std::sync::Arc;

use vaisjit_codegen::layout::{KnownField, KnownLayout, KnownVariant, Layout, LayoutHistory};
use vaisjit_codegen::shape::{Part, Shape, ShapeKind, VariantShape, plain};
use vaisjit_semantics::types::FloatKind;
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use crate::heap::migrate::BatchKey;

/// A view of one history.
#[derive(Clone)]
pub(crate) struct Known {
    history: Arc<LayoutHistory>,
}

impl Known {
    pub fn new(history: Arc<LayoutHistory>) -> Known {
        Known { history }
    }

    /// Do values of a type lie in both views alike, and all that is inline in them?
    pub fn lies_alike(&self, other: &Known, ty: Ty) -> bool {
        let alike = |ty: &Ty| self.lies_alike(other, *ty);
        match *ty.kind() {
            TyKind::Array(of, _) => alike(&of),
            TyKind::Tuple(parts) => parts.iter().all(alike),
            TyKind::Struct(..) | TyKind::Enum(..) => match (self.get(ty), other.get(ty)) {
                (Some(one), Some(two)) => {
                    let waits = |(a, b): (&KnownField, &KnownField)| self.then(a).lies_alike(&other.then(b), a.ty);
                    one == two
                        && one.all_fields().all(|field| alike(&field.ty))
                        && one.all_parked().zip(two.all_parked()).all(waits)
                }
                (one, two) => one == two,
            },
            _ => true,
        }
    }

    /// The view that says how values of a parked field lie.
    pub fn then(&self, field: &KnownField) -> Known {
        field.then.0.as_ref().map_or_else(|| self.clone(), |then| Known::new(then.clone()))
    }

    /// Does something wait in a parked field that has this one, parked, inside?
    pub fn holds_waiting(&self, key: &BatchKey) -> bool {
        let parked = |known: &KnownLayout| known.variants.iter().flat_map(|v| v.parked.clone()).collect::<Vec<_>>();
        self.history
            .iter()
            .flat_map(|(_, known)| parked(known))
            .any(|field| self.then(&field).has_parked(field.ty, key))
    }

    fn has_parked(&self, ty: Ty, key: &BatchKey) -> bool {
        let inside = |ty: &Ty| self.has_parked(*ty, key);
        match *ty.kind() {
            TyKind::Array(of, _) => inside(&of),
            TyKind::Tuple(parts) => parts.iter().any(inside),
            TyKind::Struct(..) | TyKind::Enum(..) => {
                let variants = self.get(ty).into_iter().flat_map(|known| &known.variants);
                let is_it = |field: &KnownField| (ty, field.name, field.ty) == (key.0, key.2, key.3);
                let waits = |field: &KnownField| is_it(field) || self.then(field).has_parked(field.ty, key);
                let has = |v: &KnownVariant| v.parked.iter().any(waits) || v.fields.iter().any(|f| inside(&f.ty));
                variants.into_iter().any(has)
            }
            _ => false,
        }
    }

    /// The bytes of values of a type.
    pub fn size(&self, ty: Ty) -> usize {
        self.layout(ty).size as usize
    }

    /// How values of a struct or enum lie in memory.
    pub fn get(&self, ty: Ty) -> Option<&Arc<KnownLayout>> {
        self.history.get(ty)
    }

    /// Size and alignment; nothing of what the history does not know.
    pub fn layout(&self, ty: Ty) -> Layout {
        let scalar = |size| Layout { size, align: size };
        match *ty.kind() {
            TyKind::Int(kind) => scalar(kind.bits() / 8),
            TyKind::Float(FloatKind::F32) => scalar(4),
            TyKind::Float(FloatKind::F64) => scalar(8),
            TyKind::Bool => scalar(1),
            TyKind::Slice(_) => Layout { size: 16, align: 8 },
            TyKind::Array(of, length) => {
                let of = self.layout(of);
                Layout { size: of.size.saturating_mul(u32::try_from(length).unwrap_or(u32::MAX)), align: of.align }
            }
            TyKind::Tuple(parts) => self.tuple(parts.iter().copied()).0,
            TyKind::Struct(..) | TyKind::Enum(..) => {
                self.get(ty).map_or(Layout { size: 0, align: 1 }, |known| known.layout)
            }
            TyKind::Unit | TyKind::Never | TyKind::Param(_) | TyKind::Infer(_) | TyKind::Error => {
                Layout { size: 0, align: 1 }
            }
            _ => scalar(8),
        }
    }

    /// A tuple's layout and where its parts lie.
    pub fn tuple(&self, parts: impl Iterator<Item = Ty>) -> (Layout, Vec<u32>) {
        let (mut end, mut align, mut offsets) = (0u32, 1, Vec::new());
        for part in parts {
            let layout = self.layout(part);
            let offset = end.next_multiple_of(layout.align.max(1));
            offsets.push(offset);
            (end, align) = (offset + layout.size, align.max(layout.align));
        }
        (Layout { size: end.next_multiple_of(align), align }, offsets)
    }

    /// Adds to a variable's name what leads from it to a value of an enum: `[3]`, `.shape`. `offset` is that of the
    /// innermost array element on the way.
    pub fn path_to(&self, ty: Ty, offset: usize, wanted: Ty, path: &mut String) {
        match *ty.kind() {
            TyKind::Array(of, _) => {
                let size = (self.layout(of).size as usize).max(1);
                *path += &format!("[{}]", offset / size);
                self.path_to(of, offset % size, wanted, path);
            }
            TyKind::Struct(..) => {
                let known = self.get(ty).cloned();
                let fields = known.iter().flat_map(|known| known.fields());
                let field = fields.filter(|field| self.holds(field.ty, wanted)).find(|field| {
                    let start = field.offset as usize;
                    !matches!(field.ty.kind(), TyKind::Array(..))
                        || (start..start + field.size as usize).contains(&offset)
                });
                if let Some(field) = field {
                    *path += &format!(".{}", field.name);
                    self.path_to(field.ty, offset.saturating_sub(field.offset as usize), wanted, path);
                }
            }
            _ => {}
        }
    }

    /// The types that a value of a type contains or points at.
    pub fn inside(&self, ty: Ty, out: &mut Vec<Ty>) {
        match *ty.kind() {
            TyKind::Pointer(of)
            | TyKind::Reference(of)
            | TyKind::Array(of, _)
            | TyKind::Slice(of)
            | TyKind::Vec(of)
            | TyKind::Box(of) => out.push(of),
            TyKind::HashMap(key, value) => out.extend([key, value]),
            TyKind::Tuple(parts) => out.extend(parts.iter().copied()),
            TyKind::Struct(..) | TyKind::Enum(..) => {
                let variants = self.get(ty).into_iter().flat_map(|known| &known.variants);
                out.extend(variants.flat_map(|variant| &variant.fields).map(|field| field.ty));
            }
            _ => {}
        }
    }

    /// Does a value hold one of this type inside?
    pub fn holds(&self, ty: Ty, wanted: Ty) -> bool {
        let inside = |variant: &KnownVariant| variant.fields.iter().any(|field| self.holds(field.ty, wanted));
        match *ty.kind() {
            _ if ty == wanted => true,
            TyKind::Array(of, _) => self.holds(of, wanted),
            TyKind::Tuple(parts) => parts.iter().any(|part| self.holds(*part, wanted)),
            TyKind::Struct(..) | TyKind::Enum(..) => {
                self.get(ty).is_some_and(|known| known.variants.iter().any(inside))
            }
            _ => false,
        }
    }

    /// What a value is made of; fields as far as they are in use.
    pub fn shape(&self, ty: Ty) -> Shape {
        let kind = match *ty.kind() {
            TyKind::Tuple(parts) => {
                let part = |(n, (ty, offset))| Part { name: Name::new(&usize::to_string(&n)), offset, ty };
                let offsets = self.tuple(parts.iter().copied()).1;
                ShapeKind::Record(parts.iter().copied().zip(offsets).enumerate().map(part).collect())
            }
            TyKind::Struct(..) => ShapeKind::Record(
                self.get(ty).map_or_else(Vec::new, |known| known.variants.first().map_or_else(Vec::new, fields_of)),
            ),
            TyKind::Enum(..) => ShapeKind::Enum(self.get(ty).map_or_else(Vec::new, |known| {
                known.variants.iter().filter(|variant| variant.declared).filter_map(variant_of).collect()
            })),
            _ => plain(ty),
        };
        Shape { layout: self.layout(ty), kind }
    }
}

fn fields_of(variant: &KnownVariant) -> Vec<Part> {
    variant.fields.iter().map(|field| Part { name: field.name, offset: field.offset, ty: field.ty }).collect()
}

fn variant_of(variant: &KnownVariant) -> Option<VariantShape> {
    let name = variant.name?;
    Some(VariantShape { name, discriminant: variant.discriminant, parts: fields_of(variant) })
}

/// Words that mean the same whatever they are called.
pub(super) fn same_word(old: Ty, new: Ty) -> bool {
    matches!((old.kind(), new.kind()),
        (TyKind::Pointer(a) | TyKind::Reference(a), TyKind::Pointer(b) | TyKind::Reference(b)) if a == b)
}

/// The number of `Some` and its payload, if the type is an `Option`.
pub(crate) fn option_of(known: &Known, ty: Ty) -> Option<(i64, KnownField)> {
    let TyKind::Enum(path, _) = ty.kind() else { return None };
    if path.name != "Option" || path.module != "std/prelude" {
        return None;
    }
    let some = known.get(ty)?.variant(Name::new("Some"))?;
    Some((some.discriminant, some.fields.first()?.clone()))
}
