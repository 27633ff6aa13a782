//! Rolling back: from the call of `rollback` until the earlier code is live, for an edit of one function.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use vaisjit::{Engine, MemoryLoader};

use crate::{percentile, programs, sorted};

const FILE: &str = "bench.vais";

/// The figures of one size; times in microseconds.
#[derive(Serialize)]
pub struct Rollbacks {
    pub lines: usize,
    pub rounds: usize,
    pub p50: f64,
    pub p95: f64,
}

/// Goes back and forth between two versions so many times.
pub fn measure(lines: usize, rounds: usize) -> Rollbacks {
    let files = MemoryLoader::default();
    files.set(FILE, programs::text(lines, 1, 0));
    let engine = Engine::builder().function("stamp", |_: i64| ()).function("running", || false);
    let engine = engine.build().expect("an engine");
    let program = engine.load_with(FILE, Arc::new(files.clone())).expect("a program");
    files.set(FILE, programs::text(lines, 2, 0));
    program.poll().expect("carried over");
    let round = |_| {
        let before = program.version() - 1;
        let start = Instant::now();
        program.rollback(before).expect("it is kept");
        start.elapsed().as_secs_f64() * 1e6
    };
    let all = sorted((0..rounds + 3).map(round).skip(3).collect());
    Rollbacks { lines, rounds, p50: percentile(&all, 0.5), p95: percentile(&all, 0.95) }
}
