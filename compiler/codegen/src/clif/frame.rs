//! Where the locals of a function that live in memory lie on the data stack, and where code comes from: the metadata
//! of a function that does not need its code.

use rustc_hash::FxHashSet;
use vaisjit_abi::context::FRAME_BLOCK_HEADER;
use vaisjit_semantics::{Renames, Ty};
use vaisjit_syntax::{Name, Span};

use super::{MAX_FRAME, NamedAt, NamedValue, leaf};
use crate::layout::{Layouts, holds_evolving};
use crate::link::{Link, Linker};
use crate::mir::{Block, BlockId, Body, Callee, Local, PlaceBase, Projection, StatementKind, visit};
use crate::resume::{CarriedValue, CarryKey, LoopState};

pub(crate) mod carry;

/// What the address of a cleanup takes at the end of a block, which stays a multiple of 16 long.
const CLEANUP_ROOM: u32 = 16;

/// The block a function pushes on the data stack: the locals in memory of a function with a polled loop; of a function
/// that can be on a stack at a safepoint otherwise, those whose layout a reload may change. Parameters and results by
/// address lie in the caller's block then. Functions without such locals, and all in static mode, have none: size 0.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct FrameLayout {
    /// Bytes with the header, a multiple of 16; 0 for no block.
    pub size: u32,
    /// What lies in it, by offset.
    pub locals: Vec<FrameLocal>,
    /// What the polls of its loops hand over, by number of the loop.
    pub loops: Vec<LoopState>,
    /// What a resumed body takes over: homes in the buffer or in the block.
    pub wanted: Vec<CarriedValue>,
    /// Do its last words name the code that cleans up after a trap (see `vaisjit_abi::FrameBlock`)?
    pub cleanup: bool,
    /// The variables whose values a report may show.
    pub named: Vec<NamedValue>,
    /// What they are where memory may be faulty, by location.
    pub faults: Vec<NamedAt>,
}

/// A local in a block on the data stack.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FrameLocal {
    /// Its number in the body.
    pub local: u32,
    /// Its name in the source.
    pub name: Option<Name>,
    /// What it is known by where a poll hands it over.
    pub key: Option<CarryKey>,
    /// Its type.
    pub ty: Ty,
    /// Where, counted from the start of the block's header.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// What the cleanup of the body knows it by.
    pub pinned: Option<u32>,
    /// Does it only hold a copy of a value, whose references belong to somebody else?
    pub loan: bool,
    /// Single words in it that the code releases: where they lie in it, and their types.
    pub released: Vec<(u32, Ty)>,
}

impl FrameLayout {
    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> FrameLayout {
        let mut new = self.clone();
        for local in &mut new.locals {
            local.ty = renames.ty(local.ty);
            local.released.iter_mut().for_each(|(_, ty)| *ty = renames.ty(*ty));
        }
        let handed = new.loops.iter_mut().flat_map(|state| &mut state.values);
        handed.chain(&mut new.wanted).for_each(|value| value.ty = renames.ty(value.ty));
        new
    }

    /// The layout for a body; `None` when it is larger than a frame may be. A resumed body takes over the block laid out
    /// by `keep`.
    pub fn of(
        body: &Body,
        layouts: &dyn Layouts,
        linker: &dyn Linker,
        keep: Option<&FrameLayout>,
    ) -> Option<FrameLayout> {
        if body.cleans.is_some() {
            return FrameLayout::cleaning(body, layouts, linker, keep?);
        }
        let frame = FrameLayout::without_cleanup(body, layouts, linker, keep)?;
        Some(if body.cleanup.is_some() { frame.with_cleanup() } else { frame })
    }

    fn without_cleanup(
        body: &Body,
        layouts: &dyn Layouts,
        linker: &dyn Linker,
        keep: Option<&FrameLayout>,
    ) -> Option<FrameLayout> {
        if !linker.hot() && body.cleanup.is_none() {
            return Some(FrameLayout::default());
        }
        // The loop that a resumed body starts at may have become so short that it needs no poll.
        if linker.hot() && (body.resumed.is_some() || body.loops.iter().any(|info| info.polled)) {
            return FrameLayout::polled(body, layouts, keep);
        }
        FrameLayout::in_order(placed(body, layouts, linker), layouts).filter(|frame| frame.size <= MAX_FRAME)
    }

    /// The same with room for the address of the cleanup.
    fn with_cleanup(self) -> FrameLayout {
        FrameLayout { size: self.size.max(FRAME_BLOCK_HEADER) + CLEANUP_ROOM, cleanup: true, ..self }
    }

    /// Where what is laid out ends.
    fn end(&self) -> u32 {
        if self.cleanup { self.size - CLEANUP_ROOM } else { self.size }
    }

