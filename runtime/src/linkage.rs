//! What the code of a program is linked against: slots, globals, string literals, thunks and trampolines. Everything
//! here is made on demand, has a stable address, and is kept as long as the program.

#[cfg(test)]
mod digest;
mod fresh;
mod guards;
mod renames;
mod tables;

use std::sync::{Arc, Mutex, OnceLock};

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_module::{FuncId, Module};
use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_abi::heap::CLOSURE_TAG;
use vaisjit_abi::string;
use vaisjit_codegen::clif::leaf;
use vaisjit_codegen::info::CodeInfo;
use vaisjit_codegen::link::{Import, SlotKey, ThunkKey, ThunkTarget};
use vaisjit_codegen::thunks::{self, AbiSignature, ExitKind, ExitThunk, ThunkError};
use vaisjit_semantics::{Instance, ItemPath, Ty};
use vaisjit_syntax::Name;

use crate::code::{
    self, CallbackTarget, CodeModule, GlobalMemory, Slot, SlotTable, Trampoline, UnitFunction, World, c_symbol,
};
use crate::heap::Heap;
use crate::host::{HostTable, HostTarget};
use crate::live::Code;
use crate::reload::migrate::Aside;

pub(crate) use fresh::Fresh;
pub(crate) use guards::NewGuard;
pub(crate) use renames::LinkNames;
pub(crate) use tables::{Answer, Lacking, TableStore, in_use};

/// Addresses by symbol; filled after a unit is compiled and before it is finished.
pub(crate) type Symbols = Arc<Mutex<FxHashMap<String, usize>>>;

/// The link table of a program.
pub(crate) struct Linkage {
    isa: OwnedTargetIsa,
    heap: Arc<Heap>,
    slots: SlotTable,
    by_key: FxHashMap<SlotKey, Slot>,
    globals: FxHashMap<ItemPath, GlobalMemory>,
    /// Where globals will lie that move with the version that is being prepared.
    moving: FxHashMap<ItemPath, usize>,
    /// Memory that globals have left; old code may still use it.
    left: Vec<GlobalMemory>,
    strings: FxHashMap<Arc<str>, Box<[u64]>>,
    /// Tables of methods, by trait and type of the values.
    tables: FxHashMap<(ItemPath, Ty), tables::Words>,
    thunks: FxHashMap<ThunkKey, Code>,
    trampolines: FxHashMap<AbiSignature, Trampoline>,
    /// Where the world looks for how it enters cleanups.
    cleanup_entry: Arc<OnceLock<Trampoline>>,
    /// By slot address and ABI types; C may keep the addresses, so they stay.
    callbacks: FxHashMap<(usize, String), (Code, Arc<CallbackTarget>)>,
    guards: FxHashMap<SlotKey, guards::Guarded>,
    outgrown: guards::Outgrown,
    safepoint: Option<Code>,
    c_symbols: FxHashMap<Name, Option<usize>>,
    /// What the preparation that is going on has added.
    noted: Option<Fresh>,
    /// Literals that only preparations have asked for that are not live yet.
    unsettled: FxHashSet<Arc<str>>,
}

/// Emits a thunk into a module.
type Emit<'a> = dyn Fn(&mut dyn Module) -> Result<(FuncId, CodeInfo), ThunkError> + 'a;

/// Why something cannot be linked.
pub(crate) type LinkError = String;

impl Linkage {
    pub fn new(isa: OwnedTargetIsa, heap: Arc<Heap>, cleanup_entry: Arc<OnceLock<Trampoline>>) -> Linkage {
        Linkage {
            isa,
            heap,
            cleanup_entry,
            slots: SlotTable::new(),
            by_key: FxHashMap::default(),
            globals: FxHashMap::default(),
            moving: FxHashMap::default(),
            left: Vec::new(),
            strings: FxHashMap::default(),
            tables: FxHashMap::default(),
            thunks: FxHashMap::default(),
            trampolines: FxHashMap::default(),
            callbacks: FxHashMap::default(),
            guards: FxHashMap::default(),
            outgrown: Vec::new(),
            safepoint: None,
            c_symbols: FxHashMap::default(),
            noted: None,
            unsettled: FxHashSet::default(),
        }
    }

