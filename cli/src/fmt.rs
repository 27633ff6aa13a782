//! `vaisjit fmt [--check] FILE|FOLDER...`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use vaisjit::render::Format;
use vaisjit::{DiskLoader, FormatError, Loader};

use crate::FAILURE;
use crate::args::FmtOptions;
use crate::sources::{self, STDIN};
use crate::status::say;

/// Formats all files, or says which are not formatted.
pub fn fmt(options: &FmtOptions) -> ExitCode {
    let mut fine = true;
    for path in &options.paths {
        fine &= match path.is_dir() {
            _ if path == Path::new("-") => standard_input(options),
            true => folder(path, options),
            false => file(path, options),
        };
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

fn folder(path: &Path, options: &FmtOptions) -> bool {
    match sources::below(path) {
        Ok(files) => files.iter().filter(|path| !file(path, options)).count() == 0,
        Err(error) => complain(&error),
    }
}

/// Formats a file; false if something is wrong with it.
fn file(path: &Path, options: &FmtOptions) -> bool {
    let text = match DiskLoader.read(path) {
        Ok(text) => text,
        Err(error) => return complain(&error.to_string()),
    };
    let Some(formatted) = formatted(path, &text, options) else { return false };
    if formatted == text {
        return true;
    }
    if options.check {
        let _ = vaisjit::write_to_stdout(&format!("{}\n", path.display()));
        return false;
    }
    match replace(path, &formatted) {
        Ok(()) => {
            say(&format!("formatted {}", path.display()));
            true
        }
        Err(error) => complain(&format!("cannot write `{}`: {error}", path.display())),
    }
}

fn standard_input(options: &FmtOptions) -> bool {
    let text = match sources::standard_input() {
        Ok(text) => text,
        Err(why) => return complain(&why),
    };
    let Some(formatted) = formatted(Path::new(STDIN), &text, options) else { return false };
    if options.check {
        if formatted != text {
            let _ = vaisjit::write_to_stdout(&format!("{STDIN}\n"));
        }
        return formatted == text;
    }
    // A closed pipe is nobody's mistake.
    let _ = vaisjit::write_to_stdout(&formatted);
    true
}

fn formatted(path: &Path, text: &str, options: &FmtOptions) -> Option<String> {
    match vaisjit::format_source(path, text) {
        Ok(formatted) => return Some(formatted),
        Err(FormatError::Mistakes(diagnostics)) => {
            say(diagnostics.render(Format::Human, options.color.on_stderr()).trim_end());
        }
        Err(FormatError::Internal(why)) => {
            say(&format!(
                "error: internal failure of the formatter in `{}`, which is left alone: {why}",
                path.display()
            ));
        }
    }
    None
}

fn complain(error: &str) -> bool {
    say(&format!("error: {error}"));
    false
}

/// Replaces a file in one step, so that nobody, a running program least of all, ever reads half of it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Behind a symbolic link the file is replaced, not the link.
    let target = fs::canonicalize(path)?;
    let permissions = fs::metadata(&target)?.permissions();
    if permissions.readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
    }
    let temporary = temporary_beside(&target);
    let written = fs::write(&temporary, text)
        .and_then(|()| fs::set_permissions(&temporary, permissions))
        .and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        // What went wrong is told already.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn temporary_beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}
