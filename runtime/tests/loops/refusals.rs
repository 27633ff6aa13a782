//! What cannot go on says why, and goes on as it was.

use super::harness::{program, run};

#[test]
fn two_loops_where_one_was() {
    let text = "
F run() -> i64 {
    n := 0
    L n < 10 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    n
}
";
    let two = "    L n < 4 { n += 1 + next_text() * 0 }\n    L n < 10 { n += 2 + next_text() * 0 }\n";
    let whole = text.split("    L n").nth(1).unwrap().split("    n\n}").next().unwrap();
    let whole = format!("    L n{whole}");
    let (result, told) = run(text, &[&[(&whole, two)]]);
    assert!(told[0] == "run at the next call" || told[0] == "run at the next loop head", "{told:?}");
    assert!(result >= 10);
}

#[test]
fn another_result_type() {
    let text = "
F work() -> i64 {
    n := 0
    L n < 10 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    n
}
F run() -> i64 = work() as i64
";
    let (result, told) = run(text, &[&[("F work() -> i64", "F work() -> f64"), ("    n\n}", "    n as f64\n}")]]);
    assert_eq!(result, 10);
    assert!(told.contains(&"work at the next call".to_owned()), "{told:?}");
    assert!(told.iter().any(|line| line.contains("its result was `i64` and is now `f64`")), "{told:?}");
}

#[test]
fn main_is_refused_with_the_reason() {
    let text = "
F main() -> i64 {
    n := 0
    L n < 10 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    n
}
";
    let played = program(text, &[&[("n := 0", "n := 0\n    m := hot_version()"), ("n += 1", "n += m")]]);
    assert_eq!(played.program.run_main().expect("no trap"), 10);
    let told = played.told();
    assert!(told[0].starts_with("main refused: `main` is running and cannot go on in its new code"), "{told:?}");
    assert!(told[0].contains("`m`"), "{told:?}");
    assert_eq!(played.program.version(), 1);
}

#[test]
fn a_frame_that_would_build_a_value_of_the_old_shape() {
    let text = "
S P { x: i64, y: i64 }
F sum(p: *P) -> i64 = p.x + p.y
F build() -> i64 {
    n := next_text() + hot_reload()
    p := P { x: n, y: 1 }
    sum(&p)
}
F run() -> i64 {
    a := build()
    a * 10 + hot_reload()
}
";
    let edits: &[(&str, &str)] =
        &[("y: i64 }", "y: i64, z: i64 = 50 }"), ("p.x + p.y", "p.x + p.y + p.z * 100"), ("y: 1 }", "y: 1, z: 2 }")];
    let played = program(text, &[edits]);
    // 1 - 1 + 1, and then nobody stands in the way.
    assert_eq!(played.call("run"), 11, "{:?}", played.told());
    let told = played.told();
    assert!(
        told.iter().any(|line| line.starts_with("P refused") && line.contains("`build`, which would build")),
        "{told:?}"
    );
    assert_eq!(played.call("build"), 2 + 1 + 200, "{told:?}");
}

/// `main` has no loop of its own: what it has done already is of no account, whatever fields its struct gets.
#[test]
fn a_main_in_no_loop_stays_as_it_is_while_its_struct_changes() {
    let text = |fields: &str, values: &str, turn: &str| {
        format!(
            "S State {{ {fields}n: i64 }}
G result: i64
F sum() -> i64 = result
F main() -> i64 {{
    state := State {{ {values}n: 0 }}
    game(&state)
    result += state.n
    0
}}
F game(s: *State) -> i64 {{
    L s.n < 10 {{
        s.n += 1
        {turn}
        I s.n == 3 || s.n == 5 || s.n == 7 {{
            next_text()
            hot_reload()
        }}
    }}
    0
}}
"
        )
    };
    let texts = vec![
        text("", "", ""),
        text("name: str = \"a\" + \"b\", ", "", "result += s.name.len() * 100"),
        text("name: str = \"a\" + \"b\", list: Vec<str>, ", "list: Vec.new(), ", "result += s.name.len() * 100"),
        text("", "", "result += 10000"),
    ];
    let played = super::harness::texts_of(texts);
    assert_eq!(played.program.run_main().expect("no trap"), 0);
    assert_eq!(played.call("sum"), 10 + 4 * 200 + 3 * 10000, "{:?}", played.told());
    let said = "only what `main` has already done changed: it takes effect at the next start of `main`";
    assert!(played.told().contains(&said.to_owned()), "{:?}", played.told());
    played.assert_no_leaks();
}

