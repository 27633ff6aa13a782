//! `reparse` must give what `parse` gives, for any edit; and keep what the edit did not touch.

mod common;

use std::sync::Arc;

use common::{Random, SAMPLES, mutate};
use vaisjit_syntax::{Module, parse, reparse};

/// All of a module but the ids.
fn picture(module: &Module) -> Vec<String> {
    let describe = |item: &vaisjit_syntax::ParsedItem| {
        let id = format!("{:?}", item.id);
        let diagnostics = format!("{:?}", item.diagnostics).replace(&id, "ID");
        format!("{}..{} {:?} {diagnostics}", item.start, item.end, item.item)
    };
    module.items.iter().map(describe).collect()
}

#[test]
fn random_edits() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(60);
    for seed in 0..rounds {
        let mut random = Random(seed);
        let mut text: String = (0..3).map(|_| SAMPLES[random.below(SAMPLES.len())]).collect();
        let mut module = parse(&text);
        for edit in 0..8 {
            let edited = mutate(&text, &mut random);
            let new = reparse(&edited, &module, &text);
            let (left, right) = (picture(&new), picture(&parse(&edited)));
            if left != right {
                let differing = left.iter().zip(&right).find(|(left, right)| left != right);
                panic!("seed {seed}, edit {edit}: {differing:#?}\n--- before\n{text}\n--- after\n{edited}");
            }
            assert_eq!(reparse(&edited, &new, &edited).items.len(), new.items.len());
            (text, module) = (edited, new);
        }
    }
}

#[test]
fn ids_are_unique_after_edits() {
    let mut random = Random(7);
    let mut text = SAMPLES.concat();
    let mut module = parse(&text);
    for _ in 0..50 {
        let edited = mutate(&text, &mut random);
        module = reparse(&edited, &module, &text);
        let mut ids: Vec<_> = module.items.iter().map(|item| item.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), module.items.len());
        text = edited;
    }
}

#[test]
fn other_items_are_shared() {
    let text: String = (0..100).map(|n| format!("F f{n}() -> i64 {{\n    {n}\n}}\n\n")).collect();
    let old = parse(&text);
    let edited = text.replace("    50\n", "    # longer\n    50 + 1\n");
    let new = reparse(&edited, &old, &text);
    let shared =
        old.items.iter().zip(&new.items).filter(|(a, b)| a.id == b.id && Arc::ptr_eq(&a.item, &b.item)).count();
    assert_eq!((old.items.len(), new.items.len(), shared), (100, 100, 99));
}

#[test]
fn what_differs_is_found_without_the_rest() {
    let text: String = (0..100).map(|n| format!("F f{n}() -> i64 {{\n    {n}\n}}\n\n")).collect();
    let old = parse(&text);
    let differs = |edited: &str| {
        let new = reparse(edited, &old, &text);
        (new.differing(&old).len(), old.differing(&new).len())
    };
    assert_eq!(differs(&text), (0, 0));
    assert_eq!(differs(&text.replace("    50\n", "    50 + 1\n")), (1, 1));
    assert_eq!(differs(&format!("{text}F more() -> i64 {{ 0 }}\n")), (1, 0));
    assert_eq!(differs(&format!("F more() -> i64 {{ 0 }}\n{text}")), (1, 0));
    assert_eq!(differs(&text.replace("F f7() -> i64 {\n    7\n}\n\n", "")), (0, 1));
    assert_eq!(differs(&text.replace("    3\n", "    30\n").replace("    5\n", "    31\n")), (3, 3));
}
