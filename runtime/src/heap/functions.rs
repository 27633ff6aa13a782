//! The function values that a program holds.

use rustc_hash::FxHashSet;
use vaisjit_abi::heap::{CLOSURE_SLOT, CLOSURE_TAG, DYN_DATA, DYN_VALUE, HEADER_SIZE, SHARED};

use super::block::{Payload, Role, load};
use super::counts::each_value;
use super::types::{Part, TypeRef};
use super::walk::Memory;
use super::{Heap, lock};

impl Memory<'_> {
    /// Visits the function values, with the slots that they name: in these values outside the heap, and in blocks. Closures
    /// that have captured something count once, however many values lead to one. Of what stacks hold only what is among
    /// `roots` is looked at.
    pub(crate) fn functions(&self, roots: &[(usize, TypeRef)], visit: &mut dyn FnMut(Holder, usize)) {
        for (number, (at, of)) in roots.iter().enumerate() {
            each_function(*at, &of.body().parts, &mut |place, slot| visit(Holder::Root(number, place), slot));
        }
        let blocks: Vec<usize> = lock(&self.heap.arena).blocks().collect();
        for block in blocks.into_iter().map(|block| Payload(block + HEADER_SIZE)) {
            let Some((of, role)) = block.type_and_role() else { continue };
            match role {
                Role::Closure => visit(Holder::Block(block.0, block.0), block.word(CLOSURE_SLOT)),
                // The value lies elsewhere, and belongs to somebody else.
                Role::Cell if block.word(DYN_DATA) != block.0 + DYN_VALUE as usize => continue,
                _ => {}
            }
            each_value(block, (of, role), |at, parts| {
                each_function(at, parts, &mut |place, slot| visit(Holder::Block(block.0, place), slot));
            });
        }
    }

    /// The closures that only these values lead to, and nothing in them.
    pub(crate) fn last_closures(&self, roots: &[(usize, TypeRef)]) -> FxHashSet<usize> {
        let mut found = FxHashSet::default();
        for (at, of) in roots {
            each_word(*at, &of.body().parts, &mut |_, word| {
                let closure = Payload(word & !(CLOSURE_TAG as usize));
                if closure.0 != word && [1, SHARED + 1].contains(&closure.count()) {
                    found.insert(closure.0);
                }
            });
        }
        found
    }
}

impl Heap {
    /// Forgets what removed fields held and that leads to function values of these slots, or to `dyn`s with these tables.
    /// While no thread runs the program.
    pub(crate) fn forget_left(&self, slots: &FxHashSet<usize>, tables: &FxHashSet<usize>) {
        let memory = Memory { heap: self };
        let mut blocks: FxHashSet<usize> =
            memory.cells().filter(|(_, table)| tables.contains(table)).map(|(cell, _)| cell).collect();
        memory.functions(&[], &mut |holder, slot| {
            if let Holder::Block(block, _) = holder {
                blocks.extend(slots.contains(&slot).then_some(block));
            }
        });
        let leads =
            |block: usize| self.reached(vec![block], &FxHashSet::default()).iter().any(|at| blocks.contains(at));
        let none = blocks.is_empty();
        let forgotten = self.attic().forget_which(&|slot| slots.contains(&slot), &|block| !none && leads(block));
        self.release_all(forgotten);
    }
}

/// Where a function value lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holder {
    /// In a value outside the heap, of this number: its address.
    Root(usize, usize),
    /// In a block: its payload, and the address of the value; that of the payload if it is a closure itself.
    Block(usize, usize),
}

/// Visits the function values without captures: where they lie, and the slots that they name.
fn each_function(at: usize, parts: &[Part], visit: &mut dyn FnMut(usize, usize)) {
    each_word(at, parts, &mut |place, word| {
        if word != 0 && word & CLOSURE_TAG as usize == 0 {
            visit(place, word);
        }
    });
}

/// Visits function values: where they lie, and the addresses of slots, and of closures with the tag.
fn each_word(at: usize, parts: &[Part], visit: &mut dyn FnMut(usize, usize)) {
    for part in parts {
        match part {
            Part::Payload(_) => {}
            Part::Function(offset) => visit(at + offset, load(at + offset)),
            Part::Choice(offset, variants) => {
                let discriminant = load(at + offset) as i64;
                if let Some((_, parts)) = variants.iter().find(|(known, _)| *known == discriminant) {
                    each_word(at + offset, parts, visit);
                }
            }
            Part::Repeat { offset, stride, count, parts } => {
                (0..*count).for_each(|index| each_word(at + offset + index * stride, parts, visit));
            }
        }
    }
}
