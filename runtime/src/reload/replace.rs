//! Running loops of functions with new code: which of them go on in it, and how (`ARCHITECTURE.md`, "Changing a loop that
//! is running").

mod converted;
mod fresh;
mod gathered;
pub(crate) mod places;
mod reasons;
mod remarks;
mod shared;
mod transfer;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::layout::{LayoutHistory, Layouts, TypeLayouts};
use vaisjit_codegen::lower::{self, CannotResume, Options, lower_resumed};
use vaisjit_codegen::mir::live::predecessors;
use vaisjit_codegen::mir::{self, BlockId, StatementKind};
use vaisjit_codegen::resume::{
    Counterpart, LoopState, Version, fingerprint_from_head, local_of, loops_around, part_of, rest_is_same,
};
use vaisjit_codegen::unit::{Compiler, MachineFunction, UnitInput};
use vaisjit_semantics::hir::{Body, LoopId};
use vaisjit_semantics::{Checked, Instance, Ty, TyKind};
use vaisjit_syntax::Name;

use super::admissible::{mir_of, place};
use super::compile::{Lowered, Work};
use super::guards::guards;
use super::links::UnitLinker;
use super::migrate::known::Known;
use super::prepare::Base;
use crate::code::{Follower, StoppedFrame, WholeLocal};
use crate::fault;
use crate::live::{Code, FunctionMeta, Live};
use crate::report::Outcome;
use crate::workspace::Snapshot;
use fresh::Fresh;
use gathered::Before;

/// A frame on a stack of the program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Standing {
    /// Its unit, as a key of `Live::metas`.
    pub unit: usize,
    /// Which function of the unit.
    pub function: usize,
    /// The source location of the call it waits in.
    pub srcloc: u32,
}

impl Standing {
    /// Of a frame that is found on a stack.
    pub fn of(frame: &StoppedFrame<'_>) -> Standing {
        Standing { unit: std::ptr::from_ref(frame.unit) as usize, function: frame.function, srcloc: frame.srcloc }
    }

    fn place(&self) -> (usize, usize) {
        (self.unit, self.function)
    }

    /// What is known of its function.
    pub fn meta<'a>(&self, live: &'a Live) -> Option<&'a Arc<FunctionMeta>> {
        live.metas.get(&self.unit)?.get(self.function)
    }

    /// The innermost polled loop it is in.
    pub fn in_loop(&self, meta: &FunctionMeta) -> Option<u32> {
        meta.locations.get((self.srcloc as usize).checked_sub(1)?)?.in_loop
    }
}

/// A loop of code that runs, compiled once more for the new version.
struct Resumed {
    /// What the loop hands over, under the names of the new text.
    state: LoopState,
    lowered: Lowered,
    /// Its code, then that of its cleanup if it has one.
    machine: Vec<MachineFunction>,
}

/// What becomes of a loop.
enum Fate {
    /// It goes on in the new code.
    Goes(Box<Resumed>),
    /// It is in code of the new text.
    Current,
    /// Nothing from its head on has changed.
    Same,
    /// It cannot.
    Stays(String),
}

/// A function with new code whose old code is on a stack.
struct Target {
    place: (usize, usize),
    meta: Arc<FunctionMeta>,
    /// What of it is what of the new text.
    counterpart: Counterpart,
    /// By loop number.
    fates: FxHashMap<u32, Fate>,
    /// The loops that cannot go on, and are in one that can.
    inner: FxHashSet<u32>,
    /// The loops its frames are in; `None` for frames in no loop.
    standing: FxHashSet<Option<u32>>,
    /// Where frames in no loop wait.
    outside: FxHashSet<u32>,
    /// Those of them behind which nothing has changed.
    same: FxHashSet<u32>,
    /// The loops that a frame in no loop can still come to, where these are not all of them.
    ahead: FxHashMap<u32, Vec<u32>>,
}

