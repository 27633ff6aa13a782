//! The symbols one function refers to, numbered in the order of first use: the bridge between CLIF's external names
//! and imports, independent of any module.

use cranelift_codegen::ir;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::link::Import;

/// Namespace of functions in external names.
pub(crate) const FUNCTIONS: u32 = 0;
/// Namespace of data in external names.
pub(crate) const DATA: u32 = 1;

/// Imports of a function with what CLIF knows them by.
#[derive(Default)]
pub(crate) struct Symbols {
    known: IndexMap<Import, Option<Entity>, FxBuildHasher>,
}

#[derive(Clone, Copy)]
enum Entity {
    Function(ir::FuncRef),
    Data(ir::GlobalValue),
}

impl Symbols {
    /// A reference to code.
    pub(crate) fn function(
        &mut self,
        import: Import,
        colocated: bool,
        signature: impl FnOnce() -> ir::Signature,
        function: &mut ir::Function,
    ) -> ir::FuncRef {
        let entry = self.known.entry(import);
        let index = entry.index();
        let entity = entry.or_insert(None);
        if let Some(Entity::Function(known)) = *entity {
            return known;
        }
        let signature = function.import_signature(signature());
        let name = ir::UserExternalName { namespace: FUNCTIONS, index: index as u32 };
        let name = ir::ExternalName::user(function.declare_imported_user_function(name));
        let known = function.import_function(ir::ExtFuncData { name, signature, colocated, patchable: false });
        *entity = Some(Entity::Function(known));
        known
    }

    /// A reference to data.
    pub(crate) fn data(&mut self, import: Import, function: &mut ir::Function) -> ir::GlobalValue {
        let entry = self.known.entry(import);
        let index = entry.index();
        let entity = entry.or_insert(None);
        if let Some(Entity::Data(known)) = *entity {
            return known;
        }
        let name = ir::UserExternalName { namespace: DATA, index: index as u32 };
        let name = ir::ExternalName::user(function.declare_imported_user_function(name));
        let offset = ir::immediates::Imm64::new(0);
        let known =
            function.create_global_value(ir::GlobalValueData::Symbol { name, offset, colocated: false, tls: false });
        *entity = Some(Entity::Data(known));
        known
    }

    /// The imports in the order of their numbers.
    pub(crate) fn into_imports(self) -> Vec<Import> {
        self.known.into_keys().collect()
    }
}
