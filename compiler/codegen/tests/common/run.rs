//! A module with everything that compiled code needs around it, entered through trampolines.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, FuncOrDataId, Module};
use vaisjit_abi::context::SHOWN;
use vaisjit_abi::{CallContext, EntryRecord};
use vaisjit_codegen::clif::frame::FrameLayout;
use vaisjit_codegen::clif::{abi_signature, leaf};
use vaisjit_codegen::isa::{OptLevel, isa};
use vaisjit_codegen::layout::Layouts;
use vaisjit_codegen::link::{Import, Link, Linker, ThunkTarget};
use vaisjit_codegen::mir::Body;
use vaisjit_codegen::resume::{SPILL_ANSWER, SPILL_CONTEXT, SPILL_LOOP};
use vaisjit_codegen::thunks::{
    AbiSignature, ExitKind, ExitThunk, GATE, SAFEPOINT, entry_trampoline, exit_thunk, safepoint_thunk,
};
use vaisjit_codegen::unit::{CompiledUnit, UnitInput, compile_unit};
use vaisjit_semantics::Instance;
use vaisjit_syntax::Name;

use super::TestLayouts;

/// What a function is called by: hand-built ones by their name alone.
pub fn key(instance: Instance) -> String {
    if instance.path.module == "test" { instance.path.name.to_string() } else { instance.to_string() }
}

/// How the functions of a test are linked.
#[derive(Clone, Copy, Default, Debug)]
pub struct TestLinker {
    pub hot: bool,
    pub slots: bool,
    pub inline: bool,
    /// How many of the last bodies are there only to be inlined.
    pub library: usize,
}

impl Linker for TestLinker {
    fn link(&self, _caller: Instance, _callee: Instance) -> Link {
        if self.slots { Link::Slot } else { Link::Direct }
    }
    fn hot(&self) -> bool {
        self.hot
    }
    fn may_inline(&self, _caller: Instance, _callee: Instance) -> bool {
        self.inline
    }
    fn leaf(&self, host: Name) -> bool {
        host.starts_with("leaf_")
    }
}

/// Compiled functions, their slots, globals and the context they run with.
pub struct Machine {
    module: JITModule,
    pub unit: CompiledUnit,
    addresses: HashMap<String, usize>,
    data: HashMap<String, Box<[u128]>>,
    entries: HashMap<String, (usize, AbiSignature)>,
    pub context: Box<CallContext>,
    safepoint: usize,
    _data_stack: Box<[u128]>,
}

// SAFETY: the signatures are those of the C library.
unsafe extern "C" {
    fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8;
    fn memset(to: *mut u8, byte: i32, n: usize) -> *mut u8;
    fn fmod(a: f64, b: f64) -> f64;
    fn fmodf(a: f32, b: f32) -> f32;
    fn pow(a: f64, b: f64) -> f64;
}

fn leaf_address(name: &str) -> Option<usize> {
    leaf::address(name).or(match name {
        "memmove" => Some(memmove as *const () as usize),
        "memset" => Some(memset as *const () as usize),
        "fmod" => Some(fmod as *const () as usize),
        "fmodf" => Some(fmodf as *const () as usize),
        "pow" => Some(pow as *const () as usize),
        _ => None,
    })
}

impl Machine {
    /// Compiles the bodies; `hosts` are the host functions (with the context first), C functions and the safepoint
    /// (`safepoint`) by name.
    pub fn new(bodies: &[Body], linker: TestLinker, opt: OptLevel, hosts: &[(&str, usize)]) -> Machine {
        Machine::with_layouts(bodies, &TestLayouts, linker, opt, hosts)
    }

    /// The same with other layouts.
    pub fn with_layouts(
        bodies: &[Body],
        layouts: &dyn Layouts,
        linker: TestLinker,
        opt: OptLevel,
        hosts: &[(&str, usize)],
    ) -> Machine {
        Machine::taking_over(bodies, &[], layouts, linker, opt, hosts)
    }

