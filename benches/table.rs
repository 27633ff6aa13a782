//! Prints the figures of the README: how long a save and a rollback take to be live and how long the program stands still
//! for it, what safepoints and hot calls cost, how long programs take to start, and whether memory grows.
//! `cargo bench -p vaisjit-cli --bench table`; add `-- --json` for one JSON object, `-- --quick` for a rough look in a
//! few seconds, the names of rows (`saves`, `rollbacks`, `pauses`, `safepoints`, `calls`, `starts`, `memory`) for some.
//! `-- safepoints sieve fountain` measures these programs only.

#[path = "table/calls.rs"]
mod calls;
#[path = "table/memory.rs"]
mod memory;
#[path = "table/pause.rs"]
mod pause;
#[path = "table/print.rs"]
mod print;
#[path = "table/programs.rs"]
mod programs;
#[path = "table/rollback.rs"]
mod rollback;
#[path = "table/safepoints.rs"]
mod safepoints;
#[path = "table/save.rs"]
mod save;
#[path = "table/start.rs"]
mod start;

use serde_json::json;

/// What can be chosen by name.
const ROWS: [&str; 7] = ["saves", "rollbacks", "pauses", "safepoints", "calls", "starts", "memory"];

/// How thoroughly to measure.
struct Effort {
    edits: usize,
    starts: usize,
    fib: i64,
    reloads: usize,
    rounds: usize,
}

const FULL: Effort = Effort { edits: 100, starts: 40, fib: 36, reloads: 20_000, rounds: 300 };
const QUICK: Effort = Effort { edits: 10, starts: 5, fib: 30, reloads: 1_000, rounds: 60 };

fn main() {
    let options: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| options.iter().any(|given| given == option);
    let effort = if has("--quick") { QUICK } else { FULL };
    let chosen = |row: &str| ROWS.iter().all(|row| !has(row)) || has(row);
    let mut all = serde_json::Map::new();
    let mut told = |row: &str, value: serde_json::Value| all.insert(row.to_owned(), value);
    let json = has("--json");
    if chosen("saves") {
        let saves: Vec<save::Saves> = save::cases().into_iter().map(|case| save::measure(case, effort.edits)).collect();
        told("save_to_live", json!(saves));
        if !json {
            print::saves(&saves)
        }
    }
    if chosen("rollbacks") {
        let rollbacks = [50, 10_000].map(|lines| rollback::measure(lines, effort.edits * 10));
        told("rollback", json!(rollbacks));
        if !json {
            print::rollbacks(&rollbacks)
        }
    }
    if chosen("pauses") {
        let pauses = pause::measure(effort.edits);
        told("pauses", json!(pauses));
        if !json {
            print::pauses(&pauses)
        }
    }
    if chosen("safepoints") {
        let costs = safepoints::measure(effort.rounds, has);
        told("safepoints", json!(costs));
        if !json {
            print::safepoints(&costs)
        }
    }
    if chosen("calls") {
        let calls = calls::measure(effort.fib);
        told("calls", json!(calls));
        if !json {
            print::calls(&calls)
        }
    }
    if chosen("starts") {
        let starts = start::measure(effort.starts);
        told("start", json!(starts));
        if !json {
            print::starts(&starts)
        }
    }
    if chosen("memory") {
        let memory = memory::measure(reloads(effort.reloads));
        told("memory", json!(memory));
        if !json {
            print::memory(&memory)
        }
    }
    if json {
        println!("{}", serde_json::Value::Object(all));
    }
}

/// How many reloads memory is looked at for: `RELOADS` in the environment (1,000,000 takes an hour), or so many.
fn reloads(usual: usize) -> usize {
    std::env::var("RELOADS").ok().and_then(|number| number.replace(['_', ','], "").parse().ok()).unwrap_or(usual)
}

/// The value below which `part` of the sorted values lie.
fn percentile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}
