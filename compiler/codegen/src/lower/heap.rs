//! Heap objects: `Vec` access, boxes, cells of `dyn`, closures with captures, texts made of values.

use std::sync::Arc;

use vaisjit_abi::heap::{CLOSURE_CAPTURES, CLOSURE_TAG, DYN_DATA, DYN_TABLE, DYN_VALUE, VEC_DATA, VEC_LENGTH};
use vaisjit_semantics::hir::{self, BinaryOp, CastKind, Expr, FormatPiece};
use vaisjit_semantics::{Instance, Ty, TyKind, TyList};

use super::format::{Piece, pieces_of};
use super::{Lowerer, Result, body_signature, signature};
use crate::host_calls as host;
use crate::link::{DynTable, SlotKey};
use crate::mir::{Callee, Const, Local, Operand, Place, Projection, Rvalue, Signature, StatementKind};

impl<'a> Lowerer<'a> {
    /// A word at an offset from an address.
    fn word_at(&mut self, address: Operand, offset: i32, ty: Ty) -> Operand {
        let address = self.moved_by(address, offset);
        self.b.value(ty, Rvalue::LoadAt(address, ty))
    }

    /// An address as an `i64`, an offset added.
    fn moved_by(&mut self, address: Operand, offset: i32) -> Operand {
        let address = self.as_word(address);
        match offset {
            0 => address,
            _ => self.b.value(Ty::i64(), Rvalue::Binary(BinaryOp::Add, address, Operand::int(offset.into()))),
        }
    }

    /// A pointer, handle or function value as an `i64`.
    fn as_word(&mut self, operand: Operand) -> Operand {
        match operand.ty() == Ty::i64() {
            true => operand,
            false => self.b.value(Ty::i64(), Rvalue::Cast(CastKind::Pointer, operand, Ty::i64())),
        }
    }

    /// An `i64` as a handle, moved into a place.
    fn put_handle(&mut self, word: Operand, dest: &Place) {
        self.b.assign(dest.clone(), Rvalue::Cast(CastKind::Pointer, word, dest.ty));
    }

    fn type_word(ty: Ty) -> Operand {
        Operand::Const(Const::Type(ty))
    }

    /// What lies at an offset behind an address that is certainly the program's own: an `i64`, never a raw pointer.
    fn behind_word(&mut self, address: Operand, offset: i32, ty: Ty) -> Place {
        let address = self.moved_by(address, offset);
        let local = self.b.scalar_local(address);
        Place::deref(local, ty)
    }

    pub(super) fn vec_length(&mut self, vec: Operand) -> Operand {
        self.word_at(vec, VEC_LENGTH, Ty::i64())
    }

    /// An element whose index has been checked, where it lies now.
    pub(super) fn vec_element(&mut self, vec: Operand, index: Operand, of: Ty) -> Place {
        let data = self.word_at(vec, VEC_DATA, Ty::i64());
        let data: Local = self.b.scalar_local(data);
        self.behind(data, index, of)
    }

    /// `v[i]` of a handle and an index that have been evaluated.
    pub(super) fn checked_element(&mut self, vec: Operand, index: Operand, of: Ty) -> Place {
        let length = self.vec_length(vec.clone());
        self.b.push(StatementKind::CheckIndex { index: index.clone(), length });
        self.vec_element(vec, index, of)
    }

    /// An empty collection, or the zero of any other type, with empty collections in it.
    pub(super) fn zero_value(&mut self, dest: &Place) {
        self.b.push(StatementKind::Zero(dest.clone()));
        self.beyond_zero(dest);
        self.empty_collections(dest);
    }

    fn empty_collections(&mut self, place: &Place) {
        let fields = match *place.ty.kind() {
            TyKind::Vec(_) => return self.new_handle(host::HEAP_VEC_NEW, true, place),
            TyKind::HashMap(..) => return self.new_handle(host::HEAP_MAP_NEW, false, place),
            TyKind::Struct(..) => self.program.structs.get(&place.ty).map_or(0, |def| def.fields.len()),
            TyKind::Tuple(parts) => parts.len(),
            TyKind::Array(of, length) if self.counted(of) && length <= 64 => {
                for index in 0..length {
                    self.empty_collections(&place.project(Projection::ConstIndex(index), of));
                }
                0
            }
            _ => 0,
        };
        for field in 0..fields as u32 {
            self.empty_collections(&self.field(place, field));
        }
    }

    fn new_handle(&mut self, name: &str, sized: bool, dest: &Place) {
        let ty = Self::type_word(dest.ty);
        let word = match sized {
            true => self.host_value(name, [ty, Operand::int(0)], Ty::i64()),
            false => self.host_value(name, [ty], Ty::i64()),
        };
        self.put_handle(word, dest);
    }

