//! A slow interpreter of MIR that checks everything: the oracle of the tests.
//!
//! Memory is simulated ([`memory`]), output is captured, traps are values. What compiled code leaves undefined (an
//! unchecked index outside its array, a statement the contract forbids) ends the run as [`Exit::Bug`].

pub mod arith;
mod cleanup;
mod format;
mod frame;
pub mod heap;
pub mod host;
mod libc;
pub mod memory;
mod printf;
mod resume;
mod text;

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vaisjit_abi::TrapCode;
use vaisjit_semantics::hir::{BodyItem, LoopId};
use vaisjit_semantics::{Checked, Instance, ItemPath, Ty, TyKind};
use vaisjit_syntax::{Name, Span};

use crate::clif::frame::FrameLayout;
use crate::layout::{Layouts, constant};
use crate::link::DynTable;
use crate::lower::{self, CannotResume, Options, Unsupported};
use crate::mir::Body;
use crate::shape::{Shape, shape};
use frame::Frame;
use heap::Heap;
use host::{Host, StdHost};
use memory::Memory;

/// How many calls may be open.
const DEEPEST: usize = 150_000;
/// Steps a run may take by default.
const STEPS: u64 = 200_000_000;
/// Function values are addresses here; nothing can be read from them.
const FUNCTIONS: u64 = 1 << 62;

/// Everything that runs.
#[derive(Clone, Default)]
pub struct Program {
    /// The functions.
    pub functions: FxHashMap<Instance, Arc<Body>>,
    /// Bodies that start in the middle of loops: polls of these loops go on there.
    pub resumed: FxHashMap<(Instance, LoopId), Arc<Body>>,
    /// The one safepoint, counted from 1, at which that happens; without it, at nearly all of them.
    pub resume_at: Option<u64>,
    /// The globals in the order of initialisation.
    pub globals: Vec<GlobalValue>,
    /// Where to start.
    pub main: Option<Instance>,
    /// The structs and enums, and nothing else.
    pub types: Arc<Checked>,
}

/// A global variable.
#[derive(Clone)]
pub struct GlobalValue {
    /// Which.
    pub path: ItemPath,
    /// Its type.
    pub ty: Ty,
    /// Computes the first value; absent: zero.
    pub init: Option<Arc<Body>>,
}

impl Program {
    /// Lowers every function, closure and initial value of a program.
    pub fn lower(checked: &Checked, layouts: &dyn Layouts, options: Options) -> Result<Program, Unsupported> {
        let mut types = Checked::default();
        (types.structs, types.enums) = (checked.structs.clone(), checked.enums.clone());
        let mut program = Program { main: checked.main, types: Arc::new(types), ..Program::default() };
        for function in checked.functions.values() {
            program.add(&function.body, checked, layouts, options)?;
        }
        for (path, global) in &checked.globals {
            let init = match &global.init {
                Some(init) => {
                    program.add(init, checked, layouts, options)?;
                    program.functions.get(&init.instance).cloned()
                }
                None => None,
            };
            program.globals.push(GlobalValue { path: *path, ty: global.ty, init });
        }
        Ok(program)
    }

    /// Lowers every function once more for each of its loops, so that each goes on in such a body at its polls. Why the
    /// others cannot.
    pub fn resume_everywhere(
        &mut self,
        checked: &Checked,
        layouts: &dyn Layouts,
        options: Options,
    ) -> Vec<(Instance, CannotResume)> {
        let mut refused = Vec::new();
        let functions = checked.functions.values().map(|function| function.body.clone()).collect::<Vec<_>>();
        let closures = functions.iter().flat_map(|body| lower::closures(body)).collect::<Vec<_>>();
        for hir in functions.iter().chain(&closures) {
            let Some(body) = self.functions.get(&hir.instance) else { continue };
            let frame = FrameLayout::polled(body, layouts, None).filter(|_| options.hot).unwrap_or_default();
            for state in frame.loops {
                match lower::lower_resumed(hir, state.id, &state.values, checked, layouts, options) {
                    Ok(made) => drop(self.resumed.insert((hir.instance, state.id), Arc::new(made))),
                    Err(cannot) => refused.push((hir.instance, cannot)),
                }
            }
        }
        refused
    }

