//! What a reload does to a type, loading does to a file that was saved before it: row by row.

use std::sync::Arc;

use vaisjit::{Engine, MemoryLoader, Program, Update};

use super::{call, leaks_nothing, place, restore, save};

/// Declarations before and after, how a value is made before, and what is looked at after.
struct Row(&'static str, &'static str, &'static str, &'static str);

const ROWS: [Row; 46] = [
    Row("S T { a: i64 }", "S T { a: Box<i64> }", "T { a: 3 }", "*v.a"),
    Row("S T { a: Box<i64> }", "S T { a: i64 }", "T { a: Box.new(3) }", "v.a"),
    Row("S T { a: Box<i64> }", "S T { a: i8 }", "T { a: Box.new(300) }", "v.a as i64"),
    Row("S T { a: str }", "S T { a: Box<str> }", "T { a: \"abc\" }", "(*v.a).len()"),
    Row(
        "S T { a: Box<str> }",
        "S T { a: Option<str> }",
        "T { a: Box.new(\"abc\") }",
        "M v.a { Some(x) => x.len(), None => -1 }",
    ),
    Row(
        "S U { x: i64, n: str }\nS T { a: U, b: Box<U> }",
        "S U { x: i64, n: str }\nS T { a: Box<U>, b: U }",
        "T { a: U { x: 1, n: \"ab\" }, b: Box.new(U { x: 2, n: \"abc\" }) }",
        "(*v.a).x * 1000 + (*v.a).n.len() * 100 + v.b.x * 10 + v.b.n.len()",
    ),
    Row("S T { a: Vec<i64> }", "S T { a: Vec<Box<i64>> }", "T { a: [3, 4].to_vec() }", "*v.a[0] * 10 + *v.a[1]"),
    Row(
        "S T { a: Option<i64> }",
        "S T { a: Option<Box<i64>> }",
        "T { a: Some(3) }",
        "M v.a { Some(x) => *x, None => -1 }",
    ),
    Row("S T { a: Vec<str> }", "S T { a: Vec<i64> }", "T { a: [\"a\", \"b\"].to_vec() }", "v.a.len() * 10 + v.a[1]"),
    Row(
        "S T { a: [i64; 2] }",
        "S T { a: [str; 2] = [\"a\", \"bcd\"] }",
        "T { a: [3, 4] }",
        "v.a[0].len() * 10 + v.a[1].len()",
    ),
    Row(
        "S T { a: i64 }",
        "F three() -> i64 = 3\nS T { a: i64, b: i64 = three(), c: Vec<i64> = [7, 8], d: Box<i64> = Box.new(5) }",
        "T { a: 1 }",
        "v.a * 1000 + v.b * 100 + v.c[1] * 10 + *v.d",
    ),
    Row(
        "S T { a: i64 }",
        "F three(x: i64) -> i64 = x * 3\nS T { a: i64, f: fn(i64) -> i64 = three }",
        "T { a: 1 }",
        "v.a * 10 + (v.f)(2)",
    ),
    Row(
        "S T { a: i64 }",
        "S T { a: i64, b: i64 = 7, c: str = \"c\" }",
        "T { a: 5 }",
        "v.a * 100 + v.b * 10 + v.c.len()",
    ),
    Row("S T { a: i64, b: i64 }", "S T { b: i64 }", "T { a: 5, b: 6 }", "v.b"),
    Row("S T { a: i64, b: str }", "S T { b: str, a: i64 }", "T { a: 5, b: \"six\" }", "v.a * 10 + v.b.len()"),
    Row("S T { a: i64 }", "S T { #[was(\"a\")] z: i64 }", "T { a: 5 }", "v.z"),
    Row("S T { a: i64 }", "S T { #[was(\"a\")] z: f64 }", "T { a: 5 }", "(v.z * 10.0) as i64"),
    Row("S T { a: i64 }", "S T { a: f64 }", "T { a: 5 }", "(v.a * 10.0) as i64"),
    Row("S T { a: f64 }", "S T { a: i64 }", "T { a: -5.75 }", "v.a"),
    Row("S T { a: f64 }", "S T { a: i8 }", "T { a: 1000.0 }", "v.a as i64"),
    Row("S T { a: i64 }", "S T { a: i8 }", "T { a: -300 }", "v.a as i64"),
    Row("S T { a: i64 }", "S T { a: u8 }", "T { a: -300 }", "v.a as i64"),
    Row("S T { a: u64 }", "S T { a: i64 }", "T { a: 18446744073709551615 }", "v.a"),
    Row("S T { a: bool }", "S T { a: i64 }", "T { a: true }", "v.a"),
    Row("S T { a: i64 }", "S T { a: bool }", "T { a: 3 }", "I v.a { 1 } E { 0 }"),
    Row("S T { a: i64 }", "S T { a: Option<i64> }", "T { a: 3 }", "M v.a { Some(x) => x, None => -1 }"),
    Row("S T { a: Option<i64> }", "S T { a: i64 }", "T { a: Some(3) }", "v.a"),
    Row("S T { a: Option<i64> }", "S T { a: i64 = 8 }", "T { a: None }", "v.a"),
    Row("S T { a: str }", "S T { a: i64 = 8 }", "T { a: \"x\" }", "v.a"),
    Row("S T { a: [i64; 3] }", "S T { a: [i64; 5] }", "T { a: [1, 2, 3] }", "v.a[0] * 100 + v.a[2] * 10 + v.a[4]"),
    Row("S T { a: [i64; 3] }", "S T { a: [f64; 2] }", "T { a: [1, 2, 3] }", "(v.a[1] * 10.0) as i64"),
    Row("S T { a: (i64, i64) }", "S T { a: (i64, f64) }", "T { a: (1, 2) }", "v.a.0 * 100 + (v.a.1 * 10.0) as i64"),
    Row("S T { a: Vec<i64> }", "S T { a: Vec<f64> }", "T { a: [1, 2].to_vec() }", "(v.a[1] * 10.0) as i64 + v.a.len()"),
    Row("S T { a: Box<i64> }", "S T { a: Box<i8> }", "T { a: Box.new(1000) }", "*v.a as i64"),
    Row("E T { A, B(i64) }", "E T { C, B(i64), A }", "B(4)", "M v { A => 1, B(x) => x * 10, C => 2 }"),
    Row("E T { A, B(i64) }", "E T { A, B(f64, i64) }", "B(4)", "M v { A => 1, B(x, y) => (x * 10.0) as i64 + y }"),
    Row("E T { A, B(i64) }", "E T { A, #[was(\"B\")] N(i64) }", "B(4)", "M v { A => 1, N(x) => x * 10 }"),
    Row(
        "S U { x: i64 }\nS T { u: U, w: [U; 2] }",
        "S U { x: f64, y: i64 = 3 }\nS T { w: [U; 2], u: U }",
        "T { u: U { x: 1 }, w: [U { x: 2 }, U { x: 4 }] }",
        "(v.u.x * 10.0) as i64 + (v.w[1].x * 100.0) as i64 + v.w[0].y",
    ),
    Row(
        "S T { a: i64 }",
        "S T { a: i64, b: Option<str>, c: Vec<i64>, d: HashMap<str, i64>, e: (i64, bool), f: f64 }",
        "T { a: 5 }",
        "v.a * 100 + v.c.len() + v.d.len() + v.e.0 + I v.b.is_none() { 10 } E { 0 }",
    ),
    Row(
        "S U { x: i64, y: i64 }\nS T { a: U }",
        "S U { x: i64, y: i64 }\nS T { a: Option<U> }",
        "T { a: U { x: 1, y: 2 } }",
        "M v.a { Some(u) => u.x * 10 + u.y, None => -1 }",
    ),
    Row(
        "S U { x: i64, y: i64 }\nS T { a: Option<U> }",
        "S U { x: i64, y: i64 }\nS T { a: U }",
        "T { a: Some(U { x: 1, y: 2 }) }",
        "v.a.x * 10 + v.a.y",
    ),
    Row("S T { a: str }", "S T { a: Option<str> }", "T { a: \"text\" }", "M v.a { Some(t) => t.len(), None => -1 }"),
    Row("S T { a: Option<str> }", "S T { a: str }", "T { a: Some(\"text\") }", "v.a.len()"),
    Row(
        "S T { a: Vec<i64> }",
        "S T { a: Option<Vec<i64>> }",
        "T { a: [4, 5].to_vec() }",
        "M v.a { Some(l) => l[1], None => -1 }",
    ),
    Row("S T { a: Option<Vec<i64>> }", "S T { a: Vec<i64> }", "T { a: Some([4, 5].to_vec()) }", "v.a[1]"),
    Row(
        "S T { a: Option<(i64, bool)> }",
        "S T { a: (i64, bool) }",
        "T { a: Some((4, true)) }",
        "v.a.0 + I v.a.1 { 10 } E { 0 }",
    ),
];

