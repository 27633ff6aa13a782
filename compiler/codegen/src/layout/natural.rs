//! Natural C layouts of the types of a checked program, computed when first asked for.
//!
//! ```text
//! struct, tuple   fields in order, each at its alignment
//! [T; N]          N times T
//! [T]             0: address   8: length (i64)
//! enum            0: discriminant (i64)   then the payload of one variant, all variants over each other
//! ```

use std::hash::{Hash, Hasher};
use std::sync::{Arc, RwLock};

use rustc_hash::{FxHashMap, FxHasher};
use vaisjit_semantics::program::{EnumDef, StructDef};
use vaisjit_semantics::types::FloatKind;
use vaisjit_semantics::{Checked, Ty, TyKind};

use super::{Layout, Layouts};

/// Largest size of a type: offsets fit in a signed 32-bit displacement.
pub const MAX_SIZE: u32 = i32::MAX as u32;

/// What stands in for the layout of a type that has none; whoever reports [`LayoutError`] never compiles with it.
const STAND_IN: Layout = Layout { size: MAX_SIZE & !15, align: 16 };

/// Why a type has no layout.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LayoutError {
    /// The type at fault: the innermost one.
    pub ty: Ty,
    /// What is wrong with it.
    pub problem: LayoutProblem,
}

/// What can be wrong with a type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LayoutProblem {
    /// It has more than [`MAX_SIZE`] bytes.
    TooLarge,
    /// It contains itself.
    Infinite,
    /// It is no type of a checked program.
    Unknown,
}

impl std::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.problem {
            LayoutProblem::TooLarge => write!(f, "`{}` is larger than {MAX_SIZE} bytes", self.ty),
            LayoutProblem::Infinite => write!(f, "`{}` contains itself", self.ty),
            LayoutProblem::Unknown => write!(f, "`{}` has no definition", self.ty),
        }
    }
}

/// Chooses the numbers that stand for variants. A program with a history gives a name the number it always had.
pub trait Discriminants: Send + Sync {
    /// The number of a variant.
    fn discriminant(&self, ty: Ty, definition: &EnumDef, variant: u32) -> i64;
}

/// Numbers variants by their place in the declaration.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeclarationOrder;

impl Discriminants for DeclarationOrder {
    fn discriminant(&self, _: Ty, _: &EnumDef, variant: u32) -> i64 {
        i64::from(variant)
    }
}

/// Layout of one type with the offsets of its fields, one list per variant; structs and tuples have one.
struct Shape {
    layout: Layout,
    offsets: Vec<Vec<u32>>,
}

type Computed = Result<Arc<Shape>, LayoutError>;

/// The layouts of a program version.
pub struct TypeLayouts {
    structs: FxHashMap<Ty, Arc<StructDef>>,
    enums: FxHashMap<Ty, Arc<EnumDef>>,
    discriminants: Arc<dyn Discriminants>,
    cache: RwLock<FxHashMap<Ty, Computed>>,
}

impl TypeLayouts {
    /// The layouts of a program, variants numbered by declaration order.
    pub fn new(program: &Checked) -> TypeLayouts {
        TypeLayouts::with_discriminants(program, Arc::new(DeclarationOrder))
    }

    /// The layouts of a program with a choice of discriminants.
    pub fn with_discriminants(program: &Checked, discriminants: Arc<dyn Discriminants>) -> TypeLayouts {
        TypeLayouts {
            structs: program.structs.iter().map(|(ty, def)| (*ty, def.clone())).collect(),
            enums: program.enums.iter().map(|(ty, def)| (*ty, def.clone())).collect(),
            discriminants,
            cache: RwLock::default(),
        }
    }

    /// The layouts of the next version of the program; what is known is kept if no definition has changed.
    pub fn next(self, program: &Checked) -> TypeLayouts {
        let same = |old: Option<&Arc<StructDef>>, new: &Arc<StructDef>| old == Some(new);
        let unchanged = program.structs.iter().all(|(ty, def)| same(self.structs.get(ty), def))
            && program.enums.iter().all(|(ty, def)| self.enums.get(ty) == Some(def));
        let mut next = TypeLayouts::with_discriminants(program, self.discriminants);
        if unchanged {
            next.cache = self.cache;
        }
        next
    }

    /// The layout of a type, or why it has none.
    pub fn try_layout(&self, ty: Ty) -> Result<Layout, LayoutError> {
        self.shape(ty).map(|shape| shape.layout)
    }

    /// Every struct and enum of the program that has no layout.
    pub fn problems(&self) -> Vec<LayoutError> {
        let mut found: Vec<LayoutError> =
            self.structs.keys().chain(self.enums.keys()).filter_map(|ty| self.try_layout(*ty).err()).collect();
        found.sort_by_key(|error| error.ty);
        found.dedup();
        found
    }

