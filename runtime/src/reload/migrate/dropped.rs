//! Locals of running functions that their new code does not take over, though something that goes on points at them.

use std::ops::Range;
use std::sync::Arc;

use vaisjit_codegen::clif::frame::FrameLocal;
use vaisjit_codegen::layout::LayoutHistory;
use vaisjit_codegen::resume::CarryHome;
use vaisjit_semantics::{ItemPath, Ty};

use super::aside::called;
use super::known::Known;
use super::moves::{each, holder};
use super::offsets::Words;
use super::trial::{Denied, Going, Local, spilled};
use crate::heap::migrate::{Area, Word};
use crate::linkage::Linkage;

/// A local that is left.
struct Left {
    range: Range<usize>,
    name: String,
    function: String,
}

impl Local {
    fn left(&self) -> impl Iterator<Item = Left> {
        let going = self.going.as_ref();
        let is_left = move |local: &&FrameLocal| {
            let has_grown = self.grown.iter().any(|(offset, _)| *offset == local.offset);
            let leaves = |going: &&Going| going.transfer.left.contains(&local.offset);
            !has_grown && going.filter(leaves).is_some() && self.holds(local)
        };
        self.frame.locals.iter().filter(is_left).filter_map(|local| {
            let at = self.place(local)?;
            let name = local.name.map_or_else(|| "a value without a name".to_owned(), |name| format!("`{name}`"));
            Some(Left { range: at..at + local.size as usize, name, function: self.function.clone() })
        })
    }
}

/// Refuses that the new code of running functions leaves locals to which a pointer leads, in a global, on the heap, or in
/// what goes on.
pub(crate) fn look_for_pointers(
    linkage: &Linkage,
    history: &Arc<LayoutHistory>,
    globals: &[(ItemPath, Ty)],
    locals: &[Local],
) -> Result<(), Denied> {
    let left: Vec<Left> = locals.iter().flat_map(Local::left).collect();
    if left.is_empty() {
        return Ok(());
    }
    let (mut words, mut found) = (Words::new(&Known::new(history.clone())), None);
    let mut look = |area: &Area, who: &dyn Fn() -> String| {
        let parts = words.of(area.ty);
        each(area, &parts, &mut |_, word, kind| {
            if let (Word::Pointer(_), None) = (kind, &found) {
                let local = left.iter().find(|left| left.range.contains(&word));
                found = local.map(|left| (who(), left));
            }
        });
    };
    let one = |at: usize, ty: Ty| Area { at, count: 1, stride: 0, ty, block: ty };
    for (path, ty) in globals {
        if let Some(memory) = linkage.global(*path) {
            look(&one(memory.address(), *ty), &|| format!("global `{}`", called(*path, *ty)));
        }
    }
    for local in locals {
        let goes_on = |home: CarryHome| local.carries(home);
        let variables = local.frame.locals.iter().filter(|of| local.holds(of) && goes_on(CarryHome::Block(of.offset)));
        for variable in variables {
            if let Some(at) = local.place(variable) {
                look(&one(at, variable.ty), &|| local.name(variable));
            }
        }
        for (at, _, ty) in spilled(local).filter(|(_, home, _)| goes_on(*home)) {
            look(&one(at, ty), &|| format!("a local of `{}`", local.function));
        }
    }
    let tables = linkage.behind_tables();
    let behind = |table: usize| tables.get(&table).copied().unwrap_or_else(Ty::unit);
    linkage.heap().each_area(&behind, &mut |area| look(&area, &|| holder(area.block)));
    let Some((who, left)) = found else { return Ok(()) };
    Err(Denied {
        name: left.function.clone(),
        why: format!("it is running, and {who} points at {}, which its new code does not take over", left.name),
        help: format!(
            "keep {} with its type, let the program point at something else first, or press R in the terminal (`hot_restart`)",
            left.name
        ),
        pinned_by: None,
    })
}