const PAYLOADS: [Row; 19] = [
    Row(
        "S T { a: Option<str> }",
        "S T { a: Option<i64> }",
        "T { a: Some(\"w\") }",
        "M v.a { Some(x) => x + 1, None => 2 }",
    ),
    Row(
        "S T { a: Option<i64> }",
        "S T { a: Option<u8> }",
        "T { a: Some(300) }",
        "M v.a { Some(x) => x as i64, None => 2 }",
    ),
    Row(
        "S T { a: Option<(str, bool)> }",
        "S T { a: Option<(bool, bool)> }",
        "T { a: Some((\"w\", true)) }",
        "I v.a.is_some() { 1 } E { 2 }",
    ),
    Row(
        "S T { a: (str, bool) }",
        "S T { a: Option<(bool, bool)> }",
        "T { a: (\"w\", true) }",
        "I v.a.is_some() { 1 } E { 2 }",
    ),
    Row(
        "S T { a: Option<Box<str>> }",
        "S T { a: Option<Box<f32>> }",
        "T { a: Some(Box.new(\"w\")) }",
        "I v.a.is_some() { 1 } E { 2 }",
    ),
    Row(
        "S T { a: Option<Box<(str, bool)>> }",
        "S T { a: Option<(i64, bool)> }",
        "T { a: Some(Box.new((\"w\", true))) }",
        "I v.a.is_some() { 1 } E { 2 }",
    ),
    Row(
        "S T { a: Option<[str; 2]> }",
        "S T { a: Option<[i64; 2]> }",
        "T { a: Some([\"a\", \"b\"]) }",
        "I v.a.is_some() { 1 } E { 2 }",
    ),
    Row(
        "S T { a: Option<Option<str>> }",
        "S T { a: Option<Option<i64>> }",
        "T { a: Some(Some(\"w\")) }",
        "I v.a.is_some() { 1 } E { 2 }",
    ),
    Row(
        "S T { a: Option<Result<str, i64>> }",
        "S T { a: Option<Result<f64, i64>> }",
        "T { a: Some(Ok(\"w\")) }",
        "I v.a.is_some() { 1 } E { 2 }",
    ),
    Row(
        "S T { a: Option<Vec<str>> }",
        "S T { a: Option<Vec<i64>> }",
        "T { a: Some([\"w\", \"x\"].to_vec()) }",
        "M v.a { Some(l) => l.len(), None => -1 }",
    ),
    Row(
        "S T { a: Option<Box<Vec<str>>> }",
        "S T { a: Option<Box<Vec<i64>>> }",
        "T { a: Some(Box.new([\"w\", \"x\"].to_vec())) }",
        "I v.a.is_some() { 1 } E { 2 }",
    ),
    Row(
        "F map() -> HashMap<str, i64> { m: HashMap<str, i64> = HashMap.new(); m.set(\"a\", 1); m }\nS T { a: Option<HashMap<str, i64>> }",
        "S T { a: Option<HashMap<i64, i64>> }",
        "T { a: Some(map()) }",
        "I v.a.is_some() { 1 } E { 2 }",
    ),
    Row(
        "S N { x: str, y: i64 }\nS T { a: Option<N>, b: Option<Box<N>> }",
        "S N { x: i64, y: i64 }\nS T { a: Option<N>, b: Option<Box<N>> }",
        "T { a: Some(N { x: \"w\", y: 3 }), b: Some(Box.new(N { x: \"w\", y: 4 })) }",
        "v.a!.x + v.a!.y * 10 + v.b!.x + v.b!.y",
    ),
    Row(
        "E N { X(str), Y }\nS T { a: Option<N> }",
        "E N { X(i64), Y }\nS T { a: Option<N> }",
        "T { a: Some(X(\"w\")) }",
        "M v.a { Some(X(n)) => n, Some(Y) => 3, None => 2 }",
    ),
    Row(
        "E N { X(Option<str>, i64), Y }\nS T { a: N }",
        "E N { X(Option<i64>, i64), Y }\nS T { a: N }",
        "T { a: X(Some(\"w\"), 3) }",
        "M v.a { X(Some(n), k) => n + k, X(None, k) => k * 10, Y => 3 }",
    ),
    Row(
        "S T { a: Vec<Option<str>>, b: Box<Option<str>> }",
        "S T { a: Vec<Option<i64>>, b: Box<Option<i64>> = Box.new(Some(4)) }",
        "T { a: [Some(\"w\"), None].to_vec(), b: Box.new(Some(\"w\")) }",
        "v.a.len() * 10 + I v.a[0].is_some() { 1 } E { 2 }",
    ),
    Row(
        "E Own<X> { Z, Of(X), Pair { x: X, n: i64 } }\nS T { a: Own<str>, b: Own<str>, c: Own<str> }",
        "E Own<X> { Z, Of(X), Pair { x: X, n: i64 } }\nS T { a: Own<i64>, b: Own<i64>, c: Own<i64> }",
        "T { a: Of(\"w\"), b: Pair { x: \"w\", n: 3 }, c: Z }",
        "n := M v.a { Of(_) => 1, _ => 2 }; n + M v.b { Pair { x, n } => 10 + n, _ => 20 }",
    ),
    Row(
        "E Chain<X> { End, Link(X, Box<Chain<X>>) }\nS T { a: Chain<i64> }",
        "E Chain<X> { End, Link(X, Box<Chain<X>>) }\nS T { a: Chain<f64> }",
        "T { a: Link(3, Box.new(Link(4, Box.new(End)))) }",
        "M v.a { Link(x, rest) => x as i64 + (M *rest { Link(y, _) => y as i64 * 10, End => 5 }), End => 7 }",
    ),
    Row(
        "S T { a: Option<(i64, str)> }",
        "S T { a: Option<(u8, str)> }",
        "T { a: Some((3, \"w\")) }",
        "M v.a { Some((n, s)) => n as i64 + s.len(), None => -1 }",
    ),
];

