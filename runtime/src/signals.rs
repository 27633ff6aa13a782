//! Ctrl-C and termination: the program is asked to stop, the terminal is left as it was found. The only user of
//! `signal-hook`.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::program::Program;

/// How long a program may take to come to a safepoint after Ctrl-C.
const GRACE: Duration = Duration::from_millis(300);

/// Exit status after SIGINT.
const INTERRUPTED: i32 = 130;
/// Exit status after SIGTERM.
const TERMINATED: i32 = 143;

/// Makes Ctrl-C and SIGTERM end this program: `run_main` returns the trap `Interrupted`. A program that does not come
/// to a safepoint in time, and a second Ctrl-C, end the process at once, with the output flushed.
pub fn interrupt_on_signals(program: &Program) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    let program = Arc::downgrade(&program.inner);
    let listener = move || {
        for signal in signals.forever() {
            let status = if signal == SIGTERM { TERMINATED } else { INTERRUPTED };
            let Some(program) = program.upgrade() else { end(status) };
            program.control.terminated_by(status);
            program.world.interrupt();
            drop(program);
            std::thread::spawn(move || {
                std::thread::sleep(GRACE);
                end(status);
            });
        }
    };
    // Without the thread the system's own handling of the signals stays.
    let _ = std::thread::Builder::new().name("vaisjit signals".to_owned()).spawn(listener);
}

fn end(status: i32) -> ! {
    restore_terminal();
    vaisjit_std::flush_stdout();
    std::process::exit(status)
}

/// Shows the cursor and ends colours, if standard output is a terminal that a program may have changed.
pub fn restore_terminal() {
    if std::io::stdout().is_terminal() {
        // A terminal that is gone needs no restoring.
        let _ = vaisjit_std::write_to_stdout("\u{1b}[0m\u{1b}[?25h");
        vaisjit_std::flush_stdout();
    }
}
