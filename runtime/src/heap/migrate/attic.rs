//! The attic: references that lay in fields a save has removed. A ticket number lies in the parked bytes, so that these are
//! plain bytes for everybody who copies or frees an instance.

use rustc_hash::FxHashMap;
use vaisjit_abi::heap::CLOSURE_TAG;
use vaisjit_semantics::{Renames, Ty};
use vaisjit_syntax::Name;

use super::References;
use super::run::each_place;
use crate::heap::block::{Payload, load, store};
use crate::heap::counts::count_up;
use crate::heap::exchange::{Exchange, renamed_batch};

/// A parked field: the type it was in, the variant, its name and its own type.
pub(crate) type BatchKey = (Ty, Option<Name>, Name, Ty);

/// The values of parked fields.
#[derive(Default)]
pub(crate) struct Attic {
    batches: FxHashMap<BatchKey, FxHashMap<usize, Word>>,
    last: usize,
    /// Blocks that values refer to which own nothing (copies of arguments on a stack): they live until no thread is in the
    /// program.
    lent: Vec<usize>,
}

/// A reference as it lay in a value, and whether it is a function value.
type Word = (usize, bool);

impl Attic {
    /// What is kept goes by other names of items.
    pub(in crate::heap) fn enter_names(&mut self, names: &mut Exchange<BatchKey>, renames: &Renames) {
        names.enter(&mut self.batches, |batch| renamed_batch(renames, batch), |_| true, |_, _| ());
    }

    /// It goes by their own again.
    pub(in crate::heap) fn leave_names(&mut self, names: &mut Exchange<BatchKey>) {
        names.leave(&mut self.batches, |_, _| ());
    }

    /// Keeps the references in a value that owns them, unless they are `lent`; their tickets take their places.
    pub(crate) fn park_all(&mut self, at: usize, references: &References, batch: BatchKey, lent: bool) {
        each_place(at, &references.0, &mut |place, is_function| {
            let word = load(place);
            if let Some(block) = block_of(word, is_function).filter(|_| lent) {
                count_up(block);
            }
            // A slot is no reference; it is kept with the mark of none.
            store(place, self.park(batch, (word, is_function)));
        });
    }

    /// Keeps a reference; gives its ticket.
    fn park(&mut self, batch: BatchKey, word: Word) -> usize {
        self.last += 1;
        self.batches.entry(batch).or_default().insert(self.last, word);
        self.last
    }

    /// What is behind a ticket, if it is one.
    pub(super) fn find(&self, batch: &BatchKey, ticket: usize) -> Option<Word> {
        self.batches.get(batch)?.get(&ticket).copied()
    }

    /// Forgets a field's values; gives them.
    pub(super) fn forget(&mut self, batch: &BatchKey) -> impl Iterator<Item = Word> + use<> {
        self.batches.remove(batch).unwrap_or_default().into_values()
    }

    /// Forgets the references to these slots and to these blocks; gives the blocks.
    pub(in crate::heap) fn forget_which(
        &mut self,
        names: &dyn Fn(usize) -> bool,
        leads: &dyn Fn(usize) -> bool,
    ) -> Vec<usize> {
        let mut forgotten = Vec::new();
        for batch in self.batches.values_mut() {
            batch.retain(|_, (word, is_function)| {
                let block = block_of(*word, *is_function).map(|block| block.0);
                let goes = block.map_or_else(|| *is_function && names(*word), leads);
                forgotten.extend(block.filter(|_| goes));
                !goes
            });
        }
        forgotten
    }

    /// The slots that function values without captures name.
    pub(crate) fn slots(&self) -> impl Iterator<Item = usize> {
        let words = self.batches.values().flat_map(FxHashMap::values);
        words.filter(|(word, is_function)| *is_function && block_of(*word, true).is_none()).map(|(word, _)| *word)
    }

    /// Keeps a reference for somebody who does not count it.
    pub(crate) fn lend(&mut self, block: usize) {
        self.lent.push(block);
    }

    /// The same for all references in a value.
    pub(crate) fn lend_all(&mut self, at: usize, references: &References) {
        self.lent.extend(references.found(at));
    }

    /// Nobody holds what was lent any more.
    pub(crate) fn take_lent(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.lent)
    }

    /// All words that are kept.
    pub(in crate::heap) fn words(&self) -> impl Iterator<Item = usize> {
        self.batches.values().flat_map(|batch| batch.values().map(|(word, _)| *word)).chain(self.lent.iter().copied())
    }

    /// The blocks that are kept, once for each reference.
    pub(crate) fn counted(&self) -> Vec<usize> {
        let words = self.batches.values().flat_map(FxHashMap::values);
        let kept = words.filter_map(|(word, is_function)| block_of(*word, *is_function)).map(|block| block.0);
        kept.chain(self.lent.iter().copied()).collect()
    }

    /// Visits every reference that is kept.
    pub(crate) fn each(&mut self, visit: &mut dyn FnMut(&mut usize)) {
        self.batches.values_mut().flat_map(FxHashMap::values_mut).for_each(|(word, _)| visit(word));
        self.lent.iter_mut().for_each(visit);
    }

    /// Forgets everything; gives the blocks that were referred to.
    pub(in crate::heap) fn clear(&mut self) -> Vec<Payload> {
        let words = std::mem::take(&mut self.batches).into_values().flat_map(FxHashMap::into_values);
        let lent = std::mem::take(&mut self.lent).into_iter().map(Payload);
        words.filter_map(|(word, is_function)| block_of(word, is_function)).chain(lent).collect()
    }
}

/// The block that a word of a value refers to; function values carry a mark, slots are no blocks.
pub(in crate::heap) fn block_of(word: usize, is_function: bool) -> Option<Payload> {
    let tag = CLOSURE_TAG as usize;
    match (word, is_function) {
        (0, _) => None,
        (word, true) if word & tag == 0 => None,
        (word, true) => Some(Payload(word & !tag)),
        (word, false) => Some(Payload(word)),
    }
}