/// What becomes of the frames of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// They go on in the new code.
    Goes,
    /// They go on in the old code, which is the same from where they are.
    Same,
    /// They go on in the new code once they have left the loop that they are in, for this reason, and come to the head of
    /// one around it.
    Later(String),
    /// They go on in the old code, for this reason.
    Stays(String),
}

static SAME: Verdict = Verdict::Same;

/// The running loops that a reload concerns.
#[derive(Default)]
pub(crate) struct Loops {
    targets: Vec<Target>,
    notices: Vec<String>,
    /// The types whose values have to be whole to be migrated, and the functions of the program that do it, if it is those.
    pub wholes: Vec<(Ty, Option<Name>)>,
    /// What is known of types from the new version on, also of those that are gone.
    pub history: Arc<LayoutHistory>,
}

/// What a commit needs to make loops go on in new code.
#[derive(Default)]
pub(crate) struct Moves {
    /// The code that follows.
    pub followers: Vec<Follower>,
    /// What is known of that code.
    pub metas: Vec<(Code, Arc<FunctionMeta>)>,
    /// What becomes of frames.
    pub running: Arc<Running>,
}

/// What becomes of the frames of functions with new code.
#[derive(Default)]
pub(crate) struct Running {
    /// The functions.
    functions: FxHashSet<Instance>,
    /// Is `main` among them because its text has changed? Then none of its frames may stay in old code.
    pub edits_main: bool,
    /// Has `main` another signature? Whoever is about to call it may hold the slot of the old one.
    pub main_changes_slot: bool,
    /// Places outside loops, with the calls that frames wait in, behind which nothing has changed.
    same: FxHashSet<((usize, usize), u32)>,
    /// Places outside loops from which not all loops can be come to.
    ahead: FxHashMap<((usize, usize), u32), Verdict>,
    /// For the functions that were on stacks.
    verdicts: FxHashMap<(usize, usize), FxHashMap<Option<u32>, Verdict>>,
    /// What these are.
    found: FxHashSet<Instance>,
    /// May frames that have come since end as they are? There are programs in which some always have.
    pub leaves_new_frames: bool,
}

impl Loops {
    /// The functions that compute what loops want that go on in new code.
    pub fn computed(&self, snapshot: &Snapshot, layouts: &TypeLayouts, live: &Live) -> Vec<Instance> {
        let known = Known::new(self.history.clone());
        let can_become = |from: Ty, to: Ty| transfer::can_become(&known, (layouts, &snapshot.checked), from, to);
        let of = |target: &Target, to: &Resumed| {
            let fresh = Fresh {
                state: &to.state,
                body: &to.lowered.hir,
                checked: &snapshot.checked,
                layouts,
                history: &live.history,
                can_become: &can_become,
                missed: live.since(&target.meta),
                before: &Before::new(&target.meta, &to.state, &live.layouts),
                only: None,
            };
            transfer::computed(&fresh, &to.machine[0].frame)
        };
        let found = self.targets.iter().flat_map(|target| {
            let fates = target.fates.values();
            let goes = fates.filter_map(|fate| if let Fate::Goes(resumed) = fate { Some(resumed) } else { None });
            goes.flat_map(|to| of(target, to)).collect::<Vec<Instance>>()
        });
        let mut found: Vec<Instance> = found.collect();
        found.sort();
        found.dedup();
        found
    }
}

