//! What several threads hold at once, and what therefore cannot become another value in one frame after the other.

use rustc_hash::FxHashSet;
use vaisjit_codegen::layout::{KnownLayout, TypeLayouts};
use vaisjit_codegen::resume::{Counterpart, LoopState, carried_local};
use vaisjit_semantics::hir::Body;
use vaisjit_semantics::{Ty, TyKind};

/// The module of the library whose generic types are references that threads share.
const SHARED: &str = "std/thread";

/// Why a loop cannot go on in the new text if a local holds such a value that would be of another type.
pub(super) fn parted(
    state: &LoopState,
    counterpart: &Counterpart,
    (old, before): (&Body, &TypeLayouts),
    (new, after): (&Body, &TypeLayouts),
) -> Option<String> {
    state.values.iter().find_map(|value| {
        let from = carried_local(old, value.key)?;
        let local = &old.locals[from];
        let paired = counterpart.locals.iter().find(|(old, _)| *old == from).map(|(_, new)| *new);
        let named = || new.locals.iter().find(|(_, other)| other.name == local.name).map(|(id, _)| id);
        let to = new.locals[paired.or_else(named)?].ty;
        let (held, holds) = (shared(local.ty, before), shared(to, after));
        let is_other = |one: &Ty, other: &Ty| match (one.kind(), other.kind()) {
            (TyKind::Struct(a, _), TyKind::Struct(b, _)) => a == b,
            _ => false,
        };
        let (gone, come) = held.difference(&holds).find_map(|gone| {
            let come = holds.difference(&held).find(|come| is_other(gone, come))?;
            Some((gone, come))
        })?;
        Some(format!(
            "`{}` holds a `{gone}` that would become a `{come}`, and other threads may hold the same one (what a global \
             holds is changed for all of them)",
            local.name
        ))
    })
}

/// The types of such values that a value of a type holds.
fn shared(ty: Ty, layouts: &TypeLayouts) -> FxHashSet<Ty> {
    let (mut found, mut seen, mut left) = (FxHashSet::default(), FxHashSet::default(), vec![ty]);
    while let Some(ty) = left.pop() {
        if !seen.insert(ty) {
            continue;
        }
        match *ty.kind() {
            TyKind::Array(of, _) | TyKind::Slice(of) | TyKind::Vec(of) | TyKind::Box(of) => left.push(of),
            TyKind::HashMap(key, value) => left.extend([key, value]),
            TyKind::Tuple(parts) => left.extend(parts.iter().copied()),
            TyKind::Struct(path, arguments) if path.module == SHARED => {
                found.extend((!arguments.is_empty()).then_some(ty));
                left.extend(arguments.iter().copied());
            }
            TyKind::Struct(..) | TyKind::Enum(..) => {
                let fields = |known: KnownLayout| known.variants.into_iter().flat_map(|variant| variant.fields);
                left.extend(layouts.known(ty).into_iter().flat_map(fields).map(|field| field.ty));
            }
            _ => {}
        }
    }
    found
}
