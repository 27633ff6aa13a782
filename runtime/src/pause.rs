//! What a program does after a trap when it shall not end: it waits inside the failed call for the next reload, and makes
//! that call again.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::code::{Guard, RawFrame, RawTrap, Slot};
use crate::events::Event;
use crate::program::ProgramInner;
use crate::report::Report;
use crate::told::Repaired;
use crate::trap::{Trap, TrapCode};

/// What waits for a reload.
#[derive(Clone, Copy)]
pub(crate) enum Call<'a> {
    /// A call through this guard, with its arguments kept.
    Guard(&'a Guard),
    /// A call of the host's through this slot, with its arguments kept.
    Slot(&'a Slot),
    /// A run of `main`, from its start.
    Main,
}

/// What becomes of a failed call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It is made again.
    Repeat,
    /// It waited, and ends all the same: the program is interrupted. Its trap has been told of.
    GivenUp,
    /// It ends: there is nothing to wait for.
    Refused,
}

thread_local! {
    /// The program and the version for which a call was made again at once on this thread.
    static AT_ONCE: Cell<(usize, u64)> = const { Cell::new((0, 0)) };
}

impl ProgramInner {
    /// A trap in a guarded call. True: the call shall be made again.
    pub fn pause_in_guard(self: &Arc<Self>, raw: &RawTrap, guard: &Guard) -> bool {
        self.control.unwound.store(true, Ordering::SeqCst);
        if !self.may_pause(raw.code) {
            return false;
        }
        let version = self.version();
        let since = if self.is_superseded(raw, version) { version - 1 } else { version };
        let trap = self.trap(raw);
        self.control.while_paused(|| self.wait_for_repair(&trap, Call::Guard(guard), since)) == Answer::Repeat
    }

    /// Tells of a trap and waits for a version that the call fits.
    pub fn pause(self: &Arc<Self>, trap: &Trap, call: Call<'_>) -> Answer {
        match self.may_pause(trap.code) {
            true => self.control.while_paused(|| self.wait_for_repair(trap, call, self.version())),
            false => Answer::Refused,
        }
    }

    fn wait_for_repair(self: &Arc<Self>, trap: &Trap, call: Call<'_>, mut since: u64) -> Answer {
        let Some(function) = self.name_of(call) else { return Answer::Refused };
        let ends = self.control.endings();
        self.tell_trap(&Trap { paused: Some(function.clone()), ..trap.clone() });
        // Nobody but the program would ask for a version that waits for it.
        self.apply_waiting();
        loop {
            let gives_up = || self.control.endings() != ends || self.control.ends() || self.world.is_interrupted_here();
            let Some(repaired) = self.control.told.wait_beyond(since, gives_up) else { return Answer::GivenUp };
            if self.name_of(call).is_some() {
                self.tell_resumed(&repaired, function);
                return Answer::Repeat;
            }
            since = repaired.version;
            self.tell_unfit(&function, since);
        }
    }

    /// Is the trap one that mending can undo, in a place where waiting keeps nobody from reloading?
    fn may_pause(&self, code: TrapCode) -> bool {
        let ends = code == TrapCode::Interrupted || self.control.ends();
        self.mode.pauses && !ends && self.control.is_loaded() && !self.world.acts_here() && self.reloads_here().is_ok()
    }

    /// Has the function that failed been replaced while it ran? Then the version that mends it may have come already. True
    /// once for each version: a function value may go on calling the old code.
    fn is_superseded(&self, raw: &RawTrap, version: u64) -> bool {
        let live = self.live();
        let newer = |frame: &RawFrame| {
            let meta = live.meta(&frame.unit, frame.function)?;
            let function = live.functions.get(&meta.instance)?;
            Some(!Arc::ptr_eq(&function.code.unit, &frame.unit))
        };
        let now = (std::ptr::from_ref(self) as usize, version);
        raw.frames.first().and_then(newer).unwrap_or(false) && AT_ONCE.replace(now) != now
    }

    /// The function that the call runs now; `None` if there is none that it fits.
    fn name_of(&self, call: Call<'_>) -> Option<String> {
        let live = self.live();
        let slot = match call {
            Call::Main => return live.checked.main.map(|main| main.path.name.to_string()),
            Call::Guard(guard) if guard.is_outgrown() => return None,
            Call::Guard(guard) => guard.slot(),
            Call::Slot(slot) => slot,
        };
        live.functions.values().find(|function| function.slot == *slot).map(|function| function.meta.name())
    }

    fn tell_resumed(&self, repaired: &Repaired, function: String) {
        let total_us = repaired.saved.elapsed().as_micros() as u64;
        self.tell(&Event::Resumed { version: repaired.version, function, total_us });
    }

    fn tell_unfit(&self, function: &str, version: u64) {
        let waits_for =
            format!("a `{function}` with the parameters and result of the call that failed, or a restart of `main`");
        self.tell(&Event::Pending { version, report: Arc::<Report>::default(), waits_for });
    }
}
