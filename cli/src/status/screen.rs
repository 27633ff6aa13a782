//! Standard error as a terminal: what was shown last may be taken off it again, if surely nothing else has been shown
//! since.
//!
//! That is told by the number of bytes this process has written in all, which Linux counts. Elsewhere, and whenever
//! there is a doubt, everything stays. Output of other processes on the same terminal is not seen.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Reloads that follow each other within this time share a line.
const FAST: Duration = Duration::from_secs(1);

/// What was shown last.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// A reload: the first word of its line, what was edited, and how many saves the line tells of.
    Reloaded { head: &'static str, names: String, saves: usize },
    /// Mistakes or refusals.
    Failure,
    /// Anything else.
    Other,
}

struct Last {
    shown: Shown,
    rows: usize,
    size: (u16, u16),
    /// Since when the terminal has been ours alone.
    turn: u64,
    /// Bytes written by this process up to then.
    written: u64,
    at: Instant,
}

#[derive(Default)]
pub struct Screen {
    last: Option<Last>,
}

impl Screen {
    /// Forgets what could be taken off, unless it surely is the last thing on the terminal. To be asked before anything
    /// is written. `turn` says whose the terminal is: see [`vaisjit::Keys::turn`].
    pub fn look(&mut self, turn: Option<u64>) {
        let size = vaisjit::terminal_size();
        let written = self.last.as_ref().and_then(|_| written());
        let stays = |last: &Last| (written, size, turn) == (Some(last.written), Some(last.size), Some(last.turn));
        self.last.take_if(|last| !stays(last));
    }

    /// So many bytes have been written elsewhere since the last look, nothing to the terminal.
    pub fn wrote_elsewhere(&mut self, bytes: usize) {
        self.last.iter_mut().for_each(|last| last.written += bytes as u64);
    }

    /// What can be taken off.
    pub fn last(&self) -> Option<&Shown> {
        self.last.as_ref().map(|last| &last.shown)
    }

    /// The reload that was just shown and can be taken off.
    pub fn just_reloaded(&self) -> Option<&Shown> {
        let last = self.last.as_ref().filter(|last| last.at.elapsed() < FAST)?;
        matches!(last.shown, Shown::Reloaded { .. }).then_some(&last.shown)
    }

    /// Shows a text, in place of the last one if that is to go. False if something has been written since the look: then
    /// nothing is shown, and nothing can be taken off any more.
    pub fn show(&mut self, text: &str, shown: Shown, replaces: bool, turn: Option<u64>) -> bool {
        let last = self.last.take().filter(|_| replaces);
        let before = written();
        if last.as_ref().is_some_and(|last| before != Some(last.written)) {
            return false;
        }
        let erase = last.map_or_else(String::new, |last| format!("\u{1b}[{}A\u{1b}[J", last.rows));
        let shows = format!("{erase}{text}");
        let mut stderr = std::io::stderr().lock();
        // Written at once, so that nothing comes in between. A closed one is nobody's mistake.
        let _ = stderr.write_all(shows.as_bytes());
        if turn.is_none() || !stderr.is_terminal() {
            return true;
        }
        // What the program has written meanwhile may stand before or behind it.
        let alone = written().filter(|written| before.is_some_and(|before| *written == before + shows.len() as u64));
        let size = vaisjit::terminal_size();
        let rows = size.and_then(|size| rows(text, size));
        if let (Some(size), Some(rows), Some(turn), Some(written)) = (size, rows, turn, alone) {
            self.last = Some(Last { shown, rows, size, turn, written, at: Instant::now() });
        }
        true
    }
}

/// How many rows a text takes on a terminal of this size; `None` if that is uncertain or more than can be taken off.
fn rows(text: &str, (columns, lines): (u16, u16)) -> Option<usize> {
    let mut rows = 0;
    for line in text.lines() {
        rows += width(line)?.div_ceil(columns.into()).max(1);
    }
    (rows < lines.into()).then_some(rows)
}

/// The columns that a line takes, its colours left out; `None` if a character's width is uncertain.
fn width(line: &str) -> Option<usize> {
    let mut width = 0;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => _ = characters.find(|end| end.is_ascii_alphabetic()),
            ' '..='~' | '\u{a1}'..='\u{2ff}' | '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{25ff}' => width += 1,
            _ => return None,
        }
    }
    Some(width)
}

/// How many bytes this process has written so far, to wherever.
fn written() -> Option<u64> {
    let counts = std::fs::read_to_string("/proc/self/io").ok()?;
    counts.lines().find_map(|line| line.strip_prefix("wchar:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_the_terminal_wraps() {
        assert_eq!(rows("one\ntwo\n", (80, 24)), Some(2));
        assert_eq!(rows("\u{1b}[32mreloaded\u{1b}[0m v2\n", (11, 24)), Some(1));
        assert_eq!(rows("\u{1b}[32mreloaded\u{1b}[0m v2 x\n", (11, 24)), Some(2));
        assert_eq!(rows("\n╭─[ a ]\n", (80, 24)), Some(2));
        assert_eq!(rows("日本\n", (80, 24)), None);
        assert_eq!(rows("a\tb\n", (80, 24)), None);
        assert_eq!(rows(&"line\n".repeat(24), (80, 24)), None);
    }
}
