//! The world outside: standard input, environment, clocks, files. All of it may block.

use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vaisjit_abi::CallContext;

use super::{Entry, bytes, flush_stdout, lossy, new_str};

unsafe extern "C" {
    #[cfg_attr(any(target_os = "macos", target_os = "ios"), link_name = "__stdinp")]
    static stdin: *mut libc::FILE;
}

/// Has reading standard input come to its end?
static AT_END: AtomicBool = AtomicBool::new(false);

/// A line without its end; empty at the end of the input. It is read through C's standard input, as `getchar` and `scanf`
/// do.
extern "C" fn io_read_line(ctx: *mut CallContext) -> *const c_char {
    // What was asked stands there before the answer is waited for.
    flush_stdout();
    let (mut line, mut room) = (std::ptr::null_mut::<c_char>(), 0);
    // SAFETY: `stdin` is set by the C library before anything of ours runs; the line starts without memory.
    let length = unsafe { libc::getline(&mut line, &mut room, stdin) };
    AT_END.store(length < 0, Ordering::Relaxed);
    let text: &[u8] = match usize::try_from(length) {
        // SAFETY: `getline` has read this many bytes to there.
        Ok(length) => unsafe { std::slice::from_raw_parts(line.cast(), length) },
        Err(_) => &[],
    };
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let made = new_str(ctx, String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text)).as_bytes());
    // SAFETY: the memory comes from `getline`; it may be null.
    unsafe { libc::free(line.cast::<c_void>()) };
    made
}

extern "C" fn io_at_end(_: *mut CallContext) -> u8 {
    AT_END.load(Ordering::Relaxed).into()
}

extern "C" fn env_var(ctx: *mut CallContext, name: *const c_char) -> *const c_char {
    let value = variable(name).unwrap_or_default();
    new_str(ctx, value.as_bytes())
}

extern "C" fn env_has(_: *mut CallContext, name: *const c_char) -> u8 {
    variable(name).is_some().into()
}

fn variable(name: *const c_char) -> Option<String> {
    let name = lossy(name);
    // Such names are no names, and asking for them would panic.
    let possible = !name.is_empty() && !name.contains(['=', '\0']);
    possible.then(|| std::env::var_os(&*name)).flatten().map(|value| value.to_string_lossy().into_owned())
}

/// Hour, minute and second of a moment where this computer is; in universal time if that is not known.
pub fn time_of_day(at: SystemTime) -> (u32, u32, u32) {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut day = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: the time is read and the day written; null, and nothing written, if it cannot be told.
    let told = unsafe { !libc::localtime_r(&(seconds as libc::time_t), day.as_mut_ptr()).is_null() };
    // SAFETY: all zeroes is a valid day, and what the C library has written is one.
    let day = unsafe { day.assume_init() };
    match told {
        true => (day.tm_hour as u32, day.tm_min as u32, day.tm_sec as u32),
        false => ((seconds / 3600 % 24) as u32, (seconds / 60 % 60) as u32, (seconds % 60) as u32),
    }
}

extern "C" fn time_now_us(_: *mut CallContext) -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

extern "C" fn time_monotonic_us(_: *mut CallContext) -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_micros() as i64
}

extern "C" fn time_sleep_us(_: *mut CallContext, time: i64) {
    std::thread::sleep(Duration::from_micros(u64::try_from(time).unwrap_or(0)));
}

extern "C" fn random_seed_os(_: *mut CallContext) -> i64 {
    RandomState::new().build_hasher().finish() as i64
}

thread_local! {
    /// What became of the thread's last operation on a file.
    static FAILED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes what became of an operation.
fn noted<T>(result: std::io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => {
            FAILED.set(None);
            Some(value)
        }
        Err(error) => {
            FAILED.set(Some(error.to_string()));
            None
        }
    }
}

extern "C" fn file_read(ctx: *mut CallContext, path: *const c_char) -> *const c_char {
    let text = noted(std::fs::read(&*lossy(path))).unwrap_or_default();
    new_str(ctx, String::from_utf8_lossy(&text).as_bytes())
}

extern "C" fn file_ok(_: *mut CallContext) -> u8 {
    FAILED.with_borrow(|failed| failed.is_none()).into()
}

extern "C" fn file_error(ctx: *mut CallContext) -> *const c_char {
    let text = FAILED.with_borrow(|failed| failed.clone().unwrap_or_default());
    new_str(ctx, text.as_bytes())
}

extern "C" fn file_write(_: *mut CallContext, path: *const c_char, text: *const c_char) -> u8 {
    noted(std::fs::write(&*lossy(path), bytes(text))).is_some().into()
}

extern "C" fn file_append(_: *mut CallContext, path: *const c_char, text: *const c_char) -> u8 {
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&*lossy(path));
    noted(file.and_then(|mut file| file.write_all(bytes(text)))).is_some().into()
}

extern "C" fn file_exists(_: *mut CallContext, path: *const c_char) -> u8 {
    std::path::Path::new(&*lossy(path)).exists().into()
}

extern "C" fn file_remove(_: *mut CallContext, path: *const c_char) -> u8 {
    noted(std::fs::remove_file(&*lossy(path))).is_some().into()
}

/// Size in bytes, -1 if there is no such file.
extern "C" fn file_size(_: *mut CallContext, path: *const c_char) -> i64 {
    noted(std::fs::metadata(&*lossy(path))).map_or(-1, |found| found.len() as i64)
}

/// Name, declaration and address of each.
pub(super) fn table() -> Vec<Entry> {
    vec![
        ("io_read_line", "() -> str", io_read_line as *const () as usize),
        ("io_at_end", "() -> bool", io_at_end as *const () as usize),
        ("env_var", "(name: str) -> str", env_var as *const () as usize),
        ("env_has", "(name: str) -> bool", env_has as *const () as usize),
        ("time_now_us", "() -> i64", time_now_us as *const () as usize),
        ("time_monotonic_us", "() -> i64", time_monotonic_us as *const () as usize),
        ("time_sleep_us", "(time: i64)", time_sleep_us as *const () as usize),
        ("random_seed_os", "() -> i64", random_seed_os as *const () as usize),
        ("file_read", "(path: str) -> str", file_read as *const () as usize),
        ("file_ok", "() -> bool", file_ok as *const () as usize),
        ("file_error", "() -> str", file_error as *const () as usize),
        ("file_write", "(path: str, text: str) -> bool", file_write as *const () as usize),
        ("file_append", "(path: str, text: str) -> bool", file_append as *const () as usize),
        ("file_exists", "(path: str) -> bool", file_exists as *const () as usize),
        ("file_remove", "(path: str) -> bool", file_remove as *const () as usize),
        ("file_size", "(path: str) -> i64", file_size as *const () as usize),
    ]
}
