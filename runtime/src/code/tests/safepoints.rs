//! Commits and sweeps with threads in loops, in the host, and nowhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;

use cranelift::prelude::*;
use vaisjit_abi::context::{FrameBlock, offsets};
use vaisjit_abi::{CallContext, TrapCode};
use vaisjit_codegen::thunks::ExitKind;

use super::kit::{Body, DEADLINE, Kit, i64s, until};
use crate::code::*;

/// A commit that must happen soon; gives whether it had to lower its demands.
fn commit(kit: &Kit, action: impl FnOnce(&Stopped<'_>) + Send + 'static) -> bool {
    match kit.world.run_at_safepoint(SafepointKind::Commit, action).wait(DEADLINE) {
        Some(Outcome::Done { relaxed, .. }) => relaxed,
        other => panic!("{other:?}"),
    }
}

fn constant(kit: &Kit, value: i64) -> Arc<CodeUnit> {
    kit.simple("constant", 0, |f| {
        let value = f.number(value);
        f.ret(value);
    })
}

/// A cell generated code reads and writes.
fn cell(value: &AtomicI64) -> usize {
    value.as_ptr() as usize
}

/// A function that turns in its only loop until `stop`, counting turns.
fn spinning(kit: &Kit, turns: &AtomicI64, stop: &AtomicI64) -> Arc<CodeUnit> {
    kit.simple("spinning", 0, |f| {
        f.polled_loop(|f| {
            let turn = f.read(cell(turns));
            let turn = f.b.ins().iadd_imm_s(turn, 1);
            f.write(cell(turns), turn);
            let stop = f.read(cell(stop));
            f.b.ins().icmp_imm_u(IntCC::Equal, stop, 0)
        });
        let zero = f.number(0);
        f.ret(zero);
    })
}

#[test]
fn with_nobody_inside_the_requester_runs_it() {
    let kit = Kit::new();
    kit.call(&constant(&kit, 1), &[]).unwrap();
    let here = std::thread::current().id();
    let (sender, receiver) = mpsc::channel();
    let ticket = kit.world.run_at_safepoint(SafepointKind::Commit, move |stopped| {
        stopped.walk(|_| panic!("nobody is inside"));
        sender.send(std::thread::current().id()).unwrap();
    });
    assert!(matches!(ticket.outcome(), Some(Outcome::Done { relaxed: false, .. })));
    assert_eq!(receiver.recv().unwrap(), here);
    assert!(!ticket.cancel());
}

#[test]
fn a_panic_in_an_action_is_told() {
    let kit = Kit::new();
    let ticket = kit.world.run_at_safepoint(SafepointKind::Sweep, |_| panic!("oh no"));
    assert_eq!(ticket.outcome(), Some(Outcome::Panicked("oh no".to_owned())));
    assert_eq!(kit.call(&constant(&kit, 1), &[]).unwrap(), 1);
}

#[test]
fn a_slot_stored_at_any_time_is_seen_by_a_running_loop() {
    let kit = Kit::new();
    let slot = kit.slots.alloc(None);
    let (one, zero) = (constant(&kit, 1), constant(&kit, 0));
    slot.store(one.address(0));
    let unit = kit.simple("caller", 0, |f| {
        f.polled_loop(|f| f.call_slot(&slot, &i64s(0), &[]).unwrap());
        let done = f.number(3);
        f.ret(done);
    });
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| kit.call(&unit, &[]).unwrap());
        slot.store(zero.address(0));
        assert_eq!(thread.join().unwrap(), 3);
    });
}

