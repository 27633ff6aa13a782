//! Does memory grow with the number of reloads?

use serde::Serialize;
use vaisjit::Engine;

use crate::programs;

/// Resident memory in MiB after so many reloads.
#[derive(Serialize)]
pub struct Memory {
    pub points: Vec<(usize, f64)>,
}

/// Reloads a program of 500 lines so many times, calling it after each.
pub fn measure(reloads: usize) -> Memory {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("bench.vais");
    let save = |version: usize| std::fs::write(&path, programs::text(500, version as i64, 0)).expect("written");
    save(1);
    let builder = Engine::builder().function("stamp", |_: i64| {}).function("running", || false);
    let program = builder.build().expect("an engine").load_file(&path).unwrap_or_else(|error| panic!("{error}"));
    let tick = program.function::<(i64,), i64>("tick").unwrap_or_else(|error| panic!("{error}"));
    let wanted = [reloads / 100, reloads / 10, reloads / 2, reloads];
    let mut points = Vec::new();
    for done in 1..=reloads {
        save(done + 1);
        program.poll().unwrap_or_else(|error| panic!("{error}"));
        tick.call((3,)).expect("no trap");
        if wanted.contains(&done) {
            points.push((done, resident()));
        }
    }
    assert_eq!(program.version(), reloads as u64 + 1, "each save is a reload");
    Memory { points }
}

fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = status.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(f64::NAN);
    pages * 4096.0 / 1024.0 / 1024.0
}
