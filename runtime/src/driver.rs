//! The reload thread: waits for saves, prepares what changed, and has it committed.
//!
//! Latency is the product, so the first event is acted on at once. Only what cannot be right (a text with mistakes, a
//! file that is gone) is given a moment to settle and read again before it is reported.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::ask::Answering;
use crate::events::Event;
use crate::history::Cause;
use crate::hot::ITS_OWN_CALL;
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
    Wished(Wish),
    Stop,
}

/// What somebody asks the reload thread for.
#[derive(Clone, Copy)]
enum Wish {
    /// Apply what is on disk, even if it was turned down before or an earlier version has replaced it.
    Look,
    /// Apply nothing that is saved, or do so again.
    Hold(bool),
    /// Go back to the version before.
    Back,
}

/// What the reload thread does next.
enum Work {
    Save(Signal),
    Wish(Wish),
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

    /// Applies what is on disk now, also if it has been read before: what was turned down is told of again, and a patch
    /// or a rollback ends. What comes of it is an event.
    pub fn reload(&self) {
        self.wish(Wish::Look);
    }

    /// From now on nothing that is saved is applied, or it is again: then the newest, at once. Each change is the event
    /// [`Event::Held`].
    pub fn hold(&self, hold: bool) {
        self.wish(Wish::Hold(hold));
    }

    /// Goes back to the version before the running one; again and again, to the oldest that is kept. It holds until a
    /// file changes on disk. What comes of it is an event.
    pub fn go_back(&self) {
        self.wish(Wish::Back);
    }

