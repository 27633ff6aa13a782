//! Values of changed types in functions around the loop that goes on: those have only to release them.

use super::harness::run;

/// `around` makes a value and waits for a loop that is shown it and edits the program in each of its turns.
fn shown(passed: &str, fields: &str, values: &str) -> String {
    let text = "
S Game { score: i64, FIELDS, name: str }
F text(n: i64) -> str = \"text {n}\"
F play(g: PASSED) -> i64 {
    sum := 0
    L sum < 1000000 {
        sum = sum * 10 + USES
        next_text()
        hot_reload()
    }
    sum
}
F around() -> i64 {
    CALL
}
F run() -> i64 { around() }
";
    let call = match passed {
        "Game" => "play(Game { score: 1, VALUES, name: text(1) })",
        _ => "g := Game { score: 1, VALUES, name: text(1) }\n    play(&g)",
    };
    let text = text.replace("CALL", call).replace("PASSED", passed);
    text.replace("FIELDS", fields).replace("VALUES", values)
}

const PASSED: [&str; 2] = ["*Game", "Game"];

fn assert_live(told: &[String], edits: usize) {
    let live = told.iter().filter(|line| *line == "play at the next loop head").count();
    assert_eq!(live, edits, "{told:#?}");
}

#[test]
fn a_field_is_removed_and_comes_back() {
    for passed in PASSED {
        let text = shown(passed, "log: Vec<str>", "log: [text(1), text(2)]").replace("USES", "g.log.len()");
        let without: &[(&str, &str)] =
            &[("log: Vec<str>, ", ""), ("log: [text(1), text(2)], ", ""), ("g.log.len()", "g.name.len()")];
        let again: &[(&str, &str)] = &[
            ("score: i64, ", "score: i64, log: Vec<str>, "),
            ("score: 1, ", "score: 1, log: [text(1), text(2)], "),
            ("g.name.len()", "g.log.len() + g.log[1].len() - 6"),
        ];
        let (result, told) = run(&text, &[without, again, &[("- 6", "- 5")], &[("- 5", "- 4")]]);
        assert_eq!(result, 2_623_444, "{told:#?}");
        assert_live(&told, 4);
    }
}

#[test]
fn a_field_gets_another_type() {
    for passed in PASSED {
        let text = shown(passed, "log: Vec<str>", "log: [text(1), text(2)]").replace("USES", "g.log.len()");
        let option: &[(&str, &str)] = &[
            ("log: Vec<str>", "log: Option<str>"),
            ("log: [text(1), text(2)]", "log: Some(text(7))"),
            ("g.log.len()", "M g.log { Some(log) => log.len(), None => 3 }"),
        ];
        let (result, told) = run(&text, &[option, &[("=> 3", "=> 4")], &[("=> 4", "=> 5")]]);
        assert!(result >= 2_000_000 && told.len() >= 3, "{result} {told:#?}");
        assert_live(&told, 3);
    }
}

#[test]
fn the_last_text_goes_and_another_one_comes() {
    for passed in PASSED {
        let text = shown(passed, "level: i64", "level: 3").replace("USES", "g.name.len()");
        let without: &[(&str, &str)] = &[(", name: str", ""), (", name: text(1)", ""), ("g.name.len()", "g.level")];
        let other: &[(&str, &str)] = &[
            ("level: i64", "level: i64, tags: Vec<str> = [text(1)]"),
            ("sum * 10 + g.level", "sum * 10 + g.level + g.tags.len()"),
        ];
        let (result, told) = run(&text, &[without, other, &[("g.tags.len()", "g.tags.len() + 1")]]);
        assert_eq!(result, 6_345_555, "{told:#?}");
        assert_live(&told, 3);
    }
}

#[test]
fn a_type_gets_another_name_and_another_field() {
    for passed in PASSED {
        let text = shown(passed, "log: Vec<str>", "log: [text(1), text(2)]").replace("USES", "g.log.len()");
        let renamed: &[(&str, &str)] = &[
            ("Game", "Match"),
            ("S Match { ", "#[was(\"Game\")]\nS Match { more: i64 = 3, "),
            ("g.log.len()", "g.log.len() + g.more"),
        ];
        let (result, told) = run(&text, &[renamed, &[("g.more", "g.more + 1")], &[("g.more + 1", "g.more + 2")]]);
        assert_eq!(result, 2_567_777, "{told:#?}");
        assert_live(&told, 3);
    }
}

#[test]
fn code_that_was_resumed_knows_its_types_by_their_new_names() {
    let text = "
S A { id: i64, name: str }
F text(n: i64) -> str = \"text {n}\"
F show(a: *A) -> i64 { a.id }
F run() -> i64 {
    a := A { id: 1, name: text(1) }
    sum := 0
    n := 0
    L n < 4 {
        n += 1
        next_text()
        hot_reload()
        sum = sum * 10 + show(&a) + a.name.len()
    }
    sum
}
";
    let renamed: &[(&str, &str)] = &[
        ("name: str", "name: f64"),
        ("name: text(1)", "name: 2.0"),
        ("a.name.len()", "a.name as i64"),
        ("*A", "*B"),
        ("a := A", "a := B"),
        ("S A {", "#[was(\"A\")]\nS B {"),
    ];
    let (result, told) = run(text, &[&[("+ show", "+ 1 + show")], renamed]);
    assert_eq!(result, 7888, "{told:#?}");
    assert!(
        told[1].starts_with("B refused: it would have to wait for `run`, which would use the field `name`"),
        "{told:#?}"
    );
}

/// The parts of an argument that is taken apart belong to the caller, as the whole does.
#[test]
fn parts_of_an_argument_stay_the_callers() {
    for (ty, value, seen) in [
        ("B", "B { o: Some(mk(1)) }", "p.o"),
        ("(Option<A>, i64)", "(Some(mk(1)), 5)", "p.0"),
        ("(i64, Result<A, str>)", "(5, Ok(mk(1)))", "p.1.ok()"),
        ("(B, B)", "(B { o: Some(mk(1)) }, B { o: Some(mk(2)) })", "p.1.o"),
    ] {
        let text = "
S A { id: i64, f: Vec<str> }
S B { o: Option<A> }
F mk(n: i64) -> A = A { id: n, f: [\"f{n}\"].to_vec() }
F size(a: Option<A>) -> i64 { M a { Some(a) => a.f.len(), None => 0 } }
F play(p: PASSED) -> i64 {
    sum := 0
    L sum < 1000 {
        sum = sum * 10 + size(SEEN)
        next_text()
        hot_reload()
    }
    sum
}
F around() -> i64 = play(VALUE)
F run() -> i64 { around() }
";
        let text = text.replace("PASSED", ty).replace("VALUE", value).replace("SEEN", seen);
        let grown =
            [("f: Vec<str> }", "f: Vec<str>, g: Vec<str> = [text(), text()].to_vec() }\nF text() -> str = \"t{2}\"")];
        let used = [("a.f.len()", "a.f.len() + a.g.len()")];
        let (result, told) = run(&text, &[&grown, &used]);
        assert_eq!(result, 1133, "{ty}: {told:#?}");
    }
}
