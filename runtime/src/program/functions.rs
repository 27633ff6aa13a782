//! Function values that keep their code when the function they were made of is gone, or takes something else now.

mod given_up;
mod told;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::resume::CarryHome;
use vaisjit_semantics::program::{FieldDef, Global};
use vaisjit_semantics::{Checked, ItemPath, Ty, TyKind};

use super::ProgramInner;
use super::trial::going;
use crate::code::{GlobalMemory, Slot, Step, Stopped, StoppedFrame};
use crate::heap::{Holder, TypeRef};
use crate::linkage::Answer;
use crate::live::FunctionMeta;
use crate::reload::left::{Left, all_left, unfit};
use crate::reload::migrate::Going;
use crate::reload::prepare::Prepared;
use crate::reload::replace::Standing;
use crate::shapes::AllShapes;

/// Values outside the heap: where they lie, and their types.
type Roots = Vec<(usize, TypeRef)>;

/// What the frames on the stacks hold.
#[derive(Default)]
struct Held {
    /// What frames that go on in new code take along.
    kept: Vec<(usize, Ty)>,
    /// What they give up.
    given_up: Roots,
    /// The frames that go on, and their blocks.
    goes: (HashMap<usize, Vec<usize>>, HashSet<usize>),
    /// The functions of the other frames, if they may hold function values.
    stays: BTreeMap<usize, String>,
    /// The thread of every frame.
    threads: HashMap<usize, usize>,
}

/// The values that decide themselves what code runs, whatever the text says now.
#[derive(Default)]
struct Values {
    /// How many function values name each slot.
    functions: FxHashMap<usize, usize>,
    /// What the values behind `dyn`s answer with.
    answers: Vec<Answer>,
}

impl Values {
    /// How many function values name a slot.
    fn functions(&self, slot: &Slot) -> usize {
        self.functions.get(&slot.address()).copied().unwrap_or(0)
    }

    /// The values behind `dyn`s that run what is in a slot when the new version calls them.
    fn answers(&self, slot: &Slot) -> impl Iterator<Item = &Answer> {
        let slot = slot.address();
        self.answers.iter().filter(move |answer| answer.is_called && answer.slot == slot)
    }

    /// Does any value lead to a slot, called by the new version or not?
    fn lead_to(&self, slot: &Slot) -> bool {
        self.functions(slot) > 0 || self.answers.iter().any(|answer| answer.slot == slot.address())
    }
}

/// Functions that keep code which does what the new types do not allow.
#[derive(Default)]
pub(super) struct Suspects {
    /// What it does, and a running function that may hold a value of it.
    unfit: Vec<(Arc<Left>, String, Option<String>)>,
    /// The function values that name their slots.
    seats: Vec<(usize, Seat)>,
    /// What a report says of the values that keep their code, if they may.
    pub told: Vec<String>,
}

impl Suspects {
    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.unfit.is_empty()
    }
}

/// Where a function value lies.
enum Seat {
    /// In a global: the address.
    Global(ItemPath, usize),
    /// In a block of the heap: that, and the address.
    Block(usize, usize),
    /// In a frame that goes on.
    Frame,
}

