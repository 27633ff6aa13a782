//! Numbers of one type as numbers of another.

use vaisjit_semantics::types::{FloatKind, IntKind};
use vaisjit_semantics::{Ty, TyKind};

/// The type of a number; `bool` is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scalar {
    /// An integer.
    Int(IntKind),
    /// A float.
    Float(FloatKind),
    /// 0 or 1.
    Bool,
}

impl Scalar {
    /// The kind of a type, if its values are numbers.
    pub(crate) fn of(ty: Ty) -> Option<Scalar> {
        match *ty.kind() {
            TyKind::Int(kind) => Some(Scalar::Int(kind)),
            TyKind::Float(kind) => Some(Scalar::Float(kind)),
            TyKind::Bool => Some(Scalar::Bool),
            _ => None,
        }
    }

    /// Are there numbers of this type that the other has not, nor one near them?
    pub(crate) fn may_exceed(self, other: Scalar) -> bool {
        match (self, other) {
            (Scalar::Int(from), Scalar::Int(to)) => {
                let bits = |kind: IntKind| kind.bits() - u32::from(kind.signed());
                bits(from) > bits(to) || from.signed() && !to.signed()
            }
            (Scalar::Bool, _) | (Scalar::Int(_), Scalar::Float(_)) => false,
            (Scalar::Float(from), Scalar::Float(to)) => from == FloatKind::F64 && to == FloatKind::F32,
            (_, Scalar::Bool) | (Scalar::Float(_), Scalar::Int(_)) => true,
        }
    }

    /// Bytes of a value.
    pub(crate) fn size(self) -> usize {
        match self {
            Scalar::Int(kind) => kind.bits() as usize / 8,
            Scalar::Float(FloatKind::F32) => 4,
            Scalar::Float(FloatKind::F64) => 8,
            Scalar::Bool => 1,
        }
    }

    /// Is every number of this type the same in the other?
    pub(crate) fn fits_into(self, other: Scalar) -> bool {
        // Digits before the sign, of floats those that are never rounded.
        let digits = |of: Scalar| match of {
            Scalar::Int(kind) => kind.bits() - u32::from(kind.signed()),
            Scalar::Float(FloatKind::F32) => 24,
            Scalar::Float(FloatKind::F64) => 53,
            Scalar::Bool => 1,
        };
        let signed = |of: Scalar| match of {
            Scalar::Int(kind) => kind.signed(),
            Scalar::Float(_) => true,
            Scalar::Bool => false,
        };
        let is_float = |of: Scalar| matches!(of, Scalar::Float(_));
        digits(self) <= digits(other) && (signed(other) || !signed(self)) && (is_float(other) || !is_float(self))
    }

    /// The value nearest to these bits of another type, and whether it is another number: integers beyond the range take
    /// its end, floats lose what is behind the point, what is no number becomes 0.
    pub(crate) fn convert(self, bits: u128, to: Scalar) -> (u128, bool) {
        match (self, to) {
            (Scalar::Float(from), Scalar::Float(to)) => between_floats(bits, from, to),
            (Scalar::Float(from), _) => to.of_float(float(bits, from)),
            (_, Scalar::Float(to)) => (float_of_int(self, bits, to), false),
            _ => to.of_int(self.int(bits)),
        }
    }

    /// Sign and amount.
    fn int(self, bits: u128) -> Int {
        match self {
            Scalar::Int(kind) if kind.signed() => {
                let shift = 128 - kind.bits();
                let value = (bits << shift) as i128 >> shift;
                Int { negative: value < 0, amount: value.unsigned_abs() }
            }
            Scalar::Int(kind) => Int { negative: false, amount: bits & ones(kind.bits()) },
            _ => Int { negative: false, amount: u128::from(bits & 0xff != 0) },
        }
    }

    fn of_int(self, value: Int) -> (u128, bool) {
        let Scalar::Int(kind) = self else {
            let one = u128::from(value.amount != 0);
            return (one, value.negative || value.amount > 1);
        };
        let most = if kind.signed() { ones(kind.bits() - 1) } else { ones(kind.bits()) };
        let least = if kind.signed() { most + 1 } else { 0 };
        let limit = if value.negative { least } else { most };
        let amount = value.amount.min(limit);
        let bits = if value.negative { amount.wrapping_neg() } else { amount };
        (bits & ones(kind.bits()), amount != value.amount)
    }

    fn of_float(self, value: f64) -> (u128, bool) {
        if value.is_nan() {
            return (0, true);
        }
        let whole = value.trunc();
        let amount = whole.abs() as u128;
        let (bits, cut) = self.of_int(Int { negative: whole < 0.0, amount });
        let beyond = whole.abs() >= 2f64.powi(128);
        (bits, cut || beyond)
    }
}

struct Int {
    negative: bool,
    amount: u128,
}

fn ones(bits: u32) -> u128 {
    if bits >= 128 { u128::MAX } else { (1 << bits) - 1 }
}

