//! Initial values of globals.

use vaisjit_codegen::layout::{self, Layouts, TypeLayouts};
use vaisjit_codegen::shape::shape;
use vaisjit_codegen::thunks::{AbiSignature, AbiType};
use vaisjit_semantics::hir::{Expr, ExprKind};
use vaisjit_semantics::{ItemPath, Ty};

use super::run::Entry;
use super::{Program, ProgramInner};
use crate::code::RawTrap;
use crate::code::closure::FunctionValue;
use crate::engine::Error;
use crate::linkage::Linkage;
use crate::trap::{Trap, TrapCode};
use crate::workspace::Snapshot;

impl ProgramInner {
    /// Gives a global its initial value.
    pub fn initialise(&self, path: ItemPath, snapshot: &Snapshot) -> Result<(), Error> {
        let Some(global) = snapshot.checked.globals.get(&path) else { return Ok(()) };
        let layouts = self.live().layouts.clone();
        let size = layouts.layout(global.ty).size as usize;
        let shape = |ty: Ty| shape(ty, &snapshot.checked, &*layouts);
        let clear = &|address: usize| self.world.heap().clear_global(address, global.ty, &shape);
        let Some(init) = &global.init else {
            let zero = layout::constant::zero(global.ty, &*layouts).unwrap_or_else(|| vec![0; size]);
            return self.write_global(path, &zero, clear);
        };
        let literal = constant(&init.value, &layouts, &mut self.linkage());
        if let Some(bytes) = literal {
            return self.write_global(path, &bytes, clear);
        }
        let entry = self.entry(init.instance)?;
        self.world.heap().making_outside(|| {
            let bytes = self.compute(&entry, global.ty, size)?;
            self.write_global(path, &bytes, clear)
        })
    }

    /// The bytes of what a function without parameters gives.
    pub fn compute(&self, entry: &Entry, ty: Ty, size: usize) -> Result<Vec<u8>, Trap> {
        if !ty.is_aggregate() {
            return Ok(self.enter(entry, &mut [])?.to_le_bytes()[..size].to_vec());
        }
        let mut bytes = vec![0u128; size.div_ceil(16)];
        self.enter(entry, &mut [bytes.as_mut_ptr() as u64])?;
        Ok(bytes.iter().flat_map(|word| word.to_le_bytes()).take(size).collect())
    }

    /// Gives up the value that a global has, and gives it another.
    fn write_global(
        &self,
        path: ItemPath,
        bytes: &[u8],
        clear: &dyn Fn(usize) -> Result<(), String>,
    ) -> Result<(), Error> {
        if let Some(memory) = self.linkage().global(path) {
            clear(memory.address()).map_err(Error::Other)?;
            memory.write(bytes);
        }
        Ok(())
    }

    /// Sets a global of the root module back to its initial value.
    pub fn reset_global(&self, name: &str) -> Result<(), String> {
        // The running version's, not the last text's: that may have been turned down.
        let snapshot = self.live().snapshot.clone().ok_or("nothing is loaded")?;
        let found = snapshot.checked.globals.keys().find(|path| path.name == name).copied();
        let path = found.ok_or_else(|| format!("there is no global `{name}`"))?;
        self.initialise(path, &snapshot).map_err(|error| error.to_string())
    }

    /// Calls a function value of type `fn(i64) -> i64` that has captured nothing.
    pub fn call_value(&self, function: FunctionValue, argument: i64) -> Result<i64, Trap> {
        let abi = AbiSignature::new([AbiType::I64], Some(AbiType::I64));
        let found = {
            let mut linkage = self.linkage();
            let slot = linkage.slot_at(function.0).ok_or_else(|| "this is no function value".to_owned());
            slot.and_then(|slot| Ok((slot, linkage.trampoline(&abi)?)))
        };
        let (slot, trampoline) = found.map_err(|why| self.trap(&RawTrap::new(TrapCode::HostFailure, Some(why))))?;
        let entry = Entry { slot, trampoline, result: Ty::i64(), params: vec![Ty::i64()] };
        self.enter(&entry, &mut [argument as u64]).map(|value| value as i64)
    }
}

impl Program {
    /// Sets a global back to its initial value, as `hot_reset` does.
    pub fn reset(&self, name: &str) -> Result<(), Error> {
        self.inner.reset_global(name).map_err(Error::Other)
    }
}

/// Is a value made of literals only?
pub(crate) fn is_literal(expr: &Expr) -> bool {
    match &*expr.kind {
        ExprKind::Int(_) | ExprKind::Bool(_) | ExprKind::Float(_) | ExprKind::Str(_) | ExprKind::Unit => true,
        ExprKind::Zero => !expr.ty.holds_collection(),
        ExprKind::Aggregate(parts, _) | ExprKind::Array(parts) => parts.iter().all(is_literal),
        ExprKind::Repeat(element) => is_literal(element),
        ExprKind::Block(statements, Some(value)) => statements.is_empty() && is_literal(value),
        _ => false,
    }
}

/// The bytes of a value made of literals only.
pub(crate) fn constant(expr: &Expr, layouts: &TypeLayouts, linkage: &mut Linkage) -> Option<Vec<u8>> {
    layout::constant::bytes(expr, layouts, &mut |text| Some(linkage.string(text)))
}
