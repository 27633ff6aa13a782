//! `std/hot`: how a program steers its own reloads, and the state behind it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use vaisjit_abi::HostFlags;
use vaisjit_codegen::host_calls;
use vaisjit_semantics::Checked;

use crate::code::closure::{FunctionValue, HostClosure, IntoHostClosure, StrValue};
use crate::driver::{Driver, Watching};
use crate::engine::Error;
use crate::events::Event;
use crate::history::Cause;
use crate::program::{Pending, ProgramInner, Reloader, Staged, Update, way_out};
use crate::report::{Clock, Report};
use crate::told::Told;
use crate::trap::{Trap, TrapCode};

/// A call of `hot_loop`'s function that took less gives up the processor afterwards.
const SHORT_TURN: Duration = Duration::from_millis(1);

/// How long a version rests that was put off as other threads stood in its way, each time twice as long. Chosen by feel.
const SHORTEST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(5);

/// What a reload waits for in a program that chooses the moment itself.
pub(crate) const ITS_OWN_CALL: &str = "a call of hot_check or hot_reload";

/// The message of the trap that `hot_restart` ends `main` with.
const RESTARTS: &str = "the program restarts";

/// What `hot_rollback` gives if there is no such version, if the version was refused, and if something else came first.
const NO_VERSION: i64 = -1;
const TURNED_DOWN: i64 = -2;
const NOT_NOW: i64 = -3;

/// Has `hot_restart` made the trap, to end `main`?
pub(crate) fn is_restart(trap: &Trap) -> bool {
    restarts(trap.code, Some(&trap.message))
}

/// The same of one with this code and message.
pub(crate) fn restarts(code: TrapCode, message: Option<&str>) -> bool {
    code == TrapCode::HostFailure && message == Some(RESTARTS)
}

/// How `main` was ended from inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// `exit(status)`.
    Exit(u8),
    /// `hot_restart()`.
    Restart,
}

/// The state behind `std/hot`.
#[derive(Default)]
pub(crate) struct Control {
    /// Does the program choose the moment of each reload?
    manual: AtomicBool,
    /// Is nothing applied that is saved?
    held: AtomicBool,
    /// A version that waits for the program to ask for it.
    staged: Mutex<Option<Staged>>,
    /// Reloads that `hot_check` has not told of.
    reloads: AtomicU64,
    /// Failed saves that `hot_check` has not told of.
    failures: AtomicU64,
    /// Who listens, with the number of the watching that ends it.
    subscribers: Mutex<Vec<(u64, Sender<Event>)>>,
    ending: Mutex<Option<Ending>>,
    /// The function to call after each reload.
    on_reload: Mutex<Option<FunctionValue>>,
    /// The version `on_reload` was last told of.
    told_version: AtomicU64,
    /// The watching that the program started itself.
    watching: Mutex<Option<Watching>>,
    turn_started: Mutex<Option<Instant>>,
    /// Has a call ended with a trap, and left values on the heap that nobody will give up?
    pub unwound: AtomicBool,
    /// The exit status that a signal asked for; 0 for none.
    pub signalled: Arc<AtomicUsize>,
    /// Does the process end with the program?
    pub owns_process: AtomicBool,
    /// Has everybody been told that the process ends? Held while they are.
    pub end_told: Mutex<bool>,
    /// Held by the reload thread from the first look at a save until everybody has been told of it.
    pub busy: Mutex<()>,
    /// The newest version that has been told of.
    pub told: Told,
    /// How often the program has been interrupted.
    interrupts: AtomicU64,
    loaded: AtomicBool,
    /// How many calls wait for a reload.
    paused: AtomicUsize,
    /// Has `main` trapped, and waits for a reload?
    main_waits: AtomicBool,
    /// How many reload threads are at work.
    drivers: AtomicU64,
    /// The number of the next watching.
    next_watching: AtomicU64,
    /// How many wait for an answer to what a save would do.
    questions: AtomicUsize,
    /// Does a commit wait for frames that stand in its way?
    pub stuck: AtomicBool,
    /// What stood in the way of the last commit that a call in the program gave up as only other threads did.
    put_off: Mutex<Option<String>>,
    /// When the version that was put off is tried again, and how long it rests until then.
    rest: Mutex<Option<(Instant, Duration)>>,
}

/// Somebody who waits for an answer.
pub(crate) struct Asking<'c>(&'c AtomicUsize);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Control {
    /// Before the first call of what is run.
    pub fn begin(&self) {
        *lock(&self.ending) = None;
    }

