//! Layouts of the types of a checked program, computed when first asked for. The program's own structs and enums follow
//! their history in hot mode ([`super::evolve`]); everything else has its natural C layout:
//!
//! ```text
//! struct, tuple   fields in order, each at its alignment
//! [T; N]          N times T
//! [T]             0: address   8: length (i64)
//! enum            0: discriminant (i64)   then the payload of one variant, all variants over each other
//! ```

use std::hash::{Hash, Hasher};
use std::sync::{Arc, RwLock};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use vaisjit_semantics::program::{EnumDef, FieldDef, Hook, StructDef};
use vaisjit_semantics::types::FloatKind;
use vaisjit_semantics::{Checked, ItemPath, Renames, Ty, TyKind, is_library};
use vaisjit_syntax::Name;

use super::evolve::{self, Keeping};
use super::history::{Fill, KnownField, KnownLayout, KnownVariant, LayoutHistory};
use super::{Layout, Layouts, MethodNumbers, constant};

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

/// Layout of one type with the offsets of its fields, one list per variant; structs and tuples have one.
#[derive(Default)]
struct Shape {
    layout: Layout,
    offsets: Vec<Vec<u32>>,
    /// The numbers of an enum's variants.
    numbers: Vec<i64>,
    /// Of a type that evolves, with the place of each variant in it.
    known: Option<(Arc<KnownLayout>, Vec<usize>)>,
    /// Has it grown only to keep values of fields that are gone?
    grows_to_keep: bool,
}

type Computed = Result<Arc<Shape>, LayoutError>;

/// The layouts of a program version.
#[derive(Default)]
pub struct TypeLayouts {
    structs: FxHashMap<Ty, Arc<StructDef>>,
    enums: FxHashMap<Ty, Arc<EnumDef>>,
    evolving: Option<Evolving>,
    methods: MethodNumbers,
    method_numbers: FxHashMap<ItemPath, Arc<[u32]>>,
    cache: RwLock<FxHashMap<Ty, Computed>>,
}

/// How many bytes of fields that are gone a type keeps where the version before may come back by itself.
const MOST_PARKED: u32 = 4096;
/// How many it keeps at least where it grows, or as many as its fields have: a line that comes back finds its value there.
const FEW_PARKED: u32 = 256;

/// What hot layouts go by.
struct Evolving {
    exposed: FxHashSet<Ty>,
    /// The layouts of the running program.
    known: LayoutHistory,
    /// Those of the version that is gone back to, if it is one.
    back: Option<Arc<LayoutHistory>>,
    keeping: Keeping,
}

impl TypeLayouts {
    /// Natural C layouts, variants numbered by declaration order.
    pub fn new(program: &Checked) -> TypeLayouts {
        TypeLayouts {
            structs: program.structs.iter().map(|(ty, def)| (*ty, def.clone())).collect(),
            enums: program.enums.iter().map(|(ty, def)| (*ty, def.clone())).collect(),
            evolving: None,
            cache: RwLock::default(),
            ..TypeLayouts::default()
        }
        .with_methods(program, &MethodNumbers::default())
    }

    fn with_methods(mut self, program: &Checked, before: &MethodNumbers) -> TypeLayouts {
        self.methods = before.with(program);
        let numbers =
            |(of_trait, methods): (&ItemPath, &Arc<[_]>)| (*of_trait, self.methods.of(*of_trait, methods).into());
        self.method_numbers = program.dyn_methods.iter().map(numbers).collect();
        self
    }

    /// The layouts of a program that can be reloaded: its own structs and enums have spare room and follow the layouts
    /// they had in the running version. The same program and history give the same layouts, and so does the history of
    /// these layouts.
    pub fn hot(program: &Checked, history: &LayoutHistory) -> TypeLayouts {
        // What is called after the reload may have the running version come back.
        let is_asked = program.functions.values().any(|function| function.hook == Some(Hook::After));
        let keeping = if is_asked { Keeping::Everything } else { Keeping::Values };
        let evolving = Evolving { exposed: program.exposed.clone(), known: history.clone(), back: None, keeping };
        TypeLayouts { evolving: Some(evolving), ..TypeLayouts::new(program) }.with_methods(program, &history.methods)
    }

