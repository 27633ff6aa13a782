//! The engine: options and host functions, from which programs are loaded.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use vaisjit_codegen::isa::OptLevel;
use vaisjit_syntax::Severity;

use crate::code::closure::{HostClosure, IntoHostClosure};
use crate::events::{Diagnostics, Event};
use crate::host::HostTable;
use crate::program::Program;
use crate::trap::Trap;
use crate::workspace::{DiskLoader, LoadError, Loader, MemoryLoader, Snapshot, Workspace, WorkspaceOptions};

/// Why something could not be done. `Display` says it in a sentence.
#[derive(Clone)]
pub enum Error {
    /// A file cannot be read.
    Load(LoadError),
    /// The program has mistakes; all of them are there.
    Rejected(Diagnostics),
    /// The program failed while it was being loaded (the initial value of a global).
    Trap(Trap),
    /// The program is fine but cannot be carried over; each reason is there.
    Refused(Arc<crate::report::Report>),
    /// Anything else: a wrong declaration, a system without executable memory.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Load(error) => error.fmt(f),
            Error::Rejected(diagnostics) => write!(f, "{diagnostics:?}"),
            Error::Trap(trap) => trap.fmt(f),
            Error::Refused(report) => {
                let reasons: Vec<String> = report
                    .refusals()
                    .filter_map(|edit| match &edit.outcome {
                        crate::report::Outcome::Refused { why, .. } => Some(format!("{}: {why}", edit.name)),
                        _ => None,
                    })
                    .collect();
                f.write_str(&reasons.join("; "))
            }
            Error::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Error {
        Error::Load(error)
    }
}

impl From<Trap> for Error {
    fn from(trap: Trap) -> Error {
        Error::Trap(trap)
    }
}

/// What is done with each event of a program.
pub(crate) type EventHandler = Arc<dyn Fn(&Event) + Send + Sync>;

/// How programs of an engine are compiled, run and reloaded.
#[derive(Clone)]
pub(crate) struct Options {
    pub all_hot: bool,
    pub static_mode: bool,
    pub safepoints: bool,
    pub single_threaded: bool,
    pub pause_on_trap: bool,
    pub opt_level: OptLevel,
    pub debounce: Duration,
    pub poll: bool,
    pub warn_all: bool,
    pub answers: bool,
    pub needs_main: bool,
    pub arguments: Vec<String>,
    pub on_event: Option<EventHandler>,
}

/// Loads programs. Cheap to clone; several engines live side by side in one process.
///
/// ```
/// let engine = vaisjit::Engine::builder().function("twice", |x: i64| x * 2).build()?;
/// let program = engine.load_str("F answer() -> i64 { twice(21) }")?;
/// let answer = program.function::<(), i64>("answer")?;
/// assert_eq!(answer.call(())?, 42);
/// # Ok::<(), vaisjit::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    pub(crate) options: Arc<Options>,
    pub(crate) functions: Arc<[(String, HostClosure)]>,
}

/// Collects the options and host functions of an [`Engine`].
pub struct EngineBuilder {
    options: Options,
    functions: Vec<(String, HostClosure)>,
}

impl Engine {
    /// Starts a new engine.
    pub fn builder() -> EngineBuilder {
        let options = Options {
            all_hot: false,
            static_mode: false,
            safepoints: true,
            single_threaded: false,
            pause_on_trap: false,
            opt_level: OptLevel::Speed,
            debounce: Duration::from_millis(30),
            poll: false,
            warn_all: false,
            answers: false,
            needs_main: false,
            arguments: Vec::new(),
            on_event: None,
        };
        EngineBuilder { options, functions: Vec::new() }
    }

    /// Loads a program from a file and the files it imports, as version 1. Nothing of it runs but the initial values of
    /// its globals.
    pub fn load_file(&self, path: impl AsRef<Path>) -> Result<Program, Error> {
        Program::load(self, path.as_ref(), Arc::new(DiskLoader))
    }

    /// Loads a program from a text. Its imports are the standard library's only.
    pub fn load_str(&self, text: &str) -> Result<Program, Error> {
        let loader = MemoryLoader::default();
        loader.set("main.vais", text);
        Program::load(self, Path::new("main.vais"), Arc::new(loader))
    }

    /// Loads a program whose files come from a loader of the host's own.
    pub fn load_with(&self, path: impl AsRef<Path>, loader: Arc<dyn Loader>) -> Result<Program, Error> {
        Program::load(self, path.as_ref(), loader)
    }

    /// Checks a program without running any of it. The diagnostics are empty when all is well; a missing `main` is no
    /// mistake.
    pub fn check_file(&self, path: impl AsRef<Path>) -> Result<Diagnostics, Error> {
        let mut workspace = self.open(path.as_ref(), Arc::new(DiskLoader))?;
        Ok(self.diagnostics(&workspace.snapshot()))
    }

    pub(crate) fn open(&self, path: &Path, loader: Arc<dyn Loader>) -> Result<Workspace, Error> {
        let host = HostTable::new(self, None)?;
        let mut workspace = Workspace::new(path, self.workspace_options(&host, loader));
        workspace.load_root()?;
        Ok(workspace)
    }

