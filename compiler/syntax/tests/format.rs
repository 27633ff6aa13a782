//! The formatter: what it makes of texts, and that it keeps programs and comments and is stable, for all programs of the
//! project and for texts made at random.

mod common;

use std::path::{Path, PathBuf};

use common::{Random, SAMPLES, mutate};
use vaisjit_syntax::format::{Unformatted, format};
use vaisjit_syntax::{Module, parse};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false if path.extension().is_some_and(|extension| extension == "vais") => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

fn has_errors(module: &Module) -> bool {
    module.items.iter().any(|item| item.diagnostics.iter().any(|diagnostic| diagnostic.is_error()))
}

/// Formats; texts with mistakes give nothing. Checks what must always hold.
fn formatted(text: &str) -> Option<String> {
    let once = match format(text) {
        Ok(once) => once,
        Err(Unformatted::Mistakes(module)) => {
            assert!(has_errors(&module), "refused without a mistake:\n{text}");
            return None;
        }
        Err(Unformatted::Internal(why)) => panic!("{why}:\n{text}"),
    };
    let (before, after) = (parse(text), parse(&once));
    assert!(before.items.iter().map(|item| &item.item).eq(after.items.iter().map(|item| &item.item)), "{text}");
    match format(&once) {
        Ok(twice) => assert_eq!(twice, once, "not stable; it began as\n{text}"),
        Err(why) => panic!("{why:?}: what was formatted once cannot be again:\n{once}"),
    }
    Some(once)
}

fn becomes(text: &str, expected: &str) {
    assert_eq!(formatted(text).expect("no mistakes"), expected);
}

/// The programs in the files of cases: `--- name`, and lines of expectations.
fn cases(text: &str) -> Vec<String> {
    let is_expected = |line: &&str| !["#>", "#=", "#|"].iter().any(|mark| line.starts_with(mark));
    text.split("\n--- ")
        .skip(1)
        .map(|case| case.split("\n=== tree").next().unwrap_or(""))
        .map(|case| case.lines().skip(1).filter(is_expected).map(|line| format!("{line}\n")).collect())
        .collect()
}

#[test]
fn the_projects_own_programs_are_formatted() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for folder in ["examples", "lang-std/vais", "cli/templates"] {
        for file in files(&root().join(folder)) {
            let text = std::fs::read_to_string(&file).expect("a readable file");
            let new = formatted(&text).expect("no mistakes");
            if new != text && update {
                std::fs::write(&file, &new).expect("a writable file");
            } else if new != text {
                wrong.push(file);
            }
        }
    }
    assert!(wrong.is_empty(), "run `vaisjit fmt` on {wrong:?}");
}

#[test]
fn all_cases_stay_the_same_programs() {
    let mut count = 0;
    for file in files(&root().join("tests/ui")) {
        for case in cases(&std::fs::read_to_string(&file).expect("a readable file")) {
            count += usize::from(formatted(&case).is_some());
        }
    }
    assert!(count > 500, "{count}");
}

