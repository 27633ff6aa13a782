//! Carrying out the steps of conversions: counting, which only reads, and applying, which cannot fail.

use rustc_hash::FxHashSet;

use super::attic::{Attic, BatchKey, block_of};
use super::numbers::{becomes, numbers};
use super::rebuild::{Rebuild, RebuildKey, Rebuilt, Rows};
use super::regions::Region;
use super::{Arm, Conversion, Found, Op, PartOf, References, Test, Waits};
use crate::heap::Heap;
use crate::heap::block::{Payload, copy, load, store, zero};
use crate::heap::counts::count_up;
use crate::heap::types::Part;

/// Values that are taken through all steps before the next ones are, so that they are in the cache. Chosen by feel.
const CHUNK: usize = 256;
/// The number of no region.
const NOWHERE: usize = usize::MAX;

/// What counting has found.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// Changed values, by type.
    pub counts: Vec<u64>,
    /// Values that have to be prepared, by queue.
    pub wanted: Vec<u64>,
    /// Containers that are made anew, in the order they were found.
    pub rebuilt: Vec<RebuildKey>,
    known: FxHashSet<RebuildKey>,
    /// Values that must not be there, with the numbers of their regions; of a region the first.
    pub found: Vec<(usize, Found)>,
    /// How often what a report tells of would happen, if somebody wants to know.
    pub notes: Option<Vec<u64>>,
    /// How often something of that happens which nobody can tell afterwards.
    pub given_way: Vec<u64>,
}

/// What steps take from and put to while they are applied.
pub(crate) struct Stores<'a> {
    /// Values of parked fields.
    pub attic: &'a mut Attic,
    /// Which parked field a number names.
    pub batches: &'a [BatchKey],
    /// Prepared values.
    pub queues: Vec<Queue>,
    /// How often what a report tells of has happened.
    pub notes: Vec<u64>,
    /// References that nobody holds any more.
    pub released: Vec<usize>,
    /// The containers that are made anew.
    pub rebuilt: Rebuilt,
    /// How, and those that are still to be filled.
    pub(super) rebuilds: &'a [Rebuild],
    pub(super) unfilled: Rows,
    /// Are elements of these being copied? They own what they refer to afterwards.
    pub(super) copying: bool,
    /// Do the references in the values belong to somebody else?
    pub(super) lent: bool,
    /// What prepared values refer to, by queue.
    pub references: Vec<References>,
    scratch: Vec<u64>,
}

/// Prepared values of one size, in no particular order.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The values, one after the other.
    pub bytes: Vec<u8>,
    /// How many are still to be computed.
    pub missing: u64,
    taken: usize,
}

impl Queue {
    /// Those that nobody has taken.
    pub(crate) fn rest(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    fn next(&mut self, size: usize) -> usize {
        let at = self.taken;
        self.taken += size;
        self.bytes.get(at..self.taken).map_or(0, |bytes| bytes.as_ptr() as usize)
    }
}

/// Where the values of a row lie: the first ones, and the way from one to the next.
#[derive(Clone, Copy)]
struct Row {
    from: usize,
    from_stride: usize,
    to: usize,
    to_stride: usize,
    count: usize,
}

impl Row {
    fn one(from: usize, to: usize) -> Row {
        Row { from, from_stride: 0, to, to_stride: 0, count: 1 }
    }

    fn each(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.count).map(move |n| (self.from + n * self.from_stride, self.to + n * self.to_stride))
    }

    fn part(self, first: usize, count: usize) -> Row {
        let from = self.from + first * self.from_stride;
        Row { from, to: self.to + first * self.to_stride, count, ..self }
    }
}

impl Counted {
    /// One that counts what a report tells of, too.
    pub(crate) fn noting() -> Counted {
        Counted { notes: Some(Vec::new()), ..Counted::default() }
    }

