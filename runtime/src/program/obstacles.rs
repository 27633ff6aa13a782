//! What stands in the way of a commit: frames that stay in old code and would use what it changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::{Checked, Instance, ItemPath, Ty};

use super::ProgramInner;
use super::pending::{Attempt, refuse_behind, refuse_growth};
use super::trial::{LONGEST_PIN, going};
use crate::code::{Stopped, StoppedFrame};
use crate::live::{FunctionMeta, Live, Past};
use crate::reload::admissible::Changes;
use crate::reload::left::{changed_globals, unfit};
use crate::reload::migrate::Migration;
use crate::reload::prepare::Prepared;
use crate::reload::replace::{Standing, Verdict};

/// How many frames in the way are remembered until the next attempt. Chosen by feel.
const MOST_NOTED: usize = 64;

/// What stands in the way of a commit.
struct Obstacle {
    /// A function, and what it would do.
    what: String,
    /// When it is out of the way, in words.
    until: String,
    /// The function in whose failed call its thread waits for a new version.
    failed: Option<String>,
    /// The threads that such frames are on, by their numbers in this stop, each with the frame pointer of the outermost one
    /// that goes on in new code once it has come to its poll.
    threads: BTreeMap<usize, Option<usize>>,
    /// See [`Prepared::in_the_way`].
    frames: Vec<((usize, Standing), u32)>,
}

/// Where a frame stands; whether it is at a poll, and whether it is the innermost of its thread.
type Stand = ((usize, usize, u32), bool, bool);

/// Looks for obstacles among the frames of stopped threads.
struct Search<'a> {
    prepared: &'a Prepared,
    stopped: &'a Stopped<'a>,
    live: &'a Live,
    /// Of the commit, to code of the version before it.
    changes: Changes<'a>,
    globals: FxHashSet<ItemPath>,
    /// Containers that are made anew.
    rebuilt: FxHashSet<Ty>,
    /// Functions that frames may call and that are not right any more, with why.
    unfit: FxHashMap<Instance, String>,
    /// Does the commit change no values? Then only code that earlier ones have left behind may use what it must not.
    quiet: bool,
    version: u64,
    /// The function of the frame before, which this one has called, if both are of one thread.
    inner: (Option<usize>, Option<&'a Arc<FunctionMeta>>),
    /// What has been found of frames that stand there, which a recursion has many of.
    seen: FxHashMap<Stand, Option<(String, bool)>>,
    found: Option<Obstacle>,
    threads: BTreeMap<usize, Option<usize>>,
    /// How sure it is that this one does not come round by itself.
    lasting: (u32, bool),
    frames: Vec<((usize, Standing), u32)>,
}

