//! The one place of the library with `unsafe`, with the folder beside it: the `extern "C"` functions that programs call, and standard output.
//!
//! All output goes through C's standard output, so that `printf`, `puts` and `println` appear in program order; it is
//! line-buffered even into a pipe.

mod strings;
mod system;

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};
use std::io::{self, Write as _};
use std::sync::Once;

use vaisjit_abi::format::Format;
use vaisjit_abi::{CallContext, string};

use crate::text;

pub use system::time_of_day;

unsafe extern "C" {
    #[cfg_attr(any(target_os = "macos", target_os = "ios"), link_name = "__stdoutp")]
    static stdout: *mut libc::FILE;
}

/// Size of standard output's buffer, in bytes: a frame of a terminal game fits.
const BUFFER_SIZE: usize = 64 * 1024;

/// C's standard output, line-buffered.
fn standard_output() -> *mut libc::FILE {
    static BUFFERED: Once = Once::new();
    // SAFETY: `stdout` is set by the C library before anything of ours runs and never changes.
    let file = unsafe { stdout };
    BUFFERED.call_once(|| {
        // SAFETY: the file is open; the C library allocates the buffer.
        unsafe { libc::setvbuf(file, std::ptr::null_mut(), libc::_IOLBF, BUFFER_SIZE) };
    });
    file
}

/// Makes standard output line-buffered before the program writes to it by itself.
pub fn prepare_stdout() {
    standard_output();
}

