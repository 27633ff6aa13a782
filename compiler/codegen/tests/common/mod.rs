//! Hand-built MIR, compiled into a module of its own and run: what the tests of code generation share.
#![allow(dead_code, unused_imports, reason = "each test uses a part of it")]

pub mod build;
pub mod run;
pub mod transfer;
pub mod trap;

pub use build::*;
pub use run::*;
