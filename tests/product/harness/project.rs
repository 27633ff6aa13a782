//! A temporary folder with a program, and the ways in which editors save files.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A program in a folder of its own; removed when dropped.
pub struct Project {
    folder: TempDir,
    /// Where the events of a run go; outside the program's folder, which may be read-only.
    events: TempDir,
}

impl Project {
    /// A folder with these files.
    pub fn new(files: &[(&str, &str)]) -> Project {
        let project = Project { folder: temp(), events: temp() };
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    /// A folder with a copy of an example: a file of `examples/`, or all files of a folder there.
    pub fn example(name: &str) -> Project {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
        let project = Project::new(&[]);
        if source.is_dir() {
            for entry in fs::read_dir(&source).expect("the example's folder can be read") {
                let entry = entry.expect("an entry");
                fs::copy(entry.path(), project.path(&entry.file_name().to_string_lossy())).expect("copied");
            }
        } else {
            fs::copy(&source, project.path(name)).unwrap_or_else(|e| panic!("{}: {e}", source.display()));
        }
        project
    }

    /// The folder.
    pub fn folder(&self) -> PathBuf {
        // The temporary folder may lie behind a symbolic link, and paths in events are compared with ours.
        self.folder.path().canonicalize().expect("the folder exists")
    }

    /// A file of the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The file for the events of a run.
    pub fn events_path(&self) -> PathBuf {
        self.events.path().join("events.jsonl")
    }

    /// The text of a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("the file can be read")
    }

    /// Saves in place.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folder made");
        fs::write(path, text).expect("the file can be written");
    }

    /// Saves as most editors do: a temporary file, renamed over the old one.
    pub fn save(&self, name: &str, text: &str) {
        let temporary = self.path(&format!(".{name}.tmp").replace('/', "_"));
        fs::write(&temporary, text).expect("the temporary file can be written");
        fs::rename(&temporary, self.path(name)).expect("renamed");
    }

    /// Replaces a piece of text that must be there exactly once, and saves.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        self.save(name, &replaced(&text, from, to));
    }
}

/// `text` with one piece replaced; the piece must be there exactly once.
pub fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` must occur once in:\n{text}");
    text.replace(from, to)
}

fn temp() -> TempDir {
    tempfile::Builder::new().prefix("vaisjit-test-").tempdir().expect("a temporary folder")
}
