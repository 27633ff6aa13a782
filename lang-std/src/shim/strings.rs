//! Texts made of texts: every result is a new `str` of the program's heap.

use std::ffi::{CStr, c_char};

use vaisjit_abi::CallContext;

use super::{Entry, bytes, lossy, new_str};
use crate::text;

extern "C" fn str_from_c(ctx: *mut CallContext, address: i64) -> *const c_char {
    if address == 0 {
        return new_str(ctx, &[]);
    }
    // SAFETY: the program passes a C string; a wrong address faults, which is a trap of the program.
    new_str(ctx, unsafe { CStr::from_ptr(address as *const c_char) }.to_bytes())
}

extern "C" fn str_slice(ctx: *mut CallContext, value: *const c_char, from: i64, to: i64) -> *const c_char {
    new_str(ctx, text::slice(bytes(value), from, to))
}

extern "C" fn str_trim(ctx: *mut CallContext, value: *const c_char) -> *const c_char {
    new_str(ctx, lossy(value).trim().as_bytes())
}

extern "C" fn str_trim_start(ctx: *mut CallContext, value: *const c_char) -> *const c_char {
    new_str(ctx, lossy(value).trim_start().as_bytes())
}

extern "C" fn str_trim_end(ctx: *mut CallContext, value: *const c_char) -> *const c_char {
    new_str(ctx, lossy(value).trim_end().as_bytes())
}

extern "C" fn str_to_upper(ctx: *mut CallContext, value: *const c_char) -> *const c_char {
    new_str(ctx, lossy(value).to_uppercase().as_bytes())
}

extern "C" fn str_to_lower(ctx: *mut CallContext, value: *const c_char) -> *const c_char {
    new_str(ctx, lossy(value).to_lowercase().as_bytes())
}

extern "C" fn str_reverse(ctx: *mut CallContext, value: *const c_char) -> *const c_char {
    new_str(ctx, lossy(value).chars().rev().collect::<String>().as_bytes())
}

/// What is no code point gives the replacement character.
extern "C" fn str_from_char(ctx: *mut CallContext, code: i64) -> *const c_char {
    let character = u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    new_str(ctx, character.encode_utf8(&mut [0; 4]).as_bytes())
}

extern "C" fn str_from_i64(ctx: *mut CallContext, value: i64) -> *const c_char {
    new_str(ctx, value.to_string().as_bytes())
}

extern "C" fn str_from_f64(ctx: *mut CallContext, value: f64) -> *const c_char {
    new_str(ctx, text::float(value).as_bytes())
}

extern "C" fn str_last_index_of(_: *mut CallContext, value: *const c_char, part: *const c_char) -> i64 {
    text::find_last(bytes(value), bytes(part)).map_or(-1, |at| at as i64)
}

extern "C" fn str_index_from(_: *mut CallContext, value: *const c_char, part: *const c_char, from: i64) -> i64 {
    let from = usize::try_from(from).unwrap_or(0);
    let rest = bytes(value).get(from..);
    rest.and_then(|rest| text::find(rest, bytes(part))).map_or(-1, |at| (from + at) as i64)
}

extern "C" fn str_char_count(_: *mut CallContext, value: *const c_char) -> i64 {
    lossy(value).chars().count() as i64
}

/// Name, declaration and address of each.
pub(super) fn table() -> Vec<Entry> {
    vec![
        ("str_from_c", "(address: i64) -> str", str_from_c as *const () as usize),
        ("str_slice", "(text: str, from: i64, to: i64) -> str", str_slice as *const () as usize),
        ("str_trim", "(text: str) -> str", str_trim as *const () as usize),
        ("str_trim_start", "(text: str) -> str", str_trim_start as *const () as usize),
        ("str_trim_end", "(text: str) -> str", str_trim_end as *const () as usize),
        ("str_to_upper", "(text: str) -> str", str_to_upper as *const () as usize),
        ("str_to_lower", "(text: str) -> str", str_to_lower as *const () as usize),
        ("str_reverse", "(text: str) -> str", str_reverse as *const () as usize),
        ("str_from_char", "(code: i64) -> str", str_from_char as *const () as usize),
        ("str_from_i64", "(value: i64) -> str", str_from_i64 as *const () as usize),
        ("str_from_f64", "(value: f64) -> str", str_from_f64 as *const () as usize),
        ("str_last_index_of", "(text: str, part: str) -> i64", str_last_index_of as *const () as usize),
        ("str_index_from", "(text: str, part: str, from: i64) -> i64", str_index_from as *const () as usize),
        ("str_char_count", "(text: str) -> i64", str_char_count as *const () as usize),
    ]
}
