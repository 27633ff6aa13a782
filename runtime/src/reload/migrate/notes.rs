//! What a report tells of values that did not come over as they were.

use vaisjit_semantics::Ty;

use crate::reload::diff::retyped;

/// Something that happened to values, with how they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub kind: NoteKind,
    pub label: String,
    pub old: Ty,
    pub new: Ty,
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
}

impl Note {
    /// The sentence for a report; nothing if it did not happen.
    pub fn text(&self, times: u64) -> Option<String> {
        let Note { label, old, new, .. } = self;
        let values = if times == 1 { "1 value".to_owned() } else { format!("{times} values") };
        let retyped = retyped(*old, *new);
        let text = match self.kind {
            _ if times == 0 => return None,
            NoteKind::Saturated => {
                format!("`{label}`: {values} of `{old}` did not fit into `{new}` and took the nearest one")
            }
            NoteKind::Default => {
                format!("`{label}` {retyped}, which cannot be converted: {values} took the default")
            }
            NoteKind::None => format!("`{label}`: {values} of `None` took the default"),
            NoteKind::Longer(kept) => {
                format!("`{label}` {retyped}: the first {kept} elements are kept, the others have the default")
            }
            NoteKind::Cut(lost) => {
                format!("`{label}` {retyped}: the last {lost} elements are gone")
            }
        };
        Some(text)
    }
}
