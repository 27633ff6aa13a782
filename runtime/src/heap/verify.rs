//! Is a heap whole? Every counted word must lead to a live block of its type, every block must be as large as its type
//! says, and counts must be the numbers of words that lead there.

use std::fmt::Display;

use rustc_hash::FxHashMap;
use vaisjit_abi::heap::{
    CLOSURE_CAPTURES, CLOSURE_TAG, DYN_DATA, DYN_VALUE, HEADER_SIZE, SHARED, VEC_CAPACITY, VEC_DATA, VEC_LENGTH,
};
use vaisjit_semantics::{Ty, TyKind};

use super::block::{Count, Payload, Role, load};
use super::types::{Field, Form, MapLayout, TypeRef};
use super::walk::Memory;
use super::{Heap, SIZE_OFFSET, lock, map};

/// More than these would only hide the first.
const MOST: usize = 10;

/// A value outside the heap: where it lies, its type, and what people call it.
pub(crate) type Root = (usize, TypeRef, String);

impl Memory<'_> {
    /// What is wrong with the heap, a sentence each. `all`: are these all the values outside it that lead to blocks? Then
    /// counts must be exact; else there may be more references than are found.
    pub(crate) fn verify(&self, roots: &[Root], all: bool) -> Vec<String> {
        let mut check = Check { heap: self.heap, found: FxHashMap::default(), wrong: Vec::new() };
        roots.iter().for_each(|(at, of, name)| check.value(*at, *of, name));
        let kept = lock(&self.heap.attic).counted();
        for word in kept.into_iter().filter(|word| self.heap.is_near(*word)) {
            check.counted(word, &"the attic");
        }
        let blocks: Vec<usize> = lock(&self.heap.arena).blocks().collect();
        let blocks = blocks.into_iter().map(|block| Payload(block + HEADER_SIZE));
        let blocks: Vec<_> = blocks.filter_map(|block| Some((block, block.type_and_role()?))).collect();
        blocks.iter().for_each(|(block, (of, role))| check.block(*block, *of, *role));
        blocks.iter().for_each(|(block, (of, role))| check.count(*block, (*of, *role), all));
        check.wrong
    }
}

impl Heap {
    /// Does every counted word of a value lead to a live block of its type? Not if the value has ended long ago.
    pub(crate) fn is_whole(&self, at: usize, of: TypeRef) -> bool {
        let mut check = Check { heap: self, found: FxHashMap::default(), wrong: Vec::new() };
        check.value(at, of, &"a value");
        check.wrong.is_empty()
    }
}

/// What has been found so far.
struct Check<'h> {
    heap: &'h Heap,
    /// How many words lead to each block.
    found: FxHashMap<usize, i64>,
    wrong: Vec<String>,
}

