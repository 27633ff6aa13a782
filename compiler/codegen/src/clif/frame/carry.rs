//! What polls hand over and resumed bodies take over, with the places where it lies.

use vaisjit_semantics::Ty;

use super::{FrameLayout, FrameLocal};
use crate::clif::types::machine_type;
use crate::layout::Layouts;
use crate::mir::{Body, Carried, Local, LoopInfo, Operand, StatementKind, Taken};
use crate::resume::{BUFFER_VALUES, CarriedValue, CarryHome, LoopState, SPILL_VALUES};

/// What the polls of a body hand over, by loop.
pub(super) fn loop_states(body: &Body, frame: &FrameLayout) -> Vec<LoopState> {
    let mut states: Vec<LoopState> = polls(body)
        .filter_map(|(number, info, carried)| Some((number, info, handed_over(body, frame, carried)?)))
        .map(|(number, info, values)| LoopState { number, id: info.id, values })
        .collect();
    states.sort_by_key(|state| state.number);
    states
}

/// The polls of a body with their loops.
pub(super) fn polls(body: &Body) -> impl Iterator<Item = (u32, &LoopInfo, &[Carried])> {
    body.blocks.values().flat_map(move |block| {
        let info = block.in_loop.and_then(|number| Some((number, body.loops.get(number as usize)?)));
        block.statements.iter().filter_map(move |statement| match (&statement.kind, info) {
            (StatementKind::Safepoint(carried), Some((number, info))) => Some((number, info, &**carried)),
            _ => None,
        })
    })
}

fn handed_over(body: &Body, frame: &FrameLayout, carried: &[Carried]) -> Option<Vec<CarriedValue>> {
    let mut next = SPILL_VALUES;
    let home = |carried: &Carried| {
        let home = match carried_local(body, carried) {
            Some(local) => CarryHome::Block(frame.offset(local)?),
            None => word(&mut next, carried.value.ty())?,
        };
        Some(CarriedValue { key: carried.key, ty: carried.value.ty(), home, owned: carried.owned })
    };
    carried.iter().map(home).collect()
}

/// The local in memory that an entry of a poll is.
pub(super) fn carried_local(body: &Body, carried: &Carried) -> Option<Local> {
    match &carried.value {
        Operand::Copy(place) => place.as_local().filter(|local| body.locals[*local].in_memory),
        Operand::Const(_) => None,
    }
}

/// What a resumed body takes over.
pub(super) fn wanted(body: &Body, frame: &FrameLayout) -> Option<Vec<CarriedValue>> {
    let mut next = BUFFER_VALUES;
    let home = |(local, taken): (Local, Taken)| {
        let declared = &body.locals[local];
        let home = match declared.in_memory {
            true => CarryHome::Block(frame.offset(local)?),
            false => word(&mut next, declared.ty)?,
        };
        Some(CarriedValue { key: taken.key, ty: declared.ty, home, owned: taken.owned })
    };
    body.taken().map(home).collect()
}

/// The next word of the area, or two for 128 bits.
fn word(next: &mut u32, ty: Ty) -> Option<CarryHome> {
    let at = *next;
    *next += machine_type(ty)?.bytes().next_multiple_of(8);
    Some(CarryHome::Word(at))
}

/// Where the values of a poll end in the spill area.
pub(crate) fn spill_end(state: &LoopState) -> u32 {
    let ends = state.values.iter().filter_map(|value| match value.home {
        CarryHome::Word(at) => Some(at + machine_type(value.ty)?.bytes().next_multiple_of(8)),
        CarryHome::Block(_) => None,
    });
    ends.max().unwrap_or(SPILL_VALUES)
}

/// Places for the locals of a resumed body in the block of the code before it: what is taken over stays where it is if
/// it keeps its type and size, and may lie there; the rest avoids all bytes that the transfer still reads.
pub(super) fn place_in(
    body: &Body,
    keep: &FrameLayout,
    layouts: &dyn Layouts,
    mut locals: Vec<FrameLocal>,
) -> Option<FrameLayout> {
    let have = body.resumed.as_ref().map_or(&[][..], |resumed| &resumed.have);
    let read = |local: &&FrameLocal| have.iter().any(|value| value.home == CarryHome::Block(local.offset));
    let mut used: Vec<(u64, u64)> = keep.locals.iter().filter(read).map(FrameLocal::bytes).collect();
    let stays = |local: &FrameLocal| {
        let key = body.taken().find(|(taken, _)| taken.into_raw().into_u32() == local.local)?.1.key;
        let before = have.iter().find(|value| value.key == key && value.ty == local.ty)?;
        let CarryHome::Block(offset) = before.home else { return None };
        let fits = offset.is_multiple_of(layouts.layout(local.ty).align.max(1));
        let same = |old: &&FrameLocal| old.offset == offset && old.size == local.size && fits;
        keep.locals.iter().find(same).map(|old| old.offset)
    };
    for local in &mut locals {
        local.offset = match stays(local) {
            Some(offset) => offset,
            None => {
                let align = u64::from(layouts.layout(local.ty).align.max(1));
                let offset = super::first_fit(&used, u64::from(local.size), align)?;
                used.push((offset, offset + u64::from(local.size)));
                u32::try_from(offset).ok()?
            }
        };
    }
    let end = locals.iter().map(|local| local.bytes().1).max().unwrap_or(0);
    let size = u32::try_from(end.next_multiple_of(16)).ok()?.max(keep.end());
    Some(FrameLayout { size, locals, ..FrameLayout::default() })
}
