//! Every way generated code can fail, on every kind of thread.

use cranelift::prelude::*;
use cranelift_codegen::ir::TrapCode as ClifTrap;
use vaisjit_abi::TrapCode;

use super::kit::{Body, Kit, i64s};
use crate::code::*;

fn failing(body: impl FnOnce(&mut Body<'_, '_>)) -> Box<RawTrap> {
    let kit = Kit::new();
    let inner = kit.simple("inner", 1, body);
    kit.symbol("inner", inner.address(0).get());
    let outer = kit.simple("outer", 1, |f| {
        let result = f.call("inner", &i64s(1), &[f.params[0]]).unwrap();
        let result = f.b.ins().iadd_imm_s(result, 1);
        f.ret(result);
    });
    let mut last = None;
    for _ in 0..3 {
        last = Some(kit.call(&outer, &[7]).unwrap_err());
    }
    last.unwrap()
}

fn names(trap: &RawTrap) -> Vec<&str> {
    trap.frames.iter().map(RawFrame::name).collect()
}

#[test]
fn trap_instructions_carry_their_code() {
    for code in [TrapCode::IndexOutOfBounds, TrapCode::UnwrapFailed, TrapCode::Unreachable] {
        let trap = failing(|f| {
            f.b.ins().trapnz(f.params[0], ClifTrap::unwrap_user(code as u8));
            let zero = f.number(0);
            f.ret(zero);
        });
        assert_eq!((trap.code, names(&trap)), (code, vec!["inner", "outer"]));
        assert_eq!(trap.frames[1].srcloc, 0);
    }
}

#[test]
fn division_by_zero() {
    let trap = failing(|f| {
        let zero = f.read(&raw const ZERO as usize);
        let result = f.b.ins().sdiv(f.params[0], zero);
        f.ret(result);
    });
    assert_eq!((trap.code, names(&trap)), (TrapCode::DivisionByZero, vec!["inner", "outer"]));
}

static ZERO: i64 = 0;

fn access(address: i64, store: bool) -> Box<RawTrap> {
    failing(|f| {
        let at = f.number(address);
        if store {
            f.b.ins().store(MemFlagsData::new(), f.params[0], at, 0);
            let value = f.params[0];
            f.ret(value);
        } else {
            let value = f.b.ins().load(types::I64, MemFlagsData::new(), at, 0);
            f.ret(value);
        }
    })
}

#[test]
fn null_and_wild_addresses() {
    for store in [false, true] {
        let trap = access(8, store);
        assert_eq!((trap.code, trap.address), (TrapCode::NullPointer, Some(8)));
        assert_eq!(names(&trap), ["inner", "outer"]);
        let trap = access(0x10_0000, store);
        assert_eq!((trap.code, trap.address), (TrapCode::BadAddress, Some(0x10_0000)));
        let trap = access(0x7fff_ffff_ffff_0000_i64.wrapping_mul(3), store);
        assert_eq!(trap.code, TrapCode::BadAddress);
    }
}

#[test]
fn calls_of_what_is_no_code() {
    let heap = Box::new([0xc3u8; 16]);
    let cases = [
        (0, TrapCode::NullPointer),
        (0x1234_5000, TrapCode::BadAddress),
        (heap.as_ptr() as i64, TrapCode::BadAddress),
        (i64::MIN | 0x1234, TrapCode::BadAddress),
    ];
    for (address, code) in cases {
        let trap = failing(|f| {
            let at = f.number(address);
            let result = f.call_code(at, &i64s(0), &[]).unwrap();
            let result = f.b.ins().iadd_imm_s(result, 1);
            f.ret(result);
        });
        assert_eq!((trap.code, names(&trap)), (code, vec!["inner", "outer"]), "{address:#x}");
    }
}

#[test]
fn a_null_slot_called_from_the_entry() {
    let kit = Kit::new();
    let slot = kit.slots.alloc(None);
    let trampoline = kit.trampoline(&i64s(0));
    let trap = kit.world.enter(&trampoline, Callee::Slot(&slot), &[], &mut [0; 2]).unwrap_err();
    assert_eq!((trap.code, names(&trap)), (TrapCode::NullPointer, vec![]));
}

