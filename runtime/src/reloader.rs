//! The seed's own Rust API: `HotReloader` and `HotReloadConfig`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::driver::Watching;
use crate::engine::{Engine, Error, OptLevel};
use crate::program::{Program, Update};

/// How a [`HotReloader`] works.
#[derive(Clone, Debug)]
pub struct HotReloadConfig {
    source: PathBuf,
    debounce: Duration,
    compiler_args: Vec<String>,
    verbose: bool,
}

impl HotReloadConfig {
    /// Reload the program whose root file is at this path.
    pub fn new(source: impl Into<PathBuf>) -> HotReloadConfig {
        HotReloadConfig {
            source: source.into(),
            debounce: Duration::from_millis(30),
            compiler_args: Vec::new(),
            verbose: false,
        }
    }

    /// The longest wait for a save to settle, in milliseconds.
    pub fn with_debounce(mut self, milliseconds: u64) -> HotReloadConfig {
        self.debounce = Duration::from_millis(milliseconds);
        self
    }

    /// `-O0` to `-O3` and `-g`; anything else makes [`HotReloader::new`] fail and name it.
    pub fn with_compiler_args(mut self, args: Vec<String>) -> HotReloadConfig {
        self.compiler_args = args;
        self
    }

    /// Tell of every reload on standard error.
    pub fn with_verbose(mut self, verbose: bool) -> HotReloadConfig {
        self.verbose = verbose;
        self
    }

    fn opt_level(&self) -> Result<OptLevel, Error> {
        let mut level = OptLevel::Speed;
        for arg in &self.compiler_args {
            match arg.as_str() {
                "-O0" => level = OptLevel::None,
                "-O1" | "-O2" | "-O3" => level = OptLevel::Speed,
                "-g" => {}
                other => {
                    let text = format!("unknown compiler argument `{other}`; there are -O0, -O1, -O2, -O3 and -g");
                    return Err(Error::Other(text));
                }
            }
        }
        Ok(level)
    }
}

/// What is called after each reload: with the root file and the number of the new version.
type ReloadCallback = Box<dyn FnMut(&Path, u64) + Send>;

/// A program that is reloaded when its files are saved.
///
/// ```no_run
/// use vaisjit::{HotReloadConfig, HotReloader};
///
/// let config = HotReloadConfig::new("game.vais")
///     .with_debounce(200)
///     .with_compiler_args(vec!["-O2".to_string(), "-g".to_string()])
///     .with_verbose(true);
/// let mut reloader = HotReloader::new(config)?;
/// reloader.set_reload_callback(|path, version| {
///     println!("Reloaded {} (v{version})", path.display());
/// });
/// reloader.run()?;
/// # Ok::<(), vaisjit::Error>(())
/// ```
pub struct HotReloader {
    program: Program,
    source: PathBuf,
    verbose: bool,
    callback: Option<ReloadCallback>,
}

impl HotReloader {
    /// Loads the program.
    pub fn new(config: HotReloadConfig) -> Result<HotReloader, Error> {
        let engine = Engine::builder().opt_level(config.opt_level()?).debounce(config.debounce).build()?;
        let program = engine.load_file(&config.source)?;
        Ok(HotReloader { program, source: config.source, verbose: config.verbose, callback: None })
    }

    /// Calls this after each reload.
    pub fn set_reload_callback(&mut self, callback: impl FnMut(&Path, u64) + Send + 'static) {
        self.callback = Some(Box::new(callback));
    }

    /// Applies what was saved since; true if there is a new version. A save with mistakes is an error and leaves the
    /// old version running.
    pub fn check(&mut self) -> Result<bool, Error> {
        let reloaded = matches!(self.program.poll()?, Update::Reloaded { .. });
        if reloaded {
            self.tell();
        }
        Ok(reloaded)
    }

    /// Runs `main`, reloading by itself, and returns its exit status.
    pub fn run(&mut self) -> Result<i32, Error> {
        let watching: Watching = self.program.watch()?;
        let events = watching.events();
        let mut callback = self.callback.take();
        let (source, verbose) = (self.source.clone(), self.verbose);
        let listener = std::thread::spawn(move || {
            for event in events {
                if let crate::Event::Reloaded { version, .. } = event {
                    if verbose {
                        eprintln!("reloaded v{version} {}", source.display());
                    }
                    if let Some(callback) = &mut callback {
                        callback(&source, version);
                    }
                }
            }
            callback
        });
        let result = self.program.run_main();
        drop(watching);
        if let Ok(callback) = listener.join() {
            self.callback = callback;
        }
        Ok(i32::from(result?))
    }

    /// The number of the running version.
    pub fn version(&self) -> u64 {
        self.program.version()
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    fn tell(&mut self) {
        let version = self.program.version();
        if self.verbose {
            eprintln!("reloaded v{version} {}", self.source.display());
        }
        if let Some(callback) = &mut self.callback {
            callback(&self.source, version);
        }
    }
}
