//! Many edits, threads, and code that nobody runs any more.

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