    /// The same for a version that has been live before, with these layouts.
    pub fn back_to(mut self, history: Option<Arc<LayoutHistory>>) -> TypeLayouts {
        self.evolving = self.evolving.map(|evolving| Evolving { back: history, ..evolving });
        self
    }

    /// The same where values cannot move: types grow only for fields that they have.
    pub fn keeping_what_fits(mut self) -> TypeLayouts {
        self.evolving = self.evolving.map(|evolving| Evolving { keeping: Keeping::WhatFits, ..evolving });
        self
    }

    /// Are there types that have grown only to keep values of fields that are gone?
    pub fn grow_to_keep(&self) -> bool {
        self.structs.keys().chain(self.enums.keys()).any(|ty| self.shape(*ty).is_ok_and(|shape| shape.grows_to_keep))
    }

    /// The history before with every struct and enum of the program as laid out now, and those that are gone from it as
    /// follows from their parts; those that stay as they were keep their `Arc`.
    pub fn history(&self, before: &LayoutHistory) -> LayoutHistory {
        let mut history = before.clone();
        history.methods = self.methods.clone();
        for ty in self.structs.keys().chain(self.enums.keys()) {
            let Some(mut now) = self.known(*ty) else { continue };
            self.fill(*ty, &mut now);
            let same = |known: &Arc<KnownLayout>| **known == now && asides(known) == asides(&now);
            if !before.get(*ty).is_some_and(same) {
                history.insert(*ty, Arc::new(now));
            }
        }
        gone::follow(self, before, &mut history);
        history
    }

    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> TypeLayouts {
        let evolving = self.evolving.as_ref().map(|evolving| Evolving {
            exposed: evolving.exposed.iter().map(|ty| renames.ty(*ty)).collect(),
            known: evolving.known.renamed(renames),
            back: evolving.back.as_ref().map(|back| Arc::new(back.renamed(renames))),
            keeping: evolving.keeping,
        });
        TypeLayouts {
            structs: self.structs.iter().map(|(ty, of)| (renames.ty(*ty), renames.record(of))).collect(),
            enums: self.enums.iter().map(|(ty, of)| (renames.ty(*ty), renames.enumeration(of))).collect(),
            evolving,
            methods: self.methods.renamed(renames),
            method_numbers: self.method_numbers.iter().map(|(of, n)| (renames.path(*of), n.clone())).collect(),
            cache: RwLock::default(),
        }
    }

    /// Is it a struct or enum of the program?
    fn defines(&self, ty: Ty) -> bool {
        self.structs.contains_key(&ty) || self.enums.contains_key(&ty)
    }

    /// The layout of a struct or enum as a history knows it.
    pub fn known(&self, ty: Ty) -> Option<KnownLayout> {
        let shape = self.shape(ty).ok()?;
        match &shape.known {
            Some((known, _)) => Some(KnownLayout::clone(known)),
            None => evolve::evolve(&self.wanted(ty, &mut Vec::new()).ok()?, None)
                .map(|known| KnownLayout { layout: shape.layout, ..known }),
        }
    }

    /// Notes the constant defaults of the fields.
    fn fill(&self, ty: Ty, known: &mut KnownLayout) {
        let mut note = |variant: usize, fields: &[FieldDef]| {
            let Some(variant) = known.variants.get_mut(variant) else { return };
            for (known, field) in variant.fields.iter_mut().zip(fields) {
                let default = field.default.as_ref();
                let bytes = default.and_then(|body| constant::bytes(&body.value, self, &mut |_| None));
                known.fill = Fill(bytes.map(Arc::from));
            }
        };
        if let Some(definition) = self.structs.get(&ty) {
            note(0, &definition.fields);
        }
        if let Some(definition) = self.enums.get(&ty) {
            let places = self.places(ty);
            places.into_iter().zip(&definition.variants).for_each(|(place, variant)| note(place, &variant.fields));
        }
    }

    /// Where the variants of an enum are in what is known of it.
    fn places(&self, ty: Ty) -> Vec<usize> {
        let variants = self.enums.get(&ty).map_or(0, |definition| definition.variants.len());
        let shape = self.shape(ty).ok();
        let places = shape.and_then(|shape| shape.known.as_ref().map(|(_, places)| places.clone()));
        places.unwrap_or_else(|| (0..variants).collect())
    }

