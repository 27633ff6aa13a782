//! Checks the rules of MIR; run in debug builds and tests on everything that lowering and the passes make.

use vaisjit_semantics::hir::{BinaryOp, CastKind};
use vaisjit_semantics::{Ty, TyKind};

use super::dump::{statement_text, terminator_text};
use super::visit::{Access, block_places, successors};
use super::{
    Block, Body, Call, Callee, Const, Local, Operand, Place, PlaceBase, Projection, Rvalue, StatementKind, Terminator,
};
use crate::layout::Layouts;

/// Every broken rule, one line each.
pub fn check(body: &Body, layouts: &dyn Layouts) -> Result<(), Vec<String>> {
    let mut checker = Checker { body, layouts, at: String::new(), problems: Vec::new() };
    checker.body();
    if checker.problems.is_empty() { Ok(()) } else { Err(checker.problems) }
}

struct Checker<'a> {
    body: &'a Body,
    layouts: &'a dyn Layouts,
    at: String,
    problems: Vec<String>,
}

impl Checker<'_> {
    fn require(&mut self, holds: bool, text: &str) {
        if !holds {
            self.problems.push(format!("{}: {text}: {}", self.body.instance, self.at));
        }
    }

    fn body(&mut self) {
        self.at = "the body".to_owned();
        self.require(!self.body.blocks.is_empty(), "no blocks");
        self.require(self.body.locals.len() > self.body.params as usize, "a parameter without a local");
        for (local, declared) in self.body.locals.iter() {
            self.at = format!("_{}: {}", local.into_raw(), declared.ty);
            self.require(!declared.ty.is_aggregate() || declared.in_memory, "an aggregate outside memory");
            let concrete = !matches!(declared.ty.kind(), TyKind::Param(_) | TyKind::Infer(_) | TyKind::Error);
            self.require(concrete, "a type that is not concrete");
        }
        for block in self.body.blocks.values() {
            self.block(block);
        }
        self.loops();
    }

    fn loops(&mut self) {
        let loops = &self.body.loops;
        for (index, info) in loops.iter().enumerate() {
            self.at = format!("loop {index}");
            self.require(
                info.parent.is_none_or(|parent| (parent as usize) < index),
                "an inner loop before its outer one",
            );
            let exists = (u32::from(info.header.into_raw()) as usize) < self.body.blocks.len();
            self.require(exists, "a header that does not exist");
            let within = exists && self.body.blocks[info.header].in_loop == Some(index as u32);
            self.require(within, "a header outside its loop");
        }
    }

    fn block(&mut self, block: &Block) {
        for statement in &block.statements {
            self.at = statement_text(&statement.kind);
            self.statement(&statement.kind);
        }
        self.at = terminator_text(&block.terminator);
        self.terminator(&block.terminator);
        self.require(
            block.in_loop.is_none_or(|index| (index as usize) < self.body.loops.len()),
            "a loop that does not exist",
        );
        block_places(block, &mut |place, access| {
            self.place(place);
            let in_memory = match place.base {
                PlaceBase::Local(local) => self.known(local) && self.body.locals[local].in_memory,
                _ => true,
            };
            self.require(access != Access::Address || in_memory, "the address of a value");
        });
    }

    fn known(&self, local: Local) -> bool {
        (u32::from(local.into_raw()) as usize) < self.body.locals.len()
    }

    /// A scalar local that is not in memory and holds a word.
    fn word_local(&mut self, local: Local, what: &str) {
        let holds = self.known(local) && !self.body.locals[local].in_memory && self.body.locals[local].ty.is_scalar();
        self.require(holds, what);
    }

    fn place(&mut self, place: &Place) {
        let mut ty = match place.base {
            PlaceBase::Local(local) => {
                let known = self.known(local);
                self.require(known, "a local that does not exist");
                if !known {
                    return;
                }
                let declared = &self.body.locals[local];
                self.require(declared.in_memory || place.projections.is_empty(), "a part of a value");
                declared.ty
            }
            PlaceBase::Global(_, ty) => ty,
            PlaceBase::Deref(pointer, ty) => {
                self.word_local(pointer, "a pointer in memory");
                ty
            }
        };
        for step in &place.projections {
            ty = self.project(ty, step);
        }
        let agrees = ty == place.ty || ty.is_unit() && place.ty.is_unit();
        self.require(agrees, &format!("a place of type {ty} taken for {}", place.ty));
    }

    fn project(&mut self, ty: Ty, step: &Projection) -> Ty {
        match *step {
            Projection::Field(field) => self.layouts.field_ty(ty, field),
            Projection::VariantField(variant, field) => self.layouts.variant_field_ty(ty, variant, field),
            Projection::Index(index) => {
                self.word_local(index, "an index in memory");
                self.require(self.known(index) && self.body.locals[index].ty == Ty::i64(), "an index that is no i64");
                self.element(ty)
            }
            Projection::ConstIndex(index) => {
                let fits = matches!(*ty.kind(), TyKind::Array(_, length) if length == 0 || index < length);
                self.require(fits, "a constant index outside its array");
                self.element(ty)
            }
        }
    }

    fn element(&mut self, ty: Ty) -> Ty {
        match *ty.kind() {
            TyKind::Array(of, _) => of,
            _ => Ty::error(),
        }
    }

    fn statement(&mut self, kind: &StatementKind) {
        match kind {
            StatementKind::Assign(place, value) => self.assign(place.ty, value),
            StatementKind::Call(call) => self.call(call),
            StatementKind::CheckIndex { index, length } => {
                let both = index.ty() == Ty::i64() && length.ty() == Ty::i64();
                self.require(both, "an index check of something else than i64");
            }
            StatementKind::CopyBytes { to, from, bytes } => {
                let words = is_word(to.ty()) && is_word(from.ty());
                self.require(words && bytes.ty() == Ty::i64(), "copy_bytes with other types");
            }
            StatementKind::FillParked(place, bytes) => {
                let size = self.layouts.layout(place.ty).size as usize;
                let inside = bytes.iter().all(|(offset, bytes)| *offset as usize + bytes.len() <= size);
                self.require(place.ty.is_aggregate() && inside, "parked fields outside their value");
            }
            StatementKind::Zero(place) => self.require(!place.ty.is_unit(), "zero of unit"),
            StatementKind::Retain(place) | StatementKind::Release { place, .. } => {
                self.require(!place.ty.is_unit(), "a count of unit");
            }
            StatementKind::Safepoint(carried) => {
                let unit = carried.iter().any(|carried| carried.value.ty().is_unit());
                self.require(!unit, "a poll that hands over a unit");
            }
        }
    }

    fn assign(&mut self, to: Ty, value: &Rvalue) {
        self.require(!to.is_unit(), "an assignment of unit");
        let made = match value {
            Rvalue::Carried(_) => to,
            Rvalue::Use(operand) => operand.ty(),
            Rvalue::Unary(_, operand) => operand.ty(),
            Rvalue::Binary(op, left, right) => self.binary(*op, left, right),
            Rvalue::Cast(kind, operand, ty) => {
                self.cast(*kind, operand.ty(), *ty);
                *ty
            }
            Rvalue::AddressOf(_) => return self.require(is_word(to), "an address in no pointer"),
            Rvalue::Discriminant(place) => {
                self.require(matches!(place.ty.kind(), TyKind::Enum(..)), "the discriminant of no enum");
                Ty::i64()
            }
            Rvalue::Intrinsic(_, operands) => {
                let same = operands.windows(2).all(|pair| pair[0].ty() == pair[1].ty());
                self.require(same && !operands.is_empty(), "an intrinsic of different types");
                operands.first().map_or_else(Ty::error, Operand::ty)
            }
            Rvalue::LoadAt(address, ty) => {
                self.require(is_word(address.ty()) && ty.is_scalar(), "a load of no scalar or from no address");
                *ty
            }
        };
        let scalar = to.is_scalar() || matches!(value, Rvalue::Use(Operand::Copy(_)) | Rvalue::Carried(_));
        let resumed = self.body.resumed.is_some() || !matches!(value, Rvalue::Carried(_));
        self.require(resumed, "something carried into a body that starts at its beginning");
        self.require(scalar, "an aggregate is only copied");
        self.require(same_word(made, to), &format!("a {made} put into a {to}"));
    }

    fn binary(&mut self, op: BinaryOp, left: &Operand, right: &Operand) -> Ty {
        self.require(same_word(left.ty(), right.ty()), "an operator on different types");
        self.require(left.ty().is_scalar(), "an operator on no scalar");
        self.require(left.ty() != Ty::str(), "an operator on texts");
        match op {
            BinaryOp::And | BinaryOp::Or => {
                self.require(false, "a short-circuit operator");
                Ty::bool()
            }
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => Ty::bool(),
            _ => left.ty(),
        }
    }

    fn cast(&mut self, kind: CastKind, from: Ty, to: Ty) {
        let (float_from, float_to) = (is_float(from), is_float(to));
        let holds = match kind {
            CastKind::IntToInt => !float_from && !float_to,
            CastKind::IntToFloat => !float_from && float_to,
            CastKind::FloatToInt => float_from && !float_to,
            CastKind::FloatToFloat => float_from && float_to,
            CastKind::ToBool => !float_from && to == Ty::bool(),
            CastKind::Pointer => is_word(from) && is_word(to),
            CastKind::ArrayToPointer | CastKind::ArrayToSlice => false,
        };
        self.require(holds && from.is_scalar() && to.is_scalar(), &format!("a {kind:?} cast from {from} to {to}"));
    }

    fn call(&mut self, call: &Call) {
        let unit = call.arguments.iter().any(|argument| argument.ty().is_unit());
        self.require(!unit, "an argument of type unit");
        let result = call.result.as_ref().map(|place| place.ty);
        self.require(result.is_none_or(|ty| same_word(ty, call.result_ty)), "a result of another type");
        self.require(!call.result_ty.is_unit() || result.is_none(), "a result of unit");
        self.require(!call.result_ty.is_aggregate() || result.is_some(), "an aggregate result without a place");
        for argument in call.arguments.iter().filter(|argument| argument.ty().is_aggregate()) {
            let whole = matches!(argument, Operand::Copy(place) if place.as_local().is_some());
            self.require(whole, "an aggregate argument that is no temporary");
        }
        if let Callee::Slot(value, _) = &call.callee {
            self.require(is_word(value.ty()), "a call through no address");
        }
        if let Callee::Value(value, signature) = &call.callee {
            let function = matches!(value.ty().kind(), TyKind::Function(..));
            self.require(function, "a call of no function value");
            self.require(signature.result == call.result_ty, "a result of another type than the signature's");
        }
        if let Some(signature) = call.callee.signature() {
            let given = call.arguments.iter().map(Operand::ty);
            let agrees = signature.params.len() == call.arguments.len()
                && signature.params.iter().zip(given).all(|(wanted, given)| same_word(*wanted, given));
            self.require(agrees, "arguments that do not fit the signature");
        }
    }

    fn terminator(&mut self, terminator: &Terminator) {
        match terminator {
            Terminator::Branch { condition, .. } => {
                self.require(condition.ty() == Ty::bool(), "a branch on no bool");
            }
            Terminator::Switch { value, .. } => {
                let narrow = value.ty().int_kind().is_some_and(|kind| kind.bits() <= 64);
                self.require(narrow && !matches!(value, Operand::Const(Const::Str(_))), "a switch on no integer");
            }
            Terminator::Trap(_, Some(message)) => {
                self.require(message.ty() == Ty::str(), "a message that is no text");
            }
            Terminator::Goto(_) | Terminator::Return | Terminator::Trap(_, None) => {}
        }
        let blocks = self.body.blocks.len();
        let mut exist = true;
        successors(terminator, &mut |target| exist &= (u32::from(target.into_raw()) as usize) < blocks);
        self.require(exist, "a block that does not exist");
    }
}

fn is_float(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Float(_))
}

/// Pointers, texts, function values and integers of 64 bits.
fn is_word(ty: Ty) -> bool {
    ty.is_scalar() && !is_float(ty) && ty != Ty::bool() && ty.int_kind().is_none_or(|kind| kind.bits() == 64)
}

/// The same type, or both pointers.
fn same_word(left: Ty, right: Ty) -> bool {
    left == right || left.pointee().is_some() && right.pointee().is_some()
}
