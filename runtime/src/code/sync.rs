//! What the rendezvous is built on. The models in tests/loom put loom's primitives in the place of this file.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
pub(super) use std::sync::{Condvar, Mutex, MutexGuard};
