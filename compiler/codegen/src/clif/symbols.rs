//! The symbols functions refer to, numbered in the order of first use: the bridge between CLIF's external names
//! and imports, independent of any module.

use cranelift_codegen::ir;
use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::link::Import;

/// Namespace of functions in external names.
pub(crate) const FUNCTIONS: u32 = 0;
/// Namespace of data in external names.
pub(crate) const DATA: u32 = 1;

/// The numbers of imports: of one function, or of several whose bodies may be inlined into each other.
pub(crate) type Numbers = IndexSet<Import, FxBuildHasher>;

/// What CLIF knows the imports of a function by.
pub(crate) struct Symbols<'a> {
    numbers: &'a mut Numbers,
    known: FxHashMap<usize, Entity>,
}

#[derive(Clone, Copy)]
enum Entity {
    Function(ir::FuncRef),
    Data(ir::GlobalValue),
}

impl<'a> Symbols<'a> {
    /// No imports yet; new ones are numbered by `numbers`.
    pub(crate) fn new(numbers: &'a mut Numbers) -> Symbols<'a> {
        Symbols { numbers, known: FxHashMap::default() }
    }

    /// A reference to code.
    pub(crate) fn function(
        &mut self,
        import: Import,
        colocated: bool,
        signature: impl FnOnce() -> ir::Signature,
        function: &mut ir::Function,
    ) -> ir::FuncRef {
        let index = self.numbers.insert_full(import).0;
        if let Some(Entity::Function(known)) = self.known.get(&index) {
            return *known;
        }
        let signature = function.import_signature(signature());
        let name = ir::UserExternalName { namespace: FUNCTIONS, index: index as u32 };
        let name = ir::ExternalName::user(function.declare_imported_user_function(name));
        let known = function.import_function(ir::ExtFuncData { name, signature, colocated, patchable: false });
        self.known.insert(index, Entity::Function(known));
        known
    }

    /// A reference to data.
    pub(crate) fn data(&mut self, import: Import, function: &mut ir::Function) -> ir::GlobalValue {
        let index = self.numbers.insert_full(import).0;
        if let Some(Entity::Data(known)) = self.known.get(&index) {
            return *known;
        }
        let name = ir::UserExternalName { namespace: DATA, index: index as u32 };
        let name = ir::ExternalName::user(function.declare_imported_user_function(name));
        let offset = ir::immediates::Imm64::new(0);
        let known =
            function.create_global_value(ir::GlobalValueData::Symbol { name, offset, colocated: false, tls: false });
        self.known.insert(index, Entity::Data(known));
        known
    }
}
