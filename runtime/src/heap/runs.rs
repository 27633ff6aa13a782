//! Free runs of pages: joined with their neighbours, the smallest that fits is taken.

use std::collections::{BTreeMap, BTreeSet};

/// Free runs, by their first page.
#[derive(Default)]
pub(super) struct Runs {
    by_start: BTreeMap<u32, u32>,
    /// Length and start.
    by_length: BTreeSet<(u32, u32)>,
}

impl Runs {
    /// Takes this many pages next to each other.
    pub(super) fn take(&mut self, pages: u32) -> Option<u32> {
        let &(length, start) = self.by_length.range((pages, 0)..).next()?;
        self.remove(start, length);
        if length > pages {
            self.insert(start + pages, length - pages);
        }
        Some(start)
    }

    /// Gives pages back.
    pub(super) fn give(&mut self, start: u32, pages: u32) {
        let (mut first, mut length) = (start, pages);
        if let Some((&before, &count)) = self.by_start.range(..start).next_back()
            && before + count == start
        {
            self.remove(before, count);
            (first, length) = (before, length + count);
        }
        if let Some(&count) = self.by_start.get(&(start + pages)) {
            self.remove(start + pages, count);
            length += count;
        }
        self.insert(first, length);
    }

    /// All runs: start and length.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, u32)> {
        self.by_start.iter().map(|(start, length)| (*start, *length))
    }

    fn insert(&mut self, start: u32, length: u32) {
        self.by_start.insert(start, length);
        self.by_length.insert((length, start));
    }

    fn remove(&mut self, start: u32, length: u32) {
        self.by_start.remove(&start);
        self.by_length.remove(&(length, start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_joined_and_the_smallest_that_fits_is_taken() {
        let mut runs = Runs::default();
        runs.give(10, 5);
        runs.give(20, 3);
        assert_eq!(runs.take(3), Some(20));
        assert_eq!(runs.take(6), None);
        runs.give(20, 3);
        runs.give(15, 5);
        assert_eq!(runs.all().collect::<Vec<_>>(), [(10, 13)]);
        assert_eq!(runs.take(13), Some(10));
        assert_eq!(runs.all().next(), None);
    }
}
