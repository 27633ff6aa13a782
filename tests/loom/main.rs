//! The runtime's own rendezvous, compiled against loom, which tries the orders that threads can take its steps in and the
//! values that their loads can see. Generated code, stacks and units of code are modelled.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p vaisjit-loom --release`
#![cfg(loom)]

mod barrier;
mod model;
#[expect(dead_code, reason = "the pacer, which waits by the clock, is not modelled")]
#[path = "../../runtime/src/code/rendezvous.rs"]
mod rendezvous;
mod sync;

mod interrupts;
mod requests;
mod units;
