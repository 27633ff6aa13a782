//! An incremental check gives what a fresh one gives, whatever was edited, and checks only what it must.

#[path = "../../../tests/generate/random.rs"]
mod random;
mod support;

use std::collections::HashMap;
use std::sync::Arc;

use random::Random;
use vaisjit_semantics::{Checked, Input, Instance, ItemPath, check, hir};
use vaisjit_syntax::{Module, Name, ParsedItem, parse};

/// A module of separately parsed items: what an incremental parser would share stays the same `Arc`.
#[derive(Default)]
struct Texts {
    known: HashMap<String, ParsedItem>,
}

impl Texts {
    fn module(&mut self, items: &[String]) -> Arc<Module> {
        let mut parsed = Vec::new();
        let mut start = 0;
        for text in items {
            let known = self.known.entry(text.clone()).or_insert_with(|| {
                let module = parse(text);
                assert_eq!(module.items.len(), 1, "one item: {text}");
                module.items[0].clone()
            });
            let length = text.len() as u32;
            parsed.push(ParsedItem { start, end: start + length, ..known.clone() });
            start += length + 1;
        }
        Arc::new(Module::new(parsed))
    }
}

/// The defaults of all fields.
fn defaults(checked: &Checked) -> Vec<Option<Arc<hir::Body>>> {
    let structs = checked.structs.values().flat_map(|def| &def.fields);
    let variants = checked.enums.values().flat_map(|def| &def.variants);
    structs.chain(variants.flat_map(|variant| &variant.fields)).map(|field| field.default.clone()).collect()
}

fn assert_same(a: &Checked, b: &Checked, what: &str) {
    let plain = |checked: &Checked| {
        let functions: Vec<_> =
            checked.functions.iter().map(|(i, f)| (*i, f.signature.clone(), f.body.clone(), f.hot, f.inline)).collect();
        let globals: Vec<_> = checked.globals.iter().map(|(p, g)| (*p, g.ty, g.init.clone())).collect();
        (functions, globals, checked.structs.clone(), checked.enums.clone(), checked.main)
    };
    let (x, y) = (plain(a), plain(b));
    let names = |checked: &Checked| checked.functions.keys().map(|i| i.to_string()).collect::<Vec<_>>();
    assert_eq!(names(a), names(b), "functions after {what}");
    for (left, right) in x.0.iter().zip(&y.0) {
        assert_eq!(left, right, "functions after {what}");
    }
    assert_eq!(x.1, y.1, "globals after {what}");
    assert_eq!(x.2, y.2, "structs after {what}");
    assert_eq!(x.3, y.3, "enums after {what}");
    assert_eq!(x.4, y.4, "main after {what}");
    assert_eq!(a.exposed, b.exposed, "exposed types after {what}");
    assert_eq!(defaults(a), defaults(b), "defaults after {what}");
    let said = |checked: &Checked| {
        checked.diagnostics.iter().map(|d| format!("{:?} {:?}", d, d.primary.place.span)).collect::<Vec<_>>()
    };
    assert_eq!(said(a), said(b), "diagnostics after {what}");
}

/// A small generator of numbers; the same on every machine.
const MENU: &[&[&str]] = &[
    &["S P { x: i64, y: i64 }", "S P { x: i64, y: f64 }", "S P { x: i64, y: i64, z: i64 = 4 }", "S Q { x: i64 }"],
    &["C N: i64 = 3", "C N: i64 = 4", "C N: f64 = 3.0", "C M: i64 = 3"],
    &["C TWICE = N * 2", "C TWICE = 7"],
    &[
        "F f(a: i64) -> i64 = a + 1",
        "F f(a: i64) -> i64 = a + 2",
        "F f(a: f64) -> i64 = 1",
        "F f(a: i64) = a * 2",
        "F g(a: i64) -> i64 = a",
    ],
    &["F h() = f(N)", "F h() = f(1) + TWICE", "F h() -> i64 = 5"],
    &["F twice(x) = x + x", "F twice(x: i64) = x"],
    &["F user() -> i64 { twice(2) }", "F user() -> i64 { twice(2.0) as i64 }", "F user() -> i64 = h()"],
    &["F p(v: P) -> i64 = v.x", "F p(v: P) -> i64 = v.x + v.y", "F p(v: &P) -> i64 = v.x"],
    &["F max2<T>(a: T, b: T) -> T { I a > b { a } E { b } }", "F max2<T>(a: T, b: T) -> T { b }"],
    &["F m() -> i64 = max2(1, 2)", "F m() -> i64 = max2(1.0, 2.0) as i64", "F m() -> i64 = 0"],
    &["E Color { Red, Green }", "E Color { Green, Red, Blue }", "E Color { Red }"],
    &["F c(k: Color) -> i64 { M k { Red => 1, Green => 2 } }", "F c(k: Color) -> i64 { M k { Red => 1, _ => 3 } }"],
    &["G score: i64 = h()", "G score = 1.5", "G score: P"],
    &["F s() { score = score }", "F s() -> i64 { G n: i64 = 2; n += N; n }"],
    &[
        "X P { F sum(&self) -> i64 = x }",
        "X P { F sum(&self) -> i64 = x + 1  F other(self) -> i64 = 2 }",
        "X P: W1 { F w(&self) -> i64 = x }",
    ],
    &["W W1 { F w(&self) -> i64 }", "W W1 { F w(&self) -> i64  F d(&self) -> i64 = @.w() }"],
    &["F call(v: P) -> i64 = v.sum()", "F call(v: P) -> i64 = v.w()", "F call(v: P) -> i64 = v.d()"],
    &["S D { n: i64 = N, m: i64 = max2(2, 3) }", "S D { n: i64 = h(), p: P }", "E D { V { n: i64 = N }, Q(P) }"],
    &["F size() -> i64 = sizeof(D)", "F size() -> i64 = 8", "F size(a: i64) -> i64 { p := a as *P  p.x }"],
    &["F main() -> i64 { f(1) + h() }", "F main() -> i64 { puts(\"{N}\") }", "F main() { unknown(1) }"],
];

