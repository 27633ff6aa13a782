//! Prints the figures of the README: how long a save and a rollback take to be live, what a hot call costs, how long programs take to
//! start, and whether memory grows. `cargo bench -p vaisjit-cli --bench table`; add `-- --json` for one JSON object,
//! `-- --quick` for a rough look in a few seconds.

#[path = "table/calls.rs"]
mod calls;
#[path = "table/memory.rs"]
mod memory;
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

/// How thoroughly to measure.
struct Effort {
    edits: usize,
    starts: usize,
    fib: i64,
    reloads: usize,
    rounds: usize,
}

const FULL: Effort = Effort { edits: 100, starts: 40, fib: 36, reloads: 10_000, rounds: 300 };
const QUICK: Effort = Effort { edits: 10, starts: 5, fib: 30, reloads: 1_000, rounds: 60 };

fn main() {
    let options: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| options.iter().any(|given| given == option);
    let effort = if has("--quick") { QUICK } else { FULL };
    if has("safepoints") {
        print::safepoints(&safepoints::measure(effort.rounds));
        return;
    }
    let saves: Vec<save::Saves> = save::cases().into_iter().map(|case| save::measure(case, effort.edits)).collect();
    let calls = calls::measure(effort.fib);
    let starts = start::measure(effort.starts);
    let memory = memory::measure(effort.reloads);
    let rollbacks = [50, 10_000].map(|lines| rollback::measure(lines, effort.edits * 10));
    if has("--json") {
        let all = json!({
            "save_to_live": saves, "rollback": rollbacks, "calls": calls, "start": starts, "memory": memory,
        });
        println!("{all}");
        return;
    }
    print::saves(&saves);
    print::rollbacks(&rollbacks);
    print::calls(&calls);
    print::starts(&starts);
    print::memory(&memory);
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
