//! The symbols functions refer to, numbered in the order of first use: the bridge between CLIF's external names
//! and imports, independent of any module.

use cranelift_codegen::ir;
use cranelift_codegen::isa::CallConv;
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
///
/// Data too is a function to CLIF, of which only the address is taken: Cranelift's inliner gives function references
/// their new names, but leaves those of symbolic global values as they were in the callee.
pub(crate) struct Symbols<'a> {
    numbers: &'a mut Numbers,
    known: FxHashMap<usize, ir::FuncRef>,
    data_signature: Option<ir::SigRef>,
}

impl<'a> Symbols<'a> {
    /// No imports yet; new ones are numbered by `numbers`.
    pub(crate) fn new(numbers: &'a mut Numbers) -> Symbols<'a> {
        Symbols { numbers, known: FxHashMap::default(), data_signature: None }
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
        if let Some(known) = self.known.get(&index) {
            return *known;
        }
        let signature = function.import_signature(signature());
        self.declare(FUNCTIONS, index, signature, colocated, function)
    }

    /// A reference to data.
    pub(crate) fn data(&mut self, import: Import, function: &mut ir::Function) -> ir::FuncRef {
        let index = self.numbers.insert_full(import).0;
        if let Some(known) = self.known.get(&index) {
            return *known;
        }
        let signature =
            *self.data_signature.get_or_insert_with(|| function.import_signature(ir::Signature::new(CallConv::Tail)));
        self.declare(DATA, index, signature, false, function)
    }

    fn declare(
        &mut self,
        namespace: u32,
        index: usize,
        signature: ir::SigRef,
        colocated: bool,
        function: &mut ir::Function,
    ) -> ir::FuncRef {
        let name = ir::UserExternalName { namespace, index: index as u32 };
        let name = ir::ExternalName::user(function.declare_imported_user_function(name));
        let known = function.import_function(ir::ExtFuncData { name, signature, colocated, patchable: false });
        self.known.insert(index, known);
        known
    }
}