/// The program of a row, before or after the edit: values of the type in a global, a list, a map, a box and an option.
fn text(types: &str, fill: &str, look: &str) -> String {
    format!(
        r#"
{types}
G one: T
G list: Vec<T>
G by: HashMap<str, T>
G boxed: Option<Box<T>>
G maybe: Option<T>
{fill}
F look(v: T) -> i64 {{ {look} }}
F check() -> i64 {{
    t := mut look(one) + list.len() * 1000000
    L i: 0..list.len() {{ t = t * 3 + look(list[i]) }}
    I by.len() > 0 {{ t = t * 3 + look(by["k"]) }}
    t = t * 3 + M boxed {{ Some(b) => look(*b), None => 99 }}
    t * 3 + M maybe {{ Some(v) => look(v), None => 77 }}
}}
"#
    )
}

fn fill(value: &str) -> String {
    format!(
        "F make() -> T {{ {value} }}\nF fill() -> i64 {{ one = make(); list.push(make()); list.push(make()); by[\"k\"] = make(); boxed = Some(Box.new(make())); maybe = Some(make()); 0 }}"
    )
}

fn start(text: &str) -> (MemoryLoader, Program) {
    let files = MemoryLoader::default();
    files.set("main.vais", text);
    let engine = Engine::builder().build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone()));
    (files, program.unwrap_or_else(|error| panic!("{error}\n{text}")))
}