    /// `main` is being called: that is what everybody wants who has asked for a restart until now. Gives the status if an
    /// exit has been asked for.
    pub fn starts(&self) -> Option<u8> {
        match self.take_ending() {
            Some(Ending::Exit(status)) => Some(status),
            Some(Ending::Restart) | None => None,
        }
    }

    /// How `main` was ended, if it was.
    pub fn take_ending(&self) -> Option<Ending> {
        let signalled = self.signalled.load(Ordering::SeqCst);
        if signalled != 0 {
            return Some(Ending::Exit(signalled as u8));
        }
        lock(&self.ending).take()
    }

    /// Does a call wait for a reload?
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst) > 0
    }

    /// Counts a call that waits for a reload.
    pub fn while_paused<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.paused.fetch_add(1, Ordering::SeqCst);
        let answer = wait();
        self.paused.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    /// Is the program about to end or to start again?
    pub fn ends(&self) -> bool {
        self.is_signalled() || self.ending().is_some()
    }

    /// Has a signal asked the process to end?
    pub fn is_signalled(&self) -> bool {
        self.signalled.load(Ordering::SeqCst) != 0
    }

    /// Is the process ending with the program? Then nothing new becomes live.
    pub fn ends_process(&self) -> bool {
        let exits = || matches!(self.ending(), Some(Ending::Exit(_)));
        self.is_signalled() || self.owns_process.load(Ordering::SeqCst) && exits()
    }

    /// How often the program has been interrupted.
    pub fn endings(&self) -> u64 {
        self.interrupts.load(Ordering::SeqCst)
    }

    /// The program is being interrupted: who waits for a reload stops waiting.
    pub fn note_interrupt(&self) {
        self.interrupts.fetch_add(1, Ordering::SeqCst);
        self.told.wake();
    }

    /// Is version 1 complete, its globals initialised?
    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::SeqCst)
    }

    /// Version 1 is complete.
    pub fn set_loaded(&self) {
        self.loaded.store(true, Ordering::SeqCst);
    }

    /// How `main` is to be ended, if it is.
    pub fn ending(&self) -> Option<Ending> {
        *lock(&self.ending)
    }

    /// Is `main` ending to be started again?
    pub fn restarts(&self) -> bool {
        matches!(self.ending(), Some(Ending::Restart))
    }

    /// Asks for another run of `main`, if it is being run.
    pub fn restart(&self, main_runs: bool, interrupt: impl FnOnce()) -> bool {
        let is_asked = self.ask_for_restart(main_runs);
        if is_asked {
            interrupt();
        }
        is_asked
    }

    /// The same, with the interrupt left to the caller. Where there is no `main` to be ended nothing is remembered: it would
    /// end, or seem to end, one that is started later.
    fn ask_for_restart(&self, main_runs: bool) -> bool {
        let has_main = self.has_main(main_runs);
        if has_main {
            *lock(&self.ending) = Some(Ending::Restart);
        }
        has_main
    }

    /// Is there a `main` that could start again: does it run, or has it trapped and waits?
    pub fn has_main(&self, main_runs: bool) -> bool {
        main_runs || self.main_waits.load(Ordering::SeqCst)
    }

    /// Waits for what shall become of a `main` that has trapped.
    pub fn while_main_waits<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.main_waits.store(true, Ordering::SeqCst);
        let answer = wait();
        self.main_waits.store(false, Ordering::SeqCst);
        answer
    }

    /// Counts what `hot_check` has to tell of.
    pub fn note(&self, event: &Event) {
        match event {
            Event::Reloaded { .. } | Event::RolledBack { .. } => self.reloads.fetch_add(1, Ordering::SeqCst),
            Event::Rejected { .. } | Event::Refused { .. } => self.failures.fetch_add(1, Ordering::SeqCst),
            _ => 0,
        };
    }

    /// Passes an event on to subscribers; those that are gone are forgotten.
    pub fn tell(&self, event: &Event) {
        lock(&self.subscribers).retain(|(_, subscriber)| subscriber.send(event.clone()).is_ok());
    }

    /// Sends all further events there, until that watching ends.
    pub fn subscribe(&self, watching: u64, subscriber: Sender<Event>) {
        lock(&self.subscribers).push((watching, subscriber));
    }

    /// Ends the subscriptions of a watching.
    pub fn unsubscribe(&self, watching: u64) {
        lock(&self.subscribers).retain(|(number, _)| *number != watching);
    }

    /// Does the program choose the moment?
    pub fn is_manual(&self) -> bool {
        self.manual.load(Ordering::SeqCst)
    }

    /// Is nothing to be applied that is saved?
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    /// From now on nothing is, or everything.
    pub fn hold(&self, hold: bool) {
        self.held.store(hold, Ordering::SeqCst);
    }

    /// `main` is to end with this status; interrupting it is left to the caller.
    pub fn quit(&self, status: u8) {
        *lock(&self.ending) = Some(Ending::Exit(status));
    }

    /// A number for a watching.
    pub fn new_watching(&self) -> u64 {
        self.next_watching.fetch_add(1, Ordering::SeqCst)
    }

    /// A reload thread starts (`+1`) or ends.
    pub fn count_driver(&self, starts: bool) {
        let _ = if starts {
            self.drivers.fetch_add(1, Ordering::SeqCst)
        } else {
            self.drivers.fetch_sub(1, Ordering::SeqCst)
        };
    }

    /// Counts somebody who waits for an answer to what a save would do, until the result is dropped: a commit that waits
    /// for the program lets them ask.
    pub fn ask(&self) -> Asking<'_> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        Asking(&self.questions)
    }

    /// Does somebody wait for such an answer?
    pub fn is_asked(&self) -> bool {
        self.questions.load(Ordering::SeqCst) > 0
    }

    /// Is a reload thread at work?
    pub fn is_watched(&self) -> bool {
        self.drivers.load(Ordering::SeqCst) > 0
    }

    /// Keeps a version until the program asks for it, or until a newer one is prepared.
    pub fn stage(&self, staged: Staged) {
        *lock(&self.rest) = None;
        *lock(&self.staged) = Some(staged);
    }

    /// Keeps one that was put off; true if it is for the first time.
    fn stage_again(&self, staged: Staged) -> bool {
        let before = lock(&self.rest).map(|(_, pause)| pause);
        let pause = before.map_or(SHORTEST_REST, |pause| (pause * 2).min(LONGEST_REST));
        self.stage(staged);
        *lock(&self.rest) = Some((Instant::now() + pause, pause));
        before.is_none()
    }

    /// Has the version that waits been tried in vain?
    pub fn has_been_put_off(&self) -> bool {
        lock(&self.rest).is_some()
    }

    /// Is it not to be tried again yet?
    fn rests(&self) -> bool {
        lock(&self.rest).is_some_and(|(until, _)| Instant::now() < until)
    }

    /// Notes why a commit was given up that only other threads stood in the way of.
    pub fn put_off(&self, what: &str) {
        *lock(&self.put_off) = Some(what.to_owned());
    }

    /// Why the last commit was, if it was.
    pub fn take_put_off(&self) -> Option<String> {
        lock(&self.put_off).take()
    }

    /// Does a reload thread apply what is saved, without being asked?
    pub fn applies_by_itself(&self) -> bool {
        self.is_watched() && !self.is_manual() && !self.is_held()
    }

    /// Takes the version that waits; only by who has the right to reload.
    pub fn take_staged(&self) -> Option<Staged> {
        lock(&self.staged).take()
    }

    /// The program of the version that waits.
    pub fn staged_program(&self) -> Option<Arc<Checked>> {
        lock(&self.staged).as_ref().map(Staged::checked)
    }

    /// What the version that waits will change.
    pub fn staged_report(&self) -> Option<Report> {
        lock(&self.staged).as_ref().map(|staged| staged.report().clone())
    }

    /// Has the program a function that is to be called after each reload?
    pub fn has_on_reload(&self) -> bool {
        lock(&self.on_reload).is_some()
    }

    /// Does a version wait for the program to ask for it?
    pub fn has_staged(&self) -> bool {
        lock(&self.staged).is_some()
    }
}