    fn add(
        &mut self,
        body: &vaisjit_semantics::hir::Body,
        checked: &Checked,
        layouts: &dyn Layouts,
        options: Options,
    ) -> Result<(), Unsupported> {
        for closure in lower::closures(body) {
            let made = lower::lower_with(&closure, checked, layouts, options)?;
            self.functions.insert(closure.instance, Arc::new(made));
        }
        let made = lower::lower_with(body, checked, layouts, options)?;
        self.functions.insert(body.instance, Arc::new(made));
        Ok(())
    }
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// What the program wrote.
    pub output: String,
    /// Its end.
    pub exit: Exit,
    /// How many statements were executed.
    pub steps: u64,
    /// How many safepoints were passed.
    pub safepoints: u64,
    /// Counted values that outlived `main` and the globals: each with its type and count. Nothing is asked of a run that
    /// did not return from `main`.
    pub leaked: Vec<String>,
}

/// The end of a run.
#[derive(Clone, PartialEq, Debug)]
pub enum Exit {
    /// `main` returned or `exit` was called: the status modulo 256.
    Status(i32),
    /// The program failed.
    Trap(Trap),
    /// It took too many steps.
    StepLimit,
    /// The MIR broke its own rules, or needs something the interpreter lacks.
    Bug(String),
}

/// A failure of the program.
#[derive(Clone, PartialEq, Debug)]
pub struct Trap {
    /// What happened.
    pub code: TrapCode,
    /// The text of a panic or assert.
    pub message: Option<String>,
    /// Where, counted from the item.
    pub span: Span,
    /// The item.
    pub item: BodyItem,
    /// The functions that were running, innermost first.
    pub backtrace: Vec<Instance>,
}

/// Why a statement did not complete.
#[derive(Clone, PartialEq, Debug)]
pub enum Stop {
    /// A trap.
    Trap(TrapCode, Option<String>),
    /// `exit(n)`
    Exit(i32),
    /// A broken rule.
    Bug(String),
}

impl From<TrapCode> for Stop {
    fn from(code: TrapCode) -> Stop {
        Stop::Trap(code, None)
    }
}

/// What host functions see of a running program.
pub struct Machine<'a> {
    /// Its memory.
    pub memory: Memory,
    /// Its counted values.
    pub heap: Heap,
    /// What it has written.
    pub output: Vec<u8>,
    /// What is printed while a text is made of values.
    pub captured: Option<Vec<u8>>,
    strings: FxHashMap<Arc<str>, u64>,
    types: &'a Checked,
    layouts: &'a dyn Layouts,
    shapes: FxHashMap<Ty, Arc<Shape>>,
}

impl<'a> Machine<'a> {
    /// With empty memory.
    pub fn new(types: &'a Checked, layouts: &'a dyn Layouts) -> Machine<'a> {
        Machine {
            memory: Memory::default(),
            heap: Heap::default(),
            output: Vec::new(),
            captured: None,
            strings: FxHashMap::default(),
            types,
            layouts,
            shapes: FxHashMap::default(),
        }
    }

    /// The value of a literal.
    pub fn literal(&mut self, text: &Arc<str>) -> u64 {
        if let Some(known) = self.strings.get(text) {
            return *known;
        }
        let address = self.memory.allocate_literal(vaisjit_abi::string::image(text));
        let value = address + vaisjit_abi::string::HEADER_SIZE as u64;
        self.strings.insert(text.clone(), value);
        value
    }

    /// The bytes of a `str`.
    pub fn text(&self, value: u64) -> Result<Vec<u8>, TrapCode> {
        if value == 0 {
            return Ok(Vec::new());
        }
        let at = value.wrapping_add_signed(i64::from(vaisjit_abi::string::LENGTH_OFFSET));
        let length = self.memory.load(at, 8)? as u64;
        Ok(self.memory.read(value, length)?.to_vec())
    }

    /// What a type is made of.
    pub fn shape(&mut self, ty: Ty) -> Arc<Shape> {
        let made = || Arc::new(shape(ty, self.types, self.layouts));
        self.shapes.entry(ty).or_insert_with(made).clone()
    }
}

