//! The host functions of the heap: what the compiler calls by itself, and what the prelude builds its methods on.

use vaisjit_abi::TrapCode;
use vaisjit_abi::heap::{VEC_CAPACITY, VEC_LENGTH};
use vaisjit_semantics::Ty;

use super::{BlockKind, Done};
use crate::host_calls as names;
use crate::mir::interp::{Machine, Stop};

/// Room of a `Vec` that grows for the first time.
const FIRST_ROOM: u64 = 4;

impl Machine<'_> {
    /// Calls a function of the heap; nothing if it is none.
    pub fn heap_call(&mut self, name: &str, arguments: &[u64]) -> Done<Option<u64>> {
        match self.count_call(name, arguments)? {
            Some(bits) => Ok(Some(bits)),
            None => match self.make_call(name, arguments)? {
                Some(bits) => Ok(Some(bits)),
                None => self.map_call(name, arguments),
            },
        }
    }

    fn count_call(&mut self, name: &str, arguments: &[u64]) -> Done<Option<u64>> {
        let ty = |machine: &Self, index: usize| machine.type_argument(arguments, index);
        match (name, arguments) {
            (names::HEAP_RETAIN, [value, _]) => self.retain_at(*value, ty(self, 1)?)?,
            (names::HEAP_RELEASE, [value, _]) => self.release_at(*value, ty(self, 1)?)?,
            (names::HEAP_RELEASE_CHECKED, [value, _]) => {
                if self.is_own(*value) {
                    self.release_at(*value, ty(self, 1)?)?;
                }
            }
            (names::HEAP_COUNT_UP, [block]) => self.count_up(*block)?,
            (names::HEAP_COUNT_DOWN, [block]) => self.count_down(*block)?,
            (names::HEAP_EQUAL, [left, right, _]) => {
                let ty = ty(self, 2)?;
                return Ok(Some(self.equal_at(*left, *right, ty)?.into()));
            }
            ("heap_compare", [left, right, _]) => {
                let ty = ty(self, 2)?;
                return Ok(Some(self.compare_at(*left, *right, ty)? as i64 as u64));
            }
            ("heap_hash", [value, _]) => {
                let ty = ty(self, 1)?;
                return Ok(Some(self.hash_at(*value, ty)?));
            }
            ("heap_live", []) => return Ok(Some(self.heap.live() as u64)),
            _ => return Ok(None),
        }
        Ok(Some(0))
    }

    fn make_call(&mut self, name: &str, arguments: &[u64]) -> Done<Option<u64>> {
        let ty = |machine: &Self, index: usize| machine.type_argument(arguments, index);
        Ok(Some(match (name, arguments) {
            (names::HEAP_VEC_NEW, [_, capacity]) => {
                let ty = ty(self, 0)?;
                self.new_vec(ty, (*capacity as i64).max(0) as u64)?
            }
            (names::HEAP_MAP_NEW, [_]) => {
                let ty = ty(self, 0)?;
                self.new_map(ty)?
            }
            (names::HEAP_BOX_NEW, [_]) => {
                let ty = ty(self, 0)?;
                self.new_box(ty)?
            }
            (names::HEAP_CLOSURE_NEW, [_, slot]) => {
                let captures = ty(self, 0)?;
                self.new_closure(captures, *slot)?
            }
            (names::HEAP_DYN_NEW, [table, data, owned]) => {
                let owned = if *owned == 0 { None } else { Some(ty(self, 2)?) };
                self.new_dyn(*table, *data, owned)?
            }
            ("heap_vec_reserve", [vec, additional]) => self.reserve(*vec, *additional as i64)?,
            ("heap_vec_shrink", [vec]) => {
                let of = self.element_type(*vec)?;
                let length = self.word(*vec, VEC_LENGTH)?;
                self.set_capacity(*vec, of, length)?;
                0
            }
            _ => return Ok(None),
        }))
    }

    fn map_call(&mut self, name: &str, arguments: &[u64]) -> Done<Option<u64>> {
        Ok(Some(match (name, arguments) {
            ("heap_map_len", [map]) => self.map_len(*map)?,
            ("heap_map_find", [map, key]) => self.map_entry(*map, *key)?.map_or(0, |(_, value)| value),
            ("heap_map_insert", [map, key, value]) => self.map_insert(*map, *key, *value)?.into(),
            ("heap_map_remove", [map, key]) => self.map_remove(*map, *key)?.into(),
            ("heap_map_clear", [map]) => {
                self.map_clear(*map)?;
                0
            }
            ("heap_map_next", [map, from]) => self.map_next(*map, *from as i64)? as u64,
            ("heap_map_key", [map, index]) => self.map_at(*map, *index)?.0,
            ("heap_map_value", [map, index]) => self.map_at(*map, *index)?.1,
            _ => return Ok(None),
        }))
    }

    fn type_argument(&self, arguments: &[u64], index: usize) -> Done<Ty> {
        self.heap.type_of(arguments.get(index).copied().unwrap_or(0))
    }

    fn element_type(&self, vec: u64) -> Done<Ty> {
        if vec == 0 {
            return Err(TrapCode::NullPointer.into());
        }
        match self.counted(vec, "use")? {
            Some(BlockKind::Vec(of)) => Ok(of),
            _ => Err(Stop::Bug(format!("{vec:#x} is no Vec"))),
        }
    }

    fn reserve(&mut self, vec: u64, additional: i64) -> Done<u64> {
        let of = self.element_type(vec)?;
        let (length, capacity) = (self.word(vec, VEC_LENGTH)?, self.word(vec, VEC_CAPACITY)?);
        let needed = length.saturating_add(additional.max(0) as u64);
        if needed > capacity {
            self.set_capacity(vec, of, needed.max(capacity.saturating_mul(2)).max(FIRST_ROOM))?;
        }
        Ok(0)
    }
}
