//! Where saved values lie: regions of memory with a type, the way from a place in one to its name and back.

use super::types::{Field, Form, Id, Node, Types, find_field, find_variant};
use vaisjit_semantics::Ty;

/// How many objects deep a name goes before it is cut.
const DEEP: usize = 16;

/// Memory of one global or object.
pub(super) struct Region {
    pub base: usize,
    /// Bytes.
    pub size: usize,
    pub kind: Kind,
    /// The global's name.
    pub name: Option<String>,
    /// Where the first handle was found: a region and an address in it.
    pub parent: Option<(usize, usize)>,
}

/// What lies in a region.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// One value: of a global, a `Box`, a `dyn`.
    Value(Id),
    /// Values one after the other: of a `Vec`.
    Elements(Id),
    /// The entries of a map, which may move.
    Entries { key: Id, value: Id, key_at: usize, value_at: usize, stride: usize },
}

/// A place that a path leads to.
pub(super) struct Target {
    pub at: usize,
    pub ty: Ty,
    /// Where the array that it is an element of ends, or the place itself.
    pub end: usize,
}

/// Regions by number.
#[derive(Default)]
pub(super) struct Regions {
    pub list: Vec<Region>,
    /// Base, end and number, by base; made when it is asked for.
    sorted: Vec<(usize, usize, usize)>,
}

impl Regions {
    /// Adds a region.
    pub fn add(&mut self, region: Region) -> usize {
        self.list.push(region);
        self.list.len() - 1
    }

    /// The region that holds an address; none is added any more.
    pub fn at(&mut self, address: usize) -> Option<usize> {
        if self.sorted.len() != self.list.len() {
            let all = self.list.iter().enumerate();
            self.sorted = all.map(|(number, region)| (region.base, region.base + region.size, number)).collect();
            self.sorted.sort_unstable();
        }
        let behind = self.sorted.partition_point(|(base, ..)| *base <= address);
        // Regions without bytes may share a base with one that has some.
        let near = self.sorted[..behind].iter().rev().take_while(|(base, ..)| address - base < isize::MAX as usize);
        near.take(2).find(|(_, end, _)| address < *end).map(|(.., number)| *number)
    }

    /// The name of a place that holds a value of a type (without one: a value that has no parts), for people.
    pub fn name(&self, region: usize, at: usize, ty: Option<Ty>, types: &Types<'_>) -> String {
        let (mut region, mut at, mut tail) = (region, at, String::new());
        let mut want = ty;
        for _ in 0..DEEP {
            let found = &self.list[region];
            let inner = want.take().and_then(|ty| path(found, at, Some(ty), types));
            let inner = inner.or_else(|| path(found, at, None, types));
            tail = format!("{}{tail}", inner.unwrap_or_default());
            match (&found.name, found.parent) {
                (Some(name), _) => return format!("{name}{tail}"),
                (None, Some(parent)) => (region, at) = parent,
                (None, None) => break,
            }
        }
        format!("..{tail}")
    }

    /// The way from the start of a region to an address, to a place of a type if there is one. `None` if no value starts
    /// there.
    pub fn path(&self, region: usize, at: usize, want: Ty, types: &Types<'_>) -> Option<String> {
        let region = &self.list[region];
        if matches!(region.kind, Kind::Entries { .. }) {
            return None;
        }
        path(region, at, Some(want), types).or_else(|| exact(region, at, types))
    }

    /// The place that a path leads to.
    pub fn follow(&self, region: usize, path: &str, types: &Types<'_>) -> Option<Target> {
        let region = &self.list[region];
        let (mut rest, mut of, mut at) = (path, None, region.base);
        let mut end = None;
        match region.kind {
            Kind::Value(id) => of = Some(id),
            Kind::Elements(_) if path.is_empty() => {}
            Kind::Elements(id) => {
                let (index, behind) = index(rest)?;
                let size = types.node(id).size;
                at = element(at, index, size, region.size)?;
                (rest, of, end) = (behind, Some(id), Some(region.base + region.size));
            }
            Kind::Entries { .. } => return None,
        }
        let mut of = of?;
        while !rest.is_empty() {
            let node = types.node(of);
            match &node.form {
                Form::Array(element_id, length) => {
                    let (index, behind) = index(rest)?;
                    let size = types.node(*element_id).size;
                    end = Some(at + size * length);
                    at = element(at, index, size, size * length)?;
                    (rest, of) = (behind, *element_id);
                }
                Form::Record { fields, .. } => {
                    let (name, behind) = step(rest)?;
                    let field = &fields[find_field(fields, name)?];
                    (rest, of, at, end) = (behind, field.of, at + field.offset, None);
                }
                Form::Enum(variants) => {
                    let (name, behind) = step(rest)?;
                    let (part, behind) = step(behind)?;
                    let now = types.memory.word(at) as i64;
                    let variant = &variants[find_variant(variants, name)?];
                    let field = &variant.fields[find_field(&variant.fields, part)?];
                    if variant.discriminant != now {
                        return None;
                    }
                    (rest, of, at, end) = (behind, field.of, at + field.offset, None);
                }
                _ => return None,
            }
        }
        let node = types.node(of);
        Some(Target { at, ty: node.ty, end: end.unwrap_or(at + node.size) })
    }
}

