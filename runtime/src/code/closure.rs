//! Rust closures as host functions: how machine values become arguments, and the `extern "C"` entry of each closure type.

use std::any::Any;
use std::ffi::c_char;
use std::sync::Arc;

use vaisjit_abi::heap::CLOSURE_TAG;
use vaisjit_abi::{CallContext, TrapCode, string};

use super::raise;

/// A type that host functions take from programs.
pub trait HostArgument {
    /// The type in the language.
    const TYPE: &'static str;
    /// What the machine passes.
    type Machine: Copy;
    /// The argument as the closure sees it during one call.
    type Item<'a>;
    /// The argument of the call that is going on.
    ///
    /// # Safety
    /// `machine` is what generated code passed for a parameter of type `TYPE`, and `'a` does not outlive the call.
    unsafe fn from_machine<'a>(machine: Self::Machine) -> Self::Item<'a>;
}

/// A type that host functions return to programs.
pub trait HostResult {
    /// The type in the language; empty for unit.
    const TYPE: &'static str;
    /// What the machine returns.
    type Machine: Copy + Default;
    /// The machine value, or why the host function failed.
    ///
    /// # Safety
    /// `context` is that of the call that is going on.
    unsafe fn into_machine(self, context: *mut CallContext) -> Result<Self::Machine, String>;
}

macro_rules! plain {
    ($($rust:ty = $name:literal),*) => {$(
        impl HostArgument for $rust {
            const TYPE: &'static str = $name;
            type Machine = $rust;
            type Item<'a> = $rust;
            unsafe fn from_machine<'a>(machine: $rust) -> Self::Item<'a> {
                machine
            }
        }
        impl HostResult for $rust {
            const TYPE: &'static str = $name;
            type Machine = $rust;
            unsafe fn into_machine(self, _: *mut CallContext) -> Result<$rust, String> {
                Ok(self)
            }
        }
    )*};
}
plain!(
    i8 = "i8",
    i16 = "i16",
    i32 = "i32",
    i64 = "i64",
    u8 = "u8",
    u16 = "u16",
    u32 = "u32",
    u64 = "u64",
    f32 = "f32",
    f64 = "f64"
);

impl HostArgument for bool {
    const TYPE: &'static str = "bool";
    type Machine = u8;
    type Item<'a> = bool;
    unsafe fn from_machine<'a>(machine: u8) -> Self::Item<'a> {
        machine != 0
    }
}
impl HostResult for bool {
    const TYPE: &'static str = "bool";
    type Machine = u8;
    unsafe fn into_machine(self, _: *mut CallContext) -> Result<u8, String> {
        Ok(self.into())
    }
}

impl HostArgument for &str {
    const TYPE: &'static str = "str";
    type Machine = *const c_char;
    type Item<'a> = &'a str;
    unsafe fn from_machine<'a>(machine: *const c_char) -> &'a str {
        if machine.is_null() {
            return "";
        }
        // SAFETY: by the caller's promise this is a `str`: its length lies before the bytes, which are UTF-8 and stay
        // as they are during the call.
        unsafe {
            let length = machine.byte_offset(string::LENGTH_OFFSET as isize).cast::<i64>().read_unaligned();
            std::str::from_utf8_unchecked(std::slice::from_raw_parts(machine.cast::<u8>(), length as usize))
        }
    }
}

/// A function of the program as a value, of type `fn(i64) -> i64`: the address of its slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FunctionValue(pub usize);

impl FunctionValue {
    /// Has it captured variables? Then it is no slot, and lives only as long as somebody in the program holds it.
    pub fn is_closure(self) -> bool {
        self.0 & CLOSURE_TAG as usize != 0
    }
}

impl HostArgument for FunctionValue {
    const TYPE: &'static str = "fn(i64) -> i64";
    type Machine = usize;
    type Item<'a> = FunctionValue;
    unsafe fn from_machine<'a>(machine: usize) -> Self::Item<'a> {
        FunctionValue(machine)
    }
}

/// A `str` that lives as long as the program: the address of its first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StrValue(pub usize);

impl HostResult for StrValue {
    const TYPE: &'static str = "str";
    type Machine = usize;
    unsafe fn into_machine(self, _: *mut CallContext) -> Result<usize, String> {
        Ok(self.0)
    }
}

/// A new `str` of the program's heap.
impl HostResult for String {
    const TYPE: &'static str = "str";
    type Machine = usize;
    unsafe fn into_machine(self, context: *mut CallContext) -> Result<usize, String> {
        // SAFETY: by the caller's promise.
        Ok(unsafe { new_str(context, &self) })
    }
}

/// A new `str` of the program's heap.
impl HostResult for &'static str {
    const TYPE: &'static str = "str";
    type Machine = usize;
    unsafe fn into_machine(self, context: *mut CallContext) -> Result<usize, String> {
        // SAFETY: by the caller's promise.
        Ok(unsafe { new_str(context, self) })
    }
}

