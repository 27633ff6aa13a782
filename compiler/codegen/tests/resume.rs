//! Loops that go on in another version of their function: what is carried over, computed or refused, and which loop is
//! which.
//!
//! The interpreter runs the old version up to a safepoint and goes on in the body that `lower_resumed` makes of the new
//! one; what it prints, returns and leaks tells the rest.

mod source;

use std::sync::Arc;

use vaisjit_codegen::clif::frame::FrameLayout;
use vaisjit_codegen::layout::TypeLayouts;
use vaisjit_codegen::link::{Link, Linker};
use vaisjit_codegen::lower::{CannotResume, Options, lower_resumed};
use vaisjit_codegen::mir::interp::{Exit, Interp, Outcome, Program};
use vaisjit_codegen::resume::{Counterpart, Lost};
use vaisjit_semantics::hir::{Body, LoopId};
use vaisjit_semantics::{Checked, Instance};

/// Everything is called through slots.
struct Slots;

impl Linker for Slots {
    fn link(&self, _caller: Instance, _callee: Instance) -> Link {
        Link::Slot
    }
    fn hot(&self) -> bool {
        true
    }
}

fn main_of(checked: &Checked) -> Arc<Body> {
    checked.functions[&checked.main.expect("a main")].body.clone()
}

fn checked(text: &str) -> Checked {
    source::check(text).unwrap_or_else(|errors| panic!("{}\n{text}", errors.join("\n"))).0
}

/// Runs the old program up to the safepoint with this number, from 0, and its `main` from there on in the new version.
fn reloaded(old: &str, new: &str, at: u64) -> Result<Outcome, CannotResume> {
    let mut seen = None;
    for options in [Options::all(true), Options::plain(true)] {
        let outcome = reloaded_with(old, new, at, options)?;
        if let Exit::Bug(text) = &outcome.exit {
            panic!("{options:?}: {text}\n{new}");
        }
        assert!(outcome.leaked.is_empty(), "{options:?} leaks {:?}\n{new}", outcome.leaked);
        let end = (outcome.output.clone(), outcome.exit.clone());
        assert_eq!(*seen.get_or_insert(end.clone()), end, "{options:?}\n{new}");
        if options == Options::plain(true) {
            return Ok(outcome);
        }
    }
    unreachable!("the last options return")
}

fn reloaded_with(old: &str, new: &str, at: u64, options: Options) -> Result<Outcome, CannotResume> {
    let (old, new) = (checked(old), checked(new));
    let layouts = TypeLayouts::new(&old);
    let mut program = Program::lower(&old, &layouts, options).unwrap();
    let (before, after) = (main_of(&old), main_of(&new));
    let layouts = TypeLayouts::new(&new);
    for (instance, made) in Program::lower(&new, &layouts, options).unwrap().functions {
        program.functions.entry(instance).or_insert(made);
    }
    let body = program.functions[&before.instance].clone();
    let frame = FrameLayout::polled(&body, &layouts, None).unwrap();
    let counterpart = Counterpart::between(&before, &after, &|_, _| false);
    for &(from, to) in &counterpart.loops {
        let Some(state) = frame.loops.iter().find(|state| state.id == from) else { continue };
        let state = counterpart.under_new_names(state);
        let made = lower_resumed(&after, to, &state.values, &new, &layouts, options)?;
        let taken_over = FrameLayout::of(&made, &layouts, &Slots, Some(&frame)).unwrap();
        assert_eq!(taken_over.wanted.len(), made.taken().count());
        program.resumed.insert((before.instance, from), Arc::new(made));
    }
    // The first one is met before the first turn.
    program.resume_at = Some(at + 1);
    Ok(Interp::new(&program, &layouts).run_main())
}

fn output(old: &str, new: &str, at: u64) -> String {
    let seen = reloaded(old, new, at).unwrap_or_else(|cannot| panic!("{}\n{new}", cannot.sentence(None)));
    assert!(matches!(seen.exit, Exit::Status(0)), "{seen:?}\n{new}");
    seen.output
}

