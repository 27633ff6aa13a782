//! `vaisjit watch FILE [--exec CMD]`.

use std::process::{Child, Command, ExitCode};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vaisjit::render::Format;
use vaisjit::{CheckEvent, Engine};

use crate::args::{Warn, WatchOptions};
use crate::status::say;
use crate::{FAILURE, USAGE};

/// Checks on every save; after each success runs the command, ending the one still running.
pub fn watch(options: &WatchOptions) -> ExitCode {
    let builder = Engine::builder()
        .debounce(Duration::from_millis(options.saves.debounce))
        .poll(options.saves.poll)
        .warn_all(options.warn == Some(Warn::All));
    let engine = match builder.build() {
        Ok(engine) => engine,
        Err(error) => {
            say(&format!("error: {error}"));
            return ExitCode::from(USAGE);
        }
    };
    let color = options.color.on_stderr();
    let child = Arc::new(Mutex::new(Running(None)));
    let running = child.clone();
    vaisjit::on_interrupt(move |status| {
        lock(&running).end();
        std::process::exit(status)
    });
    let result = engine.watch_file(&options.file, |event| match event {
        CheckEvent::Notice(text) => say(&format!("note {text}")),
        CheckEvent::Checked { diagnostics, files, micros } => {
            if !diagnostics.is_empty() {
                say(diagnostics.render(Format::Human, color).trim_end());
            }
            if diagnostics.has_errors() {
                say("rejected  waiting for the next save");
            } else {
                say(&format!("clean  {:.1} ms", micros as f64 / 1000.0));
                if options.verbose {
                    files.iter().for_each(|file| say(&format!("  {}", file.display())));
                }
                lock(&child).restart(options);
            }
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::from(FAILURE)
        }
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command started last; ended when dropped.
struct Running(Option<Child>);

impl Running {
    fn restart(&mut self, options: &WatchOptions) {
        let Some(command) = &options.exec else { return };
        self.end();
        match Command::new(command).args(&options.args).spawn() {
            Ok(child) => self.0 = Some(child),
            Err(error) => say(&format!("error: cannot run `{}`: {error}", command.to_string_lossy())),
        }
    }

    fn end(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
