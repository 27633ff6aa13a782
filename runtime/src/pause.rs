//! What a program does after a trap when it shall not end: it waits inside the failed call for the next reload, and makes
//! that call again.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::code::{Guard, RawTrap, Repair, Slot};
use crate::events::Event;
use crate::hot::restarts;
use crate::program::ProgramInner;
use crate::reload::guards::is_thread_entry;
use crate::report::Report;
use crate::told::Repaired;
use crate::trap::{Trap, TrapCode, TrapFrame};

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

/// The version that a failed call waits for.
#[derive(Clone, Copy)]
struct Awaited {
    /// It is newer than this one.
    beyond: u64,
    /// Has old code failed? Then the running version will do, once it has been saved again.
    is_old: bool,
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
    /// The program and the version for which a call was made again at once on this thread, and where on its stack.
    static AT_ONCE: Cell<((usize, u64), usize)> = const { Cell::new(((0, 0), 0)) };
}

impl ProgramInner {
    /// A trap in a guarded call, which was made at this place of the stack. True: the call shall be made again.
    pub fn pause_in_guard(self: &Arc<Self>, raw: &RawTrap, guard: &Guard, place: usize) -> bool {
        self.control.unwound.store(true, Ordering::SeqCst);
        if !self.may_pause(raw.code, raw.message.as_deref()) {
            return false;
        }
        let version = self.version();
        let is_old = self.is_superseded(raw);
        let at_once = is_old && self.goes_outwards(version, place);
        let awaited = Awaited { beyond: if at_once { version - 1 } else { version }, is_old };
        let trap = self.trap(raw);
        self.control.while_paused(|| self.wait_for_repair(&trap, Call::Guard(guard), awaited)) == Answer::Repeat
    }

    /// Tells of a trap and waits for a version that the call fits.
    pub fn pause(self: &Arc<Self>, trap: &Trap, call: Call<'_>) -> Answer {
        match self.may_pause(trap.code, Some(&trap.message)) {
            true => {
                let awaited = Awaited { beyond: self.version(), is_old: false };
                self.control.while_paused(|| self.wait_for_repair(trap, call, awaited))
            }
            false => Answer::Refused,
        }
    }

    fn wait_for_repair(self: &Arc<Self>, trap: &Trap, call: Call<'_>, mut awaited: Awaited) -> Answer {
        let Some(function) = self.name_of(call, trap) else { return Answer::Refused };
        let (ends, unchanged) = (self.control.endings(), self.control.told.unchanged());
        self.tell_trap(&Trap { paused: Some(function.clone()), ..trap.clone() });
        // Nobody but the program would ask for a version that waits for it.
        self.apply_waiting();
        loop {
            let gives_up = || self.control.endings() != ends || self.control.ends() || self.world.is_interrupted_here();
            let will_do = || awaited.is_old && self.control.told.unchanged() != unchanged;
            let before = self.world.set_repair(Some(Repair { beyond: awaited.beyond, function: function.clone() }));
            self.before_wait();
            let repaired = self.control.told.wait_beyond(awaited.beyond, will_do, gives_up);
            self.world.set_repair(before);
            let Some(repaired) = repaired else { return Answer::GivenUp };
            if self.name_of(call, trap).is_some() {
                self.tell_resumed(&repaired, function);
                return Answer::Repeat;
            }
            awaited = Awaited { beyond: repaired.version, is_old: false };
            self.tell_unfit(&function, repaired.version);
        }
    }

    /// Is the trap one that mending can undo, in a place where waiting keeps nobody from reloading?
    fn may_pause(&self, code: TrapCode, message: Option<&str>) -> bool {
        let ends = code == TrapCode::Interrupted || restarts(code, message) || self.control.ends();
        self.mode.pauses && !ends && self.control.is_loaded() && !self.world.acts_here() && self.reloads_here().is_ok()
    }

    /// Is the code that failed older than what runs of its function now? Then the version that mends it may have come
    /// already. Code of the library fails for whoever has called it.
    fn is_superseded(&self, raw: &RawTrap) -> bool {
        let live = self.live();
        let known = |unit, function| live.meta(unit, function).map(|meta| (unit, meta));
        let mut frames = raw.frames.iter().filter_map(|frame| known(&frame.unit, frame.function));
        let own = frames.find(|(_, meta)| !meta.head(&live).is_some_and(|head| head.at.is_library()));
        own.is_some_and(|(unit, meta)| match live.functions.get(&meta.instance) {
            Some(function) => !Arc::ptr_eq(&function.code.unit, unit) && function.meta.version != meta.version,
            None => true,
        })
    }

    /// Was the call that has failed made further out than the last one that this version was tried for at once? A function
    /// value may go on calling old code, so the same call is not made again and again.
    fn goes_outwards(&self, version: u64, place: usize) -> bool {
        let now = (std::ptr::from_ref(self) as usize, version);
        let (before, last) = AT_ONCE.replace((now, place));
        before != now || place > last
    }

    /// The function that the call runs now; `None` if there is none that it fits. A thread's call is that of its function.
    fn name_of(&self, call: Call<'_>, trap: &Trap) -> Option<String> {
        let live = self.live();
        let slot = match call {
            Call::Main => return live.checked.main.map(|main| main.path.name.to_string()),
            Call::Guard(guard) if guard.is_outgrown() => return None,
            Call::Guard(guard) => guard.slot(),
            Call::Slot(slot) => slot,
        };
        let (instance, function) = live.functions.iter().find(|(_, function)| function.slot == *slot)?;
        Some(if is_thread_entry(instance) { outermost(trap) } else { function.meta.name() })
    }

    fn tell_resumed(&self, repaired: &Repaired, function: String) {
        let total_us = repaired.saved.elapsed().as_micros() as u64;
        self.tell(&Event::Resumed { version: repaired.version, function, total_us });
    }

    fn tell_unfit(&self, function: &str, version: u64) {
        let waits_for =
            format!("a `{function}` with the parameters and result of the call that failed, or a restart of `main`");
        let help = format!("save such a `{function}`, or start `main` again: `R` in the terminal");
        self.tell(&Event::Pending { version, report: Arc::<Report>::default(), waits_for, help });
    }
}

/// The function of the program's own that a thread began with.
fn outermost(trap: &Trap) -> String {
    let is_own = |frame: &&TrapFrame| frame.at.as_ref().is_some_and(|at| !at.is_library());
    let own = trap.frames.iter().rev().find(is_own).filter(|_| trap.omitted == 0);
    own.map_or_else(|| "the thread's function".to_owned(), |frame| frame.function.clone())
}