#[test]
fn the_thread_in_the_loop_runs_the_commit() {
    let kit = Kit::new();
    let (turns, stop) = (AtomicI64::new(0), AtomicI64::new(0));
    let unit = spinning(&kit, &turns, &stop);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| kit.call(&unit, &[]).unwrap());
        until("the loop", || turns.load(SeqCst) > 0);
        let (sender, receiver) = mpsc::channel();
        commit(&kit, move |stopped| {
            let mut frames = Vec::new();
            stopped.walk(|frame| frames.push((frame.unit.name(frame.function).to_owned(), frame.srcloc)));
            sender.send((std::thread::current().id(), frames)).unwrap();
        });
        let (runner, frames) = receiver.recv().unwrap();
        assert_eq!(runner, thread.thread().id());
        assert_eq!(frames, [("spinning".to_owned(), 1)]);
        let before = turns.load(SeqCst);
        until("another turn", || turns.load(SeqCst) > before + 10);
        stop.store(1, SeqCst);
        thread.join().unwrap();
    });
}

/// Threads whose outer loop reads two slots with a polled inner loop in between.
#[test]
fn no_turn_of_an_outermost_loop_sees_half_a_commit() {
    const THREADS: usize = 3;
    let kit = Kit::new();
    let slots = [kit.slots.alloc(None), kit.slots.alloc(None)];
    let _inner = with_inner(&kit);
    let mut patient = true;
    let mut units = vec![constant(&kit, 0)];
    slots.iter().for_each(|slot| slot.store(units[0].address(0)));
    let (mixed, stop, turns) = (AtomicI64::new(0), AtomicI64::new(0), [const { AtomicI64::new(0) }; THREADS]);
    let bodies: Vec<Arc<CodeUnit>> =
        turns.iter().map(|turns| kit.simple("turning", 0, |f| turning(f, &slots, &mixed, &stop, turns))).collect();
    std::thread::scope(|scope| {
        for body in &bodies {
            scope.spawn(|| kit.call(body, &[]).unwrap());
        }
        until("all loops", || turns.iter().all(|turns| turns.load(SeqCst) > 0));
        for version in 1..200 {
            let unit = constant(&kit, version);
            let (new, stored) = (unit.clone(), slots.clone());
            let relaxed = commit(&kit, move |_| {
                stored[0].store(new.address(0));
                stored[1].store(new.address(0));
            });
            // A machine so busy that a thread stands still for this long cannot show anything.
            patient &= !relaxed;
            units.push(unit);
        }
        stop.store(1, SeqCst);
    });
    assert!(!patient || mixed.load(SeqCst) == 0);
}

fn turning(f: &mut Body<'_, '_>, slots: &[Slot; 2], mixed: &AtomicI64, stop: &AtomicI64, turns: &AtomicI64) {
    let slot = f.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 16, 3));
    f.polled_loop(|f| {
        let first = f.call_slot(&slots[0], &i64s(0), &[]).unwrap();
        let start = f.number(100);
        let zero = f.number(0);
        f.b.ins().stack_store(types::I64, start, slot, 0);
        f.b.ins().stack_store(types::I64, zero, slot, 8);
        let at = f.b.ins().stack_addr(types::I64, slot, 0);
        f.call("inner", &i64s(1), &[at]);
        let second = f.call_slot(&slots[1], &i64s(0), &[]).unwrap();
        let differ = f.b.ins().icmp(IntCC::NotEqual, first, second);
        let differ = f.b.ins().uextend(types::I64, differ);
        let count = f.read(cell(mixed));
        let count = f.b.ins().bor(count, differ);
        f.write(cell(mixed), count);
        let turn = f.read(cell(turns));
        let turn = f.b.ins().iadd_imm_s(turn, 1);
        f.write(cell(turns), turn);
        let stop = f.read(cell(stop));
        f.b.ins().icmp_imm_u(IntCC::Equal, stop, 0)
    });
    let zero = f.number(0);
    f.ret(zero);
}

