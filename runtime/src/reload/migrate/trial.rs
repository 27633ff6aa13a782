//! Trial and commit of a migration, while all threads of the program are stopped.

mod ended;
mod kept;
mod refusals;
pub(crate) mod waiting;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::clif::frame::{FrameLayout, FrameLocal};
use vaisjit_codegen::resume::{CarriedValue, CarryHome};
use vaisjit_semantics::{Instance, ItemPath, Ty};

use self::kept::{Kept, Merge};
pub(super) use self::refusals::out_of_memory;
pub(crate) use self::refusals::{computing, failed, sees_old};
use super::aside::{self, called};
use super::boxes::boxed;
use super::defaults::Wanted;
use super::moves::{Moves, Search};
use super::notes::Note;
use super::offsets::lies_at;
use super::own::{self, Written};
use super::plan::Planner;
use super::{Aside, Migration};
use crate::code::{Beside, Computed, GlobalMemory, Grown, Step, Stopped, Transfer};
use crate::fault;
use crate::heap::migrate::{Area, Conversion, Counted, Lookup, MapChange, Queue, Rebuilt, Region, Role, Stores};
use crate::heap::{EntryPlaces, Heap};
use crate::linkage::Linkage;
use crate::reload::admissible::ReleasedWhole;

/// A frame of a running function.
pub(crate) struct Local {
    /// Its thread.
    pub thread: usize,
    /// Its frame pointer.
    pub frame_pointer: usize,
    /// Where its block on the data stack starts, if it has one.
    pub address: Option<usize>,
    /// What lies in it.
    pub frame: Arc<FrameLayout>,
    /// The function.
    pub function: String,
    /// The numbers of the locals that hold values now; all of them if that is not known.
    pub live: Option<FxHashSet<u32>>,
    /// How it goes on in other code at once, if it does.
    pub going: Option<Going>,
    /// Locals that lie outside the block because it has no room for them, by offset.
    pub grown: Vec<(u32, usize)>,
    /// How it may go on in other code, whatever loop it comes to.
    pub ahead: Vec<Transfer>,
    /// Its unit and function.
    pub of: (usize, usize),
    /// The numbers of the locals that its code releases by what the heap knows of their types.
    pub released_whole: ReleasedWhole,
    /// Is its code that of the new version, too?
    pub is_current: bool,
    /// The types of the words it keeps beyond the call it waits in that may be addresses, if that is known.
    pub kept_words: Option<Arc<[Ty]>>,
}

/// How a frame goes on in other code at the poll of the loop it is in.
pub(crate) struct Going {
    /// What the poll hands over.
    pub values: Vec<CarriedValue>,
    /// Where the words of that lie; 0 if the frame has not come to the poll yet.
    pub spill: usize,
    /// Where the values go.
    pub transfer: Transfer,
    /// Where the data stack ends.
    pub data_end: usize,
}

impl Going {
    /// Is this local among what goes on?
    fn takes(&self, local: &FrameLocal) -> bool {
        self.values.iter().any(|value| value.home == CarryHome::Block(local.offset))
    }

    /// Is what lies there given up on the way?
    fn gives_up(&self, home: CarryHome) -> bool {
        self.transfer.steps.iter().any(|step| matches!(step, Step::Release { from, .. } if *from == home))
    }

    /// The offset that the bytes at a place get in the new block.
    fn after(&self, place: u32) -> Option<u32> {
        self.transfer.steps.iter().find_map(|step| match step {
            Step::Copy { from: CarryHome::Block(from), to: CarryHome::Block(to), .. } if *from == place => Some(*to),
            _ => None,
        })
    }
}

impl Local {
    /// Where a local of the frame lies.
    pub(super) fn place(&self, local: &FrameLocal) -> Option<usize> {
        let grown = self.grown.iter().find(|(offset, _)| *offset == local.offset);
        grown.map(|(_, at)| *at).or_else(|| Some(self.address? + local.offset as usize))
    }

    pub(super) fn holds(&self, local: &FrameLocal) -> bool {
        match &self.going {
            Some(going) if going.spill != 0 => going.takes(local),
            _ => self.live.as_ref().is_none_or(|live| live.contains(&local.local)),
        }
    }

    /// Does the code that it goes on in, if it does, take over what lies there?
    pub(super) fn carries(&self, home: CarryHome) -> bool {
        let stays = |going: &Going| matches!(home, CarryHome::Block(at) if !going.transfer.left.contains(&at));
        let takes_it = |going: &Going| {
            stays(going) || !going.transfer.whole.is_empty() || going.transfer.steps.iter().any(|step| step.takes(home))
        };
        self.going.as_ref().is_none_or(takes_it)
    }

