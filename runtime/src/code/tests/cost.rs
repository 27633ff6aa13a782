//! What the mechanism costs, printed by `cargo test --release -- --ignored --nocapture code::tests::cost`.

use std::hint::black_box;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use cranelift::prelude::*;
use vaisjit_abi::CallContext;
use vaisjit_codegen::thunks::ExitKind;

use super::kit::{DEADLINE, Kit, i64s, until};
use crate::code::*;

/// Nanoseconds per round, best of several.
fn best(rounds: u32, mut run: impl FnMut()) -> f64 {
    (0..7)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e9 / f64::from(rounds)
        })
        .fold(f64::MAX, f64::min)
}

extern "C" fn nothing(_: *mut CallContext) -> i64 {
    0
}

/// `(n) -> i64`: `n` turns of `body`.
fn repeat(kit: &Kit, polled: bool, body: impl FnOnce(&mut super::kit::Body<'_, '_>)) -> std::sync::Arc<CodeUnit> {
    kit.simple("repeat", 1, |f| {
        let count = f.b.declare_var(types::I64);
        f.b.def_var(count, f.params[0]);
        let turn = |f: &mut super::kit::Body<'_, '_>| {
            body(f);
            let left = f.b.use_var(count);
            let left = f.b.ins().iadd_imm_s(left, -1);
            f.b.def_var(count, left);
            left
        };
        if polled {
            f.polled_loop(turn);
        } else {
            let (head, after) = (f.b.create_block(), f.b.create_block());
            f.b.ins().jump(head, &[]);
            f.b.switch_to_block(head);
            let left = turn(f);
            f.b.ins().brif(left, head, &[], after, &[]);
            f.b.switch_to_block(after);
        }
        let zero = f.number(0);
        f.ret(zero);
    })
}

#[test]
#[ignore = "measures"]
fn costs() {
    const N: u32 = 1_000_000;
    let kit = Kit::new();
    let trampoline = kit.trampoline(&i64s(0));
    let unit = kit.simple("constant", 0, |f| {
        let value = f.number(1);
        f.ret(value);
    });
    let slot = kit.slots.alloc(Some(unit.address(0)));
    let enter = best(N, || {
        for _ in 0..N {
            let mut ret = [0; 2];
            kit.world.enter(&trampoline, Callee::Slot(&slot), &[], &mut ret).unwrap();
            black_box(ret);
        }
    });
    println!("enter and return        {enter:8.2} ns");

    kit.exit("nothing", nothing as *const () as usize, &i64s(0), ExitKind::Host { safepoint: false });
    let empty = repeat(&kit, false, |_| ());
    let polled = repeat(&kit, true, |_| ());
    let host = repeat(&kit, false, |f| {
        f.call("nothing", &i64s(0), &[]);
    });
    let call = |unit: &std::sync::Arc<CodeUnit>| {
        best(N, || {
            kit.call(unit, &[i64::from(N)]).unwrap();
        })
    };
    let (empty, polled, host) = (call(&empty), call(&polled), call(&host));
    println!("an empty loop           {empty:8.2} ns a turn");
    println!("a poll                  {:8.2} ns", polled - empty);
    println!("exit thunk and host     {:8.2} ns", host - empty);

    let build = best(200, || {
        for value in 0..200 {
            black_box(kit.simple("tiny", 0, |f| {
                let value = f.number(value);
                f.ret(value);
            }));
        }
    });
    println!("build a tiny unit       {build:8.0} ns");
    let idle = best(1000, || {
        for _ in 0..1000 {
            kit.world.run_at_safepoint(SafepointKind::Commit, |_| ());
        }
    });
    println!("commit, nobody inside   {idle:8.0} ns");
    traps(&kit);
    busy(&kit);
    declined(&kit);
}

/// Polls of an inner loop while a commit waits for the outer one.
fn declined(kit: &Kit) {
    let left = [AtomicI64::new(i64::MAX), AtomicI64::new(0)];
    let (_inner, outer) = super::safepoints::nested_loops(kit, &left);
    std::thread::scope(|scope| {
        scope.spawn(|| kit.call(&outer, &[]).unwrap());
        until("the loop", || left[0].load(SeqCst) < i64::MAX);
        let ticket = kit.world.run_at_safepoint(SafepointKind::Commit, |_| ());
        let (start, before) = (Instant::now(), left[0].load(SeqCst));
        let outcome = ticket.wait(DEADLINE);
        let turns = before - left[0].load(SeqCst);
        println!("a declined poll         {:8.2} ns", start.elapsed().as_secs_f64() * 1e9 / turns as f64);
        println!("commit, inner loop      {outcome:?}");
        left[1].store(1, SeqCst);
    });
}

fn traps(kit: &Kit) {
    let trampoline = kit.trampoline(&i64s(1));
    let unit = kit.simple("fails", 1, |f| {
        let value = f.b.ins().load(types::I64, MemFlagsData::new(), f.params[0], 0);
        f.ret(value);
    });
    let trap = best(1000, || {
        for _ in 0..1000 {
            let _ = black_box(kit.world.enter(&trampoline, Callee::Unit(&unit, 0), &[0], &mut [0; 2]));
        }
    });
    println!("enter and trap          {trap:8.0} ns");
}

/// Commits while a thread is in a loop.
fn busy(kit: &Kit) {
    let (turns, stop) = (AtomicI64::new(0), AtomicI64::new(0));
    let unit = kit.simple("spin", 0, |f| {
        f.polled_loop(|f| {
            let turn = f.read(turns.as_ptr() as usize);
            let turn = f.b.ins().iadd_imm_s(turn, 1);
            f.write(turns.as_ptr() as usize, turn);
            let stop = f.read(stop.as_ptr() as usize);
            f.b.ins().icmp_imm_u(IntCC::Equal, stop, 0)
        });
        let zero = f.number(0);
        f.ret(zero);
    });
    std::thread::scope(|scope| {
        scope.spawn(|| kit.call(&unit, &[]).unwrap());
        until("the loop", || turns.load(SeqCst) > 0);
        let mut waits: Vec<Duration> = Vec::new();
        for _ in 0..1000 {
            let ticket = kit.world.run_at_safepoint(SafepointKind::Commit, |_| ());
            let Some(Outcome::Done { waited, .. }) = ticket.wait(DEADLINE) else { panic!("no commit") };
            waits.push(waited);
        }
        stop.store(1, SeqCst);
        waits.sort_unstable();
        println!("commit, one loop        {:8?} median, {:?} at 99 %", waits[500], waits[990]);
    });
}
