//! Whatever the text, the compiler ends soon, does not panic, and its diagnostics point into the text. What it accepts
//! is lowered and interpreted for a while: its MIR must keep its own rules, and count right.
//!
//! `VAISJIT_SEED=n` repeats one text; `VAISJIT_PROGRAMS=n` says how many texts are tried instead of as many as fit into
//! the time.

#[path = "../../../tests/ui/cases.rs"]
mod cases;
#[path = "../../../tests/generate/random.rs"]
mod random;
mod source;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use random::Random;
use vaisjit_codegen::layout::TypeLayouts;
use vaisjit_codegen::lower::Options;
use vaisjit_codegen::mir::interp::{Exit, Interp, Program};

use vaisjit_syntax::{Anchor, Diagnostic, Place, Sources};

/// How long all texts take together, unless their number is given.
const TIME: Duration = Duration::from_secs(20);
/// How long one may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Statements that an accepted program may execute.
const STEPS: u64 = 100_000;
/// The stack of a process's first thread, usually.
const STACK: usize = 8 << 20;

/// The programs of `tests/ui` and the examples, as tokens.
fn corpus() -> Vec<Vec<String>> {
    let mut texts = Vec::new();
    for folder in ["run", "trap", "mir", "check", "mistakes"] {
        for file in cases::files(&source::root().join("tests/ui").join(folder)) {
            let text = std::fs::read_to_string(file).expect("a case file");
            let (head, cases) = cases::cases(&text);
            texts.extend(cases.into_iter().map(|case| case.source).chain([head]));
        }
    }
    for file in cases::files(&source::root().join("examples")) {
        texts.extend(std::fs::read_to_string(file));
    }
    texts.iter().filter(|text| text.len() < 4000).map(|text| tokens(text)).filter(|all| all.len() > 5).collect()
}

/// Words, numbers, runs of white space and single other characters.
fn tokens(text: &str) -> Vec<String> {
    let kind = |c: char| match c {
        _ if c.is_alphanumeric() || c == '_' => 1,
        _ if c.is_whitespace() => 2,
        _ => 3,
    };
    let mut all: Vec<String> = Vec::new();
    for c in text.chars() {
        match all.last_mut() {
            Some(last) if kind(c) != 3 && last.chars().next().is_some_and(|first| kind(first) == kind(c)) => {
                last.push(c);
            }
            _ => all.push(c.to_string()),
        }
    }
    all
}

/// What token soup is made of besides the corpus.
const SOUP: [&str; 40] = [
    "F ",
    "S ",
    "E ",
    "I ",
    "L ",
    "M ",
    "R ",
    "X ",
    "W ",
    "G ",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    ",",
    ":",
    ":=",
    "->",
    "=>",
    "|",
    "||",
    "&",
    "*",
    "?",
    "!",
    "..",
    ".",
    "\n",
    "@",
    "#[hot]\n",
    "\"{x}\"",
    "0",
    "1.5",
    "Vec<i64>",
    "HashMap<str, i64>",
    "as i64",
];

/// The text of a seed.
fn text(seed: u64, corpus: &[Vec<String>]) -> String {
    let mut random = Random(seed);
    match random.below(12) {
        0 => (0..random.below(300)).map(|_| char::from_u32(random.next() as u32 % 0x250).unwrap_or('\0')).collect(),
        1 => soup(&mut random, corpus),
        2 => {
            let (first, second) = (random.pick(corpus).clone(), random.pick(corpus).clone());
            let (end, start) = (random.below(first.len()), random.below(second.len()));
            first[..end].concat() + &second[start..].concat()
        }
        _ => {
            let mut tokens = random.pick(corpus).clone();
            for _ in 0..=random.below(4) {
                mutate(&mut tokens, &mut random, corpus);
            }
            tokens.concat()
        }
    }
}

fn soup(random: &mut Random, corpus: &[Vec<String>]) -> String {
    let mut text = String::new();
    for _ in 0..random.below(120) {
        match random.below(3) {
            0 => text += *random.pick(&SOUP),
            1 => text.push_str(&random.pick(corpus).concat().chars().take(20).collect::<String>()),
            _ => {
                let from = random.pick(corpus).clone();
                text += random.pick(&from).as_str();
            }
        }
    }
    text
}