    /// The same with the blocks that the last bodies take over.
    pub fn taking_over(
        bodies: &[Body],
        blocks: &[FrameLayout],
        layouts: &dyn Layouts,
        linker: TestLinker,
        opt: OptLevel,
        hosts: &[(&str, usize)],
    ) -> Machine {
        let table: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let lookup = table.clone();
        let mut builder = JITBuilder::with_isa(isa(opt).unwrap(), cranelift_module::default_libcall_names());
        builder.symbol_lookup_fn(Box::new(move |name| {
            lookup.lock().unwrap().get(name).map(|address| *address as *const u8)
        }));
        let mut module = JITModule::new(builder);
        let (bodies, library) = bodies.split_at(bodies.len() - linker.library);
        let before = bodies.len() - blocks.len();
        let keep = std::iter::repeat_n(None, before).chain(blocks.iter().map(Some)).collect();
        let input = UnitInput { functions: bodies.iter().collect(), inline: library.iter().collect(), keep };
        let unit = compile_unit(&input, layouts, &linker, &mut module).unwrap_or_else(|error| panic!("{error}"));
        let mut data: HashMap<String, Box<[u128]>> = HashMap::new();
        {
            let mut table = table.lock().unwrap();
            table.insert(GATE.into(), gate as *const () as usize);
            for (name, address) in hosts {
                table.insert(format!("host:{name}"), *address);
            }
            table.insert(SAFEPOINT.into(), safepoint as *const () as usize);
        }
        for import in &unit.imports {
            let symbol = import.to_string();
            let address = match import {
                Import::Slot(_) | Import::Global(_) => {
                    data.entry(symbol.clone()).or_insert_with(|| vec![0; 4096].into()).as_ptr() as usize
                }
                Import::Str(text) => {
                    let mut image = vec![0u128; text.len() / 16 + 3];
                    let bytes = vaisjit_abi::string::image(text);
                    // SAFETY: the vector has room for the header, the text and the final zero.
                    unsafe { std::ptr::copy(bytes.as_ptr(), image.as_mut_ptr().cast(), bytes.len()) };
                    data.entry(symbol.clone()).or_insert(image.into()).as_ptr() as usize + 16
                }
                Import::Leaf(name) => {
                    let host = hosts.iter().find(|host| *name == host.0).map(|host| host.1);
                    host.or(leaf_address(name)).unwrap()
                }
                Import::Thunk(_) | Import::Safepoint => {
                    define_thunk(&mut module, import);
                    continue;
                }
                Import::Type(_) | Import::Table(_) => panic!("{symbol}: there is no heap here"),
                Import::Function(_) | Import::Cleanup(_) => panic!("{symbol} is not in the unit"),
            };
            table.lock().unwrap().insert(symbol, address);
        }
        let mut entries = HashMap::new();
        for body in bodies {
            let signature = abi_signature(&body.signature());
            let trampoline = define_trampoline(&mut module, &signature);
            entries.insert(key(body.instance), (trampoline, signature));
        }
        module.finalize_definitions().unwrap();
        let entries = (entries.into_iter())
            .map(|(name, (id, signature))| (name, (module.get_finalized_function(id) as usize, signature)))
            .collect();
        // A cleanup has its function's name.
        let addresses = (unit.functions.iter().filter(|f| f.cleanup_of.is_none()))
            .map(|f| (key(f.instance), module.get_finalized_function(f.func_id) as usize))
            .collect();
        let data_stack: Box<[u128]> = vec![u128::MAX; 1 << 16].into();
        let start = data_stack.as_ptr() as usize;
        let context = Box::new(CallContext {
            stack_limit: 0,
            poll: 0.into(),
            state: 0.into(),
            data_top: start,
            data_end: start + (16 << 16),
            exit_fp: 0,
            entry: std::ptr::null(),
            owner: std::ptr::null_mut(),
            services: std::ptr::null(),
            carried: std::ptr::null_mut(),
            guard: std::ptr::null(),
            failed_check: [0; 2],
            shown_mask: 0,
            shown: [0; SHOWN],
        });
        let safepoint = hosts.iter().find(|(name, _)| *name == "safepoint").map_or(0, |(_, address)| *address);
        let mut machine =
            Machine { safepoint, module, unit, addresses, data, entries, context, _data_stack: data_stack };
        machine.fill_slots();
        machine
    }

    fn fill_slots(&mut self) {
        for import in self.unit.imports.clone() {
            if let Import::Slot(key) = &import {
                let code = self.addresses.get(&super::run::key(key.instance)).copied().unwrap_or(0);
                self.set_slot(&import, code);
            }
        }
    }

    /// Publishes an address.
    pub fn set_slot(&mut self, slot: &Import, code: usize) {
        self.data.get_mut(&slot.to_string()).unwrap()[0] = code as u128;
    }

