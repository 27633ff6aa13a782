//! Equality, order and hashes of values, by their types. Without recursion: what is still to be looked at waits in a list,
//! so that long chains of boxes need no stack.

use std::cmp::{Ordering, Reverse};

use vaisjit_abi::heap::{VEC_DATA, VEC_LENGTH};
use vaisjit_abi::string;
use vaisjit_semantics::types::{FloatKind, IntKind};

use super::Failure;
use super::block::{Payload, bytes, load};
use super::map::{self, Map};
use super::types::{Field, Form, TypeRef};

/// What two values are compared for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// `==`: floats as numbers.
    Equal,
    /// Order: a `nan` is equal to itself and greater than all numbers.
    Order,
    /// Keys of a map: a `nan` is equal to itself.
    Key,
}

/// Elements of a type that are still to be compared, one after the other.
struct Task {
    left: usize,
    right: usize,
    of: TypeRef,
    count: usize,
    /// What decides if all of them are equal.
    after: Ordering,
}

impl Task {
    fn one(left: usize, right: usize, of: TypeRef) -> Task {
        Task { left, right, of, count: 1, after: Ordering::Equal }
    }
}

impl TypeRef {
    /// Are two values equal?
    pub(super) fn equal(self, left: usize, right: usize) -> Result<bool, Failure> {
        Ok(compare(left, right, self, Mode::Equal)? == Ordering::Equal)
    }

    /// The order of two values.
    pub(super) fn order(self, left: usize, right: usize) -> Result<Ordering, Failure> {
        compare(left, right, self, Mode::Order)
    }

    /// Are two values the same key?
    pub(super) fn same_key(self, left: usize, right: usize) -> Result<bool, Failure> {
        Ok(compare(left, right, self, Mode::Key)? == Ordering::Equal)
    }

    /// The hash of a value; its highest bit is 0.
    pub(super) fn hash(self, at: usize) -> Result<usize, Failure> {
        hash(at, self)
    }
}

fn compare(left: usize, right: usize, of: TypeRef, mode: Mode) -> Result<Ordering, Failure> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut next = Some(Task::one(left, right, of));
    while let Some(task) = next.take().or_else(|| tasks.pop()) {
        let Task { left, right, of, count, after } = task;
        if count == 0 && after != Ordering::Equal {
            return Ok(after);
        }
        if count == 0 {
            continue;
        }
        let body = of.body();
        if count > 1 || after != Ordering::Equal {
            tasks.push(Task { left: left + body.size, right: right + body.size, of, count: count - 1, after });
        }
        let found = match &body.form {
            Form::Record(fields) => {
                push_fields(fields, left, right, &mut tasks);
                Ordering::Equal
            }
            Form::Array(of, count) => {
                tasks.push(Task { count: *count, ..Task::one(left, right, *of) });
                Ordering::Equal
            }
            Form::Enum(variants) => {
                let (l, r) = (load(left) as i64, load(right) as i64);
                if let Some((_, fields)) = variants.iter().find(|(known, _)| l == r && *known == l) {
                    push_fields(fields, left, right, &mut tasks);
                }
                l.cmp(&r)
            }
            Form::Box(of) => {
                let (l, r) = (load(left), load(right));
                if l != r && l != 0 && r != 0 {
                    tasks.push(Task::one(l, r, *of));
                    Ordering::Equal
                } else {
                    l.cmp(&r)
                }
            }
            Form::Vec(of) => lists(vec_elements(left), vec_elements(right), *of, &mut tasks),
            Form::Slice(of) => lists((load(left), load(left + 8)), (load(right), load(right + 8)), *of, &mut tasks),
            Form::Map(_) => maps(load(left), load(right), &mut tasks)?,
            _ => scalars(left, right, of, mode),
        };
        if found != Ordering::Equal {
            return Ok(found);
        }
    }
    Ok(Ordering::Equal)
}

/// Fields are looked at in their order: the first one last in the list.
fn push_fields(fields: &[Field], left: usize, right: usize, tasks: &mut Vec<Task>) {
    let task = |(offset, of): &Field| Task::one(left + offset, right + offset, *of);
    tasks.extend(fields.iter().rev().map(task));
}

/// Address and number of a `Vec`'s elements.
fn vec_elements(at: usize) -> (usize, usize) {
    match load(at) {
        0 => (0, 0),
        list => (Payload(list).word(VEC_DATA), Payload(list).word(VEC_LENGTH)),
    }
}

/// Two lists: their common elements decide before their lengths do.
fn lists((left, l): (usize, usize), (right, r): (usize, usize), of: TypeRef, tasks: &mut Vec<Task>) -> Ordering {
    tasks.push(Task { left, right, of, count: l.min(r), after: l.cmp(&r) });
    Ordering::Equal
}

/// Equal maps have the same keys with equal values; others are ordered by length, then by address.
fn maps(left: usize, right: usize, tasks: &mut Vec<Task>) -> Result<Ordering, Failure> {
    let length = |map: usize| if map == 0 { 0 } else { map::length(Payload(map)) };
    if left == right || length(left) != length(right) || length(left) == 0 {
        return Ok(length(left).cmp(&length(right)));
    }
    let (this, other) = (Map::at(left as i64)?, Map::at(right as i64)?);
    let mut at = 0;
    while let Some(number) = this.next(at) {
        let entry = this.live_entry(number as i64)?;
        match other.find(this.key_of(entry))? {
            Some(value) => tasks.push(Task::one(this.value_of(entry), value, this.value())),
            None => return Ok(left.cmp(&right)),
        }
        at = number as i64 + 1;
    }
    Ok(Ordering::Equal)
}

