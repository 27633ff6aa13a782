//! What the tests of the heap share.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Random numbers; prints its seed.
pub(super) struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// With the seed in `VAISJIT_SEED`, or one of the clock's.
    pub(super) fn new() -> Random {
        let given = std::env::var("VAISJIT_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64);
        let seed = given.unwrap_or_else(now) | 1;
        Random { seed, state: seed }
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.state >> 1) * end as u128) >> 63) as usize
    }
}

impl fmt::Display for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VAISJIT_SEED={}", self.seed)
    }
}
