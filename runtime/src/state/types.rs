//! The types of saved values: their parts with names, numbered, so that a million values need no look-up by type.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use vaisjit_codegen::layout::TypeLayouts;
use vaisjit_codegen::shape::{Part, ShapeKind, VariantShape, shape};
use vaisjit_semantics::program::{FieldDef, VariantDef};
use vaisjit_semantics::types::{FloatKind, IntKind};
use vaisjit_semantics::{Checked, ItemPath, Ty, TyKind};
use vaisjit_syntax::Name;

use crate::heap::{EntryLayout, Memory, TypeRef};

/// A known type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Id(u32);

/// What is known of a type.
pub(super) struct Node {
    pub ty: Ty,
    pub size: usize,
    /// What the heap knows of it.
    pub record: TypeRef,
    pub form: Form,
}

/// The form of a value.
pub(super) enum Form {
    Unit,
    Int(IntKind),
    Float(FloatKind),
    Bool,
    Str,
    /// A pointer or reference to a type.
    Pointer(Ty),
    Function,
    Dyn(ItemPath),
    Slice(Ty),
    Vec(Id),
    Map {
        key: Id,
        value: Id,
        entry: EntryLayout,
    },
    Box(Id),
    Array(Id, usize),
    Record {
        fields: Box<[Field]>,
        /// Are the fields numbers?
        tuple: bool,
    },
    Enum(Box<[Variant]>),
}

/// A field.
pub(super) struct Field {
    pub name: Box<str>,
    /// Its name before (`#[was]`).
    was: Option<Box<str>>,
    pub offset: usize,
    pub of: Id,
}

/// A variant of an enum, whose discriminant is the first word.
pub(super) struct Variant {
    pub name: Box<str>,
    /// Its name before (`#[was]`).
    was: Option<Box<str>>,
    pub discriminant: i64,
    pub fields: Box<[Field]>,
    /// Are the fields numbers?
    pub tuple: bool,
}

/// The field of this name, or that had it before: which one.
pub(super) fn find_field(fields: &[Field], name: &str) -> Option<usize> {
    let now = fields.iter().position(|field| *field.name == *name);
    now.or_else(|| fields.iter().position(|field| field.was.as_deref() == Some(name)))
}

/// The variant of this name, or that had it before: which one.
pub(super) fn find_variant(variants: &[Variant], name: &str) -> Option<usize> {
    let now = variants.iter().position(|variant| *variant.name == *name);
    now.or_else(|| variants.iter().position(|variant| variant.was.as_deref() == Some(name)))
}

fn text(name: Name) -> Box<str> {
    name.as_str().into()
}

/// The types of one version of a program.
pub(super) struct Types<'a> {
    pub memory: Memory<'a>,
    pub program: &'a Checked,
    pub layouts: &'a TypeLayouts,
    nodes: Vec<Option<Rc<Node>>>,
    known: FxHashMap<Ty, Id>,
}