/// Its struct lies in registers; once a field is parked, new code would keep it in memory. What follows is the same.
#[test]
fn a_main_in_no_loop_stays_as_it_is_while_a_field_of_its_struct_goes_again() {
    let text = |field: &str, turn: &str| {
        format!(
            "S State {{ {field}n: i64, name: str }}
G result: i64
F sum() -> i64 = result
F main() -> i64 {{
    pair := (State {{ n: 4, name: \"a\" + \"b\" }}, 3)
    game()
    result += pair.0.n + pair.0.name.len() * 10 + pair.1 * 100
    0
}}
F game() {{
    L i: 0..5 {{
        {turn}
        I i == 2 || i == 3 {{
            next_text()
            hot_reload()
        }}
    }}
}}
"
        )
    };
    let texts = vec![text("", ""), text("more: i64 = 1, ", "result += 1000"), text("", "result += 10000")];
    let played = super::harness::texts_of(texts);
    assert_eq!(played.program.run_main().expect("no trap"), 0);
    assert_eq!(played.call("sum"), 324 + 1000 + 10000, "{:?}", played.told());
    played.assert_no_leaks();
}

#[test]
fn a_main_in_no_loop_is_refused_if_what_it_still_has_to_do_changes() {
    let text = "
F main() -> i64 {
    game()
    1
}
F game() -> i64 {
    next_text()
    hot_reload()
    0
}
";
    let played = program(text, &[&[("    1\n", "    2\n")]]);
    assert_eq!(played.program.run_main().expect("no trap"), 1);
    assert!(played.told()[0].starts_with("main refused"), "{:?}", played.told());
}

/// Another thread may hold the same channel: one of its own would be one that nobody else knows.
#[test]
fn a_channel_of_other_messages() {
    let text = "
U std/thread
F run() -> i64 {
    jobs: Channel<i64> = Channel.new()
    n := 0
    L n < 10 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
        jobs.send(n)
    }
    sum := 0
    L n > 0 {
        n -= 1
        sum += jobs.receive().unwrap() as i64
    }
    sum
}
";
    let edits = [("Channel<i64>", "Channel<f64>"), ("send(n)", "send(n as f64)")];
    let (result, told) = run(text, &[&edits]);
    assert_eq!(result, 55);
    let remark = "`run` is running and ends with its old code: `jobs` holds a `Channel<i64>` that would become a `Channel<f64>`, \
                  and other threads may hold the same one (what a global holds is changed for all of them)";
    assert!(told.iter().any(|line| line == remark), "{told:#?}");
}

/// A method that is overridden makes other code of what comes before the loop, the text of which is as it was.
#[test]
fn nothing_is_said_of_a_running_function_whose_text_has_not_changed() {
    let text = |twice: &str| {
        format!(
            "W Shape {{
    F area(&self) -> i64
    F twice(&self) -> i64 {{ self.area() * 2 }}
}}
S Square {{ a: i64 }}
X Square: Shape {{
    F area(&self) -> i64 = self.a * self.a
    {twice}
}}
F run() -> i64 {{
    shape: Box<dyn Shape> = Box.new(Square {{ a: 3 }})
    save()
    L shape.twice() == 18 {{ }}
    shape.twice()
}}
"
        )
    };
    let texts = [text(""), text("F twice(&self) -> i64 = self.a + 2")];
    let (result, told) = super::harness::saved_meanwhile(&texts.each_ref().map(String::as_str));
    assert_eq!(result, 5, "{told:?}");
    assert!(told.iter().any(|line| line.contains("twice")), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("run")), "{told:?}");
}

/// Of several types that grow the one is named, and told how much room it needs, that has none.
#[test]
fn the_type_is_named_that_has_no_room() {
    let text = "
S Small { a: i64 }
S Dot { x: i64 }
G small: Small
F wait(d: *Dot) -> i64 {
    next_text()
    hot_reload()
    d.x
}
F main() -> i64 {
    dot := Dot { x: 1 }
    wait(&dot) + dot.x
}
";
    let grown = [
        ("S Small { a: i64", "S Small { a: i64, b: i64"),
        ("x: i64 }", "x: i64, y: i64 = 6, z: [i64; 100] = [3; 100] }"),
    ];
    let played = program(text, &[&grown]);
    assert_eq!(played.program.run_main().expect("no trap"), 2);
    let told = played.told();
    assert!(told[0].starts_with("Dot refused: local `dot` of `main` has"), "{told:?}");
    assert_eq!(played.program.version(), 1);
    // The same where it is the code that waits which stands in the way.
    let text = text
        .replace("dot := Dot { x: 1 }", "dots := [Dot { x: 1 }]")
        .replace("&dot)", "&dots[0])")
        .replace("dot.x", "dots[0].x");
    let played = program(&text, &[&grown]);
    assert_eq!(played.program.run_main().expect("no trap"), 2);
    let told = played.told();
    assert!(told[0].starts_with("Dot refused: it would have to wait for `main`, which would"), "{told:?}");
}