    /// `Box.new(e)`
    pub(super) fn box_new(&mut self, value: &'a Expr, ty: Ty, dest: Option<&Place>) -> Result {
        let Some(dest) = dest else { return self.lower(value, None) };
        let made = self.moved_operand(value)?;
        let word = self.host_value(host::HEAP_BOX_NEW, [Self::type_word(ty)], Ty::i64());
        if !value.ty.is_unit() {
            let place = self.behind_word(word.clone(), 0, value.ty);
            self.b.assign(place, Rvalue::Use(made));
        }
        self.put_handle(word, dest);
        Ok(())
    }

    /// A cell with the methods of a value.
    pub(super) fn make_dyn(&mut self, value: &'a Expr, methods: &[Instance], dest: Option<&Place>) -> Result {
        let Some(dest) = dest else { return self.lower(value, None) };
        let TyKind::Dyn(of_trait) = *dest.ty.kind() else { return self.unsupported("a table of no trait") };
        let numbers = self.layouts.method_numbers(of_trait);
        let mut entries = Vec::with_capacity(methods.len());
        for (instance, number) in methods.iter().zip(numbers.iter()) {
            let Some(function) = self.program.functions.get(instance) else {
                return self.unsupported(format!("the method `{instance}` in a `dyn`"));
            };
            entries.push((*number, SlotKey { instance: *instance, signature: signature(&function.signature) }));
        }
        let of = value.ty.pointee().unwrap_or(value.ty);
        let table = Operand::Const(Const::Table(Arc::new(DynTable { of_trait, of, entries: entries.into() })));
        let cell = if value.ty.pointee().is_some() {
            let data = self.operand(value)?;
            let data = self.as_word(data);
            self.host_value(host::HEAP_DYN_NEW, [table, data, Operand::int(0)], Ty::i64())
        } else {
            let made = self.moved_operand(value)?;
            let ty = Self::type_word(value.ty);
            let cell = self.host_value(host::HEAP_DYN_NEW, [table, Operand::int(0), ty], Ty::i64());
            if !value.ty.is_unit() {
                let place = self.behind_word(cell.clone(), DYN_VALUE, value.ty);
                self.b.assign(place, Rvalue::Use(made));
            }
            cell
        };
        self.put_handle(cell, dest);
        Ok(())
    }

    /// A call of the method with this number of a cell.
    pub(super) fn call_dyn(
        &mut self,
        index: u32,
        types: TyList,
        arguments: &'a [Expr],
        ty: Ty,
        dest: Option<&Place>,
    ) -> Result {
        let Some((receiver, rest)) = arguments.split_first() else { return self.unsupported("a method of nothing") };
        let cell = self.held_operand(receiver)?;
        let mut given = self.arguments(rest, true)?;
        let data = self.word_at(cell.clone(), DYN_DATA, Ty::i64());
        let table = self.word_at(cell, DYN_TABLE, Ty::i64());
        let TyKind::Dyn(of_trait) = *receiver.ty.kind() else { return self.unsupported("a method of no `dyn`") };
        let number = self.layouts.method_numbers(of_trait).get(index as usize).copied().unwrap_or(index);
        let slot = self.word_at(table, number as i32 * vaisjit_abi::POINTER_SIZE as i32, Ty::i64());
        given.insert(0, data);
        let signature = Signature::new([Ty::i64()].into_iter().chain(types.iter().copied()), ty);
        self.emit_call(Callee::Slot(slot, signature), given, ty, dest);
        Ok(())
    }

    /// A closure: a function, or a heap object that knows what it captured.
    pub(super) fn closure(&mut self, body: &'a Arc<hir::Body>, captures: &'a [Expr], dest: &Place) -> Result {
        let function = Operand::Const(Const::Function(body.instance, body_signature(body)));
        if body.captures == 0 {
            self.b.assign(dest.clone(), Rvalue::Cast(CastKind::Pointer, function, dest.ty));
            return Ok(());
        }
        let slot = self.as_word(function);
        let captured = captures_type(body);
        let word = self.host_value(host::HEAP_CLOSURE_NEW, [Self::type_word(captured), slot], Ty::i64());
        let place = self.behind_word(word.clone(), CLOSURE_CAPTURES, captured);
        for (index, capture) in captures.iter().enumerate().filter(|(_, capture)| !capture.ty.is_unit()) {
            let part = self.field(&place, index as u32);
            self.lower(capture, Some(&part))?;
        }
        let tagged = self.b.value(Ty::i64(), Rvalue::Binary(BinaryOp::BitOr, word, Operand::int(CLOSURE_TAG)));
        self.put_handle(tagged, dest);
        Ok(())
    }

