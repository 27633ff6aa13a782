//! Many edits, threads, and code that nobody runs any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use vaisjit::{Engine, MemoryLoader, Update};

use super::harness::{program, texts_of};

const STEPS: usize = 20;

fn step(number: usize) -> String {
    let extra: String = (0..number % 4).map(|n| format!("    extra{n} := \"text {{sum}} {n}\"\n")).collect();
    let uses: String = (0..number % 4).map(|n| format!("        sum += extra{n}.len() * 0\n")).collect();
    format!(
        "
F main() -> i64 {{
    sum := 0
    n := 0
{extra}    L n < {} {{
        n += 1
{uses}        sum += {number}
        next_text()
        hot_reload()
    }}
    sum
}}
",
        STEPS + 1
    )
}

#[test]
fn twenty_edits_of_a_running_main() {
    let texts: Vec<String> = (0..=STEPS).map(step).collect();
    let played = texts_of(texts);
    let sum: usize = (0..=STEPS).sum();
    assert_eq!(usize::from(played.program.run_main().expect("no trap")), sum % 256);
    assert_eq!(played.program.version(), STEPS as u64 + 1);
    played.assert_no_leaks();
    let told = played.told();
    assert_eq!(told.iter().filter(|line| *line == "main at the next loop head").count(), STEPS, "{told:#?}");
}

#[test]
fn edits_while_a_frame_further_out_waits() {
    let text = "
F inner() -> i64 {
    k := 0
    L k < 4 {
        k += 1
        next_text()
        hot_reload()
    }
    k
}
F run() -> i64 {
    sum := 0
    L i: 0..3 {
        I i == 0 { inner() }
        sum += 1
    }
    sum
}
";
    // The first turn of `run` is finished in the oldest code, the others run in the newest.
    let edits: &[&[(&str, &str)]] =
        &[&[("sum += 1\n", "sum += 10\n")], &[("sum += 10\n", "sum += 100\n")], &[("sum += 100\n", "sum += 1000\n")]];
    let played = program(text, edits);
    assert_eq!(played.call("run"), 2001);
}

#[test]
fn two_threads_in_the_same_loop() {
    let text = "
G go: i64
F leave() -> i64 {
    go = 1
    0
}
F work() -> i64 {
    n := 0
    L go == 0 {
        n += 1
        I n == 1 { inside() }
    }
    I n > 0 { 1 } E { 0 }
}
";
    let files = MemoryLoader::default();
    files.set("main.vais", text);
    let count = Arc::<AtomicI64>::default();
    let counts = count.clone();
    let inside = move || counts.fetch_add(1, Ordering::SeqCst);
    let engine = Engine::builder().function("inside", inside).build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("a program");
    std::thread::scope(|scope| {
        let work = || program.function::<(), i64>("work").expect("the function").call(()).expect("no trap");
        let workers = [scope.spawn(work), scope.spawn(work)];
        let started = Instant::now();
        while count.load(Ordering::SeqCst) < 2 && started.elapsed() < Duration::from_secs(30) {
            std::thread::yield_now();
        }
        files.set("main.vais", text.replace("I n > 0 { 1 }", "I n > 1 { 2 }"));
        let update = program.poll().expect("it can be carried");
        program.function::<(), i64>("leave").expect("the function").call(()).expect("no trap");
        let results = workers.map(|worker| worker.join().expect("no panic"));
        let Update::Reloaded { report, .. } = update else { panic!("{update:?}") };
        assert_eq!(report.edits[0].to_string(), "function work changed: at the next loop head");
        assert_eq!(results, [2, 2]);
    });
}
