//! temporary
pub mod watch;
