//! What is running: for each function its code, its slot and what is needed to tell whether a save changed it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;
use vaisjit_codegen::clif::Location;
use vaisjit_codegen::clif::frame::FrameLayout;
use vaisjit_codegen::layout::{LayoutHistory, TypeLayouts};
use vaisjit_codegen::mir::{self, Signature};
use vaisjit_codegen::unit::InlinedLocation;
use vaisjit_semantics::program::Global;
use vaisjit_semantics::{Checked, Instance, ItemPath, Running, Ty, hir, owner_and_number};
use vaisjit_syntax::{FileId, Place, Sources, Span, source::position_in};

use crate::code::{CodeAddress, CodeUnit, Slot};
use crate::history::KEPT_VERSIONS;
use crate::reload::diff::Shapes;
use crate::reload::kept::{KeptCode, Recipe};
use crate::reload::left::Left;
use crate::reload::links::Summary;
use crate::reload::renames::Double;
use crate::report;
use crate::workspace::Snapshot;

/// A function of the running version.
#[derive(Clone)]
pub(crate) struct LiveFunction {
    /// What it was made from; the same `Arc` as in the snapshot when nothing it depends on has changed.
    pub body: Arc<hir::Body>,
    /// Hash of its MIR, of the layouts it uses and of how it calls others: equal means equal code.
    pub fingerprint: u64,
    /// Hash of its MIR alone.
    pub plain_fingerprint: u64,
    /// The types whose layouts it depends on.
    pub types: Arc<[Ty]>,
    /// Its types.
    pub signature: Signature,
    /// What linking needs to know of it.
    pub summary: Summary,
    /// The functions it calls directly.
    pub direct: Box<[Instance]>,
    /// Its machine code.
    pub code: Code,
    /// What the code was made from.
    pub recipe: Arc<Recipe>,
    /// Where its calls go through.
    pub slot: Slot,
    /// What a report says of a program counter in it.
    pub meta: Arc<FunctionMeta>,
}

/// Machine code in a unit.
#[derive(Clone)]
pub(crate) struct Code {
    pub unit: Arc<CodeUnit>,
    pub index: usize,
}

impl Code {
    /// Where the code starts.
    pub fn address(&self) -> CodeAddress {
        self.unit.address(self.index)
    }
}

/// What reports say of a function's code. White space may move its places while the code stays, so they are a table
/// beside the code.
#[derive(Clone, Debug)]
pub(crate) struct FunctionMeta {
    /// The function.
    pub instance: Instance,
    /// What it was made from.
    pub body: Arc<hir::Body>,
    /// Its block on the data stack, and what its loops hand over.
    pub frame: Arc<FrameLayout>,
    /// Of code that starts in the middle of a loop: what it was made from at last.
    pub resumed: Option<Arc<mir::Body>>,
    /// The version of the program it was compiled for.
    pub version: u64,
    /// Places by source location number, from 1.
    pub locations: Arc<[Location]>,
    /// Places in bodies inlined into it; their numbers follow those of `locations`.
    pub inlined: Arc<[InlinedLocation]>,
    /// What the spans count from.
    pub item: hir::BodyItem,
    /// Its text, once newer code has replaced it and the sources no longer hold it.
    pub frozen: Option<Frozen>,
    /// The types of its version, once newer code has replaced it while it was on a stack.
    pub past: Option<Past>,
}

/// The types that code of an older version goes by.
#[derive(Clone)]
pub(crate) struct Past {
    /// Its program.
    pub checked: Arc<Checked>,
    /// The layouts it was made for.
    pub layouts: Arc<TypeLayouts>,
    /// The layouts that types had then, and before.
    pub history: Arc<LayoutHistory>,
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past").finish_non_exhaustive()
    }
}

/// The number of a version, what it was made from, and the layouts that types had then, and before.
pub(crate) type Version = (u64, Arc<Checked>, Arc<LayoutHistory>);

/// The text of an item that has been replaced.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    path: PathBuf,
    text: Arc<str>,
    /// Line of its first character.
    line: u32,
}

/// Counts the lines of places that lie near each other, without counting from the start of the text each time.
#[derive(Default)]
pub(crate) struct LineCounter {
    last: Option<(FileId, usize, u32)>,
    /// What has been counted ahead, and in which texts.
    known: FxHashMap<(FileId, usize), u32>,
    sources: Arc<Sources>,
}

