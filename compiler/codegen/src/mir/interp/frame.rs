//! One activation of a function, and how its statements are executed.

use std::sync::Arc;

use vaisjit_abi::TrapCode;
use vaisjit_abi::heap::{CLOSURE_SLOT, CLOSURE_TAG};
use vaisjit_semantics::{Instance, Ty, TyKind};
use vaisjit_syntax::Span;

use super::{DEEPEST, Interp, Stop, arith};
use crate::mir::{
    BlockId, Body, Call, Callee, Const, Local, Operand, Place, PlaceBase, Projection, Rvalue, Signature, StatementKind,
    Terminator,
};

/// The [`Stop::Bug`] that is no bug.
pub(super) const STEP_LIMIT: &str = "step limit";

/// Bits that mean nothing.
pub(super) const SPOILT: u128 = 0xaaaa_aaaa_aaaa_aaaa;

pub(super) type Done<T = ()> = Result<T, Stop>;

pub(super) struct Frame {
    pub body: Arc<Body>,
    pub(super) block: BlockId,
    /// The statement to execute next.
    pub(super) next: usize,
    /// By local: its bits, or its address when it is in memory.
    pub(super) slots: Vec<u128>,
    /// Allocations that end with the activation.
    pub(super) owned: Vec<u64>,
}

impl Frame {
    /// Where the statement that is being executed comes from.
    pub fn span(&self) -> Span {
        let block = &self.body.blocks[self.block];
        block.statements.get(self.next.saturating_sub(1)).map_or(block.terminator_span, |statement| {
            if self.next > block.statements.len() { block.terminator_span } else { statement.span }
        })
    }

    pub(super) fn slot(&self, local: Local) -> u128 {
        self.slots[u32::from(local.into_raw()) as usize]
    }

    fn set_slot(&mut self, local: Local, bits: u128) {
        self.slots[u32::from(local.into_raw()) as usize] = bits;
    }
}

/// Where a place is.
enum Where {
    Register(Local),
    Memory(u64),
}

