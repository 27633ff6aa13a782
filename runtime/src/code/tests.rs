//! Tests of the fence with small functions built by hand.

mod callbacks;
mod cost;
mod entering;
mod freeing;
mod heap;
mod kit;
mod processes;
mod safepoints;
mod trapping;

#[path = "../../../tests/alone.rs"]
mod alone;
