//! What it costs that running code can be stopped and replaced: programs with and without safepoints, by turns in one
//! process, for the machine is shared.

use std::time::{Duration, Instant};

use serde::Serialize;
use vaisjit::{Engine, EngineBuilder, Program};

use crate::percentile;

/// The cost for one program; times in nanoseconds a call of `bench(n)`.
#[derive(Serialize)]
pub struct Cost {
    pub name: &'static str,
    /// One of the examples, or a program to measure with.
    pub example: bool,
    /// In static mode.
    pub fixed: f64,
    /// All functions hot, but without safepoints.
    pub unpolled: f64,
    /// All functions hot.
    pub hot: f64,
    /// What the last takes more than the one before, as a part of it.
    pub safepoints: f64,
}

/// How long one run takes at least: less than a time slice, so that some are not disturbed.
const RUN: Duration = Duration::from_millis(1);

const PROGRAMS: [(&str, &str); 12] = [
    ("nbody", include_str!("../speed/nbody.vais")),
    ("nbody_sums", include_str!("../speed/nbody_sums.vais")),
    ("nbody_while", include_str!("../speed/nbody_while.vais")),
    ("spectral", include_str!("../speed/spectral.vais")),
    ("permutations", include_str!("../speed/permutations.vais")),
    ("matrix", include_str!("../speed/matrix.vais")),
    ("mandelbrot", include_str!("../speed/mandelbrot.vais")),
    ("sieve", include_str!("../speed/sieve.vais")),
    ("strings", include_str!("../speed/strings.vais")),
    ("balls", include_str!("../speed/balls.vais")),
    ("vectors", include_str!("../speed/vectors.vais")),
    ("calls", include_str!("../speed/calls.vais")),
];

/// The examples' step functions, with what calls them: several a turn, for the loop around is not theirs.
const EXAMPLES: [(&str, &str); 3] = [
    (
        "physics",
        concat!(
            include_str!("../../examples/multi/physics.vais"),
            "F bench(n: i64) -> i64 {
                ball := Ball { height: 20.0, speed: 0.0 }
                L i: 0..n {
                    step(&ball, 0.05); step(&ball, 0.05); step(&ball, 0.05); step(&ball, 0.05)
                    step(&ball, 0.05); step(&ball, 0.05); step(&ball, 0.05); step(&ball, 0.05)
                }
                ball.height as i64
            }"
        ),
    ),
    (
        "game",
        concat!(
            include_str!("../../examples/hot_reload_game.vais"),
            "F bench(n: i64) -> i64 {
                state := GameState { x: 0, y: 0, score: 0 }
                L i: 0..n {
                    update_game(&state, 0.016); update_game(&state, 0.016); update_game(&state, 0.016)
                    update_game(&state, 0.016); update_game(&state, 0.016); update_game(&state, 0.016)
                }
                state.score
            }"
        ),
    ),
    (
        "fountain",
        concat!(
            include_str!("../../examples/hot_reload_advanced.vais"),
            "F bench(n: i64) -> i64 {
                L i: 0..n { update(STEP) }
                world.frame
            }"
        ),
    ),
];

/// Runs each program so many times in each way; of all, or of those that are named.
pub fn measure(rounds: usize, named: impl Fn(&str) -> bool) -> Vec<Cost> {
    let examples = EXAMPLES.iter().map(|(name, text)| (*name, true, *text));
    let all: Vec<_> = examples.chain(PROGRAMS.iter().map(|(name, text)| (*name, false, *text))).collect();
    let any = all.iter().any(|(name, ..)| named(name));
    let chosen = all.into_iter().filter(|(name, ..)| !any || named(name));
    chosen.map(|(name, example, text)| cost(name, example, text, rounds)).collect()
}

fn cost(name: &'static str, example: bool, text: &str, rounds: usize) -> Cost {
    let load = |builder: EngineBuilder| {
        let program = builder.build().expect("an engine").load_str(text);
        program.unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let fixed = load(Engine::builder().static_mode(true).single_threaded(true));
    let unpolled = load(Engine::builder().all_hot(true).safepoints(false));
    let hot = load(Engine::builder().all_hot(true));
    let turns = turns(&hot);
    let programs = [fixed, unpolled, hot];
    let mut all = [const { Vec::new() }; 3];
    // By turns, and each as often before as behind the others: what drifts favours none.
    for round in 0..rounds {
        for index in (0..3).map(|index| (index + round) % 3) {
            all[index].push(nanoseconds(&programs[index], turns));
        }
    }
    let [fixed, unpolled, hot] = all.map(|times| percentile(&crate::sorted(times), 0.1));
    Cost { name, example, fixed, unpolled, hot, safepoints: hot / unpolled - 1.0 }
}

/// An argument with which `bench` runs long enough to be measured.
fn turns(program: &Program) -> i64 {
    let mut turns = 1;
    while nanoseconds(program, turns) * (turns as f64) < RUN.as_nanos() as f64 {
        turns *= 2;
    }
    turns
}

fn nanoseconds(program: &Program, turns: i64) -> f64 {
    let bench = program.function::<(i64,), i64>("bench").unwrap_or_else(|error| panic!("{error}"));
    let start = Instant::now();
    std::hint::black_box(bench.call((turns,)).expect("no trap"));
    start.elapsed().as_secs_f64() * 1e9 / turns as f64
}