/// Looks at the functions with new code that are running.
pub(crate) fn plan(
    changed: &[(Instance, Lowered)],
    snapshot: &Snapshot,
    base: &Base<'_>,
    (layouts, history): (&TypeLayouts, &Arc<LayoutHistory>),
    links: &super::links::Links,
    moved: bool,
) -> Loops {
    let mut loops = Loops { history: history.clone(), ..Loops::default() };
    let new: FxHashMap<Instance, &Lowered> = changed.iter().map(|(instance, body)| (*instance, body)).collect();
    let newest = new.keys().filter_map(|instance| base.live.functions.get(instance)).map(|live| &live.meta);
    let older = base.live.old_metas().filter(|meta| new.contains_key(&meta.instance));
    let concerned = newest.chain(older).any(|meta| meta.has_loops());
    let is_main = |instance: &Instance| snapshot.checked.main == Some(*instance);
    let main_is_concerned = base.main_is_running && new.keys().any(is_main);
    if !(base.mode.hot && (concerned || main_is_concerned)) {
        return loops;
    }
    let mut found: FxHashMap<(usize, usize), Target> = FxHashMap::default();
    let frames = (base.stacks)();
    let asked = frames.is_some();
    for frame in frames.unwrap_or_else(|| anywhere(base, &new)) {
        let Some(meta) = frame.meta(base.live) else { continue };
        if new.contains_key(&meta.instance) && (meta.has_loops() || is_main(&meta.instance)) {
            let target = found.entry(frame.place()).or_insert_with(|| Target {
                place: frame.place(),
                meta: meta.clone(),
                counterpart: Counterpart::default(),
                fates: FxHashMap::default(),
                inner: FxHashSet::default(),
                standing: FxHashSet::default(),
                outside: FxHashSet::default(),
                same: FxHashSet::default(),
                ahead: FxHashMap::default(),
            });
            target.standing.insert(frame.in_loop(meta));
            target.outside.extend(frame.in_loop(meta).is_none().then_some(frame.srcloc));
        }
    }
    let (known, compiler) = (Known::new(history.clone()), Compiler::default());
    let mut resumer = Resumer { snapshot, base, layouts, known, links, moved, changed, compiler };
    for (_, mut target) in found {
        let lowered = new[&target.meta.instance];
        resumer.decide(&mut target, lowered);
        if asked {
            resumer.look_ahead(&mut target);
            resumer.look_behind(&mut target, lowered);
        }
        loops.targets.push(target);
    }
    loops.targets.sort_by_key(|target| (target.meta.instance, target.place));
    loops.notices = loops.targets.iter().flat_map(|target| resumer.remarks(target, &new)).collect();
    loops.notices.sort();
    loops.notices.dedup();
    loops
}

/// Where a thread cannot be asked, all places where the functions may be.
fn anywhere(base: &Base<'_>, new: &FxHashMap<Instance, &Lowered>) -> Vec<Standing> {
    let mut frames = Vec::new();
    for (unit, metas) in &base.live.metas {
        for (function, meta) in metas.iter().enumerate().filter(|(_, meta)| new.contains_key(&meta.instance)) {
            let numbers = 0..=meta.locations.len() as u32;
            frames.extend(numbers.map(|srcloc| Standing { unit: *unit, function, srcloc }));
        }
    }
    frames
}

/// Compiles functions once more, to start in the middle of a loop.
struct Resumer<'a> {
    snapshot: &'a Snapshot,
    base: &'a Base<'a>,
    layouts: &'a TypeLayouts,
    /// What is known of types from the new version on, also of those that are gone.
    known: Known,
    links: &'a super::links::Links,
    /// Does any type lie otherwise now? Then code may differ where the functions do not.
    moved: bool,
    /// All functions with new code.
    changed: &'a [(Instance, Lowered)],
    compiler: Compiler,
}

