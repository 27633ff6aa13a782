//! The action of a commit, with all threads stopped: the program's own hooks, the trial, the stores, and the way back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::{Instance, ItemPath};

use super::pending::Attempt;
use super::trial::{GlobalValues, Tried};
use super::{ProgramInner, Reloader};
use crate::code::Stopped;
use crate::live::Past;
use crate::reload::left::changed_globals;
use crate::reload::links::Links;
use crate::reload::migrate::Migration;
use crate::reload::prepare::{Preparation, Prepared};
use crate::reload::replace::{Standing, Verdict};
use crate::reload::turns::{TurnFrame, Turns};
use crate::report::{Outcome, Report};
use crate::workspace::Snapshot;

/// What is needed to commit the running version once more.
#[derive(Clone)]
pub(super) struct WayBack {
    version: u64,
    snapshot: Option<Snapshot>,
    promoted: FxHashSet<Instance>,
}

impl WayBack {
    pub fn new(program: &ProgramInner, reloader: &Reloader) -> WayBack {
        let (version, snapshot) = (program.version(), program.live().snapshot.clone());
        WayBack { version, snapshot, promoted: reloader.promoted.clone() }
    }
}

/// What a preparation takes over from the version it is made against.
pub(super) struct Committed<'a> {
    pub links: &'a Arc<Links>,
    pub promoted: &'a FxHashSet<Instance>,
    /// The number that the prepared version will get.
    pub version: u64,
    pub main_is_running: bool,
    /// See [`Base::cramped`](crate::reload::prepare::Base::cramped).
    pub cramped: Option<&'a str>,
}

/// Why a report refuses.
fn reason(report: &Report) -> String {
    let refused = report.refusals().next();
    refused.map_or_else(|| "it does not fit what runs".to_owned(), |edit| edit.to_string())
}

/// The same without the name of what is refused.
pub(super) fn why_refused(report: &Report) -> String {
    let why = report.refusals().find_map(|edit| match &edit.outcome {
        Outcome::Refused { why, .. } => Some(why.clone()),
        _ => None,
    });
    why.unwrap_or_else(|| reason(report))
}

impl ProgramInner {
    /// Is `main` in a loop that cannot go on in the new version, inside one that can? Then it has to leave it first.
    pub(super) fn in_lost_loop(&self, prepared: &Prepared, stopped: &Stopped<'_>) -> Option<Attempt> {
        let (live, running) = (self.live(), &prepared.moves.running);
        let (mut why, mut threads) = (None, BTreeSet::new());
        stopped.walk(|frame| {
            let standing = Standing::of(frame);
            let meta = standing.meta(&live).filter(|meta| live.checked.main == Some(meta.instance));
            let meta = meta.filter(|meta| running.concerns(meta.instance));
            if let Some(Verdict::Later(reason)) = meta.and_then(|meta| running.verdict(&standing, meta)) {
                threads.insert(frame.thread);
                why = Some(reason.clone());
            }
        });
        let what = format!("`main`, which goes on in the loop around the one that it is in: {}", why?);
        let until = "`main` comes to the head of the loop around".to_owned();
        Some(Attempt::NotYet {
            what,
            until,
            by: threads.into_iter().filter_map(|thread| stopped.waiting(thread)).collect(),
        })
    }

    /// Does a commit change a type or a global that code may know?
    fn changes_values(&self, prepared: &Prepared) -> bool {
        let containers = || prepared.migration.iter().flat_map(Migration::rebuilt).next().is_some();
        !prepared.moved.is_empty() || containers() || !changed_globals(prepared, &self.live()).is_empty()
    }

    /// Does a thread stand in the middle of a turn that will have run code of both versions?
    fn mixes_turns(&self, prepared: &Prepared, stopped: &Stopped<'_>) -> bool {
        let middle = stopped.in_the_middle();
        if middle.is_empty() {
            return false;
        }
        let live = self.live();
        let Some(mut turns) = Turns::new(prepared, &live) else { return true };
        let mut frames: FxHashMap<usize, Vec<TurnFrame>> = FxHashMap::default();
        stopped.walk(|frame| frames.entry(frame.thread).or_default().push((Standing::of(frame), frame.polls)));
        middle.iter().any(|thread| frames.get(thread).is_some_and(|frames| turns.mixes(frames)))
    }

    /// Code on stacks that is not live any more goes by the types of the version before.
    fn keep_past(&self, past: &Past, stopped: &Stopped<'_>) {
        let mut live = self.live();
        stopped.walk(|frame| {
            let Standing { unit, function, .. } = Standing::of(frame);
            live.set_past((unit, function), past);
        });
    }

    /// The stores of a commit, as [`ProgramInner::apply_named`] makes them, under the names of the new version.
    pub(super) fn apply_stopped(
        self: &Arc<Self>,
        prepared: &mut Prepared,
        stopped: &Stopped<'_>,
        way_back: Option<WayBack>,
    ) -> Attempt {
        if self.control.ends_process() {
            return Attempt::TurnedDown;
        }
        if self.control.restarts() && self.control.has_main(self.main_is_running()) {
            // What ends now stands in no way soon.
            let (what, until) = ("`main`, which starts again".to_owned(), "it has ended".to_owned());
            return Attempt::NotYet { what, until, by: Vec::new() };
        }
        self.enter_names(prepared);
        let attempt = self.apply_named(prepared, stopped, way_back);
        self.start_held();
        if matches!(attempt, Attempt::TurnedDown | Attempt::NotYet { .. }) {
            self.leave_names(prepared);
        }
        attempt
    }

