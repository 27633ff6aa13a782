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

use vaisjit_semantics::Checked;

use crate::ask::Answering;
use crate::code::outlive_closed_pipes;
use crate::events::Event;
use crate::history::Cause;
use crate::hot::ITS_OWN_CALL;
use crate::program::{A_HOST_CALL, Pending, ProgramInner, Update, Waited, way_out};
use crate::report::Clock;
use crate::watch::{FileWatcher, POLLED, Signal};
use crate::workspace::{DiskTexts, LoadError};

/// How long a program runs before its files are watched; what is saved until then is found when the watching begins.
const BEFORE_WATCHING: Duration = Duration::from_millis(15);
/// How long a commit may wait for a safepoint before it is reported as pending.
const PENDING_AFTER: Duration = Duration::from_millis(250);
/// How long a commit waits until it is told of even while it is being tried and nobody can tell what it waits for.
const PENDING_ANYWAY: Duration = Duration::from_secs(1);
/// How often a waiting commit looks for newer saves.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a commit that waits stays aside for who asks what a save would do: longer than an answer takes.
const LONGEST_QUESTION: Duration = Duration::from_secs(5);
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
    /// Why a commit that waits has been taken back, until that has been dealt with.
    step_back: Option<StepBack>,
    /// Since when a commit waits, and what of that has been told.
    pending: Option<(Instant, Told)>,
    /// What a hook stood in the way of when the user asked for it last.
    declined: Option<Arc<Checked>>,
}