/// One off a counter; false when it is zero.
fn take_one(counter: &AtomicU64) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

/// The host functions of `std/hot` for one program; without a program they can only be declared.
pub(crate) fn functions(program: &Weak<ProgramInner>) -> Vec<(&'static str, HostClosure, HostFlags)> {
    let plain = HostFlags::default();
    let safepoint = HostFlags { safepoint: true, ..plain };
    let with = |program: &Weak<ProgramInner>| {
        let program = program.clone();
        move || program.upgrade().ok_or_else(|| "the program is being dropped".to_owned())
    };
    let (init, start, check, reload) = (with(program), with(program), with(program), with(program));
    let (version, cleanup, on_reload, reset) = (with(program), with(program), with(program), with(program));
    let (restart, rollback, turn, exit) = (with(program), with(program), with(program), with(program));
    let (argument, callback, count) = (with(program), with(program), with(program));
    let paused = with(program);
    let (save, load) = (with(program), with(program));
    vec![
        ("hot_init", (move |path: &str| init().map(|p| p.start_watching(path, true))).into_host_closure(), plain),
        ("hot_start", (move |path: &str| start().map(|p| p.start_watching(path, false))).into_host_closure(), plain),
        ("hot_check", (move || check().map(|p| p.hot_check())).into_host_closure(), safepoint),
        ("hot_reload", (move || reload().map(|p| p.hot_reload())).into_host_closure(), safepoint),
        ("hot_version", (move || version().map(|p| p.version() as i64)).into_host_closure(), plain),
        ("hot_cleanup", (move || cleanup().map(|p| p.hot_cleanup())).into_host_closure(), plain),
        (
            "hot_on_reload",
            (move |f: FunctionValue| on_reload().and_then(|p| p.hot_on_reload(f))).into_host_closure(),
            plain,
        ),
        ("hot_reset", (move |name: &str| reset().map(|p| p.hot_reset(name))).into_host_closure(), plain),
        (
            "hot_restart",
            (move || restart().and_then(|p| p.end_main(Ending::Restart, RESTARTS))).into_host_closure(),
            plain,
        ),
        ("hot_rollback", (move |to: i64| rollback().map(|p| p.hot_rollback(to))).into_host_closure(), safepoint),
        ("hot_save", (move |path: &str| save().map(|p| p.hot_save(path))).into_host_closure(), safepoint),
        ("hot_load", (move |path: &str| load().map(|p| p.hot_load(path))).into_host_closure(), safepoint),
        ("args", (move |number: i64| argument().map(|p| p.argument(number))).into_host_closure(), plain),
        (
            "env_args_count",
            (move || count().map(|p| p.engine.options.arguments.len() as i64 + 1)).into_host_closure(),
            plain,
        ),
        (
            host_calls::C_CALLBACK,
            (move |function: i64, signature: &str| callback().and_then(|p| p.callback(function, signature)))
                .into_host_closure(),
            plain,
        ),
        (
            "hot_paused_us",
            (move || paused().map(|p| p.world.take_pause().as_micros() as i64)).into_host_closure(),
            plain,
        ),
        ("hot_turn", (move || turn().map(|p| p.hot_turn())).into_host_closure(), safepoint),
        (
            "exit",
            (move |status: i64| exit().and_then(|p| p.end_main(Ending::Exit(status as u8), "the program called exit")))
                .into_host_closure(),
            plain,
        ),
    ]
}

