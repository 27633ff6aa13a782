//! Values that lie elsewhere after a commit, and the words that lead to them. The trial looks for words that could not be
//! put right; the commit puts all others right.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_abi::heap::CLOSURE_TAG;
use vaisjit_semantics::{Ty, TyKind};

use super::known::Known;
use super::offsets::{Part, Words, leads_to};
use super::plan::Planner;
use super::trial::{Denied, Local, spilled};
use crate::code::{StackWord, Stopped};
use crate::heap::Heap;
use crate::heap::migrate::moves::{each_word, put_word, word};
use crate::heap::migrate::{Area, Attic, Conversion, Rebuilt, Region, Word, WordPart};

/// Where values lie before and after.
#[derive(Default)]
pub(super) struct Moves {
    /// Rows of values, by address.
    ranges: Vec<Range>,
    /// Counted blocks by their payload: where it lies afterwards, and the region of the value in it.
    blocks: FxHashMap<usize, (usize, usize)>,
    /// The types of the values behind `dyn`s, by the address of the table.
    tables: FxHashMap<usize, Ty>,
    /// Words of frames that lead to counted blocks: where they lie, and what they are afterwards.
    seats: Vec<(usize, usize)>,
}

/// A row of values.
struct Range {
    /// Its region.
    region: usize,
    at: usize,
    count: usize,
    stride: usize,
    size: usize,
    /// Where it lies afterwards; nowhere if nothing may point at it.
    to: Option<usize>,
    to_stride: usize,
    types: (Ty, Ty),
}

/// Rows whose ranges may lie in each other: hash, key and value of the entries of a map.
const INTERLEAVED: usize = 3;

impl Moves {
    /// Of the regions of a trial whose values do not stay as they lie; `seen` are places that differ from where the
    /// values are put first.
    pub fn new(
        planner: &Planner,
        regions: &[Region],
        seen: &FxHashMap<usize, Option<usize>>,
        tables: FxHashMap<usize, Ty>,
    ) -> Moves {
        let range = |(number, region): (usize, &Region)| {
            let conversion = &planner.conversions[region.conversion];
            (!stays(conversion, region) && region.at != 0 && region.count > 0 && conversion.from_size > 0).then(|| {
                Range {
                    region: number,
                    at: region.at,
                    count: region.count,
                    stride: region.stride.max(1),
                    size: conversion.from_size,
                    to: seen.get(&number).copied().unwrap_or_else(|| Some(region.to.unwrap_or(region.at))),
                    to_stride: if region.to.is_some() { region.to_stride } else { region.stride },
                    types: conversion.types,
                }
            })
        };
        let mut ranges: Vec<Range> = regions.iter().enumerate().filter_map(range).collect();
        ranges.sort_unstable_by_key(|range| range.at);
        Moves { ranges, tables, ..Moves::default() }
    }

    /// Of the regions whose values are used and stay as they lie, but lose parts; and of the containers that are made anew,
    /// numbered behind the regions.
    pub fn losing(
        planner: &Planner,
        regions: &[Region],
        is_used: &dyn Fn(&Region) -> bool,
        rebuilt: &Rebuilt,
        tables: FxHashMap<usize, Ty>,
    ) -> Moves {
        let range = |(number, region): (usize, &Region)| {
            let conversion = &planner.conversions[region.conversion];
            let loses = stays(conversion, region) && region.count > 0 && planner.drops_part(conversion.types);
            (loses && is_used(region) && region.at != 0 && conversion.from_size > 0).then(|| Range {
                region: number,
                at: region.at,
                count: region.count,
                stride: region.stride.max(1),
                size: conversion.from_size,
                to: Some(region.at),
                to_stride: region.stride,
                types: conversion.types,
            })
        };
        let container = |(place, (_, number, rows)): (usize, (usize, u32, &[usize]))| {
            let rebuild = &planner.rebuilds[number as usize];
            let (first, stride) = (*rows.first()?, rebuild.strides.0.max(1));
            Some(Range {
                region: regions.len() + place,
                at: first,
                count: (rows.last()? - first) / stride + 1,
                stride,
                size: stride,
                to: None,
                to_stride: 0,
                types: rebuild.types,
            })
        };
        let containers = rebuilt.before().enumerate().filter_map(container);
        let mut ranges: Vec<Range> = regions.iter().enumerate().filter_map(range).chain(containers).collect();
        // Of two that begin alike the last one is found.
        ranges.sort_unstable_by_key(|range| (range.at, range.to.is_none()));
        Moves { ranges, tables, ..Moves::default() }
    }

