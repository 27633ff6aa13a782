//! Changing live values from one layout to another, while all threads of the program are stopped.
//!
//! What has to be done to a value is a flat list of [`Op`]s, made by `reload/migrate.rs` from two histories of layouts. A
//! [`Region`] is a row of values of one type. First all regions are counted, which changes nothing; then what needs memory
//! or code is prepared; then the steps are applied, and none of them can fail.

mod alike;
pub(crate) mod attic;
pub(crate) mod moves;
pub(crate) mod number;
mod numbers;
pub(crate) mod rebuild;
pub(crate) mod regions;
pub(crate) mod rows;
mod run;

use std::sync::Arc;

use vaisjit_codegen::shape::Shape;
use vaisjit_semantics::Ty;
use vaisjit_syntax::Name;

pub(crate) use alike::Alike;
pub(crate) use attic::{Attic, BatchKey};
pub(crate) use moves::{Area, Word, WordPart};
pub(crate) use number::Scalar;
pub(crate) use rebuild::{Container, Element, Rebuild, Rebuilt};
pub(crate) use regions::{MapChange, Region, Role};
pub(crate) use run::{Counted, Lookup, Queue, Stores};

use super::types::{Part, ShapeOf, references_of};

/// The references in a value of a type.
#[derive(Debug, PartialEq, Clone)]
pub(crate) struct References(Arc<[Part]>);

impl References {
    /// Those of values of this shape.
    pub(crate) fn of(shape: &Shape, all: &ShapeOf<'_>) -> References {
        References(references_of(&shape.kind, all).into())
    }

    /// Bytes from the start of the value to the end of the last one.
    pub(crate) fn end(&self) -> u32 {
        end(&self.0) as u32
    }

    /// Are there none?
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that lie between two offsets, and all others.
    pub(crate) fn split(&self, (start, end): (u32, u32)) -> (References, References) {
        let (mut inside, mut others) = (Vec::new(), Vec::new());
        for part in &*self.0 {
            for (offset, part) in pieces(part, start as usize, end as usize) {
                let lies_in = (start as usize..end as usize).contains(&offset);
                if lies_in { &mut inside } else { &mut others }.push(part);
            }
        }
        (References(inside.into()), References(others.into()))
    }
}

/// A part with where it lies, elements apart that lie before, between and behind two offsets.
fn pieces(part: &Part, start: usize, end: usize) -> Vec<(usize, Part)> {
    match part {
        Part::Payload(offset) | Part::Function(offset) | Part::Choice(offset, _) => vec![(*offset, part.clone())],
        Part::Repeat { offset, stride, count, parts } => {
            let before = |limit: usize| (0..*count).filter(|index| offset + index * stride < limit).count();
            let (first, last) = (before(start), before(end));
            let rows = [(0, first), (first, last), (last, *count)].into_iter().filter(|(from, to)| from < to);
            let row = |(from, to): (usize, usize)| {
                let offset = offset + from * stride;
                (offset, Part::Repeat { offset, stride: *stride, count: to - from, parts: parts.clone() })
            };
            rows.map(row).collect()
        }
    }
}

fn end(parts: &[Part]) -> usize {
    let ends = parts.iter().map(|part| match part {
        Part::Payload(offset) | Part::Function(offset) => offset + 8,
        Part::Choice(offset, variants) => {
            offset + variants.iter().map(|(_, parts)| end(parts)).max().unwrap_or(0).max(8)
        }
        Part::Repeat { offset, stride, count, parts } => offset + (count - 1) * stride + end(parts),
    });
    ends.max().unwrap_or(0)
}

/// How a value of one type and layout becomes one of another.
#[derive(Debug)]
pub(crate) struct Conversion {
    /// The type before and after.
    pub types: (Ty, Ty),
    /// Size of the value before.
    pub from_size: usize,
    /// Size of the value after.
    pub to_size: usize,
    /// Does the value stay where it lies?
    pub in_place: bool,
    /// Does a step overwrite what a later one reads? Then all of them read a copy.
    pub copied: bool,
    /// The steps.
    pub ops: Vec<Op>,
    /// Changed structs and enums in every value, by number.
    pub counts: Vec<(u32, u64)>,
    /// Must every value be looked at to count?
    pub dynamic: bool,
    /// Do parts that keep their meaning lie at other offsets afterwards?
    pub shifts: bool,
}

