//! The arena: where blocks lie, which addresses belong to live ones, and which memory is free.
//!
//! The address space is cut into pages of 64 KiB. A page holds small blocks of one size, or belongs to a run of pages
//! that is one large block. What is free is noted beside the pages and never in them: a program that writes through a
//! wild pointer spoils its own values, not the arena.

use std::fmt;
use std::ops::Range;

use super::memory::Memory;
use super::runs::Runs;

/// Size of a page.
const PAGE: usize = 64 << 10;
/// Blocks up to this size share pages.
const SMALL: usize = 8 << 10;
/// Alignment and smallest difference of block sizes.
const GRAIN: usize = 16;
/// Sizes of small blocks: by 16 bytes up to 128, then four for each doubling.
const SIZES: [u16; 30] = [
    48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048,
    2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192,
];
/// Words of a page's bit map.
const WORDS: usize = PAGE / SIZES[0] as usize / 64 + 1;
/// No page.
const NONE: u32 = u32::MAX;
/// A free run of this many pages gives its memory back at once.
const LARGE_RUN: u32 = 16;
/// After so many pages have become free in smaller runs, all free runs give their memory back.
const DIRTY: u32 = 256;

/// The number of the smallest size that is enough, by grains.
const CLASS_OF: [u8; SMALL / GRAIN + 1] = {
    let mut table = [0; SMALL / GRAIN + 1];
    let (mut grains, mut class) = (0, 0);
    while grains < table.len() {
        if grains * GRAIN > SIZES[class] as usize {
            class += 1;
        }
        table[grains] = class as u8;
        grains += 1;
    }
    table
};

/// What a page is.
enum Page {
    Free,
    Small(Box<Small>),
    /// The first page of a large block of this many pages.
    Large(u32),
    /// A further page of the large block that starts there.
    Rest(u32),
}

/// A page of blocks of one size.
struct Small {
    class: u8,
    live: u16,
    /// No bit is set in the words before.
    first: u16,
    /// Neighbours in the list of pages of the size that have room.
    previous: u32,
    next: u32,
    /// Bits of the blocks that are free.
    free: [u64; WORDS],
}

/// Why there is no memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfMemory {
    pub(super) wanted: usize,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of memory: {} more bytes are not to be had", self.wanted)
    }
}

/// The blocks of a program.
pub(super) struct Arena {
    memory: Option<Memory>,
    pages: Vec<Page>,
    runs: Runs,
    /// Pages in free runs that still have their memory.
    dirty: u32,
    /// First pages with room, by size.
    room: [u32; SIZES.len()],
    live: usize,
}

impl Arena {
    pub(super) fn new() -> Arena {
        Arena { memory: None, pages: Vec::new(), runs: Runs::default(), dirty: 0, room: [NONE; SIZES.len()], live: 0 }
    }

    /// Number of live blocks.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// How many bytes of memory its blocks take, counted in pages.
    pub(super) fn size(&self) -> usize {
        self.pages.iter().filter(|page| !matches!(page, Page::Free)).count() * PAGE
    }

    /// The addresses blocks can have.
    pub(super) fn range(&self) -> Range<usize> {
        let base = self.memory.as_ref().map_or(0, Memory::base);
        base..base + self.pages.len() * PAGE
    }

    /// The address of a new block of at least this many bytes, aligned to 16. Its contents may be anything.
    #[inline]
    pub(super) fn alloc(&mut self, size: usize) -> Result<usize, OutOfMemory> {
        if size > SMALL {
            return self.alloc_large(size);
        }
        let class = usize::from(CLASS_OF[size.div_ceil(GRAIN)]);
        let number = match self.room[class] {
            NONE => self.new_small(class)?,
            number => number,
        };
        let Page::Small(page) = &mut self.pages[number as usize] else { return Err(OutOfMemory { wanted: size }) };
        let mut word = usize::from(page.first);
        while page.free[word] == 0 {
            word += 1;
        }
        page.first = word as u16;
        let index = word * 64 + page.free[word].trailing_zeros() as usize;
        page.free[word] &= page.free[word] - 1;
        page.live += 1;
        if usize::from(page.live) == blocks_of(class) {
            self.unlink(number);
        }
        self.live += 1;
        Ok(self.base() + number as usize * PAGE + index * usize::from(SIZES[class]))
    }