fn why(old: &str, new: &str) -> String {
    match reloaded(old, new, 1) {
        Err(cannot) => cannot.sentence(None),
        Ok(outcome) => panic!("it went on: {outcome:?}\n{new}"),
    }
}

fn program(body: &str) -> String {
    format!("F twice(n: i64) -> i64 {{ println(\"twice\"); n * 2 }}\nF main() -> i64 {{\n{body}\n}}\n")
}

/// Old and new statements of `main`.
fn outcome(old: &str, new: &str, at: u64) -> String {
    output(&program(old), &program(new), at)
}

fn refusal(old: &str, new: &str) -> String {
    why(&program(old), &program(new))
}

const COUNT: &str = "n := mut 0\nLW n < 4 { n += 1; println(\"{n}\") }\n0";

#[test]
fn condition_and_body_change_and_locals_stay() {
    let new = "n := mut 100\nLW n < 6 { n += 2; println(\"now {n}\") }\nprintln(\"end\")\n0";
    assert_eq!(outcome(COUNT, new, 2), "1\n2\nnow 4\nnow 6\nend\n");
}

#[test]
fn a_while_loop_becomes_endless() {
    let new = "n := mut 0\nL { n += 10; println(\"{n}\"); I n > 20 { B } }\n0";
    assert_eq!(outcome(COUNT, new, 1), "1\n11\n21\n");
}

#[test]
fn a_new_local_is_computed() {
    let new = "n := mut 0\nstep := 1 + 2 * 2\nname := \"step\"\nlist := mut Vec<i64>.new()\n\
               LW n < 12 { n += step; list.push(n); println(\"{name} {n} {list.len()}\") }\n0";
    assert_eq!(outcome(COUNT, new, 2), "1\n2\nstep 7 1\nstep 12 2\n");
}

#[test]
fn a_new_local_that_only_a_call_computes_is_refused() {
    let new = "n := mut 0\nstep := twice(1)\nLW n < 12 { n += step }\n0";
    assert_eq!(refusal(COUNT, new), "`step` is new above the loop, and its value is computed by a call");
}

#[test]
fn a_kept_local_keeps_its_value_whoever_owns_it() {
    let body = "LW n < 3 { n += 1; println(\"{s} {n}\") }\n0";
    let made = format!("n := mut 0\ns := \"made {{n}}\"\n{body}");
    let literal = format!("n := mut 0\ns := \"literal\"\n{body}");
    assert_eq!(outcome(&made, &literal, 1), "made 0 1\nmade 0 2\nmade 0 3\n");
    assert_eq!(outcome(&literal, &made, 1), "literal 1\nliteral 2\nliteral 3\n");
}

#[test]
fn a_removed_local_is_released() {
    let old = "n := mut 0\nlist := [\"a{n}\", \"b\"]\nv := Vec<str>.new()\nLW n < 3 { n += 1; println(list[0]) }\n0";
    assert_eq!(outcome(old, "n := mut 0\nLW n < 3 { n += 1; println(\"{n}\") }\n0", 1), "a0\n2\n3\n");
}

#[test]
fn range_ends_that_are_constants_change() {
    let old = "L i: 0..4 { println(\"{i}\") }\n0";
    assert_eq!(outcome(old, "L i: 0..6 { println(\"new {i}\") }\n0", 2), "0\n1\nnew 2\nnew 3\nnew 4\nnew 5\n");
    assert_eq!(outcome(old, "L i: 0..2 { println(\"new {i}\") }\nprintln(\"end\")\n0", 2), "0\n1\nend\n");
    assert_eq!(outcome(old, "n := 5\nL i: 0..=n { println(\"new {i}\") }\n0", 3), "0\n1\n2\nnew 3\nnew 4\nnew 5\n");
    assert_eq!(outcome(old, "n := 1\nL i: 0..=n { println(\"new {i}\") }\n0", 3), "0\n1\n2\n");
}

#[test]
fn a_loop_that_becomes_too_short_for_polls_goes_on() {
    let old = "sum := mut 0\nL i: 0..5000 { sum += i }\nprintln(\"{sum}\")\n0";
    let new = "sum := mut 0\nL i: 0..10 { sum += i }\nprintln(\"new {sum}\")\n0";
    assert_eq!(outcome(old, new, 1), format!("new {}\n", 1023 * 1024 / 2));
}

