//! `vaisjit completions SHELL`; the only user of `clap_complete`.

use std::process::ExitCode;

use clap::CommandFactory;
pub use clap_complete::Shell;

use crate::args::{Cli, CompletionsOptions};

/// Prints the completion script of a shell.
pub fn completions(options: &CompletionsOptions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "vaisjit", &mut script);
    // A closed pipe is nobody's mistake.
    let _ = vaisjit::write_to_stdout(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
