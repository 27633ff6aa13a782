//! Locals of running loops that get another type and keep what has a meaning there.

use super::harness::{goes_on, run, saved_meanwhile};

/// Holds something in `all`, edits itself in its third turn, and uses it in each.
fn holding(start: &str, uses: &str) -> String {
    let text = "
F text(n: i64) -> str = \"text {n}\"
F run() -> i64 {
    all := START
    sum := 0
    n := 0
    L n < 5 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
        sum += USES
    }
    sum
}
";
    text.replace("START", start).replace("USES", uses)
}

/// What the three turns before the edit and the two behind it come to, where the uses give `before` and `after`.
fn turns(before: i64, after: i64) -> i64 {
    before * 3 + after * 2
}

#[test]
fn an_array_of_texts_grows_and_shrinks() {
    let text = holding("[text(1), text(22), text(333)]", "all[1].len()");
    let longer = ("[text(1), text(22), text(333)]", "[text(4), text(5), text(6), text(7)]");
    let result = goes_on(&text, &[&[longer, ("sum += all[1].len()", "sum += all[2].len() * 10 + all[3].len()")]]);
    assert_eq!(result, turns(7, 80));
    // A literal has more to say about what is new.
    let literal = ("[text(1), text(22), text(333)]", "[\"\", \"\", \"\", \"four\"]");
    let result = goes_on(&text, &[&[literal, ("sum += all[1].len()", "sum += all[2].len() * 10 + all[3].len()")]]);
    assert_eq!(result, turns(7, 84));
    let shorter = ("[text(1), text(22), text(333)]", "[text(4), text(5)]");
    assert_eq!(goes_on(&text, &[&[shorter, ("+= all[1]", "+= all[0]")]]), turns(7, 6));
}

#[test]
fn lists_of_what_can_be_converted() {
    let text = holding("[text(1), text(22)]", "all[1].len()").replace("all :=", "all: Vec<str> =");
    let options = ("all: Vec<str> = [text(1), text(22)]", "all: Vec<Option<str>> = []");
    let (result, told) = run(&text, &[&[options, ("sum += all[1].len()", "sum += all.len() * 10 + all[1]!.len()")]]);
    assert_eq!(result, turns(7, 27), "{told:?}");
    let told = told.join("\n");
    assert!(told.contains("converted from `Vec<str>` to `Vec<Option<str>>`, as a list of its own"), "{told}");
}

#[test]
fn tuples_with_texts_grow_inside_options_lists_and_maps() {
    let start = "Some((text(1), 7))";
    let text = holding(start, "M all { Some((a, b)) => a.len() + b, None => 0 }");
    let edit: &[(&str, &str)] = &[
        (start, "Some((text(2), 8.0, \"x\"))"),
        ("Some((a, b)) => a.len() + b", "Some((a, b, c)) => a.len() * 10 + (b * 2.0) as i64 + c.len()"),
    ];
    assert_eq!(goes_on(&text, &[edit]), turns(6 + 7, 60 + 14));
}

#[test]
fn maps_of_lists() {
    let made = "
F made() -> HashMap<str, Vec<i64>> {
    made := HashMap.new()
    one := Vec.new()
    one.push(3)
    one.push(4)
    made.set(text(1), one)
    made
}
F run";
    let text = holding("made()", "all.get(text(1))![1]").replace("F run", made);
    let edit: &[(&str, &str)] = &[
        ("all := made()", "all: HashMap<str, Vec<f64>> := HashMap.new()"),
        ("sum += all.get(text(1))![1]", "sum += (all.get(text(1))![1] * 10.0) as i64"),
    ];
    assert_eq!(goes_on(&text, &[edit]), turns(4, 40));
}

#[test]
fn arrays_of_structs_grow() {
    let text = holding("[P { name: text(1), x: 5 }, P { name: text(22), x: 6 }]", "all[1].name.len() + all[0].x");
    let text = format!("S P {{ name: str, x: i64 }}\n{text}");
    let grow: (&str, &str) = (
        "[P { name: text(1), x: 5 }, P { name: text(22), x: 6 }]",
        "[P { name: text(9), x: 1 }, P { name: text(9), x: 1 }, P { name: text(9), x: 1 }]",
    );
    let uses = ("sum += all[1].name.len() + all[0].x", "sum += all[1].name.len() * 10 + all[0].x + all[2].name.len()");
    assert_eq!(goes_on(&text, &[&[grow, uses]]), turns(12, 75));
}

