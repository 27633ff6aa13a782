//! Is a value still what a conversion has made of another one? Both are looked at where they lie; nothing is changed.

use std::sync::Arc;

use super::moves::{discriminant, word};
use super::number::Scalar;
use super::numbers::becomes;
use crate::heap::block::{Payload, Role, bytes};
use crate::heap::types::Form;
use crate::heap::{Heap, map};

/// Parts that have to agree. Offsets are those in the first value and in what may have been made of it.
#[derive(Debug, Clone)]
pub(crate) enum Alike {
    /// The same bytes.
    Same { at: (u32, u32), bytes: u32 },
    /// The first number becomes the second one.
    Number { at: (u32, u32), kinds: (Scalar, Scalar) },
    /// Zeros, as a default.
    Zero { at: u32, bytes: u32 },
    /// Other bytes, as a default.
    Bytes { at: u32, bytes: Arc<[u8]> },
    /// The variants, each side's if it is an enum, and what is in them.
    Choice { at: (Option<u32>, Option<u32>), arms: Vec<(i64, i64, Vec<Alike>)> },
    /// Elements in a row.
    Repeat { at: (u32, u32), strides: (u32, u32), count: u32, parts: Vec<Alike> },
    /// What the containers behind two handles hold: elements, or keys and values.
    Held { at: (u32, u32), parts: Vec<Vec<Alike>> },
    /// Nobody can tell.
    Unknown,
}

impl Heap {
    /// Do the values at two addresses agree in all these parts?
    pub(crate) fn are_alike(&self, parts: &[Alike], a: usize, b: usize) -> bool {
        parts.iter().all(|part| self.is_alike(part, a, b))
    }

    fn is_alike(&self, part: &Alike, a: usize, b: usize) -> bool {
        let places = |at: &(u32, u32)| (a + at.0 as usize, b + at.1 as usize);
        match part {
            Alike::Same { at, bytes: length } => {
                let (a, b) = places(at);
                bytes(a, *length as usize) == bytes(b, *length as usize)
            }
            Alike::Number { at, kinds } => {
                let (a, b) = places(at);
                becomes((a, kinds.0), (b, kinds.1))
            }
            Alike::Zero { at, bytes: length } => {
                bytes(b + *at as usize, *length as usize).iter().all(|byte| *byte == 0)
            }
            Alike::Bytes { at, bytes: wanted } => *bytes(b + *at as usize, wanted.len()) == **wanted,
            Alike::Choice { at, arms } => {
                let is = |base: usize, at: Option<u32>, wanted: i64| {
                    at.is_none_or(|at| discriminant(base + at as usize) == wanted)
                };
                let arm = arms.iter().find(|(first, second, _)| is(a, at.0, *first) && is(b, at.1, *second));
                arm.is_some_and(|(.., parts)| self.are_alike(parts, a, b))
            }
            Alike::Repeat { at, strides, count, parts } => {
                let (a, b) = places(at);
                let at = |n: usize| (a + n * strides.0 as usize, b + n * strides.1 as usize);
                (0..*count as usize).map(at).all(|(a, b)| self.are_alike(parts, a, b))
            }
            Alike::Held { at, parts } => {
                let (a, b) = places(at);
                let (a, b) = (self.held(word(a)), self.held(word(b)));
                let rows = |(a, b): (&[usize; 2], &[usize; 2])| {
                    parts.iter().zip(a.iter().zip(b)).all(|(parts, (a, b))| self.are_alike(parts, *a, *b))
                };
                a.len() == b.len() && a.iter().zip(&b).all(rows)
            }
            Alike::Unknown => false,
        }
    }

    /// Where the elements of a container lie, or its keys and values; nowhere if the program has spoilt it.
    fn held(&self, handle: usize) -> Vec<[usize; 2]> {
        let block = Payload(handle);
        let found = self.is_inside(handle).then(|| block.type_and_role()).flatten();
        let Some((of, Role::Own)) = found else { return Vec::new() };
        match &of.body().form {
            Form::Vec(element) => {
                let stride = element.body().size;
                let data = block.word(vaisjit_abi::heap::VEC_DATA);
                (0..self.elements_within(block, stride)).map(|index| [data + index * stride, 0]).collect()
            }
            Form::Map(layout) if self.entries_within(block, layout) => {
                let mut rows = Vec::new();
                map::each_entry(block, layout, &mut |key, value| rows.push([key, value]));
                rows
            }
            Form::Box(_) => vec![[handle, 0]],
            _ => Vec::new(),
        }
    }
}
