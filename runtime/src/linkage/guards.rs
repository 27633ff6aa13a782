//! Guard thunks of a program, made once for each slot and for the sizes of what it is called with.

use std::sync::Arc;

use vaisjit_codegen::link::SlotKey;
use vaisjit_codegen::thunks::{GuardThunk, guard_thunk};

use super::{LinkError, Linkage};
use crate::code::{Guard, Slot};
use crate::live::Code;

/// The guard of a slot. Its thunk lives with it.
pub(super) struct Guarded {
    copies: Box<[(usize, u32)]>,
    code: Code,
    guard: Arc<Guard>,
}

#[cfg(test)]
impl Guarded {
    /// Where its thunk starts.
    pub(super) fn address(&self) -> usize {
        self.code.address().get()
    }
}

/// Those that were replaced because a layout changed: calls through them may be going on.
pub(super) type Outgrown = Vec<Guarded>;

/// A guard thunk that is not in its slot yet.
pub(crate) struct NewGuard {
    key: SlotKey,
    slot: Slot,
    guarded: Guarded,
}

impl NewGuard {
    /// Puts it into its slot.
    pub fn publish(&self) {
        self.slot.store_guard(self.guarded.code.address());
    }
}

impl Linkage {
    /// A new guard thunk for a slot, unless there is one that copies these parameters (by number, with their sizes), or
    /// they are too large to be copied at each call.
    pub fn new_guard(&mut self, key: SlotKey, copies: Box<[(usize, u32)]>) -> Result<Option<NewGuard>, LinkError> {
        if !GuardThunk::fits(&copies) || self.guards.get(&key).is_some_and(|guarded| guarded.copies == copies) {
            return Ok(None);
        }
        let Some(slot) = self.slot(&key) else { return Ok(None) };
        let guard = Guard::new(slot.clone());
        let signature = vaisjit_codegen::clif::abi_signature(&key.signature);
        let name = format!("guard:{key}");
        let imports = [("slot".to_owned(), slot.address()), ("guard".to_owned(), guard.address())];
        let code = self.emit(&name, &imports, &|module| {
            let thunk =
                GuardThunk { name: &name, signature: &signature, copies: &copies, slot: "slot", target: "guard" };
            guard_thunk(module, &thunk)
        })?;
        guard.link(&code.unit, code.index).map_err(|error| error.to_string())?;
        Ok(Some(NewGuard { key, slot, guarded: Guarded { copies, code, guard } }))
    }

    /// Takes over guards that have been published.
    pub fn keep_guards(&mut self, new: impl Iterator<Item = NewGuard>) {
        for NewGuard { key, guarded, .. } in new {
            if let Some(old) = self.guards.insert(key, guarded) {
                old.guard.outgrow();
                self.outgrown.push(old);
            }
        }
    }
}