/// A function that calls itself for ever, with a frame of this size.
fn endless(kit: &Kit, frame: u32) -> std::sync::Arc<CodeUnit> {
    let slot = kit.slots.alloc(None);
    let unit = kit.simple("endless", 1, |f| {
        let memory = f.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, frame, 4));
        f.b.ins().stack_store(types::I64, f.params[0], memory, 0);
        let next = f.b.ins().iadd_imm_s(f.params[0], 1);
        let result = f.call_slot(&slot, &i64s(1), &[next]).unwrap();
        let kept = f.b.ins().stack_load(types::I64, types::I64, memory, 0);
        let result = f.b.ins().iadd(result, kept);
        f.ret(result);
    });
    slot.store(unit.address(0));
    unit
}

fn overflow(world: &World, trampoline: &Trampoline, unit: &std::sync::Arc<CodeUnit>) {
    for _ in 0..2 {
        let trap = world.enter(trampoline, Callee::Unit(unit, 0), &[0], &mut [0; 2]).unwrap_err();
        assert_eq!((trap.code, trap.frames[0].name()), (TrapCode::StackOverflow, "endless"));
    }
}

/// Uses up the stack of the current thread, whatever that is.
pub(super) fn recursion_on_this_thread() {
    let kit = Kit::new();
    overflow(&kit.world, &kit.trampoline(&i64s(1)), &endless(&kit, 16));
}

#[test]
fn recursion_without_end() {
    let kit = Kit::new();
    let trampoline = kit.trampoline(&i64s(1));
    for unit in [endless(&kit, 16), endless(&kit, 100_000)] {
        overflow(&kit.world, &trampoline, &unit);
        for size in [64 << 10, 256 << 10, 4 << 20] {
            let (world, trampoline, unit) = (kit.world.clone(), trampoline.clone(), unit.clone());
            let thread = std::thread::Builder::new().stack_size(size);
            thread.spawn(move || overflow(&world, &trampoline, &unit)).unwrap().join().unwrap();
        }
    }
}

#[test]
fn many_frames_are_counted() {
    let kit = Kit::new();
    let trap = kit.call(&endless(&kit, 16), &[0]).unwrap_err();
    assert!(trap.frames.len() == 256 && trap.truncated > 1000, "{} {}", trap.frames.len(), trap.truncated);
}

#[test]
fn storms_of_faults_on_several_threads() {
    let kit = Kit::new();
    let unit = kit.simple("fails", 1, |f| {
        let value = f.b.ins().load(types::I64, MemFlagsData::new(), f.params[0], 0);
        f.ret(value);
    });
    let good = 5i64;
    let trampoline = kit.trampoline(&i64s(1));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..2000u64 {
                    let bad = kit.world.enter(&trampoline, Callee::Unit(&unit, 0), &[round % 4096], &mut [0; 2]);
                    assert_eq!(bad.unwrap_err().code, TrapCode::NullPointer);
                    let mut ret = [0; 2];
                    let address = &raw const good as u64;
                    kit.world.enter(&trampoline, Callee::Unit(&unit, 0), &[address], &mut ret).unwrap();
                    assert_eq!(ret[0], 5);
                }
            });
        }
    });
}

#[test]
fn a_stack_written_over_still_unwinds() {
    let kit = Kit::new();
    let inner = kit.simple("vandal", 0, |f| {
        let frame = f.b.ins().get_frame_pointer(types::I64);
        for offset in 0..2 {
            let junk = f.number(0x4141_4141_4141_4141);
            f.b.ins().store(MemFlagsData::trusted(), junk, frame, offset * 8);
        }
        f.b.ins().trap(ClifTrap::unwrap_user(TrapCode::Panic as u8));
    });
    kit.symbol("vandal", inner.address(0).get());
    let outer = kit.simple("outer", 0, |f| {
        let result = f.call("vandal", &i64s(0), &[]).unwrap();
        let result = f.b.ins().iadd_imm_s(result, 1);
        f.ret(result);
    });
    let trap = kit.call(&outer, &[]).unwrap_err();
    assert_eq!((trap.code, names(&trap)), (TrapCode::Panic, vec!["vandal"]));
}
