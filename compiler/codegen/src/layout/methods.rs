//! Where the methods of a `dyn` are in its table.
//!
//! Old frames call through tables by number, and values live longer than the code that made them: so a method keeps its
//! number as long as it keeps name and types, and a number is never given to another.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vaisjit_semantics::program::DynMethod;
use vaisjit_semantics::{Checked, ItemPath, Renames};

/// The methods that the `dyn`s of each trait have ever had, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodNumbers(FxHashMap<ItemPath, Arc<[DynMethod]>>);

impl MethodNumbers {
    /// These and what is new in a program.
    pub fn with(&self, program: &Checked) -> MethodNumbers {
        let mut all = self.clone();
        for (of_trait, methods) in &program.dyn_methods {
            let known = all.0.get(of_trait).cloned().unwrap_or_default();
            let new: Vec<DynMethod> = methods.iter().filter(|method| !known.contains(method)).cloned().collect();
            if !new.is_empty() {
                all.0.insert(*of_trait, known.iter().cloned().chain(new).collect());
            }
        }
        all
    }

    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> MethodNumbers {
        MethodNumbers(self.0.iter().map(|(path, methods)| (renames.path(*path), renames.methods(methods))).collect())
    }

    /// The number of each of these methods; one that nobody knows has the place it stands at.
    pub fn of(&self, of_trait: ItemPath, methods: &[DynMethod]) -> Vec<u32> {
        let known = self.0.get(&of_trait).cloned().unwrap_or_default();
        let number = |(place, method)| known.iter().position(|known| known == method).unwrap_or(place) as u32;
        methods.iter().enumerate().map(number).collect()
    }
}
