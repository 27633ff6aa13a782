//! After any sequence of edits a program behaves as one that was started with the last source and carries the same data.
//!
//! Random programs get random edits while their `main` loops. `SEED` chooses one sequence, `ROUNDS` how many are tried.

#[path = "../../tests/generate/random.rs"]
mod random;

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use random::Random;
use vaisjit::{Engine, MemoryLoader, Program, TrapCode, Update};

const EDITS: usize = 40;
const FUNCTIONS: usize = 8;
const GLOBALS: usize = 4;
/// How long the sequences take together, unless `ROUNDS` says how many there are.
const TIME: Duration = Duration::from_secs(12);

/// A function; it calls only functions with higher numbers.
#[derive(Clone)]
struct Function {
    exists: bool,
    hot: bool,
    in_library: bool,
    float: bool,
    loops: bool,
    number: i64,
    calls: Vec<usize>,
    global: Option<usize>,
    comment: usize,
}

#[derive(Clone)]
struct Source {
    constant: i64,
    array: usize,
    globals: [Option<i64>; GLOBALS],
    functions: Vec<Function>,
}

impl Source {
    fn new(random: &mut Random) -> Source {
        let function = |index: usize, random: &mut Random| Function {
            exists: true,
            hot: random.below(3) == 0,
            in_library: random.below(3) == 0,
            float: false,
            loops: random.below(4) == 0,
            number: random.below(100) as i64,
            calls: (index + 1..FUNCTIONS).filter(|_| random.below(3) == 0).collect(),
            global: None,
            comment: 0,
        };
        let functions = (0..FUNCTIONS).map(|index| function(index, random)).collect();
        Source { constant: 3, array: 4, globals: [Some(1); GLOBALS], functions }
    }

    /// One edit of something.
    fn edit(&mut self, random: &mut Random) {
        let index = random.below(FUNCTIONS);
        let function = &mut self.functions[index];
        match random.below(14) {
            0 | 1 => function.number = random.below(1000) as i64,
            2 => function.hot = !function.hot,
            3 => function.in_library = !function.in_library,
            4 | 5 => function.float = !function.float,
            6 => function.loops = !function.loops,
            7 => function.calls = (index + 1..FUNCTIONS).filter(|_| random.below(3) == 0).collect(),
            8 => function.global = Some(random.below(GLOBALS)).filter(|_| random.below(3) > 0),
            9 => function.exists = !function.exists,
            10 => function.comment += 1,
            11 => self.constant = random.below(50) as i64,
            12 => self.array = 1 + random.below(8),
            _ => {
                let global = random.below(GLOBALS);
                self.globals[global] = match self.globals[global] {
                    Some(_) if random.below(2) == 0 => None,
                    _ => Some(random.below(9) as i64),
                };
            }
        }
    }

    fn function(&self, index: usize, text: &mut String) -> std::fmt::Result {
        let function = &self.functions[index];
        for line in 0..function.comment {
            writeln!(text, "# remark {line} on f{index}")?;
        }
        let (hot, kind) = (if function.hot { "#[hot] " } else { "" }, if function.float { "f64" } else { "i64" });
        write!(text, "{hot}F f{index}(x: {kind}) -> i64 {{\n    ")?;
        match function.loops {
            true => write!(text, "sum := mut 0\n    L i:0..{} {{ sum += i * K }}\n    sum", self.array)?,
            false => write!(text, "{} + K", function.number)?,
        }
        write!(text, " + x as i64 % 1000")?;
        for callee in function.calls.iter().filter(|callee| self.functions[**callee].exists) {
            let argument = if self.functions[*callee].float { "1.5" } else { "2" };
            write!(text, " + f{callee}({argument}) * {}", callee + 1)?;
        }
        if let Some(global) = function.global.filter(|global| self.globals[*global].is_some()) {
            write!(text, " + get{global}()")?;
        }
        writeln!(text, "\n}}")
    }

