//! Places: addresses, loads, stores and copies, with the alias regions that let Cranelift forward stores to loads.
//!
//! A byte of memory belongs to one region in all of a function: the context's fields, each local whose address nobody
//! can know, and everything else. Slots and the poll byte are read without a region, as what they hold changes behind
//! the function's back.

use cranelift::prelude::*;
use cranelift_codegen::ir::{self, AliasRegionData, MemFlagsData, StackSlot};
use vaisjit_abi::TrapCode as Trap;
use vaisjit_semantics::{Ty, TyKind};

use super::Translator;
use super::locals::Home;
use super::types::machine_type;
use crate::clif::leaf;
use crate::mir::{Place, PlaceBase, Projection};
use crate::thunks::AbiType;

/// Accesses through a null pointer with an offset below this fault in the null page.
const NULL_PAGE: u64 = 4096;
/// Copies and zeroing up to this size are unrolled; chosen by feel.
const UNROLL: u64 = 64;

/// The most private regions a function distinguishes; the rest share one.
const PRIVATE_REGIONS: u32 = 256;

/// Which memory an access touches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Region {
    /// The call context.
    Context,
    /// Whatever pointers may reach: heap, globals, locals whose address is taken.
    Shared,
    /// A local whose address is known to nobody else.
    Private(u32),
    /// It may be any of these.
    Any,
}

impl Region {
    fn data(self) -> Option<AliasRegionData> {
        let (user_id, description) = match self {
            Region::Context => (0, "context"),
            Region::Shared => (1, "shared"),
            Region::Private(local) => (2 + local.min(PRIVATE_REGIONS), "local"),
            Region::Any => return None,
        };
        Some(AliasRegionData { user_id, description: description.into() })
    }
}

/// Where an address counts from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Base {
    Slot(StackSlot),
    Value(Value),
}

/// A place in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub base: Base,
    pub offset: i64,
    pub region: Region,
    /// May an access fault?
    pub faults: bool,
}

impl Address {
    /// An address somebody computed; an access may fault.
    pub(crate) fn pointer(value: Value) -> Address {
        Address { base: Base::Value(value), offset: 0, region: Region::Shared, faults: true }
    }

    /// Some bytes further.
    pub(crate) fn plus(self, bytes: u64) -> Address {
        Address { offset: self.offset.wrapping_add(bytes as i64), ..self }
    }
}

/// How far a place behind a pointer reaches from it.
struct Reach {
    pointer: Option<Value>,
    end: u64,
}

impl Translator<'_, '_> {
    /// The address of a place. A place behind a pointer that reaches out of the null page gets an explicit check.
    pub(crate) fn address(&mut self, place: &Place) -> Address {
        let (mut address, mut ty, mut reach) = self.base_address(&place.base);
        for projection in &place.projections {
            let (offset, next) = match *projection {
                Projection::Field(field) => {
                    (u64::from(self.env.layouts.field_offset(ty, field)), self.env.layouts.field_ty(ty, field))
                }
                Projection::VariantField(variant, field) => (
                    u64::from(self.env.layouts.variant_field_offset(ty, variant, field)),
                    self.env.layouts.variant_field_ty(ty, variant, field),
                ),
                Projection::ConstIndex(index) => {
                    let of = element_ty(ty);
                    (self.size(of).wrapping_mul(index), of)
                }
                Projection::Index(local) => {
                    let of = element_ty(ty);
                    let index = self.local_value(local);
                    address = self.indexed(address, index, self.size(of));
                    reach.end = reach.end.saturating_add(self.size(ty));
                    (0, of)
                }
            };
            address = address.plus(offset);
            reach.end = reach.end.saturating_add(offset);
            ty = next;
        }
        if let Some(pointer) = reach.pointer
            && reach.end.saturating_add(self.size(place.ty)) > NULL_PAGE
        {
            self.trap_if_zero(pointer, Trap::NullPointer);
        }
        address
    }