    pub(crate) fn workspace_options(&self, host: &HostTable, loader: Arc<dyn Loader>) -> WorkspaceOptions {
        WorkspaceOptions {
            loader,
            host: host.declarations(),
            library: crate::host::library(),
            all_hot: self.options.all_hot,
            needs_main: self.options.needs_main,
            lints: self.options.warn_all,
        }
    }

    /// The diagnostics of a snapshot that are to be shown.
    pub(crate) fn diagnostics(&self, snapshot: &Snapshot) -> Diagnostics {
        let all = self.options.warn_all;
        let list = snapshot.diagnostics.iter().filter(|found| all || found.severity != Severity::Lint);
        Diagnostics { list: list.cloned().collect(), sources: snapshot.sources.clone() }
    }
}

impl EngineBuilder {
    /// Makes a closure callable by programs under this name. Its arguments and result are numbers, `bool` or `&str`
    /// (arguments only); a result of `Result<T, String>` makes an `Err` a trap. A panic becomes a trap too.
    pub fn function<Marker>(mut self, name: &str, function: impl IntoHostClosure<Marker>) -> EngineBuilder {
        self.functions.push((name.to_owned(), function.into_host_closure()));
        self
    }

    /// Treats every function as `#[hot]`.
    pub fn all_hot(mut self, all_hot: bool) -> EngineBuilder {
        self.options.all_hot = all_hot;
        self
    }

    /// Compiles without slots and safepoints: nothing can be reloaded.
    pub fn static_mode(mut self, static_mode: bool) -> EngineBuilder {
        self.options.static_mode = static_mode;
        self
    }

    /// For measurements only: with `false` the code can be replaced but not stopped, so a reload waits for loops to end.
    #[doc(hidden)]
    pub fn safepoints(mut self, safepoints: bool) -> EngineBuilder {
        self.options.safepoints = safepoints;
        self
    }

    /// The host calls a program in static mode from one thread at a time, so counts of its heap values can be plain
    /// numbers until it starts threads itself. A second thread of the host's all the same waits until the first one
    /// leaves the program or calls a host function. Without static mode it makes no difference.
    pub fn single_threaded(mut self, single_threaded: bool) -> EngineBuilder {
        self.options.single_threaded = single_threaded;
        self
    }

    /// After a trap a call waits for the next reload and is made again, with the same arguments; memory is as the trap left
    /// it. Such calls are those of `#[hot]` functions from code that is not hot, `main`'s calls of functions of its own
    /// files, calls by a [`Function`](crate::Function) handle, and `main` itself, which starts afresh. The reload has to come
    /// from another thread (see [`Program::watch`]); [`Program::interrupt`] ends the wait. Without effect in static mode.
    pub fn pause_on_trap(mut self, pause_on_trap: bool) -> EngineBuilder {
        self.options.pause_on_trap = pause_on_trap;
        self
    }

    /// How much to optimise; [`OptLevel::Speed`] unless set.
    pub fn opt_level(mut self, opt_level: OptLevel) -> EngineBuilder {
        self.options.opt_level = opt_level;
        self
    }

    /// The longest wait for a save to settle before its mistakes are reported; 30 ms unless set.
    pub fn debounce(mut self, debounce: Duration) -> EngineBuilder {
        self.options.debounce = debounce;
        self
    }

    /// Polls files instead of asking the system for events.
    pub fn poll(mut self, poll: bool) -> EngineBuilder {
        self.options.poll = poll;
        self
    }

    /// Shows all warnings.
    pub fn warn_all(mut self, warn_all: bool) -> EngineBuilder {
        self.options.warn_all = warn_all;
        self
    }

    /// Lets other processes of the same user ask what a save would do to a program that is watched ([`check_against`],
    /// `vaisjit check --against`). One program of a process answers: the first that is watched.
    ///
    /// [`check_against`]: crate::check_against
    pub fn answers(mut self, answers: bool) -> EngineBuilder {
        self.options.answers = answers;
        self
    }

    /// Makes a program without a `main` a mistake: set by hosts that only run `main`.
    pub fn needs_main(mut self, needs_main: bool) -> EngineBuilder {
        self.options.needs_main = needs_main;
        self
    }

    /// What `args()` gives programs.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = String>) -> EngineBuilder {
        self.options.arguments = arguments.into_iter().collect();
        self
    }

    /// Is told of every event of every program of the engine, on the thread where it happens.
    pub fn on_event(mut self, handler: impl Fn(&Event) + Send + Sync + 'static) -> EngineBuilder {
        self.options.on_event = Some(Arc::new(handler));
        self
    }

    /// The engine. Fails when a host function's name is no name.
    pub fn build(self) -> Result<Engine, Error> {
        for (name, _) in &self.functions {
            let mut characters = name.chars();
            let starts_well = characters.next().is_some_and(|first| first.is_alphabetic() || first == '_');
            if !starts_well || !characters.all(|c| c.is_alphanumeric() || c == '_') {
                return Err(Error::Other(format!("`{name}` cannot be the name of a host function")));
            }
        }
        Ok(Engine { options: Arc::new(self.options), functions: self.functions.into() })
    }
}