#[test]
fn random_edits_give_what_a_fresh_check_gives() {
    for seed in 1..=40 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut texts = Texts::default();
        let mut choice: Vec<Option<usize>> = MENU.iter().map(|_| Some(0)).collect();
        let mut order: Vec<usize> = (0..MENU.len()).collect();
        let mut before: Option<(Input, Checked)> = None;
        for step in 0..40 {
            match random.below(8) {
                0 => {
                    let (a, b) = (random.below(order.len()), random.below(order.len()));
                    order.swap(a, b);
                }
                1 => {
                    let which = random.below(MENU.len());
                    choice[which] = None;
                }
                _ => {
                    let which = random.below(MENU.len());
                    choice[which] = Some(random.below(MENU[which].len()));
                }
            }
            let items: Vec<String> = order.iter().filter_map(|i| Some(MENU[*i][choice[*i]?].to_string())).collect();
            let input = support::input(&[("main", texts.module(&items))]);
            let fresh = check(&input, None);
            let again = check(&input, before.as_ref().map(|(input, checked)| (input, checked)));
            assert_same(&again, &fresh, &format!("seed {seed}, step {step}:\n{}", items.join("\n")));
            before = Some((input, again));
        }
    }
}

/// A file that is written piece by piece, with other states of it in between: no piece without `main` is a program, and
/// what a check says does not depend on the check before.
#[test]
fn pieces_of_a_file_are_no_program() {
    let text = "G total: i64\nF marks() -> i64 {\n    sum := mut total\n    sum\n}\nF read_total() -> i64 { total }\n\
                F end() -> i64 {\n    total = 1\n    0\n}\nF main() -> i64 {\n    L total == 0 { total += marks() }\n    0\n}\n";
    let main = text.find("F main").expect("a `main`") + "F main()".len();
    let input = |text: &str, old: Option<(&Module, &str)>| {
        let tree = match old {
            Some((old, before)) => vaisjit_syntax::reparse(text, old, before),
            None => parse(text),
        };
        Input { needs_main: true, ..support::input(&[("main", Arc::new(tree))]) }
    };
    let errors = |input: &Input, checked: &Checked| {
        let items = input.modules[0].tree.items.iter().flat_map(|item| item.diagnostics.iter());
        items.chain(&checked.diagnostics).filter(|diagnostic| diagnostic.is_error()).count()
    };
    for seed in 1..=20 {
        let mut random = Random(seed);
        let first = input(text, None);
        let checked = check(&first, None);
        assert_eq!(errors(&first, &checked), 0, "{:?}", checked.diagnostics);
        let mut before = (first, checked, text);
        for step in 0..60 {
            let cut = random.below(text.len() + 1);
            let next = input(&text[..cut], Some((&before.0.modules[0].tree, before.2)));
            let again = check(&next, Some((&before.0, &before.1)));
            let what = format!("seed {seed}, step {step}: {:?}", &text[..cut]);
            assert_same(&again, &check(&next, None), &what);
            assert!(cut > main || errors(&next, &again) > 0, "{what}");
            before = (next, again, &text[..cut]);
        }
    }
}

