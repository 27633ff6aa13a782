//! Where source texts come from.

use std::fmt;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
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
    /// It is a symbolic link, and there is no file where it leads.
    Dangling(PathBuf),
    /// It is a folder.
    Folder(PathBuf),
    /// It is no file that keeps what is written to it: a pipe, a device or a socket, as the text says.
    Special(PathBuf, &'static str),
    /// Its bytes are not UTF-8; the offset of the first wrong one.
    NotText(PathBuf, usize),
    /// It is longer than a source file may be (16 MiB).
    TooLarge(PathBuf),
    /// Reading failed, with the system's reason.
    Unreadable(PathBuf, String),
}

impl LoadError {
    /// Is there no such file? Perhaps it is being replaced.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, LoadError::Missing(_) | LoadError::Dangling(_))
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Missing(path) => write!(f, "there is no file `{}`", path.display()),
            LoadError::Dangling(path) => {
                write!(f, "`{}` is a symbolic link to a file that does not exist", path.display())
            }
            LoadError::Folder(path) => write!(f, "`{}` is a folder, not a source file", path.display()),
            LoadError::Special(path, what) => write!(f, "`{}` is {what}, not a source file", path.display()),
            LoadError::NotText(path, offset) => {
                write!(f, "`{}` is not a text in UTF-8 (byte {offset} cannot stand there)", path.display())
            }
            LoadError::TooLarge(path) => write!(f, "`{}` is longer than 16 MiB", path.display()),
            LoadError::Unreadable(path, why) => write!(f, "cannot read `{}`: {why}", path.display()),
        }
    }
}

impl std::error::Error for LoadError {}

/// Reads from disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskLoader;

/// The longest source text, in bytes: what a question to a running program may have, too. Chosen by feel.
const LONGEST_TEXT: u64 = 16 << 20;

impl Loader for DiskLoader {
    fn read(&self, path: &Path) -> Result<String, LoadError> {
        let named = || path.to_path_buf();
        let file = open(path)?;
        let length = file.metadata().map_or(0, |metadata| metadata.len().min(LONGEST_TEXT));
        let mut bytes = Vec::with_capacity(length as usize + 1);
        // It may grow while it is being read.
        file.take(LONGEST_TEXT + 1).read_to_end(&mut bytes).map_err(|error| from_io(path, &error))?;
        if bytes.len() as u64 > LONGEST_TEXT {
            return Err(LoadError::TooLarge(named()));
        }
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

/// Opens a file that keeps what is written to it. Never waits: opening a pipe that nobody writes to would.
fn open(path: &Path) -> Result<File, LoadError> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let failed = |error| from_io(path, &error);
    // Opening a device may do something, so it is looked at before; and after, for it may have been replaced.
    is_file(path, std::fs::metadata(path).map_err(failed)?.file_type())?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    is_file(path, metadata.file_type())?;
    match metadata.len() > LONGEST_TEXT {
        true => Err(LoadError::TooLarge(path.to_path_buf())),
        false => Ok(file),
    }
}

fn is_file(path: &Path, found: FileType) -> Result<(), LoadError> {
    let what = match found {
        found if found.is_file() => return Ok(()),
        found if found.is_dir() => return Err(LoadError::Folder(path.to_path_buf())),
        found if found.is_fifo() => "a pipe",
        found if found.is_socket() => "a socket",
        _ => "a device",
    };
    Err(LoadError::Special(path.to_path_buf(), what))
}

fn from_io(path: &Path, error: &io::Error) -> LoadError {
    match error.kind() {
        io::ErrorKind::NotFound if path.is_symlink() => LoadError::Dangling(path.to_path_buf()),
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