    /// The stores of a commit, while all threads are stopped, between the program's own hooks. Nothing is done if `main` is
    /// at a place where it could not go on, or if the report refuses.
    fn apply_named(&self, prepared: &mut Prepared, stopped: &Stopped<'_>, way_back: Option<WayBack>) -> Attempt {
        let running = prepared.moves.running.clone();
        if !self.foresee(stopped, &running, &mut prepared.report) {
            return Attempt::TurnedDown;
        }
        if let Some(attempt) = self.blocked(prepared, stopped).or_else(|| self.in_lost_loop(prepared, stopped)) {
            return attempt;
        }
        if way_back.is_some()
            && let Some(attempt) = self.pinned(prepared, stopped)
        {
            // Hooks are asked once.
            return attempt;
        }
        if way_back.is_some()
            && let Err(objection) = self.ask_before(prepared)
        {
            objection.tell(&mut prepared.report);
            return Attempt::TurnedDown;
        }
        self.hold_threads();
        let mut tried = match self.try_to_move(prepared, stopped) {
            Ok(tried) => tried,
            Err(attempt) => return attempt,
        };
        prepared.mixes_turns = self.mixes_turns(prepared, stopped);
        self.hand_over(&mut tried, stopped);
        let moves = std::mem::take(&mut prepared.moves);
        let quiet = !self.changes_values(prepared);
        let mut gone = moves.gone();
        gone.retain(|place| !prepared.leaves_next(&moves.running, *place, quiet));
        let past = self.live().present();
        let replaced = self.apply(prepared, tried);
        self.keep_past(&past, stopped);
        prepared.left.push(Box::new((past, running)));
        let told = way_back.map(|way_back| (self.tell_after(way_back.version), way_back));
        if let Some((Err(objection), way_back)) = told {
            self.forget_held();
            self.put_back_values(prepared, replaced);
            match self.take_back_version(prepared, way_back, stopped) {
                Ok(inverse) => {
                    // What this version has made for the first time the next one makes anew.
                    self.give_up_globals(&prepared.new_globals);
                    objection.tell(&mut prepared.report);
                    return Attempt::TakenBack(inverse);
                }
                Err(why) => {
                    let put_back = |path: &ItemPath| format!("`{}` has the value back that it had before", path.name);
                    prepared.report.notices.push(objection.notice(&why));
                    prepared.report.notices.extend(prepared.resets.iter().map(put_back));
                }
            }
        } else {
            self.give_up_values(prepared, replaced);
        }
        self.empty_left(prepared);
        let mut live = self.live();
        for (code, meta) in moves.metas {
            live.add_retired(&code, meta);
            self.world.retire(code.unit);
        }
        drop(live);
        stopped.follow(moves.followers, &gone);
        prepared.report.notices.extend(self.tell_on_reload());
        Attempt::Applied
    }

    /// Commits the version before once more, in the same stop: its code is still there, and no thread has run the new one.
    /// It gets its number back, too.
    fn take_back_version(
        &self,
        prepared: &mut Prepared,
        way_back: WayBack,
        stopped: &Stopped<'_>,
    ) -> Result<Box<Prepared>, String> {
        let WayBack { version, snapshot, mut promoted } = way_back;
        {
            let mut linkage = self.linkage();
            linkage.keep(&prepared.fresh);
            linkage.keep_guards(prepared.guards.drain(..));
        }
        if let Some(described) = &prepared.described {
            promoted = described.functions(&promoted);
        }
        promoted.extend(prepared.promoted.iter().copied());
        // What runs is the code that comes back: no frame has anywhere to go.
        let base =
            Committed { links: &prepared.links, promoted: &promoted, version, main_is_running: false, cramped: None };
        let made = self.preparation_from(&base, snapshot.ok_or("it is not known")?, &|| Some(Vec::new()), &|| false);
        let mut inverse = match made {
            Some(Preparation::Ready(inverse)) => inverse,
            Some(Preparation::Refused(report) | Preparation::TooLarge(report)) => return Err(reason(&report)),
            _ => return Err("it cannot be made again".to_owned()),
        };
        // What a save has initialised anew has its old value back already.
        inverse.resets.clear();
        self.enter_names(&mut inverse);
        let Some(mut tried) = self.try_out(&mut inverse, stopped) else {
            self.leave_names(&mut inverse);
            self.abandon(&inverse);
            return Err(reason(&inverse.report));
        };
        self.hand_over(&mut tried, stopped);
        self.apply_as(&mut inverse, tried, version);
        Ok(inverse)
    }

    /// The stores of a commit. Gives the values that initial ones have replaced.
    pub(super) fn apply(&self, prepared: &mut Prepared, tried: Tried) -> GlobalValues {
        let version = self.version() + u64::from(prepared.changes_code());
        self.apply_as(prepared, tried, version)
    }

    /// The same under this number.
    fn apply_as(&self, prepared: &mut Prepared, mut tried: Tried, version: u64) -> GlobalValues {
        let mut live = self.live();
        let settle = self.store_values(prepared, &mut tried);
        for (path, bytes) in prepared.global_bytes.drain(..) {
            if let Some(memory) = self.linkage().global(path) {
                memory.write(&bytes);
            }
        }
        if let Some(left) = prepared.still_left.take() {
            live.left = left;
        }
        let retired = live.apply(prepared, version);
        let replaced = self.settle_values(prepared, settle, tried);
        self.version.store(version, Ordering::Release);
        drop(live);
        retired.into_iter().for_each(|unit| self.world.retire(unit));
        replaced
    }
}