#[test]
fn an_array_grows_whose_structs_change() {
    let text = "
S P { name: str, x: i64 }
F text(n: i64) -> str = \"text {n}\"
F run() -> i64 {
    all := [P { name: text(1), x: 5 }, P { name: text(22), x: 6 }]
    n := 0
    save()
    L n < 1 { }
    all[1].name.len() + all[0].x
}
";
    let next = text
        .replace("x: i64 }", "x: f64, tag: str = text(333) }")
        .replace("x: 5 }, P {", "x: 5.5 }, P { name: text(9), x: 6.0 }, P {")
        .replace("x: 6 }", "x: 6.5 }")
        .replace("L n < 1 { }", "L n < 1 { n = 1 }")
        .replace("all[0].x", "(all[0].x * 10.0) as i64 + all[1].tag.len() * 100 + all[2].name.len()");
    let (result, told) = saved_meanwhile(&[text, &next]);
    assert_eq!(result, 7 + 50 + 800, "{told:?}");
}

#[test]
fn what_is_shared_is_shared_afterwards() {
    let text = "
F run() -> i64 {
    a: Vec<i64> := Vec.new()
    b := (a, 1)
    sum := 0
    n := 0
    L n < 5 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
        a.push(n)
        sum += b.0.len()
    }
    sum
}
";
    let edit: &[(&str, &str)] = &[
        ("a: Vec<i64>", "a: Vec<Option<i64>>"),
        ("b := (a, 1)", "b := (a, 1, 2)"),
        ("a.push(n)", "a.push(Some(n))"),
        ("sum += b.0.len()", "sum += b.0.len() * 10"),
    ];
    assert_eq!(goes_on(text, &[edit]), 1 + 2 + 3 + 40 + 50);
}

#[test]
fn an_option_that_becomes_its_value() {
    let text = holding("Some(text(1))", "all!.len()");
    assert_eq!(
        goes_on(&text, &[&[("Some(text(1))", "text(333)"), ("sum += all!.len()", "sum += all.len() * 10")]]),
        turns(6, 60)
    );
}

/// Also where a default would have to be made of collections.
#[test]
fn an_option_of_a_struct_that_becomes_the_struct() {
    for fields in ["list: Vec<str>", "at: (i64, HashMap<str, str>), list: Vec<str>"] {
        let start = "Some(made())";
        let text = holding(start, "length(all)").replace("all :=", "all: Option<P> =")
            + &format!(
                "S P {{ {fields} }}\nF length(p: Option<P>) -> i64 {{ M p {{ Some(p) => p.list.len(), None => 7 }} }}\n"
            )
            + &match fields.starts_with("at") {
                false => "F made() -> P = P { list: [text(1), text(2)].to_vec() }\n".to_owned(),
                true => "F made() -> P = P { at: (1, HashMap.new()), list: [text(1), text(2)].to_vec() }\n".to_owned(),
            };
        let edit = [("all: Option<P> = Some(made())", "all: P = made()"), ("length(all)", "all.list.len() * 10")];
        assert_eq!(goes_on(&text, &[&edit]), turns(2, 20));
        let none = text.replace("all: Option<P> = Some(made())", "all: Option<P> = None");
        let edit = [("all: Option<P> = None", "all: P = made()"), ("length(all)", "all.list.len() * 10 + 1")];
        assert_eq!(goes_on(&none, &[&edit]), turns(7, 1), "empty, or what is declared");
    }
}

#[test]
fn instances_of_generic_types() {
    let text = holding("Pair { a: text(1), b: 3 }", "all.a.len() + all.b");
    let text = format!("S Pair<A, B> {{ a: A, b: B }}\n{text}");
    let edit: &[(&str, &str)] =
        &[("b: 3 }", "b: 4.5 }"), ("sum += all.a.len() + all.b", "sum += all.a.len() * 10 + (all.b * 2.0) as i64")];
    assert_eq!(goes_on(&text, &[edit]), turns(9, 66));
}

