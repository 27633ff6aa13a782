//! The program's own functions around a reload: `#[before_reload]`, `#[after_reload]` and `hot_on_reload`. All of them run
//! with the threads stopped, on the thread that commits, under a time limit, and cannot reload themselves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustc_hash::FxHashSet;
use vaisjit_semantics::hir::Body;
use vaisjit_semantics::program::Hook;
use vaisjit_semantics::{Checked, Instance, Ty, TyKind};
use vaisjit_syntax::Name;

use super::pending::lock;
use super::trial::LONGEST_CODE;
use super::{ProgramInner, this_thread};
use crate::fault;
use crate::hot::is_restart;
use crate::live::LiveFunction;
use crate::reload::prepare::Prepared;
use crate::report::{Edit, Outcome, Report};
use crate::trap::{Trap, TrapCode};

/// Why a hook stands in the way of a reload.
pub(crate) struct Objection {
    hook: Instance,
    why: String,
    help: String,
}

/// What is remembered of hooks between two attempts to reload.
#[derive(Default)]
pub(crate) struct Asked {
    /// Those that have failed, and are in the running version as they were then.
    failed: Mutex<Vec<Failed>>,
    /// What is running, a hook or other code that a reload calls, for people.
    running: Mutex<Option<String>>,
    /// Does the user want the reload whatever hooks say?
    insists: AtomicBool,
    /// Has one stood in the way of the last attempt?
    objected: AtomicBool,
}

/// A hook that has trapped or was too slow.
struct Failed {
    hook: Instance,
    /// It and what it was calling when it failed.
    involved: Vec<(Instance, Arc<Body>)>,
}

impl Failed {
    /// Is it in the program as it was when it failed?
    fn is_in(&self, checked: &Checked) -> bool {
        self.involved.iter().find(|(instance, _)| *instance == self.hook).is_some_and(|own| stands(own, checked))
    }

    /// Has everything that took part been left as it was?
    fn is_untouched_in(&self, checked: &Checked) -> bool {
        self.involved.iter().all(|one| stands(one, checked))
            && checked.functions.get(&self.hook).is_some_and(|function| function.hook == Some(Hook::Before))
    }
}

/// Has the program this function, unchanged?
fn stands((instance, body): &(Instance, Arc<Body>), checked: &Checked) -> bool {
    checked.functions.get(instance).is_some_and(|function| Arc::ptr_eq(&function.body, body))
}

impl Asked {
    /// Does this with the user's wish to have the reload whatever hooks say, if it `insists`.
    pub fn insisting<R>(&self, insists: bool, work: impl FnOnce() -> R) -> R {
        self.insists.store(insists, Ordering::SeqCst);
        self.objected.store(false, Ordering::SeqCst);
        let result = work();
        self.insists.store(false, Ordering::SeqCst);
        result
    }

    /// Has a hook stood in the way of what was done last in [`Asked::insisting`]?
    pub fn has_objected(&self) -> bool {
        self.objected.load(Ordering::SeqCst)
    }

    /// What a reload waits for while it calls code of the program.
    pub fn running(&self) -> Option<String> {
        lock(&self.running).clone()
    }

    /// Notes what code of the program a reload calls, for people.
    pub fn while_running<R>(&self, code: &str, work: impl FnOnce() -> R) -> R {
        let what = format!("{code}, which the reload calls, to return");
        let before = lock(&self.running).replace(what);
        let result = work();
        *lock(&self.running) = before;
        result
    }

    /// Remembers that a hook of this version has failed.
    fn remember(&self, failed: Failed, checked: &Checked) {
        let mut all = lock(&self.failed);
        all.retain(|other| other.hook != failed.hook && other.is_in(checked));
        all.push(failed);
    }

    /// Has the hook of the running version failed?
    fn has_failed(&self, hook: Instance, running: &Checked) -> bool {
        lock(&self.failed).iter().any(|failed| failed.hook == hook && failed.is_in(running))
    }

    /// Has the hook of the running version failed, and does the new one change or remove what failed?
    fn is_mended(&self, hook: Instance, running: &Checked, new: &Checked) -> bool {
        let all = lock(&self.failed);
        all.iter().any(|failed| failed.hook == hook && failed.is_in(running) && !failed.is_untouched_in(new))
    }
}

impl Objection {
    /// Says it in a report: nothing of the save is live.
    pub fn tell(self, report: &mut Report) {
        let name = self.hook.path.name.to_string();
        let outcome = Outcome::Refused { why: self.why, help: self.help };
        report.edits.push(Edit { kind: "hook", name, change: "called", outcome, at: None });
        report.hold_back();
    }

    /// Says it where there is no way back.
    pub fn notice(self, why: &str) -> String {
        format!("{}, and the version before cannot be had again: {why}", self.why)
    }
}