#[test]
fn a_counter_outside_the_new_bounds_is_checked() {
    let old =
        "a := [1; 200]\nsum := mut 0\nL i: 0..200 { println(\"{i}\"); L j: 0..3 { sum += a[i]; println(\"{j}\") } }\n0";
    let new = "a := [1; 200]\nb := [7; 2]\nsum := mut 0\nL i: 0..2 { println(\"{i}\"); L j: 0..3 { sum += b[i]; println(\"{j}\") } }\n0";
    // At the inner loop of the outer loop's turn 5, which the new outer loop would not have.
    let seen = reloaded(&program(old), &program(new), 5 * 4 + 1).unwrap();
    assert!(matches!(seen.exit, Exit::Trap(_)), "{seen:?}");
}

#[test]
fn a_loop_variable_that_is_assigned_to_counts_apart() {
    let old = "L i: 0..3 { L j: 0..2 { println(\"{i} {j}\") } }\n0";
    let new = "L i: 0..3 { L j: 0..2 { println(\"new {i} {j}\") }; i += 10; println(\"{i}\") }\n0";
    assert_eq!(outcome(old, new, 2), "0 0\nnew 0 1\n10\nnew 1 0\nnew 1 1\n11\nnew 2 0\nnew 2 1\n12\n");
}

#[test]
fn shadowed_names_are_told_apart() {
    let old =
        "x := 1\nn := mut 0\nI n == 0 { x := \"in{n}\"; LW n < 3 { n += 1; println(\"{x}\") } }\nprintln(\"{x}\")\n0";
    let new = "x := 9\nn := mut 0\nI n == 0 { x := \"no\"; LW n < 3 { n += 1; println(\"new {x}\") } }\nprintln(\"end {x}\")\n0";
    assert_eq!(outcome(old, new, 1), "in0\nnew in0\nnew in0\nend 1\n");
}

#[test]
fn pending_deferred_blocks_run_once_with_the_new_text() {
    let old = "n := mut 0\ns := \"s{n}\"\nD println(\"old {s}\")\nLW n < 3 { n += 1; D println(\"turn\") }\n0";
    let new = "n := mut 0\ns := \"s{n}\"\nD println(\"new {s}\")\nLW n < 3 { n += 1; D println(\"new turn\") }\n0";
    assert_eq!(outcome(old, new, 2), "new turn\nnew turn\nnew turn\nnew s0\n");
}

#[test]
fn loops_with_values() {
    let old = "n := mut 0\nx := L { n += 1; I n > 3 { B n } }\nprintln(\"{x}\")\n0";
    let new = "n := mut 0\nx := L { n += 1; I n > 5 { B n * 100 } }\nprintln(\"new {x}\")\n0";
    assert_eq!(outcome(old, new, 1), "new 600\n");
}

#[test]
fn a_loop_in_a_larger_expression_is_refused() {
    let old = "n := mut 0\nx := twice(n + 1) + { y := L { n += 1; I n > 3 { B n } }; y }\nprintln(\"{x}\")\n0";
    let reason = "the loop is part of a larger expression, of which a part is computed already";
    assert_eq!(refusal(old, old), reason);
}

#[test]
fn loops_over_collections_go_on_where_they_were() {
    for over in ["[\"a{n}\", \"b\", \"c\"]", "v"] {
        let start = "n := 1\nv := mut Vec<str>.new()\nv.push(\"a{n}\"); v.push(\"b\"); v.push(\"c\")";
        let old = format!("{start}\nL x: {over} {{ println(x) }}\n0");
        let new = format!("{start}\nL x: {over} {{ println(\"new {{x}}\") }}\n0");
        assert_eq!(outcome(&old, &new, 1), "a1\nnew b\nnew c\n", "{over}");
    }
}

