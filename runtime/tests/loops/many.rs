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

#[test]
fn a_program_can_ask_how_long_it_stood_still() {
    let text = "
F run() -> i64 {
    before := hot_paused_us()
    next_text()
    hot_reload()
    paused := hot_paused_us()
    again := hot_paused_us()
    I before == 0 && paused > 0 && again == 0 { 1 } E { 0 }
}
F other() -> i64 = 1
";
    assert_eq!(program(text, &[&[("= 1", "= 2")]]).call("run"), 1);
}

#[test]
fn white_space_moves_the_places_in_a_loop_that_has_gone_on() {
    let text = "
F run() -> i64 {
    all := [1, 2, 3]
    n := 0
    L n < 10 {
        n += 1
        I n == 1 || n == 2 {
            next_text()
            hot_reload()
        }
        I n == 5 { n += all[n] }
    }
    n
}
";
    let body: &[(&str, &str)] = &[("n += all[n]", "n += all[n] + 1")];
    let space: &[(&str, &str)] = &[("    n := 0\n", "\n\n    n := 0\n\n\n"), ("F run", "# A comment.\nF run")];
    let played = program(text, &[body, space]);
    let trap = played.program.function::<(), i64>("run").expect("the function").call(()).expect_err("an index");
    assert_eq!(trap.location().map(|at| at.line), Some(11 + 5), "{trap:?}");
    assert_eq!(trap.line.as_deref(), Some("        I n == 5 { n += all[n] + 1 }"));
}

#[test]
fn a_loop_without_a_counterpart_before_one_that_has_one() {
    let text = "
F next(n: i64) -> i64 = n
F run() -> i64 {
    n := 0
    sum := 0
    L n < 5 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
        sum += 1
    }
    L k: 0..4 { sum += next(k) * 10 }
    sum
}
";
    // The loop that runs is gone; the one behind it goes on in the new code at its second turn.
    let first = text.split("    L n < 5").nth(1).unwrap().split("    L k").next().unwrap();
    let gone = format!("    L n < 5{first}");
    let (result, told) = super::harness::run(text, &[&[(&gone, ""), ("* 10", "* 100")]]);
    assert_eq!(result, 5 + 600, "{told:?}");
    assert_eq!(told[0], "run at the next call");
}
