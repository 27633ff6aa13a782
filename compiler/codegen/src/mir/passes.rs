//! Passes over MIR: linear in its size, each can be switched off.

mod blocks;
mod propagate;
mod scalars;

use vaisjit_semantics::Checked;

use crate::layout::Layouts;
use crate::mir::Body;

/// Which passes run, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passes {
    /// Structs and tuples nobody takes the address of become scalars.
    pub scalars: bool,
    /// Temporaries that only pass a value on disappear.
    pub propagate: bool,
    /// Blocks that cannot be reached disappear, chains of blocks become one.
    pub blocks: bool,
}

impl Passes {
    /// All of them.
    pub const ALL: Passes = Passes { scalars: true, propagate: true, blocks: true };
    /// None: MIR as lowering makes it, without what cannot be reached.
    pub const NONE: Passes = Passes { scalars: false, propagate: false, blocks: false };
}

/// Runs the passes. Unreachable blocks always go: what stands in them need not make sense.
pub fn run(body: &mut Body, program: &Checked, layouts: &dyn Layouts, passes: Passes) {
    blocks::remove_unreachable(body);
    if passes.scalars {
        scalars::replace(body, program, layouts);
    }
    if passes.blocks {
        blocks::join(body);
    }
    if passes.propagate {
        propagate::run(body);
    }
    if passes.propagate && passes.blocks && blocks::decides_any(body) {
        blocks::join(body);
    }
    if passes.scalars || passes.propagate {
        propagate::drop_unused_locals(body);
    }
}

#[cfg(test)]
mod tests;
