//! What generated code and the process agree on: the call context, records on the stack, trap codes, the shape of
//! strings and the signatures of host functions.
//!
//! `codegen` emits code against these definitions and `runtime` implements them; neither knows anything about the
//! other beyond this crate, which depends on nothing.
#![warn(missing_docs)]

pub mod context;
pub mod format;
pub mod heap;
pub mod host;
pub mod slot;
pub mod string;
pub mod trap;

pub use context::{CallContext, EntryRecord, FrameBlock};
pub use host::{HostFlags, HostFunction};
pub use trap::TrapCode;

/// Size of a pointer, of a function value and of a `str` in generated code, in bytes.
pub const POINTER_SIZE: u32 = 8;
