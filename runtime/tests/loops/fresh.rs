//! Fields that a save adds to what a running loop holds, with defaults that have to be computed.

use super::harness::{LOCAL, goes_on, program, run, saved_meanwhile};

const MADE: &str = "tags: Vec<str> = [], words: Vec<str> = [\"a\" + \"b\"], name: str = make(), z: i64 = twice(3) }
F make() -> str = \"made\" + \"!\"
F twice(n: i64) -> i64 = n * 2";

#[test]
fn computed_defaults_of_a_struct_in_registers() {
    let edits: &[(&str, &str)] = &[
        ("x: i64 }", &format!("x: i64, {MADE}")),
        ("        state.x += 2\n", "        state.x += 2\n        state.tags.push(\"t\")\n"),
        (
            "state.frame * 1000 + state.x",
            "state.frame * 1000 + state.x + state.tags.len() * 100000 + state.words[0].len() * 1000000 \
             + state.name.len() * 10000000 + state.z * 100000000",
        ),
    ];
    let (result, told) = run(LOCAL, &[edits]);
    assert_eq!(result, 10020 + 7 * 100000 + 2 * 1000000 + 5 * 10000000 + 6 * 100000000, "{told:?}");
}

/// Between the two saves the loop does not come round.
#[test]
fn computed_defaults_of_two_saves_before_the_loop_comes_round() {
    let text = LOCAL.replace(
        "            hot_reload()\n",
        "            hot_reload()\n            next_text()\n            hot_reload()\n",
    );
    let first: &[(&str, &str)] = &[("x: i64 }", &format!("x: i64, {MADE}"))];
    let second: &[(&str, &str)] =
        &[("state.frame * 1000 + state.x", "state.frame * 1000 + state.x + state.name.len() * 100000")];
    let (result, told) = run(&text, &[first, second]);
    assert_eq!(result, 10020 + 5 * 100000, "{told:?}");
}

#[test]
fn computed_defaults_of_structs_in_others_and_in_tuples() {
    let text = "
S Inner { a: i64 }
S State { frame: i64, inner: Inner, pair: (Inner, i64) }
F run() -> i64 {
    state := State { frame: 0, inner: Inner { a: 3 }, pair: (Inner { a: 4 }, 5) }
    both := (Inner { a: 6 }, 7)
    L state.frame < 10 {
        state.frame += 1
        state.inner.a += 1
        both.0.a += 1
        I state.frame == 3 {
            next_text()
            hot_reload()
        }
    }
    state.inner.a * 100 + state.pair.0.a + both.0.a
}
";
    let edits: &[(&str, &str)] = &[
        ("S Inner { a: i64 }", &format!("S Inner {{ a: i64, {MADE}")),
        (
            "pair: (Inner, i64) }",
            "pair: (Inner, i64), second: Inner = other(), third: Inner }\nF other() -> Inner = Inner { a: 70, name: \"oth\" + \"er\" }",
        ),
        ("pair: (Inner { a: 4 }, 5) }", "pair: (Inner { a: 4 }, 5), third: Inner { a: 0 } }"),
        (
            "state.inner.a * 100 + state.pair.0.a + both.0.a",
            "state.inner.a * 100 + state.pair.0.a + both.0.a + state.inner.name.len() * 10000 \
             + state.pair.0.name.len() * 100000 + both.0.name.len() * 1000000 + both.0.z * 10000000 \
             + state.second.a * 100000000 + state.second.name.len() * 10000000000 \
             + state.third.name.len() * 100000000000",
        ),
    ];
    let (result, told) = run(text, &[edits]);
    let kept = 13 * 100 + 4 + 16;
    assert_eq!(
        result,
        kept + 50000 + 500000 + 5000000 + 60000000 + 7000000000 + 50000000000 + 500000000000,
        "{told:?}"
    );
}

