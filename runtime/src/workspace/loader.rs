//! Where source texts come from.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

/// Reads source files.
pub trait Loader: Send + Sync {
    /// The text of a file.
    fn read(&self, path: &Path) -> Result<String, LoadError>;

    /// Is there a file of that name now?
    fn exists(&self, path: &Path) -> bool;
}

/// Why a source file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// There is no such file.
    Missing(PathBuf),
    /// It is a folder.
    Folder(PathBuf),
    /// Its bytes are not UTF-8; the offset of the first wrong one.
    NotText(PathBuf, usize),
    /// It is longer than spans can count (1 GiB).
    TooLarge(PathBuf),
    /// Reading failed, with the system's reason.
    Unreadable(PathBuf, String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Missing(path) => write!(f, "there is no file `{}`", path.display()),
            LoadError::Folder(path) => write!(f, "`{}` is a folder, not a source file", path.display()),
            LoadError::NotText(path, offset) => {
                write!(f, "`{}` is not a text in UTF-8 (byte {offset} cannot stand there)", path.display())
            }
            LoadError::TooLarge(path) => write!(f, "`{}` is longer than 1 GiB", path.display()),
            LoadError::Unreadable(path, why) => write!(f, "cannot read `{}`: {why}", path.display()),
        }
    }
}

impl std::error::Error for LoadError {}

/// Reads from disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskLoader;

/// The longest source text, in bytes.
const LONGEST_TEXT: u64 = 1 << 30;

impl Loader for DiskLoader {
    fn read(&self, path: &Path) -> Result<String, LoadError> {
        let named = || path.to_path_buf();
        let metadata = std::fs::metadata(path).map_err(|error| from_io(path, &error))?;
        if metadata.is_dir() {
            return Err(LoadError::Folder(named()));
        }
        if metadata.len() > LONGEST_TEXT {
            return Err(LoadError::TooLarge(named()));
        }
        let bytes = std::fs::read(path).map_err(|error| from_io(path, &error))?;
        let mut text =
            String::from_utf8(bytes).map_err(|error| LoadError::NotText(named(), error.utf8_error().valid_up_to()))?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        Ok(text)
    }

    fn exists(&self, path: &Path) -> bool {
        path.is_file()
    }
}

fn from_io(path: &Path, error: &io::Error) -> LoadError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => LoadError::Missing(path.to_path_buf()),
        io::ErrorKind::IsADirectory => LoadError::Folder(path.to_path_buf()),
        _ => LoadError::Unreadable(path.to_path_buf(), error.to_string()),
    }
}

/// Serves texts from memory; clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryLoader {
    files: Arc<Mutex<FxHashMap<PathBuf, String>>>,
}

impl MemoryLoader {
    /// Adds or replaces a text.
    pub fn set(&self, path: impl Into<PathBuf>, text: impl Into<String>) {
        self.lock().insert(path.into(), text.into());
    }

    /// Takes a text away.
    pub fn remove(&self, path: &Path) {
        self.lock().remove(path);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FxHashMap<PathBuf, String>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loader for MemoryLoader {
    fn read(&self, path: &Path) -> Result<String, LoadError> {
        self.lock().get(path).cloned().ok_or_else(|| LoadError::Missing(path.to_path_buf()))
    }

    fn exists(&self, path: &Path) -> bool {
        self.lock().contains_key(path)
    }
}
