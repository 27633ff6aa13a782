//! From the start of the process to its exit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::{percentile, programs, sorted};

/// Milliseconds.
#[derive(Serialize)]
pub struct Starts {
    /// `hello`, reloading.
    pub hello: f64,
    /// `hello` with `--static`.
    pub hello_static: f64,
    /// A program of 10,000 lines in 1,000 functions that returns at once.
    pub large: f64,
    /// The same with `--static`.
    pub large_static: f64,
    /// Size of the command, in MiB.
    pub binary: f64,
}

/// Starts each program so many times; the figures are medians.
pub fn measure(times: usize) -> Starts {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (hello, large) = (folder.path().join("hello.vais"), folder.path().join("large.vais"));
    std::fs::write(&hello, "F main() -> i64 {\n    puts(\"hello\")\n    0\n}\n").expect("written");
    std::fs::write(&large, that_ends(10_000)).expect("written");
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_vaisjit")).map_or(0, |data| data.len());
    Starts {
        hello: milliseconds(&hello, &[], times),
        hello_static: milliseconds(&hello, &["--static"], times),
        large: milliseconds(&large, &[], times),
        large_static: milliseconds(&large, &["--static"], times),
        binary: size as f64 / 1024.0 / 1024.0,
    }
}

fn milliseconds(file: &Path, options: &[&str], times: usize) -> f64 {
    let once = || {
        let start = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vaisjit"));
        let status = command.arg("run").args(options).arg(file).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.is_ok_and(|status| status.success()), "{} runs", file.display());
        start.elapsed().as_secs_f64() * 1e3
    };
    percentile(&sorted((0..times).map(|_| once()).collect()), 0.5)
}

/// A program of so many lines that calls no host and ends at once.
fn that_ends(lines: usize) -> String {
    let text = programs::text(lines, 1, 0);
    text.replace("L running() {", "L 1 < 0 {").replace("stamp(1 + plain(0))", "turns = plain(0)")
}