    /// How people call a local.
    pub(super) fn name(&self, local: &FrameLocal) -> String {
        match local.name.filter(|name| !name.starts_with('{')) {
            Some(name) => format!("local `{name}` of `{}`", self.function),
            None => format!("a value without a name in `{}`", self.function),
        }
    }
}

/// Why a reload cannot be, and what the author can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    /// The type or variable at fault.
    pub name: String,
    /// Why, in a sentence.
    pub why: String,
    /// The way out.
    pub help: String,
    /// What holds the address of a value that has to move, where nobody knows its type. It may be gone soon.
    pub pinned_by: Option<String>,
}

/// Everything that the commit of a migration needs.
#[derive(Default)]
pub(crate) struct Trial {
    pub(super) regions: Vec<Region>,
    rehash: Vec<usize>,
    /// Maps whose entries go elsewhere: the map, where they lie, where they go.
    entries: Vec<(usize, usize, usize)>,
    pub(super) queues: Vec<Queue>,
    counts: Vec<u64>,
    /// How often values give way to others, by note.
    given_way: Vec<u64>,
    locals: Vec<String>,
    /// Values that functions of the program migrate.
    pub(super) written: Vec<Written>,
    /// Counted blocks that go elsewhere: from, to, and the region of the value in them.
    blocks: Vec<(usize, usize, usize)>,
    /// What lies beside the blocks of running functions: thread, frame, and the values.
    grown: Vec<(usize, usize, Option<Grown>)>,
    /// Defaults in there that have to be computed: the number of the frame, and what.
    computed: Vec<(usize, Computed)>,
    /// Those that have been: their addresses and types.
    lent: Vec<(usize, Ty)>,
    /// Words that code which stays as it is releases, in locals whose references else belong to somebody else: the number of
    /// the region, where in it, and the type.
    known: Vec<(usize, u32, Ty)>,
    /// Locals that have been put together there: addresses in the new shape, and types.
    together: Vec<(usize, Ty)>,
    /// Locals that a function of the program would migrate, but whose values nobody has: what a report says of them.
    not_given: Vec<String>,
    /// Where regions are looked for, if not where they are put first.
    seen: FxHashMap<usize, Option<usize>>,
    moves: Moves,
    /// Typed memory outside the heap, after the commit; and values that are kept aside.
    roots: Vec<Area>,
    aside: Vec<Area>,
    /// Containers that are made anew.
    rebuilt: Rebuilt,
    /// Is no thread in the program?
    is_idle: bool,
    /// Does `main` run, so that it can be started again?
    main_runs: bool,
    /// Values of globals that are kept aside from now on.
    kept: Vec<Kept>,
    /// Values of globals that come over those that were.
    merges: Vec<Merge>,
    /// Values kept aside that are given up: where they lie, and their types.
    dropped: Vec<(usize, Ty)>,
    /// Globals that are not what a value kept aside had become, where that loses something; with its type.
    changed: Vec<(ItemPath, Ty)>,
    /// Values that cannot be kept aside, or not any more.
    lost: Vec<(ItemPath, Ty)>,
}

/// Calls a function without parameters that gives a value of this type.
pub(crate) type CallOf<'a> = dyn FnMut(Instance, Ty) -> Result<Vec<u8>, String> + 'a;

impl Migration {
    /// Finds and counts all values that change, and prepares what needs memory. Changes nothing that can be seen; what it
    /// has made is given back by [`Migration::undo`].
    pub fn try_out(
        &mut self,
        linkage: &Linkage,
        moving: &[(ItemPath, GlobalMemory)],
        locals: &[Local],
        stopped: &Stopped<'_>,
    ) -> Result<Trial, Box<(Trial, Denied)>> {
        let main_runs = locals.iter().any(|local| local.function == "main");
        let mut trial = Trial { is_idle: !stopped.is_active(), main_runs, ..Trial::default() };
        let heap = linkage.heap().clone();
        match self.steps(linkage, &heap, moving, (locals, stopped), &mut trial) {
            Ok(()) => Ok(trial),
            Err(denied) => Err(Box::new((trial, denied))),
        }
    }

