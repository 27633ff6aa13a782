//! Faults on purpose: a test can make the nth step of a preparation or trial fail. Costs one load where nobody does.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::reload::migrate::Denied;
use crate::report::{Edit, Outcome, Report};

/// What a step that was made to fail says.
const INJECTED: &str = "a fault was injected";

/// A fault that is still to come.
#[derive(Default)]
pub(crate) struct Fault {
    /// Steps until then; 0 for none.
    left: AtomicU64,
    /// The step that has failed.
    struck: Mutex<Option<&'static Location<'static>>>,
}

thread_local! {
    /// That of the reload this thread works for.
    static HERE: RefCell<Option<Arc<Fault>>> = const { RefCell::new(None) };
}

/// What another thread needs to work for the same reload.
pub(crate) fn here() -> Option<Arc<Fault>> {
    HERE.with_borrow(Clone::clone)
}

/// Works for the reload of another thread.
pub(crate) fn on<R>(fault: Option<Arc<Fault>>, work: impl FnOnce() -> R) -> R {
    let before = HERE.replace(fault);
    let result = work();
    HERE.set(before);
    result
}

/// Is this step to fail?
#[track_caller]
fn fails() -> bool {
    let at = Location::caller();
    HERE.with_borrow(|fault| fault.as_ref().is_some_and(|fault| fault.strikes(at)))
}

impl Fault {
    fn strikes(&self, at: &'static Location<'static>) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 1 {
            *self.struck.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
        }
        left == 1
    }
}

/// A step of a preparation or trial that may fail.
#[track_caller]
pub(crate) fn point() -> Result<(), Denied> {
    let text = |text: &str| text.to_owned();
    match fails() {
        false => Ok(()),
        true => Err(Denied {
            name: text("a test"),
            why: text(INJECTED),
            help: text("there is nothing to do"),
            pinned_by: None,
        }),
    }
}

/// The same where machine code is made or linked, or code of the program is called.
#[track_caller]
pub(crate) fn plain() -> Result<(), String> {
    if fails() { Err(INJECTED.to_owned()) } else { Ok(()) }
}

/// The same while a reload is prepared: true, and the report says so, if the step fails.
#[track_caller]
pub(crate) fn strikes(report: &mut Report) -> bool {
    let Err(Denied { name, why, help, .. }) = point() else { return false };
    let outcome = Outcome::Refused { why, help };
    report.edits.push(Edit { kind: "global", name, change: "changed", outcome, at: None });
    true
}

/// Makes the `step`th step of what this thread reloads fail, counted from 1; 0 takes it back. Gives how many steps were
/// left. For tests only.
#[doc(hidden)]
pub fn inject(step: u64) -> u64 {
    let new = Fault { left: AtomicU64::new(step), ..Fault::default() };
    let before = HERE.replace((step > 0).then(|| Arc::new(new)));
    before.map_or(0, |before| before.left.load(Ordering::Relaxed))
}

/// Where the step was that has failed: file and line of this crate.
#[cfg(test)]
fn struck() -> Option<&'static Location<'static>> {
    HERE.with_borrow(|fault| *fault.as_ref()?.struck.lock().unwrap_or_else(PoisonError::into_inner))
}
