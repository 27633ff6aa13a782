//! Calls: of functions, function values, C and host functions, and the compiler's own operations.

use crate::clif::abi_signature;
use crate::host_calls;
use smallvec::SmallVec;
use vaisjit_abi::TrapCode;
use vaisjit_abi::string::LENGTH_OFFSET;
use vaisjit_semantics::hir::{self, BinaryOp, Builtin, CastKind, Expr};
use vaisjit_semantics::{Instance, Ty, TyKind};
use vaisjit_syntax::Name;

use super::{Lowerer, Result, scan, signature};
use crate::mir::{Call, Callee, Const, Intrinsic, Operand, Place, Rvalue, Signature, StatementKind, Terminator};

impl<'a> Lowerer<'a> {
    pub(super) fn call(
        &mut self,
        callee: &'a hir::Callee,
        arguments: &'a [Expr],
        ty: Ty,
        dest: Option<&Place>,
    ) -> Result {
        if let hir::Callee::Builtin(builtin) = callee {
            return self.builtin(*builtin, arguments, ty, dest);
        }
        if let hir::Callee::Dyn(index, types) = callee {
            return self.call_dyn(*index, *types, arguments, ty, dest);
        }
        let (callee, ty) = self.callee(callee, arguments, ty)?;
        let runs_program = !matches!(callee, Callee::Host(_));
        let mut arguments = self.arguments(arguments, runs_program)?;
        if let Callee::C(..) = callee {
            arguments.iter_mut().for_each(|argument| self.callback(argument));
        }
        self.emit_call(callee, arguments, ty, dest);
        Ok(())
    }

    fn callee(&mut self, callee: &'a hir::Callee, arguments: &'a [Expr], ty: Ty) -> Result<(Callee, Ty)> {
        match callee {
            hir::Callee::Function(instance) => {
                let signature = self.signature_of(*instance, arguments, ty);
                let result = signature.result;
                Ok((Callee::Function(*instance, signature), result))
            }
            hir::Callee::Value(value) => {
                let TyKind::Function(params, result) = *value.ty.kind() else {
                    return self.unsupported(format!("a call of `{}`", value.ty));
                };
                let operand = self.held_operand(value)?;
                Ok((Callee::Value(operand, Signature::new(params.iter().copied(), result)), result))
            }
            hir::Callee::Host(name) => Ok((Callee::Host(*name), ty)),
            hir::Callee::C(function) => Ok((Callee::C(function.symbol, function.fixed), ty)),
            hir::Callee::Dyn(..) | hir::Callee::Builtin(_) => self.unsupported("an operation without a function"),
        }
    }

    /// C wants a code address where the language passes a function value.
    fn callback(&mut self, argument: &mut Operand) {
        if let TyKind::Function(params, result) = *argument.ty().kind() {
            let signature = abi_signature(&Signature::new(params.iter().copied(), result)).to_string();
            let signature = Operand::Const(Const::Str(signature.into()));
            *argument = self.host_value(host_calls::C_CALLBACK, [argument.clone(), signature], Ty::i64());
        }
    }

    /// As declared; a function left out because of errors is taken as it is called.
    fn signature_of(&self, instance: Instance, arguments: &[Expr], ty: Ty) -> Signature {
        match self.program.functions.get(&instance) {
            Some(function) => signature(&function.signature),
            None => Signature::new(arguments.iter().map(|argument| argument.ty), ty),
        }
    }

    pub(super) fn emit_call(
        &mut self,
        callee: Callee,
        arguments: SmallVec<[Operand; 4]>,
        ty: Ty,
        dest: Option<&Place>,
    ) {
        let direct = dest.filter(|dest| ty.is_scalar() || self.is_private(dest)).cloned();
        let unwanted = dest.is_none() && self.counted(ty);
        let result = match ty.is_aggregate() && direct.is_none() || unwanted {
            true => Some(self.b.temp_place(ty)),
            false => direct,
        };
        let result = result.filter(|_| !ty.is_unit());
        let unused = result.clone();
        let call = Call { callee, arguments, result: result.clone(), result_ty: ty };
        self.b.push(StatementKind::Call(Box::new(call)));
        if let (Some(dest), Some(result)) = (dest, result)
            && *dest != result
        {
            self.b.assign(dest.clone(), Rvalue::Use(Operand::Copy(result)));
        } else if unwanted && let Some(result) = unused {
            self.release(&result);
        }
        if matches!(ty.kind(), TyKind::Never) {
            self.b.end(Terminator::Trap(TrapCode::Unreachable, None));
        }
    }

