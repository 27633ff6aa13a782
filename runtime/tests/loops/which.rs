//! Which loop of the new text a running loop goes on as, and where in it.

use super::harness::{goes_on, program, run, texts_of};

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

const FIRST: &str = "    L n < 6 {
        n += 1
        edit(n)
        sum += 1
    }
";
const SECOND: &str = "    L k: 0..3 {
        sum += 10 + next(k)
    }
";

fn two(loops: &str) -> String {
    with_edit(&format!(
        "
F next(k: i64) -> i64 = k
F run() -> i64 {{
    n := 0
    sum := 0
{loops}    sum
}}
"
    ))
}

#[test]
fn two_loops_that_change_places() {
    let before = two(&format!("{FIRST}{SECOND}"));
    let after = format!("{SECOND}{FIRST}");
    // What stands above the running loop now has not run, and does not run any more.
    assert_eq!(goes_on(&before, &[&[(&format!("{FIRST}{SECOND}"), &after)]]), 6);
    let before = two(&after);
    assert_eq!(goes_on(&before, &[&[(&after, &format!("{FIRST}{SECOND}"))]]), 33 + 6 + 33);
}

#[test]
fn a_loop_that_another_one_replaces_is_not_followed() {
    let (result, told) = run(&two(FIRST), &[&[(FIRST, SECOND)]]);
    assert_eq!(result, 6);
    assert_eq!(told[0], "run at the next call");
    let remark = "`run` is running and ends with its old code: the loop it runs, in line 6 of the running text, is gone from \
                  the new text";
    assert_eq!(told[1], remark);
}

#[test]
fn the_only_loop_whose_body_moves_to_a_function() {
    let text = with_edit(
        "
S App { turn: i64, sum: i64 }
F more(app: *App) -> bool {
    app.turn += 1
    edit(app.turn)
    app.sum += 10
    app.turn < 8
}
F pause() { }
F run() -> i64 {
    app := App { turn: 0, sum: 0 }
    L true {
        app.turn += 1
        edit(app.turn)
        app.sum += 1
        I app.turn > 5 { B }
    }
    app.sum
}
",
    );
    let body = "L true {
        app.turn += 1
        edit(app.turn)
        app.sum += 1
        I app.turn > 5 { B }
    }";
    assert_eq!(goes_on(&text, &[&[(body, "L more(&app) {\n        pause()\n    }")]]), 3 + 50);
}

#[test]
fn two_loops_that_are_like_it() {
    let (result, told) = run(&two(FIRST), &[&[(FIRST, &format!("{FIRST}{FIRST}"))]]);
    assert_eq!(result, 6);
    let remark = "`run` is running and ends with its old code: the loop it runs, in line 6 of the running text, could be any of \
                  those in the lines 6 and 11 of the new text";
    assert_eq!(told, ["run at the next call", remark]);
}

#[test]
fn a_loop_that_moves_to_another_function() {
    let (result, told) = run(
        &two(FIRST),
        &[&[
            (FIRST, "    sum = count(n, sum)\n"),
            ("F next", &format!("F count(n: i64, sum: i64) -> i64 {{\n{FIRST}    sum\n}}\nF next")),
        ]],
    );
    assert_eq!(result, 6);
    assert!(
        told.iter().any(|line| line.contains("has moved to `count`, and what it holds cannot go there")),
        "{told:?}"
    );
}

#[test]
fn a_loop_that_is_wrapped_and_unwrapped() {
    let wrapped = FIRST.replace("    L n < 6 {", "    I n < 100 { { L n < 8 {").replace("\n    }\n", "\n    } } }\n");
    assert_eq!(goes_on(&two(FIRST), &[&[(FIRST, &wrapped)]]), 8);
    assert_eq!(goes_on(&two(&wrapped), &[&[(&wrapped, FIRST)]]), 6);
    let around = format!("    L turn: 0..3 {{\n{FIRST}        n = 0\n    }}\n");
    let (result, told) = run(&two(FIRST), &[&[(FIRST, &around)]]);
    // The rest of the first turn, then two more; the edit is over when its number comes again.
    assert_eq!(result, 18, "{told:?}");
    assert_eq!(goes_on(&two(&around), &[&[(&around, FIRST)]]), 6);
}

#[test]
fn a_new_loop_inside_the_running_one() {
    let inside = FIRST.replace("        n += 1", "        L j: 0..2 { sum += next(100) }\n        n += 1");
    assert_eq!(goes_on(&two(FIRST), &[&[(FIRST, &inside)]]), 6 + 600);
    assert_eq!(goes_on(&two(&inside), &[&[(&inside, FIRST)]]), 6 + 600);
}