impl<'a> Search<'a> {
    /// `None` if no frame can be in the way.
    fn new(prepared: &'a Prepared, stopped: &'a Stopped<'a>, live: &'a Live, version: u64) -> Option<Search<'a>> {
        let histories = (&live.history, &prepared.history);
        let types = (&*live.checked, &*prepared.snapshot.checked);
        let globals = changed_globals(prepared, live);
        let rebuilt: FxHashSet<Ty> = prepared.migration.iter().flat_map(Migration::rebuilt).collect();
        let changes = Changes::new(histories, &prepared.moved, &live.layouts, types, globals.clone());
        let changes = changes.and_rebuilt(rebuilt.clone());
        let quiet = changes.is_empty();
        if quiet && live.retired.is_empty() {
            return None;
        }
        let unfit: FxHashMap<Instance, String> =
            unfit(prepared, live).into_iter().map(|(left, what)| (left.instance, what)).collect();
        let changes = changes.and_calls(unfit.clone());
        let (inner, seen) = ((None, None), FxHashMap::default());
        let (found, lasting, threads, frames) = (None, (0, false), BTreeMap::new(), Vec::new());
        Some(Search {
            prepared,
            stopped,
            live,
            changes,
            globals,
            rebuilt,
            unfit,
            quiet,
            version,
            inner,
            seen,
            found,
            lasting,
            threads,
            frames,
        })
    }

    /// Of several obstacles one that cannot go on before the commit, or else one that has been there for long, or that comes
    /// to no loop.
    fn obstacle(self) -> Option<Obstacle> {
        let (threads, frames) = (self.threads, self.frames);
        self.found.map(|found| Obstacle { threads, frames, ..found })
    }

    /// Remembers that a frame is in the way; how sure it is that it does not come round by itself.
    fn note(&mut self, frame: &StoppedFrame<'_>, meta: &FunctionMeta) -> (u32, bool) {
        let place = (frame.frame_pointer, Standing::of(frame));
        let times =
            self.prepared.in_the_way.iter().find(|(known, _)| *known == place).map_or(0, |(_, times)| *times) + 1;
        if self.frames.len() < MOST_NOTED {
            self.frames.push((place, times));
        }
        (times, place.1.in_loop(meta).is_none())
    }

    fn look(&mut self, frame: &StoppedFrame<'_>) {
        let standing = Standing::of(frame);
        let meta = standing.meta(self.live);
        let (of, inner) = std::mem::replace(&mut self.inner, (Some(frame.thread), meta));
        let is_innermost = of != Some(frame.thread);
        let is_settled = self.found.as_ref().is_some_and(|found| found.failed.is_some());
        let Some(meta) = meta.filter(|meta| !(is_settled || self.quiet && meta.past.is_none())) else { return };
        let stand = ((standing.unit, standing.function, standing.srcloc), frame.polls, is_innermost);
        let found = match self.seen.get(&stand) {
            Some(found) => found.clone(),
            None => {
                let found = self.objection(frame, meta, is_innermost);
                self.seen.insert(stand, found.clone());
                found
            }
        };
        let Some((what, goes_on)) = found else { return };
        let waits_for = self.threads.entry(frame.thread).or_default();
        *waits_for = goes_on.then_some(frame.frame_pointer).or(*waits_for);
        let lasting = self.note(frame, meta);
        let repair = self.stopped.repair(frame.thread).filter(|repair| repair.beyond >= self.version);
        let failed = repair.map(|repair| repair.function);
        if self.found.is_some() && failed.is_none() && lasting < self.lasting {
            return;
        }
        self.lasting = lasting;
        let inner = inner.filter(|_| !is_innermost);
        self.found = Some(self.told(meta, inner, &what, goes_on, failed));
    }

    fn told(
        &self,
        meta: &FunctionMeta,
        inner: Option<&Arc<FunctionMeta>>,
        what: &str,
        goes_on: bool,
        failed: Option<String>,
    ) -> Obstacle {
        let is_library = |meta: &FunctionMeta| meta.head(self.live).is_some_and(|head| head.at.is_library());
        let inner = inner.filter(|inner| is_library(inner) && !is_library(meta));
        let waits = inner.map_or_else(String::new, |inner| format!(", which waits in `{}`,", inner.name()));
        let until = match goes_on {
            true => "comes to the head of its loop",
            false => "is past that or returns",
        };
        Obstacle {
            what: format!("`{}`, which {what}", meta.name()),
            until: format!("`{}`{waits} {until}", meta.name()),
            failed,
            threads: BTreeMap::new(),
            frames: Vec::new(),
        }
    }

    /// What a frame that stays in old code would do with what changes, if it would; and whether it comes to a loop where it
    /// goes on in new code.
    fn objection(&self, frame: &StoppedFrame<'_>, meta: &FunctionMeta, is_innermost: bool) -> Option<(String, bool)> {
        let (prepared, live, running) = (self.prepared, self.live, &self.prepared.moves.running);
        let standing = Standing::of(frame);
        // It may still go on in the code of an earlier version.
        let place = (standing.unit, standing.function);
        let next = match prepared.leaves_next(running, place, self.quiet) {
            true => self.stopped.next_code(place),
            false => Vec::new(),
        };
        let goes = |number| running.goes(&standing, number) || next.iter().any(|(at, _)| *at == number);
        let concerned = prepared.replaces(meta.instance) || live.is_behind(standing.unit, meta.instance);
        let moves = frame.polls && standing.in_loop(meta).is_some_and(goes);
        if !concerned || moves {
            return None;
        }
        let since = meta.past.as_ref().map(|past| self.changes_since(past));
        let changes = since.as_ref().unwrap_or(&self.changes);
        let grown = grown(prepared, self.stopped, frame, meta);
        // Who waits for a `main` that comes to no such loop waits for ever: the trial says why it cannot be.
        let goes_on = running.verdict(&standing, meta) == Some(&Verdict::Goes);
        let ends = live.checked.main != Some(meta.instance) || goes_on;
        let large = || if ends { changes.too_large(meta, frame.srcloc, &grown) } else { None };
        let given = || not_given(prepared, self.stopped, frame, meta);
        let then = || {
            let mut metas = next.iter().filter_map(|(_, unit)| live.meta(unit, 0));
            metas.find_map(|next| changes.objection_to_all(next))
        };
        let here = changes.objection(meta, frame.srcloc, &goes, (&grown, is_innermost));
        let what = match self.quiet {
            // What has no room has been brought elsewhere by the commit that made it grow.
            true => here,
            false => here.or_else(large).or_else(given).or_else(then),
        };
        what.map(|what| (what, goes_on))
    }

    /// To code that an earlier version has left.
    fn changes_since<'b>(&self, past: &'b Past) -> Changes<'b> {
        let new = (&self.prepared.history, &*self.prepared.layouts, &*self.prepared.snapshot.checked);
        let globals = self.globals.iter().copied().chain(retyped(&past.checked, new.2)).collect();
        Changes::since(past, new, &globals).and_calls(self.unfit.clone()).and_rebuilt(self.rebuilt.clone())
    }
}

