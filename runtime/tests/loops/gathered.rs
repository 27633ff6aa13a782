//! Structs and tuples in registers that become something else as wholes, and come back.

use super::harness::{goes_on, run};

/// Holds something in `all`, edits itself in each turn but the first and the last, and puts a digit for each together.
fn holding(start: &str, uses: &str, turns: i64) -> String {
    let text = "
S At { x: i64, y: f64 }
S P { n: i64, name: str }
S Whole { p: P, at: At }
F text(n: i64) -> str = \"text {n}\"
F list(n: i64) -> Vec<str> = [text(n), text(n)]
F run() -> i64 {
    all := START
    sum := 0
    n := 0
    L n < TURNS {
        n += 1
        sum = sum * 10 + USES
        I n < TURNS - 1 {
            next_text()
            hot_reload()
        }
    }
    sum
}
";
    text.replace("START", start).replace("USES", uses).replace("TURNS", &turns.to_string())
}

const P: &str = "P { n: 3, name: text(1) }";

#[test]
fn a_struct_becomes_an_option_of_it_and_comes_back() {
    let wrap: &[(&str, &str)] = &[(P, "Some(P { n: 7, name: text(22) })"), ("+ all.name.len()", "+ all!.name.len()")];
    let back: &[(&str, &str)] = &[("Some(P { n: 7, name: text(22) })", P), ("+ all!.name.len()", "+ all.n")];
    let text = holding(P, "all.name.len()", 4);
    assert_eq!(goes_on(&text, &[wrap, back]), 6633);
}

#[test]
fn numbers_only() {
    let at = "At { x: 3, y: 4.5 }";
    let some = "Some(At { x: 1, y: 1.0 })";
    let wrap: &[(&str, &str)] = &[(at, some), ("+ all.x", "+ all!.x + (all!.y * 2.0) as i64 - 9")];
    let back: &[(&str, &str)] = &[(some, at), ("all!.x + (all!.y * 2.0) as i64 - 9", "(all.y * 2.0) as i64 - all.x")];
    assert_eq!(goes_on(&holding(at, "all.x", 4), &[wrap, back]), 3366);
}

#[test]
fn a_tuple_becomes_an_option_of_it() {
    let some = "Some((1, text(1)))";
    let wrap: &[(&str, &str)] = &[("(3, text(22))", some), ("all.1.len()", "all!.1.len() - all!.0")];
    let back: &[(&str, &str)] = &[(some, "(3, text(22))"), ("all!.1.len() - all!.0", "all.1.len() + all.0 - 6")];
    assert_eq!(goes_on(&holding("(3, text(22))", "all.1.len()", 4), &[wrap, back]), 7444);
}

#[test]
fn a_part_of_a_tuple_or_a_struct_does() {
    let tuple: &[(&str, &str)] = &[
        ("(5, P { n: 3, name: text(1) })", "(6, Some(P { n: 4, name: text(1) }))"),
        ("all.0 + all.1.n", "all.0 + all.1!.n - all.1!.name.len()"),
    ];
    assert_eq!(goes_on(&holding("(5, P { n: 3, name: text(1) })", "all.0 + all.1.n", 3), &[tuple]), 822);
    let start = "Whole { p: P { n: 3, name: text(1) }, at: At { x: 1, y: 2.0 } }";
    let field: &[(&str, &str)] = &[
        ("S Whole { p: P, ", "S Whole { p: Option<P>, "),
        ("p: P { n: 3, name: text(1) }", "p: Some(P { n: 4, name: text(1) })"),
        ("all.p.n", "all.p!.n + all.at.x"),
    ];
    assert_eq!(goes_on(&holding(start, "all.p.n", 3), &[field]), 344);
}

#[test]
fn its_fields_change_in_the_same_save() {
    let both: &[(&str, &str)] = &[
        (
            "S P { n: i64, name: str }",
            "S P { more: i64 = 2, tags: Vec<str> = list(1), n: f64, #[was(\"name\")] called: str }",
        ),
        (P, "Some(P { n: 1.0, called: text(22) })"),
        ("+ all.name.len()", "+ all!.called.len() - all!.n as i64 + all!.more + all!.tags.len()"),
    ];
    let (result, told) = run(&holding(P, "all.name.len()", 3), &[both]);
    assert_eq!(result, 677, "{told:#?}");
    let less: &[(&str, &str)] =
        &[("S P { n: i64, name: str }", "S P { n: i64 }"), (P, "Some(P { n: 1 })"), ("+ all.name.len()", "+ all!.n")];
    let more: &[(&str, &str)] =
        &[("S P { n: i64 }", "S P { n: i64, name: str = \"x\" }"), ("+ all!.n", "+ all!.name.len()")];
    let (result, told) = run(&holding(P, "all.name.len()", 4), &[less, more]);
    assert!(result / 100 == 63 && result % 10 == result / 10 % 10, "{result} {told:#?}");
}

