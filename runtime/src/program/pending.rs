//! A commit, or a look at what one would do, that waits for the program to reach a place where it can be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::ProgramInner;
use crate::code::{Outcome, RawFrame, SafepointKind, Stopped, Ticket, Waiting};
use crate::fault;
use crate::live::FunctionMeta;
use crate::reload::prepare::Prepared;
use crate::reload::replace::Standing;
use crate::reload::turns::{TurnFrame, Turns};
use crate::report::{Clock, Edit, Outcome as EditOutcome, Report};

/// What a commit waits for if it is no function of the program.
pub(crate) const A_HOST_CALL: &str = "a C or host function to return";

/// How long a commit waits that a frame in old code stands in the way of, before it looks again; each time twice as long,
/// up to the second, for while it looks threads may stand still that are not in the way. Chosen by feel.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(640));

/// How many times as long as threads have stood still for an attempt it waits, but no more than so many times as long as it
/// would have waited anyway. Chosen by feel.
const RUNS_ON: (u32, u32) = (20, 4);

/// How long one that has been asked for inside the program waits for other threads that stand in its way. Chosen by feel.
const OTHERS: Duration = Duration::from_millis(250);

/// How long it waits between two looks at threads that sleep in the host: at first, and at last. Chosen by feel.
const LOOK_AT_SLEEPERS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// A commit that waits for the program.
pub struct Pending {
    ticket: Mutex<Ticket>,
    pub(super) attempt: Arc<Mutex<Attempt>>,
    /// Asks for another attempt.
    again: Box<dyn Fn(SafepointKind) -> Ticket>,
    /// How long to wait before that, and since when.
    pause: Mutex<(Duration, Option<Instant>)>,
    /// The frame that stands in the way, with what it would do, and when it is out of the way.
    obstacle: Mutex<Option<(String, String)>>,
    /// The threads that have stood in the way so far.
    awaited: Mutex<Vec<Waiting>>,
    /// Do only other threads stand in the way than the one that has asked?
    others: AtomicBool,
    /// Those that sleep in the host, and whether their turns are none of its concern. Nothing if it may concern any turn,
    /// whatever that calls.
    sleepers: Option<Mutex<Vec<(Waiting, bool)>>>,
    program: Arc<ProgramInner>,
    /// Has this thread of the program asked for it? Then waiting for its own frames leads nowhere, and others may wait for it.
    in_program: bool,
    made: Instant,
    pub(super) prepared: Arc<Mutex<Option<Box<Prepared>>>>,
    pub(super) clock: Clock,
}

/// What a wait for a commit ended with.
pub(crate) enum Waited {
    /// The new version is live.
    Done {
        /// How long a thread stood still at most.
        paused: Duration,
    },
    Cancelled,
}

/// What became of an attempt to commit.
#[derive(Default)]
pub(super) enum Attempt {
    /// There was none yet.
    #[default]
    Open,
    /// The new version is live.
    Applied,
    /// It cannot be, or it has to be prepared again.
    TurnedDown,
    /// The new version was live, and one of its hooks failed: this has made the version before live again.
    TakenBack(Box<Prepared>),
    /// A frame stands in the way.
    NotYet {
        /// Its function, and what it would do.
        what: String,
        /// When it is out of the way, in words.
        until: String,
        /// The threads whose frames do; nothing if that is not known.
        by: Vec<Waiting>,
    },
}

/// A commit that its own thread stands in the way of cannot wait.
fn refuse_now(report: &mut Report, obstacle: &str) {
    let why =
        format!("it would have to wait for {obstacle} with the old layout, and that has asked for the reload itself");
    let help = "ask for the reload where nothing old is left to do: in `main`'s loop, or between two calls";
    refuse(report, obstacle, |_| EditOutcome::Refused { why, help: help.to_owned() });
}

/// Nor one that only other threads stand in the way of, if they do not come round while the one that has asked for it waits.
fn refuse_others(report: &mut Report, obstacle: &str) {
    let why = format!(
        "it would have to wait for {obstacle} with the old layout, and that did not come round while the call waited that \
         has asked for the reload"
    );
    let help =
        "save it again; or leave the moment to vaisjit (without `hot_init`), so that the program runs on meanwhile";
    refuse(report, obstacle, |_| EditOutcome::Refused { why, help: help.to_owned() });
}

