//! Conversions between machine types.

use cranelift::prelude::*;
use cranelift_codegen::ir;
use vaisjit_semantics::hir::CastKind;
use vaisjit_semantics::{Ty, TyKind};

use super::Translator;
use super::types::{machine_type, signed};
use crate::mir::Operand;
use crate::thunks::AbiType;

impl Translator<'_, '_> {
    /// The operand converted to a scalar type.
    pub(crate) fn cast(&mut self, kind: CastKind, operand: &Operand, to: Ty) -> Value {
        let from = operand.ty();
        if let (CastKind::ArrayToPointer, Operand::Copy(place), true) = (kind, operand, from.is_aggregate()) {
            let address = self.address(place);
            return self.address_value(address);
        }
        let value = self.operand_value(operand);
        let Some(target) = machine_type(to) else {
            return self.bug(format_args!("a conversion to {to}"));
        };
        match kind {
            CastKind::IntToInt | CastKind::Pointer | CastKind::ArrayToPointer => {
                self.resize(value, signed(from), target)
            }
            CastKind::ToBool => self.b.ins().icmp_imm_s(IntCC::NotEqual, value, 0),
            CastKind::IntToFloat => self.int_to_float(value, signed(from), target),
            CastKind::FloatToInt => self.float_to_int(value, signed(to), target),
            CastKind::FloatToFloat => self.float_to_float(value, target),
            CastKind::ArrayToSlice => self.bug(format_args!("a slice as a scalar")),
        }
    }

    /// An integer in another width.
    pub(crate) fn resize(&mut self, value: Value, signed: bool, to: ir::Type) -> Value {
        let from = self.b.func.dfg.value_type(value);
        match to.bits().cmp(&from.bits()) {
            std::cmp::Ordering::Equal => value,
            std::cmp::Ordering::Less => self.b.ins().ireduce(to, value),
            std::cmp::Ordering::Greater if signed => self.b.ins().sextend(to, value),
            std::cmp::Ordering::Greater => self.b.ins().uextend(to, value),
        }
    }

    pub(crate) fn float_to_float(&mut self, value: Value, to: ir::Type) -> Value {
        let from = self.b.func.dfg.value_type(value);
        match to.bits().cmp(&from.bits()) {
            std::cmp::Ordering::Equal => value,
            std::cmp::Ordering::Less => self.b.ins().fdemote(to, value),
            std::cmp::Ordering::Greater => self.b.ins().fpromote(to, value),
        }
    }

    fn int_to_float(&mut self, value: Value, signed: bool, to: ir::Type) -> Value {
        if self.b.func.dfg.value_type(value) == types::I128 {
            let (name, result) = match (signed, to) {
                (true, types::F32) => ("i128_to_f32", AbiType::F32),
                (true, _) => ("i128_to_f64", AbiType::F64),
                (false, types::F32) => ("u128_to_f32", AbiType::F32),
                (false, _) => ("u128_to_f64", AbiType::F64),
            };
            let (low, high) = self.halves(value);
            return self.call_leaf_value(name, &[AbiType::I64, AbiType::I64], result, &[low, high]);
        }
        if signed { self.b.ins().fcvt_from_sint(to, value) } else { self.b.ins().fcvt_from_uint(to, value) }
    }

    /// Truncates and saturates; NaN is 0.
    fn float_to_int(&mut self, value: Value, signed: bool, to: ir::Type) -> Value {
        match to.bits() {
            128 => {
                let value = self.float_to_float(value, types::F64);
                let name = if signed { "f64_to_i128" } else { "f64_to_u128" };
                let results = self.call_leaf_results(name, &[AbiType::F64], &[AbiType::I64; 2], &[value]);
                self.b.ins().iconcat(results[0], results[1])
            }
            32 | 64 if signed => self.b.ins().fcvt_to_sint_sat(to, value),
            32 | 64 => self.b.ins().fcvt_to_uint_sat(to, value),
            bits => {
                let (low, high) =
                    if signed { (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1) } else { (0, (1i64 << bits) - 1) };
                let wide = self.b.ins().fcvt_to_sint_sat(types::I32, value);
                let clamped = self.clamp(wide, low, high);
                self.b.ins().ireduce(to, clamped)
            }
        }
    }

    fn clamp(&mut self, value: Value, low: i64, high: i64) -> Value {
        let low = self.b.ins().iconst(types::I32, low & 0xffff_ffff);
        let high = self.b.ins().iconst(types::I32, high);
        let value = self.b.ins().smax(value, low);
        self.b.ins().smin(value, high)
    }

    /// Is this operand a float?
    pub(crate) fn is_f32(ty: Ty) -> bool {
        matches!(ty.kind(), TyKind::Float(vaisjit_semantics::types::FloatKind::F32))
    }
}