#[test]
fn a_renamed_loop_variable_keeps_its_place() {
    let old = "L i: 0..4 { println(\"{i}\") }\n0";
    assert_eq!(outcome(old, "L turn: 0..6 { println(\"new {turn}\") }\n0", 2), "0\n1\nnew 2\nnew 3\nnew 4\nnew 5\n");
    let old = "v := [\"a\", \"b\", \"c\"]\nL x: v { println(x) }\n0";
    assert_eq!(outcome(old, "v := [\"a\", \"b\", \"c\"]\nL y: v { println(\"new {y}\") }\n0", 1), "a\nnew b\nnew c\n");
}

#[test]
fn a_range_becomes_a_condition_and_back() {
    let range = "L i: 0..4 { println(\"{i}\") }\n0";
    let condition = "i := mut 0\nLW i < 6 { println(\"new {i}\"); i += 1 }\n0";
    assert_eq!(outcome(range, condition, 2), "0\n1\nnew 2\nnew 3\nnew 4\nnew 5\n");
    let other = "n := mut 0\nLW n < 6 { println(\"new {n}\"); n += 1 }\n0";
    assert_eq!(outcome(range, other, 2), "0\n1\nnew 2\nnew 3\nnew 4\nnew 5\n");
    let range = "L i: 0..8 { println(\"again {i}\") }\n0";
    assert_eq!(outcome(other, range, 5), "new 0\nnew 1\nnew 2\nnew 3\nnew 4\nagain 5\nagain 6\nagain 7\n");
    assert_eq!(outcome(condition, range, 5), "new 0\nnew 1\nnew 2\nnew 3\nnew 4\nagain 5\nagain 6\nagain 7\n");
}

#[test]
fn swapped_loops_go_on_where_they_stand_now() {
    let (a, b) = ("L i: 0..3 { println(\"a {i}\") }\n", "LW n < 3 { n += 1; println(\"b {n}\") }\n");
    let with = |loops: &str| format!("n := mut 0\n{loops}println(\"end\")\n0");
    let (old, new) = (with(&format!("{a}{b}")), with(&format!("{b}{a}")));
    assert_eq!(outcome(&old, &new, 1), "a 0\na 1\na 2\nend\n");
    assert_eq!(outcome(&new, &old, 1), "b 1\nb 2\nb 3\nend\n");
}

#[test]
fn a_new_loop_around_the_running_one_starts_with_its_first_turn() {
    let new = "n := mut 0\nL turn: 0..2 { LW n < 4 { n += 1; println(\"{turn} {n}\") }; n = 2 }\n0";
    assert_eq!(outcome(COUNT, new, 2), "1\n2\n0 3\n0 4\n1 3\n1 4\n");
    // And back: the loop around is gone.
    assert_eq!(outcome(new, COUNT, 3), "0 1\n0 2\n3\n4\n");
}

#[test]
fn deferred_blocks_are_known_by_what_they_do() {
    let (first, second) = ("D println(\"first\")\n", "D println(\"second {n}\")\n");
    let with = |defers: &str| format!("n := mut 0\n{defers}LW n < 3 {{ n += 1; I n == 2 {{ D println(\"in\") }} }}\n0");
    let both = with(&format!("{first}{second}"));
    assert_eq!(outcome(&both, &with(second), 2), "in\nsecond 3\n");
    assert_eq!(outcome(&both, &with(first), 1), "in\nfirst\n");
    // One that is new above the loop counts as reached.
    assert_eq!(outcome(&with(first), &both, 1), "in\nsecond 3\nfirst\n");
    assert_eq!(outcome(&with(second), &both, 2), "in\nsecond 3\nfirst\n");
}

#[test]
fn locals_keep_their_values_by_what_they_are() {
    let old = "score := mut 1\nn := mut 0\nLW n < 3 { n += 1; score = score * 10 + n; println(\"{score}\") }\n0";
    let renamed =
        "points := mut 7 + 0\nn := mut 0\nLW n < 3 { n += 1; points = points * 10 + n; println(\"{points}\") }\n0";
    assert_eq!(outcome(old, renamed, 1), "11\n112\n1123\n");
    let other = "lives := mut 3\nn := mut 0\nLW n < 3 { n += 1; lives -= 1; println(\"lives {lives}\") }\n0";
    assert_eq!(outcome(old, other, 1), "11\nlives 2\nlives 1\n");
    let shadowed = "score := \"text\"\nprintln(score)\nscore := mut 1\nn := mut 0\nLW n < 3 { n += 1; score = score * 10 + n; println(\"now {score}\") }\n0";
    assert_eq!(outcome(old, shadowed, 1), "11\nnow 112\nnow 1123\n");
}