fn element(base: usize, index: usize, size: usize, bytes: usize) -> Option<usize> {
    let offset = index.checked_mul(size)?;
    (offset.checked_add(size)? <= bytes).then(|| base + offset)
}

/// `[3]` at the start of a path, and what follows.
fn index(path: &str) -> Option<(usize, &str)> {
    let (number, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

/// `.name` at the start of a path, and what follows.
fn step(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('.')?;
    Some(path.split_at(path.find(['.', '[']).unwrap_or(path.len())))
}

/// The outermost value that starts exactly there.
fn exact(region: &Region, at: usize, types: &Types<'_>) -> Option<String> {
    let mut found = String::new();
    let reached = descend(region, at, types, &mut |path, _, rest| {
        path.clone_into(&mut found);
        rest == 0
    });
    reached.then_some(found)
}

/// The way to a place of a type, or as far in as there are names.
fn path(region: &Region, at: usize, want: Option<Ty>, types: &Types<'_>) -> Option<String> {
    let mut found = String::new();
    let reached = descend(region, at, types, &mut |path, node, rest| {
        path.clone_into(&mut found);
        rest == 0 && want == Some(node.ty)
    });
    (reached || want.is_none()).then_some(found)
}

/// Goes from a region to an address, from the outside in, until `visit` (path, type, bytes into it) is content. False if
/// it never was.
fn descend(region: &Region, at: usize, types: &Types<'_>, visit: &mut dyn FnMut(&str, &Node, usize) -> bool) -> bool {
    let mut rest = at.wrapping_sub(region.base);
    let mut text = String::new();
    let mut of = match region.kind {
        Kind::Value(id) => id,
        Kind::Elements(id) => {
            let size = types.node(id).size.max(1);
            text = format!("[{}]", rest / size);
            rest %= size;
            id
        }
        Kind::Entries { key, value, key_at, value_at, stride } => {
            text = format!("[{}]", rest / stride);
            rest %= stride;
            let (id, start, name) = if rest >= value_at { (value, value_at, "") } else { (key, key_at, ".key") };
            text += name;
            rest = rest.wrapping_sub(start);
            id
        }
    };
    loop {
        let node = types.node(of);
        if visit(&text, &node, rest) {
            return true;
        }
        let into = |field: &Field, rest: &mut usize| {
            *rest -= field.offset;
            field.of
        };
        match &node.form {
            Form::Array(element, length) if *length > 0 => {
                let size = types.node(*element).size.max(1);
                text += &format!("[{}]", rest / size);
                rest %= size;
                of = *element;
            }
            Form::Record { fields, .. } => {
                let Some(field) = holding(fields, rest, types) else { return false };
                text += &format!(".{}", field.name);
                of = into(field, &mut rest);
            }
            Form::Enum(variants) => {
                let now = types.memory.word(at - rest) as i64;
                let variant = variants.iter().find(|variant| variant.discriminant == now);
                let Some((variant, field)) =
                    variant.and_then(|variant| Some((variant, holding(&variant.fields, rest, types)?)))
                else {
                    return false;
                };
                text += &format!(".{}.{}", variant.name, field.name);
                of = into(field, &mut rest);
            }
            _ => return false,
        }
    }
}

/// The field that an offset lies in.
fn holding<'f>(fields: &'f [Field], offset: usize, types: &Types<'_>) -> Option<&'f Field> {
    fields.iter().find(|field| offset >= field.offset && offset - field.offset < types.node(field.of).size)
}
