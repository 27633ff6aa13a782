//! Leaf functions: what generated code calls straight by the C convention, without an exit thunk.
//!
//! The arithmetic of 128 bits that has no machine instruction is implemented here; whoever links a unit gives
//! `leaf:NAME` the address that [`address`] tells. The other leaf names are host functions with the leaf flag and C
//! functions: `memmove`, `memset` and the math functions of [`is_math`].

/// Copies bytes: `memmove(to, from, n)`.
pub const MEMMOVE: &str = "memmove";
/// Sets bytes: `memset(to, byte as i32, n)`.
pub const MEMSET: &str = "memset";

extern "C" fn i128_div(a: i128, b: i128) -> i128 {
    if b == 0 { 0 } else { a.wrapping_div(b) }
}
extern "C" fn i128_rem(a: i128, b: i128) -> i128 {
    if b == 0 { 0 } else { a.wrapping_rem(b) }
}
extern "C" fn u128_div(a: u128, b: u128) -> u128 {
    a.checked_div(b).unwrap_or(0)
}
extern "C" fn u128_rem(a: u128, b: u128) -> u128 {
    a.checked_rem(b).unwrap_or(0)
}
extern "C" fn i128_to_f64(a: i128) -> f64 {
    a as f64
}
extern "C" fn u128_to_f64(a: u128) -> f64 {
    a as f64
}
extern "C" fn i128_to_f32(a: i128) -> f32 {
    a as f32
}
extern "C" fn u128_to_f32(a: u128) -> f32 {
    a as f32
}
extern "C" fn f64_to_i128(a: f64) -> i128 {
    a as i128
}
extern "C" fn f64_to_u128(a: f64) -> u128 {
    a as u128
}

/// The names implemented here.
pub const NAMES: [&str; 10] = [
    "i128_div",
    "i128_rem",
    "u128_div",
    "u128_rem",
    "i128_to_f64",
    "u128_to_f64",
    "i128_to_f32",
    "u128_to_f32",
    "f64_to_i128",
    "f64_to_u128",
];

/// The address of a leaf function implemented here.
pub fn address(name: &str) -> Option<usize> {
    Some(match name {
        "i128_div" => i128_div as *const () as usize,
        "i128_rem" => i128_rem as *const () as usize,
        "u128_div" => u128_div as *const () as usize,
        "u128_rem" => u128_rem as *const () as usize,
        "i128_to_f64" => i128_to_f64 as *const () as usize,
        "u128_to_f64" => u128_to_f64 as *const () as usize,
        "i128_to_f32" => i128_to_f32 as *const () as usize,
        "u128_to_f32" => u128_to_f32 as *const () as usize,
        "f64_to_i128" => f64_to_i128 as *const () as usize,
        "f64_to_u128" => f64_to_u128 as *const () as usize,
        _ => return None,
    })
}

/// Is this C function pure arithmetic, so that it is called without a thunk, and of which float type? True for the
/// `f64` ones; the `f32` ones have an `f` behind the name.
pub fn is_math(name: &str) -> Option<MathType> {
    const UNARY: [&str; 24] = [
        "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "exp", "exp2",
        "expm1", "log", "log2", "log10", "log1p", "cbrt", "round", "rint", "tgamma", "erf",
    ];
    const BINARY: [&str; 5] = ["pow", "atan2", "fmod", "hypot", "copysign"];
    let known = |name: &str| {
        if UNARY.contains(&name) {
            return Some(1);
        }
        BINARY.contains(&name).then_some(2)
    };
    if let Some(parameters) = known(name) {
        return Some(MathType { double: true, parameters });
    }
    let parameters = known(name.strip_suffix('f')?)?;
    Some(MathType { double: false, parameters })
}

/// The type of a math function: all parameters and the result are of one float type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MathType {
    /// `f64`, else `f32`.
    pub double: bool,
    /// How many parameters.
    pub parameters: usize,
}
