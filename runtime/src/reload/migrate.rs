//! Carrying live values over to the layouts of a new version.

pub(crate) mod defaults;
pub(crate) mod known;
pub(crate) mod notes;
pub(crate) mod plan;