    /// Frees a block; `false` if there is none at this address.
    #[inline]
    pub(super) fn free(&mut self, address: usize) -> bool {
        let Some((number, offset)) = self.page_at(address) else { return false };
        match &mut self.pages[number as usize] {
            Page::Small(page) => {
                let class = usize::from(page.class);
                let (index, rest) = divide(offset, class);
                let (word, bit) = (index / 64, 1u64 << (index % 64));
                if rest != 0 || index >= blocks_of(class) || page.free[word] & bit != 0 {
                    return false;
                }
                page.free[word] |= bit;
                page.first = page.first.min(word as u16);
                page.live -= 1;
                let live = usize::from(page.live);
                if live + 1 == blocks_of(class) {
                    self.link(number, class);
                }
                // The last page with room is kept, so that a single block that comes and goes costs little.
                if live == 0 && (self.room[class] != number || self.next(number) != NONE) {
                    self.unlink(number);
                    self.give(number, 1);
                }
            }
            &mut Page::Large(pages) if offset == 0 => self.give(number, pages),
            _ => return false,
        }
        self.live -= 1;
        true
    }

    /// The start of the live block that an address lies in.
    pub(super) fn find(&self, address: usize) -> Option<usize> {
        let (number, offset) = self.page_at(address)?;
        let start = self.base() + number as usize * PAGE;
        match &self.pages[number as usize] {
            Page::Free => None,
            Page::Small(page) => {
                let class = usize::from(page.class);
                let (index, _) = divide(offset, class);
                page.holds(index).then(|| start + index * usize::from(SIZES[class]))
            }
            Page::Large(_) => Some(start),
            Page::Rest(first) => Some(self.base() + *first as usize * PAGE),
        }
    }

    /// How many bytes a live block has room for.
    pub(super) fn room(&self, block: usize) -> usize {
        match self.page_at(block).map(|(number, _)| &self.pages[number as usize]) {
            Some(Page::Small(page)) => usize::from(SIZES[usize::from(page.class)]),
            Some(Page::Large(pages)) => *pages as usize * PAGE,
            _ => 0,
        }
    }

    /// The addresses of all live blocks.
    pub(super) fn blocks(&self) -> impl Iterator<Item = usize> {
        (self.base()..).step_by(PAGE).zip(&self.pages).flat_map(|(start, page)| {
            let (count, size) = match page {
                Page::Small(page) => (blocks_of(page.class.into()), SIZES[usize::from(page.class)].into()),
                Page::Large(_) => (1, PAGE),
                Page::Free | Page::Rest(_) => (0, PAGE),
            };
            let is_live = move |index: &usize| match page {
                Page::Small(page) => page.holds(*index),
                _ => true,
            };
            (0..count).filter(is_live).map(move |index| start + index * size)
        })
    }

    fn base(&self) -> usize {
        self.memory.as_ref().map_or(0, Memory::base)
    }

    #[inline]
    fn page_at(&self, address: usize) -> Option<(u32, usize)> {
        let offset = address.wrapping_sub(self.base());
        (offset / PAGE < self.pages.len()).then_some(((offset / PAGE) as u32, offset % PAGE))
    }

    fn alloc_large(&mut self, size: usize) -> Result<usize, OutOfMemory> {
        let pages = u32::try_from(size.div_ceil(PAGE)).map_err(|_| OutOfMemory { wanted: size })?;
        let first = self.take(pages)?;
        self.pages[first as usize] = Page::Large(pages);
        for number in first + 1..first + pages {
            self.pages[number as usize] = Page::Rest(first);
        }
        self.live += 1;
        Ok(self.base() + first as usize * PAGE)
    }

    /// A page of a size without blocks, the first of those with room.
    #[cold]
    fn new_small(&mut self, class: usize) -> Result<u32, OutOfMemory> {
        let number = self.take(1)?;
        let mut free = [0; WORDS];
        for (word, bits) in free.iter_mut().enumerate() {
            let left = blocks_of(class).saturating_sub(word * 64);
            *bits = if left >= 64 { u64::MAX } else { (1 << left) - 1 };
        }
        let page = Small { class: class as u8, live: 0, first: 0, previous: NONE, next: NONE, free };
        self.pages[number as usize] = Page::Small(Box::new(page));
        self.link(number, class);
        Ok(number)
    }

    /// Pages next to each other that nobody uses.
    fn take(&mut self, pages: u32) -> Result<u32, OutOfMemory> {
        if let Some(first) = self.runs.take(pages) {
            self.dirty = self.dirty.saturating_sub(pages);
            return Ok(first);
        }
        let wanted = pages as usize * PAGE;
        let end = self.pages.len() + pages as usize;
        if self.memory.is_none() {
            self.memory = Some(Memory::reserve().map_err(|_| OutOfMemory { wanted })?);
        }
        let raised = self.memory.as_mut().map(|memory| match end * PAGE <= memory.most() {
            true => memory.raise(end * PAGE).is_ok(),
            false => false,
        });
        if raised != Some(true) {
            return Err(OutOfMemory { wanted });
        }
        let first = self.pages.len() as u32;
        self.pages.resize_with(end, || Page::Free);
        Ok(first)
    }

