//! Faults on purpose: a test can make the nth step of a preparation or trial fail. Costs one load where nobody does.

use std::cell::Cell;

use crate::reload::migrate::Denied;
use crate::report::{Edit, Outcome, Report};

thread_local! {
    /// Steps until the fault; 0 for none.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// A step of a preparation or trial that may fail.
pub(crate) fn point() -> Result<(), Denied> {
    let left = LEFT.get();
    if left == 0 {
        return Ok(());
    }
    LEFT.set(left - 1);
    if left > 1 {
        return Ok(());
    }
    let text = |text: &str| text.to_owned();
    Err(Denied { name: text("a test"), why: text("a fault was injected"), help: text("there is nothing to do") })
}

/// The same while a reload is prepared: true, and the report says so, if the step fails.
pub(crate) fn strikes(report: &mut Report) -> bool {
    let Err(Denied { name, why, help }) = point() else { return false };
    let outcome = Outcome::Refused { why, help };
    report.edits.push(Edit { kind: "global", name, change: "changed", outcome, at: None });
    true
}

/// Makes the `step`th step on this thread fail, counted from 1; 0 takes it back. Gives how many steps were left. For tests
/// only.
#[doc(hidden)]
pub fn inject(step: u64) -> u64 {
    LEFT.replace(step)
}