/// Makes `inner(at: *[i64; 2])`, which counts the first word down in a polled loop until it is 0, or the second
/// word is not.
fn with_inner(kit: &Kit) -> Arc<CodeUnit> {
    let inner = kit.simple("inner", 1, |f| {
        let at = f.params[0];
        f.polled_loop(|f| {
            let left = f.b.ins().load(types::I64, MemFlagsData::trusted(), at, 0);
            let left = f.b.ins().iadd_imm_s(left, -1);
            f.b.ins().store(MemFlagsData::trusted(), left, at, 0);
            let stop = f.b.ins().load(types::I64, MemFlagsData::trusted(), at, 8);
            let none = f.number(0);
            let on = f.b.ins().icmp_imm_u(IntCC::Equal, stop, 0);
            f.b.ins().select(on, left, none)
        });
        let zero = f.number(0);
        f.ret(zero);
    });
    kit.symbol("inner", inner.address(0).get());
    inner
}

/// `outer` turns once, and in it `inner` until the second word is set.
pub(super) fn nested_loops(kit: &Kit, left: &[AtomicI64; 2]) -> (Arc<CodeUnit>, Arc<CodeUnit>) {
    let inner = with_inner(kit);
    let outer = kit.simple("outer", 0, |f| {
        f.polled_loop(|f| {
            let at = f.number(cell(&left[0]) as i64);
            f.call("inner", &i64s(1), &[at]).unwrap()
        });
        let done = f.number(7);
        f.ret(done);
    });
    (inner, outer)
}

#[test]
fn inner_loops_wait_and_are_admitted_in_the_end() {
    let kit = Kit::new();
    let left = [AtomicI64::new(i64::MAX), AtomicI64::new(0)];
    let (_inner, outer) = nested_loops(&kit, &left);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| kit.call(&outer, &[]).unwrap());
        until("the inner loop", || left[0].load(SeqCst) < i64::MAX);
        let (sender, receiver) = mpsc::channel();
        let ticket = kit.world.run_at_safepoint(SafepointKind::Commit, move |stopped| {
            let mut frames = Vec::new();
            stopped.walk(|frame| frames.push(frame.unit.name(frame.function).to_owned()));
            sender.send(frames).unwrap();
        });
        let mut blocked = Vec::new();
        until("a refusal", || {
            blocked = ticket.blocked_on();
            !blocked.is_empty() || ticket.outcome().is_some()
        });
        let blocked: Vec<&str> = blocked.iter().map(RawFrame::name).collect();
        assert!(blocked == ["inner", "outer"] || ticket.outcome().is_some());
        // A sweep does not wait for outermost loops.
        let sweep = kit.world.run_at_safepoint(SafepointKind::Sweep, |_| ());
        assert!(matches!(sweep.wait(DEADLINE), Some(Outcome::Done { .. })));
        let Some(Outcome::Done { relaxed: true, waited, .. }) = ticket.wait(DEADLINE) else { panic!("not relaxed") };
        assert!(waited >= PATIENCE);
        assert_eq!(receiver.recv().unwrap(), ["inner", "outer"]);
        left[1].store(1, SeqCst);
        assert_eq!(thread.join().unwrap(), 7);
    });
}

/// Who comes late, but to its outermost loop, is not in the middle of one.
#[test]
fn a_late_turn_of_an_outermost_loop_is_whole() {
    let kit = Kit::new();
    let (turns, go, stop) = (AtomicI64::new(0), AtomicI64::new(0), AtomicI64::new(0));
    let late = kit.simple("late", 0, |f| {
        f.polled_loop(|f| {
            let one = f.number(1);
            f.write(cell(&turns), one);
            f.wait_without_poll(cell(&go));
            let stop = f.read(cell(&stop));
            f.b.ins().icmp_imm_u(IntCC::Equal, stop, 0)
        });
        let zero = f.number(0);
        f.ret(zero);
    });
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| kit.call(&late, &[]).unwrap());
        until("the first turn", || turns.load(SeqCst) > 0);
        let asked = std::time::Instant::now();
        let ticket = kit.world.run_at_safepoint(SafepointKind::Commit, |_| ());
        until("the end of patience", || asked.elapsed() > PATIENCE * 2);
        go.store(1, SeqCst);
        assert!(matches!(ticket.wait(DEADLINE), Some(Outcome::Done { relaxed: false, .. })));
        stop.store(1, SeqCst);
        thread.join().unwrap();
    });
}

