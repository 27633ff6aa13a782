//! Three editors save the files of a running program at random moments, in all the ways that editors have, half-written
//! and wrong texts included: in the end the last texts run, and no data was lost on the way.
//!
//! `SEED` chooses the first of the rounds, `ROUNDS` how many there are.

#[path = "../../tests/generate/random.rs"]
mod random;

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use random::Random;
use vaisjit::{Engine, Event, Program};

/// How long the rounds take together, unless `ROUNDS` says how many there are.
const TIME: Duration = Duration::from_secs(10);
/// How many texts each editor saves in a round.
const SAVES: usize = 25;
/// Nothing takes as long as this.
const STUCK: Duration = Duration::from_secs(60);
/// Kept in a field while the fields around it change.
const MARK: i64 = 123_456_789;

const NAMES: [&str; 3] = ["main", "left", "right"];

/// A file's text at a number of its own. Each has a function that tells the number.
fn text(file: usize, number: usize) -> String {
    let version = format!("F {}_version() -> i64 {{ {number} }}\n", NAMES[file]);
    let fields = |word: &str| -> String { (0..number % 5).map(|n| format!(", {word}{n}: i64 = {n}")).collect() };
    match file {
        // `main` comes last: half a text has none, and is no program.
        0 => format!(
            "U left\nU right\nG stop: i64\nG total: i64\nG state: State\nG list: Vec<Item>\n\
             F keep(mark: i64) -> i64 {{\n    list.push(Item {{ mark: mark }})\n    list.len()\n}}\n\
             F marks() -> i64 {{\n    sum := mut state.mark\n    L item: list {{ sum += item.mark }}\n    sum\n}}\n\
             F read_total() -> i64 {{ total }}\nF end() -> i64 {{\n    stop = 1\n    0\n}}\n\
             F versions() -> i64 {{ (main_version() * 1000 + left_version()) * 1000 + right_version() }}\n{version}\
             F main() -> i64 {{\n    local := mut State {{ mark: {MARK} }}\n    L stop == 0 {{\n        total += 1\n\
             \x20       state = local\n        step({})\n    }}\n    0\n}}\n",
            number % 7
        ),
        1 => format!("S State {{ mark: i64{} }}\n{version}", fields("more")),
        _ => format!(
            "S Item {{ mark: i64{} }}\nG steps: i64\nF step(by: i64) -> i64 {{\n    steps += by + {number}\n    steps\n}}\n{version}",
            fields("extra")
        ),
    }
}

/// A text that the compiler does not take.
fn wrong(text: &str, random: &mut Random) -> String {
    match random.below(3) {
        0 => text[..=text.rfind('{').unwrap_or(0)].to_owned(),
        1 => format!("{text}F broken() -> i64 {{ unknown }}\n"),
        _ => format!("{text}F broken( {{\n"),
    }
}

/// One editor, with one file open.
struct Editor {
    path: PathBuf,
    random: Random,
}

impl Editor {
    /// Gives the reload a random moment of time. Nothing depends on how long it is.
    fn pause(&mut self) {
        match self.random.below(4) {
            0 => std::thread::sleep(Duration::from_micros(self.random.below(20_000) as u64)),
            1 => std::thread::sleep(Duration::from_micros(self.random.below(500) as u64)),
            _ => std::thread::yield_now(),
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        self.path.with_extension(ending)
    }

    /// Saves as some editor would.
    fn save(&mut self, text: &str) -> std::io::Result<()> {
        match self.random.below(5) {
            0 => fs::write(&self.path, text),
            1 => self.in_pieces(text),
            2 => {
                fs::write(self.beside("tmp"), text)?;
                fs::rename(self.beside("tmp"), &self.path)
            }
            3 => {
                fs::rename(&self.path, self.beside("vais~"))?;
                self.pause();
                fs::write(&self.path, text)
            }
            _ => {
                fs::remove_file(&self.path)?;
                self.pause();
                self.in_pieces(text)
            }
        }
    }

    /// Truncates first and writes later.
    fn in_pieces(&mut self, text: &str) -> std::io::Result<()> {
        let mut file = File::create(&self.path)?;
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            self.pause();
            let (now, later) = rest.split_at((1 + self.random.below(200)).min(rest.len()));
            file.write_all(now)?;
            rest = later;
        }
        Ok(())
    }