impl Resumer<'_> {
    /// Has a value of one type a meaning in another?
    fn can_become(&self) -> impl Fn(Ty, Ty) -> bool + use<'_> {
        |from, to| transfer::can_become(&self.known, (self.layouts, &self.snapshot.checked), from, to)
    }

    /// Finds out for each loop of a function how it can go on.
    fn decide(&mut self, target: &mut Target, new: &Lowered) {
        let meta = target.meta.clone();
        if meta.body.result != new.hir.result {
            let why = format!("its result was `{}` and is now `{}`", meta.body.result, new.hir.result);
            target.fates.extend(meta.frame.loops.iter().map(|state| (state.number, Fate::Stays(why.clone()))));
            return;
        }
        let counterpart = Counterpart::between(&meta.body, &new.hir, &self.can_become());
        for state in &meta.frame.loops {
            let fate = self.next_loop(&meta, state, &counterpart, new).and_then(|next| {
                let (before, after) = ((&*meta.body, &*self.base.live.layouts), (&*new.hir, self.layouts));
                shared::parted(state, &counterpart, before, after).map_or(Ok(()), Err)?;
                let state = counterpart.under_new_names(state);
                self.resume(&meta, &state, next, new)
            });
            target.fates.insert(state.number, fate.unwrap_or_else(Fate::Stays));
        }
        let stays = |number: u32| matches!(target.fates.get(&number), Some(Fate::Stays(_)));
        let goes_on = |id: LoopId| meta.frame.loops.iter().any(|state| state.id == id && !stays(state.number));
        let is_inner =
            |state: &&LoopState| stays(state.number) && loops_around(&meta.body, state.id).into_iter().any(goes_on);
        let inner = meta.frame.loops.iter().filter(is_inner).map(|state| state.number).collect();
        (target.counterpart, target.inner) = (counterpart, inner);
    }

    /// Finds out which loops can be come to from the places in no loop.
    fn look_ahead(&self, target: &mut Target) {
        let live = self.base.live;
        let numbers: Vec<u32> = target.fates.keys().copied().collect();
        let Some(body) = (!numbers.is_empty()).then(|| mir_of(&target.meta, &live.checked, &live.layouts)).flatten()
        else {
            return;
        };
        let ways: Vec<_> = numbers.iter().map(|number| (*number, leading_to(&body, *number))).collect();
        for srcloc in 1..=target.meta.locations.len() as u32 {
            let outside = target.meta.locations[srcloc as usize - 1].in_loop.is_none();
            let Some((block, _)) = place(&body, srcloc).filter(|_| outside) else { continue };
            let ahead = ways.iter().filter(|(_, from)| from.contains(&block)).map(|(number, _)| *number);
            let ahead: Vec<u32> = ahead.collect();
            if ahead.len() < numbers.len() {
                target.ahead.insert(srcloc, ahead);
            }
        }
    }

    /// Finds the frames in no loop that have nothing before them that has changed: they may end as they are.
    fn look_behind(&self, target: &mut Target, text: &Lowered) {
        let live = self.base.live;
        let stays = |srcloc: &u32| matches!(target.outside_verdict(*srcloc), Verdict::Stays(_));
        let staying: FxHashSet<u32> = target.outside.iter().copied().filter(stays).collect();
        if staying.is_empty() {
            return;
        }
        let Some(old) = mir_of(&target.meta, &live.checked, &live.layouts) else { return };
        let past = target.meta.past.as_ref();
        let (program, layouts) = past.map_or((&*live.checked, &*live.layouts), |past| (&*past.checked, &*past.layouts));
        let Ok(body) = lower::lower(&text.hir, &self.snapshot.checked, self.layouts, true) else { return };
        let old = Version { body: &old, program, layouts };
        let new = Version { body: &body, program: &self.snapshot.checked, layouts: self.layouts };
        // Whether structs lie in registers may have changed with their layouts, which is of no account here.
        let plain = Options::plain(true);
        let plain_new = lower::lower_with(&text.hir, &self.snapshot.checked, self.layouts, plain).ok();
        let plain_old = match target.meta.resumed {
            Some(_) => None,
            None => lower::lower_with(&target.meta.body, program, layouts, plain).ok(),
        };
        let is_plainly_same = |at: (BlockId, usize)| {
            let (Some(before), Some(after)) = (&plain_old, &plain_new) else { return false };
            let at = same_call(old.body, at, before);
            at.is_some_and(|at| rest_is_same(Version { body: before, ..old }, at, Version { body: after, ..new }))
        };
        let is_same = |srcloc: &u32| {
            let at = place(old.body, *srcloc);
            at.is_some_and(|at| rest_is_same(old, at, new) || is_plainly_same(at))
        };
        target.same = staying.into_iter().filter(is_same).collect();
    }

    /// The program that a body belongs to, if that is the running version and no layout changes: a body of an older one
    /// cannot be lowered any more.
    fn running(&self, meta: &FunctionMeta) -> Option<&Live> {
        let live = self.base.live;
        let newest = live.functions.get(&meta.instance)?;
        (!self.moved && Arc::ptr_eq(&newest.body, &meta.body)).then_some(live)
    }

    /// Compiles a loop once more; `state` is what it hands over, under the new names.
    fn resume(&mut self, meta: &FunctionMeta, state: &LoopState, at: LoopId, new: &Lowered) -> Result<Fate, String> {
        let options = Options::all(true);
        let body = lower_resumed(&new.hir, at, &state.values, &self.snapshot.checked, self.layouts, options).map_err(
            |cannot| self.with_place(&cannot.sentence(retyped(meta, new, &cannot).as_deref()), new, cannot.span),
        )?;
        if let Some(live) = self.running(meta)
            && let Some(before) = meta.frame.loops.iter().find(|known| known.number == state.number)
            && lower_resumed(&meta.body, state.id, &before.values, &live.checked, &*live.layouts, options)
                .is_ok_and(|old| fingerprint_from_head(&old) == fingerprint_from_head(&body))
        {
            let whole = lower::lower(&meta.body, &live.checked, &*live.layouts, true);
            let undone = whole.is_ok_and(|old| old.fingerprint() == new.plain_fingerprint);
            return Ok(if undone { Fate::Current } else { Fate::Same });
        }
        let lowered = Lowered::resumed(body, new, self.base.host);
        let guarded = |caller| guards(&self.snapshot.checked, self.base.mode, caller);
        let linker =
            UnitLinker { links: self.links, hot: true, inlines: false, host: self.base.host, guards: &guarded };
        let keep = vec![Some(&*meta.frame)];
        let input = UnitInput { functions: vec![&lowered.body], inline: Vec::new(), keep };
        let isa = self.base.linkage.isa().clone();
        let made = self.compiler.compile(&input, self.layouts, &linker, &*isa);
        let machine = made.map_err(|error| error.to_string())?;
        let live = self.base.live;
        let fresh = Fresh {
            state,
            body: &new.hir,
            checked: &self.snapshot.checked,
            layouts: self.layouts,
            history: &live.history,
            can_become: &self.can_become(),
            missed: live.since(meta),
            before: &Before::new(meta, state, &live.layouts),
            only: None,
        };
        transfer::check(&fresh, &machine[0].frame)?;
        Ok(Fate::Goes(Box::new(Resumed { state: state.clone(), lowered, machine })))
    }

    /// Remarks on what loops that go on hold.
    fn remarks(&self, target: &Target, new: &FxHashMap<Instance, &Lowered>) -> Vec<String> {
        let (meta, new) = (&target.meta, new[&target.meta.instance]);
        let old_text = |span| meta.text(span, &self.base.live.sources);
        let new_text = |span| crate::live::text(new.hir.item, span, &self.snapshot.sources);
        let old = remarks::Version { body: &meta.body, text: &old_text };
        let new = remarks::Version { body: &new.hir, text: &new_text };
        let declared = |ty, name| converted::declared(&self.snapshot.checked, (ty, name), |_| Some(Vec::new()));
        let types = transfer::asked(&self.known, self.layouts, &declared);
        let differing = |from: Ty, to: Ty| types.differing(from, to);
        let stands = |state: &&LoopState| target.standing.contains(&Some(state.number));
        let goes = |state: &&LoopState| !matches!(target.fates.get(&state.number), Some(Fate::Stays(_)) | None);
        let states = meta.frame.loops.iter().filter(stands).filter(goes);
        let remarks = states.filter_map(|state| {
            let at = target.counterpart.of(state.id).ok()?;
            Some(remarks::remarks(&meta.name(), state, &target.counterpart, (&old, &new), at, &differing))
        });
        remarks.flatten().collect()
    }
}

