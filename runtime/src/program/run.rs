//! Running `main`, and calling functions by their types.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use vaisjit_codegen::clif::abi_signature;
use vaisjit_semantics::{Instance, Ty, TyKind};
use vaisjit_syntax::Name;

use super::{Program, ProgramInner};
use crate::code::{Callee, Slot, Trampoline};
use crate::engine::Error;
use crate::hot::{Ending, is_restart};
use crate::live::LiveFunction;
use crate::pause::{Answer, Call};
use crate::trap::{Trap, TrapCode};

/// A function found by name, ready to be called.
pub(crate) struct Entry {
    pub slot: Slot,
    pub trampoline: Trampoline,
    pub result: Ty,
    pub params: Vec<Ty>,
}

/// How long a restart of `main` waits for threads of the program to end. Chosen by feel.
const LONGEST_END: Duration = Duration::from_millis(500);

impl Program {
    /// Starts `main` afresh, in its newest version and with the globals kept, as `hot_restart` in the program would. All
    /// calls that are going on end at their next safepoint, those of other threads too; then [`Program::run_main`] calls
    /// `main` again. May be called from any thread; false if `main` is not running.
    pub fn restart_main(&self) -> bool {
        self.inner.control.restart(self.inner.main_is_running(), || self.inner.interrupt())
    }

    /// Runs `main` and returns the exit status it asks for: its value modulo 256, 0 if it has none. `hot_restart` in
    /// the program runs the newest `main` again, with the globals kept.
    ///
    /// If standard output is a terminal, modes that the program's texts can have switched (alternate screen, hidden
    /// cursor, colours) are switched back when `main` ends, however it ends.
    pub fn run_main(&self) -> Result<u8, Trap> {
        let missing = || Trap {
            code: TrapCode::HostFailure,
            message: "the program has no function `main`".to_owned(),
            frames: Vec::new(),
            omitted: 0,
            line: None,
            paused: None,
            deferred: Box::default(),
        };
        vaisjit_std::prepare_stdout();
        self.inner.control.begin();
        loop {
            let main = self.inner.live().checked.main.ok_or_else(missing)?;
            let entry = self.inner.entry(main).map_err(|_| missing())?;
            self.inner.count_main(true);
            if let Some(status) = self.inner.control.starts() {
                self.inner.count_main(false);
                return Ok(status);
            }
            let line = (!entry.params.is_empty()).then(|| CommandLine::new(&self.inner));
            let mut words = line.as_ref().map_or([0; 2], CommandLine::words);
            let result = self.inner.enter(&entry, &mut words);
            // Until its threads have ended, too, it is on its way out.
            self.inner.let_threads_end();
            self.inner.count_main(false);
            self.inner.restore_terminal();
            match (result, self.inner.control.take_ending()) {
                (Ok(value), None) => return Ok(exit_status(value, entry.result)),
                (Err(mut trap), Some(Ending::Restart)) => {
                    self.inner.tell_of_restart(&mut trap);
                    self.inner.take_newest();
                }
                (_, Some(Ending::Exit(status))) => return Ok(status),
                (Ok(value), Some(Ending::Restart)) => return Ok(exit_status(value, entry.result)),
                (Err(trap), None) => match self.inner.pause_main(&trap) {
                    Some(Ok(status)) => return Ok(status),
                    Some(Err(())) => return Err(trap),
                    None => {}
                },
            }
        }
    }
}

/// What C gives `main`: how many arguments there are, and where a row of their addresses lies, with a zero behind it.
struct CommandLine {
    addresses: Vec<u64>,
    /// What lies at the addresses.
    _texts: Vec<CString>,
}

impl CommandLine {
    fn new(program: &ProgramInner) -> CommandLine {
        let root = program.root.display().to_string();
        let all = std::iter::once(&root).chain(&program.engine.options.arguments);
        let texts: Vec<CString> = all.map(|text| CString::new(text.as_str()).unwrap_or_default()).collect();
        let addresses = texts.iter().map(|text| text.as_ptr() as u64).chain([0]).collect();
        CommandLine { addresses, _texts: texts }
    }

    fn words(&self) -> [u64; 2] {
        [self.addresses.len() as u64 - 1, self.addresses.as_ptr() as u64]
    }
}

/// `main`'s value modulo 256.
fn exit_status(value: u128, ty: Ty) -> u8 {
    match ty.kind() {
        TyKind::Int(_) | TyKind::Bool => value as u8,
        TyKind::Float(vaisjit_semantics::types::FloatKind::F64) => f64::from_bits(value as u64) as i64 as u8,
        TyKind::Float(_) => f32::from_bits(value as u32) as i64 as u8,
        _ => 0,
    }
}