    /// A counted block goes elsewhere.
    pub fn add_block(&mut self, from: usize, to: usize, region: usize) {
        self.blocks.insert(from, (to, region));
    }

    /// Does everything stay as it lies?
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.blocks.is_empty()
    }

    /// What a `dyn` with this table is of.
    fn behind(&self, table: usize) -> Ty {
        self.tables.get(&table).copied().unwrap_or_else(Ty::unit)
    }

    /// Where a block is now.
    pub fn block(&self, payload: usize) -> usize {
        self.blocks.get(&payload).map_or(payload, |(to, _)| *to)
    }

    /// The row that an address lies in, and the number of the value in it.
    fn find(&self, address: usize) -> Option<(&Range, usize)> {
        let after = self.ranges.partition_point(|range| range.at <= address);
        let near = self.ranges[after.saturating_sub(INTERLEAVED)..after].iter().rev();
        near.filter_map(|range| {
            let (index, offset) = ((address - range.at) / range.stride, (address - range.at) % range.stride);
            (index < range.count && offset < range.size).then_some((range, index))
        })
        .next()
    }

    /// The region that a word leads to which nobody knows the type of.
    fn pinned(&self, word: usize) -> Option<usize> {
        let payload = word & !(CLOSURE_TAG as usize);
        let found = self.find(word).map(|(range, _)| range.region);
        found.or_else(|| self.blocks.get(&payload).map(|(_, region)| *region))
    }

    /// Where a counted block lies afterwards that a word leads to, and what lies where the word leads to, if anything does.
    fn block_after(&self, word: usize) -> Option<(usize, Option<Ty>)> {
        let to = self.blocks.get(&word)?.0;
        match self.find(word) {
            None => Some((to, None)),
            Some((range, 0)) if range.at == word && range.to == Some(to) => Some((to, Some(range.types.0))),
            Some(_) => None,
        }
    }

    /// What a word has to be afterwards: `None` if it stays, an error with the region if what it points at is gone.
    fn after(&self, planner: &Planner, word: usize, kind: Word) -> Result<Option<usize>, usize> {
        let tag = CLOSURE_TAG as usize;
        match kind {
            Word::Handle => Ok(self.blocks.get(&word).map(|(to, _)| *to)),
            Word::Function if word & tag == 0 => Ok(None),
            Word::Function => Ok(self.blocks.get(&(word & !tag)).map(|(to, _)| to | tag)),
            Word::Pointer(pointee) | Word::Waiting(pointee) => {
                let Some((range, index)) = self.find(word) else { return Ok(None) };
                let at = range.at + index * range.stride;
                let part = Part { at, offset: word - at, pointee };
                let offset = planner.offset_after(range.types, part);
                let (offset, to) = offset.zip(range.to).ok_or(range.region)?;
                Ok(Some(to + index * range.to_stride + offset).filter(|to| *to != word))
            }
        }
    }

    /// Puts all words right that lead to what has moved. Afterwards nothing leads to where it lay. A pointer that waits for
    /// its field to come back, or lies in a value that is kept `aside`, is null if what it points at is gone.
    pub fn settle(&self, planner: &Planner, heap: &Heap, (roots, aside): (&[Area], &[Area])) {
        let mut words = Words::new(&planner.new);
        let mut put = |at: usize, word: usize, kind: Word| match (self.after(planner, word, kind), kind) {
            (Ok(Some(now)), _) => put_word(at, now),
            (Err(_), Word::Waiting(_)) => put_word(at, 0),
            _ => {}
        };
        self.seats.iter().for_each(|(at, to)| put_word(*at, *to));
        roots.iter().for_each(|area| each(area, &words.of(area.ty), &mut put));
        let mut waits = |at: usize, word: usize, kind: Word| match kind {
            Word::Pointer(pointee) => put(at, word, Word::Waiting(pointee)),
            kind => put(at, word, kind),
        };
        aside.iter().for_each(|area| each(area, &words.of(area.ty), &mut waits));
        heap.each_area(&|table| self.behind(table), &mut |area| each(&area, &words.of(area.ty), &mut put));
        let mut attic = heap.attic();
        Attic::each(&mut attic, &mut |word| {
            let (block, tag) = (*word & !(CLOSURE_TAG as usize), *word & CLOSURE_TAG as usize);
            *word = self.block(block) | tag;
        });
    }
}