/// What has happened to the local that a loop has no value for, if it is not new.
fn retyped(meta: &FunctionMeta, new: &Lowered, cannot: &CannotResume) -> Option<String> {
    let of = |body: &Body| Some(body.locals.iter().find(|(_, local)| Some(local.name) == cannot.local)?.1.ty);
    let (before, after) = (of(&meta.body)?, of(&new.hir)?);
    (before != after).then(|| format!("{}, which cannot be converted", super::diff::retyped(before, after)))
}

/// The blocks from which the poll of a loop can be come to.
fn leading_to(body: &mir::Body, number: u32) -> FxHashSet<BlockId> {
    let polls = |block: &mir::Block| {
        block.in_loop == Some(number)
            && block.statements.iter().any(|it| matches!(it.kind, StatementKind::Safepoint(_)))
    };
    let before = predecessors(body);
    let mut open: Vec<BlockId> = body.blocks.iter().filter(|(_, block)| polls(block)).map(|(id, _)| id).collect();
    let mut found: FxHashSet<BlockId> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        open.extend(before.get(&id).into_iter().flatten().filter(|from| found.insert(**from)));
    }
    found
}

/// The call of a function's code in the same function's code before all passes, if there is exactly one.
fn same_call(body: &mir::Body, (block, index): (BlockId, usize), plain: &mir::Body) -> Option<(BlockId, usize)> {
    let statement = body.blocks[block].statements.get(index)?;
    let StatementKind::Call(wanted) = &statement.kind else { return None };
    let is_it = |other: &mir::Statement| {
        other.span == statement.span && matches!(&other.kind, StatementKind::Call(call) if call.callee == wanted.callee)
    };
    let mut found = plain.blocks.iter().flat_map(|(id, block)| {
        let calls = block.statements.iter().enumerate().filter(|(_, other)| is_it(other));
        calls.map(move |(index, _)| (id, index))
    });
    found.next().filter(|_| found.next().is_none())
}

