//! What the heap knows of the program's types: one record for each, at one address as long as the program lives.
//!
//! Generated code passes the addresses of records, and every block names its record in its header. What a record says may
//! be replaced at a commit; its address stays.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicPtr, Ordering};

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::layout::Layout;
use vaisjit_codegen::shape::{Shape, ShapeKind};
use vaisjit_semantics::types::{FloatKind, IntKind};
use vaisjit_semantics::{Renames, Ty};

use super::exchange::Exchange;

/// At the start of every record, so that a wild address is not taken for one.
const MAGIC: u64 = 0x7661_6973_7479_7065;

/// Records of types.
#[repr(C, align(16))]
pub(crate) struct TypeInfo {
    magic: u64,
    /// Which type; a version that calls it otherwise is prepared and becomes live with the record where it is.
    ty: AtomicPtr<Ty>,
    /// Read by threads that run the program, replaced only while all of them are stopped.
    body: UnsafeCell<TypeBody>,
}

// SAFETY: the body is only replaced while no thread runs the program (`TypeUpdate::apply`), and read otherwise.
unsafe impl Sync for TypeInfo {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for TypeInfo {}

/// The address of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TypeRef(*const TypeInfo);

// SAFETY: the record it leads to may be used from every thread.
unsafe impl Send for TypeRef {}
// SAFETY: as above.
unsafe impl Sync for TypeRef {}

/// What a record says.
#[derive(PartialEq, Debug, Default)]
pub(super) struct TypeBody {
    /// Bytes of a value.
    pub(super) size: usize,
    /// What a value is.
    pub(super) form: Form,
    /// The references in a value.
    pub(super) parts: Box<[Part]>,
}

/// The form of a value.
#[derive(PartialEq, Debug, Default)]
pub(super) enum Form {
    #[default]
    Unit,
    Int(IntKind),
    Float(FloatKind),
    Bool,
    /// A pointer or function value: a word that says itself.
    Word,
    Str,
    Dyn,
    Vec(TypeRef),
    Map(MapLayout),
    Box(TypeRef),
    Slice(TypeRef),
    Array(TypeRef, usize),
    Record(Box<[Field]>),
    Enum(Box<[(i64, Box<[Field]>)]>),
}

/// A field: where it lies and its type.
pub(super) type Field = (usize, TypeRef);

/// References in a value, with where they lie.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Part {
    /// The address of a payload, or null.
    Payload(usize),
    /// A function value.
    Function(usize),
    /// An enum with a discriminant in its first word: what each variant holds.
    Choice(usize, Box<[(i64, Box<[Part]>)]>),
    /// Elements.
    Repeat { offset: usize, stride: usize, count: usize, parts: Box<[Part]> },
}

/// How the entries of a map lie in their block: hash, key, value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct MapLayout {
    pub(super) key: TypeRef,
    pub(super) value: TypeRef,
    pub(super) key_offset: usize,
    pub(super) key_size: usize,
    pub(super) value_offset: usize,
    pub(super) value_size: usize,
    /// From one entry to the next.
    pub(super) stride: usize,
}

impl Form {
    /// The records that it leads to.
    fn each(&self, found: &mut dyn FnMut(TypeRef)) {
        match self {
            Form::Vec(of) | Form::Box(of) | Form::Slice(of) | Form::Array(of, _) => found(*of),
            Form::Map(map) => [map.key, map.value].into_iter().for_each(found),
            Form::Record(fields) => fields.iter().for_each(|(_, of)| found(*of)),
            Form::Enum(variants) => {
                variants.iter().flat_map(|(_, fields)| fields).for_each(|(_, of)| found(*of));
            }
            Form::Unit | Form::Int(_) | Form::Float(_) | Form::Bool | Form::Word | Form::Str | Form::Dyn => {}
        }
    }
}

impl TypeRef {
    /// The record at an address, if there is one. A wild address may fault, which is a trap of the program.
    ///
    /// # Safety
    /// The program is running this on its own thread inside a heap function, and the address came from generated code or
    /// a block's header.
    pub(super) unsafe fn at(address: usize) -> Option<TypeRef> {
        let record = address as *const TypeInfo;
        if record.is_null() || !record.is_aligned() {
            return None;
        }
        // SAFETY: readable, or a fault that the signal handler turns into a trap.
        let magic = unsafe { (&raw const (*record).magic).read_volatile() };
        (magic == MAGIC).then_some(TypeRef(record))
    }

    pub(super) fn address(self) -> usize {
        self.0 as usize
    }

    pub(super) fn ty(self) -> Ty {
        // SAFETY: records live as long as the heap, and so does every `Ty` that one has ever led to (`Types::names`).
        unsafe { *(*self.0).ty.load(Ordering::Acquire) }
    }

    /// What the record says. Not to be kept beyond a heap function: a commit may replace it.
    pub(super) fn body<'a>(self) -> &'a TypeBody {
        // SAFETY: records live as long as the heap, and bodies are replaced only while no heap function runs.
        unsafe { &*(*self.0).body.get() }
    }
}

