//! The trial of a reload: what needs the threads stopped and may still fail. Whatever it finds, nothing that can be seen
//! has changed before the commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::layout::Layouts;
use vaisjit_codegen::link::Import;
use vaisjit_codegen::shape::shape;
use vaisjit_semantics::{Instance, ItemPath, Ty, TyKind};

use super::ProgramInner;
use super::functions::Suspects;
use super::hooks::{called, trapped};
use super::pending::Attempt;
use super::run::Entry;
use crate::code::{Slot, Stopped, StoppedFrame, Transfer};
use crate::engine::Error;
use crate::fault;
use crate::heap::TypeUpdate;
use crate::linkage::in_use;
use crate::live::{FunctionMeta, LiveFunction};
use crate::reload::admissible::{ReleasedWhole, kept_words, live_locals};
use crate::reload::diff::name_of;
use crate::reload::migrate::dropped;
use crate::reload::migrate::{Denied, Going, Local, Migration, Settle, Trial, computing, failed, sees_old};
use crate::reload::prepare::Prepared;
use crate::reload::replace::Standing;
use crate::reload::unfinished::finished;
use crate::report::{Edit, Outcome, Report};
use crate::trap::TrapCode;

/// How long code of the program may take inside a reload: hooks, initial values and defaults.
pub(super) const LONGEST_CODE: Duration = Duration::from_secs(2);

/// How long a commit waits for words of which nobody knows the type to lose sight of what has to move; and for frames to end
/// that have no room for types that only grow to keep what removed fields held.
pub(super) const LONGEST_PIN: Duration = Duration::from_secs(1);

/// What a trial has prepared for the commit.
#[derive(Default)]
pub(crate) struct Tried {
    migration: Option<Trial>,
    /// New values of globals that have one.
    resets: GlobalValues,
}

/// Values of globals, which own what they refer to.
pub(super) type GlobalValues = Vec<(ItemPath, Vec<u8>)>;

