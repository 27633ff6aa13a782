//! Texts in, snapshots out: which files a program consists of, their last text, and the checked state of all of them.
//!
//! Reading goes through a [`Loader`], so tests and embedders can serve texts from memory. Nothing here knows about
//! running code.

mod imports;
pub mod loader;
mod methods;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::program::{HostDeclaration, ModuleInput};
use vaisjit_semantics::{Checked, Input, Running};
use vaisjit_syntax::{Diagnostic, FileId, Module, Name, SourceFile, Sources};

use crate::report::Clock;
use methods::{Needed, Words};

pub use loader::{DiskLoader, LoadError, Loader, MemoryLoader};

/// A checked, immutable state of a workspace.
#[derive(Clone)]
pub struct Snapshot {
    /// All texts and trees.
    pub sources: Arc<Sources>,
    /// What the checker was given.
    pub(crate) input: Arc<Input>,
    /// What it found, as a program.
    pub checked: Arc<Checked>,
    /// What there is to say about it, by the parser and the checker, in source order.
    pub diagnostics: Arc<[Diagnostic]>,
    /// The files the program consists of, the root first; the standard library's are not among them.
    pub files: Arc<[PathBuf]>,
    /// Files that imports look for and that do not exist or cannot be read: creating one is a change of the program.
    pub wanted: Arc<[PathBuf]>,
    /// Time spent in parsing and checking, in microseconds.
    pub(crate) times: SnapshotTimes,
}

/// Time spent on a snapshot, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SnapshotTimes {
    pub parse_us: u64,
    pub check_us: u64,
}

impl Snapshot {
    /// Is there an error among the diagnostics?
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// What a workspace is made with.
#[derive(Clone)]
pub struct WorkspaceOptions {
    /// Reads files.
    pub loader: Arc<dyn Loader>,
    /// Host functions by name.
    pub host: Arc<FxHashMap<Name, HostDeclaration>>,
    /// Texts of the standard library by module name (`std/math`); `std/prelude` is imported everywhere.
    pub library: Arc<[(Name, Arc<str>)]>,
    /// Treat every function as `#[hot]`.
    pub all_hot: bool,
    /// Must there be a `main`?
    pub needs_main: bool,
    /// Are warnings wanted that are shown only when asked for?
    pub lints: bool,
}

/// The files of a program and their last texts.
pub struct Workspace {
    options: WorkspaceOptions,
    root: PathBuf,
    files: FxHashMap<Name, LoadedFile>,
    ids: FxHashMap<PathBuf, FileId>,
    library: FxHashMap<Name, LoadedFile>,
    words: Words,
    sources: Arc<Sources>,
    last: Option<Snapshot>,
    /// Texts of files that are no part of the program now, to be used instead of the disk's should they become one.
    kept: FxHashMap<PathBuf, Arc<str>>,
    /// Are these the texts of an earlier version, as no file has changed on disk since?
    went_back: bool,
    parse_us: u64,
    /// The running version, whose closures keep their numbers.
    running: Option<Running>,
}

/// What a workspace held at some moment.
pub struct Checkpoint {
    files: FxHashMap<Name, LoadedFile>,
    kept: FxHashMap<PathBuf, Arc<str>>,
    went_back: bool,
    last: Option<Snapshot>,
}

impl Checkpoint {
    /// The program as it was checked then.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.last.as_ref()
    }

    /// The texts of then, by path.
    pub fn texts(&self) -> Vec<(PathBuf, Arc<str>)> {
        let mut texts: Vec<_> = self.files.values().map(|file| (file.path.clone(), file.text.clone())).collect();
        texts.sort();
        texts
    }
}

/// One file of the program.
#[derive(Clone)]
struct LoadedFile {
    id: FileId,
    path: PathBuf,
    text: Arc<str>,
    /// The text last read from disk; `text` differs from it after a patch or a rollback.
    disk: Arc<str>,
    /// Has a rollback brought it back? Then there need not be such a file.
    from_memory: bool,
    tree: Arc<Module>,
    /// The modules with methods of built-in types that its words ask for, now or before.
    needed: Needed,
}

