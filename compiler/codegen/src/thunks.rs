//! The small functions between generated code and the rest of the process: entry trampolines, exit thunks, the
//! safepoint thunk and callbacks.
//!
//! They keep the promises stack walks and traps rely on: every way into generated code has an entry record, every way
//! out leaves its frame pointer in the call context. Their imports are symbols; the owner of the module resolves them.

use std::fmt;

use cranelift::prelude::*;
use cranelift_codegen::ir;
use cranelift_codegen::ir::ArgumentPurpose;
use cranelift_codegen::isa::CallConv;
use cranelift_module::{FuncId, Linkage, Module, ModuleError};
use smallvec::SmallVec;

use crate::info::CodeInfo;

mod callback;
mod entry;
mod exit;
mod guard;
mod variadic;

pub use callback::callback_thunk;
pub use entry::entry_trampoline;
pub use exit::{ENVIRONMENT, ExitKind, ExitThunk, exit_thunk, safepoint_signature, safepoint_thunk};
pub use guard::{GuardThunk, guard_thunk};

/// `extern "C" fn(ctx, state: u32) -> u8`: what an exit thunk calls when it finds `poll` set; `state` is what the
/// thread was in. Not zero: a trap waits in the thread's record.
pub const GATE: &str = "rt:gate";
/// `extern "C" fn(frame pointer of the thunk, frame pointer below which registers are saved) -> u8`: what the safepoint thunk
/// calls; not zero lets it trap. It finds the call context by its thread.
pub const SAFEPOINT: &str = "rt:safepoint";
/// `extern "C" fn(target, args: *const u64, ret: *mut u64)`: what a callback thunk calls.
pub const CALLBACK: &str = "rt:callback";
/// `extern "C" fn(ctx, record) -> u8`: what a guard thunk calls after a trap; not zero repeats the call, zero lets the
/// trap, which waits in the thread's record, end the activation.
pub const TRAPPED: &str = "rt:trapped";

/// A machine type in a call: `bool` is `U8`, every kind of pointer is `I64`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum AbiType {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    I128,
    F32,
    F64,
}

impl AbiType {
    /// The type of this name.
    fn named(name: &str) -> Option<AbiType> {
        use AbiType::*;
        [I8, U8, I16, U16, I32, U32, I64, I128, F32, F64].into_iter().find(|ty| ty.to_string() == name)
    }

    /// The type as Cranelift has it.
    pub fn clif(self) -> ir::Type {
        match self {
            AbiType::I8 | AbiType::U8 => types::I8,
            AbiType::I16 | AbiType::U16 => types::I16,
            AbiType::I32 | AbiType::U32 => types::I32,
            AbiType::I64 => types::I64,
            AbiType::I128 => types::I128,
            AbiType::F32 => types::F32,
            AbiType::F64 => types::F64,
        }
    }

    /// How many 8-byte words it takes in the argument array of a trampoline or callback.
    pub fn words(self) -> usize {
        if self == AbiType::I128 { 2 } else { 1 }
    }

    /// The parameter or result; C wants narrow integers extended, our own convention does not.
    fn param(self, conv: CallConv) -> AbiParam {
        let param = AbiParam::new(self.clif());
        match self {
            _ if conv == CallConv::Tail => param,
            AbiType::I8 | AbiType::I16 | AbiType::I32 => param.sext(),
            AbiType::U8 | AbiType::U16 | AbiType::U32 => param.uext(),
            _ => param,
        }
    }
}

impl fmt::Display for AbiType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AbiType::I8 => "i8",
            AbiType::U8 => "u8",
            AbiType::I16 => "i16",
            AbiType::U16 => "u16",
            AbiType::I32 => "i32",
            AbiType::U32 => "u32",
            AbiType::I64 => "i64",
            AbiType::I128 => "i128",
            AbiType::F32 => "f32",
            AbiType::F64 => "f64",
        })
    }
}

/// The machine types of a call, without the call context. An aggregate result is a pointer among the parameters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct AbiSignature {
    /// What is passed.
    pub params: SmallVec<[AbiType; 6]>,
    /// What comes back.
    pub result: Option<AbiType>,
}

impl AbiSignature {
    /// A signature of these types.
    pub fn new(params: impl IntoIterator<Item = AbiType>, result: Option<AbiType>) -> AbiSignature {
        AbiSignature { params: params.into_iter().collect(), result }
    }

    /// The signature as Cranelift has it, with the call context in front if asked for.
    pub fn clif(&self, conv: CallConv, with_ctx: bool) -> ir::Signature {
        let mut signature = ir::Signature::new(conv);
        if with_ctx && conv == CallConv::Tail {
            signature.params.push(AbiParam::special(types::I64, ArgumentPurpose::VMContext));
        } else if with_ctx {
            signature.params.push(AbiParam::new(types::I64));
        }
        signature.params.extend(self.params.iter().map(|ty| ty.param(conv)));
        signature.returns.extend(self.result.map(|ty| ty.param(conv)));
        signature
    }

