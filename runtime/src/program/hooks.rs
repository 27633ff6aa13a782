//! The program's own functions around a reload: `#[before_reload]`, `#[after_reload]` and `hot_on_reload`. All of them run
//! with the threads stopped, on the thread that commits, under a time limit, and cannot reload themselves.

use std::sync::atomic::Ordering;

use rustc_hash::FxHashSet;
use vaisjit_semantics::program::Hook;
use vaisjit_semantics::{Checked, Instance, Ty, TyKind};
use vaisjit_syntax::Name;

use super::trial::LONGEST_CODE;
use super::{ProgramInner, this_thread};
use crate::fault;
use crate::reload::prepare::Prepared;
use crate::report::{Edit, Outcome, Report};
use crate::trap::{Trap, TrapCode};

/// Why a hook stands in the way of a reload.
pub(crate) struct Objection {
    hook: Instance,
    why: String,
    help: &'static str,
}

impl Objection {
    /// Says it in a report: nothing of the save is live.
    pub fn tell(self, report: &mut Report) {
        let name = self.hook.path.name.to_string();
        let outcome = Outcome::Refused { why: self.why, help: self.help.to_owned() };
        report.edits.push(Edit { kind: "hook", name, change: "called", outcome, at: None });
        report.hold_back();
    }

    /// Says it where there is no way back.
    pub fn notice(self, why: &str) -> String {
        format!("{}, and the version before cannot be had again: {why}", self.why)
    }
}

/// The hooks of a program, in the order of its modules and of their texts.
fn hooks(checked: &Checked, wanted: Hook) -> impl Iterator<Item = Instance> {
    let marked = checked.functions.iter().filter(move |(_, function)| function.hook == Some(wanted));
    marked.map(|(instance, _)| *instance)
}

/// The module that `main` is in, or that comes first.
fn root(checked: &Checked) -> Option<Name> {
    let first = || checked.functions.keys().next().copied();
    checked.main.or_else(first).map(|instance| instance.path.module)
}

impl Prepared {
    /// The modules that a version changes.
    fn modules(&self) -> FxHashSet<Name> {
        let functions = self.functions.iter().map(|(instance, _)| instance).chain(&self.removed);
        let functions = functions.chain(self.refreshed.iter().map(|(instance, ..)| instance));
        let globals = self.globals.iter().chain(&self.resets).map(|path| path.module);
        let types = self.moved.iter().filter_map(|ty| match ty.kind() {
            TyKind::Struct(path, _) | TyKind::Enum(path, _) => Some(path.module),
            _ => None,
        });
        functions.map(|instance| instance.path.module).chain(globals).chain(types).collect()
    }
}

impl ProgramInner {
    /// Does a commit call functions of the program?
    pub fn has_hooks(&self, prepared: &Prepared) -> bool {
        self.control.has_on_reload()
            || hooks(&self.live().checked, Hook::Before).next().is_some()
            || hooks(&prepared.snapshot.checked, Hook::After).next().is_some()
    }

    /// Asks the running version: the hooks of its root module, and of each other module that changes.
    pub fn ask_before(&self, prepared: &Prepared) -> Result<(), Objection> {
        let (asked, root) = {
            let live = self.live();
            (hooks(&live.checked, Hook::Before).collect::<Vec<_>>(), root(&live.checked))
        };
        if asked.is_empty() {
            return Ok(());
        }
        let changed = prepared.modules();
        let old = self.version();
        for hook in asked {
            let module = hook.path.module;
            if Some(module) != root && !changed.contains(&module) {
                continue;
            }
            let answer = self.call_hook(hook, Hook::Before, (old, old + 1))?;
            if answer != 0 {
                let why = format!("`{}` of module `{module}` declined with {answer}", hook.path.name);
                let help = "save again when the program is ready for it; a file that is saved is tried anew";
                return Err(Objection { hook, why, help });
            }
        }
        Ok(())
    }

    /// Tells the new version that it is live.
    pub fn tell_after(&self, old: u64) -> Result<(), Objection> {
        let told: Vec<Instance> = hooks(&self.live().checked, Hook::After).collect();
        told.into_iter().try_for_each(|hook| self.call_hook(hook, Hook::After, (old, old + 1)).map(|_| ()))
    }

    fn call_hook(&self, hook: Instance, kind: Hook, (old, new): (u64, u64)) -> Result<i64, Objection> {
        let failed = |what: String| {
            let why = format!("`{}` of module `{}` {what}", hook.path.name, hook.path.module);
            let help = match kind {
                Hook::Before => "mend what it met in the program, or `hot_restart()`; the running version asks it",
                Hook::After => "mend it and save again",
            };
            Objection { hook, why, help }
        };
        let entry = self.entry(hook).map_err(|error| failed(error.to_string()))?;
        let mut numbers = [old, new];
        let arguments = &mut numbers[..entry.params.len().min(2)];
        fault::plain().map_err(&failed)?;
        let called = self.alone(|| self.enter(&entry, arguments));
        let value = called.map_err(|trap| failed(trapped(&trap)))?;
        fault::plain().map_err(&failed)?;
        Ok(if entry.result == Ty::i64() { value as i64 } else { 0 })
    }

    /// Calls the function of `hot_on_reload` for a version that has just become live. Gives what there is to say if it
    /// failed.
    pub fn tell_on_reload(&self) -> Option<String> {
        if !self.control.has_on_reload() {
            return None;
        }
        let told = self.alone(|| self.call_on_reload());
        told.err().map(|trap| format!("the function of `hot_on_reload` {}", trapped(&trap)))
    }

    /// Runs code of the program inside a reload: it may take a while, but not for ever, and reload nothing.
    pub fn alone<R>(&self, work: impl FnOnce() -> R) -> R {
        let reloads_on = self.reloads_on.swap(this_thread(), Ordering::SeqCst);
        let result = self.world.within(LONGEST_CODE, work);
        self.reloads_on.store(reloads_on, Ordering::SeqCst);
        if self.control.ending().is_some() {
            // It has asked for the end of `main`, which is stopped.
            self.interrupt();
        }
        result
    }
}

/// What became of code of the program that failed in a reload.
pub(crate) fn trapped(trap: &Trap) -> String {
    if trap.code == TrapCode::Interrupted {
        return format!("did not end within {} s", LONGEST_CODE.as_secs());
    }
    match trap.frames.first().and_then(|frame| frame.at.as_ref()) {
        Some(at) => format!("trapped: {} ({at})", trap.message),
        None => format!("trapped: {}", trap.message),
    }
}
