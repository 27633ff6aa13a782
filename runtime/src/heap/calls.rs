//! The heap's host functions: what generated code and the library's own texts call.

use std::ffi::c_char;

use vaisjit_abi::CallContext;
use vaisjit_codegen::host_calls::{self as names, HOST_CALLS};

use super::block::{Payload, bytes, copy};
use super::map::Map;
use super::types::TypeRef;
use super::vec::List;
use super::{Failure, Heap};
use crate::code::{guard, raise};

/// Runs the body of a host function with the heap of its caller; a failure becomes a trap.
pub(super) fn run<T: Default>(context: *mut CallContext, body: impl FnOnce(&Heap) -> Result<T, Failure>) -> T {
    // SAFETY: generated code passes the context of its thread, whose services are the heap's, which lives as long as
    // the program.
    let heap = unsafe { &*(*context).services.cast::<Heap>() };
    // SAFETY: the call that the context was passed to is going on.
    unsafe {
        guard(context, || match body(heap) {
            Ok(value) => value,
            Err(Failure { code, message }) => {
                raise(context, code, message);
                T::default()
            }
        })
    }
}

/// The record that an argument of a host function names.
fn type_at(address: i64) -> Result<TypeRef, Failure> {
    // SAFETY: called in heap functions, on an argument of theirs.
    unsafe { TypeRef::at(address as usize) }.ok_or_else(|| Failure::no("type", address))
}

pub(super) unsafe extern "C" fn new_str(context: *mut CallContext, text: *const u8, length: usize) -> *const i8 {
    let text = bytes(text as usize, length);
    run(context, |heap| heap.new_text(std::iter::once(text))) as *const i8
}

extern "C" fn retain(context: *mut CallContext, value: i64, of: i64) {
    run(context, |heap| {
        heap.retain(value as usize, type_at(of)?);
        Ok(())
    });
}

extern "C" fn release(context: *mut CallContext, value: i64, of: i64) {
    run(context, |heap| heap.release(value as usize, type_at(of)?));
}

extern "C" fn release_checked(context: *mut CallContext, value: i64, of: i64) {
    run(context, |heap| {
        // SAFETY: the context is that of this call.
        match unsafe { heap.owns(context, value as usize) } {
            true => heap.release(value as usize, type_at(of)?),
            false => {
                heap.note_foreign();
                Ok(())
            }
        }
    });
}

extern "C" fn count_up(context: *mut CallContext, block: i64) {
    run(context, |_| {
        if block != 0 {
            super::counts::count_up(Payload(block as usize));
        }
        Ok(())
    });
}

extern "C" fn count_down(context: *mut CallContext, block: i64) {
    run(context, |heap| if block == 0 { Ok(()) } else { heap.count_down(Payload(block as usize)) });
}

extern "C" fn equal(context: *mut CallContext, left: i64, right: i64, of: i64) -> u8 {
    run(context, |_| Ok(type_at(of)?.equal(left as usize, right as usize)?.into()))
}

extern "C" fn compare(context: *mut CallContext, left: i64, right: i64, of: i64) -> i64 {
    run(context, |_| Ok(type_at(of)?.order(left as usize, right as usize)? as i64))
}

extern "C" fn hash(context: *mut CallContext, value: i64, of: i64) -> i64 {
    run(context, |_| Ok(type_at(of)?.hash(value as usize)? as i64))
}

extern "C" fn live(context: *mut CallContext) -> i64 {
    run(context, |heap| Ok(heap.live() as i64))
}

extern "C" fn box_new(context: *mut CallContext, of: i64) -> i64 {
    run(context, |heap| Ok(heap.new_box(type_at(of)?)?.0 as i64))
}

extern "C" fn closure_new(context: *mut CallContext, captures: i64, slot: i64) -> i64 {
    run(context, |heap| Ok(heap.new_closure(type_at(captures)?, slot)?.0 as i64))
}

extern "C" fn dyn_new(context: *mut CallContext, table: i64, data: i64, of: i64) -> i64 {
    run(context, |heap| {
        let of = if of == 0 { None } else { Some(type_at(of)?) };
        Ok(heap.new_cell(table, data, of)?.0 as i64)
    })
}

extern "C" fn vec_new(context: *mut CallContext, of: i64, capacity: i64) -> i64 {
    run(context, |heap| Ok(heap.new_vec(type_at(of)?, capacity)?.0 as i64))
}

extern "C" fn vec_reserve(context: *mut CallContext, list: i64, additional: i64) {
    run(context, |heap| heap.vec_reserve(List::at(list)?, additional));
}

extern "C" fn vec_shrink(context: *mut CallContext, list: i64) {
    run(context, |heap| heap.vec_shrink(List::at(list)?));
}

extern "C" fn map_new(context: *mut CallContext, of: i64) -> i64 {
    run(context, |heap| Ok(heap.new_map(type_at(of)?)?.0 as i64))
}

extern "C" fn map_len(context: *mut CallContext, map: i64) -> i64 {
    run(context, |_| Ok(Map::at(map)?.length() as i64))
}

extern "C" fn map_find(context: *mut CallContext, map: i64, key: i64) -> i64 {
    run(context, |_| Ok(Map::at(map)?.find(key as usize)?.unwrap_or(0) as i64))
}

extern "C" fn map_insert(context: *mut CallContext, map: i64, key: i64, value: i64) -> u8 {
    run(context, |heap| Ok(heap.map_insert(Map::at(map)?, key as usize, value as usize)?.into()))
}

extern "C" fn map_remove(context: *mut CallContext, map: i64, key: i64) -> u8 {
    run(context, |heap| Ok(heap.map_remove(Map::at(map)?, key as usize)?.into()))
}

