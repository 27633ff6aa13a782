//! The two sides of the barrier as loom knows them: a full fence each, which is what making all threads fence amounts to.

use loom::sync::atomic::{Ordering, fence};

pub(super) fn light() {
    fence(Ordering::SeqCst);
}

pub(super) fn heavy() {
    fence(Ordering::SeqCst);
}
