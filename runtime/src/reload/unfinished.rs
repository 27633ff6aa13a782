//! Values that a function is putting together while it waits in a call. What has been made of them is there, the rest is
//! whatever the last value left in the same place.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use vaisjit_codegen::clif::frame::{FrameLayout, FrameLocal};
use vaisjit_codegen::layout::{Layouts, TypeLayouts};
use vaisjit_codegen::mir::live::{Addressed, parts_written};
use vaisjit_codegen::mir::{BlockId, Body, Place, Projection};
use vaisjit_semantics::{Checked, Ty, TyKind};

use super::admissible::{mir_of, place};
use super::migrate::known::Known;
use super::migrate::leads_to;
use crate::live::FunctionMeta;

/// What lies in a function's block while it waits: of locals that are being put together only the parts that are there.
pub(crate) fn finished(meta: &FunctionMeta, srcloc: u32, checked: &Checked, layouts: &TypeLayouts) -> Arc<FrameLayout> {
    let split = || {
        let body = mir_of(meta, checked, layouts)?;
        let at = place(&body, srcloc)?;
        let layouts = meta.past.as_ref().map_or(layouts, |past| &past.layouts);
        let addressed = Addressed::of(&body);
        let locals = meta.frame.locals.iter();
        let parts: Vec<Option<Vec<FrameLocal>>> =
            locals.map(|local| there(local, (&body, at), &addressed, layouts)).collect();
        if parts.iter().all(Option::is_none) {
            return None;
        }
        let mut frame = (*meta.frame).clone();
        let whole = frame.locals.drain(..).zip(parts);
        frame.locals = whole.flat_map(|(local, parts)| parts.unwrap_or_else(|| vec![local])).collect();
        Some(Arc::new(frame))
    };
    split().unwrap_or_else(|| meta.frame.clone())
}

/// The parts of a local that are there, if some are not.
fn there(
    local: &FrameLocal,
    (body, at): (&Body, (BlockId, usize)),
    addressed: &Addressed,
    layouts: &TypeLayouts,
) -> Option<Vec<FrameLocal>> {
    let whole = body.local(local.local);
    if local.pinned.is_some() || !local.ty.is_aggregate() || addressed.may_hold(body, at, whole) {
        return None;
    }
    let written = parts_written(body, whole);
    let is_there = |part: &&Place| addressed.may_have_part(body, at, whole, &part.projections);
    let there: Vec<&Place> = written.iter().filter(is_there).collect();
    if there.len() == written.len() {
        return None;
    }
    let is_outer = |part: &&&Place| {
        let holds = |other: &&Place| {
            other.projections.len() < part.projections.len() && part.projections.starts_with(&other.projections)
        };
        !there.iter().any(holds)
    };
    let part = |part: &&Place| {
        let offset = offset(local.ty, &part.projections, layouts);
        let size = layouts.layout(part.ty).size;
        let within = |(at, ty): &(u32, Ty)| Some((at.checked_sub(offset).filter(|at| *at < size)?, *ty));
        let released = local.released.iter().filter_map(within).collect();
        FrameLocal { ty: part.ty, offset: local.offset + offset, size, released, key: None, ..local.clone() }
    };
    Some(there.iter().filter(is_outer).map(part).collect())
}

/// Where a part lies in a value.
fn offset(of: Ty, path: &[Projection], layouts: &TypeLayouts) -> u32 {
    let step = |(offset, ty): (u32, Ty), step: &Projection| match (step, ty.kind()) {
        (Projection::Field(field), _) => (offset + layouts.field_offset(ty, *field), layouts.field_ty(ty, *field)),
        (Projection::VariantField(variant, field), _) => {
            let at = layouts.variant_field_offset(ty, *variant, *field);
            (offset + at, layouts.variant_field_ty(ty, *variant, *field))
        }
        (Projection::ConstIndex(index), TyKind::Array(element, _)) => {
            (offset + *index as u32 * layouts.layout(*element).size, *element)
        }
        _ => (offset, ty),
    };
    path.iter().fold((0, of), step).0
}

/// Has a function a part of its result already, and may that lead to values of these types? It lies with the caller.
pub(super) fn has_result(body: &Body, srcloc: u32, known: &Known, types: impl Iterator<Item = Ty>) -> bool {
    let result = body.local(Body::RESULT);
    let ty = body.locals[result].ty;
    if !ty.is_aggregate() {
        return false;
    }
    let is_begun = |at| Addressed::of(body).may_have_value(body, at, result);
    place(body, srcloc).is_none_or(is_begun) && leads_to(known, ty, &types.collect::<FxHashSet<Ty>>())
}
