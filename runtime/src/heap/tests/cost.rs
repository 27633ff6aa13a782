//! What the heap costs; run with `--ignored --nocapture`, in release mode.

use std::time::Instant;

use vaisjit_semantics::Ty;

use super::*;
use crate::heap::block::Payload;

fn each(what: &str, times: u32, mut body: impl FnMut()) {
    let start = Instant::now();
    (0..times).for_each(|_| body());
    println!("{what}: {:.1} ns", start.elapsed().as_nanos() as f64 / f64::from(times));
}

#[test]
#[ignore = "a measurement"]
fn cost() {
    let kit = Kit::new();
    let of = kit.of(Ty::str());
    each("text made and freed", 2_000_000, || {
        let text = kit.text("a short text");
        kit.heap.count_down(Payload(text as usize)).unwrap();
    });
    let mut all = Vec::with_capacity(1_000_000);
    each("text made", 1_000_000, || all.push(kit.text("a short text")));
    let mut next = all.iter();
    each("text freed", 1_000_000, || {
        if let Some(text) = next.next() {
            kit.heap.count_down(Payload(*text as usize)).unwrap();
        }
    });
    let text = kit.text("x");
    each("retained and released by type", 5_000_000, || {
        kit.heap.retain(at(&text), of);
        kit.heap.release(at(&text), of).unwrap();
    });
}
