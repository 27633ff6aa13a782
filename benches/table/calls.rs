//! What a call through a slot costs over a direct one.

use std::time::Instant;

use serde::Serialize;
use vaisjit::{Engine, Program};

/// Nanoseconds a call.
#[derive(Serialize)]
pub struct Calls {
    /// `fib` calling itself directly, in static mode.
    pub fixed: f64,
    /// The same without `#[hot]` in a program that can be reloaded.
    pub direct: f64,
    /// The same with `#[hot]`.
    pub hot: f64,
    /// A turn of a loop that calls a small hot function.
    pub loop_hot: f64,
    /// A turn of that loop in static mode, where the function may be inlined.
    pub loop_fixed: f64,
}

const TEXT: &str = "
F fib(n: i64) -> i64 { n < 2 ? n : fib(n - 1) + fib(n - 2) }

#[hot]
F hot_fib(n: i64) -> i64 { n < 2 ? n : hot_fib(n - 1) + hot_fib(n - 2) }

#[hot]
F add(a: i64, b: i64) -> i64 { a + (b ^ 5) }

F turns(n: i64) -> i64 {
    sum := 0
    L i: 0..n { sum = add(sum, i) }
    sum
}
";

/// Runs `fib(n)` in each way, and as many turns of a loop.
pub fn measure(n: i64) -> Calls {
    let load = |fixed| {
        let engine = Engine::builder().static_mode(fixed).build().expect("an engine");
        engine.load_str(TEXT).unwrap_or_else(|error| panic!("{error}"))
    };
    let (hot, fixed) = (load(false), load(true));
    let calls = calls_of_fib(n);
    Calls {
        fixed: nanoseconds(&fixed, "fib", n, calls),
        direct: nanoseconds(&hot, "fib", n, calls),
        hot: nanoseconds(&hot, "hot_fib", n, calls),
        loop_hot: nanoseconds(&hot, "turns", calls as i64, calls),
        loop_fixed: nanoseconds(&fixed, "turns", calls as i64, calls),
    }
}

/// How often `fib` is called for `fib(n)`.
fn calls_of_fib(n: i64) -> f64 {
    let (mut calls, mut before) = (1.0, 1.0);
    for _ in 1..n {
        (calls, before) = (calls + before + 1.0, calls);
    }
    calls
}

/// The best of several runs: what disturbs a measurement only makes it longer.
fn nanoseconds(program: &Program, function: &str, argument: i64, calls: f64) -> f64 {
    let function = program.function::<(i64,), i64>(function).unwrap_or_else(|error| panic!("{error}"));
    let once = || {
        let start = Instant::now();
        std::hint::black_box(function.call((argument,)).expect("no trap"));
        start.elapsed().as_secs_f64() * 1e9 / calls
    };
    (0..5).map(|_| once()).fold(f64::INFINITY, f64::min)
}
