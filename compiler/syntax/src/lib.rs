//! Text to tree: source files, spans, diagnostics and their rendering, the lexer and the parser.
//!
//! This crate knows no types and no other file than the one it is given, and does no input or output. `parse` is its
//! centre: it makes a [`Module`] from a text and, given the module of an earlier text, parses again only the items that
//! an edit touched.
#![forbid(unsafe_code)]

pub mod ast;
pub mod codes;
pub mod diagnostic;
pub mod dump;
pub mod format;
mod layout;
mod lexer;
mod literal;
pub mod module;
pub mod name;
pub mod parse;
mod parser;
pub mod render;
pub mod source;

pub use diagnostic::{Code, Diagnostic, Label, Severity, Suggestion};
pub use dump::dump;
pub use format::format;
pub use layout::{LEFT_OUT_HELP, foreign_type, left_out_name};
pub use lexer::KEYWORDS;
pub use module::{Module, ParsedItem};
pub use name::Name;
pub use parse::{parse, reparse};
pub use render::{Format, render};
pub use source::{Anchor, FileId, ItemId, Place, SourceFile, Sources, Span};
