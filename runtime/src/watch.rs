//! Watching files; the only user of `notify`.
//!
//! Editors replace files in many ways, folders are switched under symbolic links, and a watched inode can vanish. So
//! every folder on the way to a file is watched for the name it leads on to, and what is delivered is only "look
//! again": contents decide what changed. Where the system sends no events, the files' metadata is polled.

use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use rustc_hash::{FxHashMap, FxHashSet};

/// How often metadata is read where no events come.
pub const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How many symbolic links one after the other are followed; systems follow 8 to 40.
const MOST_LINKS: usize = 40;

/// Said where the files are polled because that was asked for.
pub const POLLED: &str = "files are polled ten times a second";

/// Something may have changed: look again.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    /// When the system told us.
    pub at: Instant,
    /// A folder on the way to a file was replaced, so the watches must be set again.
    pub folders: bool,
}

/// Watches a set of files.
pub struct FileWatcher {
    /// Absent when polling.
    events: Option<RecommendedWatcher>,
    interest: Arc<Mutex<Interest>>,
    watched: FxHashSet<PathBuf>,
    files: Vec<PathBuf>,
    stamps: FxHashMap<PathBuf, Stamp>,
    /// Why events are not used, to be told once.
    notice: Option<String>,
}

/// Which names in which folders matter.
#[derive(Default, PartialEq, Eq)]
struct Interest {
    /// Files by folder and name.
    files: FxHashSet<PathBuf>,
    /// Folders and links on the way.
    folders: FxHashSet<PathBuf>,
}

/// What polling compares.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Stamp(Option<(SystemTime, [u64; 4])>);

impl FileWatcher {
    /// A watcher that calls `signal` from a thread of its own; with `poll` it never asks the system for events.
    pub fn new(signal: impl Fn(Signal) + Send + 'static, poll: bool) -> FileWatcher {
        let interest = Arc::new(Mutex::new(Interest::default()));
        let mut watcher = FileWatcher {
            events: None,
            interest: interest.clone(),
            watched: FxHashSet::default(),
            files: Vec::new(),
            stamps: FxHashMap::default(),
            notice: None,
        };
        if poll {
            watcher.notice = Some(POLLED.to_owned());
            return watcher;
        }
        let handler = move |event: notify::Result<notify::Event>| {
            if let Some(found) = relevant(event, &interest) {
                signal(found);
            }
        };
        match notify::recommended_watcher(handler) {
            Ok(events) => watcher.events = Some(events),
            Err(error) => watcher.fall_back(&error),
        }
        watcher
    }

    /// Watches these files, existing or not, and no others. True if they are others than before, or links lead elsewhere:
    /// what was saved there up to now has not been heard of.
    pub fn set_files(&mut self, files: impl IntoIterator<Item = PathBuf>) -> bool {
        let before = std::mem::take(&mut self.files);
        self.files = files.into_iter().map(|file| absolute(&file)).collect();
        self.files.sort();
        self.files.dedup();
        let elsewhere = self.watch_folders();
        self.look();
        elsewhere || self.files != before
    }

    /// Sets all watches again, after a folder was replaced.
    pub fn renew(&mut self) {
        if let Some(events) = &mut self.events {
            for folder in self.watched.drain() {
                // A watch of a folder that is gone has ended by itself.
                let _ = events.unwatch(&folder);
            }
        }
        self.watch_folders();
    }

    /// How long the owner may wait for a signal before it must call [`FileWatcher::look`]; forever with events.
    pub fn poll_interval(&self) -> Option<Duration> {
        self.events.is_none().then_some(POLL_INTERVAL)
    }

    /// Compares the files' metadata with the last look; true if anything changed.
    pub fn look(&mut self) -> bool {
        let now: FxHashMap<PathBuf, Stamp> = self.files.iter().map(|file| (file.clone(), Stamp::of(file))).collect();
        let changed = now != self.stamps;
        self.stamps = now;
        changed
    }

