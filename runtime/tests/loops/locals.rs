//! What a loop holds: kept, new, gone, converted.

use super::harness::{goes_on, program, run};

const LOOP: &str = "
F run() -> i64 {
    speed := 3
    name := \"first\"
    sum := 0
    n := 0
    L n < 10 {
        n += 1
        I n == 4 {
            next_text()
            hot_reload()
        }
        sum += speed
    }
    sum + name.len()
}
";

#[test]
fn a_kept_local_keeps_its_value_and_the_report_says_so() {
    let (result, told) = run(LOOP, &[&[("speed := 3", "speed := 300"), ("sum += speed", "sum += speed * 2")]]);
    assert_eq!(result, 12 + 36 + 5);
    assert_eq!(
        told,
        ["run at the next loop head", "`speed` in the running `run` keeps its value: only its initial value changed"]
    );
}

#[test]
fn only_what_comes_before_the_loop() {
    let (result, told) = run(LOOP, &[&[("speed := 3", "speed := 300")]]);
    assert_eq!(result, 35);
    assert_eq!(told[0], "run at the next call");
    assert!(
        told.iter().any(|line| line.starts_with("only what `run` does before its running loop changed")),
        "{told:?}"
    );
}

#[test]
fn a_renamed_local_keeps_its_value() {
    let turn =
        [("n := 0", "turn := 0"), ("L n < 10", "L turn < 10"), ("n += 1", "turn += 1"), ("I n == 4", "I turn == 4")];
    let (result, told) = run(LOOP, &[&turn]);
    assert_eq!(result, 35);
    assert!(told.contains(&"`turn` in the running `run` takes over the value of `n`".to_owned()), "{told:?}");
    // Another initial value makes another local: it starts afresh.
    let total = [("sum := 0", "total := 0 + 0"), ("sum += speed", "total += speed"), ("sum + name", "total + name")];
    let (result, told) = run(LOOP, &[&total]);
    assert_eq!(result, 18 + 5);
    assert!(!told.iter().any(|line| line.contains("takes over")), "{told:?}");
}

#[test]
fn a_new_local_is_computed() {
    let edits: &[(&str, &str)] = &[("sum := 0", "sum := 0\n    twice := speed * 2"), ("sum += speed", "sum += twice")];
    assert_eq!(goes_on(LOOP, &[edits]), 12 + 36 + 5);
}

#[test]
fn new_locals_of_all_sorts() {
    let before = "sum := 0";
    let after =
        "sum := 0\n    all := Vec.new()\n    text := \"new {speed}\"\n    pair := (speed, 5)\n    row := [1, 2, 3]";
    let uses = "all.push(n)\n        sum += pair.0 + pair.1 + row[1] + text.len() + all.len()";
    let result = goes_on(LOOP, &[&[(before, after), ("sum += speed", uses)]]);
    let turns: i64 = (1..=6).map(|turn| 3 + 5 + 2 + 5 + turn).sum();
    assert_eq!(result, 12 + turns + 5);
}

#[test]
fn a_local_that_owns_memory_is_gone() {
    let text = LOOP.replace("name := \"first\"", "name := \"a text of {speed}\"");
    let result = goes_on(&text, &[&[("    name := \"a text of {speed}\"\n", ""), (" + name.len()", "")]]);
    assert_eq!(result, 30);
}

#[test]
fn a_local_changes_its_type() {
    let edits: &[(&str, &str)] = &[("speed := 3", "speed := 3.5"), ("sum += speed", "sum += (speed * 2.0) as i64")];
    assert_eq!(goes_on(LOOP, &[edits]), 12 + 36 + 5);
}

#[test]
fn a_local_that_cannot_be_converted_keeps_the_old_code() {
    let edits: &[(&str, &str)] = &[("speed := 3", "speed := \"text\""), ("sum += speed", "sum += speed.len()")];
    let (result, told) = run(LOOP, &[edits]);
    assert_eq!(result, 35);
    assert_eq!(told[0], "run at the next call");
    assert!(told.iter().any(|line| line.contains("`speed` was `i64` and is now `str`")), "{told:?}");
}

