//! Functions of the program that C calls.

use std::sync::{Arc, Mutex};

use cranelift::prelude::*;
use vaisjit_abi::TrapCode;
use vaisjit_codegen::thunks::{AbiSignature, AbiType, ExitKind, callback_thunk};

use super::kit::{Kit, i64s};
use crate::code::*;

fn comparator() -> AbiSignature {
    AbiSignature::new([AbiType::I64, AbiType::I64], Some(AbiType::I32))
}

/// A C function pointer for what is in `slot`.
fn function_pointer(kit: &Kit, slot: &Slot, signature: &AbiSignature) -> (usize, Arc<CodeUnit>) {
    let target = CallbackTarget::new(&kit.world, kit.trampoline(signature), slot.clone());
    kit.symbol("target", target.address());
    let mut module = kit.module();
    let (id, info) = callback_thunk(&mut *module.code, "callback", signature, "target").unwrap();
    module.functions.push(UnitFunction::straight(id, "callback", info));
    let unit = module.code.finish(module.functions, Vec::new(), Some(Box::new(target))).unwrap();
    (unit.address(0).get(), unit)
}

/// Compares two `i64`, and fails when it meets `poison`.
fn compare(kit: &Kit, poison: i64) -> Arc<CodeUnit> {
    kit.function("compare", &comparator(), |f| {
        let [left, right] = [0, 1].map(|index| f.b.ins().load(types::I64, MemFlagsData::new(), f.params[index], 0));
        let bad = f.b.ins().icmp_imm_s(IntCC::Equal, left, poison);
        f.b.ins().trapnz(bad, cranelift_codegen::ir::TrapCode::unwrap_user(TrapCode::AssertFailed as u8));
        let more = f.b.ins().icmp(IntCC::SignedGreaterThan, left, right);
        let less = f.b.ins().icmp(IntCC::SignedLessThan, left, right);
        let (more, less) = (f.b.ins().uextend(types::I32, more), f.b.ins().uextend(types::I32, less));
        let order = f.b.ins().isub(more, less);
        f.ret(order);
    })
}

fn sorter(kit: &Kit, compare: usize) -> Arc<CodeUnit> {
    let signature = AbiSignature::new([AbiType::I64; 4], None);
    kit.exit("qsort", libc::qsort as *const () as usize, &signature, ExitKind::C);
    kit.simple("sort", 2, |f| {
        let (size, compare) = (f.number(8), f.number(compare as i64));
        f.call("qsort", &signature, &[f.params[0], f.params[1], size, compare]);
        let done = f.number(1);
        f.ret(done);
    })
}

#[test]
fn qsort_sorts_with_a_comparator_of_the_program() {
    let kit = Kit::new();
    let compare = compare(&kit, i64::MIN);
    let slot = kit.slots.alloc(Some(compare.address(0)));
    let (pointer, _thunk) = function_pointer(&kit, &slot, &comparator());
    let sort = sorter(&kit, pointer);
    let mut numbers: Vec<i64> = (0..1000).map(|n| n * 7919 % 1009).collect();
    kit.call(&sort, &[numbers.as_mut_ptr() as i64, 1000]).unwrap();
    assert!(numbers.is_sorted());
}

#[test]
fn a_trap_in_a_comparator_is_raised_when_c_returns() {
    let kit = Kit::new();
    let compare = compare(&kit, 500);
    let slot = kit.slots.alloc(Some(compare.address(0)));
    let (pointer, _thunk) = function_pointer(&kit, &slot, &comparator());
    let sort = sorter(&kit, pointer);
    for _ in 0..3 {
        let mut numbers: Vec<i64> = (0..1000).rev().collect();
        let trap = kit.call(&sort, &[numbers.as_mut_ptr() as i64, 1000]).unwrap_err();
        assert_eq!(trap.code, TrapCode::AssertFailed);
        let names: Vec<&str> = trap.frames.iter().map(RawFrame::name).collect();
        assert_eq!(names, ["compare", "qsort", "sort"]);
    }
}

#[test]
fn threads_made_by_c_may_call_back() {
    let kit = Kit::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    kit.world.on_orphan_trap(Box::new(move |trap| noted.lock().unwrap().push(trap.code)));
    let half = kit.simple("half", 1, |f| {
        let thousand = f.number(1000);
        let result = f.b.ins().sdiv(thousand, f.params[0]);
        f.ret(result);
    });
    let slot = kit.slots.alloc(Some(half.address(0)));
    let (pointer, _thunk) = function_pointer(&kit, &slot, &i64s(1));
    // SAFETY: this is the C function the thunk is.
    let entry = unsafe { std::mem::transmute::<usize, extern "C" fn(i64) -> i64>(pointer) };
    let results = [2, 0].map(|argument| std::thread::spawn(move || entry(argument)).join().unwrap());
    assert_eq!(results, [500, 0]);
    assert_eq!(*seen.lock().unwrap(), [TrapCode::DivisionByZero]);
}
