//! An interrupt is not lost among the traps that a thread raises itself.

use std::sync::Arc;

use loom::thread;
use vaisjit_abi::context::poll;

use crate::model::{World, explore};
use crate::rendezvous::{interrupt, trap_is_taken};
use crate::sync::{AtomicBool, AtomicU8, Ordering};

#[test]
fn an_interrupt_outlives_the_end_of_another_trap() {
    explore(3, || {
        let bits = Arc::new((AtomicU8::new(poll::TRAP), AtomicBool::new(false)));
        let theirs = bits.clone();
        let other = thread::spawn(move || interrupt(&theirs.0, &theirs.1, || ()));
        trap_is_taken(&bits.0, &bits.1);
        other.join().unwrap();
        assert_eq!(bits.0.load(Ordering::Relaxed), poll::TRAP);
    });
}

#[test]
fn an_interrupted_thread_waits_for_nobody() {
    explore(3, || {
        let world = World::new();
        let (runs, own, running) = (world.clone(), world.join(), world.join());
        let polls = own.clone();
        let other = thread::spawn(move || runs.enter(&polls, || runs.poll(&polls)));
        let mut asked = None;
        // This thread runs until the other one has ended: its request cannot.
        world.enter(&running, || {
            asked = Some(world.sweep(|_, _| ()));
            world.interrupt(&own);
            other.join().unwrap();
        });
        asked.iter().for_each(|ticket| world.pace(ticket));
    });
}
