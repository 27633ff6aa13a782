//! Machine types of values and the ABI of calls: what a signature of the language is to Cranelift and to the thunks.

use cranelift_codegen::ir::{self, types};
use cranelift_codegen::isa::CallConv;
use vaisjit_semantics::Ty;
use vaisjit_semantics::types::{FloatKind, IntKind, TyKind};

use crate::mir::Signature;
use crate::thunks::{AbiSignature, AbiType};

/// The machine type of a scalar; aggregates, unit and never have none.
pub fn machine_type(ty: Ty) -> Option<ir::Type> {
    Some(match *ty.kind() {
        TyKind::Int(kind) => int_type(kind.bits()),
        TyKind::Float(FloatKind::F32) => types::F32,
        TyKind::Float(FloatKind::F64) => types::F64,
        TyKind::Bool => types::I8,
        _ if ty.is_scalar() => types::I64,
        _ => return None,
    })
}

/// The machine type of this many bits.
pub(crate) fn int_type(bits: u32) -> ir::Type {
    match bits {
        8 => types::I8,
        16 => types::I16,
        32 => types::I32,
        64 => types::I64,
        _ => types::I128,
    }
}

/// Does the type extend and compare with a sign?
pub(crate) fn signed(ty: Ty) -> bool {
    ty.int_kind().is_some_and(IntKind::signed)
}

/// How a value of the type is passed; aggregates by address, unit not at all.
pub fn abi_type(ty: Ty) -> Option<AbiType> {
    Some(match *ty.kind() {
        TyKind::Int(IntKind::I8) => AbiType::I8,
        TyKind::Int(IntKind::U8) | TyKind::Bool => AbiType::U8,
        TyKind::Int(IntKind::I16) => AbiType::I16,
        TyKind::Int(IntKind::U16) => AbiType::U16,
        TyKind::Int(IntKind::I32) => AbiType::I32,
        TyKind::Int(IntKind::U32) => AbiType::U32,
        TyKind::Int(IntKind::I128 | IntKind::U128) => AbiType::I128,
        TyKind::Float(FloatKind::F32) => AbiType::F32,
        TyKind::Float(FloatKind::F64) => AbiType::F64,
        TyKind::Unit | TyKind::Never => return None,
        _ => AbiType::I64,
    })
}

/// The types a call is made with, the call context left out: a result address when the result is an aggregate, then
/// the parameters that have a value.
pub fn abi_signature(signature: &Signature) -> AbiSignature {
    let result_address = signature.result.is_aggregate().then_some(AbiType::I64);
    AbiSignature {
        params: result_address.into_iter().chain(signature.params.iter().filter_map(|ty| abi_type(*ty))).collect(),
        result: abi_type(signature.result).filter(|_| !signature.result.is_aggregate()),
    }
}

/// The Cranelift signature of generated code and thunks: calling convention `tail`, the call context first.
pub fn tail_signature(abi: &AbiSignature) -> ir::Signature {
    abi.clif(CallConv::Tail, true)
}
