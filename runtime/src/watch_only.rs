//! Checking a program on every save, without running it: what `vaisjit watch` does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::engine::{Engine, Error};
use crate::events::Diagnostics;
use crate::report::Clock;
use crate::watch::FileWatcher;
use crate::workspace::{DiskLoader, Workspace};

/// What a watched check has to tell.
#[derive(Clone, Debug)]
pub enum CheckEvent {
    /// The program was checked, first or after a save.
    Checked {
        /// What was found; empty when all is well.
        diagnostics: Diagnostics,
        /// The program's files.
        files: Arc<[PathBuf]>,
        /// How long reading and checking took, in microseconds.
        micros: u64,
    },
    /// A remark of the watcher's.
    Notice(String),
}

impl Engine {
    /// Checks a program now and after every save, until the process ends; `tell` is called with the results. Fails when
    /// the root cannot be read at the start.
    pub fn watch_file(&self, path: impl AsRef<Path>, mut tell: impl FnMut(CheckEvent)) -> Result<(), Error> {
        let clock = Clock::start();
        let mut workspace = self.open(path.as_ref(), Arc::new(DiskLoader))?;
        let (sender, signals) = channel();
        let mut watcher = FileWatcher::new(move |signal| _ = sender.send(signal), self.options.poll);
        self.check_now(&mut workspace, &mut watcher, &clock, &mut tell);
        loop {
            let signal = match watcher.poll_interval() {
                None => signals.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(interval) => signals.recv_timeout(interval),
            };
            match signal {
                Ok(signal) if signal.folders => watcher.renew(),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) if watcher.look() => {}
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let clock = Clock::start();
            let until = Instant::now() + self.options.debounce;
            let (mut changed, mut failed) = workspace.refresh();
            while !failed.is_empty() || (!changed.is_empty() && workspace.snapshot().has_errors()) {
                // Half a save, perhaps: give it a moment.
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() || signals.recv_timeout(left.max(Duration::from_millis(1))).is_err() {
                    break;
                }
                let (more, still_failed) = workspace.refresh();
                changed.extend(more);
                failed = still_failed;
            }
            if let Some(error) = failed.first() {
                tell(CheckEvent::Notice(error.to_string()));
            }
            if !changed.is_empty() {
                self.check_now(&mut workspace, &mut watcher, &clock, &mut tell);
            }
        }
    }

    fn check_now(
        &self,
        workspace: &mut Workspace,
        watcher: &mut FileWatcher,
        clock: &Clock,
        tell: &mut impl FnMut(CheckEvent),
    ) {
        let mut snapshot = workspace.snapshot();
        // A save of a file that is new among them may have come before it was watched: look once more.
        while watcher.set_files(workspace.watched()) && !workspace.refresh().0.is_empty() {
            snapshot = workspace.snapshot();
        }
        let micros = clock.micros();
        if let Some(notice) = watcher.take_notice() {
            tell(CheckEvent::Notice(notice));
        }
        let diagnostics = self.diagnostics(&snapshot);
        tell(CheckEvent::Checked { diagnostics, files: snapshot.files.clone(), micros });
    }
}