impl ProgramInner {
    /// Tries a prepared version while all threads are stopped. If it cannot be, the report says why, and nothing has
    /// changed; nor has the report if it is worth another try soon.
    pub(super) fn try_to_move(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Result<Tried, Attempt> {
        let report = self.report_to_keep(prepared);
        let before = self.has_abandoned().then(|| prepared.report.clone());
        let mut tried = self.try_out(prepared, stopped);
        if tried.is_none()
            && let Some(before) = before
            && self.free_abandoned_now(stopped)
        {
            // What failed calls have left was perhaps all that stood in the way.
            (prepared.report, prepared.pins.by) = (before, None);
            tried = self.try_out(prepared, stopped);
        }
        tried.ok_or_else(|| wait_for_pin(prepared, report))
    }

    /// Would a commit have to wait for what pins a value? Whatever else is wrong the trial finds again.
    pub(super) fn pinned(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Option<Attempt> {
        let before = self.report_to_keep(prepared)?;
        fault::on(None, || self.foresee_values(prepared, stopped));
        let found = wait_for_pin(prepared, Some(before.clone()));
        prepared.report = before;
        matches!(found, Attempt::NotYet { .. }).then_some(found)
    }

    fn report_to_keep(&self, prepared: &Prepared) -> Option<Report> {
        let moves = prepared.migration.as_ref().is_some_and(Migration::moves_values);
        moves.then(|| prepared.report.clone())
    }

    /// Tries a prepared version while all threads are stopped. If it cannot be, the report says why, and nothing has
    /// changed.
    pub fn try_out(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Option<Tried> {
        let mut tried = Tried::default();
        match self.trial_steps(prepared, stopped, &mut tried) {
            Ok(()) => {
                // What code of the program has written over them since counts.
                prepared.global_bytes.clear();
                Some(tried)
            }
            Err(denied) => {
                self.undo(prepared, tried);
                prepared.pins.by.clone_from(&denied.pinned_by);
                deny(prepared, denied);
                None
            }
        }
    }

    /// What [`ProgramInner::try_to_move`] would come to, with the report completed and nothing kept.
    pub(super) fn foresee_move(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Attempt {
        let report = self.report_to_keep(prepared);
        let before = self.has_abandoned().then(|| prepared.report.clone());
        let is_refused = |prepared: &Prepared| prepared.report.refusals().next().is_some();
        self.foresee_values(prepared, stopped);
        if is_refused(prepared)
            && let Some(before) = before
            && self.free_abandoned_now(stopped)
        {
            (prepared.report, prepared.pins.by) = (before, None);
            self.foresee_values(prepared, stopped);
        }
        if is_refused(prepared) { wait_for_pin(prepared, report) } else { Attempt::Applied }
    }

    /// The same as a trial, to see what would happen: completes the report and gives back all that was made for it.
    fn foresee_values(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) {
        let mut tried = Tried::default();
        let tables = self.look_at_tables(prepared, stopped);
        let suspects = self.count_functions(prepared, stopped);
        match tables.and_then(|()| self.try_values(prepared, &suspects, stopped, &mut tried)) {
            Ok(()) => {
                if let (Some(migration), Some(trial)) = (&prepared.migration, &tried.migration) {
                    migration.note_own(trial, &mut prepared.report);
                    prepared.report.notices.extend(migration.foresee_notes(self.world.heap(), trial));
                }
            }
            Err(denied) => {
                prepared.pins.by.clone_from(&denied.pinned_by);
                deny(prepared, denied);
            }
        }
        self.undo(prepared, tried);
    }

    fn trial_steps(&self, prepared: &mut Prepared, stopped: &Stopped<'_>, tried: &mut Tried) -> Result<(), Denied> {
        self.look_at_tables(prepared, stopped)?;
        fault::point()?;
        let suspects = self.count_functions(prepared, stopped);
        self.try_values(prepared, &suspects, stopped, tried)?;
        fault::point()?;
        self.fill_new_globals(prepared)?;
        let runs = |migration: &Migration| !migration.computed().is_empty() || migration.has_own();
        let computes = prepared.migration.as_ref().is_some_and(runs);
        if prepared.computed.is_empty() && prepared.resets.is_empty() && !computes {
            return Ok(());
        }
        self.look_at_code(prepared)?;
        self.in_new_version(prepared, |prepared| {
            let ran = self.run_code(prepared, tried);
            if ran.is_err() {
                self.forget_held();
            }
            ran
        })?;
        if let (Some(migration), Some(trial)) = (&prepared.migration, &tried.migration) {
            migration.note_own(trial, &mut prepared.report);
        }
        fault::point()
    }

    /// No value may be left without a method that its trait has got.
    fn look_at_tables(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Result<(), Denied> {
        if prepared.lacking.is_empty() {
            return Ok(());
        }
        let tables = |counts: &dyn Fn(usize) -> bool| {
            let linkage = self.linkage();
            let cells = linkage.heap().memory(stopped).cells();
            cells.filter(|(cell, _)| counts(*cell)).map(|(_, table)| table).collect()
        };
        if in_use(&prepared.lacking, &tables(&|_| true)).is_none() {
            return Ok(());
        }
        let (blocks, _) = self.what_waits(prepared, (None, &self.locals(prepared, stopped)));
        let Some(lacking) = in_use(&prepared.lacking, &tables(&|cell| !blocks.waits(cell))) else { return Ok(()) };
        let (of, of_trait, method) = (lacking.of, lacking.of_trait.name, lacking.method.name);
        let checked = &prepared.snapshot.checked;
        let is_gone = match of.kind() {
            TyKind::Struct(..) => !checked.structs.contains_key(&of),
            TyKind::Enum(..) => !checked.enums.contains_key(&of),
            _ => false,
        };
        let help = match is_gone {
            true => format!(
                "`{of}` is gone from the text: bring it back, and if it has another name now, write `#[was(\"{of}\")]` before that; or let the program drop the value first"
            ),
            false => {
                format!(
                    "keep a line that makes a `dyn {of_trait}` of a `{of}`, or let the program drop the value first"
                )
            }
        };
        let name = of_trait.to_string();
        let outcome = Outcome::LiveNow;
        prepared.report.edits.push(Edit { kind: "trait", name, change: "changed", outcome, at: None });
        Err(Denied {
            pinned_by: None,
            name: of_trait.to_string(),
            why: format!("a `{of}` is alive behind a `dyn {of_trait}`, and nothing says what its `{method}` is"),
            help,
        })
    }

    /// Counts live values and makes room for them.
    fn try_values(
        &self,
        prepared: &mut Prepared,
        suspects: &Suspects,
        stopped: &Stopped<'_>,
        tried: &mut Tried,
    ) -> Result<(), Denied> {
        let leaves = Self::leaves_locals(prepared);
        if prepared.migration.is_some() || leaves || !suspects.is_empty() {
            let locals = self.locals(prepared, stopped);
            if leaves {
                let live = self.live();
                let globals: Vec<(ItemPath, Ty)> =
                    live.globals.iter().map(|(path, global)| (*path, global.ty)).collect();
                dropped::look_for_pointers(&self.linkage(), &live.history, &globals, &locals)?;
            }
            self.try_migration(prepared, &locals, stopped, tried)?;
            self.judge(prepared, suspects, (tried.migration.as_ref(), &locals), stopped)?;
        }
        prepared.report.notices.extend(suspects.told.iter().cloned());
        Ok(())
    }

    fn try_migration(
        &self,
        prepared: &mut Prepared,
        locals: &[Local],
        stopped: &Stopped<'_>,
        tried: &mut Tried,
    ) -> Result<(), Denied> {
        let Some(migration) = &mut prepared.migration else { return Ok(()) };
        let linkage = self.linkage();
        let (trial, denied) = match migration.try_out(&linkage, &prepared.moving, locals, stopped) {
            Ok(trial) => (trial, None),
            Err(both) => {
                let (trial, denied) = *both;
                (trial, Some(denied))
            }
        };
        note_instances(&mut prepared.report, trial.instances(migration));
        let mut remarks = migration.not_given(&trial);
        remarks.extend(migration.tell_lost(&trial));
        tried.migration = Some(trial);
        prepared.report.notices.extend(remarks);
        denied.map_or(Ok(()), Err)
    }

    /// Does a running function that goes on in new code leave something in its block?
    fn leaves_locals(prepared: &Prepared) -> bool {
        prepared.moves.followers.iter().any(|follower| !follower.transfer.left.is_empty())
    }

    /// The frames on the stacks.
    fn locals(&self, prepared: &Prepared, stopped: &Stopped<'_>) -> Vec<Local> {
        let (live, mut locals) = (self.live(), Vec::new());
        // A recursion waits in the same call again and again.
        let mut keeps = FxHashMap::default();
        stopped.walk(|frame| {
            let standing = Standing::of(frame);
            let Some(meta) = standing.meta(&live) else { return };
            let (going, grown) = (going(prepared, stopped, frame, meta), stopped.grown(frame));
            locals.push(Local {
                thread: frame.thread,
                frame_pointer: frame.frame_pointer,
                address: frame.block.map(|block| block.address),
                frame: match grown.is_empty() && !frame.polls {
                    true => finished(meta, frame.srcloc, &live.checked, &live.layouts),
                    false => meta.frame.clone(),
                },
                function: meta.name(),
                live: live_locals(meta, frame.srcloc, &live.checked, &live.layouts),
                going,
                grown,
                released_whole: ReleasedWhole::of(meta, &live.checked, &live.layouts),
                is_current: !prepared.replaces(meta.instance) && !live.is_behind(standing.unit, meta.instance),
                ahead: ahead(prepared, &standing),
                of: (standing.unit, standing.function),
                kept_words: match frame.polls {
                    true => Some(Arc::default()),
                    false => keeps
                        .entry((standing.unit, standing.function, frame.srcloc))
                        .or_insert_with(|| Some(kept_words(meta, frame.srcloc, &live.checked, &live.layouts)?.into()))
                        .clone(),
                },
            });
        });
        locals
    }

    /// The memory of new globals can be seen by nobody yet.
    fn fill_new_globals(&self, prepared: &Prepared) -> Result<(), Denied> {
        for (path, bytes) in &prepared.global_bytes {
            fault::point()?;
            if let Some(memory) = self.linkage().global(*path) {
                memory.write(bytes);
            }
        }
        Ok(())
    }

    /// Code that runs in a trial must not see values in their old shape: what it can reach by direct calls and by slots is
    /// looked at.
    fn look_at_code(&self, prepared: &Prepared) -> Result<(), Denied> {
        let Some(migration) = &prepared.migration else { return Ok(()) };
        let checked = &prepared.snapshot.checked;
        let globals = prepared.computed.iter().chain(&prepared.resets).filter_map(|path| checked.globals.get(path));
        let inits = globals.filter_map(|global| Some(global.init.as_ref()?.instance));
        let starts: Vec<Instance> = inits.chain(migration.computed()).chain(migration.functions()).collect();
        let live = self.live();
        for start in starts {
            let mut seen = FxHashSet::default();
            let mut open = vec![start];
            while let Some(instance) = open.pop() {
                let mut new = prepared.defaults.iter().chain(&prepared.functions);
                let new = new.find(|(known, _)| *known == instance).map(|(_, function)| function);
                let Some(function) = new.or_else(|| live.functions.get(&instance)) else { continue };
                for import in function.recipe.imports() {
                    match import {
                        Import::Global(path) => {
                            let old = live.globals.get(path).filter(|old| migration.concerns(*path, old.ty));
                            if old.is_some() {
                                return Err(sees_old(&start.path.name, &path.name));
                            }
                        }
                        Import::Function(callee) if seen.insert(*callee) => open.push(*callee),
                        Import::Slot(key) if seen.insert(key.instance) => open.push(key.instance),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn run_code(&self, prepared: &Prepared, tried: &mut Tried) -> Result<(), Denied> {
        for path in &prepared.computed {
            fault::point()?;
            let bytes = self.first_value(prepared, *path)?;
            if let Some(memory) = self.linkage().global(*path) {
                memory.write(&bytes);
            }
        }
        for path in &prepared.resets {
            fault::point()?;
            tried.resets.push((*path, self.first_value(prepared, *path)?));
        }
        if let (Some(migration), Some(trial)) = (&prepared.migration, &mut tried.migration) {
            migration.compute(trial, &mut |instance, ty| self.call_new(prepared, instance, ty))?;
            let heap = self.world.heap();
            migration.write(heap, trial, &mut |instance, old, new| self.call_own(prepared, instance, old, new))?;
        }
        Ok(())
    }

    /// The initial value of a global in the new version.
    fn first_value(&self, prepared: &Prepared, path: ItemPath) -> Result<Vec<u8>, Denied> {
        let Some(global) = prepared.snapshot.checked.globals.get(&path) else { return Ok(Vec::new()) };
        let Some(init) = &global.init else {
            return Ok(vec![0; prepared.layouts.layout(global.ty).size as usize]);
        };
        match prepared.literals.get(&path) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.call_new(prepared, init.instance, global.ty).map_err(|why| failed(&path.name, &why)),
        }
    }

    /// Calls a migration of the program's with the addresses of the old and the new value.
    fn call_own(&self, prepared: &Prepared, instance: Instance, old: usize, new: usize) -> Result<(), String> {
        let entry = self.new_entry(prepared, instance)?;
        fault::plain()?;
        let called = self.asked.while_running(&called(instance), || self.enter(&entry, &mut [old as u64, new as u64]));
        called.map(|_| ()).map_err(|trap| trapped(&trap))
    }

    /// A function of the new version.
    fn new_entry(&self, prepared: &Prepared, instance: Instance) -> Result<Entry, String> {
        let found = |list: &[(Instance, LiveFunction)]| {
            list.iter().find(|(known, _)| *known == instance).map(|(_, function)| function.clone())
        };
        let function = found(&prepared.defaults).or_else(|| found(&prepared.functions));
        let function = function.or_else(|| self.live().functions.get(&instance).cloned());
        let function = function.ok_or_else(|| format!("`{}` has no code", instance.path.name))?;
        let entry: Result<Entry, Error> = self.entry_of(&function);
        entry.map_err(|error| error.to_string())
    }

    /// Calls a function without parameters of the new version.
    fn call_new(&self, prepared: &Prepared, instance: Instance, ty: Ty) -> Result<Vec<u8>, String> {
        let entry = self.new_entry(prepared, instance)?;
        fault::plain()?;
        let size = prepared.layouts.layout(ty).size as usize;
        let computed = self.asked.while_running(&computing(&instance.path.name), || self.compute(&entry, ty, size));
        computed.map_err(|trap| match trap.frames.first().and_then(|frame| frame.at.as_ref()) {
            _ if trap.code == TrapCode::Interrupted => format!("it {}", trapped(&trap)),
            Some(at) => format!("{} ({at})", trap.message),
            None => trap.message.clone(),
        })
    }

    /// Runs something with the code and the types of the new version in place, and puts back those of the old one.
    fn in_new_version<R>(&self, prepared: &mut Prepared, work: impl FnOnce(&Prepared) -> R) -> R {
        let stores = prepared.stores.iter().chain(&prepared.default_stores);
        let before: Vec<(Slot, usize)> = stores.clone().map(|(slot, _)| (slot.clone(), slot.load())).collect();
        stores.for_each(|(slot, code)| slot.store(*code));
        prepared.types.iter_mut().for_each(TypeUpdate::exchange);
        let result = self.alone(|| work(prepared));
        prepared.types.iter_mut().for_each(TypeUpdate::exchange);
        before.iter().rev().for_each(|(slot, code)| slot.put_back(*code));
        result
    }

    /// Gives back what a trial has made.
    pub fn undo(&self, prepared: &Prepared, tried: Tried) {
        self.forget_held();
        let heap = self.world.heap();
        if let (Some(migration), Some(trial)) = (&prepared.migration, tried.migration) {
            migration.undo(heap, trial);
        }
        let checked = prepared.snapshot.checked.clone();
        let layouts = prepared.layouts.clone();
        let shape = |ty: Ty| shape(ty, &checked, &*layouts);
        let linkage = self.linkage();
        heap.take_new_types();
        for path in &prepared.new_globals {
            if let (Some(memory), Some(global)) = (linkage.global(*path), checked.globals.get(path)) {
                // What cannot be given up is left: memory, not the program, pays for it.
                let _ = heap.clear_global(memory.address(), global.ty, &shape);
            }
        }
        self.give_up_values(prepared, tried.resets);
        // To clear them their types had to be known.
        heap.forget_types(&heap.take_new_types());
    }

    /// Gives the locals that their blocks have no room for to where they are looked for. Once nothing can fail any more.
    pub fn hand_over(&self, tried: &mut Tried, stopped: &Stopped<'_>) {
        let grown = tried.migration.iter_mut().flat_map(Trial::take_grown);
        grown.for_each(|(thread, frame, grown)| stopped.set_grown(thread, frame, grown));
    }

    /// The first half of the stores of a commit: live values, before the heap knows the new types.
    pub fn store_values(&self, prepared: &mut Prepared, tried: &mut Tried) -> Option<Settle> {
        let heap = self.world.heap();
        let mut settle = match (&mut prepared.migration, tried.migration.take()) {
            (Some(migration), Some(trial)) => Some(trial.commit(migration, heap)),
            _ => None,
        };
        let mut linkage = self.linkage();
        for (path, memory) in prepared.moving.drain(..) {
            linkage.move_global(path, memory);
        }
        if let Some(settle) = &mut settle {
            linkage.keep_aside(settle.take_aside());
        }
        settle
    }

    /// The second half. Gives the values that initial ones have replaced.
    pub fn settle_values(&self, prepared: &mut Prepared, settle: Option<Settle>, tried: Tried) -> GlobalValues {
        let heap = self.world.heap();
        if let (Some(settle), Some(migration)) = (settle, &prepared.migration) {
            prepared.report.notices.extend(settle.finish(migration, heap));
        }
        self.exchange_values(tried.resets)
    }

    /// Puts back what initial values have replaced, and gives those up.
    pub(super) fn put_back_values(&self, prepared: &Prepared, replaced: GlobalValues) {
        let initial = self.exchange_values(replaced);
        self.give_up_values(prepared, initial);
    }

    /// Gives these values to their globals, and gives what those had.
    fn exchange_values(&self, values: GlobalValues) -> GlobalValues {
        let linkage = self.linkage();
        let exchange = |(path, bytes): (ItemPath, Vec<u8>)| Some((path, linkage.global(path)?.exchange(&bytes)));
        values.into_iter().filter_map(exchange).collect()
    }

    /// Gives up values of globals, of the types that these have in the prepared version.
    pub(super) fn give_up_values(&self, prepared: &Prepared, values: GlobalValues) {
        let checked = &prepared.snapshot.checked;
        let shape = |ty: Ty| shape(ty, checked, &*prepared.layouts);
        for (path, mut bytes) in values {
            if let Some(global) = checked.globals.get(&path) {
                let _ = self.world.heap().clear_global(bytes.as_mut_ptr() as usize, global.ty, &shape);
            }
        }
    }
}

/// What becomes of a commit that a trial has turned down. If only a word pins a value, it is tried again for a while, with
/// the report as it was.
pub(super) fn wait_for_pin(prepared: &mut Prepared, report: Option<Report>) -> Attempt {
    let (Some(report), Some(by)) = (report, prepared.pins.by.take()) else { return Attempt::TurnedDown };
    let since = *prepared.pins.since.get_or_insert_with(Instant::now);
    // The thread that asks for the reload lets go of nothing while it waits.
    if prepared.asked_inside || since.elapsed() > LONGEST_PIN {
        return Attempt::TurnedDown;
    }
    prepared.report = report;
    let until = format!("it lets go of that, or after {} s: then the save is refused", LONGEST_PIN.as_secs());
    Attempt::NotYet { what: by, until, by: Vec::new() }
}

/// The ways in which a frame may go on in the new version, one for each loop it may come to.
fn ahead(prepared: &Prepared, standing: &Standing) -> Vec<Transfer> {
    let of = (standing.unit, standing.function);
    let followers = prepared.moves.followers.iter();
    let its = followers.filter(|follower| (follower.from.as_ptr() as usize, follower.function) == of);
    its.map(|follower| follower.transfer.clone()).collect()
}

/// How a frame goes on in the new version, if it does.
pub(super) fn going(
    prepared: &Prepared,
    stopped: &Stopped<'_>,
    frame: &StoppedFrame<'_>,
    meta: &FunctionMeta,
) -> Option<Going> {
    let standing = Standing::of(frame);
    let number = standing.in_loop(meta)?;
    let follower = prepared.moves.followers.iter().find(|follower| {
        let from = (follower.from.as_ptr() as usize, follower.function);
        from == (standing.unit, standing.function) && follower.number == number
    })?;
    let state = meta.frame.loops.iter().find(|state| state.number == number)?;
    Some(Going {
        values: state.values.clone(),
        spill: frame.spill,
        transfer: follower.transfer.clone(),
        data_end: stopped.data_end(frame.thread),
    })
}

/// Completes the outcomes of edits of types with how many values there are.
fn note_instances(report: &mut Report, instances: Vec<(Ty, u64)>) {
    let is_type = |edit: &&mut Edit| matches!(edit.kind, "struct" | "enum");
    for edit in report.edits.iter_mut().filter(is_type) {
        if let Outcome::Migrated { instances: count } = &mut edit.outcome {
            let found = instances.iter().filter(|(ty, _)| name_of(*ty) == edit.name);
            *count = found.map(|(_, times)| *times).sum();
        }
    }
}

/// Says of an edit that it cannot be, and of the others that they are held back by it.
fn deny(prepared: &mut Prepared, denied: Denied) {
    let Denied { name, why, help, .. } = denied;
    let outcome = Outcome::Refused { why, help };
    let report = &mut prepared.report;
    let is_called = |edit: &Edit| edit.name == name;
    let found = report.edits.iter().position(|edit| is_called(edit) && edit.kind != "function");
    if let Some(place) = found.or_else(|| report.edits.iter().position(is_called)) {
        report.edits[place].outcome = outcome;
    } else {
        let checked = &prepared.snapshot.checked;
        let is_called = |ty: &Ty| name_of(*ty) == name;
        let kinds = [("struct", checked.structs.keys().any(is_called)), ("enum", checked.enums.keys().any(is_called))];
        let kind = kinds.into_iter().find_map(|(kind, is_it)| is_it.then_some(kind)).unwrap_or("global");
        report.edits.push(Edit { kind, name, change: "changed", outcome, at: None });
    }
    report.hold_back();
}