/// For a loop that did not come round once, later commits do not wait as long.
#[test]
fn a_loop_that_does_not_come_round_is_waited_for_once() {
    let kit = Kit::new();
    let left = [AtomicI64::new(i64::MAX), AtomicI64::new(0)];
    let (_inner, outer) = nested_loops(&kit, &left);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| kit.call(&outer, &[]).unwrap());
        until("the inner loop", || left[0].load(SeqCst) < i64::MAX);
        let is_quick = |_: &i32| match kit.world.run_at_safepoint(SafepointKind::Commit, |_| ()).wait(DEADLINE) {
            Some(Outcome::Done { relaxed: true, waited, .. }) => waited < PATIENCE,
            other => panic!("the outer loop has not come round: {other:?}"),
        };
        // On a busy machine the thread may come late to its poll now and then.
        assert_eq!((0..200).filter(is_quick).take(20).count(), 20, "each of them waits");
        left[1].store(1, SeqCst);
        assert_eq!(thread.join().unwrap(), 7);
    });
}

#[test]
fn cancelled_requests_do_not_run() {
    let kit = Kit::new();
    let left = [AtomicI64::new(i64::MAX), AtomicI64::new(0)];
    let (_inner, outer) = nested_loops(&kit, &left);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| kit.call(&outer, &[]).unwrap());
        until("the inner loop", || left[0].load(SeqCst) < i64::MAX);
        for _ in 0..20 {
            let ticket = kit.world.run_at_safepoint(SafepointKind::Commit, |_| panic!("must not run"));
            assert!(ticket.cancel());
            assert_eq!(ticket.wait(DEADLINE), Some(Outcome::Cancelled));
        }
        left[1].store(1, SeqCst);
        assert_eq!(thread.join().unwrap(), 7);
    });
}

/// A pipe whose reading end blocks until something is written.
struct Pipe([i32; 2]);

impl Pipe {
    fn new() -> Pipe {
        let mut ends = [0; 2];
        // SAFETY: the array has room for both ends.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        Pipe(ends)
    }

    fn write(&self) {
        // SAFETY: one byte is written from one byte.
        assert_eq!(unsafe { libc::write(self.0[1], [1u8].as_ptr().cast(), 1) }, 1);
    }
}

/// Counts itself, and waits for a byte.
extern "C" fn read_pipe(end: i64, reading: *const AtomicI64) -> i64 {
    let mut byte = 0u8;
    // SAFETY: the test passes the address of what it owns; one byte is read into one byte.
    unsafe {
        (*reading).fetch_add(1, SeqCst);
        libc::read(end as i32, (&raw mut byte).cast(), 1) as i64
    }
}

#[test]
fn a_thread_blocked_in_c_counts_as_stopped() {
    let kit = Kit::new();
    let pipe = Pipe::new();
    kit.exit("read_pipe", read_pipe as *const () as usize, &i64s(2), ExitKind::C);
    let straight = kit.simple("straight", 2, |f| {
        let result = f.call("read_pipe", &i64s(2), &[f.params[0], f.params[1]]).unwrap();
        f.ret(result);
    });
    let looping = kit.simple("looping", 2, |f| {
        f.polled_loop(|f| {
            let result = f.call("read_pipe", &i64s(2), &[f.params[0], f.params[1]]).unwrap();
            f.b.ins().icmp_imm_u(IntCC::NotEqual, result, 1)
        });
        let one = f.number(1);
        f.ret(one);
    });
    for (unit, expected) in [(&straight, false), (&looping, true)] {
        let reading = AtomicI64::new(0);
        let args = [pipe.0[0] as i64, cell(&reading) as i64];
        let relaxed = std::thread::scope(|scope| {
            let thread = scope.spawn(|| kit.call(unit, &args).unwrap());
            until("the read", || reading.load(SeqCst) > 0);
            let relaxed = commit(&kit, |_| ());
            pipe.write();
            assert_eq!(thread.join().unwrap(), 1);
            relaxed
        });
        assert_eq!(relaxed, expected);
    }
}