/// The texts on disk as they were read last.
pub struct DiskTexts {
    loader: Arc<dyn Loader>,
    texts: Vec<(PathBuf, Arc<str>)>,
}

impl DiskTexts {
    /// Is any of them another now?
    pub fn have_changed(&self) -> bool {
        self.texts.iter().any(|(path, text)| self.loader.read(path).is_ok_and(|now| *now != **text))
    }

    /// Those that are another now, by path.
    pub fn changed(&self) -> Vec<(PathBuf, Arc<str>)> {
        let now = |(path, text): &(PathBuf, Arc<str>)| {
            let now = self.loader.read(path).ok().filter(|now| *now != **text)?;
            Some((path.clone(), now.into()))
        };
        let mut changed: Vec<_> = self.texts.iter().filter_map(now).collect();
        changed.sort();
        changed
    }
}

impl Workspace {
    /// A workspace of the program whose root file is at this path, not yet read.
    pub fn new(root: &Path, options: WorkspaceOptions) -> Workspace {
        Workspace {
            words: Words::of(&options.library),
            options,
            root: root.to_path_buf(),
            files: FxHashMap::default(),
            ids: FxHashMap::default(),
            library: FxHashMap::default(),
            sources: Arc::default(),
            last: None,
            kept: FxHashMap::default(),
            went_back: false,
            parse_us: 0,
            running: None,
        }
    }

    /// The next snapshot will follow this version.
    pub fn follow(&mut self, running: Running) {
        self.running = Some(running);
    }

    /// What it holds now. Going back there takes no time for parsing and checking.
    pub fn checkpoint(&self) -> Checkpoint {
        let last = self.last.clone().map(|last| Snapshot { times: SnapshotTimes::default(), ..last });
        Checkpoint { files: self.files.clone(), kept: self.kept.clone(), went_back: self.went_back, last }
    }

    /// Makes it hold that again.
    pub fn restore(&mut self, checkpoint: Checkpoint) {
        let Checkpoint { files, kept, went_back, last } = checkpoint;
        // Modules of the library that have been loaded since stay.
        let sources = Arc::make_mut(&mut self.sources);
        for (name, file) in &self.files {
            if !files.contains_key(name) {
                sources.remove(file.id);
            }
        }
        files.values().for_each(|file| sources.insert(file.id, file.source()));
        (self.files, self.kept, self.went_back, self.last) = (files, kept, went_back, last);
    }