    /// The layout for a cleanup: it takes over the block that the body left; locals of its own come behind.
    fn cleaning(body: &Body, layouts: &dyn Layouts, linker: &dyn Linker, left: &FrameLayout) -> Option<FrameLayout> {
        let mut locals = placed(body, layouts, linker);
        let mut end = u64::from(left.size);
        for local in &mut locals {
            let same = left.locals.iter().find(|old| old.pinned.is_some() && old.pinned == local.pinned);
            local.offset = match same {
                Some(old) => old.offset,
                None => {
                    let offset = end.next_multiple_of(u64::from(layouts.layout(local.ty).align.max(1)));
                    end = offset + u64::from(local.size);
                    u32::try_from(offset).ok()?
                }
            };
        }
        let size = u32::try_from(end.next_multiple_of(16)).ok()?;
        Some(FrameLayout { size, locals, ..FrameLayout::default() })
    }

    /// The layout for a body with polled loops, in which all locals in memory have a place.
    pub fn polled(body: &Body, layouts: &dyn Layouts, keep: Option<&FrameLayout>) -> Option<FrameLayout> {
        let locals = locals_in_memory(body, layouts);
        let mut frame = match keep {
            Some(keep) => carry::place_in(body, keep, layouts, locals)?,
            None => FrameLayout::in_order(locals, layouts)?,
        };
        if frame.size > MAX_FRAME {
            return None;
        }
        frame.loops = carry::loop_states(body, &frame);
        frame.wanted = carry::wanted(body, &frame)?;
        Some(frame)
    }

    /// One local behind the other.
    fn in_order(mut locals: Vec<FrameLocal>, layouts: &dyn Layouts) -> Option<FrameLayout> {
        let mut end = u64::from(FRAME_BLOCK_HEADER);
        for local in &mut locals {
            let offset = end.next_multiple_of(u64::from(layouts.layout(local.ty).align.max(1)));
            local.offset = u32::try_from(offset).ok()?;
            end = offset + u64::from(local.size);
        }
        let size = if locals.is_empty() { 0 } else { u32::try_from(end.next_multiple_of(16)).ok()? };
        Some(FrameLayout { size, locals, ..FrameLayout::default() })
    }

    /// Where a local lies in the block.
    pub(crate) fn offset(&self, local: Local) -> Option<u32> {
        let number = local.into_raw().into_u32();
        self.locals.iter().find(|local| local.local == number).map(|local| local.offset)
    }
}

impl FrameLocal {
    /// Its bytes in the block, from and to.
    fn bytes(&self) -> (u64, u64) {
        (u64::from(self.offset), u64::from(self.offset) + u64::from(self.size))
    }
}

/// What the locals of a body that belong into its block are, their offsets not decided.
fn placed(body: &Body, layouts: &dyn Layouts, linker: &dyn Linker) -> Vec<FrameLocal> {
    let waits = linker.hot() && may_wait(body, linker);
    let all = linker.hot() && body.loops.iter().any(|info| info.polled);
    let evolves = |local: &FrameLocal| waits && local.local > body.params && holds_evolving(local.ty, layouts);
    let mut locals = locals_in_memory(body, layouts);
    locals.retain(|local| all || local.pinned.is_some() || evolves(local));
    locals
}

/// Can a safepoint be met in something it calls? Functions that are called directly in hot mode meet none.
fn may_wait(body: &Body, linker: &dyn Linker) -> bool {
    let statements = body.blocks.values().flat_map(|block| &block.statements);
    let mut calls = statements.filter_map(|statement| match &statement.kind {
        StatementKind::Call(call) => Some(&call.callee),
        _ => None,
    });
    calls.any(|callee| match callee {
        Callee::Function(instance, _) => linker.link(body.instance, *instance) != Link::Direct,
        Callee::Host(name) => !linker.leaf(*name) && !linker.heap(*name),
        Callee::C(name, variadic) => variadic.is_some() || leaf::is_math(name).is_none(),
        Callee::Value(..) | Callee::Slot(..) => true,
    })
}

/// The locals that go into the block, their offsets not decided.
fn locals_in_memory(body: &Body, layouts: &dyn Layouts) -> Vec<FrameLocal> {
    let carried: Vec<_> = (carry::polls(body).flat_map(|(_, _, carried)| carried))
        .filter_map(|carried| Some((carry::carried_local(body, carried)?, carried.key)))
        .collect();
    let key = |local| carried.iter().find(|(carried, _)| *carried == local).map(|(_, key)| *key);
    let placed = |(_, declared): &(Local, &crate::mir::LocalDecl)| declared.in_memory && !declared.ty.is_unit();
    (body.locals.iter().filter(placed))
        .map(|(local, declared)| FrameLocal {
            local: local.into_raw().into_u32(),
            name: declared.name,
            key: key(local),
            ty: declared.ty,
            offset: 0,
            size: layouts.layout(declared.ty).size,
            pinned: declared.pinned,
            loan: declared.loan,
            released: released(body, layouts, local),
        })
        .collect()
}

