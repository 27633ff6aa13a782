//! Host functions that only fail: what compiled code calls to trap with a message.

use std::ffi::c_char;

use vaisjit_abi::{CallContext, TrapCode};

use super::closure::HostArgument;
use super::raise;

extern "C" fn trap_message(context: *mut CallContext, code: i64, message: *const c_char) {
    let code = u8::try_from(code).ok().and_then(TrapCode::from_number).unwrap_or(TrapCode::Panic);
    // SAFETY: generated code passes a `str`, which stays as it is during the call.
    let text = unsafe { <&str as HostArgument>::from_machine(message) };
    let message = match code {
        _ if text.is_empty() => code.message().to_owned(),
        TrapCode::Panic | TrapCode::HostFailure => text.to_owned(),
        _ => format!("{}: {text}", code.message()),
    };
    // SAFETY: the context is that of the call that is going on.
    unsafe { raise(context, code, message) };
}

/// Name, declaration and address of each.
pub fn host_traps() -> [(&'static str, &'static str, usize); 1] {
    [("trap_message", "(code: i64, message: str)", trap_message as *const () as usize)]
}
