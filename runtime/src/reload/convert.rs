//! Conversions between types that a save may give a value: numbers, by value.

use std::sync::Arc;

use vaisjit_semantics::types::{FloatKind, IntKind};
use vaisjit_semantics::{Ty, TyKind};

use crate::code::Conversion;

/// A number of any type.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Number {
    Signed(i128),
    Unsigned(u128),
    Float(f64),
}

/// How numbers of a type lie in memory.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Int(IntKind),
    Float(FloatKind),
    Bool,
}

impl Kind {
    fn of(ty: Ty) -> Option<Kind> {
        match ty.kind() {
            TyKind::Int(kind) => Some(Kind::Int(*kind)),
            TyKind::Float(kind) => Some(Kind::Float(*kind)),
            TyKind::Bool => Some(Kind::Bool),
            _ => None,
        }
    }
}

/// How values of one type become values of another, if they can: numbers by value, out of range the nearest there is,
/// a fraction cut off, 0 for what is no number.
pub(crate) fn conversion(from: Ty, to: Ty) -> Option<Arc<Conversion>> {
    let (from, to) = (Kind::of(from)?, Kind::of(to)?);
    Some(Arc::new(move |old: &[u8], new: &mut [u8]| {
        let bits = write(read(old, from), to).to_le_bytes();
        new.copy_from_slice(&bits[..new.len()]);
    }))
}

fn read(bytes: &[u8], kind: Kind) -> Number {
    let mut wide = [0; 16];
    wide[..bytes.len()].copy_from_slice(bytes);
    let bits = u128::from_le_bytes(wide);
    match kind {
        Kind::Int(int) if int.signed() => {
            let unused = 128 - int.bits();
            Number::Signed((bits << unused) as i128 >> unused)
        }
        Kind::Int(_) => Number::Unsigned(bits),
        Kind::Bool => Number::Unsigned(bits & 1),
        Kind::Float(FloatKind::F64) => Number::Float(f64::from_bits(bits as u64)),
        Kind::Float(FloatKind::F32) => Number::Float(f64::from(f32::from_bits(bits as u32))),
    }
}

fn write(number: Number, kind: Kind) -> u128 {
    match kind {
        Kind::Int(int) => to_int(number, int),
        Kind::Bool => u128::from(match number {
            Number::Signed(value) => value != 0,
            Number::Unsigned(value) => value != 0,
            Number::Float(value) => value != 0.0,
        }),
        Kind::Float(float) => {
            let value = match number {
                Number::Signed(value) => value as f64,
                Number::Unsigned(value) => value as f64,
                Number::Float(value) => value,
            };
            match float {
                FloatKind::F64 => u128::from(value.to_bits()),
                FloatKind::F32 => u128::from((value as f32).to_bits()),
            }
        }
    }
}

fn to_int(number: Number, kind: IntKind) -> u128 {
    let bits = kind.bits();
    if kind.signed() {
        let (low, high) = (i128::MIN >> (128 - bits), i128::MAX >> (128 - bits));
        let value = match number {
            Number::Signed(value) => value,
            Number::Unsigned(value) => i128::try_from(value).unwrap_or(i128::MAX),
            Number::Float(value) => value as i128,
        };
        return value.clamp(low, high) as u128;
    }
    let value = match number {
        Number::Signed(value) => u128::try_from(value).unwrap_or(0),
        Number::Unsigned(value) => value,
        Number::Float(value) => value as u128,
    };
    value.min(u128::MAX >> (128 - bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(from: Ty, bytes: &[u8], to: Ty, size: usize) -> Vec<u8> {
        let mut new = vec![0; size];
        conversion(from, to).unwrap()(bytes, &mut new);
        new
    }

    #[test]
    fn numbers_keep_their_values_or_go_to_the_nearest() {
        let byte = Ty::new(TyKind::Int(IntKind::U8));
        let short = Ty::new(TyKind::Int(IntKind::I16));
        let (long, float) = (Ty::i64(), Ty::new(TyKind::Float(FloatKind::F64)));
        assert_eq!(convert(long, &(-1i64).to_le_bytes(), float, 8), (-1f64).to_le_bytes());
        assert_eq!(convert(long, &300i64.to_le_bytes(), byte, 1), [255]);
        assert_eq!(convert(long, &(-3i64).to_le_bytes(), byte, 1), [0]);
        assert_eq!(convert(float, &2.9f64.to_le_bytes(), short, 2), 2i16.to_le_bytes());
        assert_eq!(convert(float, &(-1e300f64).to_le_bytes(), short, 2), i16::MIN.to_le_bytes());
        assert_eq!(convert(float, &f64::NAN.to_le_bytes(), long, 8), [0; 8]);
        assert_eq!(convert(byte, &[200], short, 2), 200i16.to_le_bytes());
        assert_eq!(convert(Ty::bool(), &[1], float, 8), 1f64.to_le_bytes());
    }

    #[test]
    fn texts_and_numbers_do_not_become_each_other() {
        assert!(conversion(Ty::str(), Ty::i64()).is_none());
        assert!(conversion(Ty::i64(), Ty::str()).is_none());
    }
}
