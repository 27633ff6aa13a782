//! Types that are being typed: the parser could make nothing of a field or variant of theirs. What seems to be missing
//! elsewhere may be just that, so it is not said there, too.

use rustc_hash::FxHashSet;
use vaisjit_syntax::ast::{Function, Item, ItemKind};
use vaisjit_syntax::codes::{UNCLOSED_BRACKET, UNEXPECTED_TOKEN, UNMATCHED_BRACKET};
use vaisjit_syntax::{Diagnostic, Name};

use crate::codes;
use crate::program::ModuleInput;
use crate::world::World;

/// The types of which members may be missing.
pub(crate) struct HalfTyped {
    names: FxHashSet<Name>,
    /// Is one of them an enum?
    enums: bool,
}

/// The name of a type of which a member may be missing, and whether it is an enum.
fn half_typed(item: &Item, diagnostics: &[Diagnostic]) -> Option<(Name, bool)> {
    let (name, methods, is_enum) = match &item.kind {
        ItemKind::Struct(def) => (def.name.name, &def.methods, false),
        ItemKind::Enum(def) => (def.name.name, &def.methods, true),
        _ => return None,
    };
    let in_method =
        |at: u32| methods.iter().any(|method: &Function| (method.span.start..method.span.end).contains(&at));
    let lost = diagnostics.iter().any(|found| {
        matches!(found.code, UNEXPECTED_TOKEN | UNCLOSED_BRACKET | UNMATCHED_BRACKET)
            && !in_method(found.primary.place.span.start)
    });
    lost.then_some((name, is_enum))
}

fn all(module: &ModuleInput) -> impl Iterator<Item = (Name, bool)> {
    module.tree.items.iter().filter_map(|parsed| half_typed(&parsed.item, &parsed.diagnostics))
}

/// Has a module such a type?
pub(crate) fn is_in(module: &ModuleInput) -> bool {
    all(module).next().is_some()
}

impl HalfTyped {
    /// Those of a program.
    pub fn of(world: &World<'_>) -> HalfTyped {
        let found: Vec<(Name, bool)> = world.input.modules.iter().flat_map(all).collect();
        HalfTyped {
            enums: found.iter().any(|(_, is_enum)| *is_enum),
            names: found.iter().map(|(name, _)| *name).collect(),
        }
    }

    /// Is a mistake probably only that a member of such a type is missing?
    pub fn explains(&self, diagnostic: &Diagnostic) -> bool {
        match diagnostic.code {
            codes::UNKNOWN_FIELD | codes::MISSING_FIELD | codes::UNKNOWN_VARIANT | codes::UNKNOWN_METHOD => {
                let subject = diagnostic.message.split('`').nth(1).unwrap_or_default();
                let subject = subject.trim_start_matches(['*', '&']).split(['<', '.']).next().unwrap_or_default();
                self.names.iter().any(|name| *name == *subject)
            }
            // What a variant stands for without its enum may be a variant that is missing.
            codes::UNKNOWN_TYPE | codes::UNKNOWN_NAME => self.enums,
            _ => false,
        }
    }
}
