//! Where the locals of a function that live in memory lie on the data stack, and where code comes from: the metadata
//! of a function that does not need its code.

use vaisjit_abi::context::FRAME_BLOCK_HEADER;
use vaisjit_semantics::Ty;
use vaisjit_syntax::{Name, Span};

use super::MAX_FRAME;
use crate::layout::Layouts;
use crate::mir::Body;

/// The block a function pushes on the data stack. Functions without a polled loop, and all in static mode, have none:
/// size 0, no locals.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct FrameLayout {
    /// Bytes with the header, a multiple of 16; 0 for no block.
    pub size: u32,
    /// What lies in it, by offset.
    pub locals: Vec<FrameLocal>,
}

/// A local in a block on the data stack.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FrameLocal {
    /// Its number in the body.
    pub local: u32,
    /// Its name in the source.
    pub name: Option<Name>,
    /// Its type.
    pub ty: Ty,
    /// Where, counted from the start of the block's header.
    pub offset: u32,
}

impl FrameLayout {
    /// The layout for a body; `None` when it is larger than a frame may be.
    pub fn of(body: &Body, layouts: &dyn Layouts, hot: bool) -> Option<FrameLayout> {
        let mut frame = FrameLayout::default();
        if !hot || !body.loops.iter().any(|info| info.polled) {
            return Some(frame);
        }
        let mut offset = u64::from(FRAME_BLOCK_HEADER);
        for (local, decl) in body.locals.iter() {
            if !decl.in_memory || decl.ty.is_unit() {
                continue;
            }
            let layout = layouts.layout(decl.ty);
            offset = offset.next_multiple_of(u64::from(layout.align.max(1)));
            frame.locals.push(FrameLocal {
                local: local.into_raw().into_u32(),
                name: decl.name,
                ty: decl.ty,
                offset: u32::try_from(offset).ok()?,
            });
            offset += u64::from(layout.size);
        }
        if !frame.locals.is_empty() {
            frame.size = u32::try_from(offset.next_multiple_of(16)).ok().filter(|size| *size <= MAX_FRAME)?;
        }
        Some(frame)
    }
}

/// Where an instruction comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Location {
    /// The source, relative to the body's item.
    pub span: Span,
    /// The innermost polled loop, as an index of `Body::loops`.
    pub in_loop: Option<u32>,
}

/// The locations of a body: one for each statement and terminator, block by block. Machine code refers to them by
/// number from 1; 0 is no place. The numbers depend only on what the body means, so code of an equal body with other
/// spans stays usable.
pub fn locations(body: &Body) -> Vec<Location> {
    let mut locations = Vec::new();
    for (_, block) in body.blocks.iter() {
        let in_loop = polled_loop(body, block.in_loop);
        let spans = block.statements.iter().map(|statement| statement.span).chain([block.terminator_span]);
        locations.extend(spans.map(|span| Location { span, in_loop }));
    }
    locations
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