    /// Looks at the values of a region, the `number`th.
    pub(crate) fn region(&mut self, conversion: &Conversion, region: &Region, number: usize, stores: &Lookup<'_>) {
        for (ty, times) in &conversion.counts {
            add(&mut self.counts, *ty, times * region.count as u64);
        }
        if !conversion.dynamic && self.notes.is_none() {
            return;
        }
        for index in 0..region.count {
            let at = region.at + index * region.stride;
            let mut walk = Walk { counted: self, stores, place: (number, index) };
            walk.ops(&conversion.ops, at, true);
        }
    }
}

impl Counted {
    /// Counts what steps on the value at an address take.
    pub(crate) fn steps(&mut self, ops: &[Op], at: usize, stores: &Lookup<'_>) {
        Walk { counted: self, stores, place: (NOWHERE, 0) }.ops(ops, at, true);
    }

    /// Looks at the elements of the containers that are made anew, and finds more of them.
    pub(crate) fn containers(&mut self, heap: &Heap, rebuilds: &[Rebuild], stores: &Lookup<'_>) {
        let mut next = 0;
        while let Some((handle, number)) = self.rebuilt.get(next).copied() {
            next += 1;
            let rebuild = &rebuilds[number as usize];
            for row in rebuild.rows(heap, handle) {
                let mut walk = Walk { counted: self, stores, place: (NOWHERE, 0) };
                for element in &rebuild.elements {
                    walk.ops(&element.ops, row + element.offsets.0, false);
                    walk.ops(&element.prepared, row + element.offsets.0, false);
                }
            }
        }
    }
}

impl Conversion {
    /// Visits the references that the values of a region lose: their addresses, and the blocks that they lead to.
    pub(crate) fn leaving(&self, region: &Region, visit: &mut dyn FnMut(usize, Option<usize>)) {
        let mut visit = |place: usize, is_function: bool| {
            visit(place, block_of(load(place), is_function).map(|block| block.0));
        };
        (0..region.count).for_each(|index| leaving(&self.ops, region.at + index * region.stride, &mut visit));
    }
}

fn leaving(ops: &[Op], at: usize, visit: &mut dyn FnMut(usize, bool)) {
    for op in ops {
        match op {
            Op::Park { from, references, .. } | Op::Release { from, references } => {
                each_place(at + *from as usize, &references.0, visit);
            }
            Op::Match { from, arms } => {
                if let Some(arm) = arm_of(arms, at + *from as usize) {
                    leaving(&arm.ops, at, visit);
                }
            }
            Op::Each { from, from_stride, count, ops, .. } => {
                let each = (0..*count).map(|index| (from + index * from_stride) as usize);
                each.for_each(|offset| leaving(ops, at + offset, visit));
            }
            _ => {}
        }
    }
}

/// What counting has to know of the attic.
pub(crate) struct Lookup<'a> {
    /// Values of parked fields.
    pub attic: &'a Attic,
    /// Which parked field a number names.
    pub batches: &'a [BatchKey],
    /// What values lead to.
    pub heap: &'a Heap,
}

/// Counting in one value.
struct Walk<'a> {
    counted: &'a mut Counted,
    stores: &'a Lookup<'a>,
    place: (usize, usize),
}