impl ProgramInner {
    /// Counts the values that keep code which no new one will run. Gives the functions whose code does what the new types do not
    /// allow.
    pub(super) fn count_functions(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Suspects {
        (prepared.emptied, prepared.given_up) = (Vec::new(), Vec::new());
        let live = self.live();
        let unfit = unfit(prepared, &live);
        if prepared.left_functions.is_empty() && unfit.is_empty() {
            return Suspects::default();
        }
        let left = all_left(prepared, &live);
        drop(live);
        let held = self.held(prepared, stopped);
        let slots: FxHashSet<usize> = unfit.iter().map(|(left, _)| left.slot.address()).collect();
        let (functions, seats) = self.function_values(&held, &slots, stopped);
        let answers = self.answers(prepared, &|_| true, stopped);
        let values = Values { functions, answers };
        let parked: FxHashSet<usize> = self.world.heap().attic().slots().collect();
        let called = self.has_old_frames(prepared, stopped);
        let has_values = |left: &Left| values.lead_to(&left.slot) || parked.contains(&left.slot.address());
        let is_wanted = |left: &Arc<Left>| called || has_values(left);
        prepared.still_left = Some(left.into_iter().filter(is_wanted).collect());
        let told = told::left(prepared, &values, |slot| holders(&held, slot.address(), stopped));
        let holder = |left: &Left| holders(&held, left.slot.address(), stopped).pop_first();
        let unfit = unfit.into_iter().map(|(left, what)| (left.clone(), what, holder(&left)));
        // One that only frames in old code may call has no values to be judged.
        let is_new =
            |left: &Left| prepared.left_functions.iter().any(|(_, slot)| slot.address() == left.slot.address());
        let unfit = unfit.filter(|(left, _, holder)| holder.is_some() || has_values(left) || is_new(left)).collect();
        Suspects { unfit, seats, told }
    }

    /// Does a frame stay in old code for a while, which may call what only old code calls any more?
    fn has_old_frames(&self, prepared: &Prepared, stopped: &Stopped<'_>) -> bool {
        let (live, mut found) = (self.live(), false);
        stopped.walk(|frame| {
            let standing = Standing::of(frame);
            let Some(meta) = standing.meta(&live).filter(|_| !found) else { return };
            let is_old = prepared.replaces(meta.instance) || live.is_behind(standing.unit, meta.instance);
            found = is_old && !(frame.polls && going(prepared, stopped, frame, meta).is_some());
        });
        found
    }

    /// The methods that values behind `dyn`s answer with in the new version, those in some cells.
    fn answers(&self, prepared: &Prepared, counts: &dyn Fn(usize) -> bool, stopped: &Stopped<'_>) -> Vec<Answer> {
        let linkage = self.linkage();
        let mut values: FxHashMap<usize, usize> = FxHashMap::default();
        for (_, table) in linkage.heap().memory(stopped).cells().filter(|(cell, _)| counts(*cell)) {
            *values.entry(table).or_default() += 1;
        }
        linkage.answers((&prepared.snapshot.checked, &*prepared.layouts), &prepared.tables, &values)
    }

    /// How many function values in globals, on the heap and in frames that go on name each slot, and where those lie that name
    /// some of these.
    fn function_values(
        &self,
        held: &Held,
        slots: &FxHashSet<usize>,
        stopped: &Stopped<'_>,
    ) -> (FxHashMap<usize, usize>, Vec<(usize, Seat)>) {
        let (live, linkage) = (self.live(), self.linkage());
        let memory = self.world.heap().memory(stopped);
        let shapes = AllShapes::of(&live);
        let record = |ty: Ty| memory.record(ty, &|ty| shapes.get(ty));
        let fits = |ty: Ty, place: &GlobalMemory| shapes.get(ty).layout.size as usize <= place.size();
        let root = |(path, global): (&ItemPath, &Global)| {
            let place = linkage.global(*path).filter(|place| fits(global.ty, place))?;
            Some((*path, (place.address(), record(global.ty))))
        };
        let (paths, mut roots): (Vec<ItemPath>, Roots) = live.globals.iter().filter_map(root).unzip();
        roots.extend(held.kept.iter().map(|(at, ty)| (*at, record(*ty))));
        let given_up = memory.last_closures(&held.given_up);
        let (mut counts, mut seats) = (FxHashMap::default(), Vec::new());
        memory.functions(&roots, &mut |holder, slot| {
            let seat = match holder {
                Holder::Block(block, _) if given_up.contains(&block) => return,
                Holder::Block(block, place) => Seat::Block(block, place),
                Holder::Root(number, place) => paths.get(number).map_or(Seat::Frame, |path| Seat::Global(*path, place)),
            };
            *counts.entry(slot).or_default() += 1;
            seats.extend(slots.contains(&slot).then_some((slot, seat)));
        });
        (counts, seats)
    }

    fn held(&self, prepared: &Prepared, stopped: &Stopped<'_>) -> Held {
        let live = self.live();
        let mut held = Held::default();
        stopped.walk(|frame| {
            let Some(meta) = Standing::of(frame).meta(&live) else { return };
            held.threads.insert(frame.frame_pointer, frame.thread);
            match going(prepared, stopped, frame, meta).filter(|_| frame.polls) {
                Some(going) => held.add_going(frame, &going),
                None if may_hold(meta, &live.checked) => _ = held.stays.insert(frame.frame_pointer, meta.name()),
                None => {}
            }
        });
        held
    }
}

impl Held {
    /// Looks at what a frame hands over at the poll it stands at.
    fn add_going(&mut self, frame: &StoppedFrame<'_>, going: &Going) {
        let block = frame.block.map(|block| block.address);
        let place = |home: CarryHome| match home {
            CarryHome::Word(offset) => Some(going.spill + offset as usize).filter(|_| going.spill != 0),
            CarryHome::Block(offset) => block.map(|block| block + offset as usize),
        };
        let given_up = going.transfer.steps.iter().filter_map(|step| match step {
            Step::Release { from, of } => Some((*from, *of)),
            _ => None,
        });
        let given_up: Vec<(CarryHome, TypeRef)> = given_up.collect();
        let is_kept = |home: CarryHome| given_up.iter().all(|(from, _)| *from != home);
        let kept = going.values.iter().filter(|value| is_kept(value.home));
        self.kept.extend(kept.filter_map(|value| Some((place(value.home)?, value.ty))));
        self.given_up.extend(given_up.iter().filter_map(|(from, of)| Some((place(*from)?, *of))));
        self.goes.0.insert(frame.frame_pointer, Vec::new());
        self.goes.1.extend(block);
    }
}

/// Is there a local that may name a function?
fn may_hold(meta: &FunctionMeta, checked: &Checked) -> bool {
    meta.body.locals.values().any(|local| names_functions(local.ty, checked))
}

/// Is it a function value, or has it parts that are? What blocks of the heap hold is counted.
fn names_functions(ty: Ty, checked: &Checked) -> bool {
    let names = |ty: Ty| names_functions(ty, checked);
    let field = |field: &FieldDef| names(field.ty);
    match *ty.kind() {
        TyKind::Function(..) => true,
        TyKind::Tuple(parts) => parts.iter().any(|part| names(*part)),
        TyKind::Array(of, _) => names(of),
        TyKind::Struct(..) => checked.structs.get(&ty).is_some_and(|def| def.fields.iter().any(field)),
        TyKind::Enum(..) => {
            let variants = checked.enums.get(&ty).into_iter().flat_map(|def| &def.variants);
            variants.flat_map(|variant| &variant.fields).any(field)
        }
        _ => false,
    }
}

/// The functions with a frame that stays in old code and in which the address of a slot is found. It may be one that is not
/// wanted any more.
fn holders(held: &Held, slot: usize, stopped: &Stopped<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if held.stays.is_empty() {
        return found;
    }
    stopped.words(&held.goes.1, &held.goes.0, |seen| {
        if seen.word == slot {
            // What a frame has saved may be its callers'.
            let thread = |frame: &usize| held.threads.get(frame);
            let of = seen.owner;
            let mut around = held.stays.range(of..).filter(|(at, _)| thread(at) == thread(&of));
            found.extend(around.next().map(|(_, name)| name.clone()));
        }
    });
    found
}
