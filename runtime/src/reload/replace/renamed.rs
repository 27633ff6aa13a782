//! Locals around a running loop that have another name in the new text.
//!
//! A local that is gone and one that is new are the same if they have the same type and the same initial value as it is
//! written, and nothing else could be meant: no other local that is gone or new has both.

use vaisjit_codegen::resume::LoopState;
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::Body;
use vaisjit_syntax::Name;

/// The locals declared around a loop, with the texts of their initial values.
type Texts = [(Name, String)];

/// Old and new names.
pub(super) fn renamed(old: (&Body, &Texts), new: (&Body, &Texts)) -> Vec<(Name, Name)> {
    let gone = only_in(old, new.0);
    let added = only_in(new, old.0);
    let alike = |one: &Declared<'_>, other: &Declared<'_>| one.ty == other.ty && one.text == other.text;
    let mut pairs = Vec::new();
    for one in &gone {
        let mut matching = added.iter().filter(|other| alike(one, other));
        let rivals = gone.iter().filter(|other| alike(one, other)).count();
        if let (Some(other), None, 1) = (matching.next(), matching.next(), rivals) {
            pairs.push((one.name, other.name));
        }
    }
    pairs
}

/// What a loop hands over, under the new names.
pub(super) fn under_new_names(state: &LoopState, names: &[(Name, Name)]) -> LoopState {
    let mut state = state.clone();
    for value in &mut state.values {
        if let Some((_, new)) = names.iter().find(|(old, _)| *old == value.key.name) {
            value.key.name = *new;
        }
    }
    state
}

struct Declared<'a> {
    name: Name,
    ty: Ty,
    text: &'a str,
}

/// The locals of a text whose names another body does not have, each name once.
fn only_in<'a>((body, texts): (&Body, &'a Texts), other: &Body) -> Vec<Declared<'a>> {
    let has = |body: &Body, name: Name| body.locals.iter().filter(|(_, local)| local.name == name).count();
    let own = texts.iter().filter(|(name, _)| has(body, *name) == 1 && has(other, *name) == 0);
    let declared = own.filter_map(|(name, text)| {
        let (_, local) = body.locals.iter().find(|(_, local)| local.name == *name)?;
        Some(Declared { name: *name, ty: local.ty, text })
    });
    declared.collect()
}