    /// A hash of sizes and offsets, of discriminants, and of the scalars they lead to, all the way down. Names and
    /// places in the source have no part in it, nor what pointers point at.
    pub fn layout_fingerprint(&self, ty: Ty) -> u64 {
        let mut hasher = FxHasher::default();
        self.hash_layout(ty, &mut hasher);
        hasher.finish()
    }

    fn hash_layout(&self, ty: Ty, hasher: &mut FxHasher) {
        let shape = match self.shape(ty) {
            Ok(shape) => shape,
            Err(error) => return error.hash(hasher),
        };
        (shape.layout, &shape.offsets).hash(hasher);
        match *ty.kind() {
            TyKind::Array(of, length) => {
                length.hash(hasher);
                self.hash_layout(of, hasher);
            }
            TyKind::Tuple(parts) => parts.iter().for_each(|part| self.hash_layout(*part, hasher)),
            TyKind::Struct(..) => {
                let definition = &self.structs[&ty];
                definition.fields.iter().for_each(|field| self.hash_layout(field.ty, hasher));
            }
            TyKind::Enum(..) => self.hash_variants(ty, hasher),
            TyKind::Pointer(_) | TyKind::Reference(_) => "pointer".hash(hasher),
            _ => ty.hash(hasher),
        }
    }

    fn hash_variants(&self, ty: Ty, hasher: &mut FxHasher) {
        for (index, variant) in self.enums[&ty].variants.iter().enumerate() {
            self.discriminant(ty, index as u32).hash(hasher);
            variant.fields.iter().for_each(|field| self.hash_layout(field.ty, hasher));
        }
    }

    fn shape(&self, ty: Ty) -> Computed {
        self.shape_within(ty, &mut Vec::new())
    }

    /// `inside` holds the types being laid out, to notice one that contains itself.
    fn shape_within(&self, ty: Ty, inside: &mut Vec<Ty>) -> Computed {
        if let Some(known) = self.cache.read().unwrap_or_else(|e| e.into_inner()).get(&ty) {
            return known.clone();
        }
        if inside.contains(&ty) {
            return Err(LayoutError { ty, problem: LayoutProblem::Infinite });
        }
        inside.push(ty);
        let computed = self.compute(ty, inside).map(Arc::new);
        inside.pop();
        self.cache.write().unwrap_or_else(|e| e.into_inner()).insert(ty, computed.clone());
        computed
    }

    fn compute(&self, ty: Ty, inside: &mut Vec<Ty>) -> Result<Shape, LayoutError> {
        let unknown = LayoutError { ty, problem: LayoutProblem::Unknown };
        match *ty.kind() {
            TyKind::Int(kind) => Ok(scalar(kind.bits() / 8)),
            TyKind::Float(FloatKind::F32) => Ok(scalar(4)),
            TyKind::Float(FloatKind::F64) => Ok(scalar(8)),
            TyKind::Bool => Ok(scalar(1)),
            TyKind::Str
            | TyKind::Pointer(_)
            | TyKind::Reference(_)
            | TyKind::Function(..)
            | TyKind::Vec(_)
            | TyKind::HashMap(..)
            | TyKind::Box(_)
            | TyKind::Dyn(_) => Ok(scalar(8)),
            TyKind::Unit | TyKind::Never => Ok(Shape { layout: Layout { size: 0, align: 1 }, offsets: Vec::new() }),
            TyKind::Slice(_) => Ok(Shape { layout: Layout { size: 16, align: 8 }, offsets: vec![vec![0, 8]] }),
            TyKind::Array(of, length) => self.array(ty, of, length, inside),
            TyKind::Tuple(parts) => self.record(ty, parts.iter().copied(), inside),
            TyKind::Struct(..) => {
                let definition = self.structs.get(&ty).cloned().ok_or(unknown)?;
                self.record(ty, definition.fields.iter().map(|field| field.ty), inside)
            }
            TyKind::Enum(..) => {
                let definition = self.enums.get(&ty).cloned().ok_or(unknown)?;
                self.variants(ty, &definition, inside)
            }
            TyKind::Param(_) | TyKind::Infer(_) | TyKind::Error => Err(unknown),
        }
    }

    fn array(&self, ty: Ty, of: Ty, length: u64, inside: &mut Vec<Ty>) -> Result<Shape, LayoutError> {
        let element = self.shape_within(of, inside)?.layout;
        let size = length.checked_mul(u64::from(element.size)).filter(|size| *size <= u64::from(MAX_SIZE));
        let size = size.ok_or(LayoutError { ty, problem: LayoutProblem::TooLarge })?;
        Ok(Shape { layout: Layout { size: size as u32, align: element.align }, offsets: Vec::new() })
    }