/// A new `str` of the program that a call belongs to.
///
/// # Safety
/// `context` is that of the call that is going on.
unsafe fn new_str(context: *mut CallContext, text: &str) -> usize {
    // SAFETY: the context's services live as long as its program, and the text is valid for its length.
    unsafe { ((*(*context).services).new_str)(context, text.as_ptr(), text.len()) as usize }
}

impl HostResult for () {
    const TYPE: &'static str = "";
    type Machine = u8;
    unsafe fn into_machine(self, _: *mut CallContext) -> Result<u8, String> {
        Ok(0)
    }
}

impl<T: HostResult> HostResult for Result<T, String> {
    const TYPE: &'static str = T::TYPE;
    type Machine = T::Machine;
    unsafe fn into_machine(self, context: *mut CallContext) -> Result<T::Machine, String> {
        // SAFETY: by the caller's promise.
        unsafe { self?.into_machine(context) }
    }
}

/// A closure made callable by programs.
#[derive(Clone)]
pub struct HostClosure {
    /// Its declaration, such as `(a: f64, b: str) -> i64`.
    pub signature: String,
    /// Address of an `extern "C"` function that takes the call context, the environment and the arguments.
    pub entry: usize,
    /// The closure; its address is the environment.
    environment: Arc<dyn Any + Send + Sync>,
}

impl HostClosure {
    /// What generated code passes as the second argument.
    pub fn environment(&self) -> usize {
        Arc::as_ptr(&self.environment).cast::<()>() as usize
    }
}

/// Closures that can be host functions; `Marker` only tells the argument lists apart.
pub trait IntoHostClosure<Marker>: Send + Sync + 'static {
    /// The closure with its entry.
    fn into_host_closure(self) -> HostClosure;
}

macro_rules! closures {
    ($($argument:ident $value:ident),*) => {
        impl<Function, Out, $($argument),*> IntoHostClosure<fn($($argument,)*) -> Out> for Function
        where
            Function: Send + Sync + 'static,
            Function: Fn($($argument),*) -> Out,
            Function: for<'a> Fn($($argument::Item<'a>),*) -> Out,
            Out: HostResult,
            $($argument: HostArgument,)*
        {
            fn into_host_closure(self) -> HostClosure {
                extern "C" fn entry<Function, Out, $($argument),*>(
                    context: *mut CallContext,
                    function: *const Function,
                    $($value: $argument::Machine),*
                ) -> Out::Machine
                where
                    Function: for<'a> Fn($($argument::Item<'a>),*) -> Out,
                    Out: HostResult,
                    $($argument: HostArgument,)*
                {
                    // SAFETY: generated code passes the environment it was linked with, the address of the closure
                    // that `HostClosure` keeps alive as long as the program, and arguments of the declared types.
                    let call = || unsafe { (*function)($($argument::from_machine($value)),*).into_machine(context) };
                    let failure = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)) {
                        Ok(Ok(value)) => return value,
                        Ok(Err(message)) => message,
                        Err(panic) => format!("a host function panicked: {}", panic_text(&*panic)),
                    };
                    // SAFETY: the context is that of the call that is going on.
                    unsafe { raise(context, TrapCode::HostFailure, failure) };
                    Out::Machine::default()
                }
                let parameters: Vec<String> =
                    [$(concat!(stringify!($value), ": ").to_owned() + $argument::TYPE),*].into();
                let result = if Out::TYPE.is_empty() { String::new() } else { format!(" -> {}", Out::TYPE) };
                let entry: extern "C" fn(*mut CallContext, *const Function, $($argument::Machine),*) -> Out::Machine =
                    entry::<Function, Out, $($argument),*>;
                HostClosure {
                    signature: format!("({}){result}", parameters.join(", ")),
                    entry: entry as usize,
                    environment: Arc::new(self),
                }
            }
        }
    };
}
closures!();
closures!(A a);
closures!(A a, B b);
closures!(A a, B b, C c);
closures!(A a, B b, C c, D d);
closures!(A a, B b, C c, D d, E e);
closures!(A a, B b, C c, D d, E e, F f);
closures!(A a, B b, C c, D d, E e, F f, G g);
closures!(A a, B b, C c, D d, E e, F f, G g, H h);

/// The text of a panic.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown reason")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_read_off_the_closure() {
        let closure = (|x: f64, name: &str, on: bool| -> i64 { x as i64 + name.len() as i64 + i64::from(on) })
            .into_host_closure();
        assert_eq!(closure.signature, "(a: f64, b: str, c: bool) -> i64");
        assert_eq!((|name: &str| name.to_uppercase()).into_host_closure().signature, "(a: str) -> str");
        let nothing = (|| {}).into_host_closure();
        assert_eq!(nothing.signature, "()");
        let failing = (|x: i64| -> Result<i64, String> { Ok(x) }).into_host_closure();
        assert_eq!(failing.signature, "(a: i64) -> i64");
    }
}
