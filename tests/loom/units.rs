//! Code is freed only when no thread can be in it.

use std::sync::Arc;

use loom::thread;

use crate::model::{Stack, Thread, World, explore};
use crate::sync::Ordering::Relaxed;

/// Calls what is in the slot: a frame of that unit, which runs before and after a poll or a call of the host.
fn call(world: &World, own: &Thread, between: impl FnOnce()) {
    let unit = world.slots[0].load(Relaxed);
    own.stack.set(Stack { is_inner: false, unit: Some(unit) });
    run(world, unit);
    between();
    run(world, unit);
    own.stack.set(Stack::default());
}

/// Running code reads it: loom would see it being freed.
fn run(world: &World, unit: usize) {
    assert!(world.units[unit].get(), "the code is gone");
}

fn replace(world: &World, _: &[Arc<Thread>]) {
    world.slots[0].store(1, Relaxed);
}

/// Frees the replaced unit if no stack reaches it.
fn free(world: &World, threads: &[Arc<Thread>]) {
    if threads.iter().all(|thread| thread.stack.get().unit != Some(0)) {
        world.units[0].set(false);
    }
}

/// A commit and a sweep soon after.
fn replace_and_free(world: &World, other: thread::JoinHandle<()>) {
    world.commit(replace);
    sweep_twice(world, other);
}

/// What the first sweep cannot free, the second one can, as the thread has left.
fn sweep_twice(world: &World, other: thread::JoinHandle<()>) {
    let swept = world.sweep(free);
    world.pace(&swept);
    other.join().unwrap();
    world.pace(&world.sweep(free));
    assert!(!world.units[0].get(), "nothing keeps the code");
}

#[test]
fn code_outlives_threads_that_poll_in_it() {
    explore(3, || {
        let world = World::new();
        let (runs, own) = (world.clone(), world.join());
        let other = thread::spawn(move || runs.enter(&own, || call(&runs, &own, || runs.poll(&own))));
        replace_and_free(&world, other);
    });
}

#[test]
fn code_outlives_threads_that_have_called_the_host_from_it() {
    explore(3, || {
        let world = World::new();
        let (runs, own) = (world.clone(), world.join());
        let other = thread::spawn(move || runs.enter(&own, || call(&runs, &own, || runs.host_call(&own, || ()))));
        replace_and_free(&world, other);
    });
}

#[test]
fn code_outlives_threads_that_come_for_the_first_time() {
    explore(3, || {
        let world = World::new();
        let runs = world.clone();
        let other = thread::spawn(move || {
            let own = runs.join();
            runs.enter(&own, || call(&runs, &own, || runs.poll(&own)));
        });
        replace_and_free(&world, other);
    });
}

#[test]
fn code_replaced_by_one_store_at_any_time_outlives_its_callers() {
    explore(3, || {
        let world = World::new();
        let (runs, own) = (world.clone(), world.join());
        let other = thread::spawn(move || runs.enter(&own, || call(&runs, &own, || runs.poll(&own))));
        replace(&world, &[]);
        sweep_twice(&world, other);
    });
}
