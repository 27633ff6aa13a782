//! The reload thread: waits for saves, prepares what changed, and has it committed.
//!
//! Latency is the product, so the first event is acted on at once. Only what cannot be right (a text with mistakes, a
//! file that is gone) is given a moment to settle and read again before it is reported.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::ask::Answering;
use crate::events::Event;
use crate::program::{A_HOST_CALL, Pending, ProgramInner, Update, Waited};
use crate::report::Clock;
use crate::watch::{FileWatcher, POLLED, Signal};
use crate::workspace::{DiskTexts, LoadError};

/// How long a program runs before its files are watched; what is saved until then is found when the watching begins.
const BEFORE_WATCHING: Duration = Duration::from_millis(15);
/// How long a commit may wait for a safepoint before it is reported as pending.
const PENDING_AFTER: Duration = Duration::from_millis(250);
/// How often a waiting commit looks for newer saves.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a compilation goes on undisturbed by newer saves: most are done by then.
const UNDISTURBED: Duration = Duration::from_millis(10);
/// How many saves in a row may cancel the compilation of the one before.
const MOST_CANCELS: u32 = 2;

/// A program being watched; dropping it ends the watching.
pub struct Watching {
    program: Weak<ProgramInner>,
    number: u64,
    messages: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Saved(Signal),
    Stop,
}

impl Watching {
    /// The events from now on, one after the other; ends when the watching does.
    pub fn events(&self) -> impl Iterator<Item = Event> + use<> {
        let (sender, receiver) = channel();
        if let Some(program) = self.program.upgrade() {
            program.control.subscribe(self.number, sender);
        }
        receiver.into_iter()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic of the reload thread has been printed; the program runs on.
            let _ = thread.join();
        }
        if let Some(program) = self.program.upgrade() {
            program.control.unsubscribe(self.number);
            program.control.count_driver(false);
        }
    }
}

/// The reload thread's state.
pub(crate) struct Driver {
    program: Weak<ProgramInner>,
    messages: Receiver<Message>,
    watcher: FileWatcher,
    debounce: Duration,
    /// How many saves in a row have cancelled a compilation.
    cancels: u32,
    /// Has an empty file had its time to be written?
    accepts_empty: bool,
    /// What was told of a file that cannot be read, until all can.
    unreadable: Option<String>,
    stopping: bool,
    /// A signal that came while a reload was under way and still has to be looked after.
    waiting: Option<Signal>,
    /// One that brought no newer text of a file that is known.
    later: Option<Signal>,
}

/// What the thread found out about a save.
enum Seen {
    /// It may not be finished: read it again before telling anybody.
    Unsettled(Update, Vec<PathBuf>),
    /// A file is missing or is no text; perhaps it is being replaced.
    Unreadable(LoadError),
    /// A file is empty; perhaps it is being written.
    Empty,
    /// Done and told.
    Settled,
    /// A newer save arrived meanwhile.
    Superseded,
}

impl Driver {
    /// Starts watching a program.
    pub fn start(program: &Arc<ProgramInner>) -> Watching {
        let (sender, messages) = channel();
        let poll = program.engine.options.poll;
        program.control.count_driver(true);
        let notices = poll.then(|| POLLED.to_owned()).into_iter().collect();
        program.tell(&Event::Ready { files: program.files(), watching: true, notices });
        let (weak, forward) = (Arc::downgrade(program), sender.clone());
        let watch = move || {
            // A program that ends at once is not watched: the system takes longer to close a watch than it runs.
            match messages.recv_timeout(BEFORE_WATCHING) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let Some(program) = weak.upgrade() else { return };
            let mut driver = Driver::new(&program, messages, &forward);
            let _answering = program.engine.options.answers.then(|| Answering::start(&program));
            driver.follow(&program);
            drop(program);
            // Whatever was saved between loading and watching is found by looking once.
            let _ = forward.send(Message::Saved(Signal { at: Instant::now(), folders: false }));
            driver.run();
        };
        let thread = std::thread::Builder::new().name("vaisjit reload".to_owned()).spawn(watch);
        let number = program.control.new_watching();
        Watching { program: Arc::downgrade(program), number, messages: sender, thread: thread.ok() }
    }

