//! temporary
pub mod watch;
pub mod code {
    pub mod closure;
    pub unsafe fn raise(_: *mut vaisjit_abi::CallContext, _: vaisjit_abi::TrapCode, _: String) {}
}
