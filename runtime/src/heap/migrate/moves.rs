//! The words in typed memory that may lead to values which move: where they lie, and what they are.

use vaisjit_abi::heap::{CLOSURE_CAPTURES, DYN_DATA, DYN_TABLE, DYN_VALUE, HEADER_SIZE, VEC_DATA};
use vaisjit_semantics::Ty;

use crate::heap::block::{self, Payload, copy, load, store, zero};
use crate::heap::types::{Form, TypeRef};
use crate::heap::{Heap, WORD_OFFSET, lock, map};

/// A part of a value that holds such words.
#[derive(Clone, Debug)]
pub(crate) enum WordPart {
    /// A word, with its offset.
    Word(usize, Word),
    /// An enum: its offset, and what each variant holds; offsets count from the enum's start.
    Choice(usize, Vec<(i64, Vec<WordPart>)>),
    /// Elements.
    Repeat { offset: usize, stride: usize, count: usize, parts: Vec<WordPart> },
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The address of a payload.
    Handle,
    /// A function value: a slot, or a closure with a mark.
    Function,
    /// The address of a value of this type, which may lie inside another one.
    Pointer(Ty),
    /// The same in a parked field: it hinders nothing.
    Waiting(Ty),
}

/// Values of one type in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    /// Address of the first.
    pub at: usize,
    /// How many.
    pub count: usize,
    /// From one to the next.
    pub stride: usize,
    /// Their type.
    pub ty: Ty,
    /// The type of the block they lie in, for people.
    pub block: Ty,
}

/// Visits the words of a value: address, content and kind.
pub(crate) fn each_word(at: usize, parts: &[WordPart], visit: &mut dyn FnMut(usize, usize, Word)) {
    for part in parts {
        match part {
            WordPart::Word(offset, kind) => visit(at + offset, load(at + offset), *kind),
            WordPart::Choice(offset, variants) => {
                let discriminant = discriminant(at + offset);
                if let Some((_, parts)) = variants.iter().find(|(known, _)| *known == discriminant) {
                    each_word(at + offset, parts, visit);
                }
            }
            WordPart::Repeat { offset, stride, count, parts } => {
                (0..*count).for_each(|index| each_word(at + offset + index * stride, parts, visit));
            }
        }
    }
}

/// Which variant the enum at an address is.
pub(crate) fn discriminant(at: usize) -> i64 {
    load(at) as i64
}

/// A word in typed memory.
pub(crate) fn word(at: usize) -> usize {
    load(at)
}

/// Changes a word in typed memory.
pub(crate) fn put_word(at: usize, word: usize) {
    store(at, word);
}

impl Heap {
    /// All values in blocks of the heap, and the addresses in cells of `dyn` values that own none: those of values of the
    /// type that `behind` knows for the table. The address in another cell goes with the cell.
    pub(crate) fn each_area(&self, behind: &dyn Fn(usize) -> Ty, visit: &mut dyn FnMut(Area)) {
        let blocks: Vec<usize> = lock(&self.arena).blocks().collect();
        for block in blocks.into_iter().map(|block| Payload(block + HEADER_SIZE)) {
            if let Some((of, role)) = block.type_and_role() {
                self.areas(block, (of, role), behind, visit);
            }
        }
    }

    fn areas(
        &self,
        block: Payload,
        (of, role): (TypeRef, block::Role),
        behind: &dyn Fn(usize) -> Ty,
        visit: &mut dyn FnMut(Area),
    ) {
        let one = |at: usize, value: TypeRef| Area { at, count: 1, stride: 0, ty: value.ty(), block: of.ty() };
        match (role, &of.body().form) {
            (block::Role::Own, Form::Vec(element)) => {
                let stride = element.body().size;
                let count = self.elements_within(block, stride);
                visit(Area { at: block.word(VEC_DATA), count, stride, ty: element.ty(), block: of.ty() });
            }
            (block::Role::Own, Form::Map(layout)) if self.entries_within(block, layout) => {
                map::each_entry(block, layout, &mut |key, value| {
                    visit(one(key, layout.key));
                    visit(one(value, layout.value));
                });
            }
            (block::Role::Own, Form::Box(value)) => visit(one(block.0, *value)),
            (block::Role::Closure, _) => visit(one(block.0 + CLOSURE_CAPTURES as usize, of)),
            (block::Role::Cell, _) if block.word(DYN_DATA) == block.0 + DYN_VALUE as usize => {
                visit(one(block.0 + DYN_VALUE as usize, of));
            }
            (block::Role::Cell, _) => {
                let (at, ty) = (block.0 + DYN_DATA as usize, Ty::pointer(behind(block.word(DYN_TABLE))));
                visit(Area { at, count: 1, stride: 0, ty, block: of.ty() });
            }
            _ => {}
        }
    }

    /// A block for what the block at `from` holds, whose value, `offset` bytes in, gets another size. Nobody has a
    /// reference to it.
    pub(crate) fn new_home(&self, from: usize, offset: usize, size: usize) -> Option<usize> {
        let before = Payload(from);
        let (of, role) = before.type_and_role()?;
        let bytes = offset.checked_add(size)?;
        let made = self.new_block(block::type_word(of, role), bytes, before.word(WORD_OFFSET)).ok()?;
        zero(made.0, bytes);
        Some(made.0)
    }

    /// Lets another block stand for this one, the value in it excepted: its references and what comes before the value.
    pub(crate) fn move_block(&self, from: usize, to: usize, offset: usize) {
        let (before, after) = (Payload(from), Payload(to));
        copy(to, from, offset);
        after.set_count(before.count());
        if before.type_and_role().is_some_and(|(_, role)| role == block::Role::Cell) {
            after.set_word(DYN_DATA, to + DYN_VALUE as usize);
        }
    }

    /// Frees a block that nobody refers to, whatever its count.
    pub(crate) fn drop_block(&self, block: usize) {
        self.free_buffer(block);
    }

    /// Does the program know this memory: its heap or its globals?
    pub(crate) fn knows(&self, address: usize) -> bool {
        self.is_near(address) || self.is_global(address)
    }
}