/// A step on one value. `from` counts from the start of the old value, `to` from that of the new one.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// Bytes that keep their meaning at another place.
    Copy { from: u32, to: u32, bytes: u32 },
    /// Bytes of a constant.
    Fill { to: u32, bytes: Arc<[u8]> },
    /// Zeros.
    Zero { to: u32, bytes: u32 },
    /// A number of another type; `note` counts those that did not fit.
    Number { from: u32, to: u32, old: Scalar, new: Scalar, note: u32 },
    /// The same over a number that was kept aside: if that would become the one at `from`, it stays.
    Changed { from: u32, to: u32, old: Scalar, new: Scalar, note: u32 },
    /// A value that was prepared, or a part of one.
    Next { to: u32, bytes: u32, queue: u32, part: Option<PartOf> },
    /// The references in the old value are given up.
    Release { from: u32, references: References },
    /// The references in what lies where the new value goes are given up.
    Drop { to: u32, references: References },
    /// The references in bytes that are parked at `at` go to the attic; tickets take their place.
    Park { from: u32, at: u32, references: References, batch: u32 },
    /// Tickets at `from`, which have been copied to `to` if that is elsewhere, become references again. What was built
    /// while the field was parked has none: then the steps of `otherwise` are taken.
    Unpark { from: u32, to: u32, references: References, batch: u32, otherwise: Vec<Op> },
    /// A value that has waited in an older shape comes back: steps, which count from its start before and after, make it of a
    /// copy in which references have taken the place of their tickets. `otherwise` as above.
    Reshape {
        from: u32,
        bytes: u32,
        to: u32,
        size: u32,
        references: References,
        batch: u32,
        ops: Vec<Op>,
        otherwise: Vec<Op>,
    },
    /// Steps that are taken only if the bytes at this place of the old value are so.
    If { at: u32, is: Test, ops: Vec<Op> },
    /// The variant decides; unknown ones are left alone.
    Match { from: u32, arms: Vec<Arm> },
    /// Elements.
    Each { from: u32, to: u32, from_stride: u32, to_stride: u32, count: u32, ops: Vec<Op> },
    /// A value that a function of the program migrates itself, once the other steps have been taken; by number.
    Own { from: u32, to: u32, number: u32 },
    /// The container of a handle is made anew; by number.
    Rebuild { from: u32, to: u32, rebuild: u32 },
    /// What steps make of the value goes into a prepared box; offsets of what they write count from the start of that.
    /// With `copies` it owns what it refers to afterwards, as in a container that is made anew; then `prepared` is taken.
    Wrap { to: u32, queue: u32, copies: bool, ops: Vec<Op>, prepared: Vec<Op>, references: References },
    /// The value in a box that has been made anew; by number.
    Unwrap { from: u32, to: u32, bytes: u32, rebuild: u32, references: References },
    /// Counts a changed value.
    Count { number: u32 },
    /// Counts what a report tells of.
    Note { note: u32 },
    /// The value at `from` gives way to one that has waited: if that has not become what is there now, this is told.
    GivesWay { from: u32, waiting: Box<Waits>, note: u32 },
    /// There must be no such value, unless it only waits in what has been removed: then these steps are taken, if there are
    /// any.
    Refuse { why: Refusal, waiting: Vec<Op> },
}

/// A part of a prepared value, the rest of which is given up.
#[derive(Debug, Clone)]
pub(crate) struct PartOf {
    /// Where it lies.
    pub from: u32,
    /// Bytes of the whole value.
    pub size: u32,
    /// The references in the part, and those in the rest.
    pub references: (References, References),
}

/// What has waited in a parked field.
#[derive(Debug, Clone)]
pub(crate) struct Waits {
    /// Where it lies.
    pub at: u32,
    pub bytes: u32,
    /// Its references, and the number of the parked field.
    pub references: References,
    pub batch: u32,
    /// What has to agree in it and in a value that it has become.
    pub alike: Vec<Alike>,
}

/// What bytes are looked at for.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// They are not these.
    Other(Arc<[u8]>),
    /// There are tickets where these references were; by the number of the parked field.
    Tickets(References, u32),
}

/// What is done to the values of a variant.
#[derive(Debug, Clone)]
pub(crate) struct Arm {
    /// The number in the old value.
    pub discriminant: i64,
    /// The steps; their offsets count from the whole value.
    pub ops: Vec<Op>,
}

/// Why a value must not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is of this enum and this variant, which is gone.
    Variant(Ty, Name),
    /// It was made while a field was gone that has no default; by number.
    Lacks(u32),
    /// There is nothing in it that could be taken out, and what it becomes has no default; by number.
    None(u32),
}

/// A value that must not be there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// What is wrong with it.
    pub why: Refusal,
    /// Which element of its region.
    pub index: usize,
    /// Where it lies.
    pub address: usize,
    /// May it be there if it only waits in what has been removed?
    pub may_wait: bool,
}