/// Refuses a commit that has been asked for inside the program and that frames stand in the way of.
pub(super) fn refuse_asked(report: &mut Report, obstacle: &str, is_others: bool) {
    match is_others {
        true => refuse_others(report, obstacle),
        false => refuse_now(report, obstacle),
    }
}

/// Nor can one that a thread stands in the way of which waits for a commit itself, in a call of `failed` that has trapped.
pub(super) fn refuse_behind(report: &mut Report, obstacle: &str, failed: &str) {
    refuse(report, obstacle, |name| EditOutcome::Refused {
        why: format!(
            "it would have to wait for {obstacle} with the old layout, and that waits in the failed call of `{failed}`"
        ),
        help: format!("mend `{failed}` alone first, then save the change of `{name}`; or start `main` afresh (key R)"),
    });
}

/// What ends a wait, and what else the author can do.
pub(crate) fn way_out(until: &str, restarts: bool) -> String {
    let restart = match restarts {
        true => ", or start `main` again with the globals kept: `R` in the terminal, `hot_restart()` in the program",
        false => "",
    };
    format!("the wait ends when {until}; undo the edit to do without it{restart}")
}

/// One whose types need not grow is prepared once more if frames that have no room do not end.
pub(super) fn refuse_growth(report: &mut Report, obstacle: &str) {
    refuse(report, obstacle, |_| EditOutcome::Refused { why: format!("the running {obstacle}"), help: String::new() });
}

/// Nor is one prepared for ever that never finds the threads where it was prepared for them.
pub(super) fn refuse_missed(report: &mut Report, times: usize) {
    let why = format!("it has been prepared {times} times, and the program was never where it could become live");
    let help = "save it again when the program does something else, or start `main` afresh (key R)".to_owned();
    if report.edits.is_empty() {
        let (name, outcome) = ("main".to_owned(), EditOutcome::LiveNow);
        report.edits.push(Edit { kind: "function", name, change: "relinked", outcome, at: None });
    }
    refuse(report, "", |_| EditOutcome::Refused { why, help });
}

