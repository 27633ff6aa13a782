//! Random programs (`tests/generate`): the interpreter, machine code in every mode and, where C can say the same, the
//! system's `cc` must agree on every number.
//!
//! `VAISJIT_SEED=n` repeats one seed; `VAISJIT_PROGRAMS=n` runs all seeds below `n`, from `VAISJIT_FIRST` on, instead of
//! as many as fit into the time.

#[path = "../../tests/generate/mod.rs"]
mod generate;
#[path = "../../compiler/codegen/tests/source/mod.rs"]
mod source;

use std::ops::Range;
use std::process::Command;
use std::time::{Duration, Instant};

use generate::{ARGUMENTS, Program, c, shrink, vais};
use vaisjit::{Engine, OptLevel, TrapCode};
use vaisjit_codegen::layout::TypeLayouts;
use vaisjit_codegen::lower::Options;
use vaisjit_codegen::mir::interp::{self, Exit, Interp};
use vaisjit_semantics::{Instance, ItemPath};
use vaisjit_syntax::Name;

/// How long the programs of a test take together, unless their number is given.
const TIME: Duration = Duration::from_secs(60);
/// Programs that share a C file.
const BATCH: u64 = 10;
/// How long a failing program is made smaller.
const SHRINKING: Duration = Duration::from_secs(30);
/// Enough for every call of an entry.
const STEPS: u64 = 3_000_000;

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Value(i64),
    Trap(TrapCode),
    /// Too long to be interesting.
    Endless,
}

type Calls = Vec<Seen>;

/// What the interpreter sees, of plain MIR and of optimised; an error is one of ours.
fn interpreted(program: &Program) -> Result<Calls, String> {
    let (checked, _) = source::check(&vais::text(program)).map_err(|errors| errors.join("\n"))?;
    let layouts = TypeLayouts::new(&checked);
    let calls = |options| {
        let lowered = interp::Program::lower(&checked, &layouts, options).map_err(|error| error.to_string())?;
        called(program, &lowered, &layouts)
    };
    let expected = calls(Options::plain(false))?;
    compared(program, &expected, &calls(Options::all(true))?, "optimised MIR")?;
    for options in [Options::all(true), Options::plain(true)] {
        let mut lowered = interp::Program::lower(&checked, &layouts, options).map_err(|error| error.to_string())?;
        lowered.resume_everywhere(&checked, &layouts, options);
        compared(program, &expected, &called(program, &lowered, &layouts)?, "MIR resumed at its polls")?;
    }
    Ok(expected)
}

fn called(program: &Program, lowered: &interp::Program, layouts: &TypeLayouts) -> Result<Calls, String> {
    let mut seen = Calls::new();
    for entry in program.entries() {
        let instance = Instance::plain(ItemPath::new(Name::new("main"), &entry));
        for (a, b) in ARGUMENTS {
            let machine = Interp::new(lowered, layouts).with_limit(STEPS);
            let (outcome, bits) = machine.run_function(instance, &[a, b].map(|word| u128::from(word as u64)));
            if !outcome.leaked.is_empty() {
                return Err(format!("{entry}({a}, {b}) leaks {}", outcome.leaked.join("; ")));
            }
            seen.push(match outcome.exit {
                Exit::Status(_) => Seen::Value(bits as i64),
                Exit::Trap(trap) => Seen::Trap(trap.code),
                Exit::StepLimit => Seen::Endless,
                Exit::Bug(text) => return Err(format!("{entry}({a}, {b}): {text}")),
            });
        }
    }
    Ok(seen)
}

/// What machine code does.
fn compiled(program: &Program, hot: bool, level: OptLevel) -> Result<Calls, String> {
    let builder = Engine::builder().opt_level(level).static_mode(!hot).single_threaded(true).all_hot(hot);
    let loaded = builder.build().and_then(|engine| engine.load_str(&vais::text(program)));
    let loaded = loaded.map_err(|error| error.to_string())?;
    let mut seen = Calls::new();
    for entry in program.entries() {
        let function = loaded.function::<(i64, i64), i64>(&entry).map_err(|error| error.to_string())?;
        let call = |arguments| function.call(arguments).map_or_else(|trap| Seen::Trap(trap.code), Seen::Value);
        seen.extend(ARGUMENTS.map(call));
    }
    Ok(seen)
}

/// Says how two ways to run a program differ.
fn compared(program: &Program, expected: &Calls, seen: &Calls, way: &str) -> Result<(), String> {
    let calls = program.entries().into_iter().flat_map(|entry| ARGUMENTS.map(|arguments| (entry.clone(), arguments)));
    for ((entry, arguments), (expected, seen)) in calls.zip(expected.iter().zip(seen)) {
        if *expected != Seen::Endless && expected != seen {
            return Err(format!("{entry}{arguments:?}: {way} gives {seen:?}, the interpreter {expected:?}"));
        }
    }
    Ok(())
}

/// Modes of machine code; a program is run in two that differ in everything.
const MODES: [[(bool, OptLevel); 2]; 2] =
    [[(false, OptLevel::None), (true, OptLevel::Speed)], [(false, OptLevel::Speed), (true, OptLevel::None)]];

