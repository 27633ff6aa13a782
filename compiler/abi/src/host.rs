//! Host functions: native functions that programs call by name.
//!
//! The standard library and an embedder's own functions are described the same way: a declaration in the language's
//! own syntax and an address. The compiler reads only the declaration.

/// A native function that programs can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFunction {
    /// The name programs use.
    pub name: String,
    /// Parameters and result in the language's syntax, such as `(path: str, n: i64) -> i64`.
    pub signature: String,
    /// Address of an `extern "C"` function. Its first parameter is `*mut CallContext` unless `flags.leaf` is set; the
    /// rest are the declared ones: integers, floats, `bool` as one byte, and pointers (also for `str`).
    pub address: usize,
    /// What the function does to the thread that calls it.
    pub flags: HostFlags,
}

/// Properties of a host function that change how it is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostFlags {
    /// The function only computes: it does not block, fail, call back, or take the call context. It is called without
    /// an exit thunk, so it must be quick and must not be given addresses it would read.
    pub leaf: bool,
    /// The function works on the program's heap: it takes the call context and may trap, but neither blocks nor calls back.
    /// The thread counts as running meanwhile, so that no commit finds the heap half changed.
    pub heap: bool,
    /// The call is an explicit safepoint (`hot_check`, `hot_reload`): a waiting reload may be applied inside it,
    /// whatever loops its callers are in.
    pub safepoint: bool,
}
