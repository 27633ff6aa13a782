//! Types change while a function waits in the middle of putting a value together.

use super::harness::{program, run};

/// `run` makes values of which a part is made by `wait`, which reloads; what the parts have lost and got back is counted.
fn text(put_together: &str, looks: &str) -> String {
    format!(
        "
S Job {{ id: i64, data: Vec<str> }}
S Two {{ a: Job, b: Job }}
F mk(n: i64) -> Job = Job {{ id: n, data: [\"a{{n}}\", \"b{{n}}\"].to_vec() }}
F again() {{
    next_text()
    hot_reload()
}}
F wait(n: i64) -> Job {{
    again()
    mk(n)
}}
F later(n: i64) -> Two {{ Two {{ a: mk(n), b: wait(n) }} }}
F is_right(j: Job) -> bool = j.data.len() == 0 || j.data.len() == 2 && j.data[0] == \"a{{j.id}}\"
F look(j: Job) {{ I !is_right(j) {{ wrong += 1 }} }}
G wrong: i64
F run() -> i64 {{
    n := 0
    spare: Vec<str> = []
    L n < 6 {{
        n += 1
        {put_together}
        again()
        {looks}
        L i: 0..20 {{ spare.push(\"x{{i}}\") }}
        spare.clear()
    }}
    wrong
}}
"
    )
}

const THERE: [(&str, &str); 3] = [
    ("id: i64, data: Vec<str>", "id: i64"),
    ("id: n, data: [\"a{n}\", \"b{n}\"].to_vec()", "id: n"),
    ("j.data.len() == 0 || j.data.len() == 2 && j.data[0] == \"a{j.id}\"", "true"),
];

/// What the last turn has left in the same place is not taken for a part of the new value.
#[test]
fn parts_that_are_not_there_yet() {
    let back = THERE.map(|(from, to)| (to, from));
    for (put_together, looks) in [
        ("p := Two { a: mk(n), b: wait(n) }", "look(p.a)  look(p.b)"),
        ("p := Two { a: wait(n), b: mk(n) }", "look(p.a)  look(p.b)"),
        ("t := (mk(n), wait(n))", "look(t.0)  look(t.1)"),
        ("t := ((mk(n), 1), (wait(n), mk(n)))", "look(t.0.0)  look(t.1.0)  look(t.1.1)"),
        ("a := [mk(n), wait(n), mk(n)]", "look(a[0])  look(a[1])  look(a[2])"),
    ] {
        let text = text(put_together, looks);
        // What new code makes in the middle of a turn of old code that counts nothing there is released by nobody.
        let played = program(&text, &[&THERE, &back, &THERE, &back, &THERE, &back]);
        assert_eq!(played.call("run"), 0, "{put_together}: {:#?}", played.told());
        assert_eq!(played.told().iter().filter(|line| *line == "mk live now").count(), 6, "{put_together}");
    }
}

/// The parts of a result lie with the caller.
#[test]
fn a_result_of_which_a_part_is_there() {
    let text = text("p := later(n)", "look(p.a)  look(p.b)");
    let (wrong, told) = run(&text, &[&THERE]);
    assert_eq!(wrong, 0, "{told:#?}");
}

/// Code that knows of fewer counted parts does not copy what new code has made, and count down more.
#[test]
fn copies_of_enums_that_count_more() {
    let text = "
E Kind { No, A(i64) }
S Ent { id: i64, tail: str, kind: Kind }
F mk(n: i64) -> Ent = Ent { id: n, tail: \"t{n}\", kind: A(n) }
F wait(n: i64) -> Ent {
    next_text()
    hot_reload()
    mk(n)
}
F is_right(e: Ent) -> bool = M e.kind { No => false, A(n) => n == e.id || n == 0 }
F look(e: Ent) { I !is_right(e) { wrong += 1 } }
G wrong: i64
F run() -> i64 {
    n := 0
    L n < 6 {
        n += 1
        look((wait(n), mk(n)).1)
    }
    wrong
}
";
    let there = [
        ("A(i64)", "A(str)"),
        ("kind: A(n)", "kind: A(\"n{n}\")"),
        ("n == e.id || n == 0", "n == \"n{e.id}\" || n == \"\" || n == \"{e.id}\""),
    ];
    let back = there.map(|(from, to)| (to, from));
    let (wrong, told) = run(text, &[&there, &back, &there]);
    assert_eq!(wrong, 0, "{told:#?}");
}