impl ProgramInner {
    /// `main` has trapped. `None`: it is to be called again; else the status to end with, or its trap, which has been
    /// told of.
    fn pause_main(self: &Arc<Self>, trap: &Trap) -> Option<Result<u8, ()>> {
        let answer = self.control.while_main_waits(|| {
            let answer = self.pause(trap, Call::Main);
            self.let_threads_end();
            answer
        });
        match (answer, self.control.take_ending()) {
            (Answer::Repeat, None) => return None,
            (_, Some(Ending::Restart)) => {
                self.take_newest();
                return None;
            }
            (_, Some(Ending::Exit(status))) => return Some(Ok(status)),
            (Answer::Refused, None) if trap.code != TrapCode::Interrupted => self.tell_trap(trap),
            (Answer::Refused | Answer::GivenUp, None) => {}
        }
        Some(Err(()))
    }

    /// If `main` is to start again: the threads that this has ended stand in the way of no save, nor does what they held.
    fn let_threads_end(&self) {
        if self.control.restarts() && self.mode.hot {
            self.threads.wait_for_all(LONGEST_END);
            self.free_abandoned();
        }
    }

    /// Tells of what has failed in a `main` that is to start again, but not of what has only ended it.
    fn tell_of_restart(&self, trap: &mut Trap) {
        let deferred = std::mem::take(&mut trap.deferred);
        let failed = (trap.code != TrapCode::Interrupted).then_some(&*trap);
        let all = failed.into_iter().chain(&deferred);
        all.filter(|trap| !is_restart(trap)).for_each(|trap| self.tell_trap(trap));
    }

    /// A call of the host's has asked for a restart: `main` runs elsewhere, or further out.
    pub(super) fn restart_from_outside(&self) {
        if self.control.restarts() && self.main_is_running() {
            self.interrupt();
        }
    }

    /// Counts calls of `main`. Under the lock of commits: one that replaces `main` either comes before the call, which
    /// then runs the new code, or sees that `main` is running.
    fn count_main(&self, starts: bool) {
        let _live = self.live();
        let _ = match starts {
            true => self.mains_running.fetch_add(1, Ordering::SeqCst),
            false => self.mains_running.fetch_sub(1, Ordering::SeqCst),
        };
    }

    /// Is `main` ending because the program exits, so that nothing of it is run any more?
    pub fn exits(&self) -> bool {
        let asked = self.main_is_running() && matches!(self.control.ending(), Some(Ending::Exit(_)));
        asked || self.control.is_signalled()
    }

    /// Is `main` being called?
    pub fn main_is_running(&self) -> bool {
        self.mains_running.load(Ordering::SeqCst) > 0
    }

    /// A function of the program, to be called from the host.
    pub fn entry(&self, instance: Instance) -> Result<Entry, Error> {
        let function = self.live().functions.get(&instance).cloned();
        let function =
            function.ok_or_else(|| Error::Other(format!("there is no function `{}`", instance.path.name)))?;
        self.entry_of(&function)
    }

    /// The same for a function that is known.
    pub fn entry_of(&self, function: &LiveFunction) -> Result<Entry, Error> {
        let (slot, signature) = (function.slot.clone(), &function.signature);
        let trampoline = self.linkage().trampoline(&abi_signature(signature)).map_err(Error::Other)?;
        Ok(Entry { slot, trampoline, result: signature.result, params: signature.params.to_vec() })
    }

    /// A function of the root module by its name.
    pub fn find(&self, name: &str) -> Result<Instance, Error> {
        let live = self.live();
        let root = live.checked.functions.keys().next().map(|first| first.path.module);
        let found = root.map(|module| Instance::plain(vaisjit_semantics::ItemPath { module, name: Name::new(name) }));
        match found.filter(|instance| live.functions.contains_key(instance)) {
            Some(instance) => Ok(instance),
            None => {
                let in_root = live.checked.functions.keys().filter(|known| Some(known.path.module) == root);
                let names: Vec<&str> = in_root.map(|known| known.path.name.as_str()).take(20).collect();
                Err(Error::Other(format!("there is no function `{name}`; there are {}", names.join(", "))))
            }
        }
    }

    /// Calls a function; the arguments are machine words as the trampoline takes them.
    pub fn enter(&self, entry: &Entry, arguments: &mut [u64]) -> Result<u128, Trap> {
        // This thread may stand in the middle of making a text, where it was stopped for a reload.
        let _text = vaisjit_std::set_text_aside();
        let mut result = [0u64; 2];
        match self.world.enter(&entry.trampoline, Callee::Slot(&entry.slot), arguments, &mut result) {
            Ok(()) => Ok(u128::from(result[0]) | u128::from(result[1]) << 64),
            Err(raw) => {
                self.control.unwound.store(true, Ordering::SeqCst);
                let trap = self.trap(&raw);
                self.after_trap();
                Err(trap)
            }
        }
    }
}