fn scalars(left: usize, right: usize, of: TypeRef, mode: Mode) -> Ordering {
    match of.body().form {
        Form::Int(kind) => integers(left, right, kind),
        Form::Float(kind) => floats(float(left, kind), float(right, kind), mode),
        Form::Bool => bytes(left, 1).cmp(bytes(right, 1)),
        Form::Str => text(left).cmp(text(right)),
        Form::Word | Form::Dyn => load(left).cmp(&load(right)),
        _ => Ordering::Equal,
    }
}

fn integers(left: usize, right: usize, kind: IntKind) -> Ordering {
    let (left, right) = (integer(left, bytes_of(kind)), integer(right, bytes_of(kind)));
    if kind.signed() {
        let shift = 128 - kind.bits();
        return ((left << shift) as i128).cmp(&((right << shift) as i128));
    }
    left.cmp(&right)
}

fn bytes_of(kind: IntKind) -> usize {
    kind.bits() as usize / 8
}

/// The bits of an integer.
fn integer(at: usize, size: usize) -> u128 {
    if size == 8 {
        return load(at) as u128;
    }
    let mut all = [0; 16];
    all[..size].copy_from_slice(bytes(at, size));
    u128::from_le_bytes(all)
}

fn float(at: usize, kind: FloatKind) -> f64 {
    match kind {
        FloatKind::F32 => f32::from_bits(integer(at, 4) as u32).into(),
        FloatKind::F64 => f64::from_bits(load(at) as u64),
    }
}

fn floats(left: f64, right: f64, mode: Mode) -> Ordering {
    match left.partial_cmp(&right) {
        Some(order) => order,
        None if mode == Mode::Equal => Ordering::Less,
        None => left.is_nan().cmp(&right.is_nan()),
    }
}

/// The bytes of the `str` in a word; null is the empty text.
fn text<'a>(at: usize) -> &'a [u8] {
    match load(at) {
        0 => &[],
        value => bytes(value, Payload(value).word(string::LENGTH_OFFSET)),
    }
}

/// Elements of a type that are still to be hashed.
struct Rest {
    at: usize,
    of: TypeRef,
    count: usize,
}

fn hash(at: usize, of: TypeRef) -> Result<usize, Failure> {
    let mut state = Hash(0);
    let mut rest: Vec<Rest> = Vec::new();
    let mut next = Some(Rest { at, of, count: 1 });
    while let Some(Rest { at, of, count }) = next.take().or_else(|| rest.pop()) {
        if count == 0 {
            continue;
        }
        let body = of.body();
        if count > 1 {
            rest.push(Rest { at: at + body.size, of, count: count - 1 });
        }
        // By where they lie, which no save changes that leaves values as they are: their order in the text it may change.
        let fields = |fields: &[Field], rest: &mut Vec<Rest>| {
            let first = rest.len();
            rest.extend(fields.iter().rev().map(|(offset, of)| Rest { at: at + offset, of: *of, count: 1 }));
            rest[first..].sort_unstable_by_key(|field| Reverse(field.at));
        };
        match &body.form {
            Form::Record(parts) => fields(parts, &mut rest),
            Form::Array(of, count) => rest.push(Rest { at, of: *of, count: *count }),
            Form::Enum(variants) => {
                let discriminant = load(at) as i64;
                state.add(discriminant as u64);
                if let Some((_, parts)) = variants.iter().find(|(known, _)| *known == discriminant) {
                    fields(parts, &mut rest);
                }
            }
            Form::Box(of) => rest.push(Rest { at: load(at), of: *of, count: usize::from(load(at) != 0) }),
            Form::Vec(of) => {
                let (at, count) = vec_elements(at);
                state.add(count as u64);
                rest.push(Rest { at, of: *of, count });
            }
            Form::Slice(of) => rest.push(Rest { at: load(at), of: *of, count: load(at + 8) }),
            // The order of entries does not count: only how many there are.
            Form::Map(_) if load(at) != 0 => state.add(map::length(Payload(load(at))) as u64),
            Form::Map(_) | Form::Unit => {}
            Form::Int(kind) => {
                let bits = integer(at, bytes_of(*kind));
                state.add(bits as u64);
                if bits >> 64 != 0 {
                    state.add((bits >> 64) as u64);
                }
            }
            Form::Float(kind) => state.float(float(at, *kind)),
            Form::Bool => state.add(bytes(at, 1)[0].into()),
            Form::Str => state.text(text(at)),
            Form::Word | Form::Dyn => state.add(load(at) as u64),
        }
    }
    Ok(state.finish())
}

/// A hash on its way: words are mixed in by multiplication.
struct Hash(u64);

impl Hash {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }

    fn float(&mut self, value: f64) {
        self.add(if value == 0.0 {
            0
        } else if value.is_nan() {
            f64::NAN.to_bits()
        } else {
            value.to_bits()
        });
    }

    fn text(&mut self, text: &[u8]) {
        let words = text.chunks_exact(8);
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        for word in words {
            self.add(u64::from_le_bytes(word.try_into().unwrap_or_default()));
        }
        self.add(u64::from_le_bytes(last));
        self.add(text.len() as u64);
    }

    fn finish(mut self) -> usize {
        self.add(self.0 >> 32);
        self.0 as usize & usize::MAX >> 1
    }
}
