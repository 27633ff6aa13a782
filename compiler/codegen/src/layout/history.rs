//! The layouts a running program has had.
//!
//! Live values, old frames and raw pointers hold addresses, so in hot mode a field keeps its offset as long as it keeps
//! its type. What a save removes is *parked*: its bytes stay reserved, with the value in them, until a later field needs
//! the room; so a field that comes back finds its value.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vaisjit_semantics::{ItemPath, Renames, Ty, TyKind};
use vaisjit_syntax::Name;

use super::lineage::{Lineage, NextNumber};
use super::{Layout, MethodNumbers};

/// The layouts of every struct and enum that code of a running program has used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayoutHistory {
    known: FxHashMap<Ty, Arc<KnownLayout>>,
    /// Where the methods of `dyn`s are in their tables.
    pub methods: MethodNumbers,
    /// What items were called before, oldest first, by what they are called now.
    former: FxHashMap<ItemPath, Vec<ItemPath>>,
}

/// How values of a struct or enum lie in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLayout {
    /// Size with the spare room behind the last field, and alignment.
    pub layout: Layout,
    /// Has it ever been raw-exposed? Then there may be values nobody knows of, and a layout made anew has no spare room.
    pub exposed: bool,
    /// One without a name for a struct; for an enum every variant it ever had, in the order they came.
    pub variants: Vec<KnownVariant>,
    /// What the next new field gets.
    pub next: NextNumber,
}

/// The fields of a struct, or a variant with its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownVariant {
    /// The variant's name; absent for a struct.
    pub name: Option<Name>,
    /// The number that stands for it, never given to another variant; 0 for a struct.
    pub discriminant: i64,
    /// What it was called.
    pub lineage: Lineage,
    /// Is it declared in the newest version? A removed variant keeps its number and payload.
    pub declared: bool,
    /// Its fields in declaration order.
    pub fields: Vec<KnownField>,
    /// Fields that a save removed and whose bytes nobody else uses yet, oldest first.
    pub parked: Vec<KnownField>,
}

/// A field and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownField {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Ty,
    /// Where it lies.
    pub offset: u32,
    /// Bytes of its type, spare room included.
    pub size: u32,
    /// What fills its bytes in new values while it is parked.
    pub fill: Fill,
    /// How its type lay when it was parked.
    pub then: Then,
    /// What it was called.
    pub lineage: Lineage,
}

/// The bytes of a field's declared default, if that is a constant without references; else none, which stands for zeros.
/// No part of a layout: any two compare equal.
#[derive(Clone, Debug, Default)]
pub struct Fill(pub Option<Arc<[u8]>>);
impl PartialEq for Fill {
    fn eq(&self, _: &Fill) -> bool {
        true
    }
}
impl Eq for Fill {}

/// The layouts of a parked field's type and of what lies inline in it, if they have changed since: what waits in the field
/// keeps the shape it had. No part of a layout: any two compare equal.
#[derive(Clone, Debug, Default)]
pub struct Then(pub Option<Arc<LayoutHistory>>);
impl PartialEq for Then {
    fn eq(&self, _: &Then) -> bool {
        true
    }
}
impl Eq for Then {}

impl LayoutHistory {
    /// The layout a type has had last.
    pub fn get(&self, ty: Ty) -> Option<&Arc<KnownLayout>> {
        self.known.get(&ty)
    }

    /// Remembers a layout.
    pub fn insert(&mut self, ty: Ty, layout: Arc<KnownLayout>) {
        self.known.insert(ty, layout);
    }

    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> LayoutHistory {
        let known = self.known.iter().map(|(ty, known)| (renames.ty(*ty), renamed(known, renames)));
        let mut former = self.former.clone();
        let old: Vec<_> = renames.iter().map(|(old, new)| (old, new, former.remove(&old))).collect();
        for (old, new, names) in old {
            let names = names.unwrap_or_default().into_iter().chain([old]);
            former.insert(new, names.filter(|name| *name != new).collect());
        }
        LayoutHistory { known: known.collect(), methods: self.methods.renamed(renames), former }
    }

