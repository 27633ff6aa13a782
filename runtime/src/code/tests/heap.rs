//! Heap functions called by generated code: faults and failures in them are traps at the call.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use vaisjit_abi::TrapCode;
use vaisjit_abi::heap::SHARED;
use vaisjit_codegen::thunks::{AbiSignature, AbiType, ExitKind};

use super::kit::{Kit, i64s, until};
use crate::code::*;

fn kit() -> Kit {
    let kit = Kit::new();
    for (name, _, address) in crate::heap::functions() {
        let signature = match name {
            "heap_count_down" => AbiSignature::new([AbiType::I64], None),
            "str_concat" => i64s(2),
            "heap_live" => i64s(0),
            "heap_map_len" => i64s(1),
            _ => continue,
        };
        kit.exit(name, address, &signature, ExitKind::Heap);
    }
    kit
}

/// `inner(address)` counts down, called by `outer`.
fn counting(kit: &Kit) -> Arc<CodeUnit> {
    let inner = kit.simple("inner", 1, |f| {
        f.call("heap_count_down", &AbiSignature::new([AbiType::I64], None), &[f.params[0]]);
        let live = f.call("heap_live", &i64s(0), &[]).unwrap();
        f.ret(live);
    });
    kit.symbol("inner", inner.address(0).get());
    std::mem::forget(inner);
    kit.simple("outer", 1, |f| {
        let result = f.call("inner", &i64s(1), &[f.params[0]]).unwrap();
        f.ret(result);
    })
}

#[test]
fn a_wild_address_is_a_trap_at_the_call() {
    let kit = kit();
    let unit = counting(&kit);
    for (address, code) in [
        (24, TrapCode::NullPointer),
        (0x1234_5678_9000, TrapCode::BadAddress),
        (0x7fff_ffff_f000_0000, TrapCode::BadAddress),
    ] {
        for _ in 0..2 {
            let trap = kit.call(&unit, &[address]).unwrap_err();
            let names: Vec<&str> = trap.frames.iter().map(RawFrame::name).collect();
            assert_eq!((trap.code, names), (code, vec!["inner", "outer"]), "{address:#x}");
        }
    }
    assert_eq!(kit.call(&unit, &[0]).unwrap(), 0);
}

#[test]
fn a_failure_of_a_heap_function_is_a_trap_with_its_message() {
    let kit = kit();
    let unit = kit.simple("length", 1, |f| {
        let length = f.call("heap_map_len", &i64s(1), &[f.params[0]]).unwrap();
        f.ret(length);
    });
    let words = [0u64; 16];
    let trap = kit.call(&unit, &[words[8..].as_ptr() as i64]).unwrap_err();
    assert_eq!(trap.code, TrapCode::BadAddress);
    assert!(trap.message.as_deref().is_some_and(|message| message.starts_with("there is no HashMap at")));
    // The thunk itself has trapped; reports pass over it.
    assert_eq!(trap.frames[1].name(), "length");
    let trap = kit.call(&unit, &[0]).unwrap_err();
    assert_eq!((trap.code, trap.message.as_deref()), (TrapCode::NullPointer, Some("null where a HashMap is wanted")));
}

#[test]
fn counts_become_shared_when_a_second_thread_enters() {
    let kit = kit();
    static MADE: AtomicI64 = AtomicI64::new(0);
    static GO_ON: AtomicI64 = AtomicI64::new(1);
    let make = kit.simple("make", 0, |f| {
        let zero = f.number(0);
        let text = f.call("str_concat", &i64s(2), &[zero, zero]).unwrap();
        f.write(MADE.as_ptr() as usize, text);
        f.polled_loop(|f| f.read(GO_ON.as_ptr() as usize));
        f.ret(text);
    });
    let counting = counting(&kit);
    let count = |text: i64| {
        // SAFETY: the block lives, and its count is read while nobody changes it.
        unsafe { ((text - 16) as *const i64).read() }
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| kit.call(&make, &[]).unwrap());
        until("a text", || MADE.load(Ordering::SeqCst) != 0);
        let text = MADE.load(Ordering::SeqCst);
        assert_eq!(count(text), 1);
        assert_eq!(kit.call(&counting, &[0]).unwrap(), 1);
        assert_eq!(count(text), SHARED + 1);
        GO_ON.store(0, Ordering::SeqCst);
        assert_eq!(first.join().unwrap(), text);
        assert_eq!(kit.call(&counting, &[text]).unwrap(), 0);
    });
}
