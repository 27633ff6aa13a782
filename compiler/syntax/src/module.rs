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
    /// Hash of the tokens that the tree was made from.
    pub tokens: u64,
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

    /// The items but for those at the start and at the end that another tree of the same file shares. Of an edit of one
    /// item in a thousand this leaves one.
    pub fn differing(&self, other: &Module) -> &[ParsedItem] {
        let is_shared = |(one, other): &(&ParsedItem, &ParsedItem)| Arc::ptr_eq(&one.item, &other.item);
        let first = self.items.iter().zip(&other.items).take_while(is_shared).count();
        let (own, others) = (&self.items[first..], &other.items[first..]);
        let last = own.iter().rev().zip(others.iter().rev()).take_while(is_shared).count();
        &own[..own.len() - last]
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
