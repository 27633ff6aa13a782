//! The C functions programs use most, over simulated memory.

use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::host::Argument;
use super::{Machine, Stop, arith, printf};

/// Calls a C function.
pub fn call(name: Name, arguments: &[Argument], result: Ty, machine: &mut Machine) -> Result<u128, Stop> {
    let done = match output(&name, arguments, result, machine)? {
        Some(bits) => Some(bits),
        None => match memory(&name, arguments, machine)? {
            Some(bits) => Some(bits),
            None => pure(&name, arguments, result, machine)?,
        },
    };
    done.ok_or_else(|| Stop::Bug(format!("no host function `{name}`")))
}

fn address(arguments: &[Argument], index: usize) -> u64 {
    arguments.get(index).map_or(0, |(bits, _)| *bits as u64)
}

fn int(arguments: &[Argument], index: usize) -> i64 {
    arguments.get(index).map_or(0, |(bits, ty)| arith::int_of(*bits, *ty) as i64)
}

fn output(name: &str, arguments: &[Argument], result: Ty, machine: &mut Machine) -> Result<Option<u128>, Stop> {
    let bytes = match name {
        "printf" => {
            let text = machine.memory.c_string(address(arguments, 0))?;
            printf::format(&text, &arguments[1..], machine)?
        }
        "puts" | "puts_ptr" => {
            let mut text = c_text(arguments.first(), machine)?;
            text.push(b'\n');
            text
        }
        "putchar" => vec![int(arguments, 0) as u8],
        "print_i64" => int(arguments, 0).to_string().into_bytes(),
        "fflush" | "usleep" | "sleep" => Vec::new(),
        "exit" | "_exit" => return Err(Stop::Exit(int(arguments, 0) as i32)),
        _ => return Ok(None),
    };
    machine.output.extend(&bytes);
    let count = if name == "putchar" { int(arguments, 0) } else { bytes.len() as i64 };
    Ok(Some(if result.is_scalar() { arith::bits_of(i128::from(count), result) } else { 0 }))
}

fn c_text(argument: Option<&Argument>, machine: &Machine) -> Result<Vec<u8>, Stop> {
    match argument {
        Some((0, ty)) if *ty == Ty::str() => Ok(Vec::new()),
        Some((bits, _)) => Ok(machine.memory.c_string(*bits as u64)?),
        None => Ok(Vec::new()),
    }
}

fn memory(name: &str, arguments: &[Argument], machine: &mut Machine) -> Result<Option<u128>, Stop> {
    let (first, second) = (address(arguments, 0), address(arguments, 1));
    let third = address(arguments, 2);
    let memory = &mut machine.memory;
    Ok(Some(match name {
        "malloc" => u128::from(memory.allocate_heap(first)),
        "calloc" => u128::from(memory.allocate_heap(first.saturating_mul(second))),
        "realloc" => {
            let old = memory.heap_size(first).unwrap_or(0);
            let new = memory.allocate_heap(second);
            memory.copy(new, first, old.min(second))?;
            memory.free(first)?;
            u128::from(new)
        }
        "free" => {
            memory.free(first)?;
            0
        }
        "memcpy" | "memmove" => {
            memory.copy(first, second, third)?;
            u128::from(first)
        }
        "memset" => {
            memory.write(first, third)?.fill(second as u8);
            u128::from(first)
        }
        "memcmp" => {
            let order = memory.read(first, third)?.cmp(memory.read(second, third)?);
            arith::bits_of(order as i128, Ty::i64())
        }
        _ => return Ok(None),
    }))
}

fn pure(name: &str, arguments: &[Argument], result: Ty, machine: &Machine) -> Result<Option<u128>, Stop> {
    let number = match name {
        "strlen" => machine.memory.c_string(address(arguments, 0))?.len() as i64,
        "strcmp" => {
            let left = machine.memory.c_string(address(arguments, 0))?;
            left.cmp(&machine.memory.c_string(address(arguments, 1))?) as i64
        }
        "atoi" | "atol" => {
            let text = machine.memory.c_string(address(arguments, 0))?;
            String::from_utf8_lossy(&text).trim().parse().unwrap_or(0)
        }
        "abs" | "labs" => int(arguments, 0).wrapping_abs(),
        "toupper" => i64::from((int(arguments, 0) as u8).to_ascii_uppercase()),
        "tolower" => i64::from((int(arguments, 0) as u8).to_ascii_lowercase()),
        "time" | "clock" => 0,
        _ => return Ok(float(name, arguments, result)),
    };
    Ok(Some(arith::bits_of(i128::from(number), result)))
}

fn float(name: &str, arguments: &[Argument], result: Ty) -> Option<u128> {
    let value = |index: usize| {
        arguments.get(index).map_or(0.0, |(bits, ty)| match ty.kind() {
            TyKind::Float(_) => arith::float_of(*bits, *ty),
            _ => arith::int_of(*bits, *ty) as f64,
        })
    };
    let (x, y) = (value(0), value(1));
    let made = match name {
        "sqrt" => x.sqrt(),
        "pow" => x.powf(y),
        "sin" => x.sin(),
        "cos" => x.cos(),
        "tan" => x.tan(),
        "asin" => x.asin(),
        "acos" => x.acos(),
        "atan" => x.atan(),
        "atan2" => x.atan2(y),
        "exp" => x.exp(),
        "log" => x.ln(),
        "log2" => x.log2(),
        "log10" => x.log10(),
        "floor" => x.floor(),
        "ceil" => x.ceil(),
        "round" => x.round(),
        "trunc" => x.trunc(),
        "fabs" => x.abs(),
        "fmod" => x % y,
        "hypot" => x.hypot(y),
        _ => return None,
    };
    Some(arith::float_bits(made, result))
}
