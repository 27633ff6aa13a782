//! The terminal: single keys read from standard input while a program runs, its settings put back whatever happens, and
//! its size. The only user of `rustix`.
//!
//! Only echo and line buffering are switched off; signals (Ctrl-C, Ctrl-Z) and the processing of output stay as they are.
//! A process in the background neither reads nor changes a setting: either would stop it.

mod modes;
mod typed;

use std::io::{PipeReader, PipeWriter, Stderr, Stdin, stderr, stdin};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp};
use rustix::termios::{tcgetwinsize, tcsetattr};

use crate::signals;
pub(crate) use modes::{leave_at_end, set_switched, switched_by, undoing};
use typed::Typed;

/// How often a process in the background looks whether it has come to the foreground.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// What has been done to the terminal behind standard input.
static MODE: Mutex<Mode> = Mutex::new(Mode::Found);

/// How often the keys have been taken up: whenever it grows, somebody else may have used the terminal.
static TURNS: AtomicU64 = AtomicU64::new(0);

enum Mode {
    /// It is as it was found.
    Found,
    /// It gives single keys; these settings are to be put back.
    Keys(Termios),
    /// It was put back because the process is being stopped.
    Stopped,
    /// It was put back for good.
    Left,
}

fn mode() -> MutexGuard<'static, Mode> {
    MODE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Is this process in the foreground of the terminal behind standard input?
fn is_foreground() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}

/// Switches to single keys, if that is allowed now.
fn enter(mode: &mut Mode) {
    if matches!(mode, Mode::Found)
        && is_foreground()
        && let Some(found) = switch()
    {
        *mode = Mode::Keys(found);
        TURNS.fetch_add(1, Ordering::SeqCst);
    }
}

/// Switches echo and line buffering off; gives the settings there were.
fn switch() -> Option<Termios> {
    let found = tcgetattr(stdin()).ok()?;
    let mut keys = found.clone();
    keys.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    keys.special_codes[SpecialCodeIndex::VMIN] = 1;
    keys.special_codes[SpecialCodeIndex::VTIME] = 0;
    // What has been typed ahead is kept.
    tcsetattr(stdin(), OptionalActions::Now, &keys).ok()?;
    Some(found)
}

/// Puts the settings back. In the background they are not ours to change: the shell has put them back itself.
fn put_back(mode: &mut Mode, now: Mode) {
    let was = std::mem::replace(mode, now);
    if let Mode::Keys(found) = was
        && is_foreground()
    {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &found);
    }
}

/// Leaves the terminal as it was found, for good. Called wherever the process ends, a fatal signal included: it takes
/// no lock that somebody holds, and allocates nothing.
pub(crate) fn leave() {
    match MODE.try_lock() {
        Ok(mut mode) => put_back(&mut mode, Mode::Left),
        Err(TryLockError::Poisoned(poisoned)) => put_back(&mut poisoned.into_inner(), Mode::Left),
        Err(TryLockError::WouldBlock) => {}
    }
}

/// The process is about to be stopped (Ctrl-Z).
pub(crate) fn before_stop() {
    let mut mode = mode();
    if !matches!(*mode, Mode::Left) {
        put_back(&mut mode, Mode::Stopped);
    }
}

/// The process goes on. Who stopped it may have put other settings there.
pub(crate) fn after_stop() {
    TURNS.fetch_add(1, Ordering::SeqCst);
    let mut mode = mode();
    match &*mode {
        Mode::Stopped => *mode = Mode::Found,
        Mode::Keys(_) if is_foreground() => {
            let cooked = tcgetattr(stdin()).is_ok_and(|now| now.local_modes.contains(LocalModes::ICANON));
            if cooked {
                *mode = Mode::Found;
            }
        }
        _ => {}
    }
    enter(&mut mode);
}

/// Single keys from the terminal behind standard input, until it is dropped or [`Keys::give_up`] is called; the
/// terminal's settings are put back then, and however the process ends: by itself, by a trap, a panic, a signal that can
/// be caught, or a fault in C code. While the process is stopped, and in the background, they are not changed.
pub struct Keys {
    /// Closing it wakes the thread up, which ends then.
    wake: Mutex<Option<PipeWriter>>,
}

impl Keys {
    /// Can keys be read: is standard input a terminal?
    pub fn are_possible() -> bool {
        isatty(stdin())
    }

    /// Calls `pressed` with each key, as bytes, on a thread of its own; what terminals send as a sequence (arrows, Alt with
    /// a letter, pasted text between its marks) is no key. `None` if standard input is no terminal.
    pub fn read(pressed: impl FnMut(u8) + Send + 'static) -> Option<Keys> {
        if !Keys::are_possible() {
            return None;
        }
        let (woken, wake) = std::io::pipe().ok()?;
        signals::around_stops_and_ends();
        enter(&mut mode());
        let mut reading = Reading { input: stdin(), woken, typed: Typed::default(), pressed: Box::new(pressed) };
        let thread = std::thread::Builder::new().name("vaisjit keys".to_owned());
        match thread.spawn(move || while reading.step() {}) {
            Ok(_) => Some(Keys { wake: Mutex::new(Some(wake)) }),
            Err(_) => {
                put_back(&mut mode(), Mode::Found);
                None
            }
        }
    }

    /// While the terminal is this process's alone, a number that grows whenever that was interrupted; `None` while it is
    /// not: the process is in the background, or the keys have been given up.
    pub fn turn(&self) -> Option<u64> {
        let own = matches!(*mode(), Mode::Keys(_)) && is_foreground();
        own.then(|| TURNS.load(Ordering::SeqCst))
    }

    /// Leaves the keys to the program, with the terminal as it was found. False if that has been done already.
    pub fn give_up(&self) -> bool {
        let wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner).take();
        leave();
        wake.is_some()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.give_up();
    }
}

struct Reading {
    input: Stdin,
    woken: PipeReader,
    typed: Typed,
    pressed: Box<dyn FnMut(u8) + Send>,
}

impl Reading {
    /// Waits for a key and passes it on; false at the end.
    fn step(&mut self) -> bool {
        let foreground = is_foreground();
        if foreground {
            enter(&mut mode());
        }
        let mut waits = vec![PollFd::from_borrowed_fd(self.woken.as_fd(), PollFlags::IN)];
        if foreground {
            waits.push(PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN));
        }
        match poll(&mut waits, (!foreground).then_some(&LOOK_EVERY)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return false,
        }
        if !waits[0].revents().is_empty() {
            return false;
        }
        let typed = waits.get(1).is_some_and(|input| !input.revents().is_empty());
        // Since then the process may have been sent to the background, where reading would stop it.
        !typed || !is_foreground() || self.key()
    }

    fn key(&mut self) -> bool {
        let mut keys = [0; 256];
        match rustix::io::read(&self.input, &mut keys) {
            Ok(count @ 1..) => {
                let now = Instant::now();
                keys[..count].iter().filter(|key| self.typed.is_key(**key, now)).for_each(|key| (self.pressed)(*key));
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            // The terminal is gone.
            _ => return false,
        }
        true
    }
}

/// Columns and rows of the terminal behind standard error, if it is one.
pub fn terminal_size() -> Option<(u16, u16)> {
    let error: Stderr = stderr();
    let size = tcgetwinsize(error).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}
