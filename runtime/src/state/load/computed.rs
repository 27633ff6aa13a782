//! Defaults that code of the program has to compute. Reading only finds out how many there must be; when they are there,
//! it begins again.

use std::rc::Rc;

use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use vaisjit_semantics::{Instance, Ty};

use super::super::json::Damaged;
use super::super::types::{Form, Node};
use super::Loader;
use super::value::FieldOf;

/// A declared default.
#[derive(Clone)]
pub(super) enum Declared {
    /// There is none.
    None,
    /// The bytes of one that is made of literals.
    Bytes(Rc<[u8]>),
    /// It has to be computed by this function, for each value anew.
    Computed(Instance),
}

/// Values that have been computed, by function.
#[derive(Default)]
pub(in super::super) struct Computed(FxHashMap<Instance, Row>);

/// The values of one function.
#[derive(Default)]
struct Row {
    values: Vec<(Ty, Vec<u8>)>,
    taken: usize,
}

/// How often a function has to be called, and what it gives, in the order of the first need.
pub(in super::super) type Wanted = IndexMap<Instance, (Ty, u64)>;

impl Computed {
    /// One more value of a function.
    pub fn add(&mut self, function: Instance, ty: Ty, value: Vec<u8>) {
        self.0.entry(function).or_default().values.push((ty, value));
    }

    /// Everything is to be used from the start again.
    pub fn rewind(&mut self) {
        self.0.values_mut().for_each(|row| row.taken = 0);
    }

    /// The values, to be given up; those that have been used, too, after a failure.
    pub fn into_values(self, failed: bool) -> Vec<(Ty, Vec<u8>)> {
        let rest = |row: Row| row.values.into_iter().skip(if failed { 0 } else { row.taken });
        self.0.into_values().flat_map(rest).collect()
    }

    fn next(&mut self, function: Instance) -> Option<&[u8]> {
        let row = self.0.get_mut(&function)?;
        let found = row.values.get(row.taken)?;
        row.taken += 1;
        Some(&found.1)
    }
}

impl Loader<'_, '_, '_> {
    /// Gives a place a value that has been computed; if there is none yet, notes that it is wanted.
    pub(super) fn computed(&mut self, function: Instance, node: &Node, at: usize) -> Result<(), Damaged> {
        if let Some(bytes) = self.computed.next(function) {
            self.view.memory.write(at, bytes);
            return Ok(());
        }
        self.take_room(node.size)?;
        self.wanted.entry(function).or_insert((node.ty, 0)).1 += 1;
        Ok(())
    }

    /// What has no value that it could start with.
    pub(super) fn no_default(&self, node: &Node, field: Option<FieldOf>) -> Damaged {
        let ty = self.view.names.ty(node.ty);
        let name = field.and_then(|field| self.field_name(field));
        let (what, help) = match &name {
            Some((label, name)) => (
                format!("`{label}` would have to start with a value of type `{ty}`"),
                format!(": `{name}: {ty} = ...`"),
            ),
            None => (format!("a value of type `{ty}` would have to start with a default"), String::new()),
        };
        Damaged(format!("{what}, which has none; declare one{help}, or make it an `Option<{ty}>`"))
    }

    fn field_name(&self, (ty, variant, index): FieldOf) -> Option<(String, Box<str>)> {
        let id = self.types.known(ty)?;
        let node = self.types.node(id);
        let of = self.view.names.ty(ty);
        match (&node.form, variant) {
            (Form::Record { fields, .. }, None) => {
                let name = fields.get(index)?.name.clone();
                Some((format!("{of}.{name}"), name))
            }
            (Form::Enum(variants), Some(number)) => {
                let variant = variants.get(number)?;
                let name = variant.fields.get(index)?.name.clone();
                (!variant.tuple).then(|| (format!("{of}.{}.{name}", variant.name), name))
            }
            _ => None,
        }
    }
}