    /// Start and side tables of every function.
    pub fn tables(&self) -> Vec<(usize, &vaisjit_codegen::unit::CompiledFunction)> {
        let own = self.unit.functions.iter().filter(|function| function.cleanup_of.is_none());
        own.map(|function| (self.addresses[&key(function.instance)], function)).collect()
    }

    pub fn code(&self, name: &str) -> usize {
        self.addresses[name]
    }

    /// The address of a slot, global or string.
    pub fn data(&self, import: &Import) -> usize {
        self.data[&import.to_string()].as_ptr() as usize
    }

    /// Calls a function; arguments and result are the low bytes of the numbers.
    pub fn call(&mut self, name: &str, arguments: &[u128]) -> u128 {
        CURRENT.set((&mut *self.context, self.safepoint));
        let (trampoline, signature) = &self.entries[name];
        let mut words = Vec::new();
        for (value, ty) in arguments.iter().zip(&signature.params) {
            words.extend([*value as u64, (*value >> 64) as u64].iter().take(ty.words()));
        }
        let mut result = 0u128;
        let mut record = EntryRecord {
            previous: std::ptr::null(),
            exit_fp: 0,
            data_top: self.context.data_top,
            trampoline_fp: 0,
            handler_pc: 0,
            handler_frame: 0,
        };
        // SAFETY: the trampoline was made for this signature and reads as many words as it has.
        let status = unsafe {
            let enter: Trampoline = std::mem::transmute(*trampoline);
            enter(&mut *self.context, &mut record, self.addresses[name], words.as_ptr(), (&raw mut result).cast())
        };
        assert_eq!(status, 0);
        result
    }
}

thread_local! {
    /// Of the machine that runs: its context and safepoint.
    static CURRENT: Cell<(*mut CallContext, usize)> = const { Cell::new((std::ptr::null_mut(), 0)) };
}

/// What the thunk calls: asks the machine's safepoint, and leaves its answer and the context in the spill area.
unsafe extern "C" fn safepoint(thunk: usize, _: usize) -> u8 {
    let (context, target) = CURRENT.get();
    // SAFETY: the machine runs on this thread, in a loop that waits for the answer; tests give functions of this type.
    unsafe {
        (*context).exit_fp = thunk;
        let spill = (*context).carried;
        let target: unsafe extern "C" fn(*mut CallContext, *mut u64, u64) -> usize = std::mem::transmute(target);
        let answer = target(context, spill, spill.byte_add(SPILL_LOOP as usize).read());
        spill.byte_add(SPILL_ANSWER as usize).write(answer as u64);
        spill.byte_add(SPILL_CONTEXT as usize).write(context as u64);
    }
    0
}

type Trampoline = unsafe extern "C" fn(*mut CallContext, *mut EntryRecord, usize, *const u64, *mut u64) -> u64;

impl Drop for Machine {
    fn drop(&mut self) {
        let empty = JITModule::new(JITBuilder::with_isa(host_isa(), cranelift_module::default_libcall_names()));
        // SAFETY: no code of the module is running and no address of it is kept.
        unsafe { std::mem::replace(&mut self.module, empty).free_memory() };
    }
}

fn host_isa() -> OwnedTargetIsa {
    isa(OptLevel::None).unwrap()
}

/// The entry trampoline of a signature.
fn define_trampoline(module: &mut JITModule, signature: &AbiSignature) -> FuncId {
    let name = format!("entry:{signature}");
    match module.get_name(&name) {
        Some(FuncOrDataId::Func(known)) => known,
        _ => entry_trampoline(module, &name, signature).unwrap().0,
    }
}

/// The exit thunk or safepoint thunk that an import names.
fn define_thunk(module: &mut JITModule, import: &Import) {
    let name = import.to_string();
    let Import::Thunk(key) = import else {
        safepoint_thunk(module, &name).unwrap();
        return;
    };
    let (target, kind) = match key.target {
        ThunkTarget::Host(target) => (target, ExitKind::Host { safepoint: false }),
        ThunkTarget::C(target, None) => (target, ExitKind::C),
        ThunkTarget::C(target, Some(fixed)) => (target, ExitKind::Variadic { fixed }),
    };
    let target = format!("host:{target}");
    let thunk = ExitThunk { name: &name, target: &target, signature: &key.signature, kind, fence: true };
    exit_thunk(module, &thunk).unwrap();
}

extern "C" fn gate(_: &CallContext, _: u32) -> u8 {
    0
}
