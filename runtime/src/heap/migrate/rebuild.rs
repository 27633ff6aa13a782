//! Containers whose elements become values of another type: they are made anew, and every handle of that type goes over.
//! What still has the old type keeps the old container.

use rustc_hash::FxHashMap;
use vaisjit_abi::heap::{VEC_CAPACITY, VEC_DATA, VEC_LENGTH, VEC_SIZE};
use vaisjit_semantics::Ty;

use super::run::Stores;
use super::{Op, References};
use crate::heap::block::{Payload, Role, copy, load, store, type_word, zero};
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
#[derive(Default)]
pub(crate) struct Rows(FxHashMap<RebuildKey, (Vec<usize>, usize)>);

impl<'a> Stores<'a> {
    /// Copies the elements of containers; nothing has been converted in place yet.
    pub(crate) fn fill(&mut self, rows: Rows, rebuilds: &'a [Rebuild]) {
        let keys: Vec<RebuildKey> = rows.0.keys().copied().collect();
        (self.unfilled, self.rebuilds) = (rows, rebuilds);
        keys.into_iter().for_each(|key| self.fill_one(key));
    }

    /// Copies the elements of one, unless that has been done.
    fn fill_one(&mut self, key: RebuildKey) {
        let Some((rows, first)) = self.unfilled.0.remove(&key) else { return };
        let rebuild = &self.rebuilds[key.1 as usize];
        for (index, from) in rows.iter().enumerate() {
            let to = first + index * rebuild.strides.1;
            for element in &rebuild.elements {
                let (from, to) = (from + element.offsets.0, to + element.offsets.1);
                self.copy_of(&element.ops, &element.prepared, &element.references, (from, to));
            }
        }
    }

    /// Makes a copy that owns what it refers to.
    fn copy_of(&mut self, ops: &[Op], prepared: &[Op], references: &References, (from, to): (usize, usize)) {
        let outer = std::mem::replace(&mut self.copying, true);
        self.one(ops, from, to);
        self.copying = false;
        retain(references, to);
        self.one(prepared, from, to);
        self.copying = outer;
    }

    /// A value that goes into a box or comes out of one.
    pub(super) fn boxed(&mut self, op: &Op, from: usize, to: usize) {
        match op {
            Op::Wrap { to: offset, queue, copies, ops, prepared, references } => {
                let handle = [0usize];
                let place = handle.as_ptr() as usize;
                self.next(place, 8, *queue);
                let made = load(place);
                if made != 0 && *copies {
                    self.copy_of(ops, prepared, references, (from, made));
                } else if made != 0 {
                    self.one(ops, from, made);
                    if self.lent {
                        retain(references, made);
                    }
                }
                store(to + *offset as usize, made);
            }
            Op::Unwrap { from: offset, to: place, bytes, rebuild, references } => {
                let key = (load(from + *offset as usize), *rebuild);
                self.fill_one(key);
                let to = to + *place as usize;
                match self.rebuilt.find(key) {
                    Some(made) => copy(to, made, *bytes as usize),
                    None => zero(to, *bytes as usize),
                }
                if !self.copying {
                    let mut blocks = Vec::new();
                    references.blocks(to, &mut blocks);
                    blocks.into_iter().for_each(|block| self.count_up(Payload(block)));
                }
            }
            _ => {}
        }
    }
}

/// One more reference to each block that a value refers to.
fn retain(references: &References, at: usize) {
    let mut blocks = Vec::new();
    references.blocks(at, &mut blocks);
    blocks.into_iter().for_each(|block| count_up(Payload(block)));
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

    /// The handles that had the containers before, how each becomes another, and where its rows lie.
    pub(crate) fn before(&self) -> impl Iterator<Item = (usize, u32, &[usize])> {
        self.order.iter().map(|((handle, number), rows, _)| (*handle, *number, &**rows))
    }

    /// The rows of all of them.
    pub(crate) fn rows(&mut self) -> Rows {
        let order = std::mem::take(&mut self.order);
        Rows(order.into_iter().map(|(key, rows, first)| (key, (rows, first))).collect())
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
