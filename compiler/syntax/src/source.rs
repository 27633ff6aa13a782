//! Where things stand: spans relative to their item, places, source files and the map from places to lines.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustc_hash::FxHashMap;

use crate::Module;

/// A range of bytes, relative to the start of the item it lies in, so that an edit of one item leaves the spans of all
/// others as they are.
///
/// Spans are no part of what a tree means: any two are equal and hash alike, so comparing or hashing trees ignores
/// white space and comments.
#[derive(Clone, Copy, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes from `start` up to `end`.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl PartialEq for Span {
    fn eq(&self, _: &Span) -> bool {
        true
    }
}
impl Eq for Span {}
impl std::hash::Hash for Span {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}
impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// A source file of a workspace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileId(pub u32);

/// One parsed item, unique in the process; a re-parse of unchanged text keeps it. Only a handle to find places again:
/// no result of a compilation depends on its number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ItemId(u32);

impl ItemId {
    /// An id no other item has.
    pub fn fresh() -> ItemId {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        ItemId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a span is relative to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Anchor {
    /// The start of an item.
    Item(ItemId),
    /// The start of a file.
    File(FileId),
}

/// A range of source text that survives edits elsewhere in its file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// What `span` counts from.
    pub anchor: Anchor,
    /// The bytes.
    pub span: Span,
}

impl Place {
    /// A place inside an item.
    pub fn item(item: ItemId, span: Span) -> Place {
        Place { anchor: Anchor::Item(item), span }
    }

    /// A place counted from the start of a file.
    pub fn file(file: FileId, span: Span) -> Place {
        Place { anchor: Anchor::File(file), span }
    }
}

/// One text, as last read, with its tree.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path shown to people.
    pub path: PathBuf,
    /// The whole text.
    pub text: Arc<str>,
    /// Its items.
    pub module: Arc<Module>,
}

/// A line and column as editors count them, both from 1; columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// All files of a snapshot; resolves places.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: FxHashMap<FileId, SourceFile>,
}

impl Sources {
    /// Adds or replaces a file.
    pub fn insert(&mut self, id: FileId, file: SourceFile) {
        self.files.insert(id, file);
    }

    /// Forgets a file.
    pub fn remove(&mut self, id: FileId) {
        self.files.remove(&id);
    }

    /// The file with this id.
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(&id)
    }

    /// All files, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        let mut ids: Vec<_> = self.files.iter().map(|(id, file)| (*id, file)).collect();
        ids.sort_by_key(|(id, _)| *id);
        ids.into_iter()
    }

    /// The file and the byte range a place stands for now; `None` when its item is gone.
    pub fn resolve(&self, place: Place) -> Option<(FileId, std::ops::Range<usize>)> {
        let (file, base) = match place.anchor {
            Anchor::File(file) => (file, 0),
            Anchor::Item(item) => self.files.iter().find_map(|(id, file)| Some((*id, file.module.start_of(item)?)))?,
        };
        let length = self.files.get(&file)?.text.len();
        let clamp = |offset: u32| (base + offset as usize).min(length);
        let (start, end) = (clamp(place.span.start), clamp(place.span.end));
        Some((file, start..end.max(start)))
    }

    /// The file and position where a place starts.
    pub fn position(&self, place: Place) -> Option<(FileId, Position)> {
        let (file, range) = self.resolve(place)?;
        Some((file, position_in(&self.files[&file].text, range.start)))
    }
}

/// Line and column of a byte offset.
pub fn position_in(text: &str, offset: usize) -> Position {
    let offset = text.floor_char_boundary(offset.min(text.len()));
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.bytes().filter(|byte| *byte == b'\n').count() as u32 + 1,
        column: before[line_start..].chars().count() as u32 + 1,
    }
}
