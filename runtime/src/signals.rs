//! Ctrl-C and termination: the program is asked to stop, the terminal is left as it was found. The only user of
//! `signal-hook`.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::Duration;

use signal_hook::consts::{SIGCONT, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::events::Event;
use crate::program::{Program, ProgramInner};
use crate::terminal;

/// How long a program may take to come to a safepoint after Ctrl-C.
const GRACE: Duration = Duration::from_millis(300);

/// Exit status after SIGINT.
const INTERRUPTED: i32 = 130;
/// Exit status after SIGTERM.
const TERMINATED: i32 = 143;

/// Makes Ctrl-C and SIGTERM end this program: `run_main` returns the trap `Interrupted`. A program that does not come
/// to a safepoint in time, and a second Ctrl-C, end the process at once, with the output flushed.
pub fn interrupt_on_signals(program: &Program) {
    for (signal, status) in [(SIGINT, INTERRUPTED), (SIGTERM, TERMINATED)] {
        // Set by the handler itself: a sleep in C that the signal ends may end `main` before the listener wakes up.
        let _ = signal_hook::flag::register_usize(signal, program.inner.control.signalled.clone(), status as usize);
    }
    program.inner.control.owns_process.store(true, Ordering::SeqCst);
    if std::io::stdout().is_terminal() {
        program.inner.note_modes();
        crate::code::before_end(terminal::leave_at_end);
    }
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    let program = Arc::downgrade(&program.inner);
    let mut asked = false;
    let listener = move || {
        for signal in signals.forever() {
            let status = if signal == SIGTERM { TERMINATED } else { INTERRUPTED };
            let Some(program) = program.upgrade() else { end(None, status, "") };
            let restore = program.restore_sequence();
            if asked {
                end(Some(program), status, &restore);
            }
            asked = true;
            program.interrupt();
            end_after_grace(&program, status, restore);
        }
    };
    // Without the thread the system's own handling of the signals stays.
    let _ = std::thread::Builder::new().name("vaisjit signals".to_owned()).spawn(listener);
}

/// Calls this on the first Ctrl-C or SIGTERM instead of ending the process, with the status to end with.
pub fn on_interrupt(action: impl FnOnce(i32) + Send + 'static) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    let listener = move || {
        if let Some(signal) = signals.forever().next() {
            action(if signal == SIGTERM { TERMINATED } else { INTERRUPTED });
        }
    };
    // Without the thread nobody would answer: the system's own handling is lost only with it.
    let _ = std::thread::Builder::new().name("vaisjit signals".to_owned()).spawn(listener);
}

impl Program {
    /// Ends `main` with this exit status at its next safepoint. A process that is the program's
    /// ([`interrupt_on_signals`]) ends soon even if `main` comes to none, with the output flushed.
    pub fn quit(&self, status: u8) {
        self.inner.control.quit(status);
        self.inner.world.interrupt();
        end_soon(&self.inner, status);
    }
}

/// Puts the terminal's settings back before the process is stopped or ended by a signal that nobody else answers, and
/// takes them up again when it goes on.
pub(crate) fn around_stops_and_ends() {
    crate::code::before_end(terminal::leave_at_end);
    let Ok(mut signals) = Signals::new([SIGTSTP, SIGCONT]) else { return };
    let listener = move || {
        for signal in signals.forever() {
            if signal == SIGTSTP {
                terminal::before_stop();
                // Returns when the process goes on.
                let _ = emulate_default_handler(SIGTSTP);
            }
            terminal::after_stop();
        }
    };
    let _ = std::thread::Builder::new().name("vaisjit stops".to_owned()).spawn(listener);
}

impl Program {
    /// Tells everybody who listens that the process is about to end with this status; only once, whoever comes first.
    pub fn tell_end(&self, status: u8) {
        self.inner.tell_end(status.into());
    }
}

fn end_after_grace(program: &Arc<ProgramInner>, status: i32, restore: String) {
    let program = Arc::downgrade(program);
    std::thread::spawn(move || {
        std::thread::sleep(GRACE);
        end(program.upgrade(), status, &restore);
    });
}

/// A thread of the program's has called `exit`, and `main` has been interrupted: if the process is the program's, it
/// ends even if `main` does not come to a safepoint.
pub(crate) fn end_soon(program: &Arc<ProgramInner>, status: u8) {
    if program.control.owns_process.load(Ordering::SeqCst) {
        end_after_grace(program, status.into(), program.restore_sequence());
    }
}

fn end(program: Option<Arc<ProgramInner>>, status: i32, restore: &str) -> ! {
    if let Some(program) = program {
        // In a thread of its own: who listens may be stuck.
        let (told, is_told) = mpsc::channel();
        std::thread::spawn(move || {
            program.tell_end(status);
            let _ = told.send(());
        });
        let _ = is_told.recv_timeout(GRACE);
    }
    write_restore(restore);
    terminal::leave();
    vaisjit_std::flush_stdout();
    std::process::exit(status)
}

impl ProgramInner {
    fn tell_end(&self, status: i32) {
        let mut told = self.control.end_told.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *told, true) {
            self.tell(&Event::Exit { status });
        }
    }

    /// Leaves the terminal as the program found it: only what the program's own texts can have switched is switched
    /// back, and only if standard output is a terminal.
    pub fn restore_terminal(&self) {
        write_restore(&self.restore_sequence());
    }

    /// The escape sequences that undo those in the program's literals.
    fn restore_sequence(&self) -> String {
        terminal::undoing(self.switches()).collect()
    }

    /// Remembers what a signal that ends the process has to undo.
    pub fn note_modes(&self) {
        if self.control.owns_process.load(Ordering::SeqCst) {
            terminal::set_switched(self.switches());
        }
    }

    /// Which modes the program's literals can switch.
    fn switches(&self) -> u32 {
        let linkage = self.linkage();
        terminal::switched_by(|text| linkage.literals().any(|literal| literal.contains(text)))
    }
}

fn write_restore(sequence: &str) {
    if !sequence.is_empty() && std::io::stdout().is_terminal() {
        // A terminal that is gone needs no restoring.
        let _ = vaisjit_std::write_to_stdout(sequence);
        vaisjit_std::flush_stdout();
    }
}
