//! After any sequence of edits a program has the data that a program started with the last text gets when it is given
//! the data of the running one by name, and its code finds them there.
//!
//! Without anything else the sequences take [`TIME`]. `EDITS=100000` makes so many edits, in sequences of [`LENGTH`];
//! `SEED` chooses the first sequence, and `SEED` with `STEPS=3,4,7` runs these edits of one. `STRIDE=n` starts a new program to
//! compare with at each nth edit only, and `SHOW=1` prints each edit before it is made. A sequence that fails is made
//! shorter before it is shown.

#[path = "reload_data/loaded.rs"]
mod loaded;
#[path = "../../tests/generate/random.rs"]
mod random;
#[path = "reload_data/sequence.rs"]
mod sequence;
#[path = "reload_data/source.rs"]
mod source;
#[path = "reload_data/types.rs"]
mod types;
#[path = "reload_data/write.rs"]
mod write;

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use loaded::STUCK;
use sequence::{Counts, Sequence};

/// How long the sequences take together, unless `EDITS` says how many there are.
const TIME: Duration = Duration::from_secs(20);
/// Edits of one program.
const LENGTH: usize = 60;
/// How much resident memory may grow from the first tenth of the edits to their end, in KiB.
const GROWTH: usize = 32 * 1024;

/// Ends the process if one edit takes too long: nothing may wait for ever.
struct Watchdog(Sender<String>);

impl Watchdog {
    fn start() -> Watchdog {
        let (sender, receiver) = channel::<String>();
        std::thread::spawn(move || {
            let mut last = String::new();
            loop {
                match receiver.recv_timeout(STUCK) {
                    Ok(place) => last = place,
                    Err(RecvTimeoutError::Timeout) => {
                        eprintln!("stuck: {last}");
                        std::process::exit(101);
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Watchdog(sender)
    }
}

/// What went wrong, and how many edits had been begun.
struct Failure {
    begun: usize,
    text: String,
}

/// Runs the edits with these numbers.
fn run(seed: u64, steps: &[usize], stride: usize) -> Result<Counts, Failure> {
    let watchdog = Watchdog::start();
    let mut begun = 0;
    let mut story = String::new();
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let mut sequence = Sequence::start(seed, stride);
        for step in steps {
            begun += 1;
            let _ = watchdog.0.send(format!("SEED={seed}, step {step}, after {}", sequence.story()));
            let result = std::panic::catch_unwind(AssertUnwindSafe(|| sequence.step(*step)));
            if let Err(panic) = result {
                story = sequence.story();
                std::panic::resume_unwind(panic);
            }
        }
        story = sequence.story();
        sequence.end()
    }));
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        Failure { begun, text: format!("{text}\nedits:\n{story}") }
    })
}

/// Leaves out what is not needed for a failure, and shows it.
fn shrink(seed: u64, mut steps: Vec<usize>, mut failure: Failure) -> String {
    steps.truncate(failure.begun);
    let kind = |failure: &Failure| failure.text.chars().take(12).collect::<String>();
    let deadline = Instant::now() + 3 * TIME;
    let mut size = (steps.len() / 2).max(1);
    let mut index = 0;
    while size > 0 && Instant::now() < deadline {
        if index + size >= steps.len() {
            (size, index) = (size / 2, 0);
            continue;
        }
        let mut fewer = steps.clone();
        fewer.drain(index..index + size);
        match run(seed, &fewer, 1) {
            Err(shorter) if kind(&shorter) == kind(&failure) => {
                steps = fewer;
                steps.truncate(shorter.begun);
                failure = shorter;
            }
            _ => index += size,
        }
    }
    let list: Vec<String> = steps.iter().map(usize::to_string).collect();
    format!("SEED={seed} STEPS={}: {}", list.join(","), failure.text)
}

/// Code that a save had left behind was not known after a rename, and a save waited for it for ever.
#[test]
fn a_sequence_that_got_stuck() {
    let steps: Vec<usize> = (1..=11).chain([13]).collect();
    let failure = run(4_000_088, &steps, 1).err();
    assert!(failure.is_none(), "{}", failure.map_or(String::new(), |failure| failure.text));
}

/// Resident memory in KiB; 0 where it cannot be read.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4
}

/// What all sequences share.
struct Work {
    next: AtomicU64,
    done: AtomicUsize,
    failed: AtomicBool,
    failure: Mutex<Option<String>>,
    counts: Mutex<Counts>,
    /// Resident memory after the first tenth.
    early: AtomicUsize,
    wanted: Option<usize>,
    stride: usize,
    started: Instant,
}

impl Work {
    fn is_over(&self) -> bool {
        let done = self.done.load(Ordering::SeqCst);
        self.failed.load(Ordering::SeqCst)
            || self.wanted.map_or(self.started.elapsed() >= TIME, |wanted| done >= wanted)
    }

    /// Sequences one after the other; each processor does this.
    fn go_on(&self) {
        while !self.is_over() {
            let seed = self.next.fetch_add(1, Ordering::SeqCst);
            let steps: Vec<usize> = (0..LENGTH).collect();
            match run(seed, &steps, self.stride) {
                Ok(counts) => self.add(counts),
                Err(failure) => {
                    self.failed.store(true, Ordering::SeqCst);
                    let text = shrink(seed, steps, failure);
                    self.failure.lock().unwrap().get_or_insert(text);
                }
            }
        }
    }

    fn add(&self, counts: Counts) {
        self.counts.lock().unwrap().add(counts);
        let before = self.done.fetch_add(LENGTH, Ordering::SeqCst);
        if before <= self.wanted.unwrap_or(600) / 10 {
            self.early.store(resident(), Ordering::SeqCst);
        }
        if before / 3000 != (before + LENGTH) / 3000 {
            println!("{} edits, {} s, {} KiB", before + LENGTH, self.started.elapsed().as_secs(), resident());
        }
    }
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn edited_programs_keep_their_data_like_restarted_ones() {
    let seed = number("SEED").unwrap_or(1) as u64;
    if let Ok(list) = std::env::var("STEPS") {
        let steps: Vec<usize> = list.split(',').map(|step| step.trim().parse().expect("a number")).collect();
        let failure = run(seed, &steps, 1).err();
        return assert!(failure.is_none(), "{}", failure.map_or(String::new(), |failure| failure.text));
    }
    let work = Work {
        next: AtomicU64::new(seed),
        done: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        failure: Mutex::default(),
        counts: Mutex::default(),
        early: AtomicUsize::new(0),
        wanted: number("EDITS"),
        stride: number("STRIDE").unwrap_or(1),
        started: Instant::now(),
    };
    let workers =
        number("WORKERS").unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get()));
    std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(|| work.go_on()))));
    let failure = work.failure.lock().unwrap().take();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
    let (early, late) = (work.early.load(Ordering::SeqCst), resident());
    println!(
        "{} in {} s, {early} KiB early, {late} KiB at the end",
        work.counts.lock().unwrap(),
        work.started.elapsed().as_secs()
    );
    assert!(late <= early + GROWTH, "memory grows: {early} KiB early, {late} KiB at the end");
}
