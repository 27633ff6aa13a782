//! Host functions that compiled code calls without the program naming them: what output, text comparisons and, later,
//! text building become. The standard library implements every one of them.

use vaisjit_abi::format::Format;
use vaisjit_syntax::ast::FormatSpec;

/// A host function the compiler relies on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostCall {
    /// The name in the host table.
    pub name: &'static str,
    /// Its declaration, in the language's syntax.
    pub signature: &'static str,
    /// May it be a leaf: it neither fails nor blocks nor calls back?
    pub leaf: bool,
    /// What it does.
    pub does: &'static str,
}

/// Prints a text.
pub const PRINT_STR: &str = "print_str";
/// Prints a signed integer of up to 64 bits; also `bool` as 1 or 0.
pub const PRINT_I64: &str = "print_i64";
/// Prints an unsigned integer of up to 64 bits.
pub const PRINT_U64: &str = "print_u64";
/// Prints an `i128`.
pub const PRINT_I128: &str = "print_i128";
/// Prints a `u128`.
pub const PRINT_U128: &str = "print_u128";
/// Prints a float with six decimals.
pub const PRINT_F64: &str = "print_f64";
/// Prints an address as `0x...`.
pub const PRINT_PTR: &str = "print_ptr";
/// Prints a text with a format.
pub const PRINT_STR_SPEC: &str = "print_str_spec";
/// Prints a signed integer with a format.
pub const PRINT_I64_SPEC: &str = "print_i64_spec";
/// Prints an unsigned integer with a format.
pub const PRINT_U64_SPEC: &str = "print_u64_spec";
/// Prints an `i128` with a format.
pub const PRINT_I128_SPEC: &str = "print_i128_spec";
/// Prints a `u128` with a format.
pub const PRINT_U128_SPEC: &str = "print_u128_spec";
/// Prints a float with a format; without a precision six decimals.
pub const PRINT_F64_SPEC: &str = "print_f64_spec";
/// Are two texts equal?
pub const STR_EQ: &str = "str_eq";
/// Order of two texts by bytes.
pub const STR_CMP: &str = "str_cmp";
/// The C function that stands for a function value of these ABI types.
pub const C_CALLBACK: &str = "c_callback";

/// From now on the printing functions collect the text instead of writing it.
pub const TEXT_BEGIN: &str = "text_begin";
/// Ends collecting; the text stays valid until the next one is taken.
pub const TEXT_TAKE: &str = "text_take";
/// Does a text contain another?
pub const STR_CONTAINS: &str = "str_contains";
/// Does a text start with another?
pub const STR_STARTS_WITH: &str = "str_starts_with";
/// Does a text end with another?
pub const STR_ENDS_WITH: &str = "str_ends_with";
/// Where a text first contains another.
pub const STR_INDEX_OF: &str = "str_index_of";
/// A byte of a text.
pub const STR_BYTE_AT: &str = "str_byte_at";
/// A character of a text.
pub const STR_CHAR_AT: &str = "str_char_at";
/// Is a text an integer?
pub const STR_PARSE_I64_OK: &str = "str_parse_i64_ok";
/// The integer a text is.
pub const STR_PARSE_I64: &str = "str_parse_i64";
/// Is a text a number?
pub const STR_PARSE_F64_OK: &str = "str_parse_f64_ok";
/// The number a text is.
pub const STR_PARSE_F64: &str = "str_parse_f64";

/// One more reference to everything counted in a value.
pub const HEAP_RETAIN: &str = "heap_retain";
/// One reference less to everything counted in a value.
pub const HEAP_RELEASE: &str = "heap_release";
/// The same behind a raw pointer.
pub const HEAP_RELEASE_CHECKED: &str = "heap_release_checked";
/// One more reference to a block whose count is shared by threads.
pub const HEAP_COUNT_UP: &str = "heap_count_up";
/// The last reference to a block, or one of a count that is shared by threads.
pub const HEAP_COUNT_DOWN: &str = "heap_count_down";
/// Are two values equal?
pub const HEAP_EQUAL: &str = "heap_equal";
/// An empty `Vec`.
pub const HEAP_VEC_NEW: &str = "heap_vec_new";
/// An empty `HashMap`.
pub const HEAP_MAP_NEW: &str = "heap_map_new";
/// A `Box` without its value.
pub const HEAP_BOX_NEW: &str = "heap_box_new";
/// A closure without its captures.
pub const HEAP_CLOSURE_NEW: &str = "heap_closure_new";
/// A cell of a `dyn`.
pub const HEAP_DYN_NEW: &str = "heap_dyn_new";
/// Joins two texts.
pub const STR_CONCAT: &str = "str_concat";
/// The text at an address, as C ends it.
pub const STR_FROM_C: &str = "str_from_c";

