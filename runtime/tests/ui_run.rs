//! The programs of `tests/ui/{run,trap}` as machine code, in every mode: the same output and the same end as the
//! interpreter's (see `compiler/codegen/tests/ui.rs`).
//!
//! A mode's cases run one after the other in a child of this process, so that whatever they write is caught and one that
//! ends the process is found. `CASE=name` runs only the cases whose name contains it; two of the modes only run with
//! `--include-ignored`.

#[path = "../../tests/ui/cases.rs"]
mod cases;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use cases::{Case, marked};
use vaisjit::{Engine, Error, OptLevel, Trap, write_to_stdout};

/// Set in a child: the mode and the first case to run.
const CHILD: &str = "VAISJIT_UI_CHILD";
/// Stands before everything the child says itself; no program writes it.
const MARK: char = '\u{1}';
/// Longest silence of a child.
const PATIENCE: Duration = Duration::from_secs(60);
/// The stack of a process's first thread, usually.
const STACK: usize = 8 << 20;

fn all_cases() -> Vec<(PathBuf, Case)> {
    let wanted = std::env::var("CASE").unwrap_or_default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ui");
    let files = ["run", "trap"].into_iter().flat_map(|folder| cases::files(&root.join(folder)));
    let cases = files.flat_map(|file| {
        let text = std::fs::read_to_string(&file).expect("a case file");
        cases::cases(&text).1.into_iter().map(move |case| (file.clone(), case))
    });
    cases.filter(|(_, case)| case.name.contains(&wanted)).collect()
}

/// How programs are compiled.
#[derive(Clone, Copy, Debug)]
struct Mode {
    hot: bool,
    speed: bool,
}

const MODES: [Mode; 4] = [
    Mode { hot: false, speed: false },
    Mode { hot: false, speed: true },
    Mode { hot: true, speed: false },
    Mode { hot: true, speed: true },
];

impl Mode {
    fn engine(self) -> Engine {
        let level = if self.speed { OptLevel::Speed } else { OptLevel::None };
        let builder = Engine::builder().needs_main(true).opt_level(level).single_threaded(true);
        builder.static_mode(!self.hot).all_hot(self.hot).build().expect("an engine")
    }
}

/// Does nothing unless this process is a child.
#[test]
fn child() {
    let Ok(job) = std::env::var(CHILD) else { return };
    let mut numbers = job.split(' ').map(|number| number.parse::<usize>().expect("a number"));
    let (mode, first) = (MODES[numbers.next().expect("a mode")], numbers.next().expect("a case"));
    let run = move || {
        let engine = mode.engine();
        for (index, (_, case)) in all_cases().iter().enumerate().skip(first) {
            say(&format!("{MARK}{index}{MARK}"));
            let end = ended(&engine, &case.source);
            say(&format!("{MARK}{end}"));
        }
    };
    std::thread::Builder::new().stack_size(STACK).spawn(run).expect("a thread").join().expect("the cases");
}

fn say(text: &str) {
    write_to_stdout(text).expect("the parent listens");
    vaisjit::flush_stdout();
}

fn ended(engine: &Engine, source: &str) -> String {
    match engine.load_str(source).map(|program| program.run_main()) {
        Ok(Ok(status)) => format!("status {status}"),
        Ok(Err(trap)) | Err(Error::Trap(trap)) => trapped(&trap),
        Err(error) => format!("no program: {error}"),
    }
}

fn trapped(trap: &Trap) -> String {
    let line = trap.location().map_or("?".to_owned(), |at| at.line.to_string());
    format!("trap {:?} at {line} {:?}", trap.code, trap.message)
}

/// What a child has said of each case; `None` if it ended in it.
fn results(mode: usize, cases: usize) -> Vec<Option<(String, String)>> {
    let mut results = Vec::new();
    while results.len() < cases {
        let heard = listen(mode, results.len());
        let mut parts = heard.split(MARK).skip(1);
        let before = results.len();
        while let (Some(_), Some(output)) = (parts.next(), parts.next()) {
            // What the test harness writes at the end stands behind the last mark.
            let end = parts.next().map(|end| end.lines().next().unwrap_or("").to_owned());
            results.push(end.map(|end| (output.to_owned(), end)));
        }
        if results.len() == before {
            results.push(None);
        }
    }
    results
}

/// Everything a child writes until it ends or says nothing for too long.
fn listen(mode: usize, first: usize) -> String {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{mode} {first}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut pipe = child.stdout.take().expect("its output");
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 1 << 16];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            let _ = sender.send(buffer[..count].to_vec());
        }
    });
    let mut heard = Vec::new();
    while let Ok(bytes) = receiver.recv_timeout(PATIENCE) {
        heard.extend(bytes);
    }
    let _ = child.kill();
    let _ = child.wait();
    let _ = reader.join();
    String::from_utf8_lossy(&heard).into_owned()
}

/// Is this what the case says? A trap's message may say more than the program's own words.
fn is_expected(case: &Case, output: &str, end: &str) -> bool {
    let with = |mark| case.expected.lines().filter(move |line: &&str| line.starts_with(mark));
    let outputs: String = with("#>").map(|line| format!("{line}\n")).collect();
    let expected: String = with("#= ").map(|line| &line[3..]).collect();
    let ((expected, words), (end, message)) = (split_words(&expected), split_words(end));
    // The interpreter does not know the lines of the library.
    let same_end = expected.strip_suffix('?').map_or(expected == end, |expected| end.starts_with(expected));
    marked("#>", output) == outputs && same_end && message.ends_with(words)
}

/// A trap and its words without the first quote.
fn split_words(end: &str) -> (&str, &str) {
    end.split_once(" \"").unwrap_or((end, ""))
}

fn check(mode: usize) {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    let cases = all_cases();
    let results = results(mode, cases.len());
    let mut wrong = Vec::new();
    for ((file, case), result) in cases.iter().zip(results) {
        let name = format!("{}: {}", file.file_name().unwrap_or_default().display(), case.name);
        match result {
            Some((output, end)) if is_expected(case, &output, &end) => {}
            Some((output, end)) => {
                wrong.push(format!("{name}: expected\n{}got\n{}#= {end}", case.expected, marked("#>", &output)));
            }
            None => wrong.push(format!("{name}: the process has ended, or hung")),
        }
    }
    assert!(wrong.is_empty(), "{:?}: {} cases\n{}", MODES[mode], wrong.len(), wrong.join("\n"));
}

#[test]
fn static_unoptimised() {
    check(0);
}

#[test]
#[ignore = "the other two modes take their time already"]
fn static_optimised() {
    check(1);
}

#[test]
#[ignore = "the other two modes take their time already"]
fn hot_unoptimised() {
    check(2);
}

#[test]
fn hot_optimised() {
    check(3);
}
