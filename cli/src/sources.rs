//! The source files below a folder.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// All `*.vais` files below a folder, in the order of their paths. Hidden folders, build output (`target`) and links to
/// folders are left out.
pub fn below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    collect(folder, &mut found).map_err(|(path, error)| format!("cannot read `{}`: {error}", path.display()))?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let failed = |error| (folder.to_path_buf(), error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // `./game.vais` is not what people call it.
        let path = if folder == Path::new(".") { PathBuf::from(entry.file_name()) } else { entry.path() };
        if entry.file_type().map_err(failed)?.is_dir() {
            if !name.starts_with('.') && name != "target" {
                collect(&path, found)?;
            }
        } else if name.ends_with(".vais") && !name.starts_with('.') && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// How standard input is called in messages.
pub const STDIN: &str = "<stdin>";

/// The text on standard input; the error is a sentence.
pub fn standard_input() -> Result<String, String> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|error| format!("cannot read {STDIN}: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("{STDIN} is not a text in UTF-8"))
}
