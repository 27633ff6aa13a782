//! Starts the real binary on a copy of a program, saves its files, and waits with deadlines for what must then be
//! seen: lines of output and events. Nothing here sleeps in the hope that something has happened by then.

mod process;
mod project;
mod pty;
mod stream;

pub use process::{Finished, Run, run_to_end};
pub use project::{Project, replaced};
pub use pty::{Terminal, shown};
pub use stream::terminal;

use std::time::Duration;

/// How long anything may take before a test fails. Far above what is usual, as test machines can be very busy.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// How often something that sends no signal is looked at.
pub const LOOK: Duration = Duration::from_millis(2);

/// Calls `ready` until it returns something; panics with `what` after the deadline.
pub fn until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(LOOK);
    }
}
