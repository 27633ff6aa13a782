//! Values that lie beside the block of a frame until the frame goes on in other code: those that the block has no room
//! for, and those that a trial has made for the frame.

use std::ptr;

use vaisjit_codegen::resume::{CarryHome, CarryKey};
use vaisjit_semantics::{Instance, Ty};

use super::replace::Transfer;
use super::stopped::Stopped;

/// Which value of a frame. The same for all loops of its function, for nobody knows which the frame will come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Beside {
    /// A local whose value has another size now, by its offset in the old block.
    Local(u32),
    /// A default that has been computed for a part of a local.
    Computed(CarryKey),
    /// A local that lies in parts in registers, put together, as it was.
    Parts(CarryKey),
    /// The same in its new shape.
    Whole(CarryKey),
}

/// Where steps look for such a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BesidePlace {
    /// Which.
    pub what: Beside,
    /// The place, counted from the start of the block; not less than the size of the old block and the new.
    pub at: u32,
    /// Bytes.
    pub size: u32,
}

/// A default that is computed for each frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Computed {
    /// Of which part of a local.
    pub key: CarryKey,
    /// By this function without parameters.
    pub by: Instance,
    /// Its type.
    pub ty: Ty,
}

/// A local in parts that is put together where its frame stands at the poll.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct WholeLocal {
    /// Which.
    pub key: CarryKey,
    /// Its type.
    pub ty: Ty,
    /// The function of the program that migrates it, or a value in it, if one does.
    pub by: Option<String>,
    /// Where its parts lie, their offsets in it and their sizes.
    pub parts: Vec<(CarryHome, u32, u32)>,
}

/// The values beside the block of one frame.
#[derive(Default)]
pub(crate) struct Grown {
    /// The frame's unit and function: another frame may come to lie at its place.
    of: (usize, usize),
    /// Which, and the number of its first word.
    places: Vec<(Beside, usize)>,
    /// The values.
    bytes: Box<[u128]>,
    /// Have locals in parts been put together?
    pub together: bool,
}

impl Grown {
    /// Room for the values of transfers of a frame of this unit and function.
    pub fn new<'a>(of: (usize, usize), transfers: impl Iterator<Item = &'a Transfer>) -> Grown {
        let (mut places, mut end) = (Vec::new(), 0);
        for place in transfers.flat_map(|transfer| &transfer.beside) {
            if !places.iter().any(|(known, _)| *known == place.what) {
                places.push((place.what, end));
                end += (place.size as usize).div_ceil(size_of::<u128>()).max(1);
            }
        }
        Grown { of, places, bytes: vec![0; end].into(), together: false }
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Are there locals of the block among them?
    pub fn has_locals(&self) -> bool {
        self.places.iter().any(|(what, _)| matches!(what, Beside::Local(_)))
    }

    /// Where a value lies; `None` if it is not among them.
    pub fn address(&self, what: Beside) -> Option<usize> {
        let (_, word) = self.places.iter().find(|(known, _)| *known == what)?;
        Some(self.bytes.as_ptr() as usize + word * size_of::<u128>())
    }

    /// The locals of the block among them, by their offsets in it, if it is a frame of this unit and function.
    pub fn locals(&self, of: (usize, usize)) -> impl Iterator<Item = (u32, usize)> {
        let places = if self.of == of { &self.places[..] } else { &[] };
        places.iter().filter_map(|(what, _)| match what {
            Beside::Local(offset) => Some((*offset, self.address(*what)?)),
            _ => None,
        })
    }

    /// Puts in what has been computed.
    pub fn put(&mut self, what: Beside, value: &[u8]) {
        let Some(at) = self.address(what) else { return };
        let first = at - self.bytes.as_ptr() as usize;
        if first + value.len() <= size_of_val(&*self.bytes) {
            // SAFETY: the bytes lie inside the buffer, which nobody else sees; any bytes are a number.
            unsafe {
                ptr::copy_nonoverlapping(value.as_ptr(), self.bytes.as_mut_ptr().cast::<u8>().add(first), value.len())
            };
        }
    }
}

impl Transfer {
    /// The offsets of the locals that lie beside the block because it has no room for them.
    pub fn outgrown(&self) -> impl Iterator<Item = u32> {
        self.beside.iter().filter_map(|place| match place.what {
            Beside::Local(offset) => Some(offset),
            _ => None,
        })
    }

    /// Where steps look for a value beside the block.
    pub fn place(&self, what: Beside) -> Option<u32> {
        Some(self.beside.iter().find(|place| place.what == what)?.at)
    }

    /// The places that steps look at and where the values lie; `None` if one is missing.
    pub(super) fn places_in(&self, grown: &Grown) -> Option<Vec<(BesidePlace, usize)>> {
        let wanted = |place: &&BesidePlace| match place.what {
            Beside::Parts(_) => false,
            Beside::Whole(_) => grown.together,
            Beside::Local(_) | Beside::Computed(_) => true,
        };
        self.beside.iter().filter(wanted).map(|place| Some((*place, grown.address(place.what)?))).collect()
    }
}

impl Stopped<'_> {
    /// Puts a local together from what the poll of its frame hands over. Gives its address and that for its new shape.
    pub(crate) fn put_together(
        &self,
        grown: &Grown,
        local: &WholeLocal,
        (spill, block): (usize, Option<usize>),
    ) -> Option<(usize, usize)> {
        let (at, to) = (grown.address(Beside::Parts(local.key))?, grown.address(Beside::Whole(local.key))?);
        for (home, offset, size) in &local.parts {
            let from = match home {
                CarryHome::Word(offset) => spill + *offset as usize,
                CarryHome::Block(offset) => block? + *offset as usize,
            };
            // SAFETY: the frame stands at the poll, which has handed over its parts there; the buffer has room for the
            // whole value, in which they lie.
            unsafe { ptr::copy_nonoverlapping(from as *const u8, (at + *offset as usize) as *mut u8, *size as usize) };
        }
        Some((at, to))
    }
}
