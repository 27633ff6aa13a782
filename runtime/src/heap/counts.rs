//! Counting: one more or one less reference to everything in a value, and freeing what has none left.

use std::sync::atomic::{Ordering, fence};

use smallvec::SmallVec;
use vaisjit_abi::TrapCode;
use vaisjit_abi::heap::{CLOSURE_CAPTURES, CLOSURE_TAG, DYN_VALUE, SHARED, VEC_CAPACITY, VEC_DATA, VEC_LENGTH};

use super::block::{Count, Payload, Role, load};
use super::types::{Form, Part, TypeRef};
use super::{Failure, Heap, map};

/// Blocks without references, still to be freed: a list of a million boxes is freed one after the other.
pub(super) type Dead = SmallVec<[Payload; 8]>;

/// Visits the references in a value.
pub(super) fn each_reference(at: usize, parts: &[Part], visit: &mut dyn FnMut(Payload)) {
    for part in parts {
        match part {
            Part::Payload(offset) => match load(at + offset) {
                0 => {}
                payload => visit(Payload(payload)),
            },
            Part::Function(offset) => {
                let value = load(at + offset);
                if value & CLOSURE_TAG as usize != 0 {
                    visit(Payload(value & !(CLOSURE_TAG as usize)));
                }
            }
            Part::Choice(offset, variants) => {
                let discriminant = load(at + offset) as i64;
                if let Some((_, parts)) = variants.iter().find(|(known, _)| *known == discriminant) {
                    each_reference(at + offset, parts, visit);
                }
            }
            Part::Repeat { offset, stride, count, parts } => {
                (0..*count).for_each(|index| each_reference(at + offset + index * stride, parts, visit));
            }
        }
    }
}

/// One more reference to a block.
pub(super) fn count_up(block: Payload) {
    match Count::of(block.count()) {
        Count::Plain(count) => block.set_count(count + 1),
        Count::Shared => {
            if let Some(count) = block.shared_count() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        Count::Immortal | Count::Wrong => {}
    }
}

impl Heap {
    /// One more reference to everything counted in a value.
    pub(super) fn retain(&self, at: usize, of: TypeRef) {
        each_reference(at, &of.body().parts, &mut count_up);
    }

    /// One reference less to everything counted in a value.
    pub(super) fn release(&self, at: usize, of: TypeRef) -> Result<(), Failure> {
        let parts = &of.body().parts;
        if parts.is_empty() {
            return Ok(());
        }
        let mut dead = Dead::new();
        let mut wrong = None;
        each_reference(at, parts, &mut |block| self.less(block, &mut dead, &mut wrong));
        self.bury(dead, wrong)
    }

    /// One reference less to a block.
    pub(super) fn count_down(&self, block: Payload) -> Result<(), Failure> {
        let mut dead = Dead::new();
        let mut wrong = None;
        self.less(block, &mut dead, &mut wrong);
        self.bury(dead, wrong)
    }

    /// Counts down, and notes a block that has no reference left. Memory that is not the heap's is left alone.
    pub(super) fn less(&self, block: Payload, dead: &mut Dead, wrong: &mut Option<Payload>) {
        match Count::of(block.count()) {
            Count::Plain(1) => {
                if self.is_near(block.0) {
                    block.set_count(0);
                    dead.push(block);
                }
            }
            Count::Plain(count) => block.set_count(count - 1),
            Count::Shared => {
                let last =
                    block.shared_count().is_some_and(|count| count.fetch_sub(1, Ordering::Release) == SHARED + 1);
                if last && self.is_near(block.0) {
                    fence(Ordering::Acquire);
                    block.set_count(0);
                    dead.push(block);
                }
            }
            Count::Immortal => {}
            Count::Wrong if self.is_near(block.0) => *wrong = Some(block),
            Count::Wrong => {}
        }
    }

    /// Frees blocks with what only they refer to.
    pub(super) fn bury(&self, mut dead: Dead, mut wrong: Option<Payload>) -> Result<(), Failure> {
        while let Some(block) = dead.pop() {
            match block.type_and_role() {
                Some((of, role)) => self.drop_parts(block, of, role, &mut dead, &mut wrong),
                None => wrong = Some(block),
            }
            if !self.free(block) {
                wrong = Some(block);
            }
        }
        match wrong {
            Some(block) => Err(released_too_often(block)),
            None => Ok(()),
        }
    }

    fn drop_parts(&self, block: Payload, of: TypeRef, role: Role, dead: &mut Dead, wrong: &mut Option<Payload>) {
        let mut less = |block| self.less(block, dead, wrong);
        each_value(block, (of, role), |at, parts| each_reference(at, parts, &mut less));
        match (role, &of.body().form) {
            (Role::Own, Form::Vec(_)) => self.free_buffer(block.word(VEC_DATA)),
            (Role::Own, Form::Map(_)) => map::buffers(block).into_iter().for_each(|buffer| self.free_buffer(buffer)),
            _ => {}
        }
    }
}

/// Visits the values in a block that may hold references: where they lie, and their parts.
pub(super) fn each_value(block: Payload, (of, role): (TypeRef, Role), mut visit: impl FnMut(usize, &[Part])) {
    match (role, &of.body().form) {
        (Role::Own, Form::Vec(of)) => {
            let body = of.body();
            let data = block.word(VEC_DATA);
            let length = block.word(VEC_LENGTH).min(block.word(VEC_CAPACITY));
            if !body.parts.is_empty() && data != 0 {
                (0..length).for_each(|index| visit(data + index * body.size, &body.parts));
            }
        }
        (Role::Own, Form::Map(layout)) => map::each_entry(block, layout, &mut |key, value| {
            visit(key, &layout.key.body().parts);
            visit(value, &layout.value.body().parts);
        }),
        (Role::Own, Form::Box(of)) => visit(block.0, &of.body().parts),
        (Role::Closure, _) => visit(block.0 + CLOSURE_CAPTURES as usize, &of.body().parts),
        (Role::Cell, _) => visit(block.0 + DYN_VALUE as usize, &of.body().parts),
        _ => {}
    }
}

#[cold]
fn released_too_often(block: Payload) -> Failure {
    Failure::new(
        TrapCode::BadAddress,
        format!("the heap value at {:#x} was released more often than it was held", block.0),
    )
}