/// Arrays, lists, options and tuples, some of them in memory.
#[test]
fn computed_defaults_of_structs_in_what_a_loop_holds() {
    let text = "
S P { x: i64 }
F look(p: *P) -> i64 { p.x }
F run() -> i64 {
    array := [P { x: 1 }, P { x: 5 }]
    pair := (P { x: 2 }, 4)
    some := Some(P { x: 3 })
    list: Vec<P> = [P { x: 1 }]
    list.push(P { x: 9 })
    one := P { x: 8 }
    n := 0
    L n < 10 {
        n += 1
        array[n % 2].x += 1
        look(&one)
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    array[0].x + pair.0.x + list[1].x
}
";
    let edits: &[(&str, &str)] = &[
        ("S P { x: i64 }", &format!("S P {{ x: i64, {MADE}")),
        (
            "    array[0].x + pair.0.x + list[1].x",
            "    inside := M some { Some(p) => p.name.len() + p.x, None => 0 }
    array[0].x + pair.0.x + list[1].x + array[1].name.len() * 100 + pair.0.name.len() * 1000 \
             + list[0].name.len() * 10000 + inside * 100000 + one.z * 10000000",
        ),
    ];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 6 + 2 + 9 + 500 + 5000 + 50000 + 800000 + 60000000, "{told:?}");
}

#[test]
fn a_default_that_fails_refuses_the_save() {
    let edits: &[(&str, &str)] = &[(
        "x: i64 }",
        "x: i64, name: str = make() }\nF make() -> str { I hot_version() > 0 { panic(\"not now\") }\n \"x\" }",
    )];
    let played = program(LOCAL, &[edits]);
    assert_eq!(played.call("run"), 10020);
    let told = played.told();
    assert!(told.iter().any(|line| line.contains("computing the default of `State.name` failed")), "{told:?}");
    played.assert_no_leaks();
}

#[test]
fn what_has_no_value_to_start_with_says_so() {
    let edits: &[(&str, &str)] = &[("x: i64 }", "x: i64, next: Box<i64> }"), ("x: 0 }", "x: 0, next: Box.new(3) }")];
    let played = program(LOCAL, &[edits]);
    assert_eq!(played.call("run"), 10020);
    let told = played.told();
    assert!(told.iter().any(|line| line.contains("and a box has none")), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("rejected")), "{told:?}");
}

/// The list of a literal is made of an array that nobody names, and that is counted only in the new text.
#[test]
fn a_list_above_the_loop_whose_elements_get_counted_fields() {
    let text = "
S Item { x: i64 }
F run() -> i64 {
    items: Vec<Item> = [Item { x: 1 }, Item { x: 2 }]
    n := 0
    L n < 10 {
        n += 1
        items[0].x += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    items[0].x + items[1].x
}
";
    let edits: &[(&str, &str)] = &[
        ("S Item { x: i64 }", &format!("S Item {{ x: i64, {MADE}")),
        (
            "items[0].x + items[1].x",
            "items[0].x + items[1].x + items[0].name.len() * 100 + others[1].name.len() * 1000",
        ),
        ("    n := 0\n", "    others: Vec<Item> = [Item { x: 1 }, Item { x: 2 }]\n    n := 0\n"),
    ];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 13 + 500 + 5000, "{told:?}");
    let twice = text.replace("n == 3", "n == 3 || n == 5");
    let (result, told) = run(&twice, &[&edits[..1], &[(MADE, "y: i64 }")]]);
    assert_eq!(result, 13, "{told:?}");
}