    /// Of the structs and enums that both these layouts and earlier ones have, those that lie otherwise now.
    pub fn moved(&self, before: &TypeLayouts) -> FxHashSet<Ty> {
        let now = self.structs.keys().chain(self.enums.keys()).copied();
        let both = now.filter(|ty| before.structs.contains_key(ty) || before.enums.contains_key(ty));
        both.filter(|ty| self.layout_fingerprint(*ty) != before.layout_fingerprint(*ty)).collect()
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
        (shape.layout, &shape.offsets, &shape.numbers).hash(hasher);
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
            TyKind::Enum(..) => {
                let fields = self.enums[&ty].variants.iter().flat_map(|variant| &variant.fields);
                fields.for_each(|field| self.hash_layout(field.ty, hasher));
            }
            TyKind::Pointer(_) | TyKind::Reference(_) => "pointer".hash(hasher),
            _ => ty.hash(hasher),
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
            TyKind::Unit | TyKind::Never => Ok(scalar(0)),
            TyKind::Slice(_) => Ok(Shape { offsets: vec![vec![0, 8]], ..scalar(16).aligned(8) }),
            TyKind::Array(of, length) => self.array(ty, of, length, inside),
            TyKind::Tuple(parts) => self.record(ty, parts.iter().copied(), inside),
            TyKind::Struct(..) | TyKind::Enum(..) if self.evolves(ty) => self.evolved(ty, inside),
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
        Ok(Shape { layout: Layout { size: size as u32, align: element.align }, ..Shape::default() })
    }

    fn record(&self, ty: Ty, fields: impl Iterator<Item = Ty>, inside: &mut Vec<Ty>) -> Result<Shape, LayoutError> {
        let mut packer = Packer::default();
        let offsets = self.pack(ty, fields, &mut packer, inside)?;
        Ok(Shape { layout: packer.finish(ty)?, offsets: vec![offsets], ..Shape::default() })
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
        let numbers = (0..definition.variants.len() as i64).collect();
        Ok(Shape { layout: whole.finish(ty)?, offsets, numbers, ..Shape::default() })
    }

    /// The layout of a type that follows its history.
    fn evolved(&self, ty: Ty, inside: &mut Vec<Ty>) -> Result<Shape, LayoutError> {
        let wanted = self.wanted(ty, inside)?;
        let before = self.before(ty).map(|known| &**known);
        let known = evolve::evolve(&wanted, before).ok_or(LayoutError { ty, problem: LayoutProblem::TooLarge })?;
        let grows_to_keep = evolve::grows_to_keep(&wanted, before, &known);
        let place =
            |variant: &evolve::WantedVariant| known.variants.iter().position(|v| v.declared && v.name == variant.name);
        let places: Vec<usize> = wanted.variants.iter().filter_map(place).collect();
        let variants = || places.iter().map(|place| &known.variants[*place]);
        let offsets = variants().map(|variant| variant.fields.iter().map(|field| field.offset).collect()).collect();
        let numbers = match ty.kind() {
            TyKind::Enum(..) => variants().map(|variant| variant.discriminant).collect(),
            _ => Vec::new(),
        };
        Ok(Shape { layout: known.layout, offsets, numbers, known: Some((Arc::new(known), places)), grows_to_keep })
    }

    /// What the running program knows of a type, under its old name if that is gone.
    fn before(&self, ty: Ty) -> Option<&Arc<KnownLayout>> {
        let known = &self.evolving.as_ref()?.known;
        if let Some(found) = known.get(ty) {
            return Some(found);
        }
        let old = match *ty.kind() {
            TyKind::Struct(path, arguments) => {
                TyKind::Struct(ItemPath { name: self.structs.get(&ty)?.was?, ..path }, arguments)
            }
            TyKind::Enum(path, arguments) => {
                TyKind::Enum(ItemPath { name: self.enums.get(&ty)?.was?, ..path }, arguments)
            }
            _ => return None,
        };
        let old = Ty::new(old);
        let gone = !self.structs.contains_key(&old) && !self.enums.contains_key(&old);
        known.get(old).filter(|_| gone)
    }

