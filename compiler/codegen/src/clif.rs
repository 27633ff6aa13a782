//! MIR to CLIF: one body becomes one Cranelift function that knows its surroundings only by symbols.
//!
//! The conventions a function keeps: calling convention `tail`, the call context first, aggregates by address, the
//! machine stack checked against the context's limit, loops polled where MIR says so, and in hot mode the locals in
//! memory of a polled function in one block on the data stack.

pub mod frame;
pub mod leaf;
pub mod types;

mod arith;
mod calls;
mod cast;
mod checks;
mod counts;
mod flow;
mod locals;
mod named;
mod place;
mod poll;
mod prologue;
mod symbols;

use std::fmt;

use cranelift::prelude::*;
use cranelift_codegen::ir;
use cranelift_codegen::isa::TargetIsa;
use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_abi::TrapCode as Trap;
use vaisjit_semantics::hir::CastKind;
use vaisjit_semantics::{Instance, Ty, TyKind};

use crate::layout::{Layout, Layouts};
use crate::link::{Import, Linker, SlotKey};
use crate::mir::{Body, Const, Local, Operand, Place, Rvalue, Statement, StatementKind};
use crate::thunks::AbiSignature;
use frame::FrameLayout;
use locals::{Home, Locals};
use named::Shown;
use place::{Address, Base, index_of};
pub(crate) use symbols::Numbers;
use symbols::Symbols;
use types::machine_type;

pub use frame::{FrameLocal, Location, locations};
pub use named::{NamedAt, NamedValue};
pub use types::{abi_signature, abi_type, tail_signature};

/// Host function that traps with a message: `(code: i64, message: str)`, does not return.
pub const TRAP_MESSAGE: &str = "trap_message";

/// Bytes of a frame on either stack; beyond, Cranelift's own sums overflow.
pub(crate) const MAX_FRAME: u32 = 1 << 30;
const TOO_MANY_VARIABLES: &str = "its variables need more than 1 GiB of stack";

/// What the translation of a body depends on besides the body.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Sizes and offsets.
    pub layouts: &'a dyn Layouts,
    /// How functions are reached.
    pub linker: &'a dyn Linker,
    /// The machine.
    pub isa: &'a dyn TargetIsa,
    /// Functions compiled in the same unit.
    pub unit: &'a FxHashSet<Instance>,
    /// May bodies be inlined into each other?
    pub inlining: bool,
}

