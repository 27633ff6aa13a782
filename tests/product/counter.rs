//! The program that most tests edit while it runs. It prints one line a step, `TAG STEP TOTAL`, so that a test sees
//! which code ran, that no step was lost or repeated, and that the data stayed.

use serde_json::Value;

use crate::harness::{Project, Run};

/// The file the program is in.
pub const FILE: &str = "game.vais";

/// The program. `main` keeps the step, a global keeps the total.
pub const TEXT: &str = r#"# Counts.
C POINTS: i64 = 1

G total: i64 = 0

F doubled(n: i64) -> i64 { n * 2 }

#[hot]
F step(n: i64) -> i64 {
    total += POINTS
    println("one {n} {total}")
    0
}

F main() -> i64 {
    n := 0
    L n < 1000000 {
        step(n)
        n += 1
        usleep(2000)
    }
    0
}
"#;

/// The program with another tag in its lines.
pub fn tagged(tag: &str) -> String {
    TEXT.replace("\"one ", &format!("\"{tag} "))
}

/// A running counter.
pub struct Counter {
    /// Its files.
    pub project: Project,
    /// Its process.
    pub run: Run,
}

impl Counter {
    /// Starts it and waits for its first line.
    pub fn start() -> Counter {
        Counter::with(&[])
    }

    /// The same with options.
    pub fn with(options: &[&str]) -> Counter {
        Counter::of(TEXT, options)
    }

    /// A program like it.
    pub fn of(text: &str, options: &[&str]) -> Counter {
        let project = Project::new(&[(FILE, text)]);
        let mut run = Run::hot_with(&project, FILE, options);
        run.out.line("the first step", |line| line.starts_with("one "));
        Counter { project, run }
    }

    /// Waits until a line with this tag is printed.
    pub fn sees(&mut self, tag: &str) {
        self.run.out.line(&format!("a line tagged `{tag}`"), |line| line.split(' ').next() == Some(tag));
    }

    /// Waits until a line printed from now on has this tag, and checks that no newer line has another.
    pub fn still(&mut self, tag: &str) {
        self.run.out.skip();
        // The first one may have been printed in part already.
        self.run.out.line("the end of a line", |_| true);
        for _ in 0..10 {
            let line = self.run.out.line("a further line", |_| true);
            assert_eq!(line.split(' ').next(), Some(tag), "{line}");
        }
    }

    /// Saves another tag, and waits until it is live.
    pub fn retag(&mut self, tag: &str) -> Value {
        self.project.save(FILE, &tagged(tag));
        let event = self.run.event("reloaded");
        self.sees(tag);
        event
    }

    /// Checks that every step was made once and in order, by whatever version.
    pub fn is_continuous(&self) {
        let text = self.run.out.text();
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        for (expected, line) in complete.lines().enumerate() {
            let step = line.split(' ').nth(1).and_then(|word| word.parse().ok());
            assert_eq!(step, Some(expected), "a step was lost or repeated at `{line}`");
        }
    }
}

/// The names in the `functions` (or `types`) of an event.
pub fn names<'a>(event: &'a Value, list: &str) -> Vec<&'a str> {
    let Some(entries) = event[list].as_array() else { return Vec::new() };
    entries.iter().filter_map(|entry| entry["name"].as_str()).collect()
}