fn mutate(tokens: &mut Vec<String>, random: &mut Random, corpus: &[Vec<String>]) {
    if tokens.is_empty() {
        return;
    }
    let (at, other) = (random.below(tokens.len()), random.below(tokens.len()));
    match random.below(9) {
        0 => {
            tokens.remove(at);
        }
        1 => tokens.insert(other, tokens[at].clone()),
        2 => tokens.swap(at, other),
        3 => tokens[at] = tokens[other].clone(),
        4 => {
            let from = random.pick(corpus).clone();
            tokens[at] = random.pick(&from).clone();
        }
        5 => tokens.insert(at, (*random.pick(&SOUP)).to_owned()),
        6 => {
            let end = (at + random.below(12)).min(tokens.len());
            tokens.drain(at..end);
        }
        7 => {
            let end = (at + random.below(20)).min(tokens.len());
            let copied = tokens[at..end].to_vec();
            tokens.splice(other..other, copied);
        }
        _ => {
            let from = random.pick(corpus);
            let start = random.below(from.len());
            let end = (start + random.below(20)).min(from.len());
            tokens.splice(at..at, from[start..end].iter().cloned());
        }
    }
}

/// Compiles a text; what is wrong with the compiler.
fn compile(text: &str) -> Result<(), String> {
    let (checked, sources, diagnostics) = source::checked(text);
    diagnostics.iter().try_for_each(|found| inside(found, &sources, text))?;
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Ok(());
    }
    let layouts = TypeLayouts::new(&checked);
    if !layouts.problems().is_empty() {
        return Ok(());
    }
    for options in [Options::all(true), Options::plain(false)] {
        let Ok(program) = Program::lower(&checked, &layouts, options) else { return Ok(()) };
        let outcome = Interp::new(&program, &layouts).with_limit(STEPS).run_main();
        match outcome.exit {
            Exit::Bug(bug) if !is_excused(text, &bug) => return Err(format!("{options:?}: {bug}")),
            _ => {}
        }
    }
    Ok(())
}

/// Functions that the interpreter lacks, and programs that handle addresses themselves.
fn is_excused(text: &str, bug: &str) -> bool {
    let unsafe_words =
        ["*", "&", "load_", "store_", "_ptr", "malloc", "free", "swap", "take_", "memory", "heap_", "vec_"];
    bug.starts_with("no host function") || bug == "no main" || unsafe_words.iter().any(|word| text.contains(word))
}

/// Do all places of a diagnostic lie in the text, at characters?
fn inside(found: &Diagnostic, sources: &Sources, text: &str) -> Result<(), String> {
    let places = [found.primary.place].into_iter();
    let places = places.chain(found.labels.iter().map(|label| label.place));
    for place in places.chain(found.suggestions.iter().map(|suggestion| suggestion.place)) {
        let range = unclamped(place, sources);
        if let Some(range) = range
            && text.get(range.clone()).is_none()
        {
            return Err(format!("{} points at {range:?} of {} bytes: {}", found.code, text.len(), found.message));
        }
    }
    Ok(())
}

/// Where a place of the program is; nothing for those of the library.
fn unclamped(place: Place, sources: &Sources) -> Option<Range<usize>> {
    let (_, file) = sources.iter().next()?;
    let base = match place.anchor {
        Anchor::File(_) => 0,
        Anchor::Item(item) => file.module.start_of(item)?,
    };
    Some(base + place.span.start as usize..base + place.span.end as usize)
}

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn no_text_breaks_the_compiler() {
    let corpus = corpus();
    let (only, count) = (given("VAISJIT_SEED"), given("VAISJIT_PROGRAMS"));
    let first = only.unwrap_or(0);
    let last = only.map(|seed| seed + 1).or(count).unwrap_or(u64::MAX);
    let limited = only.is_none() && count.is_none();
    let (asked, jobs) = mpsc::channel::<String>();
    let (done, answers) = mpsc::channel();
    let work = move || {
        for text in jobs {
            let made = catch_unwind(AssertUnwindSafe(|| compile(&text)));
            let _ = done.send(made.unwrap_or_else(|_| Err("a panic, see above".to_owned())));
        }
    };
    std::thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread");
    let start = Instant::now();
    let mut tried = 0;
    let mut wrong = Vec::new();
    for seed in (first..last).take_while(|_| !limited || start.elapsed() < TIME) {
        let text = text(seed, &corpus);
        asked.send(text.clone()).expect("the compiler waits");
        let answer = answers.recv_timeout(PATIENCE);
        tried += 1;
        match answer {
            Ok(Ok(())) => {}
            Ok(Err(error)) => wrong.push(format!("VAISJIT_SEED={seed}: {error}\n{text}")),
            Err(_) => panic!("VAISJIT_SEED={seed}: no end after {PATIENCE:?}\n{text}"),
        }
        if wrong.len() == 10 {
            break;
        }
    }
    println!("{tried} texts");
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}