    /// The machine.
    pub fn isa(&self) -> &OwnedTargetIsa {
        &self.isa
    }

    /// An empty module whose imports are looked up in the symbols.
    pub fn module(&self) -> Result<(CodeModule, Symbols), LinkError> {
        let symbols = Symbols::default();
        let lookup = symbols.clone();
        let resolver = Box::new(move |name: &str| lookup.lock().unwrap_or_else(|e| e.into_inner()).get(name).copied());
        let module = code::new_module(self.isa.clone(), resolver).map_err(|error| error.to_string())?;
        Ok((module, symbols))
    }

    /// The slot of a function, if there is one.
    pub fn slot(&self, key: &SlotKey) -> Option<Slot> {
        self.by_key.get(key).cloned()
    }

    /// The slot of a function, made if there was none; the flag says so.
    pub fn slot_or_new(&mut self, key: &SlotKey) -> (Slot, bool) {
        if let Some(slot) = self.by_key.get(key) {
            return (slot.clone(), false);
        }
        let slot = self.slots.alloc(None);
        self.by_key.insert(key.clone(), slot.clone());
        self.note_slot(key);
        (slot, true)
    }

    /// The slot at an address: what a function value of the program names.
    pub fn slot_at(&self, address: usize) -> Option<Slot> {
        self.slots.at(address)
    }

    /// The function whose slot lies there.
    pub fn instance_at(&self, address: usize) -> Option<Instance> {
        self.by_key.iter().find(|(_, slot)| slot.address() == address).map(|(key, _)| key.instance)
    }

    /// Takes back a slot that nothing has been linked against.
    pub fn forget_slot(&mut self, key: &SlotKey) {
        self.guards.remove(key);
        if let Some(slot) = self.by_key.remove(key) {
            self.leave_tables(slot.address());
            self.slots.free(slot);
        }
    }

    /// The memory of a global.
    pub fn global(&self, path: ItemPath) -> Option<&GlobalMemory> {
        self.globals.get(&path)
    }

    /// The memory of a global, made (all zero) if there was none; the flag says so.
    pub fn global_or_new(&mut self, path: ItemPath, size: u32) -> (&GlobalMemory, bool) {
        let mut new = false;
        let memory = self.globals.entry(path).or_insert_with(|| {
            new = true;
            let memory = GlobalMemory::new(size as usize);
            self.heap.add_global(memory.address(), size as usize);
            memory
        });
        (memory, new)
    }

    /// Takes back the memory of a global that no code has been published for.
    pub fn forget_global(&mut self, path: ItemPath) {
        if let Some(memory) = self.globals.remove(&path) {
            self.heap.remove_global(memory.address());
        }
    }

    /// The code that is linked from now on finds globals at these places.
    pub fn set_moving(&mut self, moving: impl Iterator<Item = (ItemPath, usize)>) {
        self.moving = moving.collect();
    }

    /// Lets a global lie elsewhere. What old code has stays where it is as long as the program lives, but leads to nothing.
    pub fn move_global(&mut self, path: ItemPath, memory: GlobalMemory) {
        self.heap.add_global(memory.address(), memory.size());
        if let Some(left) = self.globals.insert(path, memory) {
            left.write(&vec![0; left.size()]);
            self.left.push(left);
        }
    }

    /// Forgets a global whose value has been given up. Code of earlier versions may still know where it lay.
    pub fn leave_global(&mut self, path: ItemPath) {
        if let Some(left) = self.globals.remove(&path) {
            left.write(&vec![0; left.size()]);
            self.left.push(left);
        }
    }

    /// Takes in values of globals that are kept aside from now on, and forgets those that are not any more.
    pub fn keep_aside(&mut self, aside: Aside) {
        aside.gone.into_iter().for_each(|path| self.forget_global(path));
        for (path, memory) in aside.kept {
            self.heap.add_global(memory.address(), memory.size());
            self.globals.insert(path, memory);
        }
    }

