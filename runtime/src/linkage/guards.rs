//! Guard thunks of a program, made once for each slot and for the sizes of what it is called with.

use std::sync::Arc;

use vaisjit_codegen::link::SlotKey;
use vaisjit_codegen::thunks::{GuardThunk, guard_thunk};

use super::{LinkError, Linkage};
use crate::code::{CodeAddress, Guard, Slot};
use crate::live::Code;

/// The guard of a slot.
pub(super) struct Guarded {
    copies: Box<[(usize, u32)]>,
    _code: Code,
    _guard: Arc<Guard>,
}

/// Guard thunks that were replaced because a layout changed: calls through them may be going on.
pub(super) type Outgrown = Vec<Guarded>;

impl Linkage {
    /// A new guard thunk for a slot, unless there is one that copies these parameters (by number, with their sizes), or
    /// they are too large to be copied at each call.
    pub fn new_guard(
        &mut self,
        key: &SlotKey,
        copies: Box<[(usize, u32)]>,
    ) -> Result<Option<(Slot, CodeAddress)>, LinkError> {
        if !GuardThunk::fits(&copies) || self.guards.get(key).is_some_and(|guarded| guarded.copies == copies) {
            return Ok(None);
        }
        let Some(slot) = self.slot(key) else { return Ok(None) };
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
        let address = code.address();
        let old = self.guards.insert(key.clone(), Guarded { copies, _code: code, _guard: guard });
        self.outgrown.extend(old);
        Ok(Some((slot, address)))
    }
}
