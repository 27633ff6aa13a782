//! Every kind of loop, and every place of one.

use super::harness::{goes_on, run};

/// Edits itself in its third turn.
const EDIT: &str = "
F edit(turn: i64) -> i64 {
    I turn == 3 {
        next_text()
        hot_reload()
    }
    0
}
";

fn with_edit(text: &str) -> String {
    format!("{text}{EDIT}")
}

#[test]
fn the_condition_of_a_while_loop() {
    let text = "
F run() -> i64 {
    n := 0
    L n < 10 {
        n += 1
        edit(n)
    }
    n
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("n < 10", "n < 20")]]), 20);
}

#[test]
fn the_body_of_an_endless_loop() {
    let text = "
F run() -> i64 {
    n := 0
    sum := 0
    L {
        n += 1
        edit(n)
        sum += 1
        I n == 10 { B }
    }
    sum
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("sum += 1", "sum += 100")]]), 3 + 7 * 100);
}

#[test]
fn what_comes_behind_the_loop() {
    let text = "
F run() -> i64 {
    n := 0
    L n < 10 {
        n += 1
        edit(n)
    }
    n
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("    n\n}", "    n * 7\n}")]]), 70);
}

#[test]
fn a_loop_over_a_range_and_its_end() {
    let text = "
F run() -> i64 {
    sum := 0
    L i: 0..10 {
        edit(i)
        sum += i
    }
    sum
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("sum += i", "sum += 100")]]), 6 + 600);
    assert_eq!(goes_on(&with_edit(text), &[&[("0..10", "0..=10")]]), 55);
    assert_eq!(goes_on(&with_edit(text), &[&[("0..10", "0..20")]]), 190);
}

#[test]
fn a_loop_over_an_array() {
    let text = "
F run() -> i64 {
    all := [1, 2, 3, 4, 5, 6]
    sum := 0
    L x: all {
        edit(x)
        sum += x
    }
    sum
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("sum += x", "sum += x * 10")]]), 6 + 150);
}

#[test]
fn a_loop_over_a_vec() {
    let text = "
F run() -> i64 {
    all := Vec.new()
    L i: 1..7 { all.push(i) }
    sum := 0
    L x: all {
        edit(x)
        sum += x
    }
    sum
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("sum += x", "sum += x * 10")]]), 6 + 150);
}

#[test]
fn a_loop_over_texts_in_a_vec() {
    let text = "
F run() -> i64 {
    all := Vec.new()
    L i: 1..7 { all.push(\"text {i}\") }
    sum := 0
    n := 0
    L x: all {
        n += 1
        edit(n)
        sum += x.len()
    }
    sum
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("sum += x.len()", "sum += x.len() * 10")]]), 18 + 180);
}

#[test]
fn a_loop_with_a_value() {
    let text = "
F run() -> i64 {
    n := 0
    found := L {
        n += 1
        edit(n)
        I n > 5 { B n * 2 }
    }
    found + 1
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("n * 2", "n * 3")]]), 19);
}

#[test]
fn from_endless_to_while() {
    let text = "
F run() -> i64 {
    n := 0
    L {
        n += 1
        edit(n)
        I n == 10 { B }
    }
    n
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("L {", "L n < 5 {")]]), 5);
}

#[test]
fn the_inner_of_two_nested_loops() {
    let text = "
F run() -> i64 {
    sum := 0
    L i: 0..3 {
        L j: 0..4 {
            edit(i * 4 + j)
            sum += 1
        }
        sum += 100
    }
    sum
}
";
    // The third turn of the first inner loop has been finished by the old code.
    assert_eq!(
        goes_on(&with_edit(text), &[&[("sum += 1\n", "sum += 1000\n"), ("sum += 100\n", "sum += 7\n")]]),
        4 + 8000 + 21
    );
}

#[test]
fn the_outer_loop_while_a_function_that_loops_is_called_in_it() {
    let text = "
F inner(turn: i64) -> i64 {
    k := 0
    L k < 5 {
        k += 1
        I k == 2 { edit(turn) }
    }
    k
}
F run() -> i64 {
    sum := 0
    L i: 0..6 {
        sum += inner(i)
    }
    sum
}
";
    let (result, told) =
        run(&with_edit(text), &[&[("sum += inner(i)", "sum += inner(i) * 10"), ("L k < 5", "L k < 6")]]);
    assert!(told.contains(&"run at the next loop head".to_owned()), "{told:?}");
    assert!(told.contains(&"inner at the next loop head".to_owned()), "{told:?}");
    assert_eq!(result, 5 * 3 + 6 + 60 * 2);
}

#[test]
fn a_loop_inside_branches_and_matches() {
    let text = "
E Kind { Up(i64), Down }
F run() -> i64 {
    kind := Up(4)
    sum := 0
    M kind {
        Up(by) => {
            I by > 2 {
                n := 0
                L n < 10 {
                    n += 1
                    edit(n)
                    sum += by
                }
            }
        }
        Down => { sum = -1 }
    }
    sum
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("sum += by", "sum += by * 10")]]), 3 * 4 + 7 * 40);
}

#[test]
fn a_loop_in_a_closure() {
    let text = "
F run() -> i64 {
    by := 5
    name := \"closure\"
    count := |to: i64| {
        n := 0
        sum := 0
        L n < to {
            n += 1
            edit(n)
            sum += by
        }
        sum + name.len()
    }
    count(10)
}
";
    let (result, told) = run(&with_edit(text), &[&[("sum += by", "sum += by * 10")]]);
    assert!(told.iter().any(|line| line.contains("at the next loop head")), "{told:?}");
    assert_eq!(result, 15 + 350 + 7);
}

#[test]
fn an_aggregate_result() {
    let text = "
S Pair { a: i64, b: i64, c: i64 }
F make() -> Pair {
    n := 0
    L n < 10 {
        n += 1
        edit(n)
    }
    Pair { a: n, b: 1, c: 2 }
}
F run() -> i64 {
    p := make()
    p.a * 100 + p.b * 10 + p.c
}
";
    let (result, told) = run(&with_edit(text), &[&[("b: 1", "b: 5")]]);
    assert_eq!(told, ["make at the next loop head"]);
    assert_eq!(result, 1052);
}

#[test]
fn recursion_with_loops_at_several_depths() {
    let text = "
F down(depth: i64) -> i64 {
    sum := 0
    L i: 0..3 {
        I depth > 0 && i == 1 { sum += down(depth - 1) }
        I depth == 0 && i == 1 {
            next_text()
            hot_reload()
        }
        sum += 1
    }
    sum
}
F run() -> i64 = down(4)
";
    // Every activation did turns 0 and 1 in the old code, and turn 2 in the new.
    let (result, told) = run(text, &[&[("sum += 1\n", "sum += 100\n")]]);
    assert_eq!(told, ["down at the next loop head"]);
    assert_eq!(result, 5 * (1 + 1 + 100));
}

#[test]
fn deferred_blocks_run_once_with_the_new_text() {
    let text = "
G trace: i64
F work() -> i64 {
    D { trace = trace * 10 + 1 }
    n := 0
    L n < 5 {
        n += 1
        edit(n)
        I n == 2 { D { trace = trace * 10 + 2 } }
    }
    n
}
F run() -> i64 {
    trace = 0
    work() * 1000 + trace
}
";
    let (result, told) =
        run(&with_edit(text), &[&[("trace * 10 + 1", "trace * 10 + 7"), ("trace * 10 + 2", "trace * 10 + 8")]]);
    assert_eq!(told, ["work at the next loop head"]);
    assert_eq!(result, 5087);
}
