//! What the rendezvous is built on. The models in tests/loom put loom's primitives in the place of this file.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
pub(super) use std::sync::{Condvar, Mutex, MutexGuard};

use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How long it is better to look again than to sleep: about what it takes to be woken.
const SPIN: Duration = Duration::from_micros(50);

/// Locks what is held for a few steps and system calls only.
pub(super) fn lock_soon<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    let begun = Instant::now();
    loop {
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) if begun.elapsed() < SPIN => std::hint::spin_loop(),
            Err(TryLockError::WouldBlock) => return mutex.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}