/// Runs a program.
pub struct Interp<'a> {
    program: &'a Program,
    layouts: &'a dyn Layouts,
    host: Box<dyn Host + 'a>,
    machine: Machine<'a>,
    globals: FxHashMap<ItemPath, u64>,
    tables: FxHashMap<Arc<DynTable>, u64>,
    /// Functions that have been made values, by number.
    values: Vec<Instance>,
    frames: Vec<Frame>,
    steps: u64,
    safepoints: u64,
    limit: u64,
}

impl<'a> Interp<'a> {
    /// An interpreter with the built-in host functions.
    pub fn new(program: &'a Program, layouts: &'a dyn Layouts) -> Interp<'a> {
        Interp {
            program,
            layouts,
            host: Box::new(StdHost),
            machine: Machine::new(&program.types, layouts),
            globals: FxHashMap::default(),
            tables: FxHashMap::default(),
            values: Vec::new(),
            frames: Vec::new(),
            steps: 0,
            safepoints: 0,
            limit: STEPS,
        }
    }

    /// With other host functions.
    pub fn with_host(self, host: impl Host + 'a) -> Interp<'a> {
        Interp { host: Box::new(host), ..self }
    }

    /// With another step limit.
    pub fn with_limit(self, limit: u64) -> Interp<'a> {
        Interp { limit, ..self }
    }

    /// Initialises the globals, runs `main` and looks for what is left on the heap.
    pub fn run_main(mut self) -> Outcome {
        let ran = self.initialise().and_then(|()| self.run_entry());
        let ended = ran.and_then(|status| Ok((status, self.leftovers()?)));
        match ended {
            Ok((status, leaked)) => Outcome { leaked, ..self.outcome(Exit::Status(status.rem_euclid(256))) },
            Err(exit) => self.outcome(exit),
        }
    }

    /// Releases the globals; what lives on.
    fn leftovers(&mut self) -> Result<Vec<String>, Exit> {
        for global in &self.program.globals {
            let address = self.globals[&global.path];
            self.machine.release_at(address, global.ty).map_err(|stop| self.exit_of(stop))?;
        }
        Ok(self.machine.leaked())
    }

    /// Calls a function with scalar arguments, after initialising the globals; the bits of its result.
    pub fn run_function(mut self, instance: Instance, arguments: &[u128]) -> (Outcome, u128) {
        let result = self.initialise().and_then(|()| match self.program.functions.get(&instance).cloned() {
            Some(body) => self.run(body, arguments, 0),
            None => Err(Exit::Bug(format!("no function {instance}"))),
        });
        match result.and_then(|bits| Ok((bits, self.leftovers()?))) {
            Ok((bits, leaked)) => (Outcome { leaked, ..self.outcome(Exit::Status(0)) }, bits),
            Err(exit) => (self.outcome(exit), 0),
        }
    }

    fn outcome(self, exit: Exit) -> Outcome {
        let output = String::from_utf8_lossy(&self.machine.output).into_owned();
        Outcome { output, exit, steps: self.steps, safepoints: self.safepoints, leaked: Vec::new() }
    }

    fn initialise(&mut self) -> Result<(), Exit> {
        let program = self.program;
        for global in &program.globals {
            let zero = constant::zero(global.ty, self.layouts);
            let bytes = zero.unwrap_or_else(|| vec![0; self.layouts.layout(global.ty).size as usize]);
            let address = self.machine.memory.allocate_static(bytes);
            self.globals.insert(global.path, address);
        }
        for global in &program.globals {
            let Some(init) = &global.init else { continue };
            let address = self.globals[&global.path];
            let bits = self.run(init.clone(), &[], address)?;
            if global.ty.is_scalar() {
                let size = self.layouts.layout(global.ty).size;
                self.machine.memory.store(address, size, bits).map_err(|code| Exit::Bug(code.to_string()))?;
            }
        }
        Ok(())
    }

    fn run_entry(&mut self) -> Result<i32, Exit> {
        let main = self.program.main.and_then(|main| self.program.functions.get(&main)).cloned();
        let Some(main) = main else { return Err(Exit::Bug("no main".to_owned())) };
        let result = main.signature().result;
        let bits = self.run(main, &[], 0)?;
        Ok(match result.kind() {
            TyKind::Float(_) => arith::float_of(bits, result) as i64 as i32,
            _ if result.is_scalar() => arith::int_of(bits, result) as i32,
            _ => 0,
        })
    }

    /// Runs a function to its end; aggregates go to `result`.
    fn run(&mut self, body: Arc<Body>, arguments: &[u128], result: u64) -> Result<u128, Exit> {
        let base = self.frames.len();
        let ran = self.run_until(base, body, arguments, result);
        ran.map_err(|stop| {
            let exit = self.exit_of(stop);
            if matches!(exit, Exit::Trap(_)) {
                self.clean_up(base);
            }
            self.frames.truncate(base);
            exit
        })
    }

    fn exit_of(&self, stop: Stop) -> Exit {
        let (code, message) = match stop {
            Stop::Exit(status) => return Exit::Status(status),
            Stop::Bug(text) if text == frame::STEP_LIMIT => return Exit::StepLimit,
            Stop::Bug(text) => return Exit::Bug(text),
            Stop::Trap(code, message) => (code, message),
        };
        if let Some(text) = self.machine.memory.complaint() {
            return Exit::Bug(text);
        }
        let backtrace = self.frames.iter().rev().map(|frame| frame.body.instance).collect();
        match self.frames.last() {
            Some(frame) => Exit::Trap(Trap { code, message, span: frame.span(), item: frame.body.item, backtrace }),
            None => Exit::Bug(code.to_string()),
        }
    }

    /// The value of a function: an address that can only be called.
    fn function_value(&mut self, instance: Instance) -> u64 {
        let known = self.values.iter().position(|value| *value == instance);
        let index = known.unwrap_or_else(|| {
            self.values.push(instance);
            self.values.len() - 1
        });
        FUNCTIONS + 16 * index as u64
    }

    fn function_of(&self, value: u64) -> Result<Instance, TrapCode> {
        if value < 4096 {
            return Err(TrapCode::NullPointer);
        }
        let index = value.checked_sub(FUNCTIONS).filter(|offset| offset % 16 == 0).ok_or(TrapCode::BadAddress)? / 16;
        self.values.get(index as usize).copied().ok_or(TrapCode::BadAddress)
    }

    /// A table of function values.
    fn table(&mut self, table: &Arc<DynTable>) -> u64 {
        if let Some(known) = self.tables.get(table) {
            return *known;
        }
        let length = table.entries.iter().map(|(number, _)| number + 1).max().unwrap_or(0);
        let mut words = vec![0u64; length as usize];
        table.entries.iter().for_each(|(number, key)| words[*number as usize] = self.function_value(key.instance));
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let address = self.machine.memory.allocate_static(bytes);
        self.tables.insert(table.clone(), address);
        address
    }

    fn size(&self, ty: Ty) -> u32 {
        self.layouts.layout(ty).size
    }

    fn host_call(&mut self, name: Name, arguments: &[(u128, Ty)], result: Ty, c: bool) -> Result<u128, Stop> {
        match c {
            true => self.host.call_c(name, arguments, result, &mut self.machine),
            false => self.host.call(name, arguments, result, &mut self.machine),
        }
    }
}