    /// What it knows of a type and of all that lies inline in values of it.
    pub fn within(&self, ty: Ty) -> LayoutHistory {
        let (mut found, mut open) = (LayoutHistory::default(), vec![ty]);
        while let Some(ty) = open.pop() {
            match *ty.kind() {
                TyKind::Array(of, _) => open.push(of),
                TyKind::Tuple(parts) => open.extend(parts.iter().copied()),
                _ => {
                    let Some(known) = self.get(ty).filter(|_| found.get(ty).is_none()) else { continue };
                    found.insert(ty, known.clone());
                    open.extend(known.types());
                }
            }
        }
        found
    }

    /// Was an item called so before?
    pub fn was_called(&self, item: ItemPath, name: ItemPath) -> bool {
        self.former.get(&item).is_some_and(|former| former.contains(&name))
    }

    /// All of them, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Ty, &Arc<KnownLayout>)> {
        self.known.iter().map(|(ty, layout)| (*ty, layout))
    }
}

fn renamed(known: &Arc<KnownLayout>, renames: &Renames) -> Arc<KnownLayout> {
    let mut new = (**known).clone();
    for variant in &mut new.variants {
        for field in variant.fields.iter_mut().chain(&mut variant.parked) {
            field.ty = renames.ty(field.ty);
            field.then.0 = field.then.0.as_ref().map(|then| Arc::new(then.renamed(renames)));
        }
    }
    if new == **known && !known.waits_in_old_shape() { known.clone() } else { Arc::new(new) }
}

impl KnownVariant {
    /// Is this a field of it, or parked in it?
    pub fn holds(&self, field: &KnownField) -> bool {
        self.fields.iter().chain(&self.parked).any(|other| other == field)
    }
}

impl KnownField {
    /// A field whose bytes are filled with zeros while it is parked.
    pub fn new(name: Name, ty: Ty, offset: u32, size: u32) -> KnownField {
        let (fill, lineage, then) = (Fill::default(), Lineage::default(), Then::default());
        KnownField { name, ty, offset, size, fill, lineage, then }
    }

    /// Do the bytes of two fields overlap?
    pub fn overlaps(&self, other: &KnownField) -> bool {
        self.offset < other.offset + other.size && other.offset < self.offset + self.size
    }
}

impl KnownLayout {
    /// Its fields, or those of all variants.
    pub fn all_fields(&self) -> impl Iterator<Item = &KnownField> {
        self.variants.iter().flat_map(|variant| &variant.fields)
    }

    /// All that is parked in it.
    pub fn all_parked(&self) -> impl Iterator<Item = &KnownField> {
        self.variants.iter().flat_map(|variant| &variant.parked)
    }

    /// The parked fields in which values have the shape of their types.
    pub fn waiting(&self) -> impl Iterator<Item = &KnownField> {
        self.all_parked().filter(|field| field.then.0.is_none())
    }

    /// The types of what lies in values of it in the shape of its type.
    pub fn types(&self) -> impl Iterator<Item = Ty> {
        self.all_fields().chain(self.waiting()).map(|field| field.ty)
    }

    /// Is there a parked field whose type lies otherwise now?
    fn waits_in_old_shape(&self) -> bool {
        self.all_parked().any(|field| field.then.0.is_some())
    }

    /// The fields of a struct.
    pub fn fields(&self) -> &[KnownField] {
        self.variants.first().map_or(&[], |only| &only.fields)
    }

    /// The variant with this name; one that is declared goes before one that is gone.
    pub fn variant(&self, name: Name) -> Option<&KnownVariant> {
        let mut named = self.variants.iter().filter(|variant| variant.name == Some(name));
        let first = named.clone().next();
        named.find(|variant| variant.declared).or(first)
    }
}
