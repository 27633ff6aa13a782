//! Containers whose elements become values of another type: they are made anew, and every handle of that type goes over.
//! What still has the old type keeps the old container.

use rustc_hash::FxHashMap;
use vaisjit_abi::heap::{VEC_CAPACITY, VEC_DATA, VEC_LENGTH, VEC_SIZE};
use vaisjit_semantics::Ty;

use super::run::Stores;
use super::{Op, References};
use crate::heap::block::{Payload, Role, type_word, zero};
use crate::heap::counts::count_up;
use crate::heap::types::{Form, TypeRef};
use crate::heap::{Heap, map};

/// How a container of one type becomes one of another.
#[derive(Debug)]
pub(crate) struct Rebuild {
    /// The types before and after.
    pub types: (Ty, Ty),
    /// What holds the elements.
    pub container: Container,
    /// The record of the new type, once there is one.
    pub record: Option<TypeRef>,
    /// What is in each row of it.
    pub elements: Vec<Element>,
    /// From one row to the next, before and after.
    pub strides: (usize, usize),
}

/// What holds elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Vec,
    Map,
    Box,
}

/// A value in each row of a container: an element, a key.
#[derive(Debug)]
pub(crate) struct Element {
    /// Makes a copy that owns nothing yet.
    pub ops: Vec<Op>,
    /// Puts what is prepared for each, once the copy owns what it refers to.
    pub prepared: Vec<Op>,
    /// What the copy refers to.
    pub references: References,
    /// Where it lies in a row, before and after.
    pub offsets: (usize, usize),
}

/// A handle and the way its container goes.
pub(crate) type RebuildKey = (usize, u32);

/// The containers that a trial has made.
#[derive(Default)]
pub(crate) struct Rebuilt {
    made: FxHashMap<RebuildKey, usize>,
    /// In the order they were found, with the rows before and the first row after.
    order: Vec<(RebuildKey, Vec<usize>, usize)>,
}

/// The rows of the containers that are made anew.
pub(crate) struct Rows(Vec<(RebuildKey, Vec<usize>, usize)>);

impl Stores<'_> {
    /// Copies the elements of containers; nothing has been converted in place yet.
    pub(crate) fn fill(&mut self, rows: Rows, rebuilds: &[Rebuild]) {
        for (key, rows, first) in rows.0 {
            let rebuild = &rebuilds[key.1 as usize];
            for (index, from) in rows.iter().enumerate() {
                let to = first + index * rebuild.strides.1;
                for element in &rebuild.elements {
                    self.element(element, from + element.offsets.0, to + element.offsets.1);
                }
            }
        }
    }

    fn element(&mut self, element: &Element, from: usize, to: usize) {
        self.copying = true;
        self.one(&element.ops, from, to);
        self.copying = false;
        let mut blocks = Vec::new();
        element.references.blocks(to, &mut blocks);
        blocks.iter().for_each(|block| count_up(Payload(*block)));
        self.one(&element.prepared, from, to);
    }
}

impl Rebuild {
    /// Where the rows of the container behind a handle lie; none if the program has spoilt it.
    pub(crate) fn rows(&self, heap: &Heap, handle: usize) -> Vec<usize> {
        let block = Payload(handle);
        if !heap.is_inside(handle) {
            return Vec::new();
        }
        let Some((of, Role::Own)) = block.type_and_role() else { return Vec::new() };
        match (self.container, &of.body().form) {
            (Container::Vec, Form::Vec(_)) => {
                let count = heap.elements_within(block, self.strides.0);
                (0..count).map(|index| block.word(VEC_DATA) + index * self.strides.0).collect()
            }
            (Container::Map, Form::Map(layout)) if heap.entries_within(block, layout) => {
                let mut rows = Vec::new();
                map::each_entry(block, layout, &mut |key, _| rows.push(key - layout.key_offset));
                rows
            }
            (Container::Box, Form::Box(_)) => vec![handle],
            _ => Vec::new(),
        }
    }
}

impl Rebuilt {
    /// The container that takes the place of this one.
    pub(super) fn find(&self, key: RebuildKey) -> Option<usize> {
        self.made.get(&key).copied()
    }

    /// Makes room for a container; `None` if there is no memory.
    pub(crate) fn make(&mut self, heap: &Heap, rebuild: &Rebuild, key: RebuildKey) -> Option<()> {
        let (of, rows) = (rebuild.record?, rebuild.rows(heap, key.0));
        let (stride, count) = (rebuild.strides.1, rows.len());
        let new = |role: Role, bytes: usize| {
            let made = heap.new_block(type_word(of, role), bytes.max(1), 0).ok()?;
            zero(made.0, bytes);
            Some(made)
        };
        let (made, first) = match rebuild.container {
            Container::Box => {
                let made = new(Role::Own, stride)?;
                (made, made.0)
            }
            Container::Vec => {
                let made = new(Role::Own, VEC_SIZE)?;
                let data = if count == 0 { 0 } else { new(Role::Buffer, count.checked_mul(stride)?)?.0 };
                made.set_word(VEC_DATA, data);
                made.set_word(VEC_LENGTH, count);
                made.set_word(VEC_CAPACITY, count);
                (made, data)
            }
            Container::Map => map::with_entries((count, stride), &new)?,
        };
        self.made.insert(key, made.0);
        self.order.push((key, rows, first));
        Some(())
    }

    /// The rows of all of them.
    pub(crate) fn rows(&mut self) -> Rows {
        Rows(std::mem::take(&mut self.order))
    }

    /// The maps whose keys have to be found.
    pub(crate) fn maps<'a>(&'a self, rebuilds: &'a [Rebuild]) -> impl Iterator<Item = usize> + 'a {
        let maps = self.made.iter().filter(|(key, _)| rebuilds[key.1 as usize].container == Container::Map);
        maps.map(|(_, made)| *made)
    }

    /// All containers that were made, each with a reference of the trial's own.
    pub(crate) fn all(&self) -> impl Iterator<Item = usize> + '_ {
        self.made.values().copied()
    }

    /// Frees what was made.
    pub(crate) fn undo(&self, heap: &Heap, rebuilds: &[Rebuild]) {
        for (key, made) in &self.made {
            let block = Payload(*made);
            match rebuilds[key.1 as usize].container {
                Container::Vec => heap.free_buffer(block.word(VEC_DATA)),
                Container::Map => map::buffers(block).into_iter().for_each(|buffer| heap.free_buffer(buffer)),
                Container::Box => {}
            }
            heap.free_buffer(*made);
        }
    }
}