    /// The texts of the root file and of the library.
    fn texts(&self) -> Result<(String, String), std::fmt::Error> {
        let mut root = String::from("U library\nG sink: i64\nF main() -> i64 { L { sink = all() }\n 0 }\n");
        let mut library = String::new();
        writeln!(library, "C K: i64 = {}", self.constant)?;
        for (global, value) in self.globals.iter().enumerate() {
            if let Some(value) = value {
                writeln!(library, "G g{global}: i64 = {value}\nF get{global}() -> i64 {{ g{global} }}")?;
                writeln!(library, "F set{global}(to: i64) -> i64 {{ g{global} = to\n 0 }}")?;
                writeln!(root, "F read{global}() -> i64 {{ get{global}() }}")?;
                writeln!(root, "F write{global}(to: i64) -> i64 {{ set{global}(to) }}")?;
            }
        }
        let mut sum = String::from("0");
        for index in 0..FUNCTIONS {
            let function = &self.functions[index];
            if function.exists {
                self.function(index, if function.in_library { &mut library } else { &mut root })?;
                write!(sum, " + f{index}({})", if function.float { "7.5" } else { "7" })?;
            }
        }
        writeln!(root, "F all() -> i64 {{ {sum} }}")?;
        // Both files use each other's functions.
        Ok((root, format!("U main\n{library}")))
    }
}

/// A program and its files in memory.
struct Loaded {
    files: MemoryLoader,
    program: Program,
}

impl Loaded {
    fn new(source: &Source) -> Loaded {
        let files = MemoryLoader::default();
        save(&files, source);
        let engine = Engine::builder().build().expect("an engine");
        let program = engine.load_with("main.vais", Arc::new(files.clone())).unwrap_or_else(|error| {
            let (root, library) = source.texts().expect("written");
            panic!("{error}\n{root}\n-----\n{library}")
        });
        Loaded { files, program }
    }

    fn call(&self, name: &str) -> i64 {
        self.program.function::<(), i64>(name).expect("the function").call(()).expect("no trap")
    }

    fn write(&self, global: usize, value: i64) {
        let write = self.program.function::<(i64,), i64>(&format!("write{global}")).expect("the function");
        write.call((value,)).expect("no trap");
    }
}

fn save(files: &MemoryLoader, source: &Source) {
    let (root, library) = source.texts().expect("written");
    files.set("main.vais", root);
    files.set("library.vais", library);
}

/// One sequence of edits.
fn sequence(seed: u64) {
    let mut random = Random(seed);
    let mut source = Source::new(&mut random);
    let running = Loaded::new(&source);
    let main = running.program.clone();
    let looping = random.below(2) == 0;
    let main = looping.then(|| std::thread::spawn(move || main.run_main()));
    for step in 0..EDITS {
        let mut next = source.clone();
        for _ in 0..1 + random.below(3) {
            next.edit(&mut random);
        }
        save(&running.files, &next);
        let update = running.program.poll();
        assert!(
            matches!(update, Ok(Update::Reloaded { .. } | Update::Unchanged(_))),
            "seed {seed}, edit {step}: {update:?}"
        );
        source = next;
        compare(&running, &source, &mut random, &format!("seed {seed}, edit {step}"));
    }
    if let Some(main) = main {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !main.is_finished() && Instant::now() < deadline {
            running.program.interrupt();
            std::thread::yield_now();
        }
        let ended = main.join().expect("no panic");
        assert!(ended.is_err_and(|trap| trap.code == TrapCode::Interrupted));
    }
}

/// Does it behave as a program that is started with the same source and data?
fn compare(running: &Loaded, source: &Source, random: &mut Random, place: &str) {
    let fresh = Loaded::new(source);
    let globals = (0..GLOBALS).filter(|global| source.globals[*global].is_some());
    for global in globals {
        if random.below(2) == 0 {
            running.write(global, random.below(500) as i64);
        }
        fresh.write(global, running.call(&format!("read{global}")));
    }
    assert_eq!(running.call("all"), fresh.call("all"), "{place}");
    for index in 0..FUNCTIONS {
        let (name, function) = (format!("f{index}"), &source.functions[index]);
        if !function.exists || function.in_library {
            continue;
        }
        if function.float {
            let call =
                |of: &Loaded| of.program.function::<(f64,), i64>(&name).expect("it").call((9.5,)).expect("no trap");
            assert_eq!(call(running), call(&fresh), "{place}: {name}");
        } else {
            let call =
                |of: &Loaded| of.program.function::<(i64,), i64>(&name).expect("it").call((9,)).expect("no trap");
            assert_eq!(call(running), call(&fresh), "{place}: {name}");
        }
    }
}

#[test]
fn edited_programs_behave_as_started_ones() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SEED") {
        return sequence(seed);
    }
    let (started, rounds) = (Instant::now(), number("ROUNDS"));
    let mut seed = 1;
    while rounds.map_or(started.elapsed() < TIME, |rounds| seed <= rounds) {
        println!("seed {seed}");
        sequence(seed);
        seed += 1;
    }
}
