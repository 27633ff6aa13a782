//! New versions: from the texts on disk (or a patch, or the history) to a committed reload.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vaisjit_semantics::Checked;

use super::landing::{Committed, WayBack, why_refused};
use super::pending::{Attempt, Pending, Waited, lock, refuse_asked, refuse_missed};
use super::trial::Tried;
use super::{Program, ProgramInner, Reloader};
use crate::code::{SafepointKind, Stopped};
use crate::engine::Error;
use crate::events::{Diagnostics, Event};
use crate::history::{Cause, HistoryEntry};
use crate::linkage::Linkage;
use crate::reload::prepare::{Base, Preparation, Prepared, prepare};
use crate::reload::renames::{self, Described, Making};
use crate::reload::replace::{Running, Standing, Verdict};
use crate::report::{Clock, Edit, Outcome as EditOutcome, Report};
use crate::workspace::Snapshot;

/// What became of an attempt to reload.
#[derive(Clone, Debug)]
pub enum Update {
    /// No text has changed, or nothing that runs depends on what has.
    Unchanged(Arc<Report>),
    /// A new version is live.
    Reloaded {
        /// Its number.
        version: u64,
        /// What changed.
        report: Arc<Report>,
    },
    /// The new texts have mistakes.
    Rejected(Diagnostics),
    /// The new texts cannot be carried over; the report says why.
    Refused(Arc<Report>),
    /// A newer save arrived meanwhile; or, asked for by a call from inside the program, another reload is going on that waits
    /// for it, or waits for other threads of the program and goes on by itself.
    Superseded,
}

impl Update {
    /// Did the program change?
    pub fn is_reloaded(&self) -> bool {
        matches!(self, Update::Reloaded { .. })
    }

    /// Does the old version run on because of what is wrong with the new one?
    pub(crate) fn is_turned_down(&self) -> bool {
        matches!(self, Update::Rejected(_) | Update::Refused(_))
    }
}

/// Said of a commit that came in the middle of a turn that had run old code and was still to run new code.
const MIXED: &str = "no outermost loop came round in time, so it was taken over in the middle of one: that turn runs code of both versions";

/// How often a version is prepared at most, if what runs is another every time.
const TRIES: usize = 4;

/// How many versions that were prepared in a row for places where the threads are not may be given up. Chosen by feel.
const MOST_MISSED: usize = 20;

/// After how many of them frames are left alone that have come into a loop since. Chosen by feel.
const ENOUGH_MISSED: usize = 2;

/// How long a preparation waits for all threads to stop, to see what they run.
const ASKING: Duration = Duration::from_millis(50);
/// A prepared version, not yet live.
pub(crate) struct Staged {
    prepared: Box<Prepared>,
    clock: Clock,
    /// The version it was prepared against.
    base: u64,
    cause: Cause,
}

/// What a version is to be made from.
struct Goal {
    snapshot: Snapshot,
    /// The files whose text is another.
    files: Vec<PathBuf>,
    cause: Cause,
}

impl Staged {
    /// The program it makes.
    pub fn checked(&self) -> Arc<Checked> {
        self.prepared.snapshot.checked.clone()
    }

    /// What it will change.
    pub fn report(&self) -> &Report {
        &self.prepared.report
    }

    /// Takes it apart: what was prepared, since when, against which version, and where it comes from.
    pub fn into_parts(self) -> (Box<Prepared>, Clock, u64, Cause) {
        (self.prepared, self.clock, self.base, self.cause)
    }

    /// Puts it together again.
    pub fn from_parts((prepared, clock, base, cause): (Box<Prepared>, Clock, u64, Cause)) -> Staged {
        Staged { prepared, clock, base, cause }
    }

    /// Does it change anything that runs?
    pub fn changes_code(&self) -> bool {
        self.prepared.changes_code()
    }

    /// Does it grow types only to keep values of fields that are gone?
    pub fn grows_to_keep(&self) -> bool {
        self.prepared.layouts.grow_to_keep()
    }

    /// Can only a safepoint make it live, and not one store at any time?
    pub fn needs_safepoint(&self) -> bool {
        self.prepared.changes_code() && !self.prepared.is_single_body()
    }