#[test]
fn what_the_code_only_borrows() {
    let text = "
S P { n: i64, name: str }
F text(n: i64) -> str = \"text {n}\"
F inside(p: P) -> i64 {
    all := p
    sum := 0
    n := 0
    L n < 4 {
        n += 1
        sum = sum * 10 + all.name.len()
        I n < 3 {
            next_text()
            hot_reload()
        }
    }
    sum
}
F run() -> i64 { inside(P { n: 3, name: text(1) }) }
";
    let wrap: &[(&str, &str)] = &[("all := p", "all := Some(p)"), ("all.name.len()", "all!.name.len() + 1")];
    let back: &[(&str, &str)] = &[("all := Some(p)", "all := p"), ("all!.name.len() + 1", "all.name.len() + all.n")];
    let (result, told) = run(text, &[wrap, back]);
    assert_eq!(result, 6799, "{told:#?}");
}

#[test]
fn rows_and_options_of_structs_with_constants_declared() {
    let row = "[P { n: 3, name: text(1) }, P { n: 4, name: text(22) }]";
    let edited: &[(&str, &str)] = &[("S P { n: i64, ", "S P { more: i64 = 2, n: i64, ")];
    let longer: &[(&str, &str)] = &[
        ("P { n: 4, name: text(22) }]", "P { n: 4, name: text(22) }, P { n: 5, name: text(1) }]"),
        ("all[1].name.len()", "all[1].name.len() + all[2].more - 1"),
    ];
    assert_eq!(goes_on(&holding(row, "all[1].name.len()", 4), &[edited, longer]), 7788);
    let some = "Some(P { n: 3, name: text(1) })";
    let back: &[(&str, &str)] = &[(some, P), ("all!.name.len()", "all.name.len() + all.more")];
    assert_eq!(goes_on(&holding(some, "all!.name.len()", 4), &[edited, back]), 6688);
    let none = holding("I n_of() > 3 { Some(P { n: 3, name: text(1) }) } E { None }", "3", 4);
    let none = none.replace("F run", "F n_of() -> i64 = 3\nF run");
    let back: &[(&str, &str)] =
        &[("I n_of() > 3 { Some(P { n: 3, name: text(1) }) } E { None }", P), ("+ 3", "+ all.name.len() + all.more")];
    assert_eq!(goes_on(&none, &[edited, back]), 3322);
}

#[test]
fn fields_and_locals_go_into_boxes_and_come_out() {
    let boxed: &[(&str, &str)] = &[
        ("S P { n: i64", "S P { n: Box<i64>"),
        (P, "P { n: Box.new(9), name: text(1) }"),
        ("+ all.n", "+ *all.n + 1"),
    ];
    let back: &[(&str, &str)] = &[
        ("S P { n: Box<i64>", "S P { n: i64"),
        ("P { n: Box.new(9), name: text(1) }", P),
        ("+ *all.n + 1", "+ all.n"),
    ];
    assert_eq!(goes_on(&holding(P, "all.n", 4), &[boxed, back]), 3433);
    let boxed: &[(&str, &str)] = &[(P, "Box.new(P { n: 9, name: text(22) })"), ("+ all.n", "+ all.n + all.name.len()")];
    let back: &[(&str, &str)] =
        &[("Box.new(P { n: 9, name: text(22) })", P), ("all.n + all.name.len()", "all.name.len()")];
    assert_eq!(goes_on(&holding(P, "all.n", 4), &[boxed, back]), 3966);
    let list = "[P { n: 3, name: text(1) }]";
    let boxed: &[(&str, &str)] = &[
        ("all: Vec<P> = [P { n: 3, name: text(1) }]", "all: Vec<Box<P>> = []"),
        ("all[0].name.len()", "all[0].name.len() + all.len()"),
    ];
    let text = holding(list, "all[0].name.len()", 3).replace("all := ", "all: Vec<P> = ");
    assert_eq!(goes_on(&text, &[boxed]), 677);
}