impl Target {
    /// What becomes of a frame in this loop, or in none: then it may come to each of them.
    fn verdict(&self, standing: Option<u32>) -> Verdict {
        match standing {
            Some(number) => match (Target::of(self.fates.get(&number)), self.inner.contains(&number)) {
                (Verdict::Stays(why), true) => Verdict::Later(why),
                (verdict, _) => verdict,
            },
            None => self.worst_of(self.fates.keys()),
        }
    }

    /// What becomes of a frame that waits here, in no loop.
    fn outside_verdict(&self, srcloc: u32) -> Verdict {
        match self.ahead.get(&srcloc) {
            _ if self.same.contains(&srcloc) => Verdict::Same,
            Some(ahead) => self.worst_of(ahead.iter()),
            None => self.verdict(None),
        }
    }

    fn worst_of<'n>(&self, numbers: impl Iterator<Item = &'n u32>) -> Verdict {
        numbers.map(|number| Target::of(self.fates.get(number))).reduce(worse).unwrap_or_else(|| Target::of(None))
    }

    fn of(fate: Option<&Fate>) -> Verdict {
        match fate {
            Some(Fate::Goes(_) | Fate::Current) => Verdict::Goes,
            Some(Fate::Same) => Verdict::Same,
            Some(Fate::Stays(why)) => Verdict::Stays(why.clone()),
            None => Verdict::Stays("it is in no loop now at whose next turn it could go on in the new code".to_owned()),
        }
    }

    fn worst(&self) -> Option<Verdict> {
        let inside = self.standing.iter().filter(|standing| standing.is_some()).map(|standing| self.verdict(*standing));
        inside.chain(self.outside.iter().map(|srcloc| self.outside_verdict(*srcloc))).reduce(worse)
    }
}

fn worse(one: Verdict, other: Verdict) -> Verdict {
    match (&one, &other) {
        (Verdict::Stays(_), _) => one,
        (_, Verdict::Stays(_)) => other,
        (Verdict::Later(_), _) => one,
        (_, Verdict::Later(_)) => other,
        (Verdict::Goes, _) => one,
        _ => other,
    }
}

impl Loops {
    /// What becomes of the frames of a function; `None` if there are none that matter.
    pub fn verdict(&self, instance: Instance) -> Option<Verdict> {
        let targets = self.targets.iter().filter(|target| target.meta.instance == instance);
        targets.filter_map(Target::worst).reduce(worse)
    }