#[test]
fn defaults_and_what_is_exposed_stay_as_they_are() {
    let mut texts = Texts::default();
    let mut items: Vec<String> = [
        "C N: i64 = 3",
        "S P { x: i64 = N, y: f64 = 1.5 }",
        "S Q { p: P, n: i64 }",
        "E V { A { n: i64 = 7 }, B }",
        "S Free { n: i64 }",
        "F f() -> i64 = 1",
        "F size() -> i64 = sizeof(Q)",
        "F g() -> *Free = 0 as *Free",
    ]
    .map(str::to_owned)
    .into();
    let old = support::input(&[("main", texts.module(&items))]);
    let first = check(&old, None);
    let exposed = |checked: &Checked| {
        let mut names: Vec<String> = checked.exposed.iter().map(|ty| ty.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(exposed(&first), ["P", "Q"]);
    let kept = |a: &Checked, b: &Checked| {
        let same = |(a, b): (Option<Arc<hir::Body>>, Option<Arc<hir::Body>>)| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(&a, &b),
            (a, b) => a.is_none() && b.is_none(),
        };
        defaults(a).into_iter().zip(defaults(b)).filter(|pair| same(pair.clone())).count()
    };
    let own = |body: &&Arc<hir::Body>| body.instance.path.module == "main";
    assert_eq!(defaults(&first).iter().flatten().filter(own).count(), 3);
    items[5] = "F f() -> i64 = 2".into();
    items[6] = "F size() -> i64 = 8".into();
    let new = support::input(&[("main", texts.module(&items))]);
    let second = check(&new, Some((&old, &first)));
    assert_eq!(kept(&first, &second), defaults(&first).len());
    assert!(second.exposed.is_empty());
    items[0] = "C N: i64 = 4".into();
    let newest = support::input(&[("main", texts.module(&items))]);
    let third = check(&newest, Some((&new, &second)));
    assert_eq!(kept(&second, &third), defaults(&second).len() - 1);
}

/// A program of `count` functions of ten lines.
fn generated(count: usize) -> Vec<String> {
    let mut items = vec![
        "S P { x: f64, y: f64, n: i64 }".to_string(),
        "C STEP: i64 = 3".to_string(),
        "G total: i64 = 0".to_string(),
    ];
    for i in 0..count {
        let callee = if i == 0 { "p.n".to_string() } else { format!("f{}(p, n - 1)", i / 2) };
        let callee = if i / 2 == i { "p.n".to_string() } else { callee };
        items.push(format!(
            "F f{i}(p: *P, n: i64) -> i64 {{\n    I n < 1 {{ R p.n }}\n    sum := 0\n    L i: 0..n {{\n        sum += i * STEP + {i}\n    }}\n    p.x = p.x + 1.5 * sum as f64\n    total += sum\n    sum + {callee}\n}}\n"
        ));
    }
    items
}

#[test]
fn one_edited_body_is_one_checked_body() {
    let mut texts = Texts::default();
    let mut items = generated(1000);
    let old = support::input(&[("main", texts.module(&items))]);
    let first = check(&old, None);
    assert!(first.diagnostics.iter().all(|d| !d.is_error()), "{:?}", first.diagnostics.first());
    assert_eq!(first.bodies_checked, 1000);
    items[500] = items[500].replace("sum := 0", "sum := 1");
    let new = support::input(&[("main", texts.module(&items))]);
    let second = check(&new, Some((&old, &first)));
    assert_eq!(second.bodies_checked, 1);
    let kept = Instance::plain(ItemPath::new(Name::new("main"), "f3"));
    assert!(Arc::ptr_eq(&first.functions[&kept].body, &second.functions[&kept].body));
    items[1] = "C STEP: i64 = 4".into();
    let newer = support::input(&[("main", texts.module(&items))]);
    assert_eq!(check(&newer, Some((&new, &second))).bodies_checked, 1000);
    items.push("F added() -> i64 = 3".into());
    let newest = support::input(&[("main", texts.module(&items))]);
    let third = check(&newest, Some((&newer, &check(&newer, None))));
    assert_eq!(third.bodies_checked, 1);
}

fn timed<T>(work: impl FnOnce() -> T) -> std::time::Duration {
    let start = std::time::Instant::now();
    std::hint::black_box(work());
    start.elapsed()
}

/// Prints speeds: `cargo test --release -p vaisjit-semantics --test incremental -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speeds() {
    for name in ["prelude", "vec", "hashmap", "string", "option", "result"] {
        let text = std::fs::read_to_string(support::root().join(format!("lang-std/vais/{name}.vais"))).expect("a text");
        let mut times: Vec<_> = (0..9).map(|_| timed(|| parse(&text))).collect();
        times.sort();
        println!("std/{name}: {} lines parsed in {:?}, at first {:?}", text.lines().count(), times[4], times[8]);
    }
    let hello = support::input(&[("main", Arc::new(parse("F main() { println(\"hello\") }")))]);
    let mut times: Vec<_> = (0..9).map(|_| timed(|| check(&hello, None))).collect();
    times.sort();
    println!("hello checked in {:?}, at first {:?}", times[4], times[8]);
    for count in [1_000, 10_000] {
        let mut texts = Texts::default();
        let mut items = generated(count);
        let mut input = support::input(&[("main", texts.module(&items))]);
        let start = std::time::Instant::now();
        let mut checked = check(&input, None);
        println!("{count} functions, {} lines: fresh {:?}", count * 10, start.elapsed());
        let mut times = Vec::new();
        for round in 0..20 {
            let which = 10 + round;
            items[which] = items[which].replace("sum := 0", &format!("sum := {round}"));
            let new = support::input(&[("main", texts.module(&items))]);
            let start = std::time::Instant::now();
            let next = check(&new, Some((&input, &checked)));
            times.push(start.elapsed());
            assert_eq!(next.bodies_checked, usize::from(round > 0));
            (input, checked) = (new, next);
        }
        times.sort();
        println!("one body edited: median {:?}, worst {:?}", times[10], times[19]);
    }
}