impl Walk<'_> {
    /// Nothing has moved yet: only places before the conversion are looked at.
    fn ops(&mut self, ops: &[Op], from: usize, top: bool) {
        for op in ops {
            match op {
                Op::Next { queue, .. } => add(&mut self.counted.wanted, *queue, 1),
                Op::Count { number } if !top => add(&mut self.counted.counts, *number, 1),
                Op::Match { from: offset, arms } => {
                    if let Some(arm) = arm_of(arms, from + *offset as usize) {
                        self.ops(&arm.ops, from, false);
                    }
                }
                Op::Each { from: offset, from_stride, count, ops, .. } => {
                    for index in 0..*count as usize {
                        let at = from + *offset as usize + index * *from_stride as usize;
                        self.ops(ops, at, false);
                    }
                }
                Op::Unpark { from: offset, references, batch, otherwise, .. } => {
                    let key = &self.stores.batches[*batch as usize];
                    if !has_tickets(from + *offset as usize, references, self.stores.attic, key) {
                        self.ops(otherwise, from, false);
                    }
                }
                Op::Reshape { from: offset, bytes, references, batch, ops, otherwise, .. } => {
                    let at = from + *offset as usize;
                    let copy = Waiting::of(at, *bytes);
                    let key = &self.stores.batches[*batch as usize];
                    if resolve(copy.at, references, self.stores.attic, key).is_some() {
                        self.waiting(ops, &copy, at);
                    } else {
                        self.ops(otherwise, from, false);
                    }
                }
                Op::Wrap { queue, ops, prepared, .. } => {
                    add(&mut self.counted.wanted, *queue, 1);
                    self.ops(ops, from, false);
                    self.ops(prepared, from, false);
                }
                Op::Rebuild { from: offset, rebuild, .. } | Op::Unwrap { from: offset, rebuild, .. } => {
                    let key = (load(from + *offset as usize), *rebuild);
                    if key.0 != 0 && self.counted.known.insert(key) {
                        self.counted.rebuilt.push(key);
                    }
                }
                Op::Note { note } => self.note(*note, 1),
                Op::GivesWay { from: offset, waiting, note }
                    if self.gives_way(from + *offset as usize, from + waiting.at as usize, waiting) =>
                {
                    add(&mut self.counted.given_way, *note, 1);
                    self.note(*note, 1);
                }
                Op::Number { from: offset, old, new, note, .. } | Op::Changed { from: offset, old, new, note, .. }
                    if self.counted.notes.is_some() =>
                {
                    let mut made = [0u128; 1];
                    let places = (from + *offset as usize, made.as_mut_ptr() as usize);
                    let cut = numbers(std::iter::once(places), *old, *new);
                    self.note(*note, cut);
                }
                Op::Refuse { why, waiting } => {
                    let (region, index) = self.place;
                    let may_wait = !waiting.is_empty();
                    let last = self.counted.found.last();
                    if last.is_none_or(|(known, last)| *known != region || last.may_wait != may_wait) {
                        let found = Found { why: *why, index, address: from, may_wait };
                        self.counted.found.push((region, found));
                    }
                    self.ops(waiting, from, false);
                }
                _ => {}
            }
        }
    }
}

impl Walk<'_> {
    /// Looks at a copy of what waits at an address.
    fn waiting(&mut self, ops: &[Op], copy: &Waiting, at: usize) {
        let known = self.counted.found.len();
        self.ops(ops, copy.at, false);
        self.counted.found.iter_mut().skip(known).for_each(|(_, found)| found.address = at);
    }

    /// Is a value not what the one that has waited at an address has become?
    fn gives_way(&self, now: usize, at: usize, waiting: &Waits) -> bool {
        let copy = Waiting::of(at, waiting.bytes);
        let key = &self.stores.batches[waiting.batch as usize];
        let is_there = resolve(copy.at, &waiting.references, self.stores.attic, key).is_some();
        is_there && !self.stores.heap.are_alike(&waiting.alike, copy.at, now)
    }

    fn note(&mut self, number: u32, times: u64) {
        if let Some(notes) = &mut self.counted.notes {
            add(notes, number, times);
        }
    }
}

fn add(counts: &mut Vec<u64>, number: u32, times: u64) {
    let number = number as usize;
    if counts.len() <= number {
        counts.resize(number + 1, 0);
    }
    counts[number] += times;
}

pub(super) fn arm_of(arms: &[Arm], at: usize) -> Option<&Arm> {
    let discriminant = load(at) as i64;
    arms.iter().find(|arm| arm.discriminant == discriminant)
}

/// Visits the places of the references in a value: their addresses, and whether they hold function values.
pub(super) fn each_place(at: usize, parts: &[Part], visit: &mut dyn FnMut(usize, bool)) {
    for part in parts {
        match part {
            Part::Payload(offset) => visit(at + offset, false),
            Part::Function(offset) => visit(at + offset, true),
            Part::Choice(offset, variants) => {
                let discriminant = load(at + offset) as i64;
                if let Some((_, parts)) = variants.iter().find(|(known, _)| *known == discriminant) {
                    each_place(at + offset, parts, visit);
                }
            }
            Part::Repeat { offset, stride, count, parts } => {
                (0..*count).for_each(|index| each_place(at + offset + index * stride, parts, visit));
            }
        }
    }
}

