//! A reload: prepared aside, tried and committed.
//!
//! ```text
//! snapshot --prepare--> Prepared --commit--> a new version
//!     |                    |
//!     +-> Rejected         +-> Refused
//! ```
//!
//! [`prepare`](prepare::prepare) compares a snapshot with what is live, compiles what changed into fresh modules and
//! says of every edit what will happen to it; all that can fail happens there. [`commit`] only stores.

pub(crate) mod admissible;
pub(crate) mod commit;
pub(crate) mod compile;
pub(crate) mod diff;
pub(crate) mod guards;
pub(crate) mod items;
pub(crate) mod kept;
pub(crate) mod left;
pub mod links;
pub(crate) mod migrate;
pub(crate) mod prepare;
pub(crate) mod renames;
pub(crate) mod replace;
pub(crate) mod turns;
pub(crate) mod unfinished;