#[test]
fn a_range_loop_with_another_variable_and_other_ends() {
    let text = "
F run() -> i64 {
    to := 10
    sum := 0
    L i: 0..to {
        edit(i)
        sum += i
    }
    sum
}
";
    let renamed: &[(&str, &str)] = &[("L i:", "L turn:"), ("edit(i)", "edit(turn)"), ("sum += i", "sum += turn")];
    assert_eq!(goes_on(&with_edit(text), &[renamed]), 45);
    // The end is evaluated where the loop starts: `to` keeps its value, another end holds at once.
    assert_eq!(goes_on(&with_edit(text), &[&[("0..to", "0..20")]]), 190);
    assert_eq!(goes_on(&with_edit(text), &[&[("0..to", "0..=5")]]), 15);
    assert_eq!(goes_on(&with_edit(text), &[&[("0..to", "0..to * 2")]]), 190);
    let all = [("L i: 0..to", "L turn: 5..=12"), ("edit(i)", "edit(turn)"), ("sum += i", "sum += turn")];
    assert_eq!(goes_on(&with_edit(text), &[&all]), 78);
}

#[test]
fn a_range_loop_becomes_a_condition() {
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
    let condition = [("    L i: 0..10 {", "    i := 0\n    LW i < 12 {"), ("sum += i\n", "sum += i\n        i += 1\n")];
    assert_eq!(goes_on(&with_edit(text), &[&condition]), 66);
    let back = [("    i := 0\n    LW i < 12 {", "    L i: 0..11 {"), ("sum += i\n        i += 1\n", "sum += i\n")];
    let played = program(&with_edit(text), &[&condition, &back]);
    assert_eq!(played.call("run"), 66);
    assert_eq!(played.call("run"), 55, "{:?}", played.told());
}

#[test]
fn a_range_does_not_become_a_collection() {
    let text = "
F run() -> i64 {
    all := [5, 6, 7, 8, 9]
    sum := 0
    L x: 0..10 {
        edit(x)
        sum += x
    }
    sum
}
";
    let (result, told) = run(&with_edit(text), &[&[("0..10", "all")]]);
    assert_eq!(result, 45);
    assert!(told.iter().any(|line| line.contains("changes between a range and a collection")), "{told:?}");
}

#[test]
fn a_collection_loop_with_another_variable_and_another_body() {
    let text = "
F run() -> i64 {
    all := [1, 2, 3, 4]
    sum := 0
    L x: all {
        edit(x)
        sum += x
    }
    sum
}
";
    assert_eq!(
        goes_on(&with_edit(text), &[&[("L x:", "L each:"), ("edit(x)", "edit(each)"), ("sum += x", "sum += each")]]),
        10
    );
    let pairs = "
F run() -> i64 {
    all := Vec.new()
    L i: 0..5 { all.push((i, i * 10)) }
    sum := 0
    L (a, b): all {
        edit(a)
        sum += b
    }
    sum
}
";
    assert_eq!(
        goes_on(&with_edit(pairs), &[&[("L (a, b)", "L (k, v)"), ("edit(a)", "edit(k)"), ("sum += b", "sum += v")]]),
        100
    );
}

#[test]
fn nested_loops_where_both_change_their_variables() {
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
    let renamed: &[(&str, &str)] =
        &[("L i: 0..3", "L row: 0..4"), ("L j: 0..4", "L column: 0..5"), ("i * 4 + j", "row * 4 + column")];
    // The edit is made at the end of the first row, which gets one column more.
    assert_eq!(goes_on(&with_edit(text), &[renamed]), 4 * 5 + 400);
}

