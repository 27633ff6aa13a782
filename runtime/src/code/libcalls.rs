//! Functions the code generator itself calls, where the machine has no instruction for something.

/// The address of such a function by its C name.
pub(super) fn symbol(name: &str) -> Option<usize> {
    type F32 = extern "C" fn(f32) -> f32;
    type F64 = extern "C" fn(f64) -> f64;
    type Fma32 = extern "C" fn(f32, f32, f32) -> f32;
    type Fma64 = extern "C" fn(f64, f64, f64) -> f64;
    extern "C" fn ceil(x: f64) -> f64 {
        x.ceil()
    }
    extern "C" fn ceilf(x: f32) -> f32 {
        x.ceil()
    }
    extern "C" fn floor(x: f64) -> f64 {
        x.floor()
    }
    extern "C" fn floorf(x: f32) -> f32 {
        x.floor()
    }
    extern "C" fn trunc(x: f64) -> f64 {
        x.trunc()
    }
    extern "C" fn truncf(x: f32) -> f32 {
        x.trunc()
    }
    extern "C" fn nearbyint(x: f64) -> f64 {
        x.round_ties_even()
    }
    extern "C" fn nearbyintf(x: f32) -> f32 {
        x.round_ties_even()
    }
    extern "C" fn fma(x: f64, y: f64, z: f64) -> f64 {
        x.mul_add(y, z)
    }
    extern "C" fn fmaf(x: f32, y: f32, z: f32) -> f32 {
        x.mul_add(y, z)
    }
    Some(match name {
        "ceil" => ceil as F64 as usize,
        "ceilf" => ceilf as F32 as usize,
        "floor" => floor as F64 as usize,
        "floorf" => floorf as F32 as usize,
        "trunc" => trunc as F64 as usize,
        "truncf" => truncf as F32 as usize,
        "nearbyint" => nearbyint as F64 as usize,
        "nearbyintf" => nearbyintf as F32 as usize,
        "fma" => fma as Fma64 as usize,
        "fmaf" => fmaf as Fma32 as usize,
        "memcpy" => libc::memcpy as *const () as usize,
        "memmove" => libc::memmove as *const () as usize,
        "memset" => libc::memset as *const () as usize,
        "memcmp" => libc::memcmp as *const () as usize,
        _ => return None,
    })
}