/// The words in a local that a body releases one by one.
fn released(body: &Body, layouts: &dyn Layouts, local: Local) -> Vec<(u32, Ty)> {
    let mut words = Vec::new();
    for statement in body.blocks.values().flat_map(|block| &block.statements) {
        let StatementKind::Release { place, .. } = &statement.kind else { continue };
        if !matches!(place.base, PlaceBase::Local(base) if base == local) || place.projections.is_empty() {
            continue;
        }
        let word = offset_in(body.locals[local].ty, &place.projections, layouts).map(|offset| (offset, place.ty));
        let news = word.filter(|word| !words.contains(word));
        words.extend(news);
    }
    words
}

/// Where the field at the end of a path lies in a value.
fn offset_in(ty: Ty, path: &[Projection], layouts: &dyn Layouts) -> Option<u32> {
    let step = |(offset, ty): (u32, Ty), step: &Projection| match step {
        Projection::Field(field) => Some((offset + layouts.field_offset(ty, *field), layouts.field_ty(ty, *field))),
        _ => None,
    };
    path.iter().try_fold((0, ty), step).map(|(offset, _)| offset)
}

/// The first place for so many bytes behind the header and outside the used ones.
fn first_fit(used: &[(u64, u64)], size: u64, align: u64) -> Option<u64> {
    let header = u64::from(FRAME_BLOCK_HEADER);
    let starts = std::iter::once(header).chain(used.iter().map(|(_, end)| *end));
    let starts = starts.map(|start| start.max(header).next_multiple_of(align));
    starts.filter(|start| used.iter().all(|(from, to)| start + size <= *from || *to <= *start)).min()
}

/// Where an instruction comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Location {
    /// The source, relative to the body's item.
    pub span: Span,
    /// The innermost polled loop, as an index of `Body::loops`.
    pub in_loop: Option<u32>,
    /// Is there another one around that, which may come round again?
    pub nested: bool,
}

/// The locations of a body and its cleanup: one for each statement and terminator, block by block. Machine code refers to them by
/// number from 1; 0 is no place. The numbers depend only on what the body means, so code of an equal body with other
/// spans stays usable.
pub fn locations(body: &Body) -> Vec<Location> {
    let mut locations = Vec::new();
    for body in body.with_cleanup() {
        let nested: FxHashSet<u32> = (0..body.loops.len() as u32).filter(|number| is_nested(body, *number)).collect();
        for (_, block) in body.blocks.iter() {
            let in_loop = polled_loop(body, block.in_loop);
            let nested = in_loop.is_some_and(|number| nested.contains(&number));
            let spans = block.statements.iter().map(|statement| statement.span).chain([block.terminator_span]);
            locations.extend(spans.map(|span| Location { span, in_loop, nested }));
        }
    }
    locations
}

/// Is there a loop with a poll around this one, to the poll of which it leads?
fn is_nested(body: &Body, number: u32) -> bool {
    let outer = |number: u32| polled_loop(body, body.loops.get(number as usize)?.parent);
    if !body.loops[number as usize].polled || outer(number).is_none() {
        return false;
    }
    let around: Vec<u32> = std::iter::successors(outer(number), |at| outer(*at)).collect();
    let is_inside = |block: &Block| {
        let mut loops = std::iter::successors(block.in_loop, |at| body.loops.get(*at as usize)?.parent);
        loops.any(|at| at == number)
    };
    let polls = |block: &Block| block.statements.iter().any(|it| matches!(it.kind, StatementKind::Safepoint(_)));
    let inside = body.blocks.iter().filter(|(_, block)| is_inside(block));
    let mut open: Vec<BlockId> = inside.map(|(id, _)| id).collect();
    let mut seen: FxHashSet<BlockId> = open.iter().copied().collect();
    while let Some(block) = open.pop().map(|id| &body.blocks[id]) {
        if block.in_loop.is_some_and(|at| around.contains(&at)) && polls(block) {
            return true;
        }
        visit::successors(&block.terminator, &mut |next| open.extend(seen.insert(next).then_some(next)));
    }
    false
}

/// The innermost polled loop at or around this one.
fn polled_loop(body: &Body, mut at: Option<u32>) -> Option<u32> {
    while let Some(info) = at.and_then(|index| body.loops.get(index as usize)) {
        if info.polled {
            return at;
        }
        at = info.parent;
    }
    None
}
