//! Modes of a terminal that a program may switch by escape sequences and that must not outlive it.

use std::io::stdout;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::termios::isatty;

/// What switches a mode, and what switches it back: the alternate screen, the mouse, bracketed paste, the cursor, colours.
const MODES: [(&str, &str); 11] = [
    ("\u{1b}[?1049h", "\u{1b}[?1049l"),
    ("\u{1b}[?1047h", "\u{1b}[?1047l"),
    ("\u{1b}[?47h", "\u{1b}[?47l"),
    ("\u{1b}[?1000h", "\u{1b}[?1000l"),
    ("\u{1b}[?1002h", "\u{1b}[?1002l"),
    ("\u{1b}[?1003h", "\u{1b}[?1003l"),
    ("\u{1b}[?1006h", "\u{1b}[?1006l"),
    ("\u{1b}[?1015h", "\u{1b}[?1015l"),
    ("\u{1b}[?2004h", "\u{1b}[?2004l"),
    ("\u{1b}[?25l", "\u{1b}[?25h"),
    ("\u{1b}[", "\u{1b}[0m"),
];

/// The modes that the program of this process can switch, one bit each.
static SWITCHED: AtomicU32 = AtomicU32::new(0);

/// The modes whose sequence the program has, one bit each.
pub(crate) fn switched_by(has: impl Fn(&str) -> bool) -> u32 {
    let bits = MODES.iter().enumerate().filter(|(_, (on, _))| has(on)).map(|(bit, _)| 1 << bit);
    bits.fold(0, |all, bit: u32| all | bit)
}

/// The sequences that switch them back.
pub(crate) fn undoing(switched: u32) -> impl Iterator<Item = &'static str> {
    MODES.iter().enumerate().filter(move |(bit, _)| switched & 1 << bit != 0).map(|(_, (_, undo))| *undo)
}

/// From now on these are switched back when a signal ends the process.
pub(crate) fn set_switched(switched: u32) {
    SWITCHED.store(switched, Ordering::SeqCst);
}

/// Leaves the terminal as it was found, in a handler of a signal that ends the process: it takes no lock that somebody
/// holds, and allocates nothing.
pub(crate) fn leave_at_end() {
    let switched = SWITCHED.swap(0, Ordering::SeqCst);
    if switched != 0 && isatty(stdout()) {
        for sequence in undoing(switched) {
            // A terminal that is gone needs no restoring.
            let _ = rustix::io::write(stdout(), sequence.as_bytes());
        }
    }
    super::leave();
}