/// All of them.
pub const HOST_CALLS: [HostCall; 40] = [
    call(PRINT_STR, "(text: str)", "writes the text to standard output"),
    call(PRINT_I64, "(value: i64)", "writes the decimal number"),
    call(PRINT_U64, "(value: u64)", "writes the decimal number"),
    call(PRINT_I128, "(value: i128)", "writes the decimal number"),
    call(PRINT_U128, "(value: u128)", "writes the decimal number"),
    call(PRINT_F64, "(value: f64)", "writes the number with six decimals; inf, -inf, nan as C does"),
    call(PRINT_PTR, "(address: i64)", "writes the address in hexadecimal after 0x"),
    call(PRINT_STR_SPEC, "(text: str, flags: i64, sizes: i64)", "like print_str, formatted"),
    call(PRINT_I64_SPEC, "(value: i64, flags: i64, sizes: i64)", "like print_i64, formatted"),
    call(PRINT_U64_SPEC, "(value: u64, flags: i64, sizes: i64)", "like print_u64, formatted"),
    call(PRINT_I128_SPEC, "(value: i128, flags: i64, sizes: i64)", "like print_i128, formatted"),
    call(PRINT_U128_SPEC, "(value: u128, flags: i64, sizes: i64)", "like print_u128, formatted"),
    call(PRINT_F64_SPEC, "(value: f64, flags: i64, sizes: i64)", "like print_f64, formatted"),
    call(STR_EQ, "(left: str, right: str) -> bool", "1 if the bytes are equal; null is the empty text"),
    call(STR_CMP, "(left: str, right: str) -> i64", "-1, 0 or 1: order by bytes; null is the empty text"),
    call(TEXT_BEGIN, "()", "what this thread prints is collected from now on"),
    heap(TEXT_TAKE, "() -> str", "ends collecting; a new text"),
    heap(HEAP_RETAIN, "(value: i64, type: i64)", "counts up all references in the value at the address"),
    heap(HEAP_RELEASE, "(value: i64, type: i64)", "counts down all references in the value at the address"),
    heap(HEAP_RELEASE_CHECKED, "(value: i64, type: i64)", "like heap_release; does nothing in foreign memory"),
    heap(HEAP_COUNT_UP, "(block: i64)", "counts up a payload's block, whatever its count"),
    heap(HEAP_COUNT_DOWN, "(block: i64)", "counts down a payload's block, whatever its count; frees it at none"),
    heap(HEAP_EQUAL, "(left: i64, right: i64, type: i64) -> bool", "1 if the values at the addresses are equal"),
    heap(HEAP_VEC_NEW, "(type: i64, capacity: i64) -> i64", "a new Vec of this type (Vec<T>)"),
    heap(HEAP_MAP_NEW, "(type: i64) -> i64", "a new HashMap of this type (HashMap<K, V>)"),
    heap(HEAP_BOX_NEW, "(type: i64) -> i64", "a new Box of this type (Box<T>), its value all zero"),
    heap(
        HEAP_CLOSURE_NEW,
        "(captures: i64, slot: i64) -> i64",
        "a new closure's payload; the captures (a tuple) all zero",
    ),
    heap(
        HEAP_DYN_NEW,
        "(table: i64, data: i64, type: i64) -> i64",
        "a new cell; of the value at `data` if the type is 0, else with room for a value of the type, all zero",
    ),
    heap(STR_CONCAT, "(left: str, right: str) -> str", "a new text"),
    heap(STR_FROM_C, "(address: i64) -> str", "a new text of the bytes up to a zero; null gives an empty one"),
    call(STR_CONTAINS, "(text: str, part: str) -> bool", "1 if the part occurs in the text"),
    call(STR_STARTS_WITH, "(text: str, part: str) -> bool", "1 if the text starts with the part"),
    call(STR_ENDS_WITH, "(text: str, part: str) -> bool", "1 if the text ends with the part"),
    call(STR_INDEX_OF, "(text: str, part: str) -> i64", "the byte at which the part first occurs, or -1"),
    call(STR_BYTE_AT, "(text: str, index: i64) -> i64", "the byte, or -1 out of bounds"),
    call(STR_CHAR_AT, "(text: str, index: i64) -> i64", "the code point of the character, or -1 out of bounds"),
    call(STR_PARSE_I64_OK, "(text: str) -> bool", "1 if the text, white space around it apart, is an i64"),
    call(STR_PARSE_I64, "(text: str) -> i64", "the number, or 0"),
    call(STR_PARSE_F64_OK, "(text: str) -> bool", "1 if the text, white space around it apart, is a number"),
    call(STR_PARSE_F64, "(text: str) -> f64", "the number, or 0"),
];

/// A function that works on the program's heap (`HostFlags::heap`): its arguments are borrowed, its result is owned.
const fn heap(name: &'static str, signature: &'static str, does: &'static str) -> HostCall {
    HostCall { name, signature, leaf: false, does }
}

const fn call(name: &'static str, signature: &'static str, does: &'static str) -> HostCall {
    HostCall { name, signature, leaf: false, does }
}

/// Packs a format into the two integers that the `_spec` functions take (see `vaisjit_abi::format`).
pub fn pack(spec: &FormatSpec) -> (i64, i64) {
    let &FormatSpec { fill, align, sign, alternate, zero, width, precision, kind } = spec;
    Format { fill, align, sign, alternate, zero, width, precision, kind }.pack()
}

/// The format that [`pack`] packed.
pub fn unpack(flags: i64, sizes: i64) -> FormatSpec {
    let Format { fill, align, sign, alternate, zero, width, precision, kind } = Format::unpack(flags, sizes);
    FormatSpec { fill, align, sign, alternate, zero, width, precision, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_survives_packing() {
        let spec = FormatSpec { sign: true, width: Some(u32::MAX), kind: Some('?'), ..FormatSpec::default() };
        let (flags, sizes) = pack(&spec);
        assert_eq!(unpack(flags, sizes), spec);
        assert_eq!(unpack(0, 0), FormatSpec::default());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = HOST_CALLS.iter().map(|call| call.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), HOST_CALLS.len());
    }
}
