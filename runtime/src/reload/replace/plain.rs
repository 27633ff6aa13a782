//! Locals made of numbers alone that get another type: a number, an array or a tuple of such. Each number is converted, what
//! there is no number for starts as the new value declared for the local does.

use vaisjit_codegen::layout::{Layouts, TypeLayouts};
use vaisjit_semantics::{Ty, TyKind};

use crate::heap::migrate::Scalar;

/// How the bytes of one type become those of another.
pub(super) enum Plain {
    /// A number.
    Number(Scalar, Scalar),
    /// So many elements of this kind, each so many bytes after the one before, there and here.
    Row { count: usize, strides: (usize, usize), of: Box<Plain> },
    /// Parts, each with where it lies there and here.
    Parts(Vec<(usize, usize, Plain)>),
}

/// Is it made of numbers alone, so that its layout never changes?
fn is_plain(ty: Ty) -> bool {
    match *ty.kind() {
        TyKind::Array(of, _) => is_plain(of),
        TyKind::Tuple(parts) => parts.iter().all(|part| is_plain(*part)),
        _ => Scalar::of(ty).is_some(),
    }
}

/// Has a value of one type a meaning in another, number by number?
pub(super) fn is_convertible(from: Ty, to: Ty) -> bool {
    match (from.kind(), to.kind()) {
        (TyKind::Array(from, _), TyKind::Array(to, _)) => is_convertible(*from, *to),
        (TyKind::Tuple(from), TyKind::Tuple(to)) => {
            let all_plain = from.iter().chain(to.iter()).all(|part| is_plain(*part));
            all_plain && from.iter().zip(to.iter()).all(|(from, to)| is_convertible(*from, *to))
        }
        _ => Scalar::of(from).is_some() && Scalar::of(to).is_some(),
    }
}

/// The types of the elements, if it is a `Vec` that becomes one of other elements, and these are made of numbers.
pub(super) fn elements(from: Ty, to: Ty) -> Option<(Ty, Ty)> {
    match (from.kind(), to.kind()) {
        (TyKind::Vec(from), TyKind::Vec(to)) if from != to => {
            (is_plain(*from) && is_plain(*to) && is_convertible(*from, *to)).then_some((*from, *to))
        }
        _ => None,
    }
}

impl Plain {
    /// Between two types of which the one [is convertible](is_convertible) into the other.
    pub fn new(from: Ty, to: Ty, layouts: &TypeLayouts) -> Option<Plain> {
        let size = |ty: Ty| layouts.layout(ty).size as usize;
        match (from.kind(), to.kind()) {
            (TyKind::Array(from, before), TyKind::Array(to, after)) => {
                let of = Box::new(Plain::new(*from, *to, layouts)?);
                let count = usize::try_from((*before).min(*after)).ok()?;
                Some(Plain::Row { count, strides: (size(*from), size(*to)), of })
            }
            (TyKind::Tuple(olds), TyKind::Tuple(news)) => {
                let part = |(index, (old, new)): (u32, (&Ty, &Ty))| {
                    let (there, here) = (layouts.field_offset(from, index), layouts.field_offset(to, index));
                    Some((there as usize, here as usize, Plain::new(*old, *new, layouts)?))
                };
                (0..).zip(olds.iter().zip(news.iter())).map(part).collect::<Option<_>>().map(Plain::Parts)
            }
            _ => Some(Plain::Number(Scalar::of(from)?, Scalar::of(to)?)),
        }
    }

    /// Writes what the old value has over a new one.
    pub fn write(&self, old: &[u8], new: &mut [u8]) {
        match self {
            Plain::Number(from, to) => {
                let mut bits = [0; 16];
                bits[..from.size()].copy_from_slice(&old[..from.size()]);
                let (bits, _) = from.convert(u128::from_le_bytes(bits), *to);
                new[..to.size()].copy_from_slice(&bits.to_le_bytes()[..to.size()]);
            }
            Plain::Row { count, strides: (there, here), of } => {
                (0..*count).for_each(|index| of.write(&old[index * there..], &mut new[index * here..]));
            }
            Plain::Parts(parts) => {
                parts.iter().for_each(|(there, here, part)| part.write(&old[*there..], &mut new[*here..]));
            }
        }
    }
}
