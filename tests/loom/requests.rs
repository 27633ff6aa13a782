//! What a request may rely on while it runs, and that it runs.

use std::sync::Arc;

use loom::thread;
use vaisjit_abi::context::poll;

use crate::model::{Stack, Thread, World, explore};
use crate::rendezvous::Member;
use crate::sync::Mutex;
use crate::sync::Ordering::Relaxed;

/// Both slots lead to the same code between two polls.
fn calls_both(world: &World) {
    let first = world.slots[0].load(Relaxed);
    let second = world.slots[1].load(Relaxed);
    assert_eq!(first, second, "half a commit");
}

/// A commit of both slots, which looks at the stacks.
fn publish(world: &World, threads: &[Arc<Thread>]) {
    threads.iter().for_each(|thread| assert!(!thread.stack.get().is_inner));
    world.slots[0].store(1, Relaxed);
    world.slots[1].store(1, Relaxed);
}

#[test]
fn slots_change_together_for_threads_that_poll() {
    explore(3, || {
        let world = World::new();
        let runs = world.clone();
        let own = world.join();
        let other = thread::spawn(move || {
            runs.enter(&own, || {
                calls_both(&runs);
                runs.poll(&own);
                calls_both(&runs);
            });
        });
        let ticket = world.commit(publish);
        world.pace(&ticket);
        other.join().unwrap();
    });
}

#[test]
fn nobody_runs_while_two_threads_are_stopped() {
    explore(2, || {
        let world = World::new();
        let started: Vec<_> = (0..2)
            .map(|_| {
                let (runs, own) = (world.clone(), world.join());
                thread::spawn(move || {
                    runs.enter(&own, || {
                        calls_both(&runs);
                        runs.poll(&own);
                        calls_both(&runs);
                    });
                })
            })
            .collect();
        let ticket = world.commit(publish);
        world.pace(&ticket);
        started.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn the_gate_holds_threads_that_come_back_from_the_host() {
    explore(3, || {
        let world = World::new();
        let runs = world.clone();
        let own = world.join();
        let other = thread::spawn(move || {
            runs.enter(&own, || {
                calls_both(&runs);
                runs.host_call(&own, || ());
                calls_both(&runs);
                // A walk must not meet a stack that changes.
                own.stack.set(Stack::default());
            });
        });
        let ticket = world.commit(publish);
        world.pace(&ticket);
        other.join().unwrap();
    });
}

#[test]
fn threads_that_come_for_the_first_time_are_held_too() {
    explore(3, || {
        let world = World::new();
        let runs = world.clone();
        let other = thread::spawn(move || {
            let own = runs.join();
            runs.enter(&own, || {
                calls_both(&runs);
                own.stack.set(Stack::default());
            });
            runs.part(&own);
        });
        let ticket = world.commit(publish);
        world.pace(&ticket);
        other.join().unwrap();
    });
}

#[test]
fn a_commit_waits_until_inner_loops_have_been_left() {
    explore(3, || {
        let world = World::new();
        let runs = world.clone();
        let own = world.join();
        let other = thread::spawn(move || {
            runs.enter(&own, || {
                own.stack.set(Stack { is_inner: true, unit: None });
                runs.poll(&own);
                runs.poll(&own);
                calls_both(&runs);
                own.stack.set(Stack::default());
                runs.poll(&own);
                calls_both(&runs);
            });
        });
        let ticket = world.commit(publish);
        world.pace(&ticket);
        other.join().unwrap();
    });
}

#[test]
fn a_commit_that_waits_for_one_thread_lets_the_others_run() {
    explore(2, || {
        let world = World::new();
        let (runs, waits) = (world.clone(), world.clone());
        let (own, other) = (world.join(), world.join());
        let awaited = own.clone();
        let polls = thread::spawn(move || {
            runs.enter(&own, || {
                own.stack.set(Stack { is_inner: true, unit: None });
                runs.poll(&own);
                calls_both(&runs);
                own.stack.set(Stack::default());
                runs.poll(&own);
                calls_both(&runs);
            });
        });
        let calls = thread::spawn(move || {
            waits.enter(&other, || {
                calls_both(&waits);
                waits.host_call(&other, || ());
                calls_both(&waits);
                other.stack.set(Stack::default());
            });
        });
        let ticket = world.commit_after(&awaited, publish);
        world.pace(&ticket);
        polls.join().unwrap();
        calls.join().unwrap();
        assert_eq!(awaited.poll().load(Relaxed) & poll::STOP, 0, "nobody is wanted any more");
    });
}

#[test]
fn requests_of_two_threads_both_run_one_after_the_other() {
    explore(2, || {
        let world = World::new();
        let (runs, asks) = (world.clone(), world.clone());
        let own = world.join();
        let polls = own.clone();
        let count = |world: &World, _: &[Arc<Thread>]| {
            let before = world.slots[0].load(Relaxed);
            thread::yield_now();
            world.slots[0].store(before + 1, Relaxed);
        };
        let running = thread::spawn(move || runs.enter(&polls, || runs.poll(&polls)));
        let asking = thread::spawn(move || asks.sweep(count));
        let first = world.sweep(count);
        world.pace(&first);
        let second = asking.join().unwrap();
        world.pace(&second);
        running.join().unwrap();
        assert_eq!(world.slots[0].load(Relaxed), 2);
        assert_eq!(own.poll().load(Relaxed) & poll::STOP, 0, "nobody is wanted any more");
    });
}

#[test]
fn a_request_may_enter_the_program_on_the_thread_it_runs_on() {
    explore(3, || {
        let world = World::new();
        let (runs, own, host) = (world.clone(), world.join(), world.join());
        let other = thread::spawn(move || {
            runs.enter(&own, || runs.poll(&own));
        });
        let enters = host.clone();
        let ticket = world.sweep(move |world, _| world.enter(&enters, || world.poll(&enters)));
        world.pace(&ticket);
        other.join().unwrap();
    });
}

/// Preparations of reloads look at the stacks while they hold what a save of the state waits for.
#[test]
fn who_makes_a_request_may_hold_what_another_waits_for() {
    explore(3, || {
        let world = World::new();
        let (runs, own) = (world.clone(), world.join());
        let held = Arc::new(Mutex::new(()));
        let wanted = held.clone();
        let other = thread::spawn(move || runs.enter(&own, || runs.host_call(&own, || ())));
        let first = world.sweep(move |_, _| drop(wanted.lock().unwrap()));
        let holds = held.lock().unwrap();
        let second = world.sweep(|_, _| ());
        drop(holds);
        world.pace(&first);
        world.pace(&second);
        other.join().unwrap();
    });
}