    /// Of the types of what is parked or was a field of this one, those whose values lie otherwise now, with how they lay.
    fn then(&self, ty: Ty, inside: &mut Vec<Ty>) -> Vec<(Ty, Arc<LayoutHistory>)> {
        let (Some(before), Some(evolving)) = (self.before(ty), &self.evolving) else { return Vec::new() };
        let declared: Vec<(Name, Ty)> = self.fields(ty).map(|field| (field.name, field.ty)).collect();
        let gone = |field: &&KnownField| !declared.contains(&(field.name, field.ty));
        let mut types: Vec<Ty> =
            before.waiting().chain(before.all_fields().filter(gone)).map(|field| field.ty).collect();
        types.sort();
        types.dedup();
        types.retain(|ty| self.is_changed(*ty, inside, &mut Vec::new()));
        types.into_iter().map(|ty| (ty, Arc::new(evolving.known.within(ty)))).collect()
    }

    /// Do values of a type lie otherwise than before, or what lies inline in them?
    fn is_changed(&self, ty: Ty, inside: &mut Vec<Ty>, seen: &mut Vec<Ty>) -> bool {
        if seen.contains(&ty) {
            return false;
        }
        seen.push(ty);
        let before = self.before(ty);
        let parts = before.map_or_else(|| self.parts(ty), |before| before.types().collect());
        if parts.into_iter().any(|part| self.is_changed(part, inside, seen)) {
            return true;
        }
        let Some(before) = before.filter(|_| self.defines(ty)) else { return false };
        if self.reaches(ty, inside, &mut Vec::new()) {
            // What holds a type that is being laid out has no layout yet; it held none of these before.
            return true;
        }
        let now = self.shape_within(ty, inside).ok().and_then(|shape| shape.known.clone());
        now.is_some_and(|(now, _)| *now != **before)
    }

    /// Does a value hold one of these types, inline?
    fn reaches(&self, ty: Ty, targets: &[Ty], seen: &mut Vec<Ty>) -> bool {
        if targets.contains(&ty) || seen.contains(&ty) {
            return targets.contains(&ty);
        }
        seen.push(ty);
        self.parts(ty).into_iter().any(|part| self.reaches(part, targets, seen))
    }

    /// The types of what lies inline in a value.
    fn parts(&self, ty: Ty) -> Vec<Ty> {
        match *ty.kind() {
            TyKind::Array(of, _) => vec![of],
            TyKind::Tuple(parts) => parts.to_vec(),
            _ => self.fields(ty).map(|field| field.ty).collect(),
        }
    }

    /// The declared fields of a struct, or of all variants of an enum.
    fn fields(&self, ty: Ty) -> impl Iterator<Item = &FieldDef> {
        let fields = self.structs.get(&ty).into_iter().flat_map(|of| &of.fields);
        let variants = self.enums.get(&ty).into_iter().flat_map(|of| &of.variants);
        fields.chain(variants.flat_map(|of| &of.fields))
    }

