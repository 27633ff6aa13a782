//! What still lives on a heap, for those who look for leaks.

use std::collections::BTreeMap;
use std::fmt;

use vaisjit_abi::heap::HEADER_SIZE;

use super::block::{Payload, Role};
use super::{Heap, lock};

/// The values that live on a program's heap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapReport {
    /// How many of each type, most frequent first.
    pub values: Vec<(String, usize)>,
}

impl HeapReport {
    /// How many there are.
    pub fn total(&self) -> usize {
        self.values.iter().map(|(_, count)| count).sum()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// `3 str, 1 Vec<i64>`
impl fmt::Display for HeapReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, count)) in self.values.iter().enumerate() {
            write!(f, "{}{count} {name}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
impl Heap {
    /// The bytes of a block on a data stack, while its thread is stopped.
    pub(crate) fn bytes_of(block: &crate::code::DataBlock) -> Vec<u8> {
        super::block::bytes(block.address, block.size as usize).to_vec()
    }

    /// The types that have a record.
    pub(crate) fn types_known(&self) -> Vec<String> {
        lock(&self.types).names()
    }

    /// Adds all blocks and globals to a hash, with where they lie and what is in them.
    pub(crate) fn digest(&self, hasher: &mut impl std::hash::Hasher) {
        let mut blocks: Vec<usize> = lock(&self.arena).blocks().collect();
        blocks.sort_unstable();
        for block in blocks {
            let size = Payload(block + HEADER_SIZE).word(super::SIZE_OFFSET);
            hasher.write_usize(block);
            hasher.write(super::block::bytes(block, HEADER_SIZE + size));
        }
        for (address, size) in lock(&self.globals).iter() {
            hasher.write_usize(*address);
            hasher.write(super::block::bytes(*address, *size));
        }
    }
}

impl Heap {
    /// Number of live blocks.
    pub(super) fn live(&self) -> usize {
        lock(&self.arena).live()
    }

    /// What lives. While no thread runs the program.
    pub(crate) fn report(&self) -> HeapReport {
        let blocks: Vec<Payload> = lock(&self.arena).blocks().map(|block| Payload(block + HEADER_SIZE)).collect();
        let known = || blocks.iter().filter_map(|block| block.type_and_role());
        // Buffers belong to other values; they only tell something where there is nothing else.
        let alone = known().all(|(_, role)| !role.is_counted());
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (of, role) in known().filter(|(_, role)| alone || role.is_counted()) {
            let name = match role {
                Role::Own => of.ty().to_string(),
                Role::Buffer | Role::Index => format!("part of {}", of.ty()),
                Role::Closure => "closure".to_owned(),
                Role::Cell => "dyn".to_owned(),
            };
            *counts.entry(name).or_default() += 1;
        }
        let mut values: Vec<(String, usize)> = counts.into_iter().collect();
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        HeapReport { values }
    }
}