/// Why a commit that waits is taken back, though there is no newer save.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StepBack {
    /// Somebody asks what another save would do, and it is asked for again at once.
    Aside,
    /// The user does not want it any more.
    Withdrawn,
    /// Nothing is to be applied for now.
    Held,
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
            // Who listens may have gone: that is not the program's end.
            outlive_closed_pipes();
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
            step_back: None,
            pending: None,
            declined: None,
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

    /// Applies what is on disk, whatever was told of it or has replaced it. Asked for a second time after a hook has
    /// declined it, whatever that says, too.
    fn look_again(&mut self, program: &Arc<ProgramInner>) {
        let version = program.version();
        let declined = self.declined.take();
        let (settled, insists) = {
            let mut reloader = program.reloader();
            self.again.append(&mut reloader.workspace.take_disk_again());
            let told = reloader.told.take();
            let differs = reloader.workspace.differs_from_disk();
            let current = self.again.is_empty() && told.is_none() && program.is_current(&reloader);
            let last = reloader.workspace.last().map(|last| &last.checked);
            let same = last.zip(declined.as_ref()).is_some_and(|(last, declined)| Arc::ptr_eq(last, declined));
            (current && !differs, same && !differs)
        };
        if settled {
            return program.tell_unchanged(version, Arc::default());
        }
        let signal = Signal { at: Instant::now(), folders: true };
        program.asked.insisting(insists, || self.saved(program, signal));
        if program.asked.has_objected() {
            self.declined = program.reloader().workspace.last().map(|last| last.checked.clone());
        }
    }

    /// Makes the version before the running one the newest.
    fn go_back(&mut self, program: &Arc<ProgramInner>) {
        let _busy = program.control.busy.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let version = program.version();
        let before = program.history().before(version);
        let result = match before {
            None => Err(format!("v{version} is the oldest text that is kept: there is nothing to go back to")),
            Some(to) => self.go_back_to(program, to),
        };
        if let Err(why) = result {
            program.tell(&Event::Notice(why));
        }
        self.follow(program);
    }

    fn go_back_to(&mut self, program: &Arc<ProgramInner>, to: u64) -> Result<(), String> {
        let texts = program.reloader().workspace.disk_texts();
        self.pending = None;
        loop {
            let mut wait = |pending: &Pending| self.wait(program, pending, &texts);
            let update = program.roll_back(to, &mut wait).map_err(|error| error.to_string())?;
            match (update, self.step_back.take()) {
                (Update::Superseded, Some(StepBack::Aside)) => self.let_ask(program),
                (Update::Superseded, Some(_)) => return Err(format!("the rollback to v{to} is withdrawn")),
                (Update::Superseded, None) => return Err("a newer save came before the rollback".to_owned()),
                _ => return Ok(()),
            }
        }
    }

    /// Leaves the right to reload to who asks what a save would do.
    fn let_ask(&mut self, program: &ProgramInner) {
        let until = Instant::now() + LONGEST_QUESTION;
        while program.control.is_asked() && Instant::now() < until && !self.stopping {
            std::thread::sleep(LOOK_EVERY);
            self.hear();
        }
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
        self.pending = None;
        loop {
            self.hear();
            signal.folders |= self.waiting.take().is_some_and(|newer| newer.folders);
            if self.stopping || program.control.ends_process() {
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
        let read = match self.accepts_empty {
            true => Some(reloader.workspace.refresh()),
            false => reloader.workspace.refresh_written(),
        };
        let Some((mut files, failed)) = read else { return Seen::Empty };
        files.append(&mut self.again);
        let known = program.is_current(&reloader) || reloader.has_told() || program.waits_for_program(&reloader);
        let nothing_new = files.is_empty() && known;
        let readable_again = failed.is_empty() && self.unreadable.take().is_some();
        if readable_again && files.is_empty() && program.is_current(&reloader) {
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
        let step_back = self.step_back.take();
        if step_back == Some(StepBack::Withdrawn) && matches!(update, Update::Superseded) {
            // As one that was turned down: it is not tried again by itself.
            reloader.told = reloader.workspace.last().map(|last| last.checked.clone());
        }
        drop(reloader);
        if step_back == Some(StepBack::Withdrawn) && update.is_reloaded() {
            // It was live before it could be taken back.
            self.wishes.push_front(Wish::Back);
        }
        match update {
            Update::Superseded => self.stepped_back(program, step_back, files),
            Update::Rejected(_) | Update::Refused(_) => Seen::Unsettled(update, files),
            update => {
                self.tell(program, &update, &files);
                Seen::Settled
            }
        }
    }

    /// A commit that waited has been taken back.
    fn stepped_back(&mut self, program: &Arc<ProgramInner>, why: Option<StepBack>, files: Vec<PathBuf>) -> Seen {
        let version = program.version();
        match why {
            None => {
                self.pending = None;
                self.again = files;
                return Seen::Superseded;
            }
            Some(StepBack::Aside) => {
                self.again = files;
                self.let_ask(program);
                return Seen::Superseded;
            }
            Some(StepBack::Held) => {
                self.again = files;
                program.tell(&Event::Notice(format!("what was pending is held, too; v{version} runs on")));
            }
            Some(StepBack::Withdrawn) => {
                let text = format!("what was pending is withdrawn; v{version} runs on, and r takes it up again");
                program.tell(&Event::Notice(text));
            }
        }
        Seen::Settled
    }

    /// A save must not seem to be lost while the program does not ask for it.
    fn tell_staged(&mut self) {
        self.staged_at = None;
        let Some(program) = self.program.upgrade() else { return };
        if let Some(mut report) = program.control.staged_report().filter(|_| !program.control.has_been_put_off()) {
            report.wait_for(ITS_OWN_CALL);
            let (report, waits_for) = (Arc::new(report), ITS_OWN_CALL.to_owned());
            let help = way_out("the program makes it", false);
            program.tell(&Event::Pending { version: program.version(), report, waits_for, help });
        }
    }

    fn tell_unreadable(&mut self, program: &Arc<ProgramInner>, error: &LoadError) {
        let text = error.to_string();
        if self.unreadable.as_ref() != Some(&text) {
            program.tell(&Event::Notice(format!("{text}; v{} runs on", program.version())));
            self.unreadable = Some(text);
        }
    }

    /// Waits for a commit; a newer save takes it back, and so does the user.
    fn wait(&mut self, program: &Arc<ProgramInner>, pending: &Pending, texts: &DiskTexts) -> Waited {
        let (started, mut told) = self.pending.unwrap_or((Instant::now(), Told::Nothing));
        let mut blocked = None;
        loop {
            // What has ended the first of two attempts ends the second, too.
            let time = if self.step_back.is_some() { Duration::ZERO } else { LOOK_EVERY };
            if let Some(waited) = pending.wait(time) {
                return waited;
            }
            // Asked all the time: once inner loops are admitted it may be over before anybody can tell.
            blocked = pending.blocked_on(program).or(blocked);
            let knows = if pending.has_been_tried() { Told::Obstacle } else { Told::Waits };
            let waited = started.elapsed();
            let can_tell = waited >= PENDING_ANYWAY || !pending.is_being_tried(program);
            if told < knows && waited >= PENDING_AFTER && can_tell {
                told = knows;
                tell_pending(program, pending, blocked.as_deref());
            }
            self.pending = Some((started, told));
            if self.hear() && (self.stopping || self.waits_for_newer(texts)) && pending.cancel() {
                return Waited::Cancelled;
            }
            self.step_back = self.step_back.or_else(|| self.wants_it_back(program));
            if self.step_back.is_some() && pending.cancel() {
                return Waited::Cancelled;
            }
            if let Some(Wish::Look) = self.wishes.front() {
                self.wishes.pop_front();
                tell_pending(program, pending, blocked.as_deref());
            }
        }
    }

    /// What the user, or who asks, wants instead of the commit that waits.
    fn wants_it_back(&mut self, program: &ProgramInner) -> Option<StepBack> {
        match self.wishes.front() {
            Some(Wish::Back) => {
                self.wishes.pop_front();
                Some(StepBack::Withdrawn)
            }
            Some(Wish::Hold(true)) => Some(StepBack::Held),
            _ => program.control.is_asked().then_some(StepBack::Aside),
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

/// What has been told of a commit that waits.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Told {
    Nothing,
    /// That it waits for threads to come to a safepoint.
    Waits,
    /// Which frame stood in the way when they had.
    Obstacle,
}

/// Tells what a commit waits for.
fn tell_pending(program: &ProgramInner, pending: &Pending, blocked: Option<&str>) {
    let waits_for = blocked.unwrap_or(A_HOST_CALL).to_owned();
    let report = Arc::new(pending.report(&waits_for));
    let help = pending.help(program, blocked);
    program.tell(&Event::Pending { version: program.version(), report, waits_for, help });
}
