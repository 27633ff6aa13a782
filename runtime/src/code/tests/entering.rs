//! Entering, returning, calling out and nesting.

use cranelift::prelude::*;
use vaisjit_abi::{CallContext, TrapCode};
use vaisjit_codegen::thunks::{AbiSignature, AbiType, ExitKind};

use super::kit::{Kit, i64s};
use crate::code::*;

#[test]
fn a_result_comes_back() {
    let kit = Kit::new();
    let unit = kit.simple("add", 2, |f| {
        let sum = f.b.ins().iadd(f.params[0], f.params[1]);
        f.ret(sum);
    });
    assert_eq!(kit.call(&unit, &[40, 2]).unwrap(), 42);
}

#[test]
fn every_machine_type_passes_the_trampoline() {
    use AbiType::*;
    let kit = Kit::new();
    let signature = AbiSignature::new([I8, U16, I32, I64, I128, F32, F64, I64, I64, U8], Some(I128));
    let unit = kit.function("mix", &signature, |f| {
        let mut sum = f.b.ins().sextend(types::I128, f.params[0]);
        for index in [1, 2, 3, 4, 7, 8, 9] {
            let value = f.params[index];
            let wide = if f.b.func.dfg.value_type(value) == types::I128 {
                value
            } else {
                f.b.ins().uextend(types::I128, value)
            };
            sum = f.b.ins().iadd(sum, wide);
        }
        for index in [5, 6] {
            let number = f.b.ins().fcvt_to_sint_sat(types::I64, f.params[index]);
            let wide = f.b.ins().uextend(types::I128, number);
            sum = f.b.ins().iadd(sum, wide);
        }
        f.ret(sum);
    });
    let args = [(-1i8) as u8 as u64, 2, 3, 4, 5, 1 << 32, 6f32.to_bits().into(), 7f64.to_bits(), 8, 9, 10];
    let mut ret = [0; 2];
    kit.world.enter(&kit.trampoline(&signature), Callee::Unit(&unit, 0), &args, &mut ret).unwrap();
    assert_eq!(ret, [53, 1 << 32]);
}

extern "C" fn double(_: *mut CallContext, x: i64) -> i64 {
    x * 2
}

extern "C" fn narrow(x: i8, y: u16) -> i64 {
    x as i64 * 100_000 + y as i64
}

#[test]
fn host_and_c_functions_are_called() {
    let kit = Kit::new();
    kit.exit("double", double as *const () as usize, &i64s(1), ExitKind::Host { safepoint: false });
    let narrow_types = AbiSignature::new([AbiType::I8, AbiType::U16], Some(AbiType::I64));
    kit.exit("narrow", narrow as *const () as usize, &narrow_types, ExitKind::C);
    let unit = kit.simple("caller", 1, |f| {
        let doubled = f.call("double", &i64s(1), &[f.params[0]]).unwrap();
        let byte = f.b.ins().ireduce(types::I8, doubled);
        let short = f.b.ins().ireduce(types::I16, doubled);
        let result = f.call("narrow", &narrow_types, &[byte, short]).unwrap();
        f.ret(result);
    });
    assert_eq!(kit.call(&unit, &[-3]).unwrap(), -6 * 100_000 + 65_530);
}

#[test]
fn variadic_c_functions_get_floats() {
    let kit = Kit::new();
    let signature =
        AbiSignature::new([AbiType::I64, AbiType::I64, AbiType::I64, AbiType::F64, AbiType::I32], Some(AbiType::I32));
    kit.exit("snprintf", libc::snprintf as *const () as usize, &signature, ExitKind::Variadic { fixed: 3 });
    let mut buffer = [0u8; 32];
    let (at, format) = (buffer.as_mut_ptr() as i64, c"%.2f %d".as_ptr() as i64);
    let unit = kit.simple("format", 0, |f| {
        let buffer = f.number(at);
        let length = f.number(32);
        let format = f.number(format);
        let float = f.b.ins().f64const(2.5);
        let integer = f.b.ins().iconst(types::I32, -7);
        let written = f.call("snprintf", &signature, &[buffer, length, format, float, integer]).unwrap();
        let written = f.b.ins().sextend(types::I64, written);
        f.ret(written);
    });
    assert_eq!(kit.call(&unit, &[]).unwrap(), 7);
    assert_eq!(&buffer[..7], b"2.50 -7");
}

