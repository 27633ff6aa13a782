//! Files of state on disk: written whole or not at all, read within bounds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest file that is written or read, in bytes.
pub(super) const LARGEST: u64 = 4 << 30;

/// Writes a file beside the target and moves it there. If that fails, the target is what it was, and nothing else is left.
pub(super) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    // Through links: what they lead to is replaced, not they.
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        Err(error) => return Err(error),
    };
    let before = fs::metadata(&target).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no ordinary file"));
    }
    let beside = beside(&target)?;
    let written = fill(&beside, text, before.map(|before| before.permissions()));
    written.and_then(|()| fs::rename(&beside, &target)).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })?;
    // The new name is safe only when its folder is; the file is whole in any case.
    let _ = target.parent().map(|folder| File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

fn fill(path: &Path, text: &[u8], permissions: Option<fs::Permissions>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.write_all(text)?;
    file.sync_all()
}

/// A name in the same folder that nobody else uses.
fn beside(target: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "this names no file");
    let name = target.file_name().ok_or_else(no_name)?.to_string_lossy();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(target.with_file_name(format!(".{name}.{}.{number}.tmp", std::process::id())))
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    // Not opened before: opening a pipe would wait for a writer.
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(wrong("this is no ordinary file".to_owned()));
    }
    if about.len() > LARGEST {
        return Err(wrong(format!("it has {} bytes, more than {LARGEST}", about.len())));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(about.len() as usize + 1).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        write(&path, b"one").expect("written");
        write(&path, b"two").expect("written");
        assert_eq!(read(&path).expect("read"), b"two");
        assert_eq!(names(folder.path()), ["state.json"]);
        assert!(write(folder.path(), b"three").is_err());
        assert!(write(&folder.path().join("no/such.json"), b"three").is_err());
        assert!(write(Path::new(""), b"three").is_err());
        assert_eq!(names(folder.path()), ["state.json"]);
    }

    #[test]
    #[cfg(unix)]
    fn links_are_followed_and_devices_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("state.json"), folder.path().join("link.json"));
        write(&path, b"one").expect("written");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        write(&link, b"two").expect("written");
        assert_eq!(read(&path).expect("read"), b"two");
        assert!(link.symlink_metadata().expect("there").is_symlink());
        assert!(write(Path::new("/dev/null"), b"three").is_err());
        assert!(read(Path::new("/dev/zero")).is_err());
    }
}
