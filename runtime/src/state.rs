//! State to disk and back: the globals of a program and what they hold, by name and type, as JSON.
//!
//! Both ways happen while the program's threads are stopped. Saving makes the whole text in memory and then moves a
//! finished file into place. Loading builds all values aside; only when nothing can fail any more do the globals take
//! them over. `docs/src/state.md` describes the form.

mod defaults;
mod file;
mod json;
mod load;
mod regions;
mod save;
mod types;
mod view;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::code::{Outcome, SafepointKind, Stopped};
use crate::engine::Error;
use crate::events::Event;
use crate::program::{Program, ProgramInner};

use file::LARGEST;
use load::{Computed, Loaded};
use types::Names;
use view::View;

/// The number of the form of files; read is only this one.
const FORMAT: i128 = 1;
/// Room for the calls of a walk, which may be asked for where the program's own stack is almost used up.
const STACK: usize = 16 << 20;
/// How often who waits for the threads looks whether it is still to wait.
const LOOK: Duration = Duration::from_millis(50);

/// What was saved or loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateReport {
    /// Global variables that were saved, or that have a new value.
    pub globals: usize,
    /// Values on the heap that they hold: each `Vec`, `HashMap`, `Box` and `dyn` counts once.
    pub objects: usize,
    /// Numbers that did not fit the type they have now, and became the nearest there is. 0 when saving.
    pub saturated: usize,
    /// What could not be saved or carried over, with the names of the values; a sentence each.
    pub notices: Vec<String>,
}

/// Why nothing was saved or loaded.
enum Failure {
    /// The file cannot be written or read.
    File(String),
    /// What is in the file, or is to be in it, is no state.
    Content(String),
    /// The program cannot be stopped for it.
    Busy(String),
}

impl Failure {
    /// What `hot_save` and `hot_load` return.
    fn code(&self) -> i64 {
        match self {
            Failure::File(_) => -1,
            Failure::Content(_) => -2,
            Failure::Busy(_) => -3,
        }
    }

    fn text(self) -> String {
        match self {
            Failure::File(text) | Failure::Content(text) | Failure::Busy(text) => text,
        }
    }
}

impl Program {
    /// Writes the global variables and what they hold to a file, by name and type, as JSON. The file is replaced whole
    /// or, after an error, not at all. Values that cannot be saved (memory that only C knows, closures with captures) are
    /// named in the report.
    ///
    /// All threads of the program are stopped for it at a safepoint.
    pub fn save_state(&self, path: impl AsRef<Path>) -> Result<StateReport, Error> {
        self.inner.save_state(path.as_ref()).map_err(|failure| Error::Other(failure.text()))
    }

    /// Gives the global variables the values of a file that [`Program::save_state`] has written, perhaps with an earlier
    /// text of the program: fields and variants are found by name, numbers are converted, what is new takes its default. What
    /// cannot be carried over is named in the report. After an error nothing has changed.
    ///
    /// All threads of the program are stopped for it at a safepoint.
    pub fn load_state(&self, path: impl AsRef<Path>) -> Result<StateReport, Error> {
        self.inner.load_state(path.as_ref()).map_err(|failure| Error::Other(failure.text()))
    }
}

impl ProgramInner {
    fn save_state(self: &Arc<Self>, path: &Path) -> Result<StateReport, Failure> {
        let program = self.clone();
        let saved =
            self.with_threads_stopped(move |stopped| program.on_own_stack(stopped, |view| save::save(view)))??;
        let saved = saved.map_err(Failure::Content)?;
        let wrong = |error| Failure::File(format!("cannot write `{}`: {error}", path.display()));
        file::write(path, &saved.text).map_err(wrong)?;
        Ok(saved.report)
    }

    fn load_state(self: &Arc<Self>, path: &Path) -> Result<StateReport, Failure> {
        let wrong = |error| Failure::File(format!("cannot read `{}`: {error}", path.display()));
        let bytes = file::read(path).map_err(wrong)?;
        let garbled = |error| Failure::Content(format!("cannot load `{}`: it is not UTF-8: {error}", path.display()));
        let text = String::from_utf8(bytes).map_err(garbled)?;
        let program = self.clone();
        let loaded = self.with_threads_stopped(move |stopped| program.load_stopped(&text, stopped))??;
        loaded.map_err(|why| Failure::Content(format!("cannot load `{}`: {why}", path.display())))
    }