    /// At the start of the function: captured values out of the closure, copies of counted parameters that the body
    /// changes.
    pub(super) fn arrive(&mut self) {
        let hir = self.hir;
        let (captures, params) = hir.params.split_at(hir.captures as usize);
        if let Some(environment) = self.environment {
            let ty = captures_type(hir);
            let place = self.behind_word(Operand::local(environment, Ty::pointer(ty)), CLOSURE_CAPTURES, ty);
            for (index, id) in captures.iter().enumerate().filter(|(_, id)| !hir.locals[**id].ty.is_unit()) {
                let part = Operand::Copy(self.field(&place, index as u32));
                self.b.assign(self.local_place(*id), Rvalue::Use(part));
                self.keep_param(*id);
            }
        }
        for id in params.iter().filter(|id| !hir.locals[**id].ty.is_unit()) {
            let ty = hir.locals[*id].ty;
            if ty.is_aggregate() && self.counted(ty) && !self.unchanging(*id) {
                // The argument's bytes are a loan: what is written goes into a copy.
                let given = self.local_place(*id);
                let own = self.b.declare(ty, Some(hir.locals[*id].name));
                if self.exposed.contains(&self.local(*id)) {
                    self.exposed.insert(own);
                }
                if self.facts.deferred(*id) {
                    self.b.pin(own);
                }
                self.locals[u32::from(id.into_raw()) as usize] = own;
                self.b.assign(Place::local(own, ty), Rvalue::Use(Operand::Copy(given)));
            }
            self.keep_param(*id);
        }
    }

    /// A loan that the body changes becomes the body's own.
    fn keep_param(&mut self, id: hir::LocalId) {
        let place = self.local_place(id);
        if self.unchanging(id) {
            self.lend(&place);
        } else if self.counted(place.ty) {
            self.retain(&place);
            self.own_named(id, &place);
        }
    }

    /// Registers a named local that has its value.
    pub(super) fn own_named(&mut self, id: hir::LocalId, place: &Place) {
        match self.facts.deferred(id) {
            true => self.late.push(place.clone()),
            false => self.own(place),
        }
    }

    /// A new text made of pieces.
    pub(super) fn text(&mut self, pieces: &'a [FormatPiece], dest: Option<&Place>) -> Result {
        let pieces = super::format::flat(pieces);
        self.text_of(&pieces, dest)
    }

    /// `a + b + c` of texts.
    pub(super) fn joined(&mut self, expr: &'a Expr, dest: Option<&Place>) -> Result {
        let pieces = pieces_of(expr);
        let Some(dest) = dest.filter(|_| pieces.len() == 2 && pieces.iter().all(Piece::is_text)) else {
            return self.text_of(&pieces, dest);
        };
        let mut values = self.values_of(&pieces)?.into_iter();
        let mut operand = |piece: &Piece| match piece {
            Piece::Text(text) => Operand::Const(Const::Str((*text).into())),
            Piece::Value(..) => values.next().unwrap_or(Operand::Const(Const::Str("".into()))),
        };
        let (left, right) = (operand(&pieces[0]), operand(&pieces[1]));
        self.joined_into(left, right, dest);
        Ok(())
    }

    pub(super) fn joined_into(&mut self, left: Operand, right: Operand, dest: &Place) {
        let callee = Callee::Host(host::STR_CONCAT.into());
        self.emit_call(callee, [left, right].into_iter().collect(), Ty::str(), Some(dest));
    }

    fn text_of(&mut self, pieces: &[Piece<'a>], dest: Option<&Place>) -> Result {
        let values = self.values_of(pieces)?;
        let Some(dest) = dest else { return Ok(()) };
        self.host_call(host::TEXT_BEGIN, []);
        self.print_pieces(pieces, values)?;
        self.emit_call(Callee::Host(host::TEXT_TAKE.into()), Default::default(), Ty::str(), Some(dest));
        Ok(())
    }

    /// Are two values equal, as the runtime compares them?
    pub(super) fn heap_equal(&mut self, left: &Place, right: &Place) -> Operand {
        let (first, second) = (self.address_of(left), self.address_of(right));
        self.host_value(host::HEAP_EQUAL, [first, second, Self::type_word(left.ty)], Ty::bool())
    }

    /// The address of a value's bytes, for a host function; a scalar's are copied.
    fn address_of(&mut self, place: &Place) -> Operand {
        let in_memory = match place.base {
            crate::mir::PlaceBase::Local(local) => self.b.body.locals[local].in_memory,
            _ => true,
        };
        let place = match in_memory {
            true => place.clone(),
            false => {
                let copy = self.b.temp(place.ty);
                self.b.body.locals[copy].in_memory = true;
                let copied = Place::local(copy, place.ty);
                self.b.assign(copied.clone(), Rvalue::Use(Operand::Copy(place.clone())));
                copied
            }
        };
        let address = self.b.value(Ty::pointer(place.ty), Rvalue::AddressOf(place));
        self.as_word(address)
    }
}

/// The types a closure captured, as a tuple.
pub(super) fn captures_type(body: &hir::Body) -> Ty {
    let types: Vec<Ty> = body.params[..body.captures as usize].iter().map(|id| body.locals[*id].ty).collect();
    Ty::new(TyKind::Tuple(TyList::new(&types)))
}
