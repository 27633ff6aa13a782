//! Keys that the user of a running program can press, as long as the program does not read them itself.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::SystemTime;

use vaisjit::{HistoryEntry, Keys, Program, Watching};

use crate::status::{Paint, Status, names};

/// What `?` shows, and the help of `run`.
pub const KEYS: [(char, &str); 7] = [
    ('r', "reload now what is on disk, also after a rollback"),
    ('R', "restart main, with the globals kept"),
    ('b', "go back to the version before"),
    ('h', "show the history"),
    ('p', "hold: save freely, nothing is applied until p again"),
    ('q', "quit"),
    ('?', "show the keys"),
];

/// Keys being read for a program.
pub struct Session {
    keys: Keys,
    program: Program,
}

/// Can keys be read: are standard input and standard error terminals, is standard output no pipe (a pager at its end reads
/// the terminal), and can no loaded code read standard input?
pub fn are_possible(program: &Program) -> bool {
    Keys::are_possible() && std::io::stderr().is_terminal() && !writes_to_pipe() && !program.may_read_input()
}

impl Session {
    /// Begins to read keys if that is possible.
    pub fn start(program: &Program, watching: &Arc<Watching>, status: &Arc<Status>) {
        if !are_possible(program) {
            return;
        }
        let (watching, status) = (watching.clone(), status.clone());
        let mut pressed = Pressed { program: program.clone(), watching, status: status.clone(), held: false };
        if let Some(keys) = Keys::read(move |key| pressed.key(key)) {
            status.attach(Session { keys, program: program.clone() });
        }
    }

    /// Whose the terminal is: see [`Keys::turn`].
    pub fn turn(&self) -> Option<u64> {
        self.keys.turn()
    }

    /// Leaves the input to the program if it may read it now; true if that has just happened.
    pub fn closes(&self) -> bool {
        self.program.may_read_input() && self.keys.give_up()
    }

    /// Leaves the terminal as it was found.
    pub fn end(&self) {
        self.keys.give_up();
    }
}

/// Is standard output a pipe?
fn writes_to_pipe() -> bool {
    use std::os::unix::fs::FileTypeExt;
    let file = std::io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|data| data.file_type().is_fifo())
}

/// What the keys work on.
struct Pressed {
    program: Program,
    watching: Arc<Watching>,
    status: Arc<Status>,
    held: bool,
}

impl Pressed {
    fn key(&mut self, key: u8) {
        match key {
            b'r' => self.watching.reload(),
            b'b' => self.watching.go_back(),
            b'p' => {
                self.held = !self.held;
                self.watching.hold(self.held);
            }
            b'R' => self.restart(),
            b'h' => {
                let history = self.program.history();
                self.status.tell(|text| table(&history).iter().for_each(|line| text.say(line)));
            }
            b'q' => self.program.quit(0),
            b'?' => self.status.tell(|text| KEYS.iter().for_each(|(key, what)| text.say(&format!("  {key}  {what}")))),
            _ => {}
        }
    }

    fn restart(&self) {
        let line = |paint, what| self.status.tell(|text| text.line("restart", paint, what));
        // Said before the new `main` can say anything.
        line(Paint::Yellow, "main starts again, the globals keep their values");
        if !self.program.restart_main() {
            line(Paint::Dim, "main is not running");
        }
    }
}

/// The history as lines, the running version last and marked.
fn table(history: &[HistoryEntry]) -> Vec<String> {
    let last = history.last().map(|entry| entry.version);
    let row = |entry: &HistoryEntry| {
        let mark = if Some(entry.version) == last { "*" } else { "" };
        let files = entry.report.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
        let changed = if entry.version == 1 { "all".to_owned() } else { names(&entry.report) };
        [format!("v{}{mark}", entry.version), time_of_day(entry.at), entry.cause.to_string(), changed, files.join(", ")]
    };
    let head = ["version", "when", "what", "changed", "files"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(history.iter().map(row)).collect();
    let widths: [usize; 5] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("  {cell:width$}"));
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn time_of_day(at: SystemTime) -> String {
    let (hour, minute, second) = vaisjit_std::time_of_day(at);
    format!("{hour:02}:{minute:02}:{second:02}")
}
