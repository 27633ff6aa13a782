//! Tree to checked program: names, types, and the typed tree (HIR) that code is made from.
//!
//! [`check`] takes all modules of a program and the result of the check before; it checks again only what an edit can
//! have changed. It reads no files, knows nothing about machine code, and a generic function reaches the HIR only as
//! concrete instances.
#![forbid(unsafe_code)]

mod assemble;
mod attributes;
mod bodies;
mod check;
mod closures;
pub mod codes;
mod conform;
mod driver;
pub mod dump;
mod half;
pub mod hir;
mod index;
mod infer;
mod interface;
mod lower;
mod marked;
pub mod program;
mod reach;
pub mod rename;
mod state;
mod suggest;
pub mod types;
mod walk;
mod world;

pub use check::builtin::NAMES as BUILTIN_NAMES;
pub use check::{canonical_method, is_library, only_reads};
pub use closures::owner_and_number;
pub use driver::{check, check_with};
pub use lower::BUILTIN_TYPES;
pub use program::{Checked, Input, ModuleInput, Running};
pub use reach::reached;
pub use rename::Renames;
pub use types::{Instance, ItemPath, Ty, TyKind, TyList};