    /// A remark for the user, once.
    pub fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    /// True if other names matter than before.
    fn watch_folders(&mut self) -> bool {
        let interest = Interest::of(&self.files);
        let wanted: FxHashSet<PathBuf> = interest
            .files
            .iter()
            .chain(&interest.folders)
            .filter_map(|path| path.parent())
            .map(Path::to_path_buf)
            .collect();
        let changed = {
            let mut known = self.interest.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = *known != interest;
            *known = interest;
            changed
        };
        let Some(events) = &mut self.events else { return changed };
        for folder in self.watched.extract_if(|folder| !wanted.contains(folder)).collect::<Vec<_>>() {
            let _ = events.unwatch(&folder);
        }
        let mut failure = None;
        for folder in wanted {
            if self.watched.contains(&folder) || !folder.is_dir() {
                continue;
            }
            match events.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder);
                }
                // A folder further up that may not be read only means that its replacement goes unnoticed.
                Err(_) if !self.files.iter().any(|file| file.parent() == Some(&folder)) => {}
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            self.fall_back(&error);
        }
        changed
    }

    fn fall_back(&mut self, error: &notify::Error) {
        self.events = None;
        self.watched.clear();
        let why = match &error.kind {
            notify::ErrorKind::MaxFilesWatch => "the system's limit of watches is reached".to_owned(),
            _ => error.to_string(),
        };
        self.notice = Some(format!("no file events here ({why}): files are polled ten times a second"));
    }
}

impl Interest {
    fn of(files: &[PathBuf]) -> Interest {
        let mut interest = Interest::default();
        for file in files {
            interest.add(file);
            // What a symbolic link leads to is saved in its own folder.
            match file.canonicalize() {
                Ok(real) if real == *file => {}
                Ok(real) => interest.add(&real),
                Err(_) => leads_to(file).iter().for_each(|path| interest.add(path)),
            }
        }
        interest
    }

    fn add(&mut self, file: &Path) {
        self.files.insert(file.to_path_buf());
        let folders = file.ancestors().skip(1).filter(|folder| folder.parent().is_some());
        self.folders.extend(folders.map(Path::to_path_buf));
    }
}

/// Where a symbolic link leads that ends nowhere: there the file may be made.
fn leads_to(link: &Path) -> Vec<PathBuf> {
    let next = |path: &PathBuf| Some(absolute(&path.parent()?.join(std::fs::read_link(path).ok()?)));
    std::iter::successors(next(&link.to_path_buf()), next).take(MOST_LINKS).collect()
}

fn relevant(event: notify::Result<notify::Event>, interest: &Mutex<Interest>) -> Option<Signal> {
    let at = Instant::now();
    let Ok(event) = event else { return Some(Signal { at, folders: true }) };
    if event.need_rescan() {
        return Some(Signal { at, folders: true });
    }
    if matches!(event.kind, EventKind::Access(_)) {
        return None;
    }
    let interest = interest.lock().unwrap_or_else(PoisonError::into_inner);
    let replaced = matches!(
        event.kind,
        EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(
                RenameMode::Any | RenameMode::To | RenameMode::From | RenameMode::Both | RenameMode::Other
            ))
    );
    let folders = replaced && event.paths.iter().any(|path| interest.folders.contains(path));
    let files = event.paths.iter().any(|path| interest.files.contains(path));
    (folders || files).then_some(Signal { at, folders })
}

/// The path from the root, without `.` and `..` but with links as they are.
pub fn absolute(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    if !full.components().any(|part| matches!(part, Component::ParentDir)) {
        return full;
    }
    // `a/link/..` need not be `a`: let the system resolve the folder.
    match (full.parent().and_then(|folder| folder.canonicalize().ok()), full.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => full,
    }
}

