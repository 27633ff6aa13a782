//! Shapes: what a type's values are made of, as the runtime and the interpreter must know it to copy, free, compare,
//! hash and move them.

use vaisjit_semantics::types::{FloatKind, IntKind};
use vaisjit_semantics::{Checked, Ty, TyKind};
use vaisjit_syntax::Name;

use crate::layout::{Layout, Layouts};

/// The shape of a type. Types inside it are named, not nested: their shapes are asked for when they are needed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Shape {
    /// Size and alignment of a value.
    pub layout: Layout,
    /// What it is made of.
    pub kind: ShapeKind,
}

/// The forms of a shape.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ShapeKind {
    /// No bytes.
    Unit,
    /// An integer.
    Int(IntKind),
    /// A float.
    Float(FloatKind),
    /// A byte, 0 or 1.
    Bool,
    /// An uncounted address.
    Pointer,
    /// `str`
    Str,
    /// A function value: a slot or a counted closure.
    Function,
    /// `Vec<T>`
    Vec(Ty),
    /// `HashMap<K, V>`
    HashMap(Ty, Ty),
    /// `Box<T>`
    Box(Ty),
    /// `dyn Trait`
    Dyn,
    /// Address and length; uncounted.
    Slice(Ty),
    /// Elements one after the other.
    Array(Ty, u64),
    /// A struct or tuple.
    Record(Vec<Part>),
    /// An enum; the discriminant is an `i64` at offset 0.
    Enum(Vec<VariantShape>),
}

/// A field.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Part {
    /// Its name; of a tuple its number.
    pub name: Name,
    /// Where it lies.
    pub offset: u32,
    /// Its type.
    pub ty: Ty,
}

/// A variant of an enum.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VariantShape {
    /// Its name.
    pub name: Name,
    /// The value of the discriminant.
    pub discriminant: i64,
    /// Its payload.
    pub parts: Vec<Part>,
}

/// The shape of a type that has no fields of its own.
pub fn plain(ty: Ty) -> ShapeKind {
    match *ty.kind() {
        TyKind::Int(kind) => ShapeKind::Int(kind),
        TyKind::Float(kind) => ShapeKind::Float(kind),
        TyKind::Bool => ShapeKind::Bool,
        TyKind::Str => ShapeKind::Str,
        TyKind::Pointer(_) | TyKind::Reference(_) => ShapeKind::Pointer,
        TyKind::Function(..) => ShapeKind::Function,
        TyKind::Vec(of) => ShapeKind::Vec(of),
        TyKind::HashMap(key, value) => ShapeKind::HashMap(key, value),
        TyKind::Box(of) => ShapeKind::Box(of),
        TyKind::Dyn(_) => ShapeKind::Dyn,
        TyKind::Slice(of) => ShapeKind::Slice(of),
        TyKind::Array(of, length) => ShapeKind::Array(of, length),
        _ => ShapeKind::Unit,
    }
}

/// The shape of a type of a program.
pub fn shape(ty: Ty, program: &Checked, layouts: &dyn Layouts) -> Shape {
    let kind = match *ty.kind() {
        TyKind::Tuple(parts) => {
            ShapeKind::Record((0..).zip(parts.iter()).map(|(n, part)| tuple_part(ty, n, *part, layouts)).collect())
        }
        TyKind::Struct(..) => ShapeKind::Record(program.structs.get(&ty).map_or_else(Vec::new, |definition| {
            let part = |(n, field): (u32, &vaisjit_semantics::program::FieldDef)| Part {
                name: field.name,
                offset: layouts.field_offset(ty, n),
                ty: field.ty,
            };
            (0..).zip(&definition.fields).map(part).collect()
        })),
        TyKind::Enum(..) => ShapeKind::Enum(variants(ty, program, layouts)),
        _ => plain(ty),
    };
    Shape { layout: layouts.layout(ty), kind }
}

fn tuple_part(ty: Ty, n: u32, part: Ty, layouts: &dyn Layouts) -> Part {
    Part { name: Name::new(&n.to_string()), offset: layouts.field_offset(ty, n), ty: part }
}

fn variants(ty: Ty, program: &Checked, layouts: &dyn Layouts) -> Vec<VariantShape> {
    let Some(definition) = program.enums.get(&ty) else { return Vec::new() };
    let variant = |(v, variant): (u32, &vaisjit_semantics::program::VariantDef)| VariantShape {
        name: variant.name,
        discriminant: layouts.discriminant(ty, v),
        parts: (0..)
            .zip(&variant.fields)
            .map(|(n, field)| Part { name: field.name, offset: layouts.variant_field_offset(ty, v, n), ty: field.ty })
            .collect(),
    };
    (0..).zip(&definition.variants).map(variant).collect()
}

/// Does a value of the type hold references to counted heap objects?
pub fn is_counted(ty: Ty, program: &Checked) -> bool {
    counted_within(ty, program, &mut Vec::new())
}

fn counted_within(ty: Ty, program: &Checked, inside: &mut Vec<Ty>) -> bool {
    match *ty.kind() {
        TyKind::Str | TyKind::Function(..) | TyKind::Vec(_) | TyKind::HashMap(..) | TyKind::Box(_) | TyKind::Dyn(_) => {
            true
        }
        TyKind::Array(of, length) => length > 0 && counted_within(of, program, inside),
        TyKind::Tuple(parts) => parts.iter().any(|part| counted_within(*part, program, inside)),
        TyKind::Struct(..) | TyKind::Enum(..) => {
            if inside.contains(&ty) {
                return false;
            }
            inside.push(ty);
            let fields = program.structs.get(&ty).map(|definition| definition.fields.iter().map(|field| field.ty));
            let payloads = program.enums.get(&ty).map(|definition| {
                definition.variants.iter().flat_map(|variant| variant.fields.iter().map(|field| field.ty))
            });
            let found = fields.into_iter().flatten().any(|part| counted_within(part, program, inside))
                || payloads.into_iter().flatten().any(|part| counted_within(part, program, inside));
            inside.pop();
            found
        }
        _ => false,
    }
}