impl Check<'_> {
    fn wrong(&mut self, what: String) {
        if self.wrong.len() < MOST {
            self.wrong.push(what);
        }
    }

    /// The words in a value.
    fn value(&mut self, at: usize, of: TypeRef, holder: &dyn Display) {
        match &of.body().form {
            Form::Str | Form::Vec(_) | Form::Map(_) | Form::Box(_) => self.word(at, (of, Role::Own), holder),
            Form::Dyn => self.word(at, (of, Role::Cell), holder),
            Form::Word if matches!(of.ty().kind(), TyKind::Function(..)) => self.word(at, (of, Role::Closure), holder),
            Form::Array(element, count) if !element.body().parts.is_empty() => {
                let size = element.body().size;
                (0..*count).for_each(|index| self.value(at + index * size, *element, holder));
            }
            Form::Record(fields) => self.fields(at, fields, holder),
            Form::Enum(variants) => {
                let number = load(at) as i64;
                match variants.iter().find(|(known, _)| *known == number) {
                    Some((_, fields)) => self.fields(at, fields, holder),
                    None => self.wrong(format!("{holder} has a `{}` of the unknown variant {number}", of.ty())),
                }
            }
            _ => {}
        }
    }

    fn fields(&mut self, at: usize, fields: &[Field], holder: &dyn Display) {
        fields.iter().for_each(|(offset, of)| self.value(at + offset, *of, holder));
    }

    /// A word that leads to a block of this type, or to none.
    fn word(&mut self, at: usize, (of, role): (TypeRef, Role), holder: &dyn Display) {
        let (word, tag) = (load(at), CLOSURE_TAG as usize);
        let target = match role {
            Role::Closure if word & tag == 0 => return,
            Role::Closure => word & !tag,
            _ => word,
        };
        // Literals lie elsewhere.
        if target == 0 || of.ty() == Ty::str() && !self.heap.is_near(target) {
            return;
        }
        let Some((is, found)) = self.counted(target, &format!("a `{}` in {holder}", of.ty())) else { return };
        if found != role || role == Role::Own && is != of {
            self.wrong(format!("a `{}` in {holder} leads to a {found:?} `{}`", of.ty(), is.ty()));
        }
    }

    /// One more word that leads to a block.
    fn counted(&mut self, target: usize, what: &dyn Display) -> Option<(TypeRef, Role)> {
        if !self.is_block(target) {
            self.wrong(format!("{what} leads to {target:#x}, where no block is"));
            return None;
        }
        *self.found.entry(target).or_default() += 1;
        Payload(target).type_and_role()
    }

    fn is_block(&self, target: usize) -> bool {
        let block = target.wrapping_sub(HEADER_SIZE);
        self.heap.is_near(target) && lock(&self.heap.arena).find(block) == Some(block)
    }

    /// A buffer that belongs to a block.
    fn buffer(&mut self, at: usize, bytes: usize, what: &dyn Display) -> bool {
        let right = bytes == 0 || self.is_block(at) && Payload(at).word(SIZE_OFFSET) >= bytes;
        if !right {
            self.wrong(format!("{what} has no {bytes} bytes at {at:#x}"));
        }
        if at != 0 {
            *self.found.entry(at).or_default() += 1;
        }
        right
    }

    fn block(&mut self, block: Payload, of: TypeRef, role: Role) {
        let name = format!("the {role:?} `{}` at {:#x}", of.ty(), block.0);
        match (role, &of.body().form) {
            (Role::Own, Form::Vec(element)) => self.list(block, *element, &name),
            (Role::Own, Form::Map(layout)) => self.map(block, layout, &name),
            (Role::Own, Form::Box(value)) => self.inside((block, 0), *value, &name),
            (Role::Closure, _) => self.inside((block, CLOSURE_CAPTURES as usize), of, &name),
            (Role::Cell, _) if block.word(DYN_DATA) == block.0 + DYN_VALUE as usize => {
                self.inside((block, DYN_VALUE as usize), of, &name);
            }
            _ => {}
        }
    }

    fn inside(&mut self, (block, offset): (Payload, usize), of: TypeRef, name: &str) {
        let (has, wants) = (block.word(SIZE_OFFSET), offset + of.body().size);
        if has < wants {
            return self.wrong(format!("{name} has {has} bytes instead of {wants}"));
        }
        self.value(block.0 + offset, of, &name);
    }

    fn list(&mut self, block: Payload, element: TypeRef, name: &str) {
        let (data, length, capacity) = (block.word(VEC_DATA), block.word(VEC_LENGTH), block.word(VEC_CAPACITY));
        let size = element.body().size;
        if length > capacity {
            return self.wrong(format!("{name} has {length} elements and room for {capacity}"));
        }
        if self.buffer(data, capacity.saturating_mul(size), &name) {
            (0..length).for_each(|index| self.value(data + index * size, element, &name));
        }
    }

    fn map(&mut self, block: Payload, layout: &MapLayout, name: &str) {
        let [entries, index] = map::buffers(block);
        let bytes = map::capacity(block).saturating_mul(layout.stride);
        if self.buffer(entries, bytes, &name) && self.buffer(index, map::index_bytes(block), &name) {
            let mut places = Vec::new();
            map::each_entry(block, layout, &mut |key, value| places.push((key, value)));
            if places.len() != map::length(block) {
                self.wrong(format!("{name} says it has {} entries, not {}", map::length(block), places.len()));
            }
            for (key, value) in places {
                self.value(key, layout.key, &name);
                self.value(value, layout.value, &name);
            }
        }
    }

    fn count(&mut self, block: Payload, (of, role): (TypeRef, Role), all: bool) {
        let found = self.found.get(&block.0).copied().unwrap_or(0);
        let says = match Count::of(block.count()) {
            _ if !role.is_counted() => 1,
            Count::Plain(count) => count,
            Count::Shared => block.count() - SHARED,
            Count::Immortal => return,
            Count::Wrong => 0,
        };
        if says < found || (all || !role.is_counted()) && says > found {
            let ty = of.ty();
            self.wrong(format!("the {role:?} `{ty}` at {:#x} counts {says} references, found are {found}", block.0));
        }
    }
}