    fn wish(&self, wish: Wish) {
        // The thread has ended with the program.
        let _ = self.messages.send(Message::Wished(wish));
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
    /// What was asked for and has not been done.
    wishes: VecDeque<Wish>,
    /// Files that have been given the text on disk again.
    again: Vec<PathBuf>,
    /// The texts that were told of last while saves are held, by file.
    held: Vec<(PathBuf, Arc<str>)>,
    /// A signal that came while a reload was under way and still has to be looked after.
    waiting: Option<Signal>,
    /// One that brought no newer text of a file that is known.
    later: Option<Signal>,
    /// Since when a version waits for the program to ask for it, until that has been told.
    staged_at: Option<Instant>,
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
            let first = match messages.recv_timeout(BEFORE_WATCHING) {
                Err(RecvTimeoutError::Timeout) => None,
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(message) => Some(message),
            };
            let Some(program) = weak.upgrade() else { return };
            let mut driver = Driver::new(&program, messages, &forward);
            first.into_iter().for_each(|message| driver.take(message));
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
            wishes: VecDeque::new(),
            again: Vec::new(),
            held: Vec::new(),
            waiting: None,
            later: None,
            staged_at: None,
        }
    }

    fn run(mut self) {
        while let Some(work) = self.next() {
            let Some(program) = self.program.upgrade() else { return };
            match work {
                Work::Save(signal) if program.control.is_held() => {
                    if signal.folders {
                        self.watcher.renew();
                    }
                    self.tell_held(&program, false);
                }
                Work::Save(signal) => self.saved(&program, signal),
                Work::Wish(wish) => self.grant(&program, wish),
            }
        }
    }

    /// Does what was asked for.
    fn grant(&mut self, program: &Arc<ProgramInner>, wish: Wish) {
        match wish {
            Wish::Look if program.control.is_held() => self.tell_held(program, true),
            Wish::Look => self.look_again(program),
            Wish::Hold(hold) if hold == program.control.is_held() => {}
            Wish::Hold(hold) => {
                program.control.hold(hold);
                self.held.clear();
                program.tell(&Event::Held { held: hold, files: Vec::new() });
                // Whatever was saved meanwhile is the newest.
                self.take(Message::Saved(Signal { at: Instant::now(), folders: true }));
            }
            Wish::Back => self.go_back(program),
        }
    }

    /// Applies what is on disk, whatever was told of it or has replaced it.
    fn look_again(&mut self, program: &Arc<ProgramInner>) {
        let version = program.version();
        let settled = {
            let mut reloader = program.reloader();
            self.again = reloader.workspace.take_disk_again();
            let told = reloader.told.take();
            let current = self.again.is_empty() && told.is_none() && program.is_current(&reloader);
            current && !reloader.workspace.differs_from_disk()
        };
        if settled {
            return program.tell_unchanged(version, Arc::default());
        }
        self.saved(program, Signal { at: Instant::now(), folders: true });
    }

    /// Makes the version before the running one the newest.
    fn go_back(&mut self, program: &Arc<ProgramInner>) {
        let _busy = program.control.busy.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let version = program.version();
        let before = program.history().before(version);
        let texts = program.reloader().workspace.disk_texts();
        let mut wait = |pending: &Pending| self.wait(program, pending, &texts);
        let result = match before {
            None => Err(format!("no version before v{version} is kept")),
            Some(to) => program.roll_back(to, &mut wait).map_err(|error| error.to_string()),
        };
        match result {
            Err(why) => program.tell(&Event::Notice(why)),
            Ok(Update::Superseded) => program.tell(&Event::Notice("a newer save came before the rollback".to_owned())),
            Ok(_) => {}
        }
        self.follow(program);
    }

    /// Tells of what has been saved and is not applied; once for each text, unless somebody `asks`.
    fn tell_held(&mut self, program: &Arc<ProgramInner>, asks: bool) {
        let changed = program.reloader().workspace.disk_texts().changed();
        if asks || changed != self.held {
            self.held = changed;
            let files = self.held.iter().map(|(path, _)| path.clone()).collect();
            program.tell(&Event::Held { held: true, files });
        }
    }

    /// Waits for something to do; `None` when the watching ends.
    fn next(&mut self) -> Option<Work> {
        loop {
            if self.stopping {
                return None;
            }
            if let Some(wish) = self.wishes.pop_front() {
                return Some(Work::Wish(wish));
            }
            if let Some(signal) = self.waiting.take().or_else(|| self.later.take()) {
                return Some(Work::Save(signal));
            }
            let untold = self.staged_at.map(|at| PENDING_AFTER.saturating_sub(at.elapsed()));
            let message = match [self.watcher.poll_interval(), untold].into_iter().flatten().min() {
                None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(interval) => self.messages.recv_timeout(interval),
            };
            match message {
                Err(RecvTimeoutError::Timeout) if untold.is_some_and(|left| left.is_zero()) => self.tell_staged(),
                Ok(Message::Saved(signal)) => return Some(Work::Save(signal)),
                Ok(Message::Wished(wish)) => return Some(Work::Wish(wish)),
                Err(RecvTimeoutError::Timeout) if self.watcher.poll_interval().is_some() && self.watcher.look() => {
                    return Some(Work::Save(Signal { at: Instant::now(), folders: false }));
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
            Message::Wished(wish) => self.wishes.push_back(wish),
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
            program.control.told.set(version, signal.at);
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
        let (mut files, failed) = reloader.workspace.refresh();
        files.append(&mut self.again);
        let known = program.is_current(&reloader) || reloader.has_told() || program.waits_for_program(&reloader);
        let nothing_new = files.is_empty() && known;
        if failed.is_empty() && self.unreadable.take().is_some() && files.is_empty() {
            let text = format!("all files can be read again, and are what they were; v{} runs on", program.version());
            program.tell(&Event::Notice(text));
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
            program.stage(&mut reloader, files.clone(), Cause::Saved, clock, &cancelled)
        };
        if self.stopping {
            // The program may be waiting for this thread in order to end.
            staged.into_iter().for_each(|staged| program.give_up(&staged));
            return Seen::Settled;
        }
        let update = match staged {
            Ok(staged) if program.control.is_manual() => {
                program.control.stage(staged);
                self.staged_at = Some(Instant::now());
                drop(reloader);
                if program.control.is_paused() {
                    // It cannot ask.
                    program.apply_waiting();
                }
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

    /// A save must not seem to be lost while the program does not ask for it.
    fn tell_staged(&mut self) {
        self.staged_at = None;
        let Some(program) = self.program.upgrade() else { return };
        if let Some(mut report) = program.control.staged_report() {
            report.wait_for(ITS_OWN_CALL);
            let (report, waits_for) = (Arc::new(report), ITS_OWN_CALL.to_owned());
            program.tell(&Event::Pending { version: program.version(), report, waits_for });
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
        program.note_modes();
        let files = program.reloader().workspace.watched();
        if self.watcher.set_files(files) {
            self.take(Message::Saved(Signal { at: Instant::now(), folders: false }));
        }
        if let Some(notice) = self.watcher.take_notice() {
            program.tell(&Event::Notice(notice));
        }
    }
}