/// Writes to C's standard output, in order with what programs print.
pub fn write_to_stdout(text: &str) -> io::Result<()> {
    // SAFETY: the bytes are valid for the call, the file is open.
    let written = unsafe { libc::fwrite(text.as_ptr().cast::<c_void>(), 1, text.len(), standard_output()) };
    if written == text.len() { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Writes out what is buffered.
pub fn flush_stdout() {
    // SAFETY: the file is open.
    unsafe { libc::fflush(standard_output()) };
}

/// The text that is being made of values, instead of being written.
#[derive(Default)]
struct Capture {
    on: bool,
    /// Its memory is used again and again.
    text: Vec<u8>,
}

thread_local! {
    static CAPTURED: RefCell<Capture> = const { RefCell::new(Capture { on: false, text: Vec::new() }) };
}

/// Of a text larger than this, in bytes, the memory is given back.
const KEPT_CAPTURE: usize = 1 << 20;

/// Output that cannot be written is lost, as with `printf`.
fn print(text: &str) {
    print_bytes(text.as_bytes());
}

fn print_bytes(bytes: &[u8]) {
    let captured = CAPTURED.with_borrow_mut(|capture| {
        if capture.on {
            capture.text.extend_from_slice(bytes);
        }
        capture.on
    });
    if !captured {
        // SAFETY: the bytes are valid for the call, the file is open.
        unsafe { libc::fwrite(bytes.as_ptr().cast::<c_void>(), 1, bytes.len(), standard_output()) };
    }
}

/// Forgets a text that was being made on this thread when the program failed: from now on output is written again.
pub fn forget_text() {
    CAPTURED.with_borrow_mut(|capture| capture.on = false);
}

/// A text that was being made on this thread while other code of the program runs there; dropping it goes on with it.
pub struct TextAside(Option<Vec<u8>>);

/// Sets aside the text that is being made on this thread, if one is: what runs now makes texts of its own, and writes.
pub fn set_text_aside() -> TextAside {
    CAPTURED.with_borrow_mut(|capture| {
        let was_on = std::mem::take(&mut capture.on);
        TextAside(was_on.then(|| std::mem::take(&mut capture.text)))
    })
}

impl Drop for TextAside {
    fn drop(&mut self) {
        if let Some(text) = self.0.take() {
            CAPTURED.with_borrow_mut(|capture| *capture = Capture { on: true, text });
        }
    }
}

extern "C" fn text_begin(_: *mut CallContext) {
    CAPTURED.with_borrow_mut(|capture| {
        capture.on = true;
        capture.text.clear();
    });
}

extern "C" fn text_take(ctx: *mut CallContext) -> *const c_char {
    CAPTURED.with_borrow_mut(|capture| {
        capture.on = false;
        let made = new_str(ctx, String::from_utf8_lossy(&capture.text).as_bytes());
        if capture.text.capacity() > KEPT_CAPTURE {
            capture.text = Vec::new();
        }
        made
    })
}

/// A new `str` of the program that makes the call; null, which is empty too, when it is out of memory.
fn new_str(ctx: *mut CallContext, text: &[u8]) -> *const c_char {
    // SAFETY: generated code passes its thread's context, whose services live as long as the program; the text is valid
    // for its length.
    unsafe { ((*(*ctx).services).new_str)(ctx, text.as_ptr(), text.len()).cast() }
}

/// The bytes of a `str`.
fn bytes<'a>(value: *const c_char) -> &'a [u8] {
    if value.is_null() {
        return &[];
    }
    // SAFETY: generated code passes a `str`: its length lies before its bytes, and both stay during the call.
    unsafe {
        let length = value.byte_offset(string::LENGTH_OFFSET as isize).cast::<i64>().read_unaligned();
        std::slice::from_raw_parts(value.cast::<u8>(), length as usize)
    }
}

fn lossy<'a>(value: *const c_char) -> std::borrow::Cow<'a, str> {
    String::from_utf8_lossy(bytes(value))
}

extern "C" fn print_str(_: *mut CallContext, value: *const c_char) {
    print_bytes(bytes(value));
}

/// Programs may call it too, and get a 0.
extern "C" fn print_i64(_: *mut CallContext, value: i64) -> i64 {
    let mut digits = [0; 20];
    let mut rest = &mut digits[..];
    // An `i64` has at most 20 characters.
    let _ = write!(rest, "{value}");
    let left = rest.len();
    print_bytes(&digits[..20 - left]);
    0
}

extern "C" fn print_u64(_: *mut CallContext, value: u64) {
    print(&value.to_string());
}

extern "C" fn print_i128(_: *mut CallContext, value: i128) {
    print(&value.to_string());
}

extern "C" fn print_u128(_: *mut CallContext, value: u128) {
    print(&value.to_string());
}

/// Programs may call it too, and get a 0.
extern "C" fn print_f64(_: *mut CallContext, value: f64) -> i64 {
    print(&text::float(value));
    0
}

extern "C" fn print_ptr(_: *mut CallContext, address: i64) {
    print(&format!("{address:#x}"));
}

extern "C" fn print_str_spec(_: *mut CallContext, value: *const c_char, flags: i64, sizes: i64) {
    print(&text::text_with(&lossy(value), &Format::unpack(flags, sizes)));
}

extern "C" fn print_i64_spec(_: *mut CallContext, value: i64, flags: i64, sizes: i64) {
    let bits = u128::from(value as u64);
    print(&text::integer_with(value < 0, value.unsigned_abs().into(), bits, &Format::unpack(flags, sizes)));
}

extern "C" fn print_u64_spec(_: *mut CallContext, value: u64, flags: i64, sizes: i64) {
    print(&text::integer_with(false, value.into(), value.into(), &Format::unpack(flags, sizes)));
}

extern "C" fn print_i128_spec(_: *mut CallContext, value: i128, flags: i64, sizes: i64) {
    print(&text::integer_with(value < 0, value.unsigned_abs(), value as u128, &Format::unpack(flags, sizes)));
}

extern "C" fn print_u128_spec(_: *mut CallContext, value: u128, flags: i64, sizes: i64) {
    print(&text::integer_with(false, value, value, &Format::unpack(flags, sizes)));
}

extern "C" fn print_f64_spec(_: *mut CallContext, value: f64, flags: i64, sizes: i64) {
    print(&text::float_with(value, &Format::unpack(flags, sizes)));
}

extern "C" fn str_eq(_: *mut CallContext, left: *const c_char, right: *const c_char) -> u8 {
    u8::from(bytes(left) == bytes(right))
}

extern "C" fn str_cmp(_: *mut CallContext, left: *const c_char, right: *const c_char) -> i64 {
    bytes(left).cmp(bytes(right)) as i64
}

extern "C" fn str_len(_: *mut CallContext, value: *const c_char) -> i64 {
    bytes(value).len() as i64
}

extern "C" fn str_contains(_: *mut CallContext, value: *const c_char, part: *const c_char) -> u8 {
    u8::from(text::find(bytes(value), bytes(part)).is_some())
}

extern "C" fn str_starts_with(_: *mut CallContext, value: *const c_char, part: *const c_char) -> u8 {
    u8::from(bytes(value).starts_with(bytes(part)))
}

extern "C" fn str_ends_with(_: *mut CallContext, value: *const c_char, part: *const c_char) -> u8 {
    u8::from(bytes(value).ends_with(bytes(part)))
}

extern "C" fn str_index_of(_: *mut CallContext, value: *const c_char, part: *const c_char) -> i64 {
    text::find(bytes(value), bytes(part)).map_or(-1, |at| at as i64)
}

extern "C" fn str_byte_at(_: *mut CallContext, value: *const c_char, index: i64) -> i64 {
    let index = usize::try_from(index).ok();
    index.and_then(|index| bytes(value).get(index)).map_or(-1, |byte| i64::from(*byte))
}

extern "C" fn str_char_at(_: *mut CallContext, value: *const c_char, index: i64) -> i64 {
    let index = usize::try_from(index).ok();
    index.and_then(|index| lossy(value).chars().nth(index)).map_or(-1, |found| i64::from(u32::from(found)))
}

extern "C" fn str_parse_i64_ok(_: *mut CallContext, value: *const c_char) -> u8 {
    u8::from(text::integer(&lossy(value)).is_some())
}

extern "C" fn str_parse_i64(_: *mut CallContext, value: *const c_char) -> i64 {
    text::integer(&lossy(value)).unwrap_or(0)
}

extern "C" fn str_parse_f64_ok(_: *mut CallContext, value: *const c_char) -> u8 {
    u8::from(text::number(&lossy(value)).is_some())
}

extern "C" fn str_parse_f64(_: *mut CallContext, value: *const c_char) -> f64 {
    text::number(&lossy(value)).unwrap_or(0.0)
}

extern "C" fn puts_ptr(_: *mut CallContext, text: *const c_char) -> i64 {
    if text.is_null() {
        print("\n");
        return 0;
    }
    let file = standard_output();
    // SAFETY: the program passes a C string, as it would to C's own `puts`; a wrong address faults like there.
    let written = unsafe { libc::fputs(text, file) };
    // SAFETY: the file is open.
    unsafe { libc::fputc(c_int::from(b'\n'), file) };
    written.into()
}

extern "C" fn putchar(_: *mut CallContext, character: i64) -> i64 {
    // SAFETY: the file is open.
    unsafe { libc::fputc(character as c_int, standard_output()) }.into()
}

/// Name, declaration and address of a function.
pub(crate) type Entry = (&'static str, &'static str, usize);

/// The functions that may block.
pub(crate) fn table() -> Vec<Entry> {
    let output = [
        ("print_str", "(text: str)", print_str as *const () as usize),
        ("print_i64", "(value: i64) -> i64", print_i64 as *const () as usize),
        ("print_u64", "(value: u64)", print_u64 as *const () as usize),
        ("print_i128", "(value: i128)", print_i128 as *const () as usize),
        ("print_u128", "(value: u128)", print_u128 as *const () as usize),
        ("print_f64", "(value: f64) -> i64", print_f64 as *const () as usize),
        ("print_ptr", "(address: i64)", print_ptr as *const () as usize),
        ("print_str_spec", "(text: str, flags: i64, sizes: i64)", print_str_spec as *const () as usize),
        ("print_i64_spec", "(value: i64, flags: i64, sizes: i64)", print_i64_spec as *const () as usize),
        ("print_u64_spec", "(value: u64, flags: i64, sizes: i64)", print_u64_spec as *const () as usize),
        ("print_i128_spec", "(value: i128, flags: i64, sizes: i64)", print_i128_spec as *const () as usize),
        ("print_u128_spec", "(value: u128, flags: i64, sizes: i64)", print_u128_spec as *const () as usize),
        ("print_f64_spec", "(value: f64, flags: i64, sizes: i64)", print_f64_spec as *const () as usize),
        ("text_begin", "()", text_begin as *const () as usize),
        ("puts_ptr", "(text: *i8) -> i64", puts_ptr as *const () as usize),
        ("putchar", "(character: i64) -> i64", putchar as *const () as usize),
    ];
    output.into_iter().chain(system::table()).collect()
}

/// The functions that only look at texts and make new ones (`HostFlags::heap`).
pub(crate) fn heap_table() -> Vec<Entry> {
    let mut all = strings::table();
    all.extend([
        ("str_eq", "(left: str, right: str) -> bool", str_eq as *const () as usize),
        ("str_cmp", "(left: str, right: str) -> i64", str_cmp as *const () as usize),
        ("text_take", "() -> str", text_take as *const () as usize),
        ("str_contains", "(text: str, part: str) -> bool", str_contains as *const () as usize),
        ("str_starts_with", "(text: str, part: str) -> bool", str_starts_with as *const () as usize),
        ("str_ends_with", "(text: str, part: str) -> bool", str_ends_with as *const () as usize),
        ("str_index_of", "(text: str, part: str) -> i64", str_index_of as *const () as usize),
        ("str_byte_at", "(text: str, index: i64) -> i64", str_byte_at as *const () as usize),
        ("str_char_at", "(text: str, index: i64) -> i64", str_char_at as *const () as usize),
        ("str_parse_i64_ok", "(text: str) -> bool", str_parse_i64_ok as *const () as usize),
        ("str_parse_i64", "(text: str) -> i64", str_parse_i64 as *const () as usize),
        ("str_parse_f64_ok", "(text: str) -> bool", str_parse_f64_ok as *const () as usize),
        ("str_parse_f64", "(text: str) -> f64", str_parse_f64 as *const () as usize),
        ("str_len", "(text: str) -> i64", str_len as *const () as usize),
    ]);
    all
}