#[test]
fn a_new_local_that_only_a_call_can_compute() {
    let edits: &[(&str, &str)] =
        &[("sum := 0", "sum := 0\n    other := next_text()"), ("sum += speed", "sum += other")];
    let (result, told) = run(LOOP, &[edits]);
    assert_eq!(result, 35);
    assert_eq!(told[0], "run at the next call");
    assert!(told.iter().any(|line| line.contains("`other`")), "{told:?}");
}

#[test]
fn shadowed_names() {
    let text = "
F run() -> i64 {
    x := 1
    y := x + 1
    x := \"text {y}\"
    sum := 0
    n := 0
    L n < 6 {
        n += 1
        x := n * 10
        I n == 3 {
            next_text()
            hot_reload()
        }
        sum += x + y
    }
    sum + x.len()
}
";
    assert_eq!(goes_on(text, &[&[("sum += x + y", "sum += x + y + 1000")]]), 210 + 12 + 3000 + 6);
}

#[test]
fn structs_arrays_and_addresses() {
    let text = "
S State { frame: i64, at: (i64, i64), row: [i64; 4] }
F step(s: *State) -> i64 {
    s.frame += 1
    s.row[s.frame & 3] += s.frame
    s.frame
}
F run() -> i64 {
    state := State { frame: 0, at: (1, 2), row: [0, 0, 0, 0] }
    own := &state
    L state.frame < 10 {
        I step(&state) == 4 {
            next_text()
            hot_reload()
        }
        own.at.0 += 1
    }
    state.frame * 10000 + state.at.0 * 100 + state.row[0]
}
";
    let edits: &[(&str, &str)] = &[("own.at.0 += 1", "own.at.0 += 2"), ("state.frame < 10", "state.frame < 8")];
    assert_eq!(goes_on(text, &[edits]), 80000 + (1 + 4 + 8) * 100 + 12);
}

#[test]
fn numbers_of_every_size() {
    let text = "
F run() -> i64 {
    a: i8 = -3
    b: u16 = 65535
    c: f32 = 1.5
    d: i128 = 1
    e: u64 = 18446744073709551615
    f: bool = true
    n := 0
    L n < 6 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
        d = d * 1000000007
    }
    I a == -3 && b == 65535 && c == 1.5 && e == 18446744073709551615 && f { (d % 1000003) as i64 } E { -1 }
}
";
    let expected = run(text, &[]).0;
    assert_eq!(goes_on(text, &[&[("n += 1", "n += 1\n        n += 0")]]), expected);
}

#[test]
fn locals_in_struct_fields_moved_between_registers_and_memory() {
    let text = "
S P { x: i64, y: f64, on: bool }
F look(p: *P) -> i64 = p.x
F run() -> i64 {
    p := P { x: 1, y: 2.5, on: true }
    n := 0
    L n < 6 {
        n += 1
        I n == 2 || n == 4 {
            next_text()
            hot_reload()
        }
        p.x += 1
    }
    p.x * 10 + (p.y * 2.0) as i64 + (p.on ? 100 : 0)
}
";
    let to_memory: &[(&str, &str)] = &[("p.x += 1", "p.x += look(&p)")];
    let back: &[(&str, &str)] = &[("p.x += look(&p)", "p.x += 1")];
    // Up to 3, then doubled twice, then two more.
    assert_eq!(goes_on(text, &[to_memory, back]), (3 * 2 * 2 + 2) * 10 + 5 + 100);
}

#[test]
fn a_parameter_that_is_gone_and_one_that_stays() {
    let text = "
F work(to: i64, by: i64) -> i64 {
    n := 0
    sum := 0
    L n < to {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
        sum += by
    }
    sum
}
F run() -> i64 = work(10, 5)
";
    let edits: &[(&str, &str)] =
        &[("F work(to: i64, by: i64)", "F work(to: i64)"), ("work(10, 5)", "work(10)"), ("sum += by", "sum += 1")];
    let played = program(text, &[edits]);
    assert_eq!(played.call("run"), 3 * 5 + 7);
    assert!(played.told().contains(&"work at the next loop head".to_owned()), "{:?}", played.told());
    assert_eq!(played.call("run"), 10);
}
