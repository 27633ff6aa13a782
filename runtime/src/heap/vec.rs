//! `Vec`: a header with the address of the elements, which lie in a block of their own.

use vaisjit_abi::TrapCode;
use vaisjit_abi::heap::{VEC_CAPACITY, VEC_DATA, VEC_LENGTH, VEC_SIZE};

use super::block::{Payload, Role, bytes, bytes_to_fill, copy, type_word, zero};
use super::types::{Form, TypeRef};
use super::{ConvertPart, Failure, Heap};

/// Room for elements in the first block.
const FIRST_CAPACITY: usize = 4;

/// A `Vec` during one call.
#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) at: Payload,
    of: TypeRef,
    element: TypeRef,
}

impl List {
    /// The `Vec` at an address the program gave.
    pub(super) fn at(address: i64) -> Result<List, Failure> {
        let at = Payload(address as usize);
        if address == 0 {
            return Err(Failure::null("a Vec"));
        }
        match at.type_and_role() {
            Some((of, Role::Own)) => List::new(at, of).ok_or_else(|| Failure::no("Vec", address)),
            _ => Err(Failure::no("Vec", address)),
        }
    }

    /// The `Vec` whose payload is there, of a type `Vec<T>`.
    pub(super) fn new(at: Payload, of: TypeRef) -> Option<List> {
        match of.body().form {
            Form::Vec(element) => Some(List { at, of, element }),
            _ => None,
        }
    }
}

impl List {
    /// The type of its elements.
    pub(super) fn element(self) -> TypeRef {
        self.element
    }
}

impl Heap {
    /// An empty `Vec` of a type `Vec<T>`.
    pub(super) fn new_vec(&self, of: TypeRef, capacity: i64) -> Result<Payload, Failure> {
        if !matches!(of.body().form, Form::Vec(_)) {
            return Err(Failure::no("Vec type", of.address() as i64));
        }
        let at = self.new_block(type_word(of, Role::Own), VEC_SIZE, 0)?;
        at.set_word(VEC_DATA, 0);
        at.set_word(VEC_LENGTH, 0);
        at.set_word(VEC_CAPACITY, 0);
        if let (Some(list), Ok(capacity @ 1..)) = (List::new(at, of), usize::try_from(capacity)) {
            self.vec_resize(list, capacity).inspect_err(|_| {
                self.free(at);
            })?;
        }
        Ok(at)
    }

    /// Puts a new `Vec` into the word `at`, with the elements of the one in the word `from`, converted; `sizes` are those of an
    /// element there and here. Gives the new one. As [`Heap::put_empty`].
    pub(crate) fn put_list(
        &self,
        (from, at): (usize, usize),
        of: TypeRef,
        sizes: (usize, usize),
        by: ConvertPart<'_>,
    ) -> Option<usize> {
        let old = Payload(Payload(from).word(0));
        let length = if old.0 == 0 { 0 } else { old.word(VEC_LENGTH) };
        let made = self.new_vec(of, length as i64).ok()?;
        let room = made.word(VEC_CAPACITY).min(length);
        zero(made.word(VEC_DATA), room * sizes.1);
        for index in 0..room {
            let (there, here) = (old.word(VEC_DATA) + index * sizes.0, made.word(VEC_DATA) + index * sizes.1);
            by(bytes(there, sizes.0), bytes_to_fill(here, sizes.1));
        }
        made.set_word(VEC_LENGTH, room);
        Payload(at).set_word(0, made.0);
        Some(made.0)
    }

    /// Puts a new `Box` into the word `at`, whose value is of `size` bytes and made by `by`. Gives it. As [`Heap::put_empty`].
    pub(crate) fn put_box(&self, at: usize, of: TypeRef, size: usize, by: &dyn Fn(&mut [u8])) -> Option<usize> {
        let made = self.new_box(of).ok()?;
        by(bytes_to_fill(made.0, size));
        Payload(at).set_word(0, made.0);
        Some(made.0)
    }

    /// Shows the value in the `Box` in a word, of `size` bytes.
    pub(crate) fn look_into_box(&self, from: usize, size: usize, look: &mut dyn FnMut(&[u8])) {
        let held = Payload(from).word(0);
        if held != 0 {
            look(bytes(held, size));
        }
    }

    /// Puts a collection that was made so into one more word.
    pub(crate) fn put_again(&self, at: usize, made: usize, of: TypeRef) {
        Payload(at).set_word(0, made);
        self.keep(at, of);
    }

    /// Makes room for further elements.
    pub(super) fn vec_reserve(&self, list: List, additional: i64) -> Result<(), Failure> {
        let (length, capacity) = (list.at.word(VEC_LENGTH), list.at.word(VEC_CAPACITY));
        let additional = usize::try_from(additional).unwrap_or(0);
        let wanted = length.checked_add(additional).ok_or_else(|| too_many(additional))?;
        if wanted <= capacity {
            return Ok(());
        }
        self.vec_resize(list, wanted.max(capacity.saturating_mul(2)).max(FIRST_CAPACITY))
    }

    /// Gives back room that no element needs.
    pub(super) fn vec_shrink(&self, list: List) -> Result<(), Failure> {
        let (length, capacity) = (list.at.word(VEC_LENGTH), list.at.word(VEC_CAPACITY));
        if length < capacity { self.vec_resize(list, length) } else { Ok(()) }
    }

    /// Moves the elements to a block for this many.
    fn vec_resize(&self, list: List, capacity: usize) -> Result<(), Failure> {
        let (data, length) = (list.at.word(VEC_DATA), list.at.word(VEC_LENGTH));
        let size = list.element.body().size;
        let bytes = capacity.checked_mul(size).filter(|_| capacity <= isize::MAX as usize);
        let bytes = bytes.ok_or_else(|| too_many(capacity))?;
        let mut new = 0;
        if bytes > 0 {
            new = self.new_block(type_word(list.of, Role::Buffer), bytes, 0)?.0;
            if data != 0 {
                copy(new, data, length.min(capacity) * size);
            }
        }
        list.at.set_word(VEC_DATA, new);
        list.at.set_word(VEC_CAPACITY, capacity);
        self.free_buffer(data);
        Ok(())
    }
}

#[cold]
fn too_many(elements: usize) -> Failure {
    Failure::new(TrapCode::HostFailure, format!("out of memory: a Vec cannot have {elements} elements"))
}