impl References {
    /// The blocks that a value refers to.
    pub(crate) fn found(&self, at: usize) -> Vec<usize> {
        let mut blocks = Vec::new();
        self.blocks(at, &mut blocks);
        blocks
    }

    /// Collects the blocks that a value refers to.
    pub(super) fn blocks(&self, at: usize, out: &mut Vec<usize>) {
        each_place(at, &self.0, &mut |place, is_function| {
            out.extend(block_of(load(place), is_function).map(|block| block.0));
        });
    }
}

fn has_tickets(at: usize, references: &References, attic: &Attic, key: &BatchKey) -> bool {
    let mut all = true;
    each_place(at, &references.0, &mut |place, _| all &= attic.find(key, load(place)).is_some());
    all
}

impl<'a> Stores<'a> {
    /// Nothing has been applied yet.
    pub(crate) fn new(attic: &'a mut Attic, batches: &'a [BatchKey], queues: Vec<Queue>) -> Stores<'a> {
        Stores {
            attic,
            batches,
            queues,
            notes: Vec::new(),
            released: Vec::new(),
            rebuilt: Rebuilt::default(),
            rebuilds: &[],
            unfilled: Rows::default(),
            copying: false,
            lent: false,
            references: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Converts the values of a region, which has been counted.
    pub(crate) fn region(&mut self, conversion: &Conversion, region: &Region) {
        self.lent = region.loan;
        if let Some(to) = region.to.filter(|_| conversion.in_place) {
            for number in 0..region.count {
                let (from, to) = (region.at + number * region.stride, to + number * region.to_stride);
                copy(to, from, conversion.from_size);
            }
            let there = Region { at: to, stride: region.to_stride, to: None, ..region.clone() };
            return self.region(conversion, &there);
        }
        let to = region.to.unwrap_or(region.at);
        let to_stride = if region.to.is_some() { region.to_stride } else { region.stride };
        let row = Row { from: region.at, from_stride: region.stride, to, to_stride, count: region.count };
        if conversion.copied || (region.to.is_none() && !conversion.in_place) {
            return row.each().for_each(|(from, to)| self.copied(conversion, from, to));
        }
        if region.to.is_some() {
            row.each().for_each(|(_, to)| zero(to, conversion.to_size));
        }
        let mut first = 0;
        while first < row.count {
            let part = row.part(first, CHUNK.min(row.count - first));
            conversion.ops.iter().for_each(|op| self.row(op, part));
            first += CHUNK;
        }
    }

    /// Converts a value of which a copy is read.
    fn copied(&mut self, conversion: &Conversion, from: usize, to: usize) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(conversion.from_size.div_ceil(8).max(1), 0);
        let start = scratch.as_ptr() as usize;
        copy(start, from, conversion.from_size);
        if !conversion.in_place {
            zero(to, conversion.to_size);
        }
        conversion.ops.iter().for_each(|op| self.row(op, Row::one(start, to)));
        self.scratch = scratch;
    }

    /// Takes one value through steps, from one place to another.
    pub(crate) fn one(&mut self, ops: &[Op], from: usize, to: usize) {
        ops.iter().for_each(|op| self.row(op, Row::one(from, to)));
    }

    /// Brings a value of this size to another place, and takes one through steps that come over it.
    pub(crate) fn over(&mut self, ops: &[Op], from: usize, (under, to): (usize, usize), size: usize) {
        self.lent = false;
        copy(to, under, size);
        self.one(ops, from, to);
    }