    fn base_address(&mut self, base: &PlaceBase) -> (Address, Ty, Reach) {
        let no_reach = Reach { pointer: None, end: 0 };
        match base {
            PlaceBase::Local(local) => (self.home_address(*local), self.body.locals[*local].ty, no_reach),
            PlaceBase::Global(path, ty) => {
                let base = Base::Value(self.data_address(crate::link::Import::Global(*path)));
                (Address { base, offset: 0, region: Region::Shared, faults: false }, *ty, no_reach)
            }
            PlaceBase::Deref(local, ty) => {
                let pointer = self.local_value(*local);
                (Address::pointer(pointer), *ty, Reach { pointer: Some(pointer), end: 0 })
            }
        }
    }

    /// `address[index]` of elements of this size.
    fn indexed(&mut self, address: Address, index: Value, size: u64) -> Address {
        let base = self.base_value(address.base);
        let scaled = match size {
            1 => index,
            size if size.is_power_of_two() => self.b.ins().ishl_imm_u(index, i64::from(size.trailing_zeros())),
            size => self.b.ins().imul_imm_s(index, size as i64),
        };
        Address { base: Base::Value(self.b.ins().iadd(base, scaled)), ..address }
    }

    /// The address of a local that lives in memory.
    pub(crate) fn home_address(&mut self, local: crate::mir::Local) -> Address {
        let region = self.locals.region(local);
        match self.homes[index_of(local)] {
            Home::Memory(base, offset) => Address { base, offset: i64::from(offset), region, faults: false },
            Home::Value(_) | Home::Absent => {
                if !self.body.locals[local].ty.is_unit() {
                    self.bug(format_args!("the address of a value, local {}", index_of(local)));
                }
                let base = Base::Value(self.b.ins().iconst(types::I64, 16));
                Address { base, offset: 0, region: Region::Shared, faults: true }
            }
        }
    }

    fn base_value(&mut self, base: Base) -> Value {
        match base {
            Base::Value(value) => value,
            Base::Slot(slot) => self.b.ins().stack_addr(types::I64, slot, 0),
        }
    }

    /// The address as a number.
    pub(crate) fn address_value(&mut self, address: Address) -> Value {
        match (address.base, i32::try_from(address.offset)) {
            (Base::Slot(slot), Ok(offset)) => self.b.ins().stack_addr(types::I64, slot, offset),
            (base, _) => {
                let base = self.base_value(base);
                if address.offset == 0 { base } else { self.b.ins().iadd_imm_s(base, address.offset) }
            }
        }
    }

    /// Base and offset as an instruction takes them.
    fn operand(&mut self, address: Address) -> (Value, i32) {
        match i32::try_from(address.offset) {
            Ok(offset) => (self.base_value(address.base), offset),
            Err(_) => (self.address_value(address), 0),
        }
    }

    fn flags(&mut self, region: Region, faults: bool) -> MemFlagsData {
        let region = region.data().map(|data| self.b.func.dfg.alias_regions.insert(data));
        let flags = MemFlagsData::new().with_alias_region(region);
        if faults { flags } else { flags.with_notrap() }
    }

    /// Reads a machine value.
    pub(crate) fn load(&mut self, ty: ir::Type, address: Address) -> Value {
        let flags = self.flags(address.region, address.faults);
        let (base, offset) = self.operand(address);
        self.b.ins().load(ty, flags, base, offset)
    }

    /// Writes a machine value.
    pub(crate) fn store(&mut self, value: Value, address: Address) {
        let flags = self.flags(address.region, address.faults);
        let (base, offset) = self.operand(address);
        self.b.ins().store(flags, value, base, offset);
    }

    /// The value of a scalar place.
    pub(crate) fn read(&mut self, place: &Place) -> Value {
        if let Some(local) = place.as_local()
            && !matches!(self.homes[index_of(local)], Home::Memory(..))
        {
            return self.local_value(local);
        }
        let address = self.address(place);
        match machine_type(place.ty) {
            Some(ty) => self.load(ty, address),
            None => self.bug(format_args!("a value of type {}", place.ty)),
        }
    }

    /// Gives a scalar place a value.
    pub(crate) fn write(&mut self, place: &Place, value: Value) {
        if let Some(local) = place.as_local() {
            match self.homes[index_of(local)] {
                Home::Value(variable) => {
                    return self.define(variable, value);
                }
                Home::Absent => return,
                Home::Memory(..) => {}
            }
        }
        let address = self.address(place);
        self.store(value, address);
    }