/// Does something while one thread waits in C, in a loop, to read a pipe, and another one turns.
fn beside_a_reader(act: impl FnOnce(&Kit, &Pipe, &AtomicI64)) {
    let kit = Kit::new();
    let pipe = Pipe::new();
    kit.exit("read_pipe", read_pipe as *const () as usize, &i64s(2), ExitKind::C);
    let waiting = kit.simple("waiting", 2, |f| {
        f.polled_loop(|f| {
            let result = f.call("read_pipe", &i64s(2), &[f.params[0], f.params[1]]).unwrap();
            f.b.ins().icmp_imm_u(IntCC::Equal, result, 1)
        });
        let one = f.number(1);
        f.ret(one);
    });
    let (turns, stop, reading) = (AtomicI64::new(0), AtomicI64::new(0), AtomicI64::new(0));
    let spinning = spinning(&kit, &turns, &stop);
    let args = [pipe.0[0] as i64, cell(&reading) as i64];
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| kit.call(&waiting, &args).unwrap());
        until("the read", || reading.load(SeqCst) > 0);
        let spins = scope.spawn(|| kit.call(&spinning, &[]).unwrap());
        until("some turns", || turns.load(SeqCst) > 0);
        act(&kit, &pipe, &turns);
        stop.store(1, SeqCst);
        spins.join().unwrap();
        // The loop ends when a read fails.
        // SAFETY: the writing end is the test's own.
        unsafe { libc::close(pipe.0[1]) };
        waits.join().unwrap();
    });
}

/// One thread stands in the way while it waits in C: the other turns on, and nothing is tried before the first has come to
/// its poll.
#[test]
fn a_commit_after_one_thread_leaves_the_others_alone() {
    beside_a_reader(|kit, pipe, turns| {
        let found = Arc::new(std::sync::Mutex::new(Vec::new()));
        let inside = found.clone();
        commit(kit, move |stopped| {
            let mut threads = Vec::new();
            stopped
                .walk(|frame| threads.extend((frame.unit.name(frame.function) == "waiting").then_some(frame.thread)));
            inside.lock().unwrap().extend(threads.iter().filter_map(|thread| stopped.waiting(*thread)));
        });
        let awaited = found.lock().unwrap().clone();
        assert_eq!(awaited.len(), 1);
        let asked = std::time::Instant::now();
        let ticket = kit.world.run_at_safepoint(SafepointKind::CommitAfter(awaited, Duration::ZERO), |_| ());
        // Longer than any patience, and the other one never stops.
        until("turns meanwhile", || asked.elapsed() > PATIENCE * 2 && turns.load(SeqCst) > 100_000);
        assert_eq!(ticket.outcome(), None);
        pipe.write();
        until("the commit", || ticket.outcome().is_some());
        assert!(matches!(ticket.outcome(), Some(Outcome::Done { relaxed: false, .. })));
    });
}

extern "C" fn nap(us: i64) -> i64 {
    std::thread::sleep(std::time::Duration::from_micros(us as u64));
    0
}

