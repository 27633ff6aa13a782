//! Every code's failing example earns just that code, and the mended one nothing.

mod support;

use std::sync::Arc;

use vaisjit_semantics::{check, codes};
use vaisjit_syntax::{Code, Severity, parse};

/// What the example gives; of the warnings not shown by default only those of this code.
fn codes_of(text: &str, code: Code) -> Vec<String> {
    let tree = Arc::new(parse(text));
    let parsed: Vec<_> = tree.items.iter().flat_map(|item| item.diagnostics.iter().cloned()).collect();
    let math = Arc::new(parse("N \"C\" { F sqrt(x: f64) -> f64; }"));
    let mut input = support::input(&[("main", tree), ("std/math", math)]);
    input.needs_main = code.0 == 505;
    let checked = check(&input, None);
    let all = parsed.iter().chain(&checked.diagnostics);
    all.filter(|d| d.severity != Severity::Lint || d.code == code).map(|d| d.code.to_string()).collect()
}

#[test]
fn examples_earn_their_code_once_and_mended_ones_nothing() {
    let mut wrong = Vec::new();
    for info in codes::TABLE.iter().chain(vaisjit_syntax::codes::CODES) {
        let found = codes_of(info.wrong, info.code);
        if found != [info.code.to_string()] {
            wrong.push(format!("{} earns {found:?}:\n{}", info.code, info.wrong));
        }
        let found = codes_of(info.right, info.code);
        if !found.is_empty() {
            wrong.push(format!("{} mended earns {found:?}:\n{}", info.code, info.right));
        }
        if info.explanation.len() < 80 || info.title.is_empty() {
            wrong.push(format!("{} is hardly explained", info.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn long_chains_do_not_use_up_the_stack() {
    let sum = vec!["x"; 10_000].join(" + ");
    let text = format!("F f(x: i64) -> i64 = {sum}");
    let mut chain = String::from("F g(x: i64) -> i64 {\n    I x == 0 { 0 }");
    for i in 1..10_000 {
        chain.push_str(&format!(" E I x == {i} {{ {i} }}"));
    }
    chain.push_str(" E { 1 }\n}");
    for text in [text, chain] {
        std::thread::Builder::new()
            .stack_size(8 << 20)
            .spawn(move || {
                let (checked, sources) = support::check(&text);
                assert_eq!(support::shown(&checked, &sources), Vec::<String>::new());
            })
            .expect("a thread")
            .join()
            .expect("no overflow");
    }
}
