//! The entry points: a text to its module, and an edited text to its module with the old one's help.

use std::sync::Arc;

use crate::layout::{Chunk, Layout};
use crate::parser::Grammar;
use crate::{Diagnostic, ItemId, Module, ParsedItem};

/// Parses a whole text. Never fails: what is wrong with it stands in the items' diagnostics.
pub fn parse(text: &str) -> Module {
    let mut layout = Layout::new(text, 0);
    let mut chunks = Vec::new();
    while let Some(chunk) = layout.next_chunk() {
        chunks.push(chunk);
    }
    let grammar = Grammar::new();
    Module::new(chunks.iter().map(|chunk| build(&grammar, chunk, text, ItemId::fresh())).collect())
}

fn build<'t>(grammar: &Grammar<'t>, chunk: &'t Chunk, text: &'t str, id: ItemId) -> ParsedItem {
    let parsed = grammar.item(chunk, &text[chunk.start as usize..chunk.end as usize]);
    let diagnostics: Vec<Diagnostic> = parsed.problems.into_iter().map(|problem| problem.anchor(id)).collect();
    ParsedItem { id, start: chunk.start, end: chunk.end, item: Arc::new(parsed.item), diagnostics: diagnostics.into() }
}
