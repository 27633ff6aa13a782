//! What a report tells of values that did not come over as they were.

use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use crate::reload::diff::{retyped, told_apart};

/// Something that happened to values, with how they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub kind: NoteKind,
    pub label: String,
    pub old: Ty,
    pub new: Ty,
    /// The types of the collection whose elements it happens to, if it does.
    pub of: Option<(Ty, Ty)>,
    /// Is the old value kept aside?
    pub aside: bool,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoteKind {
    /// Numbers did not fit the new type.
    Saturated,
    /// There is no way from the old type to the new one.
    Default,
    /// There was no value to take out of an `Option`.
    None,
    /// An array has lost this many elements.
    Cut(u32),
    /// An array has more elements than these.
    Longer(u32),
    /// There is no way from the old type to the new one, and what there was of that is back.
    Back,
    /// The variant was removed, and what has been removed holds it.
    Waiting(Name),
}

impl Note {
    /// The sentence for a report; nothing if it did not happen. `holders` hold such a collection.
    pub fn text(&self, times: u64, holders: Option<&Vec<String>>) -> Option<String> {
        let Note { old, new, .. } = self;
        let label = &holders.map_or_else(|| self.label.clone(), |all| all.join("`, `"));
        let values = if times == 1 { "1 value".to_owned() } else { format!("{times} values") };
        let retyped = retyped(*old, *new);
        let text = match self.kind {
            _ if times == 0 => return None,
            NoteKind::Saturated => {
                format!("`{label}`: {values} of `{old}` did not fit into `{new}` and took the nearest one")
            }
            NoteKind::Default if let Some((list, _)) = self.of => {
                let elements = if times == 1 { "1 element".to_owned() } else { format!("{times} elements") };
                format!(
                    "{elements} of `{label}` (`{list}`) could not become {} and took {}",
                    told_apart(*old, *new).1,
                    start(*new)
                )
            }
            NoteKind::Default => {
                format!("`{label}` {retyped}, which cannot be converted: {values} took the default")
            }
            NoteKind::Back => {
                let are = if times == 1 { "is" } else { "are" };
                format!(
                    "`{label}` {retyped}, which cannot be converted: {values} {are} given up, and what was there before is back, or else the default"
                )
            }
            NoteKind::Waiting(variant) => format!(
                "{values} of the removed variant `{variant}` of `{old}` only waited (in removed fields and globals, or kept aside) and took the default"
            ),
            NoteKind::None => format!("`{label}`: {values} of `None` took the default"),
            NoteKind::Longer(kept) => {
                let kept = match kept {
                    1 => "the first element is".to_owned(),
                    _ => format!("the first {kept} elements are"),
                };
                format!("`{label}` {retyped}: {kept} kept, the others have the default")
            }
            NoteKind::Cut(lost) => {
                let lost = match lost {
                    1 => "the last element is".to_owned(),
                    _ => format!("the last {lost} elements are"),
                };
                let how = if self.aside { "kept aside" } else { "gone" };
                format!("`{label}` {retyped}: {lost} {how}")
            }
        };
        let waits = match self.kind {
            NoteKind::Default | NoteKind::Saturated | NoteKind::None if self.aside && times == 1 => {
                "; the old one is kept aside"
            }
            NoteKind::Default | NoteKind::Saturated | NoteKind::None if self.aside => "; the old ones are kept aside",
            _ => "",
        };
        Some(text + waits)
    }
}

/// What a value of a type without a declared default starts with.
fn start(ty: Ty) -> &'static str {
    match ty.kind() {
        TyKind::Int(_) => "0",
        TyKind::Float(_) => "0.0",
        TyKind::Bool => "`false`",
        TyKind::Str => "`\"\"`",
        _ => "the default",
    }
}