    /// How many 8-byte words an argument array of this signature has.
    pub fn words(&self) -> usize {
        self.params.iter().map(|ty| ty.words()).sum()
    }
}

/// `(i64, f64) -> u8`.
impl fmt::Display for AbiSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (index, ty) in self.params.iter().enumerate() {
            write!(f, "{}{ty}", if index > 0 { ", " } else { "" })?;
        }
        f.write_str(")")?;
        self.result.map_or(Ok(()), |ty| write!(f, " -> {ty}"))
    }
}

/// Reads what `Display` writes.
impl std::str::FromStr for AbiSignature {
    type Err = String;

    fn from_str(text: &str) -> Result<AbiSignature, String> {
        let wrong = || format!("`{text}` is no ABI signature");
        let (params, result) = match text.split_once(" -> ") {
            Some((params, result)) => (params, Some(AbiType::named(result).ok_or_else(wrong)?)),
            None => (text, None),
        };
        let params = params.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(wrong)?;
        let names = params.split(", ").filter(|name| !name.is_empty());
        let params = names.map(|name| AbiType::named(name).ok_or_else(wrong)).collect::<Result<_, _>>()?;
        Ok(AbiSignature { params, result })
    }
}

/// Why a thunk could not be made.
#[derive(Debug)]
pub enum ThunkError {
    /// This machine cannot do it; the text says what.
    Unsupported(String),
    /// The code generator refused: a bug of ours, or no memory left.
    Module(Box<ModuleError>),
}

impl fmt::Display for ThunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ThunkError::Unsupported(text) => f.write_str(text),
            ThunkError::Module(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ThunkError {}

impl From<ModuleError> for ThunkError {
    fn from(error: ModuleError) -> Self {
        ThunkError::Module(Box::new(error))
    }
}

/// The flags of loads and stores that cannot fail.
fn trusted() -> ir::MemFlagsData {
    ir::MemFlagsData::trusted()
}

/// The C convention of the machine.
fn c_convention(module: &dyn Module) -> CallConv {
    module.isa().default_call_conv()
}

/// Declares `name`, fills it with `body`, compiles it and reads its tables.
fn define(
    module: &mut dyn Module,
    name: &str,
    signature: ir::Signature,
    body: impl FnOnce(&mut FunctionBuilder<'_>, &mut dyn Module) -> Result<(), ThunkError>,
) -> Result<(FuncId, CodeInfo), ThunkError> {
    let id = module.declare_function(name, Linkage::Export, &signature)?;
    let mut context = module.make_context();
    context.func.signature = signature;
    context.func.name = ir::UserFuncName::user(0, id.as_u32());
    let mut scratch = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut context.func, &mut scratch);
    body(&mut builder, module)?;
    builder.seal_all_blocks();
    builder.finalize(module.isa().frontend_config());
    module.define_function(id, &mut context)?;
    Ok((id, CodeInfo::of(&context)))
}

/// A reference to an imported C function.
fn import(
    module: &mut dyn Module,
    builder: &mut FunctionBuilder<'_>,
    name: &str,
    params: &[ir::Type],
    result: Option<AbiType>,
) -> Result<ir::FuncRef, ThunkError> {
    let conv = c_convention(module);
    let mut signature = ir::Signature::new(conv);
    signature.params.extend(params.iter().map(|ty| AbiParam::new(*ty)));
    signature.returns.extend(result.map(|ty| ty.param(conv)));
    let id = module.declare_function(name, Linkage::Import, &signature)?;
    Ok(module.declare_func_in_func(id, builder.func))
}

/// Starts the first block and gives its parameters.
fn begin(builder: &mut FunctionBuilder<'_>) -> Vec<Value> {
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    builder.block_params(block).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_integers_are_extended_for_c_only() {
        let signature = AbiSignature::new([AbiType::I8, AbiType::U16, AbiType::I128], Some(AbiType::U8));
        assert_eq!(signature.to_string(), "(i8, u16, i128) -> u8");
        assert_eq!(signature.to_string().parse(), Ok(signature.clone()));
        assert_eq!("()".parse(), Ok(AbiSignature::default()));
        assert!("(i64, what)".parse::<AbiSignature>().is_err());
        assert_eq!(signature.words(), 4);
        let c = signature.clif(CallConv::SystemV, false);
        assert_eq!(c.to_string(), "(i8 sext, i16 uext, i128) -> i8 uext system_v");
        let ours = signature.clif(CallConv::Tail, true);
        assert_eq!(ours.to_string(), "(i64 vmctx, i8, i16, i128) -> i8 tail");
    }
}
