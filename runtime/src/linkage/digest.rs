//! What the link table holds, for tests that nothing is left behind.

use std::hash::Hasher;
use std::sync::atomic::Ordering;

use super::Linkage;

impl Linkage {
    /// Adds to a hash what a reload may change: slots with what they call, globals, literals, tables of methods, guards.
    /// What is made once for the whole program (thunks, trampolines) may be made by a reload that fails.
    pub(crate) fn digest(&self, hasher: &mut impl Hasher) {
        let words = |words: &super::tables::Words| -> Vec<usize> {
            words.iter().map(|word| word.load(Ordering::Acquire)).collect()
        };
        let guard = |key| self.guards.get(key).map(super::guards::Guarded::address);
        let mut lines: Vec<String> = Vec::new();
        lines.extend(
            self.by_key.iter().map(|(key, slot)| format!("{key} {slot:?} {:?} {:?}", slot.load_guard(), guard(key))),
        );
        lines.extend(
            self.globals.iter().map(|(path, memory)| format!("{path} {:#x} {}", memory.address(), memory.size())),
        );
        lines.extend(self.strings.iter().map(|(text, words)| format!("{text:?} {:p}", words.as_ptr())));
        lines.extend(self.tables.iter().map(|((of_trait, of), table)| format!("{of_trait} {of} {:?}", words(table))));
        lines.sort();
        lines.iter().for_each(|line| hasher.write(line.as_bytes()));
        hasher.write_usize(self.left.len());
    }

    /// How many slots, globals, literals, tables and moved globals there are.
    pub(crate) fn sizes(&self) -> [usize; 6] {
        let known = [self.by_key.len(), self.globals.len(), self.strings.len(), self.tables.len()];
        let [slots, globals, strings, tables] = known;
        [slots, globals, strings, tables, self.left.len(), self.unsettled.len()]
    }
}
