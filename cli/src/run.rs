//! `vaisjit run FILE`.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use vaisjit::render::Format;
use vaisjit::{Engine, Error, OptLevel, Program};

use crate::args::{OnTrap, Opt, RunOptions, Warn};
use crate::keys::{self, Session};
use crate::status::{Status, Volume, say};
use crate::{FAILURE, USAGE};

/// Exit status of a program that trapped.
const TRAPPED: u8 = 134;

/// Set to 1: what still lives on the program's heap after `main` is told, and makes the exit status 1 if it was 0.
const LEAK_CHECK: &str = "VAISJIT_LEAK_CHECK";

/// Runs a program, watching its files unless `--static` is given.
pub fn run(options: RunOptions) -> ExitCode {
    let volume = match (options.quiet, options.verbose) {
        (true, _) => Volume::Quiet,
        (_, true) => Volume::Verbose,
        _ => Volume::Normal,
    };
    let color = options.color.on_stderr();
    if options.static_mode && options.on_trap == Some(OnTrap::Pause) {
        say(
            "error: a program in static mode cannot be reloaded, so it cannot wait for a save; leave out --on-trap pause",
        );
        return ExitCode::from(USAGE);
    }
    let status = match Status::new(volume, color, options.events.as_deref()) {
        Ok(status) => Arc::new(status),
        Err(error) => {
            let path = options.events.as_deref().unwrap_or(std::path::Path::new("-"));
            say(&format!("error: cannot write events to `{}`: {error}", path.display()));
            return ExitCode::from(USAGE);
        }
    };
    let program = match load(&options, &status) {
        Ok(program) => program,
        Err(Error::Rejected(diagnostics)) => {
            say(diagnostics.render(Format::Human, color).trim_end());
            return ExitCode::from(FAILURE);
        }
        Err(error) => {
            say(&format!("error: {error}"));
            return ExitCode::from(FAILURE);
        }
    };
    let warnings = program.diagnostics();
    if !warnings.is_empty() {
        say(warnings.render(Format::Human, color).trim_end());
    }
    main_of(&program, &options, &status)
}

fn load(options: &RunOptions, status: &Arc<Status>) -> Result<Program, Error> {
    let status = status.clone();
    Engine::builder()
        .needs_main(true)
        .static_mode(options.static_mode)
        .single_threaded(true)
        .pause_on_trap(pauses(options))
        .all_hot(options.all_hot)
        .opt_level(options.opt.level())
        .debounce(Duration::from_millis(options.saves.debounce))
        .poll(options.saves.poll)
        .answers(true)
        .warn_all(options.warn == Some(Warn::All))
        .arguments(options.args.iter().map(|arg| arg.to_string_lossy().into_owned()))
        .on_event(move |event| status.event(event))
        .build()?
        .load_file(&options.file)
}

/// Does the program wait for a save after a trap? In static mode there are none.
fn pauses(options: &RunOptions) -> bool {
    let watched = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let wanted = options.on_trap.map_or(watched, |what| what == OnTrap::Pause);
    wanted && !options.static_mode
}

impl Opt {
    /// As the library calls it.
    pub fn level(self) -> OptLevel {
        match self {
            Opt::None => OptLevel::None,
            Opt::Speed => OptLevel::Speed,
        }
    }
}

fn main_of(program: &Program, options: &RunOptions, status: &Arc<Status>) -> ExitCode {
    vaisjit::interrupt_on_signals(program);
    let _leaves = LeavesTerminal(status);
    status.has_keys(!options.static_mode && keys::are_possible(program));
    let watching = if options.static_mode { None } else { Some(program.watch().map(Arc::new)) };
    match &watching {
        Some(Err(error)) => {
            say(&format!("error: {error}"));
            return ExitCode::from(FAILURE);
        }
        Some(Ok(watching)) => Session::start(program, watching, status),
        None => {}
    }
    let result = program.run_main();
    program.settle();
    let mut code = result.unwrap_or(TRAPPED);
    if std::env::var_os(LEAK_CHECK).is_some_and(|wanted| wanted == "1") && leaks(program) && code == 0 {
        code = FAILURE;
    }
    program.tell_end(code);
    vaisjit::flush_stdout();
    status.end_keys();
    // The process takes the watcher, the threads and the program's memory with it, quicker than they would end by
    // themselves.
    std::process::exit(code.into())
}

/// Leaves the terminal as it was found when dropped: in a panic, too.
struct LeavesTerminal<'s>(&'s Status);

impl Drop for LeavesTerminal<'_> {
    fn drop(&mut self) {
        self.0.end_keys();
    }
}

/// Tells of leaked values, if there are any. A program that ended by a trap or `exit` is not looked at.
fn leaks(program: &Program) -> bool {
    match program.heap_check() {
        Ok(report) if !report.is_empty() => {
            say(&format!("leaked {} blocks: {report}", report.total()));
            true
        }
        _ => false,
    }
}
