//! Hosts that do everything at any time: several threads call the program, and its host functions prepare, commit, drop,
//! roll back, patch, poll, save and load state from inside. Whatever comes of it, no value gets lost and nobody gets stuck.
//! `SEED` chooses the first of the rounds, `ROUNDS` how many there are.

#[path = "../../tests/generate/random.rs"]
mod random;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use random::Random;
use vaisjit::{Engine, Error, MemoryLoader, Prepared, Program, TrapCode, Update};

/// So long nobody is without progress.
const DEADLINE: Duration = Duration::from_secs(120);
const FILE: &str = "main.vais";
/// How many things are done in a round.
const ACTIONS: u64 = 150;
const ITEMS: i64 = 50;

/// A version of the program: its fields, types and functions come and go.
fn text(random: &mut Random) -> String {
    let fields = ["b: i64 = 7", "b: f64 = 1.5", "note: str = \"n\"", "more: Vec<i64> = []", ""][random.below(5)];
    let sum = ["a", "a + 0", "0 + a"][random.below(3)];
    let number = random.below(1000);
    let (extra, asks) = match random.below(4) {
        0 => ("F extra(n: i64) -> i64 { n }\n", "extra(poke(i))"),
        1 => ("S Wrapped { n: i64 }\nF extra(n: i64) -> Wrapped { Wrapped { n: n } }\n", "extra(poke(i)).n"),
        2 => ("G seen: i64 = 0\n", "poke(i)"),
        _ => ("", "poke(i)"),
    };
    format!(
        "S P {{ a: i64, {fields} }}
G items: Vec<P>
G version: i64 = {number}
{extra}
F fill(n: i64) {{ L i: 0..n {{ items.push(P {{ a: i }}) }} }}
#[hot]
F sum() -> i64 {{
    total := 0
    L i: 0..items.len() {{ total += items[i].{sum_of} }}
    total
}}
#[hot]
F turn(i: i64) -> i64 {{ {asks} }}
F work(n: i64) -> i64 {{
    mine := P {{ a: n }}
    L i: 0..n {{ turn(i) }}
    mine.a
}}
",
        sum_of = sum.replace("0 + a", "a"),
    )
}

/// What the host's threads and functions share.
struct Host {
    seed: u64,
    program: Mutex<Option<Program>>,
    files: MemoryLoader,
    kept: Mutex<Vec<Prepared>>,
    random: Mutex<Random>,
    actions: AtomicU64,
    state: PathBuf,
}

impl Host {
    fn draw(&self, end: usize) -> u64 {
        self.random.lock().unwrap().below(end) as u64
    }

    fn text(&self) -> String {
        text(&mut self.random.lock().unwrap())
    }

    /// One thing that a host may do at any time. What it gives may be any error, but no panic.
    fn act(&self) {
        let Some(program) = self.program.lock().unwrap().clone() else { return };
        match self.draw(14) {
            0 | 1 => self.files.set(FILE, self.text()),
            2 => self.check(program.poll()),
            3 | 4 => {
                let prepared = program.prepare_texts(&[(FILE, self.text())]);
                let prepared = prepared.or_else(|_| program.prepare());
                self.kept.lock().unwrap().extend(prepared.ok());
            }
            5 | 6 => {
                let kept = self.take();
                kept.into_iter().for_each(|prepared| self.check(prepared.commit()));
            }
            7 => drop(self.take()),
            8 | 9 => {
                let back = self.draw(25);
                self.check(program.rollback(program.version().saturating_sub(back)));
            }
            10 => {
                let body =
                    format!("F fill(n: i64) {{ L i: 0..n {{ items.push(P {{ a: i + 0 * {} }}) }} }}", self.draw(9));
                self.check(program.patch("fill", &body));
            }
            11 => _ = program.save_state(&self.state),
            12 => _ = program.load_state(&self.state),
            _ => {
                let sum = program.function::<(), i64>("sum").expect("it is always there");
                match sum.call(()) {
                    Ok(sum) => assert_eq!(sum, ITEMS * (ITEMS - 1) / 2, "SEED={}", self.seed),
                    Err(trap) => assert_eq!(trap.code, TrapCode::Interrupted, "SEED={}: {}", self.seed, trap.report()),
                }
                assert!(program.history().len() <= vaisjit::KEPT_VERSIONS);
            }
        }
        self.actions.fetch_add(1, Ordering::SeqCst);
    }

    fn take(&self) -> Option<Prepared> {
        let place = self.draw(3) as usize;
        let mut kept = self.kept.lock().unwrap();
        (place < kept.len()).then(|| kept.swap_remove(place))
    }

    fn check(&self, update: Result<Update, Error>) {
        if let Err(Error::Rejected(diagnostics)) = &update {
            panic!("SEED={}: {}", self.seed, diagnostics.render(vaisjit::render::Format::Short, false));
        }
    }
}

fn round(seed: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = Random(seed);
    let files = MemoryLoader::default();
    files.set(FILE, text(&mut random));
    let host = Arc::new(Host {
        seed,
        program: Mutex::default(),
        files: files.clone(),
        kept: Mutex::default(),
        random: Mutex::new(random),
        actions: AtomicU64::new(0),
        state: folder.path().join("state.json"),
    });
    let inside = host.clone();
    let poke = move |n: i64| {
        inside.act();
        n
    };
    let engine = Engine::builder().function("poke", poke).build().expect("an engine");
    let program = engine.load_with(FILE, Arc::new(files)).unwrap_or_else(|error| panic!("SEED={seed}: {error}"));
    program.function::<(i64,), ()>("fill").expect("the function").call((ITEMS,)).expect("no trap");
    *host.program.lock().unwrap() = Some(program.clone());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..3)
            .map(|number| {
                let (program, stop) = (&program, &stop);
                scope.spawn(move || {
                    let work = program.function::<(i64,), i64>("work").expect("the function");
                    while !stop.load(Ordering::SeqCst) {
                        let given = work.call((3 + number,));
                        assert_eq!(given.unwrap_or_else(|trap| panic!("SEED={seed}: {}", trap.report())), 3 + number);
                    }
                })
            })
            .collect();
        let (mut last, mut since) = (0, Instant::now());
        while host.actions.load(Ordering::SeqCst) < ACTIONS && callers.iter().all(|caller| !caller.is_finished()) {
            host.act();
            let now = host.actions.load(Ordering::SeqCst);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < DEADLINE, "SEED={seed}: nobody gets on");
        }
        stop.store(true, Ordering::SeqCst);
        callers.into_iter().for_each(|caller| caller.join().expect("no panic"));
    });
    println!("SEED={seed}: {} versions", program.version());
    // Programs and preparations may go in any order.
    *host.program.lock().unwrap() = None;
    let kept = std::mem::take(&mut *host.kept.lock().unwrap());
    let sum = program.function::<(), i64>("sum").expect("the function");
    assert_eq!(sum.call(()).expect("no trap"), ITEMS * (ITEMS - 1) / 2, "SEED={seed}");
    if seed.is_multiple_of(2) {
        drop((program, sum));
        drop(kept);
    } else {
        drop(kept);
        drop((sum, program));
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn hosts_do_everything_at_any_time() {
    let (first, rounds) = (number("SEED").unwrap_or(1), number("ROUNDS").unwrap_or(1));
    for seed in first..first + rounds {
        round(seed);
    }
}
