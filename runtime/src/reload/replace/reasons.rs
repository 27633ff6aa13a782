//! Why a running loop cannot go on in the new text, in words.

use vaisjit_codegen::resume::{Counterpart, LoopState, Lost, loop_span, most_similar};
use vaisjit_semantics::hir::LoopId;
use vaisjit_syntax::{Place, Span};

use super::Resumer;
use crate::live::{self, FunctionMeta};
use crate::reload::compile::Lowered;

/// A loop of another function with so much in common, of 1,000, may be the same one. Chosen by feel.
const MOVED: u64 = 600;

impl Resumer<'_> {
    /// The loop of the new text that a loop goes on as.
    pub(super) fn next_loop(
        &self,
        meta: &FunctionMeta,
        state: &LoopState,
        counterpart: &Counterpart,
        new: &Lowered,
    ) -> Result<LoopId, String> {
        let running = || match self.old_line(meta, state.id) {
            Some(line) => format!("the loop it runs, in line {line} of the running text,"),
            None => "the loop it runs".to_owned(),
        };
        let next = counterpart.of(state.id).map_err(|lost| match lost {
            Lost::Gone => match self.moved_to(meta, state.id) {
                Some(other) => format!("{} has moved to `{other}`, and what it holds cannot go there", running()),
                None => format!("{} is gone from the new text", running()),
            },
            Lost::Ambiguous(spans) => {
                let lines: Vec<String> = spans.iter().filter_map(|span| self.new_line(new, *span)).collect();
                format!("{} could be any of those in the lines {} of the new text", running(), lines.join(" and "))
            }
        })?;
        match counterpart.turned.contains(&state.id) {
            true => Err(format!(
                "{} or one around it changes between a range and a collection, and where it is in the one says nothing \
                 of the other",
                running()
            )),
            false => Ok(next),
        }
    }

    /// A reason with the line of the new text.
    pub(super) fn with_place(&self, why: &str, new: &Lowered, span: Span) -> String {
        match self.new_line(new, span) {
            Some(line) => format!("{why} (line {line})"),
            None => why.to_owned(),
        }
    }

    fn new_line(&self, new: &Lowered, span: Span) -> Option<String> {
        let resolved = live::resolve(Place::item(new.hir.item.0, span), &self.snapshot.sources)?;
        Some(resolved.at.line.to_string())
    }

    fn old_line(&self, meta: &FunctionMeta, id: LoopId) -> Option<u32> {
        let span = loop_span(&meta.body, id)?;
        Some(meta.resolve_span(span, &self.base.live.sources)?.at.line)
    }

    /// Another function with new code that has a loop like it.
    fn moved_to(&self, meta: &FunctionMeta, id: LoopId) -> Option<String> {
        let others = self.changed.iter().filter(|(instance, _)| *instance != meta.instance);
        let scored = others.map(|(instance, other)| (most_similar(&meta.body, id, &other.hir), instance));
        let best = scored.max_by_key(|(score, _)| *score).filter(|(score, _)| *score >= MOVED);
        best.map(|(_, instance)| instance.path.name.to_string())
    }
}