/// One thread waits in C in the middle of its turn: the other turns on while the commit waits for that.
#[test]
fn nobody_stands_still_for_a_thread_that_sleeps_in_c() {
    beside_a_reader(|kit, _, turns| {
        let goes_on = |_: &i32| {
            let ticket = kit.world.run_at_safepoint(SafepointKind::Commit, |_| ());
            let asked = turns.load(SeqCst);
            until("turns or the end", || turns.load(SeqCst) > asked + 1000 || ticket.outcome().is_some());
            let goes_on = ticket.outcome().is_none();
            assert!(matches!(ticket.wait(DEADLINE), Some(Outcome::Done { relaxed: true, .. })));
            goes_on
        };
        // On a busy machine it may have no time to turn before patience ends.
        assert!((0..20).any(|attempt| goes_on(&attempt)), "it stands still until the end of patience");
        // One that need not come round is not waited for, until it is somewhere else.
        let ticket = kit.world.run_at_safepoint(SafepointKind::Commit, |_| ());
        let sleepers: Vec<Waiting> = ticket.sleepers().into_iter().map(|(waiting, _)| waiting).collect();
        assert_eq!(sleepers.len(), usize::from(ticket.outcome().is_none()));
        ticket.excuse(&sleepers);
        assert!(matches!(ticket.wait(DEADLINE), Some(Outcome::Done { .. })));
    });
}

/// All four stand in the way wherever they are but at their polls, and hardly come there at the same time by themselves.
#[test]
fn a_commit_after_threads_with_long_turns_of_their_own() {
    let kit = Kit::new();
    kit.exit("nap", nap as *const () as usize, &i64s(1), ExitKind::C);
    let napping = kit.simple("napping", 2, |f| {
        f.polled_loop(|f| {
            f.call("nap", &i64s(1), &[f.params[0]]);
            let stop = f.b.ins().load(types::I64, MemFlagsData::trusted(), f.params[1], 0);
            f.b.ins().icmp_imm_u(IntCC::Equal, stop, 0)
        });
        let one = f.number(1);
        f.ret(one);
    });
    let stop = AtomicI64::new(0);
    let threads = std::thread::scope(|scope| {
        for turn in [400_000, 470_000, 540_000, 610_000] {
            let (kit, napping, stop) = (&kit, &napping, &stop);
            scope.spawn(move || kit.call(napping, &[turn, cell(stop) as i64]).unwrap());
        }
        let found = Arc::new(std::sync::Mutex::new(Vec::new()));
        until("all in the way", || {
            let inside = found.clone();
            let ticket = kit.world.run_at_safepoint(SafepointKind::Sweep, move |stopped| {
                let mut threads = Vec::new();
                stopped.walk(|frame| threads.push(frame.thread));
                *inside.lock().unwrap() = threads.iter().filter_map(|thread| stopped.waiting(*thread)).collect();
            });
            ticket.wait(DEADLINE);
            found.lock().unwrap().len() == 4
        });
        let ticket = kit
            .world
            .run_at_safepoint(SafepointKind::CommitAfter(found.lock().unwrap().clone(), Duration::ZERO), |_| ());
        let outcome = ticket.wait(DEADLINE * 4);
        stop.store(1, SeqCst);
        outcome
    });
    assert!(matches!(threads, Some(Outcome::Done { .. })), "{threads:?}");
}

#[test]
fn a_thread_that_goes_into_c_after_the_request_is_noticed() {
    let kit = Kit::new();
    let (pipe, go) = (Pipe::new(), AtomicI64::new(0));
    kit.exit("read_pipe", read_pipe as *const () as usize, &i64s(2), ExitKind::C);
    let unit = kit.simple("late", 2, |f| {
        f.wait_without_poll(cell(&go));
        let result = f.call("read_pipe", &i64s(2), &[f.params[0], f.params[1]]).unwrap();
        f.ret(result);
    });
    let reading = AtomicI64::new(0);
    let args = [pipe.0[0] as i64, cell(&reading) as i64];
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| kit.call(&unit, &args).unwrap());
        let ticket = loop {
            let ticket = kit.world.run_at_safepoint(SafepointKind::Commit, |_| ());
            if ticket.outcome().is_none() {
                break ticket;
            }
        };
        go.store(1, SeqCst);
        let outcome = ticket.wait(DEADLINE);
        pipe.write();
        thread.join().unwrap();
        assert!(matches!(outcome, Some(Outcome::Done { .. })));
    });
}