    fn steps(
        &mut self,
        linkage: &Linkage,
        heap: &Heap,
        moving: &[(ItemPath, GlobalMemory)],
        (locals, stopped): (&[Local], &Stopped<'_>),
        trial: &mut Trial,
    ) -> Result<(), Denied> {
        fault::point()?;
        self.find_globals(linkage, moving, trial);
        self.find_kept(linkage, moving, trial)?;
        self.find_locals(heap, locals, stopped, trial)?;
        let planner = &mut self.planner;
        let mut conversion = |ty: Ty| {
            let found = planner.conversion(ty, ty, &ty.to_string()).ok().flatten()?;
            Some((found, planner.conversions[found].in_place))
        };
        let found = heap.changing(&mut conversion);
        trial.regions.extend(found.regions);
        for map in &found.maps {
            fault::point()?;
            self.lay_out_map(heap, map, trial)?;
        }
        trial.rehash = found.rehash;
        fault::point()?;
        let mut counted = Counted::default();
        {
            let attic = heap.attic();
            let lookup = Lookup { attic: &attic, batches: &self.planner.batches, heap };
            for (number, region) in trial.regions.iter().enumerate() {
                counted.region(&self.planner.conversions[region.conversion], region, number, &lookup);
            }
            self.count_merges(trial, &mut counted, &lookup);
            self.find_own(trial, &mut counted, &lookup);
            counted.containers(heap, &self.planner.rebuilds, &lookup);
        }
        if let Some((region, found)) = self.in_use(linkage, trial, locals, &counted.found) {
            return Err(self.must_not_be(linkage, trial, *region, found));
        }
        trial.counts = std::mem::take(&mut counted.counts);
        trial.given_way = std::mem::take(&mut counted.given_way);
        fault::point()?;
        for key in &counted.rebuilt {
            fault::point()?;
            let rebuild = &self.planner.rebuilds[key.1 as usize];
            trial.rebuilt.make(heap, rebuild, *key).ok_or_else(|| out_of_memory(rebuild.types.1))?;
        }
        self.make_room(heap, trial)?;
        fault::point()?;
        self.look_for_words((linkage, heap, moving), (locals, stopped), trial)?;
        self.place_own(trial);
        fault::point()?;
        self.make_empties(heap, &counted.wanted, trial)
    }

    fn find_globals(&self, linkage: &Linkage, moving: &[(ItemPath, GlobalMemory)], trial: &mut Trial) {
        for (number, global) in self.globals.iter().enumerate() {
            let size = self.planner.conversions[global.conversion].from_size;
            let Some(memory) = linkage.global(global.path) else { continue };
            let mut region = Region::new(memory.address(), 1, size, global.conversion, Role::Global(number));
            let new = moving.iter().find(|(path, _)| *path == global.path);
            region.to = new.map(|(_, memory)| memory.address());
            trial.regions.push(region);
        }
    }

    fn find_locals(
        &mut self,
        heap: &Heap,
        locals: &[Local],
        stopped: &Stopped<'_>,
        trial: &mut Trial,
    ) -> Result<(), Denied> {
        for local in locals {
            let mut grown = Grown::new(local.of, local.ahead.iter());
            let variables = local.frame.locals.iter().filter(|variable| local.holds(variable));
            for variable in variables {
                if !self.has_ended(heap, local, variable) {
                    self.find_local(local, variable, &grown, trial)?;
                }
            }
            self.find_whole(local, &mut grown, stopped, trial);
            if !grown.is_empty() || !local.grown.is_empty() {
                let grown = Some(grown).filter(|grown| !grown.is_empty());
                let mut computed: Vec<Computed> = Vec::new();
                for one in local.ahead.iter().flat_map(|transfer| &transfer.computed) {
                    if !computed.iter().any(|known| known.key == one.key) {
                        computed.push(*one);
                    }
                }
                let number = trial.grown.len();
                trial.computed.extend(computed.into_iter().map(|one| (number, one)));
                trial.grown.push((local.thread, local.frame_pointer, grown));
            }
        }
        Ok(())
    }

    /// Locals in parts that functions of the program migrate: at a poll they are put together.
    fn find_whole(&mut self, local: &Local, grown: &mut Grown, stopped: &Stopped<'_>, trial: &mut Trial) {
        let Some(going) = &local.going else { return };
        let polls = going.spill != 0;
        grown.together = polls && !going.transfer.whole.is_empty();
        for whole in &going.transfer.whole {
            let places = if polls { stopped.put_together(grown, whole, (going.spill, local.address)) } else { None };
            let Some((at, to)) = places else {
                trial.not_given.push(match &whole.by {
                    Some(by) => format!(
                        "`{}` in the running `{}` is not given to `{by}`, as its fields lie in registers where it asks for \
                         the reload: they are carried over by name",
                        whole.key.name, local.function
                    ),
                    None => format!(
                        "`{}` in the running `{}` lies in registers where it asks for the reload: of fields with other \
                         types only numbers are converted, the others take their defaults",
                        whole.key.name, local.function
                    ),
                });
                continue;
            };
            let found = self.planner.conversion(whole.ty, whole.ty, &whole.ty.to_string()).ok().flatten();
            let size = self.planner.old.size(whole.ty);
            let conversion = found.unwrap_or_else(|| self.planner.identity(size));
            trial.locals.push(format!("local `{}` of `{}`", whole.key.name, local.function));
            let role = Role::Local(trial.locals.len() - 1);
            let mut region = Region::new(at, 1, size, conversion, role);
            // The frame owns what it has handed over until it goes on.
            (region.to, region.loan) = (Some(to), true);
            trial.together.push((to, whole.ty));
            trial.regions.push(region);
        }
    }

    /// What a report says of locals that no function of the program has been given.
    pub fn not_given(&self, trial: &Trial) -> Vec<String> {
        let mut remarks = trial.not_given.clone();
        remarks.sort();
        remarks.dedup();
        remarks
    }

    fn find_local(
        &mut self,
        local: &Local,
        variable: &FrameLocal,
        grown: &Grown,
        trial: &mut Trial,
    ) -> Result<(), Denied> {
        let (ty, Some(at)) = (variable.ty, local.place(variable)) else { return Ok(()) };
        let beside = Beside::Local(variable.offset);
        let place = grown.address(beside);
        let returns = local.grown.iter().any(|(offset, _)| *offset == variable.offset) && place.is_none();
        let found = self.planner.conversion(ty, ty, &ty.to_string()).ok().flatten();
        let conversion = match found {
            Some(conversion) => conversion,
            None if place.is_some() || returns => self.planner.identity(self.planner.old.size(ty)),
            None => return Ok(()),
        };
        trial.locals.push(local.name(variable));
        let (role, number) = (Role::Local(trial.locals.len() - 1), trial.regions.len());
        let Conversion { from_size, to_size, .. } = self.planner.conversions[conversion];
        let mut region = Region::new(at, 1, from_size, conversion, role);
        // What has held nothing counted is released by nobody, unless code that is right for the new version gives it away.
        // Nor is what code that stays as it is does not know of: it releases the parts that it knows, whatever becomes of
        // the others.
        let stays = local.going.is_none() && local.ahead.is_empty();
        let here = local.released_whole.here.contains(&variable.local);
        let elsewhere = local.released_whole.elsewhere.contains(&variable.local);
        let ends_old = stays && !here && !elsewhere;
        let given_away = stays && elsewhere && local.is_current;
        let counts = here || given_away || !self.planner.references_before(ty).is_empty();
        region.loan = variable.loan || ends_old || !counts;
        if ends_old && !variable.loan {
            let planner = &self.planner;
            let lies = |(offset, word): &&(u32, Ty)| {
                [&planner.old, &planner.new].into_iter().all(|known| lies_at(known, ty, *offset, *word))
            };
            let words = variable.released.iter().filter(lies);
            trial.known.extend(words.map(|(offset, word)| (number, *offset, *word)));
        }
        let block = local.address.unwrap_or_default();
        if let (Some(place), Some(going)) = (place, &local.going) {
            region.to = Some(place);
            let now = going.transfer.place(beside).and_then(|at| going.after(at)).map(|offset| block + offset as usize);
            trial.seen.insert(number, now.filter(|_| going.spill != 0 && local.grown.is_empty()));
            if block + going.transfer.block as usize > going.data_end {
                trial.regions.push(region);
                return Err(self.grows(trial, number, 0));
            }
        } else if returns {
            if to_size > variable.size as usize {
                trial.regions.push(region);
                return Err(self.grows(trial, number, variable.size as usize));
            }
            region.to = Some(block + variable.offset as usize);
        }
        trial.regions.push(region);
        Ok(())
    }

    /// New memory for the entries of a map. Hashes, keys and values go there row by row.
    fn lay_out_map(&mut self, heap: &Heap, map: &MapChange, trial: &mut Trial) -> Result<(), Denied> {
        let (key, value) = map.parts;
        let new = EntryPlaces::of(self.planner.new.layout(key), self.planner.new.layout(value));
        let made = heap.new_entries(map.map, new.stride).ok_or_else(|| out_of_memory(map.ty))?;
        trial.entries.push((map.map, map.entries, made));
        let old = map.places;
        let sizes = (self.planner.old.size(key), self.planner.old.size(value));
        let mut same = |known: Option<usize>, size: usize| known.unwrap_or_else(|| self.planner.identity(size));
        let parts = [
            (same(None, 8), 0, 0),
            (same(map.conversions.0, sizes.0), old.key_offset, new.key_offset),
            (same(map.conversions.1, sizes.1), old.value_offset, new.value_offset),
        ];
        for (first, count) in &map.rows {
            for (conversion, from, to) in parts {
                let role = Role::Entries(map.map, map.ty);
                let at = map.entries + first * old.stride + from;
                let mut region = Region::new(at, *count, old.stride, conversion, role);
                region.to = Some(made + first * new.stride + to);
                region.to_stride = new.stride;
                trial.regions.push(region);
            }
        }
        Ok(())
    }

    /// New memory for what has another size now.
    fn make_room(&self, heap: &Heap, trial: &mut Trial) -> Result<(), Denied> {
        for number in 0..trial.regions.len() {
            let region = &trial.regions[number];
            let conversion = &self.planner.conversions[region.conversion];
            if conversion.in_place || region.at == 0 {
                continue;
            }
            match region.role {
                Role::Global(_) | Role::Entries(..) => {}
                Role::Elements(list, ty) => {
                    fault::point()?;
                    let made = heap.new_elements(list, conversion.to_size).ok_or_else(|| out_of_memory(ty))?;
                    let region = &mut trial.regions[number];
                    (region.to, region.to_stride) = (Some(made), conversion.to_size);
                }
                Role::Block(block, ty) if heap.room_behind(region.at) < conversion.to_size => {
                    let offset = region.at - block;
                    fault::point()?;
                    let made = heap.new_home(block, offset, conversion.to_size).ok_or_else(|| out_of_memory(ty))?;
                    trial.regions[number].to = Some(made + offset);
                    trial.blocks.push((block, made, number));
                }
                Role::Block(..) => {}
                Role::Local(_) if region.to.is_some() || self.fits_there(region) => {}
                Role::Local(_) => {
                    return Err(self.grows(trial, number, conversion.from_size));
                }
            }
        }
        Ok(())
    }

    /// May the new value lie where a local does? It has the same size, and starts at an address for its alignment.
    fn fits_there(&self, region: &Region) -> bool {
        let conversion = &self.planner.conversions[region.conversion];
        let align = self.planner.new.layout(conversion.types.1).align.max(1) as usize;
        conversion.to_size == conversion.from_size && region.at.is_multiple_of(align)
    }

    /// Every word that leads to what moves must be one whose type is known, so that the commit can put it right.
    fn look_for_words(
        &self,
        (linkage, heap, moving): (&Linkage, &Heap, &[(ItemPath, GlobalMemory)]),
        (locals, stopped): (&[Local], &Stopped<'_>),
        trial: &mut Trial,
    ) -> Result<(), Denied> {
        let is_used = |region: &Region| !self.is_kept(trial, region);
        let tables = linkage.behind_tables();
        let losing = Moves::losing(&self.planner, &trial.regions, &is_used, &trial.rebuilt, tables);
        if !losing.is_empty() {
            let roots = self.roots_now(linkage, locals, &|local, home| local.carries(home));
            let search = Search { planner: &self.planner, heap, stopped, locals, roots: &roots };
            search.check_lost(&losing, &|region, who| self.loses_part(linkage, trial, region, who))?;
        }
        let mut moves = Moves::new(&self.planner, &trial.regions, &trial.seen, linkage.behind_tables());
        trial.blocks.iter().for_each(|(from, to, region)| moves.add_block(*from, *to, *region));
        if moves.is_empty() {
            return Ok(());
        }
        let roots = self.roots_now(linkage, locals, &|_, _| true);
        let search = Search { planner: &self.planner, heap, stopped, locals, roots: &roots };
        let grows = |region: usize| self.grows(trial, region, self.room(heap, trial, region));
        search.check(&mut moves, &grows, &|region, who| self.loses_part(linkage, trial, region, who))?;
        trial.roots = self.roots_after(linkage, locals, trial);
        trial.aside = self.aside_after(linkage, moving, trial);
        trial.moves = moves;
        Ok(())
    }

    /// How many bytes there are for a value where it lies.
    fn room(&self, heap: &Heap, trial: &Trial, region: usize) -> usize {
        let region = &trial.regions[region];
        match region.role {
            Role::Block(..) => heap.room_behind(region.at),
            _ => self.planner.conversions[region.conversion].from_size,
        }
    }

    /// Typed memory outside the heap, and what people call it.
    fn roots_now(
        &self,
        linkage: &Linkage,
        locals: &[Local],
        counts: &dyn Fn(&Local, CarryHome) -> bool,
    ) -> Vec<(Area, String)> {
        let one = |at: usize, ty: Ty| Area { at, count: 1, stride: 0, ty, block: ty };
        let mut roots = Vec::new();
        // A pointer that is kept aside hinders nothing.
        let waits = |path: &ItemPath| aside::of_global(*path).is_some() && !self.gone.contains(path);
        for (path, ty, _) in self.roots.iter().filter(|(path, ..)| !waits(path)) {
            let memory = linkage.global(*path);
            roots.extend(memory.map(|memory| (one(memory.address(), *ty), format!("global `{}`", called(*path, *ty)))));
        }
        for local in locals {
            let holds =
                |variable: &&FrameLocal| local.holds(variable) && counts(local, CarryHome::Block(variable.offset));
            for variable in local.frame.locals.iter().filter(holds) {
                roots.extend(local.place(variable).map(|at| (one(at, variable.ty), local.name(variable))));
            }
            let spilled = spilled(local).filter(|(_, home, _)| counts(local, *home));
            roots.extend(spilled.map(|(at, _, ty)| (one(at, ty), format!("a local of `{}`", local.function))));
        }
        roots
    }

    /// The same after the commit.
    fn roots_after(&self, linkage: &Linkage, locals: &[Local], trial: &Trial) -> Vec<Area> {
        let one = |at: usize, ty: Ty| Area { at, count: 1, stride: 0, ty, block: ty };
        let moved: FxHashMap<usize, usize> =
            trial.regions.iter().filter_map(|region| Some((region.at, region.to?))).collect();
        let now = |at: usize| moved.get(&at).copied().unwrap_or(at);
        let memory = |(path, _, ty): &(ItemPath, Ty, Ty)| Some(one(now(linkage.global(*path)?.address()), *ty));
        let declared = self.roots.iter().filter(|(path, ..)| aside::of_global(*path).is_none());
        let mut roots: Vec<Area> = declared.filter_map(memory).collect();
        for local in locals {
            let variables = local.frame.locals.iter().filter(|variable| local.holds(variable));
            roots.extend(variables.filter_map(|variable| Some(one(now(local.place(variable)?), variable.ty))));
            roots.extend(spilled(local).map(|(at, _, ty)| one(at, ty)));
        }
        roots.extend(trial.together.iter().map(|(at, ty)| one(*at, *ty)));
        roots
    }

    /// What is kept aside after the commit.
    fn aside_after(&self, linkage: &Linkage, moving: &[(ItemPath, GlobalMemory)], trial: &Trial) -> Vec<Area> {
        let one = |at: usize, ty: Ty| Area { at, count: 1, stride: 0, ty, block: ty };
        let stays = |path: ItemPath| {
            let lost = trial.lost.iter().any(|(lost, _)| *lost == path);
            aside::of_global(path).is_some() && !self.gone.contains(&path) && !lost
        };
        let known = self.roots.iter().filter(|(path, ..)| stays(*path));
        let known = known.filter_map(|(path, _, ty)| Some(one(kept::now(linkage, moving, *path)?, *ty)));
        known.chain(trial.kept.iter().map(|kept| one(kept.memory().address(), kept.ty))).collect()
    }

    fn make_empties(&self, heap: &Heap, wanted: &[u64], trial: &mut Trial) -> Result<(), Denied> {
        trial.queues.resize_with(self.planner.queues.len(), Queue::default);
        for (number, queue) in self.planner.queues.iter().enumerate() {
            let Wanted::Empty(ty) = queue else { continue };
            let Some(record) = self.empties.get(ty) else { continue };
            let inside = boxed(*ty).map_or(0, |inner| self.planner.new.size(inner));
            for _ in 0..wanted.get(number).copied().unwrap_or(0) {
                fault::point()?;
                let made = heap.new_empty(*record, inside).ok_or_else(|| out_of_memory(*ty))?;
                trial.queues[number].bytes.extend(made.to_le_bytes());
            }
        }
        trial.wanted(wanted);
        Ok(())
    }

    /// Computes the defaults that are no constants, one for each value. Code of the new version runs.
    pub fn compute(&self, trial: &mut Trial, call: &mut CallOf<'_>) -> Result<(), Denied> {
        for (number, queue) in self.planner.queues.iter().enumerate() {
            let Wanted::Computed(instance, ty) = queue else { continue };
            for _ in 0..trial.queues[number].missing {
                fault::point()?;
                let bytes = call(*instance, *ty).map_err(|why| failed(&instance.path.name, &why))?;
                trial.queues[number].bytes.extend(bytes);
            }
        }
        self.compute_beside(trial, call)
    }

    /// The same for parts of locals that lie in registers. Whoever takes such a value over counts it once more.
    fn compute_beside(&self, trial: &mut Trial, call: &mut CallOf<'_>) -> Result<(), Denied> {
        for (index, computed) in trial.computed.clone() {
            let Some((_, _, Some(grown))) = trial.grown.get_mut(index) else { continue };
            let beside = Beside::Computed(computed.key);
            let Some(at) = grown.address(beside) else { continue };
            fault::point()?;
            let bytes = call(computed.by, computed.ty).map_err(|why| failed(&computed.by.path.name, &why))?;
            grown.put(beside, &bytes);
            trial.lent.push((at, computed.ty));
        }
        Ok(())
    }

    /// What the commit of a trial would tell of values that do not come over as they are.
    pub fn foresee_notes(&self, heap: &Heap, trial: &Trial) -> Vec<String> {
        let mut counted = Counted::noting();
        let attic = heap.attic();
        let lookup = Lookup { attic: &attic, batches: &self.planner.batches, heap };
        for (number, region) in trial.regions.iter().enumerate() {
            counted.region(&self.planner.conversions[region.conversion], region, number, &lookup);
        }
        self.count_merges(trial, &mut counted, &lookup);
        counted.containers(heap, &self.planner.rebuilds, &lookup);
        self.planner.told(&counted.notes.unwrap_or_default())
    }

    /// Gives back what a trial has made.
    pub fn undo(&self, heap: &Heap, trial: Trial) {
        for region in &trial.regions {
            if let (Role::Elements(..), Some(to)) = (region.role, region.to) {
                heap.drop_elements(to);
            }
        }
        Migration::undo_own(heap, trial.written);
        trial.blocks.iter().for_each(|(_, made, _)| heap.drop_block(*made));
        trial.rebuilt.undo(heap, &self.planner.rebuilds);
        trial.entries.iter().for_each(|(_, _, made)| heap.drop_elements(*made));
        let lent = trial.lent.iter().map(|(at, ty)| (*at, self.planner.references_after(*ty)));
        heap.release_all(lent.flat_map(|(at, references)| references.found(at)).collect());
        for (wanted, queue) in self.planner.queues.iter().zip(&trial.queues) {
            let (Wanted::Empty(ty) | Wanted::Computed(_, ty)) = wanted;
            heap.drop_values(queue.rest(), self.planner.new.layout(*ty).size, &self.planner.references_after(*ty));
        }
    }
}

/// The words that a poll hands over.
pub(super) fn spilled(local: &Local) -> impl Iterator<Item = (usize, CarryHome, Ty)> {
    local.going.iter().filter(|going| going.spill != 0).flat_map(|going| {
        going.values.iter().filter_map(|value| match value.home {
            CarryHome::Word(offset) => Some((going.spill + offset as usize, value.home, value.ty)),
            CarryHome::Block(_) => None,
        })
    })
}

impl Trial {
    fn wanted(&mut self, wanted: &[u64]) {
        for (queue, wanted) in self.queues.iter_mut().zip(wanted) {
            queue.missing = *wanted;
        }
    }

    /// Locals of running functions that their blocks have no room for, with thread and frame.
    pub fn take_grown(&mut self) -> Vec<(usize, usize, Option<Grown>)> {
        std::mem::take(&mut self.grown)
    }

    /// How many values of changed types there are, by type.
    pub fn instances(&self, migration: &Migration) -> Vec<(Ty, u64)> {
        let counted = migration.planner.counted.iter().copied();
        counted.zip(self.counts.iter().copied().chain(std::iter::repeat(0))).collect()
    }

    /// The blocks that code which stays as it is has to release, before or after the new values are stored.
    fn known_blocks(&self, planner: &Planner, after: bool) -> Vec<usize> {
        let blocks = |(number, offset, ty): &(usize, u32, Ty)| {
            let region = &self.regions[*number];
            let at = if after { region.to.unwrap_or(region.at) } else { region.at };
            let references = if after { planner.references_after(*ty) } else { planner.references_before(*ty) };
            references.found(at + *offset as usize)
        };
        self.known.iter().flat_map(blocks).collect()
    }

    /// Stores the new values; the first half, before the heap knows the new types.
    pub fn commit(mut self, migration: &mut Migration, heap: &Heap) -> Settle {
        migration.gone.extend(self.lost.iter().map(|(path, _)| *path));
        let planner = &migration.planner;
        planner.hold_kept(heap, &self.kept);
        let dropped: Vec<usize> =
            self.dropped.iter().flat_map(|(at, ty)| planner.references_before(*ty).found(*at)).collect();
        // Code releases what is in these words at its end, whatever that was before.
        let known_before = self.known_blocks(planner, false);
        let mut attic = heap.attic();
        let mut stores = Stores::new(&mut attic, &planner.batches, std::mem::take(&mut self.queues));
        stores.notes = std::mem::take(&mut self.given_way);
        if self.regions.iter().any(|region| region.loan) {
            stores.references = planner.queues.iter().map(|wanted| planner.references_after(wanted.ty())).collect();
        }
        let mut rebuilt = std::mem::take(&mut self.rebuilt);
        let (mut rehash, own_references): (Vec<usize>, Vec<usize>) =
            (rebuilt.maps(&planner.rebuilds).collect(), rebuilt.all().collect());
        rehash.append(&mut self.rehash);
        let rows = rebuilt.rows();
        stores.rebuilt = rebuilt;
        stores.fill(rows, &planner.rebuilds);
        for region in &self.regions {
            stores.region(&planner.conversions[region.conversion], region);
        }
        self.merges.iter().for_each(|merge| merge.apply(planner, &mut stores));
        planner.forgettable().for_each(|batch| stores.forget(batch));
        for (at, ty) in &self.lent {
            planner.references_after(*ty).found(*at).into_iter().for_each(|block| stores.attic.lend(block));
        }
        let (mut released, notes) = (std::mem::take(&mut stores.released), std::mem::take(&mut stores.notes));
        released.extend(own_references);
        released.extend(dropped);
        if self.is_idle {
            released.extend(attic.take_lent());
        }
        drop(attic);
        own::install(planner, heap, (std::mem::take(&mut self.written), &self.regions), &mut released);
        heap.hold_all(self.known_blocks(planner, true));
        released.extend(known_before);
        let mut left = Vec::new();
        for region in &self.regions {
            match (region.role, region.to) {
                (Role::Elements(list, _), Some(to)) => left.push(heap.move_elements(list, to)),
                (Role::Block(block, _), None) => {
                    heap.set_size(block, region.at, planner.conversions[region.conversion].to_size)
                }
                _ => {}
            }
        }
        left.extend(self.entries.iter().map(|(map, _, to)| heap.move_entries(*map, *to)));
        for (from, to, region) in &self.blocks {
            heap.move_block(*from, *to, self.regions[*region].at - from);
            left.push(*from);
        }
        released.iter_mut().for_each(|block| *block = self.moves.block(*block));
        let (moves, roots, notes) = (self.moves, (self.roots, self.aside), planner.told(&notes));
        let aside =
            Aside { kept: self.kept.into_iter().map(Kept::into_memory).collect(), gone: migration.gone.clone() };
        Settle { released, rehash, notes, left, moves, roots, aside }
    }
}

impl Planner {
    /// Sentences about what has happened so often.
    fn told(&self, notes: &[u64]) -> Vec<String> {
        let holders = |note: &Note| note.of.and_then(|of| self.holders.get(&of));
        self.notes.iter().zip(notes).filter_map(|(note, times)| note.text(*times, holders(note))).collect()
    }
}

/// The second half of a commit.
pub(crate) struct Settle {
    released: Vec<usize>,
    rehash: Vec<usize>,
    notes: Vec<String>,
    /// Blocks that values have left.
    left: Vec<usize>,
    moves: Moves,
    roots: (Vec<Area>, Vec<Area>),
    aside: Aside,
}

impl Settle {
    /// What happens to values that are kept aside.
    pub fn take_aside(&mut self) -> Aside {
        std::mem::take(&mut self.aside)
    }

    /// Once the heap knows the new types. Gives what a report tells of.
    pub fn finish(mut self, migration: &Migration, heap: &Heap) -> Vec<String> {
        // Blocks that are left are not looked at, and what they hold tells which variant a value was of.
        if !self.moves.is_empty() {
            self.moves.settle(&migration.planner, heap, (&self.roots.0, &self.roots.1));
        }
        self.left.iter().for_each(|block| heap.drop_block(*block));
        let dropped = heap.rehash_all(&self.rehash);
        if dropped > 0 {
            let entries = if dropped == 1 { "1 entry" } else { &format!("{dropped} entries") };
            let verb = if dropped == 1 { "is" } else { "are" };
            self.notes.push(format!("{entries} of a `HashMap` had the key of another one afterwards and {verb} gone"));
        }
        heap.release_all(self.released);
        self.notes
    }
}