/// How a file that is loaded differs from a reload.
fn differences(Row(before, after, value, look): &Row) -> Vec<String> {
    let mut wrong = Vec::new();
    let (old, new) = (text(before, &fill(value), "0"), text(after, "", look));
    let (_folder, path) = place();
    let (files, reloaded) = start(&old);
    call(&reloaded, "fill");
    save(&reloaded, &path);
    files.set("main.vais", &new);
    let update = reloaded.poll();
    assert!(matches!(update, Ok(Update::Reloaded { .. })), "{before} -> {after}: {update:?}");
    let (_, loaded) = start(&new);
    let report = restore(&loaded, &path);
    let both = (call(&reloaded, "check"), call(&loaded, "check"));
    if both.0 != both.1 {
        wrong.push(format!("{before} -> {after}: reloaded {}, loaded {}; {:?}", both.0, both.1, report.notices));
    }
    // Into the program that was reloaded, too, where the layout has a history.
    restore(&reloaded, &path);
    let again = call(&reloaded, "check");
    if again != both.1 {
        wrong.push(format!("{before} -> {after}: loaded {}, into a reloaded program {again}", both.1));
    }
    leaks_nothing(&reloaded);
    leaks_nothing(&loaded);
    wrong
}

#[test]
fn a_file_from_before_an_edit_gives_what_a_reload_gives() {
    let wrong: Vec<String> = ROWS.iter().flat_map(differences).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_the_payload_of_an_option_is_none_in_both() {
    let wrong: Vec<String> = PAYLOADS.iter().flat_map(differences).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_built_from_a_file_has_defaults_in_parked_fields() {
    let with = "S T { a: i64, b: i64 = 7 }\nE K { A, B(i64) }\nG one: T\nG list: Vec<T>\nF fill() -> i64 { one = T { a: 1 }; list.push(one); list.push(one); 0 }\nF check() -> i64 { t := mut one.b * 10; L i: 0..list.len() { t += list[i].b }\n t }\n";
    let without = with.replace(", b: i64 = 7", "").replace("one.b", "one.a").replace("list[i].b", "list[i].a");
    let (_folder, path) = place();
    let (files, program) = start(&without);
    call(&program, "fill");
    save(&program, &path);
    files.set("main.vais", with);
    assert!(program.poll().is_ok_and(|update| update.is_reloaded()));
    files.set("main.vais", &without);
    assert!(program.poll().is_ok_and(|update| update.is_reloaded()));
    restore(&program, &path);
    files.set("main.vais", with);
    assert!(program.poll().is_ok_and(|update| update.is_reloaded()));
    assert_eq!(call(&program, "check"), 84);
}
