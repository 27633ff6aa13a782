//! When retired code is swept: soon after it is retired, but not so often that threads with deep stacks, which take long
//! to look at, stand still for nothing else.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::safepoint::SafepointKind;
use super::world::{Shared, World, lock};

/// A sweep may take one part in so many of the time. Chosen by feel.
const SHARE: u32 = 20;

/// A sweep does not wait when so many more units are retired than the last one has left: memory must not grow because a
/// machine is busy. Chosen by feel.
const MANY: usize = 64;

/// What is known of sweeps.
#[derive(Default)]
pub(super) struct Sweeping(Mutex<State>);

#[derive(Default)]
struct State {
    /// Has one been asked for that has not begun?
    is_due: bool,
    /// Does a thread wait to ask for one?
    is_waiting: bool,
    /// When the next one may begin.
    next: Option<Instant>,
    /// How many units the last one could not free.
    left: usize,
}

impl World {
    /// Has retired code swept at a safepoint, soon.
    pub fn sweep_soon(&self) {
        self.shared().sweep_soon(self.retired());
    }
}

impl Shared {
    fn sweep_soon(self: &Arc<Self>, retired: usize) {
        let Some(delay) = self.sweeping.begin_wait(retired) else { return };
        if delay.is_zero() {
            return self.request_sweep();
        }
        let shared = Arc::downgrade(self);
        let later = move || {
            std::thread::sleep(delay);
            if let Some(shared) = shared.upgrade().filter(|shared| shared.sweeping.end_wait()) {
                shared.request_sweep();
            }
        };
        if std::thread::Builder::new().name("vaisjit-sweeper".to_owned()).spawn(later).is_err()
            && self.sweeping.end_wait()
        {
            self.request_sweep();
        }
    }

    fn request_sweep(self: &Arc<Self>) {
        let shared = Arc::downgrade(self);
        self.request(SafepointKind::Sweep, move |stopped| {
            let Some(shared) = shared.upgrade() else { return };
            lock(&shared.sweeping.0).is_due = false;
            let begun = Instant::now();
            let (_, left) = stopped.sweep();
            let mut state = lock(&shared.sweeping.0);
            (state.next, state.left) = (Some(Instant::now() + begun.elapsed() * SHARE), left);
        });
    }
}

impl Sweeping {
    /// How long the next sweep has to wait; `None` if one is due already, which will see to it.
    fn begin_wait(&self, retired: usize) -> Option<Duration> {
        let mut state = lock(&self.0);
        let has_many = retired >= 2 * state.left + MANY;
        if state.is_due || state.is_waiting && !has_many {
            return None;
        }
        let next = state.next.filter(|_| !has_many);
        let delay = next.map_or(Duration::ZERO, |next| next.saturating_duration_since(Instant::now()));
        *if delay.is_zero() { &mut state.is_due } else { &mut state.is_waiting } = true;
        Some(delay)
    }

    /// The wait is over. Is a sweep to be asked for?
    fn end_wait(&self) -> bool {
        let mut state = lock(&self.0);
        state.is_waiting = false;
        !std::mem::replace(&mut state.is_due, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_retired_units_do_not_wait_for_a_sweep_that_may_be_late() {
        let sweeping = Sweeping::default();
        {
            let mut state = lock(&sweeping.0);
            (state.next, state.left) = (Some(Instant::now() + Duration::from_secs(3600)), 10);
        }
        assert!(sweeping.begin_wait(30).is_some_and(|delay| !delay.is_zero()));
        assert_eq!(sweeping.begin_wait(2 * 10 + MANY - 1), None);
        assert_eq!(sweeping.begin_wait(2 * 10 + MANY), Some(Duration::ZERO));
        assert_eq!(sweeping.begin_wait(1000), None, "it is asked for");
        assert!(!sweeping.end_wait(), "the other will see to it");
        lock(&sweeping.0).is_due = false;
        assert!(sweeping.begin_wait(30).is_some() && sweeping.end_wait());
    }
}
