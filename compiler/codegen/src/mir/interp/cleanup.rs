//! What is deferred in calls that a trap has ended.

use std::sync::Arc;

use super::frame::{Done, Frame, SPOILT};
use super::{Interp, Stop};
use crate::mir::Body;

impl Interp<'_> {
    /// Gives up all frames from `base` on, the innermost first, and runs what they have deferred.
    pub(super) fn clean_up(&mut self, base: usize) {
        while self.frames.len() > base
            && let Some(left) = self.frames.pop()
        {
            let Some(cleanup) = left.body.cleanup.clone().map(|cleanup| Arc::new(*cleanup)) else { continue };
            let mut before = None;
            // After a trap in a deferred block the others are run.
            while let Ok(pending) = self.pending(&left)
                && before.as_ref() != Some(&pending)
                && self.run_cleanup(&left, &cleanup).is_err_and(|stop| matches!(stop, Stop::Trap(..)))
            {
                before = Some(pending);
            }
        }
    }

    /// How often each deferred block is still to be run.
    fn pending(&mut self, left: &Frame) -> Done<Vec<u128>> {
        let counts = left.body.locals.iter().filter(|(_, declared)| {
            declared.pinned.is_some() && declared.name.is_some_and(|name| name.starts_with("{defer."))
        });
        let slots: Vec<u64> = counts.map(|(local, _)| left.slot(local) as u64).collect();
        Ok(slots.into_iter().map(|at| self.machine.memory.load(at, 8)).collect::<Result<_, _>>()?)
    }

    fn run_cleanup(&mut self, left: &Frame, body: &Arc<Body>) -> Done {
        let base = self.frames.len();
        let mut owned = Vec::new();
        let mut slots = Vec::with_capacity(body.locals.len());
        for declared in body.locals.values() {
            let same = declared
                .pinned
                .and_then(|pinned| left.body.locals.iter().find(|(_, declared)| declared.pinned == Some(pinned)));
            slots.push(match same {
                Some((local, _)) => left.slot(local),
                None if declared.in_memory => self.local_memory(declared.ty, None, &mut owned)?,
                None => SPOILT,
            });
        }
        let Some(entry) = body.blocks.iter().next().map(|(id, _)| id) else { return Ok(()) };
        self.frames.push(Frame { body: body.clone(), block: entry, next: 0, slots, owned });
        let ended = self.run_on(base);
        if ended.is_err() {
            self.clean_up(base);
        }
        ended.map(|_| ())
    }
}