    /// A definition with the layouts of its fields.
    fn wanted(&self, ty: Ty, inside: &mut Vec<Ty>) -> Result<evolve::Wanted, LayoutError> {
        let back = self.evolving.as_ref().and_then(|evolving| evolving.back.as_ref()?.get(ty).cloned());
        let keeping = self.evolving.as_ref().map(|evolving| evolving.keeping).unwrap_or_default();
        let most_parked = |variants: &[evolve::WantedVariant]| {
            let fields = variants.iter().flat_map(|variant| &variant.fields);
            let own = fields.map(|field| field.layout.size).fold(0, u32::saturating_add);
            if keeping == Keeping::Everything { MOST_PARKED } else { own.max(FEW_PARKED) }
        };
        let exposed = self.evolving.as_ref().is_none_or(|evolving| evolving.exposed.contains(&ty)) || !self.evolves(ty);
        let then = self.then(ty, inside);
        let mut fields = |fields: &[FieldDef]| -> Result<Vec<evolve::WantedField>, LayoutError> {
            let field = |field: &FieldDef| {
                let layout = self.shape_within(field.ty, inside)?.layout;
                Ok(evolve::WantedField { name: field.name, was: field.was, ty: field.ty, layout })
            };
            fields.iter().map(field).collect()
        };
        if let Some(definition) = self.structs.get(&ty) {
            let only = evolve::WantedVariant { name: None, was: None, fields: fields(&definition.fields)? };
            let (header, reserve, variants) = (Layout { size: 0, align: 1 }, definition.reserve, vec![only]);
            let most_parked = most_parked(&variants);
            return Ok(evolve::Wanted { variants, header, exposed, reserve, back, keeping, most_parked, then });
        }
        let unknown = LayoutError { ty, problem: LayoutProblem::Unknown };
        let definition = self.enums.get(&ty).ok_or(unknown)?;
        let mut variants = Vec::with_capacity(definition.variants.len());
        for variant in &definition.variants {
            let fields = fields(&variant.fields)?;
            variants.push(evolve::WantedVariant { name: Some(variant.name), was: variant.was, fields });
        }
        let (header, reserve) = (Layout { size: 8, align: 8 }, definition.reserve);
        let most_parked = most_parked(&variants);
        Ok(evolve::Wanted { variants, header, exposed, reserve, back, keeping, most_parked, then })
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

    fn zero_discriminant(&self, ty: Ty) -> i64 {
        let variants = self.enums.get(&ty).map_or(&[][..], |known| &known.variants);
        let empty = variants.iter().position(|variant| variant.fields.is_empty());
        self.discriminant(ty, empty.unwrap_or(0) as u32)
    }

    fn variant_field_offset(&self, ty: Ty, variant: u32, field: u32) -> u32 {
        self.offset(ty, variant, field)
    }

    fn variant_field_ty(&self, ty: Ty, variant: u32, field: u32) -> Ty {
        let definition = self.enums.get(&ty).and_then(|def| def.variants.get(variant as usize));
        definition.and_then(|variant| variant.fields.get(field as usize)).map_or_else(Ty::error, |field| field.ty)
    }

    fn method_numbers(&self, of_trait: ItemPath) -> Arc<[u32]> {
        self.method_numbers.get(&of_trait).cloned().unwrap_or_default()
    }

    fn discriminant(&self, ty: Ty, variant: u32) -> i64 {
        let shape = self.shape(ty).ok();
        shape.and_then(|shape| shape.numbers.get(variant as usize).copied()).unwrap_or(i64::from(variant))
    }

    fn evolves(&self, ty: Ty) -> bool {
        match *ty.kind() {
            TyKind::Struct(path, _) | TyKind::Enum(path, _) => self.evolving.is_some() && !is_library(path.module),
            _ => false,
        }
    }

    fn roots(&self, ty: Ty) -> Vec<(u32, u32)> {
        super::roots::of(self, ty)
    }

    fn parked(&self, ty: Ty, variant: u32) -> Vec<KnownField> {
        let shape = self.shape(ty).ok();
        let parked = shape.and_then(|shape| {
            let (known, places) = shape.known.as_ref()?;
            Some(known.variants.get(*places.get(variant as usize)?)?.parked.clone())
        });
        parked.unwrap_or_default()
    }
}

/// A constant default, what a part was called, and whether it waits in an older shape.
type Aside<'a> = (Option<&'a Arc<[u8]>>, Option<Name>, &'a [Name], bool);

/// What is noted beside a layout: the constant defaults of fields, and what everything was called.
fn asides<'a>(known: &'a KnownLayout) -> Vec<Aside<'a>> {
    let of_variant = |variant: &'a KnownVariant| (None, variant.lineage.was, &variant.lineage.former[..], false);
    let of_field = |field: &'a KnownField| {
        let lineage = &field.lineage;
        (field.fill.0.as_ref(), lineage.was, &lineage.former[..], field.then.0.is_some())
    };
    let of = |variant: &'a KnownVariant| {
        let KnownVariant { fields, parked, .. } = variant;
        std::iter::once(of_variant(variant)).chain(fields.iter().chain(parked).map(of_field))
    };
    known.variants.iter().flat_map(of).collect()
}

fn scalar(size: u32) -> Shape {
    Shape { layout: Layout { size, align: size.max(1) }, ..Shape::default() }
}

impl Shape {
    fn aligned(mut self, align: u32) -> Shape {
        self.layout.align = align;
        self
    }
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

mod gone;
#[cfg(test)]
mod tests;
