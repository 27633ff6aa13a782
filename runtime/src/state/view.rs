//! What saving and loading know of the stopped program, and what they have to say.

use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use vaisjit_semantics::{ItemPath, Ty};

use super::types::Names;
use crate::heap::Memory;
use crate::linkage::Linkage;
use crate::live::Live;

/// How many notices are given one by one.
const MOST_NOTICES: usize = 20;

/// A stopped program.
pub(super) struct View<'a> {
    pub memory: Memory<'a>,
    pub live: &'a Live,
    pub linkage: &'a mut Linkage,
    pub names: Names,
}

/// A `dyn` that the program makes somewhere.
pub(super) struct DynValue {
    pub of_trait: ItemPath,
    /// The type behind it.
    pub ty: Ty,
    /// Its table of methods.
    pub table: usize,
}

impl View<'_> {
    /// The `dyn`s that the program makes.
    pub fn dyn_values(&self) -> Vec<DynValue> {
        let known = self.live.checked.dyns.keys().map(|(of_trait, ty)| (*of_trait, *ty));
        let value = |(of_trait, ty)| Some(DynValue { of_trait, ty, table: self.linkage.known_table(of_trait, ty)? });
        known.filter_map(value).collect()
    }

    /// The functions of the program that can be values: their names, types and slots.
    pub fn functions(&self) -> impl Iterator<Item = (String, Ty, usize)> {
        self.live.functions.iter().map(|(instance, function)| {
            let arguments: Vec<String> = instance.arguments.iter().map(|ty| self.names.ty(*ty)).collect();
            let mut name = self.names.item(instance.path);
            if !arguments.is_empty() {
                name += &format!("<{}>", arguments.join(", "));
            }
            (name, function.signature.function_ty(), function.slot.address())
        })
    }

    /// The globals of the running version, with where they lie: path, type, address. Those that a save has removed are
    /// not among them.
    pub fn globals(&self) -> Vec<(ItemPath, Ty, usize)> {
        let globals = self.live.checked.globals.iter();
        let found =
            globals.filter_map(|(path, global)| Some((*path, global.ty, self.linkage.global(*path)?.address())));
        found.collect()
    }
}

/// Names of values by what is to say of them; values that differ in their numbers only are counted.
#[derive(Default)]
pub(super) struct Notices {
    found: IndexMap<String, (String, usize)>,
    known: FxHashMap<String, ()>,
}

impl Notices {
    /// Says something of a value; `what` follows its name.
    pub fn of(&mut self, name: &str, what: &str) {
        let key = format!("{} {what}", without_numbers(name));
        self.found.entry(key).or_insert_with(|| (format!("`{name}` {what}"), 0)).1 += 1;
    }

    /// Says something once.
    pub fn once(&mut self, text: String) {
        if self.known.insert(text.clone(), ()).is_none() {
            self.found.entry(text.clone()).or_insert((text, 1));
        }
    }

    /// A sentence each.
    pub fn finish(self) -> Vec<String> {
        let rest = self.found.len().saturating_sub(MOST_NOTICES);
        let text = |(text, count): (String, usize)| match count {
            1 => text,
            _ => format!("{text}, and so do {} more like it", count - 1),
        };
        let mut all: Vec<String> = self.found.into_values().take(MOST_NOTICES).map(text).collect();
        all.extend((rest > 0).then(|| format!("and {rest} further notices of this kind")));
        all
    }
}

/// A name with every index left out.
fn without_numbers(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut inside = false;
    for character in name.chars() {
        inside = (inside || character == '[') && character != ']';
        if !inside || character == '[' {
            text.push(character);
        }
    }
    text
}