impl Stamp {
    fn of(path: &Path) -> Stamp {
        let metadata = std::fs::metadata(path).ok();
        Stamp(metadata.and_then(|now| {
            // A file that is renamed over another may have its times and its length.
            let change = [now.len(), now.ino(), now.ctime() as u64, now.ctime_nsec() as u64];
            Some((now.modified().ok()?, change))
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(60);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("vaisjit-watch-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).unwrap();
            Folder(path.canonicalize().unwrap())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn watch(file: &Path) -> (FileWatcher, Receiver<Signal>) {
        let (sender, receiver) = channel();
        let mut watcher = FileWatcher::new(move |signal| _ = sender.send(signal), false);
        watcher.set_files([file.to_path_buf()]);
        (watcher, receiver)
    }

    fn drain(signals: &Receiver<Signal>) {
        while signals.recv_timeout(Duration::from_millis(20)).is_ok() {}
    }

    #[test]
    fn every_way_of_saving_is_noticed() {
        let folder = Folder::new("saves");
        let file = folder.0.join("game.vais");
        std::fs::write(&file, "1").unwrap();
        let (_watcher, signals) = watch(&file);
        let temporary = folder.0.join("game.vais.tmp");
        let saves: [&dyn Fn(); 4] = [
            &|| std::fs::write(&file, "2").unwrap(),
            &|| {
                std::fs::write(&temporary, "3").unwrap();
                std::fs::rename(&temporary, &file).unwrap();
            },
            &|| {
                std::fs::rename(&file, folder.0.join("game.vais~")).unwrap();
                std::fs::write(&file, "4").unwrap();
            },
            &|| {
                std::fs::remove_file(&file).unwrap();
                std::fs::write(&file, "5").unwrap();
            },
        ];
        for save in saves {
            drain(&signals);
            save();
            signals.recv_timeout(DEADLINE).expect("the save is noticed");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_switched_folder_is_noticed_and_watched_again() {
        let folder = Folder::new("switch");
        for version in ["one", "two"] {
            std::fs::create_dir(folder.0.join(version)).unwrap();
            std::fs::write(folder.0.join(version).join("game.vais"), version).unwrap();
        }
        let link = folder.0.join("current");
        std::os::unix::fs::symlink("one", &link).unwrap();
        let (mut watcher, signals) = watch(&link.join("game.vais"));
        std::os::unix::fs::symlink("two", folder.0.join("next")).unwrap();
        std::fs::rename(folder.0.join("next"), &link).unwrap();
        let signal = signals.recv_timeout(DEADLINE).expect("the switch is noticed");
        assert!(signal.folders);
        watcher.renew();
        drain(&signals);
        std::fs::write(folder.0.join("two/game.vais"), "three").unwrap();
        signals.recv_timeout(DEADLINE).expect("a save in the new folder is noticed");
    }

    #[test]
    fn other_files_in_the_folder_do_not_matter() {
        let folder = Folder::new("others");
        let file = folder.0.join("game.vais");
        std::fs::write(&file, "1").unwrap();
        let (_watcher, signals) = watch(&file);
        std::fs::write(folder.0.join("other.txt"), "x").unwrap();
        assert!(signals.recv_timeout(Duration::from_millis(50)).is_err());
        std::fs::write(&file, "2").unwrap();
        signals.recv_timeout(DEADLINE).expect("the program's file is noticed");
    }

    /// What is saved where a link leads to, before that is watched, is found by looking once more.
    #[test]
    #[cfg(unix)]
    fn a_link_that_leads_elsewhere_counts_as_another_file() {
        let folder = Folder::new("elsewhere");
        let file = folder.0.join("game.vais");
        std::fs::write(&file, "1").unwrap();
        let (mut watcher, _signals) = watch(&file);
        assert!(!watcher.set_files([file.clone()]));
        std::fs::create_dir(folder.0.join("other")).unwrap();
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("other/game.vais", &file).unwrap();
        assert!(watcher.set_files([file.clone()]));
        assert!(!watcher.set_files([file]));
    }

    #[test]
    fn polling_sees_a_change_of_length() {
        let folder = Folder::new("poll");
        let file = folder.0.join("game.vais");
        std::fs::write(&file, "1").unwrap();
        let mut watcher = FileWatcher::new(|_| {}, true);
        watcher.set_files([file.clone()]);
        assert!(watcher.poll_interval().is_some());
        assert!(!watcher.look());
        std::fs::write(&file, "22").unwrap();
        assert!(watcher.look());
    }
}
