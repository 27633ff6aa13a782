//! The `vaisjit` command: parses the command line and hands over to the library.

mod args;
mod check;
mod completions;
mod dump;
mod explain;
mod fmt;
mod keys;
mod new;
mod run;
mod sources;
mod status;
mod test;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

/// Exit status for diagnostics and files that cannot be read.
const FAILURE: u8 = 1;
/// Exit status for wrong usage.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    vaisjit::end_on_closed_pipe();
    let cli = match Cli::try_parse_from(args::with_default_command(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with status 0; a closed pipe is nobody's mistake.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Run(options) => run::run(options),
        Command::Check(options) => check::check(&options),
        Command::Watch(options) => watch::watch(&options),
        Command::Explain(options) => explain::explain(&options),
        Command::Test(options) => test::test(&options),
        Command::Fmt(options) => fmt::fmt(&options),
        Command::New(options) => new::new(&options),
        Command::Dump(options) => dump::dump(&options),
        Command::Completions(options) => completions::completions(&options),
    }
}
