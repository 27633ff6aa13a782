//! Equality, order and hashes of values in memory, by their shapes.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;
use vaisjit_abi::heap::{VEC_DATA, VEC_LENGTH};
use vaisjit_semantics::types::{FloatKind, IntKind};
use vaisjit_semantics::{Ty, TyKind};

use super::Done;
use crate::mir::interp::{Machine, Stop, arith};
use crate::shape::{Part, ShapeKind, VariantShape};

/// Elements one after the other: where, how many.
type Run = (u64, u64);

impl Machine<'_> {
    pub(super) fn equal_at(&mut self, left: u64, right: u64, ty: Ty) -> Done<bool> {
        let shape = self.shape(ty);
        match &shape.kind {
            ShapeKind::Unit => Ok(true),
            ShapeKind::Float(kind) => Ok(self.float(left, *kind)? == self.float(right, *kind)?),
            ShapeKind::Str => Ok(self.text_at(left)? == self.text_at(right)?),
            ShapeKind::Int(_) | ShapeKind::Bool | ShapeKind::Pointer | ShapeKind::Function | ShapeKind::Dyn => {
                let size = u64::from(shape.layout.size);
                Ok(self.memory.read(left, size)? == self.memory.read(right, size)?)
            }
            ShapeKind::Vec(of) | ShapeKind::Slice(of) | ShapeKind::Array(of, _) => {
                let (first, second) = (self.run(left, &shape.kind)?, self.run(right, &shape.kind)?);
                self.equal_runs(first, second, *of)
            }
            ShapeKind::HashMap(key, value) => self.equal_maps(left, right, *key, *value),
            ShapeKind::Box(of) => match (self.word(left, 0)?, self.word(right, 0)?) {
                (0, 0) => Ok(true),
                (0, _) | (_, 0) => Ok(false),
                (first, second) => self.equal_at(first, second, *of),
            },
            ShapeKind::Record(parts) => self.equal_parts(left, right, parts),
            ShapeKind::Enum(variants) => match (self.word(left, 0)?, self.word(right, 0)?) {
                (first, second) if first == second => self.equal_parts(left, right, parts_of(variants, first)?),
                _ => Ok(false),
            },
        }
    }

    fn equal_parts(&mut self, left: u64, right: u64, parts: &[Part]) -> Done<bool> {
        for part in parts {
            let offset = u64::from(part.offset);
            if !self.equal_at(left + offset, right + offset, part.ty)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_runs(&mut self, left: Run, right: Run, of: Ty) -> Done<bool> {
        let size = u64::from(self.shape(of).layout.size);
        if left.1 != right.1 {
            return Ok(false);
        }
        for index in 0..left.1 {
            if !self.equal_at(left.0 + index * size, right.0 + index * size, of)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_maps(&mut self, left: u64, right: u64, _key: Ty, value: Ty) -> Done<bool> {
        let (left, right) = (self.word(left, 0)?, self.word(right, 0)?);
        if left == 0 || right == 0 {
            return Ok(left == right);
        }
        if self.map_len(left)? != self.map_len(right)? {
            return Ok(false);
        }
        let entries: Vec<(u64, u64)> = self.map(left)?.entries().collect();
        for (key, first) in entries {
            let Some((_, second)) = self.map_entry(right, key)? else { return Ok(false) };
            if !self.equal_at(first, second, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn compare_at(&mut self, left: u64, right: u64, ty: Ty) -> Done<Ordering> {
        let shape = self.shape(ty);
        match &shape.kind {
            ShapeKind::Unit => Ok(Ordering::Equal),
            ShapeKind::Int(kind) => self.compare_ints(left, right, *kind),
            ShapeKind::Float(kind) => {
                let (first, second) = (self.float(left, *kind)?, self.float(right, *kind)?);
                Ok(first.partial_cmp(&second).unwrap_or(first.is_nan().cmp(&second.is_nan())))
            }
            ShapeKind::Bool => Ok(self.memory.read(left, 1)?.cmp(self.memory.read(right, 1)?)),
            ShapeKind::Str => Ok(self.text_at(left)?.cmp(&self.text_at(right)?)),
            ShapeKind::Pointer | ShapeKind::Function | ShapeKind::Dyn => {
                Ok(self.word(left, 0)?.cmp(&self.word(right, 0)?))
            }
            ShapeKind::Vec(of) | ShapeKind::Slice(of) | ShapeKind::Array(of, _) => {
                let (first, second) = (self.run(left, &shape.kind)?, self.run(right, &shape.kind)?);
                self.compare_runs(first, second, *of)
            }
            ShapeKind::HashMap(..) => {
                let (first, second) = (self.word(left, 0)?, self.word(right, 0)?);
                Ok(self.map_len(first)?.cmp(&self.map_len(second)?))
            }
            ShapeKind::Box(of) => match (self.word(left, 0)?, self.word(right, 0)?) {
                (first, second) if first == 0 || second == 0 => Ok(first.cmp(&second)),
                (first, second) => self.compare_at(first, second, *of),
            },
            ShapeKind::Record(parts) => self.compare_parts(left, right, parts),
            ShapeKind::Enum(variants) => match (self.word(left, 0)?, self.word(right, 0)?) {
                (first, second) if first == second => self.compare_parts(left, right, parts_of(variants, first)?),
                (first, second) => Ok((first as i64).cmp(&(second as i64))),
            },
        }
    }

    fn compare_ints(&mut self, left: u64, right: u64, kind: IntKind) -> Done<Ordering> {
        let (size, ty) = (kind.bits() / 8, Ty::int(kind));
        let (first, second) = (self.memory.load(left, size)?, self.memory.load(right, size)?);
        match kind.signed() {
            true => Ok(arith::int_of(first, ty).cmp(&arith::int_of(second, ty))),
            false => Ok(first.cmp(&second)),
        }
    }

    fn compare_parts(&mut self, left: u64, right: u64, parts: &[Part]) -> Done<Ordering> {
        for part in parts {
            let offset = u64::from(part.offset);
            let order = self.compare_at(left + offset, right + offset, part.ty)?;
            if order != Ordering::Equal {
                return Ok(order);
            }
        }
        Ok(Ordering::Equal)
    }

    fn compare_runs(&mut self, left: Run, right: Run, of: Ty) -> Done<Ordering> {
        let size = u64::from(self.shape(of).layout.size);
        for index in 0..left.1.min(right.1) {
            let order = self.compare_at(left.0 + index * size, right.0 + index * size, of)?;
            if order != Ordering::Equal {
                return Ok(order);
            }
        }
        Ok(left.1.cmp(&right.1))
    }

    pub(super) fn hash_at(&mut self, address: u64, ty: Ty) -> Done<u64> {
        let mut hasher = FxHasher::default();
        self.hash_into(address, ty, &mut hasher)?;
        Ok(hasher.finish())
    }

    fn hash_into(&mut self, address: u64, ty: Ty, hasher: &mut FxHasher) -> Done {
        let shape = self.shape(ty);
        match &shape.kind {
            ShapeKind::Unit => {}
            ShapeKind::Int(_) | ShapeKind::Bool | ShapeKind::Pointer | ShapeKind::Function | ShapeKind::Dyn => {
                self.memory.read(address, shape.layout.size.into())?.hash(hasher);
            }
            // Both zeros are equal.
            ShapeKind::Float(kind) => (self.float(address, *kind)? + 0.0).to_bits().hash(hasher),
            ShapeKind::Str => self.text_at(address)?.hash(hasher),
            ShapeKind::Vec(of) | ShapeKind::Slice(of) | ShapeKind::Array(of, _) => {
                let size = u64::from(self.shape(*of).layout.size);
                let (start, length) = self.run(address, &shape.kind)?;
                length.hash(hasher);
                (0..length).try_for_each(|index| self.hash_into(start + index * size, *of, hasher))?;
            }
            // Equal ones may have another order.
            ShapeKind::HashMap(..) => {
                let map = self.word(address, 0)?;
                self.map_len(map)?.hash(hasher);
            }
            ShapeKind::Box(of) => match self.word(address, 0)? {
                0 => {}
                inner => self.hash_into(inner, *of, hasher)?,
            },
            ShapeKind::Record(parts) => self.hash_parts(address, parts, hasher)?,
            ShapeKind::Enum(variants) => {
                let discriminant = self.word(address, 0)?;
                discriminant.hash(hasher);
                self.hash_parts(address, parts_of(variants, discriminant)?, hasher)?;
            }
        }
        Ok(())
    }

    fn hash_parts(&mut self, address: u64, parts: &[Part], hasher: &mut FxHasher) -> Done {
        parts.iter().try_for_each(|part| self.hash_into(address + u64::from(part.offset), part.ty, hasher))
    }

    fn float(&self, address: u64, kind: FloatKind) -> Done<f64> {
        let size = if kind == FloatKind::F32 { 4 } else { 8 };
        Ok(arith::float_of(self.memory.load(address, size)?, Ty::new(TyKind::Float(kind))))
    }

    fn text_at(&self, address: u64) -> Done<Vec<u8>> {
        let value = self.word(address, 0)?;
        Ok(self.text(value)?)
    }

    /// The elements of a `Vec`, slice or array.
    fn run(&self, address: u64, kind: &ShapeKind) -> Done<Run> {
        match kind {
            ShapeKind::Array(_, length) => Ok((address, *length)),
            ShapeKind::Slice(_) => Ok((self.word(address, 0)?, self.word(address, 8)?)),
            _ => match self.word(address, 0)? {
                0 => Ok((0, 0)),
                block => Ok((self.word(block, VEC_DATA)?, self.word(block, VEC_LENGTH)?)),
            },
        }
    }
}

fn parts_of(variants: &[VariantShape], discriminant: u64) -> Done<&[Part]> {
    let variant = variants.iter().find(|variant| variant.discriminant == discriminant as i64);
    let unknown = || Stop::Bug(format!("an enum with the discriminant {discriminant:#x}"));
    variant.map(|variant| &variant.parts[..]).ok_or_else(unknown)
}