    /// `hot_save(path)`: 0, or why not, as a negative number.
    pub fn hot_save(self: &Arc<Self>, path: &str) -> i64 {
        let result = self.save_state(&self.beside_root(path));
        self.tell_state("hot_save", result)
    }

    /// `hot_load(path)`: 0, or why not, as a negative number.
    pub fn hot_load(self: &Arc<Self>, path: &str) -> i64 {
        let result = self.load_state(&self.beside_root(path));
        self.tell_state("hot_load", result)
    }

    fn beside_root(&self, path: &str) -> std::path::PathBuf {
        self.root.parent().unwrap_or(Path::new("")).join(path)
    }

    fn tell_state(&self, function: &str, result: Result<StateReport, Failure>) -> i64 {
        let (code, notices) = match result {
            Ok(report) => (0, report.notices),
            Err(failure) => (failure.code(), vec![failure.text()]),
        };
        notices.into_iter().for_each(|text| self.tell(&Event::Notice(format!("{function}: {text}"))));
        code
    }

    /// Does something with the memory of the program while none of its threads runs.
    fn with_threads_stopped<T: Send + 'static>(
        self: &Arc<Self>,
        body: impl FnOnce(&Stopped<'_>) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        self.reloads_here().map_err(|error| Failure::Busy(error.to_string()))?;
        let result = Arc::new(Mutex::new(None));
        let cell = result.clone();
        let ticket = self.world.run_at_safepoint(SafepointKind::Commit, move |stopped| {
            let done = body(stopped);
            *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        });
        loop {
            match ticket.wait(LOOK) {
                Some(Outcome::Done { .. }) => break,
                Some(Outcome::Cancelled) => return Err(Failure::Busy("the program has ended".to_owned())),
                Some(Outcome::Panicked(why)) => return Err(Failure::Content(why)),
                None if self.world.is_interrupted_here() && ticket.cancel() => {
                    return Err(Failure::Busy("the program was interrupted".to_owned()));
                }
                None => {}
            }
        }
        let done = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        done.ok_or_else(|| Failure::Busy("the program has ended".to_owned()))
    }

    /// Reads the file as often as it takes until all defaults are there that have to be computed.
    fn load_stopped(&self, text: &str, stopped: &Stopped<'_>) -> Result<Result<StateReport, String>, Failure> {
        let mut computed = Computed::default();
        let result = loop {
            let attempt = self.on_own_stack(stopped, |view| {
                load::File::new(text)
                    .and_then(|file| load::load(view, &file, &mut computed))
                    .map_err(|why| why.to_string())
            });
            let wanted = match attempt {
                Ok(Ok(Loaded::Wants(wanted))) => wanted,
                Ok(Ok(Loaded::Done(report))) => break Ok(Ok(report)),
                Ok(Err(why)) => break Ok(Err(why)),
                Err(failure) => break Err(failure),
            };
            if let Err(why) = self.compute_defaults(&wanted, &mut computed) {
                break Ok(Err(why));
            }
        };
        self.give_up_computed(computed, !matches!(result, Ok(Ok(_))));
        result
    }

    fn on_own_stack<T: Send>(
        &self,
        stopped: &Stopped<'_>,
        body: impl FnOnce(&mut View<'_>) -> T + Send,
    ) -> Result<T, Failure> {
        let memory = self.world.heap().memory(stopped);
        let walk = || {
            let (live, mut linkage) = (self.live(), self.linkage());
            body(&mut View { memory, live: &live, linkage: &mut linkage, names: Names::new(&self.root) })
        };
        std::thread::scope(|scope| {
            let thread =
                std::thread::Builder::new().name("state".to_owned()).stack_size(STACK).spawn_scoped(scope, walk);
            let thread = thread.map_err(|error| Failure::Busy(format!("there is no thread for it: {error}")))?;
            thread.join().map_err(|_| Failure::Content("this is a bug in vaisjit: please report it".to_owned()))
        })
    }
}
