//! The answering side: one thread, one connection at a time, as long as the program is watched.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::wire::{AskFormat, Line, PROTOCOL, Question};
use super::{socket, text};
use crate::code::{outlive_closed_pipes, own_user, peer_of};
use crate::events::Event;
use crate::hot::ITS_OWN_CALL;
use crate::program::{Ahead, ProgramInner, Texts, Update, way_out};

/// How long one connection may take for its question, and again for reading the answer.
const LONGEST: Duration = Duration::from_secs(2);
/// A question comes in one go: who says nothing for so long has none.
const SILENCE: Duration = Duration::from_millis(200);
/// How long an ask waits for a reload that is going on.
const BUSY: Duration = Duration::from_secs(3);
/// How often it looks whether that is over.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// After each ask saves come first; and after a failed `accept` (too many open files) nothing is gained by haste.
const PAUSE: Duration = Duration::from_millis(1);

/// Said of a program whose saves are held in its terminal.
const HELD: &str = "saves are held there, and applied when the hold ends";

/// Answers until it is dropped.
pub(crate) struct Answering {
    listener: UnixListener,
    stopped: Arc<AtomicBool>,
}

impl Answering {
    /// Starts answering for a program; quietly not where there is no socket to be had, or the process has one for
    /// another program of its own.
    pub fn start(program: &Arc<ProgramInner>) -> Option<Answering> {
        let listener = socket::listen().ok()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let server =
            Server { listener: listener.try_clone().ok()?, program: Arc::downgrade(program), stopped: stopped.clone() };
        let thread = std::thread::Builder::new().name("vaisjit asked".to_owned());
        thread.spawn(move || server.run()).ok()?;
        Some(Answering { listener, stopped })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        socket::close(&self.listener);
    }
}

struct Server {
    listener: UnixListener,
    program: Weak<ProgramInner>,
    stopped: Arc<AtomicBool>,
}

impl Server {
    fn run(self) {
        outlive_closed_pipes();
        loop {
            let accepted = self.listener.accept();
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            if let Ok((stream, _)) = accepted
                && peer_of(&stream).is_some_and(|peer| peer.user == own_user())
                && !self.serve(stream)
            {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// False when there is no program any more. Whatever goes wrong with a connection is its own affair.
    fn serve(&self, stream: UnixStream) -> bool {
        let mut line = Line::new(stream, LONGEST, SILENCE);
        let Ok(question) = line.read() else { return true };
        let Some(program) = self.program.upgrade() else { return false };
        let answer = match serde_json::from_slice::<Question>(&question) {
            Ok(question) if question.vaisjit == PROTOCOL => answer(&program, question),
            Ok(_) => error("this is another version of vaisjit, which speaks otherwise"),
            Err(wrong) => error(&format!("this is no question: {wrong}")),
        };
        drop(program);
        let _ = line.again(LONGEST).write(&answer);
        true
    }
}

fn error(text: &str) -> Value {
    json!({ "verdict": "error", "text": text })
}

/// What a save of these files would do.
fn answer(program: &Arc<ProgramInner>, question: Question) -> Value {
    match foresee(program, &question) {
        Ok(event) => {
            let mut answer = event.to_json();
            if let Some(answer) = answer.as_object_mut() {
                let name = answer.remove("event").unwrap_or_default();
                answer.insert("verdict".to_owned(), name);
                if question.format != AskFormat::Json {
                    answer.insert("text".to_owned(), text::text(&event, question.format, question.color).into());
                }
            }
            answer
        }
        Err(why) => error(&why),
    }
}

/// The event that the save would give.
fn foresee(program: &Arc<ProgramInner>, question: &Question) -> Result<Event, String> {
    let _asking = program.control.ask();
    let until = Instant::now() + BUSY;
    let Some(mut reloader) = program.reloader_unless(LOOK_EVERY, || Instant::now() >= until) else {
        return Err("a reload is going on that waits for the program; ask again when it is live".to_owned());
    };
    let own: Vec<(PathBuf, PathBuf)> =
        reloader.workspace.watched().into_iter().filter_map(|path| Some((real(&path)?, path))).collect();
    let (mut texts, mut new) = (Vec::new(), Vec::new());
    for saved in &question.check {
        let known = texts.len();
        let text: Arc<str> = saved.text.strip_prefix('\u{feff}').unwrap_or(&saved.text).into();
        texts.extend(own.iter().filter(|(real, _)| *real == saved.file).map(|(_, path)| (path.clone(), text.clone())));
        if texts.len() == known {
            new.push((beside(&own, &saved.file), text, &saved.file));
        }
    }
    let stranger = new.iter().find(|(path, ..)| path.is_none() || texts.is_empty());
    if let Some((_, _, file)) = stranger {
        return Err(format!("`{}` is no file of the program that runs there", file.display()));
    }
    // What is saved for the first time is read if an import of the others leads to it.
    texts.extend(new.into_iter().filter_map(|(path, text, _)| Some((path?, text))));
    let version = program.version();
    let ahead = program.look_ahead(&mut reloader, &Texts::Saved(&texts)).map_err(|error| error.to_string())?;
    let files = texts.into_iter().map(|(path, _)| path).collect();
    Ok(match ahead {
        Ahead::Settled(update) => settled(update, version, files)?,
        Ahead::Ready { staged, mut report, waits_for, .. } => {
            program.give_up(&staged);
            if program.control.is_manual() && staged.changes_code() {
                report.wait_for(ITS_OWN_CALL);
            }
            report.notices.extend(program.control.is_held().then(|| HELD.to_owned()));
            let report = Arc::new(*report);
            match (staged.changes_code(), waits_for.or_else(|| report.waits_for().map(str::to_owned))) {
                (false, _) => Event::Unchanged { version, report },
                (true, None) => Event::Reloaded { version: version + 1, report },
                (true, Some(waits_for)) => {
                    let help = way_out("that is over", program.main_is_running());
                    Event::Pending { version, report, waits_for, help }
                }
            }
        }
    })
}

/// What the program would call a file that is none of its own yet, in or below the folder of one that is.
fn beside(own: &[(PathBuf, PathBuf)], file: &Path) -> Option<PathBuf> {
    own.iter().find_map(|(real, path)| Some(path.parent()?.join(file.strip_prefix(real.parent()?).ok()?)))
}

fn settled(update: Update, version: u64, files: Vec<PathBuf>) -> Result<Event, String> {
    match update {
        Update::Unchanged(report) => Ok(Event::Unchanged { version, report }),
        Update::Rejected(diagnostics) => Ok(Event::Rejected { version, files, diagnostics }),
        Update::Refused(report) => Ok(Event::Refused { version, report }),
        Update::Reloaded { .. } | Update::Superseded => Err("a newer save arrived meanwhile".to_owned()),
    }
}

/// Which file a path means, links followed; the file itself need not exist.
pub(super) fn real(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Some(real);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}
