//! Rows of numbers that become numbers of another type. The pairs that edits are mostly about have a tight loop.

use vaisjit_semantics::types::{FloatKind, IntKind};

use super::number::Scalar;
use crate::heap::block::{Number, bytes, copy, get, put};

const I32: Scalar = Scalar::Int(IntKind::I32);
const I64: Scalar = Scalar::Int(IntKind::I64);
const F32: Scalar = Scalar::Float(FloatKind::F32);
const F64: Scalar = Scalar::Float(FloatKind::F64);

/// Converts numbers, each from one address to another; returns how many have become others.
pub(super) fn numbers(places: impl Iterator<Item = (usize, usize)>, old: Scalar, new: Scalar) -> u64 {
    match (old, new) {
        (I64, F64) => each(places, |value: i64| (value as f64, false)),
        (F64, I64) => each(places, i64_of),
        (I32, I64) => each(places, |value: i32| (i64::from(value), false)),
        (I64, I32) => each(places, i32_of),
        (I32, F64) => each(places, |value: i32| (f64::from(value), false)),
        (F32, F64) => each(places, |value: f32| (f64::from(value), false)),
        _ => each_general(places, old, new),
    }
}

/// Does the number at one address become the one at the other, of another type?
pub(super) fn becomes((at, kind): (usize, Scalar), (other, into): (usize, Scalar)) -> bool {
    let mut bits = [0; 16];
    bits[..kind.size()].copy_from_slice(bytes(at, kind.size()));
    let (made, _) = kind.convert(u128::from_le_bytes(bits), into);
    made.to_le_bytes()[..into.size()] == *bytes(other, into.size())
}

fn each<A: Number, B: Number>(places: impl Iterator<Item = (usize, usize)>, convert: impl Fn(A) -> (B, bool)) -> u64 {
    let mut cut = 0;
    for (from, to) in places {
        let (value, other) = convert(get(from));
        put(to, value);
        cut += u64::from(other);
    }
    cut
}

/// What is no number becomes 0.
fn i64_of(value: f64) -> (i64, bool) {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    (value as i64, !(-BEYOND..BEYOND).contains(&value))
}

fn i32_of(value: i64) -> (i32, bool) {
    let near = value.clamp(i32::MIN.into(), i32::MAX.into());
    (near as i32, near != value)
}

fn each_general(places: impl Iterator<Item = (usize, usize)>, old: Scalar, new: Scalar) -> u64 {
    let mut cut = 0;
    for (from, to) in places {
        let mut bits = [0; 16];
        bits[..old.size()].copy_from_slice(bytes(from, old.size()));
        let (value, other) = old.convert(u128::from_le_bytes(bits), new);
        copy(to, value.to_le_bytes().as_ptr() as usize, new.size());
        cut += u64::from(other);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::tests::Random;

    #[test]
    fn tight_loops_give_what_the_general_one_gives() {
        let mut random = Random::any();
        let special = [f64::NAN, f64::INFINITY, -1e19, -9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0, -0.5];
        let floats = special.map(f64::to_bits);
        let more = (0..10_000).map(|_| random.below(usize::MAX) as u64 >> random.below(64));
        for bits in floats.into_iter().chain(more.collect::<Vec<_>>()) {
            for (old, new) in [(I64, F64), (F64, I64), (I32, I64), (I64, I32), (I32, F64), (F32, F64)] {
                let (mut fast, mut general) = (0u64, 0u64);
                let from = &raw const bits as usize;
                let cut = numbers([(from, &raw mut fast as usize)].into_iter(), old, new);
                let other = each_general([(from, &raw mut general as usize)].into_iter(), old, new);
                assert_eq!((fast, cut), (general, other), "{bits:x} from {old:?} to {new:?}");
            }
        }
    }
}