    fn define(&mut self, variable: Variable, value: Value) {
        if self.b.try_def_var(variable, value).is_err() {
            self.bug(format_args!("a value of another type than its variable"));
        }
    }

    /// Copies an aggregate; the two places are the same or apart.
    pub(crate) fn copy(&mut self, to: Address, from: Address, size: u64) {
        if size <= UNROLL {
            for (offset, ty) in words(size) {
                let value = self.load(ty, from.plus(offset));
                self.store(value, to.plus(offset));
            }
            return;
        }
        self.probe(to);
        self.probe(from);
        let (to, from) = (self.address_value(to), self.address_value(from));
        let size = self.b.ins().iconst(types::I64, size as i64);
        self.move_bytes(to, from, size);
    }

    /// Stores bytes.
    pub(crate) fn put_bytes(&mut self, to: Address, bytes: &[u8]) {
        if bytes.iter().all(|byte| *byte == 0) {
            return self.zero(to, bytes.len() as u64);
        }
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let to = to.plus(8 * index as u64);
            match chunk.try_into() {
                Ok(word) => {
                    let word = self.b.ins().iconst(types::I64, i64::from_le_bytes(word));
                    self.store(word, to);
                }
                Err(_) => {
                    for (at, byte) in chunk.iter().enumerate() {
                        let byte = self.b.ins().iconst(types::I8, i64::from(*byte));
                        self.store(byte, to.plus(at as u64));
                    }
                }
            }
        }
    }

    /// Sets the bytes of a place to zero.
    pub(crate) fn zero(&mut self, to: Address, size: u64) {
        if size <= UNROLL {
            for (offset, ty) in words(size) {
                let zero = self.b.ins().iconst(ty, 0);
                self.store(zero, to.plus(offset));
            }
            return;
        }
        self.probe(to);
        let to = self.address_value(to);
        let byte = self.b.ins().iconst(types::I32, 0);
        let size = self.b.ins().iconst(types::I64, size as i64);
        self.call_leaf(leaf::MEMSET, &[AbiType::I64, AbiType::I32, AbiType::I64], &[to, byte, size]);
    }

    /// `CopyBytes`: any size, any overlap, any address.
    pub(crate) fn copy_bytes(&mut self, to: Value, from: Value, bytes: Value) {
        let copy = self.b.create_block();
        let done = self.b.create_block();
        let any = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, bytes, 0);
        self.b.ins().brif(any, copy, &[], done, &[]);
        self.b.switch_to_block(copy);
        self.b.seal_block(copy);
        for start in [to, from] {
            let past = self.b.ins().iadd(start, bytes);
            self.probe(Address::pointer(start));
            self.probe(Address { offset: -1, ..Address::pointer(past) });
        }
        self.move_bytes(to, from, bytes);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.b.seal_block(done);
    }

    fn move_bytes(&mut self, to: Value, from: Value, bytes: Value) {
        self.call_leaf(leaf::MEMMOVE, &[AbiType::I64; 3], &[to, from, bytes]);
    }

    /// Touches a byte that a C function is going to touch, so that a fault has a place in the program.
    fn probe(&mut self, address: Address) {
        if address.faults {
            self.load(types::I8, address);
        }
    }

    /// Bytes of a value of the type.
    pub(crate) fn size(&self, ty: Ty) -> u64 {
        if ty.is_unit() { 0 } else { u64::from(self.env.layouts.layout(ty).size) }
    }
}

/// The number of a local.
pub(crate) fn index_of(local: crate::mir::Local) -> usize {
    local.into_raw().into_u32() as usize
}

fn element_ty(ty: Ty) -> Ty {
    match *ty.kind() {
        TyKind::Array(of, _) | TyKind::Slice(of) => of,
        _ => ty,
    }
}

/// The words a block of bytes is copied in.
fn words(size: u64) -> impl Iterator<Item = (u64, ir::Type)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (bytes, ty) = match size - at {
            0 => return None,
            1 => (1, types::I8),
            2..4 => (2, types::I16),
            4..8 => (4, types::I32),
            _ => (8, types::I64),
        };
        at += bytes;
        Some((at - bytes, ty))
    })
}