impl LineCounter {
    /// Counts the lines of functions before threads stand still for it.
    pub fn ahead<'f>(sources: &Arc<Sources>, functions: impl Iterator<Item = &'f LiveFunction>) -> LineCounter {
        let mut counter = LineCounter { sources: sources.clone(), ..LineCounter::default() };
        for function in functions {
            let start = sources.resolve(Place::item(function.meta.item.0, Span::default()));
            let Some((id, start)) = start.map(|(id, range)| (id, range.start)) else { continue };
            let Some(file) = sources.get(id) else { continue };
            let line = counter.line(id, &file.text, start);
            counter.known.insert((id, start), line);
        }
        counter
    }

    /// Has it counted in these texts?
    pub fn is_of(&self, sources: &Arc<Sources>) -> bool {
        Arc::ptr_eq(&self.sources, sources)
    }

    /// The line of a place, from 1.
    fn line(&mut self, file: FileId, text: &str, at: usize) -> u32 {
        if let Some(line) = self.known.get(&(file, at)) {
            return *line;
        }
        let (from, line) = match self.last {
            Some((last, from, line)) if last == file => (from, line),
            _ => (0, 1),
        };
        let newlines = |from: usize, to: usize| text.as_bytes().get(from..to).map_or(0, newlines);
        let line = if from <= at { line + newlines(from, at) } else { line - newlines(at, from) };
        self.last = Some((file, at, line));
        line
    }
}

/// How many lines end in a text. Sums of so few fit into a byte, and machines make many of these at once: threads stand still
/// for it.
fn newlines(text: &[u8]) -> u32 {
    let ends = |some: &[u8]| some.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
    text.chunks(usize::from(u8::MAX)).map(|some| u32::from(ends(some))).sum()
}

/// A resolved place, with what a code frame shows.
pub(crate) struct Resolved {
    pub at: report::Location,
    pub line: String,
    pub width: u32,
}

impl FunctionMeta {
    /// The name people know it by.
    pub fn name(&self) -> String {
        self.instance.path.name.to_string()
    }

    /// Has it loops that look up, whose state is known?
    pub fn has_loops(&self) -> bool {
        !self.frame.loops.is_empty()
    }

    /// The text of a place in it.
    pub fn text(&self, span: Span, sources: &Sources) -> Option<String> {
        match &self.frozen {
            Some(frozen) => Some(frozen.text.get(span.start as usize..span.end as usize)?.to_owned()),
            None => text(self.item, span, sources),
        }
    }

    /// The inlined place a number stands for.
    pub fn inlined(&self, number: u32) -> Option<&InlinedLocation> {
        self.inlined.get((number as usize).checked_sub(self.locations.len() + 1)?)
    }

    /// Where a source location number points.
    pub fn resolve(&self, number: u32, sources: &Sources) -> Option<Resolved> {
        self.resolve_span(self.locations.get((number as usize).checked_sub(1)?)?.span, sources)
    }

    /// Where a place in it is.
    pub fn resolve_span(&self, span: Span, sources: &Sources) -> Option<Resolved> {
        match &self.frozen {
            Some(frozen) => Some(frozen.resolve(span)),
            None => resolve(Place::item(self.item.0, span), sources),
        }
    }

    /// Where the function's head stands.
    pub fn head(&self, live: &Live) -> Option<Resolved> {
        if let Some(frozen) = &self.frozen {
            return Some(frozen.resolve(Span::default()));
        }
        let function = live.checked.functions.get(&self.instance)?;
        resolve(function.head, &live.sources)
    }

    /// The same with the text kept, before the sources forget it.
    pub fn freeze(&self, sources: &Sources, lines: &mut LineCounter) -> Option<FunctionMeta> {
        if self.frozen.is_some() {
            return None;
        }
        let (id, start) = sources.resolve(Place::item(self.item.0, Span::default()))?;
        let file = sources.get(id)?;
        let item = file.module.get(self.item.0)?;
        let text: Arc<str> = file.text.get(item.start as usize..item.end as usize)?.into();
        let line = lines.line(id, &file.text, start.start);
        Some(FunctionMeta { frozen: Some(Frozen { path: file.path.clone(), text, line }), ..self.clone() })
    }
}