    /// Says of an edited function what its running loops do.
    pub fn outcome(&self, instance: Instance, is_main: bool, notices: &mut Vec<String>) -> Option<Outcome> {
        let name = instance.path.name;
        match self.verdict(instance)? {
            Verdict::Goes | Verdict::Later(_) => Some(Outcome::AtNextLoopHead),
            Verdict::Same => {
                let when = if is_main { "the next start of `main`" } else { "the next call" };
                let outside = |target: &Target| target.meta.instance == instance && !target.same.is_empty();
                let what = match self.targets.iter().any(outside) {
                    true => format!("only what `{name}` has already done changed"),
                    false => format!("only what `{name}` does before its running loop changed"),
                };
                notices.push(format!("{what}: it takes effect at {when}"));
                Some(Outcome::AtNextCall)
            }
            Verdict::Stays(why) if is_main => Some(super::diff::running_main(&why)),
            Verdict::Stays(why) => {
                notices.push(format!("`{name}` is running and ends with its old code: {why}"));
                Some(Outcome::AtNextCall)
            }
        }
    }

    /// Remarks on locals that keep their values.
    pub fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// Makes units of the new code. What cannot be linked is an internal error.
    pub(super) fn link(
        self,
        mut running: Running,
        work: &mut Work,
        base: &mut Base<'_>,
        snapshot: &Snapshot,
        layouts: &TypeLayouts,
    ) -> Result<Moves, String> {
        let mut moves = Moves::default();
        for target in self.targets {
            let standing: FxHashSet<Option<u32>> = target
                .fates
                .keys()
                .map(|number| Some(*number))
                .chain([None])
                .chain(target.standing.iter().copied())
                .collect();
            let verdicts = standing.into_iter().map(|standing| (standing, target.verdict(standing))).collect();
            running.verdicts.insert(target.place, verdicts);
            running.same.extend(target.same.iter().map(|srcloc| (target.place, *srcloc)));
            let ahead = target.ahead.keys().map(|srcloc| ((target.place, *srcloc), target.outside_verdict(*srcloc)));
            running.ahead.extend(ahead);
            running.found.insert(target.meta.instance);
            let from = base.live.unit(target.place.0);
            if work.code(target.meta.instance).is_some_and(|code| Live::unit_key(&code.unit) == target.place.0) {
                // An edit has been undone before the loop came round: it is in the newest code again.
                continue;
            }
            for (_, fate) in target.fates {
                let Fate::Goes(resumed) = fate else { continue };
                fault::plain()?;
                let transfer = {
                    let frames = (&*target.meta.frame, &resumed.machine[0].frame);
                    let (state, body) = (&resumed.state, &*resumed.lowered.hir);
                    let whole = whole_locals(&target.meta, (state, body), &self.wholes, base);
                    let history = &self.history;
                    let meta = &*target.meta;
                    let between = transfer::Between { meta, state, body, frames, whole, history };
                    transfer::make(&between, base, snapshot, layouts)?
                };
                let (code, meta) = work.resumed(&resumed.lowered, &resumed.machine, base, snapshot, layouts)?;
                fault::plain()?;
                moves.followers.push(Follower {
                    from: from.clone(),
                    function: target.place.1,
                    number: resumed.state.number,
                    unit: code.unit.clone(),
                    transfer,
                });
                moves.metas.push((code, meta));
            }
        }
        moves.running = Arc::new(running);
        Ok(moves)
    }
}

