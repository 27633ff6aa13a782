//! The function values that a program holds.

use rustc_hash::FxHashMap;
use vaisjit_abi::heap::{CLOSURE_SLOT, CLOSURE_TAG, DYN_DATA, DYN_VALUE, HEADER_SIZE, SHARED};

use super::block::{Payload, Role, load};
use super::counts::each_value;
use super::lock;
use super::types::{Part, TypeRef};
use super::walk::Memory;

impl Memory<'_> {
    /// How many function values name each slot: in these values outside the heap, and in blocks. Closures that have
    /// captured something count once, however many values lead to one. Of what stacks hold only what is among `roots` is looked at.
    pub(crate) fn functions(&self, roots: &[(usize, TypeRef)]) -> FxHashMap<usize, usize> {
        let mut counts = FxHashMap::default();
        let mut count = |slot| *counts.entry(slot).or_default() += 1;
        roots.iter().for_each(|(at, of)| each_function(*at, &of.body().parts, &mut count));
        let blocks: Vec<usize> = lock(&self.heap.arena).blocks().collect();
        for block in blocks.into_iter().map(|block| Payload(block + HEADER_SIZE)) {
            let Some((of, role)) = block.type_and_role() else { continue };
            match role {
                Role::Closure => count(block.word(CLOSURE_SLOT)),
                // The value lies elsewhere, and belongs to somebody else.
                Role::Cell if block.word(DYN_DATA) != block.0 + DYN_VALUE as usize => continue,
                _ => {}
            }
            each_value(block, (of, role), |at, parts| each_function(at, parts, &mut count));
        }
        counts
    }

    /// The slots of the closures that only these values lead to, and nothing in them.
    pub(crate) fn last_closures(&self, roots: &[(usize, TypeRef)]) -> Vec<usize> {
        let mut found = Vec::new();
        for (at, of) in roots {
            each_word(*at, &of.body().parts, &mut |word| {
                let closure = Payload(word & !(CLOSURE_TAG as usize));
                if closure.0 != word && [1, SHARED + 1].contains(&closure.count()) {
                    found.push(closure.word(CLOSURE_SLOT));
                }
            });
        }
        found
    }
}

/// Visits the slots that function values without captures name.
fn each_function(at: usize, parts: &[Part], visit: &mut dyn FnMut(usize)) {
    each_word(at, parts, &mut |word| {
        if word != 0 && word & CLOSURE_TAG as usize == 0 {
            visit(word);
        }
    });
}

/// Visits function values: the addresses of slots, and of closures with the tag.
fn each_word(at: usize, parts: &[Part], visit: &mut dyn FnMut(usize)) {
    for part in parts {
        match part {
            Part::Payload(_) => {}
            Part::Function(offset) => visit(load(at + offset)),
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
