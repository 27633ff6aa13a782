//! The process around us: C functions by name, and what a closed pipe does.

use std::ffi::CString;

/// The address of a C function of the process, of the C library or of the mathematics library.
#[cfg(unix)]
pub fn c_symbol(name: &str) -> Option<usize> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name is a C string; looking it up runs no code of ours.
    let mut address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if address.is_null() {
        address = in_mathematics(&name);
    }
    (!address.is_null()).then_some(address as usize)
}

/// Rust programs do not always load the mathematics library.
#[cfg(unix)]
fn in_mathematics(name: &CString) -> *mut libc::c_void {
    let library = if cfg!(target_os = "macos") { c"libm.dylib" } else { c"libm.so.6" };
    // SAFETY: the system's mathematics library has no constructors with side effects; it stays loaded.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: the handle is open, the name is a C string.
    unsafe { libc::dlsym(handle, name.as_ptr()) }
}

/// The address of a C function.
#[cfg(not(unix))]
pub fn c_symbol(name: &str) -> Option<usize> {
    let _ = CString::new(name).ok()?;
    None
}

/// Makes writing to a closed pipe end the process quietly, as C programs end; Rust's own start-up turns that off.
pub fn end_on_closed_pipe() {
    #[cfg(unix)]
    // SAFETY: the default action involves no handler of ours.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL)
    };
}