    fn row(&mut self, op: &Op, row: Row) {
        match op {
            Op::Copy { from, to, bytes: 8 } => {
                row.each().for_each(|(f, t)| store(t + *to as usize, load(f + *from as usize)));
            }
            Op::Copy { from, to, bytes } => {
                row.each().for_each(|(f, t)| copy(t + *to as usize, f + *from as usize, *bytes as usize));
            }
            Op::Fill { to, bytes } => fill(row, *to as usize, bytes),
            Op::Zero { to, bytes } => row.each().for_each(|(_, t)| zero(t + *to as usize, *bytes as usize)),
            Op::Number { from, to, old, new, note } => {
                let places = |(f, t)| (f + *from as usize, t + *to as usize);
                let cut = numbers(row.each().map(places), *old, *new);
                add(&mut self.notes, *note, cut);
            }
            Op::Changed { from, to, old, new, note } => {
                let places = |(f, t)| (f + *from as usize, t + *to as usize);
                let changed = |(from, to): &(usize, usize)| !becomes((*to, *new), (*from, *old));
                let cut = numbers(row.each().map(places).filter(changed), *old, *new);
                add(&mut self.notes, *note, cut);
            }
            Op::Next { to, bytes, queue, part: None } => {
                row.each().for_each(|(_, t)| self.next(t + *to as usize, *bytes, *queue));
            }
            Op::Next { to, bytes, queue, part: Some(part) } => {
                row.each().for_each(|(_, t)| self.next_part(t + *to as usize, *bytes, *queue, part));
            }
            Op::Release { .. } if self.lent => {}
            Op::Release { from, references } => {
                row.each().for_each(|(f, _)| references.blocks(f + *from as usize, &mut self.released));
            }
            Op::Drop { to, references } => {
                row.each().for_each(|(_, t)| references.blocks(t + *to as usize, &mut self.released));
            }
            Op::Park { at, references, batch, .. } => {
                row.each().for_each(|(_, t)| self.park(t + *at as usize, references, *batch));
            }
            Op::Unpark { to, references, batch, otherwise, .. } => row.each().for_each(|(f, t)| {
                if !self.unpark(t + *to as usize, references, *batch) {
                    otherwise.iter().for_each(|op| self.row(op, Row::one(f, t)));
                }
            }),
            Op::Reshape { from, bytes, to, size, references, batch, ops, otherwise } => {
                row.each().for_each(|(f, t)| {
                    let (copy, place) = (Waiting::of(f + *from as usize, *bytes), t + *to as usize);
                    let Some(found) = resolve(copy.at, references, self.attic, &self.batches[*batch as usize]) else {
                        return otherwise.iter().for_each(|op| self.row(op, Row::one(f, t)));
                    };
                    found.into_iter().for_each(|block| self.count_up(block));
                    zero(place, *size as usize);
                    self.one(ops, copy.at, place);
                })
            }
            Op::If { at, is, ops } => row.each().for_each(|(f, t)| {
                if self.holds(f + *at as usize, is) {
                    ops.iter().for_each(|op| self.row(op, Row::one(f, t)));
                }
            }),
            Op::Match { from, arms } => row.each().for_each(|(f, t)| {
                if let Some(arm) = arm_of(arms, f + *from as usize) {
                    arm.ops.iter().for_each(|op| self.row(op, Row::one(f, t)));
                }
            }),
            Op::Each { from, to, from_stride, to_stride, count, ops } => row.each().for_each(|(f, t)| {
                let row = Row {
                    from: f + *from as usize,
                    from_stride: *from_stride as usize,
                    to: t + *to as usize,
                    to_stride: *to_stride as usize,
                    count: *count as usize,
                };
                ops.iter().for_each(|op| self.row(op, row));
            }),
            Op::Rebuild { from, to, rebuild } => row.each().for_each(|(f, t)| {
                let made = self.rebuilt.find((load(f + *from as usize), *rebuild)).unwrap_or(0);
                if made != 0 && !self.copying {
                    self.count_up(Payload(made));
                }
                store(t + *to as usize, made);
            }),
            Op::Wrap { .. } | Op::Unwrap { .. } => row.each().for_each(|(from, to)| self.boxed(op, from, to)),
            Op::Note { note } => add(&mut self.notes, *note, row.count as u64),
            Op::Refuse { waiting, .. } => waiting.iter().for_each(|op| self.row(op, row)),
            Op::Own { .. } | Op::Count { .. } | Op::GivesWay { .. } => {}
        }
    }

