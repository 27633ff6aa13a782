//! Values that a program's own migration is shown: copies beside the live ones, in memory of the program, that own what
//! they refer to.

use crate::heap::block::{Payload, Role, copy, type_word, zero};
use crate::heap::counts::count_up;
use crate::heap::types::TypeRef;
use crate::heap::{Failure, Heap};

use super::{Op, References};

/// A row of values in memory of the program.
#[derive(Debug)]
pub(crate) struct Values {
    block: usize,
    size: usize,
    count: usize,
    references: References,
}

impl Values {
    /// Zeros; `of` is a type of rows of them. `None` if there is no memory.
    pub(crate) fn new(
        heap: &Heap,
        of: TypeRef,
        (size, count): (usize, usize),
        references: References,
    ) -> Option<Values> {
        let bytes = size.checked_mul(count)?.max(8);
        let made: Result<Payload, Failure> = heap.new_block(type_word(of, Role::Buffer), bytes, 0);
        let block = made.ok()?.0;
        zero(block, bytes);
        Some(Values { block, size, count, references })
    }

    /// Where a value lies.
    pub(crate) fn at(&self, index: usize) -> usize {
        self.block + index * self.size
    }

    /// The blocks that a value refers to, each of which gets one more reference.
    pub(crate) fn retain(&self, index: usize) -> Vec<usize> {
        let mut blocks = Vec::new();
        self.references.blocks(self.at(index), &mut blocks);
        blocks.iter().for_each(|block| count_up(Payload(*block)));
        blocks
    }

    /// Puts a value where another one of its type lies: its fields, offset and size each. `left` gets the blocks that no
    /// value there counts any more: of what was there, or of the new one where the old one only held a `loan`.
    pub(crate) fn install(
        &self,
        index: usize,
        (to, loan): (usize, bool),
        fields: &[(u32, u32)],
        left: &mut Vec<usize>,
    ) {
        self.references.blocks(if loan { self.at(index) } else { to }, left);
        for (offset, size) in fields {
            copy(to + *offset as usize, self.at(index) + *offset as usize, *size as usize);
        }
    }

    /// Frees the row; what its values refer to belongs to others.
    pub(crate) fn forget(self, heap: &Heap) {
        heap.drop_elements(self.block);
    }

    /// Frees the row with its values.
    pub(crate) fn discard(self, heap: &Heap) {
        let mut blocks = Vec::new();
        (0..self.count).for_each(|index| self.references.blocks(self.at(index), &mut blocks));
        heap.release_all(blocks);
        self.forget(heap);
    }
}

/// Calls `visit` with the number and the places, old and new, of each value of a region that a program migrates itself.
pub(crate) fn each_own(ops: &[Op], (from, to): (usize, usize), visit: &mut dyn FnMut(u32, usize, usize)) {
    for op in ops {
        match op {
            Op::Own { from: f, to: t, number } => visit(*number, from + *f as usize, to + *t as usize),
            Op::Match { from: offset, arms } => {
                if let Some(arm) = super::run::arm_of(arms, from + *offset as usize) {
                    each_own(&arm.ops, (from, to), visit);
                }
            }
            Op::Each { from: f, to: t, from_stride, to_stride, count, ops } => {
                for index in 0..*count as usize {
                    let from = from + *f as usize + index * *from_stride as usize;
                    each_own(ops, (from, to + *t as usize + index * *to_stride as usize), visit);
                }
            }
            _ => {}
        }
    }
}
