//! `vaisjit new NAME`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::args::NewOptions;
use crate::status::say;
use crate::{FAILURE, USAGE};

/// The files of a new project; `NAME` in them becomes its name.
const FILES: &[(&str, &str)] = &[
    ("main.vais", include_str!("../templates/main.vais")),
    ("wave.vais", include_str!("../templates/wave.vais")),
    ("tests.vais", include_str!("../templates/tests.vais")),
    ("README.md", include_str!("../templates/README.md")),
    (".gitignore", include_str!("../templates/gitignore")),
];

/// Makes a project.
pub fn new(options: &NewOptions) -> ExitCode {
    let folder = &options.name;
    let Some(name) = folder.file_name().and_then(|name| name.to_str()).filter(|name| is_good(name)) else {
        say(&format!(
            "error: `{}` cannot be a project's name; one is made of letters, digits, `_` and `-`, and begins with a letter",
            folder.display()
        ));
        return ExitCode::from(USAGE);
    };
    match make(folder, name) {
        Ok(()) => {
            say(&format!("made `{0}`; try: cd {0} && vaisjit run main.vais", folder.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("error: cannot make `{}`: {error}", folder.display()));
            ExitCode::from(FAILURE)
        }
    }
}

fn is_good(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn make(folder: &Path, name: &str) -> io::Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(io::Error::other("it exists and is not empty"));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(folder)?,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(io::Error::other("it exists and is no folder"));
        }
        Err(error) => return Err(error),
    }
    for (file, text) in FILES {
        fs::write(folder.join(file), text.replace("NAME", name))?;
    }
    Ok(())
}
