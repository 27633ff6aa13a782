//! The tree of one file: its items, each with the text range it came from.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::ast::Item;
use crate::{Diagnostic, ItemId};

/// One item and where it stands.
#[derive(Clone, Debug)]
pub struct ParsedItem {
    /// Handle for places inside it.
    pub id: ItemId,
    /// Byte offset of its first token (attributes and doc comments included) in the file.
    pub start: u32,
    /// Byte offset one past its last token.
    pub end: u32,
    /// The tree; unchanged items share it between snapshots.
    pub item: Arc<Item>,
    /// What the lexer and the parser had to say about it; places are relative to the item.
    pub diagnostics: Arc<[Diagnostic]>,
}

/// The tree of one file.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// The items in source order.
    pub items: Vec<ParsedItem>,
    index: FxHashMap<ItemId, u32>,
}

impl Module {
    /// A module of these items, which must be in source order.
    pub fn new(items: Vec<ParsedItem>) -> Module {
        let index = items.iter().enumerate().map(|(i, item)| (item.id, i as u32)).collect();
        Module { items, index }
    }

    /// Where in the file an item starts.
    pub fn start_of(&self, id: ItemId) -> Option<usize> {
        Some(self.items[*self.index.get(&id)? as usize].start as usize)
    }

    /// The item with this id.
    pub fn get(&self, id: ItemId) -> Option<&ParsedItem> {
        Some(&self.items[*self.index.get(&id)? as usize])
    }
}