    fn work(&mut self, file: usize) {
        for number in 1..=SAVES {
            let good = text(file, number);
            if self.random.one_in(3) {
                let wrong = wrong(&good, &mut self.random);
                self.save(&wrong).expect("saved");
                self.pause();
            }
            self.save(&good).expect("saved");
            self.pause();
        }
    }
}

/// What was told.
#[derive(Default)]
struct Told {
    reloads: AtomicUsize,
    others: Mutex<Vec<String>>,
}

impl Told {
    fn hear(&self, event: &Event) {
        match event {
            Event::Reloaded { .. } => drop(self.reloads.fetch_add(1, Ordering::SeqCst)),
            Event::Refused { .. } | Event::Trap(_) => self.others.lock().unwrap().push(format!("{event:?}")),
            _ => {}
        }
    }
}

fn call(program: &Program, name: &str) -> i64 {
    program.function::<(), i64>(name).expect("the function").call(()).expect("no trap")
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + STUCK;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// One round; how many versions there were.
fn round(seed: u64) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |file: usize| folder.path().join(format!("{}.vais", NAMES[file]));
    (0..3).for_each(|file| fs::write(path(file), text(file, 0)).expect("written"));
    let told = Arc::new(Told::default());
    let hears = told.clone();
    // Some systems tell nobody of saves.
    let builder = Engine::builder().needs_main(true).poll(seed % 4 == 3);
    let engine = builder.on_event(move |event: &Event| hears.hear(event)).build().expect("an engine");
    let program = engine.load_file(path(0)).unwrap_or_else(|error| panic!("{error}"));
    let own = program.clone();
    let main = std::thread::spawn(move || own.run_main());
    let watching = program.watch().expect("watched");
    let keep = program.function::<(i64,), i64>("keep").expect("the function");
    (1..=10).for_each(|mark| assert_eq!(keep.call((mark,)).expect("no trap"), mark));
    until("`main` turns", || call(&program, "marks") == MARK + 55);
    let editors = [0, 1, 2].map(|file| {
        let mut editor = Editor { path: path(file), random: Random(seed * 3 + file as u64) };
        std::thread::spawn(move || editor.work(file))
    });
    let total = AtomicU64::new(0);
    let looks_right = || {
        let now = call(&program, "read_total") as u64;
        assert!(now >= total.swap(now, Ordering::SeqCst), "SEED={seed}: the total has become less");
        assert_eq!(call(&program, "marks"), MARK + 55, "SEED={seed}");
    };
    until("the editors end", || {
        looks_right();
        editors.iter().all(std::thread::JoinHandle::is_finished)
    });
    editors.into_iter().for_each(|editor| editor.join().expect("no panic"));
    let last = ((SAVES * 1000 + SAVES) * 1000 + SAVES) as i64;
    until(&format!("SEED={seed}: the last texts run"), || call(&program, "versions") == last);
    looks_right();
    let before = total.load(Ordering::SeqCst);
    until(&format!("SEED={seed}: `main` goes on"), || call(&program, "read_total") as u64 > before);
    drop(watching);
    assert_eq!(program.version(), 1 + told.reloads.load(Ordering::SeqCst) as u64, "each version was told of");
    assert!(told.others.lock().unwrap().is_empty(), "SEED={seed}: {:?}", told.others.lock().unwrap());
    call(&program, "end");
    assert_eq!(main.join().expect("no panic").expect("no trap"), 0);
    let left = program.heap_check().expect("the heap can be checked");
    assert!(left.is_empty(), "SEED={seed}: left {left}");
    program.version()
}

#[test]
fn the_last_save_of_each_editor_runs() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, rounds, started) = (number("SEED").unwrap_or(1), number("ROUNDS"), Instant::now());
    let mut done = 0;
    while done == 0 || rounds.map_or(started.elapsed() < TIME, |rounds| done < rounds) {
        let versions = round(first + done);
        println!("SEED={}: {versions} versions of {} saves", first + done, 3 * SAVES);
        done += 1;
    }
}
