//! `vaisjit check --against PID FILE...`: what a save would do to a running program.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use vaisjit::{AskFormat, DiskLoader, Loader, check_against};

use crate::args::{CheckOptions, Format};
use crate::sources;
use crate::status::say;
use crate::{FAILURE, USAGE};

/// Asks, and prints the answer.
pub fn check(process: u32, options: &CheckOptions) -> ExitCode {
    let format = match options.format {
        Format::Human => AskFormat::Human,
        Format::Short => AskFormat::Short,
        Format::Json => AskFormat::Json,
    };
    let color = format == AskFormat::Human && options.color.on_stdout();
    let asked = texts(options)
        .and_then(|files| check_against(process, &files, format, color).map_err(|error| error.to_string()));
    let (verdict, text) = match asked {
        Ok(answer) => answer,
        Err(why) => {
            say(&format!("error: {why}"));
            return ExitCode::from(USAGE);
        }
    };
    let text = if format == AskFormat::Json { format!("{}\n", verdict.to_json()) } else { text };
    let _ = vaisjit::write_to_stdout(&text);
    if verdict.applies() { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

/// The files with the texts they would be saved with.
fn texts(options: &CheckOptions) -> Result<Vec<(PathBuf, String)>, String> {
    match (&options.text, &*options.files) {
        (None, files) => files.iter().map(|file| Ok((file.clone(), read(file)?))).collect(),
        (Some(text), [file]) if text == Path::new("-") => Ok(vec![(file.clone(), sources::standard_input()?)]),
        (Some(text), [file]) => Ok(vec![(file.clone(), read(text)?)]),
        (Some(_), _) => Err("--text goes with one file".to_owned()),
    }
}

fn read(file: &Path) -> Result<String, String> {
    DiskLoader.read(file).map_err(|error| error.to_string())
}
