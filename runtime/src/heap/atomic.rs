//! Numbers that several threads of a program change: what `std/thread` is made of.

use std::sync::atomic::{AtomicI64, Ordering};

use vaisjit_abi::CallContext;

use super::calls::run;
use super::{Failure, Heap};

/// The number at an address of the program.
fn number<'a>(address: i64) -> Result<&'a AtomicI64, Failure> {
    let pointer = address as usize as *mut i64;
    if !pointer.is_aligned() {
        return Err(Failure::no("atomic number", address));
    }
    // SAFETY: aligned; readable and writable, or a fault that is a trap of the program. Called in heap functions.
    Ok(unsafe { AtomicI64::from_ptr(pointer) })
}

extern "C" fn load(context: *mut CallContext, at: i64) -> i64 {
    run(context, |_| Ok(number(at)?.load(Ordering::SeqCst)))
}

extern "C" fn store(context: *mut CallContext, at: i64, value: i64) {
    run(context, |_| {
        number(at)?.store(value, Ordering::SeqCst);
        Ok(())
    });
}

extern "C" fn add(context: *mut CallContext, at: i64, value: i64) -> i64 {
    run(context, |_| Ok(number(at)?.fetch_add(value, Ordering::SeqCst)))
}

extern "C" fn swap(context: *mut CallContext, at: i64, value: i64) -> i64 {
    run(context, |_| Ok(number(at)?.swap(value, Ordering::SeqCst)))
}

extern "C" fn compare_exchange(context: *mut CallContext, at: i64, old: i64, new: i64) -> u8 {
    run(context, |_| {
        let changed = number(at)?.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst);
        Ok(changed.is_ok().into())
    })
}

impl Heap {
    /// The number at an address in a block that somebody holds meanwhile; `None` if there is no block.
    pub(crate) fn atomic(&self, address: i64) -> Option<i64> {
        if !self.is_inside(address as usize) {
            return None;
        }
        number(address).ok().map(|number| number.load(Ordering::SeqCst))
    }
}

/// Name, declaration and address of each.
pub(super) fn functions() -> [(&'static str, &'static str, usize); 5] {
    [
        ("heap_atomic_load", "(at: i64) -> i64", load as *const () as usize),
        ("heap_atomic_store", "(at: i64, value: i64)", store as *const () as usize),
        ("heap_atomic_add", "(at: i64, value: i64) -> i64", add as *const () as usize),
        ("heap_atomic_swap", "(at: i64, value: i64) -> i64", swap as *const () as usize),
        (
            "heap_atomic_compare_exchange",
            "(at: i64, old: i64, new: i64) -> bool",
            compare_exchange as *const () as usize,
        ),
    ]
}
