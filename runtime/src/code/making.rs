//! What values of another type are made with, on the way of a loop into other code.

use std::cell::RefCell;

use crate::heap::{ConvertPart, Heap, TypeRef};

/// The collections that are made for the locals of a frame: what shared one shares the new one.
pub(crate) struct Making<'a> {
    heap: &'a Heap,
    /// The old one, the type of the new one, and that.
    made: RefCell<Vec<(usize, TypeRef, usize)>>,
}

impl<'a> Making<'a> {
    pub(super) fn new(heap: &'a Heap) -> Making<'a> {
        Making { heap, made: RefCell::default() }
    }

    /// One more reference to all that a value refers to.
    pub fn keep(&self, value: &mut [u8], of: TypeRef) {
        self.heap.keep(value.as_mut_ptr() as usize, of);
    }

    /// A new empty collection.
    pub fn empty(&self, at: &mut [u8], of: TypeRef) {
        self.heap.put_empty(at.as_mut_ptr() as usize, of, false);
    }

    /// A `Vec` with elements of another type; `sizes` are theirs, before and after.
    pub fn list(&self, (old, new): (&[u8], &mut [u8]), of: TypeRef, sizes: (usize, usize), element: ConvertPart<'_>) {
        let places = (old.as_ptr() as usize, new.as_mut_ptr() as usize);
        self.once(old, (places.1, of), || self.heap.put_list(places, of, sizes, element));
    }

    /// A `Box` for a value, which is of `size` bytes and made by `value`.
    pub fn put_in(&self, new: &mut [u8], of: TypeRef, size: usize, value: &dyn Fn(&mut [u8])) {
        self.heap.put_box(new.as_mut_ptr() as usize, of, size, value);
    }

    /// Shows the value of a `Box`, of `size` bytes.
    pub fn look_into(&self, old: &[u8], size: usize, look: &mut dyn FnMut(&[u8])) {
        self.heap.look_into_box(old.as_ptr() as usize, size, look);
    }

    /// A `Box` for what becomes of the value of another one; `sizes` are those of the values, before and after.
    pub fn other_box(
        &self,
        (old, new): (&[u8], &mut [u8]),
        of: TypeRef,
        sizes: (usize, usize),
        value: ConvertPart<'_>,
    ) {
        let at = new.as_mut_ptr() as usize;
        self.once(old, (at, of), || {
            let mut made = None;
            self.look_into(old, sizes.0, &mut |old| {
                made = self.heap.put_box(at, of, sizes.1, &|new| value(old, new));
            });
            made
        });
    }

    /// A `HashMap` with keys and values of other types; `sizes` are theirs afterwards.
    pub fn map(
        &self,
        (old, new): (&[u8], &mut [u8]),
        of: TypeRef,
        sizes: (usize, usize),
        parts: (ConvertPart<'_>, ConvertPart<'_>),
    ) {
        let places = (old.as_ptr() as usize, new.as_mut_ptr() as usize);
        self.once(old, (places.1, of), || self.heap.put_map(places, of, sizes, parts));
    }

    fn once(&self, old: &[u8], (at, of): (usize, TypeRef), make: impl FnOnce() -> Option<usize>) {
        let Some(old) = old.first_chunk().map(|bytes| usize::from_ne_bytes(*bytes)) else { return };
        let known = self.made.borrow().iter().find(|made| old != 0 && (made.0, made.1) == (old, of)).map(|made| made.2);
        match known {
            Some(made) => self.heap.put_again(at, made, of),
            None => {
                let made = make();
                self.made.borrow_mut().extend(made.map(|made| (old, of, made)));
            }
        }
    }
}