/// Runs a program in every way but C.
fn agreed(seed: u64, program: &Program) -> Result<Calls, String> {
    let expected = interpreted(program)?;
    if expected.contains(&Seen::Endless) {
        return Ok(expected);
    }
    for (hot, level) in MODES[seed as usize % 2] {
        let way = format!("{level:?}, {}", if hot { "hot" } else { "static" });
        compared(program, &expected, &compiled(program, hot, level)?, &way)?;
    }
    Ok(expected)
}

/// How many calls came to what.
#[derive(Default, Debug)]
struct Statistics {
    functions: usize,
    values: usize,
    traps: usize,
    endless: usize,
}

impl Statistics {
    fn count(&mut self, calls: &Calls) {
        self.functions += calls.len() / ARGUMENTS.len();
        for call in calls {
            *match call {
                Seen::Value(_) => &mut self.values,
                Seen::Trap(_) => &mut self.traps,
                Seen::Endless => &mut self.endless,
            } += 1;
        }
    }
}

/// What C makes of programs; `None` where there is no compiler.
fn by_c(programs: &[&Program]) -> Option<Vec<Option<i64>>> {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, binary) = (folder.path().join("programs.c"), folder.path().join("programs"));
    std::fs::write(&file, c::file(programs)).expect("the file can be written");
    let built = Command::new("cc").args(c::FLAGS).arg("-o").arg(&binary).arg(&file).arg("-lm").output().ok()?;
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr).lines().take(20).collect::<String>());
    let ran = Command::new(&binary).output().expect("the program of C");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    Some(text.lines().map(|line| (line != c::TRAP).then(|| line.parse().expect("a number"))).collect())
}

/// Compares C's numbers with the interpreter's.
fn like_c(program: &Program, expected: &Calls, numbers: &[Option<i64>]) -> Result<(), String> {
    let seen = expected.iter().zip(numbers).map(|(expected, number)| match (number, expected) {
        (Some(number), _) => Seen::Value(*number),
        // C has only one kind of trap.
        (None, Seen::Trap(code)) => Seen::Trap(*code),
        (None, _) => Seen::Trap(TrapCode::Unreachable),
    });
    compared(program, expected, &seen.collect(), "C")
}

fn alone_like_c(program: &Program) -> Result<(), String> {
    let expected = interpreted(program)?;
    match by_c(&[program]) {
        Some(numbers) => like_c(program, &expected, &numbers),
        None => Ok(()),
    }
}

/// Shrinks a program that fails in some way and tells of it.
fn report(seed: u64, program: Program, error: &str, check: &dyn Fn(&Program) -> Result<(), String>) -> ! {
    let kind = kind_of(error);
    let mut fails = |smaller: &Program| check(smaller).is_err_and(|error| kind_of(&error) == kind);
    let small = shrink::shrink(program, SHRINKING, &mut fails);
    let error = check(&small).err().unwrap_or_else(|| error.to_owned());
    panic!("VAISJIT_SEED={seed}: {error}\n{}", vais::text(&small));
}

/// What an error says without the names and numbers: shrinking must not turn one into another.
fn kind_of(error: &str) -> String {
    let words = error.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 3);
    words.filter(|word| !["Value", "Trap", "entry"].contains(word)).take(6).collect::<Vec<_>>().join(" ")
}

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Seeds in batches, until the time is over.
fn batches() -> impl Iterator<Item = Range<u64>> {
    let start = Instant::now();
    let (only, count) = (given("VAISJIT_SEED"), given("VAISJIT_PROGRAMS"));
    let first = only.or(given("VAISJIT_FIRST")).unwrap_or(0);
    let last = only.map(|seed| seed + 1).or(count).unwrap_or(u64::MAX);
    let limited = only.is_none() && count.is_none();
    (first..last).step_by(BATCH as usize).take_while(move |_| !limited || start.elapsed() < TIME).map(move |first| {
        let until = last.min(first + BATCH);
        first..until
    })
}

#[test]
fn plain_programs_agree_with_c() {
    let mut statistics = Statistics::default();
    for batch in batches() {
        let programs: Vec<Program> = batch.clone().map(|seed| generate::program(seed, false)).collect();
        let numbers = by_c(&programs.iter().collect::<Vec<_>>());
        let mut numbers = numbers.as_deref();
        for (seed, program) in batch.zip(programs) {
            let calls = match agreed(seed, &program) {
                Ok(calls) => calls,
                Err(error) => report(seed, program, &error, &|program| agreed(seed, program).map(|_| ())),
            };
            statistics.count(&calls);
            let Some((own, rest)) = numbers.map(|numbers| numbers.split_at(calls.len())) else { continue };
            numbers = Some(rest);
            if let Err(error) = like_c(&program, &calls, own) {
                report(seed, program, &error, &alone_like_c);
            }
        }
    }
    println!("{statistics:?}");
}

#[test]
fn wild_programs_agree() {
    let mut statistics = Statistics::default();
    for seed in batches().flatten() {
        let program = generate::program(seed, true);
        match agreed(seed, &program) {
            Ok(calls) => statistics.count(&calls),
            Err(error) => report(seed, program, &error, &|program| agreed(seed, program).map(|_| ())),
        }
    }
    println!("{statistics:?}");
}
