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
    // With another initial value too, if it is used in the same way.
    let total = [("sum := 0", "total := 0 + 0"), ("sum += speed", "total += speed"), ("sum + name", "total + name")];
    let (result, told) = run(LOOP, &[&total]);
    assert_eq!(result, 35);
    assert_eq!(told, ["run at the next loop head", "`total` in the running `run` takes over the value of `sum`"]);
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
fn a_local_that_cannot_be_converted_starts_afresh_and_is_named() {
    let edits: &[(&str, &str)] = &[("speed := 3", "speed := \"text\""), ("sum += speed", "sum += speed.len()")];
    let (result, told) = run(LOOP, &[edits]);
    assert_eq!(result, 12 + 6 * 4 + 5);
    let remark = "`speed` in the running `run` was `i64` and is now `str`, which cannot be converted: it starts \
                  with `\"text\"`";
    assert_eq!(told, ["run at the next loop head", remark]);
}

#[test]
fn locals_that_are_gone_or_new_are_named() {
    let edits: &[(&str, &str)] =
        &[("name := \"first\"", "lives := 3"), ("sum += speed", "sum += lives"), (" + name.len()", "")];
    let (result, told) = run(LOOP, &[edits]);
    assert_eq!(result, 12 + 18);
    let gone = "`name` in the running `run` is gone: its value is dropped";
    let new = "`lives` in the running `run` is new: it starts with `3`";
    assert_eq!(told, ["run at the next loop head", new, gone]);
}

#[test]
fn a_local_that_takes_the_place_of_another_of_its_type_is_another_one() {
    let text = LOOP.replace("name := \"first\"", "score := 12").replace("name.len()", "score");
    let edits: &[(&str, &str)] =
        &[("score := 12", "lives := 3"), ("+ score", ""), ("sum += speed", "lives -= 1\n        sum += lives")];
    let (result, told) = run(&text, &[edits]);
    assert_eq!(result, 12 + 2 + 1 - 1 - 2 - 3);
    assert!(told.iter().any(|line| line.starts_with("`score` in the running `run` is gone")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("`lives` in the running `run` is new")), "{told:?}");
}

#[test]
fn a_pointer_to_a_renamed_local_still_points_at_it() {
    let text = "
S State { frame: i64, far: i64 }
F step(s: *State) -> i64 { s.frame += 1; s.frame }
F run() -> i64 {
    state := State { frame: 0, far: 7 }
    own := &state
    turns := 0
    L state.frame < 10 && turns < 50 {
        turns += 1
        I step(own) == 4 {
            next_text()
            hot_reload()
        }
        own.far += 1
    }
    state.frame * 100 + state.far
}
";
    let (result, told) = run(text, &[&[("state", "world"), ("own.far += 1", "own.far += 2")]]);
    assert_eq!(result, 1000 + 7 + 4 + 12, "{told:?}");
    assert_eq!(told, ["run at the next loop head", "`world` in the running `run` takes over the value of `state`"]);
}

#[test]
fn the_same_name_in_sibling_blocks_and_below_a_new_one() {
    let text = "
F run() -> i64 {
    sum := 0
    I sum == 0 {
        x := 5
        sum += x
    }
    {
        x := 1
        n := 0
        L n < 6 {
            n += 1
            x += 1
            I n == 3 {
                next_text()
                hot_reload()
            }
        }
        sum += x * 10
    }
    sum
}
";
    let turn = ("n += 1", "n += 2 - 1");
    let gone: &[(&str, &str)] = &[turn, ("    I sum == 0 {\n        x := 5\n        sum += x\n    }\n", "")];
    assert_eq!(goes_on(text, &[gone]), 5 + 70);
    let below: &[(&str, &str)] =
        &[turn, ("        x := 1\n", "        x := \"above\"\n        sum += x.len()\n        x := 1\n")];
    assert_eq!(goes_on(text, &[below]), 5 + 70);
    let swapped: &[(&str, &str)] = &[("x := 5", "x := 1 + 0"), ("x := 1\n", "x := 5\n"), turn];
    assert_eq!(goes_on(text, &[swapped]), 5 + 70);
}