extern "C" fn check(_: *mut CallContext, world: *const World, ran: *const AtomicU64) -> i64 {
    // SAFETY: the test passes the addresses of what it owns.
    let (world, ran) = unsafe { (&*world, &*ran) };
    let number = Arc::new(AtomicU64::new(0));
    let inside = number.clone();
    let ticket = world.run_at_safepoint(SafepointKind::Commit, move |_| inside.store(1, SeqCst));
    assert!(matches!(ticket.outcome(), Some(Outcome::Done { relaxed: false, .. })));
    ran.fetch_add(number.load(SeqCst), SeqCst) as i64
}

#[test]
fn an_explicit_safepoint_commits_inside_a_loop() {
    let kit = Kit::new();
    let ran = AtomicU64::new(0);
    kit.exit("check", check as *const () as usize, &i64s(2), ExitKind::Host { safepoint: true });
    let unit = kit.simple("looping", 2, |f| {
        f.polled_loop(|f| {
            let count = f.call("check", &i64s(2), &[f.params[0], f.params[1]]).unwrap();
            f.b.ins().icmp_imm_u(IntCC::NotEqual, count, 9)
        });
        let zero = f.number(0);
        f.ret(zero);
    });
    kit.call(&unit, &[&raw const kit.world as i64, &raw const ran as i64]).unwrap();
    assert_eq!(ran.load(SeqCst), 10);
}

#[test]
fn an_action_may_enter_generated_code() {
    let kit = Kit::new();
    let (turns, stop) = (AtomicI64::new(0), AtomicI64::new(0));
    let unit = spinning(&kit, &turns, &stop);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| kit.call(&unit, &[]).unwrap());
        until("the loop", || turns.load(SeqCst) > 0);
        let (world, callee, trampoline) = (kit.world.clone(), with_inner(&kit), kit.trampoline(&i64s(1)));
        let fails = kit.simple("fails", 1, |f| {
            f.b.ins().trap(cranelift_codegen::ir::TrapCode::unwrap_user(TrapCode::Panic as u8));
        });
        let (sender, receiver) = mpsc::channel();
        commit(&kit, move |stopped| {
            let left = [AtomicI64::new(500), AtomicI64::new(0)];
            let enter = |unit| world.enter(&trampoline, Callee::Unit(unit, 0), &[cell(&left[0]) as u64], &mut [0; 2]);
            enter(&callee).unwrap();
            assert_eq!(enter(&fails).unwrap_err().code, TrapCode::Panic);
            let mut frames = 0;
            stopped.walk(|_| frames += 1);
            sender.send((left[0].load(SeqCst), frames)).unwrap();
        });
        assert_eq!(receiver.recv().unwrap(), (0, 1));
        stop.store(1, SeqCst);
        thread.join().unwrap();
    });
}

#[test]
fn interrupts_reach_loops_recursion_and_waiting_threads() {
    let kit = Kit::new();
    let (turns, stop) = (AtomicI64::new(0), AtomicI64::new(0));
    let loops = spinning(&kit, &turns, &stop);
    let slot = kit.slots.alloc(None);
    let recursion = kit.simple("recursion", 1, |f| {
        let turn = f.read(cell(&turns));
        let turn = f.b.ins().iadd_imm_s(turn, 1);
        f.write(cell(&turns), turn);
        let (deeper, enough) = (f.b.create_block(), f.b.create_block());
        f.b.ins().brif(f.params[0], deeper, &[], enough, &[]);
        f.b.switch_to_block(deeper);
        let less = f.b.ins().iadd_imm_s(f.params[0], -1);
        f.call_slot(&slot, &i64s(1), &[less]);
        let result = f.call_slot(&slot, &i64s(1), &[less]).unwrap();
        f.ret(result);
        f.b.switch_to_block(enough);
        f.ret(f.params[0]);
    });
    slot.store(recursion.address(0));
    for (unit, args) in [(&loops, &[][..]), (&recursion, &[60])] {
        for _ in 0..3 {
            turns.store(0, SeqCst);
            std::thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    let trap = kit.call(unit, args).unwrap_err();
                    // Afterwards everything works as before.
                    assert_eq!(kit.call(&constant(&kit, 5), &[]).unwrap(), 5);
                    trap
                });
                until("the program", || turns.load(SeqCst) > 0);
                kit.world.interrupt();
                assert_eq!(thread.join().unwrap().code, TrapCode::Interrupted);
            });
        }
    }
    assert_eq!(kit.call(&constant(&kit, 5), &[]).unwrap(), 5);
}

