//! The tables of methods of `dyn`s. There is one for each trait and type; values hold its address, so it stays where it is,
//! and a commit changes what is in it. A method keeps its number, so old code calls through a changed table what it
//! always called.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::layout::Layouts;
use vaisjit_codegen::link::{DynTable, SlotKey};
use vaisjit_semantics::program::DynMethod;
use vaisjit_semantics::{Checked, Instance, ItemPath, Ty};

use super::{LinkError, Linkage};

/// A table has room for at least so many methods, those that are gone included.
const ROOM: usize = 64;

/// Addresses of slots; 0 where there is no method.
pub(super) type Words = Arc<[AtomicUsize]>;

/// A word of a table that a commit changes.
pub(crate) struct TableStore {
    words: Words,
    number: usize,
    slot: usize,
}

impl TableStore {
    /// Changes it.
    pub fn publish(&self) {
        self.words[self.number].store(self.slot, Ordering::Release);
    }
}

/// A table whose values could not answer a new method: nothing in the program makes such a `dyn` any more.
pub(crate) struct Lacking {
    /// Where the table lies.
    pub address: usize,
    /// The trait.
    pub of_trait: ItemPath,
    /// The type of the values.
    pub of: Ty,
    /// The first method that is missing.
    pub method: DynMethod,
}

/// A method in a table that values use.
#[derive(Clone)]
pub(crate) struct Answer {
    /// The slot of the method.
    pub slot: usize,
    /// The trait.
    pub of_trait: ItemPath,
    /// The type of the values.
    pub of: Ty,
    /// How many values use the table.
    pub values: usize,
    /// Does the new version call it by this number?
    pub is_called: bool,
}

fn address(words: &Words) -> usize {
    words.as_ptr() as usize
}

impl Linkage {
    /// The address of a table that some code has needed.
    pub fn known_table(&self, of_trait: ItemPath, of: Ty) -> Option<usize> {
        self.tables.get(&(of_trait, of)).map(address)
    }

    /// The types of the values behind `dyn`s, by the address of the table.
    pub fn behind_tables(&self) -> FxHashMap<usize, Ty> {
        self.tables.iter().map(|((_, of), words)| (address(words), *of)).collect()
    }

    /// The address of a table, made if there was none. What is in it already stays until a commit.
    pub(super) fn table(&mut self, table: &DynTable) -> Result<usize, LinkError> {
        let most = table.entries.iter().map(|(number, _)| *number as usize + 1).max().unwrap_or(0);
        let new = || (0..ROOM.max(most.next_power_of_two() * 2)).map(|_| AtomicUsize::new(0)).collect();
        let words = self.tables.entry(table.identity()).or_insert_with(new).clone();
        if most > words.len() {
            let (name, most) = (table.of_trait.name, words.len());
            return Err(format!("the trait `{name}` has had more than {most} methods since the program was started"));
        }
        for (number, key) in &table.entries {
            let slot = self.slot_or_new(key).0.address();
            self.fill(&words, *number as usize, slot);
        }
        Ok(address(&words))
    }

    /// Puts a slot where there was none: nobody calls it before this version.
    fn fill(&mut self, words: &Words, number: usize, slot: usize) -> bool {
        let empty = words[number].load(Ordering::Acquire) == 0;
        if empty {
            words[number].store(slot, Ordering::Release);
            self.note_word(words, number);
        }
        empty
    }