fn stays(conversion: &Conversion, region: &Region) -> bool {
    let keeps_size = conversion.from_size == conversion.to_size;
    region.to.is_none() && !conversion.shifts && (conversion.in_place || keeps_size)
}

/// Visits the words of the values in a row.
pub(super) fn each(area: &Area, parts: &Arc<[WordPart]>, visit: &mut dyn FnMut(usize, usize, Word)) {
    if !parts.is_empty() {
        (0..area.count).for_each(|index| each_word(area.at + index * area.stride, parts, visit));
    }
}

/// Who holds what lies in a block of the heap.
pub(super) fn holder(block: Ty) -> String {
    match block == Ty::unit() {
        true => "a `dyn` value".to_owned(),
        false => format!("a value in a `{block}`"),
    }
}

/// A word that could not be put right.
enum Stuck {
    /// What it points at is gone: who holds it, and the region.
    Lost(String, usize),
    /// It leads to memory that nobody knows, where a word could lead to what moves: who holds it, and the type there.
    Foreign(String, Ty),
    /// Nobody knows its type: who holds it, and the region it leads to.
    Untyped(String, usize),
}

/// What a look for such words needs.
pub(super) struct Search<'a> {
    pub planner: &'a Planner,
    pub heap: &'a Heap,
    pub stopped: &'a Stopped<'a>,
    pub locals: &'a [Local],
    /// Typed memory outside the heap, with who holds it.
    pub roots: &'a [(Area, String)],
}

