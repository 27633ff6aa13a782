//! `vaisjit test [FILE or FOLDER]`.
//!
//! Each test runs in a process of its own, told its name by an environment variable: so it begins with fresh globals,
//! what it prints can be kept until it is known whether anybody wants to read it, and nothing it does can end the others,
//! not even a fault inside C code.

use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

use vaisjit::render::Format;
use vaisjit::{Engine, Error};

use crate::args::{Color, TestOptions};
use crate::sources;
use crate::status::say;
use crate::{FAILURE, USAGE};

/// Names the one test that a process is started for.
const ALONE: &str = "VAISJIT_TEST_ALONE";

/// Runs the tests of a file, or of all files below a folder.
pub fn test(options: &TestOptions) -> ExitCode {
    let engine = match Engine::builder().static_mode(true).single_threaded(true).build() {
        Ok(engine) => engine,
        Err(error) => return fail(&format!("error: {error}"), USAGE),
    };
    if let Some(name) = std::env::var_os(ALONE) {
        return alone(&engine, &name.to_string_lossy(), options);
    }
    let files = match options.path.is_dir() {
        true => sources::below(&options.path),
        false => Ok(vec![options.path.clone()]),
    };
    let files = match files {
        Ok(files) => files,
        Err(error) => return fail(&format!("error: {error}"), FAILURE),
    };
    let mut runner = Runner { engine, options, passed: 0, failed: 0 };
    for file in &files {
        if let Err(error) = runner.file(file) {
            return fail(&format!("error: {error}"), FAILURE);
        }
    }
    print(&format!("{} passed, {} failed\n", runner.passed, runner.failed));
    if runner.failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

struct Runner<'o> {
    engine: Engine,
    options: &'o TestOptions,
    passed: usize,
    failed: usize,
}

impl Runner<'_> {
    /// Runs the tests of a file. A file with mistakes counts as one that failed.
    fn file(&mut self, file: &Path) -> Result<(), Error> {
        let tests = match self.engine.tests(file) {
            Ok(tests) => tests,
            Err(Error::Rejected(diagnostics)) => {
                say(diagnostics.render(Format::Human, self.options.color.on_stderr()).trim_end());
                self.tell(&file.display().to_string(), Err("it has mistakes".to_owned()));
                return Ok(());
            }
            Err(error) if !self.options.path.is_dir() => return Err(error),
            Err(error) => {
                self.tell(&file.display().to_string(), Err(error.to_string()));
                return Ok(());
            }
        };
        for test in tests {
            let shown = self.shown_name(file, &test.name);
            if self.options.filter.as_ref().is_none_or(|text| shown.contains(text)) {
                let result = self.start(file, &test.name);
                self.tell(&shown, result);
            }
        }
        Ok(())
    }

    /// Of several files' tests, each is called by its file's name too.
    fn shown_name(&self, file: &Path, name: &str) -> String {
        if !self.options.path.is_dir() {
            return name.to_owned();
        }
        let module = file.strip_prefix(&self.options.path).unwrap_or(file).with_extension("");
        format!("{}::{name}", module.display())
    }

    /// Runs a test in a process of its own; an error is what there is to say about its failure.
    fn start(&self, file: &Path, name: &str) -> Result<(), String> {
        let color = if self.options.color.on_stdout() { "always" } else { "never" };
        let output = std::env::current_exe().and_then(|own| {
            let mut command = Command::new(own);
            command.args(["test", "--color", color, "--"]).arg(file);
            command.env(ALONE, name).stdin(Stdio::null()).output()
        });
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(reason(&output)),
            Err(error) => Err(format!("cannot be started: {error}")),
        }
    }

    fn tell(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                print(&format!("test {name} ... ok\n"));
            }
            Err(reason) => {
                self.failed += 1;
                let lines = reason.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n");
                print(&format!("test {name} ... FAILED\n{}", lines.collect::<String>()));
            }
        }
    }
}

/// What a failed test said, and what it had printed.
fn reason(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    if output.status.code() != Some(FAILURE.into()) {
        text = format!("{text}\nits process ended with {}", output.status).trim_start().to_owned();
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    if !printed.is_empty() {
        text += &format!("\nprinted before:\n{printed}");
    }
    text
}

/// Runs one test in this process.
fn alone(engine: &Engine, name: &str, options: &TestOptions) -> ExitCode {
    let color = options.color.color == Color::Always;
    let result = engine.load_file(&options.path).map(|program| program.run_test(name));
    vaisjit::flush_stdout();
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => fail(&failure.to_string(), FAILURE),
        Err(Error::Rejected(diagnostics)) => fail(diagnostics.render(Format::Human, color).trim_end(), FAILURE),
        Err(Error::Trap(trap)) => fail(&trap.report(), FAILURE),
        Err(error) => fail(&format!("error: {error}"), FAILURE),
    }
}

fn fail(text: &str, status: u8) -> ExitCode {
    say(text);
    ExitCode::from(status)
}

fn print(text: &str) {
    // A closed pipe (`| head`) is nobody's mistake.
    let _ = vaisjit::write_to_stdout(text);
}
