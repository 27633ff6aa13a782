//! Code units: what one module became. A unit owns its machine code and the tables that say what each place in it is.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, Mutex, PoisonError};

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, ModuleError, ModuleRelocTarget};
use vaisjit_codegen::info::CodeInfo;

use super::memory::{CodeMemory, ModuleMemory};
use super::registry::Registry;
use super::{libcalls, rt};

/// The location of code that has none: prologues and thunks.
pub const NO_LOCATION: u32 = u32::MAX;

/// Finds the address of an imported symbol. The symbols of the fence itself (`rt:gate` and so on) are not asked for.
pub type Resolver = Box<dyn Fn(&str) -> Option<usize> + Send>;

/// Why a module did not become a unit.
#[derive(Debug)]
pub enum CodeError {
    /// Imports that nobody knows.
    Unresolved(Vec<String>),
    /// No room, or the system refused.
    Memory(std::io::Error),
    /// The code generator failed: a bug of ours.
    Module(Box<ModuleError>),
    /// What was handed in does not fit together: a bug of ours.
    Inconsistent(String),
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodeError::Unresolved(names) => write!(f, "unresolved: {}", names.join(", ")),
            CodeError::Memory(error) => error.fmt(f),
            CodeError::Module(error) => error.fmt(f),
            CodeError::Inconsistent(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for CodeError {}

impl From<std::io::Error> for CodeError {
    fn from(error: std::io::Error) -> Self {
        CodeError::Memory(error)
    }
}

impl From<ModuleError> for CodeError {
    fn from(error: ModuleError) -> Self {
        CodeError::Module(Box::new(error))
    }
}

/// A module being filled. Dropped before it is finished, it leaves nothing behind.
///
/// Functions must not be referred to by address from data (`write_function_addr`): they do not run where they are
/// written.
pub struct CodeModule {
    module: JITModule,
    memory: ModuleMemory,
    missing: Arc<Mutex<Vec<String>>>,
}

/// Starts a module whose imports `resolver` finds.
pub fn new_module(isa: OwnedTargetIsa, resolver: Resolver) -> Result<CodeModule, CodeError> {
    let memory = ModuleMemory::new()?;
    let missing = Arc::<Mutex<Vec<String>>>::default();
    let mut builder = JITBuilder::with_isa(isa, cranelift_module::default_libcall_names());
    builder.memory_provider(memory.provider());
    let not_found = missing.clone();
    // Always answering keeps `cranelift-jit` from asking the dynamic linker, and from panicking.
    builder.symbol_lookup_fn(Box::new(move |name| {
        let address = rt::symbol(name).or_else(|| resolver(name)).or_else(|| libcalls::symbol(name));
        let address = address.unwrap_or_else(|| {
            let mut names = not_found.lock().unwrap_or_else(PoisonError::into_inner);
            names.push(name.to_owned());
            usize::MAX
        });
        Some(address as *const u8)
    }));
    Ok(CodeModule { module: JITModule::new(builder), memory, missing })
}

impl Deref for CodeModule {
    type Target = JITModule;
    fn deref(&self) -> &JITModule {
        &self.module
    }
}

impl DerefMut for CodeModule {
    fn deref_mut(&mut self) -> &mut JITModule {
        &mut self.module
    }
}

impl CodeModule {
    /// Looks every import up without using it.
    pub fn check_imports(&self) -> Result<(), CodeError> {
        let declarations = self.module.declarations();
        for (id, declaration) in declarations.get_functions() {
            if declaration.linkage == Linkage::Import {
                self.module.get_address(&ModuleRelocTarget::user(0, id.as_u32()));
            }
        }
        for (id, declaration) in declarations.get_data_objects() {
            if declaration.linkage == Linkage::Import {
                self.module.get_address(&ModuleRelocTarget::user(1, id.as_u32()));
            }
        }
        self.unresolved()
    }

    fn unresolved(&self) -> Result<(), CodeError> {
        let mut names = self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { Ok(()) } else { Err(CodeError::Unresolved(names)) }
    }

    /// Links the module and makes its code executable. `holds` are the units it calls directly, `keeps` is anything
    /// else its code refers to; both live as long as the unit.
    pub fn finish(
        mut self,
        functions: Vec<UnitFunction>,
        holds: Vec<Arc<CodeUnit>>,
        keeps: Option<Box<dyn Any + Send + Sync>>,
    ) -> Result<Arc<CodeUnit>, CodeError> {
        self.check_imports()?;
        self.module.finalize_definitions()?;
        self.unresolved()?;
        let memory = CodeMemory::shared()?;
        let functions: Box<[Function]> = functions
            .into_iter()
            .map(|function| Function {
                cleanup_of: function.cleanup_of,
                start: memory.executable(self.module.get_finalized_function(function.id) as usize),
                name: function.name,
                info: function.info,
                looping: function.looping,
                nested: function.nested,
            })
            .collect();
        if let Some(stray) = functions.iter().find(|function| !memory.addresses().contains(&function.start)) {
            return Err(CodeError::Inconsistent(format!("the code of {} lies outside code memory", stray.name)));
        }
        let registry = Registry::shared()?;
        let number = registry.number()?;
        let unit = Arc::new(CodeUnit { number, functions, holds, _keeps: keeps, _memory: self.memory });
        registry.insert(number, &unit);
        Ok(unit)
    }
}

/// A function of a module, as its compiler describes it.
pub struct UnitFunction {
    /// Which one.
    pub id: FuncId,
    /// Its name in reports.
    pub name: String,
    /// Its tables.
    pub info: CodeInfo,
    /// By source location: does it lie inside a loop with a safepoint? Short lists are filled up with `false`.
    pub looping: Box<[bool]>,
    /// The same: does it lie inside two of them?
    pub nested: Box<[bool]>,
    /// The function of the unit whose cleanup it is.
    pub cleanup_of: Option<usize>,
}

impl UnitFunction {
    /// A function without safepoint loops.
    pub fn straight(id: FuncId, name: impl Into<String>, info: CodeInfo) -> UnitFunction {
        UnitFunction { id, name: name.into(), info, looping: Box::default(), nested: Box::default(), cleanup_of: None }
    }
}

/// The address of a function's code, as calls need it. Valid while the unit is alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeAddress(usize);

impl CodeAddress {
    /// The number, for slots and for resolving imports.
    pub fn get(self) -> usize {
        self.0
    }
}

/// The code of one module, never changed once made.
///
/// Whoever gives the last share away promises that its code is quiescent; [`World::retire`](super::World::retire) is
/// the way to do so. Memory is freed with the unit.
pub struct CodeUnit {
    number: u32,
    functions: Box<[Function]>,
    holds: Vec<Arc<CodeUnit>>,
    _keeps: Option<Box<dyn Any + Send + Sync>>,
    _memory: ModuleMemory,
}

struct Function {
    name: String,
    start: usize,
    info: CodeInfo,
    looping: Box<[bool]>,
    nested: Box<[bool]>,
    cleanup_of: Option<usize>,
}

impl CodeUnit {
    /// The code of the function with this index in what was given to `finish`.
    pub fn address(&self, function: usize) -> CodeAddress {
        CodeAddress(self.functions[function].start)
    }

    /// How many functions it has.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Has it none?
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// The function's name.
    pub fn name(&self, function: usize) -> &str {
        &self.functions[function].name
    }

    /// Is it the cleanup of another function?
    pub fn is_cleanup(&self, function: usize) -> bool {
        self.functions[function].cleanup_of.is_some()
    }

    /// The function that a cleanup is a part of; others are themselves.
    pub fn stands_for(&self, function: usize) -> usize {
        self.functions[function].cleanup_of.unwrap_or(function)
    }

    /// The function's tables.
    pub fn info(&self, function: usize) -> &CodeInfo {
        &self.functions[function].info
    }

    /// The units it calls directly.
    pub fn holds(&self) -> &[Arc<CodeUnit>] {
        &self.holds
    }

    /// The machine code of a function.
    pub fn code(&self, function: usize) -> &[u8] {
        let Function { start, info, .. } = &self.functions[function];
        // SAFETY: the range was allocated for this unit, is readable, and does not change while the unit is alive.
        unsafe { std::slice::from_raw_parts(*start as *const u8, info.size as usize) }
    }

    /// The source location of a place, [`NO_LOCATION`] if it has none.
    pub fn location(&self, function: usize, offset: u32) -> u32 {
        self.functions[function].info.location_at(offset).unwrap_or(NO_LOCATION)
    }

    /// Does this location lie in a loop with a safepoint?
    pub fn is_looping(&self, function: usize, location: u32) -> bool {
        self.functions[function].looping.get(location as usize).copied().unwrap_or(false)
    }

    /// Does a source location lie inside two loops with a safepoint, one around the other?
    pub fn is_nested(&self, function: usize, location: u32) -> bool {
        self.functions[function].nested.get(location as usize).copied().unwrap_or(false)
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.functions.iter().map(|function| function.start..function.start + function.info.size.max(1) as usize)
    }

    /// The function at a program counter, and how far into it. May run in a signal handler.
    pub(super) fn function_at(&self, pc: usize) -> Option<(usize, u32)> {
        let index = self.ranges().position(|range| range.contains(&pc))?;
        Some((index, (pc - self.functions[index].start) as u32))
    }
}

impl Drop for CodeUnit {
    fn drop(&mut self) {
        if let Ok(registry) = Registry::shared() {
            registry.remove(self.number, self);
        }
    }
}

impl fmt::Debug for CodeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.functions.iter().map(|function| &*function.name).collect();
        write!(f, "CodeUnit({})", names.join(", "))
    }
}
