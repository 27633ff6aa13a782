//! The figures as text.

use crate::calls::Calls;
use crate::memory::Memory;
use crate::pause::Pause;
use crate::rollback::Rollbacks;
use crate::safepoints::Cost;
use crate::save::Saves;
use crate::start::Starts;

/// The first row of a plot begins here at the earliest, in microseconds.
const LEAST: f64 = 50.0;

/// One line a size, and how the times are spread.
pub fn saves(all: &[Saves]) {
    println!("save to live: from rename() to the first instruction of the new code, milliseconds");
    println!(
        "{:>8} {:>9} {:>6} {:>8} {:>8}   medians of the stages, as reported:",
        "lines", "function", "edits", "p50", "p95"
    );
    println!("{:>45}  {:>8} {:>8} {:>8} {:>8} {:>8}", "", "watch", "parse", "check", "compile", "swap");
    for size in all {
        let kind = if size.hot { "hot" } else { "plain" };
        print!("{:>8} {kind:>9} {:>6} {:>8.2} {:>8.2}    ", size.lines, size.edits, size.p50 / 1e3, size.p95 / 1e3);
        println!("{}", size.stages.map(|micros| format!("{:>8.3}", micros / 1e3)).join(" "));
    }
    for size in all {
        let kind = if size.hot { "hot" } else { "plain" };
        println!("\n{} lines, {kind} function: {} edits, each row a time in milliseconds", size.lines, size.edits);
        plot(&size.all);
    }
}

/// A histogram lying on its side, with rows that grow by a fifth each.
fn plot(sorted: &[f64]) {
    let mut from = sorted.first().map_or(LEAST, |first| first.max(LEAST));
    let mut left = sorted;
    while !left.is_empty() {
        let to = from * 1.2;
        let count = left.iter().take_while(|time| **time < to).count();
        left = &left[count..];
        println!("{:>9.2} {}", from / 1e3, "#".repeat(count));
        from = to;
    }
}

/// One line a size.
pub fn rollbacks(all: &[Rollbacks]) {
    println!("\nrollback of one function: from the call until it is live, microseconds");
    for Rollbacks { lines, rounds, p50, p95 } in all {
        println!("{lines:>8} lines  {rounds:>6} times  p50 {p50:>6.0}  p95 {p95:>6.0}");
    }
}

/// The cost of a call.
pub fn calls(calls: &Calls) {
    println!("\na call, nanoseconds (best of five)");
    println!("{:>8.2}  fib, static", calls.fixed);
    println!("{:>8.2}  fib, not hot", calls.direct);
    println!("{:>8.2}  fib, hot: {:+.2} over a direct call", calls.hot, calls.hot - calls.direct);
    println!("{:>8.2}  a turn of a loop that calls a small function, static", calls.loop_fixed);
    println!("{:>8.2}  the same, hot", calls.loop_hot);
}

/// The time from start to exit.
pub fn starts(starts: &Starts) {
    println!("\nprocess start to exit, milliseconds (medians)");
    println!("{:>8.2}  hello", starts.hello);
    println!("{:>8.2}  hello, static", starts.hello_static);
    println!("{:>8.2}  10,000 lines", starts.large);
    println!("{:>8.2}  10,000 lines, static", starts.large_static);
    println!("{:>8.2}  MiB is the size of the command", starts.binary);
}

/// Memory over many reloads.
pub fn memory(memory: &Memory) {
    println!("\nresident memory after so many reloads of a program of 500 lines, MiB");
    for (reloads, mebibytes) in &memory.points {
        println!("{reloads:>8}  {mebibytes:.2}");
    }
}

/// The cost of safepoints, a line a program.
pub fn safepoints(all: &[Cost]) {
    println!("\nwhat safepoints cost: microseconds a run, all functions hot; goal: at most 1 %");
    println!("{:>14} {:>10} {:>10} {:>10} {:>8}", "", "static", "without", "with", "cost");
    for Cost { name, example, fixed, unpolled, hot, safepoints } in all {
        let times = [fixed, unpolled, hot].map(|time| format!("{:>10.3}", time / 1e3)).join(" ");
        println!("{name:>14} {times} {:>+7.1}%{}", safepoints * 100.0, if *example { "  example" } else { "" });
    }
}

/// How long the program stands still, a line an edit.
pub fn pauses(all: &[Pause]) {
    println!("\nhow long the program stands still, microseconds; the last row: until it runs again");
    println!("{:>48} {:>6} {:>9} {:>9} {:>9} {:>8}", "", "times", "p50", "p99", "longest", "goal");
    for Pause { what, times, p50, p99, longest, goal } in all {
        println!("{what:>48} {times:>6} {p50:>9.0} {p99:>9.0} {longest:>9.0} {goal:>8.0}");
    }
}
