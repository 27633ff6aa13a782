//! loom's primitives in the place of the standard library's.

pub(super) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
pub(super) use loom::sync::{Condvar, Mutex, MutexGuard};

/// All orders are tried anyway.
pub(super) fn lock_soon<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