impl<'a> Types<'a> {
    pub fn new(memory: Memory<'a>, program: &'a Checked, layouts: &'a TypeLayouts) -> Types<'a> {
        Types { memory, program, layouts, nodes: Vec::new(), known: FxHashMap::default() }
    }

    /// The number of a type; what its values hold gets one, too.
    pub fn id(&mut self, ty: Ty) -> Id {
        let mut new = Vec::new();
        let id = self.number(ty, &mut new);
        while let Some(next) = new.pop() {
            let node = self.node_of(next, &mut new);
            let number = self.known[&next].0 as usize;
            self.nodes[number] = Some(Rc::new(node));
        }
        id
    }

    /// The number of a type that has one.
    pub fn known(&self, ty: Ty) -> Option<Id> {
        self.known.get(&ty).copied()
    }

    /// What is known of a type.
    pub fn node(&self, id: Id) -> Rc<Node> {
        match &self.nodes[id.0 as usize] {
            Some(node) => node.clone(),
            None => unreachable!("every number that is given out has been filled"),
        }
    }

    /// The size of a type that has a number, otherwise 0.
    pub fn size(&self, ty: Ty) -> usize {
        self.known.get(&ty).map_or(0, |id| self.node(*id).size)
    }

    fn number(&mut self, ty: Ty, new: &mut Vec<Ty>) -> Id {
        let next = Id(self.nodes.len() as u32);
        let id = *self.known.entry(ty).or_insert(next);
        if id == next {
            self.nodes.push(None);
            new.push(ty);
        }
        id
    }

    fn node_of(&mut self, ty: Ty, new: &mut Vec<Ty>) -> Node {
        let (program, layouts) = (self.program, self.layouts);
        let of = |ty: Ty| shape(ty, program, layouts);
        let record = self.memory.record(ty, &of);
        let found = of(ty);
        let form = match (found.kind, ty.kind()) {
            (ShapeKind::Int(kind), _) => Form::Int(kind),
            (ShapeKind::Float(kind), _) => Form::Float(kind),
            (ShapeKind::Bool, _) => Form::Bool,
            (ShapeKind::Str, _) => Form::Str,
            (ShapeKind::Function, _) => Form::Function,
            (ShapeKind::Pointer, _) => Form::Pointer(ty.pointee().unwrap_or(Ty::unit())),
            (ShapeKind::Dyn, TyKind::Dyn(path)) => Form::Dyn(*path),
            (ShapeKind::Slice(of), _) => Form::Slice(of),
            (ShapeKind::Vec(of), _) => Form::Vec(self.number(of, new)),
            (ShapeKind::Box(of), _) => Form::Box(self.number(of, new)),
            (ShapeKind::HashMap(key, value), _) => match self.memory.entry_layout(record) {
                Some(entry) => Form::Map { key: self.number(key, new), value: self.number(value, new), entry },
                None => Form::Unit,
            },
            (ShapeKind::Array(of, length), _) => Form::Array(self.number(of, new), length as usize),
            (ShapeKind::Record(parts), kind) => {
                let declared = program.structs.get(&ty).map_or(&[][..], |definition| &definition.fields);
                Form::Record { fields: self.fields(&parts, declared, new), tuple: matches!(kind, TyKind::Tuple(_)) }
            }
            (ShapeKind::Enum(variants), _) => {
                let declared = program.enums.get(&ty).map_or(&[][..], |definition| &definition.variants);
                let both = variants.iter().zip(declared);
                Form::Enum(both.map(|(variant, declared)| self.variant(variant, declared, new)).collect())
            }
            (ShapeKind::Unit | ShapeKind::Dyn, _) => Form::Unit,
        };
        Node { ty, size: found.layout.size as usize, record, form }
    }

    fn variant(&mut self, variant: &VariantShape, declared: &VariantDef, new: &mut Vec<Ty>) -> Variant {
        Variant {
            name: text(variant.name),
            was: declared.was.map(text),
            discriminant: variant.discriminant,
            fields: self.fields(&variant.parts, &declared.fields, new),
            tuple: variant.parts.iter().all(|part| part.name.starts_with(|c: char| c.is_ascii_digit())),
        }
    }

    fn fields(&mut self, parts: &[Part], declared: &[FieldDef], new: &mut Vec<Ty>) -> Box<[Field]> {
        let field = |(index, part): (usize, &Part)| Field {
            name: text(part.name),
            was: declared.get(index).and_then(|declared| declared.was).map(text),
            offset: part.offset as usize,
            of: self.number(part.ty, new),
        };
        parts.iter().enumerate().map(field).collect()
    }
}

/// Names of globals, types and functions in a file of state: those of the root file's module are plain, others have their
/// module in front (`physics::Body`). Types of the standard library are plain, too.
#[derive(Clone)]
pub(super) struct Names {
    root: String,
}

impl Names {
    /// The names of a program whose root file is this.
    pub fn new(root: &std::path::Path) -> Names {
        Names { root: root.file_stem().map_or_else(|| "main".to_owned(), |stem| stem.to_string_lossy().into_owned()) }
    }

    /// Of a global or function.
    pub fn item(&self, path: ItemPath) -> String {
        match path.module == self.root.as_str() {
            true => path.name.to_string(),
            false => format!("{}::{}", path.module, path.name),
        }
    }

    /// The name that a type had before (`#[was]`), if it has no parameters.
    pub fn before(&self, ty: Ty, program: &Checked) -> Option<String> {
        let was = match ty.kind() {
            TyKind::Struct(..) => program.structs.get(&ty)?.was?,
            TyKind::Enum(..) => program.enums.get(&ty)?.was?,
            _ => return None,
        };
        match *ty.kind() {
            TyKind::Struct(path, arguments) | TyKind::Enum(path, arguments) if arguments.is_empty() => {
                Some(self.item(ItemPath { name: was, ..path }))
            }
            _ => None,
        }
    }

    /// Of a type.
    pub fn ty(&self, ty: Ty) -> String {
        let list = |types: &[Ty]| types.iter().map(|ty| self.ty(*ty)).collect::<Vec<_>>().join(", ");
        match *ty.kind() {
            TyKind::Pointer(to) => format!("*{}", self.ty(to)),
            TyKind::Reference(to) => format!("&{}", self.ty(to)),
            TyKind::Array(of, length) => format!("[{}; {length}]", self.ty(of)),
            TyKind::Slice(of) => format!("[{}]", self.ty(of)),
            TyKind::Tuple(parts) => format!("({})", list(&parts)),
            TyKind::Struct(path, arguments) | TyKind::Enum(path, arguments) => {
                let name = if path.module.starts_with("std/") { path.name.to_string() } else { self.item(path) };
                if arguments.is_empty() { name } else { format!("{name}<{}>", list(&arguments)) }
            }
            TyKind::Function(params, result) if result.is_unit() => format!("fn({})", list(&params)),
            TyKind::Function(params, result) => format!("fn({}) -> {}", list(&params), self.ty(result)),
            TyKind::Dyn(path) => format!("dyn {}", self.item(path)),
            TyKind::Vec(of) => format!("Vec<{}>", self.ty(of)),
            TyKind::HashMap(key, value) => format!("HashMap<{}, {}>", self.ty(key), self.ty(value)),
            TyKind::Box(of) => format!("Box<{}>", self.ty(of)),
            _ => ty.to_string(),
        }
    }
}
