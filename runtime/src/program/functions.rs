//! Function values that keep their code when the function they were made of is gone, or takes something else now.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rustc_hash::FxHashMap;
use vaisjit_codegen::resume::CarryHome;
use vaisjit_semantics::program::{FieldDef, Global};
use vaisjit_semantics::{Checked, ItemPath, Ty, TyKind, owner_and_number};

use super::ProgramInner;
use super::trial::going;
use crate::code::{GlobalMemory, Step, Stopped, StoppedFrame};
use crate::heap::TypeRef;
use crate::live::FunctionMeta;
use crate::reload::left::{Left, all_left, unfit};
use crate::reload::migrate::{Denied, Going};
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

impl ProgramInner {
    /// Says how many function values keep code that no new one will run. There must be none whose code does what the new
    /// types do not allow.
    pub(super) fn count_functions(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Result<(), Denied> {
        let live = self.live();
        let unfit = unfit(prepared, &live);
        if prepared.left_functions.is_empty() && unfit.is_empty() {
            return Ok(());
        }
        let left = all_left(prepared, &live);
        drop(live);
        let held = self.held(prepared, stopped);
        let counts = self.function_values(&held, stopped);
        let count = |left: &Left| counts.get(&left.slot.address()).copied().unwrap_or(0);
        for (left, what) in &unfit {
            let holder = holders(&held, left.slot.address(), stopped).pop_first();
            if count(left) > 0 || holder.is_some() {
                return Err(denied(left, what, (count(left), holder), prepared));
            }
        }
        prepared.still_left = Some(left.into_iter().filter(|left| count(left) > 0).collect());
        for (function, slot) in &prepared.left_functions {
            let is_there = prepared.snapshot.checked.functions.contains_key(function);
            let (of, why) = match owner_and_number(*function) {
                Some((owner, _)) => {
                    let owner = owner.path.name.as_str().trim_start_matches("{init}");
                    (Err(owner), "what it captures or takes changed")
                }
                None => (Ok(function.path.name.as_str()), "its signature changed"),
            };
            let why = if is_there { why } else { "it is gone from the text" };
            if let Some(count) = counts.get(&slot.address()).filter(|count| **count > 0) {
                let keep = if *count == 1 { "keeps its" } else { "keep their" };
                let plural = if *count == 1 { "" } else { "s" };
                let what = match of {
                    Ok(name) => format!("function value{plural} of `{name}`"),
                    Err(owner) => format!("closure{plural} made in `{owner}`"),
                };
                prepared.report.notices.push(format!("{count} {what} {keep} old code: {why}"));
            }
            for holder in holders(&held, slot.address(), stopped) {
                let what = match of {
                    Ok(name) => format!("`{name}`"),
                    Err(owner) => format!("a closure made in `{owner}`"),
                };
                prepared
                    .report
                    .notices
                    .push(format!("`{holder}` is running and may hold {what}, with its old code: {why}"));
            }
        }
        Ok(())
    }

    /// How many function values in globals, on the heap and in frames that go on name each slot.
    fn function_values(&self, held: &Held, stopped: &Stopped<'_>) -> FxHashMap<usize, usize> {
        let (live, linkage) = (self.live(), self.linkage());
        let memory = self.world.heap().memory(stopped);
        let shapes = AllShapes::of(&live);
        let record = |ty: Ty| memory.record(ty, &|ty| shapes.get(ty));
        let fits = |ty: Ty, place: &GlobalMemory| shapes.get(ty).layout.size as usize <= place.size();
        let root = |(path, global): (&ItemPath, &Global)| {
            let place = linkage.global(*path).filter(|place| fits(global.ty, place))?;
            Some((place.address(), record(global.ty)))
        };
        let kept = held.kept.iter().map(|(at, ty)| (*at, record(*ty)));
        let mut counts = memory.functions(&live.globals.iter().filter_map(root).chain(kept).collect::<Roots>());
        for slot in memory.last_closures(&held.given_up) {
            counts.entry(slot).and_modify(|count| *count = count.saturating_sub(1));
        }
        counts
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

/// Values of a function would run code that is not right any more. What is only seen in a frame may be gone soon.
fn denied(left: &Left, what: &str, (count, holder): (usize, Option<String>), prepared: &Prepared) -> Denied {
    let first = |kinds: &[&str]| prepared.report.edits.iter().find(|edit| kinds.contains(&edit.kind));
    let edit = first(&["struct", "enum"]).or_else(|| first(&["global"]));
    let of = match owner_and_number(left.instance) {
        Some((owner, _)) => format!("a closure made in `{}`", owner.path.name.as_str().trim_start_matches("{init}")),
        None => format!("`{}`", left.instance.path.name),
    };
    let held = match (&holder, count) {
        (Some(holder), 0) => format!("`{holder}` is running and may hold {of} with its old code"),
        (_, 1) => format!("1 function value of {of} keeps its old code"),
        _ => format!("{count} function values of {of} keep their old code"),
    };
    Denied {
        name: edit.map_or_else(String::new, |edit| edit.name.clone()),
        why: format!("{held}, which {what} as it was"),
        help: format!("leave {of} as it is in this save, or let the program give up these values first"),
        pinned_by: holder.filter(|_| count == 0),
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
    stopped.words(&held.goes.1, &held.goes.0, |word, frame| {
        if word == slot {
            // What a frame has saved may be its callers'.
            let thread = |frame: &usize| held.threads.get(frame);
            let mut around = held.stays.range(frame..).filter(|(at, _)| thread(at) == thread(&frame));
            found.extend(around.next().map(|(_, name)| name.clone()));
        }
    });
    found
}
