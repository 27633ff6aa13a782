//! Every code's failing example earns just that code, and the mended one nothing.

mod support;

use std::sync::Arc;

use vaisjit_semantics::{check, codes};
use vaisjit_syntax::parse;

fn codes_of(text: &str, needs_main: bool) -> Vec<String> {
    let tree = Arc::new(parse(text));
    let parsed: Vec<_> = tree.items.iter().flat_map(|item| item.diagnostics.iter().cloned()).collect();
    let mut input = support::input(&[("main", tree)]);
    input.needs_main = needs_main;
    let checked = check(&input, None);
    let mut found: Vec<String> = parsed.iter().chain(&checked.diagnostics).map(|d| d.code.to_string()).collect();
    found.dedup();
    found
}

#[test]
fn examples_earn_their_code_and_mended_ones_nothing() {
    let mut wrong = Vec::new();
    for info in codes::TABLE {
        let needs_main = info.code.0 == 505;
        let found = codes_of(info.wrong, needs_main);
        let others: Vec<&String> = found.iter().filter(|code| *code != "E0212").collect();
        let fits = if info.code.0 == 212 { found == ["E0212"] } else { others == [&info.code.to_string()] };
        if !fits {
            wrong.push(format!("{} earns {found:?}:\n{}", info.code, info.wrong));
        }
        let found: Vec<String> = codes_of(info.right, needs_main).into_iter().filter(|code| code != "E0212").collect();
        if !found.is_empty() {
            wrong.push(format!("{} mended earns {found:?}:\n{}", info.code, info.right));
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