/// All records of a program.
#[derive(Default)]
pub(super) struct Types {
    known: FxHashMap<Ty, Box<TypeInfo>>,
    /// Those that were added since somebody asked.
    new: Vec<Ty>,
    /// What records lead to; none is ever given up.
    names: FxHashMap<Ty, Box<Ty>>,
}

/// New contents of a record, for a commit.
pub(crate) struct TypeUpdate {
    of: TypeRef,
    body: TypeBody,
}

impl TypeUpdate {
    /// Exchanges the record's contents with those that are kept here. Only while all threads of the program are stopped.
    pub(crate) fn exchange(&mut self) {
        // SAFETY: a commit runs this while no thread is inside a heap function, so nobody has borrowed the body.
        unsafe { std::ptr::swap((*self.of.0).body.get(), &mut self.body) };
    }

    /// Replaces the record's contents, as above.
    pub(crate) fn apply(mut self) {
        self.exchange();
    }
}

/// Finds the shape of a type.
pub(crate) type ShapeOf<'a> = dyn Fn(Ty) -> Shape + 'a;

impl Types {
    /// Their names.
    #[cfg(test)]
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.known.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    /// The record of a type, made if there was none.
    pub(super) fn get(&mut self, ty: Ty, shape: &ShapeOf<'_>) -> TypeRef {
        let mut new = Vec::new();
        let found = self.refer(ty, &mut new);
        self.fill(new, shape);
        found
    }

    /// The types that have got a record since the last time this was asked.
    pub(super) fn take_new(&mut self) -> Vec<Ty> {
        std::mem::take(&mut self.new)
    }

    /// Forgets records that no code and no block leads to; those that a record which is kept leads to stay.
    pub(super) fn forget(&mut self, types: &[Ty]) {
        if types.is_empty() {
            return;
        }
        let gone: FxHashSet<Ty> = types.iter().copied().collect();
        let mut used = FxHashSet::default();
        let mut queue: Vec<Ty> = self.known.keys().copied().filter(|ty| !gone.contains(ty)).collect();
        while let Some(ty) = queue.pop() {
            if let Some(record) = self.known.get(&ty).filter(|_| used.insert(ty)) {
                TypeRef(&raw const **record).body().form.each(&mut |of| queue.push(of.ty()));
            }
        }
        self.known.retain(|ty, _| used.contains(ty));
    }

    /// What has to be replaced for records to be right in another version of the program. Of types that are not
    /// `shaped` nothing is known.
    pub(super) fn updates(&mut self, shaped: &dyn Fn(Ty) -> bool, shape: &ShapeOf<'_>) -> Vec<TypeUpdate> {
        let known: Vec<Ty> = self.known.keys().copied().filter(|ty| shaped(*ty)).collect();
        let mut new = Vec::new();
        let mut updates = Vec::new();
        for ty in known {
            let of = self.refer(ty, &mut new);
            let body = self.body(ty, shape, &mut new);
            if body != *of.body() {
                updates.push(TypeUpdate { of, body });
            }
        }
        self.fill(new, shape);
        updates
    }

    /// The records of types that items with other names are part of are those of the types with the new names.
    pub(super) fn enter_names(&mut self, names: &mut Exchange<Ty>, renames: &Renames) {
        let places = &mut self.names;
        names.enter(&mut self.known, |ty| renames.ty(*ty), |_| true, |ty, record| tell(places, *ty, record));
    }

    /// They are those of the types with the old names again.
    pub(super) fn leave_names(&mut self, names: &mut Exchange<Ty>) {
        let places = &mut self.names;
        names.leave(&mut self.known, |ty, record| tell(places, *ty, record));
    }

    fn refer(&mut self, ty: Ty, new: &mut Vec<Ty>) -> TypeRef {
        let names = &mut self.names;
        let record = self.known.entry(ty).or_insert_with(|| {
            new.push(ty);
            self.new.push(ty);
            let ty = AtomicPtr::new(name(names, ty));
            Box::new(TypeInfo { magic: MAGIC, ty, body: UnsafeCell::default() })
        });
        TypeRef(&raw const **record)
    }

    fn fill(&mut self, mut new: Vec<Ty>, shape: &ShapeOf<'_>) {
        while let Some(ty) = new.pop() {
            let body = self.body(ty, shape, &mut new);
            let of = self.refer(ty, &mut new);
            TypeUpdate { of, body }.apply();
        }
    }

