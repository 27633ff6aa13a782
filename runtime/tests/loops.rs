//! Edits of functions that are in the middle of a loop: they go on in their new code, with all they hold.
//!
//! The programs edit themselves: `next_text()` puts the next text in place, `hot_reload()` takes it over.

#[path = "loops/converted.rs"]
mod converted;
#[path = "loops/fresh.rs"]
mod fresh;
#[path = "loops/gathered.rs"]
mod gathered;
#[path = "loops/harness.rs"]
mod harness;
#[path = "loops/kinds.rs"]
mod kinds;
#[path = "loops/left.rs"]
mod left;
#[path = "loops/locals.rs"]
mod locals;
#[path = "loops/many.rs"]
mod many;
#[path = "loops/outgrown.rs"]
mod outgrown;
#[path = "loops/refusals.rs"]
mod refusals;
#[path = "loops/released.rs"]
mod released;
#[path = "loops/structs.rs"]
mod structs;
#[path = "loops/temporaries.rs"]
mod temporaries;
#[path = "loops/unfinished.rs"]
mod unfinished;
#[path = "loops/which.rs"]
mod which;
