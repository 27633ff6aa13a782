//! A reload before its commit: what a save would do, and versions that wait for their host to say yes or no.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::landing::why_refused;
use super::pending::{Attempt, lock, refuse_asked};
use super::update::to_result;
use super::{Pending, Program, ProgramInner, Reloader, Staged, Update};
use crate::engine::Error;
use crate::history::Cause;
use crate::report::{Clock, Report};
use crate::workspace::Checkpoint;

/// How long a look ahead waits for the program to reach a place where a commit could happen.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// Whose texts a look ahead is about.
pub(crate) enum Texts<'a> {
    /// The files as they are on disk.
    Disk,
    /// These, from memory, as a patch would set them.
    Given(&'a [(PathBuf, Arc<str>)]),
    /// The files as they are on disk, but these as if they had just been saved so.
    Saved(&'a [(PathBuf, Arc<str>)]),
}

/// What a reload would do.
pub(crate) enum Ahead {
    /// It can be made live; nothing has been so far.
    Ready {
        staged: Box<Staged>,
        report: Box<Report>,
        /// What the commit would have to wait for, longer than a look ahead does.
        waits_for: Option<String>,
        after: Checkpoint,
        files: Vec<PathBuf>,
    },
    /// It cannot, or there is nothing to do.
    Settled(Update),
}

/// Versions that are prepared and wait for their host; at most one at a time.
#[derive(Default)]
pub(crate) struct Offers {
    next: AtomicU64,
    open: Mutex<Option<Offer>>,
}

struct Offer {
    number: u64,
    staged: Box<Staged>,
    /// The workspace with its texts.
    after: Checkpoint,
    files: Vec<PathBuf>,
}

impl Offers {
    fn open(&self) -> MutexGuard<'_, Option<Offer>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A version that has been prepared and is not live: [`Prepared::report`] says what it would do, [`Prepared::commit`]
/// does it, and dropping it leaves no trace. Made by [`Program::prepare`].
///
/// The program goes on being reloaded meanwhile: any later preparation, a save that is watched for included, takes this
/// one back, and a commit then does nothing.
pub struct Prepared {
    program: Arc<ProgramInner>,
    report: Arc<Report>,
    version: u64,
    /// `None` if there is nothing to do.
    number: Option<u64>,
}

impl Prepared {
    /// What becomes of each edit: what the commit will report.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The number of the version that runs after the commit: the present one if nothing that runs would change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Makes it live; `Superseded`, and nothing done, if the program has been reloaded or prepared anew meanwhile.
    /// Waits for a safepoint as [`Program::poll`] does.
    pub fn commit(self) -> Result<Update, Error> {
        match self.number {
            None => Ok(Update::Unchanged(self.report.clone())),
            Some(number) => to_result(self.program.accept(number)?),
        }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // The lock keeps preparations out that could count on what is taken back.
        let mut linkage = self.program.linkage();
        let offer = self.program.offers.open().take_if(|offer| Some(offer.number) == self.number);
        if let Some(offer) = offer {
            offer.staged.take_back(&mut linkage);
        }
    }
}

impl Program {
    /// Reads the program's files again and prepares what was saved since, without making it live. An error says what
    /// is wrong with it ([`Error::Rejected`]) or why it cannot be carried over ([`Error::Refused`]).
    ///
    /// ```
    /// let engine = vaisjit::Engine::builder().build()?;
    /// let program = engine.load_str("F price(n: i64) -> i64 { n * 3 }")?;
    /// let prepared = program.prepare_texts(&[("main.vais", "F price(n: i64) -> i64 { n * 4 }")])?;
    /// assert_eq!(prepared.report().edits[0].to_string(), "function price changed: live now");
    /// assert_eq!(program.version(), 1);
    /// prepared.commit()?;
    /// assert_eq!(program.version(), 2);
    /// # Ok::<(), vaisjit::Error>(())
    /// ```
    pub fn prepare(&self) -> Result<Prepared, Error> {
        self.inner.offer(&Texts::Disk)
    }

    /// The same for texts from memory: the files named get these texts, and hold them after the commit until they
    /// change on disk. Files that are no part of the program count only if its imports lead to them.
    pub fn prepare_texts(&self, texts: &[(impl AsRef<Path>, impl AsRef<str>)]) -> Result<Prepared, Error> {
        let texts = texts.iter().map(|(path, text)| (path.as_ref().to_path_buf(), text.as_ref().into()));
        self.inner.offer(&Texts::Given(&texts.collect::<Vec<_>>()))
    }
}

impl ProgramInner {
    /// Prepares texts and says what a commit of them would do, with the workspace left as it was.
    pub fn look_ahead(self: &Arc<Self>, reloader: &mut Reloader, texts: &Texts<'_>) -> Result<Ahead, Error> {
        let before = reloader.workspace.checkpoint();
        // A bug of ours must not leave texts behind that nobody saved.
        let look = std::panic::AssertUnwindSafe(|| self.prepare_ahead(reloader, texts));
        let ahead = std::panic::catch_unwind(look);
        reloader.workspace.restore(before);
        ahead.unwrap_or_else(|_| Err(Error::Other("this cannot be compiled, a bug of vaisjit's".to_owned())))
    }

    fn prepare_ahead(self: &Arc<Self>, reloader: &mut Reloader, texts: &Texts<'_>) -> Result<Ahead, Error> {
        let clock = Clock::start();
        let (files, failed) = match texts {
            Texts::Disk => reloader.workspace.refresh(),
            Texts::Saved(saved) => reloader.workspace.refresh_as(saved),
            Texts::Given(given) => (reloader.workspace.set_texts(given), Vec::new()),
        };
        // A file that is missing is perhaps being replaced.
        let failed = failed.into_iter().find(|error| !error.is_missing());
        match failed {
            Some(error) if files.is_empty() => return Err(error.into()),
            _ if files.is_empty() && self.is_current(reloader) => {
                return Ok(Ahead::Settled(Update::Unchanged(Arc::default())));
            }
            _ => {}
        }
        let cause = match texts {
            Texts::Disk | Texts::Saved(_) => Cause::Saved,
            Texts::Given(_) => Cause::Patched,
        };
        let mut update = Update::Superseded;
        // Once more if `main` was started in between, or if types must not grow.
        for _ in 0..3 {
            let staged = self.stage_beside(reloader, files.clone(), cause, Clock::since(clock.started()), &|| false);
            let grows = staged.as_ref().is_ok_and(Staged::grows_to_keep);
            update = match staged.and_then(|staged| self.foresee_commit(staged)) {
                Err(Update::Refused(report)) if grows => {
                    reloader.cramped = Some(why_refused(&report));
                    continue;
                }
                Ok((staged, report, waits_for)) => {
                    let after = reloader.workspace.checkpoint();
                    let (staged, report) = (Box::new(staged), Box::new(report));
                    return Ok(Ahead::Ready { staged, report, waits_for, after, files });
                }
                Err(update) => update,
            };
            if !matches!(update, Update::Superseded) {
                break;
            }
        }
        Ok(Ahead::Settled(update))
    }

    /// The report of a commit, with what only shows when the threads are stopped; nothing is committed, and what was
    /// staged stays as it is; and what the commit would have to wait for. The error is what it would end with instead.
    fn foresee_commit(self: &Arc<Self>, staged: Staged) -> Result<(Staged, Report, Option<String>), Update> {
        let plain = staged.report().clone();
        if !staged.needs_safepoint() {
            return Ok((staged, plain, None));
        }
        let (prepared, clock, base, cause) = staged.into_parts();
        let pending = self
            .request(prepared, Clock::start(), |program, prepared, stopped| program.foresee_stopped(prepared, stopped));
        let started = Instant::now();
        let (mut ended, mut waits_for) = (None, None);
        while ended.is_none() && waits_for.is_none() {
            let left = LONGEST_LOOK.saturating_sub(started.elapsed());
            ended = pending.wait(left);
            if ended.is_none() && left.is_zero() {
                let blocked = pending.waits_for(self);
                // Where it cannot be taken back it runs, and is over soon.
                waits_for = pending.cancel().then_some(blocked);
            }
        }
        let prepared = lock(&pending.prepared).take();
        let mut prepared = prepared.ok_or(Update::Superseded)?;
        let mut report = std::mem::replace(&mut prepared.report, plain);
        let staged = Staged::from_parts((prepared, clock, base, cause));
        match (&*lock(&pending.attempt), &waits_for) {
            (_, Some(waits_for)) => report.wait_for(waits_for),
            (Attempt::Applied, _) => {}
            (attempt, _) => {
                if let Attempt::NotYet { what, .. } = attempt {
                    refuse_asked(&mut report, what, pending.waits_for_others());
                }
                self.give_up(&staged);
                let refused = report.refusals().next().is_some();
                return Err(if refused { Update::Refused(Arc::new(report.refused())) } else { Update::Superseded });
            }
        }
        Ok((staged, report, waits_for))
    }

    fn offer(self: &Arc<Self>, texts: &Texts<'_>) -> Result<Prepared, Error> {
        self.reloads_here()?;
        if !self.mode.hot {
            return Err(Error::Other("a program in static mode cannot be reloaded".to_owned()));
        }
        let mut reloader = self.reloader();
        self.withdraw_offer();
        let prepared = |report, version, number| Prepared { program: self.clone(), report, version, number };
        match self.look_ahead(&mut reloader, texts)? {
            Ahead::Settled(update) => match to_result(update)? {
                Update::Unchanged(report) => Ok(prepared(report, self.version(), None)),
                _ => Err(Error::Other("a newer save arrived meanwhile".to_owned())),
            },
            Ahead::Ready { staged, report, after, files, .. } => {
                let number = self.offers.next.fetch_add(1, Ordering::SeqCst);
                let version = staged.base() + u64::from(staged.changes_code());
                let report = Arc::new(*report);
                *self.offers.open() = Some(Offer { number, staged, after, files });
                Ok(prepared(report, version, Some(number)))
            }
        }
    }

    /// Takes back what a host has prepared; only by who has the right to reload.
    pub fn withdraw_offer(&self) {
        let offer = self.offers.open().take();
        if let Some(offer) = offer {
            self.give_up(&offer.staged);
        }
    }

    /// Makes an offer live.
    fn accept(self: &Arc<Self>, number: u64) -> Result<Update, Error> {
        self.reloads_here()?;
        let mut reloader = self.reloader();
        let offer = self.offers.open().take_if(|offer| offer.number == number);
        let Some(Offer { staged, after, files, .. }) = offer else { return Ok(Update::Superseded) };
        let before = reloader.workspace.checkpoint();
        let cause = staged.cause();
        reloader.workspace.restore(after);
        let mut update = Update::Superseded;
        if self.control.has_staged() {
            // It may count on what that has added, so it is prepared once more without.
            self.give_up(&staged);
        } else {
            update = self.land(&mut reloader, *staged, &mut Pending::wait_for_ever);
        }
        if matches!(update, Update::Superseded) {
            update = self.update_from(&mut reloader, files.clone(), cause, Clock::start());
        }
        if update.is_turned_down() {
            reloader.workspace.restore(before);
        }
        drop(reloader);
        self.announce(&update, &files);
        Ok(update)
    }
}
