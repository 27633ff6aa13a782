//! Asking a running program, from another process, what a save would do to it.
//!
//! The process listens on a Unix socket that only its own user can talk to. One line of JSON each way; the form is
//! described in `docs/src/live.md`. An ask leaves no trace in the program that is asked.

mod client;
mod server;
mod socket;
mod text;
mod wire;

pub use client::{AskError, check_against};
pub(crate) use server::Answering;
pub use wire::{AskFormat, Verdict};