/// Everything a person can do to white space.
#[test]
fn other_white_space_stays_the_same_program() {
    let mut random = Random(7);
    let mut count = 0;
    for file in files(&root().join("tests/ui")) {
        for case in cases(&std::fs::read_to_string(&file).expect("a readable file")) {
            let mut text = String::new();
            for character in case.chars() {
                match (character, random.below(6)) {
                    (' ', 0) => text.push_str("   "),
                    (' ', 1) => text.push_str("\n\n\n  "),
                    ('{' | '(' | ',', 0) => text.extend([character, '\n', '\t']),
                    ('}' | ')', 0) => text.extend(['\n', character]),
                    ('{' | ',', 1) => text.extend([character, ' ', '#', '!', '\n']),
                    ('\n', 0) => text.push_str("\n\n\n"),
                    ('\n', 1) => text.push_str(" # remark\n"),
                    _ => text.push(character),
                }
            }
            count += usize::from(formatted(&text).is_some());
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn random_edits_stay_the_same_program() {
    let mut random = Random(11);
    let (mut count, mut left_alone) = (0, 0);
    for _ in 0..40 {
        for sample in SAMPLES {
            let mut text = (*sample).to_owned();
            for _ in 0..1 + random.below(3) {
                text = mutate(&text, &mut random);
            }
            // A text that means nothing may be left alone, but never be changed in what it means.
            match format(&text) {
                Err(Unformatted::Internal(why)) => {
                    eprintln!("{why}\n{text}");
                    left_alone += 1
                }
                _ => count += usize::from(formatted(&text).is_some()),
            }
        }
    }
    assert!(left_alone * 50 <= count, "{left_alone} of {count}");
    assert!(count > 10, "{count}");
}

#[test]
fn spaces_follow_from_the_tokens() {
    becomes(
        "F  f( a:i64,b :  *i8=0 )->i64{x:=a+b*-1;y:=[ 1,2 ,3 ][ 0 ]\nR (x , y)}",
        "F f(a: i64, b: *i8 = 0) -> i64 {\n    x := a + b * -1; y := [1, 2, 3][0]\n    R (x, y)\n}\n",
    );
    becomes("F f() = g ( 1 )\n", "F f() = g(1)\n");
    becomes("F f() { x := a?b:c }\n", "F f() { x := a ? b : c }\n");
    becomes("F f() { x := & &y; z := - -1 }\n", "F f() { x := & &y; z := - -1 }\n");
    becomes("F f(){L i:0 .. 3{}}", "F f() { L i: 0..3 {} }\n");
    becomes("F f() { xs.map( |x|x+1 ).each(||0) }", "F f() { xs.map(|x| x + 1).each(|| 0) }\n");
    becomes("X < T >Pair<T>:Shape{}", "X<T> Pair<T>: Shape {}\n");
    becomes("U physics.{ step,Body }", "U physics.{step, Body}\n");
    becomes("U std / vec", "U std/vec\n");
    becomes("#[ hot ]  F f( ) { @( 1 ) }", "#[hot] F f() { @(1) }\n");
    becomes(
        "F f() { M x{0=>a,n@1 ..9=>b,A|B=>c,_=>d} }",
        "F f() { M x { 0 => a, n @ 1..9 => b, A | B => c, _ => d } }\n",
    );
    becomes("F f(v: Vec<Vec<i64>>) { x>>2; x>>=2 }", "F f(v: Vec<Vec<i64>>) { x >> 2; x >>= 2 }\n");
}

#[test]
fn indentation_follows_the_brackets() {
    let text = "F main() -> i64\n{\nI a &&\nb\n{\nf(1,\n2)\n}\nE\n{\n}\nxs\n.map(|x| {\nx\n})\nM n {\n0 =>\n1,\n2\n| 3 => 4\n_ => {\n5\n}\n}\n}\n";
    let expected = "F main() -> i64 {
    I a &&
            b {
        f(1,
            2)
    } E {}
    xs
        .map(|x| {
            x
        })
    M n {
        0 =>
            1,
        2
        | 3 => 4
        _ => {
            5
        }
    }
}
";
    becomes(text, expected);
}

#[test]
fn a_block_of_several_lines_has_its_braces_at_line_ends() {
    becomes("F f() { a\nb }\n", "F f() {\n    a\n    b\n}\n");
    becomes("F f() {\na }\n", "F f() {\n    a\n}\n");
    becomes("S P { x: i64,\ny: i64 }\n", "S P {\n    x: i64,\n    y: i64\n}\n");
    becomes("F f() { a }\n", "F f() { a }\n");
}

#[test]
fn comments_and_blank_lines_stay() {
    let text =
        "# one\n\n\n\n/// Doc.\nF f() { # two\n\n\n  # three\n  a   # four\n\n\n  b # five\n  # six\n\n}\n# seven";
    let expected =
        "# one\n\n/// Doc.\nF f() { # two\n\n    # three\n    a # four\n\n    b # five\n    # six\n}\n# seven\n";
    becomes(text, expected);
    // Comments below each other stay so.
    becomes("C A = 1      # one\nC LONG = 2   # two\n", "C A = 1    # one\nC LONG = 2 # two\n");
}

#[test]
fn line_ends_stay_and_byte_order_marks_go() {
    becomes("\u{feff}F f() {\r\na # x\r\n}\r\n", "F f() {\r\n    a # x\r\n}\r\n");
    becomes("", "");
    becomes("\n\n", "");
}

#[test]
fn strings_are_left_alone() {
    becomes("F f() { a( \"x  {a+b}\n   y\" ) }", "F f() { a(\"x  {a+b}\n   y\") }\n");
}
