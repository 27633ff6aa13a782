//! `vaisjit`: an in-process recompiler. Save the file, and the program that is already running is the new program.
//!
//! An [`Engine`] loads a [`Program`]; its functions are called through typed handles ([`Function`]) or by
//! [`Program::run_main`]. Reloads come from [`Program::poll`], from a watcher ([`Program::watch`]) or from memory
//! ([`Program::patch`]); each is prepared aside and made live as a whole or not at all.
//!
//! ```
//! use vaisjit::Engine;
//!
//! let engine = Engine::builder().build()?;
//! let program = engine.load_str("#[hot]\nF price(n: i64) -> i64 { n * 3 }")?;
//! let price = program.function::<(i64,), i64>("price")?;
//! assert_eq!(price.call((2,))?, 6);
//! program.patch("price", "#[hot]\nF price(n: i64) -> i64 { n * 3 - 1 }")?;
//! assert_eq!(price.call((2,))?, 5);
//! # Ok::<(), vaisjit::Error>(())
//! ```
#![warn(missing_docs)]

mod ask;
pub mod code;
mod codes;
mod driver;
mod dump;
mod engine;
mod events;
mod fault;
mod format;
mod heap;
mod history;
mod host;
mod hot;
mod linkage;
mod live;
mod pause;
mod program;
mod reload;
mod reloader;
mod report;
mod shapes;
mod signals;
mod state;
mod terminal;
mod tests;
mod threads;
mod told;
mod trap;
mod watch;
mod watch_only;
mod workspace;

pub use ask::{AskError, AskFormat, Verdict, check_against};
pub use code::closure::{FunctionValue, HostArgument, HostClosure, HostResult, IntoHostClosure, StrValue};
pub use code::end_on_closed_pipe;
pub use driver::Watching;
pub use dump::DumpStage;
pub use engine::{Engine, EngineBuilder, Error, OptLevel};
pub use events::{Diagnostics, Event};
#[doc(hidden)]
pub use fault::inject as inject_fault;
pub use format::{FormatError, format_source};
pub use heap::HeapReport;
pub use history::{Cause, HistoryEntry, KEPT_VERSIONS};
pub use program::{Argument, Arguments, Function, Prepared, Program, Returned, Update};
pub use reloader::{HotReloadConfig, HotReloader};
pub use report::{Edit, Location, Outcome, Report, Times};
pub use signals::{interrupt_on_signals, on_interrupt};
pub use state::StateReport;
pub use terminal::{Keys, terminal_size};
pub use tests::{TestFailure, TestFunction};
pub use trap::{Trap, TrapCode, TrapFrame, TrapLocal};
pub use vaisjit_semantics::{BUILTIN_NAMES, BUILTIN_TYPES};
pub use vaisjit_std::{flush_stdout, write_to_stdout};
pub use vaisjit_syntax::KEYWORDS;
pub use vaisjit_syntax::codes::CodeInfo;
pub use vaisjit_syntax::render;
pub use watch_only::CheckEvent;
pub use workspace::{DiskLoader, LoadError, Loader, MemoryLoader};

/// Every diagnostic code there is, in the order of the numbers.
pub fn codes() -> impl Iterator<Item = &'static CodeInfo> {
    let mut all: Vec<&CodeInfo> =
        vaisjit_syntax::codes::CODES.iter().chain(vaisjit_semantics::codes::TABLE).chain(codes::CODES).collect();
    all.sort_by_key(|info| info.code);
    all.into_iter()
}

/// The README's Rust is tested.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The book's, too.
#[cfg(doctest)]
#[doc = include_str!("../../docs/src/embedding.md")]
struct Embedding;