#[test]
fn a_loop_in_a_generic_and_in_a_method_through_dyn() {
    let text = "
W Counter { F count(&self, to: i64) -> i64 }
S By { by: i64 }
X By: Counter {
    F count(&self, to: i64) -> i64 {
        n := 0
        sum := 0
        L n < to {
            n += 1
            edit(n)
            sum += self.by
        }
        sum
    }
}
F pick<T>(one: T, turns: i64) -> T {
    n := 0
    L n < turns {
        n += 1
        edit(n)
    }
    next(n)
    one
}
F next(k: i64) -> i64 = k
F run() -> i64 {
    counter: dyn Counter = By { by: 2 }
    counter.count(6)
}
F other() -> i64 = pick(7, 5) + pick(\"text\", 2).len()
";
    let played =
        program(&with_edit(text), &[&[("sum += self.by", "sum += self.by * 10")], &[("next(n)", "next(n + 1)")]]);
    assert_eq!(played.call("run"), 6 + 60);
    assert_eq!(played.call("other"), 11);
    played.assert_no_leaks();
    let told = played.told();
    let moved = told.iter().filter(|line| line.ends_with("at the next loop head")).count();
    // Two instances of `pick`.
    assert_eq!(moved, 3, "{told:?}");
}

#[test]
fn loops_at_several_depths_that_all_change_in_one_save() {
    let text = "
F inner(turn: i64) -> i64 {
    k := 0
    L k < 3 {
        k += 1
        I k == 2 { edit(turn) }
    }
    k
}
F middle(turn: i64) -> i64 {
    sum := 0
    L j: 0..2 {
        sum += inner(turn)
    }
    sum
}
F run() -> i64 {
    sum := 0
    L i: 2..5 {
        sum += middle(i)
    }
    sum
}
";
    let edits: &[(&str, &str)] = &[
        ("L k < 3", "L k < 4"),
        ("L j: 0..2", "L column: 0..3"),
        ("sum += inner(turn)", "sum += inner(turn) * 10"),
        ("L i: 2..5", "L row: 2..6"),
        ("middle(i)", "middle(row) * 1000"),
    ];
    let (result, told) = run(&with_edit(text), &[edits]);
    let moved = told.iter().filter(|line| line.ends_with("at the next loop head")).count();
    assert_eq!(moved, 3, "{told:?}");
    // Turn 2 is old. In turn 3 the first inner loop goes on to 4, and the results that are being waited for go into old sums.
    let third = 4 + 2 * 40;
    assert_eq!(result, 6 + third + 2 * 3 * 40 * 1000);
}

#[test]
fn loops_with_labels_of_their_own_way_out() {
    let text = "
F run() -> i64 {
    n := 0
    found := L {
        L {
            n += 1
            edit(n)
            I n > 3 { B }
        }
        I n > 5 { B n * 2 }
    }
    found
}
";
    assert_eq!(goes_on(&with_edit(text), &[&[("n > 5", "n > 7"), ("n * 2", "n * 3")]]), 24);
}

#[test]
fn deferred_blocks_by_what_they_do() {
    let text = "
G trace: i64
F work() -> i64 {
    D { trace = trace * 10 + 1 }
    D { trace = trace * 10 + 2 }
    n := 0
    L n < 5 {
        n += 1
        edit(n)
    }
    n
}
F run() -> i64 {
    trace = 0
    work() * 10000 + trace
}
";
    let text = with_edit(text);
    let above = "    D { trace = trace * 10 + 3 }\n    D { trace = trace * 10 + 1 }\n";
    let (result, told) = run(&text, &[&[("    D { trace = trace * 10 + 1 }\n", above)]]);
    assert_eq!(result, 50213);
    let remark = "a `D` is new above the running loop of `work`: it runs when `work` ends";
    assert_eq!(told, ["work at the next loop head", remark]);
    let (result, told) = run(&text, &[&[("    D { trace = trace * 10 + 1 }\n", "")]]);
    assert_eq!(result, 50002);
    assert_eq!(told[1], "a `D` of the running `work` is gone: what it put off does not run");
    let (result, _) = run(&text, &[&[("* 10 + 1", "* 10 + 8"), ("* 10 + 2", "* 10 + 9")]]);
    assert_eq!(result, 50098);
}

#[test]
fn a_main_that_waits_while_what_it_mentions_gets_another_name_and_another_shape() {
    let text = "
S Old { flag: bool, list: Vec<i64> }
S Two { first: Old, gone: i32, number: i64 }
F make(n: i64) -> Two { Two { first: Old { flag: true, list: [n, n] }, gone: 7, number: n } }
F sum(two: Two) -> i64 = two.first.list.sum() + two.number
F work(two: Two, old: Old) -> i64 {
    n := 0
    L n < 10 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    n + sum(two) + old.list.len()
}
F main() -> i64 {
    work(make(4), Old { flag: true, list: [7, 8, 9] })
}
";
    let renamed = text.replace("S Old", "#[was(\"Old\")]\nS New").replace("Old {", "New {").replace(": Old", ": New");
    let renamed = renamed.replace(" gone: i32,", "").replace(" gone: 7,", "");
    let renamed = renamed.replace("two.number", "two.number * 2");
    let played = texts_of(vec![text.to_owned(), renamed]);
    assert_eq!(played.program.run_main().expect("no trap"), 29, "{:?}", played.told());
    assert_eq!(played.program.version(), 2, "{:?}", played.told());
    played.assert_no_leaks();
}
