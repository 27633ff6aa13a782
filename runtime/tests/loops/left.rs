//! Old code that goes on while what it deals with changes: globals of another type, and functions that only old frames and
//! function values call any more.

use super::harness::{run, saved_meanwhile};

/// Reloads in its second, fourth and sixth turn, each time before it calls `f`.
const VALUES: &str = "
S P { x: i64 }
G ps: Vec<P> = []
F note(n: i64) -> i64 { ps.push(P { x: n })  ps.len() }
G f: fn(i64) -> i64 = note
F step() -> i64 {
    next_text()
    hot_reload()
    0
}
F run() -> i64 {
    n := 0
    L n < 6 {
        n += 1
        I n % 2 == 0 { step() }
        f(n)
    }
    ps.len() * 100 + ps[5].x
}
";

const SIGNATURE: [(&str, &str); 2] = [
    ("F note(n: i64)", "F note(n: i64, k: i64)"),
    ("G f: fn(i64) -> i64 = note", "G f: fn(i64) -> i64 = |n: i64| note(n, 1)"),
];
const FIELD: (&str, &str) = ("S P { x: i64 }", "S P { x: i64, y: str = \"y\" }");

#[test]
fn a_function_value_whose_old_code_would_build_a_changed_type() {
    let (result, told) = run(VALUES, &[&[SIGNATURE[0], SIGNATURE[1], FIELD]]);
    assert_eq!(result, 606);
    let why = "P refused: 1 function value of `note` keeps its old code, which would build a `P` as it was";
    assert!(told.iter().any(|line| line == why), "{told:#?}");
}

#[test]
fn a_function_value_that_an_earlier_save_has_left() {
    let why = "P refused: 1 function value of `note` keeps its old code, which would build a `P` as it was";
    let (result, told) = run(VALUES, &[&SIGNATURE, &[FIELD]]);
    assert_eq!(result, 606);
    assert!(told.iter().any(|line| line == why), "{told:#?}");
    // Its function takes what it took again: then it has new code.
    let back: Vec<(&str, &str)> = SIGNATURE.iter().map(|(from, to)| (*to, *from)).collect();
    let (result, told) = run(VALUES, &[&SIGNATURE, &back, &[FIELD]]);
    assert_eq!(result, 606);
    assert!(!told.iter().any(|line| line.contains("refused")), "{told:#?}");
}

#[test]
fn a_frame_that_would_use_a_global_as_it_was() {
    let text = "
G count: i64 = 1
F step() -> i64 {
    next_text()
    hot_reload()
    count += 1
    0
}
F run() -> i64 {
    n := 0
    L n < 3 {
        n += 1
        I n == 2 { step() }
    }
    count as i64
}
";
    let (result, told) = run(text, &[&[("count: i64 = 1", "count: f64 = 1.0"), ("count += 1", "count += 1.0")]]);
    assert_eq!(result, 2);
    let why = "count refused: it would have to wait for `step`, which would use the global `count` with the old layout, \
               and that has asked for the reload itself";
    assert!(told.iter().any(|line| line == why), "{told:#?}");
}