/// A hook or a migration, for people.
pub(super) fn called(hook: Instance) -> String {
    format!("`{}` of module `{}`", hook.path.name, hook.path.module)
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

    /// Asks the running version: the hooks of its root module, and of each other module that changes. One that has failed
    /// and that the new version changes is not asked again, and nobody is obeyed if the user insists.
    pub fn ask_before(&self, prepared: &mut Prepared) -> Result<(), Objection> {
        let (running, root) = {
            let live = self.live();
            (live.checked.clone(), root(&live.checked))
        };
        let changed = prepared.modules();
        let concerned = |hook: &Instance| Some(hook.path.module) == root || changed.contains(&hook.path.module);
        let insists = self.asked.insists.load(Ordering::SeqCst);
        for hook in hooks(&running, Hook::Before).filter(concerned).collect::<Vec<_>>() {
            let why = match self.asked.is_mended(hook, &running, &prepared.snapshot.checked) {
                true => Some("this save changes it"),
                false => (insists && self.asked.has_failed(hook, &running)).then_some("you want the save all the same"),
            };
            if let Some(why) = why {
                let text = format!("{} was not asked again: it failed, and {why}", called(hook));
                prepared.report.hints.push(text.clone());
                prepared.report.notices.push(text);
                continue;
            }
            let Err(objection) = self.ask(hook, &prepared.snapshot.checked) else { continue };
            if !insists {
                self.asked.objected.store(true, Ordering::SeqCst);
                return Err(objection);
            }
            prepared.report.notices.push(format!("{}; applied all the same, as you asked for it", objection.why));
        }
        Ok(())
    }

    /// Asks one hook whether this version may come.
    fn ask(&self, hook: Instance, new: &Checked) -> Result<(), Objection> {
        let old = self.version();
        let answer = self.call_hook(hook, Hook::Before, (old, old + 1)).map_err(|mut objection| {
            let live = self.live().checked.clone();
            if self.asked.is_mended(hook, &live, new) {
                objection.help = "this save changes it: press r, and it is not asked again".to_owned();
            }
            objection
        })?;
        if answer == 0 {
            return Ok(());
        }
        let why = format!("{} declined with {answer}", called(hook));
        let help = "save again when the program is ready for it, or press r (asks it again), and r once more: then the save \
                    is applied whatever it says, as it is by R";
        Err(Objection { hook, why, help: help.to_owned() })
    }

    /// Tells the new version that it is live.
    pub fn tell_after(&self, old: u64) -> Result<(), Objection> {
        let told: Vec<Instance> = hooks(&self.live().checked, Hook::After).collect();
        told.into_iter().try_for_each(|hook| self.call_hook(hook, Hook::After, (old, old + 1)).map(|_| ()))
    }

    fn call_hook(&self, hook: Instance, kind: Hook, (old, new): (u64, u64)) -> Result<i64, Objection> {
        let failed = |what: String| {
            let why = format!("{} {what}", called(hook));
            let help = match kind {
                Hook::Before => {
                    "mend it and save: a hook that failed is not asked about a save that changes it; or press r twice, or R: \
                     then the save is applied whatever it does"
                }
                Hook::After => "mend it and save again",
            };
            Objection { hook, why, help: help.to_owned() }
        };
        let entry = self.entry(hook).map_err(|error| failed(error.to_string()))?;
        let mut numbers = [old, new];
        let arguments = &mut numbers[..entry.params.len().min(2)];
        fault::plain().map_err(&failed)?;
        let called = self.asked.while_running(&called(hook), || self.alone(|| self.enter(&entry, arguments)));
        if kind == Hook::After && called.as_ref().is_err_and(is_restart) {
            // It has come to its end: `main` starts in the version that it was told of.
            return Ok(0);
        }
        let value = called.map_err(|trap| {
            if kind == Hook::Before {
                self.remember_failed(hook, &trap);
            }
            let interrupted = trap.code == TrapCode::Interrupted && self.control.ends();
            failed(if interrupted { "was interrupted".to_owned() } else { trapped(&trap) })
        })?;
        fault::plain().map_err(&failed)?;
        Ok(if entry.result == Ty::i64() { value as i64 } else { 0 })
    }

    /// Remembers a hook that has failed, with what it was calling.
    fn remember_failed(&self, hook: Instance, trap: &Trap) {
        let live = self.live();
        let took_part = |function: &LiveFunction| {
            let name = function.meta.name();
            trap.frames.iter().any(|frame| frame.function == name)
        };
        let parts = live.functions.iter().filter(|(instance, function)| **instance == hook || took_part(function));
        let bodies =
            parts.filter_map(|(instance, _)| Some((*instance, live.checked.functions.get(instance)?.body.clone())));
        self.asked.remember(Failed { hook, involved: bodies.collect() }, &live.checked);
    }

    /// Calls the function of `hot_on_reload` for a version that has just become live. Gives what there is to say if it
    /// failed.
    pub fn tell_on_reload(&self) -> Option<String> {
        if !self.control.has_on_reload() {
            return None;
        }
        let named = "the function of `hot_on_reload`";
        let told = self.asked.while_running(named, || self.alone(|| self.call_on_reload()));
        told.err().map(|trap| format!("{named} {}", trapped(&trap)))
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
