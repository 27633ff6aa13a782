//! The asking side.

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::socket;
use super::wire::{AskFormat, Line, PROTOCOL, Question, Saved, Verdict};
use crate::code::{own_user, peer_of};

/// How long an answer may take: large programs compile for a while.
const LONGEST: Duration = Duration::from_secs(60);
/// After so long without a word it is looked whether the process is stopped. Chosen by feel.
const SILENCE: Duration = Duration::from_secs(3);
/// A program that has just started listens a moment later.
const FIRST_MOMENT: Duration = Duration::from_secs(2);
/// How often to ask a program that hangs up. It does so when nothing is asked for a moment, and this process may have been
/// kept from the processor for so long.
const TRIES: u32 = 5;
/// How often to knock until then.
const KNOCK_EVERY: Duration = Duration::from_millis(10);

/// Why there is no verdict. `Display` says it in a sentence.
#[derive(Debug)]
pub struct AskError(String);

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AskError {}

impl From<String> for AskError {
    fn from(text: String) -> AskError {
        AskError(text)
    }
}

/// Asks the `vaisjit run` with this process id what saving these files with these texts would do to its program. Nothing
/// is saved, and the program does not notice. The second result is the answer in words, in the format asked for; empty
/// for JSON.
pub fn check_against(
    process: u32,
    files: &[(PathBuf, String)],
    format: AskFormat,
    color: bool,
) -> Result<(Verdict, String), AskError> {
    let check = files.iter().map(|(file, text)| Saved { file: absolute(file), text: text.clone() }).collect();
    let question = Question { vaisjit: PROTOCOL, check, format, color };
    let lost = |error: io::Error| AskError(no_answer(process, &error));
    let mut tries = 1;
    let answer = loop {
        match exchange(connect(process)?, &question, process) {
            Err(error) if has_hung_up(&error) && tries < TRIES => tries += 1,
            answer => break answer.map_err(lost)?,
        }
    };
    let mut answer: Value = serde_json::from_slice(&answer).map_err(|error| lost(error.into()))?;
    let text = answer.as_object_mut().and_then(|answer| answer.remove("text"));
    let text = text.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    match answer["verdict"].as_str() {
        Some("error") => Err(AskError(text)),
        Some(_) => Ok((Verdict { answer }, text)),
        None => Err(AskError(format!("process {process} gave an answer of another kind"))),
    }
}

/// Asks, and reads the answer.
fn exchange(stream: UnixStream, question: &Question, process: u32) -> io::Result<Vec<u8>> {
    let mut line = Line::asking(stream, LONGEST, SILENCE, Box::new(move || !is_stopped(process)));
    line.write(question)?;
    line.read()
}

/// Why there is no answer, for people.
fn no_answer(process: u32, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock if is_stopped(process) => stopped(process),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            format!("process {process} does not answer, for {} s now (is it stopped?)", LONGEST.as_secs())
        }
        _ => format!("process {process} gave no answer: {error}"),
    }
}

fn stopped(process: u32) -> String {
    format!("process {process} does not answer: it is stopped (Ctrl-Z, SIGSTOP); let it go on and ask again")
}

/// Does the system say that the process is stopped, by a signal or a debugger?
fn is_stopped(process: u32) -> bool {
    let line = std::fs::read_to_string(folder(process).join("stat")).unwrap_or_default();
    // Its name, in brackets, may contain anything.
    let state = line.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    matches!(state, Some("T" | "t"))
}

fn has_hung_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// The path of a file that may not exist yet, so that the other process knows which one is meant.
fn absolute(file: &Path) -> PathBuf {
    super::server::real(file).or_else(|| std::path::absolute(file).ok()).unwrap_or_else(|| file.to_path_buf())
}

fn connect(process: u32) -> Result<UnixStream, AskError> {
    check_owner(process)?;
    let started = Instant::now();
    let stream = loop {
        match socket::connect(process) {
            Ok(stream) => break stream,
            Err(error) if !is_absent(&error) => {
                return Err(format!("process {process} cannot be asked: {error}").into());
            }
            Err(_) if started.elapsed() < FIRST_MOMENT && exists(process) => std::thread::sleep(KNOCK_EVERY),
            Err(_) => return Err(nobody(process)),
        }
    };
    // The name could be somebody else's.
    let is_it = peer_of(&stream)
        .is_some_and(|peer| peer.user == own_user() && peer.process.is_none_or(|answers| answers == process));
    if is_it { Ok(stream) } else { Err(format!("what answers for process {process} is another process").into()) }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

fn nobody(process: u32) -> AskError {
    if is_stopped(process) {
        AskError(stopped(process))
    } else if exists(process) {
        AskError(format!("process {process} is no `vaisjit run` that watches its files"))
    } else {
        AskError(format!("there is no process {process}"))
    }
}

/// Where the system shows processes as folders.
fn folder(process: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{process}"))
}

/// Is there such a process, as far as the system tells?
fn exists(process: u32) -> bool {
    !folder(std::process::id()).exists() || folder(process).exists()
}

/// A process of another user's is not asked.
fn check_owner(process: u32) -> Result<(), AskError> {
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata(folder(process)) {
        Ok(found) if found.uid() != own_user() => Err(format!("process {process} belongs to another user").into()),
        _ => Ok(()),
    }
}
