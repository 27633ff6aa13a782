//! Function values that keep their code when the function they were made of is gone, or takes something else now.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rustc_hash::FxHashMap;
use vaisjit_codegen::resume::CarryHome;
use vaisjit_semantics::program::{FieldDef, Global};
use vaisjit_semantics::{Checked, Instance, ItemPath, Ty, TyKind, owner_and_number};

use super::ProgramInner;
use super::trial::going;
use crate::code::{GlobalMemory, Slot, Step, Stopped, StoppedFrame};
use crate::heap::TypeRef;
use crate::linkage::Answer;
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

/// The values that decide themselves what code runs, whatever the text says now.
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

impl ProgramInner {
    /// Says how many values keep code that no new one will run. There must be none whose code does what the new types do not
    /// allow.
    pub(super) fn count_functions(&self, prepared: &mut Prepared, stopped: &Stopped<'_>) -> Result<(), Denied> {
        let live = self.live();
        let unfit = unfit(prepared, &live);
        if prepared.left_functions.is_empty() && unfit.is_empty() {
            return Ok(());
        }
        let left = all_left(prepared, &live);
        drop(live);
        let held = self.held(prepared, stopped);
        let functions = self.function_values(&held, stopped);
        let values = Values { functions, answers: self.answers(prepared, stopped) };
        for (left, what) in &unfit {
            let holder = holders(&held, left.slot.address(), stopped).pop_first();
            if let Some(by) = found(left, &values, holder) {
                return Err(denied(left, what, by, prepared));
            }
        }
        prepared.still_left = Some(left.into_iter().filter(|left| values.lead_to(&left.slot)).collect());
        let told = told(prepared, &values, |slot| holders(&held, slot.address(), stopped));
        prepared.report.notices.extend(told);
        Ok(())
    }

    /// The methods that values behind `dyn`s answer with in the new version.
    fn answers(&self, prepared: &Prepared, stopped: &Stopped<'_>) -> Vec<Answer> {
        let linkage = self.linkage();
        let mut values: FxHashMap<usize, usize> = FxHashMap::default();
        for (_, table) in linkage.heap().memory(stopped).cells() {
            *values.entry(table).or_default() += 1;
        }
        linkage.answers((&prepared.snapshot.checked, &*prepared.layouts), &prepared.tables, &values)
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

/// What runs the old code of a function.
enum By {
    /// So many function values.
    Functions(usize),
    /// The values of a type behind a `dyn`.
    Values(Answer),
    /// Perhaps a function that is running. What is only seen in a frame may be gone soon.
    Frame(String),
}

fn found(left: &Left, values: &Values, holder: Option<String>) -> Option<By> {
    match (values.functions(&left.slot), values.answers(&left.slot).next()) {
        (1.., _) => Some(By::Functions(values.functions(&left.slot))),
        (_, Some(answer)) => Some(By::Values(answer.clone())),
        _ => holder.map(By::Frame),
    }
}

/// Code would run that is not right any more.
fn denied(left: &Left, what: &str, by: By, prepared: &Prepared) -> Denied {
    let first = |kinds: &[&str]| prepared.report.edits.iter().find(|edit| kinds.contains(&edit.kind));
    let edit = first(&["struct", "enum"]).or_else(|| first(&["global"]));
    let of = name(left.instance);
    let held = match &by {
        By::Frame(holder) => format!("`{holder}` is running and may hold {of} with its old code"),
        By::Functions(1) => format!("1 function value of {of} keeps its old code"),
        By::Functions(count) => format!("{count} function values of {of} keep their old code"),
        By::Values(answer) => format!("{} the old code of {of}", behind(answer, "keeps", "keep")),
    };
    let leaves_now = prepared.left_functions.iter().any(|(_, slot)| slot.address() == left.slot.address());
    let way = match (leaves_now, &by, edit) {
        (true, ..) => format!("leave {of} as it is in this save"),
        (false, By::Values(_), _) => format!("bring {of} back"),
        (false, _, Some(edit)) => format!("leave `{}` as it is", edit.name),
        (false, _, None) => "leave its types as they are".to_owned(),
    };
    Denied {
        name: edit.map_or_else(String::new, |edit| edit.name.clone()),
        why: format!("{held}, which {what} as it was"),
        help: format!("{way}, or let the program give up these values first"),
        pinned_by: if let By::Frame(holder) = by { Some(holder) } else { None },
    }
}

/// How people call a function: of closures the function they are made in.
fn name(instance: Instance) -> String {
    match owner_and_number(instance) {
        Some((owner, _)) => format!("a closure made in `{}`", owner.path.name.as_str().trim_start_matches("{init}")),
        None => format!("`{}`", instance.path.name),
    }
}

/// Values behind a `dyn`, and what they do.
fn behind(Answer { of_trait, of, values, .. }: &Answer, one: &str, more: &str) -> String {
    match values {
        1 => format!("1 value of `{of}` behind a `dyn {}` {one}", of_trait.name),
        _ => format!("{values} values of `{of}` behind a `dyn {}` {more}", of_trait.name),
    }
}

/// What a report says of the values whose code a version leaves.
fn told(prepared: &Prepared, values: &Values, holders: impl Fn(&Slot) -> BTreeSet<String>) -> Vec<String> {
    let mut told = Vec::new();
    let mut methods: Vec<(&Answer, bool, Vec<String>)> = Vec::new();
    for (function, slot) in &prepared.left_functions {
        let is_there = prepared.snapshot.checked.functions.contains_key(function);
        let closure = owner_and_number(*function).is_some();
        let why = match (is_there, closure) {
            (false, _) => "it is gone from the text",
            (true, true) => "what it captures or takes changed",
            (true, false) => "its signature changed",
        };
        let of = name(*function);
        match (values.functions(slot), of.strip_prefix("a closure")) {
            (0, _) => {}
            (1, Some(made)) => told.push(format!("1 closure{made} keeps its old code: {why}")),
            (1, None) => told.push(format!("1 function value of {of} keeps its old code: {why}")),
            (count, Some(made)) => told.push(format!("{count} closures{made} keep their old code: {why}")),
            (count, None) => told.push(format!("{count} function values of {of} keep their old code: {why}")),
        }
        let running = |by: String| format!("`{by}` is running and may hold {of}, with its old code: {why}");
        told.extend(holders(slot).into_iter().map(running));
        for answer in values.answers(slot) {
            let same = |(known, there, _): &&mut (&Answer, bool, Vec<String>)| {
                (known.of_trait, known.of, *there) == (answer.of_trait, answer.of, is_there)
            };
            match methods.iter_mut().find(same) {
                Some((.., names)) => names.push(of.clone()),
                None => methods.push((answer, is_there, vec![of.clone()])),
            }
        }
    }
    told.extend(methods.iter().map(|(answer, is_there, names)| {
        let why = match (is_there, names.len()) {
            (true, 1) => "now takes something else",
            (true, _) => "now take something else",
            (false, 1) => "is gone from the text",
            (false, _) => "are gone from the text",
        };
        let why = format!("{} {why}", names.join(" and "));
        format!("{}: {why}", behind(answer, "keeps its old code", "keep their old code"))
    }));
    told
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