    /// The version it was prepared against.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Where it comes from.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Takes back all that it has added to the link table.
    pub fn take_back(&self, linkage: &mut Linkage) {
        self.prepared.take_back(linkage);
    }
}

impl ProgramInner {
    pub fn linkage(&self) -> MutexGuard<'_, Linkage> {
        self.linkage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads version 1.
    pub fn first_version(&self) -> Result<(), Error> {
        let mut reloader = self.reloader();
        reloader.workspace.load_root()?;
        let snapshot = reloader.workspace.snapshot();
        match self.preparation(&mut reloader, snapshot.clone(), &|| false) {
            Some(Preparation::Ready(mut prepared)) => {
                let globals = std::mem::take(&mut prepared.globals);
                self.live().apply(&mut prepared, 1);
                self.version.store(1, Ordering::Release);
                self.control.told.set(1, Instant::now());
                self.adopt(&mut reloader, &mut prepared);
                prepared.report.files = prepared.snapshot.files.to_vec();
                let (report, state) = (Arc::new(prepared.report.clone()), reloader.workspace.checkpoint());
                self.history().remember(1, Cause::Loaded, &report, state);
                drop(reloader);
                globals.iter().try_for_each(|path| self.initialise(*path, &prepared.snapshot))
            }
            Some(Preparation::Rejected(list)) => Err(Error::Rejected(self.rejected(&snapshot, list))),
            Some(Preparation::Refused(report) | Preparation::TooLarge(report)) => Err(Error::Refused(Arc::new(report))),
            None => Err(Error::Other("loading was cancelled".to_owned())),
        }
    }

