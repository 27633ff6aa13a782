//! What the tests of the heap share.

#[path = "../../../tests/generate/random.rs"]
mod random;

mod cost;
mod maps;
mod values;

use std::collections::HashMap;

use vaisjit_codegen::layout::Layout;
use vaisjit_codegen::shape::{Part, Shape, ShapeKind, VariantShape};
use vaisjit_semantics::types::{FloatKind, IntKind, TyList};
use vaisjit_semantics::{ItemPath, Ty, TyKind};
use vaisjit_syntax::Name;

pub(super) use random::Random;

use super::block::load;
use super::types::TypeRef;
use super::{Heap, lock};

/// A heap, and types of a program that nobody has written.
pub(super) struct Kit {
    pub(super) heap: Heap,
    records: HashMap<Ty, Shape>,
}

impl Kit {
    pub(super) fn new() -> Kit {
        Kit { heap: Heap::new(), records: HashMap::new() }
    }

    /// A struct with these fields, one after the other.
    pub(super) fn record(&mut self, name: &str, fields: &[Ty]) -> Ty {
        let ty = Ty::new(TyKind::Struct(ItemPath::new(Name::new("test"), name), TyList::EMPTY));
        let (parts, size) = self.parts(fields, 0);
        let layout = Layout { size, align: 8 };
        self.records.insert(ty, Shape { layout, kind: ShapeKind::Record(parts) });
        ty
    }

    /// An enum with one field for each variant.
    pub(super) fn choice(&mut self, name: &str, variants: &[&[Ty]]) -> Ty {
        let ty = Ty::new(TyKind::Enum(ItemPath::new(Name::new("test"), name), TyList::EMPTY));
        // Known before its size is, for boxes of itself.
        let mut largest = 8;
        let mut shapes = Vec::new();
        for (discriminant, fields) in (0..).zip(variants) {
            let (parts, size) = self.parts(fields, 8);
            largest = largest.max(size);
            shapes.push(VariantShape { name: Name::new("v"), discriminant, parts });
        }
        let layout = Layout { size: largest, align: 8 };
        self.records.insert(ty, Shape { layout, kind: ShapeKind::Enum(shapes) });
        ty
    }

    fn parts(&self, fields: &[Ty], start: u32) -> (Vec<Part>, u32) {
        let mut at = start;
        let part = |(number, ty): (usize, &Ty)| {
            let offset = at;
            at += self.shape(*ty).layout.size.next_multiple_of(8);
            Part { name: Name::new(&number.to_string()), offset, ty: *ty }
        };
        let parts = fields.iter().enumerate().map(part).collect();
        (parts, at)
    }

    fn shape(&self, ty: Ty) -> Shape {
        let word = |kind| Shape { layout: Layout { size: 8, align: 8 }, kind };
        match *ty.kind() {
            TyKind::Int(kind) => {
                let size = kind.bits() / 8;
                Shape { layout: Layout { size, align: size.min(8) }, kind: ShapeKind::Int(kind) }
            }
            TyKind::Float(kind) => {
                let size = if kind == FloatKind::F32 { 4 } else { 8 };
                Shape { layout: Layout { size, align: size }, kind: ShapeKind::Float(kind) }
            }
            TyKind::Str => word(ShapeKind::Str),
            TyKind::Vec(of) => word(ShapeKind::Vec(of)),
            TyKind::Box(of) => word(ShapeKind::Box(of)),
            TyKind::HashMap(key, value) => word(ShapeKind::HashMap(key, value)),
            TyKind::Function(..) => word(ShapeKind::Function),
            TyKind::Array(of, count) => {
                let Layout { size, align } = self.shape(of).layout;
                Shape { layout: Layout { size: size * count as u32, align }, kind: ShapeKind::Array(of, count) }
            }
            _ => self.records.get(&ty).cloned().unwrap_or_else(|| panic!("no shape of {ty}")),
        }
    }

    pub(super) fn of(&self, ty: Ty) -> TypeRef {
        lock(&self.heap.types).get(ty, &|ty| self.shape(ty))
    }

    pub(super) fn text(&self, text: &str) -> u64 {
        self.heap.new_text(std::iter::once(text.as_bytes())).unwrap() as u64
    }

    /// A new `Vec` with these words as elements.
    pub(super) fn list(&self, of: Ty, words: &[u64]) -> u64 {
        let list = self.heap.new_vec(self.of(Ty::new(TyKind::Vec(of))), words.len() as i64).unwrap();
        for (index, word) in words.iter().enumerate() {
            super::block::store(list.word(0) + index * 8, *word as usize);
        }
        list.set_word(8, words.len());
        list.0 as u64
    }

    pub(super) fn count(&self, payload: u64) -> i64 {
        super::block::Payload(payload as usize).count()
    }

    /// Releases a value that lies here.
    pub(super) fn release<T>(&self, value: &T, ty: Ty) {
        self.heap.release(std::ptr::from_ref(value) as usize, self.of(ty)).unwrap();
    }

    pub(super) fn retain<T>(&self, value: &T, ty: Ty) {
        self.heap.retain(std::ptr::from_ref(value) as usize, self.of(ty));
    }
}

/// Where a value of the test lies.
pub(super) fn at<T>(value: &T) -> usize {
    std::ptr::from_ref(value) as usize
}

pub(super) fn int(kind: IntKind) -> Ty {
    Ty::new(TyKind::Int(kind))
}

pub(super) fn boxed(of: Ty) -> Ty {
    Ty::new(TyKind::Box(of))
}

pub(super) fn vec_of(of: Ty) -> Ty {
    Ty::new(TyKind::Vec(of))
}

pub(super) fn map_of(key: Ty, value: Ty) -> Ty {
    Ty::new(TyKind::HashMap(key, value))
}

pub(super) fn word(address: usize) -> u64 {
    load(address) as u64
}