/// What the nested test's host function needs.
struct Nest {
    kit: Kit,
    divide: std::sync::Arc<CodeUnit>,
}

extern "C" fn nested(context: *mut CallContext, nest: *const Nest, x: i64) -> i64 {
    // SAFETY: the test passes the address of what it owns.
    let nest = unsafe { &*nest };
    match nest.kit.call(&nest.divide, &[100, x]) {
        Ok(value) => value,
        Err(trap) => {
            assert_eq!(trap.code, TrapCode::DivisionByZero);
            assert_eq!(trap.frames.len(), 1);
            // SAFETY: the context is that of this call.
            unsafe { raise(context, TrapCode::HostFailure, "nested".to_owned()) };
            0
        }
    }
}

#[test]
fn entries_nest_and_each_is_a_boundary() {
    let kit = Kit::new();
    let divide = kit.simple("divide", 2, |f| {
        let quotient = f.b.ins().sdiv(f.params[0], f.params[1]);
        f.ret(quotient);
    });
    kit.exit("nested", nested as *const () as usize, &i64s(2), ExitKind::Host { safepoint: false });
    let outer = kit.simple("outer", 2, |f| {
        let result = f.call("nested", &i64s(2), &[f.params[0], f.params[1]]).unwrap();
        f.ret(result);
    });
    let nest = Nest { kit, divide };
    let address = std::ptr::from_ref(&nest) as i64;
    for _ in 0..3 {
        assert_eq!(nest.kit.call(&outer, &[address, 5]).unwrap(), 20);
        let trap = nest.kit.call(&outer, &[address, 0]).unwrap_err();
        assert_eq!((trap.code, trap.message.as_deref()), (TrapCode::HostFailure, Some("nested")));
        let names: Vec<&str> = trap.frames.iter().map(RawFrame::name).collect();
        assert_eq!(names, ["nested", "outer"]);
    }
}

extern "C" fn panicking(context: *mut CallContext) -> i64 {
    // SAFETY: the context is that of this call.
    unsafe { guard(context, || panic!("out of cheese")) }
}

#[test]
fn a_guarded_panic_is_a_trap() {
    let kit = Kit::new();
    kit.exit("panicking", panicking as *const () as usize, &i64s(0), ExitKind::Host { safepoint: false });
    let unit = kit.simple("caller", 0, |f| {
        let result = f.call("panicking", &i64s(0), &[]).unwrap();
        f.ret(result);
    });
    let trap = kit.call(&unit, &[]).unwrap_err();
    assert_eq!(trap.message.as_deref(), Some("a host function panicked: out of cheese"));
}

#[test]
fn unknown_imports_are_an_error() {
    let kit = Kit::new();
    let mut module = kit.module();
    module.function("caller", &i64s(0), &[], |f| {
        let result = f.call("nowhere", &i64s(0), &[]).unwrap();
        let result2 = f.call("malloc", &i64s(0), &[]).unwrap();
        let sum = f.b.ins().iadd(result, result2);
        f.ret(sum);
    });
    match module.code.check_imports() {
        Err(CodeError::Unresolved(names)) => assert_eq!(names, ["malloc", "nowhere"]),
        other => panic!("{other:?}"),
    }
    assert!(module.code.finish(module.functions, Vec::new(), None).is_err());
}

#[test]
fn several_worlds_nest_on_one_thread() {
    let (one, two) = (Kit::new(), Kit::new());
    let trap = |kit: &Kit| {
        kit.simple("fails", 0, |f| {
            f.b.ins().trap(TrapCode2::unwrap_user(TrapCode::Panic as u8));
        })
    };
    let (first, second) = (trap(&one), trap(&two));
    for _ in 0..2 {
        assert_eq!(one.call(&first, &[]).unwrap_err().code, TrapCode::Panic);
        assert_eq!(two.call(&second, &[]).unwrap_err().code, TrapCode::Panic);
    }
}

use cranelift_codegen::ir::TrapCode as TrapCode2;