    /// Prepares a snapshot against what is live now.
    pub fn preparation(
        &self,
        reloader: &mut Reloader,
        snapshot: Snapshot,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Preparation> {
        let cramped = reloader.cramped.take();
        let base = Committed {
            links: &reloader.links,
            promoted: &reloader.promoted,
            version: self.version() + 1,
            main_is_running: self.main_is_running(),
            cramped: cramped.as_deref(),
        };
        match self.preparation_from(&base, snapshot.clone(), &|| self.stacks(), cancelled) {
            Some(Preparation::TooLarge(report)) => {
                let base = Committed { cramped: Some(&why_refused(&report)), ..base };
                self.preparation_from(&base, snapshot, &|| self.stacks(), cancelled)
            }
            made => made,
        }
    }

    /// The same, after a version whose links are these.
    pub(super) fn preparation_from(
        &self,
        committed: &Committed<'_>,
        snapshot: Snapshot,
        stacks: &dyn Fn() -> Option<Vec<Standing>>,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Preparation> {
        let Committed { links, promoted, version, main_is_running, cramped } = *committed;
        let (mut live, mut linkage) = (self.live(), self.linkage());
        let (found, doubles) = renames::find(&live, &snapshot);
        let renames = found.as_ref().map(|found| &found.renames).filter(|renames| !renames.is_empty());
        let making = Making { mode: &self.mode, host: &self.host, links };
        let mut described = renames.map(|renames| Box::new(Described::new(&live, renames.clone(), &making)));
        let other = described.as_ref().map(|other| (other.links(links), other.functions(promoted)));
        let (links, promoted) = other.as_ref().map_or((links, promoted), |(links, promoted)| (links, promoted));
        if let Some(described) = &mut described {
            described.enter(&mut live, &mut linkage);
        }
        let mut base = Base {
            mode: &self.mode,
            live: &live,
            linkage: &mut linkage,
            host: &self.host,
            links,
            promoted,
            version,
            main_is_running,
            stacks,
            found,
            cramped,
            cancelled,
        };
        let mut made = prepare(snapshot, &mut base);
        if let Some(described) = &mut described {
            described.leave(&mut live, &mut linkage);
        }
        if let Some(Preparation::Ready(prepared)) = &mut made {
            (prepared.described, prepared.doubles) = (described, doubles);
        }
        made
    }

    /// Describes the running version by the names of one that is about to become live.
    pub(super) fn enter_names(&self, prepared: &mut Prepared) {
        if let Some(described) = &mut prepared.described {
            described.enter(&mut self.live(), &mut self.linkage());
        }
    }

    /// Describes it by its own names again.
    pub(super) fn leave_names(&self, prepared: &mut Prepared) {
        if let Some(described) = &mut prepared.described {
            described.leave(&mut self.live(), &mut self.linkage());
        }
    }

    /// The frames on the stacks of the program; `None` if a thread does not stop soon.
    fn stacks(&self) -> Option<Vec<Standing>> {
        let found = Arc::new(Mutex::new(HashSet::new()));
        let frames = found.clone();
        let ticket = self.world.run_at_safepoint(SafepointKind::Sweep, move |stopped| {
            let mut frames = frames.lock().unwrap_or_else(PoisonError::into_inner);
            stopped.walk(|frame| _ = frames.insert(Standing::of(frame)));
        });
        if ticket.wait(ASKING).is_none() && ticket.cancel() {
            return None;
        }
        ticket.wait(Duration::MAX)?;
        let found = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
        Some(found.into_iter().collect())
    }

    /// Makes a prepared version live; the error is the report of what the trial has refused, if it has. `wait` is called
    /// when the program has to reach a safepoint first.
    pub fn commit(
        self: &Arc<Self>,
        reloader: &mut Reloader,
        mut prepared: Box<Prepared>,
        wait: &mut dyn FnMut(&Pending) -> Waited,
    ) -> Result<(Report, bool), Option<Box<Report>>> {
        let clock = Clock::start();
        self.control.take_put_off();
        let changes_code = prepared.changes_code();
        let has_hooks = changes_code && self.has_hooks(&prepared);
        if !changes_code || prepared.is_single_body() && !has_hooks {
            // One store shows a new body to everybody at once.
            self.apply(&mut prepared, Tried::default());
            return Ok(self.finish(reloader, prepared, &clock, changes_code));
        }
        self.live().get_ready(&prepared);
        if let Some(running) = Arc::get_mut(&mut prepared.moves.running) {
            running.leaves_new_frames = reloader.missed >= ENOUGH_MISSED;
        }
        let way_back = has_hooks.then(|| WayBack::new(self, reloader));
        let pending = self.request(prepared, clock, move |program, prepared, stopped| {
            program.apply_stopped(prepared, stopped, way_back.clone())
        });
        let waited = wait(&pending);
        let missed = std::mem::take(&mut reloader.missed);
        let attempt = std::mem::take(&mut *lock(&pending.attempt));
        match (waited, attempt) {
            (Waited::Done { paused }, Attempt::Applied) => {
                let prepared = pending.take().ok_or(None)?;
                let mixes_turns = prepared.mixes_turns;
                let (mut report, changed) = self.finish(reloader, prepared, &pending.clock, true);
                report.times.pause_us = paused.as_micros() as u64;
                report.notices.extend(mixes_turns.then(|| MIXED.to_owned()));
                Ok((report, changed))
            }
            (_, Attempt::TakenBack(mut inverse)) => {
                let mut prepared = pending.take().ok_or(None)?;
                self.adopt(reloader, &mut prepared);
                self.adopt(reloader, &mut inverse);
                Err(Some(Box::new(prepared.report)))
            }
            (_, attempt) => {
                let prepared = pending.take().ok_or(None)?;
                self.abandon(&prepared);
                let others = pending.waits_for_others();
                if let (Attempt::NotYet { what, .. }, true) = (&attempt, others) {
                    self.control.put_off(what);
                }
                Err(not_live(reloader, prepared, attempt, (missed, others)))
            }
        }
    }

    /// What [`ProgramInner::apply_stopped`] would come to, with the report completed and nothing done.
    pub(super) fn foresee_stopped(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Attempt {
        self.enter_names(prepared);
        let attempt = self.foresee_named(prepared, stopped);
        self.leave_names(prepared);
        attempt
    }

    fn foresee_named(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Attempt {
        let running = prepared.moves.running.clone();
        if !self.foresee(stopped, &running, &mut prepared.report) {
            return Attempt::TurnedDown;
        }
        if let Some(attempt) = self.blocked(prepared, stopped).or_else(|| self.in_lost_loop(prepared, stopped)) {
            return attempt;
        }
        self.foresee_move(prepared, stopped)
    }

    /// Completes the report of a commit with what only shows when the threads are stopped; changes nothing. Says of each
    /// function with new code what its frames do. False if nothing was prepared for a frame because it has gone on in
    /// other code since, or if `main` would go on in old code that has been edited: it has been started, or has come into
    /// another loop, since the preparation.
    pub fn foresee(&self, stopped: &Stopped<'_>, running: &Running, report: &mut Report) -> bool {
        let live = self.live();
        let main = live.checked.main;
        let (mut stay, mut go, mut main_stays, mut has_main) = (Vec::new(), Vec::new(), false, false);
        let mut has_gone_on = false;
        let is_gone = |edit: &&Edit| edit.kind == "function" && edit.change == "removed";
        let gone: HashSet<String> = report.edits.iter().filter(is_gone).map(|edit| edit.name.clone()).collect();
        stopped.walk(|frame| {
            let frame = Standing::of(frame);
            let Some(meta) = frame.meta(&live) else { return };
            let is_main = main == Some(meta.instance);
            has_main |= is_main;
            if meta.has_loops() && !gone.is_empty() && gone.contains(&meta.name()) {
                report
                    .note(format!("`{}` is running and ends with its old code: it is gone from the text", meta.name()));
            }
            if !running.concerns(meta.instance) || !(meta.has_loops() || is_main) {
                return;
            }
            has_gone_on |= running.has_gone_on(&frame, meta) || running.has_come_since(&frame, meta);
            match running.verdict(&frame, meta) {
                Some(Verdict::Goes | Verdict::Later(_)) => go.push(meta.name()),
                Some(Verdict::Same) => {}
                Some(Verdict::Stays(_)) | None => {
                    main_stays |= is_main;
                    stay.push(meta.name());
                }
            }
        });
        let is_old = |edit: &&mut Edit| edit.kind == "function" && matches!(edit.change, "changed" | "signature");
        for edit in report.edits.iter_mut().filter(is_old) {
            if stay.contains(&edit.name) {
                edit.outcome = EditOutcome::AtNextCall;
            } else if go.contains(&edit.name) {
                edit.outcome = EditOutcome::AtNextLoopHead;
            }
        }
        let is_starting = running.main_changes_slot && !has_main && self.main_is_running();
        !(has_gone_on || running.edits_main && main_stays || is_starting)
    }

    fn finish(
        &self,
        reloader: &mut Reloader,
        mut prepared: Box<Prepared>,
        clock: &Clock,
        changed: bool,
    ) -> (Report, bool) {
        if let Some(described) = &prepared.described {
            described.leave_former(&self.live(), &mut self.linkage());
        }
        self.adopt(reloader, &mut prepared);
        let mut report = std::mem::take(&mut prepared.report);
        report.times.swap_us = clock.micros();
        (report, changed)
    }

    /// Takes over what later preparations start from. What has been retired is swept from here, and not in the commit: to
    /// ask for that may start a thread, and nobody is to stand still for it.
    fn adopt(&self, reloader: &mut Reloader, prepared: &mut Prepared) {
        if self.world.retired() > 0 {
            self.world.sweep_soon();
        }
        let mut linkage = self.linkage();
        linkage.keep(&prepared.fresh);
        linkage.keep_guards(prepared.guards.drain(..));
        drop(linkage);
        reloader.links = std::mem::take(&mut prepared.links);
        if let Some(described) = prepared.described.take() {
            reloader.promoted = described.functions(&reloader.promoted);
        }
        reloader.promoted.extend(prepared.promoted.drain(..));
    }

    pub(super) fn abandon(&self, prepared: &Prepared) {
        prepared.take_back(&mut self.linkage());
    }

    /// Takes back all that is prepared and not live. What waits for the program to ask for it, and what a host has
    /// prepared, counts on slots that the next preparation may want, too.
    fn take_back_prepared(&self) {
        self.withdraw_offer();
        if let Some(staged) = self.control.take_staged() {
            self.abandon(&staged.prepared);
        }
    }

    /// Prepares what the workspace holds now.
    pub fn stage(
        &self,
        reloader: &mut Reloader,
        files: Vec<PathBuf>,
        cause: Cause,
        clock: Clock,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Staged, Update> {
        self.take_back_prepared();
        self.stage_beside(reloader, files, cause, clock, cancelled)
    }

    /// The same, beside what waits for the program to ask for it. It must not become live as long as that waits, and is
    /// to be given up before that is.
    pub fn stage_beside(
        &self,
        reloader: &mut Reloader,
        files: Vec<PathBuf>,
        cause: Cause,
        clock: Clock,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Staged, Update> {
        let watch_us = clock.micros().saturating_sub(reloader.workspace.parse_us());
        reloader.workspace.follow(self.live().running());
        let goal = Goal { snapshot: reloader.workspace.snapshot(), files, cause };
        let mut staged = self.stage_snapshot(reloader, goal, clock, cancelled);
        match &mut staged {
            Ok(staged) => staged.prepared.report.times.watch_us = watch_us,
            Err(Update::Refused(report)) => Arc::make_mut(report).times.watch_us = watch_us,
            Err(_) => {}
        }
        staged
    }

    /// Prepares a snapshot.
    fn stage_snapshot(
        &self,
        reloader: &mut Reloader,
        goal: Goal,
        clock: Clock,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Staged, Update> {
        let Goal { snapshot, mut files, cause } = goal;
        // A save that was waiting is taken up again with those that came since.
        let mut known = HashSet::new();
        files.retain(|file| known.insert(file.clone()));
        match self.preparation(reloader, snapshot.clone(), cancelled) {
            None => Err(Update::Superseded),
            Some(Preparation::Rejected(list)) => Err(Update::Rejected(self.rejected(&snapshot, list))),
            Some(Preparation::Refused(mut report) | Preparation::TooLarge(mut report)) => {
                report.files = files;
                report.times.total_us = clock.micros();
                Err(Update::Refused(Arc::new(report.refused())))
            }
            Some(Preparation::Ready(mut prepared)) => {
                prepared.report.files = files;
                Ok(Staged { prepared, clock, base: self.version(), cause })
            }
        }
    }

    /// Takes back a version that will not be made live.
    pub fn give_up(&self, staged: &Staged) {
        self.abandon(&staged.prepared);
    }

    /// Makes a staged version live.
    pub fn land(
        self: &Arc<Self>,
        reloader: &mut Reloader,
        staged: Staged,
        wait: &mut dyn FnMut(&Pending) -> Waited,
    ) -> Update {
        self.withdraw_offer();
        if staged.base != self.version() {
            self.abandon(&staged.prepared);
            return Update::Superseded;
        }
        let (mut report, changed) = match self.commit(reloader, staged.prepared, wait) {
            Ok(done) => done,
            Err(None) => return Update::Superseded,
            Err(Some(mut report)) => {
                report.times.total_us = staged.clock.micros();
                return Update::Refused(Arc::new(report.refused()));
            }
        };
        report.times.total_us = staged.clock.micros();
        let (version, report) = (self.version(), Arc::new(report));
        let state = reloader.workspace.checkpoint();
        self.history().remember(version, staged.cause, &report, state);
        if changed { Update::Reloaded { version, report } } else { Update::Unchanged(report) }
    }

    /// Tells of a new version; who waits for one goes on.
    fn tell_new(&self, event: &Event, version: u64, report: &Report) {
        let saved = Instant::now().checked_sub(Duration::from_micros(report.times.total_us));
        self.tell(event);
        self.control.told.set(version, saved.unwrap_or_else(Instant::now));
    }

    /// Tells that what was saved is the running version.
    pub fn tell_unchanged(&self, version: u64, report: Arc<Report>) {
        self.tell(&Event::Unchanged { version, report });
        self.control.told.note_unchanged();
    }

    /// The event that tells of an update.
    pub fn announce(&self, update: &Update, files: &[PathBuf]) {
        let version = self.version();
        match update {
            Update::Superseded => {}
            Update::Unchanged(report) => self.tell_unchanged(version, report.clone()),
            Update::Reloaded { version, report } => {
                self.tell_new(&Event::Reloaded { version: *version, report: report.clone() }, *version, report);
            }
            Update::Rejected(diagnostics) => {
                self.tell(&Event::Rejected { version, files: files.to_vec(), diagnostics: diagnostics.clone() })
            }
            Update::Refused(report) => self.tell(&Event::Refused { version, report: report.clone() }),
        }
    }

    /// Reads the files again and applies what changed, here and now.
    pub fn update_now(self: &Arc<Self>) -> Result<Update, Error> {
        let clock = Clock::start();
        self.reloads_here()?;
        let Some(mut reloader) = self.reloader_for_call() else { return Ok(Update::Superseded) };
        let (files, failed) = reloader.workspace.refresh();
        // A file that is missing is perhaps being replaced.
        let failed = failed.into_iter().find(|error| !error.is_missing());
        if files.is_empty()
            && let Some(error) = failed
        {
            return Err(error.into());
        }
        if files.is_empty() && self.is_current(&reloader) {
            return Ok(Update::Unchanged(Arc::default()));
        }
        let known = files.is_empty() && reloader.has_told();
        let update = self.update_from(&mut reloader, files.clone(), Cause::Saved, clock);
        if self.control.take_put_off().is_some() && update.is_turned_down() && self.control.applies_by_itself() {
            // Whoever watches takes it up, and this thread can go on meanwhile.
            return Ok(Update::Superseded);
        }
        reloader.tells(&update);
        drop(reloader);
        if !(known && update.is_turned_down()) {
            self.announce(&update, &files);
        }
        Ok(update)
    }

    /// Before `main` starts again: what was refused because it was running, and what waits for the program, can be had
    /// now, whatever hooks say.
    pub fn take_newest(self: &Arc<Self>) {
        if self.mode.hot {
            self.asked.insisting(true, || self.take_newest_insisting());
        }
    }

    fn take_newest_insisting(self: &Arc<Self>) {
        self.apply_waiting();
        if self.control.is_held() {
            return;
        }
        let is_current = self.is_current(&self.reloader());
        if self.control.is_watched() || !is_current {
            // Whoever watches is told of failures.
            let _ = self.update_now();
        }
    }

    /// Applies what the workspace holds, here and now.
    pub fn update_from(
        self: &Arc<Self>,
        reloader: &mut Reloader,
        files: Vec<PathBuf>,
        cause: Cause,
        clock: Clock,
    ) -> Update {
        self.again(&mut |program| {
            let clock = Clock::since(clock.started());
            match program.stage(reloader, files.clone(), cause, clock, &|| false) {
                Ok(staged) => program.land(reloader, staged, &mut Pending::wait_for_ever),
                Err(update) => update,
            }
        })
    }

    /// Is the last snapshot one that waits for the program to ask for it?
    pub fn waits_for_program(&self, reloader: &Reloader) -> bool {
        let last = reloader.workspace.last();
        last.is_some_and(|last| self.control.staged_program().is_some_and(|staged| Arc::ptr_eq(&staged, &last.checked)))
    }

    /// Is the last snapshot the running version?
    pub fn is_current(&self, reloader: &Reloader) -> bool {
        let live = self.live();
        reloader.workspace.last().is_some_and(|last| Arc::ptr_eq(&last.checked, &live.checked))
    }
}

/// What becomes of one that did not become live, after so many others: its report if it is refused, else it has to be
/// prepared again. Of one that has been asked for inside the program, whether only other threads stood in its way.
fn not_live(
    reloader: &mut Reloader,
    mut prepared: Box<Prepared>,
    attempt: Attempt,
    (missed, others): (usize, bool),
) -> Option<Box<Report>> {
    let report = &mut prepared.report;
    match attempt {
        Attempt::NotYet { ref what, .. } => refuse_asked(report, what, others),
        Attempt::TurnedDown if missed >= MOST_MISSED && report.refusals().next().is_none() => {
            refuse_missed(report, missed)
        }
        _ => {}
    }
    let is_refused = report.refusals().next().is_some();
    let grows = is_refused && missed < MOST_MISSED && prepared.layouts.grow_to_keep();
    // One that a newer save takes back starts the count anew.
    if matches!(attempt, Attempt::TurnedDown) && (grows || !is_refused) {
        reloader.missed = missed + 1;
    }
    reloader.cramped = grows.then(|| why_refused(report));
    (is_refused && !grows).then(|| Box::new(prepared.report))
}

impl ProgramInner {
    /// Makes an earlier version the newest: its texts, and the program as it was checked then. It holds until a file
    /// changes on disk.
    pub fn roll_back(self: &Arc<Self>, to: u64, wait: &mut dyn FnMut(&Pending) -> Waited) -> Result<Update, Error> {
        let clock = Clock::start();
        self.reloads_here()?;
        let Some(mut reloader) = self.reloader_for_call() else { return Ok(Update::Superseded) };
        let state = self.history().state(to).map_err(Error::Other)?;
        self.take_back_prepared();
        let before = reloader.workspace.checkpoint();
        let files = reloader.workspace.go_back(&state);
        let mut update = Update::Superseded;
        if let Some(snapshot) = state.snapshot() {
            let cause = Cause::RolledBack { to };
            update = self.again(&mut |program| {
                let goal = Goal { snapshot: snapshot.clone(), files: files.clone(), cause };
                match program.stage_snapshot(&mut reloader, goal, Clock::since(clock.started()), &|| false) {
                    Ok(staged) => program.land(&mut reloader, staged, wait),
                    Err(update) => update,
                }
            });
        }
        if update.is_turned_down() || matches!(update, Update::Superseded) {
            reloader.workspace.restore(before);
        }
        drop(reloader);
        match &update {
            Update::Reloaded { version, report } => {
                self.tell_new(&Event::RolledBack { version: *version, to, report: report.clone() }, *version, report);
            }
            Update::Unchanged(_) => {
                // Nothing that was saved is told of here, so nothing is mended.
                let version = self.version();
                self.tell(&Event::Notice(format!("rollback to v{to}: that is what runs already, as v{version}")));
                self.control.told.note_unchanged();
            }
            update => self.announce(update, &files),
        }
        Ok(update)
    }

    /// Again if `main` was started in between, or a loop has gone on in other code.
    fn again(self: &Arc<Self>, attempt: &mut dyn FnMut(&Arc<Self>) -> Update) -> Update {
        let again = |update: &Update| matches!(update, Update::Superseded);
        (1..TRIES).fold(attempt(self), |update, _| if again(&update) { attempt(self) } else { update })
    }

    /// Replaces the text of one function of the root file, from memory.
    fn patch(self: &Arc<Self>, name: &str, text: &str) -> Result<Update, Error> {
        let clock = Clock::start();
        self.reloads_here()?;
        let Some(mut reloader) = self.reloader_for_call() else { return Ok(Update::Superseded) };
        let root = reloader.workspace.root().to_path_buf();
        let whole = reloader.workspace.text(&root).unwrap_or_default();
        let range = reloader.workspace.function_range(name);
        let range = range.ok_or_else(|| Error::Other(format!("there is no function `{name}` to replace")))?;
        let patched = format!("{}{text}{}", &whole[..range.start], &whole[range.end..]);
        let before = reloader.workspace.checkpoint();
        reloader.workspace.set_text(&root, &patched);
        let update = self.update_from(&mut reloader, vec![root.clone()], Cause::Patched, clock);
        if update.is_turned_down() {
            // The next save starts from the file, not from a patch that was turned down.
            reloader.workspace.restore(before);
        }
        drop(reloader);
        self.announce(&update, &[root]);
        Ok(update)
    }
}

/// What a host gets: a version that was turned down is an error.
pub(super) fn to_result(update: Update) -> Result<Update, Error> {
    match update {
        Update::Rejected(diagnostics) => Err(Error::Rejected(diagnostics)),
        Update::Refused(report) => Err(Error::Refused(report)),
        other => Ok(other),
    }
}

impl Program {
    /// Replaces one function of the root file with this text (attributes included), from memory. The file on disk stays
    /// as it is, and the patch holds until it changes there.
    pub fn patch(&self, name: &str, text: &str) -> Result<Update, Error> {
        to_result(self.inner.patch(name, text)?)
    }

    /// Makes an earlier version the newest, under a new number; the last [`KEPT_VERSIONS`](crate::KEPT_VERSIONS) are kept
    /// ([`Program::history`]). Nothing is parsed, checked or compiled for it. It holds until a file changes on disk.
    pub fn rollback(&self, version: u64) -> Result<Update, Error> {
        to_result(self.inner.roll_back(version, &mut Pending::wait_for_ever)?)
    }

    /// The last versions, oldest first, the running one last: what each changed, when, and its texts.
    pub fn history(&self) -> Vec<HistoryEntry> {
        self.inner.history().entries()
    }

    /// Reads the program's files again and applies what was saved since, here and now. Call it where the program is not
    /// running, or from a host function.
    pub fn poll(&self) -> Result<Update, Error> {
        to_result(self.inner.update_now()?)
    }
}
