//! loom's primitives in the place of the standard library's.

pub(super) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
pub(super) use loom::sync::{Condvar, Mutex, MutexGuard};