    fn record(&self, ty: Ty, fields: impl Iterator<Item = Ty>, inside: &mut Vec<Ty>) -> Result<Shape, LayoutError> {
        let mut packer = Packer::default();
        let offsets = self.pack(ty, fields, &mut packer, inside)?;
        Ok(Shape { layout: packer.finish(ty)?, offsets: vec![offsets] })
    }

    fn variants(&self, ty: Ty, definition: &EnumDef, inside: &mut Vec<Ty>) -> Result<Shape, LayoutError> {
        let mut whole = Packer { end: 8, align: 8 };
        let mut offsets = Vec::with_capacity(definition.variants.len());
        for variant in &definition.variants {
            let mut packer = Packer { end: 8, align: 8 };
            let fields = variant.fields.iter().map(|field| field.ty);
            offsets.push(self.pack(ty, fields, &mut packer, inside)?);
            whole = Packer { end: whole.end.max(packer.end), align: whole.align.max(packer.align) };
        }
        Ok(Shape { layout: whole.finish(ty)?, offsets })
    }

    fn pack(
        &self,
        ty: Ty,
        fields: impl Iterator<Item = Ty>,
        packer: &mut Packer,
        inside: &mut Vec<Ty>,
    ) -> Result<Vec<u32>, LayoutError> {
        fields.map(|field| packer.add(ty, self.shape_within(field, inside)?.layout)).collect()
    }

    fn offset(&self, ty: Ty, list: u32, field: u32) -> u32 {
        self.shape(ty).ok().and_then(|shape| Some(*shape.offsets.get(list as usize)?.get(field as usize)?)).unwrap_or(0)
    }
}

impl Layouts for TypeLayouts {
    fn layout(&self, ty: Ty) -> Layout {
        self.try_layout(ty).unwrap_or(STAND_IN)
    }

    fn field_offset(&self, ty: Ty, field: u32) -> u32 {
        if matches!(ty.kind(), TyKind::Enum(..)) { 0 } else { self.offset(ty, 0, field) }
    }

    fn field_ty(&self, ty: Ty, field: u32) -> Ty {
        let found = match *ty.kind() {
            TyKind::Struct(..) => self.structs.get(&ty).and_then(|def| Some(def.fields.get(field as usize)?.ty)),
            TyKind::Tuple(parts) => parts.get(field as usize).copied(),
            TyKind::Slice(of) => Some(if field == 0 { Ty::pointer(of) } else { Ty::i64() }),
            TyKind::Enum(..) => Some(Ty::i64()),
            _ => None,
        };
        found.unwrap_or_else(Ty::error)
    }

    fn variant_field_offset(&self, ty: Ty, variant: u32, field: u32) -> u32 {
        self.offset(ty, variant, field)
    }

    fn variant_field_ty(&self, ty: Ty, variant: u32, field: u32) -> Ty {
        let definition = self.enums.get(&ty).and_then(|def| def.variants.get(variant as usize));
        definition.and_then(|variant| variant.fields.get(field as usize)).map_or_else(Ty::error, |field| field.ty)
    }

    fn discriminant(&self, ty: Ty, variant: u32) -> i64 {
        match self.enums.get(&ty) {
            Some(definition) => self.discriminants.discriminant(ty, definition, variant),
            None => i64::from(variant),
        }
    }
}

fn scalar(size: u32) -> Shape {
    Shape { layout: Layout { size, align: size }, offsets: Vec::new() }
}

/// Puts fields one after the other.
struct Packer {
    end: u64,
    align: u32,
}

impl Default for Packer {
    fn default() -> Packer {
        Packer { end: 0, align: 1 }
    }
}

impl Packer {
    /// The offset of one more field.
    fn add(&mut self, ty: Ty, field: Layout) -> Result<u32, LayoutError> {
        let offset = self.end.next_multiple_of(u64::from(field.align));
        self.end = offset + u64::from(field.size);
        self.align = self.align.max(field.align);
        u32::try_from(offset).map_err(|_| LayoutError { ty, problem: LayoutProblem::TooLarge })
    }

    fn finish(self, ty: Ty) -> Result<Layout, LayoutError> {
        let size = self.end.next_multiple_of(u64::from(self.align));
        if size > u64::from(MAX_SIZE) {
            return Err(LayoutError { ty, problem: LayoutProblem::TooLarge });
        }
        Ok(Layout { size: size as u32, align: self.align })
    }
}

#[cfg(test)]
mod tests;
