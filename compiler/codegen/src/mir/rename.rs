//! The MIR of a function under other names of items.

use std::sync::Arc;

use vaisjit_semantics::Renames;

use super::visit::{operands_mut, places_mut, terminator_operand_mut};
use super::{Body, Call, Callee, Const, Operand, Place, PlaceBase, Rvalue, Statement, StatementKind};

impl Body {
    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> Body {
        let mut new = self.clone();
        new.instance = renames.instance(new.instance);
        new.locals.iter_mut().for_each(|(_, local)| local.ty = renames.ty(local.ty));
        for (_, block) in new.blocks.iter_mut() {
            block.statements.iter_mut().for_each(|statement| rename(statement, renames));
            if let Some(operand) = terminator_operand_mut(&mut block.terminator) {
                rename_operand(operand, renames);
            }
        }
        if let Some(resumed) = &mut new.resumed {
            resumed.have.iter_mut().for_each(|value| value.ty = renames.ty(value.ty));
        }
        new.cleanup = new.cleanup.map(|cleanup| Box::new(cleanup.renamed(renames)));
        new
    }
}

fn rename(statement: &mut Statement, renames: &Renames) {
    // Places of operands are among the places.
    operands_mut(statement, &mut |operand| rename_constant(operand, renames));
    places_mut(statement, &mut |place, _| rename_place(place, renames));
    match &mut statement.kind {
        StatementKind::Assign(_, Rvalue::Cast(_, _, ty) | Rvalue::LoadAt(_, ty)) => *ty = renames.ty(*ty),
        StatementKind::Call(call) => rename_call(call, renames),
        _ => {}
    }
}

fn rename_call(call: &mut Call, renames: &Renames) {
    call.result_ty = renames.ty(call.result_ty);
    match &mut call.callee {
        Callee::Function(instance, signature) => {
            *instance = renames.instance(*instance);
            *signature = signature.renamed(renames);
        }
        Callee::Value(_, signature) | Callee::Slot(_, signature) => *signature = signature.renamed(renames),
        Callee::Host(_) | Callee::C(..) => {}
    }
}

fn rename_operand(operand: &mut Operand, renames: &Renames) {
    match operand {
        Operand::Copy(place) => rename_place(place, renames),
        Operand::Const(_) => rename_constant(operand, renames),
    }
}

fn rename_constant(operand: &mut Operand, renames: &Renames) {
    let Operand::Const(constant) = operand else { return };
    match constant {
        Const::Int(_, ty) | Const::Float(_, ty) | Const::Type(ty) => *ty = renames.ty(*ty),
        Const::Function(instance, signature) => {
            *instance = renames.instance(*instance);
            *signature = signature.renamed(renames);
        }
        Const::Table(table) => *table = Arc::new(table.renamed(renames)),
        Const::Str(_) => {}
    }
}

fn rename_place(place: &mut Place, renames: &Renames) {
    place.ty = renames.ty(place.ty);
    match &mut place.base {
        PlaceBase::Local(_) => {}
        PlaceBase::Global(path, ty) => {
            *path = renames.path(*path);
            *ty = renames.ty(*ty);
        }
        PlaceBase::Deref(_, ty) => *ty = renames.ty(*ty),
    }
}
