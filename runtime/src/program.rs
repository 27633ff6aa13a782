//! A loaded program: calling it, reloading it, and the facts about its running version.

mod functions;
mod globals;
mod handles;
mod heap;
mod hooks;
mod input;
mod landing;
mod obstacles;
mod offer;
mod pending;
mod run;
mod trial;
mod update;

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak, mpsc};
use std::time::Duration;

use rustc_hash::FxHashSet;
use vaisjit_codegen::isa;
use vaisjit_semantics::{Checked, Instance};
use vaisjit_syntax::Severity;

use crate::TrapCode;
use crate::code::{RawFrame, RawTrap, World};
use crate::driver::{Driver, Watching};
use crate::engine::{Engine, Error};
use crate::events::{Diagnostics, Event};
use crate::history::History;
use crate::host::HostTable;
use crate::hot::Control;
use crate::linkage::Linkage;
use crate::live::{FunctionMeta, Live};
use crate::reload::links::Links;
use crate::reload::prepare::Mode;
use crate::threads::Threads;
use crate::trap::{Trap, TrapFrame};
use crate::workspace::{Loader, Snapshot, Workspace};

pub(crate) use globals::{constant, is_literal};
pub use handles::{Argument, Arguments, Function, Returned};
pub(crate) use hooks::trapped;
pub use offer::Prepared;
pub(crate) use offer::{Ahead, Offers, Texts};
pub(crate) use pending::{A_HOST_CALL, Pending, Waited, way_out};
pub(crate) use update::Staged;
pub use update::Update;

/// After how long what is deferred in calls that a trap has ended is said to run still. Chosen by feel.
const LONG_DEFERRED: Duration = Duration::from_millis(500);

/// A loaded program. Clones share it; dropping the last one (and all its function handles) frees its code and memory.
///
/// It may be called from several threads at once; a reload reaches all of them. Threads that it has started itself
/// (`std/thread`) keep it alive too, and their code with it: [`Program::interrupt`] ends them, except in loops of static
/// mode that call no host function.
#[derive(Clone)]
pub struct Program {
    pub(crate) inner: Arc<ProgramInner>,
}

pub(crate) struct ProgramInner {
    pub engine: Engine,
    pub world: World,
    pub host: HostTable,
    pub mode: Mode,
    /// The number of the running version.
    pub version: AtomicU64,
    /// How many calls of `main` are going on.
    pub mains_running: AtomicUsize,
    pub live: Mutex<Live>,
    /// Whoever reloads holds this from the first look at the texts until the commit.
    pub reloader: Mutex<Reloader>,
    /// The thread that does, 0 for none.
    pub reloads_on: AtomicUsize,
    /// What code is linked against; taken after `reloader` and `live`, and only for short whiles.
    pub linkage: Mutex<Linkage>,
    /// The last versions; taken for short whiles only, so that it can be looked at while a reload waits.
    pub history: Mutex<History>,
    /// The state behind `std/hot`.
    pub control: Control,
    /// What hosts have prepared.
    pub offers: Offers,
    /// What is remembered of the program's hooks.
    pub asked: hooks::Asked,
    /// The state behind `std/thread`.
    pub threads: Threads,
    pub root: PathBuf,
}

/// What only reloads need.
pub(crate) struct Reloader {
    pub workspace: Workspace,
    pub links: Arc<Links>,
    /// Functions that are called through slots because they have been edited.
    pub promoted: FxHashSet<Instance>,
    /// The last snapshot that was turned down and told of, so that it is told of once.
    pub told: Option<Arc<Checked>>,
    /// Why the version that is prepared next must not grow types only to keep values of fields that are gone.
    pub cramped: Option<String>,
    /// How many prepared versions in a row could not become live where the threads stood, and were prepared again.
    pub missed: usize,
}

impl Reloader {
    /// Has the newest text been turned down, and everybody been told?
    pub fn has_told(&self) -> bool {
        let last = self.workspace.last();
        last.zip(self.told.as_ref()).is_some_and(|(last, told)| Arc::ptr_eq(&last.checked, told))
    }

