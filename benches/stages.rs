//! Micro benchmarks of the stages a save goes through, each on a program of 10 and of 1,000 functions of ten lines: the
//! whole program, and what an edit of one function costs. `cargo bench -p vaisjit --bench stages`.

#[path = "table/programs.rs"]
mod programs;

use std::sync::Arc;

use divan::{Bencher, black_box};
use vaisjit::{Engine, Program};
use vaisjit_semantics::program::ModuleInput;
use vaisjit_semantics::{Checked, Input};
use vaisjit_syntax::{FileId, Module};

/// Lines: 10 and 1,000 functions.
const SIZES: [usize; 2] = [120, 10_020];

fn main() {
    divan::main();
}

/// The library's declarations are not needed here, so the program keeps to what it declares itself.
fn text(lines: usize, version: i64) -> String {
    let host = "F stamp(n: i64) -> i64 { n }\nF running() -> bool { false }\n";
    format!("{host}{}", programs::text(lines, version, 0))
}

fn input(text: &str, previous: Option<(&Module, &str)>) -> Input {
    let tree = Arc::new(match previous {
        Some((tree, old)) => vaisjit_syntax::reparse(text, tree, old),
        None => vaisjit_syntax::parse(text),
    });
    let module = ModuleInput { name: "main".into(), file: FileId(0), tree, imports: Vec::new() };
    Input { modules: vec![module], host: Arc::default(), all_hot: false, needs_main: false, running: None }
}

fn clean(checked: Checked) -> Checked {
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    checked
}

fn program(lines: usize) -> Program {
    let engine = Engine::builder().build().expect("an engine");
    engine.load_str(&text(lines, 1)).unwrap_or_else(|error| panic!("{error}"))
}

#[divan::bench(args = SIZES)]
fn parse_all(bencher: Bencher<'_, '_>, lines: usize) {
    let text = text(lines, 1);
    bencher.bench(|| vaisjit_syntax::parse(black_box(&text)));
}

#[divan::bench(args = SIZES)]
fn parse_one_edit(bencher: Bencher<'_, '_>, lines: usize) {
    let (old, new) = (text(lines, 1), text(lines, 2));
    let tree = vaisjit_syntax::parse(&old);
    bencher.bench(|| vaisjit_syntax::reparse(black_box(&new), &tree, &old));
}

#[divan::bench(args = SIZES)]
fn check_all(bencher: Bencher<'_, '_>, lines: usize) {
    let input = input(&text(lines, 1), None);
    bencher.bench(|| clean(vaisjit_semantics::check(black_box(&input), None)));
}

#[divan::bench(args = SIZES)]
fn check_one_edit(bencher: Bencher<'_, '_>, lines: usize) {
    let old_text = text(lines, 1);
    let old = input(&old_text, None);
    let checked = clean(vaisjit_semantics::check(&old, None));
    let edited = input(&text(lines, 2), Some((&old.modules[0].tree, &old_text)));
    // Another table of host functions would be another program.
    let new = Input { host: old.host.clone(), ..edited };
    bencher.bench(|| clean(vaisjit_semantics::check(black_box(&new), Some((&old, &checked)))));
}

/// Everything from the text to a program that can be called.
#[divan::bench(args = SIZES, sample_count = 20)]
fn load(lines: usize) -> Program {
    program(lines)
}

/// One function, from its text to its new code being live: all that a save does but reading the file.
#[divan::bench(args = SIZES)]
fn replace_one_function(bencher: Bencher<'_, '_>, lines: usize) {
    let program = program(lines);
    let mut version = 1;
    bencher.bench_local(|| {
        version += 1;
        let text = format!("#[hot]\nF tick(n: i64) -> i64 {{\n    stamp({version} + plain(0))\n    turns + n\n}}");
        program.patch("tick", &text).unwrap_or_else(|error| panic!("{error}"))
    });
}