#[test]
fn a_pointer_to_a_local_that_changes_its_type_is_made_again() {
    let old = "x := mut 5\np := &x\nn := mut 0\nLW n < 3 { n += 1; println(\"{*p}\") }\n0";
    let new = "x := mut \"text\"\np := &x\nn := mut 0\nLW n < 3 { n += 1; println(\"new {*p}\") }\n0";
    assert_eq!(outcome(old, new, 1), "5\nnew text\nnew text\n");
    let renamed = "y := mut 5\np := &y\nn := mut 0\nLW n < 3 { n += 1; y += 1; println(\"new {*p}\") }\n0";
    assert_eq!(outcome(old, renamed, 1), "5\nnew 6\nnew 7\n");
}

fn counterpart(old: &str, new: &str) -> Counterpart {
    let (old, new) = (checked(&program(old)), checked(&program(new)));
    Counterpart::between(&main_of(&old), &main_of(&new), &|_, _| false)
}

fn matches(old: &str, new: &str) -> Vec<(u32, u32)> {
    let pair = |(old, new): (LoopId, LoopId)| (old.0, new.0);
    counterpart(old, new).loops.into_iter().map(pair).collect()
}

#[test]
fn loops_are_matched_by_likeness() {
    let (a, b) = ("L i: 0..9 { println(\"a{i}\") }\n", "LW n < 5 { n += 1; println(\"b\") }\n");
    let with = |loops: &str| format!("n := mut 0\n{loops}0");
    assert_eq!(matches(&with(a), &with(b)), []);
    assert_eq!(matches(&with(b), &with(&format!("{a}{b}"))), [(0, 1)]);
    assert_eq!(matches(&with(&format!("{a}{b}")), &with(b)), [(1, 0)]);
    assert_eq!(matches(&with(&format!("{a}{b}")), &with(&format!("{b}{a}"))), [(0, 1), (1, 0)]);
    let around = |inner: &str| with(&format!("LW n < 100 {{ {inner} }}\n"));
    assert_eq!(matches(&around(a), &around(&format!("{b}{a}"))), [(0, 0), (1, 2)]);
    assert_eq!(matches(&around(a), &with(a)), [(1, 0)]);
    assert_eq!(matches(&with(&format!("I n > 0 {{ {a} }}\n{b}")), &with(&format!("{b}{a}"))), [(0, 1), (1, 0)]);
    assert_eq!(matches(&with(a), &with("")), []);
    // Whatever they do, nothing else can go on as the only one that is not bound to a range.
    let c = "L { }\n";
    assert_eq!(matches(&with(b), &with(c)), [(0, 0)]);
    // As many that look the same go together in order.
    assert_eq!(matches(&with(&format!("{b}{b}")), &with(&format!("{a}{b}{b}"))), [(0, 1), (1, 2)]);
}

#[test]
fn why_a_loop_has_no_counterpart() {
    let b = "LW n < 5 { n += 1; println(\"b\") }\n";
    let with = |loops: &str| format!("n := mut 0\n{loops}0");
    let lost = |new: &str| counterpart(&with(b), &with(new)).of(LoopId(0)).unwrap_err();
    assert!(matches!(lost(&format!("{b}{b}")), Lost::Ambiguous(spans) if spans.len() == 2));
    assert_eq!(lost("L x: [1, 2] { println(\"{x}\") }\n"), Lost::Gone);
    let turned = counterpart("L i: 0..3 { println(\"{i}\") }\n0", "L i: [1, 2] { println(\"{i}\") }\n0");
    assert_eq!(turned.turned, [LoopId(0)]);
}