/// The locals of a loop that lie in parts and have to be whole to be migrated, by the keys of the new text.
fn whole_locals(
    meta: &FunctionMeta,
    (state, new): (&LoopState, &Body),
    wholes: &[(Ty, Option<Name>)],
    base: &Base<'_>,
) -> Vec<WholeLocal> {
    let (live, mut found) = (base.live, Vec::<WholeLocal>::new());
    let Some(old) = meta.frame.loops.iter().find(|known| known.number == state.number) else { return found };
    for (old, now) in old.values.iter().zip(&state.values) {
        let (Some(part), Some(local), key) = (old.key.part, local_of(&meta.body, old.key), transfer::whole_of(now.key))
        else {
            continue;
        };
        let ty = meta.body.locals[local].ty;
        let Some((_, by)) = wholes.iter().find(|(whole, _)| holds(ty, *whole, &live.checked)) else { continue };
        let stays = local_of(new, key).is_some_and(|local| new.locals[local].ty == ty);
        let Some((offset, of)) = part_of(ty, part, &live.checked, &*live.layouts).filter(|_| stays) else { continue };
        let part = (old.home, offset, live.layouts.layout(of).size);
        match found.iter_mut().find(|known| known.key == key) {
            Some(known) => known.parts.push(part),
            None => found.push(WholeLocal { key, ty, by: by.map(|by| by.to_string()), parts: vec![part] }),
        }
    }
    found
}

/// Is a value of one type, or a part of it that lies in it, of the other?
fn holds(ty: Ty, other: Ty, program: &Checked) -> bool {
    ty == other
        || match *ty.kind() {
            TyKind::Struct(..) => {
                let definition = program.structs.get(&ty);
                definition.is_some_and(|it| it.fields.iter().any(|field| holds(field.ty, other, program)))
            }
            TyKind::Tuple(parts) => parts.iter().any(|part| holds(*part, other, program)),
            _ => false,
        }
}

impl Moves {
    /// Is there nothing on any stack that the reload concerns?
    pub fn is_empty(&self) -> bool {
        self.running.verdicts.is_empty()
    }

    /// The functions on stacks whose older followers are out of date.
    pub fn gone(&self) -> Vec<(usize, usize)> {
        self.running.verdicts.keys().copied().collect()
    }
}

impl Running {
    /// For these functions, before any is found on a stack.
    pub fn new(functions: impl Iterator<Item = Instance>, edits_main: bool, main_changes_slot: bool) -> Running {
        Running { functions: functions.collect(), edits_main, main_changes_slot, ..Running::default() }
    }

    /// Has the function new code?
    pub fn concerns(&self, instance: Instance) -> bool {
        self.functions.contains(&instance)
    }

    /// What becomes of a frame of a function with new code; `None` if nothing was prepared for it.
    pub fn verdict(&self, frame: &Standing, meta: &FunctionMeta) -> Option<&Verdict> {
        if self.same.contains(&(frame.place(), frame.srcloc)) {
            return Some(&SAME);
        }
        if let Some(verdict) = self.ahead.get(&(frame.place(), frame.srcloc)) {
            return Some(verdict);
        }
        self.verdicts.get(&frame.place())?.get(&frame.in_loop(meta))
    }

    /// Has a frame of a function that was on a stack gone on in other code since, as the version before had it do?
    pub fn has_gone_on(&self, frame: &Standing, meta: &FunctionMeta) -> bool {
        self.found.contains(&meta.instance) && !self.verdicts.contains_key(&frame.place())
    }

    /// Of the loops of this code: was something decided for them, and does one go on in new code?
    pub fn decided(&self, place: (usize, usize)) -> Option<bool> {
        let verdicts = self.verdicts.get(&place)?;
        Some(verdicts.iter().any(|(number, verdict)| number.is_some() && *verdict == Verdict::Goes))
    }

    /// Is it in a loop of a function that was on no stack?
    pub fn has_come_since(&self, frame: &Standing, meta: &FunctionMeta) -> bool {
        !self.leaves_new_frames && !self.verdicts.contains_key(&frame.place()) && frame.in_loop(meta).is_some()
    }

    /// Does a frame of this function go on in new code when it comes to the poll of the loop?
    pub fn goes(&self, frame: &Standing, number: u32) -> bool {
        let verdicts = self.verdicts.get(&frame.place());
        verdicts.is_some_and(|verdicts| verdicts.get(&Some(number)) == Some(&Verdict::Goes))
    }
}