fn float(bits: u128, kind: FloatKind) -> f64 {
    match kind {
        FloatKind::F32 => f64::from(f32::from_bits(bits as u32)),
        FloatKind::F64 => f64::from_bits(bits as u64),
    }
}

fn between_floats(bits: u128, from: FloatKind, to: FloatKind) -> (u128, bool) {
    let value = float(bits, from);
    match to {
        FloatKind::F64 => (u128::from(value.to_bits()), false),
        FloatKind::F32 => {
            // Beyond the range the largest number is taken, as for integers; infinities stay.
            let near = value as f32;
            let cut = near.is_infinite() && value.is_finite();
            let near = if cut { f32::MAX.copysign(near) } else { near };
            (u128::from(near.to_bits()), cut)
        }
    }
}

fn float_of_int(from: Scalar, bits: u128, to: FloatKind) -> u128 {
    let value = from.int(bits);
    let sign = if value.negative { -1.0 } else { 1.0 };
    match to {
        FloatKind::F32 => u128::from((sign as f32 * (value.amount as f32).min(f32::MAX)).to_bits()),
        FloatKind::F64 => u128::from((sign * value.amount as f64).to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::tests::Random;

    const I8: Scalar = Scalar::Int(IntKind::I8);
    const U8: Scalar = Scalar::Int(IntKind::U8);
    const I64: Scalar = Scalar::Int(IntKind::I64);
    const U64: Scalar = Scalar::Int(IntKind::U64);
    const F32: Scalar = Scalar::Float(FloatKind::F32);
    const F64: Scalar = Scalar::Float(FloatKind::F64);

    fn f64_bits(value: f64) -> u128 {
        u128::from(value.to_bits())
    }

    #[test]
    fn numbers_keep_their_value_or_take_the_end_of_the_range() {
        assert_eq!(I64.convert(-5i64 as u64 as u128, I8), (0xfb, false));
        assert_eq!(I64.convert(300, I8), (127, true));
        assert_eq!(I64.convert(-300i64 as u64 as u128, I8), (0x80, true));
        assert_eq!(I64.convert(-1i64 as u64 as u128, U64), (0, true));
        assert_eq!(U64.convert(u64::MAX as u128, I64), (i64::MAX as u128, true));
        assert_eq!(U8.convert(200, I64), (200, false));
        assert_eq!(I8.convert(0xff, Scalar::Int(IntKind::I128)), (u128::MAX, false));
        assert_eq!(Scalar::Bool.convert(1, I64), (1, false));
        assert_eq!(I64.convert(7, Scalar::Bool), (1, true));
        assert_eq!(I64.convert(0, Scalar::Bool), (0, false));
    }

    #[test]
    fn numbers_that_all_fit_into_another_type() {
        let fits = [(I8, I64), (U8, I64), (Scalar::Bool, U8), (F32, F64), (I8, F32), (I64, I64)];
        let cut = [(I64, I8), (I64, F64), (F64, I64), (F64, F32), (I8, Scalar::Int(IntKind::U64)), (U8, I8)];
        assert!(fits.into_iter().all(|(from, into)| from.fits_into(into)));
        assert!(!cut.into_iter().any(|(from, into)| from.fits_into(into)));
    }

    #[test]
    fn floats_lose_what_is_behind_the_point() {
        assert_eq!(F64.convert(f64_bits(-2.75), I64), (-2i64 as u64 as u128, false));
        assert_eq!(F64.convert(f64_bits(f64::NAN), I64), (0, true));
        assert_eq!(F64.convert(f64_bits(1e300), U8), (255, true));
        assert_eq!(F64.convert(f64_bits(f64::NEG_INFINITY), I8), (0x80, true));
        assert_eq!(F64.convert(f64_bits(1e300), F32), (u128::from(f32::MAX.to_bits()), true));
        assert_eq!(F32.convert(u128::from(1.5f32.to_bits()), F64), (f64_bits(1.5), false));
        assert_eq!(I64.convert(3, F64), (f64_bits(3.0), false));
        assert_eq!(I8.convert(0xfe, F32), (u128::from((-2f32).to_bits()), false));
    }

    #[test]
    fn there_and_back_is_the_same_for_what_fits() {
        let mut random = Random::any();
        for _ in 0..10_000 {
            let value = random.below(usize::MAX) as i64 >> random.below(64);
            let bits = value as u64 as u128;
            for kind in IntKind::ALL.into_iter().map(Scalar::Int).chain([F64, F32, Scalar::Bool]) {
                let (there, cut) = I64.convert(bits, kind);
                let (back, _) = kind.convert(there, I64);
                let exact = !matches!(kind, Scalar::Float(_)) || value.unsigned_abs() < 1 << 24;
                assert!(cut || !exact || back == bits, "{value} by {kind:?}");
            }
        }
    }
}