impl Interp<'_> {
    /// Runs a function until it returns to the frame it was called from.
    pub(super) fn run_until(&mut self, base: usize, body: Arc<Body>, arguments: &[u128], result: u64) -> Done<u128> {
        self.enter(body, arguments, result)?;
        self.run_on(base)
    }

    /// Goes on until so many frames are left.
    pub(super) fn run_on(&mut self, base: usize) -> Done<u128> {
        loop {
            if let Some(bits) = self.step()? {
                if self.frames.len() == base {
                    return Ok(bits);
                }
                self.returned(bits)?;
            }
        }
    }

    fn enter(&mut self, body: Arc<Body>, arguments: &[u128], result: u64) -> Done {
        if self.frames.len() >= DEEPEST {
            return Err(TrapCode::StackOverflow.into());
        }
        if arguments.len() != body.params as usize {
            let text = format!("{} arguments for the {} of {}", arguments.len(), body.params, body.instance);
            return Err(Stop::Bug(text));
        }
        let Some(entry) = body.blocks.iter().next().map(|(id, _)| id) else {
            return Err(Stop::Bug(format!("{} has no blocks", body.instance)));
        };
        let mut owned = Vec::new();
        let mut slots = Vec::with_capacity(body.locals.len());
        for (index, (_, local)) in body.locals.iter().enumerate() {
            let passed = index.checked_sub(1).and_then(|index| arguments.get(index)).copied();
            slots.push(match (index, passed) {
                (0, _) if local.ty.is_aggregate() => u128::from(result),
                (_, Some(address)) if local.ty.is_aggregate() => address,
                (_, passed) if local.in_memory => self.local_memory(local.ty, passed, &mut owned)?,
                (_, Some(bits)) => bits,
                (_, None) => SPOILT,
            });
        }
        self.frames.push(Frame { body, block: entry, next: 0, slots, owned });
        Ok(())
    }

    pub(super) fn local_memory(&mut self, ty: Ty, value: Option<u128>, owned: &mut Vec<u64>) -> Done<u128> {
        let size = self.size(ty);
        let address = self.machine.memory.allocate_local(size);
        owned.push(address);
        if let Some(bits) = value {
            self.machine.memory.store(address, size, bits)?;
        }
        Ok(u128::from(address))
    }

    pub(super) fn frame(&mut self) -> Done<&mut Frame> {
        self.frames.last_mut().ok_or_else(|| Stop::Bug("no frame".to_owned()))
    }

    /// Executes one statement or terminator; the bits of the result when the function has returned.
    fn step(&mut self) -> Done<Option<u128>> {
        self.steps += 1;
        if self.steps > self.limit {
            return Err(Stop::Bug(STEP_LIMIT.to_owned()));
        }
        let frame = self.frame()?;
        let (body, block, index) = (frame.body.clone(), frame.block, frame.next);
        frame.next += 1;
        match body.blocks[block].statements.get(index) {
            Some(statement) => self.statement(&statement.kind).map(|()| None),
            None => self.terminator(&body.blocks[block].terminator),
        }
    }

    fn statement(&mut self, kind: &StatementKind) -> Done {
        match kind {
            StatementKind::Assign(place, value) => self.assign(place, value),
            StatementKind::Call(call) => self.call(call),
            StatementKind::Zero(place) => {
                let size = u64::from(self.size(place.ty));
                match self.locate(place)? {
                    Where::Register(local) => self.frame()?.set_slot(local, 0),
                    Where::Memory(address) => self.machine.memory.write(address, size)?.fill(0),
                }
                Ok(())
            }
            StatementKind::FillParked(place, parts) => {
                if let Where::Memory(address) = self.locate(place)? {
                    for (offset, bytes) in parts.iter() {
                        let to = address.wrapping_add(u64::from(*offset));
                        self.machine.memory.write(to, bytes.len() as u64)?.copy_from_slice(bytes);
                    }
                }
                Ok(())
            }
            StatementKind::CheckIndex { index, length } => {
                let index = arith::int_of(self.scalar(index)?, Ty::i64());
                let length = arith::int_of(self.scalar(length)?, Ty::i64());
                if (0..length).contains(&index) { Ok(()) } else { Err(TrapCode::IndexOutOfBounds.into()) }
            }
            StatementKind::CopyBytes { to, from, bytes } => {
                let (to, from, bytes) = (self.scalar(to)?, self.scalar(from)?, self.scalar(bytes)?);
                let bytes = u64::try_from(bytes as i64).map_err(|_| TrapCode::BadAddress)?;
                Ok(self.machine.memory.copy(to as u64, from as u64, bytes)?)
            }
            StatementKind::Retain(place) => match self.locate(place)? {
                Where::Register(local) => {
                    let bits = self.frame()?.slot(local);
                    self.machine.retain_bits(bits as u64, place.ty)
                }
                Where::Memory(address) => self.machine.retain_at(address, place.ty),
            },
            StatementKind::Release { place, checked } => self.release(place, *checked),
            StatementKind::Safepoint(carried) => self.safepoint(carried),
        }
    }

    /// Counts down and spoils the bytes, which nobody may use any more. A local outside memory keeps them: the passes
    /// may have put it in the place of a copy that has references of its own.
    fn release(&mut self, place: &Place, checked: bool) -> Done {
        match self.locate(place)? {
            Where::Register(local) => {
                let bits = self.frame()?.slot(local);
                self.machine.release_bits(bits as u64, place.ty)?;
            }
            Where::Memory(address) if checked && !self.machine.is_own(address) => {}
            Where::Memory(address) => {
                self.machine.release_at(address, place.ty)?;
                let size = self.size(place.ty);
                self.machine.memory.write(address, u64::from(size))?.fill(SPOILT as u8);
            }
        }
        Ok(())
    }

    fn terminator(&mut self, terminator: &Terminator) -> Done<Option<u128>> {
        let target = match terminator {
            Terminator::Goto(target) => *target,
            Terminator::Branch { condition, then, otherwise } => match self.scalar(condition)? {
                0 => *otherwise,
                1 => *then,
                bits => return Err(Stop::Bug(format!("branch on {bits:#x}"))),
            },
            Terminator::Switch { value, cases, default } => {
                let bits = self.scalar(value)?;
                cases.iter().find(|(case, _)| u128::from(*case) == bits).map_or(*default, |(_, target)| *target)
            }
            Terminator::Return => return self.leave().map(Some),
            Terminator::Trap(code, message) => return Err(self.trap(*code, message.as_ref())),
        };
        let frame = self.frame()?;
        (frame.block, frame.next) = (target, 0);
        Ok(None)
    }

    fn trap(&mut self, code: TrapCode, message: Option<&Operand>) -> Stop {
        let text = message.and_then(|message| {
            let value = self.scalar(message).ok()?;
            let text = self.machine.text(value as u64).ok()?;
            Some(String::from_utf8_lossy(&text).into_owned())
        });
        Stop::Trap(code, text)
    }

    fn leave(&mut self) -> Done<u128> {
        let frame = self.frame()?;
        let result = frame.body.local(Body::RESULT);
        let declared = &frame.body.locals[result];
        let bits = if declared.ty.is_scalar() { frame.slot(result) } else { 0 };
        if let Some(frame) = self.frames.pop() {
            frame.owned.iter().for_each(|address| self.machine.memory.release(*address));
        }
        Ok(bits)
    }

    /// Back in the caller: stores a scalar result.
    fn returned(&mut self, bits: u128) -> Done {
        let frame = self.frame()?;
        let (body, block, index) = (frame.body.clone(), frame.block, frame.next - 1);
        let Some(StatementKind::Call(call)) = body.blocks[block].statements.get(index).map(|s| &s.kind) else {
            return Err(Stop::Bug("returned to something that is no call".to_owned()));
        };
        match &call.result {
            Some(place) if place.ty.is_scalar() => self.store(place, bits),
            _ => Ok(()),
        }
    }

    fn call(&mut self, call: &Call) -> Done {
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push((self.argument(argument)?, argument.ty()));
        }
        let (instance, closure) = match &call.callee {
            Callee::Function(instance, _) => (*instance, None),
            Callee::Value(value, _) => {
                let value = self.scalar(value)? as u64;
                self.target(value)?
            }
            Callee::Slot(value, _) => {
                let value = self.scalar(value)? as u64;
                (self.function_of(value)?, None)
            }
            Callee::Host(name) => return self.foreign(*name, &arguments, call, false),
            Callee::C(name, _) => return self.foreign(*name, &arguments, call, true),
        };
        let Some(body) = self.program.functions.get(&instance).cloned() else {
            return Err(Stop::Bug(format!("no function {instance}")));
        };
        let of_dyn = matches!(call.callee, Callee::Slot(..));
        if call.callee.signature().is_some_and(|signature| !fits(signature, &body, closure.is_some(), of_dyn)) {
            return Err(Stop::Bug(format!("{instance} called with another signature")));
        }
        let result = match &call.result {
            Some(place) if place.ty.is_aggregate() => self.address(place)?,
            _ => 0,
        };
        let bits: Vec<u128> = closure.into_iter().chain(arguments.iter().map(|(bits, _)| *bits)).collect();
        self.enter(body, &bits, result)
    }

    /// What a function value calls, and the payload of a closure.
    fn target(&mut self, value: u64) -> Done<(Instance, Option<u128>)> {
        if value & CLOSURE_TAG as u64 == 0 {
            return Ok((self.function_of(value)?, None));
        }
        let payload = value - CLOSURE_TAG as u64;
        let slot = self.machine.memory.load(payload.wrapping_add_signed(CLOSURE_SLOT.into()), 8)?;
        Ok((self.function_of(slot as u64)?, Some(u128::from(payload))))
    }

    fn foreign(&mut self, name: vaisjit_syntax::Name, arguments: &[(u128, Ty)], call: &Call, c: bool) -> Done {
        let bits = self.host_call(name, arguments, call.result_ty, c)?;
        match &call.result {
            Some(place) => self.store(place, bits),
            None => Ok(()),
        }
    }

    /// A scalar's bits, an aggregate's address.
    fn argument(&mut self, operand: &Operand) -> Done<u128> {
        match operand {
            Operand::Copy(place) if place.ty.is_aggregate() => self.address(place).map(u128::from),
            _ => self.scalar(operand),
        }
    }

    fn assign(&mut self, place: &Place, value: &Rvalue) -> Done {
        if place.ty.is_unit() {
            return Err(Stop::Bug("assignment of unit".to_owned()));
        }
        if matches!(value, Rvalue::Carried(_)) {
            return Ok(()); // The frame was made with it.
        }
        if place.ty.is_aggregate() {
            let Rvalue::Use(Operand::Copy(from)) = value else {
                return Err(Stop::Bug("an aggregate is only copied".to_owned()));
            };
            let (to, from) = (self.address(place)?, self.address(from)?);
            let size = u64::from(self.size(place.ty));
            if to != from && to.abs_diff(from) < size {
                return Err(Stop::Bug("a copy overlaps partly".to_owned()));
            }
            return Ok(self.machine.memory.copy(to, from, size)?);
        }
        let bits = self.rvalue(value)?;
        self.store(place, bits)
    }

    fn rvalue(&mut self, value: &Rvalue) -> Done<u128> {
        match value {
            Rvalue::Use(operand) => self.scalar(operand),
            Rvalue::Unary(op, operand) => Ok(arith::unary(*op, operand.ty(), self.scalar(operand)?)),
            Rvalue::Binary(op, left, right) => {
                let (first, second) = (self.scalar(left)?, self.scalar(right)?);
                Ok(arith::binary(*op, left.ty(), first, second)?)
            }
            Rvalue::Cast(kind, operand, to) => Ok(arith::cast(*kind, operand.ty(), *to, self.scalar(operand)?)),
            Rvalue::AddressOf(place) => self.address(place).map(u128::from),
            Rvalue::Discriminant(place) => {
                let address = self.address(place)?;
                Ok(self.machine.memory.load(address, 8)?)
            }
            Rvalue::Intrinsic(op, operands) => {
                let ty = operands.first().map_or_else(Ty::i64, Operand::ty);
                let bits = operands.iter().map(|operand| self.scalar(operand)).collect::<Done<Vec<u128>>>()?;
                Ok(arith::intrinsic(*op, ty, &bits))
            }
            Rvalue::Carried(_) => Err(Stop::Bug("nothing is handed over".to_owned())),
            Rvalue::LoadAt(address, ty) => {
                let (address, size) = (self.scalar(address)? as u64, self.size(*ty));
                Ok(self.machine.memory.load(address, size)?)
            }
        }
    }

    pub(super) fn scalar(&mut self, operand: &Operand) -> Done<u128> {
        match operand {
            Operand::Copy(place) => self.load(place),
            Operand::Const(Const::Int(value, ty)) => Ok(arith::bits_of(*value, *ty)),
            Operand::Const(Const::Float(bits, ty)) => Ok(arith::float_bits(f64::from_bits(*bits), *ty)),
            Operand::Const(Const::Str(text)) => Ok(u128::from(self.machine.literal(text))),
            Operand::Const(Const::Type(ty)) => Ok(u128::from(self.machine.heap.type_address(*ty))),
            Operand::Const(Const::Table(table)) => Ok(u128::from(self.table(table))),
            Operand::Const(Const::Function(instance, _)) => Ok(u128::from(self.function_value(*instance))),
        }
    }

    fn load(&mut self, place: &Place) -> Done<u128> {
        if !place.ty.is_scalar() {
            return Err(Stop::Bug(format!("a value of type {} as a scalar", place.ty)));
        }
        match self.locate(place)? {
            Where::Register(local) => Ok(self.frame()?.slot(local)),
            Where::Memory(address) => {
                let size = self.size(place.ty);
                Ok(self.machine.memory.load(address, size)?)
            }
        }
    }

    fn store(&mut self, place: &Place, bits: u128) -> Done {
        match self.locate(place)? {
            Where::Register(local) => self.frame()?.set_slot(local, bits),
            Where::Memory(address) => {
                let size = self.size(place.ty);
                self.machine.memory.store(address, size, bits)?;
            }
        }
        Ok(())
    }

    fn address(&mut self, place: &Place) -> Done<u64> {
        match self.locate(place)? {
            Where::Memory(address) => Ok(address),
            Where::Register(local) => Err(Stop::Bug(format!("the address of _{}", local.into_raw()))),
        }
    }

    fn locate(&mut self, place: &Place) -> Done<Where> {
        let (mut address, mut ty) = match place.base {
            PlaceBase::Local(local) => {
                let frame = self.frame()?;
                let declared = &frame.body.locals[local];
                if !declared.in_memory && !place.projections.is_empty() {
                    return Err(Stop::Bug(format!("a part of the scalar _{}", local.into_raw())));
                }
                if !declared.in_memory {
                    return Ok(Where::Register(local));
                }
                (frame.slot(local) as u64, declared.ty)
            }
            PlaceBase::Global(path, ty) => match self.globals.get(&path) {
                Some(address) => (*address, ty),
                None => return Err(Stop::Bug(format!("no global {path}"))),
            },
            PlaceBase::Deref(pointer, ty) => {
                let address = self.frame()?.slot(pointer) as u64;
                let indexed = place.projections.iter().any(|step| matches!(step, Projection::Index(_)));
                if address == 0 && !indexed {
                    return Err(TrapCode::NullPointer.into());
                }
                (address, ty)
            }
        };
        for step in &place.projections {
            (address, ty) = self.project(address, ty, step)?;
        }
        if ty == place.ty { Ok(Where::Memory(address)) } else { Err(Stop::Bug(format!("{ty} taken for {}", place.ty))) }
    }

    fn project(&mut self, address: u64, ty: Ty, step: &Projection) -> Done<(u64, Ty)> {
        let at = |offset: u32| address.wrapping_add(u64::from(offset));
        match *step {
            Projection::Field(field) => {
                Ok((at(self.layouts.field_offset(ty, field)), self.layouts.field_ty(ty, field)))
            }
            Projection::VariantField(variant, field) => Ok((
                at(self.layouts.variant_field_offset(ty, variant, field)),
                self.layouts.variant_field_ty(ty, variant, field),
            )),
            Projection::ConstIndex(index) => self.element(address, ty, i128::from(index)),
            Projection::Index(local) => {
                let index = arith::int_of(self.frame()?.slot(local), Ty::i64());
                self.element(address, ty, index)
            }
        }
    }

    fn element(&mut self, address: u64, ty: Ty, index: i128) -> Done<(u64, Ty)> {
        let TyKind::Array(of, length) = *ty.kind() else { return Err(Stop::Bug(format!("an element of {ty}"))) };
        if length > 0 && !(0..i128::from(length)).contains(&index) {
            return Err(Stop::Bug(format!("unchecked index {index} of {length}")));
        }
        let offset = (index as i64).wrapping_mul(i64::from(self.size(of)));
        Ok((address.wrapping_add_signed(offset), of))
    }
}

/// Does a body have this signature, a closure's after its payload, a `dyn`'s but for the receiver's address?
fn fits(signature: &Signature, body: &Body, closure: bool, of_dyn: bool) -> bool {
    let own = body.signature();
    let (payload, params) = own.params.split_at(usize::from(closure).min(own.params.len()));
    let skipped = usize::from(of_dyn && params.first().is_some_and(|ty| ty.pointee().is_some() || ty.is_aggregate()));
    own.result == signature.result
        && params.len() == signature.params.len()
        && params[skipped..] == signature.params[skipped..]
        && payload.iter().all(|ty| ty.pointee().is_some() || *ty == Ty::i64())
}