#[test]
fn while_another_thread_saves() {
    let text = "
F text(n: i64) -> str = \"text {n}\"
F run() -> i64 {
    all := [text(1), text(22)]
    n := 0
    save()
    L n < 1 { }
    all[1].len()
}
";
    let next = text
        .replace("text(22)]", "text(22), text(333)]")
        .replace("L n < 1 { }", "L n < 1 { n = 1 }")
        .replace("all[1].len()", "all[1].len() * 10 + all[2].len()");
    let (result, told) = saved_meanwhile(&[text, &next]);
    assert_eq!(result, 70, "{told:?}");
}

/// A struct that becomes one of another name, in registers, behind an address, in a list and in an option: its fields go on by
/// their names, and back.
#[test]
fn structs_of_other_names() {
    let text = |name: &str, fields: &str, values: &str, value: &str, sum: &str| {
        format!(
            "
S In {{ k: i64, t: str }}
S {name} {{ {fields} }}
F add(p: *{name}) {{ p.list.push(\"e{{p.list.len()}}\") }}
F run() -> i64 {{
    a := {name} {{ {values} }}
    b := {name} {{ {values} }}
    rows := [{name} {{ {values} }}]
    maybe := {value}
    n := 0
    L n < 6 {{
        n += 1
        a.x += 1{sum}
        add(&b)
        I n == 2 || n == 4 {{
            next_text()
            hot_reload()
        }}
    }}
    M maybe {{ Some(it) => {{ n = it.list.len() }} None => {{ n = 1000 }} }}
    a.x as i64 * 1000 + b.list.len() * 100 + rows[0].inside.t.len() * 10 + n + a.name.len()
}}
"
        )
    };
    let of = |name: &str, more: &str, values: &str, sum: &str| {
        let fields =
            format!("x: {}, name: str, inside: In, list: Vec<str>{more}", if sum.is_empty() { "i64" } else { "f64" });
        let values = format!(
            "x: {sum_start}, name: \"n\".upper(), inside: In {{ k: 1, t: \"t\".upper() }}, list: []{values}",
            sum_start = if sum.is_empty() { "0" } else { "0.0" }
        );
        text(name, &fields, &values, &format!("Some({name} {{ {values} }})"), sum)
    };
    let first = of("A", ", gone: str", ", gone: \"g\".upper()", "");
    let second = of("B", ", more: Vec<i64>", ", more: []", ".0");
    let (result, told) = run(&first, &[&[(&first, &second)], &[(&second, &first)]]);
    assert_eq!(result, 6000 + 600 + 10 + 1, "{told:#?}");
    let remark = "`a` in the running `run` keeps its value, converted from `A` to `B`, without `gone`";
    assert!(told.iter().any(|line| line == remark), "{told:#?}");
}

/// What such a struct has besides starts as declared, if that is a literal; what would have to be computed is told of.
#[test]
fn a_struct_of_another_name_with_new_fields() {
    let text = "
S P { hp: i64 }
F hit(p: *P) { p.hp += 1 }
F run() -> i64 {
    p := P { hp: 0 }
    all: Vec<P> = [P { hp: 5 }]
    n := 0
    L n < 4 {
        n += 1
        hit(&p)
        all.push(P { hp: 6 })
        I n == 2 {
            next_text()
            hot_reload()
        }
    }
    p.hp + all[0].hp * 10 + all.len() * 100
}
";
    let fields = "S Q { hp: i64, word: str = \"word\", c: i64 = 3, sum: i64 = three() }\nF three() -> i64 = 3";
    let sum = "p.hp + all[0].hp * 10 + p.word.len() * 1000 + all[1].word.len() * 10000 + all[1].c * 100000 + p.sum";
    let edits = [
        ("S P { hp: i64 }", fields),
        ("*P", "*Q"),
        ("= P {", "= Q {"),
        ("Vec<P> = [P {", "Vec<Q> = [Q {"),
        ("(P {", "(Q {"),
        ("p.hp + all[0].hp * 10 + all.len() * 100", sum),
    ];
    let (result, told) = run(text, &[&edits]);
    assert_eq!(result, 344_054, "{told:#?}");
    let remark = "`p` in the running `run` keeps its value, converted from `P` to `Q`; what is declared for `sum` is not \
                  computed, it starts from nothing";
    assert!(told.iter().any(|line| line == remark), "{told:#?}");
}
