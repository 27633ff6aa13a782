//! temporary
pub mod code;
pub mod watch;