/// A function of the program is given what lies in registers at the poll.
#[test]
fn a_migration_of_the_programs_own_is_given_fields_in_registers() {
    let text = "
S Inner { hp: i64, name: str }
S State { turns: i64, inner: Inner }
F run() -> i64 {
    state := State { turns: 0, inner: Inner { hp: 40, name: \"a\" + \"b\" } }
    asked := 0
    L state.turns < 1000000000 {
        I asked == 0 { asked = save() }
        state.turns += 1
        state.inner.hp = 41
    }
    0
}
";
    let new = "
S Inner { half: f64, name: str, tags: Vec<str> = [\"x\" + \"y\"] }
#[was(\"Inner\")] S InnerV1 { hp: i64, name: str }
F migrate(old: InnerV1, new: *Inner) {
    new.half = old.hp as f64 / 2.0
    new.name = old.name + \"!\"
    new.tags.push(old.name)
}
S State { turns: i64, inner: Inner }
F run() -> i64 {
    state := State { turns: 0, inner: Inner { half: 0.0, name: \"a\" + \"b\" } }
    asked := 0
    L state.turns < 0 {
        I asked == 0 { asked = save() }
        state.turns += 1
        state.inner.half = 0.0
    }
    (state.inner.half * 10.0) as i64 + state.inner.name.len() * 1000 + state.inner.tags.len() * 10000
}
";
    let (result, told) = saved_meanwhile(&[text, new]);
    assert_eq!(result, 205 + 3000 + 20000, "{told:?}");
    assert!(told.contains(&"`Inner`: migrated 1 instance by `migrate`".to_owned()), "{told:?}");
}

#[test]
fn where_the_frame_asks_for_the_reload_itself_fields_in_registers_are_carried_by_name() {
    let edits: &[(&str, &str)] = &[
        (
            "S State { frame: i64, x: i64 }",
            "S State { frame: i64, x: i64, y: i64 }\n#[was(\"State\")] S StateV1 { frame: i64, x: i64 }\n\
             F migrate(old: StateV1, new: *State) { new.y = old.x }",
        ),
        ("x: 0 }", "x: 0, y: 0 }"),
    ];
    let (result, told) = run(LOCAL, &[edits]);
    assert_eq!(result, 10020, "{told:?}");
    let said = "`state` in the running `run` is not given to `migrate`, as its fields lie in registers where it asks for the \
                reload: they are carried over by name";
    assert!(told.contains(&said.to_owned()), "{told:?}");
}

/// A field of a struct in registers goes and comes back, with what it held: an array, and a tuple.
#[test]
fn a_field_that_counts_nothing_comes_back_with_its_value() {
    let text = LOCAL
        .replace("x: i64 }", "x: i64, list: [i64; 3], pair: (i64, f64) }")
        .replace("x: 0 }", "x: 0, list: [1, 2, 3], pair: (4, 5.0) }")
        .replace("state.frame == 3", "state.frame == 3 || state.frame == 6")
        .replace("+ state.x", "+ state.list[2]");
    let without: &[(&str, &str)] = &[
        ("x: i64, list: [i64; 3], pair: (i64, f64)", "x: i64"),
        ("x: 0, list: [1, 2, 3], pair: (4, 5.0)", "x: 0"),
        ("+ state.list[2]", ""),
    ];
    let with: &[(&str, &str)] = &[
        ("x: i64 }", "x: i64, list: [i64; 3], pair: (i64, f64) }"),
        ("x: 0 }", "x: 0, list: [0, 0, 0], pair: (0, 0.0) }"),
        ("state.frame * 1000", "state.frame * 1000 + state.list[2] + state.pair.1 as i64 * 100"),
    ];
    let (result, told) = run(&text, &[without, with]);
    assert_eq!(result, 10000 + 3 + 500, "{told:?}");
}

/// Counted fields that a save removes wait in the attic, as plain ones do in the struct.
#[test]
fn counted_fields_of_a_struct_in_registers_come_back() {
    let text = "
S Inner { t: str, n: i64 }
S State { frame: i64, x: i64, name: str, tags: Vec<i64>, opt: Option<str>, inner: Inner }
F run() -> i64 {
    state := State { frame: 0, x: 0, name: \"jo\" + \"hn\", tags: [1, 2, 3], opt: Some(\"x\" + \"yz\"), inner: Inner { t: \"in\" + \"ner\", n: 4 } }
    L state.frame < 10 {
        state.frame += 1
        state.x += 2
        I state.frame == 3 || state.frame == 6 {
            next_text()
            hot_reload()
        }
    }
    state.name.len() * 1000 + state.tags.len() * 100 + state.opt!.len() * 10 + state.inner.t.len() * 10000 + state.inner.n
}
";
    let fields = ", name: str, tags: Vec<i64>, opt: Option<str>, inner: Inner }";
    let made = ", name: \"jo\" + \"hn\", tags: [1, 2, 3], opt: Some(\"x\" + \"yz\"), inner: Inner { t: \"in\" + \"ner\", n: 4 } }";
    let sum = "state.name.len() * 1000 + state.tags.len() * 100 + state.opt!.len() * 10 + state.inner.t.len() * 10000 + state.inner.n";
    let back = (" }\nF run", &format!("{fields}\nF run")[..]);
    let none = ", name: \"\", tags: [], opt: None, inner: Inner { t: \"\", n: 0 } }";
    let gone: &[(&str, &str)] = &[(fields, " }"), (made, " }"), (sum, "state.x")];
    let come: &[(&str, &str)] = &[back, ("x: 0 }", &format!("x: 0{none}")), ("    state.x\n", &format!("    {sum}\n"))];
    let (result, told) = run(text, &[gone, come]);
    assert_eq!(result, 4000 + 300 + 30 + 50000 + 4, "{told:?}");
    // What does not come back is given up.
    run(text, &[gone]);
}

#[test]
fn a_tuple_in_a_struct_in_registers_grows_by_what_is_declared() {
    let text = "
S State { frame: i64, t: (i64, (i64, i64)) = (1, (2, 3)) }
F run() -> i64 {
    state := State { frame: 0, t: (4, (5, 6)) }
    L state.frame < 10 {
        state.frame += 1
        I state.frame == 3 {
            next_text()
            hot_reload()
        }
    }
    state.t.0 * 100000 + state.t.1.1 * 10000
}
";
    let edits: &[(&str, &str)] = &[
        ("t: (i64, (i64, i64)) = (1, (2, 3))", "t: (i64, (i64, i64, i64), str) = (1, (2, 3, 44), \"te\" + \"xt\")"),
        ("t: (4, (5, 6)) }", "t: (4, (5, 6, 7), \"\") }"),
        (" * 10000\n", " * 10000 + state.t.1.2 * 10 + state.t.2.len()\n"),
    ];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 460000 + 440 + 4, "{told:?}");
}

/// What has another type is not called new.
#[test]
fn a_local_of_another_type_that_cannot_be_computed_is_not_called_new() {
    let text = "
F made() -> str {
    println(\"made\")
    \"made\"
}
F run() -> i64 {
    x := 5
    n := 0
    L n < 6 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
        n += x - 5
    }
    n
}
";
    let (_, told) = run(text, &[&[("x := 5", "x := made()"), ("n += x - 5", "n += x.len() - 4")]]);
    let told = told.join("\n");
    assert!(told.contains("`x` was `i64` and is now `str`, which cannot be converted, and its value"), "{told}");
}

#[test]
fn lists_of_a_struct_that_gets_a_counted_field_in_a_save_that_adds_one_more() {
    let text = "
S P { a: i64 }
F run() -> i64 {
    b: Vec<P> = [P { a: 1 }]
    n := 0
    L n < 6 {
        n += 1
        b: Vec<P> = [P { a: n }]
        I n == 3 {
            next_text()
            hot_reload()
        }
        n += b.len() - 1
    }
    n + b.len()
}
";
    let edits: &[(&str, &str)] = &[
        ("S P { a: i64 }", "S P { a: i64, l: Vec<i64> = [1] }"),
        ("    n := 0\n", "    e: Vec<P> = [P { a: 1 }]\n    n := 0\n"),
        ("n + b.len()", "n + b.len() + e.len() + b[0].l.len()"),
    ];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 9, "{told:?}");
    let edits: &[(&str, &str)] = &[
        ("S P { a: i64 }", "S P { a: i64, l: Vec<i64> = [1] }"),
        ("    b: Vec<P> = [P { a: 1 }]\n", "    e: Vec<P> = [P { a: 1 }]\n    b: Vec<P> = [P { a: 1 }]\n"),
        ("n + b.len()", "n + b.len() + e.len() + b[0].l.len()"),
    ];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 9, "{told:?}");
}

/// The loop could not follow the save that added the field, and follows the next one, which changes no type.
#[test]
fn computed_defaults_of_a_save_that_the_loop_could_not_follow() {
    let text = LOCAL.replace("I state.frame == 3 {", "I state.frame == 3 || state.frame == 5 {");
    let stays = ("    L state", "    k := { print(\"\")  1 }\n    L state");
    let used = ("state.frame * 1000 + state.x", "state.frame * 1000 + state.x + state.name.len() * 100000 + k");
    let first: &[(&str, &str)] = &[("x: i64 }", &format!("x: i64, {MADE}")), stays, used];
    let second: &[(&str, &str)] = &[(stays.1, stays.0), (" * 100000 + k", " * 100000")];
    let (result, told) = run(&text, &[first, second]);
    assert_eq!(result, 10020 + 5 * 100000, "{told:?}");
}

/// The next save, which the loop follows, declares another one: it is for what is made from then on.
#[test]
fn a_default_of_a_save_that_the_loop_could_not_follow() {
    let text = LOCAL.replace("I state.frame == 3 {", "I state.frame == 3 || state.frame == 5 {");
    let stays = ("    L state", "    k := { print(\"\")  1 }\n    L state");
    let used = ("state.frame * 1000 + state.x", "state.frame * 1000 + state.x + state.lives * 100000 + k");
    let first: &[(&str, &str)] = &[("x: i64 }", "x: i64, lives: i64 = 3 }"), stays, used];
    let second: &[(&str, &str)] =
        &[(stays.1, stays.0), (" * 100000 + k", " * 100000"), ("lives: i64 = 3", "lives: i64 = 7")];
    let (result, told) = run(&text, &[first, second]);
    assert_eq!(result, 10020 + 3 * 100000, "{told:?}");
}

/// What the list is made of has to be released once its elements count something, and holds nothing in the old code.
#[test]
fn a_list_of_a_turn_whose_elements_get_counted_fields_in_an_inner_loop() {
    let text = "
S P { a: i64 }
F run() -> i64 {
    n := 0
    L n < 4 {
        n += 1
        z: Vec<P> = [P { a: n }]
        L k: 0..3 {
            I n == 2 && k == 1 {
                next_text()
                hot_reload()
            }
        }
        n += z.len() - 1
    }
    n
}
";
    let edits: &[(&str, &str)] = &[
        ("S P { a: i64 }", "S P { a: i64, b: str = \"x\" + \"y\", c: Vec<i64> = [1] }"),
        ("n += z.len() - 1", "n += z[0].b.len() + z[0].c.len() - 3"),
    ];
    assert_eq!(goes_on(text, &[edits]), 4);
}

/// Such fields are converted with the struct put together, as anywhere else.
#[test]
fn fields_in_registers_that_become_more_than_other_numbers() {
    let text = "
S Inner { list: Vec<i64>, text: str }
S State { turns: i64, o: Option<i64>, pair: (i64, [i64; 2]), n: i64, inner: Inner }
F run() -> i64 {
    state := State { turns: 0, o: Some(4), pair: (5, [6, 7]), n: 8, inner: Inner { list: [1, 2, 3], text: \"a\" + \"b\" } }
    asked := 0
    L state.turns < 1000000000 {
        I asked == 0 { asked = save() }
        state.turns += 1
        state.n = state.pair.0 + 3 + state.pair.1[1] - 7 + state.o! - 4 + state.inner.list.len() - 3
        state.inner.text = \"a\" + \"b\"
    }
    0
}
";
    let new = "
S Inner { list: Vec<f64>, text: i64 = 9 }
S State { turns: i64, #[was(\"o\")] opt: Option<f64>, pair: (f64, [f64; 2]), n: Option<i64>, inner: Inner }
F run() -> i64 {
    state := State { turns: 0, opt: None, pair: (0.0, [0.0, 0.0]), n: None, inner: Inner { list: [] } }
    asked := 0
    L state.turns < 0 {
        I asked == 0 { asked = save() }
        state.turns += 1
        state.inner.text = 0
    }
    (state.opt! + state.pair.0 * 10.0 + state.pair.1[1] * 100.0 + state.inner.list[2] * 1000.0) as i64 +
        state.n! * 10000 + state.inner.text * 100000
}
";
    let (result, told) = saved_meanwhile(&[text, new]);
    assert_eq!(result, 4 + 50 + 700 + 3000 + 80000 + 900000, "{told:?}");
    let lost = "`Inner.text` was `str` and is now `i64`, which cannot be converted: 1 value took the default";
    assert!(told.contains(&lost.to_owned()), "{told:?}");
}