    /// The address of a global for code that is being linked.
    fn global_address(&self, path: ItemPath) -> Option<usize> {
        self.moving.get(&path).copied().or_else(|| self.globals.get(&path).map(GlobalMemory::address))
    }

    /// The address of the first byte of a literal.
    pub fn string(&mut self, text: &Arc<str>) -> usize {
        let mut new = false;
        let words = self.strings.entry(text.clone()).or_insert_with(|| {
            new = true;
            let bytes = string::image(text);
            let word = |chunk: &[u8]| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(word)
            };
            bytes.chunks(8).map(word).collect()
        });
        let address = words.as_ptr() as usize + string::HEADER_SIZE;
        self.note_string(text, new);
        address
    }

    /// The literals of the program, all versions'.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.strings.keys().map(|text| &**text)
    }

    /// The address of a C function, looked up once.
    pub fn c_function(&mut self, name: Name) -> Option<usize> {
        *self.c_symbols.entry(name).or_insert_with(|| c_symbol(&name))
    }

    /// Where something lies that code has been linked against and that can be taken back: a slot, a table of them, a
    /// global.
    pub fn address(&self, import: &Import) -> Option<usize> {
        match import {
            Import::Slot(key) => self.by_key.get(key).map(Slot::address),
            Import::Table(table) => self.known_table(table.of_trait, table.of),
            Import::Global(path) => self.global_address(*path),
            _ => None,
        }
    }

    /// The address an import stands for. `code` knows the functions of other units.
    pub fn resolve(
        &mut self,
        import: &Import,
        host: &HostTable,
        code: &dyn Fn(Instance) -> Option<usize>,
    ) -> Result<usize, LinkError> {
        match import {
            Import::Slot(key) => Ok(self.slot_or_new(key).0.address()),
            Import::Function(instance) => {
                code(*instance).ok_or_else(|| format!("there is no code of `{instance}` to call directly"))
            }
            Import::Cleanup(instance) => Err(format!("the cleanup of `{instance}` is not in its unit")),
            Import::Global(path) => {
                self.global_address(*path).ok_or_else(|| format!("there is no memory of the global `{path}`"))
            }
            Import::Str(text) => Ok(self.string(text)),
            Import::Type(ty) => Err(format!("`{ty}` is linked by who knows its shape")),
            Import::Table(table) => self.table(table),
            Import::Thunk(key) => self.thunk(key, host),
            Import::Leaf(name) => self.leaf(*name, host),
            Import::Safepoint => self.safepoint(),
        }
    }

    /// The program's heap.
    pub fn heap(&self) -> &Arc<Heap> {
        &self.heap
    }

    /// Where the literals of the program start.
    pub fn literal_addresses(&self) -> impl Iterator<Item = usize> {
        self.strings.values().map(|words| words.as_ptr() as usize + string::HEADER_SIZE)
    }

    fn leaf(&mut self, name: Name, host: &HostTable) -> Result<usize, LinkError> {
        if let Some(address) = leaf::address(&name) {
            return Ok(address);
        }
        match host.get(name).map(|entry| &entry.target) {
            Some(HostTarget::Native(address)) => Ok(*address),
            _ => self.c_function(name).ok_or_else(|| format!("there is no C function `{name}`")),
        }
    }

    fn safepoint(&mut self) -> Result<usize, LinkError> {
        if self.safepoint.is_none() {
            self.safepoint = Some(self.emit("safepoint", &[], &|module| thunks::safepoint_thunk(module, "safepoint"))?);
        }
        Ok(self.safepoint.as_ref().map_or(0, |code| code.address().get()))
    }

    /// The thunk for a host or C function called with these types.
    fn thunk(&mut self, key: &ThunkKey, host: &HostTable) -> Result<usize, LinkError> {
        if let Some(thunk) = self.thunks.get(key) {
            return Ok(thunk.address().get());
        }
        let (target, kind, environment) = match key.target {
            ThunkTarget::Host(name) => {
                let entry = host.get(name).ok_or_else(|| format!("there is no host function `{name}`"))?;
                let safepoint = entry.flags.safepoint;
                match &entry.target {
                    HostTarget::Native(address) if entry.flags.heap => (*address, ExitKind::Heap, None),
                    HostTarget::Native(address) => (*address, ExitKind::Host { safepoint }, None),
                    HostTarget::Closure(closure) => {
                        (closure.entry, ExitKind::Closure { safepoint }, Some(closure.environment()))
                    }
                }
            }
            ThunkTarget::C(name, fixed) => {
                let address = self.c_function(name).ok_or_else(|| format!("there is no C function `{name}`"))?;
                (address, fixed.map_or(ExitKind::C, |fixed| ExitKind::Variadic { fixed }), None)
            }
        };
        let name = key.to_string();
        let symbols = [("target".to_owned(), target), (thunks::ENVIRONMENT.to_owned(), environment.unwrap_or(0))];
        let thunk = self.emit(&name, &symbols, &|module| {
            let (signature, fence) = (&key.signature, code::needs_fence());
            let thunk = ExitThunk { name: &name, target: "target", signature, kind, fence };
            thunks::exit_thunk(module, &thunk)
        })?;
        let address = thunk.address().get();
        self.thunks.insert(key.clone(), thunk);
        Ok(address)
    }

    /// The C function that stands for a function value, made once: it enters whatever is in the slot at that address.
    pub fn callback(&mut self, world: &World, function: usize, signature: &str) -> Result<usize, LinkError> {
        if function & CLOSURE_TAG as usize != 0 {
            return Err("a closure that has captured variables is no C function".to_owned());
        }
        let key = (function, signature.to_owned());
        if let Some((thunk, _)) = self.callbacks.get(&key) {
            return Ok(thunk.address().get());
        }
        let slot = self.slots.at(function).ok_or("this is no function value")?;
        let abi: AbiSignature = signature.parse()?;
        let target = CallbackTarget::new(world, self.trampoline(&abi)?, slot);
        let name = format!("callback{abi}");
        let symbols = [("target".to_owned(), target.address())];
        let thunk = self.emit(&name, &symbols, &|module| thunks::callback_thunk(module, &name, &abi, "target"))?;
        let address = thunk.address().get();
        self.callbacks.insert(key, (thunk, target));
        Ok(address)
    }

    /// The trampoline through which the host calls code of these types.
    pub fn trampoline(&mut self, signature: &AbiSignature) -> Result<Trampoline, LinkError> {
        if let Some(known) = self.trampolines.get(signature) {
            return Ok(known.clone());
        }
        let name = format!("enter{signature}");
        let made = self.emit(&name, &[], &|module| thunks::entry_trampoline(module, &name, signature))?;
        let made = Trampoline::new(&made.unit, 0, signature).map_err(|error| error.to_string())?;
        self.trampolines.insert(signature.clone(), made.clone());
        Ok(made)
    }

    /// There is a cleanup: the world must be able to enter it.
    pub fn expect_cleanups(&mut self) -> Result<(), LinkError> {
        if self.cleanup_entry.get().is_none() {
            let entry = self.trampoline(&AbiSignature::default())?;
            let _ = self.cleanup_entry.set(entry);
        }
        Ok(())
    }

    fn emit(&self, name: &str, imports: &[(String, usize)], make: &Emit<'_>) -> Result<Code, LinkError> {
        let (mut module, symbols) = self.module()?;
        symbols.lock().unwrap_or_else(|e| e.into_inner()).extend(imports.iter().cloned());
        let (id, info) = make(&mut *module).map_err(|error| error.to_string())?;
        let function = UnitFunction::straight(id, name, info);
        let unit = module.finish(vec![function], Vec::new(), None).map_err(|error| error.to_string())?;
        Ok(Code { unit, index: 0 })
    }
}
