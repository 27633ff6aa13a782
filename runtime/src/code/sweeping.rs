//! When retired code is swept: soon after it is retired, but not so often that threads with deep stacks, which take long
//! to look at, stand still for nothing else.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::safepoint::SafepointKind;
use super::world::{Shared, World, lock};

/// A sweep may take one part in so many of the time. Chosen by feel.
const SHARE: u32 = 20;

/// What is known of sweeps.
#[derive(Default)]
pub(super) struct Sweeping(Mutex<State>);

#[derive(Default)]
struct State {
    /// Has one been asked for that has not begun?
    is_due: bool,
    /// When the next one may begin.
    next: Option<Instant>,
}

impl World {
    /// Has retired code swept at a safepoint, soon.
    pub fn sweep_soon(&self) {
        self.shared().sweep_soon();
    }
}

impl Shared {
    fn sweep_soon(self: &Arc<Self>) {
        let Some(delay) = self.sweeping.begin_wait() else { return };
        if delay.is_zero() {
            return self.request_sweep();
        }
        let shared = Arc::downgrade(self);
        let later = move || {
            std::thread::sleep(delay);
            shared.upgrade().iter().for_each(Shared::request_sweep);
        };
        if std::thread::Builder::new().name("vaisjit-sweeper".to_owned()).spawn(later).is_err() {
            self.request_sweep();
        }
    }

    fn request_sweep(self: &Arc<Self>) {
        let shared = Arc::downgrade(self);
        self.request(SafepointKind::Sweep, move |stopped| {
            let Some(shared) = shared.upgrade() else { return };
            lock(&shared.sweeping.0).is_due = false;
            let begun = Instant::now();
            stopped.sweep();
            lock(&shared.sweeping.0).next = Some(Instant::now() + begun.elapsed() * SHARE);
        });
    }
}

impl Sweeping {
    /// How long the next sweep has to wait; `None` if one is due already, which will see to it.
    fn begin_wait(&self) -> Option<Duration> {
        let mut state = lock(&self.0);
        if std::mem::replace(&mut state.is_due, true) {
            return None;
        }
        Some(state.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(Instant::now())))
    }
}