impl Search<'_> {
    /// Refuses moves that some word could not follow; `lost` describes a value that loses what somebody points at. Notes the
    /// words of frames that can.
    pub fn check(
        &self,
        moves: &mut Moves,
        describe: &dyn Fn(usize) -> Denied,
        lost: &dyn Fn(usize, &str) -> Denied,
    ) -> Result<(), Denied> {
        let mut seats = Vec::new();
        let mut pinned = |seen: StackWord| {
            let region = moves.pinned(seen.word)?;
            let to = self.followed(moves, seen);
            seats.extend(to.map(|to| (seen.at, to)));
            to.is_none().then_some(region)
        };
        let Some(stuck) = self.typed(moves, true).or_else(|| self.untyped(&mut pinned, true)) else {
            moves.seats = seats;
            return Ok(());
        };
        let pinned_by = match &stuck {
            Stuck::Untyped(who, _) => Some(format!("{who}, which holds the address of a value that has to move")),
            _ => None,
        };
        let (mut denied, why) = match stuck {
            Stuck::Lost(who, region) => return Err(lost(region, &who)),
            Stuck::Foreign(who, ty) => {
                let region = moves.ranges.first().map_or(0, |range| range.region);
                let memory = format!("{who} points at a `{ty}` in memory that vaisjit does not know");
                (describe(region), format!("{memory}, which may hold its address"))
            }
            Stuck::Untyped(who, region) => (describe(region), format!("{who} holds its address while it waits")),
        };
        denied.why = format!("{}, and it cannot move: {why}", denied.why);
        denied.pinned_by = pinned_by;
        Err(denied)
    }

    /// Refuses that values which stay where they are lose parts that something points at.
    pub fn check_lost(&self, losing: &Moves, describe: &dyn Fn(usize, &str) -> Denied) -> Result<(), Denied> {
        let mut is_dropped = |StackWord { word, .. }: StackWord| {
            let (range, index) = losing.find(word)?;
            let at = range.at + index * range.stride;
            let is_dropped = range.to.is_none() || self.planner.is_dropped(at, range.types, word - at);
            is_dropped.then_some(range.region)
        };
        // What lies in frames of the host's may be nobody's any more; it is none of what the program does.
        match self.typed(losing, false).or_else(|| self.untyped(&mut is_dropped, false)) {
            Some(Stuck::Lost(who, region)) => Err(describe(region, &who)),
            Some(Stuck::Untyped(who, region)) => {
                let pinned_by = Some(format!("{who}, which holds the address of something that would be gone"));
                Err(Denied { pinned_by, ..describe(region, &who) })
            }
            _ => Ok(()),
        }
    }

    /// `beyond` memory of the program's own, too?
    fn typed(&self, moves: &Moves, beyond: bool) -> Option<Stuck> {
        let moving: FxHashSet<Ty> = moves.ranges.iter().map(|range| range.types.0).collect();
        let mut foreign: FxHashMap<Ty, bool> = FxHashMap::default();
        let mut words = Words::new(&self.planner.old);
        let mut stuck = None;
        let mut look = |area: &Area, who: &dyn Fn() -> String| {
            let parts = words.of(area.ty);
            each(area, &parts, &mut |_, word, kind| {
                let Word::Pointer(pointee) = kind else { return };
                if word == 0 || stuck.is_some() {
                    return;
                }
                match moves.after(self.planner, word, kind) {
                    Err(region) => stuck = Some(Stuck::Lost(who(), region)),
                    Ok(None) if beyond && !self.heap.knows(word) && !self.stopped.is_on_stack(word) => {
                        let known: &Known = &self.planner.old;
                        if *foreign.entry(pointee).or_insert_with(|| leads_to(known, pointee, &moving)) {
                            stuck = Some(Stuck::Foreign(who(), pointee));
                        }
                    }
                    Ok(_) => {}
                }
            });
        };
        self.roots.iter().for_each(|(area, who)| look(area, &|| who.clone()));
        let holder = |area: &Area| holder(area.block);
        self.heap.each_area(&|table| moves.behind(table), &mut |area| look(&area, &|| holder(&area)));
        stuck
    }

    /// A word that nobody knows the type of and that leads to a region; `leads` tells which. In frames of the `host`'s, too?
    fn untyped(&self, leads: &mut dyn FnMut(StackWord) -> Option<usize>, host: bool) -> Option<Stuck> {
        let known: HashSet<usize> = self.locals.iter().filter_map(|local| local.address).collect();
        let leaves = |local: &&Local| local.going.as_ref().is_some_and(|going| going.spill != 0);
        let going = self.locals.iter().filter(leaves);
        // What it has saved may be what a caller keeps, who looks for it where it was.
        let is_free = |local: &Local| {
            let keeps = |outer: &Local| outer.kept_words.as_ref().is_none_or(|kept| !kept.is_empty());
            !self.outside(local).any(keeps)
        };
        let handed = |local: &Local| if is_free(local) { handed_over(local) } else { Vec::new() };
        let left: HashMap<usize, Vec<usize>> = going.map(|local| (local.frame_pointer, handed(local))).collect();
        let mut stuck = None;
        self.stopped.words(&known, &left, |seen| {
            if stuck.is_none()
                && let Some(region) = leads(seen)
            {
                let function = self.local(seen);
                if function.is_none() && !host {
                    return;
                }
                let who = function.map_or_else(
                    || "a function of the host's".to_owned(),
                    |local| format!("the running `{}`", local.function),
                );
                stuck = Some(Stuck::Untyped(who, region));
            }
        });
        stuck
    }

    /// The frame that a word belongs to.
    fn local(&self, seen: StackWord) -> Option<&Local> {
        self.locals.iter().find(|local| local.frame_pointer == seen.owner)
    }

    /// The frames further out on the stack of one.
    fn outside<'l>(&'l self, of: &'l Local) -> impl Iterator<Item = &'l Local> {
        self.locals.iter().filter(|other| other.thread == of.thread && other.frame_pointer > of.frame_pointer)
    }

    /// What a word of a frame that leads to a counted block has to be afterwards: if all that this frame and those further out
    /// keep would follow the block, whichever of it the word is.
    fn followed(&self, moves: &Moves, seen: StackWord) -> Option<usize> {
        let (to, of) = moves.block_after(seen.word)?;
        let local = self.local(seen)?;
        let follows = |ty: &Ty| match *ty.kind() {
            TyKind::Pointer(pointee) | TyKind::Reference(pointee) => of.is_none_or(|of| of == pointee),
            _ => true,
        };
        let mut keepers = self.outside(local).chain([local]);
        let all = keepers.all(|local| local.kept_words.as_ref().is_some_and(|kept| kept.iter().all(follows)));
        all.then_some(to)
    }
}

/// The words that a frame at its poll hands over.
fn handed_over(local: &Local) -> Vec<usize> {
    spilled(local).map(|(at, ..)| word(at)).collect()
}
