//! Functions marked `#[test]`: finding and running them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use vaisjit_semantics::{Instance, ItemPath, Ty, TyKind};
use vaisjit_syntax::Name;

use crate::engine::{Engine, Error};
use crate::hot::Ending;
use crate::live::resolve;
use crate::program::Program;
use crate::report::Location;
use crate::trap::Trap;
use crate::workspace::DiskLoader;

/// A function marked `#[test]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFunction {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub at: Option<Location>,
}

/// Why a test failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestFailure {
    /// It trapped, as by a failed `assert`.
    Trap(Trap),
    /// It gave `false`, or a number other than 0; as text.
    Returned(String),
    /// It ended the program with this status.
    Exited(u8),
    /// There is no such test.
    Missing(String),
}

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TestFailure::Trap(trap) => f.write_str(&trap.report()),
            TestFailure::Returned(value) => write!(f, "returned {value}"),
            TestFailure::Exited(status) => write!(f, "ended the program with status {status}"),
            TestFailure::Missing(name) => write!(f, "there is no test `{name}`"),
        }
    }
}

impl std::error::Error for TestFailure {}

impl Engine {
    /// The tests of a file, in the order of its text; those of the files it imports are theirs. Fails when the program
    /// has mistakes.
    pub fn tests(&self, path: impl AsRef<Path>) -> Result<Vec<TestFunction>, Error> {
        let mut workspace = self.open(path.as_ref(), Arc::new(DiskLoader))?;
        let snapshot = workspace.snapshot();
        let diagnostics = self.diagnostics(&snapshot);
        if diagnostics.has_errors() {
            return Err(Error::Rejected(diagnostics));
        }
        let root = snapshot.input.modules[0].name;
        let functions = snapshot.checked.functions.iter();
        let tests = functions.filter(|(instance, function)| function.test && instance.path.module == root);
        let found = tests.map(|(instance, function)| TestFunction {
            name: instance.path.name.to_string(),
            at: resolve(function.head, &snapshot.sources).map(|resolved| resolved.at),
        });
        Ok(found.collect())
    }
}

impl Program {
    /// Runs one of the tests of the program's root file. The globals are as earlier calls left them: load the program
    /// again for a fresh start.
    pub fn run_test(&self, name: &str) -> Result<(), TestFailure> {
        let missing = || TestFailure::Missing(name.to_owned());
        let instance = {
            let live = self.inner.live();
            let root = live.snapshot.as_ref().ok_or_else(missing)?.input.modules[0].name;
            let instance = Instance::plain(ItemPath { module: root, name: Name::new(name) });
            live.checked.functions.get(&instance).filter(|function| function.test).ok_or_else(missing)?;
            instance
        };
        let entry = self.inner.entry(instance).map_err(|_| missing())?;
        vaisjit_std::prepare_stdout();
        self.inner.control.begin();
        let result = self.inner.enter(&entry, &mut []);
        match (result, self.inner.control.take_ending()) {
            (_, Some(Ending::Exit(status))) => Err(TestFailure::Exited(status)),
            (Err(trap), _) => Err(TestFailure::Trap(trap)),
            (Ok(value), _) => verdict(value, entry.result),
        }
    }
}

/// What a test's result says.
fn verdict(value: u128, ty: Ty) -> Result<(), TestFailure> {
    match ty.kind() {
        TyKind::Bool if value & 1 == 0 => Err(TestFailure::Returned("false".to_owned())),
        TyKind::Int(kind) => {
            let unused = 128 - kind.bits();
            let number = match kind.signed() {
                true => ((value << unused) as i128 >> unused).to_string(),
                false => (value << unused >> unused).to_string(),
            };
            if number == "0" { Ok(()) } else { Err(TestFailure::Returned(number)) }
        }
        _ => Ok(()),
    }
}
