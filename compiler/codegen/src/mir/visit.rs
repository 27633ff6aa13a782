//! Walks over the places and operands of MIR, for passes and checks.

use super::{
    Block, Call, Callee, Const, Local, Operand, Place, PlaceBase, Projection, Rvalue, Statement, StatementKind,
    Terminator,
};

/// How a statement or terminator touches a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Its value is read.
    Read,
    /// All of it gets a new value.
    Write,
    /// Its address leaves the statement.
    Address,
}

/// Calls `f` with every place of a statement, reads before the write.
pub fn statement_places(statement: &Statement, f: &mut impl FnMut(&Place, Access)) {
    match &statement.kind {
        StatementKind::Assign(place, value) => {
            rvalue_places(value, f);
            if matches!(value, Rvalue::Carried(taken) if taken.exposed) {
                f(place, Access::Address);
            }
            f(place, Access::Write);
        }
        StatementKind::Call(call) => call_places(call, f),
        StatementKind::Zero(place) => f(place, Access::Write),
        StatementKind::FillParked(place, _) => f(place, Access::Address),
        StatementKind::CheckIndex { index, length } => [index, length].into_iter().for_each(|o| operand_place(o, f)),
        StatementKind::CopyBytes { to, from, bytes } => {
            [to, from, bytes].into_iter().for_each(|operand| operand_place(operand, f));
        }
        StatementKind::Retain(place) | StatementKind::Release { place, .. } => f(place, counted_access(place)),
        StatementKind::Safepoint(carried) => carried.iter().for_each(|carried| operand_place(&carried.value, f)),
    }
}

/// Counting looks at scalars as they are and finds aggregates by their address.
fn counted_access(place: &Place) -> Access {
    if place.ty.is_scalar() { Access::Read } else { Access::Address }
}

fn call_places(call: &Call, f: &mut impl FnMut(&Place, Access)) {
    if let Callee::Value(operand, _) | Callee::Slot(operand, _) = &call.callee {
        operand_place(operand, f);
    }
    call.arguments.iter().for_each(|operand| operand_place(operand, f));
    if let Some(result) = &call.result {
        f(result, Access::Write);
    }
}

/// Calls `f` with every place of a value.
pub fn rvalue_places(value: &Rvalue, f: &mut impl FnMut(&Place, Access)) {
    match value {
        Rvalue::Use(operand) | Rvalue::Unary(_, operand) | Rvalue::Cast(_, operand, _) | Rvalue::LoadAt(operand, _) => {
            operand_place(operand, f);
        }
        Rvalue::Binary(_, left, right) => {
            operand_place(left, f);
            operand_place(right, f);
        }
        Rvalue::AddressOf(place) => f(place, Access::Address),
        Rvalue::Discriminant(place) => f(place, Access::Read),
        Rvalue::Intrinsic(_, operands) => operands.iter().for_each(|operand| operand_place(operand, f)),
        Rvalue::Carried(_) => {}
    }
}

fn operand_place(operand: &Operand, f: &mut impl FnMut(&Place, Access)) {
    if let Operand::Copy(place) = operand {
        f(place, Access::Read);
    }
}

/// The operand of a terminator.
pub fn terminator_operand(terminator: &Terminator) -> Option<&Operand> {
    match terminator {
        Terminator::Branch { condition, .. } => Some(condition),
        Terminator::Switch { value, .. } => Some(value),
        Terminator::Trap(_, message) => message.as_ref(),
        Terminator::Goto(_) | Terminator::Return => None,
    }
}

/// Calls `f` with the operand of a terminator, to be changed.
pub fn terminator_operand_mut(terminator: &mut Terminator) -> Option<&mut Operand> {
    match terminator {
        Terminator::Branch { condition, .. } => Some(condition),
        Terminator::Switch { value, .. } => Some(value),
        Terminator::Trap(_, message) => message.as_mut(),
        Terminator::Goto(_) | Terminator::Return => None,
    }
}

/// Calls `f` with every place of a block, the terminator's too.
pub fn block_places(block: &Block, f: &mut impl FnMut(&Place, Access)) {
    block.statements.iter().for_each(|statement| statement_places(statement, f));
    if let Some(operand) = terminator_operand(&block.terminator) {
        operand_place(operand, f);
    }
}