/// Globals of one version that are of another type in another one.
fn retyped<'a>(before: &'a Checked, now: &'a Checked) -> impl Iterator<Item = ItemPath> + 'a {
    let others = before.globals.iter().filter(|(path, old)| now.globals.get(*path).is_some_and(|new| new.ty != old.ty));
    others.map(|(path, _)| *path)
}

/// Where in a frame's block the locals lie that will lie elsewhere, if it goes on in new code at a poll it has not come to.
fn grown(prepared: &Prepared, stopped: &Stopped<'_>, frame: &StoppedFrame<'_>, meta: &FunctionMeta) -> Vec<u32> {
    let going = going(prepared, stopped, frame, meta);
    going.map_or_else(Vec::new, |going| going.transfer.outgrown().collect())
}

/// A local that has to be whole to be migrated lies in registers, where nobody finds it before the poll. Where the frame
/// itself has asked for the reload it cannot be waited for.
fn not_given(
    prepared: &Prepared,
    stopped: &Stopped<'_>,
    frame: &StoppedFrame<'_>,
    meta: &FunctionMeta,
) -> Option<String> {
    let going = going(prepared, stopped, frame, meta).filter(|_| !prepared.asked_inside)?;
    let local = going.transfer.whole.first()?;
    let what = match &local.by {
        Some(by) => format!("`{}` can be given to `{by}`", local.key.name),
        None => format!("the fields of `{}` can be converted", local.key.name),
    };
    Some(format!("is not at the head of its loop, where {what}"))
}

impl ProgramInner {
    /// Does a frame stand in the way that stays in old code? Then it is waited for, unless it waits for a new version
    /// itself.
    pub(super) fn blocked(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Option<Attempt> {
        let Obstacle { what, until, failed, threads, frames } = self.obstacle(prepared, stopped)?;
        prepared.in_the_way = frames;
        let Some(failed) = failed else {
            let since = *prepared.blocked_since.get_or_insert_with(Instant::now);
            if since.elapsed() > LONGEST_PIN && prepared.layouts.grow_to_keep() {
                // Perhaps nothing is in the way of one whose types do not grow.
                refuse_growth(&mut prepared.report, &what);
                return Some(Attempt::TurnedDown);
            }
            let by = threads.into_iter().filter_map(|(thread, frame)| match frame {
                Some(frame) => stopped.waiting_for(thread, frame),
                None => stopped.waiting(thread),
            });
            let by = by.collect();
            return Some(Attempt::NotYet { what, until, by });
        };
        refuse_behind(&mut prepared.report, &what, &failed);
        Some(Attempt::TurnedDown)
    }

    fn obstacle(&self, prepared: &Prepared, stopped: &Stopped<'_>) -> Option<Obstacle> {
        let (live, version) = (self.live(), self.version());
        let mut search = Search::new(prepared, stopped, &live, version)?;
        stopped.walk(|frame| search.look(frame));
        search.obstacle()
    }
}