/// Refuses the type or global that has been edited and that the sentence about the obstacle names, or else the first one, and
/// with it the save.
fn refuse(report: &mut Report, obstacle: &str, outcome: impl FnOnce(&str) -> EditOutcome) {
    let would = obstacle.find("would").map_or("", |at| &obstacle[at..]);
    let is_named = |edit: &Edit| edit.kind != "function" && would.contains(&format!("`{}`", edit.name));
    let first = |kinds: &[&str]| report.edits.iter().position(|edit| kinds.contains(&edit.kind));
    let named = report.edits.iter().position(is_named);
    let place = named.or_else(|| first(&["struct", "enum"])).or_else(|| first(&["global"])).unwrap_or(0);
    if let Some(edit) = report.edits.get_mut(place) {
        edit.outcome = outcome(&edit.name);
    }
    report.hold_back();
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ProgramInner {
    /// Asks for a commit, or for a look at what one would do: the step is taken once all threads are stopped.
    pub(super) fn request(
        self: &Arc<Self>,
        mut prepared: Box<Prepared>,
        clock: Clock,
        step: impl Fn(&Arc<ProgramInner>, &mut Prepared, &Stopped<'_>) -> Attempt + Clone + Send + 'static,
    ) -> Pending {
        let in_program = self.world.is_active_here();
        prepared.asked_inside = in_program;
        let concerns_all = prepared.changes_values() || self.has_hooks(&prepared);
        let prepared = Arc::new(Mutex::new(Some(prepared)));
        let attempt = Arc::<Mutex<Attempt>>::default();
        let (program, shared, outcome) = (self.clone(), prepared.clone(), attempt.clone());
        let fault = fault::here();
        let again = move |kind: SafepointKind| {
            let (program, shared, outcome, step) = (program.clone(), shared.clone(), outcome.clone(), step.clone());
            let fault = fault.clone();
            program.clone().world.run_at_safepoint(kind, move |stopped| {
                if let Some(prepared) = lock(&shared).as_mut() {
                    *lock(&outcome) = fault::on(fault, || step(&program, prepared, stopped));
                }
            })
        };
        Pending {
            ticket: Mutex::new(again(SafepointKind::Commit)),
            attempt,
            again: Box::new(again),
            pause: Mutex::new((LOOK_AGAIN.0, None)),
            obstacle: Mutex::default(),
            awaited: Mutex::default(),
            others: AtomicBool::new(false),
            sleepers: (!concerns_all).then(Mutex::default),
            program: self.clone(),
            in_program,
            made: Instant::now(),
            prepared,
            clock,
        }
    }

    /// The function that a request waits for.
    fn blocked_on(&self, ticket: &Ticket) -> Option<String> {
        let frames = ticket.blocked_on();
        let live = self.live();
        let metas = frames.iter().rev().filter_map(|frame| live.meta(&frame.unit, frame.function));
        let is_own = |meta: &&Arc<FunctionMeta>| !meta.head(&live).is_some_and(|head| head.at.is_library());
        Some(metas.clone().find(is_own).or_else(|| metas.clone().next())?.name())
    }
}

impl Pending {
    /// What was prepared.
    pub(super) fn take(&self) -> Option<Box<Prepared>> {
        lock(&self.prepared).take()
    }

    /// Waits; what became of the commit, if anything has.
    pub fn wait(&self, time: Duration) -> Option<Waited> {
        let ticket = lock(&self.ticket).clone();
        let outcome = self.wait_for(&ticket, time)?;
        let patience = lock(&self.pause).0 / 2;
        let kind = if let Attempt::NotYet { what, until, by } = &*lock(&self.attempt) {
            *lock(&self.obstacle) = Some((what.clone(), until.clone()));
            let others = !by.is_empty() && !self.program.world.is_one_of(by);
            self.others.store(others, Ordering::Relaxed);
            if self.in_program && !(others && self.made.elapsed() < OTHERS) {
                return Some(Waited::Cancelled);
            }
            self.program.control.stuck.store(true, Ordering::SeqCst);
            let mut awaited = lock(&self.awaited);
            Waiting::join(&mut awaited, by);
            match by.is_empty() {
                true => SafepointKind::CommitAtPolls,
                false => SafepointKind::CommitAfter(awaited.clone(), patience),
            }
        } else {
            return Some(Waited::from(outcome));
        };
        let mut pause = lock(&self.pause);
        let since = *pause.1.get_or_insert_with(Instant::now);
        let runs_on = match outcome {
            Outcome::Done { paused, .. } if kind != SafepointKind::CommitAtPolls => {
                (paused * RUNS_ON.0).min(pause.0 * RUNS_ON.1)
            }
            _ => Duration::ZERO,
        };
        let left = pause.0.max(runs_on).saturating_sub(since.elapsed());
        std::thread::sleep(left.min(time));
        if left > time {
            return None;
        }
        *pause = ((pause.0 * 2).min(LOOK_AGAIN.1), None);
        drop(pause);
        *lock(&self.attempt) = Attempt::default();
        *lock(&self.ticket) = (self.again)(kind);
        None
    }
}

impl Pending {
    /// Waits, and looks meanwhile whether there are threads that need not be waited for.
    fn wait_for(&self, ticket: &Ticket, time: Duration) -> Option<Outcome> {
        if self.sleepers.is_none() {
            return ticket.wait(time);
        }
        let (since, mut pause) = (Instant::now(), LOOK_AT_SLEEPERS.0);
        loop {
            self.excuse_sleepers(ticket);
            let left = time.saturating_sub(since.elapsed());
            let outcome = ticket.wait(left.min(pause));
            if outcome.is_some() || left <= pause {
                return outcome;
            }
            pause = (pause * 2).min(LOOK_AT_SLEEPERS.1);
        }
    }

    /// Threads in the host whose turns the commit does not concern need not come round.
    fn excuse_sleepers(&self, ticket: &Ticket) {
        let found = ticket.sleepers();
        if found.is_empty() {
            return;
        }
        let excused = self.unconcerned(found);
        if !excused.is_empty() {
            // The commit may happen here and now.
            ticket.excuse(&excused);
        }
    }

    /// Of threads with their stacks those whose turns the commit does not concern.
    fn unconcerned(&self, mut found: Vec<(Waiting, Vec<RawFrame>)>) -> Vec<Waiting> {
        let (Some(known), Ok(prepared)) = (&self.sleepers, self.prepared.try_lock()) else { return Vec::new() };
        let live = self.program.live();
        let Some(mut turns) = prepared.as_ref().and_then(|prepared| Turns::new(prepared, &live)) else {
            return Vec::new();
        };
        let mut known = lock(known);
        found.retain(|(waiting, frames)| match known.iter().find(|(known, _)| known == waiting) {
            Some((_, is_excused)) => *is_excused,
            None => {
                let is_excused = turns.excuses(&frames.iter().map(turn_frame).collect::<Vec<_>>());
                known.push((*waiting, is_excused));
                is_excused
            }
        });
        found.into_iter().map(|(waiting, _)| waiting).collect()
    }
}

/// A frame that waits in a call.
fn turn_frame(frame: &RawFrame) -> TurnFrame {
    let unit = Arc::as_ptr(&frame.unit) as usize;
    (Standing { unit, function: frame.function, srcloc: frame.srcloc }, false)
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.program.control.stuck.store(false, Ordering::SeqCst);
    }
}

impl From<Outcome> for Waited {
    fn from(outcome: Outcome) -> Waited {
        match outcome {
            Outcome::Done { paused, .. } => Waited::Done { paused },
            Outcome::Cancelled | Outcome::Panicked(_) => Waited::Cancelled,
        }
    }
}

impl Pending {
    /// Waits as long as it takes; a call in the program, which others may wait for, not for them for ever.
    pub fn wait_for_ever(&self) -> Waited {
        loop {
            let time = match self.waits_for_others() {
                true => OTHERS.saturating_sub(self.made.elapsed()),
                false => Duration::from_secs(1),
            };
            if let Some(waited) = self.wait(time) {
                return waited;
            }
            if self.waits_for_others() && self.made.elapsed() >= OTHERS && self.cancel() {
                let found = lock(&self.obstacle).clone();
                let (what, until) = found.unwrap_or_default();
                *lock(&self.attempt) = Attempt::NotYet { what, until, by: Vec::new() };
                return Waited::Cancelled;
            }
        }
    }

    /// Has a thread of the program asked for it, and do only others stand in its way?
    pub(super) fn waits_for_others(&self) -> bool {
        self.in_program && self.others.load(Ordering::Relaxed)
    }

    /// Takes the commit back; false when it has happened already. Between two attempts it has not.
    pub fn cancel(&self) -> bool {
        if lock(&self.ticket).cancel() {
            return true;
        }
        let mut attempt = lock(&self.attempt);
        let waits = matches!(*attempt, Attempt::NotYet { .. });
        if waits {
            *attempt = Attempt::default();
        }
        waits
    }

    /// The function that is being waited for.
    pub(crate) fn blocked_on(&self, program: &ProgramInner) -> Option<String> {
        if let Some(hook) = program.asked.running() {
            return Some(hook);
        }
        let obstacle = lock(&self.obstacle).clone().map(|(what, _)| what);
        obstacle.or_else(|| program.blocked_on(&lock(&self.ticket)))
    }

    /// What it waits for, for people.
    pub(crate) fn waits_for(&self, program: &ProgramInner) -> String {
        self.blocked_on(program).unwrap_or_else(|| A_HOST_CALL.to_owned())
    }

    /// What ends the wait, and what the author can do.
    pub(crate) fn help(&self, program: &ProgramInner, blocked: Option<&str>) -> String {
        let until = match (program.asked.running(), &*lock(&self.obstacle), blocked) {
            (Some(_), ..) => "it does".to_owned(),
            (None, Some((_, until)), _) => until.clone(),
            (None, None, Some(function)) => format!("`{function}` returns or comes to the head of a loop"),
            (None, None, None) => return way_out("the call returns", false),
        };
        way_out(&until, program.asked.running().is_none() && program.main_is_running())
    }

    /// Has an attempt found something in its way?
    pub(crate) fn has_been_tried(&self) -> bool {
        lock(&self.obstacle).is_some()
    }

    /// Is it being tried at this moment, so that nobody can tell what it would do or wait for?
    pub(crate) fn is_being_tried(&self, program: &ProgramInner) -> bool {
        program.asked.running().is_none() && matches!(self.prepared.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// What it will change, once what it waits for is over; nothing while it is being tried, as long as a hook runs.
    pub(crate) fn report(&self, waits_for: &str) -> Report {
        let prepared = match self.prepared.try_lock() {
            Ok(prepared) => Some(prepared),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        let prepared = prepared.as_ref().and_then(|prepared| prepared.as_ref());
        let mut report = prepared.map(|prepared| prepared.report.clone()).unwrap_or_default();
        report.wait_for(waits_for);
        report
    }
}