#[test]
fn locals_of_every_type() {
    let text = "
W Shape { F area(&self) -> i64 }
S Square { side: i64 }
X Square: Shape { F area(&self) -> i64 = self.side * self.side }
F run() -> i64 {
    pair := (1, \"two\")
    row := [3, 4, 5]
    maybe := Some(6)
    by := 7
    add := |x: i64| x + by
    shape: dyn Shape = Square { side: 8 }
    list := Vec.new()
    list.push(\"nine {by}\")
    map := HashMap.new()
    map.insert(\"ten\", 10)
    boxed := Box.new(11)
    part := row[1..3]
    sum := 0
    n := 0
    L n < 4 {
        n += 1
        I n == 2 {
            next_text()
            hot_reload()
        }
        got := M maybe { Some(v) => v, None => 0 }
        sum += pair.0 + pair.1.len() + row[2] + got + add(1) + shape.area() + list.len() + map.len() + *boxed + part[0]
    }
    sum
}
";
    let turn = 1 + 3 + 5 + 6 + 8 + 64 + 1 + 1 + 11 + 4;
    assert_eq!(run(text, &[]).0, 4 * turn);
    assert_eq!(goes_on(text, &[&[("sum += pair.0", "sum += 1000 + pair.0")]]), 4 * turn + 2000);
    // All of them under other names.
    let names = [
        ("pair", "both"),
        ("maybe", "perhaps"),
        ("add", "plus"),
        ("shape", "form"),
        ("list", "all"),
        ("boxed", "held"),
    ];
    let (result, told) = run(text, &[&names]);
    assert_eq!(result, 4 * turn, "{told:?}");
    assert_eq!(told.iter().filter(|line| line.contains("takes over the value of")).count(), names.len(), "{told:?}");
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

#[test]
fn the_only_struct_is_the_same_one_whatever_it_is_called() {
    let text = "
S State { frame: i64, far: i64 }
F run() -> i64 {
    state := State { frame: 0, far: 7 }
    L state.frame < 6 {
        state.frame += 1
        I state.frame == 3 {
            next_text()
            hot_reload()
        }
    }
    state.frame * 10 + state.far
}
";
    let edits: &[(&str, &str)] =
        &[("state", "world"), ("far: 7", "far: 9"), ("world.frame += 1", "world.frame = world.frame + 1")];
    assert_eq!(goes_on(text, &[edits]), 67);
}

#[test]
fn a_loop_variable_that_starts_is_named() {
    let text = LOOP.replace("    sum + name", "    next_text()\n    sum + name");
    let (result, told) = run(&text, &[&[("L n < 10 {", "L turn: 0..3 {")]]);
    assert_eq!(result, 12 + 9 + 5, "{told:?}");
    assert_eq!(told, ["run at the next loop head", "`turn` in the running `run` is new: it starts with `0`"]);
}

#[test]
fn a_variable_of_a_deferred_loop_is_none_of_the_running_one() {
    const TEXT: &str = "
S Mark { x: i64 }
G sum: i64
F run() -> i64 {
    marks := [Mark { x: 1 }, Mark { x: 2 }]
    D { L j: 0..3 { sum += marks[1].x * j } }
    i := mut 0
    L i < 6 {
        i += 1
        I i == 3 {
            next_text()
            hot_reload()
        }
    }
    i
}
";
    let edits: &[(&str, &str)] = &[("L j: 0..3", "L j: 0..2"), ("i += 1", "i += 2")];
    let (result, told) = run(TEXT, &[edits]);
    assert_eq!(result, 7, "{told:?}");
    assert!(!told.iter().any(|line| line.contains("is gone")), "{told:?}");
}

/// Arrays, tuples and lists of numbers that get another type go on with their numbers; what is new is as declared.
#[test]
fn rows_of_numbers_of_another_type() {
    let text = "
F run() -> i64 {
    row: [i64; 3] = [1, 2, 3]
    pair := (4, 5)
    list: Vec<i64> = [6, 7]
    same := list
    n := 0
    L n < 6 {
        n += 1
        same[1] += 0
        row[0] += 1
        pair.0 += 1
        list[0] += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    row[0] + row[2] * 10 + pair.0 * 100 + same[0] * 10000 + list.len() * 1000000
}
";
    let edits: &[(&str, &str)] = &[
        ("row: [i64; 3] = [1, 2, 3]", "row: [i32; 4] = [1, 2, 3, 9]"),
        ("pair := (4, 5)", "pair: (i64, f64, i64) = (4, 5.0, 8)"),
        ("list: Vec<i64> = [6, 7]", "list: Vec<f64> = [6.0, 7.0]"),
        ("list[0] += 1\n", "list[0] += 1.0\n"),
        (
            "row[0] + row[2] * 10",
            "row[0] as i64 + row[2] as i64 * 10 + row[3] as i64 * 100000000 + pair.2 * 1000000000",
        ),
        ("same[0] * 10000", "same[0] as i64 * 10000"),
        ("same[1] += 0\n", "same[1] += 0.0\n"),
    ];
    let (result, told) = run(text, &[edits]);
    let told = told.join("\n");
    assert_eq!(result, 7 + 30 + 10 * 100 + 12 * 10000 + 2 * 1000000 + 900000000 + 8000000000, "{told}");
    assert!(told.contains("converted from `Vec<i64>` to `Vec<f64>`, as a list of its own"), "{told}");
}

/// A name that a pattern above the loop has got is computed alone: the others keep their values.
#[test]
fn a_new_name_in_a_pattern_above_the_loop() {
    let text = "
F run() -> i64 {
    (a, b) := (0, 100)
    n := 0
    L n < 6 {
        n += 1
        a += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    a * 1000 + b
}
";
    let edits: &[(&str, &str)] =
        &[("(a, b) := (0, 100)", "(a, b, c) := (0, 100, 7)"), ("a * 1000 + b", "a * 1000 + b + c")];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 6107, "{told:?}");
}

/// The payload that an arm binds, around the loop, is read from what was matched; nothing is there if that is another variant.
#[test]
fn a_new_name_in_the_pattern_of_an_arm_around_the_loop() {
    let text = "
E Job { Run(i64), Done }
G other: Job = Run(4)
F run() -> i64 {
    j := Run(5)
    n := 0
    M j {
        Run(k) => {
            L n < 6 {
                n += 1
                k += 1
                I n == 3 {
                    other = Done
                    next_text()
                    hot_reload()
                }
            }
            n = k
        }
        Done => {}
    }
    n
}
";
    let edits: &[(&str, &str)] = &[
        ("Run(i64)", "Run(i64, i64)"),
        ("Run(4)", "Run(4, 1)"),
        ("Run(5)", "Run(5, 1)"),
        ("Run(k)", "Run(k, m)"),
        ("n = k", "n = k * 100 + m"),
    ];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 1100, "{told:?}");
    let edits: &[(&str, &str)] = &[
        ("        Run(k) => {\n", "        Run(k) => { M other { Run(m) => {\n"),
        ("n = k\n        }\n", "n = k * 100 + m\n        } Done => {} } }\n"),
    ];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 1100, "{told:?}");
}

#[test]
fn numbers_of_a_local_that_may_not_fit_are_told_of() {
    let text = "
F run() -> i64 {
    v: Vec<i64> = [1000, 2]
    w: i32 = 7
    n := 0
    L n < 3 {
        n += 1
        I n == 2 { next_text()  hot_reload() }
    }
    v[0] as i64 + w as i64
}
";
    let (result, told) = run(text, &[&[("Vec<i64> = [1000", "Vec<u8> = [100"), ("w: i32", "w: i64")]]);
    assert_eq!(result, 262);
    let told = told.join("\n");
    let v =
        "converted from `Vec<i64>` to `Vec<u8>`, as a list of its own; numbers that do not fit take the nearest one";
    assert!(told.contains(v) && told.ends_with("`i32` to `i64`"), "{told}");
}
