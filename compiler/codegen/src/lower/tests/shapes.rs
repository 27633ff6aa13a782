//! The MIR that comes out: what the passes make of it.