#[test]
fn a_frame_that_would_call_a_function_with_old_code() {
    let text = "
G log: Vec<str> = []
F note(s: str) -> i64 {
    log.push(s)
    log.len()
}
F step() -> i64 {
    next_text()
    hot_reload()
    note(\"b\" + \"c\")
}
F run() -> i64 {
    n := 0
    L n < 3 {
        n += 1
        I n == 2 { step() }
    }
    log.len()
}
";
    let edit: &[(&str, &str)] = &[
        ("note(s: str)", "note(s: str, e: i64 = 2)"),
        ("log: Vec<str>", "log: Vec<Option<str>>"),
        ("log.push(s)", "log.push(Some(s))"),
    ];
    let (result, told) = run(text, &[edit]);
    assert_eq!(result, 1);
    let why = "`step`, which would call `note`, which would use the global `log`";
    assert!(told.iter().any(|line| line.contains("refused") && line.contains(why)), "{told:#?}");
}

/// `b` lies in the block of `run`, and a struct and a global point at it.
const POINTED: &str = "
S P { x: i64, name: str }
S Node { p: &P, k: i64 }
S Other { y: f64, q: str }
G seen: *P
F look(n: Node) -> i64 = n.p.x + n.p.name.len()
F turn(n: i64) -> i64 {
    I n == 2 {
        next_text()
        hot_reload()
    }
    0
}
F run() -> i64 {
    a := P { x: 1, name: \"a\" + \"a\" }
    b := P { x: 2, name: \"b\" + \"bb\" }
    node := Node { p: &b, k: 1 }
    seen = &b
    n := 0
    sum := 0
    L n < 4 {
        n += 1
        turn(n)
        sum = sum * 100 + look(node) + seen.x + a.x + b.x
    }
    sum
}
";

#[test]
fn a_local_at_which_something_points() {
    let is_refused = |edit: &[(&str, &str)]| {
        let (result, told) = run(POINTED, &[edit]);
        assert_eq!(result, 10101010, "{told:#?}");
        let why = "points at `b`, which its new code does not take over";
        assert!(told.iter().any(|line| line.contains("run refused") && line.contains(why)), "{told:#?}");
    };
    let gone = [("    b := P { x: 2, name: \"b\" + \"bb\" }\n", ""), ("&b", "&a"), ("+ b.x", "")];
    is_refused(&gone);
    let other =
        [("b := P { x: 2, name: \"b\" + \"bb\" }", "b := Other { y: 2.0, q: \"q\" }"), ("&b", "&a"), ("+ b.x", "")];
    is_refused(&other);
}

#[test]
fn a_local_at_which_something_points_stays_where_it_is() {
    let before =
        [("    a := P {", "    c := P { x: 100, name: \"c\" }\n    seen = &c\n    a := P {"), ("+ a.x", "+ a.x + c.x")];
    let (result, told) = run(POINTED, &[&before]);
    assert_eq!(result, 10101010 + 10100, "{told:#?}");
}

/// Reloads in its second turn, in a function that the save removes.
const REMOVED: &str = "
S P { x: i64 }
G ps: Vec<P> = []
F step(n: i64) -> i64 {
    L i: 0..3 {
        next_text()
        hot_reload()
        ps.push(P { x: n })
    }
    0
}
F run() -> i64 {
    n := 0
    L n < 3 {
        n += 1
        I n == 2 { step(n) }
    }
    ps.len()
}
";

#[test]
fn a_frame_of_a_removed_function_that_would_build_a_changed_type() {
    let start = REMOVED.find("F step").expect("there is one");
    let end = REMOVED.find("F run").expect("there is one");
    let removal = [(&REMOVED[start..end], ""), ("step(n)", "ps.push(P { x: n })")];
    let with_field = [removal[0], removal[1], FIELD];
    let why = "P refused: it would have to wait for `step`, which would build a `P` with the old layout, and that has asked \
               for the reload itself";
    // In the save that removes it, and in the one after.
    for edits in [&[&with_field[..]] as &[_], &[&removal[..], &[FIELD]]] {
        let (result, told) = run(REMOVED, edits);
        assert_eq!(result, 3);
        assert!(told.iter().any(|line| line == why), "{told:#?}");
    }
}

#[test]
fn a_thread_that_waits_at_a_channel_of_another_type() {
    let text = "
U std/thread
S A { n: i64 }
S B { n: i64, k: i64 = 1 }
G numbers: Channel<A> = Channel.new()
G sum: i64 = 0
G asked: i64 = 0
F worker() -> i64 {
    L {
        M numbers.receive() {
            Some(it) => { sum += it.n }
            None => { B }
        }
    }
    0
}
F is_new() -> bool = false
F send(n: i64) { numbers.send(A { n: n }) }
F run() -> i64 {
    t := spawn(worker)
    n := 0
    L n < 400 && !is_new() {
        n += 1
        send(n)
        sleep_ms(5)
        I n == 3 { save() }
    }
    send(1000)
    numbers.close()
    t.join()!
    sum - n * (n + 1) / 2
}
";
    let edits = [
        ("Channel<A>", "Channel<B>"),
        ("A { n: n }", "B { n: n, k: 1 }"),
        ("sum += it.n", "sum += it.n * it.k"),
        ("bool = false", "bool = true"),
    ];
    let next = edits.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let (result, told) = saved_meanwhile(&[text, &next]);
    assert_eq!(result, 1000, "nothing is lost: {told:#?}");
    assert!(told.iter().any(|line| line == "worker at the next loop head"), "{told:#?}");
}

#[test]
fn a_frame_that_would_call_what_an_earlier_save_has_left() {
    let text = "
S P { x: i64 }
G ps: Vec<P> = []
F note(n: i64) -> i64 { ps.push(P { x: n })  n }
F step(n: i64) -> i64 {
    next_text()
    hot_reload()
    next_text()
    hot_reload()
    note(n)
}
F run() -> i64 {
    n := 0
    L n < 3 {
        n += 1
        I n == 2 { step(n) }
    }
    ps.len() * 10 + ps[0].x
}
";
    let signature = [("F note(n: i64)", "F note(n: i64, k: i64)"), ("    note(n)", "    note(n, 1)")];
    let name = [("F note(n: i64)", "F other(n: i64)"), ("    note(n)", "    other(n)")];
    let why = "P refused: it would have to wait for `step`, which would call `note`, which would build a `P` with the old \
               layout, and that has asked for the reload itself";
    for edit in [signature, name] {
        let (result, told) = run(text, &[&edit, &[FIELD]]);
        assert_eq!(result, 12);
        assert!(told.iter().any(|line| line == why), "{told:#?}");
    }
}

#[test]
fn a_removed_function_that_is_running_is_told_of() {
    let text = "
F step() -> i64 {
    n := 0
    L n < 2 {
        n += 1
        I n == 1 {
            next_text()
            hot_reload()
        }
    }
    n
}
F run() -> i64 { step() }
";
    let end = text.find("F run").expect("there is one");
    let (result, told) = run(text, &[&[(&text[1..end], ""), ("{ step() }", "= 7")]]);
    assert_eq!(result, 2);
    let remark = "`step` is running and ends with its old code: it is gone from the text";
    assert!(told.iter().any(|line| line == remark), "{told:#?}");
}