    pub(super) fn next(&mut self, to: usize, size: u32, queue: u32) {
        let found = self.queues.get_mut(queue as usize).map_or(0, |queue| queue.next(size as usize));
        if found != 0 {
            copy(to, found, size as usize);
        }
        if found != 0 && self.lent {
            let mut blocks = Vec::new();
            self.references.iter().skip(queue as usize).take(1).for_each(|of| of.blocks(to, &mut blocks));
            blocks.into_iter().for_each(|block| self.attic.lend(block));
        }
    }

    fn next_part(&mut self, to: usize, bytes: u32, queue: u32, part: &PartOf) {
        let found = self.queues.get_mut(queue as usize).map_or(0, |queue| queue.next(part.size as usize));
        if found == 0 {
            return;
        }
        copy(to, found + part.from as usize, bytes as usize);
        part.references.1.blocks(found, &mut self.released);
        if self.lent {
            part.references.0.found(found).into_iter().for_each(|block| self.attic.lend(block));
        }
    }

    /// One more reference from the value that is being made.
    pub(super) fn count_up(&mut self, block: Payload) {
        count_up(block);
        if self.lent {
            self.attic.lend(block.0);
        }
    }

    fn holds(&self, at: usize, test: &Test) -> bool {
        match test {
            Test::Other(bytes) => !same(at, bytes),
            Test::Tickets(references, batch) => has_tickets(at, references, self.attic, &self.batches[*batch as usize]),
        }
    }

    fn park(&mut self, at: usize, references: &References, batch: u32) {
        self.attic.park_all(at, references, self.batches[batch as usize], self.lent);
    }

    fn unpark(&mut self, at: usize, references: &References, batch: u32) -> bool {
        let found = resolve(at, references, self.attic, &self.batches[batch as usize]);
        found.map(|blocks| blocks.into_iter().for_each(|block| self.count_up(block))).is_some()
    }

    /// Forgets the values of parked fields that nobody can ask for any more.
    pub(crate) fn forget(&mut self, batch: u32) {
        let words = self.attic.forget(&self.batches[batch as usize]);
        self.released.extend(words.filter_map(|(word, is_function)| block_of(word, is_function)).map(|block| block.0));
    }
}

/// A copy of what waits in a parked field.
struct Waiting {
    at: usize,
    _words: Vec<u64>,
}

impl Waiting {
    fn of(from: usize, bytes: u32) -> Waiting {
        let mut words = vec![0; (bytes as usize).div_ceil(8).max(1)];
        let at = words.as_mut_ptr() as usize;
        copy(at, from, bytes as usize);
        Waiting { at, _words: words }
    }
}

/// Puts references where their tickets are; gives the blocks, or nothing if not all are tickets.
fn resolve(at: usize, references: &References, attic: &Attic, key: &BatchKey) -> Option<Vec<Payload>> {
    if !has_tickets(at, references, attic, key) {
        return None;
    }
    let mut blocks = Vec::new();
    each_place(at, &references.0, &mut |place, is_function| {
        let word = attic.find(key, load(place)).map_or(0, |(word, _)| word);
        blocks.extend(block_of(word, is_function));
        store(place, word);
    });
    Some(blocks)
}

/// Are these the bytes at an address?
fn same(at: usize, bytes: &[u8]) -> bool {
    let mut found = vec![0u8; bytes.len()];
    copy(found.as_mut_ptr() as usize, at, bytes.len());
    found == bytes
}

fn fill(row: Row, offset: usize, value: &[u8]) {
    if let Ok(word) = <[u8; 8]>::try_from(value) {
        let word = usize::from_le_bytes(word);
        return row.each().for_each(|(_, to)| store(to + offset, word));
    }
    row.each().for_each(|(_, to)| copy(to + offset, value.as_ptr() as usize, value.len()));
}