/// Calls `f` with every operand that a statement reads, to be changed.
pub fn operands_mut(statement: &mut Statement, f: &mut impl FnMut(&mut Operand)) {
    match &mut statement.kind {
        StatementKind::Assign(_, value) => rvalue_operands_mut(value, f),
        StatementKind::Call(call) => {
            if let Callee::Value(operand, _) | Callee::Slot(operand, _) = &mut call.callee {
                f(operand);
            }
            call.arguments.iter_mut().for_each(f);
        }
        StatementKind::CheckIndex { index, length } => [index, length].into_iter().for_each(f),
        StatementKind::CopyBytes { to, from, bytes } => [to, from, bytes].into_iter().for_each(f),
        StatementKind::Safepoint(carried) => carried.iter_mut().for_each(|carried| f(&mut carried.value)),
        StatementKind::Zero(_)
        | StatementKind::FillParked(..)
        | StatementKind::Retain(_)
        | StatementKind::Release { .. } => {}
    }
}

fn rvalue_operands_mut(value: &mut Rvalue, f: &mut impl FnMut(&mut Operand)) {
    match value {
        Rvalue::Use(operand) | Rvalue::Unary(_, operand) | Rvalue::Cast(_, operand, _) | Rvalue::LoadAt(operand, _) => {
            f(operand);
        }
        Rvalue::Binary(_, left, right) => {
            f(left);
            f(right);
        }
        Rvalue::Intrinsic(_, operands) => operands.iter_mut().for_each(f),
        Rvalue::AddressOf(_) | Rvalue::Discriminant(_) | Rvalue::Carried(_) => {}
    }
}

/// Calls `f` with every place of a statement, to be changed, reads before the write.
pub fn places_mut(statement: &mut Statement, f: &mut impl FnMut(&mut Place, Access)) {
    operands_mut(statement, &mut |operand| {
        if let Operand::Copy(place) = operand {
            f(place, Access::Read);
        }
    });
    match &mut statement.kind {
        StatementKind::Assign(place, value) => {
            match value {
                Rvalue::AddressOf(inner) => f(inner, Access::Address),
                Rvalue::Discriminant(inner) => f(inner, Access::Read),
                _ => {}
            }
            f(place, Access::Write);
        }
        StatementKind::Zero(place) => f(place, Access::Write),
        StatementKind::FillParked(place, _) => f(place, Access::Address),
        StatementKind::Retain(place) | StatementKind::Release { place, .. } => {
            let access = counted_access(place);
            f(place, access);
        }
        StatementKind::Call(call) => {
            if let Some(place) = &mut call.result {
                f(place, Access::Write);
            }
        }
        _ => {}
    }
}

/// Calls `f` with every local a place names: its base and what its address needs.
pub fn place_locals(place: &Place, f: &mut impl FnMut(Local)) {
    if let PlaceBase::Local(local) = place.base {
        f(local);
    }
    place.address_locals().for_each(f);
}

/// Changes the locals a place needs to find its address.
pub fn address_locals_mut(place: &mut Place, f: &mut impl FnMut(&mut Local)) {
    if let PlaceBase::Deref(local, _) = &mut place.base {
        f(local);
    }
    for step in &mut place.projections {
        if let Projection::Index(local) = step {
            f(local);
        }
    }
}

/// The blocks a terminator may go to.
pub fn successors(terminator: &Terminator, f: &mut impl FnMut(super::BlockId)) {
    match terminator {
        Terminator::Goto(to) => f(*to),
        Terminator::Branch { then, otherwise, .. } => {
            f(*then);
            f(*otherwise);
        }
        Terminator::Switch { cases, default, .. } => {
            cases.iter().for_each(|(_, to)| f(*to));
            f(*default);
        }
        Terminator::Return | Terminator::Trap(..) => {}
    }
}

/// Changes the blocks a terminator may go to.
pub fn successors_mut(terminator: &mut Terminator, f: &mut impl FnMut(&mut super::BlockId)) {
    match terminator {
        Terminator::Goto(to) => f(to),
        Terminator::Branch { then, otherwise, .. } => {
            f(then);
            f(otherwise);
        }
        Terminator::Switch { cases, default, .. } => {
            cases.iter_mut().for_each(|(_, to)| f(to));
            f(default);
        }
        Terminator::Return | Terminator::Trap(..) => {}
    }
}

/// Is it a constant, and which?
pub fn constant(operand: &Operand) -> Option<&Const> {
    match operand {
        Operand::Const(constant) => Some(constant),
        Operand::Copy(_) => None,
    }
}