    fn new(program: &Arc<ProgramInner>, messages: Receiver<Message>, sender: &Sender<Message>) -> Driver {
        let forward = sender.clone();
        // The receiver is gone when the watching ends: nobody is interested any more.
        let signal = move |signal| _ = forward.send(Message::Saved(signal));
        let poll = program.engine.options.poll;
        let mut watcher = FileWatcher::new(signal, poll);
        if poll {
            // Told of at the start.
            watcher.take_notice();
        }
        Driver {
            program: Arc::downgrade(program),
            messages,
            watcher,
            debounce: program.engine.options.debounce,
            cancels: 0,
            accepts_empty: false,
            unreadable: None,
            stopping: false,
            waiting: None,
            later: None,
        }
    }

    fn run(mut self) {
        while let Some(signal) = self.next() {
            let Some(program) = self.program.upgrade() else { return };
            self.saved(&program, signal);
        }
    }

    /// Waits for a save; `None` when the watching ends.
    fn next(&mut self) -> Option<Signal> {
        loop {
            if self.stopping {
                return None;
            }
            if let Some(signal) = self.waiting.take().or_else(|| self.later.take()) {
                return Some(signal);
            }
            let message = match self.watcher.poll_interval() {
                None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(interval) => self.messages.recv_timeout(interval),
            };
            match message {
                Ok(Message::Saved(signal)) => return Some(signal),
                Err(RecvTimeoutError::Timeout) if self.watcher.look() => {
                    return Some(Signal { at: Instant::now(), folders: false });
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Takes in what has arrived; true if something has to be looked after.
    fn hear(&mut self) -> bool {
        while let Ok(message) = self.messages.try_recv() {
            self.take(message);
        }
        self.stopping || self.waiting.is_some()
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Saved(signal) => {
                let folders = signal.folders | self.waiting.as_ref().is_some_and(|waiting| waiting.folders);
                self.waiting = Some(Signal { folders, ..signal });
            }
            Message::Stop => self.stopping = true,
        }
    }

    fn saved(&mut self, program: &Arc<ProgramInner>, first: Signal) {
        let _busy = program.control.busy.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let settled_at = first.at + self.debounce;
        let mut signal = first;
        loop {
            self.hear();
            signal.folders |= self.waiting.take().is_some_and(|newer| newer.folders);
            if self.stopping {
                return;
            }
            if signal.folders {
                self.watcher.renew();
            }
            self.later = None;
            match self.look_safely(program, signal) {
                Seen::Settled => break,
                Seen::Superseded => self.cancels += 1,
                Seen::Empty => self.accepts_empty = !self.settling(settled_at),
                Seen::Unreadable(error) => {
                    if !self.settling(settled_at) {
                        self.tell_unreadable(program, &error);
                        break;
                    }
                }
                Seen::Unsettled(update, files) => {
                    if !self.settling(settled_at) {
                        let changed = self.has_changed(program);
                        if !changed {
                            self.tell(program, &update, &files);
                            break;
                        }
                    }
                }
            }
            if self.stopping {
                return;
            }
            signal = Signal { at: signal.at, folders: false };
        }
        self.cancels = 0;
        self.accepts_empty = false;
        self.follow(program);
    }

    /// Waits for the next signal, at most until then; false when the time is over.
    fn settling(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let message = self.messages.recv_timeout(left);
        let heard = message.is_ok();
        message.into_iter().for_each(|message| self.take(message));
        heard
    }

    /// Have the texts on disk changed since they were read last?
    fn has_changed(&self, program: &Arc<ProgramInner>) -> bool {
        program.reloader().workspace.differs_from_disk()
    }

    /// A bug of ours in this save must not be the end of all reloading.
    fn look_safely(&mut self, program: &Arc<ProgramInner>, signal: Signal) -> Seen {
        let look = std::panic::AssertUnwindSafe(|| self.look(program, signal));
        std::panic::catch_unwind(look).unwrap_or_else(|_| {
            let version = program.version();
            program
                .tell(&Event::Notice(format!("this save cannot be compiled, a bug of vaisjit's; v{version} runs on")));
            program.control.told.set(version);
            Seen::Settled
        })
    }

    /// Reads, prepares and commits.
    fn look(&mut self, program: &Arc<ProgramInner>, signal: Signal) -> Seen {
        let clock = Clock::since(signal.at);
        let mut reloader = program.reloader();
        if !self.accepts_empty && reloader.workspace.is_being_written() {
            return Seen::Empty;
        }
        let (files, failed) = reloader.workspace.refresh();
        let known = program.is_current(&reloader) || reloader.has_told() || program.waits_for_program(&reloader);
        let nothing_new = files.is_empty() && known;
        if failed.is_empty() {
            self.unreadable = None;
        }
        match failed.into_iter().next() {
            Some(error) if files.is_empty() => return Seen::Unreadable(error),
            None if nothing_new => return Seen::Settled,
            _ => {}
        }
        let started = Instant::now();
        let allowed = self.cancels < MOST_CANCELS;
        let staged = {
            let texts = reloader.workspace.disk_texts();
            let driver = std::cell::RefCell::new(&mut *self);
            let cancelled = || {
                let mut driver = driver.borrow_mut();
                started.elapsed() > UNDISTURBED
                    && driver.hear()
                    && (driver.stopping || allowed && driver.waits_for_newer(&texts))
            };
            program.stage(&mut reloader, files.clone(), clock, &cancelled)
        };
        if self.stopping {
            // The program may be waiting for this thread in order to end.
            staged.into_iter().for_each(|staged| program.give_up(&staged));
            return Seen::Settled;
        }
        let update = match staged {
            Ok(staged) if program.control.is_manual() => {
                program.control.stage(staged);
                return Seen::Settled;
            }
            Ok(staged) => {
                let texts = reloader.workspace.disk_texts();
                let mut wait = |pending: &Pending| self.wait(program, pending, &texts);
                program.land(&mut reloader, staged, &mut wait)
            }
            Err(update) => update,
        };
        drop(reloader);
        match update {
            Update::Superseded => Seen::Superseded,
            Update::Rejected(_) | Update::Refused(_) => Seen::Unsettled(update, files),
            update => {
                self.tell(program, &update, &files);
                Seen::Settled
            }
        }
    }

    fn tell_unreadable(&mut self, program: &Arc<ProgramInner>, error: &LoadError) {
        let text = error.to_string();
        if self.unreadable.as_ref() != Some(&text) {
            program.tell(&Event::Notice(format!("{text}; v{} runs on", program.version())));
            self.unreadable = Some(text);
        }
    }

    /// Waits for a commit; a newer save takes it back.
    fn wait(&mut self, program: &Arc<ProgramInner>, pending: &Pending, texts: &DiskTexts) -> Waited {
        let started = Instant::now();
        let (mut told, mut blocked) = (false, None);
        loop {
            if let Some(waited) = pending.wait(LOOK_EVERY) {
                return waited;
            }
            // Asked all the time: once inner loops are admitted it may be over before anybody can tell.
            blocked = pending.blocked_on(program).or(blocked);
            if !told && started.elapsed() >= PENDING_AFTER {
                told = true;
                let waits_for = blocked.clone().unwrap_or_else(|| A_HOST_CALL.to_owned());
                let report = Arc::new(pending.report(&waits_for));
                program.tell(&Event::Pending { version: program.version(), report, waits_for });
            }
            if self.hear() && (self.stopping || self.waits_for_newer(texts)) && pending.cancel() {
                return Waited::Cancelled;
            }
        }
    }

    /// Tells of an update; the snapshot of one that was turned down is remembered, so that it is told of once.
    fn tell(&mut self, program: &Arc<ProgramInner>, update: &Update, files: &[PathBuf]) {
        {
            let mut reloader = program.reloader();
            if update.is_turned_down() && reloader.has_told() {
                // While it settled the program itself asked, and it was told of.
                return;
            }
            reloader.tells(update);
        }
        program.announce(update, files);
    }

    /// Is there a newer save, and not only a signal of the one that is being looked after?
    fn waits_for_newer(&mut self, texts: &DiskTexts) -> bool {
        let Some(signal) = &self.waiting else { return false };
        if signal.folders || texts.have_changed() {
            return true;
        }
        // Perhaps a file that an import looks for: that is seen by the next look.
        self.later = self.waiting.take();
        false
    }

    /// Watches the files the program now consists of. A save of one that is new among them may have come before it was
    /// watched: it is found by looking once more.
    fn follow(&mut self, program: &Arc<ProgramInner>) {
        let files = program.reloader().workspace.watched();
        if self.watcher.set_files(files) {
            self.take(Message::Saved(Signal { at: Instant::now(), folders: false }));
        }
        if let Some(notice) = self.watcher.take_notice() {
            program.tell(&Event::Notice(notice));
        }
    }
}
