//! Output of a process, collected while it runs.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::null_mut;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::DEADLINE;

/// Everything a pipe has delivered so far, and a place up to which a test has read.
pub struct Stream {
    shared: Arc<Shared>,
    /// Bytes before this one have been looked at by `line`.
    read: usize,
    name: &'static str,
}

/// A terminal of 80 columns and 24 lines: what is shown on it, and its other end for a process to write to.
pub fn terminal() -> (Stream, OwnedFd) {
    let (mut screen, mut process) = (-1, -1);
    let size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the two numbers are written, the size is read, and null is allowed for the rest.
    let status = unsafe { libc::openpty(&mut screen, &mut process, null_mut(), null_mut(), &size) };
    assert_eq!(status, 0, "a terminal can be opened");
    // SAFETY: both descriptors were opened above and belong to nobody else.
    let (screen, process) = unsafe { (OwnedFd::from_raw_fd(screen), OwnedFd::from_raw_fd(process)) };
    (Stream::new("the terminal", Some(File::from(screen))), process)
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    closed: bool,
}

impl Stream {
    /// Reads a pipe on a thread of its own until it is closed; without one there is nothing to read.
    pub fn new(name: &'static str, pipe: Option<impl Read + Send + 'static>) -> Stream {
        let shared = Arc::<Shared>::default();
        let target = shared.clone();
        std::thread::spawn(move || {
            let mut pipe = pipe;
            let mut buffer = [0; 16384];
            loop {
                let count = pipe.as_mut().map_or(0, |pipe| pipe.read(&mut buffer).unwrap_or(0));
                let mut state = target.state.lock().expect("no panic while reading");
                state.bytes.extend_from_slice(&buffer[..count]);
                state.closed = count == 0;
                target.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Stream { shared, read: 0, name }
    }

    /// All text so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shared.state.lock().expect("the reader lives").bytes).into_owned()
    }

    /// Forgets what has come so far, so that only newer lines are found.
    pub fn skip(&mut self) {
        self.read = self.shared.state.lock().expect("the reader lives").bytes.len();
    }

    /// Waits until the pipe is closed and returns everything.
    pub fn all(&self) -> String {
        self.wait("its end", |state| state.closed.then(|| String::from_utf8_lossy(&state.bytes).into_owned()))
    }

    /// Waits for the next line that `wanted` accepts and returns it; later calls look after it.
    pub fn line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let start = self.read;
        let (line, end) = self.wait(what, |state| {
            let mut at = start;
            while let Some(length) = state.bytes[at..].iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&state.bytes[at..at + length]).into_owned();
                at += length + 1;
                if wanted(&line) {
                    return Some((line, at));
                }
            }
            None
        });
        self.read = end;
        line
    }

    /// The same, or nothing when the pipe is closed first.
    pub fn line_or_end(&mut self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let found = self.wait("its end", |state| {
            let text = String::from_utf8_lossy(&state.bytes);
            let line = text.split_inclusive('\n').find(|line| line.ends_with('\n') && wanted(line)).map(str::to_owned);
            line.map(Some).or_else(|| state.closed.then_some(None))
        })?;
        self.skip();
        Some(found)
    }

    fn wait<T>(&self, what: &str, ready: impl Fn(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.shared.state.lock().expect("the reader lives");
        loop {
            if let Some(found) = ready(&state) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || (state.closed && what != "its end") {
                let why = if state.closed { "it was closed" } else { "time is up" };
                let text = String::from_utf8_lossy(&state.bytes);
                let tail = text.char_indices().rev().nth(4000).map_or(0, |(at, _)| at);
                panic!("waited for {what} on {}, but {why}; it has:\n{}", self.name, &text[tail..]);
            }
            state = self.shared.changed.wait_timeout(state, left).expect("the reader lives").0;
        }
    }
}