    /// Arguments from left to right; aggregates in temporaries of their own. They are loans: if the call runs code of the
    /// program, which might change where a counted value was read, the caller holds a reference of its own meanwhile.
    pub(super) fn arguments(&mut self, arguments: &'a [Expr], runs_program: bool) -> Result<SmallVec<[Operand; 4]>> {
        let calm_from = arguments.iter().rposition(|argument| !scan::pure(argument)).unwrap_or(0);
        let mut operands = SmallVec::new();
        for (index, argument) in arguments.iter().enumerate() {
            if argument.ty.is_unit() {
                self.lower(argument, None)?;
            } else if argument.ty.is_aggregate() {
                operands.push(Operand::Copy(self.aggregate_argument(argument)?));
            } else if self.counted(argument.ty) && runs_program || index < calm_from {
                operands.push(self.held_operand(argument)?);
            } else {
                operands.push(self.operand(argument)?);
            }
        }
        Ok(operands)
    }

    fn aggregate_argument(&mut self, argument: &'a Expr) -> Result<Place> {
        if self.counted(argument.ty) && !self.steady(argument) {
            return self.owned_temp(argument);
        }
        let temp = self.b.temp_place(argument.ty);
        match self.counted(argument.ty) {
            true => {
                self.lend(&temp);
                let from = self.place(argument)?;
                self.b.assign(temp.clone(), Rvalue::Use(Operand::Copy(from)));
            }
            false => self.lower(argument, Some(&temp))?,
        }
        Ok(temp)
    }

    /// Calls a host function without a result.
    pub(super) fn host_call<const N: usize>(&mut self, name: &str, arguments: [Operand; N]) {
        let callee = Callee::Host(Name::new(name));
        self.emit_call(callee, arguments.into_iter().collect(), Ty::unit(), None);
    }

    /// The result of a host function.
    pub(super) fn host_value<const N: usize>(&mut self, name: &str, arguments: [Operand; N], ty: Ty) -> Operand {
        let result = self.b.temp_place(ty);
        let callee = Callee::Host(Name::new(name));
        self.emit_call(callee, arguments.into_iter().collect(), ty, Some(&result));
        Operand::Copy(result)
    }

    /// A function as a value.
    pub(super) fn function_value(&mut self, callee: &'a hir::Callee, ty: Ty) -> Result<Operand> {
        match callee {
            hir::Callee::Function(instance) => {
                let signature = match (self.program.functions.get(instance), ty.kind()) {
                    (Some(function), _) => signature(&function.signature),
                    (None, TyKind::Function(params, result)) => Signature::new(params.iter().copied(), *result),
                    _ => return self.unsupported("this function as a value"),
                };
                Ok(Operand::Const(Const::Function(*instance, signature)))
            }
            hir::Callee::Value(value) => self.operand(value),
            hir::Callee::Host(name) => self.unsupported(format!("the host function `{name}` as a value")),
            hir::Callee::C(function) => self.unsupported(format!("the C function `{}` as a value", function.symbol)),
            hir::Callee::Dyn(..) | hir::Callee::Builtin(_) => self.unsupported("a built-in operation as a value"),
        }
    }

    fn builtin(&mut self, builtin: Builtin, arguments: &'a [Expr], ty: Ty, dest: Option<&Place>) -> Result {
        let intrinsic = |op| (op, dest);
        let (op, dest) = match builtin {
            Builtin::Min => intrinsic(Intrinsic::Min),
            Builtin::Max => intrinsic(Intrinsic::Max),
            Builtin::Abs => intrinsic(Intrinsic::Abs),
            Builtin::Sqrt => intrinsic(Intrinsic::Sqrt),
            Builtin::Floor => intrinsic(Intrinsic::Floor),
            Builtin::Ceil => intrinsic(Intrinsic::Ceil),
            Builtin::Trunc => intrinsic(Intrinsic::Trunc),
            Builtin::Load => return self.load(&arguments[0], ty, dest, true),
            Builtin::Take => return self.load(&arguments[0], ty, dest, false),
            Builtin::Store => return self.store(&arguments[0], &arguments[1]),
            Builtin::MemCopy => return self.copy_bytes(arguments, dest),
            Builtin::Swap => return self.swap(arguments),
            Builtin::Length => return self.length(&arguments[0], dest),
        };
        let operands = self.arguments(arguments, false)?.into_iter().collect();
        self.put(dest, ty, Rvalue::Intrinsic(op, operands));
        Ok(())
    }

    /// Stores a value, or computes it for its effect alone.
    fn put(&mut self, dest: Option<&Place>, ty: Ty, value: Rvalue) {
        match dest {
            Some(dest) => self.b.assign(dest.clone(), value),
            None => drop(self.b.value(ty, value)),
        }
    }

    /// The value at an address: a copy, or moved out of there.
    fn load(&mut self, address: &'a Expr, ty: Ty, dest: Option<&Place>, copied: bool) -> Result {
        let address = self.operand(address)?;
        if ty.is_unit() {
            return Ok(());
        }
        if ty.is_scalar() {
            self.put(dest, ty, Rvalue::LoadAt(address, ty));
        } else {
            let pointer = self.typed_pointer(address, ty);
            self.put(dest, ty, Rvalue::Use(Operand::Copy(Place::deref(pointer, ty))));
        }
        if copied && let Some(dest) = dest {
            self.retain(dest);
        }
        Ok(())
    }

