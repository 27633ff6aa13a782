//! Resuming a running loop in another version of its function: what a loop's poll hands over, and what code that starts
//! in the middle of a loop wants.
//!
//! ```text
//! old code, at a poll                  runtime                           new code, compiled to start at that loop
//! spill area: result address, values   copies and converts by key        buffer: block, result address, values
//! block on the data stack              keeps, extends                    the same block
//! ```
//!
//! At a poll that has to stop, code writes the scalars in scope into a *spill area* of its frame: the address its result
//! goes to (or 0), the number of the loop, then the values; and the area's address into the call context. If the runtime answers with an address, the code goes on there by a tail call with
//! nothing but the call context; the code there finds the *buffer* through the context. Values in memory stay where they
//! are: the new code takes over the block, in which every local that keeps its type keeps its offset.

use std::fmt;

use vaisjit_semantics::hir::LoopId;
use vaisjit_semantics::{Checked, Ty, TyKind};
use vaisjit_syntax::Name;

use crate::layout::Layouts;

mod counterpart;
mod locals;
mod matching;
mod parts;
mod rest;
mod same;

pub use counterpart::{Counterpart, carried_local, local_of, loop_span, starts};
pub(crate) use counterpart::{label, numbers};
pub use matching::{Lost, loop_id, loops_around, most_similar};
pub use rest::{Version, rest_is_same};
pub use same::fingerprint_from_head;

/// What a local is known by in all versions of its function.
///
/// [`Counterpart`] tells which key of one version is which of another.
///
/// Hidden ones: `{i.at}` the counter of the loop over `i` (also where `i` itself counts), `{i.end}`, `{i.of}` and `{i.in.0}`
/// what it runs to and over, `{defer.0}` how often a `D` is still to run, `{owned}` a temporary that a scope around the
/// loop will release, `{captured}` a closure's payload, `{result}` the result while deferred blocks run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CarryKey {
    /// Its name; that of hidden ones starts with `{` (`{i.at}`).
    pub name: Name,
    /// Which of those with this name: of the body's locals; of the state of loops the number of the loop.
    pub nth: u32,
    /// The path of fields below the local, if it has been taken apart into scalars (of `pos.at.x` it is `at.x`).
    pub part: Option<Name>,
}

/// `x`, `x#1` for the second `x` of the function, `pos.x` for a field.
impl fmt::Display for CarryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if self.nth > 0 {
            write!(f, "#{}", self.nth)?;
        }
        self.part.map_or(Ok(()), |part| write!(f, ".{part}"))
    }
}

/// Where a value lies when it is handed over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CarryHome {
    /// A scalar, at an offset of the spill area, or of the buffer.
    Word(u32),
    /// In memory, at an offset of the block on the data stack (header included).
    Block(u32),
}

/// A value that is handed over.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CarriedValue {
    /// Whose.
    pub key: CarryKey,
    /// Its type.
    pub ty: Ty,
    /// Where it lies.
    pub home: CarryHome,
    /// Does the function own its counted references (and would release them)?
    pub owned: bool,
}

/// What the poll of a loop hands over.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LoopState {
    /// The loop, as an index of `Body::loops`.
    pub number: u32,
    /// The loop in the typed tree.
    pub id: LoopId,
    /// What is in scope, outer locals first.
    pub values: Vec<CarriedValue>,
}

/// Where a part of a local lies in it, and its type; `part` is a path as in [`CarryKey::part`].
pub fn part_of(ty: Ty, part: Name, program: &Checked, layouts: &dyn Layouts) -> Option<(u32, Ty)> {
    let (mut offset, mut of) = (0, ty);
    for step in part.split('.') {
        let number = match of.kind() {
            TyKind::Struct(..) => program.structs.get(&of)?.fields.iter().position(|field| field.name == step)? as u32,
            _ => step.parse().ok()?,
        };
        offset += layouts.field_offset(of, number);
        of = layouts.field_ty(of, number);
    }
    Some((offset, of))
}

/// Offset of the address the result goes to in the spill area; values follow.
pub const SPILL_RESULT: u32 = 0;
/// Offset of the answer to a poll in the spill area; the result's address has been read by then.
pub const SPILL_ANSWER: u32 = 0;
/// Offset of the call context in the spill area, written with an answer that is not 0; the number of the loop has been read
/// by then.
pub const SPILL_CONTEXT: u32 = 8;
/// Offset of the number of the loop in the spill area.
pub const SPILL_LOOP: u32 = 8;
/// Offset of the first value in the spill area.
pub const SPILL_VALUES: u32 = 16;
/// Offset of the block's address in the buffer.
pub const BUFFER_BLOCK: u32 = 0;
/// Offset of the address the result goes to in the buffer.
pub const BUFFER_RESULT: u32 = 8;
/// Offset of the first value in the buffer.
pub const BUFFER_VALUES: u32 = 16;