impl Frozen {
    fn resolve(&self, span: Span) -> Resolved {
        let range = span.start as usize..span.end as usize;
        let mut resolved = in_text(&self.text, range, self.path.clone());
        resolved.at.line += self.line - 1;
        resolved
    }
}

/// The text of a place in an item.
pub(crate) fn text(item: hir::BodyItem, span: Span, sources: &Sources) -> Option<String> {
    let (file, range) = sources.resolve(Place::item(item.0, span))?;
    Some(sources.get(file)?.text.get(range)?.to_owned())
}

/// The position of a place, for reports.
pub(crate) fn resolve(place: Place, sources: &Sources) -> Option<Resolved> {
    let (file, range) = sources.resolve(place)?;
    let file = sources.get(file)?;
    Some(in_text(&file.text, range, file.path.clone()))
}

fn in_text(text: &str, range: std::ops::Range<usize>, file: PathBuf) -> Resolved {
    let position = position_in(text, range.start);
    let start = text.floor_char_boundary(range.start.min(text.len()));
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let end = text.floor_char_boundary(range.end.clamp(start, line_end));
    Resolved {
        at: report::Location { file, line: position.line, column: position.column },
        line: text[line_start..line_end].trim_end().to_owned(),
        width: text[start..end].chars().count() as u32,
    }
}

/// The running version as a whole.
#[derive(Default)]
pub(crate) struct Live {
    /// Its functions.
    pub functions: FxHashMap<Instance, LiveFunction>,
    /// Its code by unit and index, old code that still runs included.
    pub metas: FxHashMap<usize, Vec<Arc<FunctionMeta>>>,
    /// Every global that has memory, with the declaration it was made for; those that a save removed stay, so that a
    /// line commented out for one save comes back with its value.
    pub globals: FxHashMap<ItemPath, Global>,
    /// Code that has been replaced, until it is freed or runs again, by its key in `metas`.
    pub retired: FxHashMap<usize, Weak<CodeUnit>>,
    /// Code that has been replaced and may be asked for again.
    pub kept: KeptCode,
    /// Functions that a save removed: values may still hold their slots.
    pub orphans: Vec<LiveFunction>,
    /// The shape of every type that code of this program has ever used: values of it may be anywhere.
    pub shapes: Shapes,
    /// The layouts of the types of this version.
    pub layouts: Arc<TypeLayouts>,
    /// The functions that earlier versions have left with their old code, where there are values of them or frames in old
    /// code may call them.
    pub left: Vec<Arc<Left>>,
    /// Items of its text that stand, or stood, in two modules.
    pub doubles: Vec<Double>,
    /// The layouts that types of this program have had.
    pub history: Arc<LayoutHistory>,
    /// What that was in the last versions, oldest first, with their numbers and what they were made from.
    pub past: Vec<Version>,
    /// Counts lines during a commit.
    pub lines: LineCounter,
    /// The snapshot it was made from.
    pub snapshot: Option<Snapshot>,
    /// For functions with closures, the first number that none of these has had.
    pub closures: Arc<FxHashMap<Instance, u32>>,
    /// The program it was made from.
    pub checked: Arc<Checked>,
    /// Its texts.
    pub sources: Arc<Sources>,
}

impl Live {
    /// What the next version's closures are compared with.
    pub fn running(&self) -> Running {
        let is_closure = |orphan: &&LiveFunction| owner_and_number(orphan.meta.instance).is_some();
        // What has been given up for good has an empty slot.
        let gone = self
            .orphans
            .iter()
            .filter(is_closure)
            .filter(|orphan| orphan.slot.load() != 0)
            .map(|orphan| orphan.body.clone())
            .collect();
        Running { checked: self.checked.clone(), closures: self.closures.clone(), gone }
    }

    /// Remembers the layouts of a version that has become live. Gives those that are too old.
    pub fn note_layouts(&mut self, version: u64) -> Vec<Version> {
        self.past.retain(|(known, ..)| *known < version);
        self.past.push((version, self.checked.clone(), self.history.clone()));
        let old = self.past.len().saturating_sub(KEPT_VERSIONS);
        self.past.drain(..old).collect()
    }