impl ProgramInner {
    /// `hot_init` and `hot_start`: 0, or -1 when there is no such file (the running one is watched all the same).
    fn start_watching(self: &Arc<Self>, path: &str, manual: bool) -> i64 {
        self.control.manual.store(manual, Ordering::SeqCst);
        if !manual {
            self.apply_waiting();
        }
        let folder = self.root.parent().unwrap_or(Path::new(""));
        let exists = self.reloads_here().is_ok() && self.reloader().workspace.exists(&folder.join(path));
        if !exists {
            let text =
                format!("there is no file `{path}` beside `{}`, which is watched all the same", self.root.display());
            self.tell(&Event::Notice(text));
        }
        if self.mode.hot && !self.control.is_watched() {
            *lock(&self.control.watching) = Some(Driver::start(self));
        }
        if exists { 0 } else { -1 }
    }

    /// The C function for a function value; a null one stays null, as C's own.
    fn callback(&self, function: i64, signature: &str) -> Result<i64, String> {
        match function {
            0 => Ok(0),
            _ => Ok(self.linkage().callback(&self.world, function as usize, signature)? as i64),
        }
    }

    /// `args(n)`: 0 is the program's file, then come the arguments; an empty text beyond them.
    fn argument(&self, number: i64) -> StrValue {
        let arguments = &self.engine.options.arguments;
        let text = match usize::try_from(number) {
            Ok(0) => self.root.display().to_string(),
            Ok(number) => arguments.get(number - 1).cloned().unwrap_or_default(),
            Err(_) => String::new(),
        };
        StrValue(self.linkage().string(&text.into()))
    }

    fn hot_check(self: &Arc<Self>) -> i64 {
        self.apply_waiting();
        if take_one(&self.control.failures) { -1 } else { i64::from(take_one(&self.control.reloads)) }
    }

    /// Makes the version live that waits for the program to ask, if there is one.
    pub fn apply_waiting(self: &Arc<Self>) {
        if !self.control.has_staged() || self.control.is_held() || self.reloads_here().is_err() {
            return;
        }
        if self.control.rests() && self.world.is_active_here() {
            return;
        }
        let Some(mut reloader) = self.reloader_for_call() else { return };
        let Some(staged) = self.control.take_staged() else { return };
        let started = Instant::now();
        let files = staged.report().files.clone();
        let mut update = self.land(&mut reloader, staged, &mut Pending::wait_for_ever);
        if matches!(update, Update::Superseded) {
            update = self.update_from(&mut reloader, files.clone(), Cause::Saved, Clock::start());
        }
        let put_off = self.control.take_put_off().filter(|_| update.is_turned_down());
        if put_off.is_none_or(|what| !self.try_later(&mut reloader, files.clone(), &what)) {
            reloader.tells(&update);
            drop(reloader);
            self.announce(&update, &files);
        }
        self.world.add_pause(started.elapsed());
    }

