//! A module with everything that compiled code needs around it, and calls from Rust through a generic wrapper.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cranelift::prelude::*;
use cranelift_codegen::ir::MemFlagsData;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module};
use vaisjit_abi::CallContext;
use vaisjit_codegen::clif::{abi_signature, leaf, tail_signature};
use vaisjit_codegen::isa::{OptLevel, isa};
use vaisjit_codegen::layout::Layouts;
use vaisjit_codegen::link::{Import, Link, Linker, ThunkTarget};
use vaisjit_codegen::mir::{Body, Signature};
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
    wrappers: HashMap<String, usize>,
    pub context: Box<CallContext>,
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
        let table: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let lookup = table.clone();
        let mut builder = JITBuilder::with_isa(isa(opt).unwrap(), cranelift_module::default_libcall_names());
        builder.symbol_lookup_fn(Box::new(move |name| {
            lookup.lock().unwrap().get(name).map(|address| *address as *const u8)
        }));
        let mut module = JITModule::new(builder);
        let (bodies, library) = bodies.split_at(bodies.len() - linker.library);
        let input = UnitInput { functions: bodies.iter().collect(), inline: library.iter().collect() };
        let unit = compile_unit(&input, layouts, &linker, &mut module).unwrap_or_else(|error| panic!("{error}"));
        let mut data: HashMap<String, Box<[u128]>> = HashMap::new();
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
                    define_thunk(&mut module, import, hosts);
                    continue;
                }
                Import::Function(_) => panic!("{symbol} is not in the unit"),
            };
            table.lock().unwrap().insert(symbol, address);
        }
        let mut wrappers = HashMap::new();
        for body in bodies {
            let name = key(body.instance);
            wrappers.insert(name, define_wrapper(&mut module, &Import::Function(body.instance), &body.signature()));
        }
        module.finalize_definitions().unwrap();
        let wrappers = wrappers.into_iter().map(|(name, id)| (name, module.get_finalized_function(id) as usize)).collect();
        let addresses = (unit.functions.iter())
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
        });
        let mut machine =
            Machine { module, unit, addresses, data, wrappers, context, _data_stack: data_stack };
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
        (self.unit.functions.iter())
            .map(|function| (self.addresses[&key(function.instance)], function))
            .collect()
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
        let mut result = 0u128;
        // SAFETY: the wrapper was made for this signature; it reads one number for each parameter.
        let wrapper: extern "C" fn(*mut CallContext, *const u128, *mut u128) =
            unsafe { std::mem::transmute(self.wrappers[name]) };
        wrapper(&mut *self.context, arguments.as_ptr(), &mut result);
        result
    }
}

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

/// A C function `(context, arguments, result)` around a function of the unit.
fn define_wrapper(module: &mut JITModule, callee: &Import, signature: &Signature) -> cranelift_module::FuncId {
    let inner = tail_signature(&abi_signature(signature));
    let mut context = module.make_context();
    let mut scratch = FunctionBuilderContext::new();
    for _ in 0..3 {
        context.func.signature.params.push(AbiParam::new(types::I64));
    }
    let config = module.target_config();
    let callee = module.get_name(&callee.to_string()).unwrap();
    let cranelift_module::FuncOrDataId::Func(callee) = callee else { unreachable!() };
    let mut b = FunctionBuilder::new(&mut context.func, &mut scratch);
    let block = b.create_block();
    b.append_block_params_for_function_params(block);
    b.switch_to_block(block);
    let params = b.block_params(block).to_vec();
    let mut arguments = vec![params[0]];
    for (index, param) in inner.params.iter().skip(1).enumerate() {
        arguments.push(b.ins().load(param.value_type, MemFlagsData::new(), params[1], index as i32 * 16));
    }
    let reference = module.declare_func_in_func(callee, b.func);
    let address = b.ins().func_addr(types::I64, reference);
    let signature = b.import_signature(inner);
    let call = b.ins().call_indirect(signature, address, &arguments);
    if let Some(result) = b.inst_results(call).first().copied() {
        b.ins().store(MemFlagsData::new(), result, params[2], 0);
    }
    b.ins().return_(&[]);
    b.seal_all_blocks();
    b.finalize(config);
    let id = module.declare_anonymous_function(&context.func.signature).unwrap();
    module.define_function(id, &mut context).unwrap();
    id
}

/// A thunk that only changes the calling convention.
fn define_thunk(module: &mut JITModule, import: &Import, hosts: &[(&str, usize)]) {
    let (name, abi, with_context) = match import {
        Import::Thunk(key) => match key.target {
            ThunkTarget::Host(name) => (name, key.signature.clone(), true),
            ThunkTarget::C(name, _) => (name, key.signature.clone(), false),
        },
        _ => (Name::new("safepoint"), Default::default(), true),
    };
    let address = hosts.iter().find(|host| name == host.0).unwrap_or_else(|| panic!("no host function {name}")).1;
    let mut context = module.make_context();
    let mut scratch = FunctionBuilderContext::new();
    context.func.signature = tail_signature(&abi);
    let mut outer = module.make_signature();
    let skip = usize::from(!with_context);
    outer.params = (context.func.signature.params.iter().skip(skip)).map(|p| AbiParam::new(p.value_type)).collect();
    outer.returns = context.func.signature.returns.clone();
    let config = module.target_config();
    let mut b = FunctionBuilder::new(&mut context.func, &mut scratch);
    let block = b.create_block();
    b.append_block_params_for_function_params(block);
    b.switch_to_block(block);
    let params = b.block_params(block).to_vec();
    let target = b.ins().iconst(types::I64, address as i64);
    let signature = b.import_signature(outer);
    let call = b.ins().call_indirect(signature, target, &params[skip..]);
    let results = b.inst_results(call).to_vec();
    b.ins().return_(&results);
    b.seal_all_blocks();
    b.finalize(config);
    let known = module.get_name(&import.to_string());
    let Some(cranelift_module::FuncOrDataId::Func(_)) = known else { unreachable!() };
    let plain = module.make_signature();
    let id = module.declare_function(&import.to_string(), Linkage::Export, &plain).unwrap();
    module.define_function(id, &mut context).unwrap();
}