    /// What a commit of this program has to change in tables, and those that would lack a method.
    pub fn table_stores(&mut self, program: &Checked, layouts: &dyn Layouts) -> (Vec<TableStore>, Vec<Lacking>) {
        let (mut stores, mut lacking) = (Vec::new(), Vec::new());
        let known: Vec<((ItemPath, Ty), Words)> =
            self.tables.iter().map(|(identity, words)| (*identity, words.clone())).collect();
        for ((of_trait, of), words) in known {
            let Some(methods) = program.dyn_methods.get(&of_trait) else { continue };
            let made = program.dyns.get(&(of_trait, of));
            for (place, (method, number)) in methods.iter().zip(layouts.method_numbers(of_trait).iter()).enumerate() {
                let number = *number as usize;
                let instance = match made {
                    Some(made) => made.get(place).copied(),
                    None => implementation(program, of, of_trait, method),
                };
                let slot = instance.and_then(|instance| {
                    let signature = vaisjit_codegen::lower::signature(&program.functions.get(&instance)?.signature);
                    self.slot(&SlotKey { instance, signature })
                });
                let now = words.get(number).map(|word| word.load(Ordering::Acquire));
                match (slot.map(|slot| slot.address()), now) {
                    (Some(slot), Some(now)) if slot == now || self.fill(&words, number, slot) => {}
                    (Some(slot), Some(_)) => stores.push(TableStore { words: words.clone(), number, slot }),
                    (None, Some(1..)) => {}
                    _ => {
                        let method = method.clone();
                        lacking.push(Lacking { address: address(&words), of_trait, of, method });
                        break;
                    }
                }
            }
        }
        (stores, lacking)
    }

    /// The methods in tables, as a commit of this program and of these stores leaves them. `values` tells how many use each
    /// table.
    pub fn answers(
        &self,
        (program, layouts): (&Checked, &dyn Layouts),
        stores: &[TableStore],
        values: &FxHashMap<usize, usize>,
    ) -> Vec<Answer> {
        let mut answers = Vec::new();
        for ((of_trait, of), words) in &self.tables {
            let Some(values) = values.get(&address(words)).copied() else { continue };
            let is_known = program.dyn_methods.contains_key(of_trait);
            let called = if is_known { layouts.method_numbers(*of_trait) } else { Arc::default() };
            let (of_trait, of) = (*of_trait, *of);
            for (number, word) in words.iter().enumerate() {
                let store = stores.iter().find(|store| Arc::ptr_eq(&store.words, words) && store.number == number);
                let slot = store.map_or_else(|| word.load(Ordering::Acquire), |store| store.slot);
                let is_called = called.contains(&(number as u32));
                answers.extend((slot != 0).then_some(Answer { slot, of_trait, of, values, is_called }));
            }
        }
        answers.sort_by_key(|answer| (answer.of_trait, answer.of.to_string(), answer.slot));
        answers
    }

    /// The addresses of the tables that a slot is in.
    pub fn tables_with(&self, slot: usize) -> Vec<usize> {
        let holds = |words: &&Words| words.iter().any(|word| word.load(Ordering::Acquire) == slot);
        self.tables.values().filter(holds).map(address).collect()
    }

    /// Takes a slot out of all tables.
    pub fn leave_tables(&mut self, slot: usize) {
        for word in self.tables.values().flat_map(|words| words.iter()) {
            _ = word.compare_exchange(slot, 0, Ordering::AcqRel, Ordering::Acquire);
        }
    }
}

/// What implements a method for a type of which the program makes no such `dyn`: a method of the type's own, or the trait's.
fn implementation(program: &Checked, of: Ty, of_trait: ItemPath, method: &DynMethod) -> Option<Instance> {
    let fits = |instance: &&Instance| {
        let Some(function) = program.functions.get(*instance) else { return false };
        let Some((this, rest)) = function.signature.params.split_first() else { return false };
        let named = instance.path.name.as_str().rsplit('.').next() == Some(method.name.as_str());
        let own = instance.path.name.as_str().split('.').next() != Some(of_trait.name.as_str());
        named
            && (own || instance.arguments.first() == Some(&of))
            && this.pointee().unwrap_or(*this) == of
            && *rest == *method.params
            && function.signature.result == method.result
    };
    program.functions.keys().find(fits).copied()
}

/// The tables that values use, of those that lack a method.
pub(crate) fn in_use<'l>(lacking: &'l [Lacking], tables: &FxHashSet<usize>) -> Option<&'l Lacking> {
    lacking.iter().find(|lacking| tables.contains(&lacking.address))
}