extern "C" fn map_clear(context: *mut CallContext, map: i64) {
    run(context, |heap| heap.map_clear(Map::at(map)?));
}

extern "C" fn map_next(context: *mut CallContext, map: i64, from: i64) -> i64 {
    run(context, |_| Ok(Map::at(map)?.next(from).map_or(-1, |number| number as i64)))
}

extern "C" fn map_key(context: *mut CallContext, map: i64, number: i64) -> i64 {
    run(context, |_| {
        let map = Map::at(map)?;
        Ok(map.key_of(map.live_entry(number)?) as i64)
    })
}

extern "C" fn map_value(context: *mut CallContext, map: i64, number: i64) -> i64 {
    run(context, |_| {
        let map = Map::at(map)?;
        Ok(map.value_of(map.live_entry(number)?) as i64)
    })
}

/// The bytes of a `str`.
fn text<'a>(value: *const c_char) -> &'a [u8] {
    match value.is_null() {
        true => &[],
        false => bytes(value as usize, Payload(value as usize).word(super::WORD_OFFSET)),
    }
}

extern "C" fn str_concat(context: *mut CallContext, left: *const c_char, right: *const c_char) -> i64 {
    run(context, |heap| Ok(heap.new_text([text(left), text(right)].into_iter())? as i64))
}

extern "C" fn str_repeat(context: *mut CallContext, value: *const c_char, times: i64) -> i64 {
    run(context, |heap| {
        let (text, times) = (text(value), usize::try_from(times).unwrap_or(0));
        let made = heap.new_text_of(text.len().saturating_mul(times))?;
        let times = if text.is_empty() { 0 } else { times };
        (0..times).for_each(|number| copy(made.0 + number * text.len(), text.as_ptr() as usize, text.len()));
        Ok(made.0 as i64)
    })
}

extern "C" fn str_replace(
    context: *mut CallContext,
    value: *const c_char,
    from: *const c_char,
    to: *const c_char,
) -> i64 {
    run(context, |heap| {
        let (whole, from, to) = (text(value), text(from), text(to));
        Ok(heap.new_text(replaced(whole, from, to))? as i64)
    })
}

/// The pieces of a text in which each occurrence of a part is replaced. Nothing is replaced where the part is empty.
fn replaced<'a>(whole: &'a [u8], from: &'a [u8], to: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + Clone {
    let mut rest = Some(whole);
    let mut next = None;
    std::iter::from_fn(move || {
        if let Some(piece) = next.take() {
            return Some(piece);
        }
        let text = rest.take()?;
        let found = if from.is_empty() { None } else { text.windows(from.len()).position(|window| window == from) };
        let Some(at) = found else { return Some(text) };
        rest = Some(&text[at + from.len()..]);
        next = Some(to);
        Some(&text[..at])
    })
}

/// Name, declaration and address of each.
pub(crate) fn functions() -> Vec<(&'static str, &'static str, usize)> {
    let internal = [
        (names::HEAP_RETAIN, retain as *const () as usize),
        (names::HEAP_RELEASE, release as *const () as usize),
        (names::HEAP_RELEASE_CHECKED, release_checked as *const () as usize),
        (names::HEAP_COUNT_UP, count_up as *const () as usize),
        (names::HEAP_COUNT_DOWN, count_down as *const () as usize),
        (names::HEAP_EQUAL, equal as *const () as usize),
        (names::HEAP_VEC_NEW, vec_new as *const () as usize),
        (names::HEAP_MAP_NEW, map_new as *const () as usize),
        (names::HEAP_BOX_NEW, box_new as *const () as usize),
        (names::HEAP_CLOSURE_NEW, closure_new as *const () as usize),
        (names::HEAP_DYN_NEW, dyn_new as *const () as usize),
        (names::STR_CONCAT, str_concat as *const () as usize),
    ];
    let declared = |name: &str| HOST_CALLS.iter().find(|call| call.name == name).map_or("()", |call| call.signature);
    let library = [
        ("heap_vec_reserve", "(vec: i64, additional: i64)", vec_reserve as *const () as usize),
        ("heap_vec_shrink", "(vec: i64)", vec_shrink as *const () as usize),
        ("heap_map_len", "(map: i64) -> i64", map_len as *const () as usize),
        ("heap_map_find", "(map: i64, key: i64) -> i64", map_find as *const () as usize),
        ("heap_map_insert", "(map: i64, key: i64, value: i64) -> bool", map_insert as *const () as usize),
        ("heap_map_remove", "(map: i64, key: i64) -> bool", map_remove as *const () as usize),
        ("heap_map_clear", "(map: i64)", map_clear as *const () as usize),
        ("heap_map_next", "(map: i64, from: i64) -> i64", map_next as *const () as usize),
        ("heap_map_key", "(map: i64, index: i64) -> i64", map_key as *const () as usize),
        ("heap_map_value", "(map: i64, index: i64) -> i64", map_value as *const () as usize),
        ("heap_hash", "(address: i64, type: i64) -> i64", hash as *const () as usize),
        ("heap_compare", "(left: i64, right: i64, type: i64) -> i64", compare as *const () as usize),
        ("str_repeat", "(text: str, times: i64) -> str", str_repeat as *const () as usize),
        ("str_replace", "(text: str, from: str, to: str) -> str", str_replace as *const () as usize),
        ("heap_live", "() -> i64", live as *const () as usize),
    ];
    let internal = internal.into_iter().map(|(name, address)| (name, declared(name), address));
    internal.chain(library).chain(super::atomic::functions()).collect()
}
