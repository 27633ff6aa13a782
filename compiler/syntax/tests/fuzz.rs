//! Whatever the text, parsing it ends soon and does not panic; seeds are printed on failure.

mod common;

use std::time::{Duration, Instant};

use common::{Random, SAMPLES, mutate};
use vaisjit_syntax::{FileId, Format, SourceFile, Sources, dump, parse, render};

fn check(text: &str, what: &str) {
    let start = Instant::now();
    let result = std::panic::catch_unwind(|| {
        let module = parse(text);
        dump(&module);
        let diagnostics: Vec<_> = module.items.iter().flat_map(|item| item.diagnostics.to_vec()).collect();
        for item in &module.items {
            assert!(item.start <= item.end && item.end as usize <= text.len());
            assert!(text.is_char_boundary(item.start as usize) && text.is_char_boundary(item.end as usize));
        }
        for pair in module.items.windows(2) {
            assert!(pair[0].end <= pair[1].start);
        }
        if text.len() < 10_000 {
            let mut sources = Sources::default();
            sources
                .insert(FileId(0), SourceFile { path: "fuzz.vais".into(), text: text.into(), module: module.into() });
            for format in [Format::Human, Format::Short, Format::Json] {
                render(&diagnostics, &sources, format, false);
            }
        }
    });
    if let Err(panic) = result {
        eprintln!("{what}:\n{text:?}");
        std::panic::resume_unwind(panic);
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{what} took {:?}", start.elapsed());
}

fn rounds(default: u64) -> u64 {
    std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}

#[test]
fn mutated_programs() {
    for seed in 0..rounds(150) {
        let mut random = Random(seed);
        let mut text = SAMPLES[random.below(SAMPLES.len())].to_string();
        for _ in 0..1 + random.below(12) {
            text = mutate(&text, &mut random);
        }
        check(&text, &format!("seed {seed}"));
    }
}

#[test]
fn random_bytes() {
    const ALPHABET: &[u8] = b"FSEXLIMRBCWGUNTPD aixz_019.,:;=<>+-*/%&|^!?@#(){}[]\"\\'\n\n  $`~\t\r";
    for seed in 0..rounds(200) {
        let mut random = Random(seed);
        let length = random.below(400);
        let bytes: Vec<u8> = (0..length)
            .map(|_| if random.below(40) == 0 { random.next() as u8 } else { ALPHABET[random.below(ALPHABET.len())] })
            .collect();
        check(&String::from_utf8_lossy(&bytes), &format!("seed {seed}"));
    }
}

/// Inputs made to recurse deeply or to look far ahead, all about 20 KB.
#[test]
fn monsters() {
    let around = |text: &str| {
        [text.to_string(), format!("F main() {{\n{text}\n}}\n"), format!("F main() {{ x := {text} }}\nF f() {{}}\n")]
    };
    let pieces = [
        "(",
        "[",
        "{",
        "}",
        ")",
        "<",
        "a<",
        "a<b,",
        "a ? ",
        "- ",
        "!",
        "&",
        "*",
        "1 + ",
        "x.",
        "x?",
        "f(",
        "|x| ",
        "\"",
        "\"{",
        "\\",
        "'",
        "#[",
        "@[",
        "I x { ",
        "I x { } E ",
        "M x { ",
        "M x { a => ",
        "L ",
        "R ",
        "E ",
        "P { ",
        "P { a: ",
        ": ",
        ":=",
        "..",
        "::",
        "fn(",
        "x as ",
        "@",
        "F f(",
        "F f() { ",
        "S S { ",
        "N \"C\" { ",
        "a, ",
        "a;",
        "a\n",
        "$",
        "é",
        "//\n",
        "///\n",
        "#\n",
        "0x",
        "1.1.",
        "let ",
        "else ",
        "a b ",
        "(a, ",
        "L (a, ",
        "x: [",
        "x: *",
        "x: Vec<",
        "| ",
        "=> ",
        "{x: i64 | ",
        "spawn ",
        "A ",
        "P ",
        "const ",
    ];
    for piece in pieces {
        let text = piece.repeat(20_000 / piece.len());
        for (index, text) in around(&text).iter().enumerate() {
            check(text, &format!("many {piece:?}, variant {index}"));
        }
    }
}

#[test]
fn a_megabyte_of_brackets_is_one_error() {
    for bracket in ["(", "[", "{"] {
        let text = format!("F main() {{\n{}\n}}\n\nF f() {{ }}\n", bracket.repeat(1 << 20));
        let module = parse(&text);
        let codes: Vec<_> =
            module.items.iter().flat_map(|item| item.diagnostics.iter().map(|found| found.code)).collect();
        assert_eq!((module.items.len(), codes), (2, vec![vaisjit_syntax::codes::TOO_DEEP]));
    }
}
