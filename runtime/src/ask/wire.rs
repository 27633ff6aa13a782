//! What goes over the socket: one line of JSON each way, of bounded length, in bounded time.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the form of questions and answers.
pub(super) const PROTOCOL: u32 = 1;
/// The longest line, in bytes.
const LONGEST_LINE: usize = 16 << 20;
/// How much is read at a time.
const CHUNK: usize = 64 << 10;

/// A question.
#[derive(Serialize, Deserialize)]
pub(super) struct Question {
    /// [`PROTOCOL`].
    pub vaisjit: u32,
    /// The files that would be saved.
    pub check: Vec<Saved>,
    /// How to put the answer into words.
    pub format: AskFormat,
    /// May there be colours?
    #[serde(default)]
    pub color: bool,
}

/// A file that would be saved.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    /// Its path, absolute.
    pub file: PathBuf,
    /// Its whole text.
    pub text: String,
}

/// How an answer is put into words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskFormat {
    /// With the source text, for people.
    Human,
    /// One line each: `file:line:column: text`.
    Short,
    /// One JSON object.
    Json,
}

/// What a save would do.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub(super) answer: Value,
}

impl Verdict {
    /// Its name: `reloaded`, `unchanged`, `pending`, `rejected` or `refused`, as the event of the save would be called.
    pub fn name(&self) -> &str {
        self.answer["verdict"].as_str().unwrap_or_default()
    }

    /// Would the program go on as the text says?
    pub fn applies(&self) -> bool {
        matches!(self.name(), "reloaded" | "unchanged" | "pending")
    }

    /// All of it as one JSON object: the fields of the event, with its name as `verdict`.
    pub fn to_json(&self) -> &Value {
        &self.answer
    }
}

/// A connection that is given up when its time is over, or the other end says nothing for a while.
pub(super) struct Line {
    stream: UnixStream,
    until: Instant,
    silence: Duration,
    /// Is silence for so long no reason to end?
    goes_on: Box<dyn Fn() -> bool>,
}

impl Line {
    pub fn new(stream: UnixStream, whole: Duration, silence: Duration) -> Line {
        Line::asking(stream, whole, silence, Box::new(|| false))
    }

    /// One that asks after each silence whether to go on.
    pub fn asking(stream: UnixStream, whole: Duration, silence: Duration, goes_on: Box<dyn Fn() -> bool>) -> Line {
        Line { stream, until: Instant::now() + whole, silence, goes_on }
    }

    /// Is this failure no reason to end?
    fn goes_on_after(&self, error: &io::Error) -> bool {
        use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        match error.kind() {
            Interrupted => true,
            TimedOut | WouldBlock => Instant::now() < self.until && (self.goes_on)(),
            _ => false,
        }
    }

    /// The same connection with so much more time.
    pub fn again(&mut self, whole: Duration) -> &mut Line {
        self.until = Instant::now() + whole;
        self
    }

    /// What is left of the time for the next step.
    fn time(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now()).min(self.silence);
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }

    /// Everything up to the end of the line.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        let (mut line, mut chunk) = (Vec::new(), vec![0; CHUNK]);
        loop {
            self.stream.set_read_timeout(self.time()?)?;
            let count = match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if self.goes_on_after(&error) => continue,
                read => read?,
            };
            match chunk[..count].iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    line.extend_from_slice(&chunk[..end]);
                    return Ok(line);
                }
                None => line.extend_from_slice(&chunk[..count]),
            }
            if line.len() > LONGEST_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
            }
        }
    }

    /// Sends a value as one line.
    pub fn write(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        if line.len() > LONGEST_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the texts are too long to ask about"));
        }
        let mut rest = &line[..];
        while !rest.is_empty() {
            self.stream.set_write_timeout(self.time()?)?;
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) if self.goes_on_after(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