    fn body(&mut self, ty: Ty, shape: &ShapeOf<'_>, new: &mut Vec<Ty>) -> TypeBody {
        let Shape { layout, kind } = shape(ty);
        let mut fields = |parts: &[vaisjit_codegen::shape::Part]| -> Box<[Field]> {
            parts.iter().map(|part| (part.offset as usize, self.refer(part.ty, new))).collect()
        };
        let form = match &kind {
            ShapeKind::Unit => Form::Unit,
            ShapeKind::Int(kind) => Form::Int(*kind),
            ShapeKind::Float(kind) => Form::Float(*kind),
            ShapeKind::Bool => Form::Bool,
            ShapeKind::Pointer | ShapeKind::Function => Form::Word,
            ShapeKind::Str => Form::Str,
            ShapeKind::Dyn => Form::Dyn,
            ShapeKind::Vec(of) => Form::Vec(self.refer(*of, new)),
            ShapeKind::Box(of) => Form::Box(self.refer(*of, new)),
            ShapeKind::Slice(of) => Form::Slice(self.refer(*of, new)),
            ShapeKind::Array(of, count) => Form::Array(self.refer(*of, new), *count as usize),
            ShapeKind::HashMap(key, value) => {
                let (key_ref, value_ref) = (self.refer(*key, new), self.refer(*value, new));
                Form::Map(MapLayout::new((key_ref, shape(*key)), (value_ref, shape(*value))))
            }
            ShapeKind::Record(parts) => Form::Record(fields(parts)),
            ShapeKind::Enum(variants) => {
                Form::Enum(variants.iter().map(|variant| (variant.discriminant, fields(&variant.parts))).collect())
            }
        };
        let parts = references_of(&kind, shape).into();
        TypeBody { size: layout.size as usize, form, parts }
    }
}

/// The place where a type stands for the records that lead to it.
fn name(names: &mut FxHashMap<Ty, Box<Ty>>, ty: Ty) -> *mut Ty {
    &raw mut **names.entry(ty).or_insert_with(|| Box::new(ty))
}

/// Has a record say that it is of a type.
fn tell(names: &mut FxHashMap<Ty, Box<Ty>>, ty: Ty, record: &TypeInfo) {
    record.ty.store(name(names, ty), Ordering::Release);
}

/// Where key and value lie in an entry of a map.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct EntryPlaces {
    /// Offset of the key.
    pub key_offset: usize,
    /// Offset of the value.
    pub value_offset: usize,
    /// From one entry to the next.
    pub stride: usize,
}

impl EntryPlaces {
    /// For keys and values of these layouts; the hash comes first.
    pub(crate) fn of(key: Layout, value: Layout) -> EntryPlaces {
        let align = |layout: Layout| (layout.align as usize).max(1);
        let key_offset = 8usize.next_multiple_of(align(key));
        let value_offset = (key_offset + key.size as usize).next_multiple_of(align(value));
        let stride = (value_offset + value.size as usize).next_multiple_of(align(key).max(align(value)).max(8));
        EntryPlaces { key_offset, value_offset, stride }
    }
}

impl MapLayout {
    fn new((key, of_key): (TypeRef, Shape), (value, of_value): (TypeRef, Shape)) -> MapLayout {
        let (key_size, value_size) = (of_key.layout.size as usize, of_value.layout.size as usize);
        let EntryPlaces { key_offset, value_offset, stride } = EntryPlaces::of(of_key.layout, of_value.layout);
        MapLayout { key, value, key_offset, key_size, value_offset, value_size, stride }
    }
}

/// The references in a value.
pub(super) fn references_of(kind: &ShapeKind, shape: &ShapeOf<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    references(kind, 0, shape, &mut parts);
    parts
}

/// Collects the references in a value that lies at an offset.
fn references(kind: &ShapeKind, at: usize, shape: &ShapeOf<'_>, out: &mut Vec<Part>) {
    match kind {
        ShapeKind::Str | ShapeKind::Vec(_) | ShapeKind::HashMap(..) | ShapeKind::Box(_) | ShapeKind::Dyn => {
            out.push(Part::Payload(at));
        }
        ShapeKind::Function => out.push(Part::Function(at)),
        ShapeKind::Array(of, count) if *count > 0 => {
            let of = shape(*of);
            let mut parts = Vec::new();
            references(&of.kind, 0, shape, &mut parts);
            if !parts.is_empty() {
                let (stride, count) = (of.layout.size as usize, *count as usize);
                out.push(Part::Repeat { offset: at, stride, count, parts: parts.into() });
            }
        }
        ShapeKind::Record(fields) => fields_references(fields, at, shape, out),
        ShapeKind::Enum(variants) => {
            let of = |variant: &vaisjit_codegen::shape::VariantShape| {
                let mut parts = Vec::new();
                fields_references(&variant.parts, 0, shape, &mut parts);
                (variant.discriminant, parts.into_boxed_slice())
            };
            let variants: Box<[_]> = variants.iter().map(of).filter(|(_, parts)| !parts.is_empty()).collect();
            if !variants.is_empty() {
                out.push(Part::Choice(at, variants));
            }
        }
        _ => {}
    }
}

fn fields_references(fields: &[vaisjit_codegen::shape::Part], at: usize, shape: &ShapeOf<'_>, out: &mut Vec<Part>) {
    for field in fields {
        references(&shape(field.ty).kind, at + field.offset as usize, shape, out);
    }
}
