//! `vaisjit explain`.

use crate::harness::{Project, run_to_end};

#[test]
fn every_code_in_the_list_has_an_explanation() {
    let project = Project::new(&[]);
    let list = run_to_end(&project, ["explain"]);
    assert_eq!(list.status, Some(0), "{list:?}");
    let codes: Vec<&str> = list.out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(codes.len() >= 20, "{}", list.out);
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, codes, "each code once, in order");
    for code in codes {
        let finished = run_to_end(&project, ["explain", code]);
        assert_eq!(finished.status, Some(0), "{code}");
        let examples = ["\n\nWrong:\n    ", "\n\nRight:\n    "].map(|part| finished.out.contains(part));
        assert!(finished.out.starts_with(code) && examples == [true, true], "{}", finished.out);
        assert!(finished.out.len() > 160, "{}", finished.out);
    }
}

#[test]
fn a_code_in_any_spelling() {
    let project = Project::new(&[]);
    let full = run_to_end(&project, ["explain", "E0201"]);
    for spelling in ["e0201", "0201", "201", "E201"] {
        assert_eq!(run_to_end(&project, ["explain", spelling]).out, full.out, "{spelling}");
    }
}

#[test]
fn what_is_no_code() {
    let project = Project::new(&[]);
    assert_eq!(run_to_end(&project, ["explain", "E9999"]).status, Some(1));
    assert_eq!(run_to_end(&project, ["explain", "banana"]).status, Some(2));
}