    fn store(&mut self, address: &'a Expr, value: &'a Expr) -> Result {
        let ty = value.ty;
        let address = self.operand(address)?;
        let address = if scan::pure(value) { address } else { self.b.stable(address) };
        if ty.is_unit() {
            return self.lower(value, None);
        }
        if ty.is_scalar() || self.counted(ty) {
            // What was there is not released: it may be anything.
            let value = self.moved_operand(value)?;
            let pointer = self.typed_pointer(address, ty);
            self.b.assign(Place::deref(pointer, ty), Rvalue::Use(value));
            return Ok(());
        }
        let source = self.place(value)?;
        let pointer = self.typed_pointer(address, ty);
        self.b.assign(Place::deref(pointer, ty), Rvalue::Use(Operand::Copy(source)));
        Ok(())
    }

    /// An address as a pointer to a type, in a local.
    fn typed_pointer(&mut self, address: Operand, ty: Ty) -> crate::mir::Local {
        let pointer = Ty::pointer(ty);
        if address.ty() == pointer {
            return self.b.scalar_local(address);
        }
        let operand = self.b.value(pointer, Rvalue::Cast(CastKind::Pointer, address, pointer));
        self.b.scalar_local(operand)
    }

    fn copy_bytes(&mut self, arguments: &'a [Expr], dest: Option<&Place>) -> Result {
        let mut operands = self.arguments(arguments, false)?.into_iter();
        let (Some(to), Some(from), Some(bytes)) = (operands.next(), operands.next(), operands.next()) else {
            return self.unsupported("memcpy without three arguments");
        };
        let to = self.b.stable(to);
        self.b.push(StatementKind::CopyBytes { to: to.clone(), from, bytes });
        if let Some(dest) = dest {
            let value = match to.ty() == dest.ty {
                true => Rvalue::Use(to),
                false => Rvalue::Cast(CastKind::Pointer, to, dest.ty),
            };
            self.b.assign(dest.clone(), value);
        }
        Ok(())
    }

    fn swap(&mut self, arguments: &'a [Expr]) -> Result {
        let [pointer, first, second] = arguments else { return self.unsupported("swap without three arguments") };
        let of = pointer.ty.pointee().unwrap_or_else(Ty::i64);
        let operands = self.arguments(arguments, false)?;
        let pointer = self.typed_pointer(operands[0].clone(), of);
        debug_assert!(first.ty == Ty::i64() && second.ty == Ty::i64());
        let left = self.behind(pointer, operands[1].clone(), of);
        let right = self.behind(pointer, operands[2].clone(), of);
        let kept = self.b.temp_place(of);
        self.b.assign(kept.clone(), Rvalue::Use(Operand::Copy(left.clone())));
        self.b.assign(left, Rvalue::Use(Operand::Copy(right.clone())));
        self.b.assign(right, Rvalue::Use(Operand::Copy(kept)));
        Ok(())
    }

    fn length(&mut self, of: &'a Expr, dest: Option<&Place>) -> Result {
        let value = match *of.ty.kind() {
            TyKind::Array(_, length) => {
                if !scan::is_place(of) {
                    self.lower(of, None)?;
                }
                Rvalue::Use(Operand::int(length as i64))
            }
            TyKind::Slice(_) => {
                let place = self.place(of)?;
                Rvalue::Use(Operand::Copy(self.field(&place, 1)))
            }
            TyKind::Str => return self.str_length(of, dest),
            TyKind::Vec(_) => {
                let vec = self.operand(of)?;
                Rvalue::Use(self.vec_length(vec))
            }
            _ => return self.unsupported(format!("the length of `{}`", of.ty)),
        };
        if let Some(dest) = dest {
            self.b.assign(dest.clone(), value);
        }
        Ok(())
    }

    /// The word before the text; a null `str` is empty.
    fn str_length(&mut self, of: &'a Expr, dest: Option<&Place>) -> Result {
        let text = self.operand(of)?;
        let Some(dest) = dest else { return Ok(()) };
        if let Operand::Const(Const::Str(text)) = &text {
            self.b.assign(dest.clone(), Rvalue::Use(Operand::int(text.len() as i64)));
            return Ok(());
        }
        let word = Ty::i64();
        let address = self.b.value(word, Rvalue::Cast(CastKind::Pointer, text, word));
        let result = self.b.temp_place(word);
        self.b.assign(result.clone(), Rvalue::Use(Operand::int(0)));
        let there = self.b.value(Ty::bool(), Rvalue::Binary(BinaryOp::Ne, address.clone(), Operand::int(0)));
        let (some, join) = (self.b.block(), self.b.block());
        self.b.branch(there, some, join);
        self.b.switch_to(some);
        let before = Rvalue::Binary(BinaryOp::Add, address, Operand::int(i64::from(LENGTH_OFFSET)));
        let before = self.b.value(word, before);
        self.b.assign(result.clone(), Rvalue::LoadAt(before, word));
        self.b.goto(join);
        self.b.assign(dest.clone(), Rvalue::Use(Operand::Copy(result)));
        Ok(())
    }
}