    fn give(&mut self, first: u32, pages: u32) {
        for number in first..first + pages {
            self.pages[number as usize] = Page::Free;
        }
        self.runs.give(first, pages);
        let Some(memory) = &self.memory else { return };
        if pages >= LARGE_RUN {
            memory.discard(first as usize * PAGE, pages as usize * PAGE);
            return;
        }
        self.dirty += pages;
        if self.dirty >= DIRTY {
            self.runs.all().for_each(|(first, pages)| memory.discard(first as usize * PAGE, pages as usize * PAGE));
            self.dirty = 0;
        }
    }

    fn small(&mut self, number: u32) -> Option<&mut Small> {
        match self.pages.get_mut(number as usize) {
            Some(Page::Small(page)) => Some(page),
            _ => None,
        }
    }

    fn next(&mut self, number: u32) -> u32 {
        self.small(number).map_or(NONE, |page| page.next)
    }

    fn link(&mut self, number: u32, class: usize) {
        let next = std::mem::replace(&mut self.room[class], number);
        if let Some(page) = self.small(number) {
            (page.previous, page.next) = (NONE, next);
        }
        if let Some(page) = self.small(next) {
            page.previous = number;
        }
    }

    fn unlink(&mut self, number: u32) {
        let Some(page) = self.small(number) else { return };
        let (previous, next, class) = (page.previous, page.next, usize::from(page.class));
        (page.previous, page.next) = (NONE, NONE);
        match self.small(previous) {
            Some(page) => page.next = next,
            None => self.room[class] = next,
        }
        if let Some(page) = self.small(next) {
            page.previous = previous;
        }
    }
}

impl Small {
    /// Is the block of this number live?
    fn holds(&self, index: usize) -> bool {
        index < blocks_of(self.class.into()) && self.free[index / 64] & (1 << (index % 64)) == 0
    }
}

/// How many blocks of a size a page has.
fn blocks_of(class: usize) -> usize {
    PAGE / usize::from(SIZES[class])
}

/// The block at an offset of a page, and how far into it.
#[inline]
fn divide(offset: usize, class: usize) -> (usize, usize) {
    let (offset, size) = (offset as u32, u32::from(SIZES[class]));
    ((offset / size) as usize, (offset % size) as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::heap::tests::Random;

    /// A model with the same blocks: no two overlap, all are found, and none is found that is not there.
    #[test]
    fn blocks_agree_with_a_model() {
        let mut random = Random::any();
        let mut arena = Arena::new();
        let mut model: BTreeMap<usize, usize> = BTreeMap::new();
        for _ in 0..20_000 {
            if random.below(100) < 52 || model.is_empty() {
                let size = match random.below(40) {
                    0 => 1 + random.below(300_000),
                    1..5 => 1 + random.below(9000),
                    _ => 1 + random.below(300),
                };
                let block = arena.alloc(size).unwrap();
                assert_eq!(block % GRAIN, 0);
                assert!(arena.room(block) >= size);
                let before = model.range(..=block).next_back().is_none_or(|(start, size)| start + size <= block);
                let behind = model.range(block..).next().is_none_or(|(start, _)| block + size <= *start);
                assert!(before && behind, "blocks overlap");
                model.insert(block, size);
            } else {
                let (&block, &size) = model.range(random.below(usize::MAX)..).next().unwrap_or_else(|| {
                    let skip = random.below(model.len());
                    model.iter().nth(skip).unwrap()
                });
                assert_eq!(arena.find(block + random.below(size)), Some(block));
                model.remove(&block);
                assert!(arena.free(block));
                assert!(!arena.free(block), "freed twice");
                assert_eq!(arena.find(block), None);
            }
            assert_eq!(arena.live(), model.len());
        }
        let mut blocks: Vec<usize> = arena.blocks().collect();
        blocks.sort_unstable();
        assert_eq!(blocks, model.keys().copied().collect::<Vec<_>>());
        for block in blocks {
            assert!(arena.free(block));
        }
        assert_eq!(arena.live(), 0);
        assert!(arena.runs.all().map(|(_, pages)| pages as usize).sum::<usize>() + SIZES.len() >= arena.pages.len());
    }

    #[test]
    fn absurd_sizes_are_refused_and_change_nothing() {
        let mut arena = Arena::new();
        let block = arena.alloc(100).unwrap();
        assert_eq!(arena.alloc(usize::MAX / 2), Err(OutOfMemory { wanted: usize::MAX / 2 }));
        assert!(arena.alloc(1 << 45).is_err());
        assert_eq!(arena.blocks().collect::<Vec<_>>(), [block]);
        assert_eq!(arena.find(0), None);
        assert_eq!(arena.find(usize::MAX), None);
        assert!(!arena.free(block + 16));
    }

    #[test]
    fn every_small_size_has_the_next_larger_class() {
        for size in 1..=SMALL {
            let class = usize::from(CLASS_OF[size.div_ceil(GRAIN)]);
            assert!(usize::from(SIZES[class]) >= size);
            assert!(class == 0 || usize::from(SIZES[class - 1]) < size);
        }
    }
}
