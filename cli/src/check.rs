//! `vaisjit check FILE...`.

mod against;

use std::process::ExitCode;

use vaisjit::Engine;

use crate::args::{CheckOptions, Format, Warn};
use crate::status::say;
use crate::{FAILURE, USAGE};

/// Checks each file with its imports and prints what is found.
pub fn check(options: &CheckOptions) -> ExitCode {
    if let Some(process) = options.against {
        return against::check(process, options);
    }
    let engine = match Engine::builder().warn_all(options.warn == Some(Warn::All)).build() {
        Ok(engine) => engine,
        Err(error) => {
            say(&format!("error: {error}"));
            return ExitCode::from(USAGE);
        }
    };
    let (format, color) = match options.format {
        Format::Human => (vaisjit::render::Format::Human, options.color.on_stdout()),
        Format::Short => (vaisjit::render::Format::Short, false),
        Format::Json => (vaisjit::render::Format::Json, false),
    };
    let mut status = ExitCode::SUCCESS;
    for file in &options.files {
        match engine.check_file(file) {
            Ok(diagnostics) => {
                let _ = vaisjit::write_to_stdout(&diagnostics.render(format, color));
                if diagnostics.has_errors() {
                    status = ExitCode::from(FAILURE);
                }
            }
            Err(error) => {
                say(&format!("error: {error}"));
                status = ExitCode::from(FAILURE);
            }
        }
    }
    status
}