/// Why a function could not be compiled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompileError {
    /// Which function, if it was one.
    pub function: Option<Instance>,
    /// What went wrong.
    pub message: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.function {
            Some(function) => write!(f, "cannot compile `{function}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for CompileError {}

/// Translates a body; `number` names its frame layout in the block's header, external names are numbered by `numbers`.
pub(crate) fn translate(
    body: &Body,
    number: u32,
    env: &Env<'_>,
    numbers: &mut Numbers,
    function: &mut ir::Function,
    scratch: &mut FunctionBuilderContext,
    keep: Option<&FrameLayout>,
) -> Result<FrameLayout, CompileError> {
    let fail = |message: String| CompileError { function: Some(body.instance), message };
    let frame = FrameLayout::of(body, env.layouts, env.linker, keep);
    let mut frame = frame.ok_or_else(|| fail(TOO_MANY_VARIABLES.into()))?;
    frame.named = named::named(body);
    // Without reloads speed is everything, and what is stored for a report keeps values alive for it.
    let shown = Shown::of(body, &frame.named, env.linker.hot());
    if !frame.named.is_empty() {
        function.dfg.collect_debug_info();
    }
    function.signature = tail_signature(&poll::own_signature(body));
    let mut translator = Translator {
        body,
        env: *env,
        b: FunctionBuilder::new(function, scratch),
        symbols: Symbols::new(numbers),
        signatures: FxHashMap::default(),
        temporaries: FxHashMap::default(),
        locals: Locals::of(body, env.inlining),
        homes: Vec::with_capacity(body.locals.len()),
        blocks: Vec::new(),
        ctx: Value::from_u32(0),
        frame,
        frame_base: None,
        stack_bytes: 0,
        result_address: None,
        buffer: None,
        spill: None,
        in_loop: None,
        shown,
        checks: checks::Checks::default(),
        error: None,
    };
    translator.function(number);
    let Translator { b, frame, error, .. } = translator;
    b.finalize(env.isa.frontend_config());
    match error {
        Some(message) => Err(fail(message)),
        None => Ok(frame),
    }
}

/// The state of a translation.
pub(crate) struct Translator<'a, 'f> {
    body: &'a Body,
    env: Env<'a>,
    b: FunctionBuilder<'f>,
    symbols: Symbols<'a>,
    signatures: FxHashMap<AbiSignature, ir::SigRef>,
    temporaries: FxHashMap<Layout, ir::StackSlot>,
    locals: Locals,
    homes: Vec<Home>,
    blocks: Vec<Option<flow::BlockState>>,
    ctx: Value,
    frame: FrameLayout,
    frame_base: Option<Value>,
    stack_bytes: u32,
    result_address: Option<Value>,
    /// Of a resumed body: where what it takes over lies.
    buffer: Option<Value>,
    /// The spill area of a function that polls, and where its own address stands in it.
    spill: Option<(ir::StackSlot, u32)>,
    /// The loop of the block being translated, as an index of `Body::loops`.
    in_loop: Option<u32>,
    /// What a trap's report may show.
    shown: Shown,
    checks: checks::Checks,
    error: Option<String>,
}

impl Translator<'_, '_> {
    fn statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Assign(place, rvalue) => self.assign(place, rvalue),
            StatementKind::Call(call) => self.call(call),
            StatementKind::Zero(place) => self.zero_place(place),
            StatementKind::FillParked(place, parts) => {
                let to = self.address(place);
                parts.iter().for_each(|(offset, bytes)| self.put_bytes(to.plus(u64::from(*offset)), bytes));
            }
            StatementKind::CheckIndex { index, length } => self.check_index(index, length),
            StatementKind::CopyBytes { to, from, bytes } => {
                let (to, from, bytes) = (self.operand_value(to), self.operand_value(from), self.operand_value(bytes));
                self.copy_bytes(to, from, bytes);
            }
            StatementKind::Retain(place) => self.retain(place),
            StatementKind::Release { place, checked } => self.release(place, *checked),
            StatementKind::Safepoint(carried) => self.safepoint(carried),
        }
    }

    fn assign(&mut self, place: &Place, rvalue: &Rvalue) {
        if place.ty.is_unit() {
            return;
        }
        if let Rvalue::Carried(taken) = rvalue {
            return self.take_carried(place, taken);
        }
        if place.ty.is_aggregate() {
            return self.assign_aggregate(place, rvalue);
        }
        let value = match rvalue {
            Rvalue::Use(operand) => self.operand_value(operand),
            Rvalue::Unary(op, operand) => self.unary(*op, operand),
            Rvalue::Binary(op, left, right) => self.binary(*op, left, right),
            Rvalue::Cast(kind, operand, to) => self.cast(*kind, operand, *to),
            Rvalue::AddressOf(of) => {
                let address = self.address(of);
                self.address_value(address)
            }
            Rvalue::Discriminant(of) => {
                let address = self.address(of);
                self.load(ir::types::I64, address)
            }
            Rvalue::Intrinsic(which, operands) => self.intrinsic(*which, operands),
            Rvalue::LoadAt(address, ty) => {
                let address = self.operand_value(address);
                let ty = machine_type(*ty).unwrap_or(ir::types::I64);
                self.load(ty, Address::pointer(address))
            }
            Rvalue::Carried(_) => self.bug(format_args!("{rvalue:?} as an operand")),
        };
        self.write(place, value);
    }

    fn assign_aggregate(&mut self, place: &Place, rvalue: &Rvalue) {
        match rvalue {
            Rvalue::Use(Operand::Copy(from)) => {
                let from = self.address(from);
                let to = self.address(place);
                self.copy(to, from, self.size(place.ty));
            }
            Rvalue::LoadAt(operand, ty) => {
                let from = self.operand_value(operand);
                let to = self.address(place);
                self.copy(to, Address::pointer(from), self.size(*ty));
            }
            Rvalue::Cast(CastKind::ArrayToSlice, operand, _) => self.assign_slice(place, operand),
            _ => {
                self.bug(format_args!("{rvalue:?} as an aggregate"));
            }
        }
    }

    fn assign_slice(&mut self, place: &Place, operand: &Operand) {
        let (Operand::Copy(array), TyKind::Array(_, length)) = (operand, operand.ty().kind()) else {
            self.bug(format_args!("a slice of {}", operand.ty()));
            return;
        };
        let start = self.address(array);
        let start = self.address_value(start);
        let length = self.b.ins().iconst(ir::types::I64, *length as i64);
        let to = self.address(place);
        for (field, value) in [start, length].into_iter().enumerate() {
            let offset = self.env.layouts.field_offset(place.ty, field as u32);
            self.store(value, to.plus(u64::from(offset)));
        }
    }

    fn zero_place(&mut self, place: &Place) {
        if let (Some(ty), Some(local)) = (machine_type(place.ty), place.as_local())
            && matches!(self.homes[index_of(local)], Home::Value(_))
        {
            let zero = self.zero_of(ty);
            return self.write(place, zero);
        }
        if !place.ty.is_unit() {
            let to = self.address(place);
            self.zero(to, self.size(place.ty));
        }
    }

    fn zero_of(&mut self, ty: ir::Type) -> Value {
        match ty {
            ir::types::F32 => self.b.ins().f32const(0.0),
            ir::types::F64 => self.b.ins().f64const(0.0),
            _ => self.integer(0, ty),
        }
    }

    /// The value of a scalar operand.
    pub(crate) fn operand_value(&mut self, operand: &Operand) -> Value {
        match operand {
            Operand::Copy(place) => self.read(place),
            Operand::Const(Const::Int(value, ty)) => match machine_type(*ty) {
                Some(ir::types::F32) => self.b.ins().f32const(*value as f32),
                Some(ir::types::F64) => self.b.ins().f64const(*value as f64),
                Some(ty) => self.integer(*value, ty),
                None => self.bug(format_args!("a constant of type {ty}")),
            },
            Operand::Const(Const::Float(bits, ty)) => {
                let value = f64::from_bits(*bits);
                if Self::is_f32(*ty) { self.b.ins().f32const(value as f32) } else { self.b.ins().f64const(value) }
            }
            Operand::Const(Const::Str(text)) => self.data_address(Import::Str(text.clone())),
            Operand::Const(Const::Function(instance, signature)) => {
                self.data_address(Import::Slot(SlotKey { instance: *instance, signature: signature.clone() }))
            }
            Operand::Const(Const::Type(ty)) => self.data_address(Import::Type(*ty)),
            Operand::Const(Const::Table(table)) => self.data_address(Import::Table(table.clone())),
        }
    }

    fn integer(&mut self, value: i128, ty: ir::Type) -> Value {
        if ty == ir::types::I128 {
            let low = self.b.ins().iconst(ir::types::I64, value as i64);
            let high = self.b.ins().iconst(ir::types::I64, (value >> 64) as i64);
            return self.b.ins().iconcat(low, high);
        }
        let mask = if ty.bits() >= 64 { u64::MAX } else { (1 << ty.bits()) - 1 };
        self.b.ins().iconst(ty, (value as u64 & mask) as i64)
    }

    /// The value of a local that is not an aggregate.
    pub(crate) fn local_value(&mut self, local: Local) -> Value {
        match self.homes[index_of(local)] {
            Home::Value(variable) => self.b.use_var(variable),
            Home::Memory(..) => {
                let address = self.home_address(local);
                let ty = machine_type(self.body.locals[local].ty).unwrap_or(ir::types::I64);
                self.load(ty, address)
            }
            Home::Absent => self.bug(format_args!("the value of unit, local {}", index_of(local))),
        }
    }

    fn data_address(&mut self, import: Import) -> Value {
        let data = self.symbols.data(import, self.b.func);
        self.b.ins().func_addr(ir::types::I64, data)
    }

    fn stack_slot(&mut self, layout: Layout) -> ir::StackSlot {
        let align = layout.align.max(1).trailing_zeros() as u8;
        self.stack_bytes = self.stack_bytes.saturating_add(layout.size);
        let layout = if self.stack_bytes > MAX_FRAME {
            self.error.get_or_insert_with(|| TOO_MANY_VARIABLES.into());
            Layout { size: 0, ..layout }
        } else {
            layout
        };
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, layout.size, align);
        self.b.create_sized_stack_slot(data)
    }

    fn is_parameter(&self, local: Local) -> bool {
        (1..=self.body.params as usize).contains(&index_of(local))
    }

    /// Notes that the MIR is not what it should be; compilation goes on and fails at its end.
    pub(crate) fn bug(&mut self, what: fmt::Arguments<'_>) -> Value {
        self.error.get_or_insert_with(|| format!("a bug of the compiler: {what}"));
        self.b.ins().iconst(ir::types::I64, 0)
    }

    fn memory_home(&mut self, ty: Ty) -> Home {
        let layout = self.env.layouts.layout(ty);
        Home::Memory(Base::Slot(self.stack_slot(layout)), 0)
    }
}

/// The code a trapping instruction carries.
pub(crate) fn trap_code(code: Trap) -> ir::TrapCode {
    ir::TrapCode::unwrap_user(code as u8)
}
