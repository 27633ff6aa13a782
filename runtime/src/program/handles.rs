//! Typed handles of functions: the signature is checked once, the newest version is called always.

use std::marker::PhantomData;
use std::sync::Arc;

use vaisjit_semantics::Ty;
use vaisjit_semantics::types::IntKind;

use super::run::Entry;
use super::{Program, ProgramInner};
use crate::engine::Error;
use crate::hot::is_restart;
use crate::pause::{Answer, Call};
use crate::trap::Trap;

/// A function of a program with arguments `A` (a tuple) and result `R`. It keeps the program alive.
///
/// If a reload changes the function's signature, the handle goes on calling the last version with the old one, as a
/// function value in the program would.
pub struct Function<A, R> {
    program: Arc<ProgramInner>,
    entry: Entry,
    types: PhantomData<fn(A) -> R>,
}

/// A Rust type that can be passed to a program.
pub trait Argument: Copy {
    /// Is it what the language calls `ty`?
    fn fits(ty: Ty) -> bool;
    /// Its name in messages.
    const NAME: &'static str;
    /// The machine word.
    fn word(self) -> u64;
}

/// A Rust type that can come back from a program.
pub trait Returned {
    /// Is it what the language calls `ty`?
    fn fits(ty: Ty) -> bool;
    /// Its name in messages.
    const NAME: &'static str;
    /// The value of a machine word.
    fn from_words(words: u128) -> Self;
}

macro_rules! integers {
    ($($rust:ty = $kind:ident),*) => {$(
        impl Argument for $rust {
            const NAME: &'static str = stringify!($rust);
            fn fits(ty: Ty) -> bool {
                ty == Ty::int(IntKind::$kind)
            }
            fn word(self) -> u64 {
                self as u64
            }
        }
        impl Returned for $rust {
            const NAME: &'static str = stringify!($rust);
            fn fits(ty: Ty) -> bool {
                ty == Ty::int(IntKind::$kind)
            }
            fn from_words(words: u128) -> $rust {
                words as $rust
            }
        }
    )*};
}
integers!(i8 = I8, i16 = I16, i32 = I32, i64 = I64, u8 = U8, u16 = U16, u32 = U32, u64 = U64);

impl Argument for f64 {
    const NAME: &'static str = "f64";
    fn fits(ty: Ty) -> bool {
        ty == Ty::f64()
    }
    fn word(self) -> u64 {
        self.to_bits()
    }
}
impl Returned for f64 {
    const NAME: &'static str = "f64";
    fn fits(ty: Ty) -> bool {
        ty == Ty::f64()
    }
    fn from_words(words: u128) -> f64 {
        f64::from_bits(words as u64)
    }
}
impl Argument for f32 {
    const NAME: &'static str = "f32";
    fn fits(ty: Ty) -> bool {
        ty == Ty::f32()
    }
    fn word(self) -> u64 {
        self.to_bits().into()
    }
}
impl Returned for f32 {
    const NAME: &'static str = "f32";
    fn fits(ty: Ty) -> bool {
        ty == Ty::f32()
    }
    fn from_words(words: u128) -> f32 {
        f32::from_bits(words as u32)
    }
}
impl Argument for bool {
    const NAME: &'static str = "bool";
    fn fits(ty: Ty) -> bool {
        ty == Ty::bool()
    }
    fn word(self) -> u64 {
        self.into()
    }
}
impl Returned for bool {
    const NAME: &'static str = "bool";
    fn fits(ty: Ty) -> bool {
        ty == Ty::bool()
    }
    fn from_words(words: u128) -> bool {
        words as u8 != 0
    }
}
impl<T> Argument for *mut T {
    const NAME: &'static str = "pointer";
    fn fits(ty: Ty) -> bool {
        ty.pointee().is_some()
    }
    fn word(self) -> u64 {
        self as usize as u64
    }
}
impl<T> Argument for *const T {
    const NAME: &'static str = "pointer";
    fn fits(ty: Ty) -> bool {
        ty.pointee().is_some()
    }
    fn word(self) -> u64 {
        self as usize as u64
    }
}
impl Returned for () {
    const NAME: &'static str = "()";
    fn fits(ty: Ty) -> bool {
        ty.is_unit()
    }
    fn from_words(_: u128) {}
}

/// A tuple of arguments.
pub trait Arguments {
    /// The Rust types do not fit these parameters: how the parameters should be declared.
    fn mismatch(params: &[Ty]) -> Option<String>;
    /// Appends the machine words.
    fn words(self, words: &mut Vec<u64>);
}

macro_rules! tuples {
    ($($ty:ident $value:ident),*) => {
        impl<$($ty: Argument),*> Arguments for ($($ty,)*) {
            fn mismatch(params: &[Ty]) -> Option<String> {
                let names: &[&str] = &[$($ty::NAME),*];
                let fits: &[fn(Ty) -> bool] = &[$($ty::fits),*];
                let same = fits.len() == params.len() && fits.iter().zip(params).all(|(fits, ty)| fits(*ty));
                (!same).then(|| names.join(", "))
            }
            #[expect(clippy::allow_attributes, reason = "the empty tuple uses no words")]
            #[allow(unused_variables)]
            fn words(self, words: &mut Vec<u64>) {
                let ($($value,)*) = self;
                $(words.push($value.word());)*
            }
        }
    };
}
tuples!();
tuples!(A a);
tuples!(A a, B b);
tuples!(A a, B b, C c);
tuples!(A a, B b, C c, D d);
tuples!(A a, B b, C c, D d, E e);
tuples!(A a, B b, C c, D d, E e, F f);
tuples!(A a, B b, C c, D d, E e, F f, G g);
tuples!(A a, B b, C c, D d, E e, F f, G g, H h);

impl Program {
    /// A function of the root file, as a handle that calls the newest version always. Fails when there is none of that
    /// name or its types are not `A` and `R`.
    pub fn function<A: Arguments, R: Returned>(&self, name: &str) -> Result<Function<A, R>, Error> {
        let entry = self.inner.entry(self.inner.find(name)?)?;
        let is = || {
            let params: Vec<String> = entry.params.iter().map(Ty::to_string).collect();
            format!("F {name}({}) -> {}", params.join(", "), entry.result)
        };
        if let Some(wanted) = A::mismatch(&entry.params) {
            return Err(Error::Other(format!("`{name}` is `{}`, not a function of ({wanted})", is())));
        }
        if !R::fits(entry.result) {
            return Err(Error::Other(format!("`{name}` is `{}`, its result is not `{}`", is(), R::NAME)));
        }
        Ok(Function { program: self.inner.clone(), entry, types: PhantomData })
    }
}

impl<A: Arguments, R: Returned> Function<A, R> {
    /// Calls the newest version. A trap ends the call, not the process; the program stays usable.
    pub fn call(&self, arguments: A) -> Result<R, Trap> {
        let mut words = Vec::with_capacity(8);
        arguments.words(&mut words);
        loop {
            match self.program.enter(&self.entry, &mut words) {
                Ok(value) => return Ok(R::from_words(value)),
                Err(trap) if self.program.pause(&trap, Call::Slot(&self.entry.slot)) == Answer::Repeat => {}
                Err(trap) => {
                    if is_restart(&trap) {
                        self.program.restart_from_outside();
                    }
                    return Err(trap);
                }
            }
        }
    }
}