    /// Remembers what is being told of.
    pub fn tells(&mut self, update: &Update) {
        let turned_down = matches!(update, Update::Rejected(_) | Update::Refused(_));
        self.told = self.workspace.last().filter(|_| turned_down).map(|last| last.checked.clone());
    }
}

/// The right to reload.
pub(crate) struct Reloading<'a> {
    guard: MutexGuard<'a, Reloader>,
    owner: &'a AtomicUsize,
}

impl Deref for Reloading<'_> {
    type Target = Reloader;

    fn deref(&self) -> &Reloader {
        &self.guard
    }
}

impl DerefMut for Reloading<'_> {
    fn deref_mut(&mut self) -> &mut Reloader {
        &mut self.guard
    }
}

impl Drop for Reloading<'_> {
    fn drop(&mut self) {
        self.owner.store(0, Ordering::SeqCst);
    }
}

/// A number of the current thread that no other living one has.
fn this_thread() -> usize {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}

impl Program {
    pub(crate) fn load(engine: &Engine, path: &Path, loader: Arc<dyn Loader>) -> Result<Program, Error> {
        let options = &engine.options;
        let isa = isa::isa(options.opt_level).map_err(Error::Other)?;
        let world = World::new();
        let (heap, cleanup_entry) = (world.heap().clone(), world.cleanup_entry());
        if options.static_mode && !options.single_threaded {
            // Later it would take a safepoint, and loops have none.
            heap.share_if_empty();
        }
        let mut failure = None;
        let inner = Arc::new_cyclic(|program: &Weak<ProgramInner>| {
            let host = HostTable::new(engine, Some(program.clone()));
            let host = host.unwrap_or_else(|error| {
                failure = Some(error);
                HostTable::empty()
            });
            let workspace = Workspace::new(path, engine.workspace_options(&host, loader));
            let reloader = Reloader {
                workspace,
                links: Arc::default(),
                promoted: FxHashSet::default(),
                told: None,
                cramped: None,
                missed: 0,
            };
            ProgramInner {
                engine: engine.clone(),
                world,
                host,
                mode: Mode {
                    hot: !options.static_mode,
                    polled: !options.static_mode && options.safepoints,
                    pauses: options.pause_on_trap && !options.static_mode,
                },
                version: AtomicU64::new(0),
                mains_running: AtomicUsize::new(0),
                live: Mutex::default(),
                reloader: Mutex::new(reloader),
                reloads_on: AtomicUsize::new(0),
                linkage: Mutex::new(Linkage::new(isa, heap, cleanup_entry)),
                history: Mutex::default(),
                control: Control::default(),
                offers: Offers::default(),
                asked: hooks::Asked::default(),
                threads: Threads::default(),
                root: path.to_path_buf(),
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        let program = Arc::downgrade(&inner);
        let runs = move |trap: &RawTrap| match program.upgrade() {
            Some(program) if program.exits() => None,
            Some(program) => Some(program.looks_after_deferred(trap)),
            None => Some(Box::new(()) as Box<dyn Any>),
        };
        inner.world.on_cleanup(Box::new(runs));
        inner.first_version()?;
        inner.control.set_loaded();
        let program = Arc::downgrade(&inner);
        let pause = move |raw: &RawTrap, guard: &_, place| {
            program.upgrade().is_some_and(|program| program.pause_in_guard(raw, guard, place))
        };
        inner.world.on_guarded_trap(Box::new(pause));
        Ok(Program { inner })
    }

    /// The number of the running version: 1 after loading, one more after each reload.
    pub fn version(&self) -> u64 {
        self.inner.version()
    }

    /// The files of the running version, the root first.
    pub fn files(&self) -> Arc<[PathBuf]> {
        self.inner.files()
    }

    /// Warnings about the running version.
    pub fn diagnostics(&self) -> Diagnostics {
        match &self.inner.live().snapshot {
            Some(snapshot) => self.inner.engine.diagnostics(snapshot),
            None => Diagnostics { list: Arc::default(), sources: Arc::default() },
        }
    }

    /// Watches the program's files from a thread of its own, and commits at safepoints, until the result is dropped.
    pub fn watch(&self) -> Result<Watching, Error> {
        if !self.inner.mode.hot {
            return Err(Error::Other("a program in static mode cannot be reloaded".to_owned()));
        }
        Ok(Driver::start(&self.inner))
    }

    /// Waits until a reload that is going on has been told of. For hosts that are about to end.
    pub fn settle(&self) {
        drop(self.inner.control.busy.lock().unwrap_or_else(PoisonError::into_inner));
        self.inner.control.told.wait_for(self.version());
    }

    /// Asks the program to stop: every call that is going on ends with the trap [`TrapCode::Interrupted`] at its next
    /// safepoint. May be called from any thread.
    ///
    /// [`TrapCode::Interrupted`]: crate::TrapCode::Interrupted
    pub fn interrupt(&self) {
        self.inner.interrupt();
    }
}

impl ProgramInner {
    /// Ends every call that is going on, or waits for a reload.
    pub fn interrupt(&self) {
        self.world.interrupt();
        self.control.note_interrupt();
    }

    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub fn files(&self) -> Arc<[PathBuf]> {
        self.live().snapshot.as_ref().map(|snapshot| snapshot.files.clone()).unwrap_or_default()
    }

    pub fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Not to be called by who has it already: see [`ProgramInner::reloads_here`].
    pub fn reloader(&self) -> Reloading<'_> {
        let guard = self.reloader.lock().unwrap_or_else(PoisonError::into_inner);
        self.reloads_on.store(this_thread(), Ordering::SeqCst);
        Reloading { guard, owner: &self.reloads_on }
    }

    /// The same for a call that may come from inside the program: none while somebody else's commit waits for frames, which
    /// may wait for that call to return.
    pub fn reloader_for_call(&self) -> Option<Reloading<'_>> {
        const LOOK: Duration = Duration::from_micros(200);
        match self.world.is_active_here() {
            true => self.reloader_unless(LOOK, || self.control.stuck.load(Ordering::SeqCst)),
            false => Some(self.reloader()),
        }
    }

    /// The same once nobody has it, looking so often, unless it is given up before.
    pub fn reloader_unless(&self, look_every: Duration, gives_up: impl Fn() -> bool) -> Option<Reloading<'_>> {
        loop {
            let reloader = self.try_reloader();
            if reloader.is_some() || gives_up() {
                return reloader;
            }
            std::thread::sleep(look_every);
        }
    }

