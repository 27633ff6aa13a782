//! The entry points: a text to its module, and an edited text to its module with the old one's help.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::codes;
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
    let (start, end, tokens) = (chunk.start, chunk.end, chunk.fingerprint());
    ParsedItem { id, start, end, item: Arc::new(parsed.item), diagnostics: diagnostics.into(), tokens }
}

/// How many items before an edit are parsed again: where an item ends depends on the first tokens behind it.
const MARGIN: usize = 6;

/// Parses an edited text, given the module of the text before the edit. The result is that of [`parse`], but items that
/// the edit did not touch keep their ids and trees, and the work is proportional to the edit.
pub fn reparse(text: &str, previous: &Module, previous_text: &str) -> Module {
    let prefix = common_prefix(text.as_bytes(), previous_text.as_bytes());
    if prefix == text.len() && prefix == previous_text.len() {
        return previous.clone();
    }
    let shortest = text.len().min(previous_text.len()) - prefix;
    let suffix = common_suffix(text.as_bytes(), previous_text.as_bytes()).min(shortest);
    let old = previous.items.as_slice();
    let kept = kept_before(old, previous_text, prefix);
    let start = if kept == 0 { 0 } else { old[kept].start as usize };

    let mut layout = Layout::new(text, start);
    let mut chunks = Vec::new();
    let mut resumed = old.len();
    let mut meeting =
        Meeting { old, shift: text.len() as i64 - previous_text.len() as i64, from: text.len() - suffix, met: None };
    while let Some(chunk) = layout.next_chunk() {
        if let Some(index) = meeting.meets(chunk.start) {
            resumed = index;
            break;
        }
        chunks.push(chunk);
    }

    let grammar = Grammar::new();
    let mut replaced = Replaced::new(&old[kept..resumed.max(kept)], previous_text);
    let mut items = old[..kept].to_vec();
    items.extend(chunks.iter().map(|chunk| replaced.build(&grammar, chunk, text)));
    items.extend(old[resumed..].iter().map(|item| ParsedItem {
        start: (i64::from(item.start) + meeting.shift) as u32,
        end: (i64::from(item.end) + meeting.shift) as u32,
        ..item.clone()
    }));
    Module::new(items)
}

/// How many items before the edit can stay as they are.
fn kept_before(old: &[ParsedItem], previous_text: &str, prefix: usize) -> usize {
    let untouched = old.partition_point(|item| (item.end as usize) < prefix);
    // A string that was never closed may be closed by the edit, however far away.
    let open = |item: &ParsedItem| item.diagnostics.iter().any(|diagnostic| diagnostic.code == codes::UNCLOSED_STRING);
    let far = old[..untouched].iter().position(open).unwrap_or(untouched);
    // So may a comment of C.
    let far = previous_text[..prefix]
        .find("/*")
        .map_or(far, |at| far.min(old.partition_point(|item| (item.end as usize) < at)));
    far.min(untouched.saturating_sub(MARGIN))
}

/// Finds the item from which on the old and the new text have the same items.
struct Meeting<'a> {
    old: &'a [ParsedItem],
    /// What is added to offsets of the old text.
    shift: i64,
    /// From here on the texts are equal.
    from: usize,
    /// The old item at which the last new one started, if one did.
    met: Option<usize>,
}

impl Meeting<'_> {
    /// The old item to go on from, when two new items in a row start where old ones do. One would not do: whether an
    /// item is the first of its line depends on what is before it.
    fn meets(&mut self, start: u32) -> Option<usize> {
        let before = self.met.take();
        if (start as usize) < self.from {
            return None;
        }
        let was = i64::from(start) - self.shift;
        let index = self.old.binary_search_by_key(&was, |item| i64::from(item.start)).ok()?;
        self.met = Some(index);
        before.and(self.met)
    }
}

/// Old items whose place is parsed again, by their text.
struct Replaced<'a> {
    by_text: FxHashMap<&'a str, VecDeque<&'a ParsedItem>>,
}

impl<'a> Replaced<'a> {
    fn new(old: &'a [ParsedItem], text: &'a str) -> Replaced<'a> {
        let mut by_text: FxHashMap<&str, VecDeque<_>> = FxHashMap::default();
        for item in old {
            by_text.entry(&text[item.start as usize..item.end as usize]).or_default().push_back(item);
        }
        Replaced { by_text }
    }

    /// Builds an item; one of the same text as before keeps its id, and its tree unless what follows it changed its
    /// meaning.
    fn build<'t>(&mut self, grammar: &Grammar<'t>, chunk: &'t Chunk, text: &'t str) -> ParsedItem {
        let source = &text[chunk.start as usize..chunk.end as usize];
        let Some(old) = self.by_text.get_mut(source).and_then(VecDeque::pop_front) else {
            return build(grammar, chunk, text, ItemId::fresh());
        };
        if chunk.is_clean() && old.diagnostics.is_empty() && chunk.fingerprint() == old.tokens {
            return ParsedItem { start: chunk.start, end: chunk.end, ..old.clone() };
        }
        let new = build(grammar, chunk, text, old.id);
        // Equality ignores spans; their debug form shows them.
        let same = new.item == old.item && format!("{:?}", new.diagnostics) == format!("{:?}", old.diagnostics);
        if !same {
            return new;
        }
        ParsedItem { item: old.item.clone(), diagnostics: old.diagnostics.clone(), ..new }
    }
}

/// How many bytes two texts have in common at their start; compares by blocks, which is much faster than by bytes.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 4096;
    let blocks = a.chunks(BLOCK).zip(b.chunks(BLOCK)).take_while(|(a, b)| a == b && a.len() == BLOCK).count() * BLOCK;
    blocks + a[blocks..].iter().zip(&b[blocks..]).take_while(|(a, b)| a == b).count()
}

/// The same at their end.
fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 4096;
    let blocks = a.rchunks(BLOCK).zip(b.rchunks(BLOCK)).take_while(|(a, b)| a == b && a.len() == BLOCK).count() * BLOCK;
    let (a, b) = (&a[..a.len() - blocks], &b[..b.len() - blocks]);
    blocks + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}
