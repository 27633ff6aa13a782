//! Ordering between a thread's own fast path and somebody who wants all threads to stop.
//!
//! A thread announces that it runs and then reads its poll byte; the other side sets the byte and then reads what the
//! thread announced. One of the two must see the other, which takes a full fence on both sides. Where the system can
//! make all threads fence at once (`membarrier`), the frequent side needs none.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

static ASYMMETRIC: AtomicBool = AtomicBool::new(false);

/// Must returns from the host have a fence of their own? Exit thunks are made accordingly.
pub fn needs_fence() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = *REGISTERED.get_or_init(|| {
        let registered = system::register();
        ASYMMETRIC.store(registered, Ordering::SeqCst);
        registered
    });
    !registered
}

/// The frequent side, between announcing and reading.
pub(super) fn light() {
    if ASYMMETRIC.load(Ordering::Relaxed) { compiler_fence(Ordering::SeqCst) } else { fence(Ordering::SeqCst) }
}

/// The rare side, between setting and reading.
pub(super) fn heavy() {
    fence(Ordering::SeqCst);
    if ASYMMETRIC.load(Ordering::Relaxed) {
        system::fence_all_threads();
    }
}

#[cfg(target_os = "linux")]
mod system {
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: the call takes numbers only and changes no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    pub(super) fn register() -> bool {
        membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED)
    }

    pub(super) fn fence_all_threads() {
        // It cannot fail once registered; a child made by `fork` is registered as well.
        membarrier(PRIVATE_EXPEDITED);
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn fence_all_threads() {}
}
