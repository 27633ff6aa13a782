//! Checked program to machine code: HIR -> MIR -> CLIF -> relocatable code, through `&mut dyn cranelift_module::Module`.
//!
//! This crate knows nothing about running programs: what a function is linked against it names by symbols
//! ([`link::Import`]), and whoever owns the module gives them addresses.
#![forbid(unsafe_code)]

pub mod clif;
pub mod host_calls;
pub mod info;
pub mod isa;
pub mod layout;
pub mod link;
pub mod lower;
pub mod mir;
pub mod resume;
pub mod shape;
pub mod thunks;
pub mod unit;