    /// The same if nobody has it now.
    pub fn try_reloader(&self) -> Option<Reloading<'_>> {
        let guard = match self.reloader.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.reloads_on.store(this_thread(), Ordering::SeqCst);
        Some(Reloading { guard, owner: &self.reloads_on })
    }

    /// Is this thread in the middle of a reload, and this a handler of events that has been called from there?
    pub fn reloads_here(&self) -> Result<(), Error> {
        match self.reloads_on.load(Ordering::SeqCst) == this_thread() {
            _ if self.world.cleans_here() => Err(Error::Other(
                "what a failed call has deferred is running; reloads wait until it has ended".to_owned(),
            )),
            true => Err(Error::Other("a reload is going on, and this is called from inside it".to_owned())),
            false => Ok(()),
        }
    }

    /// Tells everybody who listens.
    pub fn tell(&self, event: &Event) {
        self.control.note(event);
        self.control.tell(event);
        if let Some(handler) = &self.engine.options.on_event {
            // A panic has been printed; neither the program nor its reloads depend on who listens.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handler(event)));
        }
    }

    /// A trap is told of when what it makes run has ended; if that takes long, what has happened is said before. Until what
    /// this gives is dropped.
    fn looks_after_deferred(self: &Arc<Self>, trap: &RawTrap) -> Box<dyn Any> {
        vaisjit_std::forget_text();
        let (ends, ended) = mpsc::channel::<()>();
        if trap.code != TrapCode::Interrupted {
            let (program, trap) = (Arc::downgrade(self), trap.clone());
            let look = move || {
                let runs_on = ended.recv_timeout(LONG_DEFERRED) == Err(mpsc::RecvTimeoutError::Timeout);
                if let Some(program) = program.upgrade().filter(|_| runs_on) {
                    let trap = program.trap(&trap);
                    let at =
                        trap.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file.display(), at.line));
                    let text =
                        format!("trap: {}{at}; what is deferred there (`D`) has been running since", trap.message);
                    program.tell(&Event::Notice(text));
                }
            };
            // Without the thread it is told at the end only.
            let _ = std::thread::Builder::new().name("vaisjit deferred".to_owned()).spawn(look);
        }
        Box::new(ends)
    }

    /// Tells of a trap, after the version it happened in.
    pub fn tell_trap(&self, trap: &Trap) {
        self.control.told.wait_for(self.version());
        self.tell(&Event::Trap(Arc::new(trap.clone())));
    }

    pub fn rejected(&self, snapshot: &Snapshot, list: Vec<vaisjit_syntax::Diagnostic>) -> Diagnostics {
        let all = self.engine.options.warn_all;
        let shown = list.into_iter().filter(|found| all || found.severity != Severity::Lint);
        Diagnostics { list: shown.collect(), sources: snapshot.sources.clone() }
    }

    /// The trap as people see it.
    pub fn trap(&self, raw: &RawTrap) -> Trap {
        vaisjit_std::forget_text();
        let live = self.live();
        let (mut line, mut shown) = (None, false);
        let mut frames = Vec::with_capacity(raw.frames.len());
        let mut push = |meta: &FunctionMeta, number: u32, version: u64| {
            // A prologue has no place of its own: the function's head stands for it.
            let resolved = meta.resolve(number, &live.sources).or_else(|| meta.head(&live));
            // The line shown is the program's own if it has one here: calls of the library in it are only named.
            let own = resolved.as_ref().is_some_and(|resolved| !resolved.at.is_library());
            if frames.is_empty() || own && !shown {
                (line, shown) = (resolved.as_ref().map(|resolved| resolved.line.as_str().into()), own);
            }
            let width = resolved.as_ref().map_or(1, |resolved| resolved.width);
            let at = resolved.map(|resolved| resolved.at);
            frames.push(TrapFrame { function: meta.name(), at, width, version, locals: Vec::new() });
        };
        for frame in &raw.frames {
            let Some(meta) = live.meta(&frame.unit, frame.function) else { continue };
            let mut number = frame.srcloc;
            while let Some(inlined) = meta.inlined(number) {
                if let Some(callee) = live.functions.get(&inlined.instance) {
                    push(&callee.meta, inlined.location, meta.version);
                }
                number = inlined.call;
            }
            push(meta, number, meta.version);
        }
        // Thunks come before the innermost function. Of a body that has been inlined nothing is known.
        let known = |frame: &RawFrame| Some((live.meta(&frame.unit, frame.function)?, frame.srcloc));
        let innermost = raw.frames.iter().find_map(known).filter(|(meta, srcloc)| meta.inlined(*srcloc).is_none());
        if let (Some((meta, location)), Some(frame)) = (innermost, frames.first_mut()) {
            frame.locals = crate::trap::locals(&meta.frame, location, raw);
        }
        let message = match (&raw.message, raw.address) {
            (Some(message), _) => message.clone(),
            (None, Some(address)) if address != 0 => format!("{} at {address:#x}", raw.code.message()),
            _ => raw.code.message().to_owned(),
        };
        drop(live);
        let deferred = raw.deferred.iter().map(|raw| self.trap(raw)).collect();
        Trap { code: raw.code, message, frames, omitted: raw.truncated, line, paused: None, deferred }
    }
}
