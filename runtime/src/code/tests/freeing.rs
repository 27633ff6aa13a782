//! Code that is taken out of use is freed, and not before.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Weak};

use cranelift::prelude::*;

use super::alone::is_alone;
use super::kit::{DEADLINE, Kit, i64s, until};
use crate::code::*;

fn sweep(kit: &Kit) {
    let ticket = kit.world.run_at_safepoint(SafepointKind::Sweep, |stopped| {
        stopped.sweep();
    });
    assert!(matches!(ticket.wait(DEADLINE), Some(Outcome::Done { .. })));
}

/// Bytes of memory the process uses.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

#[test]
fn ten_thousand_versions_leave_nothing_behind() {
    if !is_alone("code::tests::freeing::ten_thousand_versions_leave_nothing_behind") {
        return;
    }
    let kit = Kit::new();
    let slot = kit.slots.alloc(None);
    let trampoline = kit.trampoline(&i64s(0));
    let mut current: Option<Arc<CodeUnit>> = None;
    let mut before = 0;
    for version in 0..10_000 {
        let unit = kit.simple("version", 0, |f| {
            let value = f.number(version);
            f.ret(value);
        });
        slot.store(unit.address(0));
        if let Some(old) = current.replace(unit) {
            kit.world.retire(old);
        }
        sweep(&kit);
        assert_eq!(kit.world.retired(), 0);
        let mut ret = [0; 2];
        kit.world.enter(&trampoline, Callee::Slot(&slot), &[], &mut ret).unwrap();
        assert_eq!(ret[0] as i64, version);
        if version == 1000 {
            before = resident();
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more");
}

#[test]
fn code_on_a_stack_stays_with_what_it_calls() {
    let kit = Kit::new();
    let (turns, stop) = (AtomicI64::new(0), AtomicI64::new(0));
    let leaf = kit.simple("leaf", 0, |f| {
        let value = f.number(11);
        f.ret(value);
    });
    kit.symbol("leaf", leaf.address(0).get());
    let mut module = kit.module();
    module.function("loops", &i64s(0), &[false, true], |f| {
        f.polled_loop(|f| {
            let turn = f.read(turns.as_ptr() as usize);
            let turn = f.b.ins().iadd_imm_s(turn, 1);
            f.write(turns.as_ptr() as usize, turn);
            let stop = f.read(stop.as_ptr() as usize);
            f.b.ins().icmp_imm_u(IntCC::Equal, stop, 0)
        });
        let result = f.call("leaf", &i64s(0), &[]).unwrap();
        f.ret(result);
    });
    let loops = module.code.finish(module.functions, vec![leaf.clone()], None).unwrap();
    let trampoline = kit.trampoline(&i64s(0));
    let slot = kit.slots.alloc(Some(loops.address(0)));
    let alive: [Weak<CodeUnit>; 2] = [&loops, &leaf].map(Arc::downgrade);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut ret = [0; 2];
            kit.world.enter(&trampoline, Callee::Slot(&slot), &[], &mut ret).unwrap();
            ret[0]
        });
        until("the loop", || turns.load(SeqCst) > 0);
        kit.world.retire(leaf);
        kit.world.retire(loops);
        sweep(&kit);
        assert!(alive.iter().all(|unit| unit.strong_count() > 0));
        stop.store(1, SeqCst);
        assert_eq!(thread.join().unwrap(), 11);
    });
    sweep(&kit);
    assert!(alive.iter().all(|unit| unit.strong_count() == 0));
}

#[test]
fn unfinished_modules_and_large_units_give_their_memory_back() {
    if !is_alone("code::tests::freeing::unfinished_modules_and_large_units_give_their_memory_back") {
        return;
    }
    let kit = Kit::new();
    let start = std::time::Instant::now();
    for round in 0..40 {
        let mut module = kit.module();
        for number in 0..20 {
            module.function(&format!("f{number}"), &i64s(1), &[], |f| {
                let mut value = f.params[0];
                for step in 0..500 {
                    value = f.b.ins().imul_imm_s(value, step + 3);
                    value = f.b.ins().bxor_imm_u(value, 0x55);
                }
                f.ret(value);
            });
        }
        if round % 2 == 0 {
            drop(module);
        } else {
            drop(module.finish());
        }
        if start.elapsed() > DEADLINE / 2 {
            break;
        }
    }
    #[cfg(target_os = "linux")]
    if let Some(bytes) = crate::code::memory::CodeMemory::shared().unwrap().resident() {
        assert!(bytes < 16 << 20, "{bytes} bytes of code memory in use");
    }
}