    /// Keeps a version that other threads stand in the way of until the program asks once more, after some time.
    fn try_later(self: &Arc<Self>, reloader: &mut Reloader, files: Vec<PathBuf>, what: &str) -> bool {
        let staged = self.stage(reloader, files, Cause::Saved, Clock::start(), &|| false);
        let Ok(staged) = staged else { return false };
        let mut report = staged.report().clone();
        if self.control.stage_again(staged) {
            report.wait_for(what);
            let help = way_out("the program asks for the reload once that is over", self.main_is_running());
            let (version, report, waits_for) = (self.version(), Arc::new(report), what.to_owned());
            self.tell(&Event::Pending { version, report, waits_for, help });
        }
        true
    }

    fn hot_reload(self: &Arc<Self>) -> i64 {
        let started = Instant::now();
        let update = if self.control.is_held() { Ok(Update::Superseded) } else { self.update_now() };
        let result = match update {
            Ok(Update::Reloaded { .. }) => 1,
            Ok(Update::Unchanged(_) | Update::Superseded) => 0,
            Ok(Update::Rejected(_) | Update::Refused(_)) | Err(_) => -1,
        };
        self.world.add_pause(started.elapsed());
        result
    }

    fn hot_cleanup(self: &Arc<Self>) -> i64 {
        self.control.manual.store(false, Ordering::SeqCst);
        *lock(&self.control.on_reload) = None;
        // Taken out first: the reload thread that ends may itself look here.
        let watching = lock(&self.control.watching).take();
        drop(watching);
        // Nobody is going to ask for what waits any more.
        self.apply_waiting();
        0
    }

    fn hot_on_reload(&self, function: FunctionValue) -> Result<i64, String> {
        if function.is_closure() {
            return Err("hot_on_reload takes no closure that has captured variables".to_owned());
        }
        self.control.told_version.store(self.version(), Ordering::SeqCst);
        *lock(&self.control.on_reload) = Some(function);
        Ok(0)
    }

    /// Calls the program's own function once for a new version.
    pub fn call_on_reload(&self) -> Result<(), Trap> {
        let function = *lock(&self.control.on_reload);
        let version = self.version();
        match function {
            Some(function) if self.control.told_version.swap(version, Ordering::SeqCst) != version => {
                self.call_value(function, version as i64).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    fn hot_reset(&self, name: &str) -> i64 {
        match self.reset_global(name) {
            Ok(()) => 0,
            Err(why) => {
                self.tell(&Event::Notice(format!("hot_reset: {why}")));
                -1
            }
        }
    }

    /// Ends `main` through a trap that says why; the message is only seen by a host that called something else.
    fn end_main(&self, ending: Ending, message: &str) -> Result<i64, String> {
        match ending {
            Ending::Exit(status) => self.control.quit(status),
            Ending::Restart => _ = self.control.ask_for_restart(self.main_is_running()),
        }
        Err(message.to_owned())
    }

    fn hot_rollback(self: &Arc<Self>, to: i64) -> i64 {
        let to = u64::try_from(to).map_err(|_| Error::Other(format!("there is no version {to}")));
        match to.and_then(|to| self.roll_back(to, &mut Pending::wait_for_ever)) {
            Ok(Update::Reloaded { .. }) => 1,
            Ok(Update::Unchanged(_)) => 0,
            // The event that says why has been told.
            Ok(Update::Refused(_) | Update::Rejected(_)) => TURNED_DOWN,
            Ok(Update::Superseded) => {
                self.tell(&Event::Notice("hot_rollback: another reload came in between".to_owned()));
                NOT_NOW
            }
            Err(error) => {
                self.tell(&Event::Notice(format!("hot_rollback: {error}")));
                NO_VERSION
            }
        }
    }

    /// Between two calls of `hot_loop`'s function: applies what waits, and gives up the processor after a short one.
    fn hot_turn(self: &Arc<Self>) -> i64 {
        self.apply_waiting();
        let short = lock(&self.control.turn_started).is_some_and(|started| started.elapsed() < SHORT_TURN);
        if short {
            std::thread::sleep(SHORT_TURN);
        }
        *lock(&self.control.turn_started) = Some(Instant::now());
        0
    }
}