    /// Makes the texts of then the whole program, until a file changes on disk. Returns the files that hold another text
    /// now.
    pub fn go_back(&mut self, to: &Checkpoint) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        let mut files = to.files.clone();
        for (name, file) in &mut files {
            let now = self.files.get(name);
            if now.is_none_or(|now| now.text != file.text) {
                changed.push(file.path.clone());
            }
            (file.disk, file.from_memory) = match now {
                Some(now) => (now.disk.clone(), now.from_memory),
                None => (self.options.loader.read(&file.path).map_or_else(|_| file.text.clone(), Arc::from), true),
            };
        }
        changed.sort();
        self.restore(Checkpoint { files, kept: to.kept.clone(), went_back: true, last: to.last.clone() });
        changed
    }

    /// Makes these texts the whole program, until a file changes on disk. Returns the files that hold another text now.
    pub fn set_texts(&mut self, texts: &[(PathBuf, Arc<str>)]) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for (path, text) in texts {
            if !self.files.values().any(|file| file.path == *path) {
                self.kept.insert(path.clone(), text.clone());
                changed.push(path.clone());
            } else if self.set_text(path, text) {
                changed.push(path.clone());
            }
        }
        changed
    }

    /// The texts on disk as they were read last.
    pub fn disk_texts(&self) -> DiskTexts {
        let texts = self.files.values().map(|file| (file.path.clone(), file.disk.clone())).collect();
        DiskTexts { loader: self.options.loader.clone(), texts }
    }

    /// Reads the root file.
    pub fn load_root(&mut self) -> Result<(), LoadError> {
        let text = self.options.loader.read(&self.root)?;
        let (name, path) = (self.root_name(), self.root.clone());
        self.put(name, path, text.into());
        Ok(())
    }

    /// The files whose change may change the program: its own and those its imports look for.
    pub fn watched(&self) -> Vec<PathBuf> {
        let own = self.files.values().map(|file| file.path.clone());
        let wanted = self.last.iter().flat_map(|last| last.wanted.iter().cloned());
        own.chain(wanted).collect()
    }

    /// Does a file on disk hold another text than it did when it was read last?
    pub fn differs_from_disk(&self) -> bool {
        self.disk_texts().have_changed()
    }

    /// The bytes that a function of the root file takes, its attributes included.
    pub fn function_range(&self, name: &str) -> Option<std::ops::Range<usize>> {
        let file = self.files.get(&self.root_name())?;
        let found = file.tree.items.iter().find(|parsed| match &parsed.item.kind {
            vaisjit_syntax::ast::ItemKind::Function(function) => function.name.name == name,
            _ => false,
        });
        found.map(|parsed| parsed.start as usize..parsed.end as usize)
    }

    /// Is there such a file?
    pub fn exists(&self, path: &Path) -> bool {
        self.options.loader.exists(path)
    }

    /// The path of the root file.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Time spent in parsing since the last snapshot.
    pub fn parse_us(&self) -> u64 {
        self.parse_us
    }

    /// The last snapshot.
    pub fn last(&self) -> Option<&Snapshot> {
        self.last.as_ref()
    }

    fn root_name(&self) -> Name {
        let stem = self.root.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Name::new(&stem.unwrap_or_else(|| "main".to_owned()))
    }

    /// Replaces the text of a file that is part of the program, until it changes on disk; false when it is none, or
    /// has that text already.
    pub fn set_text(&mut self, path: &Path, text: &str) -> bool {
        let Some((name, file)) = self.files.iter().find(|(_, file)| file.path == path) else { return false };
        if &*file.text == text {
            return false;
        }
        let (name, disk) = (*name, file.disk.clone());
        self.put(name, path.to_path_buf(), text.into());
        if let Some(file) = self.files.get_mut(&name) {
            file.disk = disk;
        }
        true
    }

    /// Takes over what a file holds on disk; false if that has not changed.
    fn take_disk(&mut self, path: &Path, text: Arc<str>) -> bool {
        match self.files.iter().find(|(_, file)| file.path == path) {
            Some((name, file)) if file.disk != text => {
                let name = *name;
                self.kept.clear();
                self.put(name, path.to_path_buf(), text);
                true
            }
            _ => false,
        }
    }

    /// Goes on with the texts that were read from disk where a patch or a rollback has set others. Returns those files.
    pub fn take_disk_again(&mut self) -> Vec<PathBuf> {
        let other = |file: &&LoadedFile| file.text != file.disk;
        let changed: Vec<_> =
            self.files.values().filter(other).map(|file| (file.path.clone(), file.disk.clone())).collect();
        changed.iter().for_each(|(path, text)| _ = self.set_text(path, text));
        changed.into_iter().map(|(path, _)| path).collect()
    }

    /// The last text of a file of the program.
    pub fn text(&self, path: &Path) -> Option<Arc<str>> {
        self.files.values().find(|file| file.path == path).map(|file| file.text.clone())
    }

    /// Reads all files of the program again and returns those whose text changed. A file that cannot be read now
    /// (it is being replaced) keeps its text and is reported in the second list.
    pub fn refresh(&mut self) -> (Vec<PathBuf>, Vec<LoadError>) {
        self.refresh_as(&[])
    }

    /// The same if no file is empty on disk that was not when it was read last: an editor may be about to write it.
    pub fn refresh_written(&mut self) -> Option<(Vec<PathBuf>, Vec<LoadError>)> {
        let read = self.read(&[]);
        let emptied = |(path, text): &Reading| {
            let is_empty = text.as_ref().is_ok_and(|text| text.trim().is_empty());
            is_empty && self.files.values().any(|file| file.path == *path && !file.disk.trim().is_empty())
        };
        (!read.iter().any(emptied)).then(|| self.take(read, &[]))
    }

    /// The same as if these files had just been saved with these texts. Those that are no part of the program yet count
    /// if its imports lead to them.
    pub fn refresh_as(&mut self, saved: &[(PathBuf, Arc<str>)]) -> (Vec<PathBuf>, Vec<LoadError>) {
        let read = self.read(saved);
        let taken = self.take(read, saved);
        let is_new = |(path, _): &&(PathBuf, Arc<str>)| !self.files.values().any(|file| file.path == *path);
        let new: Vec<_> = saved.iter().filter(is_new).cloned().collect();
        self.kept.extend(new);
        taken
    }

    /// The texts of all files of the program, as they are on disk but for these.
    fn read(&self, saved: &[(PathBuf, Arc<str>)]) -> Vec<Reading> {
        let read = |path: &PathBuf| match given(saved, path) {
            Some(text) => Ok(text),
            None => self.options.loader.read(path).map(Arc::from),
        };
        self.files.values().map(|file| (file.path.clone(), read(&file.path))).collect()
    }

    /// Takes over what has been read.
    fn take(&mut self, read: Vec<Reading>, saved: &[(PathBuf, Arc<str>)]) -> (Vec<PathBuf>, Vec<LoadError>) {
        let (mut changed, mut failed) = (Vec::new(), Vec::new());
        for (path, text) in read {
            match text {
                Ok(text) if self.take_disk(&path, text.clone()) => changed.push(path),
                Ok(_) => {}
                Err(_) if self.files.values().any(|file| file.path == path && file.from_memory) => {}
                Err(error) => failed.push(error),
            }
        }
        if !changed.is_empty() && std::mem::take(&mut self.went_back) {
            // Whoever saves one file sees the others as they are on disk.
            changed.extend(self.take_disk_again());
        }
        changed.sort();
        let wanted = self.last.iter().flat_map(|last| last.wanted.iter());
        let is_there = |path: &&PathBuf| given(saved, path).is_some() || self.options.loader.read(path).is_ok();
        changed.extend(wanted.filter(is_there).cloned());
        (changed, failed)
    }

    fn put(&mut self, name: Name, path: PathBuf, text: Arc<str>) {
        let clock = Clock::start();
        let next = FileId(self.ids.len() as u32);
        let id = *self.ids.entry(path.clone()).or_insert(next);
        let (tree, needed) = match self.files.get(&name) {
            Some(old) => {
                let tree = vaisjit_syntax::reparse(&text, &old.tree, &old.text);
                let needed = old.needed.and(self.words.needed_by_edit(&text, &tree, &old.tree));
                (Arc::new(tree), needed)
            }
            None => (Arc::new(vaisjit_syntax::parse(&text)), self.words.needed(&text)),
        };
        let file = LoadedFile { id, path, disk: text.clone(), text, from_memory: false, tree, needed };
        Arc::make_mut(&mut self.sources).insert(id, file.source());
        self.files.insert(name, file);
        self.parse_us += clock.micros();
    }

    /// Follows the imports from the root, loads files that are new, forgets those that nothing imports any more, and
    /// checks the program: as little of it as the edits since the last snapshot allow.
    pub fn snapshot(&mut self) -> Snapshot {
        let mut modules = Vec::new();
        let mut wanted = Vec::new();
        let mut seen = FxHashSet::default();
        let mut queue = vec![self.root_name()];
        while let Some(name) = queue.pop() {
            if seen.insert(name) {
                let module = self.module(name, &mut queue, &mut wanted);
                modules.push(module);
            }
        }
        self.forget_all_but(&seen);
        self.add_prelude(&mut modules, &mut seen, &mut wanted);
        let (root, rest) = modules.split_at_mut(1);
        debug_assert_eq!(root[0].name, self.root_name());
        rest.sort_by_key(|module| (module.name.starts_with("std/"), module.name));
        let clock = Clock::start();
        let mut input = Input {
            modules,
            host: self.options.host.clone(),
            all_hot: self.options.all_hot,
            needs_main: self.options.needs_main,
            running: self.running.take(),
        };
        let previous = self.last.as_ref().map(|last| (&*last.input, &*last.checked));
        let checked = Arc::new(vaisjit_semantics::check_with(&input, previous, self.options.lints));
        input.running = None;
        let diagnostics = self.diagnostics(&input, &checked);
        let files = self.paths();
        let snapshot = Snapshot {
            sources: self.sources.clone(),
            input: Arc::new(input),
            checked,
            diagnostics,
            files,
            wanted: wanted.into(),
            times: SnapshotTimes { parse_us: std::mem::take(&mut self.parse_us), check_us: clock.micros() },
        };
        self.last = Some(snapshot.clone());
        snapshot
    }

    /// What the parser and the checker have to say.
    fn diagnostics(&self, input: &Input, checked: &Checked) -> Arc<[Diagnostic]> {
        let own = input.modules.iter().filter(|module| !module.name.starts_with("std/"));
        let mut found = Vec::new();
        for item in own.flat_map(|module| &module.tree.items) {
            found.extend(item.diagnostics.iter().cloned());
        }
        let syntax_is_clean = found.is_empty();
        found.extend(checked.diagnostics.iter().cloned());
        if !syntax_is_clean {
            let at = |diagnostic: &Diagnostic| {
                self.sources.resolve(diagnostic.primary.place).map(|(file, range)| (file, range.start))
            };
            found.sort_by_cached_key(at);
        }
        found.into()
    }

    fn paths(&self) -> Arc<[PathBuf]> {
        let mut paths: Vec<PathBuf> = self.files.values().map(|file| file.path.clone()).collect();
        paths.sort_by_key(|path| (path != &self.root, path.clone()));
        paths.into()
    }

    fn module(&mut self, name: Name, queue: &mut Vec<Name>, wanted: &mut Vec<PathBuf>) -> ModuleInput {
        let file = self.files.get(&name).or_else(|| self.library.get(&name)).cloned();
        let file = file.expect("a module is queued once its file is loaded");
        let requests = imports::requests(&file.tree);
        let targets = requests.iter().map(|path| self.find_import(&file, name, path, wanted)).collect::<Vec<_>>();
        queue.extend(targets.iter().filter_map(|target| target.as_ref().ok()));
        ModuleInput { name, file: file.id, tree: file.tree, imports: targets }
    }

    /// The module an import names, loaded if it was not yet.
    fn find_import(
        &mut self,
        from: &LoadedFile,
        from_name: Name,
        path: &[Name],
        wanted: &mut Vec<PathBuf>,
    ) -> Result<Name, String> {
        if path.first().is_some_and(|first| *first == "std") || from_name.starts_with("std/") {
            if let Some(found) = self.find_in_library(path) {
                return Ok(found);
            }
            if path.first().is_some_and(|first| *first == "std") {
                return Err(imports::missing_library_module(path, &self.options.library));
            }
        }
        let folder = from.path.parent().unwrap_or(Path::new("")).to_path_buf();
        let prefix = from_name.rfind('/').map_or("", |slash| &from_name[..=slash]);
        let candidates = imports::candidates(path, prefix);
        for (name, relative) in &candidates {
            let path = folder.join(relative);
            if self.files.contains_key(name) {
                if self.options.loader.exists(&path) || self.is_from_memory(name) {
                    return Ok(*name);
                }
                continue;
            }
            if let Some(text) = self.kept.remove(&path) {
                let disk = self.options.loader.read(&path).map_or_else(|_| text.clone(), Arc::from);
                self.put(*name, path, text);
                self.files.entry(*name).and_modify(|file| (file.disk, file.from_memory) = (disk, true));
                return Ok(*name);
            }
            match self.options.loader.read(&path) {
                Ok(text) => {
                    self.put(*name, path, text.into());
                    return Ok(*name);
                }
                Err(error) if error.is_missing() => {}
                Err(error) => {
                    // It may become one that can be read.
                    wanted.push(path);
                    return Err(error.to_string());
                }
            }
        }
        wanted.extend(candidates.iter().map(|(_, relative)| folder.join(relative)));
        Err(format!("there is no file `{}`", folder.join(&candidates[0].1).display()))
    }

    fn is_from_memory(&self, name: &Name) -> bool {
        self.files.get(name).is_some_and(|file| file.from_memory)
    }

    fn find_in_library(&mut self, path: &[Name]) -> Option<Name> {
        let full: Vec<&str> = path.iter().map(|part| part.as_str()).collect();
        for length in (1..=full.len()).rev() {
            let name = Name::new(&full[..length].join("/"));
            if self.load_library(name) {
                return Some(name);
            }
        }
        None
    }

    fn load_library(&mut self, name: Name) -> bool {
        if self.library.contains_key(&name) {
            return true;
        }
        let Some((_, text)) = self.options.library.iter().find(|(module, _)| *module == name) else { return false };
        let path = PathBuf::from(format!("{name}.vais"));
        let next = FileId(self.ids.len() as u32);
        let id = *self.ids.entry(path.clone()).or_insert(next);
        let tree = library_tree(text);
        let (disk, text, needed) = (text.clone(), text.clone(), Needed::default());
        let file = LoadedFile { id, path, text, disk, from_memory: false, tree, needed };
        Arc::make_mut(&mut self.sources).insert(id, file.source());
        self.library.insert(name, file);
        true
    }

    fn add_prelude(&mut self, modules: &mut Vec<ModuleInput>, seen: &mut FxHashSet<Name>, wanted: &mut Vec<PathBuf>) {
        let needed = self.files.values().fold(Needed::default(), |needed, file| needed.and(file.needed));
        let mut queue = vec![Name::new("std/prelude")];
        queue.extend(needed.modules());
        queue.retain(|name| self.load_library(*name));
        while let Some(name) = queue.pop() {
            if seen.insert(name) {
                let module = self.module(name, &mut queue, wanted);
                modules.push(module);
            }
        }
    }

    fn forget_all_but(&mut self, used: &FxHashSet<Name>) {
        let gone: Vec<Name> = self.files.keys().filter(|name| !used.contains(*name)).copied().collect();
        for name in gone {
            if let Some(file) = self.files.remove(&name) {
                Arc::make_mut(&mut self.sources).remove(file.id);
            }
        }
    }
}

/// What a file holds, or why it cannot be read.
type Reading = (PathBuf, Result<Arc<str>, LoadError>);

/// The text that is given for a file.
fn given(saved: &[(PathBuf, Arc<str>)], path: &Path) -> Option<Arc<str>> {
    saved.iter().find(|(saved, _)| saved == path).map(|(_, text)| text.clone())
}

/// A library module's tree, parsed once for all programs of the process.
fn library_tree(text: &Arc<str>) -> Arc<Module> {
    static TREES: Mutex<Vec<(Arc<str>, Arc<Module>)>> = Mutex::new(Vec::new());
    let mut trees = TREES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, tree)) = trees.iter().find(|(known, _)| known == text) {
        return tree.clone();
    }
    let tree = Arc::new(vaisjit_syntax::parse(text));
    trees.push((text.clone(), tree.clone()));
    tree
}

impl LoadedFile {
    fn source(&self) -> SourceFile {
        SourceFile { path: self.path.clone(), text: self.text.clone(), module: self.tree.clone() }
    }
}
