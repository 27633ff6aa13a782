//! What a preparation has added to the link table and to the heap's types, so that all of it can be taken back if it is
//! never made live.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use vaisjit_codegen::link::SlotKey;
use vaisjit_semantics::Ty;

use super::Linkage;
use super::tables::Words;

/// What one preparation has added.
#[derive(Default)]
pub(crate) struct Fresh {
    slots: Vec<SlotKey>,
    strings: Vec<Arc<str>>,
    types: Vec<Ty>,
    words: Vec<(Words, usize)>,
}

impl Linkage {
    /// From now on all that is added is noted.
    pub fn start_noting(&mut self) {
        self.heap.take_new_types();
        self.noted = Some(Fresh::default());
    }

    /// What has been added since [`Linkage::start_noting`].
    pub fn stop_noting(&mut self) -> Fresh {
        let mut fresh = self.noted.take().unwrap_or_default();
        fresh.types = self.heap.take_new_types();
        fresh
    }

    /// A slot has been made.
    pub(super) fn note_slot(&mut self, key: &SlotKey) {
        if let Some(noted) = &mut self.noted {
            noted.slots.push(key.clone());
        }
    }

    /// A word of a table that was empty has got a slot.
    pub(super) fn note_word(&mut self, words: &Words, number: usize) {
        if let Some(noted) = &mut self.noted {
            noted.words.push((words.clone(), number));
        }
    }

    /// A literal is used. One that only a preparation has asked for so far may be taken back, and no other.
    pub(super) fn note_string(&mut self, text: &Arc<str>, new: bool) {
        match &mut self.noted {
            Some(noted) if new => {
                noted.strings.push(text.clone());
                self.unsettled.insert(text.clone());
            }
            Some(_) => {}
            None => _ = self.unsettled.remove(text),
        }
    }

    /// What was added stays.
    pub fn keep(&mut self, fresh: &Fresh) {
        fresh.strings.iter().for_each(|text| _ = self.unsettled.remove(text));
    }

    /// Takes back what was added. Nothing of it has been published, and no code that uses it is left.
    pub fn take_back(&mut self, fresh: &Fresh) {
        fresh.words.iter().for_each(|(words, number)| words[*number].store(0, Ordering::Release));
        fresh.slots.iter().for_each(|key| self.forget_slot(key));
        for text in fresh.strings.iter().filter(|text| self.unsettled.remove(*text)) {
            self.strings.remove(text);
        }
        self.heap.forget_types(&fresh.types);
    }
}
