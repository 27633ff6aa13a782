//! What lists of steps do: what they read and write, and in what order that may be done.

use crate::heap::migrate::{Op, Test};

/// Takes the steps that only count out of those that every value takes.
pub(super) fn lift(ops: &mut Vec<Op>, times: u64, counts: &mut Vec<(u32, u64)>) {
    ops.retain_mut(|op| match op {
        Op::Count { number } => {
            match counts.iter_mut().find(|(other, _)| other == number) {
                Some((_, known)) => *known += times,
                None => counts.push((*number, times)),
            }
            false
        }
        Op::Each { count, ops, .. } => {
            lift(ops, times * u64::from(*count), counts);
            !ops.is_empty()
        }
        _ => true,
    });
}

/// Does what a step counts depend on the value?
pub(super) fn is_dynamic(op: &Op) -> bool {
    match op {
        Op::Next { .. }
        | Op::Rebuild { .. }
        | Op::Wrap { .. }
        | Op::Unwrap { .. }
        | Op::Count { .. }
        | Op::GivesWay { .. }
        | Op::Refuse { .. } => true,
        Op::Match { arms, .. } => arms.iter().any(|arm| arm.ops.iter().any(is_dynamic)),
        Op::Each { ops, .. } => ops.iter().any(is_dynamic),
        Op::Unpark { otherwise: ops, .. } | Op::If { ops, .. } => ops.iter().any(is_dynamic),
        Op::Reshape { ops, otherwise, .. } => ops.iter().chain(otherwise).any(is_dynamic),
        _ => false,
    }
}

/// Does a step bring bytes that keep their meaning to another offset?
pub(super) fn shifts(op: &Op) -> bool {
    match op {
        Op::Copy { from, to, .. } => from != to,
        Op::Match { arms, .. } => arms.iter().any(|arm| arm.ops.iter().any(shifts)),
        Op::Each { from, to, from_stride, to_stride, ops, .. } => {
            from != to || from_stride != to_stride || ops.iter().any(shifts)
        }
        _ => false,
    }
}

/// Does a step overwrite what a later one reads?
pub(super) fn overlaps(ops: &[Op]) -> bool {
    let mut written: Vec<(u32, u32)> = Vec::new();
    ops.iter().any(|op| {
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        ranges(op, &mut reads, &mut writes);
        let met = reads.iter().any(|(start, end)| written.iter().any(|(s, e)| start < e && s < end));
        // Within a step with several parts nothing is said of their order.
        let inner = matches!(op, Op::Each { .. } | Op::Match { .. })
            && reads.iter().any(|(start, end)| writes.iter().any(|(s, e)| start < e && s < end));
        written.append(&mut writes);
        met || inner
    })
}

/// The bytes a step reads and writes.
fn ranges(op: &Op, reads: &mut Vec<(u32, u32)>, writes: &mut Vec<(u32, u32)>) {
    match op {
        Op::Copy { from, to, bytes } => {
            reads.push((*from, from + bytes));
            writes.push((*to, to + bytes));
        }
        Op::Fill { to, bytes } => writes.push((*to, to + bytes.len() as u32)),
        Op::Zero { to, bytes } | Op::Next { to, bytes, .. } => writes.push((*to, to + bytes)),
        Op::Number { from, to, old, new, .. } | Op::Changed { from, to, old, new, .. } => {
            reads.push((*from, from + old.size() as u32));
            writes.push((*to, to + new.size() as u32));
        }
        Op::Match { from, arms } => {
            reads.push((*from, from + 8));
            arms.iter().flat_map(|arm| &arm.ops).for_each(|op| ranges(op, reads, writes));
        }
        Op::Each { from, to, from_stride, to_stride, count, ops } => {
            // Of elements that stay, each only touches itself.
            if from == to && from_stride == to_stride && !overlaps(ops) {
                return writes.push((*to, to + to_stride * count));
            }
            let reads_any = ops.iter().any(|op| {
                let mut reads = Vec::new();
                ranges(op, &mut reads, &mut Vec::new());
                !reads.is_empty()
            });
            if reads_any {
                reads.push((*from, from + from_stride * count));
            }
            writes.push((*to, to + to_stride * count));
        }
        Op::If { at, is, ops } => {
            let end = match is {
                Test::Other(bytes) => bytes.len() as u32,
                Test::Tickets(references, _) => references.end(),
            };
            reads.push((*at, at + end));
            ops.iter().for_each(|op| ranges(op, reads, writes));
        }
        // Its bytes are its own, but what it reads if nothing is there are not.
        Op::Unpark { otherwise, .. } => otherwise.iter().for_each(|op| ranges(op, reads, &mut Vec::new())),
        Op::Park { .. } | Op::Own { .. } => {}
        Op::Reshape { from, bytes, to, size, otherwise, .. } => {
            reads.push((*from, from + bytes));
            otherwise.iter().for_each(|op| ranges(op, reads, &mut Vec::new()));
            writes.push((*to, to + size));
        }
        Op::Wrap { to, ops, .. } => {
            ops.iter().for_each(|op| ranges(op, reads, &mut Vec::new()));
            writes.push((*to, to + 8));
        }
        Op::Unwrap { from, to, bytes, .. } => {
            reads.push((*from, from + 8));
            writes.push((*to, to + bytes));
        }
        Op::Rebuild { from, to, .. } => {
            reads.push((*from, from + 8));
            writes.push((*to, to + 8));
        }
        Op::Drop { to, references } => writes.push((*to, to + references.end())),
        Op::Release { from, references } => reads.push((*from, from + references.end())),
        Op::Refuse { waiting, .. } => waiting.iter().for_each(|op| ranges(op, reads, writes)),
        Op::Count { .. } | Op::Note { .. } | Op::GivesWay { .. } => {}
    }
}