#[test]
fn blocks_on_the_data_stack_are_found() {
    let kit = Kit::new();
    let (turns, stop) = (AtomicI64::new(0), AtomicI64::new(0));
    let unit = kit.simple("blocky", 0, |f| {
        let top = f.b.ins().load(types::I64, MemFlagsData::trusted(), f.ctx, offsets::DATA_TOP);
        let frame = f.b.ins().get_frame_pointer(types::I64);
        f.b.ins().store(MemFlagsData::trusted(), frame, top, 0);
        let header = f.number(FrameBlock::header_word(9, 48) as i64);
        f.b.ins().store(MemFlagsData::trusted(), header, top, 8);
        let above = f.b.ins().iadd_imm_s(top, 48);
        f.b.ins().store(MemFlagsData::trusted(), above, f.ctx, offsets::DATA_TOP);
        f.polled_loop(|f| {
            let one = f.number(1);
            f.write(cell(&turns), one);
            let stop = f.read(cell(&stop));
            f.b.ins().icmp_imm_u(IntCC::Equal, stop, 0)
        });
        f.b.ins().trap(cranelift_codegen::ir::TrapCode::unwrap_user(TrapCode::Panic as u8));
    });
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            assert_eq!(kit.call(&unit, &[]).unwrap_err().code, TrapCode::Panic);
            kit.call(&unit, &[]).unwrap_err();
        });
        until("the loop", || turns.load(SeqCst) > 0);
        let (sender, receiver) = mpsc::channel();
        commit(&kit, move |stopped| {
            assert_eq!(stopped.blocks().len(), 1);
            stopped.walk(|frame| sender.send(frame.block).unwrap());
        });
        let block = receiver.recv().unwrap().unwrap();
        assert_eq!((block.descriptor, block.size), (9, 48));
        stop.store(1, SeqCst);
        thread.join().unwrap();
    });
    commit(&kit, |stopped| assert!(stopped.blocks().is_empty()));
}

#[test]
fn threads_come_and_go_while_commits_run() {
    let kit = Kit::new();
    let unit = constant(&kit, 5);
    let trampoline = kit.trampoline(&i64s(0));
    let stop = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while stop.load(SeqCst) == 0 {
                    std::thread::scope(|inner| {
                        inner.spawn(|| {
                            for _ in 0..100 {
                                kit.world.enter(&trampoline, Callee::Unit(&unit, 0), &[], &mut [0; 2]).unwrap();
                            }
                        });
                    });
                }
            });
        }
        for _ in 0..300 {
            commit(&kit, |stopped| stopped.walk(|_| panic!("nobody stops inside")));
        }
        stop.store(1, SeqCst);
    });
}

#[test]
fn requests_end_with_their_world() {
    let kit = Kit::new();
    let world = kit.world.clone();
    let ticket = std::thread::spawn(move || world.run_at_safepoint(SafepointKind::Commit, |_| ())).join().unwrap();
    assert_ne!(ticket.wait(Duration::ZERO), None);
    drop(kit);
    assert!(!ticket.cancel());
    assert!(ticket.blocked_on().is_empty());
}