    /// The versions that have been live since that of a function which has been left behind.
    pub fn since(&self, meta: &FunctionMeta) -> &[Version] {
        let own = |past: &Past| self.past.iter().position(|(_, known, _)| Arc::ptr_eq(known, &past.checked));
        meta.past.as_ref().and_then(own).map_or(&[], |own| &self.past[own + 1..])
    }

    /// The layouts of the version that was made from this, if it has been live.
    pub fn layouts_of(&self, checked: &Arc<Checked>) -> Option<Arc<LayoutHistory>> {
        let found = self.past.iter().rev().find(|(_, known, _)| Arc::ptr_eq(known, checked));
        found.map(|(.., history)| history.clone())
    }

    /// Notes the number of a closure.
    pub fn note_closure(&mut self, instance: Instance) {
        if let Some((owner, number)) = owner_and_number(instance)
            && self.closures.get(&owner).is_none_or(|next| *next <= number)
        {
            Arc::make_mut(&mut self.closures).insert(owner, number + 1);
        }
    }

    /// Key of a unit in `metas`.
    pub fn unit_key(unit: &Arc<CodeUnit>) -> usize {
        Arc::as_ptr(unit) as usize
    }

    /// Sets what is known of a function of a unit.
    pub fn set_meta(&mut self, code: &Code, meta: Arc<FunctionMeta>) {
        let metas = self.metas.entry(Live::unit_key(&code.unit)).or_default();
        metas.resize_with(metas.len().max(code.index + 1), || meta.clone());
        metas[code.index] = meta;
    }

    /// The types of the running version.
    pub fn present(&self) -> Past {
        Past { checked: self.checked.clone(), layouts: self.layouts.clone(), history: self.history.clone() }
    }

    /// Code that stays on a stack goes by these types, if it is not known yet what it goes by and it is not live.
    pub fn set_past(&mut self, (unit, function): (usize, usize), past: &Past) {
        let meta = self.metas.get(&unit).and_then(|metas| metas.get(function));
        let Some(meta) = meta.filter(|meta| meta.past.is_none() && self.is_behind(unit, meta.instance)) else { return };
        let meta = Arc::new(FunctionMeta { past: Some(past.clone()), ..(**meta).clone() });
        if let Some(known) = self.metas.get_mut(&unit).and_then(|metas| metas.get_mut(function)) {
            *known = meta;
        }
    }

    /// Is the code of a function, in the unit with this key, that of an older version, or of one that a save removed?
    pub fn is_behind(&self, unit: usize, instance: Instance) -> bool {
        let is_it =
            |orphan: &LiveFunction| orphan.meta.instance == instance && Live::unit_key(&orphan.code.unit) == unit;
        self.retired.contains_key(&unit) || self.orphans.iter().any(is_it)
    }

    /// Takes in code that is in no slot, but runs: it is freed once no stack reaches it.
    pub fn add_retired(&mut self, code: &Code, meta: Arc<FunctionMeta>) {
        self.set_meta(code, meta);
        self.retired.insert(Live::unit_key(&code.unit), Arc::downgrade(&code.unit));
    }

    /// A unit with code that runs, by its key.
    pub fn unit(&self, key: usize) -> Weak<CodeUnit> {
        let retired = self.retired.get(&key).cloned();
        let live = || self.functions.values().chain(&self.orphans).map(|function| &function.code.unit);
        retired.or_else(|| live().find(|unit| Live::unit_key(unit) == key).map(Arc::downgrade)).unwrap_or_default()
    }

    /// What is known of code that is in no slot of the running version, but may run.
    pub fn old_metas(&self) -> impl Iterator<Item = &Arc<FunctionMeta>> {
        let replaced = self.retired.keys().filter_map(|unit| self.metas.get(unit)).flatten();
        replaced.chain(self.orphans.iter().map(|orphan| &orphan.meta))
    }

    /// What is known of a function of a unit.
    pub fn meta(&self, unit: &Arc<CodeUnit>, index: usize) -> Option<&Arc<FunctionMeta>> {
        self.metas.get(&Live::unit_key(unit))?.get(index)
    }
}
